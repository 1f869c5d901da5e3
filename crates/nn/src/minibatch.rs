//! Minibatch discrimination: what a critic is told of how near the others of a minibatch are, so that pieces that are all alike give themselves away.
//!
//! ```text
//! M_i = f_i T                                          f_i: A features of a piece, T: A x (K x C)
//! o_ik = sum_{j != i} exp(-|M_ik - M_jk|_1)
//! ```
//!
//! Source: T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498v1, section 3.2.
//! Departure: a piece's nearness to itself, which is always 1, is left out.

use crate::initial;
use crate::random::Rng;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// The layer.
#[derive(Module, Debug)]
pub struct Minibatch {
    /// T: `[A, K * C]`
    pub weight: Param<Tensor<2>>,
}

impl Minibatch {
    /// A layer of `kernels` nearnesses, each in so many dimensions; weights within Glorot's bound.
    pub fn new(features: usize, (kernels, dimensions): (usize, usize), rng: &mut Rng, device: &Device) -> Minibatch {
        let output = kernels * dimensions;
        let weight = initial::glorot(rng, features, output, features * output);
        Minibatch { weight: Param::from_data(TensorData::new(weight, [features, output]), device) }
    }

    /// How near the other pieces of the minibatch are to each.
    ///
    /// # Shapes
    /// `[B, A]` -> `[B, K]`
    ///
    /// # Panics
    /// If `kernels` does not divide the layer's width.
    pub fn forward(&self, features: Tensor<2>, kernels: usize) -> Tensor<2> {
        let [pieces, _] = features.dims();
        let dimensions = self.weight.dims()[1] / kernels;
        let m = features.matmul(self.weight.val());
        let one = m.clone().reshape([pieces, 1, kernels, dimensions]);
        let other = m.reshape([1, pieces, kernels, dimensions]);
        let near = (one - other).abs().sum_dim(3).neg().exp();
        near.sum_dim(1).reshape([pieces, kernels]) - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{normal, seeded};

    fn tensor(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    #[test]
    fn equal_pieces_are_as_near_as_there_are_others() {
        let device = Device::flex();
        let layer = Minibatch::new(5, (3, 2), &mut seeded(1), &device);
        let near = layer.forward(tensor(&[0.3; 64 * 5], [64, 5], &device), 3);
        assert_eq!(near.dims(), [64, 3]);
        assert!(values_of(near).iter().all(|near| (near - 63.0).abs() < 1e-4));
        let far: Vec<f32> = (0..4 * 5).map(|k| 1e3 * (k / 5) as f32 + k as f32).collect();
        let near = values_of(layer.forward(tensor(&far, [4, 5], &device), 3));
        assert!(near.iter().all(|near| near.abs() < 1e-4), "{near:?}");
    }

    #[test]
    fn it_is_what_the_formula_says() {
        let device = Device::flex();
        let layer =
            Minibatch { weight: Param::from_data(TensorData::new(vec![1.0f32, 0.0, 0.0, 1.0], [2, 2]), &device) };
        // One kernel of two dimensions: |M_0 - M_1| = 1.5, |M_0 - M_2| = 3, |M_1 - M_2| = 1.5.
        let near = values_of(layer.forward(tensor(&[0.0, 0.0, 1.0, 0.5, 2.0, 1.0], [3, 2], &device), 1));
        let expected = [(-1.5f32).exp() + (-3.0f32).exp(), 2.0 * (-1.5f32).exp(), (-1.5f32).exp() + (-3.0f32).exp()];
        assert!(near.iter().zip(expected).all(|(near, expected)| (near - expected).abs() < 1e-6), "{near:?}");
    }

    #[test]
    fn its_gradients_are_central_differences() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(3);
        let layer = Minibatch::new(3, (2, 2), rng, &device);
        let x: Vec<f32> = (0..4 * 3).map(|_| normal(rng)).collect();
        let by: Vec<f32> = (0..4 * 2).map(|_| normal(rng)).collect();
        let loss = |layer: &Minibatch, x: Tensor<2>| (layer.forward(x, 2) * tensor(&by, [4, 2], &device)).sum();
        let input = tensor(&x, [4, 3], &device).require_grad();
        let gradients = loss(&layer, input.clone()).backward();
        let of_input = values_of(input.grad(&gradients).unwrap());
        let of_weight = values_of(layer.weight.val().grad(&gradients).unwrap());
        let value = |weight: &[f32], x: &[f32]| {
            let weight = Param::from_data(TensorData::new(weight.to_vec(), [3, 4]), &device);
            f64::from(values_of(loss(&Minibatch { weight }, tensor(x, [4, 3], &device)))[0])
        };
        let weight = values_of(layer.weight.val());
        let moved = |values: &[f32], k: usize, by: f32| {
            let mut values = values.to_vec();
            values[k] += by;
            values
        };
        const H: f32 = 1e-2;
        for (k, found) in of_input.iter().enumerate() {
            let slope = (value(&weight, &moved(&x, k, H)) - value(&weight, &moved(&x, k, -H))) / f64::from(2.0 * H);
            assert!((slope - f64::from(*found)).abs() < 2e-3, "input {k}: {slope} {found}");
        }
        for (k, found) in of_weight.iter().enumerate() {
            let slope = (value(&moved(&weight, k, H), &x) - value(&moved(&weight, k, -H), &x)) / f64::from(2.0 * H);
            assert!((slope - f64::from(*found)).abs() < 2e-3, "weight {k}: {slope} {found}");
        }
    }
}
