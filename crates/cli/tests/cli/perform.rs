//! `cantus perform`: scores are played, and players learn.

use crate::common::{bytes, cantus, folder, piece, save, score};
use cantus_formats::midi;
use cantus_score::{Part, Score, Ticks};
use std::path::Path;

fn play(folder: &Path, output: &str, more: &[&str]) -> String {
    cantus(folder, &[&["perform", "score.mid", "-o", output], more].concat()).fine()
}

/// The pitches of each part, sorted.
fn pitches(score: &Score) -> Vec<Vec<u8>> {
    let of = |part: &Part| {
        let mut pitches: Vec<u8> = part.notes.iter().map(|note| note.pitch.get()).collect();
        pitches.sort_unstable();
        pitches
    };
    score.parts.iter().map(of).collect()
}

#[test]
fn a_score_is_played_and_the_same_seed_plays_the_same_bytes() {
    let folder = folder();
    let folder = folder.path();
    save(&piece(3), &folder.join("score.mid"));
    let written = score(folder, "score.mid");
    let out = play(folder, "one.mid", &["--seed", "5"]);
    assert!(out.contains("one.mid") && out.contains("strength 0.7, seed 5") && out.contains("Hear it"), "{out}");
    play(folder, "two.mid", &["--seed", "5"]);
    play(folder, "three.mid", &["--seed", "6"]);
    assert_eq!(bytes(folder, "one.mid"), bytes(folder, "two.mid"));
    assert_ne!(bytes(folder, "one.mid"), bytes(folder, "three.mid"));
    let played = score(folder, "one.mid");
    assert_eq!(pitches(&played), pitches(&written));
    assert!(played.tempos.len() > 20 && played.notes().any(|note| note.velocity.get() != 80), "it is played");
    let lasts = |score: &Score| score.tempo_map().seconds(score.notes().map(|note| note.onset).max().unwrap());
    assert!((lasts(&played) / lasts(&written) - 1.0).abs() < 0.02, "{} {}", lasts(&played), lasts(&written));
    assert!(played.remarks.iter().any(|remark| remark.starts_with("played by cantus {")), "{:?}", played.remarks);
    // As written: the same times and loudnesses.
    play(folder, "written.mid", &["--strength", "0", "--seed", "1"]);
    let as_written = score(folder, "written.mid");
    assert_eq!((&as_written.parts, &as_written.tempos), (&written.parts, &written.tempos));
    play(folder, "sound.flac", &["--seed", "5"]);
    let json = play(folder, "json.mid", &["--seed", "5", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["notes"], &json["origin"]["model"]), (&written.note_count().into(), &"pianist".into()));
}

#[test]
fn what_cannot_be_played_is_said() {
    let folder = folder();
    let folder = folder.path();
    let mut drums = piece(3);
    drums.parts[0].drums = true;
    drums.parts[0].channel = Part::DRUM_CHANNEL;
    save(&drums, &folder.join("drums.mid"));
    save(&piece(3), &folder.join("score.mid"));
    let failed = |arguments: &[&str], code: i32| cantus(folder, arguments).failed(code);
    let said = failed(&["perform", "drums.mid", "-o", "x.mid"], 1);
    assert!(said.contains("`drums.mid` cannot be played") && said.contains("nothing to play"), "{said}");
    let said = failed(&["perform", "score.mid", "-o", "x.mid", "--strength", "3"], 1);
    assert!(said.contains("a strength of 3 makes no sense"), "{said}");
    let said = failed(&["perform", "score.mid", "-o", "score.mid"], 2);
    assert!(said.contains("overwritten by itself"), "{said}");
    let said = failed(&["perform", "score.mid", "-o", "x.mid", "-m", "hymns"], 1);
    assert!(said.contains("writes notes and plays none"), "{said}");
    failed(&["perform"], 2);
    assert!(!folder.join("x.mid").exists());
}

#[test]
fn a_player_learns_from_performances_and_does_not_compose() {
    let folder = folder();
    let folder = folder.path();
    std::fs::create_dir(folder.join("music")).unwrap();
    for seed in 0..4 {
        // Played: every note a little late by its pitch, and louder the higher it is.
        let mut played = piece(seed);
        for note in &mut played.parts[0].notes {
            note.onset = Ticks(2 * note.onset.0 + u64::from(note.pitch.get() % 7));
            note.velocity = note.pitch.get().try_into().unwrap();
        }
        played.parts[0].notes.sort_unstable();
        save(&played, &folder.join(format!("music/{seed}.mid")));
    }
    save(&piece(9), &folder.join("score.mid"));
    let train = ["perform", "--train", "music", "-o", "mine.safetensors", "--epochs", "2"];
    let small = ["--set", "reader=8", "--set", "writer=12", "--set", "window=32", "--set", "batch=2"];
    let out = cantus(folder, &[&train[..], &small].concat()).fine();
    for word in
        ["to learn from  3 performances of 3 compositions", "counted", "linear", "model", "in common", "velocity"]
    {
        assert!(out.contains(word), "`{word}` is missing in:\n{out}");
    }
    let first = bytes(folder, "mine.safetensors");
    cantus(folder, &[&train[..], &small].concat()).fine();
    assert_eq!(bytes(folder, "mine.safetensors"), first, "the same seed gives the same model");
    play(folder, "played.mid", &["-m", "mine.safetensors", "--seed", "1"]);
    assert_eq!(pitches(&score(folder, "played.mid")), pitches(&score(folder, "score.mid")));
    let judged = cantus(folder, &["perform", "--judge", "music", "-m", "mine.safetensors"]).fine();
    let row = |out: &str| out.lines().find(|line| line.starts_with("model ")).map(str::to_owned);
    let figures = |out: &str| row(out).unwrap().split_whitespace().take(7).collect::<Vec<_>>().join(" ");
    assert_eq!(
        figures(&judged),
        figures(
            &out.lines().filter(|line| !line.contains('/') && !line.contains("mine")).collect::<Vec<_>>().join("\n")
        )
    );
    let said = cantus(folder, &["compose", "-m", "mine.safetensors"]).failed(1);
    assert!(said.contains("plays scores and composes nothing"), "{said}");
    let said = cantus(folder, &["perform", "--train", "music", "-o", "mine.mid"]).failed(2);
    assert!(said.contains("ends with .safetensors"), "{said}");
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("empty/broken.mid"), "no music").unwrap();
    let said = cantus(folder, &["perform", "--train", "empty", "-o", "x.safetensors"]).failed(1);
    assert!(said.contains("too little to learn from") && said.contains("broken.mid"), "{said}");
}

/// Scores with their performances, as data sets have them: a folder for each piece, with the beats of both.
#[test]
fn a_player_learns_from_scores_with_their_performances() {
    let folder = folder();
    let folder = folder.path();
    for seed in 0..3 {
        let place = folder.join(format!("music/{seed}"));
        std::fs::create_dir_all(&place).unwrap();
        let written = piece(seed);
        save(&written, &place.join("score.mid"));
        let mut played = written.clone();
        played.tempos[0].1 = cantus_score::Tempo::from_quarters_per_minute(70.0).unwrap();
        save(&played, &place.join("anna.mid"));
        save(&played, &place.join("bea.mid"));
        let beats = |score: &Score| -> String {
            (0..32).map(|beat| format!("{}\t0\tb\n", score.tempo_map().seconds(Ticks(480 * beat)))).collect()
        };
        std::fs::write(place.join("score_beats.txt"), beats(&written)).unwrap();
        std::fs::write(place.join("anna_beats.txt"), beats(&played)).unwrap();
    }
    let train = [
        "perform",
        "--train",
        "music",
        "-o",
        "pairs.safetensors",
        "--epochs",
        "1",
        "--set",
        "reader=4",
        "--set",
        "writer=8",
        "--json",
    ];
    let ran = cantus(folder, &train);
    assert!(ran.err.contains("bea.mid: it or its score has no beats"), "{}", ran.err);
    let out = ran.fine();
    let first: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["train"]["performances"], &first["valid"]["performances"]), (&2.into(), &1.into()));
    assert_eq!(first["valid"]["files"][0].as_str().map(|file| file.ends_with("anna.mid")), Some(true));
    let model = cantus_model::ModelFile::from_bytes(&bytes(folder, "pairs.safetensors")).unwrap();
    assert_eq!(model.header.encoding["with_score"], true);
    assert!(midi::read(&bytes(folder, "music/0/score.mid"), &midi::Limits::default()).is_ok());
}
