//! A piece as the network reads it: what is given, what is written, and where bars begin.

use super::plan::{BarPlan, plan_of};
use super::step::{Given, Spot, spots};
use cantus_encoding::rhythm_section;
use cantus_model::Joined;
use cantus_model::band::{Band, bar_starts, lowest, on_grid, tonic};
use cantus_nn::suffix::SuffixIndex;
use cantus_score::{Note, Pitch, Score, Ticks, TicksPerQuarter};

/// Where frames have been before.
pub(super) fn past_of(frames: &[u128]) -> SuffixIndex {
    let mut past = SuffixIndex::default();
    frames.iter().for_each(|frame| past.push(*frame));
    past
}

/// What else is known of a piece, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Whether the part is given to which another is written.
    pub part: bool,
    /// Whether other parts are given.
    pub others: bool,
    /// The family of the instrument that plays what is written: eight programs of General MIDI.
    pub family: Option<u8>,
    /// Quarters a minute.
    pub tempo: Option<f64>,
    /// The pitch class of the tonic.
    pub tonic: Option<u8>,
    /// The style, one of those that are told apart.
    pub style: Option<usize>,
}

/// A piece on the grid.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub spots: Vec<Spot>,
    /// What is written, or to be written.
    pub frames: Vec<u128>,
    pub given: Vec<Given>,
    /// What its bars are like.
    pub plan: Vec<BarPlan>,
    pub known: Known,
    /// The lowest note of the bass.
    pub lowest: Pitch,
    /// The program of what is written.
    pub program: Option<u8>,
    /// Whether the frames say all of what is written.
    pub is_exact: bool,
}

impl Piece {
    /// A piece that is learnt from or judged, on a grid of `steps`; `None` where nothing is written in it.
    pub(super) fn read(score: &Score, writes: Joined, steps: TicksPerQuarter, rest: usize) -> Option<Piece> {
        let score = on_grid(score, steps);
        let band = Band::of(&score);
        let (starts, end) = bar_starts(&score);
        let written = match writes {
            Joined::Bass => &band.bass,
            Joined::Drums => &band.drums,
        };
        if written.is_empty() || end == 0 {
            return None;
        }
        let lowest = lowest(&band.bass);
        let given = given(&band, lowest, end, rest);
        let (frames, is_exact) = match writes {
            Joined::Bass => {
                let frames = rhythm_section::encode(&band.bass, lowest, end, rest);
                let read: Vec<(Ticks, Pitch, Ticks)> =
                    rhythm_section::decode(&frames, lowest).iter().map(said).collect();
                let is_exact = read.iter().copied().eq(band.bass.iter().map(said));
                (frames, is_exact)
            }
            Joined::Drums => {
                let rows = rhythm_section::drums(&band.drums, end);
                let is_exact = band.drums.iter().all(|note| rhythm_section::KINDS.contains(&note.pitch.get()));
                (rows.iter().map(|row| u128::from(*row)).collect(), is_exact)
            }
        };
        let program = match (writes, band.bass_part) {
            (Joined::Bass, Some(part)) => score.parts[part].programs.first().map(|(_, program)| program.get()),
            _ => None,
        };
        let known = Known {
            part: match writes {
                Joined::Bass => !band.drums.is_empty(),
                Joined::Drums => !band.bass.is_empty(),
            },
            others: !band.others.is_empty(),
            family: program.map(|program| program / 8),
            tempo: score.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute()),
            tonic: tonic(&score, &band),
            style: None,
        };
        let spots = spots(&starts, end);
        let plan = plan_of(&frames, &spots, steps.get());
        Some(Piece { spots, frames, given, plan, known, lowest, program, is_exact })
    }

    /// A bar of so many steps in which nothing sounds.
    pub(super) fn silent(count: usize, steps: TicksPerQuarter) -> Piece {
        let (spots, frames) = (spots(&[0], count), vec![0; count]);
        Piece {
            plan: plan_of(&frames, &spots, steps.get()),
            spots,
            frames,
            given: vec![Given::default(); count],
            known: Known::default(),
            lowest: lowest(&[]),
            program: None,
            is_exact: true,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

/// What a decoded note is compared by.
fn said(note: &Note) -> (Ticks, Pitch, Ticks) {
    (note.onset, note.pitch, note.duration)
}

/// What the parts of a band give at each of so many steps.
pub(super) fn given(band: &Band, lowest: Pitch, steps: usize, rest: usize) -> Vec<Given> {
    let mut given = vec![Given::default(); steps];
    for (given, drums) in given.iter_mut().zip(rhythm_section::drums(&band.drums, steps)) {
        given.drums = drums;
    }
    for (given, bass) in given.iter_mut().zip(rhythm_section::encode(&band.bass, lowest, steps, rest)) {
        given.bass = bass;
    }
    for note in &band.others {
        let (from, to) = (note.onset.0 as usize, (note.end().0 as usize).min(steps));
        given
            .get_mut(from..to)
            .unwrap_or_default()
            .iter_mut()
            .for_each(|given| given.classes |= 1 << note.pitch.class());
        if let Some(given) = given.get_mut(from) {
            given.begun |= 1 << note.pitch.class();
        }
    }
    given
}
