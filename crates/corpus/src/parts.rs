//! Which parts of a piece are kept.

use crate::Parts;
use cantus_score::{Part, melody_of};

/// The parts of `pitched` that `choice` means; `pitched` are parts with notes, and no drums.
pub(crate) fn select(pitched: Vec<&Part>, choice: Parts) -> Vec<&Part> {
    match choice {
        Parts::All | Parts::Band => pitched,
        Parts::First => pitched.into_iter().take(1).collect(),
        Parts::Piano if pitched.iter().all(|part| part.programs.is_empty()) => pitched,
        Parts::Piano => pitched.into_iter().filter(|part| is_piano(part)).collect(),
        // Steps 1 to 3 of the rule at [`Parts::Melody`].
        Parts::Melody => melody_of(pitched),
    }
}

fn is_piano(part: &Part) -> bool {
    part.programs.first().is_some_and(|(_, program)| program.is_piano())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Program, Ticks, Velocity};

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        }
    }

    fn part(name: &str, program: Option<u8>, notes: Vec<Note>) -> Part {
        let programs = program.map(|number| (Ticks::ZERO, Program::new(number).unwrap()));
        Part { name: Some(name.into()), programs: programs.into_iter().collect(), notes, ..Part::default() }
    }

    fn names(parts: &[&Part]) -> Vec<String> {
        parts.iter().filter_map(|part| part.name.clone()).collect()
    }

    #[test]
    fn the_melody_is_the_named_part_then_the_highest_line() {
        let line = |pitch| (0..8).map(|k| note(k * 4, pitch, 4)).collect::<Vec<_>>();
        let chords = (0..8).flat_map(|k| [note(k * 4, 80, 4), note(k * 4, 90, 4)]).collect::<Vec<_>>();
        let (low, high, block) = (part("a", None, line(60)), part("b", None, line(70)), part("c", None, chords));
        let short = part("d", None, vec![note(0, 100, 4)]);
        assert_eq!(names(&select(vec![&low, &high, &block, &short], Parts::Melody)), ["b"]);
        let named = part("Lead vocals", None, line(40));
        assert_eq!(names(&select(vec![&low, &high, &named], Parts::Melody)), ["Lead vocals"]);
        assert_eq!(names(&select(vec![&block], Parts::Melody)), ["c"]);
    }

    #[test]
    fn the_piano_is_named_or_everything_is() {
        let notes = || vec![note(0, 60, 4)];
        let (piano, flute, unnamed) =
            (part("p", Some(1), notes()), part("f", Some(73), notes()), part("u", None, notes()));
        assert_eq!(names(&select(vec![&flute, &piano, &unnamed], Parts::Piano)), ["p"]);
        assert_eq!(names(&select(vec![&unnamed, &unnamed], Parts::Piano)), ["u", "u"]);
        assert!(select(vec![&flute], Parts::Piano).is_empty());
        assert_eq!(names(&select(vec![&flute, &piano], Parts::First)), ["f"]);
    }
}
