//! `cantus train`: from a folder to a run.

use crate::common::{TINY, bytes, cantus, fill, folder, names, piece, save, trained, training};
use cantus_model::ModelFile;
use cantus_score::{Note, Part, Pitch, Score, Ticks};
use std::path::Path;

/// The lines of `metrics.jsonl`.
pub fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = String::from_utf8(bytes(run, "metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The doctor's remarks in a run on an illness of this name: the epochs and the texts.
pub fn remarks(run: &Path, illness: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for line in metrics(run) {
        for remark in line["remarks"].as_array().into_iter().flatten().filter(|remark| remark["illness"] == illness) {
            found.push((line["epoch"].as_u64().unwrap(), remark["text"].as_str().unwrap().to_owned()));
        }
    }
    found
}

#[test]
fn a_training_says_what_it_reads_and_what_it_does() {
    let out = String::from_utf8(bytes(trained(), "train.out")).unwrap();
    let said = [
        "music: 12 music files",
        "12  used:",
        "to train on,",
        "lstm:default, ",
        "parameters, seed 1, at most 3 epochs",
        "to beat: ",
        "unigram",
        "trigram with back-off",
        "epoch    1  training ",
        "nats/token, ",
        "/quarter, ",
        "tokens/s",
        "checkpoint ",
        "and a composition: ",
        "the epochs are over: 3 epochs in ",
        "best on music: epoch ",
        "cantus compose -m run",
    ];
    let mut rest = &out[..];
    for text in said {
        let at = rest.find(text).unwrap_or_else(|| panic!("`{text}` is missing, or too early, in:\n{out}"));
        rest = &rest[at..];
    }
}

#[test]
fn a_run_holds_all_that_it_should() {
    let run = trained().join("run");
    let expected =
        ["best.safetensors", "checkpoints", "curves.svg", "lock", "metrics.jsonl", "music.json", "run.json", "samples"];
    assert_eq!(names(&run), expected);
    let description: serde_json::Value = serde_json::from_slice(&bytes(&run, "run.json")).unwrap();
    assert_eq!((&description["composer"], &description["settings"]["hidden"]), (&"lstm".into(), &24.into()));
    assert_eq!(description["bounds"], serde_json::json!({"epochs": 3, "minutes": null}));
    let lines = metrics(&run);
    assert_eq!(lines.iter().map(|line| line["epoch"].as_u64().unwrap()).collect::<Vec<u64>>(), [1, 2, 3]);
    // It has learnt: the first epoch is not the best of three on validation.
    let nats = |line: &serde_json::Value| line["valid"]["nats_per_token"].as_f64().unwrap();
    assert!(nats(&lines[2]) < nats(&lines[0]));
    let step = lines[2]["step"].as_u64().unwrap();
    assert_eq!(names(&run.join("checkpoints")), [format!("step-{step:012}.safetensors")]);
    let samples = names(&run.join("samples"));
    assert_eq!(samples, [format!("epoch-0003-step-{step:07}.mid")]);
    assert_eq!(crate::common::score(&run.join("samples"), &samples[0]).bars().count(), 16);
    assert!(String::from_utf8(bytes(&run, "curves.svg")).unwrap().contains("<svg"));
    let best = ModelFile::from_bytes(&bytes(&run, "best.safetensors")).unwrap().header;
    let figures = best.training.unwrap();
    assert_eq!((best.corpus.train_pieces + best.corpus.valid_pieces, figures.baselines.len()), (12, 2));
    let least = lines.iter().map(nats).fold(f64::INFINITY, f64::min);
    assert_eq!(figures.validation.nats_per_token, least);
}

#[test]
fn the_same_seed_gives_the_same_model_and_another_seed_another() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    let train = |output: &str, seed: &str| {
        cantus(folder.path(), &[&training(output, "2")[..], &["--seed", seed]].concat()).fine();
        bytes(&folder.path().join(output), "best.safetensors")
    };
    let (a, b, c) = (train("a", "5"), train("b", "5"), train("c", "6"));
    assert!(a == b, "one seed, two models");
    assert!(a != c, "two seeds, one model");
}

#[test]
fn folders_without_usable_music_end_with_the_report() {
    let folder = folder();
    for name in ["empty", "hopeless", "one"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let message = cantus(folder.path(), &["train", "nowhere"]).failed(1);
    assert!(message.contains("there is no folder `nowhere`"), "{message}");
    let ran = cantus(folder.path(), &["train", "empty"]);
    assert!(ran.out.contains("empty: 0 music files"), "{}", ran.out);
    assert!(ran.failed(1).contains(".mid"));
    std::fs::write(folder.path().join("hopeless/text.mid"), "no music").unwrap();
    let mut short = piece(1);
    short.parts[0].notes.truncate(3);
    save(&short, &folder.path().join("hopeless/short.mid"));
    let ran = cantus(folder.path(), &["train", "hopeless"]);
    for said in ["hopeless: 2 music files", "0  used", "text.mid", "unreadable", "short.mid", "too short"] {
        assert!(ran.out.contains(said), "`{said}` is missing in:\n{}", ran.out);
    }
    assert!(ran.failed(1).contains("`hopeless`"));
    // One piece cannot both be learnt from and judged by.
    save(&piece(1), &folder.path().join("one/a.mid"));
    save(&piece(1), &folder.path().join("one/b.mid"));
    let ran = cantus(folder.path(), &["train", "one"]);
    assert!(ran.out.contains("duplicate of"), "{}", ran.out);
    assert!(ran.failed(1).contains("a second piece is needed"));
    assert_eq!(names(folder.path()), ["empty", "hopeless", "one"], "a run was begun");
}

#[test]
fn a_folder_of_29_files_works_and_the_bad_ones_are_told() {
    let folder = folder();
    let music = folder.path().join("music/deep/er");
    fill(&music, 25);
    std::fs::write(music.join("torn.mid"), &bytes(&music, "03.mid")[..60]).unwrap();
    std::fs::write(music.join("copy.mid"), bytes(&music, "04.mid")).unwrap();
    std::fs::write(music.join("empty.mid"), "").unwrap();
    std::fs::write(music.join("text.mid"), "text").unwrap();
    std::fs::write(music.join("notes.txt"), "not music").unwrap();
    let out = cantus(folder.path(), &training("run", "1")).fine();
    for said in ["29 music files", "25  used", "1  duplicate", "unreadable", "copy.mid", "text.mid", "empty.mid"] {
        assert!(out.contains(said), "`{said}` is missing in:\n{out}");
    }
    cantus(folder.path(), &["compose", "-m", "run", "--bars", "4"]).fine();
}

#[test]
fn every_configuration_trains_and_composes() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    for name in ["classic", "softology"] {
        let composer = format!("lstm:{name}");
        let small = ["--set", "layers=[12,8]", "--set", "dense=8", "--set", "batch=32", "--set", "window=10"];
        let arguments = ["train", "music", "-c", &composer, "-o", name, "--epochs", "1"];
        let out = cantus(folder.path(), &[&arguments[..], &small].concat()).fine();
        assert!(out.contains(&format!("{composer}, ")), "{out}");
        let options = ["compose", "-m", name, "--bars", "8", "--seed", "2"];
        for file in ["a.mid", "b.mid"] {
            cantus(folder.path(), &[&options[..], &["-o", file]].concat()).fine();
        }
        assert!(bytes(folder.path(), "a.mid") == bytes(folder.path(), "b.mid"));
        assert!(crate::common::score(folder.path(), "a.mid").note_count() > 0);
    }
}

#[test]
fn the_number_of_threads_is_said_and_changes_nothing() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let model = |threads: &str, said: &str| {
        let out = cantus(folder.path(), &[&training(threads, "1")[..], &["--threads", threads]].concat()).fine();
        assert!(out.contains(said), "{out}");
        bytes(&folder.path().join(threads), "best.safetensors")
    };
    assert!(model("1", ", on 1 thread\n") == model("3", ", on 3 threads\n"));
    cantus(folder.path(), &["compose", "--threads", "0"]).failed(2);
}

#[test]
fn the_folders_of_a_corpus_are_styles() {
    let folder = folder();
    let music = folder.path().join("music");
    fill(&music, 14);
    for (k, style) in (0..14).map(|k| (k, ["calm", "wild"][k % 2])) {
        let (name, own) = (format!("{k:02}.mid"), music.join(style));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::rename(music.join(&name), own.join(name)).unwrap();
    }
    let small = ["hidden=16", "units=16", "channels=16", "critic=0"].map(|set| ["--set", set]).concat();
    let training = ["train", "music", "-c", "notes", "--epochs", "1", "-o", "run"];
    cantus(folder.path(), &[&training[..], &small].concat()).fine();
    assert!(cantus(folder.path(), &["inspect", "run/best.safetensors"]).fine().contains("calm, wild"));
    let styled =
        |style: &'static str| ["compose", "-m", "run", "--bars", "4", "--seed", "3", "--style", style, "-o", "a.mid"];
    cantus(folder.path(), &styled("wild")).fine();
    // A piece can be had again from what stands in it.
    cantus(folder.path(), &["compose", "--like", "a.mid", "-o", "b.mid"]).fine();
    assert!(bytes(folder.path(), "a.mid") == bytes(folder.path(), "b.mid"));
    let refused = cantus(folder.path(), &styled("sad")).failed(1);
    assert!(refused.contains("no style `sad`: it learnt calm, wild"), "{refused}");
}

#[test]
fn half_halves_the_model() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    cantus(folder.path(), &training("full", "1")).fine();
    cantus(folder.path(), &[&training("half", "1")[..], &["--half"]].concat()).fine();
    let [full, half] = ["full", "half"].map(|run| bytes(&folder.path().join(run), "best.safetensors"));
    let numbers = |file: &[u8]| {
        ModelFile::from_bytes(file).unwrap().tensors.values().map(|tensor| tensor.values.len()).sum::<usize>()
    };
    let parameters = numbers(&full);
    assert_eq!(parameters, numbers(&half));
    // But for the header, which names shorter places.
    let header = full.len() - half.len() - 2 * parameters;
    assert!(header < 200, "{header}");
    cantus(folder.path(), &["compose", "-m", "half", "--bars", "2"]).fine();
}

#[test]
fn a_run_is_not_overwritten() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    cantus(folder.path(), &training("run", "1")).fine();
    let before = bytes(&folder.path().join("run"), "best.safetensors");
    let message = cantus(folder.path(), &training("run", "2")).failed(1);
    assert!(message.contains("already holds a training"), "{message}");
    assert!(message.contains("cantus train --resume -o run"), "{message}");
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/thesis.txt"), "my only copy").unwrap();
    let message = cantus(folder.path(), &training("full", "1")).failed(1);
    assert!(message.contains("thesis.txt") && message.contains("choose a new or an empty folder"), "{message}");
    assert!(before == bytes(&folder.path().join("run"), "best.safetensors"));
    assert_eq!(names(&folder.path().join("full")), ["thesis.txt"]);
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let cases: [(&[&str], i32, &[&str]); 13] = [
        (&["-c", "vae"], 2, &["no composer `vae`", "there are: notes, lstm"]),
        (&["-c", "lstm:classic", "--size", "large"], 2, &["`lstm:classic` has the one size that its source says"]),
        (&["-c", "lstm:vast"], 2, &["no configuration `vast`", "default, classic, softology"]),
        (&["--set", "hidden"], 2, &["KEY=VALUE"]),
        (&["--set", "hiden=12"], 1, &["unknown field `hiden`", "`hidden`"]),
        (&["-c", "lstm", "--set", "hidden=many"], 1, &["lstm", "many"]),
        (&["--set", "hidden=0"], 1, &["hidden = 0 is outside 1-8192"]),
        (&["--epochs", "0"], 2, &["--epochs must be at least 1"]),
        (&["--minutes", "-1"], 2, &["--minutes must be a positive number"]),
        (&["--grid", "0"], 2, &["a grid of 0"]),
        (&["--max-off-grid", "1.5"], 2, &["off the grid", "1.5"]),
        (&["--parts", "drums"], 2, &["drums", "all, band, first, piano or melody"]),
        (&["--recipe", "none.toml"], 1, &["there is no file `none.toml`"]),
    ];
    for (options, code, said) in cases {
        let arguments = [&["train", "music", "-o", "run"], options].concat();
        let message = cantus(folder.path(), &arguments).failed(code);
        for said in said {
            assert!(message.contains(said), "{options:?}: {message}");
        }
    }
    assert_eq!(names(folder.path()), ["music"], "a run was begun");
}

#[test]
fn a_recipe_gives_what_the_command_line_leaves_open() {
    let folder = folder();
    fill(&folder.path().join("music"), 5);
    let recipe = r#"
        description = "a small one"
        data = "made-up tunes"
        composer = "lstm"
        seed = 9
        epochs = 7
        half = true
        licence = "CC0"
        credit = "nobody"
        [settings]
        hidden = 32
        embedding = 16
        batch = 4
        window = 24
        [corpus]
        min_bars = 6
        [outcome]
        nats = 2.5
    "#;
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let arguments = ["train", "music", "-o", "run", "--recipe", "recipe.toml"];
    cantus(folder.path(), &[&arguments[..], &["--epochs", "1", "--set", "hidden=24"]].concat()).fine();
    let description: serde_json::Value =
        serde_json::from_slice(&bytes(&folder.path().join("run"), "run.json")).unwrap();
    let found = [
        &description["seed"],
        &description["bounds"]["epochs"],
        &description["half"],
        &description["settings"]["hidden"],
        &description["settings"]["embedding"],
        &description["options"]["min_bars"],
        &description["corpus"]["name"],
        &description["corpus"]["licence"],
    ];
    let expected = serde_json::json!([9, 1, true, 24, 16, 6, "made-up tunes", "CC0"]).as_array().unwrap().clone();
    assert_eq!(found.map(Clone::clone).to_vec(), expected);
    let card = cantus(folder.path(), &["inspect", "run/best.safetensors"]).fine();
    assert!(card.contains("made-up tunes") && card.contains("CC0") && card.contains("nobody"), "{card}");
    std::fs::write(folder.path().join("recipe.toml"), "sead = 9").unwrap();
    let message = cantus(folder.path(), &["train", "music", "-o", "other", "--recipe", "recipe.toml"]).failed(1);
    assert!(message.contains("`recipe.toml`") && message.contains("sead"), "{message}");
}

#[test]
fn json_lines_are_json() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let out = cantus(folder.path(), &[&training("run", "2")[..], &["--json"]].concat()).fine();
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let keys: Vec<&String> = lines.iter().flat_map(|line| line.as_object().unwrap().keys()).collect();
    assert_eq!(keys, ["preflight", "run", "metrics", "metrics", "outcome"]);
    assert_eq!(lines[4]["outcome"]["end"], "epochs");
    assert_eq!(lines[2]["metrics"], metrics(&folder.path().join("run"))[0]);
}

#[test]
fn minutes_bound_a_training() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let arguments = ["train", "music", "-o", "run", "-c", "lstm", "--minutes", "0.005"];
    let out = cantus(folder.path(), &[&arguments[..], &TINY].concat()).fine();
    assert!(out.contains("at most 0.005 minutes") && out.contains("the time is over: "), "{out}");
    cantus(folder.path(), &["compose", "-m", "run", "--bars", "2"]).fine();
}

#[test]
fn the_composer_follows_from_what_the_folder_holds() {
    let folder = folder();
    let make = |name: &str, change: &dyn Fn(&mut Score)| {
        let place = folder.path().join(name);
        fill(&place, 0);
        for seed in 0..5 {
            let mut score = piece(seed);
            change(&mut score);
            save(&score, &place.join(format!("{seed}.mid")));
        }
    };
    let drums = |notes: &[Note]| {
        let notes = notes.iter().map(|note| Note { pitch: Pitch::try_from(36u8).unwrap(), ..*note }).collect();
        Part { notes, ..Part::of_drums() }
    };
    make("band", &|score| score.parts.push(drums(&score.parts[0].notes)));
    make("drums", &|score| score.parts[0] = drums(&score.parts[0].notes));
    // Notes that lie anywhere: steps of an irrational number of quarters.
    make("played", &|score| {
        let mut k = 0.0;
        score.parts[0].notes.iter_mut().for_each(|note| {
            k += 1.0;
            note.onset = Ticks((k * 480.0 * 0.618_034) as u64);
        });
    });
    let tiny =
        ["--epochs", "1", "--set", "hidden=24", "--set", "units=16", "--set", "channels=16", "--set", "critic=0"];
    for (name, found) in [
        ("band", "music for several instruments (5): read part by part, on 4 steps a quarter note"),
        ("drums", "drums (5): read part by part"),
        ("played", "performances, as they were played (5): read as it was played, in hundredths of a second"),
    ] {
        let told = cantus(folder.path(), &["inspect", name]).fine();
        assert!(told.contains(found) && told.contains("the composer for it is `notes`"), "{told}");
        let out = cantus(folder.path(), &[&["train", name], &tiny[..]].concat()).fine();
        assert!(out.contains(found), "{out}");
        let run = format!("runs/{name}-notes");
        cantus(folder.path(), &["compose", "-m", &run, "--bars", "4", "-o", "x.mid"]).fine();
        let composed = crate::common::score(folder.path(), "x.mid");
        let kinds: Vec<bool> = composed.parts.iter().map(|part| part.drums).collect();
        match name {
            "band" => assert!(kinds.len() == 2 && kinds.contains(&true) && kinds.contains(&false), "{kinds:?}"),
            "drums" => assert_eq!(kinds, [true]),
            _ => assert_eq!(kinds, [false]),
        }
        // A model says how its music was read, and is judged by music that is read so.
        let model = folder.path().join(&run).join("best.safetensors");
        std::fs::copy(model, folder.path().join("alone.safetensors")).unwrap();
        let judged =
            cantus(folder.path(), &["evaluate", "alone.safetensors", name, "--count", "4", "--bars", "4"]).fine();
        assert!(judged.contains("nats per note"), "{judged}");
        // Whoever reads in one way only is asked to, and says what is missing.
        let lstm = cantus(folder.path(), &["inspect", name, "-c", "lstm"]).fine();
        assert!(
            lstm.contains(if name == "band" { "drum strokes in" } else { "A training cannot learn from this" }),
            "{lstm}"
        );
    }
    let message = cantus(folder.path(), &["inspect", "band", "-c", "lstm", "--reading", "parts"]).failed(1);
    assert!(message.contains("use a composer that does: notes"), "{message}");
}

#[test]
fn the_run_is_named_after_the_folder_where_no_name_is_given() {
    let folder = folder();
    fill(&folder.path().join("tunes"), 4);
    let out = cantus(folder.path(), &[&["train", "tunes", "-c", "lstm", "--epochs", "1"], &TINY[..]].concat()).fine();
    assert_eq!(names(&folder.path().join("runs")), ["tunes-lstm"]);
    assert!(out.contains("cantus compose -m runs/tunes-lstm"), "{out}");
}

#[test]
fn a_training_goes_on_from_a_model_and_says_so() {
    let place = folder();
    let (root, base) = (place.path(), crate::common::model());
    fill(&root.join("mine"), 4);
    let said = cantus(root, &["train", "mine", "-c", "notes", "--from", &base]).failed(2);
    assert!(said.contains("--composer") && said.contains("--from"), "{said}");
    let said = cantus(root, &["train", "mine", "--from", "nobody"]).failed(1);
    assert!(said.contains("there is no model `nobody`"), "{said}");
    let out = cantus(root, &["train", "mine", "--from", &base, "-o", "run", "--epochs", "1"]).fine();
    assert!(out.contains("lstm:default, going on from ") && out.contains("best.safetensors"), "{out}");
    let run = root.join("run");
    assert_eq!(bytes(&run, "base.safetensors"), bytes(trained(), "run/best.safetensors"));
    let first = |run: &Path| metrics(run)[0]["valid"]["nats_per_token"].as_f64().unwrap();
    assert!(first(&run) < first(&trained().join("run")), "it knew something before it began");
    // The settings of the model are kept, and where it comes from is told.
    let description: serde_json::Value = serde_json::from_slice(&bytes(&run, "run.json")).unwrap();
    assert_eq!((&description["settings"]["hidden"], &description["composer"]), (&24.into(), &"lstm".into()));
    let header = ModelFile::from_bytes(&bytes(&run, "best.safetensors")).unwrap().header;
    let before = ModelFile::from_bytes(&bytes(trained(), "run/best.safetensors")).unwrap().header;
    let [origin] = &header.origins[..] else { panic!("one model before it") };
    assert_eq!((&origin.corpus, &origin.originality), (&before.corpus, &before.originality));
    assert_eq!(origin.sha256, cantus_model::digest(&bytes(trained(), "run/best.safetensors")));
    let told = cantus(root, &["inspect", "run"]).fine();
    assert!(told.contains("goes on from") && told.contains("best.safetensors"), "{told}");
    let told = cantus(root, &["inspect", "run/best.safetensors"]).fine();
    assert!(told.contains("goes on from") && told.contains("pieces of music"), "{told}");
    // It stops and goes on as any other.
    cantus(root, &["train", "--resume", "-o", "run", "--epochs", "2"]).fine();
    let whole = cantus(root, &["train", "mine", "--from", &base, "-o", "whole", "--epochs", "2"]).fine();
    assert!(whole.contains("2 epochs"), "{whole}");
    let figures = |run: &str| metrics(&root.join(run)).iter().map(|line| line["valid"].clone()).collect::<Vec<_>>();
    assert_eq!(figures("run"), figures("whole"));
    // What the model before it learnt from is no music that it never heard.
    let music = trained().join("music").display().to_string();
    let said = cantus(root, &["evaluate", "run", &music, "-n", "2"]);
    let (said, train) = (format!("{}{}", said.out, said.err), before.corpus.train_pieces);
    assert!(
        said.contains(&format!("it has learnt from {train} of its 12 pieces")),
        "{}",
        &said[..said.len().min(2000)]
    );
}
