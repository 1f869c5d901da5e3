//! First values of parameters, from a seeded generator.

use crate::random::{Rng, normal, uniform_in};

/// `n` values uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, AISTATS 2010, eq. 16).
pub fn glorot(rng: &mut Rng, fan_in: usize, fan_out: usize, n: usize) -> Vec<f32> {
    let bound = (6.0 / (fan_in + fan_out).max(1) as f32).sqrt();
    (0..n).map(|_| uniform_in(rng, -bound, bound)).collect()
}

/// `n` values uniform within `1 / sqrt(fan)`: what PyTorch's layers begin with.
pub fn inverse_root(rng: &mut Rng, fan: usize, n: usize) -> Vec<f32> {
    let bound = 1.0 / (fan.max(1) as f32).sqrt();
    (0..n).map(|_| uniform_in(rng, -bound, bound)).collect()
}

/// `n` normal values with standard deviation `s`.
pub fn gaussian(rng: &mut Rng, s: f32, n: usize) -> Vec<f32> {
    (0..n).map(|_| s * normal(rng)).collect()
}

/// A random orthogonal matrix `[n, n]`, row by row: normal vectors made orthonormal one after another (Saxe, McClelland
/// and Ganguli, arXiv:1312.6120v3). Twice through the projections, as a single pass of Gram and Schmidt loses
/// orthogonality in `f32`.
pub fn orthogonal(rng: &mut Rng, n: usize) -> Vec<f32> {
    let mut matrix = vec![0.0f32; n * n];
    for r in 0..n {
        let (done, rest) = matrix.split_at_mut(r * n);
        let row = &mut rest[..n];
        loop {
            row.iter_mut().for_each(|v| *v = normal(rng));
            for _ in 0..2 {
                for before in done.chunks_exact(n) {
                    let along = dot(row, before);
                    row.iter_mut().zip(before).for_each(|(v, b)| *v -= along * b);
                }
            }
            let length = dot(row, row).sqrt();
            // Against a vector that happens to lie (almost) in the span of the earlier ones.
            if length > 1e-3 {
                row.iter_mut().for_each(|v| *v /= length);
                break;
            }
        }
    }
    matrix
}

/// A dot product in eight chains, so that it vectorises without reordering a single chain.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((s, a), b) in sums.iter_mut().zip(a).zip(b) {
            *s += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::seeded;

    #[test]
    fn orthogonal_rows_are_orthonormal() {
        let n = 61;
        let q = orthogonal(&mut seeded(1), n);
        for i in 0..n {
            for j in 0..n {
                let product = dot(&q[i * n..(i + 1) * n], &q[j * n..(j + 1) * n]);
                assert!((product - if i == j { 1.0 } else { 0.0 }).abs() < 1e-5, "{i} {j}: {product}");
            }
        }
    }

    #[test]
    fn the_inverse_root_is_a_bound() {
        let v = inverse_root(&mut seeded(3), 16, 1000);
        assert!(v.iter().all(|x| x.abs() <= 0.25) && v.iter().any(|x| *x > 0.24) && v.iter().any(|x| *x < -0.24));
    }

    #[test]
    fn glorot_stays_within_its_bound() {
        let v = glorot(&mut seeded(2), 10, 14, 1000);
        assert!(v.iter().all(|x| x.abs() <= 0.5) && v.iter().any(|x| x.abs() > 0.45));
    }
}
