//! Scores to notes in order, and back.

use super::vocabulary::{Adjustments, Instrument, Vocabulary};
use cantus_score::{Bar, Note, Part, Pitch, Score, Ticks, merge_parts};
use std::collections::BTreeMap;

/// A note. The order of fields is not that of notes in a piece: there, higher pitches of one moment come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it begins, in steps.
    pub onset: u32,
    /// Which of the vocabulary's instruments.
    pub instrument: u8,
    /// Its key, 0-127.
    pub pitch: u8,
    /// How long it sounds, in steps; 0 for a drum.
    pub length: u32,
    /// Which of the vocabulary's levels of loudness.
    pub level: u8,
}

impl Event {
    /// When it ends.
    pub fn end(&self) -> u32 {
        self.onset + self.length
    }

    /// Where it stands among others: moment, instrument, pitch downwards.
    pub fn order(&self) -> (u32, u8, u8) {
        (self.onset, self.instrument, 127 - self.pitch)
    }
}

/// A piece as its notes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// In order.
    pub notes: Vec<Event>,
    /// Bars that cover them.
    pub bars: Vec<Bar>,
}

/// The notes of a score on the vocabulary's grid; times beyond 32 bits of steps are cut.
pub fn encode(score: &Score, vocabulary: &Vocabulary) -> (Piece, Adjustments) {
    let score = score.rescaled(vocabulary.clock().ticks_per_quarter());
    let mut adjustments = Adjustments::default();
    let mut of_instruments: BTreeMap<u8, Vec<&Part>> = BTreeMap::new();
    for part in score.parts.iter().filter(|part| !part.notes.is_empty()) {
        match vocabulary.instrument(Instrument::of(part)) {
            Some((instrument, is_itself)) => {
                adjustments.instruments += if is_itself { 0 } else { part.notes.len() };
                of_instruments.entry(instrument).or_default().push(part);
            }
            None => adjustments.dropped += part.notes.len(),
        }
    }
    let steps = |ticks: Ticks| u32::try_from(ticks.0).unwrap_or(u32::MAX / 4).min(u32::MAX / 4);
    let mut notes = Vec::with_capacity(score.note_count());
    for (instrument, parts) in of_instruments {
        let drums = vocabulary.is_drums(instrument);
        for note in merge_parts(parts).notes {
            let length = if drums { 0 } else { steps(note.duration).max(1) };
            let level = vocabulary.level(note.velocity);
            notes.push(Event { onset: steps(note.onset), instrument, pitch: note.pitch.get(), length, level });
        }
    }
    notes.sort_unstable_by_key(Event::order);
    (Piece { notes, bars: score.bars().collect() }, adjustments)
}

/// The score of notes: a part for each instrument that plays, in the vocabulary's order. Drums sound for a step.
pub fn decode(notes: &[Event], vocabulary: &Vocabulary) -> Score {
    let mut score = Score::new(vocabulary.clock().ticks_per_quarter());
    let mut channels = (0..16u8).filter(|channel| *channel != Part::DRUM_CHANNEL).cycle();
    for (number, instrument) in vocabulary.instruments().iter().enumerate() {
        let own: Vec<Note> = notes
            .iter()
            .filter(|event| usize::from(event.instrument) == number)
            .filter_map(|event| {
                Some(Note {
                    onset: Ticks(event.onset.into()),
                    pitch: Pitch::try_from(event.pitch).ok()?,
                    duration: Ticks(event.length.max(1).into()),
                    velocity: vocabulary.velocity(event.level),
                })
            })
            .collect();
        if own.is_empty() {
            continue;
        }
        let mut part = match instrument {
            Instrument::Drums => Part::of_drums(),
            Instrument::Program(_) => Part { channel: channels.next().unwrap_or(0), ..Part::default() },
        };
        part.programs.push((Ticks::ZERO, instrument.program()));
        part.notes = own;
        part.notes.sort_unstable();
        score.parts.push(part);
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Program, Reading, TicksPerQuarter, Velocity};

    fn note(onset: u64, pitch: u8, duration: u64, velocity: u8) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::try_from(velocity).unwrap(),
        }
    }

    fn part(program: u8, notes: Vec<Note>) -> Part {
        Part { programs: vec![(Ticks::ZERO, Program::new(program).unwrap())], notes, ..Part::default() }
    }

    /// A trio: triplets, a long note, drums.
    fn trio() -> Score {
        let mut score = Score::new(TicksPerQuarter::new(12).unwrap());
        score.parts = vec![
            part(33, (0..30).map(|k| note(12 * k, 36 + k as u8 % 5, 12, 90)).collect()),
            part(0, (0..60).map(|k| note(4 * k, 60 + k as u8 % 7, 4, 60 + k as u8 % 3)).collect()),
            Part { notes: (0..40).map(|k| note(6 * k, 36 + 2 * (k as u8 % 4), 1, 100)).collect(), ..Part::of_drums() },
        ];
        score
    }

    #[test]
    fn a_trio_comes_back_note_for_note() {
        let score = trio();
        let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
        assert_eq!(vocabulary.instruments(), [Instrument::Program(0), Instrument::Drums]);
        // The bass has too few notes to be told from the nearest instrument; with some more it is one of its own.
        let (_, adjustments) = encode(&score, &vocabulary);
        assert_eq!(adjustments, Adjustments { instruments: 30, dropped: 0 });
        let mut twice = score.clone();
        twice.parts[0].notes.extend((30..60).map(|k| note(12 * k, 36, 12, 90)));
        let vocabulary = Vocabulary::build([&twice], Reading::Parts, true).unwrap();
        let (piece, adjustments) = encode(&score, &vocabulary);
        assert!(adjustments.is_empty() && piece.notes.is_sorted_by_key(Event::order));
        let decoded = decode(&piece.notes, &vocabulary);
        let mut expected = score.clone();
        expected.parts.swap(0, 1);
        assert_eq!(decoded.parts.len(), 3);
        for (found, expected) in decoded.parts.iter().zip(&expected.parts) {
            assert_eq!((&found.notes, found.drums), (&expected.notes, expected.drums));
        }
    }

    #[test]
    fn a_pitch_sounds_once_in_an_instrument() {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts = vec![part(0, vec![note(0, 60, 8, 80)]), part(0, vec![note(0, 60, 2, 80), note(4, 60, 4, 80)])];
        let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
        let (piece, _) = encode(&score, &vocabulary);
        let found: Vec<_> = piece.notes.iter().map(|event| (event.onset, event.length)).collect();
        assert_eq!(found, [(0, 4), (4, 4)]);
    }

    #[test]
    fn chords_come_from_above() {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts = vec![part(0, vec![note(0, 48, 4, 80), note(0, 64, 4, 80), note(2, 70, 1, 80)])];
        let vocabulary = Vocabulary::build([&score], Reading::Parts, false).unwrap();
        let pitches: Vec<u8> = encode(&score, &vocabulary).0.notes.iter().map(|event| event.pitch).collect();
        assert_eq!(pitches, [64, 48, 70]);
        assert_eq!(vocabulary.velocities(), [80]);
    }

    #[test]
    fn times_are_quarters_entered_and_places() {
        for (from, to) in [(0, 0), (3, 4), (5, 11), (7, 40)] {
            let (quarters, place) = super::super::split(from, to, 4);
            assert_eq!(super::super::join(from, quarters, place, 4), to);
        }
        assert_eq!(super::super::split(3, 4, 4), (1, 0));
    }
}
