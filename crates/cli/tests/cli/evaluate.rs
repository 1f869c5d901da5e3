//! `cantus evaluate`: a model or a folder beside a corpus.

use crate::common::{bytes, cantus, command, fill, folder, piece, save, trained};
use serde_json::Value;
use std::path::Path;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_run_is_judged_by_what_it_did_not_learn_from() {
    let run = trained();
    let found = json(&cantus(run, &["evaluate", "run", "music", "-n", "4", "--bars", "4", "--json"]).fine());
    let inspected = json(&cantus(run, &["inspect", "run/best.safetensors", "--json"]).fine());
    let header = &inspected["header"];
    let (line, validation) = (&found["likelihood"][0], &header["training"]["validation"]);
    assert_eq!(
        (&line["count"], &found["indexed"]),
        (&header["corpus"]["valid_pieces"], &header["corpus"]["train_pieces"])
    );
    assert_eq!((&line["protocol"], &line["kind"]), (&validation["protocol"], &validation["kind"]));
    for unit in ["nats_per_token", "nats_per_quarter"] {
        let (ours, theirs) = (line[unit].as_f64().unwrap(), validation[unit].as_f64().unwrap());
        // The file may hold its numbers in 16 bits.
        assert!((ours / theirs - 1.0).abs() < 1e-2, "{unit}: {ours} instead of {theirs}");
    }
    assert_eq!(found["pieces"].as_array().unwrap().len(), 4);
    assert_eq!(found["pieces"][0]["name"], "seed 1");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let run = trained();
    let report =
        |seed: &str| cantus(run, &["evaluate", "run", "music", "-n", "3", "--bars", "3", "--seed", seed]).fine();
    assert_eq!(report("7"), report("7"));
    assert_ne!(report("7"), report("8"));
}

#[test]
fn a_copy_among_files_is_found_with_its_place() {
    let place = folder();
    let at = |name: &str| place.path().join(name);
    fill(&at("corpus"), 24);
    std::fs::create_dir(at("mine")).unwrap();
    save(&piece(900), &at("mine/own.mid"));
    save(&piece(11).transposed(5).unwrap(), &at("mine/copy.mid"));
    let ran = cantus(place.path(), &["evaluate", "mine", "corpus", "-o", "report.html", "-o", "report.json"]).fine();
    assert!(ran.contains("of 11.mid, 5 semitones higher  more than real pieces share"), "{ran}");
    assert!(!ran.contains("Likelihood"), "{ran}");
    let report = json(&String::from_utf8(bytes(place.path(), "report.json")).unwrap());
    let copied = |name: &str| {
        let pieces = report["pieces"].as_array().unwrap();
        pieces.iter().find(|piece| piece["name"] == name).unwrap()["is_copied"].as_bool().unwrap()
    };
    assert!(copied("copy.mid") && !copied("own.mid"));
    let page = String::from_utf8(bytes(place.path(), "report.html")).unwrap();
    assert!(page.contains("mine beside corpus") && page.contains("11.mid"), "{page}");
    for outside in ["src=", "href=", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside} is loaded from elsewhere");
    }
}

#[test]
fn another_corpus_than_the_models_is_said_to_be_one() {
    let run = trained();
    let place = folder();
    fill(&place.path().join("others"), 5);
    save(&piece(77), &place.path().join("others/77.mid"));
    let others = place.path().join("others");
    let ran = cantus(run, &["evaluate", "run", others.to_str().unwrap(), "-n", "2", "--bars", "2"]).fine();
    // Five of the six are known by their melodies.
    assert!(ran.contains("pieces that it did not learn from (1)"), "{ran}");
}

#[test]
fn what_was_learnt_from_is_known_by_content() {
    let run = trained();
    let place = folder();
    let some = place.path().join("some");
    std::fs::create_dir(&some).unwrap();
    // A file less, and others of other names: it is still the music that the run learnt from.
    for (k, name) in crate::common::names(&run.join("music")).into_iter().enumerate().skip(1) {
        std::fs::copy(run.join("music").join(name), some.join(format!("other-{k}.mid"))).unwrap();
    }
    save(&piece(77), &some.join("new.mid"));
    let some = some.to_str().unwrap();
    let ran = cantus(run, &["evaluate", "run", some, "-n", "2", "--bars", "4", "--json"]);
    assert!(ran.err.contains("was trained on another choice of music than"), "{}", ran.err);
    let found = json(&ran.fine());
    let names: Vec<&str> = found["likelihood"][0]["by_piece"]
        .as_array()
        .unwrap()
        .iter()
        .map(|piece| piece["name"].as_str().unwrap())
        .collect();
    let inspected = json(&cantus(run, &["inspect", "run/best.safetensors", "--json"]).fine());
    let corpus = &inspected["header"]["corpus"];
    let valid = corpus["valid_pieces"].as_u64().unwrap() as usize;
    assert!(names.contains(&"new.mid") && names.len() <= valid + 1, "{names:?}, of {valid} kept from learning");
}

#[test]
fn several_models_stand_in_one_table_and_their_json_on_a_line_each() {
    let run = trained();
    let options = ["music", "-n", "2", "--bars", "4"];
    let ran = cantus(run, &[&["evaluate", "run", "music"], &options[..]].concat()).fine();
    let rows: Vec<&str> = ran.lines().collect();
    assert!(rows[0] == "Beside music" && rows[2].ends_with("in its own unit"), "{ran}");
    assert!(rows[3].starts_with("run ") && rows[3].ends_with(" per token"), "{ran}");
    assert!(rows[4].starts_with("music ") && rows[4].trim_end().ends_with("-  -") || rows[4].contains('-'), "{ran}");
    let ran = cantus(run, &[&["evaluate", "run", "run"], &options[..], &["--json"]].concat()).fine();
    let lines: Vec<Value> = ran.lines().map(json).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1], "the same model, the same report");
    let line = &lines[0]["likelihood"][0];
    let by_piece = line["by_piece"].as_array().unwrap();
    assert_eq!((by_piece.len() as u64, &line["unit"]), (line["count"].as_u64().unwrap(), &Value::from("token")));
    let nats: f64 = by_piece.iter().map(|piece| piece["nats"].as_f64().unwrap()).sum();
    // By bar and by token they are the same.
    let summed = |value: &Value, of: &dyn Fn(&Value) -> f64| value.as_array().unwrap().iter().map(of).sum::<f64>();
    for piece in by_piece {
        let whole = piece["nats"].as_f64().unwrap();
        let bars = summed(&piece["bars"], &|bar| bar.as_f64().unwrap());
        let moments = summed(&piece["moments"], &|moment| moment[1].as_f64().unwrap());
        assert!((bars - whole).abs() < 1e-6 * whole && (moments - whole).abs() < 1e-6 * whole, "{piece}");
    }
    let quarters: f64 = by_piece.iter().map(|piece| piece["quarters"].as_f64().unwrap()).sum();
    assert!((nats / quarters - line["nats_per_quarter"].as_f64().unwrap()).abs() < 1e-9, "{line}");
}

#[test]
fn the_verdict_comes_first_and_a_sample_is_said_to_be_one() {
    let run = trained();
    let place = folder();
    std::fs::create_dir(place.path().join("others")).unwrap();
    (70..74).for_each(|seed| save(&piece(seed), &place.path().join(format!("others/{seed}.mid"))));
    let others = place.path().join("others");
    let ran = cantus(run, &["evaluate", "run", others.to_str().unwrap(), "-n", "1", "--bars", "4", "--judged", "3"]);
    let said = "note: the likelihood is that of 3 of 4 pieces, evenly spread; --judged 4 asks of all\n";
    assert!(ran.err.ends_with(said), "{}", ran.err);
    let out = ran.fine();
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!((rows[0], rows[2]), ("1 piece of run beside 4 pieces of others", "In short"), "{out}");
    assert!(out.contains("pieces that it did not learn from (3 of 4): "), "{out}");
    assert!(rows.len() <= 32 && out.contains("--full prints every statistic"), "{out}");
    let full = cantus(run, &["evaluate", "run", "music", "-n", "2", "--bars", "4", "--full"]).fine();
    assert!(full.lines().count() > 80 && full.lines().nth(2) == Some("In short"), "{full}");
}

#[test]
fn a_benchmark_file_is_a_corpus_on_its_own_grid() {
    let folder = folder();
    let step = |k: usize| format!("[{},{},{},{}]", 72 - k / 8 % 5, 67, 64 - k / 4 % 3, 48 + k / 4 % 7);
    let piece = |from: usize| format!("[{}]", (from..from + 80).map(step).collect::<Vec<_>>().join(","));
    let text = format!(
        r#"{{"name":"four","step":"sixteenth note","voices":["s","a","t","b"],"train":[{},{},{}],"valid":[{},{}],"test":[]}}"#,
        piece(0),
        piece(9),
        piece(31),
        piece(50),
        piece(72)
    );
    std::fs::write(folder.path().join("four.json"), text).unwrap();
    let found =
        json(&cantus(folder.path(), &["evaluate", "chorales", "four.json", "-n", "2", "--bars", "4", "--json"]).fine());
    assert_eq!((&found["likelihood"][0]["count"], &found["likelihood"][0]["adjusted"]), (&5.into(), &0.into()));
    assert_eq!(found["pieces"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_evaluated_is_refused_by_name() {
    let place = folder();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    fill(&place.path().join("corpus"), 2);
    let failed = |arguments: &[&str], code| cantus(place.path(), arguments).failed(code);
    assert!(failed(&["evaluate", "hymns", "corpus", "-o", "report.txt"], 2).contains(".html or .json"));
    assert!(failed(&["evaluate", "hymns", "nowhere"], 1).contains("there is no folder `nowhere`"));
    assert!(failed(&["evaluate", "corpus", "empty"], 1).contains("no file of `empty` can be used"));
    assert!(failed(&["evaluate", "nowhere.safetensors", "corpus"], 1).contains("nowhere.safetensors"));
    assert!(failed(&["evaluate", "hymns", "corpus", "-n", "0"], 2).contains("0"));
    assert!(!Path::new("report.txt").exists());
    assert_eq!(command(place.path(), &["evaluate"]).output().unwrap().status.code(), Some(2));
}
