//! The settings of a training by a critic.

use crate::Settings;
use crate::checks::{at_most, positive, share, within};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How generator and critic learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Phrases of a batch.
    pub batch: usize,
    /// Steps of the generator that are called an epoch.
    pub epoch_steps: usize,
    /// Steps of the critic to each of the generator's.
    pub critic_steps: usize,
    /// The generator's learning rate at its height.
    pub learning_rate: f64,
    /// The critic's, as a multiple of it.
    pub critic_rate: f64,
    /// Adam's memory of gradients and of their squares.
    pub beta1: f32,
    /// See `beta1`.
    pub beta2: f32,
    /// How much of the running average of the generator's parameters stays at each step; the average is judged, and draws. 0 is none.
    pub averaging: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    pub patience: u32,
    /// Epochs where nothing else bounds the training.
    pub epochs: u32,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            batch: 32,
            epoch_steps: 50,
            critic_steps: 5,
            learning_rate: 1e-3,
            critic_rate: 1.0,
            beta1: 0.5,
            beta2: 0.9,
            averaging: 0.99,
            warmup: 20,
            patience: 20,
            epochs: 40,
        }
    }
}

impl Rules {
    /// These and a composer's own, out of one list; each key belongs to one of the two.
    ///
    /// # Errors
    /// What is wrong, beginning with the setting's name.
    pub fn read<Own: DeserializeOwned>(settings: &Settings) -> Result<(Rules, Own), String> {
        let (rules, own) = crate::settings::divide::<Rules, Own>(settings)?;
        rules.check()?;
        Ok((rules, own))
    }

    fn check(&self) -> Result<(), String> {
        within("batch", self.batch, 2, 4096)?;
        within("epoch_steps", self.epoch_steps, 1, 1_000_000)?;
        within("critic_steps", self.critic_steps, 1, 100)?;
        positive("learning_rate", self.learning_rate)?;
        positive("critic_rate", self.critic_rate)?;
        share("beta1", self.beta1)?;
        share("beta2", self.beta2)?;
        share("averaging", self.averaging)?;
        at_most("epochs", f64::from(self.epochs), 1e9)?;
        if self.epochs == 0 { Err("epochs = 0 leaves nothing to learn".to_owned()) } else { Ok(()) }
    }
}
