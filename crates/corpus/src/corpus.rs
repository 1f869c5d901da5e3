//! Pieces to learn from, or why there are none.

use crate::advice;
use crate::frames::FrameFileError;
use crate::pairs::PairsError;
use crate::spool::SpoolError;
use crate::{ContentHash, OptionsError, Piece, Preflight, Split};
use std::io;
use std::path::PathBuf;

/// Pieces to learn from, and how they were found.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// In order of their hashes, so that file names have no influence on a training run.
    pub pieces: Vec<Piece>,
    /// What became of each file.
    pub report: Preflight,
    /// Whether it is known where a pitch that sounds on is struck again: music files say so, benchmark files do not.
    pub attacks: bool,
}

/// Why there is no corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The folder is not there.
    #[error("there is no folder `{}`: check its name", path.display())]
    NotFound {
        /// Its name.
        path: PathBuf,
    },
    /// The folder is there, but closed.
    #[error("`{}` may not be read: change its permissions, or copy it to a place of yours", path.display())]
    NotPermitted {
        /// Its name.
        path: PathBuf,
    },
    /// Neither a folder nor a file.
    #[error("`{}` is neither a folder nor a file: name a folder of music files", path.display())]
    NotAFolder {
        /// Its name.
        path: PathBuf,
    },
    /// The system failed otherwise.
    #[error("`{}` cannot be read: {source}", path.display())]
    Io {
        /// Its name.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of frames that is none.
    #[error("`{}` {problem}", path.display())]
    Frames {
        /// Its name.
        path: PathBuf,
        /// What is wrong.
        problem: FrameFileError,
    },
    /// A file of pairs that is none.
    #[error("`{}` {problem}", path.display())]
    Pairs {
        /// Its name.
        path: PathBuf,
        /// What is wrong.
        problem: PairsError,
    },
    /// There is more music than memory is taken for, and no room on disk, or it cannot be read back from there.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// An option outside its range.
    #[error("{0}")]
    Options(#[from] OptionsError),
    /// Fewer than two pieces can be used: there has to be one to train on and one to validate.
    #[error("{}", advice::unusable(report))]
    Unusable {
        /// What was found, and why it cannot be used: to be printed.
        report: Box<Preflight>,
    },
}

impl Corpus {
    /// The pieces of one side.
    pub fn pieces_of(&self, split: Split) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(move |piece| piece.split == split)
    }

    /// A hash over all notes, metres, tempos and the split: equal for equal music, whatever the files are called.
    ///
    /// Unlike the pieces' own hashes it sees keys and durations: what a composer learns from is the same if, and only if, this is.
    ///
    /// # Errors
    /// [`SpoolError::Get`], where a piece cannot be read back.
    pub fn fingerprint(&self) -> Result<ContentHash, SpoolError> {
        ContentHash::of_corpus(self.pieces.iter().map(|piece| Ok((piece.split as u8, piece.score()?))))
    }
}
