//! The models that a piece can be composed with: the built-in one, the runs of the command line, and those trained here.
//!
//! A client names a model by its id; the id is looked for in the list, and never becomes a path.

use crate::Shared;
use cantus_training::RunDescription;
use cantus_training::run_folder::RunFiles;
use cantus_workshop::{self as workshop, LoadError, Model};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A model that there is.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What a request calls it.
    pub id: String,
    /// What it learnt from.
    pub title: String,
    /// Composer and size.
    pub detail: String,
    /// What the command line calls it.
    #[serde(skip)]
    name: String,
}

impl Entry {
    /// # Errors
    /// [`LoadError`], where its file is damaged, or has gone.
    pub fn load(&self) -> Result<Model, LoadError> {
        workshop::load(&self.name)
    }
}

/// Where models are looked for.
pub struct Models {
    runs: PathBuf,
}

impl Models {
    pub fn new(runs: PathBuf) -> Models {
        Models { runs }
    }

    /// All there are now: the built-in one, those trained here (the newest first), the other runs by name.
    pub fn list(&self, shared: &Shared) -> Vec<Entry> {
        let mut models = vec![Entry {
            id: workshop::DEFAULT.to_owned(),
            title: "Built in".to_owned(),
            detail: "ready at once".to_owned(),
            name: workshop::DEFAULT.to_owned(),
        }];
        for (id, title, run) in shared.trainings.runs() {
            models.extend(entry(format!("training:{id}"), Some(title), &run));
        }
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(&self.runs).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        folders.sort();
        for run in folders {
            let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
            models.extend(entry(format!("run:{name}"), None, &run));
        }
        models
    }

    /// The run folder of a model that was trained here or by the command line.
    pub fn run(&self, shared: &Shared, id: &str) -> Option<PathBuf> {
        self.find(shared, id).filter(|entry| entry.id != workshop::DEFAULT).map(|entry| entry.name.into())
    }

    /// The model of an id.
    pub fn find(&self, shared: &Shared, id: &str) -> Option<Entry> {
        self.list(shared).into_iter().find(|entry| entry.id == id)
    }
}

/// A run as a model; nothing where it has none yet.
fn entry(id: String, title: Option<String>, run: &Path) -> Option<Entry> {
    let files = RunFiles::at(run).ok()?;
    if !files.best_path().is_file() {
        return None;
    }
    let description: RunDescription = files.description().ok()?;
    let RunDescription { composer, configuration, parameters, corpus, .. } = description;
    let detail = format!("{composer}:{configuration}, {parameters} parameters");
    Some(Entry { id, title: title.unwrap_or(corpus.name), detail, name: run.to_string_lossy().into_owned() })
}
