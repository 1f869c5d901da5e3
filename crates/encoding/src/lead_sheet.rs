//! `lead_sheet`: a melody, one note at a time, and a chord at each beat.
//!
//! Source: the task and the two rows are those of D. Eck and J. Schmidhuber, "A First Look at Music Composition using LSTM Recurrent Neural
//! Networks", IDSIA-07-02, 2002: chords, and a melody that hears them.
//! Departures: notes have lengths, and rests are said; any metre, any chord of [`Quality`](cantus_score::Quality).
//!
//! A piece is spelled as: which row comes first; its bars; one row; the other row. Whoever writes the second row knows all of the first. A
//! chord is said for each beat ([`beats`]); of the melody's notes and rests first the pitch, then the length, without a gap from the
//! beginning of the first bar to the end of the last one.

mod cursor;
mod sheet;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use cursor::{Cursor, Expected};
pub use sheet::{Beat, LeadSheet, Tone, bar, beats, plays_chords};
pub use vocabulary::{Order, Token, Vocabulary};

use crate::TokenId;
use cantus_score::{Score, TicksPerQuarter};

/// Steps to a quarter note: sixteenths and triplets of eighths.
pub const GRID: TicksPerQuarter = TicksPerQuarter::new(12).unwrap();

/// What the encoding carries of a score: the melody's notes and the chords.
pub fn canonicalize(score: &Score, vocabulary: &Vocabulary) -> Score {
    vocabulary.canonical(&LeadSheet::of(score)).0.score(vocabulary.register())
}

/// The tokens of a lead sheet from [`Token::Start`] on, and whether it could not be said as it is. A sheet without a note is a start.
pub fn encode(sheet: &LeadSheet, order: Order, vocabulary: &Vocabulary) -> (Vec<TokenId>, bool) {
    let mut tokens = vec![vocabulary.id(Token::Start(order))];
    if sheet.melody.is_empty() {
        return (tokens, false);
    }
    let (said, is_adjusted) = vocabulary.canonical(sheet);
    tokens.extend(said.bars.iter().map(|kind| vocabulary.id(Token::Bar(*kind))));
    let chords: Vec<TokenId> = said.chords.iter().map(|chord| vocabulary.id(Token::Chord(*chord))).collect();
    let melody = melody(&said.melody, said.end(), vocabulary);
    let (first, second) = match order {
        Order::ChordsFirst => (chords, melody),
        Order::MelodyFirst => (melody, chords),
    };
    tokens.extend(first.into_iter().chain(second));
    (tokens, is_adjusted)
}

/// The melody's row up to a time in steps: tones that a vocabulary can say, and rests between them.
pub fn melody(tones: &[Tone], end: u32, vocabulary: &Vocabulary) -> Vec<TokenId> {
    let (mut tokens, mut now) = (Vec::new(), 0);
    let rest = |tokens: &mut Vec<TokenId>, steps: u32| {
        for length in vocabulary.lengths(steps) {
            tokens.extend([vocabulary.id(Token::Rest), vocabulary.id(Token::Length(length))]);
        }
    };
    for tone in tones {
        rest(&mut tokens, tone.onset - now);
        let length = u16::try_from(tone.length).unwrap_or(u16::MAX);
        tokens.extend([vocabulary.id(Token::Pitch(tone.pitch)), vocabulary.id(Token::Length(length))]);
        now = tone.end();
    }
    rest(&mut tokens, end.saturating_sub(now));
    tokens
}

/// The lead sheet of tokens; one that may not follow is passed over.
pub fn decode(tokens: &[TokenId], vocabulary: &Vocabulary) -> LeadSheet {
    let mut cursor = Cursor::new(vocabulary);
    for token in tokens.iter().filter_map(|id| vocabulary.token(*id)) {
        if cursor.permits(token) {
            cursor.advance(token);
        }
    }
    cursor.sheet()
}
