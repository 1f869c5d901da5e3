//! A machine listener: it learns from excerpts which set they come from, and is then asked of pieces that it has not heard. Where it
//! is right no more often than a coin, the sets are alike in all that it hears.
//!
//! Source: D. Lopez-Paz and M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, arXiv:1610.06545v4. The classifier is a
//! logistic regression on the statistics of an excerpt and on how often each turn of its melody, bass, harmony and rhythm occurs
//! in it, whatever its key.

mod features;
mod reference;
mod verdict;

use crate::mean::mean;
use crate::mixing::mix;
use cantus_score::{Bar, Note, Part, Score, Ticks};
use features::Features;
use rayon::prelude::*;
pub use reference::Reference;
use serde::Serialize;
use verdict::Verdict;

/// How long an excerpt is, where pieces are long enough.
const SECONDS: f64 = 30.0;
/// Otherwise as long as this share of each set's pieces are.
const LONG_ENOUGH: f64 = 0.75;
/// Shorter excerpts say nothing, in quarters.
const LEAST_QUARTERS: u64 = 8;
/// Of a longer piece so many excerpts at most, one after another.
const MOST_EXCERPTS: usize = 4;
/// Of a larger set so many pieces, evenly spread.
const MOST_PIECES: usize = 300;
/// Smaller sets teach nothing.
const LEAST_PIECES: usize = 10;
/// The pieces are dealt into so many hands; of each hand's pieces it is asked after it has heard the others.
const FOLDS: usize = 5;
/// How much weights are held down; which suits, it finds out on pieces of the hands that it may hear.
const PENALTIES: [f64; 4] = [1e-4, 1e-3, 1e-2, 1e-1];

/// How well a listener tells two sets from one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listener {
    /// Quarters of each excerpt: 30 seconds at the usual tempo of the first set, or fewer, so that three in four pieces of either set have
    /// one. All are of one length, or it would give them away.
    pub quarters: u64,
    /// Pieces of each set.
    pub pieces: [usize; 2],
    /// Excerpts of each set.
    pub excerpts: [usize; 2],
    /// The share of excerpts of pieces not heard before that it was right about, 0-1; both sets count alike. 0.5 is chance.
    pub right: f64,
    /// Its standard error, pieces taken for independent of one another.
    pub error: f64,
}

/// An excerpt as the listener hears it.
struct Heard {
    is_second: bool,
    /// Which piece of its set it is of.
    piece: usize,
    /// Which hand its piece was dealt to.
    fold: usize,
    features: Features,
}

impl Listener {
    /// Lets a listener learn to tell `second` from `first`; scores are quantised, on the same grid. `None` where either has too few pieces
    /// that are long enough.
    ///
    /// Of the pieces of either set it hears the same places: a beginning is unlike what follows it, so that excerpts of pieces that are cut
    /// short would be told from those of whole ones by that alone.
    pub fn of(first: &[&Score], second: &[&Score]) -> Option<Listener> {
        let quarters = usual_quarters(first)?.min(common_quarters(first)?).min(common_quarters(second)?);
        if quarters < LEAST_QUARTERS {
            return None;
        }
        let most = usual_excerpts(first, quarters).min(usual_excerpts(second, quarters));
        let sets = [first, second].map(spread_evenly);
        let heard = [false, true].map(|is_second| hear(&sets[usize::from(is_second)], is_second, quarters, most));
        let pieces = [0, 1].map(|set: usize| count_pieces(&heard[set]));
        if pieces.iter().any(|count| *count < LEAST_PIECES) {
            return None;
        }
        let excerpts = [0, 1].map(|set: usize| heard[set].len());
        let heard: Vec<Heard> = heard.into_iter().flatten().collect();
        let answers: Vec<(f64, bool)> = (0..FOLDS).into_par_iter().flat_map_iter(|fold| ask(&heard, fold)).collect();
        let right = balanced(&answers)?;
        let error = (right * (1.0 - right) / pieces.iter().sum::<usize>() as f64).sqrt();
        Some(Listener { quarters, pieces, excerpts, right, error })
    }
}

/// What it is, and what came of it.
impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Listener { quarters, pieces, excerpts, right, error } = self;
        write!(
            f,
            "a machine listener tells the pieces from real ones {:.0}% ± {:.0}% of the time (50% is chance; {} excerpts of {quarters} \
             quarters, of {} real pieces and {} of these, asked of pieces that it had not heard)",
            100.0 * right,
            100.0 * error,
            excerpts[0] + excerpts[1],
            pieces[0],
            pieces[1],
        )
    }
}

/// The excerpts of a set, piece by piece.
fn hear(set: &[&Score], is_second: bool, quarters: u64, most: usize) -> Vec<Heard> {
    let of_piece = |(piece, score): (usize, &&Score)| -> Vec<Heard> {
        let heard = |excerpt: Score| Heard::of(is_second, piece, Features::of(&excerpt));
        excerpts(score, quarters, most).into_iter().map(heard).collect()
    };
    set.par_iter().enumerate().flat_map_iter(of_piece).collect()
}

/// How many pieces of a set were heard.
fn count_pieces(heard: &[Heard]) -> usize {
    heard.chunk_by(|a, b| a.piece == b.piece).count()
}

impl Heard {
    /// Of a piece of either set, which is dealt to a hand.
    fn of(is_second: bool, piece: usize, features: Features) -> Heard {
        let fold = (mix(piece as u64, u64::from(is_second)) % FOLDS as u64) as usize;
        Heard { is_second, piece, fold, features }
    }
}

/// What it says of the pieces of one hand after it has heard the others: (the log-odds that it is of the second set, whether it is).
fn ask(heard: &[Heard], fold: usize) -> Vec<(f64, bool)> {
    // The hand after it is for choosing the penalty.
    let trial = (fold + 1) % FOLDS;
    let answers = |learnt: &[&Heard], asked: &[&Heard], penalty: f64| -> Vec<(f64, bool)> {
        let examples: Vec<(&Features, bool)> = learnt.iter().map(|heard| (&heard.features, heard.is_second)).collect();
        let verdict = Verdict::learn(&examples, penalty);
        asked.iter().map(|heard| (verdict.second(&heard.features), heard.is_second)).collect()
    };
    let of = |keep: &dyn Fn(usize) -> bool| heard.iter().filter(|heard| keep(heard.fold)).collect::<Vec<&Heard>>();
    let (learnt, tried) = (of(&|of| of != fold && of != trial), of(&|of| of == trial));
    let score = |penalty: &f64| balanced(&answers(&learnt, &tried, *penalty)).unwrap_or(0.5);
    // Of equals the one that holds weights down most.
    let best = PENALTIES.iter().max_by(|a, b| score(a).total_cmp(&score(b)).then(a.total_cmp(b)));
    answers(&of(&|of| of != fold), &of(&|of| of == fold), best.copied().unwrap_or(PENALTIES[0]))
}

/// The share of right answers, both kinds counting alike; `None` where there are not both.
fn balanced(answers: &[(f64, bool)]) -> Option<f64> {
    let right = |kind: bool| {
        let of_kind = answers.iter().filter(|(_, is_second)| *is_second == kind);
        mean(of_kind.map(|(odds, is)| if (*odds > 0.0) == *is { 1.0 } else { 0.0 }))
    };
    Some((right(false)? + right(true)?) / 2.0)
}

fn spread_evenly<'a>(set: &[&'a Score]) -> Vec<&'a Score> {
    let count = set.len().min(MOST_PIECES);
    (0..count).map(|k| set[k * set.len() / count]).collect()
}

/// Quarters in [`SECONDS`] at the middle one of the pieces' mean tempos.
fn usual_quarters(set: &[&Score]) -> Option<u64> {
    let speed = |score: &&Score| {
        let (end, seconds) = (score.end(), score.tempo_map().seconds(score.end()));
        (seconds > 0.0).then(|| end.quarters(score.ticks_per_quarter) / seconds)
    };
    let mut speeds: Vec<f64> = set.iter().filter_map(speed).collect();
    speeds.sort_by(f64::total_cmp);
    let middle = speeds.get(speeds.len() / 2)?;
    Some((SECONDS * middle).round() as u64)
}

/// Quarters that [`LONG_ENOUGH`] of the pieces have.
fn common_quarters(set: &[&Score]) -> Option<u64> {
    let mut lengths: Vec<u64> =
        set.iter().map(|score| score.end().0 / u64::from(score.ticks_per_quarter.get())).collect();
    lengths.sort_unstable();
    lengths.get(((1.0 - LONG_ENOUGH) * lengths.len() as f64) as usize).copied()
}

/// Stretches of so many quarters from the beginning of a bar on, one after another, `most` of them.
fn excerpts(score: &Score, quarters: u64, most: usize) -> Vec<Score> {
    let length = Ticks(quarters * u64::from(score.ticks_per_quarter.get()));
    let (end, mut free) = (score.end(), Ticks::ZERO);
    let begins = score.bars().take_while(|bar| bar.start + length <= end).filter(|bar| {
        let is_next = bar.start >= free;
        free = if is_next { bar.start + length } else { free };
        is_next
    });
    begins.take(most).map(|bar| between(score, &bar, bar.start + length)).collect()
}

/// Excerpts that [`LONG_ENOUGH`] of those pieces have that have any, up to [`MOST_EXCERPTS`].
fn usual_excerpts(set: &[&Score], quarters: u64) -> usize {
    let of = |score: &&Score| (score.end().0 / (quarters * u64::from(score.ticks_per_quarter.get()))) as usize;
    let mut counts: Vec<usize> = set.iter().map(of).filter(|count| *count > 0).collect();
    counts.sort_unstable();
    counts.get(((1.0 - LONG_ENOUGH) * counts.len() as f64) as usize).map_or(1, |count| (*count).min(MOST_EXCERPTS))
}

/// The music from the beginning of `bar` to `stop`, as a piece of its own.
fn between(score: &Score, bar: &Bar, stop: Ticks) -> Score {
    let cut = score.before(stop);
    let from = bar.start;
    let inside = |note: &Note| {
        (note.end() > from).then(|| Note {
            onset: note.onset.max(from) - from,
            duration: note.end() - note.onset.max(from),
            ..*note
        })
    };
    let part = |part: &Part| Part { notes: part.notes.iter().filter_map(inside).collect(), ..part.clone() };
    let later = cut.meters.iter().filter(|(at, _)| *at > from).map(|(at, meter)| (*at - from, *meter));
    let mut excerpt = Score::new(score.ticks_per_quarter);
    excerpt.meters = std::iter::once((Ticks::ZERO, bar.meter)).chain(later).collect();
    excerpt.parts = cut.parts.iter().map(part).collect();
    excerpt
}

#[cfg(test)]
mod tests;
