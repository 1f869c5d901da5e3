//! `note_chord`: chords of real pitches with durations and rests, bar by bar, one token at a time.
//!
//! A piece is written as
//! ```text
//! Start Tempo Meter ( Bar ( Position ( [Duration] Pitch )+ )* )+ End
//! ```
//! - `Position` is the step within the bar at which a chord begins; time between chords is implied, so rests cost nothing.
//! - A chord's notes follow in descending pitch, the melody first. `Duration` stands before a note only where it differs from
//!   the last one written: a hymn in quarters pays for its durations once.
//! - `Meter` stands before the first bar and before each bar whose metre or length differs from the last one's.
//!
//! The vocabulary is read off a corpus ([`Vocabulary::build`]) and is closed: whatever a later score holds that it cannot say
//! is said with the nearest token, and counted ([`Adjustments`]).
//!
//! A [`Cursor`] walks through tokens, from a file or from a sampler alike. It knows where in the music it stands, which tokens
//! may follow, and the [`Context`] that a network reads beside the token itself.

mod cursor;
mod vocabulary;

pub use cursor::{Context, Cursor, REMAINING_BUCKETS};
pub use vocabulary::{BarKind, Token, Vocabulary};

use crate::TokenId;
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, Velocity};

/// What had to be changed so that a vocabulary could say a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// Notes moved by octaves into the pitch range.
    pub pitches: usize,
    /// Notes whose duration became the nearest one known.
    pub durations: usize,
    /// Bars whose metre became the nearest one known.
    pub meters: usize,
    /// Notes that fell on another, or behind the end of their bar, through such changes.
    pub dropped: usize,
}

impl Adjustments {
    /// Whether nothing had to be changed.
    pub fn is_empty(&self) -> bool {
        *self == Adjustments::default()
    }
}

impl std::fmt::Display for Adjustments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.pitches, "pitch", "pitches", "moved by octaves into the model's range"),
            (self.durations, "duration", "durations", "rounded to one the model knows"),
            (self.meters, "bar", "bars", "read in the nearest metre the model knows"),
            (self.dropped, "note", "notes", "left out that no longer fitted"),
        ];
        let named: Vec<String> = parts
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, several, what)| format!("{count} {} {what}", if *count == 1 { one } else { several }))
            .collect();
        f.write_str(&named.join(", "))
    }
}

/// `score` as tokens, from `Start` to `End`, and what had to be changed.
///
/// # Units
/// One tick of `score` is one step; only its first part is read.
pub fn encode(score: &Score, vocabulary: &Vocabulary) -> (Vec<TokenId>, Adjustments) {
    let (bars, mut adjustments) = bars_of(score, vocabulary);
    let mut tokens = vec![vocabulary.id(Token::Start), vocabulary.id(Token::Tempo(vocabulary.nearest_tempo(score)))];
    let (mut kind, mut duration) = (None, None);
    for bar in &bars {
        if kind != Some(bar.kind) {
            tokens.push(vocabulary.id(Token::Meter(bar.kind)));
            kind = Some(bar.kind);
        }
        tokens.push(vocabulary.id(Token::Bar));
        let mut position = None;
        for note in &bar.notes {
            if position != Some(note.position) {
                tokens.push(vocabulary.id(Token::Position(note.position)));
                position = Some(note.position);
            }
            if duration != Some(note.duration) {
                tokens.push(vocabulary.id(Token::Duration(note.duration)));
                duration = Some(note.duration);
            }
            tokens.push(vocabulary.id(Token::Pitch(note.pitch)));
        }
    }
    tokens.push(vocabulary.id(Token::End));
    adjustments.dropped =
        score.parts.first().map_or(0, |part| part.notes.len()) - bars.iter().map(|bar| bar.notes.len()).sum::<usize>();
    (tokens, adjustments)
}

/// The music that `tokens` say. Reads what it can: tokens that may not stand where they stand are passed over.
pub fn decode(tokens: &[TokenId], vocabulary: &Vocabulary) -> Score {
    let mut cursor = Cursor::new(vocabulary);
    let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
    let mut score = Score::new(vocabulary.steps_per_quarter());
    for &token in tokens {
        let Some(known) = vocabulary.token(token).filter(|_| cursor.allows(token)) else { continue };
        cursor.advance(token);
        match known {
            Token::Tempo(class) => score.tempos.push((Ticks::ZERO, vocabulary.tempo(class))),
            Token::Bar if score.meters.last().map(|(_, meter)| *meter) != cursor.meter() => {
                score.meters.extend(cursor.meter().map(|meter| (cursor.bar_start(), meter)));
            }
            Token::Pitch(pitch) => {
                let duration = Ticks(u64::from(cursor.duration().unwrap_or(1)));
                part.notes.push(Note { onset: cursor.onset(), pitch, duration, velocity: Velocity::DEFAULT });
            }
            _ => {}
        }
    }
    part.notes.sort_unstable();
    score.parts.push(part);
    score
}

/// What `decode(encode(score))` gives where the vocabulary knows all that `score` holds: one part, one tempo, no leading empty
/// bars, no keys, no pedal, an even touch, metre changes at bar lines (a bar cut short gets a metre of its length).
pub fn canonicalize(score: &Score, vocabulary: &Vocabulary) -> Score {
    let (bars, _) = bars_of(score, vocabulary);
    let mut canonical = Score::new(vocabulary.steps_per_quarter());
    canonical.tempos.push((Ticks::ZERO, vocabulary.tempo(vocabulary.nearest_tempo(score))));
    let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
    let mut start = Ticks::ZERO;
    for bar in bars {
        if canonical.meters.last().map(|(_, meter)| *meter) != Some(bar.kind.meter) {
            canonical.meters.push((start, bar.kind.meter));
        }
        part.notes.extend(bar.notes.iter().map(|note| Note {
            onset: start + Ticks(u64::from(note.position)),
            pitch: note.pitch,
            duration: Ticks(u64::from(note.duration)),
            velocity: Velocity::DEFAULT,
        }));
        start += Ticks(u64::from(bar.kind.steps));
    }
    part.notes.sort_unstable();
    canonical.parts.push(part);
    canonical
}

/// A bar as the encoding sees it: notes in order of position, then from the highest down.
struct EncodedBar {
    kind: BarKind,
    notes: Vec<EncodedNote>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct EncodedNote {
    position: u16,
    pitch: Pitch,
    duration: u16,
}

/// The bars from the first note's on, said with what `vocabulary` knows.
fn bars_of(score: &Score, vocabulary: &Vocabulary) -> (Vec<EncodedBar>, Adjustments) {
    let notes = score.parts.first().map_or(&[][..], |part| &part.notes);
    let mut adjustments = Adjustments::default();
    let mut bars = Vec::new();
    let mut next = 0;
    // Bars are counted to the last onset: what sounds on after it needs no bar of its own.
    let last = notes.last().map_or(Ticks::ZERO, |note| note.onset + Ticks(1));
    for bar in cantus_score::Bars::new(&score.meters, score.ticks_per_quarter, last) {
        let from = next;
        while next < notes.len() && notes[next].onset < bar.end() {
            next += 1;
        }
        if bars.is_empty() && from == next {
            continue;
        }
        let wanted = BarKind::of(&bar, score.ticks_per_quarter);
        let kind = vocabulary.nearest_bar(wanted);
        adjustments.meters += usize::from(kind != wanted);
        let mut encoded: Vec<EncodedNote> = Vec::with_capacity(next - from);
        for note in &notes[from..next] {
            let pitch = vocabulary.nearest_pitch(note.pitch);
            let duration = vocabulary.nearest_duration(note.duration);
            adjustments.pitches += usize::from(pitch != note.pitch);
            adjustments.durations += usize::from(u64::from(duration) != note.duration.0);
            let position = (note.onset - bar.start).0;
            if position < u64::from(kind.steps) {
                encoded.push(EncodedNote { position: position as u16, pitch, duration });
            }
        }
        encoded.sort_unstable_by_key(|note| (note.position, std::cmp::Reverse((note.pitch, note.duration))));
        encoded.dedup_by_key(|note| (note.position, note.pitch));
        bars.push(EncodedBar { kind, notes: encoded });
    }
    (bars, adjustments)
}

#[cfg(test)]
mod tests;
