//! Settings of all networks.

use cantus_model::CheckedSettings;
use cantus_model::checks::{at_most, positive, share, within};
use serde::{Deserialize, Serialize};

/// Which network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    #[default]
    Fcnn,
    Cnn,
    LstmFcnn,
    VaeFcnn,
    VaeLstm,
    Seq2seq,
    Pix2pix,
}

/// All settings; a network reads those that concern it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Which network.
    pub network: Which,
    /// Units of its hidden layers, cells of its LSTM, or channels.
    pub hidden: usize,
    /// Hidden layers.
    pub layers: usize,
    /// Cells of the LSTM that reads the drums.
    pub heard: usize,
    /// Numbers of the latent.
    pub latent: usize,
    /// Samples of the latent by which a pattern's bound is estimated.
    pub samples: usize,
    /// Nats of the latent that cost nothing while learning.
    pub free_nats: f64,
    /// A VAE as published: the encoder sees the drums and no bass, the decoder the latent and no drums, mean and variance lie in 0-1.
    pub source: bool,
    /// Share of the counted rates in the probabilities of cells that begin each by itself: songs differ more than a network believes.
    pub counted: f32,
    /// Whether tempo and program are read.
    pub conditions: bool,
    /// In which share of the patterns each of them is not told while learning.
    pub untold: f32,
    /// Share of the kinds of drums that are not told while learning, of each pattern its own.
    pub muted: f32,
    /// Dropout of hidden layers.
    pub dropout: f32,
    /// Patterns of a batch.
    pub batch: usize,
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; 0 is none.
    pub averaging: f64,
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
            network: Which::Fcnn,
            hidden: 512,
            layers: 3,
            heard: 64,
            latent: 16,
            samples: 100,
            free_nats: 4.0,
            source: false,
            counted: 0.2,
            conditions: false,
            untold: 0.5,
            muted: 0.0,
            dropout: 0.3,
            batch: 64,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            clip: 1.0,
            averaging: 0.99,
            warmup: 50,
            patience: 3,
            epochs: 30,
        }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("hidden", self.hidden, 1, 4096)?;
        within("layers", self.layers, 1, 16)?;
        within("heard", self.heard, 1, 1024)?;
        within("latent", self.latent, 1, 256)?;
        within("samples", self.samples, 1, 10_000)?;
        within("batch", self.batch, 1, 4096)?;
        share("untold", self.untold)?;
        share("muted", self.muted)?;
        share("counted", self.counted)?;
        share("dropout", self.dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        at_most("weight_decay", self.weight_decay, 10.0)?;
        at_most("free_nats", self.free_nats, 1e3)
    }
}
