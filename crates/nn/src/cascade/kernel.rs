//! Training on plain slices: one pass forward and back over all rows of a batch.
//!
//! The products of each choice run over all rows at once; everything else runs row by row, its values in the cache. Rows are taken in
//! fixed chunks whose derivatives are summed in order, so that nothing depends on the number of threads.

use super::copying::{Attention, TableDerivatives, Tables};
use super::{Candidate, CascadeShape, KeyShape, MOST_CHOICES, NONE, Noise, Sight};
use crate::buffer::{Buffer, pieces};
use crate::joint::softmax;
use crate::logistic::CoinKey;
use crate::packed::PackedMatrix;
use crate::plane::{self, Heard, Plane, add};
use crate::product::{column_sums, transposed_product};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that one task takes.
const CHUNK: usize = 64;

/// What a batch came to, outside of the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CascadeFigures {
    /// Weighted sum of the negative log-likelihoods of each choice, in nats.
    pub by_choice: [f64; MOST_CHOICES],
    /// Sum of the weights.
    pub counted: f64,
    /// Weighted number of rows all of whose choices were the likeliest ones.
    pub correct: f64,
}

impl CascadeFigures {
    /// Of all choices, in nats.
    pub fn nats(&self) -> f64 {
        self.by_choice.iter().sum()
    }
}

/// Parameters by name, or the derivatives by them; see [`super`] for what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    pub known: Vec<Vec<f32>>,
    pub outputs: Vec<Vec<f32>>,
    pub biases: Vec<Vec<f32>>,
    pub patches: Vec<f32>,
    pub degrees: Vec<f32>,
    pub scores: Vec<f32>,
    pub penalties: Vec<f32>,
    pub gates: Vec<f32>,
    pub trust: Vec<f32>,
}

impl Parameters {
    /// The tables of a choice.
    pub fn tables(&self, shape: &CascadeShape, v: usize) -> Tables<'_> {
        Tables {
            scores: &self.scores[v * shape.kinds..][..shape.kinds],
            gates: &self.gates[v * shape.marks..][..shape.marks],
            trust: self.trust[v],
        }
    }
}

/// What the features give to each row, or the derivatives by it.
///
/// # Shapes
/// `state`: `[N, V H]`, `context`: `[N, 2C]`, `sentinel`: `[N, V]`
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub state: Vec<f32>,
    pub context: Vec<f32>,
    pub sentinel: Vec<f32>,
}

/// What the rows of a chunk add to the derivatives of what is not a product.
struct Chunk {
    figures: CascadeFigures,
    patches: Vec<f32>,
    degrees: Vec<f32>,
    scores: Vec<f32>,
    penalties: Vec<f32>,
    gates: Vec<f32>,
    trust: Vec<f32>,
}

/// The figures, and the derivatives of their mean by inputs and parameters.
pub(super) fn train(
    shape: &CascadeShape,
    inputs: &Inputs,
    parameters: &Parameters,
    sights: &[Sight],
    weights: &[f32],
    noise: Option<Noise>,
) -> (CascadeFigures, Inputs, Parameters) {
    let (rows, count, hidden) = (sights.len(), shape.choices.len(), shape.hidden);
    let counted: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let share = if counted > 0.0 { 1.0 / counted } else { 0.0 };
    let job = Job { shape, inputs, parameters, sights, weights, noise, share };
    let chunks: Vec<Range<usize>> = (0..rows).step_by(CHUNK).map(|start| start..rows.min(start + CHUNK)).collect();

    let units: Vec<Buffer> = (0..count).map(|v| job.units(v)).collect();
    let mut logits: Vec<Buffer> =
        shape.choices.iter().map(|choice| Buffer::unspecified(rows * choice.classes)).collect();
    for (v, logits) in logits.iter_mut().enumerate() {
        let classes = shape.choices[v].classes;
        let packed = PackedMatrix::new(hidden, classes, &parameters.outputs[v], 1, hidden);
        packed.multiply_parallel(rows, &units[v], hidden, logits, classes, false);
    }

    // Everything else, row by row; logits become derivatives by them.
    let wide = shape.keys.map_or(0, |keys| 2 * keys.channels);
    let mut to_context = vec![0.0; inputs.context.len()];
    let mut to_sentinel = vec![0.0; inputs.sentinel.len()];
    let sentinels = if shape.kinds > 0 { count } else { 0 };
    let mut of_chunks: Vec<Vec<&mut [f32]>> = chunks.iter().map(|_| Vec::with_capacity(count)).collect();
    for (logits, choice) in logits.iter_mut().zip(&shape.choices) {
        let parts = pieces(logits, &chunks, choice.classes);
        of_chunks.iter_mut().zip(parts).for_each(|(chunk, part)| chunk.push(part));
    }
    let found: Vec<Chunk> = of_chunks
        .into_par_iter()
        .zip(&chunks)
        .zip(pieces(&mut to_context, &chunks, wide))
        .zip(pieces(&mut to_sentinel, &chunks, sentinels))
        .map(|(((logits, chunk), to_context), to_sentinel)| job.run(chunk.clone(), logits, to_context, to_sentinel))
        .collect();

    // Back through the products.
    let mut to = Parameters { known: Vec::new(), ..Parameters::default() };
    let mut to_state = vec![0.0; inputs.state.len()];
    for v in 0..count {
        let classes = shape.choices[v].classes;
        let mut to_units = Buffer::unspecified(rows * hidden);
        let packed = PackedMatrix::new(classes, hidden, &parameters.outputs[v], hidden, 1);
        packed.multiply_parallel(rows, &logits[v], classes, &mut to_units, hidden, false);
        let mut to_output = vec![0.0; classes * hidden];
        transposed_product([rows, classes, hidden], &logits[v], &units[v], &mut to_output);
        let mut to_bias = vec![0.0; classes];
        column_sums(classes, classes, &logits[v], &mut to_bias);
        job.rectify_back(v, &units[v], &mut to_units);
        for (to_state, to_unit) in to_state.chunks_exact_mut(count * hidden).zip(to_units.chunks_exact(hidden)) {
            to_state[v * hidden..][..hidden].copy_from_slice(to_unit);
        }
        to.known.push(job.known_back(v, &to_units));
        to.outputs.push(to_output);
        to.biases.push(to_bias);
    }
    to.patches = vec![0.0; parameters.patches.len()];
    to.degrees = vec![0.0; parameters.degrees.len()];
    to.scores = vec![0.0; parameters.scores.len()];
    to.penalties = vec![0.0; parameters.penalties.len()];
    to.gates = vec![0.0; parameters.gates.len()];
    to.trust = vec![0.0; parameters.trust.len()];
    let mut figures = CascadeFigures { counted, ..CascadeFigures::default() };
    for chunk in found {
        figures.by_choice.iter_mut().zip(chunk.figures.by_choice).for_each(|(sum, nats)| *sum += nats);
        figures.correct += chunk.figures.correct;
        for (sum, found) in [
            (&mut to.patches, &chunk.patches),
            (&mut to.degrees, &chunk.degrees),
            (&mut to.scores, &chunk.scores),
            (&mut to.penalties, &chunk.penalties),
            (&mut to.gates, &chunk.gates),
            (&mut to.trust, &chunk.trust),
        ] {
            add(sum, found, 1.0);
        }
    }
    (figures, Inputs { state: to_state, context: to_context, sentinel: to_sentinel }, to)
}

/// What the rows have in common.
struct Job<'a> {
    shape: &'a CascadeShape,
    inputs: &'a Inputs,
    parameters: &'a Parameters,
    sights: &'a [Sight],
    weights: &'a [f32],
    noise: Option<Noise>,
    /// One over the sum of the weights.
    share: f64,
}

/// Memory that a row works in.
#[derive(Default)]
struct Scratch {
    heard: Vec<Heard>,
    base: Vec<f32>,
    units: Vec<f32>,
    to_base: Vec<f32>,
    attention: Attention,
    /// Probabilities of the classes of a choice.
    mixed: Vec<f32>,
}

impl Scratch {
    /// Whether no class is likelier than class `t`.
    fn is_likeliest(&mut self, candidates: &[Candidate], v: usize, t: usize, own: &[f32], g: f32) -> bool {
        self.mixed.clear();
        self.mixed.extend(own.iter().map(|p| (1.0 - g) * p));
        if g > 0.0 {
            self.attention.spread(candidates, v, g, &mut self.mixed);
        }
        self.mixed.iter().all(|p| *p <= self.mixed[t])
    }
}

impl Job<'_> {
    /// Whether a row makes choice `v`.
    fn makes(&self, n: usize, v: usize) -> bool {
        self.weights[n] > 0.0 && self.sights[n].targets[v] != NONE
    }

    /// Hidden units of a choice, all rows; zeros where it is not made.
    fn units(&self, v: usize) -> Buffer {
        let (count, hidden) = (self.shape.choices.len(), self.shape.hidden);
        let mut units = Buffer::unspecified(self.sights.len() * hidden);
        units.par_chunks_exact_mut(hidden).enumerate().with_min_len(CHUNK).for_each(|(n, unit)| {
            if !self.makes(n, v) {
                return unit.fill(0.0);
            }
            unit.copy_from_slice(&self.inputs.state[(n * count + v) * hidden..][..hidden]);
            for known in self.sights[n].known(v) {
                add(unit, &self.parameters.known[v][usize::from(*known) * hidden..][..hidden], 1.0);
            }
            let noise = self.noise.filter(|noise| noise.units > 0.0);
            let Some(noise) = noise else { return unit.iter_mut().for_each(|u| *u = u.max(0.0)) };
            let (key, scale) = (self.unit_key(noise, n, v), 1.0 / (1.0 - noise.units));
            for (k, u) in unit.iter_mut().enumerate() {
                *u = if key.uniform(k) < noise.units { 0.0 } else { u.max(0.0) * scale };
            }
        });
        units
    }

    fn unit_key(&self, noise: Noise, n: usize, v: usize) -> CoinKey {
        CoinKey::new(noise.seed ^ (0xca5c + v as u64), [noise.step, n as u64])
    }

    /// Back through the rectifier and what was left out. A unit that was left out is 0, as one that was rectified.
    fn rectify_back(&self, v: usize, units: &[f32], to_units: &mut [f32]) {
        let scale = self.noise.map_or(1.0, |noise| 1.0 / (1.0 - noise.units));
        let hidden = self.shape.hidden;
        to_units
            .par_chunks_exact_mut(hidden)
            .zip(units.par_chunks_exact(hidden))
            .enumerate()
            .with_min_len(CHUNK)
            .for_each(|(n, (to_unit, unit))| {
                if !self.makes(n, v) {
                    return to_unit.fill(0.0);
                }
                to_unit.iter_mut().zip(unit).for_each(|(g, u)| *g = if *u > 0.0 { *g * scale } else { 0.0 });
            });
    }

    /// The derivatives by what is known: for each index, the rows that know it, in order.
    fn known_back(&self, v: usize, to_units: &[f32]) -> Vec<f32> {
        let hidden = self.shape.hidden;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.shape.choices[v].known.max(1)];
        for (n, sight) in self.sights.iter().enumerate().filter(|(n, _)| self.makes(*n, v)) {
            sight.known(v).iter().for_each(|known| rows[usize::from(*known)].push(n as u32));
        }
        let mut to_known = vec![0.0; rows.len() * hidden];
        to_known.par_chunks_exact_mut(hidden).zip(&rows).for_each(|(to, rows)| {
            rows.iter().for_each(|n| add(to, &to_units[*n as usize * hidden..][..hidden], 1.0));
        });
        to_known
    }

    /// `logits`: of the rows of a chunk, choice after choice; become derivatives.
    fn run(
        &self,
        chunk: Range<usize>,
        mut logits: Vec<&mut [f32]>,
        to_context: &mut [f32],
        to_sentinel: &mut [f32],
    ) -> Chunk {
        let zeros = |values: &Vec<f32>| vec![0.0; values.len()];
        let Parameters { patches, degrees, scores, penalties, gates, trust, .. } = self.parameters;
        let mut found = Chunk {
            figures: CascadeFigures::default(),
            patches: zeros(patches),
            degrees: zeros(degrees),
            scores: zeros(scores),
            penalties: zeros(penalties),
            gates: zeros(gates),
            trust: zeros(trust),
        };
        let mut scratch = Scratch::default();
        let count = self.shape.choices.len();
        let wide = self.shape.keys.map_or(0, |keys| 2 * keys.channels);
        let sentinels = if self.shape.kinds > 0 { count } else { 0 };
        for n in chunk.clone() {
            let at = n - chunk.start;
            scratch.attention.open();
            let mut hit = self.weights[n] > 0.0;
            for (v, logits) in logits.iter_mut().enumerate() {
                let classes = self.shape.choices[v].classes;
                let logits = &mut logits[at * classes..][..classes];
                if !self.makes(n, v) {
                    logits.fill(0.0);
                    continue;
                }
                let to_context = &mut to_context[at * wide..][..wide];
                let to_sentinel = &mut to_sentinel[at * sentinels..][..sentinels];
                hit &= self.choice(n, v, logits, to_context, to_sentinel, &mut scratch, &mut found);
            }
            found.figures.correct += if hit { f64::from(self.weights[n]) } else { 0.0 };
        }
        found
    }

    /// One choice of one row, forward and back; whether its class was the likeliest.
    #[expect(clippy::too_many_arguments, reason = "where the derivatives of one choice go")]
    fn choice(
        &self,
        n: usize,
        v: usize,
        logits: &mut [f32],
        to_context: &mut [f32],
        to_sentinel: &mut [f32],
        scratch: &mut Scratch,
        found: &mut Chunk,
    ) -> bool {
        let (sight, weight) = (&self.sights[n], self.weights[n]);
        let target = sight.targets[v];
        let t = usize::from(target);
        add(logits, &self.parameters.biases[v], 1.0);
        let keys = self.shape.keys.filter(|keys| keys.choice == v && !sight.heard.is_empty());
        if let Some(keys) = keys {
            self.excite(n, keys, logits, scratch);
        }
        let allowed = sight.allowed[v] | 1 << t;
        mask(logits, allowed);
        softmax(logits);
        let own = logits[t];
        let mut gate = None;
        if self.shape.kinds > 0 {
            let sentinel = self.inputs.sentinel[n * self.shape.choices.len() + v];
            let tables = self.parameters.tables(self.shape, v);
            gate = scratch.attention.weigh(&sight.candidates, v, allowed, sight.marks, tables, sentinel);
        }
        let (g, copied) = match gate {
            Some(logit) => (1.0 / (1.0 + (-logit).exp()), scratch.attention.probability(&sight.candidates, v, target)),
            None => (0.0, 0.0),
        };
        let p = ((1.0 - g) * own + g * copied).max(f32::MIN_POSITIVE);
        found.figures.by_choice[v] -= f64::from(weight) * f64::from(p).ln();
        let hit = scratch.is_likeliest(&sight.candidates, v, t, logits, g);

        let scale = (f64::from(weight) * self.share) as f32;
        if gate.is_some() {
            let to_gate = -scale * (copied - own) * g * (1.0 - g) / p;
            let to_log = -scale * g * copied / p;
            let (kinds, marks) = (self.shape.kinds, self.shape.marks);
            let mut to = TableDerivatives {
                scores: &mut found.scores[v * kinds..][..kinds],
                gates: &mut found.gates[v * marks..][..marks],
                trust: &mut found.trust[v],
                sentinel: &mut to_sentinel[v],
            };
            let trust = self.parameters.trust[v];
            scratch.attention.weigh_back(
                &sight.candidates,
                v,
                target,
                copied,
                sight.marks,
                trust,
                to_gate,
                to_log,
                &mut to,
                &mut found.penalties,
            );
        }
        if self.shape.kinds > 0 {
            scratch.attention.choose(&sight.candidates, v, target, self.parameters.penalties[v]);
        }
        // The derivatives by the logits: those of a softmax, as far as the class came from it.
        let m = scale * (1.0 - g) * own / p;
        logits.iter_mut().for_each(|z| *z *= m);
        logits[t] -= m;
        if let Some(keys) = keys {
            self.excite_back(n, keys, logits, to_context, scratch, found);
        }
        hit
    }

    fn plane(&self, keys: KeyShape) -> Plane {
        Plane { keys: self.shape.choices[keys.choice].classes, channels: keys.channels, reach: keys.reach }
    }

    /// Adds the part that treats keys alike to the logits; the units stay in `scratch`.
    fn excite(&self, n: usize, keys: KeyShape, logits: &mut [f32], scratch: &mut Scratch) {
        let (plane, channels, sight) = (self.plane(keys), keys.channels, &self.sights[n]);
        scratch.heard.clear();
        scratch.heard.extend_from_slice(&sight.heard);
        if let Some(noise) = self.noise.filter(|noise| noise.heard > 0.0) {
            let key = CoinKey::new(noise.seed ^ 0x4ea2d, [noise.step, n as u64]);
            let mut at = 0;
            scratch.heard.retain(|_| {
                at += 1;
                key.uniform(at) >= noise.heard
            });
            scratch.heard.iter_mut().for_each(|heard| heard.value /= 1.0 - noise.heard);
        }
        let size = plane.keys * channels;
        scratch.base.resize(size, 0.0);
        scratch.units.resize(size, 0.0);
        let (a, v) = self.inputs.context[n * 2 * channels..][..2 * channels].split_at(channels);
        plane.excite(a, &self.parameters.patches, &scratch.heard, &mut scratch.base);
        plane.attune(&sight.classes, &self.parameters.degrees, &mut scratch.base);
        plane::decide(&scratch.base, &[], v, &mut scratch.units, logits);
    }

    fn excite_back(
        &self,
        n: usize,
        keys: KeyShape,
        to_logits: &[f32],
        to_context: &mut [f32],
        scratch: &mut Scratch,
        found: &mut Chunk,
    ) {
        let (plane, channels) = (self.plane(keys), keys.channels);
        scratch.to_base.clear();
        scratch.to_base.resize(plane.keys * channels, 0.0);
        let v = &self.inputs.context[n * 2 * channels + channels..][..channels];
        let (to_a, to_v) = to_context.split_at_mut(channels);
        plane::decide_back(to_logits, &scratch.units, v, &mut scratch.to_base, &mut [], to_v);
        plane.attune_back(&self.sights[n].classes, &scratch.to_base, &mut found.degrees);
        plane.excite_back(&scratch.to_base, &scratch.heard, to_a, &mut found.patches);
    }
}

/// Minus infinity to what is not allowed.
pub(super) fn mask(logits: &mut [f32], allowed: u128) {
    for (_, logit) in logits.iter_mut().enumerate().filter(|(k, _)| allowed >> k & 1 == 0) {
        *logit = f32::NEG_INFINITY;
    }
}
