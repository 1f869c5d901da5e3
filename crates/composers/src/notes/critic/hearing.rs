//! What the critic has heard of a piece that is being written: its notes moment by moment, and its bars.

use super::super::past::Past;
use cantus_encoding::note_events::{Clock, Event, number_of};
use cantus_model::critic::Turns;

/// Kinds of turns.
pub(in super::super) const KINDS: usize = 27;

/// The kinds, by what they are about.
mod kind {
    pub const SONORITY: usize = 0;
    pub const SPACING: usize = 1;
    pub const STRUCK: usize = 2;
    pub const PROGRESSION: usize = 3;
    pub const OUTER: usize = 4;
    pub const LASTING: usize = 5;
    pub const MELODY: usize = 6;
    pub const BASS: usize = 7;
    pub const RHYTHM: usize = 8;
    pub const OUTSIDE: usize = 9;
    pub const DEGREE: usize = 10;
    pub const USED: usize = 11;
    pub const UNLIKE: usize = 12;
    pub const LEAP: usize = 13;
    pub const RANGE: usize = 14;
    pub const DENSITY: usize = 15;
    pub const TEXTURE: usize = 16;
    pub const BEATS: usize = 17;
    /// Four of them, one for each of [`super::LAGS`].
    pub const AGAIN: usize = 18;
    pub const LENGTH: usize = 22;
    pub const REGISTER: usize = 23;
    pub const ENDING: usize = 24;
    pub const DRUMS: usize = 25;
    pub const DRUM_BEATS: usize = 26;
}

/// A passage, in beats: twelve bars of four.
pub(super) const PASSAGE: u32 = 48;
/// Larger intervals, in semitones, are all alike to those who listen to lines.
const WIDEST: i32 = 13;
/// Longer notes are all alike, in quarters of a beat.
const LONGEST: u32 = 32;
/// Bars after which a piece may say something again.
const LAGS: [usize; 4] = [1, 2, 4, 8];
/// How finely the likeness of two bars is told.
const LIKENESS: usize = 6;
/// The classes of a major scale, counted from its first.
const MAJOR: u64 = 0b1010_1011_0101;
/// Places of a beat that rhythms are told by at most.
const PLACES: u32 = 12;

/// What sounds at a time at which a note begins.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: u32,
    /// The lowest and the highest pitch.
    outer: (i32, i32),
    /// Pitch classes, counted from the lowest pitch's.
    classes: u64,
}

/// What has been heard so far.
#[derive(Clone, Debug)]
pub(in super::super) struct Hearing {
    clock: Clock,
    /// Notes and bars that were heard.
    notes: usize,
    bars: usize,
    /// Up to when.
    heard: u32,
    /// When this passage began.
    began: u32,
    /// What sounds: end, pitch.
    sounding: Vec<(u32, i32)>,
    /// The last two moments, the latest first.
    moments: [Option<Moment>; 2],
    /// When drums were last struck, and which.
    drums: Option<(u32, u64)>,
    /// How many notes of each pitch class were begun in the piece.
    classes: [u32; 12],
    /// Which pitch classes and which pitches there were in this passage.
    of_passage: (u16, u128),
    turns: Turns,
}

impl Hearing {
    /// Nothing yet.
    pub(in super::super) fn new(clock: Clock) -> Hearing {
        Hearing {
            clock,
            notes: 0,
            bars: 0,
            heard: 0,
            began: 0,
            sounding: Vec::new(),
            moments: [None; 2],
            drums: None,
            classes: [0; 12],
            of_passage: (0, 0),
            turns: Turns::new(KINDS),
        }
    }

    fn passage(&self) -> u32 {
        PASSAGE * self.clock.beat()
    }

    /// Hears a piece up to a time before which it is written. `closed` is told of each passage that ends there.
    pub(in super::super) fn upto(
        &mut self,
        weights: &[f32],
        past: &Past,
        is_drums: &dyn Fn(u8) -> bool,
        time: u32,
        closed: &mut dyn FnMut(&Hearing),
    ) {
        let notes = past.notes();
        loop {
            let next_bar = past.bars().get(self.bars).map(|bar| bar.end().0.min(u32::MAX.into()) as u32);
            let next_note = notes.get(self.notes).map(|note| note.onset);
            let (next_bar, next_note) = (next_bar.filter(|at| *at <= time), next_note.filter(|at| *at < time));
            let next = next_bar.into_iter().chain(next_note).min();
            let reached = next.unwrap_or(time);
            // A bar that is over belongs to the passage that is.
            let begins_another = next.is_some() && next_bar != next;
            while reached - self.began >= self.passage() + u32::from(!begins_another) {
                self.heard = self.began + self.passage();
                closed(self);
                self.turns.close();
                self.of_passage = (0, 0);
                self.began = self.heard;
            }
            self.heard = self.heard.max(reached);
            match next {
                None => return,
                Some(at) if next_bar == Some(at) => self.bar(weights, past, is_drums),
                Some(at) => {
                    let first = self.notes;
                    self.notes += notes[first..].iter().take_while(|note| note.onset == at).count();
                    self.struck(weights, &notes[first..self.notes], is_drums);
                }
            }
        }
    }

    /// The piece is over: how it ended.
    pub(in super::super) fn end(&mut self, weights: &[f32], past: &Past) {
        let [Some(last), before] = self.moments else { return };
        let first = self.scale(last.outer.0);
        let place = self.place_in_bar(past, last.at);
        let lasts = past.notes().iter().rev().find(|note| note.onset == last.at).map_or(0, |note| note.length);
        let mut hear = |what: &[u64]| self.turns.hear(weights, kind::ENDING, what);
        let top = ((last.outer.1 - last.outer.0) % 12) as u64;
        hear(&[0, first as u64, top]);
        hear(&[1, last.classes]);
        hear(&[2, place]);
        hear(&[3, u64::from(number_of(lasts))]);
        if let Some(before) = before {
            hear(&[4, first as u64, interval(before.outer.0, last.outer.0)]);
            hear(&[5, first as u64, interval(before.outer.1, last.outer.1)]);
        }
    }

    fn place_in_bar(&self, past: &Past, at: u32) -> u64 {
        let bar = past.bars().get(past.bar_at(at));
        bar.map_or(0, |bar| u64::from(at).saturating_sub(bar.start.0) / u64::from(self.clock.beat()))
    }

    /// The place in a beat, where time has beats.
    fn place(&self, at: u32) -> u64 {
        match self.clock {
            Clock::Beats(steps) => u64::from(at % u32::from(steps)),
            Clock::Seconds => 0,
        }
    }

    /// A span of time, in quarters of a beat or, where time has none, about as long.
    fn lasted(&self, from: u32, to: u32) -> u64 {
        match self.clock {
            Clock::Beats(steps) => u64::from((to - from).min(LONGEST * u32::from(steps) / 4)),
            Clock::Seconds => u64::from(self.clock.like(to - from)),
        }
    }

    /// The scale that holds most of what was begun so far: how far above `low` it begins. It is major, or minor on its sixth.
    fn scale(&self, low: i32) -> i32 {
        let inside = |first: &i32| -> u32 {
            (0..12)
                .filter(|k| MAJOR >> k & 1 == 1)
                .map(|k| self.classes[(low + first + k).rem_euclid(12) as usize])
                .sum()
        };
        // Of equals the nearest above, so that nothing depends on the key itself.
        (0..12).rev().max_by_key(inside).unwrap_or(0)
    }

    /// Notes that begin together.
    fn struck(&mut self, weights: &[f32], notes: &[Event], is_drums: &dyn Fn(u8) -> bool) {
        let at = notes[0].onset;
        let drums = notes.iter().filter(|note| is_drums(note.instrument));
        let drums = drums.fold(0u64, |all, note| all | 1 << (note.pitch % 64));
        if drums != 0 {
            self.turns.hear(weights, kind::DRUMS, &[drums, self.place(at)]);
            if let Some((before, last)) = self.drums {
                self.turns.hear(weights, kind::DRUM_BEATS, &[drums, last, self.lasted(before, at)]);
            }
            self.drums = Some((at, drums));
        }
        let pitched = || notes.iter().filter(|note| !is_drums(note.instrument));
        if pitched().next().is_some() {
            self.sounding.retain(|(end, _)| *end > at);
            self.sounding.extend(pitched().map(|note| (note.end(), i32::from(note.pitch))));
            self.moment(weights, at, &pitched().copied().collect::<Vec<Event>>());
        }
    }

    fn moment(&mut self, weights: &[f32], at: u32, struck: &[Event]) {
        let mut pitches: Vec<i32> = self.sounding.iter().map(|(_, pitch)| *pitch).collect();
        pitches.sort_unstable();
        pitches.dedup();
        let low = pitches[0];
        let c = Moment {
            at,
            outer: (low, pitches[pitches.len() - 1]),
            classes: pitches.iter().fold(0, |classes, pitch| classes | 1 << ((pitch - low) % 12)),
        };
        let spacing = pitches.windows(2).fold(0u64, |all, pair| (all << 6) + (pair[1] - pair[0]) as u64);
        for note in struck {
            self.classes[usize::from(note.pitch) % 12] += 1;
            self.of_passage.0 |= 1 << (note.pitch % 12);
            self.of_passage.1 |= 1 << note.pitch;
        }
        let first = self.scale(low);
        let is_outside = |note: &&Event| MAJOR >> (i32::from(note.pitch) - low - first).rem_euclid(12) & 1 == 0;
        let outside = struck.iter().filter(is_outside).count();
        let [b, a] = self.moments;
        let (classes, used) = self.of_passage;
        let place = self.place(at);
        let top = struck.iter().map(|note| note.pitch).max().unwrap_or(0);
        let lasted = |from: &Moment, to: &Moment| self.lasted(from.at, to.at);
        let spans = [b.map(|b| lasted(&b, &c)), b.zip(a).map(|(b, a)| lasted(&a, &b))];
        let place_of_a = a.map_or(0, |a| self.place(a.at));
        let lengths: Vec<[u64; 3]> = struck
            .iter()
            .map(|note| [self.lasted(note.onset, note.end()), place, u64::from(note.pitch == top)])
            .collect();
        let mut hear = |kind: usize, what: &[u64]| self.turns.hear(weights, kind, what);
        hear(kind::SONORITY, &[c.classes]);
        hear(kind::SPACING, &[spacing]);
        hear(kind::STRUCK, &[struck.len() as u64, place]);
        hear(kind::OUTSIDE, &[outside as u64]);
        hear(kind::DEGREE, &[first as u64, c.classes]);
        hear(kind::USED, &[u64::from(classes.count_ones()), u64::from(used.count_ones()) / 3]);
        hear(kind::REGISTER, &[0, c.outer.0 as u64 / 4]);
        hear(kind::REGISTER, &[1, u64::from(top) / 4]);
        lengths.iter().for_each(|length| hear(kind::LENGTH, length));
        if let (Some(b), Some(since)) = (b, spans[0]) {
            let (bass, top) = (interval(b.outer.0, c.outer.0), interval(b.outer.1, c.outer.1));
            hear(kind::PROGRESSION, &[b.classes, bass, c.classes]);
            hear(kind::OUTER, &[bass, top]);
            hear(kind::LASTING, &[since, place]);
            hear(kind::LEAP, &[0, (c.outer.1 - b.outer.1).unsigned_abs().min(47).into()]);
            hear(kind::LEAP, &[1, (c.outer.0 - b.outer.0).unsigned_abs().min(47).into()]);
            if let (Some(a), Some(before)) = (a, spans[1]) {
                hear(kind::MELODY, &[interval(a.outer.1, b.outer.1), before, top, since]);
                hear(kind::BASS, &[interval(a.outer.0, b.outer.0), bass]);
                hear(kind::RHYTHM, &[before, since, place_of_a]);
            }
        }
        self.moments = [Some(c), b];
    }

    /// The next bar is over.
    fn bar(&mut self, weights: &[f32], past: &Past, is_drums: &dyn Fn(u8) -> bool) {
        let number = self.bars;
        self.bars += 1;
        let beat = self.clock.beat();
        let of_bar = |number: usize| -> Vec<(u32, u8, u32)> {
            let bar = &past.bars()[number];
            let notes = past.notes();
            let from = notes.partition_point(|note| u64::from(note.onset) < bar.start.0);
            let to = notes.partition_point(|note| u64::from(note.onset) < bar.end().0);
            let inside = notes[from..to].iter().filter(|note| !is_drums(note.instrument));
            let start = bar.start.0 as u32;
            inside.map(|note| (note.onset - start, note.pitch, note.length)).collect()
        };
        let here = of_bar(number);
        let length = past.bars()[number].length.0.max(1);
        let beats = (length as f64 / f64::from(beat)).max(0.25);
        let mut onsets: Vec<u32> = here.iter().map(|note| note.0).collect();
        onsets.dedup();
        let mut hear = |kind: usize, what: &[u64]| self.turns.hear(weights, kind, what);
        hear(kind::DENSITY, &[(2.0 * onsets.len() as f64 / beats).round() as u64]);
        let together = here.len() as f64 / onsets.len().max(1) as f64;
        let sounding: f64 = here.iter().map(|note| f64::from(note.2)).sum::<f64>() / length as f64;
        hear(kind::TEXTURE, &[0, (2.0 * together).round() as u64]);
        hear(kind::TEXTURE, &[1, (2.0 * sounding).round().min(24.0) as u64]);
        let silent = (0..(length / u64::from(beat)).min(64) as u32).filter(|number| {
            // What is held from the bar before is not looked for: it is seldom all that sounds.
            let (from, to) = (number * beat, (number + 1) * beat);
            !here.iter().any(|note| note.0 < to && note.0 + note.2 > from)
        });
        hear(kind::TEXTURE, &[2, silent.count() as u64]);
        let used = self.of_passage.1;
        if used != 0 {
            hear(kind::RANGE, &[u64::from(used.ilog2() - used.trailing_zeros()) / 4]);
        }
        let rhythm = |onsets: &[u32], beat_number: u32| {
            let places = beat.min(PLACES);
            let inside = onsets.iter().filter(|onset| *onset / beat == beat_number);
            inside.fold(0u64, |all, onset| all | 1 << (onset % beat * places / beat))
        };
        let last_beat = (length / u64::from(beat)).min(64) as u32;
        for number in 1..last_beat {
            hear(kind::BEATS, &[rhythm(&onsets, number - 1), rhythm(&onsets, number)]);
        }
        for (k, lag) in LAGS.into_iter().enumerate() {
            let Some(before) = number.checked_sub(lag) else { continue };
            if past.bars()[before].length.0 != length {
                continue;
            }
            let there = of_bar(before);
            if lag == 1 {
                let mut others: Vec<u32> = there.iter().map(|note| note.0).collect();
                others.dedup();
                let common = onsets.iter().filter(|onset| others.contains(onset)).count();
                hear(kind::UNLIKE, &[((onsets.len() + others.len() - 2 * common) as f64 * 4.0 / beats).round() as u64]);
            }
            if let Some(alike) = likeness(&here, &there) {
                hear(kind::AGAIN + k, &[(alike * LIKENESS as f64) as u64]);
            }
        }
    }

    /// How much more likely it is, as a logarithm, that the corpus has what was heard than that the network writes it. A passage that is
    /// only begun counts for as much as there is of it.
    pub(in super::super) fn verdict(&self) -> f64 {
        self.turns.verdict(self.begun())
    }

    /// The roots of how often turns occur in the passage that is being heard; the squares of each kind's sum to 1.
    pub(super) fn turns(&self) -> Vec<(usize, f64)> {
        self.turns.roots()
    }

    /// The share of this passage that has been heard, 0-1.
    pub(super) fn begun(&self) -> f64 {
        f64::from(self.heard - self.began) / f64::from(self.passage())
    }
}

fn interval(from: i32, to: i32) -> u64 {
    (to - from).clamp(-WIDEST, WIDEST) as u64
}

/// Of what two bars strike, the share that both do: places and pitch classes; `None` where both are silent.
fn likeness(here: &[(u32, u8, u32)], there: &[(u32, u8, u32)]) -> Option<f64> {
    let set = |notes: &[(u32, u8, u32)]| {
        let mut set: Vec<(u32, u8)> = notes.iter().map(|note| (note.0, note.1 % 12)).collect();
        set.sort_unstable();
        set.dedup();
        set
    };
    let (here, there) = (set(here), set(there));
    let common = here.iter().filter(|note| there.binary_search(note).is_ok()).count();
    let all = here.len() + there.len() - common;
    (all > 0).then(|| common as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_model::critic::Critic;
    use cantus_score::{Bar, Meter, Ticks};

    /// Two chords in turn, a quarter each, from above; a melody in eighths over them.
    fn music(beats: u32, up: u8) -> Past {
        let bars = 0..u64::from(beats).div_ceil(4);
        let bars = bars.map(|k| Bar { start: Ticks(16 * k), length: Ticks(16), meter: Meter::COMMON }).collect();
        let chords: [&[u8]; 2] = [&[72, 64, 48], &[71, 62, 43]];
        let note = |onset, pitch: u8, length| Event { onset, instrument: 0, pitch: pitch + up, length, level: 0 };
        let of_beat = |beat: u32| {
            let chord = chords[beat as usize % 2].iter().map(move |pitch| note(4 * beat, *pitch, 4));
            chord.chain([note(4 * beat + 2, 67, 2)])
        };
        let notes: Vec<Event> = (0..beats).flat_map(of_beat).collect();
        Past::of(&notes, bars, Clock::Beats(4), |_| false)
    }

    fn heard(past: &Past, weights: &[f32], times: &[u32]) -> Hearing {
        let mut hearing = Hearing::new(Clock::Beats(4));
        times.iter().for_each(|time| hearing.upto(weights, past, &|_| false, *time, &mut |_| ()));
        hearing
    }

    #[test]
    fn what_is_heard_does_not_depend_on_how_often_one_listens_and_passages_close_once() {
        let weights: Vec<f32> = (0..Critic::indifferent(KINDS).weights().len()).map(|k| (k % 7) as f32 - 3.0).collect();
        let past = music(2 * PASSAGE + 8, 0);
        let end = 4 * (2 * PASSAGE + 8);
        let steps: Vec<u32> = (0..=end).step_by(3).chain([end]).collect();
        let (once, often) = (heard(&past, &weights, &[end]), heard(&past, &weights, &steps));
        assert_eq!(once.turns(), often.turns());
        assert!((once.verdict() - often.verdict()).abs() < 1e-9 && once.verdict().abs() > 0.1);
        let mut closed = Vec::new();
        let mut hearing = Hearing::new(Clock::Beats(4));
        hearing.upto(&weights, &past, &|_| false, end, &mut |hearing| closed.push(hearing.heard));
        assert_eq!(closed, [4 * PASSAGE, 8 * PASSAGE]);
        assert!((hearing.begun() - 8.0 / f64::from(PASSAGE)).abs() < 1e-9);
        // A whole passage is not closed before the next note: its end belongs to it.
        let whole = heard(&music(PASSAGE, 0), &weights, &[4 * PASSAGE]);
        assert!((whole.begun() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn music_in_another_key_is_heard_as_the_same_but_for_its_register() {
        let weights = Critic::indifferent(KINDS).weights().to_vec();
        let of = |up: u8| heard(&music(24, up), &weights, &[96]);
        let (still, moved) = (of(0), of(5));
        let register = |hearing: &Hearing| hearing.turns.count(kind::REGISTER, &[0, 43 / 4]);
        assert_eq!((register(&still), register(&moved)), (24, 0));
        let rest = |hearing: &Hearing| {
            let turns = hearing.turns().into_iter();
            turns.filter(|(turn, _)| turn / (weights.len() / KINDS) != kind::REGISTER).collect::<Vec<_>>()
        };
        assert_eq!(rest(&still), rest(&moved));
    }

    #[test]
    fn bars_that_come_again_and_rhythms_are_heard() {
        let weights = Critic::indifferent(KINDS).weights().to_vec();
        let hearing = heard(&music(24, 0), &weights, &[96]);
        let count = |kind: usize, what: &[u64]| hearing.turns.count(kind, what);
        // Six bars, all the same.
        assert_eq!((count(kind::AGAIN, &[6]), count(kind::AGAIN + 2, &[6]), count(kind::UNLIKE, &[0])), (5, 2, 5));
        assert_eq!(count(kind::DENSITY, &[4]), 6);
        assert_eq!(count(kind::BEATS, &[0b101, 0b101]), 18);
        // All is in the scale; four chord notes and one of the melody for each beat.
        assert_eq!(
            (count(kind::OUTSIDE, &[0]), count(kind::STRUCK, &[3, 0]), count(kind::STRUCK, &[1, 2])),
            (48, 24, 24)
        );
    }
}
