//! How long a piece says one thing again and again: measured on a corpus, and kept to while composing.

use super::form::{SILENT, content};
use super::past::Past;
use cantus_nn::random::mix;
use serde::{Deserialize, Serialize};

/// The share of the pieces whose loops stay within the limits.
const SHARE: f64 = 0.95;
/// Bars after which literal repetition is watched.
const LAGS: [usize; 3] = [1, 2, 4];

/// How long a piece has been saying one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loops {
    /// Moments in a row that strike the same keys.
    chord: usize,
    /// Bars in a row that are the same as one, two, four bars before.
    bars: [usize; LAGS.len()],
}

impl Loops {
    /// What nearly all pieces keep to.
    pub fn of(pieces: &[&Past]) -> Loops {
        let longest: Vec<Loops> = pieces.iter().map(|piece| Looping::of(piece).longest).collect();
        let nearly_all = |of: &dyn Fn(&Loops) -> usize| {
            let mut values: Vec<usize> = longest.iter().map(of).collect();
            values.sort_unstable();
            let at = (SHARE * values.len() as f64).ceil() as usize;
            values.get(at.saturating_sub(1)).copied().unwrap_or(0)
        };
        Loops { chord: nearly_all(&|of| of.chord), bars: std::array::from_fn(|k| nearly_all(&|of| of.bars[k])) }
    }

    fn longer(&self, other: &Loops) -> Loops {
        let mut bars = self.bars;
        bars.iter_mut().zip(other.bars).for_each(|(here, there)| *here = (*here).max(there));
        Loops { chord: self.chord.max(other.chord), bars }
    }

    /// Whether something lasts longer than in `limits`.
    fn exceeds(&self, limits: &Loops) -> bool {
        self.chord > limits.chord || self.bars.iter().zip(limits.bars).any(|(here, limit)| *here > limit)
    }

    /// Whether something has lasted as long as in `limits`, where that is longer than once.
    fn reaches(&self, limits: &Loops) -> bool {
        self.chord >= limits.chord.max(2)
            || self.bars.iter().zip(limits.bars).any(|(here, limit)| *here > 0 && *here >= limit)
    }
}

/// The loops of a piece that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Looping {
    /// Notes that were looked at, and the keys struck at the last moments.
    notes: usize,
    chords: [u64; 2],
    /// The bars' contents.
    bars: Vec<u64>,
    now: Loops,
    longest: Loops,
}

impl Looping {
    fn of(piece: &Past) -> Looping {
        let mut looping = Looping::default();
        looping.upto(piece, u32::MAX);
        looping
    }

    /// Looks at a piece up to a time before which it is written.
    pub fn upto(&mut self, piece: &Past, time: u32) {
        let notes = piece.notes();
        while let Some(first) = notes.get(self.notes).filter(|note| note.onset < time) {
            let moment = notes[self.notes..].iter().take_while(|note| note.onset == first.onset);
            let (mut chord, mut count) = (0, 0);
            for note in moment {
                chord = mix(chord ^ u64::from(note.instrument) << 8 ^ u64::from(note.pitch));
                count += 1;
            }
            self.notes += count;
            self.now.chord = if self.chords[0] == chord { self.now.chord + 1 } else { 1 };
            self.chords = [chord, self.chords[0]];
            self.longest = self.longest.longer(&self.now);
        }
        while let Some(bar) = piece.bars().get(self.bars.len()).filter(|bar| bar.end().0 <= u64::from(time)) {
            let content = content(piece, bar.start.0 as u32, bar.end().0.min(u32::MAX.into()) as u32);
            for (chain, lag) in self.now.bars.iter_mut().zip(LAGS) {
                let before = self.bars.len().checked_sub(lag).map(|before| self.bars[before]);
                *chain = if before == Some(content) && content != SILENT { *chain + 1 } else { 0 };
            }
            self.bars.push(content);
            self.longest = self.longest.longer(&self.now);
        }
    }

    /// Whether a loop lasts longer than any in nearly all pieces.
    pub fn is_beyond(&self, limits: &Loops) -> bool {
        self.now.exceeds(limits)
    }

    /// Whether it is time to say something else.
    pub fn is_due(&self, limits: &Loops) -> bool {
        self.now.reaches(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::piece;
    use super::*;

    #[test]
    fn loops_are_measured_and_told_from_what_pieces_do() {
        let still = piece(&[(60, 0), (60, 0), (60, 0), (50, 0)]);
        let moving = piece(&[(60, 0), (50, 0), (60, 0), (50, 0)]);
        assert_eq!(Looping::of(&still).longest, Loops { chord: 1, bars: [2, 1, 0] });
        assert_eq!(Looping::of(&moving).longest, Loops { chord: 1, bars: [0, 2, 0] });
        let limits = Loops::of(&[&moving]);
        let mut looping = Looping::default();
        let states = (0..=4).map(|bar| {
            looping.upto(&still, 16 * bar);
            (looping.is_due(&limits), looping.is_beyond(&limits))
        });
        // The second bar says the first again, the third twice.
        assert_eq!(
            states.collect::<Vec<_>>(),
            [(false, false), (false, false), (true, true), (true, true), (false, false)]
        );
    }
}
