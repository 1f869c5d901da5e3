use super::SPEC;
use super::model::Model;
use super::network::{Batch, Masks, Network};
use super::settings::Settings;
use super::stored::Stored;
use super::tune::{AGREED, Frame, LOOKS, Looking, Outline, Rhythms, Tune, plan};
use burn::tensor::Device;
use cantus_encoding::melody_steps::{HOLD, MelodySteps, SILENCE, struck};
use cantus_encoding::note_chord::BarKind;
use cantus_model::learner::Recurrent;
use cantus_model::melodies::BEGINNING;
use cantus_model::plan::{Row, Segment};
use cantus_model::{CheckedSettings, ModelFile, Request, Sampling, StepAt, Trainable, TrainingSet, derive, seeded};
use cantus_score::{Meter, Note, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use serde_json::{Value, json};
use std::ops::ControlFlow;

const FOUR: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

/// A tune of 8 bars, said twice, in 4/4 or 6/8.
fn piece(number: usize) -> Score {
    let mut score = Score::new(FOUR);
    let (meter, bar) = if number % 3 == 2 { ("6/8", 12) } else { ("4/4", 16) };
    score.meters.push((Ticks::ZERO, meter.parse().unwrap()));
    score.tempos.push((Ticks::ZERO, Tempo::DEFAULT));
    let mut notes = Vec::new();
    for at in (0..16 * bar).step_by(2) {
        let (place, of) = (at % (8 * bar), at % bar);
        let is_long = (place / bar + of) % 3 == 0 && of % 4 == 0;
        if !(of % 4 == 2 && (place / bar + of - 2) % 3 == 0) {
            let scale = [60, 62, 64, 65, 67, 69, 71, 72];
            let pitch = Pitch::try_from(scale[((place / 2 * 5 + number as u64 * 3) % 8) as usize] as u8).unwrap();
            let duration = Ticks(if is_long { 4 } else { 2 });
            notes.push(Note { onset: Ticks(at), pitch, duration, velocity: Velocity::DEFAULT });
        }
    }
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..4).map(piece).collect(),
        valid: (4..6).map(piece).collect(),
        attacks: true,
        ..TrainingSet::default()
    }
}

fn settings(configuration: &str, changes: &Value) -> Value {
    let mut settings = SPEC.tiny_settings(configuration).unwrap();
    settings["precision"] = json!("single");
    settings["averaging"] = json!(0.0);
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    settings
}

fn trainer(configuration: &str, changes: &Value) -> Box<dyn Trainable> {
    super::trainer::MelodyTrainer::create(&settings(configuration, changes), &set(), 5).unwrap()
}

fn learnt(configuration: &str, changes: &Value, steps: u64) -> Box<dyn Trainable> {
    let mut trainer = trainer(configuration, changes);
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        assert!(trainer.step(at, 0.01).finite);
        at.step += 1;
        if at.step == trainer.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainer
}

fn model(file: &ModelFile) -> Model {
    Model::load(file).unwrap()
}

fn nats(model: &Model, tune: &Tune) -> Vec<f64> {
    model.judge(std::slice::from_ref(tune)).remove(0).iter().map(|judged| judged.nats).collect()
}

/// The tune with another outcome at a step; the classes of rhythm stay.
fn changed(tune: &Tune, step: usize, outcome: u8) -> Tune {
    let mut changed = tune.clone();
    changed.steps[step] = outcome;
    changed.sounding = cantus_encoding::melody_steps::sounding(&changed.steps);
    changed
}

const CONFIGURATIONS: [&str; 3] = ["default", "profiles", "flat"];

#[test]
fn a_change_in_a_bar_alters_nothing_before_it_and_what_comes_after() {
    for configuration in CONFIGURATIONS {
        let model = model(&learnt(configuration, &json!({}), 3).save());
        let tune = Tune::of(&piece(0), model.grid, model.rhythms());
        let before = nats(&model, &tune);
        for step in [0, 5, 17, 32, 64, 100] {
            let other = if tune.steps[step] == struck(Pitch::C4) { SILENCE } else { struck(Pitch::C4) };
            let after = nats(&model, &changed(&tune, step, other));
            assert!((0..step).all(|k| before[k] == after[k]), "{configuration}: a change at {step} is known before it");
            assert!(before[step + 1..] != after[step + 1..], "{configuration}: a change at {step} is never known");
        }
    }
}

#[test]
fn an_upper_layer_reads_its_last_block_and_not_its_own() {
    // What the layer for bars holds through bar 2 depends on bar 1, and on nothing of bar 2.
    let bars = vec![BarKind { steps: 16, meter: Meter::COMMON }; 3];
    let frame = Frame::new(&bars, false, FOUR);
    let c = struck(Pitch::C4);
    let mut steps = vec![HOLD; 48];
    (steps[0], steps[16], steps[20], steps[30], steps[36]) = (c, c + 2, SILENCE, c + 5, c + 9);
    let sounding = cantus_encoding::melody_steps::sounding(&steps);
    let [held, silent] = [HOLD, SILENCE].map(u32::from);
    let of = |outcome: u8| u32::from(outcome);
    assert_eq!(frame.before_bar(0, &steps, &sounding), [BEGINNING; 16]);
    let mut first = [held; 16];
    first[0] = of(c);
    assert_eq!(frame.before_bar(1, &steps, &sounding), first);
    let mut second = [held; 16];
    (second[0], second[4], second[14]) = (of(c + 2), silent, of(c + 5));
    assert_eq!(frame.before_bar(2, &steps, &sounding), second);
    // What sounds already stands at the beginning; beats are quarters.
    assert_eq!(frame.before_beat(2, &steps, &sounding), [of(c), held, held, held, held, held]);
    assert_eq!(frame.before_beat(9, &steps, &sounding)[..2], [of(c + 5), held]);
    let compound = Frame::new(&[BarKind { steps: 12, meter: "6/8".parse().unwrap() }; 2], false, FOUR);
    assert_eq!((compound.beats.len(), compound.beats[1].clone()), (4, 6..12));
}

#[test]
fn an_earlier_bar_is_read_and_how_long_the_melody_has_agreed_with_it() {
    let bars = vec![BarKind { steps: 4, meter: "1/4".parse().unwrap() }; 6];
    let frame = Frame::new(&bars, false, FOUR);
    let steps: Vec<u8> =
        [[40, 0, 41, 0], [40, 0, 41, 0], [40, 0, 42, 0], [40, 0, 41, 0], [40, 0, 41, 0], [40, 0, 42, 0]].concat();
    let mut looking = Looking::default();
    let mut read = Vec::new();
    for step in 0..24 {
        read.push(looking.read(&frame, &steps, step));
        looking.push(&frame, &steps, step);
    }
    assert_eq!(LOOKS[..2], [1, 2]);
    // A bar earlier: nothing at first; then the bar that was repeated, with 0, 1, 2, 3 steps of agreement in classes that double.
    assert!(read[..4].iter().all(|looks| looks[0] == (BEGINNING, 0)));
    assert_eq!([4, 5, 6, 7].map(|step| read[step][0]), [(40, 0), (0, 1), (41, 2), (0, 2)]);
    // It ends where the third bar differs.
    assert_eq!((read[10][0], read[11][0], read[12][0]), ((41, 3), (0, 0), (40, 1)));
    assert!(read.iter().flatten().all(|(_, agreed)| *agreed < AGREED as u32));
    assert_eq!(read[3][3], (BEGINNING, 0));
}

#[test]
fn a_batch_costs_what_its_tunes_cost_one_by_one() {
    for (configuration, changes) in [
        ("default", json!({"window": 64})),
        ("profiles", json!({"window": 64})),
        ("flat", json!({"window": 64})),
        ("default", json!({"window": 64, "beat": 0})),
        ("default", json!({"window": 64, "bar": 0, "lookback": false})),
    ] {
        let mut trainer = learnt(configuration, &changes, 5);
        let model = model(&trainer.save());
        let tunes = set().train.iter().map(|piece| Tune::of(&piece, model.grid, model.rhythms())).collect::<Vec<_>>();
        let expected: f64 = tunes.iter().flat_map(|tune| nats(&model, tune)).sum();
        let epoch: Vec<_> =
            (0..trainer.steps(1)).map(|step| trainer.step(StepAt { epoch: 1, step }, 0.0).batch).collect();
        let (found, steps) =
            epoch.iter().fold((0.0, 0.0), |(nats, steps), batch| (nats + batch.nats, steps + batch.tokens));
        assert_eq!(steps, tunes.iter().map(|tune| tune.steps.len()).sum::<usize>() as f64);
        // Judging reads weights of 16 bits.
        assert!((found - expected).abs() < 2e-3 * expected, "{configuration} {changes}: {found} {expected}");
    }
}

#[test]
fn the_loss_is_steps_and_rhythms_nats_a_step() {
    let settings = Settings::read(&settings("profiles", &json!({}))).unwrap();
    let rhythms = Rhythms::of(&set().train, FOUR, &settings);
    let network = Network::new(&settings, &rhythms, &mut derive(1, "", &[]), &Device::flex().autodiff());
    let tunes = [Tune::of(&piece(0), FOUR, &rhythms), Tune::of(&piece(2), FOUR, &rhythms)];
    let row = |piece| Row { segment: Segment { piece, shift: 0, tokens: 3..8 }, begins: true };
    let rows = [row(0), row(1)];
    let batch = Batch::gather(|tune| &tunes[tune], [Some(&rows[0]), None, Some(&rows[1])].into_iter());
    assert_eq!((batch.rows, batch.bars.count, batch.beats.count, batch.steps.count), (3, 5, 20, 80));
    let mut states = network.zeros(3);
    let (loss, found) = network.loss(&settings, &batch, &mut states, Some(Masks { seed: 0, step: 0 }));
    assert_eq!(found.figures.counted, 5.0 * (16.0 + 12.0));
    let mean = (found.figures.nats + found.rhythms) / found.figures.counted;
    assert!(found.rhythms > 0.0 && (f64::from(loss.into_scalar::<f32>()) - mean).abs() < 1e-5 * mean);
}

#[test]
fn classes_of_rhythm_follow_from_the_notes_and_are_kept() {
    let trainer = learnt("profiles", &json!({}), 2);
    let file = trainer.save();
    let stored = Stored::read(&file.header).unwrap();
    let rhythms = &stored.rhythms;
    assert_eq!((rhythms.bars.len(), rhythms.beats.len()), (4, 2));
    let tune = Tune::of(&piece(1), FOUR, rhythms);
    assert_eq!((tune.classes[0].len(), tune.classes[1].len()), (16, 64));
    // Said twice, and so decided twice.
    assert_eq!(tune.classes[0][..8], tune.classes[0][8..]);
    // Another pitch is no other rhythm.
    let moved = MelodySteps::of(&piece(1).transposed(1).unwrap(), FOUR);
    assert_eq!(Tune::new(&moved, rhythms).classes, tune.classes);
    let mut damaged = file.clone();
    damaged.header.encoding["rhythms"]["bars"] = json!(["x-?"]);
    assert!(Model::load(&damaged).is_err());
    damaged.header.encoding["rhythms"] = json!({"bars": [], "beats": []});
    assert!(Model::load(&damaged).is_err());
}

#[test]
fn every_bar_of_every_tune_is_learnt_once_an_epoch() {
    let tunes = [Outline { bars: 5, steps: 0 }, Outline { bars: 70, steps: 0 }, Outline { bars: 16, steps: 0 }];
    let settings = Settings { window: 16, batch: 3, ..Settings::default() };
    for epoch in 0..5 {
        let plan = plan(&tunes, &settings, 3, epoch);
        let mut seen = tunes.map(|tune| vec![0; tune.bars]);
        for row in (0..plan.steps()).flat_map(|step| plan.step(step).flatten().cloned().collect::<Vec<_>>()) {
            assert!(row.begins, "nothing is carried");
            row.segment.tokens.for_each(|bar| seen[row.segment.piece][bar] += 1);
        }
        assert!(seen.iter().flatten().all(|count| *count == 1));
    }
}

#[test]
fn what_is_said_twice_is_learnt_to_come_twice() {
    let trainer = learnt("default", &json!({"hidden": 32, "bar": 16, "beat": 16, "window": 64}), 120);
    let composer = trainer.composer();
    let sampling = Sampling { temperature: 0.7, ..Sampling::default() };
    let again = |seed| {
        let request = Request::new(16, sampling);
        let score = composer.compose(&request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score;
        let bar = score.bars().next().unwrap().length;
        let half = |from: u64| -> Vec<(u64, u8)> {
            let within = score.notes().filter(|note| (from..from + 8 * bar.0).contains(&note.onset.0));
            within.map(|note| (note.onset.0 - from, note.pitch.get())).collect()
        };
        let (first, second) = (half(0), half(8 * bar.0));
        first.iter().filter(|note| second.contains(note)).count() as f64 / first.len().max(1) as f64
    };
    let mean = (0..8).map(again).sum::<f64>() / 8.0;
    assert!(mean > 0.5, "{mean} of the notes of eight bars come again in the next eight");
}
