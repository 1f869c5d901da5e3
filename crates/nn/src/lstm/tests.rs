use super::*;
use crate::random::{normal, seeded};
use burn::tensor::Tensor;

/// Values of a tensor of any rank.
pub(crate) fn plain<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.inner().into_data().try_into_vec().unwrap()
}

fn normals(rng: &mut Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| normal(rng)).collect()
}

fn tensor3(values: &[f32], shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn random_state(rng: &mut Rng, batch: usize, hidden: usize) -> LstmState {
    LstmState { batch, hidden, h: normals(rng, batch * hidden), c: normals(rng, batch * hidden) }
}

/// The largest difference, relative to the largest value.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / scale
}

struct Run {
    y: Vec<f32>,
    state: LstmState,
    gradients: [Vec<f32>; 4],
}

fn run(lstm: &Lstm, x: &[f32], shape: [usize; 3], state: &LstmState, direction: &[f32], fused: bool) -> Run {
    let device = lstm.w_ih.device();
    let x = tensor3(x, shape, &device).require_grad();
    let (y, state) = if fused { lstm.forward(x.clone(), state) } else { lstm.forward_reference(x.clone(), state) };
    let direction = tensor3(direction, y.dims(), &device);
    let grads = (y.clone() * direction).sum().backward();
    let gradients = [
        plain(x.grad(&grads).unwrap()),
        plain(lstm.w_ih.val().grad(&grads).unwrap()),
        plain(lstm.w_hh.val().grad(&grads).unwrap()),
        plain(lstm.bias.val().grad(&grads).unwrap()),
    ];
    Run { y: plain(y), state, gradients }
}

const SHAPES: [(usize, usize, usize, usize); 8] = [
    (7, 5, 3, 11),
    (1, 1, 1, 1),
    (1, 4, 6, 9),
    (13, 50, 20, 33),
    (3, 300, 18, 24),
    (5, 2, 40, 64),
    (4, 1, 33, 40),
    (3, 700, 7, 12),
];

#[test]
fn equals_burns_own_operations_with_every_gradient() {
    let device = Device::flex().autodiff();
    for (t, b, i, h) in SHAPES {
        for carried in [false, true] {
            let rng = &mut seeded((t * 1000 + b) as u64);
            let lstm = Lstm::new(i, h, rng, &device);
            let x = normals(rng, t * b * i);
            let state = if carried { random_state(rng, b, h) } else { LstmState::zeros(b, h) };
            let direction = normals(rng, t * b * h);
            let fused = run(&lstm, &x, [t, b, i], &state, &direction, true);
            let reference = run(&lstm, &x, [t, b, i], &state, &direction, false);
            let name = format!("T{t} B{b} I{i} H{h}");
            assert!(distance(&fused.y, &reference.y) < 1e-5, "{name}: outputs");
            assert!(distance(&fused.state.h, &reference.state.h) < 1e-5, "{name}: h");
            assert!(distance(&fused.state.c, &reference.state.c) < 1e-5, "{name}: c");
            for (at, (a, b)) in fused.gradients.iter().zip(&reference.gradients).enumerate() {
                assert!(distance(a, b) < 1e-5, "{name}: gradient {at}: {}", distance(a, b));
            }
        }
    }
}

#[test]
fn what_is_added_has_the_effect_and_the_gradient_of_burns_own_operations() {
    let device = Device::flex().autodiff();
    for (t, b, at) in [(4, 6, 1), (4, 6, 4), (1, 3, 1), (3, 700, 1), (3, 700, 3)] {
        let (i, h) = (5, 12);
        let rng = &mut seeded(21);
        let lstm = Lstm::new(i, h, rng, &device);
        let (x, state) = (tensor3(&normals(rng, t * b * i), [t, b, i], &device), random_state(rng, b, h));
        let added = tensor3(&normals(rng, at * b * 4 * h), [at, b, 4 * h], &device).require_grad();
        let direction = tensor3(&normals(rng, t * b * h), [t, b, h], &device);
        let run = |fused| {
            let (y, state) = lstm.run(x.clone(), Some(added.clone()), &state, fused);
            let grads = (y.clone() * direction.clone()).sum().backward();
            (plain(y), state.c, plain(added.grad(&grads).unwrap()), plain(lstm.w_ih.val().grad(&grads).unwrap()))
        };
        let (fused, reference) = (run(true), run(false));
        assert!(distance(&fused.0, &reference.0) < 1e-5, "{t} {b} {at}: outputs");
        assert!(distance(&fused.1, &reference.1) < 1e-5, "{t} {b} {at}: cells");
        assert!(distance(&fused.2, &reference.2) < 1e-5, "{t} {b} {at}: gradient of what is added");
        assert!(distance(&fused.3, &reference.3) < 1e-5, "{t} {b} {at}: gradient of the weights");
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let device = Device::flex().autodiff();
    let (t, b, i, h) = (4, 3, 2, 5);
    let rng = &mut seeded(5);
    let lstm = Lstm::new(i, h, rng, &device);
    let (x, state, direction) = (normals(rng, t * b * i), random_state(rng, b, h), normals(rng, t * b * h));
    let exact = run(&lstm, &x, [t, b, i], &state, &direction, true).gradients;
    let parameters = [x, plain(lstm.w_ih.val()), plain(lstm.w_hh.val()), plain(lstm.bias.val())];
    let shape = kernel::Shape { steps: t, batch: b, input: i, hidden: h };
    let loss = |p: &[Vec<f32>; 4]| -> f64 {
        let w = kernel::Weights { w_ih: &p[1], w_hh: &p[2], bias: &p[3] };
        let (y, _, _) = kernel::forward::<f32>(shape, &p[0], None, w, &state.h, &state.c);
        y.iter().zip(&direction).map(|(y, d)| f64::from(*y) * f64::from(*d)).sum()
    };
    for which in 0..4 {
        for at in 0..parameters[which].len() {
            let moved = |by: f32| {
                let mut p = parameters.clone();
                p[which][at] += by;
                loss(&p)
            };
            let e = 4e-3;
            let numeric = (moved(e) - moved(-e)) / (2.0 * f64::from(e));
            let error = (numeric - f64::from(exact[which][at])).abs();
            assert!(error < 2e-3 * numeric.abs().max(1.0), "parameter {which} at {at}: {numeric} {error}");
        }
    }
}

#[test]
fn stepping_equals_the_whole_sequence_bit_for_bit() {
    let device = Device::flex();
    for (t, b, i, h) in SHAPES {
        let rng = &mut seeded(8);
        let lstm = Lstm::new(i, h, rng, &device);
        let (x, start) = (normals(rng, t * b * i), random_state(rng, b, h));
        let (whole, last) = lstm.forward(tensor3(&x, [t, b, i], &device), &start);
        let (mut state, mut steps) = (start, Vec::new());
        for x in x.chunks(b * i) {
            let (y, next) = lstm.forward(tensor3(x, [1, b, i], &device), &state);
            steps.extend(plain(y));
            state = next;
        }
        assert_eq!(plain(whole), steps);
        assert_eq!(last, state);
        assert_eq!(&steps[(t - 1) * b * h..], &last.h);
    }
}

#[test]
fn a_row_does_not_see_the_others() {
    let device = Device::flex().autodiff();
    let (t, b, i, h) = (6, 9, 4, 12);
    let rng = &mut seeded(9);
    let lstm = Lstm::new(i, h, rng, &device);
    let (x, state, direction) = (normals(rng, t * b * i), random_state(rng, b, h), normals(rng, t * b * h));
    let together = run(&lstm, &x, [t, b, i], &state, &direction, true);
    for row in 0..b {
        let pick = |v: &[f32], n: usize| -> Vec<f32> {
            v.chunks(b * n).flat_map(|step| step[row * n..(row + 1) * n].to_vec()).collect()
        };
        let own = LstmState { batch: 1, hidden: h, h: pick(&state.h, h), c: pick(&state.c, h) };
        let alone = run(&lstm, &pick(&x, i), [t, 1, i], &own, &pick(&direction, h), true);
        assert_eq!(alone.y, pick(&together.y, h));
        assert_eq!(alone.state.c, pick(&together.state.c, h));
        assert_eq!(alone.gradients[0], pick(&together.gradients[0], i));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let device = Device::flex().autodiff();
    for (t, b, i, h) in [(5, 7, 6, 40), (3, 300, 5, 16), (3, 700, 5, 16)] {
        let rng = &mut seeded(10);
        let lstm = Lstm::new(i, h, rng, &device);
        let (x, state, direction) = (normals(rng, t * b * i), random_state(rng, b, h), normals(rng, t * b * h));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let r = pool.install(|| run(&lstm, &x, [t, b, i], &state, &direction, true));
            (r.y, r.gradients)
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(16));
    }
}

#[test]
fn no_steps_and_no_rows() {
    let device = Device::flex();
    let lstm = Lstm::new(3, 4, &mut seeded(1), &device);
    let state = random_state(&mut seeded(2), 2, 4);
    let (y, after) = lstm.forward(Tensor::zeros([0, 2, 3], &device), &state);
    assert_eq!((y.dims(), after), ([0, 2, 4], state));
    let (y, after) = lstm.forward(Tensor::zeros([5, 0, 3], &device), &LstmState::zeros(0, 4));
    assert_eq!((y.dims(), after), ([5, 0, 4], LstmState::zeros(0, 4)));
}

#[test]
fn a_row_can_be_reset() {
    let mut state = random_state(&mut seeded(3), 3, 2);
    let before = state.clone();
    state.reset_row(1);
    assert_eq!((&state.h[2..4], &state.c[2..4]), (&[0.0; 2][..], &[0.0; 2][..]));
    assert_eq!((&state.h[4..], &state.c[..2]), (&before.h[4..], &before.c[..2]));
}

#[test]
fn half_precision_is_near_single_precision_with_every_gradient() {
    let device = Device::flex().autodiff();
    for (t, b, i, h) in SHAPES {
        let rng = &mut seeded((t * 1000 + b) as u64);
        let lstm = Lstm::new(i, h, rng, &device);
        let (x, state) = (normals(rng, t * b * i), random_state(rng, b, h));
        let direction = normals(rng, t * b * h);
        let exact = run(&lstm, &x, [t, b, i], &state, &direction, true);
        let half = run(&lstm.with_precision(Precision::Half), &x, [t, b, i], &state, &direction, true);
        let name = format!("T{t} B{b} I{i} H{h}");
        // 8 bits of mantissa: each factor is off by 2^-9 at most.
        assert!(distance(&half.y, &exact.y) < 1e-2, "{name}: outputs {}", distance(&half.y, &exact.y));
        assert_eq!(half.y == exact.y, !Precision::Half.is_paired(), "{name}");
        for (at, (a, b)) in half.gradients.iter().zip(&exact.gradients).enumerate() {
            assert!(distance(a, b) < 3e-2, "{name}: gradient {at}: {}", distance(a, b));
        }
    }
}

/// The kernel itself with pairs, whatever the processor: rounding what is multiplied first gives the same with exact products.
#[test]
fn products_of_pairs_are_those_of_rounded_numbers() {
    for (t, b, i, h) in SHAPES {
        let rng = &mut seeded((t * 1000 + b) as u64);
        let shape = kernel::Shape { steps: 1, batch: b, input: i, hidden: h };
        let rounded = |values: Vec<f32>| -> Vec<f32> {
            values.iter().map(|v| crate::simd::Pair::values(crate::simd::Pair::new(*v, 0.0).bits())[0]).collect()
        };
        let (x, h0) = (rounded(normals(rng, b * i)), rounded(normals(rng, b * h)));
        let (w_ih, w_hh) = (rounded(normals(rng, 4 * h * i)), rounded(normals(rng, 4 * h * h)));
        let (bias, c0) = (normals(rng, 4 * h), normals(rng, b * h));
        let w = kernel::Weights { w_ih: &w_ih, w_hh: &w_hh, bias: &bias };
        let (single, _, _) = kernel::forward::<f32>(shape, &x, None, w, &h0, &c0);
        let (half, _, _) = kernel::forward::<crate::simd::Pair>(shape, &x, None, w, &h0, &c0);
        assert!(distance(&half, &single) < 1e-5, "B{b} I{i} H{h}: {}", distance(&half, &single));
    }
}

#[test]
fn half_precision_steps_as_it_runs_and_does_not_depend_on_threads() {
    let device = Device::flex().autodiff();
    let (t, b, i, h) = (9, 50, 7, 33);
    let rng = &mut seeded(3);
    let lstm = Lstm::new(i, h, rng, &device).with_precision(Precision::Half);
    let x = normals(rng, t * b * i);
    let forward = |x: &[f32], steps, state: &LstmState| {
        let (y, state) = lstm.forward(tensor3(x, [steps, b, i], &device), state);
        (plain(y), state)
    };
    let start = random_state(rng, b, h);
    let (whole, last) = forward(&x, t, &start);
    let mut state = start.clone();
    for (step, x) in x.chunks(b * i).enumerate() {
        let (y, after) = forward(x, 1, &state);
        assert_eq!(y, whole[step * b * h..(step + 1) * b * h], "step {step}");
        state = after;
    }
    assert_eq!(state, last);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| forward(&x, t, &start)).0, whole);
}
