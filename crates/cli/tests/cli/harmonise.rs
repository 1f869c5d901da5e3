//! `cantus harmonise`.

use crate::common::{bytes, cantus, folder, names, save, score};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

/// Four bars of a melody in quarters.
fn melody() -> Score {
    let pitches = [67u8, 69, 71, 67, 72, 71, 69, 67, 69, 71, 72, 74, 71, 69, 67, 67];
    let note = |(beat, pitch): (usize, &u8)| Note {
        onset: Ticks(beat as u64 * 96),
        pitch: Pitch::try_from(*pitch).unwrap(),
        duration: Ticks(90),
        velocity: Velocity::try_from(77).unwrap(),
    };
    let mut score = Score::new(TicksPerQuarter::new(96).unwrap());
    score.parts.push(Part { notes: pitches.iter().enumerate().map(note).collect(), ..Part::default() });
    score
}

/// Onset, duration in quarters, pitch, velocity.
fn notes(score: &Score, part: usize) -> Vec<(f64, f64, u8, u8)> {
    let quarters = |ticks: Ticks| ticks.quarters(score.ticks_per_quarter);
    let plain = |note: &Note| (quarters(note.onset), quarters(note.duration), note.pitch.get(), note.velocity.get());
    score.parts[part].notes.iter().map(plain).collect()
}

#[test]
fn a_melody_gets_three_voices_and_stays_as_it_was() {
    let folder = folder();
    save(&melody(), &folder.path().join("melody.mid"));
    let out =
        cantus(folder.path(), &["harmonise", "melody.mid", "--seed", "5", "-o", "a.mid", "-o", "a.musicxml"]).fine();
    assert!(out.contains("a.mid, a.musicxml: 4 bars in 4/4") && out.contains("Hear it: "), "{out}");
    let harmony = score(folder.path(), "a.mid");
    assert_eq!(notes(&harmony, 0), notes(&melody(), 0));
    assert_eq!((harmony.parts.len(), harmony.bars().count()), (4, 4));
    for below in 1..4 {
        assert!(harmony.parts[below].notes.len() >= 4, "voice {below} sings");
    }
    // The same seed writes the same bytes, another one others; `--like` says where to turn.
    cantus(folder.path(), &["harmonise", "melody.mid", "--seed", "5", "-o", "b.mid"]).fine();
    cantus(folder.path(), &["harmonise", "melody.mid", "--seed", "6", "-o", "c.mid"]).fine();
    let [a, b, c] = ["a.mid", "b.mid", "c.mid"].map(|name| bytes(folder.path(), name));
    assert!(a == b && a != c);
    let refused = cantus(folder.path(), &["compose", "--like", "a.mid"]).failed(1);
    assert!(refused.contains("cantus harmonise"), "{refused}");
}

#[test]
fn bars_and_voices_that_are_kept_stay_note_for_note() {
    let folder = folder();
    save(&melody(), &folder.path().join("melody.mid"));
    cantus(folder.path(), &["harmonise", "melody.mid", "--seed", "1", "-o", "whole.mid"]).fine();
    let options =
        ["harmonise", "whole.mid", "--voice", "bass", "--keep", "1-2,4", "--seed", "2", "-n", "2", "-o", "new.mid"];
    cantus(folder.path(), &options).fine();
    assert_eq!(names(folder.path()), ["melody.mid", "new-1.mid", "new-2.mid", "whole.mid"]);
    let (whole, new) = (score(folder.path(), "whole.mid"), score(folder.path(), "new-1.mid"));
    assert_eq!(notes(&new, 3), notes(&whole, 3));
    for voice in 0..3 {
        let kept = |score: &Score| -> Vec<_> {
            notes(score, voice).into_iter().filter(|note| !(8.0..12.0).contains(&note.0)).collect()
        };
        assert_eq!(kept(&new), kept(&whole), "{voice}");
    }
    assert!((0..3).any(|voice| notes(&new, voice) != notes(&whole, voice)));
}

#[test]
fn cells_are_composed_anew_and_all_else_stays() {
    let folder = folder();
    save(&melody(), &folder.path().join("melody.mid"));
    cantus(folder.path(), &["harmonise", "melody.mid", "--seed", "1", "-o", "whole.mid"]).fine();
    let options = ["harmonise", "whole.mid", "--again", "alto:2-3,tenor:4", "--seed", "2", "-o"];
    cantus(folder.path(), &[&options[..], &["new.mid"]].concat()).fine();
    cantus(folder.path(), &[&options[..], &["same.mid"]].concat()).fine();
    assert!(bytes(folder.path(), "new.mid") == bytes(folder.path(), "same.mid"));
    let (whole, new) = (score(folder.path(), "whole.mid"), score(folder.path(), "new.mid"));
    for (voice, again) in [0.0..0.0, 4.0..12.0, 12.0..16.0, 0.0..0.0].into_iter().enumerate() {
        let kept = |score: &Score| -> Vec<_> {
            notes(score, voice).into_iter().filter(|note| !again.contains(&note.0)).collect()
        };
        assert_eq!(kept(&new), kept(&whole), "{voice}");
    }
    assert!((1..3).any(|voice| notes(&new, voice) != notes(&whole, voice)));
    let about = cantus(folder.path(), &["inspect", "new.mid"]).fine();
    assert!(about.contains("all but 2:2-3,3:4") && about.contains("--again 2:2-3,3:4"), "{about}");
    let refused = |again: &str| cantus(folder.path(), &["harmonise", "whole.mid", "--again", again]).failed(2);
    assert!(refused("alto:3-9").contains("bars 3-9 cannot be composed anew"));
    assert!(refused("flute").contains("flute") && refused("flute:2").contains("soprano, alto, tenor, bass"));
}

#[test]
fn what_cannot_be_harmonised_is_told() {
    let folder = folder();
    save(&melody(), &folder.path().join("melody.mid"));
    let refused = cantus(folder.path(), &["harmonise", "melody.mid", "-m", &crate::common::model()]).failed(1);
    assert!(refused.contains("composer lstm") && refused.contains("notes, chorale"), "{refused}");
    let refused = cantus(folder.path(), &["harmonise", "melody.mid", "--keep", "3-9"]).failed(2);
    assert!(refused.contains("bars 3-9") && refused.contains("1-4"), "{refused}");
    cantus(folder.path(), &["harmonise", "melody.mid", "--keep", "all"]).failed(2);
    let refused = cantus(folder.path(), &["harmonise", "nowhere.mid"]).failed(1);
    assert!(refused.contains("nowhere.mid"), "{refused}");
    let everything = ["harmonise", "melody.mid", "--voice", "soprano,alto,tenor,bass"];
    let refused = cantus(folder.path(), &everything).failed(1);
    assert!(refused.contains("everything is given"), "{refused}");
    assert_eq!(names(folder.path()), ["melody.mid"]);
}

#[test]
fn a_form_is_followed_told_and_repeated() {
    let folder = folder();
    let options = ["compose", "-m", "chorales", "--form", "A4 B4 A4", "--seed", "3"];
    let out = cantus(folder.path(), &[&options[..], &["-o", "a.mid"]].concat()).fine();
    assert!(out.contains("12 bars"), "{out}");
    cantus(folder.path(), &["compose", "-m", "chorales", "--like", "a.mid", "-o", "b.mid"]).fine();
    assert!(bytes(folder.path(), "a.mid") == bytes(folder.path(), "b.mid"));
    // Bars 1-4 are bars 9-12, but for a few notes.
    let composed = score(folder.path(), "a.mid");
    let within = |from: f64| -> Vec<(f64, f64, u8, u8)> {
        let moved = |note: (f64, f64, u8, u8)| (note.0 - from, note.1, note.2, 0);
        (0..4)
            .flat_map(|voice| notes(&composed, voice))
            .map(moved)
            .filter(|note| (0.0..16.0).contains(&note.0))
            .collect()
    };
    let (first, last, middle) = (within(0.0), within(32.0), within(16.0));
    let common = |other: &[(f64, f64, u8, u8)]| first.iter().filter(|note| other.contains(note)).count();
    assert!(common(&last) * 4 > first.len() * 3, "{} of {}", common(&last), first.len());
    assert!(common(&middle) * 4 < first.len(), "{} of {}", common(&middle), first.len());
    // Both the description and the picture say so.
    let about = cantus(folder.path(), &["inspect", "a.mid"]).fine();
    assert!(about.contains("again") && about.contains("form"), "{about}");
    cantus(folder.path(), &["render", "a.mid", "-o", "a.svg"]).fine();
    assert!(String::from_utf8(bytes(folder.path(), "a.svg")).unwrap().contains("= "));
    let refused = cantus(folder.path(), &[&options[..], &["--bars", "9"]].concat()).failed(2);
    assert!(refused.contains("12 bars") && refused.contains("--bars 12"), "{refused}");
    let refused = cantus(folder.path(), &["compose", "-m", "chorales", "--density", "0.5"]).failed(1);
    assert!(refused.contains("density") && refused.contains("notes"), "{refused}");
    cantus(folder.path(), &["compose", "--form", "A-B"]).failed(2);
}

#[test]
fn a_melody_that_is_finer_than_the_grid_stays_note_for_note() {
    let folder = folder();
    let tune = "X:1\nM:2/4\nL:1/8\nK:G\nB3/2A/ G2|B3/4A/4G B3/2A/|(3GAB d2|B3/4A/4G/A/ G2|\n";
    std::fs::write(folder.path().join("tune.abc"), tune).unwrap();
    cantus(folder.path(), &["render", "tune.abc", "-o", "tune.mid"]).fine();
    cantus(folder.path(), &["harmonise", "tune.abc", "--seed", "1", "-o", "h.mid"]).fine();
    let places = |score: &Score| notes(score, 0).iter().map(|note| (note.0, note.2)).collect::<Vec<_>>();
    let given = score(folder.path(), "tune.mid");
    assert_eq!(places(&score(folder.path(), "h.mid")), places(&given));
    // So do the bars that a variation keeps, and no note of it runs into the next.
    cantus(folder.path(), &["vary", "tune.mid", "--again", "4", "--amount", "0.9", "--seed", "2", "-o", "v.mid"])
        .fine();
    let varied = score(folder.path(), "v.mid");
    let kept = |score: &Score| places(score).into_iter().filter(|place| place.0 < 6.0).collect::<Vec<_>>();
    assert_eq!(kept(&varied), kept(&given));
    assert!(notes(&varied, 0).windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0 + 1e-9));
}
