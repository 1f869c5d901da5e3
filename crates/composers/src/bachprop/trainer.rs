//! Learning.

use super::model::{Judged, Model, NATS, vocabulary};
use super::network::{Masks, Network};
use super::pieces::{Batch, Piece, PieceReader, numbers, plan, repertoire};
use super::player::{Player, protocol};
use super::settings::Settings;
use super::{DECISIONS, SPEC};
use burn::tensor::Device;
use cantus_encoding::TokenId;
use cantus_encoding::note_triple::Vocabulary;
use cantus_model::learner::Learner;
use cantus_model::plan::{Plan, Row};
use cantus_model::transplant::Classes;
use cantus_model::{
    Baseline, CheckedSettings, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile,
    Regime, Repertoire, Schedule, StepAt, StepReport, TensorData, Trainable, TrainingSet, Unit, checkpoint, ngram,
};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::derive;
use std::sync::Arc;

/// Of more notes only those of every so many pieces are counted.
const MOST_COUNTED: usize = 2_000_000;
/// Of the pieces that are judged, so many notes are held at once.
const MOST_JUDGED: usize = 200_000;

/// A network in training.
pub(super) struct NoteTrainer {
    settings: Settings,
    seed: u64,
    vocabulary: Arc<Vocabulary>,
    habits: Habits,
    train: Repertoire<PieceReader>,
    valid: Repertoire<PieceReader>,
    learner: Learner<Network>,
    plan: Plan,
    /// Quarter notes to a note of the training pieces.
    quarters_per_note: f64,
    /// Nats a note of each decision, from a validation up to the next step.
    nats: Option<[f64; 3]>,
}

impl NoteTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without music.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        set.check_sounding()?;
        let vocabulary = Arc::new(Vocabulary::build(set.all(), settings.transposition)?);
        let train = repertoire(&set.train, &vocabulary, settings.transposition);
        let valid = repertoire(&set.valid, &vocabulary, 0);
        Repertoire::check(&train, &valid)?;
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &vocabulary, &mut derive(seed, "parameters", &[]), &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        let quarters: f64 = train.outlines().iter().map(|piece| piece.quarters).sum();
        Ok(Box::new(NoteTrainer {
            plan: plan(train.outlines(), &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            habits: Habits::of(set),
            quarters_per_note: quarters / train.length() as f64,
            settings,
            seed,
            vocabulary,
            train,
            valid,
            nats: None,
        }))
    }

    fn plan_for(&self, epoch: u64) -> Plan {
        plan(self.train.outlines(), &self.settings, self.seed, epoch)
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ SPEC.encoding: *self.vocabulary });
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), encoding, &self.habits)
    }

    /// What is counted of pieces: their decisions, one after another, numbered through.
    fn counted(&self, pieces: &Repertoire<PieceReader>) -> Vec<Vec<TokenId>> {
        let (waits, lengths) = (self.vocabulary.waits().len() as u32 + 1, self.vocabulary.lengths().len() as u32);
        // The end is a time, too; the first one is given, as the beginning.
        let end = TokenId(waits - 1);
        let tokens = |piece: Piece| {
            let notes = piece.notes.into_iter().flat_map(|note| {
                let [wait, length, pitch] = numbers(note);
                [wait, waits + length, waits + lengths + pitch].map(TokenId)
            });
            std::iter::once(end).chain(notes).chain([end]).collect()
        };
        pieces.counted(MOST_COUNTED).into_iter().map(tokens).collect()
    }
}

impl Trainable for NoteTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        let Settings { learning_rate, warmup, patience, epochs, .. } = self.settings;
        Regime { learning_rate, schedule: Schedule::WarmupStableDecay { warmup }, patience, epochs }
    }

    fn likelihood(&self) -> Kind {
        Kind::Exact
    }

    fn unit(&self) -> Unit {
        Unit::Note
    }

    fn protocol(&self) -> String {
        protocol(&self.settings)
    }

    fn steps(&self, epoch: u64) -> u64 {
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { self.plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        // What was known of the parameters before.
        self.nats = None;
        if self.plan.epoch() != at.epoch {
            self.plan = self.plan_for(at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let wanted = rows.iter().flatten().map(|row| row.segment.piece);
        let Some(pieces) = self.train.learnt(wanted) else { return StepReport::default() };
        let batch = Batch::gather(|piece| &*pieces[&piece], rows.iter().copied(), &self.vocabulary);
        let masks = Masks { seed: self.seed, step: (at.epoch << 32) | at.step };
        let settings = &self.settings;
        let (figures, report) =
            self.learner.step(&rows, learning_rate, |network, states| network.loss(settings, &batch, states, masks));
        let nats: f64 = figures.iter().map(|figures| figures.nats).sum();
        let notes = figures[0].counted;
        let correct = figures.iter().map(|figures| figures.correct).min().unwrap_or(0) as f64;
        StepReport {
            batch: Evaluation {
                nats,
                tokens: notes,
                quarters: notes * self.quarters_per_note,
                correct,
                ..Evaluation::default()
            },
            gradient_norm: report.gradient_norm,
            finite: report.finite && nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let model = Model::load(&self.save()).expect("a network's own file fits it");
        let (mut total, mut nats, mut notes) = (Evaluation::default(), [0.0; 3], 0.0);
        for pieces in self.valid.portions(MOST_JUDGED) {
            for (piece, judged) in pieces.iter().zip(model.judge(&pieces)) {
                let mut figures = Evaluation { quarters: piece.quarters, ..Evaluation::default() };
                judged.iter().for_each(|judged| judged.add_to(&mut figures));
                total += figures;
                let of_notes = |judged: &&Judged| !judged.is_end;
                for judged in judged.iter().filter(of_notes) {
                    nats.iter_mut().zip(judged.nats).for_each(|(sum, nats)| *sum += nats);
                    notes += 1.0;
                }
            }
        }
        // Where no piece could be had, nothing is known.
        self.nats = (notes > 0.0).then(|| nats.map(|nats| nats / notes));
        total
    }

    /// Counting models of the decisions; so many of them make a note.
    fn baselines(&self) -> Vec<Baseline> {
        let classes =
            self.vocabulary.waits().len() + 1 + self.vocabulary.lengths().len() + self.vocabulary.pitch_count();
        let (train, valid) = (self.counted(&self.train), self.counted(&self.valid));
        let decisions: usize = valid.iter().map(|tokens| tokens.len() - 1).sum();
        let notes: usize = valid.iter().map(|tokens| (tokens.len() - 2) / 3 + 1).sum();
        let by_note = |baseline: Baseline| Baseline {
            nats_per_token: baseline.nats_per_token * decisions as f64 / notes.max(1) as f64,
            ..baseline
        };
        ngram::baselines(&train, &valid, classes).into_iter().map(by_note).collect()
    }

    fn save(&self) -> ModelFile {
        let mut file = self.learner.save(self.as_trained());
        if let Some(nats) = self.nats {
            let values = nats.iter().map(|nats| *nats as f32).collect();
            file.tensors.insert(NATS.to_owned(), TensorData { shape: vec![DECISIONS.len()], values });
        }
        file
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
        let (own, old) = (Arc::clone(&self.vocabulary), vocabulary(base)?);
        let among = |own: &[u32], old: &[u32]| -> Classes { own.iter().map(|k| old.binary_search(k).ok()).collect() };
        let pitches = |of: &Vocabulary| (of.pitch_range().0..=of.pitch_range().1).map(u32::from).collect::<Vec<u32>>();
        let of = [
            (among(own.waits(), old.waits()), old.waits().len()),
            (among(own.lengths(), old.lengths()), old.lengths().len()),
            (among(&pitches(&own), &pitches(&old)), old.pitch_count()),
        ];
        // One class more: the beginning, or the end.
        let with_more = |decision: usize| -> Classes {
            let (classes, more) = &of[decision];
            classes.iter().copied().chain([Some(*more)]).collect()
        };
        self.learner.begin_from(base, |name, axis| {
            let mut parts = name.split('.');
            match (parts.next()?, parts.next()?.parse::<usize>().ok()?, parts.next()?, axis) {
                ("read", decision, _, 0) => Some(with_more(decision)),
                ("heads", 0, "output", 0) => Some(with_more(0)),
                ("heads", decision, "output", 0) => Some(of[decision].0.clone()),
                ("heads", decision, "known", 0) => {
                    let known: usize = parts.next()?.parse().ok()?;
                    match known {
                        0 => Some(with_more(0)),
                        // What comes after the decisions is the place.
                        _ => (known < decision).then(|| of[known].0.clone()),
                    }
                }
                _ => None,
            }
        })
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(Player::load(&self.save()).expect("a network's own file fits it"))
    }
}
