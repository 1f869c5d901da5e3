//! A trained network on its way through a piece.

use super::chain::{Conditionals, Direction};
use super::features::READ;
use super::lines::{Lines, Told};
use super::trained::{Trained, Trunk};
use cantus_encoding::voice_lines::{SYMBOLS, Symbol};
use cantus_encoding::voices::VOICES;
use cantus_nn::cross_entropy::log_softmax;
use cantus_nn::inference::{LstmCell, Scratch};
use std::ops::Range;

/// What LSTM layers remember of a piece, the first layer first.
type Memory = Vec<(Vec<f32>, Vec<f32>)>;

/// One direction of one trunk.
struct Reader<'m> {
    cells: &'m [LstmCell],
    memory: Memory,
    /// The memory before the first step of the walk.
    start: Memory,
    /// What the last layer made of all steps on the way to each step, `[T, H]`.
    read: Vec<f32>,
}

/// A piece, a part of whose steps is walked through again and again.
pub(super) struct Walk<'m> {
    model: &'m Trained,
    lines: Lines,
    told: Told,
    steps: Range<usize>,
    direction: Direction,
    before: Vec<Reader<'m>>,
    after: Vec<Reader<'m>>,
    entry: Vec<f32>,
    here: Vec<f32>,
    /// What a head brings together, `[2H + U]`.
    joined: Vec<f32>,
    units: Vec<f32>,
    symbols: Vec<f32>,
    straight: Vec<f32>,
    scratch: Scratch,
}

impl<'m> Reader<'m> {
    fn new(cells: &'m [LstmCell], steps: usize) -> Reader<'m> {
        let zeros = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        let memory: Memory = cells.iter().map(zeros).collect();
        let hidden = cells.last().map_or(0, LstmCell::hidden);
        Reader { cells, start: memory.clone(), memory, read: vec![0.0; steps * hidden] }
    }

    fn hidden(&self) -> usize {
        self.cells.last().map_or(0, LstmCell::hidden)
    }

    /// Reads what stands before (or after) step `at`.
    fn advance(&mut self, at: usize, entry: &[f32], scratch: &mut Scratch) {
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = self.memory.split_at_mut(k);
            let (h, c) = &mut here[0];
            cell.step(below.last().map_or(entry, |(h, _)| h), h, c, scratch);
        }
        let hidden = self.hidden();
        if let Some((h, _)) = self.memory.last() {
            self.read[at * hidden..][..hidden].copy_from_slice(h);
        }
    }

    fn at(&self, step: usize) -> &[f32] {
        let hidden = self.hidden();
        &self.read[step * hidden..][..hidden]
    }
}

impl<'m> Walk<'m> {
    /// A walk through some steps of a piece.
    pub(super) fn new(model: &'m Trained, lines: Lines, told: Told, steps: Range<usize>) -> Walk<'m> {
        let readers = |cells: fn(&Trunk) -> &[LstmCell]| -> Vec<Reader<'m>> {
            model.trunks().iter().map(|trunk| Reader::new(cells(trunk), lines.len())).collect()
        };
        let (before, after) = (readers(|trunk| &trunk.before), readers(|trunk| &trunk.after));
        let (features, units) = (model.settings().features(), model.settings().units);
        let mut walk = Walk {
            before,
            after,
            entry: vec![0.0; READ],
            here: vec![0.0; features.here()],
            joined: vec![0.0; 2 * model.settings().hidden + units],
            units: vec![0.0; units],
            symbols: vec![0.0; SYMBOLS],
            straight: vec![0.0; SYMBOLS],
            scratch: Scratch::new(),
            direction: Direction::Forward,
            model,
            lines,
            told,
            steps,
        };
        // What lies outside of the walk is read once.
        (0..walk.steps.start).for_each(|step| walk.read_before(step));
        walk.before.iter_mut().for_each(|reader| reader.start.clone_from(&reader.memory));
        (walk.steps.end..walk.lines.len()).rev().for_each(|step| walk.read_after(step));
        walk.after.iter_mut().for_each(|reader| reader.start.clone_from(&reader.memory));
        walk.steps.clone().rev().for_each(|step| walk.read_after(step));
        walk
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn into_lines(self) -> Lines {
        self.lines
    }

    fn read_before(&mut self, step: usize) {
        self.entry.fill(0.0);
        let features = self.model.settings().features();
        features.write_before((&self.lines, &self.told), step, 0, &mut self.entry);
        self.before.iter_mut().for_each(|reader| reader.advance(step, &self.entry, &mut self.scratch));
    }

    fn read_after(&mut self, step: usize) {
        self.entry.fill(0.0);
        let features = self.model.settings().features();
        features.write_after((&self.lines, &self.told), step, 0, &mut self.entry);
        self.after.iter_mut().for_each(|reader| reader.advance(step, &self.entry, &mut self.scratch));
    }

    /// The logarithms of what may stand at a site.
    pub(super) fn logarithms(&mut self, step: usize, voice: usize) -> &[f32] {
        self.here.fill(0.0);
        let features = self.model.settings().features();
        features.write_here((&self.lines, &self.told), (step, voice), 0, &mut self.here);
        let (head, trunk) = (&self.model.heads()[voice], voice % self.before.len());
        let hidden = self.model.settings().hidden;
        self.joined[..hidden].copy_from_slice(self.before[trunk].at(step));
        self.joined[hidden..2 * hidden].copy_from_slice(self.after[trunk].at(step));
        head.here.forward(&self.here, &mut self.joined[2 * hidden..]);
        head.joined.forward(&self.joined, &mut self.units);
        head.symbol.forward(&self.units, &mut self.symbols);
        if let Some(straight) = &head.straight {
            straight.forward(&self.here, &mut self.straight);
            self.symbols.iter_mut().zip(&self.straight).for_each(|(sum, logit)| *sum += logit);
        }
        log_softmax(&mut self.symbols);
        &self.symbols
    }
}

impl Conditionals for Walk<'_> {
    fn turn(&mut self, direction: Direction) {
        self.direction = direction;
        self.lines.follow();
        let readers = match direction {
            Direction::Forward => &mut self.before,
            Direction::Back => &mut self.after,
        };
        readers.iter_mut().for_each(|reader| reader.memory.clone_from(&reader.start));
    }

    fn reach(&mut self, step: usize) {
        match self.direction {
            Direction::Forward => {
                self.lines.sing(step);
                self.read_before(step);
            }
            Direction::Back => {
                self.lines.look_ahead(step);
                self.read_after(step);
            }
        }
    }

    fn symbols(&mut self, step: usize, voice: usize) -> &[f32] {
        self.logarithms(step, voice);
        let allowed = self.model.allowed(voice);
        for (symbol, probability) in self.symbols.iter_mut().enumerate() {
            *probability = if allowed >> symbol & 1 == 1 { probability.exp() } else { 0.0 };
        }
        &self.symbols
    }

    fn set(&mut self, step: usize, voice: usize, symbol: Symbol) {
        debug_assert!(voice < VOICES && self.steps.contains(&step), "a site of the walk");
        self.lines.set(step, voice, symbol);
    }
}
