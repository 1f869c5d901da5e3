//! Plays what is written as players do: when, how hard, how long, with which pedal.
//!
//! A composer writes notes; a performer changes none. Given a whole score it says, note by note, how the score is played: p(timing, pedal, velocity,
//! spread of chords, length | score, what was played before). The contract of composers ([`cantus_model::Composer`]) begins with bars that are to be
//! written and promises that what is given stays as it is; neither holds here, so that performers stand beside the registry, with this module
//! as their door.
//!
//! Source: after the expression models of S. Flossmann, M. Grachten and G. Widmer ("Expressive Performance Rendering with Probabilistic Models", in Guide
//! to Computing for Expressive Music Performance, 2013) and C. Cancino-Chacón and M. Grachten ("The Basis Mixer", ISMIR late-breaking 2016), whose
//! targets these are; D. Jeong et al., "VirtuosoNet", ISMIR 2019, reads the score in both directions and plays note by note. Departures: each
//! decision is a choice among classes, so that likelihoods are exact and what is drawn is as wide as what was learnt; one network for all
//! decisions; it can be learnt from performances without scores, whose note values are then found by the most likely path (`rhythm`), and from
//! pairs. Strength scales how far what is drawn is from what is written, not how likely it is.
//!
//! Cost: 0.2 million parameters; 1.2 MFLOP a note in training.

mod alignment;
mod comparison;
mod features;
mod learning;
mod lesson;
mod network;
mod pedalling;
mod player;
mod rendering;
mod rhythm;
mod settings;
mod touch;
mod written;

pub use comparison::{Overlap, overlap};
pub use learning::{Learned, Learning, judge};
pub use lesson::{Lesson, LessonError};
pub use player::{PerformError, Performer, Verdict};
pub use settings::Settings;
pub use touch::{Choices, Decision};

use cantus_score::Score;

/// What model files call it.
pub const ID: &str = "performer";
/// Raised when old model files no longer load.
pub const VERSION: u32 = 1;

/// Which decisions count, and what is given, in a sentence.
pub const PROTOCOL: &str = "all decisions of a player whose outcome is known, given the whole score (of performances without one: pitches, chords and \
                            note values found in them) and all earlier decisions; when within a gap the pedal moves is not predicted; mean over notes";

/// What came of playing.
#[derive(Clone, Debug, PartialEq)]
pub struct Performance {
    /// The same notes as they are played.
    pub score: Score,
    /// What the listener should know.
    pub remarks: Vec<String>,
}
