//! Patterns side by side, as tensors.

use super::pattern::{CELLS, COLUMNS, Conditions, KINDS, Pattern, ROWS, STEPS};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_nn::dropout::MaskKey;

/// What is heard of a row: kinds of drums, pitch classes of other parts, and that there is such a row.
pub(super) const HEARD: usize = KINDS.len() + CLASSES + 1;
/// Pitch classes.
const CLASSES: usize = 12;
/// Tempo and program: whether each is known, how fast, the family, and which bass of General MIDI's.
pub(super) const CONDITIONS: usize = 3 + FAMILIES + BASSES.end as usize - BASSES.start as usize;
const FAMILIES: usize = 16;
const BASSES: std::ops::Range<u8> = 32..40;
/// The tempo that is told as 0, quarters a minute; twice as fast is 1.
const MIDDLE_TEMPO: f64 = 120.0;

/// A batch of patterns.
pub(super) struct Batch {
    /// Patterns B.
    pub size: usize,
    /// `[B, ROWS, HEARD]`
    pub heard: Vec<f32>,
    /// `[B, CONDITIONS]`
    pub conditions: Vec<f32>,
    /// `[B, STEPS, COLUMNS]`
    pub bass: Vec<f32>,
    /// 1 where a pattern has such a step: `[B, STEPS]`
    pub weights: Vec<f32>,
    pub patterns: Vec<Pattern>,
}

/// What is left out at random while learning: fixed by the run's seed and a number that no other step has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    pub seed: u64,
    pub step: u64,
}

impl Noise {
    /// The key of a layer's mask.
    pub(super) fn mask(noise: Option<Noise>, layer: u64) -> Option<MaskKey> {
        noise.map(|Noise { seed, step }| MaskKey { seed, step, layer })
    }
}

impl Batch {
    pub(super) fn of(patterns: Vec<Pattern>, conditions: bool) -> Batch {
        let size = patterns.len();
        let mut batch = Batch {
            size,
            heard: vec![0.0; size * ROWS * HEARD],
            conditions: vec![0.0; size * CONDITIONS],
            bass: vec![0.0; size * CELLS],
            weights: vec![0.0; size * STEPS],
            patterns,
        };
        for (b, pattern) in batch.patterns.iter().enumerate() {
            for (row, heard) in batch.heard[b * ROWS * HEARD..].chunks_exact_mut(HEARD).enumerate().take(pattern.rows())
            {
                let (drums, others) = heard.split_at_mut(KINDS.len());
                set(drums, u64::from(pattern.drums[row]));
                set(&mut others[..CLASSES], u64::from(pattern.harmony[row]));
                others[CLASSES] = 1.0;
            }
            if conditions {
                write(pattern.conditions, &mut batch.conditions[b * CONDITIONS..][..CONDITIONS]);
            }
            let cells = batch.bass[b * CELLS..].chunks_exact_mut(COLUMNS);
            cells.zip(&pattern.bass).take(STEPS).for_each(|(cells, frame)| set(cells, *frame));
            batch.weights[b * STEPS..][..pattern.steps.len().min(STEPS)].fill(1.0);
        }
        batch
    }

    /// What is given: `[B, ROWS, HEARD]`
    pub(super) fn heard(&self, device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(self.heard.clone(), [self.size, ROWS, HEARD]), device)
    }

    /// Tempo and program: `[B, CONDITIONS]`
    pub(super) fn conditions(&self, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.conditions.clone(), [self.size, CONDITIONS]), device)
    }

    /// What is to be written: `[B, CELLS]`
    pub(super) fn bass(&self, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.bass.clone(), [self.size, CELLS]), device)
    }
}

fn set(cells: &mut [f32], bits: u64) {
    cells.iter_mut().enumerate().for_each(|(k, cell)| *cell = (bits >> k & 1) as f32);
}

fn write(Conditions { tempo, program }: Conditions, told: &mut [f32]) {
    if let Some(tempo) = tempo {
        told[0] = 1.0;
        told[1] = (tempo / MIDDLE_TEMPO).log2().clamp(-2.0, 2.0) as f32;
    }
    if let Some(program) = program {
        told[2] = 1.0;
        told[3 + usize::from(program.get() / 8)] = 1.0;
        if BASSES.contains(&program.get()) {
            told[3 + FAMILIES + usize::from(program.get() - BASSES.start)] = 1.0;
        }
    }
}
