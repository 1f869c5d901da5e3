//! Registry, configurations, settings, and corpora that nothing can be learnt from.

use crate::corpus;
use crate::subject::{Subject, each};
use cantus_composers::registry::{self, COMPOSERS, default, find};
use cantus_model::{CreateError, ModelFile, Pieces, Precision, Settings, Size, TrainingSet};
use cantus_score::{Score, TicksPerQuarter};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeSet;

#[test]
fn composers_and_configurations_are_found_by_their_names_alone() {
    let ids: BTreeSet<&str> = COMPOSERS.iter().map(|spec| spec.id).collect();
    assert_eq!(ids.len(), COMPOSERS.len());
    assert_eq!(default().id, COMPOSERS[0].id);
    assert!(find("no such composer").is_none());
    for spec in COMPOSERS {
        assert_eq!(find(spec.id).map(|found| found.title), Some(spec.title));
        assert!(!spec.writes.is_empty() && !spec.suits.is_empty(), "{}", spec.id);
        assert!(!spec.source.is_empty() && !spec.encoding.is_empty() && !spec.departures.is_empty(), "{}", spec.id);
        let names: BTreeSet<&str> = spec.configurations.iter().map(|configuration| configuration.name).collect();
        assert!(!names.is_empty() && names.len() == spec.configurations.len(), "{}", spec.id);
        assert!(spec.settings("no such configuration").is_none());
    }
}

#[test]
fn every_configuration_creates_at_its_full_size() {
    for spec in COMPOSERS.iter().filter(|spec| spec.create.is_some()) {
        for configuration in spec.configurations {
            let created = |settings: Settings| spec.creates().unwrap()(&settings, &corpus::set(), 1).unwrap();
            let trainable = created(spec.settings(configuration.name).unwrap());
            let sized =
                |size| spec.sized_settings(configuration.name, size).map(|settings| created(settings).parameters());
            let sizes = [Size::Small, Size::Large].map(sized);
            assert_eq!(configuration.sizes.is_some(), sizes.iter().all(Option::is_some));
            if let [Some(small), Some(large)] = sizes {
                let medium = trainable.parameters();
                assert!(
                    2 * small < medium + medium / 2 && 2 * medium < large,
                    "{}: {small}, {medium}, {large}",
                    spec.id
                );
            }
            assert_eq!(trainable.spec().id, spec.id);
            assert!(trainable.parameters() > 0 && trainable.steps(0) > 0 && !trainable.protocol().is_empty());
            let regime = trainable.regime();
            assert!(regime.learning_rate > 0.0 && regime.epochs > 0, "{} {}", spec.id, configuration.name);
        }
    }
}

#[test]
fn who_composes_by_rules_is_its_own_model_and_says_that_it_learns_nothing() {
    let by_rules = COMPOSERS.iter().filter(|spec| spec.create.is_none());
    for spec in by_rules.clone() {
        let error = spec.creates().unwrap_err().to_string();
        assert!(error.contains("learns nothing") && error.contains(&format!("compose -m {}", spec.id)), "{error}");
        for configuration in spec.configurations {
            let file = spec.untaught(configuration.name).unwrap();
            let bytes = file.to_bytes(Precision::Full).unwrap();
            assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), file);
            assert_eq!(registry::load(&file).unwrap().spec().id, spec.id);
            let mut wrong = file.clone();
            wrong.header.settings["frobnication"] = json!(1);
            assert!(registry::load(&wrong).is_err());
        }
        assert!(spec.untaught("no such configuration").is_none());
    }
    assert!(by_rules.count() > 0 && default().untaught(default().configurations[0].name).is_none());
}

#[test]
fn unknown_settings_are_refused_by_name() {
    each(|subject| {
        let mut settings = subject.settings.clone();
        settings["frobnication"] = json!(1);
        match subject.spec.creates().unwrap()(&settings, &corpus::set(), 0).err() {
            Some(CreateError::Settings { composer, problem }) => {
                assert_eq!(composer, subject.spec.id);
                assert!(problem.contains("frobnication"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        for nonsense in [json!(null), json!("default"), json!(7)] {
            let found = subject.spec.creates().unwrap()(&nonsense, &corpus::set(), 0);
            assert!(matches!(found, Err(CreateError::Settings { .. })), "{nonsense}");
        }
    });
}

#[test]
fn impossible_settings_are_refused_by_name() {
    each(|subject| {
        for (key, value) in subject.settings.as_object().unwrap() {
            let sized = ["hidden", "embedding", "layers", "dense", "batch", "window"].contains(&key.as_str());
            let absurd = if sized && value.is_array() {
                vec![json!([]), json!([16, 0]), json!([1_000_000_000])]
            } else if sized {
                vec![json!(0), json!(1_000_000_000), json!(-1), json!(1.5), json!(u64::MAX)]
            } else if key.ends_with("dropout") {
                vec![json!(1.0), json!(-0.1), json!(1e300)]
            } else if key == "learning_rate" {
                vec![json!(0.0), json!(-1.0)]
            } else {
                vec![json!([[]]), json!({"a": 1})]
            };
            for absurd in absurd {
                let mut settings = subject.settings.clone();
                settings[key] = absurd.clone();
                match subject.spec.creates().unwrap()(&settings, &corpus::set(), 0).err() {
                    Some(CreateError::Settings { problem, .. }) => {
                        // serde names the value, not the key, where the type is wrong.
                        let words = [key.as_str(), "learning rate", "invalid", "unknown variant"];
                        assert!(words.iter().any(|word| problem.contains(word)), "{key} = {absurd}: {problem}");
                    }
                    other => panic!("{key} = {absurd}: {other:?}"),
                }
            }
        }
    });
}

fn refusal(subject: &Subject, set: TrainingSet) -> String {
    let error =
        subject.spec.creates().unwrap()(&subject.settings, &set, 0).err().expect("nothing can be learnt from this");
    assert!(matches!(error, CreateError::EmptyCorpus { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_corpus_without_music_is_refused_by_name() {
    each(|subject| {
        let TrainingSet { train, valid, attacks, .. } = corpus::set();
        let silence = Pieces::from(vec![Score::new(TicksPerQuarter::new(4).unwrap())]);
        assert!(refusal(subject, TrainingSet::default()).contains("training"));
        assert!(
            refusal(
                subject,
                TrainingSet { train: Pieces::default(), valid: valid.clone(), attacks, ..TrainingSet::default() }
            )
            .contains("training")
        );
        assert!(
            refusal(subject, TrainingSet { train: silence.clone(), valid, attacks, ..TrainingSet::default() })
                .contains("training")
        );
        assert!(
            refusal(
                subject,
                TrainingSet { train: train.clone(), valid: Pieces::default(), attacks, ..TrainingSet::default() }
            )
            .contains("validation")
        );
        assert!(
            refusal(subject, TrainingSet { train, valid: silence, attacks, ..TrainingSet::default() })
                .contains("validation")
        );
    });
}

#[test]
fn pieces_of_one_note_and_silent_ones_among_others_do_no_harm() {
    each(|subject| {
        let set = corpus::set();
        let silence = Score::new(TicksPerQuarter::new(4).unwrap());
        let alone = |at| corpus::score(4, "4/4", vec![corpus::note(at, 60, 1)]);
        let with = |pieces: Pieces, more: Vec<Score>| pieces.iter().map(Cow::into_owned).chain(more).collect();
        let set = TrainingSet {
            train: with(set.train, vec![silence, alone(3)]),
            valid: with(set.valid, vec![alone(40)]),
            attacks: set.attacks,
            reading: set.reading,
        };
        let mut trainable = subject.create(&set, 0);
        for step in 0..trainable.steps(0) {
            let report = trainable.step(cantus_model::StepAt { epoch: 0, step }, 0.001);
            assert!(report.finite && report.batch.tokens > 0.0);
        }
        assert!(trainable.validate().per_token().is_finite());
    });
}
