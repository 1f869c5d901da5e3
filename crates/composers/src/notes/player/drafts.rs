//! Writing note by note: one draft, or, where there is a critic, several at once.

use super::drawing::Limits;
use super::pacing::Pacing;
use super::{Begun, Memory, NoteComposer};
use crate::notes::closing::closes;
use crate::notes::critic::Hearing;
use crate::notes::form::Next;
use crate::notes::loops::Looping;
use crate::notes::past::Past;
use crate::notes::texture::silent;
use crate::notes::view::View;
use cantus_encoding::note_events::Event;
use cantus_model::drafts::{self, BREACH, Draft};
use cantus_model::{ComposeError, Progress, Rng, Sampling};
use cantus_nn::cascade::Deciding;
use cantus_nn::random::derive;
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// What a beat weighs in which nothing sounds, where the piece is to have no such beat any more; a logarithm.
const SILENCE: f64 = -3.0;
/// What an end weighs that does not close where the piece is to; a logarithm.
const OPEN: f64 = -8.0;
/// How many drafts are written at once under the critic's eyes: notes are cheap.
const DRAFTS: usize = 16;
/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// What is asked for.
pub(in super::super) struct Task<'a> {
    begun: &'a Begun<'a>,
    sampling: &'a Sampling,
}

impl<'a> Task<'a> {
    pub fn of(begun: &'a Begun<'a>, sampling: &'a Sampling) -> Task<'a> {
        Task { begun, sampling }
    }

    /// When a bar begins, or the piece ends.
    fn begins(&self, bar: usize) -> u32 {
        self.begun.past.bars().get(bar).map_or(self.end(), |bar| bar.start.0.min(u64::from(u32::MAX / 2)) as u32)
    }

    fn end(&self) -> u32 {
        self.begun.past.bars().last().map_or(0, |bar| bar.end().0.min(u64::from(u32::MAX / 2)) as u32)
    }
}

/// A piece as far as it is written.
#[derive(Clone)]
struct Written {
    memory: Memory,
    past: Past,
    looping: Looping,
    hearing: Option<Hearing>,
    /// The critic's verdict when drafts were last drawn.
    verdict: f64,
    /// The logarithm of its weight among all, but for what was heard since.
    breach: f64,
    is_done: bool,
}

impl Draft for Written {
    fn weight(&self) -> f64 {
        self.breach + self.hearing.as_ref().map_or(0.0, |hearing| hearing.verdict() - self.verdict)
    }

    fn settle(&mut self) {
        self.verdict = self.hearing.as_ref().map_or(0.0, Hearing::verdict);
        self.breach = 0.0;
    }
}

impl NoteComposer {
    /// The notes of a piece of which the beginning may be given, all of them.
    pub(in super::super) fn write(
        &self,
        task: &Task<'_>,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Past, ComposeError> {
        let critic = self.critic.as_ref().filter(|_| task.sampling.temperature > 0.0);
        let mut memory = self.memory();
        (0..task.begun.past.notes().len()).for_each(|j| self.advance(&task.begun.past, j, &mut memory));
        let clock = self.vocabulary.clock();
        let first = Written {
            memory,
            past: task.begun.past.clone(),
            looping: Looping::default(),
            hearing: critic.map(|_| Hearing::new(clock)),
            verdict: 0.0,
            breach: 0.0,
            is_done: false,
        };
        let count = if critic.is_some() { DRAFTS } else { 1 };
        let mut drafts = vec![first; count];
        let mut desks = vec![self.head.deciding(); drafts.len()];
        let (end, beat) = (task.end(), clock.beat());
        let last_bar = task.begins(task.begun.past.bars().len().saturating_sub(1));
        let mut time = task.begun.heard;
        while time < end {
            time = time.saturating_add(beat).min(end);
            let chances: Vec<u64> = drafts.iter().map(|_| rng.next_u64()).collect();
            let go_on = |((draft, deciding), chance): ((&mut Written, &mut Deciding<'_>), u64)| {
                self.go_on(draft, time, task, deciding, &mut derive(chance, "draft", &[]))
            };
            drafts.par_iter_mut().zip(&mut desks).zip(chances).try_for_each(go_on)?;
            // How the piece ends is told at its end alone: until then all drafts of the last bar go on.
            if time <= last_bar || time == end {
                drafts = drafts::choose(drafts, rng);
            }
            let done = f64::from(time - task.begun.heard) / f64::from((end - task.begun.heard).max(1));
            if progress(done).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        Ok(drafts::one(drafts, rng).past)
    }

    /// Writes up to a time.
    fn go_on(
        &self,
        draft: &mut Written,
        time: u32,
        task: &Task<'_>,
        deciding: &mut Deciding<'_>,
        rng: &mut Rng,
    ) -> Result<(), ComposeError> {
        while !draft.is_done && draft.past.notes().last().is_none_or(|last| last.onset < time) {
            let j = draft.past.notes().len();
            self.advance(&draft.past, j, &mut draft.memory);
            match self.next(draft, task, deciding, rng)? {
                Some(note) => {
                    let voices = task.begun.usual.voices[usize::from(note.instrument)];
                    draft.past.give_way(note.instrument, note.onset, voices.into());
                    draft.past.push(note, self.is_drums(note.instrument));
                }
                None => draft.is_done = true,
            }
        }
        let clock = self.clock();
        let before = time.saturating_sub(clock.beat());
        let silent = |from: u32| silent(draft.past.notes(), from, time, clock, |number| self.is_drums(number));
        if silent(before) > 0
            && draft.past.stretch(before).is_some_and(|(from, texture)| silent(from) > texture.silent())
        {
            draft.breach += SILENCE;
        }
        draft.looping.upto(&draft.past, time);
        if draft.looping.is_beyond(&task.begun.usual.loops) {
            draft.breach += BREACH;
        }
        if let (Some(critic), Some(hearing)) = (&self.critic, &mut draft.hearing) {
            let is_drums = |number: u8| self.is_drums(number);
            hearing.upto(critic.weights(), &draft.past, &is_drums, time, &mut |_| ());
            if time == task.end() {
                hearing.end(critic.weights(), &draft.past);
                if task.begun.closes && !closes(&draft.past, is_drums) {
                    draft.breach += OPEN;
                }
            }
        }
        Ok(())
    }

    /// The next note; `None` where the piece is over.
    fn next(
        &self,
        draft: &Written,
        task: &Task<'_>,
        deciding: &mut Deciding<'_>,
        rng: &mut Rng,
    ) -> Result<Option<Event>, ComposeError> {
        let notes = draft.past.notes();
        let last = notes.last().filter(|last| last.onset >= task.begun.heard);
        let now = last.map_or(task.begun.heard, |last| last.onset);
        let passed = notes.iter().rev().take_while(|note| last.is_some() && note.onset == now).count();
        let mut from = match task.begun.form.next(&draft.past, now, passed) {
            Next::Again(note) => return Ok(Some(note)),
            Next::Free(from) => from,
        };
        // A moment has no more notes than any of the corpus.
        let ranges = &task.begun.usual.ranges;
        let most: u32 = ranges.iter().map(|(_, _, most)| u32::from(*most)).sum();
        if from == now && passed as u32 >= most {
            from = now + 1;
        }
        let end = task.end();
        let here = draft.past.bar_at(now);
        let sounded = last.is_some_and(|last| last.onset >= task.begins(task.begun.past.bars().len() - 1));
        let latest = match last {
            None => task.begins(task.begun.first + 1 + EMPTY_BARS),
            Some(_) => task.begins(here + 2 + EMPTY_BARS),
        };
        let clock = self.clock();
        let texture = draft.past.texture(now);
        let pacing =
            texture.map(|texture| Pacing::of(&draft.past, texture, task.begun.heard, clock, |k| self.is_drums(k)));
        let pacing = pacing.unwrap_or_default();
        loop {
            let may_end = sounded && !task.begun.form.goes_on(from);
            if from >= end {
                return Ok(None);
            }
            // After a long rest that comes again the next bar at the latest.
            let latest = if from < latest { latest } else { task.begins(draft.past.bar_at(from) + 1) };
            let limits = Limits { from, latest: latest.min(end), may_end, end, pacing, ranges };
            let mut view = View::new(&self.vocabulary, &self.layout, &draft.past, 0);
            view.playing = task.begun.playing;
            view.open(notes.len());
            if draft.looping.is_due(&task.begun.usual.loops) {
                view.forget();
            }
            deciding.open(draft.memory.features());
            let Some(note) = self.draw(&mut view, deciding, &limits, task.sampling, rng)? else { return Ok(None) };
            match task.begun.form.next(&draft.past, note.onset, 0) {
                Next::Free(at) if at == note.onset => return Ok(Some(note)),
                // What it leads to comes again.
                _ if note.onset == now => return Ok(Some(note)),
                Next::Again(_) => {
                    let begin = task.begun.form.begins_again(note.onset);
                    match task.begun.form.next(&draft.past, begin, 0) {
                        Next::Again(note) => return Ok(Some(note)),
                        Next::Free(at) => from = at,
                    }
                }
                Next::Free(at) => from = at,
            }
        }
    }
}
