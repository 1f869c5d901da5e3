//! Composers of frames: sets of keys, one a step, each predicted from those before it; where attacks are known, with the keys of each set
//! that are struck.
//!
//! Everything that such composers share is here: how pieces become batches, training, judging, composing. What tells one from another
//! is its head: how features of the past become a distribution over the next frame ([`FrameNetwork`] to train it, [`FrameHead`] to
//! judge and to draw). The past is read by LSTM layers, whose input at a step is the frame before it,
//! as one row of numbers or as several, each with a state of its own (one for each key, say). Heads know of sets alone: which keys
//! are struck again is decided after them, for all composers in the same way.

mod bars;
mod baselines;
mod batches;
pub mod exam;
pub mod machines;
mod network;
mod player;
mod repertoire;
mod repetition;
mod settings;
mod strokes;
mod trainer;

pub use bars::BarSteps;
pub use batches::{Batch, Window};
pub use network::{FrameNetwork, Learning};
pub use player::{FrameComposer, moments};
pub use repetition::{Leave, Limits, Runs};
pub use settings::{FrameSettings, Reading, Roll, check_time};
pub use trainer::FrameTrainer;

use crate::{Evaluation, Kind, ModelError, ModelFile, Rng, Sampling};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_encoding::voices::items;
use cantus_nn::bernoulli;
use cantus_nn::joint::Decision;
use serde::{Deserialize, Serialize};

/// Whether the notes of a frame depend on one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum League {
    /// Independent keys, given the past.
    Factored,
    /// A distribution over sets of keys.
    Joint,
}

impl std::fmt::Display for League {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            League::Factored => "factored",
            League::Joint => "joint",
        })
    }
}

/// What a model gives to one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrameFigure {
    /// Negative log-likelihood, in nats.
    pub nats: f64,
    /// Of these, what it takes to say which of the keys that sound on are struck again; 0 where strokes are not read.
    pub strokes: f64,
    /// Variance of `nats` where it is an estimate, else 0.
    pub variance: f64,
    /// Expected number of keys that are both there and predicted.
    pub hits: f64,
    /// Expected number of keys that are there or predicted.
    pub union: f64,
}

/// Figures of many frames, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrameSums {
    /// Negative log-likelihood, in nats.
    pub nats: f64,
    /// Frames counted.
    pub frames: f64,
    /// The frames' own accuracies.
    pub accuracies: f64,
}

impl FrameFigure {
    /// Of frames whose keys are coins, each by its logit.
    ///
    /// # Shapes
    /// `[N, 88]`, `[N]` -> `[N]`
    pub fn of_coins(logits: &[f32], frames: &[Keys]) -> Vec<FrameFigure> {
        let mut target = [0.0; Keys::COUNT];
        let figure = |(logits, keys): (&[f32], &Keys)| {
            keys.write(&mut target);
            let found = bernoulli::row(logits, &target, 1.0);
            FrameFigure { nats: found.nats, hits: found.hits, union: found.union, ..FrameFigure::default() }
        };
        logits.chunks_exact(Keys::COUNT).zip(frames).map(figure).collect()
    }

    /// Of a set under a joint head, whose decision is open; hits and union are counted along the set's own members: those given by their
    /// decisions, and the ones given wrongly.
    pub fn of_set(decision: &mut Decision<'_>, set: u128) -> FrameFigure {
        let mut figure = FrameFigure { union: f64::from(set.count_ones()), ..FrameFigure::default() };
        for member in items(set).map(Some).chain([None]) {
            let probabilities = decision.probabilities();
            let last = probabilities.len() - 1;
            let (end, given) = (f64::from(probabilities[last]), f64::from(probabilities[member.unwrap_or(last)]));
            figure.nats -= given.max(f64::from(f32::MIN_POSITIVE)).ln();
            match member {
                Some(member) => {
                    figure.hits += given;
                    figure.union += (1.0 - given - end).max(0.0);
                    decision.choose(member);
                }
                None => figure.union += (1.0 - end).max(0.0),
            }
        }
        figure
    }

    /// The frame's own accuracy, 0-1.
    pub fn accuracy(&self) -> f64 {
        if self.union > 0.0 { (self.hits / self.union).clamp(0.0, 1.0) } else { 1.0 }
    }
}

/// The frame accuracy `TP / (TP + FP + FN)`, 0-1: expectations under the model, both parts summed over all frames; 1 where nothing is
/// there nor expected.
///
/// Source: M. Bay, A. Ehmann, J. Downie, Evaluation of Multiple-F0 Estimation and Tracking Systems, ISMIR 2009; expected: N.
/// Boulanger-Lewandowski et al., ICML 2012, arXiv:1206.6392v1, section 6.
pub fn frame_accuracy<'f>(figures: impl IntoIterator<Item = &'f FrameFigure>) -> f64 {
    let (hits, union) = figures.into_iter().fold((0.0, 0.0), |(h, u), figure| (h + figure.hits, u + figure.union));
    if union > 0.0 { hits / union } else { 1.0 }
}

/// The figures of frames that all count, as an evaluation.
pub fn evaluation<'f>(figures: impl IntoIterator<Item = &'f FrameFigure>, quarters: f64) -> Evaluation {
    figures.into_iter().fold(Evaluation { quarters, ..Evaluation::default() }, |sum, figure| Evaluation {
        nats: sum.nats + figure.nats,
        tokens: sum.tokens + 1.0,
        correct: sum.correct + figure.accuracy(),
        ..sum
    })
}

/// How much work estimates of likelihoods may cost; exact models care for `every` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Every so many frames one is judged; 1 judges all.
    pub every: usize,
    /// Independent chains a frame.
    pub chains: usize,
    /// Temperatures of annealing.
    pub temperatures: usize,
}

/// Judges pieces frame by frame.
pub trait JudgesFrames: Send + Sync {
    /// How its frames are read from scores.
    fn reading(&self) -> Reading;

    /// What kind of figure its nats are.
    fn kind(&self) -> Kind;

    /// Whether the notes of a frame depend on one another.
    fn league(&self) -> League;

    /// Figures for all frames of each piece, the first (predicted from nothing) included; `None` for frames left out by
    /// [`Effort::every`]. A function of its arguments alone.
    fn judge_frames(&self, pieces: &[Vec<Frame>], effort: Effort, seed: u64) -> Vec<Vec<Option<FrameFigure>>>;
}

/// What a head keeps of a piece beside the features that the layers give it, added to frame by frame.
pub trait Past: Clone + Default + Send + Sync {
    /// Adds the next frame.
    fn push(&mut self, frame: Keys);
}

/// Nothing.
impl Past for () {
    fn push(&mut self, _: Keys) {}
}

/// A step of a piece. Its past knows the frames before it at least; a head looks at no others.
#[derive(Debug)]
pub struct Step<'a, P> {
    /// What is kept of the piece.
    pub past: &'a P,
    /// Which step.
    pub at: usize,
    /// What its memory of the piece, if it has one, may offer.
    pub recalling: Recalling,
}

/// What a memory of the piece offers at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recalling {
    /// What it finds.
    #[default]
    Free,
    /// Nothing: the music has repeated itself for too long.
    Nothing,
    /// What stood at this step, which is to come again.
    Step(usize),
}

impl Recalling {
    /// How sure each note is of a step that comes again.
    pub const TRUST: f32 = 0.985;
}

// By hand: deriving them would ask the same of `P`.
impl<P> Clone for Step<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Step<'_, P> {}

/// How features of the past become a distribution over the next frame: the trained form, out of a file.
pub trait FrameHead: Send + Sync + Sized {
    /// Its own settings, beside those of [`FrameSettings`].
    type Settings;
    /// What it keeps of a piece.
    type Past: Past;

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where a tensor is missing or has another shape.
    fn load(file: &ModelFile, settings: &Self::Settings, features: usize) -> Result<Self, ModelError>;

    /// What kind of figure its nats are.
    fn kind() -> Kind;

    /// Whether the notes of a frame depend on one another.
    fn league() -> League;

    /// What a person would want to know of it, in a line.
    fn describe(&self) -> String;

    /// Whether it has a memory of the piece, which can be told what comes again.
    fn remembers(&self) -> bool {
        false
    }

    /// How it draws unless told otherwise.
    fn default_sampling() -> Sampling;

    /// Figures of frames, given the features of their past: a row of them for each row of state that a piece has.
    ///
    /// # Shapes
    /// `features`: `[N * ROWS, F]`, `steps`, `targets`: `[N]` -> `[N]`
    fn judge(
        &self,
        features: &[f32],
        steps: &[Step<'_, Self::Past>],
        targets: &[Keys],
        effort: Effort,
        seed: u64,
    ) -> Vec<FrameFigure>;

    /// A frame of `allowed` keys, given the features of its past and the frame before; `None` where the model gives no number. Takes
    /// as many numbers from `rng` whatever they are.
    ///
    /// # Shapes
    /// `features`: `[ROWS, F]`
    fn draw(
        &self,
        features: &[f32],
        step: Step<'_, Self::Past>,
        before: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys>;
}
