//! What each instrument has played, and where its own line has been as it is now, whatever the others played meanwhile.
//!
//! Among notes of many instruments what comes before a place is seldom the same twice, though a bass or a kit has played the same for
//! bars. A line is asked once the moment and the instrument of a note are known: what did this instrument play after the same notes of its
//! own, so much later, at such a place of the quarter; and what at the same place some beats and bars ago.

use cantus_encoding::note_events::{Clock, Event};
use cantus_nn::random::mix;
use std::collections::HashMap;

/// Lengths of context that are looked up: of own notes, then of own intervals; the time until the note that comes is part of each.
const ORDERS: [(View, usize); 5] =
    [(View::Whole, 6), (View::Whole, 3), (View::Whole, 1), (View::Interval, 4), (View::Interval, 2)];
/// Places found by own notes, and by intervals.
const WHOLE: usize = 8;
const BY_INTERVAL: usize = 5;
/// The longest match that is told from a longer one.
const LONGEST: usize = 64;
const NOWHERE: u32 = u32::MAX;
/// Ways in which a place is found: the orders, then the lags.
pub(super) const WAYS: usize = ORDERS.len() + LAGS;
/// Lags at which one looks back.
pub(super) const LAGS: usize = 6;

/// As what notes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// Time since the own note before, place in the quarter, pitch, length.
    Whole,
    /// Time since the own note before, interval from it.
    Interval,
}

/// A place of an instrument's own line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The note that came there, among all.
    pub note: usize,
    /// By how much its pitch is moved.
    pub shift: i32,
    /// How it was found: an order, or beyond them a lag.
    pub way: usize,
    /// Of those found so, the first, the second ...
    pub rank: usize,
    /// How many own notes before the two places are the same, as whole notes and by intervals.
    pub matches: [usize; 2],
}

/// The notes of one instrument.
#[derive(Clone, Debug, Default)]
struct Line {
    /// Their numbers among all notes.
    notes: Vec<u32>,
    /// Of each, as each view has it.
    hashes: [Vec<u64>; 2],
    /// Onset and pitch of each.
    played: Vec<(u32, u8)>,
    /// For each order, of each the own note before which the same context was last.
    links: [Vec<u32>; ORDERS.len()],
}

/// The lines of a piece up to some note, or of all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// The own note before which a context was last.
    latest: HashMap<u64, u32>,
}

/// What is asked: which note comes, who plays it, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub note: usize,
    pub instrument: u8,
    pub is_drum: bool,
    pub onset: u32,
}

impl Lines {
    /// The next note, whose number among all is `number`.
    pub fn push(&mut self, number: usize, note: &Event, is_drum: bool, clock: Clock) {
        let instrument = usize::from(note.instrument);
        if self.lines.len() <= instrument {
            self.lines.resize_with(instrument + 1, Line::default);
        }
        let line = &mut self.lines[instrument];
        let at = line.notes.len();
        for order in orders(is_drum) {
            let context = line.context(at, order, note.instrument, note.onset, clock);
            let link = context.and_then(|context| self.latest.insert(context, at as u32));
            line.links[order].push(link.unwrap_or(NOWHERE));
        }
        let (gap, before) = match line.played.last() {
            Some((onset, pitch)) => (clock.like(note.onset - onset), u64::from(*pitch)),
            None => (u32::MAX, 0),
        };
        // No player holds a key as long again to the hundredth.
        let length = if clock == Clock::Seconds { 0 } else { note.length };
        let place = note.onset % clock.places();
        let hash = |parts: &[u64]| parts.iter().fold(mix(3), |hash, part| mix(hash ^ part));
        line.hashes[0].push(hash(&[gap.into(), place.into(), note.pitch.into(), length.into()]));
        line.hashes[1].push(hash(&[gap.into(), 200 + u64::from(note.pitch) - before]));
        line.played.push((note.onset, note.pitch));
        line.notes.push(number as u32);
    }

    /// Places of the instrument's line that resemble the one before a note; `lags` are as many steps ago.
    pub fn places(&self, question: Question, lags: [u32; LAGS], clock: Clock, found: &mut Vec<Place>) {
        let Question { note, instrument, is_drum, onset } = question;
        found.clear();
        let Some(line) = self.lines.get(usize::from(instrument)) else { return };
        let own = line.notes.partition_point(|number| (*number as usize) < note);
        let Some(last) = own.checked_sub(1) else { return };
        for order in orders(is_drum) {
            let (view, _) = ORDERS[order];
            // Of a note that is there already its own link says it: the latest may lie beyond.
            let latest = || self.latest.get(&line.context(own, order, instrument, onset, clock)?).copied();
            let is_there = line.notes.get(own).is_some_and(|number| *number as usize == note);
            let mut at = if is_there { line.links[order][own] } else { latest().unwrap_or(NOWHERE) };
            let most = match view {
                View::Whole => WHOLE,
                // As many by intervals as there are, however few whole matches there were.
                View::Interval => found.len().min(WHOLE) + BY_INTERVAL,
            };
            let (mut rank, mut steps) = (0, 0);
            while at != NOWHERE && found.len() < most && steps < 4 * WHOLE {
                steps += 1;
                let there = at as usize;
                let shift = match view {
                    View::Whole => 0,
                    View::Interval => i32::from(line.played[last].1) - i32::from(line.played[there - 1].1),
                };
                let note = line.notes[there] as usize;
                if !found.iter().any(|place| place.note == note && place.shift == shift) {
                    found.push(Place { note, shift, way: order, rank, matches: line.matches(own, there) });
                    rank += 1;
                }
                at = line.links[order][there];
            }
        }
        let of_moment = line.played[..own].iter().rev().take_while(|(at, _)| *at == onset).count();
        for (k, lag) in lags.into_iter().enumerate() {
            let Some(then) = onset.checked_sub(lag) else { break };
            let at = line.played[..own].partition_point(|(at, _)| *at < then) + of_moment;
            if line.played[..own].get(at).is_some_and(|(onset, _)| *onset == then) {
                let matches = line.matches(own, at);
                found.push(Place { note: line.notes[at] as usize, shift: 0, way: ORDERS.len() + k, rank: 0, matches });
            }
        }
    }
}

/// The orders that say something of an instrument: drums have no intervals.
fn orders(is_drum: bool) -> impl Iterator<Item = usize> {
    (0..ORDERS.len()).filter(move |order| !(is_drum && ORDERS[*order].0 == View::Interval))
}

impl Line {
    /// What stands before own note `at`, which begins at `onset`; `None` where there are fewer notes.
    fn context(&self, at: usize, order: usize, instrument: u8, onset: u32, clock: Clock) -> Option<u64> {
        let (view, length) = ORDERS[order];
        let before = &self.hashes[view as usize][at.checked_sub(length)?..at];
        let gap = clock.like(onset - self.played[at - 1].0);
        let known = [order as u64, instrument.into(), gap.into(), (onset % clock.places()).into()];
        Some(known.iter().chain(before).fold(mix(4), |hash, part| mix(hash ^ part)))
    }

    /// How many notes before own notes `a` and `b` are the same, in either view.
    fn matches(&self, a: usize, b: usize) -> [usize; 2] {
        std::array::from_fn(|view| {
            let hashes = &self.hashes[view];
            let pairs = hashes[..a].iter().rev().zip(hashes[..b].iter().rev()).take(LONGEST);
            pairs.take_while(|(a, b)| a == b).count()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock::Beats(4);
    const LAG: [u32; LAGS] = [4, 8, 16, 32, 64, 128];

    /// A bass of four notes, four times, the last time a fourth higher; above it a melody that never comes again.
    fn duo() -> Vec<Event> {
        let bass = [36u8, 43, 40, 41];
        let event = |onset, instrument, pitch| Event { onset, instrument, pitch, length: 4, level: 0 };
        let moment = |k: u32| {
            let moved = if k >= 12 { 5 } else { 0 };
            let melody = event(4 * k, 0, 60 + ((k * k) % 23) as u8);
            [melody, event(4 * k, 1, bass[k as usize % 4] + moved)]
        };
        (0..16).flat_map(moment).collect()
    }

    fn lines(notes: &[Event]) -> Lines {
        let mut lines = Lines::default();
        notes.iter().enumerate().for_each(|(k, note)| lines.push(k, note, false, CLOCK));
        lines
    }

    fn ask(lines: &Lines, notes: &[Event], note: usize) -> Vec<Place> {
        let Event { instrument, onset, .. } = notes[note];
        let mut found = Vec::new();
        lines.places(Question { note, instrument, is_drum: false, onset }, LAG, CLOCK, &mut found);
        found
    }

    #[test]
    fn a_line_comes_again_under_another_melody_also_moved() {
        let notes = duo();
        let lines = lines(&notes);
        // The last of the bass's third turn: as in the second and the first.
        let found = ask(&lines, &notes, 23);
        let whole: Vec<usize> = found.iter().filter(|place| place.way < 3).map(|place| place.note).collect();
        assert_eq!(whole, [15, 7]);
        assert_eq!(found[0].matches[0], 6, "the very first note has none before it");
        // The last moments are moved.
        let found = ask(&lines, &notes, 31);
        let moved: Vec<_> = found.iter().filter(|place| place.shift == 5).map(|place| place.note).collect();
        assert_eq!(moved, [23, 15, 7]);
        // A bar ago: the lag of 16 steps.
        assert!(found.iter().any(|place| place.way == ORDERS.len() + 2 && place.note == 23));
    }

    #[test]
    fn what_comes_later_changes_nothing() {
        let notes = duo();
        let whole = lines(&notes);
        let mut growing = Lines::default();
        for (j, note) in notes.iter().enumerate() {
            assert_eq!(ask(&whole, &notes, j), ask(&growing, &notes, j), "{j}");
            growing.push(j, note, false, CLOCK);
        }
    }
}
