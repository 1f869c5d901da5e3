//! The sources' networks, `classic` and `softology`, as they have them: the last step of a window of 100 note names predicts the next.
//!
//! Input is the word's number over the size of the vocabulary, one scalar a step; windows start at every token and cross from piece to
//! piece; only the next word counts. Keras' defaults: Glorot and orthogonal initialisation, forget bias 1, batch normalisation with
//! momentum 0.99. Composing starts from a training window drawn at random and takes the likeliest word unless asked otherwise.

use super::window_player::WindowComposer;
use super::window_settings::{KERAS_EPS, OptimizerChoice, WindowSettings};
use super::{SPEC, bad_settings};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData as Numbers, activation};
use cantus_encoding::TokenId;
use cantus_encoding::pitch_class_chord::{Vocabulary, encode};
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Pieces, Regime,
    Rng, Schedule, Settings, StepAt, StepReport, Trainable, TrainingSet, checkpoint, ngram,
};
use cantus_nn::batch_norm::BatchNorm;
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{derive, shuffle};

/// Training windows that a model file keeps to start compositions from.
const KEPT_WINDOWS: usize = 64;
/// Validation windows: this many at most, spread evenly.
const VALIDATION_WINDOWS: usize = 2000;
/// Keras' batch normalisation.
const KERAS_MOMENTUM: f64 = 0.99;

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    /// After each LSTM layer and after the dense one, or none at all.
    norms: Vec<BatchNorm>,
    dense: Linear,
    output: Linear,
}

impl Network {
    fn new(settings: &WindowSettings, vocabulary: usize, rng: &mut Rng, device: &Device) -> Network {
        let mut input = 1;
        let mut lstms = Vec::new();
        for &cells in &settings.layers {
            lstms.push(Lstm::new(input, cells, rng, device).with_precision(settings.precision));
            input = cells;
        }
        let widths = settings.layers.iter().copied().chain([settings.dense]).filter(|_| settings.batch_norm);
        Network {
            lstms,
            norms: widths.map(|width| BatchNorm::with(width, KERAS_MOMENTUM, KERAS_EPS, device)).collect(),
            dense: Linear::new(input, settings.dense, rng, device),
            output: Linear::new(settings.dense, vocabulary, rng, device),
        }
    }

    /// # Shapes
    /// `x`: `[T, B, 1]` -> `[B, V]`
    fn forward(&self, settings: &WindowSettings, x: Tensor<3>, seed: Option<(u64, u64)>) -> Tensor<2> {
        let [steps, rows, _] = x.dims();
        let key = |layer: usize| seed.map(|(seed, step)| MaskKey { seed, step, layer: layer as u64 });
        let drop =
            |layer: usize| if settings.batch_norm || layer + 1 < self.lstms.len() { settings.dropout } else { 0.0 };
        let mut x = x;
        let mut last = None;
        for (k, lstm) in self.lstms.iter().enumerate() {
            let (y, _) = lstm.forward(x, &LstmState::zeros(rows, lstm.hidden()));
            if k + 1 == self.lstms.len() {
                let y: Tensor<2> = y.narrow(0, steps - 1, 1).reshape([rows, lstm.hidden()]);
                last = Some(self.norm(k, dropout(y, drop(k), key(k)), seed.is_some()));
                break;
            }
            x = self.norm(k, dropout(y, drop(k), key(k)), seed.is_some());
        }
        let Some(last) = last else { unreachable!("there is at least one layer") };
        let mut z = self.dense.forward(last);
        if settings.relu {
            z = activation::relu(z);
        }
        let depth = self.lstms.len();
        let z = self.norm(depth, dropout(z, settings.dropout, key(depth)), seed.is_some());
        self.output.forward(z)
    }

    fn norm<const D: usize>(&self, layer: usize, x: Tensor<D>, training: bool) -> Tensor<D> {
        match self.norms.get(layer) {
            Some(norm) => norm.forward(x, training),
            None => x,
        }
    }
}

/// One of the sources' networks in training.
pub(super) struct WindowTrainer {
    settings: WindowSettings,
    seed: u64,
    vocabulary: Vocabulary,
    habits: Habits,
    /// All pieces one after another, as the sources read them.
    train: Vec<TokenId>,
    valid: Vec<TokenId>,
    network: Option<Network>,
    optimizer: Optimizer,
    /// The epoch whose order of windows this is.
    order: (u64, Vec<u32>),
}

impl WindowTrainer {
    pub(super) fn new(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<WindowTrainer, CreateError> {
        set.check_sounding()?;
        let settings: WindowSettings = serde_json::from_value(settings.clone()).map_err(bad_settings)?;
        settings.check().map_err(bad_settings)?;
        let vocabulary = Vocabulary::build(set.all())?;
        let words = |pieces: &Pieces| pieces.iter().flat_map(|piece| encode(&piece, &vocabulary).0).collect();
        let (train, valid): (Vec<TokenId>, Vec<TokenId>) = (words(&set.train), words(&set.valid));
        for (tokens, what) in [(&train, "training"), (&valid, "validation")] {
            if tokens.len() <= settings.window {
                return Err(bad_settings(format!(
                    "the {what} pieces have {} onsets and a window is {} long; add music, or choose a smaller window with --set window=50",
                    tokens.len(),
                    settings.window
                )));
            }
        }
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, vocabulary.len(), &mut derive(seed, "parameters", &[]), &device);
        let rule = match settings.optimizer {
            // Keras' epsilon.
            OptimizerChoice::Adam => Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-7, weight_decay: 0.0 },
            OptimizerChoice::RmsProp => Rule::rms_prop(),
        };
        let mut trainer = WindowTrainer {
            settings,
            seed,
            vocabulary,
            habits: Habits::of(set),
            train,
            valid,
            network: Some(network),
            optimizer: Optimizer::new(rule),
            order: (0, Vec::new()),
        };
        trainer.order = trainer.order_of(0);
        Ok(trainer)
    }

    fn order_of(&self, epoch: u64) -> (u64, Vec<u32>) {
        let mut order: Vec<u32> = (0..(self.train.len() - self.settings.window) as u32).collect();
        shuffle(&mut derive(self.seed, "windows", &[epoch]), &mut order);
        (epoch, order)
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect("a step gives the network back")
    }

    /// Windows that start at `starts`, time-major, and the words after them.
    fn gather(&self, tokens: &[TokenId], starts: &[u32], device: &Device) -> (Tensor<3>, Vec<u32>) {
        let (steps, rows) = (self.settings.window, starts.len());
        let size = self.vocabulary.len() as f32;
        let mut x = vec![0.0f32; steps * rows];
        for (b, &start) in starts.iter().enumerate() {
            for (t, token) in tokens[start as usize..][..steps].iter().enumerate() {
                x[t * rows + b] = token.0 as f32 / size;
            }
        }
        let targets = starts.iter().map(|&start| tokens[start as usize + steps].0).collect();
        (Tensor::from_data(Numbers::new(x, [steps, rows, 1]), device), targets)
    }
}

impl Trainable for WindowTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.network())
    }

    fn regime(&self) -> Regime {
        Regime {
            learning_rate: self.settings.learning_rate,
            schedule: Schedule::Constant,
            patience: u32::MAX,
            epochs: self.settings.epochs,
        }
    }

    fn likelihood(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        format!(
            "the word after each window of {} words, pieces run together as in the source, at most {VALIDATION_WINDOWS} windows \
             spread evenly; mean over windows",
            self.settings.window
        )
    }

    fn steps(&self, _epoch: u64) -> u64 {
        (self.train.len() - self.settings.window).div_ceil(self.settings.batch) as u64
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.order.0 != at.epoch {
            self.order = self.order_of(at.epoch);
        }
        let from = at.step as usize * self.settings.batch;
        let starts = &self.order.1[from..self.order.1.len().min(from + self.settings.batch)];
        let (x, targets) = self.gather(&self.train, starts, &Device::flex().autodiff());
        let Some(mut network) = self.network.take() else { unreachable!("a step gives the network back") };
        let logits = network.forward(&self.settings, x, Some((self.seed, (at.epoch << 32) | at.step)));
        let (loss, figures) = cross_entropy(logits, &targets, &vec![1.0; targets.len()]);
        let gradients = loss.backward();
        let report;
        (network, report) = self.optimizer.step(network, gradients, learning_rate);
        self.network = Some(network);
        StepReport {
            batch: Evaluation::of_batch(figures, figures.counted / 2.0),
            gradient_norm: report.gradient_norm,
            finite: report.finite && figures.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let network = self.network().valid();
        let windows = self.valid.len() - self.settings.window;
        let stride = windows.div_ceil(VALIDATION_WINDOWS).max(1);
        let starts: Vec<u32> = (0..windows as u32).step_by(stride).collect();
        let mut total = Evaluation::default();
        for starts in starts.chunks(self.settings.batch.max(100)) {
            let (x, targets) = self.gather(&self.valid, starts, &Device::flex());
            let logits = network.forward(&self.settings, x, None);
            let (_, figures) = cross_entropy(logits, &targets, &vec![1.0; targets.len()]);
            // A word says nothing of lengths.
            total += Evaluation { beside: None, ..Evaluation::of_batch(figures, figures.counted / 2.0) };
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        let pieces = std::slice::from_ref::<Vec<TokenId>>;
        ngram::baselines(pieces(&self.train), pieces(&self.valid), self.vocabulary.len())
    }

    fn save(&self) -> ModelFile {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let windows = self.train.len() - self.settings.window;
        let kept = KEPT_WINDOWS.min(windows);
        let starts: Vec<&[TokenId]> =
            (0..kept).map(|k| &self.train[k * windows / kept..][..self.settings.window]).collect();
        let words: Vec<Vec<u32>> = starts.iter().map(|window| window.iter().map(|token| token.0).collect()).collect();
        let encoding = serde_json::json!({ "pitch_class_chord": self.vocabulary, "windows": words });
        checkpoint::save(&SPEC, self.network(), settings, encoding, &self.habits)
    }

    fn checkpoint(&self) -> ModelFile {
        let mut file = self.save();
        checkpoint::add_optimizer(&mut file, checkpoint::OPTIMIZER, &self.optimizer);
        file
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        checkpoint::same_training(&file.header, &self.save().header)?;
        let optimizer = checkpoint::restore_optimizer(self.network(), &self.optimizer, checkpoint::OPTIMIZER, file)?;
        self.network = Some(checkpoint::restore(self.network().clone(), file)?);
        self.optimizer = optimizer;
        Ok(())
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.network = Some(checkpoint::restore(self.network().clone(), model)?);
        Ok(())
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(WindowComposer::load(&self.save()).expect("a network's own file fits it"))
    }
}

#[cfg(test)]
mod tests;
