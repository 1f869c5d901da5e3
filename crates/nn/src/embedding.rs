//! A table of vectors, looked up by index; its gradient is added row by row, never through one-hot vectors.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use crate::initial;
use crate::random::Rng;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;

/// A vector for each index below V.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[V, E]`
    pub table: Param<Tensor<2>>,
}

impl Embedding {
    /// Normal values with standard deviation 1 / sqrt(E), so that a row has length 1 on average.
    pub fn new(vocabulary: usize, width: usize, rng: &mut Rng, device: &Device) -> Embedding {
        Self::with_deviation(vocabulary, width, 1.0 / (width.max(1) as f32).sqrt(), rng, device)
    }

    /// Normal values with standard deviation `s` (PyTorch: 1).
    pub fn with_deviation(vocabulary: usize, width: usize, s: f32, rng: &mut Rng, device: &Device) -> Embedding {
        let table = initial::gaussian(rng, s, vocabulary * width);
        Embedding { table: Param::from_data(TensorData::new(table, [vocabulary, width]), device) }
    }

    /// Rows V.
    pub fn vocabulary(&self) -> usize {
        self.table.dims()[0]
    }

    /// Values E of a row.
    pub fn width(&self) -> usize {
        self.table.dims()[1]
    }

    /// # Shapes
    /// `indices`: `[N]` -> `[N, E]`
    ///
    /// # Panics
    /// If an index is not below V.
    pub fn forward(&self, indices: &[u32]) -> Tensor<2> {
        rows(self.table.val(), indices)
    }

    /// # Shapes
    /// `indices`: `[T, B]`, row by row -> `[T, B, E]`
    ///
    /// # Panics
    /// If an index is not below V, or there are not T * B of them.
    pub fn forward_sequence(&self, indices: &[u32], steps: usize, batch: usize) -> Tensor<3> {
        assert_eq!(indices.len(), steps * batch, "indices of {steps} steps of {batch} rows");
        self.forward(indices).reshape([steps, batch, self.width()])
    }
}

/// The rows of a table, each as often as it is named.
///
/// # Shapes
/// `table`: `[V, E]`, `indices`: `[N]` -> `[N, E]`
///
/// # Panics
/// If an index is not below V.
pub fn rows(table: Tensor<2>, indices: &[u32]) -> Tensor<2> {
    let [count, _] = table.dims();
    assert!(indices.iter().all(|i| (*i as usize) < count), "an index beyond the {count} rows of an embedding");
    if !is_fused(&table) {
        let indices: Vec<i64> = indices.iter().map(|i| i64::from(*i)).collect();
        let n = indices.len();
        let device = table.device();
        return table.select(0, Tensor::<1, Int>::from_data(TensorData::new(indices, [n]), &device));
    }
    Tensor::from_dispatch(<Dispatch as EmbeddingBackend>::fused_gather(table.into_dispatch(), indices.into()))
}

/// The backend operation; see [`rows`].
#[backend_extension(Autodiff, Flex)]
pub trait EmbeddingBackend: Backend {
    /// `[V, E]`, N indices below V -> `[N, E]`
    fn fused_gather(table: FloatTensor<Self>, indices: Arc<[u32]>) -> FloatTensor<Self>;
}

fn gather(table: &FlexTensor, indices: &[u32]) -> FlexTensor {
    let [_, width] = dims(table);
    let table = values(table);
    let mut y = Buffer::unspecified(indices.len() * width);
    for (row, index) in y.chunks_exact_mut(width.max(1)).zip(indices) {
        row.copy_from_slice(&table[*index as usize * width..][..width]);
    }
    tensor(y, [indices.len(), width])
}

impl EmbeddingBackend for Flex {
    fn fused_gather(table: FlexTensor, indices: Arc<[u32]>) -> FlexTensor {
        gather(&table.to_contiguous(), &indices)
    }
}

#[derive(Debug)]
struct GatherBackward;

impl Backward<Flex, 1> for GatherBackward {
    type State = ([usize; 2], Arc<[u32]>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([rows, width], indices) = ops.state;
        let [to_table] = ops.parents;
        if let Some(node) = to_table {
            let mut gradient = Buffer::zeros(rows * width);
            for (dy, index) in values(&dy).chunks_exact(width.max(1)).zip(indices.iter()) {
                let row = &mut gradient[*index as usize * width..][..width];
                row.iter_mut().zip(dy).for_each(|(g, d)| *g += d);
            }
            grads.register::<Flex>(node.id, tensor(gradient, [rows, width]));
        }
    }
}

impl<C: CheckpointStrategy> EmbeddingBackend for Autodiff<Flex, C> {
    fn fused_gather(table: FloatTensor<Self>, indices: Arc<[u32]>) -> FloatTensor<Self> {
        let nodes = [table.node()];
        let table = table.into_primitive().to_contiguous();
        let y = gather(&table, &indices);
        match GatherBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((dims(&table), indices), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{normal, seeded};

    #[test]
    fn equals_burns_own_lookup_with_its_gradient() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(3);
        let embedding = Embedding::new(6, 5, rng, &device);
        let indices = [0u32, 3, 3, 5, 0, 3];
        let direction: Vec<f32> = (0..30).map(|_| normal(rng)).collect();
        let direction = Tensor::<2>::from_data(TensorData::new(direction, [6, 5]), &device);
        let ints = Tensor::<1, Int>::from_data(indices.map(i64::from), &device);
        let run = |y: Tensor<2>| {
            let grads = (y.clone() * direction.clone()).sum().backward();
            (values_of(y), values_of(embedding.table.val().grad(&grads).unwrap()))
        };
        let (y, dy) = run(embedding.forward(&indices));
        let (expected, d_expected) = run(embedding.table.val().select(0, ints));
        assert_eq!(y, expected);
        assert!(dy.iter().zip(&d_expected).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(dy[5..15].iter().all(|d| *d == 0.0), "rows that no index names");
        assert_eq!(embedding.forward_sequence(&indices, 3, 2).dims(), [3, 2, 5]);
    }

    #[test]
    #[should_panic(expected = "beyond the 4 rows")]
    fn an_unknown_index_is_refused() {
        Embedding::new(4, 2, &mut seeded(1), &Device::flex()).forward(&[4]);
    }
}
