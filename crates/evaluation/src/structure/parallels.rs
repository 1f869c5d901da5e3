//! Parallels: motifs of a melody that come again, as they were or changed as composers change them.
//!
//! A *motif* here is [`MOTIF`] intervals in a row with the lengths of the notes between them. What is counted is exact: windows are found by
//! what a change leaves alone, so that the work grows with the number of notes.

use cantus_score::{Key, Note, Outer, Score, Ticks, find_key, merge_parts, outer_line};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Intervals of a motif.
pub const MOTIF: usize = 6;

/// How a motif comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The same notes in the same lengths.
    Literal,
    /// The same, moved along the scale of the piece, so that intervals change by a semitone where the scale wants it.
    Sequence,
    /// The same intervals from another pitch, out of the scale.
    Transposed,
    /// The same intervals in lengths all longer, or all shorter, by one factor.
    Augmented,
    /// Every interval the other way, in the same lengths.
    Inverted,
    /// From the last note to the first, whatever the lengths.
    Backwards,
}

impl Way {
    /// All of them; of two by which a motif comes again the first is named.
    pub const ALL: [Way; 6] =
        [Way::Literal, Way::Sequence, Way::Transposed, Way::Augmented, Way::Inverted, Way::Backwards];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Literal => "as it was",
            Way::Sequence => "moved along the scale",
            Way::Transposed => "transposed",
            Way::Augmented => "in other lengths",
            Way::Inverted => "inverted",
            Way::Backwards => "backwards",
        })
    }
}

/// A stretch of a melody that is an earlier one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parallel {
    /// How it comes again.
    pub way: Way,
    /// Its first note, counted from 0.
    pub note: usize,
    /// The first note of the earlier one.
    pub of: usize,
    /// How many notes it has.
    pub notes: usize,
    /// By how many semitones its first note is above that of the earlier one (backwards: above its last).
    pub semitones: i32,
    /// The number of the bar that it begins in: from 1, or from 0 where the piece begins with an upbeat.
    pub bar: usize,
    /// The number of the bar that the earlier one begins in.
    pub of_bar: usize,
    /// When it begins and ends.
    #[serde(skip)]
    pub span: (Ticks, Ticks),
    /// When the earlier one does.
    #[serde(skip)]
    pub source: (Ticks, Ticks),
}

/// The parallels of a melody.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Parallels {
    /// Intervals of the melody.
    pub intervals: usize,
    /// For each way the share of intervals that stand in a motif which came before so, and did not overlap it.
    pub shares: BTreeMap<Way, f64>,
    /// Stretches that come again, in order, none inside another; each by the first of its ways.
    pub found: Vec<Parallel>,
}

/// A melody's intervals, as they are compared.
struct Line {
    notes: Vec<Note>,
    /// Steps of the scale from the tonic's lowest: twice that, and one more for a note between two steps.
    degrees: Vec<i32>,
}

/// What a change leaves of a window: two windows with the same are one by it.
type Shape = Vec<i64>;

/// The highest notes of a score, drums left out, their times as they are.
pub(crate) fn melody(score: &Score) -> Vec<Note> {
    let notes = merge_parts(score.parts.iter().filter(|part| !part.drums)).notes;
    outer_line(&notes, Outer::Highest, score.ticks_per_quarter, score.ticks_per_quarter)
}

/// The parallels of a score's melody.
pub fn parallels(score: &Score) -> Parallels {
    let notes = melody(score);
    let key = score.keys.first().map(|(_, key)| *key).or_else(|| find_key(&notes));
    let mut parallels = of_line(&Line::new(notes, key));
    let last = parallels.found.iter().map(|found| found.span.0).max().unwrap_or_default();
    let bars: Vec<Ticks> = score.bars().map(|bar| bar.start).take_while(|start| *start <= last).collect();
    let number = |at: Ticks| bars.partition_point(|start| *start <= at) + score.first_bar() - 1;
    for found in &mut parallels.found {
        (found.bar, found.of_bar) = (number(found.span.0), number(found.source.0));
    }
    parallels
}

impl Line {
    fn new(notes: Vec<Note>, key: Option<Key>) -> Line {
        let tonic = key.map_or(0, |key| (i32::from(key.fifths()) * 7).rem_euclid(12));
        let degree = |note: &Note| {
            // Of the major scale of the signature; sharps and flats lie between.
            const DEGREES: [i32; 12] = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12];
            let above = i32::from(note.pitch.get()) - tonic;
            14 * above.div_euclid(12) + DEGREES[above.rem_euclid(12) as usize]
        };
        Line { degrees: notes.iter().map(degree).collect(), notes }
    }

    fn intervals(&self) -> usize {
        self.notes.len().saturating_sub(1)
    }

    fn interval(&self, k: usize) -> i64 {
        i64::from(self.notes[k + 1].pitch.get()) - i64::from(self.notes[k].pitch.get())
    }

    /// From a note's beginning to the next one's.
    fn length(&self, k: usize) -> i64 {
        (self.notes[k + 1].onset.0 - self.notes[k].onset.0) as i64
    }

    /// What a way keeps of the window that begins at note k: first as what may come again, then as what comes again by it.
    fn shapes(&self, way: Way, k: usize) -> [Shape; 2] {
        let window = k..k + MOTIF;
        let intervals = |sign: i64| window.clone().map(move |k| sign * self.interval(k));
        let lengths = || window.clone().map(|k| self.length(k));
        let pitch = i64::from(self.notes[k].pitch.get());
        let both = |shape: Shape| [shape.clone(), shape];
        match way {
            Way::Literal => both([pitch].into_iter().chain(intervals(1)).chain(lengths()).collect()),
            Way::Sequence => {
                let steps = window.clone().map(|k| i64::from(self.degrees[k + 1] - self.degrees[k]));
                both(steps.chain(lengths()).collect())
            }
            Way::Transposed => both(intervals(1).chain(lengths()).collect()),
            Way::Augmented => {
                let common = lengths().fold(0, gcd).max(1);
                both(intervals(1).chain(lengths().map(|length| length / common)).collect())
            }
            Way::Inverted => [1, -1].map(|sign| intervals(sign).chain(lengths()).collect()),
            Way::Backwards => [intervals(1).collect(), intervals(-1).rev().collect()],
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn of_line(line: &Line) -> Parallels {
    let intervals = line.intervals();
    let windows = (intervals + 1).saturating_sub(MOTIF);
    let mut shares = BTreeMap::new();
    let mut found: Vec<Parallel> = Vec::new();
    // By windows, so that what has a name is not named again.
    let mut is_named = vec![false; windows];
    for way in Way::ALL {
        let earlier = earliest(line, way, windows);
        let mut is_in = vec![false; intervals];
        for (k, _) in earlier.iter().enumerate().filter(|(_, earlier)| earlier.is_some()) {
            is_in[k..k + MOTIF].fill(true);
        }
        let count = is_in.iter().filter(|inside| **inside).count();
        shares.insert(way, if intervals == 0 { 0.0 } else { count as f64 / intervals as f64 });
        let mut k = 0;
        while k < windows {
            let Some(of) = earlier[k].filter(|_| !is_named[k]) else {
                k += 1;
                continue;
            };
            // On for as long as the notes after are those after the earlier ones (before them, backwards).
            let on = (1..windows - k).take_while(|on| !is_named[k + on] && goes_on(line, way, (k, of), *on)).count();
            is_named[k..=k + on].fill(true);
            found.push(line.parallel(way, k, of, MOTIF + 1 + on));
            k += on + 1;
        }
    }
    found.sort_by_key(|parallel| (parallel.note, std::cmp::Reverse(parallel.notes)));
    let mut end = 0;
    found.retain(|parallel| {
        let is_new = parallel.note + parallel.notes > end;
        end = end.max(parallel.note + parallel.notes);
        is_new
    });
    Parallels { intervals, shares, found }
}

/// For each window the earliest one before it, and apart from it, that is the same by a way.
fn earliest(line: &Line, way: Way, windows: usize) -> Vec<Option<usize>> {
    // What is moved or stretched is so by something: of windows of one shape the first is enough, and the first that differs from it.
    let by = |k: usize| match way {
        Way::Literal | Way::Inverted | Way::Backwards => 0,
        Way::Sequence | Way::Transposed => i64::from(line.notes[k].pitch.get()),
        Way::Augmented => line.length(k),
    };
    let is_changed = !matches!(way, Way::Literal | Way::Inverted | Way::Backwards);
    let mut firsts: HashMap<Shape, (usize, Option<usize>)> = HashMap::new();
    let mut find = |k: usize| {
        if let Some(before) = k.checked_sub(MOTIF) {
            let [shape, _] = line.shapes(way, before);
            let (first, other) = firsts.entry(shape).or_insert((before, None));
            if other.is_none() && by(before) != by(*first) {
                *other = Some(before);
            }
        }
        let [_, shape] = line.shapes(way, k);
        let (first, other) = *firsts.get(&shape)?;
        if is_changed && by(first) == by(k) { other } else { Some(first) }
    };
    (0..windows).map(&mut find).collect()
}

/// Whether the window so many notes after one that comes again is the one that far after its source, too.
fn goes_on(line: &Line, way: Way, (k, of): (usize, usize), on: usize) -> bool {
    let source = if way == Way::Backwards { of.checked_sub(on) } else { Some(of + on) };
    let is_apart = |source: usize| way == Way::Backwards || source + MOTIF <= k;
    source.is_some_and(|source| is_apart(source) && line.shapes(way, source)[0] == line.shapes(way, k + on)[1])
}

impl Line {
    fn parallel(&self, way: Way, note: usize, of: usize, notes: usize) -> Parallel {
        let (of, like) = match way {
            Way::Backwards => (of + MOTIF + 1 - notes, of + MOTIF),
            _ => (of, of),
        };
        let span = |first: usize| (self.notes[first].onset, self.notes[first + notes - 1].end());
        let semitones = i32::from(self.notes[note].pitch.get()) - i32::from(self.notes[like].pitch.get());
        Parallel { way, note, of, notes, semitones, bar: 0, of_bar: 0, span: span(note), source: span(of) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Part, Pitch, TicksPerQuarter, Velocity};

    /// A line in C major: pitches with lengths.
    fn line(notes: &[(u8, u64)]) -> Line {
        let mut onset = 0;
        let notes = notes.iter().map(|(pitch, length)| {
            onset += length;
            let (onset, duration) = (Ticks(onset - length), Ticks(*length));
            Note { onset, pitch: Pitch::try_from(*pitch).unwrap(), duration, velocity: Velocity::DEFAULT }
        });
        Line::new(notes.collect(), Some(Key::new(0, cantus_score::Mode::Major).unwrap()))
    }

    const MOTIF_NOTES: [(u8, u64); 7] = [(60, 4), (64, 2), (62, 2), (65, 4), (67, 1), (69, 1), (60, 2)];

    /// The motif, three notes that are nobody's, and what becomes of it.
    fn after(change: impl Fn(usize) -> (u8, u64)) -> Vec<(u8, u64)> {
        let between = [(83, 3), (49, 5), (88, 7)];
        MOTIF_NOTES.into_iter().chain(between).chain((0..MOTIF_NOTES.len()).map(change)).collect()
    }

    #[test]
    fn planted_motifs_are_found_by_the_way_they_were_changed() {
        // C D E F G A of the scale a step higher: D F E G A B D.
        let higher = [62, 65, 64, 67, 69, 71, 62];
        let plants: [(Way, Vec<(u8, u64)>); 6] = [
            (Way::Literal, after(|k| MOTIF_NOTES[k])),
            (Way::Sequence, after(|k| (higher[k], MOTIF_NOTES[k].1))),
            (Way::Transposed, after(|k| (MOTIF_NOTES[k].0 + 6, MOTIF_NOTES[k].1))),
            (Way::Augmented, after(|k| (MOTIF_NOTES[k].0, 2 * MOTIF_NOTES[k].1))),
            (Way::Inverted, after(|k| (124 - MOTIF_NOTES[k].0, MOTIF_NOTES[k].1))),
            (Way::Backwards, after(|k| (MOTIF_NOTES[6 - k].0, 9))),
        ];
        for (way, notes) in plants {
            let Parallels { found, shares, intervals } = of_line(&line(&notes));
            assert_eq!(intervals, 16);
            let [found] = found[..] else { panic!("{way}: {found:?}") };
            assert_eq!((found.way, found.note, found.of, found.notes), (way, 10, 0, 7));
            assert_eq!(shares[&way], 6.0 / 16.0, "{way}");
            assert!(
                shares.iter().all(|(other, share)| *share == 0.0 || *other == way || way == Way::Literal),
                "{shares:?}"
            );
        }
    }

    #[test]
    fn a_stretch_is_as_long_as_it_is_the_same_and_never_overlaps_its_source() {
        let tune: Vec<(u8, u64)> = (0..12).map(|k| (60 + k * k % 17, 1 + u64::from(k) % 3)).collect();
        let twice = [&tune[..], &tune].concat();
        let found = of_line(&line(&twice)).found;
        assert_eq!(
            found.iter().map(|p| (p.way, p.note, p.of, p.notes)).collect::<Vec<_>>(),
            [(Way::Literal, 12, 0, 12)]
        );
        // One note for ever: each six intervals are those six before.
        let same = of_line(&line(&[(60, 1); 40]));
        assert!(same.found.iter().all(|p| p.of + MOTIF <= p.note), "{:?}", same.found);
        assert_eq!(same.shares[&Way::Literal], 33.0 / 39.0);
        assert_eq!(
            parallels(&Score::new(TicksPerQuarter::DEFAULT)),
            Parallels { shares: same.shares.keys().map(|way| (*way, 0.0)).collect(), ..Parallels::default() }
        );
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: line(&twice).notes, ..Part::default() });
        assert_eq!(parallels(&score).found.len(), 1);
    }
}
