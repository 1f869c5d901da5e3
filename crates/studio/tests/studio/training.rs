//! Trainings: music is uploaded, looked at, learnt from; stopped, and gone on with after a restart.

use crate::client::{Answer, Open, open};
use cantus_formats::{Limits, midi};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use serde_json::json;

/// A scale that begins on `first`, eight bars of quarters.
pub fn tune(first: u8) -> Vec<u8> {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let note = |k: u8| Note {
        onset: Ticks(u64::from(k) * 4),
        pitch: Pitch::try_from(i64::from(first) + (i64::from(k) * i64::from(k) + i64::from(first) * i64::from(k)) % 12)
            .unwrap(),
        duration: Ticks(4),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: (0..32).map(note).collect(), ..Part::default() });
    midi::write(&score).unwrap()
}

fn collect(studio: &Open) -> String {
    let training = studio.post("/api/trainings", &json!({ "name": "scales" })).expect(201).json();
    let id = training["id"].as_str().unwrap().to_owned();
    for first in 48..60u8 {
        let path = format!("/api/trainings/{id}/files?name=tune%20{first}.mid");
        studio.send("POST", &path, &tune(first)).expect(201);
    }
    studio.send("POST", &format!("/api/trainings/{id}/files?name=broken.mid"), b"no music").expect(201);
    id
}

#[test]
fn the_preflight_says_what_is_used_and_why_not_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let id = collect(&studio);
    let report = studio.get(&format!("/api/trainings/{id}/preflight")).expect(200).json();
    let files = report["files"].as_array().unwrap();
    assert_eq!(files.len(), 13);
    let refused: Vec<_> = files.iter().filter(|file| !file["refused"].is_null()).collect();
    assert!(refused.iter().any(|file| file["name"] == "0013 broken.mid"), "{report}");
    assert_eq!(report["used"].as_u64().unwrap() as usize, 13 - refused.len());
    assert_eq!(report["recommended"], "notes:default", "{report}");
    assert_eq!(
        report["found"], "It is tunes of one voice (12): read part by part, on 4 steps a quarter note",
        "{report}"
    );
    // How long it will take is measured; what is learnt afterwards is told.
    let estimate = |composer: &str| studio.get(&format!("/api/trainings/{id}/estimate?composer={composer}"));
    let found = estimate("lstm").expect(200).json();
    assert!(found["seconds_an_epoch"].as_f64().is_some_and(|seconds| seconds > 0.0), "{found}");
    assert_eq!(found["afterwards"], json!(null));
    // What cannot be learnt from by this composer is said before anything begins.
    let refused = estimate("chorale:default").expect(422).json();
    assert!(refused["error"].as_str().unwrap().contains("composer chorale cannot learn from this music"), "{refused}");
    estimate("nobody").expect(400);
    // What the reader of a file had to say is told.
    let whole = chorale(60);
    let cut =
        studio.send("POST", &format!("/api/trainings/{id}/files?name=cut.mid"), &whole[..whole.len() - 6]).expect(201);
    let report = studio.get(&format!("/api/trainings/{id}/preflight")).expect(200).json();
    let line = report["files"].as_array().unwrap().iter().find(|file| file["name"] == "0014 cut.mid").unwrap();
    assert!(cut.status == 201 && !line["warnings"].as_array().unwrap().is_empty(), "{line}");
    let empty = studio.post("/api/trainings", &json!({ "name": "nothing" })).expect(201).json();
    let preflight = studio.get(&format!("/api/trainings/{}/preflight", empty["id"].as_str().unwrap()));
    assert!(matches!(preflight.status, 200 | 422), "{preflight:?}");
}

#[test]
fn a_training_goes_on_from_a_model_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let train = |order: &serde_json::Value| {
        let id = collect(&studio);
        let path = format!("/api/trainings/{id}");
        studio.post(&format!("{path}/start"), order).expect(202);
        let running = |answer: &Answer| answer.json()["metrics"].as_array().is_some_and(|all| all.len() > 1);
        studio.wait(&path, running);
        studio.post(&format!("{path}/stop"), &json!({})).expect(202);
        let stopped = studio.wait(&path, |answer| answer.json()["stage"] == "stopped").json();
        (id, stopped["metrics"][0]["valid"]["nats_per_token"].as_f64().unwrap())
    };
    let (base, from_nothing) = train(&json!({ "composer": "lstm", "minutes": 60 }));
    let (id, from_it) = train(&json!({ "from": format!("training:{base}"), "minutes": 60 }));
    assert!(from_it < from_nothing, "{from_it} after an epoch, {from_nothing} from nothing");
    // Its composer is the model's.
    let models = studio.get("/api/models").json();
    let of = |model: &&serde_json::Value| model["id"] == format!("training:{id}");
    let listed = models.as_array().unwrap().iter().find(of).unwrap();
    assert!(listed["detail"].as_str().unwrap().starts_with("lstm:default"), "{listed}");
    // No path, and nothing that is not listed.
    for from in ["nobody", "training:nobody", "../trainings", "/etc/passwd"] {
        let id = collect(&studio);
        let refused = studio.post(&format!("/api/trainings/{id}/start"), &json!({ "from": from })).expect(400).json();
        assert!(refused["error"].as_str().unwrap().contains("to go on from"), "{refused}");
    }
}

#[test]
fn a_training_is_stopped_survives_a_restart_and_composes() {
    let folder = tempfile::tempdir().unwrap();
    let id;
    {
        let studio = open(folder.path());
        id = collect(&studio);
        let path = format!("/api/trainings/{id}");
        for order in [json!({ "minutes": 0 }), json!({ "minutes": 1e9 }), json!({ "composer": "nobody" })] {
            studio.post(&format!("{path}/start"), &order).expect(400);
        }
        studio.post(&format!("{path}/stop"), &json!({})).expect(409);
        studio.post(&format!("{path}/start"), &json!({ "minutes": 60 })).expect(202);
        studio.post(&format!("{path}/start"), &json!({ "minutes": 60 })).expect(409);
        studio.send("DELETE", &path, b"").expect(409);
        studio.send("POST", &format!("{path}/files?name=late.mid"), &tune(70)).expect(409);
        let running =
            studio.wait(&path, |answer| answer.json()["metrics"].as_array().is_some_and(|all| !all.is_empty()));
        assert_eq!(running.json()["stage"], "running");
    }
    let studio = open(folder.path());
    let path = format!("/api/trainings/{id}");
    let before = studio.get(&path).json()["metrics"].as_array().unwrap().len();
    let on = studio.wait(&path, |answer| answer.json()["metrics"].as_array().is_some_and(|all| all.len() > before));
    assert_eq!(on.json()["stage"], "running");
    studio.post(&format!("{path}/stop"), &json!({})).expect(202);
    let stopped = studio.wait(&path, |answer| answer.json()["stage"] == "stopped").json();
    assert!(stopped["loss"].as_str().unwrap().contains("nats"), "{stopped}");

    let sample = stopped["samples"][0].as_str().unwrap();
    let notes = studio.get(&format!("{path}/samples/{sample}/notes")).expect(200).json();
    assert!(notes["notes"].is_array());
    let models = studio.get("/api/models").json().to_string();
    let model = format!("training:{id}");
    assert!(models.contains(&model), "{models}");
    // Its checkpoints are models, too.
    let all = studio.get("/api/models").json();
    let checkpoint =
        all.as_array().unwrap().iter().find(|one| one["id"].as_str().unwrap().starts_with(&format!("{model}:")));
    let order = json!({ "model": checkpoint.unwrap()["id"], "bars": 2 });
    let job = studio.post("/api/compositions", &order).expect(202).json();
    studio.wait(&format!("/api/pieces/{}", job["id"].as_str().unwrap()), |answer| answer.status == 200);
    let job = studio.post("/api/compositions", &json!({ "model": model, "bars": 2 })).expect(202).json();
    let piece = studio.wait(&format!("/api/pieces/{}", job["id"].as_str().unwrap()), |answer| answer.status == 200);
    assert_eq!(piece.json()["model"], "scales");
    // Where a passage comes from is said by the name of the file that was given, without the number that was put before it.
    let prompt = studio.send("POST", "/api/prompts?name=a.mid", &tune(50)).expect(201).json();
    let order = json!({ "model": model, "bars": 9, "prompt": { "sha256": prompt["sha256"], "bars": 8 } });
    let job = studio.post("/api/compositions", &order).expect(202).json();
    let known = format!("/api/pieces/{}", job["id"].as_str().unwrap());
    studio.wait(&known, |answer| answer.status == 200);
    let source = studio.get(&format!("{known}/source")).expect(200).json();
    let name = source["piece"].as_str().unwrap();
    assert!(name.starts_with("tune ") && source["text"].as_str().unwrap().contains(name), "{source}");
    studio.send("DELETE", &path, b"").expect(204);
    studio.get(&path).expect(404);
}

/// Four voices in parallel, eight bars of quarters.
pub fn chorale(first: u8) -> Vec<u8> {
    let soprano = midi::read(&tune(first + 12), &Limits::default()).unwrap().score;
    let mut score = soprano.clone();
    for down in [4, 9, 24] {
        score.parts.push(soprano.transposed(-down).unwrap().parts.remove(0));
    }
    midi::write(&score).unwrap()
}

#[test]
fn composing_goes_on_while_a_critic_learns() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let id = studio.post("/api/trainings", &json!({ "name": "chorales" })).expect(201).json()["id"].clone();
    let path = format!("/api/trainings/{}", id.as_str().unwrap());
    for first in 60..72 {
        studio.send("POST", &format!("{path}/files?name=chorale%20{first}.mid"), &chorale(first)).expect(201);
    }
    let report = studio.get(&format!("{path}/preflight")).expect(200).json();
    assert_eq!(report["recommended"], "chorale:default", "{report}");
    let estimate = studio.get(&format!("{path}/estimate?composer=chorale")).expect(200).json();
    assert!(estimate["afterwards"].as_str().unwrap().contains("a critic learns"), "{estimate}");
    studio.post(&format!("{path}/start"), &json!({ "composer": "chorale", "minutes": 0.005 })).expect(202);
    let finishing = |answer: &Answer| answer.json()["progress"]["doing"] == "finishing";
    let begun = studio.wait(&path, finishing).json();
    assert!(begun["progress"]["what"].as_str().unwrap().contains("critic"), "{begun}");
    // A model that composes on several threads, and so meets the critic where threads are shared.
    let job =
        studio.post("/api/compositions", &json!({ "model": "chorales", "bars": 2, "seed": 1 })).expect(202).json();
    studio.wait(&format!("/api/pieces/{}", job["id"].as_str().unwrap()), |answer| answer.status == 200);
    // It says how far it is, and has not been waited for.
    let on = studio.wait(&path, |answer| !finishing(answer) || answer.json()["progress"]["done"].as_f64() > Some(0.0));
    let progress = &on.json()["progress"];
    assert!(progress["done"].as_f64().unwrap() < 1.0 && progress["seconds_left"].is_number(), "{progress}");
    studio.post(&format!("{path}/stop"), &json!({})).expect(202);
    let stopped = studio.wait(&path, |answer| answer.json()["stage"] == "stopped").json();
    assert_eq!(stopped["outcome"], "the best is kept");
}

#[test]
fn a_training_has_the_name_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path;
    {
        let studio = open(folder.path());
        path = format!("/api/trainings/{}", collect(&studio));
        let called = |name: &str| studio.send("PATCH", &path, json!({ "name": name }).to_string().as_bytes());
        called("").expect(400);
        assert_eq!(called(" Tonleitern ").expect(200).json()["name"], "Tonleitern");
        studio.send("PATCH", "/api/trainings/1", br#"{"name":"x"}"#).expect(404);
    }
    let studio = open(folder.path());
    let view = studio.get(&path).expect(200).json();
    assert_eq!((&view["name"], &view["stage"]), (&json!("Tonleitern"), &json!("collecting")));
}

#[test]
fn the_preflight_says_what_would_help_as_the_command_line_does() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let training = studio.post("/api/trainings", &json!({ "name": "little" })).expect(201).json();
    let id = training["id"].as_str().unwrap();
    let files = format!("/api/trainings/{id}/files?name=broken.mid");
    studio.send("POST", &files, b"no music").expect(201);
    let report = studio.get(&format!("/api/trainings/{id}/preflight")).expect(200).json();
    assert_eq!(report["used"], 0);
    assert!(report["lack"].as_str().is_some_and(|lack| lack.contains("the only file in")), "{report}");
    assert!(report["recommended"].is_null());
}

#[test]
fn music_is_read_as_the_page_asks() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let id = collect(&studio);
    let used = |query: &str| {
        studio.get(&format!("/api/trainings/{id}/preflight?{query}")).expect(200).json()["used"].as_u64().unwrap()
    };
    assert_eq!((used(""), used("min_bars=9"), used("min_notes=33&grid=12")), (12, 0, 0));
    assert_eq!(used("reading=performed"), 12);
    for query in ["reading=backwards", "grid=0", "grid=97", "min_bars=many", "colour=red"] {
        let refused = studio.get(&format!("/api/trainings/{id}/preflight?{query}")).expect(400).json();
        assert!(refused["error"].is_string(), "{query}: {refused}");
    }
    let order = json!({ "minutes": 1, "options": { "grid": 0 } });
    studio.post(&format!("/api/trainings/{id}/start"), &order).expect(400);
}
