//! Hearing what is wrong with a piece: with the proofreader that is built in, or one's own, and how it learns and is put to the test.

use crate::models::{LoadError, find};
use cantus_composers::proofreading::{Exam, Proofreader, Schooling, Settings};
use cantus_corpus::{
    Corpus, CorpusError, FrameFile, FrameFileError, Options, Progress, Split, SpoolError, is_frame_file,
};
use cantus_model::{CorpusCard, ModelFile, digest};
use cantus_score::{Reading, Score};
use cantus_training::corpus_card;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The name of the proofreader that is built in, and hears where none is named.
pub const PROOFREADER: &str = "proofreader";

static BYTES: &[u8] = include_bytes!("../assets/proofreader.safetensors");

/// A proofreader, loaded.
#[derive(Clone, Debug)]
pub struct Ear {
    /// What it was called by.
    pub name: String,
    /// The SHA-256 of its file.
    pub digest: String,
    /// The size of its file in bytes.
    pub bytes: usize,
    /// What hears.
    pub proofreader: Proofreader,
}

/// Why a proofreader cannot learn, or cannot be examined.
#[derive(Debug, thiserror::Error)]
pub enum SchoolingError {
    /// There is too little music.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// It cannot be read back.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A benchmark file that cannot be read.
    #[error("`{}` {problem}", path.display())]
    Frames {
        /// Its name.
        path: PathBuf,
        /// What is wrong.
        problem: FrameFileError,
    },
    /// No piece has a few bars.
    #[error("there is no piece of at least a bar and nine notes to learn from: name a folder with more music")]
    TooShort,
}

/// The proofreader of a name: the built-in one, a file, or a file that lies where models do.
///
/// # Errors
/// [`LoadError`]: there is none, or it is a model that composes or plays.
pub fn ear(name: Option<&str>) -> Result<Ear, LoadError> {
    let (name, bytes): (String, Cow<'static, [u8]>) = match name {
        None | Some(PROOFREADER) => (PROOFREADER.to_owned(), BYTES.into()),
        Some(name) => find(name)?,
    };
    let failed = |source| LoadError::Model { name: name.clone(), source };
    let proofreader = Proofreader::load(&ModelFile::from_bytes(&bytes).map_err(failed)?).map_err(failed)?;
    Ok(Ear { digest: digest(&bytes), bytes: bytes.len(), proofreader, name })
}

/// Settings of a proofreader out of a list; what is absent is as usual.
///
/// # Errors
/// What is wrong with it.
pub fn proofreader_settings(settings: &serde_json::Value) -> Result<Settings, String> {
    Settings::read(settings).map_err(|problem| format!("settings of a proofreader: {problem}"))
}

/// Reads a folder, or a benchmark file, for a proofreader to learn from.
///
/// # Errors
/// [`SchoolingError`], where there is too little.
pub fn gather_music(
    folder: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Corpus, SchoolingError> {
    // All parts at once: a wrong note is wrong beside all others.
    let options = Options { reading: Some(Reading::Merged), ..options.clone() };
    Ok(cantus_corpus::read(folder, &options, progress)?)
}

fn music_of(corpus: &Corpus, split: Split) -> Result<Vec<Score>, SchoolingError> {
    Ok(corpus.pieces_of(split).map(cantus_corpus::Piece::score).collect::<Result<_, _>>()?)
}

/// Teaches a proofreader: a model file, which says what the music is called, and under which licence and by whose leave. `told` is given the share that is done and the mean loss of the latest steps, nats a note.
///
/// # Errors
/// [`SchoolingError`]
pub fn teach(
    corpus: &Corpus,
    settings: Settings,
    seed: u64,
    (name, licence, credit): (&str, Option<String>, Option<String>),
    told: &mut dyn FnMut(f64, f64),
) -> Result<ModelFile, SchoolingError> {
    let card = CorpusCard { licence, credit, ..corpus_card(corpus, name)? };
    let (train, valid) = (music_of(corpus, Split::Train)?, music_of(corpus, Split::Valid)?);
    let mut schooling = Schooling::new(settings, &train, &valid, seed).ok_or(SchoolingError::TooShort)?;
    let mut recent = None;
    while !schooling.is_done() {
        let loss = schooling.step();
        let mean: f64 = recent.map_or(loss, |recent| 0.99 * recent + 0.01 * loss);
        recent = Some(mean);
        told(schooling.share(), mean);
    }
    Ok(schooling.save(card))
}

/// Puts a proofreader to the test: with the test pieces of a benchmark file, or with those pieces of a folder that nobody learns from.
///
/// # Errors
/// [`SchoolingError`]
pub fn examine(
    ear: &Ear,
    folder: &Path,
    options: &Options,
    seed: u64,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(usize, Exam), SchoolingError> {
    let scores = if is_frame_file(folder) {
        let failed = |problem| SchoolingError::Frames { path: folder.to_owned(), problem };
        FrameFile::open(folder).map_err(failed)?.test
    } else {
        music_of(&gather_music(folder, options, progress)?, Split::Valid)?
    };
    Ok((scores.len(), ear.proofreader.examine(&scores, seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_listener_is_small_says_whom_to_thank_and_has_a_recipe() {
        let ear = ear(None).unwrap();
        assert!(ear.bytes < 1_500_000 && ear.name == PROOFREADER, "{} bytes", ear.bytes);
        let card = &ear.proofreader.header.corpus;
        assert_eq!(card.licence.as_deref(), Some("CC BY-SA 3.0 DE"));
        assert!(card.credit.as_ref().is_some_and(|credit| credit.contains("piano-midi.de")), "{card:?}");
        let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/proofreader.toml");
        let recipe = std::fs::read_to_string(recipe).unwrap();
        let settings = &ear.proofreader.header.settings;
        for wanted in [format!("data = \"{}\"", card.name), format!("steps = {}", settings["steps"])] {
            assert!(recipe.contains(&wanted), "{wanted} in {recipe}");
        }
    }

    #[test]
    fn a_model_that_composes_or_plays_hears_nothing() {
        for name in ["hymns", "no such listener"] {
            assert!(ear(Some(name)).unwrap_err().to_string().contains(name));
        }
    }
}
