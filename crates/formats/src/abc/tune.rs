//! A tune while it is read: its voices along time, repeats not yet played.

use super::fields::{Metre, Signature};
use super::{AbcError, Oddity, TICKS, Warning};
use crate::Limits;
use crate::notation::Step;
use crate::repeats::Marks;
use cantus_score::{Key, Note, Pitch, Program, Tempo, Ticks, Velocity};
use std::collections::HashMap;

/// A tune.
pub struct Tune<'a> {
    pub limits: &'a Limits,
    pub title: Option<String>,
    pub remarks: Vec<String>,
    pub remark_bytes_left: usize,
    pub voices: Vec<Voice>,
    /// Where each voice is, by its name.
    pub named: HashMap<String, usize>,
    /// Which voice is being written.
    pub current: usize,
    pub metres: Vec<(u64, Metre)>,
    pub keys: Vec<(u64, Key)>,
    pub tempos: Vec<(u64, Tempo)>,
    /// What the voices begin with.
    pub start: Start,
    /// The order of parts that the header asks for.
    pub order: Option<String>,
    /// Where parts begin.
    pub parts: Vec<(char, u64)>,
    pub note_count: usize,
    pub warnings: Vec<Warning>,
    pub warnings_dropped: usize,
    /// The line and column of what is being read.
    pub place: (usize, usize),
}

/// What the header says for all voices.
#[derive(Clone, Copy)]
pub struct Start {
    pub metre: Option<Metre>,
    pub unit: Option<u64>,
    pub signature: Signature,
    pub shift: i32,
}

/// A bar of a voice.
#[derive(Clone, Debug, Default)]
pub struct VoiceBar {
    pub start: u64,
    pub marks: Marks,
}

/// A note that waits for the rest of itself.
#[derive(Clone, Copy)]
pub struct Open {
    pub step: Step,
    pub octave: i32,
    pub note: usize,
}

/// The last chord or note, which a broken rhythm or a tie after it changes.
#[derive(Clone, Default)]
pub struct Last {
    /// The notes with what each of them has of this chord.
    pub notes: Vec<(usize, u64)>,
    pub length: u64,
    /// Their letters, for ties.
    pub names: Vec<(Step, i32)>,
}

/// A voice.
pub struct Voice {
    pub name: Option<String>,
    pub program: Option<Program>,
    pub channel: Option<u8>,
    pub notes: Vec<Note>,
    pub bars: Vec<VoiceBar>,
    pub cursor: u64,
    pub unit: u64,
    pub metre: Option<Metre>,
    pub signature: Signature,
    /// Semitones from what is written to what sounds.
    pub shift: i32,
    /// Accidentals in force until the bar ends; they hold in all octaves (standard 2.1, section 11.3).
    pub accidentals: [Option<i32>; 7],
    pub open: Vec<Open>,
    pub last: Option<Last>,
    /// What a broken rhythm makes of the next note: (numerator, denominator).
    pub broken: (u64, u64),
    /// Notes left of a tuplet, and what it makes of them.
    pub tuplet: (u64, u64, u64),
    /// The end of the voice that this one is laid over (`&`).
    pub overlaid: u64,
    pub in_ending: bool,
}

impl Voice {
    fn new(start: &Start) -> Voice {
        Voice {
            name: None,
            program: None,
            channel: None,
            notes: Vec::new(),
            bars: vec![VoiceBar::default()],
            cursor: 0,
            unit: start.unit.unwrap_or_else(|| super::fields::usual_length(start.metre)),
            metre: start.metre,
            signature: start.signature,
            shift: start.shift,
            accidentals: [None; 7],
            open: Vec::new(),
            last: None,
            broken: (1, 1),
            tuplet: (0, 1, 1),
            overlaid: 0,
            in_ending: false,
        }
    }

    /// Where the bar began that is being written.
    pub fn bar_start(&self) -> u64 {
        self.bars.last().map_or(0, |bar| bar.start)
    }
}

impl<'a> Tune<'a> {
    pub fn new(limits: &'a Limits, line: usize) -> Tune<'a> {
        Tune {
            limits,
            title: None,
            remarks: Vec::new(),
            remark_bytes_left: limits.max_remark_bytes,
            voices: Vec::new(),
            named: HashMap::new(),
            current: 0,
            metres: Vec::new(),
            keys: Vec::new(),
            tempos: Vec::new(),
            start: Start { metre: None, unit: None, signature: Signature::plain(), shift: 0 },
            order: None,
            parts: Vec::new(),
            note_count: 0,
            warnings: Vec::new(),
            warnings_dropped: 0,
            place: (line, 1),
        }
    }

    pub fn warn(&mut self, oddity: Oddity) {
        let (line, column) = self.place;
        if self.warnings.len() < self.limits.max_warnings {
            self.warnings.push(Warning { line, column, oddity });
        } else {
            self.warnings_dropped += 1;
        }
    }

    /// Goes to the voice of this name; a new one begins with the tune.
    pub fn choose_voice(&mut self, id: &str) -> Result<(), AbcError> {
        if let Some(found) = self.named.get(id) {
            self.current = *found;
            return Ok(());
        }
        // What was said before the first `V:` belongs to the voice that is then named.
        if self.voices.len() == 1 && self.named.is_empty() && self.voices[0].cursor == 0 {
            self.named.insert(id.to_owned(), 0);
            return Ok(());
        }
        if self.voices.len() == self.limits.max_tracks {
            let (line, column) = self.place;
            return Err(AbcError::TooManyVoices { line, column, limit: self.limits.max_tracks });
        }
        self.voices.push(Voice::new(&self.start));
        self.current = self.voices.len() - 1;
        self.named.insert(id.to_owned(), self.current);
        Ok(())
    }

    /// The voice that is being written.
    pub fn voice(&mut self) -> &mut Voice {
        if self.voices.is_empty() {
            self.voices.push(Voice::new(&self.start));
            self.current = 0;
        }
        &mut self.voices[self.current]
    }

    /// Moves on in time.
    pub fn advance(&mut self, length: u64) -> Result<(), AbcError> {
        let limit = self.limits.max_quarters;
        let voice = self.voice();
        voice.cursor = voice.cursor.saturating_add(length);
        if voice.cursor / TICKS > limit {
            let (line, column) = self.place;
            return Err(AbcError::TooLong { line, column, limit });
        }
        Ok(())
    }

    /// The sounding length of what is written as so many units, with tuplets and broken rhythms.
    pub fn length(&mut self, numerator: u64, denominator: u64, in_tuplet: bool) -> u64 {
        let voice = self.voice();
        let (broken, by) = std::mem::replace(&mut voice.broken, (1, 1));
        let (left, normal, actual) = voice.tuplet;
        let mut above = u128::from(voice.unit) * u128::from(numerator) * u128::from(broken);
        let mut below = u128::from(denominator) * u128::from(by);
        if in_tuplet && left > 0 {
            above *= u128::from(normal);
            below *= u128::from(actual);
            voice.tuplet.0 -= 1;
        }
        if !above.is_multiple_of(below.max(1)) {
            self.warn(Oddity::Rounded);
        }
        u64::try_from((above * 2 + below) / (below.max(1) * 2)).unwrap_or(u64::MAX)
    }

    /// The notes of a chord (step, octave, accidental, share of the chord's length), or a single one, as long as `length`.
    pub fn sound(&mut self, written: &[(Step, i32, Option<i32>, u64)], length: u64) -> Result<(), AbcError> {
        let mut last = Last { length, ..Last::default() };
        let open = std::mem::take(&mut self.voice().open);
        let mut used = vec![false; open.len()];
        for &(step, octave, accidental, duration) in written {
            let voice = self.voice();
            let onset = Ticks(voice.cursor);
            let held = open
                .iter()
                .position(|open| (open.step, open.octave) == (step, octave) && voice.notes[open.note].end() == onset);
            // A tie carries its accidental over the bar line.
            if let Some(place) = held.filter(|place| accidental.is_none() && !used[*place]) {
                used[place] = true;
                voice.notes[open[place].note].duration += Ticks(duration);
                last.notes.push((open[place].note, duration));
                last.names.push((step, octave));
                continue;
            }
            let in_force = &mut voice.accidentals[step as usize];
            *in_force = accidental.or(*in_force);
            let alter = in_force.unwrap_or(voice.signature.altered[step as usize]);
            let number = 12 * (i64::from(octave) + 1) + i64::from(step.semitones() + alter + voice.shift);
            let Ok(pitch) = Pitch::try_from(number) else {
                self.warn(Oddity::Pitch);
                continue;
            };
            // The same pitch, written out with its accidental once more.
            let again = open
                .iter()
                .position(|open| voice.notes[open.note].pitch == pitch && voice.notes[open.note].end() == onset);
            if let Some(place) = again.filter(|place| !used[*place]) {
                used[place] = true;
                voice.notes[open[place].note].duration += Ticks(duration);
                last.notes.push((open[place].note, duration));
            } else {
                last.notes.push((voice.notes.len(), duration));
                voice.notes.push(Note { onset, pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT });
                self.note_count += 1;
                if self.note_count > self.limits.max_notes {
                    let ((line, column), limit) = (self.place, self.limits.max_notes);
                    return Err(AbcError::TooManyNotes { line, column, limit });
                }
            }
            last.names.push((step, octave));
        }
        if used.contains(&false) {
            self.warn(Oddity::LooseTie);
        }
        self.voice().last = Some(last);
        self.advance(length)
    }

    /// A tie after the last notes; `which` are those of them that are tied.
    pub fn tie(&mut self, which: impl Fn(usize) -> bool) {
        let voice = self.voice();
        let Some(last) = &voice.last else {
            self.warn(Oddity::LooseTie);
            return;
        };
        for (k, ((note, _), (step, octave))) in last.notes.iter().zip(&last.names).enumerate() {
            if which(k) && voice.open.iter().all(|open| open.note != *note) {
                voice.open.push(Open { step: *step, octave: *octave, note: *note });
            }
        }
    }

    /// `>` (more than zero) or `<`: the note before gives to, or takes from, the one after.
    pub fn break_rhythm(&mut self, strokes: i32) {
        let parts = 1u64 << strokes.unsigned_abs().min(6);
        let voice = self.voice();
        let Some(mut last) = voice.last.take() else {
            self.warn(Oddity::BrokenRhythm);
            return;
        };
        // Of `parts` parts the short note keeps one, and the long one gets the rest on top of its own.
        let (before, after) = if strokes > 0 { (2 * parts - 1, 1) } else { (1, 2 * parts - 1) };
        for (note, duration) in &mut last.notes {
            let changed = *duration * before / parts;
            let note = &mut voice.notes[*note];
            note.duration = Ticks((note.duration.0 + changed).saturating_sub(*duration));
            *duration = changed;
        }
        let changed = last.length * before / parts;
        voice.cursor = (voice.cursor + changed).saturating_sub(last.length);
        last.length = changed;
        voice.last = Some(last);
        voice.broken = (after, parts);
    }

    /// A bar line: `backward` ends a repeat played so many times, `forward` begins one, `ends` closes an ending.
    pub fn bar_line(&mut self, backward: Option<u32>, forward: bool, ends: bool) {
        let voice = self.voice();
        voice.cursor = voice.cursor.max(voice.overlaid);
        voice.overlaid = 0;
        voice.accidentals = [None; 7];
        // A broken rhythm does not reach over a bar line: it would move the line.
        voice.last = None;
        let is_empty = voice.bar_start() == voice.cursor;
        // A sign at the beginning of a bar belongs to the one that ended there.
        let closed = if is_empty { voice.bars.len().checked_sub(2) } else { voice.bars.len().checked_sub(1) };
        if let Some(bar) = closed.and_then(|at| voice.bars.get_mut(at)) {
            bar.marks.backward = bar.marks.backward.max(backward);
            if voice.in_ending && (ends || backward.is_some() || forward) {
                bar.marks.ending_stops = true;
                voice.in_ending = false;
            }
        }
        if !is_empty {
            voice.bars.push(VoiceBar { start: voice.cursor, marks: Marks::default() });
        }
        if let Some(bar) = voice.bars.last_mut() {
            bar.marks.forward |= forward;
        }
    }

    /// An ending for these passes begins here.
    pub fn ending(&mut self, passes: Vec<u32>) {
        let voice = self.voice();
        if voice.bar_start() != voice.cursor {
            self.bar_line(None, false, false);
        }
        let voice = self.voice();
        let at = voice.bars.len();
        if voice.in_ending
            && let Some(before) = at.checked_sub(2).and_then(|at| voice.bars.get_mut(at))
        {
            before.marks.ending_stops = true;
        }
        if let Some(bar) = voice.bars.last_mut() {
            bar.marks.ending = passes;
            voice.in_ending = true;
        }
    }
}
