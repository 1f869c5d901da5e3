//! Counting models of tokens: what a network must beat to have learnt anything.
//!
//! Source: H. Ney, U. Essen, R. Kneser, On structuring probabilistic dependences in stochastic language modelling, Computer
//! Speech and Language 8 (1994): interpolated absolute discounting, one discount per order, `n1 / (n1 + 2 n2)`.

use crate::Baseline;
use cantus_encoding::TokenId;
use std::collections::HashMap;

/// A trigram model that backs off to bigrams, unigrams and the uniform distribution.
#[derive(Debug)]
pub struct Trigram {
    vocabulary: usize,
    /// For each order 1, 2, 3: counts of contexts and of what follows them.
    orders: [Order; 3],
}

#[derive(Debug, Default)]
struct Order {
    discount: f64,
    /// context -> (how often, how many different followers)
    contexts: HashMap<u64, (f64, f64)>,
    /// (context, follower) -> how often
    counts: HashMap<(u64, u32), f64>,
}

impl Order {
    fn count(&mut self, context: u64, token: u32) {
        let seen = self.counts.entry((context, token)).or_default();
        *seen += 1.0;
        let entry = self.contexts.entry(context).or_default();
        entry.0 += 1.0;
        if *seen == 1.0 {
            entry.1 += 1.0;
        }
    }

    fn finish(&mut self) {
        let of = |n: f64| self.counts.values().filter(|count| **count == n).count() as f64;
        let (once, twice) = (of(1.0), of(2.0));
        self.discount = if once > 0.0 { once / (once + 2.0 * twice) } else { 0.5 };
        // All seen once: a discount of one would leave nothing to the counts.
        self.discount = self.discount.min(0.95);
    }

    fn probability(&self, context: u64, token: u32, lower: f64) -> f64 {
        let Some((total, kinds)) = self.contexts.get(&context) else { return lower };
        let count = self.counts.get(&(context, token)).copied().unwrap_or(0.0);
        (count - self.discount).max(0.0) / total + self.discount * kinds / total * lower
    }
}

fn context(tokens: &[TokenId], length: usize) -> u64 {
    tokens[tokens.len() - length..].iter().fold(1, |code, token| (code << 24) | u64::from(token.0))
}

impl Trigram {
    /// Counts `pieces`; the first token of a piece is given, as it is to a network.
    pub fn train(pieces: &[Vec<TokenId>], vocabulary: usize) -> Trigram {
        let mut orders: [Order; 3] = Default::default();
        for piece in pieces {
            for k in 1..piece.len() {
                for (length, order) in orders.iter_mut().enumerate().take(k + 1) {
                    order.count(context(&piece[..k], length), piece[k].0);
                }
            }
        }
        orders.iter_mut().for_each(Order::finish);
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

    /// Mean negative log-likelihood of `pieces`, each from its second token on.
    ///
    /// # Units
    /// nats per token
    pub fn nats_per_token(&self, pieces: &[Vec<TokenId>], order: usize) -> f64 {
        let (mut nats, mut tokens) = (0.0, 0.0);
        for piece in pieces {
            for k in 1..piece.len() {
                nats -= self.probability(&piece[..k], piece[k], order).ln();
                tokens += 1.0;
            }
        }
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
        let found = baselines(std::slice::from_ref(&piece), std::slice::from_ref(&piece), 4);
        assert!(found[0].nats_per_token > 1.2 && found[1].nats_per_token < 0.6, "{found:?}");
    }
}
