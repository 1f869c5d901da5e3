//! Learning from sound music, which is broken anew all the time.

use super::breaking::{self, Marked};
use super::clues::clues_of;
use super::network::{Answers, Example, Network, QUESTIONS, Question, Trainee};
use super::search;
use super::settings::Settings;
use super::sheet::Sheet;
use super::verdict::{Ear, Leaning};
use cantus_nn::random::{Rng, below, derive, shuffle, uniform};
use rayon::prelude::*;

/// Bars of an excerpt that is learnt from.
const BARS: [usize; 2] = [4, 20];
/// Tones that are learnt of an excerpt at most, half of them broken where so many are.
const TONES: usize = 64;
/// Share of the excerpts that are no music at all.
const MADE_UP: f32 = 0.18;
/// Share of them, once there are any, that a search has found.
const FOUND: f32 = 0.5;
/// Found sheets that are remembered.
const REMEMBERED: usize = 400;
/// The share of broken tones for which answers are probabilities.
const USUAL: f32 = 0.05;
/// The share of sheets that have their bars in disorder, or are no music, for which answers are probabilities.
const RARE: f64 = 0.1;
/// What is asked of whole sheets.
const WHOLES: [Question; 2] = [Question::Torn, Question::MadeUp];
/// Sheets by which it is found out what those answers mean.
const WHOLE: u64 = 300;
/// The learning rate rises over this share of the steps.
const WARM: f32 = 0.03;

/// Who learns.
pub(super) struct Learning {
    settings: Settings,
    seed: u64,
    sheets: Vec<Sheet>,
    /// The pieces, each as often as it is long: by the square root of its bars.
    chances: Vec<f32>,
    found: Vec<Sheet>,
    trainee: Trainee,
    done: usize,
}

impl Learning {
    /// Sheets to learn from; `None` where there is none with a note.
    pub(super) fn new(settings: Settings, sheets: Vec<Sheet>, seed: u64) -> Option<Learning> {
        let sheets: Vec<Sheet> =
            sheets.into_iter().filter(|sheet| sheet.tones.len() > 8 && sheet.bar_count() > 0).collect();
        if sheets.is_empty() {
            return None;
        }
        let chances = sheets.iter().map(|sheet| (sheet.bar_count() as f32).sqrt()).collect();
        let network = Network::new(&mut derive(seed, "parameters", &[]));
        let trainee = Trainee::new(network, settings.dropout, settings.decay);
        Some(Learning { settings, seed, sheets, chances, found: Vec::new(), trainee, done: 0 })
    }

    /// Whether all steps are done.
    pub(super) fn is_done(&self) -> bool {
        self.done >= self.settings.steps
    }

    /// The share that is done.
    pub(super) fn share(&self) -> f64 {
        self.done as f64 / self.settings.steps as f64
    }

    /// One step; the loss, nats a tone.
    pub(super) fn step(&mut self) -> f64 {
        let Settings { steps, rounds, .. } = self.settings;
        // Rounds of search against what has been learnt, evenly spread from a fifth on: what they find late is hardly learnt.
        let searched = (0..rounds).any(|round| self.done == steps / 5 + round * (steps - steps / 5) / rounds);
        if searched && self.done > 0 {
            self.search();
        }
        let count = self.settings.batch.div_ceil(TONES);
        let excerpts: Vec<Vec<Example>> = (0..count as u64)
            .into_par_iter()
            .map(|k| self.examples(&mut derive(self.seed, "excerpt", &[self.done as u64, k])))
            .collect();
        let mut batch: Vec<Example> = excerpts.into_iter().flatten().collect();
        let done = self.done as f32 / steps as f32;
        let rate = self.settings.learning_rate * (done / WARM).min(1.0) * (1.0 - done).max(0.02);
        let loss = self.trainee.step(&mut batch, rate, &mut derive(self.seed, "dropout", &[self.done as u64]));
        self.done += 1;
        loss
    }

    /// An excerpt of a piece.
    fn excerpt(&self, rng: &mut Rng) -> Sheet {
        let piece = cantus_nn::random::categorical(rng, &self.chances).unwrap_or(0);
        let sheet = &self.sheets[piece];
        let bars = sheet.bar_count();
        let wanted = (BARS[0] + below(rng, BARS[1] - BARS[0] + 1)).min(bars);
        sheet.excerpt(below(rng, bars - wanted + 1), wanted)
    }

    fn examples(&self, rng: &mut Rng) -> Vec<Example> {
        let excerpt = self.excerpt(rng);
        let marked = if uniform(rng) < MADE_UP {
            let found = !self.found.is_empty() && uniform(rng) < FOUND;
            Marked::fake(if found {
                self.found[below(rng, self.found.len())].clone()
            } else {
                breaking::made_up(&excerpt, rng)
            })
        } else {
            breaking::lesson(&excerpt, self.settings.broken, rng)
        };
        let mut order: Vec<usize> = (0..marked.sheet.tones.len()).collect();
        shuffle(rng, &mut order);
        let (mut told, mut sound): (Vec<usize>, Vec<usize>) =
            order.into_iter().partition(|k| marked.answers[*k].iter().any(|answer| *answer > 0.0));
        told.truncate(TONES - sound.len().min(TONES / 2));
        sound.truncate(TONES - told.len());
        told.extend(sound);
        let mut examples: Vec<Example> = told
            .into_iter()
            .map(|k| {
                let mut example = Example { clues: Vec::new(), answers: marked.answers[k], weights: marked.weights };
                clues_of(&marked.sheet, marked.sheet.tones[k], None, &mut example.clues);
                example
            })
            .collect();
        // What could stand in the place of a tone that is right.
        let extra = examples.len() / 4;
        for _ in 0..extra {
            let k = below(rng, marked.sheet.tones.len());
            let tone = marked.sheet.tones[k];
            let (true, Some(pitch)) = (marked.answers[k] == [0.0; QUESTIONS], breaking::moved(tone.pitch, rng)) else {
                continue;
            };
            if marked.sheet.sounding(tone.at) >> pitch & 1 == 1 {
                continue;
            }
            let mut example = Example {
                clues: Vec::new(),
                answers: [1.0, 0.0, 0.0, 0.0],
                weights: [marked.weights[0], 0.0, 0.0, 0.0],
            };
            clues_of(&marked.sheet, super::sheet::Tone { pitch, ..tone }, Some(tone), &mut example.clues);
            examples.push(example);
        }
        examples
    }

    /// What a search finds that has only the network's word for it is no music.
    fn search(&mut self) {
        let ear = Ear::new(self.trainee.network.clone());
        let searches = 8u64;
        let found: Vec<Vec<Sheet>> = (0..searches)
            .into_par_iter()
            .map(|k| {
                search::breed(&ear, self.settings.search, &mut derive(self.seed, "search", &[self.done as u64, k]))
            })
            .collect();
        self.found.extend(found.into_iter().flatten());
        let over = self.found.len().saturating_sub(REMEMBERED);
        self.found.drain(..over);
    }

    /// What has been learnt, with probabilities as they are where one tone in twenty is broken. `judged` are other pieces, or none.
    pub(super) fn ear(&self, judged: &[Sheet]) -> Ear {
        let mut ear = Ear::new(self.trainee.network.clone());
        let pieces = if judged.is_empty() { &self.sheets } else { judged };
        let kept: Vec<&Sheet> = pieces.iter().step_by(pieces.len().div_ceil(60).max(1)).collect();
        let heard: Vec<(Vec<Answers>, Vec<Answers>)> = kept
            .par_iter()
            .enumerate()
            .map(|(k, sheet)| {
                let rng = &mut derive(self.seed, "leaning", &[k as u64]);
                let bars = sheet.bar_count().min(16);
                let excerpt = sheet.excerpt(below(rng, sheet.bar_count() - bars + 1), bars);
                let marked = breaking::lesson_at(&excerpt, USUAL, rng);
                (ear.log_odds(&marked.sheet), marked.answers)
            })
            .collect();
        for question in [Question::Wrong, Question::Missing] {
            let k = question as usize;
            let pairs = heard
                .iter()
                .flat_map(|(odds, answers)| odds.iter().zip(answers).map(|(odds, answers)| (odds[k], answers[k])));
            ear.leaning[k] = Leaning::fit(&pairs.collect::<Vec<_>>(), None);
        }
        // Of whole sheets: as they are, with their bars shuffled, and what is no music.
        let whole: Vec<[[f32; 2]; 3]> = (0..WHOLE)
            .into_par_iter()
            .map(|k| {
                let rng = &mut derive(self.seed, "whole", &[k]);
                let sheet = kept[k as usize % kept.len()];
                let bars = sheet.bar_count().min(search::BARS);
                let excerpt = breaking::cut_at_bars(&sheet.excerpt(below(rng, sheet.bar_count() - bars + 1), bars));
                let fake = match self.found.get(below(rng, 2 * self.found.len().max(1))) {
                    Some(found) => found.clone(),
                    None => breaking::made_up(&excerpt, rng),
                };
                let shuffled = breaking::shuffled(&excerpt, rng).sheet;
                [&excerpt, &shuffled, &fake]
                    .map(|sheet| WHOLES.map(|question| ear.mean(sheet, &ear.raw(sheet), question)))
            })
            .collect();
        let pairs = |which: usize, of: usize| -> Vec<(f32, f32)> {
            whole.iter().flat_map(|all| [(all[0][which], 0.0), (all[of][which], 1.0)]).collect()
        };
        ear.leaning[Question::Torn as usize] = Leaning::fit(&pairs(0, 1), Some(RARE));
        ear.leaning[Question::MadeUp as usize] = Leaning::fit(&pairs(1, 2), Some(RARE));
        ear
    }
}
