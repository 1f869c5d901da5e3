//! Logistic regression with an L2 penalty, by Nesterov's accelerated gradient (Y. Nesterov, Introductory Lectures on Convex Optimization,
//! 2004, scheme 2.2.11): the problem is convex and smooth, and what comes out is a function of the examples alone.

use super::features::{FIGURES_HEARD, Features, TURNS};
use crate::statistics::mean;

const ITERATIONS: usize = 300;
/// Rare values must not outweigh all others: figures are cut at so many standard deviations.
const FARTHEST: f64 = 4.0;

pub(super) struct Regression {
    /// What each figure is measured by: its mean and standard deviation over the examples.
    scales: [(f64, f64); FIGURES_HEARD],
    /// Of the turns, then of the figures, then the constant.
    weights: Vec<f64>,
}

/// An example as the regression reads it: indices and values.
type Row = Vec<(usize, f64)>;

impl Regression {
    /// Minimises the mean log loss, both kinds counting alike, with `penalty / 2` times the squared weights.
    pub fn fit(examples: &[(&Features, bool)], penalty: f64) -> Regression {
        let scales = std::array::from_fn(|k| {
            let values = || examples.iter().filter_map(|(features, _)| features.figures[k]);
            let centre = mean(values()).unwrap_or(0.0);
            let variance = mean(values().map(|value| (value - centre).powi(2))).unwrap_or(0.0);
            (centre, variance.sqrt())
        });
        let mut regression = Regression { scales, weights: vec![0.0; TURNS + FIGURES_HEARD + 1] };
        let rows: Vec<Row> = examples.iter().map(|(features, _)| regression.row(features)).collect();
        let of_kind = |kind: bool| examples.iter().filter(|(_, is_second)| *is_second == kind).count().max(1) as f64;
        let counts = [of_kind(false), of_kind(true)];
        // The gradient's Lipschitz constant: a quarter of the largest squared row, and the penalty.
        let largest = rows.iter().map(|row| row.iter().map(|(_, value)| value * value).sum()).fold(0.0, f64::max);
        let step = 1.0 / (largest / 4.0 + penalty);
        let (mut ahead, mut gradient) = (regression.weights.clone(), vec![0.0; regression.weights.len()]);
        for iteration in 0..ITERATIONS {
            gradient.iter_mut().zip(&ahead).for_each(|(slope, weight)| *slope = penalty * weight);
            for (row, (_, is_second)) in rows.iter().zip(examples) {
                let said = 1.0 / (1.0 + (-dot(&ahead, row)).exp());
                let wrong = said - if *is_second { 1.0 } else { 0.0 };
                let share = wrong / (2.0 * counts[usize::from(*is_second)]);
                row.iter().for_each(|(k, value)| gradient[*k] += share * value);
            }
            let momentum = iteration as f64 / (iteration + 3) as f64;
            for ((weight, ahead), slope) in regression.weights.iter_mut().zip(&mut ahead).zip(&gradient) {
                let next = *ahead - step * slope;
                *ahead = next + momentum * (next - *weight);
                *weight = next;
            }
        }
        regression
    }

    /// Whether it takes an excerpt for one of the second set.
    pub fn says_second(&self, features: &Features) -> bool {
        dot(&self.weights, &self.row(features)) > 0.0
    }

    fn row(&self, features: &Features) -> Row {
        let root = (FIGURES_HEARD as f64).sqrt();
        let figures =
            features.figures.iter().zip(&self.scales).enumerate().filter_map(|(k, (value, (mean, deviation)))| {
                // A figure that no example varies in, or that is missing, says nothing.
                let distance = (value.as_ref()? - mean) / deviation;
                distance.is_finite().then(|| (TURNS + k, distance.clamp(-FARTHEST, FARTHEST) / root))
            });
        features.turns.iter().copied().chain(figures).chain([(TURNS + FIGURES_HEARD, 1.0)]).collect()
    }
}

fn dot(weights: &[f64], row: &Row) -> f64 {
    row.iter().map(|(k, value)| weights[*k] * value).sum()
}
