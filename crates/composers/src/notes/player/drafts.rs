//! Writing note by note: one draft, or, where there is a critic, several at once.

use super::drawing::{Desk, Limits, Pen, Tilts};
use super::filling::Filling;
use super::pacing::Pacing;
use super::{Begun, Memory, NoteComposer};
use crate::notes::closing::closes;
use crate::notes::critic::Hearing;
use crate::notes::form;
use crate::notes::layout::{Told, choice};
use crate::notes::loops::Looping;
use crate::notes::past::Past;
use crate::notes::texture::silent;
use crate::notes::view::View;
use cantus_encoding::note_events::Event;
use cantus_model::drafts::{self, BREACH, Draft};
use cantus_model::{ComposeError, Progress, Rng, Sampling, Surprise};
use cantus_nn::cascade::NONE;
use cantus_nn::random::derive;
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// What a beat weighs in which nothing sounds, where the piece is to have no such beat any more; a logarithm.
const SILENCE: f64 = -3.0;
/// What an end weighs that does not close where the piece is to; a logarithm.
const OPEN: f64 = -8.0;
/// How many drafts are written at once under the critic's eyes: notes are cheap.
const DRAFTS: usize = 16;
/// What a given note weighs at the least, however strange it is after what was written; a logarithm.
const STRANGEST: f64 = -12.0;
/// What the network is told where it is not told the style.
const UNTOLD: Told = Told { style: false, ..Told::ALL };
/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// What is asked for.
pub(in super::super) struct Task<'a> {
    begun: &'a Begun<'a>,
    sampling: &'a Sampling,
    /// What it is written around.
    filling: Option<&'a Filling>,
}

impl<'a> Task<'a> {
    pub fn of(begun: &'a Begun<'a>, sampling: &'a Sampling) -> Task<'a> {
        Task { begun, sampling, filling: None }
    }

    /// The same around what is given.
    pub(super) fn around(self, filling: &'a Filling) -> Task<'a> {
        Task { filling: Some(filling), ..self }
    }

    /// When a bar begins, or the piece ends.
    fn begins(&self, bar: usize) -> u32 {
        self.begun.past.bars().get(bar).map_or(self.piece_end(), |bar| bar.start.0.min(u64::from(u32::MAX / 2)) as u32)
    }

    /// When writing, and hearing what follows, is over.
    fn end(&self) -> u32 {
        self.filling.map_or_else(|| self.piece_end(), |filling| filling.end)
    }

    /// A moment has no more notes than any of the corpus.
    fn most_at_once(&self) -> usize {
        self.begun.usual.ranges.iter().map(|(_, _, most)| usize::from(*most)).sum()
    }

    fn piece_end(&self) -> u32 {
        self.begun.past.bars().last().map_or(0, |bar| bar.end().0.min(u64::from(u32::MAX / 2)) as u32)
    }
}

/// A piece as far as it is written.
#[derive(Clone)]
struct Written {
    memory: Memory,
    /// What the network holds of it where it is not told the style, which is to be overdone.
    untold: Option<Memory>,
    past: Past,
    looping: Looping,
    hearing: Option<Hearing>,
    /// How surprising it is to be.
    surprise: Option<Surprise>,
    /// Notes of what is given that were read.
    read: usize,
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
    /// The notes of a piece of which the beginning may be given, all of them, and the critic's verdict on those that it heard.
    pub(in super::super) fn write(
        &self,
        task: &Task<'_>,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<(Past, Option<f64>), ComposeError> {
        let critic = self.critic.as_ref().filter(|_| task.sampling.temperature > 0.0);
        let mut memory = self.memory();
        let strength = task.begun.strength.filter(|strength| *strength > 0.0);
        let mut untold = strength.map(|_| self.memory());
        for j in 0..task.begun.past.notes().len() {
            self.advance(&task.begun.past, j, Told::ALL, &mut memory);
            untold.iter_mut().for_each(|memory| self.advance(&task.begun.past, j, UNTOLD, memory));
        }
        let clock = self.vocabulary.clock();
        let first = Written {
            memory,
            untold,
            past: task.begun.past.clone(),
            looping: Looping::default(),
            hearing: critic.map(|_| Hearing::new(clock)),
            surprise: task.begun.surprise.map(Surprise::new),
            read: task.begun.past.notes().len(),
            verdict: 0.0,
            breach: 0.0,
            is_done: false,
        };
        // What follows is heard through several drafts, too, and so are chords and a key that are asked for.
        let is_heard = task.filling.is_some() || task.begun.aims.is_heard();
        let is_weighed = critic.is_some() || is_heard && task.sampling.temperature > 0.0;
        let count = if is_weighed { DRAFTS } else { 1 };
        let mut drafts = vec![first; count];
        let mut desks = vec![Desk::new(&self.head, strength); drafts.len()];
        let (end, beat) = (task.end(), clock.beat());
        let last_bar = task.begins(task.begun.past.bars().len().saturating_sub(1));
        let mut time = task.begun.heard;
        while time < end {
            time = time.saturating_add(beat).min(end);
            let chances: Vec<u64> = drafts.iter().map(|_| rng.next_u64()).collect();
            let go_on = |((draft, desk), chance): ((&mut Written, &mut Desk<'_>), u64)| {
                self.go_on(draft, time, task, desk, &mut derive(chance, "draft", &[]))
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
        let Written { past, hearing, .. } = drafts::one(drafts, rng);
        Ok((past, hearing.map(|hearing| hearing.verdict())))
    }

    /// Writes up to a time.
    fn go_on(
        &self,
        draft: &mut Written,
        time: u32,
        task: &Task<'_>,
        desk: &mut Desk<'_>,
        rng: &mut Rng,
    ) -> Result<(), ComposeError> {
        while !draft.is_done && draft.past.notes().last().is_none_or(|last| last.onset < time) {
            let j = draft.past.notes().len();
            self.advance(&draft.past, j, Told::ALL, &mut draft.memory);
            draft.untold.iter_mut().for_each(|memory| self.advance(&draft.past, j, UNTOLD, memory));
            let next = match task.filling {
                Some(filling) => self.fill(draft, (task, filling), desk, rng)?,
                None => self.next(draft, task, desk, rng)?.map(|(note, nats)| Next::Written { note, nats }),
            };
            match next {
                Some(Next::Written { note, nats }) => {
                    draft.surprise.iter_mut().zip(nats).for_each(|(surprise, nats)| surprise.heard(nats));
                    let voices = task.begun.usual.voices[usize::from(note.instrument)];
                    draft.past.give_way(note.instrument, note.onset, voices.into());
                    draft.past.push(note, self.is_drums(note.instrument));
                }
                Some(Next::Given { note, is_among }) => {
                    draft.past.push(note, self.is_drums(note.instrument));
                    draft.read += 1;
                    draft.breach += self.evidence(draft, is_among, desk);
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
        draft.breach += task.begun.aims.misheard(&draft.past, (before, time), clock, |number| self.is_drums(number));
        if draft.looping.is_beyond(&task.begun.usual.loops) {
            draft.breach += BREACH;
        }
        if let (Some(critic), Some(hearing)) = (&self.critic, &mut draft.hearing) {
            let is_drums = |number: u8| self.is_drums(number);
            hearing.upto(critic.weights(), &draft.past, &is_drums, time, &mut |_| ());
            if time == task.piece_end() {
                hearing.end(critic.weights(), &draft.past);
                if task.begun.closes && !closes(&draft.past, is_drums) {
                    draft.breach += OPEN;
                }
            }
        }
        Ok(())
    }

    /// The next note, and how many nats it was worth where it was drawn; `None` where the piece is over.
    fn next(
        &self,
        draft: &Written,
        task: &Task<'_>,
        desk: &mut Desk<'_>,
        rng: &mut Rng,
    ) -> Result<Option<(Event, Option<f64>)>, ComposeError> {
        let notes = draft.past.notes();
        let last = notes.last().filter(|last| last.onset >= task.begun.heard);
        let now = last.map_or(task.begun.heard, |last| last.onset);
        let passed = notes.iter().rev().take_while(|note| last.is_some() && note.onset == now).count();
        let mut from = match task.begun.form.next(&draft.past, now, passed) {
            form::Next::Again(note) => return Ok(Some((note, None))),
            form::Next::Free(from) => from,
        };
        if from == now && passed >= task.most_at_once() {
            from = now + 1;
        }
        let end = task.end();
        let here = draft.past.bar_at(now);
        let sounded = last.is_some_and(|last| last.onset >= task.begins(task.begun.past.bars().len() - 1));
        let latest = match last {
            None => task.begins(task.begun.first + 1 + EMPTY_BARS),
            Some(_) => task.begins(here + 2 + EMPTY_BARS),
        };
        let tilts = self.tilts(&draft.past, task, now, task.begun.heard);
        loop {
            let may_end = sounded && !task.begun.form.goes_on(from);
            if from >= end {
                return Ok(None);
            }
            // After a long rest that comes again the next bar at the latest.
            let latest = if from < latest { latest } else { task.begins(draft.past.bar_at(from) + 1) };
            let limits = Limits { from, latest: latest.min(end), may_end, end, ceiling: &|_| u8::MAX, tilts };
            let drawn = self.draw_after(draft, (task, task.begun.playing), desk, &limits, rng)?;
            let Some((note, nats)) = drawn else { return Ok(None) };
            match task.begun.form.next(&draft.past, note.onset, 0) {
                form::Next::Free(at) if at == note.onset => return Ok(Some((note, Some(nats)))),
                // What it leads to comes again.
                _ if note.onset == now => return Ok(Some((note, Some(nats)))),
                form::Next::Again(_) => {
                    let begin = task.begun.form.begins_again(note.onset);
                    match task.begun.form.next(&draft.past, begin, 0) {
                        form::Next::Again(note) => return Ok(Some((note, None))),
                        form::Next::Free(at) => from = at,
                    }
                }
                form::Next::Free(at) => from = at,
            }
        }
    }

    /// How the next note is weighed, where the piece is to be as busy as it is at `time`; what it has before `since` does not count.
    fn tilts<'a>(&self, past: &'a Past, task: &'a Task<'_>, time: u32, since: u32) -> Tilts<'a> {
        let is_drums = |number: u8| self.is_drums(number);
        let aims = &task.begun.aims;
        let texture = past.texture(time).map(|texture| (texture, aims.firm()));
        let pacing = texture.map(|texture| Pacing::of(past, texture, since, self.clock(), is_drums));
        let louder = aims.louder(past, task.begun.heard, is_drums);
        let ranges = aims.ranges();
        Tilts { past, pacing: pacing.unwrap_or_default(), ranges, aims, louder }
    }

    /// Draws a note after what is written, of the instruments of `playing`, and says how many nats it is worth; without what came before
    /// where that loops.
    fn draw_after(
        &self,
        draft: &Written,
        (task, playing): (&Task<'_>, u128),
        desk: &mut Desk<'_>,
        limits: &Limits<'_>,
        rng: &mut Rng,
    ) -> Result<Option<(Event, f64)>, ComposeError> {
        let mut view = View::new(&self.vocabulary, &self.layout, &draft.past, 0);
        view.playing = playing;
        view.ranges = Some(task.begun.aims.ranges());
        view.open(draft.past.notes().len());
        if draft.looping.is_due(&task.begun.usual.loops) {
            view.forget();
        }
        desk.open(&draft.memory, draft.untold.as_ref());
        let sampling = draft.surprise.map_or(*task.sampling, |surprise| surprise.over(task.sampling));
        let mut pen = Pen { desk, sampling, rng, nats: 0.0 };
        Ok(self.draw(&mut view, &mut pen, limits)?.map(|note| (note, pen.nats)))
    }

    /// The next note of a piece of which some is given; `None` where nothing more is heard. What is drawn is taken where it is to be written
    /// and comes before what is given next; else that comes.
    fn fill(
        &self,
        draft: &Written,
        (task, filling): (&Task<'_>, &Filling),
        desk: &mut Desk<'_>,
        rng: &mut Rng,
    ) -> Result<Option<Next>, ComposeError> {
        let notes = draft.past.notes();
        let now = notes.last().map_or(0, |last| last.onset);
        let given = filling.given.get(draft.read).copied();
        let stretch = filling.stretch(now, &draft.past);
        let read = || {
            let is_among = |note: &Event| stretch.is_some_and(|(from, until)| (from..until).contains(&note.onset));
            given.map(|note| Next::Given { note, is_among: is_among(&note) })
        };
        let Some((mut from, until)) = stretch.filter(|(from, _)| given.is_none_or(|note| note.onset >= *from)) else {
            return Ok(read());
        };
        let of_moment = notes.iter().rev().take_while(|note| note.onset == now).count();
        if from == now && of_moment >= task.most_at_once() {
            from = now + 1;
        }
        let tilts = self.tilts(&draft.past, task, from, 0);
        let latest = task.begins(draft.past.bar_at(from) + 2 + EMPTY_BARS).min(until);
        let may_end = latest == until || given.is_some_and(|note| note.onset < latest);
        let ceiling = |time: u32| filling.ceiling(time);
        // First as the piece goes on by itself; where that is something that is given, or is not to be, what else comes then or later.
        for playing in [task.begun.playing, filling.written] {
            if from >= until {
                break;
            }
            let limits = Limits { from, latest, may_end, end: until, ceiling: &ceiling, tilts };
            let Some((note, nats)) = self.draw_after(draft, (task, playing), desk, &limits, rng)? else { break };
            if given.is_some_and(|given| given.order() <= note.order()) {
                break;
            }
            if filling.wanted(draft.past.bar_at(note.onset)) >> note.instrument & 1 == 1 {
                return Ok(Some(Next::Written { note, nats: Some(nats) }));
            }
            from = note.onset;
        }
        Ok(read())
    }

    /// How likely the last note, which is given, is after what was written: the logarithm. `is_among` what is written, when it comes is no
    /// matter: something that is not given may come before it.
    fn evidence(&self, draft: &Written, is_among: bool, desk: &mut Desk<'_>) -> f64 {
        let mut view = View::new(&self.vocabulary, &self.layout, &draft.past, 0);
        let (sight, _) = view.of_note(draft.past.notes().len() - 1);
        desk.open(&draft.memory, draft.untold.as_ref());
        let mut sum = 0.0;
        for v in (0..choice::COUNT).filter(|v| sight.targets[*v] != NONE) {
            let target = sight.targets[v];
            let own = desk.logarithms(v, &sight)[usize::from(target)];
            if !is_among || v >= choice::PITCH {
                sum += f64::from(own);
            }
            desk.choose(v, &sight, target);
        }
        sum.max(STRANGEST)
    }
}

/// What comes next.
enum Next {
    /// What is written, and how many nats it was worth where it was drawn.
    Written { note: Event, nats: Option<f64> },
    /// What is given; `is_among` what is written, or after it.
    Given { note: Event, is_among: bool },
}
