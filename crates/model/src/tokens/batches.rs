//! How pieces become batches: see [`Plan`].

use super::{Grammar, Place};
use crate::Rng;
use crate::plan::{Plan, Row, Segment};
use cantus_encoding::TokenId;
use cantus_nn::random::{below, derive};
use std::ops::Range;
use std::sync::Arc;

/// Windows to a segment.
const SEGMENT_WINDOWS: usize = 8;

/// A piece as the network reads it: before each token but the first, what is known.
#[derive(Clone, Debug)]
pub struct Piece {
    /// From the first, which is given, to the last.
    pub tokens: Vec<TokenId>,
    /// What is known after each token, one after another; empty where a batch goes through the piece for what is forbidden, and finds it
    /// on the way: it would be most of a large corpus's memory.
    ///
    /// # Shapes
    /// `[tokens, C]`
    contexts: Vec<u32>,
}

impl Piece {
    /// A sequence of tokens.
    pub fn new<G: Grammar>(tokens: Vec<TokenId>, grammar: &G) -> Piece {
        let mut contexts = Vec::new();
        if !is_walked(grammar) {
            let mut place = grammar.begin(&tokens);
            for token in &tokens {
                place.read(*token);
                place.contexts(&mut contexts);
            }
        }
        Piece { tokens, contexts }
    }

    /// Tokens that are predicted: all but the first.
    pub fn predicted(&self) -> usize {
        self.tokens.len() - 1
    }

    /// What a token takes in memory, with what is known after it.
    pub(super) fn bytes_a_token<G: Grammar>(grammar: &G) -> usize {
        size_of::<TokenId>() + if is_walked(grammar) { 0 } else { grammar.contexts().len() * size_of::<u32>() }
    }
}

/// Whether batches go through a piece from its beginning.
fn is_walked<G: Grammar>(grammar: &G) -> bool {
    G::FORBIDS || grammar.marks() > 0
}

/// What is always known of a piece, so that an epoch can be planned before any is encoded.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Tokens that are predicted: all but the first.
    pub predicted: usize,
    /// Length in quarter notes.
    pub quarters: f64,
    /// For each token a bit, set where a segment may be cut before it.
    cuts: Vec<u64>,
    /// Transpositions that keep all pitches within the vocabulary.
    shifts: Range<i32>,
    /// How many takes of the same music a list of pieces has from this one on, this one among them.
    pub takes: usize,
    /// Which of them it is.
    pub(super) take: usize,
}

impl Outline {
    /// Of a sequence of tokens, whose music is so many quarters long.
    pub fn of<G: Grammar>(tokens: &[TokenId], quarters: f64, grammar: &G, transposition: u8) -> Outline {
        let mut cuts = vec![0; tokens.len().div_ceil(64)];
        for k in (0..tokens.len()).filter(|k| grammar.may_begin(tokens[*k])) {
            cuts[k / 64] |= 1 << (k % 64);
        }
        let shifts = grammar.shifts(tokens, transposition);
        Outline { predicted: tokens.len().saturating_sub(1), quarters, cuts, shifts, takes: 1, take: 0 }
    }

    /// The first place from `at` on where a segment may be cut.
    fn cut_from(&self, at: usize) -> Option<usize> {
        let mut bits = self.cuts.get(at / 64)? >> (at % 64) << (at % 64);
        let mut word = at / 64;
        while bits == 0 {
            word += 1;
            bits = *self.cuts.get(word)?;
        }
        Some(64 * word + bits.trailing_zeros() as usize)
    }

    /// The piece as segments of about `longest` tokens each, cut where that is allowed from a random place on.
    fn segments(&self, piece: usize, longest: usize, shift: i32, rng: &mut Rng) -> Vec<Segment> {
        let mut starts = vec![0];
        if self.predicted > longest + longest / 2 {
            // The first segment has a random length, so that the cuts fall elsewhere in every epoch.
            let mut next = longest / 2 + below(rng, longest);
            while let Some(cut) = self.cut_from(next).filter(|cut| cut + longest / 4 < self.predicted) {
                starts.push(cut);
                next = cut + longest;
            }
        }
        let ends = starts.iter().skip(1).copied().chain([self.predicted]).collect::<Vec<usize>>();
        starts.iter().zip(ends).map(|(&start, end)| Segment { piece, shift, tokens: start..end }).collect()
    }
}

/// Of a list of pieces those that are not another take of the one before, with their places.
pub(super) fn originals(pieces: &[Outline]) -> impl Iterator<Item = (usize, &Outline)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let (at, piece) = (next, pieces.get(next)?);
        next += piece.takes;
        Some((at, piece))
    })
}

/// The plan of `epoch`: a function of the seed and the epoch alone. A long piece is cut into segments of about eight windows, elsewhere in
/// every epoch, so that rows stay busy to its end.
pub fn plan(pieces: &[Outline], rows: usize, window: usize, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let mut segments: Vec<Segment> = Vec::new();
    for (first, original) in originals(pieces) {
        let index = if original.takes > 1 { first + below(&mut rng, original.takes) } else { first };
        let piece = &pieces[index];
        let keys = (piece.shifts.end - piece.shifts.start) as usize;
        let shift = piece.shifts.start + below(&mut rng, keys) as i32;
        segments.extend(piece.segments(index, window * SEGMENT_WINDOWS, shift, &mut rng));
    }
    Plan::new(epoch, segments, rows, window, &mut rng)
}

/// The network's outputs: a logit for each token, then one for each class of each of [`Grammar::traits`]; where these begin.
fn first_outputs(grammar: &impl Grammar) -> Vec<u32> {
    let begin = |next: &mut usize, classes| Some(std::mem::replace(next, *next + classes) as u32);
    grammar.traits().into_iter().scan(grammar.size(), begin).collect()
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows.
    pub rows: usize,
    /// Steps of the longest row.
    pub steps: usize,
    /// What is read.
    pub tokens: Vec<u32>,
    /// What is known beside it, each of its own.
    pub contexts: Vec<Vec<u32>>,
    /// What else is known beside it, 1 where it is so.
    ///
    /// # Shapes
    /// `[T * B, M]`
    pub marks: Vec<f32>,
    /// What is to be predicted.
    pub targets: Vec<u32>,
    /// 1 where it counts, 0 for padding.
    pub weights: Vec<f32>,
    /// Minus infinity where a token may not come next, else 0; empty where the grammar forbids nothing.
    ///
    /// # Shapes
    /// `[T * B, V]`
    pub forbidden: Vec<f32>,
    /// How many [`Grammar::traits`] there are.
    pub traits: usize,
    /// For each of them which of the network's outputs is added to a token's logit.
    ///
    /// # Shapes
    /// `[T * B, V, traits]`
    pub added: Arc<[u32]>,
}

impl Batch {
    /// Gathers `rows` of the pieces with these numbers; absent rows and the ends of short ones are padding.
    pub fn gather<'r, 'p, G: Grammar>(
        piece: impl Fn(usize) -> &'p Piece,
        rows: impl Iterator<Item = Option<&'r Row>>,
        grammar: &G,
    ) -> Batch {
        let rows: Vec<Option<&Row>> = rows.collect();
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let (size, known, classes) = (rows.len() * steps, grammar.contexts().len(), grammar.size());
        let firsts = first_outputs(grammar);
        let marks = grammar.marks();
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            tokens: vec![0; size],
            contexts: vec![vec![0; size]; known],
            marks: vec![0.0; size * marks],
            targets: vec![0; size],
            weights: vec![0.0; size],
            forbidden: vec![0.0; if G::FORBIDS { size * classes } else { 0 }],
            traits: firsts.len(),
            added: Arc::new([]),
        };
        let mut added = firsts.repeat(size * classes);
        let mut of_traits = vec![0; firsts.len() * classes];
        let mut found = Vec::with_capacity(known);
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment, .. }) = row else { continue };
            let piece = piece(segment.piece);
            let moved = |k: usize| grammar.moved(piece.tokens[k], segment.shift);
            // What may follow depends on all that came before.
            let mut place = is_walked(grammar).then(|| grammar.begin(&piece.tokens));
            if let Some(place) = &mut place {
                (0..segment.tokens.start).for_each(|k| place.read(moved(k)));
            }
            for (t, k) in segment.tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                batch.tokens[at] = moved(k).0;
                batch.targets[at] = moved(k + 1).0;
                batch.weights[at] = 1.0;
                let here = match &mut place {
                    Some(place) => {
                        place.read(moved(k));
                        if G::FORBIDS {
                            place.forbid(&mut batch.forbidden[at * classes..(at + 1) * classes]);
                        }
                        place.marks(&mut batch.marks[at * marks..(at + 1) * marks]);
                        found.clear();
                        place.contexts(&mut found);
                        place.classes(&mut of_traits);
                        for (k, of_trait) in of_traits.chunks_exact(classes).enumerate() {
                            let here = added[at * classes * firsts.len() + k..].iter_mut().step_by(firsts.len());
                            here.zip(of_trait).for_each(|(output, class)| *output += class);
                        }
                        &found[..]
                    }
                    None => &piece.contexts[k * known..],
                };
                for (list, value) in batch.contexts.iter_mut().zip(here) {
                    list[at] = *value;
                }
            }
        }
        batch.added = added.into();
        batch
    }
}
