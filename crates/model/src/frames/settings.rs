//! Settings that all composers of frames share, and what they know of their corpus.

use super::BarSteps;
use super::repetition::Limits;
use crate::checks::{positive, share, within};
use crate::learner::unroll;
use crate::{Rng, Settings, TrainingSet};
use burn::tensor::{Device, Tensor};
use cantus_encoding::piano_roll::{self, Frame, Key, Keys, Outside};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_score::{Meter, Score, Tempo, Ticks, TicksPerQuarter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Which keys of a step a network reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// All that sound: notes have durations, but where one is struck again is lost. The benchmark's reading.
    #[default]
    Sounding,
    /// Those that are struck: durations are lost.
    Onsets,
    /// All that sound, and which of them are struck: nothing is lost.
    Strokes,
}

impl Reading {
    /// The frames of a quantised score, notes beyond the keyboard moved onto it by octaves; none where the score is no piano roll. What
    /// the reading loses is put in the simplest way: a key that sounds on is held, a note ends with its step.
    pub fn frames(self, score: &Score) -> Vec<Frame> {
        let frames = piano_roll::encode(score, Outside::Fold).unwrap_or_default();
        match self {
            Reading::Sounding => piano_roll::from_sounding(&piano_roll::sounding(&frames)),
            Reading::Onsets => piano_roll::from_onsets(&piano_roll::onsets(&frames)),
            Reading::Strokes => frames,
        }
    }

    /// That of a corpus, unless one is asked for: all that is known of it.
    pub fn of(set: &TrainingSet) -> Reading {
        if set.attacks { Reading::Strokes } else { Reading::Sounding }
    }
}

/// In words.
impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reading::Sounding => "the keys that sound at each step",
            Reading::Onsets => "the keys that are struck at each step",
            Reading::Strokes => "the keys that sound at each step, and which of them are struck",
        })
    }
}

/// Settings of the layers that read the past, and of the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrameSettings {
    /// Which keys are read; settled when a network is made for a corpus: without a choice, all that the corpus knows.
    pub reading: Option<Reading>,
    /// Cells of each LSTM layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
    /// Whether the head sees the last frame itself beside what the layers make of it.
    pub skip: bool,
    /// Steps after which the clock that is read beside the keys begins anew; 0 is no clock.
    pub clock: usize,
    /// Dropout after each LSTM layer.
    pub dropout: f32,
    /// Dropout of the frames that are read.
    pub input_dropout: f32,
    /// Rows of a batch.
    pub batch: usize,
    /// Frames of a row that back-propagation sees at once.
    pub window: usize,
    /// Semitones that a piece is moved by at random, up (at most 6) and down (at most 5).
    pub transposition: u8,
    /// The learning rate at its height.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to it.
    pub clip: f64,
    /// How much of the parameters' running average stays at each step; the average is judged and kept in their place. 0 is none.
    pub averaging: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    pub patience: u32,
    /// Epochs where nothing else bounds the training.
    pub epochs: u32,
}

impl Default for FrameSettings {
    fn default() -> FrameSettings {
        FrameSettings {
            reading: None,
            hidden: 256,
            layers: 1,
            skip: true,
            clock: 16,
            dropout: 0.5,
            input_dropout: 0.2,
            batch: 16,
            window: 64,
            transposition: 6,
            learning_rate: 2e-3,
            weight_decay: 0.01,
            clip: 1.0,
            averaging: 0.0,
            warmup: 100,
            patience: 10,
            epochs: 400,
        }
    }
}

impl FrameSettings {
    /// These settings and a head's own, out of one list; each key belongs to one of the two.
    ///
    /// # Errors
    /// What is wrong, beginning with the setting's name.
    pub fn read<S: DeserializeOwned>(settings: &Settings) -> Result<(FrameSettings, S), String> {
        let (shared, own) = crate::settings::divide::<FrameSettings, S>(settings)?;
        shared.check()?;
        Ok((shared, own))
    }

    /// Both as one list again.
    pub fn write<S: Serialize>(&self, own: &S) -> Settings {
        crate::settings::joined(self, own)
    }

    /// Which keys are read, once that is settled.
    pub fn reading(&self) -> Reading {
        self.reading.unwrap_or_default()
    }

    /// Width of what the first layer reads: the keys, whether a piece begins, the clock; where strokes are read, which keys were struck.
    pub fn input(&self) -> usize {
        Keys::COUNT + 1 + self.clock + if self.reads_strokes() { Keys::COUNT } else { 0 }
    }

    /// Width of what the head sees.
    pub fn features(&self) -> usize {
        self.features_of(self.input())
    }

    /// The same, where a row that is read has another width.
    pub fn features_of(&self, input: usize) -> usize {
        self.hidden + if self.skip { input } else { 0 }
    }

    /// Fresh layers, the first of which reads rows of `input` numbers.
    pub fn lstms(&self, input: usize, rng: &mut Rng, device: &Device) -> Vec<Lstm> {
        let input = |layer: usize| if layer == 0 { input } else { self.hidden };
        (0..self.layers).map(|layer| Lstm::new(input(layer), self.hidden, rng, device)).collect()
    }

    /// What a head sees: what the layers of a network in training make of a batch of windows, beside it their input if `skip` asks for
    /// that; the states move on. Dropout's masks follow from `seed` and `step`.
    ///
    /// # Shapes
    /// `input`: `[T, B, I]` -> `[T * B, H]`, with `skip` `[T * B, H + I]`
    pub fn run(
        &self,
        lstms: &[Lstm],
        states: &mut [LstmState],
        input: Tensor<3>,
        (seed, step): (u64, u64),
    ) -> Tensor<2> {
        let key = |layer: usize| Some(MaskKey { seed, step, layer: layer as u64 });
        let input = dropout(input, self.input_dropout, key(0));
        let x = unroll(lstms, states, input.clone(), self.dropout, key);
        let [steps, rows, width] = input.dims();
        let x = x.reshape([steps * rows, self.hidden]);
        if self.skip { Tensor::cat(vec![x, input.reshape([steps * rows, width])], 1) } else { x }
    }

    /// Writes what is read before frame `step` of a piece.
    ///
    /// # Shapes
    /// `row`: `[I]`, zeros
    pub fn write_input(&self, before: Option<Frame>, step: usize, row: &mut [f32]) {
        match before {
            Some(frame) => frame.sounding().write(row),
            None => row[Keys::COUNT] = 1.0,
        }
        if self.clock > 0 {
            row[Keys::COUNT + 1 + step % self.clock] = 1.0;
        }
        if self.reads_strokes() {
            before.unwrap_or_default().struck.write(&mut row[Keys::COUNT + 1 + self.clock..]);
        }
    }

    /// Whether a network of these settings can be built within reason; file data passes through here, too.
    fn check(&self) -> Result<(), String> {
        within("hidden", self.hidden, 1, 8192)?;
        within("layers", self.layers, 1, 16)?;
        within("clock", self.clock, 0, 4096)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        within("patience", self.patience as usize, 1, 1_000_000)?;
        within("epochs", self.epochs as usize, 1, 1_000_000)?;
        within("warmup", usize::try_from(self.warmup).unwrap_or(usize::MAX), 0, 1_000_000)?;
        within("transposition", usize::from(self.transposition), 0, 6)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        positive("weight_decay", self.weight_decay + f64::MIN_POSITIVE)
    }
}

/// Whether a file's grid, metre and tempo (microseconds a quarter) can be used.
///
/// # Errors
/// What is wrong.
pub fn check_time(steps_per_quarter: u32, meter: &str, tempo: Option<u32>) -> Result<(), String> {
    within("steps_per_quarter", steps_per_quarter as usize, 1, 96)?;
    meter.parse::<Meter>().map_err(|e| e.to_string())?;
    match tempo {
        Some(micros) if Tempo::from_micros_per_quarter(micros).is_none() => {
            Err(format!("a tempo of {micros} microseconds a quarter is none"))
        }
        _ => Ok(()),
    }
}

/// What a composer of frames keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roll {
    /// Steps to a quarter note.
    pub steps_per_quarter: u32,
    /// The lowest and the highest key heard, 0-87.
    pub range: (usize, usize),
    /// The most frequent metre.
    pub meter: String,
    /// The middle one of the pieces' first tempos, microseconds a quarter note.
    pub tempo: Option<u32>,
    /// How long literal repetition may last.
    #[serde(default)]
    pub repetition: Limits,
}

impl Roll {
    /// What the pieces of a corpus have in common; `None` where none has a note.
    pub fn of(set: &TrainingSet, reading: Reading) -> Option<Roll> {
        let frames =
            |piece: Cow<'_, Score>| reading.frames(&piece).into_iter().map(Frame::sounding).collect::<Vec<Keys>>();
        let sounding = set.all().flat_map(frames).fold(Keys::NONE, |all, keys| all | keys);
        let range = (sounding.iter().next()?.index(), sounding.iter().next_back()?.index());
        let (grid, meter) = (set.all().next()?.ticks_per_quarter, set.usual_meter());
        let two_bars = BarSteps::new(grid, meter).first_step(2);
        Some(Roll {
            steps_per_quarter: grid.get(),
            range,
            meter: meter.to_string(),
            tempo: set.usual_tempo().map(Tempo::micros_per_quarter),
            repetition: Limits::of(
                set.all().map(|piece| frames(piece).into_iter().map(Keys::bits).collect()),
                two_bars,
            ),
        })
    }

    /// Whether a file's can be used.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        within("range", self.range.1, self.range.0, Keys::COUNT - 1)?;
        check_time(self.steps_per_quarter, &self.meter, self.tempo)
    }

    /// Keys that were heard, and those between them.
    pub fn allowed(&self) -> Keys {
        (self.range.0..=self.range.1).filter_map(Key::new).collect()
    }

    /// The lowest and the highest MIDI pitch that was heard.
    pub fn pitches(&self) -> (u8, u8) {
        let pitch = |key: usize| Key::new(key).map_or(0, |key| key.pitch().get());
        (pitch(self.range.0), pitch(self.range.1))
    }

    /// Its grid.
    pub fn grid(&self) -> TicksPerQuarter {
        TicksPerQuarter::new(self.steps_per_quarter).unwrap_or(TicksPerQuarter::DEFAULT)
    }

    /// An empty score in the corpus's metre and tempo.
    pub fn open(&self) -> Score {
        let mut score = Score::new(self.grid());
        score.meters.extend(self.meter.parse::<Meter>().ok().map(|meter| (Ticks::ZERO, meter)));
        score.tempos.extend(self.tempo.and_then(Tempo::from_micros_per_quarter).map(|tempo| (Ticks::ZERO, tempo)));
        score
    }
}
