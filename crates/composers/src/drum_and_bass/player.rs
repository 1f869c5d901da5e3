//! Judging and composing with a trained network.

mod composing;

use super::SPEC;
use super::batch::{Batch, Noise};
use super::cells::{figures_of, mix, onset};
use super::network::Network;
use super::pattern::{CELLS, COLUMNS, GRID, Pattern, Piece, Rates, STEPS, products};
use super::section::Section;
use super::seq2seq::Writer;
use super::settings::Settings;
use burn::tensor::Device;
use cantus_model::frames::{FrameFigure, evaluation};
use cantus_model::{
    CheckedSettings, ComposeError, Composer, ComposerSpec, Composition, Evaluation, Expected, Habits, Joined, Judge,
    Judgement, Kind, ModelError, ModelFile, Moment, Progress, Request, Rng, Sampling, checkpoint, seeded,
};
use cantus_nn::params::values_of;
use cantus_nn::random::normal;
use cantus_score::{Pitch, Score, Ticks};
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;

/// Patterns that go through a network at once.
const AT_ONCE: usize = 64;

/// A trained network, ready to judge and to compose.
pub(super) struct Bassist {
    settings: Settings,
    section: Section,
    /// How often each cell begins: `[CELLS]`
    rates: Vec<f32>,
    network: Network,
    /// The network where it writes step by step.
    writer: Option<Writer>,
    habits: Option<Habits>,
    parameters: usize,
}

impl Bassist {
    /// Out of a model file, for the registry.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
        Ok(Box::new(Bassist::open(file)?))
    }

    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn open(file: &ModelFile) -> Result<Bassist, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings = Settings::read(&file.header.settings).map_err(metadata)?;
        let section: Section =
            serde_json::from_value(file.header.encoding["section"].clone()).map_err(|e| metadata(e.to_string()))?;
        section.check().map_err(metadata)?;
        let first = Network::new(&settings, &Rates::of([]), &mut seeded(0), &Device::flex());
        let network = checkpoint::restore(first, file)?;
        Ok(Bassist {
            writer: match &network {
                Network::Seq2seq(network) => Some(Writer::from(network)),
                _ => None,
            },
            rates: products(&section.steps, &section.shares),
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            network,
            settings,
            section,
        })
    }

    fn kind(&self) -> Kind {
        self.settings.network.kind()
    }

    fn batch(&self, patterns: &[Pattern]) -> Batch {
        Batch::of(patterns.to_vec(), self.settings.conditions)
    }

    /// Log-odds of all cells, where these are independent of one another given what is drawn from `noise`: `[B, CELLS]`; else none.
    fn logits(&self, batch: &Batch, noise: Option<&mut Rng>) -> Option<Vec<f32>> {
        let settings = &self.settings;
        let mut logits = values_of(match &self.network {
            Network::Fcnn(network) => network.logits(settings, batch, None),
            Network::Cnn(network) => network.logits(settings, batch, None),
            Network::LstmFcnn(network) => network.logits(settings, batch, None),
            Network::Pix2pix(network) => {
                let noise = noise.map(|rng| Noise { seed: rng.next_u64(), step: 0 });
                return Some(values_of(network.logits(settings, batch, noise)));
            }
            Network::Vae(network) => {
                return noise.map(|rng| network.drawn(settings, batch, || normal(rng)));
            }
            Network::Seq2seq(_) => return None,
        });
        mix(&mut logits, &self.rates, settings.counted);
        Some(logits)
    }

    /// All steps of patterns; of a network without likelihood the distance of each.
    fn judge_patterns(&self, patterns: &[Pattern]) -> Vec<Vec<FrameFigure>> {
        let judge = |patterns: &[Pattern]| -> Vec<Vec<FrameFigure>> {
            if let Some(writer) = &self.writer {
                return patterns
                    .iter()
                    .map(|pattern| writer.judge(&self.batch(std::slice::from_ref(pattern))).0)
                    .collect();
            }
            let batch = self.batch(patterns);
            if let Network::Vae(network) = &self.network {
                return network.judge(&self.settings, &batch);
            }
            let logits = self.logits(&batch, None).unwrap_or_default();
            let figures = logits.chunks_exact(CELLS).zip(patterns).map(|(logits, pattern)| {
                let mut figures = figures_of(logits, pattern);
                if self.kind() == Kind::Surrogate {
                    // |x - p| of all cells: the share of each side that is not in the other.
                    let cells = logits.chunks_exact(COLUMNS).zip(&mut figures);
                    cells.for_each(|(logits, figure)| figure.nats = distance(logits, figure));
                }
                figures
            });
            figures.collect()
        };
        patterns.par_chunks(AT_ONCE).flat_map_iter(judge).collect()
    }

    /// The figures of all steps of each piece.
    pub(super) fn judge_pieces(&self, pieces: &[Piece]) -> Vec<Vec<FrameFigure>> {
        let patterns: Vec<Pattern> = pieces.iter().flat_map(|piece| piece.patterns.iter().cloned()).collect();
        let mut figures = self.judge_patterns(&patterns).into_iter();
        pieces.iter().map(|piece| figures.by_ref().take(piece.patterns.len()).flatten().collect()).collect()
    }

    /// How likely it is that something begins at each step of a pattern: `[STEPS]`
    fn onsets(&self, patterns: &[Pattern]) -> Vec<f64> {
        let batch = self.batch(patterns);
        match (&self.network, &self.writer) {
            (Network::Vae(network), _) => network.onsets(&self.settings, &batch),
            (_, Some(writer)) => {
                let of = |pattern: &Pattern| {
                    let (_, mut onsets) = writer.judge(&self.batch(std::slice::from_ref(pattern)));
                    onsets.resize(STEPS, 0.0);
                    onsets
                };
                patterns.iter().flat_map(of).collect()
            }
            _ => self.logits(&batch, None).unwrap_or_default().chunks_exact(COLUMNS).map(onset).collect(),
        }
    }
}

/// The distance of a step's cells from their probabilities: `sum |x - p| = sum x + sum p - 2 sum x p`.
fn distance(logits: &[f32], figure: &FrameFigure) -> f64 {
    let expected: f64 = logits.iter().map(|z| 1.0 / (1.0 + f64::from(-z).exp())).sum();
    // union = sum x + sum p - sum x p
    let begun = figure.union - expected + figure.hits;
    (begun + expected - 2.0 * figure.hits).max(0.0)
}

/// What counts, in a sentence.
pub(super) fn protocol(kind: Kind) -> String {
    let figure = match kind {
        Kind::Surrogate => "no likelihood, but the distance of all cells from what was made of the drums",
        _ => "all cells of the bass, 36 to a thirty-second, counted from its lowest note; lengths are not said",
    };
    format!(
        "{figure}; drums, the register, other instruments and metre are given; mean over steps; right: the mean accuracy of a step"
    )
}

/// The evaluation of a piece.
pub(super) fn counted(figures: &[FrameFigure]) -> Evaluation {
    Evaluation { beside: None, ..evaluation(figures, figures.len() as f64 / f64::from(GRID.get())) }
}

impl Judge for Bassist {
    fn kind(&self) -> Kind {
        Bassist::kind(self)
    }

    fn protocol(&self) -> String {
        protocol(self.kind())
    }

    fn judge(&self, score: &Score) -> Judgement {
        let Some(piece) = Piece::read(score) else {
            let figures = Evaluation { beside: None, ..Evaluation::default() };
            return Judgement { figures, moments: Vec::new(), is_adjusted: false };
        };
        let figures: Vec<FrameFigure> = self.judge_patterns(&piece.patterns).concat();
        let at = |step: usize| Ticks(step as u64 * u64::from(score.ticks_per_quarter.get()) / u64::from(GRID.get()));
        let steps = piece.patterns.iter().flat_map(|pattern| pattern.steps.clone());
        let moments = steps.zip(&figures).map(|(step, figure)| Moment { at: at(step), nats: figure.nats }).collect();
        Judgement { figures: counted(&figures), moments, is_adjusted: !piece.is_exact }
    }
}

impl Composer for Bassist {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling::default()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Settings { network, hidden, layers, .. } = &self.settings;
        let name = |pitch: Option<&u8>| {
            pitch.and_then(|pitch| Pitch::try_from(*pitch).ok()).map_or_else(String::new, |pitch| pitch.to_string())
        };
        let registers = (self.section.lowest.keys().next(), self.section.lowest.keys().next_back());
        let which = serde_json::to_value(network).unwrap_or_default();
        let which = which.as_str().unwrap_or_default();
        [
            ("network", format!("{which}, {layers} layers, {hidden} units, {} parameters", self.parameters)),
            ("writes", Joined::Bass.name().to_owned()),
            ("lowest notes", format!("{} to {}", name(registers.0), name(registers.1))),
            ("grid", format!("{GRID} steps a quarter", GRID = GRID.get())),
            ("metre", self.section.meter().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn joins(&self) -> Option<Joined> {
        Some(Joined::Bass)
    }

    fn expects(&self, score: &Score) -> Option<Expected> {
        let Piece { patterns, .. } = Piece::read(score)?;
        let all = self.onsets(&patterns);
        let onsets = patterns.iter().zip(all.chunks_exact(STEPS));
        Some(Expected {
            onsets: onsets.flat_map(|(pattern, onsets)| onsets[..pattern.steps.len()].to_vec()).collect(),
            latent: match &self.network {
                Network::Vae(network) => Some(network.latent_nats(&self.settings, &self.batch(&patterns))),
                _ => None,
            },
        })
    }

    fn judge(&self) -> Option<&dyn Judge> {
        // A distance is no likelihood.
        (self.kind() != Kind::Surrogate).then_some(self as &dyn Judge)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        match request.given.as_ref().filter(|given| given.is_to_be_joined()) {
            Some(given) => self.joined(given.score(), &request.controls, &request.sampling, rng, progress),
            None => self.alone(request, rng, progress),
        }
    }
}
