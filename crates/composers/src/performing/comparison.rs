//! What players choose beside what a model does, over the same scores.

use super::lesson::Lesson;
use super::player::Performer;
use super::touch::{Choices, Decision, KINDS};
use cantus_model::derive;
use rayon::prelude::*;

/// How alike two distributions of choices are: the share that they have in common, 0-1, of each kind in the order of [`Decision::ALL`].
pub type Overlap = [f64; KINDS];

/// Plays the scores of lessons as it likes and holds what it chose against what their players did. A chance of 1 is two players that choose everything
/// as often as one another.
pub fn overlap(performer: &Performer, lessons: &[Lesson], seed: u64) -> Overlap {
    let drawn: Vec<Vec<Choices>> = lessons
        .par_iter()
        .enumerate()
        .map(|(k, lesson)| performer.draw(lesson, &mut derive(seed, "comparison", &[k as u64])))
        .collect();
    Decision::ALL.map(|decision| {
        let k = decision as usize;
        let (mut played, mut chosen) = (vec![0.0; decision.classes()], vec![0.0; decision.classes()]);
        let both = lessons.iter().zip(&drawn).flat_map(|(lesson, drawn)| lesson.choices.iter().zip(drawn));
        // Only where it is known what the player did.
        for (player, model) in both.filter_map(|(player, model)| Some((player[k]?, model[k]?))) {
            played[usize::from(player)] += 1.0;
            chosen[usize::from(model)] += 1.0;
        }
        let all = f64::max(played.iter().sum(), 1.0);
        played.iter().zip(&chosen).map(|(a, b)| f64::min(*a, *b) / all).sum()
    })
}
