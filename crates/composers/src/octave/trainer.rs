//! Training: the generator by its loss, decoder and touch beside it on a part of the same fragments.

use super::decoder::Decoder;
use super::generator::{Generator, Masks, add_mass};
use super::pieces::{Batch, Fragment, KeyBatch, MOST_READ, Stretches, draw, to_judge};
use super::player::OctaveComposer;
use super::rates;
use super::rehearsal;
use super::settings::{Decisions, OctaveSettings};
use super::touch::Touch;
use super::{ATTENTION, SILENCE, SPEC, bad_settings};
use burn::module::Module;
use burn::tensor::Device;
use cantus_encoding::piano_roll::Keys;
use cantus_model::learner::Averaged;
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Pieces, Regime,
    Repertoire, Schedule, Settings, StepAt, StepReport, TensorData, Trainable, TrainingSet, Unit, checkpoint,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use std::sync::atomic::AtomicBool;

/// Validation draws with the same chances in every training.
const VALIDATION_SEED: u64 = 1;
/// The gradients of decoder and touch are clipped to this norm.
const KEYS_CLIP: f32 = 1.0;
/// The touch learns at this rate, with Adam's usual constants: the source does not say.
const TOUCH_LEARNING_RATE: f64 = 1e-3;

/// All that is trained.
#[derive(Module, Debug)]
struct Networks {
    generator: Generator,
    decoder: Decoder,
    touch: Touch,
}

/// The optimisers, in the order of the networks.
#[derive(Clone, Debug)]
struct Optimizers {
    generator: Optimizer,
    decoder: Optimizer,
    touch: Optimizer,
}

/// How their moments' names begin.
const MOMENTS: [&str; 3] = ["optimizer.generator.", "optimizer.decoder.", "optimizer.touch."];

/// The composer in training.
pub(super) struct OctaveTrainer {
    settings: OctaveSettings,
    seed: u64,
    steps_per_quarter: u32,
    /// The keys that are struck in the corpus, and all between them.
    range: Keys,
    habits: Habits,
    train: Repertoire<OctaveSettings>,
    valid: Repertoire<OctaveSettings>,
    to_learn: Stretches,
    to_judge: Vec<Fragment>,
    networks: Averaged<Networks>,
    optimizers: Optimizers,
    /// The attention's mean weight of each lag when last judged; zeros before.
    mass: Vec<f32>,
}

impl OctaveTrainer {
    /// Whether silence is a decision of its own: a single voice decides each pitch class by itself.
    fn draws_silence(&self) -> bool {
        self.settings.decisions == Decisions::Ordered && self.settings.voices > 1
    }

    pub(super) fn new(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<OctaveTrainer, CreateError> {
        let settings = OctaveSettings::read(settings)?;
        let pieces = |pieces: &Pieces| Repertoire::of(pieces, settings.clone(), MOST_READ);
        let (train, valid) = (pieces(&set.train), pieces(&set.valid));
        fn steps(pieces: &Repertoire<OctaveSettings>) -> impl Iterator<Item = usize> {
            pieces.outlines().iter().map(|outline| outline.steps)
        }
        let (learnt, judged) = (Stretches::of(steps(&train), &settings), to_judge(steps(&valid), &settings));
        for (pieces, count, what) in [(&train, learnt.count(), "training"), (&valid, judged.len(), "validation")] {
            if pieces.is_empty() {
                return Err(CreateError::EmptyCorpus { what });
            }
            if count == 0 {
                return Err(bad_settings(format!(
                    "no {what} piece has the {} steps of a fragment; choose shorter ones with --set fragment=64, or let short \
                     pieces in with --set short_pieces=true",
                    settings.fragment
                )));
            }
        }
        let all = train.outlines().iter().chain(valid.outlines());
        let struck = all.fold(Keys::NONE, |all, outline| all | outline.keys);
        let device = Device::flex().autodiff();
        let rng = &mut derive(seed, "parameters", &[]);
        let networks = Networks {
            generator: Generator::new(&settings, rng, &device),
            decoder: Decoder::new(&settings, rng, &device),
            touch: Touch::new(&settings, rng, &device),
        };
        let clipped = |optimizer: Optimizer, clip: f32| {
            if clip > 0.0 { optimizer.with_clipping(clip) } else { optimizer }
        };
        let decoding =
            Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: settings.decoder_epsilon as f32, weight_decay: 0.0 };
        let optimizers = Optimizers {
            generator: clipped(Optimizer::new(Rule::adam_w(settings.weight_decay as f32)), settings.clip as f32),
            decoder: Optimizer::new(decoding).with_clipping(KEYS_CLIP),
            touch: Optimizer::new(Rule::adam()).with_clipping(KEYS_CLIP),
        };
        Ok(OctaveTrainer {
            steps_per_quarter: set.all().next().map_or(4, |score| score.ticks_per_quarter.get()),
            range: super::all_between(struck),
            habits: Habits::of(set),
            mass: vec![0.0; settings.lags.len()],
            networks: Averaged::new(networks, settings.averaging),
            optimizers,
            settings,
            seed,
            train,
            valid,
            to_learn: learnt,
            to_judge: judged,
        })
    }

    /// The model, with the parameters as the optimisers move them.
    fn file(&self) -> ModelFile {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let keys: Vec<usize> = self.range.iter().map(|key| key.index()).collect();
        let encoding = serde_json::json!({"octave_roll": {
            "steps_per_quarter": self.steps_per_quarter, "lowest": keys.first(), "highest": keys.last(),
        }});
        let mut file = checkpoint::save(&SPEC, self.networks.network(), settings, encoding, &self.habits);
        let mass = TensorData { shape: vec![self.mass.len()], values: self.mass.clone() };
        file.tensors.insert(ATTENTION.to_owned(), mass);
        file
    }

    fn evaluation(&self, figures: cantus_nn::cross_entropy::Figures) -> Evaluation {
        Evaluation {
            beside: None,
            ..Evaluation::of_batch(figures, figures.counted / f64::from(self.steps_per_quarter))
        }
    }
}

impl Trainable for OctaveTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.networks.network())
    }

    fn regime(&self) -> Regime {
        let OctaveSettings { learning_rate, patience, epochs, .. } = self.settings;
        let schedule = match patience {
            0 => Schedule::Constant,
            _ => Schedule::WarmupStableDecay { warmup: 1 },
        };
        Regime { learning_rate, schedule, patience: patience.max(1), epochs }
    }

    fn likelihood(&self) -> Kind {
        self.settings.decisions.kind()
    }

    fn unit(&self) -> Unit {
        Unit::Frame
    }

    fn protocol(&self) -> String {
        self.settings.protocol()
    }

    /// Batches are drawn with replacement: an epoch is as many as it takes to draw as many fragments as there are.
    fn steps(&self, _epoch: u64) -> u64 {
        self.to_learn.count().div_ceil(self.settings.batch) as u64
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        let device = Device::flex().autodiff();
        let step = (at.epoch << 32) | at.step;
        let counters = [at.epoch, at.step];
        let fragments = draw(&self.to_learn, &self.settings, &mut derive(self.seed, "fragments", &counters));
        let Some(pieces) = self.train.learnt(fragments.iter().map(|fragment| fragment.piece)) else {
            return StepReport::default();
        };
        let pieces = |piece: usize| &*pieces[&piece];
        let chances = &mut derive(self.seed, "chances", &counters);
        let batch = Batch::gather(pieces, &fragments, &self.settings, chances);
        let OctaveTrainer { settings, seed, networks, optimizers, .. } = self;
        let masks = (settings.dropout > 0.0).then_some(Masks { rate: settings.dropout, seed: *seed, step });
        let (figures, report) = networks.step(|Networks { generator, decoder, touch }| {
            let (loss, prediction, _) = generator.forward(&batch, settings, masks, &device);
            let gradients = loss.backward();
            let (generator, mut report) = optimizers.generator.step(generator, gradients, learning_rate);

            let few = &fragments[..fragments.len().min(settings.decoder_batch)];
            let keys = KeyBatch::gather(pieces, few, settings);
            // The other rates follow the generator's schedule.
            let share = learning_rate / settings.learning_rate;
            let gradients = decoder.loss(&keys, settings.gibbs, *seed ^ step, &device).backward();
            let (decoder, _) = optimizers.decoder.step(decoder, gradients, share * settings.decoder_learning_rate);
            let gradients = touch.loss(&keys, &device).backward();
            let (touch, _) = optimizers.touch.step(touch, gradients, share * TOUCH_LEARNING_RATE);
            report.finite &= prediction.figures.nats.is_finite();
            (Networks { generator, decoder, touch }, report.finite, (prediction.figures, report))
        });
        StepReport { batch: self.evaluation(figures), gradient_norm: report.gradient_norm, finite: report.finite }
    }

    fn validate(&mut self) -> Evaluation {
        let generator = self.networks.of_models().generator.valid();
        let mut total = Evaluation::default();
        let mut mass = vec![0.0; self.mass.len()];
        for (k, fragments) in self.to_judge.chunks(self.settings.batch).enumerate() {
            let Some(pieces) = self.valid.learnt(fragments.iter().map(|fragment| fragment.piece)) else {
                return Evaluation::default();
            };
            // Always the same chances.
            let chances = &mut derive(VALIDATION_SEED, "validation", &[k as u64]);
            let batch = Batch::gather(|piece| &*pieces[&piece], fragments, &self.settings, chances);
            let (_, prediction, scores) = generator.forward(&batch, &self.settings, None, &Device::flex());
            add_mass(scores, &batch.weights, &mut mass);
            total += self.evaluation(prediction.figures);
        }
        self.mass = mass.iter().map(|mass| (mass / total.tokens.max(1.0)) as f32).collect();
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        rates::baselines(&self.train, &self.valid, &self.settings)
    }

    fn save(&self) -> ModelFile {
        self.networks.save(self.file())
    }

    fn finishing(&self, model: &ModelFile) -> Option<String> {
        (self.draws_silence() && !model.tensors.contains_key(SILENCE))
            .then(|| "it rehearses: how fond it is of silence is measured on what it composes".to_owned())
    }

    fn finish(
        &self,
        model: &ModelFile,
        _: &AtomicBool,
        _: &mut dyn FnMut(f64),
    ) -> Result<Option<ModelFile>, ModelError> {
        if self.finishing(model).is_none() {
            return Ok(None);
        }
        let composer = OctaveComposer::load(model)?;
        let sampling = model.header.usual_sampling(composer.default_sampling());
        let silence = rehearsal::silence(composer, &self.train, self.settings.fragment, &sampling, self.seed);
        let mut finished = model.clone();
        finished.tensors.insert(SILENCE.to_owned(), TensorData { shape: vec![1], values: vec![silence] });
        Ok(Some(finished))
    }

    fn checkpoint(&self) -> ModelFile {
        let mut file = self.networks.checkpoint(self.file());
        let Optimizers { generator, decoder, touch } = &self.optimizers;
        for (prefix, optimizer) in MOMENTS.into_iter().zip([generator, decoder, touch]) {
            checkpoint::add_optimizer(&mut file, prefix, optimizer);
        }
        file
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        checkpoint::same_training(&file.header, &self.file().header)?;
        let mass = file.tensor(ATTENTION, &[self.mass.len()])?.to_vec();
        let restored = self.networks.restored(file)?;
        let networks = restored.network();
        let Optimizers { generator, decoder, touch } = &self.optimizers;
        let [of_generator, of_decoder, of_touch] = MOMENTS;
        let optimizers = Optimizers {
            generator: checkpoint::restore_optimizer(&networks.generator, generator, of_generator, file)?,
            decoder: checkpoint::restore_optimizer(&networks.decoder, decoder, of_decoder, file)?,
            touch: checkpoint::restore_optimizer(&networks.touch, touch, of_touch, file)?,
        };
        (self.networks, self.optimizers, self.mass) = (restored, optimizers, mass);
        Ok(())
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.networks.adopt(model)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(OctaveComposer::load(&self.save()).expect("the networks' own file fits them"))
    }
}
