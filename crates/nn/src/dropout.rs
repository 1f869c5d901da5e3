//! Dropout whose mask is a function of counters: nothing is drawn, nothing is stored.
//!
//! Element `index` of layer `layer` at training step `step` is kept where a hash of (seed, step, layer, index) is at
//! least `p 2^32`, and scaled by `1 / (1 - p)`. The backward pass computes the same mask again, which is cheaper than
//! to keep it, and a resumed run sees the masks that it would have seen.
//!
//! Source: Srivastava et al., JMLR 15, 2014 (inverted, as everywhere today). The hash is C. Wellons' `lowbias32`, twice.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, is_fused, values};
use crate::random::mix;
use crate::simd::{Level, per_level};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DType, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

/// Which mask: fixed by these three and the position of the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskKey {
    /// The run's seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// The layer within the network.
    pub layer: u64,
}

/// Zeroes each value with probability `p` and scales the others by `1 / (1 - p)`.
///
/// `key` is `None` in evaluation: then, and where `p` is 0, the result is `x` itself.
///
/// # Shapes
/// any -> the same
///
/// # Panics
/// If `p` is not within [0, 1).
pub fn dropout<const D: usize>(x: Tensor<D>, p: f32, key: Option<MaskKey>) -> Tensor<D> {
    assert!((0.0..1.0).contains(&p), "a dropout probability of {p}");
    let Some(key) = key.filter(|_| p > 0.0) else { return x };
    let mask = Mask::new(p, key);
    if !is_fused(&x) {
        let shape = x.dims();
        let mut values = vec![1.0; shape.iter().product()];
        mask.apply(&mut values);
        return x.clone() * Tensor::<D>::from_data(TensorData::new(values, shape), &x.device());
    }
    Tensor::from_dispatch(<Dispatch as DropoutBackend>::fused_dropout(x.into_dispatch(), mask))
}

/// The mask of one application, ready to be computed.
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    key: u64,
    threshold: u32,
    scale: f32,
}

/// Elements that one task takes; each chunk has keys of its own, so that positions never overflow 32 bits.
const CHUNK: usize = 1 << 15;

impl Mask {
    fn new(p: f32, key: MaskKey) -> Mask {
        let threshold = (f64::from(p) * 4_294_967_296.0) as u32;
        let key = mix(mix(mix(key.seed) ^ key.step) ^ key.layer);
        Mask { key, threshold, scale: 1.0 / (1.0 - p) }
    }

    /// Multiplies `values`, which start at position 0, by the mask.
    fn apply(self, values: &mut [f32]) {
        let level = Level::detect();
        values.par_chunks_mut(CHUNK).enumerate().for_each(|(at, chunk)| self.chunk(level, at, chunk));
    }

    /// `y = x * mask`
    fn apply_to(self, x: &[f32], y: &mut [f32]) {
        let level = Level::detect();
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(at, (y, x))| {
            y.copy_from_slice(x);
            self.chunk(level, at, y);
        });
    }

    fn chunk(self, level: Level, at: usize, values: &mut [f32]) {
        let key = mix(self.key ^ at as u64);
        let mask = self;
        per_level!(level, mask_any(mask: Mask, key: u64, values: &mut [f32]));
    }
}

/// A bijection of 32 bits whose output bits each depend on every input bit (`lowbias32`).
#[inline(always)]
fn scramble(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[inline(always)]
fn mask_any<const FMA: bool>(mask: Mask, key: u64, values: &mut [f32]) {
    let (low, high) = (key as u32, (key >> 32) as u32);
    for (i, v) in values.iter_mut().enumerate() {
        let hash = scramble(scramble((i as u32) ^ low).wrapping_add(high));
        *v *= if hash >= mask.threshold { mask.scale } else { 0.0 };
    }
}

/// The backend operation; see [`dropout`].
#[backend_extension(Autodiff, Flex)]
pub trait DropoutBackend: Backend {
    /// `x * mask`
    fn fused_dropout(x: FloatTensor<Self>, mask: Mask) -> FloatTensor<Self>;
}

fn masked(x: &FlexTensor, mask: Mask) -> FlexTensor {
    let x = x.to_contiguous();
    let from = values(&x);
    let mut y = Buffer::unspecified(from.len());
    mask.apply_to(from, &mut y);
    FlexTensor::from_data(TensorData::from_bytes(y.into_bytes(), x.layout().shape().clone(), DType::F32))
}

impl DropoutBackend for Flex {
    fn fused_dropout(x: FlexTensor, mask: Mask) -> FlexTensor {
        masked(&x, mask)
    }
}

#[derive(Debug)]
struct DropoutBackward;

impl Backward<Flex, 1> for DropoutBackward {
    type State = Mask;

    fn backward(self, ops: Ops<Mask, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [to_x] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, masked(&dy, ops.state));
        }
    }
}

impl<C: CheckpointStrategy> DropoutBackend for Autodiff<Flex, C> {
    fn fused_dropout(x: FloatTensor<Self>, mask: Mask) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let y = masked(&x.into_primitive(), mask);
        match DropoutBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(mask, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use burn::tensor::Device;

    const KEY: MaskKey = MaskKey { seed: 1, step: 2, layer: 3 };

    fn mask_of(n: usize, p: f32, key: MaskKey) -> Vec<f32> {
        let mut values = vec![1.0; n];
        Mask::new(p, key).apply(&mut values);
        values
    }

    #[test]
    fn drops_the_right_share_independently() {
        let n = 200_000;
        let masks: Vec<Vec<f32>> =
            [KEY, MaskKey { step: 3, ..KEY }, MaskKey { layer: 4, ..KEY }, MaskKey { seed: 2, ..KEY }]
                .map(|key| mask_of(n, 0.3, key))
                .into();
        let kept = |v: &[f32]| v.iter().filter(|m| **m > 0.0).count() as f64 / n as f64;
        for (at, mask) in masks.iter().enumerate() {
            assert!((kept(mask) - 0.7).abs() < 0.005, "{at}");
            assert!(mask.iter().all(|m| *m == 0.0 || (*m - 1.0 / 0.7).abs() < 1e-6));
            let neighbours: Vec<f32> = mask.windows(2).map(|w| w[0] * w[1]).collect();
            assert!((kept(&neighbours) - 0.49).abs() < 0.006, "neighbours in {at}");
            for other in &masks[at + 1..] {
                let both: Vec<f32> = mask.iter().zip(other).map(|(a, b)| a * b).collect();
                assert!((kept(&both) - 0.49).abs() < 0.006, "two masks");
            }
        }
    }

    #[test]
    fn every_level_and_thread_count_makes_the_same_mask() {
        let whole = mask_of(100_000, 0.5, KEY);
        for level in Level::available() {
            let mut chunk = vec![1.0; CHUNK];
            Mask::new(0.5, KEY).chunk(level, 1, &mut chunk);
            assert_eq!(chunk, whole[CHUNK..2 * CHUNK]);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| mask_of(100_000, 0.5, KEY)), whole);
    }

    #[test]
    fn the_gradient_passes_the_same_mask() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::ones([30, 40], &device).require_grad();
        let y = dropout(x.clone(), 0.25, Some(KEY));
        let grads = y.clone().sum().backward();
        assert_eq!(values_of(y.clone()), values_of(x.grad(&grads).unwrap()));
        assert_eq!(values_of(y), mask_of(1200, 0.25, KEY));
    }

    #[test]
    fn is_the_identity_without_probability_or_training() {
        let x = Tensor::<1>::from_data([1.0f32, -2.0], &Device::flex());
        assert_eq!(values_of(dropout(x.clone(), 0.0, Some(KEY))), [1.0, -2.0]);
        assert_eq!(values_of(dropout(x, 0.9, None)), [1.0, -2.0]);
    }
}
