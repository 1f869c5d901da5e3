//! Motifs: a bar's rhythm with a contour of steps, and what is done with them.

use super::Dice;
use super::pulse::Pulse;

/// No note of a motif is more than so many steps from its first.
const WIDEST: i32 = 4;

/// Notes that fill a bar: how long each lasts, and how many steps of the scale it stands over the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Motif(pub Vec<(u64, i32)>);

impl Motif {
    /// A motif as busy as `density`, 0-1, says.
    pub(super) fn draw(pulse: &Pulse, density: f32, dice: &mut Dice<'_>) -> Motif {
        let mut step = 0;
        let rhythm = rhythm(pulse, density, dice);
        let note = |(k, length): (usize, u64)| {
            if k > 0 {
                let moves = [(-3, 0.03), (-2, 0.13), (-1, 0.32), (0, 0.06), (1, 0.32), (2, 0.13), (3, 0.03)];
                let by = moves[dice.weighted(&moves.map(|(_, weight)| weight)).unwrap_or(3)].0;
                // Too far out it turns back.
                step += if i32::abs(step + by) > WIDEST { -by } else { by };
            }
            (length, step)
        };
        Motif(rhythm.into_iter().enumerate().map(note).collect())
    }

    /// Out of the notes of a bar, onset by onset: pitches stand for steps of 12/7 semitones.
    pub(super) fn heard(notes: &[(u64, i32)], bar: u64) -> Option<Motif> {
        let (_, first) = notes.first()?;
        let ends = notes.iter().skip(1).map(|(onset, _)| *onset).chain([bar]);
        let step = |pitch: i32| (f64::from(pitch - first) * 7.0 / 12.0).round() as i32;
        // Nothing is heard before the first note: it begins with the bar.
        let begin = |k: usize, onset: u64| if k == 0 { 0 } else { onset };
        let steps = notes.iter().enumerate().zip(ends).map(|((k, (onset, pitch)), end)| {
            (end.saturating_sub(begin(k, *onset)), step(*pitch).clamp(-2 * WIDEST, 2 * WIDEST))
        });
        let motif: Vec<(u64, i32)> = steps.filter(|(length, _)| *length > 0).collect();
        (motif.iter().map(|(length, _)| length).sum::<u64>() == bar).then_some(Motif(motif))
    }

    /// The steps turned upside down.
    pub(super) fn inverted(&self) -> Motif {
        Motif(self.0.iter().map(|(length, step)| (*length, -step)).collect())
    }

    /// The longest note goes to its upper neighbour and back, or gives it half of its time.
    pub(super) fn ornamented(&self) -> Motif {
        let mut notes = self.0.clone();
        let longest = (0..notes.len()).rev().max_by_key(|k| notes[*k].0).unwrap_or(0);
        let (length, step) = notes[longest];
        let with: Vec<(u64, i32)> = match length {
            length if length.is_multiple_of(4) && length >= 96 => {
                vec![(length / 2, step), (length / 4, step + 1), (length / 4, step)]
            }
            length if length.is_multiple_of(2) && length >= 24 => vec![(length / 2, step), (length / 2, step + 1)],
            length if length.is_multiple_of(3) && length >= 36 => vec![(2 * length / 3, step), (length / 3, step + 1)],
            _ => return self.clone(),
        };
        notes.splice(longest..=longest, with);
        Motif(notes)
    }

    /// Of the two shortest neighbours the first goes on through the second.
    pub(super) fn thinned(&self) -> Motif {
        let mut notes = self.0.clone();
        let pair = (0..notes.len().saturating_sub(1)).min_by_key(|k| notes[*k].0 + notes[k + 1].0);
        if let Some(k) = pair {
            notes[k].0 += notes[k + 1].0;
            notes.remove(k + 1);
        }
        Motif(notes)
    }

    /// Its first half, every note twice as long.
    pub(super) fn augmented(&self) -> Motif {
        let mut left: u64 = self.0.iter().map(|(length, _)| length).sum();
        let mut notes = Vec::new();
        for (length, step) in &self.0 {
            let taken = (2 * length).min(left);
            if taken > 0 {
                notes.push((taken, *step));
            }
            left -= taken;
        }
        Motif(notes)
    }
}

/// The lengths of the notes of a bar.
pub(super) fn rhythm(pulse: &Pulse, density: f32, dice: &mut Dice<'_>) -> Vec<u64> {
    let d = density;
    let mut lengths: Vec<u64> = Vec::new();
    let mut can_merge = false;
    for group in &pulse.groups {
        // Lengths in quarters of a unit, and how usual they are.
        let cells: &[(&[u64], f32)] = match group / pulse.unit {
            1 => &[
                (&[4], 1.25 - d),
                (&[2, 2], d),
                (&[3, 1], 0.3 * d),
                (&[2, 1, 1], 0.3 * (d - 0.5)),
                (&[1, 1, 1, 1], 0.5 * (d - 0.6)),
            ],
            2 => &[
                (&[8], 1.1 - d),
                (&[4, 4], 0.8),
                (&[6, 2], 0.4),
                (&[4, 2, 2], 0.8 * d),
                (&[2, 2, 2, 2], 0.6 * (d - 0.4)),
            ],
            _ => &[
                (&[12], 1.1 - d),
                (&[8, 4], 1.0),
                (&[4, 4, 4], 0.2 + d),
                (&[6, 2, 4], 0.3),
                (&[4, 4, 2, 2], 0.4 * (d - 0.3)),
            ],
        };
        let fits = |cell: &[u64]| cell.iter().all(|length| (length * pulse.unit).is_multiple_of(4));
        let weights: Vec<f32> =
            cells.iter().map(|(cell, weight)| if fits(cell) { weight.max(0.0) } else { 0.0 }).collect();
        let cell = dice.weighted(&weights).map_or(cells[0].0, |k| cells[k].0);
        let is_whole = cell.len() == 1;
        let merges = can_merge && is_whole && dice.chance(0.6 * (1.0 - d));
        match lengths.last_mut().filter(|_| merges) {
            Some(last) => *last += group,
            None => lengths.extend(cell.iter().map(|length| length * pulse.unit / 4)),
        }
        // A note of two groups does not take a third.
        can_merge = is_whole && !merges;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_with_a_motif_fills_the_same_bar() {
        let motif = Motif(vec![(96, 0), (48, 1), (48, 2), (192, -1)]);
        assert_eq!(motif.inverted().0, [(96, 0), (48, -1), (48, -2), (192, 1)]);
        assert_eq!(motif.ornamented().0, [(96, 0), (48, 1), (48, 2), (96, -1), (48, 0), (48, -1)]);
        assert_eq!(motif.thinned().0, [(96, 0), (96, 1), (192, -1)]);
        assert_eq!(motif.augmented().0, [(192, 0), (96, 1), (96, 2)]);
        assert_eq!(Motif::heard(&[(96, 60), (192, 64)], 384).unwrap().0, [(192, 0), (192, 2)]);
        assert_eq!(Motif::heard(&[], 384), None);
    }
}
