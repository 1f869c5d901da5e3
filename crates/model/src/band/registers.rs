//! How low the basses of a corpus go.

use crate::Rng;
use cantus_nn::random::categorical;
use cantus_score::Pitch;
use std::collections::BTreeMap;

/// What a register counts for that no piece has: so many of 128 pieces.
const UNHEARD: f64 = 0.1;

/// The lowest notes of a corpus's basses.
#[derive(Clone, Copy, Debug)]
pub struct Registers<'c> {
    /// MIDI pitches, and how many basses have each as their lowest note.
    pub lowest: &'c BTreeMap<u8, u32>,
    /// How far above its tonic, within the octave, the lowest note of a bass is, where the tonic is known.
    pub degrees: &'c BTreeMap<u8, u32>,
}

impl Registers<'_> {
    /// How likely each pitch is as the lowest note of a bass, given the tonic where it is known.
    ///
    /// # Shapes
    /// `[128]`
    pub fn probabilities(self, tonic: Option<u8>) -> Vec<f64> {
        let count = |counts: &BTreeMap<u8, u32>, k: u8| f64::from(counts.get(&k).copied().unwrap_or(0));
        let of_degree = |pitch: u8| {
            let Some(tonic) = tonic.filter(|_| !self.degrees.is_empty()) else { return 1.0 };
            count(self.degrees, (pitch % 12 + 12 - tonic) % 12) + UNHEARD
        };
        let weights: Vec<f64> =
            (0..128).map(|pitch| (count(self.lowest, pitch) + UNHEARD) * of_degree(pitch)).collect();
        let all: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / all).collect()
    }

    /// One of them, that some bass has where there are any.
    pub fn draw(self, tonic: Option<u8>, rng: &mut Rng) -> Pitch {
        let known = |pitch: usize| self.lowest.is_empty() || self.lowest.contains_key(&(pitch as u8));
        let weights: Vec<f32> = self
            .probabilities(tonic)
            .iter()
            .enumerate()
            .map(|(pitch, p)| if known(pitch) { *p as f32 } else { 0.0 })
            .collect();
        let drawn = categorical(rng, &weights).and_then(|pitch| Pitch::try_from(pitch as u8).ok());
        drawn.unwrap_or(Pitch::PIANO.0)
    }
}
