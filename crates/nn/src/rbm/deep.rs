//! Deep belief networks of two machines: the upper one is the prior of the lower one's hidden units.
//!
//! ```text
//! p(v, h, u) = p(v | h) p(h, u)      p(v | h) = sigmoid(bv + W1' h), unit by unit; p(h, u) is a machine with biases of its own
//! ln p(v) >= E_q [ ln p(v | h) + ln p*(h) - ln q(h | v) ] - ln Z        q(h | v) = sigmoid(bh + W1 v), unit by unit
//! ```
//! where `p*(h) = e^(-F(h))` is the upper machine's and Z its partition function. The mean of K draws inside the logarithm is a bound, too, and
//! none that is looser (Y. Burda, R. Grosse, R. Salakhutdinov, ICLR 2016, arXiv:1509.00519v4, theorem 1).
//!
//! Sources: G. Hinton, S. Osindero, Y. Teh, A Fast Learning Algorithm for Deep Belief Nets, Neural Computation 18(7), 2006, sections 3-4: with
//! `W2 = W1'` and the biases of the lower machine the two are that machine, and the bound is its likelihood, whatever q draws.
//! R. Salakhutdinov, I. Murray, On the Quantitative Analysis of Deep Belief Networks, ICML 2008, section 5.

use super::PackedRbm;
use super::ais::ln_1p_exp;
use crate::buffer::Buffer;
use crate::logistic::CoinKey;

impl PackedRbm {
    /// The inputs of the hidden units, given the visible ones.
    ///
    /// # Shapes
    /// `v`: `[N, V]`, `hidden_bias`: `[N, H]` -> `[N, H]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn hidden_inputs(&self, v: &[f32], hidden_bias: &[f32]) -> Vec<f32> {
        let rows = v.len() / self.visible.max(1);
        assert_eq!((v.len(), hidden_bias.len()), (rows * self.visible, rows * self.hidden), "units of {rows} rows");
        let mut inputs = Buffer::unspecified(rows * self.hidden);
        self.up.multiply_parallel(rows, v, self.visible, &mut inputs, self.hidden, false);
        inputs.iter().zip(hidden_bias).map(|(x, b)| x + b).collect()
    }

    /// The inputs of the visible units, given the hidden ones.
    ///
    /// # Shapes
    /// `h`: `[N, H]`, `visible_bias`: `[N, V]` -> `[N, V]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn visible_inputs(&self, h: &[f32], visible_bias: &[f32]) -> Vec<f32> {
        let rows = visible_bias.len() / self.visible.max(1);
        assert_eq!((h.len(), visible_bias.len()), (rows * self.hidden, rows * self.visible), "units of {rows} rows");
        let mut inputs = Buffer::unspecified(rows * self.visible);
        self.down.multiply_parallel(rows, h, self.hidden, &mut inputs, self.visible, false);
        inputs.iter().zip(visible_bias).map(|(x, b)| x + b).collect()
    }
}

/// Coins of rows of units: 1 with probability `sigmoid(x / temperature)`. Which ones follows from the seed, the row and the unit.
///
/// # Shapes
/// `inputs`: `[N, H]`
pub fn tossed(inputs: &[f32], units: usize, temperature: f32, seed: u64) -> Vec<f32> {
    let scale = 1.0 / temperature.max(1e-6);
    let row = |(row, x): (usize, &[f32])| {
        let key = CoinKey::new(seed, [row as u64, 0]);
        let coin = move |(unit, x): (usize, &f32)| f32::from(key.uniform(unit) < 1.0 / (1.0 + (-scale * x).exp()));
        x.iter().enumerate().map(coin).collect::<Vec<f32>>()
    };
    inputs.chunks_exact(units.max(1)).enumerate().flat_map(row).collect()
}

/// The biases of both machines, row by row.
#[derive(Clone, Copy, Debug)]
pub struct DeepBiases<'a> {
    /// Of the lower one's visible units, `[N, V]`.
    pub visible: &'a [f32],
    /// Of its hidden units, `[N, H]`: those of q.
    pub hidden: &'a [f32],
    /// Of the same units in the upper machine, `[N, H]`.
    pub middle: &'a [f32],
    /// Of the upper one's hidden units, `[N, U]`.
    pub top: &'a [f32],
}

/// Of each row the bound of `ln p(v)` by so many draws, but for the upper machine's `- ln Z`.
///
/// # Shapes
/// `v`: `[N, V]` -> `[N]`
/// # Units
/// nats
/// # Panics
/// If the lengths do not agree, or nothing is drawn.
pub fn log_bounds(
    (lower, upper): (&PackedRbm, &PackedRbm),
    v: &[f32],
    biases: DeepBiases<'_>,
    samples: usize,
    seed: u64,
) -> Vec<f64> {
    assert!(samples > 0 && upper.visible() == lower.hidden(), "{samples} draws of {} units", lower.hidden());
    let (visible, hidden) = (lower.visible(), lower.hidden());
    let inputs = lower.hidden_inputs(v, biases.hidden);
    let each = |values: &[f32], width: usize| -> Vec<f32> {
        values.chunks_exact(width.max(1)).flat_map(|row| row.repeat(samples)).collect()
    };
    let inputs = each(&inputs, hidden);
    let h = tossed(&inputs, hidden, 1.0, seed);
    let given = lower.visible_inputs(&h, &each(biases.visible, visible));
    let prior = upper.free_energies(&h, &each(biases.middle, hidden), &each(biases.top, upper.hidden()));
    let v = each(v, visible);
    let log_weights: Vec<f64> = prior
        .iter()
        .enumerate()
        .map(|(k, energy)| {
            let part = |units: usize| k * units..(k + 1) * units;
            let of_v = likelihood(&v[part(visible)], &given[part(visible)]);
            of_v - energy - likelihood(&h[part(hidden)], &inputs[part(hidden)])
        })
        .collect();
    log_weights.chunks_exact(samples).map(log_mean).collect()
}

/// `ln p` of units that are tossed each by itself.
fn likelihood(units: &[f32], inputs: &[f32]) -> f64 {
    units.iter().zip(inputs).map(|(unit, x)| f64::from(unit * x) - ln_1p_exp(f64::from(*x))).sum()
}

/// The logarithm of the mean of what these are the logarithms of.
fn log_mean(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (logs.iter().map(|log| (log - most).exp()).sum::<f64>() / logs.len() as f64).ln()
}
