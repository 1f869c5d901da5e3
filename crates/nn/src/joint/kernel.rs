//! Training on plain slices: one pass forward and back over all places of a batch.
//!
//! Each decision of each set is a row. The absolute part's products run over all rows at once; everything else runs place by place, its
//! values in the cache. Places are taken in fixed chunks whose derivatives are summed in order, so that nothing depends on the number
//! of threads.

use super::pointer::{self, Derivatives, Offers};
use super::shared::{self, Heard};
use super::{JointShape, Noise, Place};
use crate::buffer::{Buffer, pieces};
use crate::logistic::CoinKey;
use crate::packed::PackedMatrix;
use crate::product::{column_sums, transposed_product};
use crate::simd::{Level, exp, per_level};
use rayon::prelude::*;

/// Places that one task takes.
const CHUNK: usize = 32;

/// What a batch came to, outside of the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Weighted sum of the sets' negative log-likelihoods, in nats.
    pub nats: f64,
    /// Sum of the weights.
    pub counted: f64,
    /// The weighted sum of the sets' accuracies: of each, members given by their decisions, over those and the ones given wrongly.
    pub accuracies: f64,
}

/// Parameters by name, or the derivatives by them; see [`super`] for what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    pub chosen: Vec<f32>,
    pub last: Vec<f32>,
    pub output: Vec<f32>,
    pub bias: Vec<f32>,
    pub past: Vec<f32>,
    pub chosen_below: Vec<f32>,
    pub last_below: Vec<f32>,
    pub motions: Vec<f32>,
    pub key: Vec<f32>,
    pub scores: Vec<f32>,
    pub penalties: Vec<f32>,
    pub gate: Vec<f32>,
    pub trust: Vec<f32>,
}

impl Parameters {
    fn all_mut(&mut self) -> [&mut Vec<f32>; 13] {
        let Parameters {
            chosen,
            last,
            output,
            bias,
            past,
            chosen_below,
            last_below,
            motions,
            key,
            scores,
            penalties,
            gate,
            trust,
        } = self;
        [chosen, last, output, bias, past, chosen_below, last_below, motions, key, scores, penalties, gate, trust]
    }

    /// As many zeros.
    fn zeros(&self) -> Parameters {
        let mut zeros = self.clone();
        zeros.all_mut().into_iter().for_each(|values| values.fill(0.0));
        zeros
    }

    pub(super) fn pointer(&self) -> pointer::Weights<'_> {
        let Parameters { scores, penalties, gate, trust, .. } = self;
        pointer::Weights { scores, penalties, gate, trust: trust.first().copied().unwrap_or_default() }
    }
}

/// What the features give to each place, or the derivatives by it.
///
/// # Shapes
/// `state`: `[N, H]`, `context`: `[N, 2C]`, `sentinel`: `[N]`
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub state: Vec<f32>,
    pub context: Vec<f32>,
    pub sentinel: Vec<f32>,
}

/// What is learnt from.
pub(super) struct Batch<'a> {
    pub places: &'a [Place<'a>],
    pub targets: &'a [u128],
    pub weights: &'a [f32],
    pub noise: Option<Noise>,
}

/// The members of a set, the highest first.
pub(super) fn descending(set: u128) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let key = (left != 0).then(|| 127 - left.leading_zeros() as usize)?;
        left &= !(1 << key);
        Some(key)
    })
}

/// Turns logits into probabilities, in place; minus infinity stays 0.
pub(crate) fn softmax(logits: &mut [f32]) {
    let level = Level::detect();
    per_level!(level, softmax_any(logits: &mut [f32]));
}

#[inline(always)]
fn softmax_any<const FMA: bool>(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // `exp` holds its argument above -87, which leaves 1e-38 of what is impossible: the smallest normal number, times V.
    logits.iter_mut().for_each(|z| *z = if *z > f32::NEG_INFINITY { exp::<FMA>(*z - most) } else { 0.0 });
    let total: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|p| *p /= total);
}

/// The derivatives of a chunk of places.
struct Chunk {
    figures: Figures,
    parameters: Parameters,
}

/// The figures, and the derivatives of their mean by inputs and parameters.
pub(super) fn train(
    shape: JointShape,
    inputs: &Inputs,
    parameters: &Parameters,
    batch: &Batch<'_>,
) -> (Figures, Inputs, Parameters) {
    let JointShape { keys, hidden, channels, .. } = shape;
    let (items, places) = (keys + 1, batch.places.len());
    let counted: f64 = batch.weights.iter().map(|w| f64::from(*w)).sum();
    let share = if counted > 0.0 { 1.0 / counted } else { 0.0 };
    // Rows of each place: one for each member and one for the end; none for padding.
    let rows_of = |n: usize| if batch.weights[n] > 0.0 { batch.targets[n].count_ones() as usize + 1 } else { 0 };
    let starts: Vec<usize> = (0..=places)
        .scan(0, |sum, n| Some(std::mem::replace(sum, *sum + if n < places { rows_of(n) } else { 0 })))
        .collect();
    let rows = starts[places];
    let chunks: Vec<std::ops::Range<usize>> =
        (0..places).step_by(CHUNK).map(|start| start..places.min(start + CHUNK)).collect();

    // Hidden units of the absolute part.
    let mut units = Buffer::unspecified(rows * hidden);
    split(&mut units, &chunks, &starts, hidden).into_par_iter().zip(&chunks).for_each(|(units, chunk)| {
        let mut at = 0;
        for n in chunk.clone().filter(|n| rows_of(*n) > 0) {
            let mut sum = inputs.state[n * hidden..][..hidden].to_vec();
            let keep = keep(batch.noise, n, hidden, 0);
            let mut last = keys;
            for key in descending(batch.targets[n]).map(Some).chain([None]) {
                let unit = &mut units[at..at + hidden];
                unit.copy_from_slice(&sum);
                shared::add(unit, &parameters.last[last * hidden..][..hidden], 1.0);
                unit.iter_mut().zip(&keep).for_each(|(u, keep)| *u = u.max(0.0) * keep);
                at += hidden;
                if let Some(key) = key {
                    shared::add(&mut sum, &parameters.chosen[key * hidden..][..hidden], 1.0);
                    last = key;
                }
            }
        }
    });
    let mut logits = Buffer::unspecified(rows * items);
    let packed = PackedMatrix::new(hidden, items, &parameters.output, 1, hidden);
    packed.multiply_parallel(rows, &units, hidden, &mut logits, items, false);

    // Everything else, place by place; logits become derivatives by them.
    let (mut to_context, mut to_sentinel) =
        (vec![0.0; inputs.context.len()], vec![0.0; inputs.sentinel.len().max(places)]);
    let decided: Vec<Chunk> = split(&mut logits, &chunks, &starts, items)
        .into_par_iter()
        .zip(&chunks)
        .zip(pieces(&mut to_context, &chunks, 2 * channels))
        .zip(pieces(&mut to_sentinel, &chunks, 1))
        .map(|(((logits, chunk), to_context), to_sentinel)| {
            let job = Job { shape, inputs, parameters, batch, share };
            job.run(chunk.clone(), logits, to_context, to_sentinel)
        })
        .collect();

    // Back through the absolute part.
    let mut to_units = Buffer::unspecified(rows * hidden);
    let packed = PackedMatrix::new(items, hidden, &parameters.output, hidden, 1);
    packed.multiply_parallel(rows, &logits, items, &mut to_units, hidden, false);
    let mut sums = parameters.zeros();
    transposed_product([rows, items, hidden], &logits, &units, &mut sums.output);
    column_sums(items, items, &logits, &mut sums.bias);
    let mut to_state = vec![0.0; places * hidden];
    let chosen: Vec<(Vec<f32>, Vec<f32>)> = split(&mut to_units, &chunks, &starts, hidden)
        .into_par_iter()
        .zip(&chunks)
        .zip(pieces(&mut to_state, &chunks, hidden))
        .map(|((to_units, chunk), to_state)| {
            let (mut to_chosen, mut to_last) = (vec![0.0; parameters.chosen.len()], vec![0.0; parameters.last.len()]);
            for n in chunk.clone().filter(|n| rows_of(*n) > 0) {
                let keep = keep(batch.noise, n, hidden, 0);
                let members: Vec<usize> = descending(batch.targets[n]).collect();
                let to_state = &mut to_state[(n - chunk.start) * hidden..][..hidden];
                for d in (0..=members.len()).rev() {
                    let row = starts[n] + d;
                    let to_unit = &mut to_units[(row - starts[chunk.start]) * hidden..][..hidden];
                    let unit = &units[row * hidden..][..hidden];
                    for ((g, u), keep) in to_unit.iter_mut().zip(unit).zip(&keep) {
                        *g = if *u > 0.0 { *g * keep } else { 0.0 };
                    }
                    shared::add(to_state, to_unit, 1.0);
                    let last = d.checked_sub(1).map_or(keys, |d| members[d]);
                    shared::add(&mut to_last[last * hidden..][..hidden], to_unit, 1.0);
                    if d > 0 {
                        // So far, the sum over the decisions that came after the choice.
                        shared::add(&mut to_chosen[last * hidden..][..hidden], to_state, 1.0);
                    }
                }
            }
            (to_chosen, to_last)
        })
        .collect();
    for (to_chosen, to_last) in chosen {
        shared::add(&mut sums.chosen, &to_chosen, 1.0);
        shared::add(&mut sums.last, &to_last, 1.0);
    }
    let mut figures = Figures { counted, ..Figures::default() };
    for Chunk { figures: found, parameters: mut found_sums } in decided {
        figures.nats += found.nats;
        figures.accuracies += found.accuracies;
        for (sum, found) in sums.all_mut().into_iter().zip(found_sums.all_mut()) {
            if !found.is_empty() {
                shared::add(sum, found, 1.0);
            }
        }
    }
    to_sentinel.truncate(inputs.sentinel.len());
    (figures, Inputs { state: to_state, context: to_context, sentinel: to_sentinel }, sums)
}

/// 0, or what the kept units are multiplied by.
fn keep(noise: Option<Noise>, place: usize, units: usize, part: u64) -> Vec<f32> {
    let Some(noise) = noise.filter(|noise| noise.units > 0.0) else { return vec![1.0; units] };
    let key = CoinKey::new(noise.seed ^ (0xd0 + part), [noise.step, place as u64]);
    let scale = 1.0 / (1.0 - noise.units);
    (0..units).map(|unit| if key.uniform(unit) < noise.units { 0.0 } else { scale }).collect()
}

/// The rows of each chunk.
fn split<'a>(
    values: &'a mut [f32],
    chunks: &[std::ops::Range<usize>],
    starts: &[usize],
    width: usize,
) -> Vec<&'a mut [f32]> {
    let mut rest = values;
    let rows = chunks.iter().map(|chunk| starts[chunk.end] - starts[chunk.start]);
    rows.map(|rows| rest.split_off_mut(..rows * width).unwrap_or_default()).collect()
}

/// What the chunks have in common.
struct Job<'a> {
    shape: JointShape,
    inputs: &'a Inputs,
    parameters: &'a Parameters,
    batch: &'a Batch<'a>,
    /// One over the sum of the weights.
    share: f64,
}

/// Memory that a place works in.
#[derive(Default)]
struct Scratch {
    heard: Vec<Heard>,
    /// Units before the decisions `[V, C]`; of each decision `[D, V, C]`; derivatives `[V, C]`.
    base: Vec<f32>,
    units: Vec<f32>,
    to_base: Vec<f32>,
    offers: Offers,
}

impl Job<'_> {
    /// `logits`: of the absolute part; become derivatives.
    fn run(
        &self,
        chunk: std::ops::Range<usize>,
        logits: &mut [f32],
        to_context: &mut [f32],
        to_sentinel: &mut [f32],
    ) -> Chunk {
        let Parameters { past, chosen_below, last_below, motions, key, scores, penalties, gate, trust, .. } =
            self.parameters;
        let zeros = |values: &Vec<f32>| vec![0.0; values.len()];
        let mut found = Chunk {
            figures: Figures::default(),
            parameters: Parameters {
                past: zeros(past),
                chosen_below: zeros(chosen_below),
                last_below: zeros(last_below),
                motions: zeros(motions),
                key: zeros(key),
                scores: zeros(scores),
                penalties: zeros(penalties),
                gate: zeros(gate),
                trust: zeros(trust),
                ..Parameters::default()
            },
        };
        let mut scratch = Scratch::default();
        let (items, wide) = (self.shape.keys + 1, 2 * self.shape.channels);
        let mut rest = logits;
        for n in chunk.clone().filter(|n| self.batch.weights[*n] > 0.0) {
            let rows = self.batch.targets[n].count_ones() as usize + 1;
            let Some(logits) = rest.split_off_mut(..rows * items) else { break };
            let at = n - chunk.start;
            let (to_context, to_sentinel) = (&mut to_context[at * wide..][..wide], &mut to_sentinel[at]);
            self.place(n, logits, to_context, to_sentinel, &mut scratch, &mut found);
        }
        found
    }

    fn place(
        &self,
        n: usize,
        logits: &mut [f32],
        to_context: &mut [f32],
        to_sentinel: &mut f32,
        scratch: &mut Scratch,
        found: &mut Chunk,
    ) {
        let JointShape { keys, channels, .. } = self.shape;
        let (items, plane) = (keys + 1, keys * channels);
        let place = &self.batch.places[n];
        let before = place.before(1).unwrap_or_default();
        let members: Vec<usize> = descending(self.batch.targets[n]).collect();
        let weight = self.batch.weights[n];
        let scale = (f64::from(weight) * self.share) as f32;
        let Scratch { heard, base, units, to_base, offers } = scratch;
        let mut v = Vec::new();
        let dropped = keep(self.batch.noise, n, channels, 1);
        if channels > 0 {
            let context = &self.inputs.context[n * 2 * channels..][..2 * channels];
            v.extend(context[channels..].iter().zip(&dropped).map(|(v, keep)| v * keep));
            shared::heard(self.shape, place, self.batch.noise.as_ref(), heard);
            base.resize(plane, 0.0);
            to_base.resize(plane, 0.0);
            units.resize((members.len() + 1).max(units.len() / plane) * plane, 0.0);
            shared::excite(self.shape, &context[..channels], &self.parameters.past, heard, base);
            shared::attune(self.shape, place, &self.parameters.key, base);
        }
        let pointing = self.shape.candidates > 0;
        let pointer = self.parameters.pointer();
        if pointing {
            offers.open(self.shape, pointer, place);
        }
        let (mut nats, mut hits, mut wrong) = (0.0, 0.0, 0.0);
        for (d, logits) in logits.chunks_exact_mut(items).enumerate() {
            let last = d.checked_sub(1).map(|d| members[d]);
            let (active, target) = (last.unwrap_or(keys), members.get(d).copied().unwrap_or(keys));
            shared::add(logits, &self.parameters.bias, 1.0);
            if channels > 0 {
                let near = last.map_or(&[][..], |n| shared::below(self.shape, n, &self.parameters.last_below));
                let units = &mut units[d * plane..][..plane];
                shared::decide(base, near, &v, units, &mut logits[..active]);
            }
            logits[active..keys].fill(f32::NEG_INFINITY);
            softmax(logits);
            let (mut probability, mut end, mut of_model) = (logits[target], logits[keys], 1.0);
            if pointing && !offers.is_empty() {
                let gate_logit = offers.weigh(pointer, self.inputs.sentinel[n]);
                let gate = 1.0 / (1.0 + (-gate_logit).exp());
                let copied = offers.probability(target);
                let model = (1.0 - gate) * probability;
                end = (1.0 - gate) * end + gate * offers.probability(keys);
                probability = model + gate * copied;
                of_model = if probability > 0.0 { model / probability } else { 1.0 };
                let of_pointer = 1.0 - of_model;
                let mut to = Derivatives {
                    penalties: &mut found.parameters.penalties,
                    gate: &mut found.parameters.gate,
                    trust: &mut found.parameters.trust[0],
                    sentinel: to_sentinel,
                };
                offers.weigh_back(pointer, scale * (gate - of_pointer), target, -scale * of_pointer, copied, &mut to);
            }
            nats -= f64::from(probability.max(f32::MIN_POSITIVE)).ln();
            if target < keys {
                hits += f64::from(probability);
                wrong += f64::from((1.0 - probability - end).max(0.0));
                if pointing {
                    offers.choose(target);
                }
                if channels > 0 {
                    let below = shared::below(self.shape, target, &self.parameters.chosen_below);
                    shared::add(&mut base[..target * channels], &below[..target * channels], 1.0);
                    shared::follow(self.shape, before, target, &self.parameters.motions, base);
                }
            } else {
                wrong += f64::from((1.0 - end).max(0.0));
            }
            let scale = scale * of_model;
            logits.iter_mut().for_each(|p| *p *= scale);
            logits[target] -= scale;
        }
        if pointing {
            offers.close(&mut found.parameters.scores);
        }
        if channels > 0 {
            to_base.fill(0.0);
            let (to_a, to_v) = to_context.split_at_mut(channels);
            for d in (0..=members.len()).rev() {
                let last = d.checked_sub(1).map(|d| members[d]);
                let to_logits = &logits[d * items..][..last.unwrap_or(keys)];
                let to_last = match last {
                    Some(n) => shared::below_mut(self.shape, n, &mut found.parameters.last_below),
                    None => &mut [],
                };
                shared::decide_back(to_logits, &units[d * plane..][..plane], &v, to_base, to_last, to_v);
                if let Some(n) = last {
                    // So far, the sum over the decisions that came after the choice.
                    let to_chosen = shared::below_mut(self.shape, n, &mut found.parameters.chosen_below);
                    shared::add(&mut to_chosen[..n * channels], &to_base[..n * channels], 1.0);
                    shared::follow_back(self.shape, before, n, to_base, &mut found.parameters.motions);
                }
            }
            to_v.iter_mut().zip(&dropped).for_each(|(g, keep)| *g *= keep);
            shared::attune_back(self.shape, place, to_base, &mut found.parameters.key);
            shared::excite_back(self.shape, to_base, heard, to_a, &mut found.parameters.past);
        }
        let weight = f64::from(weight);
        found.figures.nats += weight * nats;
        let union = members.len() as f64 + wrong;
        found.figures.accuracies += weight * if union > 0.0 { (hits / union).clamp(0.0, 1.0) } else { 1.0 };
    }
}
