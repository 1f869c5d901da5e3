//! An exam of memory: made-up pieces in which what comes next stands earlier, and what they cost who remembers and who does not.
//!
//! Sources: A. Graves, G. Wayne and I. Danihelka, Neural Turing Machines, arXiv:1410.5401, section 4 (copy and repeat copy);
//! FortsAndMills/MusicGeneration (copies at a lag that is fixed or read).
//!
//! A set is any of eight neighbouring keys, each with even odds: `8 ln 2` nats. Marks are keys of their own, so that a mark is never a
//! set. Lengths are drawn evenly, which is all that can be known of them; a length beyond those that are taught cannot be known, and costs
//! nothing here.

use cantus_nn::random::{Rng, below};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use std::f64::consts::LN_2;
use std::ops::RangeInclusive;

/// Keys of a set.
const KEYS: u32 = 8;
/// Keys of a set where half of each step is a copy of half of another.
const HALF: u32 = 4;
/// The lowest pitch of a set.
const LOWEST: u8 = 48;
/// The lowest pitch of a mark, above all sets.
const MARKS: u8 = 84;
/// The lag of [`Task::CopyLag`].
const LAG: usize = 64;
/// The lags of [`Task::CopyChosenLag`], by how many of the free keys sounded a step before.
const LAGS: [usize; HALF as usize + 1] = [4, 8, 16, 32, 64];
/// Most repetitions of [`Task::RepeatCopy`].
const MOST_REPEATS: usize = 4;
/// Rounds of [`Task::Abab`].
const ROUNDS: usize = 8;
/// Most semitones of [`Task::TransposedCopy`].
const MOST_SEMITONES: usize = 11;

/// A kind of piece. Its length n is what grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// n sets, a mark, the same n sets, a mark.
    Copy,
    /// Half of each step is free; the other half is what was free 64 steps before, for 64 + n steps.
    CopyLag,
    /// The same for n steps, the lag (4, 8, 16, 32, 64) said by how many free keys sounded one step before.
    CopyChosenLag,
    /// n sets, one of four marks, the n sets as often as it says, a mark.
    RepeatCopy,
    /// n sets, eight times.
    Abab,
    /// n sets, one of eleven marks, the n sets so many semitones higher, a mark.
    TransposedCopy,
}

/// A piece, and what it costs whoever knows how such pieces are made.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamPiece {
    /// The pitches of each step.
    pub steps: Vec<Vec<u8>>,
    /// Of these steps the first ones are drawn, and all others can be known.
    pub free: Option<usize>,
    /// Nats of the whole piece for one who remembers everything.
    pub perfect: f64,
    /// Nats for one who remembers nothing but what is to be done.
    pub blind: f64,
}

impl ExamPiece {
    /// The piece as a score, a step being a quarter note.
    pub fn score(&self) -> Score {
        let mut part = Part::default();
        for (step, pitches) in self.steps.iter().enumerate() {
            let note = |pitch: &u8| {
                let pitch = Pitch::try_from(*pitch).ok()?;
                Some(Note { onset: Ticks(step as u64), pitch, duration: Ticks(1), velocity: Velocity::DEFAULT })
            };
            part.notes.extend(pitches.iter().filter_map(note));
        }
        part.notes.sort_unstable();
        let mut score = Score::new(const { TicksPerQuarter::new(1).unwrap() });
        score.parts.push(part);
        score
    }
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 6] =
        [Task::Copy, Task::CopyLag, Task::CopyChosenLag, Task::RepeatCopy, Task::Abab, Task::TransposedCopy];

    /// As it is called on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Copy => "copy",
            Task::CopyLag => "copy-lag",
            Task::CopyChosenLag => "copy-chosen-lag",
            Task::RepeatCopy => "repeat-copy",
            Task::Abab => "abab",
            Task::TransposedCopy => "transposed-copy",
        }
    }

    /// Lengths that are learnt from.
    pub const fn taught(self) -> RangeInclusive<usize> {
        match self {
            Task::Copy | Task::TransposedCopy => 1..=20,
            Task::CopyLag => 16..=64,
            Task::CopyChosenLag => 96..=128,
            Task::RepeatCopy => 1..=6,
            Task::Abab => 2..=8,
        }
    }

    /// Lengths of the exam: the longest taught, and two beyond.
    pub const fn asked(self) -> [usize; 3] {
        match self {
            Task::Copy | Task::TransposedCopy => [20, 50, 120],
            Task::CopyLag => [64, 128, 256],
            Task::CopyChosenLag => [128, 256, 512],
            Task::RepeatCopy => [6, 12, 24],
            Task::Abab => [8, 16, 32],
        }
    }

    /// A piece whose length is drawn from a range.
    pub fn piece(self, lengths: RangeInclusive<usize>, rng: &mut Rng) -> ExamPiece {
        let choices = lengths.end() - lengths.start() + 1;
        let n = lengths.start() + below(rng, choices);
        self.draw(n, choices, rng)
    }

    /// A piece of one length, for one who has been taught.
    pub fn asked_for(self, n: usize, rng: &mut Rng) -> ExamPiece {
        let taught = self.taught();
        self.draw(n, if taught.contains(&n) { taught.count() } else { 1 }, rng)
    }

    /// A piece of length n, of so many that it might have had.
    fn draw(self, n: usize, lengths: usize, rng: &mut Rng) -> ExamPiece {
        let length = nats(lengths);
        let set = f64::from(KEYS) * LN_2;
        let whole = |sets: usize| sets as f64 * set;
        match self {
            Task::Copy => {
                let sets = sets(n, KEYS, rng);
                let steps = joined([&sets, &[mark(0)][..], &sets, &[mark(0)]]);
                ExamPiece { steps, free: Some(n + 1), perfect: whole(n) + length, blind: whole(2 * n) + 2.0 * length }
            }
            Task::TransposedCopy => {
                let (sets, up) = (sets(n, KEYS, rng), 1 + below(rng, MOST_SEMITONES));
                let moved: Vec<Vec<u8>> =
                    sets.iter().map(|set| set.iter().map(|key| key + up as u8).collect()).collect();
                let steps = joined([&sets, &[mark(up)][..], &moved, &[mark(0)]]);
                let told = nats(MOST_SEMITONES);
                ExamPiece {
                    steps,
                    free: Some(n + 1),
                    perfect: whole(n) + length + told,
                    blind: whole(2 * n) + 2.0 * length + told,
                }
            }
            Task::RepeatCopy => {
                let (sets, times) = (sets(n, KEYS, rng), 1 + below(rng, MOST_REPEATS));
                let steps = joined([&sets, &[mark(times)][..], &again(&sets, times), &[mark(0)]]);
                let told = nats(MOST_REPEATS);
                ExamPiece {
                    steps,
                    free: Some(n + 1),
                    perfect: whole(n) + length + told,
                    blind: whole(n * (1 + times)) + 2.0 * length + told,
                }
            }
            Task::Abab => {
                let steps = again(&sets(n, KEYS, rng), ROUNDS);
                let perfect = whole(n) + length;
                ExamPiece { free: Some(n), perfect, blind: whole(steps.len()) + length, steps }
            }
            Task::CopyLag => lagged(LAG + n, length, rng, |_| LAG),
            Task::CopyChosenLag => lagged(n, length, rng, |before| LAGS[before.len()]),
        }
    }
}

/// Steps whose upper half is the lower half of an earlier one; `lag` says of which by the free keys one step before. A mark ends them.
fn lagged(count: usize, length: f64, rng: &mut Rng, lag: impl Fn(&[u8]) -> usize) -> ExamPiece {
    let free = sets(count, HALF, rng);
    let mut copied = 0;
    let mut steps: Vec<Vec<u8>> = Vec::with_capacity(count + 1);
    for at in 0..count {
        let from = at.checked_sub(1).and_then(|before| at.checked_sub(lag(&free[before])));
        let copy = from.map(|from| free[from].iter().map(|key| key + HALF as u8).collect::<Vec<u8>>());
        copied += usize::from(copy.is_some());
        steps.push([free[at].clone(), copy.unwrap_or_default()].concat());
    }
    steps.push(mark(0));
    let half = f64::from(HALF) * LN_2;
    let perfect = count as f64 * half + length;
    ExamPiece { steps, free: None, perfect, blind: perfect + copied as f64 * half }
}

/// What it costs to say one of so many.
fn nats(choices: usize) -> f64 {
    (choices as f64).ln()
}

fn mark(number: usize) -> Vec<u8> {
    vec![MARKS + number as u8]
}

fn sets(count: usize, keys: u32, rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut set = || {
        let bits = below(rng, 1 << keys);
        (0..keys as u8).filter(|key| bits >> key & 1 == 1).map(|key| LOWEST + key).collect()
    };
    (0..count).map(|_| set()).collect()
}

fn again(sets: &[Vec<u8>], times: usize) -> Vec<Vec<u8>> {
    sets.iter().cycle().take(sets.len() * times).cloned().collect()
}

fn joined<const N: usize>(parts: [&[Vec<u8>]; N]) -> Vec<Vec<u8>> {
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;
    use std::collections::BTreeMap;

    /// The entropy of short pieces by counting, beside what it is said to cost to remember everything.
    #[test]
    fn perfect_memory_costs_what_there_is_to_know() {
        let draws = 400_000;
        for task in [Task::Copy, Task::Abab] {
            let (rng, mut counts, mut perfect) = (&mut seeded(1), BTreeMap::<Vec<Vec<u8>>, u32>::new(), 0.0);
            for _ in 0..draws {
                let piece = task.piece(1..=1, rng);
                perfect += piece.perfect;
                *counts.entry(piece.steps).or_default() += 1;
            }
            let share = |count: &u32| f64::from(*count) / f64::from(draws);
            let entropy: f64 = counts.values().map(share).map(|p| -p * p.ln()).sum();
            assert_eq!(counts.len(), 256, "{}", task.name());
            assert!((entropy - perfect / f64::from(draws)).abs() < 1e-3, "{}: {entropy}", task.name());
        }
    }

    #[test]
    fn what_is_not_free_stands_earlier() {
        for task in Task::ALL {
            let rng = &mut seeded(2);
            for n in task.asked().into_iter().chain(task.taught()) {
                let piece = task.draw(n, 1, rng);
                assert!(piece.perfect < piece.blind || n == 1, "{} {n}", task.name());
                let up = |set: &[u8], up: u8| set.iter().map(|key| key + up).collect::<Vec<u8>>();
                let mark_of = |step: &[u8]| (step.len() == 1 && step[0] >= MARKS).then(|| step[0] - MARKS);
                match (task, piece.free) {
                    (Task::Abab, Some(free)) => {
                        assert_eq!(piece.steps, again(&piece.steps[..free], ROUNDS));
                    }
                    (_, Some(free)) => {
                        let (said, last) = (mark_of(&piece.steps[free - 1]).unwrap(), piece.steps.len() - 1);
                        assert_eq!((free - 1, mark_of(&piece.steps[last])), (n, Some(0)));
                        let by = if task == Task::TransposedCopy { said } else { 0 };
                        let times = if task == Task::RepeatCopy { usize::from(said) } else { 1 };
                        let moved: Vec<Vec<u8>> = piece.steps[..n].iter().map(|set| up(set, by)).collect();
                        assert_eq!(piece.steps[free..last], again(&moved, times));
                    }
                    (_, None) => {
                        let free: Vec<Vec<u8>> = piece.steps[..piece.steps.len() - 1]
                            .iter()
                            .map(|step| step.iter().copied().filter(|key| *key < LOWEST + HALF as u8).collect())
                            .collect();
                        for at in 1..free.len() {
                            let lag = if task == Task::CopyLag { LAG } else { LAGS[free[at - 1].len()] };
                            let copy = at.checked_sub(lag).map(|from| up(&free[from], HALF as u8)).unwrap_or_default();
                            assert_eq!(piece.steps[at], [free[at].clone(), copy].concat());
                        }
                    }
                }
            }
        }
    }
}
