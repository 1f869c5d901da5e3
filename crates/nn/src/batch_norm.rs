//! Batch normalisation over the last axis, with Keras' conventions.
//!
//! `y = gamma (x - mean) / sqrt(variance + eps) + beta`, in training with the statistics of the batch (biased variance),
//! else with running ones, `running = momentum * running + (1 - momentum) * batch`.
//!
//! In training it is one node: two passes over the values forward (the statistics, then the result) and two back. With `x^` the
//! normalised values of a feature and N their number,
//! `dgamma = sum dy x^`, `dbeta = sum dy`, `dx = gamma / sqrt(variance + eps) (dy - (dbeta + x^ dgamma) / N)`.
//!
//! Source: Ioffe and Szegedy, arXiv:1502.03167v3, algorithms 1 and 2 and section 3; momentum 0.99 and eps 1e-3 as in Keras 3.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use crate::simd::{Level, per_level};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::module::{Module, ModuleMapper, Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Normalises each feature of the last axis.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// `[F]`
    pub gamma: Param<Tensor<1>>,
    /// `[F]`
    pub beta: Param<Tensor<1>>,
    mean: RunningState<Tensor<1>>,
    variance: RunningState<Tensor<1>>,
    momentum: f64,
    eps: f64,
}

impl BatchNorm {
    /// With Keras' momentum (0.99) and eps (1e-3).
    pub fn new(features: usize, device: &Device) -> BatchNorm {
        Self::with(features, 0.99, 1e-3, device)
    }

    /// With a chosen momentum and eps.
    pub fn with(features: usize, momentum: f64, eps: f64, device: &Device) -> BatchNorm {
        BatchNorm {
            gamma: Param::from_tensor(Tensor::ones([features], device)),
            beta: Param::from_tensor(Tensor::zeros([features], device)),
            mean: RunningState::new(Tensor::zeros([features], device)),
            variance: RunningState::new(Tensor::ones([features], device)),
            momentum,
            eps,
        }
    }

    /// Normalises; where `training`, with the batch's own statistics, which also move the running ones.
    ///
    /// # Shapes
    /// `x`: `[.., F]` -> `[.., F]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>, training: bool) -> Tensor<D> {
        let shape = x.dims();
        let features = shape[D - 1];
        let rows: usize = shape[..D - 1].iter().product();
        let x = x.reshape([rows, features]);
        let y = match training && rows > 0 {
            true if is_fused(&x) => self.fused(x),
            true => self.reference(x),
            false => self.affine(x - row(self.mean.value()), row(self.variance.value())),
        };
        y.reshape(shape)
    }

    /// Training in one node.
    fn fused(&self, x: Tensor<2>) -> Tensor<2> {
        let device = x.device();
        let statistics = SharedStatistics::default();
        let y = <Dispatch as BatchNormBackend>::fused_batch_norm(
            x.into_dispatch(),
            self.gamma.val().into_dispatch(),
            self.beta.val().into_dispatch(),
            self.eps as f32,
            statistics.clone(),
        );
        let found = statistics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let load = |values: Vec<f32>| Tensor::<1>::from_data(TensorData::from(values.as_slice()), &device).inner();
        self.follow(&self.mean, Tensor::from_inner(load(found.mean)));
        self.follow(&self.variance, Tensor::from_inner(load(found.variance)));
        Tensor::from_dispatch(y)
    }

    /// Training made of burn's own operations.
    fn reference(&self, x: Tensor<2>) -> Tensor<2> {
        let [_, features] = x.dims();
        let mean = x.clone().mean_dim(0);
        let centred = x - mean.clone();
        let variance = (centred.clone() * centred.clone()).mean_dim(0);
        self.follow(&self.mean, mean.reshape([features]));
        self.follow(&self.variance, variance.clone().reshape([features]));
        self.affine(centred, variance)
    }

    fn affine(&self, centred: Tensor<2>, variance: Tensor<2>) -> Tensor<2> {
        centred / (variance + self.eps).sqrt() * row(self.gamma.val()) + row(self.beta.val())
    }

    fn follow(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        // A clone has the same value. burn's own `update` is one for each thread, and needs its `std`.
        let _ = running.clone().map(&mut Follow { batch: batch.detach(), momentum: self.momentum });
    }
}

/// Moves a running value towards that of a batch.
struct Follow {
    batch: Tensor<1>,
    momentum: f64,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, running: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Follow { batch, momentum } = self;
        running.map(|value| {
            let batch = batch.clone().reshape(value.dims());
            value * *momentum + batch * (1.0 - *momentum)
        })
    }
}

fn row(t: Tensor<1>) -> Tensor<2> {
    t.unsqueeze::<2>()
}

/// Mean and biased variance of each feature of a batch.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// `[F]`
    pub mean: Vec<f32>,
    /// `[F]`
    pub variance: Vec<f32>,
}

/// The statistics come out beside the graph, as plain data.
pub type SharedStatistics = Arc<Mutex<Statistics>>;

/// The backend operation; see [`BatchNorm::forward`].
#[backend_extension(Autodiff, Flex)]
pub trait BatchNormBackend: Backend {
    /// `[N, F]`, `[F]`, `[F]` -> `[N, F]`; `statistics` are replaced by the batch's own.
    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f32,
        statistics: SharedStatistics,
    ) -> FloatTensor<Self>;
}

/// Rows whose sums are made together: fixed, so that the number of threads changes nothing.
const CHUNK: usize = 64;

/// `len` sums over rows, in 64 bits: `add(sums, rows)` adds those of a few rows.
fn sums(len: usize, rows: usize, add: impl Fn(&mut [f32], std::ops::Range<usize>) + Sync) -> Vec<f64> {
    let parts: Vec<Vec<f32>> = (0..rows.div_ceil(CHUNK))
        .into_par_iter()
        .map(|at| {
            let mut sums = vec![0.0; len];
            add(&mut sums, at * CHUNK..rows.min((at + 1) * CHUNK));
            sums
        })
        .collect();
    let mut total = vec![0.0; len];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += f64::from(part));
    }
    total
}

/// Adds the rows of `x` to `sums`.
#[inline(always)]
fn add_rows<const FMA: bool>(sums: &mut [f32], x: &[f32]) {
    for x in x.chunks_exact(sums.len()) {
        sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
}

/// Adds `(x - mean)^2` to `sums`.
#[inline(always)]
fn add_squares<const FMA: bool>(sums: &mut [f32], x: &[f32], mean: &[f32]) {
    for x in x.chunks_exact(sums.len()) {
        sums.iter_mut().zip(x).zip(mean).for_each(|((sum, x), mean)| *sum += (x - mean) * (x - mean));
    }
}

/// Adds `a` to the first half of `sums` and `a b` to the second, `b` being `(x - mean) scale`.
#[inline(always)]
fn add_products<const FMA: bool>(sums: &mut [f32], a: &[f32], x: &[f32], mean: &[f32], scale: &[f32]) {
    let features = mean.len();
    let (plain, products) = sums.split_at_mut(features);
    let (products, scale) = (&mut products[..features], &scale[..features]);
    for (a, x) in a.chunks_exact(features).zip(x.chunks_exact(features)) {
        for j in 0..features {
            plain[j] += a[j];
            products[j] += a[j] * ((x[j] - mean[j]) * scale[j]);
        }
    }
}

/// `y = (x - mean) scale + shift`
#[inline(always)]
fn normalise<const FMA: bool>(x: &[f32], mean: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    let features = mean.len();
    let (scale, shift) = (&scale[..features], &shift[..features]);
    for (x, y) in x.chunks_exact(features).zip(y.chunks_exact_mut(features)) {
        for j in 0..features {
            y[j] = (x[j] - mean[j]) * scale[j] + shift[j];
        }
    }
}

/// What the backward pass keeps: the input, and of each feature gamma, the mean and `1 / sqrt(variance + eps)`.
#[derive(Clone, Debug)]
struct Kept {
    x: FlexTensor,
    gamma: FlexTensor,
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

fn forward(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: &FlexTensor,
    eps: f32,
    out: &SharedStatistics,
) -> (FlexTensor, Kept) {
    let [rows, features] = dims(&x);
    let level = Level::detect();
    let values_of_x = values(&x);
    let of = |range: std::ops::Range<usize>| &values_of_x[range.start * features..range.end * features];
    let mean_of = |sums: Vec<f64>| sums.into_iter().map(|sum| (sum / rows as f64) as f32).collect::<Vec<f32>>();
    // The mean first and the squares around it: in 32 bits the difference of two large sums would be noise.
    let mean = mean_of(sums(features, rows, |sums, range| {
        let x = of(range);
        per_level!(level, add_rows(sums: &mut [f32], x: &[f32]));
    }));
    let variance = mean_of(sums(features, rows, |sums, range| {
        let (x, mean) = (of(range), &mean[..]);
        per_level!(level, add_squares(sums: &mut [f32], x: &[f32], mean: &[f32]));
    }));
    let inverse: Vec<f32> = variance.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
    let scale: Vec<f32> = inverse.iter().zip(values(&gamma)).map(|(inverse, gamma)| inverse * gamma).collect();
    let mut y = Buffer::unspecified(rows * features);
    let size = (CHUNK * features).max(1);
    y.par_chunks_mut(size).zip(values_of_x.par_chunks(size)).for_each(|(y, x)| {
        let (mean, scale, shift) = (&mean[..], &scale[..], values(beta));
        per_level!(level, normalise(x: &[f32], mean: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]));
    });
    *out.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Statistics { mean: mean.clone(), variance };
    (tensor(y, [rows, features]), Kept { x, gamma, mean, inverse })
}

/// `dx = scale (dy - first - (x - mean) second)`
#[inline(always)]
fn gradient<const FMA: bool>(dy: &[f32], x: &[f32], [mean, scale, first, second]: [&[f32]; 4], dx: &mut [f32]) {
    let features = mean.len();
    let (scale, first, second) = (&scale[..features], &first[..features], &second[..features]);
    for ((dy, x), dx) in dy.chunks_exact(features).zip(x.chunks_exact(features)).zip(dx.chunks_exact_mut(features)) {
        for j in 0..features {
            dx[j] = scale[j] * (dy[j] - first[j] - (x[j] - mean[j]) * second[j]);
        }
    }
}

impl BatchNormBackend for Flex {
    fn fused_batch_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        eps: f32,
        statistics: SharedStatistics,
    ) -> FlexTensor {
        forward(x.to_contiguous(), gamma.to_contiguous(), &beta.to_contiguous(), eps, &statistics).0
    }
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let Kept { x, gamma, mean, inverse } = ops.state;
        let [rows, features] = dims(&x);
        let level = Level::detect();
        let (x, dy) = (values(&x), values(&dy));
        let add = |sums: &mut [f32], range: std::ops::Range<usize>| {
            let range = range.start * features..range.end * features;
            let (a, x, mean, scale) = (&dy[range.clone()], &x[range], &mean[..], &inverse[..]);
            per_level!(level, add_products(sums: &mut [f32], a: &[f32], x: &[f32], mean: &[f32], scale: &[f32]));
        };
        let total = sums(2 * features, rows, add);
        let (d_beta, d_gamma) = total.split_at(features);
        let [to_x, to_gamma, to_beta] = ops.parents;
        if let Some(node) = to_x {
            let scale: Vec<f32> = inverse.iter().zip(values(&gamma)).map(|(i, g)| i * g).collect();
            let n = rows as f64;
            let first: Vec<f32> = d_beta.iter().map(|d| (d / n) as f32).collect();
            let second: Vec<f32> = d_gamma.iter().zip(&inverse).map(|(d, i)| (d / n * f64::from(*i)) as f32).collect();
            let mut dx = Buffer::unspecified(rows * features);
            let size = (CHUNK * features).max(1);
            dx.par_chunks_mut(size).zip(dy.par_chunks(size)).zip(x.par_chunks(size)).for_each(|((dx, dy), x)| {
                let of = [&mean[..], &scale[..], &first[..], &second[..]];
                per_level!(level, gradient(dy: &[f32], x: &[f32], of: [&[f32]; 4], dx: &mut [f32]));
            });
            grads.register::<Flex>(node.id, tensor(dx, [rows, features]));
        }
        let column = |sums: &[f64]| {
            let sums: Vec<f32> = sums.iter().map(|sum| *sum as f32).collect();
            tensor(Buffer::copy_of(&sums), [features])
        };
        if let Some(node) = to_gamma {
            grads.register::<Flex>(node.id, column(d_gamma));
        }
        if let Some(node) = to_beta {
            grads.register::<Flex>(node.id, column(d_beta));
        }
    }
}

impl<C: CheckpointStrategy> BatchNormBackend for Autodiff<Flex, C> {
    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f32,
        statistics: SharedStatistics,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let (x, gamma) = (x.into_primitive().to_contiguous(), gamma.into_primitive().to_contiguous());
        let (y, kept) = forward(x, gamma, &beta.into_primitive().to_contiguous(), eps, &statistics);
        match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(kept, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{normal, seeded};
    use burn::tensor::TensorData;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    #[test]
    fn follows_keras() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::with(2, 0.9, 1e-3, &device);
        // Columns 1, 3 (mean 2, variance 1) and 10, 20 (mean 15, variance 25).
        let x = Tensor::<2>::from_data(TensorData::new(vec![1.0f32, 10.0, 3.0, 20.0], [2, 2]), &device);
        let (a, b) = (1.0 / 1.001f32.sqrt(), 5.0 / 25.001f32.sqrt());
        assert!(close(&values_of(norm.forward(x.clone(), true)), &[-a, -b, a, b]));
        assert!(close(&values_of(norm.mean.value()), &[0.2, 1.5]));
        assert!(close(&values_of(norm.variance.value()), &[0.9 + 0.1, 0.9 + 2.5]));
        let expected = [0.8 / 1.001f32.sqrt(), 8.5 / 3.401f32.sqrt(), 2.8 / 1.001f32.sqrt(), 18.5 / 3.401f32.sqrt()];
        assert!(close(&values_of(norm.forward(x.clone(), false)), &expected));
        assert!(close(&values_of(norm.valid().forward(x.inner(), false)), &expected));
        assert!(close(&values_of(norm.mean.value()), &[0.2, 1.5]), "evaluation moves nothing");
    }

    #[test]
    fn equals_burns_own_operations_with_every_gradient() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(7);
        for (rows, features) in [(2, 1), (5, 3), (300, 40)] {
            let mut norm = BatchNorm::new(features, &device);
            let mut random = |n: usize, around: f32| (0..n).map(|_| around + normal(rng)).collect::<Vec<f32>>();
            norm.gamma = Param::from_data(TensorData::new(random(features, 1.0), [features]), &device);
            norm.beta = Param::from_data(TensorData::new(random(features, 0.0), [features]), &device);
            let matrix = |values| Tensor::<2>::from_data(TensorData::new(values, [rows, features]), &device);
            // Far from zero, where a variance from sums of squares would lose its digits.
            let (x, direction) =
                (matrix(random(rows * features, 30.0)).require_grad(), matrix(random(rows * features, 0.0)));
            let run = |fused: bool| {
                // With statistics of its own: a clone would share them.
                let norm = BatchNorm {
                    gamma: norm.gamma.clone(),
                    beta: norm.beta.clone(),
                    ..BatchNorm::new(features, &device)
                };
                let y = if fused { norm.fused(x.clone()) } else { norm.reference(x.clone()) };
                let grads = (y.clone() * direction.clone()).sum().backward();
                [
                    values_of(y),
                    values_of(x.grad(&grads).unwrap()),
                    values_of(norm.gamma.val().grad(&grads).unwrap()),
                    values_of(norm.beta.val().grad(&grads).unwrap()),
                    values_of(norm.mean.value()),
                    values_of(norm.variance.value()),
                ]
            };
            for (at, (fused, reference)) in run(true).iter().zip(run(false)).enumerate() {
                let scale = reference.iter().fold(1.0f32, |m, v| m.max(v.abs()));
                let worst = fused.iter().zip(&reference).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                assert!(worst < 2e-4 * scale, "{rows} x {features}, {at}: {worst} of {scale}");
            }
        }
    }

    #[test]
    fn the_gradient_of_a_batch_sums_to_zero() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::new(1, &device);
        let x = Tensor::<2>::from_data(TensorData::new(vec![0.5f32, -1.0, 2.0], [3, 1]), &device).require_grad();
        let direction = Tensor::<2>::from_data(TensorData::new(vec![1.0f32, 2.0, -0.5], [3, 1]), &device);
        let grads = (norm.forward(x.clone(), true) * direction).sum().backward();
        let dx = values_of(x.grad(&grads).unwrap());
        assert!(dx.iter().sum::<f32>().abs() < 1e-5 && dx.iter().any(|d| d.abs() > 0.1));
        assert!(close(&values_of(norm.beta.val().grad(&grads).unwrap()), &[2.5]));
    }
}
