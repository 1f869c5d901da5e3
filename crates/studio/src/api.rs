//! The routes. `openapi.json` describes them; a test holds the two together.

mod codes;
mod pieces;
mod trainings;

use crate::composing::{self, MOST_BARS, MOST_OF, chain};
use crate::error::{ApiError, json};
use crate::prompts::{Prompt, PromptError};
use crate::{Shared, guard, page};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cantus_composers::registry;
use cantus_formats::Format;
use cantus_score::Unpitched;
use cantus_workshop as workshop;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
        .route("/api/pieces", get(pieces::list))
        .route("/api/pieces/{id}", get(pieces::get).patch(pieces::change).delete(pieces::delete))
        .route("/api/pieces/{id}/restore", post(pieces::restore))
        .route("/api/pieces/{id}/source", get(pieces::source))
        .route("/api/pieces/{id}/{form}", get(pieces::in_form))
        .route("/api/pieces/{id}/blends/{other}/{at}", post(codes::keep_blend))
        .route("/api/pieces/{id}/blends/{other}/{at}/{form}", get(codes::blend))
        .route("/api/pieces/{id}/variations/{steps}", post(codes::keep_variation))
        .route("/api/pieces/{id}/variations/{steps}/{form}", get(codes::variation))
        .route("/api/library.zip", get(pieces::export))
        .route("/api/trainings", get(trainings::list).post(trainings::create))
        .route("/api/trainings/{id}", get(trainings::get).patch(trainings::rename).delete(trainings::delete))
        .route("/api/trainings/{id}/files", post(trainings::add_file).layer(DefaultBodyLimit::max(FILE_LIMIT)))
        .route("/api/trainings/{id}/preflight", get(trainings::preflight))
        .route("/api/trainings/{id}/estimate", get(trainings::estimate))
        .route("/api/trainings/{id}/start", post(trainings::start))
        .route("/api/trainings/{id}/stop", post(trainings::stop))
        .route("/api/trainings/{id}/samples/{name}/{form}", get(trainings::sample))
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

/// A name that a person gave to `what`: without control characters, and not too long for a line.
fn a_name(name: &str, what: &str) -> Result<String, ApiError> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    match name.trim() {
        "" => Err(ApiError::bad_request(format!("give the {what} a name"))),
        name => Ok(name.to_owned()),
    }
}

async fn models(State(shared): Studio) -> Answer {
    aside(move || Ok(json(StatusCode::OK, &shared.models.list(&shared)))).await
}

async fn composers() -> Response {
    // Those that can be trained.
    let all: Vec<_> = registry::COMPOSERS
        .iter()
        .filter(|spec| spec.create.is_some())
        .map(|spec| {
            let configurations: Vec<_> = spec
                .configurations
                .iter()
                .map(|known| serde_json::json!({ "name": known.name, "summary": known.summary }))
                .collect();
            serde_json::json!({
                "id": spec.id, "writes": spec.writes, "suits": spec.suits, "title": spec.title, "source": spec.source,
                "configurations": configurations,
            })
        })
        .collect();
    json(StatusCode::OK, &all)
}

impl From<PromptError> for ApiError {
    fn from(error: PromptError) -> ApiError {
        let status = match &error {
            PromptError::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PromptError::Read(_) | PromptError::Tunes(_) | PromptError::Nothing(_) => StatusCode::UNPROCESSABLE_ENTITY,
            PromptError::Write(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        ApiError::new(status, error)
    }
}

#[derive(Deserialize)]
struct FileName {
    name: String,
}

/// The bytes of a file that was sent. That nobody reads files of its kind comes before that it is too large.
fn file_of(name: &str, body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, ApiError> {
    let unread = |error| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error);
    Format::to_read(std::path::Path::new(name)).map_err(unread)?;
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let most = limit >> 20;
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the file is larger than {most} MiB, the most that is taken"),
            )
        }
        status => ApiError::new(status, rejection.body_text()),
    })
}

async fn keep_prompt(
    State(shared): Studio,
    Query(FileName { name }): Query<FileName>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = file_of(&name, body, PROMPT_LIMIT)?;
    aside(move || {
        let Prompt { sha256, score, warnings } = shared.prompts.keep(&name, &body)?;
        // A damaged file may claim any number.
        let bars = score.bars().skip(1 - score.first_bar()).take(MOST_BARS + 1).count();
        let kept = serde_json::json!({
            "sha256": sha256, "bars": bars, "notes": score.note_count(), "warnings": warnings,
            // Drums alone can be accompanied, and nothing else.
            "pitched": Unpitched::of(&score).is_none(),
        });
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
    check((1..=MOST_OF).contains(&order.best_of), format!("the best is chosen of 1 to {MOST_OF} pieces"))?;
    check((1..=MOST_BARS).contains(&order.bars), format!("a piece has 1 to {MOST_BARS} bars"))?;
    check(
        order.tempo.is_none_or(|tempo| workshop::tempo(tempo).is_some()),
        "a tempo lies between 10 and 400 quarter notes a minute".to_owned(),
    )?;
    check(
        order.arrangement.is_none() || order.prompt.is_none(),
        "a piece that is arranged has no prompt; leave one of them out".to_owned(),
    )?;
    order.seed.get_or_insert_with(workshop::fresh_seed);
    aside(move || {
        let Some(entry) = shared.models.find(&shared, &order.model) else {
            return Err(ApiError::bad_request(format!("there is no model `{}`", order.model)));
        };
        let given = composing::given(&shared, &order).map_err(ApiError::bad_request)?;
        if let (Some(_), Some(score)) = (&order.arrangement, &given) {
            order.bars = score.bars().skip(1 - score.first_bar()).take(MOST_BARS + 1).count();
            if order.bars > MOST_BARS {
                return Err(ApiError::bad_request(format!("the piece has more than {MOST_BARS} bars")));
            }
        }
        let model = shared.models.load(&entry).map_err(|error| ApiError::bad_request(chain(&error)))?;
        let settings = order.settings(&model);
        let request = workshop::request(&model, &settings, given.as_ref());
        let request = request.map_err(|error| ApiError::bad_request(chain(&error)))?;
        if request.controls.seconds.is_some_and(|seconds| seconds.get() as usize > 2 * MOST_BARS) {
            return Err(ApiError::bad_request(format!("a piece lasts {} seconds at the most", 2 * MOST_BARS)));
        }
        if request.controls.rhythm.is_some() {
            check(request.bars() <= MOST_BARS, format!("the rhythm has more than {MOST_BARS} bars"))?;
            order.bars = request.bars();
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

async fn events(State(shared): Studio) -> Response {
    shared.events.listen().into_response()
}

async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, include_str!("../openapi.json")).into_response()
}
