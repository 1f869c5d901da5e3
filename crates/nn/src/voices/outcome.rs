//! What a voice decides at one step of one row, and what it costs.

use super::{MOST_ITEMS, MOST_VOICES, Rule};
use crate::simd::{Level, exp, per_level};

/// Keeps logarithms finite: `-ln(P + GUARD)`. The worst that one item can cost is 13.8 nats.
pub const GUARD: f32 = 1e-6;

/// The items that the voices of a step have decided so far: bit k is item k.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Decided to be in the set.
    pub inside: u32,
    /// Decided to be out of it.
    pub outside: u32,
}

impl Decided {
    /// All decided items.
    pub fn all(self) -> u32 {
        self.inside | self.outside
    }

    /// The part of a voice's input: 1 for each item that is in, then for each that is out.
    ///
    /// # Shapes
    /// `row`: `[2K]`
    pub fn write(self, row: &mut [f32]) {
        let items = row.len() / 2;
        let (inside, outside) = row.split_at_mut(items);
        for k in 0..items {
            inside[k] = (self.inside >> k & 1) as f32;
            outside[k] = (self.outside >> k & 1) as f32;
        }
    }

    /// With what an outcome of a voice says, other than the last of [`Rule::Ordered`], whose outcomes are items each for itself.
    ///
    /// # Panics
    /// If the rule has no such outcome.
    pub fn with(self, outcome: usize, items: usize, rule: Rule) -> Decided {
        assert!(outcome < rule.outcomes(items), "outcome {outcome} of {rule:?} with {items} items");
        match rule {
            Rule::Final if outcome < items => Decided { inside: self.inside | 1 << outcome, ..self },
            Rule::Final => Decided { outside: self.outside | 1 << (outcome - items), ..self },
            // Everything below the item is decided with it; stopping decides all the rest.
            Rule::Ordered => {
                let below = (1u32 << outcome) - 1;
                let inside = self.inside | if outcome < items { 1 << outcome } else { 0 };
                Decided { inside, outside: self.outside | (below & !inside) }
            }
        }
    }
}

/// Whether a voice may come to an outcome after what was decided.
pub fn allowed(outcome: usize, decided: Decided, items: usize, rule: Rule) -> bool {
    match rule {
        Rule::Final => decided.all() >> (outcome % items) & 1 == 0,
        Rule::Ordered => outcome == items || decided.all() >> outcome & 1 == 0,
    }
}

/// A row of lanes, one for each item.
type Lanes = [f32; MOST_ITEMS];

/// One row's way through the voices of a step under [`Rule::Final`].
pub(super) struct FinalRow {
    items: usize,
    voices: usize,
    /// `q_v` by voice: in, out.
    q: [[Lanes; 2]; MOST_VOICES],
}

impl FinalRow {
    pub(super) fn new(items: usize, voices: usize) -> FinalRow {
        FinalRow { items, voices, q: [[[0.0; MOST_ITEMS]; 2]; MOST_VOICES] }
    }

    /// Reads the logits of voice v; returns the outcome that `chance` draws.
    pub(super) fn voice(&mut self, level: Level, v: usize, logits: &[f32], decided: Decided, chance: f32) -> usize {
        let (items, decided, q) = (self.items, decided.all(), &mut self.q[v]);
        per_level!(level, masked_softmax(logits: &[f32], items: usize, decided: u32, q: &mut [Lanes; 2]));
        let total: f32 = q[0][..items].iter().chain(&q[1][..items]).sum();
        let mut left = chance * total;
        let mut last = 0;
        for (side, shares) in q.iter().enumerate() {
            for (k, &share) in shares[..items].iter().enumerate() {
                if share > 0.0 {
                    last = side * items + k;
                    left -= share;
                    if left < 0.0 {
                        return last;
                    }
                }
            }
        }
        last
    }

    /// The distribution that voice v gave: `[2K]`.
    #[cfg(test)]
    pub(super) fn distribution(&self, v: usize) -> Vec<f32> {
        self.q[v].iter().flat_map(|lanes| &lanes[..self.items]).copied().collect()
    }

    /// The surrogate of the set, and whether `P > 1/2` is the set; `scale` times its gradient with respect to the logits of each voice
    /// goes to `gradient(v)`: `[2K]`.
    pub(super) fn close<'g>(
        &self,
        level: Level,
        set: u32,
        scale: f32,
        mut gradient: impl FnMut(usize) -> &'g mut [f32],
    ) -> (f32, bool) {
        let FinalRow { items, voices, ref q } = *self;
        let of_p: &mut [Lanes; 2] = &mut [[0.0; MOST_ITEMS]; 2];
        // The product over the voices before each one.
        let mut before = [[[1.0; MOST_ITEMS]; 2]; MOST_VOICES + 1];
        for v in 0..voices {
            for side in 0..2 {
                for k in 0..MOST_ITEMS {
                    before[v + 1][side][k] = before[v][side][k] * (1.0 - q[v][side][k]);
                }
            }
        }
        let left = &before[voices];
        let (mut nats, mut right) = (0.0, true);
        for k in 0..items {
            // Nobody took it in; nobody ruled it out.
            let (absent, open) = (left[0][k], left[1][k]);
            let p = (1.0 - absent) * open;
            let (chance, sign) = if set >> k & 1 == 1 { (p, 1.0) } else { (1.0 - p, -1.0) };
            nats -= (chance + GUARD).ln();
            right &= (p > 0.5) == (sign > 0.0);
            let d = -sign * scale / (chance + GUARD);
            of_p[0][k] = d * open;
            of_p[1][k] = -d * (1.0 - absent);
        }
        let (of_p, after): (&[Lanes; 2], &mut [Lanes; 2]) = (of_p, &mut [[1.0; MOST_ITEMS]; 2]);
        for v in (0..voices).rev() {
            let (g, q, before) = (gradient(v), &q[v], &before[v]);
            per_level!(
                level,
                voice_gradient(
                    items: usize,
                    q: &[Lanes; 2],
                    of_p: &[Lanes; 2],
                    before: &[Lanes; 2],
                    after: &mut [Lanes; 2],
                    g: &mut [f32],
                )
            );
        }
        (nats, right)
    }
}

#[inline(always)]
fn masked_softmax<const FMA: bool>(logits: &[f32], items: usize, decided: u32, q: &mut [Lanes; 2]) {
    let mut highest = f32::MIN;
    for (q, logits) in q.iter_mut().zip(logits.chunks_exact(items)) {
        for (k, lane) in q.iter_mut().enumerate() {
            let open = k < items && decided >> k & 1 == 0;
            *lane = if open { logits[k.min(items - 1)] } else { f32::MIN };
        }
        highest = q.iter().fold(highest, |m, z| if *z > m { *z } else { m });
    }
    let mut sums: Lanes = [0.0; MOST_ITEMS];
    for q in q.iter_mut() {
        for (k, lane) in q.iter_mut().enumerate() {
            let open = if *lane == f32::MIN { 0.0 } else { 1.0 };
            *lane = open * exp::<FMA>(*lane - highest);
            sums[k] += *lane;
        }
    }
    let factor = 1.0 / sums.iter().sum::<f32>();
    q.iter_mut().flatten().for_each(|lane| *lane *= factor);
}

/// Through `1 - prod (1 - q)` and the softmax; `after` is the product over later voices and takes this one in.
#[inline(always)]
fn voice_gradient<const FMA: bool>(
    items: usize,
    q: &[Lanes; 2],
    of_p: &[Lanes; 2],
    before: &[Lanes; 2],
    after: &mut [Lanes; 2],
    g: &mut [f32],
) {
    let mut of_q: [Lanes; 2] = [[0.0; MOST_ITEMS]; 2];
    let mut dots: Lanes = [0.0; MOST_ITEMS];
    for side in 0..2 {
        for k in 0..MOST_ITEMS {
            of_q[side][k] = of_p[side][k] * before[side][k] * after[side][k];
            dots[k] += q[side][k] * of_q[side][k];
            after[side][k] *= 1.0 - q[side][k];
        }
    }
    let dot: f32 = dots.iter().sum();
    for (side, g) in g.chunks_exact_mut(items).enumerate() {
        for (k, g) in g.iter_mut().enumerate() {
            *g = q[side][k] * (of_q[side][k] - dot);
        }
    }
}

/// One row's way through the voices of a step under [`Rule::Ordered`].
#[derive(Clone, Copy, Default)]
pub(super) struct OrderedRow {
    pub nats: f32,
    wrong: bool,
    stopped: bool,
}

impl OrderedRow {
    pub(super) fn right(&self) -> bool {
        !self.wrong
    }

    /// Reads the logits of a voice; returns what is decided after it. `scale` times the gradient goes to `gradient`: `[K + 1]`.
    pub(super) fn voice(
        &mut self,
        logits: &[f32],
        set: u32,
        decided: Decided,
        last: bool,
        scale: f32,
        gradient: &mut [f32],
    ) -> Decided {
        gradient.fill(0.0);
        if self.stopped {
            return decided;
        }
        let items = logits.len() - 1;
        let open = items_from(decided, items);
        if last {
            for k in open..items {
                let (z, inside) = (logits[k], set >> k & 1 == 1);
                let signed = if inside { z } else { -z };
                // ln(1 + e^-s), without overflow.
                self.nats += (-signed.abs()).exp().ln_1p() + (-signed).max(0.0);
                self.wrong |= signed <= 0.0;
                gradient[k] = scale * (1.0 / (1.0 + (-z).exp()) - if inside { 1.0 } else { 0.0 });
            }
            self.stopped = true;
            return Decided { inside: set, outside: !set & ((1 << items) - 1) };
        }
        let ahead = set >> open;
        let target = if ahead == 0 { items } else { open + ahead.trailing_zeros() as usize };
        let highest = logits[open..].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (g, z) in gradient[open..].iter_mut().zip(&logits[open..]) {
            *g = (z - highest).exp();
            sum += *g;
        }
        gradient[open..].iter_mut().for_each(|g| *g *= scale / sum);
        gradient[target] -= scale;
        self.nats += sum.ln() + highest - logits[target];
        self.wrong |= logits[target] < highest;
        self.stopped = target == items;
        decided.with(target, items, Rule::Ordered)
    }
}

/// The first item that is not decided: under [`Rule::Ordered`] all before it are.
fn items_from(decided: Decided, items: usize) -> usize {
    ((!decided.all()).trailing_zeros() as usize).min(items)
}
