//! A small corpus, made in code: chords, a melody in quarters and eighths, rests, two metres, four ticks to the quarter.

use cantus_model::{Pieces, TrainingSet};
use cantus_score::{Meter, Note, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter, Velocity};

/// Roots of the chords of four bars, in semitones over C.
const PROGRESSIONS: [[u8; 4]; 3] = [[0, 5, 7, 0], [0, 9, 5, 7], [0, 7, 9, 5]];
/// Melodies of a bar, in semitones over the chord's root.
const MELODIES: [[u8; 4]; 2] = [[12, 16, 19, 16], [19, 16, 12, 7]];

pub fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// A score of one part in one metre.
pub fn score(per_quarter: u32, meter: &str, notes: Vec<Note>) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
    score.meters.push((Ticks::ZERO, meter.parse::<Meter>().unwrap()));
    score.tempos.push((Ticks::ZERO, Tempo::from_quarters_per_minute(96.0).unwrap()));
    let mut part = Part { notes, ..Part::default() };
    part.notes.sort_unstable();
    score.parts.push(part);
    score
}

/// The piece of a number: 8 to 16 bars, in 4/4 where the number is even and in 3/4 where it is odd.
pub fn piece(index: usize) -> Score {
    let beats = if index.is_multiple_of(2) { 4 } else { 3 };
    let mut notes = Vec::new();
    for bar in 0..8 + (index * 5) % 9 {
        let root = 48 + PROGRESSIONS[index % 3][bar % 4];
        let start = (bar * beats * 4) as u64;
        // Every fourth bar ends with a rest.
        let sounding = if bar % 4 == 3 { beats - 1 } else { beats };
        notes.extend([0, 4, 7].map(|above| note(start, root + above, 4 * sounding as u64)));
        for (beat, above) in MELODIES[bar % 2].iter().enumerate().take(sounding) {
            let (at, pitch) = (start + 4 * beat as u64, root + above);
            if (beat + bar) % 3 == 1 {
                notes.extend([note(at, pitch, 2), note(at + 2, pitch + 2, 2)]);
            } else {
                notes.push(note(at, pitch, 4));
            }
        }
    }
    score(4, if beats == 4 { "4/4" } else { "3/4" }, notes)
}

/// Five pieces to learn from, two to be judged by.
pub fn set() -> TrainingSet {
    TrainingSet {
        train: (0..5).map(piece).collect(),
        valid: (5..7).map(piece).collect(),
        attacks: true,
        ..TrainingSet::default()
    }
}

/// Two pieces, judged by themselves: what is learnt by heart.
pub fn by_heart() -> TrainingSet {
    let train: Pieces = (0..2).map(piece).collect();
    TrainingSet { valid: train.clone(), train, attacks: true, ..TrainingSet::default() }
}

/// The corpus in another key.
pub fn transposed(by: i32) -> TrainingSet {
    let moved = |pieces: Pieces| pieces.iter().map(|piece| piece.transposed(by).unwrap()).collect();
    let TrainingSet { train, valid, attacks, .. } = set();
    TrainingSet { train: moved(train), valid: moved(valid), attacks, ..TrainingSet::default() }
}
