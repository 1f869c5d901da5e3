//! One part of a document, measure by measure, before repeats are played and ties are joined.

use super::directions::Pedal;
use super::document::Element;
use super::jumps::{Jumps, passes};
use super::listed::Listed;
use super::loudness::{self, Mark, percent};
use super::signs::NoteSigns;
use super::ticks::Decimal;
use super::{MusicXmlError, Oddity, drum_staff, ornaments};
use crate::Limits;
use crate::notation::Step;
use crate::repeats::Marks;
use cantus_score::{Key, Lyric, Meter, Mode, Pitch, Program, Tempo, TicksPerQuarter, Velocity};
use std::collections::HashMap;

/// A note as it stands in a measure; times from its beginning, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct RawNote {
    pub onset: u64,
    /// How long before `onset` it sounds: a grace note before the beat.
    pub lead: u64,
    pub duration: u64,
    pub pitch: Pitch,
    pub velocity: Velocity,
    /// The velocity is its own, and no mark's.
    pub has_velocity: bool,
    pub voice: u32,
    pub staff: u8,
    /// Which of the part's instruments plays it, and with which program.
    pub instrument: u16,
    pub program: Option<Program>,
    /// A drum, or a pitch.
    pub is_drum: bool,
    /// A swing may move it.
    pub is_swung: bool,
    pub tied_from: bool,
    pub tied_to: bool,
    /// The times at which it is played, one bit each from 1 on; 0 for all.
    pub times: u64,
    /// Which of the measure's signs stand at it, from 1; 0 for none.
    pub signs: u32,
}

/// A measure of a part.
#[derive(Clone, Debug, Default)]
pub struct RawMeasure {
    /// In the order in which they sound.
    pub notes: Vec<RawNote>,
    /// How far its voices reach.
    pub length: u64,
    pub meters: Vec<(u64, Meter)>,
    pub keys: Vec<(u64, Key)>,
    pub tempos: Vec<(u64, Tempo)>,
    pub marks: Vec<Mark>,
    pub pedal: Vec<(u64, Pedal)>,
    pub swings: Vec<(u64, Option<Swing>)>,
    pub chords: Vec<(u64, String)>,
    pub markers: Vec<(u64, String)>,
    pub lyrics: Vec<(u64, Lyric)>,
    /// The slurs and fermatas of notes.
    pub signs: Vec<NoteSigns>,
    /// Rests with fermatas.
    pub fermatas: Vec<u64>,
    pub repeats: Marks,
    pub jumps: Jumps,
}

/// How two notes of one length share their time: `first` to `second`; `unit` is the length of one, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swing {
    pub first: u64,
    pub second: u64,
    pub unit: u64,
}

/// A part.
#[derive(Clone, Debug, Default)]
pub struct RawPart {
    pub listed: Listed,
    pub measures: Vec<RawMeasure>,
    /// A clef for percussion stands in it.
    pub has_drum_clef: bool,
}

/// How many of each oddity a part has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub cue: usize,
    pub pitch: usize,
    pub duration: usize,
    pub microtone: usize,
    pub drum_place: usize,
    /// Signs that do not sound: slurs, fermatas, ornaments, articulations.
    pub slurs: usize,
    pub fermatas: usize,
    pub ornaments: usize,
    pub articulations: usize,
}

/// Reads the measures of one part.
pub struct PartReader<'a> {
    pub part: RawPart,
    pub counts: Counts,
    /// Oddities with the measure (from 1) that has them; each kind is named once.
    pub oddities: Vec<(usize, Oddity)>,
    /// Notes read so far, in all parts.
    pub note_count: usize,
    pub(super) limits: &'a Limits,
    pub(super) per_quarter: u64,
    divisions: Decimal,
    /// Semitones from what is written to what sounds.
    pub(super) transposition: i32,
    voices: HashMap<String, u32>,
    pub(super) measure: RawMeasure,
    /// What the measure says about jumps, and where.
    pub(super) met: Vec<(u64, Jumps)>,
    /// Signs that belong to the next measure.
    carried: Jumps,
    pub(super) cursor: u64,
    /// The programs that its instruments have by now, and changes in this measure.
    programs: Vec<Option<Program>>,
    pub(super) changes: Vec<(u64, u16, Program)>,
    last: LastNote,
    graces: ornaments::Graces,
    tremolos: Vec<ornaments::Tremolo>,
    /// The staves (`None` for all) whose measures repeat those before: how many make the pattern.
    repeated: Vec<(Option<u8>, usize)>,
}

/// The note that was read last, for the other notes of its chord.
#[derive(Clone, Copy, Debug, Default)]
struct LastNote {
    onset: u64,
    /// What grace notes have taken from its beginning.
    taken: u64,
}

impl<'a> PartReader<'a> {
    pub fn new(listed: Listed, per_quarter: TicksPerQuarter, note_count: usize, limits: &'a Limits) -> PartReader<'a> {
        let programs = listed.instruments.iter().map(|instrument| instrument.program).collect();
        PartReader {
            part: RawPart { listed, ..RawPart::default() },
            counts: Counts::default(),
            oddities: Vec::new(),
            note_count,
            limits,
            per_quarter: u64::from(per_quarter.get()),
            divisions: Decimal::ONE,
            transposition: 0,
            voices: HashMap::new(),
            measure: RawMeasure::default(),
            met: Vec::new(),
            carried: Jumps::default(),
            cursor: 0,
            programs,
            changes: Vec::new(),
            last: LastNote::default(),
            graces: ornaments::Graces::default(),
            tremolos: Vec::new(),
            repeated: Vec::new(),
        }
    }

    pub fn finish(mut self) -> (RawPart, Counts, Vec<(usize, Oddity)>, usize) {
        loudness::settle(&mut self.part.measures);
        (self.part, self.counts, self.oddities, self.note_count)
    }

    pub(super) fn warn(&mut self, oddity: Oddity) {
        if self.oddities.iter().all(|(_, known)| *known != oddity) {
            self.oddities.push((self.part.measures.len() + 1, oddity));
        }
    }

    /// Reads the next measure.
    pub fn measure(&mut self, element: &Element) -> Result<(), MusicXmlError> {
        self.measure = RawMeasure { jumps: std::mem::take(&mut self.carried), ..RawMeasure::default() };
        (self.cursor, self.last) = (0, LastNote::default());
        for child in &element.children {
            match child.name.as_str() {
                "note" => self.note(child)?,
                "backup" => {
                    self.graces_at_end();
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
                "harmony" => self.harmony(child),
                "sound" => {
                    let offset = self.sound_offset(child, None);
                    self.sound(child, offset);
                    self.jumps(child, &[]);
                }
                "barline" => self.barline(child),
                _ => {}
            }
        }
        self.graces_at_end();
        let room = self.limits.max_notes.saturating_sub(self.note_count);
        let tremolos = std::mem::take(&mut self.tremolos);
        let more = ornaments::play_tremolos(&mut self.measure.notes, &tremolos, room);
        self.count(more)?;
        self.give_programs();
        self.repeat_measures()?;
        let mut measure = std::mem::take(&mut self.measure);
        for (at, mut jumps) in std::mem::take(&mut self.met) {
            // A sign after the last note stands before the next measure.
            if at > 0 && at >= measure.length {
                self.carried.extend(jumps.take_signs());
            }
            measure.jumps.extend(jumps);
        }
        // In the order of sounding, which ties need; a grace note before the beat may sound before the measure.
        measure.notes.sort_by_key(|note| (note.onset.saturating_sub(note.lead), std::cmp::Reverse(note.lead)));
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
    pub(super) fn ticks(&mut self, divisions: Decimal) -> u64 {
        let scaled = u128::from(divisions.above) * u128::from(self.per_quarter) * u128::from(self.divisions.below);
        let whole = u128::from(divisions.below) * u128::from(self.divisions.above);
        if !scaled.is_multiple_of(whole) {
            self.warn(Oddity::Rounded);
        }
        u64::try_from((scaled * 2 + whole) / (whole * 2)).unwrap_or(u64::MAX)
    }

    /// The `duration` of an element in ticks; `None` where it has none that makes sense.
    fn duration(&mut self, element: &Element) -> Option<u64> {
        let found = Decimal::read(element.text_of("duration")?)?;
        Some(self.ticks(found))
    }

    fn note(&mut self, element: &Element) -> Result<(), MusicXmlError> {
        let is_grace = element.child("grace").is_some();
        let duration = match self.duration(element) {
            _ if is_grace => 0,
            Some(duration) => duration,
            None => {
                self.counts.duration += usize::from(element.child("rest").is_none());
                return Ok(());
            }
        };
        let voices = self.voices.len() as u32;
        let voice = match element.text_of("voice") {
            Some(name) => *self.voices.entry(name.to_owned()).or_insert(voices + 1),
            None => 0,
        };
        let is_chord = element.child("chord").is_some();
        if self.graces.is_of_other(voice) && !is_chord {
            self.graces_at_end();
        }
        if !is_chord && !is_grace {
            self.last = LastNote { onset: self.cursor, taken: 0 };
            if element.child("cue").is_none() {
                let is_first = self.part.measures.is_empty() && self.cursor == 0;
                let time = self.graces.before(duration, is_first, self.per_quarter);
                self.last.taken = time.of_note;
                self.play_graces(self.cursor, time.before, time.of_note);
                self.graces.follow(voice, duration);
            }
            self.advance(duration)?;
        }
        let onset = if is_grace { self.cursor } else { self.last.onset };
        self.measure.length = self.measure.length.max(onset.saturating_add(duration));
        if element.child("rest").is_some() {
            if NoteSigns::read(element).fermata {
                self.counts.fermatas += 1;
                self.measure.fermatas.push(onset);
            }
            return Ok(());
        }
        if element.child("cue").is_some() {
            self.counts.cue += 1;
            return Ok(());
        }
        let staff: u8 = element.number("staff").unwrap_or(1);
        self.notations(element, onset, staff);
        let instrument = self.instrument(element);
        let Some((pitch, is_drum)) = self.pitch(element, instrument) else {
            self.counts.pitch += 1;
            return Ok(());
        };
        let (tied_from, tied_to) = ties(element);
        let velocity = element.attribute("dynamics").and_then(percent);
        let times = element.attribute("time-only").map(passes).unwrap_or_default();
        let taken = if is_grace || tied_from { 0 } else { self.last.taken };
        let signs = match NoteSigns::read(element) {
            signs if signs.is_empty() => 0,
            signs => {
                self.measure.signs.push(signs);
                self.measure.signs.len() as u32
            }
        };
        let note = RawNote {
            onset: onset + taken,
            lead: 0,
            duration: duration - taken.min(duration),
            pitch,
            velocity: velocity.unwrap_or(Velocity::DEFAULT),
            has_velocity: velocity.is_some(),
            voice,
            staff,
            instrument,
            program: None,
            is_drum,
            is_swung: !is_grace && element.child("type").is_some(),
            tied_from,
            tied_to,
            times: times.iter().filter(|time| **time < 64).fold(0, |bits, time| bits | 1 << time),
            signs,
        };
        if is_grace {
            self.count(1)?;
            let slashed = element.child("grace").is_some_and(|grace| grace.attribute("slash") == Some("yes"));
            self.graces.push(note, is_chord, slashed);
            return Ok(());
        }
        self.lyrics(element, note.onset);
        self.tremolos.extend(ornaments::Tremolo::read(element, &note, self.per_quarter));
        self.count(1)?;
        self.measure.notes.push(note);
        Ok(())
    }

    /// Counts notes, against the limit.
    fn count(&mut self, more: usize) -> Result<(), MusicXmlError> {
        self.note_count = self.note_count.saturating_add(more);
        if self.note_count > self.limits.max_notes {
            return Err(MusicXmlError::TooManyNotes { limit: self.limits.max_notes });
        }
        Ok(())
    }

    /// Gives the notes of this measure the programs that their instruments have.
    fn give_programs(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by_key(|(at, instrument, _)| (*instrument, *at));
        for note in &mut self.measure.notes {
            let after = changes.partition_point(|(at, which, _)| (*which, *at) <= (note.instrument, note.onset));
            let change = after.checked_sub(1).map(|k| changes[k]).filter(|(_, which, _)| *which == note.instrument);
            let before = self.programs.get(usize::from(note.instrument)).copied().flatten();
            note.program = change.map(|(_, _, program)| program).or(before);
        }
        for (_, instrument, program) in changes {
            if let Some(known) = self.programs.get_mut(usize::from(instrument)) {
                *known = Some(program);
            }
        }
    }

    /// Measures that are a sign only sound as those before them (MusicXML 4.0, "The measure-repeat element").
    ///
    /// The music should stand in them as well, says the text; then it is played as it stands.
    fn repeat_measures(&mut self) -> Result<(), MusicXmlError> {
        for (staff, pattern) in self.repeated.clone() {
            let concerns = |note: &&RawNote| staff.is_none_or(|staff| note.staff == staff);
            if self.measure.notes.iter().any(|note| concerns(&note)) {
                continue;
            }
            let Some(source) = self.part.measures.len().checked_sub(pattern) else {
                self.warn(Oddity::MeasureRepeat);
                continue;
            };
            let source = &self.part.measures[source];
            let plain = |note: &RawNote| RawNote { signs: 0, ..*note };
            let notes: Vec<RawNote> = source.notes.iter().filter(concerns).map(plain).collect();
            self.measure.length = self.measure.length.max(source.length);
            self.count(notes.len())?;
            self.measure.notes.extend(notes);
        }
        Ok(())
    }

    /// Plays the grace notes that wait, before `onset` or from it on.
    fn play_graces(&mut self, onset: u64, before: u64, of_note: u64) {
        let notes = self.graces.take(onset, before, of_note);
        self.measure.notes.extend(notes);
    }

    /// Grace notes that no note follows end the one before them.
    fn graces_at_end(&mut self) {
        if !self.graces.is_empty() {
            let notes = self.graces.after(&mut self.measure.notes, self.per_quarter);
            self.measure.notes.extend(notes);
        }
    }

    /// Which of the part's instruments plays a note.
    fn instrument(&self, note: &Element) -> u16 {
        let id = note.child("instrument").and_then(|instrument| instrument.attribute("id"));
        id.and_then(|id| self.instrument_of(id)).unwrap_or(0)
    }

    pub(super) fn instrument_of(&self, id: &str) -> Option<u16> {
        let place = self.part.listed.instruments.iter().position(|known| known.id == id)?;
        u16::try_from(place).ok()
    }

    /// What a note sounds like, and whether that is a drum.
    fn pitch(&mut self, note: &Element, instrument: u16) -> Option<(Pitch, bool)> {
        let instruments = &self.part.listed.instruments;
        let played = match instruments.as_slice() {
            // Only where there are several must a note say which (MusicXML 4.0, "The instrument element").
            [only] => Some(only),
            all if note.child("instrument").is_some() => all.get(usize::from(instrument)),
            _ => None,
        };
        let drum = played.and_then(|played| played.drum);
        if note.child("unpitched").is_some() {
            let drum = drum.or_else(|| played?.named_drum);
            self.counts.drum_place += usize::from(drum.is_none());
            return drum.or_else(|| drum_staff::drum_at(note)).map(|drum| (drum, true));
        }
        let written = note.child("pitch")?;
        let mut letters = written.text_of("step")?.chars();
        let step = Step::from_letter(letters.next()?).filter(|_| letters.next().is_none())?;
        let octave: i64 = written.number("octave")?;
        let alter: f64 = match written.text_of("alter") {
            Some(text) => text.parse().ok().filter(|alter: &f64| alter.abs() < 100.0)?,
            None => 0.0,
        };
        if alter.fract() != 0.0 {
            self.counts.microtone += 1;
        }
        let semitones = i64::from(step.semitones()) + alter.round() as i64 + i64::from(self.transposition);
        let pitch = Pitch::try_from(octave.checked_add(1)?.checked_mul(12)?.checked_add(semitones)?).ok()?;
        // An instrument of a drum kit has one key, wherever its notes are drawn.
        Some(drum.map_or((pitch, false), |drum| (drum, true)))
    }

    /// What stands at a note: its own dynamics, and signs that are counted.
    fn notations(&mut self, note: &Element, onset: u64, staff: u8) {
        for sign in note.all("notations").flat_map(|notations| &notations.children) {
            match sign.name.as_str() {
                "dynamics" => {
                    if let Some((attack, then)) = loudness::of_signs(sign) {
                        self.measure.marks.push(Mark { at: onset, staff: Some(staff), attack, then });
                    }
                }
                "slur" => self.counts.slurs += usize::from(sign.attribute("type") == Some("start")),
                "fermata" => self.counts.fermatas += 1,
                "articulations" => self.counts.articulations += sign.children.len(),
                "arpeggiate" => self.counts.ornaments += usize::from(note.child("chord").is_none()),
                "glissando" | "slide" => self.counts.ornaments += usize::from(sign.attribute("type") == Some("start")),
                "ornaments" => {
                    let is_sign = |sign: &&Element| !["tremolo", "accidental-mark"].contains(&sign.name.as_str());
                    self.counts.ornaments += sign.children.iter().filter(is_sign).count();
                }
                _ => {}
            }
        }
    }

    fn lyrics(&mut self, note: &Element, onset: u64) {
        for lyric in note.all("lyric") {
            let mut text = String::new();
            for child in &lyric.children {
                match child.name.as_str() {
                    "text" => text.push_str(&child.text),
                    "elision" => text.push_str(if child.text.is_empty() { "\u{203F}" } else { &child.text }),
                    _ => {}
                }
            }
            let Some(text) = super::listed::one_line(&text) else { continue };
            let goes_on =
                lyric.all("syllabic").last().is_some_and(|syllabic| ["begin", "middle"].contains(&&*syllabic.text));
            // Names of verses end in their number where they have one: `part1verse2`.
            let name = lyric.attribute("number").unwrap_or_default();
            let number = name.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse().ok());
            let verse = number.filter(|verse| *verse > 0).unwrap_or(1);
            self.measure.lyrics.push((onset, Lyric { at: Default::default(), verse, text, goes_on }));
        }
    }

    fn attributes(&mut self, element: &Element) {
        let divisions = element.text_of("divisions").and_then(Decimal::read);
        if let Some(divisions) = divisions.filter(|divisions| divisions.above > 0) {
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
                    self.measure.keys.push((self.cursor, key.transposed(self.transposition)));
                }
                Some(key) => self.measure.keys.push((self.cursor, key)),
                None => self.warn(Oddity::Key),
            }
        }
        if let Some(time) = element.child("time") {
            match read_meter(time) {
                Some(meter) => self.measure.meters.push((self.cursor, meter)),
                None => self.warn(Oddity::Meter),
            }
        }
        self.part.has_drum_clef |= element.all("clef").any(|clef| clef.text_of("sign") == Some("percussion"));
        for style in element.all("measure-style") {
            let staff: Option<u8> = style.attribute("number").and_then(|number| number.parse().ok());
            if let Some(sign) = style.child("measure-repeat") {
                self.repeated.retain(|(known, _)| staff.is_some() && *known != staff);
                if sign.attribute("type") == Some("start") {
                    self.repeated.push((staff, sign.text.parse().unwrap_or(1).max(1)));
                }
            }
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
        if element.child("fermata").is_some() {
            self.counts.fermatas += 1;
            // What comes before the bar line is held.
            if element.attribute("location") != Some("left") {
                self.measure.fermatas.push(self.last.onset);
            }
        }
        let marks = &mut self.measure.repeats;
        if let Some(repeat) = element.child("repeat") {
            match repeat.attribute("direction") {
                Some("forward") => marks.forward = true,
                Some("backward") => {
                    let times = repeat.attribute("times").and_then(|times| times.parse().ok()).unwrap_or(2);
                    marks.backward = Some(times);
                    marks.after_jump = repeat.attribute("after-jump") == Some("yes");
                }
                _ => {}
            }
        }
        if let Some(ending) = element.child("ending") {
            match ending.attribute("type") {
                Some("start") => marks.ending = passes(ending.attribute("number").unwrap_or_default()),
                Some("stop" | "discontinue") => marks.ending_stops = true,
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

fn read_key(key: &Element) -> Option<Key> {
    let fifths: i8 = key.number("fifths")?;
    let mode = match key.text_of("mode") {
        Some("minor" | "aeolian" | "dorian" | "phrygian" | "locrian") => Mode::Minor,
        _ => Mode::Major,
    };
    Key::new(fifths, mode)
}

/// A time signature; `3+2` beats are five, and several signatures are summed in the finest of their notes.
fn read_meter(time: &Element) -> Option<Meter> {
    let kinds: Vec<u32> = time.all("beat-type").filter_map(|kind| kind.text.trim().parse().ok()).collect();
    // 2/4 and 3/8 in one signature are seven eighths.
    let finest = *kinds.iter().max()?;
    let mut sum: u32 = 0;
    for (beats, kind) in time.all("beats").zip(kinds) {
        let times = finest.checked_div(kind).filter(|times| times * kind == finest)?;
        for number in beats.text.split('+') {
            sum = sum.checked_add(number.trim().parse::<u32>().ok()?.checked_mul(times)?)?;
        }
    }
    format!("{sum}/{finest}").parse().ok()
}
