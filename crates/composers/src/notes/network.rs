//! The network: an LSTM over notes, and the head that makes the choices of the next one.

use super::SPEC;
use super::layout::Layout;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_model::checks::{positive, share, within};
use cantus_model::learner::{Recurrent, unroll};
use cantus_model::{CreateError, Rng, Settings};
use cantus_nn::cascade::{CascadeHead, CascadeShape};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::precision::Precision;
use serde::{Deserialize, Serialize};

/// Settings of the composer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NoteSettings {
    /// Cells of each LSTM layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
    /// Hidden units of each choice.
    pub units: usize,
    /// Channels of the part that treats keys alike, a multiple of 16; 0 leaves it out.
    pub channels: usize,
    /// Semitones that it looks up and down.
    pub reach: usize,
    /// Whether earlier places of the piece are copied from.
    pub copying: bool,
    /// Whether loudness is read and written.
    pub loudness: bool,
    /// Dropout of what the LSTM reads, after each layer, of the head's units, and of what its shared part hears.
    pub input_dropout: f32,
    pub dropout: f32,
    pub units_dropout: f32,
    pub heard_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Notes of a row that back-propagation sees at once.
    pub window: usize,
    /// Semitones that a piece is moved by at random, up (at most 6) and down (at most 5).
    pub transposition: u8,
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of itself the average of the parameters keeps at each step; 0: models hold the parameters.
    pub averaging: f64,
    /// Of the LSTM layers' products while learning.
    pub precision: Precision,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    pub patience: u32,
    /// Epochs where nothing else bounds the training.
    pub epochs: u32,
    /// Rounds in which a critic learns, once the network has, to tell its pieces from the corpus's; 0 for none.
    pub critic: usize,
    /// The styles that are told apart: those of the corpus, whatever is set here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<String>,
}

impl Default for NoteSettings {
    fn default() -> NoteSettings {
        NoteSettings {
            hidden: 256,
            layers: 1,
            units: 160,
            channels: 32,
            reach: 24,
            copying: true,
            loudness: true,
            input_dropout: 0.1,
            dropout: 0.3,
            units_dropout: 0.2,
            heard_dropout: 0.1,
            batch: 8,
            window: 96,
            transposition: 6,
            learning_rate: 3e-3,
            weight_decay: 0.02,
            clip: 1.0,
            averaging: 0.99,
            precision: Precision::Half,
            warmup: 60,
            patience: 4,
            epochs: 200,
            critic: 36,
            styles: Vec::new(),
        }
    }
}

impl NoteSettings {
    pub fn read(settings: &Settings) -> Result<NoteSettings, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings: NoteSettings = serde_json::from_value(settings.clone()).map_err(|e| bad(e.to_string()))?;
        settings.check().map_err(bad)?;
        Ok(settings)
    }

    /// Whether a network of these settings can be built within reason; file data passes through here, too.
    pub fn check(&self) -> Result<(), String> {
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 16)?;
        within("units", self.units, 1, 4096)?;
        within("channels", self.channels, 0, 256)?;
        within("reach", self.reach, 0, 127)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        within("critic", self.critic, 0, 1000)?;
        if !self.channels.is_multiple_of(16) {
            return Err(format!("channels = {} is no multiple of 16", self.channels));
        }
        share("input_dropout", self.input_dropout)?;
        share("dropout", self.dropout)?;
        share("units_dropout", self.units_dropout)?;
        share("heard_dropout", self.heard_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        positive("weight_decay", self.weight_decay + f64::MIN_POSITIVE)
    }

    /// The head's shape.
    pub fn shape(&self, layout: &Layout) -> CascadeShape {
        layout.shape(self.hidden, self.units, self.channels, self.reach, self.copying)
    }
}

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    pub lstms: Vec<Lstm>,
    pub head: CascadeHead,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl Network {
    /// A network that has learnt nothing but how often each class of each choice comes.
    pub fn new(
        settings: &NoteSettings,
        layout: &Layout,
        frequencies: &[Vec<f32>],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let input = layout.inputs();
        let lstms = (0..settings.layers)
            .map(|layer| Lstm::new(if layer == 0 { input } else { settings.hidden }, settings.hidden, rng, device))
            .map(|lstm| lstm.with_precision(settings.precision))
            .collect();
        let shape = settings.shape(layout);
        let scores = if settings.copying { layout.first_scores() } else { Vec::new() };
        Network { lstms, head: CascadeHead::new(shape, frequencies, &scores, rng, device) }
    }

    /// What the LSTM makes of a batch, with dropout of this step where one is named; the states move on.
    ///
    /// # Shapes
    /// `x`: `[T * B, I]` values -> `[T * B, H]`
    pub fn features(
        &self,
        x: Vec<f32>,
        [steps, rows]: [usize; 2],
        states: &mut [LstmState],
        settings: &NoteSettings,
        mask: impl Fn(u64) -> Option<MaskKey>,
    ) -> Tensor<2> {
        let device = self.lstms[0].w_ih.val().device();
        let width = x.len() / (steps * rows).max(1);
        let x = Tensor::<2>::from_data(TensorData::new(x, [steps * rows, width]), &device);
        let x = dropout(x, settings.input_dropout, mask(0)).reshape([steps, rows, width]);
        let y = unroll(&self.lstms, states, x, settings.dropout, |layer| mask(layer as u64));
        let [steps, rows, hidden] = y.dims();
        y.reshape([steps * rows, hidden])
    }
}
