//! Composing from nothing, or after a beginning: bars, codes, notes.

use super::SPEC;
use super::player::Player;
use super::tune::BARS;
use cantus_encoding::melody_steps::{MelodySteps, sections};
use cantus_encoding::note_chord::BarKind;
use cantus_model::latent::{Latent, Sketch};
use cantus_model::{
    Chart, ComposeError, Composer, ComposerSpec, Composition, Intent, Judge, Progress, Prompt, Request, Rng, Sampling,
    accentuate, alone, home, together,
};
use cantus_nn::random::normal;
use cantus_score::{Meter, Score, Ticks};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 0.8, top_k: 0, top_p: 0.95 };

/// What comes before what is written.
#[derive(Clone, Debug, Default)]
struct Opening {
    /// The melody of a beginning, in the key without accidentals, and by how many semitones it lies over it.
    heard: Option<(MelodySteps, i32)>,
    remarks: Vec<String>,
}

impl Player {
    fn open(&self, request: &Request) -> Opening {
        let Some(prompt) = request.prompt() else { return Opening::default() };
        let kept = prompt.score();
        let end = prompt.end_in(kept);
        let (at_home, over) = home(kept);
        let mut heard = MelodySteps::until(&at_home, end, self.model.grid);
        heard.upbeat = prompt.has_upbeat();
        let is_adjusted = !self.knows(&MelodySteps::until(kept, end, self.model.grid));
        let remarks = is_adjusted.then(|| Prompt::HEARD_NEAREST.to_owned()).into_iter().collect();
        Opening { heard: Some((heard, over)), remarks }
    }

    /// So long is a bar of a metre.
    fn bar(&self, meter: Meter) -> BarKind {
        let steps = meter.bar(self.model.grid).0;
        BarKind { steps: u16::try_from(steps).unwrap_or(u16::MAX).max(1), meter }
    }

    /// What is known of a piece before it is written; its codes are still to come.
    fn sketch(&self, opening: &Opening, intent: &Intent<'_>, request: &Request) -> Sketch {
        let mut sketch = Sketch { closes: true, ..Sketch::default() };
        let meter = match (&opening.heard, request.prompt()) {
            (Some((heard, _)), Some(prompt)) => {
                sketch.bars.clone_from(&heard.bars);
                sketch.upbeat = heard.upbeat;
                sketch.given = heard.steps.iter().map(|outcome| Some(*outcome)).collect();
                // What follows keeps the prompt's last metre.
                prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter)
            }
            _ => {
                let pickup = intent.opening.and_then(|opening| opening.pickup);
                sketch.bars.extend(pickup.map(|pickup| self.bar(pickup.meter)));
                sketch.upbeat = !sketch.bars.is_empty();
                intent.meter().unwrap_or_default()
            }
        };
        let more = request.bars() - request.prompt().map_or(0, Prompt::bars);
        sketch.bars.extend(std::iter::repeat_n(self.bar(meter), more));
        sketch
    }

    /// The codes of a sketch: those of what is given, and others that go on from them.
    fn code(&self, opening: &Opening, sketch: &mut Sketch, temperature: f64, rng: &mut Rng) {
        let count = sections(&sketch.bars, sketch.upbeat, BARS).len();
        let known = opening.heard.as_ref().map_or_else(Vec::new, |(heard, _)| {
            // A section of which a part is given is still to be found.
            let whole = sections(&heard.bars, heard.upbeat, BARS);
            let mut codes = self.codes(heard);
            if whole.last().is_some_and(|last| last.len() < BARS) {
                codes.pop();
            }
            codes.into_iter().map(|code| code.mean).collect()
        });
        let size = self.model.settings.code;
        sketch.again = vec![None; known.len()];
        match &self.model.paths {
            Some(paths) => {
                let drawn = paths.draw(&known, count, temperature, rng);
                sketch.again.extend(drawn.iter().map(|next| next.again));
                sketch.codes = known.into_iter().chain(drawn.into_iter().map(|next| next.code)).collect();
            }
            None => {
                let others = count.saturating_sub(known.len());
                sketch.codes = known;
                sketch.codes.extend((0..others).map(|_| (0..size).map(|_| normal(rng)).collect::<Vec<f32>>()));
            }
        }
    }

    fn write(
        &self,
        opening: &Opening,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let (mut intents, mut sketches) = (Vec::with_capacity(rngs.len()), Vec::with_capacity(rngs.len()));
        for rng in rngs.iter_mut() {
            let intent = Intent::of(self.model.habits.as_ref(), request, rng)?;
            let mut sketch = self.sketch(opening, &intent, request);
            self.code(opening, &mut sketch, request.sampling.temperature, rng);
            intents.push(intent);
            sketches.push(sketch);
        }
        let written = self.decode(&sketches, &request.sampling, rngs, progress)?;
        let finish = |((steps, sketch), intent): ((Vec<u8>, Sketch), Intent<'_>)| {
            let Sketch { bars, upbeat, .. } = sketch;
            let melody = MelodySteps { grid: self.model.grid, bars, upbeat, steps };
            self.finish(&melody, &intent, opening, request)
        };
        Ok(written.into_iter().zip(sketches).zip(intents).map(finish).collect())
    }

    fn finish(&self, melody: &MelodySteps, intent: &Intent<'_>, opening: &Opening, request: &Request) -> Composition {
        let mut composed: Score = melody.score();
        let remarks = opening.remarks.clone();
        let (Some((heard, over)), Some(prompt)) = (&opening.heard, request.prompt()) else {
            intent.finish(&mut composed, self.model.stored.range);
            accentuate(&mut composed, Ticks::ZERO);
            composed.parts[0].name = Some("Melody".to_owned());
            return Composition::new(composed, remarks);
        };
        composed = composed.transposed(*over).unwrap_or(composed);
        let from = Ticks(heard.steps.len() as u64);
        accentuate(&mut composed, from);
        Composition::new(prompt.join(&composed, from), remarks)
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
        let settings = &self.model.settings;
        let network = format!(
            "a code of {} numbers for every {BARS} bars, LSTMs of 2 x {} and {} x {}, {} parameters",
            settings.code, settings.heard, settings.layers, settings.hidden, self.model.parameters
        );
        let (low, high) = self.model.stored.range;
        let pitch = |key: u8| cantus_score::Pitch::try_from(key).map_or_else(|_| String::new(), |key| key.to_string());
        let meters = self.model.stored.meters.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let grid = format!("{} steps to a quarter note", self.model.grid.get());
        let told = [
            ("network", network),
            ("grid", grid),
            ("pitches", format!("{} to {}", pitch(low), pitch(high))),
            ("metres", meters),
        ];
        let code = self.model.used.as_ref().map(|(nats, active)| {
            let sum: f32 = nats.iter().sum();
            ("code", format!("{active} of {} numbers say something, {sum:.1} nats a section", settings.code))
        });
        told.into_iter().chain(code).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn charts(&self) -> Vec<Chart> {
        let chart = |(nats, active): &(Vec<f32>, usize)| {
            let mut nats = nats.clone();
            nats.sort_by(|a, b| b.total_cmp(a));
            Chart {
                name: "code",
                title: format!("Nats of each number of a code, of the validation pieces; {active} say something"),
                axis: "numbers of the code, from the most to the least".to_owned(),
                bars: nats.iter().enumerate().map(|(k, nats)| (format!("{}", k + 1), f64::from(*nats))).collect(),
            }
        };
        self.model.used.iter().map(chart).collect()
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
        let opening = &self.open(request);
        together(rngs, progress, |rngs, progress| self.write(opening, request, rngs, progress))
    }

    fn latent(&self) -> Option<&dyn Latent> {
        (self.model.settings.code > 0).then_some(self)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
