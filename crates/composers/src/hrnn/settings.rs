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
    /// Cells of the layer for bars; 0 leaves it out.
    pub bar: usize,
    /// Cells of the layer for beats; 0 leaves it out.
    pub beat: usize,
    /// Cells of the layer for steps.
    pub hidden: usize,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Whether earlier bars are read at each step.
    pub lookback: bool,
    /// Classes of a bar's rhythm that are decided before it; 0 for none.
    pub bar_profiles: usize,
    /// Classes of a beat's rhythm that are decided before it; 0 for none.
    pub beat_profiles: usize,
    /// Dropout after each layer.
    pub dropout: f32,
    /// Dropout on the embeddings.
    pub input_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Bars of a row that are learnt from at once.
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
            bar: 128,
            beat: 128,
            hidden: 192,
            embedding: 64,
            lookback: true,
            bar_profiles: 0,
            beat_profiles: 0,
            dropout: 0.3,
            input_dropout: 0.1,
            batch: 16,
            window: 32,
            learning_rate: 3e-3,
            weight_decay: 0.01,
            clip: 1.0,
            averaging: 0.99,
            precision: Precision::Half,
            warmup: 60,
            patience: 5,
            epochs: 200,
        }
    }
}

impl Settings {
    /// What kind of figure its nats are: with profiles those of one way to say the notes, where there may be others.
    pub(super) fn kind(&self) -> Kind {
        if self.bar_profiles + self.beat_profiles == 0 { Kind::Exact } else { Kind::LowerBound }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("bar", self.bar, 0, 8192)?;
        within("beat", self.beat, 0, 8192)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("embedding", self.embedding, 1, 4096)?;
        within("bar_profiles", self.bar_profiles, 0, 1024)?;
        within("beat_profiles", self.beat_profiles, 0, 1024)?;
        if (self.bar_profiles > 0 && self.bar == 0) || (self.beat_profiles > 0 && self.beat == 0) {
            return Err("bar_profiles and beat_profiles are decided by the layers bar and beat, which are 0".to_owned());
        }
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 1, 1024)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        at_most("weight_decay", self.weight_decay, 10.0)
    }
}
