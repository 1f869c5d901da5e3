//! Drawing a note, choice after choice.

use super::aims::Aims;
use super::pacing::Pacing;
use super::{Memory, NoteComposer};
use crate::notes::layout::choice;
use crate::notes::past::Past;
use crate::notes::view::{View, all};
use cantus_encoding::note_events::{Event, join, number_of, split, spread_of};
use cantus_model::{ComposeError, Rng, Sampling};
use cantus_nn::cascade::{CascadeScorer, Deciding, Sight};
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
    /// The highest key at a time.
    pub ceiling: &'a dyn Fn(u32) -> u8,
    /// How its choices are weighed.
    pub tilts: Tilts<'a>,
}

/// How the choices of the next note are weighed beside what the network says of them.
#[derive(Clone, Copy)]
pub(super) struct Tilts<'a> {
    /// What was written.
    pub past: &'a Past,
    /// How its time is weighed.
    pub pacing: Pacing,
    /// For each instrument its lowest and its highest key.
    pub ranges: &'a [(u8, u8, u8)],
    /// What is asked for note by note.
    pub aims: &'a Aims,
    /// By how much a level of loudness is likelier than the one below it.
    pub louder: f32,
}

impl NoteComposer {
    /// Draws the next note; `None` where the piece is over.
    pub(super) fn draw(
        &self,
        view: &mut View<'_>,
        pen: &mut Pen<'_, '_>,
        limits: &Limits<'_>,
    ) -> Result<Option<Event>, ComposeError> {
        let places = self.vocabulary.clock().places();
        let Tilts { past, pacing, ranges, aims, louder } = limits.tilts;
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
        let class = pen.weigh(choice::QUARTERS, view, |class| {
            let (first, width) = spread_of(class as u8);
            // Where places are told apart, the same moment is a matter of these.
            let is_same = first == 0 && places == 1;
            let later = f64::from(first * places) + f64::from((width - 1) * places) / 2.0;
            pacing.weigh((!is_same).then_some(later / beat))
        })?;
        let (first, width) = spread_of(class);
        let mut quarters = (first + if width > 1 { below(pen.rng, width as usize) as u32 } else { 0 }).max(earliest);
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
            let place = pen.weigh(choice::PLACE, view, |place| {
                let later = if quarters == 0 { place as f64 - place_before } else { place as f64 };
                pacing.weigh((quarters > 0 || later != 0.0).then_some(later / beat))
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
            pen.weigh(choice::INSTRUMENT, view, |number| pacing.weigh_instrument(self.is_drums(number as u8)))?
        } else {
            0
        };
        view.instrument(instrument);
        let (low, high, _) = ranges[usize::from(instrument)];
        let high = if self.is_drums(instrument) { high } else { high.min((limits.ceiling)(onset)) };
        let heard = all(usize::from(high) + 1) & !all(usize::from(low));
        let within = view.sight.allowed[choice::PITCH] & heard;
        if within != 0 {
            view.sight.allowed[choice::PITCH] = within;
        }
        let is_drums = self.is_drums(instrument);
        let harmony = aims.harmony(past, onset, self.clock(), |number| self.is_drums(number));
        let suits = |key: usize| if is_drums { 0.0 } else { harmony.weigh(key) };
        let key = pen.weigh(choice::PITCH, view, suits)?;
        view.pitch(key);
        if !is_drums {
            let class = pen.pick(choice::LENGTH, view)?;
            view.end_quarters(class);
            let (first, width) = spread_of(class);
            let quarters = first + if width > 1 { below(pen.rng, width as usize) as u32 } else { 0 };
            let place = if self.layout.is_made(choice::END) { u32::from(pen.pick(choice::END, view)?) } else { 0 };
            let end = join(onset, quarters, place, places).clamp(onset + 1, limits.end.max(onset + 1));
            view.length(aims.until(key, onset, end) - onset);
        }
        let level = if self.layout.is_made(choice::LEVEL) {
            pen.weigh(choice::LEVEL, view, |level| louder * level as f32)?
        } else {
            0
        };
        Ok(Some(view.level(level)))
    }
}

/// What the network says of one choice after another, where it is told the style, and, where that is to be overdone, where it is not.
///
/// Of each class then `p(class | style)^(1 + strength) / p(class)^strength`: J. Ho and T. Salimans, Classifier-Free Diffusion Guidance, 2022,
/// arXiv:2207.12598v1, equation 6, with probabilities in the place of scores.
#[derive(Clone)]
pub(super) struct Desk<'n> {
    told: Deciding<'n>,
    untold: Option<(Deciding<'n>, f32)>,
}

impl<'n> Desk<'n> {
    /// `strength`: how far the style is to be overdone.
    pub fn new(head: &'n CascadeScorer, strength: Option<f64>) -> Desk<'n> {
        let untold = strength.map(|strength| (head.deciding(), strength as f32));
        Desk { told: head.deciding(), untold }
    }

    /// Begins a note, with what the network holds of the piece, told the style and untold.
    pub fn open(&mut self, told: &Memory, untold: Option<&Memory>) {
        self.told.open(told.features());
        if let (Some((deciding, _)), Some(memory)) = (&mut self.untold, untold) {
            deciding.open(memory.features());
        }
    }

    /// The logarithms of the classes' probabilities.
    pub fn logarithms(&mut self, v: usize, sight: &Sight) -> Vec<f32> {
        let told = self.told.probabilities(v, sight, None);
        match &mut self.untold {
            None => told.iter().map(|p| p.ln()).collect(),
            Some((deciding, strength)) => {
                let plain = deciding.probabilities(v, sight, None);
                let overdone = |(p, plain): (&f32, &f32)| match *p > 0.0 {
                    true => p.ln() + *strength * (p / plain.max(f32::MIN_POSITIVE)).ln(),
                    false => f32::NEG_INFINITY,
                };
                let logits: Vec<f32> = told.iter().zip(plain).map(overdone).collect();
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let all = most + logits.iter().map(|z| (z - most).exp()).sum::<f32>().ln();
                logits.into_iter().map(|z| z - all).collect()
            }
        }
    }

    /// Takes a class and goes on.
    pub fn choose(&mut self, v: usize, sight: &Sight, class: u8) {
        self.told.choose(v, sight, class);
        self.untold.iter_mut().for_each(|(deciding, _)| deciding.choose(v, sight, class));
    }
}

/// Draws choice after choice.
pub(super) struct Pen<'d, 'n> {
    pub desk: &'d mut Desk<'n>,
    pub sampling: Sampling,
    pub rng: &'d mut Rng,
    /// How many nats the choices were worth to the network, however they were drawn.
    pub nats: f64,
}

impl Pen<'_, '_> {
    /// Draws a choice and goes on.
    fn pick(&mut self, v: usize, view: &View<'_>) -> Result<u8, ComposeError> {
        self.weigh(v, view, |_| 0.0)
    }

    /// The same, where the logarithms of the classes' probabilities become more by some number.
    fn weigh(&mut self, v: usize, view: &View<'_>, more: impl Fn(usize) -> f32) -> Result<u8, ComposeError> {
        let logarithms = self.desk.logarithms(v, &view.sight);
        let logits: Vec<f32> = logarithms.iter().enumerate().map(|(class, z)| z + more(class)).collect();
        if logits.iter().any(|z| z.is_nan()) {
            return Err(ComposeError::NoToken);
        }
        let class = self.sampling.draw(&logits, self.rng).ok_or(ComposeError::NoToken)? as u8;
        self.nats -= f64::from(logarithms[usize::from(class)].max(f32::MIN_POSITIVE.ln()));
        self.desk.choose(v, &view.sight, class);
        Ok(class)
    }
}
