//! Products with a matrix that is used many times: it is packed once, so that a product streams it in order.
//!
//! `y[rows, N] = x[rows, K] W[K, N]`: W is cut into blocks of [`DEPTH`] rows and, within each, into panels of 32
//! columns. A panel's accumulators stay in registers while its block streams by, for up to 14 rows of x at once.
//!
//! Every output is one chain of fused multiply-adds over k = 0, 1, 2, ..., whatever the number of rows, threads or
//! calls: one row alone gives the same bits as the same row in a batch (on the same [`Level`]).

use crate::buffer::Buffer;
use crate::simd::{LANES, Level, Panel};
use rayon::prelude::*;

/// Rows of a block: 512 x 32 values are 64 KiB, which stays in the second-level cache while row groups pass over it.
const DEPTH: usize = 512;

/// A matrix `[K, N]` in the order in which products read it.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    k: usize,
    n: usize,
    /// Blocks over k; in each, panels over n; in each, `[depth of the block][32]`, the last panel padded with zeros.
    data: Buffer,
    level: Level,
}

impl PackedMatrix {
    /// Packs W, whose element (k, n) is `values[k * k_stride + n * n_stride]`.
    ///
    /// # Panics
    /// If `values` is too short for the shape and strides.
    pub fn new(k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> PackedMatrix {
        Self::with_level(k, n, values, k_stride, n_stride, Level::detect())
    }

    /// `new`, for a given level: tests compare the levels.
    pub(crate) fn with_level(
        k: usize,
        n: usize,
        values: &[f32],
        k_stride: usize,
        n_stride: usize,
        level: Level,
    ) -> PackedMatrix {
        if k > 0 && n > 0 {
            assert!(
                (k - 1) * k_stride + (n - 1) * n_stride < values.len(),
                "a matrix of {k} x {n} from too few values"
            );
        }
        let panels = n.div_ceil(LANES);
        let mut data = Buffer::unspecified(k * panels * LANES);
        for (block, destination) in data.chunks_mut((DEPTH * panels * LANES).max(1)).enumerate() {
            let depth = destination.len() / (panels * LANES);
            destination.par_chunks_exact_mut(depth * LANES).enumerate().for_each(|(panel, destination)| {
                let first = panel * LANES;
                let width = LANES.min(n - first);
                if width < LANES {
                    destination.fill(0.0);
                }
                let at = |r: usize, c: usize| (block * DEPTH + r) * k_stride + (first + c) * n_stride;
                if n_stride == 1 {
                    for (r, row) in destination.chunks_exact_mut(LANES).enumerate() {
                        row[..width].copy_from_slice(&values[at(r, 0)..at(r, 0) + width]);
                    }
                } else {
                    // Transposing: sixteen source rows at a time keep both sides within the first-level cache.
                    for r0 in (0..depth).step_by(16) {
                        for c in 0..width {
                            for r in r0..depth.min(r0 + 16) {
                                destination[r * LANES + c] = values[at(r, c)];
                            }
                        }
                    }
                }
            });
        }
        PackedMatrix { k, n, data, level }
    }

    /// Rows K.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns N.
    pub fn n(&self) -> usize {
        self.n
    }

    /// `y = x W`, or `y += x W` where `accumulate`, on the calling thread.
    ///
    /// # Shapes
    /// `x`: `[rows, K]`, rows `x_stride` values apart; `y`: `[rows, N]`, rows `y_stride` values apart.
    ///
    /// # Panics
    /// If a slice is too short for `rows`.
    pub fn multiply(&self, rows: usize, x: &[f32], x_stride: usize, y: &mut [f32], y_stride: usize, accumulate: bool) {
        if rows == 0 || self.n == 0 {
            return;
        }
        assert!(y_stride >= self.n && (rows - 1) * y_stride + self.n <= y.len(), "y is too short for {rows} rows");
        if self.k == 0 {
            if !accumulate {
                y.chunks_mut(y_stride).take(rows).for_each(|row| row[..self.n].fill(0.0));
            }
            return;
        }
        assert!((rows - 1) * x_stride + self.k <= x.len(), "x is too short for {rows} rows");
        // SAFETY: the bounds of x and y were checked above; y is borrowed uniquely.
        unsafe { self.multiply_raw(rows, x.as_ptr(), x_stride, y.as_mut_ptr(), y_stride, accumulate) }
    }

    /// [`multiply`](Self::multiply) with rows spread over rayon's threads, in chunks whose size does not depend on
    /// the number of threads.
    pub fn multiply_parallel(&self, rows: usize, x: &[f32], y: &mut [f32], accumulate: bool) {
        const CHUNK: usize = 112;
        if rows <= CHUNK || self.n == 0 || self.k == 0 {
            return self.multiply(rows, x, self.k, y, self.n, accumulate);
        }
        y[..rows * self.n].par_chunks_mut(CHUNK * self.n).enumerate().for_each(|(at, y)| {
            self.multiply(y.len() / self.n, &x[at * CHUNK * self.k..], self.k, y, self.n, accumulate);
        });
    }

    /// [`multiply`](Self::multiply) without checks, for callers whose threads write interleaved rows of one buffer.
    ///
    /// # Safety
    /// `x` must be readable and `y` writable (and written by no one else) for `rows` rows of K and N values at the
    /// given strides; K and `rows` must not be zero.
    pub(crate) unsafe fn multiply_raw(
        &self,
        rows: usize,
        x: *const f32,
        x_stride: usize,
        y: *mut f32,
        y_stride: usize,
        accumulate: bool,
    ) {
        let job = Job { matrix: self, rows, x, x_stride, y, y_stride, accumulate };
        // SAFETY: the pointers are the caller's promise; a level above `Portable` comes from `Level::detect`.
        unsafe {
            match self.level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => run_avx512(&job),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => run_avx2(&job),
                _ => run_portable(&job),
            }
        }
    }
}

/// One call of `multiply_raw`.
struct Job<'a> {
    matrix: &'a PackedMatrix,
    rows: usize,
    x: *const f32,
    x_stride: usize,
    y: *mut f32,
    y_stride: usize,
    accumulate: bool,
}

/// A row group against consecutive panels of one block.
struct Tile {
    depth: usize,
    x: *const f32,
    x_stride: usize,
    w: *const f32,
    panels: usize,
    y: *mut f32,
    y_stride: usize,
    accumulate: bool,
}

/// R rows against `panels` full panels, Q at a time: R * Q panels of accumulators.
#[inline(always)]
unsafe fn tile<P: Panel, const R: usize, const Q: usize>(t: &Tile) {
    let panel_size = t.depth * LANES;
    let mut at = 0;
    // SAFETY: the caller's tile lies within x, the packed data and y.
    unsafe {
        while at + Q <= t.panels {
            accumulate::<P, R, Q>(t, t.w.add(at * panel_size), t.y.add(at * LANES));
            at += Q;
        }
        while at < t.panels {
            accumulate::<P, R, 1>(t, t.w.add(at * panel_size), t.y.add(at * LANES));
            at += 1;
        }
    }
}

#[inline(always)]
unsafe fn accumulate<P: Panel, const R: usize, const Q: usize>(t: &Tile, w: *const f32, y: *mut f32) {
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
        for k in 0..t.depth {
            let mut panels = [P::zero(); Q];
            for (q, panel) in panels.iter_mut().enumerate() {
                *panel = P::load(w.add(q * panel_size + k * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = *t.x.add(r * t.x_stride + k);
                for (sum, panel) in sums.iter_mut().zip(panels) {
                    *sum = sum.fma(value, panel);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (q, sum) in sums.iter().enumerate() {
                sum.store(y.add(r * t.y_stride + q * LANES));
            }
        }
    }
}

/// Walks blocks, panels and row groups of at most `MAX` rows; `call` runs one tile of the given number of rows.
#[inline(always)]
unsafe fn walk<const MAX: usize>(job: &Job, call: impl Fn(usize, &Tile)) {
    let m = job.matrix;
    let (panels, full) = (m.n.div_ceil(LANES), m.n / LANES);
    // Groups as even as possible: 25 rows make 13 + 12, not 14 + 11.
    let groups = job.rows.div_ceil(MAX);
    // A single panel at a time lets all row groups use it from the cache; with one group, longer runs are better.
    let run = if groups == 1 { full.max(1) } else { 1 };
    for first in (0..m.k).step_by(DEPTH) {
        let depth = DEPTH.min(m.k - first);
        let accumulate = job.accumulate || first > 0;
        for panel in (0..full).step_by(run) {
            // SAFETY: blocks before this one hold `first * panels * LANES` values, panels before it `depth * LANES`.
            let w = unsafe { m.data.as_ptr().add(first * panels * LANES + panel * depth * LANES) };
            for group in 0..groups {
                let (start, end) = (job.rows * group / groups, job.rows * (group + 1) / groups);
                // SAFETY: `start < rows`, and the columns exist.
                let (x, y) = unsafe {
                    (job.x.add(start * job.x_stride + first), job.y.add(start * job.y_stride + panel * LANES))
                };
                let panels = run.min(full - panel);
                call(
                    end - start,
                    &Tile { depth, x, x_stride: job.x_stride, w, panels, y, y_stride: job.y_stride, accumulate },
                );
            }
        }
        if full < panels {
            // The last, narrower panel goes through a full-width copy of its part of y.
            let width = m.n - full * LANES;
            let mut edge = [0.0f32; 16 * LANES];
            for group in 0..groups {
                let (start, end) = (job.rows * group / groups, job.rows * (group + 1) / groups);
                // SAFETY: as above; `width` columns remain in each row of y, and a group has at most 16 rows.
                unsafe {
                    let w = m.data.as_ptr().add(first * panels * LANES + full * depth * LANES);
                    let x = job.x.add(start * job.x_stride + first);
                    let y = job.y.add(start * job.y_stride + full * LANES);
                    if accumulate {
                        for r in 0..end - start {
                            let row = std::slice::from_raw_parts(y.add(r * job.y_stride), width);
                            edge[r * LANES..r * LANES + width].copy_from_slice(row);
                        }
                    }
                    let tile = Tile {
                        depth,
                        x,
                        x_stride: job.x_stride,
                        w,
                        panels: 1,
                        y: edge.as_mut_ptr(),
                        y_stride: LANES,
                        accumulate,
                    };
                    call(end - start, &tile);
                    for r in 0..end - start {
                        let row = std::slice::from_raw_parts_mut(y.add(r * job.y_stride), width);
                        row.copy_from_slice(&edge[r * LANES..r * LANES + width]);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn run_avx512(job: &Job) {
    type P = [std::arch::x86_64::__m512; 2];
    // 14 rows x 2 registers of accumulators, 2 for the panel, leave 2 of 32; few rows take several panels at once,
    // because a chain of dependent additions alone would wait four cycles for each.
    // SAFETY: the pointers are the caller's promise.
    unsafe {
        walk::<14>(job, |rows, t| match rows {
            1 => tile::<P, 1, 6>(t),
            2 => tile::<P, 2, 4>(t),
            3 => tile::<P, 3, 4>(t),
            4 => tile::<P, 4, 2>(t),
            5 => tile::<P, 5, 2>(t),
            6 => tile::<P, 6, 2>(t),
            7 => tile::<P, 7, 1>(t),
            8 => tile::<P, 8, 1>(t),
            9 => tile::<P, 9, 1>(t),
            10 => tile::<P, 10, 1>(t),
            11 => tile::<P, 11, 1>(t),
            12 => tile::<P, 12, 1>(t),
            13 => tile::<P, 13, 1>(t),
            _ => tile::<P, 14, 1>(t),
        });
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2(job: &Job) {
    type P = [std::arch::x86_64::__m256; 4];
    // SAFETY: the pointers are the caller's promise.
    unsafe {
        walk::<3>(job, |rows, t| match rows {
            1 => tile::<P, 1, 2>(t),
            2 => tile::<P, 2, 1>(t),
            _ => tile::<P, 3, 1>(t),
        });
    }
}

unsafe fn run_portable(job: &Job) {
    type P = [f32; LANES];
    // SAFETY: the pointers are the caller's promise.
    unsafe {
        walk::<3>(job, |rows, t| match rows {
            1 => tile::<P, 1, 1>(t),
            2 => tile::<P, 2, 1>(t),
            _ => tile::<P, 3, 1>(t),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut s = seed | 1;
        (0..n)
            .map(|_| {
                s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (s >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    #[test]
    fn equals_the_naive_product_at_every_level() {
        for level in Level::available() {
            for (rows, k, n) in [(1, 5, 33), (3, 513, 64), (29, 70, 100), (14, 1030, 31), (25, 64, 256), (2, 1, 1)] {
                let (x, w, mut y) = (values(rows * k, 1), values(k * n, 2), values(rows * n, 3));
                let before = y.clone();
                let packed = PackedMatrix::with_level(k, n, &w, n, 1, level);
                let transposed: Vec<f32> = (0..n * k).map(|i| w[i % k * n + i / k]).collect();
                let same = PackedMatrix::with_level(k, n, &transposed, 1, k, level);
                assert_eq!(&packed.data[..], &same.data[..]);
                for accumulate in [false, true] {
                    y.copy_from_slice(&before);
                    packed.multiply(rows, &x, k, &mut y, n, accumulate);
                    for r in 0..rows {
                        for c in 0..n {
                            let sum: f64 = (0..k).map(|i| f64::from(x[r * k + i]) * f64::from(w[i * n + c])).sum();
                            let exact = sum + if accumulate { f64::from(before[r * n + c]) } else { 0.0 };
                            let error = (f64::from(y[r * n + c]) - exact).abs();
                            assert!(error < 1e-5 * (k as f64).sqrt(), "{level:?} {rows}x{k}x{n} at {r},{c}: {error}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_a_batch() {
        let (rows, k, n) = (240, 600, 77);
        let (x, w) = (values(rows * k, 4), values(k * n, 5));
        let packed = PackedMatrix::new(k, n, &w, n, 1);
        let mut together = vec![0.0; rows * n];
        packed.multiply_parallel(rows, &x, &mut together, false);
        for r in 0..rows {
            let mut alone = vec![0.0; n];
            packed.multiply(1, &x[r * k..], k, &mut alone, n, false);
            assert_eq!(alone, together[r * n..(r + 1) * n], "row {r}");
        }
    }

    #[test]
    fn empty_shapes() {
        let packed = PackedMatrix::new(0, 3, &[], 3, 1);
        let mut y = [1.0; 6];
        packed.multiply(2, &[], 0, &mut y, 3, true);
        assert_eq!(y, [1.0; 6]);
        packed.multiply(2, &[], 0, &mut y, 3, false);
        assert_eq!(y, [0.0; 6]);
        PackedMatrix::new(3, 0, &[], 1, 1).multiply(2, &[0.0; 6], 3, &mut [], 0, false);
    }
}
