//! Training a composer of tokens.

use super::batches::originals;
use super::{Batch, Grammar, Masks, Piece, TokenNetwork, TokenSettings, plan};
use crate::learner::{Learner, Recurrent};
use crate::plan::{Plan, Row, Segment};
use crate::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Pieces, Regime,
    Schedule, Settings, StepAt, StepReport, Trainable, TrainingSet, checkpoint, ngram,
};
use burn::module::Module;
use burn::tensor::Device;
use cantus_encoding::TokenId;
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use cantus_score::Score;
use std::borrow::Cow;

/// Rows of a validation batch.
pub(super) const VALIDATION_ROWS: usize = 32;

/// A network in training.
pub struct TokenTrainer<G: Grammar> {
    pub(super) settings: TokenSettings,
    own: G::OwnSettings,
    seed: u64,
    grammar: G,
    habits: Habits,
    pub(super) train: Vec<Piece>,
    pub(super) valid: Vec<Piece>,
    learner: Learner<TokenNetwork>,
    pub(super) plan: Plan,
    /// Quarter notes to a token of the training pieces.
    quarters_per_token: f64,
}

impl<G: Grammar> TokenTrainer<G> {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without music.
    pub fn new(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<TokenTrainer<G>, CreateError> {
        set.check_sounding()?;
        let bad = |problem: String| CreateError::Settings { composer: G::spec().id, problem };
        let (settings, own) = TokenSettings::read::<G::OwnSettings>(settings).map_err(bad)?;
        let grammar = G::of(set, settings.transposition)?;
        let encoded = |piece: &Score| -> Piece {
            let (tokens, _) = grammar.encode(piece);
            let quarters = piece.end().quarters(piece.ticks_per_quarter);
            Piece::new(tokens, quarters, &grammar, settings.transposition)
        };
        let taken = |piece: &Score| -> Vec<Piece> {
            let others = grammar.takes(piece);
            let mut takes: Vec<Piece> = std::iter::once(piece).chain(&others).map(encoded).collect();
            takes[0].takes = takes.len();
            takes
        };
        fn sounding(pieces: &Pieces) -> impl Iterator<Item = Cow<'_, Score>> {
            pieces.iter().filter(|piece| piece.note_count() > 0)
        }
        let mut train: Vec<Piece> = sounding(&set.train).flat_map(|piece| taken(&piece)).collect();
        let mut valid: Vec<Piece> = sounding(&set.valid).map(|piece| encoded(&piece)).collect();
        // A grammar may say nothing of a piece's notes.
        for (pieces, what) in [(&mut train, "training"), (&mut valid, "validation")] {
            pieces.retain(|piece| piece.predicted() > 0);
            if pieces.is_empty() {
                return Err(CreateError::EmptyCorpus { what });
            }
        }
        let tokens: usize = originals(&train).map(|(_, piece)| piece.predicted()).sum();
        let settings = settings.fit(tokens);
        let device = Device::flex().autodiff();
        let network = TokenNetwork::new(&settings, &grammar, &mut derive(seed, "parameters", &[]), &device);
        let quarters: f64 = originals(&train).map(|(_, piece)| piece.quarters).sum();
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(TokenTrainer {
            plan: plan(&train, settings.batch, settings.window, seed, 0),
            learner: Learner::new(network, optimizer, 0.0),
            quarters_per_token: quarters / tokens as f64,
            grammar,
            habits: Habits::of(set),
            settings,
            own,
            seed,
            train,
            valid,
        })
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(&self.train, self.settings.batch, self.settings.window, self.seed, epoch)
    }

    pub(super) fn evaluate(&self, pieces: &[Piece]) -> Evaluation {
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
                let batch = Batch::gather(pieces, rows.iter().map(Some), &self.grammar);
                let logits = network.forward(&batch, &mut states, (0.0, 0.0), None);
                let (_, figures) = cross_entropy(logits, &batch.targets, &batch.weights);
                total += Evaluation::of_batch(figures, 0.0);
            }
        }
        total
    }

    fn tokens(pieces: &[Piece]) -> Vec<Vec<TokenId>> {
        originals(pieces).map(|(_, piece)| piece.tokens.clone()).collect()
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

impl<G: Grammar> Trainable for TokenTrainer<G> {
    fn spec(&self) -> &'static ComposerSpec {
        G::spec()
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
        G::PROTOCOL.to_owned()
    }

    fn steps(&self, epoch: u64) -> u64 {
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { self.plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = self.plan_for(at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let batch = Batch::gather(&self.train, rows.iter().copied(), &self.grammar);
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
        ngram::baselines(&Self::tokens(&self.train), &Self::tokens(&self.valid), self.grammar.size())
    }

    fn save(&self) -> ModelFile {
        let encoding = serde_json::json!({ G::NAME: self.grammar });
        let settings = crate::settings::joined(&self.settings, &self.own);
        checkpoint::save(G::spec(), self.learner.network(), settings, encoding, &self.habits)
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
        (G::spec().load)(&self.save()).expect("a network's own file fits it")
    }
}
