//! A trained generator, ready to draw.

use super::{Duel, Rules};
use crate::{Composition, Habits, Intent, ModelError, ModelFile, Prompt, Request, accentuate, checkpoint};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_nn::params::values_of;
use cantus_nn::random::seeded;
use cantus_score::{Meter, Score, Ticks};

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

/// The metre of a piece: what follows a prompt keeps its last one.
pub fn meter(intent: &Intent<'_>, prompt: Option<&Prompt>) -> Meter {
    match prompt {
        Some(prompt) => prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter),
        None => intent.meter().unwrap_or_default(),
    }
}

/// A piece with its key, its tempo and its accents. After a prompt it is in the key without accidentals, and the prompt's key lies `over`
/// semitones above; `range` are the lowest and the highest pitch of the corpus.
pub fn finished(
    mut score: Score,
    intent: &Intent<'_>,
    request: &Request,
    (low, high): (u8, u8),
    over: i32,
) -> Composition {
    let Some(prompt) = request.prompt() else {
        intent.finish(&mut score, (low, high.max(low)));
        if let (Some(key), true) = (intent.key.and(request.controls.key), score.keys.is_empty()) {
            score.keys.push((Ticks::ZERO, key));
        }
        accentuate(&mut score, Ticks::ZERO);
        return Composition::new(score, Vec::new());
    };
    score = score.transposed(over).unwrap_or(score);
    accentuate(&mut score, Ticks::ZERO);
    let is_strange = prompt.score().pitched_notes().any(|note| !(low..=high).contains(&note.pitch.get()));
    let remarks = is_strange.then(|| Prompt::HEARD_NEAREST.to_owned()).into_iter().collect();
    Composition::new(prompt.join(&score, Ticks::ZERO), remarks)
}
