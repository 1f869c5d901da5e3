//! The turns that were heard of a piece that is being written, passage by passage.

use super::OF_KIND;
use cantus_nn::random::mix;

/// What has been heard so far.
#[derive(Clone, Debug)]
pub struct Turns {
    /// How often each turn has occurred in this passage.
    counts: Vec<u16>,
    /// Of each kind of turn in the passage: how many there were, and the sum of weights times roots.
    totals: Vec<f64>,
    sums: Vec<f64>,
    /// The verdict on the passages before.
    closed: f64,
}

impl Turns {
    /// Nothing yet, of so many kinds.
    pub fn new(kinds: usize) -> Turns {
        Turns { counts: vec![0; kinds * OF_KIND], totals: vec![0.0; kinds], sums: vec![0.0; kinds], closed: 0.0 }
    }

    /// A turn of a kind.
    ///
    /// # Shapes
    /// `weights`: those of a critic of as many kinds
    pub fn hear(&mut self, weights: &[f32], kind: usize, what: &[u64]) {
        let turn = turn(kind, what);
        let count = f64::from(self.counts[turn]);
        self.counts[turn] = self.counts[turn].saturating_add(1);
        self.totals[kind] += 1.0;
        self.sums[kind] += f64::from(weights[turn]) * ((count + 1.0).sqrt() - count.sqrt());
    }

    /// A whole passage has been heard: what follows is the next.
    pub fn close(&mut self) {
        self.closed = self.verdict(1.0);
        self.counts.fill(0);
        self.totals.fill(0.0);
        self.sums.fill(0.0);
    }

    /// How much more likely it is, as a logarithm, that the corpus has what was heard than that the network writes it. A passage that is
    /// only begun counts for as much as there is of it, 0-1.
    pub fn verdict(&self, begun: f64) -> f64 {
        let of_kind = |(sum, total): (&f64, &f64)| sum / total.max(1.0).sqrt();
        let said: f64 = self.sums.iter().zip(&self.totals).map(of_kind).sum();
        self.closed + said * begun
    }

    /// The roots of how often turns occur in the passage that is being heard; the squares of each kind's sum to 1.
    pub fn roots(&self) -> Vec<(usize, f64)> {
        let root = |turn: usize, count: u16| (f64::from(count) / self.totals[turn / OF_KIND].max(1.0)).sqrt();
        let heard = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        heard.map(|(turn, count)| (turn, root(turn, *count))).collect()
    }

    /// How often a turn has occurred in this passage.
    pub fn count(&self, kind: usize, what: &[u64]) -> usize {
        self.counts[turn(kind, what)].into()
    }
}

/// The number of a turn, each kind's by themselves.
fn turn(kind: usize, what: &[u64]) -> usize {
    let mixed = what.iter().fold(mix(kind as u64), |turn, part| mix(turn ^ *part));
    kind * OF_KIND + (mixed % OF_KIND as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_the_sum_of_weights_times_roots_and_each_kind_counts_alike() {
        let weights: Vec<f32> = (0..2 * OF_KIND).map(|turn| (turn % 7) as f32 - 3.0).collect();
        let mut turns = Turns::new(2);
        for k in 0..20u64 {
            turns.hear(&weights, 0, &[k % 3]);
            turns.hear(&weights, usize::from(k == 9), &[k % 2, 5]);
        }
        let said =
            |turns: &Turns| -> f64 { turns.roots().iter().map(|(turn, root)| f64::from(weights[*turn]) * root).sum() };
        let whole = said(&turns);
        assert!((turns.verdict(1.0) - whole).abs() < 1e-9 && whole.abs() > 0.1, "{whole}");
        assert!((turns.verdict(0.25) - whole / 4.0).abs() < 1e-9);
        let squares: f64 = turns.roots().iter().map(|(_, root)| root * root).sum();
        assert!((squares - 2.0).abs() < 1e-9, "{squares}");
        assert_eq!((turns.count(0, &[0]), turns.count(1, &[1, 5]), turns.count(1, &[0, 5])), (7, 1, 0));
        // What was heard is kept in mind while the next passage begins.
        turns.close();
        assert!((turns.verdict(0.0) - whole).abs() < 1e-9);
        turns.hear(&weights, 0, &[1]);
        assert!((turns.verdict(0.5) - whole - said(&turns) / 2.0).abs() < 1e-9);
    }
}
