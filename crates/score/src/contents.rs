//! What a score holds beside pitches: for who is told that there is nothing to learn from or to go on with.

use crate::Score;
use std::fmt;

/// What stands in a score, counted. Displayed without its pitched notes: `32 drum strokes and 8 chord symbols`, or `nothing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Notes that have a pitch.
    pub pitched: usize,
    /// Strokes of drums.
    pub drums: usize,
    /// Chord symbols.
    pub chords: usize,
    /// Syllables.
    pub syllables: usize,
}

impl Score {
    /// What it holds.
    pub fn contents(&self) -> Contents {
        let count = |drums: bool| {
            let parts = self.parts.iter().filter(|part| part.drums == drums);
            parts.map(|part| part.notes.len()).sum()
        };
        Contents {
            pitched: count(false),
            drums: count(true),
            chords: self.chords.len(),
            syllables: self.parts.iter().map(|part| part.lyrics.len()).sum(),
        }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.drums, "drum stroke", "drum strokes"),
            (self.chords, "chord symbol", "chord symbols"),
            (self.syllables, "syllable of lyrics", "syllables of lyrics"),
        ];
        let named: Vec<String> = kinds
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
            .collect();
        match &named[..] {
            [] => f.write_str("nothing"),
            [first @ .., last] if !first.is_empty() => write!(f, "{} and {last}", first.join(", ")),
            [only, ..] => f.write_str(only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lyric, Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn what_has_no_pitch_is_counted_and_named() {
        let note = Note { onset: Ticks(0), pitch: Pitch::C4, duration: Ticks(1), velocity: Velocity::DEFAULT };
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        assert_eq!(score.contents().to_string(), "nothing");
        score.parts.push(Part { notes: vec![note, note], ..Part::of_drums() });
        assert_eq!(score.contents().to_string(), "2 drum strokes");
        score.chords.push((Ticks(0), "Am7".to_owned()));
        let lyric = Lyric { at: Ticks(0), verse: 1, text: "la".to_owned(), goes_on: false };
        score.parts.push(Part { notes: vec![note], lyrics: vec![lyric.clone(), lyric], ..Part::default() });
        assert_eq!(score.contents(), Contents { pitched: 1, drums: 2, chords: 1, syllables: 2 });
        assert_eq!(score.contents().to_string(), "2 drum strokes, 1 chord symbol and 2 syllables of lyrics");
    }
}
