//! How the network is told what is given, what was written, and what is known of a piece.

use super::piece::Known;
use super::plan::{self, BarPlan};
use super::step::{Given, Spot, sounds};
use super::{Settings, items};
use cantus_encoding::rhythm_section::{COLUMNS, KICK, KINDS, REST};
use cantus_model::Joined;
use cantus_nn::joint::CLASSES;
use cantus_score::Pitch;

/// Width of what is given at a step.
pub(super) const HEARD: usize = KINDS.len() + 2 * CLASSES + 2;
/// Steps since something was written last, in classes.
const SINCE: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 32];
/// Bars are told apart by what is left when so many divide them.
const PERIOD: usize = 4;
/// Bars before the end that are told apart.
const LEFT: usize = 4;
/// Families of instruments, and that it is unknown.
const FAMILIES: usize = 17;
/// Classes of how many steps differ from those a while before, the first where there are none to compare.
const MISSES: [usize; 5] = [0, 1, 2, 4, 8];
/// How far back steps are compared: half a bar, a bar, two; each by what begins and by whether something does. Then with what is given: with
/// the kick and with all drums, each by what begins without them, and by what they do without it.
const COMPARED: usize = (3 * 2 + 2 * 2) * (MISSES.len() + 2);
/// A tempo and whether it is known; the tonic, or that it is unknown; the register; how busy the bar is, and whether it has the rhythm of the
/// one before, or not.
const OTHERS: usize = 2 + CLASSES + 1 + 1 + plan::CLASSES + 2;

/// Width of what the network reads beside what is given. Where styles are told apart, one more says that it is unknown.
pub(super) const fn width(items: usize, clock: usize, styles: usize) -> usize {
    let styles = if styles == 0 { 0 } else { styles + 1 };
    styles + 5 * items + COMPARED + 1 + SINCE.len() + 1 + clock + PERIOD + LEFT + 1 + FAMILIES + OTHERS
}

/// What a network sees of a piece: as much of it as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub settings: &'a Settings,
    pub spots: &'a [Spot],
    pub given: &'a [Given],
    pub known: Known,
    pub lowest: Pitch,
    /// What its bars are like, as far as that is told.
    pub plan: &'a [BarPlan],
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
                Joined::Bass => {
                    (0..KINDS.len()).filter(|kind| given.drums >> kind & 1 == 1).for_each(|kind| parts[kind] = 1.0);
                }
                // What of the bass begins: its class over the lowest note, whether it lies higher than an octave, a rest.
                Joined::Drums => {
                    for column in (0..COLUMNS).filter(|column| given.bass >> column & 1 == 1) {
                        parts[column % CLASSES] = 1.0;
                        parts[CLASSES] = if column < CLASSES { 0.5 } else { 1.0 };
                    }
                    parts[CLASSES + 1] = (given.bass >> REST & 1) as f32;
                }
            }
            others[2 * CLASSES] = 1.0;
        }
        if self.known.others {
            for class in 0..CLASSES {
                let at = self.class(class);
                others[at] = (given.classes >> class & 1) as f32;
                others[CLASSES + at] = (given.begun >> class & 1) as f32;
            }
            others[2 * CLASSES + 1] = 1.0;
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

    /// How what was written in the last `most` steps goes with what is given: steps at which something begins without the kick, at which a
    /// kick is alone, and the same of all drums. In classes.
    fn beside(&self, written: &[u128], most: usize) -> [usize; 4] {
        if !self.known.part || written.is_empty() {
            return [0; 4];
        }
        let first = written.len() - most.min(written.len());
        let mut counts = [0; 4];
        for (frame, given) in written.iter().zip(self.given).skip(first) {
            let (drums, bass) = match self.settings.own.writes {
                Joined::Bass => (u128::from(given.drums), *frame),
                Joined::Drums => (*frame, given.bass),
            };
            for (k, stroke) in [drums >> KICK & 1 == 1, drums != 0].into_iter().enumerate() {
                counts[2 * k] += usize::from(sounds(bass) && !stroke);
                counts[2 * k + 1] += usize::from(stroke && !sounds(bass));
            }
        }
        counts.map(class)
    }

    /// Writes what is read before step `at`, of which `written` are the frames before it, and `last` is the last of these that is not empty.
    ///
    /// # Shapes
    /// `row`: `[width]`, zeros
    pub(super) fn write_input(&self, written: &[u128], last: Option<usize>, row: &mut [f32]) {
        let (at, items) = (written.len(), items(self.settings.own.writes));
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
        for period in seen.into_iter().skip(1) {
            for misses in misses(written, period.unwrap_or(0), bar) {
                row[part(MISSES.len() + 2) + misses] = 1.0;
            }
        }
        for misses in self.beside(written, bar) {
            row[part(MISSES.len() + 2) + misses] = 1.0;
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
        let from = part(plan::CLASSES + 2);
        if let Some(BarPlan { busy, again }) = self.plan.get(spot.bar as usize) {
            row[from + busy] = 1.0;
            again.iter().for_each(|again| row[from + plan::CLASSES + usize::from(*again)] = 1.0);
        }
        let styles = self.settings.own.styles.len();
        if styles > 0 {
            row[part(styles + 1) + self.known.style.unwrap_or(styles).min(styles)] = 1.0;
        }
    }
}

/// How many of the last `most` steps differ from those a period before: in what begins, and in whether something does. In classes.
fn misses(written: &[u128], period: usize, most: usize) -> [usize; 2] {
    let compared = written.len().saturating_sub(period).min(most);
    if period == 0 || compared == 0 {
        return [0; 2];
    }
    let last = &written[written.len() - compared..];
    let before = &written[written.len() - compared - period..];
    let (mut items, mut rhythms) = (0, 0);
    for (a, b) in last.iter().zip(before) {
        items += usize::from(a != b);
        rhythms += usize::from((*a != 0) != (*b != 0));
    }
    [items, rhythms].map(class)
}

/// The class of a number of steps that differ.
fn class(misses: usize) -> usize {
    1 + MISSES.iter().take_while(|most| misses > **most).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_counted() {
        let written: Vec<u128> = vec![1, 0, 4, 0, 1, 0, 2, 2, 1, 0];
        // Four steps before: 1 0 4 0 for 1 0 2 2, then 1 0 for 1 0.
        assert_eq!(misses(&written, 4, 32), [class(2), class(1)]);
        assert_eq!(misses(&written, 4, 2), [class(0); 2]);
        assert_eq!([misses(&written, 10, 32), misses(&written, 0, 32), misses(&[], 4, 32)], [[0; 2]; 3]);
        assert_eq!([0, 1, 2, 3, 4, 5, 9, 100].map(class), [1, 2, 3, 4, 4, 5, 6, 6]);
        const { assert!(6 < MISSES.len() + 2) };
    }
}
