//! The bound, the estimate and the likelihood itself; codes alone and together; the network as it learns and as it writes.

use super::SPEC;
use super::model::{Ahead, Model};
use super::network::{Network, Noise};
use super::player::Player;
use super::settings::Settings;
use super::tune::{Batch, Heard, SLOTS, Tune, plan, repertoire};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::melody_steps::{HOLD, MelodySteps, OUTCOMES, SILENCE};
use cantus_encoding::note_chord::BarKind;
use cantus_model::latent::{Latent, Sketch};
use cantus_model::learner::Recurrent;
use cantus_model::melodies::BEGINNING;
use cantus_model::{CheckedSettings, Sampling, StepAt, Trainable, TrainingSet, seeded};
use cantus_nn::gaussian::{Use, divergence};
use cantus_nn::params::values_of;
use cantus_score::{Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use serde_json::json;
use std::ops::ControlFlow;

const FOUR: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

/// Bars of 4/4 or 3/4 that go up or down by the number of the tune.
fn tune(number: u64, bars: u64) -> Score {
    let mut score = Score::new(FOUR);
    let (meter, beats) = if number % 3 == 2 { ("3/4", 3) } else { ("4/4", 4) };
    score.meters.push((Ticks::ZERO, meter.parse().unwrap()));
    const SCALE: [u8; 8] = [60, 62, 64, 65, 67, 69, 71, 72];
    let note = |k: u64| Note {
        onset: Ticks(4 * k),
        pitch: Pitch::try_from(SCALE[((k * (number + 1) + k / 4) % 8) as usize]).unwrap(),
        duration: Ticks(if k % 5 == 3 { 3 } else { 4 }),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: (0..bars * beats).map(note).collect(), ..Part::default() });
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..6).map(|number| tune(number, 8)).collect(),
        valid: (1..3).map(|number| tune(number, 7)).collect(),
        attacks: true,
        ..TrainingSet::default()
    }
}

/// A training of tiny settings with these changes, so many steps on.
fn trained(changes: serde_json::Value, steps: u64) -> Box<dyn Trainable> {
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut trainable = SPEC.creates().unwrap()(&settings, &set(), 3).unwrap();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        trainable.step(at, 0.01);
        at.step += 1;
        if at.step == trainable.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainable
}

/// A model that has learnt nothing yet.
pub(super) fn file() -> cantus_model::ModelFile {
    trained(json!({}), 0).save()
}

fn model(changes: serde_json::Value, steps: u64) -> Model {
    Model::load(&trained(changes, steps).save()).unwrap()
}

/// A piece of two steps.
fn two(steps: [u8; 2]) -> Tune {
    let bar = BarKind { steps: 2, meter: "1/8".parse().unwrap() };
    Tune::new(&MelodySteps { grid: FOUR, bars: vec![bar], upbeat: false, steps: steps.to_vec() })
}

/// -ln of the integral over a code of one number, by the trapezoidal rule.
fn exact(model: &Model, tune: &Tune) -> f64 {
    const POINTS: usize = 801;
    let codes: Vec<f32> = (0..POINTS).map(|k| 16.0 * k as f32 / (POINTS - 1) as f32 - 8.0).collect();
    let (laid, mut rows) = (model.lay(&codes), model.rows(POINTS));
    let mut logs: Vec<f64> = codes.iter().map(|z| -0.5 * f64::from(z * z)).collect();
    for step in 0..2 {
        let ahead: Vec<Ahead<'_>> = (0..POINTS)
            .map(|k| Ahead {
                before: tune.before(step),
                places: tune.frame.places[step],
                sounding: tune.sounding[step],
                code: &codes[k..=k],
                laid: model.part(&laid, k, tune.frame.slot(0, step)),
            })
            .collect();
        for (log, logits) in logs.iter_mut().zip(model.step(&ahead, &mut rows).chunks_exact(OUTCOMES)) {
            let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
            *log += f64::from(logits[usize::from(tune.steps[step])]) - sum.ln();
        }
    }
    let sum: f64 = logs.iter().map(|log| log.exp()).sum();
    -(sum * 16.0 / (POINTS - 1) as f64 / std::f64::consts::TAU.sqrt()).ln()
}

#[test]
fn the_bound_lies_over_the_estimate_and_that_over_the_likelihood() {
    let model = model(json!({"code": 1, "beta": 1.0}), 200);
    let (mut bounds, mut estimates, mut exacts) = (0.0, 0.0, 0.0);
    let (mut likelihood, mut estimated) = (0.0, 0.0);
    for first in [HOLD, 41, 43] {
        for second in [HOLD, SILENCE, 45] {
            let tune = two([first, second]);
            let code = &model.encode(&tune.sections().collect::<Vec<_>>())[0];
            // The bound itself, and not one draw of it: the mean over many, which are estimates by one draw each.
            let heard = divergence(&code.mean, &code.log_variance);
            let one_draw: f64 = model.judge(std::slice::from_ref(&tune), 1.0)[0].iter().map(|step| step.nats()).sum();
            assert!(one_draw > heard);
            let many = model.estimate(&tune, 40_000);
            let few = model.estimate(&tune, 64);
            let exact = exact(&model, &tune);
            // Where the code is surer than what it is of, a few draws weigh much.
            assert!((many - exact).abs() < 0.15, "{first} {second}: {many} {exact}");
            estimated += (-many).exp();
            bounds += one_draw;
            estimates += few;
            exacts += exact;
            likelihood += (-exact).exp();
        }
    }
    // Sums of nine, of draws.
    assert!(bounds >= estimates - 0.5 && estimates >= exacts - 0.5, "{bounds} {estimates} {exacts}");
    assert!(likelihood < 1.0 && (estimated / likelihood - 1.0).abs() < 0.1, "{estimated} {likelihood}");
}

#[test]
fn without_a_code_it_is_the_decoder() {
    let model = model(json!({"code": 0, "beta": 1.0}), 5);
    let tune = Tune::of(&tune(1, 5), FOUR);
    let judged: f64 = model.judge(std::slice::from_ref(&tune), 1.0)[0].iter().map(|step| step.nats()).sum();
    let mut rows = model.rows(1);
    let mut nats = 0.0;
    for step in 0..tune.steps.len() {
        let (places, sounding) = (tune.frame.places[step], tune.sounding[step]);
        let ahead = Ahead { before: tune.before(step), places, sounding, code: &[], laid: &[] };
        let logits = model.step(&[ahead], &mut rows);
        let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        nats += sum.ln() - f64::from(logits[usize::from(tune.steps[step])]);
    }
    assert!((judged - nats).abs() < 1e-3 * nats, "{judged} {nats}");
    assert!((model.estimate(&tune, 64) - nats).abs() < 1e-3 * nats);
}

#[test]
fn sections_alone_have_the_codes_that_they_have_together() {
    let model = model(json!({}), 5);
    // Of several lengths, the last one of a single bar.
    let heard: Vec<Heard> = [tune(1, 5), tune(2, 4)]
        .iter()
        .flat_map(|piece| Tune::of(piece, FOUR).sections().collect::<Vec<_>>())
        .collect();
    assert_eq!(heard.iter().map(|section| section.steps.len()).collect::<Vec<_>>(), [32, 32, 16, 24, 24]);
    let together = model.encode(&heard);
    for (section, code) in heard.iter().zip(&together) {
        assert_eq!(model.encode(std::slice::from_ref(section)), std::slice::from_ref(code));
    }
    assert!(together.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn tunes_are_judged_together_as_alone() {
    let model = model(json!({}), 5);
    let tunes: Vec<Tune> = (0..3).map(|number| Tune::of(&tune(number, 4 + number), FOUR)).collect();
    let nats = |tunes: &[Tune]| -> Vec<Vec<f64>> {
        model.judge(tunes, 0.2).iter().map(|steps| steps.iter().map(|step| step.nats()).collect()).collect()
    };
    let together = nats(&tunes);
    for (tune, together) in tunes.iter().zip(together) {
        assert_eq!(nats(std::slice::from_ref(tune)), [together]);
    }
}

#[test]
fn a_section_that_begins_within_a_note_strikes_it() {
    let bar = BarKind { steps: 16, meter: Meter::COMMON };
    let mut steps = vec![HOLD; 64];
    (steps[20], steps[40]) = (50, SILENCE);
    let tune = Tune::new(&MelodySteps { grid: FOUR, bars: vec![bar; 4], upbeat: false, steps });
    assert_eq!((tune.heard(0).steps[0], tune.heard(1).steps[0]), (SILENCE, 50));
    assert_eq!(tune.heard(1).slots.len(), SLOTS);
    assert_eq!(tune.before(0), BEGINNING);
}

#[test]
fn what_learns_and_what_writes_are_one_network() {
    let settings = Settings::read(&SPEC.tiny_settings("default").unwrap()).unwrap();
    let device = Device::flex();
    let trainable = trained(json!({}), 20);
    let file = trainable.save();
    let network = cantus_model::checkpoint::restore(Network::new(&settings, &mut seeded(0), &device), &file).unwrap();
    let model = Model::load(&file).unwrap();
    let tunes = repertoire(&set().valid, FOUR);
    let all = [tunes.piece(0), tunes.piece(1)];
    let one = Settings { batch: 2, window: 100, ..settings.clone() };
    let plan = plan(tunes.outlines(), &one, 1, 0);
    let batch = Batch::gather(|tune| &all[tune], plan.step(0));
    let codes = model.encode(&batch.heard);
    let means: Vec<f32> = codes.iter().flat_map(|code| code.mean.clone()).collect();
    let code = Tensor::<2>::from_data(TensorData::new(means, [codes.len(), settings.code]), &device);
    let mut states = network.zeros(2);
    let logits = values_of(network.decode(&settings, &batch, Some(code), &mut states, None));
    // As the model says, which rounds its weights to 16 bits.
    let order: Vec<usize> = plan.step(0).flatten().map(|row| row.segment.piece).collect();
    for (b, number) in order.iter().enumerate() {
        let tune = &all[*number];
        let own = model.encode(&tune.sections().collect::<Vec<_>>());
        let codes: Vec<f32> = own.iter().flat_map(|code| code.mean.clone()).collect();
        let (laid, mut rows) = (model.lay(&codes), model.rows(1));
        for step in 0..tune.steps.len() {
            let section = tune.frame.section_of(step);
            let ahead = Ahead {
                before: tune.before(step),
                places: tune.frame.places[step],
                sounding: tune.sounding[step],
                code: &codes[section * settings.code..(section + 1) * settings.code],
                laid: model.part(&laid, section, tune.frame.slot(section, step)),
            };
            let found = model.step(&[ahead], &mut rows).to_vec();
            let expected = &logits[(step * batch.rows + b) * OUTCOMES..][..OUTCOMES];
            let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 0.05, "step {step} of row {b}: {apart}");
        }
    }
}

#[test]
fn gradients_reach_every_parameter() {
    let settings = Settings::read(&SPEC.tiny_settings("default").unwrap()).unwrap();
    let device = Device::flex().autodiff();
    let network = Network::new(&settings, &mut seeded(1), &device);
    let tunes = repertoire(&set().train, FOUR);
    let all: Vec<Tune> = tunes.iter().collect();
    let plan = plan(tunes.outlines(), &settings, 1, 0);
    let batch = Batch::gather(|tune| &all[tune], plan.step(0));
    let mut states = network.zeros(plan.rows());
    let (loss, found) = network.loss(&settings, &batch, &mut states, Noise { seed: 1, step: 0 });
    assert!(found.divergence > 0.0 && found.figures.counted > 0.0);
    let mut optimizer = cantus_nn::optimizer::Optimizer::new(cantus_nn::optimizer::Rule::adam());
    let before = cantus_nn::params::named_parameters(&network);
    let (network, _) = optimizer.step(network.clone(), loss.backward(), 0.01);
    for ((name, _, old), (_, _, new)) in before.iter().zip(cantus_nn::params::named_parameters(&network)) {
        assert!(*old != new, "{name} has no gradient");
    }
    assert_eq!(before.len(), cantus_nn::params::named_parameters(&network.valid()).len());
}

#[test]
fn codes_that_cost_too_much_say_nothing() {
    let used = |beta: f64| {
        let model = model(json!({"beta": beta, "averaging": 0.0}), 150);
        let mut used = Use::default();
        for number in 0..6 {
            for code in model.encode(&Tune::of(&tune(number, 8), FOUR).sections().collect::<Vec<_>>()) {
                used.add(&code.mean, &code.log_variance);
            }
        }
        used
    };
    let (cheap, dear) = (used(0.05), used(50.0));
    assert!(cheap.active() > 0 && dear.active() == 0, "{cheap:?} {dear:?}");
}

#[test]
fn what_is_given_stays_and_what_is_leant_to_enough_comes() {
    let player = Player::load(&trained(json!({}), 10).save()).unwrap();
    let coded = player.encode(&tune(4, 6));
    let sketch = Sketch {
        bars: coded.melody.bars.clone(),
        codes: coded.codes.iter().map(|code| code.mean.clone()).collect(),
        ..Sketch::default()
    };
    let write = |sketch: Sketch, seed| {
        let mut progress = |_: f64| ControlFlow::Continue(());
        player.decode(&[sketch], &Sampling::default(), &mut [seeded(seed)], &mut progress).unwrap().remove(0)
    };
    let own = &coded.melody.steps;
    let leaning = own.iter().map(|step| [(*step, 100.0), (0, 0.0)]).collect();
    assert_eq!(write(Sketch { leaning, ..sketch.clone() }, 1), *own);
    let given = own.iter().take(40).map(|step| Some(*step)).collect();
    let found = write(Sketch { given, ..sketch.clone() }, 2);
    assert_eq!((&found[..40], found.len()), (&own[..40], own.len()));
    assert_ne!(found, *own);
    // A section that comes again does so, where it can.
    let again = vec![None, Some(0), None];
    let found = write(Sketch { again, codes: vec![sketch.codes[0].clone(); 3], ..sketch }, 3);
    let same = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a == b).count();
    assert!(same(&found[..32], &found[32..64]) > same(&found[32..64], &found[64..96]));
}
