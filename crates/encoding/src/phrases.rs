//! Phrases of a band: four bars of sixteen steps, a track for each family of instruments, cells that sound or do not.
//!
//! Source: H.-W. Dong, W.-Y. Hsiao, L.-C. Yang and Y.-H. Yang, MuseGAN, 2018, arXiv:1709.06298v2: a phrase is a tensor of bars, steps, pitches and
//! tracks. Departures: 16 steps a bar in the place of 96; drums are nine kinds; a pitched track has 48 keys around where the corpus plays, what
//! lies beyond moves in by octaves, and one cell more that says of a step that what sounds on is struck again. A bar of fewer than 16 steps leaves its
//! last ones empty, of a longer one the first 16 are read.
//!
//! What it cannot carry: anything finer than a sixteenth, keys held while others are struck again, and how loud.

mod statistics;

use crate::rhythm_section;
use cantus_score::{Family, Note, Pitch, Score, Ticks, TicksPerQuarter, quantize};
use serde::{Deserialize, Serialize};

/// Bars of a phrase.
pub const BARS: usize = 4;
/// Steps of a bar.
pub const STEPS: usize = 16;
/// Steps of a phrase.
pub const LENGTH: usize = BARS * STEPS;
/// Steps to a quarter note.
pub const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();
/// Keys of a pitched track.
pub const KEYS: usize = 48;
/// Kinds of drums, the first of [`rhythm_section::KINDS`].
pub const DRUMS: usize = 9;
/// What other percussion is played like, by its kind from [`DRUMS`] on.
const LIKE: [usize; 5] = [8, 6, 4, 2, 8];

/// A track: a family of instruments, and its lowest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// The family's place in [`Family::ALL`].
    family: u8,
    /// The MIDI pitch of the first cell; nothing for drums.
    lowest: u8,
}

impl Track {
    /// Its family.
    pub fn family(&self) -> Family {
        Family::ALL[usize::from(self.family).min(Family::ALL.len() - 1)]
    }

    /// Cells of a step: the keys, and whether they are struck again; or kinds of drums.
    pub fn width(&self) -> usize {
        if self.is_drums() { DRUMS } else { KEYS + 1 }
    }

    /// Whether its cells are kinds of drums.
    pub fn is_drums(&self) -> bool {
        self.family() == Family::Drums
    }

    /// The cell of a pitch.
    fn cell(&self, pitch: Pitch) -> usize {
        if self.is_drums() {
            let kind = rhythm_section::kind(pitch);
            return if kind < DRUMS { kind } else { LIKE[(kind - DRUMS).min(LIKE.len() - 1)] };
        }
        let (low, key) = (i32::from(self.lowest), i32::from(pitch.get()));
        let octaves = if key < low { (low - key + 11) / 12 } else { -((key - low - KEYS as i32 + 12).max(0) / 12) };
        (key + 12 * octaves - low).clamp(0, KEYS as i32 - 1) as usize
    }

    /// The pitch of a cell.
    fn pitch(&self, cell: usize) -> Option<Pitch> {
        let pitch = if self.is_drums() { rhythm_section::KINDS[cell] } else { self.lowest + cell as u8 };
        Pitch::try_from(pitch).ok()
    }
}

/// The tracks of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    tracks: Vec<Track>,
}

/// Four bars: the cells that sound, in order, of `LENGTH * width` ones, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phrase(pub Vec<u32>);

impl Phrase {
    /// Which of so many cells sound.
    pub fn sounding(&self, cells: usize) -> Vec<bool> {
        let mut sounding = vec![false; cells];
        self.0.iter().for_each(|cell| sounding[*cell as usize] = true);
        sounding
    }
}

/// A note of a track on the steps of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tone {
    /// When it begins.
    pub step: usize,
    /// Steps that it lasts.
    pub length: usize,
    /// Its pitch.
    pub pitch: Pitch,
}

impl Layout {
    /// Of these pieces: the families that they have, each with the keys that it plays most.
    pub fn of<'a>(pieces: impl IntoIterator<Item = &'a Score>) -> Layout {
        let mut played = [[0u64; 128]; Family::ALL.len()];
        for piece in pieces {
            for (part, family) in piece.parts.iter().zip(Family::of(&piece.parts)) {
                let counts = &mut played[family.index()];
                part.notes.iter().for_each(|note| counts[usize::from(note.pitch.get())] += 1);
            }
        }
        let track = |family: &Family| {
            let counts = &played[family.index()];
            let is_played = counts.iter().any(|count| *count > 0);
            is_played.then(|| Track { family: family.index() as u8, lowest: lowest(*family, counts) })
        };
        Layout { tracks: Family::ALL.iter().filter_map(track).collect() }
    }

    /// The tracks.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Whether one that a file says can be used.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let is_sound = |track: &Track| usize::from(track.family) < Family::ALL.len() && track.lowest <= 80;
        let is_sorted = self.tracks.windows(2).all(|pair| pair[0].family < pair[1].family);
        if self.tracks.is_empty() || !is_sorted || !self.tracks.iter().all(is_sound) {
            return Err("the tracks are damaged".to_owned());
        }
        Ok(())
    }

    /// Cells of a step.
    pub fn width(&self) -> usize {
        self.tracks.iter().map(Track::width).sum()
    }

    /// Cells of a phrase.
    pub fn cells(&self) -> usize {
        LENGTH * self.width()
    }

    /// Where each track's cells begin in a step.
    pub fn starts(&self) -> Vec<usize> {
        let starts = self.tracks.iter().scan(0, |next, track| {
            let start = *next;
            *next += track.width();
            Some(start)
        });
        starts.collect()
    }

    /// Every step of a piece: which cells sound.
    fn steps(&self, score: &Score) -> Vec<Vec<bool>> {
        let coarse = quantize(score, GRID, 0.5).0;
        let end = coarse.bars().last().map_or(Ticks::ZERO, |bar| bar.end());
        let end = end.0.min(rhythm_section::MOST_STEPS) as usize;
        let mut steps = vec![vec![false; self.width()]; end];
        let families = Family::of(&coarse.parts);
        for (track, start) in self.tracks.iter().zip(self.starts()) {
            let parts = coarse.parts.iter().zip(&families).filter(|(_, family)| **family == track.family());
            let notes: Vec<&Note> = parts.flat_map(|(part, _)| &part.notes).collect();
            let mut struck = vec![0u64; end];
            for note in notes {
                let (cell, onset) = (track.cell(note.pitch), note.onset.0 as usize);
                let last = if track.is_drums() { onset + 1 } else { note.end().0 as usize };
                for step in steps.get_mut(onset..last.min(end)).unwrap_or_default() {
                    step[start + cell] = true;
                }
                if let Some(struck) = struck.get_mut(onset).filter(|_| !track.is_drums()) {
                    *struck |= 1 << cell;
                }
            }
            for at in (1..end).filter(|_| !track.is_drums()) {
                let goes_on = |key: &usize| steps[at][start + key] && steps[at - 1][start + key];
                let on: Vec<usize> = (0..KEYS).filter(goes_on).collect();
                let again = on.iter().filter(|key| struck[at] >> **key & 1 == 1).count();
                steps[at][start + KEYS] = 2 * again > on.len();
            }
        }
        steps
    }

    /// The phrases of a piece, four bars after four bars from its first whole one on, every so many bars; those without a note are left out. Of a piece
    /// with fewer bars the only one, the rest of which is silent.
    pub fn phrases(&self, score: &Score, every: usize) -> Vec<Phrase> {
        let steps = self.steps(score);
        let coarse = quantize(score, GRID, 0.5).0;
        let bars: Vec<(usize, usize)> = coarse.bars().map(|bar| (bar.start.0 as usize, bar.end().0 as usize)).collect();
        let is_short = bars.windows(2).next().is_some_and(|two| two[0].1 < two[1].1 - two[1].0);
        let bars = &bars[usize::from(is_short)..];
        let starts = (0..(bars.len().max(BARS) - BARS + 1)).step_by(every.max(1));
        let phrases = starts.map(|first| self.phrase(&steps, &bars[first..bars.len().min(first + BARS)]));
        phrases.filter(|phrase| !phrase.0.is_empty()).collect()
    }

    fn phrase(&self, steps: &[Vec<bool>], bars: &[(usize, usize)]) -> Phrase {
        let mut cells = Vec::new();
        for (bar, (from, to)) in bars.iter().enumerate() {
            let own = steps.get(*from..(*to).min(from + STEPS).min(steps.len())).unwrap_or_default();
            for (step, sounds) in own.iter().enumerate() {
                let first = (bar * STEPS + step) * self.width();
                let sounding = sounds.iter().enumerate().filter(|(_, sounds)| **sounds);
                cells.extend(sounding.map(|(cell, _)| (first + cell) as u32));
            }
        }
        Phrase(cells)
    }

    /// The notes of a track, given the cells of each step of a piece.
    ///
    /// # Panics
    /// If there is no such track, or a step is narrower.
    pub fn tones(&self, track: usize, steps: &[&[bool]]) -> Vec<Tone> {
        let (start, track) = (self.starts()[track], &self.tracks[track]);
        let mut tones = Vec::new();
        if track.is_drums() {
            for (step, cells) in steps.iter().enumerate() {
                let struck = (0..DRUMS).filter(|kind| cells[start + kind]).filter_map(|kind| track.pitch(kind));
                tones.extend(struck.map(|pitch| Tone { step, length: 1, pitch }));
            }
            return tones;
        }
        for key in 0..KEYS {
            let Some(pitch) = track.pitch(key) else { continue };
            let mut since: Option<usize> = None;
            for step in 0..=steps.len() {
                let sounds = steps.get(step).is_some_and(|cells| cells[start + key]);
                let again = steps.get(step).is_some_and(|cells| cells[start + KEYS]);
                if let Some(begun) = since.filter(|_| !sounds || again) {
                    tones.push(Tone { step: begun, length: step - begun, pitch });
                    since = None;
                }
                if sounds && since.is_none() {
                    since = Some(step);
                }
            }
        }
        tones.sort_unstable();
        tones
    }
}

/// The lowest of [`KEYS`] keys that hold most of what a family plays; of equals the one in the middle.
fn lowest(family: Family, counts: &[u64; 128]) -> u8 {
    if family == Family::Drums {
        return 0;
    }
    let held = |low: usize| counts[low..low + KEYS].iter().sum::<u64>();
    let most = (0..=128 - KEYS).map(held).max().unwrap_or(0);
    let best: Vec<usize> = (0..=128 - KEYS).filter(|low| held(*low) == most).collect();
    best[best.len() / 2] as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Part, Program, Velocity};

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        let pitch = Pitch::try_from(pitch).unwrap();
        Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT }
    }

    /// A piano with a repeated note and a chord, a bass, drums; four bars and a half.
    fn band() -> Score {
        let part = |program: u8, notes: Vec<Note>| Part {
            programs: vec![(Ticks::ZERO, Program::new(program).unwrap())],
            notes,
            ..Part::default()
        };
        let mut score = Score::new(GRID);
        score.parts = vec![
            part(0, vec![note(0, 60, 4), note(4, 60, 2), note(8, 64, 8), note(8, 67, 8), note(70, 72, 2)]),
            part(33, vec![note(0, 36, 16), note(48, 43, 16)]),
            Part { notes: vec![note(0, 35, 1), note(8, 40, 1), note(12, 42, 1)], ..Part::of_drums() },
        ];
        score
    }

    #[test]
    fn what_is_decoded_is_what_was_encoded() {
        let band = band();
        let layout = Layout::of([&band]);
        assert_eq!(layout.width(), DRUMS + 2 * (KEYS + 1));
        let steps = layout.steps(&band);
        let rows: Vec<&[bool]> = steps.iter().map(Vec::as_slice).collect();
        let tones = |track: usize| {
            layout.tones(track, &rows).iter().map(|t| (t.step, t.pitch.get(), t.length)).collect::<Vec<_>>()
        };
        assert_eq!(tones(0), [(0, 36, 1), (8, 38, 1), (12, 42, 1)], "drums are kinds");
        assert_eq!(tones(1), [(0, 60, 4), (4, 60, 2), (8, 64, 8), (8, 67, 8), (70, 72, 2)]);
        assert_eq!(tones(2), [(0, 36, 16), (48, 43, 16)]);
    }

    #[test]
    fn phrases_are_four_bars_and_none_is_silent() {
        let band = band();
        let layout = Layout::of([&band]);
        let phrases = layout.phrases(&band, 1);
        assert_eq!(phrases.len(), 2, "five bars have two of four");
        let all = layout.phrases(&band, 4);
        assert_eq!(all, phrases[..1]);
        assert!(phrases.iter().flat_map(|phrase| &phrase.0).all(|cell| (*cell as usize) < layout.cells()));
        let short = Score { parts: vec![Part { notes: vec![note(0, 60, 4)], ..Part::default() }], ..Score::new(GRID) };
        assert_eq!(layout.phrases(&short, 4).len(), 1);
        assert!(layout.phrases(&Score::new(GRID), 4).is_empty());
    }

    #[test]
    fn bars_of_other_lengths_keep_their_beginnings() {
        let mut waltz = band();
        waltz.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap())];
        let layout = Layout::of([&waltz]);
        let phrase = &layout.phrases(&waltz, 4)[0];
        let steps: Vec<usize> = phrase.0.iter().map(|cell| *cell as usize / layout.width() % STEPS).collect();
        assert!(steps.iter().all(|step| *step < 12));
    }

    #[test]
    fn keys_beyond_a_track_move_in_by_octaves() {
        let track = Track { family: 1, lowest: 36 };
        let cell = |pitch: u8| track.cell(Pitch::try_from(pitch).unwrap());
        assert_eq!([36, 83, 84, 96, 127].map(cell), [0, 47, 36, 36, 43]);
        assert_eq!([35, 24, 0].map(cell), [11, 0, 0]);
        let damaged = Layout { tracks: vec![Track { family: 7, lowest: 0 }] };
        assert!(damaged.check().is_err() && Layout { tracks: vec![] }.check().is_err());
    }
}
