//! A network that predicts frames, as it is trained.

use super::batches::Batch;
use super::repertoire::Piece;
use super::{Effort, FrameHead, FrameSettings, FrameSums};
use crate::learner::Recurrent;
use crate::{ComposerSpec, Rng};
use burn::tensor::{Device, Tensor};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_nn::coins::Coins;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::Arc;

/// What a network's head keeps of a piece.
pub(super) type PastOf<N> = <<N as FrameNetwork>::Head as FrameHead>::Past;

/// Where in a training a loss is asked for, and what is learnt from.
#[derive(Debug)]
pub struct Learning<'a, P> {
    /// The pieces that a batch has windows of.
    pub(super) pieces: &'a HashMap<usize, Arc<Piece<P>>>,
    /// The settings that all composers of frames share.
    pub settings: &'a FrameSettings,
    /// The run's seed.
    pub seed: u64,
    /// Epochs done.
    pub epoch: u64,
    /// A number that no other step has.
    pub step: u64,
}

impl<P> Learning<'_, P> {
    /// What the head keeps of a training piece that the batch has a window of, in its own key.
    pub fn past(&self, piece: usize) -> &P {
        &self.pieces[&piece].past
    }
}

/// A network that predicts frames, as it is trained. Its layers' parameters must be named `lstms`, and what decides which keys are struck
/// again ([`FrameSettings::strokes`]) `strokes`.
pub trait FrameNetwork: Recurrent + Send + 'static {
    /// Its head out of a file.
    type Head: FrameHead<Settings = Self::OwnSettings> + 'static;
    /// The head's settings, beside those of [`FrameSettings`].
    type OwnSettings: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The composer.
    fn spec() -> &'static ComposerSpec;

    /// Whether the head's settings make sense.
    ///
    /// # Errors
    /// What is wrong, beginning with the setting's name.
    fn check(settings: &Self::OwnSettings) -> Result<(), String>;

    /// Width I of each row that the first layer reads.
    fn input(settings: &FrameSettings, _: &Self::OwnSettings) -> usize {
        settings.input()
    }

    /// Writes what is read before frame `step` of a piece: a row for each that a piece has ([`Recurrent::ROWS`]).
    ///
    /// # Shapes
    /// `rows`: `[ROWS, I]`, zeros
    fn write_input(
        settings: &FrameSettings,
        _: &Self::OwnSettings,
        before: Option<Frame>,
        step: usize,
        rows: &mut [f32],
    ) {
        settings.write_input(before, step, rows);
    }

    /// A network that has learnt nothing but how often each key sounds, 0-1.
    fn new(
        settings: &FrameSettings,
        own: &Self::OwnSettings,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Self;

    /// What decides which keys are struck again, where that is read.
    fn strokes(&self) -> Option<&Coins>;

    /// The loss of the keys of a batch, a mean over frames, and its figures; strokes come on top.
    ///
    /// # Shapes
    /// `features`: `[T * B * ROWS, F]` -> `[1]`
    fn loss(
        &self,
        own: &Self::OwnSettings,
        features: Tensor<2>,
        batch: &Batch,
        at: Learning<'_, PastOf<Self>>,
    ) -> (Tensor<1>, FrameSums);

    /// How validation frames are judged, given how many there are.
    fn validation_effort(own: &Self::OwnSettings, frames: usize) -> Effort;
}
