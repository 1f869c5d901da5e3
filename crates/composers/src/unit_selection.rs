//! `unit_selection`: music made of bars of the corpus: an LSTM chooses which of them comes next, and every bar says from which file it is.
//!
//! Source: M. Bretan, G. Weinberg and L. Heck, A Unit Selection Methodology for Music Generation Using Deep Neural Networks, 2016,
//! arXiv:1612.03789: units of 1, 2 or 4 bars as bags of counts, an autoencoder that makes a point of each, an LSTM over the points of past units; the next
//! unit is the one nearest to what it expects (a softmax over candidates), and joins well in the ear of a model of notes. No program was published.
//!
//! Departures: units are moved into the key without accidentals, in which all candidates stand, since in the source those in other keys give themselves
//! away. How well two units join is said by counts with back-off (`joins.rs`), whose weight the LSTM decides, as it decides that of a candidate's likeness
//! to the units 1, 2, 3, 4 and 8 before and to what followed when the past was like the present: tunes come again. Autoencoder and LSTM learn together. A beam of
//! eight, in which chance moves what is chosen (Gumbel's noise), takes the place of the greedy choice, which goes in a circle; no unit comes more than twice unless a form says so, and no more
//! than two follow one another as in their tune where there is another choice.
//!
//! It ranks: its figures are of a softmax among candidates, and no likelihood of notes. Its music *is* the corpus: no note is new, and what is said
//! of its originality says so. A model holds the melodies of its corpus: who gives it away gives them away.
//!
//! Cost: the default has 0.5 million parameters; a step on 24 tunes of 16 units takes about 0.2 s of one core.

mod course;
mod joins;
mod layout;
mod library;
mod model;
mod network;
mod player;
mod settings;
#[cfg(test)]
mod tests;
mod trainer;
mod writing;

use cantus_model::{Around, ComposerSpec, Configuration, Control, Sampling};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "unit_selection",
    version: 1,
    writes: "a collage: melodies made of bars of your own music, each of which says from which file and bar it is",
    suits: "tunes of one voice; of other music it takes the melody. No note is new: its music is the corpus",
    is_made_for: None,
    title: "an autoencoder of bars as bags of counts, an LSTM that ranks which comes next, a beam",
    source: "Bretan, Weinberg, Heck 2016 (Unit Selection)",
    departures: "one key for all units; joins by counts; likeness to earlier units; a beam of eight, each unit at most twice",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "melody_steps",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Form, Control::Key, Control::Meter],
    configurations: &[Configuration {
        name: "default",
        summary: "units of two bars; --set bars=1 or bars=4 for other ones",
        settings: r#"{"bars":2,"coder":256,"embedding":96,"hidden":192}"#,
        sizes: None,
        tiny: r#"{"coder":32,"embedding":16,"hidden":24,"candidates":16,"batch":2,"window":2,"dropout":0.0,"input_dropout":0.0,
                  "averaging":0.5,"learning_rate":0.01}"#,
    }],
    create: Some(trainer::UnitTrainer::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// The sampling that pieces are composed with unless told otherwise: of units, not of notes.
const SAMPLING: Sampling = Sampling { temperature: 0.5, top_k: 40, top_p: 0.95 };

/// Under which name a model file keeps the library.
const TUNES: &str = "tunes";
