//! Scores to tunes.

use super::WriteError;
use super::assemble::in_usual_ticks;
use crate::midi::last_wins;
use crate::notation::{Clef, Event, MAX_BARS, QUARTER, Sheet, SheetBar, Spelling, TooManyBars};
use cantus_score::{Key, Mode, Note, Part, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use std::fmt::Write;

/// The unit note length that we write: an eighth.
const UNIT: u64 = QUARTER / 2;
/// Bars to a line of text.
const BARS_A_LINE: usize = 4;

/// What a tune can say of `score`: its parts as voices of one note or chord at a time, without velocities and pedals.
///
/// As with MusicXML, notes stand where note values and tuplets can name their place, metres are as the bars need them, and keys stand
/// at bar lines. A part of several voices becomes several parts of the same name.
///
/// # Errors
/// As [`write()`].
pub fn canonicalize(score: &Score) -> Result<Score, WriteError> {
    let sheet = sheet(score)?;
    let mut canonical = sheet.to_score(|_, notes| Part { notes, ..Part::default() });
    canonical.title = score.title.as_deref().and_then(one_line);
    canonical.remarks = score.remarks.iter().filter_map(|remark| one_line(remark)).collect();
    let unit = QUARTER / u64::from(canonical.ticks_per_quarter.get());
    canonical.tempos = tempos(&sheet).into_iter().map(|(at, tempo)| (Ticks(at / unit), tempo)).collect();
    canonical.parts.clear();
    for written in &sheet.parts {
        let source = &score.parts[written.index];
        for voice in written.staves.iter().flat_map(|staff| &staff.voices) {
            canonical.parts.push(Part {
                name: source.name.as_deref().and_then(one_line).map(|name| name.replace('"', "'")),
                channel: source.channel % 16,
                drums: source.drums,
                programs: source.programs.first().map(|(_, program)| (Ticks::ZERO, *program)).into_iter().collect(),
                notes: notes_of(voice, &sheet.bars, unit),
                ..Part::default()
            });
        }
    }
    Ok(in_usual_ticks(canonical.rescaled(const { TicksPerQuarter::new(super::TICKS as u32).unwrap() })))
}

/// Tempo changes where something begins in the first voice: elsewhere a tune has no place for them. One that changes nothing is none.
fn tempos(sheet: &Sheet) -> Vec<(u64, Tempo)> {
    let first = sheet.parts.first().and_then(|part| part.staves.first()).and_then(|staff| staff.voices.first());
    let bars = first.into_iter().flatten().zip(&sheet.bars);
    let mut onsets = bars.flat_map(|(events, bar)| events.iter().map(|event| bar.start + event.onset)).peekable();
    let mut placed: Vec<(Ticks, Tempo)> = Vec::new();
    for (at, tempo) in &sheet.tempos {
        while onsets.next_if(|onset| onset < at).is_some() {}
        placed.extend(onsets.peek().map(|onset| (Ticks(*onset), *tempo)));
    }
    last_wins(&mut placed);
    placed.dedup_by_key(|(_, tempo)| *tempo);
    placed.into_iter().map(|(at, tempo)| (at.0, tempo)).collect()
}

/// The notes of a voice, ties joined.
fn notes_of(voice: &[Vec<Event>], bars: &[SheetBar], unit: u64) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for (events, bar) in voice.iter().zip(bars) {
        for event in events {
            let onset = Ticks((bar.start + event.onset) / unit);
            let duration = Ticks(event.duration / unit);
            for head in &event.heads {
                let held = |note: &&mut Note| note.pitch == head.pitch && note.end() == onset;
                match notes.iter_mut().rev().take(256).find(held).filter(|_| head.tied_from) {
                    Some(note) => note.duration += duration,
                    None => notes.push(Note { onset, pitch: head.pitch, duration, velocity: Velocity::DEFAULT }),
                }
            }
        }
    }
    notes.sort_unstable();
    notes
}

/// A tune of one or several voices, with the reference number 1.
///
/// # Errors
/// See [`WriteError`].
pub fn write(score: &Score) -> Result<Vec<u8>, WriteError> {
    let sheet = sheet(score)?;
    let first = sheet.bars.first();
    let mut out = String::from("X:1\n");
    let title = score.title.as_deref().and_then(one_line).unwrap_or_default();
    let _ = writeln!(out, "T: {}", title.replace('%', "\\%"));
    for remark in score.remarks.iter().filter_map(|remark| one_line(remark)) {
        // A comment sign would end the field.
        let _ = writeln!(out, "N: {}", remark.replace('%', "\\%"));
    }
    let meter = first.map_or_else(|| "4/4".to_owned(), |bar| bar.meter.to_string());
    let _ = writeln!(out, "M:{meter}\nL:1/8");
    let _ = writeln!(out, "K:{}", key_name(first.map_or(const { Key::new(0, Mode::Major).unwrap() }, |bar| bar.key)));
    let mut number = 0;
    for part in &sheet.parts {
        let source = &score.parts[part.index];
        for staff in &part.staves {
            for voice in &staff.voices {
                number += 1;
                let clef = if staff.clef == Clef::Bass { " clef=bass" } else { "" };
                let name = source.name.as_deref().and_then(one_line);
                let name = name.map(|name| name.replace('"', "'").replace('%', "\\%"));
                let name = name.map(|name| format!(" name=\"{name}\"")).unwrap_or_default();
                let _ = writeln!(out, "V:{number}{clef}{name}");
                let _ = writeln!(out, "%%MIDI channel {}", source.channel % 16 + 1);
                if let Some((_, program)) = source.programs.first() {
                    let _ = writeln!(out, "%%MIDI program {}", program.get());
                }
                write_voice(voice, &sheet, number == 1, &mut out);
            }
        }
    }
    Ok(out.into_bytes())
}

fn sheet(score: &Score) -> Result<Sheet, WriteError> {
    Sheet::of(score, false).map_err(|TooManyBars| WriteError::TooManyBars { limit: MAX_BARS })
}

/// Text on one line; `None` where nothing is left.
fn one_line(text: &str) -> Option<String> {
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

fn write_voice(voice: &[Vec<Event>], sheet: &Sheet, leads: bool, out: &mut String) {
    let mut tempos = if leads { tempos(sheet) } else { Vec::new() }.into_iter().peekable();
    // What the event before is tied to: its name there would be taken for the rest of it.
    let mut awaited: Vec<Spelling> = Vec::new();
    for (k, (events, bar)) in voice.iter().zip(&sheet.bars).enumerate() {
        if k > 0 && bar.meter_changes {
            let _ = write!(out, "[M:{}]", bar.meter);
        }
        if k > 0 && bar.key_changes {
            let _ = write!(out, "[K:{}]", key_name(bar.key));
        }
        let mut in_force: [Option<i32>; 7] = [None; 7];
        let mut by_octave = std::collections::HashMap::new();
        for (e, event) in events.iter().enumerate() {
            while let Some((_, tempo)) = tempos.next_if(|(at, _)| *at <= bar.start + event.onset) {
                let (beat, quarters) = match bar.meter.is_compound() {
                    true => (format!("3/{}", bar.meter.denominator()), 12.0 / f64::from(bar.meter.denominator())),
                    false => ("1/4".to_owned(), 1.0),
                };
                let _ = write!(out, "[Q:{beat}={}]", tempo.beats_per_minute(quarters));
            }
            if let Some(tuplet) = event.tuplet.filter(|tuplet| tuplet.begins) {
                let count =
                    1 + events[e..].iter().position(|event| event.tuplet.is_none_or(|tuplet| tuplet.ends)).unwrap_or(0);
                let _ = write!(out, "({}:{}:{count}", tuplet.actual, tuplet.normal);
            }
            // Inside a tuplet lengths are written as they look, and not as they sound.
            let (actual, normal) = event.tuplet.map_or((1, 1), |tuplet| (tuplet.actual, tuplet.normal));
            let length = length(event.duration * actual, normal);
            let mut heads = Vec::new();
            for head in &event.heads {
                let spelling = Spelling::of(head.pitch, bar.key);
                let usual = spelling.step.altered_by(bar.key.fifths());
                let step = &mut in_force[spelling.step as usize];
                let line = by_octave.entry((spelling.step, spelling.octave)).or_insert(usual);
                // Some readers let an accidental hold in its octave only: it is written where either would err.
                let misleads = |other: &Spelling| {
                    (other.step, other.octave) == (spelling.step, spelling.octave)
                        && (other.alter != spelling.alter || !head.tied_from)
                };
                let is_shown =
                    step.unwrap_or(usual) != spelling.alter || *line != spelling.alter || awaited.iter().any(misleads);
                if is_shown {
                    (*step, *line) = (Some(spelling.alter), spelling.alter);
                }
                heads.push(format!("{}{}", letter(spelling, is_shown), if head.tied_to { "-" } else { "" }));
            }
            let tied = event.heads.iter().filter(|head| head.tied_to);
            awaited = tied.map(|head| Spelling::of(head.pitch, bar.key)).collect();
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
            let ends_beat = (event.onset + event.duration).is_multiple_of(crate::notation::beat(bar.meter));
            if ends_beat && e + 1 < events.len() {
                out.push(' ');
            }
        }
        if events.is_empty() {
            let _ = write!(out, "x{}", length(bar.length, 1));
        }
        let is_last = k + 1 == voice.len();
        out.push_str(if is_last { " |]\n" } else { " |" });
        if !is_last {
            out.push(if (k + 1).is_multiple_of(BARS_A_LINE) { '\n' } else { ' ' });
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
