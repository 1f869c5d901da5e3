//! A tune as it stands on paper, out of a score.

use super::{ATOM, GRID};
use cantus_score::{
    Bars, Chord, Key, Meter, Mode, Note, Outer, Part, Pitch, Repeat, Score, Ticks, key_of, melody_of, merge_parts,
    outer_line, quantize,
};
use std::ops::Range;

/// What stands on the line before a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing but the line.
    #[default]
    Line,
    /// A repeat begins.
    Open,
    /// A first ending begins.
    First,
    /// A second ending begins.
    Second,
    /// After a repeat, what is not repeated begins.
    Plain,
}

/// A note or a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The chord that is named here: `Some(None)` is none that is played.
    pub chord: Option<Option<Chord>>,
    /// A tuplet begins, and lasts so many steps.
    pub tuplet: Option<u32>,
    /// `None` is a rest.
    pub pitch: Option<Pitch>,
    /// How many steps it sounds.
    pub steps: u32,
    /// Whether the next event is the same note.
    pub goes_on: bool,
}

/// A bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What stands before it.
    pub before: Before,
    /// Its metre.
    pub meter: Meter,
    /// Its key.
    pub key: Key,
    /// Its length in steps: less than the metre says, where it is an upbeat, or completes one.
    pub steps: u32,
    /// What is in it; together as long as it.
    pub events: Vec<Event>,
    /// Whether a repeat, or its first ending, ends with it.
    pub closes: bool,
}

/// A tune as it stands on paper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tune {
    /// Its bars.
    pub bars: Vec<Bar>,
}

/// The steps of a whole bar: a multiple of [`ATOM`].
pub(super) fn whole(meter: Meter) -> u32 {
    let steps = u32::try_from(meter.bar(GRID).0).unwrap_or(u32::MAX).min(1 << 15);
    steps.div_ceil(ATOM).max(1) * ATOM
}

/// What is played of a score, in steps: the melody, the bars, the chords, the keys.
struct Played {
    line: Vec<Note>,
    /// Begin, end, metre.
    bars: Vec<(u64, u64, Meter)>,
    chords: Vec<(u64, Option<Chord>)>,
    keys: Vec<(u64, Key)>,
}

/// A stretch of bars, by their numbers, and what stands before and after it.
struct Stretch {
    bars: Range<usize>,
    before: Before,
    closes: bool,
}

impl Tune {
    /// The tune of a score: its melody ([`melody_of`], of several notes the highest), its chord symbols, and of what is repeated as much as
    /// is played twice in the same way.
    pub fn of(score: &Score) -> Tune {
        let repeated = score.repeats.last().map_or(Ticks::ZERO, |repeat| repeat.end);
        let mut tune = Tune::until(score, score.end().max(repeated));
        tune.complete_last();
        tune
    }

    /// The same of the bars that cover a time in the score's ticks.
    pub fn until(score: &Score, end: Ticks) -> Tune {
        let coarse = quantize(score, GRID, 0.5).0;
        let end = end.rescale(score.ticks_per_quarter, GRID);
        let mut played = Played::of(score, &coarse, end);
        let repeats: Vec<&Repeat> =
            coarse.repeats.iter().filter(|repeat| repeat.end <= end && played.is_twice_the_same(repeat)).collect();
        played.cut(&repeats);
        let mut tune = Tune::default();
        for Stretch { bars, before, closes } in played.stretches(&repeats) {
            for bar in bars.clone() {
                let mut written = played.bar(bar);
                written.before = if bar == bars.start { before } else { Before::Line };
                written.closes = closes && bar + 1 == bars.end;
                tune.bars.push(written);
            }
        }
        tune
    }

    /// Whether it has a note.
    pub fn has_notes(&self) -> bool {
        self.bars.iter().flat_map(|bar| &bar.events).any(|event| event.pitch.is_some())
    }

    /// A last bar that completes the upbeat ends with its last note; any other is a whole one.
    fn complete_last(&mut self) {
        let Some(upbeat) = self.bars.first().filter(|bar| bar.steps < whole(bar.meter)).map(|bar| bar.steps) else {
            return;
        };
        let Some(last) = self.bars.last_mut() else { return };
        let left = whole(last.meter).saturating_sub(upbeat);
        let rest = last.events.last().filter(|event| event.pitch.is_none()).map_or(0, |event| event.steps);
        if last.steps == whole(last.meter) && left > 0 && last.steps - rest == left {
            last.events.pop();
            last.steps = left;
        }
    }
}

impl Played {
    fn of(score: &Score, coarse: &Score, end: Ticks) -> Played {
        let pitched: Vec<&Part> = coarse.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        let merged = merge_parts(melody_of(pitched)).notes;
        let line = outer_line(&merged, Outer::Highest, GRID, GRID);
        let line: Vec<Note> = line
            .into_iter()
            .filter(|note| note.onset < end)
            .map(|note| Note { duration: note.duration.min(end - note.onset), ..note })
            .collect();
        let meters = coarse.named_meters();
        let bars: Vec<(u64, u64, Meter)> =
            Bars::new(&meters, GRID, end).map(|bar| (bar.start.0, bar.end().0, bar.meter)).collect();
        let begins = |at: u64| line.binary_search_by_key(&at, |note| note.onset.0).is_ok();
        let named = |(at, symbol): &(Ticks, String)| {
            let chord = if symbol == Chord::NONE { Some(None) } else { Chord::named(symbol).map(Some) }?;
            let near = (at.0 + u64::from(ATOM) * 2) / (4 * u64::from(ATOM)) * 4 * u64::from(ATOM);
            Some((if begins(at.0) { at.0 } else { near }, chord))
        };
        let mut chords: Vec<(u64, Option<Chord>)> = coarse.chords.iter().filter_map(named).collect();
        chords.sort_by_key(|(at, _)| *at);
        // Of several at one time the last is meant.
        chords.reverse();
        chords.dedup_by_key(|(at, _)| *at);
        chords.reverse();
        let plain = const { Key::new(0, Mode::Major).unwrap() };
        // Six sharps at the most: the same music in fewer accidentals.
        let mut keys = vec![(0, key_of(score).unwrap_or(plain).transposed(0))];
        keys.extend(coarse.keys.iter().skip(1).map(|(at, key)| (at.0, key.transposed(0))));
        Played { line, bars, chords, keys }
    }

    /// The notes that begin in a stretch of time, from its beginning.
    fn notes(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Pitch, u64)> {
        let first = self.line.partition_point(|note| note.onset.0 < from);
        let within = self.line[first..].iter().take_while(move |note| note.onset.0 < to);
        within.map(move |note| (note.onset.0 - from, note.pitch, note.duration.0))
    }

    fn chords(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Option<Chord>)> {
        let first = self.chords.partition_point(|(at, _)| *at < from);
        self.chords[first..].iter().take_while(move |(at, _)| *at < to).map(move |(at, chord)| (at - from, *chord))
    }

    fn key_at(&self, at: u64) -> Key {
        self.keys[self.keys.partition_point(|(from, _)| *from <= at).saturating_sub(1)].1
    }

    /// Bar lines and metres within a stretch of time; what is before the first line is the end of a bar.
    fn lines(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Meter)> {
        let first = self.bars.partition_point(|(start, ..)| *start <= from);
        self.bars[first..].iter().take_while(move |(start, ..)| *start < to).map(move |bar| (bar.0 - from, bar.2))
    }

    /// Whether what a repeat says is so: two times through, the same up to their endings, and nothing sounds on over its signs.
    fn is_twice_the_same(&self, repeat: &Repeat) -> bool {
        let [first, second] = repeat.passes[..] else { return false };
        let times = [first.start.0, first.ending.0, second.start.0, second.ending.0, repeat.end.0];
        let body = first.ending.0.saturating_sub(first.start.0);
        let (one, other) = (times[2].saturating_sub(times[1]), times[4].saturating_sub(times[3]));
        let in_order = times.is_sorted() && body > 0 && times[3] - times[2] == body && (one > 0) == (other > 0);
        let is_atomic = times.iter().all(|at| (at - times[0]).is_multiple_of(u64::from(ATOM)));
        let is_crossed = || {
            let crosses = |note: &Note| times.iter().any(|at| note.onset.0 < *at && *at < note.end().0);
            self.line.iter().any(crosses)
        };
        let (a, b) = ((times[0], times[1]), (times[2], times[3]));
        in_order
            && is_atomic
            && !is_crossed()
            && self.notes(a.0, a.1).next().is_some()
            && self.notes(a.0, a.1).eq(self.notes(b.0, b.1))
            && self.chords(a.0, a.1).eq(self.chords(b.0, b.1))
            && self.lines(a.0, a.1).eq(self.lines(b.0, b.1))
            && self.keys_within(a.0, a.1) == self.keys_within(b.0, b.1)
    }

    fn keys_within(&self, from: u64, to: u64) -> Vec<(u64, Key)> {
        let later = self.keys.iter().filter(|(at, _)| *at > from && *at < to).map(|(at, key)| (at - from, *key));
        std::iter::once((0, self.key_at(from))).chain(later).collect()
    }

    /// Cuts bars where repeats and endings begin and end.
    fn cut(&mut self, repeats: &[&Repeat]) {
        let mut times: Vec<u64> = repeats.iter().flat_map(|repeat| repeat.times()).map(|at| at.0).collect();
        times.sort_unstable();
        times.dedup();
        let last = times.last().copied().unwrap_or(0);
        let mut bars = Vec::with_capacity(self.bars.len() + times.len());
        for &(start, end, meter) in &self.bars {
            let mut from = start;
            for &at in times.iter().filter(|at| start < **at && **at < end) {
                bars.push((from, at, meter));
                from = at;
            }
            bars.push((from, end, meter));
        }
        // All is over with the last repeat.
        let is_over = self.line.last().is_none_or(|note| note.end().0 <= last);
        if is_over && bars.last().is_some_and(|(start, ..)| *start >= last) {
            bars.pop();
        }
        self.bars = bars;
    }

    /// What stands on paper, in order.
    fn stretches(&self, repeats: &[&Repeat]) -> Vec<Stretch> {
        let bar = |at: Ticks| self.bars.partition_point(|(start, ..)| *start < at.0);
        let (mut stretches, mut from, mut before) = (Vec::new(), 0, Before::Line);
        let mut add = |bars: Range<usize>, before: Before, closes: bool| {
            if !bars.is_empty() {
                stretches.push(Stretch { bars, before, closes });
            }
        };
        for repeat in repeats {
            let [first, second] = repeat.passes[..] else { continue };
            add(from..bar(first.start), before, false);
            let has_endings = first.ending < second.start;
            add(bar(first.start)..bar(first.ending), Before::Open, !has_endings);
            add(bar(first.ending)..bar(second.start), Before::First, true);
            add(bar(second.ending)..bar(repeat.end), Before::Second, false);
            (from, before) = (bar(repeat.end), Before::Plain);
        }
        add(from..self.bars.len(), before, false);
        stretches
    }

    /// A bar, filled with rests where nothing sounds.
    fn bar(&self, number: usize) -> Bar {
        let (start, end, meter) = self.bars[number];
        let mut events: Vec<Event> = Vec::new();
        let rest = |steps: u64| Event { chord: None, tuplet: None, pitch: None, steps: steps as u32, goes_on: false };
        let mut at = start;
        let first = self.line.partition_point(|note| note.end().0 <= start);
        for note in self.line[first..].iter().take_while(|note| note.onset.0 < end) {
            let (from, to) = (note.onset.0.max(start), note.end().0.min(end));
            if from > at {
                events.push(rest(from - at));
            }
            events.push(Event { pitch: Some(note.pitch), goes_on: note.end().0 > end, ..rest(to - from) });
            at = to;
        }
        if at < end {
            events.push(rest(end - at));
        }
        for (at, chord) in self.chords(start, end) {
            name(&mut events, at as u32, chord);
        }
        let key = self.key_at(start);
        Bar { before: Before::Line, meter, key, steps: (end - start) as u32, events, closes: false }
    }
}

/// Names a chord at a time within a bar; what sounds there goes on under it.
fn name(events: &mut Vec<Event>, at: u32, chord: Option<Chord>) {
    let mut start = 0;
    for k in 0..events.len() {
        let event = events[k];
        if at == start {
            events[k].chord = Some(chord);
            return;
        }
        if at < start + event.steps {
            events[k] = Event { steps: at - start, goes_on: event.pitch.is_some(), ..event };
            let rest = Event { chord: Some(chord), steps: start + event.steps - at, ..event };
            events.insert(k + 1, rest);
            return;
        }
        start += event.steps;
    }
}
