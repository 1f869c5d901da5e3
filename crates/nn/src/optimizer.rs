//! Adam, AdamW and RMSProp over any module: one fused pass per parameter, in place.
//!
//! A step measures the global norm of the gradients first; where it is not finite, nothing is touched and the report
//! says so. Each parameter is then read and written once together with its moments, in parallel, and everything keeps
//! its memory from step to step.
//!
//! Sources: Kingma and Ba, arXiv:1412.6980v9, algorithm 1; Loshchilov and Hutter, arXiv:1711.05101v3, algorithm 2;
//! Tieleman and Hinton, COURSERA lecture 6.5, 2012; clipping by global norm from Pascanu et al., arXiv:1211.5063v2.
//! Departures: weight decay spares biases and other vectors, as is usual.

mod average;
mod kernel;
mod state;

pub use average::Average;
pub use state::OptimizerStateError;

use crate::buffer::Buffer;
use crate::flex::FlexTensor;
use crate::params::{Path, values_of};
use burn::backend::Flex;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use std::collections::BTreeMap;

/// The rule by which parameters move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, both corrected for their start at zero,
    /// `p = (1 - lr decay) p - lr m / (sqrt(v) + eps)`; with decay 0 this is Adam.
    AdamW {
        /// b1, usually 0.9
        beta1: f32,
        /// b2, usually 0.999
        beta2: f32,
        /// PyTorch 1e-8, Keras 1e-7
        eps: f32,
        /// Decoupled weight decay of parameters with two axes or more.
        weight_decay: f32,
    },
    /// `v = rho v + (1 - rho) g^2`, `p = p - lr g / sqrt(v + eps)`, as Keras 3 writes it.
    RmsProp {
        /// usually 0.9
        rho: f32,
        /// Keras 1e-7
        eps: f32,
    },
}

impl Rule {
    /// Adam with the paper's constants.
    pub fn adam() -> Rule {
        Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }

    /// AdamW with the paper's constants and the given decay.
    pub fn adam_w(weight_decay: f32) -> Rule {
        Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay }
    }

    /// RMSProp with Keras' constants.
    pub fn rms_prop() -> Rule {
        Rule::RmsProp { rho: 0.9, eps: 1e-7 }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The Euclidean norm of all gradients together, before clipping; not finite where a gradient was not.
    pub gradient_norm: f64,
    /// Whether the parameters were moved: false where the norm is not finite.
    pub finite: bool,
    /// What the gradients were multiplied by: less than 1 where they were clipped.
    pub scale: f32,
}

/// Moments of one parameter.
#[derive(Clone, Debug)]
struct Moments {
    shape: Vec<usize>,
    /// Empty for rules that have none.
    first: Buffer,
    second: Buffer,
}

/// An optimiser with its moments, which it keeps by the parameters' names.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    max_norm: Option<f32>,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

impl Optimizer {
    /// An optimiser without history that does not clip.
    pub fn new(rule: Rule) -> Optimizer {
        Optimizer { rule, max_norm: None, steps: 0, moments: BTreeMap::new() }
    }

    /// Scales the gradients of a step so that their global norm is at most `max_norm`.
    pub fn with_clipping(self, max_norm: f32) -> Optimizer {
        Optimizer { max_norm: Some(max_norm), ..self }
    }

    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Steps made so far (those with a non-finite gradient do not count).
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every parameter that has a gradient; the others, and running statistics, stay as they are.
    ///
    /// Fastest where nobody else holds the module's tensors: then they are changed in place, else copied first.
    pub fn step<M: Module>(&mut self, module: M, gradients: Gradients, learning_rate: f64) -> (M, StepReport) {
        let gradient_norm = gradient_norm(&module, &gradients);
        if !gradient_norm.is_finite() {
            return (module, StepReport { gradient_norm, finite: false, scale: 1.0 });
        }
        let scale = match self.max_norm {
            Some(max) if gradient_norm > f64::from(max) => (f64::from(max) / gradient_norm) as f32,
            _ => 1.0,
        };
        self.steps += 1;
        let update = kernel::Update::new(self.rule, self.steps, learning_rate, scale);
        let mut walk = Walk { path: Path::default(), gradients, moments: &mut self.moments, rule: self.rule, update };
        let module = module.map(&mut walk);
        (module, StepReport { gradient_norm, finite: true, scale })
    }
}

/// The global norm of a module's gradients.
pub fn gradient_norm<M: Module>(module: &M, gradients: &Gradients) -> f64 {
    struct Sum<'a> {
        gradients: &'a Gradients,
        squares: f64,
    }
    impl ModuleVisitor for Sum<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.base().grad(self.gradients) {
                self.squares += with_values(gradient, kernel::sum_of_squares);
            }
        }
    }
    let mut sum = Sum { gradients, squares: 0.0 };
    module.visit(&mut sum);
    sum.squares.sqrt()
}

/// Lends the values of a tensor without copying, where it lives on burn's CPU backend.
fn with_values<const D: usize, R>(tensor: Tensor<D>, f: impl FnOnce(&[f32]) -> R) -> R {
    match tensor.clone().try_into_primitive::<Flex>() {
        Ok(flex) => {
            drop(tensor);
            f(crate::flex::values(&flex.to_contiguous()))
        }
        Err(_) => f(&values_of(tensor)),
    }
}

struct Walk<'a> {
    path: Path,
    gradients: Gradients,
    moments: &'a mut BTreeMap<String, Moments>,
    rule: Rule,
    update: kernel::Update,
}

impl ModuleMapper for Walk<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = tensor.grad_remove(&mut self.gradients) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let shape = tensor.dims();
        let n = shape.iter().product();
        let first = if matches!(self.rule, Rule::AdamW { .. }) { n } else { 0 };
        let fresh = || Moments { shape: shape.to_vec(), first: Buffer::zeros(first), second: Buffer::zeros(n) };
        let moments = self.moments.entry(self.path.name()).or_insert_with(fresh);
        if moments.shape != shape || moments.first.len() != first {
            *moments = fresh();
        }
        let update = self.update.for_axes(D);
        let tensor = change(tensor.inner(), |values| {
            with_values(gradient, |g| update.apply(g, &mut moments.first, &mut moments.second, values));
        });
        Param::from_mapped_value(id, tensor.autodiff().require_grad(), mapper)
    }
}

/// Changes a tensor's values, in place where it is contiguous and nobody else holds it.
fn change<const D: usize>(tensor: Tensor<D>, f: impl FnOnce(&mut [f32])) -> Tensor<D> {
    // The test by value keeps a second handle only where the tensor lives elsewhere.
    if crate::flex::is_fused(&tensor) {
        let flex: FlexTensor = tensor.try_into_primitive::<Flex>().expect("asked for just now");
        let whole = flex.is_contiguous() && flex.storage::<f32>().len() == flex.layout().num_elements();
        let mut flex = if whole {
            flex
        } else {
            let values = crate::flex::values(&flex.to_contiguous()).to_vec();
            FlexTensor::from_data(TensorData::new(values, flex.layout().shape().clone()))
        };
        f(flex.storage_mut::<f32>());
        return Tensor::from_primitive::<Flex>(flex);
    }
    let (shape, device) = (tensor.dims(), tensor.device());
    let mut values = values_of(tensor);
    f(&mut values);
    Tensor::from_data(TensorData::new(values, shape), &device)
}

#[cfg(test)]
mod tests;
