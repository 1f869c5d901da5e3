//! A melody as the network reads it: what is known of each step before it is written, and which section it belongs to.

use super::settings::Settings;
use cantus_encoding::melody_steps::{MelodySteps, SILENCE, sections, sounding, steps_of};
use cantus_encoding::note_chord::BarKind;
use cantus_model::melodies::BEGINNING;
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{Pieces, Reader, Repertoire, home};
use cantus_nn::random::{below, derive};
use cantus_score::{Score, TicksPerQuarter};
use std::ops::Range;

/// Bars of a section, which has a code.
pub(super) const BARS: usize = cantus_model::latent::SECTION;
/// Parts of a section that its code is laid out over: an eighth note each, or more where the section is longer.
pub(super) const SLOTS: usize = 16;

/// Values of what is known of a step: its place in the bar; how far the bar's end is; which bar it is of eight, an upbeat apart; how many
/// bars are still to come, up to four.
pub(super) const PLACES: [usize; 4] = [MOST_PLACES, MOST_PLACES, 9, 5];
/// Of these, so many the encoder is told: the same two bars have the same code wherever they stand.
pub(super) const HEARD: usize = 2;
/// Steps of a bar that are told apart.
const MOST_PLACES: usize = 96;

/// Steps of pieces that stay read.
const MOST_READ: usize = 2_000_000;
/// Segments are so many windows long at the most, cut elsewhere in every epoch.
const SEGMENT_WINDOWS: usize = 8;

/// Bars to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// Steps to a quarter.
    pub grid: TicksPerQuarter,
    /// Each of [`PLACES`], of each step.
    pub places: Vec<[u32; PLACES.len()]>,
    /// The steps of each section.
    pub sections: Vec<Range<usize>>,
}

impl Frame {
    pub(super) fn new(bars: &[BarKind], upbeat: bool, grid: TicksPerQuarter) -> Frame {
        let first = usize::from(upbeat);
        let place = |(number, bar): (usize, &BarKind)| {
            let steps = usize::from(bar.steps);
            let phrase = number.checked_sub(first).map_or(0, |number| 1 + number % 8);
            let left = (bars.len() - 1 - number).min(PLACES[3] - 1);
            let most = MOST_PLACES - 1;
            (0..steps).map(move |step| [step.min(most), (steps - 1 - step).min(most), phrase, left].map(|k| k as u32))
        };
        Frame {
            grid,
            places: bars.iter().enumerate().flat_map(place).collect(),
            sections: sections(bars, upbeat, BARS).iter().map(|of| steps_of(bars, of)).collect(),
        }
    }

    /// Which part of its section a step is in.
    pub(super) fn slot(&self, section: usize, step: usize) -> usize {
        let Range { start, end } = self.sections[section];
        slot(step - start, end - start, self.grid)
    }

    /// The section of a step.
    pub(super) fn section_of(&self, step: usize) -> usize {
        self.sections.partition_point(|section| section.end <= step)
    }
}

/// The part of a section of so many steps that one of its steps is in.
fn slot(step: usize, steps: usize, grid: TicksPerQuarter) -> usize {
    let eighth = (grid.get() as usize / 2).max(1);
    if steps > SLOTS * eighth { step * SLOTS / steps } else { step / eighth }
}

/// A section as the encoder hears it, alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    /// What happens at each step; what sounds already is struck at the first.
    pub steps: Vec<u8>,
    /// The first [`HEARD`] of [`PLACES`].
    pub places: Vec<[u32; HEARD]>,
    /// Its parts, those that it has.
    pub slots: Vec<Range<usize>>,
}

impl Heard {
    /// A section of a melody; `sounding` is what sounds before it.
    pub(super) fn new(frame: &Frame, section: usize, steps: &[u8], sounding: u8) -> Heard {
        let range = frame.sections[section].clone();
        let mut steps = steps[range.clone()].to_vec();
        if let Some(first) = steps.first_mut().filter(|first| **first == 0) {
            *first = if sounding == 0 { SILENCE } else { sounding };
        }
        let places = frame.places[range].iter().map(|[place, left, ..]| [*place, *left]).collect();
        let count = steps.len();
        let mut slots: Vec<Range<usize>> = Vec::new();
        for step in 0..count {
            match slots.len() == slot(step, count, frame.grid) + 1 {
                true => slots.last_mut().into_iter().for_each(|last| last.end = step + 1),
                // In a section of few steps one may be a part, and another have none.
                false => slots.resize(slot(step, count, frame.grid) + 1, step..step + 1),
            }
        }
        Heard { steps, places, slots }
    }
}

/// A melody.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tune {
    pub frame: Frame,
    pub steps: Vec<u8>,
    /// What sounds before each step.
    pub sounding: Vec<u8>,
    /// Its length in quarter notes.
    pub quarters: f64,
}

impl Tune {
    pub(super) fn new(melody: &MelodySteps) -> Tune {
        Tune {
            frame: Frame::new(&melody.bars, melody.upbeat, melody.grid),
            sounding: sounding(&melody.steps),
            steps: melody.steps.clone(),
            quarters: 0.0,
        }
    }

    /// The melody of a piece in the key without accidentals.
    pub(super) fn of(piece: &Score, grid: TicksPerQuarter) -> Tune {
        let melody = MelodySteps::of(&home(piece).0, grid);
        Tune { quarters: piece.end().quarters(piece.ticks_per_quarter), ..Tune::new(&melody) }
    }

    /// What stands before a step.
    pub(super) fn before(&self, step: usize) -> u32 {
        step.checked_sub(1).map_or(BEGINNING, |before| self.steps[before].into())
    }

    /// A section as the encoder hears it.
    pub(super) fn heard(&self, section: usize) -> Heard {
        let start = self.frame.sections[section].start;
        Heard::new(&self.frame, section, &self.steps, self.sounding.get(start).copied().unwrap_or(0))
    }

    /// All of them.
    pub(super) fn sections(&self) -> impl Iterator<Item = Heard> {
        (0..self.frame.sections.len()).map(|section| self.heard(section))
    }
}

/// What is always known of a tune.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub sections: usize,
    pub steps: usize,
}

/// Reads tunes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TuneReader {
    pub grid: TicksPerQuarter,
}

impl Reader for TuneReader {
    type Outline = Outline;
    type Piece = Tune;
    type Learnt = Tune;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let tune = Tune::of(score, self.grid);
        let outline = Outline { sections: tune.frame.sections.len(), steps: tune.steps.len() };
        let has_notes = tune.steps.iter().any(|outcome| *outcome > SILENCE);
        if has_notes { vec![outline] } else { Vec::new() }
    }

    fn length(outline: &Outline) -> usize {
        outline.steps
    }

    fn piece(&self, _: &Outline, score: &Score) -> Tune {
        Tune::of(score, self.grid)
    }

    fn learnt(&self, tune: Tune) -> Tune {
        tune
    }
}

/// The tunes of one side.
pub(super) fn repertoire(pieces: &Pieces, grid: TicksPerQuarter) -> Repertoire<TuneReader> {
    Repertoire::of(pieces, TuneReader { grid }, MOST_READ)
}

/// The plan of an epoch: a function of the seed and the epoch alone. Segments are counted in sections.
pub(super) fn plan(tunes: &[Outline], settings: &Settings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let longest = settings.window * SEGMENT_WINDOWS;
    let mut segments = Vec::new();
    for (piece, tune) in tunes.iter().enumerate() {
        let mut start = 0;
        let mut end = if tune.sections > longest { longest / 2 + below(&mut rng, longest) } else { tune.sections };
        while start < tune.sections {
            let to = end.min(tune.sections);
            segments.push(Segment { piece, shift: 0, tokens: start..to });
            (start, end) = (to, to + longest);
        }
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

/// A batch: what the decoder reads and is to say, and the sections that the encoder hears, both step by step.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    /// Rows of the decoder, and steps of the longest.
    pub rows: usize,
    pub steps: usize,
    /// What is read at entry `t * rows + b`: what stood before, each of [`PLACES`], what sounds.
    pub before: Vec<u32>,
    pub places: [Vec<u32>; PLACES.len()],
    pub sounding: Vec<u32>,
    pub targets: Vec<u32>,
    /// 1 where it counts, 0 for padding.
    pub weights: Vec<f32>,
    /// The section of each entry, and `section * SLOTS + slot`.
    pub section: Vec<u32>,
    pub slot: Vec<u32>,
    /// The sections.
    pub heard: Vec<Heard>,
}

impl Batch {
    /// Gathers rows of tunes.
    pub(super) fn gather<'r, 't>(
        tune: impl Fn(usize) -> &'t Tune,
        rows: impl Iterator<Item = Option<&'r Row>>,
    ) -> Batch {
        let rows: Vec<Option<(&Tune, Range<usize>)>> =
            rows.map(|row| row.map(|row| (tune(row.segment.piece), row.segment.tokens.clone()))).collect();
        let steps_of = |(tune, sections): &(&Tune, Range<usize>)| {
            let within = &tune.frame.sections[sections.clone()];
            within.first().map_or(0, |section| section.start)..within.last().map_or(0, |section| section.end)
        };
        let steps = rows.iter().flatten().map(|row| steps_of(row).len()).max().unwrap_or(0);
        let size = rows.len() * steps;
        let none = || vec![0u32; size];
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            before: none(),
            places: std::array::from_fn(|_| none()),
            sounding: none(),
            targets: none(),
            weights: vec![0.0; size],
            section: none(),
            slot: none(),
            heard: Vec::new(),
        };
        for (b, row) in rows.iter().enumerate() {
            let Some((tune, sections)) = row else { continue };
            let first = steps_of(&(*tune, sections.clone())).start;
            for section in sections.clone() {
                let number = batch.heard.len();
                for step in tune.frame.sections[section].clone() {
                    let at = (step - first) * batch.rows + b;
                    batch.before[at] = tune.before(step);
                    for (list, place) in batch.places.iter_mut().zip(tune.frame.places[step]) {
                        list[at] = place;
                    }
                    batch.sounding[at] = tune.sounding[step].into();
                    batch.targets[at] = tune.steps[step].into();
                    batch.weights[at] = 1.0;
                    batch.section[at] = number as u32;
                    batch.slot[at] = (number * SLOTS + tune.frame.slot(section, step)) as u32;
                }
                batch.heard.push(tune.heard(section));
            }
        }
        batch
    }
}
