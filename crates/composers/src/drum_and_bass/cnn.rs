//! Convolutions over the rows of the drums, each further apart than the one before: what is heard around a row says what begins there.
//!
//! Source: drum_and_bass names convolutions among its plans; dilated layers as in A. van den Oord et al., WaveNet, 2016,
//! arXiv:1609.03499v2, residual as in K. He et al., 2015, arXiv:1512.03385v1.
//! Departures: rows come after one another in a circle, as two bars do that are played again; each row gives the log-odds of its two steps,
//! on top of how often each cell begins.

use super::batch::{Batch, CONDITIONS, HEARD, Noise};
use super::cells::{FIRST, log_odds};
use super::pattern::{CELLS, COLUMNS, ROWS, Rates, STEPS};
use super::settings::Settings;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use cantus_model::Rng;
use cantus_nn::dropout::dropout;
use cantus_nn::linear::Linear;

/// How far apart the rows are that a layer reads; from the last on it begins anew.
const DILATIONS: [usize; 5] = [1, 2, 4, 8, 16];

/// The network.
#[derive(Module, Debug)]
pub(super) struct Cnn {
    input: Linear,
    /// Of each row: `[ROWS, C]`
    place: Param<Tensor<2>>,
    conditions: Linear,
    convolutions: Vec<Linear>,
    /// The log-odds of a row's steps.
    output: Linear,
    /// Of each cell: `[CELLS]`
    cells: Param<Tensor<1>>,
}

impl Cnn {
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> Cnn {
        let width = settings.hidden;
        let cells: Vec<f32> = rates.cells.iter().map(|p| log_odds(*p)).collect();
        Cnn {
            input: Linear::new(HEARD, width, rng, device),
            place: Param::from_data(TensorData::zeros::<f32, _>([ROWS, width]), device),
            conditions: Linear::new(CONDITIONS, width, rng, device),
            convolutions: (0..settings.layers).map(|_| Linear::new(3 * width, width, rng, device)).collect(),
            output: Linear::new(width, STEPS / ROWS * COLUMNS, rng, device).scaled(FIRST, device),
            cells: Param::from_data(TensorData::new(cells, [CELLS]), device),
        }
    }

    /// # Shapes
    /// -> `[B, CELLS]`
    pub(super) fn logits(&self, settings: &Settings, batch: &Batch, noise: Option<Noise>) -> Tensor<2> {
        let device = self.cells.device();
        let told = self.conditions.forward(batch.conditions(&device)).unsqueeze_dim::<3>(1);
        let x = self.input.forward(batch.heard(&device)) + self.place.val().unsqueeze::<3>() + told;
        let x = dropout(relu(x), settings.dropout, Noise::mask(noise, 0));
        let layer = |x: Tensor<3>, (k, convolution): (usize, &Linear)| {
            let apart = DILATIONS[k % DILATIONS.len()];
            let around = Tensor::cat(vec![turned(&x, apart), x.clone(), turned(&x, ROWS - apart)], 2);
            x + dropout(relu(convolution.forward(around)), settings.dropout, Noise::mask(noise, 1 + k as u64))
        };
        let x = self.convolutions.iter().enumerate().fold(x, layer);
        self.output.forward(x).reshape([batch.size, CELLS]) + self.cells.val().unsqueeze::<2>()
    }
}

/// The rows moved on by so many, in a circle.
///
/// # Shapes
/// `x`: `[B, ROWS, C]` -> the same
fn turned(x: &Tensor<3>, by: usize) -> Tensor<3> {
    let [b, rows, c] = x.dims();
    let (end, begin) = (x.clone().slice([0..b, rows - by..rows, 0..c]), x.clone().slice([0..b, 0..rows - by, 0..c]));
    Tensor::cat(vec![end, begin], 1)
}
