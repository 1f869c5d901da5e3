//! Logistic regression with an L2 penalty, by Nesterov's accelerated gradient (Y. Nesterov, Introductory Lectures on Convex Optimization,
//! 2004, scheme 2.2.11).

use super::{KINDS, TURNS};

const ITERATIONS: usize = 200;

/// A passage: turns and roots.
pub(super) type Row = Vec<(usize, f64)>;

/// Weights and a constant under which `first` are likely and `second` are not: minimises the mean log loss, both sets counting alike,
/// with `penalty / 2` times the squared weights.
pub(super) fn fit(first: &[Row], second: &[Row], penalty: f64) -> Vec<f64> {
    let rows =
        || first.iter().map(|row| (row, 1.0, first.len())).chain(second.iter().map(|row| (row, 0.0, second.len())));
    // The gradient's Lipschitz constant: a quarter of the largest squared row (1 of each kind, and 1 for the constant), and the penalty.
    let step = 1.0 / ((KINDS + 1) as f64 / 4.0 + penalty);
    let mut weights = vec![0.0; TURNS + 1];
    let (mut ahead, mut gradient) = (weights.clone(), weights.clone());
    for iteration in 0..ITERATIONS {
        gradient.iter_mut().zip(&ahead).for_each(|(slope, weight)| *slope = penalty * weight);
        for (row, answer, count) in rows() {
            let wrong = 1.0 / (1.0 + (-said(&ahead, row)).exp()) - answer;
            let share = wrong / (2.0 * count as f64);
            row.iter().for_each(|(turn, root)| gradient[*turn] += share * root);
            gradient[TURNS] += share;
        }
        let momentum = iteration as f64 / (iteration + 3) as f64;
        for ((weight, ahead), slope) in weights.iter_mut().zip(&mut ahead).zip(&gradient) {
            let next = *ahead - step * slope;
            *ahead = next + momentum * (next - *weight);
            *weight = next;
        }
    }
    weights
}

fn said(weights: &[f64], row: &Row) -> f64 {
    row.iter().map(|(turn, root)| weights[*turn] * root).sum::<f64>() + weights[TURNS]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_sets_apart_by_what_only_one_has_and_minimises_what_it_says() {
        let of = |which: usize, k: usize| -> Row { vec![(which, 0.6), (10 + k % 3, 0.8)] };
        let first: Vec<Row> = (0..12).map(|k| of(1, k)).collect();
        let second: Vec<Row> = (0..24).map(|k| of(2, k)).collect();
        let penalty = 0.01;
        let weights = fit(&first, &second, penalty);
        assert!(
            first.iter().all(|row| said(&weights, row) > 1.0) && second.iter().all(|row| said(&weights, row) < -1.0)
        );
        // Both sets count alike, so that what they share says nothing.
        assert!((10..13).all(|turn| weights[turn].abs() < 1e-3), "{:?}", &weights[10..13]);
        let loss = |weights: &[f64]| {
            let of_set = |set: &[Row], sign: f64| {
                set.iter().map(|row| (-sign * said(weights, row)).exp().ln_1p()).sum::<f64>() / (2.0 * set.len() as f64)
            };
            let squares: f64 = weights[..TURNS].iter().map(|weight| weight * weight).sum();
            of_set(&first, 1.0) + of_set(&second, -1.0) + penalty / 2.0 * squares
        };
        for (turn, by) in [(1, 0.05), (1, -0.05), (2, 0.05), (2, -0.05)] {
            let mut other = weights.clone();
            other[turn] += by;
            assert!(loss(&other) > loss(&weights));
        }
    }
}
