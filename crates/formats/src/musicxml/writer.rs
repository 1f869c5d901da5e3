//! Scores to documents.

use super::drum_staff::place_of;
use super::heading::{drum_id, identification, score_part};
use super::items::{Context, Item, Words, items};
use super::measure::{beams, shown_accidentals};
use super::xml::{escaped, line};
use super::{WriteError, archive};
use crate::channels::seats;
use crate::notation::{
    Beside, Clef, Event, Head, MAX_BARS, PartBeside, Sheet, SheetBar, SheetPart, Sign, Signs, Spelling, Spot, Staff,
    TooManyBars, Value, changes_under_notes, gcd, heard_programs,
};
use crate::repeats::Marks;
use cantus_score::{Key, Lyric, Mode, Note, Part, PedalSpan, Pitch, Score, Slur, Tempo, Ticks, Velocity};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

/// What a MusicXML file can say of `score`: `read(write(score)) == canonicalize(score)`, within the reader's limits.
///
/// - Parts without notes are gone, and so are controllers, bends and pressure. Parts sit on the ports and channels where none of them
///   changes the instrument of another, drums on channel 9.
/// - Notes are sorted. Those that lie on no place that note values or tuplets can name are moved to the nearest that can (beat by beat,
///   as notation programs do); none is lost, and none is without length. Ticks are as coarse as the notes allow.
/// - What is repeated is written as such where all times through are the same, with all that stands beside their notes and one instrument
///   a part; otherwise it is written out.
/// - Metres are as the bars need them; without any key the one is written that fits the pitches best.
/// - Keys, tempos, chord symbols and markers lie on 32nd notes, and none after the last note; pedals lie on 32nd notes, too.
/// - A slur reaches from one written note to another, sixteen at once at most; fermatas stand at notes, or where rests begin.
/// - Programs change where the first note has them, drums keep the first; words stand at notes, those of one note and verse together.
/// - Texts are one line without control characters.
///
/// # Errors
/// As [`write()`].
pub fn canonicalize(score: &Score) -> Result<Score, WriteError> {
    Ok(prepare(score)?.1)
}

/// A score written down, and what is read again.
fn prepare(score: &Score) -> Result<(Sheet, Score), WriteError> {
    if let Some((k, part)) = score.parts.iter().enumerate().find(|(_, part)| part.channel > 15) {
        return Err(WriteError::Channel { part: k + 1, found: part.channel });
    }
    // How a part is laid out depends on what it is heard to begin with.
    let mut heard = Cow::Borrowed(score);
    if score.parts.iter().any(|part| part.programs.len() > 1) {
        for part in &mut heard.to_mut().parts {
            part.programs = heard_programs(part, score.ticks_per_quarter);
        }
    }
    let score = &*heard;
    let laid_out = |folds: bool| {
        let sheet = Sheet::of(score, true, folds).map_err(|TooManyBars| WriteError::TooManyBars { limit: MAX_BARS })?;
        let beside = Beside::of(score, &sheet, one_line);
        Ok::<_, WriteError>((sheet, beside))
    };
    let (mut sheet, mut beside) = match laid_out(true)? {
        (sheet, beside) if sheet.folds_well(is_open) && beside.folds_well(&sheet) => (sheet, beside),
        _ => laid_out(false)?,
    };
    sheet.unit = beside.times().fold(sheet.unit, gcd);
    let unit = sheet.unit;
    let at = |time: Ticks| Ticks(time.0 / unit);
    let sides: HashMap<usize, PartBeside> =
        sheet.parts.iter().map(|part| part.index).zip(std::mem::take(&mut beside.parts)).collect();
    let part = |index: usize, notes: Vec<Note>| {
        let (source, side) = (&score.parts[index], sides.get(&index).cloned().unwrap_or_default());
        Part {
            name: source.name.as_deref().and_then(one_line),
            port: source.port,
            channel: source.channel,
            drums: source.drums,
            programs: side.programs.into_iter().map(|(time, program)| (at(time), program)).collect(),
            notes,
            pedal: side.pedal.into_iter().map(|span| PedalSpan { down: at(span.down), up: at(span.up) }).collect(),
            lyrics: side.lyrics.into_iter().map(|lyric| Lyric { at: at(lyric.at), ..lyric }).collect(),
            slurs: side.slurs.iter().map(|slur| moved(slur, at)).collect(),
            fermatas: side.fermatas.into_iter().map(at).collect(),
            ..Part::default()
        }
    };
    let mut canonical = sheet.to_score(part);
    for (k, seat) in seats(&canonical.parts).into_iter().enumerate() {
        let seat = seat.ok_or(WriteError::NoChannel { part: k + 1 })?;
        (canonical.parts[k].port, canonical.parts[k].channel) = (seat.port, seat.channel);
    }
    canonical.title = score.title.as_deref().and_then(one_line);
    canonical.composer = score.composer.as_deref().and_then(one_line);
    canonical.rights = score.rights.as_deref().and_then(one_line);
    canonical.remarks = score.remarks.iter().filter_map(|remark| one_line(remark)).collect();
    let texts = |texts: Vec<(Ticks, String)>| texts.into_iter().map(|(time, text)| (at(time), text)).collect();
    canonical.chords = texts(beside.chords);
    canonical.markers = texts(beside.markers);
    if !sheet.folding.is_plain() {
        let numbers = sheet.folding.numbers(&sheet.bars, is_open);
        canonical.printed = numbers.iter().map(|(time, number)| (at(Ticks(*time)), *number)).collect();
        canonical.repeats = sheet.folding.repeats.iter().map(|repeat| repeat.map(at)).collect();
        canonical.tempos.dedup_by_key(|(_, tempo)| *tempo);
        let first = sheet.key_at(0);
        sheet.tempos.dedup_by_key(|(_, tempo)| *tempo);
        sheet.tempos = sheet.folding.changes(&sheet.tempos, Tempo::DEFAULT);
        sheet.keys = sheet.folding.changes(&sheet.keys, first);
        sheet.numbers = numbers.into_iter().map(|(_, number)| number).collect();
    }
    Ok((sheet, canonical))
}

/// See [`IsOpen`](crate::notation::IsOpen).
fn is_open(marks: &Marks, next: Option<&Marks>, jumps: bool) -> bool {
    jumps || marks.backward.is_some() || marks.ending_stops || next.is_some_and(|next| next.forward)
}

/// A slur in other ticks.
fn moved(slur: &Slur, at: impl Fn(Ticks) -> Ticks) -> Slur {
    Slur { from: (at(slur.from.0), slur.from.1), to: (at(slur.to.0), slur.to.1) }
}

/// A `score-partwise` document.
///
/// # Errors
/// See [`WriteError`].
pub fn write(score: &Score) -> Result<Vec<u8>, WriteError> {
    let (sheet, score) = prepare(score)?;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n\
         <!DOCTYPE score-partwise PUBLIC \"-//Recordare//DTD MusicXML 4.0 Partwise//EN\" \
         \"http://www.musicxml.org/dtds/partwise.dtd\">\n<score-partwise version=\"4.0\">\n",
    );
    if let Some(title) = &score.title {
        line(&mut out, 1, &format!("<work><work-title>{}</work-title></work>", escaped(title)));
    }
    identification(&score, &mut out);
    line(&mut out, 1, "<part-list>");
    for (k, part) in score.parts.iter().enumerate() {
        score_part(part, k + 1, &mut out);
    }
    if sheet.parts.is_empty() {
        line(&mut out, 2, "<score-part id=\"P1\"><part-name/></score-part>");
    }
    line(&mut out, 1, "</part-list>");
    for (k, (part, source)) in sheet.parts.iter().zip(&score.parts).enumerate() {
        write_part(part, source, &sheet, items(&score, k, &sheet), k + 1, &mut out);
    }
    if sheet.parts.is_empty() {
        // A document needs a part, and a part a measure.
        let rest = Event { onset: 0, duration: 0, heads: Vec::new(), value: None, tuplet: None };
        let bars = sheet.bars.iter().map(|bar| vec![Event { duration: bar.length, ..rest.clone() }]).collect();
        let staff = Staff { clef: Clef::Treble, voices: vec![bars] };
        let part = SheetPart { index: 0, staves: vec![staff] };
        write_part(&part, &Part::default(), &sheet, items(&score, 0, &sheet), 1, &mut out);
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

/// Text that XML can hold, on one line; `None` where nothing is left.
fn one_line(text: &str) -> Option<String> {
    let allowed = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let spaced: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| allowed(*c)).collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

fn write_part(
    part: &SheetPart,
    source: &Part,
    sheet: &Sheet,
    items: Vec<(u64, Item)>,
    part_number: usize,
    out: &mut String,
) {
    let names_instruments = source.programs.len() > 1 && !changes_under_notes(&source.programs, &source.notes);
    let fine = |at: Ticks| Ticks(at.0 * sheet.unit);
    let slurs: Vec<Slur> = source.slurs.iter().map(|slur| moved(slur, fine)).collect();
    let fermatas: Vec<Ticks> = source.fermatas.iter().copied().map(fine).collect();
    let signs = Signs::of(part, &sheet.bars, &slurs, &fermatas);
    let staves = part.staves.len();
    let context = Context { sheet, part: source, number: part_number, staves, signs, names_instruments };
    line(out, 1, &format!("<part id=\"P{part_number}\">"));
    let mut waiting = items.into_iter().peekable();
    let mut lyrics = Words::of(source);
    let has_upbeat = || sheet.bars.first().is_some_and(|bar| bar.is_short() && sheet.bars.len() > 1);
    let mut number = sheet.numbers.first().copied().unwrap_or_else(|| usize::from(!has_upbeat()));
    let mut odd = 0;
    let mut ending = String::new();
    let is_written = |(k, _): &(usize, &SheetBar)| sheet.folding.is_written(*k);
    let last = (0..sheet.bars.len()).rfind(|k| sheet.folding.is_written(*k));
    for (k, bar) in sheet.bars.iter().enumerate().filter(is_written) {
        // An upbeat is number 0, and a short bar within the piece is not counted, nor is the second part of one that a sign divides.
        let is_short = k > 0
            && match sheet.numbers.get(k) {
                None => bar.is_short(),
                Some(printed) => *printed < number,
            };
        odd += u32::from(is_short);
        let name = if is_short { format!("X{odd}") } else { number.to_string() };
        let implicit = if is_short || number == 0 { " implicit=\"yes\"" } else { "" };
        number += usize::from(!is_short);
        line(out, 2, &format!("<measure number=\"{name}\"{implicit}>"));
        attributes(bar, k == 0, part, sheet, out);
        let marks = sheet.folding.marks(k);
        opening_line(marks, out);
        let mut written = false;
        for (s, staff) in part.staves.iter().enumerate() {
            let shown = shown_accidentals(staff, k, |onset| sheet.key_at(bar.start + onset));
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
                let place = Place { staff: s, voice: v, bar: k };
                let beams = beams(events, bar.meter);
                for (e, event) in events.iter().enumerate() {
                    let start = bar.start + event.onset;
                    let end = start + event.duration;
                    let leads = s == 0 && v == 0;
                    if leads && e > 0 {
                        keys_within(sheet, (start, start + 1), start, out);
                    }
                    while let Some((at, item)) = waiting.next_if(|(at, _)| *at < end) {
                        item.write((at - start) / sheet.unit, bar.meter, &context, out);
                    }
                    let accidentals = shown.get(v).and_then(|voice| voice.get(e)).map_or(&[][..], |heads| heads);
                    let sung = lyrics.at(start / sheet.unit, event);
                    write_event((e, event), bar, &context, place, (&beams[e], accidentals, &sung), out);
                    if leads {
                        keys_within(sheet, (start + 1, end), end, out);
                    }
                }
            }
        }
        if Some(k) == last || sheet.folding.breaks_after(k) {
            // A pedal is released when all is over, or before playing goes on elsewhere.
            let is_due = |(at, item): &(u64, Item)| Some(k) == last || *at == bar.end() && item.ends();
            while let Some((_, item)) = waiting.next_if(is_due) {
                item.write(0, bar.meter, &context, out);
            }
        }
        if !marks.ending.is_empty() {
            ending = passes(marks);
        }
        closing_line(marks, &ending, Some(k) == last, out);
        line(out, 2, "</measure>");
    }
    line(out, 1, "</part>");
}

/// The times through that an ending is for.
fn passes(marks: &Marks) -> String {
    marks.ending.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The bar line before a measure with which a repeat or an ending begins.
fn opening_line(marks: &Marks, out: &mut String) {
    let ending = format!("<ending number=\"{}\" type=\"start\"/>", passes(marks));
    let inside = match (marks.forward, marks.ending.is_empty()) {
        (false, true) => return,
        (true, true) => "<bar-style>heavy-light</bar-style><repeat direction=\"forward\"/>".to_owned(),
        (false, false) => ending,
        (true, false) => format!("<bar-style>heavy-light</bar-style>{ending}<repeat direction=\"forward\"/>"),
    };
    line(out, 3, &format!("<barline location=\"left\">{inside}</barline>"));
}

/// The bar line after a measure, where it is more than a stroke.
fn closing_line(marks: &Marks, ending: &str, is_last: bool, out: &mut String) {
    let mut inside = String::new();
    if marks.backward.is_some() || is_last {
        inside.push_str("<bar-style>light-heavy</bar-style>");
    }
    if marks.ending_stops {
        // A line that does not end is that of the last ending.
        let kind = if marks.backward.is_some() || is_last { "stop" } else { "discontinue" };
        let _ = write!(inside, "<ending number=\"{ending}\" type=\"{kind}\"/>");
    }
    match marks.backward {
        Some(2) => inside.push_str("<repeat direction=\"backward\"/>"),
        Some(times) => {
            let _ = write!(inside, "<repeat direction=\"backward\" times=\"{times}\"/>");
        }
        None => {}
    }
    if !inside.is_empty() {
        line(out, 3, &format!("<barline location=\"right\">{inside}</barline>"));
    }
}

fn attributes(bar: &SheetBar, is_first: bool, part: &SheetPart, sheet: &Sheet, out: &mut String) {
    let key = sheet.keys.binary_search_by_key(&bar.start, |(at, _)| *at).ok().map(|place| sheet.keys[place].1);
    if !(is_first || key.is_some() || bar.meter_changes) {
        return;
    }
    line(out, 3, "<attributes>");
    if is_first {
        line(out, 4, &format!("<divisions>{}</divisions>", sheet.divisions().get()));
    }
    if let Some(key) = key {
        line(out, 4, &key_element(key));
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

fn key_element(key: Key) -> String {
    let mode = match key.mode() {
        Mode::Major => "major",
        Mode::Minor => "minor",
    };
    format!("<key><fifths>{}</fifths><mode>{mode}</mode></key>", key.fifths())
}

/// The changes of key from `from` on and before `to`, written where the time is `now`.
fn keys_within(sheet: &Sheet, (from, to): (u64, u64), now: u64, out: &mut String) {
    let first = sheet.keys.partition_point(|(at, _)| *at < from);
    for (at, key) in sheet.keys[first..].iter().take_while(|(at, _)| *at < to) {
        let (key, away) = (key_element(*key), (now - at) / sheet.unit);
        // Attributes have no offset: the way there and back is counted out.
        if away > 0 {
            line(out, 3, &format!("<backup><duration>{away}</duration></backup>"));
        }
        line(out, 3, &format!("<attributes>{key}</attributes>"));
        if away > 0 {
            line(out, 3, &format!("<forward><duration>{away}</duration></forward>"));
        }
    }
}

/// Where a voice stands.
#[derive(Clone, Copy)]
struct Place {
    staff: usize,
    voice: usize,
    bar: usize,
}

impl Place {
    /// Notation programs give each staff four voices of its own; further ones, which are rare, follow after all of these.
    fn number(self) -> usize {
        if self.voice < 4 { 4 * self.staff + self.voice + 1 } else { 9 + 2 * (self.voice - 4) + self.staff }
    }
}

fn write_event(
    (e, event): (usize, &Event),
    bar: &SheetBar,
    context: &Context,
    place: Place,
    (beams, accidentals, sung): (&[&str], &[bool], &str),
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
    let signs = |head: usize| {
        let spot = Spot { staff: place.staff, voice: place.voice, bar: place.bar, event: e, head };
        context.signs.at(spot).iter().map(sign).collect::<String>()
    };
    if event.heads.is_empty() {
        let measure = if event.value.is_none() { " measure=\"yes\"" } else { "" };
        let inside = tuplet + &signs(0);
        let notations = if inside.is_empty() { inside } else { format!("<notations>{inside}</notations>") };
        let rest = format!("<rest{measure}/>{duration}{voice}{kind}{ratio}{staff}{notations}");
        line(out, 3, &format!("<note{hidden}>{rest}</note>"));
        return;
    }
    for (h, head) in event.heads.iter().enumerate() {
        let mut note = String::new();
        if h > 0 {
            note.push_str("<chord/>");
        }
        let spelling = Spelling::of(head.pitch, context.sheet.key_at(bar.start + event.onset));
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
            let _ = write!(note, "<instrument id=\"{}\"/>", drum_id(context.number, head.pitch));
        } else if context.names_instruments {
            let id = context.instrument(bar.start + event.onset);
            let _ = write!(note, "<instrument id=\"{id}\"/>");
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
        tied.push_str(&signs(h));
        if !tied.is_empty() {
            let _ = write!(note, "<notations>{tied}</notations>");
        }
        if h == 0 {
            note.push_str(sung);
        }
        line(out, 3, &format!("<note{}>{note}</note>", dynamics(head)));
    }
}

fn sign(sign: &Sign) -> String {
    match sign {
        Sign::Fermata => "<fermata/>".to_owned(),
        Sign::Slur(number) => format!("<slur type=\"start\" number=\"{number}\"/>"),
        Sign::SlurEnd(number) => format!("<slur type=\"stop\" number=\"{number}\"/>"),
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
