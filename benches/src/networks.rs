//! The networks of the workloads, in the layers that our composers are made of.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation, s};
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::precision::Precision;
use cantus_nn::random::{Rng, below, categorical, uniform};

/// Classes of [`LstmComposer`].
pub const VOCABULARY: usize = 300;

/// W1 and W3: embedding 300 x 64, LSTM 512, dropout 0.3, LSTM 256, the last step, dense 128 ReLU, 300 classes.
#[derive(Module, Debug)]
pub struct LstmComposer {
    embedding: Embedding,
    first: Lstm,
    second: Lstm,
    dense: Linear,
    out: Linear,
}

impl LstmComposer {
    /// With fresh weights; products of the given precision.
    pub fn new(precision: Precision, rng: &mut Rng, device: &Device) -> LstmComposer {
        LstmComposer {
            embedding: Embedding::new(VOCABULARY, 64, rng, device),
            first: Lstm::new(64, 512, rng, device).with_precision(precision),
            second: Lstm::new(512, 256, rng, device).with_precision(precision),
            dense: Linear::new(256, 128, rng, device),
            out: Linear::new(128, VOCABULARY, rng, device),
        }
    }

    /// The loss of windows of `steps` tokens, time-major.
    pub fn loss(&self, tokens: &[u32], targets: &[u32], steps: usize, step: u64) -> Tensor<1> {
        let batch = targets.len();
        let x = self.embedding.forward_sequence(tokens, steps, batch);
        let (h, _) = self.first.forward(x, &LstmState::zeros(batch, 512));
        let h = dropout(h, 0.3, Some(MaskKey { seed: 1, step, layer: 0 }));
        let (h, _) = self.second.forward(h, &LstmState::zeros(batch, 256));
        let last = h.slice(s![steps - 1..steps, .., ..]).reshape([batch, 256]);
        let logits = self.out.forward(activation::relu(self.dense.forward(last)));
        cross_entropy(logits, targets, &vec![1.0; batch]).0
    }

    /// Floating-point operations of a training step.
    pub fn flops(steps: usize, batch: usize) -> f64 {
        let cells = |i: usize, h: usize| 4 * h * (i + h);
        6.0 * (steps * batch * (cells(64, 512) + cells(512, 256)) + batch * (256 * 128 + 128 * VOCABULARY)) as f64
    }

    /// Bytes that a training step cannot do without: parameters, gradients and Adam's two moments; and of each layer what its
    /// backward pass needs (gates, cells, outputs) with the gradients that flow between layers.
    pub fn bytes_needed(&self, steps: usize, batch: usize) -> usize {
        let parameters = self.num_params();
        let lstm = |input: usize, hidden: usize| input + (4 + 1 + 1) * hidden;
        let activations = steps * batch * (lstm(64, 512) + lstm(512, 256) + 512);
        4 * (4 * parameters + activations)
    }
}

/// [`LstmComposer`] made ready to compose: `pieces` at once.
pub struct Player {
    lookup: Lookup,
    cells: [LstmCell; 2],
    dense: Dense,
    out: Dense,
    first: (Vec<f32>, Vec<f32>),
    second: (Vec<f32>, Vec<f32>),
    x: Vec<f32>,
    y: Vec<f32>,
    z: Vec<f32>,
    tokens: Vec<u32>,
    scratch: Scratch,
}

impl Player {
    /// Of a network.
    pub fn new(network: &LstmComposer, pieces: usize) -> Player {
        let state = |h: usize| (vec![0.0f32; pieces * h], vec![0.0f32; pieces * h]);
        Player {
            lookup: Lookup::from(&network.embedding),
            cells: [LstmCell::from(&network.first), LstmCell::from(&network.second)],
            dense: Dense::from(&network.dense).with_relu(),
            out: Dense::from(&network.out),
            first: state(512),
            second: state(256),
            x: vec![0.0; pieces * 64],
            y: vec![0.0; pieces * 128],
            z: vec![0.0; pieces * VOCABULARY],
            tokens: vec![0; pieces],
            scratch: Scratch::new(),
        }
    }

    /// One token more for each piece, sampled.
    pub fn step(&mut self, rng: &mut Rng) {
        self.lookup.gather(&self.tokens, &mut self.x);
        self.cells[0].step(&self.x, &mut self.first.0, &mut self.first.1, &mut self.scratch);
        self.cells[1].step(&self.first.0, &mut self.second.0, &mut self.second.1, &mut self.scratch);
        self.dense.forward(&self.second.0, &mut self.y);
        self.out.forward(&self.y, &mut self.z);
        for (row, token) in self.z.chunks_exact_mut(VOCABULARY).zip(&mut self.tokens) {
            row.iter_mut().for_each(|v| *v = v.exp());
            *token = categorical(rng, row).expect("finite logits") as u32;
        }
    }
}

/// W2: the recurrent parts of the octave model. Local and controller LSTM 18 -> 100, softmax over 8 lags, aggregation LSTM
/// 118 -> 130, and for each step one shared LSTM 154 -> 100 over 5 voices with 24 outcomes; of its inputs 130 are the same for
/// all voices, and are multiplied once.
#[derive(Module, Debug)]
pub struct OctaveShape {
    local: Lstm,
    controller: Lstm,
    attention: Linear,
    aggregation: Lstm,
    /// What all voices of a step have in common, once for the five.
    common: Linear,
    voice: Lstm,
    outcome: Linear,
}

/// Data of W2: random, as the peer's is.
pub struct OctaveData {
    steps: usize,
    batch: usize,
    x: Tensor<3>,
    history: Tensor<3>,
    previous: Tensor<3>,
    mask: Tensor<3>,
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl OctaveData {
    /// `steps` steps of `batch` fragments.
    pub fn new(steps: usize, batch: usize, rng: &mut Rng, device: &Device) -> OctaveData {
        let rows = steps * batch;
        let mut random = |n: usize| (0..n).map(|_| uniform(rng)).collect::<Vec<f32>>();
        let (x, history) = (random(rows * 18), random(rows * 8 * 18));
        let targets: Vec<u32> = (0..5 * rows).map(|_| below(rng, 24) as u32).collect();
        let mut previous = vec![0.0; 5 * rows * 24];
        previous.chunks_exact_mut(24).for_each(|row| row[below(rng, 24)] = 1.0);
        let mut mask: Vec<f32> = (0..5 * rows * 24).map(|_| if uniform(rng) < 0.1 { -1e9 } else { 0.0 }).collect();
        mask.chunks_exact_mut(24).zip(&targets).for_each(|(row, target)| row[*target as usize] = 0.0);
        let tensor = |values: Vec<f32>, shape: [usize; 3]| Tensor::from_data(TensorData::new(values, shape), device);
        OctaveData {
            steps,
            batch,
            x: tensor(x, [steps, batch, 18]),
            history: tensor(history, [rows, 8, 18]),
            previous: tensor(previous, [5, rows, 24]),
            mask: tensor(mask, [5, rows, 24]),
            targets,
            weights: vec![1.0; 5 * rows],
        }
    }
}

impl OctaveShape {
    /// With fresh weights; the LSTMs' products of the given precision.
    pub fn new(precision: Precision, rng: &mut Rng, device: &Device) -> OctaveShape {
        OctaveShape {
            local: Lstm::new(18, 100, rng, device).with_precision(precision),
            controller: Lstm::new(18, 100, rng, device).with_precision(precision),
            attention: Linear::new(100, 8, rng, device),
            aggregation: Lstm::new(118, 130, rng, device).with_precision(precision),
            common: Linear::new(130, 400, rng, device),
            voice: Lstm::new(24, 100, rng, device).with_precision(precision),
            outcome: Linear::new(100, 24, rng, device),
        }
    }

    /// The loss of a batch.
    pub fn loss(&self, data: &OctaveData) -> Tensor<1> {
        let (t, b) = (data.steps, data.batch);
        let rows = t * b;
        let (local, _) = self.local.forward(data.x.clone(), &LstmState::zeros(b, 100));
        let (control, _) = self.controller.forward(data.x.clone(), &LstmState::zeros(b, 100));
        let weights = activation::softmax(self.attention.forward(control), 2);
        let read = (weights.reshape([rows, 8, 1]) * data.history.clone()).sum_dim(1).reshape([t, b, 18]);
        let (features, _) = self.aggregation.forward(Tensor::cat(vec![local, read], 2), &LstmState::zeros(b, 130));
        let common = self.common.forward(features.reshape([1, rows, 130]));
        let (h, _) = self.voice.forward_added(data.previous.clone(), common, &LstmState::zeros(rows, 100));
        let logits = self.outcome.forward(h) + data.mask.clone();
        cross_entropy(logits.reshape([5 * rows, 24]), &data.targets, &data.weights).0
    }

    /// Floating-point operations of a training step as the model is written down (products only): ours makes a quarter fewer.
    pub fn flops(steps: usize, batch: usize) -> f64 {
        let cells = |i: usize, h: usize| 4 * h * (i + h);
        let step = 2 * cells(18, 100) + 100 * 8 + 8 * 18 + cells(118, 130) + 5 * (cells(154, 100) + 100 * 24);
        6.0 * (steps * batch * step) as f64
    }
}
