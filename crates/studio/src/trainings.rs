//! Trainings: music that was uploaded, the run that is trained on it, and the thread that trains.
//!
//! ```text
//! trainings/ID/training.json     what it is called, how it is trained, and how far it is
//! trainings/ID/music/            the files, under names that were made here
//! trainings/ID/run/              the run folder
//! ```
//!
//! A training that was waiting or running when the program ended goes on at the next start, from its last checkpoint.

mod worker;

use crate::estimate::{self, Estimate};
use crate::models::is_choir;
use crate::preflight::Report;
use crate::reading::Reads;
use crate::{StudioError, make_folder, now};
use cantus_composers::registry::{self, NoComposer};
use cantus_corpus::Options;
use cantus_formats::{Format, FormatError};
use cantus_model::CreateError;
use cantus_training::run_folder::{RunFiles, RunFolderError, write_atomically};
use cantus_training::{End, Metrics, RunDescription};
use cantus_workshop::{Gathered, WorkshopError, gather};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use worker::work;

/// Files of one training.
pub const MOST_FILES: usize = 5000;
/// Trainings that are kept.
const MOST_TRAININGS: usize = 1000;
/// The longest training in minutes: a day.
pub const MOST_MINUTES: f64 = 1440.0;

/// A training as its manifest keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    pub name: String,
    pub stage: Stage,
    /// Files uploaded.
    pub files: usize,
    #[serde(default)]
    pub order: Option<Order>,
    /// Why it failed, or how it ended.
    #[serde(default)]
    pub outcome: Option<String>,
    /// How far it is; only while it runs.
    #[serde(skip_deserializing)]
    pub progress: Option<Progress>,
}

/// How it is to be trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A composer, or `COMPOSER:CONFIGURATION`; the first of the registry where it is missing.
    #[serde(default)]
    pub composer: Option<String>,
    /// The model that it goes on from, in the place of a composer.
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default = "default_minutes")]
    pub minutes: f64,
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How the music is read.
    #[serde(default)]
    pub options: Reads,
}

fn default_minutes() -> f64 {
    10.0
}

fn default_seed() -> u64 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Music may still be added.
    Collecting,
    Waiting,
    Running,
    /// Somebody stopped it: the best is kept, and it can go on.
    Stopped,
    Finished,
    Failed,
}

/// How far a running training is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Progress {
    /// The network learns.
    Learning {
        epoch: u64,
        step: u64,
        of: u64,
        nats_per_token: f64,
        /// How much of the time allowed is used up, 0-1.
        done: f64,
        /// At the most.
        seconds_left: f64,
    },
    /// The network has learnt, and something else is learnt from what it composes.
    Finishing {
        /// What it is, in a line.
        what: String,
        /// How much of it is done, 0-1.
        done: f64,
        seconds_left: Option<f64>,
    },
}

/// A training with its figures.
#[derive(Serialize)]
pub struct View {
    #[serde(flatten)]
    pub manifest: Manifest,
    pub metrics: Vec<Metrics>,
    /// What its figures are: "loss (nats per token)".
    pub loss: Option<String>,
    /// A figure to beat, with its name.
    pub baselines: Vec<(String, f64)>,
    pub parameters: Option<usize>,
    /// Names of the compositions made on the way, the newest first.
    pub samples: Vec<String>,
}

/// A composition made on the way.
pub struct Sample {
    /// As a MIDI file.
    pub midi: Vec<u8>,
    /// Whether it is music for a choir.
    pub choir: bool,
}

/// Why something cannot be done with a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error("there is no such training")]
    NotFound,
    #[error("{MOST_TRAININGS} trainings are kept already; delete some")]
    TooMany,
    #[error("a training reads at most {MOST_FILES} files")]
    TooManyFiles,
    #[error("the training has begun: its music is settled")]
    Settled,
    #[error("the training is running; stop it first")]
    Running,
    #[error("the training is over; begin another")]
    Over,
    #[error("the training is not running")]
    NotRunning,
    #[error(transparent)]
    NoComposer(#[from] NoComposer),
    #[error("a training lasts more than 0 and at most {MOST_MINUTES} minutes")]
    Minutes,
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Write(#[from] RunFolderError),
    #[error("the training's folder cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// All trainings, and which one runs.
pub struct Trainings {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    trainings: BTreeMap<String, Manifest>,
    /// Stops the one that runs.
    stop: Arc<AtomicBool>,
    closed: bool,
}

impl Trainings {
    pub fn open(path: &Path) -> Result<Trainings, StudioError> {
        make_folder(path)?;
        let failed = |error| StudioError::Library { path: path.to_owned(), error };
        let mut trainings = BTreeMap::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let manifest = entry.map_err(failed)?.path().join("training.json");
            let read = fs::read(manifest).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
            if let Some(mut manifest) = read {
                if manifest.stage == Stage::Running {
                    manifest.stage = Stage::Waiting;
                }
                trainings.insert(manifest.id.clone(), manifest);
            }
        }
        let state = Mutex::new(State { trainings, ..State::default() });
        Ok(Trainings { path: path.to_owned(), state, changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn music(&self, id: &str) -> PathBuf {
        self.path.join(id).join("music")
    }

    fn run(&self, id: &str) -> PathBuf {
        self.path.join(id).join("run")
    }

    fn write(&self, manifest: &Manifest) -> Result<(), RunFolderError> {
        let json = serde_json::to_vec_pretty(manifest).unwrap_or_default();
        write_atomically(&self.path.join(&manifest.id).join("training.json"), |file| file.write_all(&json))
    }

    /// All, the newest first.
    pub fn list(&self) -> Vec<Manifest> {
        self.state().trainings.values().rev().cloned().collect()
    }

    /// Ids, names and run folders, the newest first.
    pub fn runs(&self) -> Vec<(String, String, PathBuf)> {
        let run = |training: Manifest| {
            let folder = self.run(&training.id);
            (training.id, training.name, folder)
        };
        self.list().into_iter().map(run).collect()
    }

    fn get(&self, id: &str) -> Result<Manifest, TrainingError> {
        self.state().trainings.get(id).cloned().ok_or(TrainingError::NotFound)
    }

    /// A new one, without music.
    pub fn create(&self, id: String, name: String) -> Result<Manifest, TrainingError> {
        let mut state = self.state();
        if state.trainings.len() >= MOST_TRAININGS {
            return Err(TrainingError::TooMany);
        }
        let manifest = Manifest {
            id,
            created: now(),
            name,
            stage: Stage::Collecting,
            files: 0,
            order: None,
            outcome: None,
            progress: None,
        };
        fs::create_dir_all(self.music(&manifest.id))?;
        self.write(&manifest)?;
        state.trainings.insert(manifest.id.clone(), manifest.clone());
        Ok(manifest)
    }

    /// Adds a file; `label` is what the client calls it. Its name here is made of its number, of the label's harmless characters, and of
    /// an extension from our own list.
    pub fn add(&self, id: &str, label: &str, bytes: &[u8]) -> Result<Manifest, TrainingError> {
        Format::to_read(Path::new(label))?;
        let (stem, extension) = label.rsplit_once('.').unwrap_or((label, ""));
        let extension = Format::extensions_read().find(|known| known.eq_ignore_ascii_case(extension)).unwrap_or("mid");
        let tame = |c: char| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '(' | ')') { c } else { '_' };
        let stem: String = stem.chars().map(tame).take(30).collect();
        let mut state = self.state();
        let manifest = state.trainings.get_mut(id).ok_or(TrainingError::NotFound)?;
        if manifest.stage != Stage::Collecting {
            return Err(TrainingError::Settled);
        }
        if manifest.files >= MOST_FILES {
            return Err(TrainingError::TooManyFiles);
        }
        let name = format!("{:04} {stem}.{extension}", manifest.files + 1);
        write_atomically(&self.music(id).join(name), |file| file.write_all(bytes))?;
        manifest.files += 1;
        self.write(manifest)?;
        Ok(manifest.clone())
    }

    /// What would be used of its music, and why not the rest.
    pub fn preflight(&self, id: &str, options: &Options) -> Result<Report, TrainingError> {
        self.get(id)?;
        Ok(Report::of(&self.music(id), options)?)
    }

    /// How long a composer would take to learn from its music. Takes a while.
    pub fn estimate(&self, id: &str, composer: Option<&str>, options: &Options) -> Result<Estimate, TrainingError> {
        self.get(id)?;
        let asked = composer.map(registry::choose).transpose()?;
        let Gathered { spec, configuration, corpus } = gather(&self.music(id), options, asked, &mut |_| ())?;
        Ok(estimate::measure(spec, configuration, &corpus, default_seed())?)
    }

    /// Queues a training: one that is new, or one that was stopped or failed, which then goes on.
    pub fn start(&self, id: &str, order: Order) -> Result<Manifest, TrainingError> {
        if !(order.minutes > 0.0 && order.minutes <= MOST_MINUTES) {
            return Err(TrainingError::Minutes);
        }
        order.composer.as_deref().map(registry::choose).transpose()?;
        let mut state = self.state();
        let manifest = state.trainings.get_mut(id).ok_or(TrainingError::NotFound)?;
        match manifest.stage {
            Stage::Waiting | Stage::Running => return Err(TrainingError::Running),
            Stage::Finished => return Err(TrainingError::Over),
            Stage::Collecting | Stage::Stopped | Stage::Failed => {}
        }
        let waiting = Manifest { stage: Stage::Waiting, order: Some(order), outcome: None, ..manifest.clone() };
        self.write(&waiting)?;
        manifest.clone_from(&waiting);
        self.changed.notify_all();
        Ok(waiting)
    }

    /// Calls it something else.
    pub fn rename(&self, id: &str, name: String) -> Result<Manifest, TrainingError> {
        let mut state = self.state();
        let manifest = state.trainings.get_mut(id).ok_or(TrainingError::NotFound)?;
        let renamed = Manifest { name, ..manifest.clone() };
        // On disk one that runs goes on waiting, as before.
        let stage = if renamed.stage == Stage::Running { Stage::Waiting } else { renamed.stage };
        self.write(&Manifest { stage, ..renamed.clone() })?;
        manifest.clone_from(&renamed);
        Ok(renamed)
    }

    /// Stops a training that waits or runs; what it has learnt is kept.
    pub fn stop(&self, id: &str) -> Result<Manifest, TrainingError> {
        let mut state = self.state();
        let stop = Arc::clone(&state.stop);
        let manifest = state.trainings.get_mut(id).ok_or(TrainingError::NotFound)?;
        match manifest.stage {
            Stage::Running => stop.store(true, Ordering::Relaxed),
            Stage::Waiting => {
                let stage = if self.run(id).exists() { Stage::Stopped } else { Stage::Collecting };
                let stopped = Manifest { stage, ..manifest.clone() };
                self.write(&stopped)?;
                manifest.clone_from(&stopped);
            }
            _ => return Err(TrainingError::NotRunning),
        }
        Ok(manifest.clone())
    }

    /// Deletes a training with its music and its model.
    pub fn delete(&self, id: &str) -> Result<(), TrainingError> {
        let mut state = self.state();
        let manifest = state.trainings.get(id).ok_or(TrainingError::NotFound)?;
        if matches!(manifest.stage, Stage::Running | Stage::Waiting) {
            return Err(TrainingError::Running);
        }
        // The manifest first: without it the rest is no training.
        fs::remove_file(self.path.join(id).join("training.json"))?;
        state.trainings.remove(id);
        fs::remove_dir_all(self.path.join(id))?;
        Ok(())
    }

    /// A training with its figures.
    pub fn view(&self, id: &str) -> Result<View, TrainingError> {
        let manifest = self.get(id)?;
        let mut view = View {
            manifest,
            metrics: Vec::new(),
            loss: None,
            baselines: Vec::new(),
            parameters: None,
            samples: Vec::new(),
        };
        // Before its first step there is no run.
        let Ok(run) = RunFiles::at(self.run(id)) else { return Ok(view) };
        view.metrics = run.metrics()?;
        if let Ok(description) = run.description::<RunDescription>() {
            view.loss = Some(description.loss());
            let baseline = |known: &cantus_model::Baseline| (known.name.to_string(), known.nats_per_token);
            view.baselines = description.baselines.iter().map(baseline).collect();
            view.parameters = Some(description.parameters);
        }
        view.samples = sample_names(&run);
        Ok(view)
    }

    /// A composition made on the way; its name is looked for among those there are.
    pub fn sample(&self, id: &str, name: &str) -> Result<Sample, TrainingError> {
        self.get(id)?;
        let run = RunFiles::at(self.run(id)).map_err(|_| TrainingError::NotFound)?;
        let known = sample_names(&run).into_iter().find(|known| known == name).ok_or(TrainingError::NotFound)?;
        let midi = fs::read(run.samples_path().join(format!("{known}.mid")))?;
        let choir = run.description::<RunDescription>().is_ok_and(|description| is_choir(&description.composer));
        Ok(Sample { midi, choir })
    }

    /// Lets the worker end; the training that runs writes a checkpoint first.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.stop.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits for the next training; `None` once the studio closes.
    fn next(&self) -> Option<(Manifest, Arc<AtomicBool>)> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(manifest) = state.trainings.values_mut().find(|training| training.stage == Stage::Waiting) {
                manifest.stage = Stage::Running;
                let manifest = manifest.clone();
                // On disk it goes on waiting: for the next start, should this one end.
                state.stop = Arc::new(AtomicBool::new(false));
                return Some((manifest, Arc::clone(&state.stop)));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, id: &str, progress: Option<Progress>) -> Option<Manifest> {
        let mut state = self.state();
        let manifest = state.trainings.get_mut(id)?;
        manifest.progress = progress;
        Some(manifest.clone())
    }

    /// Notes how a training ended. One that the closing studio interrupted is still waiting.
    fn end(&self, id: &str, ended: Result<End, String>) -> Option<Manifest> {
        let mut state = self.state();
        let closed = state.closed;
        let manifest = state.trainings.get_mut(id)?;
        manifest.progress = None;
        (manifest.stage, manifest.outcome) = match ended {
            Ok(End::Interrupted) if closed => (Stage::Waiting, None),
            Ok(End::Interrupted) => (Stage::Stopped, Some("the best is kept".to_owned())),
            Ok(End::Plateau) => (Stage::Finished, Some("validation stands still".to_owned())),
            Ok(End::Epochs) => (Stage::Finished, Some("the epochs are over".to_owned())),
            Ok(End::Minutes) => (Stage::Finished, Some("the time is over".to_owned())),
            Err(message) => (Stage::Failed, Some(message)),
        };
        // On a full disk it goes on at the next start, and ends again.
        self.write(manifest).unwrap_or_default();
        Some(manifest.clone())
    }
}

/// Names of the compositions in a run, without extension, the newest first.
fn sample_names(run: &RunFiles) -> Vec<String> {
    let files = fs::read_dir(run.samples_path()).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".mid")?.to_owned());
    let mut names: Vec<String> = files.filter_map(name).filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names
}
