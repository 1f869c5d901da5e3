//! A variation that stays itself.

use super::{Aspect, Coded, Latent, Sketch, melody_only};
use crate::{ComposeError, Composition, Progress, Rng, Sampling};
use cantus_encoding::melody_steps::{HOLD, MelodySteps};
use cantus_nn::random::normal;
use cantus_score::{Note, Part, Score, Ticks, Velocity, melody_line_within, melody_of};
use std::collections::BTreeMap;
use std::ops::{Bound, Range, RangeInclusive};

/// How far a variation goes unless told otherwise.
pub const AMOUNT: f64 = 0.3;
/// How notes of a variation are drawn unless told otherwise.
pub const SAMPLING: Sampling = Sampling { temperature: 0.7, top_k: 0, top_p: 0.95 };

/// Of so many the best is taken, where something is asked for.
const DRAWN: usize = 24;
/// The share of steps that it keeps at the least.
const KEPT: f64 = 0.5;
/// What moves of an aspect that nobody asked for counts so much against what does.
const OTHERS: f64 = 0.5;
/// Where more notes are asked for, that nothing begins is less likely by so many nats.
const NOTES: f64 = 0.7;
/// Moving further than so many usual steps is not better.
const ENOUGH: f64 = 4.0;

/// What a variation is to be like.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// How far it goes: 0 is the piece itself, 1 shares nothing with it but its bars.
    pub amount: f64,
    /// The bars that are varied, by the numbers that they have on paper; all of them where there are none.
    pub again: Vec<RangeInclusive<usize>>,
    /// What it is to have more of.
    pub more: Vec<Aspect>,
    /// What it is to have less of.
    pub less: Vec<Aspect>,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish { amount: AMOUNT, again: Vec::new(), more: Vec::new(), less: Vec::new() }
    }
}

impl Wish {
    /// What is asked for: 1 for more, -1 for less, 0 where nothing is.
    fn sign(&self, aspect: Aspect) -> f64 {
        let has = |list: &[Aspect]| f64::from(u8::from(list.contains(&aspect)));
        has(&self.more) - has(&self.less)
    }

    fn has_aspects(&self) -> bool {
        Aspect::ALL.iter().any(|aspect| self.sign(*aspect) != 0.0)
    }
}

/// A variation for each generator. Codes move away from the piece's by `2 amount` deviations of the standard Gaussian, and what the
/// piece has at a step is likelier by `ln((1 - amount) / amount)` nats: nearer to 0 that is all.
///
/// # Errors
/// [`ComposeError`]: an amount that is none, bars that are not there, a piece without a melody; what [`Latent::decode`] may say.
pub fn vary(
    latent: &dyn Latent,
    piece: &Score,
    wish: &Wish,
    sampling: &Sampling,
    rngs: &mut [Rng],
    progress: Progress<'_>,
) -> Result<Vec<Composition>, ComposeError> {
    sampling.check()?;
    if !(0.0..=1.0).contains(&wish.amount) {
        return Err(ComposeError::Amount { amount: wish.amount });
    }
    let bars = touched(piece, &wish.again)?;
    let coded = super::coded(latent, piece)?;
    if wish.amount == 0.0 {
        return Ok(rngs.iter().map(|_| Composition::new(piece.clone(), Vec::new())).collect());
    }
    let tune = Tune::new(latent, &coded, piece, &bars);
    let each = if wish.has_aspects() { DRAWN } else { 1 };
    let mut drawn: Vec<Rng> = rngs.iter_mut().flat_map(|rng| super::split(rng, each)).collect();
    let sketches: Vec<Sketch> = drawn.iter_mut().map(|rng| tune.sketch(wish, rng)).collect();
    let found = latent.decode(&sketches, sampling, &mut drawn, progress)?;
    let mut written = Vec::with_capacity(rngs.len());
    for some in found.chunks(each) {
        let melodies: Vec<MelodySteps> =
            some.iter().map(|steps| MelodySteps { steps: steps.clone(), ..coded.melody.clone() }).collect();
        let best = tune.best(&melodies, wish);
        let Some(melody) = melodies.get(best) else { continue };
        let remarks = melody_only(piece).into_iter().collect();
        written.push(Composition::new(tune.score(melody), remarks));
    }
    Ok(written)
}

/// For each bar of a piece, whether it is varied.
fn touched(piece: &Score, again: &[RangeInclusive<usize>]) -> Result<Vec<bool>, ComposeError> {
    let (first, last) = (piece.first_bar(), piece.last_bar());
    let is_beyond =
        |range: &&RangeInclusive<usize>| *range.start() < first || range.end() < range.start() || *range.end() > last;
    if let Some(range) = again.iter().find(is_beyond) {
        return Err(ComposeError::AgainBars { first: *range.start(), last: *range.end(), bars: last });
    }
    let is_touched = |number: usize| again.is_empty() || again.iter().any(|range| range.contains(&number));
    Ok(piece.numbered_bars().map(|(number, _)| is_touched(number)).collect())
}

/// A piece that is varied.
struct Tune<'p> {
    latent: &'p dyn Latent,
    coded: &'p Coded,
    piece: &'p Score,
    /// For each step, whether it is varied.
    touched: Vec<bool>,
    /// From the first of these to the last.
    span: Range<usize>,
    /// The piece's notes as they are written, by the step of the grid that each falls on: several may fall on one.
    notes: BTreeMap<Ticks, Vec<Note>>,
}

impl<'p> Tune<'p> {
    fn new(latent: &'p dyn Latent, coded: &'p Coded, piece: &'p Score, bars: &[bool]) -> Tune<'p> {
        let of_bar = |(k, bar): (usize, &cantus_encoding::note_chord::BarKind)| {
            vec![bars.get(k).copied().unwrap_or(false); usize::from(bar.steps)]
        };
        let touched: Vec<bool> = coded.melody.bars.iter().enumerate().flat_map(of_bar).collect();
        let start = touched.iter().position(|is| *is).unwrap_or(0);
        let end = touched.iter().rposition(|is| *is).map_or(0, |last| last + 1);
        let grid = latent.grid();
        let mut notes: BTreeMap<Ticks, Vec<Note>> = BTreeMap::new();
        for note in melody_line_within(piece, grid) {
            notes.entry(note.onset.rescale(piece.ticks_per_quarter, grid)).or_default().push(note);
        }
        Tune { latent, coded, piece, touched, span: start..end.max(start), notes }
    }

    fn sketch(&self, wish: &Wish, rng: &mut Rng) -> Sketch {
        let melody = &self.coded.melody;
        let code = |(section, code): (&Range<usize>, &super::Code)| -> Vec<f32> {
            // Numbers are drawn for every section, so that what is varied does not depend on where.
            let noise: Vec<f32> = code.mean.iter().map(|_| normal(rng)).collect();
            let moves = self.touched[section.clone()].contains(&true);
            let by = if moves { 2.0 * wish.amount as f32 } else { 0.0 };
            code.mean.iter().zip(noise).map(|(mean, noise)| mean + by * noise).collect()
        };
        let codes = self.coded.sections.iter().zip(&self.coded.codes).map(code).collect();
        // Of many that wander the best is taken: what leans back to the tune has nothing to choose from.
        let pull = if wish.has_aspects() { 0.0 } else { ((1.0 - wish.amount) / wish.amount).ln().clamp(0.0, 30.0) };
        let pull = pull as f32;
        let busier = (NOTES * wish.sign(Aspect::Notes)) as f32;
        Sketch {
            bars: melody.bars.clone(),
            upbeat: melody.upbeat,
            codes,
            given: melody.steps.iter().zip(&self.touched).map(|(step, is)| (!is).then_some(*step)).collect(),
            leaning: melody.steps.iter().map(|step| [(*step, pull), (HOLD, -busier)]).collect(),
            ..Sketch::default()
        }
    }

    /// Which of several is the best: of those that keep half of the steps the one that moves as asked, and else as little as can be.
    fn best(&self, melodies: &[MelodySteps], wish: &Wish) -> usize {
        if melodies.len() < 2 {
            return 0;
        }
        let own = Aspect::ALL.map(|aspect| aspect.of(&self.coded.melody, &self.span));
        let worth = |melody: &MelodySteps| {
            let mut as_asked = true;
            let moves = Aspect::ALL.into_iter().zip(own).map(|(aspect, own)| {
                let moved = (aspect.of(melody, &self.span) - own) / aspect.usual();
                match wish.sign(aspect) {
                    0.0 => -OTHERS * moved.abs(),
                    sign => {
                        as_asked &= sign * moved > 0.0;
                        (sign * moved).min(ENOUGH)
                    }
                }
            });
            let worth: f64 = moves.sum();
            // What moves as asked at all comes before what does not.
            let worth = if as_asked { worth } else { worth - 1e3 };
            // Those that keep too little come after all others, those that keep more first.
            let kept = self.kept(melody);
            if kept < KEPT { kept - 1e6 } else { worth }
        };
        let worths: Vec<f64> = melodies.iter().map(worth).collect();
        (0..worths.len()).max_by(|a, b| worths[*a].total_cmp(&worths[*b]).then(b.cmp(a))).unwrap_or(0)
    }

    /// The share of steps that are as in the piece, of those that may be varied.
    fn kept(&self, melody: &MelodySteps) -> f64 {
        let steps = melody.steps.iter().zip(&self.coded.melody.steps).zip(&self.touched).filter(|(_, is)| **is);
        let (mut all, mut same) = (0usize, 0usize);
        for ((found, own), _) in steps {
            all += 1;
            same += usize::from(found == own);
        }
        if all == 0 { 1.0 } else { same as f64 / all as f64 }
    }

    /// As music: what is as it was is as it was in the piece, to the tick, with all that is finer than the grid.
    fn score(&self, melody: &MelodySteps) -> Score {
        let grid = self.latent.grid();
        let (from, fine) = (self.piece.ticks_per_quarter, self.piece.ticks_per_quarter.common(grid));
        let mut score = self.piece.rescaled(fine);
        let own: BTreeMap<Ticks, Note> = self.coded.melody.notes().into_iter().map(|note| (note.onset, note)).collect();
        let exact = |note: &Note| {
            let (onset, end) = (note.onset.rescale(from, fine), note.end().rescale(from, fine));
            Note { onset, duration: (end - onset).max(Ticks(1)), ..*note }
        };
        let mut notes: Vec<Note> = Vec::new();
        for note in melody.notes() {
            let same = own.get(&note.onset).filter(|own| own.pitch == note.pitch);
            let until = own.range((Bound::Excluded(note.onset), Bound::Unbounded)).next().map(|(next, _)| *next);
            // What stands in the piece in the place of this note: itself, and what the grid had no room for.
            let within = (Bound::Included(note.onset), until.map_or(Bound::Unbounded, Bound::Excluded));
            let mut written = self.notes.range(within).flat_map(|(_, notes)| notes).map(exact);
            match same {
                Some(own) if own.duration == note.duration => notes.extend(written),
                same => {
                    let pitch = note.pitch.transposed(self.coded.over).unwrap_or(note.pitch);
                    let end = note.end().rescale(grid, fine);
                    // Before what is varied a note may last longer or less.
                    let first = written.next().filter(|first| same.is_some() && first.pitch == pitch);
                    let onset = first.map_or(note.onset.rescale(grid, fine), |first| first.onset);
                    let velocity = first.map_or_else(|| self.velocity(note.onset), |first| first.velocity);
                    notes.push(Note { onset, pitch, duration: end.max(onset + Ticks(1)) - onset, velocity });
                }
            }
        }
        notes.sort_unstable();
        // One line: each note ends where the next begins.
        for k in 1..notes.len() {
            let next = notes[k].onset;
            notes[k - 1].duration = notes[k - 1].duration.min(next - notes[k - 1].onset);
        }
        notes.retain(|note| note.duration > Ticks::ZERO);
        let pitched = self.piece.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        let of =
            melody_of(pitched).first().map(|part| (part.name.clone(), part.port, part.channel, part.programs.clone()));
        let (name, port, channel, programs) = of.unwrap_or_default();
        let programs =
            programs.into_iter().map(|(at, program)| (at.rescale(self.piece.ticks_per_quarter, fine), program));
        score.parts = vec![Part { name, port, channel, programs: programs.collect(), notes, ..Part::default() }];
        // Where something is new, what was printed once is so no longer.
        score.repeats.clear();
        score.title = score.title.map(|title| format!("{title}, varied"));
        score
    }

    /// As loud as the note of the piece that sounds then, or the last one before.
    fn velocity(&self, at: Ticks) -> Velocity {
        let last = self.notes.range(..=at).next_back().and_then(|(_, notes)| notes.last());
        last.map_or(Velocity::DEFAULT, |note| note.velocity)
    }
}
