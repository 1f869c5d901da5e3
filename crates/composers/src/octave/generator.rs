//! The network that writes pitch classes: local layer, attention over lags, aggregation, voices.

use super::pieces::{Batch, INPUT};
use super::settings::OctaveSettings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::octave_roll::PitchClasses;
use cantus_model::Rng;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::lag_attention::attend;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::params::values_of;
use cantus_nn::voices::{Prediction, Voices};

/// The generator.
#[derive(Module, Debug)]
pub(super) struct Generator {
    /// Reads the last step.
    pub local: Lstm,
    /// Weighs the lags.
    pub controller: Lstm,
    pub attention: Linear,
    /// Reads the local layer and what the attention read.
    pub aggregation: Lstm,
    pub voices: Voices,
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    pub rate: f32,
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

impl Generator {
    pub(super) fn new(settings: &OctaveSettings, rng: &mut Rng, device: &Device) -> Generator {
        let OctaveSettings { local, controller, aggregation, voice, .. } = *settings;
        Generator {
            local: Lstm::uniform(INPUT, local, rng, device),
            controller: Lstm::uniform(INPUT, controller, rng, device),
            attention: Linear::uniform(controller, settings.lags.len(), rng, device),
            aggregation: Lstm::uniform(local + PitchClasses::COUNT, aggregation, rng, device),
            voices: Voices::new(aggregation, PitchClasses::COUNT, voice, settings.decisions.rule(), rng, device),
        }
    }

    /// What the voices read, and the scores of the lags.
    ///
    /// # Shapes
    /// -> `[T, B, F]`, `[T, B, K]`
    pub(super) fn features(&self, batch: &Batch, masks: Option<Masks>, device: &Device) -> (Tensor<3>, Tensor<3>) {
        let x = TensorData::new(batch.inputs.clone(), [batch.steps, batch.rows, INPUT]);
        let x = Tensor::<3>::from_data(x, device);
        let run = |lstm: &Lstm, x| lstm.forward(x, &LstmState::zeros(batch.rows, lstm.hidden())).0;
        let drop = |x, layer| match masks {
            Some(Masks { rate, seed, step }) => dropout(x, rate, Some(MaskKey { seed, step, layer })),
            None => x,
        };
        let scores = self.attention.forward(run(&self.controller, x.clone()));
        let local = drop(run(&self.local, x), 0);
        let features = run(&self.aggregation, attend(local, scores.clone(), &batch.history));
        (drop(features, 1), scores)
    }

    /// The mean loss over the batch's steps, what it is made of, and the scores of the lags.
    pub(super) fn forward(
        &self,
        batch: &Batch,
        settings: &OctaveSettings,
        masks: Option<Masks>,
        device: &Device,
    ) -> (Tensor<1>, Prediction, Tensor<3>) {
        let (features, scores) = self.features(batch, masks, device);
        let (loss, prediction) = self.voices.forward(features, batch.targets(settings));
        (loss, prediction, scores)
    }
}

/// Adds to `mass` the weight of each lag at every step that counts.
pub(super) fn add_mass(scores: Tensor<3>, weights: &[f32], mass: &mut [f64]) {
    let lags = mass.len();
    let mut row = vec![0.0; lags];
    for (scores, weight) in values_of(scores).chunks_exact(lags).zip(weights) {
        if *weight > 0.0 {
            cantus_nn::lag_attention::weights(scores, &mut row);
            mass.iter_mut().zip(&row).for_each(|(mass, a)| *mass += f64::from(*a));
        }
    }
}
