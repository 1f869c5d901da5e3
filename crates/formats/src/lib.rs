//! Bytes to scores and back: MIDI files, sound and pictures.
//!
//! Nothing here opens a file: the caller brings bytes, readers and writers.

pub mod midi;
mod path;
pub mod svg;
pub mod wav;

pub use path::{Format, FormatError};
