//! A trained proofreader, ready to hear pieces; and its file.

use super::clues::CLUES;
use super::exam::{self, Exam};
use super::learning::Learning;
use super::mending::{self, Mended};
use super::network::{Answers, FIRST, Network, QUESTIONS, Question, ROW, SECOND, probability};
use super::settings::Settings;
use super::sheet::{Sheet, step};
use super::verdict::{Ear, Leaning, doubt, prior_shift, share};
use super::{ID, VERSION};
use cantus_model::{CorpusCard, Header, ModelError, ModelFile, TensorData};
use cantus_score::{Score, Ticks, Unpitched};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Less sound than this is no music.
const MUSIC: f64 = 0.5;

/// What a model file says beside its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Knowledge {
    /// How many clues the network knows.
    clues: usize,
    /// What its answers mean: scale and offset, question by question.
    leaning: [[f32; 2]; QUESTIONS],
}

/// Hears what is wrong with a piece.
#[derive(Clone, Debug)]
pub struct Proofreader {
    /// What its file says.
    pub header: Header,
    ear: Ear,
}

/// What it thinks of a note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// Its part, from 0.
    pub part: usize,
    /// Which of the part's notes, from 0.
    pub note: usize,
    /// The probability that it is wrong.
    pub wrong: f64,
    /// The probability that a note is missing beside it.
    pub missing: f64,
}

/// What it thinks of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarProof {
    /// Its number as printed.
    pub number: usize,
    /// When it begins.
    pub start: Ticks,
    /// When it ends.
    pub end: Ticks,
    /// Notes that begin in it.
    pub notes: usize,
    /// How many of them are wrong, as is to be expected.
    pub wrong: f64,
    /// The probability that it goes on from what is before it, and on to what follows: near 0 where a bar stands in a false place.
    pub joined: f64,
    /// What it costs to believe that all is as it should be, nats: by this bars are put in order.
    pub doubt: f64,
}

/// What it thinks of a piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Of all notes but drums, part by part.
    pub notes: Vec<Doubt>,
    /// Of all bars.
    pub bars: Vec<BarProof>,
    /// The share of the notes that are wrong, 0-1.
    pub broken: f64,
    /// How sound the piece is, 0-1: few wrong notes, nothing missing, and made by somebody; near 1 for music, near 0 for noise.
    pub sound: f64,
    /// The probability that its bars are in their order.
    pub order: f64,
    /// What the listener should know.
    pub remarks: Vec<String>,
}

impl Proof {
    /// Whether it is music at all.
    pub fn is_music(&self) -> bool {
        self.sound >= MUSIC
    }
}

/// Why nothing was heard.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// No note with a pitch.
    #[error("no music: the piece holds {}", .0.map_or_else(|| "no note".to_owned(), |found| found.to_string()))]
    NothingWritten(Option<Unpitched>),
    /// Longer than any piece.
    #[error("the piece is longer than 65,536 quarter notes: cut it into pieces")]
    TooLong,
    /// There is nothing to mend it towards.
    #[error("this is no music, as far as can be heard: there is nothing that it could be mended to")]
    NoMusic,
    /// It was stopped.
    #[error("stopped before the piece was mended")]
    Stopped,
}

impl Proofreader {
    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`]: another composer's, another version's, or a file that does not fit.
    pub fn load(file: &ModelFile) -> Result<Proofreader, ModelError> {
        let header = &file.header;
        if header.composer != ID {
            return Err(ModelError::NoProofreader { composer: header.composer.clone() });
        }
        header.check_version(VERSION)?;
        let metadata = |problem: String| ModelError::Metadata { problem };
        Settings::read(&header.settings).map_err(metadata)?;
        let knowledge: Knowledge =
            serde_json::from_value(header.encoding.clone()).map_err(|error| metadata(error.to_string()))?;
        if knowledge.clues != CLUES {
            return Err(metadata(format!("it knows {} clues, and there are {CLUES}", knowledge.clues)));
        }
        let told = FIRST + QUESTIONS;
        let rows = file.tensor("clues", &[CLUES + 1, told])?;
        let mut table = vec![0.0; (CLUES + 1) * ROW];
        table
            .chunks_exact_mut(ROW)
            .zip(rows.chunks_exact(told))
            .for_each(|(row, told)| row[..told.len()].copy_from_slice(told));
        let upper = [
            file.tensor("second.weight", &[SECOND, FIRST])?,
            file.tensor("second.bias", &[SECOND])?,
            file.tensor("answers.weight", &[QUESTIONS, SECOND])?,
            file.tensor("answers.bias", &[QUESTIONS])?,
        ]
        .concat();
        let leaning = knowledge.leaning.map(|[scale, offset]| Leaning { scale, offset });
        if !leaning.iter().all(|leaning| leaning.scale > 0.0 && leaning.scale.is_finite() && leaning.offset.is_finite())
        {
            return Err(metadata("its answers have no meaning".to_owned()));
        }
        Ok(Proofreader { header: header.clone(), ear: Ear { network: Network { table, upper }, leaning } })
    }

    /// Hears a piece. Drums are not heard.
    ///
    /// # Errors
    /// [`ProofError`]: there is no note, or the piece is too long.
    pub fn read(&self, score: &Score) -> Result<Proof, ProofError> {
        let sheet = sheet_of(score)?;
        let raw = self.ear.raw(&sheet);
        let odds: Vec<Answers> = raw.iter().map(|raw| self.ear.lean(*raw)).collect();
        let broken = share(odds.iter().map(|odds| odds[Question::Wrong as usize]));
        let shift = prior_shift(broken);
        let chance = |odds: &Answers, question: Question| f64::from(probability(odds[question as usize] + shift));
        let of_tone: BTreeMap<(i32, u8), &Answers> =
            sheet.tones.iter().zip(&odds).map(|(tone, odds)| ((tone.at, tone.pitch), odds)).collect();
        let mut notes = Vec::with_capacity(sheet.tones.len());
        for (part, of_part) in score.parts.iter().enumerate().filter(|(_, part)| !part.drums) {
            for (note, written) in of_part.notes.iter().enumerate() {
                let at = step(score, written.onset) as i32;
                let Some(odds) = of_tone.get(&(at, written.pitch.get())) else { continue };
                let (wrong, missing) = (chance(odds, Question::Wrong), chance(odds, Question::Missing));
                notes.push(Doubt { part, note, wrong, missing });
            }
        }
        let mut bars = Vec::new();
        for (number, bar) in score.numbered_bars() {
            let (from, to) = (step(score, bar.start) as i32, step(score, bar.end()) as i32);
            let first = sheet.tones.partition_point(|tone| tone.at < from);
            let heard = &odds[first..first + sheet.between(from, to).len()];
            bars.push(BarProof {
                number,
                start: bar.start,
                end: bar.end(),
                notes: heard.len(),
                wrong: heard.iter().map(|odds| chance(odds, Question::Wrong)).sum(),
                joined: 1.0 - f64::from(self.ear.torn(&sheet, &raw, first..first + heard.len())),
                doubt: doubt(heard.iter()).into(),
            });
        }
        let mut remarks = Vec::new();
        let off = off_grid(score);
        if off > 0.2 {
            remarks.push(format!(
                "{:.0}% of the notes lie beside sixteenths, as where somebody played without a metronome: what is heard of their time means little",
                100.0 * off
            ));
        }
        let order = 1.0 - f64::from(self.ear.disorder(&sheet, &raw));
        Ok(Proof { notes, bars, broken: broken.into(), order, sound: self.ear.soundness(&sheet, &raw).into(), remarks })
    }

    /// Repairs a piece: what is most suspect is moved, taken out, or has something put beside it, for as long as the piece becomes likelier by it. What is
    /// sound stays as it is, note for note. `progress` is told the share that is done.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn mend(&self, score: &Score, progress: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<Mended, ProofError> {
        let sheet = sheet_of(score)?;
        if f64::from(self.ear.soundness(&sheet, &self.ear.raw(&sheet))) < MUSIC {
            return Err(ProofError::NoMusic);
        }
        mending::mend(&self.ear, score, &sheet, progress).ok_or(ProofError::Stopped)
    }

    /// Puts it to the test with music that it has not learnt from. The same seed asks the same.
    pub fn examine(&self, scores: &[Score], seed: u64) -> Exam {
        exam::examine(&self.ear, &sheets(scores), seed)
    }
}

fn sheet_of(score: &Score) -> Result<Sheet, ProofError> {
    if score.pitched_notes().next().is_none() {
        return Err(ProofError::NothingWritten(Unpitched::of(score)));
    }
    Sheet::of(score).ok_or(ProofError::TooLong)
}

fn sheets(scores: &[Score]) -> Vec<Sheet> {
    scores.iter().filter_map(Sheet::of).collect()
}

/// The share of notes that are more than a fifth of a sixteenth from one.
fn off_grid(score: &Score) -> f64 {
    cantus_score::quantize(score, super::sheet::STEPS, 0.2).1.off_grid_share()
}

/// A proofreader that is learning.
pub struct Schooling {
    settings: Settings,
    learning: Learning,
    judged: Vec<Sheet>,
}

impl Schooling {
    /// Pieces to learn from, and others by which it finds out what its answers mean. `None` without a piece of a few bars.
    pub fn new(settings: Settings, train: &[Score], valid: &[Score], seed: u64) -> Option<Schooling> {
        let learning = Learning::new(settings.clone(), sheets(train), seed)?;
        Some(Schooling { settings, learning, judged: sheets(valid) })
    }

    /// Whether it has learnt.
    pub fn is_done(&self) -> bool {
        self.learning.is_done()
    }

    /// The share that is done.
    pub fn share(&self) -> f64 {
        self.learning.share()
    }

    /// One step; its loss, nats a note.
    pub fn step(&mut self) -> f64 {
        self.learning.step()
    }

    /// What has been learnt.
    pub fn save(&self, corpus: CorpusCard) -> ModelFile {
        let Ear { network, leaning } = self.learning.ear(&self.judged);
        let knowledge = Knowledge { clues: CLUES, leaning: leaning.map(|Leaning { scale, offset }| [scale, offset]) };
        let told = FIRST + QUESTIONS;
        let rows = network.table.chunks_exact(ROW).flat_map(|row| row[..told].iter().copied()).collect();
        let (second, rest) = network.upper.split_at(SECOND * FIRST);
        let (bias, rest) = rest.split_at(SECOND);
        let (answers, last) = rest.split_at(QUESTIONS * SECOND);
        let tensors = [
            ("clues", vec![CLUES + 1, told], rows),
            ("second.weight", vec![SECOND, FIRST], second.to_vec()),
            ("second.bias", vec![SECOND], bias.to_vec()),
            ("answers.weight", vec![QUESTIONS, SECOND], answers.to_vec()),
            ("answers.bias", vec![QUESTIONS], last.to_vec()),
        ];
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let header = Header::new((ID, VERSION), settings, serde_json::to_value(knowledge).unwrap_or_default());
        let tensors = tensors.into_iter().map(|(name, shape, values)| (name.to_owned(), TensorData { shape, values }));
        ModelFile { header: Header { corpus, ..header }, tensors: tensors.collect() }
    }
}
