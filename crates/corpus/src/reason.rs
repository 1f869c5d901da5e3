//! Why a file is not used.

use crate::Parts;
use crate::text::{grouped, printable};
use cantus_score::Unpitched;
use serde::Serialize;
use std::fmt;

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The system or the reader refuses it.
    Unreadable {
        /// Why.
        message: String,
    },
    /// More bytes than allowed; it was not read.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Nothing with a pitch in it.
    NoNotes {
        /// Strokes of drums in it.
        drums: usize,
        /// Chord symbols in it.
        chords: usize,
    },
    /// Notes, but not in the part that was asked for.
    NoSuchPart {
        /// What was asked for.
        wanted: Parts,
    },
    /// No band: drums or a bass are missing.
    NoBand {
        /// Which.
        lacks: Vec<&'static str>,
    },
    /// More pitched parts than allowed.
    TooManyParts {
        /// How many have notes.
        found: usize,
        /// How many are allowed.
        allowed: usize,
    },
    /// Notes that no piano has.
    BeyondPiano {
        /// How many.
        notes: usize,
    },
    /// Metres outside the chosen set.
    Meter {
        /// Those outside.
        found: Vec<String>,
    },
    /// Too many onsets that miss the grid: a performance, most likely.
    OffGrid {
        /// The share that misses it: [`Quantization::off_grid`](crate::Quantization::off_grid).
        share: f64,
        /// The share allowed.
        allowed: f64,
    },
    /// Fewer notes or bars than asked for.
    TooShort {
        /// Notes found.
        notes: usize,
        /// Bars found.
        bars: u64,
        /// Notes wanted.
        min_notes: usize,
        /// Bars wanted.
        min_bars: u64,
    },
    /// The same notes as another file, perhaps in another key.
    DuplicateOf {
        /// The file that is used in its place.
        original: String,
        /// By how many semitones this one lies higher.
        transposed: i32,
    },
}

impl Reason {
    /// The heading under which files refused for this reason are counted.
    pub fn heading(&self) -> &'static str {
        match self {
            Reason::Unreadable { .. } => "unreadable",
            Reason::TooLarge { .. } => "too large",
            Reason::NoNotes { drums: 1.., chords: 0 } => "only drums",
            Reason::NoNotes { .. } => "no notes",
            Reason::NoSuchPart { .. } => "without the part asked for",
            Reason::NoBand { .. } => "without drums or a bass",
            Reason::TooManyParts { .. } => "too many parts",
            Reason::BeyondPiano { .. } => "notes beyond a piano's keys",
            Reason::Meter { .. } => "metre outside the chosen set",
            Reason::OffGrid { .. } => "off the grid",
            Reason::TooShort { .. } => "too short",
            Reason::DuplicateOf { .. } => "duplicate",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unreadable { message } => write!(f, "unreadable: {}", printable(message)),
            Reason::TooLarge { bytes, limit } => {
                write!(f, "too large: {} bytes, {} are allowed", grouped(*bytes), grouped(*limit))
            }
            Reason::NoNotes { drums, chords } => {
                write!(f, "it holds {}", Unpitched { strokes: *drums, chords: *chords })
            }
            Reason::NoSuchPart { wanted } => write!(f, "no part is `{wanted}`"),
            Reason::NoBand { lacks } => write!(f, "it has no {}", lacks.join(" and no ")),
            Reason::TooManyParts { found, allowed } => write!(f, "{found} parts, {allowed} are allowed"),
            Reason::BeyondPiano { notes } => write!(f, "{notes} notes lie beyond a piano's 88 keys"),
            Reason::Meter { found } => write!(f, "in {}", found.join(", ")),
            Reason::OffGrid { share, allowed } => {
                let (share, allowed) = (100.0 * share, 100.0 * allowed);
                write!(f, "off the grid: {share:.0}% of the onsets miss it, {allowed:.0}% may")
            }
            Reason::TooShort { notes, bars, min_notes, min_bars } => {
                write!(f, "too short: {notes} of at least {min_notes} notes, {bars} of {min_bars} bars")
            }
            Reason::DuplicateOf { original, transposed: 0 } => write!(f, "duplicate of {}", printable(original)),
            Reason::DuplicateOf { original, transposed } => {
                let (by, direction) = (transposed.abs(), if *transposed > 0 { "higher" } else { "lower" });
                let s = if by == 1 { "" } else { "s" };
                write!(f, "duplicate of {}, {by} semitone{s} {direction}", printable(original))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_sentences() {
        let off = Reason::OffGrid { share: 0.374, allowed: 0.2 };
        assert_eq!(off.to_string(), "off the grid: 37% of the onsets miss it, 20% may");
        let copy = Reason::DuplicateOf { original: "a.mid".into(), transposed: -1 };
        assert_eq!(copy.to_string(), "duplicate of a.mid, 1 semitone lower");
        let drums = Reason::NoNotes { drums: 320, chords: 0 };
        assert_eq!(drums.to_string(), "it holds only drums (320 strokes) and no note with a pitch");
    }
}
