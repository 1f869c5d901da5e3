//! The models that a piece can be composed with: the built-in ones, the runs of the command line, and those trained here.
//!
//! A client names a model by its id; the id is looked for in the list, and never becomes a path.

use crate::Shared;
use cantus_composers::registry;
use cantus_model::{Around, ComposerSpec, Control, CorpusCard, Header};
use cantus_score::Reading;
use cantus_training::RunDescription;
use cantus_training::run_folder::RunFiles;
use cantus_workshop::{self as workshop, LoadError, Model};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A model that there is.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What a request calls it.
    pub id: String,
    /// What it learnt from.
    pub title: String,
    /// Composer and size.
    pub detail: String,
    /// What it can work around.
    pub around: &'static [Around],
    /// Whether it writes the four voices of a choir, whatever parts a piece has.
    pub choir: bool,
    /// What it can be asked for besides a length and what is given.
    pub controls: Vec<Described>,
    /// What the command line calls it.
    #[serde(skip)]
    name: String,
    /// The run folder that it comes from.
    #[serde(skip)]
    run: Option<PathBuf>,
}

impl Entry {
    /// What the command line calls it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A control, as a page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    /// What it is called in an order.
    pub name: &'static str,
    /// What a person calls it.
    pub label: &'static str,
    /// What it does, and how it is written.
    pub help: &'static str,
}

/// Whether a composer divides any music into the voices of a choir.
pub fn is_choir(composer: &str) -> bool {
    let sings = |spec: &ComposerSpec| spec.around.contains(&Around::Cells) && !spec.reads.contains(&Reading::Parts);
    registry::find(composer).is_some_and(sings)
}

/// What a model of a composer that learnt from such a corpus can work around, and be asked for.
fn asked(composer: &str, corpus: &CorpusCard) -> (&'static [Around], Vec<Described>) {
    let Some(spec) = registry::find(composer) else { return (&[], Vec::new()) };
    let way = workshop::reading_of(composer, corpus).way();
    let can = |control: &&Control| match control {
        Control::Seconds => way.is_played(),
        Control::Instruments => way == Reading::Parts,
        Control::Style | Control::Strength => corpus.styles.len() > 1,
        _ => true,
    };
    let described =
        |control: &Control| Described { name: control.name(), label: control.label(), help: control.help() };
    (spec.around, spec.controls.iter().filter(can).map(described).collect())
}

/// A model that is part of the program.
fn of_program(name: &str, title: String, detail: String, header: Option<Header>) -> Entry {
    let choir = header.as_ref().is_some_and(|header| is_choir(&header.composer));
    let (around, controls) = header.map_or((&[][..], Vec::new()), |header| asked(&header.composer, &header.corpus));
    Entry { id: name.to_owned(), title, detail, around, choir, controls, name: name.to_owned(), run: None }
}

/// Where models are looked for.
pub struct Models {
    built_in: Vec<Entry>,
    runs: PathBuf,
    /// The built-in model that was wanted last: whoever asks for another piece wants it at once.
    last: Mutex<Option<Arc<Model>>>,
}

impl Models {
    pub fn new(runs: PathBuf) -> Models {
        let built_in = workshop::BUILT_IN.iter().map(|model| {
            let detail = model.told.map_or_else(
                || "built in".to_owned(),
                |told| format!("built in; told from real music {:.0}% of the time, where 50% is chance", 100.0 * told),
            );
            of_program(model.name, model.title.to_owned(), detail, model.header())
        });
        let by_rules = registry::COMPOSERS.iter().filter_map(|spec| {
            let header = spec.untaught(spec.configurations.first()?.name)?.header;
            let (title, detail) =
                (format!("Rules ({})", spec.id), "composes by rules, and has learnt nothing".to_owned());
            Some(of_program(spec.id, title, detail, Some(header)))
        });
        let built_in = built_in.chain(by_rules);
        Models { built_in: built_in.collect(), runs, last: Mutex::default() }
    }

    /// The model of an entry.
    ///
    /// # Errors
    /// [`LoadError`], where its file is damaged, or has gone.
    pub fn load(&self, entry: &Entry) -> Result<Arc<Model>, LoadError> {
        // A run may have become better since.
        if workshop::built_in(&entry.name).is_none() {
            return Ok(Arc::new(workshop::load(&entry.name)?));
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = last.as_ref().filter(|model| model.name == entry.name) {
            return Ok(Arc::clone(model));
        }
        Ok(Arc::clone(last.insert(Arc::new(workshop::load(&entry.name)?))))
    }

    /// All there are now: the built-in ones, those trained here (the newest first), the other runs by name; of each run the best, then its
    /// checkpoints.
    pub fn list(&self, shared: &Shared) -> Vec<Entry> {
        let mut models = self.built_in.clone();
        for (id, title, run) in shared.trainings.runs() {
            models.extend(entries(&format!("training:{id}"), Some(title), &run));
        }
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(&self.runs).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        folders.sort();
        for run in folders {
            let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
            models.extend(entries(&format!("run:{name}"), None, &run));
        }
        models
    }

    /// The run folder of a model that was trained here or by the command line.
    pub fn run(&self, shared: &Shared, id: &str) -> Option<PathBuf> {
        self.find(shared, id)?.run
    }

    /// The model of an id.
    pub fn find(&self, shared: &Shared, id: &str) -> Option<Entry> {
        self.list(shared).into_iter().find(|entry| entry.id == id)
    }
}

/// The models of a run: its best, then its checkpoints, the newest first; nothing where it has none yet.
fn entries(id: &str, title: Option<String>, run: &Path) -> Vec<Entry> {
    let Ok(files) = RunFiles::at(run) else { return Vec::new() };
    let Ok(description) = files.description::<RunDescription>() else { return Vec::new() };
    if !files.best_path().is_file() {
        return Vec::new();
    }
    let RunDescription { composer, configuration, parameters, corpus, .. } = description;
    let (around, controls) = asked(&composer, &corpus);
    let choir = is_choir(&composer);
    let title = title.unwrap_or(corpus.name);
    let best = Entry {
        id: id.to_owned(),
        title: title.clone(),
        detail: format!("{composer}:{configuration}, {parameters} parameters"),
        around,
        choir,
        controls: controls.clone(),
        name: run.to_string_lossy().into_owned(),
        run: Some(run.to_owned()),
    };
    // Of a folder that cannot be listed just now the best is enough.
    let checkpoints = files.checkpoints().unwrap_or_default().into_iter().rev().map(|checkpoint| Entry {
        id: format!("{id}:{}", checkpoint.step),
        title: title.clone(),
        detail: format!("its checkpoint after step {}", checkpoint.step),
        around,
        choir,
        controls: controls.clone(),
        name: checkpoint.path.to_string_lossy().into_owned(),
        run: Some(run.to_owned()),
    });
    std::iter::once(best).chain(checkpoints).collect()
}
