//! Learning.

use super::joins::Joins;
use super::library::{Library, Stored, Tune};
use super::model::{Model, Ranked, figures};
use super::network::{Batch, Masks, Network};
use super::player::{Player, protocol};
use super::settings::Settings;
use super::{SPEC, TUNES};
use burn::tensor::Device;
use cantus_model::learner::Learner;
use cantus_model::melodies::Melodies;
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Regime, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{below, derive};
use rayon::prelude::*;

/// A network in training. It holds all melodies: they go into the model.
pub(super) struct UnitTrainer {
    settings: Settings,
    seed: u64,
    encoding: serde_json::Value,
    habits: Habits,
    library: Library,
    joins: Joins,
    valid: Vec<Tune>,
    learner: Learner<Network>,
    plan: Plan,
}

impl UnitTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without a melody of two units.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        set.check_sounding()?;
        let (melodies, grid) = Melodies::of(set);
        let library = Library::of(&set.train, grid, settings.bars);
        let valid = Library::of(&set.valid, grid, settings.bars);
        for (side, what) in [(&library, "training"), (&valid, "validation")] {
            if side.transitions() == 0 {
                let problem =
                    format!("no {what} piece has two units of {} bars; take fewer (--set bars=1)", settings.bars);
                return Err(CreateError::Unsuitable { composer: SPEC.id, problem });
            }
        }
        let stored: Vec<Stored> = library.tunes.iter().map(Stored::from).collect();
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &mut derive(seed, "parameters", &[]), &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(Box::new(UnitTrainer {
            plan: plan(&library, &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            encoding: serde_json::json!({ SPEC.encoding: melodies, TUNES: stored }),
            habits: Habits::of(set),
            joins: Joins::of(&library),
            valid: valid.tunes,
            settings,
            seed,
            library,
        }))
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(&self.library, &self.settings, self.seed, epoch)
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let settings = self.settings.write();
        checkpoint::save(&SPEC, self.learner.network(), settings, self.encoding.clone(), &self.habits)
    }

    /// The validation tunes, each with what was found of it.
    fn ranked(&self) -> Vec<(f64, Vec<Ranked>)> {
        let model = Model::load(&self.save()).expect("a network's own file fits it");
        self.valid.par_iter().map(|tune| (tune.quarters, model.rank(tune))).collect()
    }
}

/// The plan of an epoch: a function of the seed and the epoch alone. Segments are counted in transitions, and no longer than a window, so that nothing
/// is carried; longer tunes are cut elsewhere in every epoch.
fn plan(library: &Library, settings: &Settings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let mut segments = Vec::new();
    for (piece, units) in library.of_tunes.iter().enumerate() {
        let all = units.len().saturating_sub(1);
        let mut start = 0;
        let mut end = if all > settings.window { 1 + below(&mut rng, settings.window) } else { all };
        while start < all {
            let to = end.min(all);
            segments.push(Segment { piece, shift: 0, tokens: start..to });
            (start, end) = (to, to + settings.window);
        }
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

impl Trainable for UnitTrainer {
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
        Kind::Ranking
    }

    fn unit(&self) -> Unit {
        Unit::Section
    }

    fn protocol(&self) -> String {
        protocol(&self.settings)
    }

    fn steps(&self, epoch: u64) -> u64 {
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { self.plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = self.plan_for(at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let mut rng = derive(self.seed, "candidates", &[at.epoch, at.step]);
        let batch = Batch::gather(&self.library, &self.joins, &rows, self.settings.candidates, &mut rng);
        let masks = Masks { seed: self.seed, step: (at.epoch << 32) | at.step };
        let (settings, library) = (&self.settings, &self.library);
        let (figures, report) = self
            .learner
            .step(&rows, learning_rate, |network, states| network.loss(settings, library, &batch, states, masks));
        StepReport {
            batch: Evaluation { beside: None, ..Evaluation::of_batch(figures, batch.quarters) },
            gradient_norm: report.gradient_norm,
            finite: report.finite && figures.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let mut total = Evaluation { beside: None, ..Evaluation::default() };
        self.ranked().iter().for_each(|(quarters, ranked)| total += figures(*quarters, ranked));
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        let found: Vec<Ranked> = self.ranked().into_iter().flat_map(|(_, ranked)| ranked).collect();
        let mean = |nats: fn(&Ranked) -> f64| found.iter().map(nats).sum::<f64>() / found.len() as f64;
        let mut baselines = vec![
            Baseline { name: "all candidates alike".to_owned(), nats_per_token: mean(|found| (found.of as f64).ln()) },
            Baseline { name: "counted joins".to_owned(), nats_per_token: mean(|found| found.counted) },
        ];
        // Counts of a small corpus are worse than none.
        baselines.sort_by(|a, b| b.nats_per_token.total_cmp(&a.nats_per_token));
        baselines
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
        Box::new(Player::load(&self.save()).expect("a network's own file fits it"))
    }
}
