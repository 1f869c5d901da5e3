//! The partition function by enumeration: what estimates are checked against.

use super::PackedRbm;

/// The most units of the smaller side that are enumerated.
pub const MOST_ENUMERATED: usize = 20;

impl PackedRbm {
    /// `ln Z` of one row, by summing over all states of the smaller side; `None` where that has more than 20 units.
    ///
    /// # Shapes
    /// `visible_bias`: `[V]`, `hidden_bias`: `[H]`
    /// # Panics
    /// If the lengths do not agree.
    pub fn log_partition_exact(&self, visible_bias: &[f32], hidden_bias: &[f32]) -> Option<f64> {
        assert_eq!(self.rows(visible_bias, hidden_bias), 1, "rows of biases");
        let over_hidden = self.hidden <= self.visible;
        let (few, many) = if over_hidden { (hidden_bias, visible_bias) } else { (visible_bias, hidden_bias) };
        if few.len() > MOST_ENUMERATED {
            return None;
        }
        let weight = |f: usize, m: usize| {
            let (j, i) = if over_hidden { (f, m) } else { (m, f) };
            f64::from(self.weight[j * self.visible + i])
        };
        // Summed over the other side, in closed form: e^(b s) prod_m (1 + e^(b_m + sum_f w_fm s_f)).
        let log_weight = |state: u32| -> f64 {
            let on: Vec<usize> = (0..few.len()).filter(|f| state >> f & 1 == 1).collect();
            let linear: f64 = on.iter().map(|f| f64::from(few[*f])).sum();
            let input = |m: usize| f64::from(many[m]) + on.iter().map(|f| weight(*f, m)).sum::<f64>();
            let soft = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            linear + (0..many.len()).map(|m| soft(input(m))).sum::<f64>()
        };
        let logs: Vec<f64> = (0..1u32 << few.len()).map(log_weight).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln())
    }
}
