//! Bars of music that are most like a theme: exact and near turns of its melody first, then bars whose counts are alike.
//!
//! Without a model, and whatever the keys: a melody is found in any transposition, and counts are compared where both stand in the key without
//! accidentals, or at the pitch at which they stand in the piece.

use cantus_encoding::bar_bags::Bag;
use cantus_encoding::melody_steps::{HIGHEST, HOLD, LOWEST, MelodySteps, OUTCOMES, SILENCE, grid_of, steps_of};
use cantus_model::home;
use cantus_score::{Score, TicksPerQuarter};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::ops::Range;

/// Bars of a theme that are looked for; what comes after them is left out.
const MOST_BARS: usize = 16;

/// Bars that were found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundBars {
    /// The file.
    pub file: String,
    /// The first and the last of the bars, as numbered in print.
    pub bars: (usize, usize),
    /// The share of notes that are the same: the same place, the same pitch in the best transposition; 1 where all are.
    pub notes: f64,
    /// By how many semitones the bars lie over the theme in that transposition.
    pub semitones: i32,
    /// How alike the counts of pitches, intervals, places and lengths are, 0-1.
    pub counts: f64,
}

/// A melody at its pitch, and how far over the key without accidentals.
struct Sung {
    melody: MelodySteps,
    over: i32,
}

impl Sung {
    fn of(score: &Score, grid: TicksPerQuarter) -> Sung {
        Sung { melody: MelodySteps::of(score, grid), over: home(score).1 }
    }

    fn steps(&self, bars: &Range<usize>) -> &[u8] {
        &self.melody.steps[steps_of(&self.melody.bars, bars)]
    }

    /// The bag of some bars, so many semitones lower.
    fn bag(&self, bars: &Range<usize>, down: i32) -> Bag {
        let moved = |outcome: &u8| match *outcome {
            HOLD | SILENCE => *outcome,
            key => moved(key, -down),
        };
        let steps: Vec<u8> = self.steps(bars).iter().map(moved).collect();
        Bag::of(&steps, bars.len(), self.melody.grid)
    }
}

/// An outcome moved, by octaves back onto the keyboard.
fn moved(outcome: u8, by: i32) -> u8 {
    let mut key = i32::from(outcome) + by;
    while key < 2 {
        key += 12;
    }
    while key > i32::from(HIGHEST - LOWEST) + 2 {
        key -= 12;
    }
    key as u8
}

/// The notes that begin in some steps: where, and which outcome.
fn onsets(steps: &[u8]) -> Vec<(usize, u8)> {
    steps.iter().copied().enumerate().filter(|(_, outcome)| *outcome > SILENCE).collect()
}

/// The share of notes that two stretches have in common in the best transposition, the smallest of equals; and by how many semitones the second is higher.
fn in_common(theme: &[(usize, u8)], other: &[(usize, u8)]) -> (f64, i32) {
    let mut counts = [0usize; 2 * OUTCOMES];
    let mut rest = other.iter().peekable();
    for (at, outcome) in theme {
        while rest.next_if(|(there, _)| there < at).is_some() {}
        if let Some((_, same)) = rest.next_if(|(there, _)| there == at) {
            counts[usize::from(*same) + OUTCOMES - usize::from(*outcome)] += 1;
        }
    }
    let semitones = |k: usize| k as i32 - OUTCOMES as i32;
    let best =
        (0..counts.len()).max_by_key(|k| (counts[*k], std::cmp::Reverse(semitones(*k).abs()))).unwrap_or(OUTCOMES);
    (2.0 * counts[best] as f64 / (theme.len() + other.len()).max(1) as f64, semitones(best))
}

/// The bars of `pieces`, each with its file's name, that are most like the melody of `theme`, the likeliest first, `most` at most: of each place as many
/// bars as the theme has, an upbeat not counted. Nothing where the theme has no melody.
pub fn find(theme: &Score, pieces: &[(String, Score)], most: usize) -> Vec<FoundBars> {
    let grid = grid_of(pieces.iter().map(|(_, piece)| piece).chain([theme]));
    let sung = Sung::of(theme, grid);
    let first = usize::from(sung.melody.upbeat);
    let bars = first..sung.melody.bars.len().min(first + MOST_BARS);
    let wanted = onsets(sung.steps(&bars));
    if wanted.is_empty() {
        return Vec::new();
    }
    let at_home = sung.bag(&bars, sung.over);
    let in_piece = |(name, piece): &(String, Score)| {
        let other = Sung::of(piece, grid);
        let at_pitch = sung.bag(&bars, other.over);
        let numbers: Vec<usize> = piece.numbered_bars().map(|(number, _)| number).collect();
        let all = other.melody.bars.len().min(numbers.len());
        let found = (0..(all + 1).saturating_sub(bars.len())).filter_map(|start| {
            let of = start..start + bars.len();
            let notes = onsets(other.steps(&of));
            let (share, semitones) = in_common(&wanted, &notes);
            let bag = (!notes.is_empty()).then(|| other.bag(&of, other.over))?;
            let counts = f64::from(bag.likeness(&at_home).max(bag.likeness(&at_pitch)));
            let bars = (numbers[of.start], numbers[of.end - 1]);
            Some(FoundBars { file: name.clone(), bars, notes: share, semitones, counts })
        });
        // Of bars that are played again, the first time through.
        let mut best: HashMap<(usize, usize), FoundBars> = HashMap::new();
        for found in found {
            best.entry(found.bars).or_insert(found);
        }
        let mut best: Vec<FoundBars> = best.into_values().collect();
        best.sort_by(better);
        best.truncate(most);
        best
    };
    let mut all: Vec<FoundBars> = pieces.par_iter().flat_map_iter(in_piece).collect();
    all.sort_by(better);
    all.truncate(most);
    all
}

/// Notes in common first, at the same pitch before another one; then counts; then the order of files and bars.
fn better(a: &FoundBars, b: &FoundBars) -> std::cmp::Ordering {
    let notes = b.notes.total_cmp(&a.notes).then((a.semitones != 0).cmp(&(b.semitones != 0)));
    notes.then(b.counts.total_cmp(&a.counts)).then_with(|| (&a.file, a.bars).cmp(&(&b.file, b.bars)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Part, Pitch, Ticks, Velocity};

    const FOUR: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    /// A tune of a number's own in eighths and quarters, in its own key, of eight bars in 4/4.
    fn tune(number: u64) -> Score {
        let mut state = number + 1;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut notes = Vec::new();
        let mut at = 0;
        while at < 8 * 16 {
            let length = [2, 2, 4][draw(3) as usize].min(8 * 16 - at);
            let scale = [0, 2, 4, 5, 7, 9, 11, 12];
            let pitch = Pitch::try_from((60 + number % 5 + scale[draw(8) as usize]) as u8).unwrap();
            notes.push(Note { onset: Ticks(at), pitch, duration: Ticks(length), velocity: Velocity::DEFAULT });
            at += length;
        }
        Score { parts: vec![Part { notes, ..Part::default() }], ..Score::new(FOUR) }
    }

    fn library() -> Vec<(String, Score)> {
        (0..30).map(|number| (format!("{number:02}.mid"), tune(number))).collect()
    }

    /// Some bars as a piece of their own.
    fn excerpt(piece: &Score, first: usize, last: usize) -> Score {
        piece.before(Ticks(16 * last as u64)).after(Ticks(16 * (first as u64 - 1)))
    }

    #[test]
    fn every_bar_of_a_library_is_found_first_in_any_key() {
        let library = library();
        for (name, piece) in &library {
            for bar in 1..=8 {
                let theme = excerpt(piece, bar, bar);
                let found = find(&theme, &library, 10);
                assert_eq!((found[0].notes, found[0].semitones), (1.0, 0));
                // Two bars may be the same note for note.
                let place = (found[0].file.clone(), found[0].bars.0);
                let other = library.iter().find(|(other, _)| *other == place.0).map(|(_, other)| other).unwrap();
                let same = excerpt(other, place.1, place.1).parts[0].notes == theme.parts[0].notes;
                assert!(place == (name.clone(), bar) || same, "{name} {bar}: {found:?}");
            }
            let moved = excerpt(piece, 3, 4).transposed(5).unwrap();
            let found = find(&moved, &library, 3);
            assert_eq!((&found[0].file, found[0].bars, found[0].notes, found[0].semitones), (name, (3, 4), 1.0, -5));
        }
    }

    #[test]
    fn near_turns_come_before_far_ones_and_counts_tell_the_rest_apart() {
        let library = library();
        let mut near = excerpt(&library[7].1, 2, 3);
        let note = &mut near.parts[0].notes[1];
        note.pitch = note.pitch.transposed(1).unwrap();
        let found = find(&near, &library, 5);
        assert_eq!((found[0].file.as_str(), found[0].bars), ("07.mid", (2, 3)));
        assert!(found[0].notes < 1.0 && found[0].notes > 0.8, "{found:?}");
        assert!(found.windows(2).all(|pair| pair[0].notes >= pair[1].notes), "{found:?}");
        assert!(found[0].counts > 0.9 && found.len() == 5);
        let silent = Score::new(FOUR);
        assert_eq!(find(&silent, &library, 5), []);
        assert_eq!(find(&near, &[], 5), []);
    }
}
