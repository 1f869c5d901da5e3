//! The grammar of the default network: `note_chord`, with what is known of a place in the bar and in the piece.

use super::{Family, SPEC};
use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{BarKind, Cursor, REMAINING_BUCKETS, Token, Vocabulary, encode};
use cantus_model::tokens::{self, Grammar};
use cantus_model::{ComposerSpec, CreateError, TrainingSet};
use cantus_score::{Score, Ticks, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Chords, durations and metre.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Chords(pub Vocabulary);

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    #[serde(default)]
    network: Family,
}

impl Grammar for Chords {
    type OwnSettings = Own;
    type Place<'g> = Place<'g>;

    const NAME: &'static str = "note_chord";
    const PROTOCOL: &'static str = "all tokens after the start of each piece, end included, in its own key; the number of bars is given; mean over tokens";

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, transposition: u8) -> Result<Chords, CreateError> {
        Ok(Chords(Vocabulary::build(set.all(), transposition)?))
    }

    fn size(&self) -> usize {
        self.0.len()
    }

    /// Position, metre, duration, phase, bars left.
    fn contexts(&self) -> Vec<usize> {
        let positions = usize::from(self.0.positions()) + 1;
        vec![positions, self.0.bars().len(), self.0.durations().len() + 1, 4, REMAINING_BUCKETS]
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        let (tokens, adjustments) = encode(piece, &self.0);
        (tokens, !adjustments.is_empty())
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        matches!(self.0.token(token), Some(Token::Bar | Token::Position(_) | Token::Duration(_) | Token::Pitch(_)))
    }

    fn begin(&self, tokens: &[TokenId]) -> Place<'_> {
        let bar = self.0.id(Token::Bar);
        self.begin_bars(tokens.iter().filter(|token| **token == bar).count())
    }

    fn may_begin(&self, token: TokenId) -> bool {
        self.0.token(token) == Some(Token::Bar)
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let pitches = tokens.iter().filter_map(|token| match self.0.token(*token) {
            Some(Token::Pitch(pitch)) => Some(i32::from(pitch.get())),
            _ => None,
        });
        let (low, high) = pitches.fold((i32::MAX, i32::MIN), |(low, high), pitch| (low.min(pitch), high.max(pitch)));
        let (least, most) = self.0.pitch_range();
        // Twelve keys at most: 6 up and 5 down, as many as asked for and as the range allows.
        let by = i32::from(transposition);
        let down = by.min(5).min(low.saturating_sub(i32::from(least.get()))).max(0);
        let up = by.min(6).min(i32::from(most.get()).saturating_sub(high)).max(0);
        -down..up + 1
    }

    /// Pitches are numbered in order, so that transposition is addition.
    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        match self.0.token(token) {
            Some(Token::Pitch(_)) => TokenId(token.0.saturating_add_signed(semitones)),
            _ => token,
        }
    }

    fn token_of(&self, base: &Chords, token: TokenId) -> Option<TokenId> {
        let said = self.0.in_words_of(&base.0, self.0.token(token)?)?;
        Some(base.0.id(said))
    }

    fn context_of(&self, base: &Chords, context: usize, value: u32) -> Option<u32> {
        let of = |token: Token| self.0.in_words_of(&base.0, token);
        match context {
            POSITION => match value.checked_sub(1) {
                None => Some(0),
                Some(step) => match of(Token::Position(u16::try_from(step).ok()?))? {
                    Token::Position(step) => Some(u32::from(step) + 1),
                    _ => None,
                },
            },
            METER => match of(Token::Meter(*self.0.bars().get(value as usize)?))? {
                Token::Meter(kind) => Some(base.0.bar_index(kind) as u32),
                _ => None,
            },
            DURATION => match value.checked_sub(1) {
                None => Some(0),
                Some(index) => match of(Token::Duration(*self.0.durations().get(index as usize)?))? {
                    Token::Duration(steps) => base.0.durations().binary_search(&steps).ok().map(|at| at as u32 + 1),
                    _ => None,
                },
            },
            _ => Some(value),
        }
    }
}

/// Which of the contexts depend on the vocabulary.
const POSITION: usize = 0;
const METER: usize = 1;
const DURATION: usize = 2;

impl Chords {
    /// Before the first token of a piece of so many bars.
    pub fn begin_bars(&self, bars: usize) -> Place<'_> {
        let cursor = Cursor::with_length(&self.0, bars);
        Place { vocabulary: &self.0, cursor, bars, after_pickup: None, onsets: 0, empty: 0 }
    }
}

/// Where a piece stands.
#[derive(Clone)]
pub(super) struct Place<'g> {
    vocabulary: &'g Vocabulary,
    pub cursor: Cursor<'g>,
    /// Bars of the piece, as the cursor counts them.
    pub bars: usize,
    /// The kind of bar after the first, where that is a pick-up.
    pub after_pickup: Option<BarKind>,
    /// Onsets in the open bar, and bars without one before it.
    pub onsets: usize,
    pub empty: usize,
}

impl tokens::Place for Place<'_> {
    fn at(&self, last: TokenId) -> (Ticks, TicksPerQuarter) {
        let at = match self.vocabulary.token(last) {
            // What follows the open bar.
            Some(Token::Meter(_) | Token::End) => self.cursor.bar_end(),
            Some(Token::Bar) => self.cursor.bar_start(),
            _ => self.cursor.onset(),
        };
        (at, self.vocabulary.steps_per_quarter())
    }

    fn read(&mut self, token: TokenId) {
        self.cursor.advance(token);
        match self.vocabulary.token(token) {
            Some(Token::Bar) => {
                self.empty = if self.onsets == 0 { self.empty + 1 } else { 0 };
                self.onsets = 0;
            }
            Some(Token::Position(_)) => self.onsets += 1,
            _ => {}
        }
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        let context = self.cursor.context();
        known.extend([context.position, context.meter, context.duration, context.phase, context.remaining]);
    }
}

impl Place<'_> {
    /// Whether the last bar is written and `token` would leave it.
    pub fn completes(&self, token: TokenId) -> bool {
        let leaves = matches!(self.vocabulary.token(token), Some(Token::Bar | Token::Meter(_) | Token::End));
        leaves && self.cursor.bars() >= self.bars
    }
}
