//! On a small grammar: a piece is its bars, a bar its pitches one after another.

use super::repertoire::repertoire;
use super::*;
use crate::learner::Recurrent;
use crate::plan::{Row, Segment};
use crate::{
    Evaluation, Judge, ModelError, ModelFile, PieceError, Pieces, Precision, Shelf, StepAt, StepReport, TensorData,
    Trainable, checkpoint, seeded,
};
use burn::tensor::Device;
use cantus_nn::params::values_of;
use cantus_score::{Note, Part, Pitch, Reading, Ticks, TicksPerQuarter, Velocity};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const START: TokenId = TokenId(0);
const BAR: TokenId = TokenId(1);
const END: TokenId = TokenId(2);
const PITCHES: u32 = 3;
/// Pitches in a bar are counted up to so many.
const COUNTED: usize = 6;

static SPEC: ComposerSpec = ComposerSpec {
    id: "tunes",
    version: 1,
    writes: "tunes",
    suits: "tests",
    is_made_for: None,
    title: "Tunes",
    source: "none",
    departures: "none",
    reads: &[Reading::Merged],
    encoding: "tunes",
    around: &[],
    abilities: &[],
    controls: &[],
    configurations: &[],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Tunes>::new(settings, set, seed)?))),
    load: |_| Err(ModelError::Metadata { problem: "tunes are only learnt".to_owned() }),
};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tunes {
    range: (u8, u8),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

#[derive(Clone, Debug, Default)]
struct Count(usize);

impl Place for Count {
    fn read(&mut self, token: TokenId) {
        self.0 = if token == BAR { 0 } else { (self.0 + 1).min(COUNTED - 1) };
    }

    fn at(&self, _last: TokenId) -> (Ticks, TicksPerQuarter) {
        (Ticks::ZERO, TicksPerQuarter::DEFAULT)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        known.extend([self.0 as u32, (self.0 % 2) as u32]);
    }

    /// No piece begins within another.
    fn forbid(&self, logits: &mut [f32]) {
        logits[START.index()] = f32::NEG_INFINITY;
    }
}

impl Tunes {
    fn is_pitch(token: TokenId) -> bool {
        token.0 >= PITCHES
    }
}

impl Grammar for Tunes {
    type OwnSettings = Own;
    type Place<'g> = Count;

    const NAME: &'static str = "tunes";
    const PROTOCOL: &'static str = "all tokens but the first";
    const FORBIDS: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, transposition: u8) -> Result<Tunes, CreateError> {
        let pitches: Vec<u8> =
            set.all().flat_map(|piece| piece.notes().map(|note| note.pitch.get()).collect::<Vec<u8>>()).collect();
        let (low, high) = (pitches.iter().min(), pitches.iter().max());
        let (Some(low), Some(high)) = (low, high) else { return Err(CreateError::EmptyCorpus { what: "training" }) };
        Ok(Tunes { range: (low - transposition, high + transposition) })
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        token != END
    }

    fn size(&self) -> usize {
        PITCHES as usize + usize::from(self.range.1 - self.range.0) + 1
    }

    fn contexts(&self) -> Vec<usize> {
        vec![COUNTED, 2]
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        let mut tokens = vec![START];
        for bar in piece.bars() {
            tokens.push(BAR);
            let notes = piece.notes().filter(|note| (bar.start..bar.end()).contains(&note.onset));
            tokens.extend(notes.map(|note| TokenId(PITCHES + u32::from(note.pitch.get() - self.range.0))));
        }
        tokens.push(END);
        (tokens, false)
    }

    fn begin(&self, _tokens: &[TokenId]) -> Count {
        Count::default()
    }

    fn may_begin(&self, token: TokenId) -> bool {
        token == BAR
    }

    fn shifts(&self, _tokens: &[TokenId], transposition: u8) -> Range<i32> {
        -i32::from(transposition)..i32::from(transposition) + 1
    }

    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        if Tunes::is_pitch(token) { TokenId(token.0.saturating_add_signed(semitones)) } else { token }
    }
}

/// A tune of so many bars.
fn tune(bars: u64) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let note = |k: u64| Note {
        onset: Ticks(4 * k),
        pitch: Pitch::try_from(60 + (k * 5 % 12) as u8).unwrap(),
        duration: Ticks(4),
        velocity: Velocity::DEFAULT,
    };
    // The third quarter rests now and then.
    let notes = (0..bars * 4).filter(|k| k % 8 != 2).map(note).collect();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn set() -> TrainingSet {
    let tunes = |bars: &[u64]| bars.iter().map(|bars| tune(*bars)).collect();
    TrainingSet { train: tunes(&[4, 30, 11, 70, 6]), valid: tunes(&[9, 3, 17]), ..TrainingSet::default() }
}

fn pieces(transposition: u8) -> (Tunes, Vec<Piece>) {
    let grammar = Tunes::of(&set(), transposition).unwrap();
    let pieces = set().train.iter().map(|score| Piece::new(grammar.encode(&score).0, &grammar)).collect();
    (grammar, pieces)
}

fn outlines(transposition: u8) -> Vec<Outline> {
    let (grammar, pieces) = pieces(transposition);
    pieces.iter().map(|piece| Outline::of(&piece.tokens, 1.0, &grammar, transposition)).collect()
}

fn settings(window: usize) -> crate::Settings {
    serde_json::json!({"embedding": 9, "hidden": 14, "batch": 3, "window": window, "transposition": 0})
}

fn network(grammar: &Tunes, seed: u64) -> TokenNetwork {
    let (settings, _) = TokenSettings::read::<Own>(&settings(16)).unwrap();
    TokenNetwork::new(&settings, grammar, &mut seeded(seed), &Device::flex())
}

fn trainer() -> TokenTrainer<Tunes> {
    TokenTrainer::new(&settings(16), &set(), 1).unwrap()
}

const PLAIN: (f32, f32) = (0.0, 0.0);

fn whole(piece: usize, pieces: &[Piece]) -> Row {
    Row { segment: Segment { piece, shift: 0, tokens: 0..pieces[piece].predicted() }, begins: true }
}

/// Logits of one piece read at once: a row of `[V]` for each token.
fn alone(network: &TokenNetwork, piece: usize, pieces: &[Piece], grammar: &Tunes) -> Vec<f32> {
    let batch = Batch::gather(|k| &pieces[k], [Some(&whole(piece, pieces))].into_iter(), grammar);
    values_of(network.forward(&batch, &mut network.zeros(1), PLAIN, None))
}

#[test]
fn every_token_is_predicted_once_an_epoch_and_states_reset_where_segments_begin() {
    let pieces = outlines(6);
    for epoch in 0..5 {
        let plan = plan(&pieces, 3, 16, 7, epoch);
        let mut seen: Vec<Vec<usize>> = pieces.iter().map(|piece| vec![0; piece.predicted]).collect();
        let mut ends = vec![None; plan.rows()];
        for step in 0..plan.steps() {
            for (b, row) in plan.step(step).enumerate() {
                let Some(row) = row else { continue };
                let Segment { piece, tokens, .. } = &row.segment;
                tokens.clone().for_each(|k| seen[*piece][k] += 1);
                assert_eq!(ends[b] != Some((*piece, tokens.start)), row.begins);
                ends[b] = Some((*piece, tokens.end)).filter(|_| tokens.len() == 16);
            }
        }
        assert!(seen.iter().flatten().all(|count| *count == 1));
    }
}

#[test]
fn an_epoch_learns_from_one_of_several_takes() {
    let mut pieces = outlines(6);
    pieces[1].takes = 3;
    let mut taken = [0; 5];
    for epoch in 0..30 {
        let plan = plan(&pieces, 3, 16, 7, epoch);
        let mut seen = [0; 5];
        for row in (0..plan.steps()).flat_map(|step| plan.step(step)).flatten() {
            seen[row.segment.piece] += row.segment.tokens.len();
        }
        let whole: Vec<usize> = (0..5).filter(|piece| seen[*piece] == pieces[*piece].predicted).collect();
        assert_eq!(seen.iter().filter(|tokens| **tokens > 0).count(), 3, "{seen:?}");
        assert!(matches!(whole[..], [0, 1..=3, 4]), "{seen:?}");
        taken[whole[1]] += 1;
    }
    assert!(taken[1..=3].iter().all(|times| *times >= 4), "{taken:?}");
}

#[test]
fn what_is_forbidden_has_no_probability() {
    let (grammar, pieces) = pieces(0);
    let network = network(&grammar, 1);
    let logits = alone(&network, 1, &pieces, &grammar);
    for row in logits.chunks(grammar.size()) {
        assert!(row[START.index()] == f32::NEG_INFINITY && row[1..].iter().all(|logit| logit.is_finite()));
    }
}

#[test]
fn plans_are_a_function_of_seed_and_epoch() {
    let pieces = outlines(6);
    let plan = |seed, epoch| super::plan(&pieces, 3, 16, seed, epoch);
    assert_eq!(plan(1, 2), plan(1, 2));
    assert_ne!(plan(1, 2), plan(1, 3));
    assert_ne!(plan(1, 2), plan(2, 2));
}

#[test]
fn batches_are_transposed_as_a_whole() {
    let (grammar, pieces) = pieces(6);
    let batch = |shift| {
        let row = Row { segment: Segment { piece: 1, shift, tokens: 0..20 }, begins: true };
        Batch::gather(|k| &pieces[k], [Some(&row), None].into_iter(), &grammar)
    };
    let (plain, moved) = (batch(0), batch(3));
    assert_eq!(plain.weights.iter().sum::<f32>(), 20.0);
    assert!(plain.weights.iter().skip(1).step_by(2).all(|weight| *weight == 0.0));
    assert_eq!(plain.contexts, moved.contexts);
    let real = |k: &usize| plain.weights[*k] > 0.0;
    for k in (0..plain.targets.len()).filter(real) {
        let by = if Tunes::is_pitch(TokenId(plain.targets[k])) { 3 } else { 0 };
        assert_eq!(moved.targets[k], plain.targets[k] + by);
    }
}

#[test]
fn rows_know_nothing_of_their_neighbours_nor_of_padding() {
    let (grammar, pieces) = pieces(0);
    let network = network(&grammar, 1);
    let rows: Vec<Row> = (0..pieces.len()).map(|piece| whole(piece, &pieces)).collect();
    // An absent row in the midst, too.
    let listed = [Some(&rows[0]), None].into_iter().chain(rows[1..].iter().map(Some));
    let batch = Batch::gather(|k| &pieces[k], listed, &grammar);
    let logits = values_of(network.forward(&batch, &mut network.zeros(batch.rows), PLAIN, None));
    let size = grammar.size();
    for (number, piece) in pieces.iter().enumerate() {
        let b = if number == 0 { 0 } else { number + 1 };
        let found: Vec<f32> =
            (0..piece.predicted()).flat_map(|t| &logits[(t * batch.rows + b) * size..][..size]).copied().collect();
        assert_eq!(found, alone(&network, number, &pieces, &grammar), "piece {number}");
    }
}

#[test]
fn the_future_never_changes_past_logits() {
    let (grammar, mut pieces) = pieces(0);
    let network = network(&grammar, 2);
    let before = alone(&network, 0, &pieces, &grammar);
    let at = pieces[0].predicted() / 2;
    let other = TokenId(if pieces[0].tokens[at].0 == PITCHES { PITCHES + 1 } else { PITCHES });
    pieces[0].tokens[at] = other;
    let after = alone(&network, 0, &pieces, &grammar);
    let past = at * grammar.size();
    assert_eq!(before[..past], after[..past]);
    let mut later = before[past..].iter().zip(&after[past..]).filter(|(a, _)| a.is_finite());
    assert!(later.all(|(a, b)| a != b), "a change must be seen from then on");
}

#[test]
fn windows_with_a_carried_state_are_the_whole() {
    let (grammar, pieces) = pieces(0);
    let network = network(&grammar, 3);
    let mut states = network.zeros(1);
    let mut found = Vec::new();
    for start in (0..pieces[0].predicted()).step_by(7) {
        let tokens = start..pieces[0].predicted().min(start + 7);
        let row = Row { segment: Segment { piece: 0, shift: 0, tokens }, begins: start == 0 };
        let batch = Batch::gather(|k| &pieces[k], [Some(&row)].into_iter(), &grammar);
        found.extend(values_of(network.forward(&batch, &mut states, PLAIN, None)));
    }
    assert_eq!(found, alone(&network, 0, &pieces, &grammar));
}

#[test]
fn dropout_acts_in_training_alone_and_follows_seed_and_step() {
    let (grammar, pieces) = pieces(0);
    let network = network(&grammar, 4);
    let batch = Batch::gather(|k| &pieces[k], [Some(&whole(0, &pieces))].into_iter(), &grammar);
    let run = |masks| values_of(network.forward(&batch, &mut network.zeros(1), (0.2, 0.4), masks));
    assert_eq!(run(None), alone(&network, 0, &pieces, &grammar));
    let masks = |seed, step| Some(Masks { seed, step });
    assert_eq!(run(masks(1, 1)), run(masks(1, 1)));
    assert_ne!(run(masks(1, 1)), run(None));
    assert_ne!(run(masks(1, 1)), run(masks(1, 2)));
    assert_ne!(run(masks(1, 1)), run(masks(2, 1)));
}

#[test]
fn a_large_corpus_has_less_dropout_unless_it_is_chosen() {
    let read = |settings: serde_json::Value| TokenSettings::read::<Own>(&settings).map(|(settings, _)| settings);
    let fitted = |settings, tokens| read(settings).unwrap().fit(tokens).dropouts();
    let (input, hidden) = fitted(serde_json::json!({}), settings::MUCH - 1);
    let (large_input, large_hidden) = fitted(serde_json::json!({}), settings::MUCH);
    assert!(large_input < input && large_hidden < hidden);
    assert_eq!(fitted(serde_json::json!({"dropout": 0.3}), settings::MUCH), (large_input, 0.3));
    assert!(read(serde_json::json!({"dropout": 1.5})).is_err());
    assert!(read(serde_json::json!({"dropin": 0.1})).unwrap_err().contains("dropin"));
}

#[test]
fn pieces_judged_together_are_pieces_judged_one_by_one() {
    let mut trainer = trainer();
    for step in 0..2 {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    let evaluate = |pieces: &[Score]| {
        let grammar = Arc::new(Tunes::of(&set(), 0).unwrap());
        let mut repertoire = repertoire(&pieces.to_vec().into(), 1, &grammar, 0);
        let lengths: Vec<usize> = repertoire.outlines().iter().map(|outline| outline.predicted).collect();
        let network = trainer.network();
        (trainer::evaluate(&network, trainer.settings.window, &mut repertoire, &grammar).unwrap(), lengths)
    };
    // More pieces than a batch has rows, of many lengths, most of them longer than a window.
    let all: Vec<Score> = set().valid.iter().chain(set().train.iter()).map(Cow::into_owned).collect();
    let pieces: Vec<Score> = all.into_iter().cycle().take(trainer::VALIDATION_ROWS + 8).collect();
    let (together, lengths) = evaluate(&pieces);
    assert!(lengths.iter().any(|length| *length > 2 * trainer.settings.window));
    let mut apart = Evaluation::default();
    for piece in &pieces {
        apart += evaluate(std::slice::from_ref(piece)).0;
    }
    assert!((together.nats - apart.nats).abs() < 1e-6 * apart.nats, "{} {}", together.nats, apart.nats);
    assert_eq!((together.tokens, together.correct), (apart.tokens, apart.correct));
    assert!((together.quarters - apart.quarters).abs() < 1e-9);
    assert_eq!(together.tokens, lengths.iter().sum::<usize>() as f64);
}

#[test]
fn validation_does_not_depend_on_the_window() {
    let judged = |window| TokenTrainer::<Tunes>::new(&settings(window), &set(), 1).unwrap().validate();
    let (short, long) = (judged(5), judged(4000));
    assert!((short.nats - long.nats).abs() < 1e-6 * long.nats, "{} {}", short.nats, long.nats);
    assert_eq!((short.tokens, short.correct), (long.tokens, long.correct));
}

#[test]
fn a_loaded_model_judges_as_the_network_in_training() {
    let mut trainer = trainer();
    for step in 0..3 {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    let model = TokenModel::<Tunes>::load(&trainer.save()).unwrap();
    let (validated, mut judged) = (trainer.validate(), Evaluation::default());
    for piece in set().valid.iter() {
        let judgement = model.judge(&piece);
        assert!(!judgement.is_adjusted);
        judged += judgement.figures;
    }
    assert_eq!(judged.tokens, validated.tokens);
    // Judging reads weights of 16 bits.
    assert!((judged.nats - validated.nats).abs() < 1e-3 * validated.nats, "{} {}", judged.nats, validated.nats);
}

#[test]
fn a_step_whose_gradient_is_no_number_changes_nothing_and_says_so() {
    let mut trainer = trainer();
    let mut file = trainer.checkpoint();
    file.tensors.get_mut("output.bias").unwrap().values[0] = f32::INFINITY;
    file.tensors.retain(|name, _| !name.starts_with("carried."));
    let same = |a: &ModelFile, b: &ModelFile| {
        let tensors = |file: &ModelFile| -> Vec<Vec<u32>> {
            file.tensors.values().map(|tensor| tensor.values.iter().map(|x| x.to_bits()).collect()).collect()
        };
        tensors(a) == tensors(b)
    };
    trainer.resume(&file).unwrap();
    let before = trainer.save();
    let report = trainer.step(StepAt { epoch: 0, step: 0 }, 0.01);
    assert!(!report.finite, "{report:?}");
    assert!(same(&trainer.save(), &before));
}

/// The trainer, its rows as if they had just heard something.
fn haunted(mut trainer: TokenTrainer<Tunes>, rows: usize) -> TokenTrainer<Tunes> {
    let mut file = trainer.checkpoint();
    for (_, tensor) in file.tensors.iter_mut().filter(|(name, _)| name.starts_with("carried.")) {
        let hidden = tensor.shape[1];
        *tensor = TensorData { shape: vec![rows, hidden], values: vec![0.5; rows * hidden] };
    }
    trainer.resume(&file).unwrap();
    trainer
}

#[test]
fn a_new_step_after_a_resume_needs_no_state_of_another_batch_size() {
    let mut trainer = trainer();
    trainer.step(StepAt { epoch: 0, step: 0 }, 0.01);
    assert!(haunted(trainer, 7).step(StepAt { epoch: 0, step: 1 }, 0.01).finite);
}

#[test]
fn a_segment_begins_with_nothing_remembered() {
    let mut fresh = trainer();
    let rows = fresh.plan.step(0).count();
    let mut used = haunted(trainer(), rows);
    let at = StepAt { epoch: 0, step: 0 };
    assert!(fresh.plan.step(0).flatten().all(|row| row.begins));
    assert_eq!(used.step(at, 0.01), fresh.step(at, 0.01));
    // What one window leaves behind is heard in the next.
    let mut used = haunted(used, rows);
    let next = StepAt { epoch: 0, step: 1 };
    assert!(fresh.plan.step(1).flatten().any(|row| !row.begins));
    assert_ne!(used.step(next, 0.01), fresh.step(next, 0.01));
}

/// Pieces of which one is lost at some time.
#[derive(Debug)]
struct Losing {
    pieces: Pieces,
    number: usize,
    lost: Arc<AtomicBool>,
}

impl Shelf for Losing {
    fn count(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        match number == self.number && self.lost.load(Ordering::Relaxed) {
            true => Err(PieceError::new(&format!("{number}.mid"), std::io::Error::other("the disk is gone"))),
            false => Ok(self.pieces.get(number)),
        }
    }
}

#[test]
fn a_piece_that_cannot_be_had_any_more_changes_nothing_and_is_told() {
    let lost = Arc::new(AtomicBool::new(false));
    let of = |pieces: Pieces, number| Pieces::on(Losing { pieces, number, lost: Arc::clone(&lost) });
    let set = TrainingSet { train: of(set().train, 3), valid: of(set().valid, 9), ..TrainingSet::default() };
    let mut trainer = TokenTrainer::<Tunes>::new(&settings(16), &set, 1).unwrap();
    let before = trainer.save().to_bytes(Precision::Full).unwrap();
    lost.store(true, Ordering::Relaxed);
    assert!(trainer.validate().nats > 0.0 && set.check_whole().is_ok());
    let report = trainer.step(StepAt { epoch: 0, step: 0 }, 0.01);
    assert_eq!(report, StepReport::default());
    assert_eq!(trainer.save().to_bytes(Precision::Full).unwrap(), before);
    let said = set.check_whole().unwrap_err().to_string();
    assert!(said.starts_with("`3.mid`") && said.ends_with("the disk is gone"), "{said}");
}

#[test]
fn a_file_is_what_the_trainer_says() {
    let file = trainer().save();
    assert_eq!(file.header.encoding["tunes"], serde_json::json!({"range": [60, 71]}));
    assert_eq!(file.header.settings["hidden"], 14);
    assert_eq!(checkpoint::parameters(&file), trainer().parameters());
}
