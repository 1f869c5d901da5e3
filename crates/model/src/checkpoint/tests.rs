use super::*;
use crate::{Habits, Rng, seeded};
use burn::tensor::Device;
use cantus_nn::linear::Linear;
use cantus_nn::optimizer::Rule;

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    output: Linear,
}

static SPEC: ComposerSpec = ComposerSpec {
    reads: &[cantus_score::Reading::Merged],
    id: "test",
    version: 3,
    writes: "",
    suits: "",
    is_made_for: None,
    title: "",
    source: "",
    departures: "",
    encoding: "",
    around: &[],
    abilities: &[],
    controls: &[],
    configurations: &[],
    create: Some(|_, _, _| Err(crate::CreateError::EmptyCorpus { what: "training" })),
    load: |_| Err(ModelError::Foreign),
};

fn network(seed: u64) -> Network {
    let rng: &mut Rng = &mut seeded(seed);
    let device = Device::flex().autodiff();
    Network { first: Linear::new(3, 4, rng, &device), output: Linear::new(4, 2, rng, &device) }
}

fn saved(network: &Network) -> ModelFile {
    save(&SPEC, network, serde_json::json!({"a": 1}), serde_json::json!({"b": 2}), &Habits::default())
}

#[test]
fn a_network_comes_back_bit_for_bit() {
    let (one, other) = (network(1), network(2));
    assert_ne!(named_parameters(&one), named_parameters(&other));
    let restored = restore(other, &saved(&one)).unwrap();
    assert_eq!(named_parameters(&restored), named_parameters(&one));
    assert_eq!((saved(&one).header.composer.as_str(), saved(&one).header.composer_version), ("test", 3));
}

#[test]
fn what_does_not_fit_is_named() {
    let network = network(1);
    let mut missing = saved(&network);
    missing.tensors.remove("first.weight");
    match restore(network.clone(), &missing) {
        Err(ModelError::Shape { name, found: None, .. }) => assert_eq!(name, "first.weight"),
        other => panic!("{other:?}"),
    }
    let mut misshapen = saved(&network);
    misshapen.tensors.get_mut("output.bias").unwrap().shape.push(1);
    match restore(network.clone(), &misshapen) {
        Err(ModelError::Shape { name, found: Some(found), .. }) => {
            assert_eq!((name.as_str(), found.len()), ("output.bias", 2))
        }
        other => panic!("{other:?}"),
    }
    // Fewer values than the shape says: no file can hold it, a caller can.
    let mut short = saved(&network);
    short.tensors.get_mut("output.bias").unwrap().values.pop();
    assert!(matches!(restore(network, &short), Err(ModelError::Shape { .. })));
}

#[test]
fn an_optimiser_without_its_step_count_or_with_foreign_moments_is_refused() {
    let (network, optimizer) = (network(1), Optimizer::new(Rule::adam()));
    let mut file = saved(&network);
    assert!(restore_optimizer(&network, &optimizer, OPTIMIZER, &file).is_err());
    add_optimizer(&mut file, OPTIMIZER, &optimizer);
    assert_eq!(restore_optimizer(&network, &optimizer, OPTIMIZER, &file).unwrap().steps(), 0);
    let foreign = TensorData { shape: vec![1], values: vec![0.0] };
    file.tensors.insert("optimizer.nobody.first".to_owned(), foreign);
    assert!(matches!(restore_optimizer(&network, &optimizer, OPTIMIZER, &file), Err(ModelError::Damaged { .. })));
}

#[test]
fn only_the_networks_own_numbers_count_as_parameters() {
    let network = network(1);
    let mut file = saved(&network);
    add_optimizer(&mut file, OPTIMIZER, &Optimizer::new(Rule::adam()));
    file.tensors.insert("carried.0.h".to_owned(), TensorData { shape: vec![5], values: vec![0.0; 5] });
    assert_eq!(parameters(&file), cantus_nn::params::count_parameters(&network));
}

#[test]
fn another_training_is_told_by_what_differs() {
    let expected = saved(&network(1)).header;
    assert!(same_training(&expected, &expected).is_ok());
    let differing = |change: &dyn Fn(&mut Header)| {
        let mut found = expected.clone();
        change(&mut found);
        same_training(&found, &expected).map_err(|error| error.to_string())
    };
    assert!(differing(&|found| found.settings["a"] = 2.into()).unwrap_err().contains("settings"));
    assert!(differing(&|found| found.encoding["b"] = 1.into()).unwrap_err().contains("vocabulary"));
    assert!(differing(&|found| found.composer.push('x')).unwrap_err().contains("composer"));
    assert!(differing(&|found| found.composer_version += 1).unwrap_err().contains("version"));
    // Who wrote it, and on which music, is told elsewhere.
    assert!(differing(&|found| found.created_by.push('x')).is_ok());
}
