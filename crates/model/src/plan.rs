//! How pieces become batches for truncated back-propagation.
//!
//! A batch has `rows` rows; each reads one segment after another, `window` tokens (or frames) a step, its state carried from step to
//! step and reset where a segment begins, so that no window crosses from one piece to the next. The plan of an epoch is a function of
//! the segments and a generator: nothing of it has to be saved.

use crate::Rng;
use cantus_nn::random::shuffle;
use std::ops::Range;

/// A stretch of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which piece.
    pub piece: usize,
    /// Semitones up.
    pub shift: i32,
    /// Which of its tokens (or frames).
    pub tokens: Range<usize>,
}

/// What a row does in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The window that it reads.
    pub segment: Segment,
    /// The state is reset before this window.
    pub begins: bool,
}

/// An epoch: for each row, its windows in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    epoch: u64,
    rows: Vec<Vec<Row>>,
}

impl Plan {
    /// Spreads an epoch's segments over rows of about equal length.
    pub fn new(epoch: u64, mut segments: Vec<Segment>, rows: usize, window: usize, rng: &mut Rng) -> Plan {
        shuffle(rng, &mut segments);
        // Rows of equal length: the longest segments first, each to the row that is shortest so far; shuffled before and after.
        let windows = |segment: &Segment| segment.tokens.len().div_ceil(window);
        segments.sort_by_key(|segment| std::cmp::Reverse(windows(segment)));
        let mut lengths = vec![0; rows.min(segments.len()).max(1)];
        let mut assigned: Vec<Vec<Segment>> = vec![Vec::new(); lengths.len()];
        for segment in segments {
            let shortest = (0..lengths.len()).min_by_key(|&row| lengths[row]).unwrap_or(0);
            lengths[shortest] += windows(&segment);
            assigned[shortest].push(segment);
        }
        let rows = assigned
            .into_iter()
            .map(|mut row| {
                shuffle(rng, &mut row);
                row.into_iter().flat_map(|segment| cut(segment, window)).collect()
            })
            .collect();
        Plan { epoch, rows }
    }

    /// Which epoch it is for.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Rows of a batch.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Steps in the epoch.
    pub fn steps(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// What each row does in `step`; `None` for a row that is done.
    pub fn step(&self, step: usize) -> impl Iterator<Item = Option<&Row>> {
        self.rows.iter().map(move |row| row.get(step))
    }
}

fn cut(segment: Segment, window: usize) -> impl Iterator<Item = Row> {
    let Range { start, end } = segment.tokens;
    (start..end)
        .step_by(window)
        .map(move |at| Row { segment: Segment { tokens: at..end.min(at + window), ..segment }, begins: at == start })
}
