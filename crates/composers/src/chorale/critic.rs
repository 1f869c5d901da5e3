//! A critic that has learnt to tell the corpus's passages from the network's own, and by whose judgement drafts go on or are given up.
//!
//! Source: the density ratio that a classifier gives corrects what a generator writes: S. Azadi et al., Discriminator Rejection Sampling,
//! ICLR 2019, arXiv:1810.06758v3, section 3; of sequences: Y. Deng et al., Residual Energy-Based Models for Text Generation, ICLR 2020,
//! arXiv:2004.11714v1, section 3. The classifier is linear in the roots of how often turns occur, so that it can judge a passage that is
//! only begun.

mod character;
mod hearing;
mod learning;
mod motion;

use cantus_encoding::voices::VOICES;
use cantus_model::{ModelError, ModelFile};
use motion::MOTIONS;

pub(super) use character::{Characters, of as character_of};
pub(super) use hearing::Hearing;
pub(super) use learning::learn;
pub(super) use motion::{Motions, step};

/// Kinds of turns.
const KINDS: usize = 9;
/// Turns of a kind are told apart by so many numbers; two that share one are heard as one.
const OF_KIND: usize = 1 << 10;
/// Weights of all turns.
pub(super) const TURNS: usize = KINDS * OF_KIND;

/// What its parts are called in a model file.
pub(super) const PARTS: [&str; 4] = ["critic.turns", "critic.motions", "critic.characters", "critic.scales"];

/// How much more likely each turn makes it that a passage is the corpus's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Critic {
    weights: Vec<f32>,
    /// How two voices move together.
    pub(super) motions: Motions,
    /// How lively pieces are.
    pub(super) characters: Characters,
}

impl Critic {
    /// # Shapes
    /// `weights`: `[TURNS]`
    pub(super) fn new(weights: Vec<f32>, motions: Motions, characters: Characters) -> Critic {
        Critic { weights, motions, characters }
    }

    /// The weights of turns.
    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All that a model file keeps of it, in the order of [`PARTS`].
    pub(super) fn parts(&self) -> [&[f32]; PARTS.len()] {
        let (characters, scales) = self.characters.parts();
        [&self.weights, self.motions.weights(), characters, scales]
    }

    /// Out of a model file; `None` where it has none.
    ///
    /// # Errors
    /// [`ModelError`], where it does not fit.
    pub(super) fn read(file: &ModelFile, steps_per_quarter: u32) -> Result<Option<Critic>, ModelError> {
        let [turns, motions, characters, scales] = PARTS;
        let Some(known) = file.tensors.get(characters) else { return Ok(None) };
        let weights = |name: &str, length: usize| Ok::<_, ModelError>(file.tensor(name, &[length])?.to_vec());
        let places = VOICES * steps_per_quarter as usize;
        let characters = Characters::read(known.values.clone(), weights(scales, places + 1)?, places)
            .ok_or_else(|| ModelError::Metadata { problem: "the characters of pieces are damaged".to_owned() })?;
        Ok(Some(Critic::new(weights(turns, TURNS)?, Motions::new(weights(motions, MOTIONS)?), characters)))
    }
}
