//! How the critic learns: from the pieces that the network learnt from.

use super::super::past::Past;
use super::super::player::{NoteComposer, Task};
use super::hearing::PASSAGE;
use super::{Hearing, KINDS};
use cantus_evaluation::regression::fit;
use cantus_model::critic::{self, Critic, Lesson, Row};
use cantus_model::{Composer, Request};
use cantus_nn::random::derive;
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// A passage at the end of a piece counts where there is so much of it.
const ENOUGH: f64 = 0.5;
/// Pieces that are composed in a round; every other one has two passages.
const PIECES: usize = 40;
/// Of a larger corpus so many pieces, evenly spread, and of each so many passages, besides the last.
pub(in super::super) const MOST_PIECES: usize = 200;
const PASSAGES: usize = 4;

/// The passages of a piece: the first ones, and the last.
fn passages(composer: &NoteComposer, piece: &Past) -> Vec<Row> {
    let indifferent = Critic::indifferent(KINDS);
    let mut hearing = Hearing::new(composer.clock());
    let mut rows = Vec::new();
    let mut closed = |hearing: &Hearing| {
        if rows.len() < PASSAGES {
            rows.push(hearing.turns());
        }
    };
    let end = piece.bars().last().map_or(0, |bar| bar.end().0.min(u64::from(u32::MAX / 2)) as u32);
    hearing.upto(indifferent.weights(), piece, &|number| composer.is_drums(number), end, &mut closed);
    hearing.end(indifferent.weights(), piece);
    if hearing.begun() >= ENOUGH {
        rows.push(hearing.turns());
    }
    rows
}

/// A critic that has learnt from the pieces that the network learnt from; `None` where it was stopped, or has nothing to learn from.
/// `progress` is told after each round.
pub(in super::super) fn learn(
    composer: &mut NoteComposer,
    pieces: &[Past],
    (rounds, seed): (usize, u64),
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
) -> Option<Critic> {
    let real = pieces.par_iter().flat_map_iter(|piece| passages(composer, piece)).collect();
    let compose = |round: usize, critic: Critic| {
        composer.critic = Some(critic);
        let composer = &*composer;
        let compose = |k: usize| {
            let mut rng = derive(seed, "critic", &[round as u64, k as u64]);
            let bars = composer.bars_of(PASSAGE * (1 + k as u32 % 2));
            let request = Request::new(bars, composer.default_sampling());
            let begun = composer.begin(&request, &mut rng).ok()?;
            let task = Task::of(&begun, &request.sampling);
            let go_on = &mut |_: f64| {
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            Some(passages(composer, &composer.write(&task, &mut rng, go_on).ok()?.0))
        };
        let composed: Option<Vec<Vec<Row>>> = (0..PIECES).into_par_iter().map(compose).collect();
        Some(composed?.into_iter().flatten().collect())
    };
    critic::learn(Lesson { real, kinds: KINDS, rounds }, fit, compose, progress)
}
