//! In how many ticks a document is read.

use super::MusicXmlError;
use super::document::Document;
use crate::notation::gcd;
use cantus_score::TicksPerQuarter;

/// The largest number of ticks to the quarter that a MIDI file holds.
const MOST_TICKS: u64 = 32_767;
/// Where divisions have no common multiple under that.
const FALLBACK_TICKS: TicksPerQuarter = TicksPerQuarter::new(10_080).unwrap();
/// In which the usual fractions of notes are whole that are played and not written.
const PLAYED: u64 = 480;
/// What is played in times that stand nowhere in the document.
const ORNAMENTS: [&str; 3] = ["grace", "tremolo", "swing"];

/// A number of the schema's type `divisions`, which may be a decimal, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub above: u64,
    pub below: u64,
}

impl Decimal {
    pub const ONE: Decimal = Decimal { above: 1, below: 1 };

    /// `None` for what is negative, larger than any music, or no number. Of decimals six are read.
    pub fn read(text: &str) -> Option<Decimal> {
        if let Ok(above) = text.parse() {
            return Some(Decimal { above, below: 1 });
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || whole.is_empty() && part.is_empty() {
            return rounded(text);
        }
        let part = part.trim_end_matches('0');
        let part = &part[..part.len().min(6)];
        let below = 10u64.pow(part.len() as u32);
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
        let above = number(whole)?.checked_mul(below)?.checked_add(number(part)?)?;
        let common = gcd(above, below);
        Some(Decimal { above: above / common, below: below / common })
    }
}

/// A number in another notation, to the nearest whole.
fn rounded(text: &str) -> Option<Decimal> {
    let number: f64 = text.parse().ok().filter(|number: &f64| (0.0..1e12).contains(number))?;
    Some(Decimal { above: number.round() as u64, below: 1 })
}

/// The number that an element holds, whose start tag `rest` follows.
fn number_in(rest: &str) -> Option<Decimal> {
    Decimal::read(rest.split('<').next()?.trim())
}

/// Whether that has a decimal point.
fn has_point(rest: &str) -> bool {
    rest.bytes().take_while(|byte| *byte != b'<').any(|byte| byte == b'.')
}

/// Ticks in which every duration of the document is whole, as far as MIDI can count them.
pub fn ticks_per_quarter(text: &str) -> Result<TicksPerQuarter, MusicXmlError> {
    let mut document = Document::new(text);
    let mut ticks = 1;
    let mut multiply = |by: u64| {
        ticks = if by == 0 { MOST_TICKS + 1 } else { (ticks / gcd(ticks, by)).saturating_mul(by).min(MOST_TICKS + 1) };
    };
    let mut divisions = Decimal::ONE;
    document.survey(&mut |name, rest| match name {
        "divisions" => match number_in(rest).filter(|found| found.above > 0) {
            Some(found) => {
                divisions = found;
                multiply(if found.above <= MOST_TICKS { found.above } else { 0 });
            }
            None => multiply(0),
        },
        // A whole number of whole divisions needs nothing more.
        "duration" if divisions.below > 1 || has_point(rest) => {
            // A quarter is `divisions`, a duration `found`: what is left of their quotient below the line.
            let Some(found) = number_in(rest) else { return };
            let Some(above) = found.above.checked_mul(divisions.below) else { return };
            let Some(below) = found.below.checked_mul(divisions.above) else { return };
            multiply(below / gcd(above, below).max(1));
        }
        name if ORNAMENTS.contains(&name) => multiply(PLAYED),
        _ => {}
    })?;
    let fitting = u32::try_from(ticks).ok().filter(|_| ticks <= MOST_TICKS).and_then(TicksPerQuarter::new);
    Ok(fitting.unwrap_or(FALLBACK_TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_fractions() {
        let read = |text: &str| Decimal::read(text).map(|found| (found.above, found.below));
        assert_eq!(read("12"), Some((12, 1)));
        assert_eq!(read("0.25"), Some((1, 4)));
        assert_eq!(read("1.50"), Some((3, 2)));
        assert_eq!(read(".5"), Some((1, 2)));
        assert_eq!(read("1e2"), Some((100, 1)));
        for bad in ["", ".", "-1", "x", "1e300", "NaN"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn ticks_hold_every_duration() {
        let ticks = |text: &str| ticks_per_quarter(&format!("<a>{text}</a>")).unwrap().get();
        assert_eq!(ticks("<divisions>4</divisions><divisions>6</divisions><duration>1</duration>"), 12);
        assert_eq!(ticks("<divisions>1</divisions><duration>0.25</duration><duration>1.5</duration>"), 4);
        assert_eq!(ticks("<divisions>2.5</divisions><duration>1</duration>"), 5);
        assert_eq!(ticks("<divisions>7</divisions><grace/>"), 3360);
        assert_eq!(ticks("<divisions>99999</divisions>"), 10_080);
    }
}
