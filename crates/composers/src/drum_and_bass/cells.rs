//! Cells that begin each by itself, given their log-odds.

use super::batch::Batch;
use super::pattern::{COLUMNS, Pattern, Rates, STEPS};
use burn::tensor::{Device, Tensor};
use cantus_model::Rng;
use cantus_model::frames::FrameFigure;
use cantus_nn::bernoulli;
use cantus_nn::linear::Linear;

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Nats of all steps, or whatever the network's figure is.
    pub nats: f64,
    pub steps: f64,
    /// The steps' accuracies.
    pub correct: f64,
}

/// A layer that gives log-odds of all cells, and begins with how often each begins.
pub(super) fn output(input: usize, rates: &Rates, rng: &mut Rng, device: &Device) -> Linear {
    let bias: Vec<f32> = rates.cells.iter().map(|p| log_odds(*p)).collect();
    Linear::with_bias(input, &bias, rng, device).scaled(FIRST, device)
}

/// How large the weights of a layer that begins with counted rates are, beside those of others.
pub(super) const FIRST: f32 = 0.1;

pub(super) fn log_odds(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

/// Cells that begin each by itself: the cross-entropy a step.
pub(super) fn of_cells(logits: Tensor<2>, batch: &Batch) -> (Tensor<1>, Sums) {
    let logits = logits.reshape([batch.size * STEPS, COLUMNS]);
    let (loss, found) = bernoulli::bernoulli(logits, &batch.bass, &batch.weights);
    (loss, Sums { nats: found.nats, steps: found.counted, correct: found.accuracies })
}

/// The steps of a pattern under the log-odds of its cells, `[CELLS]`.
pub(super) fn figures_of(logits: &[f32], pattern: &Pattern) -> Vec<FrameFigure> {
    let figure = |(logits, frame): (&[f32], &u64)| {
        let target: [f32; COLUMNS] = std::array::from_fn(|column| (frame >> column & 1) as f32);
        let found = bernoulli::row(logits, &target, 1.0);
        FrameFigure { nats: found.nats, hits: found.hits, union: found.union, ..FrameFigure::default() }
    };
    logits.chunks_exact(COLUMNS).zip(&pattern.bass).take(pattern.steps.len()).map(figure).collect()
}

/// Log-odds of cells of which a share is as they were counted: `ln p / (1 - p)`, `p = (1 - share) sigmoid(z) + share rate`.
///
/// # Shapes
/// `logits`: `[B, CELLS]`, `rates`: `[CELLS]`
pub(super) fn mix(logits: &mut [f32], rates: &[f32], share: f32) {
    for logits in logits.chunks_exact_mut(rates.len()).filter(|_| share > 0.0) {
        for (z, rate) in logits.iter_mut().zip(rates) {
            let (share, own) = (f64::from(share), 1.0 / (1.0 + (-f64::from(*z)).exp()));
            let p = (1.0 - share) * own + share * f64::from(*rate);
            *z = (p / (1.0 - p)).ln() as f32;
        }
    }
}

/// How likely it is that any of a step's cells begins, given their log-odds.
pub(super) fn onset(logits: &[f32]) -> f64 {
    -(-silence(logits)).exp_m1()
}

/// The negative logarithm of the probability that none of a step's cells begins.
pub(super) fn silence(logits: &[f32]) -> f64 {
    let softplus = |z: f32| f64::from(z.max(0.0)) + f64::from((-z.abs()).exp()).ln_1p();
    logits.iter().map(|z| softplus(*z)).sum()
}
