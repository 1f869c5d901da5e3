//! What is composed anew of a piece, as a person writes it: `5-8`, `bass:5-8`, `alto`.

use crate::Usage;
use cantus_model::ComposerSpec;
use cantus_score::{Player, Reading, Score, bass_of};
use cantus_workshop::AgainOrigin;
use miette::Result;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The voices of a choir by name, from the highest down.
pub const VOICES: [&str; 4] = ["soprano", "alto", "tenor", "bass"];

/// In the place of bars: throughout.
const ALL: &str = "all";

/// Bars, of all parts or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellText {
    part: Option<String>,
    bars: Option<(usize, usize)>,
}

impl FromStr for CellText {
    type Err = String;

    fn from_str(text: &str) -> Result<CellText, String> {
        let range = |text: &str| bars(text).map(|range| (*range.start(), *range.end()));
        let part = |text: &str| Some(text.trim().to_owned());
        match text.split_once(':') {
            Some((name, ALL)) => Ok(CellText { part: part(name), bars: None }),
            Some((name, text)) => Ok(CellText { part: part(name), bars: Some(range(text)?) }),
            None if text.trim().starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(CellText { part: None, bars: Some(range(text)?) })
            }
            None => Ok(CellText { part: part(text), bars: None }),
        }
    }
}

impl CellText {
    /// The same in numbers, of a piece that a composer works around: of one part, or of all that are meant.
    ///
    /// # Errors
    /// A part that the piece does not have.
    pub fn of(&self, score: &Score, composer: &ComposerSpec) -> Result<Vec<AgainOrigin>> {
        let bars = self.bars;
        let Some(name) = &self.part else { return Ok(vec![AgainOrigin { voice: None, bars }]) };
        let is_choir = !composer.reads.contains(&Reading::Parts);
        let found = if is_choir { voice(name).into_iter().collect() } else { named(name, score) };
        if found.is_empty() {
            let known = if is_choir { VOICES.join(", ") } else { parts(score) };
            let what = if is_choir { "voice" } else { "part of the piece" };
            return Err(Usage(format!("`{name}` is no {what}: there are {known}, or their numbers, from 1")).into());
        }
        Ok(found.into_iter().map(|voice| AgainOrigin { voice: Some(voice), bars }).collect())
    }
}

/// `5` or `1-4`.
pub fn bars(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| format!("`{text}` is no bar: give 5, or 1-4"));
    match text.split_once('-') {
        Some((first, last)) => Ok(number(first)?..=number(last)?),
        None => number(text).map(|bar| bar..=bar),
    }
}

/// A number from 1 to `most`, as an index.
fn numbered(name: &str, most: usize) -> Option<usize> {
    name.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < most)
}

fn voice(name: &str) -> Option<usize> {
    let named = VOICES.iter().position(|voice| *voice == name.to_lowercase());
    named.or_else(|| numbered(name, VOICES.len()))
}

/// What one part plays by itself is a melody, and the rest.
const LINES: [&str; 2] = ["melody", "accompaniment"];

/// The parts of a name, a number, an instrument; of a choir without names the voice.
fn named(name: &str, score: &Score) -> Vec<usize> {
    let wanted = name.to_lowercase();
    if score.parts.len() == 1 {
        let line = LINES.iter().position(|line| *line == wanted).or_else(|| numbered(name, LINES.len()));
        return line.into_iter().collect();
    }
    let of = |is: &dyn Fn(&cantus_score::Part) -> bool| -> Vec<usize> {
        (0..score.parts.len()).filter(|part| is(&score.parts[*part])).collect()
    };
    let called = || of(&|part| part.name.as_ref().is_some_and(|name| name.trim().to_lowercase() == wanted));
    let number = || numbered(name, score.parts.len()).into_iter().collect();
    let bass = || bass_of(&score.parts).filter(|_| wanted == "bass").into_iter().collect();
    let plays = || match name.parse::<Player>() {
        Ok(player) => {
            of(&|part| part.drums && player.drums || !part.drums && player.programs.contains(&part.program()))
        }
        Err(_) => Vec::new(),
    };
    let sings = || {
        let voice = VOICES.iter().position(|voice| *voice == wanted);
        voice.filter(|_| score.parts.len() == VOICES.len()).into_iter().collect()
    };
    let ways: [&dyn Fn() -> Vec<usize>; 5] = [&called, &number, &bass, &plays, &sings];
    ways.iter().map(|way| way()).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The parts of a piece by name.
fn parts(score: &Score) -> String {
    if score.parts.len() == 1 {
        return LINES.join(", ");
    }
    score.parts.iter().map(cantus_score::Part::title).collect::<Vec<_>>().join(", ")
}

/// `5` or `1-4` again.
pub fn range((first, last): &(usize, usize)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Cells as they are asked for, parts by number.
pub fn cells(again: &[AgainOrigin]) -> String {
    let cell = |AgainOrigin { voice, bars }: &AgainOrigin| match (voice, bars) {
        (Some(voice), Some(bars)) => format!("{}:{}", voice + 1, range(bars)),
        (Some(voice), None) => format!("{}:{ALL}", voice + 1),
        (None, Some(bars)) => range(bars),
        (None, None) => String::new(),
    };
    again.iter().map(cell).collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_composers::registry;
    use cantus_score::{Part, Program, Ticks, TicksPerQuarter};

    fn band() -> Score {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let part = |name: Option<&str>, program: u8| Part {
            name: name.map(str::to_owned),
            programs: vec![(Ticks::ZERO, Program::new(program).unwrap())],
            ..Part::default()
        };
        score.parts = vec![part(Some("Lead "), 80), part(None, 33), part(None, 0), Part::of_drums()];
        score
    }

    fn origin(text: &str, score: &Score, composer: &str) -> Result<Vec<AgainOrigin>> {
        let text: CellText = text.parse().unwrap();
        text.of(score, registry::find(composer).unwrap())
    }

    #[test]
    fn parts_are_named_numbered_or_told_by_what_they_play() {
        let found = |text: &str| origin(text, &band(), "notes").unwrap();
        let cell = |voice: Option<usize>, bars: Option<(usize, usize)>| vec![AgainOrigin { voice, bars }];
        assert_eq!(found("5-8"), cell(None, Some((5, 8))));
        assert_eq!(found("lead:5"), cell(Some(0), Some((5, 5))));
        assert_eq!(found("Bass:1-2"), cell(Some(1), Some((1, 2))));
        assert_eq!(found("piano"), cell(Some(2), None));
        assert_eq!(found("drums:3-4"), cell(Some(3), Some((3, 4))));
        assert_eq!(found("2:3-4"), cell(Some(1), Some((3, 4))));
        // Who plays with two parts is meant with both.
        let mut two = band();
        two.parts.push(Part { name: Some("Hi-hat".to_owned()), ..Part::of_drums() });
        let both = [3, 4].map(|voice| AgainOrigin { voice: Some(voice), bars: Some((3, 4)) });
        assert_eq!(origin("drums:3-4", &two, "notes").unwrap(), both);
        assert_eq!(origin("hi-hat:3-4", &two, "notes").unwrap(), both[1..]);
        let refused = origin("flute:1", &band(), "notes").unwrap_err().to_string();
        assert!(refused.contains("`flute` is no part") && refused.contains("Lead, Fingered Bass"), "{refused}");
        // A choir has its four voices, however the file names its parts.
        assert_eq!(origin("alto:5-6", &band(), "chorale").unwrap(), cell(Some(1), Some((5, 6))));
        assert!(origin("lead:1", &band(), "chorale").unwrap_err().to_string().contains("soprano, alto"));
        let alone = Score { parts: vec![Part::default()], ..band() };
        assert_eq!(origin("accompaniment:1-4", &alone, "notes").unwrap(), cell(Some(1), Some((1, 4))));
        assert!("bass:x".parse::<CellText>().is_err() && "5-x".parse::<CellText>().is_err());
    }

    #[test]
    fn cells_are_written_as_they_are_read() {
        let again = [("5-8", "5-8"), ("bass:1", "2:1"), ("2:3-4", "2:3-4"), ("drums", "4:all"), ("4:all", "4:all")];
        for (text, expected) in again {
            assert_eq!(cells(&origin(text, &band(), "notes").unwrap()), expected);
        }
    }
}
