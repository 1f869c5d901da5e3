//! Writing step by step: one draft, or, where there is a critic, several at once.
//!
//! Source: sequential importance resampling, N. Gordon, D. Salmond and A. Smith, IEE Proceedings F 140(2), 1993; that weights accumulate
//! and drafts are drawn anew once too few of them carry the weight, and that they are drawn at equal distances: A. Doucet and
//! A. Johansen, A Tutorial on Particle Filtering and Smoothing, 2009, section 3.

use super::closing::Closing;
use super::{ChoraleComposer, Here, Memory};
use crate::chorale::critic::Hearing;
use crate::chorale::given::{ALL, Given};
use cantus_encoding::voices::Chord;
use cantus_model::frames::{Leave, Runs};
use cantus_model::{ComposeError, Progress, Rng, Sampling};
use cantus_nn::joint::{Decision, Place};
use cantus_nn::random::{derive, uniform_f64};
use cantus_nn::suffix::SuffixIndex;
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// How many drafts are written at once under a critic's eyes.
const DRAFTS: usize = 8;
/// Drafts are drawn anew where the weight lies on fewer than this share of them.
const SHARE: f64 = 0.5;
/// What repeats itself for longer than the corpus ever does is given up, unless all do: the logarithm of its weight.
const OVERDUE: f64 = -1000.0;

/// A piece as far as it is written.
#[derive(Clone)]
struct Draft {
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

impl Draft {
    fn weight(&self) -> f64 {
        self.breach + self.hearing.as_ref().map_or(0.0, |hearing| hearing.verdict() - self.verdict)
    }

    fn drawn(&self) -> Draft {
        let verdict = self.hearing.as_ref().map_or(0.0, Hearing::verdict);
        Draft { verdict, breach: 0.0, ..self.clone() }
    }
}

impl ChoraleComposer {
    /// The chords of a piece of which some is given, step by step.
    pub(in super::super) fn sing(
        &self,
        task: &Task<'_>,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Vec<Chord>, ComposeError> {
        let end = task.given.len();
        let steps_per_quarter = self.choir.steps_per_quarter;
        let critic = self.critic.as_ref().filter(|_| task.sampling.temperature > 0.0);
        let first = Draft {
            memory: self.memory(),
            past: SuffixIndex::default(),
            runs: Runs::within(&self.choir.repetition),
            chords: Vec::with_capacity(end),
            hearing: critic.map(|_| Hearing::new(steps_per_quarter)),
            verdict: 0.0,
            breach: 0.0,
        };
        let mut drafts = vec![first; if critic.is_some() { DRAFTS } else { 1 }];
        let mut desks = vec![(self.head.decision(), Vec::new()); drafts.len()];
        for at in 0..end {
            let chances: Vec<u64> = drafts.iter().map(|_| rng.next_u64()).collect();
            let go_on = |((draft, (decision, features)), chance): ((&mut Draft, &mut (_, _)), u64)| {
                let rng = &mut derive(chance, "draft", &[]);
                self.go_on(draft, at, task, (decision, features), rng)?;
                if let (Some(critic), Some(hearing), Some(chord)) = (critic, &mut draft.hearing, draft.chords.last()) {
                    hearing.push(critic.weights(), *chord);
                }
                Ok::<_, ComposeError>(())
            };
            drafts.par_iter_mut().zip(&mut desks).zip(chances).try_for_each(go_on)?;
            drafts = choose(drafts, rng);
            if (at + 1).is_multiple_of(steps_per_quarter as usize) || at + 1 == end {
                let done = (at + 1) as f64 / end as f64;
                if progress(done).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        let weights = weights(&drafts);
        let chosen = places(&weights, 1, rng).first().copied().unwrap_or(0);
        Ok(drafts.swap_remove(chosen).chords)
    }

    /// A step more.
    fn go_on(
        &self,
        draft: &mut Draft,
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
                    draft.breach += OVERDUE;
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

/// The drafts' weights, which sum to 1.
fn weights(drafts: &[Draft]) -> Vec<f64> {
    let logarithms: Vec<f64> = drafts.iter().map(Draft::weight).collect();
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logarithms.iter().map(|weight| (weight - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// The drafts as they are, or, where few of them have all the weight, drawn anew by it.
fn choose(drafts: Vec<Draft>, rng: &mut Rng) -> Vec<Draft> {
    let weights = weights(&drafts);
    let carried = 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>();
    if carried >= SHARE * drafts.len() as f64 {
        return drafts;
    }
    places(&weights, drafts.len(), rng).into_iter().map(|k| drafts[k].drawn()).collect()
}

/// So many indices, drawn by weights that sum to 1 at equal distances.
fn places(weights: &[f64], count: usize, rng: &mut Rng) -> Vec<usize> {
    let offset = uniform_f64(rng);
    let (mut reached, mut k) = (weights.first().copied().unwrap_or(0.0), 0);
    let place = |n: usize| {
        while (n as f64 + offset) / count as f64 >= reached && k + 1 < weights.len() {
            k += 1;
            reached += weights[k];
        }
        k
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_model::seeded;

    #[test]
    fn drafts_are_drawn_by_weight_at_equal_distances() {
        let weights = [0.5, 0.0, 0.3, 0.2];
        let rng = &mut seeded(5);
        let mut counts = [0; 4];
        for _ in 0..500 {
            let drawn = places(&weights, 10, rng);
            assert!(drawn.is_sorted() && drawn.len() == 10);
            // Each comes as often as its weight says, but for one.
            for (k, weight) in weights.iter().enumerate() {
                let count = drawn.iter().filter(|drawn| **drawn == k).count();
                assert!((count as f64 - 10.0 * weight).abs() < 1.0 + 1e-9, "{k}: {drawn:?}");
            }
            counts[places(&weights, 1, rng)[0]] += 1;
        }
        assert!(counts[1] == 0 && (200..300).contains(&counts[0]) && (60..140).contains(&counts[3]), "{counts:?}");
    }
}
