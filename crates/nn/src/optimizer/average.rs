//! A running average of a module's parameters.
//!
//! `a = d a + (1 - d) p` after each step, with `d = min(decay, (1 + n) / (10 + n))` at step n, so that the first steps are forgotten
//! soon. Such an average of the weights generalises better than the last ones, and follows them without noise.
//!
//! Source: B. Polyak, A. Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992; the
//! exponential form and its beginning as in TensorFlow's `ExponentialMovingAverage`.

use super::OptimizerStateError;
use super::state::{STEPS, parse_steps, steps_tensor};
use crate::params::{NamedTensor, named_parameters};
use burn::module::Module;
use std::collections::BTreeMap;

/// The average, by the parameters' names.
#[derive(Clone, Debug)]
pub struct Average {
    decay: f64,
    steps: u64,
    values: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Average {
    /// An average of nothing yet.
    ///
    /// # Panics
    /// If `decay` is not within [0, 1).
    pub fn new(decay: f64) -> Average {
        assert!((0.0..1.0).contains(&decay), "a decay of {decay}");
        Average { decay, steps: 0, values: BTreeMap::new() }
    }

    /// Takes in the parameters after a step.
    pub fn add<M: Module>(&mut self, module: &M) {
        let n = self.steps as f64;
        let new = (1.0 - self.decay.min((1.0 + n) / (10.0 + n))) as f32;
        for (name, shape, values) in named_parameters(module) {
            match self.values.get_mut(&name) {
                Some((_, average)) => average.iter_mut().zip(values).for_each(|(a, p)| *a += new * (p - *a)),
                None => drop(self.values.insert(name, (shape, values))),
            }
        }
        self.steps += 1;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.steps, self.values) = (0, BTreeMap::new());
    }

    /// The averages under the names of their parameters; none before the first step.
    pub fn parameters(&self) -> impl Iterator<Item = NamedTensor> {
        self.values.iter().map(|(name, (shape, values))| (name.clone(), shape.clone(), values.clone()))
    }

    /// The history: `steps`, and the averages.
    pub fn export_state(&self) -> Vec<NamedTensor> {
        std::iter::once(steps_tensor(self.steps)).chain(self.parameters()).collect()
    }

    /// Takes up a history that [`export_state`](Self::export_state) gave for the same module.
    ///
    /// # Errors
    /// Where a tensor does not fit the module; the average is unchanged then.
    pub fn import_state<M: Module>(
        &mut self,
        module: &M,
        tensors: impl IntoIterator<Item = NamedTensor>,
    ) -> Result<(), OptimizerStateError> {
        let mut found: BTreeMap<String, (Vec<usize>, Vec<f32>)> =
            tensors.into_iter().map(|(name, shape, values)| (name, (shape, values))).collect();
        let steps = found.remove(STEPS).filter(|(shape, _)| *shape == [4]);
        let steps = steps.and_then(|(_, pieces)| parse_steps(&pieces)).ok_or(OptimizerStateError::Steps)?;
        let mut values = BTreeMap::new();
        for (name, expected, now) in named_parameters(module).into_iter().filter(|_| steps > 0) {
            let Some((shape, average)) = found.remove(&name) else {
                return Err(OptimizerStateError::Incomplete { name });
            };
            if shape != expected || average.len() != now.len() {
                let values = average.len();
                return Err(OptimizerStateError::Shape { name, expected, found: shape, values });
            }
            values.insert(name, (shape, average));
        }
        if let Some((name, _)) = found.pop_first() {
            return Err(OptimizerStateError::Unknown { name });
        }
        (self.steps, self.values) = (steps, values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::Linear;
    use crate::random::seeded;
    use burn::module::Param;
    use burn::tensor::Device;

    fn layer(value: f32) -> Linear {
        let device = Device::flex();
        let layer = Linear::new(1, 1, &mut seeded(1), &device);
        Linear { bias: Param::from_data([value], &device), ..layer }
    }

    fn bias(average: &Average) -> f32 {
        average.parameters().find(|(name, ..)| name == "bias").unwrap().2[0]
    }

    #[test]
    fn the_average_is_what_its_formula_says() {
        let mut average = Average::new(0.3);
        assert_eq!(average.parameters().count(), 0);
        average.add(&layer(1.0));
        assert_eq!(bias(&average), 1.0);
        // d = 2 / 11, then 3 / 12 , then 0.3.
        let mut expected = 1.0;
        for (value, d) in [(2.0, 2.0 / 11.0), (5.0, 0.25), (3.0, 0.3), (3.0, 0.3)] {
            average.add(&layer(value));
            expected = d * expected + (1.0 - d) * value;
            assert!((bias(&average) - expected).abs() < 1e-6);
        }
        let mut restored = Average::new(0.3);
        restored.import_state(&layer(0.0), average.export_state()).unwrap();
        assert_eq!(restored.export_state(), average.export_state());
        restored.add(&layer(7.0));
        average.add(&layer(7.0));
        assert_eq!(restored.export_state(), average.export_state());
        average.clear();
        assert_eq!(average.export_state().len(), 1);
        restored.import_state(&layer(0.0), average.export_state()).unwrap();
        assert_eq!(restored.parameters().count(), 0);
    }

    #[test]
    fn a_history_of_another_module_is_refused() {
        let mut average = Average::new(0.9);
        average.add(&layer(1.0));
        let state = average.export_state();
        let mut missing = state.clone();
        missing.retain(|(name, ..)| name != "bias");
        let mut more = state.clone();
        more.push(("other".to_owned(), vec![1], vec![0.0]));
        let mut other = state.clone();
        other.iter_mut().for_each(|(_, shape, _)| shape.push(1));
        for bad in [missing, more, other, Vec::new()] {
            assert!(average.import_state(&layer(1.0), bad).is_err());
            assert_eq!(average.export_state(), state);
        }
    }
}
