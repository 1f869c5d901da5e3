//! Which key music is in.

use crate::{Key, Mode, Note};
use std::cmp::Reverse;

/// How well each scale degree stands for its key: the mean of what listeners said (C. L. Krumhansl and E. J. Kessler, "Tracing the dynamic
/// changes in perceived tonal organization in a spatial representation of musical keys", Psychological Review 89, 1982) and of
/// D. Temperley's correction ("What's Key for Key? The Krumhansl-Schmuckler Key-Finding Algorithm Reconsidered", Music Perception 17(1),
/// 1999), in which leading notes count for more. Both were checked against Essentia (`src/algorithms/tonal/key.cpp`, `krumhansl` and
/// `temperley`). Each alone errs more often: the first takes major for minor, the second natural minor for major.
const MAJOR: [f64; 12] = [5.675, 2.115, 3.49, 2.165, 4.44, 4.045, 2.26, 4.845, 2.195, 3.58, 1.895, 3.44];
const MINOR: [f64; 12] = [5.665, 2.34, 3.51, 4.94, 2.3, 3.765, 2.27, 4.625, 3.74, 2.345, 2.42, 3.585];
/// How many notes more the lowest note of the beginning and that of the end count for: there music says where it is at home.
const FIRST: f64 = 2.0;
const LAST: f64 = 3.0;

/// The key whose profile the pitch classes, weighed by their durations, correlate with best (Krumhansl and Schmuckler); `None` without a
/// note.
pub fn find_key<'a>(notes: impl IntoIterator<Item = &'a Note>) -> Option<Key> {
    let mut weights = [0.0; 12];
    let (mut first, mut last): (Option<&Note>, Option<&Note>) = (None, None);
    let mut count = 0u32;
    for note in notes {
        weights[usize::from(note.pitch.class())] += note.duration.0.max(1) as f64;
        count += 1;
        if first.is_none_or(|known| (note.onset, note.pitch) < (known.onset, known.pitch)) {
            first = Some(note);
        }
        if last.is_none_or(|known| (note.onset, Reverse(note.pitch)) > (known.onset, Reverse(known.pitch))) {
            last = Some(note);
        }
    }
    let a_note = weights.iter().sum::<f64>() / f64::from(count.max(1));
    for (note, times) in [(first?, FIRST), (last?, LAST)] {
        weights[usize::from(note.pitch.class())] += times * a_note;
    }
    let mut best: Option<(f64, Key)> = None;
    // Nearest to no accidentals first: of equals the simplest signature is kept.
    for fifths in [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6] {
        for (mode, profile, tonic_of_c) in [(Mode::Major, &MAJOR, 0), (Mode::Minor, &MINOR, 9)] {
            let tonic = (i32::from(fifths) * 7 + tonic_of_c).rem_euclid(12) as usize;
            let rotated: [f64; 12] = std::array::from_fn(|class| profile[(class + 12 - tonic) % 12]);
            let fit = correlation(&weights, &rotated);
            if let Some(key) = Key::new(fifths, mode).filter(|_| best.is_none_or(|(known, _)| fit > known + 1e-9)) {
                best = Some((fit, key));
            }
        }
    }
    best.map(|(_, key)| key)
}

fn correlation(a: &[f64; 12], b: &[f64; 12]) -> f64 {
    let mean = |x: &[f64; 12]| x.iter().sum::<f64>() / 12.0;
    let (ma, mb) = (mean(a), mean(b));
    let product = |x: &[f64; 12], mx: f64, y: &[f64; 12], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    let scale = (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt();
    if scale > 0.0 { product(a, ma, b, mb) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pitch, Ticks, Velocity};

    #[test]
    fn scales_have_their_keys() {
        let key = |pitches: &[u8]| {
            let note = |(k, pitch): (usize, &u8)| Note {
                onset: Ticks(k as u64),
                pitch: Pitch::try_from(*pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            find_key(&pitches.iter().enumerate().map(note).collect::<Vec<_>>()).map(|key| key.to_string())
        };
        assert_eq!(key(&[62, 64, 66, 67, 69, 71, 73, 74, 62, 69]).as_deref(), Some("D major"));
        assert_eq!(key(&[60, 62, 63, 65, 67, 68, 71, 72, 60, 67, 63]).as_deref(), Some("C minor"));
        // Up and down a fifth, without its end; natural minor; a tune with an upbeat.
        assert_eq!(key(&[60, 62, 64, 65, 67, 65, 64, 62]).as_deref(), Some("C major"));
        assert_eq!(key(&[69, 71, 72, 74, 76, 77, 79, 76, 74, 72, 71, 69]).as_deref(), Some("A minor"));
        assert_eq!(key(&[62, 67, 67, 71, 69, 67, 71, 69, 67, 66, 67]).as_deref(), Some("G major"));
        assert_eq!(key(&[]), None);
    }
}
