//! What music is like, in figures, and what compositions are like beside the corpus they were learnt from.
//!
//! - [`Statistics`] of one piece, and [`Summary`] of several, [`side_by_side`] in a table: after MusPy, MuseGAN and mgeval.
//! - [`structure`]: self-similarity, repetition, structureness.
//! - [`originality`]: what of a piece also stands in the training music, where, and whether that is more than real pieces share.
//! - [`Comparison`]: a set against a set, by distances within and between them.
//! - [`accompaniment`]: what is written to given parts, beside what players wrote to them.
//! - [`tracks`]: bands track by track: silence, crumbs, and how far apart two tracks lie in harmony.
//! - [`listener`]: how well a machine tells one set from another by excerpts; [`regression`], by which it learns.
//! - [`report::Report`]: all of it together, for a terminal, as JSON, and as a page.
//! - [`picture`]: the figures as SVG. [`map`]: pieces laid out so that those that are alike lie near one another.
//!
//! Nothing here knows a composer: pieces are compared as [`cantus_score::Score`]s, wherever they come from.

pub mod accompaniment;
mod base64;
pub mod comparison;
pub mod listener;
pub mod map;
mod mean;
mod mixing;
pub mod muspy;
pub mod originality;
pub mod picture;
pub mod regression;
pub mod report;
mod statistics;
pub mod structure;
mod summary;
pub mod tracks;

pub use comparison::Comparison;
pub use statistics::{Histogram, Statistics, pitch_entropy, pitch_in_scale_rate};
pub use summary::{FIGURES, Figure, Spread, Summary, side_by_side, spread};
