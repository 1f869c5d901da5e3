//! Voices to a score: repeats, jumps and the order of parts are played.

use super::fields::Metre;
use super::jumps::{begin_sections, part_label, settle_codas};
use super::ornaments::ornament;
use super::reader::Reading;
use super::tune::{Tune, Voice, VoiceBar};
use super::{AbcError, Oddity, TICKS, slurs};
use crate::midi::last_wins;
use crate::notation::{gcd, join_split_bars, meters_of, printed_numbers};
use crate::repeats::{Marks, Order, Stretch, play_order, repeats};
use cantus_score::{Lyric, Meter, Note, Part, Pitch, Repeat, Score, Tempo, Ticks, TicksPerQuarter, names_drums};

/// More bars, repeats played, than any tune has.
const MOST_BARS: usize = 200_000;

/// More changes of tempo or key, repeats played, than any tune has; those beyond are left out.
const MOST_CHANGES: usize = 1_000_000;

/// The score of a tune that has been read; `line` is where it begins.
pub fn assemble(mut tune: Tune, line: usize) -> Result<Reading, AbcError> {
    if tune.voices.iter().all(|voice| voice.notes.is_empty()) {
        return Err(AbcError::NoNotes { line });
    }
    for k in 0..tune.voices.len() {
        tune.current = k;
        if !tune.voices[k].open.is_empty() {
            tune.warn(Oddity::LooseTie);
        }
        (0..tune.voices[k].slurs.left_open()).for_each(|_| tune.warn(Oddity::LooseSlur));
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
    let mut bars: Vec<VoiceBar> = bars.iter().filter(|bar| bar.start < end).cloned().collect();
    settle_codas(&mut bars);
    let length = |k: usize| bars.get(k + 1).map_or(end, |next| next.start) - bars[k].start;
    let mut played_in = order_of_bars(&mut tune, &bars);
    let is_heard = |k: &usize| {
        let bar = bars[*k].start..bars[*k].start + length(*k);
        tune.voices.iter().flat_map(|voice| &voice.notes).any(|note| bar.contains(&note.onset.0))
    };
    if !played_in.bars.iter().any(is_heard) {
        // All notes stand in endings of passes that never come.
        tune.warn(Oddity::Repeats);
        played_in = Order::straight(bars.len());
    }
    let order = &played_in.bars;

    let limits = tune.limits;
    let total: u64 = order.iter().map(|k| length(*k)).fold(0, u64::saturating_add);
    if total / TICKS > limits.max_quarters {
        return Err(AbcError::TooLong { line, column: 1, limit: limits.max_quarters });
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for &k in order {
        let (from, to) = (bars[k].start, bars[k].start + length(k));
        match stretches.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => stretches.push((from, to)),
        }
    }
    let mut score = Score::new(const { TicksPerQuarter::new(TICKS as u32).unwrap() });
    score.title = tune.title.take();
    score.composer = tune.composer.take();
    score.rights = tune.rights.take();
    score.remarks = std::mem::take(&mut tune.remarks);
    score.tempos = unfolded(&tune.tempos, &stretches, Some(Tempo::DEFAULT));
    score.keys = unfolded(&tune.keys, &stretches, None);
    let laid_out = |order: &[usize]| spans(&tune.metres, &bars, order, &length).into_iter().unzip();
    let (of_bars, played_spans): (Vec<usize>, Vec<_>) = laid_out(order);
    score.meters =
        meters_of(join_split_bars(&played_spans, score.ticks_per_quarter).into_iter(), score.ticks_per_quarter);
    if !played_in.is_straight() {
        let mut starts = vec![0u64];
        starts.extend(order.iter().scan(0, |now, k| {
            *now += length(*k);
            Some(*now)
        }));
        score.repeats = repeats(&played_in, |place| Ticks(starts[place]));
        let on_paper: Vec<usize> = (0..bars.len()).collect();
        let (printed_bars, spans): (Vec<usize>, Vec<_>) = laid_out(&on_paper);
        let numbers = printed_numbers(&spans, score.ticks_per_quarter);
        let number = |k: usize| printed_bars.binary_search(&k).ok().map(|place| numbers[place]);
        let starts = of_bars.iter().zip(&played_spans);
        score.printed = starts.filter_map(|(k, (start, ..))| Some((*start, number(*k)?))).collect();
    }
    score.chords = heard(std::mem::take(&mut tune.chords), &stretches, limits.max_notes);
    score.markers = heard(std::mem::take(&mut tune.parts), &stretches, limits.max_notes);
    let channels = channels(&tune.voices);
    let programs: Vec<_> = tune.programs.iter().map(|named| unfolded(named, &stretches, None)).collect();
    let mut left = limits.max_notes;
    for (voice, channel) in std::mem::take(&mut tune.voices).into_iter().zip(channels) {
        let mut notes = voice.notes.clone();
        notes.sort_unstable();
        let played = played(&notes, &stretches, left).map(|notes| ornament(notes, &voice.graces, &stretches));
        let Some((notes, moved)) = played.filter(|(notes, _)| notes.len() <= left) else {
            return Err(AbcError::TooManyNotes { line, column: 1, limit: limits.max_notes });
        };
        left -= notes.len();
        if notes.is_empty() {
            continue;
        }
        let mut own = unfolded(&voice.programs, &stretches, None);
        if own.is_empty() {
            own.clone_from(&programs[usize::from(channel)]);
        }
        let drums = is_drums(&voice, own.is_empty());
        let lyrics = voice.sung.lyrics.iter().map(|lyric| (lyric.at.0, lyric.clone())).collect();
        let lyrics = heard(lyrics, &stretches, limits.max_notes);
        let fermatas = voice.fermatas.iter().map(|(at, pitch)| (at.0, *pitch)).collect();
        let place = |(at, pitch): (Ticks, Option<Pitch>)| {
            pitch.and_then(|pitch| moved.get(&(at, pitch)).copied()).unwrap_or(at)
        };
        let mut fermatas: Vec<Ticks> = heard(fermatas, &stretches, limits.max_notes).into_iter().map(place).collect();
        fermatas.sort_unstable();
        fermatas.dedup();
        score.parts.push(Part {
            name: voice.name,
            channel: if drums { Part::DRUM_CHANNEL } else { channel },
            drums,
            programs: own,
            notes,
            lyrics: lyrics.into_iter().map(|(at, lyric)| Lyric { at, ..lyric }).collect(),
            slurs: slurs::heard(voice.slurs.found, &stretches, &moved),
            fermatas,
            ..Part::default()
        });
    }
    if score.note_count() == 0 {
        return Err(AbcError::NoNotes { line });
    }
    let Tune { warnings, warnings_dropped, .. } = tune;
    Ok(Reading { score: in_usual_ticks(score), warnings, warnings_dropped })
}

/// Whether a voice is played on drums: what its channel or its clef says, or else, where nothing does, its name.
fn is_drums(voice: &Voice, has_no_program: bool) -> bool {
    let says_nothing = voice.channel.is_none() && has_no_program;
    voice.is_drums() || says_nothing && voice.name.as_deref().is_some_and(names_drums)
}

/// A channel for each voice: that which it names, or else the next that no voice names; the tenth is for drums.
fn channels(voices: &[Voice]) -> Vec<u8> {
    let is_free = |channel: &u8| {
        *channel != Part::DRUM_CHANNEL && voices.iter().take(256).all(|voice| voice.channel != Some(*channel))
    };
    let free: Vec<u8> = (0..16).filter(is_free).collect();
    let mut next = free.iter().copied().cycle();
    voices.iter().map(|voice| voice.channel.or_else(|| next.next()).unwrap_or(0)).collect()
}

/// Which bars are played, in order.
fn order_of_bars(tune: &mut Tune, bars: &[VoiceBar]) -> Order {
    let mut marks: Vec<Marks> = bars.iter().map(|bar| bar.marks.clone()).collect();
    begin_sections(&mut marks, bars);
    let order = tune.order.take().unwrap_or_default();
    if !spelled_out(&order).is_empty() && !tune.parts.is_empty() {
        match by_parts(&order, &tune.parts, bars, &marks) {
            Some(order) => return order,
            None => tune.warn(Oddity::PartOrder),
        }
    }
    match play_order(&marks, MOST_BARS) {
        Some(order) => {
            order.astray.iter().for_each(|_| tune.warn(Oddity::Jump));
            order
        }
        None => {
            tune.warn(Oddity::Repeats);
            Order::straight(bars.len())
        }
    }
}

/// The bars of the parts in the order of a header, each part with its repeats; what this order says, no jump need say.
fn by_parts(order: &str, parts: &[(u64, String)], bars: &[VoiceBar], marks: &[Marks]) -> Option<Order> {
    let mut starts: Vec<(char, usize)> = Vec::new();
    for (at, name) in parts {
        let Some(label) = part_label(name, order) else { continue };
        let bar = bars.partition_point(|bar| bar.start < *at);
        if bar < bars.len() && starts.iter().all(|(known, _)| *known != label) {
            starts.push((label, bar));
        }
    }
    starts.sort_by_key(|(_, bar)| *bar);
    let labels = spelled_out(order);
    let mut order = Order::straight(starts.first().map_or(0, |(_, bar)| *bar));
    for label in labels {
        let part = starts.iter().position(|(known, _)| *known == label)?;
        let from = starts[part].1;
        let to = starts.get(part + 1).map_or(bars.len(), |(_, bar)| *bar);
        let marks: Vec<Marks> =
            marks[from..to].iter().map(|mark| Marks { leaps: Vec::new(), ..mark.clone() }).collect();
        let played = play_order(&marks, MOST_BARS.checked_sub(order.bars.len())?)?;
        order.extend(played, from);
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
            if played.last().is_none_or(|(_, current)| current != value) && played.len() < MOST_CHANGES {
                played.push((Ticks(now + at - from), *value));
            }
        }
        now += to - from;
    }
    last_wins(&mut played);
    played
}

/// What is named at places of the tune (chord symbols, markers, lyrics), where it is heard; at most `limit`.
fn heard<T: Clone + PartialEq>(mut named: Vec<(u64, T)>, stretches: &[Stretch], limit: usize) -> Vec<(Ticks, T)> {
    named.sort_by_key(|(at, _)| *at);
    // Several voices may say the same.
    named.dedup();
    let mut heard = Vec::with_capacity(named.len());
    let mut now = 0;
    for &(from, to) in stretches {
        let first = named.partition_point(|(at, _)| *at < from);
        let inside = named[first..].iter().take_while(|(at, _)| *at < to);
        heard.extend(inside.take(limit - heard.len()).map(|(at, thing)| (Ticks(now + at - from), thing.clone())));
        now += to - from;
    }
    heard
}

/// Bars in this order: when each begins and how long it is, its metre, and whether a sign of repetition ends it. Bars without a metre are
/// left out.
fn spans(
    metres: &[(u64, Metre)],
    bars: &[VoiceBar],
    order: &[usize],
    length: &dyn Fn(usize) -> u64,
) -> Vec<(usize, (Ticks, Ticks, Meter, bool))> {
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
            spans.push((k, (Ticks(now), Ticks(bar), meter, is_open)));
        }
        now += bar;
    }
    spans
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
    score.printed.iter().for_each(|(at, _)| times(*at));
    score.repeats.iter().flat_map(Repeat::times).for_each(&mut times);
    score.chords.iter().chain(&score.markers).for_each(|(at, _)| times(*at));
    for part in &score.parts {
        part.programs.iter().for_each(|(at, _)| times(*at));
        part.lyrics.iter().for_each(|lyric| times(lyric.at));
        part.fermatas.iter().for_each(|at| times(*at));
    }
    if common == STEP { score.rescaled(TicksPerQuarter::DEFAULT) } else { score }
}
