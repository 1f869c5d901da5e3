//! Independent Bernoulli outputs: loss, figures and gradient in one pass over the logits.
//!
//! For row n with logits z, targets y in {0, 1} and weight w: `nats = sum_v ln(1 + e^(z_v)) - y_v z_v`; the loss is the weighted
//! mean `sum(w nats) / sum(w)`, and its gradient `w (sigmoid(z) - y) / sum(w)` is written while the exponentials are at hand.
//! Nothing is the logarithm of a rounded probability: no logit makes the loss infinite but an infinite one.
//!
//! Cost: one buffer of the logits' size while training, none in evaluation.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use crate::logistic::softplus_and_sigmoid;
use crate::simd::{Level, per_level};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData, activation};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// What a batch came to, outside of the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Weighted sum of the rows' negative log-likelihoods, in nats.
    pub nats: f64,
    /// Sum of the weights.
    pub counted: f64,
    /// Expected true positives: the weighted sum of `y p`.
    pub hits: f64,
    /// Expected true and false positives and false negatives: the weighted sum of `y + p - y p`.
    pub union: f64,
    /// The rows' own accuracies, `hits / union` of each, summed with their weights.
    pub accuracies: f64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Figures) {
        self.nats += other.nats;
        self.counted += other.counted;
        self.hits += other.hits;
        self.union += other.union;
        self.accuracies += other.accuracies;
    }
}

impl Figures {
    /// The expected frame accuracy `TP / (TP + FP + FN)`, 0-1, both parts summed over all rows; 1 where nothing is there nor expected.
    pub fn accuracy(&self) -> f64 {
        if self.union > 0.0 { self.hits / self.union } else { 1.0 }
    }
}

/// The weighted mean of the rows' nats, and the batch's figures. Weight 0 marks padding: such a row counts for nothing and gets no
/// gradient. Without any weight the loss is 0.
///
/// # Shapes
/// `logits`, `targets`: `[N, V]`, `weights`: `[N]` -> `[1]`
/// # Units
/// nats per unit of weight
/// # Panics
/// If the lengths differ or a weight is negative.
pub fn bernoulli(logits: Tensor<2>, targets: &[f32], weights: &[f32]) -> (Tensor<1>, Figures) {
    let [rows, units] = logits.dims();
    assert_eq!((targets.len(), weights.len()), (rows * units, rows), "targets and weights of {rows} rows");
    assert!(weights.iter().all(|w| *w >= 0.0), "a negative weight");
    if !is_fused(&logits) {
        return reference(logits, targets, weights);
    }
    let job = Arc::new(Job { targets: targets.to_vec(), weights: weights.to_vec(), figures: Mutex::default() });
    let loss = <Dispatch as BernoulliBackend>::fused_bernoulli(logits.into_dispatch(), job.clone());
    let figures = *job.figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (Tensor::from_dispatch(loss), figures)
}

/// [`bernoulli`] made of burn's own operations.
pub fn reference(logits: Tensor<2>, targets: &[f32], weights: &[f32]) -> (Tensor<1>, Figures) {
    let [rows, units] = logits.dims();
    let device = logits.device();
    let plain = logits.clone().inner().into_data().try_into_vec::<f32>().expect("f32 logits");
    let mut figures = Figures::default();
    for ((z, y), weight) in plain.chunks(units.max(1)).zip(targets.chunks(units.max(1))).zip(weights) {
        if *weight > 0.0 {
            figures += row(z, y, *weight);
        }
    }
    let total = if figures.counted > 0.0 { figures.counted } else { 1.0 };
    let y = Tensor::<2>::from_data(TensorData::new(targets.to_vec(), [rows, units]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device);
    let nats = activation::softplus(logits.clone(), 1.0) - logits * y;
    ((nats * weights).sum() / total, figures)
}

/// The figures of one row.
///
/// # Shapes
/// `logits`, `targets`: `[V]`
pub fn row(logits: &[f32], targets: &[f32], weight: f32) -> Figures {
    let level = Level::detect();
    let [nats, hits, expected] = per_level!(level, sums(logits: &[f32], targets: &[f32]) -> [f32; 3]);
    figures_of([nats, hits, expected], targets, weight)
}

fn figures_of([nats, hits, expected]: [f32; 3], targets: &[f32], weight: f32) -> Figures {
    let present: f32 = targets.iter().sum();
    let (weight, hits) = (f64::from(weight), f64::from(hits));
    let union = f64::from(present) + f64::from(expected) - hits;
    let accuracy = if union > 0.0 { (hits / union).clamp(0.0, 1.0) } else { 1.0 };
    Figures {
        nats: weight * f64::from(nats),
        counted: weight,
        hits: weight * hits,
        union: weight * union,
        accuracies: weight * accuracy,
    }
}

/// Nats, hits and expected positives of a row.
#[inline(always)]
fn sums<const FMA: bool>(logits: &[f32], targets: &[f32]) -> [f32; 3] {
    let mut sums = [0.0; 3];
    for (z, y) in logits.iter().zip(targets) {
        let (soft, p) = softplus_and_sigmoid::<FMA>(*z);
        sums[0] += soft - y * z;
        sums[1] += y * p;
        sums[2] += p;
    }
    sums
}

/// As [`sums`], and `gradient = scale * (sigmoid(z) - y)`.
#[inline(always)]
fn sums_and_gradient<const FMA: bool>(logits: &[f32], targets: &[f32], scale: f32, gradient: &mut [f32]) -> [f32; 3] {
    let mut sums = [0.0; 3];
    for ((z, y), g) in logits.iter().zip(targets).zip(gradient) {
        let (soft, p) = softplus_and_sigmoid::<FMA>(*z);
        *g = scale * (p - y);
        sums[0] += soft - y * z;
        sums[1] += y * p;
        sums[2] += p;
    }
    sums
}

/// What goes beside the graph.
#[derive(Debug)]
pub struct Job {
    targets: Vec<f32>,
    weights: Vec<f32>,
    figures: Mutex<Figures>,
}

/// Rows that one task takes: fixed, so that the sums do not depend on the number of threads.
const ROWS: usize = 64;

impl Job {
    /// The loss; the gradient too, where there is room for it.
    fn run(&self, logits: &FlexTensor, gradient: Option<&mut [f32]>) -> FlexTensor {
        let [_, units] = dims(logits);
        let level = Level::detect();
        let counted: f64 = self.weights.iter().map(|w| f64::from(*w)).sum();
        let share = if counted > 0.0 { 1.0 / counted } else { 0.0 };
        let one = |z: &[f32], y: &[f32], weight: f32, gradient: Option<&mut [f32]>| -> Figures {
            if weight == 0.0 {
                gradient.into_iter().for_each(|gradient| gradient.fill(0.0));
                return Figures::default();
            }
            let Some(g) = gradient else { return row(z, y, weight) };
            let scale = (f64::from(weight) * share) as f32;
            let sums = per_level!(
                level,
                sums_and_gradient(z: &[f32], y: &[f32], scale: f32, g: &mut [f32]) -> [f32; 3]
            );
            figures_of(sums, y, weight)
        };
        let size = (ROWS * units).max(1);
        let rows =
            values(logits).par_chunks(size).zip(self.targets.par_chunks(size)).zip(self.weights.par_chunks(ROWS));
        let unit = units.max(1);
        let sums: Vec<Figures> = match gradient {
            Some(gradient) => rows
                .zip(gradient.par_chunks_mut(size))
                .map(|(((z, y), w), g)| {
                    let mut sum = Figures::default();
                    let rows = z.chunks_exact(unit).zip(y.chunks_exact(unit)).zip(w).zip(g.chunks_exact_mut(unit));
                    rows.for_each(|(((z, y), w), g)| sum += one(z, y, *w, Some(g)));
                    sum
                })
                .collect(),
            None => rows
                .map(|((z, y), w)| {
                    let mut sum = Figures::default();
                    let rows = z.chunks_exact(unit).zip(y.chunks_exact(unit)).zip(w);
                    rows.for_each(|((z, y), w)| sum += one(z, y, *w, None));
                    sum
                })
                .collect(),
        };
        let mut total = Figures::default();
        sums.into_iter().for_each(|sum| total += sum);
        *self.figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = total;
        tensor(Buffer::copy_of(&[(total.nats * share) as f32]), [1])
    }
}

/// The backend operation; see [`bernoulli`].
#[backend_extension(Autodiff, Flex)]
pub trait BernoulliBackend: Backend {
    /// `[N, V]` -> `[1]`; the figures are left in `job`.
    fn fused_bernoulli(logits: FloatTensor<Self>, job: Arc<Job>) -> FloatTensor<Self>;
}

impl BernoulliBackend for Flex {
    fn fused_bernoulli(logits: FlexTensor, job: Arc<Job>) -> FlexTensor {
        job.run(&logits.to_contiguous(), None)
    }
}

#[derive(Debug)]
struct BernoulliBackward;

impl Backward<Flex, 1> for BernoulliBackward {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = values(&grads.consume::<Flex>(&ops.node).to_contiguous())[0];
        let [to_logits] = ops.parents;
        if let Some(node) = to_logits {
            let mut gradient = Buffer::copy_of(values(&ops.state));
            gradient.iter_mut().for_each(|g| *g *= upstream);
            grads.register::<Flex>(node.id, tensor(gradient, dims::<2>(&ops.state)));
        }
    }
}

impl<C: CheckpointStrategy> BernoulliBackend for Autodiff<Flex, C> {
    fn fused_bernoulli(logits: FloatTensor<Self>, job: Arc<Job>) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let logits = logits.into_primitive().to_contiguous();
        match BernoulliBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let shape: [usize; 2] = dims(&logits);
                let mut gradient = Buffer::unspecified(shape[0] * shape[1]);
                let loss = job.run(&logits, Some(&mut gradient));
                prep.finish(tensor(gradient, shape), loss)
            }
            OpsKind::UnTracked(prep) => prep.finish(job.run(&logits, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{normal, seeded, uniform};
    use burn::tensor::Device;

    #[test]
    fn equals_burns_own_operations_with_its_gradient() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(1);
        for (rows, units) in [(1, 1), (3, 88), (130, 20)] {
            let z: Vec<f32> = (0..rows * units).map(|_| 4.0 * normal(rng)).collect();
            let y: Vec<f32> = (0..rows * units).map(|_| f32::from(uniform(rng) < 0.3)).collect();
            let mut w: Vec<f32> = (0..rows).map(|_| 2.0 * uniform(rng)).collect();
            w[rows / 2] = if rows > 1 { 0.0 } else { 1.0 };
            let z = Tensor::<2>::from_data(TensorData::new(z, [rows, units]), &device).require_grad();
            let run = |(loss, figures): (Tensor<1>, Figures)| {
                let gradients = (loss.clone() * 3.0).backward();
                (values_of(loss)[0], figures, values_of(z.grad(&gradients).unwrap()))
            };
            let fused = run(bernoulli(z.clone(), &y, &w));
            let plain = run(reference(z.clone(), &y, &w));
            assert!((fused.0 - plain.0).abs() < 1e-5 * plain.0.abs().max(1.0), "{} {}", fused.0, plain.0);
            assert!((fused.1.nats - plain.1.nats).abs() < 1e-6 * plain.1.nats.max(1.0));
            assert!((fused.1.nats / fused.1.counted - f64::from(fused.0)).abs() < 1e-4);
            assert!((0.0..=1.0).contains(&fused.1.accuracy()));
            assert!(fused.2.iter().zip(&plain.2).all(|(a, b)| (a - b).abs() < 1e-6 * b.abs().max(1.0)));
        }
    }

    #[test]
    fn probabilities_of_all_outcomes_sum_to_one() {
        let z = [0.3f32, -2.0, 1.5];
        let total: f64 = (0..8u8)
            .map(|bits| {
                let y = [0, 1, 2].map(|k| f32::from(bits >> k & 1));
                (-row(&z, &y, 1.0).nats).exp()
            })
            .sum();
        assert!((total - 1.0).abs() < 1e-6);
    }

    #[test]
    fn sure_logits_stay_finite_and_bad_ones_show() {
        let sure = row(&[80.0, -80.0, 1e30], &[1.0, 0.0, 1.0], 1.0);
        assert!(sure.nats.abs() < 1e-6 && (sure.accuracy() - 1.0).abs() < 1e-6, "{sure:?}");
        assert!((row(&[-500.0], &[1.0], 1.0).nats - 500.0).abs() < 1e-3);
        assert!(row(&[f32::NAN], &[1.0], 1.0).nats.is_nan());
        // A fair coin for each of 88 keys: 61.0 nats.
        assert!((row(&[0.0; 88], &[0.0; 88], 1.0).nats - 88.0 * 2f64.ln()).abs() < 1e-4);
        assert_eq!(row(&[], &[], 1.0).accuracy(), 1.0);
    }
}
