//! Times that can be written down.
//!
//! Source: the choice of a subdivision for each beat by its distance from the onsets and its simplicity is the usual first step of
//! transcription; see E. Cambouropoulos, "From MIDI to traditional musical notation", AAAI Workshop on AI and Music 2000.

use super::{QUARTER, RESOLUTION};
use cantus_score::{Meter, Note, Score, Ticks, TicksPerQuarter};

/// Parts of a quarter note that note values and tuplets of 3, 5 and 7 can name.
const WRITABLE: [u64; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48];
/// What a beat of a recording is divided into, with what each costs: a finer one must fit better to be chosen.
const DIVISIONS: [(u64, f64); 6] = [(1, 0.0), (2, 0.2), (4, 0.6), (3, 0.8), (8, 1.6), (6, 1.8)];
/// How far from its place, in quarters, a note usually lies that was played by a machine with a human touch.
const SPREAD: f64 = 0.025;

/// The time in [`RESOLUTION`] that is nearest to `at` among multiples of a quarter over `steps`.
pub fn nearest(at: Ticks, from: TicksPerQuarter, steps: u32) -> u64 {
    match TicksPerQuarter::new(steps) {
        Some(to) => at.rescale(from, to).0.saturating_mul(QUARTER / u64::from(steps)),
        None => 0,
    }
}

/// Whether a time can be written exactly.
fn is_writable(at: Ticks, per_quarter: TicksPerQuarter) -> bool {
    let ticks = u64::from(per_quarter.get());
    WRITABLE.contains(&(ticks / super::gcd(ticks, at.0 % ticks)))
}

/// A time in [`RESOLUTION`]: exact where it [`is_writable`], else rounded.
fn fine(at: Ticks, per_quarter: TicksPerQuarter) -> u64 {
    at.rescale(per_quarter, const { TicksPerQuarter::new(RESOLUTION).unwrap() }).0
}

/// The changes of metre, moved where bars would have lengths that no note value has.
pub fn snap_meters(score: &Score) -> Vec<(Ticks, Meter)> {
    let per_quarter = score.ticks_per_quarter;
    let ticks = u64::from(per_quarter.get());
    let mut meters: Vec<(Ticks, Meter)> = Vec::new();
    for &(at, meter) in &score.meters {
        let denominator = ticks / super::gcd(ticks, at.0 % ticks);
        let is_dyadic = denominator.is_power_of_two() && denominator <= 32;
        let at = if is_dyadic { fine(at, per_quarter) } else { nearest(at, per_quarter, 8) };
        meters.push((Ticks(at), meter));
    }
    crate::midi::last_wins(&mut meters);
    meters
}

/// The notes of each part at times that can be written, none of them without length.
pub fn snap_notes(score: &Score) -> Vec<Vec<Note>> {
    let per_quarter = score.ticks_per_quarter;
    let is_exact = score.notes().all(|note| {
        note.duration > Ticks::ZERO && is_writable(note.onset, per_quarter) && is_writable(note.end(), per_quarter)
    });
    let beats = if is_exact { Beats::default() } else { Beats::of(score) };
    let snap = |note: &Note| {
        let (onset, end) = match is_exact {
            true => (fine(note.onset, per_quarter), fine(note.end(), per_quarter)),
            false => {
                let onset = beats.snap(fine(note.onset, per_quarter));
                let end = beats.snap(fine(note.end(), per_quarter));
                (onset, end.max(onset + beats.step(onset)))
            }
        };
        Note { onset: Ticks(onset), duration: Ticks(end - onset), ..*note }
    };
    let snapped = |part: &cantus_score::Part| {
        let mut notes: Vec<Note> = part.notes.iter().map(snap).collect();
        notes.sort_unstable();
        notes
    };
    score.parts.iter().map(snapped).collect()
}

/// What each quarter of the piece is divided into.
#[derive(Default)]
struct Beats {
    /// In order: the beat's number and the length of its steps. Beats without an onset are not named.
    steps: Vec<(u64, u64)>,
}

impl Beats {
    fn of(score: &Score) -> Beats {
        let mut onsets: Vec<u64> = score.notes().map(|note| fine(note.onset, score.ticks_per_quarter)).collect();
        onsets.sort_unstable();
        onsets.dedup();
        let mut steps = Vec::new();
        for beat in onsets.chunk_by(|a, b| a / QUARTER == b / QUARTER) {
            steps.push((beat[0] / QUARTER, best_step(beat)));
        }
        Beats { steps }
    }

    fn step(&self, at: u64) -> u64 {
        match self.steps.binary_search_by_key(&(at / QUARTER), |(beat, _)| *beat) {
            Ok(found) => self.steps[found].1,
            // Where nothing begins, ends are written in sixteenths.
            Err(_) => QUARTER / 4,
        }
    }

    fn snap(&self, at: u64) -> u64 {
        let step = self.step(at);
        (at + step / 2) / step * step
    }
}

/// The length of a step for the onsets of one beat.
fn best_step(onsets: &[u64]) -> u64 {
    let mut best = (f64::INFINITY, QUARTER);
    for (division, cost) in DIVISIONS {
        let step = QUARTER / division;
        let squares = onsets.iter().map(|onset| {
            let miss = onset.abs_diff((onset + step / 2) / step * step) as f64 / QUARTER as f64;
            (miss / SPREAD).powi(2)
        });
        // What two onsets lose that fall on one step is a note's rhythm: dearer than a fine division.
        let mut places: Vec<u64> = onsets.iter().map(|onset| (onset + step / 2) / step).collect();
        places.dedup();
        let far = onsets.windows(2).filter(|pair| pair[1] - pair[0] > QUARTER / 12).count();
        let merged = far.saturating_sub(places.len() - 1);
        let total = squares.sum::<f64>() / onsets.len() as f64 + cost + 4.0 * merged as f64;
        if total < best.0 {
            best = (total, step);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simplest_division_that_fits_is_chosen() {
        let division = |onsets: &[f64]| {
            let onsets: Vec<u64> = onsets.iter().map(|onset| (onset * QUARTER as f64) as u64).collect();
            QUARTER / best_step(&onsets)
        };
        assert_eq!(division(&[0.01]), 1);
        assert_eq!(division(&[0.0, 0.51]), 2);
        assert_eq!(division(&[0.01, 0.32, 0.67]), 3);
        assert_eq!(division(&[0.0, 0.26, 0.5, 0.74]), 4);
        assert_eq!(division(&[0.02, 0.16, 0.34, 0.5, 0.66, 0.84]), 6);
        assert_eq!(division(&[0.0, 0.125, 0.25, 0.375]), 8);
    }

    #[test]
    fn what_tuplets_can_name_is_fine() {
        let quarter = TicksPerQuarter::new(1680).unwrap();
        for (at, writable) in [(0, true), (1680 + 560, true), (336, true), (240, true), (35, true), (112, false)] {
            assert_eq!(is_writable(Ticks(at), quarter), writable, "{at}");
        }
        assert_eq!(nearest(Ticks(490), TicksPerQuarter::DEFAULT, 8), QUARTER);
    }
}
