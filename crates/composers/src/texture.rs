//! `texture`: more of a piece, without learning. It goes on being like the piece from moment to moment, and goes nowhere: it has no form.
//!
//! Source: L. Gatys, A. Ecker and M. Bethge, Texture Synthesis Using Convolutional Neural Networks, NIPS 2015, arXiv:1505.07376: a picture
//! is changed until products of features, averaged over all places, are those of another picture. Departures: music needs no trained
//! network for features. What is averaged is how often a key sounds so many steps after another, so many semitones above it
//! (`tables::Pairs`), and how often each part's keys sound, and are struck, at each place of the bar (`tables::Places`). A score cannot
//! be changed a little, as a picture can: single notes are moved, added and taken away, and what brings the tables nearer is kept
//! (simulated annealing).
//!
//! Cost: the piece is counted once; then some 1,000 changes a note, each of some hundred additions: a second for 16 bars.

mod annealing;
mod tables;
#[cfg(test)]
mod tests;

use annealing::{Weave, Wish};
use cantus_model::{Progress, Rng};
use cantus_score::{
    Bar, Key, Meter, Note, Part, Program, Score, Tempo, Ticks, TicksPerQuarter, Unpitched, counted, quantize,
};
use std::collections::BTreeMap;

/// The most bars that are written at once.
pub const MOST_BARS: usize = 1000;
/// A grid holds music that misses it in no more than this share of its onsets.
const OFF_GRID: f64 = 0.05;
/// Steps to a quarter note that are tried, the first that holds the music is taken; the last, where none does.
const GRIDS: [u32; 6] = [2, 4, 3, 6, 8, 12];
/// Files may claim any length: so many bars are counted.
const MOST_COUNTED: usize = 20_000;
/// The longest bar, in steps.
const MOST_STEPS: u64 = 256;

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub enum TextureError {
    /// Too few bars, or too many.
    #[error("{bars} bars cannot be written; ask for 1 to {MOST_BARS}")]
    Bars {
        /// What was asked for.
        bars: usize,
    },
    /// Nothing to be like.
    #[error("there is no note to be like: it holds {0}")]
    Silent(Unpitched),
    /// A piece without a bar in the metre of the others.
    #[error("piece {number} has no bar in {meter}, the metre of the others: leave it out, or give it by itself")]
    OtherMeter {
        /// Which one, from 1.
        number: usize,
        /// The metre.
        meter: Meter,
    },
    /// Too few whole bars of one metre.
    #[error("there is only {} in {meter}, the metre it is mostly in; two are needed to be like", counted(*bars, "bar"))]
    TooShort {
        /// How many there are.
        bars: usize,
        /// The metre.
        meter: Meter,
    },
    /// Bars too long.
    #[error("a bar in {meter} has more than {MOST_STEPS} steps")]
    Meter {
        /// The metre.
        meter: Meter,
    },
    /// Stopped by the caller.
    #[error("stopped")]
    Stopped,
}

/// What was written.
#[derive(Debug)]
pub struct Texture {
    /// The music.
    pub score: Score,
    /// How far its pairs of notes are from the pieces': the sum of squares of what the means differ by, over all lags and intervals.
    pub error: f64,
    /// The same of what it began with: notes of the pieces at random places.
    pub error_at_random: f64,
    /// What had to be mended to read the pieces, and what is missing.
    pub remarks: Vec<String>,
}

/// A part that plays in the pieces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Player {
    drums: bool,
    program: u8,
    /// Of parts with one program their order.
    number: usize,
}

/// A note of a bar of the main metre, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    part: usize,
    place: u32,
    key: u8,
    length: u32,
    velocity: cantus_score::Velocity,
}

/// Pieces on one grid.
struct Pieces {
    grid: TicksPerQuarter,
    meter: Meter,
    tempo: Tempo,
    key: Option<Key>,
    players: Vec<(Player, Part)>,
    /// For each piece the notes of each player, in steps, and how many steps there are.
    notes: Vec<(Vec<(usize, Note)>, u64)>,
    /// For each piece its bars in the main metre.
    bars: Vec<Vec<Bar>>,
    remarks: Vec<String>,
}

/// Writes `bars` bars like the pieces. `progress` is told the share of the work that is done.
///
/// # Errors
/// [`TextureError`], where there is nothing to be like, and where `progress` says to stop.
pub fn texture(pieces: &[Score], bars: usize, rng: &mut Rng, progress: Progress<'_>) -> Result<Texture, TextureError> {
    if bars == 0 || bars > MOST_BARS {
        return Err(TextureError::Bars { bars });
    }
    let pieces = Pieces::read(pieces)?;
    let bar_steps = pieces.meter.bar(pieces.grid).0;
    let wish = Wish::of(&pieces, bar_steps);
    let mut weave = Weave::begin(&wish, bars * bar_steps as usize, rng);
    let error_at_random = weave.error_of_pairs();
    weave.anneal(&wish, rng, progress).map_err(|()| TextureError::Stopped)?;
    let mut score = Score::new(pieces.grid);
    score.meters.push((Ticks::ZERO, pieces.meter));
    score.tempos.push((Ticks::ZERO, pieces.tempo));
    score.keys.extend(pieces.key.map(|key| (Ticks::ZERO, key)));
    score.parts = pieces.players.iter().map(|(_, part)| part.clone()).collect();
    for (part, note) in weave.notes() {
        score.parts[part].notes.push(note);
    }
    score.parts.iter_mut().for_each(|part| part.notes.sort_unstable());
    score.parts.retain(|part| !part.notes.is_empty());
    Ok(Texture { error: weave.error_of_pairs(), error_at_random, score, remarks: pieces.remarks })
}

impl Pieces {
    fn read(scores: &[Score]) -> Result<Pieces, TextureError> {
        let is_silent = scores.iter().all(|score| score.note_count() == 0);
        if let Some(unpitched) = scores.first().and_then(Unpitched::of).filter(|_| is_silent) {
            return Err(TextureError::Silent(unpitched));
        }
        let mut remarks = Vec::new();
        let steps = |steps: u32| TicksPerQuarter::new(steps).unwrap_or(TicksPerQuarter::DEFAULT);
        let missed = |grid: TicksPerQuarter| {
            let reports = scores.iter().map(|score| quantize(score, grid, 0.2).1);
            let (off, all) = reports.fold((0, 0), |(off, all), report| (off + report.off_grid, all + report.notes));
            off as f64 / all.max(1) as f64
        };
        let grid = GRIDS.map(steps).into_iter().find(|grid| missed(*grid) <= OFF_GRID).unwrap_or_else(|| {
            remarks.push("the music fits no grid: it is heard to the nearest twelfth of a quarter note".to_owned());
            steps(GRIDS[GRIDS.len() - 1])
        });
        let scores: Vec<Score> = scores.iter().map(|score| quantize(score, grid, 0.2).0).collect();
        // The metre that most bars are in.
        let mut counts: BTreeMap<(u64, Meter), usize> = BTreeMap::new();
        for bar in scores.iter().flat_map(|score| score.bars().take(MOST_COUNTED)) {
            if bar.length == bar.meter.bar(grid) {
                *counts.entry((bar.length.0, bar.meter)).or_default() += 1;
            }
        }
        let most = counts.iter().max_by_key(|(_, count)| **count);
        let (meter, count) = most.map_or((Meter::COMMON, 0), |((_, meter), count)| (*meter, *count));
        if count < 2 {
            return Err(TextureError::TooShort { bars: count, meter });
        }
        if meter.bar(grid).0 > MOST_STEPS {
            return Err(TextureError::Meter { meter });
        }
        let others = counts.values().sum::<usize>() - count;
        if others > 0 {
            remarks.push(format!("{} in other metres left out: it is like those in {meter}", counted(others, "bar")));
        }
        let is_main = |bar: &Bar| bar.meter == meter && bar.length == meter.bar(grid);
        let mut players: Vec<(Player, Part)> = Vec::new();
        let (mut notes, mut bars) = (Vec::new(), Vec::new());
        for score in &scores {
            let mut own: BTreeMap<(bool, u8), usize> = BTreeMap::new();
            let mut all = Vec::new();
            for part in score.parts.iter().filter(|part| !part.notes.is_empty()) {
                let program = part.program();
                let number = own.entry((part.drums, program.get())).or_default();
                let player = Player { drums: part.drums, program: program.get(), number: *number };
                *number += 1;
                let at = players.iter().position(|(known, _)| *known == player).unwrap_or_else(|| {
                    players.push((player, plain(part, program)));
                    players.len() - 1
                });
                all.extend(part.notes.iter().map(|note| (at, *note)));
            }
            let own: Vec<Bar> = score.bars().take(MOST_COUNTED).filter(is_main).collect();
            if own.is_empty() {
                return Err(TextureError::OtherMeter { number: bars.len() + 1, meter });
            }
            bars.push(own);
            notes.push((all, score.end().0.min(MOST_COUNTED as u64 * MOST_STEPS)));
        }
        let first = &scores[0];
        let tempo = first.tempos.first().map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
        let key = first.keys.first().map(|(_, key)| *key);
        Ok(Pieces { grid, meter, tempo, key, players, notes, bars, remarks })
    }
}

/// A part without its music.
fn plain(part: &Part, program: Program) -> Part {
    let programs = if part.programs.is_empty() { Vec::new() } else { vec![(Ticks::ZERO, program)] };
    Part {
        name: part.name.clone(),
        port: part.port,
        channel: part.channel,
        drums: part.drums,
        programs,
        ..Part::default()
    }
}
