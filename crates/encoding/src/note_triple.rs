//! `note_triple`: notes one after another, each said by three numbers: how long after the one before it begins, how long it lasts, its pitch.
//!
//! Source: F. Colombo, J. Brea and W. Gerstner, Learning to Generate Music with BachProp, 2018, arXiv:1812.06669, section "Music
//! representation": (dT, T, P), notes of one moment in one order, so that a piece is said in one way.
//! Departures: 48 steps to a quarter note, which hold triplets down to those of 32nds and binary notes down to 64ths exactly, where the source
//! rounds to the nearest 16th or 12th of a quarter; of notes that begin together the highest comes first.
//!
//! The vocabulary is what a corpus has ([`Vocabulary::build`]); other numbers become the nearest that it has, and are counted.
//! `decode(encode(score)) == canonicalize(score)`: pitched notes on one keyboard, in steps, at one loudness, without metre and tempo.

use crate::VocabularyError;
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity, merge_parts, quantize};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Steps to a quarter note.
pub const GRID: TicksPerQuarter = TicksPerQuarter::new(48).unwrap();
/// Different waits, and different lengths, that are told apart at the most.
pub const MOST_CLASSES: usize = 256;

/// A note, as classes of a [`Vocabulary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triple {
    /// How long after the note before it begins; of the first, after the beginning of the piece.
    pub wait: u16,
    /// How long it lasts.
    pub length: u16,
    /// Its pitch, counted from the lowest one.
    pub pitch: u16,
}

/// What had to be changed so that a vocabulary could say a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// Notes that begin elsewhere: waits that became the nearest one known.
    pub waits: usize,
    /// Notes whose length became the nearest one known.
    pub lengths: usize,
    /// Notes moved by octaves into the range.
    pub pitches: usize,
}

impl Adjustments {
    /// Whether nothing had to be changed.
    pub fn is_empty(&self) -> bool {
        *self == Adjustments::default()
    }
}

/// The waits, lengths and pitches of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Vocabulary {
    /// In steps, in order; the first is 0.
    waits: Vec<u32>,
    /// In steps, in order.
    lengths: Vec<u32>,
    /// The lowest and the highest MIDI pitch.
    pitches: (u8, u8),
    /// The same of the corpus in its own keys.
    heard: (u8, u8),
}

#[derive(Deserialize)]
struct Raw {
    waits: Vec<u32>,
    lengths: Vec<u32>,
    pitches: (u8, u8),
    heard: (u8, u8),
}

impl TryFrom<Raw> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(raw: Raw) -> Result<Vocabulary, VocabularyError> {
        let Raw { waits, lengths, pitches, heard } = raw;
        let damaged = |what, found: String| Err(VocabularyError::Damaged { what, found });
        let is_list = |list: &[u32]| list.is_sorted_by(|a, b| a < b) && list.len() <= MOST_CLASSES;
        match (waits.first(), lengths.first()) {
            (None, _) => return Err(VocabularyError::Empty { what: "waits" }),
            (_, None) => return Err(VocabularyError::Empty { what: "lengths" }),
            (Some(0), Some(1..)) if is_list(&waits) && is_list(&lengths) => {}
            _ => return damaged("waits and lengths", format!("{waits:?}, {lengths:?}")),
        }
        if !(pitches.0 <= heard.0 && heard.0 <= heard.1 && heard.1 <= pitches.1 && pitches.1 <= 127) {
            return damaged("pitches", format!("{pitches:?}, {heard:?}"));
        }
        Ok(Vocabulary { waits, lengths, pitches, heard })
    }
}

impl Vocabulary {
    /// That of pieces that are moved by so many semitones at the most.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`], where no piece has a pitched note.
    pub fn build(
        pieces: impl IntoIterator<Item = impl Borrow<Score>>,
        transposition: u8,
    ) -> Result<Vocabulary, VocabularyError> {
        let (mut waits, mut lengths) = (BTreeMap::from([(0, usize::MAX)]), BTreeMap::new());
        let mut heard: Option<(u8, u8)> = None;
        for piece in pieces {
            let mut now = 0;
            for note in notes_of(piece.borrow()) {
                let (onset, length, pitch) = (steps(note.onset), steps(note.duration), note.pitch.get());
                if onset > now {
                    *waits.entry(onset - now).or_insert(0) += 1;
                }
                *lengths.entry(length).or_insert(0) += 1;
                now = onset;
                heard = heard.map_or(Some((pitch, pitch)), |(low, high)| Some((low.min(pitch), high.max(pitch))));
            }
        }
        let heard = heard.ok_or(VocabularyError::Empty { what: "notes" })?;
        let pitches = (heard.0.saturating_sub(transposition), (heard.1 + transposition).min(127));
        Vocabulary::try_from(Raw { waits: commonest(&waits), lengths: commonest(&lengths), pitches, heard })
    }

    /// The waits, in steps.
    pub fn waits(&self) -> &[u32] {
        &self.waits
    }

    /// The lengths, in steps.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// How many pitches there are, from the lowest to the highest.
    pub fn pitch_count(&self) -> usize {
        usize::from(self.pitches.1 - self.pitches.0) + 1
    }

    /// The lowest and the highest MIDI pitch.
    pub fn pitch_range(&self) -> (u8, u8) {
        self.pitches
    }

    /// The same of the corpus in its own keys.
    pub fn heard_range(&self) -> (u8, u8) {
        self.heard
    }

    /// The pitch of a class.
    pub fn pitch(&self, class: u16) -> Pitch {
        let pitch = u16::from(self.pitches.0).saturating_add(class).min(127);
        Pitch::try_from(pitch as u8).unwrap_or(Pitch::C4)
    }

    /// The class of a pitch, moved by octaves into the range where it lies beyond it; the nearest where no octave fits.
    pub fn pitch_class(&self, pitch: Pitch) -> u16 {
        let (low, high) = self.pitches;
        let mut key = pitch.get();
        while key < low {
            key += 12;
        }
        while key > high {
            match key.checked_sub(12).filter(|below| *below >= low) {
                Some(below) => key = below,
                None => key = high,
            }
        }
        u16::from(key - low)
    }

    /// The class of the wait that is nearest to so many steps.
    pub fn wait_class(&self, steps: u32) -> u16 {
        nearest(&self.waits, steps)
    }

    /// The class of the length that is nearest to so many steps.
    pub fn length_class(&self, steps: u32) -> u16 {
        nearest(&self.lengths, steps)
    }
}

fn steps(ticks: Ticks) -> u32 {
    u32::try_from(ticks.0).unwrap_or(u32::MAX)
}

/// The commonest of counted numbers, in order; of two that are as common the smaller one.
fn commonest(counts: &BTreeMap<u32, usize>) -> Vec<u32> {
    let mut found: Vec<(u32, usize)> = counts.iter().map(|(number, count)| (*number, *count)).collect();
    found.sort_by_key(|(_, count)| Reverse(*count));
    found.truncate(MOST_CLASSES);
    let mut numbers: Vec<u32> = found.into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    numbers
}

/// The place of the number in a list in order that is nearest to one; of two the smaller.
fn nearest(list: &[u32], number: u32) -> u16 {
    let above = list.partition_point(|known| *known < number);
    let found = match (above.checked_sub(1), list.get(above)) {
        (Some(below), Some(next)) if number - list[below] > next - number => above,
        (Some(below), _) => below,
        (None, _) => above,
    };
    // An exact one stands above.
    let exact = list.get(above).filter(|known| **known == number).map(|_| above);
    exact.unwrap_or(found) as u16
}

/// The pitched notes of a score as one keyboard plays them, in steps of [`GRID`]: in order of time, of those that begin together the highest
/// first.
pub fn notes_of(score: &Score) -> Vec<Note> {
    let mut merged = Score::new(score.ticks_per_quarter);
    merged.parts.push(merge_parts(score.parts.iter().filter(|part| !part.drums)));
    let (merged, _) = quantize(&merged, GRID, 0.5);
    let mut notes = merge_parts(&merged.parts).notes;
    notes.iter_mut().for_each(|note| note.duration = note.duration.max(Ticks(1)));
    notes.sort_by_key(|note| (note.onset, Reverse(note.pitch)));
    notes
}

/// The notes of a score, and what had to be changed.
pub fn encode(score: &Score, vocabulary: &Vocabulary) -> (Vec<Triple>, Adjustments) {
    let (mut triples, mut adjustments): (Vec<Triple>, _) = (Vec::new(), Adjustments::default());
    // Where the triples so far stand: a wait that is not known moves what follows, and is made good as soon as can be.
    let mut now = 0;
    for note in notes_of(score) {
        let (onset, duration) = (steps(note.onset), steps(note.duration));
        let wait = vocabulary.wait_class(onset.saturating_sub(now));
        let (length, pitch) = (vocabulary.length_class(duration), vocabulary.pitch_class(note.pitch));
        now += vocabulary.waits[usize::from(wait)];
        adjustments.waits += usize::from(now != onset);
        adjustments.lengths += usize::from(vocabulary.lengths[usize::from(length)] != duration);
        adjustments.pitches += usize::from(vocabulary.pitch(pitch) != note.pitch);
        // Notes of one moment come downwards, each once.
        let follows = |last: &Triple| wait != 0 || pitch < last.pitch;
        if triples.last().is_none_or(follows) {
            triples.push(Triple { wait, length, pitch });
        }
    }
    (triples, adjustments)
}

/// The notes as a score in steps of [`GRID`].
pub fn decode(triples: &[Triple], vocabulary: &Vocabulary) -> Score {
    let mut now = 0u64;
    let note = |triple: &Triple| {
        now += u64::from(vocabulary.waits[usize::from(triple.wait)]);
        let duration = Ticks(u64::from(vocabulary.lengths[usize::from(triple.length)]));
        Note { onset: Ticks(now), pitch: vocabulary.pitch(triple.pitch), duration, velocity: Velocity::DEFAULT }
    };
    let notes: Vec<Note> = triples.iter().map(note).collect();
    score_of(notes)
}

/// Notes as a score of one keyboard in steps of [`GRID`].
pub fn score_of(notes: Vec<Note>) -> Score {
    let mut score = Score::new(GRID);
    let notes = merge_parts([&Part { notes, ..Part::default() }]).notes;
    score.parts.push(Part { notes, ..Part::default() });
    score
}

/// A score as it comes back.
pub fn canonicalize(score: &Score) -> Score {
    let level = |note: Note| Note { velocity: Velocity::DEFAULT, ..note };
    score_of(notes_of(score).into_iter().map(level).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(per_quarter: u32, notes: &[(u64, u8, u64)]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
        let note = |(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(*onset),
            pitch: Pitch::try_from(*pitch).unwrap(),
            duration: Ticks(*duration),
            velocity: Velocity::DEFAULT,
        };
        let mut notes: Vec<Note> = notes.iter().map(note).collect();
        notes.sort_unstable();
        score.parts.push(Part { notes, ..Part::default() });
        score
    }

    #[test]
    fn a_note_is_a_wait_a_length_and_a_pitch_and_chords_go_downwards() {
        let chord = score(4, &[(2, 60, 4), (2, 67, 2), (6, 64, 1)]);
        let vocabulary = Vocabulary::build([&chord], 0).unwrap();
        assert_eq!((vocabulary.waits(), vocabulary.lengths()), (&[0, 24, 48][..], &[12, 24, 48][..]));
        let (triples, adjustments) = encode(&chord, &vocabulary);
        let found: Vec<_> = triples.iter().map(|triple| (triple.wait, triple.length, triple.pitch)).collect();
        assert_eq!((found, adjustments.is_empty()), (vec![(1, 1, 7), (0, 2, 0), (2, 0, 4)], true));
        assert_eq!(decode(&triples, &vocabulary), chord.rescaled(GRID));
    }

    #[test]
    fn triplets_and_32nds_are_kept_exactly() {
        // A triplet of eighths, one of sixteenths, one of 32nds, 32nds, 64ths: 480 ticks to the quarter.
        let lengths = [160, 160, 160, 80, 80, 80, 40, 40, 40, 60, 60, 30, 30, 480];
        let mut at = 0;
        let notes: Vec<(u64, u8, u64)> = (0..)
            .zip(lengths)
            .map(|(k, length)| {
                at += length;
                (at - length, 60 + k, length)
            })
            .collect();
        let piece = score(480, &notes);
        let vocabulary = Vocabulary::build([&piece], 6).unwrap();
        let (triples, adjustments) = encode(&piece, &vocabulary);
        assert!(adjustments.is_empty());
        assert_eq!(decode(&triples, &vocabulary).rescaled(piece.ticks_per_quarter), piece);
    }

    #[test]
    fn what_the_vocabulary_has_not_becomes_the_nearest() {
        let known = score(4, &[(0, 60, 4), (4, 62, 2), (8, 64, 4)]);
        let vocabulary = Vocabulary::build([&known], 0).unwrap();
        let (triples, adjustments) = encode(&score(4, &[(0, 48, 4), (3, 61, 3), (8, 100, 9)]), &vocabulary);
        assert_eq!(adjustments, Adjustments { waits: 1, lengths: 2, pitches: 2 });
        assert_eq!(decode(&triples, &vocabulary).notes().count(), 3);
        assert_eq!([0, 11, 12, 13, 36, 37, 48, 99].map(|steps| nearest(&[0, 24, 48], steps)), [0, 0, 0, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_damaged_vocabulary_is_refused() {
        let read = |text: &str| serde_json::from_str::<Vocabulary>(text);
        let good = r#"{"waits":[0,12],"lengths":[12,24],"pitches":[50,70],"heard":[55,65]}"#;
        assert_eq!(serde_json::to_string(&read(good).unwrap()).unwrap(), good);
        for (from, to) in [
            ("[0,12]", "[1,12]"),
            ("[0,12]", "[]"),
            ("[12,24]", "[0,24]"),
            ("[12,24]", "[24,12]"),
            ("[50,70]", "[60,70]"),
            ("70]", "170]"),
        ] {
            assert!(read(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            notes in proptest::collection::vec((0u64..200, 30u8..100, 0u64..60), 1..50),
            per_quarter in prop_oneof![Just(4u32), Just(12), Just(24), Just(48), Just(7), Just(480)],
        ) {
            let piece = score(per_quarter, &notes);
            let vocabulary = Vocabulary::build([&piece], 3).unwrap();
            let (triples, adjustments) = encode(&piece, &vocabulary);
            prop_assert!(adjustments.is_empty());
            prop_assert_eq!(decode(&triples, &vocabulary), canonicalize(&piece));
        }

        #[test]
        fn every_sequence_decodes(triples in proptest::collection::vec((0u16..3, 0u16..3, 0u16..5), 0..60)) {
            let known = score(4, &[(0, 60, 4), (4, 62, 2), (12, 64, 3)]);
            let vocabulary = Vocabulary::build([&known], 0).unwrap();
            let triple = |(wait, length, pitch)| Triple { wait, length, pitch };
            let decoded = decode(&triples.into_iter().map(triple).collect::<Vec<_>>(), &vocabulary);
            prop_assert!(decoded.notes().all(|note| note.duration > Ticks::ZERO));
            prop_assert!(decoded.parts[0].notes.is_sorted());
        }
    }
}
