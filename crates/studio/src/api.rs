//! The routes. `openapi.json` describes them; a test holds the two together.

use crate::composing::{self, MOST_BARS};
use crate::error::{ApiError, json};
use crate::library::BEST_RATING;
use crate::prompts::{Prompt, PromptError};
use crate::trainings::{self, TrainingError};
use crate::{Shared, guard, page, rendering, sources};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cantus_composers::registry;
use cantus_model::{Ability, Form};
use cantus_workshop as workshop;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{Cursor, Write};
use std::sync::Arc;

/// Bytes of a request that is JSON.
const JSON_LIMIT: usize = 64 << 10;
/// Bytes of a prompt.
const PROMPT_LIMIT: usize = 4 << 20;
/// Bytes of a file to learn from.
const FILE_LIMIT: usize = 16 << 20;

type Answer = Result<Response, ApiError>;
type Studio = State<Arc<Shared>>;

/// All routes, behind the guard.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/models", get(models))
        .route("/api/composers", get(composers))
        .route("/api/prompts", post(keep_prompt).layer(DefaultBodyLimit::max(PROMPT_LIMIT)))
        .route("/api/compositions", get(compositions).post(compose))
        .route("/api/compositions/{id}", axum::routing::delete(cancel))
        .route("/api/pieces", get(pieces))
        .route("/api/pieces/{id}", get(piece).patch(rate).delete(delete_piece))
        .route("/api/pieces/{id}/source", get(source))
        .route("/api/pieces/{id}/{form}", get(piece_as))
        .route("/api/library.zip", get(export))
        .route("/api/trainings", get(list_trainings).post(create_training))
        .route("/api/trainings/{id}", get(training).delete(delete_training))
        .route("/api/trainings/{id}/files", post(add_file).layer(DefaultBodyLimit::max(FILE_LIMIT)))
        .route("/api/trainings/{id}/preflight", get(preflight))
        .route("/api/trainings/{id}/start", post(start_training))
        .route("/api/trainings/{id}/stop", post(stop_training))
        .route("/api/trainings/{id}/samples/{name}/{form}", get(sample_as))
        .route("/api/events", get(events))
        .route("/api/openapi.json", get(openapi))
        .fallback(get(page::file))
        .layer(DefaultBodyLimit::max(JSON_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared)
}

/// The body as JSON, whatever its content type says: the guard has made sure where it comes from.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    // An object, and nothing else: serde would take the empty list for one with nothing but defaults.
    serde_json::from_slice(body)
        .and_then(|object: serde_json::Map<_, _>| serde_json::from_value(object.into()))
        .map_err(|error| ApiError::bad_request(format!("the request cannot be understood: {error}")))
}

/// Work that takes a while must not keep other requests waiting.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}

async fn models(State(shared): Studio) -> Answer {
    aside(move || Ok(json(StatusCode::OK, &shared.models.list(&shared)))).await
}

async fn composers() -> Response {
    let all: Vec<_> = registry::COMPOSERS
        .iter()
        .map(|spec| {
            let configurations: Vec<_> = spec
                .configurations
                .iter()
                .map(|known| serde_json::json!({ "name": known.name, "summary": known.summary }))
                .collect();
            serde_json::json!({ "id": spec.id, "title": spec.title, "source": spec.source, "configurations": configurations })
        })
        .collect();
    json(StatusCode::OK, &all)
}

impl From<PromptError> for ApiError {
    fn from(error: PromptError) -> ApiError {
        let status = match &error {
            PromptError::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PromptError::Read(_) | PromptError::Tunes(_) => StatusCode::UNPROCESSABLE_ENTITY,
            PromptError::Write(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        ApiError::new(status, error)
    }
}

async fn keep_prompt(State(shared): Studio, Query(FileName { name }): Query<FileName>, body: Bytes) -> Answer {
    aside(move || {
        let Prompt { sha256, score } = shared.prompts.keep(&name, &body)?;
        // A damaged file may claim any number.
        let bars = score.bars().skip(1 - score.first_bar()).take(MOST_BARS + 1).count();
        let kept = serde_json::json!({ "sha256": sha256, "bars": bars, "notes": score.note_count() });
        Ok(json(StatusCode::CREATED, &kept))
    })
    .await
}

async fn compositions(State(shared): Studio) -> Response {
    json(StatusCode::OK, &shared.composing.list())
}

async fn compose(State(shared): Studio, body: Bytes) -> Answer {
    let mut order: composing::Order = parse(&body)?;
    let check = |fine: bool, what: String| if fine { Ok(()) } else { Err(ApiError::bad_request(what)) };
    check((1..=MOST_BARS).contains(&order.bars), format!("a piece has 1 to {MOST_BARS} bars"))?;
    check(
        order.temperature.is_none_or(|temperature| (0.0..=4.0).contains(&temperature)),
        "a temperature lies between 0 (always the likeliest) and 4".to_owned(),
    )?;
    check(
        order.tempo.is_none_or(|tempo| workshop::tempo(tempo).is_some()),
        "a tempo lies between 10 and 400 quarter notes a minute".to_owned(),
    )?;
    if let Some(prompt) = &order.prompt {
        check(
            prompt.bars >= 1 && prompt.bars < order.bars,
            "a prompt keeps at least one bar, and fewer than the piece has".to_owned(),
        )?;
    }
    if let Some(form) = &order.form {
        form.parse::<Form>().map_err(|error| ApiError::bad_request(error.to_string()))?;
    }
    check(
        order.arrangement.is_none() || order.prompt.is_none() && order.form.is_none(),
        "a piece that is arranged has neither a prompt nor a form asked for".to_owned(),
    )?;
    order.seed.get_or_insert_with(workshop::fresh_seed);
    aside(move || {
        let Some(model) = shared.models.find(&shared, &order.model) else {
            return Err(ApiError::bad_request(format!("there is no model `{}`", order.model)));
        };
        let check = |asked: bool, ability: Ability, what: &str| {
            if !asked || model.abilities.contains(&ability) {
                return Ok(());
            }
            Err(ApiError::bad_request(format!("the model `{}` cannot {what}; choose another", order.model)))
        };
        check(order.form.is_some(), Ability::Form, "follow a form")?;
        check(order.arrangement.is_some(), Ability::Arrange, "work around what is given")?;
        let given = |sha256: &str| {
            shared.prompts.find(sha256).ok_or_else(|| ApiError::bad_request("there is no such upload; upload it first"))
        };
        if let Some(prompt) = &order.prompt {
            given(&prompt.sha256)?;
        }
        if let Some(arrangement) = &order.arrangement {
            let score = given(&arrangement.sha256)?.score;
            order.bars = score.bars().skip(1 - score.first_bar()).take(MOST_BARS + 1).count();
            if order.bars > MOST_BARS {
                return Err(ApiError::bad_request(format!("the piece has more than {MOST_BARS} bars")));
            }
        }
        let job = shared.composing.take(shared.ids.next(), order).map_err(ApiError::conflict)?;
        shared.events.tell("job", &job);
        Ok(json(StatusCode::ACCEPTED, &job))
    })
    .await
}

async fn cancel(State(shared): Studio, Path(id): Path<String>) -> Answer {
    if !shared.composing.cancel(&id) {
        return Err(ApiError::not_found("composition on its way"));
    }
    shared.events.gone("job", &id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn pieces(State(shared): Studio) -> Response {
    json(StatusCode::OK, &shared.library.list())
}

async fn piece(State(shared): Studio, Path(id): Path<String>) -> Answer {
    let piece = shared.library.get(&id).ok_or_else(|| ApiError::not_found("piece"))?;
    Ok(json(StatusCode::OK, &piece))
}

/// Where its longest known passage comes from; `null` where that cannot be said.
async fn source(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || {
        let piece = shared.library.get(&id).ok_or_else(|| ApiError::not_found("piece"))?;
        Ok(json(StatusCode::OK, &sources::find(&shared, &piece)))
    })
    .await
}

async fn piece_as(State(shared): Studio, Path((id, form)): Path<(String, String)>) -> Answer {
    aside(move || {
        let piece = shared.library.get(&id).ok_or_else(|| ApiError::not_found("piece"))?;
        let midi = shared.library.midi(&piece).map_err(|_| ApiError::not_found("piece"))?;
        let kept = piece.origin.prompt.as_ref().map_or(0, |prompt| prompt.bars);
        rendering::render(&midi, &form, &piece.title, kept)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rating {
    rating: u8,
}

async fn rate(State(shared): Studio, Path(id): Path<String>, body: Bytes) -> Answer {
    let Rating { rating } = parse(&body)?;
    if rating > BEST_RATING {
        return Err(ApiError::bad_request(format!("a rating is 1 to {BEST_RATING}, or 0 for none")));
    }
    aside(move || {
        let rated = shared.library.rate(&id, rating).map_err(ApiError::internal)?;
        let piece = rated.ok_or_else(|| ApiError::not_found("piece"))?;
        shared.events.tell("piece", &piece);
        Ok(json(StatusCode::OK, &piece))
    })
    .await
}

async fn delete_piece(State(shared): Studio, Path(id): Path<String>) -> Answer {
    if !shared.library.delete(&id).map_err(ApiError::internal)? {
        return Err(ApiError::not_found("piece"));
    }
    shared.events.gone("piece", &id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Every piece and its manifest in one archive.
async fn export(State(shared): Studio) -> Answer {
    let bytes = aside(move || {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        let mut put = |name: String, bytes: &[u8]| -> Result<(), ApiError> {
            archive.start_file(name, options).map_err(ApiError::internal)?;
            archive.write_all(bytes).map_err(ApiError::internal)
        };
        for piece in shared.library.list() {
            // Deleted in the meantime, perhaps.
            let Ok(midi) = shared.library.midi(&piece) else { continue };
            put(format!("{}.mid", piece.id), &midi)?;
            put(format!("{}.json", piece.id), &serde_json::to_vec_pretty(&piece).unwrap_or_default())?;
        }
        Ok(archive.finish().map_err(ApiError::internal)?.into_inner())
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"cantus-library.zip\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes).into_response())
}

impl From<TrainingError> for ApiError {
    fn from(error: TrainingError) -> ApiError {
        let status = match &error {
            TrainingError::NotFound => StatusCode::NOT_FOUND,
            TrainingError::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            TrainingError::NoComposer(_) | TrainingError::Minutes => StatusCode::BAD_REQUEST,
            TrainingError::Corpus(_) => StatusCode::UNPROCESSABLE_ENTITY,
            TrainingError::Write(_) | TrainingError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        ApiError::new(status, error)
    }
}

async fn list_trainings(State(shared): Studio) -> Response {
    json(StatusCode::OK, &shared.trainings.list())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTraining {
    name: String,
}

async fn create_training(State(shared): Studio, body: Bytes) -> Answer {
    let NewTraining { name } = parse(&body)?;
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    if name.trim().is_empty() {
        return Err(ApiError::bad_request("give the training a name"));
    }
    let manifest = shared.trainings.create(shared.ids.next(), name.trim().to_owned())?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::CREATED, &manifest))
}

#[derive(Deserialize)]
struct FileName {
    name: String,
}

async fn add_file(
    State(shared): Studio,
    Path(id): Path<String>,
    Query(FileName { name }): Query<FileName>,
    body: Bytes,
) -> Answer {
    let added = aside(move || Ok(shared.trainings.add(&id, &name, &body)?));
    Ok(json(StatusCode::CREATED, &added.await?))
}

async fn training(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || Ok(json(StatusCode::OK, &shared.trainings.view(&id)?))).await
}

async fn preflight(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || Ok(json(StatusCode::OK, &shared.trainings.preflight(&id)?))).await
}

async fn start_training(State(shared): Studio, Path(id): Path<String>, body: Bytes) -> Answer {
    let order: trainings::Order = parse(&body)?;
    let manifest = shared.trainings.start(&id, order)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::ACCEPTED, &manifest))
}

async fn stop_training(State(shared): Studio, Path(id): Path<String>) -> Answer {
    let manifest = shared.trainings.stop(&id)?;
    shared.events.tell("training", &manifest);
    Ok(json(StatusCode::ACCEPTED, &manifest))
}

async fn delete_training(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || {
        shared.trainings.delete(&id)?;
        shared.events.gone("training", &id);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

async fn sample_as(State(shared): Studio, Path((id, name, form)): Path<(String, String, String)>) -> Answer {
    aside(move || {
        let midi = shared.trainings.sample(&id, &name)?;
        rendering::render(&midi, &form, &name, 0)
    })
    .await
}

async fn events(State(shared): Studio) -> Response {
    shared.events.listen().into_response()
}

async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, include_str!("../openapi.json")).into_response()
}
