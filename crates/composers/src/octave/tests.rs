use super::generator::Generator;
use super::pieces::{Batch, Fragment, KeyBatch, Piece, Stretches, to_judge, waits};
use super::player::OctaveComposer;
use super::settings::{Clock, Decisions, OctaveSettings};
use super::trainer::OctaveTrainer;
use super::*;
use burn::tensor::Device;
use cantus_encoding::octave_roll::PitchClasses;
use cantus_encoding::piano_roll::Keys;
use cantus_model::{Composer, Request, Sampling, StepAt, seeded};
use cantus_nn::params::values_of;
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

fn score(notes: &[(u64, u8)]) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let note = |&(onset, pitch): &(u64, u8)| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(2),
        velocity: Velocity::DEFAULT,
    };
    let mut part = Part { notes: notes.iter().map(note).collect(), ..Part::default() };
    part.notes.sort_unstable();
    score.parts.push(part);
    score
}

/// A scale over chords: `steps` steps long, an onset at every other one.
fn music(steps: u64, seed: u64) -> Score {
    let at = |step: u64| (step * 7 + seed * 5 + step / 8) % 12;
    let melody = (0..steps).step_by(2).map(|step| (step, 60 + at(step) as u8));
    let chords = (0..steps).step_by(8).flat_map(|step| [0, 4, 7].map(|above| (step, 40 + at(step) as u8 + above)));
    score(&melody.chain(chords).chain([(steps - 1, 60)]).collect::<Vec<_>>())
}

fn tiny(changes: serde_json::Value) -> OctaveSettings {
    let mut settings: serde_json::Map<String, Settings> = serde_json::from_str(TINY).unwrap();
    settings.extend(changes.as_object().unwrap().clone());
    OctaveSettings::read(&settings.into()).unwrap()
}

fn set(train: Vec<Score>, valid: Vec<Score>) -> TrainingSet {
    TrainingSet { train: train.into(), valid: valid.into(), attacks: true, ..TrainingSet::default() }
}

#[test]
fn the_published_sizes() {
    let set = set(vec![music(300, 1)], vec![music(300, 2)]);
    let trainable = SPEC.creates().unwrap()(&SPEC.settings("default").unwrap(), &set, 1).unwrap();
    // The source's, less one of PyTorch's two biases of each LSTM, and our durations, for which the touch reads a number more.
    let (generator, decoder_and_velocity) = (328_512 - 4 * (100 + 100 + 130 + 100), 186_180 - 4 * (100 + 100));
    let durations = 100 * 88 + 88 + 4 * 100;
    assert_eq!(trainable.parameters(), generator + decoder_and_velocity + durations);
}

#[test]
fn fragments_cover_what_the_rule_says() {
    let pieces = || [32, 33, 60, 100].into_iter();
    let at = |fragments: Vec<Fragment>| -> Vec<(usize, usize)> {
        fragments.iter().map(|fragment| (fragment.piece, fragment.start)).collect()
    };
    let to_learn = |settings: &OctaveSettings| -> Vec<Fragment> {
        let stretches = Stretches::of(pieces(), settings);
        (0..stretches.count()).map(|number| stretches.get(number)).collect()
    };
    let source = tiny(json!({"short_pieces": false, "fragment": 33, "stride": 16}));
    assert_eq!(at(to_learn(&source)), [(1, 0), (2, 0), (2, 16), (3, 0), (3, 16), (3, 32), (3, 48), (3, 64)]);
    assert_eq!(at(to_judge(pieces(), &source)), [(1, 0), (2, 0), (3, 0), (3, 33), (3, 66)]);
    let all = tiny(json!({"short_pieces": true, "fragment": 33, "stride": 64}));
    assert_eq!(at(to_learn(&all)), [(0, 0), (1, 0), (2, 0), (3, 0), (3, 64)]);
    assert_eq!(at(to_judge(pieces(), &all)), [(0, 0), (1, 0), (2, 0), (2, 33), (3, 0), (3, 33), (3, 66)]);
}

#[test]
fn a_batch_reads_its_fragments_with_the_piece_before_them() {
    let pieces = [Piece::new(&music(100, 1), &OctaveSettings::default()).unwrap()];
    let settings = tiny(json!({"fragment": 33, "lags": [1, 4, 40]}));
    let fragments = [(0, 0), (16, 0), (16, 5), (80, 0)].map(|(start, shift)| Fragment { piece: 0, start, shift });
    let batch = Batch::gather(|k| &pieces[k], &fragments, &settings, &mut seeded(1));
    let classes = &pieces[0].classes;
    let row = |values: &[f32]| values.iter().rev().fold(0u16, |bits, x| bits << 1 | u16::from(*x > 0.5));
    for (b, Fragment { start, shift, .. }) in fragments.into_iter().enumerate() {
        let at = |step: usize| classes.get(step).copied().unwrap_or_default().rolled(shift).bits();
        for t in 0..32 {
            let n = t * 4 + b;
            assert_eq!(row(&batch.inputs[n * 18..n * 18 + 12]), at(start + t));
            assert_eq!(batch.inputs[n * 18 + 17], ((start + t) % 2) as f32, "the clock's last bit");
            assert_eq!(batch.sets[n], u32::from(at(start + t + 1)));
            assert_eq!(batch.weights[n] > 0.0, start + t + 1 < classes.len());
        }
        // 39 steps of the past, then the fragment.
        for k in 0..39 + 32 {
            let expected = (start + k).checked_sub(39).map_or(0, at);
            assert_eq!(row(&batch.history.values[(k * 4 + b) * 12..][..12]), expected);
        }
    }
}

#[test]
fn the_sources_history_hides_what_was_before_a_fragment_from_long_lags_alone() {
    let pieces = [Piece::new(&music(200, 1), &OctaveSettings::default()).unwrap()];
    let gather = |source: bool| {
        let settings = tiny(json!({"source_history": source, "lags": [4, 32, 48, 64]}));
        Batch::gather(|k| &pieces[k], &[Fragment { piece: 0, start: 100, shift: 0 }], &settings, &mut seeded(1)).history
    };
    assert!(gather(false).lags.iter().all(|lag| lag.reaches == 63));
    let reaches: Vec<usize> = gather(true).lags.iter().map(|lag| lag.reaches).collect();
    assert_eq!(reaches, [63, 63, 0, 0]);
}

#[test]
fn leading_silence_is_cut_and_the_clock_may_count_from_the_bar() {
    let late = score(&[(5, 60), (5, 64), (9, 67)]);
    let bar = OctaveSettings { clock: Clock::Bar, ..OctaveSettings::default() };
    let from_onset = Piece::new(&late, &OctaveSettings::default()).unwrap();
    let from_bar = Piece::new(&late, &bar).unwrap();
    assert_eq!((from_onset.steps(), from_bar.steps()), (5, 10));
    assert_eq!(from_bar.classes[5..], from_onset.classes[..]);
    assert_eq!((from_bar.strokes[5].len(), from_onset.strokes[4].len()), (2, 1));
    assert!(Piece::new(&score(&[]), &bar).is_none());
    // Beyond the keyboard.
    assert!(Piece::new(&score(&[(0, 5), (3, 120)]), &OctaveSettings::default()).is_none());
}

#[test]
fn with_an_opening_the_first_step_is_learnt_after_silence_at_the_clocks_last_step() {
    let settings = tiny(json!({"opening": true, "source_history": false}));
    let plain = Piece::new(&music(60, 2), &OctaveSettings::default()).unwrap();
    let opened = [Piece::new(&music(60, 2), &settings).unwrap()];
    assert_eq!(opened[0].classes[1..], plain.classes[..]);
    assert_eq!(opened[0].strokes[1..], plain.strokes[..]);
    let batch = Batch::gather(|k| &opened[k], &[Fragment { piece: 0, start: 0, shift: 0 }], &settings, &mut seeded(1));
    assert_eq!(batch.inputs[..18], [[0.0; 12].as_slice(), &[1.0; 6]].concat());
    assert_eq!(batch.inputs[18 + 12..36], [0.0; 6]);
    assert_eq!(batch.sets[0], u32::from(plain.classes[0].bits()));
}

#[test]
fn a_wait_lasts_until_something_is_struck() {
    let struck = Keys::from_bits(1).unwrap();
    let none = Keys::NONE;
    assert_eq!(waits(&[none, struck, none, none, struck, struck], 7), [1, 3, 2, 1, 1, 7]);
    assert_eq!(waits(&[struck, none, none], 1), [3, 2, 1]);
    assert!(waits(&[], 1).is_empty());
}

fn trained(settings: &OctaveSettings, steps: u64) -> OctaveTrainer {
    let set = set((0..4).map(|k| music(90, k)).collect(), vec![music(90, 7)]);
    let mut trainer = OctaveTrainer::new(&serde_json::to_value(settings).unwrap(), &set, 3).unwrap();
    for step in 0..steps {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    trainer
}

#[test]
fn step_by_step_is_the_whole_sequence() {
    for decisions in [Decisions::Final, Decisions::Ordered] {
        let settings = tiny(json!({"decisions": decisions, "lags": [1, 3, 20], "fragment": 60}));
        let file = trained(&settings, 3).save();
        let player = OctaveComposer::load(&file).unwrap();
        let device = Device::flex();
        let generator = Generator::new(&settings, &mut seeded(1), &device);
        let lookup = |name: &str| {
            let tensor = file.tensors.get(&format!("generator.{name}"))?;
            Some((tensor.shape.clone(), tensor.values.clone()))
        };
        let generator = cantus_nn::params::load_parameters(generator, lookup).unwrap();
        let piece = Piece::new(&music(60, 2), &OctaveSettings::default()).unwrap();
        let whole = Batch::gather(|_| &piece, &[Fragment { piece: 0, start: 0, shift: 0 }], &settings, &mut seeded(1));
        let (features, scores) = generator.features(&whole, None, &device);
        let (features, scores) = (values_of(features), values_of(scores));
        let nats = generator.forward(&whole, &settings, None, &device).1.nats;
        let mut reading = player.start(0);
        let mut weights = vec![0.0; 3];
        for t in 0..59 {
            player.read(&mut reading, piece.classes[t]);
            cantus_nn::lag_attention::weights(&scores[t * 3..t * 3 + 3], &mut weights);
            // Composing reads weights of 16 bits.
            assert!(reading.weights.iter().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-3));
            let found = player.features(&reading);
            let expected = &features[t * settings.aggregation..(t + 1) * settings.aggregation];
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "step {t}");
            let next = piece.classes[t + 1];
            if decisions == Decisions::Ordered {
                let found = player.nats(&mut reading.clone(), next);
                assert!((found - f64::from(nats[t])).abs() < 1e-2, "step {t}: {found} {}", nats[t]);
            }
            player.follow(&mut reading, next, &mut seeded(t as u64)).unwrap();
        }
    }
}

#[test]
fn the_exact_variant_sums_to_one_over_all_frames_after_a_prompt_and_draws_what_it_says() {
    let settings = tiny(json!({"decisions": "ordered", "voices": 4}));
    let player = OctaveComposer::load(&trained(&settings, 8).save()).unwrap();
    let piece = Piece::new(&music(40, 2), &OctaveSettings::default()).unwrap();
    let mut reading = player.start(0);
    for t in 0..30 {
        player.read(&mut reading, piece.classes[t]);
        player.follow(&mut reading, piece.classes[t + 1], &mut seeded(1)).unwrap();
    }
    player.read(&mut reading, piece.classes[30]);
    let chances: Vec<f64> = (0..1 << 12)
        .map(|bits| (-player.nats(&mut reading.clone(), PitchClasses::from_bits(bits).unwrap())).exp())
        .collect();
    let total: f64 = chances.iter().sum();
    assert!((total - 1.0).abs() < 1e-5, "{total}");
    let (rng, draws) = (&mut seeded(9), 4000);
    let mut counts = vec![0.0; 1 << 12];
    for _ in 0..draws {
        let drawn = player.draw(&mut reading.clone(), &Sampling::default(), rng).unwrap();
        counts[usize::from(drawn.bits())] += 1.0 / f64::from(draws);
    }
    for (bits, (found, chance)) in counts.iter().zip(&chances).enumerate() {
        // Five standard deviations.
        let bound = 5.0 * (chance * (1.0 - chance) / f64::from(draws)).sqrt() + 1.5e-3;
        assert!((found - chance).abs() < bound, "{bits:b}: {found} where {chance} is right");
    }
}

#[test]
fn a_roll_of_input_and_output_leaves_the_figure_of_a_rolled_network_unchanged() {
    // Columns of every weight that reads or writes pitch classes move with the music.
    let settings = tiny(json!({"voices": 1}));
    let file = trained(&settings, 3).save();
    let by = 5i32;
    let mut rolled = file.clone();
    let roll_columns = |values: &mut [f32], width: usize, from: usize| {
        for row in values.chunks_exact_mut(width) {
            row[from..from + 12].rotate_right(by as usize);
        }
    };
    for name in ["local", "controller"] {
        roll_columns(&mut rolled.tensors.get_mut(&format!("generator.{name}.w_ih")).unwrap().values, 18, 0);
    }
    let OctaveSettings { local, aggregation, voice, .. } = settings;
    let read = &mut rolled.tensors.get_mut("generator.aggregation.w_ih").unwrap().values;
    roll_columns(read, local + 12, local);
    let masks = &mut rolled.tensors.get_mut("generator.voices.lstm.w_ih").unwrap().values;
    roll_columns(masks, aggregation + 24, aggregation);
    roll_columns(masks, aggregation + 24, aggregation + 12);
    for (name, width) in [("weight", voice), ("bias", 1)] {
        let rows = &mut rolled.tensors.get_mut(&format!("generator.voices.outcome.{name}")).unwrap().values;
        rows[..12 * width].rotate_right(by as usize * width);
        rows[12 * width..].rotate_right(by as usize * width);
    }
    let device = Device::flex();
    let network = |file: &ModelFile| {
        let lookup = |name: &str| {
            let tensor = file.tensors.get(&format!("generator.{name}"))?;
            Some((tensor.shape.clone(), tensor.values.clone()))
        };
        let fresh = Generator::new(&settings, &mut seeded(1), &device);
        cantus_nn::params::load_parameters(fresh, lookup).unwrap()
    };
    let piece = [Piece::new(&music(60, 2), &OctaveSettings::default()).unwrap()];
    let nats = |file: &ModelFile, shift: i32| {
        let fragment = Fragment { piece: 0, start: 0, shift };
        let batch = Batch::gather(|k| &piece[k], &[fragment], &settings, &mut seeded(1));
        network(file).forward(&batch, &settings, None, &device).1.figures.nats
    };
    let (plain, moved, unmoved) = (nats(&file, 0), nats(&rolled, by), nats(&file, by));
    assert!((plain - moved).abs() < 1e-5 * plain, "{plain} {moved}");
    assert!((plain - unmoved).abs() > 1e-4 * plain, "the network does not care for the key at all: {plain} {unmoved}");
}

#[test]
fn no_key_outside_of_the_pitch_classes_ever_sounds() {
    let settings = tiny(json!({"gibbs": 3}));
    let player = OctaveComposer::load(&trained(&settings, 5).save()).unwrap();
    let rng = &mut seeded(4);
    for temperature in [0.0, 1.0, 50.0] {
        let sampling = Sampling { temperature, ..Sampling::default() };
        let mut state = player.decoder().start();
        for step in 0..300u32 {
            let classes = PitchClasses::from_bits((step.wrapping_mul(2_654_435_761) >> 20) as u16 & 0xfff).unwrap();
            for range in [Keys::ALL, all_between(PitchClasses::from_bits(1).unwrap().keys())] {
                let keys = player.decoder().decode(&mut state, classes, range, &sampling, rng);
                assert!((keys - classes.keys()).is_empty() && (keys - range).is_empty(), "{classes:?}: {keys:?}");
                // And none of them is lost.
                assert_eq!(PitchClasses::from(keys), PitchClasses::from(classes.keys() & range));
            }
        }
    }
}

#[test]
fn a_touch_that_has_hardly_learnt_is_neither_silent_nor_loud() {
    let settings = tiny(json!({}));
    let player = OctaveComposer::load(&trained(&settings, 1).save()).unwrap();
    let request = Request::new(4, Sampling::default());
    for seed in 0..3 {
        let piece = player.compose(&request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score;
        let velocities: Vec<u8> = piece.notes().map(|note| note.velocity.get()).collect();
        let mean = velocities.iter().map(|velocity| f64::from(*velocity)).sum::<f64>() / velocities.len() as f64;
        // The corpus's are at 80, too.
        assert!((60.0..100.0).contains(&mean), "{mean}");
        assert!(velocities.iter().all(|velocity| *velocity >= 24), "{velocities:?}");
    }
}

#[test]
fn a_hostile_corpus_gives_numbers_and_music() {
    let silence_but_one = score(&[(200, 60)]);
    let one_chord = score(&(0..50).flat_map(|k| [(4 * k, 60), (4 * k, 64), (4 * k, 67)]).collect::<Vec<_>>());
    let all_keys = score(&(0..40).flat_map(|step| (21..=108).map(move |pitch| (step, pitch))).collect::<Vec<_>>());
    let three_steps = score(&[(0, 60), (2, 61)]);
    for name in ["default", "source", "tuned", "exact"] {
        for piece in [&silence_but_one, &one_chord, &all_keys, &three_steps] {
            for clock in ["onset", "bar"] {
                let mut settings = SPEC.tiny_settings(name).unwrap();
                settings["clock"] = clock.into();
                let both = set(vec![piece.clone()], vec![piece.clone()]);
                let created = create(&settings, &both, 1);
                let mut trainable = match created {
                    Ok(trainable) => trainable,
                    // A single onset is a single step, and nothing follows it.
                    Err(CreateError::Settings { .. })
                        if piece.note_count() == 1 && clock == "onset" && name != "exact" =>
                    {
                        continue;
                    }
                    Err(error) => panic!("{name} {clock}: {error}"),
                };
                for step in 0..60 {
                    let report = trainable.step(StepAt { epoch: 0, step }, 0.05);
                    assert!(report.finite && report.batch.nats.is_finite(), "{name} {clock}: {report:?}");
                }
                assert!(trainable.validate().per_token().is_finite());
                let file = trainable.save();
                assert!(file.tensors.values().flat_map(|tensor| &tensor.values).all(|x| x.is_finite()));
                let request = cantus_model::Request::new(3, Sampling::default());
                let composed = trainable
                    .composer()
                    .compose(&request, &mut seeded(1), &mut |_| std::ops::ControlFlow::Continue(()))
                    .unwrap();
                assert!(composed.score.note_count() > 0);
            }
        }
    }
}

#[test]
fn what_decoder_and_touch_learn_from_moves_with_the_key() {
    let pieces = [Piece::new(&music(60, 2), &OctaveSettings::default()).unwrap()];
    let settings = tiny(json!({}));
    let gather = |shift| KeyBatch::gather(|k| &pieces[k], &[Fragment { piece: 0, start: 8, shift }], &settings);
    let (plain, moved) = (gather(0), gather(3));
    for n in 0..plain.weights.len() {
        let (a, b) = (&plain.keys[n * 88..(n + 1) * 88], &moved.keys[n * 88..(n + 1) * 88]);
        assert_eq!(a[..85], b[3..], "step {n}");
        let struck = a.iter().any(|x| *x > 0.0);
        assert_eq!(plain.weights[n] > 0.0, struck);
        // Two steps long, and the wait stands beside the keys: its binary logarithm divided by 4.
        let (durations, wait) = (&plain.durations[n * 88..(n + 1) * 88], 4.0 * plain.now[n * 101 + 100]);
        assert!(a.iter().zip(durations).all(|(struck, d)| (d - struck * (1.0 - wait)).abs() < 1e-6), "{n}: {wait}");
    }
    assert_ne!(plain.before, plain.now);
}

/// A melody that no rule explains, again and again after `period` steps.
fn repeating(steps: u64, period: u64, seed: u64) -> Score {
    let rng = &mut seeded(seed);
    let theme: Vec<u8> = (0..period).map(|_| 60 + cantus_nn::random::below(rng, 12) as u8).collect();
    score(&(0..steps).map(|step| (step, theme[(step % period) as usize])).collect::<Vec<_>>())
}

#[test]
fn the_attention_goes_where_the_corpus_repeats_unless_that_is_hidden() {
    const PERIOD: u64 = 48;
    let pieces = |seeds: std::ops::Range<u64>| seeds.map(|seed| repeating(240, PERIOD, seed)).collect::<Vec<Score>>();
    let set = set(pieces(0..12), pieces(100..103));
    let mass = |source_history: bool| {
        let settings = json!({
            "lags": [4, 8, PERIOD], "source_history": source_history, "fragment": 40, "stride": 20, "batch": 16, "transposition": "none",
            "local": 12, "controller": 12, "aggregation": 24, "voice": 24, "voices": 1, "learning_rate": 0.01
        });
        let settings = serde_json::to_value(tiny(settings)).unwrap();
        let mut trainable = create(&settings, &set, 1).unwrap();
        let mut at = StepAt { epoch: 0, step: 0 };
        for _ in 0..400 {
            assert!(trainable.step(at, 0.01).finite);
            at.step += 1;
            if at.step == trainable.steps(at.epoch) {
                at = StepAt { epoch: at.epoch + 1, step: 0 };
            }
        }
        trainable.validate();
        let chart = trainable.composer().charts().remove(0);
        println!("{source_history} {:?}", chart.bars);
        chart.bars.iter().find(|(lag, _)| *lag == PERIOD.to_string()).unwrap().1
    };
    // Fragments of 40 steps: the published program hides all that lies 48 steps back.
    let (mended, published) = (mass(false), mass(true));
    assert!(mended > 0.5 && published < 0.2, "{mended} {published}");
}

/// Single notes at two of five steps, at random.
fn sparse(steps: u64, seed: u64) -> Score {
    let rng = &mut seeded(seed);
    let mut draw = |below| cantus_nn::random::below(rng, below);
    let notes: Vec<(u64, u8)> = (0..steps)
        .map(|step| (step, draw(5), draw(12)))
        .filter_map(|(step, begins, pitch)| (begins < 2 || step == 0).then_some((step, 60 + pitch as u8)))
        .collect();
    score(&notes)
}

#[test]
fn a_finished_model_draws_as_many_onsets_as_the_corpus_has_and_its_likelihood_stays() {
    let settings =
        serde_json::to_value(tiny(json!({"decisions": "ordered", "opening": true, "fragment": 64}))).unwrap();
    let music: Vec<Score> = (0..60).map(|seed| sparse(120, seed)).collect();
    let mut trainable = create(&settings, &set(music.clone(), music[..4].to_vec()), 1).unwrap();
    for step in 0..80 {
        trainable.step(StepAt { epoch: 0, step }, 0.02);
    }
    let mut model = trainable.save();
    // What is too fond of silence.
    model.tensors.get_mut("generator.voices.outcome.bias").unwrap().values[12] += 0.7;
    let share = |model: &ModelFile| {
        let (player, rng) = (OctaveComposer::load(model).unwrap(), &mut seeded(5));
        let mut onsets = 0;
        for _ in 0..40 {
            let mut state = player.start(0);
            for _ in 0..100 {
                let frame = player.draw(&mut state, &Sampling::default(), rng).unwrap();
                player.read(&mut state, frame);
                onsets += usize::from(frame != PitchClasses::NONE);
            }
        }
        onsets as f64 / 4000.0
    };
    let go_on = AtomicBool::new(false);
    let finished = trainable.finish(&model, &go_on, &mut |_| ()).unwrap().unwrap();
    let (before, after) = (share(&model), share(&finished));
    // Five standard deviations, and what lies between the temperatures.
    assert!(before < 0.32 && (after - 0.4).abs() < 0.05, "{before} {after}");
    assert!(trainable.finish(&finished, &go_on, &mut |_| ()).unwrap().is_none(), "once is enough");
    let judged = |file: &ModelFile| {
        let player = OctaveComposer::load(file).unwrap();
        cantus_model::Judge::judge(&player, &music[0]).figures
    };
    assert_eq!(judged(&model), judged(&finished));
    // Nothing else than this number is new, and a file cannot make it wild.
    for value in [f32::NAN, 1e30] {
        let mut hostile = finished.clone();
        hostile.tensors.get_mut(SILENCE).unwrap().values[0] = value;
        assert!(share(&hostile) < 0.4);
    }
}
