//! `cantus blend` and `cantus vary`, with the built-in model.

use crate::common::{bytes, cantus, folder, names, save, score};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

/// Eight bars in quarters, up and down the scale of C by so many steps.
fn tune(by: usize) -> Score {
    const SCALE: [u8; 8] = [60, 62, 64, 65, 67, 69, 71, 72];
    let note = |beat: usize| Note {
        onset: Ticks(beat as u64 * 96),
        pitch: Pitch::try_from(SCALE[(beat * by + beat / 4) % 8]).unwrap(),
        duration: Ticks(90),
        velocity: Velocity::try_from(77).unwrap(),
    };
    let mut score = Score::new(TicksPerQuarter::new(96).unwrap());
    score.parts.push(Part { notes: (0..32).map(note).collect(), ..Part::default() });
    score
}

fn notes(score: &Score) -> Vec<(f64, f64, u8)> {
    let quarters = |ticks: Ticks| ticks.quarters(score.ticks_per_quarter);
    score.notes().map(|note| (quarters(note.onset), quarters(note.duration), note.pitch.get())).collect()
}

#[test]
fn the_ends_of_a_blend_are_the_files() {
    let folder = folder();
    let place = folder.path();
    save(&tune(1), &place.join("a.mid"));
    save(&tune(3), &place.join("b.mid"));
    for (at, own) in [("0", tune(1)), ("1", tune(3))] {
        cantus(place, &["blend", "a.mid", "b.mid", "--at", at, "-o", "end.mid"]).fine();
        assert_eq!(notes(&score(place, "end.mid")), notes(&own));
    }
    let out = cantus(place, &["blend", "a.mid", "b.mid", "--seed", "4", "-o", "half.mid", "-o", "half.abc"]).fine();
    assert!(out.contains("half.mid, half.abc: at 0.50: 8 bars") && out.contains("seed 4"), "{out}");
    let half = score(place, "half.mid");
    assert!(notes(&half) != notes(&tune(1)) && notes(&half) != notes(&tune(3)));
    assert!(half.remarks.iter().any(|remark| remark.contains("\"at\":0.5")), "{:?}", half.remarks);
    cantus(place, &["blend", "a.mid", "b.mid", "--seed", "4", "-o", "again.mid"]).fine();
    assert_eq!(bytes(place, "again.mid"), bytes(place, "half.mid"));
    cantus(place, &["blend", "a.mid", "b.mid", "--steps", "3"]).fine();
    let found = names(place).into_iter().filter(|name| name.starts_with("blend")).collect::<Vec<String>>();
    assert_eq!(found, ["blend-1.mid", "blend-2.mid", "blend-3.mid"]);
    assert_eq!(notes(&score(place, "blend-3.mid")), notes(&tune(3)));
    let out = cantus(place, &["blend", "a.mid", "b.mid", "--bars", "12", "-o", "way.mid"]).fine();
    assert!(out.contains("over 12 bars: 12 bars"), "{out}");
    let way = score(place, "way.mid");
    let pitches = |score: &Score| score.notes().map(|note| note.pitch.get()).collect::<Vec<u8>>();
    assert_eq!(pitches(&way)[..8], pitches(&tune(1))[..8]);
    let said = cantus(place, &["blend", "a.mid", "b.mid", "--at", "1.5"]).failed(2);
    assert!(said.contains("give a number from 0 (the first piece) to 1 (the second)"), "{said}");
}

#[test]
fn a_variation_keeps_what_it_is_told_to() {
    let folder = folder();
    let place = folder.path();
    save(&tune(3), &place.join("tune.mid"));
    cantus(place, &["vary", "tune.mid", "--amount", "0", "-o", "same.mid"]).fine();
    assert_eq!(notes(&score(place, "same.mid")), notes(&tune(3)));
    let out =
        cantus(place, &["vary", "tune.mid", "--again", "5-8", "--amount", "0.8", "--seed", "1", "-n", "2"]).fine();
    assert!(out.contains("variation-1.mid: varied by 0.8: 8 bars") && out.contains("seed 2"), "{out}");
    let found = notes(&score(place, "variation-1.mid"));
    assert!(found != notes(&tune(3)) && found != notes(&score(place, "variation-2.mid")));
    let first = |notes: &[(f64, f64, u8)]| notes.iter().filter(|note| note.0 < 15.0).copied().collect::<Vec<_>>();
    assert_eq!(first(&found), first(&notes(&tune(3))));
    let json =
        cantus(place, &["vary", "tune.mid", "--more", "notes", "--seed", "1", "-o", "more.mid", "--json"]).fine();
    let told: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(told["origin"]["varied"]["more"][0], "notes", "{told}");
    assert!(told["notes"].as_u64().unwrap() > 32, "{told}");
    for (arguments, code, words) in [
        (&["--again", "7-9"][..], 2, "bars 7-9 cannot be composed anew: the piece has bars 1-8"),
        (&["--amount", "2"], 2, "give a number from 0 (as it is) to 1"),
        (&["--more", "length"], 2, "choose notes, leaps, syncopation"),
        (&["--more", "notes", "--less", "notes"], 2, "leave one of them out"),
        (&["-m", "hymns"], 1, "its music has no codes; use one of music"),
    ] {
        let said = cantus(place, &[&["vary", "tune.mid"][..], arguments].concat()).failed(code);
        assert!(said.contains(words), "{said}");
    }
}
