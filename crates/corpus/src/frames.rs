//! The polyphonic-music benchmark: files of frames with their own split.
//!
//! A file is JSON, as it is or gzipped: `train`, `valid` and `test` are lists of pieces, a piece is a list of steps, a step is a list
//! of the MIDI pitches that sound. `step` says in words what a step is: a quarter note, a sixteenth, or (where it does not begin so)
//! an eighth, as the benchmark's page has it.
//!
//! Where there is a list of `voices`, each step has one number for each of them, in their order; -1 is a rest, and a pitch that stands
//! in one step after another is one note.
//!
//! Source: N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, ICML 2012, arXiv:1206.6392v1, and the data's page,
//! <http://www-etud.iro.umontreal.ca/~boulanni/icml2012>.
//!
//! Each pitch of a step becomes a note of one step, so that the frames can be had back exactly. Only silence at a piece's end is
//! lost, for a score ends with its last note.

use crate::gzip::{self, MOST_BYTES};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};
use serde::Deserialize;
use std::io;
use std::path::Path;

/// What a voice that rests has in the place of a pitch.
const REST: i64 = -1;

/// A benchmark file.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameFile {
    /// Its name.
    pub name: String,
    /// Learnt from.
    pub train: Vec<Score>,
    /// The checkpoint is chosen on these.
    pub valid: Vec<Score>,
    /// Judged at the very end.
    pub test: Vec<Score>,
    /// Silent steps at the ends of pieces, which were left out.
    pub silent: usize,
}

/// Why a file is no benchmark file.
#[derive(Debug, thiserror::Error)]
pub enum FrameFileError {
    /// The system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has more bytes than any benchmark.
    #[error("has more than {MOST_BYTES} bytes of JSON")]
    TooLarge,
    /// It is no JSON, or of another kind.
    #[error("is no file of frames: {0}")]
    Json(#[from] serde_json::Error),
    /// A number that is no pitch.
    #[error("piece {piece} of `{side}`, step {step}: {pitch} is no MIDI pitch (0-127)")]
    Pitch {
        /// Which list.
        side: &'static str,
        /// Which piece of it, from 0.
        piece: usize,
        /// Which step of that, from 0.
        step: usize,
        /// The number.
        pitch: i64,
    },
}

#[derive(Deserialize)]
struct Raw {
    name: String,
    step: String,
    #[serde(default)]
    voices: Vec<String>,
    train: Vec<RawPiece>,
    valid: Vec<RawPiece>,
    test: Vec<RawPiece>,
}

type RawPiece = Vec<Vec<i64>>;

/// Whether a file's name says that it holds frames.
pub fn is_frame_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.is_file() && (name.ends_with(".json") || name.ends_with(".json.gz"))
}

impl FrameFile {
    /// Reads a file, gzipped or not.
    ///
    /// # Errors
    /// [`FrameFileError`]
    pub fn open(path: &Path) -> Result<FrameFile, FrameFileError> {
        FrameFile::read(&gzip::open(path)?)
    }

    /// Reads the bytes of a file, gzipped or not.
    ///
    /// # Errors
    /// [`FrameFileError`]
    pub fn read(bytes: &[u8]) -> Result<FrameFile, FrameFileError> {
        let json = gzip::unzipped(bytes)?.ok_or(FrameFileError::TooLarge)?;
        let raw: Raw = serde_json::from_slice(&json)?;
        let step = raw.step.trim_start().to_lowercase();
        let grid = if step.starts_with("quarter") {
            const { TicksPerQuarter::new(1).unwrap() }
        } else if step.starts_with("sixteenth") {
            const { TicksPerQuarter::new(4).unwrap() }
        } else {
            const { TicksPerQuarter::new(2).unwrap() }
        };
        let mut silent = 0;
        let mut scores = |side: &'static str, pieces: &[RawPiece]| -> Result<Vec<Score>, FrameFileError> {
            let pieces = pieces.iter().enumerate().map(|(piece, steps)| {
                silent += steps.iter().rev().take_while(|step| step.iter().all(|pitch| *pitch == REST)).count();
                let title = format!("{side}/{piece}");
                let read = if raw.voices.is_empty() {
                    score(steps, grid, &title)
                } else {
                    in_voices(steps, &raw.voices, grid, &title)
                };
                read.map_err(|(step, pitch)| FrameFileError::Pitch { side, piece, step, pitch })
            });
            pieces.collect()
        };
        let (train, valid) = (scores("train", &raw.train)?, scores("valid", &raw.valid)?);
        let test = scores("test", &raw.test)?;
        Ok(FrameFile { name: raw.name, train, valid, test, silent })
    }
}

/// A note of one step for each pitch of each step; the place and the number that is none, else.
fn score(steps: &[Vec<i64>], grid: TicksPerQuarter, title: &str) -> Result<Score, (usize, i64)> {
    let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
    for (step, pitches) in steps.iter().enumerate() {
        for &pitch in pitches {
            part.notes.push(Note {
                onset: Ticks(step as u64),
                pitch: Pitch::try_from(pitch).map_err(|_| (step, pitch))?,
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            });
        }
    }
    part.notes.sort_unstable();
    part.notes.dedup();
    let mut score = Score::new(grid);
    score.title = Some(title.to_owned());
    score.parts.push(part);
    Ok(score)
}

/// A part for each voice; the place and the number that is no pitch, else, or the first number that is missing or too many.
fn in_voices(steps: &[Vec<i64>], voices: &[String], grid: TicksPerQuarter, title: &str) -> Result<Score, (usize, i64)> {
    let mut score = Score::new(grid);
    score.title = Some(title.to_owned());
    for (voice, name) in voices.iter().enumerate() {
        let mut part = Part {
            name: Some(name.clone()),
            channel: voice as u8 % Part::DRUM_CHANNEL,
            programs: vec![(Ticks::ZERO, Program::PIANO)],
            ..Part::default()
        };
        let mut last = REST;
        for (step, pitches) in steps.iter().enumerate() {
            if pitches.len() != voices.len() {
                return Err((step, pitches.get(voices.len()).copied().unwrap_or(REST)));
            }
            let number = pitches[voice];
            match part.notes.last_mut() {
                _ if number == REST => {}
                Some(note) if number == last => note.duration += Ticks(1),
                _ => part.notes.push(Note {
                    onset: Ticks(step as u64),
                    pitch: Pitch::try_from(number).map_err(|_| (step, number))?,
                    duration: Ticks(1),
                    velocity: Velocity::DEFAULT,
                }),
            }
            last = number;
        }
        score.parts.push(part);
    }
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    const SMALL: &str = r#"{"name":"small","step":"quarter note; one list a step","more":1,
        "train":[[[60,64],[],[60]],[[21,108],[]]],"valid":[[[62],[62]]],"test":[[[65]]]}"#;

    fn notes(score: &Score) -> Vec<(u64, u8)> {
        score.notes().map(|note| (note.onset.0, note.pitch.get())).collect()
    }

    #[test]
    fn frames_become_notes_of_one_step_packed_or_not() {
        let file = FrameFile::read(SMALL.as_bytes()).unwrap();
        assert_eq!((file.name.as_str(), file.silent), ("small", 1));
        assert_eq!(notes(&file.train[0]), [(0, 60), (0, 64), (2, 60)]);
        assert_eq!(notes(&file.train[1]), [(0, 21), (0, 108)]);
        assert!(file.train[0].notes().all(|note| note.duration == Ticks(1)));
        assert_eq!((file.valid[0].ticks_per_quarter.get(), file.test.len()), (1, 1));
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(SMALL.as_bytes()).unwrap();
        assert_eq!(FrameFile::read(&packed.finish().unwrap()).unwrap(), file);
        let eighths = SMALL.replace("quarter note", "fixed grid");
        assert_eq!(FrameFile::read(eighths.as_bytes()).unwrap().train[0].ticks_per_quarter.get(), 2);
    }

    #[test]
    fn voices_become_parts_with_notes_that_last() {
        let text = r#"{"name":"two","step":"sixteenth note","voices":["high","low"],
            "train":[[[60,48],[60,50],[-1,50],[60,50],[-1,-1]]],"valid":[],"test":[]}"#;
        let file = FrameFile::read(text.as_bytes()).unwrap();
        let parts = &file.train[0].parts;
        let spans =
            |part: &Part| -> Vec<_> { part.notes.iter().map(|n| (n.onset.0, n.duration.0, n.pitch.get())).collect() };
        assert_eq!(spans(&parts[0]), [(0, 2, 60), (3, 1, 60)]);
        assert_eq!(spans(&parts[1]), [(0, 1, 48), (1, 3, 50)]);
        assert_eq!((parts[1].name.as_deref(), file.train[0].ticks_per_quarter.get()), (Some("low"), 4));
        assert_eq!(file.silent, 1);
        let error = |text: &str| FrameFile::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error(&text.replace("[-1,50]", "[50]")).contains("piece 0 of `train`, step 2"));
        assert!(error(&text.replace("[-1,50]", "[128,50]")).contains("step 2: 128"));
    }

    #[test]
    fn what_is_no_benchmark_is_named() {
        let error = |text: &str| FrameFile::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{}").contains("no file of frames"));
        assert!(error("").contains("no file of frames"));
        assert!(error(&SMALL.replace("[62],[62]", "[62],[128]")).contains("piece 0 of `valid`, step 1: 128"));
        assert!(error(&SMALL.replace("[65]", "[-1]")).contains("`test`"));
        assert!(FrameFile::read(&[0x1f, 0x8b, 0, 1, 2]).is_err());
        assert!(FrameFile::open(Path::new("no such file")).is_err());
    }
}
