//! Grace notes: the time that they take.
//!
//! Notation gives them none of their own. An unslashed one leans on its note and takes half of its time (as C. P. E. Bach asks for,
//! and as notation programs play it); several share this half. A slashed one is crushed in before the beat, at the expense of what
//! sounded there.

/// The time that a group of grace notes takes, in ticks: `before` from the time before the note that it ornaments, `of_note` from the
/// beginning of that note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraceTime {
    pub before: u64,
    pub of_note: u64,
}

/// The time for `count` grace notes that follow one another, before a note as long as `note`; `room` is how long what sounds or rests
/// before it lasts, `quarter` a quarter note.
///
/// Slashed ones last a 32nd each, and never more than half of the room before them. Where there is no room, at the beginning of a
/// piece, they take the beginning of the note.
pub(crate) fn grace_time(slashed: bool, count: u64, note: u64, room: u64, quarter: u64) -> GraceTime {
    let short = (quarter / 8).saturating_mul(count);
    match (slashed, room / 2) {
        (false, _) => GraceTime { before: 0, of_note: note / 2 },
        (true, 0) => GraceTime { before: 0, of_note: short.min(note / 2) },
        (true, room) => GraceTime { before: short.min(room), of_note: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unslashed_ones_take_half_of_the_note_and_slashed_ones_a_little_before_it() {
        let time = |slashed, count, note, room| {
            let GraceTime { before, of_note } = grace_time(slashed, count, note, room, 480);
            (before, of_note)
        };
        assert_eq!(time(false, 1, 960, 480), (0, 480));
        assert_eq!(time(false, 3, 960, 0), (0, 480));
        assert_eq!(time(true, 1, 960, 480), (60, 0));
        assert_eq!(time(true, 2, 960, 480), (120, 0));
        // No more than half of what comes before.
        assert_eq!(time(true, 9, 960, 480), (240, 0));
        // Nothing comes before.
        assert_eq!(time(true, 1, 960, 0), (0, 60));
        assert_eq!(time(true, 9, 480, 1), (0, 240));
    }
}
