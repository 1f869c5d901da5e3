//! What composers put into model files and checkpoints, and take out again.

use crate::{ComposerSpec, Habits, Header, ModelError, ModelFile, Settings, TensorData};
use burn::module::Module;
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Average, Optimizer};
use cantus_nn::params::{NamedTensor, ParameterError, load_parameters, named_parameters};
use std::collections::BTreeMap;

/// How the tensors of an optimiser begin where a composer has only one.
pub const OPTIMIZER: &str = "optimizer.";
/// How the tensors begin that a recurrent network carries from step to step.
pub const CARRIED: &str = "carried.";

/// How the tensors of a running average of the parameters begin.
pub const AVERAGE: &str = "average.";

/// A network with its settings, its encoding and what its corpus has.
pub fn save<M: Module>(
    spec: &ComposerSpec,
    network: &M,
    settings: Settings,
    encoding: serde_json::Value,
    habits: &Habits,
) -> ModelFile {
    let mut file = file((spec.id, spec.version), network, settings, encoding);
    file.header.habits = Some(habits.clone());
    file
}

/// A network with its settings and its encoding, of whoever has such an id and version.
pub fn file<M: Module>(
    (id, version): (&str, u32),
    network: &M,
    settings: Settings,
    encoding: serde_json::Value,
) -> ModelFile {
    let tensors: BTreeMap<String, TensorData> = named_parameters(network)
        .into_iter()
        .map(|(name, shape, values)| (name, TensorData { shape, values }))
        .collect();
    ModelFile { header: Header::new((id, version), settings, encoding), tensors }
}

/// The network with a file's parameters; where they do not fit, copies of the network stay as they are, too.
///
/// # Errors
/// [`ModelError::Shape`], naming the parameter.
pub fn restore<M: Module>(network: M, file: &ModelFile) -> Result<M, ModelError> {
    // Copies of a network share their running statistics: all is looked at before anything is replaced.
    for (name, shape, _) in named_parameters(&network) {
        file.tensor(&name, &shape)?;
    }
    let lookup = |name: &str| file.tensors.get(name).map(|tensor| (tensor.shape.clone(), tensor.values.clone()));
    load_parameters(network, lookup).map_err(misfit)
}

/// The same, said of a file.
pub(crate) fn misfit(error: ParameterError) -> ModelError {
    match error {
        ParameterError::Missing { name, expected } => ModelError::Shape { name, expected, found: None },
        ParameterError::Shape { name, expected, found, .. } => ModelError::Shape { name, expected, found: Some(found) },
    }
}

/// The number of parameters in a file, those of the network alone: a checkpoint holds more.
pub fn parameters(file: &ModelFile) -> usize {
    let own = |name: &str| ![OPTIMIZER, CARRIED, AVERAGE].iter().any(|prefix| name.starts_with(prefix));
    file.tensors.iter().filter(|(name, _)| own(name)).map(|(_, tensor)| tensor.values.len()).sum()
}

/// Adds an optimiser's moments under names that begin with `prefix`, which itself begins with [`OPTIMIZER`].
pub fn add_optimizer(file: &mut ModelFile, prefix: &str, optimizer: &Optimizer) {
    for (name, shape, values) in optimizer.export_state() {
        file.tensors.insert(format!("{prefix}{name}"), TensorData { shape, values });
    }
}

/// An optimiser like `optimizer` with a file's moments for `network`.
///
/// # Errors
/// [`ModelError::Damaged`], where they are missing or do not fit.
pub fn restore_optimizer<M: Module>(
    network: &M,
    optimizer: &Optimizer,
    prefix: &str,
    file: &ModelFile,
) -> Result<Optimizer, ModelError> {
    let state: Vec<NamedTensor> = file
        .tensors
        .iter()
        .filter_map(|(name, tensor)| {
            let name = name.strip_prefix(prefix)?;
            Some((name.to_owned(), tensor.shape.clone(), tensor.values.clone()))
        })
        .collect();
    let mut restored = optimizer.clone();
    restored.import_state(network, state).map_err(|error| ModelError::Damaged { problem: error.to_string() })?;
    Ok(restored)
}

/// Adds a running average of the parameters.
pub fn add_average(file: &mut ModelFile, average: &Average) {
    for (name, shape, values) in average.export_state() {
        file.tensors.insert(format!("{AVERAGE}{name}"), TensorData { shape, values });
    }
}

/// Puts a running average in the place of the parameters, where there is one yet.
pub fn take_average(file: &mut ModelFile, average: &Average) {
    for (name, shape, values) in average.parameters() {
        file.tensors.insert(name, TensorData { shape, values });
    }
}

/// A network with a running average of its parameters in their place, where there is one yet.
///
/// # Panics
/// If it is the average of another network.
pub fn with_average<M: Module>(network: M, average: &Average) -> M {
    let mut values: BTreeMap<String, (Vec<usize>, Vec<f32>)> =
        average.parameters().map(|(name, shape, values)| (name, (shape, values))).collect();
    if values.is_empty() {
        return network;
    }
    load_parameters(network, |name| values.remove(name)).expect("the average of the network's own parameters fits them")
}

/// An average like `average` with a file's values for `network`.
///
/// # Errors
/// [`ModelError::Damaged`], where they are missing or do not fit.
pub fn restore_average<M: Module>(network: &M, average: &Average, file: &ModelFile) -> Result<Average, ModelError> {
    let state = file.tensors.iter().filter_map(|(name, tensor)| {
        Some((name.strip_prefix(AVERAGE)?.to_owned(), tensor.shape.clone(), tensor.values.clone()))
    });
    let mut restored = average.clone();
    restored.import_state(network, state).map_err(|error| ModelError::Damaged { problem: error.to_string() })?;
    Ok(restored)
}

/// Adds the states that a batch's rows carry from step to step, layer by layer.
pub fn add_carried(file: &mut ModelFile, carried: &[LstmState]) {
    for (layer, state) in carried.iter().enumerate() {
        let shape = vec![state.batch(), state.hidden()];
        for (name, values) in [("h", &state.h), ("c", &state.c)] {
            let tensor = TensorData { shape: shape.clone(), values: values.clone() };
            file.tensors.insert(format!("{CARRIED}{layer}.{name}"), tensor);
        }
    }
}

/// The states that [`add_carried`] added, for layers of these sizes; without rows where it added none.
///
/// # Errors
/// [`ModelError::Shape`], where they do not fit.
pub fn restore_carried(file: &ModelFile, hidden: impl Iterator<Item = usize>) -> Result<Vec<LstmState>, ModelError> {
    let first = file.tensors.get(&format!("{CARRIED}0.h")).and_then(|tensor| tensor.shape.first());
    let Some(&rows) = first else { return Ok(hidden.map(|hidden| LstmState::zeros(0, hidden)).collect()) };
    let state = |(layer, hidden): (usize, usize)| {
        let (h, c) = (format!("{CARRIED}{layer}.h"), format!("{CARRIED}{layer}.c"));
        // Both are there in full before memory is taken for so many rows.
        let (h, c) = (file.tensor(&h, &[rows, hidden])?, file.tensor(&c, &[rows, hidden])?);
        let mut state = LstmState::zeros(rows, hidden);
        state.h.copy_from_slice(h);
        state.c.copy_from_slice(c);
        Ok(state)
    };
    hidden.enumerate().map(state).collect()
}

/// Whether a checkpoint was made with the settings and the encoding at hand.
///
/// # Errors
/// [`ModelError::OtherTraining`], naming what differs.
pub fn same_training(found: &Header, expected: &Header) -> Result<(), ModelError> {
    let same = [
        (found.composer == expected.composer, "composer"),
        (found.composer_version == expected.composer_version, "composer's version"),
        (found.settings == expected.settings, "list of settings"),
        (found.encoding == expected.encoding, "vocabulary"),
    ];
    match same.iter().find(|(same, _)| !same) {
        Some((_, what)) => Err(ModelError::OtherTraining { what }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
