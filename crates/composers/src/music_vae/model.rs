//! A trained network: codes of sections, and melodies written step by step, several rows at once.

use super::SPEC;
use super::network::{read, told, wide};
use super::paths::Paths;
use super::settings::Settings;
use super::tune::{HEARD, Heard, PLACES, SLOTS};
use cantus_encoding::melody_steps::OUTCOMES;
use cantus_model::latent::Code;
use cantus_model::melodies::{BEGINNING, Melodies, READ};
use cantus_model::{CheckedSettings, Habits, ModelError, ModelFile, checkpoint, layers};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::TicksPerQuarter;

/// Sections that are heard together.
const TOGETHER: usize = 256;

/// Nats of each number of a code, and how many say something: of the validation pieces, when the training was over.
pub(super) const CODE_NATS: &str = "code.nats";
pub(super) const CODE_ACTIVE: &str = "code.active";

/// A trained network.
#[derive(Debug)]
pub(super) struct Model {
    pub settings: Settings,
    pub stored: Melodies,
    pub grid: TicksPerQuarter,
    pub habits: Option<Habits>,
    /// Number of parameters.
    pub parameters: usize,
    /// Nats of each number of a code, and how many of them say something, where that is known.
    pub used: Option<(Vec<f32>, usize)>,
    /// Which codes follow which, where that is learnt.
    pub paths: Option<Paths>,
    encoder: Option<Encoder>,
    outcome: Lookup,
    places: Vec<Lookup>,
    sounding: Lookup,
    cells: Vec<LstmCell>,
    output: Dense,
}

#[derive(Debug)]
struct Encoder {
    outcome: Lookup,
    places: Vec<Lookup>,
    ahead: LstmCell,
    back: LstmCell,
    slot: Dense,
    mean: Dense,
    log_variance: Dense,
    wide: Dense,
    laid: Dense,
}

/// A step that is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead<'a> {
    /// What stands before it.
    pub before: u32,
    /// Each of [`PLACES`].
    pub places: [u32; PLACES.len()],
    /// What sounds.
    pub sounding: u8,
    /// The code of its section, and what that says of its part of it.
    pub code: &'a [f32],
    pub laid: &'a [f32],
}

/// What the decoder holds of melodies that go forward together, a row for each.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Outputs and cells of each layer, `[n, H]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    x: Vec<f32>,
    last: Vec<f32>,
    logits: Vec<f32>,
    scratch: Scratch,
}

impl Rows {
    /// Rows of these numbers in the place of these: each number may come several times, or not at all.
    pub(super) fn choose(&mut self, rows: &[usize]) {
        for values in self.layers.iter_mut().flat_map(|(h, c)| [h, c]) {
            let width = values.len() / (self.logits.len() / OUTCOMES).max(1);
            *values = rows.iter().flat_map(|row| values[row * width..(row + 1) * width].iter().copied()).collect();
        }
        self.logits.resize(rows.len() * OUTCOMES, 0.0);
    }

    /// The first rows alone.
    pub(super) fn truncate(&mut self, rows: usize) {
        if rows * OUTCOMES < self.logits.len() {
            self.choose(&(0..rows).collect::<Vec<usize>>());
        }
    }
}

impl Model {
    pub(super) fn load(file: &ModelFile) -> Result<Model, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let stored = Melodies::read(&file.header, SPEC.encoding)?;
        let grid = stored.steps()?;
        let Settings { embedding, hidden, layers, heard, laid, code, .. } = settings;
        let table = |name: &str, rows: usize| {
            let values = file.tensor(&format!("{name}.table"), &[rows, embedding])?.to_vec();
            Ok::<_, ModelError>(Lookup::new(embedding, values))
        };
        let tables = |name: &str, sizes: &[usize]| {
            let table = |(k, size): (usize, &usize)| table(&format!("{name}.{k}"), *size);
            sizes.iter().enumerate().map(table).collect::<Result<Vec<Lookup>, ModelError>>()
        };
        let dense = |name: &str, sizes| layers::dense(file, &format!("encoder.{name}"), sizes, Dense::new);
        let encoder = match code {
            0 => None,
            _ => Some(Encoder {
                outcome: table("encoder.outcome", OUTCOMES)?,
                places: tables("encoder.places", &PLACES[..HEARD])?,
                ahead: layers::cell(file, "encoder.ahead", (embedding, heard), LstmCell::new)?,
                back: layers::cell(file, "encoder.back", (embedding, heard), LstmCell::new)?,
                slot: dense("slot", (2 * heard, laid))?.with_relu(),
                mean: dense("mean", (SLOTS * laid, code))?,
                log_variance: dense("log_variance", (SLOTS * laid, code))?,
                wide: dense("wide", (code, wide(&settings)))?.with_relu(),
                laid: dense("laid", (wide(&settings), SLOTS * laid))?,
            }),
        };
        let cell = |layer: usize| {
            let input = if layer == 0 { read(&settings) } else { hidden };
            layers::cell(file, &format!("lstms.{layer}"), (input, hidden), LstmCell::new)
        };
        Ok(Model {
            paths: Paths::load(file, &settings)?,
            used: match file.tensors.contains_key(CODE_NATS) || file.tensors.contains_key(CODE_ACTIVE) {
                true => Some((file.tensor(CODE_NATS, &[code])?.to_vec(), file.tensor(CODE_ACTIVE, &[1])?[0] as usize)),
                false => None,
            },
            encoder,
            outcome: table("outcome", READ)?,
            places: tables("places", &PLACES)?,
            sounding: table("sounding", OUTCOMES)?,
            cells: (0..layers).map(cell).collect::<Result<_, _>>()?,
            output: layers::dense(file, "output", (hidden + told(&settings), OUTCOMES), Dense::new)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            grid,
            stored,
            settings,
        })
    }

    /// The codes of sections, each as if it were alone; empty ones without an encoder.
    pub(super) fn encode(&self, sections: &[Heard]) -> Vec<Code> {
        match &self.encoder {
            Some(encoder) => sections.chunks(TOGETHER).flat_map(|some| encoder.hear(some, &self.settings)).collect(),
            None => sections.iter().map(|_| Code::default()).collect(),
        }
    }

    /// What codes say of each part of their sections.
    ///
    /// # Shapes
    /// `codes`: `[n, C]` -> `[n, SLOTS, laid]`
    pub(super) fn lay(&self, codes: &[f32]) -> Vec<f32> {
        let Some(encoder) = &self.encoder else { return Vec::new() };
        let rows = codes.len() / self.settings.code;
        let mut wide = vec![0.0; rows * encoder.wide.output()];
        encoder.wide.forward(codes, &mut wide);
        let mut laid = vec![0.0; rows * encoder.laid.output()];
        encoder.laid.forward(&wide, &mut laid);
        laid
    }

    /// Of what [`lay`](Self::lay) gave, that of a part of a section.
    pub(super) fn part<'l>(&self, laid: &'l [f32], section: usize, slot: usize) -> &'l [f32] {
        let width = told(&self.settings);
        &laid[(section * SLOTS + slot) * width..][..width]
    }

    /// The decoder before the beginning of so many melodies.
    pub(super) fn rows(&self, rows: usize) -> Rows {
        let zeros = |cell: &LstmCell| (vec![0.0; rows * cell.hidden()], vec![0.0; rows * cell.hidden()]);
        Rows {
            layers: self.cells.iter().map(zeros).collect(),
            x: Vec::new(),
            last: Vec::new(),
            logits: vec![0.0; rows * OUTCOMES],
            scratch: Scratch::new(),
        }
    }

    /// The logits of the next step of each row.
    ///
    /// # Shapes
    /// `[n, 90]`
    pub(super) fn step<'r>(&self, ahead: &[Ahead<'_>], rows: &'r mut Rows) -> &'r mut [f32] {
        let Settings { embedding, hidden, .. } = self.settings;
        rows.x.clear();
        for step in ahead {
            let start = rows.x.len();
            rows.x.extend_from_slice(self.outcome.row(step.before.min(BEGINNING)));
            let sum = &mut rows.x[start..start + embedding];
            let mut add = |row: &[f32]| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            self.places.iter().zip(step.places).for_each(|(table, place)| add(table.row(place)));
            add(self.sounding.row(step.sounding.into()));
            rows.x.extend_from_slice(step.laid);
            rows.x.extend_from_slice(step.code);
        }
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = rows.layers.split_at_mut(k);
            let x = below.last().map_or(&rows.x, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, &mut rows.scratch);
        }
        let (h, _) = rows.layers.last().expect("there is a layer at least");
        rows.last.clear();
        for (h, step) in h.chunks_exact(hidden).zip(ahead) {
            rows.last.extend_from_slice(h);
            rows.last.extend_from_slice(step.laid);
        }
        self.output.forward(&rows.last, &mut rows.logits);
        &mut rows.logits
    }
}

impl Encoder {
    fn hear(&self, sections: &[Heard], settings: &Settings) -> Vec<Code> {
        let rows = sections.len();
        let steps = sections.iter().map(|section| section.steps.len()).max().unwrap_or(0);
        let (heard, laid, code) = (settings.heard, settings.laid, settings.code);
        let width = 2 * heard;
        let mut both = vec![0.0; rows * SLOTS * width];
        let mut scratch = Scratch::new();
        for (cell, backward) in [(&self.ahead, false), (&self.back, true)] {
            let (mut h, mut c) = (vec![0.0; rows * heard], vec![0.0; rows * heard]);
            let mut x = vec![0.0; rows * settings.embedding];
            for t in 0..steps {
                for (section, x) in sections.iter().zip(x.chunks_exact_mut(settings.embedding)) {
                    let count = section.steps.len();
                    if t < count {
                        let from = if backward { count - 1 - t } else { t };
                        x.copy_from_slice(self.outcome.row(section.steps[from].into()));
                        for (table, place) in self.places.iter().zip(section.places[from]) {
                            x.iter_mut().zip(table.row(place)).for_each(|(sum, x)| *sum += x);
                        }
                    }
                }
                cell.step(&x, &mut h, &mut c, &mut scratch);
                for (n, section) in sections.iter().enumerate() {
                    for (slot, range) in section.slots.iter().enumerate() {
                        let at = if backward { section.steps.len() - 1 - range.start } else { range.end - 1 };
                        if at == t {
                            let to = (n * SLOTS + slot) * width + if backward { heard } else { 0 };
                            both[to..to + heard].copy_from_slice(&h[n * heard..(n + 1) * heard]);
                        }
                    }
                }
            }
        }
        let mut slots = vec![0.0; rows * SLOTS * laid];
        self.slot.forward(&both, &mut slots);
        for (n, section) in sections.iter().enumerate() {
            slots[(n * SLOTS + section.slots.len()) * laid..(n + 1) * SLOTS * laid].fill(0.0);
        }
        let (mut mean, mut log_variance) = (vec![0.0; rows * code], vec![0.0; rows * code]);
        self.mean.forward(&slots, &mut mean);
        self.log_variance.forward(&slots, &mut log_variance);
        let code =
            |(mean, log_variance): (&[f32], &[f32])| Code { mean: mean.to_vec(), log_variance: log_variance.to_vec() };
        mean.chunks_exact(code_width(settings)).zip(log_variance.chunks_exact(code_width(settings))).map(code).collect()
    }
}

fn code_width(settings: &Settings) -> usize {
    settings.code.max(1)
}
