//! What a player decides at each note, in classes: exact likelihoods, and no shape of a distribution assumed.

use cantus_nn::random::{Rng, uniform_f64};

/// A kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// How much longer or shorter the gap before a chord is than at the running tempo: at the first note of each chord but the first.
    Timing,
    /// What the pedal does from a chord to the next: at the first note of each chord but the last.
    Pedal,
    /// How hard: at each note.
    Velocity,
    /// How far a note is from the middle of its chord: where a chord has several.
    Spread,
    /// How long its key is held, of what is written: at each note.
    Length,
}

impl Decision {
    /// All of them, in the order in which they are made.
    pub const ALL: [Decision; 5] =
        [Decision::Timing, Decision::Pedal, Decision::Velocity, Decision::Spread, Decision::Length];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Timing => "timing",
            Decision::Pedal => "pedal",
            Decision::Velocity => "velocity",
            Decision::Spread => "spread",
            Decision::Length => "length",
        }
    }

    /// Classes that it chooses from.
    pub const fn classes(self) -> usize {
        match self {
            Decision::Timing => TIMING.classes(),
            Decision::Pedal => PEDAL,
            Decision::Velocity => VELOCITY,
            Decision::Spread => SPREAD.classes(),
            Decision::Length => LENGTH.classes(),
        }
    }
}

/// How many kinds of decisions there are.
pub const KINDS: usize = Decision::ALL.len();
/// The pedal stays, moves once, moves more than once.
pub(super) const PEDAL: usize = 3;
/// Steps of loudness: of four MIDI velocities each.
pub(super) const VELOCITY: usize = 32;
/// Logarithms of ratios of tempos.
pub(super) const TIMING: Scale = Scale { fine: 0.05, most: 1.2, side: 16 };
/// Seconds.
pub(super) const SPREAD: Scale = Scale { fine: 0.01, most: 0.15, side: 12 };
/// Logarithms of ratios of lengths.
pub(super) const LENGTH: Scale = Scale { fine: 0.1, most: 3.0, side: 12 };

/// Numbers around 0 in classes that are narrow near it: equal steps of `asinh(x / fine)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Up to about this number classes are equally narrow.
    fine: f64,
    /// The middle of the last class; what is beyond belongs to it.
    most: f64,
    /// Classes on each side of that around 0.
    side: usize,
}

impl Scale {
    pub(super) const fn classes(self) -> usize {
        2 * self.side + 1
    }

    /// Classes in one step of `asinh`.
    fn steps(self) -> f64 {
        self.side as f64 / (self.most / self.fine).asinh()
    }

    pub(super) fn class(self, x: f64) -> u8 {
        let step = ((x / self.fine).asinh() * self.steps()).round();
        // What is no number says nothing.
        (if step.is_finite() { step.clamp(-(self.side as f64), self.side as f64) } else { 0.0 } + self.side as f64)
            as u8
    }

    /// The middle of a class.
    pub(super) fn middle(self, class: u8) -> f64 {
        self.within(class, 0.0)
    }

    /// Anywhere in a class.
    pub(super) fn anywhere(self, class: u8, rng: &mut Rng) -> f64 {
        self.within(class, uniform_f64(rng) - 0.5)
    }

    fn within(self, class: u8, share: f64) -> f64 {
        let step = f64::from(class) - self.side as f64 + share;
        ((step / self.steps()).sinh() * self.fine).clamp(-self.most, self.most)
    }
}

/// The class of a MIDI velocity.
pub(super) fn velocity_class(velocity: u8) -> u8 {
    velocity.min(127) / 4
}

/// The middle of a class of velocities.
pub(super) fn velocity_middle(class: u8) -> f64 {
    f64::from(class) * 4.0 + 1.5
}

/// Any velocity of a class.
pub(super) fn any_velocity(class: u8, rng: &mut Rng) -> f64 {
    f64::from(class) * 4.0 - 0.5 + 4.0 * uniform_f64(rng)
}

/// The classes that were chosen at a note; `None` where there was nothing to decide, or nobody knows what was.
pub type Choices = [Option<u8>; KINDS];

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    #[test]
    fn classes_hold_what_they_are_of_and_the_ends_take_the_rest() {
        let rng = &mut seeded(1);
        for scale in [TIMING, SPREAD, LENGTH] {
            let last = (scale.classes() - 1) as u8;
            assert_eq!(scale.classes(), usize::from(last) + 1);
            for class in 0..=last {
                assert_eq!(scale.class(scale.middle(class)), class);
                for _ in 0..20 {
                    let found = scale.anywhere(class, rng);
                    assert_eq!(scale.class(found), class, "{found}");
                }
            }
            assert_eq!((scale.class(-1e9), scale.class(1e9), scale.class(f64::NAN)), (0, last, last / 2));
            assert_eq!(scale.middle(last / 2), 0.0);
        }
        for velocity in 1..=127u8 {
            let class = velocity_class(velocity);
            assert!(usize::from(class) < VELOCITY && (velocity_middle(class) - f64::from(velocity)).abs() < 2.0);
            assert_eq!(velocity_class(any_velocity(class, rng).round().clamp(0.0, 127.0) as u8), class);
        }
    }
}
