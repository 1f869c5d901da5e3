//! The part that a composer writes to given ones.

use cantus_score::{Part, Score, bass_of};
use serde::{Deserialize, Serialize};

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
