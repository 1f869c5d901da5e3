//! Drawing a note, choice after choice.

use super::NoteComposer;
use super::pacing::Pacing;
use crate::notes::layout::choice;
use crate::notes::view::{View, all};
use cantus_encoding::note_events::{Event, join, number_of, split, spread_of};
use cantus_model::{ComposeError, Rng, Sampling};
use cantus_nn::cascade::Deciding;
use cantus_nn::random::below;

/// When the next note may begin.
pub(super) struct Limits<'a> {
    /// Not before.
    pub from: u32,
    /// Before.
    pub latest: u32,
    /// Whether the piece may end instead.
    pub may_end: bool,
    /// The piece's end.
    pub end: u32,
    /// How its time is weighed.
    pub pacing: Pacing,
    /// For each instrument its lowest and its highest key.
    pub ranges: &'a [(u8, u8, u8)],
    /// The highest key at a time.
    pub ceiling: &'a dyn Fn(u32) -> u8,
}

impl NoteComposer {
    /// Draws the next note; `None` where the piece is over.
    pub(super) fn draw(
        &self,
        view: &mut View<'_>,
        deciding: &mut Deciding<'_>,
        limits: &Limits<'_>,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Result<Option<Event>, ComposeError> {
        let places = self.vocabulary.clock().places();
        let now = view.now();
        // Quarters: those that begin before the limit; where the piece may end, later ones end it.
        let last = split(now, limits.latest.max(now + 1) - 1, places).0;
        let mut allowed = view.sight.allowed[choice::QUARTERS];
        if !limits.may_end {
            allowed &= all(usize::from(number_of(last)) + 1);
        }
        // Where no further note may come at this moment, or none before a prompt's end.
        let earliest = split(now, limits.from.max(now), places).0;
        allowed &= !all(usize::from(number_of(earliest)));
        view.sight.allowed[choice::QUARTERS] = allowed;
        let (beat, place_before) = (f64::from(self.clock().beat()), f64::from(now % places));
        let class = weigh(deciding, choice::QUARTERS, view, sampling, rng, |class| {
            let (first, width) = spread_of(class as u8);
            // Where places are told apart, the same moment is a matter of these.
            let is_same = first == 0 && places == 1;
            let later = f64::from(first * places) + f64::from((width - 1) * places) / 2.0;
            limits.pacing.weigh((!is_same).then_some(later / beat))
        })?;
        let (first, width) = spread_of(class);
        let mut quarters = (first + if width > 1 { below(rng, width as usize) as u32 } else { 0 }).max(earliest);
        if join(now, quarters, 0, places) >= limits.latest {
            if limits.may_end {
                return Ok(None);
            }
            quarters = last;
        }
        view.quarters(class);
        let onset = if self.layout.is_made(choice::PLACE) {
            let begins = join(now, quarters, 0, places);
            let mut allowed = view.sight.allowed[choice::PLACE];
            let before = |end: u32| all(end.saturating_sub(begins).min(places) as usize);
            if !limits.may_end {
                allowed &= before(limits.latest);
            }
            allowed &= !before(limits.from);
            view.sight.allowed[choice::PLACE] = allowed;
            let place = weigh(deciding, choice::PLACE, view, sampling, rng, |place| {
                let later = if quarters == 0 { place as f64 - place_before } else { place as f64 };
                limits.pacing.weigh((quarters > 0 || later != 0.0).then_some(later / beat))
            })?;
            begins + u32::from(place)
        } else {
            now + quarters
        };
        if onset >= limits.latest && limits.may_end {
            return Ok(None);
        }
        view.onset(onset);
        let instrument = if self.layout.is_made(choice::INSTRUMENT) {
            weigh(deciding, choice::INSTRUMENT, view, sampling, rng, |number| {
                limits.pacing.weigh_instrument(self.is_drums(number as u8))
            })?
        } else {
            0
        };
        view.instrument(instrument);
        let (low, high, _) = limits.ranges[usize::from(instrument)];
        let high = if self.is_drums(instrument) { high } else { high.min((limits.ceiling)(onset)) };
        let heard = all(usize::from(high) + 1) & !all(usize::from(low));
        let within = view.sight.allowed[choice::PITCH] & heard;
        if within != 0 {
            view.sight.allowed[choice::PITCH] = within;
        }
        let key = pick(deciding, choice::PITCH, view, sampling, rng)?;
        view.pitch(key);
        if !self.is_drums(instrument) {
            let class = pick(deciding, choice::LENGTH, view, sampling, rng)?;
            view.end_quarters(class);
            let (first, width) = spread_of(class);
            let quarters = first + if width > 1 { below(rng, width as usize) as u32 } else { 0 };
            let place = if self.layout.is_made(choice::END) {
                u32::from(pick(deciding, choice::END, view, sampling, rng)?)
            } else {
                0
            };
            let end = join(onset, quarters, place, places).clamp(onset + 1, limits.end.max(onset + 1));
            view.length(end - onset);
        }
        let level =
            if self.layout.is_made(choice::LEVEL) { pick(deciding, choice::LEVEL, view, sampling, rng)? } else { 0 };
        Ok(Some(view.level(level)))
    }
}

/// Draws a choice and goes on.
fn pick(
    deciding: &mut Deciding<'_>,
    v: usize,
    view: &View<'_>,
    sampling: &Sampling,
    rng: &mut Rng,
) -> Result<u8, ComposeError> {
    weigh(deciding, v, view, sampling, rng, |_| 0.0)
}

/// The same, where the logarithms of the classes' probabilities become more by some number.
fn weigh(
    deciding: &mut Deciding<'_>,
    v: usize,
    view: &View<'_>,
    sampling: &Sampling,
    rng: &mut Rng,
    more: impl Fn(usize) -> f32,
) -> Result<u8, ComposeError> {
    let probabilities = deciding.probabilities(v, &view.sight, None);
    let logits: Vec<f32> = probabilities.iter().enumerate().map(|(class, p)| p.ln() + more(class)).collect();
    if logits.iter().any(|z| z.is_nan()) {
        return Err(ComposeError::NoToken);
    }
    let class = sampling.draw(&logits, rng).ok_or(ComposeError::NoToken)? as u8;
    deciding.choose(v, &view.sight, class);
    Ok(class)
}
