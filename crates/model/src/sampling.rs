//! Drawing from a distribution: temperature, top-k and nucleus (top-p) sampling.
//!
//! Source: A. Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020, arXiv:1904.09751v2, section 3 (nucleus);
//! A. Fan et al., Hierarchical Neural Story Generation, ACL 2018, arXiv:1805.04833v1, section 5 (top-k).

use crate::Rng;
use cantus_nn::random::{uniform, uniform_f64};
use serde::{Deserialize, Serialize};

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Logits are divided by it: under 1 is safer, over 1 is wilder; 0 takes the most likely token always.
    pub temperature: f64,
    /// Only the most likely `k` tokens; 0 means all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability; 1 means all.
    pub top_p: f64,
}

/// A setting that no distribution can be drawn with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// Negative, over [`Sampling::MOST_TEMPERATURE`] or not a number.
    #[error(
        "a temperature of {0} makes no sense: give a number from 0 (always the likeliest) to {most}; 1 is as learnt",
        most = Sampling::MOST_TEMPERATURE
    )]
    Temperature(f64),
    /// Outside of 0-1.
    #[error("a top-p of {0} makes no sense: give a number over 0 and up to 1")]
    TopP(f64),
}

/// Of so many tokens the likeliest is first looked for the nucleus.
const FEW: usize = 32;

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 }
    }
}

impl Sampling {
    /// Always the most likely token.
    pub const GREEDY: Sampling = Sampling { temperature: 0.0, top_k: 0, top_p: 1.0 };

    /// What comes of more is noise, whatever the model has learnt.
    pub const MOST_TEMPERATURE: f64 = 4.0;

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`SamplingError`], naming the setting.
    pub fn check(&self) -> Result<(), SamplingError> {
        if !(0.0..=Sampling::MOST_TEMPERATURE).contains(&self.temperature) {
            return Err(SamplingError::Temperature(self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(SamplingError::TopP(self.top_p));
        }
        Ok(())
    }

    /// The index of the token drawn, or `None` where every logit is minus infinity (or not a number).
    ///
    /// Takes exactly one number from `rng` unless it is greedy, so that settings do not shift what is drawn later.
    pub fn draw(&self, logits: &[f32], rng: &mut Rng) -> Option<usize> {
        let best = |a: &usize, b: &usize| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a));
        let mut order: Vec<usize> = (0..logits.len()).filter(|&k| logits[k] > f32::NEG_INFINITY).collect();
        let first = order.iter().copied().max_by(best)?;
        if self.temperature == 0.0 {
            return Some(first);
        }
        let mut chance = uniform_f64(rng);
        let weight = |k: &usize| ((f64::from(logits[*k]) - f64::from(logits[first])) / self.temperature).exp();
        let mut weights: Vec<f64> = Vec::new();
        if self.top_k > 0 || self.top_p < 1.0 {
            let likelier = |a: &usize, b: &usize| best(b, a);
            if (1..order.len()).contains(&self.top_k) {
                order.select_nth_unstable_by(self.top_k, likelier);
                order.truncate(self.top_k);
            }
            let enough = self.top_p * order.iter().map(weight).sum::<f64>();
            // Nearly always a few tokens are enough, and only these have to be put in order.
            for sorted in [FEW.min(order.len()), order.len()] {
                if sorted < order.len() {
                    order.select_nth_unstable_by(sorted, likelier);
                }
                order[..sorted].sort_unstable_by(likelier);
                weights = order[..sorted].iter().map(weight).collect();
                let mut reached = 0.0;
                let kept = weights.iter().position(|weight| {
                    reached += weight;
                    reached >= enough
                });
                if let Some(last) = kept {
                    weights.truncate(last + 1);
                    break;
                }
            }
        } else {
            weights.extend(order.iter().map(weight));
        }
        chance *= weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|weight| {
            chance -= weight;
            chance < 0.0
        });
        order.get(drawn.unwrap_or(weights.len() - 1)).copied()
    }

    /// Draws one of the choices, given their probabilities (their sum need not be 1): first whether it is `own`, by the model's own
    /// probability, then which of the others, as these settings ask for. So what makes pitches surer leaves alone how often something
    /// happens at all. Without a temperature it is the likeliest of all.
    pub fn draw_beside(&self, mut probabilities: Vec<f32>, own: Option<usize>, rng: &mut Rng) -> Option<usize> {
        let own = own.and_then(|own| Some((own, *probabilities.get(own)?)));
        if let Some((own, probability)) = own.filter(|_| self.temperature > 0.0) {
            if uniform(rng) * probabilities.iter().sum::<f32>() < probability {
                return Some(own);
            }
            // Where nothing else is possible it is that after all.
            if probabilities.iter().enumerate().any(|(k, probability)| k != own && *probability > 0.0) {
                probabilities[own] = 0.0;
            }
        }
        let logits: Vec<f32> = probabilities.into_iter().map(f32::ln).collect();
        self.draw(&logits, rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    #[test]
    fn the_choice_beside_comes_as_often_as_the_model_says() {
        let cold = Sampling { temperature: 0.2, top_k: 1, top_p: 0.5 };
        let rng = &mut seeded(7);
        let mut counts = [0; 3];
        for _ in 0..4000 {
            counts[cold.draw_beside(vec![0.3, 0.5, 0.2], Some(2), rng).unwrap()] += 1;
        }
        assert_eq!(counts[0], 0, "of the others only the likeliest is left");
        assert!((700..900).contains(&counts[2]), "{counts:?}");
        assert_eq!(cold.draw_beside(vec![0.0, 0.0, 0.1], Some(2), rng), Some(2));
        assert_eq!(Sampling { temperature: 0.0, ..cold }.draw_beside(vec![0.1, 0.4, 0.2], Some(2), rng), Some(1));
        assert_eq!(cold.draw_beside(vec![f32::NAN], None, rng), cold.draw(&[f32::NAN], rng));
    }

    const LOGITS: [f32; 5] = [0.0, 2.0, f32::NEG_INFINITY, 1.0, -1.0];

    fn frequencies(sampling: Sampling, draws: usize) -> Vec<f64> {
        let mut rng = seeded(3);
        let mut counts = vec![0.0; LOGITS.len()];
        for _ in 0..draws {
            counts[sampling.draw(&LOGITS, &mut rng).unwrap()] += 1.0 / draws as f64;
        }
        counts
    }

    fn softmax(temperature: f64) -> Vec<f64> {
        let weights: Vec<f64> = LOGITS.iter().map(|x| (f64::from(*x) / temperature).exp()).collect();
        weights.iter().map(|w| w / weights.iter().sum::<f64>()).collect()
    }

    #[test]
    fn draws_follow_the_distribution() {
        for temperature in [0.5, 1.0, 2.0] {
            let found = frequencies(Sampling { temperature, ..Sampling::default() }, 40_000);
            for (found, expected) in found.iter().zip(softmax(temperature)) {
                assert!((found - expected).abs() < 0.01, "{found} {expected}");
            }
        }
    }

    #[test]
    fn greedy_takes_the_likeliest_and_nothing_else() {
        assert!((frequencies(Sampling::GREEDY, 10)[1] - 1.0).abs() < 1e-9);
        assert_eq!(Sampling::GREEDY.draw(&[1.0, 1.0], &mut seeded(0)), Some(0));
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let two = frequencies(Sampling { top_k: 2, ..Sampling::default() }, 2000);
        assert!(two[0] == 0.0 && two[4] == 0.0 && two[1] > two[3]);
        let nucleus = frequencies(Sampling { top_p: 0.5, ..Sampling::default() }, 100);
        assert!((nucleus[1] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_wide_nucleus_is_drawn_like_a_narrow_one() {
        // 100 tokens of falling probability, out of order: the nucleus of 0.9 has more than the few that are looked at first.
        let logits: Vec<f32> = (0..100).map(|k| -0.01 * (k * 37 % 100) as f32).collect();
        let sampling = Sampling { top_p: 0.9, ..Sampling::default() };
        let weights: Vec<f64> = (0..100).map(|rank| (-0.01 * f64::from(rank)).exp()).collect();
        let mut reached = 0.0;
        let kept = weights.iter().take_while(|weight| {
            let before = reached;
            reached += *weight;
            before < 0.9 * weights.iter().sum::<f64>()
        });
        let kept = kept.count();
        assert!(kept > FEW);
        let rng = &mut seeded(5);
        let ranks: Vec<usize> = (0..20_000).map(|_| sampling.draw(&logits, rng).unwrap() * 37 % 100).collect();
        assert_eq!(ranks.iter().max(), Some(&(kept - 1)), "the least likely of the nucleus, and none beyond it");
        let share = |from: usize| ranks.iter().filter(|rank| **rank >= from).count() as f64 / 20_000.0;
        let expected = weights[40..kept].iter().sum::<f64>() / weights[..kept].iter().sum::<f64>();
        assert!((share(40) - expected).abs() < 0.01, "{} {expected}", share(40));
    }

    #[test]
    fn nothing_to_draw_is_nothing() {
        assert_eq!(Sampling::default().draw(&[f32::NEG_INFINITY, f32::NAN], &mut seeded(0)), None);
        assert_eq!(Sampling::default().draw(&[], &mut seeded(0)), None);
    }

    #[test]
    fn senseless_settings_are_named() {
        assert!(Sampling { temperature: -1.0, ..Sampling::default() }.check().is_err());
        assert!(Sampling { temperature: f64::NAN, ..Sampling::default() }.check().is_err());
        assert!(Sampling { temperature: 99.0, ..Sampling::default() }.check().is_err());
        assert!(Sampling { temperature: 4.0, ..Sampling::default() }.check().is_ok());
        assert!(Sampling { top_p: 0.0, ..Sampling::default() }.check().is_err());
        assert!(Sampling::GREEDY.check().is_ok());
    }
}
