//! What a run writes about itself: its description, and a line of figures for each epoch.

use crate::doctor::{Remark, Trial};
use crate::schedule::Bounds;
use cantus_model::{Baseline, CorpusCard, Evaluation, Kind, Settings, Unit, of_notes};
use serde::{Deserialize, Serialize};

/// A run, as `run.json` keeps it: all that is needed to begin it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDescription {
    /// The composer.
    pub composer: String,
    /// Its configuration's name.
    pub configuration: String,
    /// Its settings, changes included.
    pub settings: Settings,
    /// The seed.
    pub seed: u64,
    /// Where the music lies.
    pub data: std::path::PathBuf,
    /// How it is read.
    pub options: cantus_corpus::Options,
    /// What was found there.
    pub corpus: CorpusCard,
    /// What the model is called that it goes on from, a copy of which lies in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What ends the training.
    pub bounds: Bounds,
    /// Whether the doctor acts on what it finds; otherwise it only says so.
    #[serde(default = "yes")]
    pub doctor: bool,
    /// Whether the model file is stored in 16 bits.
    pub half: bool,
    /// Counting models on the validation tokens.
    pub baselines: Vec<Baseline>,
    /// What kind of figure the nats are.
    pub likelihood: Kind,
    /// What is predicted at once: wherever figures say "token", it stands for this.
    #[serde(default)]
    pub unit: Unit,
    /// Which tokens count.
    pub protocol: String,
    /// Number of parameters.
    pub parameters: usize,
    /// The program that began it.
    pub created_by: String,
}

fn yes() -> bool {
    true
}

impl RunDescription {
    /// What the nats are, for a headline: the unit, and the kind where it is not the model's probability itself.
    pub fn loss(&self) -> String {
        match self.likelihood {
            Kind::Exact => format!("loss (nats per {})", self.unit),
            Kind::None => Kind::None.to_string(),
            kind => format!("loss (nats per {}, {kind})", self.unit),
        }
    }
}

/// Figures of a set of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Nats per token.
    #[serde(deserialize_with = "number_or_nan")]
    pub nats_per_token: f64,
    /// Nats per quarter note.
    #[serde(deserialize_with = "number_or_nan")]
    pub nats_per_quarter: f64,
    /// Nats per quarter note of the notes themselves, where these can be told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_quarter_of_notes: Option<f64>,
    /// Share of tokens predicted right, 0-1.
    #[serde(deserialize_with = "number_or_nan")]
    pub accuracy: f64,
}

impl Figures {
    /// In words, as figures of that kind: `1.234 nats per token, 4.321 per quarter note (exact), 56.7% right`.
    pub fn told(&self, kind: Kind, unit: Unit) -> String {
        let told = format!("{:.3} {}", self.nats_per_token, kind.measure(unit));
        if kind == Kind::None {
            return format!("{told} ({kind})");
        }
        format!(
            "{told}, {:.3} per quarter note{} ({kind}), {:.1}% right",
            self.nats_per_quarter,
            of_notes(self.nats_per_quarter_of_notes),
            100.0 * self.accuracy
        )
    }
}

/// JSON has no word for "not a number", and writes `null`.
fn number_or_nan<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

impl From<Evaluation> for Figures {
    fn from(sum: Evaluation) -> Figures {
        Figures {
            nats_per_token: sum.per_token(),
            nats_per_quarter: sum.per_quarter(),
            nats_per_quarter_of_notes: sum.of_notes_per_quarter().filter(|nats| nats.is_finite()),
            accuracy: sum.accuracy(),
        }
    }
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// While learning, dropout on.
    pub train: Figures,
    /// On the validation pieces.
    pub valid: Figures,
    /// Whether it is the best so far.
    pub best: bool,
    /// What a few compositions showed, at the epochs at which some were made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trial: Option<Trial>,
    /// How different drawn phrases are from one another, beside real ones, where phrases are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<f64>,
    /// What happened since the last line, and what was done.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remarks: Vec<Remark>,
    /// Seconds of training so far. (Not the same from run to run, unlike all the rest.)
    pub seconds: f64,
    /// Training tokens a second, this epoch.
    pub tokens_per_second: f64,
}

/// The best epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done.
    pub steps: u64,
    /// Its validation figures.
    pub valid: Figures,
    /// The lowest temperature at which it does not loop, where its own is too low.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warmer: Option<f64>,
}
