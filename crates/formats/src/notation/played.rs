//! Whether music was written or played.
//!
//! Ticks do not tell: of 24 to the quarter every one can be named by a note value, and of 480 every tenth. The music tells. What a person
//! plays lies *near* simple places of the beat, on ever other ticks; what is written lies *on* places, and where these are fine, a
//! rhythm is made of them. Both are hypotheses about the same onsets, and that is believed which says them in fewer bits (J. Rissanen,
//! "Modeling by shortest data description", Automatica 14, 1978). Random onsets on the same ticks, which nobody plays, are cheaper to
//! say as written: the probability that they seem played by `b` bits is less than 2^-b.

use super::QUARTER;

/// What a beat of a performance is divided into, and what each division costs in bits.
pub const SIMPLE: [(u64, f64); 6] = [(1, 1.0), (2, 1.5), (4, 2.0), (3, 3.0), (8, 4.0), (6, 4.0)];
/// The same for written music, which may have any tuplet.
const WRITTEN: [(u64, f64); 18] = [
    (1, 1.0),
    (2, 1.5),
    (4, 2.0),
    (3, 3.0),
    (8, 4.0),
    (6, 4.0),
    (5, 6.0),
    (12, 6.0),
    (16, 6.0),
    (7, 7.0),
    (9, 8.0),
    (10, 8.0),
    (24, 8.0),
    (32, 8.0),
    (14, 9.0),
    (18, 10.0),
    (20, 9.0),
    (28, 10.0),
];
/// How far from their places, in quarters, onsets usually lie that are played: a machine with a human touch, a pianist, a beginner.
const SPREADS: [f64; 3] = [0.0125, 0.025, 0.05];
/// What a beat of written music costs, in bits, that no division names: an ornament that was played out, say.
const NAMELESS: f64 = 10.0;
/// From so many ticks to the quarter on, tuplets that do not divide them are rounded by so little that they are told from all else.
const FINEST: u64 = 240;
/// What it costs, in bits, that two onsets become one.
const MERGED: f64 = 6.0;
/// So many bits of evidence are believed.
pub const ENOUGH: f64 = 8.0;

/// The beat that a time (in [`super::RESOLUTION`]) belongs to: one that is a little early belongs to the next.
pub fn beat_of(at: u64) -> u64 {
    (at + QUARTER / 24) / QUARTER
}

/// Whether an onset is a place of a quarter in so many parts. Of a tuplet that does not divide the `ticks` of a quarter the nearest ones are
/// meant, as of seven notes in 480 ticks.
fn is_place(onset: u64, division: u64, ticks: u64) -> bool {
    let step = QUARTER / division;
    let off = (onset % step).min(step - onset % step);
    // Half a tick, and the half of a unit that it was rounded by.
    off == 0 || is_rounded(division, ticks) && 2 * off * ticks <= QUARTER + ticks
}

fn is_rounded(division: u64, ticks: u64) -> bool {
    ticks >= FINEST && !ticks.is_multiple_of(division)
}

/// The simplest tuplet whose places, rounded to ticks, the onsets of a beat are.
pub fn rounded_tuplet(beat: &[u64], ticks: u64) -> Option<u64> {
    let mut tuplets = WRITTEN.iter().map(|(division, _)| *division).filter(|division| is_rounded(*division, ticks));
    tuplets.find(|division| beat.iter().all(|onset| is_place(*onset, *division, ticks)))
}

/// By how many bits it is shorter to say `onsets` as played than as written (negative: longer), and how far from their places they
/// usually lie. In order, each once, in [`super::RESOLUTION`]; `places` equally distant places of a quarter hold them all, out of so many
/// `ticks`.
pub fn evidence(onsets: &[u64], places: u64, ticks: u64) -> (f64, f64) {
    // Between places as far apart as these there is nothing to play: a bit for each that meets one of them.
    if places <= 4 {
        return (-(onsets.len() as f64), SPREADS[0]);
    }
    let anywhere = onsets.len() as f64 * (places as f64).log2();
    let mut written = 0.0;
    let mut played = SPREADS.map(|_| (SPREADS.len() as f64).log2());
    // Of a bell curve over all ticks the share of one tick.
    let shares = SPREADS.map(|spread| {
        let tick = 1.0 / places as f64;
        let reach = (6.0 * spread / tick) as i32 + 1;
        let weight = |k: i32| (-(f64::from(k) * tick / spread).powi(2) / 2.0).exp();
        (-reach..=reach).map(weight).sum::<f64>().log2()
    });
    for (beat, after) in beats(onsets) {
        let exact = |division: u64| beat.iter().all(|onset| is_place(*onset, division, ticks));
        let plain = WRITTEN.iter().filter(|(division, _)| exact(*division));
        let plain = plain.map(|(division, cost)| cost + beat.len() as f64 * (*division as f64).log2());
        written += plain.fold(NAMELESS + beat.len() as f64 * (places as f64).log2(), f64::min);
        for ((total, spread), share) in played.iter_mut().zip(SPREADS).zip(shares) {
            let divisions = SIMPLE.iter().map(|&(division, cost)| cost + misses((beat, after), division, spread));
            *total += divisions.fold(f64::INFINITY, f64::min) + share * beat.len() as f64;
        }
    }
    let best = (0..SPREADS.len()).min_by(|a, b| played[*a].total_cmp(&played[*b])).unwrap_or(0);
    (anywhere.min(written) - played[best], SPREADS[best])
}

/// The onsets of each beat, with the one that comes after them.
pub fn beats(onsets: &[u64]) -> impl Iterator<Item = (&[u64], Option<u64>)> {
    let mut seen = 0;
    onsets.chunk_by(|a, b| beat_of(*a) == beat_of(*b)).map(move |beat| {
        seen += beat.len();
        (beat, onsets.get(seen).copied())
    })
}

/// What it costs, in bits, to say which of so many places of the beat each onset means, and how far it lies from it.
pub fn misses((beat, after): (&[u64], Option<u64>), division: u64, spread: f64) -> f64 {
    let step = QUARTER / division;
    let place = |onset: u64| (onset + step / 2) / step;
    let far = |onset: &u64| (onset.abs_diff(place(*onset) * step) as f64 / QUARTER as f64 / spread).powi(2);
    let squares: f64 = beat.iter().map(far).sum();
    // What two onsets lose that fall on one place is a rhythm: dearer than a fine division.
    let is_merged = |a: u64, b: u64| b - a > QUARTER / 12 && place(a) == place(b);
    let merged = beat.windows(2).filter(|pair| is_merged(pair[0], pair[1])).count();
    let last = beat.last().zip(after).is_some_and(|(last, after)| is_merged(*last, after));
    squares / (2.0 * std::f64::consts::LN_2)
        + beat.len() as f64 * (division as f64).log2()
        + MERGED * (merged + usize::from(last)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Onsets in ticks of so many to the quarter.
    fn bits(ticks: u64, onsets: impl IntoIterator<Item = u64>) -> f64 {
        let onsets: Vec<u64> = onsets.into_iter().map(|onset| onset * QUARTER / ticks).collect();
        evidence(&onsets, ticks, ticks).0
    }

    #[test]
    fn scales_with_a_human_touch_are_played_on_any_ticks() {
        let touch = [0, -1, 1, 1, 0, -1, 0, 1, 0, 0, -1, 1, -1, 0, 1, 0];
        for (ticks, step) in [(24, 24), (24, 12), (48, 48), (48, 24)] {
            let onsets = (0..16).map(|k| (k as i64 * step + touch[k] * (ticks / 24)).max(0) as u64);
            let found = bits(ticks as u64, onsets);
            assert!(found > ENOUGH, "{ticks} {step}: {found}");
        }
    }

    #[test]
    fn rhythms_are_written_on_any_ticks() {
        let rows: [(u64, Vec<u64>); 6] = [
            (24, (0..64).map(|k| k * 8).collect()),
            (24, (0..64).map(|k| k * 3).collect()),
            // Eighths with a run of triplet sixteenths every fourth beat.
            (
                24,
                (0..16)
                    .flat_map(|k| {
                        if k % 4 == 3 { (0..6).map(|i| 24 * k + 4 * i).collect() } else { vec![24 * k, 24 * k + 12] }
                    })
                    .collect(),
            ),
            (20, (0..60).map(|k| k * 4).collect()),
            (
                28,
                (0..10).flat_map(|k| (0..7).map(move |i| 28 * (3 * k + 2) + 4 * i).chain([28 * 3 * (k + 1)])).collect(),
            ),
            // Dotted rhythms with 32nds.
            (8, (0..32).flat_map(|k| [8 * k, 8 * k + 7]).collect()),
        ];
        for (ticks, onsets) in rows {
            let found = bits(ticks, onsets);
            assert!(found < 0.0, "{ticks}: {found}");
        }
    }
}
