//! What real pieces show that nobody copied: the measure of what is too much.

use super::{LENGTHS, Originality};
use serde::{Deserialize, Serialize};

/// The share of 8-note n-grams that pieces have in common by chance.
const COMMON: f64 = 0.02;

/// How a figure is spread over pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Pieces that have the figure.
    pub pieces: usize,
    /// The mean.
    pub mean: f64,
    /// Half of the pieces have less.
    pub median: f64,
    /// 19 of 20 pieces have less; of fewer than 20 the highest.
    pub high: f64,
    /// The highest.
    pub highest: f64,
}

impl Range {
    /// The range of `values`, in any order; zeros where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Range {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // The nearest rank: always one of the values.
        let rank = |share: f64| sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1];
        match sorted.len() {
            0 => Range::default(),
            pieces => Range {
                pieces,
                mean: sorted.iter().sum::<f64>() / pieces as f64,
                median: rank(0.5),
                high: rank(0.95),
                highest: sorted[pieces - 1],
            },
        }
    }
}

/// What pieces that are not in an index share with it. Real pieces of the same style give the measure for compositions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Shares of the melody's n-grams, for each of [`LENGTHS`].
    pub melody: [Range; LENGTHS.len()],
    /// Shares of the chords' n-grams.
    pub chords: [Range; LENGTHS.len()],
    /// Onsets of the longest passage; 0 where there is none.
    pub longest: Range,
}

impl HeldOut {
    /// The ranges over pieces.
    pub fn of(pieces: &[Originality]) -> HeldOut {
        let melody = |k: usize| Range::of(pieces.iter().filter_map(|piece| piece.melody[k]));
        let chords = |k: usize| Range::of(pieces.iter().filter_map(|piece| piece.chords[k]));
        let longest = pieces.iter().map(|piece| piece.longest.as_ref().map_or(0.0, |passage| passage.onsets as f64));
        HeldOut { melody: [0, 1, 2].map(melody), chords: [0, 1, 2].map(chords), longest: Range::of(longest) }
    }

    /// Whether a piece shares more than 19 of 20 real ones do: of its melody's 8-note n-grams, or in one passage.
    ///
    /// Without real pieces nothing is too much.
    pub fn is_exceeded_by(&self, piece: &Originality) -> bool {
        let share = &self.melody[1];
        let copies = share.pieces > 0 && piece.melody[1].is_some_and(|found| found > share.high);
        let quotes = self.longest.pieces > 0
            && piece.longest.as_ref().is_some_and(|passage| passage.onsets as f64 > self.longest.high);
        copies || quotes
    }

    /// The same for the mean share of several pieces' 8-note n-grams: what a trainer asks. `None` without real pieces.
    ///
    /// Where real pieces share next to nothing, a turn or two in common are no copy: 2% are allowed.
    pub fn is_exceeded_by_share(&self, mean: f64) -> Option<bool> {
        (self.melody[1].pieces > 0).then_some(mean > self.melody[1].high.max(COMMON))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_made_of_values() {
        let range = Range::of((1..=40).rev().map(f64::from));
        let expected = Range { pieces: 40, mean: 20.5, median: 20.0, high: 38.0, highest: 40.0 };
        assert_eq!(range, expected);
        assert_eq!(Range::of([0.5]).high, 0.5);
        assert_eq!(Range::of([]), Range::default());
    }

    #[test]
    fn too_much_is_more_than_nearly_all_real_pieces() {
        let piece = |share| Originality { melody: [None, Some(share), None], ..Originality::default() };
        let real: Vec<Originality> = (0..20).map(|k| piece(f64::from(k) / 100.0)).collect();
        let held_out = HeldOut::of(&real);
        assert_eq!(held_out.melody[1].high, 0.18);
        assert!(held_out.is_exceeded_by(&piece(0.19)) && !held_out.is_exceeded_by(&piece(0.18)));
        assert_eq!(held_out.is_exceeded_by_share(0.2), Some(true));
        assert_eq!(held_out.is_exceeded_by_share(0.15), Some(false));
        assert_eq!(HeldOut::of(&[]).is_exceeded_by_share(1.0), None);
        let strangers: Vec<Originality> = (0..20).map(|_| piece(0.0)).collect();
        assert_eq!(HeldOut::of(&strangers).is_exceeded_by_share(0.01), Some(false), "a turn in common is no copy");
        assert_eq!(HeldOut::of(&strangers).is_exceeded_by_share(0.03), Some(true));
        assert!(!HeldOut::of(&[]).is_exceeded_by(&piece(1.0)));
    }
}
