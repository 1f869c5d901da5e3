//! Learning.

use super::SPEC;
use super::model::Model;
use super::network::{Batch, Masks, Network};
use super::player::{Player, protocol};
use super::settings::Settings;
use super::stored::Stored;
use super::tune::{Rhythms, TuneReader, plan, repertoire};
use burn::tensor::Device;
use cantus_model::learner::Learner;
use cantus_model::melodies::{MOST_COUNTED, Melodies, baselines};
use cantus_model::plan::{Plan, Row};
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Regime, Repertoire, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use cantus_score::TicksPerQuarter;
use std::sync::Arc;

/// Of the pieces that are judged, so many steps are held at once.
const MOST_JUDGED: usize = 500_000;
/// A network in training.
pub(super) struct MelodyTrainer {
    settings: Settings,
    seed: u64,
    stored: Stored,
    grid: TicksPerQuarter,
    habits: Habits,
    train: Repertoire<TuneReader>,
    valid: Repertoire<TuneReader>,
    learner: Learner<Network>,
    plan: Plan,
}

impl MelodyTrainer {
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
        let (melodies, grid) = Melodies::of(set);
        let rhythms = Arc::new(Rhythms::of(&set.train, grid, &settings));
        let (train, valid) = (repertoire(&set.train, grid, &rhythms), repertoire(&set.valid, grid, &rhythms));
        Repertoire::check(&train, &valid)?;
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &rhythms, &mut derive(seed, "parameters", &[]), &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(Box::new(MelodyTrainer {
            plan: plan(train.outlines(), &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            habits: Habits::of(set),
            settings,
            seed,
            stored: Stored { melodies, rhythms },
            grid,
            train,
            valid,
        }))
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(self.train.outlines(), &self.settings, self.seed, epoch)
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), self.stored.write(), &self.habits)
    }
}

impl Trainable for MelodyTrainer {
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
        let masks = Some(Masks { seed: self.seed, step: (at.epoch << 32) | at.step });
        let settings = &self.settings;
        let (found, report) =
            self.learner.step(&rows, learning_rate, |network, states| network.loss(settings, &batch, states, masks));
        let figures = found.figures;
        let quarters = figures.counted / f64::from(self.grid.get());
        StepReport {
            batch: Evaluation { nats: figures.nats + found.rhythms, ..Evaluation::of_batch(figures, quarters) },
            gradient_norm: report.gradient_norm,
            finite: report.finite && (figures.nats + found.rhythms).is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let model = Model::load(&self.save()).expect("a network's own file fits it");
        let mut total = Evaluation::default();
        for tunes in self.valid.portions(MOST_JUDGED) {
            for (tune, judged) in tunes.iter().zip(model.judge(&tunes)) {
                let mut figures = Evaluation { quarters: tune.quarters, ..Evaluation::default() };
                judged.iter().for_each(|judged| judged.add_to(&mut figures));
                total += figures;
            }
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        let [train, valid] =
            [&self.train, &self.valid].map(|side| side.counted(MOST_COUNTED).into_iter().map(|tune| tune.steps));
        baselines(train, valid)
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

    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        let stored = Stored::read(&base.header)?;
        let other = |what: String| Err(ModelError::OtherVocabulary { composer: SPEC.id, what });
        if stored.melodies.grid != self.stored.melodies.grid {
            return other(format!("its grid of {} steps to a quarter note", stored.melodies.grid));
        }
        if stored.rhythms != self.stored.rhythms {
            return other("its classes of rhythm".to_owned());
        }
        self.adopt(base)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(Player::load(&self.save()).expect("a network's own file fits it"))
    }
}
