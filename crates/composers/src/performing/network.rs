//! The network in training: LSTMs read the score in both directions, another writes what is played, note by note.
//!
//! Beside what the LSTMs say, each decision sees the note's own numbers: without LSTMs what is left is a softmax regression on the same features.

use super::features::{PAST, SCORE};
use super::touch::{Decision, KINDS};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use cantus_model::Rng;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};

/// How many cells its LSTMs have; without any it is linear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// In each direction of the reader.
    pub reader: usize,
    /// Of the writer.
    pub writer: usize,
}

impl Size {
    /// Numbers that every decision sees.
    pub(super) const fn seen(self) -> usize {
        self.writer + PAST + SCORE
    }
}

/// How many of a note's own earlier decisions are told to each kind of decision: its timing, then its velocity.
pub(super) const fn own(decision: Decision) -> usize {
    match decision {
        Decision::Timing | Decision::Pedal => 0,
        Decision::Velocity => 1,
        Decision::Spread | Decision::Length => OWN,
    }
}

/// See [`own`].
pub(super) const OWN: usize = 2;

#[derive(Module, Debug)]
pub(super) struct Network {
    /// None, or two: forwards and backwards.
    reader: Vec<Lstm>,
    /// None, or one.
    writer: Vec<Lstm>,
    timing: Linear,
    pedal: Linear,
    velocity: Linear,
    spread: Linear,
    length: Linear,
}

/// Stretches of pieces, time-major: entry `t * rows + b` is note t of row b.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// `[T, B, SCORE]`
    pub score: Vec<f32>,
    /// The same, each row from its own last note to its first.
    pub reversed: Vec<f32>,
    /// At which entry of what was read backwards each entry finds itself.
    pub backwards: Vec<i64>,
    /// `[T, B, PAST]`
    pub past: Vec<f32>,
    /// `[T, B, OWN]`
    pub own: Vec<f32>,
    /// Of each kind `[T * B]`.
    pub targets: [Vec<u32>; KINDS],
    /// 1 where something is known.
    pub weights: [Vec<f32>; KINDS],
    /// Notes in it.
    pub notes: usize,
}

/// What is left out while learning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    pub rate: f32,
    pub seed: u64,
    pub step: u64,
}

impl Network {
    /// A network that knows how often each class is chosen.
    pub(super) fn new(size: Size, frequencies: &[Vec<f32>; KINDS], rng: &mut Rng, device: &Device) -> Network {
        let (reader, writer) = if size.writer == 0 { (0, 0) } else { (2, 1) };
        let mut head = |decision: Decision| {
            let bias: Vec<f32> = frequencies[decision as usize].iter().map(|p| p.ln()).collect();
            Linear::with_bias(size.seen() + own(decision), &bias, rng, device)
        };
        let [timing, pedal, velocity, spread, length] = Decision::ALL.map(&mut head);
        Network {
            reader: (0..reader).map(|_| Lstm::new(SCORE, size.reader, rng, device)).collect(),
            writer: (0..writer).map(|_| Lstm::new(2 * size.reader + PAST, size.writer, rng, device)).collect(),
            timing,
            pedal,
            velocity,
            spread,
            length,
        }
    }

    fn head(&self, decision: Decision) -> &Linear {
        match decision {
            Decision::Timing => &self.timing,
            Decision::Pedal => &self.pedal,
            Decision::Velocity => &self.velocity,
            Decision::Spread => &self.spread,
            Decision::Length => &self.length,
        }
    }

    /// The nats of all decisions of a batch, a note on average, and each kind's figures.
    pub(super) fn loss(&self, batch: &Batch, noise: Noise) -> (Tensor<1>, [Figures; KINDS]) {
        let device = self.timing.weight.device();
        let Batch { rows, steps, .. } = *batch;
        let entries = rows * steps;
        let tensor = |values: &[f32], width: usize| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [steps, rows, width]), &device)
        };
        let drop = |x: Tensor<3>, layer: u64| {
            dropout(x, noise.rate, Some(MaskKey { seed: noise.seed, step: noise.step, layer }))
        };
        let (score, past) = (tensor(&batch.score, SCORE), tensor(&batch.past, PAST));
        let mut seen = vec![past.clone(), score.clone()];
        if let ([forwards, backwards], [writer]) = (&self.reader[..], &self.writer[..]) {
            let start = LstmState::zeros(rows, forwards.hidden());
            let (before, _) = forwards.forward(score, &start);
            let (after, _) = backwards.forward(tensor(&batch.reversed, SCORE), &start);
            let order = Tensor::<1, Int>::from_data(TensorData::new(batch.backwards.clone(), [entries]), &device);
            let cells = forwards.hidden();
            let after = after.reshape([entries, cells]).select(0, order).reshape([steps, rows, cells]);
            let read = drop(Tensor::cat(vec![before, after], 2), 1);
            let (played, _) =
                writer.forward(Tensor::cat(vec![read, past], 2), &LstmState::zeros(rows, writer.hidden()));
            seen.insert(0, drop(played, 2));
        }
        let seen = Tensor::cat(seen, 2).reshape([entries, Size { reader: 0, writer: self.cells() }.seen()]);
        let own_decisions = tensor(&batch.own, OWN).reshape([entries, OWN]);
        let mut figures = [Figures::default(); KINDS];
        let mut sum: Option<Tensor<1>> = None;
        for decision in Decision::ALL {
            let x = match own(decision) {
                0 => seen.clone(),
                count => {
                    let told = own_decisions.clone().slice([0..entries, 0..count]);
                    Tensor::cat(vec![seen.clone(), told], 1)
                }
            };
            let k = decision as usize;
            let (mean, found) = cross_entropy(self.head(decision).forward(x), &batch.targets[k], &batch.weights[k]);
            figures[k] = found;
            let share = mean * (found.counted / batch.notes.max(1) as f64);
            sum = Some(sum.map_or(share.clone(), |sum| sum + share));
        }
        (sum.unwrap_or_else(|| Tensor::zeros([1], &device)), figures)
    }

    /// Cells of the writer.
    fn cells(&self) -> usize {
        self.writer.first().map_or(0, Lstm::hidden)
    }
}
