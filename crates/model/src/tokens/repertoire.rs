//! The pieces of one side: what is always known of each, and those encoded that were wanted last.

use super::batches::originals;
use super::{Grammar, Outline, Piece};
use crate::{Pieces, Recent};
use cantus_encoding::TokenId;
use cantus_score::Score;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of pieces that stay encoded.
const MOST_ENCODED: usize = 128 << 20;
/// Of pieces of more tokens only every so many are counted.
const MOST_COUNTED: usize = 8_000_000;

/// See above. A number is that of an outline: takes of one piece have one each.
#[derive(Debug)]
pub(super) struct Repertoire {
    pieces: Pieces,
    /// The number of each among `pieces`, and which take it is.
    takes: Vec<(usize, usize)>,
    outlines: Vec<Outline>,
    encoded: Recent<Piece>,
}

impl Repertoire {
    /// Of those pieces of which the grammar has something to say; of each so many takes.
    pub fn of<G: Grammar>(pieces: &Pieces, takes: usize, grammar: &G, transposition: u8) -> Repertoire {
        let outlined = |number| -> Vec<((usize, usize), Outline)> {
            let piece = pieces.get(number);
            if piece.note_count() == 0 {
                return Vec::new();
            }
            let of_take = |take| {
                let taken = take_of(&piece, take, grammar);
                let (tokens, _) = grammar.encode(&taken);
                let quarters = taken.end().quarters(taken.ticks_per_quarter);
                ((number, take), Outline::of(&tokens, quarters, grammar, transposition))
            };
            let mut all: Vec<_> = (0..takes).map(of_take).filter(|(_, outline)| outline.predicted > 0).collect();
            let count = all.len();
            all.iter_mut().take(1).for_each(|(_, outline)| outline.takes = count);
            all
        };
        let all: Vec<Vec<_>> = (0..pieces.len()).into_par_iter().map(outlined).collect();
        let (takes, outlines) = all.into_iter().flatten().unzip();
        Repertoire { pieces: pieces.clone(), takes, outlines, encoded: Recent::new(MOST_ENCODED) }
    }

    /// What is known of all.
    pub fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// The pieces of these numbers; `None` where one cannot be had any more.
    pub fn encoded<G: Grammar>(
        &mut self,
        numbers: impl IntoIterator<Item = usize>,
        grammar: &G,
    ) -> Option<HashMap<usize, Arc<Piece>>> {
        let Repertoire { pieces, takes, encoded, .. } = self;
        let found = encoded.of(numbers, |number| {
            let piece = Piece::new(tokens(pieces, takes[number], grammar), grammar);
            let weight = piece.weight();
            (piece, weight)
        });
        pieces.check_whole().is_ok().then_some(found)
    }

    /// The tokens of the pieces as they are; of very many every so many pieces, as they are all held at once.
    pub fn counted<G: Grammar>(&self, grammar: &G) -> Vec<Vec<TokenId>> {
        let originals: Vec<usize> = originals(&self.outlines).map(|(number, _)| number).collect();
        let all: usize = originals.iter().map(|number| self.outlines[*number].predicted).sum();
        let some: Vec<usize> = originals.into_iter().step_by(all / MOST_COUNTED + 1).collect();
        some.into_par_iter().map(|number| tokens(&self.pieces, self.takes[number], grammar)).collect()
    }
}

fn take_of<'s, G: Grammar>(piece: &'s Score, take: usize, grammar: &G) -> Cow<'s, Score> {
    match take {
        0 => Cow::Borrowed(piece),
        _ => Cow::Owned(grammar.take(piece, take)),
    }
}

fn tokens<G: Grammar>(pieces: &Pieces, (number, take): (usize, usize), grammar: &G) -> Vec<TokenId> {
    grammar.encode(&take_of(&pieces.get(number), take, grammar)).0
}
