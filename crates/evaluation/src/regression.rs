//! Logistic regression with an L2 penalty, by Nesterov's accelerated gradient (Y. Nesterov, Introductory Lectures on Convex Optimization,
//! 2004, scheme 2.2.11): the problem is convex and smooth, and what comes out is a function of the examples alone.

const ITERATIONS: usize = 300;

/// An example: which of its values are not zero, and what they are. A constant is a value of its own.
pub type Row = Vec<(usize, f64)>;

/// So many weights under which the rows that are answered with yes are likely, and the others not: minimises the mean log loss, both kinds
/// counting alike, with `penalty / 2` times the squared weights.
pub fn fit(rows: &[(Row, bool)], width: usize, penalty: f64) -> Vec<f64> {
    let of_kind = |kind: bool| rows.iter().filter(|(_, answer)| *answer == kind).count().max(1) as f64;
    let counts = [of_kind(false), of_kind(true)];
    // The gradient's Lipschitz constant: a quarter of the largest squared row, and the penalty.
    let squares = |row: &Row| -> f64 { row.iter().map(|(_, value)| value * value).sum() };
    let step = 1.0 / (rows.iter().map(|(row, _)| squares(row)).fold(0.0, f64::max) / 4.0 + penalty);
    let mut weights = vec![0.0; width];
    let (mut ahead, mut gradient) = (weights.clone(), weights.clone());
    for iteration in 0..ITERATIONS {
        gradient.iter_mut().zip(&ahead).for_each(|(slope, weight)| *slope = penalty * weight);
        for (row, answer) in rows {
            let said = 1.0 / (1.0 + (-score(&ahead, row)).exp());
            let wrong = said - if *answer { 1.0 } else { 0.0 };
            let share = wrong / (2.0 * counts[usize::from(*answer)]);
            row.iter().for_each(|(k, value)| gradient[*k] += share * value);
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

/// The log-odds of yes.
pub fn score(weights: &[f64], row: &Row) -> f64 {
    row.iter().map(|(k, value)| weights[*k] * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_sets_apart_by_what_only_one_has_and_minimises_what_it_says() {
        const WIDTH: usize = 14;
        let of = |which: usize, k: usize| -> Row { vec![(which, 0.6), (10 + k % 3, 0.8), (WIDTH - 1, 1.0)] };
        let first = (0..12).map(|k| (of(1, k), true));
        let rows: Vec<(Row, bool)> = first.chain((0..24).map(|k| (of(2, k), false))).collect();
        let penalty = 0.01;
        let weights = fit(&rows, WIDTH, penalty);
        let sign = |answer: bool| if answer { 1.0 } else { -1.0 };
        assert!(rows.iter().all(|(row, answer)| sign(*answer) * score(&weights, row) > 1.0));
        // Both sets count alike, so that what they share says nothing.
        assert!((10..WIDTH).all(|k| weights[k].abs() < 1e-3), "{:?}", &weights[10..]);
        let loss = |weights: &[f64]| {
            let of_row = |(row, answer): &(Row, bool)| {
                (-sign(*answer) * score(weights, row)).exp().ln_1p() / if *answer { 24.0 } else { 48.0 }
            };
            let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
            rows.iter().map(of_row).sum::<f64>() + penalty / 2.0 * squares
        };
        for (k, by) in [(1, 0.05), (1, -0.05), (2, 0.05), (2, -0.05)] {
            let mut other = weights.clone();
            other[k] += by;
            assert!(loss(&other) > loss(&weights));
        }
    }
}
