//! Composers of token sequences: each token predicted from those before it, and from what is known of its place.
//!
//! Everything that such composers share is here: how pieces become batches, the network, training, judging, composing, counting
//! models beside them. What tells one from another is its [`Grammar`]: which tokens there are, what is known beside a token, where a piece
//! may be cut, what transposition does to it. How a piece is written to the length that is asked for is a [`Draft`]'s.

mod batches;
mod model;
mod network;
mod repertoire;
mod settings;
#[cfg(test)]
mod tests;
mod trainer;

pub use batches::{Batch, Outline, Piece, plan};
pub use model::{Rows, TokenModel};
pub use network::{Masks, TokenNetwork};
pub use settings::TokenSettings;
pub use trainer::TokenTrainer;

use crate::{ComposerSpec, CreateError, TrainingSet, Unit};
use cantus_encoding::TokenId;
use cantus_score::{Score, Ticks, TicksPerQuarter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Range;

/// A vocabulary, and what holds of sequences of its tokens. A model file keeps it.
pub trait Grammar: std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The composer's settings, beside those of [`TokenSettings`].
    type OwnSettings: Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// A place in a sequence.
    type Place<'g>: Place;

    /// What a model file calls it.
    const NAME: &'static str;
    /// Which tokens count and what is given, in a sentence.
    const PROTOCOL: &'static str;
    /// Whether [`Place::forbid`] takes anything away.
    const FORBIDS: bool = false;
    /// Whether the output sees what is read directly, too, beside what the layers make of it.
    const SKIP: bool = false;
    /// What figures count.
    const UNIT: Unit = Unit::Token;

    /// The composer.
    fn spec() -> &'static ComposerSpec;

    /// The grammar of a corpus whose pieces are moved by so many semitones.
    ///
    /// # Errors
    /// [`CreateError`], where the corpus gives none.
    fn of(set: &TrainingSet, transposition: u8) -> Result<Self, CreateError>;

    /// How many tokens there are.
    fn size(&self) -> usize;

    /// How many values each thing has that is known beside a token.
    fn contexts(&self) -> Vec<usize>;

    /// Traits by which a token's probability depends on where it would stand, such as the interval to the note before: for each the number of
    /// its classes. Each class has an output of the network of its own, which is added to the logits of all tokens that are in it: so what is
    /// learnt of an interval is learnt for all pitches at once. Only for grammars that forbid something.
    fn traits(&self) -> Vec<usize> {
        Vec::new()
    }

    /// How many things are known beside a token that each are so or not: their vectors are added where they are so.
    fn marks(&self) -> usize {
        0
    }

    /// Whether a [`UNIT`](Grammar::UNIT) is over with this token. Its nats are those of all its tokens, and it is right where all of them are.
    fn completes(&self, _token: TokenId) -> bool {
        true
    }

    /// A piece from its first token, which is given, to its last; and whether it could not be said as it is.
    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool);

    /// Whether a token says when a note begins, which it is or how long it lasts; not how loud, and nothing of metre, tempo or end.
    fn is_of_notes(&self, token: TokenId) -> bool;

    /// How many takes there are of a piece, slower and faster say, or said in another order, itself the first of them: each epoch learns
    /// from one.
    fn takes(&self) -> usize {
        1
    }

    /// A take of a piece, from the second on, which is 1: as long as it sounds.
    fn take(&self, piece: &Score, _take: usize) -> Score {
        piece.clone()
    }

    /// The tokens of a take; its first may say what is known of it.
    fn encode_take(&self, piece: &Score, take: usize) -> Vec<TokenId> {
        match take {
            0 => self.encode(piece).0,
            take => self.encode(&self.take(piece, take)).0,
        }
    }

    /// Before the first token of a sequence whose length is known, where that is told.
    fn begin(&self, tokens: &[TokenId]) -> Self::Place<'_>;

    /// Whether learning may begin with this token in the midst of a piece.
    fn may_begin(&self, token: TokenId) -> bool;

    /// By how many semitones a sequence may be moved, where so many are asked for.
    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32>;

    /// A token of a sequence that is moved by so many semitones.
    fn moved(&self, token: TokenId, semitones: i32) -> TokenId;

    /// The token of `base` that says the same, where another corpus may have other tokens; `None` where there is none.
    fn token_of(&self, _base: &Self, token: TokenId) -> Option<TokenId> {
        Some(token)
    }

    /// The same for a value of one of the [`contexts`](Grammar::contexts).
    fn context_of(&self, _base: &Self, _context: usize, value: u32) -> Option<u32> {
        Some(value)
    }
}

/// A place in a sequence.
pub trait Place {
    /// Takes a token as the next one.
    fn read(&mut self, token: TokenId);

    /// When what the last token says stands in the piece, in ticks of the [`TicksPerQuarter`].
    fn at(&self, last: TokenId) -> (Ticks, TicksPerQuarter);

    /// Adds what is known after the last token: a number below each of [`Grammar::contexts`].
    fn contexts(&self, known: &mut Vec<u32>);

    /// The class of each token in each of [`Grammar::traits`], were it the next.
    ///
    /// # Shapes
    /// `[traits, V]`
    fn classes(&self, _classes: &mut [u32]) {}

    /// Says which of the [`marks`](Grammar::marks) hold after the last token.
    ///
    /// # Shapes
    /// `row`: `[M]`, zeros; 1 where it is so
    fn marks(&self, _row: &mut [f32]) {}

    /// Makes the logits of tokens that may not come next minus infinity: they have no probability, in learning, judging and composing.
    ///
    /// # Shapes
    /// `[V]`
    fn forbid(&self, _logits: &mut [f32]) {}
}

/// A piece that is being written.
pub trait Draft {
    /// A place in it.
    type Place: Place;

    /// Where it stands.
    fn place(&self) -> &Self::Place;

    /// What comes next where it is not for the network to say.
    fn intended(&self) -> Option<TokenId>;

    /// Takes away what may not follow, beside what [`Place::forbid`] does, and weighs what may.
    ///
    /// # Shapes
    /// `[V]`
    fn mask(&self, logits: &mut [f32]);

    /// Takes the next token; false where the piece is complete, and would be left by it.
    fn take(&mut self, token: TokenId) -> bool;

    /// How much of it is written, of how much.
    fn written(&self) -> (usize, usize);
}
