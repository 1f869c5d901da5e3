//! How loud and how long: an LSTM that reads classes and keys of a step, and says velocity and duration of each key that is struck.
//!
//! Departure: the source's network says velocities alone; there, whatever sounds is released where the next note begins. Here durations
//! are measured against that: the network reads how long it is until then, and says how many times as long a key is held.

use super::pieces::{KeyBatch, TOUCHED, waits, write_touched};
use super::settings::OctaveSettings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::piano_roll::Keys;
use cantus_model::layers::{cell, dense};
use cantus_model::{ModelError, ModelFile, Rng};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_score::Velocity;

/// The longest that a key is held, in steps.
const LONGEST: u64 = 64;
/// The binary logarithm of how many times as long as the wait for the next key at most.
const MOST_TIMES: f32 = 6.0;

/// The softest stroke; what is below is silent on most instruments.
const SOFTEST: u8 = 24;

/// The touch.
#[derive(Module, Debug)]
pub(super) struct Touch {
    pub lstm: Lstm,
    /// Velocities, 0 to 1.
    pub velocity: Linear,
    /// Binary logarithms of durations, in waits for the next key.
    pub duration: Linear,
}

impl Touch {
    pub(super) fn new(settings: &OctaveSettings, rng: &mut Rng, device: &Device) -> Touch {
        let lstm = Lstm::uniform(TOUCHED, settings.touch, rng, device);
        // From an ordinary stroke on, not from silence: training that is short would not come far from where it began.
        let middle = f32::from(Velocity::DEFAULT.get()) / 128.0;
        let mut velocity = Linear::uniform(settings.touch, Keys::COUNT, rng, device);
        velocity.bias = velocity.bias.map(|bias| (bias + middle).detach().require_grad());
        Touch { lstm, velocity, duration: Linear::uniform(settings.touch, Keys::COUNT, rng, device) }
    }

    /// The mean squared error of velocities and the mean absolute error of durations over all keys that are struck, added up. The
    /// median of short and long is one of the two, their mean is neither.
    pub(super) fn loss(&self, batch: &KeyBatch, device: &Device) -> Tensor<1> {
        let rows = batch.steps * batch.rows;
        let x = TensorData::new(batch.now.clone(), [batch.steps, batch.rows, TOUCHED]);
        let (h, _) =
            self.lstm.forward(Tensor::<3>::from_data(x, device), &LstmState::zeros(batch.rows, self.lstm.hidden()));
        let h = h.reshape([rows, self.lstm.hidden()]);
        let table =
            |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [rows, Keys::COUNT]), device);
        let struck = table(&batch.keys);
        let count = batch.keys.iter().sum::<f32>().max(1.0);
        let difference = |found: Tensor<2>, wanted: &[f32]| (found - table(wanted)) * struck.clone();
        let velocity = difference(self.velocity.forward(h.clone()), &batch.velocities);
        let duration = difference(self.duration.forward(h), &batch.durations);
        ((velocity.clone() * velocity).sum() + duration.abs().sum()) / count
    }
}

/// The touch, ready to compose.
#[derive(Clone, Debug)]
pub(super) struct TouchPlayer {
    lstm: LstmCell,
    velocity: Dense,
    duration: Dense,
}

impl TouchPlayer {
    pub(super) fn load(file: &ModelFile, settings: &OctaveSettings) -> Result<TouchPlayer, ModelError> {
        Ok(TouchPlayer {
            lstm: cell(file, "touch.lstm", (TOUCHED, settings.touch), LstmCell::new)?,
            velocity: dense(file, "touch.velocity", (settings.touch, Keys::COUNT), Dense::new)?,
            duration: dense(file, "touch.duration", (settings.touch, Keys::COUNT), Dense::new)?,
        })
    }

    /// Velocity and duration in steps of all keys that are struck, step by step, each in the order of keys.
    pub(super) fn play(&self, frames: &[Keys]) -> Vec<Vec<(Velocity, u64)>> {
        let (mut h, mut c) = (vec![0.0; self.lstm.hidden()], vec![0.0; self.lstm.hidden()]);
        let mut scratch = Scratch::new();
        let (mut velocities, mut durations) = ([0.0; Keys::COUNT], [0.0; Keys::COUNT]);
        let mut played = Vec::with_capacity(frames.len());
        for (frame, wait) in frames.iter().zip(waits(frames, 1)) {
            let mut x = [0.0; TOUCHED];
            write_touched(*frame, wait, &mut x);
            self.lstm.step(&x, &mut h, &mut c, &mut scratch);
            self.velocity.forward(&h, &mut velocities);
            self.duration.forward(&h, &mut durations);
            let one = |key: usize| {
                // Numbers that are none end at the lowest.
                let velocity = ((128.0 * velocities[key]).round().clamp(1.0, 127.0) as u8).max(SOFTEST);
                let times = durations[key].clamp(-MOST_TIMES, MOST_TIMES).exp2();
                let steps = ((wait as f32 * times).round() as u64).clamp(1, LONGEST);
                (Velocity::try_from(velocity).unwrap_or(Velocity::DEFAULT), steps)
            };
            played.push(frame.iter().map(|key| one(key.index())).collect());
        }
        played
    }
}
