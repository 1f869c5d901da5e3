//! Scales and what stands on their degrees.

use cantus_score::{Chord, Quality};
use serde::{Deserialize, Serialize};

/// Degrees of a scale.
pub(super) const DEGREES: usize = 7;
/// The roman numerals of degrees.
const NUMERALS: [&str; DEGREES] = ["I", "II", "III", "IV", "V", "VI", "VII"];

/// A mode: which semitones over the tonic its degrees have, and which of them leads home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Major,
    Minor,
    Dorian,
    Phrygian,
    Lydian,
    Mixolydian,
}

impl Mode {
    /// Semitones of the degrees over the tonic.
    pub(super) const fn steps(self) -> [u8; DEGREES] {
        match self {
            Mode::Major => [0, 2, 4, 5, 7, 9, 11],
            Mode::Minor => [0, 2, 3, 5, 7, 8, 10],
            Mode::Dorian => [0, 2, 3, 5, 7, 9, 10],
            Mode::Phrygian => [0, 1, 3, 5, 7, 8, 10],
            Mode::Lydian => [0, 2, 4, 6, 7, 9, 11],
            Mode::Mixolydian => [0, 2, 4, 5, 7, 9, 10],
        }
    }

    /// Whether its third is a minor one.
    pub(super) const fn is_minor(self) -> bool {
        self.steps()[2] == 3
    }

    /// The degree of the chord that leads to the tonic.
    pub(super) const fn dominant(self) -> usize {
        match self {
            Mode::Major | Mode::Minor => 4,
            Mode::Phrygian | Mode::Lydian => 1,
            Mode::Dorian | Mode::Mixolydian => 6,
        }
    }

    /// How often a degree's chord stands between tonic and dominant.
    const fn weights(self) -> [f32; DEGREES] {
        match self {
            Mode::Major => [0.0, 2.0, 0.6, 3.0, 0.0, 2.5, 0.2],
            Mode::Minor => [0.0, 0.5, 1.2, 3.0, 0.0, 2.5, 1.2],
            Mode::Dorian => [0.0, 1.0, 1.5, 3.0, 1.0, 0.1, 0.0],
            Mode::Phrygian => [0.0, 0.0, 1.5, 2.0, 0.1, 2.0, 1.5],
            Mode::Lydian => [0.0, 0.0, 1.0, 0.1, 2.0, 2.0, 0.8],
            Mode::Mixolydian => [0.0, 1.5, 0.1, 3.0, 1.5, 1.5, 0.0],
        }
    }

    /// How likely a degree's chord follows another's, up to a factor: tonic goes anywhere, what stands between goes to the dominant, and
    /// the dominant home. Roots that fall by a fifth or a third are likelier than others.
    pub(super) fn follows(self, from: usize, to: usize) -> f32 {
        let (between, dominant) = (self.weights()[to], self.dominant());
        let fall = match (from + DEGREES - to) % DEGREES {
            4 => 1.8,
            2 => 1.2,
            _ => 1.0,
        };
        match (from, to) {
            (0, 0) => 0.6,
            (0, to) if to == dominant => 1.5,
            (0, _) => between * fall,
            (from, 0) if from == dominant => 4.0,
            (from, to) if from == dominant && to == dominant => 0.4,
            (from, 5) if from == dominant => 0.3 * between,
            (from, _) if from == dominant => 0.05 * between,
            (_, 0) => 1.0,
            (_, to) if to == dominant => 3.0,
            (from, to) if from == to => 0.1 * between,
            _ => 0.5 * between * fall,
        }
    }
}

/// What sounds for a while: a chord, and the scale that its passing notes are of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Harmony {
    pub chord: Chord,
    /// Semitones of the degrees over the tonic, those of the chord among them.
    pub scale: [i32; DEGREES],
    /// What it is called.
    pub name: String,
}

/// A tonic and a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// The tonic's pitch class, 0-11 from C on.
    pub tonic: u8,
    pub mode: Mode,
}

impl Scale {
    /// The chord on a degree. In minor the dominant has the leading note; with `seventh` the dominant of major and minor has its seventh.
    pub(super) fn on(self, degree: usize, seventh: bool) -> Harmony {
        let mut scale = self.mode.steps().map(i32::from);
        let is_dominant = degree == self.mode.dominant();
        if self.mode == Mode::Minor && is_dominant {
            // The sixth with it, so that no step is wider than a tone.
            (scale[5], scale[6]) = (9, 11);
        }
        let over = |third: usize| (scale[(degree + 2 * third) % DEGREES] - scale[degree]).rem_euclid(12);
        let seventh = seventh && is_dominant && matches!(self.mode, Mode::Major | Mode::Minor);
        let quality = match (over(1), over(2)) {
            (4, 7) if seventh && over(3) == 10 => Quality::Seventh,
            (4, 7) => Quality::Major,
            (3, 7) => Quality::Minor,
            (3, 6) => Quality::Diminished,
            (4, 8) => Quality::Augmented,
            _ => Quality::Fourth,
        };
        let root = (i32::from(self.tonic) + scale[degree]).rem_euclid(12);
        let numeral = match quality {
            Quality::Minor => NUMERALS[degree].to_lowercase(),
            Quality::Diminished => format!("{}\u{b0}", NUMERALS[degree].to_lowercase()),
            Quality::Seventh => format!("{}7", NUMERALS[degree]),
            _ => NUMERALS[degree].to_owned(),
        };
        Harmony { chord: Chord::new(root as u8, quality), scale, name: numeral }
    }

    /// A chord that somebody asks for: the nearest degrees are bent to its notes.
    pub(super) fn with(self, chord: Chord, flats: bool) -> Harmony {
        let mut scale = self.mode.steps().map(i32::from);
        let class = |step: i32| (i32::from(self.tonic) + step).rem_euclid(12) as u8;
        for missing in (0..12).filter(|class| chord.has(*class)) {
            let over = (i32::from(missing) - i32::from(self.tonic)).rem_euclid(12);
            if scale.iter().any(|step| class(*step) == missing) {
                continue;
            }
            let is_near = |step: i32| {
                let apart = (step - over).rem_euclid(12);
                apart == 1 || apart == 11
            };
            let free = (0..DEGREES).find(|k| is_near(scale[*k]) && !chord.has(class(scale[*k])));
            if let Some(k) = free {
                // By one semitone, to the side where it is.
                scale[k] += if (over - scale[k]).rem_euclid(12) == 1 { 1 } else { -1 };
            }
        }
        Harmony { chord, scale, name: chord.symbol(flats) }
    }

    /// How many of a chord's notes the scale has, and of how many.
    pub(super) fn holds(self, chord: Chord) -> (usize, usize) {
        let steps = self.mode.steps();
        let of_chord = (0..12u8).filter(|class| chord.has(*class));
        let within = of_chord.clone().filter(|class| steps.iter().any(|step| (self.tonic + step) % 12 == *class));
        (within.count(), of_chord.count())
    }

    /// The pitch of a step of the scale, counted from the tonic of the lowest octave, as the harmony bends it.
    pub(super) fn pitch(self, step: i32, harmony: &Harmony) -> i32 {
        let (octave, degree) = (step.div_euclid(DEGREES as i32), step.rem_euclid(DEGREES as i32));
        i32::from(self.tonic) + 12 * octave + harmony.scale[degree as usize]
    }

    /// Whether a step is a note of the chord.
    pub(super) fn is_of_chord(self, step: i32, harmony: &Harmony) -> bool {
        harmony.chord.has(self.pitch(step, harmony).rem_euclid(12) as u8)
    }

    /// The step of the chord that is nearest to another one; of two the lower, or the higher.
    pub(super) fn nearest(self, step: i32, upwards: bool, harmony: &Harmony) -> i32 {
        let sign = if upwards { 1 } else { -1 };
        let around = (0..DEGREES as i32).flat_map(|away| [step + sign * away, step - sign * away]);
        around.clone().find(|step| self.is_of_chord(*step, harmony)).unwrap_or(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_have_the_chords_that_theory_gives_them() {
        let names = |tonic: u8, mode: Mode| {
            let scale = Scale { tonic, mode };
            (0..DEGREES).map(|degree| scale.on(degree, true).chord.symbol(false)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(0, Mode::Major), "C Dm Em F G7 Am Bdim");
        assert_eq!(names(9, Mode::Minor), "Am Bdim C Dm E7 F G");
        assert_eq!(names(2, Mode::Dorian), "Dm Em F G Am Bdim C");
        assert_eq!(names(4, Mode::Phrygian), "Em F G Am Bdim C Dm");
        assert_eq!(names(5, Mode::Lydian), "F G Am Bdim C Dm Em");
        assert_eq!(names(7, Mode::Mixolydian), "G Am Bdim C Dm Em F");
    }

    #[test]
    fn a_foreign_chord_bends_the_scale_to_its_notes() {
        let scale = Scale { tonic: 0, mode: Mode::Major };
        for symbol in ["E7", "Fm", "Bb", "Ab", "D7", "Cdim7", "F#m7b5", "Db", "Caug", "B7"] {
            let harmony = scale.with(Chord::named(symbol).unwrap(), false);
            let classes: Vec<u8> = (0..7).map(|k| scale.pitch(k, &harmony).rem_euclid(12) as u8).collect();
            let missing: Vec<u8> = (0..12).filter(|c| harmony.chord.has(*c) && !classes.contains(c)).collect();
            assert!(missing.is_empty(), "{symbol}: {missing:?} of {classes:?}");
        }
    }

    #[test]
    fn every_degree_leads_on() {
        for mode in [Mode::Major, Mode::Minor, Mode::Dorian, Mode::Phrygian, Mode::Lydian, Mode::Mixolydian] {
            for from in 0..DEGREES {
                let sum: f32 = (0..DEGREES).map(|to| mode.follows(from, to)).sum();
                assert!(sum > 0.0 && mode.follows(mode.dominant(), 0) > 0.0);
            }
        }
    }
}
