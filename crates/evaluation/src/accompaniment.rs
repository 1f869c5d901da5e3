//! What is written to given parts, beside what players wrote to them: the two go together, or they do not.
//!
//! Everything is counted in patterns of two bars. *F1 of the rhythm* is that of the steps at which something begins. *BLEU-4* is the geometric
//! mean of the shares of runs of 1 to 4 words that also stand in the players' pattern, over all patterns, with the penalty for what is too
//! short (K. Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002, equations 1-3); a word is what begins
//! at once, counted from the lowest note of the pattern, with the steps since the word before. Of several that were written to a pattern the
//! likest counts, and that is said beside it.

use cantus_score::{Part, Score, Ticks};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Steps to a quarter note.
const STEPS: u64 = 8;
/// Bars of a pattern.
const BARS: usize = 2;
/// The longest run of words.
const LONGEST: usize = 4;
/// Kicks of General MIDI's kit.
const KICKS: std::ops::RangeInclusive<u8> = 35..=36;

/// A piece whose one part was left out, and written again.
#[derive(Clone, Copy, Debug)]
pub struct Accompanied<'a> {
    /// The parts that were given.
    pub given: &'a Score,
    /// The part that was left out, in the same ticks.
    pub played: &'a Part,
    /// The parts that were written in its place, in the same ticks, all of them as long as the piece.
    pub written: &'a [Part],
}

/// What parts are like beside those that they go with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Habits {
    /// Onsets in a pattern.
    pub onsets: f64,
    /// The share of the steps with a kick at which something begins, 0-1; where no drums are given, of those at which the lowest note begins.
    pub on_kick: f64,
    /// The same of steps at which something else is given.
    pub on_other: f64,
    /// The same of steps at which nothing is.
    pub on_none: f64,
    /// The share of the patterns whose second bar has the rhythm of the first.
    pub same_rhythm: f64,
}

/// What was written beside what was played.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accompaniment {
    /// Which part that is, in a word.
    pub part: String,
    /// Patterns of two bars in which something was played.
    pub patterns: usize,
    /// How many parts were written to each.
    pub versions: usize,
    /// What was played.
    pub played: Habits,
    /// What was written.
    pub written: Habits,
    /// Of the rhythm, the mean of all versions: 1 where onsets are the same.
    pub rhythm_f1: f64,
    /// Of the likest version of each pattern, 0-1.
    pub bleu: f64,
}

/// What begins at once, counted from the lowest note, and the steps since what began before.
type Word = (u64, Vec<u8>);

/// Counts over patterns.
#[derive(Default)]
struct Tally {
    /// Steps at which nothing is given, something, a kick; and how many of each have an onset.
    steps: [f64; 3],
    begun: [f64; 3],
    onsets: f64,
    patterns: f64,
    same: f64,
}

/// What begins at each step of a pattern.
type Onsets = BTreeMap<u64, Vec<u8>>;

impl Tally {
    /// Adds a pattern of the steps `from..to`, of which the second bar begins at `half`; `given` is what is given at a step, 0-2.
    fn add(&mut self, onsets: &Onsets, given: &dyn Fn(u64) -> usize, (from, half, to): (u64, u64, u64)) {
        for step in from..to {
            self.steps[given(step)] += 1.0;
            self.begun[given(step)] += f64::from(u8::from(onsets.contains_key(&step)));
        }
        self.onsets += onsets.values().map(|chord| chord.len() as f64).sum::<f64>();
        self.patterns += 1.0;
        let rhythm = |bar: std::ops::Range<u64>| -> Vec<u64> {
            onsets.range(bar.clone()).map(|(step, _)| step - bar.start).collect()
        };
        self.same += f64::from(u8::from(rhythm(from..half) == rhythm(half..to)));
    }

    fn habits(&self) -> Habits {
        let share = |k: usize| if self.steps[k] > 0.0 { self.begun[k] / self.steps[k] } else { 0.0 };
        let per_pattern = |sum: f64| sum / self.patterns.max(1.0);
        Habits {
            onsets: per_pattern(self.onsets),
            on_kick: share(2),
            on_other: share(1),
            on_none: share(0),
            same_rhythm: per_pattern(self.same),
        }
    }
}

/// Runs that were found in the other of two, of how many, by length; words of either.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    found: [f64; LONGEST],
    all: [f64; LONGEST],
    written: f64,
    played: f64,
}

impl Runs {
    fn of(written: &[Word], played: &[Word]) -> Runs {
        let mut runs = Runs { written: written.len() as f64, played: played.len() as f64, ..Runs::default() };
        for length in 1..=LONGEST {
            let count = |words: &[Word]| {
                let mut counts: BTreeMap<Vec<Word>, f64> = BTreeMap::new();
                words.windows(length).for_each(|run| *counts.entry(run.to_vec()).or_default() += 1.0);
                counts
            };
            let there = count(played);
            for (run, count) in count(written) {
                runs.all[length - 1] += count;
                runs.found[length - 1] += there.get(&run).map_or(0.0, |there| there.min(count));
            }
        }
        runs
    }

    fn add(&mut self, other: &Runs) {
        for k in 0..LONGEST {
            self.found[k] += other.found[k];
            self.all[k] += other.all[k];
        }
        self.written += other.written;
        self.played += other.played;
    }

    /// BLEU, each share with `more` runs that were found and were there: 0 for a corpus, 1 for a single pattern, of which most have none of 4.
    fn bleu(&self, more: f64) -> f64 {
        let share = |k: usize| (self.found[k] + more) / (self.all[k] + more).max(1.0);
        let log: f64 = (0..LONGEST).map(|k| share(k).ln()).sum::<f64>() / LONGEST as f64;
        let penalty = if self.written > 0.0 { (1.0 - self.played / self.written).min(0.0) } else { f64::NEG_INFINITY };
        (penalty + log).exp()
    }
}

impl Accompaniment {
    /// Compares; `None` where nothing was played in any pattern. `part` says which one was written.
    pub fn of(part: &str, pieces: &[Accompanied<'_>]) -> Option<Accompaniment> {
        let (mut played, mut written) = (Tally::default(), Tally::default());
        let (mut both, mut all, mut runs) = (0.0, 0.0, Runs::default());
        for piece in pieces {
            let step = |at: Ticks| {
                let ticks = u64::from(piece.given.ticks_per_quarter.get());
                (at.0 * STEPS + ticks / 2) / ticks
            };
            let given = given(piece.given, &step);
            let at = |step: u64| given.get(&step).copied().unwrap_or(0);
            let mut whole = piece.given.clone();
            whole.parts.push(piece.played.clone());
            let bars: Vec<(u64, u64)> = whole.bars().map(|bar| (step(bar.start), step(bar.end()))).collect();
            let of_part = |part: &Part| {
                let mut onsets = Onsets::new();
                part.notes.iter().for_each(|note| onsets.entry(step(note.onset)).or_default().push(note.pitch.get()));
                onsets
            };
            let (truth, versions) = (of_part(piece.played), piece.written.iter().map(of_part).collect::<Vec<_>>());
            for bars in bars.chunks_exact(BARS) {
                let span = (bars[0].0, bars[1].0, bars[1].1);
                let within = |onsets: &Onsets| -> Onsets {
                    onsets.range(span.0..span.2).map(|(step, chord)| (*step, chord.clone())).collect()
                };
                let real = within(&truth);
                if real.is_empty() {
                    continue;
                }
                played.add(&real, &at, span);
                let mut likest: Option<(f64, Runs)> = None;
                for version in &versions {
                    let version = within(version);
                    written.add(&version, &at, span);
                    both += version.keys().filter(|step| real.contains_key(step)).count() as f64;
                    all += (version.len() + real.len()) as f64;
                    let found = Runs::of(&words(&version, span.0), &words(&real, span.0));
                    let like = found.bleu(1.0);
                    if likest.is_none_or(|(best, _)| like > best) {
                        likest = Some((like, found));
                    }
                }
                likest.iter().for_each(|(_, found)| runs.add(found));
            }
        }
        (played.patterns > 0.0).then(|| Accompaniment {
            part: part.to_owned(),
            patterns: played.patterns as usize,
            versions: pieces.iter().map(|piece| piece.written.len()).max().unwrap_or(0),
            played: played.habits(),
            written: written.habits(),
            rhythm_f1: if all > 0.0 { 2.0 * both / all } else { 0.0 },
            bleu: runs.bleu(0.0),
        })
    }

    /// As a table for a terminal.
    pub fn table(&self) -> String {
        let head = ["", "played", "written"].map(str::to_owned).to_vec();
        let number = |x: f64| format!("{x:.2}");
        let row = |name: &str, of: &dyn Fn(&Habits) -> f64| {
            vec![name.to_owned(), number(of(&self.played)), number(of(&self.written))]
        };
        let alone = |name: &str, value: f64| vec![name.to_owned(), String::new(), number(value)];
        crate::summary::lines(&[
            head,
            row("onsets in two bars", &|habits| habits.onsets),
            row("an onset where a kick is", &|habits| habits.on_kick),
            row("where something else is", &|habits| habits.on_other),
            row("where nothing is", &|habits| habits.on_none),
            row("second bar in the rhythm of the first", &|habits| habits.same_rhythm),
            alone("F1 of the rhythm", self.rhythm_f1),
            alone(&format!("BLEU-4 of the likest of {}", self.versions), self.bleu),
        ])
    }
}

/// Where something is given: 2 a kick, or where there are no drums the lowest note that begins; 1 something else.
fn given(score: &Score, step: &dyn Fn(Ticks) -> u64) -> BTreeMap<u64, usize> {
    let mut given = BTreeMap::new();
    let drums: Vec<&Part> = score.parts.iter().filter(|part| part.drums && !part.notes.is_empty()).collect();
    let mut mark = |at: u64, level: usize| {
        let known = given.entry(at).or_insert(level);
        *known = level.max(*known);
    };
    for note in drums.iter().flat_map(|part| &part.notes) {
        mark(step(note.onset), if KICKS.contains(&note.pitch.get()) { 2 } else { 1 });
    }
    if drums.is_empty() {
        let bass = cantus_score::bass_of(&score.parts);
        for (k, part) in score.parts.iter().enumerate() {
            part.notes.iter().for_each(|note| mark(step(note.onset), if bass == Some(k) { 2 } else { 1 }));
        }
    }
    given
}

fn words(onsets: &Onsets, from: u64) -> Vec<Word> {
    let lowest = onsets.values().flatten().min().copied().unwrap_or(0);
    let mut before = from;
    let word = |(step, chord): (&u64, &Vec<u8>)| {
        let gap = step - before;
        before = *step;
        let chord: BTreeSet<u8> = chord.iter().map(|pitch| pitch - lowest).collect();
        (gap, chord.into_iter().collect())
    };
    onsets.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, TicksPerQuarter, Velocity};

    fn part(drums: bool, notes: &[(u64, u8)]) -> Part {
        let note = |(onset, pitch): &(u64, u8)| Note {
            onset: Ticks(*onset),
            pitch: Pitch::try_from(*pitch).unwrap(),
            duration: Ticks(2),
            velocity: Velocity::DEFAULT,
        };
        let base = if drums { Part::of_drums() } else { Part::default() };
        Part { notes: notes.iter().map(note).collect(), ..base }
    }

    /// Four bars of 4/4 in sixteenths: kicks on 1 and 3, snares on 2 and 4.
    fn drums() -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let strokes: Vec<(u64, u8)> =
            (0..16).map(|beat| (4 * beat, if beat % 2 == 0 { 36 } else { 38 })).chain([(63, 42)]).collect();
        score.parts.push(part(true, &strokes));
        score
    }

    #[test]
    fn the_same_part_is_like_itself_in_everything() {
        let given = drums();
        let notes: Vec<(u64, u8)> = (0..8).map(|beat| (8 * beat, 40 + (beat % 3) as u8)).collect();
        let bass = part(false, &notes);
        let written = [bass.clone(), part(false, &[])];
        let found =
            Accompaniment::of("bass", &[Accompanied { given: &given, played: &bass, written: &written[..1] }]).unwrap();
        assert_eq!((found.patterns, found.versions), (2, 1));
        assert_eq!(found.played, found.written);
        assert_eq!((found.rhythm_f1, found.bleu), (1.0, 1.0));
        let Habits { onsets, on_kick, on_other, on_none, same_rhythm } = found.played;
        assert_eq!((onsets, on_kick, on_other, on_none, same_rhythm), (4.0, 1.0, 0.0, 0.0, 1.0));
        // Of several the likest counts; silence is like nothing.
        let of = |written: &[Part]| {
            Accompaniment::of("bass", &[Accompanied { given: &given, played: &bass, written }]).unwrap()
        };
        assert_eq!((of(&written).bleu, of(&written).written.onsets), (1.0, 2.0));
        assert_eq!((of(&written[1..]).bleu, of(&written[1..]).rhythm_f1), (0.0, 0.0));
        assert!(found.table().contains("BLEU-4 of the likest of 1"));
    }

    #[test]
    fn bleu_is_that_of_the_paper() {
        // Words: gap 0, then gaps of 8 steps (a quarter); one of the six is another note.
        let pattern = |pitches: &[u8]| -> Vec<(u64, u8)> {
            pitches.iter().enumerate().map(|(k, pitch)| (4 * k as u64, *pitch)).collect()
        };
        let (real, ours) =
            (part(false, &pattern(&[40, 42, 40, 43, 40, 45])), part(false, &pattern(&[40, 42, 40, 43, 41, 45])));
        let mut given = drums();
        given.parts[0].notes.truncate(8);
        let found =
            Accompaniment::of("bass", &[Accompanied { given: &given, played: &real, written: &[ours] }]).unwrap();
        let expected = (5.0 / 6.0 * 3.0 / 5.0 * 2.0 / 4.0 * 1.0 / 3.0_f64).powf(0.25);
        assert!((found.bleu - expected).abs() < 1e-12, "{} {expected}", found.bleu);
        assert_eq!(found.rhythm_f1, 1.0);
        // Half as long: the penalty is e^(1 - 2).
        let runs = Runs::of(
            &words(&BTreeMap::from([(0, vec![40])]), 0),
            &words(&BTreeMap::from([(0, vec![40]), (8, vec![40])]), 0),
        );
        assert!((runs.bleu(1.0) - (-1.0_f64).exp()).abs() < 1e-12);
    }
}
