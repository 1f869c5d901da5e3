//! What a folder's notes can say: its clock, its instruments, its levels of loudness.

use crate::VocabularyError;
use cantus_score::{Part, Program, Reading, STEPS_PER_SECOND, Score, TicksPerQuarter, Velocity};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

/// How times are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// In steps of a quarter note: music that keeps to beats.
    Beats(u16),
    /// In hundredths of a second, whatever the beats: music as it was played ([`cantus_score::performed`]).
    Seconds,
}

impl Clock {
    /// Places in a quarter; where time is no matter of beats, each step is a time of its own.
    pub fn places(self) -> u32 {
        match self {
            Clock::Beats(steps) => u32::from(steps),
            Clock::Seconds => 1,
        }
    }

    /// Steps to a beat: a quarter, or half a second.
    pub fn beat(self) -> u32 {
        match self {
            Clock::Beats(steps) => u32::from(steps),
            Clock::Seconds => STEPS_PER_SECOND / 2,
        }
    }

    /// Steps to the quarter, as a score counts them.
    pub fn ticks_per_quarter(self) -> TicksPerQuarter {
        TicksPerQuarter::new(self.beat()).unwrap_or(TicksPerQuarter::DEFAULT)
    }

    /// A span of time as one that comes again can be told by: exact on beats, and as a player keeps it in seconds.
    pub fn like(self, steps: u32) -> u32 {
        match self {
            Clock::Beats(_) => steps,
            // A chord's notes lie within some hundredths; beyond, two classes an octave.
            Clock::Seconds if steps < 4 => 0,
            Clock::Seconds => (2.0 * f64::from(steps).log2()).round() as u32,
        }
    }
}

/// What plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instrument {
    /// A General MIDI program.
    Program(u8),
    /// A kit of drums.
    Drums,
}

impl Instrument {
    /// That of a part, by its first program.
    pub fn of(part: &Part) -> Instrument {
        if part.drums { Instrument::Drums } else { Instrument::Program(part.program().get()) }
    }

    /// Its program; a kit's is the standard kit.
    pub fn program(self) -> Program {
        match self {
            Instrument::Program(number) => Program::new(number).unwrap_or(Program::PIANO),
            Instrument::Drums => Program::PIANO,
        }
    }
}

/// What had to be changed of a piece so that the vocabulary could say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// Notes whose instrument became another one.
    pub instruments: usize,
    /// Notes that were left out: drums where there are none, or the other way round.
    pub dropped: usize,
}

impl Adjustments {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        *self == Adjustments::default()
    }
}

impl fmt::Display for Adjustments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notes = |n: usize| if n == 1 { "1 note".to_owned() } else { format!("{n} notes") };
        let mut parts = Vec::new();
        if self.instruments > 0 {
            parts.push(format!("{} on the nearest instrument", notes(self.instruments)));
        }
        if self.dropped > 0 {
            parts.push(format!("{} left out, whose kind of instrument it does not know", notes(self.dropped)));
        }
        f.write_str(&parts.join(", "))
    }
}

/// What a folder's notes can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Vocabulary {
    clock: Clock,
    /// In order; drums last.
    instruments: Vec<Instrument>,
    /// Levels of loudness, in order.
    velocities: Vec<u8>,
}

#[derive(Deserialize)]
struct Raw {
    clock: Clock,
    instruments: Vec<Instrument>,
    velocities: Vec<u8>,
}

impl TryFrom<Raw> for Vocabulary {
    type Error = VocabularyError;
    fn try_from(raw: Raw) -> Result<Vocabulary, VocabularyError> {
        let Raw { clock, instruments, velocities } = raw;
        let damaged = |what, found: String| Err(VocabularyError::Damaged { what, found });
        if clock.places() == 0 || clock.places() > Vocabulary::MOST_PLACES {
            return damaged("clock", format!("{} places to the quarter", clock.places()));
        }
        if instruments.is_empty() {
            return Err(VocabularyError::Empty { what: "instruments" });
        }
        let known = |instrument: &Instrument| !matches!(instrument, Instrument::Program(number) if *number > 127);
        if !instruments.is_sorted_by(|a, b| a < b) || !instruments.iter().all(known) || instruments.len() > 128 {
            return damaged("instruments", format!("{instruments:?}"));
        }
        if velocities.is_empty() {
            return Err(VocabularyError::Empty { what: "velocities" });
        }
        let possible = velocities.len() <= Vocabulary::LEVELS && velocities.iter().all(|v| (1..128).contains(v));
        if !velocities.is_sorted_by(|a, b| a < b) || !possible {
            return damaged("velocities", format!("{velocities:?}"));
        }
        Ok(Vocabulary { clock, instruments, velocities })
    }
}

impl Vocabulary {
    /// Levels of loudness that are told apart.
    pub const LEVELS: usize = 32;
    /// Places that a quarter may have.
    pub const MOST_PLACES: u32 = 96;
    /// An instrument with fewer notes in the whole corpus is not told from its nearest neighbour.
    const FEWEST_NOTES: usize = 50;

    /// That of pieces that were read so: the steps of their grid are the clock's. Without `loudness` all notes are of one level.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`], where no piece has a note.
    pub fn build(
        pieces: impl IntoIterator<Item = impl Borrow<Score>>,
        reading: Reading,
        loudness: bool,
    ) -> Result<Vocabulary, VocabularyError> {
        let mut instruments: BTreeMap<Instrument, usize> = BTreeMap::new();
        let mut velocities: BTreeMap<u8, usize> = BTreeMap::new();
        let mut steps = 0;
        for piece in pieces {
            let piece = piece.borrow();
            steps = piece.ticks_per_quarter.get();
            for part in piece.parts.iter().filter(|part| !part.notes.is_empty()) {
                *instruments.entry(Instrument::of(part)).or_default() += part.notes.len();
                part.notes.iter().for_each(|note| *velocities.entry(note.velocity.get()).or_default() += 1);
            }
        }
        let most = instruments.values().copied().max().ok_or(VocabularyError::Empty { what: "notes" })?;
        // The commonest instrument is one whatever its number of notes, and so are drums.
        let enough = |(instrument, notes): &(&Instrument, &usize)| {
            **notes >= Self::FEWEST_NOTES.min(most) || **instrument == Instrument::Drums
        };
        let instruments = instruments.iter().filter(enough).map(|(instrument, _)| *instrument).collect();
        let velocities = if !loudness {
            let middle = velocities.values().sum::<usize>() / 2;
            let mut before = 0;
            let median = velocities.iter().find(|(_, notes)| {
                before += **notes;
                before > middle
            });
            vec![median.map_or(Velocity::DEFAULT.get(), |(velocity, _)| *velocity)]
        } else if velocities.len() <= Self::LEVELS {
            velocities.into_keys().collect()
        } else {
            (0..Self::LEVELS as u8).map(|level| 4 * level + 2).collect()
        };
        let clock = match reading {
            Reading::Performed | Reading::Pedalled => Clock::Seconds,
            Reading::Merged | Reading::Parts => Clock::Beats(u16::try_from(steps).unwrap_or(0)),
        };
        Vocabulary::try_from(Raw { clock, instruments, velocities })
    }

    /// How times are counted.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// What plays, in order.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Whether an instrument of this number is a kit of drums.
    pub fn is_drums(&self, instrument: u8) -> bool {
        self.instruments.get(usize::from(instrument)) == Some(&Instrument::Drums)
    }

    /// Levels of loudness.
    pub fn velocities(&self) -> &[u8] {
        &self.velocities
    }

    /// The number of an instrument or of its nearest neighbour, and whether it is itself. `None` where there is none of its kind.
    pub fn instrument(&self, instrument: Instrument) -> Option<(u8, bool)> {
        if let Some(at) = self.instruments.iter().position(|known| *known == instrument) {
            return Some((at as u8, true));
        }
        let Instrument::Program(wanted) = instrument else { return None };
        let distance = |known: &Instrument| match known {
            // Another family of eight is further than any of its own.
            Instrument::Program(number) => {
                Some(u32::from(number.abs_diff(wanted)) + 128 * u32::from(number / 8 != wanted / 8))
            }
            Instrument::Drums => None,
        };
        let nearest = self.instruments.iter().enumerate().filter_map(|(at, known)| Some((distance(known)?, at)));
        nearest.min().map(|(_, at)| (at as u8, false))
    }

    /// The nearest level of a velocity.
    pub fn level(&self, velocity: Velocity) -> u8 {
        let distance = |level: &u8| level.abs_diff(velocity.get());
        let nearest = self.velocities.iter().enumerate().min_by_key(|(_, level)| distance(level));
        nearest.map_or(0, |(at, _)| at as u8)
    }

    /// The velocity of a level.
    pub fn velocity(&self, level: u8) -> Velocity {
        let velocity = self.velocities.get(usize::from(level)).copied();
        velocity.and_then(|velocity| Velocity::try_from(velocity).ok()).unwrap_or(Velocity::DEFAULT)
    }
}
