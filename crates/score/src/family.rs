//! The five families of instruments that a band's tracks are told apart by.
//!
//! Source: H.-W. Dong, W.-Y. Hsiao, L.-C. Yang and Y.-H. Yang, MuseGAN, 2018, arXiv:1709.06298v2, section "Data Preprocessing": drums, piano,
//! guitar, bass, and all the rest, by programs of General MIDI.

use crate::{Part, bass_of};

/// A family of instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Drum kits.
    Drums,
    /// Pianos, chromatic percussion, organs: programs 0-23, and parts that name none.
    Keys,
    /// Guitars: programs 24-31.
    Guitar,
    /// The bass: programs 32-39; where no part has one of these, what [`bass_of`] finds.
    Bass,
    /// Strings, winds, leads, pads and all else.
    Rest,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 5] = [Family::Drums, Family::Keys, Family::Guitar, Family::Bass, Family::Rest];

    /// Its place in [`Family::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Drums => "drums",
            Family::Keys => "keys",
            Family::Guitar => "guitar",
            Family::Bass => "bass",
            Family::Rest => "rest",
        }
    }

    /// The family of each part of a piece.
    pub fn of(parts: &[Part]) -> Vec<Family> {
        let by_program = |part: &Part| match part.program().get() {
            _ if part.drums => Family::Drums,
            0..=23 => Family::Keys,
            24..=31 => Family::Guitar,
            32..=39 => Family::Bass,
            _ => Family::Rest,
        };
        let mut families: Vec<Family> = parts.iter().map(by_program).collect();
        if !families.contains(&Family::Bass)
            && let Some(bass) = bass_of(parts)
        {
            families[bass] = Family::Bass;
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Pitch, Program, Ticks, Velocity};

    fn part(program: u8, pitch: u8) -> Part {
        let pitch = Pitch::try_from(pitch).unwrap();
        let note = Note { onset: Ticks::ZERO, pitch, duration: Ticks(1), velocity: Velocity::DEFAULT };
        Part { programs: vec![(Ticks::ZERO, Program::new(program).unwrap())], notes: vec![note], ..Part::default() }
    }

    #[test]
    fn programs_say_who_is_who_and_the_lowest_line_is_a_bass_where_none_says_so() {
        let drums = Part { notes: part(0, 36).notes, ..Part::of_drums() };
        let parts = [drums, part(4, 60), part(29, 55), part(35, 70), part(81, 72)];
        assert_eq!(Family::of(&parts), Family::ALL);
        assert_eq!(Family::of(&[part(81, 72), part(48, 40)]), [Family::Rest, Family::Bass]);
        assert_eq!(Family::of(&[part(0, 40)]), [Family::Keys], "one part alone is no bass");
        assert!(Family::ALL.iter().enumerate().all(|(k, family)| family.index() == k));
    }
}
