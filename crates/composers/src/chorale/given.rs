//! What is given of a piece, and how the head sees it.

use cantus_encoding::voices::{ITEMS, VOICES, items, moved};
use cantus_model::Rng;
use cantus_model::choir::{ALL, Given};
use cantus_nn::random::{below, uniform};

/// Steps ahead at which the head sees what is given, the step itself first.
const OFFSETS: [usize; 9] = [0, 1, 2, 3, 4, 6, 8, 12, 16];
/// Of each: its items, and which voices are known.
const EACH: usize = ITEMS + VOICES;
/// Width of what the head sees.
pub(super) const AHEAD: usize = OFFSETS.len() * EACH;
/// Writes what is given from step `at` on, moved up by `shift` semitones.
///
/// # Shapes
/// `row`: `[AHEAD]`, zeros
pub(super) fn write_ahead(given: impl Fn(usize) -> Option<Given>, at: usize, shift: i32, row: &mut [f32]) {
    for (offset, row) in OFFSETS.iter().zip(row.chunks_exact_mut(EACH)) {
        let Some(given) = given(at + offset).filter(|given| given.voices != 0) else { continue };
        items(moved(given.bits(), shift)).for_each(|item| row[item] = 1.0);
        (0..VOICES).filter(|voice| given.knows(*voice)).for_each(|voice| row[ITEMS + voice] = 1.0);
    }
}

/// Which voices are given at each step of a stretch of music that is learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask {
    /// Throughout.
    voices: u8,
    /// From this step of the piece on, all.
    from: Option<usize>,
}

impl Mask {
    /// Nothing, but for a `share` of all: then some voices (the soprano by itself most often), or all that comes after a step.
    pub(super) fn draw(share: f32, steps: usize, rng: &mut Rng) -> Mask {
        if uniform(rng) >= share {
            return Mask::default();
        }
        match below(rng, 5) {
            0 => Mask { voices: 0, from: Some(below(rng, steps.max(1))) },
            1 | 2 => Mask { voices: 1, from: None },
            _ => Mask { voices: 1 + below(rng, usize::from(ALL) - 1) as u8, from: None },
        }
    }

    pub(super) fn at(self, step: usize) -> u8 {
        if self.from.is_some_and(|from| step >= from) { ALL } else { self.voices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::voices::Chord;
    use cantus_nn::random::seeded;
    use cantus_score::Pitch;

    fn chord(pitches: [u8; VOICES]) -> Chord {
        Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok()))
    }

    #[test]
    fn only_what_is_given_is_seen_and_moves_with_the_key() {
        let music = [chord([72, 67, 64, 48]), chord([74, 65, 62, 50])];
        let seen = |voices: [u8; 2], at: usize, shift: i32| {
            let mut row = vec![0.0; AHEAD];
            let given = |step: usize| music.get(step).map(|chord| Given { voices: voices[step], chord: *chord });
            write_ahead(given, at, shift, &mut row);
            (0..AHEAD).filter(|k| row[*k] > 0.0).collect::<Vec<_>>()
        };
        assert!(seen([0, 0], 0, 0).is_empty());
        let item =
            |voice: usize, pitch: u8| cantus_encoding::voices::item(voice, Pitch::try_from(pitch).unwrap()).unwrap();
        assert_eq!(seen([1, 0], 0, 0), [item(0, 72), ITEMS]);
        assert_eq!(seen([1, 0], 0, 2), [item(0, 74), ITEMS]);
        assert_eq!(seen([0, 8], 0, -1), [EACH + item(3, 49), EACH + ITEMS + 3]);
        assert_eq!(seen([0, 8], 1, 0), [item(3, 50), ITEMS + 3]);
        assert_eq!(seen([0, 8], 2, 0), Vec::<usize>::new());
    }

    #[test]
    fn masks_leave_something_to_compose_and_are_of_all_kinds() {
        let rng = &mut seeded(3);
        let masks: Vec<Mask> = (0..400).map(|_| Mask::draw(0.5, 50, rng)).collect();
        let nothing = masks.iter().filter(|mask| **mask == Mask::default()).count();
        assert!((150..250).contains(&nothing), "{nothing}");
        assert!(masks.iter().all(|mask| mask.voices != ALL));
        assert!((1..ALL).all(|voices| masks.iter().any(|mask| mask.voices == voices)));
        assert!(masks.iter().any(|mask| mask.at(10) == 0 && mask.at(40) == ALL));
        assert!((0..100).all(|_| Mask::draw(0.0, 50, rng) == Mask::default()));
    }
}
