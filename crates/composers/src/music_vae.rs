//! `music_vae`: melodies whose every two bars have a code; between codes there are others, and so between tunes.
//!
//! Source: A. Roberts, J. Engel, C. Raffel, C. Hawthorne and D. Eck, "A Hierarchical Latent Vector Model for Learning Long-Term Structure in
//! Music", ICML 2018, arXiv:1803.05428v5, and `magenta/models/music_vae`: two bars are heard by an LSTM in both directions and become a
//! Gaussian; a draw from it stands beside each input of an LSTM that writes them. A nat of the code costs 0.2 while learning.
//!
//! Departures: a piece is a path of codes, and the decoder goes on from one section to the next, so that a piece is more than its parts;
//! any metre, told where in bar and piece it stands. A section is heard, and its code laid out again, eighth note by eighth note: the
//! source's encoder keeps its last states alone, and its decoder has to remember from them what comes when. Tunes are read in the key without
//! accidentals. Codes that begin with nothing are drawn by a network that has learnt which follow which (`paths.rs`), not from the
//! standard Gaussian.
//!
//! Cost: the default has 0.9 million parameters and takes 5 MFLOP a step of the grid in training.

mod composing;
mod model;
mod network;
mod paths;
mod player;
mod settings;
#[cfg(test)]
mod tests;
mod trainer;
mod tune;

use cantus_model::latent::Ability;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Sizes};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "music_vae",
    version: 1,
    writes: "melodies; what lies between two tunes, and variations of one",
    suits: "tunes of one voice; of other music it takes the melody",
    is_made_for: None,
    title: "a variational autoencoder: every two bars a code, LSTMs on both sides, a path of codes a piece",
    source: "Roberts et al. 2018 (MusicVAE)",
    departures: "the decoder goes on from section to section; any metre; codes are laid out over eighth notes; codes follow one another by a network \
                 of their own",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "melody_steps",
    around: &[Around::Beginning],
    abilities: &[Ability::Blend, Ability::Vary],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "codes of 64 numbers, a nat of them at a fifth of its price: tunes come back nearly as they were",
            settings: r#"{"code":64,"beta":0.2}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"heard":64,"laid":16,"code":32}"#,
                large: r#"{"hidden":512,"heard":256,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"code":4,"hidden":24,"heard":12,"embedding":12,"laid":6,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,
                      "averaging":0.5,"learning_rate":0.01}"#,
        },
        Configuration {
            name: "bound",
            summary: "codes of 20 numbers at their price, half a nat of each for nothing: its figure is a bound of the likelihood",
            settings: r#"{"code":20,"beta":1.0,"free_nats":0.5}"#,
            sizes: None,
            tiny: r#"{"code":2,"hidden":24,"heard":12,"embedding":12,"laid":6,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,
                      "free_nats":0.0,"learning_rate":0.01}"#,
        },
        Configuration {
            name: "plain",
            summary: "without codes: the decoder alone, to hold the others against",
            settings: r#"{"code":0,"beta":1.0}"#,
            sizes: None,
            tiny: r#"{"hidden":24,"embedding":12,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,"learning_rate":0.01}"#,
        },
    ],
    create: Some(trainer::TuneTrainer::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};
