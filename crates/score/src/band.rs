//! Which part of a band is its bass, and what kinds of drums there are.

use crate::Part;

/// Kinds of drums, each by a pitch of General MIDI's kit: kick, snare, closed hi-hat, low tom, open hi-hat, middle tom, high tom, crash, ride,
/// vibraslap, high and low bongo, mute and low conga.
///
/// Source: M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20 (github.com/mkarpenkospb/drum_and_bass).
pub const DRUM_KINDS: [u8; 14] = [36, 38, 42, 41, 45, 46, 48, 49, 51, 58, 60, 61, 62, 64];

/// The programs of General MIDI's basses.
const BASSES: std::ops::Range<u8> = 32..40;
/// What the names of bass parts begin with, in the languages that files come in. `Bassoon` begins so, too.
const NAMES: [&str; 8] = ["bass", "basse", "basso", "kontrabass", "contrabass", "bajo", "baixo", "бас"];
const NO_BASS: [&str; 4] = ["bassoon", "basson", "bassett", "bassclarinet"];

/// The bass among the parts of a piece: of those with a bass's program, else of those named so, the one with the most notes; else the
/// lowest (by its mean pitch) that plays one note at a time in nine of ten onsets. A piece with one part only has none.
pub fn bass_of(parts: &[Part]) -> Option<usize> {
    let pitched: Vec<usize> = (0..parts.len()).filter(|k| !parts[*k].drums && !parts[*k].notes.is_empty()).collect();
    let busiest = |is_bass: &dyn Fn(&Part) -> bool| {
        let basses = pitched.iter().copied().filter(|k| is_bass(&parts[*k]));
        // The first of equals.
        basses.rev().max_by_key(|k| parts[*k].notes.len())
    };
    let lowest = || {
        let lines = pitched.iter().copied().filter(|k| parts[*k].is_one_line());
        let is_band = pitched.len() > 1 || parts.iter().any(|part| part.drums && !part.notes.is_empty());
        lines.filter(|_| is_band).min_by(|a, b| parts[*a].mean_pitch().total_cmp(&parts[*b].mean_pitch()))
    };
    busiest(&|part| part.programs.iter().any(|(_, program)| BASSES.contains(&program.get())))
        .or_else(|| busiest(&is_named_bass))
        .or_else(lowest)
}

fn is_named_bass(part: &Part) -> bool {
    let name = part.name.as_deref().unwrap_or_default().to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphabetic());
    words.any(|word| NAMES.iter().any(|bass| word.starts_with(bass)) && !NO_BASS.iter().any(|no| word.starts_with(no)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Pitch, Program, Ticks, Velocity};

    fn part(name: &str, program: u8, pitches: &[&[u8]]) -> Part {
        let note = |k: usize, pitch: u8| Note {
            onset: Ticks(k as u64),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(1),
            velocity: Velocity::DEFAULT,
        };
        let notes = pitches.iter().enumerate().flat_map(|(k, chord)| chord.iter().map(move |pitch| note(k, *pitch)));
        let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
        Part { name: Some(name.to_owned()), programs, notes: notes.collect(), ..Part::default() }
    }

    #[test]
    fn a_bass_is_told_by_its_program_then_its_name_then_its_place() {
        let drums = Part { notes: part("", 0, &[&[36]]).notes, ..Part::of_drums() };
        let flute = part("Flute", 73, &[&[80], &[82], &[84]]);
        let chords = part("Piano", 0, &[&[30, 40], &[32, 42]]);
        let (low, named) = (part("Low", 43, &[&[40], &[41]]), part("El. Bass 2", 80, &[&[60]]));
        let (short, long) = (part("a", 34, &[&[50]]), part("b", 38, &[&[50], &[52]]));
        let found = |parts: &[&Part]| bass_of(&parts.iter().map(|part| (*part).clone()).collect::<Vec<_>>());
        assert_eq!(found(&[&drums, &flute, &low, &named, &short, &long]), Some(5));
        assert_eq!(found(&[&drums, &flute, &low, &named]), Some(3));
        assert_eq!(found(&[&drums, &flute, &low, &chords]), Some(2));
        assert_eq!(found(&[&drums, &flute]), Some(1));
        assert_eq!([found(&[&flute]), found(&[&drums]), found(&[&drums, &chords]), found(&[])], [None; 4]);
        assert_eq!(found(&[&part("Bassoon", 70, &[&[50]]), &low]), Some(1));
    }
}
