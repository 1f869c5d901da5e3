//! The words of a performance.

use crate::{TokenId, VocabularyError};
use cantus_score::{Note, Pitch, Reading, Score, Velocity};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// Keys of a piano.
pub const KEYS: u8 = 88;
/// The longest wait that one word says, in steps: a second.
pub const LONGEST_WAIT: u8 = 100;
/// Classes of loudness, each of four MIDI velocities.
pub const LEVELS: u8 = 32;

/// Where the words of each kind begin.
const WAITS: u32 = 2;
const LOUDNESS: u32 = WAITS + LONGEST_WAIT as u32;
const STROKES: u32 = LOUDNESS + LEVELS as u32;
const RELEASES: u32 = STROKES + KEYS as u32;
const PEDAL: u32 = RELEASES + KEYS as u32;

/// A word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Before a piece.
    Start,
    /// Before a piece of which is known how busy it is going to be.
    Told,
    /// So many steps pass, 1 to [`LONGEST_WAIT`].
    Wait(u8),
    /// Keys are struck so loud from here on, below [`LEVELS`].
    Level(u8),
    /// A key is struck, below [`KEYS`].
    Strike(u8),
    /// A key is let go.
    Release(u8),
    /// The sustain pedal comes up (false), or goes down.
    Pedal(bool),
}

/// The words, and what the notes of a corpus are like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    pedal: bool,
    lowest: u8,
    highest: u8,
    longest: u32,
    held: u32,
}

impl Vocabulary {
    /// The vocabulary of pieces that are read so.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`], where no piece has a note on the keyboard.
    pub fn build(
        pieces: impl IntoIterator<Item = impl Borrow<Score>>,
        reading: Reading,
    ) -> Result<Vocabulary, VocabularyError> {
        let pedal = reading == Reading::Pedalled;
        let mut vocabulary = Vocabulary { pedal, lowest: KEYS, highest: 0, longest: 0, held: 0 };
        for piece in pieces {
            let canonical = super::canonicalize(piece.borrow(), &vocabulary);
            let steps = |ticks: cantus_score::Ticks| u32::try_from(ticks.0).unwrap_or(u32::MAX);
            for Note { pitch, duration, .. } in canonical.notes() {
                let key = Vocabulary::key(*pitch).unwrap_or_default();
                vocabulary.lowest = vocabulary.lowest.min(key);
                vocabulary.highest = vocabulary.highest.max(key);
                vocabulary.longest = vocabulary.longest.max(steps(*duration));
            }
            let spans = canonical.parts.iter().flat_map(|part| &part.pedal);
            vocabulary.held = spans.fold(vocabulary.held, |held, span| held.max(steps(span.up - span.down)));
        }
        if vocabulary.longest == 0 { Err(VocabularyError::Empty { what: "notes" }) } else { Ok(vocabulary) }
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        (if self.pedal { PEDAL + 2 } else { PEDAL }) as usize
    }

    /// Never: there is always a word.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether the pedal has words; else it was made length before.
    pub fn has_pedal(&self) -> bool {
        self.pedal
    }

    /// The lowest and the highest key that the corpus strikes.
    pub fn heard_range(&self) -> (u8, u8) {
        (self.lowest, self.highest)
    }

    /// How long the longest note of the corpus is, in steps.
    pub fn longest_note(&self) -> u32 {
        self.longest
    }

    /// How long the corpus keeps the pedal down at most, in steps.
    pub fn longest_pedal(&self) -> u32 {
        self.held
    }

    /// The number of a word.
    pub fn id(token: Token) -> TokenId {
        TokenId(match token {
            Token::Start => 0,
            Token::Told => 1,
            Token::Wait(steps) => WAITS + u32::from(steps) - 1,
            Token::Level(level) => LOUDNESS + u32::from(level),
            Token::Strike(key) => STROKES + u32::from(key),
            Token::Release(key) => RELEASES + u32::from(key),
            Token::Pedal(down) => PEDAL + u32::from(down),
        })
    }

    /// The word of a number.
    pub fn token(&self, id: TokenId) -> Option<Token> {
        let of = |first: u32| (id.0 - first) as u8;
        match id.0 {
            0 => Some(Token::Start),
            1 => Some(Token::Told),
            WAITS..LOUDNESS => Some(Token::Wait(of(WAITS) + 1)),
            LOUDNESS..STROKES => Some(Token::Level(of(LOUDNESS))),
            STROKES..RELEASES => Some(Token::Strike(of(STROKES))),
            RELEASES..PEDAL => Some(Token::Release(of(RELEASES))),
            number if self.pedal && number < PEDAL + 2 => Some(Token::Pedal(number > PEDAL)),
            _ => None,
        }
    }

    /// The key of a pitch, where a piano has it.
    pub fn key(pitch: Pitch) -> Option<u8> {
        let key = pitch.get().checked_sub(Pitch::PIANO.0.get())?;
        (key < KEYS).then_some(key)
    }

    /// The pitch of a key.
    pub fn pitch(key: u8) -> Pitch {
        Pitch::try_from(key.saturating_add(Pitch::PIANO.0.get())).unwrap_or(Pitch::PIANO.1)
    }

    /// The class of a velocity.
    pub fn level(velocity: Velocity) -> u8 {
        velocity.get() / 4
    }

    /// The middle of a class.
    pub fn velocity(level: u8) -> Velocity {
        Velocity::try_from(level.min(LEVELS - 1) * 4 + 2).unwrap_or(Velocity::DEFAULT)
    }
}

/// What had to be left out of a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// Notes beyond the keys of a piano, and drums.
    pub dropped: usize,
}

impl Adjustments {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.dropped == 0
    }
}

impl fmt::Display for Adjustments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left out", cantus_score::counted(self.dropped, "note"))
    }
}

/// A vocabulary as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    pedal: bool,
    /// MIDI pitches.
    lowest: u8,
    highest: u8,
    /// In steps.
    longest_note: u32,
    longest_pedal: u32,
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Stored {
        let Vocabulary { pedal, lowest, highest, longest, held } = vocabulary;
        let pitch = |key| Vocabulary::pitch(key).get();
        Stored { pedal, lowest: pitch(lowest), highest: pitch(highest), longest_note: longest, longest_pedal: held }
    }
}

impl TryFrom<Stored> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(stored: Stored) -> Result<Vocabulary, VocabularyError> {
        let Stored { pedal, lowest, highest, longest_note: longest, longest_pedal: held } = stored;
        let key = |number: u8| Pitch::try_from(number).ok().and_then(Vocabulary::key);
        match (key(lowest), key(highest)) {
            (Some(lowest), Some(highest)) if lowest <= highest && longest > 0 => {
                Ok(Vocabulary { pedal, lowest, highest, longest, held })
            }
            _ => Err(VocabularyError::Damaged {
                what: "keys and lengths",
                found: format!("pitches {lowest} to {highest}, notes of up to {longest} steps"),
            }),
        }
    }
}
