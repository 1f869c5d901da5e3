//! Exact musical time.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Add, AddAssign, Sub};

/// A point or a span of musical time, counted in ticks. How long a tick is, the score says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

impl Ticks {
    /// The beginning of a piece, or no time at all.
    pub const ZERO: Ticks = Ticks(0);

    /// `self - other`, or zero where `other` is later.
    pub fn saturating_sub(self, other: Ticks) -> Ticks {
        Ticks(self.0.saturating_sub(other.0))
    }

    /// The same time counted in `to` instead of `from` ticks per quarter, rounded to the nearest tick (halves go up).
    ///
    /// Saturates at the largest time instead of overflowing.
    pub fn rescale(self, from: TicksPerQuarter, to: TicksPerQuarter) -> Ticks {
        let (from, to) = (u128::from(from.get()), u128::from(to.get()));
        let scaled = (u128::from(self.0) * to * 2 + from) / (from * 2);
        Ticks(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// This time in quarter notes, for figures and pictures only.
    pub fn quarters(self, per_quarter: TicksPerQuarter) -> f64 {
        self.0 as f64 / f64::from(per_quarter.get())
    }
}

impl Add for Ticks {
    type Output = Ticks;
    fn add(self, other: Ticks) -> Ticks {
        Ticks(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Ticks {
    fn add_assign(&mut self, other: Ticks) {
        *self = *self + other;
    }
}

impl Sub for Ticks {
    type Output = Ticks;
    fn sub(self, other: Ticks) -> Ticks {
        self.saturating_sub(other)
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticks", self.0)
    }
}

/// How many ticks make a quarter note; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicksPerQuarter(NonZeroU32);

impl TicksPerQuarter {
    /// What most sequencers write.
    pub const DEFAULT: TicksPerQuarter = TicksPerQuarter(NonZeroU32::new(480).unwrap());

    /// `None` for zero.
    pub const fn new(ticks: u32) -> Option<TicksPerQuarter> {
        match NonZeroU32::new(ticks) {
            Some(ticks) => Some(TicksPerQuarter(ticks)),
            None => None,
        }
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The coarsest ticks in which all times of both can be said; `self`, where a MIDI file has no room for them.
    pub fn common(self, other: TicksPerQuarter) -> TicksPerQuarter {
        let (mut x, mut y) = (self.get(), other.get());
        while y != 0 {
            (x, y) = (y, x % y);
        }
        let both = (self.get() / x).checked_mul(other.get()).filter(|ticks| *ticks <= FINEST);
        both.and_then(TicksPerQuarter::new).unwrap_or(self)
    }
}

/// The most ticks a quarter that a MIDI file can say.
const FINEST: u32 = 0x7fff;

#[cfg(test)]
mod tests {
    use super::*;

    fn per_quarter(n: u32) -> TicksPerQuarter {
        TicksPerQuarter::new(n).expect("not zero")
    }

    #[test]
    fn rescaling_rounds_to_the_nearest_tick() {
        assert_eq!(Ticks(480).rescale(per_quarter(480), per_quarter(4)), Ticks(4));
        assert_eq!(Ticks(59).rescale(per_quarter(480), per_quarter(4)), Ticks(0));
        assert_eq!(Ticks(60).rescale(per_quarter(480), per_quarter(4)), Ticks(1));
        assert_eq!(Ticks(u64::MAX).rescale(per_quarter(1), per_quarter(4)), Ticks(u64::MAX));
    }

    #[test]
    fn ticks_in_common_are_the_least_multiple_that_a_file_can_say() {
        let common = |a, b| per_quarter(a).common(per_quarter(b)).get();
        assert_eq!((common(30, 4), common(4, 30), common(7, 7), common(480, 4)), (60, 60, 7, 480));
        assert_eq!((common(0x7fff, 2), common(u32::MAX, u32::MAX - 1)), (0x7fff, u32::MAX));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Ticks(3) - Ticks(5), Ticks::ZERO);
        assert_eq!(Ticks(u64::MAX) + Ticks(1), Ticks(u64::MAX));
    }
}
