//! What kind of music a folder holds: so that it can be read, and a composer be chosen, as suits it.

use cantus_score::{Part, Score, Ticks};
use serde::Serialize;
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fmt;

/// A kind of music, as a composer has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Music {
    /// One note at a time.
    Tunes,
    /// Three to five voices, each with a note at a time.
    Voices,
    /// One instrument, with as many notes at a time as there are.
    Keyboard,
    /// Several instruments, or instruments and drums.
    Band,
    /// Drums alone.
    Drums,
    /// Played freely: the notes know no beat.
    Performances,
}

/// For people, as in "it is ...".
impl fmt::Display for Music {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Music::Tunes => "tunes of one voice",
            Music::Voices => "music in a few voices",
            Music::Keyboard => "music for one instrument",
            Music::Band => "music for several instruments",
            Music::Drums => "drums",
            Music::Performances => "performances, as they were played",
        })
    }
}

/// The share of onsets that has to be like its kind.
const MOST: f64 = 0.8;
/// How well onsets keep to a beat at the least: see [`knows_no_beat`]. Measured: performances 0.01-0.24, transcribed solos up to 0.3; drums
/// played to a click 0.5-0.9, written music from 0.4 on.
const KEEPS: f64 = 0.28;
/// How a quarter may be divided by a beat.
const DIVISIONS: [f64; 7] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0];
/// Strokes of a drummer that are enough to tell by: fills and loops are short, and were played to a click.
const STROKES: usize = 200;

impl Music {
    /// The kind of a piece; `None` where it holds no note at all.
    pub fn of(score: &Score) -> Option<Music> {
        let sounding: Vec<&Part> = score.parts.iter().filter(|part| !part.notes.is_empty()).collect();
        let pitched: Vec<&Part> = sounding.iter().copied().filter(|part| !part.drums).collect();
        if sounding.is_empty() {
            return None;
        }
        if knows_no_beat(score) {
            return Some(Music::Performances);
        }
        if pitched.is_empty() {
            return Some(Music::Drums);
        }
        let mut families: Vec<u8> = pitched.iter().map(|part| family(part)).collect();
        families.sort_unstable();
        families.dedup();
        if pitched.len() < sounding.len() || families.len() > 1 {
            return Some(Music::Band);
        }
        let texture = Texture::of(&pitched);
        Some(if texture.alone >= MOST {
            Music::Tunes
        } else if texture.few >= MOST {
            Music::Voices
        } else {
            Music::Keyboard
        })
    }
}

/// The family of General MIDI that plays a part first: eight programs are one.
fn family(part: &Part) -> u8 {
    part.programs.first().map_or(0, |(_, program)| program.get() / 8)
}

/// Whether the onsets of a piece keep to no beat, as of a performance that was recorded without one.
///
/// The measure is the mean resultant length of their phases (K. Mardia and P. Jupp, Directional Statistics, 2000, section 2.3.1) within the
/// quarter note or a part of it, the largest over the parts: 1 where all of them lie at one place, towards 0 where they lie anywhere. A player
/// who is late all the time keeps to the beat, and so do triplets.
pub(crate) fn knows_no_beat(score: &Score) -> bool {
    let quarter = score.ticks_per_quarter.get();
    let mut onsets: Vec<Ticks> = score.notes().map(|note| note.onset).collect();
    onsets.sort_unstable();
    onsets.dedup();
    let drums = score.parts.iter().all(|part| part.drums || part.notes.is_empty());
    if onsets.is_empty() || drums && onsets.len() < STROKES {
        return false;
    }
    let keeps = |parts: f64| {
        let turn = |at: &Ticks| f64::from((at.0 % u64::from(quarter)) as u32) / f64::from(quarter) * parts * TAU;
        let (x, y) = onsets.iter().map(turn).fold((0.0, 0.0), |(x, y), turn| (x + turn.cos(), y + turn.sin()));
        x.hypot(y) >= KEEPS * onsets.len() as f64
    };
    !DIVISIONS.into_iter().any(keeps)
}

/// The pieces of a folder by their kinds, and the notes in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(BTreeMap<Music, (usize, usize)>);

impl Kinds {
    /// Adds a piece: its kind, if it has one, and its notes.
    pub(crate) fn add(&mut self, piece: Option<(Music, usize)>) {
        if let Some((music, count)) = piece {
            let (pieces, notes) = self.0.entry(music).or_default();
            *pieces += 1;
            *notes += count;
        }
    }

    /// The kind to which most of the notes belong.
    pub(crate) fn mostly(&self) -> Option<Music> {
        self.0.iter().max_by_key(|(_, (_, notes))| *notes).map(|(music, _)| *music)
    }

    /// The kinds with their pieces, the one with the most notes first.
    pub(crate) fn pieces(&self) -> Vec<(Music, usize)> {
        let mut kinds: Vec<_> = self.0.iter().map(|(music, (pieces, notes))| (*notes, *music, *pieces)).collect();
        kinds.sort_by_key(|(notes, ..)| std::cmp::Reverse(*notes));
        kinds.into_iter().map(|(_, music, pieces)| (music, pieces)).collect()
    }
}

/// How many notes sound at once.
struct Texture {
    /// The share of onsets at which one note sounds.
    alone: f64,
    /// The share of onsets at which three to five do.
    few: f64,
}

impl Texture {
    fn of(parts: &[&Part]) -> Texture {
        let mut changes: Vec<(Ticks, i32)> = Vec::new();
        for note in parts.iter().flat_map(|part| &part.notes) {
            changes.push((note.onset, 1));
            changes.push((note.end().max(note.onset + Ticks(1)), -1));
        }
        // At one moment what ends comes first: -1 before 1.
        changes.sort_unstable();
        let (mut sounding, mut onsets, mut alone, mut few) = (0, 0, 0, 0);
        for at in changes.chunk_by(|a, b| a.0 == b.0) {
            sounding += at.iter().map(|(_, change)| change).sum::<i32>();
            if at.iter().any(|(_, change)| *change > 0) {
                onsets += 1;
                alone += i32::from(sounding == 1);
                few += i32::from((3..=5).contains(&sounding));
            }
        }
        let share = |count: i32| f64::from(count) / f64::from(onsets.max(1));
        Texture { alone: share(alone), few: share(few) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Program, TicksPerQuarter, Velocity};

    fn part(notes: &[(u64, u8, u64)]) -> Part {
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        Part { notes: notes.iter().map(note).collect(), ..Part::default() }
    }

    fn kind(parts: Vec<Part>) -> Option<Music> {
        Music::of(&Score { parts, ..Score::new(TicksPerQuarter::DEFAULT) })
    }

    fn line(pitch: u8) -> Part {
        part(&(0..32).map(|k| (k * 240, pitch + (k % 5) as u8, 240)).collect::<Vec<_>>())
    }

    fn playing(program: u8, part: Part) -> Part {
        Part { programs: vec![(Ticks::ZERO, Program::new(program).unwrap())], ..part }
    }

    #[test]
    fn the_kind_is_told_from_the_notes() {
        let drums = || Part { drums: true, ..line(36) };
        assert_eq!(kind(vec![]), None);
        assert_eq!(kind(vec![Part::default()]), None);
        assert_eq!(kind(vec![line(60)]), Some(Music::Tunes));
        assert_eq!(kind(vec![line(72), line(67), line(60), line(48)]), Some(Music::Voices));
        assert_eq!(kind(vec![line(72), line(48)]), Some(Music::Keyboard), "two hands");
        assert_eq!(kind(vec![drums()]), Some(Music::Drums));
        assert_eq!(kind(vec![line(60), drums()]), Some(Music::Band));
        assert_eq!(kind(vec![playing(0, line(60)), playing(33, line(40))]), Some(Music::Band));
        assert_eq!(kind(vec![playing(40, line(72)), playing(42, line(48))]), Some(Music::Keyboard), "one family");
    }

    #[test]
    fn triplets_know_their_beat_and_free_playing_does_not() {
        let triplets: Vec<_> = (0..96).map(|k| (k * 160, 60, 160)).collect();
        assert_eq!(kind(vec![part(&triplets)]), Some(Music::Tunes));
        // Steps of an irrational number of quarters meet every phase equally often.
        let played: Vec<_> = (0..500).map(|k| ((k as f64 * 480.0 * 0.618_034) as u64, 60, 100)).collect();
        assert_eq!(kind(vec![part(&played)]), Some(Music::Performances));
        let to_a_click: Vec<_> = (0..500).map(|k| (k * 120 + [0, 9, 20, 4, 15][k as usize % 5], 60, 60)).collect();
        assert_eq!(kind(vec![part(&to_a_click)]), Some(Music::Tunes), "late, but on the beat");
    }
}
