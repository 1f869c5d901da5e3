//! Trainings: begun in a new run folder, or gone on with in one.

use cantus_composers::registry;
use cantus_corpus::{Corpus, CorpusError, Sources, SpoolError};
use cantus_formats::midi;
use cantus_model::{ComposerSpec, CorpusCard, CreateError, Settings, Trainable, TrainingSet};
use cantus_score::Reading;
use cantus_training::run_folder::{RunFolder, RunFolderError};
use cantus_training::{
    Bounds, CheckpointPolicy, Doctor, RunDescription, SampleWriter, TrainError, Training, training_set,
};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Why a training cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The corpus cannot be read, or holds too little.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// A piece of the corpus cannot be read back.
    #[error(transparent)]
    Spool(#[from] SpoolError),
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
    /// The model that it goes on from: what it is called, and its file.
    pub from: Option<(String, Cow<'static, [u8]>)>,
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
    let set = training_set(corpus);
    let trainable = create(plan.spec, &plan.settings, &set, plan.seed)?;
    let doctor = Doctor::new(corpus)?;
    let description = RunDescription {
        composer: plan.spec.id.to_owned(),
        configuration: plan.configuration.to_owned(),
        settings: plan.settings,
        seed: plan.seed,
        data: plan.data,
        options: corpus.report.options.clone(),
        corpus: plan.corpus,
        from: plan.from.as_ref().map(|(name, _)| name.clone()),
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
    folder.write_music(&Sources::of(corpus)?)?;
    if let Some((_, base)) = &plan.from {
        folder.write_base(base)?;
    }
    Ok(Training::new(trainable, set, folder, description, doctor, policy, WRITE_SAMPLE)?)
}

/// A network that has learnt nothing yet.
///
/// # Errors
/// [`CreateError`], where the music does not suit the composer, or cannot be read back.
pub fn create(
    spec: &ComposerSpec,
    settings: &Settings,
    set: &TrainingSet,
    seed: u64,
) -> Result<Box<dyn Trainable>, CreateError> {
    let created = spec.creates()?(settings, set, seed);
    // Of a piece that could not be had no note was seen: whatever was found out, this is why.
    set.check_whole()?;
    created
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
        if corpus.fingerprint()?.to_string() != description.corpus.fingerprint {
            let before: Option<Sources> = folder.music();
            let changes = match before {
                None => "a file was added, dropped or changed".to_owned(),
                Some(before) => before.changes(&Sources::of(corpus)?).to_string(),
            };
            return Err(TrainError::OtherCorpus { data: description.data, changes }.into());
        }
        folder.write_description(&description)?;
        let set = training_set(corpus);
        let trainable = create(spec, &description.settings, &set, description.seed)?;
        let doctor = Doctor::new(corpus)?;
        Ok(Training::new(trainable, set, folder, description, doctor, policy, WRITE_SAMPLE)?)
    }
}

const WRITE_SAMPLE: SampleWriter<'static> = ("mid", &|score| midi::write(score).ok());

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_corpus::Options;
    use cantus_model::{PieceError, Pieces, Shelf};
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn tune(number: u64) -> Score {
        let note = |k: u64| Note {
            onset: Ticks(240 * k),
            pitch: Pitch::try_from(50 + ((k * k + k * number) % 11) as u8).unwrap(),
            duration: Ticks(240),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.parts.push(Part { notes: (0..80).map(note).collect(), ..Part::default() });
        score
    }

    /// Pieces whose disk fails at some time.
    #[derive(Debug)]
    struct Failing(Pieces, Arc<AtomicBool>);

    impl Shelf for Failing {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
            if self.1.load(Ordering::Relaxed) {
                return Err(PieceError::new("1.mid", std::io::Error::other("the disk failed")));
            }
            Ok(self.0.get(number))
        }
    }

    #[test]
    fn a_training_whose_music_is_lost_says_so_and_writes_nothing_more() {
        let place = tempfile::tempdir().unwrap();
        let (data, run) = (place.path().join("music"), place.path().join("run"));
        std::fs::create_dir(&data).unwrap();
        for number in 1..4 {
            std::fs::write(data.join(format!("{number}.mid")), midi::write(&tune(number)).unwrap()).unwrap();
        }
        let corpus = cantus_corpus::read(&data, &Options::default(), &mut |_| ()).unwrap();
        let spec = registry::find("lstm").unwrap();
        let plan = Plan {
            spec,
            configuration: "default",
            settings: spec.tiny_settings("default").unwrap(),
            seed: 1,
            data,
            corpus: cantus_training::corpus_card(&corpus, "tunes").unwrap(),
            from: None,
            bounds: Bounds { epochs: Some(9), minutes: None },
            doctor: true,
            half: false,
        };
        let settings = plan.settings.clone();
        drop(begin(plan, &corpus, &run, CheckpointPolicy::default()).unwrap());
        let failed = Arc::new(AtomicBool::new(false));
        let set = || {
            let set = training_set(&corpus);
            let failing = |pieces| Pieces::on(Failing(pieces, Arc::clone(&failed)));
            TrainingSet { train: failing(set.train), valid: failing(set.valid), ..set }
        };
        let learnt_from = set();
        let trainable = create(spec, &settings, &learnt_from, 1).unwrap();
        let Paused { folder, description } = Paused::open(&run).unwrap();
        let doctor = Doctor::of_figures();
        let training = Training::new(
            trainable,
            learnt_from,
            folder,
            description,
            doctor,
            CheckpointPolicy::default(),
            WRITE_SAMPLE,
        );
        failed.store(true, Ordering::Relaxed);
        let error = training.unwrap().run(&AtomicBool::new(false), &mut |_| ()).unwrap_err();
        assert!(matches!(error, TrainError::Piece(_)), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("1.mid") && said.contains("the disk failed") && said.contains("kept"), "{said}");
        assert_eq!(std::fs::read_dir(run.join("checkpoints")).map_or(0, Iterator::count), 0);
        // Where nothing can be had from the first, that is said, and not that there are no notes.
        assert!(matches!(create(spec, &settings, &set(), 1), Err(CreateError::Piece(_))));
    }
}
