//! As surprising as is asked for: the temperature moves from note to note, so that a piece has so many nats a note in the mean.
//!
//! Source: S. Basu et al., "Mirostat: A Neural Text Decoding Algorithm that Directly Controls Perplexity", ICLR 2021, arXiv:2007.14966.
//! Departures: what is moved is the temperature, not the number of tokens to draw from; a step is a note, whatever it is made of.

use crate::Sampling;

/// How much the logarithm of the temperature moves for each nat that notes were too little surprising by, added up.
const RATE: f64 = 0.05;
/// How far: to a third, and to three times as much.
const FURTHEST: f64 = 1.1;

/// A piece that is being written, and how surprising it is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surprise {
    /// Nats a note.
    wanted: f64,
    /// Nats by which notes were too little surprising, added up, as far as that moves the temperature.
    missing: f64,
}

impl Surprise {
    /// More than that no note of music is worth.
    pub const MOST: f64 = 20.0;

    /// So many nats a note.
    pub fn new(wanted: f64) -> Surprise {
        Surprise { wanted, missing: 0.0 }
    }

    /// A note was written that was worth so many nats to the model itself, not to how it is drawn.
    pub fn heard(&mut self, nats: f64) {
        let furthest = FURTHEST / RATE;
        self.missing = (self.missing + self.wanted - nats).clamp(-furthest, furthest);
    }

    /// How the next note is drawn, where `usual` is how it would be.
    pub fn over(&self, usual: &Sampling) -> Sampling {
        let temperature = usual.temperature * (RATE * self.missing).exp();
        // A nucleus has no room for surprise.
        let top_p = if self.missing > 0.0 { 1.0 } else { usual.top_p };
        Sampling { temperature: temperature.min(Sampling::MOST_TEMPERATURE), top_p, ..*usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded;

    #[test]
    fn a_known_distribution_gives_the_nats_that_are_asked_for() {
        // Of this one a draw is worth 1.5 nats in the mean.
        let logits: Vec<f32> = (0..12).map(|k| -0.5 * k as f32).collect();
        let all: f32 = logits.iter().map(|z| z.exp()).sum();
        let nats = |drawn: usize| f64::from(all.ln() - logits[drawn]);
        for wanted in [1.2, 1.5, 1.8, 2.2] {
            let (mut surprise, mut rng) = (Surprise::new(wanted), seeded(1));
            let mut sum = 0.0;
            for _ in 0..400 {
                let drawn =
                    surprise.over(&Sampling { top_p: 0.95, ..Sampling::default() }).draw(&logits, &mut rng).unwrap();
                sum += nats(drawn);
                surprise.heard(nats(drawn));
            }
            let mean = sum / 400.0;
            assert!((mean / wanted - 1.0).abs() < 0.05, "{mean} for {wanted}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_chased_for_ever() {
        let mut surprise = Surprise::new(5.0);
        (0..1000).for_each(|_| surprise.heard(0.1));
        let usual = Sampling::default();
        assert!((surprise.over(&usual).temperature / FURTHEST.exp() - 1.0).abs() < 1e-9);
        (0..10).for_each(|_| surprise.heard(20.0));
        assert!(surprise.over(&usual).temperature < 1.0, "it comes back at once");
        assert_eq!(surprise.over(&Sampling::GREEDY).temperature, 0.0);
    }
}
