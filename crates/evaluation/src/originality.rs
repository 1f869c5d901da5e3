//! Originality: what of a piece also stands in the training music.
//!
//! Music is compared as sequences of (interval, ratio of durations), so that neither the key nor the tempo hides a copy; a duration is
//! the time from one onset of a line to the next, so that touch does not hide it either. Time must be exact: put scores on a grid.
//!
//! Of polyphonic music these lines are compared:
//! - the **top line**, the highest note struck at each onset unless a higher one is still held (A. Uitdenbogerd and J. Zobel, ACM
//!   Multimedia 1999; W. Chai, MIT 2001), and in the same way the **bottom line**;
//! - the top line of **each part**, where a score has several;
//! - the **chords**: all notes struck together, as intervals above their lowest, and how the lowest moves.
//!
//! The shares of n-grams are those of the piece's top line, looked for in every single line of the training music: a soprano that
//! became a bass is a copy, too. The longest passage is looked for in all lines.
//!
//! A note struck again and again in even rhythm stands in every corpus and says nothing: n-grams of that alone are left out.
//!
//! An [`Index`] finds exactly, and says where; a [`Digest`] of it fits into a model file and gives the shares alone. What they find
//! means nothing by itself: a folk tune shares its turns with others. [`HeldOut`] says what real pieces show that are not in the index.
//!
//! A trainer makes the [`Index`] of its training pieces and the [`HeldOut`] of its validation pieces once, and asks at each checkpoint
//! [`Index::check`] of a few compositions and [`HeldOut::is_exceeded_by_share`] of the answers.

mod digest;
mod held_out;
mod index;
mod lines;

#[cfg(test)]
pub(crate) use index::tests;

pub use digest::{Digest, DigestError, Place, Sketch};
pub use held_out::{HeldOut, Range};
pub use index::{Index, Originality, Passage, Shares};
pub use lines::Voice;

/// The lengths of n-grams, in notes.
pub const LENGTHS: [usize; 3] = [4, 8, 12];
