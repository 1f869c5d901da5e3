//! Gradients made by hand enter burn's graph.
//!
//! A computation that knows its derivatives already (a loss at the end of a network, made on plain slices) needs no node of its own:
//! for each tensor x that it read, with the derivative g of its result by x, [`given_gradient`] is a zero whose derivative by x is g.
//! The result, plus these zeros, is a tensor with the right value and the right gradients.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, is_fused, tensor};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DType, Dispatch, Flex, backend_extension};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// A zero whose derivative by `x` is `gradient`.
///
/// # Shapes
/// `x`: any, `gradient`: its values row by row -> `[1]`
///
/// # Panics
/// If the lengths differ.
pub fn given_gradient<const D: usize>(x: Tensor<D>, gradient: Buffer) -> Tensor<1> {
    let shape = x.dims();
    assert_eq!(gradient.len(), shape.iter().product::<usize>(), "a gradient of {shape:?}");
    if !is_fused(&x) {
        let gradient = Tensor::<D>::from_data(TensorData::new(gradient.to_vec(), shape), &x.device());
        let product = (x * gradient).sum();
        return product.clone() - product.detach();
    }
    Tensor::from_dispatch(<Dispatch as GivenGradientBackend>::given_gradient(x.into_dispatch(), Arc::new(gradient)))
}

/// `loss`, by which a parameter gets this gradient.
pub(crate) fn give<const D: usize>(loss: Tensor<1>, x: &Param<Tensor<D>>, gradient: &[f32]) -> Tensor<1> {
    loss + given_gradient(x.val(), Buffer::copy_of(gradient))
}

/// The backend operation; see [`given_gradient`].
#[backend_extension(Autodiff, Flex)]
pub trait GivenGradientBackend: Backend {
    /// any -> `[1]`
    fn given_gradient(x: FloatTensor<Self>, gradient: Arc<Buffer>) -> FloatTensor<Self>;
}

fn zero() -> FlexTensor {
    tensor(Buffer::zeros(1), [1])
}

impl GivenGradientBackend for Flex {
    fn given_gradient(_: FlexTensor, _: Arc<Buffer>) -> FlexTensor {
        zero()
    }
}

#[derive(Debug)]
struct GivenGradientBackward;

impl Backward<Flex, 1> for GivenGradientBackward {
    /// The gradient, and the shape of what it belongs to.
    type State = (Arc<Buffer>, Vec<usize>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = crate::flex::values(&grads.consume::<Flex>(&ops.node).to_contiguous())[0];
        let (gradient, shape) = ops.state;
        let [to_x] = ops.parents;
        if let Some(node) = to_x {
            let mut gradient = Arc::try_unwrap(gradient).unwrap_or_else(|shared| Buffer::clone(&shared));
            if upstream != 1.0 {
                gradient.iter_mut().for_each(|g| *g *= upstream);
            }
            let gradient = FlexTensor::from_data(TensorData::from_bytes(gradient.into_bytes(), shape, DType::F32));
            grads.register::<Flex>(node.id, gradient);
        }
    }
}

impl<C: CheckpointStrategy> GivenGradientBackend for Autodiff<Flex, C> {
    fn given_gradient(x: FloatTensor<Self>, gradient: Arc<Buffer>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let x = x.into_primitive();
        let shape = x.layout().shape().iter().copied().collect();
        match GivenGradientBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((gradient, shape), zero()),
            OpsKind::UnTracked(prep) => prep.finish(zero()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use burn::tensor::Device;

    #[test]
    fn a_zero_has_the_gradient_that_it_was_given() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data(TensorData::new(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]), &device);
        let x = x.require_grad();
        let gradient = [0.5, -1.0, 2.0, 0.0, 3.0, 7.0];
        // By way of another operation, and scaled: 2 * 3 in all.
        let zero = given_gradient(x.clone() * 2.0, Buffer::copy_of(&gradient));
        assert_eq!(values_of(zero.clone()), [0.0]);
        let found = values_of(x.grad(&(zero * 3.0).backward()).unwrap());
        assert_eq!(found, gradient.map(|g| 6.0 * g));
    }
}
