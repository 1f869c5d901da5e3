//! What stands in the fields of a tune: keys, metres, tempos, lengths.

use super::TICKS;
use crate::notation::Step;
use cantus_score::{Key, Meter, Mode, Tempo};

/// A key signature and what it does to the steps, C first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    pub key: Key,
    pub altered: [i32; 7],
}

impl Signature {
    /// No sharps and no flats.
    pub fn plain() -> Signature {
        Signature::of(0, Mode::Major)
    }

    fn of(fifths: i8, mode: Mode) -> Signature {
        let key = Key::new(fifths.clamp(-7, 7), mode).unwrap_or(const { Key::new(0, Mode::Major).unwrap() });
        Signature { key, altered: Step::ALL.map(|step| step.altered_by(fifths)) }
    }
}

/// `D`, `Bb mix`, `F#m`, `Ador ^g`, `none`, `Hp`; `None` where this is no key.
pub fn signature(text: &str) -> Option<Signature> {
    let mut words = text.split_whitespace().filter(|word| !word.contains('='));
    let first = words.next().unwrap_or("none");
    if first.eq_ignore_ascii_case("none") || is_clef(first) {
        return Some(Signature::plain());
    }
    // Highland pipes sound F sharp and C sharp, whether they are written or not.
    if first.eq_ignore_ascii_case("hp") {
        return Some(Signature::of(2, Mode::Major));
    }
    let mut letters = first.chars();
    let tonic = Step::from_letter(letters.next()?)?;
    let mut rest = letters.as_str();
    let mut fifths: i8 = match tonic {
        Step::F => -1,
        Step::C => 0,
        Step::G => 1,
        Step::D => 2,
        Step::A => 3,
        Step::E => 4,
        Step::B => 5,
    };
    if let Some(after) = rest.strip_prefix(['#', '♯']) {
        (fifths, rest) = (fifths + 7, after);
    } else if let Some(after) = rest.strip_prefix(['b', '♭']) {
        (fifths, rest) = (fifths - 7, after);
    }
    let mut words = words.peekable();
    let named = if rest.is_empty() { words.next_if(|word| mode(word).is_some()).unwrap_or("") } else { rest };
    let (shift, kind) = mode(named)?;
    let mut signature = Signature::of(fifths + shift, kind);
    for word in words {
        // `^f` and the like change one step more; other words are for the eye.
        let accidentals = word.len() - word.trim_start_matches(['^', '_', '=']).len();
        let alter: i32 = word[..accidentals].chars().map(|c| i32::from(c == '^') - i32::from(c == '_')).sum();
        let mut step = word[accidentals..].chars();
        if let (1.., Some(letter), None) = (accidentals, step.next(), step.next())
            && let Some(step) = Step::from_letter(letter)
        {
            signature.altered[step as usize] = alter.clamp(-2, 2);
        }
    }
    Some(signature)
}

fn is_clef(word: &str) -> bool {
    ["treble", "bass", "alto", "tenor", "perc", "clef"].iter().any(|clef| word.starts_with(clef))
}

/// How many fifths a mode lies from major, and which of the two it is nearer to.
fn mode(word: &str) -> Option<(i8, Mode)> {
    let short: String = word.chars().take(3).collect::<String>().to_lowercase();
    Some(match short.as_str() {
        "" | "maj" | "ion" | "exp" => (0, Mode::Major),
        "m" | "min" | "aeo" => (-3, Mode::Minor),
        "mix" => (-1, Mode::Major),
        "dor" => (-2, Mode::Minor),
        "phr" => (-4, Mode::Minor),
        "lyd" => (1, Mode::Major),
        "loc" => (-5, Mode::Minor),
        _ => return None,
    })
}

/// What a metre field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metre {
    /// A time signature.
    Bars(Meter),
    /// `none`.
    Free,
}

/// `4/4`, `C`, `C|`, `(2+3)/8`, `none`.
pub fn metre(text: &str) -> Option<Metre> {
    let text = text.trim();
    match text {
        "C" | "c" => return Some(Metre::Bars(Meter::COMMON)),
        "C|" | "c|" => return Meter::new(2, 1).map(Metre::Bars),
        "none" | "" => return Some(Metre::Free),
        _ => {}
    }
    let (beats, kind) = text.split_once('/')?;
    let mut sum: u32 = 0;
    for beat in beats.trim_matches(['(', ')', ' ']).split('+') {
        sum = sum.checked_add(beat.trim().parse().ok()?)?;
    }
    let kind = kind.split_whitespace().next()?;
    format!("{sum}/{kind}").parse().ok().map(Metre::Bars)
}

/// `1/8` in ticks.
pub fn unit_length(text: &str) -> Option<u64> {
    let (numerator, denominator) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
    let (numerator, denominator): (u64, u64) = (numerator.trim().parse().ok()?, denominator.trim().parse().ok()?);
    let whole = (4 * TICKS).checked_mul(numerator)?;
    let fits = (1..=64).contains(&numerator) && denominator > 0 && whole.is_multiple_of(denominator);
    fits.then(|| whole / denominator)
}

/// The unit where none is named: an eighth, or a sixteenth in metres shorter than three quarters of a whole note.
pub fn usual_length(metre: Option<Metre>) -> u64 {
    match metre {
        Some(Metre::Bars(meter)) if 4 * u32::from(meter.numerator()) < 3 * u32::from(meter.denominator()) => TICKS / 4,
        _ => TICKS / 2,
    }
}

/// `1/4=120`, `"Allegro" 3/8=100`, `1/4 3/8=40`, and the older `C=120`, `C2=60` and `120`, which count units.
///
/// `Ok(None)` where only words are said.
pub fn tempo(text: &str, unit: u64) -> Result<Option<Tempo>, ()> {
    let mut spoken = false;
    let mut plain = String::new();
    for part in text.split('"') {
        if !spoken {
            plain.push_str(part);
            plain.push(' ');
        }
        spoken = !spoken;
    }
    let plain = plain.trim();
    if plain.is_empty() {
        return Ok(None);
    }
    let (beat, number) = match plain.split_once('=') {
        None => (unit as f64, plain),
        Some((beat, number)) => {
            let mut sum = 0.0;
            for length in beat.split_whitespace() {
                sum += match length.strip_prefix(['C', 'c']) {
                    Some("") => unit as f64,
                    Some(units) => unit as f64 * units.parse::<f64>().map_err(|_| ())?,
                    None => unit_length(length).ok_or(())? as f64,
                };
            }
            (sum, number)
        }
    };
    let number: f64 = number.split_whitespace().next().ok_or(())?.parse().map_err(|_| ())?;
    let quarters = number * beat / TICKS as f64;
    Tempo::from_quarters_per_minute(quarters).map(Some).ok_or(())
}

/// By how many semitones a voice sounds higher than it is written: `octave=`, `transpose=`, and clefs with an 8.
pub fn shift(text: &str) -> Option<i32> {
    let mut shift = None;
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or(("clef", word));
        let semitones = match name {
            "octave" => value.parse::<i32>().ok().map(|octaves| octaves.clamp(-10, 10) * 12),
            "transpose" | "t" => value.parse::<i32>().ok().map(|semitones| semitones.clamp(-120, 120)),
            "clef" if is_clef(value) && value.ends_with("-8") => Some(-12),
            "clef" if is_clef(value) && value.ends_with("+8") => Some(12),
            _ => None,
        };
        if let Some(semitones) = semitones {
            shift = Some(shift.unwrap_or(0) + semitones);
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_every_spelling() {
        let shown = |text: &str| {
            signature(text).map(|found| {
                let letters: String = Step::ALL
                    .iter()
                    .zip(found.altered)
                    .filter(|(_, alter)| *alter != 0)
                    .map(|(step, alter)| format!("{}{}", if alter > 0 { '^' } else { '_' }, step.letter()))
                    .collect();
                (letters, found.key.fifths())
            })
        };
        let expect = |text: &str, letters: &str, fifths: i8| {
            assert_eq!(shown(text), Some((letters.to_owned(), fifths)), "{text}");
        };
        expect("C", "", 0);
        expect("D", "^C^F", 2);
        expect("Bb", "_E_B", -2);
        expect("F#m", "^C^F^G", 3);
        expect("A Mixolydian", "^C^F", 2);
        expect("EDor", "^C^F", 2);
        expect("Glyd", "^C^F", 2);
        expect("Bphr", "^F", 1);
        expect("A Minor clef=bass", "", 0);
        expect("D ^g _b", "^C^F^G_B", 2);
        expect("D mix =c", "^F", 1);
        expect("none", "", 0);
        expect("", "", 0);
        expect("Hp", "^C^F", 2);
        expect("clef=treble-8", "", 0);
        assert_eq!(shown("H"), None);
        assert_eq!(shown("Dxyz"), None);
    }

    #[test]
    fn metres_lengths_and_tempos() {
        assert_eq!(metre(" C| "), Some(Metre::Bars("2/2".parse().unwrap())));
        assert_eq!(metre("(2+3)/8"), Some(Metre::Bars("5/8".parse().unwrap())));
        assert_eq!(metre("none"), Some(Metre::Free));
        assert_eq!(metre("4/3"), None);
        assert_eq!(unit_length("1/8"), Some(TICKS / 2));
        assert_eq!(unit_length("1/0"), None);
        assert_eq!(usual_length(metre("2/4")), TICKS / 4);
        assert_eq!(usual_length(metre("6/8")), TICKS / 2);
        let quarters =
            |text: &str| tempo(text, TICKS / 2).map(|tempo| tempo.map(|tempo| tempo.quarters_per_minute().round()));
        assert_eq!(quarters("1/4=120"), Ok(Some(120.0)));
        assert_eq!(quarters("3/8=80 \"Slow\""), Ok(Some(120.0)));
        assert_eq!(quarters("C2=60"), Ok(Some(60.0)));
        assert_eq!(quarters("120"), Ok(Some(60.0)));
        assert_eq!(quarters("\"Allegro\""), Ok(None));
        assert_eq!(quarters("1/4=x"), Err(()));
        assert_eq!(shift("S1 clef=treble-8 octave=-1"), Some(-24));
        assert_eq!(shift("S1 clef=bass"), None);
    }
}
