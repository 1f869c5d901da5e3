//! What a piece has been like so far: its key, as how often each pitch class was sung, and its habits, as how often each voice began a
//! note at each place of the beat.

use cantus_encoding::voices::{Chord, VOICES, items, pitch_of};
use cantus_nn::joint::CLASSES;

/// Places of a beat that are told apart.
const PLACES: usize = 4;
/// Width of the habits.
pub(super) const HABITS: usize = VOICES * PLACES;
/// Steps, those of all voices together, after which a key is half known.
const SETTLED: f32 = 64.0;

/// What has been sung so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// How often each pitch class has been sung.
    classes: [u32; CLASSES],
    /// How often each voice has moved at each place of the beat, and how often it could.
    moved: [[u32; PLACES]; VOICES],
    could: [u32; PLACES],
    last: Option<Chord>,
    steps: usize,
}

impl Profile {
    /// The next chord, on a grid of so many steps to a beat.
    pub(super) fn add(&mut self, chord: Chord, steps_per_quarter: u32) {
        items(chord.bits()).for_each(|item| self.classes[class_of(item)] += 1);
        if let Some(last) = self.last {
            let beat = steps_per_quarter as usize;
            let place = self.steps % beat * PLACES / beat;
            self.could[place] += 1;
            for (voice, moved) in self.moved.iter_mut().enumerate() {
                moved[place] += u32::from(last.pitch(voice) != chord.pitch(voice));
            }
        }
        self.last = Some(chord);
        self.steps += 1;
    }

    /// Writes the share of each class among all that was sung, after the piece was moved `shift` semitones up; times four, so that it
    /// is of the size of the other inputs.
    ///
    /// # Shapes
    /// `row`: `[CLASSES]`
    pub(super) fn write_classes(&self, shift: i32, row: &mut [f32]) {
        let all = self.classes.iter().sum::<u32>().max(1) as f32;
        for (class, count) in self.classes.iter().enumerate() {
            row[(class as i32 + shift).rem_euclid(CLASSES as i32) as usize] = 4.0 * *count as f32 / all;
        }
    }

    /// How much of what was sung is of each class, of an item in the entry of what is left of it when 12 divides it; times four, and
    /// the less the less is known.
    pub(super) fn shares(&self) -> [f32; CLASSES] {
        let all = self.classes.iter().sum::<u32>() as f32 + SETTLED;
        let first = class_of(0);
        std::array::from_fn(|k| 4.0 * self.classes[(k + first) % CLASSES] as f32 / all)
    }

    /// Writes the share of the chances that each voice took, times two, voice by voice; a little smoothed.
    ///
    /// # Shapes
    /// `row`: `[HABITS]`
    pub(super) fn write_habits(&self, row: &mut [f32]) {
        for (row, moved) in row.chunks_exact_mut(PLACES).zip(&self.moved) {
            for ((value, moved), could) in row.iter_mut().zip(moved).zip(&self.could) {
                *value = 2.0 * (*moved as f32 + 0.5) / (*could as f32 + 2.0);
            }
        }
    }
}

fn class_of(item: usize) -> usize {
    usize::from(pitch_of(item).get()) % CLASSES
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Pitch;

    fn chord(soprano: u8) -> Chord {
        Chord::new([soprano, 67, 60, 48].map(|pitch| Pitch::try_from(pitch).ok()))
    }

    #[test]
    fn habits_are_how_often_each_voice_moves_at_each_place_of_the_beat() {
        // The soprano moves with every beat, and, in a grid twice as fine, at the same places.
        for (grid, steps) in [(4, 4), (8, 8)] {
            let mut profile = Profile::default();
            (0..8 * steps + 1).for_each(|step| profile.add(chord(if step / steps % 2 == 0 { 72 } else { 74 }), grid));
            let mut row = [0.0; HABITS];
            profile.write_habits(&mut row);
            let each = grid as f32 / 4.0;
            let share = |moved: f32| 2.0 * (moved + 0.5) / (8.0 * each + 2.0);
            assert_eq!(row[0], share(8.0));
            assert!(row[1..].iter().all(|value| *value == share(0.0)), "{row:?}");
        }
        let mut row = [0.0; HABITS];
        Profile::default().write_habits(&mut row);
        assert_eq!(row, [0.5; HABITS], "nothing is known yet");
    }

    #[test]
    fn shares_are_counted_by_items_and_grow_with_what_is_known() {
        let mut profile = Profile::default();
        assert_eq!(profile.shares(), [0.0; CLASSES]);
        (0..16).for_each(|_| profile.add(chord(72), 4));
        let shares = profile.shares();
        let item = |voice: usize, pitch: u8| {
            cantus_encoding::voices::item(voice, Pitch::try_from(pitch).unwrap()).unwrap() % CLASSES
        };
        // Half known after 64 notes; C stands in three voices, G in one.
        assert_eq!((shares[item(0, 72)], shares[item(1, 67)]), (1.5, 0.5));
        assert_eq!(shares.iter().sum::<f32>(), 2.0);
        (0..48).for_each(|_| profile.add(chord(72), 4));
        assert!((profile.shares().iter().sum::<f32>() - 3.2).abs() < 1e-6);
    }

    #[test]
    fn classes_are_shares_and_move_with_the_key() {
        let mut profile = Profile::default();
        [72, 72, 71].into_iter().for_each(|soprano| profile.add(chord(soprano), 4));
        let (mut still, mut moved) = ([0.0; CLASSES], [0.0; CLASSES]);
        profile.write_classes(0, &mut still);
        profile.write_classes(-3, &mut moved);
        // C as soprano twice, as tenor and bass thrice; G thrice; B once; of twelve.
        assert_eq!((still[0], still[7], still[11]), (4.0 * 8.0 / 12.0, 1.0, 4.0 / 12.0));
        assert!((0..CLASSES).all(|class| still[class] == moved[(class + 9) % 12]));
    }
}
