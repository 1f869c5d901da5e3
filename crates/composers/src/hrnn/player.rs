//! Judging and composing: bars and beats are entered as they come, steps written one after the other.

use super::model::{Model, View};
use super::settings::Settings;
use super::tune::{Frame, Looking, Tune};
use super::{SAMPLING, SPEC};
use cantus_encoding::melody_steps::{HOLD, MelodySteps, OUTCOMES, SILENCE};
use cantus_encoding::note_chord::BarKind;
use cantus_model::melodies::Beginning;
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Evaluation, Intent, Judge, Judgement, Kind, ModelError,
    ModelFile, Moment, Progress, Request, Rng, Sampling, alone, together,
};
use cantus_score::{Pitch, Score, Ticks};

/// What is judged, in words.
pub(super) fn protocol(settings: &Settings) -> String {
    let rhythms = match settings.kind() {
        Kind::Exact => "",
        _ => ", and the classes of rhythm of its bars and beats",
    };
    format!("every step of the grid{rhythms}; key, bars and length are given; mean over steps")
}

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    model: Model,
}

/// A melody that is being written.
struct Draft {
    bars: Vec<BarKind>,
    upbeat: bool,
    frame: Frame,
    /// How many steps are given, and where the last bar begins.
    given: Vec<u8>,
    last_bar: usize,
    steps: Vec<u8>,
    sounding: Vec<u8>,
    looking: Looking,
    classes: [Vec<u32>; 2],
}

impl Draft {
    fn view(&self) -> View<'_> {
        View {
            frame: &self.frame,
            steps: &self.steps,
            sounding: &self.sounding,
            looking: &self.looking,
            classes: [&self.classes[0], &self.classes[1]],
        }
    }

    /// What happens at the next step.
    fn next(
        &self,
        logits: &mut [f32],
        outcomes: (u8, u8),
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Result<u8, ComposeError> {
        let at = self.steps.len();
        if let Some(outcome) = self.given.get(at) {
            return Ok(*outcome);
        }
        let must_begin = at == self.last_bar;
        let sounds = self.sounding[at] != 0;
        for (outcome, logit) in (0..).zip(logits.iter_mut()) {
            let fits = match outcome {
                HOLD => !must_begin,
                SILENCE => !must_begin && sounds,
                pitch => (outcomes.0..=outcomes.1).contains(&pitch),
            };
            if !fits {
                *logit = f32::NEG_INFINITY;
            }
        }
        let found = sampling.draw(logits, rng).ok_or(ComposeError::NoToken)?;
        u8::try_from(found).map_err(|_| ComposeError::NoToken)
    }

    fn take(&mut self, outcome: u8) {
        let sounding = match outcome {
            HOLD => self.sounding.last().copied().unwrap_or(0),
            SILENCE => 0,
            pitch => pitch,
        };
        self.steps.push(outcome);
        self.sounding.push(sounding);
        self.looking.push(&self.frame, &self.steps, self.steps.len() - 1);
    }
}

/// The classes of rhythm of blocks that are entered: what is given says, or they are drawn.
fn decide(
    entered: Vec<(usize, Vec<f32>)>,
    drafts: &mut [(usize, Draft)],
    of: usize,
    given: impl Fn(&Draft) -> Option<u32>,
    sampling: &Sampling,
    rngs: &mut [Rng],
) -> Result<(), ComposeError> {
    for (row, logits) in entered {
        let (number, draft) = &mut drafts[row];
        let class = match given(draft) {
            _ if logits.is_empty() => 0,
            Some(class) => class,
            None => sampling.draw(&logits, &mut rngs[*number]).ok_or(ComposeError::NoToken)? as u32,
        };
        draft.classes[of].push(class);
    }
    Ok(())
}

fn views(drafts: &[(usize, Draft)]) -> Vec<View<'_>> {
    drafts.iter().map(|(_, draft)| draft.view()).collect()
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: Model::load(file)? })
    }

    fn draft(&self, opening: &Beginning, intent: &Intent<'_>, request: &Request) -> Draft {
        let (bars, upbeat) = opening.bars(intent, request, self.model.grid);
        let frame = Frame::new(&bars, upbeat, self.model.grid);
        let steps = frame.places.len();
        Draft {
            last_bar: frame.bars.last().map_or(0, |bar| bar.start),
            given: opening.heard.as_ref().map_or_else(Vec::new, |(heard, _)| heard.steps.clone()),
            frame,
            bars,
            upbeat,
            steps: Vec::with_capacity(steps),
            sounding: vec![0],
            looking: Looking::default(),
            classes: [Vec::new(), Vec::new()],
        }
    }

    fn write(
        &self,
        opening: &Beginning,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let (model, sampling) = (&self.model, &request.sampling);
        let (mut intents, mut drafts) = (Vec::with_capacity(rngs.len()), Vec::with_capacity(rngs.len()));
        for (number, rng) in rngs.iter_mut().enumerate() {
            let intent = Intent::of(model.habits.as_ref(), request, rng)?;
            drafts.push((number, self.draft(opening, &intent, request)));
            intents.push(intent);
        }
        // The longest first: those that are done are always the last.
        drafts.sort_by_key(|(_, draft)| std::cmp::Reverse(draft.frame.places.len()));
        let longest = drafts.first().map_or(0, |(_, draft)| draft.frame.places.len());
        let mut rows = model.rows(drafts.len());
        for step in 0..longest {
            let active = drafts.partition_point(|(_, draft)| draft.frame.places.len() > step);
            rows.truncate(active);
            let drafts = &mut drafts[..active];
            let given = |draft: &Draft, of: std::ops::Range<usize>| draft.given.get(of).map(<[u8]>::to_vec);
            let rhythms = model.rhythms();
            let entered = model.enter_bars(&views(drafts), step, &mut rows);
            let of_bar = |draft: &Draft| {
                given(draft, draft.frame.bars[draft.frame.blocks[step].0].clone())
                    .map(|steps| rhythms.bars.class(&steps))
            };
            decide(entered, drafts, 0, of_bar, sampling, rngs)?;
            let entered = model.enter_beats(&views(drafts), step, &mut rows);
            let of_beat = |draft: &Draft| {
                given(draft, draft.frame.beats[draft.frame.blocks[step].1].clone())
                    .map(|steps| rhythms.beats.class(&steps))
            };
            decide(entered, drafts, 1, of_beat, sampling, rngs)?;
            let mut logits = model.step(&views(drafts), step, &mut rows);
            for ((number, draft), logits) in drafts.iter_mut().zip(logits.chunks_exact_mut(OUTCOMES)) {
                let outcome = draft.next(logits, model.stored.melodies.outcomes, sampling, &mut rngs[*number])?;
                draft.take(outcome);
            }
            if progress((step + 1) as f64 / longest as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        drafts.sort_by_key(|(number, _)| *number);
        let finish = |((_, draft), intent): ((usize, Draft), Intent<'_>)| {
            let Draft { bars, upbeat, steps, .. } = draft;
            let melody = MelodySteps { grid: model.grid, bars, upbeat, steps };
            opening.finish(&melody, &intent, request, &model.stored.melodies)
        };
        Ok(drafts.into_iter().zip(intents).map(finish).collect())
    }
}

impl Judge for Player {
    fn kind(&self) -> Kind {
        self.model.settings.kind()
    }

    fn protocol(&self) -> String {
        protocol(&self.model.settings)
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let model = &self.model;
        let tune = Tune::of(piece, model.grid, model.rhythms());
        let judged = model.judge(std::slice::from_ref(&tune)).pop().unwrap_or_default();
        let mut figures = Evaluation { quarters: tune.quarters, ..Evaluation::default() };
        let mut moments = Vec::with_capacity(judged.len());
        for (step, judged) in judged.iter().enumerate() {
            judged.add_to(&mut figures);
            let at = Ticks(step as u64).rescale(model.grid, piece.ticks_per_quarter);
            moments.push(Moment { at, nats: judged.nats });
        }
        let is_adjusted = !model.stored.melodies.knows(&MelodySteps::of(piece, model.grid));
        Judgement { figures, moments, is_adjusted }
    }
}

impl Composer for Player {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Settings { bar, beat, hidden, .. } = self.model.settings;
        let layers = match (bar, beat) {
            (0, 0) => format!("an LSTM layer of {hidden} for steps"),
            _ => format!("LSTM layers of {bar} for bars, {beat} for beats and {hidden} for steps"),
        };
        let melodies = &self.model.stored.melodies;
        let (low, high) = melodies.range;
        let pitch = |key: u8| Pitch::try_from(key).map_or_else(|_| String::new(), |key| key.to_string());
        let rhythms = self.model.rhythms();
        let profiles = (rhythms.bars.len() + rhythms.beats.len() > 0)
            .then(|| ("profiles", format!("{} rhythms of bars, {} of beats", rhythms.bars.len(), rhythms.beats.len())));
        [
            ("network", format!("{layers}, {} parameters", self.model.parameters)),
            ("grid", format!("{} steps to a quarter note", self.model.grid.get())),
            ("pitches", format!("{} to {}", pitch(low), pitch(high))),
            ("metres", melodies.meters.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
        ]
        .into_iter()
        .chain(profiles)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        alone(self, request, rng, progress)
    }

    fn compose_all(
        &self,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let opening = &Beginning::of(request, &self.model.stored.melodies, self.model.grid);
        together(rngs, progress, |rngs, progress| self.write(opening, request, rngs, progress))
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
