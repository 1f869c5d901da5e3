//! RNN-RBM: writes piano music as frames whose notes know of one another.
//!
//! Source: N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, Modeling Temporal Dependencies in High-Dimensional Sequences, ICML 2012,
//! arXiv:1206.6392v1, section 4: a recurrent network gives the biases of a restricted Boltzmann machine over the 88 keys at each step.
//! Departures: LSTM cells in the place of the simple recurrent network (as in Q. Lyu et al., IJCAI 2015), Adam in the place of
//! stochastic gradient descent or Hessian-free training; the biases see the last frame directly as well; a clock is read beside the
//! keys; dropout; chains that grow longer from epoch to epoch; no separate pre-training: the visible biases begin at the keys'
//! frequencies; on music files, whose attacks are known, which of the keys that sound on are struck again is decided after the keys.
//!
//! Its likelihood is an estimate (annealed importance sampling), always with its standard error; that of strokes is exact.
//!
//! Cost: the default, 0.5 million parameters; a frame takes 2.7 MFLOP and, for each step of its chain, 0.05 MFLOP in training.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::checks::within;
use cantus_model::frames::machines::{GLANCE_EFFORT, Lengths, glance, rows_of, written};
use cantus_model::frames::{
    Batch, Effort, FrameComposer, FrameFigure, FrameHead, FrameNetwork, FrameSettings, FrameSums, FrameTrainer, League,
    Learning, Step,
};
use cantus_model::learner::Recurrent;
use cantus_model::{
    Around, ComposerSpec, Configuration, Control, Kind, ModelError, ModelFile, Rng, Sampling, Sizes, layers,
};
use cantus_nn::coins::Coins;
use cantus_nn::inference::Dense;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::Lstm;
use cantus_nn::params::values_of;
use cantus_nn::random::derive;
use cantus_nn::rbm::{Chain, Contrast, PackedRbm, Rbm};
use cantus_score::Reading;
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "rnn_rbm",
    version: 1,
    writes: "chords on a piano's keys from step to step, the keys of a chord drawn together",
    suits: "researchers: the classic composer of frames, on benchmark files or piano pieces",
    is_made_for: None,
    title: "RNN-RBM: an LSTM gives the biases of a Boltzmann machine over 88 keys",
    source: "Boulanger-Lewandowski, Bengio and Vincent 2012 (RNN-RBM)",
    departures: "LSTM cells; Adam; the biases see the last frame, too; a clock is read; dropout; chains that grow longer",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256, 150 hidden units",
        settings: r#"{"batch":8,"window":32,"learning_rate":0.004,"warmup":200}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"units":100}"#,
            large: r#"{"hidden":512,"units":250,"batch":16,"learning_rate":0.003}"#,
        }),
        tiny: r#"{"hidden":24,"units":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,"clock":8,
              "learning_rate":0.01,"divergence":3,"most_divergence":5,"judged":200,"chains":6,"temperatures":30,"gibbs":5}"#,
    }],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

/// Settings of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Hidden units.
    units: usize,
    /// Steps of the chains of contrastive divergence, at first.
    divergence: usize,
    /// And at last.
    most_divergence: usize,
    /// Epochs after which they are one step longer.
    lengthen: u64,
    /// Validation frames that are judged, about.
    judged: usize,
    /// Chains of annealing for each of them.
    chains: usize,
    /// Temperatures of annealing.
    temperatures: usize,
    /// Steps of the chain that draws a frame.
    gibbs: usize,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            units: 150,
            divergence: 5,
            most_divergence: 25,
            lengthen: 5,
            judged: 300,
            chains: 7,
            temperatures: 300,
            gibbs: 50,
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    strokes: Option<Coins>,
    visible: Linear,
    hidden: Linear,
    rbm: Rbm,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl FrameNetwork for Network {
    type Head = Head;
    type OwnSettings = Own;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn strokes(&self) -> Option<&Coins> {
        self.strokes.as_ref()
    }

    fn check(own: &Own) -> Result<(), String> {
        within("units", own.units, 1, 4096)?;
        within("divergence", own.divergence, 1, 10_000)?;
        within("most_divergence", own.most_divergence, own.divergence, 10_000)?;
        within("lengthen", usize::try_from(own.lengthen).unwrap_or(usize::MAX), 1, 1_000_000)?;
        within("judged", own.judged, 1, 1_000_000_000)?;
        within("chains", own.chains, 2, 10_000)?;
        within("temperatures", own.temperatures, 1, 1_000_000)?;
        within("gibbs", own.gibbs, 1, 10_000)
    }

    fn new(
        settings: &FrameSettings,
        own: &Own,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let (lstms, features) = (settings.lstms(settings.input(), rng, device), settings.features());
        Network {
            lstms,
            visible: Linear::with_bias(features, &frequencies.map(|p| (p / (1.0 - p)).ln()), rng, device),
            hidden: Linear::new(features, own.units, rng, device),
            rbm: Rbm::new(Keys::COUNT, own.units, 0.01, rng, device),
            strokes: settings.strokes(settings.features(), rng, device),
        }
    }

    fn loss(&self, own: &Own, features: Tensor<2>, batch: &Batch, at: Learning<'_, ()>) -> (Tensor<1>, FrameSums) {
        let seed = derive(at.seed, "divergence", &[at.step]).next_u64();
        let lengths = Lengths { first: own.divergence, most: own.most_divergence, lengthen: own.lengthen };
        let (visible, hidden) = (self.visible.forward(features.clone()), self.hidden.forward(features));
        let sums = glance(batch, seed, |chosen, targets| {
            let bv = rows_of(&values_of(visible.clone()), Keys::COUNT, chosen);
            let bh = rows_of(&values_of(hidden.clone()), self.rbm.hidden(), chosen);
            judge(&PackedRbm::from(&self.rbm), &bv, &bh, targets, GLANCE_EFFORT, seed)
        });
        let contrast = Contrast { data: &batch.targets, weights: &batch.weights, steps: lengths.steps(at.epoch), seed };
        (self.rbm.contrastive_divergence(visible, hidden, contrast), sums)
    }

    fn validation_effort(own: &Own, frames: usize) -> Effort {
        Effort { every: (frames / own.judged).max(1), chains: own.chains, temperatures: own.temperatures }
    }
}

/// Figures of frames, given their biases.
fn judge(rbm: &PackedRbm, bv: &[f32], bh: &[f32], targets: &[Keys], effort: Effort, seed: u64) -> Vec<FrameFigure> {
    let data = written(targets);
    let (partitions, marginals) = rbm.log_partition(bv, bh, effort.annealing(), seed);
    let energies = rbm.free_energies(&data, bv, bh);
    let rows = data.chunks_exact(Keys::COUNT).zip(marginals.chunks_exact(Keys::COUNT));
    rows.zip(partitions.iter().zip(energies))
        .map(|((data, p), (partition, energy))| {
            FrameFigure::of_chances(energy + partition.value, partition.variance, data, p)
        })
        .collect()
}

/// Biases out of features, and the weights.
struct Head {
    visible: Dense,
    hidden: Dense,
    rbm: PackedRbm,
    gibbs: usize,
}

impl Head {
    fn biases(&self, features: &[f32], rows: usize) -> (Vec<f32>, Vec<f32>) {
        let (mut bv, mut bh) = (vec![0.0; rows * Keys::COUNT], vec![0.0; rows * self.rbm.hidden()]);
        self.visible.forward(features, &mut bv);
        self.hidden.forward(features, &mut bh);
        (bv, bh)
    }
}

impl FrameHead for Head {
    type Settings = Own;
    type Past = ();

    fn load(file: &ModelFile, own: &Own, features: usize) -> Result<Head, ModelError> {
        let dense = |name: &str, output: usize| layers::dense(file, name, (features, output), Dense::new);
        Ok(Head {
            visible: dense("visible", Keys::COUNT)?,
            hidden: dense("hidden", own.units)?,
            rbm: PackedRbm::new(Keys::COUNT, own.units, file.tensor("rbm.weight", &[own.units, Keys::COUNT])?),
            gibbs: own.gibbs,
        })
    }

    fn kind() -> Kind {
        Kind::Estimate
    }

    fn league() -> League {
        League::Joint
    }

    fn describe(&self) -> String {
        format!("a Boltzmann machine of 88 keys and {} hidden units", self.rbm.hidden())
    }

    fn default_sampling() -> Sampling {
        Sampling::default()
    }

    fn judge(
        &self,
        features: &[f32],
        _: &[Step<'_, ()>],
        targets: &[Keys],
        effort: Effort,
        seed: u64,
    ) -> Vec<FrameFigure> {
        let (bv, bh) = self.biases(features, targets.len());
        judge(&self.rbm, &bv, &bh, targets, effort, seed)
    }

    /// A chain from the frame before; temperature divides all energies, top-k and top-p bear on the last step, key by key.
    fn draw(
        &self,
        features: &[f32],
        _: Step<'_, ()>,
        before: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        let (bv, bh) = self.biases(features, 1);
        let chain = Chain { steps: self.gibbs - 1, temperature: sampling.temperature as f32, seed: rng.next_u64() };
        let (mut v, mut logits) = ([0.0; Keys::COUNT], [0.0; Keys::COUNT]);
        before.write(&mut v);
        self.rbm.gibbs(&mut v, &bv, &bh, chain);
        let last = Chain { seed: rng.next_u64(), ..chain };
        self.rbm.visible_logits(&v, &bv, &bh, last, &mut logits);
        let mut drawn = Keys::NONE;
        for (k, logit) in logits.into_iter().enumerate() {
            let on = sampling.draw(&[0.0, logit], rng).filter(|_| logit.is_finite())?;
            drawn = if on == 1 { drawn | Key::new(k).into_iter().collect() } else { drawn };
        }
        Some(drawn & allowed)
    }
}
