//! The character of a piece: how often each voice begins a note at each place of the beat.
//!
//! Each chorale is of one character throughout, lively or calm; a network that goes from step to step returns to the middle of all. So a
//! new piece is given the character of some piece of the corpus, drawn by chance, and the odds that a voice moves follow from it.

use cantus_encoding::voices::{Chord, VOICES};

/// Added to the counts of what happened and of what did not: what never happened in a piece may happen.
const UNHEARD: f64 = 0.5;
/// How far characters may be exaggerated so that they can be heard.
const MOST: f64 = 3.0;

/// The characters of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Characters {
    places: usize,
    /// Of each piece the log-odds that a voice begins a note at a place of the beat: `[pieces, places]`, voice by voice.
    known: Vec<f32>,
    /// What is added to the network's own log-odds at each place, and, last, how far a character's distance from the middle counts.
    scales: Vec<f32>,
}

/// The log-odds that a voice begins a note at each place of the beat, voice by voice.
pub(in super::super) fn of(chords: &[Chord], steps_per_quarter: usize) -> Vec<f64> {
    let (mut moved, mut all) = (vec![UNHEARD; VOICES * steps_per_quarter], vec![2.0 * UNHEARD; steps_per_quarter]);
    for (at, pair) in chords.windows(2).enumerate() {
        let place = (at + 1) % steps_per_quarter;
        all[place] += 1.0;
        for voice in (0..VOICES).filter(|voice| pair[0].pitch(*voice) != pair[1].pitch(*voice)) {
            moved[voice * steps_per_quarter + place] += 1.0;
        }
    }
    moved.iter().enumerate().map(|(k, moved)| (moved / (all[k % steps_per_quarter] - moved)).ln()).collect()
}

impl Characters {
    /// Those of a corpus, given each piece's log-odds; nothing is added to the network's own yet.
    pub(super) fn new(known: &[Vec<f64>]) -> Characters {
        let places = known.first().map_or(0, Vec::len);
        Characters {
            places,
            known: known.iter().flatten().map(|odds| *odds as f32).collect(),
            scales: vec![0.0; places + 1],
        }
    }

    /// Out of a model file; `None` where the numbers do not fit together.
    pub(in super::super) fn read(known: Vec<f32>, scales: Vec<f32>, places: usize) -> Option<Characters> {
        let fits = scales.len() == places + 1 && !known.is_empty() && known.len().is_multiple_of(places);
        fits.then_some(Characters { places, known, scales })
    }

    /// All that a model file keeps: the characters, `[pieces, places]`, and the scales, `[places + 1]`.
    pub(in super::super) fn parts(&self) -> (&[f32], &[f32]) {
        (&self.known, &self.scales)
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.known.len() / self.places
    }

    /// A piece's character.
    pub(in super::super) fn known(&self, piece: usize) -> Vec<f64> {
        self.known[piece * self.places..][..self.places].iter().map(|odds| f64::from(*odds)).collect()
    }

    /// What is added to the log-odds that a voice moves at each place, for a piece of this character; without one, of none in particular.
    pub(in super::super) fn odds(&self, character: Option<&[f64]>) -> Vec<f32> {
        let scale = self.scales[self.places];
        let of_place = |place: usize| {
            let middle =
                (0..self.len()).map(|piece| self.known[piece * self.places + place]).sum::<f32>() / self.len() as f32;
            self.scales[place] + character.map_or(0.0, |odds| scale * (odds[place] as f32 - middle))
        };
        (0..self.places).map(of_place).collect()
    }

    /// Moves on to what the corpus has, given the log-odds of pieces that were composed with the characters of `pieces`.
    pub(super) fn scale(&mut self, pieces: &[usize], ours: &[Vec<f64>], rate: f64) {
        let real: Vec<Vec<f64>> = pieces.iter().map(|piece| self.known(*piece)).collect();
        let count = ours.len().max(1) as f64;
        let mean = |set: &[Vec<f64>], place: usize| set.iter().map(|odds| odds[place]).sum::<f64>() / count;
        let (mut of_real, mut of_ours) = (0.0, 0.0);
        for place in 0..self.places {
            let (middle, found) = (mean(&real, place), mean(ours, place));
            self.scales[place] += (rate * (middle - found)) as f32;
            let spread = |set: &[Vec<f64>], mean: f64| set.iter().map(|odds| (odds[place] - mean).powi(2)).sum::<f64>();
            of_real += spread(&real, middle);
            of_ours += spread(ours, found);
        }
        let farther = rate * (1.0 - (of_ours / of_real.max(f64::MIN_POSITIVE)).sqrt());
        let scale = &mut self.scales[self.places];
        *scale = (f64::from(*scale) + farther).clamp(0.0, MOST) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Pitch;

    fn chord(soprano: u8) -> Chord {
        Chord::new([soprano, 67, 60, 48].map(|pitch| Pitch::try_from(pitch).ok()))
    }

    /// The soprano moves at every so many steps.
    fn piece(every: usize) -> Vec<Chord> {
        (0..65).map(|step| chord(if (step / every).is_multiple_of(2) { 72 } else { 74 })).collect()
    }

    #[test]
    fn a_character_is_how_often_each_voice_moves_at_each_place_of_the_beat() {
        let quavers = of(&piece(2), 4);
        let odds = |moved: f64| ((moved + 0.5) / (16.5 - moved)).ln();
        let expected = [16.0, 0.0, 16.0, 0.0];
        assert!(quavers[..4].iter().zip(expected).all(|(found, moved)| (found - odds(moved)).abs() < 1e-9));
        assert!(quavers[4..].iter().all(|found| (found - odds(0.0)).abs() < 1e-9));
    }

    #[test]
    fn odds_are_those_of_the_middle_moved_to_a_character_and_learn_from_what_came_of_them() {
        let known: Vec<Vec<f64>> = [1, 2, 4].map(|every| of(&piece(every), 4)).into();
        let mut characters = Characters::new(&known);
        assert!(characters.odds(Some(&known[0])).iter().all(|odds| *odds == 0.0));
        // Pieces that are all alike, and move too seldom.
        let alike = vec![of(&piece(8), 4); 3];
        characters.scale(&[0, 1, 2], &alike, 0.5);
        let (lively, calm, none) =
            (characters.odds(Some(&known[0])), characters.odds(Some(&known[2])), characters.odds(None));
        assert!(none[0] > 0.0 && lively[1] > none[1] && calm[1] < none[1], "{lively:?} {calm:?} {none:?}");
        // What is right stays.
        let before = characters.clone();
        let mut again = characters.clone();
        again.scale(&[0, 1, 2], &known, 0.5);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(again.parts().1, before.parts().1));
        let (known, scales) = before.parts();
        assert_eq!(Characters::read(known.to_vec(), scales.to_vec(), 16), Some(before.clone()));
        assert_eq!(Characters::read(known[1..].to_vec(), scales.to_vec(), 16), None);
        assert_eq!(Characters::read(Vec::new(), scales.to_vec(), 16), None);
    }
}
