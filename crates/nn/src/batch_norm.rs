//! Batch normalisation over the last axis, with Keras' conventions.
//!
//! `y = gamma (x - mean) / sqrt(variance + eps) + beta`, in training with the statistics of the batch (biased variance),
//! else with running ones, `running = momentum * running + (1 - momentum) * batch`.
//!
//! Source: Ioffe and Szegedy, arXiv:1502.03167v3, algorithms 1 and 2; momentum 0.99 and eps 1e-3 as in Keras 3.
//! Departures: made of burn's own operations, as the historical networks that need it spend no time here.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

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
        let row = |t: Tensor<1>| t.unsqueeze::<2>();
        let (centred, variance) = if training && rows > 0 {
            let mean = x.clone().mean_dim(0);
            let centred = x - mean.clone();
            let variance = (centred.clone() * centred.clone()).mean_dim(0);
            self.follow(&self.mean, mean.clone().reshape([features]));
            self.follow(&self.variance, variance.clone().reshape([features]));
            (centred, variance)
        } else {
            (x - row(self.mean.value_sync()), row(self.variance.value_sync()))
        };
        let y = centred / (variance + self.eps).sqrt() * row(self.gamma.val()) + row(self.beta.val());
        y.reshape(shape)
    }

    fn follow(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        let moved = running.value_sync() * self.momentum + batch.detach() * (1.0 - self.momentum);
        running.update(moved);
        // burn gathers updates until the next synchronisation; a checkpoint must not miss this one.
        running.value_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
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
