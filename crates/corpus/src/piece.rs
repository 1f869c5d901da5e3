//! A piece of a corpus: ready for encoding, and put away until it is asked for.

use crate::ContentHash;
use crate::packed::{pack, unpack};
use crate::spool::{Place, SpoolError, Spooled};
use cantus_score::Score;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A piece on the grid, or as it was read otherwise.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its file, relative to the folder.
    pub path: String,
    /// What it is known by.
    pub hash: ContentHash,
    /// On which side it stands.
    pub split: Split,
    /// Its length in quarter notes, silence at the beginning left out.
    pub quarters: f64,
    /// Its notes, packed.
    kept: (Arc<Spooled>, Place),
}

impl Piece {
    /// A piece that is kept by itself.
    pub fn new(path: String, hash: ContentHash, split: Split, score: &Score) -> Piece {
        let quarters = score.end().quarters(score.ticks_per_quarter);
        Piece { path, hash, split, quarters, kept: Spooled::of(pack(score)) }
    }

    /// A piece that was put away, [packed](pack), with others.
    pub(crate) fn put_away(
        path: String,
        hash: ContentHash,
        split: Split,
        quarters: f64,
        kept: (Arc<Spooled>, Place),
    ) -> Piece {
        Piece { path, hash, split, quarters, kept }
    }

    /// Its notes, as they were read: merged, in one part, in steps of the grid.
    ///
    /// # Errors
    /// [`SpoolError::Get`], where the system cannot read back what did not fit into memory.
    pub fn score(&self) -> Result<Score, SpoolError> {
        let (spooled, place) = &self.kept;
        spooled.get(*place, unpack)
    }
}

/// Equal in all that one can see.
impl PartialEq for Piece {
    fn eq(&self, other: &Piece) -> bool {
        let seen = |piece: &Piece| (piece.hash, piece.split, piece.quarters);
        let is_same = || matches!((self.score(), other.score()), (Ok(one), Ok(other)) if one == other);
        seen(self) == seen(other) && self.path == other.path && is_same()
    }
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A composer learns from it.
    Train,
    /// It tells how well a composer has learnt.
    Valid,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Split::Train => "train",
            Split::Valid => "valid",
        })
    }
}
