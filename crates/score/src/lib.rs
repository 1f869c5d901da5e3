//! What music is: pitches, exact time, notes, parts, metres, keys and tempo.
//!
//! A [`Score`] is a list of parts over one time line. Time is exact: [`Ticks`] are integers, and the score says how many of
//! them make a quarter note ([`Score::ticks_per_quarter`]). Seconds appear only where sound is made ([`TempoMap`]).
//! This crate has no dependencies, touches no files and knows no file format.

mod band;
mod chords;
mod drums;
mod excerpt;
mod family;
mod grid;
mod harmony;
mod instruments;
mod line;
mod meter;
mod note;
mod part;
mod reading;
mod registers;
mod repeat;
mod rhythm;
mod score;
mod tempo;
mod time;
mod tonality;
mod unpitched;
mod words;

pub use band::{DRUM_KINDS, bass_of};
pub use chords::{Chord, Progression, ProgressionError, Quality};
pub use drums::{names_drums, names_pitches};
pub use family::Family;
pub use grid::{GridReport, quantize};
pub use harmony::{find_chords, progression_of, with_chords};
pub use instruments::{Player, PlayerError, Players};
pub use line::{Outer, melody_line, melody_line_within, melody_of, outer_line};
pub use meter::{Bar, Bars, Key, KeyError, Meter, MeterError, Mode, named_meters, upbeat};
pub use note::{Note, Pitch, PitchError, RangeError, Velocity};
pub use part::{Control, Lyric, Part, PedalSpan, Program, Slur};
pub use reading::{Reading, STEPS_PER_SECOND, pedalled, performed};
pub use registers::{Registers, RegistersError};
pub use repeat::{Pass, Repeat};
pub use rhythm::{Rhythm, RhythmError};
pub use score::{Score, merge_parts};
pub use tempo::{Tempo, TempoMap};
pub use time::{Ticks, TicksPerQuarter};
pub use tonality::{find_key, find_key_in, key_of};
pub use unpitched::Unpitched;
pub use words::counted;
