//! The training loop.

mod collapse;
mod epoch_end;

use self::collapse::{HOPELESS_STEPS, MOST_COLLAPSES};
use crate::bars;
use crate::curves::{self, Marks, Point};
use crate::doctor::{Doctor, Pulse, Remark};
use crate::record::{Best, Metrics, RunDescription};
use crate::run_folder::{RunFolder, RunFolderError};
use crate::schedule::{Bounds, Phase};
use cantus_evaluation::listener::Reference;
use cantus_model::{
    Baseline, ComposeError, Composer, Evaluation, Likelihood, ModelError, ModelFile, Origin, PieceError, Precision,
    Regime, Request, TensorData, Trainable, TrainingSet, TrainingSummary, derive, digest,
};
use cantus_score::Score;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the best epoch's parameters are called in a checkpoint.
const BEST: &str = "best.";
/// What everything is called in it that stood at the end of the last epoch: the way back from a collapse.
const GOOD: &str = "good.";
/// Bars of the composition at a checkpoint.
const SAMPLE_BARS: usize = 16;

/// Where a training stands, as a checkpoint keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Standing {
    epoch: u64,
    step: u64,
    steps: u64,
    so_far: Evaluation,
    best: Option<Best>,
    /// Evaluations since the best.
    since_best: u32,
    phase: Phase,
    /// What bounded the training when the learning rate began to fall.
    #[serde(default)]
    fell_for: Option<Bounds>,
    /// Why the training ends when it has fallen.
    #[serde(default)]
    falls_to: Option<End>,
    hopeless: u32,
    /// The training loss of the last steps.
    #[serde(default)]
    pulse: Pulse,
    /// How often the training collapsed: so often the learning rate was halved.
    #[serde(default)]
    collapses: u32,
    /// Whether overfitting since the best epoch has been told.
    #[serde(default)]
    overfitting: bool,
    /// Whether the last compositions looked at were copies.
    #[serde(default)]
    copying: bool,
    /// Whether the last phrases drawn were all alike.
    #[serde(default)]
    alike: bool,
    /// Remarks for the next line of figures.
    #[serde(default)]
    remarks: Vec<Remark>,
    seconds: f64,
}

/// What is reported while training.
#[derive(Debug)]
pub enum Event<'a> {
    /// After a step.
    Step {
        /// The epoch that is running, counted from 1.
        epoch: u64,
        /// Steps done of it.
        step: u64,
        /// Steps of it.
        of: u64,
        /// Training nats per token in it so far.
        nats_per_token: f64,
        /// Tokens a second since training went on.
        tokens_per_second: f64,
        /// How much of the time allowed is used up, 0-1.
        done: f64,
        /// Seconds left at the latest.
        seconds_left: f64,
    },
    /// After an epoch.
    Evaluated(&'a Metrics),
    /// Something happened within an epoch; it also stands in the next line of figures.
    Remarked(&'a Remark),
    /// The training is over, and its model learns what only whole compositions show: [`Trainable::finish`].
    Finishing {
        /// How much of it is done, 0-1.
        done: f64,
        /// Seconds left, as far as can be told by what is done; nothing before there is any.
        seconds_left: Option<f64>,
    },
    /// After a checkpoint.
    Checkpoint {
        /// Where it lies.
        path: &'a std::path::Path,
        /// The composition made there.
        sample: Option<&'a std::path::Path>,
    },
}

/// Is told what happens.
pub type Observer<'a> = &'a mut dyn FnMut(Event<'_>);

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Validation stood still, the learning rate fell to zero.
    Plateau,
    /// The epochs are over.
    Epochs,
    /// The time is over.
    Minutes,
    /// Somebody stopped it; it can go on.
    Interrupted,
}

/// What came of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub end: End,
    /// The epoch that was kept; none where no epoch was finished.
    pub best: Option<Best>,
    /// Epochs done.
    pub epochs: u64,
    /// Steps done.
    pub steps: u64,
    /// Seconds that it took, those before a resumption included.
    pub seconds: f64,
}

/// Why a training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// A checkpoint or model file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Music that cannot be read back from where it was put.
    #[error("{0}; the last checkpoint is kept, and training can go on from it")]
    Piece(#[from] PieceError),
    /// No number came out, again and again.
    #[error(
        "training failed: {HOPELESS_STEPS} steps one after another gave no finite gradient (epoch {epoch}); the last checkpoint is kept; begin again with a lower learning rate"
    )]
    NotFinite {
        /// The epoch.
        epoch: u64,
    },
    /// It collapsed again and again.
    #[error(
        "training failed: it collapsed {MOST_COLLAPSES} times, although the learning rate was halved each time (epoch {epoch}); the last checkpoint is kept; look at the settings, or begin with another seed"
    )]
    Collapsed {
        /// The epoch.
        epoch: u64,
    },
    /// The corpus has changed since.
    #[error(
        "the music in {data} is not what this run began with ({changes}); put it back as it was, or begin a new run on what is there now: \
         `cantus train {data} -o` and another folder; what this run has learnt stays in it"
    )]
    OtherCorpus {
        /// The folder.
        data: std::path::PathBuf,
        /// What has changed, as far as that is known.
        changes: String,
    },
}

/// How often a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckpointPolicy {
    /// At every so many epochs.
    pub epochs: u64,
    /// And when so much time has passed since the last one.
    pub every: Duration,
}

impl Default for CheckpointPolicy {
    fn default() -> CheckpointPolicy {
        CheckpointPolicy { epochs: 25, every: Duration::from_secs(120) }
    }
}

/// Turns a composition into the bytes of a file with this extension.
pub type SampleWriter<'a> = (&'a str, &'a dyn Fn(&Score) -> Option<Vec<u8>>);

/// A training in a run folder.
pub struct Training<'a> {
    trainable: Box<dyn Trainable>,
    /// What it learns from.
    set: TrainingSet,
    folder: RunFolder,
    description: RunDescription,
    doctor: Doctor,
    /// What every model file of this run says of its training music.
    originality: Option<serde_json::Value>,
    /// What a listener keeps of it.
    listener: Option<serde_json::Value>,
    /// What it goes on from.
    origins: Vec<Origin>,
    regime: Regime,
    policy: CheckpointPolicy,
    write_sample: SampleWriter<'a>,
    standing: Standing,
    /// Everything as it stood at the end of the last epoch.
    good: ModelFile,
    best_model: Option<ModelFile>,
    /// Whether `best_model` is on disk, too.
    best_written: bool,
    metrics: Vec<Metrics>,
}

impl<'a> Training<'a> {
    /// A training on `set` from the beginning, from the model that it goes on from, or from the newest checkpoint that can be read.
    ///
    /// # Errors
    /// [`TrainError`], where the folder cannot be read, a checkpoint belongs to another training, or a piece cannot be read back.
    pub fn new(
        mut trainable: Box<dyn Trainable>,
        set: TrainingSet,
        folder: RunFolder,
        description: RunDescription,
        doctor: Doctor,
        policy: CheckpointPolicy,
        write_sample: SampleWriter<'a>,
    ) -> Result<Training<'a>, TrainError> {
        set.check_whole()?;
        let mut origins = Vec::new();
        if let Some(name) = &description.from {
            let bytes = folder.base()?;
            let base = ModelFile::from_bytes(&bytes)?;
            trainable.begin_from(&base)?;
            origins = Origin::of(name, &digest(&bytes), &base.header);
        }
        let regime = trainable.regime();
        let mut training = Training {
            good: trainable.checkpoint(),
            trainable,
            set,
            folder,
            description,
            origins,
            originality: doctor.digest().map(|digest| digest.to_json()),
            listener: doctor.reference().map(Reference::to_json),
            doctor,
            regime,
            policy,
            write_sample,
            standing: Standing::default(),
            best_model: None,
            best_written: false,
            metrics: Vec::new(),
        };
        training.resume()?;
        Ok(training)
    }

    fn resume(&mut self) -> Result<(), TrainError> {
        let mut found = None;
        self.folder.latest_checkpoint(|checkpoint| {
            let read = std::fs::read(&checkpoint.path).ok().and_then(|bytes| ModelFile::from_bytes(&bytes).ok());
            found = read.and_then(|file| {
                let standing: Standing = serde_json::from_value(file.header.state.clone()?).ok()?;
                Some((file, standing))
            });
            found.is_some()
        })?;
        if let Some((mut file, standing)) = found {
            let best = take_out(&mut file, BEST);
            let good = take_out(&mut file, GOOD);
            self.trainable.resume(&file)?;
            let all = self.trainable.checkpoint();
            let best = ModelFile { tensors: best, ..self.trainable.save() };
            self.good = if good.is_empty() { all } else { ModelFile { tensors: good, ..all } };
            self.standing = standing;
            // The fall was timed to end with what was allowed then. Whoever allows more wants more than its end.
            if self.standing.fell_for.is_some_and(|then| then != self.bounds()) {
                self.standing.phase = Phase::Stable;
                self.standing.fell_for = None;
                self.standing.since_best = 0;
            }
            self.best_model = self.standing.best.map(|_| self.finished(best));
            if let Some(best) = &self.best_model {
                // Better found out now than when the training is over.
                (self.trainable.spec().load)(best)?;
            }
            // Written before the checkpoint was; whatever was written after it comes again.
            self.best_written = false;
        }
        self.folder.rewind_to(self.standing.steps)?;
        self.metrics = self.folder.metrics()?;
        Ok(())
    }

    /// What is trained, and on what.
    pub fn description(&self) -> &RunDescription {
        &self.description
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> u64 {
        self.standing.epoch
    }

    /// Trains until something ends it. `stop` may be set at any time, from another thread, too.
    ///
    /// # Errors
    /// [`TrainError`]; what the last checkpoint holds is kept.
    pub fn run(mut self, stop: &AtomicBool, observer: Observer<'_>) -> Result<Outcome, TrainError> {
        let clock = Clock { start: Instant::now(), before: self.standing.seconds };
        let mut last_checkpoint = Instant::now();
        let mut tokens = 0.0;
        let end = loop {
            if let Some(end) = self.end(&clock) {
                break end;
            }
            let of = self.trainable.steps(self.standing.epoch);
            let epoch_start = clock.start.elapsed();
            let (mut epoch_tokens, mut interrupted) = (0.0, false);
            while self.standing.step < of {
                if stop.load(Ordering::Relaxed) {
                    interrupted = true;
                    break;
                }
                let Some(batch) = self.step(observer)? else { continue };
                tokens += batch.tokens;
                epoch_tokens += batch.tokens;
                let (done, seconds_left) = self.progress(&clock, of);
                observer(Event::Step {
                    epoch: self.standing.epoch + 1,
                    step: self.standing.step,
                    of,
                    nats_per_token: self.standing.so_far.per_token(),
                    tokens_per_second: tokens / clock.start.elapsed().as_secs_f64(),
                    done,
                    seconds_left,
                });
                // Time is looked at within long epochs, too.
                if self.out_of_time(&clock) {
                    break;
                }
                if self.standing.step < of && last_checkpoint.elapsed() > self.policy.every {
                    self.checkpoint(&clock, observer)?;
                    last_checkpoint = Instant::now();
                }
            }
            if interrupted {
                self.checkpoint(&clock, observer)?;
                break End::Interrupted;
            }
            let taken = (clock.start.elapsed() - epoch_start).as_secs_f64();
            self.evaluate(&clock, epoch_tokens / taken.max(1e-9), observer)?;
            let due = self.standing.epoch.is_multiple_of(self.policy.epochs);
            if due || last_checkpoint.elapsed() > self.policy.every {
                self.checkpoint(&clock, observer)?;
                last_checkpoint = Instant::now();
            }
        };
        let end = if end == End::Interrupted {
            end
        } else {
            self.checkpoint(&clock, observer)?;
            self.finish(end, &clock, stop, observer)?
        };
        Ok(Outcome {
            end,
            best: self.standing.best,
            epochs: self.standing.epoch,
            steps: self.standing.steps,
            seconds: clock.seconds(),
        })
    }

    /// What is learnt when the training is over, in time of its own.
    pub fn afterwards(&self) -> Option<String> {
        self.trainable.afterwards()
    }

    /// Lets the best model learn what is learnt when a training is over. Who stops that can go on with it.
    fn finish(
        &mut self,
        end: End,
        clock: &Clock,
        stop: &AtomicBool,
        observer: Observer<'_>,
    ) -> Result<End, TrainError> {
        let Some(best) = &self.best_model else { return Ok(end) };
        let Some(text) = self.trainable.finishing(best) else { return Ok(end) };
        observer(Event::Remarked(&Remark { illness: None, text }));
        let begun = Instant::now();
        let finished = self.trainable.finish(best, stop, &mut |done| {
            let seconds = begun.elapsed().as_secs_f64();
            observer(Event::Finishing { done, seconds_left: (done > 0.0).then(|| seconds / done - seconds) });
        })?;
        self.set.check_whole()?;
        if let Some(finished) = finished {
            self.best_model = Some(finished);
            self.best_written = false;
            self.checkpoint(clock, observer)?;
        } else if stop.load(Ordering::Relaxed) {
            return Ok(End::Interrupted);
        }
        Ok(end)
    }

    fn bounds(&self) -> Bounds {
        match self.description.bounds {
            Bounds { epochs: None, minutes: None } => Bounds { epochs: Some(self.regime.epochs), minutes: None },
            given => given,
        }
    }

    fn end(&self, clock: &Clock) -> Option<End> {
        let bounds = self.bounds();
        if bounds.epochs.is_some_and(|epochs| self.standing.epoch >= u64::from(epochs)) {
            return Some(End::Epochs);
        }
        if self.out_of_time(clock) {
            return Some(End::Minutes);
        }
        let over = self.standing.phase.is_over(self.standing.steps);
        over.then(|| self.standing.falls_to.unwrap_or(End::Plateau))
    }

    fn out_of_time(&self, clock: &Clock) -> bool {
        self.bounds().minutes.is_some_and(|minutes| clock.seconds() >= 60.0 * minutes)
    }

    /// The share of what is allowed that is used up, and the seconds left at the latest.
    fn progress(&self, clock: &Clock, of: u64) -> (f64, f64) {
        let bounds = self.bounds();
        let seconds = clock.seconds();
        let by_time = bounds.minutes.map_or(0.0, |minutes| seconds / (60.0 * minutes));
        let epochs = self.standing.epoch as f64 + self.standing.step as f64 / of.max(1) as f64;
        let by_epochs = bounds.epochs.map_or(0.0, |all| epochs / f64::from(all));
        let by_fall = match self.standing.phase {
            Phase::Fall { from, length } => self.standing.steps as f64 / (from + length).max(1) as f64,
            Phase::Stable => 0.0,
        };
        let done = by_time.max(by_epochs).max(by_fall).clamp(1e-9, 1.0);
        (done, seconds / done - seconds)
    }

    /// A model file with its header completed for the best epoch.
    fn finished(&self, mut file: ModelFile) -> ModelFile {
        file.header.corpus = self.description.corpus.clone();
        file.header.originality.clone_from(&self.originality);
        file.header.listener.clone_from(&self.listener);
        file.header.origins.clone_from(&self.origins);
        file.header.temperature_floor = self.standing.best.and_then(|best| best.warmer);
        file.header.training = self.standing.best.map(|best| TrainingSummary {
            epoch: best.epoch,
            steps: best.steps,
            seed: self.description.seed,
            validation: Likelihood {
                kind: self.description.likelihood,
                unit: self.description.unit,
                nats_per_token: best.valid.nats_per_token,
                nats_per_quarter: best.valid.nats_per_quarter,
                nats_per_quarter_of_notes: best.valid.nats_per_quarter_of_notes,
                protocol: self.description.protocol.clone(),
            },
            baselines: self.description.baselines.clone(),
        });
        file
    }

    /// Writes the best model, the curves, a composition, and the checkpoint last: whoever finds it finds the others, too.
    fn checkpoint(&mut self, clock: &Clock, observer: Observer<'_>) -> Result<(), TrainError> {
        if let Some(best) = self.best_model.as_ref().filter(|_| !self.best_written) {
            let precision = if self.description.half { Precision::Half } else { Precision::Full };
            self.folder.write_best(&best.to_bytes(precision)?)?;
            self.best_written = true;
        }
        self.folder.write_curves(&self.curves())?;
        let composer = self.trainable.composer();
        for chart in composer.charts() {
            self.folder.write_chart(chart.name, &bars::render(&chart))?;
        }
        let sample = self.sample(composer.as_ref())?;
        self.standing.seconds = clock.seconds();
        let mut file = self.trainable.checkpoint();
        file.header.corpus = self.description.corpus.clone();
        let metadata = |e: serde_json::Error| ModelError::Metadata { problem: e.to_string() };
        for (name, tensor) in self.best_model.iter().flat_map(|best| &best.tensors) {
            file.tensors.insert(format!("{BEST}{name}"), tensor.clone());
        }
        // At the end of an epoch the checkpoint itself is what one would go back to.
        for (name, tensor) in self.good.tensors.iter().filter(|_| self.standing.step > 0) {
            file.tensors.insert(format!("{GOOD}{name}"), tensor.clone());
        }
        file.header.state = Some(serde_json::to_value(&self.standing).map_err(metadata)?);
        let written = self.folder.write_checkpoint(self.standing.steps, &file.to_bytes(Precision::Full)?)?;
        observer(Event::Checkpoint { path: &written.path, sample: sample.as_deref() });
        Ok(())
    }

    /// A composition of the network as it is. That it cannot compose yet is no reason to stop training.
    fn sample(&self, composer: &dyn Composer) -> Result<Option<std::path::PathBuf>, TrainError> {
        let request = Request::new(SAMPLE_BARS, composer.default_sampling());
        let mut rng = derive(self.description.seed, "sample", &[self.standing.steps]);
        let composed: Result<_, ComposeError> =
            composer.compose(&request, &mut rng, &mut |_| ControlFlow::Continue(()));
        let (extension, write) = self.write_sample;
        let Some(bytes) = composed.ok().and_then(|composition| write(&composition.score)) else { return Ok(None) };
        let name = format!("epoch-{:04}-step-{:07}.{extension}", self.standing.epoch, self.standing.steps);
        Ok(Some(self.folder.write_sample(&name, &bytes)?))
    }

    fn curves(&self) -> String {
        let point = |line: &Metrics| Point {
            epoch: line.epoch as f64,
            training_nats: line.train.nats_per_token,
            validation_nats: line.valid.nats_per_token,
            training_accuracy: line.train.accuracy,
            validation_accuracy: line.valid.accuracy,
            copied: line.trial.and_then(|trial| trial.copied).unwrap_or(f64::NAN),
        };
        let points: Vec<Point> = self.metrics.iter().map(point).collect();
        let remarks = |line: &Metrics| {
            let epoch = line.epoch as f64;
            let told = line.remarks.iter().map(|remark| curves::Remark { epoch, text: remark.to_string() });
            told.collect::<Vec<curves::Remark>>()
        };
        let baseline = |known: &Baseline| curves::Baseline { name: known.name.clone(), nats: known.nats_per_token };
        let marks = Marks {
            title: format!("{} on {}", self.description.composer, self.description.corpus.name),
            loss: self.description.loss(),
            best_epoch: self.standing.best.map(|best| best.epoch as f64),
            remarks: self.metrics.iter().flat_map(remarks).collect(),
            usual_share: self.doctor.usual_share(),
            baselines: self.description.baselines.iter().map(baseline).collect(),
        };
        curves::render(&points, &marks)
    }
}

/// The tensors whose names begin with `prefix`, which they lose, out of a file.
fn take_out(file: &mut ModelFile, prefix: &str) -> BTreeMap<String, TensorData> {
    let all = std::mem::take(&mut file.tensors);
    let (taken, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(name, _)| name.starts_with(prefix));
    file.tensors = left;
    taken.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect()
}

/// Time spent on a training, over all its parts.
struct Clock {
    start: Instant,
    before: f64,
}

impl Clock {
    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}
