//! Metre, bars and keys.

use crate::{Ticks, TicksPerQuarter};
use std::fmt;
use std::str::FromStr;

/// A time signature: so many notes of one kind to a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Meter {
    numerator: u8,
    denominator_log2: u8,
}

/// A time signature that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterError {
    /// What was found.
    pub found: String,
}

impl fmt::Display for MeterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no metre: write one like 4/4 or 6/8", self.found)
    }
}

impl std::error::Error for MeterError {}

impl Meter {
    /// Common time: what holds where a file says nothing.
    pub const COMMON: Meter = Meter { numerator: 4, denominator_log2: 2 };

    /// `denominator_log2` as MIDI writes it: 2 for quarters, 3 for eighths. `None` for an empty bar or notes under a 128th.
    pub const fn new(numerator: u8, denominator_log2: u8) -> Option<Meter> {
        if numerator == 0 || denominator_log2 > 7 { None } else { Some(Meter { numerator, denominator_log2 }) }
    }

    /// Notes to a bar.
    pub const fn numerator(self) -> u8 {
        self.numerator
    }

    /// The kind of note: 4 for quarters, 8 for eighths.
    pub const fn denominator(self) -> u8 {
        1 << self.denominator_log2
    }

    /// The denominator's logarithm, as MIDI writes it.
    pub const fn denominator_log2(self) -> u8 {
        self.denominator_log2
    }

    /// Whether its beats are divided by three: 6/8, 9/8, 12/8; also 3/8, whose bar is one beat.
    pub const fn is_compound(self) -> bool {
        self.denominator_log2 >= 3 && self.numerator.is_multiple_of(3)
    }

    /// The length of a beat as one counts it, which beams join: a dotted note in compound metres, else no less than a quarter.
    pub fn beat(self, per_quarter: TicksPerQuarter) -> Ticks {
        let quarter = u64::from(per_quarter.get());
        let unit = 4 * quarter / u64::from(self.denominator());
        Ticks(if self.is_compound() { 3 * unit } else { unit.max(quarter) })
    }

    /// The length of a bar, rounded up to a whole tick where it is not one.
    pub fn bar(self, per_quarter: TicksPerQuarter) -> Ticks {
        let whole = 4 * u64::from(per_quarter.get()) * u64::from(self.numerator);
        Ticks(whole.div_ceil(u64::from(self.denominator())))
    }
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::COMMON
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator())
    }
}

impl FromStr for Meter {
    type Err = MeterError;
    fn from_str(text: &str) -> Result<Meter, MeterError> {
        let error = || MeterError { found: text.to_owned() };
        let (numerator, denominator) = text.trim().split_once('/').ok_or_else(error)?;
        let numerator: u8 = numerator.parse().map_err(|_| error())?;
        let denominator: u8 = denominator.parse().map_err(|_| error())?;
        if !denominator.is_power_of_two() {
            return Err(error());
        }
        Meter::new(numerator, denominator.trailing_zeros() as u8).ok_or_else(error)
    }
}

/// Major or minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Major.
    Major,
    /// Minor.
    Minor,
}

/// A key signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    fifths: i8,
    mode: Mode,
}

impl Key {
    /// Sharps (positive) or flats (negative); `None` beyond seven.
    pub const fn new(fifths: i8, mode: Mode) -> Option<Key> {
        if fifths >= -7 && fifths <= 7 { Some(Key { fifths, mode }) } else { None }
    }

    /// Sharps (positive) or flats (negative).
    pub const fn fifths(self) -> i8 {
        self.fifths
    }

    /// Major or minor.
    pub const fn mode(self) -> Mode {
        self.mode
    }

    /// The pitch class of its tonic, C being 0.
    pub fn tonic(self) -> u8 {
        let above = if self.mode == Mode::Minor { 9 } else { 0 };
        (7 * i32::from(self.fifths) + above).rem_euclid(12) as u8
    }

    /// The key of the same music moved by `semitones`, written with the fewest accidentals.
    pub fn transposed(self, semitones: i32) -> Key {
        let fifths = (i32::from(self.fifths) + 7 * semitones + 5).rem_euclid(12) - 5;
        Key { fifths: fifths as i8, mode: self.mode }
    }
}

/// Tonics in the order of fifths, from that of seven flats in major to that of seven sharps in minor.
const TONICS: [&str; 18] =
    ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"];

impl Mode {
    /// Its name, and where C major's or C minor's signature has its tonic in [`TONICS`].
    const fn told(self) -> (&'static str, i32) {
        match self {
            Mode::Major => ("major", 7),
            Mode::Minor => ("minor", 10),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, shift) = self.mode.told();
        write!(f, "{} {mode}", TONICS[(i32::from(self.fifths) + shift) as usize])
    }
}

/// What names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no key; write one as D, Bb, F# minor or Am")
    }
}

impl std::error::Error for KeyError {}

/// A tonic and a mode, as in `D`, `Bb major`, `F# minor`, `Am`; sharps and flats also as signs.
impl FromStr for Key {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Key, KeyError> {
        let text = text.trim();
        let tonic_ends = text.find(|c: char| !matches!(c, 'A'..='G' | 'a'..='g' | '#' | '\u{266f}' | '\u{266d}'));
        let (tonic, mode) = text.split_at(tonic_ends.unwrap_or(text.len()));
        let mut letters = tonic.chars();
        let letter = letters.next().ok_or(KeyError)?.to_ascii_uppercase();
        let sign = letters.as_str().replace('\u{266f}', "#").replace('\u{266d}', "b");
        let mode = match mode.trim() {
            "M" | "" => Mode::Major,
            "m" => Mode::Minor,
            word => match word.to_lowercase().as_str() {
                "maj" | "major" => Mode::Major,
                "min" | "minor" => Mode::Minor,
                _ => return Err(KeyError),
            },
        };
        let place = TONICS.iter().position(|known| *known == format!("{letter}{sign}")).ok_or(KeyError)?;
        Key::new((place as i32 - mode.told().1) as i8, mode).ok_or(KeyError)
    }
}

/// One bar of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Where it begins.
    pub start: Ticks,
    /// Its length; shorter than the metre says where the metre changes within it.
    pub length: Ticks,
    /// Its metre.
    pub meter: Meter,
}

impl Bar {
    /// Where the next one begins.
    pub fn end(&self) -> Ticks {
        self.start + self.length
    }
}

/// The bars of a piece, made as they are asked for: a long silence costs nothing until someone walks through it.
///
/// A change that comes less than a 64th note after a bar line belongs to that bar line: sequencers write a piece's metre a tick late,
/// and nobody plays a bar of one tick.
#[derive(Clone, Debug)]
pub struct Bars<'a> {
    changes: &'a [(Ticks, Meter)],
    per_quarter: TicksPerQuarter,
    at: Ticks,
    meter: Meter,
    end: Ticks,
}

impl<'a> Bars<'a> {
    /// Bars from the beginning until `end` is covered; `changes` in order of time.
    pub fn new(changes: &'a [(Ticks, Meter)], per_quarter: TicksPerQuarter, end: Ticks) -> Bars<'a> {
        Bars { changes, per_quarter, at: Ticks::ZERO, meter: Meter::COMMON, end }
    }
}

/// The upbeat of a piece that lasts until `end`: how long it is, and the metre of the bars that it leads to.
///
/// An upbeat is a first bar that the same metre, named once more, cuts short; or a first metre that holds for one bar only, which is
/// shorter than those of the next, as sequencers write it. A bar that is not shorter than half of the next one is believed to be an upbeat
/// only where it counts the same notes or finer ones, and its metre never comes again: 5/8, 8/8, 5/8 are metres that change.
pub fn upbeat(changes: &[(Ticks, Meter)], per_quarter: TicksPerQuarter, end: Ticks) -> Option<(Ticks, Meter)> {
    let mut bars = Bars::new(changes, per_quarter, end);
    let (first, second) = (bars.next()?, bars.next()?);
    let whole = second.meter.bar(per_quarter);
    if first.length >= whole {
        return None;
    }
    let comes_again =
        || changes.iter().skip_while(|(at, _)| *at <= second.start).any(|(_, meter)| *meter == first.meter);
    let is_upbeat = first.meter == second.meter
        || 2 * first.length.0 < whole.0
        || first.meter.denominator() >= second.meter.denominator() && !comes_again();
    is_upbeat.then_some((first.length, second.meter))
}

/// The changes as one names them: an upbeat has the metre that it leads to, which is named once more after it.
pub fn named_meters(changes: &[(Ticks, Meter)], per_quarter: TicksPerQuarter, end: Ticks) -> Vec<(Ticks, Meter)> {
    let Some((length, meter)) = upbeat(changes, per_quarter, end) else { return changes.to_vec() };
    let later = changes.iter().copied().filter(|(at, _)| *at > length + late(per_quarter));
    [(Ticks::ZERO, meter), (length, meter)].into_iter().chain(later).collect()
}

/// How late, at most, a change of metre may come that belongs to the bar line before it. In ticks coarser than 64th notes there is
/// nothing to forgive.
pub(crate) fn late(per_quarter: TicksPerQuarter) -> Ticks {
    Ticks(u64::from(per_quarter.get().saturating_sub(1) / 16))
}

impl Iterator for Bars<'_> {
    type Item = Bar;

    fn next(&mut self) -> Option<Bar> {
        if self.at >= self.end {
            return None;
        }
        let late = late(self.per_quarter);
        while let Some((&(at, meter), rest)) = self.changes.split_first() {
            if at > self.at + late {
                break;
            }
            self.meter = meter;
            self.changes = rest;
        }
        let mut length = self.meter.bar(self.per_quarter);
        if let Some(&(change, _)) = self.changes.first() {
            length = length.min(change - self.at);
        }
        let bar = Bar { start: self.at, length, meter: self.meter };
        self.at += length;
        Some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_said() {
        for fifths in -7..=7 {
            for mode in [Mode::Major, Mode::Minor] {
                let key = Key::new(fifths, mode).unwrap();
                assert_eq!(key.to_string().parse(), Ok(key));
            }
        }
        let said = |text: &str| text.parse::<Key>().map(|key| key.to_string());
        for (text, key) in [
            ("D", "D major"),
            ("am", "A minor"),
            ("F# Minor", "F# minor"),
            ("B\u{266d}", "Bb major"),
            ("bbm", "Bb minor"),
        ] {
            assert_eq!(said(text).as_deref(), Ok(key), "{text}");
        }
        for text in ["", "H", "D dorian", "G#", "Fb minor", "##"] {
            assert_eq!(said(text), Err(KeyError), "{text}");
        }
    }

    #[test]
    fn metres_are_read_and_written() {
        let six_eight: Meter = "6/8".parse().unwrap();
        assert_eq!(six_eight.to_string(), "6/8");
        assert_eq!(six_eight.bar(TicksPerQuarter::DEFAULT), Ticks(1440));
        for bad in ["", "4", "4/3", "0/4", "4/0", "4/256", "x/4"] {
            assert!(bad.parse::<Meter>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_of_metre_cuts_the_bar_short() {
        let changes = [(Ticks::ZERO, "3/4".parse().unwrap()), (Ticks(480), Meter::COMMON)];
        let bars: Vec<_> = Bars::new(&changes, TicksPerQuarter::DEFAULT, Ticks(3000)).collect();
        let spans: Vec<_> = bars.iter().map(|bar| (bar.start.0, bar.length.0)).collect();
        assert_eq!(spans, [(0, 480), (480, 1920), (2400, 1920)]);
    }

    #[test]
    fn a_metre_a_tick_late_makes_no_bar_of_one_tick() {
        let spans = |at: u64, per_quarter: u32| -> Vec<(u64, u64)> {
            let per_quarter = TicksPerQuarter::new(per_quarter).unwrap();
            let changes = [(Ticks(at), "3/4".parse().unwrap())];
            let end = Ticks(u64::from(per_quarter.get()) * 3 + 1);
            Bars::new(&changes, per_quarter, end).map(|bar| (bar.start.0, bar.length.0)).collect()
        };
        assert_eq!(spans(1, 480), [(0, 1440), (1440, 1440)]);
        assert_eq!(spans(29, 480), [(0, 1440), (1440, 1440)]);
        assert_eq!(spans(30, 480)[0], (0, 30));
        assert_eq!(spans(1, 4)[0], (0, 1));
    }

    #[test]
    fn an_upbeat_is_a_short_first_bar() {
        let found = |list: &[(u64, &str)]| {
            let changes: Vec<_> = list.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
            upbeat(&changes, TicksPerQuarter::DEFAULT, Ticks(9600)).map(|(length, meter)| (length.0, meter.to_string()))
        };
        let some = |length, meter: &str| Some((length, meter.to_owned()));
        // The same metre once more; a metre of one bar, also a tick late.
        assert_eq!(found(&[(0, "6/8"), (240, "6/8")]), some(240, "6/8"));
        assert_eq!(found(&[(0, "3/4"), (960, "3/4")]), some(960, "3/4"));
        assert_eq!(found(&[(0, "1/8"), (240, "6/8")]), some(240, "6/8"));
        assert_eq!(found(&[(0, "2/4"), (960, "3/4")]), some(960, "3/4"));
        assert_eq!(found(&[(0, "1/4"), (482, "4/4"), (3842, "1/4")]), some(480, "4/4"));
        assert_eq!(found(&[(0, "1/4"), (480, "6/8")]), some(480, "6/8"));
        assert_eq!(found(&[(480, "4/4")]), some(480, "4/4"));
        // Whole bars, metres that change, longer notes, and a metre of two bars.
        assert_eq!(found(&[(0, "6/8"), (1440, "6/8")]), None);
        assert_eq!(found(&[(0, "5/8"), (1200, "8/8"), (3120, "5/8")]), None);
        assert_eq!(found(&[(0, "1/2"), (960, "6/8")]), None);
        assert_eq!(found(&[(0, "1/8"), (480, "6/8")]), None);
        assert_eq!(found(&[(0, "4/4"), (1920, "3/4")]), None);
        assert_eq!(found(&[]), None);
        let late = [(Ticks(0), "1/4".parse().unwrap()), (Ticks(482), Meter::COMMON), (Ticks(4320), Meter::COMMON)];
        let named = named_meters(&late, TicksPerQuarter::DEFAULT, Ticks(9600));
        assert_eq!(named, [0, 480, 4320].map(|at| (Ticks(at), Meter::COMMON)));
    }

    #[test]
    fn keys_have_names_and_move() {
        let key = |fifths, mode| Key::new(fifths, mode).unwrap();
        assert_eq!(key(0, Mode::Major).to_string(), "C major");
        assert_eq!(key(-3, Mode::Minor).to_string(), "C minor");
        assert_eq!(key(7, Mode::Minor).to_string(), "A# minor");
        assert_eq!(key(-7, Mode::Major).to_string(), "Cb major");
        assert_eq!(key(0, Mode::Major).transposed(2).to_string(), "D major");
        assert_eq!(key(0, Mode::Major).transposed(-1).to_string(), "B major");
        assert!(Key::new(8, Mode::Major).is_none());
    }
}
