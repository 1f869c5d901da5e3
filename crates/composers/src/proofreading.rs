//! Hears how broken one piece is, and where: of each note whether it is wrong, of each bar how much is.
//!
//! A composer writes notes, a performer plays them; a proofreader looks at notes that are there. It is asked for nothing that a composer's request could ask
//! for ([`cantus_model::Composer`]), and so it stands beside the registry, with this module as its door. It is no `evaluation::listener`, which tells
//! two sets of pieces apart and says nothing of a place in one of them.
//!
//! Source: the detection of replaced tokens of K. Clark, M.-T. Luong, Q. Le and C. Manning, "ELECTRA", ICLR 2020, arXiv:2003.10555v1, section 2, with notes in
//! the place of tokens. The "LSTM listener" of the public notebooks of FortsAndMills/MusicGeneration says one number of a whole excerpt, how much of it was
//! replaced. Departures: each note is judged, from both sides, relative to itself (`clues`), so that every key and every beginning are one; faults are also of
//! time, missing notes, and bars in another order or another key (`breaking`); sheets that are no music are learnt as such, and so is what a search finds
//! that the proofreader likes (`search`). The share of a piece that is broken is the one under which it is likeliest (`verdict`).
//!
//! Cost: 0.55 million parameters; some 40 thousand additions a note.

mod breaking;
mod clues;
mod exam;
mod learning;
mod mending;
mod network;
mod proofreader;
mod search;
mod settings;
mod sheet;
mod verdict;

pub use exam::Exam;
pub use mending::{Change, Mended};
pub use proofreader::{BarProof, Doubt, Proof, ProofError, Proofreader, Schooling};
pub use settings::Settings;

/// What model files call it.
pub const ID: &str = "proofreader";
/// Raised when old model files no longer load.
pub const VERSION: u32 = 1;
