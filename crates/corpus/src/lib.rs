//! A folder of files becomes a corpus.
//!
//! [`read`] walks a folder, reads one file at a time (MIDI, MusicXML, or a book of ABC tunes), and decides of each piece whether it
//! can be used; the decisions with their
//! reasons are the [`Preflight`] report, which exists even where nothing could be used. What is used is put on a grid of equal
//! steps, its chosen parts merged into one ([`prepare`]), and assigned to training or validation by its content
//! ([`ContentHash`]), so that neither a new file nor a new name moves a piece from one side to the other.
//!
//! Nothing here trusts a file: sizes are looked at before reading, and what a reader refuses becomes a line of the report.

mod advice;
mod beats;
mod benchmark;
mod corpus;
mod divide;
mod files;
mod folder;
mod frames;
mod gathering;
mod gzip;
mod hash;
mod holdings;
mod kin;
mod listing;
mod options;
mod packed;
mod pairs;
mod parts;
mod piece;
mod preflight;
mod prepare;
mod reason;
mod remarks;
mod sources;
mod split;
mod spool;
mod survey;
mod text;

pub use corpus::{Corpus, CorpusError};
pub use files::music_files;
pub use folder::{Folder, Progress};
pub use frames::{FrameFile, FrameFileError, is_frame_file};
pub use hash::ContentHash;
pub use holdings::Music;
pub use kin::compositions_of;
pub use listing::Listing;
pub use options::{ChoiceError, MeterFilter, Options, OptionsError, Parts};
pub use pairs::{Pair, PairsError, PairsFile, Sides, is_pairs_file};
pub use piece::{Piece, Split};
pub use preflight::{FileReport, Preflight, Totals, Usage, Verdict, Warning};
pub use prepare::{Prepared, Quantization, prepare};
pub use reason::Reason;
pub use sources::{Changes, Sources};
pub use spool::SpoolError;
pub use survey::{read, survey};
