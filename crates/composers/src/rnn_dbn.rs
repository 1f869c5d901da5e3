//! RNN-DBN: writes piano music as frames by two Boltzmann machines, one over the other, whose biases a recurrent network gives.
//!
//! Source: K. Goel, R. Vohra, J. K. Sahoo, Polyphonic Music Generation by Modeling Temporal Dependencies Using a RNN-DBN, ICANN 2014,
//! arXiv:1412.7927: the RNN-RBM with a second machine on the hidden units of the first; each learns by contrastive divergence.
//!
//! Departures: those of `rnn_rbm`, whose network and training the lower machine has. The upper machine is that one upside down and what it
//! learns beside: `W2 = W1' + D`, with the lower one's biases and more, all of which begin with nothing (Hinton, Osindero and Teh 2006, section
//! 4); so it begins as the RNN-RBM, and its figure at that time *is* the RNN-RBM's. It learns from hidden units that are drawn, with the network's
//! part of their biases, and moves nothing of the lower machine; the authors' program for another data set takes means, and leaves that part out, in
//! composing, too. It has as many hidden units as there are keys, or more. The published figures are not said to be of what: a belief network's likelihood is not tractable.
//!
//! Its likelihood is a *lower bound*, by several draws inside the logarithm (`nn/rbm/deep.rs`), whose `ln Z` is estimated by annealing, with its standard
//! error. Annealing errs low, which flatters; more temperatures say by how much.
//!
//! Cost: the default, 0.6 million parameters; in training about 1.8 times what `rnn_rbm` takes.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
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
use cantus_nn::rbm::{Chain, Contrast, DeepBiases, PackedRbm, Rbm, contrastive_divergence, log_bounds, tossed};
use cantus_score::Reading;
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "rnn_dbn",
    version: 1,
    writes: "chords on a piano's keys from step to step, drawn by two Boltzmann machines, one over the other",
    suits: "researchers: beside `rnn_rbm`, on benchmark files; whoever wants music takes another",
    is_made_for: None,
    title: "RNN-DBN: an LSTM gives the biases of a deep belief network over 88 keys",
    source: "Goel, Vohra and Sahoo 2014 (RNN-DBN)",
    departures: "those of rnn_rbm; the upper machine begins as the lower one upside down; its figure is a bound",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256, 150 hidden units, 88 over them",
        settings: r#"{"batch":8,"window":32,"learning_rate":0.004,"warmup":200}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":96,"units":80}"#,
            large: r#"{"hidden":512,"units":250,"top":150,"batch":16,"learning_rate":0.003}"#,
        }),
        tiny: r#"{"hidden":24,"units":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,"clock":8,
              "learning_rate":0.01,"divergence":3,"most_divergence":5,"judged":200,"chains":6,"temperatures":30,"gibbs":5,"samples":3}"#,
    }],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

/// Settings of the machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Hidden units of the lower machine.
    units: usize,
    /// Hidden units of the upper one, as many as there are keys at least.
    top: usize,
    /// The epoch from which on the upper one learns.
    begin: u64,
    /// Steps of the chains of contrastive divergence, at first.
    divergence: usize,
    /// And at last.
    most_divergence: usize,
    /// Epochs after which they are one step longer.
    lengthen: u64,
    /// Draws inside the logarithm of the bound.
    samples: usize,
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
            top: Keys::COUNT,
            begin: 0,
            divergence: 5,
            most_divergence: 25,
            lengthen: 5,
            samples: 20,
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
    /// What the upper machine's biases have beside the lower one's.
    middle: Linear,
    top: Linear,
    /// D: what its weights have beside.
    upper: Rbm,
}

/// How small the weights begin of the units that are more than there are keys.
const MORE: f32 = 0.01;

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
        within("top", own.top, Keys::COUNT, 4096)?;
        within("begin", usize::try_from(own.begin).unwrap_or(usize::MAX), 0, 1_000_000)?;
        within("divergence", own.divergence, 1, 10_000)?;
        within("most_divergence", own.most_divergence, own.divergence, 10_000)?;
        within("lengthen", usize::try_from(own.lengthen).unwrap_or(usize::MAX), 1, 1_000_000)?;
        within("samples", own.samples, 1, 10_000)?;
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
        let nothing = |units: usize, rng: &mut Rng| Linear::new(features, units, rng, device).scaled(0.0, device);
        let mut differ = vec![0.0; Keys::COUNT * own.units];
        if own.top > Keys::COUNT {
            let more = Rbm::new(own.units, own.top - Keys::COUNT, MORE, rng, device);
            differ.extend(values_of(more.weight.val()));
        }
        let differ = TensorData::new(differ, [own.top, own.units]);
        Network {
            lstms,
            visible: Linear::with_bias(features, &frequencies.map(|p| (p / (1.0 - p)).ln()), rng, device),
            hidden: Linear::new(features, own.units, rng, device),
            rbm: Rbm::new(Keys::COUNT, own.units, 0.01, rng, device),
            strokes: settings.strokes(settings.features(), rng, device),
            middle: nothing(own.units, rng),
            top: nothing(own.top, rng),
            upper: Rbm { weight: Param::from_data(differ, device) },
        }
    }

    fn loss(&self, own: &Own, features: Tensor<2>, batch: &Batch, at: Learning<'_, ()>) -> (Tensor<1>, FrameSums) {
        let seed = derive(at.seed, "divergence", &[at.step]).next_u64();
        let lengths = Lengths { first: own.divergence, most: own.most_divergence, lengthen: own.lengthen };
        let (visible, hidden) = (self.visible.forward(features.clone()), self.hidden.forward(features.clone()));
        let upper = self.upper_biases(features.detach(), visible.clone().detach(), hidden.clone().detach());
        let biases = [&visible, &hidden, &upper[0], &upper[1]].map(|biases| values_of(biases.clone()));
        let lower = PackedRbm::from(&self.rbm);
        let sums = glance(batch, seed, |chosen, targets| {
            let machines = Machines { lower: lower.clone(), upper: self.packed_upper() };
            let some = |k: usize| rows_of(&biases[k], biases[k].len() / batch.keys.len().max(1), chosen);
            machines.judge(&std::array::from_fn(some), targets, own.samples, GLANCE_EFFORT, seed)
        });
        let steps = lengths.steps(at.epoch);
        let contrast = Contrast { data: &batch.targets, weights: &batch.weights, steps, seed };
        let mut loss = self.rbm.contrastive_divergence(visible, hidden, contrast);
        if at.epoch >= own.begin {
            let inputs = lower.hidden_inputs(&batch.targets, &biases[1]);
            let drawn = tossed(&inputs, own.units, 1.0, derive(seed, "hidden", &[]).next_u64());
            let contrast = Contrast { data: &drawn, weights: &batch.weights, steps, seed: seed.wrapping_add(1) };
            let [middle, top] = upper;
            loss = loss + contrastive_divergence(self.upper_weight(), middle, top, contrast);
        }
        (loss, sums)
    }

    fn validation_effort(own: &Own, frames: usize) -> Effort {
        Effort { every: (frames / own.judged).max(1), chains: own.chains, temperatures: own.temperatures }
    }
}

impl Network {
    /// `W1' + D`: the lower machine stays as it is.
    fn upper_weight(&self) -> Tensor<2> {
        let (differ, lower) = (self.upper.weight.val(), self.rbm.weight.val().detach().transpose());
        let [top, units] = differ.dims();
        let more = top - Keys::COUNT;
        let lower = match more {
            0 => lower,
            _ => Tensor::cat(vec![lower, Tensor::zeros([more, units], &differ.device())], 0),
        };
        lower + differ
    }

    fn packed_upper(&self) -> PackedRbm {
        PackedRbm::new(self.upper.visible(), self.upper.hidden(), &values_of(self.upper_weight()))
    }

    /// The upper machine's biases: the lower one's, and what is beside.
    fn upper_biases(&self, features: Tensor<2>, visible: Tensor<2>, hidden: Tensor<2>) -> [Tensor<2>; 2] {
        let (middle, top) = (self.middle.forward(features.clone()), self.top.forward(features));
        let ([rows, units], keys) = (top.dims(), visible.dims()[1]);
        let visible = match units - keys {
            0 => visible,
            more => Tensor::cat(vec![visible, Tensor::zeros([rows, more], &top.device())], 1),
        };
        [hidden + middle, visible + top]
    }
}

/// Both machines, outside of any graph.
struct Machines {
    lower: PackedRbm,
    upper: PackedRbm,
}

/// Visible, hidden, middle and top, row by row.
type Biases = [Vec<f32>; 4];

impl Machines {
    /// Figures of frames, given their biases. A key's chance is that by the mean of the units over it.
    fn judge(
        &self,
        [visible, hidden, middle, top]: &Biases,
        targets: &[Keys],
        samples: usize,
        effort: Effort,
        seed: u64,
    ) -> Vec<FrameFigure> {
        let data = written(targets);
        let biases = DeepBiases { visible, hidden, middle, top };
        let (partitions, means) = self.upper.log_partition(middle, top, effort.annealing(), seed);
        let bounds =
            log_bounds((&self.lower, &self.upper), &data, biases, samples, derive(seed, "bound", &[]).next_u64());
        let chances: Vec<f32> =
            self.lower.visible_inputs(&means, visible).into_iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        let rows = data.chunks_exact(Keys::COUNT).zip(chances.chunks_exact(Keys::COUNT));
        rows.zip(partitions.iter().zip(bounds))
            .map(|((data, p), (partition, bound))| {
                FrameFigure::of_chances(partition.value - bound, partition.variance, data, p)
            })
            .collect()
    }
}

/// Biases out of features, and the weights.
struct Head {
    visible: Dense,
    hidden: Dense,
    middle: Dense,
    top: Dense,
    machines: Machines,
    samples: usize,
    gibbs: usize,
}

impl Head {
    fn biases(&self, features: &[f32], rows: usize) -> Biases {
        let of = |dense: &Dense| {
            let mut biases = vec![0.0; rows * dense.output()];
            dense.forward(features, &mut biases);
            biases
        };
        let [visible, hidden, mut middle, mut top] = [&self.visible, &self.hidden, &self.middle, &self.top].map(of);
        middle.iter_mut().zip(&hidden).for_each(|(sum, bias)| *sum += bias);
        for (top, visible) in top.chunks_exact_mut(self.top.output()).zip(visible.chunks_exact(Keys::COUNT)) {
            top.iter_mut().zip(visible).for_each(|(sum, bias)| *sum += bias);
        }
        [visible, hidden, middle, top]
    }
}

impl FrameHead for Head {
    type Settings = Own;
    type Past = ();

    fn load(file: &ModelFile, own: &Own, features: usize) -> Result<Head, ModelError> {
        let dense = |name: &str, output: usize| layers::dense(file, name, (features, output), Dense::new);
        let lower = file.tensor("rbm.weight", &[own.units, Keys::COUNT])?;
        let mut upper = file.tensor("upper.weight", &[own.top, own.units])?.to_vec();
        for (key, row) in upper.chunks_exact_mut(own.units).take(Keys::COUNT).enumerate() {
            row.iter_mut().enumerate().for_each(|(unit, weight)| *weight += lower[unit * Keys::COUNT + key]);
        }
        Ok(Head {
            visible: dense("visible", Keys::COUNT)?,
            hidden: dense("hidden", own.units)?,
            middle: dense("middle", own.units)?,
            top: dense("top", own.top)?,
            machines: Machines {
                lower: PackedRbm::new(Keys::COUNT, own.units, lower),
                upper: PackedRbm::new(own.units, own.top, &upper),
            },
            samples: own.samples,
            gibbs: own.gibbs,
        })
    }

    fn kind() -> Kind {
        Kind::LowerBound
    }

    fn league() -> League {
        League::Joint
    }

    fn describe(&self) -> String {
        let Machines { lower, upper } = &self.machines;
        format!("Boltzmann machines of 88 keys, {} units and {} over them", lower.hidden(), upper.hidden())
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
        self.machines.judge(&self.biases(features, targets.len()), targets, self.samples, effort, seed)
    }

    /// A chain of the upper machine from the frame before, then down; temperature divides all energies, top-k and top-p bear on the keys.
    fn draw(
        &self,
        features: &[f32],
        _: Step<'_, ()>,
        before: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        let [visible, hidden, middle, top] = self.biases(features, 1);
        let Machines { lower, upper } = &self.machines;
        let temperature = sampling.temperature as f32;
        let mut h =
            tossed(&lower.hidden_inputs(&written(&[before]), &hidden), hidden.len(), temperature, rng.next_u64());
        let chain = Chain { steps: self.gibbs, temperature, seed: rng.next_u64() };
        upper.gibbs(&mut h, &middle, &top, chain);
        let mut drawn = Keys::NONE;
        for (k, logit) in lower.visible_inputs(&h, &visible).into_iter().enumerate() {
            let on = sampling.draw(&[0.0, logit], rng).filter(|_| logit.is_finite())?;
            drawn = if on == 1 { drawn | Key::new(k).into_iter().collect() } else { drawn };
        }
        Some(drawn & allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_model::{Pieces, StepAt, Trainable, TrainingSet};
    use cantus_nn::random::{normal, seeded};
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
    use serde_json::{Value, json};

    fn set() -> TrainingSet {
        let note = |k: u64, of: u64| Note {
            onset: Ticks(4 * k),
            pitch: Pitch::try_from((48 + (k * 5 + of * 3) % 24) as u8).unwrap(),
            duration: Ticks(2 + 4 * (k % 2)),
            velocity: Velocity::DEFAULT,
        };
        let piece = |of: u64| {
            let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
            score.parts.push(Part { notes: (0..40).map(|k| note(k, of)).collect(), ..Part::default() });
            score
        };
        let pieces = |of: std::ops::Range<u64>| of.map(piece).collect::<Pieces>();
        TrainingSet { train: pieces(0..4), valid: pieces(4..6), ..TrainingSet::default() }
    }

    /// After so many steps.
    fn learnt(changes: &Value, steps: u64) -> Box<dyn Trainable> {
        let mut settings = SPEC.tiny_settings("default").unwrap();
        settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut trainer = FrameTrainer::<Network>::create(&settings, &set(), 3).unwrap();
        let each = trainer.steps(0);
        (0..steps).for_each(|step| {
            assert!(trainer.step(StepAt { epoch: step / each, step: step % each }, 0.01).finite);
        });
        trainer
    }

    /// The head of a model, and its biases at some places.
    fn head(file: &ModelFile, rows: usize) -> (Head, Biases) {
        let (settings, own) = FrameSettings::read::<Own>(&file.header.settings).unwrap();
        let head = Head::load(file, &own, settings.features()).unwrap();
        let rng = &mut seeded(4);
        let features: Vec<f32> = (0..rows * settings.features()).map(|_| 0.5 * normal(rng)).collect();
        let biases = head.biases(&features, rows);
        (head, biases)
    }

    #[test]
    fn it_begins_as_the_lower_machine_alone() {
        let (head, [visible, hidden, middle, top]) = head(&learnt(&json!({"begin": 1000}), 12).save(), 1);
        let Machines { lower, upper } = &head.machines;
        // 16 units are few enough to be enumerated.
        let [expected, found] =
            [lower.log_partition_exact(&visible, &hidden), upper.log_partition_exact(&middle, &top)]
                .map(Option::unwrap);
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        let frame = [Key::new(30), Key::new(34), Key::new(37)].into_iter().flatten().collect::<Keys>();
        let data = written(&[frame, Keys::NONE]);
        let twice = |biases: &[f32]| biases.repeat(2);
        let (visible, hidden, middle, top) = (twice(&visible), twice(&hidden), twice(&middle), twice(&top));
        let biases = DeepBiases { visible: &visible, hidden: &hidden, middle: &middle, top: &top };
        for (samples, seed) in [(1, 1), (1, 2), (5, 3)] {
            let bounds = log_bounds((lower, upper), &data, biases, samples, seed);
            for (bound, energy) in bounds.iter().zip(lower.free_energies(&data, &visible, &hidden)) {
                assert!((bound + energy).abs() < 1e-3, "{bound} {energy}");
            }
        }
    }

    #[test]
    fn what_the_upper_machine_learns_moves_nothing_of_the_lower_one() {
        // One norm is clipped for all.
        let of = |begin: u64| learnt(&json!({"begin": begin, "clip": 1e9}), 10).save();
        let (alone, both) = (of(1000), of(0));
        let moved: Vec<&str> = both
            .tensors
            .iter()
            .filter(|(name, tensor)| tensor.values != alone.tensors[*name].values)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(moved, ["middle.bias", "middle.weight", "top.bias", "top.weight", "upper.weight"]);
    }

    #[test]
    fn more_units_than_keys_begin_with_little_and_more_draws_bring_the_bound_nearer() {
        let trainer = learnt(&json!({"top": 100, "learning_rate": 0.02}), 30);
        let (head, [visible, hidden, middle, top]) = head(&trainer.save(), 200);
        assert_eq!((middle.len(), top.len()), (200 * 16, 200 * 100));
        let biases = DeepBiases { visible: &visible, hidden: &hidden, middle: &middle, top: &top };
        let frame = [Key::new(30), Key::new(34)].into_iter().flatten().collect::<Keys>();
        let data = written(&[frame; 200]);
        let mean = |samples: usize| {
            let Machines { lower, upper } = &head.machines;
            log_bounds((lower, upper), &data, biases, samples, 9).iter().sum::<f64>() / 200.0
        };
        assert!(mean(1) <= mean(30) + 1e-3, "{} {}", mean(1), mean(30));
    }
}
