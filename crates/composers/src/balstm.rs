//! BALSTM: writes piano music as frames whose keys are decided one after another, by a network that all keys share.
//!
//! Source: D. Johnson, Generating Polyphonic Music Using Tied Parallel Networks, EvoMUSART 2017, and his program
//! biaxial-rnn-music-composition (2015). Each key has LSTM layers of its own state and shared weights, which run along time and read what
//! sounds around that key. What they make of the past is read by smaller LSTM layers that run along the keys, upwards, and at each key
//! see what was decided below:
//!
//! ```text
//! P(frame) = prod_k P(key k sounds | keys below k, past as seen from k)
//! ```
//! and, where attacks are known, which of those that sound on are struck again ([`cantus_model::frames`]), by the features of the key itself.
//! Nothing says which key it is: moved music has moved probabilities, so a style that is learnt in one key is known in all.
//!
//! Departures: a climb along the keys begins an octave below the lowest key that sounded last, not at the lowest key there is, so that
//! nothing can be counted from there; the keys below come after all others. Position and pitch class, which the program reads and which break that, are an option (`position`); a key is told of
//! `below` decisions below it and not of the last alone; the layers along the keys read what the ones along time read (`skip`); Adam, weights
//! averaged. `source` has the program's sizes and inputs. `nade` has the paper's TP-LSTM-NADE: hidden units that see all decisions below, by
//! weights for each interval, in the place of the layers along the keys.
//!
//! Its likelihood is exact. Cost: the default, 0.3 million parameters, takes 160 MFLOP a frame in training, 70 times those of
//! `lstm_frames`, for every key runs the whole network.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_model::checks::{share, within};
use cantus_model::frames::{
    Batch, Effort, FrameComposer, FrameNetwork, FrameSettings, FrameSums, FrameTrainer, Learning,
};
use cantus_model::learner::Recurrent;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Rng, Sizes, derive};
use cantus_nn::bernoulli::bernoulli;
use cantus_nn::coins::Coins;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::precision::Precision;
use cantus_score::Reading;
use climb::{Climb, Lowest};
use head::Head;
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

mod climb;
mod head;
#[cfg(test)]
mod tests;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "balstm",
    version: 1,
    writes: "chords on a piano's keys from step to step, decided key by key upwards",
    suits: "small collections in many keys, for it learns a style from few files, in all keys at once; slower to learn than others",
    is_made_for: None,
    title: "BALSTM: LSTMs along time and along the keys, with weights that all keys share",
    source: "Johnson 2017 (tied parallel networks) and 2015 (biaxial RNN)",
    departures: "no key is told which it is; it sees twelve decisions below it; Adam; weights are averaged",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "LSTMs of 128 and 128 along time, 64 and 32 along the keys",
            settings: r#"{"hidden":128,"layers":2,"dropout":0.3,"input_dropout":0.1,"batch":8,"window":32,"transposition":0,"averaging":0.99}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":64,"notes":[32],"learning_rate":0.003}"#,
                large: r#"{"hidden":256,"notes":[100,50],"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":24,"layers":1,"notes":[16],"reach":8,"below":6,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,
                      "note_dropout":0.0,"clock":8,"learning_rate":0.01,"averaging":0.5}"#,
        },
        Configuration {
            name: "source",
            summary: "the program's sizes and inputs: 300 and 300, 100 and 50; a key knows which it is",
            settings: r#"{"hidden":300,"layers":2,"notes":[100,50],"reach":12,"below":1,"position":true,"skip":false,"dropout":0.5,
                          "note_dropout":0.5,"input_dropout":0.0,"batch":5,"window":64,"transposition":0,"weight_decay":0.0}"#,
            sizes: None,
            tiny: r#"{"hidden":24,"layers":1,"notes":[16],"batch":4,"window":24,"dropout":0.0,"note_dropout":0.0,"clock":8,
                      "learning_rate":0.01}"#,
        },
        Configuration {
            name: "nade",
            summary: "TP-LSTM-NADE: hidden units over all keys below in the place of LSTMs along the keys",
            settings: r#"{"hidden":128,"layers":2,"notes":[],"units":100,"below":87,"dropout":0.3,"input_dropout":0.1,"batch":8,"window":32,
                          "transposition":0,"averaging":0.99}"#,
            sizes: None,
            tiny: r#"{"hidden":24,"layers":1,"units":24,"reach":8,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"note_dropout":0.0,
                      "clock":8,"learning_rate":0.01,"averaging":0.5}"#,
        },
    ],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

/// Pitch classes of an octave.
const CLASSES: usize = 12;
/// The widest look around: both sides and the keyboard fit in 128 bits.
const MOST_REACH: usize = 40;

/// Settings of what all keys share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Semitones that a key sees up and down.
    reach: usize,
    /// Whether a key is told which one it is: its place and its pitch class.
    position: bool,
    /// Decisions that a key sees, those on the next keys below it.
    below: usize,
    /// Hidden units between what a key sees and the layers along the keys; 0 leaves them out.
    units: usize,
    /// Cells of the LSTM layers along the keys.
    notes: Vec<usize>,
    /// Dropout after the units and after each layer along the keys.
    note_dropout: f32,
    /// Of the LSTMs' products while they learn.
    precision: Precision,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            reach: 24,
            position: false,
            below: CLASSES,
            units: 0,
            notes: vec![64, 32],
            note_dropout: 0.2,
            precision: Precision::Half,
        }
    }
}

impl Own {
    /// Keys that one key sees.
    fn around(&self) -> usize {
        2 * self.reach + 1
    }
}

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    strokes: Option<Coins>,
    units: Option<Linear>,
    notes: Vec<Lstm>,
    output: Linear,
}

impl Recurrent for Network {
    /// A row for each key.
    const ROWS: usize = Keys::COUNT;

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
        within("reach", own.reach, 0, MOST_REACH)?;
        within("below", own.below, 1, Keys::COUNT - 1)?;
        within("units", own.units, 0, 4096)?;
        within("notes", own.notes.len(), 0, 8)?;
        own.notes.iter().try_for_each(|cells| within("notes", *cells, 1, 4096))?;
        share("note_dropout", own.note_dropout)
    }

    /// Whether a piece begins, the clock; what sounds around the key and, where that is read, what is struck; how many keys of each
    /// pitch class sound, counted from the key's own; its position.
    fn input(settings: &FrameSettings, own: &Own) -> usize {
        let sets = 1 + usize::from(settings.reads_strokes());
        let position = if own.position { 1 + CLASSES } else { 0 };
        1 + settings.clock + sets * own.around() + CLASSES + position
    }

    fn write_input(settings: &FrameSettings, own: &Own, before: Option<Frame>, step: usize, rows: &mut [f32]) {
        let frame = before.unwrap_or_default();
        let struck = settings.reads_strokes().then_some(frame.struck);
        let mut classes = [0.0; CLASSES];
        frame.sounding().iter().for_each(|key| classes[key.index() % CLASSES] += 1.0);
        for (key, row) in rows.chunks_exact_mut(Network::input(settings, own)).enumerate() {
            row[0] = f32::from(u8::from(before.is_none()));
            if settings.clock > 0 {
                row[1 + step % settings.clock] = 1.0;
            }
            let mut row = &mut row[1 + settings.clock..];
            for set in [Some(frame.sounding()), struck].into_iter().flatten() {
                let (around, rest) = row.split_at_mut(own.around());
                write_bits(set.bits() << own.reach >> key, around);
                row = rest;
            }
            (0..CLASSES).for_each(|up| row[up] = classes[(key + up) % CLASSES]);
            if own.position {
                row[CLASSES] = key as f32 / Keys::COUNT as f32;
                row[CLASSES + 1 + key % CLASSES] = 1.0;
            }
        }
    }

    fn new(
        settings: &FrameSettings,
        own: &Own,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let input = Network::input(settings, own);
        let features = settings.features_of(input);
        let lstms = settings.lstms(input, rng, device).into_iter();
        let mut width = features + own.below;
        let units = (own.units > 0).then(|| {
            let units = Linear::new(width, own.units, rng, device);
            width = own.units;
            units
        });
        let mut notes = Vec::new();
        for &cells in &own.notes {
            notes.push(Lstm::new(width, cells, rng, device).with_precision(own.precision));
            width = cells;
        }
        let p = frequencies.iter().sum::<f32>() / Keys::COUNT as f32;
        Network {
            lstms: lstms.map(|lstm| lstm.with_precision(own.precision)).collect(),
            units,
            notes,
            output: Linear::with_bias(width, &[(p / (1.0 - p)).ln()], rng, device),
            strokes: settings.strokes(features, rng, device),
        }
    }

    fn loss(&self, own: &Own, features: Tensor<2>, batch: &Batch, at: Learning<'_, Lowest>) -> (Tensor<1>, FrameSums) {
        let seed = derive(at.seed, "notes", &[]).next_u64();
        let key = |layer: u64| Some(MaskKey { seed, step: at.step, layer });
        let climb = |(row, keys): (usize, &Keys)| match batch.windows[row % batch.rows] {
            Some(window) if batch.weights[row] > 0.0 => {
                let lowest = at.past(window.piece).before(window.first + row / batch.rows);
                Climb::new(*keys, lowest.map(|key| key.saturating_add_signed(window.shift as isize)))
            }
            _ => Climb::new(*keys, None),
        };
        let climbs: Vec<Climb> = batch.keys.iter().enumerate().map(climb).collect();
        let mut targets = batch.targets.clone();
        targets.chunks_exact_mut(Keys::COUNT).zip(&climbs).for_each(|(row, climb)| row.rotate_left(climb.start));
        let (loss, found) = bernoulli(self.logits(own, features, &climbs, key), &targets, &batch.weights);
        (loss, FrameSums { nats: found.nats, frames: found.counted, accuracies: found.accuracies })
    }

    fn validation_effort(_: &Own, _: usize) -> Effort {
        Effort { every: 1, chains: 1, temperatures: 1 }
    }
}

impl Network {
    /// The logit of each key of frames, in the order of their climbs, given what was decided below it.
    ///
    /// # Shapes
    /// `features`: `[N * K, F]`, `climbs`: `[N]` -> `[N, K]`
    fn logits(
        &self,
        own: &Own,
        features: Tensor<2>,
        climbs: &[Climb],
        mask: impl Fn(u64) -> Option<MaskKey>,
    ) -> Tensor<2> {
        let ([rows, width], frames, device) = (features.dims(), climbs.len(), features.device());
        let keys = rows / frames.max(1);
        let (mut order, mut decided) = (Vec::with_capacity(rows), vec![0.0; rows * own.below]);
        for (row, decided) in decided.chunks_exact_mut(own.below).enumerate() {
            let (at, frame) = (row / frames, row % frames);
            let key = climbs[frame].key(at, keys);
            order.push((frame * keys + key) as i64);
            write_bits(climbs[frame].below(key), decided);
        }
        let order = Tensor::<1, Int>::from_data(TensorData::new(order, [rows]), &device);
        let decided = Tensor::<3>::from_data(TensorData::new(decided, [keys, frames, own.below]), &device);
        let features = features.select(0, order).reshape([keys, frames, width]);
        let mut x = Tensor::cat(vec![features, decided], 2);
        if let Some(units) = &self.units {
            x = dropout(activation::sigmoid(units.forward(x)), own.note_dropout, mask(0));
        }
        for (lstm, layer) in self.notes.iter().zip(1..) {
            let (y, _) = lstm.forward(x, &LstmState::zeros(frames, lstm.hidden()));
            x = dropout(y, own.note_dropout, mask(layer));
        }
        self.output.forward(x).reshape([keys, frames]).swap_dims(0, 1)
    }
}

fn write_bits(bits: u128, row: &mut [f32]) {
    row.iter_mut().enumerate().for_each(|(k, x)| *x = (bits >> k & 1) as f32);
}
