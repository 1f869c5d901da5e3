//! Recurrence: which bars come again, and from where.

use cantus_score::{Bar, Score};
use serde::Serialize;
use std::collections::HashSet;

/// Bars that have less than this in common are different ones.
const ALIKE: f64 = 0.5;
/// A stretch breaks off where another bar is more alike than the one that would go on by so much.
const CLEARLY: f64 = 0.25;
/// Onsets are compared on a grid of so many steps a quarter.
const STEPS: u64 = 12;
/// The most bars that are looked at: the work grows with their square.
const MOST_BARS: usize = 2048;

/// A stretch of bars that is an earlier one again, or nearly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recurrence {
    /// The number of its first bar: from 1, or from 0 where the piece begins with an upbeat.
    pub bar: usize,
    /// The number of the first bar that it repeats.
    pub of: usize,
    /// How many bars it has.
    pub bars: usize,
    /// What it has in common with that: the mean Jaccard index of the bars' (onset, pitch) pairs, 0.5 to 1.
    pub likeness: f64,
}

/// What comes again in a piece, in order, drums left out: for each bar the earlier one that it is most like, where the two have half
/// of their notes in common at least. A stretch goes on as long as the bars after it do, unless another is clearly more alike; of equals
/// the first is named.
pub fn recurrences(score: &Score) -> Vec<Recurrence> {
    let bars: Vec<Bar> = score.bars().take(MOST_BARS).collect();
    let contents: Vec<HashSet<(u64, u8)>> = contents(score, &bars);
    let likeness = |a: usize, b: usize| {
        let (a, b) = (&contents[a], &contents[b]);
        let common = a.intersection(b).count();
        let all = a.len() + b.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    };
    let mut found: Vec<Recurrence> = Vec::new();
    let mut sums: Vec<f64> = Vec::new();
    for bar in 1..bars.len() {
        let best = (0..bar).map(|earlier| (likeness(earlier, bar), earlier));
        let best = best.fold((0.0, 0), |best, next| if next.0 > best.0 { next } else { best });
        if best.0 < ALIKE {
            continue;
        }
        if let (Some(last), Some(sum)) = (found.last_mut(), sums.last_mut())
            && last.bar - 1 + last.bars == bar
        {
            // The bar that would go on.
            let here = likeness(last.of - 1 + last.bars, bar);
            if here >= ALIKE && here + CLEARLY >= best.0 {
                last.bars += 1;
                *sum += here;
                continue;
            }
        }
        found.push(Recurrence { bar: bar + 1, of: best.1 + 1, bars: 1, likeness: 0.0 });
        sums.push(best.0);
    }
    let upbeats = 1 - score.first_bar();
    for (recurrence, sum) in found.iter_mut().zip(sums) {
        recurrence.bar -= upbeats;
        recurrence.of -= upbeats;
        recurrence.likeness = sum / recurrence.bars as f64;
    }
    found
}

/// Of each bar when (from its beginning) and what is struck.
fn contents(score: &Score, bars: &[Bar]) -> Vec<HashSet<(u64, u8)>> {
    let quarter = u64::from(score.ticks_per_quarter.get());
    let mut contents = vec![HashSet::new(); bars.len()];
    for note in score.pitched_notes() {
        let at = bars.partition_point(|bar| bar.end() <= note.onset);
        if let Some(bar) = bars.get(at) {
            let step = ((note.onset - bar.start).0 * STEPS + quarter / 2) / quarter;
            contents[at].insert((step, note.pitch.get()));
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    /// Bars by letters, each of its own four notes; a small one differs in one note; a dot is silent.
    fn piece(letters: &str) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(480).unwrap());
        let mut part = Part::default();
        for (bar, letter) in letters.chars().enumerate().filter(|(_, letter)| *letter != '.') {
            let which = letter.to_ascii_uppercase() as u8 - b'A';
            for beat in 0..4u8 {
                let other = u8::from(letter.is_ascii_lowercase() && beat == 3);
                part.notes.push(Note {
                    onset: Ticks(bar as u64 * 1920 + u64::from(beat) * 480),
                    pitch: Pitch::try_from(40 + which * 5 + beat + 40 * other).unwrap(),
                    duration: Ticks(480),
                    velocity: Velocity::DEFAULT,
                });
            }
        }
        score.parts.push(part);
        score
    }

    fn found(letters: &str) -> Vec<(usize, usize, usize)> {
        recurrences(&piece(letters)).iter().map(|found| (found.bar, found.of, found.bars)).collect()
    }

    #[test]
    fn stretches_are_found_with_their_source() {
        assert_eq!(found("ABCDABCD"), [(5, 1, 4)]);
        assert_eq!(found("ABCDEFABGHAB"), [(7, 1, 2), (11, 1, 2)]);
        assert_eq!(found("AAAA"), [(2, 1, 3)]);
        assert_eq!(found("ABCDEF"), []);
        assert_eq!(found("A.B.C."), [], "silence comes again without being a repeat");
        assert_eq!(found(""), []);
    }

    #[test]
    fn what_is_varied_comes_again_less_alike() {
        let all = recurrences(&piece("ABCAbcAB"));
        assert_eq!(all.len(), 2);
        // The seventh is the fourth again; the eighth is the second, rather than the fifth.
        assert_eq!((all[0].bar, all[0].of, all[0].bars), (4, 1, 4));
        // One note of four differs: 3 of 5 are common.
        assert!((all[0].likeness - (1.0 + 0.6 + 0.6 + 1.0) / 4.0).abs() < 1e-9, "{all:?}");
        assert_eq!((all[1].bar, all[1].of, all[1].bars, all[1].likeness), (8, 2, 1, 1.0));
    }

    #[test]
    fn the_last_onset_of_a_bar_that_is_late_by_a_tick_stays_where_it_is_heard() {
        let mut score = piece("ABAB");
        score.parts[0].notes.iter_mut().skip(8).for_each(|note| note.onset += Ticks(3));
        assert_eq!(recurrences(&score).first().map(|found| (found.bar, found.of)), Some((3, 1)));
    }
}
