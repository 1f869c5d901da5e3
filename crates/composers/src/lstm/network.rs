//! The default network: summed embeddings, two fused LSTM layers, a dense layer over the vocabulary.

use super::batches::Batch;
use super::{Family, bad_settings};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::note_chord::{REMAINING_BUCKETS, Vocabulary};
use cantus_model::checks::{positive, share, within};
use cantus_model::learner::{Recurrent, unroll};
use cantus_model::{CreateError, Rng, Settings};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// Settings of the default network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChordSettings {
    pub network: Family,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Cells of each LSTM layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
    /// Dropout after each LSTM layer; unless it is given, as much as [`fit`](Self::fit) finds right.
    pub dropout: Option<f32>,
    /// Dropout on the summed embeddings; likewise.
    pub input_dropout: Option<f32>,
    /// Rows of a batch.
    pub batch: usize,
    /// Tokens of a row that back-propagation sees at once.
    pub window: usize,
    /// Semitones that a piece is moved by at random, up (at most 6) and down (at most 5).
    pub transposition: u8,
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// Of the LSTM layers' products while learning.
    pub precision: Precision,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    pub patience: u32,
    /// Epochs where nothing else bounds the training.
    pub epochs: u32,
}

impl Default for ChordSettings {
    fn default() -> ChordSettings {
        ChordSettings {
            network: Family::Chords,
            embedding: 128,
            hidden: 256,
            layers: 2,
            dropout: None,
            input_dropout: None,
            batch: 16,
            window: 64,
            transposition: 6,
            learning_rate: 2e-3,
            weight_decay: 0.01,
            clip: 1.0,
            precision: Precision::Half,
            warmup: 100,
            patience: 10,
            epochs: 400,
        }
    }
}

/// Tokens from which on a corpus is large: more than such a network learns by heart in a sitting.
const MUCH: usize = 500_000;

impl ChordSettings {
    /// Settles what depends on how many tokens there are to learn from: a large corpus needs less dropout.
    pub(super) fn fit(mut self, tokens: usize) -> ChordSettings {
        let (dropout, input_dropout) = if tokens < MUCH { (0.4, 0.2) } else { (0.2, 0.1) };
        self.dropout.get_or_insert(dropout);
        self.input_dropout.get_or_insert(input_dropout);
        self
    }

    /// On the summed embeddings and after each layer.
    pub(super) fn dropouts(&self) -> (f32, f32) {
        (self.input_dropout.unwrap_or_default(), self.dropout.unwrap_or_default())
    }

    pub(super) fn read(settings: &Settings) -> Result<ChordSettings, CreateError> {
        let settings: ChordSettings = serde_json::from_value(settings.clone()).map_err(bad_settings)?;
        settings.check().map_err(bad_settings)?;
        Ok(settings)
    }

    /// Whether a network of these settings can be built within reason; file data passes through here, too.
    pub(super) fn check(&self) -> Result<(), String> {
        within("embedding", self.embedding, 1, 4096)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 16)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        let (input_dropout, dropout) = self.dropouts();
        share("dropout", dropout)?;
        share("input_dropout", input_dropout)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        positive("weight_decay", self.weight_decay + f64::MIN_POSITIVE)
    }
}

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    pub token: Embedding,
    /// Position, metre, duration, phase, bars left: added to the token's.
    pub contexts: Vec<Embedding>,
    pub lstms: Vec<Lstm>,
    pub output: Linear,
}

/// Sizes of the five context embeddings.
pub(super) fn context_sizes(vocabulary: &Vocabulary) -> [usize; 5] {
    let positions = usize::from(vocabulary.positions()) + 1;
    [positions, vocabulary.bars().len(), vocabulary.durations().len() + 1, 4, REMAINING_BUCKETS]
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl Network {
    pub(super) fn new(settings: &ChordSettings, vocabulary: &Vocabulary, rng: &mut Rng, device: &Device) -> Network {
        let ChordSettings { embedding, hidden, layers, .. } = *settings;
        // Wide enough to move the gates from the first step on: with 1 / sqrt(width) the first epochs pass without learning.
        let token = Embedding::with_deviation(vocabulary.len(), embedding, 0.5, rng, device);
        let context = |size| Embedding::with_deviation(size, embedding, 0.25, rng, device);
        let contexts = context_sizes(vocabulary).map(context).into_iter().collect();
        let lstms = (0..layers)
            .map(|layer| Lstm::new(if layer == 0 { embedding } else { hidden }, hidden, rng, device))
            .map(|lstm| lstm.with_precision(settings.precision))
            .collect();
        Network { token, contexts, lstms, output: Linear::new(hidden, vocabulary.len(), rng, device) }
    }

    /// Logits of a batch; the states move on.
    ///
    /// # Shapes
    /// `[T * B, V]`
    pub(super) fn forward(
        &self,
        batch: &Batch,
        states: &mut [LstmState],
        dropouts: (f32, f32),
        masks: Option<Masks>,
    ) -> Tensor<2> {
        let key = |layer: usize| masks.map(|Masks { seed, step }| MaskKey { seed, step, layer: layer as u64 });
        let embedded = self
            .contexts
            .iter()
            .zip(&batch.contexts)
            .fold(self.token.forward(&batch.tokens), |sum, (table, indices)| sum + table.forward(indices));
        let width = self.token.width();
        let x = dropout(embedded, dropouts.0, key(0)).reshape([batch.steps, batch.rows, width]);
        let x = unroll(&self.lstms, states, x, dropouts.1, key);
        let [steps, rows, hidden] = x.dims();
        self.output.forward(x.reshape([steps * rows, hidden]))
    }
}

#[cfg(test)]
mod tests;
