//! `bar_bags`: some bars of a melody as a bag of counts: which pitches, which intervals, where notes begin, how long they last.
//!
//! Source: M. Bretan, G. Weinberg and L. Heck, "A Unit Selection Methodology for Music Generation Using Deep Neural Networks", 2016,
//! arXiv:1612.03789, section 3.1: units of a melody as features of counts.
//! Departures: counts are told apart by quarters of the unit where harmony is meant, and the first and last pitch are counted by themselves, since
//! they are what joins. A bag has length 1, so that the product of two of them is their likeness.
//!
//! Nothing comes back out of a bag: it is for what is alike, and the music is kept beside it.

use crate::melody_steps::{HOLD, SILENCE};
use cantus_score::TicksPerQuarter;

/// Counted pitches: five octaves from C2 on; others are moved into them.
const PITCHES: usize = 60;
/// Places of a bar at which notes begin.
const PLACES: usize = 24;
/// Intervals, from an octave down to an octave up.
const INTERVALS: usize = 25;
/// Classes of length, each up to half as long again or twice as long as the one before.
const LENGTHS: usize = 10;
/// Stretches of a unit whose pitch classes are counted by themselves.
const STRETCHES: usize = 4;
/// Where each kind of count begins, how many there are, and how much it weighs.
const KINDS: [(usize, f32); 8] = [
    (PITCHES, 1.0),
    (PLACES, 1.0),
    (INTERVALS, 0.7),
    (LENGTHS, 0.7),
    (12 * STRETCHES, 1.0),
    (144, 0.8),
    (PITCHES, 0.5),
    (PITCHES, 0.5),
];
/// Counts of a bag.
pub const WIDTH: usize = PITCHES + PLACES + INTERVALS + LENGTHS + 12 * STRETCHES + 144 + 2 * PITCHES;

/// A bag: what is counted, by ascending numbers under [`WIDTH`], and how much of it there is; of length 1, or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag(Vec<(u16, f32)>);

/// A note of a unit.
struct Heard {
    at: usize,
    key: i32,
    steps: usize,
}

impl Bag {
    /// Of the steps of so many bars (see [`crate::melody_steps`]). What sounds into them from before is not counted.
    pub fn of(steps: &[u8], bars: usize, grid: TicksPerQuarter) -> Bag {
        let notes = heard(steps);
        let mut counts = vec![0.0f32; WIDTH];
        let starts = starts();
        let mut add = |kind: usize, number: usize, much: f32| counts[starts[kind] + number] += much;
        let bar = (steps.len() / bars.max(1)).max(1);
        for note in &notes {
            add(0, pitch(note.key), 1.0);
            add(1, (note.at % bar) * PLACES / bar, 1.0);
            add(3, length(note.steps, grid), 1.0);
            for step in note.at..note.at + note.steps {
                let stretch = step * STRETCHES / steps.len();
                add(4, 12 * stretch + class(note.key), 1.0 / bar as f32);
            }
        }
        for pair in notes.windows(2) {
            add(2, ((pair[1].key - pair[0].key).clamp(-12, 12) + 12) as usize, 1.0);
            add(5, 12 * class(pair[0].key) + class(pair[1].key), 1.0);
        }
        if let (Some(first), Some(last)) = (notes.first(), notes.last()) {
            add(6, pitch(first.key), 1.0);
            add(7, pitch(last.key), 1.0);
        }
        Bag(weighed(&counts))
    }

    /// The cosine of the angle between two bags: 1 for the same counts, 0 where nothing is shared.
    pub fn likeness(&self, other: &Bag) -> f32 {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut sum = 0.0;
        while let (Some((a, x)), Some((b, y))) = (ours.peek(), theirs.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => _ = ours.next(),
                std::cmp::Ordering::Greater => _ = theirs.next(),
                std::cmp::Ordering::Equal => {
                    sum += x * y;
                    ours.next();
                    theirs.next();
                }
            }
        }
        sum
    }

    /// Adds it to a row of [`WIDTH`] numbers.
    pub fn add_to(&self, row: &mut [f32]) {
        self.0.iter().for_each(|(number, much)| row[usize::from(*number)] += much);
    }

    /// Its product with such a row: its likeness to the bag that alone was added to it.
    pub fn product(&self, row: &[f32]) -> f32 {
        self.0.iter().map(|(number, much)| much * row[usize::from(*number)]).sum()
    }
}

fn starts() -> [usize; KINDS.len()] {
    let mut start = 0;
    KINDS.map(|(count, _)| {
        let here = start;
        start += count;
        here
    })
}

/// Roots of counts, so that what comes often does not drown the rest; each kind of its weight, all together of length 1.
fn weighed(counts: &[f32]) -> Vec<(u16, f32)> {
    let mut bag: Vec<(u16, f32)> = Vec::new();
    for ((count, weight), start) in KINDS.into_iter().zip(starts()) {
        let sum: f32 = counts[start..start + count].iter().sum();
        for (number, much) in counts[start..start + count].iter().enumerate().filter(|(_, much)| **much > 0.0) {
            bag.push(((start + number) as u16, weight * (much / sum).sqrt()));
        }
    }
    let length = bag.iter().map(|(_, much)| much * much).sum::<f32>().sqrt();
    bag.iter_mut().for_each(|(_, much)| *much /= length);
    bag
}

/// The notes that begin in these steps.
fn heard(steps: &[u8]) -> Vec<Heard> {
    let mut notes: Vec<Heard> = Vec::new();
    let mut sounds = false;
    for (at, outcome) in steps.iter().enumerate() {
        match *outcome {
            HOLD => notes.last_mut().filter(|_| sounds).into_iter().for_each(|note| note.steps += 1),
            SILENCE => sounds = false,
            key => {
                notes.push(Heard { at, key: i32::from(key), steps: 1 });
                sounds = true;
            }
        }
    }
    notes
}

/// Outcome 2 is A0, nine semitones over C0: C2 is the first pitch that is counted.
fn pitch(outcome: i32) -> usize {
    let mut key = outcome - 2 - 15;
    while key < 0 {
        key += 12;
    }
    while key >= PITCHES as i32 {
        key -= 12;
    }
    key as usize
}

fn class(outcome: i32) -> usize {
    (outcome - 2 + 9).rem_euclid(12) as usize
}

/// Twice the logarithm of the length in 24ths of a quarter, from an eighth of a quarter on.
fn length(steps: usize, grid: TicksPerQuarter) -> usize {
    let quarters = steps as f64 / f64::from(grid.get());
    let class = (2.0 * (quarters * 8.0).log2()).round() as i64;
    class.clamp(0, LENGTHS as i64 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::melody_steps::struck;
    use cantus_score::Pitch;

    const FOUR: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    /// Quarters of these pitches, 0 for silence, in bars of four.
    fn quarters(pitches: &[u8]) -> Bag {
        let steps: Vec<u8> = pitches
            .iter()
            .flat_map(|key| {
                let first = if *key == 0 { SILENCE } else { struck(Pitch::try_from(*key).unwrap()) };
                [first, HOLD, HOLD, HOLD]
            })
            .collect();
        Bag::of(&steps, pitches.len() / 4, FOUR)
    }

    #[test]
    fn what_is_alike_has_a_large_product() {
        let scale = quarters(&[60, 62, 64, 65, 67, 65, 64, 62]);
        assert!((scale.likeness(&scale) - 1.0).abs() < 1e-5);
        let near = quarters(&[60, 62, 64, 65, 67, 65, 64, 60]);
        let far = quarters(&[73, 0, 0, 0, 66, 0, 0, 0]);
        assert!(scale.likeness(&near) > 0.8 && scale.likeness(&near) < 0.999, "{}", scale.likeness(&near));
        assert!(scale.likeness(&far) < 0.2, "{}", scale.likeness(&far));
        assert_eq!(scale.likeness(&near), near.likeness(&scale));
        let mut row = vec![0.0; WIDTH];
        near.add_to(&mut row);
        assert!((scale.product(&row) - scale.likeness(&near)).abs() < 1e-6);
    }

    #[test]
    fn counts_stand_where_they_belong() {
        assert_eq!((pitch(i32::from(struck(Pitch::C4))), class(i32::from(struck(Pitch::C4)))), (24, 0));
        assert_eq!([1, 2, 4, 6, 8, 16].map(|steps| length(steps, FOUR)), [2, 4, 6, 7, 8, 9]);
        assert_eq!(starts()[7] + PITCHES, WIDTH);
        // Silence is an empty bag, like nothing, itself included; any steps are a bag.
        let silent = quarters(&[0, 0, 0, 0]);
        assert_eq!((silent.likeness(&silent), silent), (0.0, Bag::default()));
        assert_ne!(Bag::of(&[2, 0, 89], 1, FOUR), Bag::default());
    }
}
