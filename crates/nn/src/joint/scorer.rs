//! Judging and drawing with a trained head: decision after decision, without burn.

use super::kernel::{Parameters, softmax};
use super::pointer::{GATE, Offers, PENALTIES, scores};
use super::shared::{self, Heard, MOTIONS, SUMS};
use super::{CLASSES, JointShape, Place};
use crate::inference::Dense;

/// A trained head.
#[derive(Clone, Debug)]
pub struct JointScorer {
    shape: JointShape,
    state: Dense,
    output: Dense,
    context: Option<Dense>,
    sentinel: Option<Dense>,
    parameters: Parameters,
}

impl JointScorer {
    /// Out of a head's parameters, by their names in it and their shapes.
    ///
    /// # Errors
    /// The first that `lookup` gives.
    pub fn new<'v, E>(
        shape: JointShape,
        mut lookup: impl FnMut(&str, &[usize]) -> Result<&'v [f32], E>,
    ) -> Result<JointScorer, E> {
        let JointShape { keys, features, hidden, channels, reach, lags, candidates, span, tonal, openings, .. } = shape;
        let mut dense = |name: &str, input: usize, output: usize| {
            let weight = lookup(&format!("{name}.weight"), &[output, input])?;
            Ok(Dense::new(input, output, weight, lookup(&format!("{name}.bias"), &[output])?))
        };
        let state = dense("state", features, hidden)?;
        let output = dense("output", hidden, keys + 1)?;
        let context = (channels > 0).then(|| dense("shared.context", features, 2 * channels)).transpose()?;
        let sentinel = (candidates > 0).then(|| dense("pointer.sentinel", features, 1)).transpose()?;
        let mut parameters = Parameters {
            chosen: lookup("chosen", &[keys, hidden])?.to_vec(),
            last: lookup("last", &[keys + 1, hidden])?.to_vec(),
            ..Parameters::default()
        };
        if channels > 0 {
            parameters.past = lookup("shared.past", &[lags + SUMS, 2 * reach + 1, channels])?.to_vec();
            parameters.chosen_below = lookup("shared.chosen", &[keys - 1, channels])?.to_vec();
            parameters.last_below = lookup("shared.last", &[keys - 1, channels])?.to_vec();
            if span > 0 {
                parameters.motions = lookup("shared.motions", &[MOTIONS, channels])?.to_vec();
            }
            if tonal {
                parameters.key = lookup("shared.key", &[CLASSES, channels])?.to_vec();
            }
        }
        if candidates > 0 {
            parameters.scores = lookup("pointer.scores", &[scores(openings)])?.to_vec();
            parameters.penalties = lookup("pointer.penalties", &[PENALTIES])?.to_vec();
            parameters.gate = lookup("pointer.gate", &[GATE])?.to_vec();
            parameters.trust = lookup("pointer.trust", &[1])?.to_vec();
        }
        Ok(JointScorer { shape, state, output, context, sentinel, parameters })
    }

    /// The sizes.
    pub fn shape(&self) -> JointShape {
        self.shape
    }

    /// A decision's memory, to be used for any number of places.
    pub fn decision(&self) -> Decision<'_> {
        let JointShape { keys, hidden, channels, .. } = self.shape;
        Decision {
            scorer: self,
            sum: vec![0.0; hidden],
            unit: vec![0.0; hidden],
            context: vec![0.0; 2 * channels],
            base: vec![0.0; keys * channels],
            units: vec![0.0; keys * channels],
            heard: Vec::new(),
            offers: Offers::default(),
            sentinel: 0.0,
            before: 0,
            last: None,
            probabilities: vec![0.0; keys + 1],
            gate: 0.0,
            trust: None,
        }
    }
}

/// The decisions about one set, one after the other.
#[derive(Clone, Debug)]
pub struct Decision<'s> {
    scorer: &'s JointScorer,
    /// The absolute part's units before what was chosen last.
    sum: Vec<f32>,
    unit: Vec<f32>,
    context: Vec<f32>,
    base: Vec<f32>,
    units: Vec<f32>,
    heard: Vec<Heard>,
    offers: Offers,
    sentinel: f32,
    /// The set before.
    before: u128,
    last: Option<usize>,
    probabilities: Vec<f32>,
    gate: f32,
    /// The gate, where it was set from outside.
    trust: Option<f32>,
}

impl Decision<'_> {
    /// Turns to the set of a place, given the features of its past: nothing of it is chosen yet.
    ///
    /// # Shapes
    /// `features`: `[F]`
    pub fn open(&mut self, features: &[f32], place: &Place<'_>) {
        let JointScorer { shape, state, context, sentinel, parameters, .. } = self.scorer;
        state.forward(features, &mut self.sum);
        self.before = place.before(1).unwrap_or_default();
        if let Some(dense) = context {
            dense.forward(features, &mut self.context);
            shared::heard(*shape, place, None, &mut self.heard);
            let bias = &self.context[..shape.channels];
            shared::excite(*shape, bias, &parameters.past, &self.heard, &mut self.base);
            shared::attune(*shape, place, &parameters.key, &mut self.base);
        }
        if let Some(dense) = sentinel {
            let mut found = [0.0];
            dense.forward(features, &mut found);
            [self.sentinel] = found;
            self.offers.open(*shape, parameters.pointer(), place);
        }
        (self.last, self.trust) = (None, None);
    }

    /// Leaves the pointer out for this set.
    pub fn forget(&mut self) {
        self.offers.clear();
    }

    /// Lets the pointer offer nothing but what stood at an earlier place of the sequence, each member with probability `trust`.
    /// Without a pointer nothing changes.
    ///
    /// # Panics
    /// If the place is not earlier.
    pub fn recall(&mut self, place: &Place<'_>, earlier: usize, trust: f32) {
        assert!(earlier < place.at, "place {earlier} is not before {}", place.at);
        if self.scorer.shape.candidates > 0 {
            self.offers.only(self.scorer.shape.keys, place.set(earlier), earlier);
            self.trust = Some(trust);
        }
    }

    /// The probabilities of the next member, and, last, of the end; what cannot come has none.
    ///
    /// # Shapes
    /// `[V + 1]`
    pub fn probabilities(&mut self) -> &[f32] {
        let JointScorer { shape, output, parameters, .. } = self.scorer;
        let JointShape { keys, hidden, channels, .. } = *shape;
        let (row, active) = (self.last.unwrap_or(keys), self.last.unwrap_or(keys));
        self.unit.copy_from_slice(&self.sum);
        shared::add(&mut self.unit, &parameters.last[row * hidden..][..hidden], 1.0);
        self.unit.iter_mut().for_each(|u| *u = u.max(0.0));
        output.forward(&self.unit, &mut self.probabilities);
        if channels > 0 {
            let near = self.last.map_or(&[][..], |n| shared::below(*shape, n, &parameters.last_below));
            let v = &self.context[channels..];
            shared::decide(&self.base, near, v, &mut self.units, &mut self.probabilities[..active]);
        }
        self.probabilities[active..keys].fill(f32::NEG_INFINITY);
        softmax(&mut self.probabilities);
        self.gate = 0.0;
        if shape.candidates > 0 && !self.offers.is_empty() {
            let learnt = 1.0 / (1.0 + (-self.offers.weigh(parameters.pointer(), self.sentinel)).exp());
            self.gate = self.trust.unwrap_or(learnt);
            let own = 1.0 - self.gate;
            self.probabilities.iter_mut().for_each(|p| *p *= own);
            self.offers.spread(self.gate, &mut self.probabilities);
        }
        &self.probabilities
    }

    /// The pointer's share in the last [`Decision::probabilities`], and the place that it attended to most with its share in that.
    pub fn copied(&self) -> (f32, Option<(usize, f32)>) {
        (self.gate, if self.gate > 0.0 { self.offers.source() } else { None })
    }

    /// Chooses a member, which lies below the one before.
    ///
    /// # Panics
    /// If it does not.
    pub fn choose(&mut self, key: usize) {
        let JointScorer { shape, parameters, .. } = self.scorer;
        let JointShape { keys, hidden, channels, candidates, .. } = *shape;
        assert!(key < self.last.unwrap_or(keys), "member {key} is not below {:?}", self.last);
        shared::add(&mut self.sum, &parameters.chosen[key * hidden..][..hidden], 1.0);
        if channels > 0 {
            let below = shared::below(*shape, key, &parameters.chosen_below);
            shared::add(&mut self.base[..key * channels], &below[..key * channels], 1.0);
            shared::follow(*shape, self.before, key, &parameters.motions, &mut self.base);
        }
        if candidates > 0 {
            self.offers.choose(key);
        }
        self.last = Some(key);
    }
}
