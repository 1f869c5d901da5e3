//! What a listener makes of what it hears.

use super::features::{FIGURES_HEARD, Features, TURNS};
use crate::mean::mean;
use crate::regression::{Row, fit, score};

/// Rare values must not outweigh all others: figures are cut at so many standard deviations.
const FARTHEST: f64 = 4.0;
/// Of the turns, then of the figures, then the constant.
const WIDTH: usize = TURNS + FIGURES_HEARD + 1;

/// A listener that has learnt.
pub(super) struct Verdict {
    /// What each figure is measured by: its mean and standard deviation over the examples.
    scales: [(f64, f64); FIGURES_HEARD],
    weights: Vec<f64>,
}

impl Verdict {
    /// Out of examples, each with whether it is of the second set; both kinds count alike.
    pub fn learn(examples: &[(&Features, bool)], penalty: f64) -> Verdict {
        let scales = std::array::from_fn(|k| {
            let values = || examples.iter().filter_map(|(features, _)| features.figures[k]);
            let centre = mean(values()).unwrap_or(0.0);
            let variance = mean(values().map(|value| (value - centre).powi(2))).unwrap_or(0.0);
            (centre, variance.sqrt())
        });
        let mut verdict = Verdict { scales, weights: Vec::new() };
        let rows: Vec<(Row, bool)> =
            examples.iter().map(|(features, is_second)| (verdict.row(features), *is_second)).collect();
        verdict.weights = fit(&rows, WIDTH, penalty);
        verdict
    }

    /// The log-odds that an excerpt is of the second set.
    pub fn second(&self, features: &Features) -> f64 {
        score(&self.weights, &self.row(features))
    }

    fn row(&self, features: &Features) -> Row {
        let root = (FIGURES_HEARD as f64).sqrt();
        let figures =
            features.figures.iter().zip(&self.scales).enumerate().filter_map(|(k, (value, (mean, deviation)))| {
                // A figure that no example varies in, or that is missing, says nothing.
                let distance = (value.as_ref()? - mean) / deviation;
                distance.is_finite().then(|| (TURNS + k, distance.clamp(-FARTHEST, FARTHEST) / root))
            });
        features.shares().chain(figures).chain([(WIDTH - 1, 1.0)]).collect()
    }
}
