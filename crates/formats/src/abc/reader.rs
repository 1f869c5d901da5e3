//! Tunes to scores.

use super::book::Line;
use super::fields::{self, Metre};
use super::music;
use super::tune::{Tune, VoiceBar};
use super::{AbcError, Oddity, TICKS, Warning};
use crate::Limits;
use crate::midi::last_wins;
use crate::notation::{gcd, join_split_bars, meters_of};
use crate::repeats::{Marks, play_order};
use cantus_score::{Meter, Note, Part, Program, Score, Tempo, Ticks, TicksPerQuarter};

/// More bars, repeats played, than any tune has.
const MOST_BARS: usize = 200_000;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The music, repeats played. Each voice with notes is a part.
    pub score: Score,
    /// What was odd, in the order of the file; at most [`Limits::max_warnings`].
    pub warnings: Vec<Warning>,
    /// How many more warnings there were.
    pub warnings_dropped: usize,
}

/// Reads one tune; `header` are the lines before the first tune, which hold for all.
pub(super) fn read_tune(header: &[Line], lines: &[Line], limits: &Limits) -> Result<Reading, AbcError> {
    let first = lines.first().map_or(1, |line| line.number);
    let mut tune = Tune::new(limits, first);
    for line in header {
        // Before the first tune only fields mean something; the rest is free text.
        if let Some((name @ ('M' | 'L' | 'Q'), text)) = field_of(line.text) {
            tune.place = (line.number, 1);
            header_field(&mut tune, name, text)?;
        }
    }
    let mut in_header = true;
    for (k, line) in lines.iter().enumerate() {
        tune.place = (line.number, 1);
        if line.text.trim().is_empty() {
            let rest = &lines[k + 1..];
            if let Some(music) = rest.iter().find(|line| looks_like_music(line.text)) {
                tune.place = (music.number, 1);
                tune.warn(Oddity::AfterEnd);
            }
            break;
        }
        if let Some(directive) = line.text.strip_prefix("%%").or_else(|| line.text.strip_prefix("I:")) {
            midi_directive(&mut tune, directive);
            continue;
        }
        if line.text.starts_with('%') {
            continue;
        }
        match field_of(line.text) {
            Some((name, text)) if in_header => in_header = !header_field(&mut tune, name, text)?,
            Some((name, text)) => body_field(&mut tune, name, text)?,
            None => {
                if in_header {
                    tune.warn(Oddity::NoKey);
                    in_header = false;
                }
                music::Line::new(&mut tune, line.text).read(&body_field)?;
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
            match fields::signature(text) {
                Some(signature) => tune.start.signature = signature,
                None => tune.warn(Oddity::Key),
            }
            tune.start.shift = fields::shift(text).unwrap_or(0);
            tune.keys.push((0, tune.start.signature.key));
            // Voices named before the key begin with what it says.
            let start = tune.start;
            for voice in &mut tune.voices {
                voice.metre = start.metre;
                voice.unit = start.unit.unwrap_or_else(|| fields::usual_length(start.metre));
                voice.signature = start.signature;
                voice.shift += start.shift;
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
        'T' if tune.title.is_none() => {
            tune.title = Some(text.replace("\\%", "%")).filter(|title| !title.is_empty());
        }
        'N' => remark(tune, &text.replace("\\%", "%")),
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
        'K' => match fields::signature(text) {
            Some(signature) => {
                let has_key = text.split_whitespace().next().is_some_and(|word| !word.contains('='));
                let voice = tune.voice();
                if let Some(shift) = fields::shift(text) {
                    voice.shift = shift;
                }
                if has_key {
                    voice.signature = signature;
                    let at = voice.cursor;
                    tune.keys.push((at, signature.key));
                }
            }
            None => tune.warn(Oddity::Key),
        },
        'V' => {
            let (id, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            tune.choose_voice(id)?;
            let shift = fields::shift(rest);
            let voice = tune.voice();
            voice.shift = shift.unwrap_or(voice.shift);
            voice.name = name_of(rest).or(voice.name.take());
        }
        'P' => {
            if let Some(label) = text.chars().next().filter(char::is_ascii_alphabetic) {
                let at = tune.voice().cursor;
                tune.parts.push((label, at));
            }
        }
        _ => {}
    }
    Ok(())
}

fn remark(tune: &mut Tune, text: &str) {
    if text.is_empty() {
        return;
    }
    match tune.remark_bytes_left.checked_sub(text.len()) {
        Some(left) => {
            tune.remark_bytes_left = left;
            tune.remarks.push(text.to_owned());
        }
        None => tune.warn(Oddity::Remarks(tune.limits.max_remark_bytes)),
    }
}

/// `name="Flute"` or `nm=Flute` in a voice's field.
fn name_of(text: &str) -> Option<String> {
    let at = ["name=", "nm="].into_iter().find_map(|key| text.find(key).map(|at| at + key.len()))?;
    let rest = &text[at..];
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split_whitespace().next()?,
    };
    Some(name.replace("\\%", "%")).filter(|name| !name.is_empty())
}

/// `%%MIDI program 41`, `%%MIDI channel 10`: of the voice being written.
fn midi_directive(tune: &mut Tune, text: &str) {
    let words: Vec<&str> = text.split('%').next().unwrap_or_default().split_whitespace().collect();
    match words[..] {
        ["MIDI", "program", number] => {
            let program = number.parse().ok().and_then(Program::new);
            tune.voice().program = program;
        }
        ["MIDI", "channel", number] => {
            let channel = number.parse::<u8>().ok().filter(|channel| (1..=16).contains(channel));
            tune.voice().channel = channel.map(|channel| channel - 1);
        }
        _ => {}
    }
}

/// A stretch of the tune that is played at once: from and to.
type Stretch = (u64, u64);

fn assemble(mut tune: Tune, line: usize) -> Result<Reading, AbcError> {
    if tune.voices.iter().all(|voice| voice.notes.is_empty()) {
        return Err(AbcError::NoNotes { line });
    }
    for k in 0..tune.voices.len() {
        tune.current = k;
        if !tune.voices[k].open.is_empty() {
            tune.warn(Oddity::LooseTie);
        }
        tune.bar_line(None, false, true);
    }
    let end = tune.voices.iter().map(|voice| voice.cursor).max().unwrap_or(0);
    // The voice that says most about repeats speaks for all.
    let signs = |bars: &[VoiceBar]| bars.iter().filter(|bar| bar.marks != Marks::default()).count();
    let mut bars: &[VoiceBar] = &[];
    for voice in &tune.voices {
        if bars.is_empty() || signs(&voice.bars) > signs(bars) {
            bars = &voice.bars;
        }
    }
    let bars: Vec<VoiceBar> = bars.iter().filter(|bar| bar.start < end).cloned().collect();
    let length = |k: usize| bars.get(k + 1).map_or(end, |next| next.start) - bars[k].start;
    let mut order = order_of_bars(&mut tune, &bars);
    let is_heard = |k: &usize| {
        let bar = bars[*k].start..bars[*k].start + length(*k);
        tune.voices.iter().flat_map(|voice| &voice.notes).any(|note| bar.contains(&note.onset.0))
    };
    if !order.iter().any(is_heard) {
        // All notes stand in endings of passes that never come.
        tune.warn(Oddity::Repeats);
        order = (0..bars.len()).collect();
    }

    let limits = tune.limits;
    let total: u64 = order.iter().map(|k| length(*k)).fold(0, u64::saturating_add);
    if total / TICKS > limits.max_quarters {
        return Err(AbcError::TooLong { line, column: 1, limit: limits.max_quarters });
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for &k in &order {
        let (from, to) = (bars[k].start, bars[k].start + length(k));
        match stretches.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => stretches.push((from, to)),
        }
    }
    let mut score = Score::new(const { TicksPerQuarter::new(TICKS as u32).unwrap() });
    score.title = tune.title.take();
    score.remarks = std::mem::take(&mut tune.remarks);
    score.tempos = unfolded(&tune.tempos, &stretches, Some(Tempo::DEFAULT));
    score.keys = unfolded(&tune.keys, &stretches, None);
    score.meters = meters(&tune.metres, &bars, &order, &length);
    let mut channels = (0..16u8).filter(|channel| *channel != Part::DRUM_CHANNEL).cycle();
    let mut left = limits.max_notes;
    for voice in std::mem::take(&mut tune.voices) {
        let mut notes = voice.notes;
        notes.sort_unstable();
        let notes = played(&notes, &stretches, left).ok_or(AbcError::TooManyNotes {
            line,
            column: 1,
            limit: limits.max_notes,
        })?;
        left -= notes.len();
        if notes.is_empty() {
            continue;
        }
        let free = channels.next().unwrap_or(0);
        score.parts.push(Part {
            name: voice.name,
            channel: voice.channel.unwrap_or(free),
            drums: voice.channel == Some(Part::DRUM_CHANNEL),
            programs: voice.program.map(|program| (Ticks::ZERO, program)).into_iter().collect(),
            notes,
            ..Part::default()
        });
    }
    if score.note_count() == 0 {
        return Err(AbcError::NoNotes { line });
    }
    let Tune { warnings, warnings_dropped, .. } = tune;
    Ok(Reading { score: in_usual_ticks(score), warnings, warnings_dropped })
}

/// Which bars are played, in order.
fn order_of_bars(tune: &mut Tune, bars: &[VoiceBar]) -> Vec<usize> {
    let marks: Vec<Marks> = bars.iter().map(|bar| bar.marks.clone()).collect();
    let labels = tune.order.take().map(|order| spelled_out(&order)).unwrap_or_default();
    if !labels.is_empty() && !tune.parts.is_empty() {
        match by_parts(&labels, &tune.parts, bars, &marks) {
            Some(order) => return order,
            None => tune.warn(Oddity::PartOrder),
        }
    }
    match play_order(&marks, MOST_BARS) {
        Some(order) => order.bars,
        None => {
            tune.warn(Oddity::Repeats);
            (0..bars.len()).collect()
        }
    }
}

/// The bars of the parts in the order of their labels, each part with its repeats.
fn by_parts(labels: &[char], parts: &[(char, u64)], bars: &[VoiceBar], marks: &[Marks]) -> Option<Vec<usize>> {
    let mut starts: Vec<(char, usize)> = Vec::new();
    for (label, at) in parts {
        let bar = bars.partition_point(|bar| bar.start < *at);
        if bar < bars.len() && starts.iter().all(|(known, _)| known != label) {
            starts.push((*label, bar));
        }
    }
    starts.sort_by_key(|(_, bar)| *bar);
    let mut order: Vec<usize> = (0..starts.first().map_or(0, |(_, bar)| *bar)).collect();
    for label in labels {
        let part = starts.iter().position(|(known, _)| known == label)?;
        let from = starts[part].1;
        let to = starts.get(part + 1).map_or(bars.len(), |(_, bar)| *bar);
        let played = play_order(&marks[from..to], MOST_BARS.checked_sub(order.len())?)?;
        order.extend(played.bars.into_iter().map(|bar| from + bar));
    }
    Some(order)
}

/// `AAB`, `A2B`, `(AB)3`, with dots and spaces: the labels one by one, at most a thousand.
fn spelled_out(order: &str) -> Vec<char> {
    let mut stack: Vec<Vec<char>> = vec![Vec::new()];
    let mut last: Vec<char> = Vec::new();
    for sign in order.chars() {
        match sign {
            '(' => stack.push(Vec::new()),
            ')' if stack.len() > 1 => last = stack.pop().unwrap_or_default(),
            '2'..='9' => {
                // What came last stands there once already.
                let times = sign.to_digit(10).unwrap_or(1) as usize - 1;
                let again = last.repeat(times);
                if let Some(top) = stack.last_mut().filter(|top| top.len() + again.len() <= 1000) {
                    top.extend(again);
                }
                continue;
            }
            label if label.is_ascii_alphabetic() => last = vec![label],
            _ => continue,
        }
        if sign != '('
            && let Some(top) = stack.last_mut().filter(|top| top.len() + last.len() <= 1000)
        {
            top.extend(&last);
        }
    }
    stack.into_iter().flatten().collect()
}

/// Changes along the time of playing: after a jump holds again what held there; `unnamed` is what holds where nothing is said.
fn unfolded<T: Copy + PartialEq>(changes: &[(u64, T)], stretches: &[Stretch], unnamed: Option<T>) -> Vec<(Ticks, T)> {
    let mut sorted: Vec<(u64, T)> = changes.to_vec();
    sorted.sort_by_key(|(at, _)| *at);
    let mut played: Vec<(Ticks, T)> = Vec::new();
    let mut now = 0;
    for &(from, to) in stretches {
        let current = played.last().map(|(_, value)| *value);
        let after = sorted.partition_point(|(at, _)| *at <= from);
        let held = after.checked_sub(1).map(|before| sorted[before].1).or(current.and(unnamed));
        if let Some(value) = held.filter(|value| current != Some(*value)) {
            played.push((Ticks(now), value));
        }
        for (at, value) in sorted[after..].iter().take_while(|(at, _)| *at < to) {
            if played.last().is_none_or(|(_, current)| current != value) {
                played.push((Ticks(now + at - from), *value));
            }
        }
        now += to - from;
    }
    last_wins(&mut played);
    played
}

/// The metres of the bars that are played. Where bars are free there are none.
fn meters(
    metres: &[(u64, Metre)],
    bars: &[VoiceBar],
    order: &[usize],
    length: &dyn Fn(usize) -> u64,
) -> Vec<(Ticks, Meter)> {
    let mut sorted = metres.to_vec();
    sorted.sort_by_key(|(at, _)| *at);
    let held = |at: u64| {
        let after = sorted.partition_point(|(change, _)| *change <= at);
        after.checked_sub(1).map(|before| sorted[before].1)
    };
    let mut spans = Vec::with_capacity(order.len());
    let mut now = 0;
    for (place, &k) in order.iter().enumerate() {
        let bar = length(k);
        let jumps = order.get(place + 1).is_some_and(|next| *next != k + 1);
        let opens = bars.get(k + 1).is_some_and(|next| next.marks.forward || !next.marks.ending.is_empty());
        let is_open = jumps || opens || bars[k].marks.backward.is_some() || bars[k].marks.ending_stops;
        if let Some(Metre::Bars(meter)) = held(bars[k].start) {
            spans.push((Ticks(now), Ticks(bar), meter, is_open));
        }
        now += bar;
    }
    let per_quarter = const { TicksPerQuarter::new(TICKS as u32).unwrap() };
    meters_of(join_split_bars(&spans, per_quarter).into_iter(), per_quarter)
}

/// The notes of the stretches one after another; `None` where there are more than `limit`. A note that sounds on where the music jumps
/// ends there.
fn played(notes: &[Note], stretches: &[Stretch], limit: usize) -> Option<Vec<Note>> {
    let mut played = Vec::with_capacity(notes.len());
    let mut now = 0;
    for &(from, to) in stretches {
        let first = notes.partition_point(|note| note.onset.0 < from);
        for note in notes[first..].iter().take_while(|note| note.onset.0 < to) {
            if played.len() == limit {
                return None;
            }
            let end = note.end().0.min(to);
            let onset = Ticks(now + note.onset.0 - from);
            played.push(Note { onset, duration: Ticks(end - note.onset.0), ..*note });
        }
        now += to - from;
    }
    played.sort_unstable();
    Some(played)
}

/// The same in 480 ticks to the quarter, which everybody knows, where that loses nothing.
pub(super) fn in_usual_ticks(score: Score) -> Score {
    const STEP: u64 = TICKS / 480;
    let mut common = STEP;
    let mut times = |time: Ticks| common = gcd(common, time.0);
    score.notes().for_each(|note| times(note.onset));
    score.notes().for_each(|note| times(note.duration));
    score.tempos.iter().for_each(|(at, _)| times(*at));
    score.meters.iter().for_each(|(at, _)| times(*at));
    score.keys.iter().for_each(|(at, _)| times(*at));
    if common == STEP { score.rescaled(TicksPerQuarter::DEFAULT) } else { score }
}
