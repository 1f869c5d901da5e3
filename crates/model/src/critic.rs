//! A critic that has learnt to tell the corpus's passages from a network's own, and by whose judgement drafts go on or are given up.
//!
//! Source: the density ratio that a classifier gives corrects what a generator writes: S. Azadi et al., Discriminator Rejection Sampling,
//! ICLR 2019, arXiv:1810.06758v3, section 3; of sequences: Y. Deng et al., Residual Energy-Based Models for Text Generation, ICLR 2020,
//! arXiv:2004.11714v1, section 3. The classifier is linear in the roots of how often turns occur, so that it can judge a passage that is
//! only begun.
//!
//! What a turn is, each composer says: it has some *kinds* of them (sonorities, rhythms, ...), and its turns are any numbers.

mod learning;
mod turns;

use crate::{ModelError, ModelFile, TensorData};
pub use learning::{Fit, Lesson, Row, learn};
pub use turns::Turns;

/// Turns of a kind are told apart by so many numbers; two that share one are heard as one.
const OF_KIND: usize = 1 << 12;
/// What it is called in a model file.
const TENSOR: &str = "critic.turns";

/// How much more likely each turn makes it that a passage is the corpus's.
#[derive(Clone, Debug, PartialEq)]
pub struct Critic(Vec<f32>);

impl Critic {
    /// A critic who thinks nothing of any turn of so many kinds.
    pub fn indifferent(kinds: usize) -> Critic {
        Critic(vec![0.0; kinds * OF_KIND])
    }

    /// The weights of turns.
    pub fn weights(&self) -> &[f32] {
        &self.0
    }

    /// Out of a model file; `None` where it has none.
    ///
    /// # Errors
    /// [`ModelError`], where it does not fit.
    pub fn read(file: &ModelFile, kinds: usize) -> Result<Option<Critic>, ModelError> {
        if !Critic::is_in(file) {
            return Ok(None);
        }
        Ok(Some(Critic(file.tensor(TENSOR, &[kinds * OF_KIND])?.to_vec())))
    }

    /// Whether a model file has one.
    pub fn is_in(file: &ModelFile) -> bool {
        file.tensors.contains_key(TENSOR)
    }

    /// The model file with this critic.
    pub fn write(&self, file: &ModelFile) -> ModelFile {
        let mut finished = file.clone();
        finished.tensors.insert(TENSOR.to_owned(), TensorData { shape: vec![self.0.len()], values: self.0.clone() });
        finished
    }
}
