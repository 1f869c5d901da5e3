//! Pictures: a score as a piano roll.
//!
//! Time runs to the right and wraps into rows, like a printed score; every row shows the same pitches. Octaves have lines and
//! names, bars have lines and numbers, notes are rectangles: one colour a part, the fainter the softer. Drums are strokes.

use cantus_score::{Bar, Note, Pitch, Score, Ticks};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

/// What a piano roll shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// A title; `None` takes the score's.
    pub title: Option<String>,
    /// Bars to a row.
    pub bars_per_row: usize,
    /// The picture's width in pixels; its height follows from the rows.
    pub width: u32,
    /// Where a given beginning ends and the composed music begins.
    pub prompt_end: Option<Ticks>,
    /// What stands beside the numbers of bars, counted from 1.
    pub labels: Vec<(usize, String)>,
    /// Notes that are framed, by onset and pitch: sorted.
    pub marked: Vec<(Ticks, Pitch)>,
    /// What colours mean.
    pub colours: Colours,
    /// Bars beyond these are left out, and the picture says so.
    pub max_bars: usize,
    /// More notes than these are an error.
    pub max_notes: usize,
}

impl Default for Roll {
    fn default() -> Roll {
        Roll {
            title: None,
            bars_per_row: 16,
            width: 1600,
            prompt_end: None,
            labels: Vec::new(),
            marked: Vec::new(),
            colours: Colours::Automatic,
            max_bars: 256,
            max_notes: 50_000,
        }
    }
}

/// What the colour of a note means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Parts where there are several, else velocity.
    #[default]
    Automatic,
    /// Its part.
    Parts,
    /// Its velocity, from blue (soft) to red (loud).
    Velocity,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SvgError {
    /// A score without notes.
    #[error("there is nothing to draw: the score has no notes")]
    NoNotes,
    /// Too many notes for one picture.
    #[error("{found} notes are too many for one picture: the limit is {limit} (raise it with `max-notes`)")]
    TooManyNotes {
        /// How many there are.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A width or a number of bars that leaves no room.
    #[error(
        "a picture {width} pixels wide with {bars_per_row} bars to a row has no room: use at least 200 pixels and 1 bar"
    )]
    NoRoom {
        /// The width asked for.
        width: u32,
        /// The bars asked for.
        bars_per_row: usize,
    },
    /// The drawing library gave up.
    #[error("the picture could not be drawn: {0}")]
    Drawing(String),
}

const TOP: i32 = 62;
const LEFT: i32 = 46;
const RIGHT: i32 = 14;
/// Between rows: room for a label below the one and bar numbers above the other.
const GAP: i32 = 34;
/// The width of a drum's stroke.
const STROKE: i32 = 3;
const INK: RGBColor = RGBColor(40, 42, 48);
const FAINT: RGBColor = RGBColor(228, 230, 235);
const BAR_LINE: RGBColor = RGBColor(176, 180, 190);
const PROMPT: RGBColor = RGBColor(196, 60, 40);
const PARTS: [RGBColor; 8] = [
    RGBColor(38, 99, 170),
    RGBColor(214, 98, 30),
    RGBColor(46, 139, 87),
    RGBColor(150, 70, 160),
    RGBColor(190, 150, 20),
    RGBColor(20, 150, 170),
    RGBColor(200, 60, 100),
    RGBColor(110, 110, 120),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The piano roll of a score, as the text of an SVG file. The same score gives the same text.
///
/// # Errors
/// See [`SvgError`].
pub fn piano_roll(score: &Score, roll: &Roll) -> Result<String, SvgError> {
    let (low, high) = score.pitch_range().ok_or(SvgError::NoNotes)?;
    if roll.width < 200 || roll.bars_per_row == 0 {
        return Err(SvgError::NoRoom { width: roll.width, bars_per_row: roll.bars_per_row });
    }
    let found = score.note_count();
    if found > roll.max_notes {
        return Err(SvgError::TooManyNotes { found, limit: roll.max_notes });
    }
    // Some programs write the metre a tick late: what comes before is no bar, nor is what is a tick too long at the end. A note
    // of no length at the end needs a bar all the same. One bar more than can be shown tells whether something is left out.
    let sliver = Ticks(u64::from(score.ticks_per_quarter.get()) / 64);
    let last_onset = score.notes().map(|note| note.onset).max().unwrap_or_default();
    let end = (last_onset + Ticks(1)).max(score.end() - sliver);
    let all = || cantus_score::Bars::new(&score.meters, score.ticks_per_quarter, end);
    let most = roll.max_bars.max(1) + 1;
    let mut bars: Vec<Bar> = all().filter(|bar| bar.length > sliver).take(most).collect();
    if bars.is_empty() {
        bars.extend(all().take(most));
    }
    let is_cut = bars.len() > roll.max_bars.max(1);
    bars.truncate(roll.max_bars.max(1));
    // A margin of two semitones, and at least an octave, so that a melody of three notes does not fill the page.
    let (low, high) = (i32::from(low.get()) - 2, i32::from(high.get()) + 2);
    let missing = (14 - (high - low)).max(0);
    let picture = Picture { score, roll, low: low - missing / 2, high: high + (missing + 1) / 2, bars, is_cut };
    let mut text = String::new();
    picture.draw(&mut text).map_err(|error| SvgError::Drawing(error.to_string()))?;
    Ok(text)
}

struct Picture<'a> {
    score: &'a Score,
    roll: &'a Roll,
    low: i32,
    high: i32,
    bars: Vec<Bar>,
    is_cut: bool,
}

/// One row: where it stands and how time lies in it.
struct Row<'a> {
    bars: &'a [Bar],
    /// The number of its first bar.
    number: usize,
    y: i32,
    pixels_per_tick: f64,
}

impl Row<'_> {
    fn start(&self) -> Ticks {
        self.bars[0].start
    }

    fn end(&self) -> Ticks {
        self.bars[self.bars.len() - 1].end()
    }

    fn x(&self, at: Ticks) -> i32 {
        LEFT + ((at - self.start()).0 as f64 * self.pixels_per_tick).round() as i32
    }
}

impl Picture<'_> {
    fn draw(&self, text: &mut String) -> Drawn {
        let semitone = self.semitone();
        let row_height = (self.high - self.low + 1) * semitone;
        let chunks: Vec<&[Bar]> = self.bars.chunks(self.roll.bars_per_row).collect();
        let height = TOP + chunks.len() as i32 * (row_height + GAP);
        let longest = chunks.iter().map(|bars| (bars[bars.len() - 1].end() - bars[0].start).0).max().unwrap_or(1);
        let pixels_per_tick = f64::from(self.roll.width as i32 - LEFT - RIGHT) / longest.max(1) as f64;

        let canvas = SVGBackend::with_string(text, (self.roll.width, height as u32)).into_drawing_area();
        canvas.fill(&WHITE)?;
        self.heading(&canvas)?;
        for (k, bars) in chunks.into_iter().enumerate() {
            let y = TOP + 14 + k as i32 * (row_height + GAP);
            let row = Row { bars, number: k * self.roll.bars_per_row + self.score.first_bar(), y, pixels_per_tick };
            self.grid(&canvas, &row, semitone)?;
            self.notes(&canvas, &row, semitone)?;
            self.prompt(&canvas, &row, row_height)?;
        }
        canvas.present()?;
        Ok(())
    }

    /// Pixels to a semitone: rows of 12 to 16 semitones an inch, smaller for wide ranges.
    fn semitone(&self) -> i32 {
        (280 / (self.high - self.low + 1)).clamp(4, 8)
    }

    fn y(&self, row: &Row, pitch: i32, semitone: i32) -> i32 {
        row.y + (self.high - pitch) * semitone
    }

    fn heading(&self, canvas: &Canvas) -> Drawn {
        let title = self.roll.title.as_ref().or(self.score.title.as_ref()).map_or("Untitled", String::as_str);
        canvas.draw_text(&printable(title, 70), &font(22, INK, HPos::Left, VPos::Center), (LEFT, 22))?;
        let tempo = self.score.tempos.first().map_or(120.0, |(_, tempo)| tempo.quarters_per_minute());
        let mut about = format!("{} notes", self.score.note_count());
        let upbeat = self.score.upbeat();
        about += &match (self.bars.len() - usize::from(upbeat.is_some() && self.bars.len() > 1), self.is_cut) {
            (shown, true) => format!(", the first {shown} bars"),
            (1, false) => ", 1 bar".to_owned(),
            (shown, false) => format!(", {shown} bars"),
        };
        let meter = upbeat.map_or(self.bars[0].meter, |(_, meter)| meter);
        about += &format!(", {meter}, {tempo:.0} quarters a minute");
        if let Some((_, key)) = self.score.keys.first() {
            about += &format!(", {key}");
        }
        canvas.draw_text(&about, &font(14, INK, HPos::Left, VPos::Center), (LEFT, 46))?;
        if !self.by_part() || self.score.parts.len() < 2 {
            return Ok(());
        }
        let mut x = self.roll.width as i32 - RIGHT;
        for (k, part) in self.score.parts.iter().enumerate().take(PARTS.len()).rev() {
            let name = part.name.as_deref().map_or_else(|| format!("part {}", k + 1), |name| printable(name, 16));
            // The width of a text is not known here: 7 pixels a character at this size.
            x -= 7 * name.chars().count() as i32 + 26;
            if x < self.roll.width as i32 / 2 {
                break;
            }
            canvas.draw(&Rectangle::new([(x, 41), (x + 10, 51)], PARTS[k].filled()))?;
            canvas.draw_text(&name, &font(13, INK, HPos::Left, VPos::Center), (x + 14, 46))?;
        }
        Ok(())
    }

    fn grid(&self, canvas: &Canvas, row: &Row, semitone: i32) -> Drawn {
        let (left, right) = (LEFT, row.x(row.end()));
        let (top, bottom) = (self.y(row, self.high, semitone), self.y(row, self.low, semitone) + semitone);
        for pitch in self.low..=self.high {
            let Ok(name) = Pitch::try_from(i64::from(pitch)) else { continue };
            let y = self.y(row, pitch, semitone);
            if matches!(name.class(), 1 | 3 | 6 | 8 | 10) {
                // The black keys, as on a keyboard seen from the side.
                canvas.draw(&Rectangle::new([(left, y), (right, y + semitone)], FAINT.mix(0.45).filled()))?;
            }
            if name.class() == 0 {
                let line = y + semitone;
                canvas.draw(&PathElement::new([(left, line), (right, line)], BAR_LINE.stroke_width(1)))?;
                canvas.draw_text(
                    &name.to_string(),
                    &font(12, INK, HPos::Right, VPos::Center),
                    (left - 6, line - semitone / 2),
                )?;
            }
        }
        // A number where there is room for it.
        let mut free = i32::MIN;
        for (k, bar) in row.bars.iter().enumerate() {
            let x = row.x(bar.start);
            canvas.draw(&PathElement::new([(x, top), (x, bottom)], BAR_LINE.stroke_width(1)))?;
            if x >= free {
                let number = (row.number + k).to_string();
                canvas.draw_text(&number, &font(12, INK, HPos::Left, VPos::Bottom), (x + 2, top - 1))?;
                free = x + 12 + 8 * number.len() as i32;
                if let Some((_, label)) = self.roll.labels.iter().find(|(bar, _)| *bar == row.number + k) {
                    let style = font(12, PROMPT, HPos::Left, VPos::Bottom);
                    canvas.draw_text(&printable(label, 16), &style, (free - 4, top - 1))?;
                    free += 8 * label.chars().take(16).count() as i32;
                }
            }
        }
        canvas.draw(&Rectangle::new([(left, top), (right, bottom)], INK.mix(0.6).stroke_width(1)))?;
        Ok(())
    }

    fn notes(&self, canvas: &Canvas, row: &Row, semitone: i32) -> Drawn {
        let by_part = self.by_part();
        for (k, part) in self.score.parts.iter().enumerate() {
            // Notes are sorted by onset, but a long one may reach into this row from any earlier one.
            // A stroke of a drum has no length, whatever is written.
            let end = |note: &Note| if part.drums { note.onset } else { note.end() };
            let inside = |note: &&Note| note.onset < row.end() && end(note).max(note.onset + Ticks(1)) > row.start();
            for note in part.notes.iter().filter(inside) {
                let left = row.x(note.onset.max(row.start()));
                // A pixel less, so that a repeated note shows as two.
                let right = (row.x(end(note).min(row.end())) - 1).max(left + if part.drums { STROKE } else { 2 });
                let y = self.y(row, i32::from(note.pitch.get()), semitone);
                let force = f64::from(note.velocity.get()) / 127.0;
                let style = if by_part {
                    PARTS[k % PARTS.len()].mix(0.45 + 0.55 * force)
                } else {
                    let [r, g, b] = [(40.0, 205.0), (90.0, 50.0), (190.0, 45.0)]
                        .map(|(soft, loud)| (soft + (loud - soft) * force).round() as u8);
                    RGBColor(r, g, b).mix(0.9)
                };
                canvas.draw(&Rectangle::new([(left, y), (right, y + semitone)], style.filled()))?;
                if self.roll.marked.binary_search(&(note.onset, note.pitch)).is_ok() {
                    let frame = [(left - 3, y - 3), (right + 3, y + semitone + 3)];
                    canvas.draw(&Rectangle::new(frame, PROMPT.stroke_width(2)))?;
                }
            }
        }
        Ok(())
    }

    fn prompt(&self, canvas: &Canvas, row: &Row, row_height: i32) -> Drawn {
        let Some(end) = self.roll.prompt_end.filter(|end| *end > row.start()) else { return Ok(()) };
        let x = row.x(end.min(row.end()));
        let shade = PROMPT.mix(0.07).filled();
        canvas.draw(&Rectangle::new([(LEFT, row.y), (x, row.y + row_height)], shade))?;
        if end <= row.end() {
            canvas.draw(&PathElement::new([(x, row.y - 8), (x, row.y + row_height + 4)], PROMPT.stroke_width(2)))?;
            let label = font(12, PROMPT, HPos::Right, VPos::Top);
            canvas.draw_text("end of the prompt", &label, (x, row.y + row_height + 2))?;
        }
        Ok(())
    }

    fn by_part(&self) -> bool {
        match self.roll.colours {
            Colours::Automatic => self.score.parts.len() > 1,
            Colours::Parts => true,
            Colours::Velocity => false,
        }
    }
}

fn font(size: i32, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(horizontal, vertical))
}

/// Text that is fit for XML and for one line: control characters become dots, and what is too long is cut.
fn printable(text: &str, most: usize) -> String {
    // XML has no room for control characters and the two non-characters, not even escaped.
    let is_fit = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let mut line: String = text.chars().take(most).map(|c| if is_fit(c) { c } else { '·' }).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}
