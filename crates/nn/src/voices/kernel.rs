//! The voices on plain slices: all of a row's steps and voices in one pass forward and one back.
//!
//! Rows (members of the batch) are independent, so each thread runs its own rows through all steps, and within a step through all
//! voices, and never waits for another. What a voice sees beside the features, its decisions and its last output, stands in one row
//! of memory, so that one product serves both, and one product over the whole sequence gives the gradients of both weights.
//!
//! Everything has the same bits for any number of threads.

use super::outcome::{Decided, FinalRow, OrderedRow};
use super::{Prediction, Rule, Targets};
use crate::buffer::Buffer;
use crate::cross_entropy::Figures;
use crate::lstm::{gradient, step};
use crate::packed::PackedMatrix;
use crate::product::{Shared, column_sums, transposed_product};
use crate::simd::{Level, per_level};
use rayon::prelude::*;
use std::sync::Arc;

/// Sizes of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub steps: usize,
    pub batch: usize,
    /// F
    pub features: usize,
    /// K
    pub items: usize,
    /// H
    pub hidden: usize,
    /// V
    pub voices: usize,
    pub rule: Rule,
}

impl Shape {
    /// A row of what a voice sees beside the features: decisions, then its last output.
    fn seen(self) -> usize {
        2 * self.items + self.hidden
    }

    fn outcomes(self) -> usize {
        self.rule.outcomes(self.items)
    }

    /// Rows of one step: `[V, B]`.
    fn rows(self) -> usize {
        self.voices * self.batch
    }
}

/// The parameters, in PyTorch's layout.
///
/// # Shapes
/// `w_ih`: `[4H, F + 2K]`, `w_hh`: `[4H, H]`, `bias`: `[4H]`, `w_out`: `[O, H]`, `b_out`: `[O]`
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub w_ih: &'a [f32],
    pub w_hh: &'a [f32],
    pub bias: &'a [f32],
    pub w_out: &'a [f32],
    pub b_out: &'a [f32],
}

impl Weights<'_> {
    /// `[4H, 2K + H]`: what acts on a row of what a voice sees.
    fn of_seen(self, shape: Shape) -> Vec<f32> {
        let Shape { features, hidden, .. } = shape;
        let inputs = self.w_ih.chunks_exact(features + 2 * shape.items);
        inputs.zip(self.w_hh.chunks_exact(hidden)).flat_map(|(w, u)| w[features..].iter().chain(u)).copied().collect()
    }
}

/// [`Targets`] that outlive a call.
#[derive(Clone, Debug)]
pub struct OwnedTargets {
    pub(super) items: usize,
    pub(super) voices: usize,
    pub(super) rule: Rule,
    sets: Arc<[u32]>,
    weights: Arc<[f32]>,
    chances: Arc<[f32]>,
}

impl From<Targets<'_>> for OwnedTargets {
    fn from(t: Targets<'_>) -> OwnedTargets {
        OwnedTargets {
            items: t.items,
            voices: t.voices,
            rule: t.rule,
            sets: t.sets.into(),
            weights: t.weights.into(),
            chances: t.chances.into(),
        }
    }
}

/// What the backward pass needs of the forward pass, beside its input.
///
/// # Shapes
/// `gates`: `[T, V, B, 4H]`, activated; `cells`: `[T, V, B, H]`; `seen`: `[T + 1, V, B, 2K + H]`; `logits`: `[T, V, B, O]`, the
/// gradient with respect to them
#[derive(Debug)]
pub(super) struct Saved {
    gates: Buffer,
    cells: Buffer,
    seen: Buffer,
    logits: Buffer,
}

/// Rows that one thread takes at a time: at least a tile for each thread, at most 252 rows in each.
fn tiles(batch: usize) -> Vec<(usize, usize)> {
    let threads = rayon::current_num_threads();
    let n = batch.div_ceil(252).next_multiple_of(threads.max(1)).min(batch);
    (0..n).map(|q| (batch * q / n, batch * (q + 1) / n)).collect()
}

/// [`gradient`], which is added to `all`, too.
#[inline(always)]
fn step_gradient<const FMA: bool>(
    c_before: &[f32],
    c: &[f32],
    dh: &[f32],
    gates: &mut [f32],
    dc: &mut [f32],
    all: &mut [f32],
) {
    gradient::<FMA>(c_before, c, dh, gates, dc);
    all.iter_mut().zip(gates).for_each(|(all, gate)| *all += *gate);
}

/// One row of the batch within one step.
enum Way {
    Final(Box<FinalRow>),
    Ordered(OrderedRow),
}

/// Runs the sequence from a state of zeros. `Saved` holds the gradient of the mean loss already, up to the upstream factor.
pub(super) fn forward(shape: Shape, features: &[f32], w: Weights, targets: &OwnedTargets) -> (Saved, Prediction) {
    let Shape { steps, batch, features: f, items, hidden, voices, rule } = shape;
    let (h4, seen, outcomes, rows, masks) = (4 * hidden, shape.seen(), shape.outcomes(), shape.rows(), 2 * items);
    let level = Level::detect();
    let of_seen = w.of_seen(shape);
    let packed_features = PackedMatrix::new(f, h4, w.w_ih, 1, f + masks);
    let packed_seen = PackedMatrix::new(seen, h4, &of_seen, 1, seen);
    let packed_out = PackedMatrix::new(hidden, outcomes, w.w_out, 1, hidden);
    let mut saved = Saved {
        gates: Buffer::unspecified(steps * rows * h4),
        cells: Buffer::unspecified(steps * rows * hidden),
        seen: Buffer::unspecified((steps + 1) * rows * seen),
        logits: Buffer::unspecified(steps * rows * outcomes),
    };
    // No output before the first step, no decision after the last.
    saved.seen[..rows * seen].fill(0.0);
    saved.seen[steps * rows * seen..].fill(0.0);
    let counted: f64 = targets.weights.iter().map(|w| f64::from(*w)).sum();
    let scale = if counted > 0.0 { 1.0 / counted } else { 0.0 };
    let mut nats = vec![0.0f32; steps * batch];
    let mut right = vec![0.0f32; steps * batch];
    let zeros = vec![0.0f32; hidden];
    {
        let (all_gates, all_cells) = (Shared::new(&mut saved.gates), Shared::new(&mut saved.cells));
        let (all_seen, all_logits) = (Shared::new(&mut saved.seen), Shared::new(&mut saved.logits));
        let (nats, right) = (Shared::new(&mut nats), Shared::new(&mut right));
        tiles(batch).into_par_iter().for_each(|(first, end)| {
            let m = end - first;
            let mut shared = Buffer::unspecified(m * h4);
            let mut decided = vec![Decided::default(); m];
            let mut ways: Vec<Way> = (0..m)
                .map(|_| match rule {
                    Rule::Final => Way::Final(Box::new(FinalRow::new(items, voices))),
                    Rule::Ordered => Way::Ordered(OrderedRow::default()),
                })
                .collect();
            for t in 0..steps {
                let here = t * batch + first;
                packed_features.multiply(m, &features[here * f..], f, &mut shared, h4, false);
                for row in shared.chunks_exact_mut(h4) {
                    row.iter_mut().zip(w.bias).for_each(|(s, b)| *s += b);
                }
                decided.fill(Decided::default());
                for v in 0..voices {
                    let row = (t * voices + v) * batch + first;
                    // SAFETY: this tile alone touches rows first..end of every step and voice. The pieces of one step and voice, of
                    // the step before (cells) and after (seen) are disjoint, and each borrow ends with the iteration.
                    let (g, c, z, y, l) = unsafe {
                        (
                            all_gates.slice(row * h4, m * h4),
                            all_cells.slice(row * hidden, m * hidden),
                            all_seen.slice(row * seen, m * seen),
                            all_seen.slice((row + rows) * seen, m * seen),
                            all_logits.slice(row * outcomes, m * outcomes),
                        )
                    };
                    for (z, decided) in z.chunks_exact_mut(seen).zip(&decided) {
                        decided.write(&mut z[..masks]);
                    }
                    packed_seen.multiply(m, z, seen, g, h4, false);
                    for r in 0..m {
                        let own = r * hidden..(r + 1) * hidden;
                        let c_before: &[f32] = match t {
                            0 => &zeros,
                            // SAFETY: as above; written a step before.
                            _ => unsafe { all_cells.slice((row + r - rows) * hidden, hidden) },
                        };
                        let (shared, gates) = (&shared[r * h4..(r + 1) * h4], &mut g[r * h4..(r + 1) * h4]);
                        let (c, y) = (&mut c[own], &mut y[r * seen + masks..(r + 1) * seen]);
                        // What the voices share stands where a layer has its bias.
                        step(level, shared, c_before, gates, c, y);
                    }
                    packed_out.multiply(m, &y[masks..], seen, l, outcomes, false);
                    for r in 0..m {
                        let logits = &mut l[r * outcomes..(r + 1) * outcomes];
                        logits.iter_mut().zip(w.b_out).for_each(|(l, b)| *l += b);
                        let (set, weight) = (targets.sets[here + r], targets.weights[here + r]);
                        match &mut ways[r] {
                            Way::Final(way) => {
                                let drawn = way.voice(level, v, logits, decided[r], targets.chances[row + r]);
                                // The item is kept, the side is the truth's.
                                let item = drawn % items;
                                let outcome = if set >> item & 1 == 1 { item } else { items + item };
                                decided[r] = decided[r].with(outcome, items, rule);
                            }
                            Way::Ordered(way) => {
                                let read: [f32; super::MOST_ITEMS + 1] =
                                    std::array::from_fn(|k| logits.get(k).copied().unwrap_or(0.0));
                                let scale = (f64::from(weight) * scale) as f32;
                                let last = v + 1 == voices;
                                decided[r] = way.voice(&read[..outcomes], set, decided[r], last, scale, logits);
                            }
                        }
                    }
                }
                for (r, way) in ways.iter_mut().enumerate() {
                    let (set, weight) = (targets.sets[here + r], targets.weights[here + r]);
                    let found = match way {
                        Way::Final(way) => way.close(level, set, (f64::from(weight) * scale) as f32, |v| {
                            let at = ((t * voices + v) * batch + first + r) * outcomes;
                            // SAFETY: as above; each voice's piece is asked for once.
                            unsafe { all_logits.slice(at, outcomes) }
                        }),
                        Way::Ordered(way) => {
                            let found = (way.nats, way.right());
                            *way = OrderedRow::default();
                            found
                        }
                    };
                    // SAFETY: this tile alone touches these steps of its rows.
                    unsafe {
                        nats.slice(here + r, 1)[0] = found.0;
                        right.slice(here + r, 1)[0] = if found.1 { 1.0 } else { 0.0 };
                    }
                }
            }
        });
    }
    let mut figures = Figures { counted, ..Figures::default() };
    for ((nats, right), weight) in nats.iter().zip(&right).zip(targets.weights.iter()) {
        if *weight > 0.0 {
            figures.nats += f64::from(*weight) * f64::from(*nats);
            figures.correct += usize::from(*right > 0.0);
        }
    }
    (saved, Prediction { figures, nats })
}

/// The gradients; `features` only if it was asked for.
pub(super) struct Gradients {
    pub features: Option<Buffer>,
    pub w_ih: Buffer,
    pub w_hh: Buffer,
    pub bias: Buffer,
    pub w_out: Buffer,
    pub b_out: Buffer,
}

/// Back-propagation through time of all voices, for an upstream gradient of `upstream`.
pub(super) fn backward(
    shape: Shape,
    features: &[f32],
    w: Weights,
    saved: Saved,
    upstream: f32,
    want_features: bool,
) -> Gradients {
    let Shape { steps, batch, features: f, items, hidden, voices, .. } = shape;
    let (h4, seen, outcomes, rows, masks) = (4 * hidden, shape.seen(), shape.outcomes(), shape.rows(), 2 * items);
    let level = Level::detect();
    let Saved { mut gates, cells, seen: all_seen, mut logits } = saved;
    if upstream != 1.0 {
        logits.iter_mut().for_each(|g| *g *= upstream);
    }
    let packed_out = PackedMatrix::new(outcomes, hidden, w.w_out, hidden, 1);
    let packed_hh = PackedMatrix::new(h4, hidden, w.w_hh, hidden, 1);
    let packed_features = want_features.then(|| PackedMatrix::new(h4, f, w.w_ih, f + masks, 1));
    let mut of_features = want_features.then(|| Buffer::unspecified(steps * batch * f));
    // The gates' gradients summed over voices: all that the features and the bias need.
    let mut summed = Buffer::unspecified(steps * batch * h4);
    let zeros = vec![0.0f32; hidden];
    {
        let (gates, summed) = (Shared::new(&mut gates), Shared::new(&mut summed));
        let of_features = of_features.as_deref_mut().map(Shared::new);
        tiles(batch).into_par_iter().for_each(|(first, end)| {
            let m = end - first;
            let (mut dh, mut dc) = (Buffer::unspecified(m * hidden), Buffer::zeros(voices * m * hidden));
            for t in (0..steps).rev() {
                let here = t * batch + first;
                // SAFETY: this tile alone touches these rows.
                let all = unsafe { summed.slice(here * h4, m * h4) };
                all.fill(0.0);
                for v in 0..voices {
                    let row = (t * voices + v) * batch + first;
                    packed_out.multiply(m, &logits[row * outcomes..], outcomes, &mut dh, hidden, false);
                    if t + 1 < steps {
                        // SAFETY: as above, one step and voice at a time.
                        let after = unsafe { gates.slice((row + rows) * h4, m * h4) };
                        packed_hh.multiply(m, after, h4, &mut dh, hidden, true);
                    }
                    // SAFETY: as above.
                    let g = unsafe { gates.slice(row * h4, m * h4) };
                    for r in 0..m {
                        let own = r * hidden..(r + 1) * hidden;
                        let c_before = match t {
                            0 => &zeros[..],
                            _ => &cells[(row + r - rows) * hidden..][..hidden],
                        };
                        let (c, dh) = (&cells[(row + r) * hidden..][..hidden], &dh[own.clone()]);
                        let (gates, all) = (&mut g[r * h4..(r + 1) * h4], &mut all[r * h4..(r + 1) * h4]);
                        let dc = &mut dc[v * m * hidden..][own];
                        per_level!(
                            level,
                            step_gradient(
                                c_before: &[f32],
                                c: &[f32],
                                dh: &[f32],
                                gates: &mut [f32],
                                dc: &mut [f32],
                                all: &mut [f32],
                            )
                        );
                    }
                }
                if let (Some(of_features), Some(packed)) = (&of_features, &packed_features) {
                    // SAFETY: this tile alone writes these rows.
                    let d = unsafe { of_features.slice(here * f, m * f) };
                    packed.multiply(m, all, h4, d, f, false);
                }
            }
        });
    }
    let mut of_feature_weights = Buffer::unspecified(h4 * f);
    transposed_product([steps * batch, h4, f], &summed, features, &mut of_feature_weights);
    let mut bias = Buffer::unspecified(h4);
    column_sums(h4, h4, &summed, &mut bias);
    drop(summed);
    let mut of_seen_weights = Buffer::unspecified(h4 * seen);
    transposed_product([steps * rows, h4, seen], &gates, &all_seen[..steps * rows * seen], &mut of_seen_weights);
    // What a step put out stands in the row of the step after it.
    let mut of_out_weights = Buffer::unspecified(outcomes * seen);
    let put_out = &all_seen[rows * seen..];
    transposed_product([steps * rows, outcomes, seen], &logits, put_out, &mut of_out_weights);
    let mut b_out = Buffer::unspecified(outcomes);
    column_sums(outcomes, outcomes, &logits, &mut b_out);

    let (mut w_ih, mut w_hh) = (Buffer::unspecified(h4 * (f + masks)), Buffer::unspecified(h4 * hidden));
    for (j, seen) in of_seen_weights.chunks_exact(seen).enumerate() {
        let (from_features, from_masks) = w_ih[j * (f + masks)..(j + 1) * (f + masks)].split_at_mut(f);
        from_features.copy_from_slice(&of_feature_weights[j * f..(j + 1) * f]);
        from_masks.copy_from_slice(&seen[..masks]);
        w_hh[j * hidden..(j + 1) * hidden].copy_from_slice(&seen[masks..]);
    }
    let mut w_out = Buffer::unspecified(outcomes * hidden);
    for (w, seen) in w_out.chunks_exact_mut(hidden).zip(of_out_weights.chunks_exact(seen)) {
        w.copy_from_slice(&seen[masks..]);
    }
    Gradients { features: of_features, w_ih, w_hh, bias, w_out, b_out }
}
