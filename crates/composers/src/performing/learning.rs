//! Learning from lessons, stretch by stretch.

use super::features::{self, PAST, Past, SCORE};
use super::lesson::Lesson;
use super::network::{Batch, Network, Noise, OWN};
use super::pedalling::Pedalling;
use super::player::{Knowledge, Performer, Verdict, own_decision};
use super::settings::Settings;
use super::touch::{Decision, KINDS};
use super::{ID, VERSION};
use burn::tensor::Device;
use cantus_model::learner::Averaged;
use cantus_model::{ModelFile, checkpoint, derive};
use cantus_nn::cross_entropy::Figures;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{below, shuffle};
use rayon::prelude::*;
use std::ops::Range;

/// Times that the linear model sees everything.
const LINEAR_EPOCHS: u64 = 4;
/// Weight decays of which the linear model has the best.
const RIDGES: [f64; 3] = [0.0, 0.003, 0.03];

/// A lesson with all that the network is told of it.
struct Learnt {
    lesson: Lesson,
    /// `[notes, SCORE]`, `[notes, PAST]`, `[notes, OWN]`
    score: Vec<f32>,
    past: Vec<f32>,
    own: Vec<f32>,
}

impl Learnt {
    fn of(lesson: Lesson, with_score: bool) -> Learnt {
        let notes = lesson.len();
        let score = features::of_score(&lesson.written, with_score);
        let (mut told, mut own) = (vec![0.0; notes * PAST], vec![0.0; notes * OWN]);
        let mut past = Past::default();
        for (at, chord) in lesson.written.chords.iter().enumerate() {
            let gap = at.checked_sub(1).and_then(|before| lesson.written.gap(before)).unwrap_or(0.0);
            past.begin_chord();
            for (k, n) in chord.notes.clone().enumerate() {
                let pitch = lesson.written.notes[n].pitch;
                past.write(pitch, k, &mut told[n * PAST..][..PAST]);
                for decision in Decision::ALL {
                    if let Some((at, number)) = own_decision(decision, lesson.choices[n][decision as usize]) {
                        own[n * OWN + at] = number;
                    }
                }
                past.read(pitch, gap, &lesson.choices[n]);
            }
        }
        Learnt { lesson, score, past: told, own }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learned {
    /// The batch under the network as it was, dropout on.
    pub batch: Verdict,
    /// False where loss or gradient was no number: nothing was changed.
    pub finite: bool,
}

/// A network that is learning to play.
pub struct Learning {
    settings: Settings,
    seed: u64,
    knowledge: Knowledge,
    train: Vec<Learnt>,
    network: Averaged<Network>,
    optimizer: Optimizer,
    order: (u64, Vec<(usize, Range<usize>)>),
}

impl Learning {
    /// A network that knows how often each choice is made, for lessons to learn from: with their scores where all have one. `None` without
    /// a lesson.
    pub fn new(settings: Settings, lessons: Vec<Lesson>, seed: u64) -> Option<Learning> {
        if lessons.is_empty() {
            return None;
        }
        let with_score = lessons.iter().all(Lesson::is_of_pair);
        let pedalling = Pedalling::of(lessons.iter().flat_map(|lesson| &lesson.pedal));
        let frequencies = frequencies(&lessons);
        let train: Vec<Learnt> = lessons.into_par_iter().map(|lesson| Learnt::of(lesson, with_score)).collect();
        let (network, optimizer) = begin(&settings, &frequencies, seed);
        let knowledge = Knowledge { with_score, pedalling, frequencies };
        let order = (0, order(&train, &settings, seed, 0));
        Some(Learning { settings, seed, knowledge, train, network, optimizer, order })
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        count_parameters(self.network.network())
    }

    /// Whether it reads what only scores have.
    pub fn reads_scores(&self) -> bool {
        self.knowledge.with_score
    }

    /// The learning rate at its height, and the steps over which it rises.
    pub fn pace(&self) -> (f64, u64) {
        (self.settings.learning_rate, self.settings.warmup)
    }

    /// Steps of an epoch.
    pub fn steps(&mut self, epoch: u64) -> u64 {
        if self.order.0 != epoch {
            self.order = (epoch, order(&self.train, &self.settings, self.seed, epoch));
        }
        self.order.1.len().div_ceil(self.settings.batch) as u64
    }

    /// One step of learning.
    pub fn step(&mut self, epoch: u64, step: u64, learning_rate: f64) -> Learned {
        if step >= self.steps(epoch) {
            return Learned::default();
        }
        let stretches = self.order.1.chunks(self.settings.batch).nth(step as usize).unwrap_or_default();
        let batch = gather(&self.train, stretches);
        let noise = Noise { rate: self.settings.dropout, seed: self.seed, step: (epoch << 32) | step };
        let optimizer = &mut self.optimizer;
        self.network.step(|network| {
            let (loss, decisions) = network.loss(&batch, noise);
            let (network, report) = optimizer.step(network, loss.backward(), learning_rate);
            (
                network,
                report.finite,
                Learned { batch: Verdict { decisions, notes: batch.notes }, finite: report.finite },
            )
        })
    }

    /// The model.
    pub fn save(&self) -> ModelFile {
        Learning::file_of(&self.settings, &self.knowledge, &self.network)
    }

    fn file_of(settings: &Settings, knowledge: &Knowledge, network: &Averaged<Network>) -> ModelFile {
        let encoding = serde_json::to_value(knowledge).unwrap_or_default();
        network.save(checkpoint::file((ID, VERSION), network.network(), settings.write(), encoding))
    }

    /// The model, ready to play.
    pub fn performer(&self) -> Performer {
        Performer::load(&self.save()).expect("a network's own file fits it")
    }

    /// What every choice by its share in the lessons learnt from gives to others: chance, once it has counted.
    pub fn chance(&self, lessons: &[Lesson]) -> Verdict {
        let mut verdict = Verdict::default();
        for lesson in lessons {
            verdict.notes += lesson.len();
            for choices in &lesson.choices {
                for (k, class) in choices.iter().enumerate() {
                    let Some(class) = class.map(usize::from) else { continue };
                    let shares = &self.knowledge.frequencies[k];
                    let best = shares.iter().copied().fold(0.0, f32::max);
                    verdict.decisions[k] = verdict.decisions[k]
                        + Figures {
                            nats: -f64::from(shares[class]).ln(),
                            counted: 1.0,
                            correct: usize::from(shares[class] == best),
                        };
                }
            }
        }
        verdict
    }

    /// What a softmax regression gives to others that has learnt from the same lessons, the same numbers told: of three weight decays the one that suits
    /// the others best.
    pub fn linear(&self, lessons: &[Lesson], mut progress: impl FnMut(f64)) -> Verdict {
        let mut best: Option<Verdict> = None;
        for (k, ridge) in RIDGES.into_iter().enumerate() {
            let settings = Settings::linear(ridge);
            let (mut network, mut optimizer) = begin(&settings, &self.knowledge.frequencies, self.seed);
            let steps = |epoch| order(&self.train, &settings, self.seed, epoch);
            let per_epoch = steps(0).len().div_ceil(settings.batch).max(1) as f64;
            let all = per_epoch * LINEAR_EPOCHS as f64;
            for epoch in 0..LINEAR_EPOCHS {
                for (step, stretches) in steps(epoch).chunks(settings.batch).enumerate() {
                    let batch = gather(&self.train, stretches);
                    let done = (epoch as f64 * per_epoch + step as f64) / all;
                    let rate = settings.learning_rate * (1.0 - done).clamp(0.0, 1.0);
                    let noise = Noise { rate: 0.0, seed: self.seed, step: (epoch << 32) | step as u64 };
                    network.step(|network| {
                        let (loss, _) = network.loss(&batch, noise);
                        let (network, report) = optimizer.step(network, loss.backward(), rate);
                        (network, report.finite, ())
                    });
                    progress((k as f64 + done) / RIDGES.len() as f64);
                }
            }
            let file = Learning::file_of(&settings, &self.knowledge, &network);
            let performer = Performer::load(&file).expect("a regression's own file fits it");
            let found = judge(&performer, lessons);
            if best.is_none_or(|best| found.per_note() < best.per_note()) {
                best = Some(found);
            }
        }
        best.unwrap_or_default()
    }
}

/// What a performer gives to lessons, one after another.
pub fn judge(performer: &Performer, lessons: &[Lesson]) -> Verdict {
    let verdicts: Vec<Verdict> = lessons.par_iter().map(|lesson| performer.judge(lesson)).collect();
    let mut all = Verdict::default();
    verdicts.into_iter().for_each(|verdict| all += verdict);
    all
}

fn begin(settings: &Settings, frequencies: &[Vec<f32>; KINDS], seed: u64) -> (Averaged<Network>, Optimizer) {
    let mut rng = derive(seed, "parameters", &[]);
    let network = Network::new(settings.network(), frequencies, &mut rng, &Device::flex().autodiff());
    let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
    (Averaged::new(network, settings.averaging), optimizer)
}

/// How often each class is chosen, 0-1, each once more than it was.
fn frequencies(lessons: &[Lesson]) -> [Vec<f32>; KINDS] {
    Decision::ALL.map(|decision| {
        let mut counts = vec![1.0f64; decision.classes()];
        for class in lessons.iter().flat_map(|lesson| &lesson.choices).filter_map(|choices| choices[decision as usize])
        {
            counts[usize::from(class)] += 1.0;
        }
        let all: f64 = counts.iter().sum();
        counts.into_iter().map(|count| (count / all) as f32).collect()
    })
}

/// The stretches of an epoch: every note once, cut where the epoch likes.
fn order(train: &[Learnt], settings: &Settings, seed: u64, epoch: u64) -> Vec<(usize, Range<usize>)> {
    let mut rng = derive(seed, "stretches", &[epoch]);
    let mut stretches = Vec::new();
    for (piece, learnt) in train.iter().enumerate() {
        let notes = learnt.lesson.len();
        let first = (1 + below(&mut rng, settings.window)).min(notes);
        let mut from = 0;
        while from < notes {
            let to = if from == 0 { first } else { (from + settings.window).min(notes) };
            stretches.push((piece, from..to));
            from = to;
        }
    }
    shuffle(&mut rng, &mut stretches);
    // Short ones go together, so that little is padded; which batch comes when is left to chance.
    let mut batches: Vec<Vec<(usize, Range<usize>)>> = Vec::new();
    stretches.sort_by_key(|(_, notes)| notes.len());
    while !stretches.is_empty() {
        batches.push(stretches.split_off(stretches.len().saturating_sub(settings.batch)));
    }
    // The last one is the only one that may be short: it stays last.
    let rest = batches.pop();
    shuffle(&mut rng, &mut batches);
    batches.extend(rest);
    batches.concat()
}

fn gather(train: &[Learnt], stretches: &[(usize, Range<usize>)]) -> Batch {
    let rows = stretches.len();
    let steps = stretches.iter().map(|(_, notes)| notes.len()).max().unwrap_or(0);
    let entries = rows * steps;
    let mut batch = Batch {
        rows,
        steps,
        score: vec![0.0; entries * SCORE],
        reversed: vec![0.0; entries * SCORE],
        backwards: (0..entries as i64).collect(),
        past: vec![0.0; entries * PAST],
        own: vec![0.0; entries * OWN],
        targets: Decision::ALL.map(|_| vec![0; entries]),
        weights: Decision::ALL.map(|_| vec![0.0; entries]),
        notes: stretches.iter().map(|(_, notes)| notes.len()).sum(),
    };
    for (b, (piece, notes)) in stretches.iter().enumerate() {
        let learnt = &train[*piece];
        for (t, n) in notes.clone().enumerate() {
            let (at, back) = (t * rows + b, (notes.len() - 1 - t) * rows + b);
            let score = &learnt.score[n * SCORE..][..SCORE];
            batch.score[at * SCORE..][..SCORE].copy_from_slice(score);
            batch.reversed[back * SCORE..][..SCORE].copy_from_slice(score);
            batch.backwards[at] = back as i64;
            batch.past[at * PAST..][..PAST].copy_from_slice(&learnt.past[n * PAST..][..PAST]);
            batch.own[at * OWN..][..OWN].copy_from_slice(&learnt.own[n * OWN..][..OWN]);
            for (k, class) in learnt.lesson.choices[n].iter().enumerate() {
                if let Some(class) = class {
                    batch.targets[k][at] = u32::from(*class);
                    batch.weights[k][at] = 1.0;
                }
            }
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;
    use cantus_score::{Note, Part, PedalSpan, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

    fn small() -> Settings {
        Settings {
            reader: 8,
            writer: 12,
            window: 48,
            batch: 4,
            dropout: 0.0,
            averaging: 0.0,
            counted: 0.0,
            ..Settings::default()
        }
    }

    /// Chords of one to three notes at uneven times.
    fn lessons(count: u64, chords: u64) -> Vec<Lesson> {
        let lesson = |seed: u64| {
            let (rng, mut score, mut at) = (&mut seeded(seed), Score::new(TicksPerQuarter::DEFAULT), 0);
            let mut part = Part::default();
            for chord in 0..chords {
                for k in 0..1 + chord % 3 {
                    part.notes.push(Note {
                        onset: Ticks(at + 5 * k),
                        pitch: Pitch::try_from(50 + 12 * k as u8 + below(rng, 12) as u8).unwrap(),
                        duration: Ticks(100 + below(rng, 200) as u64),
                        velocity: Velocity::try_from(40 + below(rng, 50) as u8).unwrap(),
                    });
                }
                at += [240, 480][chord as usize % 2] + below(rng, 60) as u64;
            }
            part.pedal = vec![PedalSpan { down: Ticks(300), up: Ticks(900) }];
            score.parts.push(part);
            Lesson::of_performance(&score).unwrap()
        };
        (0..count).map(lesson).collect()
    }

    /// The training form, whole pieces in one batch, and the form that plays and judges note by note say the same.
    #[test]
    fn a_batch_has_the_nats_that_its_performer_gives() {
        let mut learning = Learning::new(small(), lessons(3, 40), 1).unwrap();
        (0..4).for_each(|step| assert!(learning.step(0, step.min(1), 0.01).finite));
        let pieces: Vec<(usize, Range<usize>)> =
            learning.train.iter().enumerate().map(|(k, learnt)| (k, 0..learnt.lesson.len())).collect();
        let batch = gather(&learning.train, &pieces);
        let noise = Noise { rate: 0.0, seed: 1, step: 1 };
        let (loss, found) = learning.network.network().loss(&batch, noise);
        let lessons: Vec<Lesson> = learning.train.iter().map(|learnt| learnt.lesson.clone()).collect();
        let expected = judge(&learning.performer(), &lessons);
        for (a, b) in found.iter().zip(&expected.decisions) {
            assert_eq!(a.counted, b.counted);
            assert!((a.nats / b.nats - 1.0).abs() < 0.005, "{} {}", a.nats, b.nats);
        }
        let loss = f64::from(cantus_nn::params::values_of(loss)[0]);
        assert!((loss / expected.per_note() - 1.0).abs() < 0.005, "{loss} {}", expected.per_note());
    }

    #[test]
    fn every_note_is_learnt_from_once_in_an_epoch() {
        let learning = Learning::new(small(), lessons(3, 60), 1).unwrap();
        for epoch in 0..3 {
            let mut seen: Vec<Vec<u32>> = learning.train.iter().map(|learnt| vec![0; learnt.lesson.len()]).collect();
            for (piece, notes) in order(&learning.train, &learning.settings, 1, epoch) {
                notes.for_each(|n| seen[piece][n] += 1);
            }
            assert!(seen.iter().flatten().all(|times| *times == 1));
        }
    }
}
