//! Structure: what of a piece is like what else of it.
//!
//! [`SelfSimilarity`] compares every bar with every other and can be looked at ([`crate::picture::self_similarity`]), [`Repetition`]
//! says how far apart the likenesses lie, [`Structureness`] how much of the piece a span of short, middle or long length explains,
//! [`recurrences`] which bars come again, [`parallels`] which motifs, and how they were changed.

mod parallels;
mod recurrence;
mod repetition;
mod scape;
mod similarity;

pub(crate) use parallels::melody;
pub use parallels::{MOTIF, Parallel, Parallels, Way, parallels};
pub use recurrence::{Recurrence, recurrences};
pub use repetition::{LAGS, Repetition, longest_run};
pub use scape::{FitnessScape, Structureness};
pub use similarity::{Feature, SelfSimilarity};
