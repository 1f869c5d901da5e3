//! `pitch_class_chord`: the encoding of the classic LSTM composers, kept as they have it.
//!
//! Source: S. Sigurgeirsson, Classical-Piano-Composer (2017), and the article's `lstm_music_train.py`, both on music21.
//! One token an onset: a single note is its name with its octave (`E5`); several notes are the *normal order* of their pitch
//! classes (`4.7.11`), so that a chord's octaves are lost. Durations and rests are not said at all. Decoding puts one token
//! every half quarter, each a quarter long; a pitch class sounds in the octave of middle C, as music21's `Note(4)` does.
//!
//! Departures: onsets are those of the quantised score, so notes that a performer spread over a few ticks make one chord.

use crate::{TokenId, VocabularyError};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// The words of a corpus in the order of their names, as the sources number them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    words: Vec<String>,
}

impl Vocabulary {
    /// All words of `scores`.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`] without a note.
    pub fn build(scores: impl IntoIterator<Item = impl Borrow<Score>>) -> Result<Vocabulary, VocabularyError> {
        let mut known: BTreeSet<String> = BTreeSet::new();
        scores.into_iter().for_each(|score| known.extend(words(score.borrow())));
        if known.is_empty() {
            return Err(VocabularyError::Empty { what: "words" });
        }
        Ok(Vocabulary { words: known.into_iter().collect() })
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Never, once built.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The number of a word.
    pub fn id(&self, word: &str) -> Option<TokenId> {
        self.words.binary_search_by(|known| known.as_str().cmp(word)).ok().map(|index| TokenId(index as u32))
    }

    /// The word of a number.
    pub fn word(&self, id: TokenId) -> Option<&str> {
        self.words.get(id.index()).map(String::as_str)
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Vec<String> {
        vocabulary.words
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(words: Vec<String>) -> Result<Vocabulary, VocabularyError> {
        if words.is_empty() {
            return Err(VocabularyError::Empty { what: "words" });
        }
        if let Some(pair) = words.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(VocabularyError::Damaged { what: "words", found: pair.join(" before ") });
        }
        if let Some(word) = words.iter().find(|word| pitches(word).is_empty()) {
            return Err(VocabularyError::Damaged { what: "words", found: word.clone() });
        }
        Ok(Vocabulary { words })
    }
}

/// `score` as tokens; words that the vocabulary lacks are said with the nearest word: of a chord, the one that shares the most
/// pitch classes; of a note, the nearest note. Returns how many those were.
pub fn encode(score: &Score, vocabulary: &Vocabulary) -> (Vec<TokenId>, usize) {
    let mut replaced = 0;
    let tokens = words(score)
        .into_iter()
        .map(|word| {
            vocabulary.id(&word).unwrap_or_else(|| {
                replaced += 1;
                nearest(&word, vocabulary)
            })
        })
        .collect();
    (tokens, replaced)
}

/// One token every half quarter, each a quarter long.
pub fn decode(tokens: &[TokenId], vocabulary: &Vocabulary) -> Score {
    let per_quarter = TicksPerQuarter::DEFAULT;
    let quarter = u64::from(per_quarter.get());
    let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
    for (k, token) in tokens.iter().enumerate() {
        let onset = Ticks(k as u64 * quarter / 2);
        let chord = vocabulary.word(*token).map(pitches).unwrap_or_default();
        part.notes.extend(chord.into_iter().map(|pitch| Note {
            onset,
            pitch,
            duration: Ticks(quarter),
            velocity: Velocity::DEFAULT,
        }));
    }
    part.notes.sort_unstable();
    let mut score = Score::new(per_quarter);
    score.parts.push(part);
    score
}

/// What `decode(encode(score))` gives: the onsets in order, half a quarter apart.
pub fn canonicalize(score: &Score) -> Score {
    match Vocabulary::build([score]) {
        Ok(vocabulary) => decode(&encode(score, &vocabulary).0, &vocabulary),
        Err(_) => Score::new(TicksPerQuarter::DEFAULT),
    }
}

/// The words of the first part, one an onset.
fn words(score: &Score) -> Vec<String> {
    let notes = score.parts.first().map_or(&[][..], |part| &part.notes);
    notes
        .chunk_by(|a, b| a.onset == b.onset)
        .map(|chord| match chord {
            [note] => note_name(note.pitch),
            chord => {
                let classes: BTreeSet<u8> = chord.iter().map(|note| note.pitch.class()).collect();
                normal_order(&classes).iter().map(u8::to_string).collect::<Vec<String>>().join(".")
            }
        })
        .collect()
}

/// music21's spelling of a pitch that comes from a number: C# Eb F# G# Bb written `C#`, `E-`, `F#`, `G#`, `B-`.
fn note_name(pitch: Pitch) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B"];
    format!("{}{}", NAMES[usize::from(pitch.class())], i32::from(pitch.get()) / 12 - 1)
}

/// The pitches of a word; empty for a text that is none.
fn pitches(word: &str) -> Vec<Pitch> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        let class = |text: &str| text.parse::<u8>().ok().filter(|class| *class < 12);
        let chord: Option<Vec<Pitch>> =
            word.split('.').map(|text| Pitch::try_from(Pitch::C4.get() + class(text)?).ok()).collect();
        return chord.unwrap_or_default();
    }
    (0..=127u8).filter_map(|number| Pitch::try_from(number).ok()).filter(|pitch| note_name(*pitch) == word).collect()
}

/// The normal order of a set of pitch classes: the rotation with the smallest span, then most packed towards its first class
/// (A. Forte, The Structure of Atonal Music, 1973; music21's `normalOrder`).
fn normal_order(classes: &BTreeSet<u8>) -> Vec<u8> {
    let classes: Vec<u8> = classes.iter().copied().collect();
    let rotation = |from: usize| -> Vec<u8> {
        let (before, after) = classes.split_at(from);
        after.iter().chain(before).copied().collect()
    };
    // Spans from the first class to the last, to the last but one, ... : the smaller at the first difference wins.
    let spans =
        |order: &[u8]| -> Vec<u8> { order.iter().skip(1).rev().map(|class| (class + 12 - order[0]) % 12).collect() };
    (0..classes.len()).map(rotation).min_by_key(|order| (spans(order), order[0])).unwrap_or_default()
}

fn nearest(word: &str, vocabulary: &Vocabulary) -> TokenId {
    let wanted = pitches(word);
    let distance = |known: &String| -> (bool, u32) {
        let other = pitches(known);
        let alike = (wanted.len() == 1) == (other.len() == 1);
        let far = match (&wanted[..], &other[..]) {
            ([a], [b]) => u32::from(a.get().abs_diff(b.get())),
            (a, b) => {
                let shared = a.iter().filter(|pitch| b.iter().any(|other| other.class() == pitch.class())).count();
                (a.len() + b.len() - 2 * shared) as u32
            }
        };
        (!alike, far)
    };
    let index = (0..vocabulary.words.len()).min_by_key(|&k| distance(&vocabulary.words[k])).unwrap_or(0);
    TokenId(index as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(chords: &[&[u8]]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let mut part = Part::default();
        for (k, chord) in chords.iter().enumerate() {
            part.notes.extend(chord.iter().map(|pitch| Note {
                onset: Ticks(3 * k as u64),
                pitch: Pitch::try_from(*pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            }));
        }
        score.parts.push(part);
        score
    }

    #[test]
    fn words_are_the_sources_words() {
        assert_eq!(
            words(&piece(&[&[76], &[52, 59, 79], &[63], &[48, 60], &[60, 64, 67]])),
            ["E5", "4.7.11", "E-4", "0", "0.4.7"]
        );
    }

    #[test]
    fn normal_orders_are_the_textbooks() {
        let order = |classes: &[u8]| normal_order(&classes.iter().copied().collect());
        assert_eq!(order(&[7, 11, 2]), [7, 11, 2]);
        assert_eq!(order(&[8, 0, 4, 6]), [4, 6, 8, 0]);
        assert_eq!(order(&[0, 4, 8]), [0, 4, 8]);
        assert_eq!(order(&[1, 4, 7, 10]), [1, 4, 7, 10]);
    }

    #[test]
    fn decoding_is_half_quarters_in_the_octave_of_middle_c() {
        let score = piece(&[&[76], &[52, 59, 79]]);
        let decoded = canonicalize(&score);
        let notes: Vec<_> = decoded.notes().map(|note| (note.onset.0, note.pitch.get(), note.duration.0)).collect();
        assert_eq!(notes, [(0, 76, 480), (240, 64, 480), (240, 67, 480), (240, 71, 480)]);
        assert_eq!(canonicalize(&Score::new(TicksPerQuarter::DEFAULT)).note_count(), 0);
    }

    #[test]
    fn unknown_words_become_the_nearest() {
        let vocabulary = Vocabulary::build([&piece(&[&[60], &[72], &[60, 64, 67], &[62, 65]])]).unwrap();
        let (tokens, replaced) = encode(&piece(&[&[70], &[60, 64, 69], &[60]]), &vocabulary);
        let said: Vec<&str> = tokens.iter().filter_map(|token| vocabulary.word(*token)).collect();
        assert_eq!(said, ["C5", "0.4.7", "C4"]);
        assert_eq!(replaced, 2);
    }

    #[test]
    fn a_stored_vocabulary_is_checked() {
        let read = |text: &str| serde_json::from_str::<Vocabulary>(text);
        assert_eq!(read(r#"["0.4.7","C4"]"#).unwrap().len(), 2);
        for bad in ["[]", r#"["C4","0.4.7"]"#, r#"["X9"]"#, r#"["0.99"]"#, r#"["0..1"]"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
