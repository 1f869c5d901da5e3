//! Composers whose melodies have codes: a Gaussian for each section of some bars. Between codes there are others, and so between pieces;
//! beside a code there are others, and so variations.
//!
//! Source: A. Roberts et al., "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music", ICML 2018,
//! arXiv:1803.05428v5, sections 6.2 (interpolation) and 6.3 (attribute vectors).

mod aspect;
mod blend;
mod vary;

pub use aspect::Aspect;
pub use blend::{SAMPLING as BLENDING, Way, blend};
pub use vary::{AMOUNT, SAMPLING as VARYING, Wish, vary};

use crate::{ComposeError, Progress, Rng, Sampling, seeded};
use cantus_encoding::melody_steps::{MelodySteps, left_out};
use cantus_encoding::note_chord::BarKind;
use cantus_nn::random::below;
use cantus_score::{Score, TicksPerQuarter, Unpitched};
use serde::Serialize;
use std::ops::Range;

/// Bars of a section.
pub const SECTION: usize = 2;
/// Bars of a piece at the most: a silence of days in a file is not written out step by step.
const MOST_BARS: usize = 10_000;

/// What a composer can do with codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Write what lies between two pieces.
    Blend,
    /// Write variations of a piece.
    Vary,
}

impl Ability {
    /// What it is called in a sentence.
    pub const fn verb(self) -> &'static str {
        match self {
            Ability::Blend => "blend pieces",
            Ability::Vary => "vary a piece",
        }
    }
}

/// What a section says, as a Gaussian whose numbers are independent of one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Code {
    /// The means.
    pub mean: Vec<f32>,
    /// The logarithms of the variances.
    pub log_variance: Vec<f32>,
}

/// How much codes say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeUse {
    /// How many numbers of a code say something: see [`cantus_nn::gaussian::Use::active`].
    pub active: usize,
    /// How many there are.
    pub size: usize,
    /// Nats of a code, in the mean.
    pub nats: f64,
}

/// A melody with the codes of its sections.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The melody, in the key without accidentals.
    pub melody: MelodySteps,
    /// By how many semitones the piece lies over it.
    pub over: i32,
    /// The steps of each section.
    pub sections: Vec<Range<usize>>,
    /// The code of each.
    pub codes: Vec<Code>,
}

/// A melody that is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// The bars.
    pub bars: Vec<BarKind>,
    /// Whether the first of them is an upbeat.
    pub upbeat: bool,
    /// The code of each section.
    pub codes: Vec<Vec<f32>>,
    /// What happens at the first steps; of the others nothing is given.
    pub given: Vec<Option<u8>>,
    /// Outcomes that are likelier than the network finds, at each step, by so many nats, or less likely; as far as it goes.
    pub leaning: Vec<[(u8, f32); 2]>,
    /// The earlier section that a section repeats, where it does; as far as it goes.
    pub again: Vec<Option<usize>>,
    /// Whether the last bar is to begin with a note.
    pub closes: bool,
}

/// A composer of melodies that have codes.
pub trait Latent: Sync {
    /// Steps to a quarter note.
    fn grid(&self) -> TicksPerQuarter;

    /// The codes of a melody's sections, each as if it were alone.
    fn codes(&self, melody: &MelodySteps) -> Vec<Code>;

    /// The melody of a piece, and the codes of its sections.
    fn encode(&self, piece: &Score) -> Coded;

    /// What happens at each step of these melodies: each is what it would be alone. `progress` is told the share that is written.
    ///
    /// # Errors
    /// [`ComposeError`], where the model gives no number or `progress` says to stop.
    fn decode(
        &self,
        sketches: &[Sketch],
        sampling: &Sampling,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ComposeError>;
}

/// The melody of a piece with its codes.
fn coded(latent: &dyn Latent, piece: &Score) -> Result<Coded, ComposeError> {
    if let Some(unpitched) = Unpitched::of(piece) {
        return Err(ComposeError::Unpitched(unpitched));
    }
    let bars = piece.bar_count();
    if bars > MOST_BARS {
        return Err(ComposeError::Bars { bars, most: MOST_BARS });
    }
    Ok(latent.encode(piece))
}

/// Says that a piece is more than its melody.
fn melody_only(piece: &Score) -> Option<String> {
    let left = left_out(piece);
    let title = piece.title.as_ref().map_or_else(|| "a piece".to_owned(), |title| format!("`{title}`"));
    (left > 0).then(|| format!("of {title} the melody alone is taken: {left} other notes are left out"))
}

/// So many generators that follow from one.
fn split(rng: &mut Rng, count: usize) -> Vec<Rng> {
    (0..count).map(|_| seeded(below(rng, 1 << 52) as u64)).collect()
}
