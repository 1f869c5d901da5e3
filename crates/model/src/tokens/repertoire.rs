//! Pieces as composers of tokens read them.

use super::batches::originals;
use super::{Grammar, Outline, Piece};
use crate::{Pieces, Reader};
use cantus_encoding::TokenId;
use cantus_score::Score;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of pieces that stay encoded.
const MOST_ENCODED: usize = 128 << 20;
/// Of pieces of more tokens only every so many are counted.
const MOST_COUNTED: usize = 8_000_000;

/// Reads pieces of which the grammar has something to say; of each so many takes.
#[derive(Debug)]
pub(super) struct TokenReader<G> {
    grammar: Arc<G>,
    takes: usize,
    transposition: u8,
}

pub(super) type Repertoire<G> = crate::Repertoire<TokenReader<G>>;

/// The pieces of one side.
pub(super) fn repertoire<G: Grammar>(
    pieces: &Pieces,
    takes: usize,
    grammar: &Arc<G>,
    transposition: u8,
) -> Repertoire<G> {
    let most = MOST_ENCODED / Piece::bytes_a_token(&**grammar);
    Repertoire::of(pieces, TokenReader { grammar: Arc::clone(grammar), takes, transposition }, most)
}

impl<G: Grammar> TokenReader<G> {
    fn take_of<'s>(&self, piece: &'s Score, take: usize) -> Cow<'s, Score> {
        match take {
            0 => Cow::Borrowed(piece),
            _ => Cow::Owned(self.grammar.take(piece, take)),
        }
    }
}

impl<G: Grammar> Reader for TokenReader<G> {
    type Outline = Outline;
    type Piece = Vec<TokenId>;
    type Learnt = Piece;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        if score.note_count() == 0 {
            return Vec::new();
        }
        let of_take = |take| {
            let taken = self.take_of(score, take);
            let tokens = self.grammar.encode_take(score, take);
            let quarters = taken.end().quarters(taken.ticks_per_quarter);
            let mut outline = Outline::of(&tokens, quarters, &*self.grammar, self.transposition);
            outline.take = take;
            outline
        };
        let mut all: Vec<Outline> = (0..self.takes).map(of_take).filter(|outline| outline.predicted > 0).collect();
        let count = all.len();
        all.iter_mut().take(1).for_each(|outline| outline.takes = count);
        all
    }

    fn length(outline: &Outline) -> usize {
        outline.predicted + 1
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Vec<TokenId> {
        self.grammar.encode_take(score, outline.take)
    }

    fn learnt(&self, tokens: Vec<TokenId>) -> Piece {
        Piece::new(tokens, &*self.grammar)
    }
}

/// The tokens of the pieces as they are; of very many every so many pieces, as they are all held at once.
pub(super) fn counted<G: Grammar>(repertoire: &Repertoire<G>) -> Vec<Vec<TokenId>> {
    let outlines = repertoire.outlines();
    let originals: Vec<usize> = originals(outlines).map(|(number, _)| number).collect();
    let all: usize = originals.iter().map(|number| outlines[*number].predicted).sum();
    repertoire.some(originals.into_iter().step_by(all / MOST_COUNTED + 1).collect())
}
