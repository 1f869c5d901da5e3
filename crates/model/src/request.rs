//! What is asked of a composer: what is given of a piece, and what is wanted of the rest. Continuing, harmonising, filling in and composing
//! anew are one thing, said in different words.

use crate::{ComposeError, Form, Prompt, Sampling, Surprise, Writes};
use cantus_score::{
    Key, Meter, Players, Program, Progression, Registers, Rhythm, RhythmError, Score, Tempo, Ticks, TicksPerQuarter,
    Unpitched,
};
use serde::Serialize;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

mod check;
mod styles;

pub use styles::Styles;

/// So many quarter notes cadences may be apart.
const MOST_QUARTERS: u32 = 1000;
/// A style may be overdone so far.
const STRONGEST: f64 = 3.0;

/// What is asked of a composer.
#[derive(Clone, Debug)]
pub struct Request {
    /// How long the whole piece is to be, what is given included.
    pub length: Length,
    /// What of it is given, and stays note for note.
    pub given: Option<Given>,
    /// What else it is to be like.
    pub controls: Controls,
    /// How choices are drawn.
    pub sampling: Sampling,
}

/// How long a piece is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bars; an upbeat is none.
    Bars(usize),
    /// As long as the piece that is given.
    AsGiven,
}

/// A piece of which some cells, voices by bars, are given.
#[derive(Clone, Debug)]
pub struct Given {
    score: Score,
    cells: Vec<Cell>,
    /// Of these cells, those that are composed anew after all.
    again: Vec<Cell>,
    /// The same, where the cells are the first bars in all voices.
    beginning: Option<Prompt>,
    /// Whether all of it is given, and one more part is wanted.
    is_to_be_joined: bool,
}

/// Some voices in some bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The voice, 0 the highest; all of them where it is `None`.
    pub voice: Option<usize>,
    /// The bars, by the numbers that they have on paper: from 1, an upbeat being 0; each time that they are played. All of them where it is
    /// `None`.
    pub bars: Option<RangeInclusive<usize>>,
}

impl Cell {
    /// A voice throughout.
    pub fn voice(voice: usize) -> Cell {
        Cell { voice: Some(voice), bars: None }
    }

    /// Bars in all voices.
    pub fn bars(bars: RangeInclusive<usize>) -> Cell {
        Cell { voice: None, bars: Some(bars) }
    }

    /// Whether it has a voice in a bar.
    pub fn has(&self, voice: usize, bar: usize) -> bool {
        self.voice.is_none_or(|of| of == voice) && self.bars.as_ref().is_none_or(|bars| bars.contains(&bar))
    }
}

impl Given {
    /// These cells of a piece.
    ///
    /// # Errors
    /// [`ComposeError`]: bars that are not there, nothing or no pitch in what is given.
    pub fn new(score: Score, cells: Vec<Cell>) -> Result<Given, ComposeError> {
        if let Some(unpitched) = Unpitched::of(&score) {
            return Err(ComposeError::Unpitched(unpitched));
        }
        if cells.is_empty() {
            return Err(ComposeError::NothingGiven);
        }
        if let Some((first, last, bars)) = beyond(&cells, &score) {
            return Err(ComposeError::KeptBars { first, last, bars });
        }
        let beginning = match &cells[..] {
            // Of bars that are played again there is no one beginning.
            [Cell { voice: None, bars: Some(range) }]
                if score.printed.is_empty() && *range.start() <= 1 && *range.end() < score.last_bar() =>
            {
                Some(Prompt::new(&score, *range.end())?)
            }
            _ => None,
        };
        Ok(Given { score, cells, again: Vec::new(), beginning, is_to_be_joined: false })
    }

    /// All of a piece but these cells, which are composed anew.
    ///
    /// # Errors
    /// [`ComposeError`]: bars that are not there, nothing to compose, no pitch in the piece.
    pub fn except(score: Score, again: Vec<Cell>) -> Result<Given, ComposeError> {
        if let Some(unpitched) = Unpitched::of(&score) {
            return Err(ComposeError::Unpitched(unpitched));
        }
        if again.is_empty() {
            return Err(ComposeError::EverythingGiven);
        }
        if let Some((first, last, bars)) = beyond(&again, &score) {
            return Err(ComposeError::AgainBars { first, last, bars });
        }
        let all = Cell { voice: None, bars: None };
        Ok(Given { score, cells: vec![all], again, beginning: None, is_to_be_joined: false })
    }

    /// The beginning of a piece, which is gone on with.
    pub fn beginning(prompt: Prompt) -> Given {
        let cells = vec![Cell::bars(1..=prompt.bars())];
        Given {
            score: prompt.score().clone(),
            cells,
            again: Vec::new(),
            beginning: Some(prompt),
            is_to_be_joined: false,
        }
    }

    /// A piece of which all parts are given, drums among them, to which one more is written.
    ///
    /// # Errors
    /// [`ComposeError::NothingToJoin`], where it has no notes.
    pub fn parts(score: Score) -> Result<Given, ComposeError> {
        if score.note_count() == 0 {
            return Err(ComposeError::NothingToJoin);
        }
        let cells = vec![Cell { voice: None, bars: None }];
        Ok(Given { score, cells, again: Vec::new(), beginning: None, is_to_be_joined: true })
    }

    /// Whether all of it is given, and one more part is wanted.
    pub fn is_to_be_joined(&self) -> bool {
        self.is_to_be_joined
    }

    /// The piece, in its own ticks.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// What of it is given, but for [`Given::again`].
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// What of these cells is composed anew after all.
    pub fn again(&self) -> &[Cell] {
        &self.again
    }

    /// All cells that were named, those that are given and those that are composed anew.
    pub fn named(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().chain(&self.again)
    }

    /// The voices that are given throughout.
    pub fn voices(&self) -> impl Iterator<Item = usize> {
        self.cells.iter().filter(|cell| cell.bars.is_none()).filter_map(|cell| cell.voice)
    }

    /// Whether a voice is given in a bar.
    pub fn has(&self, voice: usize, bar: usize) -> bool {
        let within = |cells: &[Cell]| cells.iter().any(|cell| cell.has(voice, bar));
        within(&self.cells) && !within(&self.again)
    }
}

/// The first bars of cells that a piece does not have, and how many it has.
fn beyond(cells: &[Cell], score: &Score) -> Option<(usize, usize, usize)> {
    let (first_bar, bars) = (score.first_bar(), score.last_bar());
    let mut ranges = cells.iter().filter_map(|cell| cell.bars.as_ref());
    let is_beyond = |range: &&RangeInclusive<usize>| {
        *range.start() < first_bar || range.end() < range.start() || *range.end() > bars
    };
    ranges.find(is_beyond).map(|range| (*range.start(), *range.end(), bars))
}

/// What a composer can work around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Around {
    /// The beginning of a piece: it goes on from there.
    Beginning,
    /// Any cells of it, voices as well as bars.
    Cells,
    /// All parts of it, a band's: it writes one more.
    Parts,
    /// All parts of it, a melody among them: it finds the chords.
    Melody,
}

impl Around {
    /// Whether all is given, and one part more is written.
    pub const fn joins(self) -> bool {
        matches!(self, Around::Parts | Around::Melody)
    }
}

/// A wish that not every composer can fulfil, beside length and what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Which sections come again.
    Form,
    /// In which key the piece stands.
    Key,
    /// Its metre.
    Meter,
    /// How busy it is.
    Density,
    /// How many notes sound at once.
    Polyphony,
    /// Between which keys it stays.
    Register,
    /// How hard keys are struck.
    Velocity,
    /// How many nats a note is worth.
    Surprise,
    /// How long it lasts, in the place of its bars: for music as it is played.
    Seconds,
    /// Which instruments play.
    Instruments,
    /// Which instrument plays what is written.
    Program,
    /// In the style of which folder of the corpus.
    Style,
    /// How far that style is overdone.
    Strength,
    /// How far cadences are apart.
    Cadences,
    /// To which chords.
    Chords,
    /// When its notes begin and end.
    Rhythm,
    /// Which parts are written.
    Write,
}

impl Control {
    /// All of them.
    pub const ALL: [Control; 17] = [
        Control::Form,
        Control::Key,
        Control::Meter,
        Control::Density,
        Control::Polyphony,
        Control::Register,
        Control::Velocity,
        Control::Surprise,
        Control::Seconds,
        Control::Instruments,
        Control::Program,
        Control::Style,
        Control::Strength,
        Control::Cadences,
        Control::Chords,
        Control::Rhythm,
        Control::Write,
    ];
    /// Those of music that is counted in bars.
    pub const OF_BARS: [Control; 3] = [Control::Form, Control::Key, Control::Meter];

    /// The control of a name.
    pub fn named(name: &str) -> Option<Control> {
        Control::ALL.into_iter().find(|control| control.name() == name)
    }

    /// What it is called where it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Control::Form => "form",
            Control::Key => "key",
            Control::Meter => "meter",
            Control::Density => "density",
            Control::Polyphony => "polyphony",
            Control::Register => "register",
            Control::Velocity => "velocity",
            Control::Surprise => "surprise",
            Control::Seconds => "seconds",
            Control::Instruments => "instruments",
            Control::Program => "program",
            Control::Style => "style",
            Control::Strength => "strength",
            Control::Cadences => "cadences",
            Control::Chords => "chords",
            Control::Rhythm => "rhythm",
            Control::Write => "write",
        }
    }

    /// What it is called in a sentence.
    pub const fn noun(self) -> &'static str {
        match self {
            Control::Seconds => "length in seconds",
            Control::Strength => "strength of a style",
            Control::Instruments => "choice of instruments",
            Control::Cadences => "distance of cadences",
            Control::Chords => "row of chords",
            Control::Write => "choice of parts",
            _ => self.name(),
        }
    }

    /// What a page calls it.
    pub const fn label(self) -> &'static str {
        match self {
            Control::Form => "Form",
            Control::Key => "Key",
            Control::Meter => "Metre",
            Control::Density => "Density",
            Control::Polyphony => "Polyphony",
            Control::Register => "Register",
            Control::Velocity => "Velocity",
            Control::Surprise => "Surprise",
            Control::Seconds => "Seconds",
            Control::Instruments => "Instruments",
            Control::Program => "Instrument",
            Control::Style => "Style",
            Control::Strength => "Strength of it",
            Control::Cadences => "Cadences",
            Control::Chords => "Chords",
            Control::Rhythm => "Rhythm",
            Control::Write => "Parts",
        }
    }

    /// What it does, and how it is written, in a line.
    pub const fn help(self) -> &'static str {
        match self {
            Control::Form => "which sections come again: AABA, AA'BA (' is varied), or with bars A8 A'8 B8 A8",
            Control::Key => "the key in which the piece stands: D, Bb, F# minor, Am",
            Control::Meter => "its metre, one that the model's music has, as 3/4",
            Control::Density => {
                "how busy it is: from 0, as the calmest of the pieces learnt from, to 1, as the busiest"
            }
            Control::Polyphony => {
                "how full its chords are: from 0, as the barest of the pieces learnt from, to 1, as the fullest"
            }
            Control::Register => "between which keys it stays: C3-C6, or by instrument: bass: E1-G2, piano: C3-C6",
            Control::Velocity => {
                "how hard keys are struck: from 0, as in the softest of the pieces learnt from, to 1, as in the loudest"
            }
            Control::Surprise => {
                "how surprising its notes are to the model itself: nats a note in the mean, as 1.2; the model's own figure is what it was judged by"
            }
            Control::Seconds => "how long the whole piece lasts, a prompt included, in the place of bars: 60",
            Control::Instruments => "who plays, of those that the model writes for: piano, bass, drums",
            Control::Program => {
                "the instrument that plays what is written: a program of General MIDI, 0-127; 33 is a fingered bass"
            }
            Control::Style => "in the style of which folder of the corpus: its name, or several: haydn=0.7, chopin=0.3",
            Control::Strength => "how far the style is overdone: from 0, as the model has it, to 3; 1 is plainly heard",
            Control::Cadences => "how many quarter notes apart cadences are, each with a fermata: 8",
            Control::Chords => {
                "the chords that it is written to, a bar each and again from the first: Am F C G; or Am F | C G7"
            }
            Control::Rhythm => {
                "when its notes begin and end, its metre and length: ticks a quarter; metre; tempo; gap:lengths, as in 2; 4/4; ; 0:2.4 2:1 1:1"
            }
            Control::Write => {
                "which parts are written beside the melody, of those that the model writes: chords, drums"
            }
        }
    }
}

/// What is asked for of each [`Control`]; where nothing is, the composer does as it likes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Controls {
    /// Which bars come again.
    pub form: Option<Form>,
    /// The key of a piece that begins with nothing.
    pub key: Option<Key>,
    /// The metre of a piece that begins with nothing.
    pub meter: Option<Meter>,
    /// How busy a piece that begins with nothing is, among the pieces learnt from, 0-1.
    pub density: Option<f64>,
    /// How full its chords are, among the pieces learnt from, 0-1.
    pub polyphony: Option<f64>,
    /// Between which keys what is written stays.
    pub register: Option<Registers>,
    /// How hard keys are struck, among the pieces learnt from, 0-1.
    pub velocity: Option<f64>,
    /// Nats that a note is worth in the mean.
    pub surprise: Option<f64>,
    /// How long it lasts, what is given included.
    pub seconds: Option<NonZeroU32>,
    /// Who plays a piece that begins with nothing.
    pub instruments: Option<Players>,
    /// Which instrument plays what is written.
    pub program: Option<Program>,
    /// In whose style, and how much of each: of [`Composer::styles`](crate::Composer::styles), as [`Styles::read`] has it.
    pub style: Option<String>,
    /// How far that style is overdone: 0 is as the model has it.
    pub strength: Option<f64>,
    /// How many quarter notes apart cadences are.
    pub cadences: Option<NonZeroU32>,
    /// The chords that are written to.
    pub chords: Option<Progression>,
    /// When notes begin and end in a piece that begins with nothing, and so its length and metre.
    pub rhythm: Option<Rhythm>,
    /// Which parts are written beside the melody, or beside all that is given.
    pub write: Option<Writes>,
}

impl Controls {
    /// Those that are asked for.
    pub fn asked(&self) -> impl Iterator<Item = Control> {
        let asked = [
            self.form.is_some(),
            self.key.is_some(),
            self.meter.is_some(),
            self.density.is_some(),
            self.polyphony.is_some(),
            self.register.is_some(),
            self.velocity.is_some(),
            self.surprise.is_some(),
            self.seconds.is_some(),
            self.instruments.is_some(),
            self.program.is_some(),
            self.style.is_some(),
            self.strength.is_some(),
            self.cadences.is_some(),
            self.chords.is_some(),
            self.rhythm.is_some(),
            self.write.is_some(),
        ];
        Control::ALL.into_iter().zip(asked).filter(|(_, asked)| *asked).map(|(control, _)| control)
    }

    /// Asks for `text` of the control of a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let control = Control::named(name).ok_or_else(|| {
            let names = Control::ALL.map(Control::name).join(", ");
            format!("nothing can be asked for that is called `{name}`; there are: {names}")
        })?;
        let told = |error: &dyn std::error::Error| format!("{} `{text}`: {error}", control.name());
        let place = || {
            let place = text.trim().parse().ok().filter(|place| (0.0..=1.0).contains(place));
            place.map(Some).ok_or_else(|| format!("{} `{text}`: give a number from 0 to 1", control.name()))
        };
        match control {
            Control::Form => self.form = Some(text.parse().map_err(|error| told(&error))?),
            Control::Key => self.key = Some(text.parse().map_err(|error| told(&error))?),
            Control::Meter => self.meter = Some(text.parse().map_err(|error| told(&error))?),
            Control::Density => self.density = place()?,
            Control::Polyphony => self.polyphony = place()?,
            Control::Register => self.register = Some(text.parse().map_err(|error| told(&error))?),
            Control::Velocity => self.velocity = place()?,
            Control::Surprise => {
                let nats = text.trim().parse().ok().filter(|nats| *nats > 0.0 && *nats <= Surprise::MOST);
                let wrong =
                    || format!("surprise `{text}`: give nats a note, a number over 0 and up to {}", Surprise::MOST);
                self.surprise = Some(nats.ok_or_else(wrong)?);
            }
            Control::Seconds => self.seconds = Some(text.parse().map_err(|error| told(&error))?),
            Control::Instruments => self.instruments = Some(text.parse().map_err(|error| told(&error))?),
            Control::Program => {
                let program = text.trim().parse().ok().and_then(Program::new);
                self.program = Some(program.ok_or_else(|| format!("program `{text}`: give a number from 0 to 127"))?);
            }
            Control::Style => self.style = Some(text.trim().to_owned()),
            Control::Strength => {
                let strength = text.trim().parse().ok().filter(|strength| (0.0..=STRONGEST).contains(strength));
                let wrong = || format!("strength `{text}`: give a number from 0 to {STRONGEST}");
                self.strength = Some(strength.ok_or_else(wrong)?);
            }
            Control::Cadences => {
                let quarters = text.trim().parse().ok().filter(|quarters: &NonZeroU32| quarters.get() <= MOST_QUARTERS);
                let wrong = || format!("cadences `{text}`: give a number of quarter notes from 1 to {MOST_QUARTERS}");
                self.cadences = Some(quarters.ok_or_else(wrong)?);
            }
            Control::Chords => self.chords = Some(text.parse().map_err(|error| told(&error))?),
            Control::Rhythm => {
                let rhythm = text.parse().map_err(|error: RhythmError| format!("rhythm: {error}"))?;
                self.rhythm = Some(rhythm);
            }
            Control::Write => self.write = Some(text.parse().map_err(|error| told(&error))?),
        }
        Ok(())
    }
}

impl Request {
    /// A piece of so many bars, without anything given.
    pub fn new(bars: usize, sampling: Sampling) -> Request {
        Request { length: Length::Bars(bars), given: None, controls: Controls::default(), sampling }
    }

    /// The same, going on from a prompt.
    pub fn after(self, prompt: Prompt) -> Request {
        Request { given: Some(Given::beginning(prompt)), ..self }
    }

    /// The same, with bars that come again.
    pub fn formed(mut self, form: Form) -> Request {
        self.controls.form = Some(form);
        self
    }

    /// The rest of a piece of which something is given.
    pub fn around(given: Given, sampling: Sampling) -> Request {
        Request { length: Length::AsGiven, given: Some(given), controls: Controls::default(), sampling }
    }

    /// Bars of the whole piece, an upbeat not counted; where seconds are asked for, those that cover them.
    pub fn bars(&self) -> usize {
        if let Some(rhythm) = &self.controls.rhythm {
            return rhythm.bars();
        }
        if let Some(seconds) = self.controls.seconds {
            return self.bars_of(seconds);
        }
        match (self.length, &self.given) {
            (Length::Bars(bars), _) => bars,
            (Length::AsGiven, Some(given)) => given.score.bar_count(),
            (Length::AsGiven, None) => 0,
        }
    }

    /// What is given goes on at its last tempo and metre; what begins with nothing is counted as a performance is, in bars of two seconds.
    fn bars_of(&self, seconds: NonZeroU32) -> usize {
        let kept = self.prompt().map(Prompt::score);
        let meter = kept.and_then(|kept| kept.meters.last()).map_or(Meter::COMMON, |(_, meter)| *meter);
        let tempo = kept.and_then(|kept| kept.tempos.last()).map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
        let fine = TicksPerQuarter::DEFAULT;
        let bar = meter.bar(fine).quarters(fine) * 60.0 / tempo.quarters_per_minute();
        let heard =
            self.prompt().map_or(0.0, |prompt| prompt.score().tempo_map().seconds(prompt.end_in(prompt.score())));
        let left = (f64::from(seconds.get()) - heard).max(0.0) / bar;
        self.prompt().map_or(0, Prompt::bars) + left.ceil() as usize
    }

    /// A piece that was written to as many bars, cut where the seconds asked for are over.
    pub fn cut(&self, score: Score) -> Score {
        let Some(seconds) = self.controls.seconds else { return score };
        let from = self.prompt().map_or(Ticks::ZERO, |prompt| prompt.end_in(&score));
        let left = f64::from(seconds.get()) - score.tempo_map().seconds(from);
        let tempo = score.tempos.iter().rev().find(|(at, _)| *at <= from).map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
        let ticks = left * tempo.quarters_per_minute() / 60.0 * f64::from(score.ticks_per_quarter.get());
        score.before(from + Ticks(ticks.max(0.0).round() as u64))
    }

    /// The beginning that is given, where that is all.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.given.as_ref()?.beginning.as_ref()
    }
}
