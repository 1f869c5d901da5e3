//! Files: where tunes begin and end.

use super::AbcError;
use super::reader::{Reading, read_tune};
use crate::Limits;

/// More tunes than any collection has in one file.
const MOST_TUNES: usize = 100_000;

/// The tunes of a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// At least one.
    pub tunes: Vec<Tune>,
}

/// A tune, or why it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tune {
    /// Its reference number, as `X:` has it; 0 where that is none.
    pub number: u32,
    /// The line in which it begins, from 1.
    pub line: usize,
    /// Its music.
    pub reading: Result<Reading, AbcError>,
}

/// A line of text with its number, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub number: usize,
    pub text: &'a str,
}

/// Reads a file of tunes.
///
/// # Errors
/// Where the file as a whole is refused; a tune that is refused says so itself ([`Tune::reading`]).
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Book, AbcError> {
    if bytes.len() > limits.max_bytes {
        return Err(AbcError::TooLarge { found: bytes.len(), limit: limits.max_bytes });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(AbcError::Empty);
    }
    let text = crate::text::decode_document(bytes);
    let lines: Vec<Line> = lines(&text);
    let mut tunes = Vec::new();
    let mut begin = lines.iter().position(|line| begins_tune(line.text)).ok_or(AbcError::NoTune)?;
    let header = &lines[..begin];
    while begin < lines.len() {
        let rest = &lines[begin + 1..];
        let end = rest.iter().position(|line| begins_tune(line.text)).map_or(lines.len(), |next| begin + 1 + next);
        let tune = &lines[begin..end];
        let number = tune[0].text[2..].trim();
        let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        if tunes.len() == MOST_TUNES {
            return Err(AbcError::TooManyTunes { line: tune[0].number, limit: MOST_TUNES });
        }
        tunes.push(Tune {
            number: number[..digits].parse().unwrap_or(0),
            line: tune[0].number,
            reading: read_tune(header, tune, limits),
        });
        begin = end;
    }
    Ok(Book { tunes })
}

fn begins_tune(text: &str) -> bool {
    text.starts_with("X:")
}

/// The lines of a file, without blocks of free text and PostScript.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut hidden: Option<&str> = None;
    let mut lines = Vec::new();
    for (k, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(end) = hidden {
            if line.starts_with(end) || begins_tune(line) {
                hidden = None;
            }
            if !begins_tune(line) {
                continue;
            }
        }
        if line.starts_with("%%begintext") {
            hidden = Some("%%endtext");
            continue;
        }
        if line.starts_with("%%beginps") {
            hidden = Some("%%endps");
            continue;
        }
        lines.push(Line { number: k + 1, text: line });
    }
    lines
}
