//! Judging and composing with a trained network: the state is carried, one step of work a step of the grid.

mod alone;
mod joining;

use super::conditions::{HEARD, View};
use super::piece::{Known, Piece, past_of};
use super::plan::{Around, plan_of};
use super::section::Section;
use super::step::{Given, Spot, sounds, spots};
use super::{SPEC, Settings, items};
use cantus_encoding::rhythm_section::{self, COLUMNS, KINDS, REST};
use cantus_model::band::lowest;
use cantus_model::frames::{BarSteps, FrameFigure, evaluation};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Evaluation, Habits, Intent, Joined, Judge, Judgement, Kind,
    ModelError, ModelFile, Moment, Progress, Prompt, Request, Rng, Sampling, checkpoint, layers,
};
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::joint::{Decision, JointScorer, Place};
use cantus_nn::random::{categorical, derive};
use cantus_nn::suffix::SuffixIndex;
use cantus_score::{Part, Pitch, Program, Score, Ticks, TicksPerQuarter};
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// The program of a fingered electric bass.
const FINGERED: u8 = 33;
/// The lowest string of a bass of five, B0.
const LOWEST: u8 = 23;

/// A trained network, ready to judge and to compose.
pub(super) struct Accompanist {
    settings: Settings,
    section: Section,
    cells: Vec<LstmCell>,
    forwards: LstmCell,
    backwards: LstmCell,
    head: JointScorer,
    habits: Option<Habits>,
    parameters: usize,
}

/// What the layers remember of a piece.
struct Memory {
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    input: Vec<f32>,
    /// The last step at which something was written.
    last: Option<usize>,
    scratch: Scratch,
}

/// What is to be written.
struct Task<'a> {
    spots: &'a [Spot],
    given: &'a [Given],
    known: Known,
    lowest: Pitch,
    /// What is there already.
    heard: Vec<u128>,
    sampling: &'a Sampling,
}

impl Accompanist {
    /// Out of a model file, for the registry.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
        Ok(Box::new(Accompanist::open(file)?))
    }

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn open(file: &ModelFile) -> Result<Accompanist, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let section: Section =
            serde_json::from_value(file.header.encoding["section"].clone()).map_err(|e| metadata(e.to_string()))?;
        section.check().map_err(metadata)?;
        let cell = |name: &str, input: usize, hidden: usize| layers::cell(file, name, (input, hidden), LstmCell::new);
        let (layers, hidden) = (settings.shared.layers, settings.shared.hidden);
        let own = |k: usize| cell(&format!("lstms.{k}"), if k == 0 { settings.input() } else { hidden }, hidden);
        let shape = settings.own.shape(settings.features());
        Ok(Accompanist {
            cells: (0..layers).map(own).collect::<Result<_, _>>()?,
            forwards: cell(&format!("lstms.{layers}"), settings.heard(), settings.own.heard)?,
            backwards: cell("ahead", settings.heard(), settings.own.heard)?,
            head: JointScorer::new(shape, |name, shape| file.tensor(&format!("head.{name}"), shape))?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            settings,
            section,
        })
    }

    fn writes(&self) -> Joined {
        self.settings.own.writes
    }

    /// See [`cantus_model::band::Registers::probabilities`].
    #[cfg(test)]
    pub(super) fn registers(&self, tonic: Option<u8>) -> Vec<f64> {
        self.section.registers().probabilities(tonic)
    }

    fn memory(&self) -> Memory {
        let layer = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        Memory {
            layers: self.cells.iter().map(layer).collect(),
            input: vec![0.0; self.settings.input()],
            last: None,
            scratch: Scratch::new(),
        }
    }

    /// What is known of the given parts at each step: what is struck there, all before it, all after it.
    ///
    /// # Shapes
    /// `[steps, HEARD + 2 cells]`
    fn listen(&self, view: &View<'_>, steps: usize) -> Vec<f32> {
        let (cells, width) = (self.settings.own.heard, HEARD + 2 * self.settings.own.heard);
        let mut known = vec![0.0; steps * width];
        let mut row = vec![0.0; self.settings.heard()];
        let mut scratch = Scratch::new();
        let mut step = |cell: &LstmCell, at: usize, (h, c): (&mut [f32], &mut [f32])| {
            row.fill(0.0);
            view.write_heard(at, &mut row);
            cell.step(&row, h, c, &mut scratch);
        };
        let (mut h, mut c) = (vec![0.0; cells], vec![0.0; cells]);
        for (at, known) in known.chunks_exact_mut(width).enumerate() {
            view.write_given(at, &mut known[..HEARD]);
            step(&self.forwards, at, (&mut h, &mut c));
            known[HEARD..HEARD + cells].copy_from_slice(&h);
        }
        // In stretches, as while learning.
        let window = self.settings.shared.window;
        for start in (0..steps).step_by(window) {
            h.fill(0.0);
            c.fill(0.0);
            for at in (start..start + window + self.settings.own.ahead).rev() {
                step(&self.backwards, at, (&mut h, &mut c));
                if at < steps.min(start + window) {
                    known[at * width + HEARD + cells..(at + 1) * width].copy_from_slice(&h);
                }
            }
        }
        known
    }

    /// Moves on to the step after those `written`; `known` is what is known of the given parts there.
    fn advance(&self, memory: &mut Memory, view: &View<'_>, written: &[u128], known: &[f32]) {
        let own = self.settings.own_input();
        memory.last = match written.last() {
            Some(frame) if *frame != 0 => Some(written.len() - 1),
            _ => memory.last,
        };
        memory.input.fill(0.0);
        view.write_input(written, memory.last, &mut memory.input[..own]);
        memory.input[own..].copy_from_slice(known);
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = memory.layers.split_at_mut(k);
            let (h, c) = &mut here[0];
            cell.step(below.last().map_or(&memory.input, |(h, _)| h), h, c, &mut memory.scratch);
        }
    }

    /// What the head sees.
    fn features(&self, memory: &Memory, features: &mut Vec<f32>) {
        features.clear();
        features.extend(memory.layers.last().into_iter().flat_map(|(h, _)| h));
        if self.settings.shared.skip {
            features.extend_from_slice(&memory.input);
        }
    }

    /// Figures of all decisions of each piece: the register, where a bass is written, then every step.
    pub(super) fn judge_pieces(&self, pieces: &[Piece]) -> Vec<Vec<FrameFigure>> {
        pieces.par_iter().map(|piece| self.judge_piece(piece)).collect()
    }

    fn judge_piece(&self, piece: &Piece) -> Vec<FrameFigure> {
        let Piece { spots, given, known, frames, lowest, .. } = piece;
        let view = View { settings: &self.settings, spots, given, known: *known, lowest: *lowest, plan: &[] };
        let (heard, past) = (self.listen(&view, frames.len()), past_of(frames));
        let (mut memory, mut decision, mut features) = (self.memory(), self.head.decision(), Vec::new());
        let mut figures = Vec::with_capacity(frames.len() + 1);
        if self.writes() == Joined::Bass {
            let chance =
                self.section.of_style(known.style).registers().probabilities(known.tonic)[usize::from(lowest.get())];
            figures.push(FrameFigure {
                nats: -chance.ln(),
                hits: chance,
                union: 2.0 - chance,
                ..FrameFigure::default()
            });
        }
        for (at, known) in heard.chunks_exact(heard.len() / frames.len().max(1)).enumerate() {
            self.advance(&mut memory, &view, &frames[..at], known);
            self.features(&memory, &mut features);
            let place = Place { past: &past, at, shift: 0, classes: view.classes(at) };
            decision.open(&features, &place);
            figures.push(FrameFigure::of_set(&mut decision, frames[at]));
        }
        figures
    }

    /// A frame; `None` where the model gives no number. `push` is added to the log-odds of an onset.
    fn draw(
        &self,
        decision: &mut Decision<'_>,
        (is_silent, push): (bool, f32),
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<u128> {
        // A stream of its own for each frame: how many notes one has does not shift what comes after.
        let mut rng = derive(rng.next_u64(), "notes", &[]);
        let (items, is_bass) = (items(self.writes()), self.writes() == Joined::Bass);
        let mut frame = 0u128;
        loop {
            let mut logits: Vec<f32> = decision.probabilities().iter().map(|p| p.ln()).collect();
            if logits.iter().any(|z| z.is_nan()) {
                return None;
            }
            if frame == 0 {
                let onsets = if is_bass { REST } else { items };
                logits[..onsets].iter_mut().for_each(|logit| *logit += push);
            }
            if is_bass && is_silent {
                // Silence does not end.
                logits[REST] = f32::NEG_INFINITY;
            }
            let Some(item) = sampling.draw(&logits, &mut rng).filter(|item| *item < items) else { return Some(frame) };
            frame |= 1 << item;
            if is_bass && item == REST {
                return Some(frame);
            }
            decision.choose(item);
        }
    }

    /// How many onsets pieces of the corpus have to as much that is given.
    fn expected(&self, task: &Task<'_>) -> f64 {
        self.section.of_style(task.known.style).bars.expected(self.around(task))
    }

    /// What a task's part is written to.
    fn around<'t>(&self, task: &Task<'t>) -> Around<'t> {
        let (given, spots) = (task.given, task.spots);
        Around { writes: self.writes(), given, spots, per_quarter: self.section.grid().get() }
    }

    /// What is known of what a task gives: see [`Accompanist::listen`].
    fn listened(&self, task: &Task<'_>) -> Vec<f32> {
        let Task { spots, given, known, lowest, .. } = *task;
        let view = View { settings: &self.settings, spots, given, known, lowest, plan: &[] };
        self.listen(&view, spots.len())
    }

    /// The frames of a task of which so much is known, those that were there already among them.
    fn write(
        &self,
        task: &Task<'_>,
        listened: &[f32],
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Vec<u128>, ComposeError> {
        let Task { spots, given, known, lowest, ref heard, sampling } = *task;
        let mut frames = heard.clone();
        let there = spots.get(frames.len()).map_or(0, |spot| spot.bar as usize);
        let per_quarter = self.section.grid().get();
        let mut plan = plan_of(&frames, &spots[..frames.len()], per_quarter);
        plan.truncate(there);
        let bars = &self.section.of_style(known.style).bars;
        let plan = bars.draw(&plan, self.around(task), &mut derive(rng.next_u64(), "plan", &[]));
        let view = View { settings: &self.settings, spots, given, known, lowest, plan: &plan };
        let (mut memory, mut decision, mut features) = (self.memory(), self.head.decision(), Vec::new());
        let mut past = SuffixIndex::default();
        let (there, from) = (std::mem::take(&mut frames), spots.first().map_or(0, |spot| spot.bar));
        let first = spots.get(there.len()).map_or(from, |spot| spot.bar);
        let bars = spots.last().map_or(1, |spot| spot.bar + 1 - first).max(1);
        for (at, known) in listened.chunks_exact(listened.len() / spots.len().max(1)).enumerate() {
            self.advance(&mut memory, &view, &frames, known);
            let frame = match there.get(at) {
                Some(frame) => *frame,
                None => {
                    self.features(&memory, &mut features);
                    decision.open(&features, &Place { past: &past, at, shift: 0, classes: view.classes(at) });
                    let is_silent = memory.last.is_none_or(|last| !sounds(frames[last]));
                    let spot = spots[at];
                    let push = plan.get(spot.bar as usize).map_or(0.0, |bar| bar.push(&frames, spot, per_quarter));
                    self.draw(&mut decision, (is_silent, push), sampling, rng).ok_or(ComposeError::NoToken)?
                }
            };
            frames.push(frame);
            past.push(frame);
            let spot = spots[at];
            if at >= there.len() && spot.in_bar + 1 == spot.bar_steps {
                let done = f64::from(spot.bar + 1 - first) / f64::from(bars);
                if progress(done.min(1.0)).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        Ok(frames)
    }

    /// The lowest note of a bass that begins with nothing.
    fn register(&self, style: Option<usize>, tonic: Option<u8>, rng: &mut Rng) -> Pitch {
        let drawn = self.section.of_style(style).registers().draw(tonic, &mut derive(rng.next_u64(), "register", &[]));
        // Files have basses that no string has.
        if drawn.get() < LOWEST { drawn.transposed(12).unwrap_or(drawn) } else { drawn }
    }

    /// The program that plays what is written: the one asked for, or as often as the corpus has each.
    fn program(&self, style: Option<usize>, asked: Option<Program>, rng: &mut Rng) -> Option<Program> {
        let rng = &mut derive(rng.next_u64(), "program", &[]);
        if self.writes() == Joined::Drums {
            return asked;
        }
        let programs = &self.section.of_style(style).programs;
        let counts: Vec<f32> = programs.values().map(|count| *count as f32).collect();
        let drawn = categorical(rng, &counts).and_then(|k| programs.keys().nth(k).copied());
        asked.or_else(|| Program::new(drawn.unwrap_or(FINGERED)))
    }

    /// The bass or the drums of frames, on the grid.
    fn part(of: Joined, frames: &[u128], lowest: Pitch, program: Option<Program>) -> Part {
        let programs = program.map(|program| (Ticks::ZERO, program)).into_iter().collect();
        match of {
            Joined::Bass => Part {
                name: Some("Bass".to_owned()),
                programs,
                notes: rhythm_section::decode(frames, lowest),
                ..Part::default()
            },
            Joined::Drums => {
                let rows: Vec<u16> = frames.iter().map(|frame| (frame & ((1 << KINDS.len()) - 1)) as u16).collect();
                let notes = rhythm_section::strokes(&rows);
                Part { name: Some("Drums".to_owned()), programs, notes, ..Part::of_drums() }
            }
        }
    }
}

/// What counts, in a sentence.
pub(super) fn protocol(writes: Joined) -> String {
    match writes {
        Joined::Bass => {
            "the lowest note of the bass, then all steps of each piece; drums, other instruments, metre, tempo, program and length are \
             given; mean over these; right: the mean accuracy of a step"
        }
        Joined::Drums => {
            "all steps of the drums of each piece; bass, other instruments, metre, tempo and length are given; mean over steps; right: \
             the mean accuracy of a step"
        }
    }
    .to_owned()
}

/// The evaluation of a piece.
pub(super) fn counted(figures: &[FrameFigure], steps_per_quarter: u32) -> Evaluation {
    evaluation(figures, figures.len() as f64 / f64::from(steps_per_quarter))
}

impl Judge for Accompanist {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        protocol(self.writes())
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let (grid, own) = (self.section.grid(), &self.settings.own);
        let Some(read) = Piece::read(piece, own.writes, grid, own.rest) else {
            return Judgement { figures: Evaluation::default(), moments: Vec::new(), is_adjusted: false };
        };
        let figures = self.judge_piece(&read);
        let before = figures.len() - read.len();
        let at = |k: usize| {
            Ticks(k.saturating_sub(before) as u64 * u64::from(piece.ticks_per_quarter.get()) / u64::from(grid.get()))
        };
        let moments = figures.iter().enumerate().map(|(k, figure)| Moment { at: at(k), nats: figure.nats }).collect();
        Judgement { figures: counted(&figures, grid.get()), moments, is_adjusted: !read.is_exact }
    }
}

impl Composer for Accompanist {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 0.98 }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let (shared, own) = (&self.settings.shared, &self.settings.own);
        let registers = (self.section.lowest.keys().next(), self.section.lowest.keys().next_back());
        let name = |pitch: Option<&u8>| {
            pitch.and_then(|pitch| Pitch::try_from(*pitch).ok()).map_or_else(String::new, |pitch| pitch.to_string())
        };
        [
            (
                "network",
                format!(
                    "{} LSTM layers of {} over what is written, two of {} over what is given, a joint head of {} units, {} parameters",
                    shared.layers, shared.hidden, own.heard, own.units, self.parameters
                ),
            ),
            ("writes", own.writes.name().to_owned()),
            ("lowest notes", format!("{} to {}", name(registers.0), name(registers.1))),
            ("grid", format!("{} steps a quarter", self.section.steps_per_quarter)),
            ("metre", self.section.meter().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn styles(&self) -> &[String] {
        &self.settings.own.styles
    }

    fn joins(&self) -> Option<Joined> {
        Some(self.writes())
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        match request.given.as_ref().filter(|given| given.is_to_be_joined()) {
            Some(given) => self.joined(given.score(), &request.controls, &request.sampling, rng, progress),
            None => self.alone(request, rng, progress),
        }
    }
}
