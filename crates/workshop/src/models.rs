//! Finding and loading models: the built-in ones, a file, or the best of a run.

use crate::files::{self, ReadError};
use crate::shelf::{RUNS, advice};
use cantus_composers::registry;
use cantus_evaluation::listener::Reference;
use cantus_evaluation::originality::{Digest, Sketch};
use cantus_model::{Composer, Header, Joined, ModelError, ModelFile, Precision, Sampling, digest};
use cantus_score::Score;
use cantus_training::run_folder::{RunFiles, RunFolderError};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The name of the built-in model that composes where none is named.
pub const DEFAULT: &str = "hymns";
/// The name of the built-in model that writes voices, and so can harmonise.
pub const CHORALES: &str = "chorales";

/// The name of the built-in model whose music has codes, and so can be blended and varied.
pub const TUNES: &str = "tunes";

/// The name of the built-in model that writes chords and drums to a melody.
pub const ARRANGER: &str = "arranger";

/// The name of the built-in model that writes such a part to given ones.
pub const fn accompanist(joined: Joined) -> &'static str {
    match joined {
        Joined::Bass => "bass",
        Joined::Drums => "beat",
    }
}

/// A model that is part of the program, trained by a recipe in `recipes/`.
#[derive(Debug)]
pub struct BuiltIn {
    /// What it is called by.
    pub name: &'static str,
    /// What it writes.
    pub title: &'static str,
    /// How often a machine listener tells its pieces from those it learnt from, 0-1; 0.5 is chance. As its recipe says. It hears no drums.
    pub told: Option<f64>,
    bytes: &'static [u8],
}

impl BuiltIn {
    /// What its file says of it.
    pub fn header(&self) -> Option<Header> {
        Header::from_bytes(self.bytes).ok()
    }
}

/// A built-in model, whose file in `assets/` has its name.
macro_rules! style {
    ($name:literal, $title:literal, $told:expr) => {
        BuiltIn {
            name: $name,
            title: $title,
            told: $told,
            bytes: include_bytes!(concat!("../assets/", $name, ".safetensors")),
        }
    };
}

/// The models that are part of the program.
pub static BUILT_IN: &[BuiltIn] = &[
    style!("hymns", "Hymns", Some(0.59)),
    style!("chorales", "Bach chorales", Some(0.63)),
    style!("reels", "Reels, jigs and hornpipes", Some(0.73)),
    style!("airs", "Airs of the 18th century", Some(0.70)),
    style!("folk", "Folk tunes with their repeats", Some(0.67)),
    style!("dances", "English dances with chords", Some(0.78)),
    style!("chopin", "Piano after Chopin", Some(0.68)),
    style!("beethoven", "Piano after Beethoven", Some(0.69)),
    style!("mozart", "Piano after Mozart", Some(0.58)),
    style!("drums", "Drums", None),
    style!("band", "A rock band with drums", Some(0.76)),
    style!("bass", "A bass to given drums", None),
    style!("beat", "Drums to a given bass", None),
    style!("arranger", "Chords and drums to a tune", None),
    style!("tunes", "Tunes, to blend and to vary", Some(0.89)),
];

/// The built-in model of a name; a file or a run of that name comes first, a folder of music does not.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|model| model.name == name && !is_model(Path::new(name)))
}

fn is_model(path: &Path) -> bool {
    path.is_file() || RunFiles::at(path).is_ok()
}

/// The model of a composer by rules, whose name it has: `patterns`, `patterns:dorian`; a file or a run of that name comes first here, too.
fn by_rules(name: &str) -> Option<Vec<u8>> {
    let (spec, configuration) = registry::choose(name).ok()?;
    let is_taken = || is_model(Path::new(name)) || run_named(name).is_some();
    spec.untaught(configuration).filter(|_| !is_taken())?.to_bytes(Precision::Full).ok()
}

/// A model, loaded.
pub struct Model {
    /// What it was called by.
    pub name: String,
    /// The SHA-256 of its file.
    pub digest: String,
    /// The size of its file in bytes.
    pub bytes: usize,
    /// Its metadata.
    pub header: Header,
    /// What composes with it.
    pub composer: Box<dyn Composer>,
}

impl Model {
    /// How it draws where nothing else is asked for.
    pub fn usual_sampling(&self) -> Sampling {
        self.header.usual_sampling(self.composer.default_sampling())
    }

    /// What of its training music a composition can be held against; nothing where the model does not say.
    pub fn originality(&self) -> Option<Digest> {
        // A model without it composes as well.
        Digest::from_json(self.header.originality.as_ref()?).ok()
    }

    /// The same of the models that it went on from.
    pub fn originality_before(&self) -> impl Iterator<Item = Digest> {
        self.header.origins.iter().filter_map(|origin| Digest::from_json(origin.originality.as_ref()?).ok())
    }

    /// The same of all that it learnt from, its own corpus first.
    pub fn learnt(&self) -> Vec<Digest> {
        self.originality().into_iter().chain(self.originality_before()).collect()
    }

    /// What a listener keeps of its training music; nothing where the model does not say.
    pub fn reference(&self) -> Option<Reference> {
        Reference::from_json(self.header.listener.as_ref()?)
    }
}

/// Whether a piece shares more with any of the music that was learnt from than real pieces do.
pub(crate) fn is_copied(learnt: &[Digest], score: &Score) -> bool {
    learnt.iter().any(|learnt| learnt.check(score).is_copied(&learnt.held_out))
}

/// What can be said about copies in a piece of `model`: a sentence, the figures, and what they are held against, which is the corpus that most
/// of it stands in; nothing where the model does not know its training music. In a melody that `is_given` there is nothing to find.
pub fn originality(model: &Model, score: &Score, is_given: bool) -> Option<(String, Sketch, Digest)> {
    if is_given {
        let text = "Its melody is the one that was given.".to_owned();
        return Some((text, Sketch::default(), model.originality()?));
    }
    let checked = model.learnt().into_iter().map(|digest| (digest.check(score), digest));
    // Of equals the first: its own corpus.
    let (found, digest) =
        checked.rev().max_by_key(|(found, digest)| (found.is_copied(&digest.held_out), found.longest))?;
    Some((found.sentence(&digest.held_out), found, digest))
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A folder that is no run.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// No model is called so.
    #[error("there is no model `{name}`: {advice}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, and what may have been meant.
        advice: String,
    },
    /// A run that has only begun.
    #[error("the run `{}` has no model yet: its first checkpoint is still to come", .0.display())]
    NoModelYet(PathBuf),
    /// No model file, or one that this program cannot use.
    #[error("loading the model `{name}`")]
    Model {
        /// What it was called by.
        name: String,
        /// What is wrong with it.
        source: ModelError,
    },
}

/// The model of a name: a built-in one, a file, a run's folder, or a run in the folder [`RUNS`] by its name alone.
///
/// # Errors
/// [`LoadError`].
pub fn load(name: &str) -> Result<Model, LoadError> {
    let (name, bytes) = find(name)?;
    from_bytes(&name, &bytes)
}

/// What the model of a name is called from here on, and its file.
///
/// # Errors
/// [`LoadError`], where there is none.
pub(crate) fn find(name: &str) -> Result<(String, Cow<'static, [u8]>), LoadError> {
    if let Some(model) = built_in(name) {
        return Ok((name.to_owned(), model.bytes.into()));
    }
    if let Some(bytes) = by_rules(name) {
        return Ok((name.to_owned(), bytes.into()));
    }
    let path = model_path(name, Path::new(RUNS))?;
    Ok((path.to_string_lossy().into_owned(), files::read(&path)?.into()))
}

/// The folder of the run in [`RUNS`] that is called so.
pub fn run_named(name: &str) -> Option<PathBuf> {
    Some(run_in(Path::new(RUNS), name)?.path().to_owned())
}

fn run_in(runs: &Path, name: &str) -> Option<RunFiles> {
    is_name(name).then(|| RunFiles::at(runs.join(name)).ok())?
}

/// Whether it is a name alone, and no path.
fn is_name(name: &str) -> bool {
    let path = Path::new(name);
    path.components().count() == 1 && !path.is_absolute() && !name.starts_with('.')
}

/// The model file that a name stands for: a path comes first, then the runs in `runs`.
fn model_path(name: &str, runs: &Path) -> Result<PathBuf, LoadError> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let run = match run_in(runs, name) {
        Some(run) if RunFiles::at(path).is_err() => run,
        _ if path.is_dir() => RunFiles::at(path)?,
        // What looks like a file is looked for as one: reading it says that there is none.
        _ if path.extension().is_some() || !is_name(name) => return Ok(path.to_owned()),
        _ => return Err(LoadError::Unknown { name: name.to_owned(), advice: advice(name, runs) }),
    };
    let best = run.best_path();
    if best.exists() { Ok(best) } else { Err(LoadError::NoModelYet(run.path().to_owned())) }
}

/// The model in these bytes, to be called `name`.
///
/// # Errors
/// [`LoadError::Model`].
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Model, LoadError> {
    let failed = |source| LoadError::Model { name: name.to_owned(), source };
    let file = ModelFile::from_bytes(bytes).map_err(failed)?;
    let composer = registry::load(&file).map_err(failed)?;
    Ok(Model { name: name.to_owned(), digest: digest(bytes), bytes: bytes.len(), header: file.header, composer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, has_model: bool) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("run.json"), "{}").unwrap();
        if has_model {
            std::fs::write(folder.join("best.safetensors"), "").unwrap();
        }
    }

    #[test]
    fn a_run_is_found_by_its_name() {
        let place = tempfile::tempdir().unwrap();
        let runs = place.path().join("runs");
        run(&runs.join("chopin-lstm"), true);
        run(&runs.join("young"), false);
        let found = |name: &str| model_path(name, &runs);
        assert_eq!(found("chopin-lstm").unwrap(), runs.join("chopin-lstm/best.safetensors"));
        assert!(matches!(found("young"), Err(LoadError::NoModelYet(_))));
        let whole = runs.join("chopin-lstm").to_string_lossy().into_owned();
        assert_eq!(found(&whole).unwrap(), runs.join("chopin-lstm/best.safetensors"));
        assert_eq!(found("none.safetensors").unwrap(), Path::new("none.safetensors"));
        let said = |name: &str| found(name).unwrap_err().to_string();
        assert!(said("chorale").contains("did you mean `chorales`?"), "{}", said("chorale"));
        let composer = said("octave:exact");
        assert!(composer.contains("`octave` is a composer") && composer.contains("-c octave:exact"), "{composer}");
        assert!(said("jazz").contains("There are: hymns, chorales"), "{}", said("jazz"));
    }
}
