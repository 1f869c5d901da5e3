use super::kernel::{OwnedTargets, Shape, Weights};
use super::*;
use crate::params::values_of;
use crate::random::{below, normal, seeded, uniform};
use burn::tensor::TensorData;

/// A problem of its own data: features, sets, weights, chances.
struct Case {
    shape: [usize; 3],
    items: usize,
    voices: usize,
    rule: Rule,
    features: Vec<f32>,
    sets: Vec<u32>,
    weights: Vec<f32>,
    chances: Vec<f32>,
}

impl Case {
    fn new(shape: [usize; 3], items: usize, voices: usize, rule: Rule, seed: u64) -> Case {
        let rng = &mut seeded(seed);
        let [steps, batch, width] = shape;
        Case {
            shape,
            items,
            voices,
            rule,
            features: (0..steps * batch * width).map(|_| normal(rng)).collect(),
            sets: (0..steps * batch).map(|_| below(rng, 1 << items) as u32).collect(),
            weights: (0..steps * batch).map(|n| if n % 4 == 3 { 0.0 } else { 0.5 + uniform(rng) }).collect(),
            chances: (0..steps * batch * voices).map(|_| uniform(rng)).collect(),
        }
    }

    fn targets(&self) -> Targets<'_> {
        Targets {
            items: self.items,
            voices: self.voices,
            rule: self.rule,
            sets: &self.sets,
            weights: &self.weights,
            chances: &self.chances,
        }
    }

    fn tensor(&self, device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(self.features.clone(), self.shape), device)
    }

    fn voices(&self, hidden: usize, device: &Device) -> Voices {
        let rng = &mut seeded(77);
        let mut voices = Voices::new(self.shape[2], self.items, hidden, self.rule, rng, device);
        // Sharp distributions and no zeros, so that every path of the gradient carries something.
        for (parameter, scale) in [(&mut voices.outcome.bias, 1.0), (&mut voices.lstm.bias, 0.3)] {
            let n = parameter.dims()[0];
            let drawn: Vec<f32> = (0..n).map(|_| scale * normal(rng)).collect();
            *parameter = burn::module::Param::from_data(TensorData::new(drawn, [n]), device);
        }
        voices
    }
}

const CASES: [([usize; 3], usize, usize, usize); 5] = [
    ([1, 1, 1], 1, 1, 1),
    ([5, 3, 4], 3, 2, 6),
    ([6, 9, 7], 12, 5, 11),
    ([3, 40, 5], 12, 12, 16),
    ([4, 2, 33], 16, 16, 10),
];

const RULES: [Rule; 2] = [Rule::Final, Rule::Ordered];

/// The largest difference, relative to the largest value.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / scale
}

#[test]
fn equals_burns_own_operations_with_every_gradient() {
    let device = Device::flex().autodiff();
    for (shape, items, voices, hidden) in CASES {
        for rule in RULES {
            let case = Case::new(shape, items, voices, rule, 5);
            let network = case.voices(hidden, &device);
            let run = |fused: bool| {
                let features = case.tensor(&device).require_grad();
                let (loss, found) = match fused {
                    true => network.forward(features.clone(), case.targets()),
                    false => network.forward_reference(features.clone(), case.targets()),
                };
                let grads = (loss.clone() * 3.0).backward();
                let gradients = [
                    values_of(features.grad(&grads).unwrap()),
                    values_of(network.lstm.w_ih.val().grad(&grads).unwrap()),
                    values_of(network.lstm.w_hh.val().grad(&grads).unwrap()),
                    values_of(network.lstm.bias.val().grad(&grads).unwrap()),
                    values_of(network.outcome.weight.val().grad(&grads).unwrap()),
                    values_of(network.outcome.bias.val().grad(&grads).unwrap()),
                ];
                (values_of(loss)[0], found, gradients)
            };
            let ((a, fa, ga), (b, fb, gb)) = (run(true), run(false));
            let name = format!("{shape:?} {items} items {voices} voices {rule:?}");
            assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{name}: {a} {b}");
            assert!(distance(&fa.nats, &fb.nats) < 1e-4, "{name}: nats");
            assert_eq!((fa.figures.correct, fa.figures.counted), (fb.figures.correct, fb.figures.counted), "{name}");
            assert!((fa.figures.nats - fb.figures.nats).abs() < 1e-4 * fb.figures.nats, "{name}");
            for (at, (a, b)) in ga.iter().zip(&gb).enumerate() {
                assert!(b.iter().any(|g| *g != 0.0) || items == 1, "{name}: gradient {at} is zero throughout");
                assert!(distance(a, b) < 2e-4, "{name}: gradient {at}: {}", distance(a, b));
            }
            // Without a graph the same figures.
            assert_eq!(network.valid().forward(case.tensor(&Device::flex()), case.targets()).1, fa);
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let device = Device::flex().autodiff();
    for rule in RULES {
        let case = Case::new([4, 3, 3], 5, 3, rule, 8);
        let network = case.voices(6, &device);
        let features = case.tensor(&device).require_grad();
        let grads = network.forward(features.clone(), case.targets()).0.backward();
        let exact = [
            values_of(features.grad(&grads).unwrap()),
            values_of(network.lstm.w_ih.val().grad(&grads).unwrap()),
            values_of(network.lstm.w_hh.val().grad(&grads).unwrap()),
            values_of(network.lstm.bias.val().grad(&grads).unwrap()),
            values_of(network.outcome.weight.val().grad(&grads).unwrap()),
            values_of(network.outcome.bias.val().grad(&grads).unwrap()),
        ];
        let parameters = [
            case.features.clone(),
            values_of(network.lstm.w_ih.val()),
            values_of(network.lstm.w_hh.val()),
            values_of(network.lstm.bias.val()),
            values_of(network.outcome.weight.val()),
            values_of(network.outcome.bias.val()),
        ];
        let targets = OwnedTargets::from(case.targets());
        let shape = Shape { steps: 4, batch: 3, features: 3, items: 5, hidden: 6, voices: 3, rule };
        let loss = |p: &[Vec<f32>; 6]| -> f64 {
            let w = Weights { w_ih: &p[1], w_hh: &p[2], bias: &p[3], w_out: &p[4], b_out: &p[5] };
            let figures = kernel::forward(shape, &p[0], w, &targets).1.figures;
            figures.nats / figures.counted
        };
        for which in 0..parameters.len() {
            for at in 0..parameters[which].len() {
                let moved = |by: f32| {
                    let mut p = parameters.clone();
                    p[which][at] += by;
                    loss(&p)
                };
                let e = 2e-3;
                let numeric = (moved(e) - moved(-e)) / (2.0 * f64::from(e));
                let error = (numeric - f64::from(exact[which][at])).abs();
                assert!(error < 2e-3 * numeric.abs().max(1.0), "{rule:?} parameter {which} at {at}: {numeric} {error}");
            }
        }
    }
}

#[test]
fn no_decided_item_is_drawn_again_and_the_rest_sum_to_one() {
    let rng = &mut seeded(3);
    let items = 12;
    for _ in 0..200 {
        let mut row = outcome::FinalRow::new(items, items);
        let mut decided = Decided::default();
        for v in 0..items {
            let logits: Vec<f32> = (0..2 * items).map(|_| 6.0 * normal(rng)).collect();
            let drawn = row.voice(crate::simd::Level::detect(), v, &logits, decided, uniform(rng));
            assert!(allowed(drawn, decided, items, Rule::Final), "{drawn} after {decided:?}");
            let q = row.distribution(v);
            assert!((q.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            for (outcome, share) in q.iter().enumerate() {
                assert_eq!(*share == 0.0, !allowed(outcome, decided, items, Rule::Final), "{outcome}: {share}");
            }
            decided = decided.with(drawn, items, Rule::Final);
            assert_eq!(decided.inside & decided.outside, 0);
            assert_eq!(decided.all().count_ones() as usize, v + 1);
        }
    }
}

#[test]
fn draws_follow_the_distribution() {
    let items = 3;
    let logits = [0.0, 1.0, -1.0, 0.5, 2.0, 0.2];
    let decided = Decided { inside: 0, outside: 0b100 };
    let weights: Vec<f64> = (0..6).map(|k| if k % 3 == 2 { 0.0 } else { f64::from(logits[k]).exp() }).collect();
    let (rng, draws) = (&mut seeded(4), 40_000);
    let mut counts = [0.0; 6];
    for _ in 0..draws {
        let mut row = outcome::FinalRow::new(items, 1);
        let drawn = row.voice(crate::simd::Level::detect(), 0, &logits, decided, uniform(rng));
        counts[drawn] += 1.0 / f64::from(draws);
    }
    for (count, weight) in counts.iter().zip(&weights) {
        assert!((count - weight / weights.iter().sum::<f64>()).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn the_exact_rule_sums_to_one_over_all_sets_of_twelve() {
    let device = Device::flex();
    for voices in [1, 2, 5, 12] {
        let all = 1 << 12;
        // Every row reads the same two steps, and then another one of the 4,096 sets.
        let mut case = Case::new([3, all, 6], 12, voices, Rule::Ordered, 6);
        for t in 0..3 {
            let first = case.features[t * all * 6..t * all * 6 + 6].to_vec();
            case.features[t * all * 6..(t + 1) * all * 6]
                .chunks_exact_mut(6)
                .for_each(|row| row.copy_from_slice(&first));
            for (set, row) in case.sets[t * all..(t + 1) * all].iter_mut().enumerate() {
                *row = if t == 2 { set as u32 } else { 0b1001_0001_0000 >> t };
            }
        }
        let network = case.voices(9, &device);
        let nats = network.forward(case.tensor(&device), case.targets()).1.nats;
        let total: f64 = nats[2 * all..].iter().map(|nats| (-f64::from(*nats)).exp()).sum();
        assert!((total - 1.0).abs() < 1e-4, "{voices} voices: {total}");
        assert!(nats[2 * all..].iter().any(|n| (n - nats[2 * all]).abs() > 0.5), "the sets are not told apart");
    }
}

#[test]
fn nothing_known_costs_the_uniform_distribution() {
    // Weights of zero: q is uniform, whatever the features.
    let (items, voices) = (12, 5);
    for rule in RULES {
        let case = Case::new([2, 3, 4], items, voices, rule, 9);
        let shape = Shape { steps: 2, batch: 3, features: 4, items, hidden: 8, voices, rule };
        let (w_ih, w_hh, w_out) = (vec![0.0; 32 * 28], vec![0.0; 32 * 8], vec![0.0; 24 * 8]);
        let outcomes = rule.outcomes(items);
        let w = Weights {
            w_ih: &w_ih,
            w_hh: &w_hh,
            bias: &[0.0; 32],
            w_out: &w_out[..outcomes * 8],
            b_out: &vec![0.0; outcomes],
        };
        let found = kernel::forward(shape, &case.features, w, &OwnedTargets::from(case.targets())).1;
        if rule == Rule::Final {
            // Until it is decided, an item has 1 / (2 (12 - v)) at voice v for either side; a decided one no more. Five voices decide
            // five items, the others have seen all five shares.
            for (nats, set) in found.nats.iter().zip(&case.sets) {
                let per_voice: Vec<f64> = (0..voices).map(|v| 1.0 / (2.0 * (items - v) as f64)).collect();
                let cost = |seen: usize, inside: bool| {
                    let open: f64 = per_voice[..seen].iter().map(|q| 1.0 - q).product();
                    let p = (1.0 - open) * open;
                    -(if inside { p } else { 1.0 - p }).ln()
                };
                // The cheapest and the dearest way in which the five decided items can lie among the voices.
                let bounds = |pick: fn(f64, f64) -> f64| -> f64 {
                    (0..items)
                        .map(|k| (1..=voices).map(|seen| cost(seen, set >> k & 1 == 1)).reduce(pick).unwrap())
                        .sum()
                };
                assert!((bounds(f64::min)..=bounds(f64::max)).contains(&f64::from(*nats)), "{nats}");
            }
        } else {
            for (nats, set) in found.nats.iter().zip(&case.sets) {
                let mut expected = 0.0f64;
                let (mut open, mut left) = (0, *set);
                for v in 0..voices {
                    if v + 1 == voices {
                        expected += (items - open) as f64 * 2f64.ln();
                        break;
                    }
                    expected += ((items - open + 1) as f64).ln();
                    if left == 0 {
                        break;
                    }
                    open = left.trailing_zeros() as usize + 1;
                    left &= left - 1;
                }
                assert!((f64::from(*nats) - expected).abs() < 1e-4, "{set:b}: {nats} {expected}");
            }
        }
    }
}

#[test]
fn rows_are_alone_and_the_number_of_threads_changes_nothing() {
    let device = Device::flex().autodiff();
    for rule in RULES {
        let case = Case::new([5, 11, 6], 12, 4, rule, 12);
        let network = case.voices(10, &device);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let features = case.tensor(&device).require_grad();
                let (loss, found) = network.forward(features.clone(), case.targets());
                let grads = loss.backward();
                let weights = values_of(network.lstm.w_ih.val().grad(&grads).unwrap());
                (found, values_of(features.grad(&grads).unwrap()), weights)
            })
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(7));
        for r in 0..11 {
            let pick = |width: usize| move |chunk: &[f32]| chunk[r * width..(r + 1) * width].to_vec();
            let alone = Case {
                shape: [5, 1, 6],
                features: case.features.chunks_exact(11 * 6).flat_map(pick(6)).collect(),
                sets: case.sets.chunks_exact(11).map(|sets| sets[r]).collect(),
                weights: vec![1.0; 5],
                chances: case.chances.chunks_exact(11).map(|chances| chances[r]).collect(),
                ..case
            };
            let found = network.valid().forward(alone.tensor(&Device::flex()), alone.targets()).1.nats;
            let together: Vec<f32> = one.0.nats.chunks_exact(11).map(|nats| nats[r]).collect();
            assert_eq!(found, together);
        }
    }
}

#[test]
fn a_bad_number_shows_and_padding_does_not() {
    let device = Device::flex();
    for rule in RULES {
        let mut case = Case::new([2, 4, 3], 6, 3, rule, 13);
        let network = case.voices(5, &device);
        let before = network.forward(case.tensor(&device), case.targets()).1.figures;
        // Row 3 has weight zero at both steps.
        case.features[3 * 3] = 1e6;
        case.sets[3] = 0;
        assert_eq!(network.forward(case.tensor(&device), case.targets()).1.figures, before);
        case.features[0] = f32::NAN;
        assert!(!network.forward(case.tensor(&device), case.targets()).1.figures.nats.is_finite());
    }
}

#[test]
fn hopeless_logits_cost_much_and_stay_finite() {
    let (items, voices) = (12, 5);
    for rule in RULES {
        let case = Case::new([1, 6, 1], items, voices, rule, 14);
        let shape = Shape { steps: 1, batch: 6, features: 1, items, hidden: 1, voices, rule };
        let outcomes = rule.outcomes(items);
        let b_out: Vec<f32> = (0..outcomes).map(|k| if k % 2 == 0 { 3e4 } else { -3e4 }).collect();
        let w = Weights {
            w_ih: &vec![0.0; 4 * 25],
            w_hh: &[0.0; 4],
            bias: &[0.0; 4],
            w_out: &vec![0.0; outcomes],
            b_out: &b_out,
        };
        let targets = OwnedTargets::from(case.targets());
        let (saved, found) = kernel::forward(shape, &case.features, w, &targets);
        assert!(found.nats.iter().all(|nats| nats.is_finite() && *nats >= -1e-4), "{:?}", found.nats);
        let g = kernel::backward(shape, &case.features, w, saved, 1.0, true);
        assert!(g.b_out.iter().chain(g.w_ih.iter()).all(|g| g.is_finite()));
    }
}
