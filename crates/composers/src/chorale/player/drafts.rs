//! Writing step by step: one draft, or, where there is a critic, several at once.

use super::closing::Closing;
use super::{ChoraleComposer, Here, Memory};
use crate::chorale::critic::Hearing;
use cantus_encoding::voices::Chord;
use cantus_model::choir::{ALL, Given};
use cantus_model::drafts::{self, BREACH, DRAFTS, Draft};
use cantus_model::frames::{Leave, Runs};
use cantus_model::{ComposeError, Progress, Rng, Sampling};
use cantus_nn::joint::{Decision, Place};
use cantus_nn::random::derive;
use cantus_nn::suffix::SuffixIndex;
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// A piece as far as it is written.
#[derive(Clone)]
struct Sung {
    memory: Memory,
    past: SuffixIndex,
    runs: Runs,
    chords: Vec<Chord>,
    hearing: Option<Hearing>,
    /// The critic's verdict when drafts were last drawn.
    verdict: f64,
    /// The logarithm of its weight among all, but for what was heard since.
    breach: f64,
}

/// What is asked for.
pub(in super::super) struct Task<'a> {
    /// What is given of each step.
    pub given: &'a [Given],
    /// Steps that come again.
    pub recalls: &'a [Option<usize>],
    /// The step at which the beginning of the piece comes again, and how many steps of it.
    pub opening: Option<(usize, usize)>,
    /// The last chord, where it is to be the tonic's.
    pub closing: Option<Closing>,
    pub sampling: &'a Sampling,
}

impl Task<'_> {
    /// What of the beginning comes again at a step, once so much is written.
    fn again(&self, written: &[Chord], step: usize) -> Option<Chord> {
        let (at, steps) = self.opening?;
        let since = step.checked_sub(at).filter(|since| *since < steps)?;
        written.get(since).copied()
    }

    /// What is known of a step, once so much is written.
    fn given(&self, written: &[Chord], step: usize) -> Option<Given> {
        let again = self.again(written, step).map(|chord| Given { voices: ALL, chord });
        again.or(self.given.get(step).copied())
    }
}

impl Draft for Sung {
    fn weight(&self) -> f64 {
        self.breach + self.hearing.as_ref().map_or(0.0, |hearing| hearing.verdict() - self.verdict)
    }

    fn settle(&mut self) {
        self.verdict = self.hearing.as_ref().map_or(0.0, Hearing::verdict);
        self.breach = 0.0;
    }
}

impl ChoraleComposer {
    /// The chords of a piece of which some is given, step by step, and the critic's verdict on them.
    pub(in super::super) fn sing(
        &self,
        task: &Task<'_>,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<(Vec<Chord>, Option<f64>), ComposeError> {
        let end = task.given.len();
        let steps_per_quarter = self.choir.steps_per_quarter;
        let critic = self.critic.as_ref().filter(|_| task.sampling.temperature > 0.0);
        let first = Sung {
            memory: self.memory(),
            past: SuffixIndex::default(),
            runs: Runs::within(&self.repetition),
            chords: Vec::with_capacity(end),
            hearing: critic.map(|_| Hearing::new(steps_per_quarter)),
            verdict: 0.0,
            breach: 0.0,
        };
        let mut drafts = vec![first; if critic.is_some() { DRAFTS } else { 1 }];
        let mut desks = vec![(self.head.decision(), Vec::new()); drafts.len()];
        for at in 0..end {
            let chances: Vec<u64> = drafts.iter().map(|_| rng.next_u64()).collect();
            let go_on = |((draft, (decision, features)), chance): ((&mut Sung, &mut (_, _)), u64)| {
                let rng = &mut derive(chance, "draft", &[]);
                self.go_on(draft, at, task, (decision, features), rng)?;
                if let (Some(critic), Some(hearing), Some(chord)) = (critic, &mut draft.hearing, draft.chords.last()) {
                    hearing.push(critic.weights(), *chord);
                }
                Ok::<_, ComposeError>(())
            };
            drafts.par_iter_mut().zip(&mut desks).zip(chances).try_for_each(go_on)?;
            drafts = drafts::choose(drafts, rng);
            if (at + 1).is_multiple_of(steps_per_quarter as usize) || at + 1 == end {
                let done = (at + 1) as f64 / end as f64;
                if progress(done).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        let Sung { chords, hearing, .. } = drafts::one(drafts, rng);
        Ok((chords, hearing.map(|hearing| hearing.verdict())))
    }

    /// A step more.
    fn go_on(
        &self,
        draft: &mut Sung,
        at: usize,
        task: &Task<'_>,
        (decision, features): (&mut Decision<'_>, &mut Vec<f32>),
        rng: &mut Rng,
    ) -> Result<(), ComposeError> {
        let before = draft.chords.last().copied();
        self.advance(&mut draft.memory, at, task.given.len(), before);
        let (here, recalled) = (task.given[at], task.recalls.get(at).copied().flatten());
        let leave = Leave::after(&draft.runs, recalled, here.voices == 0);
        let held = task.closing.as_ref().and_then(|closing| closing.held(at, before, here));
        let known = match here.voices {
            ALL => Some(here.chord),
            _ if held.is_some() => held,
            // The beginning comes again as often as in the corpus's music, and no oftener.
            _ => task.again(&draft.chords, at).filter(|chord| !leave.forbids(chord.bits())),
        };
        let chord = match known {
            Some(chord) => chord,
            None => {
                self.features(&draft.memory, |step| task.given(&draft.chords, step), at, features);
                let recalling = leave.recalling;
                let place = Place { past: &draft.past, at, shift: 0, classes: draft.memory.profile.shares() };
                let closing = task.closing.as_ref().and_then(|closing| closing.items(at));
                let here = Here { features, place, given: here, before, recalling, closing };
                let mut draw = |sampling: &Sampling| {
                    let draw = || self.draw(decision, &here, sampling, rng).ok_or(ComposeError::NoToken);
                    leave.draw(draw, |chord| chord.bits())
                };
                let mut chord = draw(task.sampling)?;
                if leave.forbids(chord.bits()) {
                    // Of what is likely nothing else is left: then of all.
                    chord = draw(&Sampling { top_k: 0, top_p: 1.0, ..*task.sampling })?;
                }
                if leave.forbids(chord.bits()) {
                    draft.breach += BREACH;
                }
                chord
            }
        };
        draft.past.push(chord.bits());
        draft.runs.push(chord.bits());
        draft.chords.push(chord);
        Ok(())
    }
}
