//! Settings.

use cantus_model::CheckedSettings;
use cantus_model::checks::{at_most, positive, share, within};
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Whether the place in the bar, the metre and the bars that are left are known.
    pub clock: bool,
    /// Whether a time is decided from the first layer alone, a length from the first two, as in the source; else each from all.
    pub ladder: bool,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Cells of each LSTM layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
    /// Hidden units of each decision.
    pub units: usize,
    /// Dropout after each layer, and on the hidden units.
    pub dropout: f32,
    /// Dropout on the summed embeddings.
    pub input_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Notes of a row that back-propagation sees at once.
    pub window: usize,
    /// Semitones that a piece is moved by at random, up (at most 6) and down (at most 5).
    pub transposition: u8,
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
            clock: true,
            ladder: true,
            embedding: 128,
            hidden: 256,
            layers: 3,
            units: 160,
            dropout: 0.3,
            input_dropout: 0.1,
            batch: 16,
            window: 96,
            transposition: 6,
            learning_rate: 3e-3,
            weight_decay: 0.02,
            clip: 1.0,
            averaging: 0.99,
            precision: Precision::Half,
            warmup: 60,
            patience: 6,
            epochs: 400,
        }
    }
}

impl Settings {
    /// From how many of the layers a decision is made.
    pub(super) fn hears(&self, decision: usize) -> usize {
        if self.ladder && decision < 2 { self.layers.min(decision + 1) } else { self.layers }
    }

    /// Whether a layer reads the note beside what the layer below makes of it.
    pub(super) fn reads_note(&self, layer: usize) -> bool {
        (1..3).contains(&layer)
    }

    /// Numbers that a layer reads.
    pub(super) fn input(&self, layer: usize) -> usize {
        let below = if layer == 0 { self.embedding } else { self.hidden };
        below + if self.reads_note(layer) { self.embedding } else { 0 }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("embedding", self.embedding, 1, 4096)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 16)?;
        within("units", self.units, 1, 8192)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        within("transposition", usize::from(self.transposition), 0, 6)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        at_most("weight_decay", self.weight_decay, 10.0)
    }
}
