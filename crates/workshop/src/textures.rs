//! More of a piece, without learning.

use crate::provenance;
use cantus_composers::texture::{Texture, TextureError, texture};
use cantus_model::{Progress, seeded};
use cantus_score::Score;
use serde::{Deserialize, Serialize};

/// What stands before the JSON in the text event.
const MARK: &str = "woven by cantus ";

/// All that the same piece follows from, beside the files: written into it as a text event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextureOrigin {
    /// The program's version.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// How many bars.
    pub bars: usize,
    /// The SHA-256 of each file that it is like.
    pub like: Vec<String>,
}

impl TextureOrigin {
    /// Read out of a piece's text events; `None` where it was not made so.
    pub fn find(remarks: &[String]) -> Option<TextureOrigin> {
        provenance::told(MARK, remarks)
    }
}

/// Writes bars that are like pieces, whose files have these digests.
///
/// # Errors
/// [`TextureError`], where there is nothing to be like, and where `progress` says to stop.
pub fn more_of(
    pieces: &[Score],
    like: &[String],
    bars: usize,
    seed: u64,
    progress: Progress<'_>,
) -> Result<(Texture, TextureOrigin), TextureError> {
    let mut woven = texture(pieces, bars, &mut seeded(seed), progress)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let origin = TextureOrigin { version, seed, bars, like: like.to_vec() };
    woven.score.remarks.push(provenance::remark(MARK, &origin));
    Ok((woven, origin))
}
