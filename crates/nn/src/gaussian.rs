//! Codes: a diagonal Gaussian for each row, what it costs against the standard one, and the nats of it that cost nothing.
//!
//! ```text
//! z = mean + deviation * epsilon                                  epsilon ~ N(0, 1)
//! KL(N(mean, deviation^2) || N(0, 1)) = (mean^2 + deviation^2 - ln deviation^2 - 1) / 2       in each dimension
//! ```
//!
//! Source: D. Kingma and M. Welling, Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114v11, section 2.4 and appendix B; the free nats
//! of D. Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016, arXiv:1606.04934v2, appendix C.8.

use crate::params::values_of;
use burn::tensor::{Tensor, TensorData};

/// Variance of a dimension's mean over pieces from which on it says something: Y. Burda et al., Importance Weighted Autoencoders, 2015,
/// arXiv:1509.00519v4, section 5.2.
pub const ACTIVE: f64 = 0.01;

/// A Gaussian for each row, its dimensions independent.
///
/// # Shapes
/// both `[N, L]`
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// The means.
    pub mean: Tensor<2>,
    /// The logarithms of the variances.
    pub log_variance: Tensor<2>,
}

impl Gaussian {
    /// A draw from each, given standard normal numbers; gradients go through it.
    ///
    /// # Shapes
    /// `epsilon`: `[N, L]` row by row -> `[N, L]`
    ///
    /// # Panics
    /// If there are more or fewer numbers.
    pub fn sample(&self, epsilon: Vec<f32>) -> Tensor<2> {
        let epsilon = Tensor::<2>::from_data(TensorData::new(epsilon, self.mean.dims()), &self.mean.device());
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * epsilon
    }

    /// The divergence of each from the standard Gaussian, dimension by dimension.
    ///
    /// # Shapes
    /// -> `[N, L]`
    /// # Units
    /// nats
    pub fn divergence(&self) -> Tensor<2> {
        let (mean, log_variance) = (self.mean.clone(), self.log_variance.clone());
        (mean.clone() * mean + log_variance.clone().exp() - log_variance - 1.0) * 0.5
    }
}

/// The divergence of a row in the mean, where `free` nats of each dimension cost nothing: no gradient makes it say less than that.
///
/// # Shapes
/// `divergence`: `[N, L]` -> `[1]`
/// # Units
/// nats a row
pub fn beyond(divergence: Tensor<2>, free: f64) -> Tensor<1> {
    divergence.mean_dim(0).clamp_min(free).sum()
}

/// The divergence of one Gaussian from the standard one: mean and logarithm of the variance of each dimension.
///
/// # Units
/// nats
pub fn divergence(mean: &[f32], log_variance: &[f32]) -> f64 {
    let of = |(mean, log_variance): (&f32, &f32)| {
        let (mean, log_variance) = (f64::from(*mean), f64::from(*log_variance));
        0.5 * (mean * mean + log_variance.exp() - log_variance - 1.0)
    };
    mean.iter().zip(log_variance).map(of).sum()
}

/// What `ln N(z; 0, 1) - ln N(z; mean, deviation^2)` is for `z = mean + deviation * epsilon`: by what a draw is weighed.
///
/// # Units
/// nats
pub fn log_weight(z: &[f32], epsilon: &[f32], log_variance: &[f32]) -> f64 {
    let terms = z.iter().zip(epsilon).zip(log_variance);
    terms.map(|((z, epsilon), log_variance)| f64::from(0.5 * (epsilon * epsilon + log_variance - z * z))).sum()
}

/// How much each dimension of a code says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Use {
    rows: f64,
    /// Sums of the divergences, of the means and of their squares.
    divergence: Vec<f64>,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Use {
    /// Adds a row's Gaussian.
    pub fn add(&mut self, mean: &[f32], log_variance: &[f32]) {
        for sums in [&mut self.divergence, &mut self.mean, &mut self.square] {
            sums.resize(mean.len(), 0.0);
        }
        self.rows += 1.0;
        for (k, (mean, log_variance)) in mean.iter().zip(log_variance).enumerate() {
            self.divergence[k] += divergence(&[*mean], &[*log_variance]);
            self.mean[k] += f64::from(*mean);
            self.square[k] += f64::from(*mean) * f64::from(*mean);
        }
    }

    /// Nats of each dimension, in the mean over rows.
    pub fn nats(&self) -> Vec<f64> {
        self.divergence.iter().map(|sum| sum / self.rows.max(1.0)).collect()
    }

    /// How many dimensions say something: those whose mean varies by more than [`ACTIVE`].
    pub fn active(&self) -> usize {
        let rows = self.rows.max(1.0);
        let variance = |(mean, square): (&f64, &f64)| square / rows - (mean / rows) * (mean / rows);
        self.mean.iter().zip(&self.square).filter(|sums| variance(*sums) > ACTIVE).count()
    }
}

/// The values of Gaussians, copied out of the graph: means and logarithms of variances.
pub fn values(gaussian: &Gaussian) -> (Vec<f32>, Vec<f32>) {
    (values_of(gaussian.mean.clone()), values_of(gaussian.log_variance.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const MEAN: [f32; 6] = [0.0, 1.5, -0.7, 0.2, -2.0, 0.9];
    const LOG_VARIANCE: [f32; 6] = [0.0, -1.0, 0.4, -3.0, 0.1, 1.2];

    fn tensor(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [2, 3]), device)
    }

    #[test]
    fn the_divergence_is_the_integral_and_its_gradient_that_of_differences() {
        // By the trapezoidal rule: the integral of q ln(q / p).
        for (mean, log_variance) in MEAN.iter().zip(&LOG_VARIANCE) {
            let (mean, deviation) = (f64::from(*mean), (0.5 * f64::from(*log_variance)).exp());
            let integrand = |z: f64| {
                let e = (z - mean) / deviation;
                let q = (-0.5 * e * e).exp() / (deviation * std::f64::consts::TAU.sqrt());
                q * (0.5 * (z * z - e * e) - deviation.ln())
            };
            let integral: f64 = (-40_000..40_000).map(|k| integrand(f64::from(k) * 5e-4) * 5e-4).sum();
            let found = divergence(&[mean as f32], &[*log_variance]);
            assert!((found - integral).abs() < 1e-5, "{mean} {deviation}: {found} {integral}");
        }
        let device = Device::flex().autodiff();
        let (mean, log_variance) =
            (tensor(&MEAN, &device).require_grad(), tensor(&LOG_VARIANCE, &device).require_grad());
        let gaussian = Gaussian { mean: mean.clone(), log_variance: log_variance.clone() };
        let all = gaussian.divergence();
        let whole: f32 = values_of(all.clone()).iter().sum();
        assert!((f64::from(whole) - divergence(&MEAN, &LOG_VARIANCE)).abs() < 1e-5);
        // Rows in the mean: half of the sum.
        let gradients = beyond(all, 0.0).backward();
        for (x, is_mean) in [(&mean, true), (&log_variance, false)] {
            let found = values_of(x.grad(&gradients).unwrap());
            for (k, found) in found.iter().enumerate() {
                let at = |by: f32| {
                    let (mut mean, mut log_variance) = (MEAN, LOG_VARIANCE);
                    if is_mean {
                        mean[k] += by
                    } else {
                        log_variance[k] += by
                    }
                    0.5 * divergence(&mean, &log_variance)
                };
                let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((f64::from(*found) - difference).abs() < 1e-3, "{k}: {found} {difference}");
            }
        }
    }

    #[test]
    fn free_nats_have_no_gradient() {
        let device = Device::flex().autodiff();
        let mean = tensor(&MEAN, &device).require_grad();
        let gaussian = Gaussian { mean: mean.clone(), log_variance: tensor(&[0.0; 6], &device) };
        // In the mean over the two rows the dimensions have 0.01, 1.56 and 0.33 nats.
        let loss = beyond(gaussian.divergence(), 0.5);
        assert!((values_of(loss.clone())[0] - (0.5 + 1.5625 + 0.5)).abs() < 1e-4);
        let found = values_of(mean.grad(&loss.backward()).unwrap());
        assert_eq!(found.iter().map(|g| *g != 0.0).collect::<Vec<_>>(), [false, true, false, false, true, false]);
    }

    #[test]
    fn a_draw_is_weighed_by_both_densities() {
        let device = Device::flex();
        let gaussian = Gaussian { mean: tensor(&MEAN, &device), log_variance: tensor(&LOG_VARIANCE, &device) };
        let epsilon = [0.3f32, -1.0, 2.0, 0.0, 0.5, -0.2];
        let z = values_of(gaussian.sample(epsilon.to_vec()));
        let log_normal = |x: f32, mean: f32, log_variance: f32| {
            let e = (x - mean) / (0.5 * log_variance).exp();
            f64::from(-0.5 * (e * e + log_variance))
        };
        let expected: f64 =
            (0..6).map(|k| log_normal(z[k], 0.0, 0.0) - log_normal(z[k], MEAN[k], LOG_VARIANCE[k])).sum();
        let found = log_weight(&z, &epsilon, &LOG_VARIANCE);
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }

    #[test]
    fn dimensions_that_never_move_are_not_active() {
        let mut used = Use::default();
        for k in 0..50 {
            let mean = [if k % 2 == 0 { 1.0 } else { -1.0 }, 0.05, 0.0];
            used.add(&mean, &[-2.0, 0.0, 0.0]);
        }
        assert_eq!(used.active(), 1);
        let nats = used.nats();
        assert!((nats[0] - divergence(&[1.0], &[-2.0])).abs() < 1e-9 && nats[2].abs() < 1e-12, "{nats:?}");
    }
}
