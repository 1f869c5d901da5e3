//! Scores to tunes.

use super::assemble::in_usual_ticks;
use super::placed::{Line, chords, keys, lines, markers, tempos};
use super::reader::is_notice;
use super::slurs::Marked;
use super::{TICKS, WriteError};
use crate::notation::{Clef, Event, MAX_BARS, QUARTER, RESOLUTION, Sheet, SheetBar, Spelling, TooManyBars, slur_spans};
use crate::repeats::Marks;
use cantus_score::{Key, Lyric, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter};
use std::fmt::Write;

/// The unit note length that we write: an eighth.
const UNIT: u64 = QUARTER / 2;
/// Bars to a line of text.
const BARS_A_LINE: usize = 4;

/// What a tune can say of `score`: its parts as voices of one note or chord at a time, without velocities, pedals and controllers.
///
/// As with MusicXML, notes stand where note values and tuplets can name their place, metres are as the bars need them. A part of
/// several voices becomes several parts of the same name. A slur reaches from chord to chord of one voice, and slurs lie within one
/// another. What is repeated is written as such where all times through are the same, but for loudness, with one instrument a voice.
/// Keys, programs, tempos and markers change where a note or a rest begins, syllables are sung where a note begins; chord symbols
/// are those that can be told from other words.
///
/// # Errors
/// As [`write()`].
pub fn canonicalize(score: &Score) -> Result<Score, WriteError> {
    let sheet = sheet(score)?;
    let bars = sheet.to_score(|_, _| Part::default());
    let mut canonical = bars.rescaled(const { TicksPerQuarter::new(RESOLUTION).unwrap() });
    canonical.title = score.title.as_deref().and_then(one_line);
    canonical.composer = score.composer.as_deref().and_then(one_line);
    canonical.rights = score.rights.as_deref().and_then(one_line);
    if let Some(notice) = canonical.composer.take_if(|composer| is_notice(composer)) {
        // A field that begins like a notice of rights is read as one.
        canonical.rights = Some(canonical.rights.map_or(notice.clone(), |rights| format!("{notice}; {rights}")));
    }
    canonical.remarks = score.remarks.iter().filter_map(|remark| one_line(remark)).collect();
    canonical.tempos = tempos(&sheet);
    canonical.chords = chords(score, &sheet);
    canonical.markers = markers(score, &sheet);
    canonical.parts = lines(score, &sheet).into_iter().map(|line| line.part).collect();
    let numbers = sheet.folding.numbers(&sheet.bars, is_open);
    canonical.printed = numbers.into_iter().map(|(at, number)| (Ticks(at), number)).collect();
    canonical.repeats.clone_from(&sheet.folding.repeats);
    Ok(in_usual_ticks(canonical.rescaled(const { TicksPerQuarter::new(TICKS as u32).unwrap() })))
}

/// A tune of one or several voices, with the reference number 1.
///
/// # Errors
/// See [`WriteError`].
pub fn write(score: &Score) -> Result<Vec<u8>, WriteError> {
    let mut sheet = sheet(score)?;
    sheet.keys = sheet.folding.changes(&sheet.keys, sheet.key_at(0));
    let mut out = String::from("X:1\n");
    let title = score.title.as_deref().and_then(one_line).unwrap_or_default();
    let _ = writeln!(out, "T: {}", title.replace('%', "\\%"));
    let mut field = |name: &str, text: &str| {
        // A comment sign would end the field.
        let _ = writeln!(out, "{name}{}", text.replace('%', "\\%"));
    };
    if let Some(composer) = score.composer.as_deref().and_then(one_line) {
        // Not without the space: `C:|` is a note before a repeat.
        field("C: ", &composer);
    }
    if let Some(rights) = score.rights.as_deref().and_then(one_line) {
        field("Z:abc-copyright ", &rights);
    }
    for remark in score.remarks.iter().filter_map(|remark| one_line(remark)) {
        field("N: ", &remark);
    }
    let meter = sheet.bars.first().map_or_else(|| "4/4".to_owned(), |bar| bar.meter.to_string());
    let _ = writeln!(out, "M:{meter}\nL:1/8");
    let _ = writeln!(out, "K:{}", key_name(sheet.key_at(0)));
    for (k, line) in lines(score, &sheet).iter().enumerate() {
        let clef = match line.clef {
            Clef::Treble => "",
            Clef::Bass => " clef=bass",
            Clef::Percussion => " clef=perc",
        };
        let name = line.part.name.as_ref().map(|name| format!(" name=\"{}\"", name.replace('%', "\\%")));
        let _ = writeln!(out, "V:{}{clef}{}", k + 1, name.unwrap_or_default());
        let _ = writeln!(out, "%%MIDI channel {}", line.part.channel + 1);
        if let Some((_, program)) = line.part.programs.first() {
            let _ = writeln!(out, "%%MIDI program {}", program.get());
        }
        let signs = if k == 0 { signs(score, &sheet) } else { Signs::default() };
        write_voice(line, &sheet, signs, k == 0, &mut out);
    }
    Ok(out.into_bytes())
}

fn sheet(score: &Score) -> Result<Sheet, WriteError> {
    let laid_out = |folds: bool| {
        let sheet = Sheet::of(score, false, folds);
        let mut sheet = sheet.map_err(|TooManyBars| WriteError::TooManyBars { limit: MAX_BARS })?;
        // A key is named where the first voice has a place for it.
        sheet.keys = keys(&sheet).into_iter().map(|(at, key)| (at.0, key)).collect();
        Ok(sheet)
    };
    let sheet = laid_out(true)?;
    if sheet.folding.is_plain() || folds_well(score, &sheet) { Ok(sheet) } else { laid_out(false) }
}

/// Whether what is folded is read again as it is played.
fn folds_well(score: &Score, sheet: &Sheet) -> bool {
    let folding = &sheet.folding;
    let texts = |texts: Vec<(Ticks, String)>| folding.agrees(texts.into_iter().map(|(at, text)| (at.0, text)));
    let of_line = |line: Line| {
        let events = line.voice.iter().zip(&sheet.bars).flat_map(|(events, bar)| {
            let heads = |event: &Event| -> Vec<(Pitch, bool, bool)> {
                event.heads.iter().map(|head| (head.pitch, head.tied_from, head.tied_to)).collect()
            };
            events.iter().map(move |event| (bar.start + event.onset, (event.duration, event.tuplet, heads(event))))
        });
        let words = line.part.lyrics.iter().map(|lyric| (lyric.at.0, (lyric.verse, &lyric.text, lyric.goes_on)));
        line.part.programs.len() < 2
            && folding.agrees(events)
            && folding.agrees(words)
            && folding.agrees(line.part.fermatas.iter().map(|at| (at.0, ())))
            && folding.agrees_in_spans(slur_spans(&line.part.slurs))
    };
    let tempos: Vec<_> = tempos(sheet).into_iter().map(|(at, tempo)| (at.0, tempo)).collect();
    sheet.folds_well(is_open)
        && folding.agrees_in_changes(&tempos, Tempo::DEFAULT)
        && texts(chords(score, sheet))
        && texts(markers(score, sheet))
        && lines(score, sheet).into_iter().all(of_line)
}

/// See [`IsOpen`](crate::notation::IsOpen).
fn is_open(marks: &Marks, next: Option<&Marks>, jumps: bool) -> bool {
    let opens = next.is_some_and(|next| next.forward || !next.ending.is_empty());
    jumps || opens || marks.backward.is_some() || marks.ending_stops
}

/// Text on one line; `None` where nothing is left.
pub fn one_line(text: &str) -> Option<String> {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

fn key_name(key: Key) -> String {
    let name = key.to_string();
    match name.split_once(' ') {
        Some((tonic, "minor")) => format!("{tonic}m"),
        Some((tonic, _)) => tonic.to_owned(),
        None => name,
    }
}

/// What the first voice says for all.
#[derive(Default)]
struct Signs {
    /// Inline fields, in order of time.
    fields: Vec<(u64, String)>,
    /// Chord symbols, likewise.
    chords: Vec<(u64, String)>,
}

fn signs(score: &Score, sheet: &Sheet) -> Signs {
    let mut fields: Vec<(u64, String)> = Vec::new();
    let folding = &sheet.folding;
    let tempos: Vec<_> = tempos(sheet).into_iter().map(|(at, tempo)| (at.0, tempo)).collect();
    for (at, tempo) in folding.changes(&tempos, Tempo::DEFAULT) {
        let bar = sheet.bars.partition_point(|bar| bar.start <= at).saturating_sub(1);
        let meter = sheet.bars.get(bar).map(|bar| bar.meter);
        let (beat, quarters) = match meter {
            Some(meter) if meter.is_compound() => {
                (format!("3/{}", meter.denominator()), 12.0 / f64::from(meter.denominator()))
            }
            Some(meter) if meter.denominator() == 2 => ("1/2".to_owned(), 2.0),
            _ => ("1/4".to_owned(), 1.0),
        };
        fields.push((at, format!("[Q:{beat}={}]", tempo.beats_per_minute(quarters))));
    }
    let markers = markers(score, sheet).into_iter().filter(|(at, _)| folding.is_on_paper(at.0));
    fields.extend(markers.map(|(at, name)| (at.0, format!("[P:{}]", name.replace('%', "\\%")))));
    fields.sort_by_key(|(at, _)| *at);
    let chords = chords(score, sheet).into_iter().map(|(at, chord)| (at.0, chord));
    Signs { fields, chords: chords.filter(|(at, _)| folding.is_on_paper(*at)).collect() }
}

fn write_voice(line: &Line, sheet: &Sheet, signs: Signs, leads: bool, out: &mut String) {
    let mut fields = signs.fields.into_iter().peekable();
    let mut chords = signs.chords.as_slice();
    let mut programs = line.part.programs.iter().skip(1).peekable();
    // What the event before is tied to: its name there would be taken for the rest of it.
    let mut awaited: Vec<Spelling> = Vec::new();
    let folding = &sheet.folding;
    let sung: Vec<Lyric> = line.part.lyrics.iter().filter(|lyric| folding.is_on_paper(lyric.at.0)).cloned().collect();
    let mut words = Words::new(&sung);
    let mut key = sheet.key_at(0);
    let kept: Vec<usize> = (0..sheet.bars.len()).filter(|k| folding.is_written(*k)).collect();
    for (place, &k) in kept.iter().enumerate() {
        let (events, bar, marks) = (&line.voice[k], &sheet.bars[k], folding.marks(k));
        if place == 0 && marks.forward {
            out.push_str("|:");
        }
        if !marks.ending.is_empty() {
            let passes: Vec<String> = marks.ending.iter().map(u32::to_string).collect();
            let _ = write!(out, "[{} ", passes.join(","));
        }
        if k > 0 && bar.meter_changes {
            let _ = write!(out, "[M:{}]", bar.meter);
        }
        let inside = chords.partition_point(|(at, _)| *at < bar.end());
        let (of_bar, rest) = chords.split_at(inside);
        chords = rest;
        let mut hidden: Vec<&(u64, String)> = of_bar.iter().collect();
        let mut in_force: [Option<i32>; 7] = [None; 7];
        let mut by_octave = std::collections::HashMap::new();
        // Whether an accidental outlives a change of key within the bar, readers do not agree.
        let mut doubtful = [false; 7];
        let mut change = |at: u64, out: &mut String| {
            while let Some((_, field)) = fields.next_if(|(of, _)| *of <= at) {
                out.push_str(&field);
            }
            while let Some((_, program)) = programs.next_if(|(of, _)| of.0 <= at) {
                let _ = write!(out, "[I:MIDI program {}]", program.get());
            }
        };
        for (e, event) in events.iter().enumerate() {
            let at = bar.start + event.onset;
            if std::mem::replace(&mut key, sheet.key_at(at)) != key {
                let _ = write!(out, "[K:{}]", key_name(key));
                in_force.iter_mut().zip(&mut doubtful).for_each(|(step, is)| *is |= step.take().is_some());
                by_octave.clear();
            }
            change(at, out);
            for (_, chord) in of_bar.iter().filter(|(of, _)| *of == at) {
                let _ = write!(out, "\"{chord}\"");
            }
            hidden.retain(|(of, _)| *of != at);
            if !event.heads.is_empty() {
                words.slot(at);
            }
            if let Some(tuplet) = event.tuplet.filter(|tuplet| tuplet.begins) {
                let count =
                    1 + events[e..].iter().position(|event| event.tuplet.is_none_or(|tuplet| tuplet.ends)).unwrap_or(0);
                let _ = write!(out, "({}:{}:{count}", tuplet.actual, tuplet.normal);
            }
            // Inside a tuplet lengths are written as they look, and not as they sound.
            let (actual, normal) = event.tuplet.map_or((1, 1), |tuplet| (tuplet.actual, tuplet.normal));
            let length = length(event.duration * actual, normal);
            let Marked { opens, closes, fermata } = line.marked.get(&(k, e)).copied().unwrap_or_default();
            out.push_str(&"(".repeat(opens));
            out.push_str(if fermata { "!fermata!" } else { "" });
            let mut heads = Vec::new();
            for head in &event.heads {
                let spelling = Spelling::of(head.pitch, key);
                let usual = spelling.step.altered_by(key.fifths());
                let step = &mut in_force[spelling.step as usize];
                let line = by_octave.entry((spelling.step, spelling.octave)).or_insert(usual);
                // Some readers let an accidental hold in its octave only: it is written where either would err.
                let misleads = |other: &Spelling| {
                    (other.step, other.octave) == (spelling.step, spelling.octave)
                        && (other.alter != spelling.alter || !head.tied_from)
                };
                let is_shown = std::mem::take(&mut doubtful[spelling.step as usize])
                    || step.unwrap_or(usual) != spelling.alter
                    || *line != spelling.alter
                    || awaited.iter().any(misleads);
                if is_shown {
                    (*step, *line) = (Some(spelling.alter), spelling.alter);
                }
                heads.push(format!("{}{}", letter(spelling, is_shown), if head.tied_to { "-" } else { "" }));
            }
            let tied = event.heads.iter().filter(|head| head.tied_to);
            awaited = tied.map(|head| Spelling::of(head.pitch, key)).collect();
            match &heads[..] {
                [] => {
                    let _ = write!(out, "{}{length}", if leads { 'z' } else { 'x' });
                }
                [head] => {
                    let (head, tie) = head.strip_suffix('-').map_or((head.as_str(), ""), |head| (head, "-"));
                    let _ = write!(out, "{head}{length}{tie}");
                }
                _ => {
                    let _ = write!(out, "[{}]{length}", heads.concat());
                }
            }
            out.push_str(&")".repeat(closes));
            let ends_beat = (event.onset + event.duration).is_multiple_of(crate::notation::beat(bar.meter));
            if ends_beat && e + 1 < events.len() {
                out.push(' ');
            }
        }
        if events.is_empty() {
            change(bar.start, out);
            let _ = write!(out, "x{}", length(bar.length, 1));
        }
        if !hidden.is_empty() {
            write_between(&hidden, bar, out);
        }
        let next = kept.get(place + 1).map(|next| folding.marks(*next));
        bar_line(marks, next, out);
        let is_last = next.is_none();
        let ends_line = (place + 1).is_multiple_of(BARS_A_LINE);
        if !is_last {
            out.push(if ends_line { '\n' } else { ' ' });
        }
        if is_last || ends_line {
            words.write(out);
        }
    }
}

/// The bar line between two bars, given their signs of repetition.
fn bar_line(marks: &Marks, next: Option<&Marks>, out: &mut String) {
    let opens = next.is_some_and(|next| next.forward);
    let times = marks.backward.unwrap_or(1).saturating_sub(1) as usize;
    let line = match (times, next) {
        (0, None) => "|]\n",
        (_, None) => "|\n",
        (0, Some(next)) if marks.ending_stops && !opens && next.ending.is_empty() => "||",
        _ => "|",
    };
    let _ = write!(out, " {}{line}{}", ":".repeat(times), if opens { ":" } else { "" });
}

/// Chord symbols at which no note begins stand over invisible rests that are laid over the bar.
fn write_between(chords: &[&(u64, String)], bar: &SheetBar, out: &mut String) {
    out.push_str(" & ");
    let mut at = bar.start;
    let rest = |to: u64, at: &mut u64, out: &mut String| {
        if to > *at {
            let _ = write!(out, "x{}", length(to - *at, 1));
            *at = to;
        }
    };
    for (of, chord) in chords {
        rest(*of, &mut at, out);
        let _ = write!(out, "\"{chord}\"");
    }
    rest(bar.end(), &mut at, out);
}

/// The words under a voice, line by line.
struct Words<'a> {
    lyrics: &'a [Lyric],
    /// When the chords and notes of this line begin.
    slots: Vec<u64>,
}

impl<'a> Words<'a> {
    fn new(lyrics: &'a [Lyric]) -> Words<'a> {
        Words { lyrics, slots: Vec::new() }
    }

    fn slot(&mut self, at: u64) {
        if !self.lyrics.is_empty() {
            self.slots.push(at);
        }
    }

    /// The verses of the line that has been written. As long as words follow, each line of notes has some, if only an empty one: words
    /// belong to the first notes that have none.
    fn write(&mut self, out: &mut String) {
        let slots = std::mem::take(&mut self.slots);
        let Some(last) = slots.last() else { return };
        let (now, later) = self.lyrics.split_at(self.lyrics.partition_point(|lyric| lyric.at.0 <= *last));
        self.lyrics = later;
        if now.is_empty() && later.is_empty() {
            return;
        }
        for verse in 1..=now.iter().map(|lyric| lyric.verse).max().unwrap_or(1) {
            out.push_str("w:");
            let mut syllables = now.iter().filter(|lyric| lyric.verse == verse).peekable();
            let mut is_first = true;
            for slot in &slots {
                if syllables.peek().is_none() && !is_first {
                    break;
                }
                out.push_str(if is_first { "" } else { " " });
                is_first = false;
                match syllables.next_if(|lyric| lyric.at.0 == *slot) {
                    Some(lyric) => {
                        let text = lyric.text.replace('-', "\\-").replace(' ', "~").replace('%', "\\%");
                        out.push_str(&text);
                        out.push_str(if lyric.goes_on { "-" } else { "" });
                    }
                    None => out.push('*'),
                }
            }
            out.push('\n');
        }
    }
}

/// `^c'`, `_B,`, `=f`.
fn letter(spelling: Spelling, with_accidental: bool) -> String {
    let mut text = String::new();
    if with_accidental {
        text.push_str(match spelling.alter {
            2 => "^^",
            1 => "^",
            -1 => "_",
            -2 => "__",
            _ => "=",
        });
    }
    let letter = spelling.step.letter();
    if spelling.octave >= 5 {
        text.push(letter.to_ascii_lowercase());
        text.extend(std::iter::repeat_n('\'', (spelling.octave - 5) as usize));
    } else {
        text.push(letter);
        text.extend(std::iter::repeat_n(',', (4 - spelling.octave) as usize));
    }
    text
}

/// A length (so many ticks over `part`) in units: nothing for one, `3/2`, `/2`.
fn length(ticks: u64, part: u64) -> String {
    let common = crate::notation::gcd(ticks, UNIT * part);
    match (ticks / common, UNIT * part / common) {
        (1, 1) => String::new(),
        (units, 1) => units.to_string(),
        (1, part) => format!("/{part}"),
        (units, part) => format!("{units}/{part}"),
    }
}
