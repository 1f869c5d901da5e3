use super::band::Band;
use super::network::{Generator, critic_sizes, noise, view, viewed};
use super::settings::{Generators, Own};
use super::{AdversarialTrainer, SPEC, TINY};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::phrases::{GRID, KEYS, LENGTH, Layout};
use cantus_model::adversarial::Duel;
use cantus_model::{Request, Sampling, Settings, StepAt, Trainable, TrainingSet, seeded};
use cantus_nn::params::values_of;
use cantus_score::{Family, Note, Part, Pitch, Program, Score, Ticks, Velocity};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    let pitch = Pitch::try_from(pitch).unwrap();
    Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT }
}

/// Eight bars of drums, chords and a bass; which chords depends on the number.
fn song(number: u8) -> Score {
    let part = |program: u8, notes: Vec<Note>| Part {
        programs: vec![(Ticks::ZERO, Program::new(program).unwrap())],
        notes,
        ..Part::default()
    };
    let root = |bar: u64| [0, 5, 7, 0, 9, 5, 7, 0][(bar as usize + usize::from(number)) % 8];
    let strokes = (0..8).flat_map(|bar| [note(16 * bar, 36, 1), note(16 * bar + 4, 38, 1), note(16 * bar + 8, 36, 1)]);
    let chords = (0..8).flat_map(|bar| [0, 4, 7].map(|above| note(16 * bar, 60 + root(bar) + above, 12)));
    let bass = (0..8).flat_map(|bar| [note(16 * bar, 36 + root(bar), 4), note(16 * bar + 8, 36 + root(bar), 6)]);
    let drums = Part { notes: strokes.collect(), ..Part::of_drums() };
    Score { parts: vec![drums, part(4, chords.collect()), part(35, bass.collect())], ..Score::new(GRID) }
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..5).map(song).collect(),
        valid: vec![song(6)].into(),
        attacks: true,
        ..TrainingSet::default()
    }
}

fn trained(generators: &str, steps: u64) -> Box<dyn Trainable> {
    let mut settings: Settings = serde_json::from_str(TINY).unwrap();
    settings["generators"] = generators.into();
    let mut trainable = AdversarialTrainer::<Band>::create(&settings, &set(), 1).unwrap();
    for step in 0..steps {
        trainable.step(StepAt { epoch: 0, step }, 0.01);
    }
    trainable
}

#[test]
fn a_collapse_that_is_planted_is_seen() {
    let mut trainable = trained("hybrid", 0);
    let sound = trainable.diversity().unwrap();
    let mut model = trainable.save();
    // No noise reaches the heads.
    for (name, tensor) in
        model.tensors.iter_mut().filter(|(name, _)| name.contains("heads") && name.contains("steps.weight"))
    {
        assert!(name.starts_with("heads"));
        tensor.values.fill(0.0);
    }
    trainable.adopt(&model).unwrap();
    let collapsed = trainable.diversity().unwrap();
    assert!(sound > 0.05 && collapsed < 1e-6, "{sound} {collapsed}");
    assert!(trainable.validate().per_token() > 0.0);
}

#[test]
fn a_band_has_its_tracks_and_their_instruments() {
    for generators in ["hybrid", "composer", "jamming"] {
        let composer = trained(generators, 30).composer();
        let request = Request::new(16, Sampling::default());
        let score = composer.compose(&request, &mut seeded(3), &mut |_| ControlFlow::Continue(())).unwrap().score;
        assert_eq!(score.bar_count(), 16);
        for part in &score.parts {
            let known = [None, Some(4), Some(35)];
            let program = (!part.drums).then(|| part.program().get());
            assert!(known.contains(&program), "{generators}: {program:?}");
        }
        let families = Family::of(&score.parts);
        assert!(families.windows(2).all(|pair| pair[0] < pair[1]), "{families:?}");
        // A comes again at the end of AA'BA: but for the last bar, in which something may have been made to begin.
        let bars = |from: u64| -> Vec<(usize, u64, u8)> {
            let quarter = u64::from(score.ticks_per_quarter.get());
            let (start, end) = (from * 4 * quarter, (from + 3) * 4 * quarter);
            let parts = score.parts.iter().enumerate();
            let notes =
                parts.flat_map(|(k, part)| part.notes.iter().map(move |note| (k, note.onset.0, note.pitch.get())));
            notes.filter(|(_, at, _)| (start..end).contains(at)).map(|(k, at, pitch)| (k, at - start, pitch)).collect()
        };
        let begun = |from: u64| bars(from).into_iter().filter(|(_, at, _)| *at > 0).collect::<Vec<_>>();
        assert_eq!(begun(0), begun(12), "{generators}");
        assert_ne!(begun(0), begun(8), "{generators}");
    }
}

#[test]
fn tracks_hear_the_noise_that_they_should() {
    let layout = Layout::of([&song(0)]);
    let device = Device::flex();
    for (generators, common, own) in
        [(Generators::Hybrid, true, true), (Generators::Composer, true, false), (Generators::Jamming, false, true)]
    {
        let settings = Own { generators, width: 6, noise: 3, penalty: 10.0 };
        let generator = Generator::new(&settings, &layout, &mut seeded(2), &device);
        let width = noise(&settings, 3);
        assert_eq!(width, 6 * (usize::from(common) + if own { 3 } else { 0 }));
        let logits = |moved: Option<usize>| {
            let mut noise = vec![0.3f32; width];
            moved.into_iter().for_each(|k| noise[k] = -2.0);
            values_of(generator.logits(Tensor::from_data(TensorData::new(noise, [1, width]), &device)))
        };
        let still = logits(None);
        assert_eq!(still.len(), layout.cells());
        // Which tracks, and which bars, move with the last number of the last noise.
        let moved = logits(Some(width - 1));
        let starts = layout.starts();
        let changed = |track: usize| {
            let cells = |step: usize| step * layout.width() + starts[track]..step * layout.width() + starts[track] + 9;
            (0..LENGTH).filter(|step| still[cells(*step)] != moved[cells(*step)]).count()
        };
        let tracks: Vec<usize> = (0..3).filter(|track| changed(*track) > 0).collect();
        assert_eq!(tracks, if own { vec![2] } else { vec![0, 1, 2] }, "{generators:?}");
    }
}

#[test]
fn the_critic_hears_pitch_classes() {
    let layout = Layout::of([&song(0)]);
    let device = Device::flex();
    let matrix = view(&layout, &device).unwrap();
    let sizes = critic_sizes(&Own::default(), &layout);
    assert_eq!(matrix.dims(), [4 * layout.width(), viewed(&layout)]);
    assert_eq!((sizes[0].0, sizes[3].1, viewed(&layout)), (layout.width(), 256, 24));
    // One key of the chords for two steps of a beat, and the same an octave above for one.
    let mut beat = vec![0.0f32; 4 * layout.width()];
    let start = layout.starts()[1];
    for (step, key) in [(0, 5), (1, 5), (3, 17)] {
        beat[step * layout.width() + start + key] = 1.0;
    }
    // What is struck again is no key.
    beat[start + KEYS] = 1.0;
    let heard =
        values_of(Tensor::<2>::from_data(TensorData::new(beat, [1, 4 * layout.width()]), &device).matmul(matrix));
    let expected: Vec<f32> = (0..24).map(|k| if k == 5 { 0.75 } else { 0.0 }).collect();
    assert_eq!(heard, expected);
    assert!(
        view(&Layout::of([&Score { parts: vec![song(0).parts[0].clone()], ..Score::new(GRID) }]), &device).is_none()
    );
}

#[test]
fn pieces_of_few_tracks_are_left_out_where_there_are_others() {
    let alone = Score { parts: vec![song(1).parts[1].clone()], ..Score::new(GRID) };
    let mut mixed = set();
    mixed.train = vec![song(0), alone.clone()].into();
    let band = Band::of(&mixed, &Own::default()).unwrap();
    assert_eq!((band.phrases(&song(0)).len(), band.phrases(&alone).len()), (3, 0));
    let only = TrainingSet { train: vec![alone.clone()].into(), valid: vec![alone.clone()].into(), ..set() };
    let band = Band::of(&only, &Own::default()).unwrap();
    assert_eq!((band.phrases(&alone).len(), band.layout.tracks().len()), (3, 1));
    assert_eq!(band.ensembles, [[4]]);
    assert_eq!(SPEC.encoding, "phrases");
}
