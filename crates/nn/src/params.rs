//! The parameters of a module by name: for files, for optimisers, for generation.
//!
//! A name is the path of field names (and indices in lists) from the module's root, joined by dots: `lstm.0.w_ih`.
//! It is stable as long as the fields keep their names; burn's own parameter ids are random and never used. Running
//! statistics are listed like parameters.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// Name, shape and values of one tensor.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Why parameters could not be put into a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The module has a parameter that the source lacks.
    #[error("parameter `{name}` of shape {expected:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// The shape that the module wants.
        expected: Vec<usize>,
    },
    /// The source has another shape, or not as many values as its shape says.
    #[error("parameter `{name}` should have shape {expected:?}, found {found:?} with {values} values")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that the module wants.
        expected: Vec<usize>,
        /// The shape that was found.
        found: Vec<usize>,
        /// The number of values found.
        values: usize,
    },
}

/// The values of a tensor, row by row, copied out of the graph.
pub fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().into_data().try_into_vec().expect("f32 tensors")
}

/// The names on the way from the root to where a walk stands.
#[derive(Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    pub(crate) fn name(&self) -> String {
        self.0.join(".")
    }
}

/// All parameters and running statistics, in the order of the module's fields.
pub fn named_parameters<M: Module>(module: &M) -> Vec<NamedTensor> {
    #[derive(Default)]
    struct Collect {
        path: Path,
        found: Vec<NamedTensor>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            self.found.push((self.path.name(), tensor.dims().to_vec(), values_of(tensor)));
        }
    }
    let mut collect = Collect::default();
    module.visit(&mut collect);
    collect.found
}

/// The number of trained values.
pub fn count_parameters<M: Module>(module: &M) -> usize {
    module.num_params()
}

/// The module with every parameter replaced by what `lookup` gives for its name (shape and values).
///
/// # Errors
/// The first parameter that is missing or has another shape; the module is lost then.
pub fn load_parameters<M: Module>(
    module: M,
    lookup: impl FnMut(&str) -> Option<(Vec<usize>, Vec<f32>)>,
) -> Result<M, ParameterError> {
    struct Load<F> {
        path: Path,
        lookup: F,
        error: Option<ParameterError>,
    }
    impl<F: FnMut(&str) -> Option<(Vec<usize>, Vec<f32>)>> ModuleMapper for Load<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.error.is_some() {
                return param;
            }
            let name = self.path.name();
            let expected = param.dims().to_vec();
            let Some((found, values)) = (self.lookup)(&name) else {
                self.error = Some(ParameterError::Missing { name, expected });
                return param;
            };
            if found != expected || values.len() != expected.iter().product::<usize>() {
                self.error = Some(ParameterError::Shape { name, expected, found, values: values.len() });
                return param;
            }
            param.map(|old| {
                let new = Tensor::from_data(TensorData::new(values, expected), &old.device());
                if old.is_require_grad() { new.require_grad() } else { new }
            })
        }
    }
    let mut load = Load { path: Path::default(), lookup, error: None };
    let module = module.map(&mut load);
    load.error.map_or(Ok(module), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch_norm::BatchNorm;
    use crate::linear::Linear;
    use crate::random::seeded;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Network {
        layers: Vec<Linear>,
        norm: BatchNorm,
    }

    fn network(seed: u64, device: &Device) -> Network {
        let rng = &mut seeded(seed);
        let layers = vec![Linear::new(2, 3, rng, device), Linear::new(3, 4, rng, device)];
        Network { layers, norm: BatchNorm::new(4, device) }
    }

    #[test]
    fn names_are_paths_and_loading_restores_every_bit() {
        let device = Device::flex().autodiff();
        let source = named_parameters(&network(1, &device));
        let names: Vec<&str> = source.iter().map(|(name, _, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "layers.0.weight",
                "layers.0.bias",
                "layers.1.weight",
                "layers.1.bias",
                "norm.gamma",
                "norm.beta",
                "norm.mean",
                "norm.variance"
            ]
        );
        let find = |name: &str| source.iter().find(|p| p.0 == name).map(|p| (p.1.clone(), p.2.clone()));
        let loaded = load_parameters(network(2, &device), find).unwrap();
        assert_eq!(named_parameters(&loaded), source);
        assert!(loaded.layers[1].weight.is_require_grad());
    }

    #[test]
    fn errors_name_the_parameter() {
        let device = Device::flex();
        let source = named_parameters(&network(1, &device));
        let missing = load_parameters(network(2, &device), |name| {
            source.iter().find(|p| p.0 == name && name != "layers.1.bias").map(|p| (p.1.clone(), p.2.clone()))
        });
        assert_eq!(missing.unwrap_err(), ParameterError::Missing { name: "layers.1.bias".into(), expected: vec![4] });
        let wrong = load_parameters(network(2, &device), |_| Some((vec![3, 2], vec![0.0; 5])));
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "parameter `layers.0.weight` should have shape [3, 2], found [3, 2] with 5 values"
        );
    }
}
