//! Scores to documents.

use super::drum_staff::place_of;
use super::instruments::NAMES;
use super::measure::{beams, shown_accidentals};
use super::{WriteError, archive};
use crate::notation::{Clef, Event, Head, MAX_BARS, Sheet, SheetBar, SheetPart, Spelling, Staff, TooManyBars, Value};
use cantus_score::{Key, Meter, Mode, Note, Part, Pitch, Score, Tempo, Ticks, Velocity};
use std::fmt::Write;

/// What a MusicXML file can say of `score`: `read(write(score)) == canonicalize(score)`, within the reader's limits.
///
/// - Parts without notes are gone, pedals too; of a part's programs the first is kept, at the beginning.
/// - Notes are sorted. Those that lie on no place that note values or tuplets can name are moved to the nearest that can (beat by beat,
///   as notation programs do); none is lost, and none is without length. Ticks are as coarse as the notes allow.
/// - Metres are as the bars need them, keys stand at bar lines; without any key the one is written that fits the pitches best.
/// - Tempos lie on 32nd notes, and none after the last note.
/// - Texts are one line without control characters.
///
/// # Errors
/// As [`write()`].
pub fn canonicalize(score: &Score) -> Result<Score, WriteError> {
    let sheet = sheet(score)?;
    let part = |index: usize, notes: Vec<Note>| {
        let part = &score.parts[index];
        Part {
            name: part.name.as_deref().and_then(one_line),
            channel: part.channel,
            drums: part.drums,
            programs: part.programs.first().map(|(_, program)| (Ticks::ZERO, *program)).into_iter().collect(),
            notes,
            ..Part::default()
        }
    };
    let mut canonical = sheet.to_score(part);
    canonical.title = score.title.as_deref().and_then(one_line);
    canonical.remarks = score.remarks.iter().filter_map(|remark| one_line(remark)).collect();
    Ok(canonical)
}

/// A `score-partwise` document.
///
/// # Errors
/// See [`WriteError`].
pub fn write(score: &Score) -> Result<Vec<u8>, WriteError> {
    let sheet = sheet(score)?;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n\
         <!DOCTYPE score-partwise PUBLIC \"-//Recordare//DTD MusicXML 4.0 Partwise//EN\" \
         \"http://www.musicxml.org/dtds/partwise.dtd\">\n<score-partwise version=\"4.0\">\n",
    );
    if let Some(title) = score.title.as_deref().and_then(one_line) {
        line(&mut out, 1, &format!("<work><work-title>{}</work-title></work>", escaped(&title)));
    }
    identification(score, &mut out);
    line(&mut out, 1, "<part-list>");
    for (k, part) in sheet.parts.iter().enumerate() {
        score_part(&score.parts[part.index], k + 1, &mut out);
    }
    if sheet.parts.is_empty() {
        line(&mut out, 2, "<score-part id=\"P1\"><part-name/></score-part>");
    }
    line(&mut out, 1, "</part-list>");
    for (k, part) in sheet.parts.iter().enumerate() {
        write_part(part, &score.parts[part.index], &sheet, k + 1, &mut out);
    }
    if sheet.parts.is_empty() {
        // A document needs a part, and a part a measure.
        let rest = Event { onset: 0, duration: 0, heads: Vec::new(), value: None, tuplet: None };
        let bars = sheet.bars.iter().map(|bar| vec![Event { duration: bar.length, ..rest.clone() }]).collect();
        let staff = Staff { clef: Clef::Treble, voices: vec![bars] };
        write_part(&SheetPart { index: 0, staves: vec![staff] }, &Part::default(), &sheet, 1, &mut out);
    }
    out.push_str("</score-partwise>\n");
    Ok(out.into_bytes())
}

/// The same, compressed (`.mxl`).
///
/// # Errors
/// As [`write()`].
pub fn write_compressed(score: &Score) -> Result<Vec<u8>, WriteError> {
    Ok(archive::pack(&write(score)?))
}

fn sheet(score: &Score) -> Result<Sheet, WriteError> {
    if let Some((k, part)) = score.parts.iter().enumerate().find(|(_, part)| part.channel > 15) {
        return Err(WriteError::Channel { part: k + 1, found: part.channel });
    }
    Sheet::of(score, true).map_err(|TooManyBars| WriteError::TooManyBars { limit: MAX_BARS })
}

/// Text that XML can hold, on one line; `None` where nothing is left.
fn one_line(text: &str) -> Option<String> {
    let allowed = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let spaced: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| allowed(*c)).collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn line(out: &mut String, depth: usize, text: &str) {
    for _ in 0..depth {
        out.push_str("  ");
    }
    out.push_str(text);
    out.push('\n');
}

fn identification(score: &Score, out: &mut String) {
    line(out, 1, "<identification>");
    line(out, 2, "<encoding>");
    line(out, 3, "<software>Cantus</software>");
    for element in ["accidental", "beam"] {
        line(out, 3, &format!("<supports element=\"{element}\" type=\"yes\"/>"));
    }
    line(out, 2, "</encoding>");
    let remarks: Vec<String> = score.remarks.iter().filter_map(|remark| one_line(remark)).collect();
    if !remarks.is_empty() {
        line(out, 2, "<miscellaneous>");
        for remark in remarks {
            let text = escaped(&remark);
            line(out, 3, &format!("<miscellaneous-field name=\"remark\">{text}</miscellaneous-field>"));
        }
        line(out, 2, "</miscellaneous>");
    }
    line(out, 1, "</identification>");
}

fn score_part(part: &Part, number: usize, out: &mut String) {
    line(out, 2, &format!("<score-part id=\"P{number}\">"));
    match part.name.as_deref().and_then(one_line) {
        Some(name) => line(out, 3, &format!("<part-name>{}</part-name>", escaped(&name))),
        None => line(out, 3, "<part-name/>"),
    }
    let program = part.programs.first().map(|(_, program)| *program);
    let mut instruments = Vec::new();
    if part.drums {
        let mut drums: Vec<Pitch> = part.notes.iter().map(|note| note.pitch).collect();
        drums.sort_unstable();
        drums.dedup();
        for drum in drums {
            instruments.push((format!("P{number}-D{}", drum.get()), format!("Drum {}", drum.get()), Some(drum)));
        }
    } else {
        instruments.push((format!("P{number}-I1"), NAMES[usize::from(part.program().get())].to_owned(), None));
    }
    for (id, name, _) in &instruments {
        let name = format!("<instrument-name>{}</instrument-name>", escaped(name));
        line(out, 3, &format!("<score-instrument id=\"{id}\">{name}</score-instrument>"));
    }
    for (id, _, drum) in &instruments {
        let mut midi = format!("<midi-channel>{}</midi-channel>", part.channel + 1);
        if let Some(program) = program {
            let _ = write!(midi, "<midi-program>{}</midi-program>", program.get() + 1);
        }
        if let Some(drum) = drum {
            let _ = write!(midi, "<midi-unpitched>{}</midi-unpitched>", drum.get() + 1);
        }
        line(out, 3, &format!("<midi-instrument id=\"{id}\">{midi}</midi-instrument>"));
    }
    line(out, 2, "</score-part>");
}

/// What the notes of a part have in common.
struct Context<'a> {
    sheet: &'a Sheet,
    part: &'a Part,
    number: usize,
    staves: usize,
}

/// The first part leads: tempos stand in it.
fn write_part(part: &SheetPart, source: &Part, sheet: &Sheet, part_number: usize, out: &mut String) {
    let context = Context { sheet, part: source, number: part_number, staves: part.staves.len() };
    line(out, 1, &format!("<part id=\"P{part_number}\">"));
    let mut tempos = sheet.tempos.iter().copied().peekable();
    let mut mark = Mark::default();
    let mut number = u32::from(!sheet.bars.first().is_some_and(|bar| bar.is_short() && sheet.bars.len() > 1));
    let mut odd = 0;
    for (k, bar) in sheet.bars.iter().enumerate() {
        // An upbeat is number 0, and a short bar within the piece is not counted.
        let is_short = bar.is_short() && k > 0;
        odd += u32::from(is_short);
        let name = if is_short { format!("X{odd}") } else { number.to_string() };
        let implicit = if is_short || number == 0 { " implicit=\"yes\"" } else { "" };
        number += u32::from(!is_short);
        line(out, 2, &format!("<measure number=\"{name}\"{implicit}>"));
        attributes(bar, k == 0, part, sheet, out);
        let mut changes = Vec::new();
        while let Some(change) = tempos.next_if(|(at, _)| part_number == 1 && *at < bar.end()) {
            let until = tempos.peek().map_or(u64::MAX, |(at, _)| *at);
            changes.push((change.0, change.1, mark.is_due(change, until)));
        }
        let mut waiting = changes.into_iter().peekable();
        let mut written = false;
        for (s, staff) in part.staves.iter().enumerate() {
            let shown = shown_accidentals(staff, k, bar.key);
            for (v, voice) in staff.voices.iter().enumerate() {
                let events = &voice[k];
                if events.is_empty() {
                    continue;
                }
                if written {
                    let back = bar.length / sheet.unit;
                    line(out, 3, &format!("<backup><duration>{back}</duration></backup>"));
                }
                written = true;
                let place = Place { staff: s, voice: v };
                let beams = beams(events, bar.meter);
                for (e, event) in events.iter().enumerate() {
                    let end = bar.start + event.onset + event.duration;
                    while let Some((at, tempo, is_marked)) = waiting.next_if(|(at, _, _)| *at < end) {
                        let offset = (at - bar.start - event.onset) / sheet.unit;
                        tempo_change(tempo, is_marked.then_some(bar.meter), offset, out);
                    }
                    let accidentals = shown.get(v).and_then(|voice| voice.get(e)).map_or(&[][..], |heads| heads);
                    write_event(event, bar.key, &context, place, &beams[e], accidentals, out);
                }
            }
        }
        if k + 1 == sheet.bars.len() {
            line(out, 3, "<barline location=\"right\"><bar-style>light-heavy</bar-style></barline>");
        }
        line(out, 2, "</measure>");
    }
    line(out, 1, "</part>");
}

/// Which tempo changes a reader wants to see: the first, and those that last.
#[derive(Default)]
struct Mark {
    shown: Option<Tempo>,
}

impl Mark {
    fn is_due(&mut self, (at, tempo): (u64, Tempo), until: u64) -> bool {
        /// Shorter than four bars of 4/4 it is rubato.
        const LASTING: u64 = 16 * crate::notation::QUARTER;
        let is_new = self.shown.is_none_or(|shown| per_minute(shown) != per_minute(tempo));
        let is_due = is_new && (at == 0 || until - at >= LASTING);
        if is_due {
            self.shown = Some(tempo);
        }
        is_due
    }
}

/// What a metronome's scale would say.
fn per_minute(tempo: Tempo) -> u64 {
    tempo.quarters_per_minute().round().max(1.0) as u64
}

/// A change of tempo, so many divisions after what comes next begins; with a metronome mark where a metre is given.
fn tempo_change(tempo: Tempo, mark: Option<Meter>, offset: u64, out: &mut String) {
    let sound = tempo.beats_per_minute(1.0);
    let shift = if offset > 0 { format!("<offset sound=\"yes\">{offset}</offset>") } else { String::new() };
    let Some(meter) = mark else {
        let shift = if offset > 0 { format!("><offset>{offset}</offset></sound>") } else { "/>".to_owned() };
        line(out, 3, &format!("<sound tempo=\"{sound}\"{shift}"));
        return;
    };
    let (unit, quarters) = match (meter.is_compound(), meter.denominator()) {
        (true, 8) => ("<beat-unit>quarter</beat-unit><beat-unit-dot/>", 1.5),
        (true, 16) => ("<beat-unit>eighth</beat-unit><beat-unit-dot/>", 0.75),
        _ => ("<beat-unit>quarter</beat-unit>", 1.0),
    };
    let beats = (tempo.quarters_per_minute() / quarters).round().max(1.0);
    let metronome = format!("{unit}<per-minute>{beats}</per-minute>");
    line(out, 3, "<direction placement=\"above\">");
    line(out, 4, &format!("<direction-type><metronome>{metronome}</metronome></direction-type>"));
    if !shift.is_empty() {
        line(out, 4, &shift);
    }
    line(out, 4, &format!("<sound tempo=\"{sound}\"/>"));
    line(out, 3, "</direction>");
}

fn attributes(bar: &SheetBar, is_first: bool, part: &SheetPart, sheet: &Sheet, out: &mut String) {
    if !(is_first || bar.key_changes || bar.meter_changes) {
        return;
    }
    line(out, 3, "<attributes>");
    if is_first {
        line(out, 4, &format!("<divisions>{}</divisions>", sheet.divisions().get()));
    }
    if bar.key_changes {
        let mode = match bar.key.mode() {
            Mode::Major => "major",
            Mode::Minor => "minor",
        };
        line(out, 4, &format!("<key><fifths>{}</fifths><mode>{mode}</mode></key>", bar.key.fifths()));
    }
    if bar.meter_changes {
        let (beats, kind) = (bar.meter.numerator(), bar.meter.denominator());
        line(out, 4, &format!("<time><beats>{beats}</beats><beat-type>{kind}</beat-type></time>"));
    }
    if is_first {
        if part.staves.len() > 1 {
            line(out, 4, &format!("<staves>{}</staves>", part.staves.len()));
        }
        for (k, staff) in part.staves.iter().enumerate() {
            let number = if part.staves.len() > 1 { format!(" number=\"{}\"", k + 1) } else { String::new() };
            let sign = match staff.clef {
                Clef::Treble => "<sign>G</sign><line>2</line>",
                Clef::Bass => "<sign>F</sign><line>4</line>",
                Clef::Percussion => "<sign>percussion</sign><line>2</line>",
            };
            line(out, 4, &format!("<clef{number}>{sign}</clef>"));
        }
    }
    line(out, 3, "</attributes>");
}

/// Where a voice stands.
#[derive(Clone, Copy)]
struct Place {
    staff: usize,
    voice: usize,
}

impl Place {
    /// Notation programs give each staff four voices of its own; further ones, which are rare, follow after all of these.
    fn number(self) -> usize {
        if self.voice < 4 { 4 * self.staff + self.voice + 1 } else { 9 + 2 * (self.voice - 4) + self.staff }
    }
}

fn write_event(
    event: &Event,
    key: Key,
    context: &Context,
    place: Place,
    beams: &[&str],
    accidentals: &[bool],
    out: &mut String,
) {
    let hidden = if place.voice > 0 { " print-object=\"no\"" } else { "" };
    let duration = event.duration / context.sheet.unit;
    let staff = if context.staves > 1 { format!("<staff>{}</staff>", place.staff + 1) } else { String::new() };
    let voice = format!("<voice>{}</voice>", place.number());
    let kind = event.value.map(value_elements).unwrap_or_default();
    let ratio = event.tuplet.map_or(String::new(), |tuplet| {
        let (actual, normal) = (tuplet.actual, tuplet.normal);
        format!(
            "<time-modification><actual-notes>{actual}</actual-notes><normal-notes>{normal}</normal-notes></time-modification>"
        )
    });
    let mut tuplet = String::new();
    if let Some(marks) = event.tuplet {
        if marks.begins {
            tuplet.push_str("<tuplet type=\"start\"/>");
        }
        if marks.ends {
            tuplet.push_str("<tuplet type=\"stop\"/>");
        }
    }
    let duration = format!("<duration>{duration}</duration>");
    if event.heads.is_empty() {
        let measure = if event.value.is_none() { " measure=\"yes\"" } else { "" };
        let notations = if tuplet.is_empty() { tuplet } else { format!("<notations>{tuplet}</notations>") };
        let rest = format!("<rest{measure}/>{duration}{voice}{kind}{ratio}{staff}{notations}");
        line(out, 3, &format!("<note{hidden}>{rest}</note>"));
        return;
    }
    for (h, head) in event.heads.iter().enumerate() {
        let mut note = String::new();
        if h > 0 {
            note.push_str("<chord/>");
        }
        let spelling = Spelling::of(head.pitch, key);
        if context.part.drums {
            unpitched(head.pitch, &mut note);
        } else {
            pitched(spelling, &mut note);
        }
        note.push_str(&duration);
        let mut tied = String::new();
        for (is_tied, kind) in [(head.tied_from, "stop"), (head.tied_to, "start")] {
            if is_tied {
                let _ = write!(note, "<tie type=\"{kind}\"/>");
                let _ = write!(tied, "<tied type=\"{kind}\"/>");
            }
        }
        if context.part.drums {
            let _ = write!(note, "<instrument id=\"P{}-D{}\"/>", context.number, head.pitch.get());
        }
        note.push_str(&voice);
        note.push_str(&kind);
        if accidentals.get(h) == Some(&true) && !context.part.drums {
            let _ = write!(note, "<accidental>{}</accidental>", accidental(spelling.alter));
        }
        note.push_str(&ratio);
        if context.part.drums && place_of(head.pitch).2 {
            note.push_str("<notehead>x</notehead>");
        }
        note.push_str(&staff);
        if h == 0 {
            for (level, beam) in beams.iter().enumerate() {
                let _ = write!(note, "<beam number=\"{}\">{beam}</beam>", level + 1);
            }
            tied.push_str(&tuplet);
        }
        if !tied.is_empty() {
            let _ = write!(note, "<notations>{tied}</notations>");
        }
        line(out, 3, &format!("<note{}>{note}</note>", dynamics(head)));
    }
}

/// The velocity, as MusicXML counts it: in hundredths of 90, which is forte. The usual one goes without saying.
fn dynamics(head: &Head) -> String {
    if head.velocity == Velocity::DEFAULT {
        return String::new();
    }
    format!(" dynamics=\"{:.2}\"", f64::from(head.velocity.get()) / 0.9)
}

fn pitched(spelling: Spelling, note: &mut String) {
    let alter = if spelling.alter == 0 { String::new() } else { format!("<alter>{}</alter>", spelling.alter) };
    let (step, octave) = (spelling.step.letter(), spelling.octave);
    let _ = write!(note, "<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>");
}

/// Drums stand where the usual drum staff has them.
fn unpitched(drum: Pitch, note: &mut String) {
    let (step, octave, _) = place_of(drum);
    let _ = write!(
        note,
        "<unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave></unpitched>"
    );
}

fn value_elements(value: Value) -> String {
    const TYPES: [&str; 12] =
        ["breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th", "256th", "512th", "1024th"];
    let name = TYPES[(value.halvings + 1).clamp(0, 11) as usize];
    format!("<type>{name}</type>{}", "<dot/>".repeat(usize::from(value.dots)))
}

fn accidental(alter: i32) -> &'static str {
    match alter {
        2 => "double-sharp",
        1 => "sharp",
        -1 => "flat",
        -2 => "flat-flat",
        _ => "natural",
    }
}
