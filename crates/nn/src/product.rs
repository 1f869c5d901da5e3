//! The gradient of a weight: `C = A^T B` over a long common axis.

use crate::buffer::Buffer;
use crate::simd::{LANES, Level, Number, Pair, per_level, prefetch};
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

/// One of the products that [`transposed_products`] makes of the same `a`: `c = a^T b`, or `c += a^T b` where `accumulate`.
///
/// # Shapes
/// `b`: `[k - skip, n]`, `c`: `[m, n]`, both contiguous
pub(crate) struct Factor<'a> {
    pub b: &'a [f32],
    pub n: usize,
    /// Rows of `a` that come before the first row of `b`, and do not count.
    pub skip: usize,
    pub c: &'a mut [f32],
    pub accumulate: bool,
}

/// The product with one factor from the first row on: `c = a^T b`.
///
/// # Shapes
/// `a`: `[k, m]`, `b`: `[k, n]`, `c`: `[m, n]`, all contiguous
pub(crate) fn transposed_product([k, m, n]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    transposed_products::<f32, 1>([k, m], a, m, [Factor { b, n, skip: 0, c, accumulate: false }]);
}

/// Makes the products of one `a` with several `b`, with the rows of each `c` split over rayon's threads.
///
/// Both sides are packed block by block along the common axis, `a` once for all factors. Every output is one chain of fused
/// multiply-adds in the order of that axis (for very few rows of `c`: a sum of chains of fixed length), so that the result does not
/// depend on the number of threads. With numbers W of 16 bits, both sides are rounded as they are packed.
///
/// # Shapes
/// `a`: `[k, m]`, its rows `a_stride` values apart
pub(crate) fn transposed_products<W: Number, const N: usize>(
    [k, m]: [usize; 2],
    a: &[f32],
    a_stride: usize,
    factors: [Factor; N],
) {
    let fits = k == 0 || a_stride >= m && a.len() >= (k - 1) * a_stride + m;
    let fit = |f: &Factor| f.b.len() == k.saturating_sub(f.skip) * f.n && f.c.len() == m * f.n;
    assert!(fits && factors.iter().all(fit), "shapes of a transposed product");
    if m == 0 {
        return;
    }
    let level = Level::detect();
    if m < 64 && k > 2 * SLAB {
        return factors.into_iter().for_each(|factor| narrow_product::<W>(level, [k, m], a, a_stride, factor));
    }
    // Pieces of at least 32 rows: each piece packs all of b again.
    let pieces = rayon::current_num_threads().min(m.div_ceil(32)).max(1);
    let shared = factors.map(|f| (f.b, f.n, f.skip, Shared::new(f.c), f.accumulate));
    let piece = |at: usize| {
        let rows = m * at / pieces..m * (at + 1) / pieces;
        let factors = shared.each_ref().map(|(b, n, skip, c, accumulate)| {
            // SAFETY: pieces are disjoint rows of c.
            let c = unsafe { c.slice(rows.start * n, rows.len() * n) };
            Factor { b, n: *n, skip: *skip, c, accumulate: *accumulate }
        });
        transposed_rows::<W, N>(level, k, rows, a, a_stride, factors);
    };
    if pieces == 1 { piece(0) } else { (0..pieces).into_par_iter().for_each(piece) }
}

/// Rows of the common axis whose products are summed apart where `c` has too few rows to be split.
const SLAB: usize = 2048;

/// A product with few rows of `c`: split along the common axis, in slabs whose size does not depend on the threads, and summed in
/// their order.
fn narrow_product<W: Number>(level: Level, [k, m]: [usize; 2], a: &[f32], a_stride: usize, factor: Factor) {
    let Factor { b, n, skip, c, accumulate } = factor;
    let slab = |at: usize| {
        let (first, end) = (skip + at * SLAB, k.min(skip + (at + 1) * SLAB));
        let mut sum = Buffer::unspecified(m * n);
        let b = &b[(first - skip) * n..(end - skip) * n];
        let factor = Factor { b, n, skip: 0, c: &mut sum, accumulate: false };
        transposed_rows::<W, 1>(level, end - first, 0..m, &a[first * a_stride..], a_stride, [factor]);
        sum
    };
    let sums: Vec<Buffer> = (0..k.saturating_sub(skip).div_ceil(SLAB)).into_par_iter().map(slab).collect();
    if !accumulate {
        c.fill(0.0);
    }
    for sum in sums {
        c.iter_mut().zip(&sum[..]).for_each(|(c, s)| *c += s);
    }
}

/// [`transposed_products`] on the calling thread, rows `rows` of each `c`, which hold only those.
pub(crate) fn transposed_rows<W: Number, const N: usize>(
    level: Level,
    k: usize,
    rows: std::ops::Range<usize>,
    a: &[f32],
    a_stride: usize,
    mut factors: [Factor; N],
) {
    for factor in factors.iter_mut().filter(|f| !f.accumulate && f.skip >= k) {
        factor.c.fill(0.0);
    }
    let level = level.fit::<W>();
    let most = max_rows(level);
    // Values and, packed, numbers of a block along the common axis.
    let block = DEPTH * W::VALUES;
    let deepest = DEPTH.min(k.div_ceil(W::VALUES));
    // A group's rows, and room for what the last copy writes too much.
    let size = deepest * most + 16;
    let mut packed_a = Buffer::unspecified(ROWS.div_ceil(most) * size);
    let mut packed_b = factors.each_ref().map(|f| Buffer::unspecified(deepest * f.n.next_multiple_of(LANES)));
    for first in (0..k).step_by(block) {
        let end = k.min(first + block);
        let deep = (end - first).div_ceil(W::VALUES);
        // The first row of b that the block holds, and, packed, the number that holds it.
        let begin = |factor: &Factor| match factor.skip.max(first) {
            from if from < end => (from, (from - first) / W::VALUES),
            _ => (end, deep),
        };
        for (factor, packed) in factors.iter().zip(&mut packed_b) {
            let (n, (from, begin)) = (factor.n, begin(factor));
            if begin == deep {
                continue;
            }
            let packed = &mut packed[..(deep - begin) * n.next_multiple_of(LANES)];
            let rows = &factor.b[(from - factor.skip) * n..(end - factor.skip) * n];
            match W::VALUES {
                1 => pack_panels(level, deep - begin, n, rows, packed),
                _ => pack_paired_panels(level, (from - first) % 2, n, rows, packed),
            }
        }
        for start in rows.clone().step_by(ROWS) {
            let count = ROWS.min(rows.end - start);
            let groups = count.div_ceil(most);
            let bounds = |group: usize| (count * group / groups, count * (group + 1) / groups);
            let source = &a[first * a_stride + start..];
            let packed = &mut packed_a[..groups * size];
            match W::VALUES {
                1 => pack_groups(level, end - first, a_stride, source, count, size, packed),
                _ => pack_paired_groups(level, end - first, a_stride, source, count, size, packed),
            }
            for (factor, packed) in factors.iter_mut().zip(&packed_b) {
                let (n, (_, begin)) = (factor.n, begin(factor));
                let (depth, full) = (deep - begin, n / LANES);
                let panels = if depth > 0 { n.div_ceil(LANES) } else { 0 };
                for panel in 0..panels {
                    for group in 0..groups {
                        let (row, after) = bounds(group);
                        let width = after - row;
                        let y = &mut factor.c[(start - rows.start + row) * n + panel * LANES..];
                        let tile = Tile {
                            depth,
                            x: packed_a[group * size + begin * width..][..width * depth].as_ptr(),
                            x_stride: 0,
                            w: packed[panel * depth * LANES..(panel + 1) * depth * LANES].as_ptr().cast::<W>(),
                            panels: 1,
                            y: y.as_mut_ptr(),
                            y_stride: n,
                            accumulate: factor.accumulate || first > factor.skip,
                        };
                        // SAFETY: packed pieces of these lengths were just sliced, and hold numbers of the kind W, which is 32 bits
                        // wide here; y has `width` rows of the panel's columns, and `c` is borrowed uniquely.
                        unsafe {
                            if panel < full {
                                tile::run::<W, true>(level, width, &tile);
                            } else {
                                tile::run_narrow::<W, true>(level, width, n - full * LANES, &tile);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Rows of `[depth, n]` into panels `[depth][32]`, the last one padded with zeros.
fn pack_panels(level: Level, depth: usize, n: usize, rows: &[f32], packed: &mut [f32]) {
    per_level!(level, pack_panels_any(depth: usize, n: usize, rows: &[f32], packed: &mut [f32]))
}

#[inline(always)]
fn pack_panels_any<const FMA: bool>(depth: usize, n: usize, rows: &[f32], packed: &mut [f32]) {
    for (panel, destination) in packed.chunks_exact_mut(depth * LANES).enumerate() {
        let width = LANES.min(n - panel * LANES);
        for (row, source) in destination.chunks_exact_mut(LANES).zip(rows.chunks_exact(n)) {
            let source = &source[panel * LANES..panel * LANES + width];
            if let (Some(row), Some(source)) = (row.first_chunk_mut::<LANES>(), source.first_chunk::<LANES>()) {
                // In two halves, which the compiler moves in registers; the whole would be a call of memcpy.
                for (row, source) in row.chunks_exact_mut(16).zip(source.chunks_exact(16)) {
                    row.copy_from_slice(source);
                }
            } else {
                row[..width].copy_from_slice(source);
                row[width..].fill(0.0);
            }
        }
    }
}

/// [`pack_panels`] of pairs of rows. Where one comes `before` the first row, and where the last row is alone, there are zeros.
fn pack_paired_panels(level: Level, before: usize, n: usize, rows: &[f32], packed: &mut [f32]) {
    per_level!(level, pack_paired_panels_any(before: usize, n: usize, rows: &[f32], packed: &mut [f32]))
}

#[inline(always)]
fn pack_paired_panels_any<const FMA: bool>(before: usize, n: usize, rows: &[f32], packed: &mut [f32]) {
    let depth = (before + rows.len() / n).div_ceil(2);
    for (panel, destination) in packed.chunks_exact_mut(depth * LANES).enumerate() {
        let width = LANES.min(n - panel * LANES);
        for (at, pairs) in destination.chunks_exact_mut(LANES).enumerate() {
            let row = |i: usize| {
                let from = (2 * at + i).checked_sub(before)? * n + panel * LANES;
                rows.get(from..from + width)
            };
            let (first, second) = (row(0), row(1));
            let whole = |row: Option<&[f32]>| row.and_then(|row| row.first_chunk::<LANES>().copied());
            if let (Some(first), Some(second)) = (whole(first), whole(second)) {
                for ((pair, first), second) in pairs.iter_mut().zip(first).zip(second) {
                    *pair = Pair::new(first, second).bits();
                }
            } else {
                let value = |row: Option<&[f32]>, c: usize| row.and_then(|row| row.get(c).copied()).unwrap_or(0.0);
                for (c, pair) in pairs.iter_mut().enumerate() {
                    *pair = Pair::new(value(first, c), value(second, c)).bits();
                }
            }
        }
    }
}

/// The last values of a matrix; apart, lest the compiler merge it with the common case into a call of memcpy.
#[cold]
#[inline(never)]
fn copy_end(source: &[f32], block: &mut [f32; 16]) {
    block[..source.len()].copy_from_slice(source);
}

/// The first `count` columns of `depth` rows into even groups, `size` values each: `[depth][columns of the group]`.
fn pack_groups(level: Level, depth: usize, stride: usize, a: &[f32], count: usize, size: usize, packed: &mut [f32]) {
    per_level!(
        level,
        pack_groups_any(depth: usize, stride: usize, a: &[f32], count: usize, size: usize, packed: &mut [f32])
    )
}

#[inline(always)]
fn pack_groups_any<const FMA: bool>(
    depth: usize,
    stride: usize,
    a: &[f32],
    count: usize,
    size: usize,
    packed: &mut [f32],
) {
    let groups = packed.len() / size;
    for at in 0..depth {
        // A row is a few cache lines of another page each time: too little for the hardware to see what comes next.
        for ahead in (0..count).step_by(16) {
            prefetch::<true, _>(a.as_ptr().wrapping_add((at + 12) * stride + ahead));
        }
        for (group, packed) in packed.chunks_exact_mut(size).enumerate() {
            let (from, to) = (count * group / groups, count * (group + 1) / groups);
            let (width, source) = (to - from, &a[at * stride + from..]);
            // Sixteen values, through registers, are copied several times faster than exactly `width` of them; what is
            // too much is written again by the next row.
            let mut block = [0.0; 16];
            match source.first_chunk::<16>() {
                Some(source) => block = *source,
                None => copy_end(source, &mut block),
            }
            if let Some(destination) = packed[at * width..].first_chunk_mut::<16>() {
                *destination = block;
            }
        }
    }
}

/// [`pack_groups`] of pairs of rows, the last one with zeros where it is alone.
fn pack_paired_groups(
    level: Level,
    depth: usize,
    stride: usize,
    a: &[f32],
    count: usize,
    size: usize,
    packed: &mut [f32],
) {
    per_level!(
        level,
        pack_paired_groups_any(depth: usize, stride: usize, a: &[f32], count: usize, size: usize, packed: &mut [f32])
    )
}

#[inline(always)]
fn pack_paired_groups_any<const FMA: bool>(
    depth: usize,
    stride: usize,
    a: &[f32],
    count: usize,
    size: usize,
    packed: &mut [f32],
) {
    let groups = packed.len() / size;
    for at in 0..depth.div_ceil(2) {
        for ahead in (0..count).step_by(16) {
            for row in [2 * at + 12, 2 * at + 13] {
                prefetch::<true, _>(a.as_ptr().wrapping_add(row * stride + ahead));
            }
        }
        for (group, packed) in packed.chunks_exact_mut(size).enumerate() {
            let (from, to) = (count * group / groups, count * (group + 1) / groups);
            let width = to - from;
            let block = |row: usize| {
                let mut block = [0.0; 16];
                let source = if row < depth { &a[row * stride + from..] } else { &[] };
                match source.first_chunk::<16>() {
                    Some(source) => block = *source,
                    None => copy_end(source, &mut block),
                }
                block
            };
            let (first, second) = (block(2 * at), block(2 * at + 1));
            if let Some(destination) = packed[at * width..].first_chunk_mut::<16>() {
                for ((pair, first), second) in destination.iter_mut().zip(first).zip(second) {
                    *pair = Pair::new(first, second).bits();
                }
            }
        }
    }
}

/// `sums[j] = sum over rows of values[row, j]`, in chunks of rows whose size does not depend on the threads.
///
/// # Shapes
/// `values`: `[rows, n]`, rows `stride` values apart; `sums`: `[n]`
pub(crate) fn column_sums(n: usize, stride: usize, values: &[f32], sums: &mut [f32]) {
    const CHUNK: usize = 256;
    sums.fill(0.0);
    if n == 0 {
        return;
    }
    let partial: Vec<Vec<f32>> = values
        .par_chunks(CHUNK * stride)
        .map(|chunk| {
            let mut sums = vec![0.0; n];
            for row in chunk.chunks(stride) {
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
        for (k, m, n) in [(1500, 300, 130), (9000, 24, 33)] {
            check_threads(k, m, n);
        }
    }

    fn check_threads(k: usize, m: usize, n: usize) {
        let a: Vec<f32> = (0..k * m).map(|i| ((i * 7919 % 1009) as f32 - 500.0) / 600.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| ((i * 104_729 % 997) as f32 - 500.0) / 600.0).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = vec![0.0; m * n];
            pool.install(|| {
                transposed_products::<f32, 1>(
                    [k, m],
                    &a,
                    m,
                    [Factor { b: &b, n, skip: 0, c: &mut c, accumulate: false }],
                )
            });
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
        for (k, m, n) in [(1, 1, 1), (3, 15, 33), (513, 29, 31), (40, 300, 64), (1030, 143, 5), (4100, 24, 40)] {
            let a: Vec<f32> = (0..k * m).map(value).collect();
            let b: Vec<f32> = (0..k * n).map(|i| value(i + 17)).collect();
            let before: Vec<f32> = (0..m * n).map(|i| value(i + 5)).collect();
            for accumulate in [false, true] {
                let check = |c: &[f32]| {
                    for r in 0..m {
                        for j in 0..n {
                            let sum: f64 = (0..k).map(|i| f64::from(a[i * m + r]) * f64::from(b[i * n + j])).sum();
                            let exact = sum + if accumulate { f64::from(before[r * n + j]) } else { 0.0 };
                            assert!((f64::from(c[r * n + j]) - exact).abs() < 4e-4, "{k} {m} {n} at {r} {j}");
                        }
                    }
                };
                for level in Level::available() {
                    let mut c = before.clone();
                    let factor = Factor { b: &b, n, skip: 0, c: &mut c, accumulate };
                    transposed_rows::<f32, 1>(level, k, 0..m, &a, m, [factor]);
                    check(&c);
                    // These values have few bits, and are not rounded.
                    let short =
                        |values: &[f32]| -> Vec<f32> { values.iter().map(|v| (v * 64.0).round() / 64.0).collect() };
                    let (a, b) = (short(&a), short(&b));
                    let (mut pairs, mut single) = (before.clone(), before.clone());
                    let factor = |c| Factor { b: &b, n, skip: 0, c, accumulate };
                    transposed_rows::<Pair, 1>(level, k, 0..m, &a, m, [factor(&mut pairs)]);
                    transposed_rows::<f32, 1>(level, k, 0..m, &a, m, [factor(&mut single)]);
                    let worst = pairs.iter().zip(&single).fold(0.0f32, |w, (a, b)| w.max((a - b).abs()));
                    assert!(worst < 4e-4, "{level:?} {k} {m} {n}: {worst}");
                }
                let mut c = before.clone();
                transposed_products::<f32, 1>([k, m], &a, m, [Factor { b: &b, n, skip: 0, c: &mut c, accumulate }]);
                check(&c);
            }
        }
    }

    #[test]
    fn factors_share_a_and_may_begin_later() {
        factors_begin_later::<f32>();
        factors_begin_later::<Pair>();
    }

    fn factors_begin_later<W: Number>() {
        for (k, m, skip) in
            [(700, 70, 3), (700, 70, 600), (20, 40, 25), (5000, 30, 7), (1500, 40, 1025), (1025, 70, 1024)]
        {
            let value = |i: usize| ((i * 7919 % 251) as f32 - 125.0) / 128.0;
            let (n1, n2, later) = (33, 8, usize::saturating_sub(k, skip));
            let a: Vec<f32> = (0..k * m).map(value).collect();
            let (b1, b2): (Vec<f32>, Vec<f32>) =
                ((0..k * n1).map(value).collect(), (0..later * n2).map(value).collect());
            let (mut c1, mut c2) = (vec![7.0; m * n1], vec![7.0; m * n2]);
            let one = Factor { b: &b1, n: n1, skip: 0, c: &mut c1, accumulate: false };
            let two = Factor { b: &b2, n: n2, skip, c: &mut c2, accumulate: true };
            transposed_products::<W, 2>([k, m], &a, m, [one, two]);
            let (mut alone1, mut alone2) = (vec![0.0; m * n1], vec![7.0; m * n2]);
            let one = Factor { b: &b1, n: n1, skip: 0, c: &mut alone1, accumulate: false };
            transposed_products::<W, 1>([k, m], &a, m, [one]);
            let two = Factor { b: &b2, n: n2, skip: 0, c: &mut alone2, accumulate: true };
            transposed_products::<W, 1>([later, m], &a[(k - later) * m..], m, [two]);
            assert_eq!(c1, alone1);
            let worst = c2.iter().zip(&alone2).fold(0.0f32, |w, (a, b)| w.max((a - b).abs()));
            assert!(worst < 1e-3, "{k} {m} {skip}: {worst}");
        }
    }

    #[test]
    fn column_sums_add_every_row() {
        let values: Vec<f32> = (0..1000 * 3).map(|i| (i % 3) as f32).collect();
        let mut sums = [9.0; 3];
        column_sums(3, 3, &values, &mut sums);
        assert_eq!(sums, [0.0, 1000.0, 2000.0]);
    }
}
