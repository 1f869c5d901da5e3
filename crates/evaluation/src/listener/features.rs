//! What a listener hears of an excerpt.

use crate::mixing::mix;
use crate::{FIGURES, Statistics};
use cantus_score::{Note, Score, merge_parts};
use std::collections::BTreeMap;

/// The first figures are notes and bars: how much of a piece an excerpt is tells nothing of the music.
const LENGTHS: usize = 2;
/// The statistics that it hears.
pub(super) const FIGURES_HEARD: usize = FIGURES.len() - LENGTHS;
/// Turns are told apart by so many numbers; two that share one are heard as one.
pub(super) const TURNS: usize = 1 << 13;
/// Longer ones are all alike, in steps.
const LONGEST: u64 = 32;

/// An excerpt in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Features {
    /// The statistics; `None` where the excerpt has none.
    pub figures: [Option<f64>; FIGURES_HEARD],
    /// Which turns occur, and how often.
    pub turns: Vec<(u16, u16)>,
}

/// What sounds from one onset to the next.
struct Moment {
    onset: u64,
    /// The lowest and the highest key.
    outer: (u8, u8),
    /// Pitch classes, counted from the lowest key's.
    classes: u16,
    /// Distances from each key to the next one above.
    spacing: u64,
    /// Notes that are struck.
    struck: u64,
}

impl Features {
    pub fn of(excerpt: &Score) -> Features {
        let statistics = Statistics::of(excerpt);
        let mut figures = [None; FIGURES_HEARD];
        figures.iter_mut().zip(&FIGURES[LENGTHS..]).for_each(|(value, figure)| *value = (figure.of)(&statistics));
        let mut counts: BTreeMap<u16, u16> = BTreeMap::new();
        let mut hear = |kind: u64, what: &[u64]| {
            let turn = what.iter().fold(mix(kind, 0), |turn, part| mix(turn, *part));
            let count = counts.entry((turn % TURNS as u64) as u16).or_default();
            *count = count.saturating_add(1);
        };
        let moments = moments(excerpt);
        let quarter = u64::from(excerpt.ticks_per_quarter.get());
        for moment in &moments {
            hear(0, &[u64::from(moment.classes)]);
            hear(1, &[moment.spacing]);
            hear(2, &[moment.struck, moment.onset % quarter]);
        }
        let interval = |from: u8, to: u8| (i64::from(to) - i64::from(from)).clamp(-13, 13) as u64;
        let lasting = |pair: &[Moment]| (pair[1].onset - pair[0].onset).min(LONGEST);
        for pair in moments.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            let (bass, top) = (interval(a.outer.0, b.outer.0), interval(a.outer.1, b.outer.1));
            hear(3, &[u64::from(a.classes), bass, u64::from(b.classes)]);
            hear(4, &[bass, top]);
            hear(5, &[lasting(pair), b.onset % quarter]);
        }
        for three in moments.windows(3) {
            let (a, b, c) = (&three[0], &three[1], &three[2]);
            let lasts = [lasting(&three[..2]), lasting(&three[1..])];
            hear(6, &[interval(a.outer.1, b.outer.1), lasts[0], interval(b.outer.1, c.outer.1), lasts[1]]);
            hear(7, &[interval(a.outer.0, b.outer.0), interval(b.outer.0, c.outer.0)]);
            hear(8, &[lasts[0], lasts[1], a.onset % quarter]);
        }
        Features { figures, turns: counts.into_iter().collect() }
    }

    /// Which turns occur, and the roots of their shares; the squares sum to 1.
    pub fn shares(&self) -> impl Iterator<Item = (usize, f64)> {
        let total = self.turns.iter().map(|(_, count)| f64::from(*count)).sum::<f64>().max(1.0);
        self.turns.iter().map(move |(turn, count)| (usize::from(*turn), (f64::from(*count) / total).sqrt()))
    }
}

fn moments(excerpt: &Score) -> Vec<Moment> {
    let notes: Vec<Note> = merge_parts(excerpt.parts.iter().filter(|part| !part.drums)).notes;
    let mut sounding: Vec<Note> = Vec::new();
    notes
        .chunk_by(|a, b| a.onset == b.onset)
        .map(|struck| {
            let onset = struck[0].onset;
            sounding.retain(|note| note.end() > onset);
            sounding.extend(struck);
            let mut keys: Vec<u8> = sounding.iter().map(|note| note.pitch.get()).collect();
            keys.sort_unstable();
            keys.dedup();
            let outer = (keys[0], keys[keys.len() - 1]);
            Moment {
                onset: onset.0,
                outer,
                classes: keys.iter().fold(0, |classes, key| classes | 1 << ((key - outer.0) % 12)),
                spacing: keys.windows(2).fold(0, |all, pair| mix(all, u64::from(pair[1] - pair[0]))),
                struck: struck.len() as u64,
            }
        })
        .collect()
}
