//! Between burn's CPU tensors and the slices that kernels work on.

use crate::buffer::Buffer;
use burn::backend::tensor::FloatTensor;
use burn::backend::{DType, Flex};
use burn::tensor::{Tensor, TensorData};

/// burn's CPU tensor.
pub(crate) type FlexTensor = FloatTensor<Flex>;

/// The values of a contiguous `f32` tensor.
///
/// # Panics
/// If the tensor is not contiguous (callers call `to_contiguous` first) or holds another type than `f32`, which this
/// crate's modules never make.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().expect("a contiguous f32 tensor")
}

/// A tensor over a pooled buffer, without copying.
pub(crate) fn tensor<const D: usize>(buffer: Buffer, shape: [usize; D]) -> FlexTensor {
    assert_eq!(buffer.len(), shape.iter().product::<usize>(), "a buffer against {shape:?}");
    FlexTensor::from_data(TensorData::from_bytes(buffer.into_bytes(), shape, DType::F32))
}

/// The sizes of a tensor.
pub(crate) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    std::array::from_fn(|d| shape[d])
}

/// Whether the fused kernels serve this tensor: burn's CPU backend, with or without autodiff.
pub(crate) fn is_fused<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.clone().inner().try_into_primitive::<Flex>().is_ok_and(|t| t.dtype() == DType::F32)
}
