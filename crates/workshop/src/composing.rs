//! Composing: pieces that say how they came to be.

use crate::{Model, Provenance};
use cantus_model::{Arrangement, ComposeError, Composition, Form, Progress, Prompt, Request, Rng, digest, seeded};
use cantus_score::{Score, Tempo, Ticks};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bars composed unless told otherwise.
pub const BARS: usize = 16;
/// Bars kept of a prompt unless told otherwise.
pub const PROMPT_BARS: usize = 4;

/// A prompt as it was given: the music and the file's digest.
#[derive(Clone, Debug)]
pub struct Given {
    /// The bars that are kept.
    pub prompt: Prompt,
    /// The SHA-256 of its file.
    pub sha256: String,
}

impl Given {
    /// The first `bars` bars of `score`, which was read from `bytes`.
    ///
    /// # Errors
    /// [`ComposeError::EmptyPrompt`] and [`ComposeError::Unpitched`], which say what the piece holds.
    pub fn new(score: &Score, bytes: &[u8], bars: usize) -> Result<Given, ComposeError> {
        Ok(Given { prompt: Prompt::new(score, bars)?, sha256: digest(bytes) })
    }
}

/// A seed short enough to be read aloud.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44
}

/// A tempo that a person may choose, in quarters a minute; `None` for what no one plays.
pub fn tempo(quarters_per_minute: f64) -> Option<Tempo> {
    if (10.0..=400.0).contains(&quarters_per_minute) {
        Tempo::from_quarters_per_minute(quarters_per_minute)
    } else {
        None
    }
}

/// The pieces of these seeds, each with its title and with `settings` (but for the seed) among its remarks.
///
/// # Errors
/// [`ComposeError`]; [`ComposeError::Stopped`] where `progress` broke it off.
pub fn compose(
    model: &Model,
    settings: &Provenance,
    seeds: &[u64],
    given: Option<&Given>,
    progress: Progress<'_>,
) -> Result<Vec<Composition>, ComposeError> {
    let form = settings.form.as_deref().map(str::parse::<Form>).transpose()?;
    let prompt = given.map(|given| given.prompt.clone());
    let request = Request { bars: settings.bars, sampling: settings.sampling, prompt, form };
    let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
    let mut compositions = model.composer.compose_all(&request, &mut rngs, progress)?;
    for (composition, seed) in compositions.iter_mut().zip(seeds) {
        composition.score.title = Some(match given.and_then(|given| given.prompt.score().title.as_deref()) {
            Some(title) => format!("{}, continued", title.strip_suffix(", continued").unwrap_or(title)),
            None => "Composition".to_owned(),
        });
        finish(&mut composition.score, settings, *seed);
    }
    Ok(compositions)
}

/// A piece with what is missing composed; with `settings` (but for the seed) among its remarks.
///
/// # Errors
/// [`ComposeError`]; [`ComposeError::Stopped`] where `progress` broke it off.
pub fn arrange(
    model: &Model,
    settings: &Provenance,
    seed: u64,
    arrangement: &Arrangement,
    progress: Progress<'_>,
) -> Result<Composition, ComposeError> {
    let mut composition = model.composer.arrange(arrangement, &mut seeded(seed), progress)?;
    let score = &mut composition.score;
    // The piece that was given keeps its name.
    score.title.get_or_insert_with(|| "Arrangement".to_owned());
    finish(score, settings, seed);
    Ok(composition)
}

/// The tempo asked for, and how the piece came to be.
fn finish(score: &mut Score, settings: &Provenance, seed: u64) {
    if let Some(tempo) = settings.tempo.and_then(tempo) {
        score.tempos = vec![(Ticks::ZERO, tempo)];
    }
    // What was itself composed here must not speak for the new piece.
    score.remarks = vec![Provenance { seed, ..settings.clone() }.to_remark()];
}
