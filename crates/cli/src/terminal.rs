//! What a person sees: lines, tables, bars.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
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

/// Whether an error says that nobody reads our output any more.
pub fn is_broken_pipe(report: &miette::Report) -> bool {
    report.downcast_ref::<ReaderGone>().is_some()
}

/// Names and values in two columns.
pub fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| format!("  {name:<width$}  {value}");
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
