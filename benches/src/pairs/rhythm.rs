//! Where a bass begins something, as a composer expects it: F1 at the threshold that is best on the validation songs.

use super::{Pattern, STEPS, mean};
use cantus_corpus::Pair;
use cantus_model::Composer;
use rayon::prelude::*;

/// Thresholds that are tried, in hundredths.
const THRESHOLDS: std::ops::Range<u32> = 1..100;

/// What was found on the songs that are judged.
pub(super) struct Found {
    /// The threshold.
    pub threshold: f64,
    /// Of what is likelier than that, against what was played, 0-1.
    pub f1: f64,
    /// How many onsets a pattern are likelier.
    pub onsets: f64,
    /// How many are expected: the sum of all probabilities.
    pub expected: f64,
    /// Nats of a latent variable a pattern, where there is one.
    pub latent: Option<f64>,
}

/// What a composer expects of the pairs that are judged; `None` where it cannot say.
pub(super) fn of(composer: &dyn Composer, valid: &[Pair], test: &[Pair]) -> Option<Found> {
    let expected = |pairs: &[Pair]| -> Option<(Steps, Option<f64>)> {
        let found: Option<Vec<_>> = pairs.par_iter().map(|pair| composer.expects(&pair.score)).collect();
        let found = found?;
        let patterns: Vec<Pattern> = pairs.iter().map(Pattern::of).collect();
        let latent: Option<Vec<f64>> = found.iter().map(|expected| expected.latent).collect();
        let steps = Steps::of(found.into_iter().map(|expected| expected.onsets), &patterns);
        Some((steps, latent.map(|nats| mean(nats.into_iter()))))
    };
    let (steps, latent) = expected(test)?;
    Some(Found { latent, ..steps.found(expected(valid)?.0.threshold()) })
}

/// How often something begins at each step in `train`; silence.
pub(super) fn counted(train: &[Pattern], valid: &[Pair], test: &[Pattern]) -> [Found; 2] {
    let often = |step: usize| mean(train.iter().map(|pattern| f64::from(u8::from(pattern.bass[step] != 0))));
    let often: Vec<f64> = (0..STEPS).map(often).collect();
    let valid: Vec<Pattern> = valid.iter().map(Pattern::of).collect();
    let counted = |patterns: &[Pattern]| Steps::of(patterns.iter().map(|_| often.clone()), patterns);
    let silence = Steps::of(test.iter().map(|_| vec![0.0; STEPS]), test);
    [counted(test).found(counted(&valid).threshold()), silence.found(0.5)]
}

/// Steps of patterns: how likely it is that something begins, and whether it did.
struct Steps {
    steps: Vec<(f64, bool)>,
    patterns: f64,
}

impl Steps {
    fn of(likely: impl Iterator<Item = Vec<f64>>, patterns: &[Pattern]) -> Steps {
        let begun = patterns.iter().map(|pattern| pattern.bass.iter().map(|frame| *frame != 0));
        let steps = likely.zip(begun).flat_map(|(likely, begun)| likely.into_iter().zip(begun));
        Steps { steps: steps.collect(), patterns: patterns.len() as f64 }
    }

    fn found(&self, threshold: f64) -> Found {
        let count = |wanted: &dyn Fn(bool, bool) -> bool| {
            self.steps.iter().filter(|(likely, begins)| wanted(*likely > threshold, *begins)).count() as f64
        };
        let (both, told, there) = (count(&|a, b| a && b), count(&|a, _| a), count(&|_, b| b));
        Found {
            threshold,
            f1: 2.0 * both / (told + there).max(1.0),
            onsets: told / self.patterns,
            expected: self.steps.iter().map(|(likely, _)| likely).sum::<f64>() / self.patterns,
            latent: None,
        }
    }

    /// The threshold with the best F1.
    fn threshold(&self) -> f64 {
        let all = THRESHOLDS.map(|hundredths| f64::from(hundredths) / 100.0);
        all.max_by(|a, b| self.found(*a).f1.total_cmp(&self.found(*b).f1)).unwrap_or(0.5)
    }
}
