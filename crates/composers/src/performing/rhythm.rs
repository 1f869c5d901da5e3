//! What is written where nobody wrote it down: the note values of a performance, by the most likely path through tempos.
//!
//! A hidden tempo wanders a little from chord to chord; each gap between chords is a note value at this tempo, give or take what a hand is
//! off. The best path is Viterbi's (A. Cemgil and B. Kappen, "Monte Carlo Methods for Tempo Tracking and Rhythm Quantization", JAIR 18, 2003, has
//! the model; C. Raphael, "A hybrid graphical model for rhythmic parsing", Artificial Intelligence 137, 2002, the search). Whether a beat is a
//! quarter or an eighth is not told by it, and does not matter here: what is read of it are seconds at a level tempo.

/// Note values in quarters, with what each costs in nats.
const VALUES: [(f64, f64); 12] = [
    (0.125, 3.2),
    (1.0 / 6.0, 2.4),
    (0.25, 1.2),
    (1.0 / 3.0, 1.9),
    (0.5, 0.9),
    (2.0 / 3.0, 3.0),
    (0.75, 2.4),
    (1.0, 1.0),
    (1.5, 1.9),
    (2.0, 1.6),
    (3.0, 2.4),
    (4.0, 2.7),
];
/// Tempos to an octave, and octaves from the fastest, of which a quarter lasts [`FASTEST`] seconds.
const PER_OCTAVE: usize = 24;
const OCTAVES: usize = 3;
const FASTEST: f64 = 0.25;
/// Steps that the tempo moves by at most from chord to chord.
const REACH: usize = 4;
/// How far a tempo moves from chord to chord, and a gap is off its note value, as standard deviations of logarithms.
const WANDER: f64 = 0.05;
const OFF: f64 = 0.15;
/// Nats that another note value than the one before costs: rhythms are even more often than not.
const CHANGE: f64 = 1.5;
/// Seconds that a hand is off, however short the gap.
const HAND: f64 = 0.012;
/// A gap that fits nothing costs no more than this: a pause is not the end of the piece.
const MOST: f64 = 12.0;

/// Where chords that were played at these seconds stand in quarters, from 0.
pub(super) fn quarters(seconds: &[f64]) -> Vec<f64> {
    let tempos = PER_OCTAVE * OCTAVES + 1;
    let tempo = |state: usize| FASTEST * 2f64.powf(state as f64 / PER_OCTAVE as f64);
    let step = std::f64::consts::LN_2 / PER_OCTAVE as f64;
    // Most music beats about a hundred times a minute. States are tempos by note values.
    let mut costs: Vec<[f64; VALUES.len()]> =
        (0..tempos).map(|state| [(tempo(state) / 0.6).ln().powi(2) / 0.5; VALUES.len()]).collect();
    let mut paths: Vec<Vec<[(u8, u8); VALUES.len()]>> = Vec::with_capacity(seconds.len());
    for pair in seconds.windows(2) {
        let gap = (pair[1] - pair[0]).max(1e-3);
        let spread = OFF.powi(2) + (HAND / gap).powi(2);
        let any: Vec<(usize, f64)> = costs.iter().map(|of| least(of.iter().copied())).collect();
        let mut next = Vec::with_capacity(tempos);
        let mut path = Vec::with_capacity(tempos);
        for state in 0..tempos {
            let from = state.saturating_sub(REACH)..(state + REACH + 1).min(tempos);
            let moved = |from: usize| {
                let by = (state as f64 - from as f64) * step / WANDER;
                by * by / 2.0
            };
            let (other, changed) = least(from.clone().map(|from| any[from].1 + CHANGE + moved(from)));
            let other = from.start + other;
            let (mut of, mut ways) = ([0.0; VALUES.len()], [(0, 0); VALUES.len()]);
            for (value, (quarters, cost)) in VALUES.iter().enumerate() {
                let (same, kept) = least(from.clone().map(|from| costs[from][value] + moved(from)));
                let off = (gap / (quarters * tempo(state))).ln().powi(2) / (2.0 * spread);
                let (before, way) = if kept <= changed {
                    (kept, ((from.start + same) as u8, value as u8))
                } else {
                    (changed, (other as u8, any[other].0 as u8))
                };
                of[value] = before + cost + off.min(MOST);
                ways[value] = way;
            }
            next.push(of);
            path.push(ways);
        }
        costs = next;
        paths.push(path);
    }
    let best: Vec<(usize, f64)> = costs.iter().map(|of| least(of.iter().copied())).collect();
    let (mut state, _) = least(best.iter().map(|(_, cost)| *cost));
    let mut value = best[state].0;
    let mut values = Vec::with_capacity(paths.len());
    for path in paths.iter().rev() {
        values.push(VALUES[value].0);
        let (tempo, before) = path[state][value];
        (state, value) = (tempo.into(), before.into());
    }
    let mut at = 0.0;
    let sums = values.into_iter().rev().map(|value| {
        at += value;
        at
    });
    std::iter::once(0.0).chain(sums).take(seconds.len()).collect()
}

/// The first of the least, and where it is.
fn least(costs: impl Iterator<Item = f64>) -> (usize, f64) {
    costs.enumerate().fold((0, f64::INFINITY), |best, (k, cost)| if cost < best.1 { (k, cost) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_values_are_found_under_rubato_up_to_the_name_of_the_beat() {
        let values = [1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 1.0, 0.5, 0.25, 0.25, 2.0];
        let mut seconds = vec![1.0];
        let mut expected = vec![0.0];
        for (k, value) in values.iter().cycle().take(96).enumerate() {
            let tempo = 0.55 * (1.0 + 0.2 * (k as f64 / 9.0).sin());
            let hand = if k % 3 == 0 { 0.008 } else { -0.004 };
            seconds.push(seconds[k] + value * tempo + hand);
            expected.push(expected[k] + value);
        }
        let found = quarters(&seconds);
        assert_eq!(found.len(), seconds.len());
        let scale = found[96] / expected[96];
        let right = (0..96).filter(|k| {
            let (a, b) = (found[k + 1] - found[*k], scale * (expected[k + 1] - expected[*k]));
            (a / b - 1.0).abs() < 0.01
        });
        assert!(right.count() >= 94, "{found:?}");
        assert_eq!((quarters(&[]), quarters(&[2.0])), (vec![], vec![0.0]));
    }
}
