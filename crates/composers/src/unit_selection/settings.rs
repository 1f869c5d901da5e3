//! Settings.

use cantus_model::CheckedSettings;
use cantus_model::checks::{at_most, positive, share, within};
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Bars of a unit.
    pub bars: usize,
    /// Width of the autoencoder's hidden layer.
    pub coder: usize,
    /// Numbers of a unit's point.
    pub embedding: usize,
    /// Cells of the LSTM.
    pub hidden: usize,
    /// Units drawn beside those of the batch, of which the right one has to be found.
    pub candidates: usize,
    /// How much it counts that a unit's bag comes back out of its point.
    pub reconstruction: f64,
    /// Dropout after the LSTM.
    pub dropout: f32,
    /// Dropout on bags and on what the LSTM reads.
    pub input_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Units of a row that are learnt from at once.
    pub window: usize,
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; 0 is none.
    pub averaging: f64,
    /// Of the LSTM's products while learning.
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
            bars: 2,
            coder: 256,
            embedding: 96,
            hidden: 192,
            candidates: 256,
            reconstruction: 1.0,
            dropout: 0.3,
            input_dropout: 0.2,
            batch: 24,
            window: 32,
            learning_rate: 3e-3,
            weight_decay: 0.02,
            clip: 1.0,
            averaging: 0.99,
            precision: Precision::Half,
            warmup: 40,
            patience: 6,
            epochs: 120,
        }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("bars", self.bars, 1, 8)?;
        within("coder", self.coder, 1, 8192)?;
        within("embedding", self.embedding, 1, 4096)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("candidates", self.candidates, 1, 65_536)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 1, 1024)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        at_most("reconstruction", self.reconstruction, 1000.0)?;
        at_most("weight_decay", self.weight_decay, 10.0)
    }
}
