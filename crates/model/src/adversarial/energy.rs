//! A distance of sets, and how different the members of a set are.
//!
//! ```text
//! E(X, Y) = 2 mean |x - y| - mean |x - x'| - mean |y - y'|          0 where both are distributed alike
//! ```
//!
//! Source: G. Székely and M. Rizzo, Energy statistics, 2013, equation 2.1; it is a kernel distance (D. Sejdinovic et al., Equivalence of
//! distance-based and RKHS-based statistics, 2013, arXiv:1207.6076v3).

/// Deviations are no smaller, so that what hardly ever changes in a corpus does not outweigh all else.
const LEAST: f64 = 0.05;

/// By what each number of a phrase's statistics is divided.
#[derive(Clone, Debug)]
pub struct Space {
    scales: Vec<f32>,
}

impl Space {
    /// Of the phrases that are learnt from: the deviation of each number.
    pub fn of(set: &[Vec<f32>]) -> Space {
        let width = set.first().map_or(0, Vec::len);
        let scale = |k: usize| {
            let (_, deviation) = spread(set.iter().map(|numbers| f64::from(numbers[k])));
            (1.0 / deviation.max(LEAST)) as f32
        };
        Space { scales: (0..width).map(scale).collect() }
    }

    /// Numbers in this space.
    pub fn place(&self, mut numbers: Vec<f32>) -> Vec<f32> {
        numbers.iter_mut().zip(&self.scales).for_each(|(x, scale)| *x *= scale);
        numbers
    }
}

fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    values.for_each(|x| (count, sum, squares) = (count + 1.0, sum + x, squares + x * x));
    let mean: f64 = sum / f64::max(count, 1.0);
    (mean, (squares / f64::max(count, 1.0) - mean * mean).max(0.0).sqrt())
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    f64::from(squares).sqrt()
}

/// The mean distance from a member of one set to one of the other.
fn mean_distance(one: &[Vec<f32>], other: &[Vec<f32>]) -> f64 {
    let all: f64 = one.iter().flat_map(|a| other.iter().map(|b| distance(a, b))).sum();
    all / ((one.len() * other.len()) as f64).max(1.0)
}

/// The energy distance of two sets; never negative.
pub fn energy(one: &[Vec<f32>], other: &[Vec<f32>]) -> f64 {
    let apart = 2.0 * mean_distance(one, other) - mean_distance(one, one) - mean_distance(other, other);
    apart.max(0.0)
}

/// The mean distance between two members of a set, over that between two of another; `None` where the other's are all alike.
pub fn diversity(drawn: &[Vec<f32>], real: &[Vec<f32>]) -> Option<f64> {
    let of_two = |set: &[Vec<f32>]| {
        let size = set.len() as f64;
        mean_distance(set, set) * size / (size - 1.0).max(1.0)
    };
    let of_real = of_two(real);
    (of_real > 0.0).then(|| of_two(drawn) / of_real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[f32]) -> Vec<Vec<f32>> {
        values.iter().map(|value| vec![*value, 0.0]).collect()
    }

    #[test]
    fn the_distance_of_two_sets_by_hand() {
        // 2 * mean(3, 1, 2, 0) - mean(0, 1, 1, 0) - mean(0, 2, 2, 0)
        let (one, other) = (set(&[0.0, 1.0]), set(&[3.0, 1.0]));
        assert!((energy(&one, &other) - (2.0 * 1.5 - 0.5 - 1.0)).abs() < 1e-9);
        assert_eq!(energy(&one, &one), 0.0);
        assert!(energy(&one, &set(&[30.0, 31.0])) > energy(&one, &set(&[3.0, 4.0])));
    }

    #[test]
    fn a_set_that_is_all_alike_has_no_diversity() {
        let real = set(&[0.0, 1.0, 2.0]);
        assert_eq!(diversity(&set(&[5.0; 4]), &real), Some(0.0));
        assert!((diversity(&set(&[0.0, 2.0, 4.0]), &real).unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(diversity(&real, &set(&[1.0; 3])), None);
    }

    #[test]
    fn numbers_count_by_their_deviation() {
        let space = Space::of(&[vec![0.0, 7.0], vec![2.0, 7.0]]);
        assert_eq!(space.place(vec![3.0, 1.0]), [3.0, 20.0]);
    }
}
