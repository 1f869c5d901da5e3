//! Products with a packed matrix beside `gemm`, each thread with its own.

use crate::Common;
use crate::clock::Contender;
use crate::peak;
use crate::report::Report;
use cantus_nn::packed::PackedMatrix;
use rayon::prelude::*;
use std::io::Result;

/// The shapes of W1's and W2's recurrent and input products.
pub fn run(common: &Common) -> Result<Report> {
    let mut contenders = vec![peak::contender()];
    for (m, n, k) in
        [(25, 2048, 512), (25, 512, 2048), (112, 2048, 512), (112, 512, 2048), (70, 400, 100), (140, 400, 254)]
    {
        let packed = PackedMatrix::new(k, n, &vec![0.25f32; k * n], n, 1);
        let repeats = (4_000_000_000 / (2 * m * n * k)).max(1);
        let mut rows: Vec<_> = (0..common.threads).map(|_| (vec![0.5f32; m * k], vec![0.0; m * n])).collect();
        let flops = (2 * m * n * k * common.threads) as f64;
        let work = move || {
            rows.par_iter_mut().for_each(|(x, y)| (0..repeats).for_each(|_| packed.multiply(m, x, k, y, n, false)));
        };
        contenders.push(Contender::timed(&format!("{m} x {n} x {k}"), repeats, work).with_flops(flops));
    }
    Ok(common.race("products", "milliseconds a product", contenders, Vec::new()))
}
