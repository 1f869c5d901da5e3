//! The voices made of burn's own operations, one by one: the oracle of the tests, and the form for other backends.

use super::outcome::{Decided, GUARD, allowed};
use super::{Prediction, Rule, Targets, Voices};
use crate::cross_entropy::Figures;
use crate::lstm::LstmState;
use crate::params::values_of;
use burn::tensor::{Tensor, TensorData, activation};

/// Takes an outcome out of a distribution.
const NEVER: f32 = -1e9;

pub(super) fn forward(voices: &Voices, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
    match targets.rule {
        Rule::Final => decided_finally(voices, features, targets),
        Rule::Ordered => in_order(voices, features, targets),
    }
}

/// Reads the sequence as one voice that sees these decisions: logits `[T * B, O]`.
fn logits(voices: &Voices, features: &Tensor<3>, decided: &[Decided], items: usize) -> Tensor<2> {
    let [steps, batch, _] = features.dims();
    let mut masks = vec![0.0; decided.len() * 2 * items];
    masks.chunks_exact_mut(2 * items).zip(decided).for_each(|(row, decided)| decided.write(row));
    let masks = Tensor::from_data(TensorData::new(masks, [steps, batch, 2 * items]), &features.device());
    let x = Tensor::cat(vec![features.clone(), masks], 2);
    let (h, _) = voices.lstm.forward_reference(x, &LstmState::zeros(batch, voices.lstm.hidden()));
    let h = h.reshape([steps * batch, voices.lstm.hidden()]);
    h.matmul(voices.outcome.weight.val().transpose()) + voices.outcome.bias.val().unsqueeze::<2>()
}

/// A tensor `[rows, width]` of whatever `f` says of row and column.
fn table(rows: usize, width: usize, like: &Tensor<3>, f: impl Fn(usize, usize) -> f32) -> Tensor<2> {
    let values: Vec<f32> = (0..rows * width).map(|at| f(at / width, at % width)).collect();
    Tensor::from_data(TensorData::new(values, [rows, width]), &like.device())
}

fn has(set: u32, item: usize) -> bool {
    set >> item & 1 == 1
}

fn decided_finally(voices: &Voices, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
    let Targets { items, sets, chances, .. } = targets;
    let rows = sets.len();
    let mut decided = vec![Decided::default(); rows];
    let zeros = table(rows, items, &features, |_, _| 0.0);
    let (mut p, mut b) = (zeros.clone(), zeros);
    let batch = features.dims()[1].max(1);
    for v in 0..targets.voices {
        let open = table(rows, 2 * items, &features, |row, outcome| {
            if allowed(outcome, decided[row], items, Rule::Final) { 0.0 } else { NEVER }
        });
        let q = activation::softmax(logits(voices, &features, &decided, items) + open, 1);
        p = p.clone() + p.neg().add_scalar(1.0) * q.clone().slice([0..rows, 0..items]);
        b = b.clone() + b.neg().add_scalar(1.0) * q.clone().slice([0..rows, items..2 * items]);
        for (row, q) in values_of(q).chunks_exact(2 * items).enumerate() {
            let (t, r) = (row / batch, row % batch);
            let mut left = chances[(t * targets.voices + v) * batch + r] * q.iter().sum::<f32>();
            let drawn = q.iter().position(|share| {
                left -= share;
                *share > 0.0 && left < 0.0
            });
            let item = drawn.or(q.iter().rposition(|share| *share > 0.0)).unwrap_or(0) % items;
            let outcome = if has(sets[row], item) { item } else { items + item };
            decided[row] = decided[row].with(outcome, items, Rule::Final);
        }
    }
    let chance = p * b.neg().add_scalar(1.0);
    let truth = table(rows, items, &features, |row, item| if has(sets[row], item) { 1.0 } else { 0.0 });
    let of_in = truth.clone() * chance.clone().add_scalar(GUARD).log();
    let of_out = truth.neg().add_scalar(1.0) * chance.clone().neg().add_scalar(1.0 + GUARD).log();
    let nats = (of_in + of_out).sum_dim(1).neg();
    let chance = values_of(chance);
    let right =
        |row: usize| chance[row * items..][..items].iter().enumerate().all(|(k, p)| (*p > 0.5) == has(sets[row], k));
    sum(nats, right, targets)
}

fn in_order(voices: &Voices, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
    let Targets { items, sets, .. } = targets;
    let rows = sets.len();
    let mut decided = vec![Decided::default(); rows];
    let mut nats = table(rows, 1, &features, |_, _| 0.0);
    let mut wrong = vec![false; rows];
    for v in 0..targets.voices {
        let z = logits(voices, &features, &decided, items);
        let plain = values_of(z.clone());
        let done = |row: usize| decided[row].all() == (1 << items) - 1;
        let open = |row: usize, outcome: usize| allowed(outcome, decided[row], items, Rule::Ordered);
        if v + 1 == targets.voices {
            let z = z.slice([0..rows, 0..items]);
            let inside = |row: usize, item: usize| has(sets[row], item);
            let sign = table(rows, items, &features, |row, item| match (open(row, item), inside(row, item)) {
                (false, _) => 0.0,
                (true, true) => 1.0,
                (true, false) => -1.0,
            });
            let counts = sign.clone().abs();
            nats = nats - (activation::log_sigmoid(z * sign) * counts).sum_dim(1);
            for (row, z) in plain.chunks_exact(items + 1).enumerate() {
                wrong[row] |= (0..items).any(|k| open(row, k) && (z[k] > 0.0) != inside(row, k));
            }
            break;
        }
        // A row that has stopped costs nothing: its only outcome left is to have stopped.
        let mask = table(rows, items + 1, &features, |row, outcome| if open(row, outcome) { 0.0 } else { 2.0 * NEVER });
        let target: Vec<usize> =
            (0..rows).map(|row| (0..items).find(|k| open(row, *k) && has(sets[row], *k)).unwrap_or(items)).collect();
        let chosen = table(rows, items + 1, &features, |row, outcome| if outcome == target[row] { 1.0 } else { 0.0 });
        let logits = z + mask;
        let counts = table(rows, 1, &features, |row, _| if done(row) { 0.0 } else { 1.0 });
        nats = nats - (activation::log_softmax(logits, 1) * chosen).sum_dim(1) * counts;
        for (row, z) in plain.chunks_exact(items + 1).enumerate() {
            wrong[row] |= (0..=items).any(|k| open(row, k) && z[k] > z[target[row]]);
        }
        for (decided, target) in decided.iter_mut().zip(target) {
            *decided = decided.with(target, items, Rule::Ordered);
        }
    }
    sum(nats, |row| !wrong[row], targets)
}

/// The weighted mean of `nats` `[T * B, 1]`, and the figures.
fn sum(nats: Tensor<2>, right: impl Fn(usize) -> bool, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
    let (rows, weights) = (targets.sets.len(), targets.weights);
    let counted: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let weighted = nats.clone() * Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &nats.device());
    let loss = weighted.sum() / if counted > 0.0 { counted } else { 1.0 };
    let nats = values_of(nats);
    let counting = || (0..rows).filter(|row| weights[*row] > 0.0);
    let figures = Figures {
        nats: counting().map(|row| f64::from(weights[row]) * f64::from(nats[row])).sum(),
        counted,
        correct: counting().filter(|row| right(*row)).count(),
    };
    (loss, Prediction { figures, nats })
}
