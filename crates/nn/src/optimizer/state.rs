//! An optimiser's history as named tensors, bit for bit.

use super::{Moments, Optimizer, Rule};
use crate::buffer::Buffer;
use crate::params::{NamedTensor, named_parameters};
use burn::module::Module;
use std::collections::BTreeMap;

/// Why a history could not be taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptimizerStateError {
    /// The tensor `steps` is missing or is not a count.
    #[error("the optimiser's step count is missing or damaged")]
    Steps,
    /// A tensor belongs to no parameter of the module.
    #[error("the optimiser's tensor `{name}` belongs to no parameter of the module")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A moment does not have its parameter's shape, or not as many values as its shape says.
    #[error("the optimiser's tensor `{name}` should have shape {expected:?}, found {found:?} with {values} values")]
    Shape {
        /// Its name.
        name: String,
        /// The parameter's shape.
        expected: Vec<usize>,
        /// The shape that was found.
        found: Vec<usize>,
        /// The number of values found.
        values: usize,
    },
    /// A parameter has one of its moments but not the other, or one that the rule does not know.
    #[error("the optimiser's moments of `{name}` do not belong to this rule")]
    Incomplete {
        /// The parameter's name.
        name: String,
    },
}

pub(super) const STEPS: &str = "steps";
const FIRST: &str = ".first";
const SECOND: &str = ".second";

impl Optimizer {
    /// The history: `steps`, and `<parameter>.first` and `.second` for each parameter that has been moved.
    pub fn export_state(&self) -> Vec<NamedTensor> {
        let mut tensors = vec![steps_tensor(self.steps)];
        for (name, moments) in &self.moments {
            for (suffix, values) in [(FIRST, &moments.first), (SECOND, &moments.second)] {
                if !values.is_empty() || suffix == SECOND {
                    tensors.push((format!("{name}{suffix}"), moments.shape.clone(), values.to_vec()));
                }
            }
        }
        tensors
    }

    /// Takes up a history that [`export_state`](Self::export_state) gave for the same module and rule.
    ///
    /// # Errors
    /// Where a tensor does not fit the module; the optimiser is unchanged then.
    pub fn import_state<M: Module>(
        &mut self,
        module: &M,
        tensors: impl IntoIterator<Item = NamedTensor>,
    ) -> Result<(), OptimizerStateError> {
        let shapes: BTreeMap<String, Vec<usize>> =
            named_parameters(module).into_iter().map(|(name, shape, _)| (name, shape)).collect();
        let mut steps = None;
        let mut moments: BTreeMap<String, [Option<Vec<f32>>; 2]> = BTreeMap::new();
        for (name, found, values) in tensors {
            if name == STEPS {
                steps = Some(parse_steps(&values).ok_or(OptimizerStateError::Steps)?);
                continue;
            }
            let parts = name.strip_suffix(FIRST).map(|p| (p, 0)).or(name.strip_suffix(SECOND).map(|p| (p, 1)));
            let Some((parameter, which, expected)) = parts.and_then(|(p, w)| Some((p, w, shapes.get(p)?))) else {
                return Err(OptimizerStateError::Unknown { name });
            };
            if found != *expected || values.len() != expected.iter().product::<usize>() {
                let (expected, values) = (expected.clone(), values.len());
                return Err(OptimizerStateError::Shape { name, expected, found, values });
            }
            moments.entry(parameter.to_owned()).or_default()[which] = Some(values);
        }
        let has_first = matches!(self.rule, Rule::AdamW { .. });
        let mut taken = BTreeMap::new();
        for (name, pair) in moments {
            let (first, second) = match pair {
                [Some(first), Some(second)] if has_first => (Buffer::copy_of(&first), second),
                [None, Some(second)] if !has_first => (Buffer::zeros(0), second),
                _ => return Err(OptimizerStateError::Incomplete { name }),
            };
            let shape = shapes[&name].clone();
            taken.insert(name, Moments { shape, first, second: Buffer::copy_of(&second) });
        }
        self.steps = steps.ok_or(OptimizerStateError::Steps)?;
        self.moments = taken;
        Ok(())
    }
}

/// A count of steps as a tensor: four pieces of 16 bits, each exact as an f32.
pub(super) fn steps_tensor(steps: u64) -> NamedTensor {
    (STEPS.to_owned(), vec![4], (0..4).map(|piece| f32::from((steps >> (16 * piece)) as u16)).collect())
}

pub(super) fn parse_steps(pieces: &[f32]) -> Option<u64> {
    let pieces: [f32; 4] = pieces.try_into().ok()?;
    pieces.iter().rev().try_fold(0, |steps, piece| {
        let whole = (0.0..65_536.0).contains(piece) && piece.fract() == 0.0;
        whole.then_some((steps << 16) | *piece as u64)
    })
}
