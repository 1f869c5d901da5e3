//! `performance`: music as a player makes it: keys go down and up, how hard, the pedal, and how long it is until the next of these.
//!
//! Source: I. Simon and S. Oore, Performance RNN: Generating Music with Expressive Timing and Dynamics, Magenta, 2017: strokes, releases,
//! waits of 10 ms to 1 s, 32 classes of loudness that are said where they change.
//! Departures: the 88 keys of a piano; the pedal has words of its own where the corpus keeps it apart; a class of loudness is played at
//! its middle; a key is released only where it sounds, and every moment has one spelling ([`Cursor`]), so that no probability is lost on
//! others.
//!
//! A moment is spelled as: the wait, longest first; releases upwards; the pedal; strokes upwards, each after its loudness where that is
//! another than before.

mod cursor;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use cursor::{CHORD, Cursor, Keys};
pub use vocabulary::{Adjustments, KEYS, LEVELS, LONGEST_WAIT, Token, Vocabulary};

use crate::TokenId;
use cantus_score::{Note, Part, PedalSpan, STEPS_PER_SECOND, Score, Ticks, TicksPerQuarter, merge_parts};

/// Steps, of 10 ms each, to a quarter note: performances stand at 120 quarters a minute.
pub const GRID: TicksPerQuarter = TicksPerQuarter::new(STEPS_PER_SECOND / 2).unwrap();

/// What the encoding carries of a score, in steps: the notes of all pitched parts on one keyboard, each at the middle of its class of
/// loudness and at least a step long, and the pedal where the vocabulary has it. Pedal that is released for less than a step stays down.
pub fn canonicalize(score: &Score, vocabulary: &Vocabulary) -> Score {
    keyboard(score, vocabulary).0
}

fn keyboard(score: &Score, vocabulary: &Vocabulary) -> (Score, Adjustments) {
    let is_known = |part: &Part, note: &Note| !part.drums && Vocabulary::key(note.pitch).is_some();
    let known = score.parts.iter().flat_map(|part| part.notes.iter().filter(|note| is_known(part, note))).count();
    let adjustments = Adjustments { dropped: score.note_count() - known };
    let score = score.rescaled(GRID);
    let mut part = merge_parts(score.parts.iter().filter(|part| !part.drums));
    part.notes.retain(|note| Vocabulary::key(note.pitch).is_some());
    for note in &mut part.notes {
        note.duration = note.duration.max(Ticks(1));
        note.velocity = Vocabulary::velocity(Vocabulary::level(note.velocity));
    }
    part.pedal.retain(|span| vocabulary.has_pedal() && span.up > span.down);
    let mut canonical = Score::new(GRID);
    canonical.parts.push(Part { notes: part.notes, pedal: part.pedal, ..Part::default() });
    (canonical, adjustments)
}

/// The words of a score, from [`Token::Start`] to its last event; the end is not said. Times beyond 32 bits of steps are cut.
pub fn encode(score: &Score, vocabulary: &Vocabulary) -> (Vec<TokenId>, Adjustments) {
    let (canonical, adjustments) = keyboard(score, vocabulary);
    let step = |ticks: Ticks| u32::try_from(ticks.0).unwrap_or(u32::MAX);
    // When, in which order within the moment, and how loud.
    let mut events: Vec<(u32, u8, u8, Token, u8)> = Vec::new();
    for note in canonical.notes() {
        let key = Vocabulary::key(note.pitch).unwrap_or_default();
        events.push((step(note.onset), 2, key, Token::Strike(key), Vocabulary::level(note.velocity)));
        events.push((step(note.end()), 0, key, Token::Release(key), 0));
    }
    for span in canonical.parts.iter().flat_map(|part| &part.pedal) {
        events.push((step(span.down), 1, 0, Token::Pedal(true), 0));
        events.push((step(span.up), 1, 0, Token::Pedal(false), 0));
    }
    events.sort_unstable_by_key(|(at, order, key, ..)| (*at, *order, *key));
    let mut tokens = vec![Vocabulary::id(Token::Start)];
    let (mut now, mut loudness) = (0, None);
    for (at, _, _, token, level) in events {
        tokens.extend(waits(at - now).map(Vocabulary::id));
        now = at;
        if matches!(token, Token::Strike(_)) && loudness != Some(level) {
            tokens.push(Vocabulary::id(Token::Level(level)));
            loudness = Some(level);
        }
        tokens.push(Vocabulary::id(token));
    }
    (tokens, adjustments)
}

/// A wait of so many steps in words.
pub fn waits(steps: u32) -> impl Iterator<Item = Token> {
    let longest = u32::from(LONGEST_WAIT);
    let rest = (steps % longest) as u8;
    let whole = std::iter::repeat_n(Token::Wait(LONGEST_WAIT), (steps / longest) as usize);
    whole.chain((rest > 0).then_some(Token::Wait(rest)))
}

/// The score of words, in steps of the [`GRID`]; a word that may not follow is passed over. What still sounds at the end ends there, a step
/// after its stroke at the least.
pub fn decode(tokens: &[TokenId], vocabulary: &Vocabulary) -> Score {
    let mut cursor = Cursor::default();
    let mut part = Part::default();
    let note = |cursor: &Cursor, key: u8, level: u8| {
        let onset = cursor.struck(key).unwrap_or_default();
        let duration = Ticks(u64::from(cursor.now() - onset).max(1));
        Note {
            onset: Ticks(onset.into()),
            pitch: Vocabulary::pitch(key),
            duration,
            velocity: Vocabulary::velocity(level),
        }
    };
    let mut levels = [0; KEYS as usize];
    let pedal = |down: u32, up: u32| PedalSpan { down: Ticks(down.into()), up: Ticks(up.into()) };
    for token in tokens.iter().filter_map(|id| vocabulary.token(*id)) {
        if !cursor.permits(token) {
            continue;
        }
        match token {
            Token::Strike(key) => levels[usize::from(key)] = cursor.level().unwrap_or_default(),
            Token::Release(key) => part.notes.push(note(&cursor, key, levels[usize::from(key)])),
            Token::Pedal(false) => part.pedal.extend(cursor.pedal_since().map(|down| pedal(down, cursor.now()))),
            _ => {}
        }
        cursor.advance(token);
    }
    part.notes.extend(cursor.sounding().iter().map(|key| note(&cursor, key, levels[usize::from(key)])));
    part.pedal.extend(cursor.pedal_since().filter(|down| *down < cursor.now()).map(|down| pedal(down, cursor.now())));
    part.notes.sort_unstable();
    let mut score = Score::new(GRID);
    score.parts.push(part);
    score
}
