//! `bachprop`: writes a piece as its notes, each as three numbers in turn: when it begins, how long it lasts, its pitch.
//!
//! Source: F. Colombo, J. Brea and W. Gerstner, Learning to Generate Music with BachProp, 2018, arXiv:1812.06669: recurrent layers one over
//! another read a note at a step; the time since the last onset is decided from the first of them, the length from the first two and the
//! time, the pitch from all and both. Their program: four GRUs of 128, of which the second and the third read the note, too.
//!
//! Departures: LSTM for GRU. One network and one loss, the sum of the three, where the program has three that share layers and are moved by
//! three optimisers in turn, and keeps each where it guesses best, with other shared layers than it was judged with. A hidden layer in each
//! decision; embeddings. 48 steps to a quarter note. Chords go downwards, and nothing else is possible. The place in the bar, the metre and the bars that are left are
//! known, unless `clock` is off; the end of a piece is decided like a time. Validation is never transposed. Learning keeps an average of the parameters.
//!
//! Cost: the default, 1.7 million parameters, takes 10 MFLOP a note in training: a third of the steps that three tokens a note take.

mod model;
mod network;
mod pieces;
mod player;
mod settings;
#[cfg(test)]
mod tests;
mod trainer;

use cantus_model::{Around, ComposerSpec, Configuration, Control, Sampling, Sizes};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "bachprop",
    version: 1,
    writes: "pieces of any kind note by note, with triplets beside sixteenths and 32nds, each as exact as it was read",
    suits: "piano pieces, songs, hymns, tunes; where sixteenths are too coarse",
    is_made_for: None,
    title: "LSTMs over notes: the time since the last one, the length, the pitch, each given those before it",
    source: "Colombo, Brea and Gerstner 2018 (BachProp)",
    departures: "LSTM for GRU, one loss for all three decisions, 48 steps a quarter, place in the bar known (`clock`), chords downwards",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "note_triple",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "three LSTM layers of 256, the place in the bar known",
            settings: r#"{"clock":true}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"embedding":64,"units":96,"learning_rate":0.004}"#,
                large: r#"{"hidden":512,"embedding":192,"units":256,"batch":32,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":24,"embedding":16,"units":16,"layers":2,"batch":2,"window":16,"dropout":0.0,"input_dropout":0.0,
                      "transposition":0,"averaging":0.5,"learning_rate":0.01}"#,
        },
        Configuration {
            name: "source",
            summary: "the source's four layers of 128 and its training, without the place in the bar",
            settings: r#"{"clock":false,"hidden":128,"embedding":128,"layers":4,"units":128,"batch":32,"window":128,
                          "learning_rate":0.001,"weight_decay":0.0,"averaging":0.0}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"embedding":16,"units":16,"batch":2,"window":16,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01}"#,
        },
    ],
    create: Some(trainer::NoteTrainer::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 };

/// The decisions that make a note, in their order.
const DECISIONS: [&str; 3] = ["time", "length", "pitch"];
