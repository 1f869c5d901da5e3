//! A piece as a proofreader sees it: tones on sixteenths, what sounds and what is struck in each, and bars.

use cantus_score::{Score, Ticks, TicksPerQuarter};

/// Steps to a quarter note.
pub(super) const STEPS: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();
/// A bar of 4/4, in steps.
pub(super) const COMMON_BAR: i32 = 16;
/// A false neighbour is heard so many steps from it.
pub(super) const TORN: i32 = 4;
/// Longer pieces are not heard, in steps: 16,384 bars of 4/4. A file of a few bytes can ask for more.
const MOST_STEPS: u64 = 1 << 18;
/// A tone is heard so long at most, in steps.
const LONGEST: u64 = 64;

/// A note on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tone {
    /// The step in which it is struck.
    pub at: i32,
    /// MIDI number, 0-127.
    pub pitch: u8,
    /// Steps in which it sounds, 1 at least.
    pub length: i32,
}

impl Tone {
    pub(super) fn end(self) -> i32 {
        self.at + self.length
    }

    /// Its pitch as the one bit of a set.
    pub(super) fn bit(self) -> u128 {
        1 << self.pitch
    }
}

/// Tones, by time and pitch, and what follows from them. A pitch is struck once in a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sheet {
    /// Sorted.
    pub tones: Vec<Tone>,
    /// Of each step the pitches that sound.
    sounding: Vec<u128>,
    /// Of each step the pitches that are struck.
    struck: Vec<u128>,
    /// Where bars begin, and where the last one ends.
    pub bars: Vec<i32>,
}

impl Sheet {
    /// Tones in any order, of which those that begin before 0 or at nobody's time are left out; `bars` rise from 0.
    pub(super) fn new(mut tones: Vec<Tone>, bars: Vec<i32>) -> Sheet {
        tones.retain(|tone| tone.at >= 0 && tone.length > 0);
        // Of two strokes of one key in one step the longer stays.
        tones.sort_unstable_by_key(|tone| (tone.at, tone.pitch, -tone.length));
        tones.dedup_by_key(|tone| (tone.at, tone.pitch));
        let end = tones.iter().map(|tone| tone.end()).max().unwrap_or(0).max(bars.last().copied().unwrap_or(0));
        let mut sheet = Sheet { tones, sounding: vec![0; end as usize], struck: vec![0; end as usize], bars };
        for tone in &sheet.tones {
            sheet.struck[tone.at as usize] |= tone.bit();
            sheet.sounding[tone.at as usize..tone.end() as usize].iter_mut().for_each(|step| *step |= tone.bit());
        }
        sheet
    }

    /// The pitched notes of a score; `None` where it is too long to be heard.
    pub(super) fn of(score: &Score) -> Option<Sheet> {
        if step(score, score.end()) > MOST_STEPS {
            return None;
        }
        let tone = |note: &cantus_score::Note| {
            let (at, end) = (step(score, note.onset), step(score, note.end()));
            Tone { at: at as i32, pitch: note.pitch.get(), length: end.saturating_sub(at).clamp(1, LONGEST) as i32 }
        };
        let mut bars: Vec<i32> = vec![0];
        bars.extend(score.bars().map(|bar| step(score, bar.end()) as i32));
        // Bars shorter than a step are none.
        bars.dedup();
        Some(Sheet::new(score.pitched_notes().map(tone).collect(), bars))
    }

    /// The same bars with other tones.
    pub(super) fn with(&self, tones: Vec<Tone>) -> Sheet {
        Sheet::new(tones, self.bars.clone())
    }

    /// Steps of it.
    pub(super) fn steps(&self) -> i32 {
        self.sounding.len() as i32
    }

    /// The pitches that sound in a step; none before the beginning and after the end.
    pub(super) fn sounding(&self, step: i32) -> u128 {
        usize::try_from(step).ok().and_then(|step| self.sounding.get(step)).copied().unwrap_or(0)
    }

    /// The pitches that are struck in a step.
    pub(super) fn struck(&self, step: i32) -> u128 {
        usize::try_from(step).ok().and_then(|step| self.struck.get(step)).copied().unwrap_or(0)
    }

    /// The bar that a step is in, from 0.
    pub(super) fn bar(&self, step: i32) -> usize {
        self.bars.partition_point(|start| *start <= step).clamp(1, self.bars.len().max(2) - 1) - 1
    }

    /// When a bar begins and how long it is.
    pub(super) fn bar_at(&self, bar: usize) -> (i32, i32) {
        match (self.bars.get(bar), self.bars.get(bar + 1)) {
            (Some(start), Some(end)) => (*start, end - start),
            _ => (0, COMMON_BAR),
        }
    }

    /// How many bars there are.
    pub(super) fn bar_count(&self) -> usize {
        self.bars.len().saturating_sub(1)
    }

    /// The tones that begin in these steps.
    pub(super) fn between(&self, from: i32, to: i32) -> &[Tone] {
        let place = |step: i32| self.tones.partition_point(|tone| tone.at < step);
        &self.tones[place(from)..place(to.max(from))]
    }

    /// So many bars of it from one on, tones cut at the end, as a piece of its own.
    pub(super) fn excerpt(&self, first: usize, count: usize) -> Sheet {
        let last = (first + count).min(self.bar_count());
        let (from, to) = (self.bars[first.min(last)], self.bars[last]);
        let cut = |tone: &Tone| Tone { at: tone.at - from, length: tone.length.min(to - tone.at), ..*tone };
        let tones = self.between(from, to).iter().map(cut).collect();
        Sheet::new(tones, self.bars[first.min(last)..=last].iter().map(|bar| bar - from).collect())
    }
}

/// The step that a moment is nearest to.
pub(super) fn step(score: &Score, at: Ticks) -> u64 {
    at.rescale(score.ticks_per_quarter, STEPS).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_knows_what_sounds_and_in_which_bar() {
        let tone = |at, pitch, length| Tone { at, pitch, length };
        let all = vec![tone(20, 64, 3), tone(0, 60, 2), tone(0, 60, 8), tone(-1, 60, 2), tone(4, 127, 1)];
        let sheet = Sheet::new(all, vec![0, 16, 28]);
        assert_eq!(sheet.tones, [tone(0, 60, 8), tone(4, 127, 1), tone(20, 64, 3)]);
        assert_eq!((sheet.sounding(4), sheet.struck(4)), (1 << 60 | 1 << 127, 1 << 127));
        assert_eq!((sheet.sounding(-1), sheet.sounding(1000), sheet.steps(), sheet.bar_count()), (0, 0, 28, 2));
        assert_eq!([-5, 0, 15, 16, 27, 400].map(|step| sheet.bar(step)), [0, 0, 0, 1, 1, 1]);
        let second = sheet.excerpt(1, 5);
        assert_eq!((second.tones.clone(), second.bars), (vec![tone(4, 64, 3)], vec![0, 12]));
        assert_eq!(Sheet::new(Vec::new(), vec![0]).bar(3), 0);
    }

    #[test]
    fn a_tone_ends_with_its_excerpt() {
        let sheet = Sheet::new(vec![Tone { at: 12, pitch: 50, length: 20 }], vec![0, 16, 32]);
        assert_eq!(sheet.excerpt(0, 1).tones, [Tone { at: 12, pitch: 50, length: 4 }]);
    }
}
