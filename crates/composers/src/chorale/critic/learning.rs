//! How the critic learns: round after round it is told which passages are the corpus's, and which were composed under its own eyes.

use super::super::given::Given;
use super::super::player::{ChoraleComposer, Task};
use super::motion::{MOTIONS, Motions, count};
use super::{Characters, Critic, Hearing, TURNS, character_of};
use cantus_encoding::voices::Chord;
use cantus_evaluation::regression::{Row, fit};
use cantus_model::Composer;
use cantus_nn::random::derive;
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// A passage at the end of a piece counts where there is so much of it.
const ENOUGH: f64 = 0.5;
/// Pieces that are composed in a round.
const PIECES: usize = 115;
/// Their length at most, in quarters.
const LONGEST: usize = 128;
/// How much the weights that are found in a round are held down.
const PENALTY: f64 = 1e-3;
/// The share of what is found in a round that is taken over: what was found of the pieces of one round is partly chance.
const RATE: f64 = 0.7;

/// The passages of a piece, each with a constant as its last value.
fn passages(chords: &[Chord], steps_per_quarter: u32) -> Vec<Row> {
    let weights = vec![0.0; TURNS];
    let mut hearing = Hearing::new(steps_per_quarter);
    let row = |hearing: &Hearing| hearing.turns().into_iter().chain([(TURNS, 1.0)]).collect();
    let mut rows = Vec::new();
    for chord in chords {
        hearing.push(&weights, *chord);
        if hearing.is_whole() {
            rows.push(row(&hearing));
        }
    }
    if hearing.begun() >= ENOUGH {
        rows.push(row(&hearing));
    }
    rows
}

/// A critic that has learnt from the pieces that the network learnt from; `None` where it was stopped, or has nothing to learn from.
pub(in super::super) fn learn(
    composer: &mut ChoraleComposer,
    pieces: &[&[Chord]],
    (rounds, seed): (usize, u64),
    stop: &AtomicBool,
) -> Option<Critic> {
    let grid = composer.steps_per_quarter();
    let longest = LONGEST * grid as usize;
    let pieces: Vec<&[Chord]> = pieces.iter().map(|piece| &piece[..piece.len().min(longest)]).collect();
    let mut rows: Vec<(Row, bool)> =
        pieces.iter().flat_map(|piece| passages(piece, grid)).map(|row| (row, true)).collect();
    let real = rows.len();
    if real == 0 {
        return None;
    }
    let real_motions = count(pieces.iter().copied());
    let known: Vec<Vec<f64>> = pieces.iter().map(|piece| character_of(piece, grid as usize)).collect();
    let mut weights = vec![0.0; TURNS];
    let mut motions = Motions::new(vec![0.0; MOTIONS]);
    let mut characters = Characters::new(&known);
    let critic = |weights: &[f64], motions: &Motions, characters: &Characters| {
        Critic::new(weights.iter().map(|weight| *weight as f32).collect(), motions.clone(), characters.clone())
    };
    for round in 0..rounds {
        composer.critic = Some(critic(&weights, &motions, &characters));
        let count_of_pieces = PIECES.min(pieces.len());
        let chosen: Vec<usize> = (0..count_of_pieces).map(|k| (round * count_of_pieces + k) % pieces.len()).collect();
        let compose = |piece: &usize| {
            let mut rng = derive(seed, "critic", &[round as u64, *piece as u64]);
            let given = vec![Given::default(); pieces[*piece].len()];
            let sampling = &composer.default_sampling();
            let task = Task { given: &given, recalls: &[], sampling, character: Some(&known[*piece]) };
            let go_on = &mut |_: f64| {
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            composer.sing(&task, &mut rng, go_on).ok()
        };
        let composed: Option<Vec<Vec<Chord>>> = chosen.par_iter().map(compose).collect();
        let composed = composed?;
        rows.truncate(real);
        rows.extend(composed.iter().flat_map(|piece| passages(piece, grid)).map(|row| (row, false)));
        let found = fit(&rows, TURNS + 1, PENALTY);
        weights.iter_mut().zip(&found).for_each(|(weight, found)| *weight += RATE * found);
        motions.scale(&real_motions, &count(composed.iter().map(Vec::as_slice)), RATE);
        let heard: Vec<Vec<f64>> = composed.iter().map(|piece| character_of(piece, grid as usize)).collect();
        characters.scale(&chosen, &heard, RATE);
    }
    Some(critic(&weights, &motions, &characters))
}
