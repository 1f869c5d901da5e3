//! Judging and composing with a trained network.

mod composing;
mod recall;

use super::chain::{Conditionals, Direction};
use super::lines::{Lines, Place, Told, bar_starts, places};
use super::trained::Trained;
use super::walk::Walk;
use super::{Corpus, SPEC, Settings};
use cantus_encoding::voice_lines;
use cantus_encoding::voices::VOICES;
use cantus_model::choir::{Choir, is_same};
use cantus_model::{
    CheckedSettings, ComposeError, Composer, ComposerSpec, Composition, Evaluation, Habits, Judge, Judgement, Kind,
    Length, ModelError, ModelFile, Moment, Progress, Request, Rng, Sampling, checkpoint,
};
use cantus_nn::cross_entropy::argmax;
use cantus_score::{Score, Ticks};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A trained network, ready to judge and to compose.
pub(super) struct DeepBach {
    network: Trained,
    choir: Choir,
    attacks: bool,
    phrases: BTreeMap<u32, u32>,
    habits: Option<Habits>,
    parameters: usize,
}

/// What the network gives to a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SiteFigure {
    pub nats: f64,
    pub is_right: bool,
}

impl DeepBach {
    /// Out of a model file, for the registry.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
        Ok(Box::new(DeepBach::open(file)?))
    }

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn open(file: &ModelFile) -> Result<DeepBach, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let Corpus { choir, attacks, phrases } = serde_json::from_value(file.header.encoding["voice_lines"].clone())
            .map_err(|error| metadata(error.to_string()))?;
        choir.check().map_err(metadata)?;
        Ok(DeepBach {
            network: Trained::open(file, settings, &choir)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            choir,
            attacks,
            phrases,
        })
    }

    /// Figures for all sites of each piece, step by step, the soprano first; neither fermatas nor the key are told.
    pub(super) fn judge_pieces(&self, pieces: Vec<(Lines, Vec<Place>)>) -> Vec<Vec<SiteFigure>> {
        let judge = |(lines, places): (Lines, Vec<Place>)| {
            let sites = lines.sites().to_vec();
            let steps = 0..lines.len();
            let mut walk = Walk::new(&self.network, lines, Told { places, ..Told::default() }, steps.clone());
            walk.turn(Direction::Forward);
            let mut figures = Vec::with_capacity(VOICES * sites.len());
            for step in steps {
                walk.reach(step);
                for (voice, symbol) in sites[step].iter().enumerate() {
                    let (logarithms, symbol) = (walk.logarithms(step, voice), symbol.index());
                    let (nats, is_right) = (-f64::from(logarithms[symbol]), argmax(logarithms) == Some(symbol));
                    figures.push(SiteFigure { nats, is_right });
                }
            }
            figures
        };
        pieces.into_par_iter().map(judge).collect()
    }
}

/// Which sites count, in a sentence.
pub(super) fn protocol() -> String {
    "all sites of each piece, in its own key, each given all others; a site is a voice at one step: a pitch that begins, hold, or a rest; \
     fermatas and key are not told; mean over sites"
        .to_owned()
}

/// The evaluation of a piece.
pub(super) fn counted(figures: &[SiteFigure], steps_per_quarter: u32) -> Evaluation {
    Evaluation {
        nats: figures.iter().map(|figure| figure.nats).sum(),
        tokens: figures.len() as f64,
        quarters: figures.len() as f64 / (VOICES as f64 * f64::from(steps_per_quarter)),
        correct: figures.iter().filter(|figure| figure.is_right).count() as f64,
        beside: None,
    }
}

impl Judge for DeepBach {
    fn kind(&self) -> Kind {
        Kind::PseudoLikelihood
    }

    fn protocol(&self) -> String {
        protocol()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let sites = voice_lines::read(piece, self.attacks);
        let (grid, is_adjusted) = (piece.ticks_per_quarter, !is_same(piece, &voice_lines::chords(&sites)));
        let places = places(&bar_starts(piece, grid, sites.len()), sites.len(), grid);
        let figures = self.judge_pieces(vec![(Lines::new(sites), places)]).swap_remove(0);
        let moment = |(k, figure): (usize, &SiteFigure)| Moment { at: Ticks((k / VOICES) as u64), nats: figure.nats };
        let moments = figures.iter().enumerate().map(moment).collect();
        Judgement { figures: counted(&figures, self.choir.steps_per_quarter), moments, is_adjusted }
    }
}

impl Composer for DeepBach {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Settings { hidden, layers, units, separate, sweeps, .. } = *self.network.settings();
        let whose = if separate { "each voice" } else { "all voices" };
        let phrases: u32 = self.phrases.values().sum();
        let usual = self.phrases.iter().max_by_key(|(_, count)| **count);
        let phrases = usual.map_or_else(
            || "none found".to_owned(),
            |(quarters, count)| {
                format!("{:.0}% of {quarters} quarters", 100.0 * f64::from(*count) / f64::from(phrases))
            },
        );
        [
            (
                "network",
                format!(
                    "for {whose} {layers} LSTM layers of {hidden} in each direction, {units} units, {} parameters",
                    self.parameters
                ),
            ),
            ("voices", self.choir.describe()),
            ("sweeps", format!("each site is drawn {sweeps} times")),
            ("phrases", phrases),
            ("grid", format!("{} steps a quarter", self.choir.steps_per_quarter)),
            ("metre", self.choir.meter.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        match (request.length, &request.given) {
            (Length::AsGiven, Some(given)) => self.arranged(given, request, rng, progress),
            _ => self.composed(request, rng, progress),
        }
    }
}
