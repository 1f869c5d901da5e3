//! What needs no model: `cantus texture`, `cantus map`, and the motifs that `cantus inspect` finds.

use crate::common::{bytes, cantus, folder, names, piece, save, score};
use cantus_score::Score;

#[test]
fn a_texture_is_written_at_once_and_the_same_again() {
    let folder = folder();
    let place = folder.path();
    save(&piece(3), &place.join("mine.mid"));
    let out =
        cantus(place, &["texture", "mine.mid", "--bars", "6", "--seed", "5", "-o", "a.mid", "-o", "a.svg"]).fine();
    assert!(out.contains("a.mid, a.svg: 6 bars") && out.contains("seed 5"), "{out}");
    let written = score(place, "a.mid");
    assert!(written.note_count() > 0 && written.bar_count() <= 6);
    assert!(written.remarks.iter().any(|remark| remark.contains("\"bars\":6")), "{:?}", written.remarks);
    cantus(place, &["texture", "mine.mid", "--bars", "6", "--seed", "5", "-o", "b.mid"]).fine();
    assert_eq!(bytes(place, "a.mid"), bytes(place, "b.mid"));
    let told =
        cantus(place, &["texture", "mine.mid", "a.mid", "-n", "2", "--seed", "6", "--bars", "4", "--json"]).fine();
    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["origin"]["like"].as_array().unwrap().len(), 2);
    assert!(told[0]["error"].as_f64().unwrap() < told[0]["error_at_random"].as_f64().unwrap());
    assert!(names(place).contains(&"texture-2.mid".to_owned()));
    let said = cantus(place, &["texture", "mine.mid", "--bars", "0"]).failed(2);
    assert!(said.contains("0 bars cannot be written; ask for 1 to 1000"), "{said}");
    std::fs::write(place.join("jig.abc"), "X:1\nM:6/8\nL:1/8\nK:D\nABc def|agf edc|ABc def|d3 d3|\n").unwrap();
    let said = cantus(place, &["texture", "mine.mid", "jig.abc"]).failed(1);
    assert!(said.contains("piece 2 has no bar in 4/4, the metre of the others"), "{said}");
    save(&Score::new(piece(1).ticks_per_quarter), &place.join("empty.mid"));
    let said = cantus(place, &["texture", "empty.mid"]).failed(1);
    assert!(said.contains("no note"), "{said}");
}

#[test]
fn motifs_that_come_again_are_told_and_drawn() {
    let folder = folder();
    let place = folder.path();
    let tune = "X:1\nM:4/4\nL:1/8\nK:C\nC2EGDFEC|z8|D2FAEGFD|z8|C2EGDFEC|\n";
    std::fs::write(place.join("tune.abc"), tune).unwrap();
    let out = cantus(place, &["inspect", "tune.abc"]).fine();
    assert!(
        out.contains("as it was") && out.contains("7 notes from bar 3 are those from bar 1 moved along the scale"),
        "{out}"
    );
    let told: serde_json::Value =
        serde_json::from_str(&cantus(place, &["inspect", "tune.abc", "--json"]).fine()).unwrap();
    let found = told["parallels"]["found"].as_array().unwrap();
    assert!(
        found.iter().any(|found| found["way"] == "literal" && found["bar"] == 5 && found["of_bar"] == 1),
        "{found:?}"
    );
    cantus(place, &["inspect", "tune.abc", "--plot", "motifs.svg"]).fine();
    let picture = String::from_utf8(bytes(place, "motifs.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("moved along the scale: "), "{picture}");
}

#[test]
fn a_map_says_what_it_leaves_out_and_marks_what_is_beside() {
    let folder = folder();
    let place = folder.path();
    for (k, name) in ["music/a/1.mid", "music/a/2.mid", "music/b/3.mid", "music/b/4.mid", "mine.mid"].iter().enumerate()
    {
        std::fs::create_dir_all(place.join(name).parent().unwrap()).unwrap();
        save(&piece(k as u64 + 1), &place.join(name));
    }
    std::fs::write(place.join("music/broken.mid"), "no music").unwrap();
    let run = cantus(place, &["map", "music", "mine.mid", "--json"]);
    assert!(run.err.contains("music: 1 file left out (unreadable)"), "{}", run.err);
    let told: serde_json::Value = serde_json::from_str(&run.fine()).unwrap();
    let folders: Vec<_> = told["pieces"].as_array().unwrap().iter().map(|piece| piece["folder"].as_str()).collect();
    assert_eq!(folders, [Some("a"), Some("a"), Some("b"), Some("b"), None]);
    let page = String::from_utf8(bytes(place, "map.html")).unwrap();
    assert!(page.contains("5 pieces of 2 folders") || page.contains("4 pieces of 2 folders"), "{}", &page[..2000]);
}
