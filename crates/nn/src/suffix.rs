//! Where a sequence of sets has been before: earlier places whose past resembles the past of the place at hand.
//!
//! A place `s` is a candidate for place `t` where what stood before `s` ends like what stood before `t`. Three views of a set are compared:
//! the whole set, its highest member, its lowest member. For each view and several lengths n, all places are linked to the latest
//! earlier one with the same last n sets (by a hash of them), so that a new set costs the same however long the sequence is, and so
//! does a walk along the links. Everything that is said of place t follows from the sets before t alone.
//!
//! What is lost by taking a bounded number of candidates: of many places that match equally far, only the latest are found; places
//! that match in no view are candidates only as far as there is room, the latest first.
//!
//! Cost: 64 bytes a set; a walk touches at most as many links as candidates are asked for, per view and length.

use std::collections::BTreeMap;

/// A suffix longer than this counts as this long.
pub const LONGEST: usize = 32;
/// Lengths at which a match begins to count for more.
const STEPS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
/// Classes of lengths.
pub(crate) const LENGTHS: usize = STEPS.len() + 1;
/// Classes of overlap.
pub(crate) const OVERLAPS: usize = 16;
/// Classes of lags, two to an octave.
pub(crate) const LAGS: usize = 24;
/// Lags are also told apart by what is left when these divide them.
pub(crate) const PERIODS: [usize; 2] = [16, 12];
/// How many classes a candidate has.
pub(crate) const CLASSES: usize = 8;
/// The last of them: how much of the sequence's beginning has just been repeated.
pub(crate) const OPENINGS: usize = CLASSES - 1;
/// Where each of them begins among all.
pub(crate) const STARTS: [usize; CLASSES + 1] = {
    let sizes = [LENGTHS, LENGTHS, LENGTHS, OVERLAPS, LAGS, PERIODS[0], PERIODS[1], LENGTHS + 1];
    let mut starts = [0; CLASSES + 1];
    let mut at = 0;
    while at < CLASSES {
        starts[at + 1] = starts[at] + sizes[at];
        at += 1;
    }
    starts
};
/// Sets before a place that its overlap looks at, and how much less each counts than the one after it.
const OVERLAP_DEPTH: usize = 8;
const OVERLAP_DECAY: f32 = 0.75;
/// Candidates of the sequence's beginning.
const MOST_OPENINGS: usize = 4;

/// What is compared of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Whole,
    Top,
    Bottom,
}

const VIEWS: [View; 3] = [View::Whole, View::Top, View::Bottom];
/// Lengths by which places are linked, the longest first.
const ORDERS: [usize; 6] = [32, 16, 8, 4, 2, 1];

impl View {
    fn of(self, set: u128) -> u128 {
        match self {
            View::Whole => set,
            View::Top => u128::from(128 - set.leading_zeros()),
            View::Bottom => u128::from(set.trailing_zeros()),
        }
    }
}

/// Places linked by view and length.
#[derive(Clone, Debug)]
struct Chain {
    view: View,
    order: usize,
    /// The latest place, plus one, whose last sets have this hash.
    latest: BTreeMap<u64, u32>,
    /// For each place the one before it in its chain, plus one; 0 where there is none.
    before: Vec<u32>,
}

/// A sequence of sets, and where each place of it has been before.
#[derive(Clone, Debug)]
pub struct SuffixIndex {
    sets: Vec<u128>,
    /// Before each place, and after all: how many sets of the sequence's beginning have just been repeated (the prefix function of
    /// D. Knuth, J. Morris and V. Pratt, Fast Pattern Matching in Strings, 1977).
    repeated: Vec<u32>,
    chains: Vec<Chain>,
}

impl Default for SuffixIndex {
    fn default() -> SuffixIndex {
        let chain = |view| ORDERS.map(|order| Chain { view, order, latest: BTreeMap::new(), before: Vec::new() });
        SuffixIndex { sets: Vec::new(), repeated: vec![0], chains: VIEWS.into_iter().flat_map(chain).collect() }
    }
}

/// How the past of one place resembles that of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resemblance {
    /// Sets just before the two places that are the same; that have the same highest, the same lowest member: at most [`LONGEST`].
    pub lengths: [usize; 3],
    /// The mean of the sets' overlaps (Jaccard), the nearest counting most: 0-1.
    pub overlap: f32,
}

impl SuffixIndex {
    /// Adds a set to the sequence.
    pub fn push(&mut self, set: u128) {
        let mut repeated = self.repeated[self.sets.len()] as usize;
        while repeated > 0 && self.sets[repeated] != set {
            repeated = self.repeated[repeated] as usize;
        }
        let goes_on = !self.sets.is_empty() && self.sets[repeated] == set;
        self.sets.push(set);
        self.repeated.push((repeated + usize::from(goes_on)) as u32);
        let end = self.sets.len();
        for chain in &mut self.chains {
            let before = if chain.order <= end {
                let last = &self.sets[end - chain.order..];
                let hash = last.iter().fold(0u64, |hash, set| {
                    let seen = chain.view.of(*set);
                    crate::random::mix(hash ^ crate::random::mix(seen as u64) ^ (seen >> 64) as u64)
                });
                chain.latest.insert(hash, end as u32).unwrap_or(0)
            } else {
                0
            };
            chain.before.push(before);
        }
    }

    /// The sets so far.
    pub fn sets(&self) -> &[u128] {
        &self.sets
    }

    /// At most `most` places before `at` whose past resembles the past of `at`: whole sets first, the furthest matches first (as far as
    /// the links know), the latest of them first; then highest and lowest members; then, while there is room, the latest of all.
    /// With `openings`, before all others those up to which the beginning of the sequence has just been repeated, the furthest first,
    /// and the very first.
    ///
    /// # Panics
    /// If fewer than `at` sets are known.
    pub fn candidates(&self, at: usize, most: usize, openings: bool, found: &mut Vec<u32>) {
        assert!(at <= self.sets.len(), "place {at} of {}", self.sets.len());
        found.clear();
        if at <= most {
            found.extend((0..at as u32).rev());
            return;
        }
        if openings {
            let further = |repeated: &u32| (*repeated > 0).then(|| self.repeated[*repeated as usize]);
            let borders = std::iter::successors(Some(self.repeated[at]), further).filter(|repeated| *repeated > 0);
            found.extend(borders.take(most.min(MOST_OPENINGS).saturating_sub(1)).chain([0]));
        }
        let each = most.div_ceil(12);
        for chain in &self.chains {
            let mut link = chain.before[at - 1];
            for _ in 0..each {
                // The link is the place after the match: the set that stood there is what may come again.
                if link == 0 || found.len() == most {
                    break;
                }
                if !found.contains(&link) {
                    found.push(link);
                }
                link = chain.before[link as usize - 1];
            }
        }
        for place in (0..at as u32).rev() {
            if found.len() >= most {
                break;
            }
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }

    /// How the past of place `s` resembles the past of place `t > s`.
    pub fn resemblance(&self, t: usize, s: usize) -> Resemblance {
        let most = s.min(LONGEST);
        let mut lengths = [0; 3];
        let mut alive = [true; 3];
        let (mut overlap, mut weight, mut total) = (0.0, 1.0, 0.0);
        for back in 1..=most.max(OVERLAP_DEPTH) {
            if back <= OVERLAP_DEPTH {
                total += weight;
                if back <= s {
                    overlap += weight * jaccard(self.sets[t - back], self.sets[s - back]);
                }
                weight *= OVERLAP_DECAY;
            } else if alive == [false; 3] {
                break;
            }
            if back <= most {
                let (now, then) = (self.sets[t - back], self.sets[s - back]);
                for ((alive, length), view) in alive.iter_mut().zip(&mut lengths).zip(VIEWS) {
                    *alive &= view.of(now) == view.of(then);
                    *length += usize::from(*alive);
                }
            }
        }
        Resemblance { lengths, overlap: overlap / total }
    }
}

/// What two sets have in common, over what either has; 1 for two empty ones.
fn jaccard(a: u128, b: u128) -> f32 {
    let union = (a | b).count_ones();
    if union == 0 { 1.0 } else { (a & b).count_ones() as f32 / union as f32 }
}

/// The class of a match's length.
pub(crate) fn class_of_length(length: usize) -> usize {
    STEPS.iter().take_while(|step| **step <= length).count()
}

impl Resemblance {
    /// The classes of a candidate, a place at a lag, each as its place among all classes.
    pub(crate) fn classes(&self, place: usize, lag: usize) -> [u16; CLASSES] {
        let [whole, top, bottom] = self.lengths.map(class_of_length);
        let overlap = ((self.overlap * OVERLAPS as f32) as usize).min(OVERLAPS - 1);
        // Two classes to an octave: 1, (none), 2, 3, 4-5, 6-7, 8-11, 12-15, ...
        let octave = lag.max(1).ilog2() as usize;
        let half = if octave > 0 { (lag >> (octave - 1)) & 1 } else { 0 };
        let lags = [(2 * octave + half).min(LAGS - 1), lag % PERIODS[0], lag % PERIODS[1]];
        // All before the place was the same, up to the beginning.
        let opening = if self.lengths[0] == place { 1 + whole } else { 0 };
        let class = [whole, top, bottom, overlap, lags[0], lags[1], lags[2], opening];
        std::array::from_fn(|k| (STARTS[k] + class[k]) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{below, seeded};

    /// Sets of few members, so that much matches.
    fn sequence(length: usize, seed: u64) -> Vec<u128> {
        let rng = &mut seeded(seed);
        let mut sets: Vec<u128> = Vec::new();
        while sets.len() < length {
            if sets.len() > 10 && below(rng, 4) == 0 {
                // A literal repetition.
                let from = below(rng, sets.len() - 1);
                let to = (from + 1 + below(rng, 45)).min(sets.len());
                sets.extend_from_within(from..to);
            } else {
                sets.push(below(rng, 16) as u128 & !2);
            }
        }
        sets.truncate(length);
        sets
    }

    fn index(sets: &[u128]) -> SuffixIndex {
        let mut index = SuffixIndex::default();
        sets.iter().for_each(|set| index.push(*set));
        index
    }

    fn naive_length(sets: &[u128], t: usize, s: usize, view: View) -> usize {
        (1..=s.min(LONGEST)).take_while(|back| view.of(sets[t - back]) == view.of(sets[s - back])).count()
    }

    #[test]
    fn lengths_equal_the_naive_search() {
        let sets = sequence(150, 1);
        let index = index(&sets);
        for t in 0..sets.len() {
            for s in 0..t {
                let found = index.resemblance(t, s);
                assert_eq!(found.lengths, VIEWS.map(|view| naive_length(&sets, t, s, view)), "{t} {s}");
                let mut overlap = 0.0;
                for back in (1..=8).filter(|back| *back <= s) {
                    overlap += 0.75f32.powi(back as i32 - 1) * jaccard(sets[t - back], sets[s - back]);
                }
                let total: f32 = (0..8).map(|k| 0.75f32.powi(k)).sum();
                assert!((found.overlap - overlap / total).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_longest_match_of_each_view_is_among_few_candidates() {
        let sets = sequence(900, 2);
        let index = index(&sets);
        let mut found = Vec::new();
        let mut longest_seen = 0;
        for t in 1..sets.len() {
            index.candidates(t, 24, false, &mut found);
            assert_eq!(found.len(), t.min(24));
            let mut sorted = found.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert!(sorted.len() == found.len() && sorted.iter().all(|s| (*s as usize) < t));
            // Whole sets: up to the next shorter linked length, no place matches further than the best candidate.
            let longest = (0..t).map(|s| naive_length(&sets, t, s, View::Whole)).max().unwrap_or(0);
            let best = found.iter().map(|s| naive_length(&sets, t, *s as usize, View::Whole)).max().unwrap_or(0);
            let linked = ORDERS.iter().copied().find(|order| *order <= longest).unwrap_or(0);
            assert!(best >= linked, "{t}: {best} of {longest}");
            longest_seen = longest_seen.max(best);
        }
        assert_eq!(longest_seen, LONGEST);
    }

    #[test]
    fn a_beginning_that_comes_again_is_among_few_candidates() {
        let mut sets = sequence(200, 7);
        let opening = sets[..40].to_vec();
        sets.extend(&opening);
        let index = index(&sets);
        let mut found = Vec::new();
        for t in 9..sets.len() {
            // Where the beginning has just been repeated: all its lengths, the longest first, and none of it.
            let borders: Vec<u32> = (0..t).rev().filter(|s| sets[..*s] == sets[t - s..t]).map(|s| s as u32).collect();
            index.candidates(t, 8, true, &mut found);
            let (first, last) = (&borders[..borders.len().min(4) - 1], found.iter().position(|s| *s == 0).unwrap());
            assert_eq!((&found[..last], found.len()), (&first[..last], 8), "{t}");
            assert_eq!(last, borders.len().min(4) - 1);
        }
        let of =
            |s: usize, t: usize| usize::from(index.resemblance(t, s).classes(s, t - s)[OPENINGS]) - STARTS[OPENINGS];
        assert_eq!([of(0, 200), of(1, 201), of(8, 208), of(39, 239)], [1, 2, 1 + class_of_length(8), 0]);
        assert_eq!(of(3, 208), 0, "another place");
    }

    #[test]
    fn with_room_for_all_every_place_is_a_candidate() {
        let sets = sequence(60, 3);
        let index = index(&sets);
        let mut found = Vec::new();
        for t in 0..=sets.len() {
            index.candidates(t, 60, t % 2 == 0, &mut found);
            found.sort_unstable();
            assert_eq!(found, (0..t as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_comes_later_changes_nothing() {
        let sets = sequence(300, 4);
        let whole = index(&sets);
        let mut growing = SuffixIndex::default();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (t, set) in sets.iter().enumerate() {
            growing.candidates(t, 16, true, &mut a);
            whole.candidates(t, 16, true, &mut b);
            assert_eq!(a, b);
            for s in &a {
                assert_eq!(growing.resemblance(t, *s as usize), whole.resemblance(t, *s as usize));
            }
            growing.push(*set);
        }
    }

    #[test]
    fn classes_lie_in_their_tables() {
        for lag in (1..200).chain([1000, 100_000, usize::MAX / 2]) {
            for (length, overlap) in [(0, 0.0), (5, 0.5), (32, 1.0)] {
                let classes = Resemblance { lengths: [length; 3], overlap }.classes(5, lag);
                for (k, class) in classes.iter().enumerate() {
                    assert!((STARTS[k]..STARTS[k + 1]).contains(&(*class as usize)), "{k}: {class}");
                }
            }
        }
        let lag = |lag| Resemblance { lengths: [0; 3], overlap: 0.0 }.classes(9, lag)[4] as usize - STARTS[4];
        assert_eq!([1, 2, 3, 4, 5, 6, 8, 12, 16].map(lag), [0, 2, 3, 4, 4, 5, 6, 7, 8]);
    }
}
