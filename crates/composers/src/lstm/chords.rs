//! Training the default network.

use super::SPEC;
use super::batches::{self, Batch, Encoded, Plan, Row, Segment};
use super::network::{ChordSettings, Masks, Network};
use super::player::ChordComposer;
use burn::module::Module;
use burn::tensor::Device;
use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{Vocabulary, encode};
use cantus_model::learner::{Learner, Recurrent};
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Regime, Schedule,
    Settings, StepAt, StepReport, Trainable, TrainingSet, checkpoint, ngram,
};
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use cantus_score::Score;

/// What the figures of validation and of a loaded model count.
pub(super) const PROTOCOL: &str = "all tokens after the start of each piece, end included, in its own key; the number of bars is given; mean over tokens";

/// Rows of a validation batch.
const VALIDATION_ROWS: usize = 32;

/// The default network in training.
pub(super) struct ChordTrainer {
    settings: ChordSettings,
    seed: u64,
    vocabulary: Vocabulary,
    habits: Habits,
    train: Vec<Encoded>,
    valid: Vec<Encoded>,
    learner: Learner<Network>,
    plan: Plan,
    /// Quarter notes to a token of the training pieces.
    quarters_per_token: f64,
}

impl ChordTrainer {
    pub(super) fn new(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<ChordTrainer, CreateError> {
        let settings = ChordSettings::read(settings)?;
        let vocabulary = Vocabulary::build(set.all(), settings.transposition)?;
        let encoded = |pieces: &[Score]| -> Vec<Encoded> {
            let sounding = pieces.iter().filter(|piece| piece.note_count() > 0);
            sounding
                .map(|piece| {
                    let (tokens, _) = encode(piece, &vocabulary);
                    let quarters = piece.end().quarters(piece.ticks_per_quarter);
                    Encoded::new(tokens, quarters, &vocabulary, settings.transposition)
                })
                .collect()
        };
        let (train, valid) = (encoded(&set.train), encoded(&set.valid));
        let tokens: usize = train.iter().map(Encoded::predicted).sum();
        let settings = settings.fit(tokens);
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &vocabulary, &mut derive(seed, "parameters", &[]), &device);
        let quarters: f64 = train.iter().map(|piece| piece.quarters).sum();
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(ChordTrainer {
            plan: batches::plan(&train, settings.batch, settings.window, seed, 0),
            learner: Learner::new(network, optimizer, 0.0),
            quarters_per_token: quarters / tokens as f64,
            vocabulary,
            habits: Habits::of(set),
            settings,
            seed,
            train,
            valid,
        })
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        batches::plan(&self.train, self.settings.batch, self.settings.window, self.seed, epoch)
    }

    fn evaluate(&self, pieces: &[Encoded]) -> Evaluation {
        let network = self.learner.network().valid();
        // Pieces of like length together, the longest first: the rows that are done are always the last.
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|&piece| std::cmp::Reverse(pieces[piece].predicted()));
        let window = self.settings.window;
        let mut total =
            Evaluation { quarters: pieces.iter().map(|piece| piece.quarters).sum(), ..Evaluation::default() };
        for group in order.chunks(VALIDATION_ROWS) {
            let mut states = network.zeros(group.len());
            let longest = pieces[group[0]].predicted();
            for start in (0..longest).step_by(window) {
                let rows: Vec<Row> = group
                    .iter()
                    .take_while(|&&piece| pieces[piece].predicted() > start)
                    .map(|&piece| {
                        let tokens = start..pieces[piece].predicted().min(start + window);
                        Row { segment: Segment { piece, shift: 0, tokens }, begins: start == 0 }
                    })
                    .collect();
                states.iter_mut().for_each(|state| *state = first_rows(state, rows.len()));
                let batch = Batch::gather(pieces, rows.iter().map(Some), &self.vocabulary);
                let logits = network.forward(&batch, &mut states, (0.0, 0.0), None);
                let (_, figures) = cross_entropy(logits, &batch.targets, &batch.weights);
                total += Evaluation::of_batch(figures, 0.0);
            }
        }
        total
    }

    fn tokens(pieces: &[Encoded]) -> Vec<Vec<TokenId>> {
        pieces.iter().map(|piece| piece.tokens.clone()).collect()
    }
}

/// The first `rows` rows of a state.
fn first_rows(state: &LstmState, rows: usize) -> LstmState {
    let mut kept = LstmState::zeros(rows, state.hidden());
    let size = rows * state.hidden();
    kept.h.copy_from_slice(&state.h[..size]);
    kept.c.copy_from_slice(&state.c[..size]);
    kept
}

impl Trainable for ChordTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        Regime {
            learning_rate: self.settings.learning_rate,
            schedule: Schedule::WarmupStableDecay { warmup: self.settings.warmup },
            patience: self.settings.patience,
            epochs: self.settings.epochs,
        }
    }

    fn likelihood(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn steps(&self, epoch: u64) -> u64 {
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { self.plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = self.plan_for(at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let batch = Batch::gather(&self.train, rows.iter().copied(), &self.vocabulary);
        let masks = Masks { seed: self.seed, step: (at.epoch << 32) | at.step };
        let dropouts = self.settings.dropouts();
        let (figures, report) = self.learner.step(&rows, learning_rate, |network, states| {
            let logits = network.forward(&batch, states, dropouts, Some(masks));
            cross_entropy(logits, &batch.targets, &batch.weights)
        });
        StepReport {
            batch: Evaluation::of_batch(figures, figures.counted * self.quarters_per_token),
            gradient_norm: report.gradient_norm,
            finite: report.finite && figures.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        self.evaluate(&self.valid)
    }

    fn baselines(&self) -> Vec<Baseline> {
        ngram::baselines(&Self::tokens(&self.train), &Self::tokens(&self.valid), self.vocabulary.len())
    }

    fn save(&self) -> ModelFile {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let encoding = serde_json::json!({ "note_chord": self.vocabulary });
        checkpoint::save(&SPEC, self.learner.network(), settings, encoding, &self.habits)
    }

    fn checkpoint(&self) -> ModelFile {
        self.learner.checkpoint(self.save())
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        let expected = self.save().header;
        self.learner.resume(file, &expected)
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.learner.adopt(model)
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(ChordComposer::load(&self.save()).expect("a network's own file fits it"))
    }
}

#[cfg(test)]
mod tests;
