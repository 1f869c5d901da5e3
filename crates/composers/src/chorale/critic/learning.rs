//! How the critic learns: round after round it is told which passages are the corpus's, and which were composed under its own eyes.

use super::super::given::Given;
use super::super::player::{ChoraleComposer, Task};
use super::{Critic, Hearing, TURNS};
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
/// `progress` is told after each round.
pub(in super::super) fn learn(
    composer: &mut ChoraleComposer,
    pieces: &[&[Chord]],
    (rounds, seed): (usize, u64),
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
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
    let mut weights = vec![0.0; TURNS];
    // What a single round finds is partly chance: the mean of the later rounds is what stays.
    let (mut sums, later) = (vec![0.0; TURNS], rounds - rounds / 3);
    progress(0.0);
    for round in 0..rounds {
        composer.critic = Some(Critic::new(single(&weights)));
        let count = PIECES.min(pieces.len());
        let chosen = (0..count).map(|k| (round * count + k) % pieces.len());
        let compose = |piece: usize| {
            let mut rng = derive(seed, "critic", &[round as u64, piece as u64]);
            let given = vec![Given::default(); pieces[piece].len()];
            let sampling = &composer.default_sampling();
            let opening = composer.opening(&mut rng);
            let task = Task { given: &given, recalls: &[], opening, closing: None, sampling };
            let go_on = &mut |_: f64| {
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            composer.sing(&task, &mut rng, go_on).ok()
        };
        let composed: Option<Vec<Vec<Chord>>> = chosen.collect::<Vec<usize>>().into_par_iter().map(compose).collect();
        let composed = composed?;
        rows.truncate(real);
        rows.extend(composed.iter().flat_map(|piece| passages(piece, grid)).map(|row| (row, false)));
        let found = fit(&rows, TURNS + 1, PENALTY);
        weights.iter_mut().zip(&found).for_each(|(weight, found)| *weight += RATE * found);
        if round >= rounds - later {
            sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight / later as f64);
        }
        progress((round + 1) as f64 / rounds as f64);
    }
    Some(Critic::new(single(&sums)))
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
