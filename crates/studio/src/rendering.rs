//! A piece in each of its forms: files to take away, sound to play, notes to draw.

use crate::error::{ApiError, json};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cantus_formats::svg::Roll;
use cantus_formats::wav::{Settings, Sound};
use cantus_formats::{self as formats, Format, Limits, Rendering, midi, musicxml};
use cantus_score::{Part, Score, Ticks};
use cantus_workshop as workshop;
use serde::Serialize;
use std::ops::ControlFlow;

/// Longer pieces are not turned into sound.
const MAX_SECONDS: f64 = 1800.0;

/// The form named by the last part of an address, with its media type; `notes` is the other one there is.
fn form(name: &str) -> Option<(Format, &'static str)> {
    Some(match name {
        "midi" => (Format::Midi, "audio/midi"),
        "wav" => (Format::Wav, "audio/wav"),
        "flac" => (Format::Flac, "audio/flac"),
        "musicxml" => (Format::MusicXml, "application/vnd.recordare.musicxml+xml"),
        "abc" => (Format::Abc, "text/vnd.abc; charset=utf-8"),
        _ => return None,
    })
}

/// What is wanted of a piece.
pub struct Wanted<'a> {
    /// The last part of its address.
    pub form: &'a str,
    /// What it is called now; `None` where it has no other name than the file says.
    pub title: Option<&'a str>,
    /// How many of its first bars are somebody else's.
    pub bars_kept: usize,
    /// The parts that are wanted, by their numbers; all where it is `None`.
    pub parts: Option<&'a [usize]>,
    /// What plays it, by its name; where it is `None`, what is usual for it.
    pub sound: Option<&'a str>,
    /// Whether it is usually sung by a choir.
    pub choir: bool,
    /// How the player that is built in plays it; as it is written where it is `None`.
    pub playing: Option<Playing>,
}

/// How something is played.
#[derive(Clone, Copy)]
pub struct Playing {
    /// How far from what is written, from 0 on; 1 is as a player.
    pub strength: f64,
    /// The same seed, the same playing.
    pub seed: u64,
}

impl Wanted<'_> {
    /// Whether it is wanted on paper. What is played freely stands nowhere there.
    pub fn is_on_paper(&self) -> bool {
        self.playing.is_none() && matches!(self.form, "musicxml" | "abc")
    }

    /// What plays it.
    fn sound(&self) -> Result<Sound, ApiError> {
        let name = self.sound.unwrap_or(if self.choir { "choir" } else { "built-in" });
        Sound::named(name)
            .ok_or_else(|| ApiError::bad_request(format!("there is no sound `{name}`: name built-in, or choir")))
    }
}

/// A piece as it is kept.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Its MIDI file.
    pub midi: &'a [u8],
    /// Its score, where [`sheet`] made one and it is wanted on paper.
    pub sheet: Option<&'a [u8]>,
}

/// The score as MusicXML, where there is more on paper than MIDI has a place for: chord symbols, repeats, slurs.
pub fn sheet(score: &Score) -> Option<Vec<u8>> {
    let is_more = !score.repeats.is_empty() || formats::losses(Format::Midi, score).is_some();
    if is_more { musicxml::write(score).ok() } else { None }
}

/// A piece in one of its forms, to be called `name`. Takes a while for sound.
pub fn render(Kept { midi: file, sheet }: Kept<'_>, name: &str, wanted: &Wanted<'_>) -> Result<Response, ApiError> {
    let sound = wanted.sound()?;
    let mut score = match sheet.map(|sheet| musicxml::read(sheet, &Limits::default())) {
        Some(Ok(sheet)) => sheet.score,
        _ => midi::read(file, &Limits::default()).map_err(ApiError::internal)?.score,
    };
    if let Some(playing) = wanted.playing {
        score = played(&score, playing)?;
    }
    if wanted.form == "notes" {
        return Ok(json(StatusCode::OK, &Notes::of(&score, wanted)));
    }
    let (format, media_type) = form(wanted.form).ok_or_else(|| ApiError::not_found("form of a piece"))?;
    if let Some(parts) = wanted.parts {
        if let Some(number) = parts.iter().find(|number| **number >= score.parts.len()) {
            return Err(ApiError::bad_request(format!("the piece has no part {number}")));
        }
        if format.is_sound() {
            // Its words stay: others sing them, too.
            let silent = score.parts.iter_mut().enumerate().filter(|(number, _)| !parts.contains(number));
            silent.for_each(|(_, part)| part.notes.clear());
        } else {
            let mut number = 0..;
            score.parts.retain(|_| number.next().is_some_and(|number| parts.contains(&number)));
        }
    }
    let renamed = wanted.title.filter(|title| score.title.as_deref() != Some(title));
    let bytes = if format == Format::Midi && wanted.parts.is_none() && wanted.playing.is_none() && renamed.is_none() {
        // As it was written.
        file.to_vec()
    } else {
        if let Some(title) = renamed {
            score.title = Some(title.to_owned());
        }
        let settings = Settings { max_seconds: MAX_SECONDS, ..Settings::default() };
        let rendering = Rendering { sound: &sound, settings, roll: Roll::default() };
        formats::write(format, &score, &rendering)
            .map_err(|error| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error))?
    };
    let name = format!("{}.{}", tame(name), format.extension());
    // What it is called stands in it, but for sound.
    let cache = if format.is_sound() { "private, max-age=3600" } else { "no-store" };
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&name)),
        (header::CACHE_CONTROL, cache.to_owned()),
    ];
    Ok((headers, Body::from(bytes)).into_response())
}

/// The same notes as a player plays them.
fn played(score: &Score, Playing { strength, seed }: Playing) -> Result<Score, ApiError> {
    let player = workshop::player(None).map_err(ApiError::internal)?;
    let played = workshop::perform(&player, score, strength, seed, &mut |_| ControlFlow::Continue(()));
    Ok(played.map_err(ApiError::bad_request)?.0.score)
}

/// A MIDI file with this title; as it is where it has it, or cannot be written anew.
pub fn with_title(file: Vec<u8>, title: &str) -> Vec<u8> {
    let Ok(midi::Reading { mut score, .. }) = midi::read(&file, &Limits::default()) else { return file };
    if score.title.as_deref() == Some(title) {
        return file;
    }
    score.title = Some(title.to_owned());
    midi::write(&score).unwrap_or(file)
}

/// The same of a score.
pub fn sheet_with_title(sheet: Vec<u8>, title: &str) -> Vec<u8> {
    let Ok(musicxml::Reading { mut score, .. }) = musicxml::read(&sheet, &Limits::default()) else { return sheet };
    score.title = Some(title.to_owned());
    musicxml::write(&score).unwrap_or(sheet)
}

/// A file's name that every system takes, made of a title.
pub fn tame(title: &str) -> String {
    let harmless = |c: char| if c.is_alphanumeric() || " -_,'()".contains(c) { c } else { '-' };
    let name: String = title.chars().map(harmless).take(80).collect();
    match name.trim() {
        "" => "piece".to_owned(),
        name => name.to_owned(),
    }
}

/// RFC 6266: the name in ASCII for old clients, and as it is.
fn attachment(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '-' }).collect();
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let encoded: String = name
        .bytes()
        .map(|byte| if unreserved(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// What a piano roll shows: all times in seconds.
#[derive(Serialize)]
struct Notes {
    seconds: f64,
    /// Where each bar begins, and where the last one ends.
    bars: Vec<f64>,
    /// The number of the first: 0 where it is an upbeat.
    first_bar: usize,
    /// Where the prompt ends; 0 without one.
    prompt_end: f64,
    /// Onset, duration, pitch, velocity, part.
    notes: Vec<(f64, f64, u8, u8, usize)>,
    /// What plays them.
    parts: Vec<PartLine>,
    /// Whether a choir sings them unless asked otherwise.
    choir: bool,
}

/// A part.
#[derive(Serialize)]
struct PartLine {
    name: String,
    drums: bool,
}

impl Notes {
    fn of(score: &Score, wanted: &Wanted) -> Notes {
        let bars_kept = wanted.bars_kept;
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
        let kept = if bars_kept == 0 { 0 } else { bars_kept + 1 - score.first_bar() };
        let prompt_end = bars.get(kept).copied().unwrap_or_default();
        let name = |(number, part): (usize, &Part)| {
            let known = part.name.clone().filter(|name| !name.trim().is_empty());
            PartLine { name: known.unwrap_or_else(|| format!("Part {}", number + 1)), drums: part.drums }
        };
        let parts = score.parts.iter().enumerate().map(name).collect();
        let first_bar = score.first_bar();
        Notes { seconds: seconds(score.end()), bars, first_bar, prompt_end, notes, parts, choir: wanted.choir }
    }
}
