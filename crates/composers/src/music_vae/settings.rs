//! Settings.

use cantus_model::CheckedSettings;
use cantus_model::Kind;
use cantus_model::checks::{at_most, positive, share, within};
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Numbers of a code; without any it is the decoder alone.
    pub code: usize,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Cells of the decoder's layers.
    pub hidden: usize,
    /// Layers of the decoder.
    pub layers: usize,
    /// Cells of the encoder's layer, in each direction.
    pub heard: usize,
    /// Numbers that a code gives to each eighth note that it stands for.
    pub laid: usize,
    /// What a nat of the code costs while learning, and in the figures by which a checkpoint is chosen.
    pub beta: f64,
    /// Nats of each number of the code that cost nothing while learning.
    pub free_nats: f64,
    /// Dropout after each layer of the decoder.
    pub dropout: f32,
    /// Dropout on the decoder's embeddings.
    pub input_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Sections of a row that back-propagation sees at once.
    pub window: usize,
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; 0 is none.
    pub averaging: f64,
    /// Of the LSTM layers' products while learning.
    pub precision: Precision,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    pub patience: u32,
    /// Epochs where nothing else bounds the training.
    pub epochs: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            code: 64,
            embedding: 64,
            hidden: 256,
            layers: 1,
            heard: 128,
            laid: 32,
            beta: 0.2,
            free_nats: 0.0,
            dropout: 0.2,
            input_dropout: 0.2,
            batch: 24,
            window: 4,
            learning_rate: 3e-3,
            weight_decay: 0.01,
            clip: 1.0,
            averaging: 0.0,
            precision: Precision::Half,
            warmup: 100,
            patience: 4,
            epochs: 60,
        }
    }
}

impl Settings {
    /// What kind of figure that is.
    pub(super) fn kind(&self) -> Kind {
        match self.code {
            0 => Kind::Exact,
            _ if self.beta == 1.0 => Kind::LowerBound,
            _ => Kind::Surrogate,
        }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("code", self.code, 0, 1024)?;
        within("embedding", self.embedding, 1, 4096)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 8)?;
        within("heard", self.heard, 1, 8192)?;
        within("laid", self.laid, 1, 1024)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 1, 1024)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        at_most("weight_decay", self.weight_decay, 10.0)?;
        at_most("free_nats", self.free_nats, 1e3)?;
        at_most("beta", self.beta, 1e3)
    }
}
