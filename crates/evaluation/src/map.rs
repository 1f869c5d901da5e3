//! A map of music: pieces that are alike lie near one another.
//!
//! Source: T. Kohonen, Self-Organizing Maps, Springer 1995: cells of a grid, each with a point among the pieces' features; by rounds each
//! cell's point moves to the mean of the pieces that lie in it, or near it on the grid ("batch map"). It begins on the plane of the two
//! principal components, and nothing in it is left to chance.

mod page;
mod traits;

pub use page::{Track, page};

use crate::Statistics;
use cantus_score::Score;
use rayon::prelude::*;
use serde::Serialize;
use traits::{Axis, Traits, principal};

/// Rounds of learning.
const ROUNDS: usize = 60;
/// In cells: how far a piece is heard at last.
const NARROWEST: f64 = 0.5;
/// Neighbours that are asked for the folder of a piece.
const NEIGHBOURS: usize = 5;
/// Cells for each root of the number of pieces, by Vesanto's rule of thumb; the grid is 4 : 3.
const CELLS: f64 = 8.0;
/// The widest grid.
const WIDEST: usize = 40;

/// Pieces on a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The cell of each piece: column and row.
    pub cells: Vec<(usize, usize)>,
    /// How often a piece's nearest neighbours are of its own folder.
    pub neighbours: Neighbours,
    /// The share of pieces whose two nearest cells do not touch: where the map is torn.
    pub torn: f64,
}

/// How often, 0-1, most of a piece's five nearest neighbours name its folder (of as many the nearest's).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Neighbours {
    /// In all dimensions: what can be known.
    pub of_all: f64,
    /// On the map.
    pub of_map: f64,
    /// On the plane of the two principal components.
    pub of_plane: f64,
    /// If pieces lay anywhere.
    pub by_chance: f64,
}

/// Lays pieces out; each stands on its grid ([`cantus_score::quantize`]). `folders` names what each belongs to, `None` for those that have no place among
/// them and are laid beside: they move nothing.
pub fn map(pieces: &[Score], folders: &[Option<&str>]) -> Map {
    let all: Vec<Statistics> = pieces.par_iter().map(Statistics::of).collect();
    let known: Vec<usize> = (0..pieces.len()).filter(|k| folders[*k].is_some()).collect();
    let traits = Traits::of(pieces, &all, &known);
    let width = ((CELLS * (known.len() as f64).sqrt() * 4.0 / 3.0).sqrt().round() as usize).clamp(2, WIDEST);
    let height = (width * 3 / 4).max(2);
    let (axes, plane) = principal(&traits, &known);
    let mut points = begin(&axes, (width, height));
    for round in 0..ROUNDS {
        let widest = width as f64 / 3.0;
        let reach = widest * (NARROWEST / widest).powf(round as f64 / (ROUNDS - 1) as f64);
        learn(&mut points, &traits, &known, (width, height), reach);
    }
    let nearest: Vec<[usize; 2]> = traits.rows.par_iter().map(|row| two_nearest(&points, row)).collect();
    let place = |cell: usize| (cell % width, cell / width);
    let cells: Vec<(usize, usize)> = nearest.iter().map(|[cell, _]| place(*cell)).collect();
    let touch = |[a, b]: &[usize; 2]| {
        let ((ax, ay), (bx, by)) = (place(*a), place(*b));
        ax.abs_diff(bx) <= 1 && ay.abs_diff(by) <= 1
    };
    let torn = known.iter().filter(|k| !touch(&nearest[**k])).count() as f64 / known.len().max(1) as f64;
    let of = |distance: &(dyn Fn(usize, usize) -> f64 + Sync)| named(&known, folders, distance);
    let on_map = |a: usize, b: usize| {
        let ((ax, ay), (bx, by)) = (cells[a], cells[b]);
        (ax as f64 - bx as f64).powi(2) + (ay as f64 - by as f64).powi(2)
    };
    let neighbours = Neighbours {
        of_all: of(&|a, b| squares(&traits.rows[a], &traits.rows[b])),
        of_map: of(&on_map),
        of_plane: of(&|a, b| squares(&plane[a], &plane[b])),
        by_chance: by_chance(&known, folders),
    };
    Map { width, height, cells, neighbours, torn }
}

/// Cells on the plane of the principal components, two deviations to either side.
fn begin(axes: &[Axis; 2], (width, height): (usize, usize)) -> Vec<Vec<f64>> {
    let at = |k: usize, of: usize| 4.0 * k as f64 / (of - 1) as f64 - 2.0;
    let [(first, along), (second, across)] = axes;
    let cell = |cell: usize| {
        let (x, y) = (at(cell % width, width) * first, at(cell / width, height) * second);
        along.iter().zip(across).map(|(a, b)| x * a + y * b).collect()
    };
    (0..width * height).map(cell).collect()
}

/// A round: every cell's point becomes the mean of the pieces, those that lie in it or near it counting most.
fn learn(points: &mut [Vec<f64>], traits: &Traits, known: &[usize], (width, height): (usize, usize), reach: f64) {
    let cells: Vec<usize> = known.par_iter().map(|k| two_nearest(points, &traits.rows[*k])[0]).collect();
    let dimensions = traits.rows.first().map_or(0, Vec::len);
    // Sums by cell first: the work does not grow with pieces times cells.
    let mut sums = vec![(0.0, vec![0.0; dimensions]); width * height];
    for (k, cell) in known.iter().zip(&cells) {
        let (count, sum) = &mut sums[*cell];
        *count += 1.0;
        sum.iter_mut().zip(&traits.rows[*k]).for_each(|(sum, value)| *sum += value);
    }
    points.par_iter_mut().enumerate().for_each(|(cell, point)| {
        let (mut weight, mut mean) = (0.0, vec![0.0; dimensions]);
        for (other, (count, sum)) in sums.iter().enumerate().filter(|(_, (count, _))| *count > 0.0) {
            let (dx, dy) = ((cell % width).abs_diff(other % width), (cell / width).abs_diff(other / width));
            let near = (-((dx * dx + dy * dy) as f64) / (2.0 * reach * reach)).exp();
            weight += near * count;
            mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += near * sum);
        }
        if weight > 1e-12 {
            point.iter_mut().zip(mean).for_each(|(x, mean)| *x = mean / weight);
        }
    });
}

fn squares(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn two_nearest(points: &[Vec<f64>], row: &[f64]) -> [usize; 2] {
    let mut best = [(f64::INFINITY, 0); 2];
    for (cell, point) in points.iter().enumerate() {
        let distance = squares(point, row);
        if distance < best[0].0 {
            best = [(distance, cell), best[0]];
        } else if distance < best[1].0 {
            best[1] = (distance, cell);
        }
    }
    best.map(|(_, cell)| cell)
}

/// How often the nearest neighbours name a piece's folder.
fn named(known: &[usize], folders: &[Option<&str>], distance: &(dyn Fn(usize, usize) -> f64 + Sync)) -> f64 {
    let is_right = |k: &usize| {
        let mut others: Vec<(f64, usize)> =
            known.iter().filter(|other| *other != k).map(|other| (distance(*k, *other), *other)).collect();
        let count = NEIGHBOURS.min(others.len());
        if count == 0 {
            return false;
        }
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        others.select_nth_unstable_by(count - 1, order);
        others.truncate(count);
        others.sort_unstable_by(order);
        let votes = |folder: Option<&str>| others.iter().filter(|(_, other)| folders[*other] == folder).count();
        // Of equals the one that is nearest.
        let best = others.iter().rev().map(|(_, other)| folders[*other]).max_by_key(|folder| votes(*folder));
        best == Some(folders[*k])
    };
    known.par_iter().filter(|k| is_right(k)).count() as f64 / known.len().max(1) as f64
}

/// How often a piece drawn at random is of a piece's folder.
fn by_chance(known: &[usize], folders: &[Option<&str>]) -> f64 {
    let of = |k: &usize| known.iter().filter(|other| folders[**other] == folders[*k]).count() as f64 - 1.0;
    let pairs = known.len() as f64 * (known.len() as f64 - 1.0);
    if pairs > 0.0 { known.iter().map(of).sum::<f64>() / pairs } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    /// A walk on a scale, quick and narrow or slow and wide, elsewhere in each piece.
    fn piece(k: usize, is_quick: bool) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let (steps, leap) = if is_quick { (1, 1) } else { (4, 3) };
        let note = |n: usize| Note {
            onset: Ticks((n * steps) as u64),
            pitch: Pitch::try_from((55 + k % 7 + (n * leap + n * n % 3) % 12) as u8).unwrap(),
            duration: Ticks(steps as u64),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: (0..48).map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn two_kinds_of_music_fall_apart_and_what_is_laid_beside_moves_nothing() {
        let pieces: Vec<Score> = (0..40).map(|k| piece(k, k % 2 == 0)).collect();
        let folders: Vec<Option<&str>> = (0..40).map(|k| Some(if k % 2 == 0 { "quick" } else { "slow" })).collect();
        let found = map(&pieces, &folders);
        assert!(found.neighbours.of_map > 0.95 && found.neighbours.of_all > 0.95, "{found:?}");
        assert!((found.neighbours.by_chance - 19.0 / 39.0).abs() < 1e-9);
        let shared =
            (0..40).filter(|k| (0..40).any(|other| k % 2 != other % 2 && found.cells[*k] == found.cells[other]));
        assert_eq!(shared.count(), 0, "no cell has both");
        let more = [&pieces[..], &[piece(3, true)]].concat();
        let beside = map(&more, &[&folders[..], &[None]].concat());
        assert_eq!((&beside.cells[..40], beside.neighbours), (&found.cells[..], found.neighbours));
        let (x, y) = beside.cells[40];
        let mean = |kind: usize| {
            let of: Vec<(usize, usize)> = (0..40).filter(|k| k % 2 == kind).map(|k| found.cells[k]).collect();
            let far = of.iter().map(|(a, b)| (a.abs_diff(x).pow(2) + b.abs_diff(y).pow(2)) as f64);
            far.sum::<f64>() / of.len() as f64
        };
        assert!(mean(0) < mean(1), "a quick piece lies among quick ones");
    }

    #[test]
    fn one_piece_or_none_is_a_map_as_well() {
        assert_eq!(map(&[], &[]).cells, []);
        let one = map(&[piece(1, true)], &[Some("a")]);
        assert_eq!(one.cells.len(), 1);
        assert_eq!(one.neighbours.of_map, 0.0);
        let silent = map(&[Score::new(TicksPerQuarter::DEFAULT), piece(2, true)], &[Some("a"), Some("b")]);
        assert!(silent.cells.iter().all(|(x, y)| *x < silent.width && *y < silent.height));
    }
}
