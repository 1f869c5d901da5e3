//! Training a composer of tokens.

use super::batches::originals;
use super::model::grammar;
use super::repertoire::{Repertoire, counted, repertoire};
use super::{Batch, Grammar, Masks, TokenNetwork, TokenSettings, plan};
use crate::learner::{Learner, Recurrent};
use crate::plan::{Plan, Row, Segment};
use crate::transplant::Classes;
use crate::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Regime, Schedule,
    Settings, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint, ngram,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::TokenId;
use cantus_nn::cross_entropy::{argmax, cross_entropy};
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::{count_parameters, values_of};
use cantus_nn::random::derive;
use std::sync::Arc;

/// Rows of a validation batch.
pub(super) const VALIDATION_ROWS: usize = 32;

/// A network in training.
pub struct TokenTrainer<G: Grammar> {
    pub(super) settings: TokenSettings,
    own: G::OwnSettings,
    seed: u64,
    grammar: Arc<G>,
    habits: Habits,
    pub(super) train: Repertoire<G>,
    pub(super) valid: Repertoire<G>,
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
        let grammar = Arc::new(G::of(set, settings.transposition)?);
        let train = repertoire(&set.train, grammar.takes(), &grammar, settings.transposition);
        let valid = repertoire(&set.valid, 1, &grammar, 0);
        Repertoire::check(&train, &valid)?;
        let learnt = || originals(train.outlines()).map(|(_, piece)| piece);
        let tokens: usize = learnt().map(|piece| piece.predicted).sum();
        let settings = settings.fit(tokens);
        let device = Device::flex().autodiff();
        let network = TokenNetwork::new(&settings, &*grammar, &mut derive(seed, "parameters", &[]), &device);
        let quarters: f64 = learnt().map(|piece| piece.quarters).sum();
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        Ok(TokenTrainer {
            plan: plan(train.outlines(), settings.batch, settings.window, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
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

    #[cfg(test)]
    pub(super) fn network(&self) -> TokenNetwork {
        self.learner.network().valid()
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ G::NAME: *self.grammar });
        let settings = crate::settings::joined(&self.settings, &self.own);
        checkpoint::save(G::spec(), self.learner.network(), settings, encoding, &self.habits)
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(self.train.outlines(), self.settings.batch, self.settings.window, self.seed, epoch)
    }
}

/// The figures of pieces under the network (dropout off); nothing, where one cannot be had any more.
pub(super) fn evaluate<G: Grammar>(
    network: &TokenNetwork,
    window: usize,
    repertoire: &mut Repertoire<G>,
    grammar: &G,
) -> Option<Evaluation> {
    let pieces: Vec<(usize, f64)> =
        repertoire.outlines().iter().map(|outline| (outline.predicted, outline.quarters)).collect();
    let length = |piece: usize| pieces[piece].0;
    // Pieces of like length together, the longest first: the rows that are done are always the last.
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|&piece| std::cmp::Reverse(length(piece)));
    let mut total = Evaluation { quarters: pieces.iter().map(|(_, quarters)| quarters).sum(), ..Evaluation::default() };
    for group in order.chunks(VALIDATION_ROWS) {
        let encoded = repertoire.learnt(group.iter().copied())?;
        let mut states = network.zeros(group.len());
        let mut open = vec![Some(true); group.len()];
        let longest = length(group[0]);
        for start in (0..longest).step_by(window) {
            let rows: Vec<Row> = group
                .iter()
                .take_while(|&&piece| length(piece) > start)
                .map(|&piece| {
                    let tokens = start..length(piece).min(start + window);
                    Row { segment: Segment { piece, shift: 0, tokens }, begins: start == 0 }
                })
                .collect();
            states.iter_mut().for_each(|state| *state = first_rows(state, rows.len()));
            let batch = Batch::gather(|piece| &encoded[&piece], rows.iter().map(Some), grammar);
            let logits = network.forward(&batch, &mut states, (0.0, 0.0), None);
            let is_beside = |target: &u32| !grammar.is_of_notes(TokenId(*target));
            let targets = batch.targets.iter();
            let beside: Vec<f32> = targets
                .zip(&batch.weights)
                .map(|(target, weight)| if is_beside(target) { *weight } else { 0.0 })
                .collect();
            let (_, figures) = cross_entropy(logits.clone(), &batch.targets, &batch.weights);
            let (_, of_beside) = cross_entropy(logits.clone(), &batch.targets, &beside);
            let found = Evaluation { beside: Some(of_beside.nats), ..Evaluation::of_batch(figures, 0.0) };
            total += by_units(found, &logits, &batch, grammar, &mut open);
        }
    }
    Some(total)
}

/// The figures of a batch by units; of each row `open` says whether all is right of the unit that goes on from the window before, and keeps
/// whether all is of the one that goes on into the next. A unit is right where all its tokens are. One whose beginning is not known, since
/// its row begins in its midst, says nothing of that: it is as often right as the others.
fn by_units<G: Grammar>(
    figures: Evaluation,
    logits: &Tensor<2>,
    batch: &Batch,
    grammar: &G,
    open: &mut [Option<bool>],
) -> Evaluation {
    if G::UNIT == Unit::Token {
        return figures;
    }
    let logits = values_of(logits.clone());
    let (mut units, mut known, mut right) = (0.0, 0.0, 0.0);
    for (at, (row, target)) in logits.chunks_exact(grammar.size()).zip(&batch.targets).enumerate() {
        if batch.weights[at] == 0.0 {
            continue;
        }
        let open = &mut open[at % batch.rows];
        *open = open.map(|all| all && argmax(row) == Some(*target as usize));
        if grammar.completes(TokenId(*target)) {
            units += 1.0;
            known += if open.is_some() { 1.0 } else { 0.0 };
            right += if *open == Some(true) { 1.0 } else { 0.0 };
            *open = Some(true);
        }
    }
    let correct = if known > 0.0 { right * (units / known) } else { 0.0 };
    Evaluation { tokens: units, correct, ..figures }
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

    fn unit(&self) -> Unit {
        G::UNIT
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
        let wanted = rows.iter().flatten().map(|row| row.segment.piece);
        let Some(pieces) = self.train.learnt(wanted) else { return StepReport::default() };
        let batch = Batch::gather(|piece| &pieces[&piece], rows.iter().copied(), &*self.grammar);
        let masks = Masks { seed: self.seed, step: (at.epoch << 32) | at.step };
        let (dropouts, grammar, quarters) = (self.settings.dropouts(), &*self.grammar, self.quarters_per_token);
        let mut open: Vec<Option<bool>> =
            rows.iter().map(|row| row.is_some_and(|row| row.begins).then_some(true)).collect();
        let (found, report) = self.learner.step(&rows, learning_rate, |network, states| {
            let logits = network.forward(&batch, states, dropouts, Some(masks));
            let (loss, figures) = cross_entropy(logits.clone(), &batch.targets, &batch.weights);
            let found = Evaluation::of_batch(figures, figures.counted * quarters);
            (loss, by_units(found, &logits, &batch, grammar, &mut open))
        });
        StepReport {
            batch: found,
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let network = self.learner.of_models().valid();
        evaluate(&network, self.settings.window, &mut self.valid, &self.grammar).unwrap_or_default()
    }

    fn baselines(&self) -> Vec<Baseline> {
        let valid = counted(&self.valid);
        let mut baselines = ngram::baselines(&counted(&self.train), &valid, self.grammar.size());
        let predicted = || valid.iter().flat_map(|tokens| tokens.iter().skip(1));
        let units = predicted().filter(|token| self.grammar.completes(**token)).count();
        let tokens_a_unit = predicted().count() as f64 / units.max(1) as f64;
        baselines.iter_mut().for_each(|found| found.nats_per_token *= tokens_a_unit);
        baselines
    }

    fn save(&self) -> ModelFile {
        self.learner.save(self.as_trained())
    }

    fn checkpoint(&self) -> ModelFile {
        self.learner.checkpoint(self.as_trained())
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        let expected = self.as_trained().header;
        self.learner.resume(file, &expected)
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.learner.adopt(model)
    }

    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        let (own, old): (_, G) = (&self.grammar, grammar(base)?);
        let (size, sizes) = (old.size(), old.contexts());
        let tokens: Classes = (0..own.size() as u32)
            .map(|token| own.token_of(&old, TokenId(token)).map(|token| token.index()).filter(|token| *token < size))
            .collect();
        let of_traits = size..size + own.traits().iter().sum::<usize>();
        let is_same = own.traits() == old.traits();
        let of_traits = of_traits.map(|output| is_same.then_some(output));
        let outputs: Classes = tokens.iter().copied().chain(of_traits).collect();
        let context = |k: usize, values: usize| -> Classes {
            let of = |value: u32| own.context_of(&old, k, value).map(|value| value as usize);
            (0..values as u32).map(|value| of(value).filter(|value| *value < sizes[k])).collect()
        };
        let contexts: Vec<Classes> =
            own.contexts().into_iter().enumerate().map(|(k, values)| context(k, values)).collect();
        self.learner.begin_from(base, |name, axis| match (name, axis) {
            ("token.table", 0) => Some(tokens.clone()),
            ("output.weight" | "output.bias", 0) => Some(outputs.clone()),
            (_, 0) => {
                let k: usize = name.strip_prefix("contexts.")?.strip_suffix(".table")?.parse().ok()?;
                contexts.get(k).cloned()
            }
            _ => None,
        })
    }

    fn composer(&self) -> Box<dyn Composer> {
        (G::spec().load)(&self.save()).expect("a network's own file fits it")
    }
}
