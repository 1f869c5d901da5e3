//! Learning, and going on after a stop as if there had been none.

use crate::corpus;
use crate::subject::{BEGINNING, compose, each, request, steps};
use cantus_model::{
    Evaluation, Kind, ModelError, ModelFile, PieceError, Pieces, Precision, Shelf, StepAt, StepReport, TensorData,
    Trainable, TrainingSet,
};
use cantus_score::Score;
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The weakest and the strongest of what a network must beat.
fn baselines(trainable: &dyn Trainable) -> (f64, f64) {
    let found = trainable.baselines();
    let nats = |at: usize| found[at].nats_per_token;
    assert!(found.len() >= 2 && found.iter().all(|baseline| baseline.nats_per_token > 0.0), "{found:?}");
    (nats(0), nats(found.len() - 1))
}

#[test]
fn a_small_corpus_is_learnt_by_heart() {
    each(|subject| {
        let mut trainable = subject.with(&json!({"dropout": 0.0, "input_dropout": 0.0})).create(&corpus::by_heart(), 1);
        let before = trainable.validate().per_token();
        // Who begins with what the corpus has counted, and copies, is under the weakest baseline from the first.
        let (weakest, strongest) = baselines(trainable.as_ref());
        let half = 0.5 * weakest.min(before);
        // Whose figure is no likelihood may be as near as the strongest of what it is held against.
        let is_surrogate = matches!(trainable.likelihood(), Kind::Surrogate | Kind::None);
        let bound = if is_surrogate { half.max(1.01 * strongest).min(0.5 * before) } else { half };
        let (mut at, mut found) = (BEGINNING, before);
        for _ in 0..20 {
            at = steps(trainable.as_mut(), at, 30, 0.01).1;
            found = trainable.validate().per_token();
            if found < bound {
                break;
            }
        }
        println!("{before} -> {found} (bound {bound}) at {at:?}");
        assert!(found < bound, "{before} -> {found}, which is not under {bound}");
    });
}

#[test]
fn a_judge_says_of_pieces_what_validation_says() {
    each(|subject| {
        let set = corpus::set();
        let mut trainable = subject.create(&set, 8);
        steps(trainable.as_mut(), BEGINNING, 5, 0.01);
        let (composer, expected) = (trainable.composer(), trainable.validate());
        let Some(judge) = composer.judge() else { return };
        // Who learns by what is no likelihood is judged by one all the same.
        if trainable.likelihood() == Kind::Surrogate && judge.kind() != Kind::Surrogate {
            let found: f64 = set.valid.iter().map(|piece| judge.judge(&piece).figures.nats).sum();
            assert!(found.is_finite() && found > 0.0 && trainable.protocol() != judge.protocol());
            return;
        }
        let mut found = Evaluation::default();
        for piece in set.valid.iter() {
            let judgement = judge.judge(&piece);
            assert!(!judgement.is_adjusted, "the vocabulary was built from these pieces");
            let bars = judgement.by_bar(&piece);
            let (all, of_bars): (f64, f64) = (judgement.figures.nats, bars.iter().sum());
            assert!((all - of_bars).abs() < 1e-6 * all.max(1.0), "bars have {of_bars} nats, the piece has {all}");
            assert_eq!(bars.len(), piece.bars().count());
            let told = bars.iter().filter(|nats| **nats > 0.0).count();
            let moments = &judgement.moments;
            // Who chooses among candidates chooses several bars at once.
            let expected = if judge.kind() == Kind::Ranking { moments.len() } else { bars.len() };
            assert!(2 * told > expected, "something is predicted in most bars: {bars:?}");
            assert_eq!(moments.len() as f64, judgement.figures.tokens);
            assert!(moments.windows(2).all(|pair| pair[0].at <= pair[1].at), "in order of time");
            found += judgement.figures;
        }
        assert!((found.nats / expected.nats - 1.0).abs() < 1e-4, "{found:?} {expected:?}");
        assert!((found.quarters - expected.quarters).abs() < 1e-9);
        assert_eq!((found.tokens, found.correct), (expected.tokens, expected.correct));
        // What is beside the notes is told apart alike, and is a part of the whole.
        assert_eq!(found.beside.is_some(), expected.beside.is_some());
        if let (Some(found_beside), Some(expected_beside)) = (found.beside, expected.beside) {
            assert!((found_beside - expected_beside).abs() < 1e-4 * found.nats, "{found:?} {expected:?}");
            assert!((0.0..0.9 * found.nats).contains(&found_beside), "{found:?}");
        }
        assert_eq!((judge.kind(), judge.protocol()), (trainable.likelihood(), trainable.protocol()));
    });
}

#[test]
fn validation_falls_below_the_weakest_baseline() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 2);
        let (weakest, strongest) = baselines(trainable.as_ref());
        assert!(strongest < weakest, "baselines are listed from the weakest to the strongest");
        let (mut at, mut best) = (BEGINNING, f64::INFINITY);
        for _ in 0..20 {
            at = steps(trainable.as_mut(), at, 30, 0.005).1;
            let evaluation = trainable.validate();
            assert!(evaluation.nats.is_finite() && evaluation.tokens > 0.0 && evaluation.quarters > 0.0);
            assert!((0.0..=1.0).contains(&evaluation.accuracy()));
            assert_eq!(trainable.validate(), evaluation, "judging changes nothing");
            best = best.min(evaluation.per_token());
            if best < weakest {
                break;
            }
        }
        println!("{best} (to beat: {weakest}) at {at:?}");
        assert!(best < weakest, "{best} is not under {weakest}");
    });
}

#[test]
fn every_step_reports_its_batch_and_an_epoch_sees_the_same_number_of_tokens_whenever_it_comes() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 3);
        let ahead = trainable.steps(1);
        let mut tokens = [0.0, 0.0];
        for epoch in 0..2 {
            for step in 0..trainable.steps(epoch) {
                let report = trainable.step(StepAt { epoch, step }, 0.002);
                assert!(report.finite && report.gradient_norm > 0.0 && report.batch.nats > 0.0, "{report:?}");
                assert!((0.0..=1.0).contains(&report.batch.accuracy()) && report.batch.quarters > 0.0, "{report:?}");
                tokens[epoch as usize] += report.batch.tokens;
            }
        }
        assert_eq!(trainable.steps(1), ahead);
        assert_eq!(tokens[0], tokens[1]);
    });
}

#[test]
fn the_seed_alone_decides_a_training() {
    each(|subject| {
        let run = |seed| {
            let mut trainable = subject.create(&corpus::set(), seed);
            steps(trainable.as_mut(), BEGINNING, 4, 0.01).0
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    });
}

#[test]
fn a_training_goes_on_from_a_model_of_other_music() {
    // One metre; then two, with other lengths and pitches. Judged by what the model has learnt.
    let pieces = |numbers: &[usize]| -> Pieces { numbers.iter().map(|number| corpus::piece(*number)).collect() };
    let before = TrainingSet { train: pieces(&[0, 2]), valid: pieces(&[0]), ..corpus::set() };
    let after = TrainingSet { train: pieces(&[0, 1, 2, 3]), ..before.clone() };
    each(|subject| {
        let mut base = subject.create(&before, 1);
        steps(base.as_mut(), BEGINNING, 100, 0.01);
        let (model, ended) = (reread(&base.save()), base.validate());
        // Who estimates draws by its seed: that is the same.
        let mut same = subject.create(&before, 1);
        same.begin_from(&model).unwrap();
        assert_eq!(same.validate(), ended, "on the same music it begins where the model ended");
        compose(same.composer().as_ref(), &request(4), 1).unwrap();
        let mut other = subject.create(&after, 3);
        let from_nothing = other.validate().per_token();
        match other.begin_from(&model) {
            Ok(()) => {
                let begun = other.validate().per_token();
                println!("{from_nothing} from nothing, {begun} from the model, which ended at {}", ended.per_token());
                assert!(begun < 0.5 * (from_nothing + ended.per_token()), "it knows little of what the model knew");
                // What goes on can stop and go on.
                let (_, at) = steps(other.as_mut(), BEGINNING, 2, 0.01);
                let checkpoint = reread(&other.checkpoint());
                let mut resumed = subject.create(&after, 3);
                resumed.resume(&checkpoint).unwrap();
                let going_on = steps(other.as_mut(), at, 2, 0.01).0;
                assert_eq!(steps(resumed.as_mut(), at, 2, 0.01).0, going_on);
            }
            // Whose words are all of one kind cannot tell which of them are alike.
            Err(error @ ModelError::OtherVocabulary { .. }) => {
                assert!(error.to_string().contains(subject.spec.id), "{error}");
                assert_eq!(other.validate().per_token(), from_nothing, "what is refused changes nothing");
            }
            Err(error) => panic!("{error}"),
        }
    });
}

fn reread(file: &ModelFile) -> ModelFile {
    ModelFile::from_bytes(&file.to_bytes(Precision::Full).unwrap()).unwrap()
}

#[test]
fn a_training_goes_on_as_if_never_stopped() {
    each(|subject| {
        let mut unstopped = subject.create(&corpus::set(), 7);
        let epoch = unstopped.steps(0);
        assert!(epoch >= 6, "{epoch} steps are too few to stop within");
        let (mut at, mut done) = (BEGINNING, 0);
        // In the middle of the first epoch, at its end, in the middle of the second.
        for stop in [epoch / 2, epoch, epoch + epoch / 2] {
            at = steps(unstopped.as_mut(), at, stop - done, 0.01).1;
            let mut resumed = subject.create(&corpus::set(), 7);
            resumed.resume(&reread(&unstopped.checkpoint())).unwrap();
            assert_eq!(resumed.checkpoint(), unstopped.checkpoint());
            let (expected, end) = steps(unstopped.as_mut(), at, 3, 0.01);
            assert_eq!(steps(resumed.as_mut(), at, 3, 0.01).0, expected, "stopped at {at:?}");
            assert_eq!(resumed.save(), unstopped.save());
            assert_eq!(resumed.validate(), unstopped.validate());
            (at, done) = (end, stop + 3);
        }
    });
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_name() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 7);
        let at = steps(trainable.as_mut(), BEGINNING, 2, 0.01).1;
        let (before, checkpoint) = (trainable.checkpoint(), trainable.checkpoint());
        let mut refused = |file: &ModelFile, word: &str| match trainable.resume(file) {
            Err(ModelError::OtherTraining { what }) => assert!(what.contains(word), "{what}"),
            other => panic!("{word}: {other:?}"),
        };
        let mut settings_tried = 0;
        for (key, value) in subject.settings.as_object().unwrap() {
            let other = match value.as_f64() {
                Some(x) if value.is_f64() => json!(x * 0.5 + 0.01),
                Some(x) => json!(x as u64 + 1),
                None => continue,
            };
            let mut settings = subject.settings.clone();
            settings[key] = other;
            let Ok(other) = subject.spec.creates().unwrap()(&settings, &corpus::set(), 7) else { continue };
            refused(&other.checkpoint(), "settings");
            settings_tried += 1;
        }
        assert!(settings_tried > 2);
        refused(&subject.create(&corpus::transposed(1), 7).checkpoint(), "vocabulary");
        let mut foreign = checkpoint.clone();
        foreign.header.composer = "other".to_owned();
        refused(&foreign, "composer");
        let mut foreign = checkpoint.clone();
        foreign.header.composer_version += 1;
        refused(&foreign, "version");
        // A refusal leaves the training as it was.
        assert_eq!(trainable.checkpoint(), before);
        let mut twin = subject.create(&corpus::set(), 7);
        twin.resume(&checkpoint).unwrap();
        assert_eq!(steps(trainable.as_mut(), at, 2, 0.01), steps(twin.as_mut(), at, 2, 0.01));
    });
}

#[test]
fn a_damaged_checkpoint_is_refused_and_leaves_the_training_alone() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 7);
        let at = steps(trainable.as_mut(), BEGINNING, 2, 0.01).1;
        let whole = trainable.checkpoint();
        steps(trainable.as_mut(), at, 1, 0.01);
        let now = trainable.checkpoint();
        assert_ne!(whole, now);
        let state = |name: &&String| !trainable.save().tensors.contains_key(*name);
        assert!(whole.tensors.keys().any(|name| state(&name)), "nothing of the optimiser in it");
        for name in whole.tensors.keys() {
            for shape in [vec![1_000_000_000_000, 0], vec![3]] {
                let mut damaged = whole.clone();
                let values = vec![0.5; shape.iter().product()];
                damaged.tensors.insert(name.clone(), TensorData { shape: shape.clone(), values });
                // What only composing needs is made anew by a training.
                let refused = trainable.resume(&damaged).is_err();
                let kept = trainable.checkpoint() == now;
                assert!(refused && kept || trainable.checkpoint() == whole, "{name} {shape:?}: {refused} {kept}");
                trainable.resume(&now).unwrap();
            }
        }
    });
}

#[test]
fn a_composer_can_be_taken_out_while_the_training_goes_on() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 8);
        let mut undisturbed = subject.create(&corpus::set(), 8);
        let composer = trainable.composer();
        let first = compose(composer.as_ref(), &request(12), 1).unwrap().score;
        let before = trainable.save();
        let reports = steps(trainable.as_mut(), BEGINNING, 20, 0.02).0;
        assert_eq!(reports, steps(undisturbed.as_mut(), BEGINNING, 20, 0.02).0);
        assert_eq!(compose(composer.as_ref(), &request(12), 1).unwrap().score, first);
        assert_ne!(compose(trainable.composer().as_ref(), &request(12), 1).unwrap().score, first);
        assert_ne!(trainable.save().tensors, before.tensors, "it has gone on");
    });
}

/// Pieces that cannot be had any more from some time on.
#[derive(Debug)]
struct Losing {
    pieces: Pieces,
    lost: Arc<AtomicBool>,
}

impl Shelf for Losing {
    fn count(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        match self.lost.load(Ordering::Relaxed) {
            true => Err(PieceError::new(&format!("{number}.mid"), std::io::Error::other("the disk is gone"))),
            false => Ok(self.pieces.get(number)),
        }
    }
}

#[test]
fn what_cannot_be_had_any_more_is_told_and_never_learnt_from() {
    each(|subject| {
        let lost = Arc::new(AtomicBool::new(false));
        let of = |pieces: Pieces| Pieces::on(Losing { pieces, lost: Arc::clone(&lost) });
        let whole = corpus::set();
        let set = TrainingSet { train: of(whole.train.clone()), valid: of(whole.valid.clone()), ..whole };
        let mut trainable = subject.create(&set, 3);
        let before = trainable.save().to_bytes(Precision::Full).unwrap();
        lost.store(true, Ordering::Relaxed);
        trainable.validate();
        let report = trainable.step(BEGINNING, 0.01);
        match set.check_whole() {
            // It keeps what it learns from.
            Ok(()) => assert_eq!(report, subject.create(&corpus::set(), 3).step(BEGINNING, 0.01)),
            Err(error) => {
                assert!(error.to_string().ends_with("the disk is gone"), "{error}");
                if set.train.check_whole().is_err() {
                    assert_eq!(report, StepReport::default());
                    assert_eq!(trainable.save().to_bytes(Precision::Full).unwrap(), before);
                }
            }
        }
    });
}
