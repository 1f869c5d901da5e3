//! Notes: pitch, velocity, onset and duration.

use crate::Ticks;
use crate::chords::{SHARPS, root};
use std::fmt;
use std::str::FromStr;

/// A MIDI note number, 0-127; 60 is middle C (C4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pitch(u8);

/// How hard a key is struck, 1-127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Velocity(u8);

/// A number outside the range of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeError {
    /// Which unit.
    pub unit: &'static str,
    /// The number found.
    pub found: i64,
    /// The smallest and largest number allowed.
    pub allowed: (i64, i64),
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.allowed;
        write!(f, "{} {} is outside {low}-{high}", self.unit, self.found)
    }
}

impl std::error::Error for RangeError {}

impl Pitch {
    /// Middle C.
    pub const C4: Pitch = Pitch(60);
    /// The lowest and the highest key of a piano.
    pub const PIANO: (Pitch, Pitch) = (Pitch(21), Pitch(108));

    /// The MIDI note number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// 0 = C ... 11 = B.
    pub const fn class(self) -> u8 {
        self.0 % 12
    }

    /// This pitch moved by `semitones`, or `None` where that leaves the MIDI range.
    pub fn transposed(self, semitones: i32) -> Option<Pitch> {
        Pitch::try_from(i64::from(self.0) + i64::from(semitones)).ok()
    }
}

impl TryFrom<i64> for Pitch {
    type Error = RangeError;
    fn try_from(number: i64) -> Result<Pitch, RangeError> {
        match u8::try_from(number) {
            Ok(pitch) if pitch <= 127 => Ok(Pitch(pitch)),
            _ => Err(RangeError { unit: "pitch", found: number, allowed: (0, 127) }),
        }
    }
}

impl TryFrom<u8> for Pitch {
    type Error = RangeError;
    fn try_from(number: u8) -> Result<Pitch, RangeError> {
        Pitch::try_from(i64::from(number))
    }
}

/// Scientific pitch notation with sharps: `C4`, `F#5`.
impl fmt::Display for Pitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", SHARPS[usize::from(self.class())], i32::from(self.0) / 12 - 1)
    }
}

/// Text that names no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PitchError(String);

impl fmt::Display for PitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no key; give a letter, perhaps # or b, and its octave, as in C4, F#5 or Bb2", self.0)
    }
}

impl std::error::Error for PitchError {}

/// Scientific pitch notation: `C4`, `F#5`, `Bb2`.
impl FromStr for Pitch {
    type Err = PitchError;

    fn from_str(text: &str) -> Result<Pitch, PitchError> {
        let wrong = || PitchError(text.to_owned());
        // A letter alone may be small.
        let mut name = text.trim().to_owned();
        name.get_mut(..1).ok_or_else(wrong)?.make_ascii_uppercase();
        let (class, octave) = root(&name).ok_or_else(wrong)?;
        let octave: i8 = octave.parse().ok().filter(|_| !octave.starts_with('+')).ok_or_else(wrong)?;
        Pitch::try_from(12 * (i64::from(octave) + 1) + i64::from(class)).map_err(|_| wrong())
    }
}

impl Velocity {
    /// A moderate touch, for music whose source says nothing of loudness.
    pub const DEFAULT: Velocity = Velocity(80);

    /// The MIDI velocity.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Velocity {
    type Error = RangeError;
    fn try_from(number: u8) -> Result<Velocity, RangeError> {
        match number {
            1..=127 => Ok(Velocity(number)),
            _ => Err(RangeError { unit: "velocity", found: i64::from(number), allowed: (1, 127) }),
        }
    }
}

/// A sounding note. The order is by onset, then pitch, then duration, then velocity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note {
    /// When it begins.
    pub onset: Ticks,
    /// What sounds.
    pub pitch: Pitch,
    /// How long it is held. Zero is possible in a file; encodings lengthen it to one step.
    pub duration: Ticks,
    /// How hard it is struck.
    pub velocity: Velocity,
}

impl Note {
    /// When it ends.
    pub fn end(&self) -> Ticks {
        self.onset + self.duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pitch_names_follow_scientific_notation() {
        assert_eq!(Pitch::C4.to_string(), "C4");
        assert_eq!(Pitch::try_from(21u8).unwrap().to_string(), "A0");
        assert_eq!(Pitch::try_from(66u8).unwrap().to_string(), "F#4");
        assert_eq!(Pitch::try_from(0u8).unwrap().to_string(), "C-1");
    }

    #[test]
    fn numbers_outside_the_range_are_errors_not_masks() {
        assert!(Pitch::try_from(128u8).is_err());
        assert!(Pitch::try_from(-1i64).is_err());
        assert!(Velocity::try_from(0u8).is_err());
        assert!(Pitch::C4.transposed(68).is_none());
        assert_eq!(Pitch::C4.transposed(-60).map(Pitch::get), Some(0));
    }
}
