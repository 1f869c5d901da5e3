//! Small music and small networks for this folder's tests.

use super::chords::{Chords, Own};
use cantus_encoding::note_chord::Vocabulary;
use cantus_model::TrainingSet;
use cantus_model::tokens::{Grammar, Piece, TokenSettings};
use cantus_score::{Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

pub(super) fn settings() -> TokenSettings {
    let text = r#"{"network":"chords","embedding":9,"hidden":14,"batch":3,"window":16,"transposition":0}"#;
    TokenSettings::read::<Own>(&serde_json::from_str(text).unwrap()).unwrap().0
}

/// Pieces of 3 to 9 bars, in two metres: a bass note a bar, a melody in shorter ones.
pub(super) fn pieces() -> Vec<Score> {
    (0..5u64)
        .map(|index| {
            let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
            let bar = if index == 3 { 12 } else { 16 };
            let meter = if index == 3 { "3/4" } else { "4/4" };
            score.meters.push((Ticks::ZERO, meter.parse::<Meter>().unwrap()));
            let mut part = Part::default();
            let mut add = |onset, pitch: u64, duration| {
                let pitch = Pitch::try_from(pitch as u8).unwrap();
                part.notes.push(Note {
                    onset: Ticks(onset),
                    pitch,
                    duration: Ticks(duration),
                    velocity: Velocity::DEFAULT,
                });
            };
            for k in 0..3 + (index * 4) % 7 {
                add(k * bar, 48 + (k * 5 + index) % 12, bar);
                for step in 0..bar / 4 - k % 2 {
                    add(k * bar + 4 * step, 64 + (step * 7 + k + index) % 9, 2 + 2 * (step % 2));
                }
            }
            part.notes.sort_unstable();
            score.parts.push(part);
            score
        })
        .collect()
}

pub(super) fn encoded() -> (Chords, Vec<Piece>) {
    let pieces = pieces();
    let chords = Chords(Vocabulary::build(&pieces, 0).unwrap());
    let encoded = pieces.iter().map(|piece| Piece::new(chords.encode(piece).0, &chords)).collect();
    (chords, encoded)
}

pub(super) fn set() -> TrainingSet {
    let mut train = pieces();
    let valid = train.split_off(2);
    TrainingSet { train: train.into(), valid: valid.into(), attacks: true, ..TrainingSet::default() }
}
