//! The machine's peak: what the `gemm` crate makes of a large product, one on each thread.

use crate::clock::Contender;
use rayon::prelude::*;

/// How reports name it.
pub const NAME: &str = "peak (gemm, 2048 x 2048 x 512)";

/// The contender.
pub fn contender() -> Contender<'static> {
    let (m, n, k) = (2048, 2048, 512);
    let threads = rayon::current_num_threads();
    let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
    let mut outputs: Vec<Vec<f32>> = (0..threads).map(|_| vec![0.0; m * n]).collect();
    const REPEATS: usize = 3;
    let work = move || {
        outputs.par_iter_mut().for_each(|c| {
            for _ in 0..REPEATS {
                // SAFETY: strides of contiguous row-major matrices of these sizes.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        c.as_mut_ptr(),
                        1,
                        n as isize,
                        false,
                        a.as_ptr(),
                        1,
                        k as isize,
                        b.as_ptr(),
                        1,
                        n as isize,
                        0.0f32,
                        1.0f32,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            }
        });
    };
    Contender::timed(NAME, REPEATS, work).with_flops((2 * m * n * k * threads) as f64)
}
