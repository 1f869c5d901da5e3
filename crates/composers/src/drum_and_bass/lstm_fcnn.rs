//! An LSTM reads the drums, dense layers write all cells at once; tempo and program are told.
//!
//! Source: drum_and_bass, the LSTM-FCNN notebook: LSTM 14 -> 6, one number a step; with tempo and program to 4, to 48; with both again to 512
//! and to 2,304; sigmoids everywhere, mean squared error.
//! Departures: rectifiers and cross-entropy, as sigmoids on sigmoids hardly learn; several numbers a row in the place of one, and no
//! bottleneck of four; tempo and program as numbers of 0-1, each unknown half of the time.

use super::batch::{Batch, CONDITIONS, HEARD, Noise};
use super::cells;
use super::pattern::{ROWS, Rates};
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};
use cantus_model::Rng;
use cantus_nn::dropout::dropout;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};

/// Numbers that are kept of a row.
const KEPT: usize = 8;

/// The LSTM's part, which VAEs share: `KEPT` numbers of each row.
#[derive(Module, Debug)]
pub(super) struct Listener {
    lstm: Lstm,
    kept: Linear,
}

impl Listener {
    /// Numbers that it gives.
    pub(super) const WIDTH: usize = ROWS * KEPT;

    pub(super) fn new(input: usize, cells: usize, rng: &mut Rng, device: &Device) -> Listener {
        Listener { lstm: Lstm::new(input, cells, rng, device), kept: Linear::new(cells, KEPT, rng, device) }
    }

    /// # Shapes
    /// `x`: `[B, ROWS, I]` -> `[B, WIDTH]`
    pub(super) fn forward(&self, x: Tensor<3>, rate: f32, noise: Option<Noise>) -> Tensor<2> {
        let [size, _, _] = x.dims();
        let (x, _) = self.lstm.forward(x.swap_dims(0, 1), &LstmState::zeros(size, self.lstm.hidden()));
        let x = dropout(x, rate, Noise::mask(noise, 100));
        self.kept.forward(x).swap_dims(0, 1).reshape([size, Listener::WIDTH])
    }
}

/// The network.
#[derive(Module, Debug)]
pub(super) struct LstmFcnn {
    listener: Listener,
    hidden: Vec<Linear>,
    output: Linear,
}

impl LstmFcnn {
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> LstmFcnn {
        let input = |k: usize| CONDITIONS + if k == 0 { Listener::WIDTH } else { settings.hidden };
        LstmFcnn {
            listener: Listener::new(HEARD, settings.heard, rng, device),
            hidden: (0..settings.layers).map(|k| Linear::new(input(k), settings.hidden, rng, device)).collect(),
            output: cells::output(settings.hidden, rates, rng, device),
        }
    }

    /// # Shapes
    /// -> `[B, CELLS]`
    pub(super) fn logits(&self, settings: &Settings, batch: &Batch, noise: Option<Noise>) -> Tensor<2> {
        let device = self.output.weight.device();
        let told = batch.conditions(&device);
        let x = self.listener.forward(batch.heard(&device), settings.dropout, noise);
        let layer = |x: Tensor<2>, (k, layer): (usize, &Linear)| {
            let x = relu(layer.forward(Tensor::cat(vec![x, told.clone()], 1)));
            dropout(x, settings.dropout, Noise::mask(noise, k as u64))
        };
        self.output.forward(self.hidden.iter().enumerate().fold(x, layer))
    }
}
