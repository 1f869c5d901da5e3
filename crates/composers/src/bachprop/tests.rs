use super::model::Model;
use super::pieces::{Batch, Clock, Piece, Place, forbid_pitch, forbid_time, plan, repertoire};
use super::{SPEC, network, settings::Settings};
use burn::tensor::Device;
use cantus_encoding::note_triple::{GRID, Triple, Vocabulary};
use cantus_model::learner::Recurrent;
use cantus_model::plan::{Row, Segment};
use cantus_model::{
    CheckedSettings, ModelFile, Request, Sampling, StepAt, Trainable, TrainingSet, checkpoint, derive, seeded,
};
use cantus_nn::lstm::LstmState;
use cantus_score::{Meter, Note, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Two voices in 4/4: eighths, a triplet, 32nds, from quarter to quarter.
fn piece(number: usize) -> Score {
    let mut score = Score::new(GRID);
    score.meters.push((Ticks::ZERO, Meter::COMMON));
    score.tempos.push((Ticks::ZERO, Tempo::DEFAULT));
    let mut notes = Vec::new();
    let mut add = |onset: u64, pitch: usize, duration: u64| {
        let pitch = Pitch::try_from(pitch as u8).unwrap();
        notes.push(Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT });
    };
    for quarter in 0..16 + 4 * (number % 3) {
        let (start, pitch) = (48 * quarter as u64, 60 + (quarter * 5 + number) % 7);
        add(start, pitch - 12, 48);
        match quarter % 3 {
            0 => (0..2).for_each(|k| add(start + 24 * k, pitch, 24)),
            1 => (0..3).for_each(|k| add(start + 16 * k, pitch + k as usize, 16)),
            _ => [0, 6, 12, 24].into_iter().zip([6, 6, 12, 24]).for_each(|(at, long)| add(start + at, pitch, long)),
        }
    }
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..3).map(piece).collect(),
        valid: (3..5).map(piece).collect(),
        attacks: true,
        ..TrainingSet::default()
    }
}

fn settings(changes: &Value) -> Value {
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["precision"] = json!("single");
    settings["averaging"] = json!(0.0);
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    settings
}

fn trainer(changes: &Value) -> Box<dyn Trainable> {
    super::trainer::NoteTrainer::create(&settings(changes), &set(), 5).unwrap()
}

/// After so many steps.
fn learnt(changes: &Value, steps: u64) -> Box<dyn Trainable> {
    let mut trainer = trainer(changes);
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        assert!(trainer.step(at, 0.01).finite);
        at.step += 1;
        if at.step == trainer.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainer
}

fn model(file: &ModelFile) -> Model {
    Model::load(file).unwrap()
}

/// Nats of each decision of each note.
fn nats(model: &Model, score: &Score) -> Vec<[f64; 3]> {
    let piece = Piece::of(score, &model.vocabulary);
    model.judge(&[piece]).remove(0).iter().map(|judged| judged.nats).collect()
}

fn probabilities(logits: &[f32]) -> Vec<f64> {
    let all: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
    logits.iter().map(|z| f64::from(*z).exp() / all).collect()
}

#[test]
fn what_may_come_next_sums_to_one() {
    // Two pitches, two lengths, two times and the end.
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let note = |onset, pitch: u8, duration| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: vec![note(0, 60, 4), note(0, 61, 2), note(4, 60, 4)], ..Part::default() });
    let set = TrainingSet { train: vec![score.clone()].into(), valid: vec![score].into(), ..TrainingSet::default() };
    let trainer = super::trainer::NoteTrainer::create(&settings(&json!({})), &set, 2).unwrap();
    let model = model(&trainer.save());
    let place = Place::default();
    for before in [None, Some(0), Some(1)] {
        let before = before.map(|pitch| Triple { wait: 1, length: 0, pitch });
        let mut rows = model.rows(1);
        model.step(&[(before, place)], &mut rows);
        let mut times = model.decide(0, &[], &place, 0, &rows);
        forbid_time(before, &mut times);
        assert_eq!(times.len(), 3);
        let mut total = probabilities(&times)[2];
        for (wait, of_time) in probabilities(&times)[..2].iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let lengths = probabilities(&model.decide(1, &[wait as u32], &place, 0, &rows));
            for (length, of_length) in lengths.iter().enumerate() {
                let mut pitches = model.decide(2, &[wait as u32, length as u32], &place, 0, &rows);
                forbid_pitch(before, wait as u16, &mut pitches);
                total += probabilities(&pitches).iter().map(|p| p * of_time * of_length).sum::<f64>();
                // Below the higher one there is one, below the lower one none.
                let possible = pitches.iter().filter(|z| z.is_finite()).count();
                assert_eq!(possible, if wait == 0 && before.is_some() { 1 } else { 2 });
            }
        }
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }
}

#[test]
fn a_batch_costs_what_its_pieces_cost_one_by_one() {
    for changes in [json!({}), json!({"clock": false, "layers": 4}), json!({"ladder": false, "layers": 1})] {
        let mut trainer = learnt(&changes, 6);
        let expected: f64 = set().train.iter().flat_map(|piece| nats(&model(&trainer.save()), &piece)).flatten().sum();
        // An epoch that changes nothing.
        let epoch: Vec<_> =
            (0..trainer.steps(1)).map(|step| trainer.step(StepAt { epoch: 1, step }, 0.0).batch).collect();
        let (found, notes) =
            epoch.iter().fold((0.0, 0.0), |(nats, notes), batch| (nats + batch.nats, notes + batch.tokens));
        let count: usize = set().train.iter().map(|piece| piece.note_count() + 1).sum();
        assert_eq!(notes, count as f64);
        // Judging reads weights of 16 bits.
        assert!((found - expected).abs() < 2e-3 * expected, "{changes}: {found} {expected}");
    }
}

#[test]
fn the_loss_is_all_three_decisions_nats_a_note() {
    let settings = Settings::read(&settings(&json!({}))).unwrap();
    let vocabulary = Arc::new(Vocabulary::build(set().all(), 0).unwrap());
    let mut pieces = repertoire(&set().train, &vocabulary, 0);
    let plan = plan(pieces.outlines(), &settings, 1, 0);
    assert_eq!(plan.steps(), (0..plan.steps()).filter(|step| plan.step(*step).flatten().next().is_some()).count());
    let found = pieces.learnt([0]).unwrap();
    let end = found[&0].decided();
    let row = Row { segment: Segment { piece: 0, shift: 0, tokens: end - 5..end }, begins: true };
    let batch = Batch::gather(|piece| &*found[&piece], [Some(&row), None].into_iter(), &vocabulary);
    // Of the end no length and no pitch is decided, and of a row that is not there nothing.
    assert_eq!(batch.weights.clone().map(|weights| weights.iter().sum::<f32>()), [5.0, 4.0]);
    assert_eq!(batch.targets[0][8], vocabulary.waits().len() as u32);
    let network = network::Network::new(&settings, &vocabulary, &mut derive(1, "", &[]), &Device::flex().autodiff());
    let mut states: Vec<LstmState> = network.zeros(2);
    let (loss, figures) = network.loss(&settings, &batch, &mut states, network::Masks { seed: 0, step: 0 });
    let mean = figures.iter().map(|figures| figures.nats).sum::<f64>() / 5.0;
    assert!((f64::from(loss.into_scalar::<f32>()) - mean).abs() < 1e-5 * mean);
}

#[test]
fn a_time_is_decided_from_the_first_layer_a_length_from_two_and_a_pitch_from_all() {
    for (ladder, expected) in
        [(true, [[true, true, true], [false, true, true], [false, false, true]]), (false, [[true; 3]; 3])]
    {
        let file = trainer(&json!({"layers": 3, "ladder": ladder})).save();
        let before = nats(&model(&file), &piece(0));
        let moved = [0, 1, 2].map(|layer| {
            let mut file = file.clone();
            let bias = file.tensors.get_mut(&format!("lstms.{layer}.bias")).unwrap();
            bias.values.iter_mut().for_each(|x| *x += 0.5);
            let after = nats(&model(&file), &piece(0));
            [0, 1, 2].map(|decision| before.iter().zip(&after).any(|(a, b)| a[decision] != b[decision]))
        });
        assert_eq!(moved, expected, "ladder {ladder}");
    }
}

#[test]
fn the_clock_tells_where_in_which_bar() {
    let clock = Clock::of(&piece(0));
    assert_eq!(
        [0, 16, 48, 191, 192, 767].map(|at| clock.place(at)[..2].to_vec()),
        [[0, 0], [16, 0], [0, 1], [47, 3], [0, 0], [47, 3]]
    );
    assert_eq!([0, 192, 767, 5000].map(|at| clock.place(at)[3]), [3, 2, 0, 0]);
    let mut other = piece(0);
    other.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap())];
    for (has_clock, differs) in [(true, true), (false, false)] {
        let model = model(&trainer(&json!({"clock": has_clock})).save());
        assert_eq!(nats(&model, &piece(0)) != nats(&model, &other), differs);
    }
}

#[test]
fn the_future_changes_nothing_and_pieces_side_by_side_are_alone() {
    let model = model(&learnt(&json!({}), 4).save());
    let pieces: Vec<Piece> = (0..4).map(|number| Piece::of(&piece(number), &model.vocabulary)).collect();
    let together = model.judge(&pieces);
    for (number, judged) in together.iter().enumerate() {
        let alone = nats(&model, &piece(number));
        assert_eq!(judged.iter().map(|judged| judged.nats).collect::<Vec<_>>(), alone);
        let mut cut = pieces[number].clone();
        cut.notes.truncate(20);
        let cut = model.judge(&[cut]).remove(0);
        assert!((0..20).all(|k| cut[k].nats == judged[k].nats));
    }
}

#[test]
fn triplets_and_32nds_are_composed_as_they_were_learnt() {
    let trainer = learnt(&json!({"hidden": 48, "units": 32}), 150);
    let composer = trainer.composer();
    let told = composer.describe().into_iter().find(|(name, _)| name == "grid").unwrap().1;
    assert_eq!(told, "48 steps a quarter");
    let mut places = BTreeSet::new();
    for seed in 0..4 {
        let request = Request::new(8, Sampling::default());
        let score = composer.compose(&request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score;
        assert_eq!(score.ticks_per_quarter, GRID);
        places.extend(score.notes().map(|note| note.onset.0 % 48));
    }
    assert!([0, 6, 12, 16, 24, 32].iter().all(|place| places.contains(place)), "{places:?}");
}

#[test]
fn a_model_says_what_each_decision_costs() {
    let mut trainer = learnt(&json!({}), 10);
    let total = trainer.validate();
    let file = trainer.save();
    let told = model(&file).nats.unwrap();
    let notes: usize = set().valid.iter().map(|piece| piece.note_count()).sum();
    let of_notes = total.nats - total.beside.unwrap();
    assert!((f64::from(told.iter().sum::<f32>()) * notes as f64 - of_notes).abs() < 1e-3 * of_notes);
    let composer = trainer.composer();
    assert!(composer.describe().iter().any(|(name, told)| name == "nats a note" && told.contains("pitch")));
    assert_eq!(composer.charts()[0].bars.len(), 3);
    assert!(checkpoint::parameters(&file) - trainer.parameters() == 3);
}

#[test]
fn a_base_of_another_vocabulary_gives_what_both_know() {
    let base = learnt(&json!({}), 30);
    let mut longer = piece(1);
    longer.parts[0].notes.push(Note {
        onset: Ticks(2000),
        pitch: Pitch::C4,
        duration: Ticks(300),
        velocity: Velocity::DEFAULT,
    });
    let other = TrainingSet { train: vec![longer, piece(2)].into(), ..set() };
    let mut trainer = super::trainer::NoteTrainer::create(&settings(&json!({})), &other, 9).unwrap();
    let before = trainer.validate().per_token();
    trainer.begin_from(&base.save()).unwrap();
    let mut expected = base;
    let (after, ended) = (trainer.validate().per_token(), expected.validate().per_token());
    assert!(after < 0.5 * (before + ended), "{before} {after} {ended}");
}
