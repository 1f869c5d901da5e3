//! The names of pitches in keys.

use cantus_score::{Key, Mode, Pitch};

/// The letter of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    C,
    D,
    E,
    F,
    G,
    A,
    B,
}

/// Steps along the line of fifths from F on.
const FIFTHS: [Step; 7] = [Step::F, Step::C, Step::G, Step::D, Step::A, Step::E, Step::B];

impl Step {
    /// All, from C on.
    pub const ALL: [Step; 7] = [Step::C, Step::D, Step::E, Step::F, Step::G, Step::A, Step::B];

    /// Semitones above C.
    pub fn semitones(self) -> i32 {
        [0, 2, 4, 5, 7, 9, 11][self as usize]
    }

    /// The capital letter.
    pub fn letter(self) -> char {
        ['C', 'D', 'E', 'F', 'G', 'A', 'B'][self as usize]
    }

    /// The step of a letter, in either case.
    pub fn from_letter(letter: char) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.letter() == letter.to_ascii_uppercase())
    }

    /// Sharps (positive) or flats that a key signature of so many fifths puts before it.
    pub fn altered_by(self, fifths: i8) -> i32 {
        let place = FIFTHS.iter().position(|step| *step == self).unwrap_or(0) as i32;
        // The first sharp is F, the first flat B; the eighth sharp is F again.
        (i32::from(fifths) - place + 6).div_euclid(7)
    }
}

/// A pitch as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub step: Step,
    /// Semitones up from the step: 1 for a sharp.
    pub alter: i32,
    /// Scientific: middle C begins octave 4.
    pub octave: i32,
}

impl Spelling {
    /// How `pitch` is written in `key`: as near to the key as possible on the line of fifths.
    ///
    /// The twelve names in use are those of the scale, with the raised steps that lead and the lowered ones that colour: in C major
    /// A flat to C sharp, in A minor B flat to D sharp. (D. Temperley, "The Cognition of Basic Musical Structures", 2001, chapter 5:
    /// spellings stay close together on the line of fifths.)
    pub fn of(pitch: Pitch, key: Key) -> Spelling {
        let lowest = i32::from(key.fifths())
            + match key.mode() {
                Mode::Major => -4,
                Mode::Minor => -2,
            };
        // Seven semitones make a fifth: from the pitch class to its place on the line, C being 0.
        let mut place = lowest + (i32::from(pitch.class()) * 7 - lowest).rem_euclid(12);
        // Nobody writes a double flat for the sake of colour.
        if place < -8 {
            place += 12;
        }
        let step = FIFTHS[(place + 1).rem_euclid(7) as usize];
        let alter = (place + 1).div_euclid(7);
        let octave = (i32::from(pitch.get()) - alter - step.semitones()).div_euclid(12) - 1;
        Spelling { step, alter, octave }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fifths: i8, mode: Mode) -> String {
        let key = Key::new(fifths, mode).unwrap();
        let spelled = (60u8..72).map(|pitch| {
            let spelling = Spelling::of(Pitch::try_from(pitch).unwrap(), key);
            let sign = ["bb", "b", "", "#", "##"][(spelling.alter + 2) as usize];
            format!("{}{sign}{}", spelling.step.letter(), spelling.octave)
        });
        spelled.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn chromatic_notes_are_spelled_for_the_key() {
        assert_eq!(names(0, Mode::Major), "C4 C#4 D4 Eb4 E4 F4 F#4 G4 Ab4 A4 Bb4 B4");
        assert_eq!(names(0, Mode::Minor), "C4 C#4 D4 D#4 E4 F4 F#4 G4 G#4 A4 Bb4 B4");
        assert_eq!(names(3, Mode::Major), "C4 C#4 D4 D#4 E4 F4 F#4 G4 G#4 A4 A#4 B4");
        assert_eq!(names(-3, Mode::Minor), "C4 Db4 D4 Eb4 E4 F4 F#4 G4 Ab4 A4 Bb4 B4");
        assert_eq!(names(-6, Mode::Major), "C4 Db4 D4 Eb4 Fb4 F4 Gb4 G4 Ab4 A4 Bb4 Cb5");
        assert_eq!(names(7, Mode::Major), "B#3 C#4 C##4 D#4 E4 E#4 F#4 F##4 G#4 A4 A#4 B4");
    }

    #[test]
    fn every_spelling_sounds_as_its_pitch() {
        for fifths in -7..=7 {
            for mode in [Mode::Major, Mode::Minor] {
                for pitch in 0..128u8 {
                    let spelling = Spelling::of(Pitch::try_from(pitch).unwrap(), Key::new(fifths, mode).unwrap());
                    let sounds = 12 * (spelling.octave + 1) + spelling.step.semitones() + spelling.alter;
                    assert_eq!(sounds, i32::from(pitch));
                    assert!(spelling.alter.abs() <= 2);
                }
            }
        }
    }

    #[test]
    fn signatures_alter_their_steps() {
        let altered = |fifths| Step::ALL.map(|step| step.altered_by(fifths));
        assert_eq!(altered(0), [0; 7]);
        assert_eq!(altered(2), [1, 0, 0, 1, 0, 0, 0]);
        assert_eq!(altered(-3), [0, 0, -1, 0, 0, -1, -1]);
        assert_eq!(altered(7), [1; 7]);
        assert_eq!(altered(-7), [-1; 7]);
    }
}
