//! `cantus listen`: what is wrong is heard, marked and mended; and listeners learn.

use crate::common::{bytes, cantus, folder, piece, save, score};
use cantus_score::{Note, Part, Score, Ticks};
use std::path::Path;

/// A hymn-like piece with one note a semitone off, and where.
fn with_wrong_note(folder: &Path) -> Note {
    let mut score = chords();
    let wrong = &mut score.parts[0].notes[17];
    wrong.pitch = wrong.pitch.transposed(1).unwrap();
    let wrong = *wrong;
    save(&score, &folder.join("wrong.mid"));
    save(&chords(), &folder.join("sound.mid"));
    wrong
}

/// Eight bars of C major in four voices: I IV V I, a part for each.
fn chords() -> Score {
    let mut score = piece(1);
    let quarter = u64::from(score.ticks_per_quarter.get());
    let like = score.parts[0].notes[0];
    let voices: [[u8; 4]; 4] = [[72, 72, 71, 72], [67, 69, 67, 67], [64, 65, 62, 64], [48, 53, 55, 48]];
    let part = |(k, voice): (usize, [u8; 4])| {
        let note = |beat: u64| Note {
            onset: Ticks(beat * quarter),
            duration: Ticks(quarter),
            pitch: voice[beat as usize % 4].try_into().unwrap(),
            ..like
        };
        Part {
            name: Some(format!("voice {}", k + 1)),
            channel: k as u8,
            notes: (0..32).map(note).collect(),
            ..Part::default()
        }
    };
    score.parts = voices.into_iter().enumerate().map(part).collect();
    score.meters.clear();
    score
}

#[test]
fn a_wrong_note_is_named_marked_and_put_right() {
    let folder = folder();
    let folder = folder.path();
    let wrong = with_wrong_note(folder);
    let out = cantus(folder, &["listen", "wrong.mid", "-o", "marked.svg", "-o", "marked.mid"]).fine();
    let named = format!("{} on beat 2 in voice 1", wrong.pitch);
    assert!(out.contains(&named) && out.contains("written  marked.svg"), "{out}");
    let row = out.lines().find(|line| line.contains(&named)).unwrap();
    assert!(row.starts_with("5 "), "{row}");
    let marks: Vec<String> = score(folder, "marked.mid").markers.into_iter().map(|(_, text)| text).collect();
    assert!(marks.contains(&format!("{}?", wrong.pitch)), "{marks:?}");
    assert_eq!(score(folder, "marked.mid").parts, score(folder, "wrong.mid").parts);
    let json = cantus(folder, &["listen", "wrong.mid", "sound.mid", "--json"]).fine();
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let suspects = |k: usize| lines[k]["suspects"].as_array().unwrap().len();
    assert!(suspects(0) >= 1 && suspects(1) == 0, "{json}");
    assert_eq!((&lines[0]["music"], &lines[0]["bars"].as_array().unwrap().len()), (&true.into(), &8));
    assert!(lines[0]["sound"].as_f64() < lines[1]["sound"].as_f64(), "{json}");
    let out = cantus(folder, &["listen", "wrong.mid", "--mend", "-o", "mended.mid"]).fine();
    assert!(out.contains("1 note changed") && out.contains("bar 5"), "{out}");
    assert_eq!(score(folder, "mended.mid").parts, score(folder, "sound.mid").parts);
    cantus(folder, &["listen", "wrong.mid", "--mend", "-o", "again.mid"]).fine();
    assert_eq!(bytes(folder, "mended.mid"), bytes(folder, "again.mid"));
    let out = cantus(folder, &["listen", "sound.mid", "--mend", "-o", "same.mid"]).fine();
    assert!(out.contains("nothing is changed"), "{out}");
    assert_eq!(score(folder, "same.mid").parts, score(folder, "sound.mid").parts);
}

#[test]
fn what_is_no_music_and_what_makes_no_sense_is_said() {
    let folder = folder();
    let folder = folder.path();
    with_wrong_note(folder);
    let mut silent = chords();
    silent.parts.iter_mut().for_each(|part| part.notes.clear());
    save(&silent, &folder.join("silent.mid"));
    let mut heap = chords();
    let like = heap.parts[0].notes[0];
    heap.parts.truncate(1);
    let all = (0..32u64).flat_map(|beat| (36..96u8).map(move |pitch| (beat, pitch)));
    let quarter = like.duration.0;
    heap.parts[0].notes = all
        .map(|(beat, pitch)| Note { onset: Ticks(beat * quarter), pitch: pitch.try_into().unwrap(), ..like })
        .collect();
    save(&heap, &folder.join("heap.mid"));
    let out = cantus(folder, &["listen", "silent.mid", "heap.mid"]).fine();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("silent.mid: no music") && lines[1].starts_with("heap.mid: no music"), "{out}");
    let failed = |arguments: &[&str], code: i32| cantus(folder, arguments).failed(code);
    let said = failed(&["listen", "silent.mid", "--mend"], 1);
    assert!(said.contains("`silent.mid` cannot be mended"), "{said}");
    let said = failed(&["listen", "wrong.mid", "-m", "hymns"], 1);
    assert!(said.contains("does not hear where music is broken"), "{said}");
    let said = failed(&["listen", "wrong.mid", "--mend", "-o", "wrong.mid"], 2);
    assert!(said.contains("overwritten by itself"), "{said}");
    failed(&["listen"], 2);
    let said = failed(&["listen", "--train", ".", "-o", "x.mid"], 2);
    assert!(said.contains("no name of a model"), "{said}");
}

#[test]
fn a_listener_learns_from_a_folder_and_is_put_to_the_test() {
    let folder = folder();
    let folder = folder.path();
    std::fs::create_dir(folder.join("music")).unwrap();
    (0..6).for_each(|seed| save(&piece(seed), &folder.join(format!("music/{seed}.mid"))));
    let train = |output: &str| {
        let settings = ["--set", "steps=20", "--set", "batch=64", "--set", "rounds=0", "--half"];
        cantus(folder, &[&["listen", "--train", "music", "-o", output, "--seed", "3"][..], &settings].concat()).fine()
    };
    let out = train("one.safetensors");
    assert!(out.contains("listen -m one.safetensors PIECE") && out.contains("nats a note"), "{out}");
    train("two.safetensors");
    assert_eq!(bytes(folder, "one.safetensors"), bytes(folder, "two.safetensors"));
    let out = cantus(folder, &["listen", "music/0.mid", "-m", "one.safetensors", "-v"]).fine();
    assert!(out.contains("music/0.mid:"), "{out}");
    let exam = cantus(folder, &["listen", "--exam", "music", "-m", "one.safetensors", "--json"]).fine();
    let exam: serde_json::Value = serde_json::from_str(exam.lines().last().unwrap()).unwrap();
    assert!(exam["pieces"].as_u64() >= Some(1) && exam["figures"]["soundness of silence"] == 0.0, "{exam}");
    let said = cantus(folder, &["listen", "--train", "music", "-o", "x.safetensors", "--set", "steps=0"]).failed(2);
    assert!(said.contains("steps = 0"), "{said}");
    let said = cantus(folder, &["compose", "-m", "one.safetensors"]).failed(1);
    assert!(said.contains("cantus listen -m MODEL FILE"), "{said}");
}
