use super::*;
use cantus_encoding::piano_roll::Key;
use cantus_model::frames::FrameHead;
use cantus_model::{Pieces, Settings, StepAt, Trainable, TrainingSet};
use cantus_nn::bernoulli;
use cantus_nn::params::values_of;
use cantus_nn::random::{normal, seeded};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

const ALL: Effort = Effort { every: 1, chains: 1, temperatures: 1 };
const CONFIGURATIONS: [&str; 3] = ["default", "source", "nade"];

fn piece(length: u64, seed: u64) -> Score {
    let note = |k: u64, pitch: u64| Note {
        onset: Ticks(k),
        pitch: Pitch::try_from(pitch as u8).unwrap(),
        duration: Ticks(1 + (k * seed) % 3),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let notes = (0..length).flat_map(|k| [note(k, 62 + (k * seed) % 5), note(k, 69 + (k * k) % 7)]).collect();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn set(attacks: bool) -> TrainingSet {
    let train = [50, 3, 90].iter().zip(1..).map(|(length, seed)| piece(*length, seed)).collect();
    TrainingSet { train, valid: vec![piece(20, 8)].into(), attacks, ..TrainingSet::default() }
}

fn settings_of(configuration: &str) -> (FrameSettings, Own) {
    FrameSettings::read::<Own>(&SPEC.tiny_settings(configuration).unwrap()).unwrap()
}

/// A network that has learnt nothing, outside of any graph.
fn network(settings: &FrameSettings, own: &Own) -> Network {
    Network::new(settings, own, &[0.05; Keys::COUNT], &mut seeded(3), &Device::flex())
}

fn trainer(configuration: &str, attacks: bool) -> Box<dyn Trainable> {
    let settings: Settings = SPEC.tiny_settings(configuration).unwrap();
    FrameTrainer::<Network>::create(&settings, &set(attacks), 1).unwrap()
}

fn frames(pieces: &Pieces, attacks: bool) -> Vec<Vec<Frame>> {
    use cantus_model::frames::Reading;
    let reading = if attacks { Reading::Strokes } else { Reading::Sounding };
    pieces.iter().map(|score| reading.frames(&score)).collect()
}

fn climbs(frames: &[Frame]) -> Vec<Climb> {
    let lowest = |at: usize| Some(frames[at.checked_sub(1)?].sounding().iter().next()?.index());
    frames.iter().enumerate().map(|(at, frame)| Climb::new(frame.sounding(), lowest(at))).collect()
}

/// The logits of each key of each frame, from the lowest up: `[T, 88]`.
fn logits(network: &Network, (settings, own): (&FrameSettings, &Own), frames: &[Frame]) -> Vec<f32> {
    let width = Network::input(settings, own);
    let mut input = vec![0.0; frames.len() * Keys::COUNT * width];
    for (step, rows) in input.chunks_exact_mut(Keys::COUNT * width).enumerate() {
        let before = step.checked_sub(1).map(|before| frames[before]);
        Network::write_input(settings, own, before, step, rows);
    }
    let input = TensorData::new(input, [frames.len(), Keys::COUNT, width]);
    let input = Tensor::from_data(input, &Device::flex());
    let features = settings.run(&network.lstms, &mut network.zeros(1), input, (0, 0));
    let mut logits = values_of(network.logits(own, features, &climbs(frames), |_| None));
    logits.chunks_exact_mut(Keys::COUNT).zip(climbs(frames)).for_each(|(row, climb)| row.rotate_right(climb.start));
    logits
}

#[test]
fn frames_of_three_keys_have_probabilities_that_sum_to_one() {
    let rng = &mut seeded(5);
    for configuration in CONFIGURATIONS {
        let mut trainable = trainer(configuration, false);
        (0..trainable.steps(0)).for_each(|step| assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite));
        let (settings, own) = settings_of(configuration);
        let width = settings.features_of(Network::input(&settings, &own));
        let head = Head::load(&trainable.save(), &own, width).unwrap();
        let features: Vec<f32> = (0..3 * width).map(|_| normal(rng)).collect();
        let mut total = 0.0;
        for set in 0..8u128 {
            let mut target = [0.0; 3];
            write_bits(set, &mut target);
            total += (-bernoulli::row(&head.logits(&features, &[Climb { set, start: 1 }]), &target, 1.0).nats).exp();
        }
        assert!((total - 1.0).abs() < 1e-5, "{configuration}: {total}");
    }
}

#[test]
fn moved_music_moves_its_probabilities() {
    let frames = frames(&set(false).train, false).remove(0);
    for configuration in CONFIGURATIONS {
        let (settings, own) = settings_of(configuration);
        let network = network(&settings, &own);
        let here = logits(&network, (&settings, &own), &frames);
        for by in [-5, 5] {
            let moved: Vec<Frame> = frames.iter().map(|frame| frame.transposed(by).unwrap()).collect();
            let there = logits(&network, (&settings, &own), &moved);
            let rows = here.chunks_exact(Keys::COUNT).zip(there.chunks_exact(Keys::COUNT)).zip(climbs(&frames));
            // The first frame is predicted from nothing, and so from the lowest key up.
            let differences = rows.skip(1).flat_map(|((a, b), climb)| {
                (climb.start..Keys::COUNT - 5).map(|key| (a[key] - b[key.saturating_add_signed(by as isize)]).abs())
            });
            let most = differences.fold(0.0, f32::max);
            assert_eq!(most < 1e-4, !own.position, "{configuration} moved by {by}: {most}");
        }
    }
}

#[test]
fn a_key_bears_on_those_above_it_alone() {
    let frames = frames(&set(false).train, false).remove(0);
    let (last, key) = (frames.len() - 1, 46);
    let mut others = frames.clone();
    others[last].struck.insert(Key::new(key).unwrap());
    assert_ne!(frames, others, "the key was silent");
    for configuration in CONFIGURATIONS {
        let (settings, own) = settings_of(configuration);
        let network = network(&settings, &own);
        let [silent, sounding] = [&frames, &others].map(|frames| logits(&network, (&settings, &own), frames));
        let (first, above) = (last * Keys::COUNT, last * Keys::COUNT + key + 1);
        assert!(silent[..first] == sounding[..first], "{configuration}: the past");
        let start = first + climbs(&frames)[last].start;
        assert!(start < above && silent[start..above] == sounding[start..above], "{configuration}");
        let next = || silent[above..].iter().zip(&sounding[above..]).take(own.below.min(5));
        assert!(next().all(|(silent, sounding)| silent != sounding), "{configuration}");
    }
}

#[test]
fn what_is_trained_in_windows_is_what_judges_whole_pieces() {
    for (configuration, attacks) in [("default", false), ("default", true), ("source", true), ("nade", true)] {
        let mut trainable = trainer(configuration, attacks);
        (0..trainable.steps(0)).for_each(|step| assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite));
        let pieces = frames(&set(attacks).train, attacks);
        // Averaged weights judge; an epoch at rate 0 trains with the others, until the average has come to them.
        for epoch in 1..6 {
            for step in 0..trainable.steps(epoch) {
                trainable.step(StepAt { epoch, step }, 0.0);
            }
        }
        let figures = trainable.composer().frames().unwrap().judge_frames(&pieces, ALL, 0);
        let expected: f64 = figures.iter().flatten().flatten().map(|figure| figure.nats).sum();
        let steps = trainable.steps(6);
        let found: f64 = (0..steps).map(|step| trainable.step(StepAt { epoch: 6, step }, 0.0).batch.nats).sum();
        assert!((found - expected).abs() < 1e-3 * expected, "{configuration}: {found} {expected}");
    }
}

#[test]
fn a_climb_begins_an_octave_below_and_knows_what_it_has_decided() {
    let climb = Climb { set: 0b1011_0110, start: 2 };
    assert_eq!([0, 1, 85, 86].map(|at| climb.key(at, Keys::COUNT)), [2, 3, 87, 0]);
    assert_eq!((climb.below(2), climb.below(5), climb.below(1), climb.below(0)), (0, 0b101, 0, 0));
    assert_eq!(Climb { set: 1, start: 0 }.below(87), 1 << 86);
    assert_eq!((Climb::new(Keys::NONE, Some(30)).start, Climb::new(Keys::NONE, None).start), (18, 0));
}
