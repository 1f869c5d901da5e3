//! A piece of which some is given, and the rest is to be composed.

use crate::{ComposeError, Sampling};
use cantus_score::{Score, Unpitched};
use std::ops::RangeInclusive;

/// What is given: voices throughout, bars in all voices, or both. It is kept note for note.
#[derive(Clone, Debug)]
pub struct Arrangement {
    /// The music, in its own ticks. Its length is the piece's.
    pub score: Score,
    /// The voices that are given, 0 the highest. Where the score is one line, or one voice is asked for, it is that voice's.
    pub voices: Vec<usize>,
    /// Bars that are given in all voices, by the numbers that they have on paper: from 1, an upbeat being 0. Each time that they are
    /// played.
    pub bars: Vec<RangeInclusive<usize>>,
    /// How what is missing is drawn.
    pub sampling: Sampling,
}

impl Arrangement {
    /// Whether a composer of `voices` voices can fulfil it.
    ///
    /// # Errors
    /// [`ComposeError`], naming what is wrong.
    pub fn check(&self, voices: usize) -> Result<(), ComposeError> {
        self.sampling.check()?;
        let bars = self.score.last_bar();
        if let Some(unpitched) = Unpitched::of(&self.score) {
            return Err(ComposeError::Unpitched(unpitched));
        }
        if let Some(&voice) = self.voices.iter().find(|voice| **voice >= voices) {
            return Err(ComposeError::Voice { voice: voice + 1, voices });
        }
        let beyond = |range: &&RangeInclusive<usize>| {
            *range.start() < self.score.first_bar() || range.end() < range.start() || *range.end() > bars
        };
        if let Some(range) = self.bars.iter().find(beyond) {
            return Err(ComposeError::KeptBars { first: *range.start(), last: *range.end(), bars });
        }
        if self.voices.is_empty() && self.bars.is_empty() {
            return Err(ComposeError::NothingGiven);
        }
        Ok(())
    }
}
