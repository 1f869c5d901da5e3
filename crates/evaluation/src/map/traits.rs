//! Pieces as points.

use crate::structure::melody;
use crate::{FIGURES, Statistics};
use cantus_score::{Note, Score, find_key, merge_parts};

/// The first figures are notes and bars: how long a piece is tells nothing of the music.
const LENGTHS: usize = 2;
/// Melodic intervals that are told apart, each way.
const WIDEST: i32 = 8;
/// Classes of the time from one onset to the next: by octaves, from a 32nd on.
const LASTING: usize = 8;

/// The traits of pieces: each of mean 0 and deviation 1 among those that are known, groups of traits weighing as much as their root.
pub(super) struct Traits {
    pub rows: Vec<Vec<f64>>,
}

impl Traits {
    pub fn of(pieces: &[Score], statistics: &[Statistics], known: &[usize]) -> Traits {
        let mut rows: Vec<Vec<Option<f64>>> = pieces.iter().zip(statistics).map(|(piece, of)| raw(piece, of)).collect();
        let dimensions = rows.first().map_or(0, Vec::len);
        for k in 0..dimensions {
            let values: Vec<f64> = known.iter().filter_map(|row| rows[*row][k]).collect();
            let count = values.len().max(1) as f64;
            let mean = values.iter().sum::<f64>() / count;
            let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            for row in &mut rows {
                // What a piece does not have is nothing out of the ordinary; nobody is further out than three deviations.
                let far = row[k].filter(|_| deviation > 1e-9).map_or(0.0, |x| (x - mean) / deviation);
                row[k] = Some(far.clamp(-3.0, 3.0));
            }
        }
        Traits { rows: rows.into_iter().map(|row| row.into_iter().flatten().collect()).collect() }
    }
}

fn raw(piece: &Score, statistics: &Statistics) -> Vec<Option<f64>> {
    let mut row: Vec<Option<f64>> = FIGURES[LENGTHS..].iter().map(|figure| (figure.of)(statistics)).collect();
    let mut intervals = vec![0.0; 2 * WIDEST as usize + 1];
    let mut lasting = vec![0.0; LASTING];
    for pair in melody(piece).windows(2) {
        let interval = i32::from(pair[1].pitch.get()) - i32::from(pair[0].pitch.get());
        intervals[(interval.clamp(-WIDEST, WIDEST) + WIDEST) as usize] += 1.0;
        let thirty_seconds = (pair[1].onset - pair[0].onset).0 * 8 / u64::from(piece.ticks_per_quarter.get());
        lasting[(thirty_seconds.max(1).ilog2() as usize).min(LASTING - 1)] += 1.0;
    }
    let all = merge_parts(piece.parts.iter().filter(|part| !part.drums)).notes;
    let tonic = find_key(&all).map_or(0, |key| i32::from(key.tonic()));
    let mut classes = vec![0.0; 12];
    for Note { pitch, duration, .. } in &all {
        classes[(i32::from(pitch.get()) - tonic).rem_euclid(12) as usize] += duration.0 as f64;
    }
    for shares in [intervals, lasting, classes] {
        let sum: f64 = shares.iter().sum();
        row.extend(shares.into_iter().map(|share| (sum > 0.0).then(|| share / sum)));
    }
    let drums = piece.parts.iter().filter(|part| part.drums).map(|part| part.notes.len()).sum::<usize>();
    row.push(Some(drums as f64 / piece.note_count().max(1) as f64));
    row
}

/// An axis, with the deviation of the pieces along it.
pub(super) type Axis = (f64, Vec<f64>);

/// The two axes along which pieces differ most, each with its deviation, and where each piece lies on them.
pub(super) fn principal(traits: &Traits, known: &[usize]) -> ([Axis; 2], Vec<[f64; 2]>) {
    let dimensions = traits.rows.first().map_or(0, Vec::len);
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut axes: Vec<Axis> = Vec::new();
    for which in 0..2 {
        // Power iteration; what it begins with is no axis by chance.
        let mut axis: Vec<f64> = (0..dimensions).map(|k| 1.0 + (k * (which + 3) % 7) as f64).collect();
        let mut deviation = 0.0;
        for _ in 0..100 {
            for (_, other) in &axes {
                let along = dot(&axis, other);
                axis.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
            let length = dot(&axis, &axis).sqrt();
            if length < 1e-12 {
                break;
            }
            axis.iter_mut().for_each(|x| *x /= length);
            let mut next = vec![0.0; dimensions];
            for row in known.iter().map(|k| &traits.rows[*k]) {
                let along = dot(row, &axis);
                next.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
            }
            deviation = (dot(&next, &axis).max(0.0) / known.len().max(1) as f64).sqrt();
            axis = next;
        }
        let length = dot(&axis, &axis).sqrt().max(1e-12);
        axis.iter_mut().for_each(|x| *x /= length);
        axes.push((deviation, axis));
    }
    let plane = traits.rows.iter().map(|row| [dot(row, &axes[0].1), dot(row, &axes[1].1)]).collect();
    let second = axes.pop().unwrap_or_default();
    ([axes.pop().unwrap_or_default(), second], plane)
}
