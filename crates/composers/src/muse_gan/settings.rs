//! Settings of the networks.

use serde::{Deserialize, Serialize};

/// What noise the tracks' generators hear: the source's figure 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Generators {
    /// What is common, and their own.
    #[default]
    Hybrid,
    /// What is common.
    Composer,
    /// Their own.
    Jamming,
}

impl Generators {
    pub(super) fn share(self) -> bool {
        self != Generators::Jamming
    }

    pub(super) fn own(self) -> bool {
        self != Generators::Composer
    }
}

/// Settings beside those of the training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Own {
    /// What noise they hear.
    pub generators: Generators,
    /// Channels of a step; beats have twice, bars four times as many.
    pub width: usize,
    /// Numbers of each noise: those that stay, and as many that change from bar to bar.
    pub noise: usize,
    /// What the critic's penalty weighs.
    pub penalty: f32,
}

impl Default for Own {
    fn default() -> Own {
        Own { generators: Generators::Hybrid, width: 64, noise: 32, penalty: 10.0 }
    }
}
