use super::*;
use crate::linear::Linear;
use crate::params::named_parameters;
use crate::random::{normal, seeded};
use burn::tensor::Device;

const RULES: [Rule; 3] = [
    Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 },
    Rule::AdamW { beta1: 0.8, beta2: 0.9, eps: 1e-3, weight_decay: 0.1 },
    Rule::RmsProp { rho: 0.9, eps: 1e-7 },
];

/// A gradient that is `direction` itself: of the sum of the products.
fn gradients(layer: &Linear, direction: &[Vec<f32>; 2]) -> Gradients {
    let device = layer.weight.device();
    let load = |v: &[f32]| Tensor::<1>::from_data(v, &device);
    let [o, i] = layer.weight.dims();
    let weight = layer.weight.val() * load(&direction[0]).reshape([o, i]);
    let bias = layer.bias.val() * load(&direction[1]);
    (weight.sum() + bias.sum()).backward()
}

fn directions(seed: u64) -> [Vec<f32>; 2] {
    let rng = &mut seeded(seed);
    [20, 5].map(|n| (0..n).map(|_| normal(rng)).collect())
}

/// The rule in `f64`, value by value, as the papers write it.
struct Naive {
    m: f64,
    v: f64,
}

impl Naive {
    fn step(&mut self, rule: Rule, t: i32, lr: f64, decays: bool, g: f64, p: f64) -> f64 {
        match rule {
            Rule::AdamW { beta1, beta2, eps, weight_decay } => {
                let (b1, b2) = (f64::from(beta1), f64::from(beta2));
                self.m = b1 * self.m + (1.0 - b1) * g;
                self.v = b2 * self.v + (1.0 - b2) * g * g;
                let (m, v) = (self.m / (1.0 - b1.powi(t)), self.v / (1.0 - b2.powi(t)));
                let decay = if decays { f64::from(weight_decay) } else { 0.0 };
                p - lr * decay * p - lr * m / (v.sqrt() + f64::from(eps))
            }
            Rule::RmsProp { rho, eps } => {
                self.v = f64::from(rho) * self.v + (1.0 - f64::from(rho)) * g * g;
                p - lr * g / (self.v + f64::from(eps)).sqrt()
            }
        }
    }
}

fn flat(layer: &Linear) -> Vec<f32> {
    named_parameters(layer).into_iter().flat_map(|p| p.2).collect()
}

#[test]
fn follows_the_papers_with_clipping() {
    let device = Device::flex().autodiff();
    for rule in RULES {
        for max_norm in [None, Some(1.0f32)] {
            let mut layer = Linear::new(4, 5, &mut seeded(1), &device);
            let mut optimizer = Optimizer::new(rule);
            if let Some(max) = max_norm {
                optimizer = optimizer.with_clipping(max);
            }
            let mut naive: Vec<(f64, Naive)> =
                flat(&layer).iter().map(|p| (f64::from(*p), Naive { m: 0.0, v: 0.0 })).collect();
            for t in 1..=5 {
                let direction = directions(t);
                let all: Vec<f64> = direction.iter().flatten().map(|g| f64::from(*g)).collect();
                let norm = all.iter().map(|g| g * g).sum::<f64>().sqrt();
                let scale = max_norm.map_or(1.0, |max| (f64::from(max) / norm).min(1.0));
                let grads = gradients(&layer, &direction);
                let (moved, report) = optimizer.step(layer, grads, 0.01);
                layer = moved;
                assert!(report.finite && (report.gradient_norm - norm).abs() < 1e-5 * norm);
                assert!((f64::from(report.scale) - scale).abs() < 1e-6);
                for (at, ((p, state), g)) in naive.iter_mut().zip(&all).enumerate() {
                    *p = state.step(rule, t as i32, 0.01, at < 20, g * scale, *p);
                }
                for ((p, _), q) in naive.iter().zip(flat(&layer)) {
                    assert!((p - f64::from(q)).abs() < 1e-5, "{rule:?} at step {t}: {p} {q}");
                }
            }
            assert!(layer.weight.is_require_grad() && optimizer.steps() == 5);
        }
    }
}

#[test]
fn a_bad_gradient_touches_nothing() {
    let device = Device::flex().autodiff();
    for bad in [f32::NAN, f32::INFINITY] {
        let layer = Linear::new(4, 5, &mut seeded(1), &device);
        let before = flat(&layer);
        let mut optimizer = Optimizer::new(Rule::adam());
        let mut direction = directions(1);
        direction[1][3] = bad;
        let grads = gradients(&layer, &direction);
        let (layer, report) = optimizer.step(layer, grads, 0.1);
        assert!(!report.finite && !report.gradient_norm.is_finite());
        assert_eq!((flat(&layer), optimizer.steps()), (before, 0));
        assert_eq!(optimizer.export_state().len(), 1);
    }
}

#[test]
fn a_shared_tensor_is_copied_before_it_changes() {
    let device = Device::flex().autodiff();
    let layer = Linear::new(4, 5, &mut seeded(1), &device);
    let (kept, before) = (layer.clone(), flat(&layer));
    let grads = gradients(&layer, &directions(1));
    let (moved, _) = Optimizer::new(Rule::adam()).step(layer, grads, 0.1);
    assert_eq!(flat(&kept), before);
    assert_ne!(flat(&moved), before);
}

#[test]
fn memory_stays_where_it_is() {
    let device = Device::flex().autodiff();
    let layer = Linear::new(4, 5, &mut seeded(1), &device);
    let address = |layer: &Linear| {
        let flex = layer.weight.val().inner().try_into_primitive::<Flex>().unwrap();
        crate::flex::values(&flex).as_ptr() as usize
    };
    let before = address(&layer);
    let x = Tensor::<2>::ones([3, 4], &device);
    let grads = layer.forward(x).sum().backward();
    let (layer, _) = Optimizer::new(Rule::adam()).step(layer, grads, 0.1);
    assert_eq!(address(&layer), before);
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    let device = Device::flex().autodiff();
    for rule in RULES {
        let mut layer = Linear::new(4, 5, &mut seeded(1), &device);
        let mut optimizer = Optimizer::new(rule);
        let advance = |layer: Linear, optimizer: &mut Optimizer, t: u64| {
            let grads = gradients(&layer, &directions(t));
            optimizer.step(layer, grads, 0.01).0
        };
        for t in 0..3 {
            layer = advance(layer, &mut optimizer, t);
        }
        let mut resumed = Optimizer::new(rule);
        resumed.import_state(&layer, optimizer.export_state()).unwrap();
        assert_eq!(resumed.export_state(), optimizer.export_state());
        let a = advance(layer.clone(), &mut optimizer, 3);
        let b = advance(layer, &mut resumed, 3);
        assert_eq!(flat(&a), flat(&b));
    }
}

#[test]
fn a_foreign_history_is_refused_by_name() {
    let device = Device::flex().autodiff();
    let layer = Linear::new(4, 5, &mut seeded(1), &device);
    let mut adam = Optimizer::new(Rule::adam());
    let grads = gradients(&layer, &directions(1));
    let (layer, _) = adam.step(layer, grads, 0.1);
    let state = adam.export_state();
    let refused = |state: Vec<_>, rule| Optimizer::new(rule).import_state(&layer, state).unwrap_err();
    assert_eq!(refused(vec![], Rule::adam()), OptimizerStateError::Steps);
    assert_eq!(refused(state.clone(), Rule::rms_prop()), OptimizerStateError::Incomplete { name: "bias".into() });
    let mut renamed = state.clone();
    renamed[1].0 = "other.first".into();
    assert_eq!(refused(renamed, Rule::adam()), OptimizerStateError::Unknown { name: "other.first".into() });
    let mut cut = state;
    cut[1].2.pop();
    let error = refused(cut, Rule::adam());
    assert!(matches!(error, OptimizerStateError::Shape { ref name, values: 4, .. } if name == "bias.first"), "{error}");
}
