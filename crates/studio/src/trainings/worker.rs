//! The thread that trains.

use super::{Manifest, Progress};
use crate::Shared;
use crate::composing::chain;
use crate::crew::Crew;
use cantus_composers::registry::{self, NoComposer};
use cantus_corpus::{Corpus, Options};
use cantus_training::run_folder::RunFiles;
use cantus_training::{Bounds, CheckpointPolicy, End, Event, Remark};
use cantus_workshop::{self as workshop, Base, Gathered, LoadError, Paused, Plan, WorkshopError};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A sample to hear comes with each checkpoint.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// How often a page is told how far a training is.
const TELL_EVERY: Duration = Duration::from_millis(300);

/// The worker: trains until the studio closes.
pub fn work(shared: &Shared) {
    let crew = Crew::new();
    while let Some((manifest, stop)) = shared.trainings.next() {
        let id = &manifest.id;
        let tell = |manifest: Option<Manifest>| {
            if let Some(manifest) = manifest {
                shared.events.tell("training", &manifest);
            }
        };
        tell(Some(manifest.clone()));
        let mut told: Option<Instant> = None;
        let mut what = String::new();
        let mut observe = |event: Event<'_>| match event {
            Event::Step { epoch, step, of, nats_per_token, done, seconds_left, .. } => {
                // The last step of an epoch is seen for as long as what follows it takes.
                if step == of || told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    let progress = Progress::Learning { epoch, step, of, nats_per_token, done, seconds_left };
                    tell(shared.trainings.advance(id, Some(progress)));
                }
            }
            Event::Finishing { done, seconds_left } => {
                let progress = Progress::Finishing { what: what.clone(), done, seconds_left };
                tell(shared.trainings.advance(id, Some(progress)));
            }
            Event::Evaluated(metrics) => told_of(shared, "metrics", id, metrics),
            Event::Remarked(remark) => {
                // The last remark before the finishing says what that is.
                what.clone_from(&remark.text);
                told_of::<Remark>(shared, "remark", id, remark);
            }
            Event::Checkpoint { sample, .. } => {
                let name = sample.and_then(Path::file_stem).map(|stem| stem.to_string_lossy());
                told_of(shared, "sample", id, &name);
            }
        };
        let ended = crew.work(|| train(shared, &manifest, &stop, &mut observe).map_err(|error| chain(&error)));
        tell(shared.trainings.end(id, ended));
    }
}

fn told_of<T: Serialize>(shared: &Shared, kind: &'static str, id: &str, what: &T) {
    shared.events.tell(kind, &serde_json::json!({ "id": id, kind: what }));
}

fn train(
    shared: &Shared,
    manifest: &Manifest,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(Event<'_>),
) -> Result<End, TrainFailure> {
    let trainings = &shared.trainings;
    let run = trainings.run(&manifest.id);
    let order = manifest.order.clone().ok_or(TrainFailure::NoOrder)?;
    let bounds = Bounds { minutes: Some(order.minutes), epochs: None };
    let policy = CheckpointPolicy { every: CHECKPOINT_EVERY, ..CheckpointPolicy::default() };
    let read = |data: &Path, options: &Options| -> Result<Corpus, WorkshopError> {
        Ok(cantus_corpus::read(data, options, &mut |_| ())?)
    };
    let training = if RunFiles::at(&run).is_ok() {
        let mut paused = Paused::open(&run)?;
        paused.description.bounds = bounds;
        let corpus = read(&paused.description.data, &paused.description.options)?;
        paused.go_on(&corpus, policy)?
    } else {
        let base = order.from.as_deref().map(|id| base_of(shared, id)).transpose()?;
        let asked = match &base {
            Some(base) => Some(base.choice),
            None => order.composer.as_deref().map(registry::choose).transpose()?,
        };
        let data = std::path::absolute(trainings.music(&manifest.id)).map_err(TrainFailure::Path)?;
        // It was looked at when the training was asked for.
        let options = match &base {
            Some(base) => base.options.clone(),
            None => order.options.options().unwrap_or_else(|_| Options::open()),
        };
        let Gathered { spec, configuration, corpus } = workshop::gather(&data, &options, asked, &mut |_| ())?;
        let plan = Plan {
            spec,
            configuration,
            settings: match &base {
                Some(base) => base.settings.clone(),
                None => spec.settings(configuration).unwrap_or_default(),
            },
            seed: order.seed,
            data,
            corpus: cantus_training::corpus_card(&corpus, &manifest.name).map_err(WorkshopError::from)?,
            from: base.map(|base| base.file),
            bounds,
            doctor: true,
            half: false,
        };
        workshop::begin(plan, &corpus, &run, policy)?
    };
    Ok(training.run(stop, observer).map_err(WorkshopError::from)?.end)
}

/// The model of an id, to go on from.
fn base_of(shared: &Shared, id: &str) -> Result<Base, TrainFailure> {
    let entry = shared.models.find(shared, id).ok_or(TrainFailure::NoModel)?;
    let base = Base::of(entry.name())?;
    Ok(Base { file: (entry.title.clone(), base.file.1), ..base })
}

/// Why a training ended early.
#[derive(Debug, thiserror::Error)]
enum TrainFailure {
    #[error("the model that it was to go on from is not there any more; begin another")]
    NoModel,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("it is not said how to train it; begin another")]
    NoOrder,
    #[error(transparent)]
    Composer(#[from] NoComposer),
    #[error("the training's folder cannot be found: {0}")]
    Path(std::io::Error),
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
}
