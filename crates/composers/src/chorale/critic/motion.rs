//! How two voices move together: what of it the corpus avoids, and the network does not.
//!
//! The network's choices are weighted by how much rarer, or more frequent, each motion is in the corpus than in its own pieces; because
//! that changes its pieces, the weights are found step by step: J. Darroch and D. Ratcliff, Generalized Iterative Scaling for Log-Linear
//! Models, Annals of Mathematical Statistics 43, 1972.

use cantus_encoding::voices::{Chord, VOICES};

/// Kinds of motion: the interval before and after within the octave, and whether each voice rises.
pub(in super::super) const MOTIONS: usize = 12 * 12 * 4;
/// No kind is thought to be more than `e` to this power times as likely, or unlikely.
const FARTHEST: f64 = 4.0;
/// Added to how often each kind occurs: what was never heard may just be rare.
const UNHEARD: f64 = 1.0;

/// The kind of motion of two voices, the upper one first; `None` where one of them stays.
fn kind(upper: (i32, i32), lower: (i32, i32)) -> Option<usize> {
    let between = |upper: i32, lower: i32| (upper - lower).rem_euclid(12) as usize;
    let rises = |voice: (i32, i32)| usize::from(voice.1 > voice.0);
    (upper.0 != upper.1 && lower.0 != lower.1)
        .then(|| ((between(upper.0, lower.0) * 12 + between(upper.1, lower.1)) * 2 + rises(upper)) * 2 + rises(lower))
}

/// How a voice moves from one chord to the next, where it sings in both.
pub(in super::super) fn step(voice: usize, before: Chord, now: Chord) -> Option<(i32, i32)> {
    let pitch = |chord: Chord| chord.pitch(voice).map(|pitch| i32::from(pitch.get()));
    Some((pitch(before)?, pitch(now)?))
}

/// The logarithms of how much more likely each kind of motion has to become.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Motions(Vec<f32>);

impl Motions {
    /// # Shapes
    /// `weights`: `[MOTIONS]`
    pub(in super::super) fn new(weights: Vec<f32>) -> Motions {
        Motions(weights)
    }

    pub(in super::super) fn weights(&self) -> &[f32] {
        &self.0
    }

    /// That of a step of `voice`, given the steps of the other voices that are known.
    pub(in super::super) fn of(&self, voice: usize, step: (i32, i32), others: &[Option<(i32, i32)>; VOICES]) -> f32 {
        let weight = |(other, moved): (usize, &Option<(i32, i32)>)| {
            let moved = (*moved)?;
            let kind = if other < voice { kind(moved, step) } else { kind(step, moved) };
            Some(self.0[kind?])
        };
        others.iter().enumerate().filter(|(other, _)| *other != voice).filter_map(weight).sum()
    }

    /// Moves on to what the corpus has, given how often each kind occurs there and in pieces composed with these weights.
    pub(super) fn scale(&mut self, real: &[f64], ours: &[f64], rate: f64) {
        let (of_real, of_ours) = (real.iter().sum::<f64>(), ours.iter().sum::<f64>());
        for ((weight, real), ours) in self.0.iter_mut().zip(real).zip(ours) {
            // Both as if the pieces were as long as the corpus.
            let ours = ours * of_real / of_ours.max(1.0);
            let found = f64::from(*weight) + rate * ((real + UNHEARD) / (ours + UNHEARD)).ln();
            *weight = found.clamp(-FARTHEST, FARTHEST) as f32;
        }
    }
}

/// How often each kind of motion occurs.
pub(super) fn count<'a>(pieces: impl IntoIterator<Item = &'a [Chord]>) -> Vec<f64> {
    let mut counts = vec![0.0; MOTIONS];
    for pair in pieces.into_iter().flat_map(|piece| piece.windows(2)) {
        let steps: [Option<(i32, i32)>; VOICES] = std::array::from_fn(|voice| step(voice, pair[0], pair[1]));
        for lower in 1..VOICES {
            for upper in 0..lower {
                let kind = steps[upper].zip(steps[lower]).and_then(|(upper, lower)| kind(upper, lower));
                kind.into_iter().for_each(|kind| counts[kind] += 1.0);
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Pitch;

    fn chord(pitches: [u8; VOICES]) -> Chord {
        Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok()))
    }

    #[test]
    fn parallel_fifths_are_of_one_kind_whichever_voices_make_them() {
        // Soprano and tenor, a twelfth apart, rise by a tone; alto and bass, a fifth apart, fall by one.
        let first = count([&[chord([74, 67, 55, 48]), chord([76, 67, 57, 48])][..]]);
        let second = count([&[chord([72, 67, 60, 48]), chord([72, 65, 60, 46])][..]]);
        let rising = kind((7, 9), (0, 2)).unwrap();
        let falling = kind((7, 5), (0, -2)).unwrap();
        assert_eq!((first[rising], first.iter().sum::<f64>()), (1.0, 1.0));
        assert_eq!((second[falling], second.iter().sum::<f64>()), (1.0, 1.0));
        assert_ne!(rising, falling);
        assert!(kind((7, 7), (0, 2)).is_none(), "a voice that stays makes none");
    }

    #[test]
    fn what_the_corpus_avoids_becomes_less_likely_until_both_have_as_much() {
        let (fifths, sixths) = (kind((7, 9), (0, 2)).unwrap(), kind((9, 11), (0, 2)).unwrap());
        let counts = |pairs: [(usize, f64); 2]| {
            let mut counts = vec![0.0; MOTIONS];
            pairs.iter().for_each(|(kind, count)| counts[*kind] = *count);
            counts
        };
        let real = counts([(fifths, 1.0), (sixths, 99.0)]);
        let mut motions = Motions::new(vec![0.0; MOTIONS]);
        motions.scale(&real, &counts([(fifths, 10.0), (sixths, 40.0)]), 1.0);
        let bass = [None, None, None, Some((40, 42))];
        let (of_fifths, of_sixths) = (motions.of(0, (47, 49), &bass), motions.of(0, (49, 51), &bass));
        assert!((of_fifths - (2.0f32 / 21.0).ln()).abs() < 1e-6, "{of_fifths}");
        assert!((of_sixths - (100.0f32 / 81.0).ln()).abs() < 1e-6, "{of_sixths}");
        assert_eq!(motions.of(0, (47, 47), &bass), 0.0);
        let before = motions.clone();
        motions.scale(&real, &real, 1.0);
        assert_eq!(motions, before);
    }
}
