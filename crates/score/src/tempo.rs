//! Tempo: from ticks to seconds, at the edge where sound is made.

use crate::{Ticks, TicksPerQuarter};

/// Microseconds per quarter note, as MIDI counts it; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tempo(u32);

impl Tempo {
    /// 120 quarters per minute: what holds where a file says nothing.
    pub const DEFAULT: Tempo = Tempo(500_000);

    /// `None` for zero.
    pub const fn from_micros_per_quarter(micros: u32) -> Option<Tempo> {
        if micros == 0 { None } else { Some(Tempo(micros)) }
    }

    /// The nearest tempo to so many quarters per minute; `None` unless the number is positive and fits.
    pub fn from_quarters_per_minute(quarters: f64) -> Option<Tempo> {
        let micros = (60e6 / quarters).round();
        if (1.0..16_777_216.0).contains(&micros) { Some(Tempo(micros as u32)) } else { None }
    }

    /// Microseconds per quarter note.
    pub const fn micros_per_quarter(self) -> u32 {
        self.0
    }

    /// Quarters per minute.
    pub fn quarters_per_minute(self) -> f64 {
        60e6 / f64::from(self.0)
    }

    /// Beats of so many quarters per minute, as a musician writes it: the shortest decimal that gives this tempo again.
    pub fn beats_per_minute(self, quarters: f64) -> f64 {
        let exact = self.quarters_per_minute() / quarters;
        let rounded = |digits| (exact * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let again = |beats: &f64| Tempo::from_quarters_per_minute(beats * quarters) == Some(self);
        (0..9).map(rounded).find(again).unwrap_or(exact)
    }
}

/// Tempo changes turned into a table, so that a tick's second is found by binary search.
#[derive(Clone, Debug)]
pub struct TempoMap {
    per_quarter: f64,
    /// (tick, seconds at that tick, seconds per quarter from there on), the first at tick 0.
    segments: Vec<(Ticks, f64, f64)>,
}

impl TempoMap {
    /// `changes` in order of time; before the first, [`Tempo::DEFAULT`] holds.
    pub fn new(changes: &[(Ticks, Tempo)], per_quarter: TicksPerQuarter) -> TempoMap {
        let ticks = f64::from(per_quarter.get());
        let mut segments = vec![(Ticks::ZERO, 0.0, 0.5)];
        for &(at, tempo) in changes {
            let (from, seconds, rate) = segments[segments.len() - 1];
            let now = seconds + (at - from).0 as f64 / ticks * rate;
            let segment = (at, now, f64::from(tempo.micros_per_quarter()) / 1e6);
            if at == from {
                segments.pop();
            }
            segments.push(segment);
        }
        TempoMap { per_quarter: ticks, segments }
    }

    /// The second at which `at` sounds.
    pub fn seconds(&self, at: Ticks) -> f64 {
        let after = self.segments.partition_point(|(from, _, _)| *from <= at);
        let (from, seconds, rate) = self.segments[after.max(1) - 1];
        seconds + (at - from).0 as f64 / self.per_quarter * rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_follow_the_changes() {
        let tempo = |micros| Tempo::from_micros_per_quarter(micros).expect("not zero");
        let map =
            TempoMap::new(&[(Ticks(960), tempo(1_000_000)), (Ticks(1440), tempo(250_000))], TicksPerQuarter::DEFAULT);
        assert_eq!(map.seconds(Ticks(480)), 0.5);
        assert_eq!(map.seconds(Ticks(960)), 1.0);
        assert_eq!(map.seconds(Ticks(1440)), 2.0);
        assert_eq!(map.seconds(Ticks(1920)), 2.25);
    }

    #[test]
    fn tempos_are_said_in_few_digits() {
        let tempo = |quarters| Tempo::from_quarters_per_minute(quarters).expect("positive");
        assert_eq!(tempo(116.0 * 1.5).beats_per_minute(1.5), 116.0);
        assert_eq!(tempo(72.5).beats_per_minute(1.0), 72.5);
        for micros in [1, 344_827, 344_828, 500_001, 16_777_215] {
            let tempo = Tempo::from_micros_per_quarter(micros).expect("not zero");
            let said = tempo.beats_per_minute(1.0);
            assert_eq!(Tempo::from_quarters_per_minute(said).unwrap_or(tempo), tempo, "{said}");
        }
    }

    #[test]
    fn a_tempo_at_the_start_replaces_the_default() {
        let slow = Tempo::from_quarters_per_minute(60.0).expect("positive");
        let map = TempoMap::new(&[(Ticks::ZERO, slow)], TicksPerQuarter::DEFAULT);
        assert_eq!(map.seconds(Ticks(480)), 1.0);
        assert!(Tempo::from_quarters_per_minute(0.0).is_none());
        assert!(Tempo::from_quarters_per_minute(f64::NAN).is_none());
    }
}
