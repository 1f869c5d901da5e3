//! How often anything begins, found once when a training ends: the network goes on by itself with the pieces that it learnt from, and what
//! is added to the log-odds of a step of silence becomes such that its music has as many onsets as theirs.
//!
//! Given the past of real pieces the network says nearly as many onsets as there are. Going on by itself, with pitches drawn surer than
//! it says, it leads itself to where fewer are likely, more so than real pieces do. Likelihoods do not know of this: it is a matter of
//! drawing, like temperature.

use super::pieces::Piece;
use super::player::{OctaveComposer, Reading};
use super::settings::OctaveSettings;
use cantus_encoding::octave_roll::PitchClasses;
use cantus_model::{Repertoire, Sampling};
use cantus_nn::random::derive;
use rayon::prelude::*;

/// The most pieces that it goes on with.
const MOST_PIECES: usize = 192;
/// How often it goes on with each.
const ROUNDS: u64 = 4;

/// What is to be added to the log-odds of silence; nothing where there is nothing to find it by. The figures of all rounds but the first
/// two are averaged.
pub(super) fn silence(
    mut composer: OctaveComposer,
    pieces: &Repertoire<OctaveSettings>,
    fragment: usize,
    sampling: &Sampling,
    seed: u64,
) -> f32 {
    let begun = fragment / 8;
    let is_long = |number: &usize| pieces.outlines()[*number].steps >= 2 * begun.max(2);
    let long: Vec<usize> = (0..pieces.outlines().len()).filter(is_long).collect();
    let every = long.len().div_ceil(MOST_PIECES).max(1);
    let few: Vec<Piece> = pieces.some(long.into_iter().step_by(every).collect());
    let rng = |counters: &[u64]| derive(seed, "rehearsal", counters);
    // Where each is gone on from, how far, and the share of steps with an onset there.
    let begin = |(k, piece): (usize, &Piece)| -> Option<(Reading, usize, f64)> {
        let (mut state, rng) = (composer.start(piece.clock(0)), &mut rng(&[0, k as u64]));
        let end = piece.steps().min(fragment);
        for pair in piece.classes[..=begun].windows(2) {
            composer.read(&mut state, pair[0]);
            composer.follow(&mut state, pair[1], rng).ok()?;
        }
        composer.read(&mut state, piece.classes[begun]);
        Some((state, end - begun - 1, onsets(&piece.classes[begun + 1..end])))
    };
    let begun: Vec<(Reading, usize, f64)> = few.par_iter().enumerate().filter_map(begin).collect();
    let wanted: f64 = begun.iter().map(|(.., share)| share).sum();
    let mut silence = 0.0;
    composer = composer.with_silence(silence);
    for round in 0..ROUNDS {
        let go_on = |(k, (state, steps, _)): (usize, &(Reading, usize, f64))| -> f64 {
            let (mut state, rng) = (state.clone(), &mut rng(&[1 + round, k as u64]));
            let draw = |_| {
                let frame = composer.draw(&mut state, sampling, rng).unwrap_or_default();
                composer.read(&mut state, frame);
                frame
            };
            onsets(&(0..*steps).map(draw).collect::<Vec<PitchClasses>>())
        };
        let found: f64 = begun.par_iter().enumerate().map(go_on).collect::<Vec<f64>>().into_iter().sum();
        let log_odds = |sum: f64| ((sum + 0.5) / (begun.len() as f64 - sum + 0.5)).ln();
        silence += ((log_odds(found) - log_odds(wanted)) / round.max(1) as f64) as f32;
        composer = composer.with_silence(silence);
        silence = composer.silence();
    }
    silence
}

/// The share of steps with an onset.
fn onsets(frames: &[PitchClasses]) -> f64 {
    let sounding = frames.iter().filter(|frame| **frame != PitchClasses::NONE).count();
    sounding as f64 / frames.len().max(1) as f64
}
