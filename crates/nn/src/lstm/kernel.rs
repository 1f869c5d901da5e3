//! The whole-sequence LSTM on plain slices: forward, and back-propagation through time in one pass.
//!
//! Rows (members of the batch) are independent in time, so each thread runs all steps of its own rows and never waits
//! for another. The recurrent weights are packed once per sequence. With few rows the input product is one product
//! over all steps; with many it is made step by step, while the tile of rows is still in the cache. The weights'
//! gradients are one product over the whole sequence each.
//!
//! Outputs, the state and the input's gradient have the same bits for any number of threads and any split of a
//! sequence; so have the weights' gradients for any number of threads.

use super::gates;
use crate::buffer::Buffer;
use crate::packed::PackedMatrix;
use crate::product::{Shared, column_sums, transposed_product};
use crate::simd::Level;
use rayon::prelude::*;

/// Sizes of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub steps: usize,
    pub batch: usize,
    pub input: usize,
    pub hidden: usize,
}

/// The parameters, in PyTorch's layout.
///
/// # Shapes
/// `w_ih`: `[4H, I]`, `w_hh`: `[4H, H]`, `bias`: `[4H]`
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub w_ih: &'a [f32],
    pub w_hh: &'a [f32],
    pub bias: &'a [f32],
}

/// What the backward pass needs of the forward pass, beside its input and output.
///
/// # Shapes
/// `gates`: `[T, B, 4H]`, rows [`gate_stride`] apart, `cells`: `[T, B, H]`, `h0`, `c0`: `[B, H]`
#[derive(Debug)]
pub(crate) struct Saved {
    gates: Buffer,
    cells: Buffer,
    h0: Vec<f32>,
    c0: Vec<f32>,
}

/// The gradients; `dx` only if it was asked for.
pub(crate) struct Gradients {
    pub dx: Option<Buffer>,
    pub dw_ih: Buffer,
    pub dw_hh: Buffer,
    pub db: Buffer,
}

/// Values from one row of gates to the next: the gates, and a cache line more where rows would otherwise lie a multiple of 1 KiB
/// apart. A product walks down up to 14 rows at once, and rows at such distances compete for the same few lines of the
/// first-level cache.
fn gate_stride(hidden: usize) -> usize {
    let h4 = 4 * hidden;
    if h4.is_multiple_of(256) { h4 + 16 } else { h4 }
}

/// Rows that one thread takes at a time: at least a tile for each thread, at most 252 rows in each.
fn tiles(batch: usize) -> Vec<(usize, usize)> {
    let threads = rayon::current_num_threads();
    let n = batch.div_ceil(252).next_multiple_of(threads.max(1)).min(batch);
    (0..n).map(|q| (batch * q / n, batch * (q + 1) / n)).collect()
}

/// Whether the input product belongs inside the loop over time: then a tile has enough rows to be efficient by itself.
fn input_inside(shape: Shape) -> bool {
    shape.batch >= 112 * rayon::current_num_threads()
}

/// Runs the sequence from state (`h0`, `c0`): returns the outputs `[T, B, H]`, what the backward pass needs, and the
/// final cells `[B, H]` (the final h is the last step of the outputs).
pub(crate) fn forward(shape: Shape, x: &[f32], w: Weights, h0: &[f32], c0: &[f32]) -> (Buffer, Saved, Vec<f32>) {
    let Shape { steps, batch, input, hidden } = shape;
    let h4 = 4 * hidden;
    assert_eq!(x.len(), steps * batch * input, "x against {shape:?}");
    assert_eq!((w.w_ih.len(), w.w_hh.len(), w.bias.len()), (h4 * input, h4 * hidden, h4), "weights against {shape:?}");
    assert_eq!((h0.len(), c0.len()), (batch * hidden, batch * hidden), "state against {shape:?}");
    let level = Level::detect();
    let gs = gate_stride(hidden);
    let mut gates_all = Buffer::unspecified(steps * batch * gs);
    let mut cells = Buffer::unspecified(steps * batch * hidden);
    let mut y = Buffer::unspecified(steps * batch * hidden);
    let packed_ih = PackedMatrix::new(input, h4, w.w_ih, 1, input);
    let packed_hh = PackedMatrix::new(hidden, h4, w.w_hh, 1, hidden);
    let inside = input_inside(shape);
    if !inside {
        packed_ih.multiply_parallel(steps * batch, x, input, &mut gates_all, gs, false);
    }
    {
        let (gates_all, cells, y) = (Shared::new(&mut gates_all), Shared::new(&mut cells), Shared::new(&mut y));
        tiles(batch).into_par_iter().for_each(|(first, end)| {
            let m = end - first;
            for t in 0..steps {
                let row = t * batch + first;
                // SAFETY: this tile alone touches rows first..end of each step; the pieces of one step are taken once
                // for writing, and those of the step before for reading, after the borrow for writing has ended.
                let (g, c, out) = unsafe {
                    (
                        gates_all.slice(row * gs, m * gs),
                        cells.slice(row * hidden, m * hidden),
                        y.slice(row * hidden, m * hidden),
                    )
                };
                let (h_before, c_before): (&[f32], &[f32]) = if t == 0 {
                    (&h0[first * hidden..end * hidden], &c0[first * hidden..end * hidden])
                } else {
                    let before = (row - batch) * hidden;
                    // SAFETY: as above; written in the iteration before.
                    unsafe { (y.slice(before, m * hidden), cells.slice(before, m * hidden)) }
                };
                if inside {
                    packed_ih.multiply(m, &x[row * input..], input, g, gs, false);
                }
                packed_hh.multiply(m, h_before, hidden, g, gs, true);
                for r in 0..m {
                    let (h, g4) = (r * hidden..(r + 1) * hidden, r * gs..r * gs + h4);
                    gates::step(level, w.bias, &c_before[h.clone()], &mut g[g4], &mut c[h.clone()], &mut out[h]);
                }
            }
        });
    }
    let c_final = match steps {
        0 => c0.to_vec(),
        _ => cells[(steps - 1) * batch * hidden..].to_vec(),
    };
    let saved = Saved { gates: gates_all, cells, h0: h0.to_vec(), c0: c0.to_vec() };
    (y, saved, c_final)
}

/// Back-propagation through time from `dy` `[T, B, H]`; no gradient flows into the initial state.
pub(crate) fn backward(
    shape: Shape,
    x: &[f32],
    w: Weights,
    y: &[f32],
    saved: Saved,
    dy: &[f32],
    want_dx: bool,
) -> Gradients {
    let Shape { steps, batch, input, hidden } = shape;
    let (h4, gs) = (4 * hidden, gate_stride(hidden));
    let rows = steps * batch;
    assert_eq!((y.len(), dy.len()), (rows * hidden, rows * hidden), "outputs against {shape:?}");
    let level = Level::detect();
    let Saved { gates: mut gates_all, cells, h0, c0 } = saved;
    let packed_hh = PackedMatrix::new(h4, hidden, w.w_hh, hidden, 1);
    let packed_ih = want_dx.then(|| PackedMatrix::new(h4, input, w.w_ih, input, 1));
    let mut dx = want_dx.then(|| Buffer::unspecified(rows * input));
    let inside = input_inside(shape);
    {
        let gates_all = Shared::new(&mut gates_all);
        let dx = dx.as_deref_mut().filter(|_| inside).map(Shared::new);
        tiles(batch).into_par_iter().for_each(|(first, end)| {
            let m = end - first;
            let (mut dh, mut dc) = (Buffer::unspecified(m * hidden), Buffer::zeros(m * hidden));
            for t in (0..steps).rev() {
                let row = t * batch + first;
                let own = row * hidden..(row + m) * hidden;
                dh.copy_from_slice(&dy[own.clone()]);
                if t + 1 < steps {
                    // SAFETY: this tile alone touches rows first..end of each step, one step at a time.
                    let after = unsafe { gates_all.slice((row + batch) * gs, m * gs) };
                    packed_hh.multiply(m, after, gs, &mut dh, hidden, true);
                }
                // SAFETY: as above.
                let g = unsafe { gates_all.slice(row * gs, m * gs) };
                let c_before = match t {
                    0 => &c0[first * hidden..end * hidden],
                    _ => &cells[(row - batch) * hidden..][..m * hidden],
                };
                let c = &cells[own];
                for r in 0..m {
                    let (h, g4) = (r * hidden..(r + 1) * hidden, r * gs..r * gs + h4);
                    gates::step_gradient(
                        level,
                        &c_before[h.clone()],
                        &c[h.clone()],
                        &dh[h.clone()],
                        &mut g[g4],
                        &mut dc[h],
                    );
                }
                if let (Some(dx), Some(packed_ih)) = (&dx, &packed_ih) {
                    // SAFETY: this tile alone writes these rows of dx.
                    let dx = unsafe { dx.slice(row * input, m * input) };
                    packed_ih.multiply(m, g, gs, dx, input, false);
                }
            }
        });
    }
    if let (Some(dx), Some(packed_ih), false) = (&mut dx, &packed_ih, inside) {
        packed_ih.multiply_parallel(rows, &gates_all, gs, dx, input, false);
    }
    let dg = &gates_all[..];
    let mut dw_ih = Buffer::unspecified(h4 * input);
    transposed_product([rows, h4, input], dg, gs, x, &mut dw_ih, false);
    let mut dw_hh = Buffer::unspecified(h4 * hidden);
    let later = rows.saturating_sub(batch);
    transposed_product([later, h4, hidden], &dg[(rows - later) * gs..], gs, &y[..later * hidden], &mut dw_hh, false);
    if steps > 0 && h0.iter().any(|v| *v != 0.0) {
        transposed_product([batch, h4, hidden], dg, gs, &h0, &mut dw_hh, true);
    }
    let mut db = Buffer::unspecified(h4);
    column_sums(h4, gs, dg, &mut db);
    Gradients { dx, dw_ih, dw_hh, db }
}
