//! The picture of a [`Chart`]: a bar for each number, its name underneath, its figure above.
//!
//! Drawn as the curves are: the same numbers give the same bytes, and no font file is needed.

use cantus_model::Chart;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const BAR: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const LINE: RGBColor = RGBColor(0x60, 0x60, 0x60);

const MARGIN: i32 = 24;
const TITLE: i32 = 48;
/// The height of the tallest bar.
const HEIGHT: i32 = 220;
/// From bar to bar.
const PITCH: i32 = 72;
const LABELS: i32 = 56;

/// Draws the chart as an SVG document. What is no number, or negative, has no bar.
///
/// Never fails: were the drawing library to refuse, the document would be empty.
pub fn render(chart: &Chart) -> String {
    let width = (2 * MARGIN + PITCH * chart.bars.len().max(6) as i32) as u32;
    let height = (TITLE + HEIGHT + LABELS) as u32;
    let mut svg = String::new();
    let drawn = draw(&mut svg, (width, height), chart);
    if drawn.is_err() {
        return "<svg width=\"600\" height=\"40\" xmlns=\"http://www.w3.org/2000/svg\"></svg>\n".to_owned();
    }
    svg
}

fn draw(svg: &mut String, size: (u32, u32), chart: &Chart) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let canvas = SVGBackend::with_string(svg, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    let text = |size: u32, colour: RGBColor, at: HPos| {
        ("sans-serif", size).into_font().color(&colour).pos(Pos::new(at, VPos::Center))
    };
    let plain = |words: &str| words.chars().filter(|c| !c.is_control()).take(120).collect::<String>();
    canvas.draw(&Text::new(plain(&chart.title), (MARGIN, TITLE / 2), text(16, INK, HPos::Left)))?;
    let highest = chart.bars.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let ground = TITLE + HEIGHT;
    for (k, (name, value)) in chart.bars.iter().enumerate() {
        let middle = MARGIN + PITCH * k as i32 + PITCH / 2;
        let share = if highest > 0.0 && value.is_finite() { (value / highest).max(0.0) } else { 0.0 };
        // Room for the figure above the tallest one.
        let top = ground - (share * f64::from(HEIGHT - 24)).round() as i32;
        let corners = [(middle - PITCH / 3, top), (middle + PITCH / 3, ground)];
        canvas.draw(&Rectangle::new(corners, BAR.filled()))?;
        canvas.draw(&Text::new(format!("{value:.3}"), (middle, top - 12), text(13, INK, HPos::Center)))?;
        canvas.draw(&Text::new(plain(name), (middle, ground + 16), text(13, INK, HPos::Center)))?;
    }
    let ends = [(MARGIN, ground), (size.0 as i32 - MARGIN, ground)];
    canvas.draw(&PathElement::new(ends, LINE.stroke_width(1)))?;
    canvas.draw(&Text::new(plain(&chart.axis), (size.0 as i32 / 2, ground + 40), text(13, LINE, HPos::Center)))?;
    canvas.present()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(bars: &[(&str, f64)]) -> Chart {
        let bars = bars.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Chart { name: "attention", title: "Where <it> looks & why".to_owned(), axis: "steps back".to_owned(), bars }
    }

    /// Heights of the bars, from left to right.
    fn heights(svg: &str) -> Vec<f64> {
        let rectangles = svg.split("<rect ").skip(2);
        let height = |text: &str| text.split("height=\"").nth(1)?.split('"').next()?.parse().ok();
        rectangles.filter_map(height).collect()
    }

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        let svg = render(&chart(&[("4", 0.5), ("8", 0.25), ("16", 0.0)]));
        let found = heights(&svg);
        assert_eq!(found.len(), 3);
        assert!((found[0] / found[1] - 2.0).abs() < 0.05 && found[2] == 0.0, "{found:?}");
        for said in ["0.500", "0.250", "&lt;it&gt;", "steps back", "\n16\n", "\n8\n"] {
            assert!(svg.contains(said), "`{said}` is missing in {svg}");
        }
    }

    #[test]
    fn odd_numbers_and_names_break_nothing() {
        for bars in [&[][..], &[("a\u{1b}b", f64::NAN), ("", f64::INFINITY), ("x", -3.0)], &[("0", 0.0)]] {
            let svg = render(&chart(bars));
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(svg.chars().all(|c| !c.is_control() || c == '\n'), "{svg}");
            assert!(heights(&svg).iter().all(|height| *height == 0.0));
        }
    }
}
