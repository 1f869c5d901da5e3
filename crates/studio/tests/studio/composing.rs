//! Compositions: ordered, kept, taken away, and there again after a restart.

use crate::client::{Answer, Open, open};
use cantus_formats::{Format, Limits, midi, read};
use serde_json::{Value, json};

#[track_caller]
fn compose(studio: &Open, order: &Value) -> Value {
    let job = studio.post("/api/compositions", order).expect(202).json();
    let path = format!("/api/pieces/{}", job["id"].as_str().unwrap());
    let failed = |answer: &Answer| {
        let waiting = studio.get("/api/compositions").json();
        assert!(!waiting.to_string().contains("\"failed\""), "{waiting}");
        answer.status == 200
    };
    studio.wait(&path, failed).json()
}

fn form(studio: &Open, piece: &Value, form: &str) -> Answer {
    studio.get(&format!("/api/pieces/{}/{form}", piece["id"].as_str().unwrap())).expect(200)
}

#[test]
fn a_piece_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "bars": 4, "seed": 7, "tempo": 90 }));
    assert_eq!((&piece["origin"]["seed"], &piece["origin"]["bars"]), (&json!(7), &json!(4)));
    assert!((piece["tempo"].as_f64().unwrap() - 90.0).abs() < 1e-3, "{piece}");
    assert!(piece["originality"]["longest"].is_u64(), "{piece}");

    let file = form(&studio, &piece, "midi");
    assert_eq!(file.header("content-type"), Some("audio/midi"));
    let score = midi::read(&file.body, &Limits::default()).unwrap().score;
    let notes = form(&studio, &piece, "notes").json();
    let drawn = notes["notes"].as_array().unwrap();
    assert!(!drawn.is_empty() && drawn.len() == score.note_count());
    assert_eq!(drawn.len() as u64, piece["notes"].as_u64().unwrap());

    // 44.1 kHz, two channels, two bytes a sample, at least as long as the notes.
    let wav = form(&studio, &piece, "wav").body;
    assert_eq!((&wav[..4], &wav[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    assert!(wav.len() as f64 / 176_400.0 >= notes["seconds"].as_f64().unwrap());
    assert!(wav[44..].iter().any(|byte| *byte != 0));

    let xml = form(&studio, &piece, "musicxml").body;
    let read = read(Format::MusicXml, &xml, &Limits::default()).unwrap();
    assert_eq!(read[0].reading.as_ref().unwrap().score.note_count(), score.note_count());
    studio.get(&format!("/api/pieces/{}/exe", piece["id"].as_str().unwrap())).expect(404);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let [a, b, c] = [3, 3, 4].map(|seed| compose(&studio, &json!({ "bars": 2, "seed": seed })));
    let midi = |piece| form(&studio, piece, "midi").body;
    assert_eq!(midi(&a), midi(&b));
    assert_ne!(midi(&a), midi(&c));
}

#[test]
fn every_built_in_model_composes() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let models = studio.get("/api/models").expect(200).json();
    assert!(models.as_array().unwrap().len() >= 2, "{models}");
    for model in models.as_array().unwrap() {
        let piece = compose(&studio, &json!({ "model": model["id"], "bars": 4, "seed": 1 }));
        assert_eq!(piece["model"], model["title"]);
        assert!(piece["notes"].as_u64().unwrap() > 0, "{piece}");
    }
}

#[test]
fn a_prompt_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let first = compose(&studio, &json!({ "bars": 4, "seed": 1 }));
    let file = form(&studio, &first, "midi").body;
    let prompt = studio.send("POST", "/api/prompts?name=a.mid", &file).expect(201).json();
    let order = json!({ "bars": 6, "seed": 2, "prompt": { "sha256": prompt["sha256"], "bars": 2 } });
    let second = compose(&studio, &order);
    let [kept, notes] = [&first, &second].map(|piece| form(&studio, piece, "notes").json());
    let end = notes["prompt_end"].as_f64().unwrap();
    assert!(end > 0.0);
    let before = |notes: &Value| -> Vec<(u64, u64)> {
        let note = |note: &Value| ((note[0].as_f64().unwrap() * 1000.0).round() as u64, note[2].as_u64().unwrap());
        let mut all: Vec<_> = notes["notes"].as_array().unwrap().iter().map(note).collect();
        all.retain(|(onset, _)| *onset + 1 < (end * 1000.0) as u64);
        all.sort_unstable();
        all
    };
    assert_eq!(before(&kept), before(&notes));
    studio.send("POST", "/api/prompts?name=a.mid", b"no MIDI file").expect(422);
    studio.send("POST", "/api/prompts?name=a.txt", b"no music").expect(415);
    studio.send("POST", "/api/prompts", &file).expect(400);
}

/// Two tunes in a book, and one alone.
const TUNE: &str = "X:1\nT:A tune\nM:4/4\nL:1/4\nK:C\nc d e f|g2 e2|d c B d|c4|\n";

#[test]
fn a_melody_is_harmonised() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let book = format!("{TUNE}\n{}", TUNE.replacen('1', "2", 1));
    studio.send("POST", "/api/prompts?name=book.abc", book.as_bytes()).expect(422);
    let given = studio.send("POST", "/api/prompts?name=tune.abc", TUNE.as_bytes()).expect(201).json();
    assert_eq!((&given["bars"], &given["notes"]), (&json!(4), &json!(11)));
    let arrangement = json!({ "sha256": given["sha256"], "voices": [0], "bars": [] });
    let piece = compose(&studio, &json!({ "model": "chorales", "seed": 1, "arrangement": arrangement }));
    assert_eq!((&piece["origin"]["bars"], &piece["title"]), (&json!(4), &json!("A tune (1)")));
    let score = midi::read(&form(&studio, &piece, "midi").body, &Limits::default()).unwrap().score;
    let melody: Vec<u8> = score.parts[0].notes.iter().map(|note| note.pitch.get()).collect();
    assert_eq!(melody, [72, 74, 76, 77, 79, 76, 74, 72, 71, 74, 72]);
    assert!(score.parts.len() == 4 && score.note_count() > 30, "{}", score.note_count());
    // What makes no sense, or is asked of a model that cannot do it.
    for order in [
        json!({ "model": "default", "arrangement": arrangement }),
        json!({ "model": "chorales", "form": "AA", "arrangement": arrangement }),
        json!({ "model": "chorales", "arrangement": { "sha256": "0".repeat(64), "voices": [0], "bars": [] } }),
    ] {
        studio.post("/api/compositions", &order).expect(400);
    }
}

#[test]
fn a_form_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "chorales", "bars": 8, "seed": 1, "form": "AB" }));
    assert_eq!(piece["origin"]["form"], "AB");
    studio.post("/api/compositions", &json!({ "model": "chorales", "form": "A-B" })).expect(400);
    studio.post("/api/compositions", &json!({ "model": "default", "form": "AB" })).expect(400);
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    for order in [
        json!({ "bars": 0 }),
        json!({ "bars": 100_000 }),
        json!({ "bars": -1 }),
        json!({ "temperature": -1 }),
        json!({ "temperature": 1e300 }),
        json!({ "tempo": 0 }),
        json!({ "seed": -1 }),
        json!({ "seed": "x" }),
        json!({ "model": "none" }),
        json!({ "unknown": 1 }),
        json!([]),
        json!(null),
    ] {
        let answer = studio.post("/api/compositions", &order).expect(400);
        assert!(answer.json()["error"].is_string(), "{order}");
    }
    studio.send("POST", "/api/compositions", b"{").expect(400);
}

#[test]
fn ratings_deletions_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, gone, late);
    {
        let studio = open(folder.path());
        kept = compose(&studio, &json!({ "bars": 2, "seed": 1 }))["id"].as_str().unwrap().to_owned();
        gone = compose(&studio, &json!({ "bars": 2, "seed": 2 }))["id"].as_str().unwrap().to_owned();
        studio.send("PATCH", &format!("/api/pieces/{kept}"), br#"{"rating":4}"#).expect(200);
        studio.send("PATCH", &format!("/api/pieces/{kept}"), br#"{"rating":6}"#).expect(400);
        studio.send("DELETE", &format!("/api/pieces/{gone}"), b"").expect(204);
        studio.send("DELETE", &format!("/api/pieces/{gone}"), b"").expect(404);
        let archive = studio.get("/api/library.zip").expect(200).body;
        let archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, [format!("{kept}.mid"), format!("{kept}.json")]);
        // Closed before it is composed, most likely; either way it must be there later.
        late = studio.post("/api/compositions", &json!({ "bars": 64, "seed": 5 })).expect(202).json();
    }
    let studio = open(folder.path());
    let late = format!("/api/pieces/{}", late["id"].as_str().unwrap());
    assert_eq!(studio.wait(&late, |answer| answer.status == 200).json()["origin"]["seed"], 5);
    assert_eq!(studio.get(&format!("/api/pieces/{kept}")).expect(200).json()["rating"], 4);
    studio.get(&format!("/api/pieces/{gone}")).expect(404);
    assert_eq!(studio.get("/api/compositions").json(), json!([]));
}

#[test]
fn pages_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| studio.events_until("piece"));
        // The listener may come late: pieces are composed until it has heard of one.
        while !listening.is_finished() {
            compose(&studio, &json!({ "bars": 1, "seed": 1 }));
        }
        let names = listening.join().unwrap();
        assert_eq!((names[0].as_str(), names[names.len() - 1].as_str()), ("hello", "piece"));
    });
}

#[test]
fn a_failed_order_says_why_and_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    // A file without a note is a MIDI file, but no prompt.
    let silent = midi::write(&cantus_score::Score::new(cantus_score::TicksPerQuarter::DEFAULT)).unwrap();
    let prompt = studio.send("POST", "/api/prompts?name=a.mid", &silent).expect(201).json();
    let order = json!({ "bars": 8, "prompt": { "sha256": prompt["sha256"], "bars": 4 } });
    let job = studio.post("/api/compositions", &order).expect(202).json();
    let failed = studio.wait("/api/compositions", |answer| answer.json()[0]["state"] == "failed").json();
    assert!(failed[0]["error"].as_str().unwrap().contains("prompt"), "{failed}");
    let path = format!("/api/compositions/{}", job["id"].as_str().unwrap());
    studio.send("DELETE", &path, b"").expect(204);
    studio.send("DELETE", &path, b"").expect(404);
}
