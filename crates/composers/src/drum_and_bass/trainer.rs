//! Learning from patterns, in any order.

use super::SPEC;
use super::batch::{Batch, Noise};
use super::network::Network;
use super::pattern::{Conditions, KINDS, Pattern, PatternReader, Rates};
use super::player::{Bassist, counted, protocol};
use super::section::Section;
use super::settings::Settings;
use burn::tensor::Device;
use cantus_model::learner::Learner;
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Numbering, Pieces, Regime, Repertoire, Rng, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{derive, shuffle, uniform};

/// Steps to a quarter note, as a number.
const PER_QUARTER: f64 = super::pattern::GRID.get() as f64;

/// Patterns of pieces that stay read: some 700 bytes each.
const MOST_READ: usize = 100_000;
/// Of the pieces that are judged, so many patterns are held at once.
const MOST_JUDGED: usize = 50_000;

/// A network in training.
pub(super) struct PatternTrainer {
    settings: Settings,
    seed: u64,
    section: Section,
    habits: Habits,
    rates: Rates,
    train: Repertoire<PatternReader>,
    /// The patterns of all that is learnt from.
    patterns: Numbering,
    valid: Repertoire<PatternReader>,
    learner: Learner<Network>,
    /// The epoch whose order is at hand, and the order.
    order: (u64, Vec<usize>),
}

impl PatternTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without a bass.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        set.check_sounding()?;
        let pieces = |pieces: &Pieces| -> Result<Repertoire<PatternReader>, CreateError> {
            let read = Repertoire::of(pieces, PatternReader, MOST_READ);
            if read.is_empty() {
                let problem = "no piece has a bass that it could learn to write".to_owned();
                return Err(CreateError::Unsuitable { composer: SPEC.id, problem });
            }
            Ok(read)
        };
        let (train, valid) = (pieces(&set.train)?, pieces(&set.valid)?);
        let patterns = Numbering::of(train.outlines().iter().copied());
        let rates = Rates::of(train.iter().flat_map(|piece| piece.patterns));
        let network = Network::new(&settings, &rates, &mut derive(seed, "parameters", &[]), &Device::flex().autodiff());
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(Box::new(PatternTrainer {
            section: Section::of(set, train.iter(), &rates),
            learner: Learner::new(network, optimizer, settings.averaging),
            order: (0, order(patterns.count(), seed, 0)),
            habits: Habits::of(set),
            settings,
            seed,
            rates,
            train,
            patterns,
            valid,
        }))
    }

    /// A pattern as it is told in a step: what a user may leave out is unknown now and then.
    fn told(&self, pattern: &Pattern, rng: &mut Rng) -> Pattern {
        let Settings { untold, muted, .. } = self.settings;
        let mut pattern = pattern.clone();
        let Conditions { tempo, program } = pattern.conditions;
        let mut is_told = || uniform(rng) >= untold;
        pattern.conditions = Conditions { tempo: tempo.filter(|_| is_told()), program: program.filter(|_| is_told()) };
        let silent = (0..KINDS.len()).filter(|_| uniform(rng) < muted).fold(0u16, |all, kind| all | 1 << kind);
        pattern.drums.iter_mut().for_each(|row| *row &= !silent);
        pattern
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ "section": self.section });
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), encoding, &self.habits)
    }

    fn bassist(&self) -> Bassist {
        Bassist::open(&self.save()).expect("a network's own file fits it")
    }
}

fn order(patterns: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..patterns).collect();
    shuffle(&mut derive(seed, "batches", &[epoch]), &mut order);
    order
}

impl Trainable for PatternTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        let Settings { learning_rate, warmup, patience, epochs, .. } = self.settings;
        Regime { learning_rate, schedule: Schedule::WarmupStableDecay { warmup }, patience, epochs }
    }

    fn likelihood(&self) -> Kind {
        self.settings.network.kind()
    }

    fn unit(&self) -> Unit {
        Unit::Frame
    }

    fn protocol(&self) -> String {
        protocol(self.likelihood())
    }

    fn steps(&self, _: u64) -> u64 {
        self.patterns.count().div_ceil(self.settings.batch) as u64
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.order.0 != at.epoch {
            self.order = (at.epoch, order(self.patterns.count(), self.seed, at.epoch));
        }
        let indices = self.order.1.chunks(self.settings.batch).nth(at.step as usize).unwrap_or_default();
        let places: Vec<(usize, usize)> = indices.iter().map(|index| self.patterns.find(*index)).collect();
        let Some(pieces) = self.train.learnt(places.iter().map(|(piece, _)| *piece)) else {
            return StepReport::default();
        };
        let rng = &mut derive(self.seed, "told", &[at.epoch, at.step]);
        let patterns = places.iter().map(|(piece, k)| self.told(&pieces[piece].patterns[*k], rng)).collect();
        let (settings, batch) = (&self.settings, Batch::of(patterns, self.settings.conditions));
        let noise = Noise { seed: self.seed, step: (at.epoch << 32) | at.step };
        let (found, report) = self.learner.step(&[], learning_rate, |network, _| network.loss(settings, &batch, noise));
        StepReport {
            batch: Evaluation {
                nats: found.nats,
                tokens: found.steps,
                quarters: found.steps / PER_QUARTER,
                correct: found.correct,
                beside: None,
            },
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let mut total = Evaluation::default();
        let bassist = self.bassist();
        for pieces in self.valid.portions(MOST_JUDGED) {
            for figures in bassist.judge_pieces(&pieces) {
                total += counted(&figures);
            }
        }
        total
    }

    /// How often cells begin; of a network without likelihood the distance of that, and of silence.
    fn baselines(&self) -> Vec<Baseline> {
        let patterns = || self.valid.iter().flat_map(|piece| piece.patterns);
        let steps: f64 = patterns().map(|pattern| pattern.steps.len() as f64).sum();
        let of = |name: &str, nats: f64| Baseline { name: name.to_owned(), nats_per_token: nats / steps.max(1.0) };
        let Rates { one, cells, .. } = &self.rates;
        let summed = |rate: &dyn Fn(usize) -> f32| patterns().map(|pattern| self.rates.nats(rate, &pattern)).sum();
        if self.likelihood() != Kind::Surrogate {
            let by_cell = summed(&|cell| cells[cell]);
            return vec![of("one rate", summed(&|_| *one)), of("by step and column", by_cell)];
        }
        let distance = |rate: f64| -> f64 {
            let of = |pattern: Pattern| {
                let begun: f64 = pattern.bass.iter().map(|frame| f64::from(frame.count_ones())).sum();
                let all = (pattern.steps.len() * super::pattern::COLUMNS) as f64;
                begun * (1.0 - rate) + (all - begun) * rate
            };
            patterns().map(of).sum()
        };
        vec![of("one rate", distance(f64::from(*one))), of("silence", distance(0.0))]
    }

    fn save(&self) -> ModelFile {
        self.learner.save(self.as_trained())
    }

    fn checkpoint(&self) -> ModelFile {
        self.learner.checkpoint(self.as_trained())
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        let expected = self.as_trained().header;
        self.learner.resume(file, &expected)
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.learner.adopt(model)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(self.bassist())
    }
}
