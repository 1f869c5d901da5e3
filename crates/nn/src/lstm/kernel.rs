//! The whole-sequence LSTM on plain slices: forward, and back-propagation through time in one pass.
//!
//! Rows (members of the batch) are independent in time, so each thread runs all steps of its own rows and never waits
//! for another. The recurrent weights are packed once per sequence. With few rows the input product and the weights' gradients
//! are one product over all steps each; with many they are made step by step, while the tile of rows is still in the cache.
//!
//! Outputs, the state and the input's gradient have the same bits for any number of threads and any split of a
//! sequence; so have the weights' gradients for any number of threads.

use super::gates;
use crate::buffer::Buffer;
use crate::packed::PackedMatrix;
use crate::product::{Factor, Shared, column_sums, transposed_products, transposed_rows};
use crate::simd::{Level, Number};
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

/// What is added to the sums of the gates from outside, the same at every step where `steps` is 1.
///
/// # Shapes
/// `values`: `[steps, B, 4H]`
#[derive(Clone, Copy)]
pub(crate) struct Added<'a> {
    pub values: &'a [f32],
    pub steps: usize,
}

impl Added<'_> {
    /// Fills the gates of rows `first..first + m` of step `t` with what is added to them.
    fn copy(&self, shape: Shape, t: usize, first: usize, m: usize, g: &mut [f32]) {
        let h4 = 4 * shape.hidden;
        let from = (t % self.steps * shape.batch + first) * h4;
        let rows = self.values[from..from + m * h4].chunks_exact(h4);
        g.chunks_mut(gate_stride(shape.hidden)).zip(rows).for_each(|(g, added)| g[..h4].copy_from_slice(added));
    }
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
    /// Steps of what was added, or none.
    added: Option<usize>,
}

/// The gradients; `dx` only if it was asked for, `d_added` if there was something added.
pub(crate) struct Gradients {
    pub dx: Option<Buffer>,
    pub d_added: Option<Buffer>,
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

/// Rows whose gates fit into the second-level cache beside the weights.
const MOST_ROWS: usize = 252;

/// Rows that one thread takes at a time: at least a tile for each thread.
fn tiles(batch: usize) -> Vec<(usize, usize)> {
    let threads = rayon::current_num_threads();
    let n = batch.div_ceil(MOST_ROWS).next_multiple_of(threads.max(1)).min(batch);
    (0..n).map(|q| (batch * q / n, batch * (q + 1) / n)).collect()
}

/// Whether the products over all steps (of the input, and of the weights' gradients) belong inside the loop over time: then a
/// tile has enough rows to make them while its gates are in the cache. Does not depend on the number of threads.
fn inside(shape: Shape) -> bool {
    shape.batch >= 448
}

/// Rows of the batch whose weights' gradients are summed together, one after another; the slabs' sums are added in their
/// order. How many there are does not depend on the threads.
fn slabs(batch: usize) -> Vec<(usize, usize)> {
    let n = (batch / 112).clamp(1, 16);
    (0..n).map(|q| (batch * q / n, batch * (q + 1) / n)).collect()
}

/// Runs the sequence, whose products are made with numbers W, from state (`h0`, `c0`): returns the outputs `[T, B, H]`, what the backward pass needs, and the
/// final cells `[B, H]` (the final h is the last step of the outputs).
pub(crate) fn forward<W: Number>(
    shape: Shape,
    x: &[f32],
    added: Option<Added>,
    w: Weights,
    h0: &[f32],
    c0: &[f32],
) -> (Buffer, Saved, Vec<f32>) {
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
    let packed_ih = PackedMatrix::<W>::with_level(input, h4, w.w_ih, 1, input, level);
    let packed_hh = PackedMatrix::<W>::with_level(hidden, h4, w.w_hh, 1, hidden, level);
    let inside = inside(shape);
    if let Some(added) = added {
        let fits = (added.steps == 1 || added.steps == steps) && added.values.len() == added.steps * batch * h4;
        assert!(fits, "what is added against {shape:?}");
    }
    if !inside {
        if let Some(added) = added {
            gates_all.par_chunks_mut((batch * gs).max(1)).enumerate().for_each(|(t, g)| {
                added.copy(shape, t, 0, batch, g);
            });
        }
        packed_ih.multiply_parallel(steps * batch, x, input, &mut gates_all, gs, added.is_some());
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
                    if let Some(added) = added {
                        added.copy(shape, t, first, m, g);
                    }
                    packed_ih.multiply(m, &x[row * input..], input, g, gs, added.is_some());
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
    let added = added.map(|added| added.steps);
    let saved = Saved { gates: gates_all, cells, h0: h0.to_vec(), c0: c0.to_vec(), added };
    (y, saved, c_final)
}

/// Back-propagation through time from `dy` `[T, B, H]`; no gradient flows into the initial state.
pub(crate) fn backward<W: Number>(
    shape: Shape,
    x: &[f32],
    w: Weights,
    y: &[f32],
    saved: Saved,
    dy: &[f32],
    want_dx: bool,
) -> Gradients {
    let Shape { steps, batch, input, hidden } = shape;
    let rows = steps * batch;
    assert_eq!((y.len(), dy.len()), (rows * hidden, rows * hidden), "outputs against {shape:?}");
    let level = Level::detect();
    let walk = Walk::<W> {
        shape,
        level,
        x,
        y,
        dy,
        cells: &saved.cells,
        h0: &saved.h0,
        c0: &saved.c0,
        added: saved.added,
        packed_hh: PackedMatrix::with_level(4 * hidden, hidden, w.w_hh, hidden, 1, level),
        packed_ih: want_dx.then(|| PackedMatrix::with_level(4 * hidden, input, w.w_ih, input, 1, level)),
    };
    if inside(shape) { walk.in_slabs(saved.gates) } else { walk.then_products(saved.gates) }
}

/// The way back through time.
struct Walk<'a, W: Number> {
    shape: Shape,
    level: Level,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    cells: &'a [f32],
    h0: &'a [f32],
    c0: &'a [f32],
    /// Steps of what was added, or none.
    added: Option<usize>,
    packed_hh: PackedMatrix<W>,
    /// Only where the input's gradient is asked for.
    packed_ih: Option<PackedMatrix<W>>,
}

impl<W: Number> Walk<'_, W> {
    /// Steps rows `first`..`end` back from the last step to the first; `gates` become the gradients of their sums. After each
    /// step `visit` gets the step and these rows of it.
    ///
    /// # Safety
    /// Nobody else may touch these rows of `gates`.
    unsafe fn rows(&self, first: usize, end: usize, gates: &Shared, mut visit: impl FnMut(usize, &[f32])) {
        let Shape { steps, batch, hidden, .. } = self.shape;
        let (h4, gs, m) = (4 * hidden, gate_stride(hidden), end - first);
        let (mut dh, mut dc) = (Buffer::unspecified(m * hidden), Buffer::zeros(m * hidden));
        for t in (0..steps).rev() {
            let row = t * batch + first;
            let own = row * hidden..(row + m) * hidden;
            dh.copy_from_slice(&self.dy[own.clone()]);
            if t + 1 < steps {
                // SAFETY: the caller's promise; one step is taken at a time.
                let after = unsafe { gates.slice((row + batch) * gs, m * gs) };
                self.packed_hh.multiply(m, after, gs, &mut dh, hidden, true);
            }
            // SAFETY: as above.
            let g = unsafe { gates.slice(row * gs, m * gs) };
            let c_before = match t {
                0 => &self.c0[first * hidden..end * hidden],
                _ => &self.cells[(row - batch) * hidden..][..m * hidden],
            };
            let c = &self.cells[own];
            for r in 0..m {
                let (h, g4) = (r * hidden..(r + 1) * hidden, r * gs..r * gs + h4);
                let (c_before, c) = (&c_before[h.clone()], &c[h.clone()]);
                gates::step_gradient(self.level, c_before, c, &dh[h.clone()], &mut g[g4], &mut dc[h]);
            }
            visit(t, g);
        }
    }

    /// Puts the gradient of the gates' sums, rows `first..first + m` of step `t`, where that of what was added is gathered.
    fn gather_added(&self, t: usize, first: usize, m: usize, g: &[f32], d_added: &Shared) {
        let Shape { steps, batch, hidden, .. } = self.shape;
        let h4 = 4 * hidden;
        // The walk begins at the last step.
        let (at, begins) = if self.added == Some(1) { (0, t + 1 == steps) } else { (t, true) };
        // SAFETY: each tile has rows of its own.
        let sums = unsafe { d_added.slice((at * batch + first) * h4, m * h4) };
        for (sum, g) in sums.chunks_exact_mut(h4).zip(g.chunks(gate_stride(hidden))) {
            match begins {
                true => sum.copy_from_slice(&g[..h4]),
                false => sum.iter_mut().zip(g).for_each(|(sum, g)| *sum += g),
            }
        }
    }

    /// With few rows: all steps first, then one product over the whole sequence for each of the other gradients.
    fn then_products(&self, mut gates: Buffer) -> Gradients {
        let Shape { steps, batch, input, hidden } = self.shape;
        let (h4, gs, rows) = (4 * hidden, gate_stride(hidden), steps * batch);
        let mut d_added = self.added.map(|steps| Buffer::zeros(steps * batch * h4));
        {
            let (gates, d_added) = (Shared::new(&mut gates), d_added.as_deref_mut().map(Shared::new));
            tiles(batch).into_par_iter().for_each(|(first, end)| {
                let visit = |t: usize, g: &[f32]| {
                    if let Some(d_added) = &d_added {
                        self.gather_added(t, first, end - first, g, d_added);
                    }
                };
                // SAFETY: tiles are disjoint.
                unsafe { self.rows(first, end, &gates, visit) }
            });
        }
        let dg = &gates[..];
        let dx = self.packed_ih.as_ref().map(|packed_ih| {
            let mut dx = Buffer::unspecified(rows * input);
            packed_ih.multiply_parallel(rows, dg, gs, &mut dx, input, false);
            dx
        });
        let (mut dw_ih, mut dw_hh) = (Buffer::unspecified(h4 * input), Buffer::unspecified(h4 * hidden));
        let later = rows.saturating_sub(batch);
        let ih = Factor { b: self.x, n: input, skip: 0, c: &mut dw_ih, accumulate: false };
        let hh = Factor { b: &self.y[..later * hidden], n: hidden, skip: batch, c: &mut dw_hh, accumulate: false };
        transposed_products::<W, 2>([rows, h4], dg, gs, [ih, hh]);
        if steps > 0 && self.h0.iter().any(|v| *v != 0.0) {
            let start = Factor { b: self.h0, n: hidden, skip: 0, c: &mut dw_hh, accumulate: true };
            transposed_products::<W, 1>([batch, h4], dg, gs, [start]);
        }
        let mut db = Buffer::unspecified(h4);
        column_sums(h4, gs, dg, &mut db);
        Gradients { dx, d_added, dw_ih, dw_hh, db }
    }

    /// With many rows: everything while a tile of gates is in the cache. Each slab has its own sums of the weights' gradients.
    fn in_slabs(&self, mut gates: Buffer) -> Gradients {
        let Shape { steps, batch, input, hidden } = self.shape;
        let (h4, gs, rows) = (4 * hidden, gate_stride(hidden), steps * batch);
        let mut dx = self.packed_ih.as_ref().map(|_| Buffer::unspecified(rows * input));
        let mut d_added = self.added.map(|added| match steps {
            0 => Buffer::zeros(added * batch * h4),
            _ => Buffer::unspecified(added * batch * h4),
        });
        let known_start = self.h0.iter().any(|v| *v != 0.0);
        let sums: Vec<_> = {
            let (gates, dx) = (Shared::new(&mut gates), dx.as_deref_mut().map(Shared::new));
            let d_added = d_added.as_deref_mut().map(Shared::new);
            let slab = |(start, end): (usize, usize)| {
                let mut dw_ih = Buffer::zeros(h4 * input);
                let mut dw_hh = Buffer::zeros(h4 * hidden);
                let mut db = Buffer::zeros(h4);
                let tiles = (end - start).div_ceil(MOST_ROWS);
                for tile in 0..tiles {
                    let (first, end) =
                        (start + (end - start) * tile / tiles, start + (end - start) * (tile + 1) / tiles);
                    let m = end - first;
                    let visit = |t: usize, g: &[f32]| {
                        let row = t * batch + first;
                        if let (Some(dx), Some(packed_ih)) = (&dx, &self.packed_ih) {
                            // SAFETY: this tile alone writes these rows of dx.
                            let dx = unsafe { dx.slice(row * input, m * input) };
                            packed_ih.multiply(m, g, gs, dx, input, false);
                        }
                        if let Some(d_added) = &d_added {
                            self.gather_added(t, first, m, g, d_added);
                        }
                        let x = &self.x[row * input..][..m * input];
                        let before = match t {
                            0 => &self.h0[first * hidden..end * hidden],
                            _ => &self.y[(row - batch) * hidden..][..m * hidden],
                        };
                        let ih = Factor { b: x, n: input, skip: 0, c: &mut dw_ih, accumulate: true };
                        if t > 0 || known_start {
                            let hh = Factor { b: before, n: hidden, skip: 0, c: &mut dw_hh, accumulate: true };
                            transposed_rows::<W, 2>(self.level, m, 0..h4, g, gs, [ih, hh]);
                        } else {
                            transposed_rows::<W, 1>(self.level, m, 0..h4, g, gs, [ih]);
                        }
                        for g in g.chunks(gs) {
                            db.iter_mut().zip(g).for_each(|(sum, g)| *sum += g);
                        }
                    };
                    // SAFETY: tiles are disjoint.
                    unsafe { self.rows(first, end, &gates, visit) }
                }
                (dw_ih, dw_hh, db)
            };
            slabs(batch).into_par_iter().map(slab).collect()
        };
        let mut sums = sums.into_iter();
        let Some((mut dw_ih, mut dw_hh, mut db)) = sums.next() else { unreachable!("there is at least one slab") };
        for (ih, hh, b) in sums {
            for (sum, part) in [(&mut dw_ih, ih), (&mut dw_hh, hh), (&mut db, b)] {
                sum.iter_mut().zip(&part[..]).for_each(|(sum, part)| *sum += part);
            }
        }
        Gradients { dx, d_added, dw_ih, dw_hh, db }
    }
}
