//! The notes of a piece so far, and which earlier places resemble the present.

use super::lines::{LAGS, Lines, Place, Question};
use super::texture::{LOOK, Texture, Textures};
use cantus_encoding::note_events::{Clock, Event};
use cantus_model::Styles;
use cantus_nn::random::mix;
use cantus_score::{Bar, Note, Pitch, Ticks, Velocity};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Lengths of context that are looked up: of whole notes, then of intervals.
const ORDERS: [(View, usize); 7] = [
    (View::Whole, 8),
    (View::Whole, 4),
    (View::Whole, 2),
    (View::Whole, 1),
    (View::Interval, 7),
    (View::Interval, 4),
    (View::Interval, 2),
];
/// Candidates by whole notes, and by intervals.
const WHOLE: usize = 14;
const BY_INTERVAL: usize = 8;
/// The longest match that is told from a longer one.
const LONGEST: usize = 64;
/// Bars before the end from which on a piece takes leave.
const LEAVE: usize = 4;
const NOWHERE: u32 = u32::MAX;

/// As what notes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// Time since the note before, place in the quarter, instrument, pitch, length.
    Whole,
    /// Time since the note before, instrument, interval from the note with a pitch before; drums as they are.
    Interval,
}

/// A piece up to some note, or all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    notes: Vec<Event>,
    bars: Vec<Bar>,
    clock: Option<Clock>,
    /// Of each note, as each view has it.
    hashes: [Vec<u64>; 2],
    /// For each order, the note before which the same context was last.
    links: [Vec<u32>; ORDERS.len()],
    latest: HashMap<(u8, u64), u32>,
    lines: Lines,
    /// The pitch of each note; of a drum that of the note with a pitch before.
    pitches: Vec<u8>,
    /// Bars that the piece is taken to go on for after its last.
    beyond: usize,
    /// How busy it is, or is to be; of none nobody says.
    textures: Textures,
    /// Its style, or those which it is to have.
    styles: Styles,
    /// How often each pitch class came before each note and after the last one; drums do not count.
    classes: Vec<[u32; 12]>,
}

/// An earlier place whose note may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The note that came there.
    pub note: usize,
    /// The time there that is the present here.
    pub base: u32,
    /// By how much its pitch is moved.
    pub shift: i32,
    /// How it was found: an order, or beyond them a lag.
    pub way: usize,
    /// Of those found so, the first, the second ...
    pub rank: usize,
    /// How many notes before the two places are the same, as whole notes and by intervals.
    pub matches: [usize; 2],
}

/// Ways in which a place is found: the orders, then lags of 1 and 2 quarters, then of 1, 2, 4 and 8 bars; then such lags once the moment
/// is known.
pub(super) const WAYS: usize = ORDERS.len() + 2 * LAGS;

impl Past {
    /// A piece without a note.
    pub fn new(bars: Vec<Bar>, clock: Clock) -> Past {
        Past { bars, clock: Some(clock), classes: vec![[0; 12]], ..Past::default() }
    }

    /// A whole piece.
    pub fn of(notes: &[Event], bars: Vec<Bar>, clock: Clock, is_drums: impl Fn(u8) -> bool) -> Past {
        let mut past = Past::new(bars, clock);
        notes.iter().for_each(|note| past.push(*note, is_drums(note.instrument)));
        past
    }

    /// The next note.
    pub fn push(&mut self, note: Event, is_drum: bool) {
        let at = self.notes.len();
        let before = self.notes.last().copied();
        let clock = self.clock();
        let gap = before.map_or(u64::MAX, |before| u64::from(clock.like(note.onset - before.onset)));
        let instrument = u64::from(note.instrument);
        let place = u64::from(note.onset % clock.places());
        // No player holds a key as long again to the hundredth.
        let length = if clock == Clock::Seconds { 0 } else { note.length };
        let whole = [gap, place, instrument, u64::from(note.pitch), u64::from(length)];
        let pitch_before = self.pitches.last().copied();
        let interval = match pitch_before {
            _ if is_drum => 1000 + u64::from(note.pitch),
            Some(before) => 200 + u64::from(note.pitch) - u64::from(before),
            None => 0,
        };
        self.lines.push(at, &note, is_drum, clock);
        self.pitches.push(if is_drum { pitch_before.unwrap_or(note.pitch) } else { note.pitch });
        let hash = |parts: &[u64]| parts.iter().fold(mix(1), |hash, part| mix(hash ^ part));
        self.hashes[0].push(hash(&whole));
        self.hashes[1].push(hash(&[gap, instrument, interval]));
        self.notes.push(note);
        for (order, (view, length)) in ORDERS.into_iter().enumerate() {
            let hashes = &self.hashes[view as usize];
            let link = if at + 1 < length {
                NOWHERE
            } else {
                let context = hashes[at + 1 - length..].iter().fold(mix(2), |hash, part| mix(hash ^ part));
                self.latest.insert((order as u8, context), at as u32).unwrap_or(NOWHERE)
            };
            self.links[order].push(link);
        }
        let mut classes = self.classes.last().copied().unwrap_or_default();
        if !is_drum {
            classes[usize::from(note.pitch) % 12] += 1;
        }
        self.classes.push(classes);
    }

    /// Ends notes of an instrument that would sound beside one that begins at `time`, the earliest first, until fewer than `most` do.
    pub fn give_way(&mut self, instrument: u8, time: u32, most: usize) {
        let latest = self.notes.len().saturating_sub(LOOK);
        let held = |note: &Event| note.instrument == instrument && note.onset < time && note.end() > time;
        let count =
            self.notes[latest..].iter().filter(|note| note.instrument == instrument && note.end() > time).count();
        let too_many = (count + 1).saturating_sub(most);
        let held = self.notes[latest..].iter_mut().filter(|note| held(note)).take(too_many);
        held.for_each(|note| note.length = time - note.onset);
    }

    fn clock(&self) -> Clock {
        self.clock.unwrap_or(Clock::Seconds)
    }

    pub fn notes(&self) -> &[Event] {
        &self.notes
    }

    /// The notes that have a pitch, as they sound, in steps.
    pub fn pitched(&self, is_drums: impl Fn(u8) -> bool) -> Vec<Note> {
        let note = |note: &Event| Note {
            onset: Ticks(note.onset.into()),
            duration: Ticks(note.length.into()),
            pitch: Pitch::try_from(note.pitch).unwrap_or(Pitch::C4),
            velocity: Velocity::DEFAULT,
        };
        self.notes.iter().filter(|note| !is_drums(note.instrument)).map(note).collect()
    }

    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// How many bars are left after one. A piece that is shorter than those of its corpus does not take leave from its beginning on:
    /// until its last bars it goes on as if it had `beyond` more.
    pub fn left(&self, bar: usize) -> usize {
        let left = self.bars.len().saturating_sub(1 + bar);
        if left < LEAVE { left } else { left + self.beyond }
    }

    /// The same piece, taken to go on for so many bars more.
    pub fn going_on(self, beyond: usize) -> Past {
        Past { beyond, ..self }
    }

    /// The same piece, and how busy it is, or is to be.
    pub fn with_textures(self, textures: Textures) -> Past {
        Past { textures, ..self }
    }

    /// The same piece, and its style, or those which it is to have.
    pub fn in_styles(self, styles: Styles) -> Past {
        Past { styles, ..self }
    }

    /// Its style, or those which it is to have, where somebody says.
    pub fn styles(&self) -> &Styles {
        &self.styles
    }

    /// How busy it is, stretch by stretch.
    pub fn textures(&self) -> &Textures {
        &self.textures
    }

    /// How busy the stretch around a time is, where somebody says, and when it begins.
    pub fn stretch(&self, time: u32) -> Option<(u32, Texture)> {
        self.textures.stretch(time, self.clock())
    }

    /// How busy it is at a time, where somebody says.
    pub fn texture(&self, time: u32) -> Option<Texture> {
        self.textures.at(time, self.clock())
    }

    /// How much of the notes before note `j` is of each pitch class.
    pub fn classes(&self, j: usize) -> [f32; 12] {
        let counts = self.classes[j];
        let total = counts.iter().sum::<u32>().max(1) as f32;
        counts.map(|count| count as f32 / total)
    }

    /// The bar that holds a time, by its number; the last one beyond the end.
    pub fn bar_at(&self, time: u32) -> usize {
        self.bars.partition_point(|bar| bar.start.0 <= u64::from(time)).saturating_sub(1)
    }

    /// How many notes before notes `i` and `s` are the same, in a view.
    fn matching(&self, view: View, i: usize, s: usize) -> usize {
        let hashes = &self.hashes[view as usize];
        let pairs = hashes[..i].iter().rev().zip(hashes[..s].iter().rev()).take(LONGEST);
        pairs.take_while(|(a, b)| a == b).count()
    }

    /// Earlier places that resemble the one before note `j`.
    pub fn candidates(&self, j: usize, found: &mut Vec<Earlier>) {
        found.clear();
        let Some(last) = j.checked_sub(1) else { return };
        let found_at =
            |found: &Vec<Earlier>, note: usize, shift: i32| found.iter().any(|e| e.note == note && e.shift == shift);
        for (way, (view, _)) in ORDERS.into_iter().enumerate() {
            let (most, so_far) = match view {
                View::Whole => (WHOLE, 0),
                View::Interval => (WHOLE + BY_INTERVAL, found.len().min(WHOLE)),
            };
            // As many by intervals as there are, however few whole matches there were.
            let most = if view == View::Interval { most.min(so_far + BY_INTERVAL) } else { most };
            let mut at = self.links[way][last];
            let (mut rank, mut steps) = (0, 0);
            while at != NOWHERE && found.len() < most && steps < 4 * WHOLE {
                steps += 1;
                let before = self.notes[at as usize];
                let note = at as usize + 1;
                let shift = match view {
                    View::Whole => 0,
                    View::Interval => i32::from(self.pitches[last]) - i32::from(self.pitches[at as usize]),
                };
                if !found_at(found, note, shift) {
                    let matches = [View::Whole, View::Interval].map(|view| self.matching(view, j, note));
                    found.push(Earlier { note, base: before.onset, shift, way, rank, matches });
                    rank += 1;
                }
                at = self.links[way][at as usize];
            }
        }
        self.by_time(j, found);
    }

    /// A beat, two beats, a bar, two, four and eight of them, at a time.
    fn lags(&self, time: u32) -> [u32; LAGS] {
        let beat = self.clock().beat();
        let bar = self.bars.get(self.bar_at(time)).map_or(4 * beat, |bar| bar.length.0.min(1 << 24) as u32);
        [beat, 2 * beat, bar, 2 * bar, 4 * bar, 8 * bar]
    }

    /// The first of the notes before note `j` that begins at `then` and comes after a note in the order of a moment, or begins later.
    fn next_after(&self, j: usize, then: u32, before: Option<&Event>) -> Option<usize> {
        let order = |note: &Event| (note.instrument, Reverse(note.pitch));
        let first = self.notes[..j].partition_point(|note| note.onset < then);
        let comes = |note: &Event| note.onset > then || before.is_none_or(|before| order(note) > order(before));
        self.notes[first..j].iter().position(comes).map(|k| first + k)
    }

    fn at_lag(&self, j: usize, note: usize, base: u32, way: usize) -> Earlier {
        let matches = [View::Whole, View::Interval].map(|view| self.matching(view, j, note));
        Earlier { note, base, shift: 0, way: ORDERS.len() + way, rank: 0, matches }
    }

    /// What followed so many quarters or bars ago.
    fn by_time(&self, j: usize, found: &mut Vec<Earlier>) {
        let last = &self.notes[j - 1];
        for (k, lag) in self.lags(last.onset).into_iter().enumerate() {
            let Some(then) = last.onset.checked_sub(lag) else { break };
            found.extend(self.next_after(j, then, Some(last)).map(|note| self.at_lag(j, note, then, k)));
        }
    }

    /// What came so many quarters or bars before `onset`, at which note `j` begins.
    pub fn at_moment(&self, j: usize, onset: u32, found: &mut Vec<Earlier>) {
        let last = self.notes[..j].last().filter(|last| last.onset == onset);
        for (k, lag) in self.lags(onset).into_iter().enumerate() {
            let Some(then) = onset.checked_sub(lag) else { break };
            let next = self.next_after(j, then, last).filter(|note| self.notes[*note].onset == then);
            found.extend(next.map(|note| self.at_lag(j, note, then, LAGS + k)));
        }
    }

    /// Places of an instrument's own line that resemble the one before a note.
    pub fn of_line(&self, question: Question, found: &mut Vec<Place>) {
        self.lines.places(question, self.lags(question.onset), self.clock(), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Meter, Ticks};

    fn bars(count: u64) -> Vec<Bar> {
        (0..count).map(|k| Bar { start: Ticks(16 * k), length: Ticks(16), meter: Meter::COMMON }).collect()
    }

    fn note(onset: u32, pitch: u8) -> Event {
        Event { onset, instrument: 0, pitch, length: 4, level: 0 }
    }

    /// A motif of five notes, again, and again a fourth higher.
    fn piece() -> Past {
        let motif = [0u8, 2, 4, 7, 4];
        let notes: Vec<Event> =
            (0..15).map(|k| note(4 * k, 60 + motif[k as usize % 5] + if k >= 10 { 5 } else { 0 })).collect();
        Past::of(&notes, bars(5), Clock::Beats(4), |_| false)
    }

    #[test]
    fn what_came_again_is_found_and_what_was_moved_is_found_moved() {
        let past = piece();
        let mut found = Vec::new();
        past.candidates(8, &mut found);
        // After three notes of the motif, the fourth.
        let best = found.iter().max_by_key(|e| e.matches[0]).unwrap();
        assert_eq!((best.note, best.shift, best.base), (3, 0, 8));
        assert_eq!(best.matches[0], 2, "the first note of the piece has no note before it");
        past.candidates(13, &mut found);
        let moved: Vec<_> = found.iter().filter(|e| e.shift == 5 && e.matches[1] >= 2).map(|e| e.note).collect();
        assert_eq!(moved, [8, 3]);
        assert!(found.iter().all(|e| e.note < 13));
    }

    #[test]
    fn lags_count_quarters_and_bars() {
        let past = piece();
        let mut found = Vec::new();
        past.candidates(9, &mut found);
        let of = |way: usize| found.iter().find(|e| e.way == ORDERS.len() + way).map(|e| (e.note, e.base));
        // The present is quarter 8: a quarter ago, two quarters, a bar, two bars. What stands there is lower than the note that is there
        // now, and so in the order of a moment comes after it.
        assert_eq!(
            [of(0), of(1), of(2), of(3), of(4)],
            [Some((7, 28)), Some((6, 24)), Some((4, 16)), Some((0, 0)), None]
        );
        // After the lower note of quarter 9 the higher one of a quarter ago has gone by: what comes is the next moment.
        past.candidates(10, &mut found);
        let a_quarter_ago = found.iter().find(|e| e.way == ORDERS.len());
        assert_eq!(a_quarter_ago.map(|e| (e.note, e.base)), Some((9, 32)));
    }

    #[test]
    fn what_sounds_gives_way_where_there_are_no_more_voices() {
        let mut past = Past::of(&[note(0, 60), note(2, 64), note(3, 67)], bars(1), Clock::Beats(4), |_| false);
        let lengths = |past: &Past| past.notes().iter().map(|note| note.length).collect::<Vec<_>>();
        past.give_way(0, 3, 4);
        past.give_way(1, 3, 1);
        assert_eq!(lengths(&past), [4, 4, 4]);
        past.give_way(0, 3, 3);
        assert_eq!(lengths(&past), [3, 4, 4]);
        past.give_way(0, 5, 1);
        assert_eq!(lengths(&past), [3, 3, 2]);
    }

    #[test]
    fn a_short_piece_takes_leave_in_its_last_bars_alone() {
        let past = Past::new(bars(8), Clock::Beats(4));
        assert_eq!([0, 3, 4, 7].map(|bar| past.left(bar)), [7, 4, 3, 0]);
        let past = past.going_on(20);
        assert_eq!([0, 3, 4, 7].map(|bar| past.left(bar)), [27, 24, 3, 0]);
    }

    #[test]
    fn what_comes_later_changes_nothing() {
        let whole = piece();
        let mut growing = Past::new(bars(5), Clock::Beats(4));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (j, note) in whole.notes().iter().enumerate() {
            whole.candidates(j, &mut a);
            growing.candidates(j, &mut b);
            assert_eq!(a, b, "{j}");
            assert_eq!(whole.classes(j), growing.classes(j));
            growing.push(*note, false);
        }
    }
}
