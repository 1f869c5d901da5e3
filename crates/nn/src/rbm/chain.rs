//! Block Gibbs sampling and free energies, many rows at once.

use super::{Chain, PackedRbm};
use crate::buffer::Buffer;
use crate::logistic::{CoinKey, softplus, softplus_and_sigmoid};
use crate::simd::{Level, per_level, sigmoid};
use rayon::prelude::*;

/// Rows that one task takes: their units stay in the cache over all steps.
pub(super) const ROWS: usize = 112;

impl PackedRbm {
    /// Runs a chain on each row, in place.
    ///
    /// # Shapes
    /// `v`, `visible_bias`: `[N, V]`, `hidden_bias`: `[N, H]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn gibbs(&self, v: &mut [f32], visible_bias: &[f32], hidden_bias: &[f32], chain: Chain) {
        let rows = self.rows(visible_bias, hidden_bias);
        assert_eq!(v.len(), rows * self.visible, "visible units of {rows} rows");
        let (nv, nh) = (self.visible, self.hidden);
        if nv == 0 {
            return;
        }
        let level = Level::detect();
        v.par_chunks_mut(ROWS * nv).enumerate().for_each(|(task, v)| {
            let first = task * ROWS;
            let count = v.len() / nv;
            let mut h = Buffer::unspecified(count * nh);
            for step in 0..chain.steps as u64 {
                self.up.multiply(count, v, nv, &mut h, nh, false);
                for (r, h) in h.chunks_exact_mut(nh.max(1)).enumerate() {
                    let bias = &hidden_bias[(first + r) * nh..][..nh];
                    toss_row(level, chain, CoinKey::new(chain.seed, [(first + r) as u64, 2 * step]), bias, h);
                }
                self.down.multiply(count, &h, nh, v, nv, false);
                for (r, v) in v.chunks_exact_mut(nv).enumerate() {
                    let bias = &visible_bias[(first + r) * nv..][..nv];
                    toss_row(level, chain, CoinKey::new(chain.seed, [(first + r) as u64, 2 * step + 1]), bias, v);
                }
            }
        });
    }

    /// What the visible units are drawn with after a last look at the hidden ones: the logits of each, given hidden units that are
    /// drawn from `v`.
    ///
    /// # Shapes
    /// `v`, `visible_bias`, `logits`: `[V]`, `hidden_bias`: `[H]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn visible_logits(
        &self,
        v: &[f32],
        visible_bias: &[f32],
        hidden_bias: &[f32],
        chain: Chain,
        logits: &mut [f32],
    ) {
        assert_eq!((v.len(), logits.len()), (self.visible, self.visible), "visible units of a row");
        let mut h = Buffer::unspecified(self.hidden);
        self.up.multiply(1, v, self.visible, &mut h, self.hidden, false);
        toss_row(Level::detect(), chain, CoinKey::new(chain.seed, [0, 0]), hidden_bias, &mut h);
        self.down.multiply(1, &h, self.hidden, logits, self.visible, false);
        logits.iter_mut().zip(visible_bias).for_each(|(z, b)| *z += b);
    }

    /// `F(v)` of each row.
    ///
    /// # Shapes
    /// `v`, `visible_bias`: `[N, V]`, `hidden_bias`: `[N, H]` -> `[N]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn free_energies(&self, v: &[f32], visible_bias: &[f32], hidden_bias: &[f32]) -> Vec<f64> {
        let rows = self.rows(visible_bias, hidden_bias);
        let (nv, nh) = (self.visible, self.hidden);
        assert_eq!(v.len(), rows * nv, "visible units of {rows} rows");
        let level = Level::detect();
        let mut inputs = Buffer::unspecified(rows * nh);
        self.up.multiply_parallel(rows, v, nv, &mut inputs, nh, false);
        let row = |r: usize| -> f64 {
            let (x, bias) = (&inputs[r * nh..][..nh], &hidden_bias[r * nh..][..nh]);
            let soft = per_level!(level, sum_of_softplus(x: &[f32], bias: &[f32]) -> f32);
            let linear: f32 = v[r * nv..][..nv].iter().zip(&visible_bias[r * nv..][..nv]).map(|(v, b)| v * b).sum();
            -f64::from(linear) - f64::from(soft)
        };
        (0..rows).map(row).collect()
    }

    /// `F(v)` of each row, and the hidden units' probabilities given v in the place of `inputs`' contents.
    ///
    /// # Shapes
    /// `hidden`: `[N, H]`
    pub(super) fn free_energies_and_hidden(
        &self,
        v: &[f32],
        visible_bias: &[f32],
        hidden_bias: &[f32],
        hidden: &mut [f32],
    ) -> Vec<f64> {
        let rows = self.rows(visible_bias, hidden_bias);
        let (nv, nh) = (self.visible, self.hidden);
        let level = Level::detect();
        self.up.multiply_parallel(rows, v, nv, hidden, nh, false);
        let each = hidden.par_chunks_mut(nh.max(1)).enumerate().map(|(r, x)| {
            let bias = &hidden_bias[r * nh..][..nh];
            let soft = per_level!(level, softplus_to_sigmoid(x: &mut [f32], bias: &[f32]) -> f32);
            let linear: f32 = v[r * nv..][..nv].iter().zip(&visible_bias[r * nv..][..nv]).map(|(v, b)| v * b).sum();
            -f64::from(linear) - f64::from(soft)
        });
        each.collect()
    }
}

/// Replaces the inputs of a row's units by coins: 1 with probability `sigmoid((x + bias) / temperature)`.
fn toss_row(level: Level, chain: Chain, key: CoinKey, bias: &[f32], x: &mut [f32]) {
    // Cold enough to be sure, and yet finite.
    let scale = 1.0 / chain.temperature.max(1e-6);
    per_level!(level, toss(key: CoinKey, scale: f32, bias: &[f32], x: &mut [f32]));
}

#[inline(always)]
fn toss<const FMA: bool>(key: CoinKey, scale: f32, bias: &[f32], x: &mut [f32]) {
    for (k, (x, b)) in x.iter_mut().zip(bias).enumerate() {
        *x = if key.uniform(k) < sigmoid::<FMA>(scale * (*x + b)) { 1.0 } else { 0.0 };
    }
}

#[inline(always)]
fn sum_of_softplus<const FMA: bool>(x: &[f32], bias: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (x, b) in x.iter().zip(bias) {
        sum += softplus::<FMA>(x + b);
    }
    sum
}

#[inline(always)]
fn softplus_to_sigmoid<const FMA: bool>(x: &mut [f32], bias: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (x, b) in x.iter_mut().zip(bias) {
        let (soft, p) = softplus_and_sigmoid::<FMA>(*x + b);
        *x = p;
        sum += soft;
    }
    sum
}
