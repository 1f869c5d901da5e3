//! Requests about trainings.

use super::{Answer, FILE_LIMIT, FileName, Studio, a_name, aside, file_of, parse};
use crate::error::{ApiError, json};
use crate::reading::Reads;
use crate::rendering::{self, Kept, Playing, Wanted};
use crate::trainings::{Order, Sample, TrainingError};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

impl From<TrainingError> for ApiError {
    fn from(error: TrainingError) -> ApiError {
        let status = match &error {
            TrainingError::NotFound => StatusCode::NOT_FOUND,
            TrainingError::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            TrainingError::NoComposer(_) | TrainingError::Minutes => StatusCode::BAD_REQUEST,
            TrainingError::Workshop(_) | TrainingError::Create(_) => StatusCode::UNPROCESSABLE_ENTITY,
            TrainingError::Write(_) | TrainingError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        ApiError::new(status, error)
    }
}

pub async fn list(State(shared): Studio) -> Response {
    json(StatusCode::OK, &shared.trainings.list())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

pub async fn create(State(shared): Studio, body: Bytes) -> Answer {
    let name = a_name(&parse::<Named>(&body)?.name, "training")?;
    let manifest = shared.trainings.create(shared.ids.next(), name)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::CREATED, &manifest))
}

pub async fn rename(State(shared): Studio, Path(id): Path<String>, body: Bytes) -> Answer {
    let name = a_name(&parse::<Named>(&body)?.name, "training")?;
    let manifest = shared.trainings.rename(&id, name)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::OK, &manifest))
}

pub async fn add_file(
    State(shared): Studio,
    Path(id): Path<String>,
    Query(FileName { name }): Query<FileName>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = file_of(&name, body, FILE_LIMIT)?;
    let added = aside(move || Ok(shared.trainings.add(&id, &name, &body)?));
    Ok(json(StatusCode::CREATED, &added.await?))
}

pub async fn get(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || Ok(json(StatusCode::OK, &shared.trainings.view(&id)?))).await
}

/// What a query says, or why it cannot be understood.
fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(asked)| asked).map_err(|error| ApiError::bad_request(error.body_text()))
}

pub async fn preflight(
    State(shared): Studio,
    Path(id): Path<String>,
    query: Result<Query<Reads>, QueryRejection>,
) -> Answer {
    let options = asked(query)?.options()?;
    aside(move || Ok(json(StatusCode::OK, &shared.trainings.preflight(&id, &options)?))).await
}

#[derive(Deserialize)]
pub struct Asked {
    composer: Option<String>,
    reading: Option<String>,
    grid: Option<u32>,
    min_bars: Option<u64>,
    min_notes: Option<usize>,
}

pub async fn estimate(
    State(shared): Studio,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Answer {
    let Asked { composer, reading, grid, min_bars, min_notes } = asked(query)?;
    let options = Reads { reading, grid, min_bars, min_notes }.options()?;
    aside(move || Ok(json(StatusCode::OK, &shared.trainings.estimate(&id, composer.as_deref(), &options)?))).await
}

pub async fn start(State(shared): Studio, Path(id): Path<String>, body: Bytes) -> Answer {
    let order: Order = parse(&body)?;
    order.options.options()?;
    if let Some(from) = &order.from
        && shared.models.find(&shared, from).is_none()
    {
        return Err(ApiError::bad_request(format!("there is no model `{from}` to go on from")));
    }
    let manifest = shared.trainings.start(&id, order)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::ACCEPTED, &manifest))
}

pub async fn stop(State(shared): Studio, Path(id): Path<String>) -> Answer {
    let manifest = shared.trainings.stop(&id)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::ACCEPTED, &manifest))
}

pub async fn delete(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || {
        shared.trainings.delete(&id)?;
        shared.events.gone("training", &id);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// What plays a sample.
#[derive(Deserialize)]
pub struct Played {
    /// By its name.
    sound: Option<String>,
    /// How far a player goes from what is written; as it is written where it is missing.
    played: Option<f64>,
}

pub async fn sample(
    State(shared): Studio,
    Path((id, name, form)): Path<(String, String, String)>,
    Query(Played { sound, played }): Query<Played>,
) -> Answer {
    aside(move || {
        let Sample { midi, choir } = shared.trainings.sample(&id, &name)?;
        let wanted = Wanted {
            form: &form,
            title: None,
            bars_kept: 0,
            parts: None,
            sound: sound.as_deref(),
            choir,
            playing: played.map(|strength| Playing { strength, seed: 1 }),
        };
        rendering::render(Kept { midi: &midi, sheet: None }, &name, &wanted)
    })
    .await
}
