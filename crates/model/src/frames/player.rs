//! Judging and composing with a trained network: the state is carried, one step of work a frame.

use super::network::PastOf;
use super::repertoire::past_of;
use super::repetition::Runs;
use super::strokes::{self, Since, Striker, Stroke};
use super::{
    BarSteps, Effort, FrameFigure, FrameHead, FrameNetwork, FrameSettings, JudgesFrames, League, Leave, Past, Reading,
    Recalling, Roll, Step, evaluation,
};
use crate::{
    ComposeError, Composer, ComposerSpec, Composition, Control, Evaluation, Habits, Intent, Judge, Judgement, Kind,
    ModelError, ModelFile, Moment, Progress, Prompt, Request, Rng, Sampling, accentuate, checkpoint, layers,
};
use cantus_encoding::piano_roll::{self, Frame, Key, Keys};
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::random::derive;
use cantus_score::{Meter, Pitch, Score, Ticks, TicksPerQuarter};
use rand_chacha::rand_core::Rng as _;

/// Rows of state that are judged side by side, about.
const ROWS: usize = 32;
/// Rows of features that are kept before they are judged, about.
const KEPT: usize = 4096;

/// A trained network, ready to judge and to compose.
pub struct FrameComposer<N: FrameNetwork> {
    settings: FrameSettings,
    own: N::OwnSettings,
    roll: Roll,
    /// What its corpus has; older files do not say.
    habits: Option<Habits>,
    cells: Vec<LstmCell>,
    head: N::Head,
    strokes: Option<Striker>,
    parameters: usize,
}

/// What the layers remember of `rows` pieces.
struct Memory {
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    input: Vec<f32>,
    scratch: Scratch,
}

impl<N: FrameNetwork> FrameComposer<N> {
    /// Out of a model file, for the registry.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
        Ok(Box::new(FrameComposer::<N>::open(file)?))
    }

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub fn open(file: &ModelFile) -> Result<FrameComposer<N>, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let (settings, own) = FrameSettings::read::<N::OwnSettings>(&file.header.settings).map_err(metadata)?;
        N::check(&own).map_err(metadata)?;
        let roll: Roll =
            serde_json::from_value(file.header.encoding["piano_roll"].clone()).map_err(|e| metadata(e.to_string()))?;
        roll.check().map_err(metadata)?;
        let (hidden, input) = (settings.hidden, N::input(&settings, &own));
        let cell = |layer: usize| {
            let input = if layer == 0 { input } else { hidden };
            layers::cell(file, &format!("lstms.{layer}"), (input, hidden), LstmCell::new)
        };
        Ok(FrameComposer {
            cells: (0..settings.layers).map(cell).collect::<Result<_, _>>()?,
            head: N::Head::load(file, &own, settings.features_of(input))?,
            strokes: Striker::load(file, &settings, (N::ROWS, settings.features_of(input)))?,
            parameters: checkpoint::parameters(file),
            habits: file.header.habits.clone(),
            settings,
            own,
            roll,
        })
    }

    /// Width of a row that is read.
    fn input(&self) -> usize {
        N::input(&self.settings, &self.own)
    }

    fn memory(&self, pieces: usize) -> Memory {
        let rows = pieces * N::ROWS;
        Memory {
            layers: self
                .cells
                .iter()
                .map(|cell| (vec![0.0; rows * cell.hidden()], vec![0.0; rows * cell.hidden()]))
                .collect(),
            input: vec![0.0; rows * self.input()],
            scratch: Scratch::new(),
        }
    }

    /// Moves the first pieces on, each by the frame before frame `step`.
    fn advance(&self, memory: &mut Memory, step: usize, before: &[Option<Frame>]) {
        let (rows, width) = (before.len() * N::ROWS, self.input());
        memory.input.truncate(rows * width);
        memory.input.fill(0.0);
        for (rows, before) in memory.input.chunks_exact_mut(N::ROWS * width).zip(before) {
            N::write_input(&self.settings, &self.own, *before, step, rows);
        }
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = memory.layers.split_at_mut(k);
            let (h, c) = &mut here[0];
            h.truncate(rows * cell.hidden());
            c.truncate(rows * cell.hidden());
            let x = below.last().map_or(&memory.input, |(h, _)| h);
            cell.step(x, h, c, &mut memory.scratch);
        }
    }

    /// What the head sees of a piece.
    fn features(&self, memory: &Memory, piece: usize, features: &mut Vec<f32>) {
        let (hidden, width) = (self.settings.hidden, self.input());
        for row in piece * N::ROWS..(piece + 1) * N::ROWS {
            if let Some((h, _)) = memory.layers.last() {
                features.extend_from_slice(&h[row * hidden..][..hidden]);
            }
            if self.settings.skip {
                features.extend_from_slice(&memory.input[row * width..][..width]);
            }
        }
    }
}

/// Frames that wait to be judged.
#[derive(Default)]
struct Waiting {
    features: Vec<f32>,
    /// Which piece, and which step of it.
    places: Vec<(usize, usize)>,
    /// Their decisions which keys are struck again.
    strokes: Vec<Stroke>,
}

impl<N: FrameNetwork> JudgesFrames for FrameComposer<N> {
    fn reading(&self) -> Reading {
        self.settings.reading()
    }

    fn kind(&self) -> Kind {
        N::Head::kind()
    }

    fn league(&self) -> League {
        N::Head::league()
    }

    fn judge_frames(&self, pieces: &[Vec<Frame>], effort: Effort, seed: u64) -> Vec<Vec<Option<FrameFigure>>> {
        let mut figures: Vec<Vec<Option<FrameFigure>>> = pieces.iter().map(|piece| vec![None; piece.len()]).collect();
        // Where each piece begins among all frames: which are judged does not depend on the order of work.
        let starts: Vec<usize> =
            pieces.iter().scan(0, |sum, piece| Some(std::mem::replace(sum, *sum + piece.len()))).collect();
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|&piece| std::cmp::Reverse(pieces[piece].len()));
        let pasts: Vec<PastOf<N>> = pieces.iter().map(|piece| past_of(piece)).collect();
        let mut waiting = Waiting::default();
        let mut batches = 0;
        let mut settle = |waiting: &mut Waiting| {
            let Waiting { features, places, strokes } = std::mem::take(waiting);
            let targets: Vec<Keys> = places.iter().map(|(piece, at)| pieces[*piece][*at].sounding()).collect();
            let steps: Vec<_> = places
                .iter()
                .map(|(piece, at)| Step { past: &pasts[*piece], at: *at, recalling: Recalling::Free })
                .collect();
            // Chance differs from batch to batch, and is the same in every judgement of the same pieces.
            let seed = derive(seed, "judge", &[batches]).next_u64();
            batches += 1;
            let mut found = self.head.judge(&features, &steps, &targets, effort, seed);
            if let Some(striker) = &self.strokes {
                let nats = striker.nats(&features, places.len(), &strokes);
                for (figure, nats) in found.iter_mut().zip(nats) {
                    *figure = FrameFigure { nats: figure.nats + nats, strokes: nats, ..*figure };
                }
            }
            for ((piece, at), figure) in places.into_iter().zip(found) {
                figures[piece][at] = Some(figure);
            }
        };
        for group in order.chunks(ROWS.div_ceil(N::ROWS)) {
            let mut memory = self.memory(group.len());
            let mut since = vec![Since::default(); group.len()];
            for step in 0..pieces[group[0]].len() {
                // The longest come first: those that are done are always the last.
                let active = group.partition_point(|&piece| pieces[piece].len() > step);
                let before: Vec<Option<Frame>> =
                    group[..active].iter().map(|&piece| step.checked_sub(1).map(|at| pieces[piece][at])).collect();
                self.advance(&mut memory, step, &before);
                for (row, &piece) in group[..active].iter().enumerate() {
                    let frame = pieces[piece][step];
                    if (starts[piece] + step).is_multiple_of(effort.every.max(1)) {
                        self.features(&memory, row, &mut waiting.features);
                        if self.strokes.is_some() {
                            let at = (waiting.places.len(), N::ROWS);
                            strokes::decisions(&since[row], frame, at, &mut waiting.strokes);
                        }
                        waiting.places.push((piece, step));
                    }
                    since[row].push(frame);
                }
                if waiting.places.len() >= KEPT / N::ROWS {
                    settle(&mut waiting);
                }
            }
        }
        settle(&mut waiting);
        figures
    }
}

/// Which frames count, in a sentence.
pub(super) fn protocol(every: usize, reading: Reading) -> String {
    let strokes = if reading == Reading::Strokes { ", and which of them are struck" } else { "" };
    let which = if every == 1 { "all frames".to_owned() } else { format!("one of every {every} frames") };
    format!(
        "{which} after the first of each piece, in its own key; a frame is all keys of one step{strokes}; mean over frames; right: the mean \
         frame accuracy"
    )
}

/// The evaluation of a piece, its first frame left out.
pub(super) fn counted(figures: &[Option<FrameFigure>], steps_per_quarter: u32) -> Evaluation {
    let some = figures.iter().skip(1).flatten();
    let quarters = some.clone().count() as f64 / f64::from(steps_per_quarter);
    evaluation(some, quarters)
}

/// The figures of frames at their places in a piece, the first frame left out.
pub fn moments(
    figures: impl Iterator<Item = Option<FrameFigure>>,
    steps_per_quarter: u32,
    piece: &Score,
) -> Vec<Moment> {
    let Some(grid) = TicksPerQuarter::new(steps_per_quarter) else { return Vec::new() };
    let at = |step: u64| Ticks(step).rescale(grid, piece.ticks_per_quarter);
    let all = (0..).zip(figures).skip(1);
    all.filter_map(|(step, figure)| figure.map(|figure| Moment { at: at(step), nats: figure.nats })).collect()
}

impl<N: FrameNetwork> Judge for FrameComposer<N> {
    fn kind(&self) -> Kind {
        N::Head::kind()
    }

    fn protocol(&self) -> String {
        protocol(1, self.reading())
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let frames = self.reading().frames(piece);
        let figures = self.judge_frames(&[frames], Effort { every: 1, chains: 1, temperatures: 1 }, 0);
        let is_adjusted = piece.notes().any(|note| Key::try_from(note.pitch).is_err());
        let moments = moments(figures[0].iter().copied(), self.roll.steps_per_quarter, piece);
        Judgement { figures: counted(&figures[0], self.roll.steps_per_quarter), moments, is_adjusted }
    }
}

impl<N: FrameNetwork> Composer for FrameComposer<N> {
    fn spec(&self) -> &'static ComposerSpec {
        N::spec()
    }

    fn default_sampling(&self) -> Sampling {
        N::Head::default_sampling()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let FrameSettings { hidden, layers, .. } = self.settings;
        let name = |key: usize| Key::new(key).map_or_else(String::new, |key| key.pitch().to_string());
        [
            (
                "network",
                format!("{layers} LSTM layers of {hidden}, {}, {} parameters", self.head.describe(), self.parameters),
            ),
            ("frames", self.reading().to_string()),
            ("keys", format!("{} to {}", name(self.roll.range.0), name(self.roll.range.1))),
            ("grid", format!("{} steps a quarter", self.roll.steps_per_quarter)),
            ("metre", self.roll.meter.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn frames(&self) -> Option<&dyn JudgesFrames> {
        Some(self)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        // An estimate has a cost and an error that its caller must choose: `frames` lets them.
        (N::Head::kind() == Kind::Exact).then_some(self)
    }

    fn lacks(&self, control: Control) -> bool {
        control == Control::Form && !self.head.remembers()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let Opened { mut memory, mut past, mut since, frames: mut piece, meter, bars, remarks } =
            self.open_with(request.prompt());
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let meter = intent.meter().unwrap_or(meter);
        let heard = piece.len();
        let bars = request.bars() - bars;
        let grid = self.roll.grid();
        let steps = BarSteps::new(grid, meter);
        let (end, last_bar) = (steps.first_step(bars), steps.first_step(bars - 1));
        let recalls = match &request.controls.form {
            Some(form) => {
                let rng = &mut derive(rng.next_u64(), "variation", &[]);
                steps.recalled_steps(form, (request.prompt(), heard), bars, grid, rng)?
            }
            None => Vec::new(),
        };
        let allowed = self.roll.allowed();
        let (mut features, mut reported, mut closed) = (Vec::new(), 0, false);
        let mut runs = Runs::within(&self.roll.repetition);
        piece.iter().for_each(|frame| runs.push(frame.sounding().bits()));
        for at in 0..end {
            let last = piece.last().copied();
            let before = last.unwrap_or_default().sounding();
            self.advance(&mut memory, heard + at, &[last]);
            features.clear();
            self.features(&memory, 0, &mut features);
            let recalled = recalls.get(heard + at).copied().flatten();
            let leave = Leave::after(&runs, recalled, true);
            let step = Step { past: &past, at: heard + at, recalling: leave.recalling };
            let draw = || {
                let drawn = self.head.draw(&features, step, before, allowed, &request.sampling, rng);
                drawn.ok_or(ComposeError::NoToken)
            };
            let mut keys = leave.draw(draw, |keys| keys.bits())?;
            let mut frame = match (&self.strokes, self.reading()) {
                // A prompt's notes end with it: what goes on is struck again.
                _ if at == 0 => Frame { struck: keys, held: Keys::NONE },
                (Some(striker), _) => {
                    let recalled = recalled.map(|at| (piece[at], Recalling::TRUST));
                    striker.draw(&features, &since, keys, recalled, rng).ok_or(ComposeError::NoToken)?
                }
                (None, Reading::Onsets) => Frame { struck: keys, held: Keys::NONE },
                (None, _) => Frame { struck: keys - before, held: keys & before },
            };
            closed |= at >= last_bar && !frame.struck.is_empty();
            if at + 1 == end && !closed {
                // A piece does not fade out before its last bar: what sounds, or sounded last, is struck once more.
                let sounded = piece.iter().rev().map(|frame| frame.sounding());
                let found = [keys].into_iter().chain(sounded).map(|keys| keys & allowed).find(|keys| !keys.is_empty());
                keys = found.or(middle(allowed)).unwrap_or_default();
                frame = Frame { struck: keys, held: Keys::NONE };
            }
            piece.push(frame);
            since.push(frame);
            past.push(keys);
            runs.push(keys.bits());
            let done = steps.done(at + 1);
            if done > reported {
                reported = done;
                if progress((done as f64 / bars as f64).min(1.0)).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        let mut composed = self.roll.open();
        composed.parts = piano_roll::decode(&piece[heard..], grid).parts;
        composed = composed.rescaled(steps.fine).before(Ticks(bars as u64 * steps.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        intent.finish(&mut composed, self.roll.pitches());
        accentuate(&mut composed, Ticks::ZERO);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => composed,
        };
        Ok(Composition::new(score, remarks))
    }
}

/// A key in the middle of a set.
fn middle(keys: Keys) -> Option<Keys> {
    keys.iter().nth(keys.len() / 2).map(|key| [key].into_iter().collect())
}

/// Where a composition begins.
struct Opened<P> {
    memory: Memory,
    past: P,
    since: Since,
    /// The frames of the prompt.
    frames: Vec<Frame>,
    /// The metre from there on.
    meter: Meter,
    /// Bars of the prompt.
    bars: usize,
    remarks: Vec<String>,
}

impl<N: FrameNetwork> FrameComposer<N> {
    /// Reads the prompt.
    fn open_with(&self, prompt: Option<&Prompt>) -> Opened<PastOf<N>> {
        let mut opened = Opened {
            memory: self.memory(1),
            past: PastOf::<N>::default(),
            since: Since::default(),
            frames: Vec::new(),
            meter: self.roll.meter.parse().unwrap_or(Meter::COMMON),
            bars: 0,
            remarks: Vec::new(),
        };
        let Some(prompt) = prompt else { return opened };
        let score = prompt.on_grid(self.roll.grid());
        opened.bars = prompt.bars();
        opened.meter = prompt.score().bars().last().map_or(opened.meter, |bar| bar.meter);
        opened.frames = self.reading().frames(&score);
        let steps = prompt.end_in(&Score::new(self.roll.grid())).0.min(piano_roll::MOST_STEPS) as usize;
        opened.frames.resize(steps, Frame::default());
        let allowed = self.roll.allowed();
        let strange = score.notes().filter(|note| !knows(allowed, note.pitch)).count();
        if strange > 0 {
            opened.remarks.push(format!(
                "the model has never heard the pitches of {strange} notes of the prompt; the prompt itself is kept as it is"
            ));
        }
        for (at, frame) in opened.frames.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| opened.frames[before]);
            self.advance(&mut opened.memory, at, &[before]);
            opened.past.push(frame.sounding());
            opened.since.push(*frame);
        }
        opened
    }
}

/// Whether a pitch lies within a set of keys.
fn knows(keys: Keys, pitch: Pitch) -> bool {
    Key::try_from(pitch).is_ok_and(|key| keys.contains(key))
}
