//! The training music as an index of n-grams, and what is found in it.

use super::LENGTHS;
use super::lines::{Line, Voice, lines};
use cantus_score::Score;
use rayon::prelude::*;
use serde::Serialize;
use std::fmt;

/// The n-grams of a corpus, with their places.
///
/// Cost: 16 bytes a note, line and length, so about 150 bytes a note of the melody.
#[derive(Clone, Debug, Default)]
pub struct Index {
    names: Vec<String>,
    lines: Vec<(u32, Line)>,
    /// One for each of [`LENGTHS`], sorted.
    tables: [Vec<Entry>; LENGTHS.len()],
}

/// An n-gram's number and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    gram: u64,
    line: u32,
    at: u32,
}

/// The share of a line's n-grams that stand in the index, for each of [`LENGTHS`]; `None` where the line has none.
pub type Shares = [Option<f64>; LENGTHS.len()];

/// What of a piece stands in the index.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Originality {
    /// Of the n-grams of its top line.
    pub melody: Shares,
    /// Of the n-grams of its chords.
    pub chords: Shares,
    /// The longest passage, counted in onsets; of equal ones that of the chords, then of the melody.
    pub longest: Option<Passage>,
}

/// A passage that stands in two pieces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Passage {
    /// Where it stands in the index.
    pub piece: String,
    /// The bar there in which it begins: its number, see [`Score::first_bar`].
    pub their_bar: usize,
    /// The line there.
    pub their_voice: Voice,
    /// The bar in which it begins in the piece that was looked at.
    pub bar: usize,
    /// How many bars of that piece it touches.
    pub bars: usize,
    /// The line in that piece.
    pub voice: Voice,
    /// Its onsets: notes of a line, or chords.
    pub onsets: usize,
    /// All its notes.
    pub notes: usize,
    /// Semitones by which it lies higher than theirs.
    pub transposition: i32,
    /// How many times as fast as theirs it goes, beat for beat.
    pub tempo: f64,
}

/// `31 chords from bar 9 on (4 bars): bar 12 of a.mid, 5 semitones higher, 2 times as fast`.
impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.voice == Voice::Chords { "chords".to_owned() } else { format!("notes of {}", self.voice) };
        let bars = if self.bars == 1 { "bar" } else { "bars" };
        write!(f, "{} {what} from bar {} on ({} {bars}): ", self.onsets, self.bar, self.bars)?;
        write!(f, "bar {} of {}", self.their_bar, self.piece)?;
        if self.their_voice != self.voice {
            write!(f, ", there in {}", self.their_voice)?;
        }
        if self.transposition != 0 {
            let (many, direction) = (self.transposition.abs(), if self.transposition > 0 { "higher" } else { "lower" });
            let semitones = if many == 1 { "semitone" } else { "semitones" };
            write!(f, ", {many} {semitones} {direction}")?;
        }
        if (self.tempo - 1.0).abs() > 1e-9 {
            let tempo = (self.tempo * 100.0).round() / 100.0;
            write!(f, ", {tempo} times as fast")?;
        }
        Ok(())
    }
}

impl Index {
    /// The index of named pieces, quantised.
    pub fn new<'a>(pieces: impl IntoIterator<Item = (&'a str, &'a Score)>) -> Index {
        let mut index = Index::default();
        for (name, score) in pieces {
            let piece = index.names.len() as u32;
            index.names.push(name.to_owned());
            for line in lines(score) {
                let number = index.lines.len() as u32;
                for (table, length) in index.tables.iter_mut().zip(LENGTHS) {
                    let entry = |at| Some(Entry { gram: line.gram(at, length)?, line: number, at: at as u32 });
                    table.extend((0..line.events.len()).filter_map(entry));
                }
                index.lines.push((piece, line));
            }
        }
        index.tables.iter_mut().for_each(|table| table.sort_unstable());
        index
    }

    /// Pieces in the index.
    pub fn pieces(&self) -> usize {
        self.names.len()
    }

    /// The number of a piece, in the order in which they were given.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// What real pieces share with the index: those that were kept out of it, and those in it (`learnt`, in the order in which they were
    /// given) with themselves left out. Of more than `most` pieces so many are asked, evenly spread.
    pub fn check_real(&self, learnt: &[&Score], kept: &[&Score], most: usize) -> Vec<Originality> {
        let all = learnt.len() + kept.len();
        let asked = all.min(most);
        let check = |k: usize| {
            let number = k * all / asked;
            match learnt.get(number) {
                Some(score) => self.check_left_out(score, number),
                None => self.check(kept[number - learnt.len()]),
            }
        };
        (0..asked).into_par_iter().map(check).collect()
    }

    /// The numbers of all different n-grams of single lines (chords left out), sorted.
    pub(super) fn grams(&self, length: usize) -> Vec<u64> {
        let table = &self.tables[length];
        let single = table.iter().filter(|entry| self.lines[entry.line as usize].1.voice != Voice::Chords);
        let mut grams: Vec<u64> = single.map(|entry| entry.gram).collect();
        grams.dedup();
        grams
    }

    /// What of `score`, quantised, stands in the index.
    pub fn check(&self, score: &Score) -> Originality {
        self.look(score, None)
    }

    /// What of the piece of that number stands in the *other* pieces of the index: what a piece of its kind shares with its like.
    pub fn check_left_out(&self, score: &Score, piece: usize) -> Originality {
        self.look(score, u32::try_from(piece).ok())
    }

    fn look(&self, score: &Score, left_out: Option<u32>) -> Originality {
        let lines = lines(score);
        let shares = |voice: Voice| {
            let line = lines.iter().find(|line| line.voice == voice);
            line.map(|line| [0, 1, 2].map(|length| self.share(line, length, left_out))).unwrap_or_default()
        };
        let longest = lines
            .iter()
            .filter_map(|line| self.longest(line, left_out))
            .max_by_key(|found| (found.onsets, found.voice));
        Originality { melody: shares(Voice::Top), chords: shares(Voice::Chords), longest }
    }

    fn share(&self, line: &Line, length: usize, left_out: Option<u32>) -> Option<f64> {
        let grams = (0..line.events.len()).filter_map(|at| line.gram(at, LENGTHS[length]));
        let found = grams.map(|gram| if self.entries(length, gram, left_out).next().is_some() { 1.0 } else { 0.0 });
        crate::mean::mean(found)
    }

    /// Where an n-gram stands.
    fn entries(&self, length: usize, gram: u64, left_out: Option<u32>) -> impl Iterator<Item = &Entry> {
        let table = &self.tables[length];
        let first = table.partition_point(|entry| entry.gram < gram);
        let same = table[first..].iter().take_while(move |entry| entry.gram == gram);
        same.filter(move |entry| left_out != Some(self.lines[entry.line as usize].0))
    }

    /// The longest passage of a line: from every n-gram that is found, as far as both go on. Shorter n-grams are asked only where
    /// longer ones find nothing.
    fn longest(&self, line: &Line, left_out: Option<u32>) -> Option<Passage> {
        (0..LENGTHS.len()).rev().find_map(|length| {
            let seed = LENGTHS[length];
            let mut best: Option<(usize, usize, &Entry)> = None;
            for at in 0..line.events.len() {
                let Some(gram) = line.gram(at, seed) else { continue };
                for entry in self.entries(length, gram, left_out) {
                    let other = &self.lines[entry.line as usize].1;
                    // What goes back further has been seen from there, unless it begins with an even repetition, which is no seed.
                    if line.goes_back(at, other, entry.at as usize) && line.gram(at - 1, seed).is_some() {
                        continue;
                    }
                    let onsets = line.common(at, other, entry.at as usize, seed);
                    if best.is_none_or(|(most, ..)| onsets > most) {
                        best = Some((onsets, at, entry));
                    }
                }
            }
            best.map(|(onsets, at, entry)| self.passage(line, onsets, at, entry))
        })
    }

    fn passage(&self, line: &Line, onsets: usize, at: usize, entry: &Entry) -> Passage {
        let (piece, other) = &self.lines[entry.line as usize];
        let (mut at, mut their, mut onsets) = (at, entry.at as usize, onsets);
        while line.goes_back(at, other, their) {
            (at, their, onsets) = (at - 1, their - 1, onsets + 1);
        }
        let ours = &line.events[at..at + onsets];
        let theirs = &other.events[their..their + onsets];
        let length = |events: &[super::lines::Event]| (events[onsets - 1].onset - events[0].onset).0 as f64;
        Passage {
            piece: self.names[*piece as usize].clone(),
            their_bar: theirs[0].bar as usize,
            their_voice: other.voice,
            bar: ours[0].bar as usize,
            bars: (ours[onsets - 1].bar - ours[0].bar) as usize + 1,
            voice: line.voice,
            onsets,
            notes: ours.iter().map(|event| usize::from(event.notes)).sum(),
            transposition: i32::from(ours[0].pitch) - i32::from(theirs[0].pitch),
            tempo: length(theirs) / length(ours),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
