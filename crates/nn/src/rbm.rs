//! Restricted Boltzmann machines whose biases differ from row to row: what a network predicts at each step is a distribution over
//! sets, in which the elements depend on one another.
//!
//! ```text
//! E(v, h) = - bv v - bh h - h W v                          one W for all rows; bv and bh of the row
//! F(v)    = - bv v - sum_j ln(1 + e^(bh_j + W_j v))        free energy
//! p(v)    = e^(-F(v)) / Z                                  Z is not tractable: estimated, see `ais`
//! ```
//!
//! Sources: G. Hinton, Training Products of Experts by Minimizing Contrastive Divergence, Neural Computation 14(8), 2002; biases
//! from a recurrent network: N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, ICML 2012, arXiv:1206.6392v1, section 4.
//!
//! Chance comes from a hash of (seed, row, step, unit): no generator is passed from row to row, so that the result does not depend on
//! the number of threads.
//!
//! Cost: a step of the Gibbs chain makes 4 V H floating-point operations and tosses V + H coins a row.

mod ais;
mod chain;
mod deep;
mod exact;
mod node;
#[cfg(test)]
mod tests;

pub use ais::{Annealing, LogPartition};
pub use deep::{DeepBiases, log_bounds, tossed};
pub use exact::MOST_ENUMERATED;
pub use node::{RbmBackend, SharedDivergence};

use crate::flex::is_fused;
use crate::initial;
use crate::packed::PackedMatrix;
use crate::params::values_of;
use crate::random::Rng;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation};

/// The weights between visible and hidden units, to be trained.
#[derive(Module, Debug)]
pub struct Rbm {
    /// `[H, V]`
    pub weight: Param<Tensor<2>>,
}

/// What a step of contrastive divergence looks at.
#[derive(Clone, Copy, Debug)]
pub struct Contrast<'a> {
    /// `[N, V]`, 0 or 1
    pub data: &'a [f32],
    /// `[N]`; 0 marks padding.
    pub weights: &'a [f32],
    /// Steps k of the chain from the data to the samples.
    pub steps: usize,
    /// Decides the chain.
    pub seed: u64,
}

impl Rbm {
    /// Normal weights of a small deviation, as Hinton's Practical Guide (2010, section 8) has them.
    pub fn new(visible: usize, hidden: usize, deviation: f32, rng: &mut Rng, device: &Device) -> Rbm {
        let weight = initial::gaussian(rng, deviation, hidden * visible);
        Rbm { weight: Param::from_data(TensorData::new(weight, [hidden, visible]), device) }
    }

    /// Visible units V.
    pub fn visible(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Hidden units H.
    pub fn hidden(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Contrastive divergence (CD-k): the weighted mean of `F(data) - F(sample)`, where the samples come from k steps of the Gibbs
    /// chain that begins with the data. Its gradient, with the samples held fixed, approximates that of the negative log-likelihood;
    /// its value is no likelihood.
    ///
    /// # Shapes
    /// `visible_bias`: `[N, V]`, `hidden_bias`: `[N, H]` -> `[1]`
    /// # Panics
    /// If the shapes do not agree or a weight is negative.
    pub fn contrastive_divergence(
        &self,
        visible_bias: Tensor<2>,
        hidden_bias: Tensor<2>,
        contrast: Contrast<'_>,
    ) -> Tensor<1> {
        contrastive_divergence(self.weight.val(), visible_bias, hidden_bias, contrast)
    }

    /// The weighted mean of `F(data) - F(sample)`, made of burn's own operations.
    pub fn reference(
        &self,
        visible_bias: Tensor<2>,
        hidden_bias: Tensor<2>,
        data: &[f32],
        sample: &[f32],
        weights: &[f32],
    ) -> Tensor<1> {
        reference(self.weight.val(), visible_bias, hidden_bias, [data, sample], weights)
    }
}

/// [`Rbm::contrastive_divergence`] of a machine whose weights come from elsewhere.
///
/// # Shapes
/// `weight`: `[H, V]`, `visible_bias`: `[N, V]`, `hidden_bias`: `[N, H]` -> `[1]`
/// # Panics
/// If the shapes do not agree or a weight of a row is negative.
pub fn contrastive_divergence(
    weight: Tensor<2>,
    visible_bias: Tensor<2>,
    hidden_bias: Tensor<2>,
    contrast: Contrast<'_>,
) -> Tensor<1> {
    let [hidden, visible] = weight.dims();
    let rows = contrast.weights.len();
    assert_eq!(contrast.data.len(), rows * visible, "data of {rows} rows");
    assert_eq!((visible_bias.dims(), hidden_bias.dims()), ([rows, visible], [rows, hidden]), "biases of {rows} rows");
    assert!(contrast.weights.iter().all(|w| *w >= 0.0), "a negative weight");
    if is_fused(&visible_bias) {
        return node::run(weight, visible_bias, hidden_bias, contrast);
    }
    let mut sample = contrast.data.to_vec();
    let (bv, bh) = (values_of(visible_bias.clone()), values_of(hidden_bias.clone()));
    let packed = PackedRbm::new(visible, hidden, &values_of(weight.clone()));
    packed.gibbs(&mut sample, &bv, &bh, Chain::plain(contrast.steps, contrast.seed));
    reference(weight, visible_bias, hidden_bias, [contrast.data, &sample], contrast.weights)
}

fn reference(
    weight: Tensor<2>,
    visible_bias: Tensor<2>,
    hidden_bias: Tensor<2>,
    [data, sample]: [&[f32]; 2],
    weights: &[f32],
) -> Tensor<1> {
    let device = visible_bias.device();
    let [_, visible] = weight.dims();
    let rows = weights.len();
    let total: f32 = weights.iter().sum();
    let constant = |values: &[f32], shape| Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device);
    let free_energy = |v: &[f32]| {
        let v = constant(v, [rows, visible]);
        let inputs = v.clone().matmul(weight.clone().transpose()) + hidden_bias.clone();
        (v * visible_bias.clone()).sum_dim(1).neg() - activation::softplus(inputs, 1.0).sum_dim(1)
    };
    let difference = free_energy(data) - free_energy(sample);
    (difference * constant(weights, [rows, 1])).sum() / if total > 0.0 { total } else { 1.0 }
}

/// How a chain runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Steps: hidden units given the visible ones, then visible given hidden.
    pub steps: usize,
    /// Energies are divided by it: 1 draws from the model, 0 goes downhill.
    pub temperature: f32,
    /// Decides the coins.
    pub seed: u64,
}

impl Chain {
    /// At temperature 1.
    pub fn plain(steps: usize, seed: u64) -> Chain {
        Chain { steps, temperature: 1.0, seed }
    }
}

/// The weights, packed for chains and likelihoods outside of any graph.
#[derive(Clone, Debug)]
pub struct PackedRbm {
    visible: usize,
    hidden: usize,
    weight: Vec<f32>,
    /// `[V, H]`: from visible units to hidden ones.
    up: PackedMatrix,
    /// `[H, V]`
    down: PackedMatrix,
}

impl PackedRbm {
    /// Packs `weight`, `[H, V]`.
    ///
    /// # Panics
    /// If it is not so long.
    pub fn new(visible: usize, hidden: usize, weight: &[f32]) -> PackedRbm {
        assert_eq!(weight.len(), visible * hidden, "weights of {visible} x {hidden} units");
        PackedRbm {
            visible,
            hidden,
            weight: weight.to_vec(),
            up: PackedMatrix::new(visible, hidden, weight, 1, visible),
            down: PackedMatrix::new(hidden, visible, weight, visible, 1),
        }
    }

    /// Visible units V.
    pub fn visible(&self) -> usize {
        self.visible
    }

    /// Hidden units H.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Rows of both biases.
    fn rows(&self, visible_bias: &[f32], hidden_bias: &[f32]) -> usize {
        let rows = visible_bias.len() / self.visible.max(1);
        let lengths = (visible_bias.len(), hidden_bias.len());
        assert_eq!(lengths, (rows * self.visible, rows * self.hidden), "biases of {rows} rows");
        rows
    }
}

impl From<&Rbm> for PackedRbm {
    fn from(rbm: &Rbm) -> PackedRbm {
        PackedRbm::new(rbm.visible(), rbm.hidden(), &values_of(rbm.weight.val()))
    }
}
