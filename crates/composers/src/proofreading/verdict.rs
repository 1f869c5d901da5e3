//! What a proofreader thinks of a sheet: of each tone, of each bar, and of the whole.

use super::clues::clues_of;
use super::network::{Answers, Network, QUESTIONS, Question, probability, softplus};
use super::sheet::{Sheet, TORN, Tone};
use rayon::prelude::*;
use std::ops::Range;

/// The share of tones for which answers are probabilities; see [`Ear::leaning`].
const PRIOR: f32 = 0.05;
/// Of a note in a sound piece it is believed that one in so many is wrong, all the same.
const LEAST_SHARE: f32 = 0.01;
/// Steps of expectation and maximisation by which the share of a piece is found.
const TURNS: usize = 30;
/// Fewer tones are no music.
const FEW: f32 = 12.0;

/// How log-odds become those of a probability: `scale * x + offset` (J. Platt 1999).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leaning {
    pub scale: f32,
    pub offset: f32,
}

impl Leaning {
    /// The line under which these answers are likeliest, by Newton's method; then moved to where a share of `prior` is answered with yes, if it is another than in
    /// the pairs.
    pub(super) fn fit(pairs: &[(f32, f32)], prior: Option<f64>) -> Leaning {
        let (mut scale, mut offset) = (1.0f64, 0.0f64);
        for _ in 0..25 {
            let mut slope = [1e-3 * (scale - 1.0), 1e-3 * offset];
            let mut curve = [1e-3, 0.0, 1e-3];
            for (x, answer) in pairs {
                let x = f64::from(*x);
                let p = 1.0 / (1.0 + (-(scale * x + offset)).exp());
                let (error, spread) = (p - f64::from(*answer), (p * (1.0 - p)).max(1e-9));
                slope[0] += error * x;
                slope[1] += error;
                curve[0] += spread * x * x;
                curve[1] += spread * x;
                curve[2] += spread;
            }
            let determinant = curve[0] * curve[2] - curve[1] * curve[1];
            if determinant.abs() < 1e-12 {
                break;
            }
            let by = [
                (curve[2] * slope[0] - curve[1] * slope[1]) / determinant,
                (curve[0] * slope[1] - curve[1] * slope[0]) / determinant,
            ];
            scale = (scale - by[0].clamp(-1.0, 1.0)).clamp(0.05, 50.0);
            offset = (offset - by[1].clamp(-2.0, 2.0)).clamp(-100.0, 100.0);
        }
        let yes = pairs.iter().filter(|(_, answer)| *answer > 0.5).count() as f64 / pairs.len().max(1) as f64;
        if let Some(prior) = prior.filter(|_| yes > 0.0 && yes < 1.0) {
            offset += (prior / (1.0 - prior)).ln() - (yes / (1.0 - yes)).ln();
        }
        Leaning { scale: scale as f32, offset: offset as f32 }
    }
}

/// A network, and how its answers are meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ear {
    pub network: Network,
    /// Question by question.
    pub leaning: [Leaning; QUESTIONS],
}

impl Ear {
    pub(super) fn new(network: Network) -> Ear {
        Ear { network, leaning: [Leaning { scale: 1.0, offset: 0.0 }; QUESTIONS] }
    }

    /// What the network says of each tone.
    pub(super) fn raw(&self, sheet: &Sheet) -> Vec<Answers> {
        let hear = |tones: &[Tone]| -> Vec<Answers> {
            let mut clues = Vec::new();
            let answer = |tone: &Tone| {
                clues_of(sheet, *tone, None, &mut clues);
                self.network.answer(&clues)
            };
            tones.iter().map(answer).collect()
        };
        sheet.tones.par_chunks(64).flat_map_iter(hear).collect()
    }

    pub(super) fn lean(&self, answers: Answers) -> Answers {
        let mut leant = answers;
        leant.iter_mut().zip(self.leaning).for_each(|(x, leaning)| *x = leaning.scale * *x + leaning.offset);
        leant
    }

    /// Log-odds of yes for each tone, were one tone in twenty broken.
    pub(super) fn log_odds(&self, sheet: &Sheet) -> Vec<Answers> {
        self.raw(sheet).into_iter().map(|answers| self.lean(answers)).collect()
    }

    /// The answers for a tone that is there, or for one that is not, in the place of `without`.
    pub(super) fn hear(&self, sheet: &Sheet, tone: Tone, without: Option<Tone>) -> Answers {
        let mut clues = Vec::new();
        clues_of(sheet, tone, without, &mut clues);
        self.lean(self.network.answer(&clues))
    }
}

impl Ear {
    /// The mean of what the network says to a question, over the tones that can know: of what is torn those beside bar lines.
    pub(super) fn mean(&self, sheet: &Sheet, raw: &[Answers], question: Question) -> f32 {
        self.mean_of(sheet, raw, question, 0..raw.len()).unwrap_or(0.0)
    }

    fn mean_of(&self, sheet: &Sheet, raw: &[Answers], question: Question, tones: Range<usize>) -> Option<f32> {
        let is_beside_line = |tone: &Tone| {
            let (start, width) = sheet.bar_at(sheet.bar(tone.at));
            (start > 0 && tone.at - start < TORN)
                || (start + width < sheet.steps() && tone.end() > start + width - TORN)
        };
        let (mut sum, mut count) = (0.0, 0.0);
        for (tone, raw) in sheet.tones[tones.clone()].iter().zip(&raw[tones]) {
            if question != Question::Torn || is_beside_line(tone) {
                sum += raw[question as usize];
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// The probability that a bar, given by its tones, does not belong beside its neighbours.
    pub(super) fn torn(&self, sheet: &Sheet, raw: &[Answers], tones: Range<usize>) -> f32 {
        let Leaning { scale, offset } = self.leaning[Question::Torn as usize];
        self.mean_of(sheet, raw, Question::Torn, tones).map_or(0.0, |mean| probability(scale * mean + offset))
    }

    /// The log-odds that a sheet has its bars in disorder, or is no music.
    fn whole_odds(&self, sheet: &Sheet, raw: &[Answers], question: Question) -> f32 {
        let Leaning { scale, offset } = self.leaning[question as usize];
        scale * self.mean(sheet, raw, question) + offset
    }

    /// The probability that a sheet has its bars in disorder.
    pub(super) fn disorder(&self, sheet: &Sheet, raw: &[Answers]) -> f32 {
        probability(self.whole_odds(sheet, raw, Question::Torn))
    }

    /// How sound a sheet is, 0-1: that no tone is wrong, none is missing, and it is music at all.
    pub(super) fn soundness(&self, sheet: &Sheet, raw: &[Answers]) -> f32 {
        self.log_soundness(sheet, raw).exp()
    }

    /// Its logarithm, which still tells heaps from worse heaps where the soundness of both is nothing.
    pub(super) fn log_soundness(&self, sheet: &Sheet, raw: &[Answers]) -> f32 {
        if raw.is_empty() {
            return f32::NEG_INFINITY;
        }
        let odds = || raw.iter().map(|raw| self.lean(*raw));
        let broken = share(odds().map(|odds| odds[Question::Wrong as usize]));
        let missing = odds().map(|odds| probability(odds[Question::Missing as usize])).sum::<f32>() / raw.len() as f32;
        let enough = (raw.len() as f32 / FEW).min(1.0);
        // ln(1 - p) of log-odds x is -softplus(x).
        ((1.0 - broken) * (1.0 - 0.5 * missing) * enough).ln() - softplus(self.whole_odds(sheet, raw, Question::MadeUp))
    }
}

/// The share of tones that are wrong, given each one's log-odds under a prior of [`PRIOR`]: the prior under which the piece is likeliest (M. Saerens, P. Latinne
/// and C. Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14, 2002, equation 2.5), held at
/// [`PRIOR`] as by a few tones.
pub(super) fn share(odds: impl Iterator<Item = f32>) -> f32 {
    let known = (PRIOR / (1.0 - PRIOR)).ln();
    let likelihoods: Vec<f32> = odds.map(|odds| odds - known).collect();
    let mut share = PRIOR;
    for _ in 0..TURNS {
        let prior = (share / (1.0 - share)).ln();
        let sum: f32 = likelihoods.iter().map(|likelihood| probability(likelihood + prior)).sum();
        share = (sum / likelihoods.len().max(1) as f32).clamp(1e-4, 1.0 - 1e-4);
    }
    share
}

/// What log-odds become where another share is broken than that for which answers are meant, by adding it.
pub(super) fn prior_shift(broken: f32) -> f32 {
    let odds = |share: f32| (share / (1.0 - share)).ln();
    odds(broken.clamp(LEAST_SHARE, 0.9)) - odds(PRIOR)
}

/// How broken a bar is: what it costs to say of all of its tones that they are as they should be, nats.
pub(super) fn doubt<'a>(odds: impl Iterator<Item = &'a Answers>) -> f32 {
    odds.map(|odds| softplus(odds[Question::Wrong as usize]) + 0.3 * softplus(odds[Question::Missing as usize])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::{normal, seeded, uniform};

    #[test]
    fn a_piece_has_the_share_that_was_drawn() {
        let rng = &mut seeded(1);
        let known = (PRIOR / (1.0 - PRIOR)).ln();
        for share_of in [0.0, 0.05, 0.3, 0.9] {
            // Two normal distributions, two apart: log-likelihood ratios are exact.
            let odds: Vec<f32> = (0..4000)
                .map(|_| {
                    let is_wrong = uniform(rng) < share_of;
                    let x = normal(rng) + if is_wrong { 2.0 } else { 0.0 };
                    2.0 * x - 2.0 + known
                })
                .collect();
            let found = share(odds.into_iter());
            assert!((found - share_of).abs() < 0.03, "{found} of {share_of}");
        }
    }

    #[test]
    fn answers_are_fitted_to_what_was_right() {
        let rng = &mut seeded(2);
        let pairs: Vec<(f32, f32)> = (0..20_000)
            .map(|_| {
                let x = 2.0 * normal(rng);
                (x, f32::from(u8::from(uniform(rng) < probability(0.7 * x - 1.5))))
            })
            .collect();
        let Leaning { scale, offset } = Leaning::fit(&pairs, None);
        assert!((scale - 0.7).abs() < 0.05 && (offset + 1.5).abs() < 0.07, "{scale} {offset}");
        let moved = Leaning::fit(&pairs, Some(0.5));
        assert!(moved.scale == scale && moved.offset > offset);
    }
}
