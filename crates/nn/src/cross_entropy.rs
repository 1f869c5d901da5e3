//! Softmax cross-entropy: loss, figures and gradient in one pass over the logits.
//!
//! For row n with logits z, target y and weight w: `nats = ln(sum_v e^(z_v)) - z_y`; the loss is the weighted mean
//! `sum(w nats) / sum(w)`, and its gradient `w (softmax(z) - onehot(y)) / sum(w)` is written while the exponentials are
//! at hand, so that the backward pass has nothing left to do.
//!
//! Cost: one buffer of the logits' size while training, none in evaluation.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use crate::simd::{Level, exp, per_level};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor, TensorData, activation};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// What a batch came to, outside of the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Weighted sum of the rows' negative log-likelihoods, in nats.
    pub nats: f64,
    /// Sum of the weights.
    pub counted: f64,
    /// Rows of positive weight whose most likely class is the target (the first one, where several are).
    pub correct: usize,
}

impl std::ops::Add for Figures {
    type Output = Figures;

    fn add(self, other: Figures) -> Figures {
        Figures {
            nats: self.nats + other.nats,
            counted: self.counted + other.counted,
            correct: self.correct + other.correct,
        }
    }
}

/// The weighted mean of the rows' nats, and the batch's figures. Weight 0 marks padding: such a row counts for
/// nothing and gets no gradient. Without any weight the loss is 0.
///
/// # Shapes
/// `logits`: `[N, V]`, `targets`, `weights`: `[N]` -> `[1]`
/// # Units
/// nats per unit of weight
/// # Panics
/// If the lengths differ, a target is not below V, or a weight is negative.
pub fn cross_entropy(logits: Tensor<2>, targets: &[u32], weights: &[f32]) -> (Tensor<1>, Figures) {
    let [rows, classes] = logits.dims();
    assert_eq!((targets.len(), weights.len()), (rows, rows), "targets and weights of {rows} rows");
    assert!(targets.iter().all(|t| (*t as usize) < classes), "a target beyond the {classes} classes");
    assert!(weights.iter().all(|w| *w >= 0.0), "a negative weight");
    if !is_fused(&logits) {
        return reference(logits, targets, weights);
    }
    let figures = Arc::new(Mutex::new(Figures::default()));
    let loss = <Dispatch as CrossEntropyBackend>::fused_cross_entropy(
        logits.into_dispatch(),
        targets.into(),
        weights.into(),
        figures.clone(),
    );
    let figures = *figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (Tensor::from_dispatch(loss), figures)
}

/// [`cross_entropy`] made of burn's own operations.
pub fn reference(logits: Tensor<2>, targets: &[u32], weights: &[f32]) -> (Tensor<1>, Figures) {
    let [rows, classes] = logits.dims();
    let device = logits.device();
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let plain = logits.clone().inner().into_data().try_into_vec::<f32>().expect("f32 logits");
    let mut figures = Figures { counted: total, ..Figures::default() };
    for ((z, target), weight) in plain.chunks(classes.max(1)).zip(targets).zip(weights) {
        if *weight > 0.0 {
            figures.nats += f64::from(*weight) * nats(z, *target);
            figures.correct += usize::from(argmax(z) == Some(*target as usize));
        }
    }
    let at: Vec<i64> = targets.iter().map(|t| i64::from(*t)).collect();
    let at = Tensor::<2, Int>::from_data(TensorData::new(at, [rows, 1]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device);
    let chosen = activation::log_softmax(logits, 1).gather(1, at);
    ((chosen * weights).sum().neg() / if total > 0.0 { total } else { 1.0 }, figures)
}

/// Negative log-likelihood of `target` under one row of logits, in nats.
///
/// # Panics
/// If there is no such class.
pub fn nats(logits: &[f32], target: u32) -> f64 {
    let (max, sum) = per_level_max_and_sum(logits);
    f64::from(sum).ln() + f64::from(max) - f64::from(logits[target as usize])
}

/// Replaces one row of logits by log-probabilities.
pub fn log_softmax(logits: &mut [f32]) {
    let (max, sum) = per_level_max_and_sum(logits);
    let shift = (f64::from(sum).ln() + f64::from(max)) as f32;
    logits.iter_mut().for_each(|z| *z -= shift);
}

/// The first class of the greatest value; `None` for an empty row.
pub fn argmax(row: &[f32]) -> Option<usize> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter().position(|z| *z == max)
}

fn per_level_max_and_sum(row: &[f32]) -> (f32, f32) {
    per_level!(Level::detect(), max_and_sum(row: &[f32]) -> (f32, f32))
}

/// Lanes in which rows are reduced: fixed, so that every level adds in the same order.
const WIDE: usize = 16;

#[inline(always)]
fn maximum(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; WIDE];
    let (chunks, rest) = row.as_chunks::<WIDE>();
    for chunk in chunks {
        for (m, z) in lanes.iter_mut().zip(chunk) {
            *m = if *z > *m { *z } else { *m };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn max_and_sum<const FMA: bool>(row: &[f32]) -> (f32, f32) {
    let max = maximum(row);
    let mut lanes = [0.0f32; WIDE];
    let (chunks, rest) = row.as_chunks::<WIDE>();
    for chunk in chunks {
        for (s, z) in lanes.iter_mut().zip(chunk) {
            *s += exp::<FMA>(*z - max);
        }
    }
    let rest: f32 = rest.iter().map(|z| exp::<FMA>(*z - max)).sum();
    (max, lanes.iter().sum::<f32>() + rest)
}

/// `gradient = scale * softmax(row)`; returns the row's maximum and sum of exponentials.
#[inline(always)]
fn scaled_softmax<const FMA: bool>(row: &[f32], scale: f32, gradient: &mut [f32]) -> (f32, f32) {
    let max = maximum(row);
    let mut lanes = [0.0f32; WIDE];
    let (chunks, rest) = row.as_chunks::<WIDE>();
    let (out, out_rest) = gradient.as_chunks_mut::<WIDE>();
    for (chunk, out) in chunks.iter().zip(out) {
        for ((s, z), g) in lanes.iter_mut().zip(chunk).zip(out) {
            *g = exp::<FMA>(*z - max);
            *s += *g;
        }
    }
    let mut sum_rest = 0.0;
    for (z, g) in rest.iter().zip(out_rest) {
        *g = exp::<FMA>(*z - max);
        sum_rest += *g;
    }
    let sum = lanes.iter().sum::<f32>() + sum_rest;
    let factor = scale / sum;
    gradient.iter_mut().for_each(|g| *g *= factor);
    (max, sum)
}

/// Rows that one task takes: fixed, so that the sums do not depend on the number of threads.
const ROWS: usize = 64;

fn batch_figures(
    classes: usize,
    logits: &[f32],
    targets: &[u32],
    weights: &[f32],
    gradient: Option<&mut [f32]>,
) -> Figures {
    let level = Level::detect();
    let counted: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let scale = if counted > 0.0 { 1.0 / counted } else { 0.0 };
    let one = |z: &[f32], target: u32, weight: f32, gradient: Option<&mut [f32]>| -> Figures {
        if weight == 0.0 {
            if let Some(gradient) = gradient {
                gradient.fill(0.0);
            }
            return Figures::default();
        }
        let share = (f64::from(weight) * scale) as f32;
        let (max, sum) = match gradient {
            Some(gradient) => {
                let found = per_level!(
                    level,
                    scaled_softmax(z: &[f32], share: f32, gradient: &mut [f32]) -> (f32, f32)
                );
                gradient[target as usize] -= share;
                found
            }
            None => per_level!(level, max_and_sum(z: &[f32]) -> (f32, f32)),
        };
        let own = z[target as usize];
        let nats = f64::from(sum).ln() + f64::from(max) - f64::from(own);
        let correct = own == max && z.iter().position(|z| *z == max) == Some(target as usize);
        Figures { nats: f64::from(weight) * nats, counted: 0.0, correct: usize::from(correct) }
    };
    let sums: Vec<Figures> = match gradient {
        Some(gradient) => logits
            .par_chunks(ROWS * classes)
            .zip(gradient.par_chunks_mut(ROWS * classes))
            .zip(targets.par_chunks(ROWS).zip(weights.par_chunks(ROWS)))
            .map(|((z, g), (t, w))| {
                let rows = z.chunks_exact(classes).zip(g.chunks_exact_mut(classes)).zip(t.iter().zip(w));
                rows.fold(Figures::default(), |sum, ((z, g), (t, w))| sum + one(z, *t, *w, Some(g)))
            })
            .collect(),
        None => logits
            .par_chunks(ROWS * classes)
            .zip(targets.par_chunks(ROWS).zip(weights.par_chunks(ROWS)))
            .map(|(z, (t, w))| {
                let rows = z.chunks_exact(classes).zip(t.iter().zip(w));
                rows.fold(Figures::default(), |sum, (z, (t, w))| sum + one(z, *t, *w, None))
            })
            .collect(),
    };
    let sum = sums.into_iter().fold(Figures::default(), |a, b| a + b);
    Figures { counted, ..sum }
}

/// The backend operation; see [`cross_entropy`].
#[backend_extension(Autodiff, Flex)]
pub trait CrossEntropyBackend: Backend {
    /// `[N, V]` -> `[1]`; `figures` receives the batch's figures.
    fn fused_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<[u32]>,
        weights: Arc<[f32]>,
        figures: Arc<Mutex<Figures>>,
    ) -> FloatTensor<Self>;
}

fn forward(
    logits: &FlexTensor,
    targets: &[u32],
    weights: &[f32],
    figures: &Mutex<Figures>,
    gradient: Option<&mut [f32]>,
) -> FlexTensor {
    let [rows, classes] = dims(logits);
    let found = match rows {
        0 => Figures::default(),
        _ => batch_figures(classes, values(logits), targets, weights, gradient),
    };
    *figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = found;
    let loss = if found.counted > 0.0 { found.nats / found.counted } else { 0.0 };
    tensor(Buffer::copy_of(&[loss as f32]), [1])
}

impl CrossEntropyBackend for Flex {
    fn fused_cross_entropy(
        logits: FlexTensor,
        targets: Arc<[u32]>,
        weights: Arc<[f32]>,
        figures: Arc<Mutex<Figures>>,
    ) -> FlexTensor {
        forward(&logits.to_contiguous(), &targets, &weights, &figures, None)
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 1> for CrossEntropyBackward {
    /// The gradient for an upstream gradient of 1; taken by the one backward pass.
    type State = ([usize; 2], Arc<Mutex<Option<Buffer>>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = values(&grads.consume::<Flex>(&ops.node).to_contiguous())[0];
        let (shape, gradient) = ops.state;
        let gradient = gradient.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let mut gradient = gradient.expect("burn runs each backward step once");
        let [to_logits] = ops.parents;
        if let Some(node) = to_logits {
            if upstream != 1.0 {
                gradient.iter_mut().for_each(|g| *g *= upstream);
            }
            grads.register::<Flex>(node.id, tensor(gradient, shape));
        }
    }
}

impl<C: CheckpointStrategy> CrossEntropyBackend for Autodiff<Flex, C> {
    fn fused_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<[u32]>,
        weights: Arc<[f32]>,
        figures: Arc<Mutex<Figures>>,
    ) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let logits = logits.into_primitive().to_contiguous();
        match CrossEntropyBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [rows, classes] = dims(&logits);
                let mut gradient = Buffer::unspecified(rows * classes);
                let loss = forward(&logits, &targets, &weights, &figures, Some(&mut gradient));
                prep.finish(([rows, classes], Arc::new(Mutex::new(Some(gradient)))), loss)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(&logits, &targets, &weights, &figures, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{below, normal, seeded, uniform};
    use burn::tensor::Device;

    fn case(rows: usize, classes: usize) -> (Vec<f32>, Vec<u32>, Vec<f32>) {
        let rng = &mut seeded((rows * classes) as u64);
        let logits = (0..rows * classes).map(|_| 3.0 * normal(rng)).collect();
        let targets = (0..rows).map(|_| below(rng, classes) as u32).collect();
        let weights = (0..rows).map(|n| if n % 3 == 1 { 0.0 } else { 0.5 + uniform(rng) }).collect();
        (logits, targets, weights)
    }

    #[test]
    fn equals_burns_own_operations_with_the_gradient() {
        let device = Device::flex().autodiff();
        for (rows, classes) in [(1, 1), (1, 2), (5, 17), (200, 300)] {
            let (z, targets, weights) = case(rows, classes);
            let z = Tensor::<2>::from_data(TensorData::new(z, [rows, classes]), &device).require_grad();
            let run = |fused: bool| {
                let f = if fused { cross_entropy } else { reference };
                let (loss, figures) = f(z.clone(), &targets, &weights);
                let grads = (loss.clone() * 3.0).backward();
                (values_of(loss)[0], figures, values_of(z.grad(&grads).unwrap()))
            };
            let ((a, fa, ga), (b, fb, gb)) = (run(true), run(false));
            assert!((a - b).abs() < 1e-5 * b.max(1.0), "{a} {b}");
            assert!((fa.nats - fb.nats).abs() < 1e-5 * fb.nats.max(1.0) && fa.correct == fb.correct);
            assert_eq!(fa.counted, fb.counted);
            assert!(ga.iter().zip(&gb).all(|(a, b)| (a - b).abs() < 1e-6), "{rows} x {classes}");
            let (plain, figures) = cross_entropy(z.clone().inner(), &targets, &weights);
            assert_eq!((values_of(plain)[0], figures), (a, fa));
        }
    }

    #[test]
    fn the_gradient_agrees_with_central_differences() {
        let device = Device::flex().autodiff();
        let (z, targets, weights) = case(4, 6);
        let tensor = |z: &[f32]| Tensor::<2>::from_data(TensorData::new(z.to_vec(), [4, 6]), &device).require_grad();
        let leaf = tensor(&z);
        let grads = cross_entropy(leaf.clone(), &targets, &weights).0.backward();
        let exact = values_of(leaf.grad(&grads).unwrap());
        for at in 0..z.len() {
            let moved = |by: f32| {
                let mut z = z.clone();
                z[at] += by;
                let figures = cross_entropy(tensor(&z), &targets, &weights).1;
                figures.nats / figures.counted
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(exact[at])).abs() < 1e-4, "at {at}: {numeric} {}", exact[at]);
        }
    }

    #[test]
    fn padding_counts_for_nothing_and_a_bad_number_shows() {
        let device = Device::flex();
        let tensor = |z: Vec<f32>| Tensor::<2>::from_data(TensorData::new(z, [2, 2]), &device);
        let (loss, figures) = cross_entropy(tensor(vec![0.0, 0.0, f32::NAN, 1.0]), &[0, 0], &[2.0, 0.0]);
        assert!((values_of(loss)[0] - 2f32.ln()).abs() < 1e-6);
        assert_eq!((figures.counted, figures.correct), (2.0, 1));
        let (loss, _) = cross_entropy(tensor(vec![0.0; 4]), &[0, 0], &[0.0, 0.0]);
        assert_eq!(values_of(loss), [0.0]);
        for bad in [f32::NAN, f32::INFINITY] {
            let (loss, _) = cross_entropy(tensor(vec![0.0, bad, 0.0, 0.0]), &[0, 0], &[1.0, 1.0]);
            assert!(!values_of(loss)[0].is_finite());
        }
    }

    #[test]
    fn log_probabilities_of_a_row() {
        let mut row = [1000.0, 1000.0 + 3f32.ln()];
        assert!((nats(&row, 0) - 4f64.ln()).abs() < 1e-4);
        log_softmax(&mut row);
        assert!((row[0] + 4f32.ln()).abs() < 1e-4 && (row[1] - 0.75f32.ln()).abs() < 1e-4);
        assert_eq!((argmax(&row), argmax(&[])), (Some(1), None));
    }
}
