//! Settings of the sources' networks.

use super::Family;
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// Of Keras' batch normalisation.
pub(super) const KERAS_EPS: f64 = 1e-3;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OptimizerChoice {
    Adam,
    RmsProp,
}

/// Settings of both networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowSettings {
    pub network: Family,
    /// Cells of each LSTM layer.
    pub layers: Vec<usize>,
    pub dropout: f32,
    pub batch_norm: bool,
    /// Width of the dense layer before the last.
    pub dense: usize,
    pub relu: bool,
    pub optimizer: OptimizerChoice,
    pub batch: usize,
    #[serde(default = "hundred")]
    pub window: usize,
    pub epochs: u32,
    #[serde(default = "thousandth")]
    pub learning_rate: f64,
    /// Of the LSTM layers' products while learning.
    #[serde(default = "half")]
    pub precision: Precision,
}

fn hundred() -> usize {
    100
}

fn thousandth() -> f64 {
    1e-3
}

fn half() -> Precision {
    Precision::Half
}

impl WindowSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        let sizes = [self.dense, self.batch, self.window];
        let sensible = |size: &usize| (1..=8192).contains(size);
        if self.layers.is_empty() || self.layers.len() > 16 || !self.layers.iter().chain(&sizes).all(sensible) {
            return Err("layers, dense, batch and window must be numbers from 1 to 8192".to_owned());
        }
        let rate = self.learning_rate > 0.0 && self.learning_rate.is_finite();
        if !(0.0..1.0).contains(&self.dropout) || !rate {
            return Err("dropout must be 0-1 (1 excluded) and the learning rate positive".to_owned());
        }
        Ok(())
    }
}
