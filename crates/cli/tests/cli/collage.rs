//! Music out of bars of a folder, and bars of a folder that are like a theme.

use crate::common::{cantus, fill, folder, piece, save, score};
use cantus_score::Ticks;

#[test]
fn a_collage_says_of_each_bar_where_it_is_from() {
    let folder = folder();
    fill(&folder.path().join("music"), 8);
    let train = ["train", "music", "-o", "run", "-c", "unit_selection", "--epochs", "1"];
    let small = ["--set", "hidden=24", "--set", "embedding=16", "--set", "coder=32", "--set", "candidates=32"];
    let out = cantus(folder.path(), &[&train[..], &small].concat()).fine();
    assert!(out.contains("among 50") && out.contains("nats/section (ranking among candidates)"), "{out}");
    assert!(!out.contains("copying: "), "a collage is no illness: {out}");
    let compose = ["compose", "-m", "run", "--seed", "1", "--bars", "8", "-o", "a.mid", "-o", "a.musicxml"];
    let out = cantus(folder.path(), &[&compose[..], &["--sources"]].concat()).fine();
    let told: Vec<&str> = out.lines().filter(|line| line.trim_start().starts_with("bar ")).collect();
    assert_eq!(told.len(), 8, "{out}");
    assert!(told.iter().all(|line| line.contains(".mid:")), "{out}");
    assert!(out.contains("more than real pieces have in common"), "originality says so: {out}");
    let json = cantus(folder.path(), &[&compose[..], &["--sources", "--json"]].concat()).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let first = json["sources"][0].as_array().unwrap();
    assert!(first[0] == 1 && told[0].ends_with(first[1].as_str().unwrap()), "{json}");
    // The same words stand in the score.
    let words: Vec<String> =
        score(folder.path(), "a.musicxml").parts[0].lyrics.iter().map(|word| word.text.clone()).collect();
    assert!(words.len() == 8 && told.iter().zip(&words).all(|(line, word)| line.ends_with(word)), "{words:?}");
    let out = cantus(folder.path(), &["evaluate", "run", "music", "-n", "2"]).fine();
    assert!(out.contains("Ranks of the next section") && out.contains("mean rank"), "{out}");
    // Rules are told in the same way; who writes no words says so.
    let rules = ["compose", "-m", "patterns:lesson", "--seed", "1", "--bars", "4", "-o", "b.mid", "--sources"];
    let out = cantus(folder.path(), &rules).fine();
    assert!(out.lines().any(|line| line.contains("bar 1") && line.contains("motif")), "{out}");
    let silent = ["compose", "-m", "patterns", "--seed", "1", "--bars", "4", "-o", "b.mid", "--sources"];
    assert!(cantus(folder.path(), &silent).fine().contains("does not say where its bars are from"));
}

#[test]
fn the_bars_of_a_folder_that_are_like_a_theme_are_found() {
    let folder = folder();
    fill(&folder.path().join("music"), 6);
    let whole = piece(4);
    let bar = Ticks(4 * u64::from(whole.ticks_per_quarter.get()));
    let theme = whole.before(Ticks(6 * bar.0)).after(Ticks(4 * bar.0)).transposed(3).unwrap();
    save(&theme, &folder.path().join("theme.mid"));
    let find = ["inspect", "music", "--find", "theme.mid"];
    let out = cantus(folder.path(), &find).fine();
    let first = out.lines().find(|line| line.trim_start().starts_with("1 ")).unwrap();
    assert!(["04.mid", "5-6", "100%", "-3"].iter().all(|said| first.contains(said)), "{out}");
    let json = cantus(folder.path(), &[&find[..], &["--json"]].concat()).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["pieces"], json["found"].as_array().unwrap().len()), (&6.into(), 10));
    assert_eq!((&json["found"][0]["file"], &json["found"][0]["bars"]), (&"04.mid".into(), &serde_json::json!([5, 6])));
    std::fs::write(folder.path().join("long.mid"), cantus_formats::midi::write(&piece(9)).unwrap()).unwrap();
    assert!(cantus(folder.path(), &["inspect", "music", "--find", "long.mid"]).fine().contains("1-8"));
    assert!(cantus(folder.path(), &["inspect", "music", "--find", "none.mid"]).failed(1).contains("none.mid"));
}
