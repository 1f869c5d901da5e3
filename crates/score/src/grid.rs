//! Quantisation: a score on a grid of equal steps.

use crate::{Note, Score, Ticks, TicksPerQuarter};

/// What quantisation did to a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridReport {
    /// Notes looked at.
    pub notes: usize,
    /// Notes whose onset lay further from its step than the tolerance.
    pub off_grid: usize,
    /// Notes that became longer because they would have vanished.
    pub lengthened: usize,
}

impl GridReport {
    /// Share of onsets that miss the grid, 0-1.
    pub fn off_grid_share(&self) -> f64 {
        if self.notes == 0 { 0.0 } else { self.off_grid as f64 / self.notes as f64 }
    }
}

/// `score` with `steps` ticks to the quarter: onsets and ends move to the nearest step, a note keeps at least one step, and no
/// note is lost. An onset counts as off the grid when it lies more than `tolerance` of a step from its step (0.5 = never).
pub fn quantize(score: &Score, steps: TicksPerQuarter, tolerance: f64) -> (Score, GridReport) {
    let from = score.ticks_per_quarter;
    let mut report = GridReport { notes: score.note_count(), ..GridReport::default() };
    let step = f64::from(from.get()) / f64::from(steps.get());
    for note in score.notes() {
        let nearest = note.onset.rescale(from, steps).rescale(steps, from);
        let distance = nearest.0.abs_diff(note.onset.0) as f64;
        // Half a tick of slack: a triplet grid need not fall on whole ticks.
        report.off_grid += usize::from(distance > tolerance * step + 0.5);
    }
    let mut quantized = score.rescaled(steps);
    for part in &mut quantized.parts {
        for note in part.notes.iter_mut().filter(|note| note.duration == Ticks::ZERO) {
            *note = Note { duration: Ticks(1), ..*note };
            report.lengthened += 1;
        }
        part.notes.sort_unstable();
    }
    (quantized, report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Part, Pitch, Velocity};

    #[test]
    fn every_note_survives_and_misses_are_counted() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let note = |onset, duration| Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: vec![note(0, 480), note(485, 10), note(1000, 200)], ..Part::default() });
        let (quantized, report) = quantize(&score, TicksPerQuarter::new(4).unwrap(), 0.2);
        let spans: Vec<_> = quantized.notes().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(spans, [(0, 4), (4, 1), (8, 2)]);
        assert_eq!(report, GridReport { notes: 3, off_grid: 1, lengthened: 1 });
    }
}
