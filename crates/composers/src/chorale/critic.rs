//! A critic that has learnt to tell the corpus's passages from the network's own, and by whose judgement drafts go on or are given up.
//!
//! Source: the density ratio that a classifier gives corrects what a generator writes: S. Azadi et al., Discriminator Rejection Sampling,
//! ICLR 2019, arXiv:1810.06758v3, section 3; of sequences: Y. Deng et al., Residual Energy-Based Models for Text Generation, ICLR 2020,
//! arXiv:2004.11714v1, section 3. The classifier is linear in the roots of how often turns occur, so that it can judge a passage that is
//! only begun.

mod hearing;
mod learning;

use cantus_model::{ModelError, ModelFile};

pub(super) use hearing::Hearing;
pub(super) use learning::learn;

/// Kinds of turns.
const KINDS: usize = 13;
/// Turns of a kind are told apart by so many numbers; two that share one are heard as one.
const OF_KIND: usize = 1 << 12;
/// Weights of all turns.
pub(super) const TURNS: usize = KINDS * OF_KIND;

/// What it is called in a model file.
pub(super) const TENSOR: &str = "critic.turns";

/// How much more likely each turn makes it that a passage is the corpus's: `[TURNS]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Critic(Vec<f32>);

impl Critic {
    /// # Shapes
    /// `weights`: `[TURNS]`
    pub(super) fn new(weights: Vec<f32>) -> Critic {
        Critic(weights)
    }

    /// The weights of turns.
    pub(super) fn weights(&self) -> &[f32] {
        &self.0
    }

    /// Out of a model file; `None` where it has none.
    ///
    /// # Errors
    /// [`ModelError`], where it does not fit.
    pub(super) fn read(file: &ModelFile) -> Result<Option<Critic>, ModelError> {
        if !file.tensors.contains_key(TENSOR) {
            return Ok(None);
        }
        Ok(Some(Critic::new(file.tensor(TENSOR, &[TURNS])?.to_vec())))
    }
}
