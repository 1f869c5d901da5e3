//! What stands in the fields of a tune: metres, tempos, lengths, texts.

use super::TICKS;
use cantus_score::{Meter, Tempo};

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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
