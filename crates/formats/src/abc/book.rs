//! Files: where tunes begin and end.

use super::AbcError;
use super::reader::{Line, read_tune};
use super::tune::Reading;
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
    /// Its reference number, as `X:` has it, 0 where that is none; its place in a file without such numbers, from 1.
    pub number: u32,
    /// The line in which it begins, from 1.
    pub line: usize,
    /// Its music.
    pub reading: Result<Reading, AbcError>,
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
    let Some(first) = lines.iter().position(|line| begins_tune(line.text)) else {
        return read_unnumbered(&lines, limits);
    };
    let mut tunes = Vec::new();
    let mut begin = first;
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
            reading: read_tune(header, tune, false, limits),
        });
        begin = end;
    }
    Ok(Book { tunes })
}

/// A file in which no tune has a number, although each must (standard 2.1, section 3.1.1): blank lines part the tunes, and a tune is
/// what begins with the fields of one.
fn read_unnumbered(lines: &[Line], limits: &Limits) -> Result<Book, AbcError> {
    let mut tunes = Vec::new();
    for block in lines.split(|line| line.text.trim().is_empty()) {
        let says_something = |line: &&Line| !line.text.starts_with('%') && !line.text.starts_with("```");
        let mut said = block.iter().filter(says_something);
        let is_field = |line: &Line| line.text.len() > 1 && line.text.as_bytes()[1] == b':';
        let begins = said.clone().take_while(|line| is_field(line)).any(|line| is_header(line.text));
        let (true, Some(first)) = (begins, said.next()) else { continue };
        if tunes.len() == MOST_TUNES {
            return Err(AbcError::TooManyTunes { line: first.number, limit: MOST_TUNES });
        }
        let number = tunes.len() as u32 + 1;
        tunes.push(Tune { number, line: first.number, reading: read_tune(&[], block, true, limits) });
    }
    if tunes.is_empty() { Err(AbcError::NoTune) } else { Ok(Book { tunes }) }
}

fn begins_tune(text: &str) -> bool {
    text.starts_with("X:")
}

/// Whether a line is one of the fields that only music has.
fn is_header(text: &str) -> bool {
    ["M:", "L:", "T:", "K:"].iter().any(|field| text.starts_with(field))
}

/// The lines of a file, without blocks of free text and PostScript.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut hidden: Option<&str> = None;
    let mut lines = Vec::new();
    for (k, line) in ended(text).enumerate() {
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
        if line.starts_with("%%beginsvg") {
            hidden = Some("%%endsvg");
            continue;
        }
        lines.push(Line { number: k + 1, text: line });
    }
    lines
}

/// Lines as all kinds of programs end them: with a line feed, a carriage return or both; with a form feed, where pages end; with
/// Unicode's separators, where text was pasted.
fn ended(text: &str) -> impl Iterator<Item = &str> {
    const ENDS: [char; 5] = ['\r', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}'];
    text.split('\n').flat_map(|line| line.trim_end_matches('\r').split(ENDS))
}
