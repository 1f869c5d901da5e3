//! How well one unit joins another, by counts: which pitch follows which across the bar line, and which way to begin follows which way to end.
//!
//! An LSTM over notes, as the source has it, would be a second model to train, to keep in the file and to run for every candidate; these counts
//! are made in a moment out of the library, and what they say is weighed by the network, which hears the rest of the past.

use super::library::{Join, Library, WAYS};
use cantus_encoding::melody_steps::OUTCOMES;

/// What is counted of neighbours that never met: so much of the estimate that one backs off to.
const PRIOR: f64 = 4.0;
/// Intervals that are told apart.
const INTERVALS: usize = 2 * OUTCOMES;

/// What is said of a join.
pub(super) const SAID: usize = 2;

/// Counts of neighbours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Joins {
    /// `[last pitch, first pitch]`, and the sums of its rows.
    pitches: Vec<u32>,
    of_last: Vec<u32>,
    of_first: Vec<u32>,
    intervals: Vec<u32>,
    /// `[way to end, way to begin]`.
    ways: Vec<u32>,
    of_end: Vec<u32>,
    of_begin: Vec<u32>,
    all: u32,
}

impl Joins {
    /// Those of a library.
    pub(super) fn of(library: &Library) -> Joins {
        let mut joins = Joins {
            pitches: vec![0; OUTCOMES * OUTCOMES],
            of_last: vec![0; OUTCOMES],
            of_first: vec![0; OUTCOMES],
            intervals: vec![0; INTERVALS],
            ways: vec![0; WAYS * WAYS],
            of_end: vec![0; WAYS],
            of_begin: vec![0; WAYS],
            all: 0,
        };
        for pair in library.of_tunes.iter().flat_map(|units| units.windows(2)) {
            let (before, after) = (library.units[pair[0] as usize].join, library.units[pair[1] as usize].join);
            let (last, first) = (usize::from(before.last), usize::from(after.first));
            let (end, begin) = (usize::from(before.ends), usize::from(after.begins));
            joins.pitches[last * OUTCOMES + first] += 1;
            joins.of_last[last] += 1;
            joins.of_first[first] += 1;
            joins.intervals[interval(before, after)] += 1;
            joins.ways[end * WAYS + begin] += 1;
            joins.of_end[end] += 1;
            joins.of_begin[begin] += 1;
            joins.all += 1;
        }
        joins
    }

    /// By how many nats a join is likelier than the second unit is after any: pitch after pitch, which backs off to the interval; beginning after
    /// end. Of a join that is in the counts itself (`is_counted`) it is taken out first, or the network would learn to trust what it has seen.
    pub(super) fn say(&self, before: Join, after: Join, is_counted: bool) -> [f32; SAID] {
        let own = f64::from(u8::from(is_counted && self.all > 0));
        let less = |count: u32| (f64::from(count) - own).max(0.0);
        let all = less(self.all);
        let (last, first) = (usize::from(before.last), usize::from(after.first));
        let first_alone = (less(self.of_first[first]) + 1.0) / (all + OUTCOMES as f64);
        let interval = (less(self.intervals[interval(before, after)]) + 1.0) / (all + INTERVALS as f64);
        let pitch = backed(less(self.pitches[last * OUTCOMES + first]), less(self.of_last[last]), interval);
        let (end, begin) = (usize::from(before.ends), usize::from(after.begins));
        let begin_alone = (less(self.of_begin[begin]) + 1.0) / (all + WAYS as f64);
        let way = backed(less(self.ways[end * WAYS + begin]), less(self.of_end[end]), begin_alone);
        [(pitch / first_alone).ln() as f32, (way / begin_alone).ln() as f32]
    }
}

/// What comes of counts, with so much of what one backs off to: D. MacKay and L. Bauman Peto, A Hierarchical Dirichlet Language Model, 1995.
fn backed(count: f64, of: f64, to: f64) -> f64 {
    (count + PRIOR * to) / (of + PRIOR)
}

fn interval(before: Join, after: Join) -> usize {
    usize::from(after.first) + OUTCOMES - usize::from(before.last)
}
