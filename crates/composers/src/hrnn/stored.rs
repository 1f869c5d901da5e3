//! What a model file keeps of the encoding.

use super::SPEC;
use super::settings::Settings;
use super::tune::Rhythms;
use cantus_model::melodies::Melodies;
use cantus_model::{Header, ModelError};
use std::sync::Arc;

/// Under which name a model file keeps the classes of rhythm.
const RHYTHMS: &str = "rhythms";

/// What a model file keeps of the encoding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub melodies: Melodies,
    pub rhythms: Arc<Rhythms>,
}

impl Stored {
    pub(super) fn read(header: &Header) -> Result<Stored, ModelError> {
        let rhythms = serde_json::from_value(header.encoding[RHYTHMS].clone())
            .map_err(|error| ModelError::Metadata { problem: error.to_string() })?;
        Ok(Stored { melodies: Melodies::read(header, SPEC.encoding)?, rhythms: Arc::new(rhythms) })
    }

    /// Whether it fits settings.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), String> {
        self.rhythms.bars.check(settings.bar_profiles)?;
        self.rhythms.beats.check(settings.beat_profiles)
    }

    pub(super) fn write(&self) -> serde_json::Value {
        serde_json::json!({ SPEC.encoding: self.melodies, RHYTHMS: *self.rhythms })
    }
}
