//! Ways in which a piece is read: as one keyboard, part by part, as it was played.

use crate::{Note, Part, PedalSpan, Score, Tempo, Ticks, TicksPerQuarter};
use std::fmt;
use std::str::FromStr;

/// How a piece is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// All pitched parts as one keyboard on a grid; drums are left out.
    #[default]
    Merged,
    /// Every part apart, with its program, and drums, on a grid.
    Parts,
    /// As it was played: in hundredths of a second, whatever the beats; the sustain pedal is made length.
    Performed,
    /// The same, keys and pedal apart: a note is as long as its key is down.
    Pedalled,
}

impl Reading {
    /// All of them.
    pub const ALL: [Reading; 4] = [Reading::Merged, Reading::Parts, Reading::Performed, Reading::Pedalled];

    /// Whether it is music as it was played, in seconds and not in bars.
    pub const fn is_played(self) -> bool {
        matches!(self, Reading::Performed | Reading::Pedalled)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Reading::Merged => "merged",
            Reading::Parts => "parts",
            Reading::Performed => "performed",
            Reading::Pedalled => "pedalled",
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reading {
    type Err = String;
    fn from_str(name: &str) -> Result<Reading, String> {
        let found = Reading::ALL.into_iter().find(|reading| reading.name() == name);
        found.ok_or_else(|| format!("there is no reading `{name}`: choose merged, parts, performed or pedalled"))
    }
}

/// Steps of a performance in a second.
pub const STEPS_PER_SECOND: u32 = 100;

/// `score` as it was played: a step is a hundredth of a second, a quarter half a second (so that it stands at 120 quarters a minute), and
/// metre and keys are forgotten. A note that is let go while its pedal is down sounds until the pedal is released, or its key is struck
/// again. A note keeps at least one step.
pub fn performed(score: &Score) -> Score {
    as_played(score, |note, part| held_until(note, &part.pedal), |_| Vec::new())
}

/// The same with keys and pedal apart: a note ends where its key is let go, and parts keep their pedal.
pub fn pedalled(score: &Score) -> Score {
    as_played(score, |note, _| note.end(), |part| part.pedal.clone())
}

fn as_played(score: &Score, end: impl Fn(&Note, &Part) -> Ticks, pedal: impl Fn(&Part) -> Vec<PedalSpan>) -> Score {
    let tempo = score.tempo_map();
    let at = |ticks: Ticks| Ticks((tempo.seconds(ticks) * f64::from(STEPS_PER_SECOND)).round() as u64);
    let per_quarter = const { TicksPerQuarter::new(STEPS_PER_SECOND / 2).unwrap() };
    let mut played = Score {
        title: score.title.clone(),
        composer: score.composer.clone(),
        rights: score.rights.clone(),
        remarks: score.remarks.clone(),
        tempos: vec![(Ticks::ZERO, Tempo::DEFAULT)],
        ..Score::new(per_quarter)
    };
    for part in &score.parts {
        let notes = part.notes.iter().map(|note| {
            let onset = at(note.onset);
            let end = at(end(note, part)).max(onset + Ticks(1));
            Note { onset, duration: end - onset, ..*note }
        });
        let mut notes: Vec<Note> = notes.collect();
        notes.sort_unstable();
        let programs = part.programs.iter().map(|(ticks, program)| (at(*ticks), *program)).collect();
        played.parts.push(Part {
            name: part.name.clone(),
            port: part.port,
            channel: part.channel,
            drums: part.drums,
            programs,
            notes,
            pedal: pedal(part).iter().map(|span| PedalSpan { down: at(span.down), up: at(span.up) }).collect(),
            ..Part::default()
        });
    }
    played
}

/// When the damper falls on a note.
fn held_until(note: &Note, pedal: &[PedalSpan]) -> Ticks {
    let before = pedal.partition_point(|span| span.down <= note.end());
    match pedal[..before].last() {
        Some(span) if note.end() < span.up => span.up,
        _ => note.end(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pitch, Velocity};

    #[test]
    fn a_performance_is_counted_in_hundredths_of_a_second_and_the_pedal_is_length() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.tempos.push((Ticks(480), Tempo::from_quarters_per_minute(60.0).unwrap()));
        let note = |onset, duration| Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let notes = vec![note(0, 100), note(490, 10), note(960, 0)];
        let pedal = vec![PedalSpan { down: Ticks(50), up: Ticks(240) }];
        score.parts.push(Part { notes, pedal, ..Part::default() });
        let played = performed(&score);
        // Half a second to the first quarter, one to the second.
        let found: Vec<_> = played.notes().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(found, [(0, 25), (52, 2), (150, 1)]);
        assert_eq!(played.tempo_map().seconds(Ticks(50)), 0.5);
        assert_eq!(played.parts[0].pedal, []);
        let apart = pedalled(&score);
        let found: Vec<_> = apart.notes().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(found, [(0, 10), (52, 2), (150, 1)]);
        assert_eq!(apart.parts[0].pedal, [PedalSpan { down: Ticks(5), up: Ticks(25) }]);
    }

    #[test]
    fn readings_have_names() {
        for reading in Reading::ALL {
            assert_eq!(reading.name().parse::<Reading>(), Ok(reading));
        }
        assert!("played".parse::<Reading>().is_err());
    }
}
