//! From sequence to sequence: LSTMs read all drums, forwards and backwards, another writes the bass step by step.
//!
//! Source: I. Sutskever, O. Vinyals, Q. Le, Sequence to Sequence Learning with Neural Networks, 2014, arXiv:1409.3215v3, which drum_and_bass
//! names among its plans.
//! Departures: the writer sees what was heard at its own step, as drums and bass go together in time, in the place of one vector for all; the
//! columns of a step are chosen one after the other ([`cantus_nn::joint`]): its likelihood is exact, and no mixture of chords is drawn.

use super::batch::{Batch, CONDITIONS, HEARD, Noise};
use super::cells::Sums;
use super::pattern::{COLUMNS, Pattern, ROWS, Rates, STEPS};
use super::settings::Settings;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_model::frames::FrameFigure;
use cantus_model::{Rng, Sampling};
use cantus_nn::dropout::dropout;
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::joint::{self, CLASSES, Decision, JointHead, JointScorer, JointShape, Place};
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::params::named_parameters;
use cantus_nn::suffix::SuffixIndex;
use std::collections::BTreeMap;

/// What is read of a row: what is heard, tempo and program, which row it is.
const READ: usize = HEARD + CONDITIONS + ROWS;
/// Steps back at which the writer sees the bass itself: just before, half a bar, a bar.
const BACK: [usize; 3] = [1, 16, 32];
/// Steps since something began, in classes, and that nothing has begun yet.
const SINCE: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 32];
/// Columns that began last, each for itself.
const LAST: usize = 2;
/// What the writer reads beside what was heard.
const OWN: usize = BACK.len() * COLUMNS + SINCE.len() + 1 + LAST * COLUMNS + STEPS;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Seq2seq {
    forwards: Lstm,
    backwards: Lstm,
    writer: Lstm,
    head: JointHead,
}

fn shape(settings: &Settings) -> JointShape {
    JointShape {
        keys: COLUMNS,
        features: settings.hidden + OWN + 2 * settings.heard,
        hidden: settings.hidden,
        channels: 0,
        reach: 0,
        lags: 0,
        candidates: 0,
        span: 0,
        tonal: false,
        openings: false,
        sounding: false,
    }
}

/// A step whose past the head itself does not look at.
fn place(past: &SuffixIndex) -> Place<'_> {
    Place { past, at: 0, shift: 0, classes: [0.0; CLASSES] }
}

/// What the writer knows of the bass before a step: into `x`, `[OWN]`, which is zeros.
fn write_own(before: &[u64], x: &mut [f32]) {
    let step = before.len();
    let (back, rest) = x.split_at_mut(BACK.len() * COLUMNS);
    let (since, rest) = rest.split_at_mut(SINCE.len() + 1);
    let (last, clock) = rest.split_at_mut(LAST * COLUMNS);
    let set = |x: &mut [f32], frame: u64| {
        (0..COLUMNS).filter(|column| frame >> column & 1 == 1).for_each(|column| x[column] = 1.0);
    };
    for (x, back) in back.chunks_exact_mut(COLUMNS).zip(BACK) {
        set(x, step.checked_sub(back).map_or(0, |at| before[at]));
    }
    let mut begun = before.iter().enumerate().rev().filter(|(_, frame)| **frame != 0).take(LAST).peekable();
    let class = begun
        .peek()
        .map_or(SINCE.len(), |(at, _)| SINCE.partition_point(|least| *least <= step - at).saturating_sub(1));
    since[class] = 1.0;
    for (x, (_, frame)) in last.chunks_exact_mut(COLUMNS).zip(begun) {
        set(x, *frame);
    }
    clock[step] = 1.0;
}

/// What is read of a batch's patterns, time-major: `[ROWS, B, READ]`
fn read(batch: &Batch) -> Vec<f32> {
    let mut all = vec![0.0; ROWS * batch.size * READ];
    for row in 0..ROWS {
        for b in 0..batch.size {
            let x = &mut all[(row * batch.size + b) * READ..][..READ];
            x[..HEARD].copy_from_slice(&batch.heard[(b * ROWS + row) * HEARD..][..HEARD]);
            x[HEARD..HEARD + CONDITIONS].copy_from_slice(&batch.conditions[b * CONDITIONS..][..CONDITIONS]);
            x[HEARD + CONDITIONS + row] = 1.0;
        }
    }
    all
}

impl Seq2seq {
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> Seq2seq {
        Seq2seq {
            forwards: Lstm::new(READ, settings.heard, rng, device),
            backwards: Lstm::new(READ, settings.heard, rng, device),
            writer: Lstm::new(OWN + 2 * settings.heard, settings.hidden, rng, device),
            head: JointHead::new(shape(settings), &rates.columns, rng, device),
        }
    }

    pub(super) fn loss(&self, settings: &Settings, batch: &Batch, noise: Noise) -> (Tensor<1>, Sums) {
        let (size, device) = (batch.size, self.writer.w_ih.device());
        let mut own = vec![0.0; STEPS * size * OWN];
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for step in 0..STEPS {
            for (b, pattern) in batch.patterns.iter().enumerate() {
                write_own(&pattern.bass[..step], &mut own[(step * size + b) * OWN..][..OWN]);
                targets.push(u128::from(pattern.bass[step]));
                weights.push(batch.weights[b * STEPS + step]);
            }
        }
        let tensor =
            |values: Vec<f32>, shape: [usize; 3]| Tensor::<3>::from_data(TensorData::new(values, shape), &device);
        let (rate, mask) = (settings.dropout, |layer| Noise::mask(Some(noise), layer));
        let rows = tensor(read(batch), [ROWS, size, READ]);
        let start = LstmState::zeros(size, settings.heard);
        let (forwards, _) = self.forwards.forward(rows.clone(), &start);
        let (backwards, _) = self.backwards.forward(rows.flip([0]), &start);
        let heard = Tensor::cat(vec![forwards, backwards.flip([0])], 2);
        let heard = dropout(heard, rate, mask(0)).unsqueeze_dim::<4>(1).repeat_dim(1, STEPS / ROWS);
        let heard = heard.reshape([STEPS, size, 2 * settings.heard]);
        // What is dropped of the bass's past is told by the rest of it.
        let own = dropout(tensor(own, [STEPS, size, OWN]), settings.muted, mask(1));
        let x = Tensor::cat(vec![own, heard], 2);
        let (written, _) = self.writer.forward(x.clone(), &LstmState::zeros(size, settings.hidden));
        let written = dropout(written, rate, mask(2));
        let features = Tensor::cat(vec![written, x], 2).reshape([STEPS * size, self.head.shape().features]);
        let past = SuffixIndex::default();
        let noise = joint::Noise { seed: noise.seed, step: noise.step, units: rate, past: 0.0 };
        let places = vec![place(&past); STEPS * size];
        let (loss, found) = self.head.loss(features, &places, &targets, &weights, Some(noise));
        (loss, Sums { nats: found.nats, steps: found.counted, correct: found.accuracies })
    }
}

/// The network step by step, for judging and composing.
pub(super) struct Writer {
    forwards: LstmCell,
    backwards: LstmCell,
    writer: LstmCell,
    head: JointScorer,
}

impl From<&Seq2seq> for Writer {
    fn from(network: &Seq2seq) -> Writer {
        let parameters: BTreeMap<String, Vec<f32>> =
            named_parameters(&network.head).into_iter().map(|(name, _, values)| (name, values)).collect();
        let lookup = |name: &str, _: &[usize]| Ok::<_, String>(&parameters.get(name).ok_or(name)?[..]);
        Writer {
            forwards: LstmCell::from(&network.forwards),
            backwards: LstmCell::from(&network.backwards),
            writer: LstmCell::from(&network.writer),
            head: JointScorer::new(network.head.shape(), lookup).expect("a head's own parameters fit it"),
        }
    }
}

impl Writer {
    /// Goes through a pattern; `choose` says what begins at each step, given the head's decision about it and the step.
    fn walk(
        &self,
        batch: &Batch,
        steps: usize,
        mut choose: impl FnMut(&mut Decision<'_>, usize) -> Option<u64>,
    ) -> Option<Vec<u64>> {
        let (cells, mut scratch, rows) = (self.forwards.hidden(), Scratch::new(), read(batch));
        let mut heard = vec![0.0; ROWS * 2 * cells];
        let mut listen = |cell: &LstmCell, order: &mut dyn Iterator<Item = usize>, from: usize| {
            let (mut h, mut c) = (vec![0.0; cells], vec![0.0; cells]);
            for row in order {
                cell.step(&rows[row * READ..][..READ], &mut h, &mut c, &mut scratch);
                heard[row * 2 * cells + from..][..cells].copy_from_slice(&h);
            }
        };
        listen(&self.forwards, &mut (0..ROWS), 0);
        listen(&self.backwards, &mut (0..ROWS).rev(), cells);
        let hidden = self.writer.hidden();
        let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
        let (mut decision, past, mut written) = (self.head.decision(), SuffixIndex::default(), Vec::new());
        for step in 0..steps {
            let mut features = vec![0.0; hidden + OWN + 2 * cells];
            let x = &mut features[hidden..];
            write_own(&written, &mut x[..OWN]);
            x[OWN..].copy_from_slice(&heard[step / (STEPS / ROWS) * 2 * cells..][..2 * cells]);
            self.writer.step(x, &mut h, &mut c, &mut scratch);
            features[..hidden].copy_from_slice(&h);
            decision.open(&features, &place(&past));
            written.push(choose(&mut decision, step)?);
        }
        Some(written)
    }

    /// The steps of a pattern, and how likely something begins at each; `batch` holds this one alone.
    pub(super) fn judge(&self, batch: &Batch) -> (Vec<FrameFigure>, Vec<f64>) {
        let pattern: &Pattern = &batch.patterns[0];
        let (mut figures, mut onsets) = (Vec::new(), Vec::new());
        self.walk(batch, pattern.steps.len(), |decision, step| {
            let target = pattern.bass[step];
            onsets.push(1.0 - f64::from(decision.probabilities()[COLUMNS]));
            figures.push(FrameFigure::of_set(decision, u128::from(target)));
            Some(target)
        });
        (figures, onsets)
    }

    /// A bass; `None` where the network gives no number.
    pub(super) fn draw(&self, batch: &Batch, sampling: &Sampling, rng: &mut Rng) -> Option<Vec<u64>> {
        self.walk(batch, batch.patterns[0].steps.len(), |decision, _| {
            let mut frame = 0;
            loop {
                let logits: Vec<f32> = decision.probabilities().iter().map(|p| p.ln()).collect();
                if logits.iter().any(|z| z.is_nan()) {
                    return None;
                }
                match sampling.draw(&logits, rng).filter(|item| *item < COLUMNS) {
                    Some(column) => {
                        frame |= 1 << column;
                        decision.choose(column);
                    }
                    None => return Some(frame),
                }
            }
        })
    }
}
