//! Files of pairs: two bars of drums, and the bass that goes with them, a pair a line of JSON, the file gzipped or not.
//!
//! `drums` are 32 sixteenths of 14 bits each, a bit for each kind of drum; `melody` lists `[step, pitch]` on 64 steps, onsets alone;
//! `instrument` is its program, `tempo` quarters a minute, `src` the file it comes from and `window` the place in that.
//!
//! Source: the coding of M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20 (github.com/mkarpenkospb/drum_and_bass).
//! The split is by songs, so that none stands on both sides: the first byte of SHA-256 of salt and song, modulo 10; 0 and 1 are for the
//! test, 2 is for validation. A song is a file's folder and name; of files that a generator numbered (`name_7`), all numbers are one.

use crate::gzip::{self, MOST_BYTES};
use cantus_score::{DRUM_KINDS, Meter, Note, Part, Pitch, Program, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// Steps of a pattern, and rows of drums in it.
const STEPS: u64 = 64;
const ROWS: usize = 32;
/// Steps to a quarter note.
const GRID: TicksPerQuarter = const { TicksPerQuarter::new(8).unwrap() };
/// Folders whose files are numbered by a generator.
const GENERATED: &str = "mma-synth";

/// A file of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct PairsFile {
    pairs: Vec<Pair>,
}

/// Two bars of drums and bass.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The file it comes from.
    pub source: String,
    /// Drums and bass, in this order; a note of the bass lasts until the next begins.
    pub score: Score,
}

/// Pairs by the side on which they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sides {
    /// Learnt from.
    pub train: Vec<Pair>,
    /// The checkpoint is chosen on these.
    pub valid: Vec<Pair>,
    /// Judged at the very end.
    pub test: Vec<Pair>,
}

/// Why a file is no file of pairs.
#[derive(Debug, thiserror::Error)]
pub enum PairsError {
    /// The system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has more bytes than are read.
    #[error("has more than {MOST_BYTES} bytes of JSON")]
    TooLarge,
    /// A line that is no pair.
    #[error("line {line} is no pair of drums and bass: {problem}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Raw {
    src: String,
    #[serde(default)]
    window: u64,
    tempo: f64,
    instrument: u8,
    drums: Vec<u32>,
    melody: Vec<(u64, u8)>,
}

/// Whether a file's name says that it holds pairs.
pub fn is_pairs_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.is_file() && (name.ends_with(".jsonl") || name.ends_with(".jsonl.gz"))
}

impl PairsFile {
    /// Reads a file, gzipped or not.
    ///
    /// # Errors
    /// [`PairsError`]
    pub fn open(path: &Path) -> Result<PairsFile, PairsError> {
        PairsFile::read(&gzip::open(path)?)
    }

    /// Reads the bytes of a file, gzipped or not.
    ///
    /// # Errors
    /// [`PairsError`]
    pub fn read(bytes: &[u8]) -> Result<PairsFile, PairsError> {
        let json = gzip::unzipped(bytes)?.ok_or(PairsError::TooLarge)?;
        let lines = json.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let pair = |(k, line): (usize, &[u8])| {
            let wrong = |problem: String| PairsError::Line { line: k + 1, problem };
            let raw: Raw = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
            raw.pair().map_err(wrong)
        };
        Ok(PairsFile { pairs: lines.map(pair).collect::<Result<_, _>>()? })
    }

    /// All pairs, in the order of the file.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The pairs by side, each song on one.
    pub fn sides(&self, salt: &str) -> Sides {
        let mut sides = Sides::default();
        for pair in &self.pairs {
            let side = match fold(salt, &pair.source) {
                0 | 1 => &mut sides.test,
                2 => &mut sides.valid,
                _ => &mut sides.train,
            };
            side.push(pair.clone());
        }
        sides
    }
}

/// The tenth of all songs to which a song belongs.
fn fold(salt: &str, source: &str) -> u8 {
    let hash: [u8; 32] = Sha256::new().chain_update(salt).chain_update(song(source)).finalize().into();
    hash[0] % 10
}

/// The song of a file: its folder and its name without ending, and without the number where a generator gave one.
fn song(source: &str) -> String {
    let mut names = source.rsplit('/');
    let file = names.next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let Some(folder) = names.next() else { return stem.to_owned() };
    let numbered = stem.rsplit_once('_').filter(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit()));
    format!("{folder}/{}", numbered.filter(|_| folder == GENERATED).map_or(stem, |(name, _)| name))
}

impl Raw {
    fn pair(mut self) -> Result<Pair, String> {
        if self.drums.len() != ROWS {
            return Err(format!("{} rows of drums, and not {ROWS}", self.drums.len()));
        }
        let note = |onset: u64, pitch: u8, duration: u64| {
            let pitch = Pitch::try_from(pitch).map_err(|_| format!("{pitch} is no MIDI pitch (0-127)"))?;
            Ok::<_, String>(Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT })
        };
        let mut drums = Part { name: Some("Drums".to_owned()), ..Part::of_drums() };
        for (row, bits) in self.drums.iter().enumerate() {
            if bits >> DRUM_KINDS.len() != 0 {
                return Err(format!("row {row} of the drums is {bits}, which has more than {} bits", DRUM_KINDS.len()));
            }
            for (_, pitch) in DRUM_KINDS.iter().enumerate().filter(|(kind, _)| bits >> kind & 1 == 1) {
                drums.notes.push(note(row as u64 * STEPS / ROWS as u64, *pitch, 1)?);
            }
        }
        drums.notes.sort_unstable();
        self.melody.sort_unstable();
        self.melody.dedup();
        let program = Program::new(self.instrument).ok_or_else(|| format!("{} is no program", self.instrument))?;
        let mut bass =
            Part { name: Some("Bass".to_owned()), programs: vec![(Ticks::ZERO, program)], ..Part::default() };
        for (step, pitch) in &self.melody {
            if *step >= STEPS {
                return Err(format!("step {step} of the bass; there are {STEPS}"));
            }
            let next = self.melody.iter().map(|(later, _)| *later).find(|later| later > step).unwrap_or(STEPS);
            bass.notes.push(note(*step, *pitch, next - step)?);
        }
        let mut score = Score::new(GRID);
        score.title = Some(format!("{} {}", self.src, self.window));
        score.meters = vec![(Ticks::ZERO, Meter::COMMON)];
        score.tempos.extend(Tempo::from_quarters_per_minute(self.tempo).map(|tempo| (Ticks::ZERO, tempo)));
        score.parts = vec![drums, bass];
        Ok(Pair { source: self.src, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str, drums: &[(usize, u32)], melody: &str) -> String {
        let mut rows = vec![0u32; ROWS];
        drums.iter().for_each(|(row, bits)| rows[*row] = *bits);
        format!(
            r#"{{"src":"{source}","window":3,"tempo":96,"instrument":34,"drums":{rows:?},"melody":{melody},"min_note":30}}"#
        )
    }

    #[test]
    fn pairs_are_read_to_the_note() {
        let text = [
            line("a/b.mid", &[(0, 0b101), (31, 1 << 13)], "[[0,30],[10,42],[10,35],[63,30]]"),
            line("a/c.mid", &[], "[]"),
        ]
        .join("\n");
        let file = PairsFile::read(text.as_bytes()).unwrap();
        assert_eq!(file.pairs().len(), 2);
        let Pair { source, score } = &file.pairs()[0];
        let notes = |part: usize| -> Vec<(u64, u8, u64)> {
            score.parts[part].notes.iter().map(|note| (note.onset.0, note.pitch.get(), note.duration.0)).collect()
        };
        assert_eq!((source.as_str(), score.ticks_per_quarter.get(), score.bars().count()), ("a/b.mid", 8, 2));
        assert!(score.parts[0].drums && score.parts[1].program().get() == 34);
        assert_eq!(notes(0), [(0, 36, 1), (0, 42, 1), (62, 64, 1)]);
        assert_eq!(notes(1), [(0, 30, 10), (10, 35, 53), (10, 42, 53), (63, 30, 1)]);
        assert_eq!(score.tempos[0].1.quarters_per_minute().round(), 96.0);
    }

    #[test]
    fn what_is_no_pair_is_told_with_its_line() {
        let told = |text: &str| PairsFile::read(text.as_bytes()).unwrap_err().to_string();
        assert!(told("\n{}").starts_with("line 2 is no pair"));
        let short = line("a", &[], "[]").replace("[0, ", "[");
        assert!(told(&short).contains("31 rows"), "{}", told(&short));
        assert!(told(&line("a", &[(0, 1 << 14)], "[]")).contains("more than 14 bits"));
        assert!(told(&line("a", &[], "[[64,30]]")).contains("step 64"));
        assert!(told(&line("a", &[], "[[0,130]]")).contains("no MIDI pitch"));
    }

    #[test]
    fn a_song_stands_on_one_side() {
        assert_eq!(song("x/mma-synth/50srock_12.mid"), "mma-synth/50srock");
        assert_eq!(song("x/freedoom/d_dm_01.mid"), "freedoom/d_dm_01");
        assert_eq!(song("alone.mid"), "alone");
        // SHA-256 of "0freedoom/d_dm01" and "2freedoom/d_dm01".
        assert_eq!(["0", "2"].map(|salt| fold(salt, "m/freedoom/d_dm01.mid")), [8, 0]);
        let text: Vec<String> = (0..60).map(|k| line(&format!("a/{}.mid", k / 3), &[(0, 1)], "[[0,30]]")).collect();
        let sides = PairsFile::read(text.join("\n").as_bytes()).unwrap().sides("0");
        assert_eq!(sides.train.len() + sides.valid.len() + sides.test.len(), 60);
        let songs =
            |pairs: &[Pair]| pairs.iter().map(|pair| pair.source.clone()).collect::<std::collections::BTreeSet<_>>();
        assert!(
            songs(&sides.train).is_disjoint(&songs(&sides.test))
                && songs(&sides.train).is_disjoint(&songs(&sides.valid))
        );
        assert!(!sides.test.is_empty() && sides.train.len() > sides.test.len());
    }
}
