//! Two bars of drums, and the bass to them: what the networks read and write.
//!
//! Source: M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20, `decode_patterns/data_conversion.py`: 32 sixteenths of 14 kinds of drums,
//! 64 thirty-seconds of 36 columns of bass; what lies beyond the columns is dropped; onsets alone.
//! Departures: columns are counted from the lowest note of the whole piece, so that a song keeps its register; other parts may be given, by
//! their pitch classes; bars may have any length.

use cantus_encoding::rhythm_section;
use cantus_model::Reader;
use cantus_model::band::{Band, bar_starts, lowest, on_grid, tonic};
use cantus_score::{Note, Pitch, Program, Score, TicksPerQuarter};
use std::ops::Range;

pub(super) use cantus_encoding::rhythm_section::{COLUMNS, KINDS};

/// Steps of a pattern: thirty-seconds.
pub(super) const STEPS: usize = 64;
/// Rows of drums: sixteenths.
pub(super) const ROWS: usize = 32;
/// Cells of a pattern of bass.
pub(super) const CELLS: usize = STEPS * COLUMNS;
/// Steps to a row.
pub(super) const STEPS_OF_ROW: usize = STEPS / ROWS;
/// Steps to a quarter note.
pub(super) const GRID: TicksPerQuarter = const { TicksPerQuarter::new(8).unwrap() };

/// What plays the bass, and how fast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Conditions {
    /// Quarters a minute.
    pub tempo: Option<f64>,
    /// The program of the bass.
    pub program: Option<Program>,
}

/// Two bars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    /// Its steps in the piece, 64 at most.
    pub steps: Range<usize>,
    /// A bit for each kind of drum that is struck.
    pub drums: [u16; ROWS],
    /// A bit for each pitch class that other parts sound, counted from the lowest note of the bass.
    pub harmony: [u16; ROWS],
    /// A bit for each column that begins.
    pub bass: [u64; STEPS],
    pub conditions: Conditions,
}

impl Pattern {
    /// Two bars of nothing.
    const SILENCE: Pattern = Pattern {
        steps: 0..STEPS,
        drums: [0; ROWS],
        harmony: [0; ROWS],
        bass: [0; STEPS],
        conditions: Conditions { tempo: None, program: None },
    };

    /// How many rows of drums it has.
    pub(super) fn rows(&self) -> usize {
        self.steps.len().div_ceil(STEPS_OF_ROW)
    }
}

/// A piece that is learnt from or judged.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub patterns: Vec<Pattern>,
    /// The lowest note of the bass.
    pub lowest: Pitch,
    /// The pitch class of the tonic, where it is known.
    pub tonic: Option<u8>,
    /// Whether the patterns say all onsets.
    pub is_exact: bool,
}

impl Piece {
    /// A piece with a bass; `None` where it has none.
    pub(super) fn read(score: &Score) -> Option<Piece> {
        let score = on_grid(score, GRID);
        let band = Band::of(&score);
        let (starts, end) = bar_starts(&score);
        if band.bass.is_empty() || end == 0 {
            return None;
        }
        let lowest = lowest(&band.bass);
        let tonic = tonic(&score, &band);
        let program = band.bass_part.and_then(|part| score.parts[part].programs.first()).map(|(_, program)| *program);
        let tempo = score.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute());
        let mut patterns = given(&band, lowest, &starts, end, Conditions { tempo, program });
        let within = |note: &&Note| usize::from(note.pitch.get() - lowest.get()) < COLUMNS;
        let notes: Vec<Note> = band.bass.iter().filter(within).copied().collect();
        let is_exact = notes.len() == band.bass.len();
        let frames = rhythm_section::encode(&notes, lowest, end, end);
        for pattern in &mut patterns {
            let begun = frames[pattern.steps.clone()].iter().map(|frame| (frame & ((1 << COLUMNS) - 1)) as u64);
            pattern.bass.iter_mut().zip(begun).for_each(|(bass, begun)| *bass = begun);
        }
        Some(Piece { patterns, lowest, tonic, is_exact })
    }
}

/// Reads pieces that have a bass; as long as they have patterns.
#[derive(Clone, Copy, Debug)]
pub(super) struct PatternReader;

impl Reader for PatternReader {
    /// How many patterns it has.
    type Outline = usize;
    type Piece = Piece;
    type Learnt = Piece;

    fn outlines(&self, _: usize, score: &Score) -> Vec<usize> {
        Piece::read(score).map(|piece| piece.patterns.len()).into_iter().collect()
    }

    fn length(outline: &usize) -> usize {
        *outline
    }

    fn piece(&self, outline: &usize, score: &Score) -> Piece {
        Piece::read(score).unwrap_or_else(|| Piece {
            patterns: vec![Pattern::SILENCE; *outline],
            lowest: lowest(&[]),
            tonic: None,
            is_exact: true,
        })
    }

    fn learnt(&self, piece: Piece) -> Piece {
        piece
    }
}

/// The patterns of a piece, from what is given; the bass is still to come.
pub(super) fn given(band: &Band, lowest: Pitch, starts: &[usize], end: usize, conditions: Conditions) -> Vec<Pattern> {
    let drums = rhythm_section::drums(&band.drums, end);
    let mut harmony = vec![0u16; end];
    for note in &band.others {
        let (from, to) = (note.onset.0 as usize, (note.end().0 as usize).min(end));
        let class = (note.pitch.class() + 12 - lowest.class()) % 12;
        harmony.get_mut(from..to).unwrap_or_default().iter_mut().for_each(|classes| *classes |= 1 << class);
    }
    let all = |of: &[u16], steps: &Range<usize>| {
        let mut rows = [0; ROWS];
        of[steps.clone()].iter().enumerate().for_each(|(k, bits)| rows[k / STEPS_OF_ROW] |= bits);
        rows
    };
    let pattern = |steps: Range<usize>| Pattern {
        drums: all(&drums, &steps),
        harmony: all(&harmony, &steps),
        bass: [0; STEPS],
        conditions,
        steps,
    };
    windows(starts, end).into_iter().map(pattern).collect()
}

/// Two bars after two bars, given where bars begin and the last one ends: a bar by itself where the next has another length, or both are too
/// long, and in pieces where it is itself.
fn windows(starts: &[usize], end: usize) -> Vec<Range<usize>> {
    let next = |bar: usize| starts.get(bar + 1).copied().unwrap_or(end).min(end);
    let length = |bar: usize| next(bar).saturating_sub(starts[bar]);
    let (mut windows, mut bar) = (Vec::new(), 0);
    while bar < starts.len() {
        let is_pair = bar + 1 < starts.len() && length(bar) == length(bar + 1) && 2 * length(bar) <= STEPS;
        let last = if is_pair { bar + 1 } else { bar };
        let (from, to) = (starts[bar], next(last));
        windows.extend((from..to).step_by(STEPS).map(|at| at..to.min(at + STEPS)));
        bar = last + 1;
    }
    windows
}

/// The rates of cells by their steps and columns.
///
/// # Shapes
/// `[STEPS]`, `[COLUMNS]` -> `[CELLS]`
pub(super) fn products(steps: &[f32], shares: &[f32]) -> Vec<f32> {
    steps.iter().flat_map(|step| shares.iter().map(move |share| (step * share).clamp(1e-6, 0.5))).collect()
}

/// How often cells begin.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// Any cell.
    pub one: f32,
    /// Columns that begin at each step.
    pub steps: Vec<f32>,
    /// Which share of all onsets each column has.
    pub shares: Vec<f32>,
    /// Each cell, by its step and its column: `[STEPS, COLUMNS]`
    pub cells: Vec<f32>,
    /// Each column at any step.
    pub columns: [f32; COLUMNS],
    /// Several at once, of all onsets.
    pub chords: f32,
}

impl Rates {
    /// Of the patterns to learn from.
    pub(super) fn of(patterns: impl IntoIterator<Item = Pattern>) -> Rates {
        let (mut by_step, mut by_column, mut seen) = ([0.0f64; STEPS], [0.0f64; COLUMNS], [0.0f64; STEPS]);
        let (mut onsets, mut chords) = (0.0, 0.0);
        for pattern in patterns {
            for (step, frame) in pattern.bass.iter().enumerate().take(pattern.steps.len()) {
                seen[step] += 1.0;
                by_step[step] += f64::from(frame.count_ones());
                onsets += f64::from(u8::from(*frame != 0));
                chords += f64::from(u8::from(frame.count_ones() > 1));
                (0..COLUMNS).filter(|c| frame >> c & 1 == 1).for_each(|c| by_column[c] += 1.0);
            }
        }
        let (all, steps): (f64, f64) = (by_column.iter().sum(), seen.iter().sum());
        let bounded = |rate: f64| rate.clamp(1e-6, 0.5) as f32;
        let shares = by_column.map(|n| (n + 0.5) / (all + 0.5 * COLUMNS as f64));
        let of_steps: Vec<f32> = by_step.iter().zip(&seen).map(|(n, seen)| ((n + 0.5) / (seen + 1.0)) as f32).collect();
        let of_shares: Vec<f32> = shares.iter().map(|share| *share as f32).collect();
        Rates {
            one: bounded(all / (steps * COLUMNS as f64).max(1.0)),
            cells: products(&of_steps, &of_shares),
            steps: of_steps,
            shares: of_shares,
            columns: shares.map(|share| bounded(share * all / steps.max(1.0))),
            chords: if onsets > 0.0 { (chords / onsets) as f32 } else { 0.0 },
        }
    }

    /// What they give to a pattern, cell by cell; nats.
    pub(super) fn nats(&self, rate: impl Fn(usize) -> f32, pattern: &Pattern) -> f64 {
        let cell = |k: usize| {
            let rate = f64::from(rate(k));
            if pattern.bass[k / COLUMNS] >> (k % COLUMNS) & 1 == 1 { -rate.ln() } else { -(1.0 - rate).ln() }
        };
        (0..pattern.steps.len() * COLUMNS).map(cell).sum()
    }
}
