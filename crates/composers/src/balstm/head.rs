//! Judging and drawing frames key by key, with what was learnt.

use super::climb::{Climb, Lowest};
use super::{Own, write_bits};
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::frames::{Effort, FrameFigure, FrameHead, League, Step};
use cantus_model::{Kind, ModelError, ModelFile, Rng, Sampling, derive, layers};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use rand_chacha::rand_core::Rng as _;

/// The layers along the keys, trained.
pub(super) struct Head {
    features: usize,
    below: usize,
    units: Option<Dense>,
    notes: Vec<LstmCell>,
    output: Dense,
}

/// Frames whose keys are decided side by side.
struct Walk<'h> {
    head: &'h Head,
    x: Vec<f32>,
    units: Vec<f32>,
    states: Vec<(Vec<f32>, Vec<f32>)>,
    logits: Vec<f32>,
    scratch: Scratch,
}

impl Head {
    fn walk(&self, frames: usize) -> Walk<'_> {
        let zeros = |width: usize| vec![0.0; frames * width];
        Walk {
            head: self,
            x: zeros(self.features + self.below),
            units: zeros(self.units.as_ref().map_or(0, Dense::output)),
            states: self.notes.iter().map(|cell| (zeros(cell.hidden()), zeros(cell.hidden()))).collect(),
            logits: zeros(1),
            scratch: Scratch::new(),
        }
    }

    /// The logit of each key of frames, from the lowest to the highest, given what was decided below it.
    ///
    /// # Shapes
    /// `features`: `[N * K, F]`, `climbs`: `[N]` -> `[N, K]`
    pub(super) fn logits(&self, features: &[f32], climbs: &[Climb]) -> Vec<f32> {
        let keys = features.len() / (self.features * climbs.len()).max(1);
        let mut logits = vec![0.0; climbs.len() * keys];
        let mut walk = self.walk(climbs.len());
        for at in 0..keys {
            let seen = climbs.iter().enumerate().map(|(frame, climb)| {
                let key = climb.key(at, keys);
                (&features[(frame * keys + key) * self.features..][..self.features], climb.below(key))
            });
            let found = walk.step(seen);
            let rows = logits.chunks_exact_mut(keys).zip(climbs);
            rows.zip(found).for_each(|((row, climb), logit)| row[climb.key(at, keys)] = *logit);
        }
        logits
    }
}

impl Walk<'_> {
    /// The logits of each frame's next key, given what it sees of the past and what was decided below it.
    ///
    /// # Shapes
    /// `[N]` times `[F]` -> `[N]`
    fn step<'r>(&mut self, rows: impl Iterator<Item = (&'r [f32], u128)>) -> &[f32] {
        let Head { features, below, units, notes, output } = self.head;
        for (x, (row, decided)) in self.x.chunks_exact_mut(features + below).zip(rows) {
            x[..*features].copy_from_slice(row);
            write_bits(decided, &mut x[*features..]);
        }
        let mut x = &self.x;
        if let Some(units) = units {
            units.forward(x, &mut self.units);
            self.units.iter_mut().for_each(|unit| *unit = 1.0 / (1.0 + (-*unit).exp()));
            x = &self.units;
        }
        for (cell, (h, c)) in notes.iter().zip(&mut self.states) {
            cell.step(x, h, c, &mut self.scratch);
            x = h;
        }
        output.forward(x, &mut self.logits);
        &self.logits
    }
}

impl FrameHead for Head {
    type Settings = Own;
    type Past = Lowest;

    fn load(file: &ModelFile, own: &Own, features: usize) -> Result<Head, ModelError> {
        let mut width = features + own.below;
        let mut next = |to: usize| (std::mem::replace(&mut width, to), to);
        let units = (own.units > 0).then(|| layers::dense(file, "units", next(own.units), Dense::new));
        let notes = own.notes.iter().enumerate();
        let notes = notes.map(|(k, cells)| layers::cell(file, &format!("notes.{k}"), next(*cells), LstmCell::new));
        Ok(Head {
            features,
            below: own.below,
            units: units.transpose()?,
            notes: notes.collect::<Result<_, _>>()?,
            output: layers::dense(file, "output", next(1), Dense::new)?,
        })
    }

    fn kind() -> Kind {
        Kind::Exact
    }

    fn league() -> League {
        League::Joint
    }

    fn describe(&self) -> String {
        let cells = self.notes.iter().map(|cell| format!("an LSTM of {}", cell.hidden()));
        let units = self.units.iter().map(|units| format!("{} hidden units", units.output()));
        let parts: Vec<String> = units.chain(cells).collect();
        format!("the same for every key; along the keys {}", parts.join(" and "))
    }

    fn default_sampling() -> Sampling {
        Sampling::default()
    }

    fn judge(
        &self,
        features: &[f32],
        steps: &[Step<'_, Lowest>],
        targets: &[Keys],
        _: Effort,
        _: u64,
    ) -> Vec<FrameFigure> {
        let climbs = targets.iter().zip(steps).map(|(keys, step)| Climb::new(*keys, step.past.before(step.at)));
        FrameFigure::of_coins(&self.logits(features, &climbs.collect::<Vec<Climb>>()), targets)
    }

    /// Key after key, each a choice of two outcomes; one that is not allowed stays silent.
    fn draw(
        &self,
        features: &[f32],
        _: Step<'_, Lowest>,
        before: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        // A stream of its own for each frame, whatever top-p makes of the choices.
        let mut rng = derive(rng.next_u64(), "keys", &[]);
        let (mut walk, mut drawn) = (self.walk(1), Keys::NONE);
        let lowest = before.iter().next().map(Key::index);
        for at in 0..Keys::COUNT {
            let climb = Climb::new(drawn, lowest);
            let key = Key::new(climb.key(at, Keys::COUNT))?;
            let seen = &features[key.index() * self.features..][..self.features];
            let logit = walk.step([(seen, climb.below(key.index()))].into_iter())[0];
            let sounds = sampling.draw(&[0.0, logit], &mut rng).filter(|_| logit.is_finite())?;
            if sounds == 1 && allowed.contains(key) {
                drawn.insert(key);
            }
        }
        Some(drawn)
    }
}
