//! A tune as it is played: what is repeated is played out, and remembered beside.

use super::tune::{Before, whole};
use super::{Bar, Event, GRID, Tune};
use crate::note_chord::BarKind;
use cantus_score::{Chord, Meter, Note, Part, Pass, Repeat, Score, Ticks, Velocity};

/// A bar that is played: its number on paper among the bars, and when.
#[derive(Clone, Copy)]
struct Turn {
    bar: usize,
    start: u32,
    /// Whether a sign stands between it and the next one that is played.
    is_open: bool,
}

impl Tune {
    /// As a score.
    pub fn score(&self) -> Score {
        let (turns, repeats) = self.played();
        let mut score = Score::new(GRID);
        let mut part = Part::default();
        let mut is_tied = false;
        for turn in &turns {
            let bar = &self.bars[turn.bar];
            let mut at = turn.start;
            if score.keys.last().is_none_or(|(_, key)| *key != bar.key) {
                score.keys.push((Ticks(at.into()), bar.key));
            }
            let flats = bar.key.fifths() < 0;
            for Event { chord, pitch, steps, goes_on, .. } in &bar.events {
                if let Some(chord) = chord {
                    let symbol = chord.map_or_else(|| Chord::NONE.to_owned(), |chord| chord.symbol(flats));
                    score.chords.push((Ticks(at.into()), symbol));
                }
                let (onset, duration) = (Ticks(at.into()), Ticks((*steps).into()));
                match (pitch, part.notes.last_mut()) {
                    (Some(pitch), Some(last)) if is_tied && last.pitch == *pitch && last.end() == onset => {
                        last.duration += duration;
                    }
                    (Some(pitch), _) => {
                        part.notes.push(Note { onset, pitch: *pitch, duration, velocity: Velocity::DEFAULT });
                    }
                    (None, _) => {}
                }
                is_tied = *goes_on;
                at += steps;
            }
        }
        let bars = self.joined(&turns);
        score.meters = meters(&bars);
        if !repeats.is_empty() {
            let numbers = self.numbers();
            let starts = bars.iter().map(|(start, _, _, bar)| (Ticks((*start).into()), numbers[*bar]));
            score.printed = starts.collect();
        }
        score.repeats = repeats;
        score.parts.push(part);
        score
    }

    /// The bars in the order of playing, and what is repeated.
    fn played(&self) -> (Vec<Turn>, Vec<Repeat>) {
        let (mut turns, mut repeats): (Vec<Turn>, Vec<Repeat>) = Default::default();
        let mut now = 0;
        let mut play = |bars: std::ops::Range<usize>| -> u32 {
            let from = now;
            for bar in bars {
                turns.push(Turn { bar, start: now, is_open: false });
                now += self.bars[bar].steps;
            }
            if let Some(last) = turns.last_mut() {
                last.is_open = true;
            }
            from
        };
        let ends = |from: usize| {
            let next = (from + 1..self.bars.len()).find(|k| self.bars[*k].before != Before::Line);
            next.unwrap_or(self.bars.len())
        };
        let mut at = 0;
        while at < self.bars.len() {
            let body = at..ends(at);
            at = body.end;
            if self.bars[body.start].before != Before::Open {
                play(body);
                continue;
            }
            let has_endings = self.bars.get(at).is_some_and(|bar| bar.before == Before::First);
            let start = play(body.clone());
            let [one, other] = if has_endings {
                let first = at..ends(at);
                let has_second = self.bars.get(first.end).is_some_and(|bar| bar.before == Before::Second);
                let second = first.end..if has_second { ends(first.end) } else { first.end };
                at = second.end;
                [first, second]
            } else {
                [at..at, at..at]
            };
            let is_closed = self.bars[if has_endings { one.end } else { body.end } - 1].closes;
            let ending = play(one);
            if !is_closed {
                // It was never ended: what is there is played once.
                continue;
            }
            let again = play(body);
            let last = play(other);
            let pass = |start: u32, ending: u32| Pass { start: Ticks(start.into()), ending: Ticks(ending.into()) };
            let passes = vec![pass(start, ending), pass(again, last)];
            repeats.push(Repeat { passes, end: Ticks::ZERO });
            let end = play(0..0);
            repeats.last_mut().into_iter().for_each(|repeat| repeat.end = Ticks(end.into()));
        }
        (turns, repeats)
    }

    /// The played bars as metres count them: start, length, metre, which on paper. Two short ones that a sign parts, and that together make a
    /// whole bar, are one.
    fn joined(&self, turns: &[Turn]) -> Vec<(u32, u32, Meter, usize)> {
        let mut joined: Vec<(u32, u32, Meter, usize)> = Vec::with_capacity(turns.len());
        let mut turns = turns.iter().peekable();
        while let Some(turn) = turns.next() {
            let bar = &self.bars[turn.bar];
            let mut steps = bar.steps;
            let is_rest = |next: &&Turn| {
                let other = &self.bars[next.bar];
                turn.is_open && other.meter == bar.meter && steps + other.steps == whole(bar.meter)
            };
            if let Some(rest) = turns.next_if(|next| is_rest(next)) {
                steps += self.bars[rest.bar].steps;
            }
            joined.push((turn.start, steps, bar.meter, turn.bar));
        }
        joined
    }

    /// The number that each bar has on paper, from 1; an upbeat has that of the bar before it, at the beginning 0.
    fn numbers(&self) -> Vec<usize> {
        let (mut number, mut last) = (0, None::<&Bar>);
        let mut numbers = Vec::with_capacity(self.bars.len());
        for bar in &self.bars {
            let completes = |last: &Bar| last.meter == bar.meter && last.steps + bar.steps == whole(bar.meter);
            let is_parted = |last: &Bar| last.closes || bar.before != Before::Line;
            let is_upbeat = bar.steps < whole(bar.meter) && last.is_none_or(|last| is_parted(last) && completes(last));
            number += usize::from(!is_upbeat);
            numbers.push(number);
            last = Some(bar);
        }
        numbers
    }
}

/// The changes of metre that give just these bars; one that is shorter than its metre ends where the metre is named once more.
fn meters(bars: &[(u32, u32, Meter, usize)]) -> Vec<(Ticks, Meter)> {
    let mut changes: Vec<(u32, Meter)> = Vec::new();
    for (start, steps, meter, _) in bars {
        // A bar that is longer than its metre has another.
        let meter = if *steps > whole(*meter) { longer(*steps) } else { *meter };
        let goes_on = changes
            .last()
            .is_some_and(|(change, current)| *current == meter && (start - change).is_multiple_of(whole(meter)));
        if !goes_on {
            changes.push((*start, meter));
        }
    }
    changes.into_iter().map(|(at, meter)| (Ticks(at.into()), meter)).collect()
}

/// A metre whose bars have so many steps.
fn longer(steps: u32) -> Meter {
    let bar = cantus_score::Bar { start: Ticks::ZERO, length: Ticks(steps.into()), meter: Meter::COMMON };
    BarKind::of(&bar, GRID).meter
}
