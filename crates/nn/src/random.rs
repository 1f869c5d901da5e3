//! Random numbers that the seed alone decides: the same bytes on every machine and for any number of threads.
//!
//! The generator is ChaCha with 8 rounds (`rand_chacha`), whose stream is specified and whose position can be saved.
//! Streams for different purposes are made with [`derive()`], so that adding one consumer does not shift another's
//! numbers.

use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// The generator of the whole program.
pub type Rng = rand_chacha::ChaCha8Rng;

/// A generator from a user's seed.
pub fn seeded(seed: u64) -> Rng {
    derive(seed, "", &[])
}

/// An independent stream for a purpose (`label`) and, within it, for counters such as epoch and batch.
pub fn derive(seed: u64, label: &str, counters: &[u64]) -> Rng {
    let label = label.bytes().fold(mix(label.len() as u64), |h, b| mix(h ^ u64::from(b)));
    let fold = |start: u64| counters.iter().fold(mix(start ^ counters.len() as u64), |h, c| mix(h ^ mix(*c ^ start)));
    let mut bytes = [0; 32];
    for (slot, word) in bytes.chunks_exact_mut(8).zip([seed, label, fold(0x5bf0_3635), fold(0x9e6c_63d0_876a_46a1)]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    Rng::from_seed(bytes)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection that spreads every bit.
pub fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Where a generator stands: enough to continue bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RngState {
    /// The key.
    pub seed: [u8; 32],
    /// The stream of that key.
    pub stream: u64,
    /// How many 32-bit words were drawn.
    pub position: u128,
}

impl RngState {
    /// The state of `rng`.
    pub fn of(rng: &Rng) -> RngState {
        RngState { seed: rng.get_seed(), stream: rng.get_stream(), position: rng.get_word_pos() }
    }

    /// A generator that continues from here.
    pub fn restore(&self) -> Rng {
        let mut rng = Rng::from_seed(self.seed);
        rng.set_stream(self.stream);
        rng.set_word_pos(self.position);
        rng
    }

    /// 56 bytes: seed, stream, position, each little-endian.
    pub fn to_bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        bytes[..32].copy_from_slice(&self.seed);
        bytes[32..40].copy_from_slice(&self.stream.to_le_bytes());
        bytes[40..].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8; 56]) -> RngState {
        let part = |range: std::ops::Range<usize>| &bytes[range];
        RngState {
            seed: part(0..32).try_into().expect("32 bytes"),
            stream: u64::from_le_bytes(part(32..40).try_into().expect("8 bytes")),
            position: u128::from_le_bytes(part(40..56).try_into().expect("16 bytes")),
        }
    }
}

/// Uniform in [0, 1), with 24 random bits.
pub fn uniform(rng: &mut Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Uniform in [0, 1), with 53 random bits.
pub fn uniform_f64(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Uniform in [low, high).
pub fn uniform_in(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * uniform(rng)
}

/// Standard normal (Box and Muller 1958, one of the pair).
pub fn normal(rng: &mut Rng) -> f32 {
    // 1 - u lies in (0, 1], where the logarithm is finite.
    let radius = (-2.0 * (1.0 - uniform_f64(rng)).ln()).sqrt();
    (radius * (std::f64::consts::TAU * uniform_f64(rng)).cos()) as f32
}

/// A uniform index below `n`, without bias (Lemire, ACM TOMACS 2019).
///
/// # Panics
/// If `n` is 0.
pub fn below(rng: &mut Rng, n: usize) -> usize {
    assert!(n > 0, "an index below 0");
    let n = n as u64;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as usize;
        }
    }
}

/// A uniform permutation in place (Fisher and Yates).
pub fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

/// An index drawn in proportion to non-negative `weights`; `None` where their sum is not a positive finite number.
pub fn categorical(rng: &mut Rng, weights: &[f32]) -> Option<usize> {
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    let mut left = uniform_f64(rng) * total;
    let mut chosen = None;
    for (at, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        chosen = Some(at);
        left -= f64::from(*weight);
        if left < 0.0 {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_generator_continues() {
        for drawn in [0, 1, 15, 16, 17, 63, 64, 65, 1000] {
            let mut rng = derive(7, "test", &[drawn]);
            (0..drawn).for_each(|_| {
                rng.next_u32();
            });
            let state = RngState::of(&rng);
            let mut again = RngState::from_bytes(&state.to_bytes()).restore();
            assert_eq!(RngState::of(&again), state);
            assert_eq!(
                (0..100).map(|_| rng.next_u32()).collect::<Vec<_>>(),
                (0..100).map(|_| again.next_u32()).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn streams_differ() {
        let first = |mut rng: Rng| rng.next_u64();
        let streams = [
            derive(1, "a", &[]),
            derive(2, "a", &[]),
            derive(1, "b", &[]),
            derive(1, "a", &[0]),
            derive(1, "a", &[0, 0]),
            derive(1, "a", &[1, 0]),
            derive(1, "a", &[0, 1]),
        ];
        let mut firsts: Vec<u64> = streams.into_iter().map(first).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 7);
    }

    #[test]
    fn moments_and_frequencies() {
        let mut rng = seeded(3);
        let n = 20_000;
        let mean = |v: &[f32]| v.iter().map(|x| f64::from(*x)).sum::<f64>() / v.len() as f64;
        let normals: Vec<f32> = (0..n).map(|_| normal(&mut rng)).collect();
        let squares: Vec<f32> = normals.iter().map(|x| x * x).collect();
        assert!(mean(&normals).abs() < 0.03 && (mean(&squares) - 1.0).abs() < 0.05);
        let uniforms: Vec<f32> = (0..n).map(|_| uniform(&mut rng)).collect();
        assert!(uniforms.iter().all(|u| (0.0..1.0).contains(u)) && (mean(&uniforms) - 0.5).abs() < 0.02);
        let mut counts = [0; 4];
        (0..n).for_each(|_| counts[categorical(&mut rng, &[1.0, 0.0, 3.0, 0.0]).unwrap()] += 1);
        assert!(counts[1] == 0 && counts[3] == 0 && (f64::from(counts[2]) / n as f64 - 0.75).abs() < 0.02);
        assert_eq!(categorical(&mut rng, &[]), None);
        assert_eq!(categorical(&mut rng, &[0.0]), None);
        assert_eq!(categorical(&mut rng, &[f32::NAN]), None);
        let mut places = [0; 3];
        for _ in 0..3000 {
            let mut items = [0, 1, 2];
            shuffle(&mut rng, &mut items);
            places[items.iter().position(|i| *i == 0).unwrap()] += 1;
        }
        assert!(places.iter().all(|p| (900..1100).contains(p)), "{places:?}");
    }
}
