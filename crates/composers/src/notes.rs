//! `notes`: writes any music as its notes, one after the other: when, which instrument, which pitch, how long, how loud.
//!
//! Source: our own. An LSTM reads the notes; a cascade ([`cantus_nn::cascade`]) makes the choices of the next one; a pointer offers what
//! came at earlier places of the piece that resemble the present, also moved, and the ends of what sounds. The parts come from F. Liang et
//! al. and F. Colombo, BachProp, 2018, arXiv:1812.07126v1 (a note's timing, pitch and length one after the other), D. Johnson, EvoMUSART 2017
//! (weights shared over pitches), S. Merity et al., 2016, arXiv:1609.07843v1 (a pointer with a sentinel).
//! Departures: from those: time is said as quarters entered and a place in the quarter, so that triplets are no other time than eighths;
//! notes of a moment come downwards; the pointer attends by the length of matching contexts, of notes and of intervals; lengths may be
//! those of what sounds.
//!
//! Its likelihood is exact. Of a piece's past it uses what the piece itself gives.
//!
//! Cost: the default, 1.6 million parameters; time of a note does not grow with the piece.

mod base;
mod closing;
mod critic;
mod form;
mod layout;
mod lines;
mod loops;
mod network;
mod past;
mod player;
#[cfg(test)]
mod tests;
mod texture;
mod trainer;
mod usual;
mod view;

use cantus_model::{Around, ComposerSpec, Configuration, Control, Sampling, Sizes};
use cantus_score::Reading;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "notes",
    version: 3,
    writes: "notes one after the other, each with its length and loudness; knows its own past, and brings back what was",
    suits: "any folder: piano pieces, songs, hymns, tunes; the likeliest of all on music that it never learnt from",
    is_made_for: None,
    title: "an LSTM over notes, their choices in a cascade, and a pointer into the piece's own past",
    source: "own; after Colombo and Gerstner 2018 (BachProp), Johnson 2017, Merity et al. 2016",
    departures: "quarters entered and places in them for time; notes of a moment downwards; copying by matching contexts; ends of what sounds",
    reads: &[Reading::Merged, Reading::Parts, Reading::Performed],
    encoding: "note_events",
    around: &[Around::Beginning, Around::Cells],
    abilities: &[],
    controls: &[
        Control::Form,
        Control::Key,
        Control::Meter,
        Control::Density,
        Control::Polyphony,
        Control::Register,
        Control::Velocity,
        Control::Surprise,
        Control::Chords,
        Control::Seconds,
        Control::Instruments,
        Control::Style,
        Control::Strength,
    ],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256, all parts of the head",
        settings: r#"{}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"units":96,"channels":16}"#,
            large: r#"{"hidden":512,"units":256,"channels":64,"batch":12,"learning_rate":0.002}"#,
        }),
        tiny: r#"{"hidden":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"units_dropout":0.0,"heard_dropout":0.0,
              "transposition":0,"learning_rate":0.01,"averaging":0.5,"units":16,"channels":16,"reach":6,"critic":0}"#,
    }],
    create: Some(trainer::create),
    load: player::load,
};

/// The sampling that pieces are composed with unless told otherwise: a little safer than the model itself.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.995 };

/// What the figures of validation and of a loaded model count.
const PROTOCOL: &str =
    "all notes of each piece in its own key, the end not predicted; bars and metre are given; mean over notes";
