//! What music is like, in figures, and what compositions are like beside the corpus they were learnt from.
//!
//! [`Statistics`] are those of one piece, [`Summary`] those of several, [`side_by_side`] a table for people. Nothing here knows
//! a composer: pieces are compared as [`cantus_score::Score`]s, wherever they come from.

mod repetition;
mod statistics;
mod summary;

pub use repetition::{LAGS, longest_run, repetition};
pub use statistics::{Histogram, Statistics};
pub use summary::{FIGURES, Figure, Spread, Summary, side_by_side};
