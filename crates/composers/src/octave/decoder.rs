//! From pitch classes to keys: an LSTM that reads the classes of a step and the keys of the step before, and gives the biases of a
//! restricted Boltzmann machine over the 88 keys.

use super::pieces::{BOTH, KeyBatch};
use super::settings::OctaveSettings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::octave_roll::PitchClasses;
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::layers::{cell, dense};
use cantus_model::{ModelError, ModelFile, Rng, Sampling};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::random::uniform_f64;
use cantus_nn::rbm::{Chain, Contrast, PackedRbm, Rbm};

/// The bias of a key outside of the pitch classes: so that a chain never strikes it, which is what multiplying each sample by the
/// mask does.
const NEVER: f32 = -60.0;

/// The decoder.
#[derive(Module, Debug)]
pub(super) struct Decoder {
    pub lstm: Lstm,
    /// To the biases of the keys.
    pub visible: Linear,
    /// To the biases of the hidden units.
    pub hidden: Linear,
    pub rbm: Rbm,
}

impl Decoder {
    pub(super) fn new(settings: &OctaveSettings, rng: &mut Rng, device: &Device) -> Decoder {
        let OctaveSettings { decoder, decoder_hidden, .. } = *settings;
        Decoder {
            lstm: Lstm::uniform(BOTH, decoder, rng, device),
            visible: Linear::uniform(decoder, Keys::COUNT, rng, device),
            hidden: Linear::uniform(decoder, decoder_hidden, rng, device),
            rbm: Rbm::new(Keys::COUNT, decoder_hidden, 0.01, rng, device),
        }
    }

    /// Contrastive divergence on the keys of a batch.
    pub(super) fn loss(&self, batch: &KeyBatch, gibbs: usize, seed: u64, device: &Device) -> Tensor<1> {
        let rows = batch.steps * batch.rows;
        let x = TensorData::new(batch.before.clone(), [batch.steps, batch.rows, BOTH]);
        let x = Tensor::<3>::from_data(x, device);
        let (h, _) = self.lstm.forward(x, &LstmState::zeros(batch.rows, self.lstm.hidden()));
        let h = h.reshape([rows, self.lstm.hidden()]);
        let mut mask = vec![0.0; rows * Keys::COUNT];
        for (mask, x) in mask.chunks_exact_mut(Keys::COUNT).zip(batch.before.chunks_exact(BOTH)) {
            let bits = x[..PitchClasses::COUNT].iter().rev().fold(0, |bits, x| bits << 1 | u16::from(*x > 0.5));
            forbid(mask, PitchClasses::from_bits(bits).unwrap_or_default().keys());
        }
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [rows, Keys::COUNT]), device);
        let contrast = Contrast { data: &batch.keys, weights: &batch.weights, steps: gibbs, seed };
        self.rbm.contrastive_divergence(self.visible.forward(h.clone()) + mask, self.hidden.forward(h), contrast)
    }
}

/// Puts [`NEVER`] at every key that is not allowed.
fn forbid(biases: &mut [f32], allowed: Keys) {
    let others = !allowed;
    others.iter().for_each(|key| biases[key.index()] += NEVER);
}

/// The decoder, ready to compose.
#[derive(Clone, Debug)]
pub(super) struct DecoderPlayer {
    lstm: LstmCell,
    visible: Dense,
    hidden: Dense,
    rbm: PackedRbm,
    gibbs: usize,
}

/// What it remembers.
#[derive(Clone, Debug)]
pub(super) struct DecoderState {
    h: Vec<f32>,
    c: Vec<f32>,
    keys: Keys,
    scratch: Scratch,
}

impl DecoderPlayer {
    pub(super) fn load(file: &ModelFile, settings: &OctaveSettings) -> Result<DecoderPlayer, ModelError> {
        let OctaveSettings { decoder, decoder_hidden, gibbs, .. } = *settings;
        let weight = file.tensor("decoder.rbm.weight", &[decoder_hidden, Keys::COUNT])?;
        Ok(DecoderPlayer {
            lstm: cell(file, "decoder.lstm", (BOTH, decoder), LstmCell::new)?,
            visible: dense(file, "decoder.visible", (decoder, Keys::COUNT), Dense::new)?,
            hidden: dense(file, "decoder.hidden", (decoder, decoder_hidden), Dense::new)?,
            rbm: PackedRbm::new(Keys::COUNT, decoder_hidden, weight),
            gibbs,
        })
    }

    pub(super) fn start(&self) -> DecoderState {
        let zeros = || vec![0.0; self.lstm.hidden()];
        DecoderState { h: zeros(), c: zeros(), keys: Keys::NONE, scratch: Scratch::new() }
    }

    /// Reads the classes of a step; returns the biases of keys and hidden units.
    fn advance(&self, state: &mut DecoderState, classes: PitchClasses) -> (Vec<f32>, Vec<f32>) {
        let mut x = [0.0; BOTH];
        let (of_classes, of_keys) = x.split_at_mut(PitchClasses::COUNT);
        classes.write(of_classes);
        state.keys.write(of_keys);
        self.lstm.step(&x, &mut state.h, &mut state.c, &mut state.scratch);
        let (mut visible, mut hidden) = (vec![0.0; Keys::COUNT], vec![0.0; self.rbm.hidden()]);
        self.visible.forward(&state.h, &mut visible);
        self.hidden.forward(&state.h, &mut hidden);
        (visible, hidden)
    }

    /// Reads a step whose keys are known.
    pub(super) fn read(&self, state: &mut DecoderState, keys: Keys) {
        self.advance(state, PitchClasses::from(keys));
        state.keys = keys;
    }

    /// The keys of a step of these classes: a chain that begins with the keys of the step before. A class of which no key is struck gets its
    /// likeliest one, and no key outside of `range` or of another class is ever struck.
    pub(super) fn decode(
        &self,
        state: &mut DecoderState,
        classes: PitchClasses,
        range: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Keys {
        let (mut visible, hidden) = self.advance(state, classes);
        let allowed = classes.keys() & range;
        if allowed.is_empty() {
            state.keys = Keys::NONE;
            return Keys::NONE;
        }
        forbid(&mut visible, allowed);
        let seed = (uniform_f64(rng) * (1u64 << 53) as f64) as u64;
        let chain = Chain { steps: self.gibbs, temperature: sampling.temperature as f32, seed };
        let mut row = vec![0.0; Keys::COUNT];
        (state.keys & allowed).write(&mut row);
        self.rbm.gibbs(&mut row, &visible, &hidden, chain);
        let mut keys = Keys::from_iter(allowed.iter().filter(|key| row[key.index()] > 0.5));
        let mut logits = vec![0.0; Keys::COUNT];
        self.rbm.visible_logits(&row, &visible, &hidden, chain, &mut logits);
        for class in 0..PitchClasses::COUNT {
            let own = PitchClasses::from_bits(classes.bits() & 1 << class).unwrap_or_default().keys() & allowed;
            if (own & keys).is_empty() {
                let likelier = |a: &Key, b: &Key| logits[a.index()].total_cmp(&logits[b.index()]);
                own.iter().max_by(likelier).into_iter().for_each(|key| keys.insert(key));
            }
        }
        state.keys = keys;
        keys
    }
}
