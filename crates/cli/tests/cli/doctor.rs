//! Illnesses made on purpose, and what the doctor does about them.

use crate::common::{TINY, cantus, fill, folder};
use crate::train::{metrics, remarks};
use cantus_model::ModelFile;
use std::path::Path;

/// Trains on `music` with `arguments`, an `lstm` where they name no composer; what was printed.
fn train(folder: &Path, run: &str, arguments: &[&str]) -> String {
    let who: &[&str] = if arguments.contains(&"-c") { &[] } else { &["-c", "lstm"] };
    cantus(folder, &[&["train", "music", "-o", run][..], who, arguments].concat()).fine()
}

fn best(run: &Path) -> ModelFile {
    ModelFile::from_bytes(&std::fs::read(run.join("best.safetensors")).unwrap()).unwrap()
}

#[test]
fn a_learning_rate_of_10_collapses_and_is_halved_until_it_learns() {
    let folder = folder();
    let run = folder.path().join("run");
    fill(&folder.path().join("music"), 6);
    let arguments = [&["--epochs", "4", "--set", "learning_rate=10", "--set", "warmup=1"][..], &TINY].concat();
    let out = train(folder.path(), "run", &arguments);
    let collapses = remarks(&run, "collapse");
    assert!(!collapses.is_empty() && out.contains("collapse: the training loss rose to"), "{out}");
    assert!(collapses[0].1.contains("went back to the beginning, halved the learning rate"), "{collapses:?}");
    let lines = metrics(&run);
    let nats = |k: usize| lines[k]["valid"]["nats_per_token"].as_f64().unwrap();
    assert_eq!(lines.len(), 4);
    let baseline = out.lines().find_map(|line| line.strip_prefix("to beat: ")).unwrap();
    let unigram: f64 = baseline.split(' ').next().unwrap().parse().unwrap();
    assert!(nats(3) < 1.5 * unigram, "it did not recover: {} nats, the unigram has {unigram}", nats(3));
    assert!(std::fs::read_to_string(run.join("curves.svg")).unwrap().contains("collapse: "));
    // Without a doctor it stays as crazy as it is.
    let out = train(folder.path(), "alone", &[&arguments[..], &["--no-doctor"]].concat());
    assert!(remarks(&folder.path().join("alone"), "collapse").is_empty(), "{out}");
    let alone = metrics(&folder.path().join("alone"));
    assert!(alone[3]["valid"]["nats_per_token"].as_f64().is_none_or(|nats_alone| nats_alone > 2.0 * nats(3)), "{out}");
}

#[test]
fn a_network_of_one_unit_stands_still_and_the_training_ends() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    let small = ["--epochs", "400", "--set", "hidden=1", "--set", "embedding=2", "--set", "patience=4"];
    let quick = ["--set", "batch=4", "--set", "window=24", "--set", "learning_rate=0.05"];
    let out = train(folder.path(), "run", &[&small[..], &quick].concat());
    let plateaus = remarks(&folder.path().join("run"), "plateau");
    assert_eq!(plateaus.len(), 1, "{out}");
    assert!(out.contains("plateau: no better for 4 epochs: the learning rate falls"), "{out}");
    assert!(out.contains("validation stands still") && metrics(&folder.path().join("run")).len() < 400, "{out}");
}

#[test]
fn what_is_learnt_by_heart_is_copying_and_overfitting() {
    let folder = folder();
    let run = folder.path().join("run");
    fill(&folder.path().join("music"), 8);
    let heart = ["dropout=0.0", "input_dropout=0.0", "transposition=0", "weight_decay=0.0", "patience=1000"];
    let network = ["hidden=64", "embedding=16", "batch=4", "window=24", "learning_rate=0.01"];
    let set: Vec<&str> = heart.iter().chain(&network).flat_map(|setting| ["--set", setting]).collect();
    let out = train(folder.path(), "run", &[&["--epochs", "60", "--no-doctor"][..], &set].concat());
    assert_eq!(remarks(&run, "overfitting").len(), 1, "{out}");
    let copying = remarks(&run, "copying");
    assert!(!copying.is_empty() && out.contains("copying: "), "{out}");
    assert!(copying[0].1.contains("of the 8-note runs of 4 compositions stand in the training music"), "{copying:?}");
    let shares: Vec<f64> = metrics(&run).iter().filter_map(|line| line["trial"]["copied"].as_f64()).collect();
    assert!(shares.len() > 10 && shares[0] < 0.1 && shares[shares.len() - 1] > 0.1, "{shares:?}");
    assert!(std::fs::read_to_string(run.join("curves.svg")).unwrap().contains("found in the training music"));
}

#[test]
fn always_the_likeliest_token_loops_and_the_model_is_told_to_be_warmer() {
    let folder = folder();
    let run = folder.path().join("run");
    fill(&folder.path().join("music"), 6);
    let settings = ["layers=[16,16]", "window=12", "dense=16", "batch=50"];
    let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let out = train(folder.path(), "run", &[&["--epochs", "2", "-c", "lstm:softology"][..], &set].concat());
    let loops = remarks(&run, "one-note-loop");
    assert!(!loops.is_empty() && out.contains("one-note loop: "), "{out}");
    let floor = best(&run).header.temperature_floor.unwrap();
    assert!(loops.last().unwrap().1.contains(&format!("composes at a temperature of {floor} at least")), "{loops:?}");
    let said = cantus(folder.path(), &["inspect", "run/best.safetensors"]).fine();
    assert!(said.contains(&format!("temperature {floor}, ")), "{said}");
    let json = cantus(folder.path(), &["compose", "-m", "run", "--json"]).fine();
    let composed: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(composed["origin"]["sampling"]["temperature"].as_f64(), Some(floor));
}

#[test]
fn codes_that_cost_too_much_are_named() {
    let folder = folder();
    let run = folder.path().join("run");
    fill(&folder.path().join("music"), 6);
    // tidy: allow(registry): whose codes may collapse
    let composer = "music_vae";
    let small = [
        "code=8",
        "hidden=16",
        "heard=8",
        "embedding=8",
        "laid=4",
        "batch=2",
        "window=2",
        "learning_rate=0.02",
        "warmup=1",
    ];
    let set: Vec<&str> = small.iter().flat_map(|setting| ["--set", setting]).collect();
    let arguments = [&["--epochs", "16", "-c", composer, "--set", "beta=50"][..], &set].concat();
    let out = train(folder.path(), "run", &arguments);
    let silent = remarks(&run, "silent-code");
    assert_eq!(silent.len(), 1, "it is said once: {out}");
    assert!(out.contains("collapsed code: 0 of the 8 numbers of a code say something"), "{out}");
    let chart = std::fs::read_to_string(run.join("code.svg")).unwrap();
    assert!(chart.contains("Nats of each number of a code"), "{chart}");
}

#[test]
fn a_corpus_of_one_piece_is_no_corpus() {
    let folder = folder();
    fill(&folder.path().join("music"), 1);
    let said = cantus(folder.path(), &["train", "music"]).failed(1);
    assert!(said.contains("`music` holds one piece, which is too short to learn from one part of it"), "{said}");
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn every_model_says_of_its_pieces_how_original_they_are() {
    let model = crate::common::model();
    let folder = folder();
    let out = cantus(folder.path(), &["compose", "-m", &model, "--seed", "3"]).fine();
    assert!(out.contains("Nothing of its melody is copied.") || out.contains(" notes in a row of its melody"), "{out}");
    let json = cantus(folder.path(), &["compose", "-m", &model, "--seed", "3", "--json"]).fine();
    let composed: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert!(composed["originality"]["melody"][1].is_number(), "{composed}");
}
