//! A tune while it is read: its voices along time, repeats not yet played.

use super::fields::Metre;
use super::keys::{Signature, Staff};
use super::lyrics::Sung;
use super::macros::Macros;
use super::slurs::Slurs;
use super::{AbcError, Oddity, TICKS, Warning};
use crate::Limits;
use crate::notation::Step;
use crate::repeats::{LeapKind, Marks};
use cantus_score::{Key, Note, Part, Pitch, Program, Score, Tempo, Ticks, Velocity};
use std::collections::{HashMap, HashSet};

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The music, repeats and jumps played. Each voice with notes is a part.
    pub score: Score,
    /// What was odd, in the order of the file, each kind once; at most [`Limits::max_warnings`].
    pub warnings: Vec<Warning>,
    /// How many more warnings there were.
    pub warnings_dropped: usize,
}

/// A tune.
pub struct Tune<'a> {
    pub limits: &'a Limits,
    pub title: Option<String>,
    pub composer: Option<String>,
    pub rights: Option<String>,
    pub remarks: Vec<String>,
    pub text_bytes_left: usize,
    pub voices: Vec<Voice>,
    /// Where each voice is, by its name.
    pub named: HashMap<String, usize>,
    /// Which voice is being written.
    pub current: usize,
    pub metres: Vec<(u64, Metre)>,
    pub keys: Vec<(u64, Key)>,
    pub tempos: Vec<(u64, Tempo)>,
    pub chords: Vec<(u64, String)>,
    /// What the voices begin with.
    pub start: Start,
    pub in_header: bool,
    /// The order of parts that the header asks for.
    pub order: Option<String>,
    /// Where parts begin.
    pub parts: Vec<(u64, String)>,
    /// The programs of channels that are named with their number.
    pub programs: [Vec<(u64, Program)>; 16],
    /// Which key of the kit a written pitch stands for.
    pub drum_map: HashMap<Pitch, Pitch>,
    /// Decorations that the tune defines for itself.
    pub decorations: HashSet<String>,
    /// What letters stand for (`U:`); those of the standard are not here.
    pub symbols: HashMap<char, String>,
    pub macros: Macros,
    pub note_count: usize,
    pub warnings: Vec<Warning>,
    pub warnings_dropped: usize,
    /// The line and column of what is being read.
    pub place: (usize, usize),
}

/// How far an accidental holds within its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// For its note only.
    Not,
    /// For the same step in the same octave.
    Octave,
    /// For the same step in all octaves: what holds where nothing is said.
    Pitch,
}

/// What the header says for all voices.
#[derive(Clone, Copy)]
pub struct Start {
    pub metre: Option<Metre>,
    pub unit: Option<u64>,
    pub signature: Signature,
    pub shift: Shift,
    pub program: Option<Program>,
    pub propagation: Propagation,
}

/// Semitones from what is written to what sounds, by what asks for them.
#[derive(Clone, Copy, Default)]
pub struct Shift {
    pub staff: Staff,
    /// `%%MIDI transpose`.
    pub midi: i32,
}

impl Shift {
    /// What a field names replaces what was said before.
    pub fn set(&mut self, staff: Staff) {
        self.staff = staff.or(self.staff);
    }

    /// The key that sounds where `key` is written.
    pub fn sounding(&self, key: Key) -> Key {
        let semitones = self.sum() % 12;
        if semitones == 0 { key } else { key.transposed(semitones) }
    }

    pub fn sum(&self) -> i32 {
        let Staff { clef, octave, transpose, .. } = self.staff;
        [clef, octave, transpose].into_iter().flatten().sum::<i32>() + self.midi
    }
}

/// A bar of a voice.
#[derive(Clone, Debug, Default)]
pub struct VoiceBar {
    pub start: u64,
    pub marks: Marks,
    /// Signs of a coda, the way there or the coda itself, that stand before it.
    pub coda_signs: usize,
    /// Whether a double bar line stands before it.
    pub is_section: bool,
}

/// What a decoration or an annotation says about the order of playing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    Segno,
    Coda,
    Leap(LeapKind),
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
    /// The grace notes before it.
    pub grace: Option<usize>,
}

/// Grace notes, and the chord that they ornament.
#[derive(Clone, Default)]
pub struct Grace {
    pub at: u64,
    /// As long as the chord is written; 0 where none follows in the bar.
    pub length: u64,
    pub slashed: bool,
    /// The notes one after another, chords at once, with the length that each is written with.
    pub heads: Vec<(Vec<Pitch>, u64)>,
    /// The pitches of the chord.
    pub of: Vec<Pitch>,
}

/// A voice.
pub struct Voice {
    pub name: Option<String>,
    pub programs: Vec<(u64, Program)>,
    pub channel: Option<u8>,
    /// Whether it names keys of a kit.
    pub has_kit: bool,
    pub notes: Vec<Note>,
    pub graces: Vec<Grace>,
    /// Grace notes whose chord is yet to come.
    pub grace: Option<Grace>,
    /// Chord symbols whose note is yet to come.
    pub symbols: Vec<String>,
    pub sung: Sung,
    pub slurs: Slurs,
    /// Where fermatas stand, with the pitch of the note, or none over a rest.
    pub fermatas: Vec<(Ticks, Option<Pitch>)>,
    /// A fermata waits for its note or rest.
    pub fermata: bool,
    pub bars: Vec<VoiceBar>,
    /// Signs of the bar that is being written, with the time at which they stand.
    pub signs: Vec<(u64, Sign)>,
    pub cursor: u64,
    pub unit: u64,
    pub metre: Option<Metre>,
    pub signature: Signature,
    pub shift: Shift,
    pub propagation: Propagation,
    /// Accidentals in force until the bar ends, by step and, where they hold in one octave only, by octave.
    pub accidentals: Vec<(Step, Option<i32>, i32)>,
    pub open: Vec<Open>,
    pub last: Option<Last>,
    /// `>` (more than zero) or `<` after the last chord: strokes.
    pub broken: i32,
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
            programs: start.program.map(|program| (0, program)).into_iter().collect(),
            channel: None,
            has_kit: false,
            notes: Vec::new(),
            graces: Vec::new(),
            grace: None,
            symbols: Vec::new(),
            sung: Sung::default(),
            slurs: Slurs::default(),
            fermatas: Vec::new(),
            fermata: false,
            bars: vec![VoiceBar::default()],
            signs: Vec::new(),
            cursor: 0,
            unit: start.unit.unwrap_or_else(|| super::fields::usual_length(start.metre)),
            metre: start.metre,
            signature: start.signature,
            shift: start.shift,
            propagation: start.propagation,
            accidentals: Vec::new(),
            open: Vec::new(),
            last: None,
            broken: 0,
            tuplet: (0, 1, 1),
            overlaid: 0,
            in_ending: false,
        }
    }

    /// Where the bar began that is being written.
    pub fn bar_start(&self) -> u64 {
        self.bars.last().map_or(0, |bar| bar.start)
    }

    /// Whether a bar line has just been written.
    pub fn begins_bar(&self) -> bool {
        self.bars.len() > 1
            && self.bar_start() == self.cursor
            && self.bars.last().is_some_and(|bar| bar.marks.ending.is_empty())
    }

    /// Whether it is played on drums, as its channel or else its clef says.
    pub fn is_drums(&self) -> bool {
        let says_so = self.shift.staff.percussion.unwrap_or(self.has_kit);
        self.channel.map_or(says_so, |channel| channel == Part::DRUM_CHANNEL)
    }

    /// What a field says about the staff. `false` where it would make drums of pitches that are there, or pitches of drums: that is not
    /// done.
    pub fn set_staff(&mut self, staff: Staff) -> bool {
        let (before, were_drums) = (self.shift.staff.percussion, self.is_drums());
        self.shift.set(staff);
        let stays = self.notes.is_empty() || self.is_drums() == were_drums;
        if !stays {
            self.shift.staff.percussion = before;
        }
        stays
    }

    /// What an accidental, those before it in the bar and the key make of a step.
    fn alteration(&mut self, step: Step, octave: i32, accidental: Option<i32>) -> i32 {
        let octave = match self.propagation {
            Propagation::Pitch => None,
            Propagation::Octave => Some(octave),
            Propagation::Not => return accidental.unwrap_or(self.signature.altered[step as usize]),
        };
        let held = self.accidentals.iter_mut().find(|(of, at, _)| (*of, *at) == (step, octave));
        match (accidental, held) {
            (Some(sign), Some((_, _, held))) => *held = sign,
            (Some(sign), None) => self.accidentals.push((step, octave, sign)),
            (None, Some((_, _, held))) => return *held,
            (None, None) => {}
        }
        accidental.unwrap_or(self.signature.altered[step as usize])
    }
}

/// A note as it is written: step, octave, accidental.
pub type Written = (Step, i32, Option<i32>);

impl<'a> Tune<'a> {
    pub fn new(limits: &'a Limits, line: usize) -> Tune<'a> {
        Tune {
            limits,
            title: None,
            composer: None,
            rights: None,
            remarks: Vec::new(),
            text_bytes_left: limits.max_remark_bytes,
            voices: Vec::new(),
            named: HashMap::new(),
            current: 0,
            metres: Vec::new(),
            keys: Vec::new(),
            tempos: Vec::new(),
            chords: Vec::new(),
            start: Start {
                metre: None,
                unit: None,
                signature: Signature::plain(),
                shift: Shift::default(),
                program: None,
                propagation: Propagation::Pitch,
            },
            in_header: true,
            order: None,
            parts: Vec::new(),
            programs: Default::default(),
            drum_map: HashMap::new(),
            decorations: HashSet::new(),
            symbols: HashMap::new(),
            macros: Macros::default(),
            note_count: 0,
            warnings: Vec::new(),
            warnings_dropped: 0,
            place: (line, 1),
        }
    }

    /// Says what is odd: a thing that is odd many times is named once.
    pub fn warn(&mut self, oddity: Oddity) {
        let (line, column) = self.place;
        if let Some(known) = self.warnings.iter_mut().find(|warning| warning.oddity == oddity) {
            known.times += 1;
        } else if self.warnings.len() < self.limits.max_warnings {
            self.warnings.push(Warning { line, column, oddity, times: 1 });
        } else {
            self.warnings_dropped += 1;
        }
    }

    /// Whether there is room for so much text of the file.
    pub fn has_room(&mut self, text: &str) -> bool {
        let left = self.text_bytes_left.checked_sub(text.len());
        match left {
            Some(left) => self.text_bytes_left = left,
            None => self.warn(Oddity::Remarks(self.limits.max_remark_bytes)),
        }
        left.is_some()
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

    /// The sounding length of what is written as so many units, with tuplets and a broken rhythm before it.
    pub fn length(&mut self, numerator: u64, denominator: u64, in_tuplet: bool) -> u64 {
        let (broken, by) = self.break_rhythm();
        let voice = self.voice();
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

    /// The notes of a chord, each with its share of the chord's length, or a single one, as long as `length`.
    pub fn sound(&mut self, written: &[(Written, u64)], length: u64) -> Result<(), AbcError> {
        self.place_symbols();
        let line = self.place.0;
        let mut last = Last { length, ..Last::default() };
        let voice = self.voice();
        voice.sung.slot(voice.cursor, voice.bars.len(), line, voice.overlaid > 0);
        let grace = voice.grace.take();
        let mut of = Vec::new();
        let open = std::mem::take(&mut voice.open);
        let mut used = vec![false; open.len()];
        for &((step, octave, accidental), duration) in written {
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
            let Some(pitch) = self.pitch((step, octave, accidental)) else { continue };
            let voice = self.voice();
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
                of.push(pitch);
                self.count_note()?;
            }
            last.names.push((step, octave));
        }
        if used.contains(&false) {
            self.warn(Oddity::LooseTie);
        }
        let voice = self.voice();
        let anchors = last.notes.iter().map(|(note, _)| (voice.notes[*note].onset, voice.notes[*note].pitch));
        if let Some(anchor) = anchors.max_by_key(|(onset, pitch)| (onset.0 == voice.cursor, *pitch)) {
            voice.slurs.chord(anchor);
            if std::mem::take(&mut voice.fermata) {
                voice.fermatas.push((anchor.0, Some(anchor.1)));
            }
        }
        if let Some(grace) = grace {
            last.grace = Some(voice.graces.len());
            voice.graces.push(Grace { at: voice.cursor, length, of, ..grace });
        }
        voice.last = Some(last);
        self.advance(length)
    }

    /// One note more.
    pub fn count_note(&mut self) -> Result<(), AbcError> {
        self.note_count += 1;
        if self.note_count > self.limits.max_notes {
            let ((line, column), limit) = (self.place, self.limits.max_notes);
            return Err(AbcError::TooManyNotes { line, column, limit });
        }
        Ok(())
    }

    /// What sounds where this is written; `None`, with a warning, where MIDI has no such pitch.
    pub fn pitch(&mut self, (step, octave, accidental): Written) -> Option<Pitch> {
        let voice = self.voice();
        let alter = voice.alteration(step, octave, accidental);
        let number = 12 * (i64::from(octave) + 1) + i64::from(step.semitones() + alter);
        let is_drums = voice.is_drums();
        let sounding = number + i64::from(voice.shift.sum());
        if is_drums && let Some(key) = Pitch::try_from(number).ok().and_then(|written| self.drum_map.get(&written)) {
            return Some(*key);
        }
        let pitch = Pitch::try_from(sounding).ok();
        if pitch.is_none() {
            self.warn(Oddity::Pitch);
        }
        pitch
    }

    /// A rest.
    pub fn rest(&mut self, length: u64) -> Result<(), AbcError> {
        self.place_symbols();
        self.end_grace();
        let voice = self.voice();
        if std::mem::take(&mut voice.fermata) {
            voice.fermatas.push((Ticks(voice.cursor), None));
        }
        voice.last = Some(Last { length, ..Last::default() });
        self.advance(length)
    }

    /// A slur opens before the next chord.
    pub fn open_slur(&mut self) {
        if !self.voice().slurs.open() {
            self.warn(Oddity::LooseSlur);
        }
    }

    /// A slur closes behind the last chord.
    pub fn close_slur(&mut self) {
        if !self.voice().slurs.close() {
            self.warn(Oddity::LooseSlur);
        }
    }

    /// Puts the chord symbols that wait where the voice is.
    pub fn place_symbols(&mut self) {
        let voice = self.voice();
        if !voice.symbols.is_empty() {
            let (at, symbols) = (voice.cursor, std::mem::take(&mut voice.symbols));
            self.chords.extend(symbols.into_iter().map(|symbol| (at, symbol)));
        }
    }

    /// Grace notes that no chord follows end what came before.
    fn end_grace(&mut self) {
        let voice = self.voice();
        if let Some(grace) = voice.grace.take() {
            voice.graces.push(Grace { at: voice.cursor, slashed: true, ..grace });
        }
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

    /// `>` or `<` between the chord before and the one that begins now: the one gives to the other. The share that the new one gets.
    fn break_rhythm(&mut self) -> (u64, u64) {
        let voice = self.voice();
        let strokes = std::mem::take(&mut voice.broken);
        if strokes == 0 {
            return (1, 1);
        }
        let parts = 1u64 << strokes.unsigned_abs().min(6);
        let Some(mut last) = voice.last.take() else { return (1, 1) };
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
        if let Some(grace) = last.grace {
            voice.graces[grace].length = changed;
        }
        (after, parts)
    }

    /// A broken rhythm after the last chord, if there is one.
    pub fn stroke(&mut self, strokes: i32) {
        let voice = self.voice();
        if voice.last.is_some() {
            voice.broken = strokes;
        } else {
            self.warn(Oddity::BrokenRhythm);
        }
    }

    /// A sign about the order of playing, where the voice is.
    pub fn sign(&mut self, sign: Sign) {
        let voice = self.voice();
        // Nobody needs more in one bar.
        if voice.signs.len() < 16 {
            voice.signs.push((voice.cursor, sign));
        }
    }

    /// A bar line: `backward` ends a repeat played so many times, `forward` begins one, `ends` closes an ending.
    pub fn bar_line(&mut self, backward: Option<u32>, forward: bool, ends: bool) {
        self.place_symbols();
        self.end_grace();
        let voice = self.voice();
        voice.cursor = voice.cursor.max(voice.overlaid);
        voice.overlaid = 0;
        voice.accidentals.clear();
        // A broken rhythm does not reach over a bar line: it would move the line.
        voice.last = None;
        let broken = std::mem::take(&mut voice.broken);
        if std::mem::take(&mut voice.fermata) {
            // Over the bar line: what came before it is held.
            voice.fermatas.extend(voice.slurs.last().map(|(at, pitch)| (at, Some(pitch))));
        }
        let start = voice.bar_start();
        let is_empty = start == voice.cursor;
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
            voice.bars.push(VoiceBar { start: voice.cursor, ..VoiceBar::default() });
        }
        if let Some(bar) = voice.bars.last_mut() {
            bar.marks.forward |= forward;
        }
        if !voice.signs.is_empty() {
            voice.settle_signs(start);
        }
        if broken != 0 {
            self.warn(Oddity::BrokenRhythm);
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
