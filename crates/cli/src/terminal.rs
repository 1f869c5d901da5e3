//! What a person sees: lines, tables, bars.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

/// Nobody reads our output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
struct ReaderGone;

impl miette::Diagnostic for ReaderGone {}

/// Writes a line to standard output; a reader that has gone ends the program without noise.
pub fn say(line: impl std::fmt::Display) -> miette::Result<()> {
    use miette::IntoDiagnostic;
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.into_diagnostic(),
    }
}

/// Writes a line to standard error. `eprintln!` would panic where nobody reads it any more.
pub fn remark(line: impl std::fmt::Display) {
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}

/// Says what a person should know although all went well: of a file that was read, of a piece that was written. To standard error, all
/// in one form.
pub fn note(words: impl std::fmt::Display) {
    remark(format!("note: {words}"));
}

/// Whether an error says that nobody reads our output any more.
pub fn is_broken_pipe(report: &miette::Report) -> bool {
    report.downcast_ref::<ReaderGone>().is_some()
}

/// A command that can be copied into a shell: this program as it was called (it need not be on the path), and its arguments.
pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "cantus".into());
    let words = std::iter::once(quoted(&program)).chain(arguments.into_iter().map(|word| quoted(word.as_ref())));
    words.collect::<Vec<String>>().join(" ")
}

/// A word as a shell reads it back; control characters are shown, not obeyed.
fn quoted(word: &OsStr) -> String {
    let word = printable(&word.to_string_lossy());
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Names and values in two columns.
pub fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| format!("  {name:<width$}  {value}");
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}

/// Rows of cells lined up to the left, the first row a heading.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<String>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}

/// A progress bar on a terminal, nothing elsewhere.
pub fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = if io::stderr().is_terminal() {
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("━╸ "))
}

/// Seconds as a person says them: `45 s`, `12 min 30 s`, `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Text of unknown origin with its control characters made harmless.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<char>>() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let quoted = |word: &str| quoted(OsStr::new(word));
        assert_eq!(quoted("runs/a-b.mid"), "runs/a-b.mid");
        assert_eq!(quoted("my music"), "'my music'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(44.7), "45 s");
        assert_eq!(duration(750.0), "12 min 30 s");
        assert_eq!(duration(12_000.0), "3 h 20 min");
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\nc");
    }
}
