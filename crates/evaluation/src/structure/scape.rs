//! Structureness: how much of a piece one of its spans explains, by repetition.
//!
//! Source: M. Müller, N. Jiang and P. Grosche, "A Robust Fitness Measure for Capturing Repetitions in Music Recordings With
//! Applications to Audio Thumbnailing", IEEE TASLP 21(3), 2013 (the fitness and its scape plot); S.-L. Wu and Y.-H. Yang, "The Jazz
//! Transformer on the Front Line", ISMIR 2020, section 5 (the indicator: the highest fitness of any span whose length lies in a
//! range).
//!
//! Departures: a score needs no audio. Chroma comes from the notes, in frames of half a bar instead of half a second, and spans are
//! counted in bars: 2-4, 4-8 and 8 or more stand for Wu and Yang's 3-8 s, 8-15 s and more (a 4/4 bar at 120 takes 2 s). Relative
//! tempi are left out: time in a score is exact. As there, the matrix is smoothed along its diagonals, takes the best of 12
//! transpositions, keeps its highest quarter, scaled to 0-1, and punishes the rest with -2.
//!
//! Cost: n^4 / 6 cells for n frames; at most 96 frames, by doubling their length: 14 million.

use super::similarity::{chroma, cosine};
use crate::mixing::mix;
use cantus_score::{Bar, Note, Ticks};
use serde::Serialize;

/// More frames than these are never compared.
const MOST_FRAMES: usize = 96;
/// Frames over which likeness is smoothed along the diagonals: two bars.
const SMOOTHED: usize = 4;
/// Share of cells that count as alike.
const KEPT: f64 = 0.25;
/// What a path pays for a cell that does not.
const PENALTY: f32 = -2.0;

/// The highest fitness of a span, 0-1, by the span's length in bars. `None` where the piece has no such spans.
///
/// The longer a piece, the higher its fitness, even where it wanders: a quarter of all cells always counts as alike. Pieces of different
/// lengths are compared by what their fitness has over that of their own [bars in random order](Structureness::of_shuffled_bars).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Structureness {
    /// Of 2 to 4 bars: motifs and half phrases.
    pub short: Option<f64>,
    /// Of 4 to 8 bars: phrases.
    pub middle: Option<f64>,
    /// Of 8 bars and more: sections.
    pub long: Option<f64>,
}

impl Structureness {
    /// The indicators of a piece; `notes` sorted by onset.
    pub fn of(bars: &[Bar], notes: &[Note]) -> Structureness {
        let frames = Frames::of(bars, notes);
        frames.structureness(&frames.chroma)
    }

    /// The same of the piece with its bars in random order, always the same one: what there is without form.
    pub fn of_shuffled_bars(bars: &[Bar], notes: &[Note]) -> Structureness {
        let frames = Frames::of(bars, notes);
        let mut order: Vec<&[[f32; 12]]> = frames.chroma.chunks(frames.to_a_bar).collect();
        let mut number = 0;
        order.sort_by_cached_key(|_| {
            number += 1;
            mix(0, number)
        });
        frames.structureness(&order.concat())
    }
}

/// A piece cut into frames of equal musical length.
struct Frames {
    chroma: Vec<[f32; 12]>,
    /// Two for halves of bars, one for whole bars and more.
    to_a_bar: usize,
    /// Bars in a frame of one bar or more.
    bars: usize,
}

impl Frames {
    /// Halves of bars, or as many whole bars to a frame as it takes.
    fn of(bars: &[Bar], notes: &[Note]) -> Frames {
        let halves = 2 * bars.len() <= MOST_FRAMES;
        let together = bars.len().div_ceil(MOST_FRAMES).next_power_of_two();
        let spans: Vec<(Ticks, Ticks)> = if halves {
            let cut = |bar: &Bar| {
                let middle = bar.start + Ticks(bar.length.0 / 2);
                [(bar.start, middle), (middle, bar.end())]
            };
            bars.iter().flat_map(cut).collect()
        } else {
            bars.chunks(together).map(|bars| (bars[0].start, bars[bars.len() - 1].end())).collect()
        };
        Frames { chroma: chroma(&spans, notes), to_a_bar: if halves { 2 } else { 1 }, bars: together }
    }

    fn structureness(&self, chroma: &[[f32; 12]]) -> Structureness {
        let scape = FitnessScape::of(&enhanced(chroma), chroma.len());
        let frames_in = |bars: usize| self.to_a_bar * bars / self.bars;
        // A span of one frame is a chord that comes again, not structure.
        let within = |from: usize, to: usize| scape.highest(frames_in(from).max(2), to);
        Structureness { short: within(2, frames_in(4)), middle: within(4, frames_in(8)), long: within(8, chroma.len()) }
    }
}

/// The enhanced self-similarity matrix, row by row: see the top of this file.
fn enhanced(frames: &[[f32; 12]]) -> Vec<f32> {
    let n = frames.len();
    let mut best = vec![0.0f32; n * n];
    for shift in 0..12 {
        let likeness: Vec<f32> = (0..n * n).map(|cell| cosine(&frames[cell / n], &frames[cell % n], shift)).collect();
        for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let forward: f32 =
                (0..SMOOTHED.min(n - row).min(n - column)).map(|k| likeness[(row + k) * n + column + k]).sum();
            let backward: f32 =
                (0..SMOOTHED.min(row + 1).min(column + 1)).map(|k| likeness[(row - k) * n + column - k]).sum();
            let smooth = forward.max(backward) / SMOOTHED as f32;
            let cell = &mut best[row * n + column];
            *cell = cell.max(smooth);
        }
    }
    let mut sorted = best.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let below = ((best.len() as f64) * (1.0 - KEPT)).round() as usize;
    let least = sorted.get(below).copied().unwrap_or(f32::INFINITY);
    let range = sorted.last().copied().unwrap_or(0.0) - least;
    let scaled = |x: f32| match x >= least && x > 0.0 {
        true if range > 0.0 => (x - least) / range,
        true => 1.0,
        false => PENALTY,
    };
    let mut matrix: Vec<f32> = best.into_iter().map(scaled).collect();
    (0..n).for_each(|k| matrix[k * n + k] = 1.0);
    matrix
}

/// The fitness of every span of a piece.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitnessScape {
    /// Frames of the piece.
    pub frames: usize,
    /// `[length - 1][start]`, each row as long as there are spans of that length.
    pub fitness: Vec<Vec<f32>>,
}

impl FitnessScape {
    /// The scape plot of a self-similarity matrix, `[frames * frames]` row by row, whose values are at most 1 and 1 on the diagonal.
    pub fn of(matrix: &[f32], frames: usize) -> FitnessScape {
        let mut table = vec![0.0; frames * (frames + 1)];
        let mut of_length = |length: usize| {
            (0..=frames - length).map(|start| fitness(matrix, frames, start, length, &mut table)).collect()
        };
        FitnessScape { frames, fitness: (1..=frames).map(&mut of_length).collect() }
    }

    /// The highest fitness of a span of `from` to `to` frames, `to` included; `None` where there is no such span.
    pub fn highest(&self, from: usize, to: usize) -> Option<f64> {
        let rows = self.fitness.get(from.max(1) - 1..to.min(self.frames))?;
        rows.iter().flatten().copied().max_by(f32::total_cmp).map(f64::from)
    }
}

/// The fitness of one span: the harmonic mean of normalised score and normalised coverage of its optimal path family. `table` has room for `frames` rows of `length + 1`.
fn fitness(matrix: &[f32], frames: usize, start: usize, length: usize, table: &mut [f32]) -> f32 {
    let width = length + 1;
    let cells = |row: usize| &matrix[row * frames + start..][..length];
    // The accumulated score. Column 0 is the elevator, in which rows are passed over for nothing; column m ends a path at the span's
    // frame m - 1. A path goes by (1,1), (2,1) or (1,2), begins at the span's first frame and ends at its last.
    let table = &mut table[..frames * width];
    table[..width].fill(f32::NEG_INFINITY);
    (table[0], table[1]) = (0.0, cells(0)[0]);
    for row in 1..frames {
        let (above, rest) = table.split_at_mut(row * width);
        let one = &above[(row - 1) * width..];
        // Above the first row there is nothing: minus infinity is in every column but these two, which a row above must not lend.
        let two = if row >= 2 { &above[(row - 2) * width..][..width] } else { &[][..] };
        let (here, cells) = (&mut rest[..width], cells(row));
        here[0] = one[0].max(one[length]);
        here[1] = here[0] + cells[0];
        if length >= 2 {
            here[2] = cells[1] + one[1].max(two.get(1).copied().unwrap_or(f32::NEG_INFINITY));
        }
        if two.is_empty() {
            (3..width).for_each(|m| here[m] = cells[m - 1] + one[m - 1].max(one[m - 2]));
        } else if length >= 3 {
            let inner = here[3..].iter_mut().zip(&cells[2..]);
            let before = one[2..].iter().zip(&one[1..]).zip(&two[2..]);
            inner.zip(before).for_each(|((here, cell), ((a, b), c))| *here = cell + higher(higher(*a, *b), *c));
        }
    }
    let last = &table[(frames - 1) * width..];
    let score = last[0].max(last[length]);
    // Back along the best path family, for its number of cells and the rows that it covers.
    let at = |row: usize, column: usize| table[row * width + column];
    let (mut row, mut column) = (frames - 1, if last[length] > last[0] { length } else { 0 });
    let (mut steps, mut covered, mut end) = (usize::from(column > 0), 0, row);
    loop {
        match column {
            0 if row == 0 => break,
            0 if at(row - 1, length) > at(row - 1, 0) => {
                (row, column, end) = (row - 1, length, row - 1);
                steps += 1;
            }
            0 => row -= 1,
            1 => {
                covered += end - row + 1;
                if row == 0 {
                    break;
                }
                column = 0;
            }
            _ => {
                let mut best = (row - 1, column - 1);
                if row >= 2 && at(row - 2, column - 1) > at(best.0, best.1) {
                    best = (row - 2, column - 1);
                }
                if column >= 3 && at(row - 1, column - 2) > at(best.0, best.1) {
                    best = (row - 1, column - 2);
                }
                (row, column) = best;
                steps += 1;
            }
        }
    }
    let length = length as f32;
    // The span's likeness with itself explains nothing: it is taken off both.
    let score = (score - length) / steps.max(1) as f32;
    let coverage = (covered as f32 - length) / frames as f32;
    if score <= 0.0 || coverage <= 0.0 { 0.0 } else { 2.0 * score * coverage / (score + coverage) }
}

/// `f32::max` for numbers: without its rule for NaN this is one vector instruction.
fn higher(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::repetition::tests::piece;

    /// Ones where `form` has the same letter, with the punishment elsewhere.
    fn matrix(form: &str) -> (Vec<f32>, usize) {
        let letters = form.as_bytes();
        let alike = |(a, b): (&u8, &u8)| if a == b { 1.0 } else { PENALTY };
        (letters.iter().flat_map(|a| letters.iter().map(move |b| alike((a, b)))).collect(), letters.len())
    }

    #[test]
    fn without_repetition_nothing_is_explained() {
        let (values, frames) = matrix("abcdefgh");
        let scape = FitnessScape::of(&values, frames);
        assert_eq!(scape.fitness.iter().map(Vec::len).collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert!(scape.fitness.iter().flatten().all(|fitness| *fitness == 0.0));
    }

    #[test]
    fn a_half_that_comes_again_explains_the_other_half() {
        let (values, frames) = matrix("abcdabcd");
        let scape = FitnessScape::of(&values, frames);
        // Two paths of 4 cells, 4 of them the span itself: score 4/8, coverage 4/8.
        assert_eq!((scape.fitness[3][0], scape.fitness[3][4]), (0.5, 0.5));
        // "abcd" in the middle reaches only half of what is left: "da" of "cdab" comes once.
        assert!(scape.fitness[3][2] < 0.5);
        assert_eq!(scape.fitness[7][0], 0.0, "the whole piece explains nothing but itself");
        assert_eq!(scape.highest(4, 4), Some(0.5));
        assert_eq!(scape.highest(9, 12), None);
    }

    #[test]
    fn three_times_is_more_than_twice() {
        let highest = |form: &str| {
            let (values, frames) = matrix(form);
            FitnessScape::of(&values, frames).highest(3, 3).unwrap()
        };
        // Three paths of 3 cells of which 3 are the span: (9 - 3) / 9 for both.
        assert!((highest("abcabcabc") - 2.0 / 3.0).abs() < 1e-6);
        assert!((highest("abcxyzabc") - 2.0 * (3.0 / 6.0) * (3.0 / 9.0) / (3.0 / 6.0 + 3.0 / 9.0)).abs() < 1e-6);
    }

    /// The optimal path family by trying all of them, on matrices without structure.
    #[test]
    fn scores_are_those_of_exhaustive_search() {
        fn best(matrix: &[f32], frames: usize, start: usize, length: usize, row: usize) -> f32 {
            // The best that rows from `row` on can give: this row passed over, or a path that begins in it.
            if row >= frames {
                return 0.0;
            }
            let mut found = best(matrix, frames, start, length, row + 1);
            let mut open = vec![(row, 0usize, matrix[row * frames + start])];
            while let Some((row, column, score)) = open.pop() {
                if column + 1 == length {
                    found = found.max(score + best(matrix, frames, start, length, row + 1));
                }
                for (down, right) in [(1, 1), (2, 1), (1, 2)] {
                    let (row, column) = (row + down, column + right);
                    if row < frames && column < length {
                        open.push((row, column, score + matrix[row * frames + start + column]));
                    }
                }
            }
            found
        }
        let mut draw = 7u64;
        for frames in 2..8 {
            let mut values: Vec<f32> = (0..frames * frames)
                .map(|_| {
                    draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Eighths, so that sums are exact.
                    (draw >> 60) as f32 / 8.0 - 1.0
                })
                .collect();
            (0..frames).for_each(|k| values[k * frames + k] = 1.0);
            for (start, length) in (0..frames).flat_map(|start| (1..=frames - start).map(move |length| (start, length)))
            {
                let mut table = vec![0.0; frames * (frames + 1)];
                fitness(&values, frames, start, length, &mut table);
                let last = &table[(frames - 1) * (length + 1)..];
                assert_eq!(last[0].max(last[length]), best(&values, frames, start, length, 0), "{start} {length}");
            }
        }
    }

    /// Against a second implementation, in Python, of the recurrences in M. Müller's FMP notebook C4S3.
    #[test]
    fn fitness_is_that_of_another_implementation() {
        const ROWS: [[f32; 7]; 7] = [
            [1.0, 0.25, -2.0, 0.5, 0.75, -2.0, 0.5],
            [0.25, 1.0, 0.5, -2.0, 0.75, 0.5, -2.0],
            [-2.0, 0.5, 1.0, 0.25, -2.0, 0.75, 0.75],
            [0.5, -2.0, 0.25, 1.0, 0.5, -2.0, 0.25],
            [0.75, 0.75, -2.0, 0.5, 1.0, 0.25, -2.0],
            [-2.0, 0.5, 0.75, -2.0, 0.25, 1.0, 0.5],
            [0.5, -2.0, 0.75, 0.25, -2.0, 0.5, 1.0],
        ];
        let scape = FitnessScape::of(&ROWS.concat(), 7);
        let expected: [&[f32]; 4] = [
            &[0.470588, 0.470588, 0.503497, 0.393443, 0.503497, 0.470588, 0.470588],
            &[0.298507, 0.324324, 0.266667, 0.298507, 0.324324, 0.298507],
            &[0.375, 0.347107, 0.0, 0.375, 0.375],
            &[0.315789, 0.0, 0.0, 0.342857],
        ];
        for (found, expected) in scape.fitness.iter().zip(expected) {
            let close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5);
            assert!(close && found.len() == expected.len(), "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn pieces_with_form_have_more_structure_than_pieces_without() {
        let of = |bars: Vec<(u8, u8)>| {
            let score = piece(&bars.into_iter().map(Some).collect::<Vec<_>>());
            Structureness::of(&score.bars().collect::<Vec<_>>(), &score.parts[0].notes)
        };
        let mut draw = 3u64;
        let mut random = |count: usize| -> Vec<(u8, u8)> {
            let mut next = || {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                60 + (draw >> 33) as u8 % 12
            };
            (0..count).map(|_| (next(), next())).collect()
        };
        let wandering = of(random(32));
        let (a, b) = (random(8), random(8));
        let formed = of([a.clone(), b, a.clone(), a.clone()].concat());
        assert!(formed.long.unwrap() > 0.5 && formed.long > wandering.long, "{formed:?} {wandering:?}");
        assert!(formed.middle > wandering.middle, "{formed:?} {wandering:?}");
        // In random order the bars have no more form than bars that never had any.
        let score = piece(&[a.clone(), random(8), a.clone(), a].concat().into_iter().map(Some).collect::<Vec<_>>());
        let bars: Vec<Bar> = score.bars().collect();
        let (ordered, shuffled) = (
            Structureness::of(&bars, &score.parts[0].notes),
            Structureness::of_shuffled_bars(&bars, &score.parts[0].notes),
        );
        assert!(ordered.long > shuffled.long && ordered.middle > shuffled.middle, "{ordered:?} {shuffled:?}");
        assert_eq!(of(random(3)).long, None);
        // 200 bars fit into 96 frames of 4 bars; spans of fewer than two frames are not looked at.
        let long = of(random(200));
        assert!(long.short.is_none() && long.middle.is_some() && long.long.is_some(), "{long:?}");
    }
}
