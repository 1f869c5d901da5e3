//! Variational autoencoders: a latent says which of the basses that go with the drums it is.
//!
//! ```text
//! -ln p(x | d) <= -ln 1/K sum_k p(x | z_k, d) p(z_k) / q(z_k | x, d)        z_k ~ q
//! ```
//! with K = 1 the evidence bound of D. Kingma and M. Welling, Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114v11, by which it learns;
//! with K samples that of Y. Burda et al., Importance Weighted Autoencoders, 2015, arXiv:1509.00519v4, eq. 8, by which it is judged.
//!
//! Source: drum_and_bass, both VAE notebooks: drums, tempo and program to 450, to 450 (or an LSTM 14 -> 4, one number a step), to mean and
//! log-variance of 4 numbers through sigmoids; these with tempo and program to 450, to 450 (or 48, 512), to 2,304.
//! Departures, but with the setting `source`: the encoder sees the bass, which is what the latent has to say, and the decoder the drums; mean
//! and variance are free (through a sigmoid the noise always covers the signal); some nats of the latent cost nothing while learning
//! (D. Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016, arXiv:1606.04934v2, appendix C.8).

use super::batch::{Batch, CONDITIONS, HEARD, Noise};
use super::cells::{self, FIRST, Sums, figures_of, of_cells, onset};
use super::lstm_fcnn::Listener;
use super::pattern::{CELLS, COLUMNS, ROWS, Rates, STEPS};
use super::settings::{Settings, Which};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_model::Rng;
use cantus_model::frames::FrameFigure;
use cantus_nn::dropout::dropout;
use cantus_nn::gaussian::{Gaussian, beyond, log_weight};
use cantus_nn::linear::Linear;
use cantus_nn::params::values_of;
use cantus_nn::random::{derive, normal};

/// Samples of the latent by which it says where something begins.
const FORESEEN: usize = 64;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Vae {
    listener: Option<Listener>,
    encoder: Vec<Linear>,
    mean: Linear,
    log_variance: Linear,
    /// What the decoder is told beside the latent.
    told: Linear,
    latent: Linear,
    decoder: Vec<Linear>,
    output: Linear,
}

impl Vae {
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> Vae {
        let Settings { hidden, layers, latent, heard, source, .. } = *settings;
        let seen_of_row = HEARD + if source { 0 } else { CELLS / ROWS };
        let has_listener = settings.network == Which::VaeLstm;
        let listener = has_listener.then(|| Listener::new(seen_of_row, heard, rng, device));
        let input = if has_listener { Listener::WIDTH } else { ROWS * seen_of_row } + CONDITIONS;
        let width = |k: usize| if k == 0 { input } else { hidden };
        let encoder = if has_listener { 0 } else { layers };
        Vae {
            encoder: (0..encoder).map(|k| Linear::new(width(k), hidden, rng, device)).collect(),
            mean: Linear::new(width(encoder), latent, rng, device),
            log_variance: Linear::new(width(encoder), latent, rng, device).scaled(FIRST, device),
            told: Linear::new(if source { CONDITIONS } else { ROWS * HEARD + CONDITIONS }, hidden, rng, device),
            latent: Linear::new(latent, hidden, rng, device),
            decoder: (1..layers).map(|_| Linear::new(hidden, hidden, rng, device)).collect(),
            output: cells::output(hidden, rates, rng, device),
            listener,
        }
    }

    fn encode(&self, settings: &Settings, batch: &Batch, noise: Option<Noise>) -> Gaussian {
        let (device, size) = (self.mean.weight.device(), batch.size);
        let mut seen = batch.heard(&device);
        if !settings.source {
            seen = Tensor::cat(vec![seen, batch.bass(&device).reshape([size, ROWS, CELLS / ROWS])], 2);
        }
        let seen = match &self.listener {
            Some(listener) => listener.forward(seen, settings.dropout, noise),
            None => {
                let width = seen.dims()[2];
                seen.reshape([size, ROWS * width])
            }
        };
        let x = Tensor::cat(vec![seen, batch.conditions(&device)], 1);
        let x = dense(&self.encoder, x, settings, noise, 200);
        let bounded = |x: Tensor<2>| if settings.source { activation::sigmoid(x) } else { x };
        Gaussian { mean: bounded(self.mean.forward(x.clone())), log_variance: bounded(self.log_variance.forward(x)) }
    }

    /// What the decoder is told beside the latent: `[B, H]`
    fn told(&self, settings: &Settings, batch: &Batch) -> Tensor<2> {
        let device = self.mean.weight.device();
        let conditions = batch.conditions(&device);
        self.told.forward(match settings.source {
            true => conditions,
            false => Tensor::cat(vec![batch.heard(&device).reshape([batch.size, ROWS * HEARD]), conditions], 1),
        })
    }

    /// # Shapes
    /// `z`: `[N, L]`, `told`: `[N, H]` or `[1, H]` -> `[N, CELLS]`
    fn decode(&self, settings: &Settings, z: Tensor<2>, told: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let x = activation::relu(self.latent.forward(z) + told);
        let x = dropout(x, settings.dropout, Noise::mask(noise, 300));
        self.output.forward(dense(&self.decoder, x, settings, noise, 301))
    }

    /// The bound with one sample.
    pub(super) fn loss(&self, settings: &Settings, batch: &Batch, noise: Noise) -> (Tensor<1>, Sums) {
        let posterior = self.encode(settings, batch, Some(noise));
        let [size, latent] = posterior.mean.dims();
        let rng = &mut derive(noise.seed, "latent", &[noise.step]);
        let z = posterior.sample((0..size * latent).map(|_| normal(rng)).collect());
        let logits = self.decode(settings, z, self.told(settings, batch), Some(noise));
        let (loss, mut sums) = of_cells(logits, batch);
        let divergence = posterior.divergence();
        sums.nats += values_of(divergence.clone().sum()).iter().map(|kl| f64::from(*kl)).sum::<f64>();
        let free = if settings.source { 0.0 } else { settings.free_nats / latent as f64 };
        (loss + beyond(divergence, free) * (size as f64 / sums.steps.max(1.0)), sums)
    }

    /// The bound with `samples` samples, spread over the steps of each pattern as the mean reconstruction's nats are.
    pub(super) fn judge(&self, settings: &Settings, batch: &Batch) -> Vec<Vec<FrameFigure>> {
        let posterior = self.encode(settings, batch, None);
        let latent = posterior.mean.dims()[1];
        let (means, variances) = (values_of(posterior.mean), values_of(posterior.log_variance));
        let (told, count) = (self.told(settings, batch), settings.samples);
        let rng = &mut derive(0, "bound", &[]);
        let epsilon: Vec<f32> = (0..count * latent).map(|_| normal(rng)).collect();
        let judge = |(b, pattern)| {
            let (mean, log_variance) = (&means[b * latent..][..latent], &variances[b * latent..][..latent]);
            // ln p(z) - ln q(z)
            let mut weights = vec![0.0f64; count];
            let mut z = epsilon.clone();
            for ((z, epsilon), weight) in z.chunks_exact_mut(latent).zip(epsilon.chunks_exact(latent)).zip(&mut weights)
            {
                for ((z, mean), log_variance) in z.iter_mut().zip(mean).zip(log_variance) {
                    *z = mean + (0.5 * log_variance).exp() * *z;
                }
                *weight = log_weight(z, epsilon, log_variance);
            }
            let logits = self.of_samples(settings, z, told.clone().narrow(0, b, 1));
            let samples: Vec<Vec<FrameFigure>> =
                logits.chunks_exact(CELLS).map(|logits| figures_of(logits, pattern)).collect();
            for (weight, figures) in weights.iter_mut().zip(&samples) {
                *weight -= figures.iter().map(|figure| figure.nats).sum::<f64>();
            }
            let top = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let bound = -(top + (weights.iter().map(|w| (w - top).exp()).sum::<f64>() / count as f64).ln());
            spread(&samples, bound)
        };
        batch.patterns.iter().enumerate().map(judge).collect()
    }

    /// What the latent says of each pattern: the divergence of the posterior from the prior, nats.
    pub(super) fn latent_nats(&self, settings: &Settings, batch: &Batch) -> f64 {
        values_of(self.encode(settings, batch, None).divergence().sum()).iter().map(|kl| f64::from(*kl)).sum()
    }

    /// Log-odds of all cells for a latent that is drawn for each pattern: from the prior, or, as published, from what the encoder makes of
    /// the drums. `latents` gives normal numbers.
    ///
    /// # Shapes
    /// -> `[B, CELLS]`
    pub(super) fn drawn(&self, settings: &Settings, batch: &Batch, mut latents: impl FnMut() -> f32) -> Vec<f32> {
        let latent = self.latent.input();
        let mut z: Vec<f32> = (0..latent).map(|_| latents()).collect::<Vec<f32>>().repeat(batch.size);
        if settings.source {
            let Gaussian { mean, log_variance } = self.encode(settings, batch, None);
            let (means, variances) = (values_of(mean), values_of(log_variance));
            z.iter_mut().zip(&means).zip(&variances).for_each(|((z, mean), v)| *z = mean + (0.5 * v).exp() * *z);
        }
        self.of_samples(settings, z, self.told(settings, batch))
    }

    /// How likely it is that something begins at each step, whatever the latent: `[B, STEPS]`
    pub(super) fn onsets(&self, settings: &Settings, batch: &Batch) -> Vec<f64> {
        let rng = &mut derive(0, "foreseen", &[]);
        let mut all = vec![0.0; batch.size * STEPS];
        for _ in 0..FORESEEN {
            let logits = self.drawn(settings, batch, || normal(rng));
            for (sum, logits) in all.iter_mut().zip(logits.chunks_exact(COLUMNS)) {
                *sum += onset(logits) / FORESEEN as f64;
            }
        }
        all
    }

    fn of_samples(&self, settings: &Settings, z: Vec<f32>, told: Tensor<2>) -> Vec<f32> {
        let latent = self.latent.input();
        let rows = z.len() / latent;
        let z = Tensor::<2>::from_data(TensorData::new(z, [rows, latent]), &self.mean.weight.device());
        values_of(self.decode(settings, z, told, None))
    }
}

/// Rectified layers with dropout, whose masks are numbered from `first` on.
fn dense(layers: &[Linear], x: Tensor<2>, settings: &Settings, noise: Option<Noise>, first: u64) -> Tensor<2> {
    layers.iter().zip(first..).fold(x, |x, (layer, number)| {
        dropout(activation::relu(layer.forward(x)), settings.dropout, Noise::mask(noise, number))
    })
}

/// A pattern's bound by its steps: each has the share that it has in the mean of the samples.
fn spread(samples: &[Vec<FrameFigure>], bound: f64) -> Vec<FrameFigure> {
    let count = samples.len() as f64;
    let mut mean = samples.first().cloned().unwrap_or_default();
    for (step, figure) in mean.iter_mut().enumerate() {
        figure.nats = samples.iter().map(|sample| sample[step].nats).sum::<f64>() / count;
        figure.hits = samples.iter().map(|sample| sample[step].hits).sum::<f64>() / count;
        figure.union = samples.iter().map(|sample| sample[step].union).sum::<f64>() / count;
    }
    let all: f64 = mean.iter().map(|figure| figure.nats).sum();
    mean.iter_mut().for_each(|figure| figure.nats *= bound / all);
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drum_and_bass::pattern::Piece;
    use crate::drum_and_bass::tests::pair;
    use cantus_nn::random::seeded;

    /// -ln of the integral over a latent of one number, by the trapezoidal rule.
    fn exact(vae: &Vae, settings: &Settings, batch: &Batch) -> f64 {
        const POINTS: usize = 1601;
        let point = |k: usize| 16.0 * k as f32 / (POINTS - 1) as f32 - 8.0;
        let logits = vae.of_samples(settings, (0..POINTS).map(point).collect(), vae.told(settings, batch));
        let density = |(k, logits): (usize, &[f32])| {
            let nats: f64 = figures_of(logits, &batch.patterns[0]).iter().map(|figure| figure.nats).sum();
            let z = f64::from(point(k));
            (-0.5 * z * z - nats).exp() / std::f64::consts::TAU.sqrt()
        };
        let sum: f64 = logits.chunks_exact(CELLS).enumerate().map(density).sum();
        -(sum * 16.0 / (POINTS - 1) as f64).ln()
    }

    #[test]
    fn the_bound_is_a_bound_on_two_by_two_cells() {
        for (network, source) in [(Which::VaeFcnn, false), (Which::VaeLstm, false), (Which::VaeFcnn, true)] {
            let settings =
                Settings { network, source, hidden: 8, layers: 1, heard: 4, latent: 1, ..Settings::default() };
            let rng = &mut seeded(3);
            let mut rates = Rates::of([]);
            // Two columns that are likely, and the others hardly ever.
            rates.cells = (0..CELLS).map(|cell| if cell % COLUMNS < 2 { 0.4 } else { 1e-6 }).collect();
            let vae = Vae::new(&settings, &rates, rng, &Device::flex());
            let (mut all, mut bounded) = (0.0, 0.0);
            for cells in 0..16u64 {
                let mut pattern = Piece::read(&pair(&[(0, 36)], &[(0, 40)])).unwrap().patterns.remove(0);
                pattern.steps = 0..2;
                (pattern.bass[0], pattern.bass[1]) = (cells & 3, cells >> 2);
                let batch = Batch::of(vec![pattern], false);
                let exact = exact(&vae, &settings, &batch);
                let bound = |samples: usize| -> f64 {
                    let judged = vae.judge(&Settings { samples, ..settings.clone() }, &batch);
                    judged[0].iter().map(|figure| figure.nats).sum()
                };
                let (one, many) = (bound(1), bound(4000));
                // Of one sample the bound holds on the mean alone; of many it is close.
                assert!(many > exact - 0.02 && many < exact + 0.2, "{network:?} {cells}: {exact} {many} {one}");
                all += (-exact).exp();
                bounded += (-many).exp();
            }
            assert!(all > 0.99 && all <= 1.0 && bounded <= all * 1.01, "{network:?}: {all} {bounded}");
        }
    }
}
