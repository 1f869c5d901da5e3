//! How the network is told what is given, what was written, and what is known of a piece.

use super::piece::{Given, Known, Spot};
use super::{Settings, Writes};
use cantus_encoding::rhythm_section::{COLUMNS, KINDS, REST};
use cantus_nn::joint::CLASSES;
use cantus_score::Pitch;

/// Width of what is given at a step.
pub(super) const HEARD: usize = KINDS.len() + CLASSES + 2;
/// Steps since something was written last, in classes.
const SINCE: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 32];
/// Bars are told apart by what is left when so many divide them.
const PERIOD: usize = 4;
/// Bars before the end that are told apart.
const LEFT: usize = 4;
/// Families of instruments, and that it is unknown.
const FAMILIES: usize = 17;
/// A tempo and whether it is known; the tonic, or that it is unknown; the register.
const OTHERS: usize = 2 + CLASSES + 1 + 1;

/// Width of what the network reads beside what is given.
pub(super) const fn width(items: usize, clock: usize) -> usize {
    5 * items + 1 + SINCE.len() + 1 + clock + PERIOD + LEFT + 1 + FAMILIES + OTHERS
}

/// What a network sees of a piece: as much of it as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub settings: &'a Settings,
    pub spots: &'a [Spot],
    pub given: &'a [Given],
    pub known: Known,
    pub lowest: Pitch,
}

impl View<'_> {
    fn class(&self, pitch_class: usize) -> usize {
        (pitch_class + CLASSES - usize::from(self.lowest.class())) % CLASSES
    }

    /// Writes what is given at a step; beyond the piece, nothing.
    ///
    /// # Shapes
    /// `row`: `[HEARD]`, zeros
    pub(super) fn write_given(&self, at: usize, row: &mut [f32]) {
        let Some(given) = self.given.get(at) else { return };
        let (parts, others) = row.split_at_mut(KINDS.len());
        if self.known.part {
            match self.settings.own.writes {
                Writes::Bass => {
                    (0..KINDS.len()).filter(|kind| given.drums >> kind & 1 == 1).for_each(|kind| parts[kind] = 1.0);
                }
                // What of the bass begins: its class over the lowest note, whether it lies higher than an octave, a rest.
                Writes::Drums => {
                    for column in (0..COLUMNS).filter(|column| given.bass >> column & 1 == 1) {
                        parts[column % CLASSES] = 1.0;
                        parts[CLASSES] = if column < CLASSES { 0.5 } else { 1.0 };
                    }
                    parts[CLASSES + 1] = (given.bass >> REST & 1) as f32;
                }
            }
            others[CLASSES] = 1.0;
        }
        if self.known.others {
            let sounding = (0..CLASSES).filter(|class| given.classes >> class & 1 == 1);
            sounding.for_each(|class| others[self.class(class)] = 1.0);
            others[CLASSES + 1] = 1.0;
        }
    }

    /// The same with the place in the bar: what the layers read that look at nothing else.
    ///
    /// # Shapes
    /// `row`: `[HEARD + clock]`, zeros
    pub(super) fn write_heard(&self, at: usize, row: &mut [f32]) {
        let (given, clock) = row.split_at_mut(HEARD);
        self.write_given(at, given);
        if let Some(spot) = self.spots.get(at) {
            clock[spot.in_bar as usize % clock.len()] = 1.0;
        }
    }

    /// The harmony at a step, as classes over the lowest note that add up to 1; nothing where it is unknown.
    pub(super) fn classes(&self, at: usize) -> [f32; CLASSES] {
        let mut classes = [0.0; CLASSES];
        let sounding = self.given.get(at).filter(|_| self.known.others).map_or(0, |given| given.classes);
        if sounding != 0 {
            let each = 1.0 / sounding.count_ones() as f32;
            (0..CLASSES).filter(|class| sounding >> class & 1 == 1).for_each(|class| classes[self.class(class)] = each);
        }
        classes
    }

    /// Writes what is read before step `at`, of which `written` are the frames before it, and `last` is the last of these that is not empty.
    ///
    /// # Shapes
    /// `row`: `[width]`, zeros
    pub(super) fn write_input(&self, written: &[u128], last: Option<usize>, row: &mut [f32]) {
        let (at, items) = (written.len(), self.settings.own.writes.items());
        let spot = self.spots.get(at).copied().unwrap_or_default();
        let mut start = 0;
        let mut part = |width: usize| {
            let from = start;
            start += width;
            from
        };
        let bar = spot.bar_steps.max(1) as usize;
        let seen = [Some(1), Some(bar / 2).filter(|half| *half > 0), Some(bar), Some(2 * bar)];
        let places = seen.map(|back| back.and_then(|back| at.checked_sub(back)));
        for place in places.into_iter().chain([last]) {
            let from = part(items);
            let frame = place.map_or(0, |place| written[place]);
            (0..items).filter(|item| frame >> item & 1 == 1).for_each(|item| row[from + item] = 1.0);
        }
        row[part(1)] = f32::from(at == 0);
        let since = last.map_or(SINCE.len(), |last| SINCE.iter().take_while(|steps| at - last > **steps).count());
        row[part(SINCE.len() + 1) + since] = 1.0;
        let clock = self.settings.shared.clock;
        row[part(clock) + spot.in_bar as usize % clock] = 1.0;
        row[part(PERIOD) + spot.bar as usize % PERIOD] = 1.0;
        row[part(LEFT + 1) + (spot.left as usize).min(LEFT)] = 1.0;
        let family = self.known.family.map_or(FAMILIES - 1, |family| usize::from(family).min(FAMILIES - 2));
        row[part(FAMILIES) + family] = 1.0;
        let from = part(2);
        if let Some(tempo) = self.known.tempo {
            row[from] = 1.0;
            row[from + 1] = ((tempo / 120.0).max(0.05).ln() as f32).clamp(-2.0, 2.0);
        }
        row[part(CLASSES + 1) + self.known.tonic.map_or(CLASSES, |tonic| self.class(usize::from(tonic)))] = 1.0;
        row[part(1)] = (f32::from(self.lowest.get()) - 36.0) / 12.0;
    }
}
