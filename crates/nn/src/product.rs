//! The gradient of a weight: `C = A^T B` over a long common axis, by the `gemm` crate.

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

/// `c = a^T b`, or `c += a^T b` where `accumulate`, with the rows of `c` split over rayon's threads.
///
/// `gemm` chooses its blocks along the common axis by that axis' length alone, so that the split does not alter the
/// sums: the result does not depend on the number of threads (there is a test for it).
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
    let shared = Shared::new(c);
    let piece = |at: usize| {
        let (first, end) = (m * at / pieces, m * (at + 1) / pieces);
        // SAFETY: pieces are disjoint rows of c.
        let c = unsafe { shared.slice(first * n, (end - first) * n) };
        // SAFETY: the strides describe a^T (rows 1, columns m apart), b and c within the lengths asserted above.
        unsafe {
            gemm::gemm(
                end - first,
                n,
                k,
                c.as_mut_ptr(),
                1,
                n as isize,
                accumulate,
                a.as_ptr().add(first),
                m as isize,
                1,
                b.as_ptr(),
                1,
                n as isize,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    };
    if pieces == 1 { piece(0) } else { (0..pieces).into_par_iter().for_each(piece) }
}

/// `sums[j] = sum over rows of values[row, j]`, in chunks of rows whose size does not depend on the threads.
///
/// # Shapes
/// `values`: `[rows, n]`, `sums`: `[n]`
pub(crate) fn column_sums(n: usize, values: &[f32], sums: &mut [f32]) {
    const ROWS: usize = 256;
    sums.fill(0.0);
    if n == 0 {
        return;
    }
    let partial: Vec<Vec<f32>> = values
        .par_chunks(ROWS * n)
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
    fn column_sums_add_every_row() {
        let values: Vec<f32> = (0..1000 * 3).map(|i| (i % 3) as f32).collect();
        let mut sums = [9.0; 3];
        column_sums(3, &values, &mut sums);
        assert_eq!(sums, [0.0, 1000.0, 2000.0]);
    }
}
