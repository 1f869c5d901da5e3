//! Encodings: how a score becomes what a network reads, and how what it writes becomes a score again.
//!
//! Every encoding holds `decode(encode(score)) == canonicalize(score)`, where its `canonicalize` says what it cannot carry.
//! Scores come quantised: one tick is one step of the grid ([`cantus_score::quantize`]), or of a performance ([`cantus_score::performed`]).

pub mod abc_tune;
pub mod bar_bags;
pub mod lead_sheet;
pub mod melody_steps;
pub mod note_chord;
pub mod note_events;
pub mod note_stream;
pub mod note_triple;
pub mod octave_roll;
pub mod performance;
pub mod phrases;
pub mod piano_roll;
pub mod pitch_class_chord;
pub mod rhythm_section;
pub mod voice_lines;
pub mod voices;

use std::fmt;

/// The index of a token in a vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u32);

impl TokenId {
    /// As an index into arrays.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Why a vocabulary read from a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// A list that must hold something is empty.
    #[error("the vocabulary has no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A list is not in order, or holds something impossible.
    #[error("the vocabulary's {what} are damaged: {found}")]
    Damaged {
        /// Which list.
        what: &'static str,
        /// What was found.
        found: String,
    },
}
