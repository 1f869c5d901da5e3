//! Requests about pieces.

use super::{Answer, Studio, a_name, aside, parse};
use crate::Shared;
use crate::error::{ApiError, json};
use crate::library::{BEST_RATING, Piece};
use crate::rendering::{self, Kept, Playing, Wanted, tame};
use crate::sources;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::HashSet;
use std::io::{Cursor, Write};

pub async fn list(State(shared): Studio) -> Response {
    json(StatusCode::OK, &shared.library.list())
}

pub async fn get(State(shared): Studio, Path(id): Path<String>) -> Answer {
    let piece = shared.library.get(&id).ok_or_else(|| ApiError::not_found("piece"))?;
    Ok(json(StatusCode::OK, &piece))
}

/// Where its longest known passage comes from; `null` where that cannot be said.
pub async fn source(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || {
        let piece = shared.library.get(&id).ok_or_else(|| ApiError::not_found("piece"))?;
        Ok(json(StatusCode::OK, &sources::find(&shared, &piece)))
    })
    .await
}

/// What of a piece is heard.
#[derive(Deserialize)]
pub struct Heard {
    /// Numbers of its parts, from 0, with commas between; all where it is missing.
    parts: Option<String>,
    /// What plays it, by its name.
    sound: Option<String>,
    /// How far a player goes from what is written; as it is written where it is missing.
    played: Option<f64>,
}

impl Heard {
    /// A form of something that is called so, of which no bar is somebody else's; whoever plays it does so by this seed.
    pub fn wanted<'a>(&'a self, form: &'a str, title: &'a str, parts: Option<&'a [usize]>, seed: u64) -> Wanted<'a> {
        Wanted {
            form,
            title: Some(title),
            bars_kept: 0,
            parts,
            sound: self.sound.as_deref(),
            choir: false,
            playing: self.played.map(|strength| Playing { strength, seed }),
        }
    }

    /// The parts by their numbers.
    pub fn parts(&self) -> Result<Option<Vec<usize>>, ApiError> {
        let Some(parts) = &self.parts else { return Ok(None) };
        let numbers = parts.split(',').map(|part| part.parse().ok()).collect::<Option<Vec<usize>>>();
        let wrong = || ApiError::bad_request("name parts by their numbers, from 0, with commas between");
        numbers.map(Some).ok_or_else(wrong)
    }
}

/// A piece of the library, and its file.
pub fn found(shared: &Shared, id: &str) -> Result<(Piece, Vec<u8>), ApiError> {
    let piece = shared.library.get(id).ok_or_else(|| ApiError::not_found("piece"))?;
    let midi = shared.library.midi(&piece).map_err(|_| ApiError::not_found("piece"))?;
    Ok((piece, midi))
}

pub async fn in_form(
    State(shared): Studio,
    Path((id, form)): Path<(String, String)>,
    Query(heard): Query<Heard>,
) -> Answer {
    let parts = heard.parts()?;
    aside(move || {
        let (piece, midi) = found(&shared, &id)?;
        let wanted = Wanted {
            bars_kept: piece.origin.prompt.as_ref().map_or(0, |prompt| prompt.bars),
            choir: piece.choir,
            ..heard.wanted(&form, &piece.title, parts.as_deref(), piece.origin.seed)
        };
        let sheet = if wanted.is_on_paper() { shared.library.sheet(&piece) } else { None };
        rendering::render(Kept { midi: &midi, sheet: sheet.as_deref() }, &piece.title, &wanted)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    rating: Option<u8>,
    #[serde(default)]
    title: Option<String>,
}

/// Rates or renames it.
pub async fn change(State(shared): Studio, Path(id): Path<String>, body: Bytes) -> Answer {
    let Change { rating, title } = parse(&body)?;
    if rating.is_some_and(|rating| rating > BEST_RATING) {
        return Err(ApiError::bad_request(format!("a rating is 1 to {BEST_RATING}, or 0 for none")));
    }
    let title = title.map(|title| a_name(&title, "piece")).transpose()?;
    aside(move || {
        let change = |piece: &mut Piece| {
            piece.rating = rating.unwrap_or(piece.rating);
            if let Some(title) = title {
                piece.title = title;
            }
        };
        let changed = shared.library.change(&id, change).map_err(ApiError::internal)?;
        let piece = changed.ok_or_else(|| ApiError::not_found("piece"))?;
        shared.events.tell("piece", &piece);
        Ok(json(StatusCode::OK, &piece))
    })
    .await
}

/// What was deleted last comes back.
pub async fn restore(State(shared): Studio, Path(id): Path<String>) -> Answer {
    aside(move || {
        let restored = shared.library.restore(&id).map_err(ApiError::internal)?;
        let piece = restored.ok_or_else(|| ApiError::not_found("deleted piece"))?;
        shared.events.tell("piece", &piece);
        Ok(json(StatusCode::OK, &piece))
    })
    .await
}

pub async fn delete(State(shared): Studio, Path(id): Path<String>) -> Answer {
    if !shared.library.delete(&id).map_err(ApiError::internal)? {
        return Err(ApiError::not_found("piece"));
    }
    shared.events.gone("piece", &id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Every piece and its manifest in one archive.
pub async fn export(State(shared): Studio) -> Answer {
    let bytes = aside(move || {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        let mut put = |name: String, bytes: &[u8]| -> Result<(), ApiError> {
            archive.start_file(name, options).map_err(ApiError::internal)?;
            archive.write_all(bytes).map_err(ApiError::internal)
        };
        let mut taken = HashSet::new();
        for piece in shared.library.list() {
            // Deleted in the meantime, perhaps.
            let Ok(midi) = shared.library.midi(&piece) else { continue };
            let name = free_name(&piece, &mut taken);
            put(format!("{name}.mid"), &rendering::with_title(midi, &piece.title))?;
            if let Some(sheet) = shared.library.sheet(&piece) {
                put(format!("{name}.musicxml"), &rendering::sheet_with_title(sheet, &piece.title))?;
            }
            put(format!("{name}.json"), &serde_json::to_vec_pretty(&piece).unwrap_or_default())?;
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

/// The name of a piece's files: its title, with the seed where another piece has it, and a number where that is not enough. Some systems
/// do not tell capitals from small letters.
fn free_name(piece: &Piece, taken: &mut HashSet<String>) -> String {
    let title = tame(&piece.title);
    let with_seed = format!("{title}, seed {}", piece.origin.seed);
    let numbered = (2..).map(|number| format!("{with_seed} ({number})"));
    let mut names = [title, with_seed.clone()].into_iter().chain(numbered);
    names.find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
}
