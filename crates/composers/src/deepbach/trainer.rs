//! Training.

use super::lines::{Lines, Told, bar_starts, places, scale_of};
use super::network::{Batch, Network};
use super::player::{DeepBach, counted, protocol};
use super::{Corpus, SPEC, Settings, cadences, features::READ, neighbours};
use burn::tensor::Device;
use cantus_encoding::voice_lines::{self, Sites};
use cantus_encoding::voices::{Chord, VOICES};
use cantus_model::learner::Averaged;
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Pieces, Reader, Regime, Repertoire, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{below, derive, uniform};
use cantus_score::{Score, key_of};
use std::collections::HashMap;
use std::sync::Arc;

/// With fewer voices at once, on average, there is nothing to learn of how voices go together.
const FEW: f64 = 1.25;
/// Steps of pieces that stay read, with what the network wants to know of them: some 100 bytes each.
const MOST_READ: usize = 500_000;
/// Of the pieces that are judged, so many steps are held at once.
const MOST_JUDGED: usize = 1_000_000;
/// Of pieces of more steps only every so many are counted.
const MOST_COUNTED: usize = 4_000_000;

/// What is always known of a piece.
pub(super) struct Outline {
    steps: usize,
    /// Transpositions that keep all voices within their ranges, down and up.
    shifts: (i32, i32),
}

/// A piece with all that may be told of it.
pub(super) struct Learnt {
    pub lines: Lines,
    pub told: Told,
}

/// Reads pieces in which something is sung.
pub(super) struct SiteReader {
    /// Semitones that pieces are moved by at most.
    transposition: u8,
    /// Whether a pitch that is struck again is told from one that is held.
    attacks: bool,
}

impl Reader for SiteReader {
    type Outline = Outline;
    type Piece = Learnt;
    type Learnt = Learnt;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let chords = voice_lines::chords(&voice_lines::read(score, self.attacks));
        if chords.iter().all(|chord| chord.is_rest()) {
            return Vec::new();
        }
        let most = i32::from(self.transposition);
        let within = |(down, up): (i32, i32), chord: &Chord| (down.max(chord.room().0), up.min(chord.room().1));
        let (down, up) = chords.iter().fold((-most, most), within);
        vec![Outline { steps: chords.len(), shifts: (down.min(0), up.max(0)) }]
    }

    fn length(outline: &Outline) -> usize {
        outline.steps
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Learnt {
        let mut sites = voice_lines::read(score, self.attacks);
        sites.resize(outline.steps, [voice_lines::Symbol::HOLD; VOICES]);
        let grid = score.ticks_per_quarter;
        let found = cadences::of_sites(&sites, grid, self.attacks);
        let found: Vec<usize> = found.iter().map(|cadence| cadence.at).collect();
        let fermatas = cadences::held(&found, sites.len(), grid);
        let told = Told {
            places: places(&bar_starts(score, grid, sites.len()), sites.len(), grid),
            scale: key_of(score).map(scale_of),
            fermatas: Some(fermatas),
        };
        Learnt { lines: Lines::new(sites), told }
    }

    fn learnt(&self, piece: Learnt) -> Learnt {
        piece
    }
}

/// A network in training.
pub(super) struct SiteTrainer {
    settings: Settings,
    seed: u64,
    corpus: Corpus,
    habits: Habits,
    train: Repertoire<SiteReader>,
    valid: Repertoire<SiteReader>,
    network: Averaged<Network>,
    optimizer: Optimizer,
    plan: Plan,
}

impl SiteTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without music in voices.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        let attacks = set.attacks;
        let pieces = |pieces: &Pieces, transposition, what| {
            let read = Repertoire::of(pieces, SiteReader { transposition, attacks }, MOST_READ);
            if read.is_empty() { Err(CreateError::EmptyCorpus { what }) } else { Ok(read) }
        };
        let train = pieces(&set.train, settings.transposition, "training")?;
        let valid = pieces(&set.valid, 0, "validation")?;
        if voices_at_once(&train) < FEW {
            return Err(CreateError::Unsuitable {
                composer: SPEC.id,
                problem: "it writes four voices, and these pieces have hardly more than one: train another composer, such as the \
                          default, or add music in parts"
                    .to_owned(),
            });
        }
        let corpus = Corpus::of(set).ok_or(CreateError::EmptyCorpus { what: "training" })?;
        let sites: Vec<Vec<Sites>> = counted_sites(&train);
        let frequencies = neighbours::frequencies(sites.iter());
        let mut rng = derive(seed, "parameters", &[]);
        let network = Network::new(&settings, &frequencies, &mut rng, &Device::flex().autodiff());
        let Settings { weight_decay, clip, averaging, .. } = settings;
        Ok(Box::new(SiteTrainer {
            plan: plan(train.outlines(), &settings, seed, 0),
            network: Averaged::new(network, averaging),
            optimizer: Optimizer::new(Rule::adam_w(weight_decay as f32)).with_clipping(clip as f32),
            settings,
            seed,
            corpus,
            habits: Habits::of(set),
            train,
            valid,
        }))
    }

    /// What is told of a piece in an epoch.
    fn told(&self, told: &Told, piece: usize, epoch: u64) -> Told {
        let rng = &mut derive(self.seed, "told", &[epoch, piece as u64]);
        let mut is_told = || uniform(rng) >= self.settings.untold;
        Told {
            places: told.places.clone(),
            scale: told.scale.filter(|_| is_told()),
            fermatas: told.fermatas.clone().filter(|_| is_told()),
        }
    }

    /// Gathers `rows`; absent rows and the ends of short ones are padding.
    fn gather(&self, pieces: &HashMap<usize, Arc<Learnt>>, rows: &[Option<&Row>], epoch: u64) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let features = self.settings.features();
        let (entries, here) = (rows.len() * steps, features.here());
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            before: vec![0.0; entries * READ],
            after: vec![0.0; entries * READ],
            backwards: (0..entries as i64).collect(),
            here: vec![0.0; VOICES * entries * here],
            targets: vec![0; VOICES * entries],
            weights: vec![0.0; VOICES * entries],
        };
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment: Segment { piece, shift, tokens }, .. }) = row else { continue };
            let (Learnt { lines, told }, shift) = (&*pieces[piece], *shift);
            let told = self.told(told, *piece, epoch);
            let seen = (lines, &told);
            for (t, step) in tokens.clone().enumerate() {
                let (at, backwards) = (t * rows.len() + b, (tokens.len() - 1 - t) * rows.len() + b);
                features.write_before(seen, step, shift, &mut batch.before[at * READ..][..READ]);
                features.write_after(seen, step, shift, &mut batch.after[backwards * READ..][..READ]);
                batch.backwards[at] = backwards as i64;
                for voice in 0..VOICES {
                    let at = voice * entries + at;
                    features.write_here(seen, (step, voice), shift, &mut batch.here[at * here..][..here]);
                    batch.targets[at] = lines.sites()[step][voice].moved(shift).index() as u32;
                    batch.weights[at] = 1.0;
                }
            }
        }
        batch
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ "voice_lines": self.corpus });
        checkpoint::save(&SPEC, self.network.network(), self.settings.write(), encoding, &self.habits)
    }

    fn deepbach(&self) -> DeepBach {
        DeepBach::open(&self.save()).expect("a network's own file fits it")
    }
}

/// The sites of all pieces, or of every so many.
fn counted_sites(pieces: &Repertoire<SiteReader>) -> Vec<Vec<Sites>> {
    pieces.counted(MOST_COUNTED).into_iter().map(|piece| piece.lines.into_sites()).collect()
}

/// How many voices sing at once, on average over all steps that are not silent.
fn voices_at_once(pieces: &Repertoire<SiteReader>) -> f64 {
    let (mut sounding, mut sung) = (0, 0);
    for piece in pieces.iter() {
        for chord in piece.lines.sung() {
            sounding += usize::from(!chord.is_rest());
            sung += chord.bits().count_ones();
        }
    }
    f64::from(sung) / sounding.max(1) as f64
}

/// The plan of `epoch`: every site of every piece is asked for once, each piece in a key of its own.
fn plan(pieces: &[Outline], settings: &Settings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let segments = pieces.iter().enumerate().map(|(index, piece)| {
        let shift = piece.shifts.0 + below(&mut rng, (piece.shifts.1 - piece.shifts.0 + 1) as usize) as i32;
        Segment { piece: index, shift, tokens: 0..piece.steps }
    });
    let segments = segments.collect();
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

impl Trainable for SiteTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.network.network())
    }

    fn regime(&self) -> Regime {
        let Settings { learning_rate, warmup, patience, epochs, .. } = self.settings;
        Regime { learning_rate, schedule: Schedule::WarmupStableDecay { warmup }, patience, epochs }
    }

    fn likelihood(&self) -> Kind {
        Kind::PseudoLikelihood
    }

    fn unit(&self) -> Unit {
        Unit::Site
    }

    fn protocol(&self) -> String {
        protocol()
    }

    fn steps(&self, epoch: u64) -> u64 {
        let plan_for = |epoch| plan(self.train.outlines(), &self.settings, self.seed, epoch);
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = plan(self.train.outlines(), &self.settings, self.seed, at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let Some(pieces) = self.train.learnt(rows.iter().flatten().map(|row| row.segment.piece)) else {
            return StepReport::default();
        };
        let batch = self.gather(&pieces, &rows, at.epoch);
        let noise = (self.seed, (at.epoch << 32) | at.step);
        let (settings, optimizer) = (&self.settings, &mut self.optimizer);
        let (found, report) = self.network.step(|network| {
            let (loss, found) = network.loss(settings, &batch, noise);
            let (network, report) = optimizer.step(network, loss.backward(), learning_rate);
            (network, report.finite, (found, report))
        });
        let quarters = found.counted / (VOICES as f64 * f64::from(self.corpus.choir.steps_per_quarter));
        StepReport {
            batch: Evaluation { beside: None, ..Evaluation::of_batch(found, quarters) },
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let deepbach = self.deepbach();
        let mut total = Evaluation { beside: None, ..Evaluation::default() };
        for pieces in self.valid.portions(MOST_JUDGED) {
            for figures in
                deepbach.judge_pieces(pieces.into_iter().map(|piece| (piece.lines, piece.told.places)).collect())
            {
                total += counted(&figures, self.corpus.choir.steps_per_quarter);
            }
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        neighbours::baselines(&counted_sites(&self.train), &counted_sites(&self.valid))
    }

    fn save(&self) -> ModelFile {
        self.network.save(self.as_trained())
    }

    fn checkpoint(&self) -> ModelFile {
        let mut file = self.network.checkpoint(self.as_trained());
        checkpoint::add_optimizer(&mut file, checkpoint::OPTIMIZER, &self.optimizer);
        file
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        checkpoint::same_training(&file.header, &self.as_trained().header)?;
        let restored = self.network.restored(file)?;
        let (network, prefix) = (restored.network(), checkpoint::OPTIMIZER);
        self.optimizer = checkpoint::restore_optimizer(network, &self.optimizer, prefix, file)?;
        self.network = restored;
        Ok(())
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.network.adopt(model)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(self.deepbach())
    }
}
