//! Composing: a queue of orders, and the thread that fulfils them.
//!
//! An order lies in `jobs/` until its piece is in the library. A piece has its order's id, and follows from the order alone: an order that
//! was interrupted is simply fulfilled again.

use crate::library::{Originality, Passage, Piece};
use crate::models::Entry;
use crate::{Shared, StudioError, make_folder, manifests, now, rendering};
use cantus_formats::midi;
use cantus_model::{ComposeError, Composition, Sampling};
use cantus_score::Score;
use cantus_training::run_folder::{RunFolderError, write_atomically};
use cantus_workshop::{self as workshop, ArrangementOrigin, LoadError, Model, PromptOrigin, Provenance};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The most bars that the studio composes.
pub const MOST_BARS: usize = 512;
/// The most pieces that are composed to choose the best of them.
pub const MOST_OF: u32 = 64;
/// Orders that may wait.
const MOST_WAITING: usize = 256;

/// What is to be composed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A model's id.
    #[serde(default = "default_model")]
    pub model: String,
    #[serde(default = "default_bars")]
    pub bars: usize,
    /// Drawn where it is missing.
    #[serde(default)]
    pub seed: Option<u64>,
    /// So many pieces are composed, their seeds counted up from this one, and the best is kept.
    #[serde(default = "one")]
    pub best_of: u32,
    /// What suits the model where it is missing.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Quarters a minute; what suits the model, or the prompt's, where it is missing.
    #[serde(default)]
    pub tempo: Option<f64>,
    /// Which bars come again, as `AABA`; as orders of before have it, now it is one of the controls.
    #[serde(default)]
    pub form: Option<String>,
    /// What is asked for of each control of the model, by its name.
    #[serde(default)]
    pub controls: BTreeMap<String, String>,
    /// An upload that the piece begins with.
    #[serde(default)]
    pub prompt: Option<PromptOrigin>,
    /// An upload whose other voices or bars are composed. It says itself how many bars the piece has.
    #[serde(default)]
    pub arrangement: Option<ArrangementOrigin>,
}

fn default_model() -> String {
    workshop::DEFAULT.to_owned()
}

fn default_bars() -> usize {
    workshop::BARS
}

fn one() -> u32 {
    1
}

impl Order {
    /// All that its piece follows from.
    pub fn settings(&self, model: &Model) -> Provenance {
        let usual = model.usual_sampling();
        let sampling = Sampling { temperature: self.temperature.unwrap_or(usual.temperature), ..usual };
        Provenance {
            tempo: self.tempo,
            form: self.form.clone(),
            controls: self.controls.clone(),
            prompt: self.prompt.clone(),
            arrangement: self.arrangement.clone(),
            ..Provenance::new(model, self.seed.unwrap_or_default(), self.bars, sampling)
        }
    }
}

/// An order on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub order: Order,
    pub state: State,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// How much is done, 0-1.
    #[serde(skip_deserializing)]
    pub done: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Waiting,
    Running,
    Failed,
}

/// The queue.
pub struct Composing {
    path: PathBuf,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: BTreeMap<String, Job>,
    closed: bool,
}

/// Why an order is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("{MOST_WAITING} pieces are waiting already; let some be finished, or cancel them")]
    TooMany,
    #[error(transparent)]
    Write(#[from] RunFolderError),
}

impl Composing {
    pub fn open(path: &Path) -> Result<Composing, StudioError> {
        make_folder(path)?;
        let mut jobs = BTreeMap::new();
        for mut job in manifests::<Job>(path)? {
            if job.state == State::Running {
                job.state = State::Waiting;
            }
            jobs.insert(job.id.clone(), job);
        }
        let queue = Mutex::new(Queue { jobs, closed: false });
        Ok(Composing { path: path.to_owned(), queue, changed: Condvar::new() })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }

    fn write(&self, job: &Job) -> Result<(), RunFolderError> {
        let json = serde_json::to_vec_pretty(job).unwrap_or_default();
        write_atomically(&self.manifest(&job.id), |file| file.write_all(&json))
    }

    /// All jobs, the oldest first.
    pub fn list(&self) -> Vec<Job> {
        self.queue().jobs.values().cloned().collect()
    }

    /// Takes an order: once this returns, it survives a restart.
    pub fn take(&self, id: String, order: Order) -> Result<Job, OrderError> {
        let mut queue = self.queue();
        if queue.jobs.values().filter(|job| job.state != State::Failed).count() >= MOST_WAITING {
            return Err(OrderError::TooMany);
        }
        let job = Job { id, order, state: State::Waiting, error: None, done: 0.0 };
        self.write(&job)?;
        queue.jobs.insert(job.id.clone(), job.clone());
        self.changed.notify_all();
        Ok(job)
    }

    /// Cancels a job, or forgets a failed one; `false` where there is none.
    pub fn cancel(&self, id: &str) -> bool {
        let mut queue = self.queue();
        if queue.jobs.remove(id).is_none() {
            return false;
        }
        // A file that stays comes back as a job, which can be cancelled again.
        fs::remove_file(self.manifest(id)).unwrap_or_default();
        true
    }

    /// Lets the worker end.
    pub fn close(&self) {
        self.queue().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next job; `None` once the studio closes.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.jobs.values_mut().find(|job| job.state == State::Waiting) {
                job.state = State::Running;
                return Some(job.clone());
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes how far a job is; breaks where it was cancelled or the studio closes.
    fn advance(&self, id: &str, done: f64) -> ControlFlow<()> {
        let mut queue = self.queue();
        match queue.jobs.get_mut(id) {
            Some(job) => job.done = done,
            None => return ControlFlow::Break(()),
        }
        if queue.closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn fail(&self, id: &str, error: &dyn std::error::Error) -> Option<Job> {
        let mut queue = self.queue();
        let job = queue.jobs.get_mut(id)?;
        job.state = State::Failed;
        job.error = Some(chain(error));
        // On a full disk it is tried again at the next start.
        self.write(job).unwrap_or_default();
        Some(job.clone())
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    line
}

/// Why an order cannot be fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum Unfulfilled {
    #[error("the model `{0}` is not there any more; choose another")]
    NoModel(String),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the file that was given is not there any more; give it again")]
    NoPrompt,
    #[error(transparent)]
    Compose(#[from] ComposeError),
    #[error(transparent)]
    WriteMidi(#[from] midi::WriteError),
    #[error(transparent)]
    Keep(#[from] RunFolderError),
}

/// The music that an order names, where it names any.
///
/// # Errors
/// [`Unfulfilled::NoPrompt`], where it is not there.
pub fn given(shared: &Shared, order: &Order) -> Result<Option<Score>, Unfulfilled> {
    let named = order.arrangement.as_ref().map(|given| &given.sha256);
    let named = named.or(order.prompt.as_ref().map(|given| &given.sha256));
    let found = |sha256: &String| shared.prompts.find(sha256).ok_or(Unfulfilled::NoPrompt);
    Ok(named.map(found).transpose()?.map(|upload| upload.score))
}

/// The worker: fulfils orders until the studio closes.
pub fn work(shared: &Shared) {
    while let Some(job) = shared.composing.next() {
        shared.events.tell("job", &job);
        match fulfil(shared, &job) {
            Ok(piece) => {
                shared.composing.cancel(&job.id);
                shared.events.tell("piece", &piece);
                shared.events.gone("job", &job.id);
            }
            // Cancelled, or to be gone on with at the next start.
            Err(Unfulfilled::Compose(ComposeError::Stopped)) => {}
            Err(error) => {
                if let Some(job) = shared.composing.fail(&job.id, &error) {
                    shared.events.tell("job", &job);
                }
            }
        }
    }
}

fn fulfil(shared: &Shared, job: &Job) -> Result<Piece, Unfulfilled> {
    let order = &job.order;
    let entry = shared.models.find(shared, &order.model).ok_or_else(|| Unfulfilled::NoModel(order.model.clone()))?;
    let model = &*shared.models.load(&entry)?;
    let mut told = 0.0;
    let mut progress = |done| {
        if done >= told + 0.1 {
            told = done;
            shared.events.tell("job", &Job { state: State::Running, done, ..job.clone() });
        }
        shared.composing.advance(&job.id, done)
    };
    let mut settings = order.settings(model);
    let given = given(shared, order)?;
    let seeds: Vec<u64> = (0..order.best_of.max(1)).map(|k| settings.seed.wrapping_add(k.into())).collect();
    let composed = workshop::compose(model, &settings, &seeds, given.as_ref(), &mut progress)?;
    // Of one there is nothing to choose from.
    let best = if seeds.len() > 1 { workshop::order(model, &composed).into_iter().next() } else { None };
    let number = best.as_ref().map_or(0, |best| best.number);
    // One seed, one piece.
    let mut composition = composed.into_iter().nth(number).ok_or(ComposeError::Stopped)?;
    settings.seed = seeds[number];
    composition.remarks.extend(best.map(|best| best.to_string()));
    keep(shared, job.id.clone(), (entry, model), composition, settings)
}

/// Keeps a composition in the library as the piece `id`.
pub fn keep(
    shared: &Shared,
    id: String,
    (entry, model): (Entry, &Model),
    composition: Composition,
    origin: Provenance,
) -> Result<Piece, Unfulfilled> {
    let score = &composition.score;
    let is_given = origin.arrangement.as_ref().is_some_and(ArrangementOrigin::has_melody);
    let originality = originality(model, score, is_given);
    let piece = Piece {
        id,
        created: now(),
        title: score.title.clone().unwrap_or_default(),
        model: entry.title,
        model_id: Some(entry.id),
        choir: entry.choir,
        notes: score.note_count(),
        seconds: score.tempo_map().seconds(score.end()),
        tempo: score.tempos.first().map_or(120.0, |(_, tempo)| tempo.quarters_per_minute()),
        rating: 0,
        remarks: composition.remarks,
        originality,
        origin,
    };
    shared.library.add(piece.clone(), &midi::write(score)?, rendering::sheet(score).as_deref())?;
    Ok(piece)
}

/// What can be said of copies in a piece; of a melody that `is_given` there is nothing to find.
fn originality(model: &Model, score: &Score, is_given: bool) -> Option<Originality> {
    let (text, found, digest) = workshop::originality(model, score, is_given)?;
    let real = &digest.held_out.melody[1];
    let known = |value: f64| (real.pieces > 0).then_some(value);
    Some(Originality {
        text: Some(text),
        share: found.melody[1],
        longest: found.longest,
        passage: found.place.map(|place| {
            let tempo = score.tempo_map();
            let seconds = (tempo.seconds(*place.onsets.start()), tempo.seconds(*place.onsets.end()));
            Passage { bars: (place.bar, place.last_bar), seconds }
        }),
        usual: known(real.median),
        high: known(real.high),
    })
}
