//! Layers out of a model file, for judging and composing.

use crate::{ModelError, ModelFile};
use cantus_nn::inference::{Dense, LstmCell};

/// [`LstmCell::new`], or [`LstmCell::sparse`].
pub type MakeCell = fn(usize, usize, &[f32], &[f32], &[f32]) -> LstmCell;
/// [`Dense::new`], or [`Dense::sparse`].
pub type MakeDense = fn(usize, usize, &[f32], &[f32]) -> Dense;

/// The LSTM of a name, of so many inputs and cells.
///
/// # Errors
/// [`ModelError::Shape`], naming the tensor that is missing or does not fit.
pub fn cell(
    file: &ModelFile,
    name: &str,
    (input, hidden): (usize, usize),
    make: MakeCell,
) -> Result<LstmCell, ModelError> {
    let tensor = |part: &str, shape: &[usize]| file.tensor(&format!("{name}.{part}"), shape);
    let (w_ih, w_hh) = (tensor("w_ih", &[4 * hidden, input])?, tensor("w_hh", &[4 * hidden, hidden])?);
    Ok(make(input, hidden, w_ih, w_hh, tensor("bias", &[4 * hidden])?))
}

/// The dense layer of a name, of so many inputs and outputs.
///
/// # Errors
/// [`ModelError::Shape`], naming the tensor that is missing or does not fit.
pub fn dense(
    file: &ModelFile,
    name: &str,
    (input, output): (usize, usize),
    make: MakeDense,
) -> Result<Dense, ModelError> {
    let weight = file.tensor(&format!("{name}.weight"), &[output, input])?;
    Ok(make(input, output, weight, file.tensor(&format!("{name}.bias"), &[output])?))
}
