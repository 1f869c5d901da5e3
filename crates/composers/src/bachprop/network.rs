//! The network: layers that read notes, and three decisions.

use super::pieces::{BEGUN, Batch, PLACES};
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_encoding::note_triple::Vocabulary;
use cantus_model::Rng;
use cantus_model::learner::Recurrent;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    /// Of the note that was last: time, length, pitch.
    read: Vec<Embedding>,
    /// Of where it begins; none without a clock.
    places: Vec<Embedding>,
    lstms: Vec<Lstm>,
    heads: Vec<Head>,
}

/// What makes a decision.
///
/// ```text
/// logits = W relu(A h + sum E[known]) + b
/// ```
#[derive(Module, Debug)]
pub(super) struct Head {
    /// A
    features: Linear,
    /// E
    known: Vec<Embedding>,
    /// W, b
    output: Linear,
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The run's.
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

/// Sizes of what is known to a decision beside the layers: those before it, and where the note begins.
pub(super) fn known(settings: &Settings, vocabulary: &Vocabulary, decision: usize) -> Vec<usize> {
    // The end is a time, too: of it nothing more is decided, but a batch has a row for it.
    let decided = [classes(vocabulary, 0), classes(vocabulary, 1)];
    let begun = if settings.clock && decision > 0 { &PLACES[..BEGUN] } else { &[] };
    decided[..decision].iter().chain(begun).copied().collect()
}

/// Classes of a decision; the time has one for the end.
pub(super) fn classes(vocabulary: &Vocabulary, decision: usize) -> usize {
    [vocabulary.waits().len() + 1, vocabulary.lengths().len(), vocabulary.pitch_count()][decision]
}

/// Classes of what is read of a decision; one more for the beginning.
pub(super) fn read(vocabulary: &Vocabulary, decision: usize) -> usize {
    [vocabulary.waits().len(), vocabulary.lengths().len(), vocabulary.pitch_count()][decision] + 1
}

impl Network {
    pub(super) fn new(settings: &Settings, vocabulary: &Vocabulary, rng: &mut Rng, device: &Device) -> Network {
        let Settings { embedding, hidden, layers, units, .. } = *settings;
        // Wide enough to move the gates from the first step on.
        let table = |size, s, rng: &mut Rng| Embedding::with_deviation(size, embedding, s, rng, device);
        let head = |decision: usize, rng: &mut Rng| Head {
            features: Linear::new(hidden * settings.hears(decision), units, rng, device),
            known: known(settings, vocabulary, decision)
                .into_iter()
                .map(|size| Embedding::with_deviation(size, units, 0.1, rng, device))
                .collect(),
            output: Linear::new(units, classes(vocabulary, decision), rng, device),
        };
        Network {
            read: (0..3).map(|decision| table(read(vocabulary, decision), 0.4, rng)).collect(),
            places: PLACES.iter().filter(|_| settings.clock).map(|size| table(*size, 0.25, rng)).collect(),
            lstms: (0..layers)
                .map(|layer| Lstm::new(settings.input(layer), hidden, rng, device).with_precision(settings.precision))
                .collect(),
            heads: (0..3).map(|decision| head(decision, rng)).collect(),
        }
    }

    /// The loss of a batch, nats a note, and the figures of each decision; the states move on.
    pub(super) fn loss(
        &self,
        settings: &Settings,
        batch: &Batch,
        states: &mut [LstmState],
        masks: Masks,
    ) -> (Tensor<1>, [Figures; 3]) {
        let features = self.features(settings, batch, states, Some(masks));
        let device = features[0].device();
        let mut figures = [Figures::default(); 3];
        let mut loss = Tensor::<1>::zeros([1], &device);
        for (decision, head) in self.heads.iter().enumerate() {
            let heard = Tensor::cat(features[..settings.hears(decision)].to_vec(), 1);
            let decided = batch.targets[..decision].iter();
            let begun = batch.begun.iter().filter(|_| settings.clock && decision > 0);
            let key = MaskKey { seed: masks.seed, step: masks.step, layer: 100 + decision as u64 };
            let mut logits = head.forward(heard, decided.chain(begun), settings.dropout, Some(key));
            let forbidden = match decision {
                0 => Some(&batch.forbidden[0]),
                2 => Some(&batch.forbidden[1]),
                _ => None,
            };
            if let Some(forbidden) = forbidden {
                let forbidden = TensorData::new(forbidden.clone(), logits.dims());
                logits = logits + Tensor::from_data(forbidden, &device);
            }
            let weights = &batch.weights[usize::from(decision > 0)];
            let (mean, found) = cross_entropy(logits, &batch.targets[decision], weights);
            figures[decision] = found;
            // Of the end no length and no pitch is decided.
            let share = if figures[0].counted > 0.0 { found.counted / figures[0].counted } else { 0.0 };
            loss = loss + mean * share;
        }
        (loss, figures)
    }

    /// What each layer makes of a batch.
    ///
    /// # Shapes
    /// of each layer `[T * B, H]`
    fn features(
        &self,
        settings: &Settings,
        batch: &Batch,
        states: &mut [LstmState],
        masks: Option<Masks>,
    ) -> Vec<Tensor<2>> {
        let key = |layer: usize| masks.map(|Masks { seed, step }| MaskKey { seed, step, layer: layer as u64 });
        let tables = self.read.iter().zip(&batch.read).chain(self.places.iter().zip(&batch.places));
        let note = tables.map(|(table, indices)| table.forward(indices)).reduce(|sum, x| sum + x);
        let note = dropout(note.expect("a note is read"), settings.input_dropout, key(0));
        let (steps, rows) = (batch.steps, batch.rows);
        let note = note.reshape([steps, rows, settings.embedding]);
        let mut x = note.clone();
        let mut all = Vec::with_capacity(self.lstms.len());
        for (layer, (lstm, state)) in self.lstms.iter().zip(states).enumerate() {
            if settings.reads_note(layer) {
                x = Tensor::cat(vec![x, note.clone()], 2);
            }
            let (y, last) = lstm.forward(x, state);
            *state = last;
            x = dropout(y, settings.dropout, key(layer + 1));
            all.push(x.clone().reshape([steps * rows, settings.hidden]));
        }
        all
    }
}

impl Head {
    fn forward<'i>(
        &self,
        features: Tensor<2>,
        known: impl Iterator<Item = &'i Vec<u32>>,
        rate: f32,
        key: Option<MaskKey>,
    ) -> Tensor<2> {
        let tables = self.known.iter().zip(known);
        let sum = tables.fold(self.features.forward(features), |sum, (table, indices)| sum + table.forward(indices));
        self.output.forward(dropout(activation::relu(sum), rate, key))
    }
}
