//! A dense layer, `y = W x + b`, as one node.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use crate::initial;
use crate::packed::PackedMatrix;
use crate::params::values_of;
use crate::product::{column_sums, transposed_product};
use crate::random::Rng;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// A dense layer over the last axis.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[O, I]`, as in PyTorch
    pub weight: Param<Tensor<2>>,
    /// `[O]`
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    /// Weights uniform within Glorot's bound `sqrt(6 / (I + O))`, as in Keras; biases zero.
    pub fn new(input: usize, output: usize, rng: &mut Rng, device: &Device) -> Linear {
        let weight = initial::glorot(rng, input, output, input * output);
        Linear {
            weight: Param::from_data(TensorData::new(weight, [output, input]), device),
            bias: Param::from_data(TensorData::new(vec![0.0f32; output], [output]), device),
        }
    }

    /// The same layer, with weights so many times as large.
    pub fn scaled(self, by: f32, device: &Device) -> Linear {
        let (shape, values) = (self.weight.dims(), values_of(self.weight.val()));
        let values: Vec<f32> = values.into_iter().map(|w| w * by).collect();
        Linear { weight: Param::from_data(TensorData::new(values, shape), device), ..self }
    }

    /// A layer whose values are all uniform within `1 / sqrt(I)`, as PyTorch begins.
    pub fn uniform(input: usize, output: usize, rng: &mut Rng, device: &Device) -> Linear {
        let weight = initial::inverse_root(rng, input, input * output);
        let bias = initial::inverse_root(rng, input, output);
        Linear {
            weight: Param::from_data(TensorData::new(weight, [output, input]), device),
            bias: Param::from_data(TensorData::new(bias, [output]), device),
        }
    }

    /// As [`Linear::new`], with the given biases.
    pub fn with_bias(input: usize, bias: &[f32], rng: &mut Rng, device: &Device) -> Linear {
        let output = bias.len();
        let bias = Param::from_data(TensorData::new(bias.to_vec(), [output]), device);
        Linear { bias, ..Linear::new(input, output, rng, device) }
    }

    /// Features I of the input.
    pub fn input(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Features O of the output.
    pub fn output(&self) -> usize {
        self.weight.dims()[0]
    }

    /// # Shapes
    /// `x`: `[.., I]` -> `[.., O]`
    ///
    /// # Panics
    /// If the last axis of `x` is not I.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut shape = x.dims();
        assert_eq!(shape[D - 1], self.input(), "features of a dense layer's input");
        let rows = shape[..D - 1].iter().product();
        let x = x.reshape([rows, self.input()]);
        shape[D - 1] = self.output();
        if !is_fused(&x) {
            return self.reference(x).reshape(shape);
        }
        let y = <Dispatch as LinearBackend>::fused_linear(
            x.into_dispatch(),
            self.weight.val().into_dispatch(),
            self.bias.val().into_dispatch(),
        );
        Tensor::<2>::from_dispatch(y).reshape(shape)
    }

    fn reference(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze::<2>()
    }
}

/// The backend operation; see [`Linear::forward`].
#[backend_extension(Autodiff, Flex)]
pub trait LinearBackend: Backend {
    /// `[N, I]`, `[O, I]`, `[O]` -> `[N, O]`
    fn fused_linear(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn forward(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let ([rows, input], [output, _]) = (dims(x), dims(weight));
    let packed = PackedMatrix::new(input, output, values(weight), 1, input);
    let mut y = Buffer::unspecified(rows * output);
    packed.multiply_parallel(rows, values(x), input, &mut y, output, false);
    let bias = values(bias);
    y.par_chunks_mut((64 * output).max(1)).for_each(|rows| {
        for row in rows.chunks_exact_mut(output) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    });
    tensor(y, [rows, output])
}

impl LinearBackend for Flex {
    fn fused_linear(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        forward(&x.to_contiguous(), &weight.to_contiguous(), &bias.to_contiguous())
    }
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (x, weight) = ops.state;
        let ([rows, input], [output, _]) = (dims(&x), dims(&weight));
        let [to_x, to_weight, to_bias] = ops.parents;
        if let Some(node) = to_x {
            let packed = PackedMatrix::new(output, input, values(&weight), input, 1);
            let mut dx = Buffer::unspecified(rows * input);
            packed.multiply_parallel(rows, values(&dy), output, &mut dx, input, false);
            grads.register::<Flex>(node.id, tensor(dx, [rows, input]));
        }
        if let Some(node) = to_weight {
            let mut dw = Buffer::unspecified(output * input);
            transposed_product([rows, output, input], values(&dy), values(&x), &mut dw);
            grads.register::<Flex>(node.id, tensor(dw, [output, input]));
        }
        if let Some(node) = to_bias {
            let mut db = Buffer::unspecified(output);
            column_sums(output, output, values(&dy), &mut db);
            grads.register::<Flex>(node.id, tensor(db, [output]));
        }
    }
}

impl<C: CheckpointStrategy> LinearBackend for Autodiff<Flex, C> {
    fn fused_linear(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let x = x.into_primitive().to_contiguous();
        let weight = weight.into_primitive().to_contiguous();
        let y = forward(&x, &weight, &bias.into_primitive().to_contiguous());
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight), y),
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
    fn equals_burns_own_operations_with_every_gradient() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(1);
        for (t, b, i, o) in [(1, 1, 1, 1), (3, 4, 5, 7), (9, 40, 33, 65)] {
            let mut layer = Linear::new(i, o, rng, &device);
            let bias: Vec<f32> = (0..o).map(|_| normal(rng)).collect();
            layer.bias = Param::from_data(TensorData::new(bias, [o]), &device);
            let mut tensor = |shape: [usize; 3]| {
                let values: Vec<f32> = (0..shape.iter().product()).map(|_| normal(rng)).collect();
                Tensor::<3>::from_data(TensorData::new(values, shape), &device)
            };
            let (x, direction) = (tensor([t, b, i]).require_grad(), tensor([t, b, o]));
            let run = |fused: bool| {
                let y = match fused {
                    true => layer.forward(x.clone()),
                    false => layer.reference(x.clone().reshape([t * b, i])).reshape([t, b, o]),
                };
                let grads = (y.clone() * direction.clone()).sum().backward();
                [
                    values_of(y),
                    values_of(x.grad(&grads).unwrap()),
                    values_of(layer.weight.val().grad(&grads).unwrap()),
                    values_of(layer.bias.val().grad(&grads).unwrap()),
                ]
            };
            for (fused, reference) in run(true).iter().zip(run(false)) {
                assert!(fused.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)));
            }
        }
    }
}
