//! The keys between which instruments are asked to stay.

use crate::{Pitch, Player, PlayerError};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Ranges of keys, of all that has a pitch or instrument by instrument: `C3-C6`, or `bass: E1-G2, piano: C3-C6`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers(Vec<(Option<Player>, RangeInclusive<Pitch>)>);

impl Registers {
    /// Each range, and whose it is; everybody's where that is `None`.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&Player>, &RangeInclusive<Pitch>)> {
        self.0.iter().map(|(player, range)| (player.as_ref(), range))
    }
}

/// Text that is no range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistersError {
    /// Two keys, the lower one first.
    Range(String),
    /// Nobody plays so.
    Player(PlayerError),
    /// Drums have no keys.
    Drums,
}

impl fmt::Display for RegistersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegistersError::Range(text) => write!(
                f,
                "`{text}` is no range of keys; give the lowest and the highest one, as in C3-C6 (C4 is the middle one), or by instrument: bass: E1-G2, piano: C3-C6"
            ),
            RegistersError::Player(error) => error.fmt(f),
            RegistersError::Drums => f.write_str("drums have no keys"),
        }
    }
}

impl std::error::Error for RegistersError {}

impl FromStr for Registers {
    type Err = RegistersError;

    fn from_str(text: &str) -> Result<Registers, RegistersError> {
        let one = |text: &str| {
            let (player, range) = match text.split_once(':') {
                Some((player, range)) => (Some(player.parse().map_err(RegistersError::Player)?), range),
                None => (None, text),
            };
            if player.as_ref().is_some_and(|player: &Player| player.drums) {
                return Err(RegistersError::Drums);
            }
            Ok((player, keys(range).ok_or_else(|| RegistersError::Range(text.trim().to_owned()))?))
        };
        Ok(Registers(text.split(',').map(one).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, (player, range)) in self.iter().enumerate() {
            let comma = if k > 0 { ", " } else { "" };
            match player {
                Some(player) => write!(f, "{comma}{player}: {}-{}", range.start(), range.end())?,
                None => write!(f, "{comma}{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

/// `C3-C6`; the hyphen of an octave below zero (`C-1`) is none between two keys.
fn keys(text: &str) -> Option<RangeInclusive<Pitch>> {
    let text = text.trim();
    let hyphens = text.match_indices('-').map(|(at, _)| at);
    let (low, high) = hyphens
        .filter_map(|at| Some((text[..at].parse::<Pitch>().ok()?, text[at + 1..].parse::<Pitch>().ok()?)))
        .next()?;
    (low <= high).then_some(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<Registers>();
        let numbers = |text: &str| -> Vec<(Option<String>, u8, u8)> {
            let registers = read(text).unwrap();
            registers
                .iter()
                .map(|(player, range)| (player.map(ToString::to_string), range.start().get(), range.end().get()))
                .collect()
        };
        assert_eq!(numbers("C3-C6"), [(None, 48, 84)]);
        assert_eq!(numbers(" bb2 - F#5 "), [(None, 46, 78)]);
        assert_eq!(numbers("C-1-G9"), [(None, 0, 127)]);
        assert_eq!(
            numbers("bass: E1-G2,Piano:Eb3-C6"),
            [(Some("bass".to_owned()), 28, 43), (Some("piano".to_owned()), 51, 84)]
        );
        for text in ["C3-C6", "bass: E1-G2, piano: D#3-C6"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for wrong in ["", "C3", "C6-C3", "H3-C4", "C3-", "bass C3-C4", "C3-C10"] {
            assert!(matches!(read(wrong), Err(RegistersError::Range(_))), "{wrong}");
        }
        assert_eq!(read("drums: C3-C4"), Err(RegistersError::Drums));
        assert!(matches!(read("theremin: C3-C4"), Err(RegistersError::Player(_))));
    }
}
