//! One line out of many notes.

use crate::{Note, Part, Score, Ticks, TicksPerQuarter, merge_parts};

/// Words that name a melody part.
const MELODY_WORDS: [&str; 8] = ["melod", "vocal", "voice", "lead", "sopran", "cantus", "tune", "theme"];

/// Which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// The melody.
    Highest,
    /// The bass.
    Lowest,
}

/// The outermost line of sorted notes: of those that begin in one step of `grid` and sound together the outermost, unless one that is
/// still held lies beyond it. Each lasts until the next begins, at the longest.
///
/// A line that is played legato has notes that overlap a little, on the way down as on the way up. An overlap shorter than a step, and
/// than two fifths of the note that is held too long, is articulation; the next note belongs to the line. So do two that a step has one
/// after the other: a dotted rhythm or a run that is finer than the grid.
pub fn outer_line(notes: &[Note], outer: Outer, per_quarter: TicksPerQuarter, grid: TicksPerQuarter) -> Vec<Note> {
    let step = |at: Ticks| at.rescale(per_quarter, grid);
    let a_step = Ticks(1).rescale(grid, per_quarter).max(Ticks(1));
    let is_beyond = |a: &Note, b: &Note| match outer {
        Outer::Highest => a.pitch > b.pitch,
        Outer::Lowest => a.pitch < b.pitch,
    };
    let overlaps = |held: &Note, next: &Note| 5 * held.end().0.saturating_sub(next.onset.0) > 2 * held.duration.0;
    let mut line: Vec<Note> = Vec::new();
    for chord in notes.chunk_by(|a, b| step(a.onset) == step(b.onset) && overlaps(a, b)) {
        let outermost = chord.iter().copied().reduce(|best, note| if is_beyond(&best, &note) { best } else { note });
        let Some(note) = outermost else { continue };
        if let Some(held) = line.last_mut().filter(|held| held.end() > note.onset) {
            let overlap = held.end() - note.onset;
            let is_articulation = overlap < a_step && !overlaps(held, &note);
            if is_beyond(held, &note) && !is_articulation {
                continue;
            }
            held.duration = (note.onset - held.onset).max(Ticks(1));
        }
        line.push(note);
    }
    line
}

/// Of parts with notes, and no drums, the one that is the melody: of those named so, else of all, the highest (by its mean pitch) that has a
/// quarter as many notes as the richest at least, and plays one note at a time in nine of ten onsets. Where there is none such, all of
/// those named so, else all.
pub fn melody_of(mut parts: Vec<&Part>) -> Vec<&Part> {
    if parts.iter().any(|part| is_named_melody(part)) {
        parts.retain(|part| is_named_melody(part));
    }
    let richest = parts.iter().map(|part| part.notes.len()).max().unwrap_or(0);
    let lines = parts.iter().filter(|part| 4 * part.notes.len() >= richest && part.is_one_line());
    // The first of equals: files put the melody first.
    let best = lines.rev().max_by(|a, b| a.mean_pitch().total_cmp(&b.mean_pitch()));
    match best {
        Some(best) => vec![best],
        None => parts,
    }
}

/// The melody of a score: of the parts that [`melody_of`] finds the highest line, each note up to the next at the longest.
pub fn melody_line(score: &Score) -> Vec<Note> {
    melody_line_within(score, score.ticks_per_quarter)
}

/// The same of a score whose notes may be off a grid: see [`outer_line`].
pub fn melody_line_within(score: &Score, grid: TicksPerQuarter) -> Vec<Note> {
    let pitched = score.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
    let merged = merge_parts(melody_of(pitched)).notes;
    outer_line(&merged, Outer::Highest, score.ticks_per_quarter, grid)
}

fn is_named_melody(part: &Part) -> bool {
    let name = part.name.as_deref().unwrap_or_default().to_lowercase();
    MELODY_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pitch, Velocity};

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        let pitch = Pitch::try_from(pitch).unwrap();
        Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT }
    }

    fn line(notes: &[Note], outer: Outer, per_quarter: u32) -> Vec<Note> {
        outer_line(notes, outer, TicksPerQuarter::new(per_quarter).unwrap(), TicksPerQuarter::new(4).unwrap())
    }

    #[test]
    fn the_outermost_is_kept_and_what_begins_under_a_held_note_waits() {
        let notes = [note(0, 60, 4), note(0, 72, 4), note(2, 64, 2), note(4, 71, 8), note(6, 74, 2), note(8, 50, 2)];
        let highest = [note(0, 72, 4), note(4, 71, 2), note(6, 74, 2), note(8, 50, 2)];
        assert_eq!(line(&notes, Outer::Highest, 4), highest);
        assert_eq!(line(&notes, Outer::Lowest, 4), [note(0, 60, 4), note(4, 71, 4), note(8, 50, 2)]);
    }

    #[test]
    fn a_legato_line_keeps_all_its_notes() {
        let pitches = [60u8, 62, 64, 65, 67, 65, 64, 62];
        for overlap in [20, 60, 110] {
            let legato: Vec<Note> = (0..8).map(|k| note(480 * k, pitches[k as usize], 480 + overlap)).collect();
            for outer in [Outer::Highest, Outer::Lowest] {
                let found = line(&legato, outer, 480);
                assert_eq!(found.iter().map(|note| note.pitch.get()).collect::<Vec<_>>(), pitches, "{overlap}");
                assert!(found.windows(2).all(|pair| pair[0].end() == pair[1].onset));
            }
        }
    }

    #[test]
    fn what_is_finer_than_the_grid_is_kept() {
        // A dotted sixteenth, a 32nd, an eighth, played a little apart; then a run of 32nds.
        let mut notes = vec![note(0, 71, 180), note(180, 69, 58), note(240, 67, 230), note(480, 71, 170)];
        notes.extend((0..8).map(|k| note(720 + 60 * k, 72 - k as u8, 62)));
        for outer in [Outer::Highest, Outer::Lowest] {
            let onsets = |notes: &[Note]| notes.iter().map(|note| note.onset).collect::<Vec<_>>();
            assert_eq!(onsets(&line(&notes, outer, 480)), onsets(&notes));
        }
    }

    #[test]
    fn an_accompaniment_stays_outside_and_a_chord_may_be_spread() {
        // Eighths over sixteenths that begin a little late; then a chord whose highest note comes last, 10 ticks after the lowest.
        let mut notes = vec![note(0, 72, 240), note(130, 60, 110), note(240, 71, 240), note(365, 60, 115)];
        notes.extend([note(480, 48, 960), note(484, 64, 956), note(490, 76, 950), note(500, 67, 900)]);
        let pitches: Vec<u8> = line(&notes, Outer::Highest, 480).iter().map(|note| note.pitch.get()).collect();
        assert_eq!(pitches, [72, 71, 76]);
    }
}
