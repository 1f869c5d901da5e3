//! A piece in each of its forms: files to take away, sound to play, notes to draw.

use crate::error::{ApiError, json};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cantus_formats::svg::Roll;
use cantus_formats::wav::{Settings, Sound};
use cantus_formats::{self as formats, Format, Limits, Rendering, midi};
use cantus_score::{Score, Ticks};
use serde::Serialize;

/// Longer pieces are not turned into sound.
const MAX_SECONDS: f64 = 1800.0;

/// The form named by the last part of an address, with its media type; `notes` is the other one there is.
fn form(name: &str) -> Option<(Format, &'static str)> {
    Some(match name {
        "midi" => (Format::Midi, "audio/midi"),
        "wav" => (Format::Wav, "audio/wav"),
        "flac" => (Format::Flac, "audio/flac"),
        "musicxml" => (Format::MusicXml, "application/vnd.recordare.musicxml+xml"),
        _ => return None,
    })
}

/// A MIDI file in the form `name`; `bars_kept` of its bars are somebody else's. Takes a while for sound.
pub fn render(file: &[u8], name: &str, title: &str, bars_kept: usize) -> Result<Response, ApiError> {
    let read = || midi::read(file, &Limits::default()).map(|reading| reading.score).map_err(ApiError::internal);
    if name == "notes" {
        return Ok(json(StatusCode::OK, &Notes::of(&read()?, bars_kept)));
    }
    let (format, media_type) = form(name).ok_or_else(|| ApiError::not_found("form of a piece"))?;
    let bytes = if format == Format::Midi {
        // As it was written: its text says how it was composed.
        file.to_vec()
    } else {
        let settings = Settings { max_seconds: MAX_SECONDS, ..Settings::default() };
        let rendering = Rendering { sound: &Sound::Piano, settings, roll: Roll::default() };
        formats::write(format, &read()?, &rendering)
            .map_err(|error| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error))?
    };
    let name: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{}\"", format.extension())),
        (header::CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    Ok((headers, Body::from(bytes)).into_response())
}

/// What a piano roll shows: all times in seconds.
#[derive(Serialize)]
struct Notes {
    seconds: f64,
    /// Where each bar begins, and where the last one ends.
    bars: Vec<f64>,
    /// Where the prompt ends; 0 without one.
    prompt_end: f64,
    /// Onset, duration, pitch, velocity, part.
    notes: Vec<(f64, f64, u8, u8, usize)>,
}

impl Notes {
    fn of(score: &Score, bars_kept: usize) -> Notes {
        let tempo = score.tempo_map();
        let seconds = |at: Ticks| (tempo.seconds(at) * 1e4).round() / 1e4;
        let mut notes = Vec::with_capacity(score.note_count());
        for (part, of) in score.parts.iter().enumerate() {
            for note in &of.notes {
                let onset = seconds(note.onset);
                let duration = seconds(note.end()) - onset;
                notes.push((onset, duration, note.pitch.get(), note.velocity.get(), part));
            }
        }
        notes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let ends = score.bars().map(|bar| bar.end());
        let bars: Vec<f64> = std::iter::once(Ticks::ZERO).chain(ends).map(seconds).collect();
        let prompt_end = bars.get(bars_kept + 1 - score.first_bar()).copied().unwrap_or_default();
        Notes { seconds: seconds(score.end()), bars, prompt_end, notes }
    }
}
