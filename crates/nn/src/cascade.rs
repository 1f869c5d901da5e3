//! An exact distribution over tuples, given a past: one choice after the other, each knowing those before it.
//!
//! ```text
//! P(x) = prod_v P(x_v | x_1 .. x_(v-1), past)
//! P(x_v) = (1 - g_v) softmax(z_v) + g_v copy_v
//! z_v = W_v relu(A_v f + sum_(k known) E_v[k]) + b_v          minus infinity where a class is not allowed
//! ```
//! where f are features of the past (what a recurrent network makes of it), and what is *known* are indices that the caller gives:
//! what was chosen before, and what follows from it. A choice that is not made (the length of a drum stroke) costs nothing.
//!
//! To the choice of a key, `z` adds a part that treats all keys alike (`plane.rs`), with a and v linear in f.
//!
//! *Copying* offers what was chosen at earlier places that resemble the present; which, and how they do, is the caller's to say:
//!
//! ```text
//! score_vs = sum of S_v[kind] over the kinds of candidate s - sum of penalty_u over the choices u < v that s had wrong
//! Z_v = sum_s e^score_vs       copy_v(x) = sum_(s offers x) e^score_vs / Z_v
//! g_v = sigmoid(trust_v ln Z_v + sentinel_v(f) + sum of G_v[mark])
//! ```
//! over the candidates that offer a class that is allowed; where none does, g is 0. Marks tell how well the best candidates match.
//!
//! Sources: the cascade as in F. Colombo, J. Brea, W. Gerstner, Learning to Generate Music with BachProp, 2018, arXiv:1812.06669 (a note's timing,
//! duration and pitch one after the other); weights shared over keys, pointer and sentinel as in [`crate::joint`].
//!
//! Cost: a choice of C classes `(F + C) H` multiplications, that of a key besides `(H (2R + 1) + 3 V) C` for H keys heard.

mod copying;
mod kernel;
mod scorer;
#[cfg(test)]
mod tests;

pub use crate::plane::{CLASSES, Heard};
pub use kernel::CascadeFigures;
pub use scorer::{CascadeScorer, Deciding};

use crate::buffer::Buffer;
use crate::given_gradient::{give, given_gradient};
use crate::initial;
use crate::linear::Linear;
use crate::params::values_of;
use crate::random::Rng;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kernel::{Inputs, Parameters};

/// Choices that a tuple may have.
pub const MOST_CHOICES: usize = 8;
/// Classes that a choice may have.
pub const MOST_CLASSES: usize = 128;
/// Kinds that a candidate is of.
pub const KINDS: usize = 6;
/// Marks that a row has.
pub const MARKS: usize = 2;
/// In the place of a class: the choice is not made, or nothing is offered.
pub const NONE: u8 = u8::MAX;

/// The sizes of a cascade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CascadeShape {
    /// Features F of the past.
    pub features: usize,
    /// Hidden units H of each choice.
    pub hidden: usize,
    /// The choices, in order.
    pub choices: Vec<ChoiceShape>,
    /// The part that treats keys alike.
    pub keys: Option<KeyShape>,
    /// Kinds of candidates; 0 leaves copying out.
    pub kinds: usize,
    /// Rows of the gates' tables.
    pub marks: usize,
}

/// The sizes of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoiceShape {
    /// Classes C.
    pub classes: usize,
    /// Indices of what may be known.
    pub known: usize,
}

/// The sizes of the part that treats keys alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShape {
    /// Which choice is that of a key.
    pub choice: usize,
    /// Channels, a multiple of 16.
    pub channels: usize,
    /// How far a key is felt up and down.
    pub reach: usize,
    /// Sources of what is heard.
    pub sources: usize,
}

/// An earlier place, and what it offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which kinds it is of.
    pub kinds: [u16; KINDS],
    /// What it offers to each choice, or [`NONE`].
    pub offers: [u8; MOST_CHOICES],
}

/// What is known at a row beside its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The class of each choice, [`NONE`] where it is not made.
    pub targets: [u8; MOST_CHOICES],
    /// Bit k: whether class k is allowed.
    pub allowed: [u128; MOST_CHOICES],
    /// What is known, choice after choice.
    pub known: Vec<u16>,
    /// Where each choice's part of `known` ends.
    pub known_ends: [u16; MOST_CHOICES],
    /// What the part that treats keys alike hears.
    pub heard: Vec<Heard>,
    /// The share of each pitch class so far.
    pub classes: [f32; CLASSES],
    /// Earlier places.
    pub candidates: Vec<Candidate>,
    /// Rows of the gates' tables.
    pub marks: [u16; MARKS],
}

impl Default for Sight {
    fn default() -> Sight {
        Sight {
            targets: [NONE; MOST_CHOICES],
            allowed: [u128::MAX; MOST_CHOICES],
            known: Vec::new(),
            known_ends: [0; MOST_CHOICES],
            heard: Vec::new(),
            classes: [0.0; CLASSES],
            candidates: Vec::new(),
            marks: [0; MARKS],
        }
    }
}

impl Sight {
    /// What is known to a choice.
    pub fn known(&self, choice: usize) -> &[u16] {
        let start = choice.checked_sub(1).map_or(0, |before| self.known_ends[before]);
        &self.known[usize::from(start)..usize::from(self.known_ends[choice])]
    }
}

/// What is left out at random while training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The run's seed.
    pub seed: u64,
    /// A number that no other step has.
    pub step: u64,
    /// Share of the hidden units.
    pub units: f32,
    /// Share of what is heard.
    pub heard: f32,
}

/// A distribution over tuples.
#[derive(Module, Debug)]
pub struct CascadeHead {
    /// A: `[V H, F]`
    state: Linear,
    /// E: `[K_v, H]`
    known: Vec<Param<Tensor<2>>>,
    /// W, b: `[C_v, H]`
    outputs: Vec<Linear>,
    shared: Option<SharedKeys>,
    copying: Option<Copying>,
    #[module(skip)]
    shape: CascadeShape,
}

/// The part that treats keys alike.
#[derive(Module, Debug)]
pub struct SharedKeys {
    /// a and v: `[2C, F]`
    context: Linear,
    /// P: `[S, 2R + 1, C]`
    patches: Param<Tensor<3>>,
    /// T: `[12, C]`
    degrees: Param<Tensor<2>>,
}

/// The part that offers what was chosen before.
#[derive(Module, Debug)]
pub struct Copying {
    /// `[V, F]`
    sentinel: Linear,
    /// S: `[V, kinds]`
    scores: Param<Tensor<2>>,
    /// `[V]`
    penalties: Param<Tensor<1>>,
    /// G: `[V, marks]`
    gates: Param<Tensor<2>>,
    /// `[V]`
    trust: Param<Tensor<1>>,
}

impl CascadeHead {
    /// A head that knows how often each class of each choice comes, and whose candidates begin with these scores by kind.
    ///
    /// # Panics
    /// If sizes and frequencies do not fit one another, or are too large.
    pub fn new(
        shape: CascadeShape,
        frequencies: &[Vec<f32>],
        scores: &[f32],
        rng: &mut Rng,
        device: &Device,
    ) -> CascadeHead {
        let CascadeShape { features, hidden, choices, keys, kinds, marks } = &shape;
        let (features, hidden, count) = (*features, *hidden, choices.len());
        assert!(count <= MOST_CHOICES && frequencies.len() == count, "{count} choices, {} known", frequencies.len());
        for (choice, frequencies) in choices.iter().zip(frequencies) {
            assert!(
                choice.classes <= MOST_CLASSES && frequencies.len() == choice.classes,
                "{} classes",
                choice.classes
            );
        }
        assert_eq!(scores.len(), *kinds, "scores of {kinds} kinds");
        let matrix = |values: Vec<f32>, rows: usize| {
            let columns = values.len() / rows.max(1);
            Param::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let vector = |values: Vec<f32>| {
            let n = values.len();
            Param::from_data(TensorData::new(values, [n]), device)
        };
        let known = choices
            .iter()
            .map(|choice| matrix(initial::gaussian(rng, 0.1, choice.known.max(1) * hidden), choice.known.max(1)))
            .collect();
        let outputs = frequencies
            .iter()
            .map(|frequencies| {
                let bias: Vec<f32> = frequencies.iter().map(|p| p.max(1e-5).ln()).collect();
                Linear::with_bias(hidden, &bias, rng, device).scaled(0.3, device)
            })
            .collect();
        let shared = keys.map(|KeyShape { channels, reach, sources, .. }| {
            assert!(channels.is_multiple_of(16), "{channels} channels");
            let width = 2 * reach + 1;
            let patches = initial::gaussian(rng, 0.1, sources * width * channels);
            let mixing = initial::gaussian(rng, 0.3 / (channels as f32).sqrt(), channels);
            let bias: Vec<f32> = std::iter::repeat_n(0.0, channels).chain(mixing).collect();
            SharedKeys {
                context: Linear::with_bias(features, &bias, rng, device).scaled(0.3, device),
                patches: Param::from_data(TensorData::new(patches, [sources, width, channels]), device),
                degrees: matrix(vec![0.0; CLASSES * channels], CLASSES),
            }
        });
        let copying = (*kinds > 0).then(|| Copying {
            // The model itself counts for some hundred candidates that match in nothing.
            sentinel: Linear::with_bias(features, &vec![-5.0; count], rng, device).scaled(0.1, device),
            scores: matrix(scores.repeat(count), count),
            penalties: vector(vec![2.0; count]),
            gates: matrix(vec![0.0; count * marks], count),
            trust: vector(vec![1.0; count]),
        });
        CascadeHead {
            state: Linear::new(features, count * hidden, rng, device),
            known,
            outputs,
            shared,
            copying,
            shape,
        }
    }

    /// The sizes.
    pub fn shape(&self) -> &CascadeShape {
        &self.shape
    }

    /// The mean of the tuples' negative log-likelihoods, weighted, and the batch's figures. Weight 0 marks padding, whose sight is not
    /// looked at. Without `noise` nothing is left out.
    ///
    /// # Shapes
    /// `features`: `[N, F]`, the others `[N]` -> `[1]`
    /// # Units
    /// nats per unit of weight
    /// # Panics
    /// If the lengths differ, or a class is beyond its choice's.
    pub fn loss(
        &self,
        features: Tensor<2>,
        sights: &[Sight],
        weights: &[f32],
        noise: Option<Noise>,
    ) -> (Tensor<1>, CascadeFigures) {
        let rows = features.dims()[0];
        assert_eq!((sights.len(), weights.len()), (rows, rows), "sights of {rows} rows");
        let device = features.device();
        let inputs = [
            Some(self.state.forward(features.clone())),
            self.shared.as_ref().map(|shared| shared.context.forward(features.clone())),
            self.copying.as_ref().map(|copying| copying.sentinel.forward(features.clone())),
        ];
        let [state, context, sentinel] = inputs.each_ref().map(|x| x.clone().map(values_of).unwrap_or_default());
        let given = Inputs { state, context, sentinel };
        let (figures, to_inputs, to) = kernel::train(&self.shape, &given, &self.parameters(), sights, weights, noise);
        let mean = if figures.counted > 0.0 { figures.nats() / figures.counted } else { 0.0 };
        let mut loss = Tensor::<1>::from_data([mean as f32], &device);
        let of_inputs = [to_inputs.state, to_inputs.context, to_inputs.sentinel];
        for (x, gradient) in inputs.into_iter().zip(of_inputs) {
            loss = x.into_iter().fold(loss, |loss, x| loss + given_gradient(x, Buffer::copy_of(&gradient)));
        }
        for (v, output) in self.outputs.iter().enumerate() {
            loss = give(loss, &self.known[v], &to.known[v]);
            loss = give(loss, &output.weight, &to.outputs[v]);
            loss = give(loss, &output.bias, &to.biases[v]);
        }
        if let Some(shared) = &self.shared {
            loss = give(loss, &shared.patches, &to.patches);
            loss = give(loss, &shared.degrees, &to.degrees);
        }
        if let Some(copying) = &self.copying {
            loss = give(loss, &copying.scores, &to.scores);
            loss = give(loss, &copying.penalties, &to.penalties);
            loss = give(loss, &copying.gates, &to.gates);
            loss = give(loss, &copying.trust, &to.trust);
        }
        (loss, figures)
    }

    /// The parameters that the kernel reads, copied out of the graph; absent parts are empty.
    fn parameters(&self) -> Parameters {
        let (shared, copying) = (self.shared.as_ref(), self.copying.as_ref());
        let matrix = |x: Option<&Param<Tensor<2>>>| x.map(|x| values_of(x.val())).unwrap_or_default();
        let vector = |x: Option<&Param<Tensor<1>>>| x.map(|x| values_of(x.val())).unwrap_or_default();
        Parameters {
            known: self.known.iter().map(|known| values_of(known.val())).collect(),
            outputs: self.outputs.iter().map(|output| values_of(output.weight.val())).collect(),
            biases: self.outputs.iter().map(|output| values_of(output.bias.val())).collect(),
            patches: shared.map(|shared| values_of(shared.patches.val())).unwrap_or_default(),
            degrees: matrix(shared.map(|shared| &shared.degrees)),
            scores: matrix(copying.map(|copying| &copying.scores)),
            penalties: vector(copying.map(|copying| &copying.penalties)),
            gates: matrix(copying.map(|copying| &copying.gates)),
            trust: vector(copying.map(|copying| &copying.trust)),
        }
    }
}
