//! What a person can choose.

use super::bad_settings;
use cantus_encoding::octave_roll::PitchClasses;
use cantus_model::checks::{positive, share, within};
use cantus_model::{CreateError, Kind, Sampling, Settings};
use cantus_nn::voices::Rule;
use serde::{Deserialize, Serialize};

/// How the voices decide, and so what the figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Decisions {
    /// As in the source: any pitch class, finally, on or off. The figure is a surrogate.
    Final,
    /// In ascending order until there is none left. The figure is the exact likelihood.
    Ordered,
}

impl Decisions {
    pub(super) fn rule(self) -> Rule {
        match self {
            Decisions::Final => Rule::Final,
            Decisions::Ordered => Rule::Ordered,
        }
    }

    /// The sampling that pieces are composed with unless told otherwise: the model's own distribution; where that there are no more
    /// pitch classes is drawn apart from which there are, these are taken a little surer.
    pub(super) fn sampling(self) -> Sampling {
        let temperature = match self {
            Decisions::Final => 1.0,
            Decisions::Ordered => 0.95,
        };
        Sampling { temperature, top_k: 0, top_p: 1.0 }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Decisions::Final => Kind::Surrogate,
            Decisions::Ordered => Kind::Exact,
        }
    }
}

/// What is moved by one random number of semitones, -6 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Transposition {
    /// Nothing: all stays in its key.
    None,
    /// All fragments of a batch, as in the source's program.
    Batch,
    /// Each fragment.
    Fragment,
}

/// From where the clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Clock {
    /// From the first onset, as in the source.
    Onset,
    /// From the beginning of the bar of the first onset: an upbeat is one.
    Bar,
}

/// Settings of the composer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OctaveSettings {
    /// Cells of the layer that reads the last step.
    pub local: usize,
    /// Cells of the layer that weighs the lags.
    pub controller: usize,
    /// Cells of the layer that reads both.
    pub aggregation: usize,
    /// Cells of a voice.
    pub voice: usize,
    pub voices: usize,
    /// Steps back that the attention chooses among.
    pub lags: Vec<usize>,
    pub decisions: Decisions,
    /// Whether lags beyond 32 see nothing before a fragment's first step, as in the source's program.
    pub source_history: bool,
    /// Steps of a fragment.
    pub fragment: usize,
    /// Steps from one fragment's beginning to the next one's.
    pub stride: usize,
    /// Fragments of a batch.
    pub batch: usize,
    /// Whether a piece that is shorter than a fragment is one.
    pub short_pieces: bool,
    pub transposition: Transposition,
    pub clock: Clock,
    /// Whether a piece has a step of silence before its first, so that its first step is learnt, too.
    pub opening: bool,
    /// Dropout after the first layers and before the voices.
    pub dropout: f32,
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// Models hold the exponential average of the parameters, which keeps this share of itself at each step; 0 leaves it out.
    pub averaging: f64,
    /// The gradient's norm is clipped to it; 0 does not clip.
    pub clip: f64,
    /// Epochs without improvement before the learning rate falls; 0 lets it stay as it is.
    pub patience: u32,
    pub epochs: u32,
    /// Cells of the layer that decodes pitch classes to keys.
    pub decoder: usize,
    /// Hidden units of the decoder's Boltzmann machine.
    pub decoder_hidden: usize,
    /// Steps of its chain, in training and in composing.
    pub gibbs: usize,
    pub decoder_learning_rate: f64,
    /// Added to the root of the squared gradient in the decoder's Adam.
    pub decoder_epsilon: f64,
    /// Cells of the layer that says how loud and how long a key is struck.
    pub touch: usize,
    /// Fragments of a batch that the decoder and the touch learn from.
    pub decoder_batch: usize,
}

impl Default for OctaveSettings {
    fn default() -> OctaveSettings {
        OctaveSettings {
            local: 100,
            controller: 100,
            aggregation: 130,
            voice: 100,
            voices: 5,
            lags: vec![4, 8, 16, 32, 48, 64, 96, 128],
            decisions: Decisions::Final,
            source_history: false,
            fragment: 256,
            stride: 32,
            batch: 140,
            short_pieces: true,
            transposition: Transposition::Fragment,
            clock: Clock::Onset,
            opening: false,
            dropout: 0.0,
            learning_rate: 0.01,
            weight_decay: 0.0,
            averaging: 0.0,
            clip: 0.0,
            patience: 0,
            epochs: 70,
            decoder: 100,
            decoder_hidden: 36,
            gibbs: 1,
            decoder_learning_rate: 0.1,
            decoder_epsilon: 1e-4,
            touch: 100,
            decoder_batch: 16,
        }
    }
}

impl OctaveSettings {
    pub(super) fn read(settings: &Settings) -> Result<OctaveSettings, CreateError> {
        let settings: OctaveSettings = serde_json::from_value(settings.clone()).map_err(bad_settings)?;
        settings.check().map_err(bad_settings)?;
        Ok(settings)
    }

    /// Whether networks of these settings can be built within reason; file data passes through here, too.
    pub(super) fn check(&self) -> Result<(), String> {
        let sizes = [
            ("local", self.local, 1, 4096),
            ("controller", self.controller, 1, 4096),
            ("aggregation", self.aggregation, 1, 4096),
            ("voice", self.voice, 1, 4096),
            ("voices", self.voices, 1, PitchClasses::COUNT),
            ("fragment", self.fragment, 2, 65_536),
            ("stride", self.stride, 1, 65_536),
            ("batch", self.batch, 1, 4096),
            ("decoder", self.decoder, 1, 4096),
            ("decoder_hidden", self.decoder_hidden, 1, 4096),
            ("gibbs", self.gibbs, 1, 1000),
            ("touch", self.touch, 1, 4096),
            ("decoder_batch", self.decoder_batch, 1, 4096),
        ];
        for (name, value, low, high) in sizes {
            within(name, value, low, high)?;
        }
        if self.lags.is_empty() || self.lags.len() > 64 || !self.lags.iter().all(|lag| (1..=4096).contains(lag)) {
            return Err("lags must be 1 to 64 numbers from 1 to 4096".to_owned());
        }
        share("dropout", self.dropout)?;
        share("averaging", self.averaging)?;
        positive("learning_rate", self.learning_rate)?;
        positive("decoder_learning_rate", self.decoder_learning_rate)?;
        positive("decoder_epsilon", self.decoder_epsilon)?;
        for (name, value) in [("weight_decay", self.weight_decay), ("clip", self.clip)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(format!("{name} = {value} must not be negative"));
            }
        }
        if self.epochs == 0 {
            return Err("epochs = 0 leaves nothing to learn".to_owned());
        }
        Ok(())
    }

    /// Which steps a figure counts, and what it is.
    pub(super) fn protocol(&self) -> String {
        let figure = match self.decisions {
            Decisions::Final => "binary cross-entropy of the twelve pitch classes given one drawn path of decisions",
            Decisions::Ordered => "negative log-likelihood of the set of pitch classes",
        };
        format!(
            "pitch-class onsets of every step but the first of consecutive fragments of {} steps, states begin anew with each; {figure}; \
             mean over steps",
            self.fragment
        )
    }

    /// Steps before a fragment that the attention may read.
    pub(super) fn past(&self) -> usize {
        self.lags.iter().max().map_or(0, |lag| lag - 1)
    }
}
