//! LSTM: a recurrent network that writes music token by token.
//!
//! Source: S. Sigurgeirsson, How to Generate Music using a LSTM Neural Network in Keras (Classical-Piano-Composer), 2017; its variant
//! in Softology's LSTM Composer, 2019. S. Hochreiter, J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997.
//!
//! Departures: the default configuration keeps the idea and mends what its users suffered from: chords of real pitches, durations,
//! rests and metre (`note_chord`); an embedding in the place of one scalar; every position trained, not only the last; state
//! carried over truncated back-propagation and while composing; transposition; clipping; a learning-rate schedule; a validation
//! split by piece. `classic` and `softology` are the sources' networks on the sources' encoding, with that split added, and with
//! the state carried while composing where the sources run the whole window again for each token. All learn with products of
//! 16-bit numbers where the processor multiplies these twice as fast (`precision`).
//!
//! Cost: the default, 1.0 million parameters for a vocabulary of 130, takes 6 MFLOP a token in training.

mod chords;
#[cfg(test)]
mod fixture;
mod player;
mod window_player;
mod window_settings;
mod windows;

use cantus_model::tokens::TokenTrainer;
use cantus_model::{
    Around, ComposerSpec, Configuration, Control, CreateError, ModelError, ModelFile, Sampling, Settings, Sizes,
    Trainable, TrainingSet,
};
use cantus_score::Reading;
use serde::Deserialize;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "lstm",
    version: 1,
    writes: "whole pieces of any kind, bar by bar: several notes at once, with their durations, rests and metres",
    suits: "any folder: piano pieces, songs, hymns, tunes; learns soonest, and is the one to begin with",
    is_made_for: None,
    title: "LSTM over chords, durations and metre; also the two classic note-name LSTMs",
    source: "Sigurgeirsson 2017 (Classical-Piano-Composer); Softology 2019 (LSTM Composer); Hochreiter and Schmidhuber 1997",
    departures: "default: real chords, durations, metre, embedding, all positions trained, state carried, transposition; \
                 classic, softology: the sources' networks and encoding, with a validation split, state carried in composing",
    reads: &[Reading::Merged],
    encoding: "note_chord (default), pitch_class_chord (classic, softology)",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "two LSTM layers of 256 on note_chord",
            settings: r#"{"network":"chords"}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"embedding":64,"learning_rate":0.003}"#,
                large: r#"{"hidden":512,"embedding":256,"batch":32,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01}"#,
        },
        Configuration {
            name: "classic",
            summary: "Sigurgeirsson's network: LSTM 512 x 3, dense 256; RMSProp; windows of 100 note names",
            settings: r#"{"network":"windows","layers":[512,512,512],"dropout":0.3,"batch_norm":false,"dense":256,
                          "relu":false,"optimizer":"rms-prop","batch":128,"epochs":200}"#,
            sizes: None,
            tiny: WINDOWS_TINY,
        },
        Configuration {
            name: "softology",
            summary: "Softology's network: LSTM 512, LSTM 256, dense 128, batch norm; Adam; windows of 100 note names",
            settings: r#"{"network":"windows","layers":[512,256],"dropout":0.2,"batch_norm":true,"dense":128,
                          "relu":true,"optimizer":"adam","batch":50,"epochs":500}"#,
            sizes: None,
            tiny: WINDOWS_TINY,
        },
    ],
    create: Some(create),
    load,
};

/// Makes the sources' networks small enough for a test.
const WINDOWS_TINY: &str = r#"{"layers":[16,16],"dense":16,"window":12,"batch":8}"#;

/// Which of the two families the settings are for.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    network: Family,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Family {
    #[default]
    Chords,
    Windows,
}

fn bad_settings(problem: impl std::fmt::Display) -> CreateError {
    CreateError::Settings { composer: SPEC.id, problem: problem.to_string() }
}

fn create(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError> {
    let which: Which = serde_json::from_value(settings.clone()).map_err(bad_settings)?;
    Ok(match which.network {
        Family::Chords => Box::new(TokenTrainer::<chords::Chords>::new(settings, set, seed)?),
        Family::Windows => Box::new(windows::WindowTrainer::new(settings, set, seed)?),
    })
}

fn load(file: &ModelFile) -> Result<Box<dyn cantus_model::Composer>, ModelError> {
    let problem = |e: serde_json::Error| ModelError::Metadata { problem: e.to_string() };
    let which: Which = serde_json::from_value(file.header.settings.clone()).map_err(problem)?;
    Ok(match which.network {
        Family::Chords => Box::new(player::ChordComposer::load(file)?),
        Family::Windows => Box::new(window_player::WindowComposer::load(file)?),
    })
}

/// The sampling that pieces are composed with unless told otherwise: a little safer than the model itself.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.98 };
