//! The network: summed embeddings, fused LSTM layers, a dense layer over the vocabulary.

use super::{Batch, Grammar, TokenSettings};
use crate::Rng;
use crate::learner::{Recurrent, unroll};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::traits::with_traits;

/// The network.
#[derive(Module, Debug)]
pub struct TokenNetwork {
    token: Embedding,
    /// Of what is known beside the token: added to the token's.
    contexts: Vec<Embedding>,
    /// Likewise of what is so or not.
    marks: Option<Linear>,
    lstms: Vec<Lstm>,
    output: Linear,
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub struct Masks {
    /// The run's.
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

impl Recurrent for TokenNetwork {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl TokenNetwork {
    /// A network that has learnt nothing yet.
    pub fn new<G: Grammar>(settings: &TokenSettings, grammar: &G, rng: &mut Rng, device: &Device) -> TokenNetwork {
        let TokenSettings { embedding, hidden, layers, .. } = *settings;
        // Wide enough to move the gates from the first step on: with 1 / sqrt(width) the first epochs pass without learning.
        let token = Embedding::with_deviation(grammar.size(), embedding, 0.5, rng, device);
        let context = |size| Embedding::with_deviation(size, embedding, 0.25, rng, device);
        let contexts = grammar.contexts().into_iter().map(context).collect();
        let lstms = (0..layers)
            .map(|layer| Lstm::new(if layer == 0 { embedding } else { hidden }, hidden, rng, device))
            .map(|lstm| lstm.with_precision(settings.precision))
            .collect();
        let outputs = grammar.size() + grammar.traits().iter().sum::<usize>();
        let output = Linear::new(features::<G>(settings), outputs, rng, device);
        let marks = (grammar.marks() > 0).then(|| Linear::new(grammar.marks(), embedding, rng, device));
        TokenNetwork { token, contexts, marks, lstms, output }
    }

    /// Logits of a batch, minus infinity where a token is forbidden; the states move on. Dropout on the summed embeddings and after each
    /// layer, without masks none.
    ///
    /// # Shapes
    /// `[T * B, V]`
    pub fn forward(
        &self,
        batch: &Batch,
        states: &mut [LstmState],
        dropouts: (f32, f32),
        masks: Option<Masks>,
    ) -> Tensor<2> {
        let key = |layer: usize| masks.map(|Masks { seed, step }| MaskKey { seed, step, layer: layer as u64 });
        let embedded = self
            .contexts
            .iter()
            .zip(&batch.contexts)
            .fold(self.token.forward(&batch.tokens), |sum, (table, indices)| sum + table.forward(indices));
        let embedded = match &self.marks {
            Some(table) => {
                let marks = TensorData::new(batch.marks.clone(), [batch.tokens.len(), table.input()]);
                let marks = Tensor::from_data(marks, &embedded.device());
                embedded + table.forward::<2>(marks)
            }
            None => embedded,
        };
        let width = self.token.width();
        let read = dropout(embedded, dropouts.0, key(0));
        let x = unroll(&self.lstms, states, read.clone().reshape([batch.steps, batch.rows, width]), dropouts.1, key);
        let [steps, rows, hidden] = x.dims();
        let x = x.reshape([steps * rows, hidden]);
        // Whether the output sees it, too.
        let x = if self.output.input() > hidden { Tensor::cat(vec![x, read], 1) } else { x };
        let outputs = self.output.forward(x);
        let logits = match batch.traits {
            0 => outputs,
            traits => with_traits(outputs, self.token.vocabulary(), traits, &batch.added),
        };
        if batch.forbidden.is_empty() {
            return logits;
        }
        let forbidden = TensorData::new(batch.forbidden.clone(), logits.dims());
        logits.clone() + Tensor::from_data(forbidden, &logits.device())
    }
}

/// How wide what the output sees is.
pub(super) fn features<G: Grammar>(settings: &TokenSettings) -> usize {
    settings.hidden + if G::SKIP { settings.embedding } else { 0 }
}
