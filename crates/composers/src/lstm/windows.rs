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
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Numbering, Pieces,
    Reader, Regime, Repertoire, Rng, Schedule, Settings, StepAt, StepReport, Trainable, TrainingSet, checkpoint, ngram,
};
use cantus_nn::batch_norm::BatchNorm;
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{derive, shuffle};
use cantus_score::Score;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Training windows that a model file keeps to start compositions from.
const KEPT_WINDOWS: usize = 64;
/// Validation windows: this many at most, spread evenly.
const VALIDATION_WINDOWS: usize = 2000;
/// Words of pieces that stay read.
const MOST_READ: usize = 16 << 20;
/// Of more words only those of every so many pieces are counted.
const MOST_COUNTED: usize = 8_000_000;
/// So many windows follow one another in a random order; where there are more, those of the pieces after them come after.
const MOST_ORDERED: usize = 16 << 20;
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

/// Reads pieces that have words.
#[derive(Debug)]
struct WordReader(Arc<Vocabulary>);

impl Reader for WordReader {
    /// How many words it has.
    type Outline = usize;
    type Piece = Vec<TokenId>;
    type Learnt = Vec<TokenId>;

    fn outlines(&self, _: usize, score: &Score) -> Vec<usize> {
        let words = encode(score, &self.0).0.len();
        (words > 0).then_some(words).into_iter().collect()
    }

    fn length(outline: &usize) -> usize {
        *outline
    }

    fn piece(&self, outline: &usize, score: &Score) -> Vec<TokenId> {
        let mut words = encode(score, &self.0).0;
        words.resize(*outline, TokenId(0));
        words
    }

    fn learnt(&self, piece: Vec<TokenId>) -> Vec<TokenId> {
        piece
    }
}

/// All words of the pieces, one piece after another, as the sources read them.
struct Words {
    pieces: Repertoire<WordReader>,
    numbering: Numbering,
}

impl Words {
    fn of(pieces: &Pieces, vocabulary: &Arc<Vocabulary>) -> Words {
        let pieces = Repertoire::of(pieces, WordReader(Arc::clone(vocabulary)), MOST_READ);
        Words { numbering: Numbering::of(pieces.outlines().iter().copied()), pieces }
    }

    fn count(&self) -> usize {
        self.numbering.count()
    }

    /// So many words from each of these on; `None` where a piece cannot be had any more.
    fn windows(&mut self, starts: &[u32], length: usize) -> Option<Vec<Vec<TokenId>>> {
        let touched = |start: &u32| {
            let (first, at) = self.numbering.find(*start as usize);
            (first..=self.numbering.find(*start as usize + length - 1).0, at)
        };
        let places: Vec<(RangeInclusive<usize>, usize)> = starts.iter().map(touched).collect();
        let pieces = self.pieces.learnt(places.iter().flat_map(|(pieces, _)| pieces.clone()))?;
        let window = |(numbers, at): (RangeInclusive<usize>, usize)| {
            numbers.flat_map(|piece| &*pieces[&piece]).skip(at).take(length).copied().collect()
        };
        Some(places.into_iter().map(window).collect())
    }
}

/// One of the sources' networks in training.
pub(super) struct WindowTrainer {
    settings: WindowSettings,
    seed: u64,
    vocabulary: Arc<Vocabulary>,
    habits: Habits,
    train: Words,
    valid: Words,
    /// Windows to start compositions from.
    kept: Vec<Vec<TokenId>>,
    network: Option<Network>,
    optimizer: Optimizer,
    /// The epoch and the part of it whose order of windows this is.
    order: ((u64, usize), Vec<u32>),
}

impl WindowTrainer {
    pub(super) fn new(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<WindowTrainer, CreateError> {
        set.check_sounding()?;
        let settings: WindowSettings = serde_json::from_value(settings.clone()).map_err(bad_settings)?;
        settings.check().map_err(bad_settings)?;
        let vocabulary = Arc::new(Vocabulary::build(set.all())?);
        let (mut train, valid) = (Words::of(&set.train, &vocabulary), Words::of(&set.valid, &vocabulary));
        for (words, what) in [(&train, "training"), (&valid, "validation")] {
            if words.count() <= settings.window {
                return Err(bad_settings(format!(
                    "the {what} pieces have {} onsets and a window is {} long; add music, or choose a smaller window with --set window=50",
                    words.count(),
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
        let windows = train.count() - settings.window;
        let count = KEPT_WINDOWS.min(windows);
        let starts: Vec<u32> = (0..count).map(|k| (k * windows / count) as u32).collect();
        let kept = train.windows(&starts, settings.window).unwrap_or_default();
        let mut trainer = WindowTrainer {
            settings,
            seed,
            vocabulary,
            habits: Habits::of(set),
            train,
            valid,
            kept,
            network: Some(network),
            optimizer: Optimizer::new(rule),
            order: ((0, 0), Vec::new()),
        };
        trainer.order = trainer.order_of(0, 0);
        Ok(trainer)
    }

    /// How many windows there are to learn from.
    fn to_learn(&self) -> usize {
        self.train.count() - self.settings.window
    }

    /// Windows of a part of an epoch: whole batches.
    fn part(&self) -> usize {
        (MOST_ORDERED / self.settings.batch).max(1) * self.settings.batch
    }

    fn order_of(&self, epoch: u64, part: usize) -> ((u64, usize), Vec<u32>) {
        let from = part * self.part();
        let mut order: Vec<u32> = (from as u32..self.to_learn().min(from + self.part()) as u32).collect();
        let counters = [epoch, part as u64];
        shuffle(&mut derive(self.seed, "windows", &counters[..1 + usize::from(part > 0)]), &mut order);
        ((epoch, part), order)
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect("a step gives the network back")
    }

    /// Windows, time-major, and the words after them, which are the last of each.
    fn gather(&self, windows: &[Vec<TokenId>], device: &Device) -> (Tensor<3>, Vec<u32>) {
        let (steps, rows) = (self.settings.window, windows.len());
        let size = self.vocabulary.len() as f32;
        let mut x = vec![0.0f32; steps * rows];
        for (b, window) in windows.iter().enumerate() {
            for (t, token) in window.iter().enumerate().take(steps) {
                x[t * rows + b] = token.0 as f32 / size;
            }
        }
        let targets = windows.iter().map(|window| window[steps].0).collect();
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
        self.to_learn().div_ceil(self.settings.batch) as u64
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        let from = at.step as usize * self.settings.batch;
        let (part, from) = (from / self.part(), from % self.part());
        if self.order.0 != (at.epoch, part) {
            self.order = self.order_of(at.epoch, part);
        }
        let starts = &self.order.1[from..self.order.1.len().min(from + self.settings.batch)];
        let Some(windows) = self.train.windows(starts, self.settings.window + 1) else {
            return StepReport::default();
        };
        let (x, targets) = self.gather(&windows, &Device::flex().autodiff());
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
        let windows = self.valid.count() - self.settings.window;
        let stride = windows.div_ceil(VALIDATION_WINDOWS).max(1);
        let starts: Vec<u32> = (0..windows as u32).step_by(stride).collect();
        let mut total = Evaluation::default();
        for starts in starts.chunks(self.settings.batch.max(100)) {
            let Some(windows) = self.valid.windows(starts, self.settings.window + 1) else {
                return Evaluation::default();
            };
            let (x, targets) = self.gather(&windows, &Device::flex());
            let logits = network.forward(&self.settings, x, None);
            let (_, figures) = cross_entropy(logits, &targets, &vec![1.0; targets.len()]);
            // A word says nothing of lengths.
            total += Evaluation { beside: None, ..Evaluation::of_batch(figures, figures.counted / 2.0) };
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        let words = |words: &Words| [words.pieces.counted(MOST_COUNTED).concat()];
        ngram::baselines(&words(&self.train), &words(&self.valid), self.vocabulary.len())
    }

    fn save(&self) -> ModelFile {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let words: Vec<Vec<u32>> =
            self.kept.iter().map(|window| window.iter().map(|token| token.0).collect()).collect();
        let encoding = serde_json::json!({ "pitch_class_chord": *self.vocabulary, "windows": words });
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

    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        if base.header.encoding["pitch_class_chord"] != serde_json::json!(*self.vocabulary) {
            let what = "the names of notes and chords".to_owned();
            return Err(ModelError::OtherVocabulary { composer: SPEC.id, what });
        }
        self.adopt(base)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(WindowComposer::load(&self.save()).expect("a network's own file fits it"))
    }
}

#[cfg(test)]
mod tests;
