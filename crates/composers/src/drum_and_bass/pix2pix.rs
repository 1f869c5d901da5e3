//! pix2pix: a generator makes a picture of the bass from one of the drums, and a critic looks at patches of both together.
//!
//! ```text
//! L_G = -ln D(d, G(d)) + 100 |x - G(d)|          L_D = (-ln D(d, x) - ln(1 - D(d, G(d)))) / 2
//! ```
//! Source: P. Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2016, arXiv:1611.07004v3, section 3; sizes from
//! drum_and_bass's notebook: a U-Net 32-64-128-128-128, kernel 4, a PatchGAN 16-32-64-128, Adam at 0.0002.
//! Departures: pictures have time as their only axis, kinds and columns being its channels, since neither a snare nor a fifth is a neighbour moved
//! by one; targets are 0 and 1, which a sigmoid gives (theirs were -1 and 1), and the critic's output is taken for log-odds once; no batch
//! norm; both networks move at once, each by its own loss. It has no likelihood: its figure is the distance |x - G(d)|, which likes silence.

use super::batch::{Batch, HEARD, Noise};
use super::cells::Sums;
use super::pattern::{CELLS, COLUMNS, STEPS};
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_model::Rng;
use cantus_nn::dropout::dropout;
use cantus_nn::linear::Linear;
use cantus_nn::params::values_of;

/// Channels of the generator's levels and of the critic's, in multiples of the first one's.
const LEVELS: [usize; 5] = [1, 2, 4, 4, 4];
const CRITIC: [usize; 4] = [1, 2, 4, 8];
/// Steps that a convolution reads; it moves on by half of them.
const KERNEL: usize = 4;
/// What the distance weighs.
const DISTANCE: f64 = 100.0;
/// Levels of the way up with dropout, which is the generator's noise.
const NOISY: usize = 2;
/// The slope of a leaky rectifier below 0.
const LEAK: f64 = 0.2;

/// Both networks.
#[derive(Module, Debug)]
pub(super) struct Pix2pix {
    generator: Generator,
    critic: Critic,
}

/// A U-Net: halves the steps level by level, and doubles them again, with what was there on the way down at its side.
#[derive(Module, Debug)]
pub(super) struct Generator {
    down: Vec<Linear>,
    up: Vec<Linear>,
}

/// A PatchGAN: log-odds that a stretch is real.
#[derive(Module, Debug)]
pub(super) struct Critic {
    layers: Vec<Linear>,
    output: Linear,
}

impl Pix2pix {
    pub(super) fn new(settings: &Settings, rng: &mut Rng, device: &Device) -> Pix2pix {
        let width = |level: usize| LEVELS[level] * settings.hidden;
        let down = |level: usize| if level == 0 { HEARD } else { width(level - 1) };
        // From the deepest level on: what comes from below, and but for that what was there on the way down.
        let below = |level: usize| if level + 1 == LEVELS.len() { width(level) } else { 2 * width(level) };
        let above = |level: usize| if level == 0 { COLUMNS } else { width(level - 1) };
        let critic = |k: usize| CRITIC[k] * settings.hidden.div_ceil(2);
        let seen = |k: usize| if k == 0 { HEARD + COLUMNS } else { critic(k - 1) };
        let levels = 0..LEVELS.len();
        Pix2pix {
            generator: Generator {
                down: levels.clone().map(|k| Linear::new(KERNEL * down(k), width(k), rng, device)).collect(),
                up: levels.rev().map(|k| Linear::new(3 * below(k), 2 * above(k), rng, device)).collect(),
            },
            critic: Critic {
                layers: (0..CRITIC.len()).map(|k| Linear::new(KERNEL * seen(k), critic(k), rng, device)).collect(),
                output: Linear::new(critic(CRITIC.len() - 1), 1, rng, device),
            },
        }
    }

    /// Log-odds of all cells. Without noise nothing is dropped.
    ///
    /// # Shapes
    /// -> `[B, CELLS]`
    pub(super) fn logits(&self, settings: &Settings, batch: &Batch, noise: Option<Noise>) -> Tensor<2> {
        let Generator { down, up } = &self.generator;
        let mut x = drums(batch, &self.critic.output.weight.device());
        let mut levels = Vec::new();
        for layer in down {
            x = leaky(layer.forward(halved(x)));
            levels.push(x.clone());
        }
        levels.pop();
        for (k, layer) in up.iter().enumerate() {
            x = doubled(layer.forward(around(x)));
            let Some(level) = levels.pop() else { break };
            x = activation::relu(x);
            if k < NOISY {
                x = dropout(x, settings.dropout, Noise::mask(noise, k as u64));
            }
            x = Tensor::cat(vec![x, level], 2);
        }
        x.reshape([batch.size, CELLS])
    }

    /// Both losses, which do not see one another's parameters.
    pub(super) fn loss(&self, settings: &Settings, batch: &Batch, noise: Noise) -> (Tensor<1>, Sums) {
        let (device, size) = (self.critic.output.weight.device(), batch.size);
        let made = activation::sigmoid(self.logits(settings, batch, Some(noise)));
        let weights = TensorData::new(batch.weights.clone(), [size, STEPS, 1]);
        let counted: f64 = batch.weights.iter().map(|weight| f64::from(*weight)).sum();
        let picture =
            |cells: Tensor<2>| cells.reshape([size, STEPS, COLUMNS]) * Tensor::<3>::from_data(weights.clone(), &device);
        let (made, real, drums) = (picture(made), picture(batch.bass(&device)), drums(batch, &device));
        let distance = (made.clone() - real.clone()).abs().sum();
        let nats = values_of(distance.clone()).iter().map(|d| f64::from(*d)).sum();
        let correct = correct(&values_of(made.clone()), batch);
        let judge = |critic: &Critic, bass: Tensor<3>| critic.forward(Tensor::cat(vec![drums.clone(), bass], 2));
        // -ln D and -ln(1 - D) of log-odds.
        let is_real = |z: Tensor<3>| activation::softplus(z.neg(), 1.0).mean();
        let is_made = |z: Tensor<3>| activation::softplus(z, 1.0).mean();
        let fooled = is_real(judge(&self.critic.clone().no_grad(), made.clone()));
        let told = (is_real(judge(&self.critic, real)) + is_made(judge(&self.critic, made.detach()))) * 0.5;
        let cells = (counted * COLUMNS as f64).max(1.0);
        (fooled + distance * (DISTANCE / cells) + told, Sums { nats, steps: counted, correct })
    }
}

/// The steps' accuracies, given the probabilities of all cells.
fn correct(made: &[f32], batch: &Batch) -> f64 {
    let steps = made.chunks_exact(COLUMNS).zip(batch.bass.chunks_exact(COLUMNS)).zip(&batch.weights);
    let accuracy = |((p, y), weight): ((&[f32], &[f32]), &f32)| {
        let hits: f32 = p.iter().zip(y).map(|(p, y)| p * y).sum();
        let union: f32 = p.iter().zip(y).map(|(p, y)| p + y - p * y).sum();
        f64::from(*weight) * if union > 0.0 { f64::from((hits / union).clamp(0.0, 1.0)) } else { 1.0 }
    };
    steps.map(accuracy).sum()
}

impl Critic {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.layers.iter().fold(x, |x, layer| leaky(layer.forward(halved(x))));
        self.output.forward(x)
    }
}

fn leaky(x: Tensor<3>) -> Tensor<3> {
    activation::leaky_relu(x, LEAK)
}

/// The drums on the steps of the bass, of which every other is empty: `[B, STEPS, HEARD]`
fn drums(batch: &Batch, device: &Device) -> Tensor<3> {
    let heard = batch.heard(device);
    let empty = Tensor::zeros_like(&heard);
    Tensor::cat(vec![heard, empty], 2).reshape([batch.size, STEPS, HEARD])
}

/// What a convolution of four steps reads that moves on by two.
///
/// # Shapes
/// `x`: `[B, T, C]` -> `[B, T / 2, 4C]`
fn halved(x: Tensor<3>) -> Tensor<3> {
    let [b, t, c] = x.dims();
    let edge = Tensor::zeros([b, 1, c], &x.device());
    let pairs = Tensor::cat(vec![edge.clone(), x, edge], 1).reshape([b, t / 2 + 1, 2 * c]);
    let (first, second) =
        (pairs.clone().slice([0..b, 0..t / 2, 0..2 * c]), pairs.slice([0..b, 1..t / 2 + 1, 0..2 * c]));
    Tensor::cat(vec![first, second], 2)
}

/// Each step with its neighbours.
///
/// # Shapes
/// `x`: `[B, T, C]` -> `[B, T, 3C]`
fn around(x: Tensor<3>) -> Tensor<3> {
    let [b, t, c] = x.dims();
    let edge = Tensor::zeros([b, 1, c], &x.device());
    let before = Tensor::cat(vec![edge.clone(), x.clone().slice([0..b, 0..t - 1, 0..c])], 1);
    let after = Tensor::cat(vec![x.clone().slice([0..b, 1..t, 0..c]), edge], 1);
    Tensor::cat(vec![before, x, after], 2)
}

/// Two steps in the place of one: `[B, T, 2C]` -> `[B, 2T, C]`
fn doubled(x: Tensor<3>) -> Tensor<3> {
    let [b, t, c] = x.dims();
    x.reshape([b, 2 * t, c / 2])
}
