//! The settings that composers of tokens share.

use crate::Settings;
use crate::checks::{positive, share, within};
use cantus_nn::precision::Precision;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Settings of the network and of its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
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
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; the average is judged and kept in their place. 0 is none.
    #[serde(skip_serializing_if = "is_none")]
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

impl Default for TokenSettings {
    fn default() -> TokenSettings {
        TokenSettings {
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
            averaging: 0.0,
            precision: Precision::Half,
            warmup: 100,
            patience: 10,
            epochs: 400,
        }
    }
}

/// Models without an average do not speak of it, as before there were any.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_none(averaging: &f64) -> bool {
    *averaging == 0.0
}

/// Tokens from which on a corpus is large: more than such a network learns by heart in a sitting.
pub(super) const MUCH: usize = 500_000;

impl TokenSettings {
    /// These settings and a composer's own, out of one list; each key belongs to one of the two.
    ///
    /// # Errors
    /// What is wrong, beginning with the setting's name.
    pub fn read<S: DeserializeOwned>(settings: &Settings) -> Result<(TokenSettings, S), String> {
        let mut settings = settings.clone();
        // Of an average only those speak that have one, so the defaults do not say that there is such a setting.
        let averaging = settings.as_object_mut().and_then(|list| list.remove("averaging"));
        let (mut shared, own) = crate::settings::divide::<TokenSettings, S>(&settings)?;
        if let Some(averaging) = averaging {
            shared.averaging = serde_json::from_value(averaging).map_err(|error| format!("averaging: {error}"))?;
        }
        shared.check()?;
        Ok((shared, own))
    }

    /// Settles what depends on how many tokens there are to learn from: a large corpus needs less dropout.
    #[must_use]
    pub fn fit(mut self, tokens: usize) -> TokenSettings {
        let (dropout, input_dropout) = if tokens < MUCH { (0.4, 0.2) } else { (0.2, 0.1) };
        self.dropout.get_or_insert(dropout);
        self.input_dropout.get_or_insert(input_dropout);
        self
    }

    /// On the summed embeddings and after each layer.
    pub fn dropouts(&self) -> (f32, f32) {
        (self.input_dropout.unwrap_or_default(), self.dropout.unwrap_or_default())
    }

    /// Whether a network of these settings can be built within reason; file data passes through here, too.
    fn check(&self) -> Result<(), String> {
        within("embedding", self.embedding, 1, 4096)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 16)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        let (input_dropout, dropout) = self.dropouts();
        share("dropout", dropout)?;
        share("input_dropout", input_dropout)?;
        share("averaging", self.averaging as f32)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        positive("weight_decay", self.weight_decay + f64::MIN_POSITIVE)
    }
}
