//! Arrays for a notebook: a score as piano rolls in NumPy's `.npz`, a zip archive of `.npy` files (`numpy.load` opens it).
//!
//! A step is a 24th of a quarter note, which holds 32nds and triplets of sixteenths. Of `P` parts, `N` steps and `B` bars:
//!
//! | array | type | shape | |
//! |---|---|---|---|
//! | `roll` | `uint8` | `(P, N, 128)` | the velocity (1-127) of each MIDI pitch while it sounds, 0 while it does not |
//! | `struck` | `uint8` | `(P, N, 128)` | 1 at the step at which a note begins |
//! | `programs` | `int64` | `(P,)` | General MIDI programs from 0; -1 for drums |
//! | `seconds` | `float64` | `(N + 1,)` | when each step begins, and the end |
//! | `bars` | `int64` | `(B,)` | the step at which each bar begins |
//! | `numbers` | `int64` | `(B,)` | the number of each bar as printed, an upbeat being 0 |
//! | `steps_per_quarter` | `int64` | `()` | 24 |
//!
//! Source: NumPy Enhancement Proposal 1 (R. Kern, 2007), "Format Specification: Version 1.0".

use cantus_score::{Note, Score, Ticks, TicksPerQuarter};
use std::io::{Cursor, Write};
use thiserror::Error;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Steps to a quarter note.
pub const STEPS: u32 = 24;
/// More cells of a roll than these are an error: it is held in memory, twice.
const MOST_CELLS: u64 = 1 << 28;
const PITCHES: usize = 128;

/// The rolls would be too large.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a roll of {parts} parts and {steps} steps is too large; cut the piece, or merge its parts")]
pub struct NpzError {
    /// Parts with notes.
    pub parts: usize,
    /// Steps.
    pub steps: u64,
}

/// A `.npz` file of the parts with notes. The same score gives the same bytes.
///
/// # Errors
/// [`NpzError`], where there is too much of it.
pub fn write(score: &Score) -> Result<Vec<u8>, NpzError> {
    let steps_per_quarter = const { TicksPerQuarter::new(STEPS).unwrap() };
    let at = |ticks: Ticks| ticks.rescale(score.ticks_per_quarter, steps_per_quarter).0;
    let parts: Vec<_> = score.parts.iter().filter(|part| !part.notes.is_empty()).collect();
    // A note that is shorter than a step has one.
    let span = |note: &Note| (at(note.onset), at(note.end()).max(at(note.onset) + 1));
    let last = parts.iter().flat_map(|part| &part.notes).map(|note| span(note).1).max();
    let steps = last.unwrap_or(0).max(at(score.end()));
    let cells = steps.saturating_mul((parts.len() * PITCHES) as u64);
    if cells > MOST_CELLS {
        return Err(NpzError { parts: parts.len(), steps });
    }
    let (mut roll, mut struck) = (vec![0u8; cells as usize], vec![0u8; cells as usize]);
    for (p, part) in parts.iter().enumerate() {
        for note in &part.notes {
            let (from, to) = span(note);
            let cell = |step: u64| (p * steps as usize + step as usize) * PITCHES + usize::from(note.pitch.get());
            (from..to).for_each(|step| roll[cell(step)] = note.velocity.get());
            struck[cell(from)] = 1;
        }
    }
    let tempo = score.tempo_map();
    let seconds =
        (0..=steps).map(|step| tempo.seconds(Ticks(step).rescale(steps_per_quarter, score.ticks_per_quarter)));
    let seconds: Vec<u8> = seconds.flat_map(f64::to_le_bytes).collect();
    let programs = parts.iter().map(|part| if part.drums { -1 } else { i64::from(part.program().get()) });
    let (bars, numbers): (Vec<i64>, Vec<i64>) =
        score.numbered_bars().map(|(number, bar)| (at(bar.start) as i64, number as i64)).unzip();
    let shape = [parts.len(), steps as usize, PITCHES];
    let mut archive = Archive(ZipWriter::new(Cursor::new(Vec::new())));
    archive.add("roll", "|u1", &shape, &roll);
    archive.add("struck", "|u1", &shape, &struck);
    archive.add("programs", "<i8", &[parts.len()], &whole(programs));
    archive.add("seconds", "<f8", &[steps as usize + 1], &seconds);
    archive.add("bars", "<i8", &[bars.len()], &whole(bars));
    archive.add("numbers", "<i8", &[numbers.len()], &whole(numbers));
    archive.add("steps_per_quarter", "<i8", &[], &whole([i64::from(STEPS)]));
    Ok(archive.finish())
}

fn whole(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    numbers.into_iter().flat_map(i64::to_le_bytes).collect()
}

/// An archive in memory.
struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    /// Adds an array: its type as NumPy writes it, its shape, and its numbers in C's order.
    fn add(&mut self, name: &str, kind: &str, shape: &[usize], bytes: &[u8]) {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644);
        let written = (self.0.start_file(format!("{name}.npy"), options).map_err(std::io::Error::other))
            .and_then(|()| self.0.write_all(&head(kind, shape)))
            .and_then(|()| self.0.write_all(bytes));
        // Into memory, nothing of this can fail but for want of it.
        written.unwrap_or_else(|error| unreachable!("an archive in memory: {error}"));
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish().unwrap_or_else(|error| unreachable!("an archive in memory: {error}")).into_inner()
    }
}

/// What stands before the numbers: the magic, version 1.0, the length of the text, and the text, padded so that the numbers begin at a
/// multiple of 64.
fn head(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    // A tuple of one has its comma.
    let sides = if shape.len() == 1 { sides.trim_end() } else { sides.trim_end_matches(", ") };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sides}), }}");
    let before = 10;
    while (before + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut head = b"\x93NUMPY\x01\x00".to_vec();
    head.extend((text.len() as u16).to_le_bytes());
    head.extend(text.into_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Part, Pitch, Program, Tempo, Velocity};
    use std::io::Read;
    use zip::ZipArchive;

    fn note(onset: u64, pitch: u8, duration: u64, velocity: u8) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::try_from(velocity).unwrap(),
        }
    }

    fn score() -> Score {
        let mut score = Score::new(TicksPerQuarter::new(2).unwrap());
        score.tempos = vec![(Ticks::ZERO, Tempo::from_quarters_per_minute(60.0).unwrap())];
        let flute = vec![(Ticks::ZERO, Program::new(73).unwrap())];
        score.parts.push(Part {
            notes: vec![note(0, 60, 2, 80), note(2, 60, 1, 90)],
            programs: flute,
            ..Part::default()
        });
        score.parts.push(Part::default());
        score.parts.push(Part { notes: vec![note(1, 36, 1, 100)], drums: true, ..Part::default() });
        score
    }

    /// An array as its format's text says: type, shape, and what follows.
    fn array(npz: &[u8], name: &str) -> (String, String, Vec<u8>) {
        let mut archive = ZipArchive::new(Cursor::new(npz)).unwrap();
        let mut bytes = Vec::new();
        archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert!((10 + length).is_multiple_of(64));
        let text = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(text.ends_with('\n'));
        let (_, rest) = text.split_once("{'descr': '").unwrap();
        let (kind, rest) = rest.split_once("', 'fortran_order': False, 'shape': ").unwrap();
        let (shape, _) = rest.split_once(", }").unwrap();
        (kind.to_owned(), shape.to_owned(), bytes[10 + length..].to_vec())
    }

    fn numbers(npz: &[u8], name: &str) -> (String, Vec<i64>) {
        let (kind, shape, bytes) = array(npz, name);
        assert_eq!(kind, "<i8");
        (shape, bytes.chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect())
    }

    #[test]
    fn rolls_are_read_back_as_the_format_says() {
        let npz = write(&score()).unwrap();
        assert_eq!(npz, write(&score()).unwrap());
        let (kind, shape, roll) = array(&npz, "roll");
        assert_eq!((kind.as_str(), shape.as_str(), roll.len()), ("|u1", "(2, 36, 128)", 2 * 36 * 128));
        let cell = |part: usize, step: usize, pitch: usize| (36 * part + step) * 128 + pitch;
        assert_eq!([0, 23, 24, 35].map(|step| roll[cell(0, step, 60)]), [80, 80, 90, 90]);
        assert_eq!([11, 12, 23, 24].map(|step| roll[cell(1, step, 36)]), [0, 100, 100, 0]);
        let (_, _, struck) = array(&npz, "struck");
        let places: Vec<usize> = (0..struck.len()).filter(|place| struck[*place] == 1).collect();
        assert_eq!(places, [cell(0, 0, 60), cell(0, 24, 60), cell(1, 12, 36)]);
        assert_eq!(numbers(&npz, "programs"), ("(2,)".to_owned(), vec![73, -1]));
        assert_eq!(numbers(&npz, "bars"), ("(1,)".to_owned(), vec![0]));
        assert_eq!(numbers(&npz, "numbers"), ("(1,)".to_owned(), vec![1]));
        assert_eq!(numbers(&npz, "steps_per_quarter"), ("()".to_owned(), vec![24]));
        let (kind, shape, seconds) = array(&npz, "seconds");
        let last = f64::from_le_bytes(seconds[8 * 36..].try_into().unwrap());
        assert_eq!((kind.as_str(), shape.as_str(), last), ("<f8", "(37,)", 1.5));
    }

    #[test]
    fn what_is_too_large_is_an_error_and_nothing_is_an_array_of_nothing() {
        let mut endless = score();
        endless.parts[0].notes.push(note(1 << 40, 60, 1, 80));
        assert!(matches!(write(&endless), Err(NpzError { parts: 2, .. })));
        let (_, shape, roll) = array(&write(&Score::new(TicksPerQuarter::DEFAULT)).unwrap(), "roll");
        assert_eq!((shape.as_str(), roll.len()), ("(0, 0, 128)", 0));
    }
}
