//! The parts that a composer writes to given ones.

use cantus_score::{Part, Score, bass_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A part that can be written to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Joined {
    /// The bass of a band.
    #[default]
    Bass,
    /// All drums.
    Drums,
}

/// A part that is written beside a melody, or beside whatever is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// The bass of a band.
    Bass,
    /// The chords to a melody.
    Chords,
    /// All drums.
    Drums,
}

impl Written {
    /// All of them.
    pub const ALL: [Written; 3] = [Written::Bass, Written::Chords, Written::Drums];

    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Written::Bass => "bass",
            Written::Chords => "chords",
            Written::Drums => "drums",
        }
    }
}

impl From<Joined> for Written {
    fn from(joined: Joined) -> Written {
        match joined {
            Joined::Bass => Written::Bass,
            Joined::Drums => Written::Drums,
        }
    }
}

/// Parts that are to be written: one at least, each once, written as `chords, drums`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writes(BTreeSet<Written>);

/// No list of parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no part that is written; there are: {}", Written::ALL.map(Written::name).join(", "))]
pub struct WritesError {
    /// What was found in the place of a name.
    found: String,
}

impl Writes {
    /// The parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = Written> {
        self.0.iter().copied()
    }
}

impl std::str::FromStr for Writes {
    type Err = WritesError;

    fn from_str(text: &str) -> Result<Writes, WritesError> {
        let named = |name: &str| {
            let known = Written::ALL.into_iter().find(|known| known.name() == name.trim().to_lowercase());
            known.ok_or_else(|| WritesError { found: name.trim().to_owned() })
        };
        Ok(Writes(text.split(',').map(named).collect::<Result<_, _>>()?))
    }
}

/// What a composer that writes a part expects of one that was played, before it is heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// How likely it is that something begins at each step of the composer's grid, given all that it is given there.
    pub onsets: Vec<f64>,
    /// What a latent variable says of the piece, where the composer has one: the divergence of what is known of it with the part from what is
    /// known without, nats.
    pub latent: Option<f64>,
}

impl Joined {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Joined::Bass => "bass",
            Joined::Drums => "drums",
        }
    }

    /// A piece without the part, and the part; `None` where it has none, or nothing that it is written to: drums for a bass, something with a
    /// pitch for drums. Several drum parts are one.
    pub fn apart(self, score: &Score) -> Option<(Score, Part)> {
        let bass = bass_of(&score.parts);
        let is_written = |k: usize| match self {
            Joined::Bass => bass == Some(k),
            Joined::Drums => score.parts[k].drums,
        };
        let (written, given): (Vec<usize>, Vec<usize>) = (0..score.parts.len()).partition(|k| is_written(*k));
        let parts = |numbers: &[usize]| numbers.iter().map(|k| score.parts[*k].clone()).collect::<Vec<Part>>();
        let (written, given) = (parts(&written), parts(&given));
        let mut written = written.into_iter().filter(|part| !part.notes.is_empty());
        let mut part = written.next()?;
        part.notes.extend(written.flat_map(|part| part.notes));
        part.notes.sort_unstable();
        let wanted = |part: &Part| part.drums == (self == Joined::Bass) && !part.notes.is_empty();
        given.iter().any(wanted).then(|| (Score { parts: given, ..score.clone() }, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Program, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn parts_to_write_are_named() {
        let parts = |text: &str| text.parse::<Writes>().map(|writes| writes.parts().collect::<Vec<_>>());
        assert_eq!(parts("drums, Chords,drums"), Ok(vec![Written::Chords, Written::Drums]));
        for wrong in ["", "chords,", "flute"] {
            let error = parts(wrong).unwrap_err().to_string();
            assert!(error.contains("no part that is written") && error.contains("bass, chords, drums"), "{error}");
        }
    }

    #[test]
    fn a_part_is_taken_out_of_a_band() {
        let part = |drums: bool, program: u8, pitches: &[u8]| {
            let note = |pitch: &u8| Note {
                onset: Ticks(u64::from(*pitch)),
                pitch: Pitch::try_from(*pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            let base = if drums { Part::of_drums() } else { Part::default() };
            let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
            Part { notes: pitches.iter().map(note).collect(), programs, ..base }
        };
        let mut band = Score::new(TicksPerQuarter::DEFAULT);
        band.parts =
            vec![part(true, 0, &[36, 38]), part(false, 33, &[40]), part(true, 0, &[37]), part(false, 0, &[60])];
        let (given, bass) = Joined::Bass.apart(&band).unwrap();
        assert_eq!((given.parts.len(), &bass), (3, &band.parts[1]));
        let (given, drums) = Joined::Drums.apart(&band).unwrap();
        let pitches: Vec<u8> = drums.notes.iter().map(|note| note.pitch.get()).collect();
        assert_eq!((given.parts.len(), pitches), (2, vec![36, 37, 38]));
        // Nothing to go with, or nothing that was played.
        let only = |drums: bool| {
            let parts = band.parts.iter().filter(|part| part.drums == drums).cloned().collect();
            Score { parts, ..band.clone() }
        };
        for score in [only(true), only(false)] {
            assert!(Joined::Bass.apart(&score).is_none() && Joined::Drums.apart(&score).is_none());
        }
    }
}
