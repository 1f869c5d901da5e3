//! Attention over fixed lags: a weighted mean of what was there so and so many steps before.
//!
//! ```text
//! a_t = softmax(z_t)        read_t = sum_k a_t[k] x_(t + 1 - H[k])
//! ```
//! Lags count from the step that is being predicted: step t has read x_t and predicts x_(t+1), so that a lag of 1 is x_t itself.
//!
//! Source: I. Ivanov, neural generation of polyphonic music (diploma thesis, Moscow State University, 2018), section 6.3, figure 12.
//!
//! Cost: `4 K D` floating-point operations per position, and K values kept for each.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData, activation, s};
use rayon::prelude::*;
use std::sync::Arc;

/// A place in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// How many steps before the step that is being predicted.
    pub steps: usize,
    /// How many steps before the first of the sequence it still sees; beyond, it reads zeros.
    pub reaches: usize,
}

/// What was there: `past` steps before the sequence, and the sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// `[past + T, B, D]`: step t of the sequence is row `past + t`.
    pub values: Arc<[f32]>,
    /// Steps before the sequence.
    pub past: usize,
    /// Features D.
    pub width: usize,
    /// The lags.
    pub lags: Arc<[Lag]>,
}

impl History {
    /// What lag k reads at step t of row b, or `None` where it sees nothing.
    fn read(&self, batch: usize, t: usize, b: usize, lag: Lag) -> Option<&[f32]> {
        let step = (self.past + t + 1).checked_sub(lag.steps)?;
        let hidden = self.past.saturating_sub(lag.reaches);
        let at = (step * batch + b) * self.width;
        (step >= hidden).then(|| &self.values[at..at + self.width])
    }
}

/// `[beside, read]`: the read values, put after `beside` for the layer that takes both.
///
/// # Shapes
/// `beside`: `[T, B, L]`, `scores`: `[T, B, K]` -> `[T, B, L + D]`
///
/// # Panics
/// If the shapes do not agree or a lag is zero.
pub fn attend(beside: Tensor<3>, scores: Tensor<3>, history: &History) -> Tensor<3> {
    let ([steps, batch, _], scored) = (beside.dims(), scores.dims());
    assert_eq!(scored, [steps, batch, history.lags.len()], "scores of the lags");
    assert_eq!(history.values.len(), (history.past + steps) * batch * history.width, "the history of the sequence");
    assert!(history.lags.iter().all(|lag| lag.steps > 0), "a lag of zero is what is being predicted");
    if !is_fused(&beside) {
        return reference(beside, scores, history);
    }
    let out = <Dispatch as LagAttentionBackend>::fused_lag_attention(
        beside.into_dispatch(),
        scores.into_dispatch(),
        history.clone(),
    );
    Tensor::from_dispatch(out)
}

/// [`attend`] made of burn's own operations.
pub fn reference(beside: Tensor<3>, scores: Tensor<3>, history: &History) -> Tensor<3> {
    let [steps, batch, lags] = scores.dims();
    let weights = activation::softmax(scores, 2);
    let mut read = Tensor::zeros([steps, batch, history.width], &beside.device());
    for k in 0..lags {
        let mut values = vec![0.0; steps * batch * history.width];
        for (row, x) in values.chunks_exact_mut(history.width).enumerate() {
            if let Some(found) = history.read(batch, row / batch, row % batch, history.lags[k]) {
                x.copy_from_slice(found);
            }
        }
        let x = Tensor::<3>::from_data(TensorData::new(values, [steps, batch, history.width]), &beside.device());
        read = read + weights.clone().slice(s![.., .., k..k + 1]) * x;
    }
    Tensor::cat(vec![beside, read], 2)
}

/// One row of scores as weights.
pub fn weights(scores: &[f32], weights: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    weights.iter_mut().zip(scores).for_each(|(a, z)| *a = (z - highest).exp());
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|a| *a /= sum);
}

/// The backend operation; see [`attend`].
#[backend_extension(Autodiff, Flex)]
pub trait LagAttentionBackend: Backend {
    /// `[T, B, L]`, `[T, B, K]` -> `[T, B, L + D]`
    fn fused_lag_attention(beside: FloatTensor<Self>, scores: FloatTensor<Self>, history: History)
    -> FloatTensor<Self>;
}

/// Returns the output and the weights `[T, B, K]`.
fn forward(beside: &FlexTensor, scores: &FlexTensor, history: &History) -> (FlexTensor, Buffer) {
    let ([steps, batch, wide], [_, _, lags]) = (dims(beside), dims(scores));
    let (width, rows) = (wide + history.width, steps * batch);
    let (mut out, mut all_weights) = (Buffer::unspecified(rows * width), Buffer::unspecified(rows * lags));
    if rows > 0 {
        let (beside, scores) = (values(beside), values(scores));
        let steps = out.par_chunks_mut(batch * width).zip(all_weights.par_chunks_mut(batch * lags));
        steps.enumerate().for_each(|(t, (out, step_weights))| {
            for (b, (out, a)) in out.chunks_exact_mut(width).zip(step_weights.chunks_exact_mut(lags)).enumerate() {
                let row = t * batch + b;
                weights(&scores[row * lags..(row + 1) * lags], a);
                let (copied, read) = out.split_at_mut(wide);
                copied.copy_from_slice(&beside[row * wide..(row + 1) * wide]);
                read.fill(0.0);
                for (a, lag) in a.iter().zip(history.lags.iter()) {
                    if let Some(x) = history.read(batch, t, b, *lag) {
                        read.iter_mut().zip(x).for_each(|(r, x)| *r += a * x);
                    }
                }
            }
        });
    }
    (tensor(out, [steps, batch, width]), all_weights)
}

/// The gradients with respect to `beside` and `scores`; replaces `weights` by the latter.
fn backward(dy: &[f32], [steps, batch, wide]: [usize; 3], mut weights: Buffer, history: &History) -> (Buffer, Buffer) {
    let (width, lags) = (wide + history.width, history.lags.len());
    let mut of_beside = Buffer::unspecified(steps * batch * wide);
    if steps * batch > 0 && wide > 0 {
        of_beside.par_chunks_mut(batch * wide).zip(dy.par_chunks(batch * width)).for_each(|(to, from)| {
            to.chunks_exact_mut(wide).zip(from.chunks_exact(width)).for_each(|(to, from)| {
                to.copy_from_slice(&from[..wide]);
            });
        });
    }
    if steps * batch > 0 && lags > 0 {
        weights.par_chunks_mut(batch * lags).enumerate().for_each(|(t, weights)| {
            let mut of_weights = vec![0.0f32; lags];
            for (b, a) in weights.chunks_exact_mut(lags).enumerate() {
                let of_read = &dy[(t * batch + b) * width + wide..][..history.width];
                for (d, lag) in of_weights.iter_mut().zip(history.lags.iter()) {
                    let x = history.read(batch, t, b, *lag).unwrap_or(&[]);
                    *d = x.iter().zip(of_read).map(|(x, d)| x * d).sum();
                }
                let mean: f32 = a.iter().zip(&of_weights).map(|(a, d)| a * d).sum();
                a.iter_mut().zip(&of_weights).for_each(|(a, d)| *a *= d - mean);
            }
        });
    }
    (of_beside, weights)
}

impl LagAttentionBackend for Flex {
    fn fused_lag_attention(beside: FlexTensor, scores: FlexTensor, history: History) -> FlexTensor {
        forward(&beside.to_contiguous(), &scores.to_contiguous(), &history).0
    }
}

#[derive(Debug)]
struct LagAttentionBackward;

impl Backward<Flex, 2> for LagAttentionBackward {
    /// Shape of `beside`, the weights, the history.
    type State = ([usize; 3], Arc<Buffer>, History);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (shape, weights, history) = ops.state;
        let weights = Arc::try_unwrap(weights).unwrap_or_else(|shared| Buffer::clone(&shared));
        let (of_beside, of_scores) = backward(values(&dy), shape, weights, &history);
        let [to_beside, to_scores] = ops.parents;
        if let Some(node) = to_beside {
            grads.register::<Flex>(node.id, tensor(of_beside, shape));
        }
        if let Some(node) = to_scores {
            grads.register::<Flex>(node.id, tensor(of_scores, [shape[0], shape[1], history.lags.len()]));
        }
    }
}

impl<C: CheckpointStrategy> LagAttentionBackend for Autodiff<Flex, C> {
    fn fused_lag_attention(
        beside: FloatTensor<Self>,
        scores: FloatTensor<Self>,
        history: History,
    ) -> FloatTensor<Self> {
        let nodes = [beside.node(), scores.node()];
        let beside = beside.into_primitive().to_contiguous();
        let (out, weights) = forward(&beside, &scores.into_primitive().to_contiguous(), &history);
        match LagAttentionBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((dims(&beside), Arc::new(weights), history), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{normal, seeded};
    use burn::tensor::Device;

    fn history(past: usize, steps: usize, batch: usize, width: usize, lags: &[(usize, usize)]) -> History {
        let rng = &mut seeded(2);
        History {
            values: (0..(past + steps) * batch * width).map(|_| normal(rng)).collect(),
            past,
            width,
            lags: lags.iter().map(|&(steps, reaches)| Lag { steps, reaches }).collect(),
        }
    }

    fn tensor3(shape: [usize; 3], seed: u64, device: &Device) -> Tensor<3> {
        let rng = &mut seeded(seed);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| normal(rng)).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    const LAGS: [(usize, usize); 5] = [(1, 6), (2, 6), (3, 0), (6, 6), (6, 2)];

    #[test]
    fn equals_burns_own_operations_with_every_gradient() {
        let device = Device::flex().autodiff();
        for (steps, batch, wide, width) in [(1, 1, 1, 1), (7, 3, 5, 4), (9, 33, 2, 12)] {
            let history = history(6, steps, batch, width, &LAGS);
            let direction = tensor3([steps, batch, wide + width], 5, &device);
            let run = |fused: bool| {
                let beside = tensor3([steps, batch, wide], 3, &device).require_grad();
                let scores = tensor3([steps, batch, LAGS.len()], 4, &device).require_grad();
                let f = if fused { attend } else { reference };
                let out = f(beside.clone(), scores.clone(), &history);
                let grads = (out.clone() * direction.clone()).sum().backward();
                let found = [values_of(out), values_of(beside.grad(&grads).unwrap())];
                [found[0].clone(), found[1].clone(), values_of(scores.grad(&grads).unwrap())]
            };
            for (fused, reference) in run(true).iter().zip(run(false)) {
                assert!(fused.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(1.0)));
            }
        }
    }

    #[test]
    fn the_gradient_agrees_with_central_differences() {
        let device = Device::flex().autodiff();
        let history = history(6, 4, 2, 3, &LAGS);
        let direction = values_of(tensor3([4, 2, 5], 5, &device));
        let beside = tensor3([4, 2, 2], 3, &device);
        let scores = values_of(tensor3([4, 2, LAGS.len()], 4, &device));
        let leaf =
            |scores: &[f32]| Tensor::<3>::from_data(TensorData::new(scores.to_vec(), [4, 2, LAGS.len()]), &device);
        let loss = |scores: &[f32]| -> f64 {
            let out = values_of(attend(beside.clone(), leaf(scores), &history));
            out.iter().zip(&direction).map(|(y, d)| f64::from(*y) * f64::from(*d)).sum()
        };
        let tracked = leaf(&scores).require_grad();
        let direction_tensor = Tensor::<3>::from_data(TensorData::new(direction.clone(), [4, 2, 5]), &device);
        let grads = (attend(beside.clone(), tracked.clone(), &history) * direction_tensor).sum().backward();
        let exact = values_of(tracked.grad(&grads).unwrap());
        for at in 0..scores.len() {
            let moved = |by: f32| {
                let mut scores = scores.clone();
                scores[at] += by;
                loss(&scores)
            };
            let numeric = (moved(5e-3) - moved(-5e-3)) / 1e-2;
            assert!((numeric - f64::from(exact[at])).abs() < 2e-3, "at {at}: {numeric} {}", exact[at]);
        }
    }

    #[test]
    fn a_lag_reads_the_step_that_it_says() {
        // The value of each step is its number, counted from the first of the past: 0, 1, 2, ...
        let (past, steps) = (6usize, 5usize);
        let device = Device::flex();
        for (lag, reaches) in [(1, 6), (2, 6), (5, 6), (6, 6), (4, 0), (4, 2), (40, 6)] {
            let history = History {
                values: (0..past + steps).map(|step| 100.0 + step as f32).collect(),
                past,
                width: 1,
                lags: [Lag { steps: lag, reaches }].into(),
            };
            let read = values_of(attend(
                Tensor::zeros([steps, 1, 1], &device),
                Tensor::zeros([steps, 1, 1], &device),
                &history,
            ));
            for t in 0..steps {
                let step = (past + t + 1).checked_sub(lag).filter(|step| *step >= past - reaches);
                let expected = step.map_or(0.0, |step| 100.0 + step as f32);
                assert_eq!(read[2 * t + 1], expected, "lag {lag} reaching {reaches} at step {t}");
            }
        }
    }
}
