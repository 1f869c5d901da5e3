//! A model that a training on other music goes on from.

use crate::folder::reading_of;
use crate::models::{LoadError, Model, find, from_bytes};
use cantus_composers::registry::Choice;
use cantus_corpus::Options;
use cantus_model::Settings;
use std::borrow::Cow;

/// By how much the learning rate of a training that goes on is lower than it was: what a model knows of much music is soon lost on little.
/// At 30 hymns after 149 hymns and 240 tunes a fifth was better than all of it.
const FINER: f64 = 0.2;

/// A model that a training goes on from.
#[derive(Clone, Debug)]
pub struct Base {
    /// What it is called, and its file.
    pub file: (String, Cow<'static, [u8]>),
    /// Its composer and the configuration that its settings were made of.
    pub choice: Choice,
    /// Its settings, with a lower learning rate.
    pub settings: Settings,
    /// How its music was read.
    pub options: Options,
}

impl Base {
    /// The model of a name, as [`load`](crate::load) finds it.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn of(name: &str) -> Result<Base, LoadError> {
        let (name, bytes) = find(name)?;
        let Model { mut header, composer, .. } = from_bytes(&name, &bytes)?;
        if let Some(rate) = header.settings.get_mut("learning_rate")
            && let Some(usual) = rate.as_f64()
        {
            *rate = (usual * FINER).into();
        }
        let spec = composer.spec();
        Ok(Base {
            choice: (spec, spec.configuration_of(&header.settings)),
            options: reading_of(&header.composer, &header.corpus),
            settings: header.settings,
            file: (name, bytes),
        })
    }
}
