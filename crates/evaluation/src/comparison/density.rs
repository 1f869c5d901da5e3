//! Kernel densities on one grid.

use serde::Serialize;

/// Points of a grid.
pub const POINTS: usize = 512;

/// Under this a density counts as this in a divergence: what is impossible on one side must not make it infinite.
const FLOOR: f64 = 1e-10;

/// Evenly spaced points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Grid {
    /// The first point.
    pub from: f64,
    /// From one point to the next.
    pub step: f64,
}

/// A density at the points of a grid; its sum times the grid's step is 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Density(pub Vec<f64>);

impl Density {
    /// `integral of min(p, q)`.
    pub fn overlap(&self, other: &Density, grid: Grid) -> f64 {
        grid.step * self.0.iter().zip(&other.0).map(|(p, q)| p.min(*q)).sum::<f64>()
    }

    /// `KL(self || other) = integral of p ln(p / q)`, in nats.
    pub fn divergence(&self, other: &Density, grid: Grid) -> f64 {
        let term = |(p, q): (&f64, &f64)| {
            let (p, q) = (p.max(FLOOR), q.max(FLOOR));
            p * (p / q).ln()
        };
        // Rounding must not make equal densities closer than equal.
        (grid.step * self.0.iter().zip(&other.0).map(term).sum::<f64>()).max(0.0)
    }
}

/// The Gaussian kernel densities of three samples on one grid that reaches three bandwidths beyond all of them.
///
/// Bandwidths are Scott's, `n^(-1/5)` times the sample's standard deviation (D. Scott, "Multivariate Density Estimation", 1992; as in
/// scipy's `gaussian_kde`), and at least a grid step: a sample of equal values is a narrow peak, not an error. Values are first shared
/// out between the two nearest points and the kernel is applied to these (M. Wand and M. Jones, "Kernel Smoothing", 1995, appendix
/// D), which costs the same for a hundred values as for a million.
pub(super) fn on_one_grid(samples: [&[f32]; 3]) -> (Grid, [Density; 3]) {
    let bandwidths = samples.map(bandwidth);
    let all = || samples.iter().flat_map(|sample| sample.iter().copied());
    let (low, high) = (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max));
    let (low, high) = if low <= high { (f64::from(low), f64::from(high)) } else { (0.0, 0.0) };
    let widest = bandwidths.into_iter().fold(0.0, f64::max);
    // Where all values are one, any width will do.
    let margin = if high > low || widest > 0.0 { 3.0 * widest + 0.01 * (high - low) } else { 1.0 };
    let step = (high - low + 2.0 * margin) / (POINTS - 1) as f64;
    let grid = Grid { from: low - margin, step };
    (grid, [0, 1, 2].map(|k| smoothed(samples[k], bandwidths[k].max(step), grid)))
}

fn bandwidth(sample: &[f32]) -> f64 {
    let n = sample.len() as f64;
    if sample.len() < 2 {
        return 0.0;
    }
    let mean = sample.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = sample.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    variance.sqrt() * n.powf(-0.2)
}

fn smoothed(sample: &[f32], bandwidth: f64, grid: Grid) -> Density {
    let mut bins = vec![0.0; POINTS];
    for x in sample {
        let place = (f64::from(*x) - grid.from) / grid.step;
        let bin = (place as usize).min(POINTS - 2);
        bins[bin] += 1.0 - (place - bin as f64);
        bins[bin + 1] += place - bin as f64;
    }
    // Beyond five bandwidths a Gaussian is under 4e-6 of its height.
    let reach = ((5.0 * bandwidth / grid.step).ceil() as usize).min(POINTS - 1);
    let kernel: Vec<f64> = (0..=reach).map(|k| (-0.5 * (k as f64 * grid.step / bandwidth).powi(2)).exp()).collect();
    let at = |point: usize| -> f64 {
        let near = point.saturating_sub(reach)..(point + reach + 1).min(POINTS);
        near.map(|bin| bins[bin] * kernel[bin.abs_diff(point)]).sum()
    };
    let heights: Vec<f64> = (0..POINTS).map(at).collect();
    let area = grid.step * heights.iter().sum::<f64>();
    Density(heights.into_iter().map(|height| if area > 0.0 { height / area } else { 0.0 }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f32; 10] = [0.2, 0.5, 0.9, 1.1, 1.3, 1.4, 1.9, 2.4, 2.5, 3.7];
    const B: [f32; 8] = [1.0, 1.8, 2.2, 2.9, 3.1, 3.3, 4.4, 5.2];
    const SCIPY_OVERLAP: f64 = 0.61002;
    const SCIPY_KL: f64 = 0.45162;
    /// Where, and the densities of A and B there.
    const SCIPY_DENSITIES: [(f64, f64, f64); 4] =
        [(0.5, 0.26551, 0.07916), (1.5, 0.32862, 0.17666), (3.0, 0.14197, 0.24683), (4.5, 0.03018, 0.14949)];

    /// scipy 1.17.1: `gaussian_kde`, overlap and KL by the trapezoidal rule on 20001 points over three bandwidths beyond the data.
    #[test]
    fn densities_are_those_of_scipy() {
        let (grid, [a, b, same]) = on_one_grid([&A, &B, &A]);
        assert_eq!(a, same);
        assert!((grid.step * a.0.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let at = |density: &Density, x: f64| density.0[((x - grid.from) / grid.step).round() as usize];
        for (x, p, q) in SCIPY_DENSITIES {
            assert!((at(&a, x) - p).abs() < 2e-3 && (at(&b, x) - q).abs() < 2e-3, "{x}: {} {}", at(&a, x), at(&b, x));
        }
        let (overlap, divergence) = (a.overlap(&b, grid), a.divergence(&b, grid));
        assert!((overlap - SCIPY_OVERLAP).abs() < 2e-3, "{overlap}");
        assert!((divergence - SCIPY_KL).abs() < 5e-3, "{divergence}");
    }

    #[test]
    fn equal_values_are_a_peak() {
        let (grid, [a, b, c]) = on_one_grid([&[2.0; 5], &[2.0; 5], &[2.0; 5]]);
        assert!((a.overlap(&b, grid) - 1.0).abs() < 1e-9 && a.divergence(&c, grid) == 0.0);
        let (grid, [a, b, _]) = on_one_grid([&[0.0; 5], &[1.0; 5], &[0.5]]);
        assert!(a.overlap(&b, grid) < 1e-6 && a.divergence(&b, grid).is_finite());
    }
}
