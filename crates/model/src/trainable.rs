//! What the trainer sees of a composer.

use crate::latent::CodeUse;
use crate::{Baseline, Composer, ComposerSpec, Evaluation, Kind, ModelError, ModelFile, PieceError, Pieces, Unit};
use cantus_encoding::VocabularyError;
use cantus_score::{Meter, Reading, Score, Tempo};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// A style is told apart where so many pieces are there to learn it from.
const ENOUGH: usize = 4;

/// The pieces to learn from and those to be judged by: read as a composer asks for; merged, that is quantised and one part each, unless it
/// asks for something else.
#[derive(Clone, Debug, Default)]
pub struct TrainingSet {
    /// Learnt from.
    pub train: Pieces,
    /// Judged by; never learnt from.
    pub valid: Pieces,
    /// How the pieces were read.
    pub reading: Reading,
    /// Whether it is known where a pitch that sounds on is struck again; else such notes are one, or each as short as can be.
    pub attacks: bool,
}

impl TrainingSet {
    /// All pieces.
    pub fn all(&self) -> impl Iterator<Item = Cow<'_, Score>> {
        self.train.iter().chain(self.valid.iter())
    }

    /// The styles that can be told apart, in order: the folders of the corpus in which enough pieces to learn from lie, where these are two
    /// at least.
    pub fn styles(&self) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for style in (0..self.train.len()).filter_map(|number| self.train.style(number)) {
            *counts.entry(style).or_default() += 1;
        }
        counts.retain(|_, count| *count >= ENOUGH);
        if counts.len() < 2 { Vec::new() } else { counts.into_keys().map(str::to_owned).collect() }
    }

    /// The pieces of one style.
    pub fn of_style(&self, style: &str) -> TrainingSet {
        let [train, valid] = [&self.train, &self.valid].map(|pieces| pieces.of_style(style));
        TrainingSet { train, valid, ..self.clone() }
    }

    /// Whether all pieces that were asked for could be had. Asked after whatever looks at pieces, and before anything is done with what it
    /// found.
    ///
    /// # Errors
    /// [`PieceError`]: the first that could not.
    pub fn check_whole(&self) -> Result<(), PieceError> {
        self.train.check_whole()?;
        self.valid.check_whole()
    }

    /// Whether there is a note to learn from, and one to be judged by.
    ///
    /// # Errors
    /// [`CreateError::EmptyCorpus`], where there is none.
    pub fn check_sounding(&self) -> Result<(), CreateError> {
        for (pieces, what) in [(&self.train, "training"), (&self.valid, "validation")] {
            if pieces.iter().all(|piece| piece.note_count() == 0) {
                return Err(CreateError::EmptyCorpus { what });
            }
        }
        Ok(())
    }

    /// The metre of most bars; 4/4 where there is none.
    pub fn usual_meter(&self) -> Meter {
        let mut meters: BTreeMap<Meter, u64> = BTreeMap::new();
        for piece in self.all() {
            piece.bars().for_each(|bar| *meters.entry(bar.meter).or_default() += 1);
        }
        meters.iter().max_by_key(|(_, bars)| **bars).map_or(Meter::COMMON, |(meter, _)| *meter)
    }

    /// The middle one of the pieces' first tempos, where they have any.
    pub fn usual_tempo(&self) -> Option<Tempo> {
        let mut tempos: Vec<Tempo> =
            self.all().filter_map(|piece| piece.tempos.first().map(|(_, tempo)| *tempo)).collect();
        tempos.sort_unstable_by_key(|tempo| tempo.micros_per_quarter());
        tempos.get(tempos.len() / 2).copied()
    }
}

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

    /// What simpler models give to the validation tokens, the weakest first: two at least.
    fn baselines(&self) -> Vec<Baseline>;

    /// The network as a file that a composer can be loaded from.
    fn save(&self) -> ModelFile;

    /// What [`Trainable::finish`] is going to do with a model, in a line; `None` where it does nothing.
    fn finishing(&self, _model: &ModelFile) -> Option<String> {
        None
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

/// Why a composer cannot be made for a corpus.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Nothing to learn from.
    #[error("there is no {what} piece to learn from; the report says why files were refused")]
    EmptyCorpus {
        /// Training or validation.
        what: &'static str,
    },
    /// A piece cannot be read back from where it was put.
    #[error(transparent)]
    Piece(#[from] PieceError),
    /// The corpus gives no vocabulary.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// Music of another kind than the composer writes.
    #[error("composer {composer} cannot learn from this music: {problem}")]
    Unsuitable {
        /// The composer.
        composer: &'static str,
        /// Why, and what to do.
        problem: String,
    },
    /// A composer by rules.
    #[error("composer `{composer}` learns nothing, it composes by rules and at once: `cantus compose -m {composer}`")]
    LearnsNothing {
        /// The composer.
        composer: &'static str,
    },
    /// Unknown or impossible settings.
    #[error("settings of composer {composer}: {problem}")]
    Settings {
        /// The composer.
        composer: &'static str,
        /// What is wrong.
        problem: String,
    },
}
