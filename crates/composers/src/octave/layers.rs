//! Layers out of a model file.

use cantus_model::{ModelError, ModelFile};
use cantus_nn::inference::{Dense, LstmCell};

/// An LSTM of a file.
pub(super) fn cell(file: &ModelFile, name: &str, input: usize, hidden: usize) -> Result<LstmCell, ModelError> {
    let tensor = |part: &str, shape: &[usize]| file.tensor(&format!("{name}.{part}"), shape);
    let (w_ih, w_hh) = (tensor("w_ih", &[4 * hidden, input])?, tensor("w_hh", &[4 * hidden, hidden])?);
    Ok(LstmCell::new(input, hidden, w_ih, w_hh, tensor("bias", &[4 * hidden])?))
}

/// A dense layer of a file.
pub(super) fn dense(file: &ModelFile, name: &str, input: usize, output: usize) -> Result<Dense, ModelError> {
    let weight = file.tensor(&format!("{name}.weight"), &[output, input])?;
    Ok(Dense::new(input, output, weight, file.tensor(&format!("{name}.bias"), &[output])?))
}
