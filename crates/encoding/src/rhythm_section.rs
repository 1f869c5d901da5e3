//! Drums and bass as frames: what is struck at each step.
//!
//! Source: M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20 (github.com/mkarpenkospb/drum_and_bass): 14 kinds of drums, 36 columns
//! of bass counted from its lowest note.
//! Departures: every stroke of General MIDI's kit goes to the kind that it is like, where theirs drops what is not in the list; a bass has
//! rests, a column of its own; what lies beyond the columns is moved down by octaves, where theirs is dropped.
//!
//! `decode(encode(notes)) == canonicalize(notes)`: a note lasts until the next onset, unless a silence of `least` steps or more is between.

use cantus_score::{DRUM_KINDS, Note, Pitch, Ticks, Velocity};

/// The kinds of drums.
pub const KINDS: [u8; 14] = DRUM_KINDS;
/// The kick's and the snare's place among [`KINDS`].
pub const KICK: usize = 0;
/// See [`KICK`].
pub const SNARE: usize = 1;
/// Columns of a bass.
pub const COLUMNS: usize = 36;
/// The item of a bass's frame that ends what sounds.
pub const REST: usize = COLUMNS;
/// Items of a bass's frame: the columns and the rest.
pub const ITEMS: usize = COLUMNS + 1;
/// The most steps of a piece.
pub const MOST_STEPS: u64 = 1 << 20;

/// The kind of a stroke, whatever is struck.
pub fn kind(pitch: Pitch) -> usize {
    match pitch.get() {
        35 | 36 => 0,
        37..=40 => 1,
        42 | 44 => 2,
        41 | 43 => 3,
        45 | 47 => 4,
        46 => 5,
        48 | 50 => 6,
        49 | 52 | 55 | 57 => 7,
        51 | 53 | 59 => 8,
        60 | 65 | 67 | 76 => 10,
        61 | 66 | 68 | 77 => 11,
        62 | 69 | 70 => 12,
        63 | 64 | 82 => 13,
        0..=34 => 0,
        _ => 9,
    }
}

/// The drums of each step: a bit for each kind that is struck. `notes` are on the grid.
pub fn drums<'a>(notes: impl IntoIterator<Item = &'a Note>, steps: usize) -> Vec<u16> {
    let mut rows = vec![0; steps];
    for note in notes {
        if let Some(row) = rows.get_mut(usize::try_from(note.onset.0).unwrap_or(usize::MAX)) {
            *row |= 1 << kind(note.pitch);
        }
    }
    rows
}

/// The column of a pitch: semitones over the lowest one, moved down by octaves where that is too many.
pub fn column(pitch: Pitch, lowest: Pitch) -> usize {
    let above = usize::from(pitch.get().saturating_sub(lowest.get()));
    if above < COLUMNS { above } else { COLUMNS - 12 + (above - COLUMNS) % 12 }
}

/// The frames of a bass: the columns that begin at each step, or [`REST`] where what sounds ends and is silent for `least` steps or more.
/// `notes` are sorted, and on the grid.
pub fn encode(notes: &[Note], lowest: Pitch, steps: usize, least: usize) -> Vec<u128> {
    let mut frames = vec![0u128; steps];
    let mut chords = notes.chunk_by(|a, b| a.onset == b.onset).peekable();
    while let Some(chord) = chords.next() {
        let onset = chord[0].onset.0 as usize;
        let Some(frame) = frames.get_mut(onset) else { break };
        *frame = chord.iter().fold(*frame, |all, note| all | 1 << column(note.pitch, lowest));
        let end = chord.iter().map(|note| note.end().0 as usize).max().unwrap_or(onset).max(onset + 1);
        let next = chords.peek().map_or(steps, |next| next[0].onset.0 as usize).min(steps);
        if end < next && next - end >= least.max(1) {
            frames[end] |= 1 << REST;
        }
    }
    frames
}

/// The notes of frames: each lasts until something else begins, or a rest.
pub fn decode(frames: &[u128], lowest: Pitch) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut end = frames.len() as u64;
    for (step, frame) in frames.iter().enumerate().rev().filter(|(_, frame)| **frame != 0) {
        let onset = Ticks(step as u64);
        for column in (0..COLUMNS).rev().filter(|column| frame >> column & 1 == 1) {
            let pitch =
                u8::try_from(usize::from(lowest.get()) + column).ok().and_then(|pitch| Pitch::try_from(pitch).ok());
            // No MIDI pitch is higher.
            let Some(pitch) = pitch else { continue };
            notes.push(Note { onset, pitch, duration: Ticks(end - onset.0), velocity: Velocity::DEFAULT });
        }
        end = onset.0;
    }
    notes.reverse();
    notes
}

/// The strokes of rows of drums, each as short as a step.
pub fn strokes(rows: &[u16]) -> Vec<Note> {
    let mut notes = Vec::new();
    for (step, row) in rows.iter().enumerate() {
        for (_, pitch) in KINDS.iter().enumerate().filter(|(kind, _)| row >> kind & 1 == 1) {
            let Ok(pitch) = Pitch::try_from(*pitch) else { continue };
            notes.push(Note { onset: Ticks(step as u64), pitch, duration: Ticks(1), velocity: Velocity::DEFAULT });
        }
    }
    notes.sort_unstable();
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        }
    }

    fn pitch(number: u8) -> Pitch {
        Pitch::try_from(number).unwrap()
    }

    #[test]
    fn patterns_are_coded_to_the_bit() {
        // Kick and closed hi-hat, snare with a second one, an electric kick and a crash.
        let strokes = [note(0, 36, 1), note(0, 42, 1), note(4, 38, 1), note(4, 40, 1), note(6, 35, 2), note(6, 57, 1)];
        assert_eq!(drums(&strokes, 8), [0b101, 0, 0, 0, 0b10, 0, 0b1000_0001, 0]);
        // Every pitch of the list is its own kind.
        assert_eq!(KINDS.map(|number| kind(pitch(number))), std::array::from_fn(|k| k));
        assert!((0..=127).all(|number| kind(pitch(number)) < KINDS.len()));
        // E and its fifth above, a rest, two at once, one that lies three octaves over the lowest.
        let bass = [note(0, 28, 2), note(2, 35, 1), note(6, 28, 1), note(6, 40, 1), note(7, 65, 1)];
        let frames = encode(&bass, pitch(28), 10, 2);
        assert_eq!(frames, [1, 0, 1 << 7, 1 << REST, 0, 0, 1 | 1 << 12, 1 << 25, 1 << REST, 0]);
        let found: Vec<(u64, u8, u64)> =
            decode(&frames, pitch(28)).iter().map(|note| (note.onset.0, note.pitch.get(), note.duration.0)).collect();
        assert_eq!(found, [(0, 28, 2), (2, 35, 1), (6, 28, 1), (6, 40, 1), (7, 53, 1)]);
        // A gap that is too short to hear is none.
        assert_eq!(encode(&[note(0, 30, 3), note(4, 30, 4)], pitch(30), 8, 2), [1, 0, 0, 0, 1, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn what_frames_can_say_is_read_back(frames in prop::collection::vec(0usize..5, 1..60), low in 20u8..60) {
            let mut sounds = false;
            let frames: Vec<u128> = frames.iter().map(|kind| {
                let frame = match kind { 0 | 1 => 0, 2 => 1 << 9, 3 => 1 | 1 << 30, _ if sounds => 1 << REST, _ => 0 };
                sounds = if frame == 0 { sounds } else { frame != 1 << REST };
                frame
            }).collect();
            prop_assume!(frames.iter().any(|frame| *frame != 0));
            let notes = decode(&frames, pitch(low));
            prop_assert!(notes.is_sorted());
            let again = encode(&notes, pitch(low), frames.len(), 1);
            prop_assert_eq!(decode(&again, pitch(low)), notes);
            prop_assert_eq!(again, frames);
        }

        #[test]
        fn strokes_are_read_back(rows in prop::collection::vec(0u16..1 << 14, 0..40)) {
            prop_assert_eq!(drums(&strokes(&rows), rows.len()), rows);
        }
    }
}
