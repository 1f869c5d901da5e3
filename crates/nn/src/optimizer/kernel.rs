//! The arithmetic of a step on slices.

use super::Rule;
use crate::simd::{Level, fma, per_level};
use rayon::prelude::*;

/// Values that one task takes: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 1 << 15;

/// The constants of one step, worked out once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    rule: Rule,
    gradient_scale: f32,
    learning_rate: f64,
    /// `lr / (1 - b1^t)` and `1 / sqrt(1 - b2^t)`
    rate: f32,
    root: f32,
    /// What a decayed parameter is multiplied by.
    keep: f32,
}

impl Update {
    pub(super) fn new(rule: Rule, steps: u64, learning_rate: f64, gradient_scale: f32) -> Update {
        let (rate, root) = match rule {
            Rule::AdamW { beta1, beta2, .. } => {
                let left = |beta: f32| 1.0 - f64::from(beta).powf(steps as f64);
                ((learning_rate / left(beta1)) as f32, (1.0 / left(beta2).sqrt()) as f32)
            }
            Rule::RmsProp { .. } => (learning_rate as f32, 1.0),
        };
        Update { rule, gradient_scale, learning_rate, rate, root, keep: 1.0 }
    }

    /// The same for a parameter of so many axes.
    pub(super) fn for_axes(self, axes: usize) -> Update {
        match self.rule {
            Rule::AdamW { weight_decay, .. } if axes >= 2 => {
                Update { keep: (1.0 - self.learning_rate * f64::from(weight_decay)) as f32, ..self }
            }
            _ => self,
        }
    }

    /// One pass over gradient, moments and parameter.
    pub(super) fn apply(&self, gradient: &[f32], first: &mut [f32], second: &mut [f32], parameter: &mut [f32]) {
        let level = Level::detect();
        let chunks = parameter.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).zip(second.par_chunks_mut(CHUNK));
        match self.rule {
            Rule::AdamW { .. } => chunks.zip(first.par_chunks_mut(CHUNK)).for_each(|(((p, g), v), m)| {
                let update = self;
                per_level!(level, adam(update: &Update, g: &[f32], m: &mut [f32], v: &mut [f32], p: &mut [f32]));
            }),
            Rule::RmsProp { .. } => chunks.for_each(|((p, g), v)| {
                let update = self;
                per_level!(level, rms_prop(update: &Update, g: &[f32], v: &mut [f32], p: &mut [f32]));
            }),
        }
    }
}

#[inline(always)]
fn adam<const FMA: bool>(update: &Update, g: &[f32], m: &mut [f32], v: &mut [f32], p: &mut [f32]) {
    let Rule::AdamW { beta1, beta2, eps, .. } = update.rule else { return };
    let Update { gradient_scale, rate, root, keep, .. } = *update;
    let n = p.len();
    let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
    for j in 0..n {
        let gradient = g[j] * gradient_scale;
        let first = fma::<FMA>(beta1, m[j], (1.0 - beta1) * gradient);
        let second = fma::<FMA>(beta2, v[j], (1.0 - beta2) * gradient * gradient);
        (m[j], v[j]) = (first, second);
        p[j] = fma::<FMA>(keep, p[j], -(rate * first / fma::<FMA>(second.sqrt(), root, eps)));
    }
}

#[inline(always)]
fn rms_prop<const FMA: bool>(update: &Update, g: &[f32], v: &mut [f32], p: &mut [f32]) {
    let Rule::RmsProp { rho, eps } = update.rule else { return };
    let Update { gradient_scale, rate, .. } = *update;
    let n = p.len();
    let (g, v) = (&g[..n], &mut v[..n]);
    for j in 0..n {
        let gradient = g[j] * gradient_scale;
        v[j] = fma::<FMA>(rho, v[j], (1.0 - rho) * gradient * gradient);
        p[j] -= rate * gradient / (v[j] + eps).sqrt();
    }
}

/// In `f64` over blocks that are summed in `f32` lanes.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let level = Level::detect();
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(|v| per_level!(level, squares(v: &[f32]) -> f64)).collect();
    sums.into_iter().sum()
}

#[inline(always)]
fn squares<const FMA: bool>(values: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(1024) {
        let mut lanes = [0.0f32; 16];
        let (whole, rest) = block.as_chunks::<16>();
        for chunk in whole {
            for (s, v) in lanes.iter_mut().zip(chunk) {
                *s = fma::<FMA>(*v, *v, *s);
            }
        }
        total += lanes.iter().map(|s| f64::from(*s)).sum::<f64>();
        total += rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>();
    }
    total
}
