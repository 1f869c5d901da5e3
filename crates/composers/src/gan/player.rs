//! Composing: phrases one after another, as they are drawn.

use super::{CELLS, LENGTH, NOTHING, Notebook, SPEC};
use cantus_encoding::phrases::GRID;
use cantus_model::adversarial::{Drawing, Duel, finished, meter};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Intent, ModelError, ModelFile, Progress, Prompt, Request, Rng,
    Sampling, home,
};
use cantus_score::{Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

/// Ticks to a quarter note of a composition, and to a step.
const FINE: TicksPerQuarter = TicksPerQuarter::new(96).unwrap();
const STEP: u64 = (FINE.get() / GRID.get()) as u64;
/// The pitch of the first class.
const LOWEST: u8 = 60;

/// A trained generator, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    drawing: Drawing<Notebook>,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { drawing: Drawing::load(file)? })
    }

    /// The logits of so many steps, drawn phrase by phrase.
    fn steps(&self, steps: usize, temperature: f32, rng: &mut Rng) -> Result<Vec<f32>, ComposeError> {
        let mut logits = Vec::with_capacity((steps + LENGTH) * CELLS);
        while logits.len() < steps * CELLS {
            let noise = (0..self.drawing.own.noise).map(|_| Notebook::draw(rng) * temperature).collect();
            logits.extend(self.drawing.logits(noise).ok_or(ComposeError::NoToken)?);
        }
        Ok(logits)
    }

    /// A piece of so many bars. Something begins in the last one.
    fn write(
        &self,
        (bars, meter): (usize, Meter),
        temperature: f32,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Score, ComposeError> {
        let length = meter.bar(FINE).0.max(1);
        let (last, end) = (length * (bars as u64 - 1), length * bars as u64);
        let logits = self.steps(end.div_ceil(STEP) as usize, temperature, rng)?;
        for bar in 0..bars {
            if progress((bar + 1) as f64 / bars as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        let mut begun: Vec<(u64, u8)> = Vec::new();
        for (step, logits) in (0u64..).zip(logits.chunks_exact(CELLS)).take_while(|(step, _)| step * STEP < end) {
            let sounding = (0..NOTHING as u8).filter(|class| logits[usize::from(*class)] > Notebook::THRESHOLD);
            begun.extend(sounding.map(|class| (step * STEP, class)));
        }
        if begun.last().is_none_or(|(at, _)| *at < last) {
            let step = last.div_ceil(STEP).min(end.div_ceil(STEP) - 1);
            let own = &logits[step as usize * CELLS..][..NOTHING];
            let likeliest = (0..NOTHING).max_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap_or(0);
            // Where a bar is shorter than a step, it begins with it.
            begun.push(((step * STEP).max(last), likeliest as u8));
        }
        let mut onsets: Vec<u64> = begun.iter().map(|(at, _)| *at).collect();
        onsets.dedup();
        let note = |(at, class): (u64, u8)| {
            let next = onsets.get(onsets.partition_point(|onset| *onset <= at)).copied().unwrap_or(end);
            let until = next.min(end).min(at + u64::from(FINE.get()));
            let pitch = Pitch::try_from(LOWEST + class).unwrap_or(Pitch::C4);
            Note { onset: Ticks(at), pitch, duration: Ticks(until - at), velocity: Velocity::DEFAULT }
        };
        let notes = begun.into_iter().map(note).collect();
        let mut score = Score { parts: vec![Part { notes, ..Part::default() }], ..Score::new(FINE) };
        score.meters.push((Ticks::ZERO, meter));
        Ok(score)
    }
}

impl Composer for Player {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling::default()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Drawing { own, parameters, .. } = &self.drawing;
        [
            (
                "network",
                format!(
                    "{} numbers of noise, a layer of {}, {LENGTH} steps of {CELLS} cells; {parameters} parameters",
                    own.noise, own.hidden
                ),
            ),
            ("grid", "4 steps to a quarter note; pitch classes that begin, in one octave".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let intent = Intent::of(self.drawing.habits.as_ref(), request, rng)?;
        let prompt = request.prompt();
        let meter = meter(&intent, prompt);
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let mut score = self.write((bars, meter), request.sampling.temperature as f32, rng, progress)?;
        let mut over = 0;
        if let Some(prompt) = prompt {
            (score, over) = (home(&score).0, home(prompt.score()).1);
        }
        Ok(finished(score, &intent, request, self.drawing.duel.range, over))
    }
}
