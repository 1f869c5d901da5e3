//! A score as lines of events that can be compared whatever their key and tempo.

use crate::mixing::mix;
use cantus_score::{Note, Outer, Part, Score, Ticks, merge_parts, outer_line};
use serde::Serialize;
use std::fmt;

/// Which line of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The lowest notes.
    Bottom,
    /// The highest notes of one part of several, counted from 0.
    Part(u16),
    /// The highest notes.
    Top,
    /// All notes, chord by chord.
    Chords,
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Voice::Bottom => f.pad("the bass"),
            Voice::Part(part) => f.pad(&format!("part {}", part + 1)),
            Voice::Top => f.pad("the melody"),
            Voice::Chords => f.pad("the chords"),
        }
    }
}

/// A note of a line, or a chord, and how it follows the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    /// The pitch, of a chord the lowest.
    pub pitch: u8,
    /// Notes struck together that this stands for.
    pub notes: u8,
    /// The number of the bar that it begins in.
    pub bar: u32,
    pub onset: Ticks,
    /// The intervals above the lowest note; 0 for a single note.
    shape: u64,
    /// How it is reached: interval and shape.
    step: u64,
    /// The same, with the ratio of the durations before it and before the one before.
    timed: u64,
    /// How many events up to here, this one included, have repeated the first of them in even rhythm.
    even: u32,
}

/// A line of a score.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub voice: Voice,
    pub events: Vec<Event>,
}

/// The lines of a quantised score that are long enough for an n-gram.
pub(super) fn lines(score: &Score) -> Vec<Line> {
    let pitched: Vec<&Part> = score.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
    let merged = merge_parts(pitched.iter().copied()).notes;
    let bars = bar_starts(score, &merged);
    let line = |voice, chosen: Vec<Vec<Note>>| Line { voice, events: events(&chosen, &bars, score.first_bar()) };
    let per_quarter = score.ticks_per_quarter;
    let outer = |notes: &[Note], outer| outer_line(notes, outer, per_quarter, per_quarter);
    let alone = |notes: Vec<Note>| notes.into_iter().map(|note| vec![note]).collect();
    let mut lines = vec![line(Voice::Top, alone(outer(&merged, Outer::Highest)))];
    let is_one_line = merged.windows(2).all(|pair| pair[0].end() <= pair[1].onset);
    if !is_one_line {
        lines.push(line(Voice::Bottom, alone(outer(&merged, Outer::Lowest))));
        lines.push(line(Voice::Chords, merged.chunk_by(|a, b| a.onset == b.onset).map(<[Note]>::to_vec).collect()));
    }
    if pitched.len() > 1 {
        let parts = pitched.iter().enumerate().take(usize::from(u16::MAX));
        lines.extend(parts.map(|(k, part)| line(Voice::Part(k as u16), alone(outer(&part.notes, Outer::Highest)))));
    }
    lines.retain(|line| line.events.len() >= super::LENGTHS[0]);
    lines
}

/// Where the bars begin, as far as there are notes.
fn bar_starts(score: &Score, notes: &[Note]) -> Vec<Ticks> {
    let last = notes.last().map_or(Ticks::ZERO, |note| note.onset);
    score.bars().map(|bar| bar.start).take_while(|start| *start <= last).collect()
}

fn events(chords: &[Vec<Note>], bars: &[Ticks], first_bar: usize) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::with_capacity(chords.len());
    let mut before = 0;
    for chord in chords {
        let Some(lowest) = chord.first() else { continue };
        let pitch = lowest.pitch.get();
        let shape = chord[1..].iter().fold(0, |shape, note| mix(shape, u64::from(note.pitch.get() - pitch)));
        let bar = (bars.partition_point(|start| *start <= lowest.onset).saturating_sub(1) + first_bar) as u32;
        let notes = chord.len().min(255) as u8;
        let mut event = Event { pitch, notes, bar, onset: lowest.onset, shape, step: 0, timed: 0, even: 1 };
        if let Some(last) = events.last() {
            let duration = (lowest.onset - last.onset).0;
            event.step = mix(shape, u64::from(pitch + 128 - last.pitch));
            let common = greatest_common_divisor(duration, before);
            // Before the second event there is no duration, and its ratio never compared.
            event.timed = if before == 0 { 0 } else { mix(mix(event.step, duration / common), before / common) };
            let repeats = pitch == last.pitch && shape == last.shape;
            event.even = match repeats {
                true if last.even == 1 || duration == before => last.even + 1,
                true => 2,
                false => 1,
            };
            before = duration;
        }
        events.push(event);
    }
    events
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl Line {
    /// The number of `length`-note n-grams at `at`; `None` where the line ends before, or repeats one note in even rhythm.
    pub fn gram(&self, at: usize, length: usize) -> Option<u64> {
        let events = self.events.get(at..at + length)?;
        if events[length - 1].even as usize >= length {
            return None;
        }
        let kind = if self.voice == Voice::Chords { 2 } else { 1 };
        let start = mix(mix(kind * 64 + length as u64, events[0].shape), events[1].step);
        Some(events[2..].iter().fold(start, |hash, event| mix(hash, event.timed)))
    }

    /// Whether the passages that begin at `at` and at `other_at` are still the same one event earlier; the two events from there on
    /// being the same already.
    pub fn goes_back(&self, at: usize, other: &Line, other_at: usize) -> bool {
        if at == 0 || other_at == 0 {
            return false;
        }
        let (a, b) = (&self.events[at - 1..at + 2], &other.events[other_at - 1..other_at + 2]);
        a[0].shape == b[0].shape && a[1].step == b[1].step && a[2].timed == b[2].timed
    }

    /// How many events the passages have in common that begin at `at` and at `other_at`, the first `known` of them being the same.
    pub fn common(&self, at: usize, other: &Line, other_at: usize, known: usize) -> usize {
        let further = self.events[at + known..].iter().zip(&other.events[other_at + known..]);
        known + further.take_while(|(a, b)| a.timed == b.timed).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, TicksPerQuarter, Velocity};

    fn part(notes: &[(u64, u8, u64)]) -> Part {
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        Part { notes: notes.iter().map(note).collect(), ..Part::default() }
    }

    fn score(parts: &[&[(u64, u8, u64)]]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts = parts.iter().map(|notes| part(notes)).collect();
        score
    }

    #[test]
    fn the_outer_lines_hold_back_what_is_inside() {
        // A held C5 over an accompaniment, whose last note goes on under a new melody note.
        let notes: &[(u64, u8, u64)] = &[
            (0, 48, 2),
            (0, 72, 8),
            (2, 52, 2),
            (4, 55, 2),
            (6, 52, 2),
            (8, 74, 8),
            (8, 48, 8),
            (16, 76, 4),
            (20, 77, 4),
        ];
        let mut sorted = notes.to_vec();
        sorted.sort_unstable();
        let lines = lines(&score(&[&sorted]));
        let pitches = |voice| {
            let line = lines.iter().find(|line| line.voice == voice).unwrap();
            line.events.iter().map(|event| event.pitch).collect::<Vec<u8>>()
        };
        assert_eq!(pitches(Voice::Top), [72, 74, 76, 77]);
        assert_eq!(pitches(Voice::Bottom), [48, 52, 55, 52, 48, 76, 77]);
        assert_eq!(pitches(Voice::Chords), [48, 52, 55, 52, 48, 76, 77]);
        assert_eq!(lines[2].events[0].notes, 2);
        assert_eq!(lines[0].events.iter().map(|event| event.bar).collect::<Vec<_>>(), [1, 1, 2, 2]);
    }

    #[test]
    fn key_and_tempo_do_not_matter_and_everything_else_does() {
        let tune = [(0u64, 60u8), (4, 62), (6, 64), (8, 65), (12, 67), (14, 67), (16, 65)];
        let of = |notes: Vec<(u64, u8)>| {
            let notes: Vec<_> = notes.into_iter().map(|(onset, pitch)| (onset, pitch, 1)).collect();
            lines(&score(&[&notes])).remove(0).gram(0, 7).unwrap()
        };
        let plain = of(tune.to_vec());
        assert_eq!(of(tune.map(|(onset, pitch)| (3 * onset + 5, pitch - 7)).to_vec()), plain);
        for changed in 0..7 {
            let mut other = tune;
            other[changed].1 += 1;
            assert_ne!(of(other.to_vec()), plain, "pitch {changed}");
            let mut other = tune;
            other[changed].0 += 1;
            assert_ne!(of(other.to_vec()), plain, "onset {changed}");
        }
    }

    #[test]
    fn a_note_over_and_over_is_no_gram() {
        let notes: Vec<_> = (0..10).map(|k| (4 * k, if k < 9 { 60 } else { 62 }, 4)).collect();
        let line = lines(&score(&[&notes])).remove(0);
        let found: Vec<bool> = (0..7).map(|at| line.gram(at, 4).is_some()).collect();
        assert_eq!(found, [false, false, false, false, false, false, true]);
        // Two rhythms make a pattern of it.
        let uneven: Vec<_> = [0, 4, 6, 10, 12].map(|onset| (onset, 60, 1)).to_vec();
        let line = lines(&score(&[&uneven])).remove(0);
        assert!(line.gram(0, 4).is_some() && line.gram(1, 4).is_some() && line.gram(2, 4).is_none());
    }

    #[test]
    fn several_parts_are_lines_of_their_own() {
        let high: Vec<_> = (0..4).map(|k| (4 * k, 72 + k as u8, 4)).collect();
        let low: Vec<_> = (0..4).map(|k| (4 * k, 60 - k as u8, 4)).collect();
        let voices: Vec<Voice> = lines(&score(&[&high, &low])).iter().map(|line| line.voice).collect();
        assert_eq!(voices, [Voice::Top, Voice::Bottom, Voice::Chords, Voice::Part(0), Voice::Part(1)]);
        assert_eq!(lines(&score(&[&high])).len(), 1);
    }
}
