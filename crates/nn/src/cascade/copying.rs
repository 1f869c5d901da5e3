//! What earlier places offer, on plain slices: a row's candidates, choice after choice.

use super::{Candidate, KINDS, MARKS, NONE};

/// The tables of one choice.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub scores: &'a [f32],
    pub gates: &'a [f32],
    pub trust: f32,
}

/// The derivatives by the tables of one choice and the row's sentinel, added to.
pub(super) struct TableDerivatives<'a> {
    pub scores: &'a mut [f32],
    pub gates: &'a mut [f32],
    pub trust: &'a mut f32,
    pub sentinel: &'a mut f32,
}

/// How far the candidates of a row have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Attention {
    /// What each candidate has lost by what it had wrong so far.
    lost: Vec<f32>,
    /// Bit u: whether it had choice u wrong.
    wrong: Vec<u8>,
    /// Each one's share in the choice at hand; 0 where it offers nothing that is allowed.
    shares: Vec<f32>,
    /// `ln Z` of the choice at hand.
    log_total: f32,
}

impl Attention {
    /// Begins a row.
    pub fn open(&mut self) {
        self.lost.clear();
        self.shares.clear();
        self.wrong.clear();
    }

    /// Takes up candidates that were not there before: what a choice leads to may offer something to the next. They have nothing wrong.
    fn take_up(&mut self, candidates: usize) {
        debug_assert!(self.lost.len() <= candidates, "no candidate goes before its row ends");
        self.lost.resize(candidates, 0.0);
        self.shares.resize(candidates, 0.0);
        self.wrong.resize(candidates, 0);
    }

    /// Works out each candidate's share in choice `v`; the gate's logit, or `None` where none of them offers anything that is allowed.
    pub fn weigh(
        &mut self,
        candidates: &[Candidate],
        v: usize,
        allowed: u128,
        marks: [u16; MARKS],
        tables: Tables<'_>,
        sentinel: f32,
    ) -> Option<f32> {
        self.take_up(candidates.len());
        let mut most = f32::NEG_INFINITY;
        for ((candidate, lost), share) in candidates.iter().zip(&self.lost).zip(&mut self.shares) {
            let offer = candidate.offers[v];
            *share = f32::NEG_INFINITY;
            if offer != NONE && allowed >> offer & 1 == 1 {
                let score: f32 = candidate.kinds.iter().map(|kind| tables.scores[usize::from(*kind)]).sum();
                *share = score - lost;
                most = most.max(*share);
            }
        }
        if most == f32::NEG_INFINITY {
            self.shares.fill(0.0);
            return None;
        }
        let mut total = 0.0;
        for share in &mut self.shares {
            *share = (*share - most).exp();
            total += *share;
        }
        self.shares.iter_mut().for_each(|share| *share /= total);
        self.log_total = most + total.ln();
        let gates: f32 = marks.iter().map(|mark| tables.gates[usize::from(*mark)]).sum();
        Some(tables.trust * self.log_total + sentinel + gates)
    }

    /// What copying gives to a class in the choice at hand.
    pub fn probability(&self, candidates: &[Candidate], v: usize, class: u8) -> f32 {
        let offering = candidates.iter().zip(&self.shares).filter(|(candidate, _)| candidate.offers[v] == class);
        offering.map(|(_, share)| share).sum()
    }

    /// Adds what copying gives to every class, times `scale`.
    pub fn spread(&self, candidates: &[Candidate], v: usize, scale: f32, classes: &mut [f32]) {
        let offering = candidates.iter().zip(&self.shares).filter(|(_, share)| **share > 0.0);
        offering.for_each(|(candidate, share)| classes[usize::from(candidate.offers[v])] += scale * share);
    }

    /// Back through [`Attention::weigh`], given the derivatives of the loss by the gate's logit and by the logarithm of what copying
    /// gives to `class`, which is `probability`.
    #[expect(clippy::too_many_arguments, reason = "the values of one choice, which nothing else has in common")]
    pub fn weigh_back(
        &self,
        candidates: &[Candidate],
        v: usize,
        class: u8,
        probability: f32,
        marks: [u16; MARKS],
        trust: f32,
        to_gate: f32,
        to_log: f32,
        to: &mut TableDerivatives<'_>,
        to_penalties: &mut [f32],
    ) {
        *to.sentinel += to_gate;
        *to.trust += to_gate * self.log_total;
        marks.iter().for_each(|mark| to.gates[usize::from(*mark)] += to_gate);
        let to_total = to_gate * trust;
        for ((candidate, share), wrong) in candidates.iter().zip(&self.shares).zip(&self.wrong) {
            if *share == 0.0 {
                continue;
            }
            let mut g = (to_total - to_log) * share;
            if candidate.offers[v] == class && probability > 0.0 {
                g += to_log * share / probability;
            }
            for kind in candidate.kinds {
                to.scores[usize::from(kind)] += g;
            }
            for (u, to_penalty) in to_penalties.iter_mut().enumerate().take(v) {
                if wrong >> u & 1 == 1 {
                    *to_penalty -= g;
                }
            }
        }
    }

    /// Goes on to the next choice: `class` was chosen. Who offered nothing has nothing wrong.
    pub fn choose(&mut self, candidates: &[Candidate], v: usize, class: u8, penalty: f32) {
        self.take_up(candidates.len());
        for ((candidate, lost), wrong) in candidates.iter().zip(&mut self.lost).zip(&mut self.wrong) {
            if candidate.offers[v] != class && candidate.offers[v] != NONE {
                *lost += penalty;
                *wrong |= 1 << v;
            }
        }
    }
}

// A candidate's wrongs are bits of a byte.
const _: () = assert!(super::MOST_CHOICES <= 8 && KINDS > 0);
