//! Settings.

use cantus_model::checks::{positive, share, within};
use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Steps of learning.
    pub steps: usize,
    /// Tones of a step, about.
    pub batch: usize,
    /// The learning rate at its height.
    pub learning_rate: f32,
    /// Share of the clues that are left out while learning.
    pub dropout: f32,
    /// Decoupled weight decay.
    pub decay: f32,
    /// Share of a lesson's tones that is broken at most.
    pub broken: f32,
    /// Rounds in which what a search has found becomes an example of what is no music.
    pub rounds: usize,
    /// Generations of such a search.
    pub search: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            steps: 6000,
            batch: 256,
            learning_rate: 0.002,
            dropout: 0.1,
            decay: 0.01,
            broken: 0.3,
            rounds: 12,
            search: 60,
        }
    }
}

impl Settings {
    /// Out of a list of settings; what is absent has its default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(settings: &serde_json::Value) -> Result<Settings, String> {
        let read: Settings = serde_json::from_value(settings.clone()).map_err(|error| error.to_string())?;
        within("steps", read.steps, 1, 10_000_000)?;
        within("batch", read.batch, 1, 65_536)?;
        within("rounds", read.rounds, 0, 1000)?;
        within("search", read.search, 0, 10_000)?;
        positive("learning_rate", read.learning_rate.into())?;
        share("dropout", read.dropout)?;
        share("broken", read.broken)?;
        if !(0.0..=10.0).contains(&read.decay) {
            return Err(format!("decay = {} is outside 0-10", read.decay));
        }
        Ok(read)
    }
}
