//! Likelihoods, and what kind of figure each is.

use cantus_nn::cross_entropy::{Figures, argmax};
use serde::{Deserialize, Serialize};

/// What kind of figure a likelihood is. Kinds are never compared with one another, nor printed in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The model's probability itself.
    Exact,
    /// At least so likely (a variational bound).
    LowerBound,
    /// Estimated by sampling.
    Estimate,
    /// Each thing by itself, all others given: the product of such probabilities is none of the whole, and no bound of it.
    PseudoLikelihood,
    /// A loss that is no likelihood.
    Surrogate,
    /// The probability of the right one among a few candidates that were drawn: exact among these, and no likelihood of music.
    Ranking,
    /// No likelihood at all: a distance between statistics of what is drawn and of what is real.
    None,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Exact => "exact",
            Kind::LowerBound => "lower bound",
            Kind::Estimate => "estimate",
            Kind::PseudoLikelihood => "pseudo-likelihood",
            Kind::Surrogate => "surrogate",
            Kind::Ranking => "ranking among candidates",
            Kind::None => "distance of statistics, no likelihood",
        })
    }
}

impl Kind {
    /// What a figure is in: `nats per token`, say; a distance is no nats, and only so far `apart`.
    pub fn measure(self, unit: Unit) -> String {
        if self == Kind::None { "apart".to_owned() } else { format!("nats per {unit}") }
    }
}

/// What a model predicts at once. Figures of different units are never compared, but per quarter note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A word of a vocabulary.
    #[default]
    Token,
    /// All that happens at one step of the grid.
    Frame,
    /// A note: when, which instrument, which pitch, how long, how loud.
    Note,
    /// A voice at one step of the grid.
    Site,
    /// Some bars at once.
    Section,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unit::Token => "token",
            Unit::Frame => "frame",
            Unit::Note => "note",
            Unit::Site => "site",
            Unit::Section => "section",
        })
    }
}

/// What a model gives to a set of pieces, summed. "Token" stands for whatever its [`Unit`] is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Negative log-likelihood of all counted tokens, in nats.
    pub nats: f64,
    /// Tokens counted.
    pub tokens: f64,
    /// Quarter notes that those tokens stand for.
    pub quarters: f64,
    /// Tokens that were the model's first choice; where tokens are frames, the sum of their accuracies `TP / (TP + FP + FN)`.
    pub correct: f64,
    /// Nats of what is no onset, pitch or length of a note: loudness, instruments, tempo, metre, the end. `None` where these cannot be
    /// told apart, or where lengths or onsets are no part of the likelihood.
    pub beside: Option<f64>,
}

impl Default for Evaluation {
    fn default() -> Evaluation {
        Evaluation { nats: 0.0, tokens: 0.0, quarters: 0.0, correct: 0.0, beside: Some(0.0) }
    }
}

impl Evaluation {
    /// A batch's figures, for tokens that stand for so many quarter notes.
    pub fn of_batch(figures: Figures, quarters: f64) -> Evaluation {
        let (nats, tokens, correct) = (figures.nats, figures.counted, figures.correct as f64);
        Evaluation { nats, tokens, quarters, correct, ..Evaluation::default() }
    }

    /// Nats per token; NaN without a token.
    pub fn per_token(&self) -> f64 {
        self.nats / self.tokens
    }

    /// Nats per quarter note.
    pub fn per_quarter(&self) -> f64 {
        self.nats / self.quarters
    }

    /// Nats per quarter note of the notes themselves, their onsets, pitches and lengths: what compares composers of different kinds
    /// where pieces and grid are the same.
    pub fn of_notes_per_quarter(&self) -> Option<f64> {
        self.beside.map(|beside| (self.nats - beside) / self.quarters)
    }

    /// Share of tokens predicted right, 0-1.
    pub fn accuracy(&self) -> f64 {
        self.correct / self.tokens
    }
}

impl std::ops::AddAssign for Evaluation {
    fn add_assign(&mut self, other: Evaluation) {
        self.nats += other.nats;
        self.tokens += other.tokens;
        self.quarters += other.quarters;
        self.correct += other.correct;
        self.beside = self.beside.zip(other.beside).map(|(sum, nats)| sum + nats);
    }
}

/// A likelihood with its protocol, as it is printed and stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// What kind of figure it is.
    pub kind: Kind,
    /// What is predicted at once.
    #[serde(default)]
    pub unit: Unit,
    /// Negative log-likelihood, nats per token (or whatever the unit is).
    pub nats_per_token: f64,
    /// The same, nats per quarter note.
    pub nats_per_quarter: f64,
    /// Of the notes themselves, their onsets, pitches and lengths; `None` where they cannot be told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_quarter_of_notes: Option<f64>,
    /// Which tokens count, what is given, how pieces are weighted.
    pub protocol: String,
}

/// Negative log-likelihood of a class, in nats, and whether it is the likeliest, the first one where several are, as in training. Sums in 64 bits.
///
/// # Shapes
/// `[V]`
pub fn said(logits: &[f32], class: usize) -> (f64, bool) {
    let likeliest = argmax(logits);
    let highest = likeliest.map_or(f32::NEG_INFINITY, |likeliest| logits[likeliest]);
    let sum: f64 = logits.iter().map(|z| f64::from(z - highest).exp()).sum();
    (sum.ln() - f64::from(logits[class] - highest), likeliest == Some(class))
}

/// Nats per quarter note of the notes themselves, in words that follow a figure per quarter note; none where they are unknown.
pub fn of_notes(nats: Option<f64>) -> String {
    nats.map_or_else(String::new, |nats| format!(", {nats:.3} of the notes alone"))
}

/// What a simple model gives to the same tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// Nats per token.
    pub nats_per_token: f64,
}
