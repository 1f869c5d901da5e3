use super::*;
use cantus_corpus::Piece;
use cantus_score::{Part, Pitch, Ticks, TicksPerQuarter, Velocity};

fn score(pitches: impl Iterator<Item = u8>) -> Score {
    let note = |(k, pitch): (usize, u8)| Note {
        onset: Ticks(2 * k as u64),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(2),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.parts.push(Part { notes: pitches.enumerate().map(note).collect(), ..Part::default() });
    score
}

/// 128 eighths that wander through an octave and a half.
fn melody(seed: u64) -> Score {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    score((0..128).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        60 + ((state >> 33) % 18) as u8
    }))
}

fn doctor(pieces: u64) -> Doctor {
    let piece = |seed: u64| {
        let score = melody(seed);
        let prepared = prepare(&score, &Options::lenient()).unwrap();
        let split = if seed.is_multiple_of(4) { Split::Valid } else { Split::Train };
        Piece::new(format!("{seed}.mid"), prepared.hash, split, &prepared.score)
    };
    let corpus = Corpus { pieces: (0..pieces).map(piece).collect(), report: Default::default(), attacks: true };
    Doctor::new(&corpus).unwrap()
}

#[test]
fn new_music_is_well() {
    let doctor = doctor(16);
    let trial = doctor.look_at(&[melody(100), melody(101)]);
    assert_eq!((trial.pieces, trial.longest_run < 5), (2, true));
    assert!(trial.copied.unwrap() < 0.01 && trial.pitch_entropy.unwrap() > 3.5, "{trial:?}");
    assert_eq!(doctor.findings(&trial), Findings::default());
    assert_eq!(doctor.findings(&doctor.look_at(&[])), Findings::default(), "nothing composed, nothing found");
}

#[test]
fn copies_are_found_in_any_key() {
    let doctor = doctor(16);
    let trial = doctor.look_at(&[melody(1).transposed(5).unwrap(), melody(100)]);
    assert!((trial.copied.unwrap() - 0.5).abs() < 0.01, "{trial:?}");
    let findings = doctor.findings(&trial);
    assert!(findings.copying.unwrap().starts_with("50.0% of the 8-note runs of 2 compositions"));
    assert_eq!(findings.loops, None);
    // A piece that was kept from learning is no copy.
    assert_eq!(doctor.findings(&doctor.look_at(&[melody(0), melody(4)])).copying, None);
}

#[test]
fn loops_are_found_and_those_of_the_corpus_are_its_style() {
    let doctor = doctor(16);
    let one_note = score(std::iter::repeat_n(60, 100));
    let found = doctor.findings(&doctor.look_at(&[melody(100), one_note])).loops.unwrap();
    assert_eq!(found, "a composition strikes one chord 100 times in a row");
    let two_notes = score((0..100).map(|k| 60 + k % 2));
    let found = doctor.findings(&doctor.look_at(&[two_notes])).loops.unwrap();
    assert!(found.starts_with("the compositions' pitch entropy is 1.0 bits, the corpus's 4."), "{found}");
    let drone = Doctor { longest_run: 40, ..doctor };
    let thirty = score(std::iter::repeat_n(60, 30).chain((0..100).map(|k| 60 + k % 17)));
    assert_eq!(drone.findings(&drone.look_at(&[thirty])).loops, None);
}

/// The pulse after these losses, and at which of them it found a collapse.
fn collapses(losses: &[f64]) -> Vec<usize> {
    let mut pulse = Pulse::default();
    let batch = |nats: f64| Evaluation { nats, tokens: 1.0, quarters: 1.0, correct: 0.0, beside: None };
    (0..losses.len()).filter(|k| pulse.beat(&batch(losses[*k])).is_some()).collect()
}

#[test]
fn a_loss_that_goes_crazy_is_a_collapse_and_one_that_falls_is_not() {
    let falling: Vec<f64> = (0..200).map(|k| 5.0 * (-0.02 * f64::from(k)).exp()).collect();
    assert!(collapses(&falling).is_empty());
    let mut crazy = falling[..60].to_vec();
    crazy.extend([40.0; 5]);
    assert_eq!(collapses(&crazy).first(), Some(&60));
    // One odd batch, twice as bad, is none.
    let mut odd = falling[..30].to_vec();
    odd.push(2.0 * odd[29]);
    odd.extend(&falling[30..]);
    assert!(collapses(&odd).is_empty());
    // Next to nothing, three times more is still next to nothing.
    let heart: Vec<f64> = [4.0].into_iter().chain([0.01; 100]).chain([0.05; 20]).collect();
    assert!(collapses(&heart).is_empty());
    assert!(collapses(&[f64::NAN, 4.0, f64::INFINITY, 4.0]).is_empty(), "these are counted elsewhere");
}

#[test]
fn a_few_silent_rows_at_the_end_of_an_epoch_are_no_best() {
    let batch = |nats: f64, tokens: f64| Evaluation { nats: nats * tokens, tokens, ..Evaluation::default() };
    let mut pulse = Pulse::default();
    for _ in 0..5 {
        let full = (0..100).map(|_| batch(0.2, 32.0));
        let tail = (0..20).map(|_| batch(0.01, 1.0));
        assert!(full.chain(tail).all(|batch| pulse.beat(&batch).is_none()));
    }
    // A jump is one all the same.
    assert!((0..10).any(|_| pulse.beat(&batch(2.0, 32.0)).is_some()));
}

#[test]
fn unlearning_is_a_rise_above_the_baseline() {
    assert!(unlearns(4.6, 4.0, 3.2));
    assert!(!unlearns(4.2, 4.0, 3.2), "noise");
    assert!(!unlearns(3.0, 2.0, 3.2), "still better than the baseline");
    assert!(!unlearns(9.0, f64::INFINITY, 3.2), "the first epoch has nothing to be held against");
}

#[test]
fn overfitting_takes_both_a_fall_and_a_rise() {
    assert!(is_overfitting(3, (2.0, 3.0), (1.5, 3.2)));
    assert!(!is_overfitting(2, (2.0, 3.0), (1.5, 3.2)), "too early to say");
    assert!(!is_overfitting(9, (2.0, 3.0), (2.1, 3.2)), "training rises, too");
    assert!(!is_overfitting(9, (2.0, 3.0), (1.5, 3.03)), "next to no rise");
}

#[test]
fn remarks_begin_with_the_name_of_the_illness() {
    let remark = Remark { illness: Some(Illness::OneNoteLoop), text: "a text".to_owned() };
    assert_eq!(remark.to_string(), "one-note loop: a text");
    assert_eq!(serde_json::to_string(&remark).unwrap(), r#"{"illness":"one-note-loop","text":"a text"}"#);
    let plain: Remark = serde_json::from_str(r#"{"text":"a text"}"#).unwrap();
    assert_eq!((plain.to_string(), plain.illness), ("a text".to_owned(), None));
}

#[test]
fn a_generator_that_draws_one_phrase_is_named() {
    assert_eq!(sameness(0.9, 10), None);
    assert_eq!(sameness(0.1, 1), None, "it has just begun");
    let found = sameness(0.31, 2).unwrap();
    assert!(found.starts_with("drawn phrases differ by 31% of what real ones do"), "{found}");
    assert_eq!(Illness::Sameness.to_string(), "mode collapse");
}
