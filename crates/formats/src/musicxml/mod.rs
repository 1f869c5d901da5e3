//! MusicXML 4.0, plain (`.musicxml`, `.xml`) and compressed (`.mxl`): scores to paper and back.
//!
//! Source: W3C Music Notation Community Group, "MusicXML 4.0", 2021, <https://www.w3.org/2021/06/musicxml40/>.
//!
//! Writing makes a `score-partwise` document that notation programs open without complaint: voices of chords, rests, dots and ties,
//! triplets where the onsets need them, two staves for a keyboard's two hands, keys with pitches spelled for them, beams, metre
//! with upbeat, tempo. `read(write(score)) == canonicalize(score)`, and equal scores give equal bytes.
//!
//! Reading is lenient, as with MIDI: what can be understood is read, the rest is named in [`Reading::warnings`]; no number in the file is
//! trusted, no entity is expanded, and no archive unpacks to more than [`Limits::max_bytes`](crate::Limits::max_bytes).

mod archive;
mod directions;
mod document;
mod drum_names;
mod drum_staff;
mod error;
mod harmony;
mod heading;
mod items;
mod jumps;
mod listed;
mod loudness;
mod measure;
mod ornaments;
mod part;
mod playing;
mod reader;
mod signs;
mod swing;
mod ticks;
mod writer;
mod xml;

pub use error::{MusicXmlError, Oddity, Warning, WriteError};
pub(crate) use jumps::words as words_of_jump;
pub use reader::{Reading, read};
pub use writer::{canonicalize, write, write_compressed};
