//! What composers of frames by Boltzmann machines share: how long their chains are, and a glance at a batch while they learn.

use super::{Batch, Effort, FrameFigure, FrameSums};
use cantus_encoding::piano_roll::Keys;
use cantus_nn::rbm::Annealing;

/// One of so many frames of a batch is judged while training.
const GLANCE: usize = 128;
/// How it is judged.
pub const GLANCE_EFFORT: Effort = Effort { every: 1, chains: 7, temperatures: 60 };

/// Chains of contrastive divergence, which grow longer from epoch to epoch.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// Steps at first.
    pub first: usize,
    /// And at last.
    pub most: usize,
    /// Epochs after which they are one step longer.
    pub lengthen: u64,
}

impl Lengths {
    /// Steps in this epoch.
    pub fn steps(self, epoch: u64) -> usize {
        let more = usize::try_from(epoch / self.lengthen.max(1)).unwrap_or(usize::MAX);
        self.first.saturating_add(more).min(self.most)
    }
}

impl Effort {
    /// Of an estimate of partition functions.
    pub fn annealing(self) -> Annealing {
        Annealing { chains: self.chains, temperatures: self.temperatures }
    }
}

/// Some rows of values.
///
/// # Shapes
/// `values`: `[N, width]`, `[n]` -> `[n, width]`
pub fn rows_of(values: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|row| values[row * width..][..width].iter().copied()).collect()
}

/// A rough figure of a batch, from a few of its frames: `judge` gives those of some of them.
pub fn glance(batch: &Batch, seed: u64, judge: impl FnOnce(&[usize], &[Keys]) -> Vec<FrameFigure>) -> FrameSums {
    let counted: Vec<usize> = (0..batch.keys.len()).filter(|k| batch.weights[*k] > 0.0).collect();
    let first = seed as usize % GLANCE.min(counted.len().max(1));
    let chosen: Vec<usize> = counted.iter().copied().skip(first).step_by(GLANCE).collect();
    let targets: Vec<Keys> = chosen.iter().map(|k| batch.keys[*k]).collect();
    let figures = judge(&chosen, &targets);
    let share = counted.len() as f64 / figures.len().max(1) as f64;
    figures.iter().fold(FrameSums { frames: counted.len() as f64, ..FrameSums::default() }, |sums, figure| FrameSums {
        nats: sums.nats + share * figure.nats,
        accuracies: sums.accuracies + share * figure.accuracy(),
        ..sums
    })
}

/// Frames as rows of 0 and 1.
pub fn written(targets: &[Keys]) -> Vec<f32> {
    let mut data = vec![0.0; targets.len() * Keys::COUNT];
    data.chunks_exact_mut(Keys::COUNT).zip(targets).for_each(|(row, keys)| keys.write(row));
    data
}

impl FrameFigure {
    /// Of a frame whose nats are estimated, and each key's chance to sound.
    pub fn of_chances(nats: f64, variance: f64, data: &[f32], chances: &[f32]) -> FrameFigure {
        let hits: f64 = data.iter().zip(chances).map(|(y, p)| f64::from(y * p)).sum();
        let union: f64 = data.iter().zip(chances).map(|(y, p)| f64::from(y + p - y * p)).sum();
        FrameFigure { nats, strokes: 0.0, variance, hits, union }
    }
}
