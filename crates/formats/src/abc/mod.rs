//! ABC notation: tunes as text, to scores and back.
//!
//! Source: "The abc music standard 2.1", December 2011, <https://abcnotation.com/wiki/abc:standard:v2.1>; older habits (chords between
//! plus signs, lines broken by exclamation marks) are understood where they do not contradict it.
//!
//! A file is a book of tunes, each a piece of its own ([`Book`]). Reading is lenient: what can be understood is read, the rest is named
//! with line and column; a tune that cannot be read does not harm its neighbours. Repeats with their endings are played, and so is
//! the order of parts that a header asks for.

mod assemble;
mod book;
mod directives;
mod error;
mod fields;
mod jumps;
mod keys;
mod lyrics;
mod macros;
mod music;
mod ornaments;
mod placed;
mod reader;
mod slurs;
mod symbols;
mod tune;
mod writer;

pub use book::{Book, Tune, read};
pub use error::{AbcError, Name, Oddity, Warning, WriteError};
pub use tune::Reading;
pub use writer::{canonicalize, write};

/// Ticks per quarter while a tune is read: whole for 128ths and for tuplets of 3, 5, 7 and 9.
const TICKS: u64 = 10_080;
