//! Dense layers from the drums to all cells of the bass.
//!
//! Source: drum_and_bass, the FCNN notebook: 1,792 inputs, three layers of 2,048 rectifiers, 4,608 sigmoids, mean squared error.
//! Departures: cross-entropy in the place of the squared error, under which silence is best; biases begin with how often each cell begins;
//! dropout.

use super::batch::{Batch, CONDITIONS, HEARD, Noise};
use super::cells;
use super::pattern::{ROWS, Rates};
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};
use cantus_model::Rng;
use cantus_nn::dropout::dropout;
use cantus_nn::linear::Linear;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Fcnn {
    hidden: Vec<Linear>,
    output: Linear,
}

impl Fcnn {
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> Fcnn {
        let input = |k: usize| if k == 0 { ROWS * HEARD + CONDITIONS } else { settings.hidden };
        let hidden = (0..settings.layers).map(|k| Linear::new(input(k), settings.hidden, rng, device)).collect();
        Fcnn { hidden, output: cells::output(settings.hidden, rates, rng, device) }
    }

    /// # Shapes
    /// -> `[B, CELLS]`
    pub(super) fn logits(&self, settings: &Settings, batch: &Batch, noise: Option<Noise>) -> Tensor<2> {
        let device = self.output.weight.device();
        let drums = batch.heard(&device).reshape([batch.size, ROWS * HEARD]);
        let x = Tensor::cat(vec![drums, batch.conditions(&device)], 1);
        let layer = |x: Tensor<2>, (k, layer): (usize, &Linear)| {
            dropout(relu(layer.forward(x)), settings.dropout, Noise::mask(noise, k as u64))
        };
        self.output.forward(self.hidden.iter().enumerate().fold(x, layer))
    }
}
