//! What pieces of the corpus have, and the network does not choose: who plays together and where, what comes again, how long loops last.

use super::closing;
use super::form::Plans;
use super::loops::Loops;
use super::past::Past;
use cantus_encoding::note_events::Vocabulary;
use cantus_model::Habits;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Ensembles that a model remembers at most.
const MOST_ENSEMBLES: usize = 1000;
/// Pieces whose mean loudness a model remembers at most.
const MOST_LEVELS: usize = 101;

/// See above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    /// For each instrument its lowest and its highest key, and how many keys it strikes at once at most.
    pub ranges: Vec<(u8, u8, u8)>,
    /// How many keys each instrument sounds at once at most.
    pub voices: Vec<u8>,
    /// Which instruments play together, piece by piece.
    pub ensembles: Vec<Vec<u8>>,
    /// What comes again, piece by piece.
    pub forms: Plans,
    /// Steps of most of the bars.
    pub bar: u32,
    /// The middle one of the pieces' numbers of bars.
    pub bars: usize,
    /// How long loops last at most: the same chord struck, then the same bar or the same two or four.
    pub loops: Loops,
    /// The share of pieces that end on the tonic.
    pub closing: f32,
    /// How loud pieces are in the mean, from the softest to the loudest, evenly spread: classes of loudness. Nothing where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f32>,
}

/// What is usual in one style.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Customs {
    pub usual: Usual,
    pub habits: Habits,
}

impl Usual {
    pub fn of(pieces: &[&Past], vocabulary: &Vocabulary) -> Usual {
        let mut ranges = vec![(127, 0, 0); vocabulary.instruments().len()];
        let mut voices = vec![1; ranges.len()];
        let mut ensembles = Vec::new();
        for piece in pieces {
            sounding(piece, &mut voices);
            let playing: BTreeSet<u8> = piece.notes().iter().map(|note| note.instrument).collect();
            if !playing.is_empty() && ensembles.len() < MOST_ENSEMBLES {
                ensembles.push(playing.into_iter().collect());
            }
            for chord in piece.notes().chunk_by(|a, b| (a.onset, a.instrument) == (b.onset, b.instrument)) {
                let (low, high, most) = &mut ranges[usize::from(chord[0].instrument)];
                *most = (*most).max(chord.len().min(127) as u8);
                for note in chord {
                    (*low, *high) = (note.pitch.min(*low), note.pitch.max(*high));
                }
            }
        }
        // An instrument that only the kept pieces have.
        ranges.iter_mut().filter(|(_, _, most)| *most == 0).for_each(|range| *range = (0, 127, 1));
        let mut of_bars: BTreeMap<u64, usize> = BTreeMap::new();
        pieces.iter().flat_map(|piece| piece.bars()).for_each(|bar| *of_bars.entry(bar.length.0).or_default() += 1);
        let bar = of_bars.into_iter().max_by_key(|(_, count)| *count).map_or(1, |(length, _)| length);
        let mut lengths: Vec<usize> = pieces.iter().map(|piece| piece.bars().len()).collect();
        lengths.sort_unstable();
        Usual {
            ranges,
            voices,
            ensembles,
            forms: Plans::of(pieces, vocabulary.clock()),
            bar: u32::try_from(bar).unwrap_or(u32::MAX).max(1),
            bars: lengths.get(lengths.len() / 2).copied().unwrap_or(0),
            loops: Loops::of(pieces),
            closing: closing::share(pieces, |number| vocabulary.is_drums(number)),
            levels: if vocabulary.velocities().len() > 1 { levels(pieces, vocabulary) } else { Vec::new() },
        }
    }

    /// Whether pieces differ in their loudness.
    pub fn has_levels(&self) -> bool {
        self.levels.first() < self.levels.last()
    }

    /// The class of loudness of a piece that is as loud as some are, from 0, the softest, to 1, the loudest.
    pub fn level(&self, place: f64) -> Option<f64> {
        let last = self.levels.len().checked_sub(1)?;
        Some(f64::from(self.levels[(place * last as f64).round() as usize]))
    }

    pub fn check(&self, vocabulary: &Vocabulary) -> Result<(), String> {
        let possible = |(low, high, most): &(u8, u8, u8)| low <= high && *high < 128 && *most > 0;
        if self.ranges.len() != vocabulary.instruments().len() || !self.ranges.iter().all(possible) {
            return Err(format!("the instruments' ranges are damaged: {:?}", self.ranges));
        }
        if self.voices.len() != self.ranges.len() || self.voices.contains(&0) {
            return Err(format!("the instruments' voices are damaged: {:?}", self.voices));
        }
        let plays = |number: &u8| usize::from(*number) < self.ranges.len();
        if !(0.0..=1.0).contains(&self.closing) {
            return Err(format!("the share of pieces that close is damaged: {}", self.closing));
        }
        if self.ensembles.is_empty() || !self.ensembles.iter().all(|all| !all.is_empty() && all.iter().all(plays)) {
            return Err("the ensembles are damaged".to_owned());
        }
        let is_level = |level: &f32| (0.0..vocabulary.velocities().len() as f32).contains(level);
        if self.levels.len() > MOST_LEVELS || !self.levels.iter().all(is_level) {
            return Err(format!("the levels of loudness are damaged: {:?}", self.levels));
        }
        if !self.forms.is_sound() {
            return Err("the forms are damaged".to_owned());
        }
        Ok(())
    }
}

/// The mean classes of loudness of pieces, in order, of many so many that are evenly spread.
fn levels(pieces: &[&Past], vocabulary: &Vocabulary) -> Vec<f32> {
    let of_piece = |piece: &&Past| {
        let pitched = || piece.notes().iter().filter(|note| !vocabulary.is_drums(note.instrument));
        let count = pitched().count();
        (count > 0).then(|| pitched().map(|note| f32::from(note.level)).sum::<f32>() / count as f32)
    };
    let mut levels: Vec<f32> = pieces.iter().filter_map(of_piece).collect();
    levels.sort_by(f32::total_cmp);
    match levels.len().checked_sub(1) {
        Some(last) if last >= MOST_LEVELS => (0..MOST_LEVELS).map(|k| levels[k * last / (MOST_LEVELS - 1)]).collect(),
        _ => levels,
    }
}

/// Raises the numbers of keys that each instrument sounds at once to those of a piece; drums do not last.
fn sounding(piece: &Past, voices: &mut [u8]) {
    let mut held: Vec<Vec<u32>> = vec![Vec::new(); voices.len()];
    for note in piece.notes() {
        let held = &mut held[usize::from(note.instrument)];
        held.retain(|end| *end > note.onset);
        held.push(note.end());
        let most = &mut voices[usize::from(note.instrument)];
        *most = (*most).max(held.len().min(127) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::super::form::tests::{bars, piece};
    use super::super::texture::Textures;
    use super::*;
    use cantus_model::{Controls, seeded};
    use cantus_score::{Bar, Ticks};

    #[test]
    fn forms_are_those_of_the_corpus_where_bars_are_as_long_and_the_end_is_free() {
        let vocabulary = {
            use cantus_score::{Note, Part, Pitch, Reading, Score, TicksPerQuarter, Velocity};
            let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
            let one = Note { onset: Ticks(0), pitch: Pitch::C4, duration: Ticks(4), velocity: Velocity::DEFAULT };
            score.parts.push(Part { notes: vec![one], ..Part::default() });
            Vocabulary::build([&score], Reading::Merged, false).unwrap()
        };
        let piece = piece(&[(60, 0), (50, 0), (60, 0), (50, 0)]);
        let textures = Textures::of(piece.notes(), 64, vocabulary.clock(), |_| false);
        let pieces = [piece.with_textures(textures)];
        let usual = Usual::of(&pieces.iter().collect::<Vec<_>>(), &vocabulary);
        assert!(usual.check(&vocabulary).is_ok());
        assert_eq!(
            (usual.bar, usual.bars, &usual.ranges[..], &usual.voices[..]),
            (16, 4, &[(50, 63, 1)][..], &[1][..])
        );
        let form = usual.forms.draw(&bars(4), 4, &mut seeded(1));
        let textures = usual.forms.draw_textures(&bars(4), vocabulary.clock(), &Controls::default(), &mut seeded(1));
        assert_eq!(textures, Textures::of(pieces[0].notes(), 64, vocabulary.clock(), |_| false));
        assert_eq!(form, Form::new(&bars(4), 4, |bar, _| (bar == 2).then_some(0)));
        let longer: Vec<Bar> = bars(4).into_iter().map(|bar| Bar { length: Ticks(12), ..bar }).collect();
        assert_eq!(usual.forms.draw(&longer, 4, &mut seeded(1)), Form::default());
        let mut damaged = usual;
        damaged.voices.clear();
        assert!(damaged.check(&vocabulary).is_err());
    }
}
