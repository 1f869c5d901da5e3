//! Playing what is written: with the performer that is built in, or one's own.

use crate::models::{LoadError, find};
use crate::provenance;
use cantus_composers::performing::{PerformError, Performance, Performer};
use cantus_model::{ModelFile, digest, seeded};
use cantus_score::Score;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::ControlFlow;

/// The name of the performer that is built in, and plays where none is named.
pub const PIANIST: &str = "pianist";

static BYTES: &[u8] = include_bytes!("../assets/pianist.safetensors");

/// What stands before the JSON in the text event.
const MARK: &str = "played by cantus ";

/// A performer, loaded.
#[derive(Debug)]
pub struct Player {
    /// What it was called by.
    pub name: String,
    /// The SHA-256 of its file.
    pub digest: String,
    /// The size of its file in bytes.
    pub bytes: usize,
    /// What plays.
    pub performer: Performer,
}

/// All that the same playing follows from, beside the score: written into the piece as a text event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlayingOrigin {
    /// The program's version.
    pub version: String,
    /// What the model was called by.
    pub model: String,
    /// The SHA-256 of its file.
    pub model_sha256: String,
    /// The seed.
    pub seed: u64,
    /// How far it was played from what is written.
    pub strength: f64,
}

impl PlayingOrigin {
    /// Read out of a piece's text events; `None` where it was not played by this program.
    pub fn find(remarks: &[String]) -> Option<PlayingOrigin> {
        provenance::told(MARK, remarks)
    }
}

/// The performer of a name: the built-in one, a file, or a file that lies where models do.
///
/// # Errors
/// [`LoadError`]: there is none, or it is a model that composes.
pub fn player(name: Option<&str>) -> Result<Player, LoadError> {
    let (name, bytes): (String, Cow<'static, [u8]>) = match name {
        None | Some(PIANIST) => (PIANIST.to_owned(), BYTES.into()),
        Some(name) => find(name)?,
    };
    let failed = |source| LoadError::Model { name: name.clone(), source };
    let performer = Performer::load(&ModelFile::from_bytes(&bytes).map_err(failed)?).map_err(failed)?;
    Ok(Player { digest: digest(&bytes), bytes: bytes.len(), performer, name })
}

/// Plays a score. The same player, score, strength and seed give the same piece; it says how it came to be.
///
/// # Errors
/// [`PerformError`].
pub fn perform(
    player: &Player,
    score: &Score,
    strength: f64,
    seed: u64,
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<(Performance, PlayingOrigin), PerformError> {
    let mut performance = player.performer.perform(score, strength, &mut seeded(seed), progress)?;
    let origin = PlayingOrigin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: player.name.clone(),
        model_sha256: player.digest.clone(),
        seed,
        strength,
    };
    let remarks = &mut performance.score.remarks;
    remarks.retain(|remark| !remark.starts_with(MARK));
    remarks.push(provenance::remark(MARK, &origin));
    Ok((performance, origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_player_is_small_says_whom_to_thank_and_has_a_recipe() {
        let player = player(None).unwrap();
        assert!(player.bytes < 1_000_000 && player.name == PIANIST, "{} bytes", player.bytes);
        let header = &player.performer.header;
        assert_eq!(header.corpus.licence.as_deref(), Some("CC BY 4.0"));
        assert!(header.corpus.credit.as_ref().is_some_and(|credit| credit.contains("GiantMIDI-Piano")), "{header:?}");
        assert!(!player.performer.reads_scores(), "it learnt from performances alone");
        let training = header.training.as_ref().unwrap();
        let weakest = training.baselines.iter().map(|baseline| baseline.nats_per_token).fold(f64::INFINITY, f64::min);
        assert!(training.validation.nats_per_token < weakest, "{training:?}");
        let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/performer-pianist.toml");
        let recipe = std::fs::read_to_string(recipe).unwrap();
        assert!(
            recipe.contains(&format!("validation_nats_per_note = {:.3}", training.validation.nats_per_token)),
            "{recipe}"
        );
    }

    #[test]
    fn a_model_that_composes_plays_nothing() {
        assert!(player(Some("hymns")).unwrap_err().to_string().contains("hymns"));
        assert!(matches!(player(Some("no such player")), Err(LoadError::Unknown { .. })));
    }
}
