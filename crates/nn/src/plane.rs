//! Units for every key of a keyboard that treat all keys alike, on plain slices: `[V, C]`, a row for each key.
//!
//! ```text
//! u_kc = a_c + sum_(source, n) P[source, n - k, c] x_source,n + sum_i T[(k - i) mod 12, c] y_i
//! logit(k) = sum_c v_c relu(u_kc)
//! ```
//! x is what is heard, from several sources (the notes before, what sounds); y is the share of each pitch class, the key that a piece is
//! in. Moving all of it by a distance moves the logits by that distance.

use crate::simd::{Level, fma, per_level};

/// Floats that one step of a reduction adds at once.
const LANES: usize = 16;

/// Pitch classes: keys that are octaves apart are of one.
pub const CLASSES: usize = 12;

/// What is heard: from which source, which key, and how strong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Which source.
    pub source: usize,
    /// Which key.
    pub key: usize,
    /// How strong.
    pub value: f32,
}

/// The sizes of a plane of units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane {
    /// Keys V.
    pub keys: usize,
    /// Channels C.
    pub channels: usize,
    /// How far a key that is heard is felt up and down.
    pub reach: usize,
}

impl Plane {
    /// Where the patch of a key that is heard lies: the first unit and the first weight that it meets, and how many.
    fn patch(self, heard: &Heard) -> (usize, usize, usize) {
        let Plane { keys, channels, reach } = self;
        let (low, high) = (heard.key.saturating_sub(reach), (heard.key + reach + 1).min(keys));
        let weight = heard.source * (2 * reach + 1) + low + reach - heard.key;
        (low * channels, weight * channels, (high - low) * channels)
    }

    /// The units: `a` and the patches of what is heard.
    ///
    /// # Shapes
    /// `bias`: `[C]`, `patches`: `[S, 2R + 1, C]`, `units`: `[V, C]`
    pub fn excite(self, bias: &[f32], patches: &[f32], heard: &[Heard], units: &mut [f32]) {
        units.chunks_exact_mut(self.channels).for_each(|unit| unit.copy_from_slice(bias));
        for member in heard {
            let (unit, weight, length) = self.patch(member);
            add(&mut units[unit..unit + length], &patches[weight..weight + length], member.value);
        }
    }

    /// The derivatives by `bias` and `patches`, added, given those by the units.
    pub fn excite_back(self, to_units: &[f32], heard: &[Heard], to_bias: &mut [f32], to_patches: &mut [f32]) {
        to_units.chunks_exact(self.channels).for_each(|unit| add(to_bias, unit, 1.0));
        for member in heard {
            let (unit, weight, length) = self.patch(member);
            add(&mut to_patches[weight..weight + length], &to_units[unit..unit + length], member.value);
        }
    }

    /// Adds to the units of each key what the share of each pitch class makes of it.
    ///
    /// # Shapes
    /// `table`: `[12, C]`, `units`: `[V, C]`
    pub fn attune(self, classes: &[f32; CLASSES], table: &[f32], units: &mut [f32]) {
        let channels = self.channels;
        let mut sum = vec![0.0; channels];
        for of_key in 0..CLASSES.min(self.keys) {
            sum.fill(0.0);
            for (degree, share) in degrees(classes, of_key) {
                add(&mut sum, &table[degree * channels..][..channels], share);
            }
            units.chunks_exact_mut(channels).skip(of_key).step_by(CLASSES).for_each(|unit| add(unit, &sum, 1.0));
        }
    }

    /// The derivatives by the table, added, given those by the units.
    pub fn attune_back(self, classes: &[f32; CLASSES], to_units: &[f32], to_table: &mut [f32]) {
        let channels = self.channels;
        let mut sum = vec![0.0; channels];
        for of_key in 0..CLASSES.min(self.keys) {
            sum.fill(0.0);
            to_units.chunks_exact(channels).skip(of_key).step_by(CLASSES).for_each(|unit| add(&mut sum, unit, 1.0));
            for (degree, share) in degrees(classes, of_key) {
                add(&mut to_table[degree * channels..][..channels], &sum, share);
            }
        }
    }
}

/// Each degree that the keys of one class may have, and how much of the past makes it so. By degrees, not by classes: moved to another
/// key, the same is added in the same order.
fn degrees(classes: &[f32; CLASSES], of_key: usize) -> impl Iterator<Item = (usize, f32)> {
    (0..CLASSES).map(move |degree| (degree, classes[(of_key + CLASSES - degree) % CLASSES]))
}

/// `to += scale from`
pub(crate) fn add(to: &mut [f32], from: &[f32], scale: f32) {
    let level = Level::detect();
    per_level!(level, add_any(to: &mut [f32], from: &[f32], scale: f32));
}

#[inline(always)]
fn add_any<const FMA: bool>(to: &mut [f32], from: &[f32], scale: f32) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = fma::<FMA>(scale, *from, *to));
}

/// One decision: `units = relu(base + last)`, and `logits += v units`, for the keys that `logits` has.
///
/// # Shapes
/// `base`, `units`: `[K, C]`, `last`: the same or empty, `v`: `[C]`, `logits`: `[K]`
pub(crate) fn decide(base: &[f32], last: &[f32], v: &[f32], units: &mut [f32], logits: &mut [f32]) {
    let level = Level::detect();
    per_level!(
        level,
        decide_any(base: &[f32], last: &[f32], v: &[f32], units: &mut [f32], logits: &mut [f32])
    );
}

#[inline(always)]
fn decide_any<const FMA: bool>(base: &[f32], last: &[f32], v: &[f32], units: &mut [f32], logits: &mut [f32]) {
    let channels = v.len();
    let n = logits.len() * channels;
    let units = &mut units[..n];
    if last.is_empty() {
        units.iter_mut().zip(base).for_each(|(u, b)| *u = b.max(0.0));
    } else {
        units.iter_mut().zip(base).zip(last).for_each(|((u, b), l)| *u = (b + l).max(0.0));
    }
    for (logit, unit) in logits.iter_mut().zip(units.chunks_exact(channels)) {
        let mut sums = [0.0f32; LANES];
        for (u, v) in unit.as_chunks::<LANES>().0.iter().zip(v.as_chunks::<LANES>().0) {
            for ((s, u), v) in sums.iter_mut().zip(u).zip(v) {
                *s = fma::<FMA>(*u, *v, *s);
            }
        }
        *logit += total(sums);
    }
}

/// A sum in the order of a tree.
#[inline(always)]
fn total(mut sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for k in 0..width {
            sums[k] += sums[k + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Back through [`decide`]: adds to the derivatives by `base`, `last` (where there is one) and `v`.
pub(crate) fn decide_back(
    to_logits: &[f32],
    units: &[f32],
    v: &[f32],
    to_base: &mut [f32],
    to_last: &mut [f32],
    to_v: &mut [f32],
) {
    let level = Level::detect();
    per_level!(
        level,
        decide_back_any(
            to_logits: &[f32],
            units: &[f32],
            v: &[f32],
            to_base: &mut [f32],
            to_last: &mut [f32],
            to_v: &mut [f32],
        )
    );
}

#[inline(always)]
fn decide_back_any<const FMA: bool>(
    to_logits: &[f32],
    units: &[f32],
    v: &[f32],
    to_base: &mut [f32],
    to_last: &mut [f32],
    to_v: &mut [f32],
) {
    let channels = v.len();
    for (k, dl) in to_logits.iter().enumerate() {
        let row = k * channels..(k + 1) * channels;
        let (unit, to_base) = (&units[row.clone()], &mut to_base[row.clone()]);
        if to_last.is_empty() {
            for (((u, v), to_base), to_v) in unit.iter().zip(v).zip(to_base).zip(to_v.iter_mut()) {
                *to_v = fma::<FMA>(*u, *dl, *to_v);
                *to_base += if *u > 0.0 { v * dl } else { 0.0 };
            }
        } else {
            let to_last = &mut to_last[row];
            for ((((u, v), to_base), to_last), to_v) in
                unit.iter().zip(v).zip(to_base).zip(to_last).zip(to_v.iter_mut())
            {
                *to_v = fma::<FMA>(*u, *dl, *to_v);
                let g = if *u > 0.0 { v * dl } else { 0.0 };
                *to_base += g;
                *to_last += g;
            }
        }
    }
}
