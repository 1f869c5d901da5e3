//! Annealed importance sampling: an estimate of `ln Z` with its error, for each row.
//!
//! From independent visible units with biases `b0`, whose partition function is known, to the model, by way of
//! `p_beta(v) ~ e^((1 - beta) b0 v + beta bv v) prod_j (1 + e^(beta (bh_j + W_j v)))`. Each chain gives one unbiased weight of Z;
//! their mean's logarithm errs low by about half its variance, which shrinks with more temperatures and more chains.
//!
//! Sources: R. Neal, Annealed Importance Sampling, Statistics and Computing 11, 2001; R. Salakhutdinov, I. Murray, On the Quantitative
//! Analysis of Deep Belief Networks, ICML 2008, section 4.1. Departure: every row has a base of its own (mean field from
//! its visible biases), as every row is a model of its own.

use super::PackedRbm;
use super::chain::ROWS;
use crate::buffer::Buffer;
use crate::logistic::{CoinKey, softplus, softplus_and_sigmoid};
use crate::simd::{Level, per_level, sigmoid};
use rayon::prelude::*;

/// How much work an estimate may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annealing {
    /// Independent chains a row.
    pub chains: usize,
    /// Inverse temperatures from 0 to 1, both ends not counted twice: transitions of a chain.
    pub temperatures: usize,
}

/// An estimate of `ln Z` of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogPartition {
    /// The estimate.
    pub value: f64,
    /// Its variance over the chains (that of the logarithm of their mean weight, to first order).
    pub variance: f64,
}

/// Rounds of mean field for the base.
const MEAN_FIELD_ROUNDS: usize = 3;
/// The base leaves every unit at least this chance (as a logit) to be on or off.
const SUREST: f32 = 8.0;

impl PackedRbm {
    /// `ln Z` of each row, and the probability of each visible unit to be on.
    ///
    /// # Shapes
    /// `visible_bias`: `[N, V]`, `hidden_bias`: `[N, H]` -> N estimates, `[N, V]`
    /// # Panics
    /// If the lengths do not agree, or there is no chain or no temperature.
    pub fn log_partition(
        &self,
        visible_bias: &[f32],
        hidden_bias: &[f32],
        annealing: Annealing,
        seed: u64,
    ) -> (Vec<LogPartition>, Vec<f32>) {
        let rows = self.rows(visible_bias, hidden_bias);
        assert!(annealing.chains > 0 && annealing.temperatures > 0, "annealing without chains or temperatures");
        let (nv, nh) = (self.visible, self.hidden);
        // Whole rows to a task.
        let together = (ROWS / annealing.chains).max(1);
        let tasks: Vec<(Vec<LogPartition>, Vec<f32>)> = (0..rows.div_ceil(together))
            .into_par_iter()
            .map(|task| {
                let first = task * together;
                let count = together.min(rows - first);
                let (bv, bh) = (&visible_bias[first * nv..][..count * nv], &hidden_bias[first * nh..][..count * nh]);
                self.anneal(first, bv, bh, annealing, seed)
            })
            .collect();
        let mut estimates = Vec::with_capacity(rows);
        let mut marginals = Vec::with_capacity(rows * nv);
        for (some, probabilities) in tasks {
            estimates.extend(some);
            marginals.extend(probabilities);
        }
        (estimates, marginals)
    }

    /// The rows of one task; the first of them is row `first` of the whole.
    fn anneal(
        &self,
        first: usize,
        visible_bias: &[f32],
        hidden_bias: &[f32],
        annealing: Annealing,
        seed: u64,
    ) -> (Vec<LogPartition>, Vec<f32>) {
        let (nv, nh) = (self.visible, self.hidden);
        let Annealing { chains, temperatures } = annealing;
        let rows = self.rows(visible_bias, hidden_bias);
        let (level, lanes) = (Level::detect(), rows * chains);
        let base = self.base(rows, visible_bias, hidden_bias);
        let key = |lane: usize, step: usize| CoinKey::new(seed, [(first * chains + lane) as u64, step as u64]);
        let (mut v, mut h) = (Buffer::zeros(lanes * nv), Buffer::zeros(lanes * nh));
        let mut logs = vec![0.0f64; lanes];
        for (lane, v) in v.chunks_exact_mut(nv.max(1)).enumerate() {
            let row = &base[lane / chains * nv..][..nv];
            let (key, beta, bias, base) = (key(lane, 0), 0.0, row, row);
            per_level!(level, toss_between(key: CoinKey, beta: f32, bias: &[f32], base: &[f32], v: &mut [f32]));
        }
        for step in 1..=temperatures {
            let before = (step - 1) as f32 / temperatures as f32;
            let beta = step as f32 / temperatures as f32;
            self.up.multiply(lanes, &v, nv, &mut h, nh, false);
            for (lane, h) in h.chunks_exact_mut(nh.max(1)).enumerate() {
                let row = lane / chains;
                let bias = &hidden_bias[row * nh..][..nh];
                let key = key(lane, 2 * step);
                let soft = per_level!(
                    level,
                    climb(key: CoinKey, before: f32, beta: f32, bias: &[f32], h: &mut [f32]) -> f32
                );
                let (v, bv, b0) = (&v[lane * nv..][..nv], &visible_bias[row * nv..][..nv], &base[row * nv..][..nv]);
                let linear = per_level!(level, change(v: &[f32], bv: &[f32], b0: &[f32]) -> f32);
                logs[lane] += f64::from(soft) + f64::from(beta - before) * f64::from(linear);
            }
            self.down.multiply(lanes, &h, nh, &mut v, nv, false);
            for (lane, v) in v.chunks_exact_mut(nv.max(1)).enumerate() {
                let row = lane / chains;
                let (bias, base) = (&visible_bias[row * nv..][..nv], &base[row * nv..][..nv]);
                if step < temperatures {
                    let key = key(lane, 2 * step + 1);
                    per_level!(level, toss_between(key: CoinKey, beta: f32, bias: &[f32], base: &[f32], v: &mut [f32]));
                } else {
                    // Here the chain stands at the model: probabilities say more than coins.
                    per_level!(level, probabilities(bias: &[f32], v: &mut [f32]));
                }
            }
        }
        let mut estimates = Vec::with_capacity(rows);
        let mut marginals = vec![0.0f32; rows * nv];
        for row in 0..rows {
            let logs = &logs[row * chains..][..chains];
            let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
            let mean = weights.iter().sum::<f64>() / chains as f64;
            let spread = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (chains as f64 - 1.0).max(1.0);
            let start: f64 = base[row * nv..][..nv].iter().map(|b| ln_1p_exp(f64::from(*b))).sum();
            estimates.push(LogPartition {
                value: start + nh as f64 * std::f64::consts::LN_2 + most + mean.ln(),
                // One chain says nothing of its error.
                variance: if chains > 1 { spread / (chains as f64 * mean * mean) } else { f64::INFINITY },
            });
            let sum = weights.iter().sum::<f64>();
            for (chain, weight) in weights.iter().enumerate() {
                let share = (weight / sum) as f32;
                let p = &v[(row * chains + chain) * nv..][..nv];
                marginals[row * nv..][..nv].iter_mut().zip(p).for_each(|(m, p)| *m += share * p);
            }
        }
        (estimates, marginals)
    }

    /// Biases of independent units that lie near each row's model: a few rounds of mean field from the visible biases.
    fn base(&self, rows: usize, visible_bias: &[f32], hidden_bias: &[f32]) -> Buffer {
        let (nv, nh) = (self.visible, self.hidden);
        let level = Level::detect();
        let (mut m, mut h) = (Buffer::zeros(rows * nv), Buffer::unspecified(rows * nh));
        let mut logits = Buffer::copy_of(visible_bias);
        for _ in 0..MEAN_FIELD_ROUNDS {
            m.copy_from_slice(&logits);
            let v = &mut m[..];
            let none = vec![0.0; v.len()];
            let bias = &none[..];
            per_level!(level, probabilities(bias: &[f32], v: &mut [f32]));
            self.up.multiply(rows, &m, nv, &mut h, nh, false);
            let (bias, v) = (hidden_bias, &mut h[..]);
            per_level!(level, probabilities(bias: &[f32], v: &mut [f32]));
            self.down.multiply(rows, &h, nh, &mut logits, nv, false);
            logits.iter_mut().zip(visible_bias).for_each(|(z, b)| *z += b);
        }
        logits.iter_mut().for_each(|z| *z = z.clamp(-SUREST, SUREST));
        logits
    }
}

/// `ln (1 + e^x)`
pub(super) fn ln_1p_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Coins at inverse temperature `beta`: 1 with probability `sigmoid(beta (x + bias) + (1 - beta) base)`.
#[inline(always)]
fn toss_between<const FMA: bool>(key: CoinKey, beta: f32, bias: &[f32], base: &[f32], x: &mut [f32]) {
    let rest = 1.0 - beta;
    for (k, ((x, b), b0)) in x.iter_mut().zip(bias).zip(base).enumerate() {
        let logit = beta * (*x + b) + rest * b0;
        *x = if key.uniform(k) < sigmoid::<FMA>(logit) { 1.0 } else { 0.0 };
    }
}

/// The hidden units' share of a weight's growth from one inverse temperature to the next, and coins at the next.
#[inline(always)]
fn climb<const FMA: bool>(key: CoinKey, before: f32, beta: f32, bias: &[f32], x: &mut [f32]) -> f32 {
    let mut sum = 0.0;
    for (k, (x, b)) in x.iter_mut().zip(bias).enumerate() {
        let input = *x + b;
        let (soft, p) = softplus_and_sigmoid::<FMA>(beta * input);
        sum += soft - softplus::<FMA>(before * input);
        *x = if key.uniform(k) < p { 1.0 } else { 0.0 };
    }
    sum
}

/// `v (bv - b0)`
#[inline(always)]
fn change<const FMA: bool>(v: &[f32], bv: &[f32], b0: &[f32]) -> f32 {
    let mut sum = 0.0;
    for ((v, a), b) in v.iter().zip(bv).zip(b0) {
        sum += v * (a - b);
    }
    sum
}

#[inline(always)]
fn probabilities<const FMA: bool>(bias: &[f32], v: &mut [f32]) {
    for (x, b) in v.iter_mut().zip(bias) {
        *x = sigmoid::<FMA>(*x + b);
    }
}
