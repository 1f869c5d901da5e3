//! Candidates and what they offer, on plain slices.

use super::{JointShape, Place};
use crate::suffix::{CLASSES, LENGTHS, OPENINGS, OVERLAPS, STARTS};

/// Classes of misses: one, two, three, more.
const MISSES: usize = 4;
/// Classes of how many members are chosen.
const CHOSEN: usize = 8;
/// Classes of the best candidate: three lengths and the overlap, the first of a candidate's own.
const BEST: usize = 4;
/// Where the gate's classes begin: those of the best candidate lie as the candidates' own do.
const GATE_CHOSEN: usize = 3 * LENGTHS + OVERLAPS;

/// The tables before training.
pub(super) struct Tables {
    pub scores: Vec<f32>,
    pub penalties: Vec<f32>,
    pub gate: Vec<f32>,
    pub trust: f32,
    pub sentinel: f32,
}

impl Tables {
    /// Long matches and much overlap count for more; the model itself counts for about a thousand candidates that match in nothing.
    pub(super) fn first(openings: bool) -> Tables {
        let mut scores = vec![0.0; self::scores(openings)];
        for class in 0..LENGTHS {
            scores[STARTS[0] + class] = 0.7 * class as f32;
            scores[STARTS[1] + class] = 0.2 * class as f32;
            scores[STARTS[2] + class] = 0.2 * class as f32;
        }
        (0..OVERLAPS).for_each(|class| scores[STARTS[3] + class] = 2.0 * class as f32 / OVERLAPS as f32);
        Tables {
            scores,
            penalties: vec![2.0, 3.0, 4.0, 5.0],
            gate: vec![0.0; GATE_CHOSEN + CHOSEN],
            trust: 1.0,
            sentinel: -7.0,
        }
    }
}

/// Sizes of the tables, for files.
pub(super) const fn scores(openings: bool) -> usize {
    STARTS[if openings { CLASSES } else { OPENINGS }]
}
pub(super) const PENALTIES: usize = MISSES;
pub(super) const GATE: usize = GATE_CHOSEN + CHOSEN;

/// The tables in use.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub scores: &'a [f32],
    pub penalties: &'a [f32],
    pub gate: &'a [f32],
    pub trust: f32,
}

/// The derivatives by the tables and the place's sentinel, added to; those by the scores wait for [`Offers::close`].
pub(super) struct Derivatives<'a> {
    pub penalties: &'a mut [f32],
    pub gate: &'a mut [f32],
    pub trust: &'a mut f32,
    pub sentinel: &'a mut f32,
}

/// A candidate.
#[derive(Clone, Copy, Debug)]
struct Offer {
    classes: [u16; CLASSES],
    /// What stood after it.
    set: u128,
    score: f32,
    misses: u32,
    /// Its share of the pointer's attention in the decision at hand, and what it offers there; V is the end.
    share: f32,
    item: usize,
}

/// The candidates of a place, and how far the decisions have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    offers: Vec<Offer>,
    places: Vec<u32>,
    /// Rows of the gate for the best candidate.
    best: [usize; BEST],
    /// The last member chosen, V before the first; how many are.
    last: usize,
    chosen: usize,
    keys: usize,
    /// Classes that have scores.
    classes: usize,
    /// `ln Z` of the decision at hand.
    log_total: f32,
    /// Derivatives by the scores, while training.
    to_scores: Vec<f32>,
}

impl Offers {
    /// Gathers the candidates of a place.
    pub(super) fn open(&mut self, shape: JointShape, weights: Weights<'_>, place: &Place<'_>) {
        place.past.candidates(place.at, shape.candidates, shape.openings, &mut self.places);
        self.classes = if shape.openings { CLASSES } else { OPENINGS };
        self.offers.clear();
        let mut best = [0usize; BEST];
        for &s in &self.places {
            let s = s as usize;
            let resemblance = place.past.resemblance(place.at, s);
            let classes = resemblance.classes(s, place.at - s);
            best.iter_mut().zip(classes).for_each(|(best, class)| *best = (*best).max(usize::from(class)));
            let score = classes[..self.classes].iter().map(|class| weights.scores[usize::from(*class)]).sum();
            let offer = Offer { classes, set: place.set(s), score, misses: 0, share: 0.0, item: 0 };
            self.offers.push(offer);
        }
        self.best = best;
        (self.last, self.chosen, self.keys) = (shape.keys, 0, shape.keys);
        self.to_scores.clear();
        self.to_scores.resize(self.offers.len(), 0.0);
    }

    /// Leaves one candidate: this set, which stood at place `at`.
    pub(super) fn only(&mut self, keys: usize, set: u128, at: usize) {
        let classes = std::array::from_fn(|k| STARTS[k] as u16);
        self.offers.clear();
        self.offers.push(Offer { classes, set, score: 0.0, misses: 0, share: 0.0, item: 0 });
        self.places.clear();
        self.places.push(at as u32);
        (self.best, self.last, self.chosen, self.keys) = ([0; BEST], keys, 0, keys);
    }

    /// Leaves out all candidates.
    pub(super) fn clear(&mut self) {
        self.offers.clear();
        self.places.clear();
    }

    /// Whether there is none: then the model is alone.
    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Works out who offers what in the decision at hand; returns the gate's logit.
    pub(super) fn weigh(&mut self, weights: Weights<'_>, sentinel: f32) -> f32 {
        let mut most = f32::NEG_INFINITY;
        let under = if self.last >= 128 { u128::MAX } else { (1 << self.last) - 1 };
        for offer in &mut self.offers {
            let penalty = if offer.misses == 0 { 0.0 } else { weights.penalties[class_of_misses(offer.misses)] };
            offer.share = offer.score - penalty;
            most = most.max(offer.share);
            let left = offer.set & under;
            offer.item = if left == 0 { self.keys } else { 127 - left.leading_zeros() as usize };
        }
        let mut total = 0.0;
        for offer in &mut self.offers {
            offer.share = (offer.share - most).exp();
            total += offer.share;
        }
        self.offers.iter_mut().for_each(|offer| offer.share /= total);
        self.log_total = most + total.ln();
        let gates: f32 = self.gate_rows().iter().map(|row| weights.gate[*row]).sum();
        weights.trust * self.log_total + sentinel + gates
    }

    fn gate_rows(&self) -> [usize; BEST + 1] {
        let [a, b, c, d] = self.best;
        [a, b, c, d, GATE_CHOSEN + self.chosen.min(CHOSEN - 1)]
    }

    /// What the pointer gives to an item in the decision at hand.
    pub(super) fn probability(&self, item: usize) -> f32 {
        self.offers.iter().filter(|offer| offer.item == item).map(|offer| offer.share).sum()
    }

    /// Adds what the pointer gives to every item, times `scale`.
    pub(super) fn spread(&self, scale: f32, items: &mut [f32]) {
        self.offers.iter().for_each(|offer| items[offer.item] += scale * offer.share);
    }

    /// Back through [`Offers::weigh`], given the derivatives of the loss by the gate's logit and by the logarithm of what the pointer
    /// gives to `item`, which is `probability`.
    pub(super) fn weigh_back(
        &mut self,
        weights: Weights<'_>,
        to_gate: f32,
        item: usize,
        to_log: f32,
        probability: f32,
        to: &mut Derivatives<'_>,
    ) {
        *to.sentinel += to_gate;
        *to.trust += to_gate * self.log_total;
        self.gate_rows().iter().for_each(|row| to.gate[*row] += to_gate);
        let to_total = to_gate * weights.trust;
        for (offer, to_score) in self.offers.iter().zip(&mut self.to_scores) {
            let mut g = (to_total - to_log) * offer.share;
            if offer.item == item && probability > 0.0 {
                g += to_log * offer.share / probability;
            }
            *to_score += g;
            if offer.misses > 0 {
                to.penalties[class_of_misses(offer.misses)] -= g;
            }
        }
    }

    /// Goes on to the next decision: `key` was chosen.
    pub(super) fn choose(&mut self, key: usize) {
        // Everything from the key up to below the last one.
        let under = |n: usize| if n >= 128 { u128::MAX } else { (1u128 << n) - 1 };
        let span = under(self.last) & !under(key);
        for offer in &mut self.offers {
            offer.misses += ((offer.set & span) ^ (1u128 << key)).count_ones();
        }
        self.last = key;
        self.chosen += 1;
    }

    /// After the last decision: the derivatives by the scores go to their tables.
    pub(super) fn close(&mut self, to_scores: &mut [f32]) {
        for (offer, g) in self.offers.iter().zip(&self.to_scores) {
            offer.classes[..self.classes].iter().for_each(|class| to_scores[usize::from(*class)] += g);
        }
    }

    /// The candidate that the pointer attends to most, and its share: where a copy would come from.
    pub(super) fn source(&self) -> Option<(usize, f32)> {
        let best = |a: &(&u32, &Offer), b: &(&u32, &Offer)| a.1.share.total_cmp(&b.1.share);
        let (place, offer) = self.places.iter().zip(&self.offers).max_by(best)?;
        Some((*place as usize, offer.share))
    }
}

fn class_of_misses(misses: u32) -> usize {
    (misses as usize).min(MISSES) - 1
}

// The gate's classes of the best candidate lie as the candidates' own do.
const _: () = assert!(STARTS[4] == GATE_CHOSEN);
