//! What a model knows of its corpus, and how its networks play against one another.

use super::SPEC;
use super::network::{Generator, critic_sizes, noise, view, viewed};
use super::settings::Own;
use burn::tensor::{Device, Tensor};
use cantus_encoding::phrases::{GRID, LENGTH, Layout, Phrase};
use cantus_model::adversarial::Duel;
use cantus_model::checks::{at_most, within};
use cantus_model::{ComposerSpec, CreateError, Rng, TrainingSet, home};
use cantus_nn::critic::{Critic, binary};
use cantus_nn::random::normal;
use cantus_score::{Family, Pitch, Program, Score};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// From one phrase of a piece to the next, in bars.
const EVERY: usize = 2;
/// Pieces with so many tracks are learnt from, where there are any.
const ENOUGH: usize = 3;
/// Choices of instruments that are kept.
const ENSEMBLES: usize = 48;

/// What a model knows of its corpus.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Band {
    /// The tracks, in the key without accidentals.
    pub layout: Layout,
    /// The program of each track, as pieces have them together.
    pub ensembles: Vec<Vec<u8>>,
    /// The lowest and the highest pitch in the pieces' own keys.
    pub range: (u8, u8),
    /// So many tracks a piece has that is learnt from.
    least: usize,
}

/// The families that have notes.
fn families(piece: &Score) -> BTreeSet<Family> {
    let families = piece.parts.iter().zip(Family::of(&piece.parts));
    families.filter(|(part, _)| !part.notes.is_empty()).map(|(_, family)| family).collect()
}

/// The commonest program of each track.
fn ensemble(piece: &Score, layout: &Layout) -> Vec<u8> {
    let families = Family::of(&piece.parts);
    let program = |family: Family| {
        let mut notes: BTreeMap<Program, usize> = BTreeMap::new();
        let parts = piece.parts.iter().zip(&families).filter(|(_, other)| **other == family);
        parts.for_each(|(part, _)| *notes.entry(part.program()).or_default() += part.notes.len());
        notes.into_iter().max_by_key(|(_, count)| *count).map_or(usual(family), |(program, _)| program.get())
    };
    layout.tracks().iter().map(|track| program(track.family())).collect()
}

/// The program of a family that a piece does not have.
fn usual(family: Family) -> u8 {
    match family {
        Family::Drums | Family::Keys => 0,
        Family::Guitar => 27,
        Family::Bass => 33,
        Family::Rest => 48,
    }
}

impl Duel for Band {
    type Own = Own;
    type Generator = Generator;
    type Critic = Critic;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn check_settings(own: &Own) -> Result<(), String> {
        within("width", own.width, 1, 1024)?;
        within("noise", own.noise, 1, 1024)?;
        at_most("penalty", f64::from(own.penalty), 1e6)
    }

    fn of(set: &TrainingSet, _: &Own) -> Result<Band, CreateError> {
        let most = |pieces: &cantus_model::Pieces| pieces.iter().map(|piece| families(&piece).len()).max().unwrap_or(0);
        // Both sides have such pieces.
        let least = ENOUGH.min(most(&set.train)).min(most(&set.valid)).max(1);
        let fits = |piece: &Score| families(piece).len() >= least;
        let moved: Vec<Score> = set.train.iter().filter(|piece| fits(piece)).map(|piece| home(&piece).0).collect();
        let layout = Layout::of(&moved);
        let mut ensembles: Vec<Vec<u8>> = moved.iter().map(|piece| ensemble(piece, &layout)).collect();
        let every = ensembles.len().div_ceil(ENSEMBLES).max(1);
        ensembles = ensembles.into_iter().step_by(every).collect();
        Ok(Band { layout, ensembles, range: set.range(), least })
    }

    fn check(&self) -> Result<(), String> {
        self.layout.check()?;
        let is_sound = |programs: &Vec<u8>| {
            programs.len() == self.layout.tracks().len() && programs.iter().all(|program| *program < 128)
        };
        if self.ensembles.is_empty() || !self.ensembles.iter().all(is_sound) {
            return Err("the instruments are damaged".to_owned());
        }
        Ok(())
    }

    fn phrases(&self, piece: &Score) -> Vec<Phrase> {
        if families(piece).len() < self.least { Vec::new() } else { self.layout.phrases(&home(piece).0, EVERY) }
    }

    fn cells(&self) -> usize {
        self.layout.cells()
    }

    fn quarters(&self) -> f64 {
        (LENGTH / GRID.get() as usize) as f64
    }

    fn statistics(&self, cells: &[bool]) -> Vec<f32> {
        self.layout.statistics(cells)
    }

    fn generator(&self, own: &Own, rng: &mut Rng, device: &Device) -> Generator {
        Generator::new(own, &self.layout, rng, device)
    }

    fn critic(&self, own: &Own, rng: &mut Rng, device: &Device) -> Critic {
        Critic::new(&critic_sizes(own, &self.layout), viewed(&self.layout), 0, rng, device)
    }

    fn noise(&self, own: &Own) -> usize {
        noise(own, self.layout.tracks().len())
    }

    fn draw(rng: &mut Rng) -> f32 {
        normal(rng)
    }

    fn logits(&self, _: &Own, generator: &Generator, noise: Tensor<2>) -> Tensor<2> {
        generator.logits(noise)
    }

    fn shown(logits: Tensor<2>) -> Tensor<2> {
        binary(logits)
    }

    fn critic_loss(&self, own: &Own, critic: &Critic, real: Tensor<2>, made: Tensor<2>, shares: Vec<f32>) -> Tensor<1> {
        let view = view(&self.layout, &real.device());
        critic.loss(real, made, shares, view.as_ref(), own.penalty).0
    }

    fn generator_loss(&self, _: &Own, critic: &Critic, made: Tensor<2>) -> Tensor<1> {
        let view = view(&self.layout, &made.device());
        critic.forward(made, view.as_ref()).value.mean().neg()
    }
}

impl Band {
    /// The range in words.
    pub(super) fn range(&self) -> String {
        let name = |pitch: u8| Pitch::try_from(pitch).map_or_else(|_| String::new(), |pitch| pitch.to_string());
        format!("{} to {}", name(self.range.0), name(self.range.1))
    }
}
