//! Judging and composing with a trained network: the state is carried, one step of work a chord.

mod arranging;
mod closing;
mod drafts;

use super::critic::KINDS;
use super::given::{AHEAD, write_ahead};
use super::profile::Profile;
use super::{Corpus, SPEC, Settings, beats_left, two_bars};
use cantus_encoding::voices::{self, Chord, ITEMS, SPAN, VOICES};
use cantus_model::choir::{ALL, Choir, Given, is_same, touch};
use cantus_model::critic::Critic;
use cantus_model::frames::{BarSteps, FrameFigure, Limits, Recalling, evaluation, moments};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Control, Evaluation, Habits, Intent, Judge, Judgement, Kind,
    Length, ModelError, ModelFile, Progress, Prompt, Request, Rng, Sampling, checkpoint, layers,
};
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::joint::{Decision, JointScorer, Place};
use cantus_nn::random::{below, derive};
use cantus_nn::suffix::SuffixIndex;
use cantus_score::{Score, Ticks};
pub(super) use drafts::Task;
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// Where a piece has been before.
pub(super) fn past_of(chords: &[Chord]) -> SuffixIndex {
    let mut past = SuffixIndex::default();
    chords.iter().for_each(|chord| past.push(chord.bits()));
    past
}

/// A trained network, ready to judge and to compose.
pub(super) struct ChoraleComposer {
    settings: Settings,
    choir: Choir,
    repetition: Limits,
    /// See [`Corpus`].
    returns: Vec<Option<usize>>,
    cells: Vec<LstmCell>,
    head: JointScorer,
    pub(super) critic: Option<Critic>,
    habits: Option<Habits>,
    parameters: usize,
}

/// What the layers remember of a piece.
#[derive(Clone)]
struct Memory {
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    input: Vec<f32>,
    /// What was sung so far.
    profile: Profile,
    scratch: Scratch,
}

impl ChoraleComposer {
    /// Out of a model file, for the registry.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
        Ok(Box::new(ChoraleComposer::open(file)?))
    }

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn open(file: &ModelFile) -> Result<ChoraleComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let Corpus { choir, repetition, returns } =
            serde_json::from_value(file.header.encoding["voices"].clone()).map_err(|e| metadata(e.to_string()))?;
        choir.check().map_err(metadata)?;
        let hidden = settings.shared.hidden;
        let cell = |layer: usize| {
            let input = if layer == 0 { settings.input() } else { hidden };
            layers::cell(file, &format!("lstms.{layer}"), (input, hidden), LstmCell::new)
        };
        let critic = Critic::read(file, KINDS)?;
        let shape = settings.own.shape(settings.features());
        Ok(ChoraleComposer {
            cells: (0..settings.shared.layers).map(cell).collect::<Result<_, _>>()?,
            head: JointScorer::new(shape, |name, shape| file.tensor(&format!("head.{name}"), shape))?,
            parameters: checkpoint::parameters(file) - critic.as_ref().map_or(0, |critic| critic.weights().len()),
            critic,
            habits: file.header.habits.clone(),
            settings,
            choir,
            repetition,
            returns,
        })
    }

    pub(super) fn steps_per_quarter(&self) -> u32 {
        self.choir.steps_per_quarter
    }

    fn memory(&self) -> Memory {
        let layer = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        Memory {
            layers: self.cells.iter().map(layer).collect(),
            input: vec![0.0; self.settings.input()],
            profile: Profile::default(),
            scratch: Scratch::new(),
        }
    }

    /// Moves on to step `at` of a piece of `end` steps; `before` is the chord before it.
    fn advance(&self, memory: &mut Memory, at: usize, end: usize, before: Option<Chord>) {
        memory.input.fill(0.0);
        let left = beats_left(&self.choir, at, end);
        before.into_iter().for_each(|chord| memory.profile.add(chord, self.choir.steps_per_quarter));
        self.settings.write_input(before.map(Chord::bits), at, left, (&memory.profile, 0), &mut memory.input);
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = memory.layers.split_at_mut(k);
            let (h, c) = &mut here[0];
            cell.step(below.last().map_or(&memory.input, |(h, _)| h), h, c, &mut memory.scratch);
        }
    }

    /// What the head sees.
    fn features(&self, memory: &Memory, given: impl Fn(usize) -> Option<Given>, at: usize, features: &mut Vec<f32>) {
        features.clear();
        features.extend(memory.layers.last().into_iter().flat_map(|(h, _)| h));
        if self.settings.shared.skip {
            features.extend_from_slice(&memory.input);
        }
        let seen = features.len();
        features.resize(seen + AHEAD, 0.0);
        write_ahead(given, at, 0, &mut features[seen..]);
    }

    /// Figures for all chords of each piece, the first (predicted from nothing) included; nothing given but how long each is.
    pub(super) fn judge_chords(&self, pieces: &[Vec<Chord>]) -> Vec<Vec<FrameFigure>> {
        let judge = |chords: &Vec<Chord>| {
            let (mut memory, past) = (self.memory(), past_of(chords));
            let (mut decision, mut features) = (self.head.decision(), Vec::new());
            let figure = |(at, chord): (usize, &Chord)| {
                self.advance(&mut memory, at, chords.len(), at.checked_sub(1).map(|before| chords[before]));
                self.features(&memory, |_| None, at, &mut features);
                decision.open(&features, &Place { past: &past, at, shift: 0, classes: memory.profile.shares() });
                FrameFigure::of_set(&mut decision, chord.bits())
            };
            chords.iter().enumerate().map(figure).collect()
        };
        pieces.par_iter().map(judge).collect()
    }

    /// A chord around what is given; `None` where the model gives no number.
    fn draw(&self, decision: &mut Decision<'_>, here: &Here<'_>, sampling: &Sampling, rng: &mut Rng) -> Option<Chord> {
        // A stream of its own for each chord: how many voices are given does not shift what comes after.
        let mut rng = derive(rng.next_u64(), "voices", &[]);
        let Here { features, place, given, recalling, closing, .. } = here;
        decision.open(features, place);
        match *recalling {
            Recalling::Free => {}
            Recalling::Nothing => decision.forget(),
            Recalling::Step(at) => decision.recall(place, at, Recalling::TRUST),
        }
        let allowed = self.choir.allowed() & closing.unwrap_or(u128::MAX);
        let mut chord = Chord::REST;
        for voice in 0..VOICES {
            let first = SPAN * (VOICES - 1 - voice);
            let item = if given.knows(voice) {
                given.chord.pitch(voice).and_then(|pitch| voices::item(voice, pitch))
            } else {
                let probabilities = decision.probabilities();
                if probabilities.iter().any(|p| p.is_nan()) {
                    return None;
                }
                // Its own items, and, as one more, what is left to the voices below: that it rests.
                let rest: f32 = probabilities[..first].iter().sum::<f32>() + probabilities[ITEMS];
                let own =
                    (first..first + SPAN).map(|item| if allowed >> item & 1 == 1 { probabilities[item] } else { 0.0 });
                // No voice rests in a last chord.
                let rest = if closing.is_some() { 0.0 } else { rest };
                let choices: Vec<f32> = own.chain([rest]).collect();
                let before = here.before.map(|chord| {
                    chord.pitch(voice).and_then(|pitch| voices::item(voice, pitch)).map_or(SPAN, |item| item - first)
                });
                // What makes pitches surer must not slow the rhythm, in which each single move is less likely than none.
                let drawn = sampling.draw_beside(choices, before, &mut rng);
                drawn.filter(|k| *k < SPAN).map(|k| first + k)
            };
            if let Some(item) = item {
                decision.choose(item);
                chord = chord.with(voice, Some(voices::pitch_of(item)));
            }
        }
        Some(chord)
    }

    /// Where the beginning of a piece comes again, and how many steps of it: as in some piece of the corpus.
    pub(super) fn opening(&self, rng: &mut Rng) -> Option<(usize, usize)> {
        let returns = &self.returns;
        if returns.is_empty() {
            return None;
        }
        let steps = two_bars(self.choir.grid(), self.choir.meter());
        returns[below(&mut derive(rng.next_u64(), "form", &[]), returns.len())].map(|at| (at, steps))
    }
}

/// Which chords count, in a sentence.
pub(super) fn protocol() -> String {
    "all chords after the first of each piece, in its own key; a chord is what four voices sing at one step; the piece's length is \
     given; mean over chords; right: the mean accuracy of a chord"
        .to_owned()
}

/// The evaluation of a piece, its first chord left out.
pub(super) fn counted(figures: &[FrameFigure], steps_per_quarter: u32) -> Evaluation {
    let some = figures.get(1..).unwrap_or_default();
    evaluation(some, some.len() as f64 / f64::from(steps_per_quarter))
}

impl Judge for ChoraleComposer {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        protocol()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let chords = voices::read(piece);
        let figures = self.judge_chords(std::slice::from_ref(&chords));
        let moments = moments(figures[0].iter().copied().map(Some), self.choir.steps_per_quarter, piece);
        let figures = counted(&figures[0], self.choir.steps_per_quarter);
        Judgement { figures, moments, is_adjusted: !is_same(piece, &chords) }
    }
}

impl Composer for ChoraleComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling { temperature: 0.8, top_k: 0, top_p: 0.9 }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let (shared, own) = (&self.settings.shared, &self.settings.own);
        let memory =
            if own.candidates > 0 { format!(", a memory of {} places", own.candidates) } else { String::new() };
        [
            (
                "network",
                format!(
                    "{} LSTM layers of {}, a joint head of {} units{memory}, {} parameters",
                    shared.layers, shared.hidden, own.units, self.parameters
                ),
            ),
            ("voices", self.choir.describe()),
            (
                "critic",
                match &self.critic {
                    Some(_) => "of several drafts those go on that it takes for the corpus's".to_owned(),
                    None => "none".to_owned(),
                },
            ),
            ("grid", format!("{} steps a quarter", self.choir.steps_per_quarter)),
            ("metre", self.choir.meter.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }

    fn lacks(&self, control: Control) -> bool {
        control == Control::Form && self.settings.own.candidates == 0
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        if let (Length::AsGiven, Some(given)) = (request.length, &request.given) {
            return self.arranged(given, &request.sampling, rng, progress);
        }
        let prompt = request.prompt();
        let grid = self.choir.grid();
        let heard = prompt.map_or_else(Vec::new, |prompt| {
            let (score, steps) = self.choir.heard(prompt);
            let mut chords = voices::read(&score);
            chords.resize(steps, Chord::REST);
            chords
        });
        let meter = prompt.and_then(|prompt| prompt.score().bars().last()).map(|bar| bar.meter);
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let meter = meter.or(intent.meter()).unwrap_or_else(|| self.choir.meter());
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let in_bars = BarSteps::new(grid, meter);
        let steps = in_bars.first_step(bars);
        let mut given: Vec<Given> = heard.iter().map(|chord| Given { voices: ALL, chord: *chord }).collect();
        given.resize(heard.len() + steps, Given::default());
        let recalls = match &request.controls.form {
            Some(form) => {
                let rng = &mut derive(rng.next_u64(), "variation", &[]);
                in_bars.recalled_steps(form, (prompt, heard.len()), bars, grid, rng)?
            }
            None => Vec::new(),
        };
        // A piece of its own: its beginning comes again as that of some piece of the corpus does.
        let opening = if prompt.is_none() && request.controls.form.is_none() { self.opening(rng) } else { None };
        let task = Task { given: &given, recalls: &recalls, opening, closing: None, sampling: &request.sampling };
        let (mut sung, verdict) = self.sing(&task, rng, progress)?;
        let mut chords = sung.split_off(heard.len());
        if chords[in_bars.first_step(bars - 1).min(steps - 1)..].iter().all(|chord| chord.is_rest()) {
            // A piece does not fade out before its last bar: what was sung last is sung once more.
            let closing = self.choir.closing(&[&heard[..], &chords[..]].concat());
            chords.iter_mut().next_back().into_iter().for_each(|chord| *chord = closing);
        }
        let mut composed = self.choir.open();
        composed.parts = voices::write(&chords, grid, |step, _| in_bars.begins_bar(step)).parts;
        composed = composed.rescaled(in_bars.fine).before(Ticks(bars as u64 * in_bars.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        intent.finish(&mut composed, self.choir.pitches());
        touch(&mut composed);
        let score = prompt.map_or_else(|| composed.clone(), |prompt| prompt.join(&composed, Ticks::ZERO));
        let remarks = prompt.and_then(|prompt| self.choir.strange(prompt.score(), "prompt")).into_iter().collect();
        Ok(Composition { score, remarks, verdict })
    }
}

/// A step that is to be drawn.
struct Here<'a> {
    features: &'a [f32],
    place: Place<'a>,
    given: Given,
    /// The chord before it.
    before: Option<Chord>,
    recalling: Recalling,
    /// What may be sung, where it is the last chord.
    closing: Option<u128>,
}
