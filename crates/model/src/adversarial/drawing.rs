//! A trained generator, ready to draw.

use super::{Duel, Rules};
use crate::{Habits, ModelError, ModelFile, checkpoint};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_nn::params::values_of;
use cantus_nn::random::seeded;

/// A generator out of a model file.
#[derive(Debug)]
pub struct Drawing<D: Duel> {
    /// What it knows of its corpus.
    pub duel: D,
    /// Its settings.
    pub own: D::Own,
    /// Tempos, metres and keys of the corpus.
    pub habits: Option<Habits>,
    /// Number of parameters.
    pub parameters: usize,
    generator: D::Generator,
}

impl<D: Duel> Drawing<D> {
    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub fn load(file: &ModelFile) -> Result<Drawing<D>, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let (_, own) = Rules::read::<D::Own>(&file.header.settings).map_err(metadata)?;
        D::check_settings(&own).map_err(metadata)?;
        let duel: D = serde_json::from_value(file.header.encoding[D::spec().encoding].clone())
            .map_err(|error| metadata(error.to_string()))?;
        duel.check().map_err(metadata)?;
        let generator = duel.generator(&own, &mut seeded(0), &Device::flex());
        Ok(Drawing {
            generator: checkpoint::restore(generator, file)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            duel,
            own,
        })
    }

    /// The logits of phrases drawn out of noise, one after another; `None` where they are no numbers.
    ///
    /// # Shapes
    /// `[B, noise]` row by row -> `[B, cells]`
    ///
    /// # Panics
    /// If the noise is no whole number of rows.
    pub fn logits(&self, noise: Vec<f32>) -> Option<Vec<f32>> {
        let width = self.duel.noise(&self.own);
        let noise = TensorData::new(noise.clone(), [noise.len() / width, width]);
        let noise = Tensor::<2>::from_data(noise, &Device::flex());
        let logits = values_of(self.duel.logits(&self.own, &self.generator, noise));
        logits.iter().all(|z| z.is_finite()).then_some(logits)
    }
}
