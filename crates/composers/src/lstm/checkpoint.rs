//! What both families of networks put into files, and take out again.

use super::SPEC;
use burn::module::Module;
pub(super) use cantus_model::checkpoint::{
    add_carried, add_optimizer, restore, restore_carried, restore_optimizer, same_training,
};
use cantus_model::{ModelFile, Settings};

/// A network with its settings and vocabulary.
pub(super) fn save<M: Module>(network: &M, settings: Settings, encoding: serde_json::Value) -> ModelFile {
    cantus_model::checkpoint::save(&SPEC, network, settings, encoding)
}

/// The number of parameters in a file, those of the network alone: a checkpoint holds more.
pub(super) fn parameters(file: &ModelFile) -> usize {
    const NETWORK: [&str; 6] = ["token.", "contexts.", "lstms.", "norms.", "dense.", "output."];
    let own = |name: &str| NETWORK.iter().any(|prefix| name.starts_with(prefix));
    file.tensors.iter().filter(|(name, _)| own(name)).map(|(_, tensor)| tensor.values.len()).sum()
}

#[cfg(test)]
mod tests;
