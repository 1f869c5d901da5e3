//! What composers of melodies share: what is kept of a corpus of tunes, and how a composition begins and ends.

use crate::habits::Intent;
use crate::{Baseline, Composition, Header, ModelError, Prompt, Request, TrainingSet, accentuate, home, ngram};
use cantus_encoding::TokenId;
use cantus_encoding::melody_steps::{MelodySteps, OUTCOMES, grid_of, pitch_of};
use cantus_encoding::note_chord::BarKind;
use cantus_score::{Meter, Score, Ticks, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What stands before the first step of a melody, beside the outcomes of a step.
pub const BEGINNING: u32 = OUTCOMES as u32;
/// What may be read of a step.
pub const READ: usize = OUTCOMES + 1;
/// Of more steps only those of every so many melodies are counted.
pub const MOST_COUNTED: usize = 8_000_000;

/// Counting models of melodies, given by their steps: each step from those before.
pub fn baselines(train: impl Iterator<Item = Vec<u8>>, valid: impl Iterator<Item = Vec<u8>>) -> Vec<Baseline> {
    let tokens =
        |steps: Vec<u8>| std::iter::once(BEGINNING).chain(steps.into_iter().map(u32::from)).map(TokenId).collect();
    ngram::baselines(&train.map(tokens).collect::<Vec<_>>(), &valid.map(tokens).collect::<Vec<_>>(), READ)
}

/// What a model file keeps of the melodies that were learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Melodies {
    /// Steps to a quarter note.
    pub grid: u32,
    /// The lowest and the highest pitch of the melodies in their own keys.
    pub range: (u8, u8),
    /// The same in the key without accidentals, as outcomes.
    pub outcomes: (u8, u8),
    /// The metres.
    pub meters: BTreeSet<String>,
}

impl Melodies {
    /// Those of a corpus, and their grid.
    pub fn of(set: &TrainingSet) -> (Melodies, TicksPerQuarter) {
        let grid = grid_of(set.all());
        let mut found = Melodies { grid: grid.get(), range: (127, 0), outcomes: (u8::MAX, 0), meters: BTreeSet::new() };
        for piece in set.all() {
            let (at_home, over) = home(&piece);
            let melody = MelodySteps::of(&at_home, grid);
            found.meters.extend(melody.bars.iter().map(|bar| bar.meter.to_string()));
            for outcome in melody.steps.iter().filter(|outcome| **outcome > 1) {
                found.outcomes = (found.outcomes.0.min(*outcome), found.outcomes.1.max(*outcome));
            }
            for note in melody.notes() {
                let pitch = (i32::from(note.pitch.get()) + over).clamp(0, 127) as u8;
                found.range = (found.range.0.min(pitch), found.range.1.max(pitch));
            }
        }
        (found, grid)
    }

    /// Out of the header of a model file, which keeps them under the name of the encoding.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], where they are damaged.
    pub fn read(header: &Header, encoding: &str) -> Result<Melodies, ModelError> {
        serde_json::from_value(header.encoding[encoding].clone())
            .map_err(|error| ModelError::Metadata { problem: error.to_string() })
    }

    /// The grid.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], where there is none like that.
    pub fn steps(&self) -> Result<TicksPerQuarter, ModelError> {
        let grid = TicksPerQuarter::new(self.grid).filter(|grid| grid.get() <= 96);
        grid.ok_or_else(|| ModelError::Metadata { problem: format!("a grid of {} steps to a quarter", self.grid) })
    }

    /// Whether the corpus has all pitches and metres of a melody in its own key.
    pub fn knows(&self, melody: &MelodySteps) -> bool {
        let (low, high) = self.range;
        let pitches = melody.steps.iter().filter_map(|outcome| pitch_of(*outcome));
        let has_pitches = pitches.into_iter().all(|pitch| (low..=high).contains(&pitch.get()));
        has_pitches && melody.bars.iter().all(|bar| self.meters.contains(&bar.meter.to_string()))
    }
}

/// What comes before what is written.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// The melody of a beginning, in the key without accidentals, and by how many semitones it lies over it.
    pub heard: Option<(MelodySteps, i32)>,
    /// How it was understood.
    pub remarks: Vec<String>,
}

impl Beginning {
    /// That of a request.
    pub fn of(request: &Request, melodies: &Melodies, grid: TicksPerQuarter) -> Beginning {
        let Some(prompt) = request.prompt() else { return Beginning::default() };
        let kept = prompt.score();
        let end = prompt.end_in(kept);
        let (at_home, over) = home(kept);
        let mut heard = MelodySteps::until(&at_home, end, grid);
        heard.upbeat = prompt.has_upbeat();
        let is_adjusted = !melodies.knows(&MelodySteps::until(kept, end, grid));
        let remarks = is_adjusted.then(|| Prompt::HEARD_NEAREST.to_owned()).into_iter().collect();
        Beginning { heard: Some((heard, over)), remarks }
    }

    /// All bars of the piece, those of the beginning among them, and whether the first one is an upbeat.
    pub fn bars(&self, intent: &Intent<'_>, request: &Request, grid: TicksPerQuarter) -> (Vec<BarKind>, bool) {
        let bar = |meter: Meter| {
            let steps = meter.bar(grid).0;
            BarKind { steps: u16::try_from(steps).unwrap_or(u16::MAX).max(1), meter }
        };
        let (mut bars, upbeat, meter) = match (&self.heard, request.prompt()) {
            (Some((heard, _)), Some(prompt)) => {
                // What follows keeps the prompt's last metre.
                let meter = prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter);
                (heard.bars.clone(), heard.upbeat, meter)
            }
            _ => {
                let pickup = intent.opening.and_then(|opening| opening.pickup);
                let bars: Vec<BarKind> = pickup.map(|pickup| bar(pickup.meter)).into_iter().collect();
                let upbeat = !bars.is_empty();
                (bars, upbeat, intent.meter().unwrap_or_default())
            }
        };
        let more = request.bars() - request.prompt().map_or(0, Prompt::bars);
        bars.extend(std::iter::repeat_n(bar(meter), more));
        (bars, upbeat)
    }

    /// A melody that was written, the beginning in it, as a composition in its key and tempo.
    pub fn finish(
        &self,
        melody: &MelodySteps,
        intent: &Intent<'_>,
        request: &Request,
        melodies: &Melodies,
    ) -> Composition {
        let mut composed: Score = melody.score();
        let remarks = self.remarks.clone();
        let (Some((heard, over)), Some(prompt)) = (&self.heard, request.prompt()) else {
            intent.finish(&mut composed, melodies.range);
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
