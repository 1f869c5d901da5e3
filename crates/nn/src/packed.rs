//! Products with a matrix that is used many times: it is packed once, so that a product streams it in order.
//!
//! `y[rows, N] = x[rows, K] W[K, N]`: W is cut into blocks of 512 rows and, within each, into panels of 32
//! columns. A panel's accumulators stay in registers while its block streams by, for up to 14 rows of x at once.
//!
//! Every output is one chain of fused multiply-adds over k = 0, 1, 2, ..., whatever the number of rows, threads or
//! calls: one row alone gives the same bits as the same row in a batch (on the same [`Level`]).
//!
//! Training packs numbers of 32 bits, or pairs of 16 where [`crate::precision`] says so. Composing, where a token reads every weight
//! once and waits for nothing but memory, packs 16: half the time. The sums are always made in 32 bits.

use crate::buffer::Buffer;
use crate::simd::{LANES, Level, Number, Pair, per_level};
use crate::tile::{self, DEPTH, Tile, max_rows};
use half::f16;
use rayon::prelude::*;

/// A matrix `[K, N]` in the order in which products read it.
#[derive(Clone, Debug)]
pub struct PackedMatrix<W: Number = f32> {
    k: usize,
    n: usize,
    /// Blocks over k; in each, panels over n; in each, `[depth of the block][32]`, the last panel padded with zeros.
    data: W::Storage,
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
}

impl PackedMatrix<f16> {
    /// [`new`](PackedMatrix::new), with the values rounded to 16 bits.
    pub fn rounded(k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> PackedMatrix<f16> {
        Self::with_level(k, n, values, k_stride, n_stride, Level::detect())
    }
}

impl PackedMatrix<Pair> {
    /// [`new`](PackedMatrix::new), with the values rounded to 16 bits, two of a column beside one another; what it is multiplied with
    /// is rounded, too.
    pub fn paired(k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> PackedMatrix<Pair> {
        Self::with_level(k, n, values, k_stride, n_stride, Level::detect())
    }
}

impl<W: Number> PackedMatrix<W> {
    /// For a given level: tests compare the levels.
    pub(crate) fn with_level(
        k: usize,
        n: usize,
        values: &[f32],
        k_stride: usize,
        n_stride: usize,
        level: Level,
    ) -> PackedMatrix<W> {
        if k > 0 && n > 0 {
            assert!(
                (k - 1) * k_stride + (n - 1) * n_stride < values.len(),
                "a matrix of {k} x {n} from too few values"
            );
        }
        let (panels, deep) = (n.div_ceil(LANES), k.div_ceil(W::VALUES));
        let mut data = W::storage(deep * panels * LANES);
        for (block, destination) in data.chunks_mut((DEPTH * panels * LANES).max(1)).enumerate() {
            let depth = destination.len() / (panels * LANES);
            destination.par_chunks_exact_mut(depth * LANES).enumerate().for_each(|(panel, destination)| {
                let first = panel * LANES;
                let width = LANES.min(n - first);
                if width < LANES {
                    destination.fill(W::of(|_| 0.0));
                }
                // Beyond the last row, where a pair is not full, there are zeros.
                let value = |r: usize, c: usize| {
                    let at = r * k_stride + (first + c) * n_stride;
                    if W::VALUES == 1 || r < k { values[at] } else { 0.0 }
                };
                let number = |r: usize, c: usize| W::of(|i| value((block * DEPTH + r) * W::VALUES + i, c));
                if n_stride == 1 {
                    for (r, row) in destination.chunks_exact_mut(LANES).enumerate() {
                        row[..width].iter_mut().enumerate().for_each(|(c, w)| *w = number(r, c));
                    }
                } else {
                    // Transposing: sixteen source rows at a time keep both sides within the first-level cache.
                    for r0 in (0..depth).step_by(16) {
                        for c in 0..width {
                            for r in r0..depth.min(r0 + 16) {
                                destination[r * LANES + c] = number(r, c);
                            }
                        }
                    }
                }
            });
        }
        PackedMatrix { k, n, data, level: level.fit::<W>() }
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
        if W::VALUES == 1 {
            // SAFETY: the bounds of x and y were checked above; y is borrowed uniquely.
            return unsafe { self.multiply_raw(rows, x.as_ptr(), x_stride, y.as_mut_ptr(), y_stride, accumulate) };
        }
        let width = self.k.div_ceil(2);
        let mut pairs = Buffer::unspecified(rows * width);
        for (r, pairs) in pairs.chunks_exact_mut(width).enumerate() {
            pair_up(self.level, &x[r * x_stride..r * x_stride + self.k], pairs);
        }
        // SAFETY: as above; `pairs` has `rows` rows of K values, two in each.
        unsafe { self.multiply_raw(rows, pairs.as_ptr(), width, y.as_mut_ptr(), y_stride, accumulate) }
    }

    /// [`multiply`](Self::multiply) with rows spread over rayon's threads, in chunks whose size does not depend on
    /// the number of threads.
    pub fn multiply_parallel(
        &self,
        rows: usize,
        x: &[f32],
        x_stride: usize,
        y: &mut [f32],
        y_stride: usize,
        accumulate: bool,
    ) {
        const CHUNK: usize = 112;
        if rows <= CHUNK || self.n == 0 || self.k == 0 {
            return self.multiply(rows, x, x_stride, y, y_stride, accumulate);
        }
        assert!(y_stride >= self.n && (rows - 1) * y_stride + self.n <= y.len(), "y is too short for {rows} rows");
        y.par_chunks_mut(CHUNK * y_stride).take(rows.div_ceil(CHUNK)).enumerate().for_each(|(at, y)| {
            let rows = CHUNK.min(rows - at * CHUNK);
            self.multiply(rows, &x[at * CHUNK * x_stride..], x_stride, y, y_stride, accumulate);
        });
    }

    /// [`multiply`](Self::multiply) without checks, for callers whose threads write interleaved rows of one buffer.
    ///
    /// # Safety
    /// `x` must be readable and `y` writable (and written by no one else) for `rows` rows of K and N values at the
    /// given strides; K and `rows` must not be zero. Where W holds pairs, so must `x`.
    pub(crate) unsafe fn multiply_raw(
        &self,
        rows: usize,
        x: *const f32,
        x_stride: usize,
        y: *mut f32,
        y_stride: usize,
        accumulate: bool,
    ) {
        let (panels, full) = (self.n.div_ceil(LANES), self.n / LANES);
        // Groups as even as possible: 25 rows make 13 + 12, not 14 + 11.
        let groups = rows.div_ceil(max_rows(self.level));
        let bounds = |group: usize| (rows * group / groups, rows * (group + 1) / groups);
        // A single panel at a time lets all row groups use it from the cache; with one group, longer runs are better.
        let run = if groups == 1 { full.max(1) } else { 1 };
        let deep = self.k.div_ceil(W::VALUES);
        for first in (0..deep).step_by(DEPTH) {
            let depth = DEPTH.min(deep - first);
            let accumulate = accumulate || first > 0;
            for panel in (0..full).step_by(run) {
                for group in 0..groups {
                    let (start, end) = bounds(group);
                    // SAFETY: blocks before this one hold `first * panels * LANES` values, panels before this one
                    // `depth * LANES`; `start < rows`, and the columns exist.
                    unsafe {
                        let tile = Tile {
                            depth,
                            x: x.add(start * x_stride + first),
                            x_stride,
                            w: self.data.as_ptr().add(first * panels * LANES + panel * depth * LANES),
                            panels: run.min(full - panel),
                            y: y.add(start * y_stride + panel * LANES),
                            y_stride,
                            accumulate,
                        };
                        tile::run::<W, false>(self.level, end - start, &tile);
                    }
                }
            }
            if full < panels {
                for group in 0..groups {
                    let (start, end) = bounds(group);
                    // SAFETY: as above; the columns from the last full panel on remain in each row.
                    unsafe {
                        let tile = Tile {
                            depth,
                            x: x.add(start * x_stride + first),
                            x_stride,
                            w: self.data.as_ptr().add(first * panels * LANES + full * depth * LANES),
                            panels: 1,
                            y: y.add(start * y_stride + full * LANES),
                            y_stride,
                            accumulate,
                        };
                        tile::run_narrow::<W, false>(self.level, end - start, self.n - full * LANES, &tile);
                    }
                }
            }
        }
    }
}

/// Rounds the values of a row, two to a pair.
fn pair_up(level: Level, row: &[f32], pairs: &mut [f32]) {
    per_level!(level, pair_up_any(row: &[f32], pairs: &mut [f32]))
}

#[inline(always)]
fn pair_up_any<const FMA: bool>(row: &[f32], pairs: &mut [f32]) {
    let (whole, last) = row.as_chunks::<2>();
    pairs.iter_mut().zip(whole).for_each(|(pair, [first, second])| *pair = Pair::new(*first, *second).bits());
    if let ([last], Some(pair)) = (last, pairs.last_mut()) {
        *pair = Pair::new(*last, 0.0).bits();
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
                let packed = PackedMatrix::<f32>::with_level(k, n, &w, n, 1, level);
                let transposed: Vec<f32> = (0..n * k).map(|i| w[i % k * n + i / k]).collect();
                let same = PackedMatrix::<f32>::with_level(k, n, &transposed, 1, k, level);
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
    fn sixteen_bits_are_the_product_with_rounded_values_at_every_level() {
        let (rows, k, n) = (5, 70, 45);
        // Beside the usual ones: numbers that 16 bits hold only as subnormals, and a negative zero.
        let mut w = values(k * n, 6);
        w[..4].copy_from_slice(&[3e-6, -4e-7, 1e-9, -0.0]);
        let exact: Vec<f32> = w.iter().map(|w| f16::from_f32(*w).to_f32()).collect();
        let x = values(rows * k, 7);
        for level in Level::available() {
            let (mut halves, mut whole) = (vec![0.0; rows * n], vec![0.0; rows * n]);
            PackedMatrix::<f16>::with_level(k, n, &w, n, 1, level).multiply(rows, &x, k, &mut halves, n, false);
            PackedMatrix::<f32>::with_level(k, n, &exact, n, 1, level).multiply(rows, &x, k, &mut whole, n, false);
            assert_eq!(halves, whole, "{level:?}");
        }
    }

    #[test]
    fn pairs_are_the_product_with_rounded_values_at_every_level() {
        let rounded = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|v| Pair::values(Pair::new(*v, 0.0).bits())[0]).collect()
        };
        for (rows, k, n) in [(1, 5, 33), (3, 513, 64), (29, 70, 100), (14, 2051, 31), (25, 64, 256), (2, 1, 1)] {
            let (x, w) = (values(rows * k, 1), values(k * n, 2));
            let (exact_x, exact_w) = (rounded(&x), rounded(&w));
            let before = values(rows * n, 3);
            for level in Level::available() {
                let pairs = PackedMatrix::<Pair>::with_level(k, n, &w, n, 1, level);
                let transposed: Vec<f32> = (0..n * k).map(|i| w[i % k * n + i / k]).collect();
                let same = PackedMatrix::<Pair>::with_level(k, n, &transposed, 1, k, level);
                assert_eq!(&pairs.data[..], &same.data[..]);
                for accumulate in [false, true] {
                    let mut y = before.clone();
                    pairs.multiply(rows, &x, k, &mut y, n, accumulate);
                    for r in 0..rows {
                        for c in 0..n {
                            let product = |i: usize| f64::from(exact_x[r * k + i]) * f64::from(exact_w[i * n + c]);
                            let exact = (0..k).map(product).sum::<f64>()
                                + if accumulate { f64::from(before[r * n + c]) } else { 0.0 };
                            let error = (f64::from(y[r * n + c]) - exact).abs();
                            assert!(error < 1e-5 * (k as f64).sqrt(), "{level:?} {rows}x{k}x{n} at {r},{c}: {error}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for strange in [f32::NAN, -f32::NAN, f32::INFINITY - f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY] {
            let [first, second] = Pair::values(Pair::new(strange, 1.0).bits());
            assert_eq!((first.is_nan(), second), (strange.is_nan(), 1.0));
            assert!(strange.is_nan() || first == strange);
        }
        assert_eq!(Pair::values(Pair::new(1.0 + 1.0 / 256.0, -1.0 - 3.0 / 256.0).bits()), [1.0, -1.0 - 4.0 / 256.0]);
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_a_batch() {
        let (rows, k, n) = (240, 600, 77);
        let (x, w) = (values(rows * k, 4), values(k * n, 5));
        let packed = PackedMatrix::new(k, n, &w, n, 1);
        let mut together = vec![0.0; rows * n];
        packed.multiply_parallel(rows, &x, k, &mut together, n, false);
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
