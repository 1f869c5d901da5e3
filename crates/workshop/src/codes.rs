//! Blending and varying: with the built-in model of tunes, or one's own.

use crate::Model;
use crate::composing::usual_ticks;
use crate::provenance;
use cantus_composers::registry;
use cantus_model::latent::{self, Ability, Aspect, Way, Wish};
use cantus_model::{ComposeError, Composition, Progress, Rng, Sampling, seeded};
use cantus_score::Score;
use serde::{Deserialize, Serialize};

/// What stands before the JSON in the text event.
const MARK: &str = "made by cantus ";

/// All that the same piece follows from, beside what was given: written into it as a text event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeOrigin {
    /// The program's version.
    pub version: String,
    /// What the model was called by.
    pub model: String,
    /// The SHA-256 of its file.
    pub model_sha256: String,
    /// The seed.
    pub seed: u64,
    /// How notes were drawn.
    pub sampling: Sampling,
    /// The SHA-256 of each file that was given.
    pub given: Vec<String>,
    /// What was done with them.
    #[serde(flatten)]
    pub done: Done,
}

/// What was done with what was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// A piece so far from the first.
    At(f64),
    /// A piece of so many bars from the first to the second.
    Along(usize),
    /// A variation.
    Varied {
        /// How far.
        amount: f64,
        /// The first and the last of the bars that were varied; all, where there are none.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        again: Vec<(usize, usize)>,
        /// What it has more of.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        more: Vec<String>,
        /// What it has less of.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        less: Vec<String>,
    },
}

impl CodeOrigin {
    fn new(model: &Model, seed: u64, sampling: Sampling, given: &[String], done: Done) -> CodeOrigin {
        CodeOrigin {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.name.clone(),
            model_sha256: model.digest.clone(),
            seed,
            sampling,
            given: given.to_vec(),
            done,
        }
    }

    /// Read out of a piece's text events; `None` where it was not made so.
    pub fn find(remarks: &[String]) -> Option<CodeOrigin> {
        provenance::told(MARK, remarks)
    }

    /// What is not as it was given says how it came to be.
    fn write(&self, score: &mut Score) {
        score.remarks.retain(|remark| !remark.starts_with(MARK));
        score.remarks.push(provenance::remark(MARK, self));
    }
}

/// A piece between two, whose files have these digests.
///
/// # Errors
/// [`ComposeError`]; where the model cannot, the composers that can are named.
pub fn blend(
    model: &Model,
    (pieces, given): ([&Score; 2], &[String]),
    way: Way,
    sampling: Sampling,
    seed: u64,
    progress: Progress<'_>,
) -> Result<(Composition, CodeOrigin), ComposeError> {
    let codes = registry::latent(model.composer.as_ref(), Ability::Blend)?;
    let mut blended = latent::blend(codes, pieces, way, &sampling, &mut seeded(seed), progress)?;
    let done = match way {
        Way::At(at) => Done::At(at),
        Way::Along(bars) => Done::Along(bars),
    };
    let origin = CodeOrigin::new(model, seed, sampling, given, done);
    if !pieces.iter().any(|piece| **piece == blended.score) {
        usual_ticks(&mut blended.score);
        origin.write(&mut blended.score);
    }
    Ok((blended, origin))
}

/// Variations of a piece, one for each seed.
///
/// # Errors
/// [`ComposeError`]; where the model cannot, the composers that can are named.
pub fn vary(
    model: &Model,
    (piece, given): (&Score, &[String]),
    wish: &Wish,
    sampling: Sampling,
    seeds: &[u64],
    progress: Progress<'_>,
) -> Result<Vec<(Composition, CodeOrigin)>, ComposeError> {
    let codes = registry::latent(model.composer.as_ref(), Ability::Vary)?;
    let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
    let varied = latent::vary(codes, piece, wish, &sampling, &mut rngs, progress)?;
    let names = |aspects: &[Aspect]| aspects.iter().map(|aspect| aspect.name().to_owned()).collect::<Vec<String>>();
    let told = |(mut composition, seed): (Composition, &u64)| {
        let done = Done::Varied {
            amount: wish.amount,
            again: wish.again.iter().map(|bars| (*bars.start(), *bars.end())).collect(),
            more: names(&wish.more),
            less: names(&wish.less),
        };
        let origin = CodeOrigin::new(model, *seed, sampling, given, done);
        if composition.score != *piece {
            usual_ticks(&mut composition.score);
            origin.write(&mut composition.score);
        }
        (composition, origin)
    };
    Ok(varied.into_iter().zip(seeds).map(told).collect())
}
