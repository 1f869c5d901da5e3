//! An exact distribution over sets, given a past of sets: members are chosen one after the other, the highest first, then an end.
//!
//! With `n_1 > n_2 > ..` the members of a set below V, each decision is a softmax over what is below the member before it, and the end:
//!
//! ```text
//! P(set) = prod_d P(n_d | n_1 .. n_(d-1), past)        n_(m+1) = end
//! logit_d(k) = absolute_d(k) + shared_d(k)             k < n_(d-1) or the end
//! absolute_d = W relu(S f + sum_(e<d) A[n_e] + B[n_(d-1)]) + b
//! shared_d(k) = sum_c v_c relu(u_dkc)                   (keys only)
//! u_dkc = a_c + sum_(lag, n) P[lag, n - k, c] x_lag,n + sum_(e<d) Q[n_e - k, c] + R[n_(d-1) - k, c] + sum_(e<d) M[motion(e, k), c]
//!         + sum_i T[(k - i) mod 12, c] y_i
//! ```
//! where f are features of the past (what a recurrent network makes of it). The *shared* part treats all places alike: x are the sets
//! of the last steps, each its own lag, and two sums of the past that decay; a and v are linear in f. Moving all members of the past
//! and of the set by the same distance moves its logits by that distance. Where members are voices, each in a block of keys of its own,
//! *motion* is how two of them move together from the set before: the intervals between them before and after, within the octave, and
//! which way each goes; else M is left out. y is the share of each pitch class among all members so far, the key that a piece is in, where
//! the caller counts it; else T is left out.
//!
//! The *pointer* offers what stood after earlier places of the same sequence whose past resembles the present ([`crate::suffix`]):
//!
//! ```text
//! w_ds = e^(score_s - penalty(misses of s so far))      Z_d = sum_s w_ds
//! copy_d(k) = sum_(s offers k) w_ds / Z_d               P = (1 - g) softmax(logits) + g copy
//! g_d = sigmoid(trust ln Z_d + sentinel(f) + gate of the best candidate's classes + gate of d)
//! ```
//! A candidate offers its highest member below the last one chosen, or the end; a miss is a member of either set so far that is not in
//! the other. Scores, penalties and gates are tables of classes. Z is in the gate as it is: the model itself is one more candidate,
//! with a score that depends on the past (a sentinel).
//!
//! Sources: the order of notes as in N. Boulanger-Lewandowski et al., ICML 2012 (RNN-NADE's autoregressive frames), arXiv:1206.6392v1;
//! weights shared over pitches as in D. Johnson, Generating Polyphonic Music Using Tied Parallel Networks, EvoMUSART 2017; pointer and
//! sentinel as in S. Merity et al., Pointer Sentinel Mixture Models, 2016, arXiv:1609.07843v1, section 2.
//!
//! Cost: a decision `2 V H + 3 V C` multiplications, a set `(L + 2 V') 2 R C` for its past; three times as much in training.

mod kernel;
mod pointer;
mod scorer;
mod shared;
#[cfg(test)]
mod tests;

pub use kernel::Figures;
pub(crate) use kernel::softmax;
pub use scorer::{Decision, JointScorer};

use crate::buffer::Buffer;
use crate::given_gradient::{give, given_gradient};
use crate::initial;
use crate::linear::Linear;
use crate::params::values_of;
use crate::random::Rng;
use crate::suffix::SuffixIndex;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kernel::{Inputs, Parameters};
use shared::MOTIONS;

/// The sizes of a distribution over sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointShape {
    /// Members are below V, at most 128.
    pub keys: usize,
    /// Features F of the past.
    pub features: usize,
    /// Hidden units H of the absolute part.
    pub hidden: usize,
    /// Channels C of the shared part, a multiple of 16; 0 leaves it out.
    pub channels: usize,
    /// How far R the shared part looks up and down.
    pub reach: usize,
    /// Last steps L that the shared part sees each for itself.
    pub lags: usize,
    /// Candidates of the pointer; 0 leaves it out.
    pub candidates: usize,
    /// Keys of each voice, where each has a block of its own and one member of it at most; 0 where members are no voices: then the shared
    /// part knows nothing of motions.
    pub span: usize,
    /// Whether the shared part knows the key of the piece, [`Place::classes`].
    pub tonal: bool,
    /// Whether the pointer offers the sequence's beginning, and knows where it is being repeated.
    pub openings: bool,
    /// Whether the shared part looks back from one set with members to the one before, however many empty ones lie between.
    pub sounding: bool,
}

pub use crate::plane::CLASSES;

/// A step of a sequence: what comes before it may be looked at, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The sequence, known to this step at least.
    pub past: &'a SuffixIndex,
    /// The step.
    pub at: usize,
    /// All members are moved up by so much.
    pub shift: i32,
    /// How much of the sequence before this step is of each class, as the members are before they are moved: of key k in entry k mod 12.
    pub classes: [f32; CLASSES],
}

impl Place<'_> {
    /// The set `back` steps before; `None` before the first.
    fn before(&self, back: usize) -> Option<u128> {
        self.at.checked_sub(back).map(|at| self.set(at))
    }

    /// The set of a step.
    fn set(&self, at: usize) -> u128 {
        let set = self.past.sets()[at];
        if self.shift >= 0 { set << self.shift } else { set >> -self.shift }
    }
}

/// What is left out at random while training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The run's seed.
    pub seed: u64,
    /// A number that no other step has.
    pub step: u64,
    /// Share of the absolute part's hidden units and of the shared part's channels.
    pub units: f32,
    /// Share of the members of the past that the shared part sees.
    pub past: f32,
}

/// A distribution over sets.
#[derive(Module, Debug)]
pub struct JointHead {
    /// S: `[H, F]`
    state: Linear,
    /// A: `[V, H]`
    chosen: Param<Tensor<2>>,
    /// B: `[V + 1, H]`; the last row where nothing is chosen yet
    last: Param<Tensor<2>>,
    /// W, b: `[V + 1, H]`
    output: Linear,
    shared: Option<SharedPart>,
    pointer: Option<Pointer>,
    #[module(skip)]
    shape: JointShape,
}

/// The part that treats all places alike.
#[derive(Module, Debug)]
pub struct SharedPart {
    /// a and v: `[2C, F]`
    context: Linear,
    /// P: `[L + 2, 2R + 1, C]`
    past: Param<Tensor<3>>,
    /// Q: `[V - 1, C]`, the largest distance first
    chosen: Param<Tensor<2>>,
    /// R: `[V - 1, C]`
    last: Param<Tensor<2>>,
    /// M: `[MOTIONS, C]`
    motions: Option<Param<Tensor<2>>>,
    /// T: `[12, C]`
    key: Option<Param<Tensor<2>>>,
}

/// The part that offers what was there before.
#[derive(Module, Debug)]
pub struct Pointer {
    /// `[1, F]`
    sentinel: Linear,
    /// Of all classes of candidates.
    scores: Param<Tensor<1>>,
    /// Of one, two, three, more misses.
    penalties: Param<Tensor<1>>,
    /// Of the best candidate's classes, and of how many are chosen.
    gate: Param<Tensor<1>>,
    /// `[1]`
    trust: Param<Tensor<1>>,
}

impl JointHead {
    /// A head that knows how often each key is in a set, 0-1.
    ///
    /// # Panics
    /// If there are more than 128 keys, no frequency for one, channels that are no multiple of 16, or 128 keys to a voice.
    pub fn new(shape: JointShape, frequencies: &[f32], rng: &mut Rng, device: &Device) -> JointHead {
        let JointShape { keys, features, hidden, channels, reach, lags, candidates, span, tonal, openings, .. } = shape;
        assert!(keys > 1 && keys <= 128 && frequencies.len() == keys, "{keys} keys, {} known", frequencies.len());
        assert!(channels.is_multiple_of(16), "{channels} channels");
        assert!(span < 128, "voices of {span} keys");
        let mut normal = |rows: usize, columns: usize, s: f32| {
            let values = initial::gaussian(rng, s, rows * columns);
            Param::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let small = 0.3 / (hidden.max(1) as f32).sqrt();
        let (chosen, last) = (normal(keys, hidden, small), normal(keys + 1, hidden, small));
        let near = 0.1;
        let (chosen_below, last_below) = (normal(keys - 1, channels, near), normal(keys - 1, channels, near));
        // The end comes about as often as any one of a few members.
        let bias: Vec<f32> = frequencies.iter().map(|p| p.max(1e-6).ln()).chain([-1.0]).collect();
        let shared = (channels > 0).then(|| {
            let width = 2 * reach + 1;
            let values = initial::gaussian(rng, near, (lags + 2) * width * channels);
            let mixing = initial::gaussian(rng, 0.3 / (channels as f32).sqrt(), channels);
            let bias: Vec<f32> = std::iter::repeat_n(0.0, channels).chain(mixing).collect();
            SharedPart {
                context: Linear::with_bias(features, &bias, rng, device).scaled(0.3, device),
                past: Param::from_data(TensorData::new(values, [lags + 2, width, channels]), device),
                chosen: chosen_below,
                last: last_below,
                key: tonal.then(|| Param::from_data(TensorData::zeros::<f32, _>([CLASSES, channels]), device)),
                motions: (span > 0).then(|| Param::from_data(TensorData::zeros::<f32, _>([MOTIONS, channels]), device)),
            }
        });
        let vector = |values: Vec<f32>| {
            let n = values.len();
            Param::from_data(TensorData::new(values, [n]), device)
        };
        let pointer = (candidates > 0).then(|| {
            let tables = pointer::Tables::first(openings);
            Pointer {
                sentinel: Linear::with_bias(features, &[tables.sentinel], rng, device).scaled(0.1, device),
                scores: vector(tables.scores),
                penalties: vector(tables.penalties),
                gate: vector(tables.gate),
                trust: vector(vec![tables.trust]),
            }
        });
        JointHead {
            state: Linear::new(features, hidden, rng, device),
            chosen,
            last,
            output: Linear::with_bias(hidden, &bias, rng, device).scaled(0.3, device),
            shared,
            pointer,
            shape,
        }
    }

    /// The mean of the sets' negative log-likelihoods, weighted, and the batch's figures. Weight 0 marks padding, whose place is not
    /// looked at. Without `noise` nothing is left out.
    ///
    /// # Shapes
    /// `features`: `[N, F]`, the others `[N]` -> `[1]`
    /// # Units
    /// nats per unit of weight
    /// # Panics
    /// If the lengths differ.
    pub fn loss(
        &self,
        features: Tensor<2>,
        places: &[Place<'_>],
        targets: &[u128],
        weights: &[f32],
        noise: Option<Noise>,
    ) -> (Tensor<1>, Figures) {
        let rows = features.dims()[0];
        assert_eq!((places.len(), targets.len(), weights.len()), (rows, rows, rows), "places of {rows} rows");
        let device = features.device();
        let inputs = [
            Some(self.state.forward(features.clone())),
            self.shared.as_ref().map(|shared| shared.context.forward(features.clone())),
            self.pointer.as_ref().map(|pointer| pointer.sentinel.forward(features.clone())),
        ];
        let [state, context, sentinel] = inputs.each_ref().map(|x| x.clone().map(values_of).unwrap_or_default());
        let inputs_of = Inputs { state, context, sentinel };
        let parameters = self.parameters();
        let batch = kernel::Batch { places, targets, weights, noise };
        let (figures, to_inputs, to_parameters) = kernel::train(self.shape, &inputs_of, &parameters, &batch);
        let mean = if figures.counted > 0.0 { figures.nats / figures.counted } else { 0.0 };
        let mut loss = Tensor::<1>::from_data([mean as f32], &device);
        let of_inputs = [to_inputs.state, to_inputs.context, to_inputs.sentinel];
        for (x, gradient) in inputs.into_iter().zip(of_inputs) {
            loss = x.into_iter().fold(loss, |loss, x| loss + given_gradient(x, Buffer::copy_of(&gradient)));
        }
        let to = to_parameters;
        loss = give(loss, &self.chosen, &to.chosen);
        loss = give(loss, &self.last, &to.last);
        loss = give(loss, &self.output.weight, &to.output);
        loss = give(loss, &self.output.bias, &to.bias);
        if let Some(shared) = &self.shared {
            loss = give(loss, &shared.past, &to.past);
            loss = give(loss, &shared.chosen, &to.chosen_below);
            loss = give(loss, &shared.last, &to.last_below);
            loss = shared.motions.iter().fold(loss, |loss, x| give(loss, x, &to.motions));
            loss = shared.key.iter().fold(loss, |loss, x| give(loss, x, &to.key));
        }
        if let Some(pointer) = &self.pointer {
            loss = give(loss, &pointer.scores, &to.scores);
            loss = give(loss, &pointer.penalties, &to.penalties);
            loss = give(loss, &pointer.gate, &to.gate);
            loss = give(loss, &pointer.trust, &to.trust);
        }
        (loss, figures)
    }

    /// The sizes.
    pub fn shape(&self) -> JointShape {
        self.shape
    }

    /// The parameters that the kernel reads, copied out of the graph; absent parts are empty.
    fn parameters(&self) -> Parameters {
        let (shared, pointer) = (self.shared.as_ref(), self.pointer.as_ref());
        let matrix = |x: Option<&Param<Tensor<2>>>| x.map(|x| values_of(x.val())).unwrap_or_default();
        let vector = |x: Option<&Param<Tensor<1>>>| x.map(|x| values_of(x.val())).unwrap_or_default();
        Parameters {
            chosen: matrix(Some(&self.chosen)),
            last: matrix(Some(&self.last)),
            output: matrix(Some(&self.output.weight)),
            bias: vector(Some(&self.output.bias)),
            past: shared.map(|shared| values_of(shared.past.val())).unwrap_or_default(),
            chosen_below: matrix(shared.map(|shared| &shared.chosen)),
            last_below: matrix(shared.map(|shared| &shared.last)),
            motions: matrix(shared.and_then(|shared| shared.motions.as_ref())),
            key: matrix(shared.and_then(|shared| shared.key.as_ref())),
            scores: vector(pointer.map(|pointer| &pointer.scores)),
            penalties: vector(pointer.map(|pointer| &pointer.penalties)),
            gate: vector(pointer.map(|pointer| &pointer.gate)),
            trust: vector(pointer.map(|pointer| &pointer.trust)),
        }
    }
}
