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
mod corpus;
mod divide;
mod files;
mod frames;
mod hash;
mod holdings;
mod options;
mod parts;
mod preflight;
mod prepare;
mod sources;

pub use corpus::{Corpus, CorpusError, Piece, Progress, Split, read, survey};
pub use frames::{FrameFile, FrameFileError, is_frame_file};
pub use hash::ContentHash;
pub use holdings::Music;
pub use options::{ChoiceError, MeterFilter, Options, OptionsError, Parts};
pub use preflight::{FileReport, Listing, Preflight, Reason, Totals, Usage, Verdict, Warning};
pub use prepare::{Prepared, Quantization, prepare};
pub use sources::{Changes, Sources};
