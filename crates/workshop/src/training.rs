//! Trainings: begun in a new run folder, or gone on with in one.

use cantus_composers::registry;
use cantus_corpus::{Corpus, CorpusError, Sources};
use cantus_formats::midi;
use cantus_model::{ComposerSpec, CorpusCard, CreateError, Settings};
use cantus_score::Reading;
use cantus_training::run_folder::{RunFolder, RunFolderError};
use cantus_training::{
    Bounds, CheckpointPolicy, Doctor, RunDescription, SampleWriter, TrainError, Training, training_set,
};
use std::path::{Path, PathBuf};

/// Why a training cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The corpus cannot be read, or holds too little.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The settings, or the corpus, do not suit the composer.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// The training itself.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The composer does not read music so.
    #[error("the composer {composer} reads music {reads}, not {reading}; use {able}")]
    Reading {
        /// Which.
        composer: &'static str,
        /// How it reads.
        reads: String,
        /// How it was to read.
        reading: Reading,
        /// Who reads so.
        able: String,
    },
    /// A run of a composer that is not in the registry.
    #[error("the run is of composer `{0}`, which this program does not have")]
    UnknownComposer(String),
}

/// What is to be trained, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The composer.
    pub spec: &'static ComposerSpec,
    /// Its configuration's name.
    pub configuration: &'static str,
    /// Its settings, changes included.
    pub settings: Settings,
    /// The seed.
    pub seed: u64,
    /// Where the music lies.
    pub data: PathBuf,
    /// What the model file says of its corpus.
    pub corpus: CorpusCard,
    /// What ends the training.
    pub bounds: Bounds,
    /// Whether the doctor acts on what it finds.
    pub doctor: bool,
    /// Whether the model file is stored in 16 bits.
    pub half: bool,
}

/// A new training in the folder `run`.
///
/// # Errors
/// [`WorkshopError`], where the corpus does not suit the composer, or the folder is in use.
pub fn begin(
    plan: Plan,
    corpus: &Corpus,
    run: &Path,
    policy: CheckpointPolicy,
) -> Result<Training<'static>, WorkshopError> {
    check_reading(plan.spec, corpus.report.options.way())?;
    let trainable = (plan.spec.create)(&plan.settings, &training_set(corpus), plan.seed)?;
    let doctor = Doctor::new(corpus);
    let description = RunDescription {
        composer: plan.spec.id.to_owned(),
        configuration: plan.configuration.to_owned(),
        settings: plan.settings,
        seed: plan.seed,
        data: plan.data,
        options: corpus.report.options.clone(),
        corpus: plan.corpus,
        bounds: plan.bounds,
        doctor: plan.doctor,
        half: plan.half,
        baselines: trainable.baselines(),
        likelihood: trainable.likelihood(),
        unit: trainable.unit(),
        protocol: trainable.protocol(),
        parameters: trainable.parameters(),
        created_by: concat!("cantus ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let folder = RunFolder::create(run, &description)?;
    folder.write_music(&Sources::of(corpus))?;
    Ok(Training::new(trainable, folder, description, doctor, policy, WRITE_SAMPLE)?)
}

/// Whether a composer reads music so.
///
/// # Errors
/// [`WorkshopError::Reading`], naming composers that do.
pub fn check_reading(spec: &ComposerSpec, reading: Reading) -> Result<(), WorkshopError> {
    if spec.reads.contains(&reading) {
        return Ok(());
    }
    let names = |names: Vec<&'static str>| names.join(" or ");
    let able = registry::COMPOSERS.iter().filter(|spec| spec.reads.contains(&reading)).map(|spec| spec.id).collect();
    Err(WorkshopError::Reading {
        composer: spec.id,
        reads: names(spec.reads.iter().map(|reading| reading.name()).collect()),
        reading,
        able: format!("a composer that does: {}", names(able)),
    })
}

/// A training that was begun and has stopped. Its run folder is locked; its description may be changed, as long as the music stays the
/// same.
pub struct Paused {
    folder: RunFolder,
    /// What is trained on what.
    pub description: RunDescription,
}

impl Paused {
    /// The training in the folder `run`.
    ///
    /// # Errors
    /// [`WorkshopError::Folder`], where there is none, or another process is at it.
    pub fn open(run: &Path) -> Result<Paused, WorkshopError> {
        let folder = RunFolder::open(run)?;
        let description = folder.description()?;
        Ok(Paused { folder, description })
    }

    /// The training, to go on as if it had never stopped. `corpus` is what was read of the description's data with its options.
    ///
    /// # Errors
    /// [`WorkshopError`], where the music is not what it began with, or no checkpoint can be used.
    pub fn go_on(self, corpus: &Corpus, policy: CheckpointPolicy) -> Result<Training<'static>, WorkshopError> {
        let Paused { folder, description } = self;
        let spec = registry::find(&description.composer)
            .ok_or_else(|| WorkshopError::UnknownComposer(description.composer.clone()))?;
        if corpus.fingerprint().to_string() != description.corpus.fingerprint {
            let before: Option<Sources> = folder.music();
            let changes = before.map_or_else(
                || "a file was added, dropped or changed".to_owned(),
                |before| before.changes(&Sources::of(corpus)).to_string(),
            );
            return Err(TrainError::OtherCorpus { data: description.data, changes }.into());
        }
        folder.write_description(&description)?;
        let trainable = (spec.create)(&description.settings, &training_set(corpus), description.seed)?;
        let doctor = Doctor::new(corpus);
        Ok(Training::new(trainable, folder, description, doctor, policy, WRITE_SAMPLE)?)
    }
}

const WRITE_SAMPLE: SampleWriter<'static> = ("mid", &|score| midi::write(score).ok());
