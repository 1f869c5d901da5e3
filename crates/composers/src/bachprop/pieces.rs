//! Pieces as the network reads them: notes, and where in their bars they begin.

use super::settings::Settings;
use cantus_encoding::note_triple::{GRID, Triple, Vocabulary, encode};
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{Pieces, Reader, Repertoire};
use cantus_nn::random::{below, derive};
use cantus_score::{Meter, Score, Ticks};
use std::ops::Range;
use std::sync::Arc;

/// Values of what is known of a place: the part of its quarter, which quarter of the bar, the bar's length in eighths and whether it is
/// compound, how many bars are left.
pub(super) const PLACES: [usize; 4] = [GRID.get() as usize, 16, 2 * EIGHTHS, LEFT];
/// Of these, so many of the place where a note begins are known while its length and its pitch are decided.
pub(super) const BEGUN: usize = 2;
/// Lengths of a bar that are told apart, in eighths.
const EIGHTHS: usize = 25;
/// Numbers of bars left that are told apart.
const LEFT: usize = 10;

/// Notes of pieces that stay read.
const MOST_READ: usize = 1_000_000;
/// Segments are so many windows long at the most, cut elsewhere in every epoch.
const SEGMENT_WINDOWS: usize = 8;

/// Each of [`PLACES`].
pub(super) type Place = [u32; PLACES.len()];

/// The bars of a piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Where each begins, in steps, and its length and kind.
    bars: Vec<(u32, u32)>,
}

impl Clock {
    pub(super) fn of(piece: &Score) -> Clock {
        let steps = |ticks: Ticks| ticks.rescale(piece.ticks_per_quarter, GRID);
        let mut clock = Clock::default();
        piece.bars().for_each(|bar| clock.push(steps(bar.start), steps(bar.end()) - steps(bar.start), bar.meter));
        clock
    }

    /// Adds a bar.
    pub(super) fn push(&mut self, start: Ticks, length: Ticks, meter: Meter) {
        let eighths = usize::try_from(2 * length.0 / u64::from(GRID.get())).unwrap_or(usize::MAX);
        let kind = 2 * eighths.min(EIGHTHS - 1) + usize::from(meter.is_compound());
        self.bars.push((u32::try_from(start.0).unwrap_or(u32::MAX), kind as u32));
    }

    /// The number of the bar that a step is in; what comes after the last one is in that.
    pub(super) fn bar(&self, at: u32) -> usize {
        self.bars.partition_point(|(start, _)| *start <= at).saturating_sub(1)
    }

    /// Where a step is.
    pub(super) fn place(&self, at: u32) -> Place {
        let bar = self.bar(at);
        let (start, kind) = self.bars.get(bar).copied().unwrap_or_default();
        let within = at - start.min(at);
        let quarter = (within / GRID.get()).min(PLACES[1] as u32 - 1);
        let left = (self.bars.len().saturating_sub(bar + 1)).min(LEFT - 1) as u32;
        [within % GRID.get(), quarter, kind, left]
    }
}

/// A piece.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub notes: Vec<Triple>,
    /// When each note begins, in steps.
    pub onsets: Vec<u32>,
    /// The place of the beginning, and that of each note.
    pub places: Vec<Place>,
    /// Its length in quarter notes.
    pub quarters: f64,
    /// Whether the vocabulary could not say all of it.
    pub is_adjusted: bool,
}

impl Piece {
    pub(super) fn of(score: &Score, vocabulary: &Vocabulary) -> Piece {
        let (notes, adjustments) = encode(score, vocabulary);
        let clock = Clock::of(score);
        let onset = |now: &mut u32, triple: &Triple| {
            *now += vocabulary.waits()[usize::from(triple.wait)];
            Some(*now)
        };
        let onsets: Vec<u32> = notes.iter().scan(0, onset).collect();
        Piece {
            places: std::iter::once(&0).chain(&onsets).map(|at| clock.place(*at)).collect(),
            onsets,
            notes,
            quarters: score.end().quarters(score.ticks_per_quarter),
            is_adjusted: !adjustments.is_empty(),
        }
    }

    /// What is decided: the notes, and the end.
    pub(super) fn decided(&self) -> usize {
        self.notes.len() + 1
    }
}

/// What is always known of a piece.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    /// Notes and the end.
    pub decided: usize,
    pub quarters: f64,
    /// Transpositions that keep all pitches within the vocabulary.
    shifts: Range<i32>,
}

/// Reads pieces.
#[derive(Debug)]
pub(super) struct PieceReader {
    pub vocabulary: Arc<Vocabulary>,
    pub transposition: u8,
}

impl Reader for PieceReader {
    type Outline = Outline;
    type Piece = Piece;
    type Learnt = Piece;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let piece = Piece::of(score, &self.vocabulary);
        let most = self.vocabulary.pitch_count() as i32 - 1;
        let pitches = piece.notes.iter().map(|note| i32::from(note.pitch));
        let (low, high) = pitches.fold((most, 0), |(low, high), pitch| (low.min(pitch), high.max(pitch)));
        let by = i32::from(self.transposition);
        // Twelve keys at most.
        let shifts = -by.min(5).min(low)..by.min(6).min(most - high) + 1;
        let outline = Outline { decided: piece.decided(), quarters: piece.quarters, shifts };
        if piece.notes.is_empty() { Vec::new() } else { vec![outline] }
    }

    fn length(outline: &Outline) -> usize {
        outline.decided
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Piece {
        let mut piece = Piece::of(score, &self.vocabulary);
        // Silence in its place is as long.
        piece.notes.resize(outline.decided - 1, Triple { wait: 0, length: 0, pitch: 0 });
        piece.onsets.resize(outline.decided - 1, 0);
        piece.places.resize(outline.decided, Place::default());
        piece
    }

    fn learnt(&self, piece: Piece) -> Piece {
        piece
    }
}

/// The pieces of one side.
pub(super) fn repertoire(pieces: &Pieces, vocabulary: &Arc<Vocabulary>, transposition: u8) -> Repertoire<PieceReader> {
    Repertoire::of(pieces, PieceReader { vocabulary: Arc::clone(vocabulary), transposition }, MOST_READ)
}

/// The plan of an epoch: a function of the seed and the epoch alone. A long piece is cut elsewhere in every epoch.
pub(super) fn plan(pieces: &[Outline], settings: &Settings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let longest = settings.window * SEGMENT_WINDOWS;
    let mut segments = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let shift = piece.shifts.start + below(&mut rng, piece.shifts.len()) as i32;
        let is_long = piece.decided > longest + longest / 2;
        let (mut start, mut end) = (0, if is_long { longest / 2 + below(&mut rng, longest) } else { piece.decided });
        while start < piece.decided {
            // No rest of a few notes.
            let to = if end + longest / 4 < piece.decided { end } else { piece.decided };
            segments.push(Segment { piece: number, shift, tokens: start..to });
            (start, end) = (to, to + longest);
        }
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// The note that was last, decision by decision; one class more before the first.
    pub read: [Vec<u32>; 3],
    /// Each of [`PLACES`], of where it begins.
    pub places: [Vec<u32>; PLACES.len()],
    /// The first of [`PLACES`], of where the next one begins.
    pub begun: [Vec<u32>; BEGUN],
    /// The next note, decision by decision; the time has one class more, the end.
    pub targets: [Vec<u32>; 3],
    /// 1 where it counts, 0 for padding; of length and pitch, 0 at the end of a piece.
    pub weights: [Vec<f32>; 2],
    /// Minus infinity where a time, or a pitch, is impossible, else 0.
    ///
    /// # Shapes
    /// `[T * B, W + 1]`, `[T * B, P]`
    pub forbidden: [Vec<f32>; 2],
}

impl Batch {
    /// Gathers rows of pieces; absent rows and the ends of short ones are padding.
    pub(super) fn gather<'r, 'p>(
        piece: impl Fn(usize) -> &'p Piece,
        rows: impl Iterator<Item = Option<&'r Row>>,
        vocabulary: &Vocabulary,
    ) -> Batch {
        let rows: Vec<Option<&Row>> = rows.collect();
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let size = rows.len() * steps;
        let (waits, pitches) = (vocabulary.waits().len() + 1, vocabulary.pitch_count());
        let none = || vec![0u32; size];
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            read: std::array::from_fn(|_| none()),
            places: std::array::from_fn(|_| none()),
            begun: std::array::from_fn(|_| none()),
            targets: std::array::from_fn(|_| none()),
            weights: std::array::from_fn(|_| vec![0.0; size]),
            forbidden: [vec![0.0; size * waits], vec![0.0; size * pitches]],
        };
        let beginning = beginning(vocabulary);
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment, .. }) = row else { continue };
            let piece = piece(segment.piece);
            let moved = |note: &Triple| {
                let pitch = i32::from(note.pitch).saturating_add(segment.shift);
                Triple { pitch: u16::try_from(pitch).unwrap_or(0), ..*note }
            };
            for (t, k) in segment.tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                let before = k.checked_sub(1).and_then(|k| piece.notes.get(k)).map(moved);
                let next = piece.notes.get(k).map(moved);
                let read = before.map_or(beginning, numbers);
                (0..3).for_each(|decision| batch.read[decision][at] = read[decision]);
                (0..PLACES.len()).for_each(|of| batch.places[of][at] = piece.places[k][of]);
                batch.weights[0][at] = 1.0;
                forbid_time(before, &mut batch.forbidden[0][at * waits..(at + 1) * waits]);
                match next {
                    Some(note) => {
                        let targets = numbers(note);
                        (0..3).for_each(|decision| batch.targets[decision][at] = targets[decision]);
                        (0..BEGUN).for_each(|of| batch.begun[of][at] = piece.places[k + 1][of]);
                        batch.weights[1][at] = 1.0;
                        forbid_pitch(before, note.wait, &mut batch.forbidden[1][at * pitches..(at + 1) * pitches]);
                    }
                    None => batch.targets[0][at] = waits as u32 - 1,
                }
            }
        }
        batch
    }
}

/// What is read before the first note.
pub(super) fn beginning(vocabulary: &Vocabulary) -> [u32; 3] {
    [vocabulary.waits().len(), vocabulary.lengths().len(), vocabulary.pitch_count()].map(|number| number as u32)
}

/// The decisions of a note.
pub(super) fn numbers(note: Triple) -> [u32; 3] {
    [note.wait, note.length, note.pitch].map(u32::from)
}

/// Takes away the times that are impossible after a note: below the lowest pitch none begins with it.
///
/// # Shapes
/// `[W + 1]`
pub(super) fn forbid_time(before: Option<Triple>, logits: &mut [f32]) {
    if before.is_some_and(|before| before.pitch == 0) {
        logits[0] = f32::NEG_INFINITY;
    }
}

/// Takes away the pitches that are impossible after a note: a chord goes downwards.
///
/// # Shapes
/// `[P]`
pub(super) fn forbid_pitch(before: Option<Triple>, wait: u16, logits: &mut [f32]) {
    if let Some(before) = before.filter(|_| wait == 0) {
        logits.iter_mut().skip(usize::from(before.pitch)).for_each(|logit| *logit = f32::NEG_INFINITY);
    }
}
