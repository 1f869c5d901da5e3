//! What the trainer sees of a composer.

use crate::latent::CodeUse;
use crate::{Baseline, Composer, ComposerSpec, Evaluation, Kind, ModelError, ModelFile, Unit};
use std::sync::atomic::AtomicBool;

/// How the learning rate moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// It stays, as in the historical programs; training ends after the epochs asked for.
    Constant,
    /// Rises over the first steps, stays until validation stops to improve (or most of the time is used up), then falls to zero.
    WarmupStableDecay {
        /// Steps of rising.
        warmup: u64,
    },
}

/// How a composer wants to be trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regime {
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// How it moves.
    pub schedule: Schedule,
    /// Epochs without improvement that count as a plateau.
    pub patience: u32,
    /// Epochs that are trained where nothing else bounds them.
    pub epochs: u32,
}

/// Which step of a training this is. Batches and dropout are functions of it and the seed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepAt {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done in this epoch.
    pub step: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepReport {
    /// The batch under the network as it was before the step (dropout on).
    pub batch: Evaluation,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// False where loss or gradient was no number: the parameters were left alone.
    pub finite: bool,
}

/// A composer that is being trained.
pub trait Trainable: Send {
    /// Its entry in the registry.
    fn spec(&self) -> &'static ComposerSpec;

    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// How it wants to be trained.
    fn regime(&self) -> Regime;

    /// What kind of figure its nats are.
    fn likelihood(&self) -> Kind;

    /// What it predicts at once, and its figures count.
    fn unit(&self) -> Unit {
        Unit::Token
    }

    /// Which tokens count and what is given, in a sentence.
    fn protocol(&self) -> String;

    /// Optimiser steps in this epoch.
    fn steps(&self, epoch: u64) -> u64;

    /// One optimiser step.
    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport;

    /// The validation pieces under the network (dropout off).
    fn validate(&mut self) -> Evaluation;

    /// How much its codes say of the validation pieces; `None` where it has none.
    fn code(&self) -> Option<CodeUse> {
        None
    }

    /// How different from one another phrases are that it draws: their mean distance over that of real ones, 1 where both are as different; `None` where
    /// it is not by drawing that it learns, and cannot collapse so.
    fn diversity(&self) -> Option<f64> {
        None
    }

    /// What simpler models give to the validation tokens, the weakest first: two at least.
    fn baselines(&self) -> Vec<Baseline>;

    /// The network as a file that a composer can be loaded from.
    fn save(&self) -> ModelFile;

    /// What [`Trainable::finish`] is going to do with a model, in a line; `None` where it does nothing.
    fn finishing(&self, _model: &ModelFile) -> Option<String> {
        None
    }

    /// What is learnt when the training is over, in time of its own: [`Trainable::finishing`] of the network as it is.
    fn afterwards(&self) -> Option<String> {
        self.finishing(&self.save())
    }

    /// The model that is kept of a training that is over: what shows in whole compositions alone is learnt now, and put into it. `None`
    /// where there is nothing more to learn, the model was finished before, or `stop` was set meanwhile. It changes no
    /// likelihood. `progress` is told how much of it is done, 0-1.
    ///
    /// # Errors
    /// [`ModelError`], where the model does not fit.
    fn finish(
        &self,
        _model: &ModelFile,
        _stop: &AtomicBool,
        _progress: &mut dyn FnMut(f64),
    ) -> Result<Option<ModelFile>, ModelError> {
        Ok(None)
    }

    /// [`Trainable::save`] with all that it takes to continue as if never stopped.
    fn checkpoint(&self) -> ModelFile;

    /// Continues from a checkpoint made for the same settings, seed and corpus.
    ///
    /// # Errors
    /// [`ModelError`], where it does not fit.
    fn resume(&mut self, checkpoint: &ModelFile) -> Result<(), ModelError>;

    /// Takes a model's parameters, and keeps everything else: the optimiser's moments, the place in the epoch.
    ///
    /// # Errors
    /// [`ModelError`], where they do not fit.
    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError>;

    /// Begins with the parameters of a model of this composer, settings and sizes alike, that learnt from other music; what that did not
    /// know is learnt from nothing. Unless a composer says otherwise, both have one vocabulary.
    ///
    /// # Errors
    /// [`ModelError::OtherVocabulary`], where the two have too little in common.
    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        self.adopt(base).map_err(|error| match error {
            ModelError::Shape { name, .. } => {
                ModelError::OtherVocabulary { composer: self.spec().id, what: format!("the parameter {name}") }
            }
            error => error,
        })
    }

    /// The network as it is now, to compose with.
    fn composer(&self) -> Box<dyn Composer>;
}
