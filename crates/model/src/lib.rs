//! The contract between composers and everything around them.
//!
//! A composer is reached through its [`ComposerSpec`] alone: the registry lists them, and training, evaluation and the command
//! line know nothing else. What a composer is able to do, it says by the traits that it implements: [`Composer`] writes music,
//! [`Trainable`] learns, [`Judge`] says how likely music is, [`Autoregressive`] predicts token by token. Here, too, is what all of them share: the model file, the
//! sampler, the prompt, the baselines.

pub mod adversarial;
mod autoregressive;
pub mod band;
pub mod checkpoint;
pub mod checks;
pub mod choir;
mod composer;
mod composing;
pub mod critic;
pub mod drafts;
mod expression;
mod file;
mod form;
pub mod frames;
mod habits;
mod joined;
mod judge;
mod keys;
pub mod latent;
pub mod layers;
pub mod learner;
mod likelihood;
pub mod likeness;
pub mod melodies;
pub mod ngram;
mod pieces;
pub mod plan;
mod prompt;
mod repertoire;
mod request;
mod sampling;
mod settings;
mod surprise;
pub mod tokens;
mod trainable;
mod training_set;
pub mod transplant;

pub use autoregressive::Autoregressive;
pub use cantus_nn::random::{Rng, derive, seeded};
pub use composer::{Chart, Composer, ComposerSpec, Composition, Configuration, Size, Sizes, alone, together};
pub use composing::{ComposeError, Progress};
pub use expression::accentuate;
pub use file::{
    CorpusCard, FORMAT_VERSION, Header, ModelError, ModelFile, Origin, Precision, TensorData, TrainingSummary, digest,
};
pub use form::{Form, FormError, Recall, Section};
pub use habits::{Habits, Intent, Opening};
pub use joined::{Expected, Joined, Writes, WritesError, Written};
pub use judge::{Conditional, Judge, Judgement, Moment, Rank};
pub use keys::{fold, home, over_home};
pub use likelihood::{Baseline, Evaluation, Kind, Likelihood, Unit, of_notes, said};
pub use pieces::{PieceError, Pieces, Shelf};
pub use prompt::{Prompt, merged_on_grid};
pub use repertoire::{Numbering, Reader, Repertoire};
pub use request::{Around, Cell, Control, Controls, Given, Length, Request, Styles};
pub use sampling::{Sampling, SamplingError};
pub use settings::{CheckedSettings, Settings};
pub use surprise::Surprise;
pub use trainable::{Regime, Schedule, StepAt, StepReport, Trainable};
pub use training_set::{CreateError, TrainingSet};
