//! How long music repeats itself literally: measured on a corpus, and kept to while composing.
//!
//! At every step and for every lag, the *run* is the number of frames up to it that equal the frame one lag before. A chord that is
//! held has a run at lag 1, a bar that is played again and again has one at the bar's length. What a model that copies well may fall
//! into is a run that never ends; here none lasts longer than runs at such a lag do in nearly all pieces of the corpus.

use serde::{Deserialize, Serialize};

/// The longest lag that is looked at.
const LONGEST_LAG: usize = 256;
/// Lags in octaves: 1, 2-3, 4-7, and so on to the longest.
const CLASSES: usize = LONGEST_LAG.ilog2() as usize + 1;
/// The share of the pieces whose longest runs stay within the limit.
const SHARE: f64 = 0.95;

/// The runs at a step, lag by lag. A frame is any set of bits that says all that is compared.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    frames: Vec<u128>,
    lengths: Vec<usize>,
}

impl Runs {
    /// Adds the next frame.
    pub fn push(&mut self, frame: u128) {
        let at = self.frames.len();
        self.lengths.resize(at.min(LONGEST_LAG), 0);
        for (length, before) in self.lengths.iter_mut().zip(self.frames.iter().rev()) {
            *length = if *before == frame { *length + 1 } else { 0 };
        }
        self.frames.push(frame);
    }

    /// The frames that would make a run longer than `limits` allow.
    pub fn overdue(&self, limits: &Limits) -> Vec<u128> {
        // A run at lag k goes on with the frame k steps before the next one.
        let runs = self.lengths.iter().zip(self.frames.iter().rev()).enumerate();
        runs.filter(|(k, (length, _))| limits.reached(k + 1, **length)).map(|(_, (_, next))| *next).collect()
    }
}

/// The longest run that is allowed at each octave of lags; 0, or nothing, where there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits(Vec<usize>);

impl Limits {
    /// What nearly all pieces keep to. The last frame of each, however long it stands, is left out.
    pub fn of(pieces: impl Iterator<Item = Vec<u128>>) -> Limits {
        let longest: Vec<[usize; CLASSES]> = pieces.map(|frames| longest(&frames)).collect();
        let limit = |class: usize| {
            let mut runs: Vec<usize> = longest.iter().map(|of_piece| of_piece[class]).collect();
            runs.sort_unstable();
            let at = (SHARE * runs.len() as f64).ceil() as usize;
            runs.get(at.saturating_sub(1)).copied().unwrap_or(0)
        };
        // What may be repeated soon may be repeated late: few pieces are long enough to show it.
        let most = |most: &mut usize, class: usize| {
            *most = limit(class).max(*most);
            Some(*most)
        };
        Limits((0..CLASSES).scan(0, most).collect())
    }

    fn reached(&self, lag: usize, length: usize) -> bool {
        self.0.get(lag.ilog2() as usize).is_some_and(|limit| *limit > 0 && length >= *limit)
    }
}

/// A piece's longest run at each octave of lags.
fn longest(frames: &[u128]) -> [usize; CLASSES] {
    let last = frames.last().copied().unwrap_or_default();
    let end = frames.iter().rposition(|frame| *frame != last).map_or(0, |at| at + 1);
    let (mut runs, mut longest) = (Runs::default(), [0; CLASSES]);
    for frame in &frames[..end] {
        runs.push(*frame);
        for (k, length) in runs.lengths.iter().enumerate() {
            let most = &mut longest[((k + 1).ilog2() as usize).min(CLASSES - 1)];
            *most = (*most).max(*length);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bits: &[u8]) -> Vec<u128> {
        bits.iter().map(|bits| u128::from(*bits)).collect()
    }

    #[test]
    fn runs_are_measured_lag_by_lag() {
        // Three times 1 2 3, a 4 held for three steps, and an end that is left out.
        let piece = frames(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5]);
        let found = longest(&piece);
        assert_eq!(found[..3], [2, 6, 3], "lag 1: the held 4; 2-3: two repetitions; 4-7: 1 2 3 after two of them");
        assert_eq!(longest(&frames(&[7, 7, 7])), [0; CLASSES]);
        assert_eq!(longest(&[]), [0; CLASSES]);
    }

    #[test]
    fn a_run_as_long_as_the_limit_is_overdue_with_the_frame_that_would_go_on() {
        let limits = Limits::of([frames(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 4, 4, 5])].into_iter());
        let mut runs = Runs::default();
        let mut overdue = Vec::new();
        for frame in frames(&[6, 7, 8, 6, 7, 8, 6, 7]) {
            runs.push(frame);
            overdue.push(runs.overdue(&limits));
        }
        assert!(overdue.iter().all(Vec::is_empty));
        runs.push(frames(&[8])[0]);
        // Six frames in a row at lag 3; at lag 6, as many are allowed, and it has only been three.
        assert_eq!(runs.overdue(&limits), [frames(&[6])[0]]);
        runs.push(frames(&[9])[0]);
        assert!(runs.overdue(&limits).is_empty());
        (0..3).for_each(|_| runs.push(frames(&[9])[0]));
        assert_eq!(runs.overdue(&limits)[0], frames(&[9])[0]);
        assert!(runs.overdue(&Limits::default()).is_empty(), "without limits nothing is overdue");
    }

    #[test]
    fn one_piece_of_twenty_may_repeat_itself_longer() {
        let piece = |length: usize| frames(&[vec![1; length], vec![2]].concat());
        let limits = |odd: usize| Limits::of((0..40).map(move |k| piece(if k < odd { 30 } else { 5 })));
        assert_eq!(limits(2).0[0], 4);
        assert_eq!(limits(3).0[0], 29);
    }
}
