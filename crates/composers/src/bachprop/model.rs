//! A trained network: judging, and deciding note by note, several pieces at once.

use super::network::{classes, known, read};
use super::pieces::{BEGUN, PLACES, Piece, Place, beginning, forbid_pitch, forbid_time, numbers};
use super::settings::Settings;
use super::{DECISIONS, SPEC};
use cantus_encoding::note_triple::{GRID, Triple, Vocabulary};
use cantus_model::{
    CheckedSettings, Evaluation, Habits, Judgement, ModelError, ModelFile, Moment, checkpoint, layers, said,
};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::{Score, Ticks};

/// Pieces that are judged side by side.
const TOGETHER: usize = 32;
/// Nats a note of each decision, of the validation pieces.
pub(super) const NATS: &str = "nats";

/// A trained network.
#[derive(Debug)]
pub(super) struct Model {
    pub settings: Settings,
    pub vocabulary: Vocabulary,
    pub habits: Option<Habits>,
    /// Number of parameters.
    pub parameters: usize,
    /// Nats a note of each decision, where these are known.
    pub nats: Option<Vec<f32>>,
    read: Vec<Lookup>,
    places: Vec<Lookup>,
    cells: Vec<LstmCell>,
    heads: Vec<Head>,
}

#[derive(Debug)]
struct Head {
    features: Dense,
    known: Vec<Lookup>,
    output: Dense,
}

/// What the layers hold of pieces that go forward together, a row for each.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Outputs and cells of each layer, `[n, H]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    /// What each row reads, `[n, E]`.
    note: Vec<f32>,
    input: Vec<f32>,
    scratch: Scratch,
    count: usize,
}

impl Rows {
    /// Copies of a single row.
    pub(super) fn copies(&self, rows: usize) -> Rows {
        let mut copies = self.clone();
        for values in copies.layers.iter_mut().flat_map(|(h, c)| [h, c]) {
            *values = values.repeat(rows);
        }
        copies.count = rows;
        copies
    }

    /// The first rows alone.
    pub(super) fn truncate(&mut self, rows: usize) {
        let now = self.count;
        for values in self.layers.iter_mut().flat_map(|(h, c)| [h, c]) {
            let width = values.len() / now.max(1);
            values.truncate(rows * width);
        }
        self.count = rows;
    }

    /// Takes a row away, and puts the last one in its place.
    pub(super) fn swap_remove(&mut self, row: usize) {
        let last = self.count - 1;
        for values in self.layers.iter_mut().flat_map(|(h, c)| [h, c]) {
            let width = values.len() / (last + 1);
            values.copy_within(last * width.., row * width);
        }
        self.truncate(last);
    }
}

impl Model {
    pub(super) fn load(file: &ModelFile) -> Result<Model, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let vocabulary = vocabulary(file)?;
        let Settings { embedding, hidden, layers, units, .. } = settings;
        let table = |name: String, rows: usize, width: usize| {
            Ok::<_, ModelError>(Lookup::new(width, file.tensor(&format!("{name}.table"), &[rows, width])?.to_vec()))
        };
        let cell = |layer: usize| {
            layers::cell(file, &format!("lstms.{layer}"), (settings.input(layer), hidden), LstmCell::new)
        };
        let head = |decision: usize| {
            let name = format!("heads.{decision}");
            let features = hidden * settings.hears(decision);
            let sizes = known(&settings, &vocabulary, decision);
            let known = sizes.iter().enumerate().map(|(k, size)| table(format!("{name}.known.{k}"), *size, units));
            Ok::<_, ModelError>(Head {
                features: layers::dense(file, &format!("{name}.features"), (features, units), Dense::new)?,
                known: known.collect::<Result<_, _>>()?,
                output: layers::dense(
                    file,
                    &format!("{name}.output"),
                    (units, classes(&vocabulary, decision)),
                    Dense::new,
                )?,
            })
        };
        let places = PLACES.iter().enumerate().filter(|_| settings.clock);
        Ok(Model {
            nats: match file.tensors.contains_key(NATS) {
                true => Some(file.tensor(NATS, &[DECISIONS.len()])?.to_vec()),
                false => None,
            },
            read: (0..3)
                .map(|decision| table(format!("read.{decision}"), read(&vocabulary, decision), embedding))
                .collect::<Result<_, _>>()?,
            places: places.map(|(k, size)| table(format!("places.{k}"), *size, embedding)).collect::<Result<_, _>>()?,
            cells: (0..layers).map(cell).collect::<Result<_, _>>()?,
            heads: (0..3).map(head).collect::<Result<_, _>>()?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            vocabulary,
            settings,
        })
    }

    /// The layers before the beginning of so many pieces.
    pub(super) fn rows(&self, rows: usize) -> Rows {
        let zeros = |cell: &LstmCell| (vec![0.0; rows * cell.hidden()], vec![0.0; rows * cell.hidden()]);
        Rows {
            layers: self.cells.iter().map(zeros).collect(),
            note: Vec::new(),
            input: Vec::new(),
            scratch: Scratch::new(),
            count: rows,
        }
    }

    /// Reads the last note of each row, and where it begins; before the first `None`, and where the piece begins.
    pub(super) fn step(&self, last: &[(Option<Triple>, Place)], rows: &mut Rows) {
        let Settings { embedding, hidden, .. } = self.settings;
        let beginning = beginning(&self.vocabulary);
        rows.note.clear();
        rows.note.resize(last.len() * embedding, 0.0);
        for ((note, place), sum) in last.iter().zip(rows.note.chunks_exact_mut(embedding)) {
            let read = note.map_or(beginning, numbers);
            for (table, index) in self.read.iter().zip(read).chain(self.places.iter().zip(*place)) {
                sum.iter_mut().zip(table.row(index)).for_each(|(sum, x)| *sum += x);
            }
        }
        for (layer, cell) in self.cells.iter().enumerate() {
            let (below, here) = rows.layers.split_at_mut(layer);
            let below = below.last().map_or((&rows.note, embedding), |(h, _)| (h, hidden));
            let x = if self.settings.reads_note(layer) {
                rows.input.clear();
                for (below, note) in below.0.chunks_exact(below.1).zip(rows.note.chunks_exact(embedding)) {
                    rows.input.extend_from_slice(below);
                    rows.input.extend_from_slice(note);
                }
                &rows.input
            } else {
                below.0
            };
            let (h, c) = &mut here[0];
            cell.step(x, h, c, &mut rows.scratch);
        }
    }

    /// The logits of a decision about the next note of a row, given those before it, and where the note begins.
    pub(super) fn decide(&self, decision: usize, decided: &[u32], begun: &Place, row: usize, rows: &Rows) -> Vec<f32> {
        let (head, hidden) = (&self.heads[decision], self.settings.hidden);
        let mut heard = Vec::with_capacity(hidden * self.settings.hears(decision));
        for (h, _) in &rows.layers[..self.settings.hears(decision)] {
            heard.extend_from_slice(&h[row * hidden..][..hidden]);
        }
        let mut units = vec![0.0; head.features.output()];
        head.features.forward(&heard, &mut units);
        for (table, index) in head.known.iter().zip(decided.iter().chain(&begun[..BEGUN])) {
            units.iter_mut().zip(table.row(*index)).for_each(|(sum, x)| *sum += x);
        }
        units.iter_mut().for_each(|x| *x = x.max(0.0));
        let mut logits = vec![0.0; head.output.output()];
        head.output.forward(&units, &mut logits);
        logits
    }

    /// Pieces note by note, the end last, each as if it were alone.
    pub(super) fn judge(&self, pieces: &[Piece]) -> Vec<Vec<Judged>> {
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|piece| std::cmp::Reverse(pieces[*piece].decided()));
        let mut judged: Vec<Vec<Judged>> = vec![Vec::new(); pieces.len()];
        for group in order.chunks(TOGETHER) {
            let mut rows = self.rows(group.len());
            for k in 0..pieces[group[0]].decided() {
                let active = group.partition_point(|piece| pieces[*piece].decided() > k);
                rows.truncate(active);
                let last = |piece: &usize| {
                    let piece = &pieces[*piece];
                    (k.checked_sub(1).map(|before| piece.notes[before]), piece.places[k])
                };
                let last: Vec<(Option<Triple>, Place)> = group[..active].iter().map(last).collect();
                self.step(&last, &mut rows);
                for (row, piece) in group[..active].iter().enumerate() {
                    let next = pieces[*piece].notes.get(k).map(|note| (*note, pieces[*piece].places[k + 1]));
                    judged[*piece].push(self.judge_note(last[row].0, next, row, &rows));
                }
            }
        }
        judged
    }

    fn judge_note(&self, before: Option<Triple>, next: Option<(Triple, Place)>, row: usize, rows: &Rows) -> Judged {
        let mut judged = Judged { nats: [0.0; 3], right: 0, decisions: 1, is_end: next.is_none() };
        let mut add = |decision: usize, logits: &[f32], class: u32| {
            let (nats, is_right) = said(logits, class as usize);
            judged.nats[decision] = nats;
            judged.right += usize::from(is_right);
        };
        let mut logits = self.decide(0, &[], &Place::default(), row, rows);
        forbid_time(before, &mut logits);
        let Some((note, place)) = next else {
            add(0, &logits, self.vocabulary.waits().len() as u32);
            return judged;
        };
        let [wait, length, pitch] = numbers(note);
        add(0, &logits, wait);
        add(1, &self.decide(1, &[wait], &place, row, rows), length);
        let mut logits = self.decide(2, &[wait, length], &place, row, rows);
        forbid_pitch(before, note.wait, &mut logits);
        add(2, &logits, pitch);
        judged.decisions = 3;
        judged
    }

    /// A piece under the network.
    pub(super) fn judgement(&self, score: &Score) -> Judgement {
        let piece = Piece::of(score, &self.vocabulary);
        let judged = self.judge(std::slice::from_ref(&piece)).pop().unwrap_or_default();
        // The end stands with the last note.
        let at = |k: usize| Ticks(piece.onsets.get(k).or(piece.onsets.last()).copied().unwrap_or(0).into());
        let moment = |(k, judged): (usize, &Judged)| Moment {
            at: at(k).rescale(GRID, score.ticks_per_quarter),
            nats: judged.nats(),
        };
        let moments = judged.iter().enumerate().map(moment).collect();
        let mut figures = Evaluation { quarters: piece.quarters, ..Evaluation::default() };
        judged.iter().for_each(|judged| judged.add_to(&mut figures));
        Judgement { figures, moments, is_adjusted: piece.is_adjusted }
    }
}

/// The vocabulary that a model file keeps.
pub(super) fn vocabulary(file: &ModelFile) -> Result<Vocabulary, ModelError> {
    serde_json::from_value(file.header.encoding[SPEC.encoding].clone())
        .map_err(|error| ModelError::Metadata { problem: error.to_string() })
}

/// A note, or the end, that was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Of each decision.
    pub nats: [f64; 3],
    /// How many of its decisions were the likeliest, of how many.
    right: usize,
    decisions: usize,
    pub is_end: bool,
}

impl Judged {
    pub(super) fn nats(&self) -> f64 {
        self.nats.iter().sum()
    }

    /// Adds it to figures; a note whose three decisions were all the likeliest is right.
    pub(super) fn add_to(&self, figures: &mut Evaluation) {
        let nats = self.nats();
        figures.nats += nats;
        figures.tokens += 1.0;
        figures.correct += if self.right == self.decisions { 1.0 } else { 0.0 };
        if self.is_end {
            figures.beside = figures.beside.map(|sum| sum + nats);
        }
    }
}
