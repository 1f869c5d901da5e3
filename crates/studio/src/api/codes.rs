//! Requests about what is made of pieces by their codes: what lies between two, and variations of one. It is made whenever it is asked
//! for, and kept where a person says so.

use super::pieces::{Heard, found};
use super::{Answer, Studio, aside};
use crate::Shared;
use crate::composing::{chain, keep as kept};
use crate::error::{ApiError, json};
use crate::models::Entry;
use crate::rendering::{self, Kept};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use cantus_formats::{Limits, midi};
use cantus_model::latent::{BLENDING, VARYING, Way, Wish};
use cantus_model::{Composition, Sampling, digest};
use cantus_workshop::{self as workshop, Model, Provenance};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

/// A variation of a variation ...: so many generations at most.
const GENERATIONS: usize = 64;

/// What lies between two pieces: 0 is the first of them, 1 the second.
pub async fn blend(
    State(shared): Studio,
    Path((id, other, at, form)): Path<(String, String, String, String)>,
    Query(heard): Query<Heard>,
) -> Answer {
    aside(move || Made::between(&shared, &id, &other, &at)?.in_form(&form, &heard)).await
}

/// It is kept as a piece.
pub async fn keep_blend(State(shared): Studio, Path((id, other, at)): Path<(String, String, String)>) -> Answer {
    aside(move || Made::between(&shared, &id, &other, &at)?.keep(&shared)).await
}

/// A variation of a piece, or of a variation of it: the steps that lead there.
pub async fn variation(
    State(shared): Studio,
    Path((id, steps, form)): Path<(String, String, String)>,
    Query(heard): Query<Heard>,
) -> Answer {
    aside(move || Made::varied(&shared, &id, &steps)?.in_form(&form, &heard)).await
}

/// It is kept as a piece.
pub async fn keep_variation(State(shared): Studio, Path((id, steps)): Path<(String, String)>) -> Answer {
    aside(move || Made::varied(&shared, &id, &steps)?.keep(&shared)).await
}

/// From a piece to a variation: written `SEED@AMOUNT`, as in `7@0.3`.
struct Step {
    seed: u64,
    amount: f64,
}

impl FromStr for Step {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Step, ApiError> {
        let parts = text.split_once('@').map(|(seed, amount)| (seed.parse(), amount.parse()));
        match parts {
            Some((Ok(seed), Ok(amount))) => Ok(Step { seed, amount }),
            _ => Err(ApiError::bad_request(format!("`{text}` is no step to a variation: write SEED@AMOUNT, as 7@0.3"))),
        }
    }
}

/// What was made of pieces.
struct Made {
    title: String,
    entry: Entry,
    model: Arc<Model>,
    composition: Composition,
    seed: u64,
    sampling: Sampling,
}

impl Made {
    fn model(shared: &Shared) -> Result<(Entry, Arc<Model>), ApiError> {
        let entry = shared.models.find(shared, workshop::TUNES).ok_or_else(|| ApiError::not_found("model"))?;
        let model = shared.models.load(&entry).map_err(ApiError::internal)?;
        Ok((entry, model))
    }

    fn between(shared: &Shared, id: &str, other: &str, at: &str) -> Result<Made, ApiError> {
        let at: f64 = at.parse().map_err(|_| ApiError::bad_request(format!("`{at}` is no number from 0 to 1")))?;
        let ((first, a), (second, b)) = (found(shared, id)?, found(shared, other)?);
        let score = |file: &[u8]| midi::read(file, &Limits::default()).map_err(ApiError::internal);
        let (from, to) = (score(&a)?.score, score(&b)?.score);
        let (entry, model) = Made::model(shared)?;
        let digests = [&a, &b].map(|file| digest(file));
        let seed = first.origin.seed;
        let on = &mut |_| ControlFlow::Continue(());
        let blended = workshop::blend(&model, ([&from, &to], &digests), Way::At(at), BLENDING, seed, on);
        let (composition, _) = blended.map_err(|error| ApiError::bad_request(chain(&error)))?;
        let title = format!("Between {} and {}", first.title, second.title);
        Ok(Made { title, entry, model, composition, seed, sampling: BLENDING })
    }

    fn varied(shared: &Shared, id: &str, steps: &str) -> Result<Made, ApiError> {
        let steps = steps.split(',').map(Step::from_str).collect::<Result<Vec<_>, _>>()?;
        if steps.len() > GENERATIONS {
            return Err(ApiError::bad_request(format!(
                "a variation is at most {GENERATIONS} generations from its piece: keep one, and go on from it"
            )));
        }
        let (piece, file) = found(shared, id)?;
        let score = midi::read(&file, &Limits::default()).map_err(ApiError::internal)?.score;
        let (entry, model) = Made::model(shared)?;
        let mut given = [digest(&file)];
        let mut composition = Composition::new(score, Vec::new());
        let mut seed = piece.origin.seed;
        for step in steps {
            seed = step.seed;
            let wish = Wish { amount: step.amount, ..Wish::default() };
            let on = &mut |_| ControlFlow::Continue(());
            let varied = workshop::vary(&model, (&composition.score, &given), &wish, VARYING, &[seed], on);
            let varied = varied.map_err(|error| ApiError::bad_request(chain(&error)))?;
            composition = varied.into_iter().next().ok_or_else(|| ApiError::not_found("variation"))?.0;
            given = [digest(&midi::write(&composition.score).map_err(ApiError::internal)?)];
        }
        let title = format!("Variation of {}", piece.title);
        Ok(Made { title, entry, model, composition, seed, sampling: VARYING })
    }

    fn in_form(self, form: &str, heard: &Heard) -> Answer {
        let midi = midi::write(&self.composition.score).map_err(ApiError::internal)?;
        let parts = heard.parts()?;
        let wanted = heard.wanted(form, &self.title, parts.as_deref(), self.seed);
        rendering::render(Kept { midi: &midi, sheet: None }, &self.title, &wanted)
    }

    fn keep(mut self, shared: &Shared) -> Answer {
        self.composition.score.title = Some(self.title);
        let bars = self.composition.score.bar_count();
        let origin = Provenance::new(&self.model, self.seed, bars, self.sampling);
        let piece = kept(shared, shared.ids.next(), (self.entry, &self.model), self.composition, origin)
            .map_err(ApiError::internal)?;
        shared.events.tell("piece", &piece);
        Ok(json(StatusCode::CREATED, &piece))
    }
}
