use super::{CELLS, LENGTH, NOTHING, Notebook, Own, TINY};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::octave_roll::PitchClasses;
use cantus_encoding::phrases::GRID;
use cantus_model::adversarial::{AdversarialTrainer, Duel};
use cantus_model::{Settings, TrainingSet, seeded};
use cantus_nn::params::values_of;
use cantus_score::{Note, Part, Pitch, Score, Ticks, Velocity};

/// Quarters for so many bars of 4/4.
fn tune(bars: u64, first: u8) -> Score {
    let note = |k: u64| Note {
        onset: Ticks(4 * k),
        pitch: Pitch::try_from(first + [0, 4, 7, 12][k as usize % 4]).unwrap(),
        duration: Ticks(4),
        velocity: Velocity::DEFAULT,
    };
    Score { parts: vec![Part { notes: (0..4 * bars).map(note).collect(), ..Part::default() }], ..Score::new(GRID) }
}

#[test]
fn a_step_is_its_pitch_classes_or_nothing() {
    let notebook = Notebook { range: (60, 72) };
    let phrases = notebook.phrases(&tune(16, 60));
    assert_eq!(phrases.len(), 3, "two halves of eight bars, and the eight between");
    let cells = &phrases[0].0;
    assert_eq!(cells.len(), LENGTH);
    assert_eq!(
        cells[..5],
        [
            0,
            (CELLS + NOTHING) as u32,
            (2 * CELLS + NOTHING) as u32,
            (3 * CELLS + NOTHING) as u32,
            (4 * CELLS + 4) as u32
        ]
    );
    assert_eq!(notebook.phrases(&tune(1, 60)).len(), 1);
    assert!(notebook.phrases(&Score::new(GRID)).is_empty());
    let mut sounding = vec![false; notebook.cells()];
    cells.iter().for_each(|cell| sounding[*cell as usize] = true);
    let numbers = notebook.statistics(&sounding);
    assert_eq!((numbers[0], numbers[1], numbers[4]), (1.0, 0.0, 1.0));
    assert_eq!(numbers[16..16 + PitchClasses::COUNT].iter().sum::<f32>(), 1.0);
}

#[test]
fn the_critic_is_told_of_the_others_of_its_batch_and_only_with_kernels() {
    let (notebook, device) = (Notebook { range: (0, 127) }, Device::flex());
    let cells = notebook.cells();
    let batch = |alike: bool| {
        let cell =
            |k: usize| if alike { f32::from((k % cells).is_multiple_of(5)) } else { f32::from(k.is_multiple_of(7)) };
        Tensor::<2>::from_data(TensorData::new((0..4 * cells).map(cell).collect::<Vec<f32>>(), [4, cells]), &device)
    };
    for kernels in [0, 3] {
        let own = Own { hidden: 8, kernels, ..Own::default() };
        let judge = notebook.critic(&own, &mut seeded(4), &device);
        let all = values_of(judge.forward(&own, batch(false)));
        let one = values_of(judge.forward(&own, batch(false).slice([0..1, 0..cells])));
        let is_same = (all[0] - one[0]).abs() < 1e-5;
        assert_eq!(is_same, kernels == 0, "{kernels}: {all:?} {one:?}");
        assert_eq!(values_of(judge.forward(&own, batch(true))).len(), 4);
    }
}

#[test]
fn one_song_whatever_the_noise_is_seen() {
    let set = TrainingSet {
        train: (0..6).map(|k| tune(8, 60 + 2 * k)).collect(),
        valid: vec![tune(8, 61)].into(),
        attacks: true,
        ..TrainingSet::default()
    };
    let settings: Settings = serde_json::from_str(TINY).unwrap();
    let mut trainable = AdversarialTrainer::<Notebook>::create(&settings, &set, 1).unwrap();
    let mut model = trainable.save();
    model.tensors.get_mut("hidden.weight").unwrap().values.fill(0.0);
    trainable.adopt(&model).unwrap();
    assert_eq!(trainable.diversity(), Some(0.0));
}
