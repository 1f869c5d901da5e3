//! A trained network: judging, and going on step by step, several melodies at once.

use super::network::{SLOT, Widths};
use super::settings::Settings;
use super::stored::Stored;
use super::tune::{AGREED, BEATS, Frame, LOOKS, Looking, OF_BAR, PLACES, Rhythms, Tune};
use cantus_encoding::melody_steps::OUTCOMES;
use cantus_model::melodies::{BEGINNING, READ};
use cantus_model::{CheckedSettings, Evaluation, Habits, ModelError, ModelFile, checkpoint, layers, said};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::TicksPerQuarter;

/// Melodies that are judged side by side.
const TOGETHER: usize = 32;

/// A trained network.
#[derive(Debug)]
pub(super) struct Model {
    pub settings: Settings,
    pub stored: Stored,
    pub grid: TicksPerQuarter,
    pub habits: Option<Habits>,
    /// Number of parameters.
    pub parameters: usize,
    outcome: Lookup,
    sounding: Lookup,
    places: Vec<Lookup>,
    looks: Vec<Lookup>,
    agreed: Vec<Lookup>,
    copies: Option<Vec<f32>>,
    bar: Option<Block>,
    beat: Option<Block>,
    step: LstmCell,
    output: Dense,
}

#[derive(Debug)]
struct Block {
    slots: Lookup,
    places: Vec<Lookup>,
    told: Option<Lookup>,
    head: Option<Dense>,
    cell: LstmCell,
}

/// A melody that goes forward: all that is known of it before a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub frame: &'a Frame,
    /// The steps so far, at least, and what sounds before each and before the next.
    pub steps: &'a [u8],
    pub sounding: &'a [u8],
    pub looking: &'a Looking,
    /// The classes of rhythm of its bars and beats, as far as they are decided.
    pub classes: [&'a [u32]; 2],
}

/// What the layers hold of melodies that go forward together, a row for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    bar: Held,
    beat: Held,
    step: Held,
    scratch: Scratch,
}

/// Outputs and cells of a layer, `[n, H]`.
#[derive(Clone, Debug, Default)]
struct Held {
    h: Vec<f32>,
    c: Vec<f32>,
    width: usize,
}

impl Held {
    fn new(rows: usize, width: usize) -> Held {
        Held { h: vec![0.0; rows * width], c: vec![0.0; rows * width], width }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.h[row * self.width..][..self.width]
    }

    fn truncate(&mut self, rows: usize) {
        self.h.truncate(rows * self.width);
        self.c.truncate(rows * self.width);
    }

    /// Moves some rows on.
    fn advance(&mut self, cell: &LstmCell, rows: &[usize], x: &[f32], scratch: &mut Scratch) {
        let pick = |values: &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|row| values[row * self.width..][..self.width].iter().copied()).collect()
        };
        let (mut h, mut c) = (pick(&self.h), pick(&self.c));
        cell.step(x, &mut h, &mut c, scratch);
        for (values, moved) in [(&mut self.h, &h), (&mut self.c, &c)] {
            for (row, moved) in rows.iter().zip(moved.chunks_exact(self.width)) {
                values[row * self.width..][..self.width].copy_from_slice(moved);
            }
        }
    }
}

impl Rows {
    /// The first rows alone.
    pub(super) fn truncate(&mut self, rows: usize) {
        [&mut self.bar, &mut self.beat, &mut self.step].into_iter().for_each(|held| held.truncate(rows));
    }
}

/// A step that was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// With those of the rhythms that are decided before it.
    pub nats: f64,
    is_right: bool,
}

impl Judged {
    pub(super) fn add_to(&self, figures: &mut Evaluation) {
        figures.nats += self.nats;
        figures.tokens += 1.0;
        figures.correct += if self.is_right { 1.0 } else { 0.0 };
    }
}

impl Model {
    pub(super) fn load(file: &ModelFile) -> Result<Model, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let stored = Stored::read(&file.header)?;
        stored.check(&settings).map_err(metadata)?;
        let grid = stored.melodies.steps()?;
        let Settings { bar, beat, hidden, embedding, lookback, .. } = settings;
        let widths = Widths::of(&settings);
        let table = |name: String, rows: usize, width: usize| {
            Ok::<_, ModelError>(Lookup::new(width, file.tensor(&format!("{name}.table"), &[rows, width])?.to_vec()))
        };
        let tables = |name: &str, sizes: &[usize]| {
            let table = |(k, size): (usize, &usize)| table(format!("{name}.{k}"), *size, embedding);
            sizes.iter().enumerate().map(table).collect::<Result<Vec<Lookup>, ModelError>>()
        };
        let mut layer = 0;
        let mut cell = |input: usize, cells: usize| {
            layer += 1;
            layers::cell(file, &format!("lstms.{}", layer - 1), (input, cells), LstmCell::new)
        };
        let mut block = |name: &str, cells: usize, input: usize, places: &[usize], classes: usize| {
            if cells == 0 {
                return Ok::<_, ModelError>(None);
            }
            let told = (classes > 0).then(|| table(format!("{name}.told"), classes, embedding)).transpose()?;
            let head = || layers::dense(file, &format!("{name}.head"), (cells, classes), Dense::new);
            Ok(Some(Block {
                slots: table(format!("{name}.slots"), READ, SLOT)?,
                places: tables(&format!("{name}.places"), places)?,
                told,
                head: (classes > 0).then(head).transpose()?,
                cell: cell(input, cells)?,
            }))
        };
        let (bars, beats) = (stored.rhythms.bars.len(), stored.rhythms.beats.len());
        let bar = block("bar", bar, widths.bar, &PLACES[OF_BAR], bars)?;
        let beat = block("beat", beat, widths.beat, &[BEATS], beats)?;
        let looks = if lookback { LOOKS.len() } else { 0 };
        let copies = || Ok::<_, ModelError>(file.tensor("copies.table", &[LOOKS.len() * AGREED, 1])?.to_vec());
        Ok(Model {
            outcome: table("outcome".to_owned(), READ, embedding)?,
            sounding: table("sounding".to_owned(), OUTCOMES, embedding)?,
            places: tables("places", &PLACES)?,
            looks: tables("looks", &vec![READ; looks])?,
            agreed: tables("agreed", &vec![AGREED; looks])?,
            copies: lookback.then(copies).transpose()?,
            bar,
            beat,
            step: cell(widths.step, hidden)?,
            output: layers::dense(file, "output", (widths.output, OUTCOMES), Dense::new)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            grid,
            stored,
            settings,
        })
    }

    pub(super) fn rhythms(&self) -> &Rhythms {
        &self.stored.rhythms
    }

    /// The layers before the beginning of so many melodies.
    pub(super) fn rows(&self, rows: usize) -> Rows {
        let Settings { bar, beat, hidden, .. } = self.settings;
        Rows {
            bar: Held::new(rows, bar),
            beat: Held::new(rows, beat),
            step: Held::new(rows, hidden),
            scratch: Scratch::new(),
        }
    }

    /// Moves the layer for bars on, in those rows in which a bar begins with this step. Of each the logits of the bar's class of rhythm.
    pub(super) fn enter_bars(&self, views: &[View<'_>], step: usize, rows: &mut Rows) -> Vec<(usize, Vec<f32>)> {
        let Some(block) = &self.bar else { return Vec::new() };
        let begins = |view: &View<'_>| view.frame.bars[view.frame.blocks[step].0].start == step;
        let entered: Vec<usize> = (0..views.len()).filter(|row| begins(&views[*row])).collect();
        let mut x = Vec::with_capacity(entered.len() * block.cell.input());
        for View { frame, steps, sounding, .. } in entered.iter().map(|row| views[*row]) {
            let read = frame.before_bar(frame.blocks[step].0, steps, sounding);
            block.read(&read, &frame.places[step][OF_BAR], &mut x);
        }
        let Rows { bar, scratch, .. } = rows;
        block.enter(&entered, &x, bar, scratch)
    }

    /// The same for beats.
    pub(super) fn enter_beats(&self, views: &[View<'_>], step: usize, rows: &mut Rows) -> Vec<(usize, Vec<f32>)> {
        let Some(block) = &self.beat else { return Vec::new() };
        let begins = |view: &View<'_>| view.frame.beats[view.frame.blocks[step].1].start == step;
        let entered: Vec<usize> = (0..views.len()).filter(|row| begins(&views[*row])).collect();
        let mut x = Vec::with_capacity(entered.len() * block.cell.input());
        for row in &entered {
            let View { frame, steps, sounding, classes, .. } = views[*row];
            let (bar, beat) = frame.blocks[step];
            let read = frame.before_beat(beat, steps, sounding);
            block.read(&read, &[frame.beat_places[beat].1], &mut x);
            self.tell_bar(*row, bar, classes[0], rows, &mut x);
        }
        let Rows { beat, scratch, .. } = rows;
        block.enter(&entered, &x, beat, scratch)
    }

    fn tell_bar(&self, row: usize, bar: usize, classes: &[u32], rows: &Rows, x: &mut Vec<f32>) {
        x.extend_from_slice(rows.bar.row(row));
        if let Some(told) = self.bar.as_ref().and_then(|block| block.told.as_ref()) {
            x.extend_from_slice(told.row(classes[bar]));
        }
    }

    /// The logits of the outcome of this step in each row, once bars and beats are entered.
    ///
    /// # Shapes
    /// `[n, 90]`
    pub(super) fn step(&self, views: &[View<'_>], step: usize, rows: &mut Rows) -> Vec<f32> {
        let embedding = self.settings.embedding;
        let mut above = Vec::new();
        let mut x = Vec::with_capacity(views.len() * self.step.input());
        for (row, view) in views.iter().enumerate() {
            let before = step.checked_sub(1).map_or(BEGINNING, |before| view.steps[before].into());
            let start = x.len();
            x.extend_from_slice(self.outcome.row(before));
            let sum = &mut x[start..start + embedding];
            let mut add = |of: &[f32]| sum.iter_mut().zip(of).for_each(|(sum, x)| *sum += x);
            add(self.sounding.row(view.sounding[step].into()));
            self.places.iter().zip(view.frame.places[step]).for_each(|(table, place)| add(table.row(place)));
            let looks = view.looking.read(view.frame, view.steps, step);
            self.looks.iter().zip(looks).for_each(|(table, (stood, _))| add(table.row(stood)));
            self.agreed.iter().zip(looks).for_each(|(table, (_, agreed))| add(table.row(agreed)));
            let (bar, beat) = view.frame.blocks[step];
            let mut told = Vec::new();
            self.tell_bar(row, bar, view.classes[0], rows, &mut told);
            told.extend_from_slice(rows.beat.row(row));
            if let Some(table) = self.beat.as_ref().and_then(|block| block.told.as_ref()) {
                told.extend_from_slice(table.row(view.classes[1][beat]));
            }
            x.extend_from_slice(&told);
            above.push(told);
        }
        let all: Vec<usize> = (0..views.len()).collect();
        let Rows { step: held, scratch, .. } = rows;
        held.advance(&self.step, &all, &x, scratch);
        let mut last = Vec::with_capacity(views.len() * self.output.input());
        for (row, told) in above.iter().enumerate() {
            last.extend_from_slice(held.row(row));
            last.extend_from_slice(told);
        }
        let mut logits = vec![0.0; views.len() * OUTCOMES];
        self.output.forward(&last, &mut logits);
        if let Some(copies) = &self.copies {
            for (view, logits) in views.iter().zip(logits.chunks_exact_mut(OUTCOMES)) {
                for (k, (stood, agreed)) in view.looking.read(view.frame, view.steps, step).into_iter().enumerate() {
                    if let Some(logit) = logits.get_mut(stood as usize) {
                        *logit += copies[k * AGREED + agreed as usize];
                    }
                }
            }
        }
        logits
    }

    /// Tunes step by step, each as if it were alone.
    pub(super) fn judge(&self, tunes: &[Tune]) -> Vec<Vec<Judged>> {
        let mut order: Vec<usize> = (0..tunes.len()).collect();
        order.sort_by_key(|tune| std::cmp::Reverse(tunes[*tune].steps.len()));
        let mut judged: Vec<Vec<Judged>> = vec![Vec::new(); tunes.len()];
        for group in order.chunks(TOGETHER) {
            let mut rows = self.rows(group.len());
            let mut looking = vec![Looking::default(); group.len()];
            for step in 0..tunes[group[0]].steps.len() {
                let active = group.partition_point(|tune| tunes[*tune].steps.len() > step);
                rows.truncate(active);
                let views: Vec<View<'_>> = group[..active]
                    .iter()
                    .zip(&looking)
                    .map(|(tune, looking)| Model::view(&tunes[*tune], looking))
                    .collect();
                let mut nats = vec![0.0; active];
                for (row, logits) in self.enter_bars(&views, step, &mut rows) {
                    let tune = &tunes[group[row]];
                    nats[row] += decided(&logits, tune.classes[0][tune.frame.blocks[step].0]);
                }
                for (row, logits) in self.enter_beats(&views, step, &mut rows) {
                    let tune = &tunes[group[row]];
                    nats[row] += decided(&logits, tune.classes[1][tune.frame.blocks[step].1]);
                }
                let logits = self.step(&views, step, &mut rows);
                for (row, logits) in logits.chunks_exact(OUTCOMES).enumerate() {
                    let tune = &tunes[group[row]];
                    let (own, is_right) = said(logits, usize::from(tune.steps[step]));
                    judged[group[row]].push(Judged { nats: nats[row] + own, is_right });
                    looking[row].push(&tune.frame, &tune.steps, step);
                }
            }
        }
        judged
    }

    fn view<'a>(tune: &'a Tune, looking: &'a Looking) -> View<'a> {
        View {
            frame: &tune.frame,
            steps: &tune.steps,
            sounding: &tune.sounding,
            looking,
            classes: [&tune.classes[0], &tune.classes[1]],
        }
    }
}

/// The nats of a class of rhythm; none where none is decided.
fn decided(logits: &[f32], class: u32) -> f64 {
    if logits.is_empty() { 0.0 } else { said(logits, class as usize).0 }
}

impl Block {
    fn read(&self, content: &[u32], places: &[u32], x: &mut Vec<f32>) {
        content.iter().for_each(|part| x.extend_from_slice(self.slots.row(*part)));
        let start = x.len();
        x.resize(start + self.places.first().map_or(0, Lookup::width), 0.0);
        for (table, place) in self.places.iter().zip(places) {
            x[start..].iter_mut().zip(table.row(*place)).for_each(|(sum, x)| *sum += x);
        }
    }

    /// Moves some rows on; of each the logits of its class of rhythm, none where none is decided.
    fn enter(&self, entered: &[usize], x: &[f32], held: &mut Held, scratch: &mut Scratch) -> Vec<(usize, Vec<f32>)> {
        if entered.is_empty() {
            return Vec::new();
        }
        held.advance(&self.cell, entered, x, scratch);
        let logits = |row: &usize| {
            let mut logits = vec![0.0; self.head.as_ref().map_or(0, Dense::output)];
            if let Some(head) = &self.head {
                head.forward(held.row(*row), &mut logits);
            }
            (*row, logits)
        };
        entered.iter().map(logits).collect()
    }
}
