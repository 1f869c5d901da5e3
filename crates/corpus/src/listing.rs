//! The preflight report as text.

use crate::text::{grouped, printable};
use crate::{Preflight, Quantization, Reason, Usage};
use std::fmt;

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
