use super::*;
use cantus_model::{Request, Settings, StepAt, Trainable, TrainingSet};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

const ALL: Effort = Effort { every: 1, chains: 1, temperatures: 1 };

/// A piece that repeats itself, and wanders between.
fn piece(length: u64, seed: u64) -> Score {
    let note = |k: u64, pitch: u64| Note {
        onset: Ticks(k),
        pitch: Pitch::try_from(pitch as u8).unwrap(),
        duration: Ticks(1 + (k * seed) % 3),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let notes = (0..length).flat_map(|k| {
        let again = k % (16 + seed);
        [note(k, 40 + (again * seed) % 12), note(k, 60 + (again * again + k / 40) % 17)]
    });
    score.parts.push(Part { notes: notes.collect(), ..Part::default() });
    score
}

fn set() -> TrainingSet {
    let train = [90, 3, 41, 240, 60].iter().zip(1..).map(|(length, seed)| piece(*length, seed)).collect();
    TrainingSet { train, valid: vec![piece(50, 9), piece(20, 8)] }
}

fn trainer(changes: &[(&str, Settings)]) -> Box<dyn Trainable> {
    let mut settings: Settings = SPEC.tiny_settings("default").unwrap();
    settings["averaging"] = 0.0.into();
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    FrameTrainer::<Network>::create(&settings, &set(), 1).unwrap()
}

fn judge(trainable: &dyn Trainable, pieces: &[Vec<Keys>]) -> Vec<Vec<Option<FrameFigure>>> {
    trainable.composer().frames().unwrap().judge_frames(pieces, ALL, 0)
}

fn frames(scores: &[Score]) -> Vec<Vec<Keys>> {
    scores.iter().map(|score| cantus_model::frames::Reading::Sounding.frames(score)).collect()
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    for changes in [
        vec![],
        vec![("candidates", 0.into()), ("window", 40.into())],
        vec![("channels", 0.into()), ("skip", false.into())],
        vec![("channels", 0.into()), ("candidates", 0.into()), ("layers", 2.into())],
    ] {
        let mut trainable = trainer(&changes);
        for step in 0..5 {
            assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite);
        }
        let pieces = frames(&set().train);
        let expected: f64 = judge(trainable.as_ref(), &pieces).iter().flatten().flatten().map(|f| f.nats).sum();
        // An epoch that changes nothing.
        let epoch: Vec<_> =
            (0..trainable.steps(1)).map(|step| trainable.step(StepAt { epoch: 1, step }, 0.0).batch).collect();
        let found: f64 = epoch.iter().map(|batch| batch.nats).sum();
        let counted: f64 = epoch.iter().map(|batch| batch.tokens).sum();
        assert_eq!(counted, pieces.iter().map(Vec::len).sum::<usize>() as f64);
        // Judging reads weights rounded to 16 bits.
        assert!((found - expected).abs() < 1e-3 * expected, "{changes:?}: {found} {expected}");
    }
}

#[test]
fn neither_the_future_nor_other_pieces_change_a_figure() {
    let mut trainable = trainer(&[]);
    for step in 0..5 {
        trainable.step(StepAt { epoch: 0, step }, 0.02);
    }
    let pieces = frames(&set().train);
    let together = judge(trainable.as_ref(), &pieces);
    for (piece, expected) in pieces.iter().zip(&together) {
        let half = piece.len() / 2 + 1;
        assert_eq!(judge(trainable.as_ref(), &[piece[..half].to_vec()])[0], expected[..half]);
        let mut permuted = piece.clone();
        permuted[half..].reverse();
        assert_eq!(judge(trainable.as_ref(), &[permuted])[0][..half], expected[..half]);
    }
}

#[test]
fn a_repeated_piece_costs_less_with_memory() {
    // The same training with and without: what was heard once is known.
    let nats = |candidates: usize| {
        let mut trainable = trainer(&[("candidates", candidates.into())]);
        for epoch in 0..3 {
            for step in 0..trainable.steps(epoch) {
                trainable.step(StepAt { epoch, step }, 0.01);
            }
        }
        let strange: Vec<Keys> = frames(&[piece(40, 23)]).remove(0);
        let twice = [&strange[..], &strange[..]].concat();
        let figures = judge(trainable.as_ref(), &[twice]).remove(0);
        figures[50..80].iter().flatten().map(|figure| figure.nats).sum::<f64>() / 30.0
    };
    let (with, without) = (nats(16), nats(0));
    assert!(with < 0.7 * without, "{with} {without}");
}

#[test]
fn a_chord_stands_no_longer_than_in_the_corpus() {
    // Six steps at most, and chords that are easily repeated for ever.
    let note = |k: u64, pitch: u8| Note {
        onset: Ticks(k),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(1),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let notes = (0..200u64).flat_map(|k| [note(k, 50 + (k / 6 % 3) as u8), note(k, 60 + (k / 6 % 4) as u8)]);
    score.parts.push(Part { notes: notes.collect(), ..Part::default() });
    let set = TrainingSet { train: vec![score.clone(), score.clone()], valid: vec![score] };
    let settings = SPEC.tiny_settings("default").unwrap();
    let mut trainable = FrameTrainer::<Network>::create(&settings, &set, 1).unwrap();
    for epoch in 0..12 {
        for step in 0..trainable.steps(epoch) {
            trainable.step(StepAt { epoch, step }, 0.01);
        }
    }
    let composer = trainable.composer();
    let mut longest = 0;
    for seed in 0..5 {
        let request = Request::new(20, Sampling { temperature: 0.7, ..Sampling::default() });
        let rng = &mut derive(seed, "test", &[]);
        let composed = composer.compose(&request, rng, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        let steps = composed.score.rescaled(TicksPerQuarter::new(4).unwrap());
        let frames = cantus_model::frames::Reading::Sounding.frames(&steps);
        let runs = frames.chunk_by(|a, b| a == b).map(<[Keys]>::len);
        longest = longest.max(runs.max().unwrap());
    }
    assert_eq!(longest, 6);
}

#[test]
fn a_section_that_a_form_asks_for_comes_again() {
    let trainable = trainer(&[]);
    let composer = trainable.composer();
    let (mut same, mut other) = (0, 0);
    for seed in 0..6 {
        let request = Request { form: "ABA".parse().ok(), ..Request::new(6, Sampling::default()) };
        let rng = &mut derive(seed, "test", &[]);
        let composed = composer.compose(&request, rng, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        let steps = composed.score.rescaled(TicksPerQuarter::new(4).unwrap());
        let frames = cantus_model::frames::Reading::Sounding.frames(&steps);
        let section = |k: usize| frames.get(32 * k..).unwrap_or_default().iter().take(32);
        same += section(0).zip(section(2)).filter(|(a, b)| a == b).count();
        other += section(0).zip(section(1)).filter(|(a, b)| a == b).count();
    }
    // Of a network that has learnt nothing: all that comes again comes from the form. 6 x 32 steps.
    assert!(same > 150 && other < 60, "{same} {other}");
    let without = trainer(&[("candidates", 0.into())]);
    let request = Request { form: "AA".parse().ok(), ..Request::new(4, Sampling::default()) };
    let refused =
        without.composer().compose(&request, &mut derive(1, "test", &[]), &mut |_| std::ops::ControlFlow::Continue(()));
    assert!(matches!(refused, Err(cantus_model::ComposeError::CannotFollowForm { composer: "memory" })));
}
