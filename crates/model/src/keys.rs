//! Music moved from one key to another.

use cantus_score::{Key, Part, Pitch, Score, key_of, merge_parts};

/// By how many semitones a key lies over the one without accidentals, of the same mode: -5 to 6.
pub fn over_home(key: Key) -> i32 {
    let up = (7 * i32::from(key.fifths())).rem_euclid(12);
    if up > 6 { up - 12 } else { up }
}

/// A piece moved to the key without accidentals, and by how many semitones it lies over it: what is learnt of one key so holds for all.
pub fn home(piece: &Score) -> (Score, i32) {
    let over = key_of(piece).map_or(0, over_home);
    match piece.transposed(-over) {
        Some(moved) => (moved, over),
        None => (piece.clone(), 0),
    }
}

/// A way from one key to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transposition {
    /// Semitones up, -5 to 6.
    semitones: i32,
}

impl Transposition {
    /// The shortest way between two signatures.
    pub fn between(from: Key, to: Key) -> Transposition {
        let up = (7 * (i32::from(to.fifths()) - i32::from(from.fifths()))).rem_euclid(12);
        Transposition { semitones: if up > 6 { up - 12 } else { up } }
    }

    /// The music moved so, or an octave from there, whichever leaves fewer notes outside of `range` (the lowest and the highest MIDI
    /// pitch); these are moved into it by an octave, where it has room. `None` where a note would leave what MIDI has.
    pub fn of(self, score: &Score, (low, high): (u8, u8)) -> Option<Score> {
        let other = if self.semitones > 0 { self.semitones - 12 } else { self.semitones + 12 };
        let outside = |by: &i32| {
            let beyond = |pitch: Pitch| {
                let moved = i32::from(pitch.get()) + by;
                moved < i32::from(low) || moved > i32::from(high)
            };
            let pitched = score.pitched_notes();
            pitched.filter(|note| beyond(note.pitch)).count()
        };
        let by = [self.semitones, other].into_iter().min_by_key(outside)?;
        let mut moved = score.transposed(by)?;
        if outside(&by) > 0 {
            let (low, high) = (Pitch::try_from(low).ok()?, Pitch::try_from(high).ok()?);
            moved.parts.iter_mut().filter(|part| !part.drums).for_each(|part| fold(part, low, high));
        }
        Some(moved)
    }
}

/// Moves notes outside of a range into it by an octave, where that leads there.
pub fn fold(part: &mut Part, low: Pitch, high: Pitch) {
    let range = low..=high;
    for note in part.notes.iter_mut().filter(|note| !range.contains(&note.pitch)) {
        let octave = if note.pitch < low { 12 } else { -12 };
        note.pitch = note.pitch.transposed(octave).filter(|pitch| range.contains(pitch)).unwrap_or(note.pitch);
    }
    // A note may have come to stand on another.
    part.notes = merge_parts([&*part]).notes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Mode, Note, Ticks, TicksPerQuarter, Velocity};

    /// Quarters of these pitches.
    fn tune(pitches: &[u8]) -> Score {
        let note = |(k, pitch): (usize, &u8)| Note {
            onset: Ticks(4 * k as u64),
            pitch: Pitch::try_from(*pitch).unwrap(),
            duration: Ticks(4),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: pitches.iter().enumerate().map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn ways_are_short_and_stay_in_range() {
        let key = |fifths| Key::new(fifths, Mode::Major).unwrap();
        let up = Transposition::between(key(0), key(2));
        let pitches = |score: Score| score.notes().map(|note| note.pitch.get()).collect::<Vec<u8>>();
        assert_eq!(pitches(up.of(&tune(&[60, 67]), (55, 79)).unwrap()), [62, 69]);
        assert_eq!(pitches(up.of(&tune(&[60, 67]), (50, 67)).unwrap()), [50, 57]);
        assert_eq!(
            pitches(up.of(&tune(&[55, 60, 70]), (55, 70)).unwrap()),
            [57, 62, 60],
            "what is too high comes down"
        );
        assert_eq!(Transposition::between(key(0), key(-1)), Transposition { semitones: 5 });
        assert_eq!(Transposition::between(key(2), key(0)), Transposition { semitones: -2 });
    }
}
