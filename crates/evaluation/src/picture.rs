//! Pictures of figures, as SVG that stands alone or inside a page.
//!
//! Written as text and not through a drawing library: a self-similarity matrix of 64 bars is 4,096 cells, which as one path for each
//! shade take 40 kB, and as one element for each cell ten times as much.

use crate::comparison::{Comparison, Density, POINTS, Row};
use crate::structure::SelfSimilarity;
use std::fmt::Write;

mod parallels;

pub use parallels::parallels;

/// Shades of a matrix, the first of them white and not drawn.
const SHADES: usize = 16;
const INK: &str = "#28292f";
const FAINT: &str = "#8a8e99";
/// The reference, the other set, and what lies across: told apart without colours, too, by fill and dashes.
const COLOURS: [&str; 3] = ["#2663aa", "#d6621e", "#28292f"];

/// A self-similarity matrix: bars from the top left, darker where more alike; lines and numbers every 4 or 16 bars.
pub fn self_similarity(matrix: &SelfSimilarity, title: &str) -> String {
    let bars = matrix.bars.max(1);
    // Whole pixels to a bar, and about 480 in all.
    let cell = (480 / bars).clamp(1, 16);
    let side = cell * bars;
    let (left, top) = (34, 44);
    // The width of a text is not known here: 8 pixels a character at this size.
    let (width, height) = (left + side.max(8 * title.chars().count()) + 14, top + side + 14);
    let mut svg = open(width, height);
    text(&mut svg, left, 18, 15, INK, "start", title);
    let mut shades = vec![String::new(); SHADES];
    for row in 0..matrix.bars {
        let shade = |column: usize| ((matrix.at(row, column) * (SHADES - 1) as f32).round() as usize).min(SHADES - 1);
        let mut column = 0;
        while column < matrix.bars {
            let here = shade(column);
            let run = (column..matrix.bars).take_while(|column| shade(*column) == here).count();
            // Neighbours of one shade are one rectangle.
            let (x, y) = (left + cell * column, top + cell * row);
            let _ = write!(shades[here], "M{x} {y}h{}v{cell}h-{}z", cell * run, cell * run);
            column += run;
        }
    }
    for (shade, path) in shades.iter().enumerate().skip(1).filter(|(_, path)| !path.is_empty()) {
        let level = |dark: f64| (255.0 - (255.0 - dark) * shade as f64 / (SHADES - 1) as f64).round() as u8;
        let _ =
            writeln!(svg, "<path fill=\"#{:02x}{:02x}{:02x}\" d=\"{path}\"/>", level(20.0), level(52.0), level(110.0));
    }
    let every = if bars > 64 { 16 } else { 4 };
    for bar in (0..bars).step_by(every) {
        let at = cell * bar;
        text(&mut svg, left + at + 1, top - 4, 10, FAINT, "start", &(bar + 1).to_string());
        text(&mut svg, left - 4, top + at + 9, 10, FAINT, "end", &(bar + 1).to_string());
        if bar > 0 {
            let (x, y) = (left + at, top + at);
            let _ = writeln!(
                svg,
                "<path stroke=\"#fff\" stroke-opacity=\".6\" d=\"M{x} {top}v{side}M{left} {y}h{side}\"/>"
            );
        }
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{side}\" height=\"{side}\" fill=\"none\" stroke=\"{FAINT}\"/>\n</svg>"
    );
    svg
}

/// All statistics of a comparison: for each the densities of the distances within the reference (filled), within the other set (line)
/// and across (dashed), and their overlap.
pub fn comparison(comparison: &Comparison, reference: &str, other: &str) -> String {
    const COLUMNS: usize = 4;
    let (panel, tall) = (250, 132);
    let height = 64 + comparison.rows.len().div_ceil(COLUMNS) * tall;
    let mut svg = open(COLUMNS * panel + 20, height);
    text(&mut svg, 14, 20, 15, INK, "start", "How far pieces are from one another");
    let names = [
        format!("within {reference} ({} pieces)", comparison.reference),
        format!("within {other} ({} pieces)", comparison.other),
        "from the one to the other".to_owned(),
    ];
    for (k, name) in names.iter().enumerate() {
        let x = 14 + 330 * k;
        let _ = writeln!(svg, "<path d=\"M{x} 38h26\" {}/>", stroke(k));
        text(&mut svg, x + 32, 42, 12, INK, "start", name);
    }
    for (k, row) in comparison.rows.iter().enumerate() {
        let (x, y) = (14 + panel * (k % COLUMNS), 60 + tall * (k / COLUMNS));
        densities(&mut svg, row, (x, y), (panel - 22, tall - 44));
    }
    svg.push_str("</svg>\n");
    svg
}

fn densities(svg: &mut String, row: &Row, (x, y): (usize, usize), (width, height): (usize, usize)) {
    text(svg, x, y + 12, 12, INK, "start", row.name);
    text(svg, x + width, y + 12, 12, FAINT, "end", &format!("{:.0}%", 100.0 * row.overlap));
    let bottom = y + 18 + height;
    let all = row.densities.iter().flat_map(|density| &density.0);
    // The highest peak of a set that is all alike would flatten everything else: it is cut at four times the next.
    let peaks = row.densities.iter().map(|density| density.0.iter().copied().fold(0.0, f64::max));
    let mut sorted: Vec<f64> = peaks.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let highest = all.copied().fold(0.0, f64::max).min(4.0 * sorted[1].max(f64::MIN_POSITIVE));
    let curve = |density: &Density| {
        let point = |k: usize| {
            let level = (density.0[k] / highest).min(1.0);
            let across = x as f64 + width as f64 * k as f64 / (POINTS - 1) as f64;
            format!("{across:.1} {:.1}", bottom as f64 - height as f64 * level)
        };
        // Every fourth point: half a pixel each.
        (0..POINTS).step_by(4).map(point).collect::<Vec<String>>().join("L")
    };
    for (k, density) in row.densities.iter().enumerate() {
        let curve = curve(density);
        if k == 0 {
            let _ = writeln!(
                svg,
                "<path d=\"M{x} {bottom}L{curve}L{} {bottom}z\" fill=\"{}\" fill-opacity=\".22\"/>",
                x + width,
                COLOURS[0]
            );
        }
        let _ = writeln!(svg, "<path d=\"M{curve}\" {}/>", stroke(k));
    }
    let _ = writeln!(svg, "<path d=\"M{x} {bottom}h{width}\" stroke=\"{FAINT}\"/>");
    let span = row.grid.step * (POINTS - 1) as f64;
    let to = row.grid.from + span;
    // The kernels spread a little below the smallest distance there can be: the axis says where 0 is.
    let zero = x + (width as f64 * (-row.grid.from / span).clamp(0.0, 1.0)) as usize;
    let _ = writeln!(svg, "<path d=\"M{zero} {bottom}v3\" stroke=\"{FAINT}\"/>");
    text(svg, zero, bottom + 12, 10, FAINT, "middle", "0");
    text(svg, x + width, bottom + 12, 10, FAINT, "end", &short(to));
}

/// The shares of copied n-grams of two sets of pieces: a dot a piece, the level that 19 of 20 real pieces keep under as a line.
///
/// Each row has a name, the shares (0-1) of its pieces, and whether it is the set that is measured.
pub fn shares(rows: &[(&str, Vec<f64>, bool)], limit: Option<f64>, title: &str) -> String {
    let (left, width, tall) = (190, 700, 54);
    let highest = rows.iter().flat_map(|(_, shares, _)| shares).copied().chain(limit).fold(0.05, f64::max);
    let height = 56 + tall * rows.len();
    let mut svg = open(left + width + 30, height);
    text(&mut svg, 14, 20, 15, INK, "start", title);
    let x = |share: f64| left as f64 + width as f64 * share / highest;
    for (k, (name, shares, measured)) in rows.iter().enumerate() {
        let middle = 36 + tall * k + tall / 2;
        text(&mut svg, left - 14, middle + 4, 12, INK, "end", &format!("{name} ({})", shares.len()));
        let _ = writeln!(svg, "<path d=\"M{left} {middle}h{width}\" stroke=\"#e4e6eb\"/>");
        for (number, share) in shares.iter().enumerate() {
            // Dots of equal shares must not hide one another: they are spread by a fixed pattern.
            let y = middle as f64 + ((number * 7) % 17) as f64 * 1.8 - 14.4;
            let colour = COLOURS[usize::from(*measured)];
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2.6\" fill=\"{colour}\" fill-opacity=\".55\"/>",
                x(*share)
            );
        }
    }
    let bottom = height - 20;
    if let Some(limit) = limit {
        let at = x(limit);
        let _ = writeln!(svg, "<path d=\"M{at:.1} 34V{bottom}\" stroke=\"{INK}\" stroke-dasharray=\"4 3\"/>");
        text(&mut svg, at as usize + 4, 40, 11, INK, "start", "19 of 20 held-out pieces have less");
    }
    for tick in 0..=4 {
        let share = highest * f64::from(tick) / 4.0;
        text(&mut svg, x(share) as usize, bottom + 14, 10, FAINT, "middle", &format!("{:.1}%", 100.0 * share));
    }
    svg.push_str("</svg>\n");
    svg
}

fn open(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    )
}

fn stroke(k: usize) -> String {
    let dashes = if k == 2 { " stroke-dasharray=\"5 3\"" } else { "" };
    format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dashes}", COLOURS[k])
}

fn text(svg: &mut String, x: usize, y: usize, size: usize, colour: &str, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

/// Text as it may stand in XML and HTML, control characters made harmless.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => safe.push('·'),
            c => safe.push(c),
        }
    }
    safe
}

/// A number in as many digits as it needs.
fn short(x: f64) -> String {
    match x.abs() {
        small if small < 0.095 => format!("{x:.2}"),
        small if small < 9.95 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Statistics;

    /// Every opened element is closed, and nothing is no number.
    fn sound(svg: &str) {
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        let open = svg.matches('<').count() - svg.matches("</").count();
        assert_eq!(open, svg.matches("/>").count() + svg.matches("</").count());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_matrix_has_a_cell_for_each_pair() {
        let matrix = SelfSimilarity { bars: 3, values: vec![1.0, 0.5, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0, 1.0] };
        let svg = self_similarity(&matrix, "a <piece>");
        sound(&svg);
        assert!(svg.contains("a &lt;piece&gt;"));
        // The darkest: one cell, then two that touch, twice.
        let path =
            |x: usize, y: usize, run: usize| format!("M{} {}h{}v16h-{}z", 34 + 16 * x, 44 + 16 * y, 16 * run, 16 * run);
        assert!(svg.contains(&format!("d=\"{}{}{}\"", path(0, 0, 1), path(1, 1, 2), path(1, 2, 2))), "{svg}");
        assert_eq!(svg.matches("<path fill").count(), 2, "two shades: nothing is drawn white");
        sound(&self_similarity(&SelfSimilarity { bars: 0, values: Vec::new() }, ""));
    }

    #[test]
    fn a_comparison_has_a_panel_for_each_statistic() {
        let pieces = |from: usize| -> Vec<Statistics> {
            (from..from + 9).map(|notes| Statistics { notes, bars: notes / 3, ..Statistics::default() }).collect()
        };
        let compared = Comparison::of(&pieces(5), &pieces(7));
        let svg = comparison(&compared, "corpus", "a & b");
        sound(&svg);
        assert!(svg.contains("within a &amp; b (9 pieces)"));
        for row in &compared.rows {
            assert!(svg.contains(&format!(">{}</text>", row.name)), "{}", row.name);
        }
    }

    #[test]
    fn every_piece_is_a_dot() {
        let svg =
            shares(&[("held-out", vec![0.0, 0.1], false), ("compositions", vec![0.5], true)], Some(0.1), "copied");
        sound(&svg);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("cx=\"890.0\""), "the highest share is at the right: {svg}");
        sound(&shares(&[], None, "nothing"));
    }
}
