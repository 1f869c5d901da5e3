//! What is claimed of keys that share one network.

use super::*;
use cantus_model::{Settings, StepAt, Trainable, TrainingSet};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

const ALL: Effort = Effort { every: 1, chains: 1, temperatures: 1 };

fn piece(length: u64, seed: u64) -> Score {
    let note = |k: u64, pitch: u64| Note {
        onset: Ticks(k),
        pitch: Pitch::try_from(pitch as u8).unwrap(),
        duration: Ticks(1 + (k * seed) % 3),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let notes = (0..length).flat_map(|k| [note(k, 50 + (k * seed) % 8), note(k, 64 + (k * k) % 9)]).collect();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn set(attacks: bool) -> TrainingSet {
    let train = [60, 3, 41].iter().zip(1..).map(|(length, seed)| piece(*length, seed)).collect();
    TrainingSet { train, valid: vec![piece(20, 8)].into(), attacks, ..TrainingSet::default() }
}

fn settings(configuration: &str, changes: &[(&str, Settings)]) -> Settings {
    let mut settings = SPEC.tiny_settings(configuration).unwrap();
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    settings
}

fn trained(settings: &Settings, attacks: bool, steps: u64) -> Box<dyn Trainable> {
    let mut trainable = FrameTrainer::<Network>::create(settings, &set(attacks), 1).unwrap();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        assert!(trainable.step(at, 0.02).finite);
        at.step += 1;
        if at.step == trainable.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainable
}

fn nats(trainable: &dyn Trainable, pieces: &[Score]) -> Vec<f64> {
    let composer = trainable.composer();
    let judge = composer.frames().unwrap();
    let frames: Vec<Vec<Frame>> = pieces.iter().map(|piece| judge.reading().frames(piece)).collect();
    judge.judge_frames(&frames, ALL, 0).concat().into_iter().flatten().map(|figure| figure.nats).collect()
}

fn head(trainable: &dyn Trainable) -> Head {
    let file = trainable.save();
    let (settings, own) = FrameSettings::read::<Own>(&file.header.settings).unwrap();
    Head::load(&file, &own, settings.features_of(Head::input(&settings, &own))).unwrap()
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    for configuration in ["default", "nade", "source"] {
        for attacks in [false, true] {
            let settings = settings(configuration, &[("averaging", 0.0.into()), ("skip", attacks.into())]);
            let mut trainable = trained(&settings, attacks, 6);
            let expected: f64 =
                nats(trainable.as_ref(), &set(attacks).train.iter().map(|p| p.into_owned()).collect::<Vec<_>>())
                    .iter()
                    .sum();
            let epoch: Vec<_> =
                (0..trainable.steps(9)).map(|step| trainable.step(StepAt { epoch: 9, step }, 0.0).batch).collect();
            let found: f64 = epoch.iter().map(|batch| batch.nats).sum();
            assert!((found - expected).abs() < 2e-3 * expected, "{configuration} {attacks}: {found} {expected}");
        }
    }
}

#[test]
fn what_a_key_reads_moves_with_the_music_unless_keys_know_their_names() {
    let shared = FrameSettings { clock: 8, ..FrameSettings::default() };
    let own = Own { reach: 6, ..Own::default() };
    let frame = Frame { struck: keys(&[30, 41]), held: keys(&[37, 50]) };
    let rows = |own: &Own, frame: Frame| {
        let mut rows = vec![0.0; Keys::COUNT * Head::input(&shared, own)];
        Head::write(&shared, own, Some(frame), 3, &mut rows);
        rows
    };
    for by in [-5i32, 5] {
        let moved = frame.transposed(by).unwrap();
        let (here, there) = (rows(&own, frame), rows(&own, moved));
        let width = Head::input(&shared, &own);
        let at = |rows: &[f32], key: i32| rows[key as usize * width..][..width].to_vec();
        assert!((10..78).all(|key| at(&here, key) == at(&there, key + by)));
        let named = Own { position: true, ..own.clone() };
        assert_ne!(rows(&named, frame), rows(&named, moved));
    }
}

#[test]
fn decisions_move_with_the_music() {
    for configuration in ["default", "nade"] {
        let head = head(trained(&settings(configuration, &[]), false, 30).as_ref());
        // Away from the music all keys see the same.
        let features = |by: i32| -> Vec<f32> {
            let value = |key: i32, k: usize| {
                if (30..60).contains(&(key - by)) { ((key - by) * 31 + k as i32 * 17) % 23 } else { 0 }
            };
            (0..Keys::COUNT as i32)
                .flat_map(|key| (0..head.features).map(move |k| value(key, k) as f32 / 23.0))
                .collect()
        };
        let of = |by: i32| logits(&head, &features(by), keys(&[33, 40, 47, 52]).transposed(by).unwrap());
        let here = of(0);
        for by in [-5i32, 5] {
            let there = of(by);
            let same = |key: i32| (here[key as usize] - there[(key + by) as usize]).abs() < 1e-4;
            assert!((28..70).all(same), "{configuration} {by}");
        }
    }
}

/// Features of a frame that are not all the same.
fn features(head: &Head) -> Vec<f32> {
    (0..Keys::COUNT * head.features).map(|k| ((k * 37 % 101) as f32 / 50.0 - 1.0) * 0.5).collect()
}

fn logits(head: &Head, features: &[f32], keys: Keys) -> Vec<f32> {
    let mut deciding = head.begin(1);
    (0..Keys::COUNT).map(|key| head.decide(features, &[keys], key, &mut deciding)[0]).collect()
}

fn keys(indices: &[usize]) -> Keys {
    indices.iter().filter_map(|k| Key::new(*k)).collect()
}

#[test]
fn the_key_below_changes_the_key_above_and_never_the_reverse() {
    for configuration in ["default", "nade", "source"] {
        let head = head(trained(&settings(configuration, &[]), false, 10).as_ref());
        let features = features(&head);
        let (without, with) = (logits(&head, &features, keys(&[20])), logits(&head, &features, keys(&[20, 40])));
        assert_eq!(without[..=40], with[..=40], "{configuration}");
        assert!((without[41] - with[41]).abs() > 1e-6, "{configuration}");
    }
}

#[test]
fn frames_of_three_keys_share_all_probability() {
    for configuration in ["default", "nade", "source"] {
        let head = head(trained(&settings(configuration, &[]), false, 10).as_ref());
        let features = features(&head);
        // Whatever is above them: each frame of the lowest three has the product of its coins.
        let probability = |set: usize| -> f64 {
            let chosen = keys(&(0..3).filter(|k| set >> k & 1 == 1).collect::<Vec<_>>());
            let logits = logits(&head, &features, chosen);
            let coin = |k: usize| 1.0 / (1.0 + (-f64::from(logits[k])).exp());
            (0..3).map(|k| if set >> k & 1 == 1 { coin(k) } else { 1.0 - coin(k) }).product()
        };
        let all: f64 = (0..8).map(probability).sum();
        assert!((all - 1.0).abs() < 1e-9, "{configuration}: {all}");
        assert!((0..8).all(|set| probability(set) > 0.0));
    }
}

#[test]
fn what_is_drawn_comes_as_often_as_it_is_likely() {
    let trainable = trained(&settings("default", &[]), false, 10);
    let head = head(trainable.as_ref());
    let features = features(&head);
    let allowed = keys(&[30, 31]);
    // Of the two keys that are allowed.
    let coin = |logit: f32| 1.0 / (1.0 + (-f64::from(logit)).exp());
    let lower = logits(&head, &features, Keys::NONE);
    let (p, q) = (coin(lower[30]), coin(logits(&head, &features, keys(&[30]))[31]));
    let expected = p * q;
    let mut rng = cantus_model::seeded(3);
    let step = Step { past: &(), at: 0, recalling: cantus_model::frames::Recalling::Free };
    let mut draw = || head.draw(&features, step, Keys::NONE, allowed, &Sampling::default(), &mut rng).unwrap();
    let count = (0..3000).filter(|_| draw() == allowed).count() as f64 / 3000.0;
    let deviation = (expected * (1.0 - expected) / 3000.0).sqrt();
    assert!((count - expected).abs() < 4.0 * deviation + 1e-3, "{count} {expected}");
}
