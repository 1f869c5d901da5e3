//! How long music repeats itself literally: measured on a corpus, and kept to while composing.
//!
//! At every step and for every lag, the *run* is the number of frames up to it that equal the frame one lag before. A chord that is
//! held has a run at lag 1, a bar that is played again and again has one at the bar's length. What a model that copies well may fall
//! into is a run that never ends; here none lasts longer than runs at such a lag do in nearly all pieces of the corpus. And no span of
//! some length, of two bars say, is repeated literally more often than in nearly all of them, however much lies between.

use super::Recalling;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest lag that is looked at.
const LONGEST_LAG: usize = 256;
/// Lags in octaves: 1, 2-3, 4-7, and so on to the longest.
const CLASSES: usize = LONGEST_LAG.ilog2() as usize + 1;
/// The share of the pieces whose longest runs stay within the limit.
const SHARE: f64 = 0.95;
/// How often a step is drawn again while it would go on with what is overdue.
const TRIES: usize = 32;

/// The runs at a step, lag by lag, and the spans up to it. A frame is any set of bits that says all that is compared.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    frames: Vec<u128>,
    lengths: Vec<usize>,
    limits: Limits,
    /// For each stretch of one frame less than a span, as a hash: what came next, and how often.
    next: BTreeMap<u64, Vec<(u128, usize)>>,
    /// Hashes of the piece up to each frame.
    hashes: Vec<u64>,
}

/// The base of the hashes, an odd number without a pattern (Knuth's MMIX multiplier).
const BASE: u64 = 6_364_136_223_846_793_005;

impl Runs {
    /// Those of a piece that is to keep to `limits`.
    pub fn within(limits: &Limits) -> Runs {
        Runs { limits: limits.clone(), hashes: vec![0], ..Runs::default() }
    }

    /// Adds the next frame.
    pub fn push(&mut self, frame: u128) {
        let at = self.frames.len();
        self.lengths.resize(at.min(LONGEST_LAG), 0);
        for (length, before) in self.lengths.iter_mut().zip(self.frames.iter().rev()) {
            *length = if *before == frame { *length + 1 } else { 0 };
        }
        if let Some(stretch) = self.stretch() {
            let seen = self.next.entry(stretch).or_default();
            match seen.iter_mut().find(|(known, _)| *known == frame) {
                Some((_, count)) => *count += 1,
                None => seen.push((frame, 1)),
            }
        }
        self.frames.push(frame);
        if let Some(last) = self.hashes.last() {
            let [low, high] = [frame as u64, (frame >> 64) as u64];
            let mixed = (low ^ high.rotate_left(29).wrapping_mul(BASE)).wrapping_mul(BASE);
            self.hashes.push(last.wrapping_mul(BASE).wrapping_add(mixed ^ mixed >> 32));
        }
    }

    /// The hash of the last frames, one less than a span has.
    fn stretch(&self) -> Option<u64> {
        let length = self.limits.span.checked_sub(1)?;
        let before = self.hashes.get(self.frames.len().checked_sub(length)?)?;
        let power = (0..length).fold(1u64, |power, _| power.wrapping_mul(BASE));
        Some(self.hashes.last()?.wrapping_sub(before.wrapping_mul(power)))
    }

    /// The frames that would make a run longer than the limits allow, or repeat a span more often.
    fn overdue(&self) -> Vec<u128> {
        let limits = &self.limits;
        // A run at lag k goes on with the frame k steps before the next one.
        let runs = self.lengths.iter().zip(self.frames.iter().rev()).enumerate();
        let runs = runs.filter(|(k, (length, _))| limits.reached(k + 1, **length)).map(|(_, (_, next))| *next);
        let seen = self.stretch().and_then(|stretch| self.next.get(&stretch));
        let spans = seen.into_iter().flatten().filter(|(_, count)| limits.often > 0 && *count >= limits.often);
        runs.chain(spans.map(|(frame, _)| *frame)).collect()
    }

    /// How often the most frequent span has been there.
    fn most_often(&self) -> usize {
        self.next.values().flatten().map(|(_, count)| *count).max().unwrap_or(0)
    }
}

/// How a step of a composition may repeat the steps before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// What the memory of the piece offers.
    pub recalling: Recalling,
    /// The frames that have repeated themselves for as long as the corpus ever does.
    overdue: Vec<u128>,
}

impl Leave {
    /// That of the step after `runs`. What comes again (the step `recalled`), or is not `free`, may repeat itself as it likes.
    pub fn after(runs: &Runs, recalled: Option<usize>, free: bool) -> Leave {
        let overdue = if free && recalled.is_none() { runs.overdue() } else { Vec::new() };
        let recalling = match recalled {
            Some(at) => Recalling::Step(at),
            None if overdue.is_empty() => Recalling::Free,
            None => Recalling::Nothing,
        };
        Leave { recalling, overdue }
    }

    /// Whether a frame goes on with what has repeated itself for long enough.
    pub fn forbids(&self, bits: u128) -> bool {
        self.overdue.contains(&bits)
    }

    /// Draws until something comes that is not overdue, if the model can think of anything else at all.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn draw<T, E>(&self, mut draw: impl FnMut() -> Result<T, E>, bits: impl Fn(&T) -> u128) -> Result<T, E> {
        let mut drawn = draw()?;
        for _ in 0..TRIES {
            if !self.forbids(bits(&drawn)) {
                break;
            }
            drawn = draw()?;
        }
        Ok(drawn)
    }
}

/// How much literal repetition is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The longest run at each octave of lags; 0, or nothing, where there is no limit.
    runs: Vec<usize>,
    /// Frames of a span.
    span: usize,
    /// How often a span may be there; 0 where there is no limit.
    often: usize,
}

impl Limits {
    /// What nearly all pieces keep to, given how many frames a span has. The last frame of each, however long it stands, is left out.
    pub fn of(pieces: impl Iterator<Item = Vec<u128>>, span: usize) -> Limits {
        let watched = Limits { span, ..Limits::default() };
        let (mut longest, mut often) = (Vec::new(), Vec::new());
        for frames in pieces {
            let (found, runs) = measured(&frames, &watched);
            longest.push(found);
            often.push(runs.most_often());
        }
        let nearly_all = |mut values: Vec<usize>| {
            values.sort_unstable();
            let at = (SHARE * values.len() as f64).ceil() as usize;
            values.get(at.saturating_sub(1)).copied().unwrap_or(0)
        };
        // What may be repeated soon may be repeated late: few pieces are long enough to show it.
        let most = |most: &mut usize, class: usize| {
            *most = nearly_all(longest.iter().map(|of_piece: &[usize; CLASSES]| of_piece[class]).collect()).max(*most);
            Some(*most)
        };
        Limits { runs: (0..CLASSES).scan(0, most).collect(), span, often: nearly_all(often) }
    }

    fn reached(&self, lag: usize, length: usize) -> bool {
        self.runs.get(lag.ilog2() as usize).is_some_and(|limit| *limit > 0 && length >= *limit)
    }
}

/// A piece's longest run at each octave of lags, and its spans.
fn measured(frames: &[u128], limits: &Limits) -> ([usize; CLASSES], Runs) {
    let last = frames.last().copied().unwrap_or_default();
    let end = frames.iter().rposition(|frame| *frame != last).map_or(0, |at| at + 1);
    let (mut runs, mut longest) = (Runs::within(limits), [0; CLASSES]);
    for frame in &frames[..end] {
        runs.push(*frame);
        for (k, length) in runs.lengths.iter().enumerate() {
            let most = &mut longest[((k + 1).ilog2() as usize).min(CLASSES - 1)];
            *most = (*most).max(*length);
        }
    }
    (longest, runs)
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
        let longest = |piece: &[u128]| measured(piece, &Limits::default()).0;
        let found = longest(&piece);
        assert_eq!(found[..3], [2, 6, 3], "lag 1: the held 4; 2-3: two repetitions; 4-7: 1 2 3 after two of them");
        assert_eq!(longest(&frames(&[7, 7, 7])), [0; CLASSES]);
        assert_eq!(longest(&[]), [0; CLASSES]);
    }

    #[test]
    fn a_run_as_long_as_the_limit_is_overdue_with_the_frame_that_would_go_on() {
        let limits = Limits::of([frames(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 4, 4, 5])].into_iter(), 0);
        let mut runs = Runs::within(&limits);
        let mut overdue = Vec::new();
        for frame in frames(&[6, 7, 8, 6, 7, 8, 6, 7]) {
            runs.push(frame);
            overdue.push(runs.overdue());
        }
        assert!(overdue.iter().all(Vec::is_empty));
        runs.push(frames(&[8])[0]);
        // Six frames in a row at lag 3; at lag 6, as many are allowed, and it has only been three.
        assert_eq!(runs.overdue(), [frames(&[6])[0]]);
        runs.push(frames(&[9])[0]);
        assert!(runs.overdue().is_empty());
        (0..3).for_each(|_| runs.push(frames(&[9])[0]));
        assert_eq!(runs.overdue()[0], frames(&[9])[0]);
        runs.limits = Limits::default();
        assert!(runs.overdue().is_empty(), "without limits nothing is overdue");
    }

    #[test]
    fn what_is_overdue_is_drawn_again_unless_it_is_wanted() {
        let limits = Limits { runs: vec![2; CLASSES], ..Limits::default() };
        let mut runs = Runs::within(&limits);
        (0..4).for_each(|_| runs.push(7));
        let first = |leave: &Leave| {
            let mut offered = [7, 7, 5].into_iter();
            leave.draw(|| offered.next().ok_or(()), |frame| *frame)
        };
        let leave = Leave::after(&runs, None, true);
        assert_eq!((leave.recalling, first(&leave)), (Recalling::Nothing, Ok(5)));
        // What the model cannot help is taken in the end.
        assert_eq!(leave.draw(|| Ok::<_, ()>(7), |frame| *frame), Ok(7));
        let wanted = Leave::after(&runs, Some(3), true);
        assert_eq!((wanted.recalling, first(&wanted)), (Recalling::Step(3), Ok(7)));
        let bound = Leave::after(&runs, None, false);
        assert_eq!((bound.recalling, first(&bound)), (Recalling::Free, Ok(7)));
    }

    #[test]
    fn one_piece_of_twenty_may_repeat_itself_longer() {
        let piece = |length: usize| frames(&[vec![1; length], vec![2]].concat());
        let limits = |odd: usize| Limits::of((0..40).map(move |k| piece(if k < odd { 30 } else { 5 })), 0);
        assert_eq!(limits(2).runs[0], 4);
        assert_eq!(limits(3).runs[0], 29);
    }

    #[test]
    fn a_span_is_there_no_more_often_than_in_the_corpus() {
        // 1 2 3 4 three times, with something else between; the end is left out.
        let piece = frames(&[1, 2, 3, 4, 9, 1, 2, 3, 4, 8, 1, 2, 3, 4, 7, 6]);
        let limits = Limits::of([piece].into_iter(), 4);
        assert_eq!((limits.span, limits.often), (4, 3));
        let mut runs = Runs::within(&limits);
        for (k, between) in [20, 21, 22, 23, 24].into_iter().enumerate() {
            for frame in frames(&[1, 2, 3]) {
                runs.push(frame);
            }
            // The fourth time it may not be finished, nor the fifth.
            assert_eq!(runs.overdue().contains(&4), k >= 3, "{k}");
            runs.push(if k >= 3 { 5 } else { 4 });
            runs.push(between);
        }
        assert!(runs.overdue().is_empty());
        // Nor is anything where spans are not looked at, or none came again.
        let never = Limits::of([frames(&[1, 2, 3, 4, 5, 6, 7])].into_iter(), 4);
        assert_eq!(never.often, 1);
        assert_eq!(Limits::of([frames(&[1, 1, 1, 1, 2])].into_iter(), 0).often, 0);
    }
}
