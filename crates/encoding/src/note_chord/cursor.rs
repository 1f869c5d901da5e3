//! A place in the music, token by token: what is known there, and what may follow.

use super::{BarKind, Token, Vocabulary};
use crate::TokenId;
use cantus_score::{Meter, Pitch, Ticks};

/// Bars left are told exactly up to this many, and as "more" beyond.
pub const REMAINING_BUCKETS: usize = 18;

/// What a network may know at a place beside the token that stands there, all of it a function of the tokens so far and of the
/// number of bars asked for. Indices into embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Step in the bar of the chord being written, plus one; 0 outside of a chord.
    pub position: u32,
    /// The kind of bar.
    pub meter: u32,
    /// The duration that holds, as an index plus one; 0 before the first.
    pub duration: u32,
    /// The bar's number modulo 4.
    pub phase: u32,
    /// Bars after this one, at most [`REMAINING_BUCKETS`]` - 2`; the last bucket where the length is unknown.
    pub remaining: u32,
}

/// What kind of token came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nothing,
    Started,
    TempoSet,
    MeterSet,
    BarOpen,
    PositionSet,
    DurationSet,
    ChordOpen,
    Ended,
}

/// A place in a piece that is being read or written.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    vocabulary: &'a Vocabulary,
    place: Place,
    kind: Option<BarKind>,
    /// Bars begun.
    bars: usize,
    bar_start: Ticks,
    /// Length of the bar that is open; a new metre counts from the next bar on.
    bar_steps: u16,
    position: u16,
    /// The lowest pitch of the chord so far.
    lowest: Option<Pitch>,
    duration: Option<u16>,
    length: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// Before the first token.
    pub fn new(vocabulary: &'a Vocabulary) -> Cursor<'a> {
        Cursor {
            vocabulary,
            place: Place::Nothing,
            kind: None,
            bars: 0,
            bar_start: Ticks::ZERO,
            bar_steps: 0,
            position: 0,
            lowest: None,
            duration: None,
            length: None,
        }
    }

    /// The same, in a piece that will have `bars` bars.
    pub fn with_length(vocabulary: &'a Vocabulary, bars: usize) -> Cursor<'a> {
        Cursor { length: Some(bars), ..Cursor::new(vocabulary) }
    }

    /// Bars begun so far.
    pub fn bars(&self) -> usize {
        self.bars
    }

    /// Where the open bar begins.
    pub fn bar_start(&self) -> Ticks {
        self.bar_start
    }

    /// Where the open bar ends.
    pub fn bar_end(&self) -> Ticks {
        self.bar_start + Ticks(u64::from(self.bar_steps))
    }

    /// When the chord being written begins.
    pub fn onset(&self) -> Ticks {
        self.bar_start + Ticks(u64::from(self.position))
    }

    /// The metre, once it is set.
    pub fn meter(&self) -> Option<Meter> {
        self.kind.map(|kind| kind.meter)
    }

    /// The kind of bar, once it is set.
    pub fn kind(&self) -> Option<BarKind> {
        self.kind
    }

    /// The lowest pitch of the chord being written so far.
    pub fn lowest(&self) -> Option<Pitch> {
        self.lowest
    }

    /// The duration that holds, in steps.
    pub fn duration(&self) -> Option<u16> {
        self.duration
    }

    /// Whether the end was read.
    pub fn ended(&self) -> bool {
        self.place == Place::Ended
    }

    /// Whether `token` may stand here.
    pub fn allows(&self, token: TokenId) -> bool {
        self.vocabulary.token(token).is_some_and(|token| self.permits(token))
    }

    /// Whether a token of the vocabulary may stand here.
    pub fn permits(&self, token: Token) -> bool {
        use Place::{BarOpen, ChordOpen, DurationSet, MeterSet, Nothing, PositionSet, Started, TempoSet};
        let between = matches!(self.place, BarOpen | ChordOpen);
        match token {
            Token::Start => self.place == Nothing,
            Token::Tempo(_) => self.place == Started,
            Token::Meter(kind) => self.place == TempoSet || between && self.kind != Some(kind),
            Token::Bar => self.place == MeterSet || between,
            Token::Position(step) => match self.place {
                BarOpen => step < self.bar_steps,
                ChordOpen => step > self.position && step < self.bar_steps,
                _ => false,
            },
            Token::Duration(steps) => {
                let room = self.lowest.is_none_or(|lowest| lowest > self.vocabulary.pitch_range().0);
                matches!(self.place, PositionSet | ChordOpen) && self.duration != Some(steps) && room
            }
            Token::Pitch(pitch) => {
                matches!(self.place, PositionSet | DurationSet | ChordOpen)
                    && self.duration.is_some()
                    && self.lowest.is_none_or(|lowest| pitch < lowest)
            }
            Token::End => between,
        }
    }

    /// Takes `token` as the next one. A token that may not stand here leaves the cursor where it is.
    pub fn advance(&mut self, token: TokenId) {
        let Some(token) = self.vocabulary.token(token).filter(|token| self.permits(*token)) else { return };
        self.place = match token {
            Token::Start => Place::Started,
            Token::Tempo(_) => Place::TempoSet,
            Token::Meter(kind) => {
                self.kind = Some(kind);
                self.lowest = None;
                Place::MeterSet
            }
            Token::Bar => {
                self.bar_start = self.bar_end();
                self.bar_steps = self.kind.map_or(1, |kind| kind.steps);
                self.bars += 1;
                self.lowest = None;
                Place::BarOpen
            }
            Token::Position(step) => {
                self.position = step;
                self.lowest = None;
                Place::PositionSet
            }
            Token::Duration(steps) => {
                self.duration = Some(steps);
                Place::DurationSet
            }
            Token::Pitch(pitch) => {
                self.lowest = Some(pitch);
                Place::ChordOpen
            }
            Token::End => Place::Ended,
        };
    }

    /// What a network may know here.
    pub fn context(&self) -> Context {
        let in_chord = matches!(self.place, Place::PositionSet | Place::DurationSet | Place::ChordOpen);
        let unknown = REMAINING_BUCKETS - 1;
        let duration = self.duration.and_then(|steps| self.vocabulary.durations().binary_search(&steps).ok());
        Context {
            position: if in_chord { u32::from(self.position) + 1 } else { 0 },
            meter: self.kind.map_or(0, |kind| self.vocabulary.bar_index(kind)) as u32,
            duration: duration.map_or(0, |index| index as u32 + 1),
            phase: (self.bars % 4) as u32,
            remaining: self.length.map_or(unknown, |bars| bars.saturating_sub(self.bars).min(unknown - 1)) as u32,
        }
    }
}
