//! A model that a training on other music goes on from.

use crate::folder::reading_of;
use crate::models::{LoadError, Model, find, from_bytes};
use cantus_composers::registry::Choice;
use cantus_corpus::Options;
use cantus_model::Settings;
use std::borrow::Cow;

/// A model that a training goes on from.
#[derive(Clone, Debug)]
pub struct Base {
    /// What it is called, and its file.
    pub file: (String, Cow<'static, [u8]>),
    /// Its composer and the configuration that its settings were made of.
    pub choice: Choice,
    /// Its settings.
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
        let Model { header, composer, .. } = from_bytes(&name, &bytes)?;
        let spec = composer.spec();
        Ok(Base {
            choice: (spec, spec.configuration_of(&header.settings)),
            options: reading_of(&header.composer, &header.corpus),
            settings: header.settings,
            file: (name, bytes),
        })
    }
}
