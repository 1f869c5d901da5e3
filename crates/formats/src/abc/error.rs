//! What can be wrong with a tune, or with a score that should become one.

use std::fmt;
use thiserror::Error;

/// Why a file or a tune was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AbcError {
    /// Larger than [`Limits::max_bytes`](crate::Limits::max_bytes).
    #[error("the file has {found} bytes, more than the limit of {limit} (raise it with `max-bytes`)")]
    TooLarge {
        /// The file's size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// An empty file.
    #[error("the file is empty")]
    Empty,
    /// No tune begins anywhere.
    #[error("this is no ABC file: no line begins a tune with `X:`, and none with `T:`, `M:`, `L:` or `K:`")]
    NoTune,
    /// More tunes than any book has.
    #[error("line {line}: there are more than {limit} tunes")]
    TooManyTunes {
        /// Where the first tune too many begins.
        line: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A tune without a note.
    #[error("line {line}, column 1: the tune has no notes")]
    NoNotes {
        /// Where it begins.
        line: usize,
    },
    /// More notes than [`Limits::max_notes`](crate::Limits::max_notes), repeats played.
    #[error("line {line}, column {column}: there are more than {limit} notes (raise the limit with `max-notes`)")]
    TooManyNotes {
        /// Where.
        line: usize,
        /// Where in the line, from 1, in characters.
        column: usize,
        /// The limit.
        limit: usize,
    },
    /// More voices than [`Limits::max_tracks`](crate::Limits::max_tracks).
    #[error("line {line}, column {column}: there are more than {limit} voices (raise the limit with `max-tracks`)")]
    TooManyVoices {
        /// Where.
        line: usize,
        /// Where in the line, from 1, in characters.
        column: usize,
        /// The limit.
        limit: usize,
    },
    /// Longer than [`Limits::max_quarters`](crate::Limits::max_quarters), repeats played.
    #[error(
        "line {line}, column {column}: the music lasts more than {limit} quarter notes (raise the limit with `max-quarters`)"
    )]
    TooLong {
        /// Where.
        line: usize,
        /// Where in the line, from 1, in characters.
        column: usize,
        /// The limit.
        limit: u64,
    },
}

/// Something odd that was read around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The line in the file, from 1.
    pub line: usize,
    /// Where in the line, from 1, in characters.
    pub column: usize,
    /// What.
    pub oddity: Oddity,
    /// How often in the tune; line and column are of the first time.
    pub times: usize,
}

/// The name of a directive or a decoration, as far as it can be shown: letters, digits and a few signs, at most [`Name::LONGEST`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    signs: [u8; Name::LONGEST],
    length: usize,
}

impl Name {
    /// How many signs are kept.
    pub const LONGEST: usize = 24;

    /// The beginning of `text`; what is no plain sign is left out.
    pub(super) fn new(text: &str) -> Name {
        let mut name = Name { signs: [0; Name::LONGEST], length: 0 };
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" .-_()/+^<>".contains(byte);
        for (place, sign) in name.signs.iter_mut().zip(text.bytes().filter(is_plain)) {
            *place = sign;
            name.length += 1;
        }
        name
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.signs[..self.length]).unwrap_or_default().trim())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// What was odd, and what the reader made of it. No text of the file appears here: it can be printed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Oddity {
    /// Something that is no music.
    #[error("character `{}` was skipped", .0.escape_default())]
    Character(char),
    /// Music before the key.
    #[error("the music begins without a `K:` field: C major was taken")]
    NoKey,
    /// A key that cannot be one.
    #[error("an unknown key was read as C major")]
    Key,
    /// A metre that cannot be one.
    #[error("an unknown metre was ignored")]
    Meter,
    /// A tempo that cannot be one.
    #[error("an unknown tempo was ignored")]
    Tempo,
    /// A unit note length that cannot be one.
    #[error("an unknown unit note length was ignored")]
    Length,
    /// A note of no length, or of a length that no number holds.
    #[error("an impossible length was read as the unit")]
    NoteLength,
    /// A length that is not whole in ticks.
    #[error("a length was rounded")]
    Rounded,
    /// A pitch that MIDI does not have.
    #[error("a note beyond the MIDI range was left out")]
    Pitch,
    /// A chord, a grace or a text without an end.
    #[error("`{0}` is never closed")]
    Unclosed(char),
    /// A tuplet sign that makes no sense.
    #[error("an impossible tuplet was ignored")]
    Tuplet,
    /// `>` or `<` with no note to its left or right.
    #[error("a broken rhythm without a note before and after it was ignored")]
    BrokenRhythm,
    /// Ties that lead nowhere.
    #[error("a tie leads nowhere")]
    LooseTie,
    /// A bracket without a partner, or around a single note.
    #[error("a slur leads nowhere")]
    LooseSlur,
    /// Repeats without an end, or endings without the repeats that they belong to: the bars are played once each.
    #[error("repeats that contradict one another were played once")]
    Repeats,
    /// `P:` names parts that the tune does not have.
    #[error("the order of parts names parts that are not there: the tune was played as it stands")]
    PartOrder,
    /// Notes after a blank line, which ends a tune.
    #[error("lines after the tune's end (a blank line) were ignored")]
    AfterEnd,
    /// A blank line in a tune's header.
    #[error("a blank line before the tune's key (`K:`) was passed over")]
    BlankInHeader,
    /// A tune without `X:`.
    #[error("the tune has no `X:` field: it was taken to begin here, and to end at a blank line")]
    NoNumber,
    /// Marks of a web page among the music.
    #[error("mark-up of a web page was skipped")]
    Markup,
    /// `A-3` for `A3-`.
    #[error("a length after a tie was read as if it stood before it")]
    TieBeforeLength,
    /// A jump to a sign that the tune does not have.
    #[error("a jump to a sign that is nowhere was not followed")]
    Jump,
    /// A voice's notes are drums, or they are pitches.
    #[error("a change between drums and pitches within a voice was ignored")]
    DrumsWithin,
    /// A directive that would change what sounds.
    #[error("`%%{0}` is not obeyed")]
    Directive(Name),
    /// A decoration that may change what sounds.
    #[error("the decoration `{0}` is not obeyed")]
    Decoration(Name),
    /// More remarks than the limit.
    #[error("remarks beyond {0} bytes were dropped (raise the limit with `max-remark-bytes`)")]
    Remarks(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.oddity)?;
        if self.times > 1 { write!(f, " ({} times in this tune)", self.times) } else { Ok(()) }
    }
}

/// Why a score cannot become a tune.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// More bars than can be written down.
    #[error("the piece has more than {limit} bars: that is no tune to be written down")]
    TooManyBars {
        /// How many there may be.
        limit: usize,
    },
}
