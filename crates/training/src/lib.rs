//! Training: the loop, the run folder, the curves. Knows traits, no model.
//!
//! [`Training`] drives any [`cantus_model::Trainable`] through epochs: warms the learning rate up, evaluates after each epoch, lets
//! the learning rate fall once validation stands still (or most of the time is used up), keeps the best, and writes checkpoints
//! from which the same figures follow bit for bit, wherever it was stopped. A [`Doctor`] looks after it.

pub mod bars;
mod corpus;
pub mod curves;
pub mod doctor;
mod record;
pub mod run_folder;
mod schedule;
mod training;

pub use corpus::{corpus_card, training_set};
pub use doctor::{Doctor, Illness, Remark, Trial};
pub use record::{Best, Figures, Metrics, RunDescription};
pub use schedule::{Bounds, Phase};
pub use training::{CheckpointPolicy, End, Event, Observer, Outcome, SampleWriter, TrainError, Training};
