//! The inner loop of every product: a few rows against panels of 32 columns, accumulated in registers.

use crate::simd::{LANES, Level, Number, Panel, prefetch};

/// Rows of a block: 512 x 32 values are 64 KiB, which stays in the second-level cache while row groups pass over it.
pub(crate) const DEPTH: usize = 512;

/// A group of rows against consecutive panels of one block.
pub(crate) struct Tile<W> {
    /// Length of the sums, in numbers of the kind W.
    pub depth: usize,
    /// Row r, element k at `r * x_stride + k`; or, transposed, at `k * rows + r`. Beside [`Pair`](crate::simd::Pair)s these are pairs, too.
    pub x: *const f32,
    pub x_stride: usize,
    /// Panels of `[depth][32]`, one after another.
    pub w: *const W,
    pub panels: usize,
    /// Row r, panel q at `r * y_stride + q * 32`.
    pub y: *mut f32,
    pub y_stride: usize,
    pub accumulate: bool,
}

/// The most rows that a tile may have: what the registers hold.
pub(crate) fn max_rows(level: Level) -> usize {
    match level {
        Level::Avx512 | Level::Avx512Bf16 => 14,
        _ => 3,
    }
}

/// `y = x w` or `y += x w` for `rows` rows.
///
/// # Safety
/// All that the tile describes must be readable and, for y, writable by nobody else; `rows` must be within
/// 1..=[`max_rows`]; a level above `Portable` must come from [`Level::detect`], by way of [`Level::fit`].
#[inline]
pub(crate) unsafe fn run<W: Number, const TRANSPOSED: bool>(level: Level, rows: usize, tile: &Tile<W>) {
    // SAFETY: the caller's promise.
    unsafe {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16 if W::VALUES == 2 => avx512_bf16::<W, TRANSPOSED>(rows, tile),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Bf16 => avx512::<W, TRANSPOSED>(rows, tile),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::<W, TRANSPOSED>(rows, tile),
            _ => portable::<W, TRANSPOSED>(rows, tile),
        }
    }
}

/// [`run`] for one panel of which only `width` columns exist in y: through a full-width copy.
///
/// # Safety
/// As [`run`], with `width` <= 32 columns of y.
pub(crate) unsafe fn run_narrow<W: Number, const TRANSPOSED: bool>(
    level: Level,
    rows: usize,
    width: usize,
    tile: &Tile<W>,
) {
    let mut edge = [0.0f32; 14 * LANES];
    // SAFETY: `width` columns of each of the `rows` rows of y exist by the caller's promise, and 14 is the most rows.
    let row_of = |r: usize| unsafe { std::slice::from_raw_parts_mut(tile.y.add(r * tile.y_stride), width) };
    if tile.accumulate {
        for r in 0..rows {
            edge[r * LANES..r * LANES + width].copy_from_slice(row_of(r));
        }
    }
    let whole = Tile { y: edge.as_mut_ptr(), y_stride: LANES, panels: 1, ..*tile };
    // SAFETY: the caller's promise, and `edge` has room for `rows` rows of 32.
    unsafe { run::<W, TRANSPOSED>(level, rows, &whole) };
    for r in 0..rows {
        row_of(r).copy_from_slice(&edge[r * LANES..r * LANES + width]);
    }
}

/// R rows against all panels, Q at a time: R * Q panels of accumulators.
#[inline(always)]
unsafe fn panels<P: Panel, W: Number, const T: bool, const R: usize, const Q: usize>(t: &Tile<W>) {
    let panel_size = t.depth * LANES;
    let mut at = 0;
    // SAFETY: panels `at`..`at + Q` exist in w and y by the caller's promise.
    unsafe {
        while at + Q <= t.panels {
            accumulate::<P, W, T, R, Q>(t, t.w.add(at * panel_size), t.y.add(at * LANES));
            at += Q;
        }
        while at < t.panels {
            accumulate::<P, W, T, R, 1>(t, t.w.add(at * panel_size), t.y.add(at * LANES));
            at += 1;
        }
    }
}

#[inline(always)]
unsafe fn accumulate<P: Panel, W: Number, const T: bool, const R: usize, const Q: usize>(
    t: &Tile<W>,
    w: *const W,
    y: *mut f32,
) {
    let panel_size = t.depth * LANES;
    // SAFETY: rows r < R of x and y and panels q < Q of w exist by the caller's promise.
    unsafe {
        let mut sums = [[P::zero(); Q]; R];
        if t.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (q, sum) in sums.iter_mut().enumerate() {
                    *sum = P::load(y.add(r * t.y_stride + q * LANES));
                }
            }
        }
        let (mut x, mut w) = (t.x, w);
        for _ in 0..t.depth {
            let mut panels = [P::zero(); Q];
            for (q, panel) in panels.iter_mut().enumerate() {
                *panel = W::load::<P>(w.add(q * panel_size));
            }
            // Several groups of rows use a panel in turn: time enough to fetch the next one from afar.
            if R > 6 && !T {
                (0..LANES * size_of::<W>()).step_by(64).for_each(|byte| {
                    prefetch::<false, _>(w.wrapping_add(panel_size).wrapping_byte_add(byte));
                });
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = *x.add(if T { r } else { r * t.x_stride });
                for (sum, panel) in sums.iter_mut().zip(panels) {
                    *sum = W::multiply_add(*sum, value, panel);
                }
            }
            x = x.add(if T { R } else { 1 });
            w = w.add(LANES);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (q, sum) in sums.iter().enumerate() {
                sum.store(y.add(r * t.y_stride + q * LANES));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn avx512<W: Number, const T: bool>(rows: usize, t: &Tile<W>) {
    // SAFETY: the caller's promise.
    unsafe { by_rows::<W, T>(rows, t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,avx2,fma")]
unsafe fn avx512_bf16<W: Number, const T: bool>(rows: usize, t: &Tile<W>) {
    // SAFETY: the caller's promise.
    unsafe { by_rows::<W, T>(rows, t) }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn by_rows<W: Number, const T: bool>(rows: usize, t: &Tile<W>) {
    type P = [std::arch::x86_64::__m512; 2];
    // 14 rows x 2 registers of accumulators, 2 for the panel, leave 2 of 32; few rows take several panels at once,
    // because a chain of dependent additions alone would wait four cycles for each.
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => panels::<P, W, T, 1, 6>(t),
            2 => panels::<P, W, T, 2, 4>(t),
            3 => panels::<P, W, T, 3, 4>(t),
            4 => panels::<P, W, T, 4, 2>(t),
            5 => panels::<P, W, T, 5, 2>(t),
            6 => panels::<P, W, T, 6, 2>(t),
            7 => panels::<P, W, T, 7, 1>(t),
            8 => panels::<P, W, T, 8, 1>(t),
            9 => panels::<P, W, T, 9, 1>(t),
            10 => panels::<P, W, T, 10, 1>(t),
            11 => panels::<P, W, T, 11, 1>(t),
            12 => panels::<P, W, T, 12, 1>(t),
            13 => panels::<P, W, T, 13, 1>(t),
            _ => panels::<P, W, T, 14, 1>(t),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<W: Number, const T: bool>(rows: usize, t: &Tile<W>) {
    type P = [std::arch::x86_64::__m256; 4];
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => panels::<P, W, T, 1, 2>(t),
            2 => panels::<P, W, T, 2, 1>(t),
            _ => panels::<P, W, T, 3, 1>(t),
        }
    }
}

unsafe fn portable<W: Number, const T: bool>(rows: usize, t: &Tile<W>) {
    type P = [f32; LANES];
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => panels::<P, W, T, 1, 1>(t),
            2 => panels::<P, W, T, 2, 1>(t),
            _ => panels::<P, W, T, 3, 1>(t),
        }
    }
}
