//! What a trained generator says of itself, and the door to composing, which is in `writing.rs`.

use super::SPEC;
use super::band::Band;
use super::settings::{Generators, Own};
use cantus_model::adversarial::{Drawing, finished, meter};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Intent, ModelError, ModelFile, Progress, Prompt, Request, Rng,
    Sampling, home,
};
use cantus_score::{Family, Part, Program, Ticks};

/// A trained generator, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) drawing: Drawing<Band>,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { drawing: Drawing::load(file)? })
    }

    pub(super) fn band(&self) -> &Band {
        &self.drawing.duel
    }

    /// A part for each track. A prompt's instruments go on.
    fn parts(&self, prompt: Option<&Prompt>, rng: &mut Rng) -> Vec<Part> {
        let band = self.band();
        let programs = &band.ensembles[cantus_nn::random::below(rng, band.ensembles.len())];
        let heard = prompt.map(|prompt| (prompt.score(), Family::of(&prompt.score().parts)));
        let going_on = |family: Family| {
            let (score, families) = heard.as_ref()?;
            let number = families.iter().position(|other| *other == family)?;
            Some(score.parts[number].program())
        };
        let mut channels = (0..16).filter(|channel| *channel != Part::DRUM_CHANNEL);
        let part = |(track, program): (&cantus_encoding::phrases::Track, &u8)| {
            if track.is_drums() {
                return Part { name: Some("Drums".to_owned()), ..Part::of_drums() };
            }
            let program = going_on(track.family()).or(Program::new(*program)).unwrap_or_default();
            Part {
                name: Some(program.name().to_owned()),
                channel: channels.next().unwrap_or_default(),
                programs: vec![(Ticks::ZERO, program)],
                ..Part::default()
            }
        };
        band.layout.tracks().iter().zip(programs).map(part).collect()
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
        let Own { generators, width, noise, .. } = self.drawing.own;
        let band = self.band();
        let tracks: Vec<&str> = band.layout.tracks().iter().map(|track| track.family().name()).collect();
        let kind = match generators {
            Generators::Hybrid => "what they share and their own",
            Generators::Composer => "what they share",
            Generators::Jamming => "their own",
        };
        [
            (
                "network",
                format!(
                    "a generator for each track, {width} channels a step, out of noise: {kind}, {noise} numbers that stay and as many for the bars; \
                     {} parameters",
                    self.drawing.parameters
                ),
            ),
            ("tracks", tracks.join(", ")),
            ("grid", "4 steps to a quarter note, phrases of 4 bars".to_owned()),
            ("pitches", band.range()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let intent = Intent::of(self.drawing.habits.as_ref(), request, rng)?;
        let prompt = request.prompt();
        let meter = meter(&intent, prompt);
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let heard = prompt.map(|prompt| home(prompt.score()));
        let parts = self.parts(prompt, rng);
        let last = heard.as_ref().and_then(|(kept, _)| self.band().layout.phrases(kept, 1).pop());
        let score = self.write((bars, meter), request, last, parts, rng, progress)?;
        Ok(finished(score, &intent, request, self.band().range, heard.map_or(0, |(_, over)| over)))
    }
}
