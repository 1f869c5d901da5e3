//! A trained network, ready to play and to judge.

use super::features::{self, PAST, Past, SCORE, seen_timing, seen_velocity};
use super::lesson::Lesson;
use super::network::{OWN, Size, own};
use super::pedalling::Pedalling;
use super::rendering::{Played, render};
use super::settings::Settings;
use super::touch::{Choices, Decision, KINDS, LENGTH, SPREAD, TIMING, any_velocity};
use super::written::Written;
use super::{ID, Performance, VERSION};
use cantus_model::{Header, ModelError, ModelFile, Rng, Sampling, layers};
use cantus_nn::cross_entropy::{Figures, argmax, log_softmax, nats};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_score::Score;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What a model file says beside its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Knowledge {
    /// Whether it reads what only scores have: bars, and how loud a note is written.
    pub with_score: bool,
    /// When pedals moved.
    pub pedalling: Pedalling,
    /// How often each class of each kind of decision was chosen, 0-1.
    pub frequencies: [Vec<f32>; KINDS],
}

impl Knowledge {
    /// Whether a file's numbers make sense.
    fn check(&self) -> Result<(), String> {
        self.pedalling.check()?;
        let fits = |(decision, shares): (Decision, &Vec<f32>)| {
            shares.len() == decision.classes() && shares.iter().all(|share| *share > 0.0 && *share <= 1.0)
        };
        let fit = Decision::ALL.into_iter().zip(&self.frequencies).all(fits);
        if fit { Ok(()) } else { Err("its frequencies are no shares of each class".to_owned()) }
    }
}

/// Plays what is written.
#[derive(Debug)]
pub struct Performer {
    /// What its file says.
    pub header: Header,
    knowledge: Knowledge,
    counted: f64,
    /// Forwards and backwards.
    reader: Option<[LstmCell; 2]>,
    writer: Option<LstmCell>,
    heads: [Dense; KINDS],
}

/// How likely a performance is, decision by decision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Of each kind, in the order of [`Decision::ALL`].
    pub decisions: [Figures; KINDS],
    /// Notes of the pieces.
    pub notes: usize,
}

impl Verdict {
    /// Nats of all decisions of a note.
    pub fn per_note(&self) -> f64 {
        self.decisions.iter().map(|figures| figures.nats).sum::<f64>() / self.notes as f64
    }

    /// Nats of one kind of decision, each time that it is made.
    pub fn per_decision(&self, decision: Decision) -> f64 {
        let Figures { nats, counted, .. } = self.decisions[decision as usize];
        nats / counted
    }
}

impl std::ops::AddAssign for Verdict {
    fn add_assign(&mut self, other: Verdict) {
        for (sum, figures) in self.decisions.iter_mut().zip(other.decisions) {
            *sum = *sum + figures;
        }
        self.notes += other.notes;
    }
}

impl Performer {
    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`]: another composer's, another version's, or a file that does not fit.
    pub fn load(file: &ModelFile) -> Result<Performer, ModelError> {
        let header = &file.header;
        if header.composer != ID {
            return Err(ModelError::NoPerformer { composer: header.composer.clone() });
        }
        header.check_version(VERSION)?;
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&header.settings).map_err(metadata)?;
        let knowledge: Knowledge =
            serde_json::from_value(header.encoding.clone()).map_err(|error| metadata(error.to_string()))?;
        knowledge.check().map_err(metadata)?;
        let size = settings.network();
        let lstm = |name: &str, input: usize, hidden: usize| layers::cell(file, name, (input, hidden), LstmCell::new);
        let head = |decision: Decision| {
            layers::dense(file, decision.name(), (size.seen() + own(decision), decision.classes()), Dense::new)
        };
        let [timing, pedal, velocity, spread, length] = Decision::ALL.map(head);
        let heads = [timing?, pedal?, velocity?, spread?, length?];
        let Size { reader, writer } = size;
        let is_recurrent = writer > 0;
        Ok(Performer {
            reader: if is_recurrent {
                Some([lstm("reader.0", SCORE, reader)?, lstm("reader.1", SCORE, reader)?])
            } else {
                None
            },
            writer: if is_recurrent { Some(lstm("writer.0", 2 * reader + PAST, writer)?) } else { None },
            heads,
            header: header.clone(),
            knowledge,
            counted: settings.counted,
        })
    }

    /// Whether it reads what only scores have.
    pub fn reads_scores(&self) -> bool {
        self.knowledge.with_score
    }

    /// What a person would want to know of it.
    pub fn describe(&self) -> Vec<(String, String)> {
        let of = |cell: &LstmCell| cell.hidden().to_string();
        let reader = self.reader.as_ref().map_or_else(|| "none".to_owned(), |cells| format!("2 x {}", of(&cells[0])));
        let learnt = if self.knowledge.with_score { "scores and their performances" } else { "performances alone" };
        vec![
            ("learnt from".to_owned(), learnt.to_owned()),
            ("reader".to_owned(), reader),
            ("writer".to_owned(), self.writer.as_ref().map_or_else(|| "none".to_owned(), of)),
        ]
    }

    /// Plays a piece: its notes in other moments, lengths and loudnesses, with pedal; no pitch changes, no note is added or lost. With a
    /// `strength` of 0 it is what is written, with 1 what a player does. The same seed gives the same score. `progress` is told the share
    /// that is played.
    ///
    /// # Errors
    /// [`PerformError`].
    pub fn perform(
        &self,
        score: &Score,
        strength: f64,
        rng: &mut Rng,
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Performance, PerformError> {
        if !(0.0..=MOST_STRENGTH).contains(&strength) {
            return Err(PerformError::Strength { found: strength });
        }
        let map = score.tempo_map();
        let written = Written::of_score(score, |tick| map.seconds(tick));
        if written.is_empty() {
            return Err(PerformError::NothingWritten(cantus_score::Unpitched::of(score)));
        }
        if strength == 0.0 {
            return Ok(Performance { score: score.clone(), remarks: Vec::new() });
        }
        let played = self.play(&written, rng, progress).ok_or(PerformError::Stopped)?;
        Ok(render(score, &written, &played, strength, self.knowledge.with_score))
    }

    /// Plays once; `None` where it is stopped, or where the network gives no number.
    fn play(
        &self,
        written: &Written,
        rng: &mut Rng,
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Option<Played> {
        let notes = written.len();
        let mut played = Played::of(written);
        let all = notes as f64;
        self.walk(written, |n, chord, past, decision, logits| {
            let class = Sampling::default().draw(logits, rng)? as u8;
            match decision {
                Decision::Timing => played.slower[chord] = past.level() + TIMING.anywhere(class, rng),
                Decision::Pedal => played.pedal[chord] = self.knowledge.pedalling.draw(past.pedal(), class, rng),
                Decision::Velocity => played.velocity[n] = any_velocity(class, rng),
                Decision::Spread => played.spread[n] = SPREAD.anywhere(class, rng),
                Decision::Length => {
                    played.length[n] = LENGTH.anywhere(class, rng);
                    if n % 64 == 0 && progress(n as f64 / all).is_break() {
                        return None;
                    }
                }
            }
            Some(Some(class))
        })?;
        Some(played)
    }

    /// The classes that it draws for the notes of a lesson, as often as players chose each: to be held against theirs.
    pub fn draw(&self, lesson: &Lesson, rng: &mut Rng) -> Vec<Choices> {
        let drawn = self.walk(&lesson.written, |_, _, _, _, logits| {
            Some(Sampling::default().draw(logits, rng).map(|class| class as u8))
        });
        drawn.unwrap_or_default()
    }

    /// How likely a lesson is.
    pub fn judge(&self, lesson: &Lesson) -> Verdict {
        let mut verdict = Verdict { notes: lesson.len(), ..Verdict::default() };
        self.walk(&lesson.written, |n, _, _, decision, logits| {
            let class = lesson.choices[n][decision as usize];
            if let Some(class) = class {
                let figures = &mut verdict.decisions[decision as usize];
                figures.nats += nats(logits, class.into());
                figures.counted += 1.0;
                figures.correct += usize::from(argmax(logits) == Some(class.into()));
            }
            Some(class)
        });
        verdict
    }

    /// Goes through a piece, note by note; `choose` says what is decided, given the note, its chord, what was played before and the logits.
    /// `None` where it stops.
    fn walk(
        &self,
        written: &Written,
        mut choose: impl FnMut(usize, usize, &Past, Decision, &mut [f32]) -> Option<Option<u8>>,
    ) -> Option<Vec<Choices>> {
        let score = features::of_score(written, self.knowledge.with_score);
        let read = self.read(&score);
        let width = self.reader.as_ref().map_or(0, |cells| 2 * cells[0].hidden());
        let cells = self.writer.as_ref().map_or(0, LstmCell::hidden);
        let (mut h, mut c, mut scratch) = (vec![0.0; cells], vec![0.0; cells], Scratch::new());
        let mut told = vec![0.0; width + PAST];
        let mut seen = vec![0.0; cells + PAST + SCORE + OWN];
        let mut logits: [Vec<f32>; KINDS] = Decision::ALL.map(|decision| vec![0.0; decision.classes()]);
        let mut all = vec![[None; KINDS]; written.len()];
        let mut past = Past::default();
        for (at, chord) in written.chords.iter().enumerate() {
            let gap = at.checked_sub(1).and_then(|before| written.gap(before)).unwrap_or(0.0);
            past.begin_chord();
            for (k, n) in chord.notes.clone().enumerate() {
                let pitch = written.notes[n].pitch;
                told[width..].fill(0.0);
                past.write(pitch, k, &mut told[width..]);
                if let Some(writer) = &self.writer {
                    told[..width].copy_from_slice(&read[n * width..][..width]);
                    writer.step(&told, &mut h, &mut c, &mut scratch);
                }
                seen[..cells].copy_from_slice(&h);
                seen[cells..][..PAST].copy_from_slice(&told[width..]);
                seen[cells + PAST..][..SCORE].copy_from_slice(&score[n * SCORE..][..SCORE]);
                seen[cells + PAST + SCORE..].fill(0.0);
                let choices: &mut Choices = &mut all[n];
                for decision in Decision::ALL {
                    if !is_decided(written, at, k, decision) {
                        continue;
                    }
                    let own = own(decision);
                    let logits = &mut logits[decision as usize];
                    self.heads[decision as usize].forward(&seen[..cells + PAST + SCORE + own], logits);
                    if self.counted > 0.0 {
                        mix(logits, &self.knowledge.frequencies[decision as usize], self.counted);
                    }
                    let choice = choose(n, at, &past, decision, logits)?;
                    choices[decision as usize] = choice;
                    if let Some((at, number)) = own_decision(decision, choice) {
                        seen[cells + PAST + SCORE + at] = number;
                    }
                }
                past.read(pitch, gap, choices);
            }
        }
        Some(all)
    }

    /// What the reader says of each note, forwards and backwards: `[notes, 2H]`.
    fn read(&self, score: &[f32]) -> Vec<f32> {
        let Some(cells) = &self.reader else { return Vec::new() };
        let (notes, hidden) = (score.len() / SCORE, cells[0].hidden());
        let mut read = vec![0.0; notes * 2 * hidden];
        let mut scratch = Scratch::new();
        for (k, cell) in cells.iter().enumerate() {
            let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
            for step in 0..notes {
                let n = if k == 0 { step } else { notes - 1 - step };
                cell.step(&score[n * SCORE..][..SCORE], &mut h, &mut c, &mut scratch);
                read[n * 2 * hidden + k * hidden..][..hidden].copy_from_slice(&h);
            }
        }
        read
    }
}

/// Logits of a mixture: `share` of it are these frequencies.
fn mix(logits: &mut [f32], frequencies: &[f32], share: f64) {
    log_softmax(logits);
    for (z, counted) in logits.iter_mut().zip(frequencies) {
        *z = ((1.0 - share) * f64::from(*z).exp() + share * f64::from(*counted)).ln() as f32;
    }
}

/// Whether there is something to decide at the `k`-th note of a chord.
pub(super) fn is_decided(written: &Written, chord: usize, k: usize, decision: Decision) -> bool {
    match decision {
        Decision::Timing => k == 0 && chord > 0,
        Decision::Pedal => k == 0 && chord + 1 < written.chords.len(),
        Decision::Velocity | Decision::Length => true,
        Decision::Spread => written.chords[chord].notes.len() > 1,
    }
}

/// What later decisions of a note are told of an earlier one: at which place, which number.
pub(super) fn own_decision(decision: Decision, choice: Option<u8>) -> Option<(usize, f32)> {
    let class = choice?;
    match decision {
        Decision::Timing => Some((0, seen_timing(class) as f32)),
        Decision::Velocity => Some((1, seen_velocity(class) as f32)),
        _ => None,
    }
}

/// More than a player's own freedom is a caricature of it.
pub(super) const MOST_STRENGTH: f64 = 2.0;

/// Why nothing was played.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PerformError {
    /// A strength that makes no sense.
    #[error(
        "a strength of {found} makes no sense: give a number from 0 (as written) over 1 (as a player) to {MOST_STRENGTH}"
    )]
    Strength {
        /// What was asked for.
        found: f64,
    },
    /// No note with a pitch.
    #[error("there is nothing to play: the piece holds {}", .0.map_or_else(|| "no note".to_owned(), |found| found.to_string()))]
    NothingWritten(Option<cantus_score::Unpitched>),
    /// It was stopped.
    #[error("stopped before the piece was played")]
    Stopped,
}
