use super::*;
use crate::params::{load_parameters, named_parameters};
use crate::random::{below, normal, seeded, uniform};

const FEATURES: usize = 5;

fn shape() -> CascadeShape {
    CascadeShape {
        features: FEATURES,
        hidden: 7,
        choices: vec![
            ChoiceShape { classes: 4, known: 3 },
            ChoiceShape { classes: 20, known: 6 },
            ChoiceShape { classes: 5, known: 0 },
        ],
        keys: Some(KeyShape { choice: 1, channels: 16, reach: 4, sources: 2 }),
        kinds: 8,
        marks: 3,
    }
}

fn head(shape: CascadeShape, seed: u64, device: &Device) -> CascadeHead {
    let frequencies: Vec<Vec<f32>> = shape.choices.iter().map(|c| vec![1.0 / c.classes as f32; c.classes]).collect();
    let scores: Vec<f32> = (0..shape.kinds).map(|k| 0.3 * k as f32).collect();
    let head = CascadeHead::new(shape, &frequencies, &scores, &mut seeded(seed), device);
    // Away from what begins as nothing, so that nothing is tested at a place of its own.
    let rng = &mut seeded(seed ^ 1);
    let mut values: Vec<_> = named_parameters(&head);
    for (_, _, values) in &mut values {
        values.iter_mut().for_each(|x| *x += 0.2 * (uniform(rng) - 0.5));
    }
    let find = |name: &str| values.iter().find(|p| p.0 == name).map(|p| (p.1.clone(), p.2.clone()));
    let head = load_parameters(head, find).unwrap();
    // A gate that is neither open nor shut.
    let open = |name: &str| {
        let (shape, mut values) = find(name)?;
        if name == "copying.sentinel.bias" {
            values.fill(-1.0);
        }
        Some((shape, values))
    };
    load_parameters(head, open).unwrap()
}

fn sight(rng: &mut Rng) -> Sight {
    let mut sight = Sight::default();
    let of = |rng: &mut Rng, n: usize| below(rng, n) as u8;
    sight.targets[0] = of(rng, 4);
    sight.targets[1] = of(rng, 20);
    sight.targets[2] = if below(rng, 3) == 0 { NONE } else { of(rng, 5) };
    for (v, classes) in [4usize, 20, 5].into_iter().enumerate() {
        let mut allowed = u128::from(below(rng, 1 << classes) as u64);
        if sight.targets[v] != NONE {
            allowed |= 1 << sight.targets[v];
        }
        sight.allowed[v] = allowed | 1;
    }
    sight.known = vec![of(rng, 3).into(), of(rng, 6).into(), of(rng, 6).into()];
    sight.known_ends = [1, 3, 3, 3, 3, 3, 3, 3];
    for _ in 0..below(rng, 6) {
        sight.heard.push(Heard { source: below(rng, 2), key: below(rng, 20), value: 0.5 + uniform(rng) });
    }
    sight.classes = std::array::from_fn(|_| uniform(rng));
    for _ in 0..below(rng, 5) {
        let kinds = std::array::from_fn(|_| below(rng, 8) as u16);
        let mut offers = [NONE; MOST_CHOICES];
        for (v, classes) in [4, 20, 5].into_iter().enumerate() {
            offers[v] = match below(rng, 4) {
                0 => NONE,
                1 | 2 if sight.targets[v] != NONE => sight.targets[v],
                _ => of(rng, classes),
            };
        }
        sight.candidates.push(Candidate { kinds, offers });
    }
    sight.marks = std::array::from_fn(|_| below(rng, 3) as u16);
    sight
}

fn batch(rows: usize, seed: u64) -> (Vec<f32>, Vec<Sight>, Vec<f32>) {
    let rng = &mut seeded(seed);
    let features = (0..rows * FEATURES).map(|_| uniform(rng) - 0.5).collect();
    let sights = (0..rows).map(|_| sight(rng)).collect();
    let weights = (0..rows).map(|k| if k % 7 == 3 { 0.0 } else { 0.5 + uniform(rng) }).collect();
    (features, sights, weights)
}

fn tensor(features: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(features.to_vec(), [features.len() / FEATURES, FEATURES]), device)
}

fn scorer(head: &CascadeHead) -> CascadeScorer {
    let parameters = named_parameters(head);
    CascadeScorer::new(head.shape().clone(), |name, shape| {
        let found = parameters.iter().find(|p| p.0 == name).ok_or(name.to_owned())?;
        if found.1 == shape { Ok::<&[f32], String>(&found.2) } else { Err(name.to_owned()) }
    })
    .unwrap()
}

fn nats(deciding: &mut Deciding<'_>, features: &[f32], sight: &Sight) -> f64 {
    deciding.open(features);
    let mut nats = 0.0;
    for v in 0..3 {
        let target = sight.targets[v];
        if target == NONE {
            continue;
        }
        let probabilities = deciding.probabilities(v, sight, None);
        let total: f32 = probabilities.iter().sum();
        assert!((total - 1.0).abs() < 1e-5, "choice {v}: {total}");
        for (k, p) in probabilities.iter().enumerate() {
            assert!(sight.allowed[v] >> k & 1 == 1 || *p == 0.0, "choice {v}, class {k}");
        }
        nats -= f64::from(probabilities[usize::from(target)]).ln();
        deciding.choose(v, sight, target);
    }
    nats
}

#[test]
fn training_and_scoring_agree_and_probabilities_sum_to_one() {
    let (features, sights, weights) = batch(150, 3);
    let device = Device::flex().autodiff();
    let without = CascadeShape { kinds: 0, keys: None, ..shape() };
    for shape in [shape(), CascadeShape { kinds: 0, ..shape() }, CascadeShape { keys: None, ..shape() }, without] {
        let head = head(shape, 4, &device);
        let (loss, figures) = head.loss(tensor(&features, &device), &sights, &weights, None);
        let scorer = scorer(&head);
        let mut deciding = scorer.deciding();
        let expected: f64 = (0..150)
            .filter(|n| weights[*n] > 0.0)
            .map(|n| f64::from(weights[n]) * nats(&mut deciding, &features[n * FEATURES..][..FEATURES], &sights[n]))
            .sum();
        // The scorer's weights are rounded to 16 bits.
        assert!((figures.nats() - expected).abs() < 2e-3 * expected, "{} {expected}", figures.nats());
        assert!((f64::from(values_of(loss)[0]) - figures.nats() / figures.counted).abs() < 1e-4);
        assert!((0.0..=figures.counted).contains(&figures.correct));
    }
}

type Get<T> = fn(&mut T) -> &mut Vec<f32>;

/// What a head gives a batch, to be moved about.
fn given(head: &CascadeHead, features: &[f32]) -> (Inputs, Parameters) {
    let rows = features.len() / FEATURES;
    // With this seed no unit is so near to its rectifier's bend that a whole channel's differences cross it.
    let rng = &mut seeded(22);
    let mut some = |n: usize| (0..n).map(|_| normal(rng)).collect::<Vec<f32>>();
    let inputs = Inputs { state: some(rows * 3 * 7), context: some(rows * 32), sentinel: some(rows * 3) };
    (inputs, head.parameters())
}

/// Every gradient against central differences, without noise and with it.
#[test]
fn gradients_agree_with_central_differences() {
    let (features, sights, weights) = batch(40, 5);
    let head = head(shape(), 6, &Device::flex());
    let (inputs, parameters) = given(&head, &features);
    for noise in [None, Some(Noise { seed: 1, step: 2, units: 0.3, heard: 0.2 })] {
        let loss = |inputs: &Inputs, parameters: &Parameters| {
            let (figures, ..) = kernel::train(head.shape(), inputs, parameters, &sights, &weights, noise);
            figures.nats() / figures.counted
        };
        let (_, mut to_inputs, mut to) = kernel::train(head.shape(), &inputs, &parameters, &sights, &weights, noise);
        let step = 2e-3;
        let check = |name: &str, exact: &[f32], moved: &dyn Fn(usize, f32) -> f64| {
            // Some rectifiers turn within the step: nearly all values must agree well, and all of them roughly.
            let (mut off, every) = (0, exact.len() / 200 + 1);
            for at in (0..exact.len()).step_by(every) {
                let numeric = (moved(at, step) - moved(at, -step)) / f64::from(2.0 * step);
                let difference = (numeric - f64::from(exact[at])).abs();
                off += usize::from(difference > 2e-3 * (1.0 + numeric.abs()));
                assert!(difference < 2e-2, "{name} {at}: {numeric} {}", exact[at]);
            }
            // Of a handful of values one may lie at the edge of what 32 bits tell.
            assert!(off <= 1 || off * every * 25 <= exact.len(), "{name}: {off} of {}", exact.len() / every);
            assert!(exact.iter().any(|g| *g != 0.0), "{name} has no gradient");
        };
        let of_inputs: [(&str, Get<Inputs>); 3] =
            [("state", |x| &mut x.state), ("context", |x| &mut x.context), ("sentinel", |x| &mut x.sentinel)];
        for (name, get) in of_inputs {
            check(name, get(&mut to_inputs), &|at, by| {
                let mut inputs = inputs.clone();
                get(&mut inputs)[at] += by;
                loss(&inputs, &parameters)
            });
        }
        let of_parameters: [(&str, Get<Parameters>); 12] = [
            ("known 0", |x| &mut x.known[0]),
            ("known 1", |x| &mut x.known[1]),
            ("output 0", |x| &mut x.outputs[0]),
            ("output 1", |x| &mut x.outputs[1]),
            ("output 2", |x| &mut x.outputs[2]),
            ("bias 1", |x| &mut x.biases[1]),
            ("patches", |x| &mut x.patches),
            ("degrees", |x| &mut x.degrees),
            ("scores", |x| &mut x.scores),
            ("penalties", |x| &mut x.penalties),
            ("gates", |x| &mut x.gates),
            ("trust", |x| &mut x.trust),
        ];
        for (name, get) in of_parameters {
            check(name, get(&mut to), &|at, by| {
                let mut parameters = parameters.clone();
                get(&mut parameters)[at] += by;
                loss(&inputs, &parameters)
            });
        }
    }
}

#[test]
fn threads_and_padding_change_nothing() {
    let (features, mut sights, weights) = batch(300, 9);
    let head = head(shape(), 6, &Device::flex());
    let (inputs, parameters) = given(&head, &features);
    let run = |threads: usize, sights: &[Sight]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (figures, a, b) =
            pool.install(|| kernel::train(head.shape(), &inputs, &parameters, sights, &weights, None));
        (figures, a.state, a.context, a.sentinel, b.known, b.outputs, b.patches, b.scores, b.penalties)
    };
    let one = run(1, &sights);
    assert!(one == run(3, &sights));
    let padding = (0..300).filter(|n| weights[*n] == 0.0);
    padding.for_each(|n| sights[n] = Sight::default());
    assert!(one == run(2, &sights));
}

#[test]
fn a_later_choice_never_changes_an_earlier_one() {
    let head = head(shape(), 11, &Device::flex());
    let scorer = scorer(&head);
    let rng = &mut seeded(12);
    let mut deciding = scorer.deciding();
    for _ in 0..50 {
        let sight = sight(rng);
        let features = [0.3, -0.2, 0.1, 0.4, -0.5];
        deciding.open(&features);
        let first = deciding.probabilities(0, &sight, None).to_vec();
        let mut other = sight.clone();
        other.targets[1] = (sight.targets[1] + 1) % 20;
        other.known[2] = (sight.known[2] + 1) % 6;
        other.candidates.iter_mut().for_each(|candidate| candidate.offers[1] = 3);
        deciding.open(&features);
        assert_eq!(deciding.probabilities(0, &other, None), first);
    }
}

#[test]
fn who_was_wrong_before_counts_less() {
    let head = head(shape(), 13, &Device::flex());
    let scorer = scorer(&head);
    let mut deciding = scorer.deciding();
    let mut sight = Sight { allowed: [u128::MAX; MOST_CHOICES], ..Sight::default() };
    let offers = |class: u8, key: u8| {
        let mut offers = [NONE; MOST_CHOICES];
        (offers[0], offers[1]) = (class, key);
        offers
    };
    sight.candidates =
        [(1, 5), (2, 9)].map(|(class, key)| Candidate { kinds: [1; KINDS], offers: offers(class, key) }).to_vec();
    let features = [0.1; FEATURES];
    let after = |deciding: &mut Deciding<'_>, class: u8| {
        deciding.open(&features);
        deciding.probabilities(0, &sight, None);
        deciding.choose(0, &sight, class);
        // Trusted wholly, copying shows its shares.
        let p = deciding.probabilities(1, &sight, Some(1.0));
        (p[5], p[9])
    };
    let (right, wrong) = after(&mut deciding, 1);
    assert!((right + wrong - 1.0).abs() < 1e-6 && right > 0.7, "{right} {wrong}");
    let (wrong, right) = after(&mut deciding, 2);
    assert!((right + wrong - 1.0).abs() < 1e-6 && right > 0.7, "{right} {wrong}");
}

#[test]
fn a_candidate_that_comes_later_counts_as_one_that_offered_nothing_before() {
    let head = head(shape(), 14, &Device::flex());
    let scorer = scorer(&head);
    let rng = &mut seeded(15);
    let mut deciding = scorer.deciding();
    for _ in 0..50 {
        let mut whole = sight(rng);
        let late = whole.candidates.len() / 2;
        whole.candidates[late..].iter_mut().for_each(|candidate| candidate.offers[..2].fill(NONE));
        let features = [0.2; FEATURES];
        let mut growing = whole.clone();
        growing.candidates.truncate(late);
        let mut found = [Vec::new(), Vec::new()];
        for (found, is_growing) in found.iter_mut().zip([false, true]) {
            deciding.open(&features);
            for v in (0..shape().choices.len()).filter(|v| whole.targets[*v] != NONE) {
                if is_growing && v == 2 {
                    growing.candidates.clone_from(&whole.candidates);
                }
                let sight = if is_growing { &growing } else { &whole };
                found.push(deciding.probabilities(v, sight, None).to_vec());
                deciding.choose(v, sight, whole.targets[v]);
            }
        }
        assert_eq!(found[0], found[1]);
    }
}
