//! Which codes follow which: a network that goes along the codes of tunes, section by section, and says of each next one whether it comes
//! again, comes again varied, or is new.
//!
//! ```text
//! p(z_k | z_1 .. z_(k-1)) = w_0 N(mean, deviation^2) + sum_lag (w_lag N(z_(k-lag), 0.05^2) + v_lag N(z_(k-lag), s_lag^2))
//! ```
//! Codes drawn each by itself from the standard Gaussian are sections of tunes that have nothing to do with one another; a mean of what may
//! follow is no section of any tune. Tunes repeat themselves, exactly or nearly, after two, four, eight or more bars.
//!
//! Source: the mixture density is that of C. Bishop, Mixture Density Networks, NCRG/94/004, 1994; that some of its means are what stood there before
//! is the pointer of S. Merity et al., Pointer Sentinel Mixture Models, 2016, arXiv:1609.07843v1.

use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_model::{ModelError, ModelFile, Rng, TensorData as Stored, layers};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::{named_parameters, values_of};
use cantus_nn::random::{categorical, derive, normal, shuffle};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How the tensors of it begin.
const PREFIX: &str = "paths.";
/// Sections after which something may come again.
const LAGS: [usize; 5] = [1, 2, 4, 8, 16];
/// What a section may be: new, again, again but varied.
const KINDS: usize = 1 + 2 * LAGS.len();
/// What is said of a next code, beside mean and deviation: the weights of the kinds, and how far each lag varies.
const SAID: usize = KINDS + LAGS.len();
/// The deviation of what comes again.
const EXACT: f32 = 0.05;
/// Where the numbers of two codes are so far apart, squared and in the mean, their likeness is 1 / e.
const ALIKE: f32 = 0.1;
/// Sections of a phrase that are told apart, and of what is left.
const PHASES: usize = 8;
const LEFT: usize = 9;
/// Width of what it reads, and its cells.
const WIDTH: usize = 48;
const CELLS: usize = 96;

/// Tunes of a batch, epochs, and the learning rate, which falls to nothing.
const BATCH: usize = 32;
const EPOCHS: u64 = 40;
const LEARNING_RATE: f64 = 4e-3;
const DROPOUT: f32 = 0.3;

/// The network.
#[derive(Module, Debug)]
struct Network {
    phase: Embedding,
    left: Embedding,
    code: Linear,
    /// How like the section before is to those before it: without it the network cannot tell that something is being repeated.
    like: Linear,
    lstm: Lstm,
    output: Linear,
}

/// The codes of a tune's sections.
pub(super) type Path = Vec<Vec<f32>>;

/// Which phrase a section is of, and how many are left.
fn places(section: usize, sections: usize) -> [u32; 2] {
    [(section % PHASES) as u32, (sections - 1 - section).min(LEFT - 1) as u32]
}

/// The sum of the squared differences of two codes.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// How like the last section of a path is to each of those before it: 1 where it is the same, 0 where there is none.
fn likeness(path: &[Vec<f32>]) -> [f32; LAGS.len()] {
    LAGS.map(|lag| match path {
        [.., last] if path.len() > lag => {
            (-apart(last, &path[path.len() - 1 - lag]) / (ALIKE * last.len() as f32)).exp()
        }
        _ => 0.0,
    })
}

impl Network {
    fn new(size: usize, rng: &mut Rng, device: &Device) -> Network {
        let table = |rows, rng: &mut Rng| Embedding::with_deviation(rows, WIDTH, 0.3, rng, device);
        Network {
            phase: table(PHASES, rng),
            left: table(LEFT, rng),
            code: Linear::new(size, WIDTH, rng, device),
            like: Linear::new(LAGS.len(), WIDTH, rng, device),
            lstm: Lstm::new(WIDTH, CELLS, rng, device),
            output: Linear::new(CELLS, SAID + 2 * size, rng, device).scaled(0.1, device),
        }
    }

    /// Negative log-likelihood of paths, nats a section, and how many sections there are.
    fn loss(&self, paths: &[&Path], mask: Option<MaskKey>) -> (Tensor<1>, usize) {
        let device = self.code.weight.device();
        let (rows, size) = (paths.len(), self.code.input());
        let steps = paths.iter().map(|path| path.len()).max().unwrap_or(0);
        let count = steps * rows;
        let (mut phase, mut left) = (vec![0u32; count], vec![0u32; count]);
        let (mut before, mut codes) = (vec![0.0f32; count * size], vec![0.0f32; count * size]);
        let mut like = Vec::with_capacity(count * LAGS.len());
        for k in 0..steps {
            for path in paths {
                like.extend(likeness(&path[..k.min(path.len())]));
            }
        }
        let mut distance = vec![0.0f32; count * LAGS.len()];
        let mut shut = vec![0.0f32; count * KINDS];
        let mut there = vec![0.0f32; count];
        for (b, path) in paths.iter().enumerate() {
            for (k, code) in path.iter().enumerate() {
                let at = k * rows + b;
                [phase[at], left[at]] = places(k, path.len());
                there[at] = 1.0;
                codes[at * size..(at + 1) * size].copy_from_slice(code);
                if let Some(last) = k.checked_sub(1) {
                    before[at * size..(at + 1) * size].copy_from_slice(&path[last]);
                }
                for (j, lag) in LAGS.iter().enumerate() {
                    match k.checked_sub(*lag) {
                        Some(from) => {
                            distance[at * LAGS.len() + j] = apart(code, &path[from]);
                        }
                        None => [1, 2].iter().for_each(|kind| shut[at * KINDS + 2 * j + kind] = -1e9),
                    }
                }
            }
        }
        let of =
            |values: Vec<f32>, width: usize| Tensor::<2>::from_data(TensorData::new(values, [count, width]), &device);
        let x = self.code.forward(dropout(of(before, size), DROPOUT, mask))
            + self.like.forward(of(like, LAGS.len()))
            + self.phase.forward(&phase)
            + self.left.forward(&left);
        let (y, _) = self.lstm.forward(x.reshape([steps, rows, WIDTH]), &LstmState::zeros(rows, CELLS));
        let y = dropout(y.reshape([count, CELLS]), DROPOUT, mask.map(|key| MaskKey { layer: 1, ..key }));
        let said = self.output.forward(y);
        let weights = activation::log_softmax(said.clone().narrow(1, 0, KINDS) + of(shut, KINDS), 1);
        let varied = said.clone().narrow(1, KINDS, LAGS.len()).clamp(-2.5, 1.0);
        let mean = said.clone().narrow(1, SAID, size);
        let log_deviation = said.narrow(1, SAID + size, size).clamp(-3.0, 1.0);
        let distance = of(distance, LAGS.len());
        let all = size as f32;
        let from_mean = (of(codes, size) - mean) * (-log_deviation.clone()).exp();
        let new = (from_mean.clone() * from_mean * -0.5 - log_deviation).sum_dim(1);
        let again = distance.clone() * (-0.5 / (EXACT * EXACT)) - all * EXACT.ln();
        let nearly = distance * (varied.clone() * -2.0).exp() * -0.5 - varied * all;
        let mut kinds = vec![new];
        for j in 0..LAGS.len() {
            kinds.extend([again.clone().narrow(1, j, 1), nearly.clone().narrow(1, j, 1)]);
        }
        let joint = weights + Tensor::cat(kinds, 1);
        let top = joint.clone().detach().max_dim(1);
        let sums = (joint - top.clone()).exp().sum_dim(1).log() + top;
        let counted = there.iter().filter(|there| **there > 0.0).count();
        let constant = 0.5 * all * std::f32::consts::TAU.ln();
        let loss = (sums - constant) * of(there, 1);
        (loss.sum() * (-1.0 / counted.max(1) as f32), counted)
    }
}

/// Learns from the paths of tunes, and is chosen by those of others; puts what it has learnt into a model. `false` where it was stopped.
pub(super) fn learn(
    (train, valid): (&[Path], &[Path]),
    model: &mut ModelFile,
    seed: u64,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
) -> bool {
    let size = train.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let device = Device::flex().autodiff();
    let mut network = Network::new(size, &mut derive(seed, "paths", &[]), &device);
    let mut optimizer = Optimizer::new(Rule::adam_w(0.05)).with_clipping(1.0);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let batches = train.len().div_ceil(BATCH).max(1);
    let mut best: Option<(f64, Network)> = None;
    for epoch in 0..EPOCHS {
        shuffle(&mut derive(seed, "paths-order", &[epoch]), &mut order);
        for (k, batch) in order.chunks(BATCH).enumerate() {
            if stop.load(Relaxed) {
                return false;
            }
            let step = epoch * batches as u64 + k as u64;
            let done = step as f64 / (EPOCHS * batches as u64) as f64;
            let paths: Vec<&Path> = batch.iter().map(|tune| &train[*tune]).collect();
            let (loss, _) = network.loss(&paths, Some(MaskKey { seed: seed ^ 0x7061_7468, step, layer: 0 }));
            network = optimizer.step(network, loss.backward(), LEARNING_RATE * (1.0 - done)).0;
            progress(done);
        }
        let judged = network.valid();
        let nats: f64 = valid.chunks(BATCH).map(|paths| nats(&judged, paths)).sum();
        if nats.is_finite() && best.as_ref().is_none_or(|(least, _)| nats < *least) {
            best = Some((nats, network.clone()));
        }
    }
    for (name, shape, values) in named_parameters(&best.map_or(network, |(_, best)| best)) {
        model.tensors.insert(format!("{PREFIX}{name}"), Stored { shape, values });
    }
    true
}

/// Nats of all sections.
fn nats(network: &Network, paths: &[Path]) -> f64 {
    let (loss, counted) = network.loss(&paths.iter().collect::<Vec<_>>(), None);
    f64::from(values_of(loss)[0]) * counted as f64
}

/// Draws codes that follow one another.
#[derive(Debug)]
pub(super) struct Paths {
    phase: Lookup,
    left: Lookup,
    code: Dense,
    like: Dense,
    lstm: LstmCell,
    output: Dense,
    size: usize,
}

/// A code that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Next {
    pub code: Vec<f32>,
    /// The section that comes again, where one does as it was.
    pub again: Option<usize>,
}

/// Whether a model has learnt it.
pub(super) fn is_learnt(file: &ModelFile) -> bool {
    file.tensors.keys().any(|name| name.starts_with(PREFIX))
}

impl Paths {
    /// Out of a model file; `None` where it was not learnt yet.
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub(super) fn load(file: &ModelFile, settings: &Settings) -> Result<Option<Paths>, ModelError> {
        if !is_learnt(file) {
            return Ok(None);
        }
        let size = settings.code;
        let table = |name: &str, rows: usize| {
            let values = file.tensor(&format!("{PREFIX}{name}.table"), &[rows, WIDTH])?.to_vec();
            Ok::<_, ModelError>(Lookup::new(WIDTH, values))
        };
        Ok(Some(Paths {
            phase: table("phase", PHASES)?,
            left: table("left", LEFT)?,
            code: layers::dense(file, &format!("{PREFIX}code"), (size, WIDTH), Dense::new)?,
            like: layers::dense(file, &format!("{PREFIX}like"), (LAGS.len(), WIDTH), Dense::new)?,
            lstm: layers::cell(file, &format!("{PREFIX}lstm"), (WIDTH, CELLS), LstmCell::new)?,
            output: layers::dense(file, &format!("{PREFIX}output"), (CELLS, SAID + 2 * size), Dense::new)?,
            size,
        }))
    }

    /// Codes that follow those that are known, up to so many sections. With a temperature they are drawn nearer to what is expected, or further
    /// from it.
    pub(super) fn draw(&self, known: &[Vec<f32>], sections: usize, temperature: f64, rng: &mut Rng) -> Vec<Next> {
        let size = self.size;
        let mut path: Vec<Vec<f32>> = known.to_vec();
        let mut drawn = Vec::new();
        let (mut h, mut c) = (vec![0.0; CELLS], vec![0.0; CELLS]);
        let (mut x, mut alike, mut said) = (vec![0.0; WIDTH], vec![0.0; WIDTH], vec![0.0; SAID + 2 * size]);
        let mut scratch = Scratch::new();
        let nothing = vec![0.0; size];
        for section in 0..sections {
            let before = section.checked_sub(1).and_then(|last| path.get(last)).unwrap_or(&nothing);
            self.code.forward(before, &mut x);
            self.like.forward(&likeness(&path[..section]), &mut alike);
            x.iter_mut().zip(&alike).for_each(|(sum, x)| *sum += x);
            let [phase, left] = places(section, sections);
            for row in [self.phase.row(phase), self.left.row(left)] {
                x.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            self.lstm.step(&x, &mut h, &mut c, &mut scratch);
            if section < known.len() {
                continue;
            }
            self.output.forward(&h, &mut said);
            let next = self.next(&said, &path, temperature as f32, rng);
            path.push(next.code.clone());
            drawn.push(next);
        }
        drawn
    }

    fn next(&self, said: &[f32], path: &[Vec<f32>], temperature: f32, rng: &mut Rng) -> Next {
        let (section, size) = (path.len(), self.size);
        let top = said[..KINDS].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let lag = |kind: usize| LAGS[(kind - 1) / 2];
        let weight = |kind: usize| match kind {
            0 => (said[0] - top).exp().max(f32::MIN_POSITIVE),
            _ if lag(kind) > section => 0.0,
            _ => (said[kind] - top).exp(),
        };
        let kind = categorical(rng, &(0..KINDS).map(weight).collect::<Vec<f32>>()).unwrap_or(0);
        if kind == 0 {
            let draw = |k: usize| {
                let deviation = said[SAID + size + k].clamp(-3.0, 1.0).exp();
                said[SAID + k] + temperature * deviation * normal(rng)
            };
            return Next { code: (0..size).map(draw).collect(), again: None };
        }
        let from = section - lag(kind);
        if kind % 2 == 1 {
            return Next { code: path[from].clone(), again: Some(from) };
        }
        let deviation = said[KINDS + (kind - 1) / 2].clamp(-2.5, 1.0).exp();
        Next { code: path[from].iter().map(|z| z + temperature * deviation * normal(rng)).collect(), again: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    /// Paths of two sections that come again and again, in each path others.
    fn paths(from: u64, count: u64) -> Vec<Path> {
        let code = |rng: &mut Rng| (0..6).map(|_| normal(rng)).collect::<Vec<f32>>();
        let path = |seed: u64| {
            let rng = &mut seeded(seed);
            let (a, b) = (code(rng), code(rng));
            vec![a.clone(), b.clone(), a.clone(), b.clone(), a.clone(), b.clone(), a, b]
        };
        (from..from + count).map(path).collect()
    }

    #[test]
    fn what_comes_again_is_learnt_to_come_again() {
        let (train, valid) = (paths(0, 60), paths(100, 8));
        let network = Network::new(6, &mut seeded(1), &Device::flex());
        let before = nats(&network, &valid);
        let mut file = crate::music_vae::tests::file();
        assert!(learn((&train, &valid), &mut file, 1, &AtomicBool::new(false), &mut |_| {}));
        let settings = Settings { code: 6, ..Settings::default() };
        let learnt = Paths::load(&file, &settings).unwrap().unwrap();
        let again = |seed: u64| {
            let drawn = learnt.draw(&paths(200 + seed, 1)[0][..2], 8, 1.0, &mut seeded(seed));
            drawn
                .iter()
                .enumerate()
                .filter(|(k, next)| next.again == Some(*k) || next.again.is_some_and(|of| of % 2 == k % 2))
                .count()
        };
        let all: usize = (0..20).map(again).sum();
        assert!(all > 96, "{all} of 120 come again; before it learnt {before} nats");
        assert!(!learn((&train, &valid), &mut file, 1, &AtomicBool::new(true), &mut |_| {}), "stopped");
        assert_eq!(learnt.draw(&train[0], 8, 1.0, &mut seeded(1)), []);
    }
}
