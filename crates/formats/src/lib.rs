//! Bytes to scores and back: MIDI, MusicXML and ABC files; scores to sound, pictures and arrays.
//!
//! Nothing here opens a file: the caller brings bytes, readers and writers.

pub mod abc;
mod channels;
mod file;
pub mod flac;
mod grace;
mod limits;
mod losses;
pub mod midi;
pub mod musicxml;
mod notation;
pub mod npz;
mod path;
mod repeats;
pub mod svg;
mod text;
pub mod wav;

pub use file::{Piece, ReadError, Reading, Rendering, WriteError, read, write};
pub use limits::Limits;
pub use losses::losses;
pub use path::{Format, FormatError};
