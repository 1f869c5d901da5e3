//! The logistic function's relatives, and coins tossed with it: all without branches, so that loops over them vectorise.

use crate::random::mix;
use crate::simd::{exp, fma};

/// `ln(1 + e^x)`, to about 2 units in the last place of `max(x, 1)`.
#[inline(always)]
pub(crate) fn softplus<const FMA: bool>(x: f32) -> f32 {
    x.max(0.0) + ln_1p::<FMA>(exp::<FMA>(-x.abs()))
}

/// `(ln(1 + e^x), 1 / (1 + e^-x))` from one exponential.
#[inline(always)]
pub(crate) fn softplus_and_sigmoid<const FMA: bool>(x: f32) -> (f32, f32) {
    let e = exp::<FMA>(-x.abs());
    let larger = 1.0 / (1.0 + e);
    (x.max(0.0) + ln_1p::<FMA>(e), if x >= 0.0 { larger } else { e * larger })
}

/// `ln(1 + y)` for y in [0, 1]: `2 atanh(s)` with `s = y / (2 + y)`, whose series ends here with an error under 1e-8.
#[inline(always)]
fn ln_1p<const FMA: bool>(y: f32) -> f32 {
    let s = y / (2.0 + y);
    let t = s * s;
    let p = 1.0 / 13.0;
    let p = fma::<FMA>(p, t, 1.0 / 11.0);
    let p = fma::<FMA>(p, t, 1.0 / 9.0);
    let p = fma::<FMA>(p, t, 1.0 / 7.0);
    let p = fma::<FMA>(p, t, 1.0 / 5.0);
    let p = fma::<FMA>(p, t, 1.0 / 3.0);
    2.0 * fma::<FMA>(p * t, s, s)
}

/// The key of a row of coins: one row is tossed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoinKey(u64);

impl CoinKey {
    /// From whatever tells this row from all others.
    pub(crate) fn new(seed: u64, counters: [u64; 2]) -> CoinKey {
        CoinKey(counters.iter().fold(mix(seed), |key, counter| mix(key ^ counter)))
    }

    /// Uniform in (0, 1), with 23 bits; a function of the key and the coin's place alone. (C. Wellons' `lowbias32`, twice.)
    #[inline(always)]
    pub(crate) fn uniform(self, coin: usize) -> f32 {
        let hash = scramble(scramble(coin as u32 ^ self.0 as u32).wrapping_add((self.0 >> 32) as u32));
        ((hash >> 9) as f32 + 0.5) * (1.0 / (1 << 23) as f32)
    }
}

/// A bijection of 32 bits whose output bits each depend on every input bit (`lowbias32`).
#[inline(always)]
fn scramble(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, per_level};

    #[inline(always)]
    fn both<const FMA: bool>(x: &[f32], soft: &mut [f32], sigmoid: &mut [f32], alone: &mut [f32]) {
        for (((x, a), b), c) in x.iter().zip(soft).zip(sigmoid).zip(alone) {
            (*a, *b) = softplus_and_sigmoid::<FMA>(*x);
            *c = softplus::<FMA>(*x);
        }
    }

    #[test]
    fn softplus_and_sigmoid_are_accurate_at_every_level() {
        let x: Vec<f32> = (-4000..=4000).map(|i| i as f32 * 0.02).collect();
        for level in Level::available() {
            let mut found = [x.clone(), x.clone(), x.clone()];
            let ([a, b, c], x) = (&mut found, &x[..]);
            per_level!(level, both(x: &[f32], a: &mut [f32], b: &mut [f32], c: &mut [f32]));
            assert_eq!(a, c);
            for ((x, soft), sigmoid) in x.iter().map(|x| f64::from(*x)).zip(a.iter()).zip(b.iter()) {
                let exact = x.max(0.0) + (-x.abs()).exp().ln_1p();
                let error = (f64::from(*soft) - exact).abs();
                assert!(error < 3e-7 * exact.max(1e-30).max(if x > 1.0 { x } else { 0.0 }), "{level:?}: {x} {error:e}");
                assert!((f64::from(*sigmoid) - 1.0 / (1.0 + (-x).exp())).abs() < 2e-7);
            }
        }
    }

    #[test]
    fn coins_are_fair_and_unrelated() {
        let n = 1 << 14;
        let mean = |f: &dyn Fn(usize) -> f32| (0..n).map(|i| f64::from(f(i))).sum::<f64>() / n as f64;
        let (a, b) = (CoinKey::new(1, [2, 3]), CoinKey::new(1, [2, 4]));
        for key in [a, b, CoinKey::new(2, [2, 3])] {
            assert!((mean(&|i| key.uniform(i)) - 0.5).abs() < 0.01);
            assert!((mean(&|i| key.uniform(i) * key.uniform(i + 1)) - 0.25).abs() < 0.01);
        }
        assert!((mean(&|i| a.uniform(i) * b.uniform(i)) - 0.25).abs() < 0.01);
    }
}
