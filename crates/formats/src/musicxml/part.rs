//! One part of a document, measure by measure, before repeats are played and ties are joined.

use super::document::Element;
use super::jumps::{Jumps, passes};
use super::{MusicXmlError, Oddity};
use crate::Limits;
use crate::notation::Step;
use crate::repeats::Marks;
use cantus_score::{Key, Meter, Mode, Pitch, Tempo, TicksPerQuarter, Velocity};
use std::collections::HashMap;

/// What the list of parts says about one.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub name: Option<String>,
    pub channel: Option<u8>,
    pub program: Option<u8>,
    /// The drum that each instrument is.
    pub drums: HashMap<String, Pitch>,
}

impl Listed {
    pub fn read(element: &Element) -> Listed {
        let mut listed = Listed { name: element.text_of("part-name").and_then(one_line), ..Listed::default() };
        for midi in element.all("midi-instrument") {
            let from_one = |name: &str, most: u8| {
                midi.number::<u8>(name).filter(|number| (1..=most).contains(number)).map(|number| number - 1)
            };
            listed.channel = listed.channel.or(from_one("midi-channel", 16));
            listed.program = listed.program.or(from_one("midi-program", 128));
            let drum = from_one("midi-unpitched", 128).and_then(|number| Pitch::try_from(number).ok());
            if let (Some(id), Some(drum)) = (midi.attribute("id"), drum) {
                listed.drums.insert(id.to_owned(), drum);
            }
        }
        listed
    }
}

/// Text on one line; `None` where there is none.
pub fn one_line(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

/// A note as it stands in a measure; times from its beginning, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct RawNote {
    pub onset: u64,
    pub duration: u64,
    pub pitch: Pitch,
    pub velocity: Velocity,
    pub voice: u32,
    pub tied_from: bool,
    pub tied_to: bool,
}

/// A measure of a part.
#[derive(Clone, Debug, Default)]
pub struct RawMeasure {
    /// In order of onsets.
    pub notes: Vec<RawNote>,
    /// How far its voices reach.
    pub length: u64,
    pub meter: Option<Meter>,
    pub key: Option<Key>,
    pub tempos: Vec<(u64, Tempo)>,
    pub marks: Marks,
    pub jumps: Jumps,
}

/// A part.
#[derive(Clone, Debug, Default)]
pub struct RawPart {
    pub listed: Listed,
    pub measures: Vec<RawMeasure>,
    /// Whether it has notes, all of them without pitch.
    pub is_unpitched: bool,
}

/// How many of each oddity a part has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub grace: usize,
    pub cue: usize,
    pub pitch: usize,
    pub duration: usize,
    pub microtone: usize,
}

/// Reads the measures of one part.
pub struct PartReader<'a> {
    pub part: RawPart,
    pub counts: Counts,
    /// Oddities with the measure (from 1) that has them; each kind is named once.
    pub oddities: Vec<(usize, Oddity)>,
    /// Notes read so far, in all parts.
    pub note_count: usize,
    limits: &'a Limits,
    per_quarter: u64,
    divisions: u64,
    /// Semitones from what is written to what sounds.
    transposition: i32,
    velocity: Velocity,
    voices: HashMap<String, u32>,
    has_pitched: bool,
    has_unpitched: bool,
    measure: RawMeasure,
    /// What the measure says about jumps, and where.
    met: Vec<(u64, Jumps)>,
    /// Signs that belong to the next measure.
    carried: Jumps,
    cursor: u64,
    /// Where the last note began, for the other notes of its chord.
    last_onset: u64,
}

impl<'a> PartReader<'a> {
    pub fn new(listed: Listed, per_quarter: TicksPerQuarter, note_count: usize, limits: &'a Limits) -> PartReader<'a> {
        PartReader {
            part: RawPart { listed, ..RawPart::default() },
            counts: Counts::default(),
            oddities: Vec::new(),
            note_count,
            limits,
            per_quarter: u64::from(per_quarter.get()),
            divisions: 1,
            transposition: 0,
            velocity: Velocity::DEFAULT,
            voices: HashMap::new(),
            has_pitched: false,
            has_unpitched: false,
            measure: RawMeasure::default(),
            met: Vec::new(),
            carried: Jumps::default(),
            cursor: 0,
            last_onset: 0,
        }
    }

    pub fn finish(mut self) -> (RawPart, Counts, Vec<(usize, Oddity)>, usize) {
        self.part.is_unpitched = self.has_unpitched && !self.has_pitched;
        (self.part, self.counts, self.oddities, self.note_count)
    }

    fn warn(&mut self, oddity: Oddity) {
        if self.oddities.iter().all(|(_, known)| *known != oddity) {
            self.oddities.push((self.part.measures.len() + 1, oddity));
        }
    }

    /// Reads the next measure.
    pub fn measure(&mut self, element: &Element) -> Result<(), MusicXmlError> {
        self.measure = RawMeasure { jumps: std::mem::take(&mut self.carried), ..RawMeasure::default() };
        (self.cursor, self.last_onset) = (0, 0);
        for child in &element.children {
            match child.name.as_str() {
                "note" => self.note(child)?,
                "backup" => {
                    let back = self.duration(child).unwrap_or(0);
                    if back > self.cursor {
                        self.warn(Oddity::Backup);
                    }
                    self.cursor = self.cursor.saturating_sub(back);
                }
                "forward" => {
                    let forward = self.duration(child).unwrap_or(0);
                    self.advance(forward)?;
                }
                "attributes" => self.attributes(child),
                "direction" => self.direction(child),
                "sound" => {
                    self.sound(child, 0);
                    self.jumps(child, &[]);
                }
                "barline" => self.barline(child),
                _ => {}
            }
        }
        let mut measure = std::mem::take(&mut self.measure);
        for (at, jumps) in std::mem::take(&mut self.met) {
            // A sign after the last note stands before the next measure.
            let mut jumps = jumps;
            if at > 0 && at >= measure.length {
                self.carried.extend(jumps.take_signs());
            }
            measure.jumps.extend(jumps);
        }
        measure.notes.sort_by_key(|note| note.onset);
        self.part.measures.push(measure);
        Ok(())
    }

    fn advance(&mut self, by: u64) -> Result<(), MusicXmlError> {
        self.cursor = self.cursor.saturating_add(by);
        self.measure.length = self.measure.length.max(self.cursor);
        if self.cursor / self.per_quarter > self.limits.max_quarters {
            return Err(MusicXmlError::TooLong { limit: self.limits.max_quarters });
        }
        Ok(())
    }

    /// Divisions to ticks, exactly where the ticks allow.
    fn ticks(&mut self, divisions: u64) -> u64 {
        let scaled = u128::from(divisions) * u128::from(self.per_quarter);
        let whole = u128::from(self.divisions);
        if !scaled.is_multiple_of(whole) {
            self.warn(Oddity::Rounded);
        }
        u64::try_from((scaled * 2 + whole) / (whole * 2)).unwrap_or(u64::MAX)
    }

    /// The `duration` of an element in ticks; `None` where it has none that makes sense.
    fn duration(&mut self, element: &Element) -> Option<u64> {
        let text = element.text_of("duration")?;
        if let Ok(whole) = text.parse::<u64>() {
            return Some(self.ticks(whole));
        }
        // Decimals are allowed, if rare.
        let number: f64 = text.parse().ok().filter(|number: &f64| (0.0..1e12).contains(number))?;
        Some((number * self.per_quarter as f64 / self.divisions as f64).round() as u64)
    }

    fn note(&mut self, element: &Element) -> Result<(), MusicXmlError> {
        if element.child("grace").is_some() {
            self.counts.grace += 1;
            return Ok(());
        }
        let Some(duration) = self.duration(element) else {
            self.counts.duration += usize::from(element.child("rest").is_none());
            return Ok(());
        };
        let is_chord = element.child("chord").is_some();
        let onset = if is_chord { self.last_onset } else { self.cursor };
        if !is_chord {
            self.last_onset = self.cursor;
            self.advance(duration)?;
        }
        self.measure.length = self.measure.length.max(onset.saturating_add(duration));
        if element.child("rest").is_some() {
            return Ok(());
        }
        if element.child("cue").is_some() {
            self.counts.cue += 1;
            return Ok(());
        }
        let Some(pitch) = self.pitch(element) else {
            self.counts.pitch += 1;
            return Ok(());
        };
        self.note_count += 1;
        if self.note_count > self.limits.max_notes {
            return Err(MusicXmlError::TooManyNotes { limit: self.limits.max_notes });
        }
        let voices = self.voices.len() as u32;
        let voice = match element.text_of("voice") {
            Some(name) => *self.voices.entry(name.to_owned()).or_insert(voices + 1),
            None => 0,
        };
        let (tied_from, tied_to) = ties(element);
        let velocity = element.attribute("dynamics").and_then(loudness).unwrap_or(self.velocity);
        self.measure.notes.push(RawNote { onset, duration, pitch, velocity, voice, tied_from, tied_to });
        Ok(())
    }

    fn pitch(&mut self, note: &Element) -> Option<Pitch> {
        let (written, prefix, shift) = match note.child("pitch") {
            Some(pitch) => (pitch, "", self.transposition),
            None => (note.child("unpitched")?, "display-", 0),
        };
        if prefix.is_empty() {
            self.has_pitched = true;
        } else {
            self.has_unpitched = true;
            let drum = note.child("instrument").and_then(|instrument| instrument.attribute("id"));
            if let Some(drum) = drum.and_then(|id| self.part.listed.drums.get(id)) {
                return Some(*drum);
            }
        }
        let mut letters = written.text_of(&format!("{prefix}step"))?.chars();
        let step = Step::from_letter(letters.next()?).filter(|_| letters.next().is_none())?;
        let octave: i64 = written.number(&format!("{prefix}octave"))?;
        let alter: f64 = match written.text_of("alter") {
            Some(text) => text.parse().ok().filter(|alter: &f64| alter.abs() < 100.0)?,
            None => 0.0,
        };
        if alter.fract() != 0.0 {
            self.counts.microtone += 1;
        }
        let semitones = i64::from(step.semitones()) + alter.round() as i64 + i64::from(shift);
        Pitch::try_from(octave.checked_add(1)?.checked_mul(12)?.checked_add(semitones)?).ok()
    }

    fn attributes(&mut self, element: &Element) {
        if let Some(divisions) = element.number::<u64>("divisions").filter(|divisions| *divisions > 0) {
            self.divisions = divisions;
        }
        if let Some(transpose) = element.child("transpose") {
            let octaves: i32 = transpose.number("octave-change").unwrap_or(0);
            let chromatic: i32 = transpose.number("chromatic").unwrap_or(0);
            self.transposition = octaves.clamp(-10, 10) * 12 + chromatic.clamp(-120, 120);
        }
        if let Some(key) = element.child("key") {
            match read_key(key) {
                // What a transposing part writes is not what sounds.
                Some(key) if self.transposition % 12 != 0 => {
                    self.measure.key = Some(key.transposed(self.transposition));
                }
                Some(key) => self.measure.key = Some(key),
                None => self.warn(Oddity::Key),
            }
        }
        if let Some(time) = element.child("time") {
            match read_meter(time) {
                Some(meter) => self.measure.meter = Some(meter),
                None => self.warn(Oddity::Meter),
            }
        }
        if element.all("measure-style").any(|style| style.child("measure-repeat").is_some()) {
            self.warn(Oddity::MeasureRepeat);
        }
    }

    fn direction(&mut self, element: &Element) {
        for kind in element.all("direction-type") {
            for mark in kind.all("dynamics").flat_map(|dynamics| &dynamics.children) {
                self.velocity = mark_loudness(&mark.name).unwrap_or(self.velocity);
            }
        }
        let offset = self.offset(element);
        let sound = element.child("sound");
        if let Some(sound) = sound {
            self.sound(sound, offset);
        }
        let kinds: Vec<&Element> = element.all("direction-type").collect();
        self.jumps(sound.unwrap_or(element), &kinds);
        if sound.is_none_or(|sound| sound.attribute("tempo").is_none()) {
            for metronome in element.all("direction-type").flat_map(|kind| kind.all("metronome")) {
                if let Some(quarters) = metronome_quarters(metronome) {
                    self.tempo(quarters, offset);
                }
            }
        }
    }

    /// How far from the cursor a direction stands, in ticks.
    fn offset(&mut self, element: &Element) -> i64 {
        let divisions: i64 = element.number("offset").unwrap_or(0);
        let ticks = self.ticks(divisions.unsigned_abs());
        i64::try_from(ticks).unwrap_or(i64::MAX).saturating_mul(divisions.signum())
    }

    fn sound(&mut self, element: &Element, offset: i64) {
        let offset = offset.saturating_add(self.offset(element));
        if let Some(text) = element.attribute("tempo") {
            match text.trim().parse::<f64>() {
                Ok(quarters) => self.tempo(quarters, offset),
                Err(_) => self.warn(Oddity::Tempo),
            }
        }
        if let Some(velocity) = element.attribute("dynamics").and_then(loudness) {
            self.velocity = velocity;
        }
    }

    /// What a `sound`, or else the signs and words beside it, say about the order of playing.
    fn jumps(&mut self, sound: &Element, kinds: &[&Element]) {
        let mut jumps = Jumps::default();
        if !jumps.sound(sound) {
            kinds.iter().for_each(|kind| jumps.direction_type(kind));
        }
        if jumps != Jumps::default() {
            self.met.push((self.cursor, jumps));
        }
    }

    fn tempo(&mut self, quarters_per_minute: f64, offset: i64) {
        match Tempo::from_quarters_per_minute(quarters_per_minute) {
            Some(tempo) => self.measure.tempos.push((self.cursor.saturating_add_signed(offset), tempo)),
            None => self.warn(Oddity::Tempo),
        }
    }

    fn barline(&mut self, element: &Element) {
        let mut jumps = Jumps::default();
        if jumps.sound(element) || element.child("segno").is_some() || element.child("coda").is_some() {
            if jumps == Jumps::default() {
                jumps.direction_type(element);
            }
            // The right one is the usual one.
            if element.attribute("location") != Some("left") {
                self.carried.extend(jumps.take_signs());
            }
            self.measure.jumps.extend(jumps);
        }
        if let Some(repeat) = element.child("repeat") {
            match repeat.attribute("direction") {
                Some("forward") => self.measure.marks.forward = true,
                Some("backward") => {
                    let times = repeat.attribute("times").and_then(|times| times.parse().ok()).unwrap_or(2);
                    self.measure.marks.backward = Some(times);
                    self.measure.marks.after_jump = repeat.attribute("after-jump") == Some("yes");
                }
                _ => {}
            }
        }
        if let Some(ending) = element.child("ending") {
            match ending.attribute("type") {
                Some("start") => {
                    self.measure.marks.ending = passes(ending.attribute("number").unwrap_or_default());
                }
                Some("stop" | "discontinue") => self.measure.marks.ending_stops = true,
                _ => {}
            }
        }
    }
}

/// Whether a note is tied to the one before and to the one after.
fn ties(note: &Element) -> (bool, bool) {
    let has = |kind: &str| note.all("tie").any(|tie| tie.attribute("type") == Some(kind));
    if note.child("tie").is_some() {
        return (has("stop"), has("start"));
    }
    // Some programs write only what is seen.
    let seen = |kind: &str| {
        let tied = note.all("notations").flat_map(|notations| notations.all("tied"));
        tied.into_iter().any(|tied| tied.attribute("type") == Some(kind))
    };
    (seen("stop"), seen("start"))
}

/// A loudness in hundredths of forte as a velocity.
fn loudness(text: &str) -> Option<Velocity> {
    let percent: f64 = text.trim().parse().ok().filter(|percent: &f64| percent.is_finite() && *percent >= 0.0)?;
    Velocity::try_from((percent * 0.9).round().clamp(1.0, 127.0) as u8).ok()
}

/// The velocity that notation programs play for a mark.
fn mark_loudness(mark: &str) -> Option<Velocity> {
    let velocity = match mark {
        "pppp" | "ppppp" | "pppppp" => 10,
        "ppp" => 16,
        "pp" => 33,
        "p" => 49,
        "mp" => 64,
        "mf" => 80,
        "f" => 96,
        "ff" => 112,
        "fff" | "ffff" | "fffff" | "ffffff" => 126,
        _ => return None,
    };
    Velocity::try_from(velocity).ok()
}

fn read_key(key: &Element) -> Option<Key> {
    let fifths: i8 = key.number("fifths")?;
    let mode = match key.text_of("mode") {
        Some("minor" | "aeolian" | "dorian" | "phrygian" | "locrian") => Mode::Minor,
        _ => Mode::Major,
    };
    Key::new(fifths, mode)
}

/// A time signature; `3+2` beats are five, and of several signatures of one kind of note the beats are summed.
fn read_meter(time: &Element) -> Option<Meter> {
    let kinds: Vec<&str> = time.all("beat-type").map(|kind| kind.text.as_str()).collect();
    if kinds.windows(2).any(|pair| pair[0] != pair[1]) {
        return None;
    }
    let mut beats: u32 = 0;
    for number in time.all("beats").flat_map(|beats| beats.text.split('+')) {
        beats = beats.checked_add(number.trim().parse().ok()?)?;
    }
    format!("{beats}/{}", kinds.first()?).parse().ok()
}

/// Quarters per minute of a metronome mark.
fn metronome_quarters(metronome: &Element) -> Option<f64> {
    const UNITS: [(&str, f64); 8] = [
        ("breve", 8.0),
        ("whole", 4.0),
        ("half", 2.0),
        ("quarter", 1.0),
        ("eighth", 0.5),
        ("16th", 0.25),
        ("32nd", 0.125),
        ("64th", 0.0625),
    ];
    let unit = metronome.text_of("beat-unit")?;
    let (_, mut quarters) = *UNITS.iter().find(|(name, _)| *name == unit)?;
    if metronome.child("beat-unit-dot").is_some() {
        quarters *= 1.5;
    }
    // "c. 120" is a number, too.
    let text = metronome.text_of("per-minute")?;
    let number = text.trim_matches(|c: char| !c.is_ascii_digit());
    Some(number.parse::<f64>().ok()? * quarters)
}
