//! The network: an autoencoder of bags, and an LSTM over the points of past units that says what the next one is like.

use super::course::{RELATED, Recalled, Relation, recall, relate};
use super::joins::Joins;
use super::library::Library;
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use cantus_encoding::bar_bags::WIDTH;
use cantus_model::Rng;
use cantus_model::learner::Recurrent;
use cantus_model::plan::Row;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::{Embedding, rows};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::random::below;
use std::collections::HashMap;

/// A bag has length 1; what the network reads is so many times as large.
pub(super) const SCALE: f32 = 16.0;
/// Places of a piece that are told apart, counted from its beginning and from its end.
pub(super) const PLACES: [usize; 2] = [33, 9];
/// Numbers for where a unit stands.
pub(super) const PLACE: usize = 16;
/// What makes a candidate impossible.
const NEVER: f32 = -1e9;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    encode: Vec<Linear>,
    decode: Vec<Linear>,
    places: Vec<Embedding>,
    lstms: Vec<Lstm>,
    /// What the next point is like, and how much each number of a relation counts.
    output: Linear,
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The run's.
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

/// Numbers that the LSTM reads.
pub(super) fn input(settings: &Settings) -> usize {
    settings.embedding + RELATED + PLACE
}

/// Where a unit stands of so many: its place, and how many follow it.
pub(super) fn places(at: usize, of: usize) -> [u32; 2] {
    [at.min(PLACES[0] - 1) as u32, (of - 1 - at).min(PLACES[1] - 1) as u32]
}

/// A batch. What the LSTM reads is time-major, entry `t * rows + b`; what is asked is of the entries that are no padding.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// The units at hand: those of the tunes, and candidates that were drawn.
    units: Vec<u32>,
    /// Of each entry the unit before, its relation to its own past, and where the unit that is asked for stands.
    last: Vec<u32>,
    related: Vec<f32>,
    places: [Vec<u32>; 2],
    /// The entries that are asked, and the unit that is right for each.
    asked: Vec<u32>,
    targets: Vec<u32>,
    /// `[asked, RELATED, units]`
    relations: Vec<f32>,
    /// `[asked, units]`: 0, or [`NEVER`] for what is no candidate: units of other bars.
    barred: Vec<f32>,
    /// Quarter notes that are asked for.
    pub quarters: f64,
}

/// A tune in a batch: its units' numbers among those at hand, and of each what it recalls of its past.
struct Heard {
    units: Vec<usize>,
    recalled: Vec<Recalled>,
}

impl Batch {
    /// Gathers rows of a library's tunes, and draws candidates.
    pub(super) fn gather(
        library: &Library,
        joins: &Joins,
        rows: &[Option<&Row>],
        candidates: usize,
        rng: &mut Rng,
    ) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let size = steps * rows.len();
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            last: vec![0; size],
            related: vec![0.0; size * RELATED],
            places: [vec![0; size], vec![0; size]],
            ..Batch::default()
        };
        let mut numbers: HashMap<u32, usize> = HashMap::new();
        let mut number = |units: &mut Vec<u32>, unit: u32| {
            *numbers.entry(unit).or_insert_with(|| {
                units.push(unit);
                units.len() - 1
            })
        };
        let mut heard: Vec<Option<Heard>> = Vec::with_capacity(rows.len());
        let mut shapes: HashMap<u32, usize> = HashMap::new();
        for row in rows {
            let own = row.map(|row| &library.of_tunes[row.segment.piece][..=row.segment.tokens.end]);
            for unit in own.into_iter().zip(row).flat_map(|(own, row)| &own[row.segment.tokens.start + 1..]) {
                let first = library.alike(&library.units[*unit as usize].bars)[0];
                *shapes.entry(first).or_default() += 1;
            }
            heard.push(own.map(|own| Heard {
                units: own.iter().map(|unit| number(&mut batch.units, *unit)).collect(),
                recalled: Vec::new(),
            }));
        }
        // As many of each shape as are asked for, in their shares; in an order that no hash decides.
        let asked: usize = shapes.values().sum();
        let mut shapes: Vec<(u32, usize)> = shapes.into_iter().collect();
        shapes.sort_unstable();
        for (first, count) in shapes {
            let alike = library.alike(&library.units[first as usize].bars);
            let quota = (candidates * count).div_ceil(asked).min(alike.len());
            for k in 0..quota {
                let unit = if quota == alike.len() { alike[k] } else { alike[below(rng, alike.len())] };
                number(&mut batch.units, unit);
            }
        }
        batch.relate(library, joins, rows, &mut heard);
        batch
    }

    /// How all candidates are related to all pasts.
    fn relate(&mut self, library: &Library, joins: &Joins, rows: &[Option<&Row>], heard: &mut [Option<Heard>]) {
        let units: Vec<_> = self.units.iter().map(|unit| &library.units[*unit as usize]).collect();
        // The likeness of what was heard to all.
        let mut likeness: Vec<Vec<f32>> = vec![Vec::new(); units.len()];
        let mut row = vec![0.0; WIDTH];
        for own in heard.iter().flatten().flat_map(|heard| &heard.units) {
            if likeness[*own].is_empty() {
                row.fill(0.0);
                units[*own].bag.add_to(&mut row);
                likeness[*own] = units.iter().map(|unit| unit.bag.product(&row)).collect();
            }
        }
        for heard in heard.iter_mut().flatten() {
            let own = &heard.units;
            heard.recalled =
                (0..own.len()).map(|past| recall(past, |last, earlier| likeness[own[last]][own[earlier]])).collect();
        }
        for (b, (row, heard)) in rows.iter().zip(heard.iter()).enumerate() {
            let (Some(row), Some(heard)) = (row, heard) else { continue };
            let own = &heard.units;
            let whole = library.of_tunes[row.segment.piece].len();
            let relation = |past: usize, candidate: usize, is_counted: bool| -> Relation {
                let said =
                    past.checked_sub(1).map(|last| joins.say(units[own[last]].join, units[candidate].join, is_counted));
                relate(past, heard.recalled[past], said.unwrap_or_default(), |at| likeness[own[at]][candidate])
            };
            for (t, last) in row.segment.tokens.clone().enumerate() {
                let (entry, next) = (t * self.rows + b, last + 1);
                self.last[entry] = own[last] as u32;
                self.related[entry * RELATED..][..RELATED].copy_from_slice(&relation(last, own[last], true));
                self.places.iter_mut().zip(places(next, whole)).for_each(|(list, place)| list[entry] = place);
                let target = own[next];
                self.asked.push(entry as u32);
                self.targets.push(target as u32);
                let start = self.relations.len();
                self.relations.resize(start + RELATED * units.len(), 0.0);
                for candidate in 0..units.len() {
                    let is_candidate = units[candidate].bars == units[target].bars;
                    self.barred.push(if is_candidate { 0.0 } else { NEVER });
                    if is_candidate {
                        for (k, x) in relation(next, candidate, candidate == target).into_iter().enumerate() {
                            self.relations[start + k * units.len() + candidate] = x;
                        }
                    }
                }
                let steps: usize = units[target].bars.iter().map(|bar| usize::from(bar.steps)).sum();
                self.quarters += steps as f64 / f64::from(library.tunes[row.segment.piece].melody.grid.get());
            }
        }
    }
}

impl Network {
    pub(super) fn new(settings: &Settings, rng: &mut Rng, device: &Device) -> Network {
        let Settings { coder, embedding, hidden, precision, .. } = *settings;
        Network {
            encode: vec![Linear::new(WIDTH, coder, rng, device), Linear::new(coder, embedding, rng, device)],
            decode: vec![Linear::new(embedding, coder, rng, device), Linear::new(coder, WIDTH, rng, device)],
            places: PLACES.map(|size| Embedding::with_deviation(size, PLACE, 0.2, rng, device)).into(),
            lstms: vec![Lstm::new(input(settings), hidden, rng, device).with_precision(precision)],
            output: Linear::new(hidden, embedding + RELATED, rng, device),
        }
    }

    /// The loss of a batch, nats a unit with the price of reconstruction, and what was found; the states move on.
    pub(super) fn loss(
        &self,
        settings: &Settings,
        library: &Library,
        batch: &Batch,
        states: &mut [LstmState],
        masks: Masks,
    ) -> (Tensor<1>, Figures) {
        let device = self.output.weight.device();
        let key = |layer: u64| Some(MaskKey { seed: masks.seed, step: masks.step, layer });
        let tensor =
            |values: Vec<f32>, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
        let (units, asked, size) = (batch.units.len(), batch.asked.len(), batch.last.len());
        let embedding = settings.embedding;
        let mut bags = vec![0.0; units * WIDTH];
        for (unit, row) in batch.units.iter().zip(bags.chunks_exact_mut(WIDTH)) {
            library.units[*unit as usize].bag.add_to(row);
        }
        let bags = tensor(bags, [units, WIDTH]) * SCALE;
        let points =
            self.encode[1].forward(relu(self.encode[0].forward(dropout(bags.clone(), settings.input_dropout, key(0)))));
        let again = self.decode[1].forward(relu(self.decode[0].forward(points.clone())));
        let wrong = (again - bags).powi_scalar(2).sum() * (1.0 / (SCALE * SCALE * units as f32));
        let place = self.places[0].forward(&batch.places[0]) + self.places[1].forward(&batch.places[1]);
        let read = vec![rows(points.clone(), &batch.last), tensor(batch.related.clone(), [size, RELATED]), place];
        let x = dropout(Tensor::cat(read, 1), settings.input_dropout, key(1));
        let (h, last) = self.lstms[0].forward(x.reshape([batch.steps, batch.rows, input(settings)]), &states[0]);
        states[0] = last;
        let h = dropout(h.reshape([size, settings.hidden]), settings.dropout, key(2));
        let expected = self.output.forward(rows(h, &batch.asked));
        let near = expected.clone().slice([0..asked, 0..embedding]).matmul(points.transpose());
        let weights = expected.slice([0..asked, embedding..embedding + RELATED]).reshape([asked, 1, RELATED]);
        let relations = TensorData::new(batch.relations.clone(), [asked, RELATED, units]);
        let related = weights.matmul(Tensor::<3>::from_data(relations, &device)).reshape([asked, units]);
        let barred = tensor(batch.barred.clone(), [asked, units]);
        let logits = near * (1.0 / (embedding as f32).sqrt()) + related + barred;
        let (mean, figures) = cross_entropy(logits, &batch.targets, &vec![1.0; asked]);
        (mean + wrong * settings.reconstruction as f32, figures)
    }
}
