//! Model files: what is saved comes back, and what is damaged is refused.

use crate::corpus;
use crate::subject::{BEGINNING, Subject, compose, each, request, steps};
use cantus_composers::registry;
use cantus_model::{ModelError, ModelFile, Precision, Prompt, Request, TensorData};
use cantus_score::{Meter, Ticks, TicksPerQuarter};
use serde_json::{Value, json};

fn model(subject: &Subject) -> ModelFile {
    let mut trainable = subject.create(&corpus::set(), 11);
    steps(trainable.as_mut(), BEGINNING, 3, 0.01);
    trainable.save()
}

#[test]
fn a_saved_model_composes_what_the_trained_one_composes() {
    each(|subject| {
        let mut trainable = subject.create(&corpus::set(), 11);
        steps(trainable.as_mut(), BEGINNING, 5, 0.01);
        let bytes = trainable.save().to_bytes(Precision::Full).unwrap();
        assert_eq!(trainable.save().to_bytes(Precision::Full).unwrap(), bytes);
        let loaded = registry::load(&ModelFile::from_bytes(&bytes).unwrap()).unwrap();
        let composer = trainable.composer();
        assert_eq!(loaded.spec().id, subject.spec.id);
        assert_eq!(loaded.describe(), composer.describe());
        assert!(!loaded.describe().is_empty());
        assert_eq!(loaded.default_sampling(), composer.default_sampling());
        let prompt = Prompt::new(&corpus::piece(0), 2).unwrap();
        let asked = Request { sampling: loaded.default_sampling(), ..request(6) };
        for request in [request(6), asked.after(prompt)] {
            let found = compose(loaded.as_ref(), &request, 3).unwrap();
            let expected = compose(composer.as_ref(), &request, 3).unwrap();
            assert_eq!(found.score, expected.score);
            assert_eq!(found.remarks, expected.remarks);
        }
    });
}

#[test]
fn a_model_rounded_to_half_precision_still_composes() {
    each(|subject| {
        let bytes = model(subject).to_bytes(Precision::Half).unwrap();
        let loaded = registry::load(&ModelFile::from_bytes(&bytes).unwrap()).unwrap();
        assert_eq!(compose(loaded.as_ref(), &request(4), 3).unwrap().score.bars().count(), 4);
    });
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    each(|subject| {
        let whole = model(subject);
        for (tensor, TensorData { shape, values }) in &whole.tensors {
            let mut missing = whole.clone();
            missing.tensors.remove(tensor);
            let mut longer = shape.clone();
            longer[0] += 1;
            let flat = vec![values.len()];
            let shapes = [longer, [flat.as_slice(), &[1, 1]].concat(), vec![1_000_000_000_000, 0]];
            let misshapen = shapes.into_iter().map(|shape| {
                let mut file = whole.clone();
                let values = vec![0.0; shape.iter().product()];
                file.tensors.insert(tensor.clone(), TensorData { shape, values });
                file
            });
            for file in misshapen.chain([missing]) {
                match registry::load(&file) {
                    Err(ModelError::Shape { name, .. }) => assert_eq!(name, *tensor),
                    // A list of anything but parameters may have any length but none.
                    Err(ModelError::Metadata { .. }) => {}
                    Ok(loaded) => {
                        let rows = whole.tensors[tensor].shape[0];
                        assert_eq!(file.tensors[tensor].shape, [rows + 1, whole.tensors[tensor].shape[1]], "{tensor}");
                        assert!(compose(loaded.as_ref(), &request(2), 0).is_ok());
                    }
                    Err(other) => panic!("{tensor}: {other}"),
                }
            }
        }
    });
}

#[test]
fn numbers_that_are_none_are_named() {
    each(|subject| {
        let whole = model(subject);
        for name in whole.tensors.keys() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut file = whole.clone();
                file.tensors.get_mut(name).unwrap().values[0] = bad;
                match ModelFile::from_bytes(&file.to_bytes(Precision::Full).unwrap()) {
                    Err(ModelError::NotFinite { name: found }) => assert_eq!(found, *name),
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    });
}

#[test]
fn numbers_beyond_all_reason_compose_something_or_say_so() {
    each(|subject| {
        let whole = model(subject);
        for name in whole.tensors.keys() {
            for big in [f32::MAX, f32::MIN, 1e20] {
                let mut file = whole.clone();
                file.tensors.get_mut(name).unwrap().values.fill(big);
                if let Ok(loaded) = registry::load(&file) {
                    match compose(loaded.as_ref(), &request(2), 0) {
                        Ok(composition) => assert_eq!(composition.score.bars().count(), 2),
                        Err(error) => assert!(error.to_string().contains("not finite"), "{error}"),
                    }
                }
            }
        }
    });
}

#[test]
fn other_composers_and_versions_are_named() {
    each(|subject| {
        let whole = model(subject);
        let load = |change: &dyn Fn(&mut ModelFile)| {
            let mut file = whole.clone();
            change(&mut file);
            registry::load(&file).err().unwrap()
        };
        let unknown = load(&|file| file.header.composer = "orpheus".to_owned());
        assert!(matches!(&unknown, ModelError::UnknownComposer { composer, .. } if composer == "orpheus"), "{unknown}");
        let version = load(&|file| file.header.composer_version = 999);
        assert!(matches!(version, ModelError::ComposerVersion { found: 999, .. }), "{version}");
    });
}

#[test]
fn every_truncation_is_refused() {
    each(|subject| {
        let bytes = model(subject).to_bytes(Precision::Full).unwrap();
        let lengths = (0..300).chain((300..bytes.len()).step_by(bytes.len() / 200 + 1)).chain([bytes.len() - 1]);
        for length in lengths {
            assert!(ModelFile::from_bytes(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
        }
    });
}

#[test]
fn headers_that_promise_more_than_there_is_are_refused_before_anything_is_allocated() {
    let file = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 4]].concat();
    let shaped =
        |shape: &str, end: u64| file(&format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#));
    for bytes in [
        u64::MAX.to_le_bytes().to_vec(),
        [&1_000_000_000_000u64.to_le_bytes()[..], b"{}"].concat(),
        shaped("[1000000000,1000000000]", 4),
        shaped("[1000000000]", 4_000_000_000),
        shaped("[18446744073709551615,18446744073709551615]", 4),
    ] {
        assert!(matches!(ModelFile::from_bytes(&bytes), Err(ModelError::Damaged { .. })));
    }
}

/// All ways to replace one leaf, list or object within `value`.
fn altered(value: &Value, with: &[Value]) -> Vec<Value> {
    let mut all = with.to_vec();
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                all.extend(altered(field, with).into_iter().map(|field| {
                    let mut changed = value.clone();
                    changed[key] = field;
                    changed
                }));
                let mut without = fields.clone();
                without.remove(key);
                all.push(Value::Object(without));
            }
        }
        Value::Array(items) => {
            // A few of a long list stand for all.
            for k in (0..items.len()).step_by(items.len() / 6 + 1) {
                all.extend(altered(&items[k], with).into_iter().map(|item| {
                    let mut changed = value.clone();
                    changed[k] = item;
                    changed
                }));
            }
        }
        _ => {}
    }
    all
}

const ODD: TicksPerQuarter = TicksPerQuarter::new(7).unwrap();

#[test]
fn altered_metadata_are_refused_or_composed_with_but_never_panic() {
    let with = [
        json!(null),
        json!(0),
        json!(-1),
        json!(3),
        json!(1_000_000_000),
        json!(u32::MAX),
        json!(1 << 30),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!("4/4"),
        json!("255/128"),
        json!("x"),
        json!([]),
        json!({}),
        json!([255, 0]),
    ];
    each(|subject| {
        let whole = model(subject);
        let mut cut_short = corpus::piece(1);
        cut_short.meters.push((Ticks(6), Meter::COMMON));
        let requests = [
            request(3),
            request(3).after(Prompt::new(&corpus::piece(0), 2).unwrap()),
            request(3).after(Prompt::new(&corpus::piece(1).rescaled(ODD), 2).unwrap()),
            request(3).after(Prompt::new(&cut_short, 2).unwrap()),
        ];
        let (mut refused, mut composed) = (0, 0);
        let settings = altered(&whole.header.settings, &with).into_iter().map(|settings| {
            let mut file = whole.clone();
            file.header.settings = settings;
            file
        });
        let encodings = altered(&whole.header.encoding, &with).into_iter().map(|encoding| {
            let mut file = whole.clone();
            file.header.encoding = encoding;
            file
        });
        let habits = altered(&serde_json::to_value(&whole.header.habits).unwrap(), &with).into_iter();
        let habits = habits.filter_map(|habits| {
            let mut file = whole.clone();
            file.header.habits = serde_json::from_value(habits).ok()?;
            Some(file)
        });
        for file in settings.chain(encodings).chain(habits) {
            let said = format!("{} {}", file.header.settings, file.header.encoding);
            let outcome = std::panic::catch_unwind(|| match registry::load(&file) {
                Err(_) => 0,
                Ok(loaded) => requests.iter().filter(|request| compose(loaded.as_ref(), request, 0).is_ok()).count(),
            });
            match outcome {
                Ok(0) => refused += 1,
                Ok(_) => composed += 1,
                Err(_) => panic!("panics on {said}"),
            }
        }
        println!("{refused} refused, {composed} composed with");
        assert!(refused > composed);
    });
}
