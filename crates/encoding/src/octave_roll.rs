//! `octave_roll`: the twelve pitch classes at each step of the grid, all octaves laid over one another.
//!
//! A frame is the set of pitch classes whose note begins at the step, in whatever octave (logical OR over all 88 keys). Octaves,
//! durations and how hard a key is struck are lost; [`decode`] writes notes of one step between C4 and B4.
//!
//! Source: I. Ivanov, neural generation of polyphonic music (diploma thesis, Moscow State University, 2018), section 6.2; the time
//! bits from section 7.2. Departure: the thesis' program leaves out the four highest keys.

use crate::piano_roll::{Keys, Outside, RollError};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity, merge_parts};
use std::fmt;

/// Bits of the clock that a network reads.
pub const TIME_BITS: usize = 6;

/// A set of pitch classes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PitchClasses(u16);

impl PitchClasses {
    /// How many there are.
    pub const COUNT: usize = 12;
    /// None of them.
    pub const NONE: PitchClasses = PitchClasses(0);
    /// All of them.
    pub const ALL: PitchClasses = PitchClasses((1 << PitchClasses::COUNT) - 1);

    /// The set whose bit k is pitch class k (0 is C), or `None` where a bit beyond the twelfth is set.
    pub const fn from_bits(bits: u16) -> Option<PitchClasses> {
        if bits & !PitchClasses::ALL.0 == 0 { Some(PitchClasses(bits)) } else { None }
    }

    /// Bit k is pitch class k.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// How many are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a class, 0-11, is in it.
    pub const fn contains(self, class: u8) -> bool {
        class < 12 && self.0 >> class & 1 == 1
    }

    /// The same set so many semitones higher: what leaves at the top comes in again at the bottom.
    pub fn rolled(self, semitones: i32) -> PitchClasses {
        let by = semitones.rem_euclid(PitchClasses::COUNT as i32) as u32;
        let bits = u32::from(self.0) << by;
        PitchClasses((bits | bits >> PitchClasses::COUNT) as u16 & PitchClasses::ALL.0)
    }

    /// All keys of these classes, in every octave.
    pub fn keys(self) -> Keys {
        // Key 0 is an A, so that bit 0 of the tiled pattern is nine classes up.
        let pattern = u128::from(self.rolled(-9).0);
        let octaves = (0..Keys::COUNT).step_by(PitchClasses::COUNT).fold(0, |bits, at| bits | pattern << at);
        Keys::from_bits(octaves & Keys::ALL.bits()).unwrap_or(Keys::NONE)
    }

    /// 1 at the columns of its classes, 0 elsewhere.
    ///
    /// # Shapes
    /// `row`: `[12]`
    ///
    /// # Panics
    /// If `row` is shorter than 12.
    pub fn write(self, row: &mut [f32]) {
        row[..PitchClasses::COUNT].iter_mut().enumerate().for_each(|(k, x)| *x = (self.0 >> k & 1) as f32);
    }
}

impl From<Keys> for PitchClasses {
    fn from(keys: Keys) -> PitchClasses {
        PitchClasses(keys.pitch_classes())
    }
}

/// The names of its classes: `{C E G}`.
impl fmt::Debug for PitchClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; PitchClasses::COUNT] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
        let names: Vec<&str> = (0..12u8).filter(|k| self.contains(*k)).map(|k| NAMES[usize::from(k)]).collect();
        write!(f, "{{{}}}", names.join(" "))
    }
}

/// The clock at a step: its last six binary digits, the most significant first.
pub fn time_bits(step: u64) -> [f32; TIME_BITS] {
    std::array::from_fn(|k| (step >> (TIME_BITS - 1 - k) & 1) as f32)
}

/// A quantised score (one tick a step) as pitch classes, from its first step to the end of its last note; drums are left out.
///
/// # Errors
/// As [`crate::piano_roll::encode`].
pub fn encode(score: &Score, outside: Outside) -> Result<Vec<PitchClasses>, RollError> {
    let frames = crate::piano_roll::encode(score, outside)?;
    Ok(frames.iter().map(|frame| PitchClasses::from(frame.struck)).collect())
}

/// Pitch classes as a score of one piano part: a note of one step for each, between C4 and B4.
pub fn decode(frames: &[PitchClasses], steps_per_quarter: TicksPerQuarter) -> Score {
    let onsets = frames.iter().enumerate().flat_map(|(step, frame)| {
        (0..PitchClasses::COUNT as u8).filter(|class| frame.contains(*class)).map(move |class| (step, class))
    });
    let notes = onsets.filter_map(|(step, class)| {
        let pitch = Pitch::try_from(Pitch::C4.get() + class).ok()?;
        Some(Note { onset: Ticks(step as u64), pitch, duration: Ticks(1), velocity: Velocity::DEFAULT })
    });
    let mut score = Score::new(steps_per_quarter);
    score.parts.push(Part { notes: notes.collect(), programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() });
    score
}

/// What `decode(encode(score))` gives: onsets within one octave, one step long.
///
/// # Errors
/// As [`encode`].
pub fn canonicalize(score: &Score, outside: Outside) -> Result<Score, RollError> {
    let mut canonical = crate::piano_roll::canonicalize(score, outside)?;
    for part in &mut canonical.parts {
        for note in &mut part.notes {
            let pitch = Pitch::try_from(Pitch::C4.get() + note.pitch.class()).unwrap_or(Pitch::C4);
            *note = Note { pitch, duration: Ticks(1), ..*note };
        }
        part.notes = merge_parts([&*part]).notes;
    }
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piano_roll::Key;
    use proptest::prelude::*;

    const QUARTER: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    fn score(notes: &[(u64, u8, u64)]) -> Score {
        let mut score = Score::new(QUARTER);
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::try_from(50u8).unwrap(),
        };
        let mut part = Part { notes: notes.iter().map(note).collect(), ..Part::default() };
        part.notes.sort_unstable();
        score.parts.push(part);
        score
    }

    #[test]
    fn octaves_fall_together_from_the_lowest_key_to_the_highest() {
        // A0 and A4, C8 (the highest key) and C4.
        let frames = encode(&score(&[(0, 21, 1), (0, 69, 4), (2, 108, 1), (2, 60, 1)]), Outside::Refuse).unwrap();
        assert_eq!(format!("{frames:?}"), "[{A}, {}, {C}, {}]");
    }

    #[test]
    fn the_keys_of_a_class_are_all_keys_of_that_class() {
        for k in 0..Keys::COUNT {
            let key = Key::new(k).unwrap();
            let class = PitchClasses::from(Keys::from_iter([key]));
            assert_eq!(class.len(), 1);
            assert!(class.keys().contains(key));
            assert_eq!(PitchClasses::from(class.keys()), class);
            assert_eq!(PitchClasses::ALL.keys() - class.keys(), PitchClasses(!class.0 & 0xfff).keys());
        }
        assert_eq!((PitchClasses::ALL.keys(), PitchClasses::NONE.keys()), (Keys::ALL, Keys::NONE));
    }

    #[test]
    fn rolling_is_transposition() {
        let triad = PitchClasses::from_bits(0b1001_0001).unwrap();
        assert_eq!(format!("{triad:?} {:?} {:?}", triad.rolled(5), triad.rolled(-1)), "{C E G} {C F A} {D# F# B}");
        for by in -20..20 {
            assert_eq!(triad.rolled(by).rolled(-by), triad);
            assert_eq!(triad.rolled(by), triad.rolled(by + 12));
        }
        assert_eq!(PitchClasses::from_bits(1 << 12), None);
    }

    #[test]
    fn the_clock_counts_in_six_bits_with_the_greatest_first() {
        assert_eq!(time_bits(1), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(time_bits(32), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(time_bits(63), [1.0; 6]);
        assert_eq!(time_bits(64 + 5), time_bits(5));
        assert_eq!(time_bits(0u64.wrapping_sub(1)), [1.0; 6]);
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_canonical_form(notes in prop::collection::vec((0u64..60, 0u8..128, 0u64..9), 0..40)) {
            let score = score(&notes);
            for outside in [Outside::Omit, Outside::Fold] {
                let frames = encode(&score, outside).unwrap();
                prop_assert_eq!(decode(&frames, QUARTER), canonicalize(&score, outside).unwrap());
                let again = encode(&decode(&frames, QUARTER), Outside::Refuse).unwrap();
                // Silence at the end is no part of a score.
                let sounding = frames.iter().rposition(|frame| !frame.is_empty()).map_or(0, |last| last + 1);
                prop_assert_eq!(&again[..], &frames[..sounding]);
            }
        }

        #[test]
        fn a_score_moved_by_semitones_is_the_frames_rolled(notes in prop::collection::vec((0u64..60, 30u8..90, 1u64..9), 0..40), by in -9i32..9) {
            let (plain, moved) = (score(&notes), score(&notes).transposed(by).unwrap());
            let rolled: Vec<_> = encode(&plain, Outside::Refuse).unwrap().iter().map(|frame| frame.rolled(by)).collect();
            prop_assert_eq!(encode(&moved, Outside::Refuse).unwrap(), rolled);
        }
    }
}
