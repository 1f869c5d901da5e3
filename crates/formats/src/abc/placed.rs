//! What a tune says beside its notes, put where its text has a place for it: both what is written and what is read again.

use super::slurs::{self, Marked, Written};
use super::symbols::is_chord;
use super::writer::one_line;
use crate::channels::seats;
use crate::midi::last_wins;
use crate::notation::{Clef, Event, QUARTER, RESOLUTION, Sheet, SheetBar, slurs_and_fermatas};
use cantus_score::{Key, Lyric, Note, Part, Program, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use std::collections::{BTreeMap, HashMap};

/// More verses than any hymn has.
const MOST_VERSES: u8 = 32;
/// A syllable belongs to a note that begins no further from it.
const NEAR: u64 = QUARTER / 4;

/// A voice of a tune: what is written, and the part that is read again. All times are in [`QUARTER`]ths.
pub struct Line<'s> {
    pub voice: &'s [Vec<Event>],
    pub clef: Clef,
    /// Slurs and fermatas, by bar and event.
    pub marked: HashMap<(usize, usize), Marked>,
    pub part: Part,
}

/// A time of the score in [`QUARTER`]ths.
pub fn fine(at: Ticks, score: &Score) -> u64 {
    at.rescale(score.ticks_per_quarter, const { TicksPerQuarter::new(RESOLUTION).unwrap() }).0
}

/// The voices of a sheet, each a part of one note or chord at a time.
pub fn lines<'s>(score: &Score, sheet: &'s Sheet) -> Vec<Line<'s>> {
    let mut lines = Vec::new();
    for (written, written_notes) in sheet.parts.iter().zip(&sheet.notes) {
        let source = &score.parts[written.index];
        let voices = written.staves.iter().flat_map(|staff| staff.voices.iter().map(move |voice| (staff.clef, voice)));
        let voices: Vec<(Clef, &'s Vec<Vec<Event>>)> = voices.collect();
        let mut sung = lyrics(score, source, &voices, &sheet.bars);
        let (slurs, fermatas) =
            slurs_and_fermatas(source, written, written_notes, &sheet.bars, score.ticks_per_quarter);
        let is_struck = |at: &Ticks| {
            let next = written_notes.partition_point(|note| note.onset < *at);
            written_notes.get(next).is_some_and(|note| note.onset == *at)
        };
        let rests: Vec<Ticks> = fermatas.iter().filter(|at| !is_struck(at)).copied().collect();
        for (k, (clef, voice)) in voices.into_iter().enumerate() {
            let rests = if k == 0 { &rests[..] } else { &[] };
            let Written { marked, slurs, fermatas } = slurs::written(voice, &sheet.bars, (&slurs, &fermatas), rests);
            let part = Part {
                name: source.name.as_deref().and_then(one_line).map(|name| name.replace('"', "'")),
                channel: source.channel % 16,
                drums: source.drums,
                programs: programs(score, source, voice, sheet),
                notes: notes(voice, &sheet.bars),
                lyrics: sung.remove(&k).unwrap_or_default(),
                slurs,
                fermatas,
                ..Part::default()
            };
            lines.push(Line { voice, clef, marked, part });
        }
    }
    // A tune has channels and no ports.
    let parts: Vec<Part> = lines.iter().map(|line| line.part.clone()).collect();
    for (line, seat) in lines.iter_mut().zip(seats(&parts)) {
        line.part.channel = seat.map_or(0, |seat| seat.channel);
    }
    lines
}

/// The onsets of a voice's events; of a bar without any its beginning.
fn onsets<'a>(voice: &'a [Vec<Event>], bars: &'a [SheetBar]) -> impl Iterator<Item = u64> + 'a {
    voice.iter().zip(bars).flat_map(|(events, bar)| {
        let alone = events.is_empty().then_some(bar.start);
        alone.into_iter().chain(events.iter().map(|event| bar.start + event.onset))
    })
}

/// Each thing, in order of time, at the next onset before the end of the last note: elsewhere a voice has no place for it.
fn at_onsets<T>(
    things: impl IntoIterator<Item = (u64, T)>,
    onsets: impl Iterator<Item = u64>,
    sheet: &Sheet,
) -> Vec<(Ticks, T)> {
    let end = sheet.notes.iter().flatten().map(|note| note.end().0).max().unwrap_or_default();
    let mut onsets = onsets.take_while(|onset| *onset < end).peekable();
    let mut placed = Vec::new();
    for (at, thing) in things {
        while onsets.next_if(|onset| *onset < at).is_some() {}
        placed.extend(onsets.peek().map(|onset| (Ticks(*onset), thing)));
    }
    placed
}

/// The voice that tempos, markers and chord symbols are written into.
fn leader(sheet: &Sheet) -> &[Vec<Event>] {
    let first = sheet.parts.first().and_then(|part| part.staves.first()).and_then(|staff| staff.voices.first());
    first.map_or(&[], |voice| voice)
}

/// The changes of tempo. One that changes nothing is none.
pub fn tempos(sheet: &Sheet) -> Vec<(Ticks, Tempo)> {
    let mut placed = at_onsets(sheet.tempos.iter().copied(), onsets(leader(sheet), &sheet.bars), sheet);
    last_wins(&mut placed);
    placed.dedup_by_key(|(_, tempo)| *tempo);
    placed
}

/// The changes of key, likewise.
pub fn keys(sheet: &Sheet) -> Vec<(Ticks, Key)> {
    let mut placed = at_onsets(sheet.keys.iter().copied(), onsets(leader(sheet), &sheet.bars), sheet);
    last_wins(&mut placed);
    placed.dedup_by_key(|(_, key)| *key);
    placed
}

/// The markers.
pub fn markers(score: &Score, sheet: &Sheet) -> Vec<(Ticks, String)> {
    let text = |text: &String| one_line(&text.replace('[', "(").replace(']', ")"));
    let named = score.markers.iter().filter_map(|(at, name)| Some((fine(*at, score), text(name)?)));
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|(at, _)| *at);
    let mut placed = at_onsets(named, onsets(leader(sheet), &sheet.bars), sheet);
    placed.dedup();
    placed
}

/// The chord symbols: where a note of the first voice begins, or else at the nearest 32nd.
pub fn chords(score: &Score, sheet: &Sheet) -> Vec<(Ticks, String)> {
    let onsets: Vec<u64> = onsets(leader(sheet), &sheet.bars).collect();
    let end = sheet.bars.last().map_or(0, SheetBar::end);
    let place = |at: Ticks| {
        let exact = fine(at, score);
        const STEP: u64 = QUARTER / 8;
        if onsets.binary_search(&exact).is_ok() { exact } else { (exact + STEP / 2) / STEP * STEP }
    };
    let named = score.chords.iter().map(|(at, chord)| (Ticks(place(*at)), chord.trim().to_owned()));
    let mut named: Vec<_> = named.filter(|(at, chord)| at.0 < end && is_chord(chord)).collect();
    named.sort_by_key(|(at, _)| *at);
    named.dedup();
    named
}

/// The programs of a voice; the first holds from the beginning.
fn programs(score: &Score, part: &Part, voice: &[Vec<Event>], sheet: &Sheet) -> Vec<(Ticks, Program)> {
    let Some((_, first)) = part.programs.first() else { return Vec::new() };
    let mut later: Vec<_> = part.programs[1..].iter().map(|(at, program)| (fine(*at, score), *program)).collect();
    later.sort_by_key(|(at, _)| *at);
    let mut placed = vec![(Ticks::ZERO, *first)];
    placed.extend(at_onsets(later, onsets(voice, &sheet.bars), sheet));
    last_wins(&mut placed);
    placed.dedup_by_key(|(_, program)| *program);
    placed
}

/// The notes of a voice, ties joined.
fn notes(voice: &[Vec<Event>], bars: &[SheetBar]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for (events, bar) in voice.iter().zip(bars) {
        for event in events {
            let (onset, duration) = (Ticks(bar.start + event.onset), Ticks(event.duration));
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

/// What is sung in each voice of a part: a syllable belongs to the first voice in which a note begins with it, or near it.
fn lyrics(
    score: &Score,
    part: &Part,
    voices: &[(Clef, &Vec<Vec<Event>>)],
    bars: &[SheetBar],
) -> BTreeMap<usize, Vec<Lyric>> {
    let mut sung: BTreeMap<usize, Vec<Lyric>> = BTreeMap::new();
    if part.lyrics.is_empty() {
        return sung;
    }
    let mut begins: BTreeMap<u64, usize> = BTreeMap::new();
    for (k, (_, voice)) in voices.iter().enumerate() {
        for (events, bar) in voice.iter().zip(bars) {
            let struck = events.iter().filter(|event| event.heads.iter().any(|head| !head.tied_from));
            struck.for_each(|event| {
                begins.entry(bar.start + event.onset).or_insert(k);
            });
        }
    }
    let mut syllables = part.lyrics.clone();
    syllables.sort();
    for Lyric { at, verse, text, goes_on } in syllables {
        let at = fine(at, score);
        let nearest = begins.range(..=at).next_back().into_iter().chain(begins.range(at..).next());
        let Some((&at, &voice)) =
            nearest.min_by_key(|(onset, _)| onset.abs_diff(at)).filter(|(onset, _)| onset.abs_diff(at) <= NEAR)
        else {
            continue;
        };
        // These signs mean something else in a line of words.
        let text = one_line(
            text.replace(['_', '*', '|', '~'], " ").trim_end_matches(|c: char| c == '\\' || c.is_whitespace()),
        );
        let of_voice = sung.entry(voice).or_default();
        let is_taken = of_voice
            .iter()
            .rev()
            .take_while(|lyric| lyric.at.0 >= at)
            .any(|lyric| (lyric.at.0, lyric.verse) == (at, verse));
        if let Some(text) = text.filter(|_| !is_taken && (1..=MOST_VERSES).contains(&verse)) {
            of_voice.push(Lyric { at: Ticks(at), verse, text, goes_on });
        }
    }
    sung.values_mut().for_each(|lyrics| lyrics.sort());
    sung
}
