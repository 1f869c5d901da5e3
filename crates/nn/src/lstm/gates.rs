//! The element-wise half of an LSTM step, for one row at a time.

use crate::simd::{Level, per_level, sigmoid, tanh};

/// Splits `[4H]` into the gates i, f, g, o.
#[inline(always)]
fn quarters(row: &mut [f32], h: usize) -> [&mut [f32]; 4] {
    let (i, rest) = row.split_at_mut(h);
    let (f, rest) = rest.split_at_mut(h);
    let (g, o) = rest.split_at_mut(h);
    [i, f, g, &mut o[..h]]
}

/// Activates one row of gates and advances its state:
/// `i, f, o = sigmoid(.)`, `g = tanh(.)`, `c = f c_before + i g`, `y = o tanh(c)`.
///
/// # Shapes
/// `gates`: `[4H]`, before: products without bias; after: activated; `bias`: `[4H]`; the others `[H]`
pub(crate) fn step(level: Level, bias: &[f32], c_before: &[f32], gates: &mut [f32], c: &mut [f32], y: &mut [f32]) {
    per_level!(level, step_any(bias: &[f32], c_before: &[f32], gates: &mut [f32], c: &mut [f32], y: &mut [f32]))
}

#[inline(always)]
fn step_any<const FMA: bool>(bias: &[f32], c_before: &[f32], gates: &mut [f32], c: &mut [f32], y: &mut [f32]) {
    let h = y.len();
    let [gi, gf, gg, go] = quarters(gates, h);
    let (bi, bf, bg, bo) = (&bias[..h], &bias[h..2 * h], &bias[2 * h..3 * h], &bias[3 * h..4 * h]);
    let (c_before, c) = (&c_before[..h], &mut c[..h]);
    for j in 0..h {
        let i = sigmoid::<FMA>(gi[j] + bi[j]);
        let f = sigmoid::<FMA>(gf[j] + bf[j]);
        let g = tanh::<FMA>(gg[j] + bg[j]);
        let o = sigmoid::<FMA>(go[j] + bo[j]);
        let cell = f * c_before[j] + i * g;
        (gi[j], gf[j], gg[j], go[j]) = (i, f, g, o);
        c[j] = cell;
        y[j] = o * tanh::<FMA>(cell);
    }
}

/// As [`step`], with the cell updated in place and the gates left as they are: for generation.
pub(crate) fn step_in_place(level: Level, bias: &[f32], gates: &[f32], c: &mut [f32], y: &mut [f32]) {
    per_level!(level, in_place_any(bias: &[f32], gates: &[f32], c: &mut [f32], y: &mut [f32]))
}

#[inline(always)]
fn in_place_any<const FMA: bool>(bias: &[f32], gates: &[f32], c: &mut [f32], y: &mut [f32]) {
    let h = y.len();
    let (gi, gf, gg, go) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h], &gates[3 * h..4 * h]);
    let (bi, bf, bg, bo) = (&bias[..h], &bias[h..2 * h], &bias[2 * h..3 * h], &bias[3 * h..4 * h]);
    let c = &mut c[..h];
    for j in 0..h {
        let i = sigmoid::<FMA>(gi[j] + bi[j]);
        let f = sigmoid::<FMA>(gf[j] + bf[j]);
        let g = tanh::<FMA>(gg[j] + bg[j]);
        let o = sigmoid::<FMA>(go[j] + bo[j]);
        c[j] = f * c[j] + i * g;
        y[j] = o * tanh::<FMA>(c[j]);
    }
}

/// The gradient of [`step`]: replaces the activated gates by the gradient with respect to their sums, and `dc` (with
/// respect to the cell after this step) by the one with respect to the cell before it.
///
/// # Shapes
/// `gates`: `[4H]`; the others `[H]`; `dh`: the gradient with respect to this step's output
pub(crate) fn step_gradient(level: Level, c_before: &[f32], c: &[f32], dh: &[f32], gates: &mut [f32], dc: &mut [f32]) {
    per_level!(level, gradient(c_before: &[f32], c: &[f32], dh: &[f32], gates: &mut [f32], dc: &mut [f32]))
}

/// [`step_gradient`] within a level.
#[inline(always)]
pub(crate) fn gradient<const FMA: bool>(c_before: &[f32], c: &[f32], dh: &[f32], gates: &mut [f32], dc: &mut [f32]) {
    let h = dc.len();
    let [gi, gf, gg, go] = quarters(gates, h);
    let (c_before, c, dh) = (&c_before[..h], &c[..h], &dh[..h]);
    for j in 0..h {
        let (i, f, g, o) = (gi[j], gf[j], gg[j], go[j]);
        // tanh(c) again rather than kept: cheaper than the memory.
        let t = tanh::<FMA>(c[j]);
        let d = dc[j] + dh[j] * o * (1.0 - t * t);
        gi[j] = d * g * i * (1.0 - i);
        gf[j] = d * c_before[j] * f * (1.0 - f);
        gg[j] = d * i * (1.0 - g * g);
        go[j] = dh[j] * t * o * (1.0 - o);
        dc[j] = d * f;
    }
}
