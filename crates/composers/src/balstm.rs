//! `balstm`: writes piano music as frames by one network that all keys share: along time it reads each key and its surroundings, along the keys, upwards,
//! it decides which sound.
//!
//! Source: D. Johnson, Generating Polyphonic Music Using Tied Parallel Networks, EvoMUSART 2017 (BALSTM and TP-LSTM-NADE), and the program
//! biaxial-rnn-music-composition, 2015.
//! Departures: no key knows its name (`position` tells it), so that moved music moves its probabilities; the program's key number and pitch class break
//! what the paper claims. Along the keys the network is told, beside the key below, the keys of the octave below and how many of each pitch class have
//! been decided (`below`, `tallies`; `source` has the key below alone). Which of the keys that sound on are struck again is decided after them, by
//! what is known of each ([`cantus_model::frames`]), and only where attacks are known. A clock that counts steps is read in the place of the program's
//! place in a bar, which takes metres of two and four alone. AdamW in the place of Adadelta; carried state; validation; no power that wakes a quiet
//! network: repetition is bounded as in all composers of frames. `nade` has a layer of hidden units in the place of the LSTMs along the keys.
//!
//! Its likelihood is exact: each key's coin is tossed knowing all below.
//!
//! Cost: the default, 0.3 million parameters, makes 26 million multiplications a frame (the source's sizes 120), three times as many each with its sum in
//! training: 0.16 GFLOP.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use cantus_encoding::piano_roll::{Frame, Key, Keys};
use cantus_model::checks::{share, within};
use cantus_model::frames::{
    Batch, Effort, FrameComposer, FrameFigure, FrameHead, FrameNetwork, FrameSettings, FrameSums, FrameTrainer, League,
    Learning, Step,
};
use cantus_model::learner::Recurrent;
use cantus_model::{
    Around, ComposerSpec, Configuration, Control, Kind, ModelError, ModelFile, Rng, Sampling, Sizes, layers,
};
use cantus_nn::bernoulli::{self, bernoulli};
use cantus_nn::coins::Coins;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_score::Reading;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "balstm",
    version: 1,
    writes: "chords on a piano's keys from step to step, alike in all keys",
    suits: "few pieces, in any keys: hymns, chorales, piano pieces",
    is_made_for: None,
    title: "one network for all keys: LSTMs along time, LSTMs along the keys",
    source: "Johnson 2017 (BALSTM, TP-LSTM-NADE) and 2015 (biaxial-rnn-music-composition)",
    departures: "no key knows its name; the octave below is told along the keys; a clock; strokes by coins of their own; AdamW; `source`: the \
                 program's sizes and inputs; `nade`: hidden units along the keys",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "two LSTM layers of 128 along time, 64 and 32 along the keys",
            settings: r#"{"hidden":128,"layers":2,"skip":false,"dropout":0.3,"input_dropout":0.0,"batch":8,"transposition":0,"averaging":0.998,
                          "learning_rate":0.003,"upper":[64,32]}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":64,"upper":[48,24]}"#,
                large: r#"{"hidden":192,"upper":[96,48],"learning_rate":0.002}"#,
            }),
            tiny: TINY,
        },
        Configuration {
            name: "source",
            summary: "the program's sizes and inputs: 300 and 300, 100 and 50; every key knows its name",
            settings: r#"{"hidden":300,"layers":2,"skip":false,"dropout":0.5,"input_dropout":0.0,"batch":10,"window":128,"transposition":0,
                          "learning_rate":0.001,"weight_decay":0.0,"upper":[100,50],"below":1,"tallies":false,"position":true}"#,
            sizes: None,
            tiny: TINY,
        },
        Configuration {
            name: "nade",
            summary: "a layer of 64 hidden units in the place of the LSTMs along the keys",
            settings: r#"{"hidden":128,"layers":2,"skip":false,"dropout":0.3,"input_dropout":0.0,"batch":8,"transposition":0,"averaging":0.998,
                          "learning_rate":0.003,"upper":[],"units":64,"below":24}"#,
            sizes: None,
            tiny: r#"{"hidden":12,"layers":2,"batch":2,"window":24,"dropout":0.0,"input_dropout":0.0,"clock":8,"learning_rate":0.01,"units":12,
                      "averaging":0.5,"reach":6}"#,
        },
    ],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

const TINY: &str = r#"{"hidden":12,"layers":2,"batch":2,"window":24,"dropout":0.0,"input_dropout":0.0,"clock":8,"learning_rate":0.01,
                       "averaging":0.5,"upper":[10,6],"reach":6}"#;

/// Settings beside those of all composers of frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Cells of the LSTM layers along the keys; none where hidden units decide.
    upper: Vec<usize>,
    /// Hidden units, where there are no layers along the keys.
    units: usize,
    /// Semitones up and down that a key sees of the frame before.
    reach: usize,
    /// Keys below that it sees of its own frame, each for itself.
    below: usize,
    /// Whether it sees how many of each pitch class, counted from its own, are decided below.
    tallies: bool,
    /// Whether it knows which key it is.
    position: bool,
    /// Dropout after what decides.
    upper_dropout: f32,
}

impl Default for Own {
    fn default() -> Own {
        Own { upper: vec![64, 32], units: 64, reach: 12, below: 12, tallies: true, position: false, upper_dropout: 0.0 }
    }
}

/// Pitch classes.
const CLASSES: usize = 12;

impl Own {
    /// Width of what a key reads of the frame before.
    fn input(&self, clock: usize) -> usize {
        2 * (2 * self.reach + 1) + CLASSES + 1 + clock + if self.position { 1 + CLASSES } else { 0 }
    }

    /// Width of what it is told of its own frame.
    fn decided(&self) -> usize {
        self.below + if self.tallies { CLASSES } else { 0 }
    }

    /// What a key is told of those below it in a frame.
    fn write_decided(&self, keys: Keys, key: usize, row: &mut [f32]) {
        for (k, x) in row[..self.below].iter_mut().enumerate() {
            *x = key.checked_sub(k + 1).map_or(0.0, |k| bit(keys, k));
        }
        if self.tallies {
            for other in keys.iter().take_while(|other| other.index() < key) {
                row[self.below + (key - other.index()) % CLASSES] += 1.0;
            }
        }
    }

    /// Width of what decides, where `features` are known of the past.
    fn width(&self) -> usize {
        self.upper.last().copied().unwrap_or(self.units)
    }
}

fn bit(keys: Keys, k: usize) -> f32 {
    (keys.bits() >> k & 1) as f32
}

#[derive(Module, Debug)]
struct Network {
    /// Along time, the same for each key.
    lstms: Vec<Lstm>,
    strokes: Option<Coins>,
    /// Along the keys.
    upper: Vec<Lstm>,
    /// In their place.
    units: Option<Linear>,
    output: Linear,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }

    fn rows(&self) -> usize {
        Keys::COUNT
    }
}

impl Network {
    /// The logits of all keys of frames, each knowing those below it.
    ///
    /// # Shapes
    /// `features`: `[N * 88, F]` -> `[N, 88]`
    fn logits(&self, own: &Own, features: Tensor<2>, frames: &[Keys], rate: f32, key: Option<MaskKey>) -> Tensor<2> {
        let (count, width) = (frames.len(), own.decided());
        let [_, seen] = features.dims();
        let masked = |x: Tensor<3>, layer: usize| {
            dropout(x, rate, key.map(|key| MaskKey { layer: UPPER + layer as u64, ..key }))
        };
        let mut decided = vec![0.0; Keys::COUNT * count * width];
        if self.upper.is_empty() {
            for (place, row) in decided.chunks_exact_mut(width.max(1)).enumerate() {
                own.write_decided(frames[place / Keys::COUNT], place % Keys::COUNT, row);
            }
            let Some(units) = &self.units else { return Tensor::zeros([count, Keys::COUNT], &features.device()) };
            let decided =
                Tensor::<2>::from_data(TensorData::new(decided, [count * Keys::COUNT, width]), &features.device());
            let x = relu(units.forward(Tensor::cat(vec![features, decided], 1)));
            let x = masked(x.reshape([1, count * Keys::COUNT, own.units]), 0);
            return self.output.forward(x).reshape([count, Keys::COUNT]);
        }
        for (place, row) in decided.chunks_exact_mut(width.max(1)).enumerate() {
            own.write_decided(frames[place % count], place / count, row);
        }
        let decided = Tensor::<3>::from_data(TensorData::new(decided, [Keys::COUNT, count, width]), &features.device());
        let along = features.reshape([count, Keys::COUNT, seen]).swap_dims(0, 1);
        let mut x = Tensor::cat(vec![along, decided], 2);
        for (layer, lstm) in self.upper.iter().enumerate() {
            let (y, _) = lstm.forward(x, &LstmState::zeros(count, lstm.hidden()));
            x = masked(y, layer);
        }
        self.output.forward(x).reshape([Keys::COUNT, count]).swap_dims(0, 1)
    }
}

/// Layers of masks along the keys come after those along time.
const UPPER: u64 = 1 << 16;

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
        within("layers along the keys", own.upper.len(), 0, 8)?;
        own.upper.iter().try_for_each(|cells| within("upper", *cells, 1, 4096))?;
        within("units", own.units, 1, 4096)?;
        within("reach", own.reach, 0, Keys::COUNT)?;
        within("below", own.below, 1, Keys::COUNT)?;
        share("upper_dropout", own.upper_dropout)
    }

    fn new(
        settings: &FrameSettings,
        own: &Own,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let input = Head::input(settings, own);
        let features = settings.features_of(input);
        let lstms = settings.lstms(input, rng, device);
        let decides = features + own.decided();
        let upper: Vec<Lstm> = own
            .upper
            .iter()
            .enumerate()
            .map(|(k, cells)| Lstm::new(if k == 0 { decides } else { own.upper[k - 1] }, *cells, rng, device))
            .collect();
        let units = upper.is_empty().then(|| Linear::new(decides, own.units, rng, device));
        let mean = frequencies.iter().sum::<f32>() / Keys::COUNT as f32;
        let output = Linear::with_bias(own.width(), &[(mean / (1.0 - mean)).ln()], rng, device);
        Network { lstms, upper, units, output, strokes: settings.strokes_of(features, rng, device) }
    }

    fn loss(&self, own: &Own, features: Tensor<2>, batch: &Batch, at: Learning<'_, ()>) -> (Tensor<1>, FrameSums) {
        let key = Some(MaskKey { seed: at.seed, step: at.step, layer: 0 });
        let logits = self.logits(own, features, &batch.keys, own.upper_dropout, key);
        let (loss, found) = bernoulli(logits, &batch.targets, &batch.weights);
        (loss, FrameSums { nats: found.nats, frames: found.counted, accuracies: found.accuracies })
    }

    fn validation_effort(_: &Own, _: usize) -> Effort {
        Effort { every: 1, chains: 1, temperatures: 1 }
    }
}

/// What decides, out of a file.
struct Head {
    own: Own,
    features: usize,
    upper: Vec<LstmCell>,
    units: Option<Dense>,
    output: Dense,
}

/// Frames that are decided side by side, as far as they are.
struct Deciding {
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    input: Vec<f32>,
    units: Vec<f32>,
    logits: Vec<f32>,
    scratch: Scratch,
}

impl Head {
    fn begin(&self, count: usize) -> Deciding {
        let zeros = |cell: &LstmCell| (vec![0.0; count * cell.hidden()], vec![0.0; count * cell.hidden()]);
        Deciding {
            layers: self.upper.iter().map(zeros).collect(),
            input: vec![0.0; count * (self.features + self.own.decided())],
            units: vec![0.0; if self.units.is_some() { count * self.own.units } else { 0 }],
            logits: vec![0.0; count],
            scratch: Scratch::new(),
        }
    }

    /// The logits of a key in each frame, given the keys below it; keys come in order.
    ///
    /// # Shapes
    /// `features`: `[N, 88, F]`, `frames`: `[N]` -> `[N]`
    fn decide<'d>(&self, features: &[f32], frames: &[Keys], key: usize, at: &'d mut Deciding) -> &'d [f32] {
        let width = self.features + self.own.decided();
        at.input.fill(0.0);
        for (frame, (row, keys)) in at.input.chunks_exact_mut(width).zip(frames).enumerate() {
            row[..self.features]
                .copy_from_slice(&features[(frame * Keys::COUNT + key) * self.features..][..self.features]);
            self.own.write_decided(*keys, key, &mut row[self.features..]);
        }
        for (k, cell) in self.upper.iter().enumerate() {
            let (below, here) = at.layers.split_at_mut(k);
            let (h, c) = &mut here[0];
            cell.step(below.last().map_or(&at.input, |(h, _)| h), h, c, &mut at.scratch);
        }
        let last = match &self.units {
            Some(units) => {
                units.forward(&at.input, &mut at.units);
                &at.units
            }
            None => at.layers.last().map_or(&at.input, |(h, _)| h),
        };
        self.output.forward(last, &mut at.logits);
        &at.logits
    }
}

impl FrameHead for Head {
    type Settings = Own;
    type Past = ();

    const ROWS: usize = Keys::COUNT;

    fn input(settings: &FrameSettings, own: &Own) -> usize {
        own.input(settings.clock)
    }

    /// For each key: what sounded around it and what of that was struck; how many of each pitch class, counted from its own; whether a piece
    /// begins; the clock.
    fn write(settings: &FrameSettings, own: &Own, before: Option<Frame>, step: usize, rows: &mut [f32]) {
        let frame = before.unwrap_or_default();
        let (sounding, struck, span) = (frame.sounding(), frame.struck, 2 * own.reach + 1);
        for (key, row) in rows.chunks_exact_mut(own.input(settings.clock)).enumerate() {
            for k in 0..span {
                if let Some(other) = (key + k).checked_sub(own.reach).filter(|other| *other < Keys::COUNT) {
                    row[k] = bit(sounding, other);
                    row[span + k] = bit(struck, other);
                }
            }
            let rest = &mut row[2 * span..];
            for other in sounding {
                rest[(other.index() + 8 * CLASSES - key) % CLASSES] += 1.0;
            }
            rest[CLASSES] = if before.is_none() { 1.0 } else { 0.0 };
            if settings.clock > 0 {
                rest[CLASSES + 1 + step % settings.clock] = 1.0;
            }
            if own.position {
                let named = &mut rest[CLASSES + 1 + settings.clock..];
                named[0] = key as f32 / Keys::COUNT as f32;
                named[1 + (key + usize::from(Key::LOWEST_PITCH)) % CLASSES] = 1.0;
            }
        }
    }

    fn load(file: &ModelFile, own: &Own, features: usize) -> Result<Head, ModelError> {
        let decides = features + own.decided();
        let cell = |k: usize| {
            let input = if k == 0 { decides } else { own.upper[k - 1] };
            layers::cell(file, &format!("upper.{k}"), (input, own.upper[k]), LstmCell::new)
        };
        let units = || layers::dense(file, "units", (decides, own.units), Dense::new).map(Dense::with_relu);
        Ok(Head {
            upper: (0..own.upper.len()).map(cell).collect::<Result<_, _>>()?,
            units: own.upper.is_empty().then(units).transpose()?,
            output: layers::dense(file, "output", (own.width(), 1), Dense::new)?,
            own: own.clone(),
            features,
        })
    }

    fn kind() -> Kind {
        Kind::Exact
    }

    fn league() -> League {
        League::Joint
    }

    fn describe(&self) -> String {
        let widths: Vec<String> = self.own.upper.iter().map(usize::to_string).collect();
        match &widths[..] {
            [] => format!("for each key; {} units decide, from the lowest key up", self.own.units),
            _ => format!(
                "for each key; LSTM layers of {} along the keys decide, from the lowest up",
                widths.join(" and ")
            ),
        }
    }

    fn default_sampling() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 }
    }

    fn judge(&self, features: &[f32], _: &[Step<'_, ()>], targets: &[Keys], _: Effort, _: u64) -> Vec<FrameFigure> {
        let mut deciding = self.begin(targets.len());
        let mut logits = vec![0.0; targets.len() * Keys::COUNT];
        for key in 0..Keys::COUNT {
            let found = self.decide(features, targets, key, &mut deciding);
            found.iter().enumerate().for_each(|(frame, logit)| logits[frame * Keys::COUNT + key] = *logit);
        }
        let mut target = [0.0; Keys::COUNT];
        let figure = |(logits, keys): (&[f32], &Keys)| {
            keys.write(&mut target);
            let found = bernoulli::row(logits, &target, 1.0);
            FrameFigure { nats: found.nats, hits: found.hits, union: found.union, ..FrameFigure::default() }
        };
        logits.chunks_exact(Keys::COUNT).zip(targets).map(figure).collect()
    }

    /// Key by key from the lowest; each is a choice of two outcomes, drawn as tokens are: so top-p below 1 silences keys that are less likely than
    /// `1 - top_p`.
    fn draw(
        &self,
        features: &[f32],
        _: Step<'_, ()>,
        _: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        let (mut deciding, mut drawn) = (self.begin(1), Keys::NONE);
        for k in 0..Keys::COUNT {
            let logit = self.decide(features, &[drawn], k, &mut deciding)[0];
            let on = sampling.draw(&[0.0, logit], rng).filter(|_| logit.is_finite())?;
            if let Some(key) = Key::new(k).filter(|key| on == 1 && allowed.contains(*key)) {
                drawn.insert(key);
            }
        }
        Some(drawn)
    }
}
