//! The gradient of a weight: `C = A^T B` over a long common axis.

use crate::buffer::Buffer;
use crate::simd::{LANES, Level};
use crate::tile::{self, DEPTH, Tile, max_rows};
use rayon::prelude::*;

/// A pointer to one buffer that several threads write in disjoint pieces.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrow: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only used through `slice`, whose callers promise disjoint pieces.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Shared { start: values.as_mut_ptr(), len: values.len(), borrow: std::marker::PhantomData }
    }

    /// `len` values from `start` on.
    ///
    /// # Safety
    /// While the result lives, no other piece that overlaps it may be used.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn slice(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start + len <= self.len, "a piece {start}+{len} of {} values", self.len);
        // SAFETY: within the buffer (checked), which is borrowed for 'a; disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// Rows of c that share one packing of a: 140 x 512 values are 280 KiB.
const ROWS: usize = 140;

/// `c = a^T b`, or `c += a^T b` where `accumulate`, with the rows of `c` split over rayon's threads.
///
/// Both sides are packed block by block along the common axis. Every output is one chain of fused multiply-adds in the
/// order of that axis, so that the result does not depend on the number of threads.
///
/// # Shapes
/// `a`: `[k, m]`, `b`: `[k, n]`, `c`: `[m, n]`, all contiguous
pub(crate) fn transposed_product(k: usize, m: usize, n: usize, a: &[f32], b: &[f32], c: &mut [f32], accumulate: bool) {
    assert!(a.len() == k * m && b.len() == k * n && c.len() == m * n, "shapes of a transposed product");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !accumulate {
            c.fill(0.0);
        }
        return;
    }
    // Pieces of at least 32 rows: each piece packs all of b again.
    let pieces = rayon::current_num_threads().min(m.div_ceil(32)).max(1);
    let level = Level::detect();
    let shared = Shared::new(c);
    let piece = |at: usize| {
        let rows = m * at / pieces..m * (at + 1) / pieces;
        // SAFETY: pieces are disjoint rows of c.
        let c = unsafe { shared.slice(rows.start * n, rows.len() * n) };
        transposed_rows(level, k, m, n, rows, a, b, c, accumulate);
    };
    if pieces == 1 { piece(0) } else { (0..pieces).into_par_iter().for_each(piece) }
}

/// Rows `rows` of the product, on the calling thread; `c` holds only those.
#[allow(clippy::too_many_arguments)]
fn transposed_rows(
    level: Level,
    k: usize,
    m: usize,
    n: usize,
    rows: std::ops::Range<usize>,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    accumulate: bool,
) {
    let (panels, full) = (n.div_ceil(LANES), n / LANES);
    let mut packed_b = Buffer::unspecified(DEPTH.min(k) * panels * LANES);
    let mut packed_a = Buffer::unspecified(DEPTH.min(k) * ROWS);
    for first in (0..k).step_by(DEPTH) {
        let depth = DEPTH.min(k - first);
        for (panel, destination) in packed_b[..depth * panels * LANES].chunks_exact_mut(depth * LANES).enumerate() {
            let width = LANES.min(n - panel * LANES);
            for (row, source) in destination.chunks_exact_mut(LANES).zip(b[first * n..].chunks_exact(n)) {
                row[..width].copy_from_slice(&source[panel * LANES..panel * LANES + width]);
                row[width..].fill(0.0);
            }
        }
        for start in rows.clone().step_by(ROWS) {
            let count = ROWS.min(rows.end - start);
            let groups = count.div_ceil(max_rows(level));
            let bounds = |group: usize| (count * group / groups, count * (group + 1) / groups);
            // Group by group `[depth][rows of the group]`, read row by row of a. Copies of a fixed 16 values are several
            // times faster than exact ones; what they write too much is written again, by a later row.
            for at in 0..depth {
                for group in 0..groups {
                    let (from, to) = bounds(group);
                    let (width, source) = (to - from, (first + at) * m + start + from);
                    let destination = &mut packed_a[from * depth + at * width..to * depth];
                    match (destination.first_chunk_mut::<16>(), a[source..].first_chunk::<16>()) {
                        (Some(destination), Some(source)) => *destination = *source,
                        _ => destination[..width].copy_from_slice(&a[source..source + width]),
                    }
                }
            }
            for panel in 0..panels {
                for group in 0..groups {
                    let (from, to) = bounds(group);
                    let y = &mut c[(start - rows.start + from) * n + panel * LANES..];
                    let tile = Tile {
                        depth,
                        x: packed_a[from * depth..to * depth].as_ptr(),
                        x_stride: 0,
                        w: packed_b[panel * depth * LANES..(panel + 1) * depth * LANES].as_ptr(),
                        panels: 1,
                        y: y.as_mut_ptr(),
                        y_stride: n,
                        accumulate: accumulate || first > 0,
                    };
                    // SAFETY: packed pieces of these lengths were just sliced; y has `to - from` rows of the panel's
                    // width, and `c` is borrowed uniquely.
                    unsafe {
                        if panel < full {
                            tile::run::<true>(level, to - from, &tile);
                        } else {
                            tile::run_narrow::<true>(level, to - from, n - full * LANES, &tile);
                        }
                    }
                }
            }
        }
    }
}

/// `sums[j] = sum over rows of values[row, j]`, in chunks of rows whose size does not depend on the threads.
///
/// # Shapes
/// `values`: `[rows, n]`, `sums`: `[n]`
pub(crate) fn column_sums(n: usize, values: &[f32], sums: &mut [f32]) {
    const CHUNK: usize = 256;
    sums.fill(0.0);
    if n == 0 {
        return;
    }
    let partial: Vec<Vec<f32>> = values
        .par_chunks(CHUNK * n)
        .map(|chunk| {
            let mut sums = vec![0.0; n];
            for row in chunk.chunks_exact(n) {
                sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sums
        })
        .collect();
    for part in partial {
        sums.iter_mut().zip(part).for_each(|(s, v)| *s += v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_over_threads_does_not_alter_a_bit() {
        let (k, m, n) = (1500, 300, 130);
        let a: Vec<f32> = (0..k * m).map(|i| ((i * 7919 % 1009) as f32 - 500.0) / 600.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| ((i * 104_729 % 997) as f32 - 500.0) / 600.0).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = vec![0.0; m * n];
            pool.install(|| transposed_product(k, m, n, &a, &b, &mut c, false));
            c
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(5));
        let exact: f64 = (0..k).map(|i| f64::from(a[i * m + 17]) * f64::from(b[i * n + 5])).sum();
        assert!((f64::from(one[17 * n + 5]) - exact).abs() < 1e-3);
    }

    #[test]
    fn equals_the_naive_product_with_odd_shapes() {
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 600.0;
        for (k, m, n) in [(1, 1, 1), (3, 15, 33), (513, 29, 31), (40, 300, 64), (1030, 143, 5)] {
            let a: Vec<f32> = (0..k * m).map(value).collect();
            let b: Vec<f32> = (0..k * n).map(|i| value(i + 17)).collect();
            let before: Vec<f32> = (0..m * n).map(|i| value(i + 5)).collect();
            for (level, accumulate) in Level::available().into_iter().flat_map(|l| [(l, false), (l, true)]) {
                let mut c = before.clone();
                transposed_rows(level, k, m, n, 0..m, &a, &b, &mut c, accumulate);
                for r in 0..m {
                    for j in 0..n {
                        let sum: f64 = (0..k).map(|i| f64::from(a[i * m + r]) * f64::from(b[i * n + j])).sum();
                        let exact = sum + if accumulate { f64::from(before[r * n + j]) } else { 0.0 };
                        assert!((f64::from(c[r * n + j]) - exact).abs() < 2e-4, "{k} {m} {n} at {r} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn column_sums_add_every_row() {
        let values: Vec<f32> = (0..1000 * 3).map(|i| (i % 3) as f32).collect();
        let mut sums = [9.0; 3];
        column_sums(3, &values, &mut sums);
        assert_eq!(sums, [0.0, 1000.0, 2000.0]);
    }
}
