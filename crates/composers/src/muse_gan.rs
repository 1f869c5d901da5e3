//! `muse_gan`: draws phrases of a band, all tracks at once, out of noise; a critic taught it what real phrases are like.
//!
//! Source: H.-W. Dong, W.-Y. Hsiao, L.-C. Yang and Y.-H. Yang, MuseGAN: Multi-Track Sequential Generative Adversarial Networks for Symbolic Music
//! Generation and Accompaniment, 2018, arXiv:1709.06298v2; binary neurons from H.-W. Dong and Y.-H. Yang, Convolutional Generative Adversarial
//! Networks with Binary Neurons for Polyphonic Music Generation, 2018, arXiv:1804.09399v3; the critic from I. Gulrajani et al., Improved
//! Training of Wasserstein GANs, 2017, arXiv:1704.00028v3.
//!
//! As there: a phrase has four bars and five tracks, drums, keys, guitar, bass and all else; generators hear noise in common and noise of their own, of
//! each a part that stays and a part that changes from bar to bar (`hybrid`), only what is common (`composer`), or only their own (`jamming`);
//! deterministic binary neurons; a Wasserstein critic with a gradient penalty of 10, five steps to each of the generator's, which hears pitch classes as well.
//!
//! Departures: 16 steps a bar in the place of 96, and of a step whether what sounds is struck again; a quarter of the width; kernels that are as wide as
//! their stride, in time first and then in pitch, so that all is dense layers over rows; no batch norm; binary from the first step on, in the place of
//! two stages; the generator's average draws; pieces are moved to the key without accidentals; phrases begin at every second bar. The source's
//! programs fold 84 pitches as 12 x 7 for the pitch classes that their critic hears and their figures count, which are bands of seven
//! neighbouring semitones; here they are folded as 7 x 12.
//!
//! A piece is phrases after one another: where a form says that a section comes again, its noise does; sections of a piece share half of theirs. A prompt
//! chooses among eight beginnings the one whose first phrase is most like its last. There is no likelihood.
//!
//! Cost: the default has 1 million parameters for five tracks; a step of the generator with five of the critic takes 15 GFLOP at 32 phrases.

mod band;
mod network;
mod player;
mod settings;
#[cfg(test)]
mod tests;
mod writing;

use band::Band;
use cantus_model::adversarial::AdversarialTrainer;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Sizes};
use cantus_score::Reading;

/// Makes any configuration small enough for a test.
const TINY: &str =
    r#"{"width":16,"noise":6,"batch":8,"epoch_steps":6,"critic_steps":2,"averaging":0.5,"learning_rate":0.01}"#;
const SIZES: Sizes = Sizes { small: r#"{"width":32}"#, large: r#"{"width":128,"learning_rate":0.0005}"# };

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "muse_gan",
    version: 1,
    writes: "songs of a band, four bars at a time, all tracks at once: drums, keys, guitar, bass and the rest",
    suits: "researchers: songs with drums and a bass, a thousand phrases and more; `notes` does all that it does, and says how likely music is",
    is_made_for: None,
    title: "generators that share noise, against a Wasserstein critic with a gradient penalty; binary cells",
    source: "Dong, Hsiao, Yang and Yang 2018 (MuseGAN)",
    departures: "16 steps a bar and what is struck again; a quarter of the width; kernels as wide as their stride; pitch classes folded rightly",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "phrases",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Form, Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "hybrid: tracks share noise, and each has its own",
            settings: r#"{"generators":"hybrid","width":64}"#,
            sizes: Some(SIZES),
            tiny: TINY,
        },
        Configuration {
            name: "composer",
            summary: "all tracks out of the same noise",
            settings: r#"{"generators":"composer","width":64}"#,
            sizes: Some(SIZES),
            tiny: TINY,
        },
        Configuration {
            name: "jamming",
            summary: "each track out of its own noise; only the critic hears them together",
            settings: r#"{"generators":"jamming","width":64}"#,
            sizes: Some(SIZES),
            tiny: TINY,
        },
    ],
    create: Some(AdversarialTrainer::<Band>::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};
