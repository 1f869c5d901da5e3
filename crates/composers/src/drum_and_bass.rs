//! `drum_and_bass`: writes a bass to drums, two bars after two bars, by one of seven networks that the program of that name has or plans.
//!
//! Source: M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20 (github.com/mkarpenkospb/drum_and_bass), its notebooks; each network's file
//! names what else it follows, and what departs from it. They are here for the record: a bass is decided by its own past, which networks
//! that write all cells at once do not see, so that they hardly beat counting; who wants a bass takes `accompany`.
//! Departures from the whole of it: cross-entropy in the place of the squared error, which likes silence best; cells begin at their counted rates;
//! tempo and program lie around 0; the register of a whole piece is chosen once, as often as the corpus has each; steps at which several
//! notes begin are as many as in the corpus; songs are divided before anything is learnt.
//!
//! Cost: a pattern of `fcnn`, 6 MFLOP forward; a training on 4,500 patterns, a minute or two of one core.

mod batch;
mod cells;
mod cnn;
mod fcnn;
mod lstm_fcnn;
mod network;
mod pattern;
mod pix2pix;
mod player;
mod section;
mod seq2seq;
mod settings;
#[cfg(test)]
mod tests;
mod trainer;
mod vae;

use cantus_model::{Around, ComposerSpec, Configuration, Control};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "drum_and_bass",
    version: 1,
    writes: "a bass to given drums, two bars after two bars",
    suits: "researchers: seven networks beside `accompany`, on songs with drums and a bass or on files of pairs",
    is_made_for: None,
    title: "dense layers, convolutions, LSTMs, VAEs or a GAN from drums to the cells of a bass",
    source: "Karpenko and Kryshtapovich 2019 (drum_and_bass)",
    departures: "cross-entropy in the place of the squared error; cells begin at their counted rates; the register is chosen once a piece",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "rhythm_section",
    around: &[Around::Beginning, Around::Parts],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Program],
    configurations: &[
        Configuration {
            name: "fcnn",
            summary: "dense layers, all cells at once",
            settings: r#"{"network":"fcnn","learning_rate":0.0005,"muted":0.15,"dropout":0.5,"weight_decay":0.1}"#,
            sizes: None,
            tiny: r#"{"counted":0.05,"hidden":16,"layers":1,"batch":4,"learning_rate":0.01,"averaging":0.5,"dropout":0.0}"#,
        },
        Configuration {
            name: "cnn",
            summary: "dilated convolutions over the drums, all cells at once",
            settings: r#"{"network":"cnn","hidden":64,"layers":6,"muted":0.15}"#,
            sizes: None,
            tiny: r#"{"counted":0.0,"hidden":8,"layers":2,"batch":4,"learning_rate":0.01,"averaging":0.5,"dropout":0.0}"#,
        },
        Configuration {
            name: "lstm-fcnn",
            summary: "an LSTM over the drums, dense layers, tempo and program; all cells at once",
            settings: r#"{"network":"lstm-fcnn","hidden":256,"layers":2,"conditions":true,"learning_rate":0.0005,"muted":0.15,"dropout":0.5}"#,
            sizes: None,
            tiny: r#"{"counted":0.0,"hidden":16,"layers":1,"heard":8,"batch":4,"learning_rate":0.01,"averaging":0.5,"dropout":0.0}"#,
        },
        Configuration {
            name: "vae-fcnn",
            summary: "a variational autoencoder of dense layers; as published with source=true",
            settings: r#"{"network":"vae-fcnn","layers":2,"conditions":true}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"layers":1,"latent":2,"samples":4,"free_nats":0.0,"batch":4,"learning_rate":0.01,"averaging":0.5,"dropout":0.0}"#,
        },
        Configuration {
            name: "vae-lstm",
            summary: "the same, an LSTM encoding; as published with source=true",
            settings: r#"{"network":"vae-lstm","layers":2,"conditions":true}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"layers":1,"heard":8,"latent":2,"samples":4,"free_nats":0.0,"batch":4,"learning_rate":0.01,"averaging":0.5,
                      "dropout":0.0}"#,
        },
        Configuration {
            name: "seq2seq",
            summary: "LSTMs over all drums, another over the bass, step by step",
            settings: r#"{"network":"seq2seq","hidden":160,"dropout":0.5,"muted":0.2,"batch":32,"learning_rate":0.002,"averaging":0.998,
                          "warmup":100}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"heard":8,"batch":4,"learning_rate":0.01,"averaging":0.5,"dropout":0.0,"muted":0.0}"#,
        },
        Configuration {
            name: "pix2pix",
            summary: "a U-Net against a PatchGAN; it has no likelihood",
            settings: r#"{"network":"pix2pix","hidden":32,"dropout":0.5,"batch":16,"learning_rate":0.0002,"weight_decay":0.0,"averaging":0.0}"#,
            sizes: None,
            tiny: r#"{"hidden":8,"batch":4,"learning_rate":0.01,"dropout":0.1}"#,
        },
    ],
    create: Some(trainer::PatternTrainer::create),
    load: player::Bassist::load,
};
