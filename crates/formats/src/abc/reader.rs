//! Lines and fields of a tune.

use super::assemble::assemble;
use super::directives::directive;
use super::jumps::part_label;
use super::keys::{key_field, words};
use super::tune::{Reading, Tune};
use super::{AbcError, Oddity, fields, keys, music};
use crate::Limits;

/// A line of text with its number, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub number: usize,
    pub text: &'a str,
}

/// Reads one tune; `header` are the lines before the first tune, which hold for all. `is_unnumbered` says that it has no `X:`.
pub(super) fn read_tune(
    header: &[Line],
    lines: &[Line],
    is_unnumbered: bool,
    limits: &Limits,
) -> Result<Reading, AbcError> {
    let first = lines.first().map_or(1, |line| line.number);
    let mut tune = Tune::new(limits, first);
    if is_unnumbered {
        tune.warn(Oddity::NoNumber);
    }
    for line in header {
        // Before the first tune only fields and directives mean something; the rest is free text.
        tune.place = (line.number, 1);
        match field_of(line.text) {
            Some((name @ ('M' | 'L' | 'Q' | 'U' | 'C' | 'Z' | 'm'), text)) => {
                header_field(&mut tune, name, text)?;
            }
            Some(('I', text)) => directive(&mut tune, text),
            _ => {
                if let Some(text) = line.text.strip_prefix("%%") {
                    directive(&mut tune, text);
                }
            }
        }
    }
    // The field that `+:` goes on with (standard 2.1, section 3.3).
    let mut before = ' ';
    for (k, line) in lines.iter().enumerate() {
        tune.place = (line.number, 1);
        if line.text.trim().is_empty() {
            let rest = &lines[k + 1..];
            if tune.in_header && rest.iter().any(|line| line.text.starts_with("K:")) {
                tune.warn(Oddity::BlankInHeader);
                continue;
            }
            if let Some(music) = rest.iter().find(|line| looks_like_music(line.text)) {
                tune.place = (music.number, 1);
                tune.warn(Oddity::AfterEnd);
            }
            break;
        }
        if let Some(text) = line.text.strip_prefix("%%") {
            directive(&mut tune, text);
            continue;
        }
        if line.text.starts_with('%') {
            continue;
        }
        match field_of(line.text) {
            Some(('+', text)) => continue_field(&mut tune, before, text),
            Some((name, text)) => {
                before = name;
                if tune.in_header {
                    tune.in_header = !header_field(&mut tune, name, text)?;
                } else {
                    body_field(&mut tune, name, text)?;
                }
            }
            None => {
                if tune.in_header {
                    // A line of a web page in the header is no music.
                    if line.text.trim_start().starts_with(['<', '`']) {
                        tune.warn(Oddity::Markup);
                        continue;
                    }
                    tune.warn(Oddity::NoKey);
                    tune.in_header = false;
                }
                before = ' ';
                let text = tune.macros.expand(line.text);
                music::Line::new(&mut tune, &text).read(&body_field)?;
            }
        }
    }
    assemble(tune, first)
}

/// The letter and the text of a field, its comment cut off. A line like `d:|` is music.
fn field_of(line: &str) -> Option<(char, &str)> {
    let mut signs = line.chars();
    let (letter, colon) = (signs.next()?, signs.next()?);
    let rest = signs.as_str();
    let is_field = matches!(letter, 'w' | 'm' | 'r' | 's') || !letter.is_ascii_lowercase();
    let is_music = !is_field || matches!(letter, 'A'..='G') && rest.starts_with(['|', ':']);
    if !letter.is_ascii_alphabetic() && letter != '+' || colon != ':' || is_music {
        return None;
    }
    // A comment begins at a percent sign without a backslash before it.
    let comment = rest.match_indices('%').map(|(at, _)| at).find(|at| !rest[..*at].ends_with('\\'));
    Some((letter, rest[..comment.unwrap_or(rest.len())].trim()))
}

fn looks_like_music(line: &str) -> bool {
    let is_note = |c: char| matches!(c, 'A'..='G' | 'a'..='g' | 'z');
    !line.starts_with('%')
        && field_of(line).is_none()
        && line.contains('|')
        && line.chars().filter(|c| is_note(*c)).count() > 3
}

/// A field before the music; whether it was the last one.
fn header_field(tune: &mut Tune, name: char, text: &str) -> Result<bool, AbcError> {
    match name {
        'P' => tune.order = Some(text.to_owned()),
        'M' => match fields::metre(text) {
            Some(metre) => {
                tune.start.metre = Some(metre);
                tune.metres = vec![(0, metre)];
            }
            None => tune.warn(Oddity::Meter),
        },
        'L' => match fields::unit_length(text) {
            Some(unit) => tune.start.unit = Some(unit),
            None => tune.warn(Oddity::Length),
        },
        'K' => {
            let found = key_field(text);
            if found.is_none() {
                tune.warn(Oddity::Key);
            }
            if let Some(signature) = found.as_ref().and_then(|found| found.signature) {
                tune.start.signature = signature;
            }
            let staff = found.map_or_else(|| keys::staff(text), |found| found.staff);
            tune.start.shift.set(staff);
            let start = tune.start;
            tune.keys.push((0, start.shift.sounding(start.signature.key)));
            // Voices named before the key begin with what it says, where they do not say otherwise themselves.
            for voice in &mut tune.voices {
                voice.metre = start.metre;
                voice.unit = start.unit.unwrap_or_else(|| fields::usual_length(start.metre));
                voice.signature = start.signature;
                voice.shift.staff = voice.shift.staff.or(start.shift.staff);
            }
            tune.current = 0;
            return Ok(true);
        }
        _ => body_field(tune, name, text)?,
    }
    Ok(false)
}

/// A field among the music, or inline.
fn body_field(tune: &mut Tune, name: char, text: &str) -> Result<(), AbcError> {
    match name {
        'T' | 'C' | 'Z' | 'N' | 'W' => said(tune, name, &plain(text)),
        'w' => tune.voice().sung.words(&plain(text)),
        'I' => directive(tune, text),
        'm' if tune.has_room(text) => tune.macros.define(text),
        'U' => {
            if let Some((letter, name)) = text.split_once('=')
                && let Some(letter) = letter.trim().chars().next()
                && tune.has_room(name)
            {
                tune.symbols.insert(letter, name.trim().trim_matches(['!', '+']).to_owned());
            }
        }
        'M' => match fields::metre(text) {
            Some(metre) => {
                let voice = tune.voice();
                voice.metre = Some(metre);
                let at = voice.cursor;
                tune.metres.push((at, metre));
            }
            None => tune.warn(Oddity::Meter),
        },
        'L' => match fields::unit_length(text) {
            Some(unit) => tune.voice().unit = unit,
            None => tune.warn(Oddity::Length),
        },
        'Q' => {
            let unit = match tune.voices.get(tune.current) {
                Some(voice) => voice.unit,
                None => tune.start.unit.unwrap_or_else(|| fields::usual_length(tune.start.metre)),
            };
            let at = tune.voices.get(tune.current).map_or(0, |voice| voice.cursor);
            match fields::tempo(text, unit) {
                Ok(Some(tempo)) => tune.tempos.push((at, tempo)),
                Ok(None) => {}
                Err(()) => tune.warn(Oddity::Tempo),
            }
        }
        'K' => match key_field(text) {
            Some(found) => {
                set_staff(tune, found.staff);
                let voice = tune.voice();
                if let Some(signature) = found.signature {
                    voice.signature = signature;
                    let (at, key) = (voice.cursor, voice.shift.sounding(signature.key));
                    tune.keys.push((at, key));
                }
            }
            None => tune.warn(Oddity::Key),
        },
        'V' => {
            let (id, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            tune.choose_voice(id)?;
            set_staff(tune, keys::staff(rest));
            let voice = tune.voice();
            voice.name = name_of(rest).or(voice.name.take());
        }
        'P' => {
            let text = plain(text);
            if !text.is_empty() && tune.has_room(&text) {
                // A part begins where it is written, be it within a bar (section 3.1.9).
                let begins = tune.order.as_deref().is_some_and(|order| part_label(&text, order).is_some());
                let voice = tune.voice();
                if begins && voice.bar_start() != voice.cursor {
                    tune.bar_line(None, false, false);
                }
                let at = tune.voice().cursor;
                tune.parts.push((at, text));
            }
        }
        _ => {}
    }
    Ok(())
}

fn set_staff(tune: &mut Tune, staff: keys::Staff) {
    if !tune.voice().set_staff(staff) {
        tune.warn(Oddity::DrumsWithin);
    }
}

/// Text without the backslashes that keep comment signs from beginning a comment.
fn plain(text: &str) -> String {
    text.replace("\\%", "%")
}

/// What a field says about the tune: its titles, who composed it, whose it is, remarks and words after the music.
fn said(tune: &mut Tune, name: char, text: &str) {
    if text.is_empty() || !tune.has_room(text) {
        return;
    }
    let joined = |said: &mut Option<String>, text: &str| match said {
        Some(before) => *before = format!("{before}; {text}"),
        None => *said = Some(text.to_owned()),
    };
    // `Z:abc-copyright` is the standard's (section 3.1.10).
    let notice = text.strip_prefix("abc-copyright").map(str::trim_start);
    match name {
        'T' if tune.title.is_none() => tune.title = Some(text.to_owned()),
        'C' | 'Z' if notice.is_some_and(|notice| !notice.is_empty()) => {
            joined(&mut tune.rights, notice.unwrap_or(text))
        }
        'C' | 'Z' if is_notice(text) => joined(&mut tune.rights, text),
        'C' => joined(&mut tune.composer, text),
        _ => tune.remarks.push(text.to_owned()),
    }
}

/// Whether a text says whose the tune is.
pub(super) fn is_notice(text: &str) -> bool {
    let begin: String = text.chars().take(13).collect::<String>().to_lowercase();
    ["copyright", "©", "(c)", "abc-copyright"].iter().any(|word| begin.starts_with(word))
}

/// A `+:` field: more of the field `name`.
fn continue_field(tune: &mut Tune, name: char, text: &str) {
    let text = plain(text);
    match name {
        'w' => tune.voice().sung.more_words(&text),
        'T' | 'C' | 'N' | 'W' | 'Z' if tune.has_room(&text) => {
            let before = match name {
                'T' if tune.remarks.is_empty() => tune.title.as_mut(),
                'C' => tune.composer.as_mut(),
                _ => tune.remarks.last_mut(),
            };
            match before {
                Some(before) => *before = format!("{before} {text}"),
                None => said(tune, name, &text),
            }
        }
        _ => {}
    }
}

/// `name="Flute"` or `nm=Flute` in a voice's field.
fn name_of(text: &str) -> Option<String> {
    let value = |key: &str| words(text).find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let name = value("name").or(value("nm"))?.trim_matches('"');
    Some(plain(name)).filter(|name| !name.is_empty())
}
