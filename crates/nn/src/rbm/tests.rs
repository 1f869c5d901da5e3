use super::*;
use crate::random::{normal, seeded, uniform};
use burn::tensor::Device;

fn normals(rng: &mut Rng, n: usize, deviation: f32) -> Vec<f32> {
    (0..n).map(|_| deviation * normal(rng)).collect()
}

fn coins(rng: &mut Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| f32::from(uniform(rng) < 0.4)).collect()
}

/// All states of `n` units.
fn states(n: usize) -> Vec<Vec<f32>> {
    (0..1u32 << n).map(|bits| (0..n).map(|k| (bits >> k & 1) as f32).collect()).collect()
}

#[test]
fn probabilities_sum_to_one_by_either_side() {
    let rng = &mut seeded(1);
    for (visible, hidden) in [(7, 4), (4, 7), (1, 1), (5, 0)] {
        let rbm = PackedRbm::new(visible, hidden, &normals(rng, visible * hidden, 1.0));
        let (bv, bh) = (normals(rng, visible, 1.0), normals(rng, hidden, 1.0));
        let log_z = rbm.log_partition_exact(&bv, &bh).unwrap();
        let total: f64 = states(visible).iter().map(|v| (-rbm.free_energies(v, &bv, &bh)[0] - log_z).exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{visible} x {hidden}: {total}");
    }
    let large = PackedRbm::new(21, 30, &[0.0; 630]);
    assert_eq!(large.log_partition_exact(&[0.0; 21], &[0.0; 30]), None);
}

#[test]
fn the_chain_draws_from_the_model() {
    let rng = &mut seeded(2);
    let (visible, hidden, rows) = (3, 4, 40_000);
    let rbm = PackedRbm::new(visible, hidden, &normals(rng, visible * hidden, 1.5));
    let (bv, bh) = (normals(rng, visible, 1.0), normals(rng, hidden, 1.0));
    let (many_bv, many_bh) = (bv.repeat(rows), bh.repeat(rows));
    let mut v = vec![0.0; rows * visible];
    rbm.gibbs(&mut v, &many_bv, &many_bh, Chain::plain(60, 9));
    let log_z = rbm.log_partition_exact(&bv, &bh).unwrap();
    for state in states(visible) {
        let exact = (-rbm.free_energies(&state, &bv, &bh)[0] - log_z).exp();
        let found = v.chunks(visible).filter(|row| **row == state[..]).count() as f64 / rows as f64;
        // Four standard deviations of a frequency.
        assert!(
            (found - exact).abs() < 4.0 * (exact * (1.0 - exact) / rows as f64).sqrt() + 1e-4,
            "{state:?}: {found} {exact}"
        );
    }
}

#[test]
fn one_step_is_the_transition_of_the_textbook() {
    let rng = &mut seeded(3);
    let (visible, hidden, rows) = (2, 2, 40_000);
    let w = normals(rng, 4, 1.5);
    let rbm = PackedRbm::new(visible, hidden, &w);
    let (bv, bh) = (normals(rng, 2, 1.0), normals(rng, 2, 1.0));
    let temperature = 1.7;
    let sigmoid = |x: f32| 1.0 / (1.0 + f64::from(-x / temperature).exp());
    let bernoulli = |p: f64, on: f32| if on == 1.0 { p } else { 1.0 - p };
    let start = [1.0, 0.0];
    let mut v = start.repeat(rows);
    rbm.gibbs(&mut v, &bv.repeat(rows), &bh.repeat(rows), Chain { steps: 1, temperature, seed: 4 });
    for to in states(visible) {
        let exact: f64 = states(hidden)
            .iter()
            .map(|h| {
                let up: f64 = (0..2)
                    .map(|j| bernoulli(sigmoid(bh[j] + w[2 * j] * start[0] + w[2 * j + 1] * start[1]), h[j]))
                    .product();
                let down: f64 =
                    (0..2).map(|i| bernoulli(sigmoid(bv[i] + w[i] * h[0] + w[2 + i] * h[1]), to[i])).product();
                up * down
            })
            .sum();
        let found = v.chunks(visible).filter(|row| **row == to[..]).count() as f64 / rows as f64;
        assert!((found - exact).abs() < 0.01, "{to:?}: {found} {exact}");
    }
}

#[test]
fn annealing_finds_the_partition_function_and_tells_its_error() {
    let rng = &mut seeded(5);
    let (visible, hidden, rows) = (30, 9, 24);
    let rbm = PackedRbm::new(visible, hidden, &normals(rng, visible * hidden, 0.7));
    let (bv, bh) = (normals(rng, rows * visible, 1.5), normals(rng, rows * hidden, 1.5));
    let (found, marginals) = rbm.log_partition(&bv, &bh, Annealing { chains: 40, temperatures: 300 }, 1);
    let mut squares = 0.0;
    for (row, estimate) in found.iter().enumerate() {
        let (bv, bh) = (&bv[row * visible..][..visible], &bh[row * hidden..][..hidden]);
        let exact = rbm.log_partition_exact(bv, bh).unwrap();
        let error = estimate.value - exact;
        assert!(error.abs() < 0.2 && estimate.variance < 0.01, "{row}: {error} {}", estimate.variance);
        squares += error * error / estimate.variance;
        // d ln Z / d bv_i is the probability of unit i.
        let moved = |by: f32| {
            let mut bv = bv.to_vec();
            bv[3] += by;
            rbm.log_partition_exact(&bv, bh).unwrap()
        };
        let probability = (moved(0.05) - moved(-0.05)) / 0.1;
        assert!((f64::from(marginals[row * visible + 3]) - probability).abs() < 0.1);
    }
    // Errors are as large as they are said to be.
    let ratio = squares / rows as f64;
    assert!((0.3..3.0).contains(&ratio), "{ratio}");
}

#[test]
fn more_temperatures_make_it_better() {
    let rng = &mut seeded(6);
    let (visible, hidden, rows) = (40, 12, 30);
    let rbm = PackedRbm::new(visible, hidden, &normals(rng, visible * hidden, 0.9));
    let (bv, bh) = (normals(rng, rows * visible, 1.0), normals(rng, rows * hidden, 1.0));
    let exact: Vec<f64> = (0..rows)
        .map(|r| rbm.log_partition_exact(&bv[r * visible..][..visible], &bh[r * hidden..][..hidden]).unwrap())
        .collect();
    let error = |temperatures| {
        let found = rbm.log_partition(&bv, &bh, Annealing { chains: 10, temperatures }, 2).0;
        found.iter().zip(&exact).map(|(found, exact)| (found.value - exact).powi(2)).sum::<f64>()
    };
    assert!(error(1000) < 0.3 * error(10), "{} {}", error(1000), error(10));
}

#[test]
fn neither_threads_nor_neighbours_change_a_row() {
    let rng = &mut seeded(7);
    let (visible, hidden, rows) = (88, 37, 300);
    let rbm = PackedRbm::new(visible, hidden, &normals(rng, visible * hidden, 0.3));
    let (bv, bh) = (normals(rng, rows * visible, 1.0), normals(rng, rows * hidden, 1.0));
    let start = coins(rng, rows * visible);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut v = start.clone();
            rbm.gibbs(&mut v, &bv, &bh, Chain::plain(3, 8));
            (v, rbm.log_partition(&bv, &bh, Annealing { chains: 5, temperatures: 7 }, 8))
        })
    };
    assert_eq!(run(1), run(3));
    let mut few = start[..2 * visible].to_vec();
    rbm.gibbs(&mut few, &bv[..2 * visible], &bh[..2 * hidden], Chain::plain(3, 8));
    assert_eq!(few, run(2).0[..2 * visible]);
}

#[test]
fn the_node_equals_burns_own_operations_with_every_gradient() {
    let device = Device::flex().autodiff();
    let rng = &mut seeded(10);
    for (rows, visible, hidden) in [(1, 1, 1), (5, 88, 30), (150, 12, 40)] {
        let rbm = Rbm::new(visible, hidden, 0.5, rng, &device);
        let mut tensor = |shape: [usize; 2]| {
            let values = normals(rng, shape[0] * shape[1], 1.0);
            Tensor::<2>::from_data(TensorData::new(values, shape), &device).require_grad()
        };
        let (bv, bh) = (tensor([rows, visible]), tensor([rows, hidden]));
        let data = coins(rng, rows * visible);
        let mut weights: Vec<f32> = (0..rows).map(|_| 0.5 + uniform(rng)).collect();
        weights[rows / 2] = if rows > 1 { 0.0 } else { 1.0 };
        let contrast = Contrast { data: &data, weights: &weights, steps: 2, seed: 3 };
        let mut sample = data.clone();
        let packed = PackedRbm::from(&rbm);
        packed.gibbs(&mut sample, &values_of(bv.clone()), &values_of(bh.clone()), Chain::plain(2, 3));
        let run = |loss: Tensor<1>| {
            let grads = (loss.clone() * 2.0).backward();
            [
                values_of(loss),
                values_of(rbm.weight.val().grad(&grads).unwrap()),
                values_of(bv.grad(&grads).unwrap()),
                values_of(bh.grad(&grads).unwrap()),
            ]
        };
        let fused = run(rbm.contrastive_divergence(bv.clone(), bh.clone(), contrast));
        let plain = run(rbm.reference(bv.clone(), bh.clone(), &data, &sample, &weights));
        for (k, (a, b)) in fused.iter().zip(&plain).enumerate() {
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{rows} x {visible} x {hidden}, output {k}: {worst}");
        }
    }
}

#[test]
fn descending_on_the_divergence_raises_the_exact_likelihood() {
    use crate::optimizer::{Optimizer, Rule};
    #[derive(Module, Debug)]
    struct Model {
        rbm: Rbm,
        bv: Param<Tensor<2>>,
        bh: Param<Tensor<2>>,
    }
    let device = Device::flex().autodiff();
    let rng = &mut seeded(11);
    let (visible, hidden, rows) = (6, 8, 64);
    let zeros = |n: usize| Param::from_data(TensorData::new(vec![0.0f32; n], [1, n]), &device);
    let mut model = Model { rbm: Rbm::new(visible, hidden, 0.1, rng, &device), bv: zeros(visible), bh: zeros(hidden) };
    // Two patterns and their shadows: no independent units can tell them.
    let patterns = [[1.0, 1.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]];
    let data: Vec<f32> = (0..rows).flat_map(|r| patterns[r % 2]).collect();
    let nats = |model: &Model| {
        let packed = PackedRbm::from(&model.rbm);
        let (bv, bh) = (values_of(model.bv.val()), values_of(model.bh.val()));
        let log_z = packed.log_partition_exact(&bv, &bh).unwrap();
        patterns.iter().map(|v| packed.free_energies(v, &bv, &bh)[0] + log_z).sum::<f64>() / 2.0
    };
    let before = nats(&model);
    let mut optimizer = Optimizer::new(Rule::adam());
    for step in 0..300 {
        let contrast = Contrast { data: &data, weights: &vec![1.0; rows], steps: 5, seed: step };
        let bv = model.bv.val().repeat_dim(0, rows);
        let bh = model.bh.val().repeat_dim(0, rows);
        let loss = model.rbm.contrastive_divergence(bv, bh, contrast);
        model = optimizer.step(model, loss.backward(), 0.02).0;
    }
    let after = nats(&model);
    assert!((before - 6.0 * 2f64.ln()).abs() < 0.2 && after < 1.1, "{before} -> {after} (least: {})", 2f64.ln());
}

/// Two machines of 6, 5 and 4 units, and biases of a row.
fn deep(seed: u64) -> ((PackedRbm, PackedRbm), [Vec<f32>; 4]) {
    let rng = &mut seeded(seed);
    let (lower, upper) = (PackedRbm::new(6, 5, &normals(rng, 30, 1.0)), PackedRbm::new(5, 4, &normals(rng, 20, 1.0)));
    let biases = [6, 5, 5, 4].map(|units| normals(rng, units, 0.7));
    ((lower, upper), biases)
}

fn biases(of: &[Vec<f32>; 4]) -> DeepBiases<'_> {
    DeepBiases { visible: &of[0], hidden: &of[1], middle: &of[2], top: &of[3] }
}

#[test]
fn the_bound_of_two_machines_is_under_their_likelihood_and_more_draws_bring_it_nearer() {
    for seed in [1, 2, 3] {
        let ((lower, upper), of) = deep(seed);
        let log_z = upper.log_partition_exact(&of[2], &of[3]).unwrap();
        let exact = |v: &[f32]| -> f64 {
            let given = |h: &Vec<f32>| {
                let inputs = lower.visible_inputs(h, &of[0]);
                let unit = |(v, x): (&f32, &f32)| f64::from(v * x) - f64::from(*x).exp().ln_1p();
                let log = v.iter().zip(&inputs).map(unit).sum::<f64>();
                (log - upper.free_energies(h, &of[2], &of[3])[0] - log_z).exp()
            };
            states(5).iter().map(given).sum()
        };
        let all = states(6);
        let total: f64 = all.iter().map(|v| exact(v)).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
        // The mean over many judgements: each by so many draws.
        let bound = |v: &[f32], samples: usize| {
            let rows = (60_000 / samples).min(6000);
            let many: Vec<Vec<f32>> = of.iter().map(|biases| biases.repeat(rows)).collect();
            let many = [many[0].clone(), many[1].clone(), many[2].clone(), many[3].clone()];
            let found = log_bounds((&lower, &upper), &v.repeat(rows), biases(&many), samples, 5);
            found.iter().sum::<f64>() / rows as f64 - log_z
        };
        for v in all.iter().step_by(7) {
            let exact = exact(v).ln();
            let [one, some, many] = [1, 10, 100].map(|samples| bound(v, samples));
            assert!(one < some + 0.02 && some < many + 0.02 && many < exact + 0.02, "{one} {some} {many} {exact}");
            assert!(exact - many < 0.2 && one < exact - 0.05, "{one} {many} {exact}");
        }
    }
}

#[test]
fn an_upper_machine_that_is_the_lower_one_upside_down_changes_nothing() {
    let rng = &mut seeded(8);
    let weight = normals(rng, 30, 1.0);
    let upside_down: Vec<f32> = (0..30).map(|k| weight[k % 5 * 6 + k / 5]).collect();
    let (lower, upper) = (PackedRbm::new(6, 5, &weight), PackedRbm::new(5, 6, &upside_down));
    let (bv, bh) = (normals(rng, 6, 1.0), normals(rng, 5, 1.0));
    let biases = DeepBiases { visible: &bv, hidden: &bh, middle: &bh, top: &bv };
    let log_z = lower.log_partition_exact(&bv, &bh).unwrap();
    assert!((upper.log_partition_exact(&bh, &bv).unwrap() - log_z).abs() < 1e-6);
    for v in states(6) {
        let found = log_bounds((&lower, &upper), &v, biases, 1, 3)[0] - log_z;
        let expected = -lower.free_energies(&v, &bv, &bh)[0] - log_z;
        assert!((found - expected).abs() < 1e-4, "{v:?}: {found} {expected}");
    }
}
