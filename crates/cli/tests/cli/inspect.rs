//! `cantus inspect`, `cantus render` (its messages) and `cantus composers`.

use crate::common::{bytes, cantus, fill, folder, model, names, piece, save, score, trained};
use cantus_score::Ticks;

#[track_caller]
fn contains(text: &str, all: &[&str]) {
    for said in all {
        assert!(text.contains(said), "`{said}` is missing in:\n{text}");
    }
}

#[test]
fn a_midi_file() {
    let folder = folder();
    let mut with_name = piece(3);
    with_name.title = Some("A tune".to_owned());
    with_name.meters = vec![(Ticks::ZERO, "4/4".parse().unwrap())];
    with_name.parts[0].name = Some("Evil\u{1b}[2Jpiano".to_owned());
    save(&with_name, &folder.path().join("x.mid"));
    let out = cantus(folder.path(), &["inspect", "x.mid"]).fine();
    let notes = format!("{} C3 to ", with_name.note_count());
    contains(&out, &["A tune", "20 s (32.0 quarter notes, 8 bars)", &notes, "4/4", "C major", "channel 1, program 0"]);
    assert!(!out.contains('\u{1b}'), "a file's text reached the terminal as it is");
    let out = cantus(folder.path(), &["inspect", "x.mid", "--json"]).fine();
    let about: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&about["notes"], &about["quarters"]), (&with_name.note_count().into(), &32.0.into()));
    assert!(about["origin"].is_null());
}

#[test]
fn the_length_is_that_of_what_is_used() {
    let folder = folder();
    let mut late = piece(3);
    let silence = Ticks(4 * 4 * u64::from(late.ticks_per_quarter.get()));
    for note in late.parts.iter_mut().flat_map(|part| &mut part.notes) {
        note.onset += silence;
    }
    save(&late, &folder.path().join("x.mid"));
    let out = cantus(folder.path(), &["inspect", "x.mid"]).fine();
    contains(&out, &["(32.0 quarter notes, 8 bars); the 4 silent bars before are left out"]);
    let out = cantus(folder.path(), &["inspect", "x.mid", "--json"]).fine();
    let about: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&about["quarters"], &about["silent_bars"]), (&32.0.into(), &4.into()));
}

#[test]
fn repeats_that_are_played_out_are_told() {
    let folder = folder();
    let tune = "X:1\nT:Up\nM:4/4\nL:1/4\nK:D\n|: D F A d | c A B A | G B A F | E2 D2 :|\n";
    std::fs::write(folder.path().join("tune.abc"), tune).unwrap();
    let out = cantus(folder.path(), &["inspect", "tune.abc"]).fine();
    contains(&out, &["8 bars", "played out: 4 bars on paper"]);
    let out = cantus(folder.path(), &["inspect", "tune.abc", "--json"]).fine();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["printed_bars"], 4);
}

#[test]
fn a_composition_says_how_it_was_made_and_how_to_make_it_again() {
    let folder = folder();
    save(&piece(3), &folder.path().join("in.mid"));
    let arguments = ["compose", "-m", &model(), "--seed", "11", "--bars", "6", "--temperature", "0.8"];
    cantus(folder.path(), &[&arguments[..], &["--prompt", "in.mid", "-o", "x.mid"]].concat()).fine();
    let out = cantus(folder.path(), &["inspect", "x.mid"]).fine();
    let again = "cantus compose --like x.mid";
    contains(&out, &["Composition", "seed 11, 6 bars, temperature 0.8", "3 bars of a file with SHA-256", again]);
    // The command that is shown names the model and asks for the prompt.
    contains(&out, &[&format!("-m {}", model()), "--prompt"]);
    cantus(folder.path(), &["compose", "--bars", "2", "-o", "y.mid"]).fine();
    let out = cantus(folder.path(), &["inspect", "y.mid"]).fine();
    let line = out.lines().find(|line| line.contains("cantus compose")).unwrap();
    assert!(line.ends_with("cantus compose --like y.mid"), "{line}");
}

#[test]
fn what_a_file_says_of_itself_is_shown_not_obeyed() {
    let folder = folder();
    let mut forged = piece(3);
    let sampling = r#"{"temperature":1.0,"top_k":0,"top_p":1.0}"#;
    forged.remarks = vec![format!(
        r#"composed by cantus {{"version":"1\u001b[1m","model":"\u001b]0;x","model_sha256":"\u001bab","seed":1,"bars":4,"sampling":{sampling}}}"#
    )];
    save(&forged, &folder.path().join("x.mid"));
    let out = cantus(folder.path(), &["inspect", "x.mid"]).fine();
    contains(&out, &["composed by", "seed 1, 4 bars"]);
    assert!(!out.contains('\u{1b}'), "{out:?}");
}

#[test]
fn a_folder() {
    let folder = folder();
    fill(&folder.path().join("music"), 5);
    std::fs::write(folder.path().join("music/text.mid"), "text").unwrap();
    let out = cantus(folder.path(), &["inspect", "music"]).fine();
    contains(&out, &["music: 6 music files", "5  used: ", "1  unreadable", "text.mid"]);
    assert!(!out.contains("01.mid"));
    let out = cantus(folder.path(), &["inspect", "music", "--verbose"]).fine();
    contains(&out, &["00.mid", "04.mid", "text.mid"]);
    let out = cantus(folder.path(), &["inspect", "music", "--json"]).fine();
    serde_json::from_str::<serde_json::Value>(&out).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    contains(&cantus(folder.path(), &["inspect", "empty"]).fine(), &["empty: 0 music files"]);
}

#[test]
fn tunes_of_one_voice_are_refused_by_the_composer_of_four() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("tunes")).unwrap();
    for seed in 0..6u32 {
        let notes = |k: u32| ["C", "D", "E", "F", "G", "A"][((k * k + seed * 3 + k) % 6) as usize];
        let bar = |bar: u32| (0..4).map(|k| notes(4 * bar + k)).collect::<String>();
        let bars: Vec<String> = (0..8).map(|k| bar(k + seed)).collect();
        let tune = format!("X:1\nT:{seed}\nM:4/4\nL:1/4\nK:C\n{}|]\n", bars.join("|"));
        std::fs::write(folder.path().join(format!("tunes/{seed}.abc")), tune).unwrap();
    }
    let message = cantus(folder.path(), &["train", "tunes", "-c", "chorale", "--epochs", "1"]).failed(1);
    contains(&message, &["chorale", "four voices", "train another composer"]);
}

#[test]
fn a_model_and_a_run() {
    let out = cantus(trained(), &["inspect", "run/best.safetensors"]).fine();
    contains(&out, &["SHA-256", "2 LSTM layers of 24", "music: ", "nats per token", "unigram", "protocol", "seed 1"]);
    let out = cantus(trained(), &["inspect", "run/best.safetensors", "--json"]).fine();
    let about: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(about["header"]["settings"]["hidden"], 24);
    assert_eq!(about["bytes"], bytes(trained(), "run/best.safetensors").len());
    let out = cantus(trained(), &["inspect", "run"]).fine();
    contains(&out, &["lstm:default", "trained", "3 epochs", "best", "trigram", "cantus train --resume -o run"]);
    let out = cantus(trained(), &["inspect", "run", "--json"]).fine();
    let about: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(about["metrics"].as_array().unwrap().len(), 3);
}

#[test]
fn the_built_in_model_has_a_card() {
    let out = cantus(folder().path(), &["inspect", "hymns"]).fine();
    contains(
        &out,
        &["model", "composer", "licence", "data", "validation", "nats per note", "trigram", "protocol", "listener"],
    );
    let json = cantus(folder().path(), &["inspect", "hymns", "--json"]).fine();
    let about: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(about["bytes"].as_u64().is_some_and(|bytes| bytes <= 4_000_000), "{}", about["bytes"]);
}

#[test]
fn what_is_no_music_is_told_so() {
    let folder = folder();
    std::fs::write(folder.path().join("text.txt"), "text").unwrap();
    let message = cantus(folder.path(), &["inspect", "text.txt"]).failed(1);
    contains(&message, &["`text.txt`", "not a MIDI file"]);
    contains(&cantus(folder.path(), &["inspect", "none.mid"]).failed(1), &["there is no file `none.mid`"]);
}

#[test]
fn rendering_turns_a_file_into_sound_picture_and_clean_midi() {
    let folder = folder();
    save(&piece(3), &folder.path().join("x.mid"));
    let arguments = ["render", "x.mid", "-o", "a.wav", "-o", "a.svg", "-o", "a.mid"];
    assert_eq!(cantus(folder.path(), &arguments).fine(), "a.wav\na.svg\na.mid\n");
    let wav = bytes(folder.path(), "a.wav");
    assert!(wav.starts_with(b"RIFF") && wav[44..].iter().any(|byte| *byte != 0));
    assert!(bytes(folder.path(), "a.svg").starts_with(b"<"));
    assert_eq!(score(folder.path(), "a.mid"), score(folder.path(), "x.mid"));
    let message = cantus(folder.path(), &["render", "x.mid", "-o", "x.mid"]).failed(2);
    contains(&message, &["`x.mid` would be overwritten by itself"]);
    contains(&cantus(folder.path(), &["render", "x.mid", "-o", "b.mp3"]).failed(2), &["b.mp3", ".wav"]);
    contains(&cantus(folder.path(), &["render", "x.mid"]).failed(2), &["--output"]);
    contains(&cantus(folder.path(), &["render", "a.wav", "-o", "b.mid"]).failed(2), &["cannot be read"]);
    contains(&cantus(folder.path(), &["render", "none.mid", "-o", "b.mid"]).failed(1), &["no file `none.mid`"]);
    let message = cantus(folder.path(), &["render", "x.mid", "-o", "b.mid", "--max-notes", "3"]).failed(1);
    contains(&message, &["x.mid", "3 notes"]);
    std::fs::write(folder.path().join("bad.sf2"), "no sounds").unwrap();
    for option in ["--sound", "--soundfont"] {
        let message = cantus(folder.path(), &["render", "x.mid", "-o", "b.wav", option, "bad.sf2"]).failed(1);
        contains(&message, &["reading the SoundFont `bad.sf2`"]);
    }
    let message = cantus(folder.path(), &["render", "x.mid", "-o", "b.wav", "--sound", "quire"]).failed(2);
    contains(&message, &["quire", "built-in, choir, or"]);
    assert_eq!(names(folder.path()), ["a.mid", "a.svg", "a.wav", "bad.sf2", "x.mid"]);
}

#[test]
fn composers_are_listed() {
    let out = cantus(folder().path(), &["composers"]).fine();
    contains(&out, &["lstm", "source", "default", "classic", "softology", "-c lstm:softology"]);
    let out = cantus(folder().path(), &["composers", "--json"]).fine();
    for line in out.lines() {
        let spec: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(spec["configurations"].as_array().is_some_and(|list| !list.is_empty()));
    }
}

#[test]
fn where_a_model_looks_is_said_and_drawn() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    let sizes =
        ["local=8", "controller=8", "aggregation=8", "voice=8", "fragment=33", "batch=4", "decoder=8", "touch=8"];
    let mut arguments =
        vec!["train", "music", "-c", "octave", "-o", "run", "--epochs", "1", "--meters", "duple", "--piano-only"];
    arguments.extend(sizes.iter().flat_map(|size| ["--set", size]));
    let out = cantus(folder.path(), &arguments).fine();
    // A surrogate is never shown without saying so.
    contains(&out, &["octave:default", "nats per frame", "nats/frame (surrogate)", "per quarter note (surrogate)"]);
    let curves = std::fs::read_to_string(folder.path().join("run/curves.svg")).unwrap();
    contains(&curves, &["loss (nats per frame, surrogate)"]);
    let drawn = std::fs::read_to_string(folder.path().join("run/attention.svg")).unwrap();
    contains(&drawn, &["Where the attention goes", "\n128\n"]);
    let out = cantus(folder.path(), &["inspect", "run/best.safetensors"]).fine();
    contains(&out, &["5 voices of 8", "mean weight by lag in steps", "128: ", "nats per frame", "(surrogate)"]);
    cantus(folder.path(), &["inspect", "run/best.safetensors", "--plot", "a.svg"]).fine();
    assert_eq!(std::fs::read_to_string(folder.path().join("a.svg")).unwrap(), drawn);
    let refused = cantus(folder.path(), &["inspect", "hymns", "--plot", "b.svg"]).failed(1);
    contains(&refused, &["has nothing to draw"]);
    // And it composes, with a prompt, too.
    save(&piece(3), &folder.path().join("in.mid"));
    let compose = [
        "compose",
        "-m",
        "run",
        "--seed",
        "3",
        "--bars",
        "5",
        "--prompt",
        "in.mid",
        "--prompt-bars",
        "2",
        "-o",
        "x.mid",
    ];
    contains(&cantus(folder.path(), &compose).fine(), &["5 bars in 4/4"]);
}

#[test]
fn a_zip_is_said_to_be_one() {
    let folder = folder();
    std::fs::write(folder.path().join("music.zip"), b"PK\x03\x04 and so on").unwrap();
    let said = cantus(folder.path(), &["inspect", "music.zip"]).failed(1);
    assert!(said.contains("it is a zip archive; unpack it"), "{said}");
}
