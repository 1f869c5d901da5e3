//! Finding and loading models: the built-in ones, a file, or the best of a run.

use crate::files::{self, ReadError};
use cantus_composers::registry;
use cantus_evaluation::originality::Digest;
use cantus_model::{Ability, Composer, Header, ModelError, ModelFile, Sampling, digest};
use cantus_training::run_folder::{RunFiles, RunFolderError};
use std::path::{Path, PathBuf};

/// The name of the built-in model that composes where none is named.
pub const DEFAULT: &str = "default";
/// The name of the built-in model that writes voices, and so can harmonise.
pub const CHORALES: &str = "chorales";

/// A model that is part of the program, trained by a recipe in `recipes/`.
#[derive(Debug)]
pub struct BuiltIn {
    /// What it is called by.
    pub name: &'static str,
    /// What it writes.
    pub title: &'static str,
    bytes: &'static [u8],
}

impl BuiltIn {
    /// What it can be asked for besides new pieces and ones that go on from a prompt.
    pub fn abilities(&self) -> &'static [Ability] {
        let file = ModelFile::from_bytes(self.bytes).ok();
        file.and_then(|file| registry::find(&file.header.composer)).map_or(&[], |spec| spec.abilities)
    }
}

/// The models that are part of the program.
pub static BUILT_IN: [BuiltIn; 2] = [
    BuiltIn { name: DEFAULT, title: "Hymns", bytes: include_bytes!("../assets/default.safetensors") },
    BuiltIn { name: CHORALES, title: "Bach chorales", bytes: include_bytes!("../assets/chorales.safetensors") },
];

/// The built-in model of a name; a file or folder of that name comes first.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|model| model.name == name && !Path::new(name).exists())
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

/// The model of a name: a built-in one, a file, or a run's folder.
///
/// # Errors
/// [`LoadError`].
pub fn load(name: &str) -> Result<Model, LoadError> {
    if let Some(model) = built_in(name) {
        return from_bytes(name, model.bytes);
    }
    let path = model_path(Path::new(name))?;
    from_bytes(&path.to_string_lossy(), &files::read(&path)?)
}

/// The model file that a path stands for.
fn model_path(path: &Path) -> Result<PathBuf, LoadError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let best = RunFiles::at(path)?.best_path();
    if best.exists() { Ok(best) } else { Err(LoadError::NoModelYet(path.to_owned())) }
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
