//! Rhythm: when notes begin, and how long they last.

use super::Histogram;
use cantus_score::{Bar, Ticks, TicksPerQuarter};

/// mgeval's twelve note lengths as shares of a whole note, in 96ths: whole, half, quarter, 8th, 16th; dotted half, quarter, 8th,
/// 16th; half, quarter and 8th triplet.
const LENGTHS: [u64; 12] = [96, 48, 24, 12, 6, 72, 36, 18, 9, 32, 16, 8];

/// Share of each of the twelve note lengths; a duration counts as the nearest, the first of two as near.
///
/// Departure from mgeval: its unit is a 96th of a *bar* in whatever metre, so that a quarter in 3/4 is none of its classes; ours is
/// a 96th of a whole note.
pub(crate) fn note_lengths(durations: impl Iterator<Item = Ticks>, per_quarter: TicksPerQuarter) -> Histogram {
    // A whole note has 4 quarters of ticks: compare 96 durations with LENGTHS whole notes.
    let whole = 4 * u128::from(per_quarter.get());
    let mut counts = [0usize; LENGTHS.len()];
    for duration in durations {
        let found = 96 * u128::from(duration.0);
        let distance = |length: u64| found.abs_diff(u128::from(length) * whole);
        let nearest = (0..LENGTHS.len()).min_by_key(|k| distance(LENGTHS[*k])).unwrap_or(0);
        counts[nearest] += 1;
    }
    Histogram { shares: super::shares(&counts) }
}

/// See [`super::Statistics::groove_consistency`]; onsets sorted, each once.
pub(crate) fn groove(bars: &[Bar], onsets: &[Ticks]) -> Option<f64> {
    let patterns: Vec<Vec<u64>> = bars
        .iter()
        .map(|bar| {
            let from = onsets.partition_point(|onset| *onset < bar.start);
            let to = onsets.partition_point(|onset| *onset < bar.end());
            onsets[from..to].iter().map(|onset| (*onset - bar.start).0).collect()
        })
        .collect();
    let neighbours = bars.windows(2).zip(patterns.windows(2)).filter(|(bars, _)| bars[0].length == bars[1].length);
    let distances = neighbours.map(|(bars, patterns)| {
        let common = patterns[0].iter().filter(|step| patterns[1].binary_search(step).is_ok()).count();
        let different = patterns[0].len() + patterns[1].len() - 2 * common;
        different as f64 / bars[0].length.0 as f64
    });
    super::mean(distances).map(|distance| 1.0 - distance)
}
