//! Counting models of tokens: what a network must beat to have learnt anything.
//!
//! Source: D. MacKay, L. Peto, A Hierarchical Dirichlet Language Model, Natural Language Engineering 1(3), 1995: each order backs off to
//! the one below it, `P(w | context) = (count + a P(w | shorter context)) / (total + a)`.
//! Departure: the strengths `a` are chosen on pieces left out of the counting, not from the counts. Music repeats itself within a
//! piece, so that counts from the same pieces (as discounting takes them) promise far more than another piece keeps: with absolute
//! discounting a trigram of Chopin was worse than a bigram.

use crate::Baseline;
use cantus_encoding::TokenId;
use std::collections::HashMap;

/// Strengths that are tried.
const STRENGTHS: [f64; 8] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0];

/// A trigram model that backs off to bigrams, unigrams and the uniform distribution.
#[derive(Debug)]
pub struct Trigram {
    vocabulary: usize,
    /// Orders 1, 2, 3.
    orders: [Order; 3],
}

#[derive(Debug, Default)]
struct Order {
    /// How much the shorter context counts.
    strength: f64,
    /// context -> how often
    contexts: HashMap<u64, f64>,
    /// (context, follower) -> how often
    counts: HashMap<(u64, u32), f64>,
}

impl Order {
    fn probability(&self, context: u64, token: u32, lower: f64) -> f64 {
        let total = self.contexts.get(&context).copied().unwrap_or(0.0);
        let count = self.counts.get(&(context, token)).copied().unwrap_or(0.0);
        (count + self.strength * lower) / (total + self.strength)
    }
}

fn context(tokens: &[TokenId], length: usize) -> u64 {
    tokens[tokens.len() - length..].iter().fold(1, |code, token| (code << 24) | u64::from(token.0))
}

impl Trigram {
    /// Counts `pieces`; the first token of a piece is given, as it is to a network. Strengths are chosen by counting every other
    /// piece and predicting the rest.
    pub fn train(pieces: &[Vec<TokenId>], vocabulary: usize) -> Trigram {
        let counted = pieces.iter().step_by(2);
        let predicted: Vec<&Vec<TokenId>> = pieces.iter().skip(1).step_by(2).collect();
        let mut trial = Trigram::count(counted, vocabulary);
        if !predicted.is_empty() {
            for order in 1..=3 {
                let nats = |trial: &mut Trigram, strength: f64| {
                    trial.orders[order - 1].strength = strength;
                    trial.nats(predicted.iter().copied(), order).0
                };
                let scored = STRENGTHS.map(|strength| (nats(&mut trial, strength), strength));
                let best = scored.iter().min_by(|a, b| a.0.total_cmp(&b.0));
                trial.orders[order - 1].strength = best.map_or(10.0, |(_, strength)| *strength);
            }
        }
        let mut model = Trigram::count(pieces, vocabulary);
        for (order, chosen) in model.orders.iter_mut().zip(&trial.orders) {
            order.strength = chosen.strength;
        }
        model
    }

    fn count<'a>(pieces: impl IntoIterator<Item = &'a Vec<TokenId>>, vocabulary: usize) -> Trigram {
        let mut orders: [Order; 3] = Default::default();
        for order in &mut orders {
            order.strength = 10.0;
        }
        for piece in pieces {
            for k in 1..piece.len() {
                for (length, order) in orders.iter_mut().enumerate().take(k + 1) {
                    let context = context(&piece[..k], length);
                    *order.contexts.entry(context).or_default() += 1.0;
                    *order.counts.entry((context, piece[k].0)).or_default() += 1.0;
                }
            }
        }
        Trigram { vocabulary, orders }
    }

    /// The probability of `token` after `before`, using at most `order - 1` tokens of it.
    pub fn probability(&self, before: &[TokenId], token: TokenId, order: usize) -> f64 {
        let uniform = 1.0 / self.vocabulary as f64;
        self.orders
            .iter()
            .enumerate()
            .take(order.min(before.len() + 1))
            .fold(uniform, |lower, (length, order)| order.probability(context(before, length), token.0, lower))
    }

    /// Negative log-likelihood of `pieces`, each from its second token on, and the number of those tokens.
    fn nats<'a>(&self, pieces: impl Iterator<Item = &'a Vec<TokenId>>, order: usize) -> (f64, f64) {
        let (mut nats, mut tokens) = (0.0, 0.0);
        for piece in pieces {
            for k in 1..piece.len() {
                nats -= self.probability(&piece[k.saturating_sub(2)..k], piece[k], order).ln();
                tokens += 1.0;
            }
        }
        (nats, tokens)
    }

    /// Mean negative log-likelihood of `pieces`, each from its second token on.
    ///
    /// # Units
    /// nats per token
    pub fn nats_per_token(&self, pieces: &[Vec<TokenId>], order: usize) -> f64 {
        let (nats, tokens) = self.nats(pieces.iter(), order);
        nats / tokens
    }
}

/// Unigram and trigram with back-off, counted on `train`, on the tokens of `valid`.
pub fn baselines(train: &[Vec<TokenId>], valid: &[Vec<TokenId>], vocabulary: usize) -> Vec<Baseline> {
    let model = Trigram::train(train, vocabulary);
    [("unigram", 1), ("trigram with back-off", 3)]
        .into_iter()
        .map(|(name, order)| Baseline { name: name.to_owned(), nats_per_token: model.nats_per_token(valid, order) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Vec<TokenId> {
        ids.iter().copied().map(TokenId).collect()
    }

    #[test]
    fn probabilities_sum_to_one_everywhere() {
        let pieces = [tokens(&[0, 1, 2, 1, 2, 3, 1, 2, 1]), tokens(&[0, 3, 3, 1])];
        let model = Trigram::train(&pieces, 5);
        for before in [&[0][..], &[1, 2], &[4, 4], &[3, 3], &[]] {
            for order in 1..=3 {
                let total: f64 = (0..5).map(|k| model.probability(&tokens(before), TokenId(k), order)).sum();
                assert!((total - 1.0).abs() < 1e-12, "{before:?} {order} {total}");
            }
        }
    }

    #[test]
    fn longer_contexts_help_where_there_is_order() {
        let piece = tokens(&[0, 1, 2, 0, 1, 3].repeat(40));
        let found = baselines(&[piece.clone(), piece.clone()], &[piece], 4);
        assert!(found[0].nats_per_token > 1.2 && found[1].nats_per_token < 0.6, "{found:?}");
    }

    #[test]
    fn what_other_pieces_do_not_keep_is_not_believed() {
        // After 0 follows the same token throughout a piece: in every piece its own, or in all pieces the same one.
        let strength = |follower: fn(u32) -> u32| {
            let pieces: Vec<Vec<TokenId>> = (0..12).map(|k| tokens(&[0, follower(k)].repeat(20))).collect();
            Trigram::train(&pieces, 13).orders[1].strength
        };
        let (kept, broken) = (strength(|_| 1), strength(|k| k + 1));
        assert!(broken > 10.0 * kept, "{kept} {broken}");
    }
}
