//! Writing several drafts at once, of which those go on that a critic likes.
//!
//! Source: sequential importance resampling, N. Gordon, D. Salmond and A. Smith, IEE Proceedings F 140(2), 1993; that weights accumulate
//! and drafts are drawn anew once too few of them carry the weight, and that they are drawn at equal distances: A. Doucet and
//! A. Johansen, A Tutorial on Particle Filtering and Smoothing, 2009, section 3.

use crate::Rng;
use cantus_nn::random::uniform_f64;

/// How many drafts are written at once under a critic's eyes.
pub const DRAFTS: usize = 8;
/// What breaks a rule of the corpus is given up, unless all do: the logarithm of its weight.
pub const BREACH: f64 = -1000.0;
/// Drafts are drawn anew where the weight lies on fewer than this share of them.
const SHARE: f64 = 0.5;

/// A piece as far as it is written.
pub trait Draft: Clone {
    /// The logarithm of its weight among all, counted from when drafts were last drawn.
    fn weight(&self) -> f64;

    /// It was drawn: all weigh the same from here on.
    fn settle(&mut self);
}

/// The drafts as they are, or, where few of them have all the weight, drawn anew by it.
pub fn choose<D: Draft>(drafts: Vec<D>, rng: &mut Rng) -> Vec<D> {
    let weights = weights(&drafts);
    let carried = 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>();
    if carried >= SHARE * drafts.len() as f64 {
        return drafts;
    }
    let drawn = places(&weights, drafts.len(), rng);
    let mut drafts: Vec<Option<D>> = drafts.into_iter().map(Some).collect();
    // Whoever is drawn for the last time need not be copied.
    let copies = drawn.iter().enumerate().filter_map(|(n, k)| {
        let again = drawn.get(n + 1) == Some(k);
        let mut draft = if again { drafts[*k].clone() } else { drafts[*k].take() }?;
        draft.settle();
        Some(draft)
    });
    copies.collect()
}

/// One of the drafts, drawn by weight.
///
/// # Panics
/// If there is none.
pub fn one<D: Draft>(mut drafts: Vec<D>, rng: &mut Rng) -> D {
    let drawn = places(&weights(&drafts), 1, rng);
    drafts.swap_remove(drawn.first().copied().unwrap_or(0))
}

/// The drafts' weights, which sum to 1.
fn weights<D: Draft>(drafts: &[D]) -> Vec<f64> {
    let logarithms: Vec<f64> = drafts.iter().map(Draft::weight).collect();
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logarithms.iter().map(|weight| (weight - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// So many indices, drawn by weights that sum to 1 at equal distances.
fn places(weights: &[f64], count: usize, rng: &mut Rng) -> Vec<usize> {
    let offset = uniform_f64(rng);
    let (mut reached, mut k) = (weights.first().copied().unwrap_or(0.0), 0);
    let place = |n: usize| {
        while (n as f64 + offset) / count as f64 >= reached && k + 1 < weights.len() {
            k += 1;
            reached += weights[k];
        }
        k
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded;

    #[test]
    fn drafts_are_drawn_by_weight_at_equal_distances() {
        let weights = [0.5, 0.0, 0.3, 0.2];
        let rng = &mut seeded(5);
        let mut counts = [0; 4];
        for _ in 0..500 {
            let drawn = places(&weights, 10, rng);
            assert!(drawn.is_sorted() && drawn.len() == 10);
            // Each comes as often as its weight says, but for one.
            for (k, weight) in weights.iter().enumerate() {
                let count = drawn.iter().filter(|drawn| **drawn == k).count();
                assert!((count as f64 - 10.0 * weight).abs() < 1.0 + 1e-9, "{k}: {drawn:?}");
            }
            counts[places(&weights, 1, rng)[0]] += 1;
        }
        assert!(counts[1] == 0 && (200..300).contains(&counts[0]) && (60..140).contains(&counts[3]), "{counts:?}");
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Named(char, f64);

    impl Draft for Named {
        fn weight(&self) -> f64 {
            self.1
        }

        fn settle(&mut self) {
            self.1 = 0.0;
        }
    }

    #[test]
    fn drafts_stay_while_many_carry_the_weight_and_breaches_are_given_up() {
        let rng = &mut seeded(1);
        let even = vec![Named('a', 0.0), Named('b', 0.2), Named('c', -0.1), Named('d', 0.1)];
        assert_eq!(choose(even.clone(), rng), even);
        let one_is_better = vec![Named('a', BREACH), Named('b', 3.0), Named('c', 0.0), Named('d', 0.0)];
        let chosen = choose(one_is_better.clone(), rng);
        assert!(chosen.iter().filter(|draft| draft.0 == 'b').count() >= 3, "{chosen:?}");
        assert!(chosen.len() == 4 && chosen.iter().all(|draft| draft.0 != 'a' && draft.1 == 0.0));
        assert_ne!(one(one_is_better, rng).0, 'a');
    }
}
