//! A melody as the network reads it: bars, beats and steps, what is known of each, and what it reads of the block before.

use super::profiles::{Profiles, rhythm};
use super::settings::Settings;
use cantus_encoding::melody_steps::{HOLD, MelodySteps, SILENCE, sounding};
use cantus_encoding::note_chord::BarKind;
use cantus_model::melodies::BEGINNING;
use cantus_model::plan::{Plan, Segment};
use cantus_model::{Pieces, Reader, Repertoire, home};
use cantus_nn::random::{below, derive};
use cantus_score::{Score, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Parts of a bar, and of a beat, whose notes are read: sixteenths, or more where it is longer.
pub(super) const SLOTS: [usize; 2] = [16, 6];

/// Values of what is known of a step: its place in the bar, how far the bar's end is, which bar it is of sixteen (an upbeat apart), how many bars
/// are left.
pub(super) const PLACES: [usize; 4] = [MOST_PLACES, MOST_PLACES, 17, 9];
/// Of these, those that are known of a bar.
pub(super) const OF_BAR: Range<usize> = 2..4;
/// Beats of a bar that are told apart.
pub(super) const BEATS: usize = 16;
/// Steps of a bar that are told apart.
const MOST_PLACES: usize = 96;

/// How many bars earlier what stood there is read.
pub(super) const LOOKS: [usize; 4] = [1, 2, 4, 8];
/// For how long the melody has agreed with that: classes, each up to twice the one before.
pub(super) const AGREED: usize = 7;

/// Steps of pieces that stay read.
const MOST_READ: usize = 2_000_000;

/// The blocks of a piece: known before any of it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// Each of [`PLACES`], of each step.
    pub places: Vec<[u32; PLACES.len()]>,
    /// The steps of each bar.
    pub bars: Vec<Range<usize>>,
    /// The steps of each beat.
    pub beats: Vec<Range<usize>>,
    /// Of each beat, its bar, and which of its beats it is.
    pub beat_places: Vec<(usize, u32)>,
    /// Of each step, its bar and its beat.
    pub blocks: Vec<(usize, usize)>,
    /// Steps of a sixteenth.
    sixteenth: usize,
}

impl Frame {
    pub(super) fn new(bars: &[BarKind], upbeat: bool, grid: TicksPerQuarter) -> Frame {
        let sixteenth = (grid.get() as usize / 4).max(1);
        let mut frame = Frame {
            places: Vec::new(),
            bars: Vec::new(),
            beats: Vec::new(),
            beat_places: Vec::new(),
            blocks: Vec::new(),
            sixteenth,
        };
        let mut start = 0;
        for (number, bar) in bars.iter().enumerate() {
            let steps = usize::from(bar.steps);
            let phrase = number.checked_sub(usize::from(upbeat)).map_or(0, |number| 1 + number % 16);
            let left = (bars.len() - 1 - number).min(PLACES[3] - 1);
            let beat = usize::try_from(bar.meter.beat(grid).0).unwrap_or(usize::MAX).max(1);
            for step in 0..steps {
                if step % beat == 0 {
                    frame.beats.push(start + step..start + (step + beat).min(steps));
                    frame.beat_places.push((number, (step / beat).min(BEATS - 1) as u32));
                }
                let most = MOST_PLACES - 1;
                let places = [step.min(most), (steps - 1 - step).min(most), phrase, left];
                frame.places.push(places.map(|place| place as u32));
                frame.blocks.push((number, frame.beats.len() - 1));
            }
            frame.bars.push(start..start + steps);
            start += steps;
        }
        frame
    }

    /// The notes of some steps, part by part: the first that begins in each, [`HOLD`] where none does. What sounds already stands in the first.
    fn content(&self, steps: &[u8], of: &Range<usize>, slots: usize, sounding: u8) -> Vec<u32> {
        let length = of.len();
        let mut content = vec![u32::from(HOLD); slots];
        for (k, outcome) in steps[of.clone()].iter().enumerate().filter(|(_, outcome)| **outcome != HOLD) {
            let slot = if length > slots * self.sixteenth { k * slots / length } else { k / self.sixteenth };
            if content[slot] == u32::from(HOLD) {
                content[slot] = u32::from(*outcome);
            }
        }
        if content[0] == u32::from(HOLD) {
            content[0] = u32::from(if sounding == 0 { SILENCE } else { sounding });
        }
        content
    }

    /// What the layer for bars reads before a bar: the notes of the one before.
    pub(super) fn before_bar(&self, bar: usize, steps: &[u8], sounding: &[u8]) -> Vec<u32> {
        self.before(bar.checked_sub(1).map(|bar| &self.bars[bar]), SLOTS[0], steps, sounding)
    }

    /// What the layer for beats reads before a beat.
    pub(super) fn before_beat(&self, beat: usize, steps: &[u8], sounding: &[u8]) -> Vec<u32> {
        self.before(beat.checked_sub(1).map(|beat| &self.beats[beat]), SLOTS[1], steps, sounding)
    }

    fn before(&self, of: Option<&Range<usize>>, slots: usize, steps: &[u8], sounding: &[u8]) -> Vec<u32> {
        let content = |of: &Range<usize>| self.content(steps, of, slots, sounding[of.start]);
        of.map_or_else(|| vec![BEGINNING; slots], content)
    }

    /// The step that stands some bars earlier at the same place of its bar.
    pub(super) fn look(&self, step: usize, bars: usize) -> Option<usize> {
        let bar = self.blocks[step].0;
        let earlier = &self.bars[bar.checked_sub(bars)?];
        let at = earlier.start + (step - self.bars[bar].start);
        (at < earlier.end).then_some(at)
    }
}

/// For how long a melody has agreed with what stood some bars earlier, step by step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looking([u32; LOOKS.len()]);

impl Looking {
    /// What is read before a step, of each look: what happened there, and the class of how long the two have agreed.
    pub(super) fn read(&self, frame: &Frame, steps: &[u8], step: usize) -> [(u32, u32); LOOKS.len()] {
        std::array::from_fn(|k| match frame.look(step, LOOKS[k]) {
            Some(at) => (steps[at].into(), (u32::BITS - self.0[k].leading_zeros()).min(AGREED as u32 - 1)),
            None => (BEGINNING, 0),
        })
    }

    /// Takes the outcome of a step.
    pub(super) fn push(&mut self, frame: &Frame, steps: &[u8], step: usize) {
        for (agreed, bars) in self.0.iter_mut().zip(LOOKS) {
            let agrees = frame.look(step, bars).is_some_and(|at| steps[at] == steps[step]);
            *agreed = if agrees { *agreed + 1 } else { 0 };
        }
    }
}

/// A melody.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tune {
    pub frame: Frame,
    pub steps: Vec<u8>,
    /// What sounds before each step.
    pub sounding: Vec<u8>,
    /// The classes of rhythm of its bars, and of its beats.
    pub classes: [Vec<u32>; 2],
    /// Its length in quarter notes.
    pub quarters: f64,
}

/// What is kept of a corpus beside the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rhythms {
    pub bars: Profiles,
    pub beats: Profiles,
}

impl Tune {
    pub(super) fn new(melody: &MelodySteps, rhythms: &Rhythms) -> Tune {
        let frame = Frame::new(&melody.bars, melody.upbeat, melody.grid);
        let class = |profiles: &Profiles, blocks: &[Range<usize>]| {
            blocks.iter().map(|of| profiles.class(&melody.steps[of.clone()])).collect()
        };
        Tune {
            classes: [class(&rhythms.bars, &frame.bars), class(&rhythms.beats, &frame.beats)],
            sounding: sounding(&melody.steps),
            steps: melody.steps.clone(),
            quarters: 0.0,
            frame,
        }
    }

    /// The melody of a piece in the key without accidentals.
    pub(super) fn of(piece: &Score, grid: TicksPerQuarter, rhythms: &Rhythms) -> Tune {
        let melody = MelodySteps::of(&home(piece).0, grid);
        Tune { quarters: piece.end().quarters(piece.ticks_per_quarter), ..Tune::new(&melody, rhythms) }
    }

    /// What stands before a step.
    pub(super) fn before(&self, step: usize) -> u32 {
        step.checked_sub(1).map_or(BEGINNING, |before| self.steps[before].into())
    }

    /// What each look reads before each of some steps.
    pub(super) fn looks(&self, of: Range<usize>) -> Vec<[(u32, u32); LOOKS.len()]> {
        let mut looking = Looking::default();
        let mut found = Vec::with_capacity(of.len());
        for step in 0..of.end {
            if step >= of.start {
                found.push(looking.read(&self.frame, &self.steps, step));
            }
            looking.push(&self.frame, &self.steps, step);
        }
        found
    }
}

impl Rhythms {
    /// The commonest rhythms of the melodies of pieces.
    pub(super) fn of(pieces: &Pieces, grid: TicksPerQuarter, settings: &Settings) -> Rhythms {
        let rhythms = |blocks: fn(&Frame) -> &Vec<Range<usize>>, most: usize| {
            let of_piece = |piece: std::borrow::Cow<'_, Score>| {
                let tune = Tune::of(&piece, grid, &Rhythms::default());
                blocks(&tune.frame).iter().map(|of| rhythm(&tune.steps[of.clone()])).collect::<Vec<String>>()
            };
            Profiles::of(pieces.iter().filter(|_| most > 0).flat_map(of_piece), most)
        };
        Rhythms {
            bars: rhythms(|frame| &frame.bars, settings.bar_profiles),
            beats: rhythms(|frame| &frame.beats, settings.beat_profiles),
        }
    }
}

/// What is always known of a tune.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub bars: usize,
    pub steps: usize,
}

/// Reads tunes.
#[derive(Clone, Debug)]
pub(super) struct TuneReader {
    pub grid: TicksPerQuarter,
    pub rhythms: Arc<Rhythms>,
}

impl Reader for TuneReader {
    type Outline = Outline;
    type Piece = Tune;
    type Learnt = Tune;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let tune = Tune::of(score, self.grid, &self.rhythms);
        let outline = Outline { bars: tune.frame.bars.len(), steps: tune.steps.len() };
        let has_notes = tune.steps.iter().any(|outcome| *outcome > SILENCE);
        if has_notes { vec![outline] } else { Vec::new() }
    }

    fn length(outline: &Outline) -> usize {
        outline.steps
    }

    fn piece(&self, _: &Outline, score: &Score) -> Tune {
        Tune::of(score, self.grid, &self.rhythms)
    }

    fn learnt(&self, tune: Tune) -> Tune {
        tune
    }
}

/// The tunes of one side.
pub(super) fn repertoire(pieces: &Pieces, grid: TicksPerQuarter, rhythms: &Arc<Rhythms>) -> Repertoire<TuneReader> {
    Repertoire::of(pieces, TuneReader { grid, rhythms: Arc::clone(rhythms) }, MOST_READ)
}

/// The plan of an epoch: a function of the seed and the epoch alone. Segments are counted in bars, and no longer than a window, so that nothing is
/// carried; longer tunes are cut elsewhere in every epoch.
pub(super) fn plan(tunes: &[Outline], settings: &Settings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let mut segments = Vec::new();
    for (piece, tune) in tunes.iter().enumerate() {
        let is_long = tune.bars > settings.window;
        let (mut start, mut end) = (0, if is_long { 1 + below(&mut rng, settings.window) } else { tune.bars });
        while start < tune.bars {
            let to = end.min(tune.bars);
            segments.push(Segment { piece, shift: 0, tokens: start..to });
            (start, end) = (to, to + settings.window);
        }
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}
