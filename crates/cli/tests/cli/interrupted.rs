//! Trainings that are stopped, killed, and resumed: as if never stopped.
#![cfg(unix)]

use crate::common::{Draws, Ran, bytes, cantus, command, fill, folder, names, piece, save, training};
use crate::train::{metrics, remarks};
use cantus_model::{ModelFile, Precision};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts the program and, once it has printed `lines` lines of which the text holds `mark`, sends it `signal`.
fn stopped(folder: &Path, arguments: &[&str], mark: &str, lines: u64, signal: &str) -> Ran {
    let mut child =
        command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let (mut out, mut left) = (String::new(), lines);
    while left > 0 && printed.read_line(&mut out).unwrap() > 0 {
        left -= u64::from(out.lines().next_back().is_some_and(|line| line.contains(mark)));
    }
    if left == 0 {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
    printed.read_to_string(&mut out).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ran { code: child.wait().unwrap().code(), out, err }
}

/// The figures, but for those that no two runs share.
fn figures(run: &Path) -> Vec<serde_json::Value> {
    let mut lines = metrics(run);
    for line in &mut lines {
        for of_time in ["seconds", "tokens_per_second"] {
            line.as_object_mut().unwrap().remove(of_time).unwrap();
        }
    }
    lines
}

/// The last checkpoint's name and content, but for the seconds that it took.
fn last_checkpoint(run: &Path) -> (String, ModelFile) {
    let name = names(&run.join("checkpoints")).pop().unwrap();
    let mut file = ModelFile::from_bytes(&bytes(&run.join("checkpoints"), &name)).unwrap();
    file.header.state.as_mut().unwrap().as_object_mut().unwrap().remove("seconds").unwrap();
    (name, file)
}

/// Two runs that ended alike, bit for bit.
fn assert_alike(one: &Path, other: &Path) {
    assert_eq!(figures(one), figures(other));
    let ((name, a), (other_name, b)) = (last_checkpoint(one), last_checkpoint(other));
    assert_eq!(name, other_name);
    assert_eq!(a.header, b.header);
    assert!(a.tensors == b.tensors, "the last checkpoints differ");
    assert!(bytes(one, "best.safetensors") == bytes(other, "best.safetensors"), "the models differ");
}

/// Whatever lies in a run under its own name can be read.
fn assert_readable(run: &Path) {
    if !run.join("run.json").exists() {
        return;
    }
    serde_json::from_slice::<serde_json::Value>(&bytes(run, "run.json")).unwrap();
    for folder in [run.to_owned(), run.join("checkpoints")] {
        for name in names(&folder).iter().filter(|name| name.ends_with(".safetensors")) {
            ModelFile::from_bytes(&bytes(&folder, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    for name in names(&run.join("samples")).iter().filter(|name| name.ends_with(".mid")) {
        crate::common::score(&run.join("samples"), name);
    }
    if run.join("curves.svg").exists() {
        assert!(String::from_utf8(bytes(run, "curves.svg")).unwrap().trim_end().ends_with("</svg>"));
    }
}

/// Trains `arguments` in `whole` without a stop and in `killed` with many, and compares.
fn killed_as_if_never(folder: &Path, arguments: &[&str], kills: u64, seed: u64) {
    cantus(folder, &[arguments, &["-o", "whole"]].concat()).fine();
    let run = folder.join("killed");
    let mut draws = Draws(seed);
    let resume = ["train", "--resume", "-o", "killed", "--checkpoint-seconds", "0"];
    let begin = [arguments, &["-o", "killed", "--checkpoint-seconds", "0"]].concat();
    for kill in 0..=kills {
        let start = if run.join("run.json").exists() { &resume[..] } else { &begin[..] };
        if kill == kills {
            cantus(folder, start).fine();
            break;
        }
        // Before the first step, after a step, within the writing of files: each is hit by one kill or another.
        let (mark, lines) = match draws.below(4) {
            0 => ("", 1 + draws.below(5)),
            1 => ("epoch ", 1),
            _ => ("checkpoint ", 1 + draws.below(9)),
        };
        let signal = if draws.below(4) == 0 { "-INT" } else { "-KILL" };
        let ran = stopped(folder, start, mark, lines, signal);
        assert_readable(&run);
        if ran.code.is_some() {
            // Saved before it stopped, or it was done before the signal came.
            let over = !ran.out.contains("nothing is lost");
            ran.fine();
            if over {
                break;
            }
        }
    }
    assert_alike(&folder.join("whole"), &run);
    let left: Vec<String> = names(&run).into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_training_killed_again_and_again_ends_as_if_never_killed() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let all = training("", "6");
    let arguments: Vec<&str> = [&all[..2], &all[4..]].concat();
    killed_as_if_never(folder.path(), &arguments, 12, 1);
}

#[test]
fn the_way_back_from_a_collapse_is_exact_too() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let all = training("", "5");
    let hasty = ["--set", "learning_rate=10", "--set", "warmup=1"];
    let arguments: Vec<&str> = [&all[..2], &all[4..], &hasty].concat();
    killed_as_if_never(folder.path(), &arguments, 10, 4);
    assert!(!remarks(&folder.path().join("whole"), "collapse").is_empty());
}

#[test]
fn the_way_back_to_the_best_epoch_is_exact_too() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let all = training("", "40");
    // Learns by heart at once: validation grows worse, the training goes back to its best and lets the learning rate fall.
    let hasty = ["--set", "learning_rate=0.1", "--set", "warmup=1", "--set", "patience=2"];
    let arguments: Vec<&str> = [&all[..2], &all[4..], &hasty].concat();
    killed_as_if_never(folder.path(), &arguments, 10, 3);
    let remarks = remarks(&folder.path().join("whole"), "plateau");
    assert!(
        remarks.iter().any(|(_, text)| text.contains("no better for") && text.contains("from epoch")),
        "{remarks:?}"
    );
}

#[test]
fn the_classic_networks_resume_exactly_too() {
    for name in ["lstm:classic", "lstm:softology"] {
        let folder = folder();
        fill(&folder.path().join("music"), 4);
        let small = ["--set", "layers=[10,8]", "--set", "dense=8", "--set", "batch=40", "--set", "window=10"];
        let arguments = [&["train", "music", "-c", name, "--epochs", "3"], &small[..]].concat();
        killed_as_if_never(folder.path(), &arguments, 5, 2);
    }
}

#[test]
fn an_interrupt_saves_and_says_how_to_go_on() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let ran = stopped(folder.path(), &endless("run"), "epoch ", 2, "-INT");
    assert!(ran.err.contains("saving a checkpoint"), "{}", ran.err);
    let out = ran.fine();
    assert!(
        out.contains("stopped, nothing is lost. Go on with: ") && out.contains("cantus train --resume -o run"),
        "{out}"
    );
    let done = figures(&folder.path().join("run")).len();
    assert!(done >= 2, "{done} epochs");
    assert_eq!(names(&folder.path().join("run/checkpoints")).len(), done / 25 + 1);
    // What is there composes, and says how far it is.
    cantus(folder.path(), &["compose", "-m", "run", "--bars", "2"]).fine();
    let about = cantus(folder.path(), &["inspect", "run"]).fine();
    assert!(about.contains("go on with: ") && about.contains("cantus train --resume -o run"), "{about}");
    let out = stopped(folder.path(), &["train", "--resume", "-o", "run"], "epoch ", 2, "-INT").fine();
    assert!(out.contains(&format!("going on after epoch {done}")), "{out}");
    assert!(out.contains(&format!("epoch {:>4}  ", done + 1)), "{out}");
}

/// A training that only a signal ends.
fn endless(output: &str) -> Vec<&str> {
    [&training(output, "1000000")[..], &["--set", "patience=1000000"]].concat()
}

#[test]
fn two_trainings_do_not_write_into_one_run() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let mut first = command(folder.path(), &endless("run")).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("epoch ")).unwrap().unwrap();
    let message = cantus(folder.path(), &["train", "--resume", "-o", "run"]).failed(1);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(message.contains("another training") && message.contains(&first.id().to_string()), "{message}");
}

#[test]
fn a_damaged_checkpoint_costs_only_what_came_after_the_one_before() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let arguments = training("run", "4");
    cantus(folder.path(), &training("whole", "4")).fine();
    stopped(folder.path(), &[&arguments[..], &["--checkpoint-seconds", "0"]].concat(), "checkpoint ", 12, "-KILL");
    let checkpoints = folder.path().join("run/checkpoints");
    let newest = names(&checkpoints).into_iter().rfind(|name| name.starts_with("step-")).unwrap();
    let whole = bytes(&checkpoints, &newest);
    std::fs::write(checkpoints.join(&newest), &whole[..whole.len() / 2]).unwrap();
    cantus(folder.path(), &["train", "--resume", "-o", "run"]).fine();
    assert_alike(&folder.path().join("whole"), &folder.path().join("run"));
}

#[test]
fn a_finished_training_has_nothing_left_to_do_until_it_is_given_more_epochs() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    cantus(folder.path(), &training("run", "2")).fine();
    let before = bytes(&folder.path().join("run"), "best.safetensors");
    let out = cantus(folder.path(), &["train", "--resume", "-o", "run"]).fine();
    assert!(out.contains("going on after epoch 2") && out.contains("the epochs are over"), "{out}");
    assert!(before == bytes(&folder.path().join("run"), "best.safetensors"));
    let out = cantus(folder.path(), &["train", "--resume", "-o", "run", "--epochs", "5"]).fine();
    assert!(out.contains("the epochs are over: 5 epochs"), "{out}");
    assert_eq!(figures(&folder.path().join("run")).len(), 5);
}

#[test]
fn changed_music_and_missing_runs_are_refused() {
    let folder = folder();
    let music = folder.path().join("music");
    fill(&music, 6);
    cantus(folder.path(), &training("run", "1")).fine();
    let message = cantus(folder.path(), &["train", "--resume", "-o", "none"]).failed(1);
    assert!(message.contains("there is no run folder none"), "{message}");
    let message = cantus(folder.path(), &["train", "--resume", "-o", "music"]).failed(1);
    assert!(message.contains("not a run folder"), "{message}");
    let message = cantus(folder.path(), &["train", "--resume"]).failed(2);
    assert!(message.contains("--output"), "{message}");
    for option in
        [["--set", "hidden=8"], ["--seed", "3"], ["--max-notes", "9"], ["--max-off-grid", "0.5"], ["--max-tracks", "2"]]
    {
        let message = cantus(folder.path(), &[&["train", "--resume", "-o", "run"], &option[..]].concat()).failed(2);
        assert!(message.contains(option[0]), "{message}");
    }
    // Renaming changes nothing, adding does.
    std::fs::rename(music.join("00.mid"), music.join("renamed.mid")).unwrap();
    cantus(folder.path(), &["train", "--resume", "-o", "run"]).fine();
    save(&piece(77), &music.join("new.mid"));
    let message = cantus(folder.path(), &["train", "--resume", "-o", "run", "--epochs", "2"]).failed(1);
    assert!(message.contains("is not what this run began with") && message.contains("begin a new run"), "{message}");
    assert!(message.contains("(added: new.mid)"), "the file is named: {message}");
    // The music may have moved.
    std::fs::remove_file(music.join("new.mid")).unwrap();
    std::fs::rename(&music, folder.path().join("elsewhere")).unwrap();
    let message = cantus(folder.path(), &["train", "--resume", "-o", "run"]).failed(1);
    assert!(message.contains("music"), "{message}");
    cantus(folder.path(), &["train", "elsewhere", "--resume", "-o", "run", "--epochs", "2"]).fine();
}

#[test]
fn a_checkpoint_that_lacks_a_part_of_its_model_is_refused() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    cantus(folder.path(), &training("run", "1")).fine();
    let checkpoints = folder.path().join("run/checkpoints");
    let name = names(&checkpoints).pop().unwrap();
    let whole = ModelFile::from_bytes(&bytes(&checkpoints, &name)).unwrap();
    for prefix in ["best.", ""] {
        let mut damaged = whole.clone();
        let lost = damaged.tensors.keys().find(|key| key.starts_with(prefix)).unwrap().clone();
        damaged.tensors.remove(&lost);
        std::fs::write(checkpoints.join(&name), damaged.to_bytes(Precision::Full).unwrap()).unwrap();
        let message = cantus(folder.path(), &["train", "--resume", "-o", "run", "--epochs", "2"]).failed(1);
        assert!(message.contains("parameter"), "{lost}: {message}");
    }
}

#[test]
fn the_surroundings_choose_no_device() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let ran = command(folder.path(), &training("run", "1")).env("BURN_DEVICE", "cuda").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
