//! A band: who plays which part of a piece, for composers that write a bass to drums or drums to a bass.

mod joining;
mod registers;

pub use joining::{given_to, in_its_place, join};
pub use registers::Registers;

use cantus_encoding::rhythm_section;
use cantus_score::{
    Note, Outer, Part, Pitch, Score, Ticks, TicksPerQuarter, bass_of, find_key, merge_parts, outer_line, quantize,
};

/// Which parts of a piece are which.
#[derive(Clone, Debug, Default)]
pub struct Band {
    /// Strokes of all drum parts.
    pub drums: Vec<Note>,
    /// The bass: one part, or the lowest line of a piece that has none by itself.
    pub bass: Vec<Note>,
    /// The part that the bass is; `None` where it is a line.
    pub bass_part: Option<usize>,
    /// All other notes with a pitch.
    pub others: Vec<Note>,
}

impl Band {
    /// Who plays what in a score.
    pub fn of(score: &Score) -> Band {
        let mut drums: Vec<Note> =
            score.parts.iter().filter(|part| part.drums).flat_map(|part| &part.notes).copied().collect();
        drums.sort_unstable();
        let bass_part = bass_of(&score.parts);
        let pitched = |k: &usize| !score.parts[*k].drums && Some(*k) != bass_part;
        let others: Vec<&Part> = (0..score.parts.len()).filter(pitched).map(|k| &score.parts[k]).collect();
        let mut rest: Vec<Note> = others.iter().flat_map(|part| &part.notes).copied().collect();
        rest.sort_unstable();
        let bass = match bass_part {
            Some(k) => score.parts[k].notes.clone(),
            None => {
                let merged = merge_parts(others).notes;
                outer_line(&merged, Outer::Lowest, score.ticks_per_quarter, score.ticks_per_quarter)
            }
        };
        if bass_part.is_none() {
            // A line is among the others.
            let line: std::collections::BTreeSet<(Ticks, Pitch)> =
                bass.iter().map(|note| (note.onset, note.pitch)).collect();
            rest.retain(|note| !line.contains(&(note.onset, note.pitch)));
        }
        Band { drums, bass, bass_part, others: rest }
    }
}

/// A score on a grid, in which a note keeps a step at least.
pub fn on_grid(score: &Score, steps: TicksPerQuarter) -> Score {
    quantize(score, steps, 0.5).0
}

/// Where the bars of a score on the grid begin, and where the last one ends.
pub fn bar_starts(score: &Score) -> (Vec<usize>, usize) {
    let bars: Vec<_> = score.bars().collect();
    let starts = bars.iter().map(|bar| bar.start.0 as usize).collect();
    (starts, bars.last().map_or(0, |bar| bar.end().0.min(rhythm_section::MOST_STEPS) as usize))
}

/// The tonic that the file names, or that of the other parts: what is written says nothing of it.
pub fn tonic(score: &Score, band: &Band) -> Option<u8> {
    let named = score.keys.first().map(|(_, key)| *key);
    named.or_else(|| find_key(&band.others)).map(|key| key.tonic())
}

/// The lowest pitch; that of a bass's open string where there is none.
pub fn lowest(notes: &[Note]) -> Pitch {
    let open = Pitch::PIANO.0;
    notes.iter().map(|note| note.pitch).min().unwrap_or(open)
}
