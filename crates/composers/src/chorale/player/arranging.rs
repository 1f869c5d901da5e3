//! Composing around what is given: a voice that is harmonised, bars that are kept.

use super::closing::Closing;
use super::{ChoraleComposer, Task};
use cantus_encoding::voices::{self, Chord, VOICES};
use cantus_model::choir::{Arrangement, Given};
use cantus_model::{ComposeError, Composition, Progress, Rng, Sampling};
use cantus_score::{Ticks, find_key};

impl ChoraleComposer {
    /// The piece with what is missing composed.
    pub(super) fn arranged(
        &self,
        asked: &cantus_model::Given,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let arrangement = Arrangement::of(&self.choir, asked)?;
        let given = arrangement.given();
        let closing = self.closing_of(&arrangement);
        let seen = closing.as_ref().map_or_else(|| given.to_vec(), |closing| closing.seen_ahead(given));
        let task = Task { given: &seen, recalls: &[], opening: None, closing, sampling };
        let (chords, _) = self.sing(&task, rng, progress)?;
        let starts = arrangement.bar_starts();
        // What was composed, without what is given: that is added as it was written.
        let composed = |(chord, given): (&Chord, &Given)| {
            (0..VOICES).filter(|voice| given.knows(*voice)).fold(*chord, |chord, voice| chord.with(voice, None))
        };
        let composed: Vec<Chord> = chords.iter().zip(given).map(composed).collect();
        let begins_bar = |step: usize, _| starts.binary_search(&step).is_ok();
        Ok(arrangement.finish(voices::write(&composed, self.choir.grid(), begins_bar)))
    }

    /// The last chord, see [`Closing::of`]: from the last note that is given on, but in the last bar; where none is given there, the last
    /// quarter note.
    fn closing_of(&self, arrangement: &Arrangement<'_>) -> Option<Closing> {
        let (source, given, lines) = (arrangement.source(), arrangement.given(), arrangement.lines());
        let step = |at: Ticks| arrangement.step(at);
        // A last note that is held a little too long begins no bar.
        let last_bar = source.bars().map(|bar| step(bar.start)).take_while(|start| *start < given.len()).last()?;
        let last_note = step(lines.iter().flatten().map(|note| note.onset).max().unwrap_or_default());
        let last_quarter = given.len().saturating_sub(self.choir.grid().get() as usize);
        let from = if given.last()?.voices == 0 { last_quarter } else { last_note.max(last_bar) };
        let keys = source.keys.last().map(|(_, key)| *key).into_iter().chain(find_key(source.pitched_notes()));
        Closing::of(given, from.max(last_bar), keys, self.choir.allowed())
    }
}
