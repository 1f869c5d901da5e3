use super::*;
use crate::lstm::fixture;
use cantus_model::TensorData;

fn trainer() -> ChordTrainer {
    ChordTrainer::new(&serde_json::to_value(fixture::settings()).unwrap(), &fixture::set(), 1).unwrap()
}

#[test]
fn pieces_judged_together_are_pieces_judged_one_by_one() {
    let mut trainer = trainer();
    for step in 0..2 {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    // More pieces than a batch has rows, of many lengths, most of them longer than a window.
    let pieces: Vec<Encoded> =
        trainer.valid.iter().chain(&trainer.train).cycle().take(VALIDATION_ROWS + 8).cloned().collect();
    assert!(pieces.iter().any(|piece| piece.predicted() > 2 * trainer.settings.window));
    let together = trainer.evaluate(&pieces);
    let mut apart = Evaluation::default();
    for piece in &pieces {
        apart += trainer.evaluate(std::slice::from_ref(piece));
    }
    assert!((together.nats - apart.nats).abs() < 1e-6 * apart.nats, "{} {}", together.nats, apart.nats);
    assert_eq!((together.tokens, together.correct), (apart.tokens, apart.correct));
    assert!((together.quarters - apart.quarters).abs() < 1e-9);
    assert_eq!(together.tokens, pieces.iter().map(Encoded::predicted).sum::<usize>() as f64);
}

#[test]
fn validation_does_not_depend_on_the_window() {
    let settings = |window: usize| {
        let settings = ChordSettings { window, ..fixture::settings() };
        serde_json::to_value(settings).unwrap()
    };
    let judged = |window| ChordTrainer::new(&settings(window), &fixture::set(), 1).unwrap().validate();
    let (short, long) = (judged(5), judged(4000));
    assert!((short.nats - long.nats).abs() < 1e-6 * long.nats, "{} {}", short.nats, long.nats);
    assert_eq!((short.tokens, short.correct), (long.tokens, long.correct));
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
fn haunted(mut trainer: ChordTrainer, rows: usize) -> ChordTrainer {
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
