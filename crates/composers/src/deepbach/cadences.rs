//! Where phrases end: fermatas. Where a piece does not say it, that follows from its notes.
//!
//! Each quarter note is weighed by what happens at it, and phrases by their length; the best way through the piece is found (the
//! weights are those of a logistic regression on 362 chorales by Bach with 2,253 fermatas; on halves of them left out the rule finds
//! 86% of the fermatas, and 93% of what it finds is one; 83 and 90% where it is not known what is struck again).

use cantus_encoding::voice_lines::{self, Sites};
use cantus_encoding::voices::{Chord, VOICES};
use cantus_model::Rng;
use cantus_nn::random::below;
use cantus_score::TicksPerQuarter;
use std::collections::BTreeMap;

/// What speaks for a fermata over a quarter note: always, that the soprano begins a note, that the bass comes by a fourth or a fifth, that
/// the chord is a triad over its root, that one, two or three of the lower voices begin a note; that all then stand still for a quarter,
/// for less than two, for longer; that the soprano does.
type Weights = [f64; 13];

/// Where it is known what is struck again.
const STRUCK: Weights = [-16.7, 6.9, 1.8, 2.0, 1.4, 2.1, 0.8, 3.5, -0.1, 6.4, 1.8, -2.2, 2.0];
/// Where it is not.
const HELD: Weights = [-12.3, 1.3, 1.9, 1.9, 2.8, 2.0, 2.4, 3.4, 3.8, 5.2, 1.6, 2.6, 2.4];
/// Which share of the phrases has so many quarters, from four on.
const LENGTHS: [f64; 13] = [0.043, 0.011, 0.027, 0.039, 0.613, 0.04, 0.066, 0.019, 0.104, 0.011, 0.007, 0.004, 0.005];
/// The share of each other length.
const OTHER: f64 = 0.0005;
/// The longest phrase that is looked for, in quarters.
const MOST: usize = 24;
/// A fermata lasts so many quarters at most.
const LONGEST: usize = 4;

/// A fermata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cadence {
    /// The first step of the quarter note that it stands over.
    pub at: usize,
    /// The step at which the phrase is over.
    pub end: usize,
}

/// What speaks for a fermata over the quarter note that begins at a step, and for how many quarters it is held.
fn weigh(sites: &[Sites], sung: &[Chord], at: usize, grid: usize, weights: &Weights) -> (f64, usize) {
    let begins = |voice: usize, step: usize| sites[step][voice].struck().is_some();
    let later = |is: &dyn Fn(usize) -> bool| (at + 1..sites.len()).find(|step| is(*step)).unwrap_or(sites.len()) - at;
    let all_stand = later(&|step| (0..VOICES).any(|voice| begins(voice, step)));
    let soprano_stands = later(&|step| begins(0, step));
    let held = (all_stand / grid).clamp(1, LONGEST);
    // Nothing says that what lasts to the end would not last longer.
    let all_stand = if at + all_stand == sites.len() { all_stand.max(2 * grid) } else { all_stand };
    let class = |chord: Chord, voice: usize| chord.pitch(voice).map(|pitch| usize::from(pitch.class()));
    let bass = class(sung[at], VOICES - 1);
    let moved = at.checked_sub(1).and_then(|before| Some((bass? + 12 - class(sung[before], VOICES - 1)?) % 12));
    let is_root = bass.is_some_and(|bass| {
        let classes = (0..VOICES).filter_map(|voice| class(sung[at], voice)).fold(0u32, |all, class| all | 1 << class);
        let above = |semitones: usize| 1u32 << ((bass + semitones) % 12);
        let within = |third: usize| classes & !(above(0) | above(third) | above(7)) == 0;
        classes.count_ones() > 1 && (within(3) || within(4))
    });
    let others = (1..VOICES).filter(|voice| begins(*voice, at)).count();
    let span = |steps: usize| match steps {
        _ if steps < grid => 0,
        _ if steps == grid => 1,
        _ if steps < 2 * grid => 2,
        _ => 3,
    };
    let [always, soprano, by_fifth, root, rest @ ..] = weights;
    let of = |first: usize, k: usize| k.checked_sub(1).map_or(0.0, |k| rest[first + k]);
    let told = [(begins(0, at), soprano), (matches!(moved, Some(5 | 7)), by_fifth), (is_root, root)];
    let told: f64 = told.iter().filter(|(is, _)| *is).map(|(_, weight)| **weight).sum();
    let score = always + told + of(0, others) + of(3, span(all_stand)) + of(6, span(soprano_stands));
    (score, held)
}

/// Where the notes of a piece say that there are fermatas.
pub(super) fn of_sites(sites: &[Sites], grid: TicksPerQuarter, attacks: bool) -> Vec<Cadence> {
    let (grid, sung) = (grid.get() as usize, voice_lines::chords(sites));
    let weights = if attacks { &STRUCK } else { &HELD };
    let quarters = sites.len().div_ceil(grid);
    // The best way to each place at which a phrase may be over: what speaks for it, where its last phrase began, and its fermata.
    let mut best: Vec<(f64, Option<(usize, usize)>)> = vec![(f64::NEG_INFINITY, None); quarters + LONGEST];
    best[0].0 = 0.0;
    for quarter in 0..quarters {
        let (score, held) = weigh(sites, &sung, quarter * grid, grid, weights);
        let end = (quarter + held).min(quarters + LONGEST - 1);
        for length in held..=MOST.min(end) {
            let begins = end - length;
            let share = length.checked_sub(4).and_then(|k| LENGTHS.get(k)).unwrap_or(&OTHER);
            let all = best[begins].0 + share.ln() + score;
            if begins <= quarter && all > best[end].0 {
                best[end] = (all, Some((begins, quarter)));
            }
        }
    }
    let is_over = |end: &usize| best[*end].0 > f64::NEG_INFINITY;
    let mut end =
        (quarters.saturating_sub(2)..best.len()).filter(is_over).max_by(|a, b| best[*a].0.total_cmp(&best[*b].0));
    let mut found = Vec::new();
    while let Some((last, (begins, quarter))) = end.and_then(|end| Some((end, best[end].1?))) {
        found.push(Cadence { at: quarter * grid, end: last * grid });
        end = Some(begins);
    }
    found.reverse();
    found
}

/// How many quarters the phrases of a piece have.
pub(super) fn phrases(cadences: &[Cadence], grid: TicksPerQuarter) -> impl Iterator<Item = u32> {
    let begins = std::iter::once(0).chain(cadences.iter().map(|cadence| cadence.end));
    cadences.iter().zip(begins).map(move |(cadence, begins)| ((cadence.end - begins) / grid.get() as usize) as u32)
}

/// Which of so many steps lie in the quarter notes that begin at these.
pub(super) fn held(cadences: &[usize], steps: usize, grid: TicksPerQuarter) -> Vec<bool> {
    let mut held = vec![false; steps];
    for step in cadences {
        held.iter_mut().skip(*step).take(grid.get() as usize).for_each(|held| *held = true);
    }
    held
}

/// Where fermatas stand in music of so many steps whose phrases have these quarters, the last as many as are left: by the first step of the
/// quarter note. A last phrase of less than half as many as it should have belongs to the one before.
fn placed(phrases: impl Iterator<Item = usize>, steps: usize, grid: TicksPerQuarter) -> Vec<usize> {
    let quarters = steps / grid.get() as usize;
    let (mut ends, mut end) = (Vec::new(), 0);
    for phrase in phrases.map(|quarters| quarters.max(1)) {
        if end + phrase >= quarters {
            if 2 * (quarters - end) < phrase {
                ends.pop();
            }
            break;
        }
        end += phrase;
        ends.push(end);
    }
    ends.extend((quarters > 0).then_some(quarters));
    ends.into_iter().map(|end| (end - 1) * grid.get() as usize).collect()
}

/// Where fermatas stand that are so many quarters apart; one stands at the end.
pub(super) fn every(quarters: usize, steps: usize, grid: TicksPerQuarter) -> Vec<usize> {
    placed(std::iter::repeat(quarters), steps, grid)
}

/// Where fermatas stand in music whose phrases are as long as those that were counted; nowhere where none were.
pub(super) fn drawn(phrases: &BTreeMap<u32, u32>, steps: usize, grid: TicksPerQuarter, rng: &mut Rng) -> Vec<usize> {
    let all: u64 = phrases.values().map(|count| u64::from(*count)).sum();
    if all == 0 {
        return Vec::new();
    }
    let drawn = std::iter::repeat_with(|| {
        let mut left = below(rng, usize::try_from(all).unwrap_or(usize::MAX)) as u64;
        let found = phrases.iter().find(|(_, count)| {
            let is_here = left < u64::from(**count);
            left = left.saturating_sub(u64::from(**count));
            is_here
        });
        found.map_or(1, |(quarters, _)| *quarters as usize)
    });
    placed(drawn, steps, grid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::voices::Chord;
    use cantus_nn::random::seeded;
    use cantus_score::Pitch;

    const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    /// Phrases of eight quarters of which the last holds a triad that the bass leaps to; in all others something moves.
    fn hymn(phrases: usize) -> Vec<Sites> {
        let chord = |pitches: [u8; VOICES]| Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok()));
        let mut chords = Vec::new();
        for quarter in 0..8 * phrases {
            if quarter % 8 == 7 {
                chords.extend([chord([72, 67, 64, 48]); 4]);
            } else {
                let up = (quarter % 3) as u8;
                chords.extend([chord([71 + up, 65, 62, 55]); 2]);
                chords.extend([chord([71 + up, 66, 60 + up, 55]); 2]);
            }
        }
        voice_lines::of_chords(&chords, |step, voice| voice == 0 && step % 4 == 0)
    }

    #[test]
    fn a_phrase_ends_where_all_stand_still() {
        for attacks in [true, false] {
            let found = of_sites(&hymn(4), GRID, attacks);
            assert_eq!(found.iter().map(|cadence| cadence.at).collect::<Vec<_>>(), [28, 60, 92, 124]);
            assert_eq!(phrases(&found[..3], GRID).collect::<Vec<_>>(), [8, 8, 8]);
        }
        assert!(of_sites(&[], GRID, true).is_empty());
        let held = held(&[28], 40, GRID);
        assert_eq!((0..40).filter(|step| held[*step]).collect::<Vec<_>>(), [28, 29, 30, 31]);
    }

    #[test]
    fn fermatas_stand_as_far_apart_as_asked_and_one_at_the_end() {
        assert_eq!(every(8, 128, GRID), [28, 60, 92, 124]);
        assert_eq!(every(8, 4 * 21, GRID), [28, 60, 80]);
        assert_eq!(every(8, 4 * 18, GRID), [28, 68], "two quarters are no phrase");
        assert_eq!((every(8, 12, GRID), every(8, 3, GRID)), (vec![8], vec![]));
        let counted = [(4, 1), (8, 3)].into();
        let found = drawn(&counted, 4000, GRID, &mut seeded(1));
        let lengths: Vec<usize> = found.windows(2).map(|pair| (pair[1] - pair[0]) / 4).collect();
        let share =
            |length: usize| lengths.iter().filter(|known| **known == length).count() as f64 / lengths.len() as f64;
        assert!((share(8) - 0.75).abs() < 0.15 && share(8) + share(4) > 0.98, "{lengths:?}");
        assert!(drawn(&BTreeMap::new(), 400, GRID, &mut seeded(1)).is_empty());
    }
}
