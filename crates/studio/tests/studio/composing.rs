//! Compositions: ordered, kept, taken away, and there again after a restart.

use crate::client::{Answer, Open, open};
use cantus_formats::{Format, Limits, midi, read};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use serde_json::{Value, json};

#[track_caller]
pub fn compose(studio: &Open, order: &Value) -> Value {
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
    let originality = &piece["originality"];
    assert!(
        originality["longest"].is_u64() && originality["text"].as_str().is_some_and(|text| text.ends_with('.')),
        "{piece}"
    );

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

    for (name, format) in [("musicxml", Format::MusicXml), ("abc", Format::Abc)] {
        let written = form(&studio, &piece, name).body;
        let read = read(format, &written, &Limits::default()).unwrap();
        assert_eq!(read[0].reading.as_ref().unwrap().score.note_count(), score.note_count(), "{name}");
    }
    studio.get(&format!("/api/pieces/{}/exe", piece["id"].as_str().unwrap())).expect(404);
}

#[test]
fn what_is_repeated_stands_once_on_paper() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "folk", "bars": 16, "seed": 1 }));
    let played = midi::read(&form(&studio, &piece, "midi").body, &Limits::default()).unwrap().score;
    for (name, format, sign) in [("musicxml", Format::MusicXml, "<repeat "), ("abc", Format::Abc, ":|")] {
        let written = form(&studio, &piece, name).body;
        assert!(String::from_utf8(written.clone()).unwrap().contains(sign), "{name}");
        let score = read(format, &written, &Limits::default()).unwrap().swap_remove(0).reading.unwrap().score;
        assert_eq!(score.note_count(), played.note_count(), "{name}");
        assert_eq!(score.repeats.len(), 1, "{name}");
    }
    assert!(exported(&studio).iter().any(|name| name.ends_with(".musicxml")));
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

/// A MIDI file of quarter notes on one pitch, a part for each of `parts`: from which quarter on, and whether it is drums.
fn quarters(parts: &[(u64, bool)]) -> Vec<u8> {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let long = u64::from(score.ticks_per_quarter.get());
    for (from, drums) in parts {
        let note = |k: u64| Note {
            onset: Ticks((from + k) * long),
            pitch: Pitch::C4,
            duration: Ticks(long),
            velocity: Velocity::DEFAULT,
        };
        let part = if *drums { Part::of_drums() } else { Part::default() };
        score.parts.push(Part { notes: (0..8).map(note).collect(), ..part });
    }
    midi::write(&score).unwrap()
}

#[test]
fn an_upload_says_what_was_odd_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let whole = quarters(&[(0, false)]);
    let upload = |bytes: &[u8]| studio.send("POST", "/api/prompts?name=a.mid", bytes);
    assert_eq!(upload(&whole).expect(201).json()["warnings"], json!([]));
    let cut = upload(&whole[..whole.len() - 6]).expect(201).json();
    assert!(!cut["warnings"].as_array().unwrap().is_empty(), "{cut}");
}

#[test]
fn a_file_without_a_note_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let upload = |bytes: &[u8]| studio.send("POST", "/api/prompts?name=a.mid", bytes);
    let answer = upload(&quarters(&[])).expect(422).json();
    let said = answer["error"].as_str().unwrap();
    assert!(said.contains("no note") && !said.contains("more"), "{said}");
    // Drums alone can be accompanied.
    assert_eq!(upload(&quarters(&[(0, true)])).expect(201).json()["pitched"], json!(false));
    assert_eq!(upload(&quarters(&[(0, true), (0, false)])).expect(201).json()["pitched"], json!(true));
}

#[test]
fn files_that_nobody_reads_are_refused_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let id = studio.post("/api/trainings", &json!({ "name": "x" })).expect(201).json();
    let files = format!("/api/trainings/{}/files", id["id"].as_str().unwrap());
    for (path, most) in [("/api/prompts", 4), (&*files, 16)] {
        let large = vec![0; (most << 20) + 1];
        // That it is sound matters more than how large it is.
        let sound = studio.send("POST", &format!("{path}?name=song.wav"), &large).expect(415).json();
        assert!(sound["error"].as_str().unwrap().contains("`song.wav` cannot be read"), "{sound}");
        let music = studio.send("POST", &format!("{path}?name=song.mid"), &large).expect(413).json();
        assert_eq!(music["error"], format!("the file is larger than {most} MiB, the most that is taken"));
    }
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
    assert_eq!((&piece["origin"]["bars"], &piece["title"]), (&json!(4), &json!("A tune")));
    let score = midi::read(&form(&studio, &piece, "midi").body, &Limits::default()).unwrap().score;
    let melody: Vec<u8> = score.parts[0].notes.iter().map(|note| note.pitch.get()).collect();
    assert_eq!(melody, [72, 74, 76, 77, 79, 76, 74, 72, 71, 74, 72]);
    assert!(score.parts.len() == 4 && score.note_count() > 30, "{}", score.note_count());
    // What makes no sense, or is asked of a model that cannot do it.
    for order in [
        json!({ "model": "bass", "arrangement": arrangement }),
        json!({ "model": "chorales", "form": "AA", "arrangement": arrangement }),
        json!({ "model": "chorales", "arrangement": { "sha256": "0".repeat(64), "voices": [0], "bars": [] } }),
    ] {
        studio.post("/api/compositions", &order).expect(400);
    }
}

/// Two bars of kicks, snares and hats.
pub fn drum_loop() -> Vec<u8> {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let strokes =
        (0..16).map(|k| (2 * k, if k % 4 == 0 { 36 } else { 42 })).chain([(4, 38), (12, 38), (20, 38), (28, 38)]);
    let note = |(onset, pitch): (u64, u8)| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(1),
        velocity: Velocity::DEFAULT,
    };
    let mut notes: Vec<Note> = strokes.map(note).collect();
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::of_drums() });
    midi::write(&score).unwrap()
}

#[test]
fn a_bass_comes_to_a_drum_loop() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let given = studio.send("POST", "/api/prompts?name=loop.mid", &drum_loop()).expect(201).json();
    assert_eq!((&given["bars"], &given["pitched"]), (&json!(2), &json!(false)));
    let arrangement = json!({ "sha256": given["sha256"], "voices": [], "bars": [], "joined": true });
    let order = json!({ "model": "bass", "seed": 1, "arrangement": arrangement, "controls": { "key": "Em" } });
    let piece = compose(&studio, &order);
    let score = midi::read(&form(&studio, &piece, "midi").body, &Limits::default()).unwrap().score;
    let [drums, bass] = &score.parts[..] else { panic!("{} parts", score.parts.len()) };
    assert!(drums.drums && drums.notes.len() == 20 && !bass.drums && !bass.notes.is_empty());
    // Drums alone are nothing to go on from, and nothing to harmonise.
    for order in [
        json!({ "model": "hymns", "prompt": { "sha256": given["sha256"], "bars": 1 } }),
        json!({ "model": "chorales", "arrangement": { "sha256": given["sha256"], "voices": [0], "bars": [] } }),
        json!({ "model": "hymns", "arrangement": arrangement }),
    ] {
        let refused = studio.post("/api/compositions", &order).expect(400).json();
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains("20 strokes") || error.contains("writes no part to others"), "{error}");
    }
}

#[test]
fn a_form_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "chorales", "bars": 8, "seed": 1, "form": "AB" }));
    assert_eq!(piece["origin"]["form"], "AB");
    studio.post("/api/compositions", &json!({ "model": "chorales", "form": "A-B" })).expect(400);
    studio.post("/api/compositions", &json!({ "model": "chorales", "controls": { "density": "0.5" } })).expect(400);
}

#[test]
fn the_best_of_several_is_kept_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "hymns", "seed": 3, "best_of": 10 }));
    let remarks = piece["remarks"].to_string();
    assert!(remarks.contains("of 10 pieces: 1st by the") || remarks.contains("by the critic; no copy"), "{remarks}");
    let seed = piece["origin"]["seed"].as_u64().unwrap();
    assert!((3..13).contains(&seed));
    let alone = compose(&studio, &json!({ "model": "hymns", "seed": seed }));
    assert_eq!(form(&studio, &alone, "midi").body, form(&studio, &piece, "midi").body);
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    for order in [
        json!({ "bars": 0 }),
        json!({ "best_of": 0 }),
        json!({ "best_of": 1000 }),
        json!({ "controls": { "register": "C6-C3" } }),
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
        assert_eq!(exported(&studio).len(), 2);
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

/// The names in the archive of the library.
fn exported(studio: &Open) -> Vec<String> {
    let archive = studio.get("/api/library.zip").expect(200).body;
    let archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

#[test]
fn pieces_have_the_names_that_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let pieces = [1, 2, 2, 4].map(|seed| compose(&studio, &json!({ "bars": 1, "seed": seed })));
    let [a, b, c, d] = pieces.each_ref().map(|piece| format!("/api/pieces/{}", piece["id"].as_str().unwrap()));
    let call = |path: &str, title: &str| studio.send("PATCH", path, json!({ "title": title }).to_string().as_bytes());
    call(&a, "  Abend: ein/Lied?  ").expect(200);
    for path in [&b, &c] {
        call(path, "Étude").expect(200);
    }
    call(&d, "étude").expect(200);
    call(&a, " ").expect(400);
    call("/api/pieces/1", "x").expect(404);
    // The newest first; some systems take `Étude` and `étude` for one name.
    let names = ["étude", "Étude, seed 2", "Étude, seed 2 (2)", "Abend- ein-Lied-"];
    let expected: Vec<String> =
        names.iter().flat_map(|name| ["mid", "json"].map(|end| format!("{name}.{end}"))).collect();
    assert_eq!(exported(&studio), expected);
    // It stands in the files, too, and in what they are called.
    let file = studio.get(&format!("{a}/midi")).expect(200);
    let score = midi::read(&file.body, &Limits::default()).unwrap().score;
    assert_eq!(score.title.as_deref(), Some("Abend: ein/Lied?"));
    assert!(score.remarks.iter().any(|remark| remark.contains("\"seed\":1")), "how it was composed stays");
    let named = studio.get(&format!("{b}/abc")).expect(200);
    let disposition = named.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"-tude.abc\"; filename*=UTF-8''%C3%89tude.abc");
}

#[test]
fn what_was_deleted_comes_back_until_the_studio_closes() {
    let folder = tempfile::tempdir().unwrap();
    let path;
    {
        let studio = open(folder.path());
        let piece = compose(&studio, &json!({ "bars": 1, "seed": 1 }));
        path = format!("/api/pieces/{}", piece["id"].as_str().unwrap());
        studio.send("POST", &format!("{path}/restore"), b"").expect(404);
        studio.send("DELETE", &path, b"").expect(204);
        studio.get(&format!("{path}/midi")).expect(404);
        assert_eq!(studio.send("POST", &format!("{path}/restore"), b"").expect(200).json(), piece);
        studio.get(&format!("{path}/midi")).expect(200);
        studio.send("DELETE", &path, b"").expect(204);
    }
    let left = |folder: &std::path::Path| std::fs::read_dir(folder.join("library/pieces")).unwrap().count();
    assert_eq!(left(folder.path()), 2);
    let studio = open(folder.path());
    studio.get(&path).expect(404);
    studio.send("POST", &format!("{path}/restore"), b"").expect(404);
    assert_eq!(left(folder.path()), 0);
}

#[test]
fn parts_are_heard_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "chorales", "bars": 2, "seed": 1 }));
    let notes = form(&studio, &piece, "notes").json();
    let names: Vec<_> = notes["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Soprano", "Alto", "Tenor", "Bass"]);
    let of = |part: usize| notes["notes"].as_array().unwrap().iter().filter(|note| note[4] == part).count();
    let two = midi::read(&form(&studio, &piece, "midi?parts=0,3").body, &Limits::default()).unwrap().score;
    assert_eq!(two.note_count(), of(0) + of(3));
    let [all, bass] = ["wav", "wav?parts=3"].map(|which| form(&studio, &piece, which).body);
    assert_ne!(all, bass);
    let path = format!("/api/pieces/{}/wav", piece["id"].as_str().unwrap());
    for parts in ["4", "x", "", "0,,1", "-1"] {
        studio.get(&format!("{path}?parts={parts}")).expect(400);
    }
}

#[test]
fn a_choir_sings_what_is_written_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    for (model, choir) in [("chorales", true), ("hymns", false)] {
        let piece = compose(&studio, &json!({ "model": model, "bars": 2, "seed": 1 }));
        assert_eq!(piece["choir"], choir);
        assert_eq!(form(&studio, &piece, "notes").json()["choir"], choir);
        let [usual, sung, played] =
            ["wav", "wav?sound=choir", "wav?sound=built-in"].map(|which| form(&studio, &piece, which).body);
        assert_ne!(sung, played);
        assert!(usual == if choir { sung } else { played });
        // It knows so for good.
        assert_eq!(studio.get(&format!("/api/pieces/{}", piece["id"].as_str().unwrap())).json()["choir"], choir);
        if choir {
            let alone = form(&studio, &piece, "flac?sound=choir&parts=0").body;
            assert!(alone.starts_with(b"fLaC") && alone != form(&studio, &piece, "flac?sound=choir").body);
        }
        let path = format!("/api/pieces/{}/wav?sound=quire", piece["id"].as_str().unwrap());
        assert!(studio.get(&path).expect(400).json()["error"].as_str().unwrap().contains("built-in, or choir"));
    }
}

#[test]
fn a_piece_is_heard_as_a_player_plays_it_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "hymns", "bars": 8, "seed": 1 }));
    let [written, played] = ["notes", "notes?played=0.7"].map(|which| form(&studio, &piece, which).json());
    let pitches = |notes: &Value| {
        let mut pitches: Vec<i64> =
            notes["notes"].as_array().unwrap().iter().map(|note| note[2].as_i64().unwrap()).collect();
        pitches.sort_unstable();
        pitches
    };
    assert_eq!(pitches(&written), pitches(&played));
    assert_eq!(written["bars"].as_array().unwrap().len(), played["bars"].as_array().unwrap().len());
    let velocities = |notes: &Value| {
        let all = notes["notes"].as_array().unwrap();
        all.iter().map(|note| note[3].as_i64().unwrap()).collect::<std::collections::BTreeSet<i64>>().len()
    };
    assert!(velocities(&played) > velocities(&written) && written["bars"] != played["bars"]);
    // The same piece, the same playing; what is taken away is what is heard.
    assert_eq!(form(&studio, &piece, "notes?played=0.7").json(), played);
    let [midi, sound] = ["midi?played=0.7", "wav?played=0.7"].map(|which| form(&studio, &piece, which).body);
    assert_ne!(midi, form(&studio, &piece, "midi").body);
    assert_ne!(sound, form(&studio, &piece, "wav").body);
    assert!(midi.windows(16).any(|bytes| bytes == b"played by cantus"));
    assert_eq!(form(&studio, &piece, "notes").json(), written);
    let path = format!("/api/pieces/{}/wav?played=3", piece["id"].as_str().unwrap());
    assert!(studio.get(&path).expect(400).json()["error"].as_str().unwrap().contains("strength"));
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
    // An order of before, whose file is gone.
    let jobs = folder.path().join("library/jobs");
    std::fs::create_dir_all(&jobs).unwrap();
    let order = json!({ "bars": 8, "prompt": { "sha256": "0".repeat(64), "bars": 2 } });
    std::fs::write(jobs.join("1.json"), json!({ "id": "1", "order": order, "state": "waiting" }).to_string()).unwrap();
    let studio = open(folder.path());
    let failed = studio.wait("/api/compositions", |answer| answer.json()[0]["state"] == "failed").json();
    assert!(failed[0]["error"].as_str().unwrap().contains("give it again"), "{failed}");
    // One that cannot be fulfilled is not taken: the bars that are kept hold drums alone; later ones hold more.
    let prompt =
        studio.send("POST", "/api/prompts?name=a.mid", &quarters(&[(0, true), (16, false)])).expect(201).json();
    let order = json!({ "bars": 8, "prompt": { "sha256": prompt["sha256"], "bars": 2 } });
    let refused = studio.post("/api/compositions", &order).expect(400).json();
    assert!(refused["error"].as_str().unwrap().contains("keep at least 5 bars"), "{refused}");
    let path = "/api/compositions/1".to_owned();
    studio.send("DELETE", &path, b"").expect(204);
    studio.send("DELETE", &path, b"").expect(404);
}
