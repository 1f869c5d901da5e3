use super::*;
use cantus_encoding::piano_roll::Frame;
use cantus_model::frames::Reading;
use cantus_model::frames::exam::Task;
use cantus_model::{Request, Settings, StepAt, Trainable, TrainingSet};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use std::borrow::Borrow;

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
    TrainingSet { train, valid: vec![piece(50, 9), piece(20, 8)].into(), attacks: false, ..TrainingSet::default() }
}

fn trainer(changes: &[(&str, Settings)]) -> Box<dyn Trainable> {
    trainer_of(&set(), changes)
}

fn trainer_of(set: &TrainingSet, changes: &[(&str, Settings)]) -> Box<dyn Trainable> {
    let mut settings: Settings = SPEC.tiny_settings("default").unwrap();
    settings["averaging"] = 0.0.into();
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    FrameTrainer::<Network>::create(&settings, set, 1).unwrap()
}

fn judge(trainable: &dyn Trainable, pieces: &[Vec<Frame>]) -> Vec<Vec<Option<FrameFigure>>> {
    trainable.composer().frames().unwrap().judge_frames(pieces, ALL, 0)
}

/// As a network reads them.
fn read(trainable: &dyn Trainable, pieces: impl IntoIterator<Item = impl Borrow<Score>>) -> Vec<Vec<Frame>> {
    let reading = trainable.composer().frames().unwrap().reading();
    pieces.into_iter().map(|score| reading.frames(score.borrow())).collect()
}

fn frames(scores: &[Score]) -> Vec<Vec<Frame>> {
    scores.iter().map(|score| Reading::Sounding.frames(score)).collect()
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    for changes in [
        vec![],
        vec![("candidates", 0.into()), ("window", 40.into())],
        vec![("channels", 0.into()), ("skip", false.into())],
        vec![("channels", 0.into()), ("candidates", 0.into()), ("layers", 2.into())],
        vec![("reading", "strokes".into())],
        vec![("reading", "strokes".into()), ("skip", false.into()), ("window", 7.into())],
    ] {
        let mut trainable = trainer(&changes);
        for step in 0..5 {
            assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite);
        }
        let pieces = read(trainable.as_ref(), set().train.iter());
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
    let mut trainable = trainer(&[("reading", "strokes".into())]);
    for step in 0..5 {
        trainable.step(StepAt { epoch: 0, step }, 0.02);
    }
    let pieces = read(trainable.as_ref(), set().train.iter());
    let together = judge(trainable.as_ref(), &pieces);
    for (piece, expected) in pieces.iter().zip(&together) {
        let half = piece.len() / 2 + 1;
        assert_eq!(judge(trainable.as_ref(), &[piece[..half].to_vec()])[0], expected[..half]);
        let mut permuted = piece.clone();
        permuted[half..].reverse();
        assert_eq!(judge(trainable.as_ref(), &[permuted])[0][..half], expected[..half]);
        // All that sounds from there on struck at every step.
        let mut struck = piece.clone();
        struck[half..].iter_mut().for_each(|frame| *frame = Frame { struck: frame.sounding(), held: Keys::NONE });
        assert_eq!(judge(trainable.as_ref(), &[struck])[0][..half], expected[..half]);
    }
}

/// The set after a mark is the first of the piece: nothing that came before it has been heard again yet.
#[test]
fn a_copy_is_begun_where_the_beginning_is_offered() {
    let rng = &mut derive(1, "exam", &[]);
    let mut scores =
        |count: usize| -> Vec<Score> { (0..count).map(|_| Task::Copy.piece(6..=12, rng).score()).collect() };
    let (taught, asked) = (scores(120), scores(30));
    let set = TrainingSet { train: taught.into(), valid: scores(2).into(), attacks: false, ..TrainingSet::default() };
    let nats = |openings: bool| {
        let mut trainable = trainer_of(&set, &[("openings", openings.into()), ("candidates", 4.into())]);
        for epoch in 0..4 {
            for step in 0..trainable.steps(epoch) {
                trainable.step(StepAt { epoch, step }, 0.01);
            }
        }
        let pieces = frames(&asked);
        let figures = judge(trainable.as_ref(), &pieces);
        let begun =
            |(piece, figures): (&Vec<Frame>, &Vec<Option<FrameFigure>>)| figures[piece.len() / 2].map(|f| f.nats);
        pieces.iter().zip(&figures).filter_map(begun).sum::<f64>() / asked.len() as f64
    };
    let (with, without) = (nats(true), nats(false));
    assert!(with < 0.7 * without, "{with} {without}");
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
        let strange: Vec<Frame> = frames(&[piece(40, 23)]).remove(0);
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
    let set = TrainingSet {
        train: vec![score.clone(), score.clone()].into(),
        valid: vec![score].into(),
        attacks: false,
        ..TrainingSet::default()
    };
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
        let frames = Reading::Sounding.frames(&steps);
        let runs = frames.chunk_by(|a, b| a.sounding() == b.sounding()).map(<[Frame]>::len);
        longest = longest.max(runs.max().unwrap());
    }
    assert_eq!(longest, 6);
}

#[test]
fn a_section_that_a_form_asks_for_comes_again() {
    for reading in [Reading::Sounding, Reading::Strokes] {
        let trainable = trainer(&[("reading", serde_json::to_value(reading).unwrap())]);
        let composer = trainable.composer();
        let (mut same, mut other) = (0, 0);
        for seed in 0..6 {
            let request = Request::new(6, Sampling::default()).formed("ABA".parse().unwrap());
            let rng = &mut derive(seed, "test", &[]);
            let composed = composer.compose(&request, rng, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
            let steps = composed.score.rescaled(TicksPerQuarter::new(4).unwrap());
            // What is struck comes again, too, where it is read; what was held at a section's beginning may be held no longer.
            let frames: Vec<Frame> = reading.frames(&steps);
            let section = |k: usize| frames.get(32 * k..).unwrap_or_default().iter().take(32);
            same += section(0).zip(section(2)).skip(1).filter(|(a, b)| a == b).count();
            other += section(0).zip(section(1)).skip(1).filter(|(a, b)| a == b).count();
        }
        // Of a network that has learnt nothing: all that comes again comes from the form. 6 x 31 steps.
        assert!(same > 140 && other < 60, "{reading:?}: {same} {other}");
    }
    let without = trainer(&[("candidates", 0.into())]);
    let request = Request::new(4, Sampling::default()).formed("AA".parse().unwrap());
    let refused = request.check(without.composer().as_ref(), crate::registry::COMPOSERS).unwrap_err();
    assert!(
        matches!(&refused, cantus_model::ComposeError::Control { composer: "memory", control: "form", .. }),
        "{refused}"
    );
}

#[test]
fn the_ways_to_strike_a_chord_share_its_probability() {
    let mut trainable = trainer(&[("reading", "strokes".into())]);
    for step in 0..5 {
        trainable.step(StepAt { epoch: 0, step }, 0.02);
    }
    let mut piece = read(trainable.as_ref(), &[piece(30, 3)]).remove(0);
    let keys = |indices: &[usize]| -> Keys { indices.iter().filter_map(|k| Key::new(*k)).collect() };
    piece.push(Frame { struck: keys(&[20, 30, 40, 50]), held: Keys::NONE });
    piece.push(Frame { struck: keys(&[30]), held: keys(&[20, 40, 50]) });
    // Three keys sound on, one is new, one is gone.
    let (new, on) = (keys(&[60]), [20, 30, 50]);
    let (mut sum, mut chords) = (0.0, Vec::new());
    for subset in 0..8usize {
        let again: Vec<usize> = (0..3).filter(|k| subset >> k & 1 == 1).map(|k| on[k]).collect();
        let frame = Frame { struck: keys(&again) | new, held: keys(&on) - keys(&again) };
        let with = [&piece[..], &[frame]].concat();
        let figure = judge(trainable.as_ref(), &[with])[0].last().copied().flatten().unwrap();
        assert!(figure.strokes > 0.0 && figure.nats > figure.strokes);
        sum += (-figure.strokes).exp();
        chords.push(figure.nats - figure.strokes);
    }
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    assert!(chords.iter().all(|nats| (nats - chords[0]).abs() < 1e-9), "{chords:?}");
}

#[test]
fn what_is_struck_again_is_learnt_and_composed() {
    // A pitch stands for eight steps, and is struck at each other one: the keys that sound are those of one long note.
    let note = |k: u64| Note {
        onset: Ticks(2 * k),
        pitch: Pitch::try_from(60 + (k / 4 * 5 % 7) as u8).unwrap(),
        duration: Ticks(2),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.parts.push(Part { notes: (0..128).map(note).collect(), ..Part::default() });
    let set = TrainingSet {
        train: vec![score.clone(), score.clone()].into(),
        valid: vec![score.clone()].into(),
        attacks: true,
        ..TrainingSet::default()
    };
    let mut trainable = FrameTrainer::<Network>::create(&SPEC.tiny_settings("default").unwrap(), &set, 1).unwrap();
    for epoch in 0..12 {
        for step in 0..trainable.steps(epoch) {
            trainable.step(StepAt { epoch, step }, 0.01);
        }
    }
    let figures = judge(trainable.as_ref(), &read(trainable.as_ref(), &[score])).remove(0);
    let strokes: f64 = figures.iter().flatten().map(|figure| figure.strokes).sum();
    assert!(strokes < 0.05 * figures.len() as f64, "{strokes} nats for {} frames", figures.len());
    let composer = trainable.composer();
    let rng = &mut derive(1, "test", &[]);
    let request = Request::new(16, Sampling { temperature: 0.8, ..Sampling::default() });
    let composed = composer.compose(&request, rng, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let steps = composed.score.rescaled(TicksPerQuarter::new(4).unwrap());
    let long = steps.notes().filter(|note| note.duration > Ticks(2)).count();
    assert!(steps.note_count() > 100 && long < 6, "{long} of {}", steps.note_count());
}

#[test]
fn what_is_read_follows_from_the_corpus_unless_it_is_chosen() {
    let file = |attacks: bool, changes: &[(&str, Settings)]| {
        let mut settings: Settings = SPEC.tiny_settings("default").unwrap();
        changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
        FrameTrainer::<Network>::create(&settings, &TrainingSet { attacks, ..set() }, 1).unwrap().save()
    };
    let strokes = |file: &ModelFile| file.tensors.keys().filter(|name| name.starts_with("strokes.")).count();
    let (known, unknown) = (file(true, &[]), file(false, &[]));
    assert_eq!((known.header.settings["reading"].as_str(), strokes(&known)), (Some("strokes"), 5));
    assert_eq!((unknown.header.settings["reading"].as_str(), strokes(&unknown)), (Some("sounding"), 0));
    let chosen = file(true, &[("reading", "sounding".into())]);
    assert_eq!(chosen.tensors, unknown.tensors);
    // The keys begin alike, whatever else is read.
    assert_eq!(known.tensors["head.output.bias"], unknown.tensors["head.output.bias"]);
}
