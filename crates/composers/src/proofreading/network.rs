//! The network: the rows of the clues that there are, summed; two layers on top; and one straight way past them.
//!
//! `h1 = relu(b1 + sum_k c_k E_k)`, `h2 = relu(W2 h1 + b2)`, `y = W3 h2 + b3 + sum_k c_k S_k`, with c_k the strength of clue k. The derivatives are by hand.
//! Only rows of clues that a batch has are touched, by Adam with moments that rest while a row is not touched (lazily; D. Kingma and J. Ba, ICLR 2015,
//! arXiv:1412.6980v9, algorithm 1). No sum depends on the number of threads.

use super::clues::{CLUES, Clues};
use cantus_nn::random::{Rng, normal, uniform};
use rayon::prelude::*;

/// What is asked of a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it is wrong.
    Wrong,
    /// Whether a note is missing beside it.
    Missing,
    /// Whether what goes before or after it is not its own.
    Torn,
    /// Whether all around it was never music.
    MadeUp,
}

/// How many questions there are.
pub(super) const QUESTIONS: usize = 4;
/// Log-odds of yes, question by question.
pub(super) type Answers = [f32; QUESTIONS];

/// Units of the first layer.
pub(super) const FIRST: usize = 64;
/// Units of the second.
pub(super) const SECOND: usize = 32;
/// What a clue's row holds: to the first layer, and straight to the answers; the rest is padding.
pub(super) const ROW: usize = FIRST + 8;
const UPPER: usize = SECOND * FIRST + SECOND + QUESTIONS * SECOND + QUESTIONS;
/// Tones whose gradients are summed one after another.
const CHUNK: usize = 32;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    /// `[CLUES + 1, ROW]`; the last row is the biases of the first layer.
    pub table: Vec<f32>,
    /// `W2 [SECOND, FIRST]`, `b2`, `W3 [QUESTIONS, SECOND]`, `b3`.
    pub upper: Vec<f32>,
}

/// A tone to learn from.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub clues: Clues,
    /// The answers, 0 or 1.
    pub answers: Answers,
    /// How much each counts.
    pub weights: Answers,
}

/// What was computed on the way.
struct Pass {
    first: [f32; FIRST],
    second: [f32; SECOND],
    answers: Answers,
}

impl Network {
    pub(super) fn new(rng: &mut Rng) -> Network {
        let table = (0..(CLUES + 1) * ROW).map(|at| if at % ROW < FIRST { 0.05 * normal(rng) } else { 0.0 }).collect();
        let mut upper = vec![0.0; UPPER];
        let scale = |inputs: usize| (2.0 / inputs as f32).sqrt();
        upper[..SECOND * FIRST].iter_mut().for_each(|w| *w = scale(FIRST) * normal(rng));
        upper[SECOND * FIRST + SECOND..][..QUESTIONS * SECOND]
            .iter_mut()
            .for_each(|w| *w = 0.3 * scale(SECOND) * normal(rng));
        Network { table, upper }
    }

    fn row(&self, clue: usize) -> &[f32; ROW] {
        self.table[clue * ROW..][..ROW].try_into().expect("a row")
    }

    fn pass(&self, clues: &Clues) -> Pass {
        let mut sum = *self.row(CLUES);
        for (clue, strength) in clues {
            sum.iter_mut().zip(self.row(*clue as usize)).for_each(|(sum, x)| *sum += strength * x);
        }
        let mut pass = Pass { first: [0.0; FIRST], second: [0.0; SECOND], answers: [0.0; QUESTIONS] };
        pass.first.iter_mut().zip(&sum).for_each(|(h, sum)| *h = sum.max(0.0));
        let (w2, rest) = self.upper.split_at(SECOND * FIRST);
        let (b2, rest) = rest.split_at(SECOND);
        let (w3, b3) = rest.split_at(QUESTIONS * SECOND);
        for ((h, row), bias) in pass.second.iter_mut().zip(w2.chunks_exact(FIRST)).zip(b2) {
            *h = (bias + dot(row, &pass.first)).max(0.0);
        }
        for (k, row) in w3.chunks_exact(SECOND).enumerate() {
            pass.answers[k] = b3[k] + dot(row, &pass.second) + sum[FIRST + k];
        }
        pass
    }

    /// The log-odds of yes to each question.
    pub(super) fn answer(&self, clues: &Clues) -> Answers {
        self.pass(clues).answers
    }

    /// Adds a tone's gradient to that of the layers above the table, and gives that of the sum of its rows.
    fn back(&self, pass: &Pass, errors: Answers, upper: &mut [f32]) -> [f32; ROW] {
        let (w2, rest) = self.upper.split_at(SECOND * FIRST);
        let w3 = &rest[SECOND..][..QUESTIONS * SECOND];
        let (g2, rest) = upper.split_at_mut(SECOND * FIRST);
        let (gb2, rest) = rest.split_at_mut(SECOND);
        let (g3, gb3) = rest.split_at_mut(QUESTIONS * SECOND);
        let mut down = [0.0; SECOND];
        for (k, error) in errors.into_iter().enumerate() {
            gb3[k] += error;
            add(&mut g3[k * SECOND..][..SECOND], error, &pass.second);
            add(&mut down, error, &w3[k * SECOND..][..SECOND]);
        }
        let mut row = [0.0; ROW];
        for (k, slope) in down.into_iter().enumerate().filter(|(k, _)| pass.second[*k] > 0.0) {
            gb2[k] += slope;
            add(&mut g2[k * FIRST..][..FIRST], slope, &pass.first);
            add(&mut row[..FIRST], slope, &w2[k * FIRST..][..FIRST]);
        }
        row[..FIRST].iter_mut().zip(&pass.first).filter(|(_, h)| **h <= 0.0).for_each(|(slope, _)| *slope = 0.0);
        row[FIRST..][..QUESTIONS].copy_from_slice(&errors);
        row
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, which vector instructions add.
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum()
}

fn add(to: &mut [f32], times: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += times * from);
}

/// The probability of these log-odds.
pub(super) fn probability(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// `ln(1 + e^x)`: the cost of saying no with these log-odds of yes.
pub(super) fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// A network that is learning.
#[derive(Clone, Debug)]
pub(super) struct Trainee {
    pub network: Network,
    table_moments: Vec<[f32; 2]>,
    upper_moments: Vec<[f32; 2]>,
    steps: i32,
    /// Share of clues that are left out.
    pub dropout: f32,
    /// Share of a parameter that fades at each step at a learning rate of 1.
    pub decay: f32,
}

impl Trainee {
    pub(super) fn new(network: Network, dropout: f32, decay: f32) -> Trainee {
        let moments = |parameters: &[f32]| vec![[0.0; 2]; parameters.len()];
        Trainee {
            table_moments: moments(&network.table),
            upper_moments: moments(&network.upper),
            network,
            steps: 0,
            dropout,
            decay,
        }
    }

    /// The mean loss of a batch, nats a tone, and its gradient by the upper layers and by each tone's sum of rows.
    fn gradient(&self, batch: &[Example]) -> (f64, Vec<f32>, Vec<[f32; ROW]>) {
        let share = 1.0 / batch.len().max(1) as f32;
        let parts: Vec<(f64, Vec<f32>, Vec<[f32; ROW]>)> = batch
            .par_chunks(CHUNK)
            .map(|examples| {
                let (mut loss, mut upper) = (0.0, vec![0.0; UPPER]);
                let rows = examples.iter().map(|example| {
                    let pass = self.network.pass(&example.clues);
                    let mut errors = [0.0; QUESTIONS];
                    for (k, error) in errors.iter_mut().enumerate() {
                        let (y, answer, weight) = (pass.answers[k], example.answers[k], share * example.weights[k]);
                        loss += f64::from(weight * (softplus(y) - answer * y));
                        *error = weight * (probability(y) - answer);
                    }
                    self.network.back(&pass, errors, &mut upper)
                });
                let rows = rows.collect();
                (loss, upper, rows)
            })
            .collect();
        let (mut loss, mut upper, mut rows) = (0.0, vec![0.0; UPPER], Vec::with_capacity(batch.len()));
        for (part, gradient, tones) in parts {
            loss += part;
            add(&mut upper, 1.0, &gradient);
            rows.extend(tones);
        }
        (loss, upper, rows)
    }

    /// One step; the mean loss, nats a tone, before it.
    pub(super) fn step(&mut self, batch: &mut [Example], rate: f32, rng: &mut Rng) -> f64 {
        if self.dropout > 0.0 {
            for example in batch.iter_mut() {
                example.clues.retain(|_| uniform(rng) >= self.dropout);
            }
        }
        let (loss, upper, rows) = self.gradient(batch);
        self.steps += 1;
        let correction = (1.0 - BETA_2.powi(self.steps)).sqrt() / (1.0 - BETA_1.powi(self.steps));
        let (pace, kept) = (rate * correction, 1.0 - rate * self.decay);
        let update = |parameter: &mut f32, moments: &mut [f32; 2], slope: f32, kept: f32| {
            moments[0] = BETA_1 * moments[0] + (1.0 - BETA_1) * slope;
            moments[1] = BETA_2 * moments[1] + (1.0 - BETA_2) * slope * slope;
            *parameter = kept * *parameter - pace * moments[0] / (moments[1].sqrt() + EPSILON);
        };
        for ((parameter, moments), slope) in self.network.upper.iter_mut().zip(&mut self.upper_moments).zip(upper) {
            update(parameter, moments, slope, kept);
        }
        let uses = uses(batch);
        let biases: Vec<(u32, f32)> = (0..batch.len() as u32).map(|tone| (tone, 1.0)).collect();
        let all = self.network.table.par_chunks_exact_mut(ROW).zip(self.table_moments.par_chunks_exact_mut(ROW));
        all.enumerate().with_min_len(256).for_each(|(clue, (row, moments))| {
            let (used, kept) = if clue == CLUES { (&biases[..], 1.0) } else { (uses.of(clue), kept) };
            if used.is_empty() {
                return;
            }
            let mut slopes = [0.0; ROW];
            for (tone, strength) in used {
                add(&mut slopes, *strength, &rows[*tone as usize]);
            }
            for ((parameter, moments), slope) in row.iter_mut().zip(moments).zip(slopes) {
                update(parameter, moments, slope, kept);
            }
        });
        loss
    }
}

/// Which tones of a batch have a clue, clue by clue.
struct Uses {
    begins: Vec<u32>,
    tones: Vec<(u32, f32)>,
}

impl Uses {
    fn of(&self, clue: usize) -> &[(u32, f32)] {
        &self.tones[self.begins[clue] as usize..self.begins[clue + 1] as usize]
    }
}

fn uses(batch: &[Example]) -> Uses {
    let mut begins = vec![0u32; CLUES + 1];
    let all = || {
        batch.iter().enumerate().flat_map(|(tone, example)| example.clues.iter().map(move |clue| (tone as u32, *clue)))
    };
    all().for_each(|(_, (clue, _))| begins[clue as usize + 1] += 1);
    (0..CLUES).for_each(|clue| begins[clue + 1] += begins[clue]);
    let mut next = begins.clone();
    let mut tones = vec![(0, 0.0); begins[CLUES] as usize];
    for (tone, (clue, strength)) in all() {
        tones[next[clue as usize] as usize] = (tone, strength);
        next[clue as usize] += 1;
    }
    Uses { begins, tones }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::{below, seeded};

    fn example(rng: &mut Rng) -> Example {
        let mut clues: Clues = (0..12).map(|_| (below(rng, CLUES) as u32, 0.5 + uniform(rng))).collect();
        clues.push((7, 1.0));
        Example { clues, answers: [1.0, 0.0, 1.0, 0.0], weights: [1.0, 0.5, 0.25, 0.5] }
    }

    #[test]
    fn the_gradient_is_that_of_central_differences() {
        let rng = &mut seeded(3);
        let mut trainee = Trainee::new(Network::new(rng), 0.0, 0.0);
        trainee.network.table.iter_mut().for_each(|w| *w *= 4.0);
        let batch: Vec<Example> = (0..3).map(|_| example(rng)).collect();
        let (_, upper, rows) = trainee.gradient(&batch);
        let loss = |trainee: &Trainee| trainee.gradient(&batch).0;
        let step = 2e-3;
        let slope = |trainee: &Trainee, change: &dyn Fn(&mut Network, f32)| {
            let sides = [step, -step].map(|by| {
                let mut other = trainee.clone();
                change(&mut other.network, by);
                loss(&other)
            });
            ((sides[0] - sides[1]) / f64::from(2.0 * step)) as f32
        };
        for at in (0..UPPER).step_by(37) {
            let found = slope(&trainee, &|network, by| network.upper[at] += by);
            assert!((found - upper[at]).abs() < 2e-3, "upper {at}: {found} and {}", upper[at]);
        }
        // A row that all tones have, by their strengths.
        for unit in (0..FIRST + QUESTIONS).step_by(5) {
            let found = slope(&trainee, &|network, by| network.table[7 * ROW + unit] += by);
            let strengths =
                |k: usize| batch[k].clues.iter().filter(|(clue, _)| *clue == 7).map(|(_, c)| c).sum::<f32>();
            let slope: f32 = (0..3).map(|k| strengths(k) * rows[k][unit]).sum();
            assert!((found - slope).abs() < 2e-3, "row 7, {unit}: {found} and {slope}");
        }
    }

    #[test]
    fn it_learns_what_a_clue_says() {
        let rng = &mut seeded(5);
        let mut trainee = Trainee::new(Network::new(rng), 0.0, 0.0);
        let yes = Example { clues: vec![(3, 1.0), (9, 1.0)], answers: [1.0, 0.0, 0.0, 0.0], weights: [1.0; QUESTIONS] };
        let no = Example { clues: vec![(4, 1.0), (9, 1.0)], answers: [0.0, 0.0, 1.0, 0.0], weights: [1.0; QUESTIONS] };
        for _ in 0..100 {
            trainee.step(&mut [yes.clone(), no.clone()], 0.01, rng);
        }
        let [wrong, missing, torn, _] = trainee.network.answer(&yes.clues).map(probability);
        assert!(wrong > 0.9 && missing < 0.1 && torn < 0.1, "{wrong} {missing} {torn}");
        assert!(probability(trainee.network.answer(&no.clues)[0]) < 0.1);
    }
}
