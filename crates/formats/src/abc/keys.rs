//! Key fields: keys, clefs and transpositions (standard 2.1, sections 3.1.14 and 4.6).

use crate::notation::Step;
use cantus_score::{Key, Mode};

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

    /// What a tonic's mode and accidentals make: where that is the signature of another number of fifths, it is this one.
    fn altered(self, altered: [i32; 7]) -> Signature {
        let usual = (-7..=7i8).find(|fifths| Step::ALL.map(|step| step.altered_by(*fifths)) == altered);
        let key = usual.and_then(|fifths| Key::new(fifths, self.key.mode())).unwrap_or(self.key);
        Signature { key, altered }
    }
}

/// What a `K:` field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyField {
    /// `None` where it names no key, but a clef or a transposition.
    pub signature: Option<Signature>,
    pub staff: Staff,
}

/// What `K:` and `V:` fields say about a staff. What they do not name is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// Semitones that the clef adds: 12 for `treble+8`.
    pub clef: Option<i32>,
    /// Semitones of `octave=`.
    pub octave: Option<i32>,
    /// Semitones of `transpose=`.
    pub transpose: Option<i32>,
    /// Whether the clef is that of drums.
    pub percussion: Option<bool>,
}

impl Staff {
    /// What is named here, and what `before` names beside it.
    pub fn or(self, before: Staff) -> Staff {
        Staff {
            clef: self.clef.or(before.clef),
            octave: self.octave.or(before.octave),
            transpose: self.transpose.or(before.transpose),
            percussion: self.percussion.or(before.percussion),
        }
    }
}

/// The words of a field: those in quotes are one with what stands before them.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let mut quoted = false;
        let ends = |c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        };
        let end = rest.find(ends).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// `D`, `Bb mix`, `F#m`, `Ador ^g`, `D exp _b ^f`, `none`, `Hp`, `bass`, `A clef=bass octave=-1`; `None` where this is no key.
pub fn key_field(text: &str) -> Option<KeyField> {
    let staff = staff(text);
    let mut words = words(text).filter(|word| !is_option(word)).peekable();
    let Some(first) = words.next() else {
        // Without a word at all it is the empty key, which has no accidentals.
        let signature = text.trim().is_empty().then(Signature::plain);
        return Some(KeyField { signature, staff });
    };
    if first.eq_ignore_ascii_case("none") {
        return Some(KeyField { signature: Some(Signature::plain()), staff });
    }
    // Highland pipes sound F sharp and C sharp, whether they are written or not.
    if first.eq_ignore_ascii_case("hp") {
        return Some(KeyField { signature: Some(Signature::of(2, Mode::Major)), staff });
    }
    let mut signature = Signature::plain();
    let mut accidentals = first;
    if !first.starts_with(['^', '_', '=']) {
        let (fifths, rest) = tonic(first)?;
        let (name, glued) = rest.split_at(rest.find(['^', '_', '=']).unwrap_or(rest.len()));
        let named = match name {
            "" => words.next_if(|word| mode(word).is_some()).unwrap_or(""),
            name => name,
        };
        let (shift, kind) = mode(named)?;
        signature = Signature::of(fifths + shift, kind);
        accidentals = glued;
        // "To explicitly define all the accidentals of a key signature": none but those that follow.
        if named.eq_ignore_ascii_case("exp") || words.next_if(|word| word.eq_ignore_ascii_case("exp")).is_some() {
            signature.altered = [0; 7];
        }
    }
    let mut altered = signature.altered;
    alter(accidentals, &mut altered);
    // Other words are for the eye.
    words.for_each(|word| alter(word, &mut altered));
    Some(KeyField { signature: Some(signature.altered(altered)), staff })
}

/// The fifths of a major key on the tonic that `word` begins with, and the rest of the word.
fn tonic(word: &str) -> Option<(i8, &str)> {
    let mut letters = word.chars();
    let fifths: i8 = match Step::from_letter(letters.next()?)? {
        Step::F => -1,
        Step::C => 0,
        Step::G => 1,
        Step::D => 2,
        Step::A => 3,
        Step::E => 4,
        Step::B => 5,
    };
    let rest = letters.as_str();
    if let Some(after) = rest.strip_prefix(['#', '♯']) {
        Some((fifths + 7, after))
    } else if let Some(after) = rest.strip_prefix(['b', '♭']) {
        Some((fifths - 7, after))
    } else {
        Some((fifths, rest))
    }
}

/// `^f`, `_b_e`, `=c`: each changes one step more. Text that is no such list changes nothing.
fn alter(text: &str, altered: &mut [i32; 7]) {
    let mut found = *altered;
    let mut rest = text;
    while !rest.is_empty() {
        let letters = rest.trim_start_matches(['^', '_', '=']);
        let signs = &rest[..rest.len() - letters.len()];
        let by: i32 = signs.chars().map(|c| i32::from(c == '^') - i32::from(c == '_')).sum();
        let mut letters = letters.chars();
        let (false, Some(step)) = (signs.is_empty(), letters.next().and_then(Step::from_letter)) else { return };
        found[step as usize] = by.clamp(-2, 2);
        rest = letters.as_str();
    }
    *altered = found;
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

/// Whether a word is a clef or an option (`octave=-1`), and no key. `=c` is an accidental, and so it is in `Dm=c`.
fn is_option(word: &str) -> bool {
    let names_key = |name: &str| name.is_empty() || tonic(name).is_some_and(|(_, rest)| mode(rest).is_some());
    is_clef(word) || word.split_once('=').is_some_and(|(name, _)| !names_key(name) && !name.contains(['^', '_']))
}

/// `treble`, `bass3`, `alto-8`, `perc`: a clef's name with a line and an octave.
fn is_clef(word: &str) -> bool {
    const CLEFS: [&str; 12] = [
        "treble",
        "bass",
        "alto",
        "tenor",
        "perc",
        "soprano",
        "mezzosoprano",
        "mezzo",
        "baritone",
        "subbass",
        "auto",
        "clef",
    ];
    let word = word.to_ascii_lowercase();
    CLEFS.iter().any(|clef| {
        word.strip_prefix(clef).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with(|c: char| matches!(c, '+' | '-' | '^' | '_' | '=') || c.is_ascii_digit())
                || *clef == "perc"
        })
    })
}

/// The clef, octave and transposition that a field names. A clef with an 8 sounds an octave higher or lower (section 4.6).
pub fn staff(text: &str) -> Staff {
    let mut staff = Staff::default();
    for word in words(text) {
        let (name, value) = word.split_once('=').unwrap_or(("clef", word));
        let value = value.trim_matches('"');
        let number = |most: i32| value.parse::<i32>().ok().map(|number| number.clamp(-most, most));
        match name {
            "octave" => staff.octave = number(10).map(|octaves| 12 * octaves).or(staff.octave),
            "transpose" | "t" => staff.transpose = number(120).or(staff.transpose),
            "clef" if word.starts_with("clef=") || is_clef(value) => {
                let octaves = [("-8", -12), ("+8", 12), ("-15", -24), ("+15", 24)];
                let of_clef = octaves.iter().find(|(end, _)| value.ends_with(end));
                staff.clef = Some(of_clef.map_or(0, |(_, semitones)| *semitones));
                let letters = value.to_ascii_lowercase();
                staff.percussion = Some(letters.starts_with("perc") || value.starts_with('P'));
            }
            _ => {}
        }
    }
    staff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps that a key alters, and its fifths; `None` where the field names no key.
    fn shown(text: &str) -> Option<Option<(String, i8)>> {
        key_field(text).map(|found| {
            let Signature { key, altered } = found.signature?;
            let signs = |alter: i32| if alter > 0 { "^".repeat(alter as usize) } else { "_".repeat(-alter as usize) };
            let altered = Step::ALL.iter().zip(altered).filter(|(_, alter)| *alter != 0);
            let letters: String = altered.map(|(step, alter)| format!("{}{}", signs(alter), step.letter())).collect();
            Some((letters, key.fifths()))
        })
    }

    #[test]
    fn keys_in_every_spelling() {
        let expect = |text: &str, letters: &str, fifths: i8| {
            assert_eq!(shown(text), Some(Some((letters.to_owned(), fifths))), "{text}");
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
        expect("A clef=bass", "^C^F^G", 3);
        expect("none", "", 0);
        expect("none clef=alto", "", 0);
        expect("", "", 0);
        expect("Hp", "^C^F", 2);
        assert_eq!(shown("H"), None);
        assert_eq!(shown("Dxyz"), None);
    }

    #[test]
    fn accidentals_change_the_steps_of_a_key() {
        let expect = |text: &str, letters: &str| {
            assert_eq!(shown(text).flatten().map(|(found, _)| found).as_deref(), Some(letters), "{text}");
        };
        expect("D ^g _b", "^C^F^G_B");
        // The standard's own example: D major with its C naturalised is D Mixolydian.
        assert_eq!(shown("D =c"), shown("D mix"));
        assert_eq!(shown("Bb =e"), shown("F"));
        expect("Dphr ^f", "_E^F_B");
        expect("D#phr ^^f", "^C^D^^F^G^A");
        expect("Dphr^f=b", "_E^F");
        expect("Dm=b", "");
        expect("^f_b", "^F_B");
        // Nothing but what is named.
        expect("D exp _b ^f", "^F_B");
        expect("D exp", "");
        expect("D Phr exp ^f", "^F");
        assert_eq!(shown("D exp ^c ^f"), shown("D"));
        // Words that are no accidentals.
        expect("D ^h hexatonic", "^C^F");
    }

    #[test]
    fn a_clef_or_a_transposition_is_no_key() {
        for text in [
            "bass",
            "treble",
            "alto",
            "tenor",
            "perc",
            "clef=bass",
            "treble-8",
            "bass3",
            "clef=none",
            "octave=-1",
            "transpose=-2",
            "t=3",
            "middle=d",
            "m=B,",
            "stafflines=1",
            "treble octave=1",
            "clef=\"bass\"",
            "perc stafflines=1",
            "Treble",
        ] {
            assert_eq!(shown(text), Some(None), "{text}");
        }
    }

    #[test]
    fn staves_say_how_they_sound() {
        let sum = |text: &str| {
            let Staff { clef, octave, transpose, .. } = staff(text);
            (clef, octave, transpose)
        };
        assert_eq!(sum("clef=treble-8 octave=-1"), (Some(-12), Some(-12), None));
        assert_eq!(sum("treble+8 transpose=-2"), (Some(12), None, Some(-2)));
        assert_eq!(sum("clef=bass"), (Some(0), None, None));
        assert_eq!(sum("name=\"bass -8\" nm=\"t=3 octave=2\""), (None, None, None));
        assert_eq!((staff("perc").percussion, staff("clef=bass").percussion), (Some(true), Some(false)));
        assert_eq!(staff("C").percussion, None);
    }
}
