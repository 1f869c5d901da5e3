//! Parts taken apart into lines, each of which one voice can sing.

use super::formants::Register;
use cantus_score::{Note, Part, TicksPerQuarter};

/// A part has so many lines at most; of a chord of more, the lowest are not sung.
const MOST: usize = 8;
/// What a note costs, in semitones, that begins a new line though one is free.
const NEW: i32 = 1000;

/// What one voice sings, note after note.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub register: Register,
    /// None of them overlap.
    pub notes: Vec<Note>,
}

/// The lines of a part, the one that begins highest first.
///
/// Of a chord each note goes to a line that is free, so that lines do not cross and go the least way; a note that reaches a little into the
/// next, as players bind them, is cut there. Who sings a line says the part's name, or else where its notes lie.
pub fn of(part: &Part, quarter: TicksPerQuarter) -> Vec<Line> {
    let mut notes = part.notes.clone();
    notes.sort_unstable_by_key(|note| (note.onset, std::cmp::Reverse(note.pitch), std::cmp::Reverse(note.duration)));
    // Two singers of a part who have the same note sing the same line.
    notes.dedup_by_key(|note| (note.onset, note.pitch));
    let mut lines: Vec<Vec<Note>> = Vec::new();
    for chord in notes.chunk_by(|a, b| a.onset == b.onset) {
        place(&chord[..chord.len().min(MOST)], &mut lines, u64::from(quarter.get()));
    }
    let named = part.name.as_deref().map(Register::named).unwrap_or_default();
    let mean =
        |notes: &[Note]| notes.iter().map(|note| f64::from(note.pitch.get())).sum::<f64>() / notes.len().max(1) as f64;
    let line = |(k, notes): (usize, Vec<Note>)| {
        let register = match named.as_slice() {
            [] => Register::of_pitch(mean(&notes)),
            named => named[k.min(named.len() - 1)],
        };
        Line { register, notes }
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// Gives each note of a chord, from the highest down, to a line.
fn place(chord: &[Note], lines: &mut Vec<Vec<Note>>, quarter: u64) {
    let onset = chord[0].onset;
    let is_free = |line: &&usize| {
        let Some(last) = lines[**line].last() else { return true };
        let over = last.end().0.saturating_sub(onset.0);
        over <= (last.duration.0 / 4).min(quarter / 4)
    };
    let pitch = |line: usize| lines[line].last().map_or(0, |note| i32::from(note.pitch.get()));
    let all: Vec<usize> = (0..lines.len()).collect();
    let mut free: Vec<usize> = all.iter().filter(is_free).copied().collect();
    free.sort_by_key(|line| std::cmp::Reverse(pitch(*line)));
    // The cheapest way to go with the first notes and the first free lines; a line may be left out, a note only for a new one.
    let (rows, columns) = (chord.len(), free.len());
    let mut costs = vec![vec![0; columns + 1]; rows + 1];
    for row in 1..=rows {
        for column in 0..=columns {
            let alone = costs[row - 1][column] + NEW;
            costs[row][column] = match column {
                0 => alone,
                column => alone.min(costs[row][column - 1]).min(
                    costs[row - 1][column - 1]
                        + (pitch(free[column - 1]) - i32::from(chord[row - 1].pitch.get())).abs(),
                ),
            };
        }
    }
    let (mut row, mut column) = (rows, columns);
    let mut taken = vec![None; rows];
    while row > 0 {
        if costs[row][column] == costs[row - 1][column] + NEW {
            row -= 1;
        } else if column > 0 && costs[row][column] == costs[row][column - 1] {
            column -= 1;
        } else {
            (row, column) = (row - 1, column - 1);
            taken[row] = Some(free[column]);
        }
    }
    for (note, line) in chord.iter().zip(taken) {
        match line {
            Some(line) => {
                if let Some(last) = lines[line].last_mut().filter(|last| last.end() > onset) {
                    last.duration = onset - last.onset;
                }
                lines[line].push(*note);
            }
            None if lines.len() < MOST => lines.push(vec![*note]),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, Ticks, Velocity};

    fn lines(name: Option<&str>, notes: &[(u64, u8, u64)]) -> Vec<(Register, Vec<u8>)> {
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let part = Part { name: name.map(str::to_owned), notes: notes.iter().map(note).collect(), ..Part::default() };
        let lines = of(&part, TicksPerQuarter::new(4).unwrap());
        for line in &lines {
            assert!(line.notes.windows(2).all(|pair| pair[0].end() <= pair[1].onset));
        }
        lines
            .into_iter()
            .map(|line| (line.register, line.notes.iter().map(|note| note.pitch.get()).collect()))
            .collect()
    }

    #[test]
    fn two_voices_on_a_staff_stay_two() {
        use Register::{Alto, Soprano};
        let notes = [(0, 72, 4), (0, 64, 4), (4, 65, 4), (4, 60, 4), (8, 67, 8), (8, 59, 4), (12, 60, 4)];
        let expected = [(Soprano, vec![72, 65, 67]), (Alto, vec![64, 60, 59, 60])];
        assert_eq!(lines(Some("S.A."), &notes), expected);
        // What stands in the name counts for the lines in order; then the lower voices alone, nearest first.
        assert_eq!(lines(None, &notes).len(), 2);
        assert_eq!(lines(None, &[(0, 55, 4), (0, 48, 4), (4, 50, 4), (8, 57, 4), (8, 50, 4)])[1].1, [48, 50, 50]);
    }

    #[test]
    fn a_line_that_is_bound_is_one_and_a_held_note_is_not_cut() {
        assert_eq!(lines(Some("Tenor"), &[(0, 60, 5), (4, 62, 5), (8, 64, 4)]), [(Register::Tenor, vec![60, 62, 64])]);
        assert_eq!(lines(None, &[(0, 48, 16), (8, 55, 4), (12, 57, 4)]).len(), 2);
    }

    #[test]
    fn the_register_is_where_the_notes_lie() {
        let found = [74, 64, 58, 45].map(|pitch| lines(Some("Organ"), &[(0, pitch, 4)])[0].0);
        assert_eq!(found, [Register::Soprano, Register::Alto, Register::Tenor, Register::Bass]);
    }

    #[test]
    fn a_cluster_is_sung_as_far_as_there_are_singers() {
        let notes: Vec<_> = (0..88).map(|k| (0, 21 + k, 4)).collect();
        let found = lines(None, &notes);
        assert_eq!(found.len(), MOST);
        assert_eq!(found[0].1, [108]);
        assert_eq!(lines(None, &[]), []);
    }
}
