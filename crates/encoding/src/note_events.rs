//! `note_events`: a piece as its notes, one after the other: when, which instrument, which pitch, how long, how loud.
//!
//! Notes come in order of moment, instrument, and pitch downwards. In an instrument a pitch sounds once: of two struck together the
//! longer one stays, and one that is struck again ends there. Drums have no length. Times are steps of a [`Clock`]; a time is said as
//! *quarters entered* and *the place in the quarter* ([`split`]), so that a triplet is one place and a long note one number.
//!
//! Nothing else is lost than what the grid moves and [`Vocabulary`] does not name: instruments become the nearest one, velocities
//! the nearest level.

mod numbers;
mod piece;
mod vocabulary;

pub use numbers::{NUMBERS, number_of, spread_of};
pub use piece::{Event, Piece, decode, encode};
pub use vocabulary::{Adjustments, Clock, Instrument, Vocabulary};

/// A time as quarters entered since the quarter of `from`, and the place in the quarter that it falls on.
pub fn split(from: u32, to: u32, places: u32) -> (u32, u32) {
    (to / places - from / places, to % places)
}

/// The time that [`split`] gave.
pub fn join(from: u32, quarters: u32, place: u32, places: u32) -> u32 {
    (from / places + quarters) * places + place
}
