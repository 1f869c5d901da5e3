//! How the notes of a folder divide the beat, and which grid holds them.

use crate::Options;
use cantus_score::{Score, TicksPerQuarter};
use std::ops::AddAssign;

/// Grids that are tried, in steps to a quarter note.
const GRIDS: [u32; 4] = [Options::GRID.get(), 8, 12, 24];
/// Grids that hold triplets.
const TRIPLE: [u32; 2] = [12, 24];
/// The least share of notes that lie on triplets in a folder of triplets.
const TRIPLETS: f64 = 0.05;
/// Of the notes that the usual grid misses, a grid that is any better misses at most this share.
const LEFT: f64 = 0.25;

/// Grids for music that is read part by part: nothing is lost on them that a player could hear.
const FINE: [u32; 4] = [Options::GRID.get(), 12, 24, 48];
/// The share of notes that may miss such a grid.
const FEW: f64 = 0.02;
/// The grid where more of them miss all of these: at 120 quarters a minute a step of 21 milliseconds.
const FINEST: TicksPerQuarter = TicksPerQuarter::new(24).unwrap();

/// Where within a quarter note the notes of a folder begin, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beats {
    notes: u64,
    /// In the middle of a quarter, and at its thirds.
    halves: u64,
    thirds: u64,
    /// In the middle of an eighth, and at its thirds.
    fourths: u64,
    sixths: u64,
    /// Misses of each of [`GRIDS`].
    missed: [u64; GRIDS.len()],
    /// Notes and strokes, and how many of them lie more than a tick beside each of [`FINE`].
    all: u64,
    beside: [u64; FINE.len()],
}

impl Beats {
    /// Adds the notes of a score. `tolerance` is a share of a step.
    pub(crate) fn add(&mut self, score: &Score, tolerance: f64) {
        let quarter = u64::from(score.ticks_per_quarter.get());
        for note in score.notes() {
            self.all += 1;
            for (beside, steps) in self.beside.iter_mut().zip(FINE) {
                // In parts of a tick, of which a step has `quarter`.
                let place = note.onset.0 % quarter * u64::from(steps) % quarter;
                *beside += u64::from(place.min(quarter - place) > u64::from(steps));
            }
        }
        for note in score.pitched_notes() {
            let phase = (note.onset.0 % quarter) as f64 / quarter as f64;
            // At least half a tick: a grid line need not fall on a whole one.
            let near = |steps: f64| {
                let place = phase * steps;
                (place - place.round()).abs() <= tolerance.max(0.5 * steps / quarter as f64)
            };
            self.notes += 1;
            for (missed, steps) in self.missed.iter_mut().zip(GRIDS) {
                *missed += u64::from(!near(f64::from(steps)));
            }
            if near(12.0) {
                match (phase * 12.0).round() as u8 {
                    6 => self.halves += 1,
                    4 | 8 => self.thirds += 1,
                    3 | 9 => self.fourths += 1,
                    2 | 10 => self.sixths += 1,
                    _ => {}
                }
            }
        }
    }

    /// The grid for a folder where nobody asked for one: the usual one, or one that holds triplets where more beats are divided into
    /// three than into two: swung eighths, swung sixteenths, compound music written in triplets.
    pub(crate) fn grid(&self) -> TicksPerQuarter {
        let (few, missed) = (TRIPLETS * self.notes as f64, self.missed[0] as f64);
        let eighths = self.thirds > self.halves && self.thirds as f64 > few;
        let sixteenths = self.sixths > self.fourths && self.sixths as f64 > few;
        let better = if (eighths || sixteenths) && missed > few { self.better_of(&TRIPLE) } else { None };
        better.and_then(TicksPerQuarter::new).unwrap_or(Options::GRID)
    }

    /// The grid for a folder that is read part by part: the coarsest that nearly all notes lie on.
    pub(crate) fn fine_grid(&self) -> TicksPerQuarter {
        let holds = |beside: u64| beside as f64 <= FEW * self.all as f64;
        let found = FINE.into_iter().zip(self.beside).find(|(_, beside)| holds(*beside));
        found.and_then(|(steps, _)| TicksPerQuarter::new(steps)).unwrap_or(FINEST)
    }

    /// The coarsest grid that holds what `steps` do not; `None` where no grid is any better, as for music that was played.
    pub(crate) fn better_than(&self, steps: TicksPerQuarter) -> Option<u32> {
        let finer: Vec<u32> = GRIDS.into_iter().filter(|grid| *grid > steps.get()).collect();
        self.better_of(&finer)
    }

    fn better_of(&self, grids: &[u32]) -> Option<u32> {
        let missed = |grid: &u32| GRIDS.iter().position(|known| known == grid).map_or(u64::MAX, |k| self.missed[k]);
        grids.iter().copied().find(|grid| missed(grid) as f64 <= LEFT * self.missed[0] as f64)
    }
}

impl AddAssign for Beats {
    fn add_assign(&mut self, other: Beats) {
        let add = |sums: &mut [u64], others: &[u64]| sums.iter_mut().zip(others).for_each(|(sum, more)| *sum += more);
        self.notes += other.notes;
        self.halves += other.halves;
        self.thirds += other.thirds;
        self.fourths += other.fourths;
        self.sixths += other.sixths;
        self.all += other.all;
        add(&mut self.missed, &other.missed);
        add(&mut self.beside, &other.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Part, Pitch, Ticks, Velocity};

    /// Notes, or strokes, at these places of every quarter, of 480 ticks.
    fn beats(places: &[u64], drums: bool) -> Beats {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let onsets = (0..64).flat_map(|quarter| places.iter().map(move |place| quarter * 480 + place));
        let note =
            |onset| Note { onset: Ticks(onset), pitch: Pitch::C4, duration: Ticks(60), velocity: Velocity::DEFAULT };
        score.parts.push(Part { notes: onsets.map(note).collect(), drums, ..Part::default() });
        let mut beats = Beats::default();
        beats.add(&score, 0.2);
        beats
    }

    fn grid(places: &[u64]) -> u32 {
        beats(places, false).grid().get()
    }

    #[test]
    fn triplets_have_their_grid_and_all_else_the_usual_one() {
        assert_eq!(grid(&[0, 240]), 4);
        assert_eq!(grid(&[0, 120, 240, 360]), 4);
        assert_eq!(grid(&[0, 60, 120]), 4, "a finer grid is no grid of triplets");
        assert_eq!(grid(&[0, 320]), 12, "swung eighths");
        assert_eq!(grid(&[0, 324]), 12, "swung eighths, nearly");
        assert_eq!(grid(&[0, 160, 240, 400]), 12, "swung sixteenths");
        assert_eq!(grid(&[0, 160, 320, 340]), 24, "triplets and what is finer");
        assert_eq!(grid(&[0, 240, 160, 320, 240, 240]), 4, "triplets among eighths");
    }

    fn fine_grid(places: &[u64]) -> u32 {
        beats(places, true).fine_grid().get()
    }

    #[test]
    fn part_by_part_the_grid_is_as_fine_as_the_music() {
        assert_eq!(fine_grid(&[0, 120, 240, 361]), 4, "a tick beside it");
        assert_eq!(fine_grid(&[0, 160, 240]), 12);
        assert_eq!(fine_grid(&[0, 60, 120]), 24, "32nds");
        assert_eq!(fine_grid(&[0, 60, 30]), 48, "64ths");
        assert_eq!(fine_grid(&[0, 7, 124, 235]), 24, "played to a click");
    }

    #[test]
    fn music_that_was_played_has_no_grid() {
        let played: Vec<u64> = (0..48).map(|k| k * 10).collect();
        assert_eq!(grid(&played), 4);
    }
}
