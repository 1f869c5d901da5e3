//! The composers, one a file, and their [`registry`].
//!
//! To add one: a file here, an entry in `registry.rs`, a recipe. The conformance tests then run on it unasked.

mod abc_rnn;
mod accompany;
mod bachprop;
mod balstm;
mod chorale;
mod deepbach;
mod drum_and_bass;
mod gan;
mod hrnn;
mod lead_sheet;
mod lstm;
mod lstm_frames;
mod memory;
mod muse_gan;
mod music_vae;
mod note_or_step;
mod notes;
mod octave;
mod patterns;
mod performance_rnn;
pub mod performing;
pub mod proofreading;
pub mod registry;
mod rnn_dbn;
mod rnn_rbm;
mod song_from_pi;
pub mod texture;
mod unit_selection;
