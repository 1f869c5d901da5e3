//! What each bar is to be like, drawn before anything is written: how busy it is, and whether it has the rhythm of the one before.
//!
//! A network that writes step by step dries up: once silent, what it reads is silence. Told how many notes a bar has it goes on. While
//! learning it is told of half of the pieces, so that it can be judged without.

use super::step::{Given, Spot, sounds};
use cantus_model::{Joined, Rng};
use cantus_nn::random::{categorical, uniform_f64};
use serde::{Deserialize, Serialize};

/// The most onsets of a bar, to a quarter, of each class; what is busier is a class of its own.
const BUSY: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 3.0];
/// Classes of how busy a bar is, from silence on.
pub(super) const CLASSES: usize = BUSY.len() + 1;
/// Onsets to a quarter in the middle of each class.
const USUAL: [f64; CLASSES] = [0.0, 0.35, 0.8, 1.6, 2.6, 4.0];
/// How much likelier an onset is made, in nats, for each that a bar has too few so far, and the most of it.
const PUSH: (f64, f64) = (1.2, 3.0);
/// How much likelier, or less likely, it is made where a bar has the rhythm of the one before.
const REPEAT: f64 = 1.5;
/// How much the counts of all bars with as much given weigh beside those that come after a bar like the one before.
const BACKOFF: f64 = 4.0;

/// What is told of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BarPlan {
    /// How busy it is, below [`CLASSES`].
    pub busy: usize,
    /// Whether it has the rhythm of the bar before; `None` where there is none of its length, or where both are silent.
    pub again: Option<bool>,
}

impl BarPlan {
    /// What is added to the log-odds of an onset after the frames `written`, at the place `spot` of the bar.
    pub(super) fn push(&self, written: &[u128], spot: Spot, per_quarter: u32) -> f32 {
        let start = written.len() - (spot.in_bar as usize).min(written.len());
        if self.again == Some(true) {
            let before = written.len().checked_sub(spot.bar_steps as usize).map(|at| sounds(written[at]));
            return before.map_or(0.0, |begins| if begins { REPEAT } else { -REPEAT }) as f32;
        }
        let onsets = written[start..].iter().filter(|frame| sounds(**frame)).count();
        let due = USUAL[self.busy] * f64::from(spot.in_bar + 1) / f64::from(per_quarter);
        (PUSH.0 * (due - onsets as f64 - if self.busy > 0 { 0.0 } else { 1.5 })).clamp(-PUSH.1, PUSH.1) as f32
    }
}

/// The class of so many onsets in a bar of so many steps.
fn class(onsets: usize, steps: usize, per_quarter: u32) -> usize {
    let rate = onsets as f64 * f64::from(per_quarter) / steps.max(1) as f64;
    BUSY.iter().take_while(|most| rate > **most).count()
}

/// The bars of a piece, as ranges of steps.
pub(super) fn bars(spots: &[Spot]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    spots.chunk_by(|a, b| a.bar == b.bar).map(move |bar| {
        from += bar.len();
        from - bar.len()..from
    })
}

/// What the bars of a piece are like.
pub(super) fn plan_of(frames: &[u128], spots: &[Spot], per_quarter: u32) -> Vec<BarPlan> {
    let mut before: Option<Vec<bool>> = None;
    let plan = |bar: std::ops::Range<usize>| {
        let rhythm: Vec<bool> = frames[bar].iter().map(|frame| sounds(*frame)).collect();
        let onsets = rhythm.iter().filter(|begins| **begins).count();
        let busy = class(onsets, rhythm.len(), per_quarter);
        let comparable = before.as_ref().filter(|other| other.len() == rhythm.len());
        let comparable = comparable.filter(|other| onsets > 0 || other.contains(&true));
        let again = comparable.map(|other| *other == rhythm);
        before = Some(rhythm);
        BarPlan { busy, again }
    };
    bars(spots).map(plan).collect()
}

/// What a part is written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// The part that is written.
    pub writes: Joined,
    pub given: &'a [Given],
    pub spots: &'a [Spot],
    pub per_quarter: u32,
}

impl Around<'_> {
    /// Whether instruments are given beside the drums, or the bass, to which a part is written.
    fn has_others(&self) -> bool {
        self.given.iter().any(|given| given.begun != 0)
    }

    /// How busy what is given is in each bar: the other instruments, or the drums, or the bass, alone; in classes apart.
    fn busy(&self, others: bool) -> Vec<usize> {
        let begins = |given: &&Given| match (others, self.writes) {
            (true, _) => given.begun != 0,
            (false, Joined::Bass) => given.drums != 0,
            (false, Joined::Drums) => sounds(given.bass),
        };
        let of = |bar: std::ops::Range<usize>| {
            let (steps, onsets) = (bar.len(), self.given[bar].iter().filter(begins).count());
            class(onsets, steps, self.per_quarter) + if others { 0 } else { CLASSES }
        };
        bars(self.spots).map(of).collect()
    }
}

/// What the bars of a corpus are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bars {
    /// By how busy the bar before is ([`CLASSES`] where there is none) and how busy what is given, how many bars are of each class.
    busy: Vec<Vec<[u32; CLASSES]>>,
    /// By whether the bar before had the rhythm of the one before it (2 where there is none to compare): other rhythms, and the same.
    again: [[u32; 2]; 3],
}

impl Bars {
    /// None yet.
    pub(super) fn new() -> Bars {
        Bars { busy: vec![vec![[0; CLASSES]; 2 * CLASSES]; CLASSES + 1], again: [[0; 2]; 3] }
    }

    /// Whether a file's can be used.
    pub(super) fn check(&self) -> Result<(), String> {
        let fits = self.busy.len() == CLASSES + 1 && self.busy.iter().all(|row| row.len() == 2 * CLASSES);
        if fits { Ok(()) } else { Err("the counts of bars are damaged".to_owned()) }
    }

    /// Counts a piece: with all that is given, and as one whose drums, or bass, are given alone.
    pub(super) fn add(&mut self, plan: &[BarPlan], around: Around<'_>) {
        for others in [true, false].into_iter().filter(|others| !others || around.has_others()) {
            let mut before: Option<&BarPlan> = None;
            for (bar, given) in plan.iter().zip(around.busy(others)) {
                self.busy[before.map_or(CLASSES, |before| before.busy)][given][bar.busy] += 1;
                before = Some(bar);
            }
        }
        let mut before: Option<&BarPlan> = None;
        for bar in plan {
            if let Some(again) = bar.again {
                self.again[before.and_then(|before| before.again).map_or(2, usize::from)][usize::from(again)] += 1;
            }
            before = Some(bar);
        }
    }

    /// Draws the bars of a piece after those that are there already.
    pub(super) fn draw(&self, there: &[BarPlan], around: Around<'_>, rng: &mut Rng) -> Vec<BarPlan> {
        let mut plan = there.to_vec();
        let lengths: Vec<usize> = bars(around.spots).map(|bar| bar.len()).collect();
        for (k, given) in around.busy(around.has_others()).into_iter().enumerate().skip(there.len()) {
            let before = k.checked_sub(1).map(|k| plan[k]);
            let comparable = before.filter(|before| before.busy > 0 && lengths[k - 1] == lengths[k]);
            let again = comparable.and_then(|before| {
                let [other, same] = self.again[before.again.map_or(2, usize::from)].map(f64::from);
                (other + same > 0.0).then(|| uniform_f64(rng) < same / (other + same))
            });
            let busy = match (again, before) {
                (Some(true), Some(before)) => before.busy,
                _ => self.busy_after(before.map_or(CLASSES, |before| before.busy), given, rng),
            };
            plan.push(BarPlan { busy, again: again.or_else(|| (busy > 0 && k > 0).then_some(false)) });
        }
        plan
    }

    /// How many onsets pieces of the corpus have to as much that is given.
    pub(super) fn expected(&self, around: Around<'_>) -> f64 {
        let mean = |given: usize| {
            let counts = sum(self.busy.iter().map(|rows| &rows[given]));
            let all: f64 = counts.iter().sum();
            if all > 0.0 { counts.iter().zip(USUAL).map(|(count, rate)| count * rate).sum::<f64>() / all } else { 0.0 }
        };
        let of = |(bar, given): (std::ops::Range<usize>, usize)| {
            bar.len() as f64 / f64::from(around.per_quarter) * mean(given)
        };
        bars(around.spots).zip(around.busy(around.has_others())).map(of).sum()
    }

    fn busy_after(&self, before: usize, given: usize, rng: &mut Rng) -> usize {
        let (here, wide) = (self.busy[before][given], sum(self.busy.iter().map(|rows| &rows[given])));
        // What is given was never so busy: any bar.
        let is_known = wide.iter().sum::<f64>() > 0.0;
        let wide = if is_known { wide } else { sum(self.busy.iter().flatten()) };
        let all: f64 = wide.iter().sum::<f64>().max(1.0);
        let weights: [f32; CLASSES] = std::array::from_fn(|k| (f64::from(here[k]) + BACKOFF * wide[k] / all) as f32);
        categorical(rng, &weights).unwrap_or(0)
    }
}

/// How many bars of each class there are in several counts.
fn sum<'c>(counts: impl Iterator<Item = &'c [u32; CLASSES]>) -> [f64; CLASSES] {
    let mut sum = [0.0; CLASSES];
    counts.for_each(|counts| sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += f64::from(*count)));
    sum
}

#[cfg(test)]
mod tests {
    use super::super::step::spots;
    use super::*;
    use cantus_model::seeded;

    #[test]
    fn bars_are_told_apart_and_drawn_as_they_were() {
        // Bars of 8 steps, two to a quarter: two onsets, the same, the same number elsewhere, silence, silence, eight.
        let rhythms: [u8; 6] = [0b0001_0001, 0b0001_0001, 0b0010_0001, 0, 0, 0xff];
        let frames: Vec<u128> = rhythms.iter().flat_map(|bar| (0..8).map(move |k| u128::from(bar >> k & 1))).collect();
        let spots = spots(&[0, 8, 16, 24, 32, 40], 48);
        let plan = plan_of(&frames, &spots, 2);
        let found: Vec<(usize, Option<bool>)> = plan.iter().map(|bar| (bar.busy, bar.again)).collect();
        let other = Some(false);
        assert_eq!(found, [(1, None), (1, Some(true)), (1, other), (0, other), (0, None), (3, other)]);
        let given: Vec<Given> = frames.iter().map(|frame| Given { drums: *frame as u16, ..Given::default() }).collect();
        let mut bars = Bars::new();
        bars.check().unwrap();
        // A corpus in which bars are as busy as what is given, and never have the same rhythm twice.
        let never: Vec<BarPlan> = plan.iter().map(|bar| BarPlan { again: bar.again.map(|_| false), ..*bar }).collect();
        let around = |given| Around { writes: Joined::Bass, given, spots: &spots, per_quarter: 2 };
        bars.add(&never, around(&given));
        for seed in 0..20 {
            let drawn = bars.draw(&[], around(&given), &mut seeded(seed));
            assert_eq!(drawn.iter().map(|bar| bar.busy).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 3]);
            assert!(drawn.iter().all(|bar| bar.again != Some(true)));
            let gone_on = bars.draw(&plan[..2], around(&given), &mut seeded(seed));
            assert_eq!((gone_on.len(), &gone_on[..2]), (6, &plan[..2]));
        }
        let nothing = vec![Given::default(); 48];
        assert_eq!(
            [bars.expected(around(&given)), bars.expected(around(&nothing))],
            [3.0 * 0.35 * 4.0 + 1.6 * 4.0, 0.0]
        );
        // What was never given has any of the corpus's bars; an empty corpus plans silence.
        let dense = vec![Given { drums: 1, ..Given::default() }; 48];
        let drawn = bars.draw(&[], around(&dense), &mut seeded(1));
        assert!(drawn.iter().all(|bar| [0, 1, 3].contains(&bar.busy)), "{drawn:?}");
        // Where instruments are given, too, drums alone are known from the same pieces, and what is written is never among what is given.
        let among = |given: &Given| Given { begun: 1, bass: u128::from(given.drums), ..*given };
        let with_others: Vec<Given> = given.iter().map(among).collect();
        let mut both = Bars::new();
        both.add(&never, around(&with_others));
        assert_eq!(both.expected(around(&given)), bars.expected(around(&given)));
        let bass: Vec<Given> = with_others.iter().map(|given| Given { bass: given.bass, ..Given::default() }).collect();
        assert_eq!(both.expected(around(&bass)), 0.0);
    }
}
