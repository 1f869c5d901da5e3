//! Composing from nothing, or after a beginning: bars, codes, notes.

use super::SPEC;
use super::player::Player;
use super::tune::BARS;
use cantus_encoding::melody_steps::{MelodySteps, sections};
use cantus_model::latent::{Latent, Sketch};
use cantus_model::melodies::Beginning;
use cantus_model::{
    Chart, ComposeError, Composer, ComposerSpec, Composition, Intent, Judge, Progress, Request, Rng, Sampling, alone,
    together,
};
use cantus_nn::random::normal;

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 0.8, top_k: 0, top_p: 0.95 };

impl Player {
    /// What is known of a piece before it is written; its codes are still to come.
    fn sketch(&self, opening: &Beginning, intent: &Intent<'_>, request: &Request) -> Sketch {
        let (bars, upbeat) = opening.bars(intent, request, self.model.grid);
        let given = opening.heard.iter().flat_map(|(heard, _)| &heard.steps).map(|outcome| Some(*outcome)).collect();
        Sketch { closes: true, bars, upbeat, given, ..Sketch::default() }
    }

    /// The codes of a sketch: those of what is given, and others that go on from them.
    fn code(&self, opening: &Beginning, sketch: &mut Sketch, temperature: f64, rng: &mut Rng) {
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
        opening: &Beginning,
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
            opening.finish(&melody, &intent, request, &self.model.stored)
        };
        Ok(written.into_iter().zip(sketches).zip(intents).map(finish).collect())
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
        let opening = &Beginning::of(request, &self.model.stored, self.model.grid);
        together(rngs, progress, |rngs, progress| self.write(opening, request, rngs, progress))
    }

    fn latent(&self) -> Option<&dyn Latent> {
        (self.model.settings.code > 0).then_some(self)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
