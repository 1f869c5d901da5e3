//! Training a composer of frames.

use super::batches::{self, Batch, View};
use super::network::{FrameNetwork, Learning, PastOf};
use super::player::{counted, protocol};
use super::repertoire::{Repertoire, repertoire};
use super::{Effort, FrameComposer, FrameHead, FrameSettings, JudgesFrames, Past, Reading, Roll, baselines};
use crate::learner::Learner;
use crate::plan::{Plan, Row};
use crate::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Regime, Schedule,
    Settings, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint,
};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;

/// Of the pieces that are judged, so many frames are held at once.
const MOST_JUDGED: usize = 1_000_000;

/// A network in training.
pub struct FrameTrainer<N: FrameNetwork> {
    settings: FrameSettings,
    own: N::OwnSettings,
    seed: u64,
    roll: Roll,
    habits: Habits,
    train: Repertoire<PastOf<N>>,
    valid: Repertoire<PastOf<N>>,
    learner: Learner<N>,
    plan: Plan,
}

impl<N: FrameNetwork> FrameTrainer<N> {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without music.
    pub fn create(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError> {
        set.check_sounding()?;
        let bad = |problem: String| CreateError::Settings { composer: N::spec().id, problem };
        let (settings, own) = FrameSettings::read::<N::OwnSettings>(settings).map_err(bad)?;
        N::check(&own).map_err(bad)?;
        let reading = settings.reading.unwrap_or_else(|| Reading::of(set));
        let settings = FrameSettings { reading: Some(reading), ..settings };
        let roll = Roll::of(set, reading).ok_or(CreateError::EmptyCorpus { what: "training" })?;
        let train = repertoire(&set.train, reading, settings.transposition);
        let valid = repertoire(&set.valid, reading, 0);
        Repertoire::check(&train, &valid)?;
        let device = Device::flex().autodiff();
        let mut rng = derive(seed, "parameters", &[]);
        let network = N::new(&settings, &own, &frequencies(&train), &mut rng, &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(Box::new(FrameTrainer {
            plan: batches::plan(train.outlines(), &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            settings,
            own,
            seed,
            roll,
            habits: Habits::of(set),
            train,
            valid,
        }))
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        batches::plan(self.train.outlines(), &self.settings, self.seed, epoch)
    }
}

/// How often each key sounds, a little smoothed.
fn frequencies<P: Past>(pieces: &Repertoire<P>) -> [f32; Keys::COUNT] {
    let mut counts = [0usize; Keys::COUNT];
    pieces.iter().flatten().flat_map(Frame::sounding).for_each(|key| counts[key.index()] += 1);
    counts.map(|count| (count as f32 + 0.1) / (pieces.length() as f32 + 1.0))
}

impl<N: FrameNetwork> Trainable for FrameTrainer<N> {
    fn spec(&self) -> &'static ComposerSpec {
        N::spec()
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        Regime {
            learning_rate: self.settings.learning_rate,
            schedule: Schedule::WarmupStableDecay { warmup: self.settings.warmup },
            patience: self.settings.patience,
            epochs: self.settings.epochs,
        }
    }

    fn likelihood(&self) -> Kind {
        N::Head::kind()
    }

    fn unit(&self) -> Unit {
        Unit::Frame
    }

    fn protocol(&self) -> String {
        protocol(self.validation_effort().every, self.settings.reading())
    }

    fn steps(&self, epoch: u64) -> u64 {
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { self.plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = self.plan_for(at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let Some(pieces) = self.train.learnt(rows.iter().flatten().map(|row| row.segment.piece)) else {
            return StepReport::default();
        };
        let (settings, own, seed) = (&self.settings, &self.own, self.seed);
        let write = |before: Option<Frame>, step: usize, rows: &mut [f32]| {
            N::write_input(settings, own, before, step, rows);
        };
        let view = View { rows: N::ROWS, width: N::input(settings, own), write };
        let batch = Batch::gather(&pieces, &rows, settings, &view);
        let step = (at.epoch << 32) | at.step;
        let learning = Learning { pieces: &pieces, settings, seed, epoch: at.epoch, step };
        let (sums, report) = self.learner.step(&rows, learning_rate, |network, states| {
            let shape = [batch.steps, batch.rows * view.rows, view.width];
            let input = TensorData::new(batch.input.clone(), shape);
            let input = Tensor::from_data(input, &Device::flex().autodiff());
            let features = settings.run(network.lstms(), states, input, (seed, step));
            let Some(coins) = network.strokes() else { return network.loss(own, features, &batch, learning) };
            let frames = batch.weights.iter().map(|weight| f64::from(*weight)).sum();
            let (strokes, nats) = coins.loss(features.clone(), &batch.strokes, frames);
            let (loss, sums) = network.loss(own, features, &batch, learning);
            (loss + strokes, super::FrameSums { nats: sums.nats + nats, ..sums })
        });
        StepReport {
            batch: Evaluation {
                nats: sums.nats,
                tokens: sums.frames,
                quarters: sums.frames / f64::from(self.roll.steps_per_quarter),
                correct: sums.accuracies,
                ..Evaluation::default()
            },
            gradient_norm: report.gradient_norm,
            finite: report.finite && sums.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let composer = self.frame_composer();
        let effort = self.validation_effort();
        let mut total = Evaluation::default();
        for some in self.valid.portions(MOST_JUDGED) {
            for figures in composer.judge_frames(&some, effort, self.seed) {
                total += counted(&figures, self.roll.steps_per_quarter);
            }
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        baselines::baselines(&self.train, &self.valid, &self.settings)
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
        Box::new(self.frame_composer())
    }
}

impl<N: FrameNetwork> FrameTrainer<N> {
    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ "piano_roll": self.roll });
        checkpoint::save(N::spec(), self.learner.network(), self.settings.write(&self.own), encoding, &self.habits)
    }

    fn frame_composer(&self) -> FrameComposer<N> {
        FrameComposer::open(&self.save()).expect("a network's own file fits it")
    }

    fn validation_effort(&self) -> Effort {
        N::validation_effort(&self.own, self.valid.length())
    }
}
