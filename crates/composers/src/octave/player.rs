//! Composing: step by step, all states carried.

use super::decoder::{DecoderPlayer, DecoderState};
use super::pieces::{Fragment, INPUT, Piece, to_judge};
use super::settings::{Clock, Decisions, OctaveSettings};
use super::touch::TouchPlayer;
use super::{ATTENTION, SILENCE, SPEC};
use cantus_encoding::octave_roll::{PitchClasses, TIME_BITS, time_bits};
use cantus_encoding::piano_roll::{self, Key, Keys, Outside};
use cantus_model::layers::{cell, dense};
use cantus_model::{
    Chart, ComposeError, Composer, ComposerSpec, Composition, Evaluation, Habits, Intent, Judge, Judgement, Kind,
    ModelError, ModelFile, Moment, Progress, Request, Rng, Sampling, checkpoint, seeded,
};
use cantus_nn::cross_entropy::Figures;
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_nn::lag_attention;
use cantus_nn::voices::{Decided, allowed};
use cantus_score::{Meter, Note, Part, Program, Score, Ticks, TicksPerQuarter};
use serde::Deserialize;

/// The most that is added to the log-odds of silence, or taken from it.
const MOST_SILENCE: f32 = 1.0;

/// Outputs and cells of a layer.
#[derive(Clone, Debug)]
struct Carried {
    h: Vec<f32>,
    c: Vec<f32>,
}

impl Carried {
    fn zeros(cell: &LstmCell) -> Carried {
        Carried { h: vec![0.0; cell.hidden()], c: vec![0.0; cell.hidden()] }
    }
}

/// What the encoding's part of a header says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoding {
    steps_per_quarter: u32,
    lowest: usize,
    highest: usize,
}

/// Trained networks, ready to compose.
#[derive(Debug)]
pub(super) struct OctaveComposer {
    settings: OctaveSettings,
    grid: TicksPerQuarter,
    range: Keys,
    local: LstmCell,
    controller: LstmCell,
    attention: Dense,
    aggregation: LstmCell,
    voice: LstmCell,
    outcome: Dense,
    decoder: DecoderPlayer,
    touch: TouchPlayer,
    mass: Vec<f32>,
    /// What is added to the log-odds of a step of silence where one is drawn; see [`super::rehearsal`].
    silence: f32,
    habits: Option<Habits>,
    parameters: usize,
}

/// Where the generator stands: what it has read, and what its voices remember.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    local: Carried,
    controller: Carried,
    aggregation: Carried,
    voices: Vec<Carried>,
    /// All that was read, the newest last.
    past: Vec<PitchClasses>,
    /// The clock of the step that is read next.
    clock: u64,
    /// The attention's weights at the last step.
    pub weights: Vec<f32>,
    scratch: Scratch,
}

/// What the voices decided.
struct Decision {
    frame: PitchClasses,
    /// What a given frame costs where decisions are ordered, in nats; 0 otherwise.
    nats: f64,
    /// Whether each decision was the likeliest; of those that `nats` counts.
    is_likeliest: bool,
}

/// How a frame comes about.
enum Source<'a> {
    /// It is given.
    Given(PitchClasses),
    /// It is drawn; where it must sound, it is not empty.
    Drawn { sampling: &'a Sampling, must_sound: bool },
}

impl OctaveComposer {
    pub(super) fn load(file: &ModelFile) -> Result<OctaveComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings: OctaveSettings =
            serde_json::from_value(file.header.settings.clone()).map_err(|e| metadata(e.to_string()))?;
        settings.check().map_err(metadata)?;
        let encoding: Encoding =
            serde_json::from_value(file.header.encoding["octave_roll"].clone()).map_err(|e| metadata(e.to_string()))?;
        let grid = TicksPerQuarter::new(encoding.steps_per_quarter)
            .filter(|steps| steps.get() <= 960)
            .ok_or_else(|| metadata(format!("a grid of {} steps a quarter", encoding.steps_per_quarter)))?;
        let ends = [encoding.lowest, encoding.highest].map(Key::new);
        let [Some(lowest), Some(highest)] = ends else {
            return Err(metadata(format!("keys {} to {}", encoding.lowest, encoding.highest)));
        };
        let range = super::all_between(Keys::from_iter([lowest, highest]));
        let OctaveSettings { local, controller, aggregation, voice, .. } = settings;
        let lags = settings.lags.len();
        let outcomes = settings.decisions.rule().outcomes(PitchClasses::COUNT);
        let generator = |name: &str| format!("generator.{name}");
        let rehearsed = file.tensors.contains_key(SILENCE);
        let composer = OctaveComposer {
            habits: file.header.habits.clone(),
            grid,
            range,
            local: cell(file, &generator("local"), (INPUT, local), LstmCell::new)?,
            controller: cell(file, &generator("controller"), (INPUT, controller), LstmCell::new)?,
            attention: dense(file, &generator("attention"), (controller, lags), Dense::new)?,
            aggregation: cell(
                file,
                &generator("aggregation"),
                (local + PitchClasses::COUNT, aggregation),
                LstmCell::new,
            )?,
            voice: cell(
                file,
                &generator("voices.lstm"),
                (aggregation + 2 * PitchClasses::COUNT, voice),
                LstmCell::new,
            )?,
            outcome: dense(file, &generator("voices.outcome"), (voice, outcomes), Dense::new)?,
            decoder: DecoderPlayer::load(file, &settings)?,
            touch: TouchPlayer::load(file, &settings)?,
            mass: file.tensor(ATTENTION, &[lags])?.to_vec(),
            silence: 0.0,
            parameters: checkpoint::parameters(file) - lags - usize::from(rehearsed),
            settings,
        };
        // Models of trainings that did not come to their end, and those of earlier versions, have none.
        Ok(if rehearsed { composer.with_silence(file.tensor(SILENCE, &[1])?[0]) } else { composer })
    }

    /// The same with something else added to the log-odds of silence, within bounds.
    pub(super) fn with_silence(self, silence: f32) -> OctaveComposer {
        let silence = if silence.is_finite() { silence.clamp(-MOST_SILENCE, MOST_SILENCE) } else { 0.0 };
        OctaveComposer { silence, ..self }
    }

    pub(super) fn silence(&self) -> f32 {
        self.silence
    }

    /// Before the first step of a piece, whose clock says `clock`.
    pub(super) fn start(&self, clock: u64) -> Reading {
        Reading {
            local: Carried::zeros(&self.local),
            controller: Carried::zeros(&self.controller),
            aggregation: Carried::zeros(&self.aggregation),
            voices: vec![Carried::zeros(&self.voice); self.settings.voices],
            past: Vec::new(),
            clock,
            weights: vec![0.0; self.settings.lags.len()],
            scratch: Scratch::new(),
        }
    }

    /// After silence at the clock's last step before the piece.
    fn before_the_first(&self) -> Reading {
        let mut reading = self.start(u64::MAX);
        self.read(&mut reading, PitchClasses::NONE);
        reading
    }

    /// Reads a step. The features of the next one stand in the aggregation's output.
    pub(super) fn read(&self, state: &mut Reading, frame: PitchClasses) {
        state.past.push(frame);
        let mut x = [0.0; INPUT];
        let (classes, clock) = x.split_at_mut(PitchClasses::COUNT);
        frame.write(classes);
        clock.copy_from_slice(&time_bits(state.clock)[..TIME_BITS]);
        state.clock = state.clock.wrapping_add(1);
        let Reading { local, controller, aggregation, scratch, weights, past, .. } = state;
        self.local.step(&x, &mut local.h, &mut local.c, scratch);
        self.controller.step(&x, &mut controller.h, &mut controller.c, scratch);
        let mut scores = vec![0.0; weights.len()];
        self.attention.forward(&controller.h, &mut scores);
        lag_attention::weights(&scores, weights);
        let mut input = local.h.clone();
        let mut row = [0.0; PitchClasses::COUNT];
        let mut read = [0.0; PitchClasses::COUNT];
        for (a, lag) in weights.iter().zip(&self.settings.lags) {
            let there = past.len().checked_sub(*lag).map_or(PitchClasses::NONE, |at| past[at]);
            there.write(&mut row);
            read.iter_mut().zip(&row).for_each(|(r, x)| *r += a * x);
        }
        input.extend_from_slice(&read);
        self.aggregation.step(&input, &mut aggregation.h, &mut aggregation.c, scratch);
    }

    /// Lets the voices decide about the next step; they remember what they saw. A frame that is given is decided as in training: a
    /// voice chooses the pitch class, the frame says whether it sounds.
    fn decide(&self, state: &mut Reading, source: Source<'_>, rng: &mut Rng) -> Result<Decision, ComposeError> {
        const ITEMS: usize = PitchClasses::COUNT;
        let rule = self.settings.decisions.rule();
        let Reading { aggregation, voices, scratch, .. } = state;
        let mut input = aggregation.h.clone();
        let features = input.len();
        input.resize(features + 2 * ITEMS, 0.0);
        let mut logits = vec![0.0; rule.outcomes(ITEMS)];
        let mut decided = Decided::default();
        let (mut nats, mut is_likeliest) = (0.0, true);
        let (given, sampling, must_sound) = match source {
            Source::Given(frame) => (Some(u32::from(frame.bits())), &Sampling::default(), false),
            Source::Drawn { sampling, must_sound } => (None, sampling, must_sound),
        };
        let last = voices.len() - 1;
        // A pitch class of which the corpus has no key is never struck.
        let known = u32::from(PitchClasses::from(self.range).bits());
        let knows = |item: usize| given.is_some() || known >> item & 1 == 1;
        let forbid = |logits: &mut [f32], decided: Decided, silent: bool| {
            for (outcome, logit) in logits.iter_mut().enumerate() {
                let strikes = outcome < ITEMS;
                if !allowed(outcome, decided, ITEMS, rule) || silent && !strikes || strikes && !knows(outcome) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        };
        for (v, carried) in voices.iter_mut().enumerate() {
            decided.write(&mut input[features..]);
            self.voice.step(&input, &mut carried.h, &mut carried.c, scratch);
            self.outcome.forward(&carried.h, &mut logits);
            let silent = must_sound && decided.inside == 0;
            match self.settings.decisions {
                Decisions::Final => {
                    forbid(&mut logits, decided, silent);
                    let drawn = sampling.draw(&logits, rng).ok_or(ComposeError::NoToken)?;
                    let outcome = match given {
                        Some(set) => drawn % ITEMS + if set >> (drawn % ITEMS) & 1 == 1 { 0 } else { ITEMS },
                        None => drawn,
                    };
                    decided = decided.with(outcome, ITEMS, rule);
                }
                Decisions::Ordered if decided.all().count_ones() as usize == ITEMS => {}
                Decisions::Ordered if v == last => {
                    let free = |item: &usize| allowed(*item, decided, ITEMS, rule) && knows(*item);
                    let open: Vec<usize> = (0..ITEMS).filter(free).collect();
                    for &item in &open {
                        let inside = match given {
                            Some(set) => {
                                let (inside, logit) = (set >> item & 1 == 1, f64::from(logits[item]));
                                nats += if inside { -logit } else { logit }.exp().ln_1p();
                                is_likeliest &= inside == (logit > 0.0);
                                inside
                            }
                            None => sampling.draw(&[0.0, logits[item]], rng).ok_or(ComposeError::NoToken)? == 1,
                        };
                        decided.inside |= u32::from(inside) << item;
                    }
                    if given.is_none() && silent && decided.inside == 0 {
                        let likeliest = open.iter().max_by(|a, b| logits[**a].total_cmp(&logits[**b]));
                        decided.inside |= likeliest.map_or(0, |item| 1 << *item);
                    }
                    decided.outside = !decided.inside & ((1 << ITEMS) - 1);
                }
                Decisions::Ordered => {
                    forbid(&mut logits, decided, silent);
                    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let outcome = match given {
                        Some(set) => {
                            let next = |item: &usize| allowed(*item, decided, ITEMS, rule) && set >> item & 1 == 1;
                            let outcome = (0..ITEMS).find(next).unwrap_or(ITEMS);
                            nats += logits.iter().map(|logit| f64::from(logit - most).exp()).sum::<f64>().ln();
                            nats -= f64::from(logits[outcome] - most);
                            is_likeliest &= logits.iter().position(|logit| *logit == most) == Some(outcome);
                            outcome
                        }
                        // That there are no more comes as often as the model says, however sure the pitches are to be.
                        None => {
                            if decided.inside == 0 {
                                logits[ITEMS] += self.silence;
                            }
                            let most = most.max(logits[ITEMS]);
                            let chances = logits.iter().map(|logit| (logit - most).exp()).collect();
                            sampling.draw_beside(chances, Some(ITEMS), rng).ok_or(ComposeError::NoToken)?
                        }
                    };
                    decided = decided.with(outcome, ITEMS, rule);
                }
            }
        }
        let bits = given.unwrap_or(decided.inside) as u16;
        Ok(Decision { frame: PitchClasses::from_bits(bits).unwrap_or_default(), nats, is_likeliest })
    }

    /// Lets the voices see what the next step is.
    pub(super) fn follow(&self, state: &mut Reading, frame: PitchClasses, rng: &mut Rng) -> Result<(), ComposeError> {
        self.decide(state, Source::Given(frame), rng).map(|_| ())
    }

    /// Draws the next step.
    pub(super) fn draw(
        &self,
        state: &mut Reading,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Result<PitchClasses, ComposeError> {
        Ok(self.decide(state, Source::Drawn { sampling, must_sound: false }, rng)?.frame)
    }

    /// Everything before the first step to be composed: the keys of the prompt, if there is one, what had to be left out of it, and
    /// the states after it.
    fn open(&self, request: &Request, rng: &mut Rng) -> Result<Opened, ComposeError> {
        let mut remarks = Vec::new();
        let Some(prompt) = request.prompt() else {
            let reading = self.before_the_first();
            return Ok(Opened { keys: Vec::new(), reading, decoding: self.decoder.start(), remarks });
        };
        let score = prompt.on_grid(self.grid);
        let end = prompt.end_in(&score).0;
        let outside = score.notes().filter(|note| Key::try_from(note.pitch).is_err()).count();
        if outside > 0 {
            remarks.push(format!(
                "{outside} notes of the prompt lie beyond the 88 keys of a piano, and the model did not hear them; the prompt itself is kept as it is"
            ));
        }
        if end > piano_roll::MOST_STEPS {
            return Err(ComposeError::Bars { bars: prompt.bars(), most: self.most_bars() });
        }
        let frames = piano_roll::encode(&score, Outside::Omit).unwrap_or_default();
        let mut keys: Vec<Keys> = frames.iter().map(|frame| frame.struck).collect();
        keys.resize(end as usize, Keys::NONE);
        let heard = match self.settings.clock {
            Clock::Onset => keys.iter().position(|keys| !keys.is_empty()).unwrap_or(0),
            Clock::Bar => 0,
        };
        let opening = self.settings.opening;
        let mut reading = if opening { self.before_the_first() } else { self.start(0) };
        let mut decoding = self.decoder.start();
        for (k, keys) in keys[heard..].iter().enumerate() {
            let frame = PitchClasses::from(*keys);
            if k > 0 || opening {
                self.decide(&mut reading, Source::Given(frame), rng)?;
            }
            self.read(&mut reading, frame);
            self.decoder.read(&mut decoding, *keys);
        }
        Ok(Opened { keys, reading, decoding, remarks })
    }

    /// Frames as a score, from step `from` on.
    fn score(&self, keys: &[Keys], from: usize) -> Score {
        let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
        let played = self.touch.play(keys);
        let mut next = vec![keys.len(); Keys::COUNT];
        for (step, (keys, played)) in keys.iter().zip(&played).enumerate().skip(from).rev() {
            for (key, (velocity, duration)) in keys.iter().zip(played) {
                // Until it is struck again, at the longest.
                let most = next[key.index()] - step;
                next[key.index()] = step;
                let duration = (*duration).clamp(1, most as u64);
                part.notes.push(Note {
                    onset: Ticks((step - from) as u64),
                    pitch: key.pitch(),
                    duration: Ticks(duration),
                    velocity: *velocity,
                });
            }
        }
        part.notes.sort_unstable();
        let mut score = Score::new(self.grid);
        score.parts.push(part);
        score
    }
}

/// What the tests look at.
#[cfg(test)]
impl OctaveComposer {
    pub(super) fn features(&self, state: &Reading) -> Vec<f32> {
        state.aggregation.h.clone()
    }

    pub(super) fn decoder(&self) -> &DecoderPlayer {
        &self.decoder
    }

    /// What a frame costs where decisions are ordered, written down once more and plainly.
    pub(super) fn nats(&self, state: &mut Reading, frame: PitchClasses) -> f64 {
        const ITEMS: usize = PitchClasses::COUNT;
        let mut input = state.aggregation.h.clone();
        let features = input.len();
        input.resize(features + 2 * ITEMS, 0.0);
        let (mut logits, mut nats, mut from) = (vec![0.0; ITEMS + 1], 0.0, 0);
        let last = state.voices.len() - 1;
        for (v, carried) in state.voices.iter_mut().enumerate() {
            for item in 0..from {
                input[features + item] = f32::from(u8::from(frame.contains(item as u8)));
                input[features + ITEMS + item] = 1.0 - input[features + item];
            }
            self.voice.step(&input, &mut carried.h, &mut carried.c, &mut state.scratch);
            self.outcome.forward(&carried.h, &mut logits);
            let logits: Vec<f64> = logits.iter().map(|z| f64::from(*z)).collect();
            if v == last {
                let cost = |item: &usize| {
                    let sign = if frame.contains(*item as u8) { 1.0 } else { -1.0 };
                    (1.0 + (-sign * logits[*item]).exp()).ln()
                };
                return nats + (from..ITEMS).map(|item| cost(&item)).sum::<f64>();
            }
            let next = (from..ITEMS).find(|item| frame.contains(*item as u8)).unwrap_or(ITEMS);
            nats += logits[from..].iter().map(|z| z.exp()).sum::<f64>().ln() - logits[next];
            if next == ITEMS {
                return nats;
            }
            from = next + 1;
        }
        nats
    }
}

impl Judge for OctaveComposer {
    fn kind(&self) -> Kind {
        self.settings.decisions.kind()
    }

    fn protocol(&self) -> String {
        self.settings.protocol()
    }

    fn judge(&self, source: &Score) -> Judgement {
        let is_adjusted = source.notes().any(|note| Key::try_from(note.pitch).is_err());
        let pieces: Vec<Piece> = Piece::new(source, &self.settings).into_iter().collect();
        let mut figures = Figures::default();
        let mut moments = Vec::new();
        // Given frames are not drawn.
        let rng = &mut seeded(0);
        for Fragment { piece, start, .. } in to_judge(pieces.iter().map(Piece::steps), &self.settings) {
            let piece = &pieces[piece];
            let mut reading = self.start(piece.clock(start));
            reading.past = piece.classes[..start].to_vec();
            let end = (start + self.settings.fragment).min(piece.steps());
            for (step, pair) in (start as u64 + 1..).zip(piece.classes[start..end].windows(2)) {
                self.read(&mut reading, pair[0]);
                let decision = self.decide(&mut reading, Source::Given(pair[1]), rng);
                let Ok(Decision { nats, is_likeliest, .. }) = decision else { continue };
                figures = figures + Figures { nats, counted: 1.0, correct: usize::from(is_likeliest) };
                moments.push(Moment { at: Ticks(step).rescale(self.grid, source.ticks_per_quarter), nats });
            }
        }
        let quarters = figures.counted / f64::from(self.grid.get());
        // What keys are held, and for how long, is no part of it.
        let figures = Evaluation { beside: None, ..Evaluation::of_batch(figures, quarters) };
        Judgement { figures, moments, is_adjusted }
    }
}

/// See [`OctaveComposer::open`].
struct Opened {
    keys: Vec<Keys>,
    reading: Reading,
    decoding: DecoderState,
    remarks: Vec<String>,
}

impl Composer for OctaveComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        self.settings.decisions.sampling()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let OctaveSettings { local, controller, aggregation, voice, voices, .. } = self.settings;
        let ends: Vec<Key> = self.range.iter().collect();
        let range = match (ends.first(), ends.last()) {
            (Some(low), Some(high)) => format!("{} to {}", low.pitch(), high.pitch()),
            _ => "none".to_owned(),
        };
        let attention = match self.mass.iter().any(|mass| *mass > 0.0) {
            true => self
                .settings
                .lags
                .iter()
                .zip(&self.mass)
                .map(|(lag, mass)| format!("{lag}: {:.1}%", 100.0 * mass))
                .collect::<Vec<String>>()
                .join(", "),
            false => "not measured yet".to_owned(),
        };
        [
            (
                "network",
                format!(
                    "local {local}, controller {controller}, aggregation {aggregation}, {voices} voices of {voice}; with decoder and \
                     touch {} parameters",
                    self.parameters
                ),
            ),
            ("keys", range),
            ("grid", format!("{} steps a quarter", self.grid.get())),
            ("attention", format!("mean weight by lag in steps, on validation: {attention}")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn charts(&self) -> Vec<Chart> {
        let bars = self.settings.lags.iter().zip(&self.mass).map(|(lag, mass)| (lag.to_string(), f64::from(*mass)));
        vec![Chart {
            name: "attention",
            title: "Where the attention goes: mean weight, on the validation pieces".to_owned(),
            axis: "lag in steps before the one that is predicted".to_owned(),
            bars: bars.collect(),
        }]
    }

    fn judge(&self) -> Option<&dyn Judge> {
        // A surrogate is drawn along a path of chances, and says of a piece what those were.
        (self.settings.decisions.kind() == Kind::Exact).then_some(self)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let Opened { mut keys, mut reading, mut decoding, remarks } = self.open(request, rng)?;
        let from = keys.len();
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let (meter, kept) = match request.prompt() {
            Some(prompt) => {
                let last = prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter);
                (last, prompt.bars())
            }
            None => (intent.meter().unwrap_or(Meter::COMMON), 0),
        };
        let (bar, bars) = (meter.bar(self.grid).0.max(1) as usize, request.bars() - kept);
        let mut silent = false;
        for k in 0..bars {
            let mut sounded = false;
            for step in 0..bar {
                // No bar without an onset after another, and none at the end: a piece ends where it was asked to.
                let must_sound = step == 0 && (silent || k + 1 == bars || (k == 0 && from == 0));
                let source = Source::Drawn { sampling: &request.sampling, must_sound };
                let frame = self.decide(&mut reading, source, rng)?.frame;
                let struck = self.decoder.decode(&mut decoding, frame, self.range, &request.sampling, rng);
                sounded |= !struck.is_empty();
                keys.push(struck);
                self.read(&mut reading, frame);
            }
            silent = !sounded;
            if progress((k + 1) as f64 / bars as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        let mut composed = self.score(&keys, from).before(Ticks((bar * bars) as u64));
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => {
                composed.meters.push((Ticks::ZERO, meter));
                let pitches = || self.range.iter().map(|key| key.pitch().get());
                intent.finish(&mut composed, (pitches().min().unwrap_or(0), pitches().max().unwrap_or(0)));
                composed
            }
        };
        Ok(Composition::new(score, remarks))
    }
}
