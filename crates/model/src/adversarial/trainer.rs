//! Learning: some steps of the critic, then one of the generator.

use super::energy::{Space, diversity, energy};
use super::{Drawing, Duel, KIND, PROTOCOL, Rules, evaluation};
use crate::learner::Averaged;
use crate::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Regime, Rng,
    Schedule, Settings, StepAt, StepReport, TensorData, Trainable, TrainingSet, Unit, checkpoint,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData as Data};
use cantus_encoding::phrases::Phrase;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::{count_parameters, values_of};
use cantus_nn::random::{below, derive, uniform};
use cantus_score::Score;

/// Of more phrases, so many evenly spread.
const MOST: usize = 65_536;
/// Phrases that are drawn to be judged.
const JUDGED: usize = 256;
/// Validation and baselines draw the same in every training.
const SEED: u64 = 1;
/// How the names begin of what a checkpoint holds and a model does not.
const CRITIC: &str = "critic.";
const MOMENTS: [&str; 2] = ["optimizer.generator.", "optimizer.critic."];

/// A generator and a critic in training. It holds all phrases in memory.
pub struct AdversarialTrainer<D: Duel> {
    duel: D,
    rules: Rules,
    own: D::Own,
    seed: u64,
    habits: Habits,
    train: Vec<Phrase>,
    /// Statistics of phrases of each side, [`JUDGED`] at most.
    real: Vec<Vec<f32>>,
    valid: Vec<Vec<f32>>,
    valid_phrases: usize,
    space: Space,
    generator: Averaged<D::Generator>,
    /// Taken out only while a step replaces it.
    critic: Option<D::Critic>,
    optimizers: [Optimizer; 2],
    composer: fn(&ModelFile) -> Result<Box<dyn Composer>, ModelError>,
}

impl<D: Duel> AdversarialTrainer<D> {
    /// Both with nothing learnt; `composer` is what a model file is loaded by.
    ///
    /// # Errors
    /// [`CreateError`], for settings, and for a corpus without a phrase.
    pub fn create(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: D::spec().id, problem };
        let (rules, own) = Rules::read::<D::Own>(settings).map_err(bad)?;
        D::check_settings(&own).map_err(bad)?;
        set.check_sounding()?;
        let duel = D::of(set, &own)?;
        let phrases = |pieces: &crate::Pieces| -> Vec<Phrase> {
            let all: Vec<Phrase> =
                pieces.iter().flat_map(|piece: std::borrow::Cow<'_, Score>| duel.phrases(&piece)).collect();
            let every = every(all.len(), MOST);
            all.into_iter().step_by(every).collect()
        };
        let (train, valid) = (phrases(&set.train), phrases(&set.valid));
        for (phrases, what) in [(&train, "training"), (&valid, "validation")] {
            if phrases.is_empty() {
                return Err(CreateError::EmptyCorpus { what });
            }
        }
        let count = |phrases: &[Phrase], most: usize| -> Vec<Vec<f32>> {
            let some = phrases.iter().step_by(every(phrases.len(), most));
            some.map(|phrase| duel.statistics(&phrase.sounding(duel.cells()))).collect()
        };
        let space = Space::of(&count(&train, 4 * JUDGED));
        let placed = |set: Vec<Vec<f32>>| set.into_iter().map(|numbers| space.place(numbers)).collect();
        let (real, judged) = (placed(count(&train, JUDGED)), placed(count(&valid, JUDGED)));
        let device = Device::flex().autodiff();
        let rng = &mut derive(seed, "parameters", &[]);
        let generator = duel.generator(&own, rng, &device);
        let rule = Rule::AdamW { beta1: rules.beta1, beta2: rules.beta2, eps: 1e-8, weight_decay: 0.0 };
        Ok(Box::new(AdversarialTrainer {
            critic: Some(duel.critic(&own, rng, &device)),
            generator: Averaged::new(generator, rules.averaging),
            optimizers: [Optimizer::new(rule), Optimizer::new(rule)],
            habits: Habits::of(set),
            valid_phrases: valid.len(),
            composer: D::spec().load,
            valid: judged,
            real,
            space,
            train,
            seed,
            own,
            rules,
            duel,
        }))
    }

    fn critic(&self) -> &D::Critic {
        self.critic.as_ref().expect("a step gives the critic back")
    }

    /// The generator as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let settings = crate::settings::joined(&self.rules, &self.own);
        let encoding = serde_json::json!({ D::spec().encoding: self.duel });
        checkpoint::save(D::spec(), self.generator.network(), settings, encoding, &self.habits)
    }

    /// Numbers of noise for so many phrases.
    fn noise(&self, phrases: usize, rng: &mut Rng) -> Tensor<2> {
        let width = self.duel.noise(&self.own);
        let noise: Vec<f32> = (0..phrases * width).map(|_| D::draw(rng)).collect();
        Tensor::from_data(Data::new(noise, [phrases, width]), &Device::flex().autodiff())
    }

    /// Real phrases, drawn with replacement: `[B, cells]`
    fn real(&self, rng: &mut Rng) -> (Tensor<2>, Vec<usize>) {
        let (cells, batch) = (self.duel.cells(), self.rules.batch);
        let mut values = vec![0.0f32; batch * cells];
        let chosen: Vec<usize> = (0..batch).map(|_| below(rng, self.train.len())).collect();
        for (number, row) in chosen.iter().zip(values.chunks_exact_mut(cells)) {
            self.train[*number].0.iter().for_each(|cell| row[*cell as usize] = 1.0);
        }
        (Tensor::from_data(Data::new(values, [batch, cells]), &Device::flex().autodiff()), chosen)
    }

    /// A step of the critic; whether its numbers were finite.
    fn step_critic(&mut self, rng: &mut Rng, learning_rate: f64) -> bool {
        let batch = self.rules.batch;
        let (real, _) = self.real(rng);
        let noise = self.noise(batch, rng);
        let shares = (0..batch).map(|_| uniform(rng)).collect();
        let generator = self.generator.network().clone().no_grad();
        let made = D::shown(self.duel.logits(&self.own, &generator, noise)).detach();
        let Some(critic) = self.critic.take() else { unreachable!("a step gives the critic back") };
        let gradients = self.duel.critic_loss(&self.own, &critic, real, made, shares).backward();
        let rate = learning_rate * self.rules.critic_rate;
        let (critic, report) = self.optimizers[1].step(critic, gradients, rate);
        self.critic = Some(critic);
        report.finite
    }

    /// What is counted of cells that are over the threshold, in the space of the corpus.
    fn placed(&self, logits: &[f32]) -> Vec<Vec<f32>> {
        let phrase = |logits: &[f32]| {
            let cells: Vec<bool> = logits.iter().map(|z| *z > D::THRESHOLD).collect();
            self.space.place(self.duel.statistics(&cells))
        };
        logits.chunks_exact(self.duel.cells()).map(phrase).collect()
    }

    /// Phrases that the generator draws out of noise that is always the same.
    fn drawn(&self) -> Vec<Vec<f32>> {
        let drawing = Drawing::<D>::load(&self.save()).expect("a generator's own file fits it");
        let rng = &mut derive(SEED, "validation", &[]);
        let width = self.duel.noise(&self.own);
        let mut drawn = Vec::with_capacity(JUDGED);
        while drawn.len() < JUDGED {
            let noise: Vec<f32> = (0..self.rules.batch.min(JUDGED) * width).map(|_| D::draw(rng)).collect();
            let Some(logits) = drawing.logits(noise) else { return Vec::new() };
            drawn.extend(self.placed(&logits));
        }
        drawn
    }
}

/// Of so many every how many-th is one of `most` at most, evenly spread.
fn every(count: usize, most: usize) -> usize {
    count.div_ceil(most).max(1)
}

impl<D: Duel> Trainable for AdversarialTrainer<D> {
    fn spec(&self) -> &'static ComposerSpec {
        D::spec()
    }

    fn parameters(&self) -> usize {
        count_parameters(self.generator.network())
    }

    fn regime(&self) -> Regime {
        let Rules { learning_rate, warmup, patience, epochs, .. } = self.rules;
        Regime { learning_rate, schedule: Schedule::WarmupStableDecay { warmup }, patience, epochs }
    }

    fn likelihood(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> Unit {
        Unit::Section
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn steps(&self, _: u64) -> u64 {
        self.rules.epoch_steps as u64
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        let mut finite = true;
        for k in 0..self.rules.critic_steps as u64 {
            let rng = &mut derive(self.seed, "critic", &[at.epoch, at.step, k]);
            finite &= self.step_critic(rng, learning_rate);
        }
        let rng = &mut derive(self.seed, "generator", &[at.epoch, at.step]);
        let noise = self.noise(self.rules.batch, rng);
        let critic = self.critic().clone().no_grad();
        let (duel, own, optimizer) = (&self.duel, &self.own, &mut self.optimizers[0]);
        let (logits, report) = self.generator.step(|generator| {
            let logits = duel.logits(own, &generator, noise);
            let loss = duel.generator_loss(own, &critic, D::shown(logits.clone()));
            let (generator, report) = optimizer.step(generator, loss.backward(), learning_rate);
            (generator, report.finite, (values_of(logits.detach()), report))
        });
        let drawn = self.placed(&logits);
        let distance = energy(&drawn, &self.real);
        StepReport {
            batch: evaluation(distance, drawn.len(), self.duel.quarters()),
            gradient_norm: report.gradient_norm,
            finite: finite && report.finite && distance.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let drawn = self.drawn();
        let distance = if drawn.is_empty() { f64::NAN } else { energy(&drawn, &self.valid) };
        evaluation(distance, self.valid_phrases, self.duel.quarters())
    }

    fn diversity(&self) -> Option<f64> {
        diversity(&self.drawn(), &self.real)
    }

    /// Cells that sound each by itself, so often as all do, and as it does.
    fn baselines(&self) -> Vec<Baseline> {
        let cells = self.duel.cells();
        let mut rates = vec![0.0f32; cells];
        let one = 1.0 / self.train.len() as f32;
        self.train.iter().flat_map(|phrase| &phrase.0).for_each(|cell| rates[*cell as usize] += one);
        let mean = rates.iter().sum::<f32>() / cells as f32;
        let of = |name: &str, rate: &dyn Fn(usize) -> f32| {
            let rng = &mut derive(SEED, "baseline", &[]);
            let phrase = |rng: &mut Rng| -> Vec<bool> { (0..cells).map(|cell| uniform(rng) < rate(cell)).collect() };
            let drawn: Vec<Vec<f32>> =
                (0..JUDGED / 2).map(|_| self.space.place(self.duel.statistics(&phrase(rng)))).collect();
            Baseline { name: name.to_owned(), nats_per_token: energy(&drawn, &self.valid) }
        };
        let mut baselines = vec![of("one rate", &|_| mean), of("each cell's rate", &|cell| rates[cell])];
        baselines.sort_by(|a, b| b.nats_per_token.total_cmp(&a.nats_per_token));
        baselines
    }

    fn save(&self) -> ModelFile {
        self.generator.save(self.as_trained())
    }

    fn checkpoint(&self) -> ModelFile {
        let mut file = self.generator.checkpoint(self.as_trained());
        let critic = checkpoint::file((D::spec().id, D::spec().version), self.critic(), Settings::Null, Settings::Null);
        file.tensors.extend(critic.tensors.into_iter().map(|(name, tensor)| (format!("{CRITIC}{name}"), tensor)));
        for (prefix, optimizer) in MOMENTS.into_iter().zip(&self.optimizers) {
            checkpoint::add_optimizer(&mut file, prefix, optimizer);
        }
        file
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        checkpoint::same_training(&file.header, &self.as_trained().header)?;
        let own =
            |(name, tensor): (&String, &TensorData)| Some((name.strip_prefix(CRITIC)?.to_owned(), tensor.clone()));
        let of_critic =
            ModelFile { header: file.header.clone(), tensors: file.tensors.iter().filter_map(own).collect() };
        let generator = self.generator.restored(file)?;
        let critic = checkpoint::restore(self.critic().clone(), &of_critic)?;
        let [of_generator, of_critic] = &self.optimizers;
        let optimizers = [
            checkpoint::restore_optimizer(generator.network(), of_generator, MOMENTS[0], file)?,
            checkpoint::restore_optimizer(&critic, of_critic, MOMENTS[1], file)?,
        ];
        (self.generator, self.critic, self.optimizers) = (generator, Some(critic), optimizers);
        Ok(())
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.generator.adopt(model)
    }

    fn composer(&self) -> Box<dyn Composer> {
        (self.composer)(&self.save()).expect("a generator's own file fits it")
    }
}
