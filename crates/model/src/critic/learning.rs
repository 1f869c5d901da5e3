//! How a critic learns: round after round it is told which passages are the corpus's, and which were composed under its own eyes.

use super::{Critic, OF_KIND};

/// A passage: which turns occur, and the roots of how often.
pub type Row = Vec<(usize, f64)>;

/// Finds weights of so many turns under which the rows that are answered with yes are likely and the others not, held down by a penalty.
pub type Fit = fn(&[(Row, bool)], usize, f64) -> Vec<f64>;

/// How much the weights that are found in a round are held down.
const PENALTY: f64 = 1e-3;
/// The share of what is found in a round that is taken over: what was found of the pieces of one round is partly chance.
const RATE: f64 = 0.7;

/// What there is to learn.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The corpus's passages.
    pub real: Vec<Row>,
    /// Kinds of turns.
    pub kinds: usize,
    /// How many rounds.
    pub rounds: usize,
}

/// A critic who has learnt; `None` where `compose` gave up, or there is nothing to learn from. `compose` gives the passages of a round's
/// pieces, written under the eyes of the critic that it is given; `progress` is told after each round.
pub fn learn(
    Lesson { real, kinds, rounds }: Lesson,
    fit: Fit,
    mut compose: impl FnMut(usize, Critic) -> Option<Vec<Row>>,
    progress: &mut dyn FnMut(f64),
) -> Option<Critic> {
    let turns = kinds * OF_KIND;
    // A constant is the last value of each.
    let told = |mut row: Row, answer: bool| {
        row.push((turns, 1.0));
        (row, answer)
    };
    let mut rows: Vec<(Row, bool)> = real.into_iter().map(|row| told(row, true)).collect();
    let real = rows.len();
    if real == 0 {
        return None;
    }
    let mut weights = vec![0.0; turns];
    // What a single round finds is partly chance: the mean of the later rounds is what stays.
    let (mut sums, later) = (vec![0.0; turns], rounds - rounds / 3);
    progress(0.0);
    for round in 0..rounds {
        let composed = compose(round, Critic(single(&weights)))?;
        rows.truncate(real);
        rows.extend(composed.into_iter().map(|row| told(row, false)));
        let found = fit(&rows, turns + 1, PENALTY);
        weights.iter_mut().zip(&found).for_each(|(weight, found)| *weight += RATE * found);
        if round >= rounds - later {
            sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight / later as f64);
        }
        progress((round + 1) as f64 / rounds as f64);
    }
    Some(Critic(single(&sums)))
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
