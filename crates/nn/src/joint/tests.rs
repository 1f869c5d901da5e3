use super::*;
use crate::random::{below, normal, seeded};

const SHAPE: JointShape = JointShape {
    keys: 6,
    features: 5,
    hidden: 7,
    channels: 16,
    reach: 3,
    lags: 2,
    candidates: 8,
    span: 0,
    tonal: false,
    openings: false,
    sounding: false,
};

fn head(shape: JointShape, seed: u64, device: &Device) -> JointHead {
    let rng = &mut seeded(seed);
    let mut head = JointHead::new(shape, &vec![0.3; shape.keys], rng, device);
    // Larger than at first, and the pointer heard: every part matters.
    let mut louder = |x: &mut Param<Tensor<2>>| {
        let (shape, n) = (x.dims(), x.shape().num_elements());
        *x = Param::from_data(TensorData::new((0..n).map(|_| 0.6 * normal(rng)).collect::<Vec<f32>>(), shape), device);
    };
    louder(&mut head.chosen);
    louder(&mut head.last);
    louder(&mut head.output.weight);
    if let Some(shared) = &mut head.shared {
        shared.motions.iter_mut().chain(&mut shared.key).for_each(&mut louder);
        louder(&mut shared.chosen);
        louder(&mut shared.last);
        louder(&mut shared.context.weight);
    }
    if let Some(pointer) = &mut head.pointer {
        pointer.sentinel.bias = Param::from_data([-3.0f32], device);
    }
    head
}

fn sequence(keys: usize, length: usize, seed: u64) -> SuffixIndex {
    let rng = &mut seeded(seed);
    let mut sets: Vec<u128> = Vec::new();
    while sets.len() < length {
        if sets.len() > 4 && below(rng, 3) == 0 {
            let from = below(rng, sets.len() - 2);
            let to = (from + 6).min(sets.len());
            sets.extend_from_within(from..to);
        }
        sets.push((0..keys).filter(|_| below(rng, 3) == 0).fold(0, |set, key| set | 1 << key));
    }
    let mut index = SuffixIndex::default();
    sets[..length].iter().for_each(|set| index.push(*set));
    index
}

/// How much of a sequence is of each class before a place.
fn classes(past: &SuffixIndex, at: usize) -> [f32; CLASSES] {
    let count = |class: usize| {
        let of_set = |set: &u128| (class..128).step_by(CLASSES).filter(|key| set >> key & 1 == 1).count();
        past.sets()[..at].iter().map(of_set).sum::<usize>() as f32
    };
    std::array::from_fn(|class| count(class) / (at.max(1) as f32))
}

fn place(past: &SuffixIndex, at: usize, shift: i32) -> Place<'_> {
    Place { past, at, shift, classes: classes(past, at) }
}

fn features(rows: usize, width: usize, seed: u64) -> Vec<f32> {
    let rng = &mut seeded(seed);
    (0..rows * width).map(|_| normal(rng)).collect()
}

fn scorer(head: &JointHead) -> JointScorer {
    let named: std::collections::BTreeMap<String, (Vec<usize>, Vec<f32>)> = crate::params::named_parameters(head)
        .into_iter()
        .map(|(name, shape, values)| (name, (shape, values)))
        .collect();
    JointScorer::new(head.shape, |name, shape| {
        let (found, values) = named.get(name).ok_or_else(|| format!("no {name}"))?;
        if found == shape { Ok(&values[..]) } else { Err(format!("{name}: {found:?}, not {shape:?}")) }
    })
    .unwrap()
}

/// The nats of a set by its decisions.
fn nats(decision: &mut Decision<'_>, features: &[f32], place: &Place<'_>, set: u128) -> f64 {
    decision.open(features, place);
    let keys = decision.probabilities().len() - 1;
    let mut nats = 0.0;
    for key in kernel::descending(set).map(Some).chain([None]) {
        nats -= f64::from(decision.probabilities()[key.unwrap_or(keys)]).ln();
        key.into_iter().for_each(|key| decision.choose(key));
    }
    nats
}

fn all_parts() -> [JointShape; 7] {
    [
        SHAPE,
        JointShape { span: 2, ..SHAPE },
        JointShape { tonal: true, openings: true, ..SHAPE },
        JointShape { sounding: true, ..SHAPE },
        JointShape { candidates: 0, ..SHAPE },
        JointShape { channels: 0, ..SHAPE },
        JointShape { channels: 0, candidates: 0, ..SHAPE },
    ]
}

#[test]
fn the_probabilities_of_all_sets_add_up_to_one() {
    let past = sequence(6, 30, 1);
    for shape in all_parts() {
        let scorer = scorer(&head(shape, 2, &Device::flex()));
        let mut decision = scorer.decision();
        let features = features(30, 5, 3);
        let mut copied = 0;
        for at in [0, 1, 2, 9, 17, 29] {
            let place = place(&past, at, 0);
            let features = &features[at * 5..][..5];
            let sum: f64 = (0..64u128).map(|set| (-nats(&mut decision, features, &place, set)).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{shape:?} at {at}: {sum}");
            decision.open(features, &place);
            decision.probabilities();
            copied += usize::from(decision.copied().0 > 0.05);
        }
        assert_eq!(copied > 0, shape.candidates > 0, "{shape:?}");
    }
}

#[test]
fn a_place_that_is_recalled_is_trusted_and_all_sets_add_up_to_one() {
    let past = sequence(6, 30, 1);
    let scorer = scorer(&head(SHAPE, 2, &Device::flex()));
    let mut decision = scorer.decision();
    let features = features(1, 5, 3);
    let place = place(&past, 20, 0);
    for (earlier, trust) in [(0, 0.9f32), (7, 0.5), (19, 0.99)] {
        let mut probability = |set: u128| {
            decision.open(&features, &place);
            decision.recall(&place, earlier, trust);
            let mut found = 1.0;
            for key in kernel::descending(set).map(Some).chain([None]) {
                found *= f64::from(decision.probabilities()[key.unwrap_or(6)]);
                key.into_iter().for_each(|key| decision.choose(key));
            }
            (found, decision.copied())
        };
        let total: f64 = (0..64).map(|set| probability(set).0).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
        let set = past.sets()[earlier];
        let (found, (gate, source)) = probability(set);
        assert!(found >= f64::from(trust).powi(set.count_ones() as i32 + 1) - 1e-6, "{found}");
        assert_eq!((gate, source), (trust, Some((earlier, 1.0))));
    }
}

#[test]
fn training_judges_as_the_decisions_do() {
    let device = Device::flex().autodiff();
    let past = sequence(6, 40, 4);
    for shape in all_parts() {
        let head = head(shape, 5, &device);
        let features = features(40, 5, 6);
        let places: Vec<Place> = (0..40).map(|at| place(&past, at, 0)).collect();
        let weights: Vec<f32> = (0..40).map(|at| if at % 7 == 3 { 0.0 } else { 1.0 }).collect();
        let x = Tensor::from_data(TensorData::new(features.clone(), [40, 5]), &device);
        let (loss, figures) = head.loss(x, &places, past.sets(), &weights, None);
        let scorer = scorer(&head);
        let mut decision = scorer.decision();
        let expected: f64 = (0..40)
            .filter(|at| weights[*at] > 0.0)
            .map(|at| nats(&mut decision, &features[at * 5..][..5], &places[at], past.sets()[at]))
            .sum();
        // The scorer's weights are rounded to 16 bits.
        assert!((figures.nats - expected).abs() < 2e-3 * expected, "{shape:?}: {} {expected}", figures.nats);
        assert!((f64::from(values_of(loss)[0]) - figures.nats / figures.counted).abs() < 1e-4);
        assert!((0.0..=figures.counted).contains(&figures.accuracies));
    }
}

#[test]
fn nothing_after_a_place_changes_its_decisions() {
    let past = sequence(6, 40, 7);
    let scorer = scorer(&head(SHAPE, 8, &Device::flex()));
    let features = features(1, 5, 9);
    let mut cut = SuffixIndex::default();
    for at in 0..40 {
        let mut permuted = cut.clone();
        past.sets()[at..].iter().rev().for_each(|set| permuted.push(*set));
        let found = [&past, &cut, &permuted].map(|past| {
            let mut decision = scorer.decision();
            nats(&mut decision, &features, &place(past, at, 0), past.sets().first().map_or(5, |set| set | 5))
        });
        assert!(found[0] == found[1] && found[0] == found[2] || at == 0, "{at}: {found:?}");
        cut.push(past.sets()[at]);
    }
}

#[test]
fn moving_past_and_set_moves_the_shared_logits() {
    let shape = JointShape { keys: 40, hidden: 3, candidates: 0, tonal: true, ..SHAPE };
    let past = sequence(10, 30, 10);
    let head = head(shape, 11, &Device::flex());
    let parameters = head.parameters();
    let context = features(1, 32, 12);
    let logits = |shift: i32, set: u128| -> Vec<Vec<f32>> {
        let mut heard = Vec::new();
        let place = place(&past, 25, shift);
        shared::heard(shape, &place, None, &mut heard);
        let mut base = vec![0.0; 40 * 16];
        let mut units = base.clone();
        shared::excite(shape, &context[..16], &parameters.past, &heard, &mut base);
        shared::attune(shape, &place, &parameters.key, &mut base);
        let mut last: Option<usize> = None;
        let mut all = Vec::new();
        for key in kernel::descending(set).map(Some).chain([None]) {
            let active = last.unwrap_or(40);
            let mut logits = vec![0.0; active];
            let near = last.map_or(&[][..], |n| shared::below(shape, n, &parameters.last_below));
            shared::decide(&base, near, &context[16..], &mut units, &mut logits);
            all.push(logits);
            let Some(key) = key else { break };
            let below = shared::below(shape, key, &parameters.chosen_below);
            shared::add(&mut base[..key * 16], &below[..key * 16], 1.0);
            last = Some(key);
        }
        all
    };
    let set = 0b1001010;
    let still = logits(8, set << 8);
    for k in [0usize, 1, 5, 20] {
        let moved = logits(8 + k as i32, set << (8 + k));
        for (still, moved) in still.iter().zip(&moved) {
            // Keys near the ends of the keyboard may have more or fewer neighbours; all keys that both have are compared.
            for (key, logit) in still.iter().enumerate().filter(|(key, _)| key + k < moved.len()) {
                assert_eq!(*logit, moved[key + k], "moved by {k}, key {key}");
            }
        }
    }
}

#[test]
fn the_shared_part_is_what_its_formula_says() {
    let shape = JointShape { keys: 20, hidden: 3, candidates: 0, span: 5, tonal: true, ..SHAPE };
    let JointShape { keys, channels, reach, lags, span, .. } = shape;
    let (past, at) = (sequence(20, 90, 23), 80);
    let before = |voice: usize| (voice * span..(voice + 1) * span).rev().find(|k| past.sets()[at - 1] >> k & 1 == 1);
    assert!((0..4).filter_map(before).count() > 2, "nothing moves");
    let parameters = head(shape, 24, &Device::flex()).parameters();
    let (context, of_key) = (features(1, 32, 25), classes(&past, at));
    let chosen = [15usize, 9, 2];
    let weight = |lag: usize, offset: usize, c: usize| parameters.past[(lag * (2 * reach + 1) + offset) * channels + c];
    let near = |table: &[f32], distance: usize, c: usize| table[(keys - 1 - distance) * channels + c];
    let logit = |k: usize, d: usize| -> f32 {
        let units = (0..channels).map(|c| {
            let mut u = context[c];
            for n in 0..keys {
                let Some(offset) = (k + reach).checked_sub(n).filter(|offset| *offset <= 2 * reach) else { continue };
                let heard = |back: usize| (past.sets()[at - back] >> n & 1) as f32;
                u += (1..=lags).map(|back| weight(back - 1, offset, c) * heard(back)).sum::<f32>();
                for (which, decay) in [0.9f32, 0.98].into_iter().enumerate() {
                    let sum: f32 = (1..=64).map(|back| decay.powi(back as i32) * heard(back)).sum();
                    u += weight(lags + which, offset, c) * (1.0 - decay) * sum;
                }
            }
            u += (0..CLASSES)
                .map(|i| parameters.key[(k + CLASSES - i) % CLASSES * channels + c] * of_key[i])
                .sum::<f32>();
            u += chosen[..d].iter().map(|n| near(&parameters.chosen_below, n - k, c)).sum::<f32>();
            u += d.checked_sub(1).map_or(0.0, |e| near(&parameters.last_below, chosen[e] - k, c));
            // With each voice above, where both sang before: the intervals, and who falls, stays, rises.
            for n in chosen[..d].iter().copied().filter(|n| n / span > k / span) {
                let Some((upper, lower)) = before(n / span).zip(before(k / span)) else { continue };
                let way = |from: usize, to: usize| (to.cmp(&from) as i32 + 1) as usize;
                let kind = [(upper - lower) % 12, (n - k) % 12, way(upper, n), way(lower, k)];
                let kind = kind.iter().zip([12, 12, 3, 3]).fold(0, |kind, (part, of)| kind * of + part);
                u += parameters.motions[kind * channels + c];
            }
            context[channels + c] * u.max(0.0)
        });
        units.sum()
    };
    let mut heard = Vec::new();
    shared::heard(shape, &place(&past, at, 0), None, &mut heard);
    let mut base = vec![0.0; keys * channels];
    let mut units = base.clone();
    shared::excite(shape, &context[..channels], &parameters.past, &heard, &mut base);
    shared::attune(shape, &place(&past, at, 0), &parameters.key, &mut base);
    for d in 0..=chosen.len() {
        let last = d.checked_sub(1).map(|e| chosen[e]);
        let mut logits = vec![0.0; last.unwrap_or(keys)];
        let below = last.map_or(&[][..], |n| shared::below(shape, n, &parameters.last_below));
        shared::decide(&base, below, &context[channels..], &mut units, &mut logits);
        for (k, found) in logits.iter().enumerate() {
            assert!((found - logit(k, d)).abs() < 1e-4, "decision {d}, key {k}: {found} {}", logit(k, d));
        }
        if let Some(n) = chosen.get(d) {
            let below = shared::below(shape, *n, &parameters.chosen_below);
            shared::add(&mut base[..n * channels], &below[..n * channels], 1.0);
            shared::follow(shape, past.sets()[at - 1], *n, &parameters.motions, &mut base);
        }
    }
}

#[test]
fn the_pointer_is_what_its_formula_says() {
    let past = sequence(6, 30, 26);
    for (shape, at) in
        [false, true].into_iter().flat_map(|openings| [1, 5, 20, 29].map(|at| (JointShape { openings, ..SHAPE }, at)))
    {
        let mut parameters = head(shape, 27, &Device::flex()).parameters();
        // No two classes count alike.
        let rng = &mut seeded(28);
        parameters.scores.iter_mut().for_each(|score| *score += normal(rng));
        let weights = parameters.pointer();
        let place = place(&past, at, 0);
        let mut offers = pointer::Offers::default();
        offers.open(shape, weights, &place);
        let mut candidates = Vec::new();
        past.candidates(at, shape.candidates, shape.openings, &mut candidates);
        let (mut last, mut chosen) = (6usize, Vec::new());
        loop {
            let logit = offers.weigh(weights, -2.0);
            let (mut total, mut given) = (0.0f64, [0.0f64; 7]);
            for &s in &candidates {
                let set = past.sets()[s as usize];
                let classes = past.resemblance(at, s as usize).classes(s as usize, at - s as usize);
                let known = if shape.openings { 8 } else { 7 };
                let score: f32 = classes[..known].iter().map(|class| weights.scores[usize::from(*class)]).sum();
                let misses = (last..6).filter(|key| (set >> key & 1 == 1) != chosen.contains(key)).count();
                let penalty = if misses == 0 { 0.0 } else { weights.penalties[misses.min(4) - 1] };
                let item = (0..last).rev().find(|key| set >> key & 1 == 1).unwrap_or(6);
                total += f64::from(score - penalty).exp();
                given[item] += f64::from(score - penalty).exp();
            }
            let best = |k: usize| {
                let classes = candidates
                    .iter()
                    .map(|s| past.resemblance(at, *s as usize).classes(*s as usize, at - *s as usize)[k]);
                weights.gate[usize::from(classes.max().unwrap())]
            };
            let of_chosen = weights.gate[weights.gate.len() - 8 + chosen.len()];
            let expected =
                f64::from(weights.trust) * total.ln() - 2.0 + f64::from((0..4).map(best).sum::<f32>() + of_chosen);
            assert!((f64::from(logit) - expected).abs() < 1e-4, "{at}: {logit} {expected}");
            for (item, given) in given.iter().enumerate() {
                assert!((f64::from(offers.probability(item)) - given / total).abs() < 1e-5, "{at} {item}");
            }
            // Chooses what some candidates offer and some do not.
            let Some(key) = (0..last).rev().find(|key| given[*key] > 0.0) else { break };
            offers.choose(key);
            chosen.push(key);
            last = key;
        }
        assert!(!chosen.is_empty());
    }
}

/// Every gradient against central differences, all parts on, without noise and with it.
#[test]
fn gradients_agree_with_central_differences() {
    let device = Device::flex().autodiff();
    let past = sequence(6, 24, 13);
    let places: Vec<Place> = (0..24).map(|at| place(&past, at, 0)).collect();
    let weights: Vec<f32> = (0..24).map(|at| if at == 5 { 0.0 } else { 1.0 }).collect();
    let shape = JointShape { span: 3, tonal: true, openings: true, ..SHAPE };
    for noise in [None, Some(Noise { seed: 3, step: 4, units: 0.4, past: 0.3 })] {
        let head = head(shape, 14, &device);
        let parameters = head.parameters();
        let (n, width) = (24, shape.channels * 2);
        let inputs = Inputs {
            state: features(n, shape.hidden, 15),
            context: features(n, width, 16),
            sentinel: features(n, 1, 17).iter().map(|s| s - 3.0).collect(),
        };
        let batch = kernel::Batch { places: &places, targets: past.sets(), weights: &weights, noise };
        let loss = |inputs: &Inputs, parameters: &Parameters| {
            let (figures, ..) = kernel::train(shape, inputs, parameters, &batch);
            figures.nats / figures.counted
        };
        let (_, to_inputs, to_parameters) = kernel::train(shape, &inputs, &parameters, &batch);
        let step = 2e-3;
        let mut largest = 0.0f64;
        let mut check = |name: &str, exact: &[f32], moved: &dyn Fn(usize, f32) -> f64| {
            // Some rectifiers turn within the step: nearly all values must agree well, and all of them roughly.
            let mut off = 0;
            let every = exact.len() / 200 + 1;
            for at in (0..exact.len()).step_by(every) {
                let numeric = (moved(at, step) - moved(at, -step)) / f64::from(2.0 * step);
                let difference = (numeric - f64::from(exact[at])).abs();
                off += usize::from(difference > 2e-3 * (1.0 + numeric.abs()));
                assert!(difference < 3e-2, "{name} {at}: {numeric} {}", exact[at]);
                largest = largest.max(numeric.abs());
            }
            assert!(off * every * 25 <= exact.len(), "{name}: {off} of {}", exact.len() / every);
            assert!(exact.iter().any(|g| *g != 0.0), "{name} has no gradient");
        };
        macro_rules! inputs {
            ($($name:ident),*) => {$(
                check(stringify!($name), &to_inputs.$name, &|at, by| {
                    let mut inputs = inputs.clone();
                    inputs.$name[at] += by;
                    loss(&inputs, &parameters)
                });
            )*};
        }
        macro_rules! parameters {
            ($($name:ident),*) => {$(
                check(stringify!($name), &to_parameters.$name, &|at, by| {
                    let mut parameters = parameters.clone();
                    parameters.$name[at] += by;
                    loss(&inputs, &parameters)
                });
            )*};
        }
        inputs!(state, context, sentinel);
        parameters!(
            chosen,
            last,
            output,
            bias,
            past,
            chosen_below,
            last_below,
            motions,
            key,
            scores,
            penalties,
            gate,
            trust
        );
        assert!(largest > 0.01);
    }
}

#[test]
fn threads_and_padding_change_nothing() {
    let past = sequence(6, 150, 18);
    let head = head(SHAPE, 19, &Device::flex());
    let parameters = head.parameters();
    let n = 150;
    let inputs = Inputs {
        state: features(n, SHAPE.hidden, 20),
        context: features(n, 2 * SHAPE.channels, 21),
        sentinel: features(n, 1, 22),
    };
    let places: Vec<Place> = (0..n).map(|at| place(&past, at, 0)).collect();
    let run = |threads: usize, targets: &[u128]| {
        let weights: Vec<f32> = (0..n).map(|at| if at % 3 == 0 { 0.0 } else { 1.0 }).collect();
        let batch = kernel::Batch { places: &places, targets, weights: &weights, noise: None };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (figures, a, b) = pool.install(|| kernel::train(SHAPE, &inputs, &parameters, &batch));
        (figures, a.state, a.context, a.sentinel, b.output, b.past, b.scores)
    };
    let one = run(1, past.sets());
    assert!(one == run(3, past.sets()));
    // What stands in padding is not looked at.
    let other: Vec<u128> = past.sets().iter().enumerate().map(|(k, set)| if k % 3 == 0 { 63 } else { *set }).collect();
    assert!(one == run(2, &other));
}
