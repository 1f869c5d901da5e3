//! Voice-wise prediction of sets: at each step a few passes ("voices") of one LSTM, each of which takes one more decision.
//!
//! What is predicted at a step is a set of items 0..K. Voice v sees the features of the step and which items the voices before it
//! decided, and for which side; its own state runs along time:
//! ```text
//! h_v,t = LSTM([F_t, in_v,t, out_v,t], h_v,t-1)        z_v,t = W h_v,t + b
//! ```
//! with the same weights for all voices. What a voice decides, its [`Rule`] says.
//!
//! Source: I. Ivanov, neural generation of polyphonic music (diploma thesis, Moscow State University, 2018), section 6.4, for the
//! voices and for [`Rule::Final`]. [`Rule::Ordered`] is the stop symbol that the thesis names as the usual way and does not take.
//! Departures: logarithms are guarded by [`GUARD`], as the thesis' program does not.
//!
//! Cost: `4H (F + 2K + H + 1) + O (H + 1)` parameters. The features' product is made once for all voices, as is its gradient: a
//! training step makes `24 H F + V H (24 H + 32 K)` floating-point operations per position, and keeps `V (6H + 2K)` values for each.

mod kernel;
mod node;
mod outcome;
mod reference;
#[cfg(test)]
mod tests;

pub use outcome::{Decided, GUARD, allowed};

use crate::cross_entropy::Figures;
use crate::flex::is_fused;
use crate::linear::Linear;
use crate::lstm::Lstm;
use crate::random::Rng;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// The most items that a set is drawn from.
pub const MOST_ITEMS: usize = 16;
/// The most voices.
pub const MOST_VOICES: usize = 16;

/// What a voice decides, and so what the loss is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One item, finally, in or out: a distribution q over the 2K pairs (item, side), those of decided items excluded.
    ///
    /// In training voice v draws a pair from its own q; the item is kept, the side is replaced by the truth, and the voices after it
    /// see that. With `p = 1 - prod_v (1 - q_v(in))` and `b = 1 - prod_v (1 - q_v(out))`, both from one drawn path, the loss is the
    /// binary cross-entropy of `P = p (1 - b)`, summed over items: a **surrogate**, no likelihood of sets.
    Final,
    /// The next item of the set, in ascending order, or that there is none: a distribution over K + 1. The last voice decides all
    /// items that are left, each for itself. The loss is the set's **exact** negative log-likelihood.
    Ordered,
}

impl Rule {
    /// Outcomes of a voice: rows O of the last layer.
    pub fn outcomes(self, items: usize) -> usize {
        match self {
            Rule::Final => 2 * items,
            Rule::Ordered => items + 1,
        }
    }
}

/// The voices: one LSTM, one dense layer.
#[derive(Module, Debug)]
pub struct Voices {
    /// `[F, in K, out K]` -> H
    pub lstm: Lstm,
    /// H -> O
    pub outcome: Linear,
}

/// What is to be predicted, and the chances of the draws.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// Items K.
    pub items: usize,
    /// Voices V.
    pub voices: usize,
    /// What a voice decides.
    pub rule: Rule,
    /// The sets: bit k is item k. `[T, B]`
    pub sets: &'a [u32],
    /// 1 where a step counts, 0 for padding. `[T, B]`
    pub weights: &'a [f32],
    /// Uniform numbers from 0 to 1 (excluded), which [`Rule::Final`] draws with. `[T, V, B]`
    pub chances: &'a [f32],
}

/// What came of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Sums over all steps. Right are those whose every item is: of [`Rule::Final`] by `P > 1/2`, of [`Rule::Ordered`] those whose
    /// every decision is the likeliest, given the ones before.
    pub figures: Figures,
    /// Nats of each step, unweighted: `[T, B]`.
    pub nats: Vec<f32>,
}

impl Voices {
    /// Fresh weights, as PyTorch begins.
    pub fn new(features: usize, items: usize, hidden: usize, rule: Rule, rng: &mut Rng, device: &Device) -> Voices {
        Voices {
            lstm: Lstm::uniform(features + 2 * items, hidden, rng, device),
            outcome: Linear::uniform(hidden, rule.outcomes(items), rng, device),
        }
    }

    /// The mean of the loss over the steps that count, and what it is made of. All voices begin with a state of zeros.
    ///
    /// # Shapes
    /// `features`: `[T, B, F]` -> `[1]`
    ///
    /// # Units
    /// nats per step
    ///
    /// # Panics
    /// If the shapes do not agree, or there are more voices than items.
    pub fn forward(&self, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
        self.check(&features, targets);
        if !is_fused(&features) {
            return reference::forward(self, features, targets);
        }
        node::run(self, features, targets)
    }

    /// [`forward`](Self::forward) made of burn's own operations: works on every backend, many times slower.
    pub fn forward_reference(&self, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
        self.check(&features, targets);
        reference::forward(self, features, targets)
    }

    fn check(&self, features: &Tensor<3>, targets: Targets<'_>) {
        let [steps, batch, width] = features.dims();
        let Targets { items, voices, rule, sets, weights, chances } = targets;
        assert!((1..=MOST_ITEMS).contains(&items), "sets of {items} items");
        assert!((1..=items.min(MOST_VOICES)).contains(&voices), "{voices} voices for {items} items");
        assert_eq!(self.lstm.input(), width + 2 * items, "features and decisions of the voices' input");
        assert_eq!(self.outcome.input(), self.lstm.hidden(), "cells of a voice");
        assert_eq!(self.outcome.output(), rule.outcomes(items), "outcomes of a voice");
        assert_eq!((sets.len(), weights.len()), (steps * batch, steps * batch), "sets and weights of the steps");
        assert_eq!(chances.len(), steps * voices * batch, "chances of the draws");
        assert!(sets.iter().all(|set| set >> items == 0), "a set with an item beyond {items}");
    }
}
