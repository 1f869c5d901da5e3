//! Settings.

use super::network::Size;
use cantus_model::checks::{positive, share, within};
use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Cells in each direction of the LSTM that reads the score.
    pub reader: usize,
    /// Cells of the LSTM that writes what is played; without any the model is linear.
    pub writer: usize,
    /// Notes of a stretch that is learnt from.
    pub window: usize,
    /// Stretches of a batch.
    pub batch: usize,
    /// Dropout after each LSTM.
    pub dropout: f32,
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; 0 is none.
    pub averaging: f64,
    /// Share of the counted frequencies in every probability: other music than that learnt from is full of what was never seen.
    pub counted: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            reader: 64,
            writer: 96,
            window: 192,
            batch: 16,
            dropout: 0.2,
            learning_rate: 0.003,
            weight_decay: 0.02,
            clip: 1.0,
            averaging: 0.99,
            counted: 0.02,
            warmup: 100,
        }
    }
}

impl Settings {
    /// Those of the regression that a network is held against.
    pub(super) fn linear(weight_decay: f64) -> Settings {
        Settings { reader: 0, writer: 0, dropout: 0.0, learning_rate: 0.01, weight_decay, ..Settings::default() }
    }

    /// Out of a list of settings; what is absent has its default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(settings: &serde_json::Value) -> Result<Settings, String> {
        let read: Settings = serde_json::from_value(settings.clone()).map_err(|error| error.to_string())?;
        within("reader", read.reader, 0, 4096)?;
        within("writer", read.writer, 0, 4096)?;
        if (read.reader == 0) != (read.writer == 0) {
            return Err("reader and writer have cells, or neither has".to_owned());
        }
        within("window", read.window, 8, 65_536)?;
        within("batch", read.batch, 1, 4096)?;
        share("dropout", read.dropout)?;
        share("averaging", read.averaging)?;
        share("counted", read.counted)?;
        positive("learning_rate", read.learning_rate)?;
        positive("clip", read.clip)?;
        if !(0.0..=10.0).contains(&read.weight_decay) {
            return Err(format!("weight_decay = {} is outside 0-10", read.weight_decay));
        }
        Ok(read)
    }

    /// The same as a list.
    pub(super) fn write(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn network(&self) -> Size {
        Size { reader: self.reader, writer: self.writer }
    }
}
