//! Octave: writes piano music on a grid, a set of pitch classes at a time, by voices that take one final decision each; then spreads
//! the pitch classes over the keys.
//!
//! Source: I. Ivanov, neural generation of polyphonic music (diploma thesis, Moscow State University, 2018), sections 6 and 7, and its
//! program, <https://github.com/FortsAndMills/MusicGeneration>, where the text is silent.
//!
//! Departures, each of which mends a defect of that program: lags read the piece before a fragment (`source_history` brings the zeros
//! back that the attention could not learn from); decoder and touch read in composing what they read in training; while a prompt is
//! read, the voices' states follow it; logarithms are guarded; the four highest keys count; the touch says durations too (the
//! source releases everything at the next onset); a pitch class of which the decoder strikes no key gets its likeliest. One bias
//! in the place of PyTorch's two; pieces shorter than a fragment are padded, not dropped; each fragment is moved to a key of its
//! own. The `exact` configuration is ours: decisions in ascending order, whose likelihood is the music's; how a piece begins is
//! learnt, too; and once, when a training ends, how often anything begins when it composes by itself.
//!
//! Cost: 521,460 parameters, of which the generator has 326,792; a training step on 140 fragments of 256 steps makes 110 GFLOP.

mod decoder;
mod generator;
mod pieces;
mod player;
mod rates;
mod rehearsal;
mod settings;
#[cfg(test)]
mod tests;
mod touch;
mod trainer;

use cantus_encoding::piano_roll::Keys;
use cantus_model::{
    Around, Composer, ComposerSpec, Configuration, Control, CreateError, ModelError, ModelFile, Settings, Sizes,
    Trainable, TrainingSet,
};
use cantus_score::Reading;

/// Makes any configuration small enough for a test.
const TINY: &str = r#"{"local":12,"controller":8,"aggregation":16,"voice":16,"fragment":33,"stride":8,"batch":8,"lags":[1,2,4,16],
                       "transposition":"none","decoder":8,"decoder_hidden":6,"touch":8,"decoder_batch":2,"dropout":0.0}"#;

/// The settings of `tuned`, and what else a configuration sets.
macro_rules! tuned {
    ($($more:literal)?) => {
        concat!(
            r#"{"local":160,"aggregation":256,"voice":160,"dropout":0.3,"averaging":0.99,"batch":32,"learning_rate":0.007,"#,
            r#""patience":4,"epochs":40,"decoder_learning_rate":0.01,"decoder_epsilon":1e-8,"gibbs":5"#,
            $($more,)?
            "}"
        )
    };
}

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "octave",
    version: 1,
    writes: "piano music on a steady grid of sixteenths, with its loud and its soft",
    suits: "piano pieces in 4/4 and its kin (add --meters duple --piano-only); `octave:exact` writes the better music",
    is_made_for: None,
    title: "pitch classes by voices with final decisions, attention over bars, decoded to a piano's keys",
    source: "Ivanov 2018 (diploma thesis, Moscow State University; FortsAndMills/MusicGeneration)",
    departures: "published defects mended: history before a fragment, decoder's inputs, prompt, durations; short pieces are padded; \
                 exact: decisions in order, whose likelihood is exact",
    reads: &[Reading::Merged],
    encoding: "octave_roll and piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "the source's networks and training, its defects mended",
            settings: "{}",
            sizes: None,
            tiny: TINY,
        },
        Configuration {
            name: "source",
            summary: "as the default, but lags beyond 32 see nothing before a fragment, as in the published program",
            settings: r#"{"source_history":true}"#,
            sizes: None,
            tiny: TINY,
        },
        Configuration {
            name: "tuned",
            summary: "the default, larger, with dropout, smaller batches and averaged parameters: learns sooner and further",
            settings: tuned!(),
            sizes: Some(Sizes {
                small: r#"{"local":96,"controller":64,"aggregation":160,"voice":96}"#,
                large: r#"{"local":256,"controller":160,"aggregation":384,"voice":256,"learning_rate":0.005}"#,
            }),
            tiny: TINY,
        },
        Configuration {
            name: "exact",
            summary: "as tuned, but decisions in ascending order until there is none left: an exact likelihood, and the better music",
            settings: tuned!(r#","decisions":"ordered","opening":true"#),
            sizes: Some(Sizes {
                small: r#"{"local":96,"controller":64,"aggregation":160,"voice":96}"#,
                large: r#"{"local":256,"controller":160,"aggregation":384,"voice":256,"learning_rate":0.005}"#,
            }),
            tiny: TINY,
        },
    ],
    create: Some(create),
    load,
};

/// What the attention's mean weights are called in a file.
const ATTENTION: &str = "attention.mass";
/// What that is called there which is added to the log-odds of silence.
const SILENCE: &str = "silence.log_odds";

fn bad_settings(problem: impl std::fmt::Display) -> CreateError {
    CreateError::Settings { composer: SPEC.id, problem: problem.to_string() }
}

fn create(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError> {
    Ok(Box::new(trainer::OctaveTrainer::new(settings, set, seed)?))
}

fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
    Ok(Box::new(player::OctaveComposer::load(file)?))
}

/// All keys from the lowest of a set to its highest.
fn all_between(keys: Keys) -> Keys {
    let (Some(low), Some(high)) = (keys.iter().next(), keys.iter().next_back()) else { return Keys::NONE };
    (low.index()..=high.index()).filter_map(cantus_encoding::piano_roll::Key::new).collect()
}
