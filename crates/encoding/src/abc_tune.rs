//! `abc_tune`: a tune as a folk musician writes it down, with its repeats as repeats.
//!
//! Source: ABC notation (standard 2.1), and its tokens in B. Sturm, J. Santos, O. Ben-Tal and I. Korshunova, "Music transcription modelling
//! and composition using deep learning", arXiv:1604.08723v1: metre, key, bar lines, repeat signs and endings, pitches, lengths in units,
//! tuplets, start and end.
//! Departures: read from a score and not from text; chord symbols; ties; a pitch is counted from the tonic of its signature's major scale, so that
//! a tune is spelled alike in every key and stays in its own; short bars are said before they begin, so that every bar is as full as is said.
//!
//! A tune is spelled as
//! ```text
//! Start Meter Key Unit [Open] bar ( sign bar )* End
//! bar  = [Meter] [Key] [Partial] ( [Chord] [Tuplet] (Note | Rest) [Length] [Tie] )+
//! sign = Bar | Open | Close [Open] | First | Double
//! ```
//! - `Open` and `Close` are `|:` and `:|`; what is between them is played twice. `First` begins a first ending (`[1`), which `Close` ends: after it
//!   comes the second, up to `Open`, `End`, or `Double` (`||`), after which comes what is not repeated.
//! - A length is said in eighths of the tune's unit (a sixteenth, an eighth or a quarter), and not at all where it is the unit.
//! - `Tuplet` is a span of time in which three stand for two: lengths within are as they look, the usual one being half of the span.
//! - A note goes on after a `Tie`, over a bar line or under a new chord.

mod cursor;
mod rhythm;
mod score;
mod spelling;
#[cfg(test)]
mod tests;
mod tune;
mod vocabulary;

pub use cursor::{Cursor, Kind, Now, Section};
pub use tune::{Bar, Before, Event, Tune};
pub use vocabulary::{Token, Vocabulary};

use crate::TokenId;
use cantus_score::{Key, Score, TicksPerQuarter};

/// Steps to a quarter note: 32nds, and triplets of sixteenths.
pub const GRID: TicksPerQuarter = TicksPerQuarter::new(24).unwrap();
/// Steps of the shortest note beside tuplets, a 32nd: bars and notes are multiples of it.
pub const ATOM: u32 = 3;

/// The pitch that pitches are counted from: the tonic of the major scale of a key's signature, from G3 to F#4.
pub fn home(key: Key) -> i32 {
    let class = (7 * i32::from(key.fifths())).rem_euclid(12);
    if class > 6 { 48 + class } else { 60 + class }
}

/// What the encoding carries of a score: one melody, its repeats, chord symbols, metres and keys.
pub fn canonicalize(score: &Score, vocabulary: &Vocabulary) -> Score {
    spelling::fitted(&Tune::of(score), vocabulary, false).0.score()
}

/// The tokens of a tune from [`Token::Start`] on, and whether it could not be said as it is. A tune without a note is a start.
pub fn encode(tune: &Tune, vocabulary: &Vocabulary) -> (Vec<TokenId>, bool) {
    spelled(tune, vocabulary, false)
}

/// The same, but for the end, of a beginning: its bars keep their lengths, whatever they are, for a [`Cursor::hearing`] them.
pub fn encode_beginning(tune: &Tune, vocabulary: &Vocabulary) -> (Vec<TokenId>, Tune, bool) {
    let (fitted, is_adjusted) = spelling::fitted(tune, vocabulary, true);
    let mut tokens = spelled(tune, vocabulary, true).0;
    tokens.pop();
    (tokens, fitted, is_adjusted)
}

fn spelled(tune: &Tune, vocabulary: &Vocabulary, is_exact: bool) -> (Vec<TokenId>, bool) {
    if !tune.has_notes() {
        return (vec![vocabulary.id(Token::Start)], false);
    }
    let (fitted, is_adjusted) = spelling::fitted(tune, vocabulary, is_exact);
    let unit = vocabulary.nearest_unit(rhythm::unit(tune));
    let tokens = spelling::tokens(&fitted, unit, vocabulary);
    (tokens.into_iter().map(|token| vocabulary.id(token)).collect(), is_adjusted)
}

/// The tune of tokens; one that may not follow is passed over.
pub fn decode(tokens: &[TokenId], vocabulary: &Vocabulary) -> Tune {
    let mut cursor = Cursor::new(vocabulary);
    for token in tokens.iter().filter_map(|id| vocabulary.token(*id)) {
        if cursor.permits(token) {
            cursor.advance(token);
        }
    }
    cursor.tune()
}
