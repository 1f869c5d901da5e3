//! Motifs that come again, as arcs over a melody.

use super::{FAINT, INK, open, text};
use crate::structure::{Parallels, Way, melody};
use cantus_score::{Score, Ticks};
use std::fmt::Write;

/// A colour for each way, and how its arcs are dashed: told apart without colours, too.
const WAYS: [(&str, &str); 6] =
    [("#2663aa", ""), ("#d6621e", ""), ("#2b8a3e", ""), ("#862e9c", "6 3"), ("#c92a2a", "2 3"), ("#5c5f66", "8 3 2 3")];
const WIDTH: usize = 960;
const LEFT: usize = 20;
/// The melody below the arcs.
const TALL: usize = 90;
/// The highest arc.
const HIGHEST: f64 = 260.0;

/// A piece's melody with an arc from each motif to where it comes again, by the first of its ways; a legend says how much of the melody
/// comes again by each.
pub fn parallels(score: &Score, parallels: &Parallels, title: &str) -> String {
    let end = score.end().0.max(1) as f64;
    let x = |at: Ticks| LEFT as f64 + (WIDTH - 2 * LEFT) as f64 * at.0 as f64 / end;
    let base = 76.0 + HIGHEST;
    let mut svg = open(WIDTH, base as usize + TALL + 30);
    text(&mut svg, LEFT, 20, 15, INK, "start", title);
    for (k, (way, (colour, dashes))) in Way::ALL.iter().zip(WAYS).enumerate() {
        let (left, top) = (LEFT + 300 * (k % 3), 42 + 18 * (k / 3));
        let share = parallels.shares.get(way).copied().unwrap_or_default();
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {}h24\" stroke=\"{colour}\" stroke-width=\"3\" stroke-dasharray=\"{dashes}\"/>",
            top - 4
        );
        text(&mut svg, left + 30, top, 12, INK, "start", &format!("{way}: {:.0}% of the intervals", 100.0 * share));
    }
    for found in &parallels.found {
        let middle = |(begin, end): (Ticks, Ticks)| (x(begin) + x(end)) / 2.0;
        let (from, to) = (middle(found.source), middle(found.span));
        let wide = (x(found.span.1) - x(found.span.0)).clamp(1.0, 60.0);
        let half = (to - from).abs() / 2.0;
        let (colour, dashes) = WAYS[Way::ALL.iter().position(|way| *way == found.way).unwrap_or_default()];
        let _ = writeln!(
            svg,
            "<path d=\"M{from:.1} {base:.1}A{half:.1} {:.1} 0 0 1 {to:.1} {base:.1}\" fill=\"none\" stroke=\"{colour}\" \
             stroke-width=\"{wide:.1}\" stroke-opacity=\".3\" stroke-dasharray=\"{dashes}\"/>",
            half.min(HIGHEST - 30.0)
        );
    }
    let melody = melody(score);
    let pitches = melody.iter().map(|note| f64::from(note.pitch.get()));
    let (low, high) = pitches.fold((127.0, 0.0), |(low, high), pitch| (f64::min(low, pitch), f64::max(high, pitch)));
    let mut path = String::new();
    for note in &melody {
        let y = base + 8.0 + (TALL - 12) as f64 * (high - f64::from(note.pitch.get())) / f64::max(high - low, 1.0);
        let _ = write!(path, "M{:.1} {y:.1}H{:.1}", x(note.onset), x(note.end()).max(x(note.onset) + 1.0));
    }
    let _ = writeln!(svg, "<path d=\"{path}\" stroke=\"{INK}\" stroke-width=\"3\"/>");
    let bars: Vec<Ticks> = score.bars().map(|bar| bar.start).take(4096).collect();
    let every = (bars.len() / 24 + 1).next_power_of_two();
    for (number, start) in bars.iter().enumerate().step_by(every) {
        let number = number + score.first_bar();
        text(&mut svg, x(*start) as usize, base as usize + TALL + 16, 10, FAINT, "start", &number.to_string());
    }
    svg + "</svg>\n"
}
