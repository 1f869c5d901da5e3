//! The preflight report: each file, used or not and why.

use crate::text::{grouped, printable};
use crate::{ContentHash, Music, Options, Quantization, Reason, Split};
use cantus_score::Reading;
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_refused_file_is_one_line_of_json() {
        let verdict = Verdict::Refused(Reason::OffGrid { share: 0.374, allowed: 0.2 });
        assert_eq!(
            serde_json::to_string(&FileReport { path: "x".into(), warnings: Vec::new(), verdict }).unwrap(),
            r#"{"path":"x","warnings":[],"verdict":"refused","reason":"off_grid","share":0.374,"allowed":0.2}"#
        );
    }
}
