//! The statistics of several pieces, and of two sets of pieces side by side.

use crate::structure::Structureness;
use crate::{Histogram, Statistics};
use serde::Serialize;
use std::fmt::Write;

/// A figure that each piece has, or lacks.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What it is called in tables.
    pub name: &'static str,
    /// Its value for one piece.
    pub of: fn(&Statistics) -> Option<f64>,
}

/// Every figure, in the order of the tables.
pub const FIGURES: [Figure; 38] = [
    Figure { name: "notes", of: |piece| Some(piece.notes as f64) },
    Figure { name: "bars", of: |piece| Some(piece.bars as f64) },
    Figure { name: "pitch range (semitones)", of: |piece| piece.pitch_range.map(f64::from) },
    Figure { name: "pitches used", of: |piece| Some(piece.pitches_used as f64) },
    Figure { name: "pitch classes used", of: |piece| Some(piece.pitch_classes_used as f64) },
    Figure { name: "pitch entropy (bits)", of: |piece| piece.pitch_entropy },
    Figure { name: "pitch-class entropy (bits)", of: |piece| piece.pitch_class_entropy },
    Figure { name: "pitch-class entropy of 4 bars", of: |piece| piece.pitch_class_entropy_of_4_bars },
    Figure { name: "in the key's scale", of: |piece| piece.in_key_rate },
    Figure { name: "scale consistency", of: |piece| piece.scale_consistency },
    Figure { name: "melodic interval (semitones)", of: |piece| piece.mean_interval },
    Figure { name: "polyphony", of: |piece| piece.polyphony },
    Figure { name: "polyphony rate (more than 2)", of: |piece| piece.polyphony_rate },
    Figure { name: "empty beats", of: |piece| piece.empty_beat_rate },
    Figure { name: "empty bars", of: |piece| piece.empty_bar_rate },
    Figure { name: "steps with an onset", of: |piece| piece.active_step_rate },
    Figure { name: "notes per onset", of: |piece| piece.notes_per_onset },
    Figure { name: "quarters between onsets", of: |piece| piece.mean_inter_onset },
    Figure { name: "qualified notes", of: |piece| piece.qualified_note_rate },
    Figure { name: "groove consistency", of: |piece| piece.groove_consistency },
    Figure { name: "repetition after 1 bar", of: |piece| piece.repetition.over_shuffled_time[0] },
    Figure { name: "repetition after 2 bars", of: |piece| piece.repetition.over_shuffled_time[1] },
    Figure { name: "repetition after 4 bars", of: |piece| piece.repetition.over_shuffled_time[2] },
    Figure { name: "repetition after 8 bars", of: |piece| piece.repetition.over_shuffled_time[3] },
    Figure { name: "repetition after 16 bars", of: |piece| piece.repetition.over_shuffled_time[4] },
    Figure { name: "repetition after 32 quarters", of: |piece| piece.repetition.after_32_quarters },
    Figure { name: "form after 1 bar", of: |piece| piece.repetition.over_shuffled_bars[0] },
    Figure { name: "form after 2 bars", of: |piece| piece.repetition.over_shuffled_bars[1] },
    Figure { name: "form after 4 bars", of: |piece| piece.repetition.over_shuffled_bars[2] },
    Figure { name: "form after 8 bars", of: |piece| piece.repetition.over_shuffled_bars[3] },
    Figure { name: "form after 16 bars", of: |piece| piece.repetition.over_shuffled_bars[4] },
    Figure { name: "structureness, 2-4 bars", of: |piece| piece.structureness.short },
    Figure { name: "structureness, 4-8 bars", of: |piece| piece.structureness.middle },
    Figure { name: "structureness, 8 bars and more", of: |piece| piece.structureness.long },
    Figure { name: "structure, 2-4 over shuffled bars", of: |piece| over_shuffled(piece, |of| of.short) },
    Figure { name: "structure, 4-8 over shuffled bars", of: |piece| over_shuffled(piece, |of| of.middle) },
    Figure { name: "structure, 8+ over shuffled bars", of: |piece| over_shuffled(piece, |of| of.long) },
    Figure { name: "longest run of one chord", of: |piece| Some(piece.longest_run as f64) },
];

/// What a piece's structureness has over that of its own bars in random order.
fn over_shuffled(piece: &Statistics, span: fn(&Structureness) -> Option<f64>) -> Option<f64> {
    Some(span(&piece.structureness)? - span(&piece.structureness_of_shuffled_bars)?)
}

/// A figure over several pieces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The figure's name.
    pub name: &'static str,
    /// Pieces that have it.
    pub pieces: usize,
    /// Their mean; 0 where none has it.
    pub mean: f64,
    /// Their standard deviation (over n, not n - 1: the pieces are all there are).
    pub std: f64,
}

impl Spread {
    /// How far this mean lies from that of `reference`, in standard deviations of the reference's pieces; `None` where there is none, or the
    /// reference has fewer than two pieces, or the distance is within three standard errors and may be chance. One piece is taken to vary
    /// as the reference's do.
    pub fn difference(&self, reference: &Spread) -> Option<f64> {
        if self.pieces == 0 || reference.pieces < 2 {
            return None;
        }
        let distance = self.mean - reference.mean;
        let std = if self.pieces == 1 { reference.std } else { self.std };
        let errors = (std.powi(2) / self.pieces as f64 + reference.std.powi(2) / reference.pieces as f64).sqrt();
        (distance.abs() > 3.0 * errors).then(|| distance / reference.std.max(f64::MIN_POSITIVE))
    }

    /// The mean alone, in as many digits as the spread deserves.
    pub fn short(&self) -> String {
        match self.pieces {
            0 => "-".to_owned(),
            _ if self.mean.abs() >= 100.0 => format!("{:.0}", self.mean),
            _ if self.mean.abs() >= 10.0 => format!("{:.1}", self.mean),
            _ => format!("{:.2}", self.mean),
        }
    }
}

/// Mean and standard deviation.
impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pieces {
            0 => f.pad("-"),
            _ if self.mean >= 100.0 => f.pad(&format!("{:.0} ± {:.0}", self.mean, self.std)),
            _ => f.pad(&format!("{:.3} ± {:.3}", self.mean, self.std)),
        }
    }
}

/// What several pieces are like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many pieces.
    pub pieces: usize,
    /// One for each of [`FIGURES`].
    pub figures: Vec<Spread>,
    /// Lengths of notes in steps: the mean of the pieces' histograms.
    pub note_lengths: Histogram,
    /// Steps between onsets: the mean of the pieces' histograms.
    pub inter_onsets: Histogram,
}

impl Summary {
    /// The summary of `pieces`, all on the same grid; each counts alike, whatever its length.
    pub fn of(pieces: &[Statistics]) -> Summary {
        let figures = FIGURES.iter().map(|figure| figure_spread(figure, pieces)).collect();
        let note_lengths = average(pieces.iter().map(|piece| &piece.note_lengths));
        let inter_onsets = average(pieces.iter().map(|piece| &piece.inter_onsets));
        Summary { pieces: pieces.len(), figures, note_lengths, inter_onsets }
    }
}

/// Mean and standard deviation (over n) of values; zeros where there are none.
pub fn spread(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.into_iter().collect();
    let over = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / over;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / over;
    (mean, variance.sqrt())
}

fn figure_spread(figure: &Figure, pieces: &[Statistics]) -> Spread {
    let values: Vec<f64> = pieces.iter().filter_map(figure.of).collect();
    let pieces = values.len();
    let (mean, std) = spread(values);
    Spread { name: figure.name, pieces, mean, std }
}

fn average<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Histogram {
    let known: Vec<&Histogram> = histograms.filter(|histogram| !histogram.shares.is_empty()).collect();
    let bins = known.iter().map(|histogram| histogram.shares.len()).max().unwrap_or(0);
    let mean = |bin| known.iter().map(|histogram| histogram.share(bin)).sum::<f64>() / known.len() as f64;
    Histogram { shares: (0..bins).map(mean).collect() }
}

/// A table for people: a column for each named summary, mean and standard deviation of each figure, the common note lengths and
/// distances between onsets, and how far these overlap with those of the first column. Lines end with a line break.
pub fn side_by_side(columns: &[(&str, &Summary)]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let row =
        |name: &str, cells: &mut dyn Iterator<Item = String>| std::iter::once(name.to_owned()).chain(cells).collect();
    let names = |(name, summary): &(&str, &Summary)| format!("{name} ({})", summary.pieces);
    rows.push(row("", &mut columns.iter().map(names)));
    for (k, figure) in FIGURES.iter().enumerate() {
        rows.push(row(figure.name, &mut columns.iter().map(|(_, summary)| summary.figures[k].to_string())));
    }
    for what in ["notes of", "onsets after"] {
        let histograms: Vec<&Histogram> = columns
            .iter()
            .map(|(_, summary)| if what == "notes of" { &summary.note_lengths } else { &summary.inter_onsets })
            .collect();
        let bins = histograms.iter().map(|histogram| histogram.shares.len()).max().unwrap_or(0);
        for bin in 0..bins {
            let shares = || histograms.iter().map(|histogram| histogram.share(bin));
            if shares().any(|share| share >= 0.03) {
                let more = if bin + 1 == bins { " or more" } else { "" };
                let name = format!("{what} {bin}{more} step{}", if bin == 1 { "" } else { "s" });
                rows.push(row(&name, &mut shares().map(|share| format!("{:.1}%", 100.0 * share))));
            }
        }
        if let Some(first) = histograms.first() {
            let overlap = |histogram: &&Histogram| format!("{:.3}", histogram.overlap(first));
            rows.push(row("  in common with the first", &mut histograms.iter().map(overlap)));
        }
    }
    lines(&rows)
}

/// Cells lined up: the first column to the left, the others to the right.
pub(crate) fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (k, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = if k == 0 { write!(text, "{cell:width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(notes: usize, polyphony: Option<f64>, lengths: &[f64]) -> Statistics {
        let note_lengths = Histogram { shares: lengths.to_vec() };
        Statistics { notes, polyphony, note_lengths, ..Statistics::default() }
    }

    #[test]
    fn means_are_over_the_pieces_that_have_the_figure() {
        let pieces = [piece(10, Some(1.0), &[0.0, 1.0]), piece(30, Some(2.0), &[0.0, 0.5, 0.5]), piece(20, None, &[])];
        let summary = Summary::of(&pieces);
        let of = |name: &str| summary.figures.iter().find(|figure| figure.name == name).unwrap().clone();
        assert_eq!(of("notes"), Spread { name: "notes", pieces: 3, mean: 20.0, std: (200f64 / 3.0).sqrt() });
        assert_eq!(of("polyphony"), Spread { name: "polyphony", pieces: 2, mean: 1.5, std: 0.5 });
        assert_eq!(of("pitch-class entropy (bits)").pieces, 0);
        assert_eq!(summary.note_lengths.shares, [0.0, 0.75, 0.25]);
    }

    #[test]
    fn the_table_has_a_column_for_each_set() {
        let corpus = Summary::of(&[piece(10, Some(1.0), &[0.0, 1.0, 0.0])]);
        let compositions = Summary::of(&[piece(300, None, &[0.0, 0.25, 0.75])]);
        let table = side_by_side(&[("corpus", &corpus), ("compositions", &compositions)]);
        let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert_eq!(line("notes  "), "notes                              10.000 ± 0.000           300 ± 0");
        assert!(line("polyphony").ends_with("  1.000 ± 0.000                 -"), "{table}");
        assert!(line("notes of 1 step").ends_with("100.0%             25.0%"), "{table}");
        assert!(line("notes of 2 or more steps").ends_with("75.0%"), "{table}");
        assert!(line("  in common").ends_with("1.000             0.250"), "{table}");
        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }

    #[test]
    fn differences_are_in_the_reference_spread_and_no_chance() {
        let spread = |pieces, mean, std| Spread { name: "", pieces, mean, std };
        let corpus = spread(100, 10.0, 2.0);
        assert_eq!(spread(100, 13.0, 1.0).difference(&corpus), Some(1.5));
        assert_eq!(spread(100, 9.0, 1.0).difference(&corpus), Some(-0.5));
        assert_eq!(spread(4, 9.0, 2.0).difference(&corpus), None, "four pieces may differ so much by chance");
        assert_eq!(spread(1, 13.0, 0.0).difference(&corpus), None);
        assert_eq!(spread(1, 20.0, 0.0).difference(&corpus), Some(5.0), "one piece may be far off, too");
        assert_eq!(spread(0, 20.0, 0.0).difference(&corpus), None);
    }

    #[test]
    fn names_follow_the_lags() {
        for (what, first) in [("repetition", 20), ("form", 26)] {
            for (lag, figure) in crate::structure::LAGS.iter().zip(&FIGURES[first..]) {
                let bars = if *lag == 1 { "1 bar".to_owned() } else { format!("{lag} bars") };
                assert_eq!(figure.name, format!("{what} after {bars}"));
            }
        }
    }
}
