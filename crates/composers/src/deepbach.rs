//! `deepbach`: writes for four voices by changing what does not sound likely, site by site; any sites may be given.
//!
//! Source: G. Hadjeres, F. Pachet and F. Nielsen, DeepBach: a Steerable Model for Bach Chorales Generation, ICML 2017,
//! arXiv:1612.01010v2. A network says of every *site*, a voice at a sixteenth, what may stand there, given all other sites: one LSTM has
//! read what comes before, another, backwards, what comes after, a third part sees the other voices at the same moment. Music is drawn by
//! Gibbs sampling: sites are drawn one after the other, each given the others as they are.
//! Departures: both LSTMs read whole pieces, not sixteen steps, so that all sites of a piece are learnt from at once; one pair of them
//! serves all voices (`source` has one for each, as the source has). A pitch that is held is told as a pitch wherever that gives nothing
//! away. Of a site its own voice's notes before and after are told as well,
//! how the other voices move to it and from it, and which pitches would be parallel to them (not to `source`). Fermatas and key are told to the network half
//! of the time, so that it can do without. Sites are drawn in sweeps from end to end ([`chain`]), not at random places so many times: a
//! long piece gets as many draws for each site as a short one, and none is drawn from what is out of date.
//!
//! What it gives to music is a pseudo-likelihood, the product of the sites' probabilities, each given all others: no figure of any other
//! kind compares with it. Fermatas and key are not told for it.
//!
//! Cost: the default has 3 million parameters; a sweep reads a piece once, in one direction.

mod cadences;
mod chain;
mod features;
mod lines;
mod neighbours;
mod network;
mod player;
mod trained;
mod trainer;
mod walk;

#[cfg(test)]
mod tests;

use cantus_encoding::voice_lines::{self, SYMBOLS};
use cantus_model::checks::{positive, share, within};
use cantus_model::choir::Choir;
use cantus_model::{Around, CheckedSettings, ComposerSpec, Configuration, Control, Sizes, TrainingSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "deepbach",
    version: 2,
    writes: "four voices; any of them, bar by bar, to those that are given; with cadences where you want them",
    suits: "four-part music: chorales, hymns",
    is_made_for: None,
    title: "each site from all others, by two LSTMs, drawn again and again",
    source: "Hadjeres, Pachet and Nielsen 2017",
    departures: "whole pieces are read, once for all voices; sites are drawn in sweeps from end to end",
    reads: &[cantus_score::Reading::Merged],
    encoding: "voice_lines",
    around: &[Around::Beginning, Around::Cells],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Cadences],
    configurations: &[
        Configuration {
            name: "default",
            summary: "two LSTM layers of 256 in each direction for all voices, their neighbours in each voice",
            settings: r#"{"beside":true,"beats":true,"motions":true}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"units":128,"learning_rate":0.003}"#,
                large: r#"{"hidden":512,"units":384,"batch":24,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":20,"units":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01,"averaging":0.5,"sweeps":8}"#,
        },
        Configuration {
            name: "source",
            summary: "as published: two LSTM layers of 256 in each direction for each voice, 256 units, dropout 0.5",
            settings: r#"{"separate":true,"beside":false,"beats":false,"motions":false,"dropout":0.5,"input_dropout":0.0,"learning_rate":0.001,
                          "weight_decay":0.0,"averaging":0.0}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"units":16,"batch":4,"window":24,"dropout":0.0,"transposition":0,"learning_rate":0.01,"sweeps":8}"#,
        },
    ],
    create: Some(trainer::SiteTrainer::create),
    load: player::DeepBach::load,
};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Cells of each LSTM layer.
    hidden: usize,
    /// LSTM layers in each direction.
    layers: usize,
    /// Units of what sees the other voices, and of what brings all together.
    units: usize,
    /// Whether each voice has LSTMs of its own.
    separate: bool,
    /// Whether a site is told what its own voice does before and after.
    beside: bool,
    /// Whether the network is told where in the bar a step lies, beside where in the beat.
    beats: bool,
    /// Whether a site is told how the other voices move to it and from it, and what would be parallel to them.
    motions: bool,
    /// Dropout of hidden layers.
    dropout: f32,
    /// Dropout of what the LSTMs read.
    input_dropout: f32,
    /// In which share of the pieces learnt from fermatas, and the key, are not told.
    untold: f32,
    /// Times that each site is drawn for a composition.
    sweeps: usize,
    /// Windows of a batch.
    batch: usize,
    /// Steps of a window; a longer piece is learnt from in several.
    window: usize,
    /// Semitones that a piece is moved by at random, up and down (at most 12), as far as the voices' ranges allow.
    transposition: u8,
    /// The learning rate at its height.
    learning_rate: f64,
    /// Decoupled weight decay of matrices.
    weight_decay: f64,
    /// The gradient's norm is clipped to it.
    clip: f64,
    /// How much of the parameters' running average stays at each step; 0 is none.
    averaging: f64,
    /// Steps over which the learning rate rises.
    warmup: u64,
    /// Epochs without improvement before the learning rate falls.
    patience: u32,
    /// Epochs where nothing else bounds the training.
    epochs: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hidden: 256,
            layers: 2,
            units: 256,
            separate: false,
            beside: true,
            beats: true,
            motions: true,
            dropout: 0.3,
            input_dropout: 0.1,
            untold: 0.5,
            sweeps: 40,
            batch: 12,
            window: 128,
            transposition: 6,
            learning_rate: 2e-3,
            weight_decay: 0.01,
            clip: 1.0,
            averaging: 0.998,
            warmup: 100,
            patience: 6,
            epochs: 40,
        }
    }
}

impl CheckedSettings for Settings {
    fn check(&self) -> Result<(), String> {
        within("hidden", self.hidden, 1, 4096)?;
        within("layers", self.layers, 1, 16)?;
        within("units", self.units, 1, 4096)?;
        within("sweeps", self.sweeps, 1, 10_000)?;
        within("batch", self.batch, 1, 4096)?;
        within("window", self.window, 2, 65_536)?;
        within("transposition", usize::from(self.transposition), 0, 12)?;
        within("patience", self.patience as usize, 1, 1_000_000)?;
        within("epochs", self.epochs as usize, 1, 1_000_000)?;
        within("warmup", usize::try_from(self.warmup).unwrap_or(usize::MAX), 0, 1_000_000)?;
        share("dropout", self.dropout)?;
        share("input_dropout", self.input_dropout)?;
        share("untold", self.untold)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("clip", self.clip)?;
        positive("weight_decay", self.weight_decay + f64::MIN_POSITIVE)
    }
}

/// What a model keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Corpus {
    #[serde(flatten)]
    choir: Choir,
    /// Whether a pitch that is struck again is told from one that is held.
    attacks: bool,
    /// How many phrases, from one cadence to the next, have so many quarter notes.
    phrases: BTreeMap<u32, u32>,
}

impl Corpus {
    /// What the pieces of a corpus have in common; `None` where nothing is sung.
    fn of(set: &TrainingSet) -> Option<Corpus> {
        let mut phrases: BTreeMap<u32, u32> = BTreeMap::new();
        let mut sung = 0;
        for piece in set.all() {
            let (sites, grid) = (voice_lines::read(&piece, set.attacks), piece.ticks_per_quarter);
            sung |= voice_lines::chords(&sites).iter().fold(0, |all, chord| all | chord.bits());
            let found = cadences::of_sites(&sites, grid, set.attacks);
            cadences::phrases(&found, grid).for_each(|quarters| *phrases.entry(quarters).or_default() += 1);
        }
        Some(Corpus { choir: Choir::of(set, sung)?, attacks: set.attacks, phrases })
    }
}
