//! The network in training.

use super::features::{Features, READ};
use super::{SYMBOLS, Settings};
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use cantus_encoding::voices::VOICES;
use cantus_model::Rng;
use cantus_model::learner::unroll;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};

/// How often each symbol stands at the sites of each voice, 0-1.
pub(super) type Frequencies = [[f32; SYMBOLS]; VOICES];

#[derive(Module, Debug)]
pub(super) struct Network {
    /// One for all voices, or one for each.
    trunks: Vec<Trunk>,
    /// One for each voice.
    heads: Vec<Head>,
}

/// Reads a piece in both directions.
#[derive(Module, Debug)]
struct Trunk {
    before: Vec<Lstm>,
    after: Vec<Lstm>,
}

/// Says what may stand at a site.
#[derive(Module, Debug)]
struct Head {
    here: Linear,
    joined: Linear,
    symbol: Linear,
    /// From what is seen of the site's moment straight to its symbols, where motions are told.
    straight: Option<Linear>,
}

/// Windows that are learnt from at once, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// What the forward LSTMs read, `[T, B, READ]`.
    pub before: Vec<f32>,
    /// What the backward LSTMs read, each row from its own last step to its first: `[T, B, READ]`.
    pub after: Vec<f32>,
    /// At which entry of the backward LSTMs' output each entry finds what has been read after it.
    pub backwards: Vec<i64>,
    /// What is seen of each site's moment, voice by voice: `[V, T * B, here]`.
    pub here: Vec<f32>,
    /// `[V, T * B]`
    pub targets: Vec<u32>,
    /// 1 where it counts, 0 for padding: `[V, T * B]`.
    pub weights: Vec<f32>,
}

impl Network {
    /// A network that has learnt nothing but how often each symbol stands somewhere.
    pub(super) fn new(settings: &Settings, frequencies: &Frequencies, rng: &mut Rng, device: &Device) -> Network {
        let Settings { hidden, layers, units, separate, .. } = *settings;
        let input = |layer: usize| if layer == 0 { READ } else { hidden };
        let mut lstms = || (0..layers).map(|layer| Lstm::new(input(layer), hidden, rng, device)).collect();
        let trunks =
            (0..if separate { VOICES } else { 1 }).map(|_| Trunk { before: lstms(), after: lstms() }).collect();
        let here = settings.features().here();
        let head = |frequencies: &[f32; SYMBOLS]| Head {
            here: Linear::new(here, units, rng, device),
            joined: Linear::new(2 * hidden + units, units, rng, device),
            symbol: Linear::with_bias(units, &frequencies.map(f32::ln), rng, device),
            straight: settings.motions.then(|| Linear::new(here, SYMBOLS, rng, device).scaled(0.0, device)),
        };
        Network { trunks, heads: frequencies.iter().map(head).collect() }
    }

    /// The mean nats of a batch's sites. Dropout's masks follow from `seed` and `step`.
    pub(super) fn loss(&self, settings: &Settings, batch: &Batch, (seed, step): (u64, u64)) -> (Tensor<1>, Figures) {
        let Settings { dropout: rate, input_dropout, .. } = *settings;
        let device = Device::flex().autodiff();
        let Batch { rows, steps, .. } = *batch;
        let entries = rows * steps;
        let mut layer = 0;
        let mut key = || {
            layer += 1;
            Some(MaskKey { seed, step, layer })
        };
        let mut read = |values: &[f32]| {
            let values = Tensor::<3>::from_data(TensorData::new(values.to_vec(), [steps, rows, READ]), &device);
            dropout(values, input_dropout, key())
        };
        let (before, after) = (read(&batch.before), read(&batch.after));
        let backwards = TensorData::new(batch.backwards.clone(), [entries]);
        let backwards = Tensor::<1, Int>::from_data(backwards, &before.device());
        let mut run = |lstms: &[Lstm], x: Tensor<3>| {
            let mut states: Vec<LstmState> = lstms.iter().map(|lstm| LstmState::zeros(rows, lstm.hidden())).collect();
            let keys: Vec<Option<MaskKey>> = lstms.iter().map(|_| key()).collect();
            unroll(lstms, &mut states, x, rate, |layer| keys[layer - 1]).reshape([entries, settings.hidden])
        };
        let mut around = |trunk: &Trunk| {
            let before = run(&trunk.before, before.clone());
            Tensor::cat(vec![before, run(&trunk.after, after.clone()).select(0, backwards.clone())], 1)
        };
        let around: Vec<Tensor<2>> = self.trunks.iter().map(&mut around).collect();
        let width = settings.features().here();
        let mut logits = |(voice, head): (usize, &Head)| {
            let here = batch.here[voice * entries * width..][..entries * width].to_vec();
            let here = Tensor::<2>::from_data(TensorData::new(here, [entries, width]), &device);
            let straight = head.straight.as_ref().map(|straight| straight.forward(here.clone()));
            let here = dropout(relu(head.here.forward(here)), rate, key());
            let joined = Tensor::cat(vec![around[voice % around.len()].clone(), here], 1);
            let symbols = head.symbol.forward(dropout(relu(head.joined.forward(joined)), rate, key()));
            straight.map_or(symbols.clone(), |straight| symbols + straight)
        };
        let logits = Tensor::cat(self.heads.iter().enumerate().map(&mut logits).collect(), 0);
        cross_entropy(logits, &batch.targets, &batch.weights)
    }
}

impl Settings {
    pub(super) fn features(&self) -> Features {
        Features { beside: self.beside, beats: self.beats, motions: self.motions }
    }
}
