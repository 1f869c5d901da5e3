//! The network: a layer for bars, one for beats, one for steps.

use super::settings::Settings;
use super::tune::{AGREED, BEATS, LOOKS, OF_BAR, PLACES, Rhythms, SLOTS, Tune};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::melody_steps::OUTCOMES;
use cantus_model::Rng;
use cantus_model::learner::Recurrent;
use cantus_model::melodies::READ;
use cantus_model::plan::Row;
use cantus_nn::cross_entropy::{Figures, cross_entropy};
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::{Embedding, rows};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};

/// Numbers for each part of a block that is read.
pub(super) const SLOT: usize = 12;

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    outcome: Embedding,
    sounding: Embedding,
    places: Vec<Embedding>,
    /// What stood some bars earlier, and for how long the melody has agreed with it; none without lookback.
    looks: Vec<Embedding>,
    agreed: Vec<Embedding>,
    /// By how many nats that is likelier: `[LOOKS * AGREED, 1]`.
    copies: Option<Embedding>,
    bar: Option<Block>,
    beat: Option<Block>,
    /// Of bars and of beats, where there are such, and of steps.
    lstms: Vec<Lstm>,
    output: Linear,
}

/// What a layer above the steps reads, and what it decides.
#[derive(Module, Debug)]
pub(super) struct Block {
    slots: Embedding,
    places: Vec<Embedding>,
    /// The class of rhythm as it is told to those below, and what decides it.
    told: Option<Embedding>,
    head: Option<Linear>,
}

/// Where dropout's masks come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The run's.
    pub seed: u64,
    /// Steps since the beginning of the training.
    pub step: u64,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Of the steps.
    pub figures: Figures,
    /// Nats of the classes of rhythm.
    pub rhythms: f64,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

/// The sizes of the layers' inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub bar: usize,
    pub beat: usize,
    pub step: usize,
    pub output: usize,
}

impl Widths {
    pub(super) fn of(settings: &Settings) -> Widths {
        let Settings { bar, beat, hidden, embedding, .. } = *settings;
        let told = |profiles: usize| if profiles > 0 { embedding } else { 0 };
        let above_beat = bar + told(settings.bar_profiles);
        let above = above_beat + beat + told(settings.beat_profiles);
        Widths {
            bar: SLOTS[0] * SLOT + embedding,
            beat: SLOTS[1] * SLOT + embedding + above_beat,
            step: embedding + above,
            output: hidden + above,
        }
    }
}

/// A batch, block by block; each kind time-major: entry `t * rows + b` is block t of row b.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: Blocks,
    pub beats: Blocks,
    pub bars: Blocks,
    pub sounding: Vec<u32>,
    /// What each look reads: what stood there, for how long the melody agreed.
    pub looks: [(Vec<u32>, Vec<u32>); LOOKS.len()],
}

/// Blocks of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// Of the longest row.
    pub count: usize,
    /// What is read of the block before, part by part.
    pub read: Vec<u32>,
    pub places: Vec<Vec<u32>>,
    /// The entries of the bar and of the beat that it is in.
    pub bar: Vec<u32>,
    pub beat: Vec<u32>,
    /// What is decided, and whether it counts.
    pub targets: Vec<u32>,
    pub weights: Vec<f32>,
}

impl Blocks {
    fn new(count: usize, rows: usize, slots: usize, places: usize) -> Blocks {
        let size = count * rows;
        Blocks {
            count,
            read: vec![0; size * slots],
            places: vec![vec![0; size]; places],
            bar: vec![0; size],
            beat: vec![0; size],
            targets: vec![0; size],
            weights: vec![0.0; size],
        }
    }
}

impl Batch {
    /// Gathers rows of tunes; absent rows and the ends of short ones are padding.
    pub(super) fn gather<'r, 't>(
        tune: impl Fn(usize) -> &'t Tune,
        rows: impl Iterator<Item = Option<&'r Row>>,
    ) -> Batch {
        let found: Vec<Option<(&Tune, std::ops::Range<usize>)>> =
            rows.map(|row| row.map(|row| (tune(row.segment.piece), row.segment.tokens.clone()))).collect();
        let rows = found.len();
        // Of each row: its steps and its beats.
        let within = |(tune, bars): &(&Tune, std::ops::Range<usize>)| {
            let steps = tune.frame.bars[bars.start].start..tune.frame.bars[bars.end - 1].end;
            let beat = |step: usize| tune.frame.blocks[step].1;
            (steps.clone(), beat(steps.start)..beat(steps.end - 1) + 1)
        };
        type Found<'t> = (&'t Tune, std::ops::Range<usize>);
        let longest = |of: &dyn Fn(&Found<'_>) -> usize| found.iter().flatten().map(of).max();
        let steps = longest(&|row| within(row).0.len()).unwrap_or(0);
        let beats = longest(&|row| within(row).1.len()).unwrap_or(0);
        let bars = longest(&|row| row.1.len()).unwrap_or(0);
        let mut batch = Batch {
            rows,
            steps: Blocks::new(steps, rows, 1, PLACES.len()),
            beats: Blocks::new(beats, rows, SLOTS[1], 1),
            bars: Blocks::new(bars, rows, SLOTS[0], OF_BAR.len()),
            sounding: vec![0; steps * rows],
            looks: std::array::from_fn(|_| (vec![0; steps * rows], vec![0; steps * rows])),
        };
        for (b, row) in found.iter().enumerate() {
            let Some((tune, bars)) = row else { continue };
            let (steps, beats) = within(&(*tune, bars.clone()));
            let frame = &tune.frame;
            let entry = |number: usize, first: usize| ((number - first) * rows + b) as u32;
            for bar in bars.clone() {
                let at = entry(bar, bars.start) as usize;
                let read = frame.before_bar(bar, &tune.steps, &tune.sounding);
                batch.bars.read[at * SLOTS[0]..][..SLOTS[0]].copy_from_slice(&read);
                let place = frame.places[frame.bars[bar].start];
                batch.bars.places.iter_mut().zip(&place[OF_BAR]).for_each(|(list, place)| list[at] = *place);
                batch.bars.targets[at] = tune.classes[0][bar];
                batch.bars.weights[at] = 1.0;
            }
            for beat in beats.clone() {
                let at = entry(beat, beats.start) as usize;
                let read = frame.before_beat(beat, &tune.steps, &tune.sounding);
                batch.beats.read[at * SLOTS[1]..][..SLOTS[1]].copy_from_slice(&read);
                let (bar, place) = frame.beat_places[beat];
                batch.beats.places[0][at] = place;
                batch.beats.bar[at] = entry(bar, bars.start);
                batch.beats.targets[at] = tune.classes[1][beat];
                batch.beats.weights[at] = 1.0;
            }
            for (step, looks) in steps.clone().zip(tune.looks(steps.clone())) {
                let at = entry(step, steps.start) as usize;
                batch.steps.read[at] = tune.before(step);
                let places = batch.steps.places.iter_mut().zip(frame.places[step]);
                places.for_each(|(list, place)| list[at] = place);
                let (bar, beat) = frame.blocks[step];
                batch.steps.bar[at] = entry(bar, bars.start);
                batch.steps.beat[at] = entry(beat, beats.start);
                batch.steps.targets[at] = tune.steps[step].into();
                batch.steps.weights[at] = 1.0;
                batch.sounding[at] = tune.sounding[step].into();
                for ((stood, agreed), look) in batch.looks.iter_mut().zip(looks) {
                    (stood[at], agreed[at]) = look;
                }
            }
        }
        batch
    }
}

impl Network {
    pub(super) fn new(settings: &Settings, rhythms: &Rhythms, rng: &mut Rng, device: &Device) -> Network {
        let Settings { bar, beat, hidden, embedding, precision, .. } = *settings;
        let widths = Widths::of(settings);
        let table = |size, s, rng: &mut Rng| Embedding::with_deviation(size, embedding, s, rng, device);
        let block = |cells: usize, places: &[usize], classes: usize, rng: &mut Rng| {
            (cells > 0).then(|| Block {
                slots: Embedding::with_deviation(READ, SLOT, 0.4, rng, device),
                places: places.iter().map(|size| table(*size, 0.25, rng)).collect(),
                told: (classes > 0).then(|| table(classes, 0.4, rng)),
                head: (classes > 0).then(|| Linear::new(cells, classes, rng, device)),
            })
        };
        let lstms = [(bar, widths.bar), (beat, widths.beat), (hidden, widths.step)];
        let looks = if settings.lookback { LOOKS.len() } else { 0 };
        Network {
            outcome: table(READ, 0.4, rng),
            sounding: table(OUTCOMES, 0.25, rng),
            places: PLACES.iter().map(|size| table(*size, 0.25, rng)).collect(),
            looks: (0..looks).map(|_| table(READ, 0.2, rng)).collect(),
            agreed: (0..looks).map(|_| table(AGREED, 0.2, rng)).collect(),
            copies: settings.lookback.then(|| Embedding::with_deviation(LOOKS.len() * AGREED, 1, 0.01, rng, device)),
            bar: block(bar, &PLACES[OF_BAR], rhythms.bars.len(), rng),
            beat: block(beat, &[BEATS], rhythms.beats.len(), rng),
            lstms: lstms
                .into_iter()
                .filter(|(cells, _)| *cells > 0)
                .map(|(cells, input)| Lstm::new(input, cells, rng, device).with_precision(precision))
                .collect(),
            output: Linear::new(widths.output, OUTCOMES, rng, device),
        }
    }

    /// The loss of a batch, nats a step, and what it found; the states move on.
    pub(super) fn loss(
        &self,
        settings: &Settings,
        batch: &Batch,
        states: &mut [LstmState],
        masks: Option<Masks>,
    ) -> (Tensor<1>, Found) {
        let key = |layer: u64| masks.map(|Masks { seed, step }| MaskKey { seed, step, layer });
        let (input_rate, rate) = (settings.input_dropout, settings.dropout);
        let mut found = Found::default();
        let mut layers = self.lstms.iter().zip(states.iter_mut());
        let mut run = |x: Tensor<2>, blocks: &Blocks, layer: u64| {
            let (lstm, state) = layers.next().expect("a layer for each kind of block");
            let width = x.dims()[1];
            let (y, last) = lstm.forward(x.reshape([blocks.count, batch.rows, width]), state);
            *state = last;
            dropout(y.reshape([blocks.count * batch.rows, lstm.hidden()]), rate, key(layer))
        };
        let counted: f32 = batch.steps.weights.iter().sum();
        let mut decided: Option<Tensor<1>> = None;
        let mut decide = |block: &Block, h: &Tensor<2>, blocks: &Blocks| {
            let Some(head) = &block.head else { return };
            let (mean, figures) = cross_entropy(head.forward(h.clone()), &blocks.targets, &blocks.weights);
            let share = figures.counted as f32 / counted.max(1.0);
            found.rhythms += figures.nats;
            decided = Some(decided.take().map_or(mean.clone() * share, |sum| sum + mean * share));
        };
        // What is told to the blocks of bars and beats below, entry by entry of theirs.
        let mut of_bars: Vec<Tensor<2>> = Vec::new();
        if let Some(block) = &self.bar {
            let x = dropout(block.read(&batch.bars, SLOTS[0]), input_rate, key(0));
            let h = run(x, &batch.bars, 1);
            decide(block, &h, &batch.bars);
            of_bars.push(h);
            of_bars.extend(block.told.as_ref().map(|told| told.forward(&batch.bars.targets)));
        }
        let mut of_beats: Vec<Tensor<2>> = Vec::new();
        if let Some(block) = &self.beat {
            let x = dropout(block.read(&batch.beats, SLOTS[1]), input_rate, key(2));
            let above = of_bars.iter().map(|of_bar| rows(of_bar.clone(), &batch.beats.bar));
            let h = run(joined(std::iter::once(x).chain(above)), &batch.beats, 3);
            decide(block, &h, &batch.beats);
            of_beats.push(h);
            of_beats.extend(block.told.as_ref().map(|told| told.forward(&batch.beats.targets)));
        }
        let above: Vec<Tensor<2>> = of_bars
            .into_iter()
            .map(|of_bar| rows(of_bar, &batch.steps.bar))
            .chain(of_beats.into_iter().map(|of_beat| rows(of_beat, &batch.steps.beat)))
            .collect();
        let x = dropout(self.read(batch), input_rate, key(4));
        let h = run(joined(std::iter::once(x).chain(above.iter().cloned())), &batch.steps, 5);
        let mut logits = self.output.forward(joined(std::iter::once(h).chain(above)));
        if let Some(copies) = &self.copies {
            logits = logits + self.copied(copies, batch);
        }
        let (mean, figures) = cross_entropy(logits, &batch.steps.targets, &batch.steps.weights);
        found.figures = figures;
        (decided.into_iter().fold(mean, |sum, mean| sum + mean), found)
    }

    /// What the layer for steps reads, without what those above tell it.
    fn read(&self, batch: &Batch) -> Tensor<2> {
        let tables = self.places.iter().zip(&batch.steps.places);
        let looks = self.looks.iter().zip(batch.looks.iter().map(|(stood, _)| stood));
        let agreed = self.agreed.iter().zip(batch.looks.iter().map(|(_, agreed)| agreed));
        let first = self.outcome.forward(&batch.steps.read) + self.sounding.forward(&batch.sounding);
        tables.chain(looks).chain(agreed).fold(first, |sum, (table, indices)| sum + table.forward(indices))
    }

    /// By how much each outcome is likelier, because it stood there some bars earlier.
    ///
    /// # Shapes
    /// `[T * B, 90]`
    fn copied(&self, copies: &Embedding, batch: &Batch) -> Tensor<2> {
        let device = self.output.weight.device();
        let size = batch.sounding.len();
        let one = |(k, (stood, agreed)): (usize, &(Vec<u32>, Vec<u32>))| {
            let mut there = vec![0.0f32; size * OUTCOMES];
            let outcomes = stood.iter().enumerate().filter(|(_, outcome)| **outcome < OUTCOMES as u32);
            outcomes.for_each(|(at, outcome)| there[at * OUTCOMES + *outcome as usize] = 1.0);
            let rows: Vec<u32> = agreed.iter().map(|agreed| (k * AGREED) as u32 + agreed).collect();
            copies.forward(&rows) * Tensor::<2>::from_data(TensorData::new(there, [size, OUTCOMES]), &device)
        };
        let all = batch.looks.iter().enumerate().map(one).reduce(|sum, x| sum + x);
        all.expect("there are looks")
    }
}

impl Block {
    /// What a layer reads of the blocks before, and where they stand.
    fn read(&self, blocks: &Blocks, slots: usize) -> Tensor<2> {
        let size = blocks.targets.len();
        let content = self.slots.forward(&blocks.read).reshape([size, slots * SLOT]);
        let tables = self.places.iter().zip(&blocks.places);
        let place = tables.map(|(table, indices)| table.forward(indices)).reduce(|sum, x| sum + x);
        joined(std::iter::once(content).chain(place))
    }
}

/// Side by side.
fn joined(parts: impl Iterator<Item = Tensor<2>>) -> Tensor<2> {
    Tensor::cat(parts.collect(), 1)
}
