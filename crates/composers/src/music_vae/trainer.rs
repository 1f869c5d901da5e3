//! Learning.

use super::SPEC;
use super::model::{CODE_ACTIVE, CODE_NATS, Model};
use super::network::{Found, Network, Noise};
use super::paths::{self, Path};
use super::player::{Player, protocol};
use super::settings::Settings;
use super::tune::{Batch, Tune, TuneReader, plan, repertoire};
use burn::tensor::Device;
use cantus_model::latent::CodeUse;
use cantus_model::learner::Learner;
use cantus_model::melodies::{MOST_COUNTED, Melodies, baselines};
use cantus_model::plan::{Plan, Row};
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Regime, Repertoire, Schedule, StepAt, StepReport, TensorData, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::gaussian::Use;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use cantus_score::TicksPerQuarter;
use std::sync::atomic::AtomicBool;

/// Of the pieces that are judged, so many steps are held at once.
const MOST_JUDGED: usize = 500_000;

/// A network in training.
pub(super) struct TuneTrainer {
    settings: Settings,
    seed: u64,
    stored: Melodies,
    grid: TicksPerQuarter,
    habits: Habits,
    train: Repertoire<TuneReader>,
    valid: Repertoire<TuneReader>,
    learner: Learner<Network>,
    plan: Plan,
    /// How much the codes of the validation pieces say, from a validation up to the next step.
    used: Option<Use>,
}

impl TuneTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without a melody.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        set.check_sounding()?;
        let (stored, grid) = Melodies::of(set);
        let (train, valid) = (repertoire(&set.train, grid), repertoire(&set.valid, grid));
        Repertoire::check(&train, &valid)?;
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &mut derive(seed, "parameters", &[]), &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(Box::new(TuneTrainer {
            plan: plan(train.outlines(), &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            habits: Habits::of(set),
            settings,
            seed,
            stored,
            grid,
            train,
            valid,
            used: None,
        }))
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(self.train.outlines(), &self.settings, self.seed, epoch)
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ SPEC.encoding: self.stored });
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), encoding, &self.habits)
    }

    fn model(&self) -> Model {
        Model::load(&self.save()).expect("a network's own file fits it")
    }

    /// Its nats are those that it learns by: the code's at their price.
    fn figures(&self, found: &Found, quarters: f64) -> Evaluation {
        let Found { figures, divergence } = *found;
        let nats = figures.nats + self.settings.beta * divergence;
        Evaluation { nats, ..Evaluation::of_batch(figures, quarters) }
    }
}

impl Trainable for TuneTrainer {
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
        self.settings.kind()
    }

    fn unit(&self) -> Unit {
        Unit::Frame
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
        let wanted = rows.iter().flatten().map(|row| row.segment.piece);
        let Some(tunes) = self.train.learnt(wanted) else { return StepReport::default() };
        let batch = Batch::gather(|tune| &*tunes[&tune], rows.iter().copied());
        self.used = None;
        let noise = Noise { seed: self.seed, step: (at.epoch << 32) | at.step };
        let settings = &self.settings;
        let (found, report) =
            self.learner.step(&rows, learning_rate, |network, states| network.loss(settings, &batch, states, noise));
        let quarters = found.figures.counted / f64::from(self.grid.get());
        StepReport {
            batch: self.figures(&found, quarters),
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.figures.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let (model, price) = (self.model(), self.settings.beta);
        let (mut total, mut used) = (Evaluation::default(), Use::default());
        for tunes in self.valid.portions(MOST_JUDGED) {
            for (tune, steps) in tunes.iter().zip(model.judge(&tunes, price)) {
                steps.iter().for_each(|step| total += step.figures(0.0));
                total.quarters += tune.quarters;
                let codes = model.encode(&tune.sections().collect::<Vec<_>>());
                codes.iter().for_each(|code| used.add(&code.mean, &code.log_variance));
            }
        }
        // Where no piece could be had, nothing is known.
        self.used = (self.settings.code > 0 && total.tokens > 0.0).then_some(used);
        total
    }

    fn code(&self) -> Option<CodeUse> {
        let used = self.used.as_ref()?;
        Some(CodeUse { active: used.active(), size: self.settings.code, nats: used.nats().iter().sum() })
    }

    fn baselines(&self) -> Vec<Baseline> {
        let [train, valid] =
            [&self.train, &self.valid].map(|side| side.counted(MOST_COUNTED).into_iter().map(|tune| tune.steps));
        baselines(train, valid)
    }

    fn save(&self) -> ModelFile {
        let mut file = self.learner.save(self.as_trained());
        if let Some(used) = &self.used {
            let nats = used.nats().into_iter().map(|nats| nats as f32).collect();
            for (name, values) in [(CODE_NATS, nats), (CODE_ACTIVE, vec![used.active() as f32])] {
                file.tensors.insert(name.to_owned(), TensorData { shape: vec![values.len()], values });
            }
        }
        file
    }

    fn finishing(&self, model: &ModelFile) -> Option<String> {
        let has_codes = self.settings.code > 0 && !paths::is_learnt(model);
        has_codes.then(|| "learning which codes follow which".to_owned())
    }

    fn finish(
        &self,
        file: &ModelFile,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<ModelFile>, ModelError> {
        if self.finishing(file).is_none() {
            return Ok(None);
        }
        let model = Model::load(file)?;
        let paths = |tunes: &Repertoire<TuneReader>| -> Vec<Path> {
            let of = |tune: Tune| {
                let codes = model.encode(&tune.sections().collect::<Vec<_>>());
                codes.into_iter().map(|code| code.mean).collect()
            };
            tunes.counted(MOST_COUNTED).into_iter().map(of).collect()
        };
        let mut finished = file.clone();
        let (train, valid) = (paths(&self.train), paths(&self.valid));
        let is_learnt = paths::learn((&train, &valid), &mut finished, self.seed, stop, progress);
        Ok(is_learnt.then_some(finished))
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

    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        let stored = Melodies::read(&base.header, SPEC.encoding)?;
        if stored.grid != self.stored.grid {
            let what = format!("its grid of {} steps to a quarter note", stored.grid);
            return Err(ModelError::OtherVocabulary { composer: SPEC.id, what });
        }
        self.adopt(base)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(Player::load(&self.save()).expect("a network's own file fits it"))
    }
}
