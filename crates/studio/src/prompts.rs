//! What people brought to be gone on with, or to be harmonised: files under the digest of their bytes.

use crate::{StudioError, make_folder};
use cantus_formats::{self as formats, Format, FormatError, Limits};
use cantus_model::digest;
use cantus_score::Score;
use cantus_training::run_folder::{RunFolderError, write_atomically};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds them.
pub struct Prompts {
    path: PathBuf,
}

/// Why a file is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Read(#[from] formats::ReadError),
    #[error("the file holds {0} tunes, and one is needed")]
    Tunes(usize),
    #[error(transparent)]
    Write(#[from] RunFolderError),
}

/// A prompt that was kept: what it is called, and its music.
pub struct Prompt {
    pub sha256: String,
    pub score: Score,
}

impl Prompts {
    pub fn open(path: PathBuf) -> Result<Prompts, StudioError> {
        make_folder(&path)?;
        Ok(Prompts { path })
    }

    /// Keeps a file; its format goes by the `name` that it had.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<Prompt, PromptError> {
        let format = Format::to_read(Path::new(name))?;
        let score = read(format, bytes)?;
        let sha256 = digest(bytes);
        write_atomically(&self.file(&sha256, format.extension()), |file| file.write_all(bytes))?;
        Ok(Prompt { sha256, score })
    }

    /// The prompt of this digest; `None` where there is none.
    pub fn find(&self, sha256: &str) -> Option<Prompt> {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest {
            return None;
        }
        let sha256 = sha256.to_ascii_lowercase();
        let found = |extension| {
            let path = self.file(&sha256, extension);
            read(Format::to_read(&path).ok()?, &fs::read(&path).ok()?).ok()
        };
        let score = Format::extensions_read().find_map(found)?;
        Some(Prompt { sha256, score })
    }

    fn file(&self, sha256: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{sha256}.{extension}"))
    }
}

/// The one piece in a file.
fn read(format: Format, bytes: &[u8]) -> Result<Score, PromptError> {
    let (mut scores, mut refused) = (Vec::new(), None);
    for piece in formats::read(format, bytes, &Limits::default())? {
        match piece.reading {
            Ok(reading) => scores.push(reading.score),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match (scores.pop(), refused) {
        (Some(score), _) if scores.is_empty() => Ok(score),
        (None, Some(error)) => Err(error.into()),
        (last, _) => Err(PromptError::Tunes(scores.len() + usize::from(last.is_some()))),
    }
}
