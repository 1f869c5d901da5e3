//! Writing around what is given: bars anew, or some parts of them, while all else stays.
//!
//! What is given is read in its place as if it had been drawn, so that what is written hears it; what is still to come is heard through
//! the drafts, of which those go on that make it likely (`drafts.rs`).

use super::{NoteComposer, named};
use crate::notes::past::Past;
use cantus_encoding::note_events::{Clock, Event, Instrument, encode};
use cantus_model::{ComposeError, Given, merged_on_grid};
use cantus_score::{
    Bar, Note, Outer, Part, Pitch, STEPS_PER_SECOND, Score, Ticks, Velocity, outer_line, performed, quantize,
};
use std::collections::{BTreeMap, BTreeSet};

/// Bars after what is written that are heard, too.
const HEARD_BARS: usize = 2;
/// Where fewer than one of so many notes give way, what is written has no pattern there.
const SELDOM: usize = 8;
/// Later steps than this are one: what a file says of times is not believed beyond it.
const LATEST: u64 = u32::MAX as u64 / 4;
/// A part that plays one note at a time has two only where each other one lies further away than so many semitones.
const BUSY: u32 = 18;
/// Voices of a piece of a single part: its highest line, and the rest.
const LINES: usize = 2;

/// A piece of which some is to be written.
pub(super) struct Filling {
    /// What is given of it, as a score.
    kept: Score,
    /// The same as notes, in order, and all notes that there were.
    pub given: Vec<Event>,
    pub all: Vec<Event>,
    /// All bars, in steps; and in ticks of the score.
    pub bars: Vec<Bar>,
    ticks: Vec<Bar>,
    /// For each bar the instruments that are written in it: bit k.
    wanted: Vec<u128>,
    /// The instruments that are written anywhere.
    pub written: u128,
    /// For each bar the parts that are.
    parts: Vec<Vec<usize>>,
    /// The middle key of each part, and its middle loudness.
    middles: Vec<(u8, Velocity)>,
    /// Whether each part plays one note at a time.
    lines: Vec<bool>,
    /// Whether something stood in each part where it is written anew.
    stood: Vec<bool>,
    /// A line that all else stays under: onsets, ends, keys.
    line: Vec<(u32, u32, u8)>,
    /// When nothing more is heard.
    pub end: u32,
    pub remarks: Vec<String>,
}

impl Filling {
    /// What a request gives.
    ///
    /// # Errors
    /// [`ComposeError`]: parts that are not there, nothing to write, or nothing that it could be written for.
    pub fn of(composer: &NoteComposer, asked: &Given) -> Result<Filling, ComposeError> {
        let source = asked.score();
        let is_single = source.parts.len() == 1;
        let voices = if is_single { LINES } else { source.parts.len() };
        if let Some(voice) = asked.named().filter_map(|cell| cell.voice).find(|voice| *voice >= voices) {
            return Err(ComposeError::Voice { voice: voice + 1, voices });
        }
        let numbered: Vec<(usize, Bar)> = source.numbered_bars().collect();
        let bar_of = |at: Ticks| numbered.partition_point(|(_, bar)| bar.start <= at).saturating_sub(1);
        let number = |bar: usize| numbered.get(bar).map_or(0, |(number, _)| *number);
        let fine = source.ticks_per_quarter;
        let line = source.parts.first().filter(|part| is_single && !part.drums);
        let line = line.map(|part| outer_line(&part.notes, Outer::Highest, fine, fine)).unwrap_or_default();
        let in_line: BTreeSet<(Ticks, Pitch)> = line.iter().map(|note| (note.onset, note.pitch)).collect();
        let is_in_line = |note: &Note| in_line.contains(&(note.onset, note.pitch));
        let voice_of = |part: usize, note: &Note| if is_single { usize::from(!is_in_line(note)) } else { part };
        let mut kept = source.clone();
        for (k, part) in kept.parts.iter_mut().enumerate() {
            let before = std::mem::take(&mut part.notes);
            part.notes =
                before.iter().filter(|n| asked.has(voice_of(k, n), number(bar_of(n.onset)))).copied().collect();
            forget(part, &before);
        }
        let stood = source.parts.iter().zip(&kept.parts).map(|(was, is)| was.notes.len() > is.notes.len()).collect();
        let lines = source.parts.iter().map(Part::is_one_line).collect();
        let is_wanted = |part: usize, bar: usize| {
            if is_single {
                (0..LINES).any(|voice| !asked.has(voice, number(bar)))
            } else {
                !asked.has(part, number(bar))
            }
        };
        let parts: Vec<Vec<usize>> = (0..numbered.len())
            .map(|bar| (0..source.parts.len()).filter(|part| is_wanted(*part, bar)).collect())
            .collect();
        let tempo = source.tempo_map();
        let clock = composer.clock();
        let steps = |at: Ticks| -> u64 {
            let steps = match clock {
                Clock::Seconds => (tempo.seconds(at) * f64::from(STEPS_PER_SECOND)).round() as u64,
                Clock::Beats(_) => at.rescale(fine, clock.ticks_per_quarter()).0,
            };
            steps.min(LATEST)
        };
        let ticks: Vec<Bar> = numbered.iter().map(|(_, bar)| *bar).collect();
        let in_steps = |bar: &Bar| {
            let (start, end) = (steps(bar.start), steps(bar.end()));
            Bar { start: Ticks(start), length: Ticks(end - start), meter: bar.meter }
        };
        let bars: Vec<Bar> = ticks.iter().map(in_steps).collect();
        let instrument = |part: usize| composer.instrument_of(&source.parts[part]);
        // What goes with a melody is played by whoever plays with its instrument in most pieces.
        let together = instrument(0).filter(|_| is_single).map_or(0, |number| composer.ensemble(number));
        let of_bar = |(bar, parts): (usize, &Vec<usize>)| {
            let own = parts.iter().filter_map(|part| instrument(*part)).fold(0u128, |all, number| all | 1 << number);
            if is_single && !asked.has(LINES - 1, number(bar)) { own | together } else { own }
        };
        let wanted: Vec<u128> = parts.iter().enumerate().map(of_bar).collect();
        let Some(last) = wanted.iter().rposition(|wanted| *wanted != 0) else {
            return Err(match parts.iter().flatten().next() {
                None => ComposeError::EverythingGiven,
                Some(part) => ComposeError::Instrument {
                    asked: named(&Instrument::of(&source.parts[*part])).to_owned(),
                    known: composer.instruments(),
                },
            });
        };
        let heard = bars.get(last + HEARD_BARS).or(bars.last()).map_or(0, |bar| bar.end().0);
        let mut remarks = Vec::new();
        let (all, adjusted) = composer.heard(source);
        if adjusted {
            remarks.push("the model does not know all that is given; it is kept as it is".to_owned());
        }
        let bar = |at: Ticks| ticks.partition_point(|bar| bar.start <= at) + source.first_bar();
        let line = line.iter().filter(|note| asked.has(0, bar(note.onset).saturating_sub(1)));
        let line = line.map(|note| (steps(note.onset) as u32, steps(note.end()) as u32, note.pitch.get())).collect();
        let middles = source.parts.iter().map(|part| {
            let middle = |mut values: Vec<u8>| {
                values.sort_unstable();
                values.get(values.len() / 2).copied()
            };
            let key = middle(part.notes.iter().map(|note| note.pitch.get()).collect());
            let velocity = middle(part.notes.iter().map(|note| note.velocity.get()).collect());
            let velocity = velocity.and_then(|velocity| Velocity::try_from(velocity).ok());
            (key.unwrap_or(Pitch::C4.get()), velocity.unwrap_or(Velocity::DEFAULT))
        });
        let (middles, given) = (middles.collect(), composer.heard(&kept).0);
        let (written, end) = (wanted.iter().fold(0, |all, wanted| all | wanted), heard as u32);
        Ok(Filling { given, all, kept, bars, ticks, wanted, written, parts, middles, lines, stood, line, end, remarks })
    }

    /// The number of the first bar in which something is written.
    pub fn first(&self) -> usize {
        self.wanted.iter().position(|wanted| *wanted != 0).unwrap_or(0)
    }

    /// Whether something is written in the last bar.
    pub fn has_last(&self) -> bool {
        self.wanted.last().is_some_and(|wanted| *wanted != 0)
    }

    /// When something may be written next, not before `now`, and when that stretch of bars ends; `None` where nothing more is.
    pub fn stretch(&self, now: u32, past: &Past) -> Option<(u32, u32)> {
        let here = past.bar_at(now);
        let first = (here..self.wanted.len()).find(|bar| self.wanted[*bar] != 0)?;
        let last = (first..self.wanted.len()).take_while(|bar| self.wanted[*bar] != 0).last()?;
        let (from, until) = (self.bars[first].start.0 as u32, self.bars[last].end().0 as u32);
        Some((from.max(now), until))
    }

    /// The instruments that are written in a bar: bit k.
    pub fn wanted(&self, bar: usize) -> u128 {
        self.wanted.get(bar).copied().unwrap_or(0)
    }

    /// The highest key that may be struck at a time: all stays under a line that is given.
    pub fn ceiling(&self, time: u32) -> u8 {
        let mut held = self.line.iter().filter(|(onset, end, _)| (*onset..*end).contains(&time));
        held.next().map_or(127, |(_, _, key)| key.saturating_sub(1))
    }

    /// The piece with these notes in it.
    pub fn joined(&self, new: &[Event], composer: &NoteComposer) -> Score {
        let clock = composer.clock();
        let fine = match clock {
            Clock::Beats(_) => self.kept.ticks_per_quarter.common(clock.ticks_per_quarter()),
            Clock::Seconds => self.kept.ticks_per_quarter,
        };
        let mut score = self.kept.rescaled(fine);
        let ticks = |step: u32| match clock {
            Clock::Beats(_) => Ticks(step.into()).rescale(clock.ticks_per_quarter(), fine),
            Clock::Seconds => self.tick_at(step),
        };
        let given: Vec<Vec<Note>> = score.parts.iter().map(|part| part.notes.clone()).collect();
        for (event, part) in new.iter().zip(self.parts_for(new, composer)) {
            let part = part.unwrap_or_else(|| {
                let is_same = |part: &Part| composer.instrument_of(part) == Some(event.instrument);
                let more = &score.parts[given.len()..];
                more.iter().position(is_same).map_or_else(|| score.parts.len(), |k| given.len() + k)
            });
            if part == score.parts.len() {
                score.parts.push(composer.part_of(event.instrument, part));
            }
            let Ok(pitch) = Pitch::try_from(event.pitch) else { continue };
            let onset = ticks(event.onset);
            let own = given.get(part).map_or(&[][..], |notes| &notes[..]);
            // What is given is struck again in its own time.
            let next = own.iter().find(|note| note.pitch == pitch && note.onset >= onset).map(|note| note.onset);
            let end = ticks(event.onset + event.length.max(1));
            let duration = next.map_or(end, |next| end.min(next)) - onset;
            if duration == Ticks::ZERO {
                continue;
            }
            // Who writes one loudness takes up that of the part.
            let is_level = composer.vocabulary.velocities().len() == 1;
            let middle = self.middles.get(part).or(self.middles.first()).filter(|_| is_level);
            let velocity = middle.map_or_else(|| composer.vocabulary.velocity(event.level), |(_, velocity)| *velocity);
            score.parts[part].notes.push(Note { onset, pitch, duration, velocity });
        }
        score.parts.iter_mut().for_each(|part| part.notes.sort_unstable());
        score
    }

    /// Whether hardly anything stood where something is to be written.
    pub fn is_new(&self) -> bool {
        SELDOM * (self.all.len() - self.given.len().min(self.all.len())) < self.all.len()
    }

    /// The parts that had notes where something was to be written, and have none there now.
    pub fn silenced(&self, score: &Score) -> Vec<&str> {
        let parts = self.kept.parts.iter().zip(&score.parts).zip(&self.stood);
        let silent = parts.filter(|((kept, is), stood)| **stood && is.notes.len() == kept.notes.len());
        silent.map(|((kept, _), _)| kept.title()).collect()
    }

    /// The part that each note belongs to, of those written in its bar for its instrument: notes that begin together are sung from the
    /// highest part down, each by the one whose notes lie nearest, and a part that plays one note at a time has one.
    fn parts_for(&self, new: &[Event], composer: &NoteComposer) -> Vec<Option<usize>> {
        let mut found = vec![None; new.len()];
        // Until when each part sounds.
        let mut until = vec![0u32; self.kept.parts.len()];
        let mut order: Vec<usize> = (0..new.len()).collect();
        order.sort_by_key(|k| (new[*k].onset, new[*k].instrument, std::cmp::Reverse(new[*k].pitch)));
        for chord in order.chunk_by(|a, b| (new[*a].onset, new[*a].instrument) == (new[*b].onset, new[*b].instrument)) {
            let Event { onset, instrument, .. } = new[chord[0]];
            let bar = self.bars.partition_point(|bar| bar.start.0 <= u64::from(onset)).saturating_sub(1);
            let able = self.parts.get(bar).into_iter().flatten().copied();
            let plays = |part: &usize| composer.instrument_of(&self.kept.parts[*part]) == Some(instrument);
            let mut able: Vec<usize> = able.filter(plays).collect();
            able.sort_by_key(|part| std::cmp::Reverse(self.middles[*part].0));
            let away = |k: usize, part: usize| u32::from(self.middles[part].0.abs_diff(new[chord[k]].pitch));
            let busy = |part: usize| if self.lines[part] && until[part] > onset { BUSY } else { 0 };
            let choice = downwards(chord.len(), able.len(), |k, part, again| {
                let part = able[part];
                away(k, part) + busy(part) + if again && self.lines[part] { BUSY } else { 0 }
            });
            for (k, part) in chord.iter().zip(choice) {
                found[*k] = Some(able[part]);
                until[able[part]] = until[able[part]].max(onset + new[*k].length);
            }
        }
        found
    }

    /// The tick of a step of music as it was played, within its bar.
    fn tick_at(&self, step: u32) -> Ticks {
        let bar = self.bars.partition_point(|bar| bar.start.0 <= u64::from(step)).saturating_sub(1);
        let (Some(steps), Some(ticks)) = (self.bars.get(bar), self.ticks.get(bar)) else { return Ticks::ZERO };
        let share = (u64::from(step) - steps.start.0) as f64 / steps.length.0.max(1) as f64;
        ticks.start + Ticks((share * ticks.length.0 as f64).round() as u64)
    }
}

/// For each of so many things one of so many places, each not before the last one's, so that their costs are least together: `cost(thing,
/// place, whether the thing before has the same place)`. Nothing where there is no place.
fn downwards(things: usize, places: usize, cost: impl Fn(usize, usize, bool) -> u32) -> Vec<usize> {
    if places == 0 {
        return Vec::new();
    }
    // What the first things cost at least, the last of them at each place, and where the one before it is.
    let mut least: Vec<Vec<(u32, usize)>> = Vec::with_capacity(things);
    for thing in 0..things {
        let row = (0..places).map(|place| match thing.checked_sub(1) {
            None => (cost(thing, place, false), place),
            Some(before) => {
                let ways = (0..=place).map(|last| (least[before][last].0 + cost(thing, place, last == place), last));
                ways.min().unwrap_or_default()
            }
        });
        let row = row.collect();
        least.push(row);
    }
    let mut place = (0..places).min_by_key(|place| least.last().map_or(0, |row| row[*place].0)).unwrap_or(0);
    let mut found = vec![0; things];
    for thing in (0..things).rev() {
        found[thing] = place;
        place = least[thing][place].1;
    }
    found
}

/// Takes away what belongs to notes that have gone: syllables, slurs.
fn forget(part: &mut Part, before: &[Note]) {
    let place = |note: &Note| (note.onset, note.pitch);
    let stays: BTreeSet<(Ticks, Pitch)> = part.notes.iter().map(place).collect();
    let gone: BTreeSet<(Ticks, Pitch)> = before.iter().map(place).filter(|place| !stays.contains(place)).collect();
    let has = |places: &BTreeSet<(Ticks, Pitch)>, at: Ticks| places.iter().any(|(onset, _)| *onset == at);
    part.lyrics.retain(|lyric| has(&stays, lyric.at) || !has(&gone, lyric.at));
    part.slurs.retain(|slur| !gone.contains(&slur.from) && !gone.contains(&slur.to));
}

impl NoteComposer {
    /// The instrument that it takes a part for; `None` where it knows none of that kind.
    pub(super) fn instrument_of(&self, part: &Part) -> Option<u8> {
        self.vocabulary.instrument(Instrument::of(part)).map(|(number, _)| number)
    }

    /// A part for an instrument that a piece does not have yet.
    fn part_of(&self, instrument: u8, number: usize) -> Part {
        let plays =
            self.vocabulary.instruments().get(usize::from(instrument)).copied().unwrap_or(Instrument::Program(0));
        let part = match plays {
            Instrument::Drums => Part::of_drums(),
            Instrument::Program(_) => Part { channel: number.min(8) as u8, ..Part::default() },
        };
        Part { programs: vec![(Ticks::ZERO, plays.program())], ..part }
    }

    /// Who plays together with an instrument in most pieces that have it, else in most pieces: bit k.
    fn ensemble(&self, instrument: u8) -> u128 {
        let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
        for playing in &self.usual.ensembles {
            *counts.entry(playing.iter().fold(0, |all, number| all | 1 << number)).or_default() += 1;
        }
        let most = counts.iter().max_by_key(|(playing, count)| (**playing >> instrument & 1, **count));
        most.map_or(0, |(playing, _)| *playing)
    }

    /// The notes of a score as it hears them, and whether it does not know all of them.
    fn heard(&self, score: &Score) -> (Vec<Event>, bool) {
        let grid = self.clock().ticks_per_quarter();
        let read = match self.clock() {
            Clock::Seconds => performed(score),
            Clock::Beats(_) if self.is_band() => quantize(score, grid, 0.5).0,
            Clock::Beats(_) => merged_on_grid(score, grid),
        };
        let (events, adjustments) = encode(&read, &self.vocabulary);
        (events.notes, !adjustments.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::downwards;

    #[test]
    fn each_has_a_place_below_the_last_one_where_there_is_one() {
        let (voices, keys) = ([72u32, 65, 58, 48], [70u32, 60, 50]);
        let cost = |keys: &'static [u32]| {
            move |k: usize, voice: usize, again: bool| {
                keys[k].abs_diff(voices[voice]) + if again { super::BUSY } else { 0 }
            }
        };
        static ALL: [u32; 3] = [70, 60, 50];
        static CLOSE: [u32; 3] = [64, 60, 57];
        static MORE: [u32; 5] = [70, 67, 64, 60, 50];
        assert_eq!((downwards(3, 4, cost(&ALL)), keys), (vec![0, 2, 3], ALL));
        assert_eq!(downwards(3, 4, cost(&CLOSE)), [1, 2, 3]);
        let five = downwards(5, 4, cost(&MORE));
        assert!(five.is_sorted() && (0..4).all(|voice| five.contains(&voice)), "{five:?}");
        assert_eq!(downwards(3, 0, cost(&ALL)), [0usize; 0]);
        assert_eq!(downwards(0, 4, cost(&ALL)), [0usize; 0]);
    }
}
