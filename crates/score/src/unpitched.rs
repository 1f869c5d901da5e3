//! Pieces without a pitched note, which composers can make nothing of.

use crate::Score;
use crate::words::counted;

/// What a piece without a pitched note holds in its place. Says itself in words that go on after "it holds".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpitched {
    /// Strokes of drums.
    pub strokes: usize,
    /// Chord symbols.
    pub chords: usize,
}

impl Unpitched {
    /// What `score` holds, or `None` where it has a pitched note.
    pub fn of(score: &Score) -> Option<Unpitched> {
        let (drums, pitched): (Vec<_>, Vec<_>) = score.parts.iter().partition(|part| part.drums);
        let is_pitched = pitched.iter().any(|part| !part.notes.is_empty());
        let strokes = drums.iter().map(|part| part.notes.len()).sum();
        (!is_pitched).then_some(Unpitched { strokes, chords: score.chords.len() })
    }
}

impl std::fmt::Display for Unpitched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (strokes, chords) = (counted(self.strokes, "stroke"), counted(self.chords, "symbol"));
        match (self.strokes, self.chords) {
            (0, 0) => write!(f, "no note"),
            (_, 0) => write!(f, "only drums ({strokes}) and no note with a pitch"),
            (0, _) => write!(f, "only chord symbols ({chords}) and no note"),
            _ => write!(f, "only drums ({strokes}) and chord symbols ({chords}), and no note with a pitch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn it_is_said_what_there_is_instead() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let said = |score: &Score| Unpitched::of(score).map(|unpitched| unpitched.to_string());
        assert_eq!(said(&score).unwrap(), "no note");
        score.chords = vec![(Ticks::ZERO, "Am7".to_owned())];
        assert_eq!(said(&score).unwrap(), "only chord symbols (1 symbol) and no note");
        let note = Note { onset: Ticks::ZERO, pitch: Pitch::C4, duration: Ticks(1), velocity: Velocity::DEFAULT };
        score.parts = vec![Part { notes: vec![note; 2], ..Part::of_drums() }, Part::default()];
        let both = "only drums (2 strokes) and chord symbols (1 symbol), and no note with a pitch";
        assert_eq!(said(&score).unwrap(), both);
        score.chords.clear();
        assert_eq!(said(&score).unwrap(), "only drums (2 strokes) and no note with a pitch");
        score.parts[1].notes = vec![note];
        assert_eq!(said(&score), None);
    }
}
