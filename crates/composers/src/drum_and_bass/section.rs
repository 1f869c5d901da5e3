//! What a model keeps of its corpus: registers, instruments, metre, tempo, how often several notes begin at once, and some loops.

use super::pattern::{COLUMNS, KINDS, Pattern, Piece, Rates, STEPS};
use cantus_model::TrainingSet;
use cantus_model::band::Registers;
use cantus_model::frames::check_time;
use cantus_score::{Meter, Tempo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Loops that are kept.
const LOOPS: usize = 32;

/// What a model keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    /// The lowest notes of its basses, MIDI pitches, and how many have each.
    pub lowest: BTreeMap<u8, u32>,
    /// How far above its tonic, within the octave, the lowest note of a bass is, where the tonic is known.
    degrees: BTreeMap<u8, u32>,
    /// The programs that play a bass.
    pub programs: BTreeMap<u8, u32>,
    /// The most frequent metre.
    meter: String,
    /// The middle one of the pieces' first tempos, microseconds a quarter note.
    pub tempo: Option<u32>,
    /// Columns that begin at each step of a pattern, and which share of all each column has.
    pub steps: Vec<f32>,
    pub shares: Vec<f32>,
    /// Of all steps at which something begins, those at which several notes do.
    pub chords: f32,
    /// Two bars of drums, each of another piece: what a bass is written to where nothing is given. A bit for each kind of drum, by rows.
    pub loops: Vec<Vec<u16>>,
}

impl Section {
    /// What the pieces that are learnt from have in common.
    pub(super) fn of(set: &TrainingSet, pieces: impl Iterator<Item = Piece>, rates: &Rates) -> Section {
        let mut section = Section {
            lowest: BTreeMap::new(),
            degrees: BTreeMap::new(),
            programs: BTreeMap::new(),
            meter: set.usual_meter().to_string(),
            tempo: set.usual_tempo().map(Tempo::micros_per_quarter),
            steps: rates.steps.clone(),
            shares: rates.shares.clone(),
            chords: rates.chords,
            loops: Vec::new(),
        };
        let mut loops = Vec::new();
        for piece in pieces {
            loops.extend(first_loop(&piece));
            *section.lowest.entry(piece.lowest.get()).or_default() += 1;
            if let Some(tonic) = piece.tonic {
                *section.degrees.entry((piece.lowest.class() + 12 - tonic) % 12).or_default() += 1;
            }
            if let Some(program) = piece.patterns.first().and_then(|pattern| pattern.conditions.program) {
                *section.programs.entry(program.get()).or_default() += 1;
            }
        }
        // From all over the corpus.
        let every = loops.len().div_ceil(LOOPS).max(1);
        section.loops = loops.into_iter().step_by(every).collect();
        section
    }

    /// Whether a file's can be used.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut pitches = self.lowest.keys().chain(self.programs.keys());
        if pitches.any(|number| *number > 127) || self.degrees.keys().any(|degree| *degree > 11) {
            return Err("registers or programs are damaged".to_owned());
        }
        let is_rate = |rate: &f32| (0.0..=COLUMNS as f32).contains(rate);
        if (self.steps.len(), self.shares.len()) != (STEPS, COLUMNS)
            || !self.steps.iter().chain(&self.shares).all(is_rate)
        {
            return Err("rates are damaged".to_owned());
        }
        if self.loops.iter().flatten().any(|row| row >> KINDS.len() != 0) || !(0.0..=1.0).contains(&self.chords) {
            return Err("loops or the share of chords are damaged".to_owned());
        }
        check_time(super::pattern::GRID.get(), &self.meter, self.tempo)
    }

    /// Its registers.
    pub(super) fn registers(&self) -> Registers<'_> {
        Registers { lowest: &self.lowest, degrees: &self.degrees }
    }

    pub(super) fn meter(&self) -> Meter {
        self.meter.parse().unwrap_or(Meter::COMMON)
    }
}

/// The drums of the first pattern in which drums and bass sound.
fn first_loop(piece: &Piece) -> Option<Vec<u16>> {
    let sounds =
        |pattern: &&Pattern| pattern.drums.iter().any(|row| *row != 0) && pattern.bass.iter().any(|frame| *frame != 0);
    let pattern = piece.patterns.iter().find(sounds)?;
    Some(pattern.drums[..pattern.rows()].to_vec())
}
