//! The picture of a training: loss on the left, accuracy beside it, then, where compositions were looked at, how much of them stands in
//! the training music; epochs from left to right.
//!
//! It is drawn to be read at the width of a README: a legend above the panels instead of over the curves, the last
//! figures written at the end of each curve, the baselines that a model must beat as dashed lines with their names, the
//! best epoch as a line with its figure, and remarks as numbered lines, explained underneath.
//!
//! The same figures give the same bytes. No font file is needed: text stays text in the SVG, and its width is estimated.
//! The colours are Okabe and Ito's, which stay apart for colour-blind eyes; line widths differ as well.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The figures of one evaluation. What was not measured is `NaN`, and leaves a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Epochs trained so far; a fraction where there are several evaluations in one epoch.
    pub epoch: f64,
    /// Nats per token on the training pieces.
    pub training_nats: f64,
    /// Nats per token on the validation pieces.
    pub validation_nats: f64,
    /// Share of training tokens whose most probable prediction is right, 0 to 1.
    pub training_accuracy: f64,
    /// The same on the validation pieces.
    pub validation_accuracy: f64,
    /// Share of the compositions' 8-note runs that stand in the training music, 0 to 1.
    pub copied: f64,
}

/// What stands in the picture besides the curves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marks {
    /// The headline: composer and corpus.
    pub title: String,
    /// What the left panel shows: "loss (nats per token)".
    pub loss: String,
    /// The best epoch on validation; its figure is that of the point nearest to it.
    pub best_epoch: Option<f64>,
    /// What happened on the way.
    pub remarks: Vec<Remark>,
    /// What a model must beat to have learnt anything.
    pub baselines: Vec<Baseline>,
    /// The share of copied runs that nearly all real pieces stay under, 0 to 1.
    pub usual_share: Option<f64>,
}

/// A remark at its moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// When.
    pub epoch: f64,
    /// What, in one line.
    pub text: String,
}

/// A simple model's figure on the same validation tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// For instance "unigram".
    pub name: String,
    /// Nats per token.
    pub nats: f64,
}

const TRAINING: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const VALIDATION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const COMPOSITIONS: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
const BEST: RGBColor = RGBColor(0x00, 0x9E, 0x73);
const REMARK: RGBColor = RGBColor(0xAA, 0x33, 0x77);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x60, 0x60, 0x60);
const GRID: RGBColor = RGBColor(0xE8, 0xE8, 0xE8);

/// The backend has whole pixels only. Drawing at twice the size and showing at half of it makes the curves smooth.
const SCALE: u32 = 2;
/// The width of a panel.
const WIDTH: u32 = 500 * SCALE;
const HEADER: u32 = 76 * SCALE;
const PANEL: u32 = 356 * SCALE;
const FOOTNOTE: u32 = 22 * SCALE;
/// The width of dashed lines.
const DASHED: u32 = SCALE * 3 / 2;
/// More remarks than this are counted, not listed.
const MOST_FOOTNOTES: usize = 6;
/// Where the title of a panel stands: above the tags of the remarks.
const TITLE_ROW: i32 = 12;
/// Room at the right of a panel for the figures at the ends of the curves.
const LABELS: i32 = 124 * SCALE as i32;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingError = DrawingAreaErrorKind<std::io::Error>;

/// One curve of a panel.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    width: u32,
    points: Vec<(f64, f64)>,
}

/// One of the panels.
struct Panel<'a> {
    title: &'a str,
    /// The last one is that whose figure at the best epoch is written.
    curves: Vec<Curve>,
    baselines: Vec<Baseline>,
    /// Writes a figure of this panel.
    figure: fn(f64) -> String,
    /// The lowest and highest value shown.
    range: (f64, f64),
    /// Whether a smaller figure is the better one.
    lower_is_better: bool,
}

/// Draws the picture as an SVG document.
///
/// Never fails: were the drawing library to refuse, the document would say so in a line of text, since no training
/// should end because of its picture.
///
/// # Units
/// nats per token, and percent, over epochs
pub fn render(points: &[Point], marks: &Marks) -> String {
    let panels = if points.iter().any(|point| point.copied.is_finite()) { 3 } else { 2 };
    let footnotes = footnotes(&marks.remarks, 60 * panels as usize);
    let width = panels * WIDTH;
    let height = HEADER + PANEL + FOOTNOTE * footnotes.len() as u32 + 12 * SCALE;
    let mut svg = String::new();
    let drawn = draw(&mut svg, (width, height), points, marks, &footnotes);
    if let Err(error) = drawn {
        let text: String = error.to_string().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        return format!(
            "<svg width=\"600\" height=\"40\" xmlns=\"http://www.w3.org/2000/svg\"><text y=\"25\">{text}</text></svg>\n"
        );
    }
    let drawn_size = format!("width=\"{width}\" height=\"{height}\"");
    let shown_size = format!("width=\"{}\" height=\"{}\"", width / SCALE, height / SCALE);
    svg.replacen(&drawn_size, &shown_size, 1)
}

fn draw(
    svg: &mut String,
    size: (u32, u32),
    points: &[Point],
    marks: &Marks,
    footnotes: &[String],
) -> Result<(), DrawingError> {
    let canvas = SVGBackend::with_string(svg, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (header, rest) = canvas.split_vertically(HEADER);
    let (panels, foot) = rest.split_vertically(PANEL);

    let mut points: Vec<Point> = points.iter().copied().filter(|point| point.epoch.is_finite()).collect();
    points.sort_by(|a, b| a.epoch.total_cmp(&b.epoch));
    draw_header(&header, marks)?;
    if points.is_empty() {
        let place = ((size.0 / 2) as i32, (PANEL / 2) as i32);
        panels.draw(&Text::new("no evaluation yet", place, text(18, FAINT, HPos::Center)))?;
    } else {
        let epochs = epoch_range(&points);
        let all = [Some(loss_panel(&points, marks)), Some(accuracy_panel(&points)), copying_panel(&points, marks)];
        let mut rest = panels;
        for panel in all.into_iter().flatten() {
            let (place, right) = rest.split_horizontally(WIDTH);
            draw_panel(&place, &panel, epochs, marks)?;
            rest = right;
        }
    }
    for (line, note) in footnotes.iter().enumerate() {
        let y = (FOOTNOTE * line as u32 + FOOTNOTE / 2) as i32;
        foot.draw(&Text::new(note.clone(), (px(24), y), text(13, REMARK, HPos::Left)))?;
    }
    canvas.present()
}

fn loss_panel<'a>(points: &[Point], marks: &'a Marks) -> Panel<'a> {
    let curves = vec![
        curve("training", points, |point| point.training_nats),
        curve("validation", points, |point| point.validation_nats),
    ];
    let baselines = marks.baselines.iter().map(|baseline| baseline.nats);
    let range = loss_range(&curves, baselines);
    let figure = |nats: f64| format!("{nats:.2}");
    Panel { title: &marks.loss, curves, baselines: marks.baselines.clone(), figure, range, lower_is_better: true }
}

fn accuracy_panel(points: &[Point]) -> Panel<'static> {
    let curves = vec![
        curve("training", points, |point| 100.0 * point.training_accuracy),
        curve("validation", points, |point| 100.0 * point.validation_accuracy),
    ];
    let range = (0.0, percent_range(finite(&curves).fold(0.0, f64::max)));
    let figure = |percent: f64| format!("{percent:.1}%");
    Panel { title: "accuracy (%)", curves, baselines: Vec::new(), figure, range, lower_is_better: false }
}

/// Nothing where no composition was looked at.
fn copying_panel(points: &[Point], marks: &Marks) -> Option<Panel<'static>> {
    let looked: Vec<Point> = points.iter().copied().filter(|point| point.copied.is_finite()).collect();
    if looked.is_empty() {
        return None;
    }
    let curves = vec![curve("composed", &looked, |point| 100.0 * point.copied)];
    let usual = marks.usual_share.map(|share| Baseline { name: "real pieces".to_owned(), nats: 100.0 * share });
    let highest = finite(&curves).chain(usual.iter().map(|usual| usual.nats)).fold(0.0, f64::max);
    let range = (0.0, percent_range(highest));
    let figure = |percent: f64| format!("{percent:.1}%");
    let title = "8-note runs found in the training music (%)";
    Some(Panel { title, curves, baselines: usual.into_iter().collect(), figure, range, lower_is_better: true })
}

/// The upper end of an axis of percent.
fn percent_range(highest: f64) -> f64 {
    (highest * 1.1 / 10.0).ceil().clamp(1.0, 10.0) * 10.0
}

fn curve(name: &'static str, points: &[Point], value: impl Fn(&Point) -> f64) -> Curve {
    let (colour, width) = match name {
        "training" => (TRAINING, 2),
        "validation" => (VALIDATION, 3),
        _ => (COMPOSITIONS, 2),
    };
    Curve { name, colour, width, points: points.iter().map(|point| (point.epoch, value(point))).collect() }
}

fn finite(curves: &[Curve]) -> impl Iterator<Item = f64> + '_ {
    curves.iter().flat_map(|curve| &curve.points).map(|&(_, value)| value).filter(|value| value.is_finite())
}

/// From the lowest figure to the highest, with some air; but a loss that went crazy is cut at twice what the training
/// began with or a baseline shows, so that it does not press all the rest flat.
fn loss_range(curves: &[Curve], baselines: impl Iterator<Item = f64>) -> (f64, f64) {
    let first = |curve: &Curve| curve.points.iter().map(|&(_, nats)| nats).find(|nats| nats.is_finite());
    let baselines: Vec<f64> = baselines.filter(|nats| nats.is_finite()).collect();
    let usual = curves.iter().filter_map(first).chain(baselines.iter().copied()).fold(0.0, f64::max);
    let all = || finite(curves).chain(baselines.iter().copied());
    let highest = all().fold(f64::NEG_INFINITY, f64::max).min(2.0 * usual);
    let lowest = all().fold(f64::INFINITY, f64::min).min(highest);
    if !lowest.is_finite() || !highest.is_finite() {
        return (0.0, 1.0);
    }
    let air = 0.08 * (highest - lowest).max(0.1 * highest.abs()).max(1e-3);
    ((lowest - air).max(lowest.min(0.0)), highest + air)
}

fn epoch_range(points: &[Point]) -> (f64, f64) {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) if last.epoch > first.epoch => (first.epoch, last.epoch),
        (Some(only), _) => (only.epoch - 1.0, only.epoch + 1.0),
        _ => (0.0, 1.0),
    }
}

fn draw_header(area: &Canvas, marks: &Marks) -> Result<(), DrawingError> {
    area.draw(&Text::new(one_line(&marks.title, 90), (px(24), px(24)), text(20, INK, HPos::Left).bold()))?;
    let y = px(56);
    let mut x = px(24);
    let mut entry = |name: &str, colour: RGBColor, width: u32, dashed: bool| -> Result<(), DrawingError> {
        let sample = vec![(x, y), (x + px(28), y)];
        if dashed {
            area.draw(&DashedPathElement::new(sample, px(4), px(3), colour.stroke_width(DASHED)))?;
        } else {
            area.draw(&PathElement::new(sample, colour.stroke_width(width * SCALE)))?;
        }
        area.draw(&Text::new(name.to_owned(), (x + px(36), y), text(14, INK, HPos::Left)))?;
        x += px(36 + 9 * name.len() as i32 + 16);
        Ok(())
    };
    entry("training", TRAINING, 2, false)?;
    entry("validation", VALIDATION, 3, false)?;
    if marks.best_epoch.is_some() {
        entry("best epoch", BEST, 2, false)?;
    }
    if !marks.baselines.is_empty() {
        entry("baselines", FAINT, 1, true)?;
    }
    if !marks.remarks.is_empty() {
        entry("remarks", REMARK, 1, true)?;
    }
    Ok(())
}

fn draw_panel(area: &Canvas, panel: &Panel, epochs: (f64, f64), marks: &Marks) -> Result<(), DrawingError> {
    let (low, high) = panel.range;
    let mut chart = ChartBuilder::on(area)
        .margin_left(px(8))
        .margin_right(LABELS)
        .margin_top(px(42))
        .margin_bottom(px(4))
        .x_label_area_size(px(42))
        .y_label_area_size(px(48))
        .build_cartesian_2d(epochs.0..epochs.1, low..high)?;
    chart
        .configure_mesh()
        .x_labels(7)
        .y_labels(7)
        .bold_line_style(GRID.stroke_width(SCALE))
        .light_line_style(TRANSPARENT)
        .axis_style(FAINT.stroke_width(SCALE))
        .label_style(text(13, INK, HPos::Left))
        .axis_desc_style(text(14, INK, HPos::Center))
        .x_label_formatter(&|epoch| tick(*epoch))
        .y_label_formatter(&|value| tick(*value))
        .x_desc("epoch")
        .draw()?;

    let plot = chart.plotting_area();
    let (columns, rows) = plot.get_pixel_range();
    let frame = Frame { plot, area, columns: (columns.start, columns.end), rows: (rows.start, rows.end) };
    let origin = area.get_base_pixel();
    area.draw(&Text::new(
        one_line(panel.title, 60),
        (frame.columns.0 - origin.0, px(TITLE_ROW)),
        text(15, INK, HPos::Left).bold(),
    ))?;

    let mut labels = Vec::new();
    for baseline in panel.baselines.iter().filter(|baseline| baseline.nats.is_finite()) {
        let line = vec![(epochs.0, baseline.nats), (epochs.1, baseline.nats)];
        plot.draw(&DashedPathElement::new(line, px(5), px(4), FAINT.stroke_width(DASHED)))?;
        let label = format!("{} {}", one_line(&baseline.name, 12), (panel.figure)(baseline.nats));
        labels.push((baseline.nats, label, FAINT));
    }
    for (number, remark) in marks.remarks.iter().enumerate() {
        frame.upright(remark.epoch, epochs, REMARK, true, &(number + 1).to_string())?;
    }
    if let Some(best) = marks.best_epoch {
        frame.upright(best, epochs, BEST, false, "")?;
    }
    for curve in &panel.curves {
        let columns = f64::from(frame.columns.1 - frame.columns.0);
        for piece in unbroken_pieces(&curve.points) {
            let thinned = thin(&piece, epochs, columns);
            let shown: Vec<_> = thinned.iter().map(|&(epoch, value)| (epoch, value.clamp(low, high))).collect();
            // A piece of one evaluation has no length: without a dot it would not be seen.
            if piece.len() == 1 || panel.curves[0].points.len() <= 12 {
                for &at in &shown {
                    plot.draw(&Circle::new(at, px(3), curve.colour.filled()))?;
                }
            }
            plot.draw(&PathElement::new(shown, curve.colour.stroke_width(curve.width * SCALE)))?;
        }
        if let Some(&(_, last)) = curve.points.iter().rev().find(|(_, value)| value.is_finite()) {
            labels.push((last.clamp(low, high), format!("{} {}", curve.name, (panel.figure)(last)), curve.colour));
        }
    }
    frame.labels(labels)?;
    frame.best_figure(panel, marks.best_epoch, epochs)?;
    frame.cut_note(panel)
}

/// Where a panel's plot lies on the picture.
struct Frame<'a, 'b> {
    plot: &'a DrawingArea<SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    area: &'a Canvas<'b>,
    columns: (i32, i32),
    rows: (i32, i32),
}

impl Frame<'_, '_> {
    /// The pixel of a value, counted from the corner of the panel.
    fn pixel(&self, epoch: f64, value: f64) -> (i32, i32) {
        let (x, y) = self.plot.map_coordinate(&(epoch, value));
        let origin = self.area.get_base_pixel();
        (x - origin.0, y - origin.1)
    }

    fn rows_here(&self) -> (i32, i32) {
        let origin = self.area.get_base_pixel();
        (self.rows.0 - origin.1, self.rows.1 - origin.1)
    }

    /// An upright line through the whole plot, with a tag above it.
    fn upright(
        &self,
        epoch: f64,
        epochs: (f64, f64),
        colour: RGBColor,
        dashed: bool,
        tag: &str,
    ) -> Result<(), DrawingError> {
        if !(epochs.0..=epochs.1).contains(&epoch) {
            return Ok(());
        }
        let (x, _) = self.pixel(epoch, 0.0);
        let (top, bottom) = self.rows_here();
        let path = vec![(x, top), (x, bottom)];
        if dashed {
            self.area.draw(&DashedPathElement::new(path, px(2), px(3), colour.stroke_width(DASHED)))?;
        } else {
            self.area.draw(&PathElement::new(path, colour.stroke_width(2 * SCALE)))?;
        }
        self.area.draw(&Text::new(tag.to_owned(), (x, top - px(7)), text(12, colour, HPos::Center).bold()))
    }

    /// The figures at the right of the plot, each at its height, moved apart where they would lie on one another.
    fn labels(&self, mut labels: Vec<(f64, String, RGBColor)>) -> Result<(), DrawingError> {
        labels.sort_by(|a, b| b.0.total_cmp(&a.0));
        let wanted: Vec<i32> = labels.iter().map(|&(value, ..)| self.pixel(0.0, value).1).collect();
        let (top, bottom) = self.rows_here();
        let rows = spread(&wanted, px(16), (top, bottom));
        let x = self.columns.1 - self.area.get_base_pixel().0 + px(8);
        for ((_, label, colour), y) in labels.into_iter().zip(rows) {
            self.area.draw(&Text::new(label, (x, y), text(13, colour, HPos::Left)))?;
        }
        Ok(())
    }

    /// The figure of the best epoch, on the side of its line where there is more room, away from the curves: a loss
    /// falls, so its upper part is empty; an accuracy rises, so its lower part is.
    fn best_figure(&self, panel: &Panel, best: Option<f64>, epochs: (f64, f64)) -> Result<(), DrawingError> {
        let Some(best) = best.filter(|best| (epochs.0..=epochs.1).contains(best)) else { return Ok(()) };
        let Some(curve) = panel.curves.last() else { return Ok(()) };
        let validation = curve.points.iter().filter(|(_, value)| value.is_finite());
        let nearest = validation.min_by(|a, b| (a.0 - best).abs().total_cmp(&(b.0 - best).abs()));
        let Some(&(_, value)) = nearest else { return Ok(()) };
        let (x, _) = self.pixel(best, value);
        let left_of_middle = best < 0.5 * (epochs.0 + epochs.1);
        let (side, anchor) = if left_of_middle { (px(7), HPos::Left) } else { (-px(7), HPos::Right) };
        let (top, bottom) = self.rows_here();
        let share = if panel.lower_is_better { 0.3 } else { 0.75 };
        let y = top + ((bottom - top) as f64 * share) as i32;
        let figure = (panel.figure)(value);
        for (line, what) in [format!("epoch {}", tick(best)), figure].into_iter().enumerate() {
            let place = (x + side, y + px(17) * line as i32);
            self.area.draw(&Text::new(what, place, text(14, BEST, anchor).bold()))?;
        }
        Ok(())
    }

    /// Says so, where a curve leaves the plot at the top.
    fn cut_note(&self, panel: &Panel) -> Result<(), DrawingError> {
        let highest = finite(&panel.curves).fold(f64::NEG_INFINITY, f64::max);
        if highest <= panel.range.1 {
            return Ok(());
        }
        let x = self.columns.1 - self.area.get_base_pixel().0;
        let note = format!("cut at the top: it reached {highest:.3e}");
        self.area.draw(&Text::new(note, (x + LABELS - px(8), px(TITLE_ROW)), text(12, FAINT, HPos::Right)))
    }
}

/// The stretches of a curve between gaps.
fn unbroken_pieces(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    points
        .split(|(_, value)| !value.is_finite())
        .filter(|piece| !piece.is_empty())
        .map(<[(f64, f64)]>::to_vec)
        .collect()
}

/// Keeps of each column of pixels the first, lowest, highest and last point: the same picture from fewer points.
fn thin(points: &[(f64, f64)], epochs: (f64, f64), columns: f64) -> Vec<(f64, f64)> {
    let column = |epoch: f64| ((epoch - epochs.0) / (epochs.1 - epochs.0) * columns) as i64;
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| column(a.0) == column(b.0)) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let lowest = group.iter().min_by(by_value);
        let highest = group.iter().max_by(by_value);
        let mut of_group: Vec<_> =
            [group.first(), lowest, highest, group.last()].into_iter().flatten().copied().collect();
        of_group.sort_by(|a, b| a.0.total_cmp(&b.0));
        of_group.dedup();
        kept.extend(of_group);
    }
    kept
}

/// Rows at least `gap` apart, in the same order, within `bounds`, close to those wanted (which go downwards).
fn spread(wanted: &[i32], gap: i32, bounds: (i32, i32)) -> Vec<i32> {
    let mut rows: Vec<i32> = wanted.to_vec();
    // A few rounds of pushing neighbours apart evenly settle the handful of labels that there are.
    for _ in 0..50 {
        for i in 1..rows.len() {
            let overlap = gap - (rows[i] - rows[i - 1]);
            if overlap > 0 {
                rows[i - 1] -= overlap / 2;
                rows[i] += overlap - overlap / 2;
            }
        }
        for (i, row) in rows.iter_mut().enumerate() {
            let below = (wanted.len() - 1 - i) as i32;
            *row = (*row).max(bounds.0 + gap * i as i32).min(bounds.1 - gap * below);
        }
    }
    rows
}

/// Notes of at most `longest` characters.
fn footnotes(remarks: &[Remark], longest: usize) -> Vec<String> {
    let note = |(number, remark): (usize, &Remark)| {
        format!("{}  epoch {}: {}", number + 1, tick(remark.epoch), one_line(&remark.text, longest))
    };
    let mut notes: Vec<String> = remarks.iter().enumerate().take(MOST_FOOTNOTES).map(note).collect();
    if remarks.len() > MOST_FOOTNOTES {
        notes.push(format!("and {} more: see metrics.jsonl", remarks.len() - MOST_FOOTNOTES));
    }
    notes
}

/// Text for the picture: in one line, without what XML cannot hold, and not endless.
fn one_line(text: &str, longest: usize) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    if text.chars().count() > longest {
        line.push('…');
    }
    line
}

/// A number on an axis, without digits that say nothing.
fn tick(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn px(length: i32) -> i32 {
    length * SCALE as i32
}

/// The library divides sizes by 1.24 when it writes them; here they are what a browser shows.
fn text(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    let size = f64::from(size) * 1.24 * f64::from(SCALE);
    FontDesc::from(("sans-serif", size)).color(&colour).pos(Pos::new(anchor, VPos::Center))
}

trait Bold {
    fn bold(self) -> Self;
}

impl Bold for TextStyle<'static> {
    fn bold(mut self) -> Self {
        self.font = self.font.style(FontStyle::Bold);
        self
    }
}

#[cfg(test)]
mod tests;
