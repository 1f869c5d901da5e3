//! Polyphony taken apart: voices in which one chord follows another.

use super::Head;
use cantus_score::{Note, Ticks};

/// Notation programs know so many voices on a staff.
const MOST: usize = 4;

/// Notes that begin and end together.
#[derive(Clone, Debug, PartialEq)]
pub struct Chord {
    pub onset: u64,
    pub end: u64,
    /// From the lowest to the highest.
    pub heads: Vec<Head>,
}

/// The voices of a staff; each has its chords in order, and none of them overlap.
///
/// Notes of one onset and one length are a chord. Of chords that begin together the higher gets the upper voice; a chord under which
/// a higher one enters leaves the upper voice to it. Where four voices are not enough, the fourth takes what is left over: its notes
/// are cut where any of them begins or ends, and tied.
pub fn separate(notes: &[Note]) -> Vec<Vec<Chord>> {
    let groups = group(notes);
    let mut voices: Vec<Vec<Chord>> = Vec::new();
    let mut left: Vec<Chord> = Vec::new();
    for (k, chord) in groups.iter().enumerate() {
        let is_free = |voice: &Vec<Chord>| voice.last().is_none_or(|last| last.end <= chord.onset);
        let is_covered = groups[k + 1..]
            .iter()
            .take_while(|later| later.onset < chord.end)
            .any(|later| later.onset > chord.onset && top(later) > top(chord));
        let first = usize::from(is_covered && voices.first().is_none_or(is_free));
        while voices.len() <= first {
            voices.push(Vec::new());
        }
        let free = (first..voices.len()).find(|&k| is_free(&voices[k]));
        match free {
            Some(voice) => voices[voice].push(chord.clone()),
            None if voices.len() < MOST => voices.push(vec![chord.clone()]),
            None => left.push(chord.clone()),
        }
    }
    if !left.is_empty() {
        left.extend(voices.pop().unwrap_or_default());
        voices.extend(slice(left));
    }
    // A voice that only waited for one that never came.
    voices.retain(|voice| !voice.is_empty());
    voices
}

fn top(chord: &Chord) -> u8 {
    chord.heads.last().map_or(0, |head| head.pitch.get())
}

/// Chords in order of their onsets, the higher first. A pitch that is struck twice at once stands in two.
fn group(notes: &[Note]) -> Vec<Chord> {
    let mut sorted: Vec<Note> = notes.iter().copied().filter(|note| note.duration > Ticks::ZERO).collect();
    sorted.sort_unstable_by_key(|note| (note.onset, note.end(), note.pitch, note.velocity));
    let mut groups = Vec::new();
    for together in sorted.chunk_by(|a, b| a.onset == b.onset && a.end() == b.end()) {
        let first = groups.len();
        for note in together {
            let head = Head { pitch: note.pitch, velocity: note.velocity, tied_from: false, tied_to: false };
            let fits = |chord: &&mut Chord| chord.heads.iter().all(|other| other.pitch != note.pitch);
            match groups[first..].iter_mut().find(fits) {
                Some(chord) => chord.heads.push(head),
                None => groups.push(Chord { onset: note.onset.0, end: note.end().0, heads: vec![head] }),
            }
        }
    }
    groups.sort_by_key(|chord| (chord.onset, std::cmp::Reverse(top(chord))));
    groups
}

/// One voice of chords that overlap, cut at every onset and end; more voices only where a pitch sounds twice at once.
fn slice(chords: Vec<Chord>) -> Vec<Vec<Chord>> {
    let mut layers: Vec<Vec<Chord>> = Vec::new();
    for chord in chords {
        for head in chord.heads {
            let note = Chord { onset: chord.onset, end: chord.end, heads: vec![head] };
            let clashes = |layer: &Vec<Chord>| {
                let same = |other: &Chord| other.heads[0].pitch == head.pitch;
                layer.iter().any(|other| same(other) && other.onset < note.end && note.onset < other.end)
            };
            match layers.iter_mut().find(|layer| !clashes(layer)) {
                Some(layer) => layer.push(note),
                None => layers.push(vec![note]),
            }
        }
    }
    layers.into_iter().map(|layer| cut(&layer)).collect()
}

fn cut(notes: &[Chord]) -> Vec<Chord> {
    let mut times: Vec<u64> = notes.iter().flat_map(|note| [note.onset, note.end]).collect();
    times.sort_unstable();
    times.dedup();
    let mut sorted: Vec<&Chord> = notes.iter().collect();
    sorted.sort_by_key(|note| note.onset);
    let mut waiting = sorted.into_iter().peekable();
    let mut sounding: Vec<&Chord> = Vec::new();
    let mut chords = Vec::new();
    for pair in times.windows(2) {
        sounding.retain(|note| note.end > pair[0]);
        while let Some(note) = waiting.next_if(|note| note.onset <= pair[0]) {
            sounding.push(note);
        }
        let head =
            |note: &&Chord| Head { tied_from: note.onset < pair[0], tied_to: note.end > pair[1], ..note.heads[0] };
        let mut heads: Vec<Head> = sounding.iter().map(head).collect();
        heads.sort_by_key(|head| head.pitch);
        if !heads.is_empty() {
            chords.push(Chord { onset: pair[0], end: pair[1], heads });
        }
    }
    chords
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, Velocity};

    fn notes(list: &[(u64, u8, u64)]) -> Vec<Note> {
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        list.iter().map(note).collect()
    }

    fn shown(list: &[(u64, u8, u64)]) -> Vec<String> {
        let chord = |chord: &Chord| {
            let heads: Vec<String> = chord.heads.iter().map(|head| head.pitch.get().to_string()).collect();
            format!("{}-{}:{}", chord.onset, chord.end, heads.join("+"))
        };
        separate(&notes(list)).iter().map(|voice| voice.iter().map(chord).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn chords_are_one_voice_and_held_notes_another() {
        assert_eq!(shown(&[(0, 60, 4), (0, 64, 4), (4, 62, 4)]), ["0-4:60+64 4-8:62"]);
        assert_eq!(shown(&[(0, 72, 2), (0, 60, 4), (2, 74, 2)]), ["0-2:72 2-4:74", "0-4:60"]);
        // A held bass under a tune that enters later leaves the upper voice free.
        assert_eq!(shown(&[(0, 48, 8), (2, 72, 2), (4, 74, 4)]), ["2-4:72 4-8:74", "0-8:48"]);
        // A held tune over a bass that moves.
        assert_eq!(shown(&[(0, 72, 8), (0, 48, 4), (4, 50, 4)]), ["0-8:72", "0-4:48 4-8:50"]);
    }

    #[test]
    fn a_pitch_struck_twice_at_once_stands_in_two_voices() {
        assert_eq!(shown(&[(0, 60, 4), (0, 60, 4)]), ["0-4:60", "0-4:60"]);
    }

    #[test]
    fn more_than_four_voices_are_cut_and_tied() {
        let many: Vec<_> = (0..6u64).map(|k| (k, 70 - k as u8, 10)).collect();
        let voices = separate(&notes(&many));
        assert_eq!(voices.len(), 4);
        let last = &voices[3];
        assert!(last.iter().any(|chord| chord.heads.len() == 3));
        let begun = last.iter().flat_map(|chord| &chord.heads).filter(|head| !head.tied_from).count();
        let ended = last.iter().flat_map(|chord| &chord.heads).filter(|head| !head.tied_to).count();
        assert_eq!((begun, ended), (3, 3));
        assert!(last.windows(2).all(|pair| pair[0].end <= pair[1].onset));
    }
}
