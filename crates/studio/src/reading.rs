//! How music is read, as a page asks for it: the options of `cantus train` that help most.

use crate::error::ApiError;
use cantus_corpus::Options;
use cantus_score::TicksPerQuarter;
use serde::{Deserialize, Serialize};

/// What is missing follows from the music and the composer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reads {
    /// `merged`, `parts`, `performed` or `pedalled`.
    pub reading: Option<String>,
    /// Steps to a quarter note.
    pub grid: Option<u32>,
    pub min_bars: Option<u64>,
    pub min_notes: Option<usize>,
}

impl Reads {
    /// The options of the corpus.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn options(&self) -> Result<Options, ApiError> {
        let reading = self.reading.as_deref().map(str::parse).transpose().map_err(ApiError::bad_request)?;
        let grid = match self.grid.map(TicksPerQuarter::new) {
            Some(None) => return Err(ApiError::bad_request("a grid of 0 steps has no room for notes")),
            grid => grid.flatten(),
        };
        let options = Options { reading, grid, min_bars: self.min_bars, min_notes: self.min_notes, ..Options::open() };
        options.check().map_err(ApiError::bad_request)?;
        Ok(options)
    }
}
