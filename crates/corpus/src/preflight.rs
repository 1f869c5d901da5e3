//! The preflight report: each file, used or not and why.

use crate::{ContentHash, Music, Options, Parts, Quantization, Split};
use cantus_score::{Reading, Unpitched};
use serde::Serialize;
use std::fmt;

/// What was found in a folder, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Preflight {
    /// The folder, as it was named.
    pub folder: String,
    /// Every music file, in order of its path.
    pub files: Vec<FileReport>,
    /// The sums.
    pub totals: Totals,
    /// The kinds of music, with how many pieces are of each, used or not; the one with the most notes first.
    pub holds: Vec<(Music, usize)>,
    /// How the files were read: what was asked for, and what was chosen where nothing was.
    pub options: Options,
    /// What the readers had to say, the most frequent first.
    pub warnings: Vec<Warning>,
    /// What a person should know before training on this, in sentences.
    pub remarks: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileReport {
    /// Relative to the folder, with `/` between folders; as it is on disk, control characters included: print with [`Preflight`].
    pub path: String,
    /// What the reader had to say.
    pub warnings: Vec<String>,
    /// Whether it is used.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What the readers said of several files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    /// As it was said of the first of them; elsewhere numbers may differ.
    pub text: String,
    /// Of which files.
    pub files: Vec<String>,
}

impl Warning {
    /// The warnings of all files, those together that differ in numbers alone; the most frequent first.
    pub(crate) fn of(files: &[FileReport]) -> Vec<Warning> {
        let mut kinds: Vec<(String, Warning)> = Vec::new();
        for file in files {
            for text in &file.warnings {
                let kind = without_numbers(text);
                match kinds.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, warning)) if warning.files.last() == Some(&file.path) => {}
                    Some((_, warning)) => warning.files.push(file.path.clone()),
                    None => kinds.push((kind, Warning { text: text.clone(), files: vec![file.path.clone()] })),
                }
            }
        }
        let mut warnings: Vec<Warning> = kinds.into_iter().map(|(_, warning)| warning).collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.files.len()));
        warnings
    }
}

/// For people, in a line.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.files.first().map(String::as_str).unwrap_or_default();
        let (text, first) = (printable(&self.text), printable(first));
        match self.files.len() {
            0 | 1 => write!(f, "{first}: {text}"),
            count => write!(f, "{} files, the first {first}: {text}", grouped(count as u64)),
        }
    }
}

/// `text` with one sign in the place of each number, so that messages of one kind are equal.
fn without_numbers(text: &str) -> String {
    let mut kind = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            _ => kind.push(c),
        }
    }
    kind
}

/// Whether a file is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Used(Usage),
    /// It is not.
    Refused(Reason),
}

/// What a used file contributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Usage {
    /// What the piece is known by.
    pub hash: ContentHash,
    /// On which side of the split it stands.
    pub split: Split,
    /// Notes, after quantisation.
    pub notes: usize,
    /// Bars.
    pub bars: u64,
    /// Quarter notes.
    pub quarters: f64,
    /// The metres in force, the one that holds longest first.
    pub meters: Vec<String>,
    /// The key signature at the first note.
    pub key: Option<String>,
    /// What the grid did to the notes.
    #[serde(flatten)]
    pub quantization: Quantization,
    /// Strokes of drums that were left out.
    pub drums: usize,
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The system or the reader refuses it.
    Unreadable {
        /// Why.
        message: String,
    },
    /// More bytes than allowed; it was not read.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Nothing with a pitch in it.
    NoNotes {
        /// Strokes of drums in it.
        drums: usize,
        /// Chord symbols in it.
        chords: usize,
    },
    /// Notes, but not in the part that was asked for.
    NoSuchPart {
        /// What was asked for.
        wanted: Parts,
    },
    /// More pitched parts than allowed.
    TooManyParts {
        /// How many have notes.
        found: usize,
        /// How many are allowed.
        allowed: usize,
    },
    /// Notes that no piano has.
    BeyondPiano {
        /// How many.
        notes: usize,
    },
    /// Metres outside the chosen set.
    Meter {
        /// Those outside.
        found: Vec<String>,
    },
    /// Too many onsets that miss the grid: a performance, most likely.
    OffGrid {
        /// The share that misses it: [`Quantization::off_grid`].
        share: f64,
        /// The share allowed.
        allowed: f64,
    },
    /// Fewer notes or bars than asked for.
    TooShort {
        /// Notes found.
        notes: usize,
        /// Bars found.
        bars: u64,
        /// Notes wanted.
        min_notes: usize,
        /// Bars wanted.
        min_bars: u64,
    },
    /// The same notes as another file, perhaps in another key.
    DuplicateOf {
        /// The file that is used in its place.
        original: String,
        /// By how many semitones this one lies higher.
        transposed: i32,
    },
}

impl Reason {
    /// The heading under which files refused for this reason are counted.
    pub fn heading(&self) -> &'static str {
        match self {
            Reason::Unreadable { .. } => "unreadable",
            Reason::TooLarge { .. } => "too large",
            Reason::NoNotes { drums: 1.., chords: 0 } => "only drums",
            Reason::NoNotes { .. } => "no notes",
            Reason::NoSuchPart { .. } => "without the part asked for",
            Reason::TooManyParts { .. } => "too many parts",
            Reason::BeyondPiano { .. } => "notes beyond a piano's keys",
            Reason::Meter { .. } => "metre outside the chosen set",
            Reason::OffGrid { .. } => "off the grid",
            Reason::TooShort { .. } => "too short",
            Reason::DuplicateOf { .. } => "duplicate",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unreadable { message } => write!(f, "unreadable: {}", printable(message)),
            Reason::TooLarge { bytes, limit } => {
                write!(f, "too large: {} bytes, {} are allowed", grouped(*bytes), grouped(*limit))
            }
            Reason::NoNotes { drums, chords } => {
                write!(f, "it holds {}", Unpitched { strokes: *drums, chords: *chords })
            }
            Reason::NoSuchPart { wanted } => write!(f, "no part is `{wanted}`"),
            Reason::TooManyParts { found, allowed } => write!(f, "{found} parts, {allowed} are allowed"),
            Reason::BeyondPiano { notes } => write!(f, "{notes} notes lie beyond a piano's 88 keys"),
            Reason::Meter { found } => write!(f, "in {}", found.join(", ")),
            Reason::OffGrid { share, allowed } => {
                let (share, allowed) = (100.0 * share, 100.0 * allowed);
                write!(f, "off the grid: {share:.0}% of the onsets miss it, {allowed:.0}% may")
            }
            Reason::TooShort { notes, bars, min_notes, min_bars } => {
                write!(f, "too short: {notes} of at least {min_notes} notes, {bars} of {min_bars} bars")
            }
            Reason::DuplicateOf { original, transposed: 0 } => write!(f, "duplicate of {}", printable(original)),
            Reason::DuplicateOf { original, transposed } => {
                let (by, direction) = (transposed.abs(), if *transposed > 0 { "higher" } else { "lower" });
                let s = if by == 1 { "" } else { "s" };
                write!(f, "duplicate of {}, {by} semitone{s} {direction}", printable(original))
            }
        }
    }
}

/// Sums over a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Music files found, folders that could not be listed included.
    pub files: usize,
    /// Files of other kinds, left alone.
    pub ignored: usize,
    /// Files used.
    pub used: usize,
    /// Pieces for training: the files used for it, or the first part of a file that is used for both.
    pub train: usize,
    /// Pieces for validation.
    pub valid: usize,
    /// Notes of the used files.
    pub notes: u64,
    /// Bars of the used files.
    pub bars: u64,
    /// Quarter notes of the used files.
    pub quarters: f64,
    /// Notes that went into another on the same step and pitch.
    pub merged: u64,
    /// Refused files by heading, the most frequent first.
    pub refused: Vec<(String, usize)>,
}

impl Totals {
    /// The sums over `files`.
    pub(crate) fn of(files: &[FileReport], ignored: usize) -> Totals {
        let mut totals = Totals { files: files.len(), ignored, ..Totals::default() };
        for file in files {
            match &file.verdict {
                Verdict::Used(usage) => {
                    totals.used += 1;
                    totals.train += usize::from(usage.split == Split::Train);
                    totals.valid += usize::from(usage.split == Split::Valid);
                    totals.notes += usage.notes as u64;
                    totals.bars += usage.bars;
                    totals.quarters += usage.quarters;
                    totals.merged += usage.quantization.merged as u64;
                }
                Verdict::Refused(reason) => {
                    let heading = reason.heading();
                    match totals.refused.iter_mut().find(|(known, _)| known == heading) {
                        Some((_, count)) => *count += 1,
                        None => totals.refused.push((heading.to_owned(), 1)),
                    }
                }
            }
        }
        totals.refused.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        totals
    }
}

/// Kinds of warnings that are shown in short.
const WARNINGS: usize = 5;

/// A report as text: see [`Preflight::listing`].
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    report: &'a Preflight,
    lines: usize,
    verbose: bool,
}

impl Preflight {
    /// The used files with what they contribute.
    pub fn used(&self) -> impl Iterator<Item = (&FileReport, &Usage)> {
        self.files.iter().filter_map(|file| match &file.verdict {
            Verdict::Used(usage) => Some((file, usage)),
            Verdict::Refused(_) => None,
        })
    }

    /// The refused files with the reasons.
    pub fn refused(&self) -> impl Iterator<Item = (&FileReport, &Reason)> {
        self.files.iter().filter_map(|file| match &file.verdict {
            Verdict::Used(_) => None,
            Verdict::Refused(reason) => Some((file, reason)),
        })
    }

    /// The kind of music that most of the notes belong to.
    pub fn music(&self) -> Option<Music> {
        self.holds.first().map(|(music, _)| *music)
    }

    /// What the folder holds and how it was read, in a sentence for people; `None` where there is no music.
    pub fn found(&self) -> Option<String> {
        let pieces = |(music, count): &(Music, usize)| format!("{music} ({})", grouped(*count as u64));
        let (first, others) = self.holds.split_first()?;
        let also = match others {
            [] => String::new(),
            others => format!(", and also {}", others.iter().map(pieces).collect::<Vec<_>>().join(", ")),
        };
        let steps = self.options.steps().get();
        let read = match self.options.way() {
            Reading::Merged => format!("read as one instrument, on {steps} steps a quarter note"),
            Reading::Parts => format!("read part by part, on {steps} steps a quarter note"),
            Reading::Performed => "read as it was played, in hundredths of a second".to_owned(),
            Reading::Pedalled => "read as it was played, in hundredths of a second, keys and pedal apart".to_owned(),
        };
        Some(format!("It is {}{also}: {read}", pieces(first)))
    }

    /// For people: the sums by reason, the remarks, and at most `lines` refused files.
    pub fn listing(&self, lines: usize) -> Listing<'_> {
        Listing { report: self, lines, verbose: false }
    }

    /// For people: everything, used files and the reader's warnings included.
    pub fn verbose(&self) -> Listing<'_> {
        Listing { report: self, lines: usize::MAX, verbose: true }
    }
}

/// The short form: [`Preflight::listing`] with ten files.
impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listing(10).fmt(f)
    }
}

/// Without a line break at the end.
impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, totals) = (self.report, &self.report.totals);
        let s = if totals.files == 1 { "" } else { "s" };
        write!(f, "{}: {} music file{s}", printable(&report.folder), grouped(totals.files as u64))?;
        if totals.ignored > 0 {
            write!(f, ", {} of other kinds left alone", grouped(totals.ignored as u64))?;
        }
        let width = grouped(totals.files as u64).len() + 2;
        write!(f, "\n{:>width$}  used", grouped(totals.used as u64))?;
        if totals.used > 0 {
            let [notes, bars, quarters] = [totals.notes, totals.bars, totals.quarters.round() as u64].map(grouped);
            write!(f, ": {notes} notes, {bars} bars, {quarters} quarter notes")?;
            write!(f, " ({} to train on, {} to validate)", totals.train, totals.valid)?;
        }
        for (heading, count) in &totals.refused {
            write!(f, "\n{:>width$}  {heading}", grouped(*count as u64))?;
        }
        if let Some(found) = report.found() {
            write!(f, "\n{found}")?;
        }
        for remark in &report.remarks {
            write!(f, "\nNote: {remark}")?;
        }
        self.write_warnings(f)?;
        if self.verbose {
            self.write_used(f)?;
        }
        self.write_refused(f)
    }
}

impl Listing<'_> {
    fn write_used(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<(String, &Usage)> =
            self.report.used().map(|(file, used)| (printable(&file.path), used)).collect();
        let width = column(lines.iter().map(|(path, _)| path));
        if !lines.is_empty() {
            write!(f, "\nUsed:")?;
        }
        for (path, usage) in lines {
            let Quantization { merged, off_grid, moved, .. } = usage.quantization;
            let (off_grid, moved) = (100.0 * off_grid, 100.0 * moved);
            let meters = usage.meters.join(" ");
            let key = usage.key.as_deref().unwrap_or("-");
            write!(f, "\n  {path:width$}  {:5}  {:>6} notes {:>5} bars", usage.split, usage.notes, usage.bars)?;
            write!(f, "  off grid {off_grid:>3.0}%  moved {moved:>3.0}%  merged {merged:>4}  {meters}  {key}")?;
        }
        Ok(())
    }

    /// What the readers said: by kind, or, where everything is told, by file.
    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        if report.warnings.is_empty() || self.lines == 0 {
            return Ok(());
        }
        write!(f, "\nWarnings of the readers:")?;
        if self.verbose {
            for file in &report.files {
                file.warnings
                    .iter()
                    .try_for_each(|text| write!(f, "\n  {}: {}", printable(&file.path), printable(text)))?;
            }
            return Ok(());
        }
        report.warnings.iter().take(WARNINGS).try_for_each(|warning| write!(f, "\n  {warning}"))?;
        match report.warnings.len().saturating_sub(WARNINGS) {
            0 => Ok(()),
            more => write!(f, "\n  ... and {} of other kinds", grouped(more as u64)),
        }
    }

    fn write_refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.report.refused().count();
        if refused == 0 || self.lines == 0 {
            return Ok(());
        }
        let shown = self.report.refused().take(self.lines);
        let lines: Vec<(String, &Reason)> = shown.map(|(file, reason)| (printable(&file.path), reason)).collect();
        let width = column(lines.iter().map(|(path, _)| path));
        write!(f, "\nRefused:")?;
        for (path, reason) in &lines {
            write!(f, "\n  {path:width$}  {reason}")?;
        }
        if refused > lines.len() {
            write!(f, "\n  ... and {} more", grouped((refused - lines.len()) as u64))?;
        }
        Ok(())
    }
}

/// The width that lines the paths up, unless some are very long.
fn column<'a>(paths: impl Iterator<Item = &'a String>) -> usize {
    paths.map(|path| path.chars().count()).max().unwrap_or(0).min(48)
}

/// `text` with everything escaped that could move a terminal's cursor or turn the reading direction.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| {
        let invisible =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        !c.is_control() && !invisible
    };
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

/// 12345 as "12,345".
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(printable("a\x1b[2Jb\n\u{202e}é"), "a\\u{1b}[2Jb\\n\\u{202e}é");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn warnings_of_one_kind_are_one() {
        let file = |path: &str, warnings: &[&str]| FileReport {
            path: path.to_owned(),
            warnings: warnings.iter().map(|text| (*text).to_owned()).collect(),
            verdict: Verdict::Refused(Reason::BeyondPiano { notes: 1 }),
        };
        let files = [
            file("a", &["odd"]),
            file("b", &["3 bars are silent", "5 bars are silent"]),
            file("c", &["12 bars are silent"]),
        ];
        let shown: Vec<String> = Warning::of(&files).iter().map(Warning::to_string).collect();
        assert_eq!(shown, ["2 files, the first b: 3 bars are silent", "a: odd"]);
    }

    #[test]
    fn reasons_read_as_sentences() {
        let off = Reason::OffGrid { share: 0.374, allowed: 0.2 };
        assert_eq!(off.to_string(), "off the grid: 37% of the onsets miss it, 20% may");
        let copy = Reason::DuplicateOf { original: "a.mid".into(), transposed: -1 };
        assert_eq!(copy.to_string(), "duplicate of a.mid, 1 semitone lower");
        let drums = Reason::NoNotes { drums: 320, chords: 0 };
        assert_eq!(drums.to_string(), "it holds only drums (320 strokes) and no note with a pitch");
        assert_eq!(
            serde_json::to_string(&FileReport {
                path: "x".into(),
                warnings: Vec::new(),
                verdict: Verdict::Refused(off)
            })
            .unwrap(),
            r#"{"path":"x","warnings":[],"verdict":"refused","reason":"off_grid","share":0.374,"allowed":0.2}"#
        );
    }
}
