//! The part that treats all places alike, on plain slices: units `[V, C]`, a row for each key.

use super::{CLASSES, JointShape, Noise, Place};
use crate::logistic::CoinKey;
use crate::simd::{Level, fma, per_level};

/// Steps that the decaying sums look back.
const DEPTH: usize = 64;
/// What a step is worth beside the one after it, in each of the decaying sums.
const DECAYS: [f32; 2] = [0.9, 0.98];
/// Sums that decay.
pub(super) const SUMS: usize = DECAYS.len();
/// Floats that one step of a reduction adds at once.
const LANES: usize = 16;

/// A member of the past: which lag (or, from L on, which sum), which key, and how strong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    lag: usize,
    key: usize,
    value: f32,
}

/// What the shared part sees of the past of a place.
pub(super) fn heard(shape: JointShape, place: &Place<'_>, noise: Option<&Noise>, found: &mut Vec<Heard>) {
    let JointShape { keys, lags, .. } = shape;
    found.clear();
    let share = noise.map_or(0.0, |noise| noise.past);
    // One coin for each member of each step: it is missing wherever it would be seen from here.
    let key = noise.map(|noise| CoinKey::new(noise.seed ^ 0x9a57, [noise.step, place.at as u64]));
    let mut sums = [[0.0f32; 128]; SUMS];
    let mut rates = [1.0; SUMS];
    for back in 1..=DEPTH.max(lags) {
        let Some(set) = place.before(back) else { break };
        rates.iter_mut().zip(DECAYS).for_each(|(rate, decay)| *rate *= decay);
        let mut left = set;
        while left != 0 {
            let k = left.trailing_zeros() as usize;
            left &= left - 1;
            if k >= keys || key.is_some_and(|key| share > 0.0 && key.uniform(back * 128 + k) < share) {
                continue;
            }
            if back <= lags {
                found.push(Heard { lag: back - 1, key: k, value: 1.0 / (1.0 - share) });
            }
            sums.iter_mut().zip(rates).for_each(|(sum, rate)| sum[k] += rate);
        }
    }
    for (which, sum) in sums.iter().enumerate() {
        for (key, value) in sum[..keys].iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let value = value * (1.0 - DECAYS[which]) / (1.0 - share);
            found.push(Heard { lag: lags + which, key, value });
        }
    }
}

/// Where the patch of a member lies: the first unit and the first weight that it meets, and how many.
fn patch(shape: JointShape, heard: &Heard) -> (usize, usize, usize) {
    let JointShape { keys, channels, reach, .. } = shape;
    let (low, high) = (heard.key.saturating_sub(reach), (heard.key + reach + 1).min(keys));
    let weight = heard.lag * (2 * reach + 1) + low + reach - heard.key;
    (low * channels, weight * channels, (high - low) * channels)
}

/// Units before any decision: `a` and the patches of the past.
///
/// # Shapes
/// `bias`: `[C]`, `past`: `[L + 2, 2R + 1, C]`, `units`: `[V, C]`
pub(super) fn excite(shape: JointShape, bias: &[f32], past: &[f32], heard: &[Heard], units: &mut [f32]) {
    units.chunks_exact_mut(shape.channels).for_each(|unit| unit.copy_from_slice(bias));
    for member in heard {
        let (unit, weight, length) = patch(shape, member);
        add(&mut units[unit..unit + length], &past[weight..weight + length], member.value);
    }
}

/// The derivatives by `bias` and `past`, added, given those by the units.
pub(super) fn excite_back(
    shape: JointShape,
    to_units: &[f32],
    heard: &[Heard],
    to_bias: &mut [f32],
    to_past: &mut [f32],
) {
    to_units.chunks_exact(shape.channels).for_each(|unit| add(to_bias, unit, 1.0));
    for member in heard {
        let (unit, weight, length) = patch(shape, member);
        add(&mut to_past[weight..weight + length], &to_units[unit..unit + length], member.value);
    }
}

/// How much of the past is of each class, as the members are when they are moved.
fn classes(place: &Place<'_>) -> [f32; CLASSES] {
    let shift = place.shift.rem_euclid(CLASSES as i32) as usize;
    std::array::from_fn(|class| place.classes[(class + CLASSES - shift) % CLASSES])
}

/// Each degree that the keys of one class may have, and how much of the past makes it so. By degrees, not by classes: moved to another
/// key, the same is added in the same order.
fn degrees(classes: &[f32; CLASSES], of_key: usize) -> impl Iterator<Item = (usize, f32)> {
    (0..CLASSES).map(move |degree| (degree, classes[(of_key + CLASSES - degree) % CLASSES]))
}

/// Adds to the units of each key what the piece's key makes of it.
///
/// # Shapes
/// `table`: `[12, C]`, or empty where there is none, `units`: `[V, C]`
pub(super) fn attune(shape: JointShape, place: &Place<'_>, table: &[f32], units: &mut [f32]) {
    if !shape.tonal {
        return;
    }
    let (channels, classes) = (shape.channels, classes(place));
    let mut sum = vec![0.0; channels];
    for of_key in 0..CLASSES.min(shape.keys) {
        sum.fill(0.0);
        for (degree, share) in degrees(&classes, of_key) {
            add(&mut sum, &table[degree * channels..][..channels], share);
        }
        units.chunks_exact_mut(channels).skip(of_key).step_by(CLASSES).for_each(|unit| add(unit, &sum, 1.0));
    }
}

/// The derivatives by the table, added, given those by the units.
pub(super) fn attune_back(shape: JointShape, place: &Place<'_>, to_units: &[f32], to_table: &mut [f32]) {
    if !shape.tonal {
        return;
    }
    let (channels, classes) = (shape.channels, classes(place));
    let mut sum = vec![0.0; channels];
    for of_key in 0..CLASSES.min(shape.keys) {
        sum.fill(0.0);
        to_units.chunks_exact(channels).skip(of_key).step_by(CLASSES).for_each(|unit| add(&mut sum, unit, 1.0));
        for (degree, share) in degrees(&classes, of_key) {
            add(&mut to_table[degree * channels..][..channels], &sum, share);
        }
    }
}

/// `to += scale from`
pub(super) fn add(to: &mut [f32], from: &[f32], scale: f32) {
    let level = Level::detect();
    per_level!(level, add_any(to: &mut [f32], from: &[f32], scale: f32));
}

#[inline(always)]
fn add_any<const FMA: bool>(to: &mut [f32], from: &[f32], scale: f32) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = fma::<FMA>(scale, *from, *to));
}

/// The rows of a table of distances that the keys below `n` meet.
pub(super) fn below(shape: JointShape, n: usize, table: &[f32]) -> &[f32] {
    &table[(shape.keys - 1 - n) * shape.channels..]
}

/// As [`below`].
pub(super) fn below_mut(shape: JointShape, n: usize, table: &mut [f32]) -> &mut [f32] {
    &mut table[(shape.keys - 1 - n) * shape.channels..]
}

/// Kinds of motion of two voices: the interval before and after, within the octave, and whether each falls, stays or rises.
pub(super) const MOTIONS: usize = 12 * 12 * 9;

/// How each key of the voices below would move with the member `n` just chosen, given the set before: keys and kinds of motion.
fn motions(shape: JointShape, before: u128, n: usize, mut found: impl FnMut(usize, usize)) {
    let JointShape { span, .. } = shape;
    let Some(voice) = n.checked_div(span) else { return };
    let sang = |voice: usize| {
        let own = before >> (voice * span) & ((1 << span) - 1);
        own.checked_ilog2().map(|k| voice * span + k as usize)
    };
    let Some(upper) = sang(voice) else { return };
    let way = |from: usize, to: usize| 1 + usize::from(to > from) - usize::from(to < from);
    for (voice, lower) in (0..voice).filter_map(|voice| Some((voice, sang(voice)?))) {
        let before = (upper - lower) % 12;
        for k in voice * span..(voice + 1) * span {
            found(k, ((before * 12 + (n - k) % 12) * 3 + way(upper, n)) * 3 + way(lower, k));
        }
    }
}

/// Units after the member `n` was chosen: how the voices below would move with it is added.
///
/// # Shapes
/// `table`: `[MOTIONS, C]`, `units`: `[V, C]`
pub(super) fn follow(shape: JointShape, before: u128, n: usize, table: &[f32], units: &mut [f32]) {
    let channels = shape.channels;
    motions(shape, before, n, |k, kind| {
        add(&mut units[k * channels..][..channels], &table[kind * channels..][..channels], 1.0);
    });
}

/// The derivatives by the table, added, given those by the units of all later decisions.
pub(super) fn follow_back(shape: JointShape, before: u128, n: usize, to_units: &[f32], to_table: &mut [f32]) {
    let channels = shape.channels;
    motions(shape, before, n, |k, kind| {
        add(&mut to_table[kind * channels..][..channels], &to_units[k * channels..][..channels], 1.0);
    });
}

/// One decision: `units = relu(base + last)`, and `logits += v units`, for the keys that `logits` has.
///
/// # Shapes
/// `base`, `units`: `[K, C]`, `last`: the same or empty, `v`: `[C]`, `logits`: `[K]`
pub(super) fn decide(base: &[f32], last: &[f32], v: &[f32], units: &mut [f32], logits: &mut [f32]) {
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
pub(super) fn decide_back(
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
