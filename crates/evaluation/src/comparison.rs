//! A set of pieces against another: not how their means differ, but whether a piece of the one is as far from the other set as the
//! other set's pieces are from one another.
//!
//! Source: L.-C. Yang and A. Lerch, "On the evaluation of generative models in music", Neural Computing and Applications 32, 2020
//! ("mgeval"). For each statistic all distances between two pieces within a set (intra-set) and across the sets (inter-set) are taken,
//! their densities estimated, and those of the reference's own distances and of the distances across compared: by the area that both
//! densities cover, and by the Kullback-Leibler divergence.
//!
//! Departures: mgeval evaluates each density for KL on a grid of its own range and compares point by point, so that two equal shapes in
//! different places have a divergence of 0; here all densities stand on *one* grid. Its overlapping area leaves out what lies outside
//! the data; here the grid reaches three bandwidths further. Distances within a set count each pair once.

mod density;

pub use density::{Density, Grid, POINTS};

use crate::{FIGURES, Histogram, Statistics};
use rayon::prelude::*;
use serde::Serialize;
use std::fmt::Write;

/// Of a larger set so many pieces, evenly spread, stand for all: pairs grow with the square.
pub const MOST_PIECES: usize = 1000;

/// A distribution that each piece has, or lacks.
#[derive(Clone, Copy, Debug)]
pub struct Distribution {
    /// What it is called in tables.
    pub name: &'static str,
    /// The distribution of one piece.
    pub of: fn(&Statistics) -> &Histogram,
}

/// The distributions that are compared; their distance is the Euclidean one.
pub const DISTRIBUTIONS: [Distribution; 4] = [
    Distribution { name: "pitch classes", of: |piece| &piece.pitch_classes },
    Distribution { name: "pitch-class transitions", of: |piece| &piece.transitions },
    Distribution { name: "note lengths", of: |piece| &piece.length_classes },
    Distribution { name: "inter-onset distances", of: |piece| &piece.inter_onsets },
];

/// Two sets of pieces, statistic by statistic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Pieces of the set that is the measure.
    pub reference: usize,
    /// Pieces of the set that is measured.
    pub other: usize,
    /// One for each of [`FIGURES`] and [`DISTRIBUTIONS`] that enough pieces have.
    pub rows: Vec<Row>,
}

/// One statistic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Distances between two pieces of the reference.
    pub within_reference: Distances,
    /// Distances between two pieces of the other set.
    pub within_other: Distances,
    /// Distances between a piece of the one and a piece of the other.
    pub across: Distances,
    /// The area under both the density within the reference and the density across, 0-1: 1 says that a piece of the other set is as far
    /// from the reference's pieces as these are from one another.
    pub overlap: f64,
    /// `KL(within the reference || across)`, in nats.
    pub divergence: f64,
    /// The overlap of the density within the other set with that across: low where the other set is all alike.
    pub overlap_of_other: f64,
    /// Where the densities are evaluated.
    pub grid: Grid,
    /// Density within the reference, within the other set, across.
    pub densities: [Density; 3],
}

/// Distances between pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Distances {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
}

impl Distances {
    fn of(distances: &[f32]) -> Distances {
        let n = distances.len().max(1) as f64;
        let mean = distances.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let variance = distances.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
        Distances { mean, std: variance.sqrt() }
    }
}

impl Comparison {
    /// Compares `other` with `reference`, both on the same grid of steps.
    ///
    /// A statistic that fewer than two pieces of either set have is left out.
    pub fn of(reference: &[Statistics], other: &[Statistics]) -> Comparison {
        let (some, others) = (spread(reference), spread(other));
        let figures = FIGURES.par_iter().map(|figure| {
            let values = |pieces: &[&Statistics]| pieces.iter().filter_map(|piece| (figure.of)(piece)).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = (values(&some), values(&others));
            row(figure.name, &a, &b, |x, y| (x - y).abs() as f32)
        });
        let distributions = DISTRIBUTIONS.par_iter().map(|distribution| {
            let values = |pieces: &[&Statistics]| -> Vec<Vec<f32>> {
                let shares = pieces.iter().map(|piece| &(distribution.of)(piece).shares);
                let known = shares.filter(|shares| !shares.is_empty());
                known.map(|shares| shares.iter().map(|x| *x as f32).collect()).collect()
            };
            let norm = |x: &Vec<f32>, y: &Vec<f32>| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt();
            row(distribution.name, &values(&some), &values(&others), norm)
        });
        let rows: Vec<Option<Row>> = figures.chain(distributions).collect();
        Comparison { reference: reference.len(), other: other.len(), rows: rows.into_iter().flatten().collect() }
    }

    /// The mean overlap of all statistics: one figure for a table of models.
    pub fn overlap(&self) -> Option<f64> {
        crate::mean::mean(self.rows.iter().map(|row| row.overlap))
    }

    /// A table for people. Lines end with a line break.
    pub fn table(&self) -> String {
        let head = ["", "within corpus", "within pieces", "across", "overlap", "KL (nats)"].map(str::to_owned).to_vec();
        let pair = |distances: &Distances| format!("{:.3} ± {:.3}", distances.mean, distances.std);
        let cells = |row: &Row| {
            vec![
                row.name.to_owned(),
                pair(&row.within_reference),
                pair(&row.within_other),
                pair(&row.across),
                format!("{:.3}", row.overlap),
                format!("{:.3}", row.divergence),
            ]
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.rows.iter().map(cells)).collect();
        let mut text = crate::summary::lines(&rows);
        if let Some(overlap) = self.overlap() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "mean overlap {overlap:.3}");
        }
        text
    }
}

fn spread(pieces: &[Statistics]) -> Vec<&Statistics> {
    match pieces.len() {
        few if few <= MOST_PIECES => pieces.iter().collect(),
        many => (0..MOST_PIECES).map(|k| &pieces[k * many / MOST_PIECES]).collect(),
    }
}

fn row<T>(name: &'static str, a: &[T], b: &[T], distance: impl Fn(&T, &T) -> f32) -> Option<Row> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let within = |set: &[T]| -> Vec<f32> {
        let pairs = set.iter().enumerate().flat_map(|(k, x)| set[k + 1..].iter().map(move |y| (x, y)));
        pairs.map(|(x, y)| distance(x, y)).collect()
    };
    let across: Vec<f32> = a.iter().flat_map(|x| b.iter().map(move |y| (x, y))).map(|(x, y)| distance(x, y)).collect();
    let distances = [within(a), within(b), across];
    let (grid, densities) = density::on_one_grid([&distances[0], &distances[1], &distances[2]]);
    let [within_reference, within_other, across] = [0, 1, 2].map(|k| Distances::of(&distances[k]));
    Some(Row {
        name,
        within_reference,
        within_other,
        across,
        overlap: densities[0].overlap(&densities[2], grid),
        divergence: densities[0].divergence(&densities[2], grid),
        overlap_of_other: densities[1].overlap(&densities[2], grid),
        grid,
        densities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(notes: impl Iterator<Item = usize>) -> Vec<Statistics> {
        notes.map(|notes| Statistics { notes, ..Statistics::default() }).collect()
    }

    fn of(comparison: &Comparison, name: &str) -> Row {
        comparison.rows.iter().find(|row| row.name == name).unwrap().clone()
    }

    #[test]
    fn a_set_overlaps_with_itself_and_not_with_a_far_one() {
        let some = pieces((0..60).map(|k| 100 + 7 * k % 50));
        let same = Comparison::of(&some, &some);
        let notes = of(&same, "notes");
        assert!(notes.overlap > 0.97 && notes.divergence < 0.01, "{notes:?}");
        let far = Comparison::of(&some, &pieces((0..60).map(|k| 1000 + 7 * k % 50)));
        let notes = of(&far, "notes");
        assert!(notes.overlap < 0.01 && notes.divergence > 5.0, "{notes:?}");
        assert!(far.overlap().unwrap() < same.overlap().unwrap());
        assert!((notes.across.mean - 900.0).abs() < 1.0);
    }

    #[test]
    fn pieces_that_are_all_alike_show_it() {
        let corpus = pieces((0..40).map(|k| 100 + 5 * k));
        let loops = pieces(std::iter::repeat_n(200, 40));
        let notes = of(&Comparison::of(&corpus, &loops), "notes");
        assert_eq!(notes.within_other, Distances::default());
        assert!(notes.overlap_of_other < 0.2 && notes.overlap > notes.overlap_of_other, "{notes:?}");
    }

    #[test]
    fn what_no_piece_has_is_no_row() {
        let few = pieces([10, 20].into_iter());
        let comparison = Comparison::of(&few, &few);
        assert!(comparison.rows.iter().any(|row| row.name == "bars"));
        assert!(comparison.rows.iter().all(|row| row.name != "polyphony" && row.name != "pitch classes"));
        assert!(Comparison::of(&few, &few[..1]).rows.is_empty());
        assert_eq!(Comparison::of(&[], &[]).overlap(), None);
    }

    #[test]
    fn the_table_has_a_line_for_each_statistic() {
        let comparison = Comparison::of(&pieces(10..20), &pieces(12..30));
        let table = comparison.table();
        assert_eq!(table.lines().count(), comparison.rows.len() + 2);
        assert!(table.lines().nth(1).unwrap().starts_with("notes "), "{table}");
    }
}
