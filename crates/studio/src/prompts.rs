//! What people brought to be gone on with, or to be harmonised: files under the digest of their bytes.

use crate::{StudioError, make_folder};
use cantus_formats::{self as formats, Format, FormatError, Limits, Reading};
use cantus_model::digest;
use cantus_score::{Score, Unpitched};
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
    #[error("the file holds {0}: there is nothing to go on from; give one with a melody, or with drums")]
    Nothing(Unpitched),
    #[error(transparent)]
    Write(#[from] RunFolderError),
}

/// A prompt that was kept: what it is called, its music, and what its reader had to say.
pub struct Prompt {
    pub sha256: String,
    pub score: Score,
    pub warnings: Vec<String>,
}

impl Prompts {
    pub fn open(path: PathBuf) -> Result<Prompts, StudioError> {
        make_folder(&path)?;
        Ok(Prompts { path })
    }

    /// Keeps a file; its format goes by the `name` that it had.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<Prompt, PromptError> {
        let format = Format::to_read(Path::new(name))?;
        let (score, warnings) = read(format, bytes)?;
        if let Some(nothing) = Unpitched::of(&score).filter(|_| score.note_count() == 0) {
            return Err(PromptError::Nothing(nothing));
        }
        let sha256 = digest(bytes);
        write_atomically(&self.file(&sha256, format.extension()), |file| file.write_all(bytes))?;
        Ok(Prompt { sha256, score, warnings })
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
        let (score, warnings) = Format::extensions_read().find_map(found)?;
        Some(Prompt { sha256, score, warnings })
    }

    fn file(&self, sha256: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{sha256}.{extension}"))
    }
}

/// The one piece in a file, and what its reader had to say.
fn read(format: Format, bytes: &[u8]) -> Result<(Score, Vec<String>), PromptError> {
    let (mut readings, mut refused) = (Vec::new(), None);
    for piece in formats::read(format, bytes, &Limits::default())? {
        match piece.reading {
            Ok(reading) => readings.push(reading),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match (readings.pop(), refused) {
        (Some(Reading { score, mut warnings, warnings_dropped }), refused) if readings.is_empty() => {
            warnings.extend((warnings_dropped > 0).then(|| format!("{warnings_dropped} more such remarks")));
            warnings.extend(refused.map(|error| error.to_string()));
            warnings.extend(cantus_workshop::silence(&score));
            Ok((score, warnings))
        }
        (None, Some(error)) => Err(error.into()),
        (last, _) => Err(PromptError::Tunes(readings.len() + usize::from(last.is_some()))),
    }
}
