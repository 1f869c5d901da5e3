//! Repetition: what a piece says again, and what it cannot stop saying.

use crate::mean::mean;
use cantus_score::{Bar, Note, TicksPerQuarter};
use serde::Serialize;

/// Distances in bars at which repetition is measured: the next bar, and the usual lengths of phrases and sections.
pub const LAGS: [usize; 5] = [1, 2, 4, 8, 16];

/// A distance in quarters that does not depend on the metre: 128 steps of sixteenths, 8 bars of 4/4.
const QUARTERS: u64 = 32;

/// Pairs of bars are compared among at most so many, or a long piece would take minutes.
const COMPARED: usize = 256;

/// How much of a piece comes again after so long. For each of [`LAGS`]; `None` where the piece is too short, or nothing was compared.
///
/// A_t is the set of pitch classes struck at step t. The similarity at lag L is the Jaccard index of the piece with itself L steps
/// later, `J(L) = sum_t |A_t n A_(t+L)| / sum_t |A_t u A_(t+L)|`. By itself it says little: dense music is always alike. So it is
/// divided by what the same notes would give by chance, in two ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Repetition {
    /// J after so many bars; t runs over the bars that have one of the same length so far behind them.
    pub similarity: [Option<f64>; LAGS.len()],
    /// J over that of *shuffled time*: all steps of the piece in random order. Exact in expectation, and so without chance:
    /// `|A n A'|` has the mean `sum_c n_c (n_c - 1) / (N (N - 1))`, with n_c steps of N that strike pitch class c, and `|A u A'|` twice
    /// the mean of |A| less that. 1 says that neither beat nor form is there; real music has 3 and more.
    pub over_shuffled_time: [Option<f64>; LAGS.len()],
    /// The mean Jaccard index of bars so far apart over the mean of all pairs of bars: over what *shuffled bars* would give. The beat
    /// has gone out of it, and what is left is form: 1 says that the order of the bars means nothing. Of a piece with more than 256
    /// bars, 256 evenly spread ones stand for all pairs; exact otherwise.
    pub over_shuffled_bars: [Option<f64>; LAGS.len()],
    /// [`Repetition::over_shuffled_time`] after 32 quarters (128 steps of a sixteenth), whatever the metre.
    pub after_32_quarters: Option<f64>,
}

impl Repetition {
    /// The repetition in a quantised piece; `notes` sorted by onset.
    pub fn of(bars: &[Bar], notes: &[Note], per_quarter: TicksPerQuarter) -> Repetition {
        let sets: Vec<Vec<Onset>> = bars.iter().map(|bar| onsets(bar, notes)).collect();
        let steps = bars.last().map_or(0, |bar| bar.end().0);
        let chance = Chance::of(&sets, steps).index();
        let over = |value: Option<f64>, chance: Option<f64>| value.zip(chance).map(|(value, chance)| value / chance);
        let similarity = LAGS.map(|lag| {
            let pairs = bars.iter().zip(&sets).zip(bars.iter().zip(&sets).skip(lag));
            let alike = pairs.filter(|((a, _), (b, _))| a.length == b.length).map(|((_, a), (_, b))| (a, b));
            let (common, all) = alike.fold((0, 0), |(common, all), (a, b)| {
                let here = intersection(a, b);
                (common + here, all + a.len() + b.len() - here)
            });
            (all > 0).then(|| common as f64 / all as f64)
        });
        let spread: Vec<&Vec<Onset>> = match sets.len() {
            few if few <= COMPARED => sets.iter().collect(),
            many => (0..COMPARED).map(|k| &sets[k * many / COMPARED]).collect(),
        };
        let pairs = spread.iter().enumerate().flat_map(|(k, a)| spread[k + 1..].iter().map(move |b| jaccard(a, b)));
        let any = mean(pairs.flatten()).filter(|any| *any > 0.0);
        let over_shuffled_bars =
            LAGS.map(|lag| over(mean(sets.iter().zip(sets.iter().skip(lag)).filter_map(|(a, b)| jaccard(a, b))), any));
        let flat: Vec<Onset> = bars
            .iter()
            .zip(&sets)
            .flat_map(|(bar, set)| set.iter().map(move |(step, class)| (bar.start.0 + step, *class)))
            .collect();
        Repetition {
            over_shuffled_time: similarity.map(|value| over(value, chance)),
            after_32_quarters: over(lagged(&flat, steps, QUARTERS * u64::from(per_quarter.get())), chance),
            similarity,
            over_shuffled_bars,
        }
    }
}

/// A step and a pitch class struck at it.
pub(super) type Onset = (u64, u8);

/// What the steps of a piece give in random order.
struct Chance {
    /// Steps that strike each pitch class.
    classes: [u64; 12],
    steps: u64,
}

impl Chance {
    fn of(sets: &[Vec<Onset>], steps: u64) -> Chance {
        let mut classes = [0; 12];
        sets.iter().flatten().for_each(|(_, class)| classes[usize::from(*class)] += 1);
        Chance { classes, steps }
    }

    /// The expected intersection over the expected union of two different steps; `None` where nothing is expected in common.
    fn index(&self) -> Option<f64> {
        let n = self.steps as f64;
        let common: f64 =
            self.classes.iter().map(|count| *count as f64 * (*count as f64 - 1.0)).sum::<f64>() / (n * (n - 1.0));
        let each = self.classes.iter().sum::<u64>() as f64 / n;
        Some(common / (2.0 * each - common)).filter(|index| *index > 0.0 && index.is_finite())
    }
}

/// J at a lag in steps; `onsets` sorted.
fn lagged(onsets: &[Onset], steps: u64, lag: u64) -> Option<f64> {
    let early = onsets.iter().filter(|(step, _)| step + lag < steps).count();
    let late = onsets.iter().filter(|(step, _)| *step >= lag).count();
    let common = onsets.iter().filter(|(step, class)| onsets.binary_search(&(step + lag, *class)).is_ok()).count();
    let all = early + late - common;
    (all > 0).then(|| common as f64 / all as f64)
}

/// The onsets of a bar, sorted, as (step within the bar, pitch class); `notes` sorted by onset.
pub(super) fn onsets(bar: &Bar, notes: &[Note]) -> Vec<Onset> {
    let from = notes.partition_point(|note| note.onset < bar.start);
    let to = notes.partition_point(|note| note.onset < bar.end());
    let mut onsets: Vec<_> =
        notes[from..to].iter().map(|note| ((note.onset - bar.start).0, note.pitch.class())).collect();
    onsets.sort_unstable();
    onsets.dedup();
    onsets
}

fn intersection<T: Ord>(a: &[T], b: &[T]) -> usize {
    a.iter().filter(|onset| b.binary_search(onset).is_ok()).count()
}

/// The Jaccard index, common over all, of two sorted sets; `None` for two empty ones.
pub(super) fn jaccard<T: Ord>(a: &[T], b: &[T]) -> Option<f64> {
    let common = intersection(a, b);
    let all = a.len() + b.len() - common;
    (all > 0).then(|| common as f64 / all as f64)
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
pub(super) mod tests {
    use super::*;
    use cantus_score::{Part, Pitch, Score, Ticks, Velocity};

    fn note(onset: u64, pitch: u8) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(8),
            velocity: Velocity::DEFAULT,
        }
    }

    /// One bar of two half notes, or of silence, for each entry; on a grid of sixteenths.
    pub fn piece(bars: &[Option<(u8, u8)>]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let at = |k: usize| 16 * k as u64;
        let both = |(k, bar): (usize, &Option<(u8, u8)>)| bar.map(|(a, b)| [note(at(k), a), note(at(k) + 8, b)]);
        let notes = bars.iter().enumerate().filter_map(both).flatten().collect();
        score.parts.push(Part { notes, ..Part::default() });
        score
    }

    fn repetition(bars: &[(u8, u8)]) -> Repetition {
        let score = piece(&bars.iter().map(|bar| Some(*bar)).collect::<Vec<_>>());
        Repetition::of(&score.bars().collect::<Vec<_>>(), &score.parts[0].notes, score.ticks_per_quarter)
    }

    #[test]
    fn two_bars_in_turn_repeat_at_two_and_not_at_one() {
        let found = repetition(&[(60, 62), (64, 65), (60, 62), (64, 65)]);
        assert_eq!(found.similarity, [Some(0.0), Some(1.0), None, None, None]);
        // Of the 6 pairs of bars 2 are equal: chance is 1/3.
        assert_eq!(found.over_shuffled_bars, [Some(0.0), Some(3.0), None, None, None]);
        // Of 64 steps each class is struck at 2: 4 * 2 / (64 * 63) in common, of 2 * 8 / 64 less that.
        let common = 8.0 / (64.0 * 63.0);
        let expected = (0.25 - common) / common;
        assert!((found.over_shuffled_time[1].unwrap() - expected).abs() < 1e-9);
        assert_eq!(found.after_32_quarters, None);
    }

    #[test]
    fn likeness_counts_octaves_as_equal_and_halves_as_a_third() {
        // The two bars share one onset of three, an octave apart.
        let found = repetition(&[(60, 62), (72, 65), (60, 62)]);
        let third = 1.0 / 3.0;
        let chance = (third + third + 1.0) / 3.0;
        assert_eq!(found.over_shuffled_bars[..2], [Some(third / chance), Some(1.0 / chance)]);
        assert_eq!(found.similarity[..2], [Some(third), Some(1.0)]);
    }

    #[test]
    fn thirty_two_quarters_are_eight_bars_of_common_time() {
        let bars: Vec<(u8, u8)> = (0..24).map(|k| (60 + k % 8, 60 + k % 5)).collect();
        let found = repetition(&bars);
        assert!((found.after_32_quarters.unwrap() - found.over_shuffled_time[3].unwrap()).abs() < 1e-12);
        assert!(found.over_shuffled_time[3] > found.over_shuffled_time[1]);
    }

    /// The expectation in closed form against really shuffled steps.
    #[test]
    fn shuffled_time_is_what_shuffling_gives() {
        let bars: Vec<(u8, u8)> = (0..12).map(|k| (60 + k % 3, 62 + k % 4)).collect();
        let score = piece(&bars.iter().map(|bar| Some(*bar)).collect::<Vec<_>>());
        let mut steps: Vec<Vec<u8>> = vec![Vec::new(); 16 * 12];
        score.parts[0].notes.iter().for_each(|note| steps[note.onset.0 as usize].push(note.pitch.class()));
        let (mut common, mut all, mut draw) = (0usize, 0usize, 1u64);
        for _ in 0..20_000 {
            for k in (1..steps.len()).rev() {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                steps.swap(k, (draw >> 33) as usize % (k + 1));
            }
            for (a, b) in steps.iter().zip(&steps[16..]) {
                let here = intersection(a, b);
                common += here;
                all += a.len() + b.len() - here;
            }
        }
        let sets: Vec<Vec<Onset>> = score.bars().map(|bar| onsets(&bar, &score.parts[0].notes)).collect();
        let expected = Chance::of(&sets, 192).index().unwrap();
        let found = common as f64 / all as f64;
        assert!((found / expected - 1.0).abs() < 0.03, "{found} instead of {expected}");
    }

    #[test]
    fn long_pieces_are_sampled() {
        let [one, two, ..] = repetition(&[(60, 62), (64, 65)].repeat(1000)).over_shuffled_bars;
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
