//! `hrnn`: melodies by three clocks: one layer runs once a bar, one once a beat, one at every step of the grid.
//!
//! Source: J. Wu, C. Hu, Y. Wang, X. Hu and J. Zhu, A Hierarchical Recurrent Neural Network for Symbolic Melody Generation, 2017,
//! arXiv:1712.05274: LSTMs for bars, beats and notes, each conditioned by those above it, with profiles of rhythm between them. Layers whose
//! output is held while the one below runs: S. El Hihi and Y. Bengio, Hierarchical Recurrent Neural Networks for Long-Term Dependencies, NIPS 1995.
//!
//! Departures: an upper layer reads the notes that were written in its last block, and nothing of the one that it runs for; so all layers learn over whole
//! tunes at once. The encoding is `melody_steps`, where bars and beats are runs of steps in any metre, and tunes of one voice lose nothing. What stands a number of bars earlier, and for how long the melody has agreed with it,
//! is read at each step (`lookback`; E. Waite, Lookback RNN, Magenta, 2016) and made likelier. Without `profiles` the layers between are all that
//! is handed down; with them classes of rhythm are decided first, bar by bar and beat by beat: the commonest rhythms, each other one with the nearest of these. Tunes are read in the key without
//! accidentals. `flat` is the lowest layer alone, with as many parameters.
//!
//! Cost: the default, 0.9 million parameters, takes 3 MFLOP a step of the grid in training.

mod model;
mod network;
mod player;
mod profiles;
mod settings;
mod stored;
#[cfg(test)]
mod tests;
mod trainer;
mod tune;

use cantus_model::{Around, ComposerSpec, Configuration, Control, Sampling, Sizes};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "hrnn",
    version: 1,
    writes: "melodies whose bars come again, in any metre",
    suits: "tunes of one voice; of other music it takes the melody",
    is_made_for: None,
    title: "an LSTM for bars, one for beats, one for steps, each told what those above it make of what was written",
    source: "Wu et al. 2017 (HRNN); El Hihi and Bengio 1995",
    departures: "an upper layer reads the notes of its last block; melody_steps; lookback of 1, 2, 4 and 8 bars; profiles are an option",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "melody_steps",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "layers of 128, 128 and 192 for bars, beats and steps, with lookback",
            settings: r#"{"bar":128,"beat":128,"hidden":192,"lookback":true,"bar_profiles":0,"beat_profiles":0}"#,
            sizes: Some(Sizes {
                small: r#"{"bar":64,"beat":64,"hidden":96,"learning_rate":0.004}"#,
                large: r#"{"bar":256,"beat":256,"hidden":384,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"bar":12,"beat":12,"hidden":24,"embedding":12,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,"averaging":0.5,
                      "learning_rate":0.01}"#,
        },
        Configuration {
            name: "profiles",
            summary: "the source's order: a rhythm for the bar, one for each beat, then the notes; its figure is a bound",
            settings: r#"{"bar":128,"beat":128,"hidden":192,"lookback":true,"bar_profiles":48,"beat_profiles":24}"#,
            sizes: None,
            tiny: r#"{"bar":12,"beat":12,"hidden":24,"embedding":12,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,
                      "bar_profiles":4,"beat_profiles":2,"learning_rate":0.01}"#,
        },
        Configuration {
            name: "flat",
            summary: "the steps' layer alone, without lookback, with as many parameters: to hold the others against",
            settings: r#"{"bar":0,"beat":0,"hidden":440,"lookback":false,"bar_profiles":0,"beat_profiles":0}"#,
            sizes: None,
            tiny: r#"{"hidden":24,"embedding":12,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,"learning_rate":0.01}"#,
        },
    ],
    create: Some(trainer::MelodyTrainer::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 };
