//! Batches of windows of pieces.

use super::FrameSettings;
use super::repertoire::{Outline, Piece};
use super::strokes::{self, Since, Stroke};
use crate::plan::{Plan, Row, Segment};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_nn::random::{below, derive};
use std::collections::HashMap;
use std::sync::Arc;

/// Windows to a segment, so that rows stay busy to the end of an epoch.
const SEGMENT_WINDOWS: usize = 8;

/// The plan of `epoch`: every frame of every piece is predicted once, long pieces in segments cut elsewhere in every epoch.
pub(super) fn plan(pieces: &[Outline], settings: &FrameSettings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let longest = settings.window * SEGMENT_WINDOWS;
    let mut segments = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let shift = piece.shifts.0 + below(&mut rng, (piece.shifts.1 - piece.shifts.0 + 1) as usize) as i32;
        let length = piece.frames;
        let mut start = 0;
        if length > longest + longest / 2 {
            let mut next = longest / 2 + below(&mut rng, longest);
            while length - next.min(length) > longest / 4 {
                segments.push(Segment { piece: index, shift, tokens: start..next });
                (start, next) = (next, next + longest);
            }
        }
        segments.push(Segment { piece: index, shift, tokens: start..length });
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

/// A stretch of a piece, as a row of a batch has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which of the training pieces.
    pub piece: usize,
    /// Semitones that it is moved up by.
    pub shift: i32,
    /// Its first step.
    pub first: usize,
}

/// How a network reads the frame before a step.
pub(super) struct View<W> {
    /// Rows that a piece has.
    pub rows: usize,
    /// Width I of each.
    pub width: usize,
    /// Writes them, over zeros: given the frame and the step.
    pub write: W,
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows B.
    pub rows: usize,
    /// Steps T.
    pub steps: usize,
    /// What is read: `[T * B * ROWS, I]`, each piece having so many rows.
    pub input: Vec<f32>,
    /// What a head is to predict: the keys that sound (or, where onsets are read, that are struck).
    pub keys: Vec<Keys>,
    /// The same as `[T * B, 88]`, 0 or 1.
    pub targets: Vec<f32>,
    /// 1 where it counts, 0 for padding.
    pub weights: Vec<f32>,
    /// What each row reads: `[B]`; `None` where it is padding throughout.
    pub windows: Vec<Option<Window>>,
    /// Which keys were struck again and which were not, where strokes are read.
    pub(super) strokes: Vec<Stroke>,
}

impl Batch {
    /// Gathers `rows`; absent rows and the ends of short ones are padding.
    pub(super) fn gather<P>(
        pieces: &HashMap<usize, Arc<Piece<P>>>,
        rows: &[Option<&Row>],
        settings: &FrameSettings,
        view: &View<impl Fn(Option<Frame>, usize, &mut [f32])>,
    ) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let (size, width) = (rows.len() * steps, view.rows * view.width);
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            input: vec![0.0; size * width],
            keys: vec![Keys::NONE; size],
            targets: vec![0.0; size * Keys::COUNT],
            weights: vec![0.0; size],
            windows: vec![None; rows.len()],
            strokes: Vec::new(),
        };
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment, .. }) = row else { continue };
            let frames = &pieces[&segment.piece].frames;
            let (piece, shift, first) = (segment.piece, segment.shift, segment.tokens.start);
            batch.windows[b] = Some(Window { piece, shift, first });
            // Within the keyboard by the choice of shifts.
            let moved = |k: usize| frames[k].transposed(segment.shift).unwrap_or(frames[k]);
            let mut since = Since::default();
            if settings.reads_strokes() {
                (first.saturating_sub(usize::from(strokes::OLDEST))..first).for_each(|k| since.push(moved(k)));
            }
            for (t, k) in segment.tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                let input = &mut batch.input[at * width..][..width];
                (view.write)(k.checked_sub(1).map(moved), k, input);
                let frame = moved(k);
                batch.keys[at] = frame.sounding();
                batch.keys[at].write(&mut batch.targets[at * Keys::COUNT..]);
                if settings.reads_strokes() {
                    strokes::decisions(&since, frame, (at, view.rows), &mut batch.strokes);
                    since.push(frame);
                }
                batch.weights[at] = 1.0;
            }
        }
        batch
    }
}
