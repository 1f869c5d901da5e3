//! The pieces together: a small network learns a batch by heart, the same for any number of threads.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::named_parameters;
use cantus_nn::random::{below, seeded};

#[derive(Module, Debug)]
struct Network {
    embedding: Embedding,
    lstm: Lstm,
    out: Linear,
}

impl Network {
    fn logits(&self, tokens: &[u32], steps: usize, batch: usize, key: Option<MaskKey>) -> Tensor<2> {
        let x = self.embedding.forward_sequence(tokens, steps, batch);
        let (h, _) = self.lstm.forward(x, &LstmState::zeros(batch, 24));
        self.out.forward(dropout(h, 0.1, key)).reshape([steps * batch, 10])
    }
}

/// Trains on random tokens; the network and its figures in evaluation.
fn learn(steps_of_training: u64) -> (Network, Figures) {
    let device = Device::flex().autodiff();
    let rng = &mut seeded(11);
    let mut network = Network {
        embedding: Embedding::new(10, 8, rng, &device),
        lstm: Lstm::new(8, 24, rng, &device),
        out: Linear::new(24, 10, rng, &device),
    };
    let (steps, batch) = (12, 4);
    let tokens: Vec<u32> = (0..steps * batch).map(|_| below(rng, 10) as u32).collect();
    let targets: Vec<u32> = (0..steps * batch).map(|_| below(rng, 10) as u32).collect();
    let weights = vec![1.0; steps * batch];
    let mut optimizer = Optimizer::new(Rule::adam()).with_clipping(1.0);
    for step in 0..steps_of_training {
        let key = MaskKey { seed: 1, step, layer: 0 };
        let (loss, _) = cross_entropy(network.logits(&tokens, steps, batch, Some(key)), &targets, &weights);
        let (moved, report) = optimizer.step(network, loss.backward(), 0.02);
        assert!(report.finite);
        network = moved;
    }
    let (_, figures) = cross_entropy(network.valid().logits(&tokens, steps, batch, None), &targets, &weights);
    (network, figures)
}

#[test]
fn a_batch_is_learnt_by_heart() {
    let (_, before) = learn(0);
    let (_, after) = learn(200);
    assert!(before.nats / before.counted > 2.0, "{before:?}");
    assert!(after.nats / after.counted < 0.1 && after.correct == 48, "{after:?}");
}

#[test]
fn training_gives_the_same_bits_for_any_number_of_threads() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| named_parameters(&learn(5).0))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}
