//! Repetition: what a piece says again, and what it cannot stop saying.

use cantus_score::{Bar, Note};

/// Distances in bars at which repetition is measured: the next bar, and the usual lengths of phrases and sections.
pub const LAGS: [usize; 5] = [1, 2, 4, 8, 16];

/// Pairs of bars are compared among at most so many, or a long piece would take minutes.
const COMPARED: usize = 256;

/// For each of [`LAGS`] `s(lag) / chance`.
///
/// A bar is the set of its onsets as (step within the bar, pitch class). The likeness of two bars is their Jaccard index, common onsets
/// over all onsets; a pair of silent bars does not count. `s(lag)` is the mean over bars `lag` apart, `chance` the mean over all
/// pairs of bars: what `s` is, on average, when the bars are put in random order. 1 says that the order of the bars means nothing,
/// 3 that bars so far apart are three times as alike as any two.
///
/// `None` where the piece is too short for the lag, or no two bars have anything in common. Of a piece with more than 256 bars,
/// 256 evenly spread ones stand for all in `chance`, which is exact otherwise.
pub fn repetition(bars: &[Bar], notes: &[Note]) -> [Option<f64>; LAGS.len()] {
    let bars: Vec<Vec<(u64, u8)>> = bars.iter().map(|bar| onsets(bar, notes)).collect();
    let spread: Vec<&Vec<(u64, u8)>> = match bars.len() {
        few if few <= COMPARED => bars.iter().collect(),
        many => (0..COMPARED).map(|k| &bars[k * many / COMPARED]).collect(),
    };
    let all = spread.iter().enumerate().flat_map(|(k, a)| spread[k + 1..].iter().map(move |b| likeness(a, b)));
    let chance = mean(all).filter(|chance| *chance > 0.0);
    LAGS.map(|lag| {
        let apart = bars.iter().zip(bars.iter().skip(lag)).map(|(a, b)| likeness(a, b));
        mean(apart).zip(chance).map(|(likeness, chance)| likeness / chance)
    })
}

/// The onsets of a bar, sorted; `notes` sorted by onset.
fn onsets(bar: &Bar, notes: &[Note]) -> Vec<(u64, u8)> {
    let from = notes.partition_point(|note| note.onset < bar.start);
    let to = notes.partition_point(|note| note.onset < bar.end());
    let mut onsets: Vec<_> =
        notes[from..to].iter().map(|note| ((note.onset - bar.start).0, note.pitch.class())).collect();
    onsets.sort_unstable();
    onsets.dedup();
    onsets
}

/// The Jaccard index; `None` for two silent bars.
fn likeness(a: &[(u64, u8)], b: &[(u64, u8)]) -> Option<f64> {
    let common = a.iter().filter(|onset| b.binary_search(onset).is_ok()).count();
    let all = a.len() + b.len() - common;
    (all > 0).then(|| common as f64 / all as f64)
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (count, sum) = values.flatten().fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// How often in a row, at most, exactly the same pitches are struck together; a piece of different notes has 1.
///
/// Lengths do not matter: a loop with changing rhythm is a loop. `notes` sorted by onset.
pub fn longest_run(notes: &[Note]) -> usize {
    let (mut longest, mut run) = (0, 0);
    let mut last: Vec<u8> = Vec::new();
    for struck in notes.chunk_by(|a: &Note, b: &Note| a.onset == b.onset) {
        let pitches: Vec<u8> = struck.iter().map(|note| note.pitch.get()).collect();
        run = if pitches == last { run + 1 } else { 1 };
        longest = longest.max(run);
        last = pitches;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Meter, Pitch, Ticks, Velocity};

    fn note(onset: u64, pitch: u8) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(4),
            velocity: Velocity::DEFAULT,
        }
    }

    /// One bar of two half notes for each pair of pitches.
    fn piece(bars: &[(u8, u8)]) -> (Vec<Bar>, Vec<Note>) {
        let at = |k: usize| 16 * k as u64;
        let frames = (0..bars.len()).map(|k| Bar { start: Ticks(at(k)), length: Ticks(16), meter: Meter::COMMON });
        let notes = bars.iter().enumerate().flat_map(|(k, (a, b))| [note(at(k), *a), note(at(k) + 8, *b)]);
        (frames.collect(), notes.collect())
    }

    #[test]
    fn two_bars_in_turn_repeat_at_two_and_not_at_one() {
        let (bars, notes) = piece(&[(60, 62), (64, 65), (60, 62), (64, 65)]);
        // Of the 6 pairs of bars 2 are equal: chance is 1/3.
        assert_eq!(repetition(&bars, &notes), [Some(0.0), Some(3.0), None, None, None]);
    }

    #[test]
    fn likeness_counts_octaves_as_equal_and_halves_as_a_third() {
        // The two bars share one onset of three, an octave apart.
        let (bars, notes) = piece(&[(60, 62), (72, 65), (60, 62)]);
        let third = 1.0 / 3.0;
        let chance = (third + third + 1.0) / 3.0;
        assert_eq!(repetition(&bars, &notes)[0], Some(third / chance));
        assert_eq!(repetition(&bars, &notes)[1], Some(1.0 / chance));
    }

    #[test]
    fn long_pieces_are_sampled() {
        let (bars, notes) = piece(&[(60, 62), (64, 65)].repeat(1000));
        let [one, two, ..] = repetition(&bars, &notes);
        assert_eq!(one, Some(0.0));
        assert!(two.is_some_and(|two| (1.9..2.2).contains(&two)), "{two:?}");
    }

    #[test]
    fn runs_are_of_whole_chords() {
        let chord = |onset| [note(onset, 60), note(onset, 64)];
        let mut notes = vec![note(0, 60)];
        notes.extend((1..4).flat_map(|k| chord(4 * k)));
        notes.extend([note(16, 64), note(20, 64)]);
        assert_eq!(longest_run(&notes), 3);
        assert_eq!(longest_run(&notes[..1]), 1);
        assert_eq!(longest_run(&[]), 0);
    }
}
