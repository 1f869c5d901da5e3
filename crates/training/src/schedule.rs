//! How long a training lasts, and how its learning rate moves.
//!
//! Source: S. Hu et al., MiniCPM, 2024, arXiv:2404.06395v3, section 4 (warm-up, stable, decay). Departure: the fall begins where
//! validation stops to improve, or late enough that it just ends with the time or the epochs allowed; it is linear, to zero.

use cantus_model::{Regime, Schedule};
use serde::{Deserialize, Serialize};

/// The share of the time or the epochs allowed after which the learning rate begins to fall.
const STABLE_SHARE: f64 = 0.65;
/// After a plateau it falls for this share of the steps done so far.
const FALL_SHARE: f64 = 0.25;

/// What ends a training at the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Epochs; the composer's own number where neither is given.
    pub epochs: Option<u32>,
    /// Minutes of training, those before a resumption included.
    pub minutes: Option<f64>,
}

/// Where the learning rate is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Rising, then level.
    #[default]
    Stable,
    /// Falling to zero.
    Fall {
        /// Steps done when the fall began.
        from: u64,
        /// Steps that it takes.
        length: u64,
    },
}

impl Phase {
    /// The learning rate for the step after `steps` done.
    pub(crate) fn learning_rate(self, regime: &Regime, steps: u64) -> f64 {
        let height = match regime.schedule {
            Schedule::Constant => 1.0,
            Schedule::WarmupStableDecay { warmup } => ((steps + 1) as f64 / warmup.max(1) as f64).min(1.0),
        };
        let fallen = match self {
            Phase::Stable => 1.0,
            Phase::Fall { from, length } => 1.0 - steps.saturating_sub(from) as f64 / length.max(1) as f64,
        };
        regime.learning_rate * height * fallen.max(0.0)
    }

    /// Whether the learning rate has reached zero.
    pub(crate) fn is_over(self, steps: u64) -> bool {
        matches!(self, Phase::Fall { from, length } if steps >= from + length)
    }

    /// The fall after a plateau.
    pub(crate) fn after_plateau(steps: u64) -> Phase {
        Phase::Fall { from: steps, length: ((steps as f64 * FALL_SHARE) as u64).max(1) }
    }

    /// The fall that ends with the minutes allowed, once it is time for it.
    pub(crate) fn before_minutes(steps: u64, seconds: f64, minutes: f64) -> Option<Phase> {
        let share = seconds / (60.0 * minutes);
        // A little early: an epoch's evaluation must fit in, too.
        let left = ((0.97 - share) / share * steps as f64) as u64;
        (share >= STABLE_SHARE && steps > 0).then_some(Phase::Fall { from: steps, length: left.max(1) })
    }

    /// The fall that ends with the epochs allowed, once it is time for it; `left` tells the steps from here to their end.
    pub(crate) fn before_epochs(steps: u64, epoch: u64, epochs: u32, left: impl FnOnce() -> u64) -> Option<Phase> {
        let late = epoch as f64 >= STABLE_SHARE * f64::from(epochs);
        late.then(|| Phase::Fall { from: steps, length: left().max(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIME: Regime =
        Regime { learning_rate: 0.1, schedule: Schedule::WarmupStableDecay { warmup: 10 }, patience: 3, epochs: 10 };

    #[test]
    fn the_rate_rises_stays_and_falls_to_zero() {
        let rate = |phase: Phase, steps| phase.learning_rate(&REGIME, steps);
        assert!((rate(Phase::Stable, 0) - 0.01).abs() < 1e-12);
        assert_eq!(rate(Phase::Stable, 9), 0.1);
        assert_eq!(rate(Phase::Stable, 1000), 0.1);
        let fall = Phase::Fall { from: 100, length: 50 };
        assert_eq!(rate(fall, 100), 0.1);
        assert!((rate(fall, 125) - 0.05).abs() < 1e-12);
        assert_eq!(rate(fall, 150), 0.0);
        assert!(!fall.is_over(149) && fall.is_over(150));
    }

    #[test]
    fn the_fall_ends_with_what_is_allowed() {
        assert_eq!(Phase::before_minutes(600, 60.0, 10.0), None);
        let Some(Phase::Fall { from: 600, length }) = Phase::before_minutes(600, 400.0, 10.0) else {
            panic!("no fall")
        };
        // 600 steps took 400 s; 97% of 600 s leaves 182 s.
        assert!((270..=275).contains(&length), "{length}");
        assert_eq!(Phase::before_epochs(70, 6, 10, || 99), None);
        assert_eq!(Phase::before_epochs(70, 7, 10, || 30), Some(Phase::Fall { from: 70, length: 30 }));
    }

    #[test]
    fn a_constant_rate_stays() {
        let regime = Regime { schedule: Schedule::Constant, ..REGIME };
        assert_eq!(Phase::Stable.learning_rate(&regime, 0), 0.1);
    }
}
