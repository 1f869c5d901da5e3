//! How the critic learns: from the pieces that the network learnt from.

use super::super::player::{ChoraleComposer, Task};
use super::{Hearing, KINDS};
use cantus_encoding::voices::Chord;
use cantus_evaluation::regression::fit;
use cantus_model::Composer;
use cantus_model::choir::Given;
use cantus_model::critic::{self, Critic, Lesson, Row};
use cantus_nn::random::derive;
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// A passage at the end of a piece counts where there is so much of it.
const ENOUGH: f64 = 0.5;
/// Pieces that are composed in a round.
const PIECES: usize = 115;
/// Pieces of the corpus that a critic learns from, at most.
pub(in super::super) const MOST_PIECES: usize = 1500;
/// Their length at most, in quarters.
const LONGEST: usize = 128;

/// The passages of a piece.
fn passages(chords: &[Chord], steps_per_quarter: u32) -> Vec<Row> {
    let indifferent = Critic::indifferent(KINDS);
    let mut hearing = Hearing::new(steps_per_quarter);
    let mut rows = Vec::new();
    for chord in chords {
        hearing.push(indifferent.weights(), *chord);
        if hearing.is_whole() {
            rows.push(hearing.turns());
        }
    }
    if hearing.begun() >= ENOUGH {
        rows.push(hearing.turns());
    }
    rows
}

/// A critic that has learnt from the pieces that the network learnt from; `None` where it was stopped, or has nothing to learn from.
/// `progress` is told after each round.
pub(in super::super) fn learn(
    composer: &mut ChoraleComposer,
    pieces: &[Vec<Chord>],
    (rounds, seed): (usize, u64),
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
) -> Option<Critic> {
    let grid = composer.steps_per_quarter();
    let longest = LONGEST * grid as usize;
    let pieces: Vec<&[Chord]> = pieces.iter().map(|piece| &piece[..piece.len().min(longest)]).collect();
    let real = pieces.iter().flat_map(|piece| passages(piece, grid)).collect();
    let compose = |round: usize, critic: Critic| {
        composer.critic = Some(critic);
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
            Some(composer.sing(&task, &mut rng, go_on).ok()?.0)
        };
        let composed: Option<Vec<Vec<Chord>>> = chosen.collect::<Vec<usize>>().into_par_iter().map(compose).collect();
        Some(composed?.iter().flat_map(|piece| passages(piece, grid)).collect())
    };
    critic::learn(Lesson { real, kinds: KINDS, rounds }, fit, compose, progress)
}
