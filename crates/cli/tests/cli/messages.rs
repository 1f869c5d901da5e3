//! Whole messages, as a person reads them.

use crate::common::{cantus, folder, model, names, piece, save};
use cantus_score::{Part, Score};
use std::path::Path;

/// A chart of chords without a note.
const CHART: &str = r#"<?xml version="1.0"?>
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Chords</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<harmony><root><root-step>C</root-step></root><kind>major-seventh</kind></harmony>
<note><rest measure="yes"/><duration>4</duration></note></measure></part></score-partwise>"#;

/// The piece's bass as drums, and nothing else.
fn drums() -> Score {
    let notes = piece(1).parts.remove(0).notes;
    let mut score = piece(1);
    score.parts = vec![Part { notes: notes.into_iter().take(12).collect(), ..Part::of_drums() }];
    score
}

/// What a failed command said, word by word.
#[track_caller]
fn refusal(folder: &Path, arguments: &[&str], code: i32) -> String {
    cantus(folder, arguments).failed(code)
}

#[test]
fn music_without_a_pitch_is_refused_where_it_is_given() {
    let folder = folder();
    save(&drums(), &folder.path().join("beat.mid"));
    std::fs::write(folder.path().join("chart.musicxml"), CHART).unwrap();
    let drums = "there is nothing to go on from: the piece holds only drums (12 strokes) and no note with a pitch; give one with a melody";
    assert_eq!(
        refusal(folder.path(), &["compose", "--prompt", "beat.mid"], 1),
        format!("`beat.mid` cannot be continued {drums}")
    );
    assert_eq!(
        refusal(folder.path(), &["harmonise", "beat.mid"], 1),
        format!("`beat.mid` cannot be harmonised {drums}")
    );
    for command in [&["compose", "--prompt"][..], &["harmonise"]] {
        let said = refusal(folder.path(), &[command, &["chart.musicxml"]].concat(), 1);
        assert!(said.contains("chart.musicxml") && !said.contains("keep"), "{said}");
        assert!(said.contains("no note"), "{said}");
    }
    assert_eq!(names(folder.path()), ["beat.mid", "chart.musicxml"]);
}

#[test]
fn a_silent_piece_is_written_and_said_to_be_silent() {
    let folder = folder();
    std::fs::write(folder.path().join("chart.musicxml"), CHART).unwrap();
    let ran = cantus(folder.path(), &["render", "chart.musicxml", "-o", "a.mid", "--json"]);
    assert!(ran.err.contains("note: chart.musicxml: it holds "), "{}", ran.err);
    assert!(ran.err.contains("so what is written of it is silent"), "{}", ran.err);
    let told: serde_json::Value = serde_json::from_str(&ran.fine()).unwrap();
    assert_eq!((&told["files"], &told["notes"]), (&serde_json::json!(["a.mid"]), &0.into()));
    let warnings = told["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("silent")), "{told}");
    // Drums are heard.
    save(&drums(), &folder.path().join("beat.mid"));
    let said = cantus(folder.path(), &["render", "beat.mid", "-o", "b.wav"]).err;
    assert!(!said.contains("silent"), "{said}");
}

#[test]
fn what_a_reader_has_to_say_reaches_every_reader() {
    let folder = folder();
    let tune = "X:1\nT:Odd\nL:1/4\nK:C\nCDEF|GABc|cBAG|FEDC|CDEF|GABc|cBAG|FEDC|?\n";
    std::fs::write(folder.path().join("odd.abc"), tune).unwrap();
    let told = |arguments: &[&str]| {
        let ran = cantus(folder.path(), arguments);
        assert!(ran.err.lines().any(|line| line.starts_with("note: odd.abc: ")), "{arguments:?}: {}", ran.err);
        serde_json::from_str::<serde_json::Value>(&ran.fine()).unwrap()
    };
    let expected = told(&["render", "odd.abc", "-o", "x.mid", "--json"])["warnings"].clone();
    assert_eq!(expected.as_array().unwrap().len(), 1, "{expected}");
    let prompt = ["compose", "--prompt", "odd.abc", "--bars", "6", "--seed", "1", "-o", "y.mid", "--json"];
    assert_eq!(told(&prompt)["warnings"], expected);
    assert_eq!(told(&["harmonise", "odd.abc", "--seed", "1", "-o", "z.mid", "--json"])["warnings"], expected);
    let inspected = cantus(folder.path(), &["inspect", "odd.abc", "--json"]).fine();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&inspected).unwrap()["warnings"], expected);
    let table = cantus(folder.path(), &["inspect", "odd.abc"]).fine();
    assert!(table.contains(&format!("oddity  {}", expected[0].as_str().unwrap())), "{table}");
    // In a folder, too.
    std::fs::create_dir(folder.path().join("music")).unwrap();
    std::fs::rename(folder.path().join("odd.abc"), folder.path().join("music/odd.abc")).unwrap();
    save(&piece(4), &folder.path().join("music/other.mid"));
    let ran = cantus(folder.path(), &["evaluate", "music", "music", "--json"]);
    assert!(ran.err.contains("note: odd.abc: "), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.fine()).unwrap();
    assert!(
        report["warnings"].as_array().unwrap().iter().any(|warning| warning.as_str().unwrap().starts_with("odd.abc: "))
    );
}

/// The models of a folder, as `cantus models` lists them.
fn models(folder: &Path) -> Vec<serde_json::Value> {
    let json = cantus(folder, &["models", "--json"]).fine();
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names_of(models: &[serde_json::Value]) -> String {
    models.iter().map(|model| model["name"].as_str().unwrap()).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_unknown_model_lists_those_there_are() {
    let folder = folder();
    let there_are = format!("There are: {}", names_of(&models(folder.path())));
    assert!(
        there_are.starts_with(
            "There are: hymns, chorales, reels, airs, folk, dances, chopin, beethoven, mozart, drums, band, bass, beat, arranger, tunes, patterns"
        ),
        "{there_are}"
    );
    assert_eq!(
        refusal(folder.path(), &["compose", "-m", "chorale"], 1),
        format!("there is no model `chorale`: did you mean `chorales`? {there_are}")
    );
    assert_eq!(
        refusal(folder.path(), &["compose", "-m", "octave:exact"], 1),
        format!(
            "there is no model `octave:exact`: `octave` is a composer, which learns: `cantus train FOLDER -c octave:exact` makes a model \
             of it. {there_are}"
        )
    );
    assert_eq!(
        refusal(folder.path(), &["compose", "-m", "jazz"], 1),
        format!("there is no model `jazz`: name one of these, a .safetensors file, or a run's folder. {there_are}")
    );
}

#[test]
fn models_are_listed_and_called_by_name() {
    let folder = folder();
    let run = folder.path().join("runs/songs-lstm");
    std::fs::create_dir_all(&run).unwrap();
    for file in ["run.json", "metrics.jsonl", "best.safetensors"] {
        std::fs::copy(Path::new(&model()).join(file), run.join(file)).unwrap();
    }
    let listed = cantus(folder.path(), &["models"]).fine();
    let rows: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows[0], ["name", "composer", "learnt from", "told from real ones", "on other pieces", "licence"]);
    assert_eq!((rows[1][0], rows[2][0]), ("hymns", "chorales"), "{listed}");
    let tunes = rows.iter().find(|row| row.first() == Some(&"songs-lstm")).unwrap();
    assert_eq!(
        (tunes[1], tunes[2], tunes[3], tunes[5]),
        ("lstm:default", "music (12 pieces)", "not asked yet", "not said"),
        "{listed}"
    );
    assert!(tunes[4].contains(" nats a quarter, ") && tunes[4].ends_with(" a token (exact)"), "{listed}");
    let models = models(folder.path());
    assert_eq!(models.last().unwrap()["name"], "songs-lstm");
    // Whatever is built in says from what it learnt, under which licence, and composes.
    for model in &models[..models.len() - 1] {
        let has_learnt = model["corpus"]["train_pieces"] != 0;
        assert!(
            !has_learnt || model["corpus"]["licence"].is_string() && model["corpus"]["credit"].is_string(),
            "{model}"
        );
        let name = model["name"].as_str().unwrap();
        let made = cantus(folder.path(), &["compose", "-m", name, "--bars", "4", "--seed", "1", "-o", "x.mid"]).fine();
        assert!(made.contains("x.mid"), "{made}");
    }
    for command in [&["compose", "--bars", "2", "-m"][..], &["inspect"]] {
        cantus(folder.path(), &[command, &["songs-lstm"]].concat()).fine();
    }
    let said = refusal(folder.path(), &["compose", "-m", "song"], 1);
    assert!(said.contains("did you mean `songs-lstm`?") && said.contains(&names_of(&models)), "{said}");
}

#[test]
fn nothing_is_written_over_unasked() {
    let folder = folder();
    let compose = |arguments: &[&str]| {
        let ran = cantus(folder.path(), &[&["compose", "--bars", "1"], arguments].concat());
        let err = ran.err.clone();
        ran.fine();
        err
    };
    assert_eq!(compose(&["--seed", "1"]), "");
    let first = std::fs::read(folder.path().join("composition.mid")).unwrap();
    let said = "note: `composition.mid` is there already; writing `composition-2.mid` (--force writes over it)\n";
    assert_eq!(compose(&["--seed", "2"]), said);
    assert_eq!(compose(&["--seed", "3"]).matches("composition-3.mid").count(), 1);
    assert_eq!(names(folder.path()), ["composition-2.mid", "composition-3.mid", "composition.mid"]);
    assert_eq!(std::fs::read(folder.path().join("composition.mid")).unwrap(), first);
    // Several at once go on with the numbers.
    let said = compose(&["--seed", "4", "-n", "2"]);
    assert!(said.contains("writing `composition-4.mid`"), "{said}");
    assert!(folder.path().join("composition-5.mid").exists());
    // Who says so, writes over.
    assert_eq!(compose(&["--seed", "2", "--force"]), "");
    assert!(std::fs::read(folder.path().join("composition.mid")).unwrap() != first);
    assert_eq!(compose(&["--seed", "1", "-o", "composition.mid"]), "");
    assert!(std::fs::read(folder.path().join("composition.mid")).unwrap() == first);
}

#[test]
fn how_much_is_copied_is_one_sentence() {
    let folder = folder();
    save(&piece(3), &folder.path().join("in.mid"));
    let sentence = |arguments: &[&str]| {
        let out = cantus(folder.path(), arguments).fine();
        out.lines().nth(1).unwrap_or_default().to_owned()
    };
    let composed = sentence(&["compose", "--seed", "3", "-o", "a.mid"]);
    let is_one = composed == "Nothing of its melody is copied."
        || composed.starts_with("Up to ")
            && composed.contains(" notes in a row of its melody (bar")
            && composed.ends_with('.');
    assert!(is_one, "{composed}");
    assert_eq!(
        sentence(&["compose", "--bars", "1", "--seed", "3", "-o", "b.mid"]),
        "Its melody is too short to tell whether any of it is copied."
    );
    assert_eq!(
        sentence(&["harmonise", "in.mid", "--seed", "3", "-o", "c.mid"]),
        "Its melody is the one that was given."
    );
}

#[test]
fn a_harmonisation_says_how_it_is_made_again_and_the_command_does_so() {
    let folder = folder();
    let mut melody = piece(3);
    melody.title = Some("Evening Song".to_owned());
    save(&melody, &folder.path().join("given.mid"));
    let options = ["--voice", "soprano", "--keep", "1-2", "--seed", "9", "--temperature", "0.7"];
    cantus(folder.path(), &[&["harmonise", "given.mid", "-o", "a.mid"], &options[..]].concat()).fine();
    let about = cantus(folder.path(), &["inspect", "a.mid"]).fine();
    assert!(about.contains("title        Evening Song\n"), "no seed stands in a title: {about}");
    assert!(about.contains("given        the soprano and bars 1-2 of a file with SHA-256"), "{about}");
    let again = about.lines().find(|line| line.trim_start().starts_with("again")).unwrap();
    let words: Vec<&str> =
        again.split_whitespace().skip(2).map(|word| if word == "GIVEN" { "given.mid" } else { word }).collect();
    cantus(folder.path(), &[&words[..], &["-o", "b.mid"]].concat()).fine();
    assert!(
        std::fs::read(folder.path().join("a.mid")).unwrap() == std::fs::read(folder.path().join("b.mid")).unwrap(),
        "{again}"
    );
}

#[test]
fn titles_have_no_seed() {
    let folder = folder();
    let mut given = piece(3);
    given.title = Some("Evening Song".to_owned());
    save(&given, &folder.path().join("in.mid"));
    let title = |arguments: &[&str]| {
        cantus(folder.path(), &[&["compose", "--bars", "6", "--seed", "1", "-o", "x.mid"], arguments].concat()).fine();
        crate::common::score(folder.path(), "x.mid").title
    };
    assert_eq!(title(&[]).as_deref(), Some("Composition"));
    assert_eq!(title(&["--prompt", "in.mid"]).as_deref(), Some("Evening Song, continued"));
    std::fs::rename(folder.path().join("x.mid"), folder.path().join("in.mid")).unwrap();
    assert_eq!(title(&["--prompt", "in.mid"]).as_deref(), Some("Evening Song, continued"), "once is enough");
}

#[test]
fn a_temperature_that_is_noise_is_refused() {
    let said = refusal(folder().path(), &["compose", "--temperature", "99"], 2);
    assert_eq!(
        said,
        "a temperature of 99 makes no sense: give a number from 0 (always the likeliest) to 4; 1 is as learnt"
    );
}

#[test]
fn seconds_are_asked_of_models_that_count_them() {
    let folder = folder();
    assert_eq!(
        refusal(folder.path(), &["compose", "--seconds", "30"], 2),
        "the model counts bars and not seconds: ask for bars, or use a model that learnt from performances as they were played, with one of \
         notes, performance_rnn (`cantus models` lists models with their composers)"
    );
    for other in [&["--bars", "4"][..], &["--tempo", "90"]] {
        let said = refusal(folder.path(), &[&["compose", "--seconds", "30"], other].concat(), 2);
        assert!(said.contains("cannot be used with"), "{said}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
