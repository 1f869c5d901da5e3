//! What composers share that learn by a critic: a generator draws phrases out of noise, a critic tells them from real ones, and neither says how
//! likely music is.
//!
//! Source: I. Goodfellow et al., Generative Adversarial Nets, 2014, arXiv:1406.2661v1; who composes so names what else it follows.
//!
//! Their figure is a distance of sets ([`energy`]): statistics of phrases that are drawn beside those of validation phrases. It is no likelihood, and
//! [`Kind::None`] says so. Beside it stands how different the drawn phrases are from one another, so that the doctor can name a collapse.

mod drawing;
mod energy;
mod rules;
mod trainer;

pub use drawing::{Drawing, finished, meter};
pub use energy::{Space, diversity, energy};
pub use rules::Rules;
pub use trainer::AdversarialTrainer;

use crate::{ComposerSpec, CreateError, Evaluation, Kind, Rng, TrainingSet};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::phrases::Phrase;
use cantus_score::Score;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A generator and its critic, and the phrases that both are about. What is written of it in a model file is what it knows of its corpus.
pub trait Duel: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Settings beside [`Rules`].
    type Own: Clone + Send + Sync + Default + PartialEq + Serialize + DeserializeOwned + 'static;
    /// What draws.
    type Generator: Module + Send + Sync;
    /// What tells drawn from real.
    type Critic: Module + Send + Sync;

    /// Its entry in the registry.
    fn spec() -> &'static ComposerSpec;

    /// Whether its settings make sense.
    ///
    /// # Errors
    /// What is wrong, beginning with the setting's name.
    fn check_settings(own: &Self::Own) -> Result<(), String>;

    /// What it has to know of a corpus.
    ///
    /// # Errors
    /// [`CreateError`], where nothing can be learnt from it.
    fn of(set: &TrainingSet, own: &Self::Own) -> Result<Self, CreateError>;

    /// Whether what a file says of a corpus can be used.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), String>;

    /// The phrases of a piece.
    fn phrases(&self, piece: &Score) -> Vec<Phrase>;

    /// Cells of a phrase.
    fn cells(&self) -> usize;

    /// Quarter notes of a phrase.
    fn quarters(&self) -> f64;

    /// What is counted of a phrase: by what sets of phrases are compared.
    fn statistics(&self, cells: &[bool]) -> Vec<f32>;

    /// A generator that has learnt nothing.
    fn generator(&self, own: &Self::Own, rng: &mut Rng, device: &Device) -> Self::Generator;

    /// A critic that has learnt nothing.
    fn critic(&self, own: &Self::Own, rng: &mut Rng, device: &Device) -> Self::Critic;

    /// Numbers of noise that a phrase is drawn out of.
    fn noise(&self, own: &Self::Own) -> usize;

    /// One of these numbers.
    fn draw(rng: &mut Rng) -> f32;

    /// What a generator says of each cell; a cell sounds where it is over [`Duel::THRESHOLD`].
    ///
    /// # Shapes
    /// `[B, noise]` -> `[B, cells]`
    fn logits(&self, own: &Self::Own, generator: &Self::Generator, noise: Tensor<2>) -> Tensor<2>;

    /// From which logit on a cell sounds.
    const THRESHOLD: f32 = 0.0;

    /// What the critic is shown of a drawn phrase.
    ///
    /// # Shapes
    /// `[B, cells]` -> `[B, cells]`
    fn shown(logits: Tensor<2>) -> Tensor<2>;

    /// The critic's loss; `shares`, a number 0-1 for each phrase, are for what lies between real and drawn.
    ///
    /// # Shapes
    /// `[B, cells]`, `[B, cells]` -> `[1]`
    fn critic_loss(
        &self,
        own: &Self::Own,
        critic: &Self::Critic,
        real: Tensor<2>,
        made: Tensor<2>,
        shares: Vec<f32>,
    ) -> Tensor<1>;

    /// The generator's loss by a critic that is held fixed.
    ///
    /// # Shapes
    /// `[B, cells]` -> `[1]`
    fn generator_loss(&self, own: &Self::Own, critic: &Self::Critic, made: Tensor<2>) -> Tensor<1>;
}

/// What a distance of so many phrases is, in the terms of figures: a phrase is a token, and nothing is right or wrong.
fn evaluation(distance: f64, phrases: usize, quarters: f64) -> Evaluation {
    let phrases = phrases as f64;
    Evaluation { nats: distance * phrases, tokens: phrases, quarters: phrases * quarters, correct: 0.0, beside: None }
}

/// What kind of figure it is.
pub const KIND: Kind = Kind::None;

/// What the figure is, in words.
pub const PROTOCOL: &str = "energy distance between statistics of drawn phrases and of validation phrases, each statistic in its deviation over \
                            the phrases that are learnt from; always the same noise. No likelihood";
