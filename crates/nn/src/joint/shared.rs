//! The part that treats all places alike, on plain slices: units `[V, C]`, a row for each key.

use super::{JointShape, Noise, Place};
use crate::logistic::CoinKey;
use crate::plane::{CLASSES, Plane};
pub(super) use crate::plane::{Heard, add, decide, decide_back};

/// Steps that the decaying sums look back.
const DEPTH: usize = 64;
/// Empty steps that are passed over, at most.
const EMPTY: usize = 512;
/// What a step is worth beside the one after it, in each of the decaying sums.
const DECAYS: [f32; 2] = [0.9, 0.98];
/// Sums that decay.
pub(super) const SUMS: usize = DECAYS.len();
/// What the shared part sees of the past of a place.
pub(super) fn heard(shape: JointShape, place: &Place<'_>, noise: Option<&Noise>, found: &mut Vec<Heard>) {
    let JointShape { keys, lags, sounding, .. } = shape;
    found.clear();
    let share = noise.map_or(0.0, |noise| noise.past);
    // One coin for each member of each step: it is missing wherever it would be seen from here.
    let key = noise.map(|noise| CoinKey::new(noise.seed ^ 0x9a57, [noise.step, place.at as u64]));
    let mut sums = [[0.0f32; 128]; SUMS];
    let mut rates = [1.0; SUMS];
    let steps = (1..=DEPTH.max(lags) + if sounding { EMPTY } else { 0 }).map_while(|back| place.before(back));
    let counted = steps.filter(|set| !sounding || *set != 0).take(DEPTH.max(lags));
    for (back, set) in (1..).zip(counted) {
        rates.iter_mut().zip(DECAYS).for_each(|(rate, decay)| *rate *= decay);
        let mut left = set;
        while left != 0 {
            let k = left.trailing_zeros() as usize;
            left &= left - 1;
            if k >= keys || key.is_some_and(|key| share > 0.0 && key.uniform(back * 128 + k) < share) {
                continue;
            }
            if back <= lags {
                found.push(Heard { source: back - 1, key: k, value: 1.0 / (1.0 - share) });
            }
            sums.iter_mut().zip(rates).for_each(|(sum, rate)| sum[k] += rate);
        }
    }
    for (which, sum) in sums.iter().enumerate() {
        for (key, value) in sum[..keys].iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let value = value * (1.0 - DECAYS[which]) / (1.0 - share);
            found.push(Heard { source: lags + which, key, value });
        }
    }
}

/// How much of the past is of each class, as the members are when they are moved.
fn classes(place: &Place<'_>) -> [f32; CLASSES] {
    let shift = place.shift.rem_euclid(CLASSES as i32) as usize;
    std::array::from_fn(|class| place.classes[(class + CLASSES - shift) % CLASSES])
}

fn plane(shape: JointShape) -> Plane {
    let JointShape { keys, channels, reach, .. } = shape;
    Plane { keys, channels, reach }
}

/// See [`Plane::excite`]: sources are the lags, then the sums.
pub(super) fn excite(shape: JointShape, bias: &[f32], past: &[f32], heard: &[Heard], units: &mut [f32]) {
    plane(shape).excite(bias, past, heard, units);
}

/// See [`Plane::excite_back`].
pub(super) fn excite_back(
    shape: JointShape,
    to_units: &[f32],
    heard: &[Heard],
    to_bias: &mut [f32],
    to_past: &mut [f32],
) {
    plane(shape).excite_back(to_units, heard, to_bias, to_past);
}

/// See [`Plane::attune`]; does nothing where the head does not know the key.
pub(super) fn attune(shape: JointShape, place: &Place<'_>, table: &[f32], units: &mut [f32]) {
    if shape.tonal {
        plane(shape).attune(&classes(place), table, units);
    }
}

/// See [`Plane::attune_back`].
pub(super) fn attune_back(shape: JointShape, place: &Place<'_>, to_units: &[f32], to_table: &mut [f32]) {
    if shape.tonal {
        plane(shape).attune_back(&classes(place), to_units, to_table);
    }
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
