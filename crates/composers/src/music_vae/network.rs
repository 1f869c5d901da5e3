//! The network: two LSTMs hear a section, a Gaussian is its code, another LSTM writes it.

use super::settings::Settings;
use super::tune::{Batch, HEARD, Heard, PLACES, SLOTS};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_encoding::melody_steps::OUTCOMES;
use cantus_model::Rng;
use cantus_model::learner::{Recurrent, unroll};
use cantus_model::melodies::READ;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::{Embedding, rows};
use cantus_nn::gaussian::{Gaussian, beyond};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::params::values_of;
use cantus_nn::random::{derive, normal};

/// The logarithm of the variances before anything is learnt: a code begins surer than the standard Gaussian, so that the decoder hears
/// something in it from the first step on.
const FIRST: f32 = -2.0;
/// How small the weights are that move it: as in the source.
const FIRST_WEIGHTS: f32 = 0.001;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    encoder: Option<Encoder>,
    outcome: Embedding,
    places: Vec<Embedding>,
    sounding: Embedding,
    lstms: Vec<Lstm>,
    output: Linear,
}

/// What makes a code of a section, and lays it out again.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    outcome: Embedding,
    places: Vec<Embedding>,
    ahead: Lstm,
    back: Lstm,
    slot: Linear,
    mean: Linear,
    log_variance: Linear,
    wide: Linear,
    laid: Linear,
}

/// Where noise and masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    /// The run's seed.
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Of the reconstruction.
    pub figures: Figures,
    /// Nats of all codes.
    pub divergence: f64,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

/// So wide a layer lays a code out.
pub(super) fn wide(settings: &Settings) -> usize {
    4 * settings.code
}

/// Numbers that the decoder reads at a step, those of the code included.
pub(super) fn read(settings: &Settings) -> usize {
    settings.embedding + told(settings) + settings.code
}

/// Numbers that a code gives to a step, beside itself.
pub(super) fn told(settings: &Settings) -> usize {
    if settings.code == 0 { 0 } else { settings.laid }
}

impl Network {
    pub(super) fn new(settings: &Settings, rng: &mut Rng, device: &Device) -> Network {
        let Settings { embedding, hidden, layers, heard, laid, code, precision, .. } = *settings;
        let table = |size, s, rng: &mut Rng| Embedding::with_deviation(size, embedding, s, rng, device);
        let encoder = (code > 0).then(|| Encoder {
            outcome: table(OUTCOMES, 0.5, rng),
            places: PLACES[..HEARD].iter().map(|size| table(*size, 0.25, rng)).collect(),
            ahead: Lstm::new(embedding, heard, rng, device).with_precision(precision),
            back: Lstm::new(embedding, heard, rng, device).with_precision(precision),
            slot: Linear::new(2 * heard, laid, rng, device),
            mean: Linear::new(SLOTS * laid, code, rng, device),
            log_variance: Linear::with_bias(SLOTS * laid, &vec![FIRST; code], rng, device)
                .scaled(FIRST_WEIGHTS, device),
            wide: Linear::new(code, wide(settings), rng, device),
            laid: Linear::new(wide(settings), SLOTS * laid, rng, device),
        });
        Network {
            encoder,
            outcome: table(READ, 0.5, rng),
            places: PLACES.iter().map(|size| table(*size, 0.25, rng)).collect(),
            sounding: table(OUTCOMES, 0.25, rng),
            lstms: (0..layers)
                .map(|layer| Lstm::new(if layer == 0 { read(settings) } else { hidden }, hidden, rng, device))
                .map(|lstm| lstm.with_precision(precision))
                .collect(),
            output: Linear::new(hidden + told(settings), OUTCOMES, rng, device),
        }
    }

    /// The loss of a batch: nats a step, the code's at their price.
    pub(super) fn loss(
        &self,
        settings: &Settings,
        batch: &Batch,
        states: &mut [LstmState],
        noise: Noise,
    ) -> (Tensor<1>, Found) {
        let posterior = self.encoder.as_ref().map(|encoder| encoder.hear(&batch.heard));
        let code = posterior.as_ref().map(|posterior| {
            let rng = &mut derive(noise.seed, "code", &[noise.step]);
            posterior.sample((0..batch.heard.len() * settings.code).map(|_| normal(rng)).collect())
        });
        let logits = self.decode(settings, batch, code, states, Some(noise));
        let (loss, figures) = cross_entropy(logits, &batch.targets, &batch.weights);
        let Some(posterior) = posterior else { return (loss, Found { figures, divergence: 0.0 }) };
        let divergence = posterior.divergence();
        let all: f64 = values_of(divergence.clone().sum()).iter().map(|nats| f64::from(*nats)).sum();
        let price = settings.beta * batch.heard.len() as f64 / figures.counted.max(1.0);
        (loss + beyond(divergence, settings.free_nats) * price, Found { figures, divergence: all })
    }

    /// Logits of each step, given the codes of the sections; the states move on.
    ///
    /// # Shapes
    /// `code`: `[sections, C]` -> `[T * B, 90]`
    pub(super) fn decode(
        &self,
        settings: &Settings,
        batch: &Batch,
        code: Option<Tensor<2>>,
        states: &mut [LstmState],
        noise: Option<Noise>,
    ) -> Tensor<2> {
        let key = |layer: usize| noise.map(|Noise { seed, step }| MaskKey { seed, step, layer: layer as u64 });
        let tables = self.places.iter().zip(&batch.places);
        let embedded = tables
            .fold(self.outcome.forward(&batch.before), |sum, (table, indices)| sum + table.forward(indices))
            + self.sounding.forward(&batch.sounding);
        let embedded = dropout(embedded, settings.input_dropout, key(0));
        let laid = self.encoder.as_ref().zip(code).map(|(encoder, code)| {
            let laid = rows(encoder.lay(code.clone()), &batch.slot);
            (laid, rows(code, &batch.section))
        });
        let x = match &laid {
            Some((laid, code)) => Tensor::cat(vec![embedded, laid.clone(), code.clone()], 1),
            None => embedded,
        };
        let x = x.reshape([batch.steps, batch.rows, read(settings)]);
        let y = unroll(&self.lstms, states, x, settings.dropout, key);
        let y = y.reshape([batch.steps * batch.rows, settings.hidden]);
        self.output.forward(match laid {
            Some((laid, _)) => Tensor::cat(vec![y, laid], 1),
            None => y,
        })
    }
}

impl Encoder {
    /// The codes of sections.
    ///
    /// # Shapes
    /// both `[sections, C]`
    fn hear(&self, heard: &[Heard]) -> Gaussian {
        let (count, steps) = (heard.len(), heard.iter().map(|section| section.steps.len()).max().unwrap_or(0));
        let device = self.slot.weight.device();
        // Of shorter sections the rest is never looked at.
        let read = |lstm: &Lstm, backward: bool| {
            let (mut outcomes, mut places) = (vec![0; steps * count], [(); HEARD].map(|()| vec![0; steps * count]));
            for (n, section) in heard.iter().enumerate() {
                let length = section.steps.len();
                for t in 0..length {
                    let from = if backward { length - 1 - t } else { t };
                    outcomes[t * count + n] = u32::from(section.steps[from]);
                    for (list, place) in places.iter_mut().zip(section.places[from]) {
                        list[t * count + n] = place;
                    }
                }
            }
            let tables = self.places.iter().zip(&places);
            let x = tables.fold(self.outcome.forward(&outcomes), |sum, (table, at)| sum + table.forward(at));
            let width = self.outcome.width();
            let (y, _) = lstm.forward(x.reshape([steps, count, width]), &LstmState::zeros(count, lstm.hidden()));
            y.reshape([steps * count, lstm.hidden()])
        };
        let (mut ends, mut starts, mut there) = (Vec::new(), Vec::new(), Vec::new());
        for (n, section) in heard.iter().enumerate() {
            for slot in 0..SLOTS {
                let range = section.slots.get(slot).cloned();
                there.push(if range.is_some() { 1.0f32 } else { 0.0 });
                let range = range.unwrap_or(0..1);
                ends.push(((range.end - 1) * count + n) as u32);
                starts.push(((section.steps.len() - 1 - range.start) * count + n) as u32);
            }
        }
        let there = Tensor::<2>::from_data(TensorData::new(there, [count * SLOTS, 1]), &device);
        let both = vec![rows(read(&self.ahead, false), &ends), rows(read(&self.back, true), &starts)];
        let slots = activation::relu(self.slot.forward(Tensor::cat(both, 1))) * there;
        let slots = slots.reshape([count, SLOTS * self.slot.output()]);
        Gaussian { mean: self.mean.forward(slots.clone()), log_variance: self.log_variance.forward(slots) }
    }

    /// What codes say of each part of their sections.
    ///
    /// # Shapes
    /// `[sections, C]` -> `[sections * SLOTS, laid]`
    fn lay(&self, code: Tensor<2>) -> Tensor<2> {
        let [rows, _] = code.dims();
        let laid = self.laid.forward(activation::relu(self.wide.forward(code)));
        laid.reshape([rows * SLOTS, self.slot.output()])
    }
}
