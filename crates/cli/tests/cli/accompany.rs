//! `cantus accompany`, and what `cantus evaluate` says of a model that writes to given parts.

use crate::common::{bytes, cantus, folder, save, score};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::try_from(99).unwrap(),
    }
}

/// Bars of rock: kicks on 1 and 3, snares on 2 and 4, hats in eighths; a bass on the kicks.
fn band(bars: u64, root: u8) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(96).unwrap());
    let (mut drums, mut bass) = (Part::of_drums(), Part { name: Some("Bass".into()), ..Part::default() });
    bass.programs = vec![(Ticks::ZERO, Program::new(33).unwrap())];
    for eighth in 0..8 * bars {
        let at = 48 * eighth;
        drums.notes.push(note(at, 42, 20));
        match eighth % 4 {
            0 => {
                drums.notes.push(note(at, 36, 20));
                bass.notes.push(note(at, root + [0, 5, 7][eighth as usize / 8 % 3], 90));
            }
            2 => drums.notes.push(note(at, 38, 20)),
            _ => {}
        }
    }
    drums.notes.sort_unstable();
    score.parts = vec![drums, bass];
    score
}

fn without(mut score: Score, drums: bool) -> Score {
    score.parts.retain(|part| part.drums != drums);
    score
}

#[test]
fn drums_get_a_bass_and_a_bass_gets_drums_without_any_model_named() {
    let folder = folder();
    save(&without(band(4, 28), false), &folder.path().join("drums.mid"));
    save(&without(band(4, 28), true), &folder.path().join("bass.mid"));
    let ask = |more: &[&str]| cantus(folder.path(), &[&["accompany"], more].concat());
    let out = ask(&["drums.mid", "--seed", "1", "--key", "Em", "--program", "38", "-n", "2", "-o", "a.mid"]).fine();
    assert!(out.contains("a-1.mid: 4 bars in 4/4"), "{out}");
    let made = score(folder.path(), "a-1.mid");
    let given = score(folder.path(), "drums.mid").rescaled(made.ticks_per_quarter);
    assert_eq!(made.parts[0].notes, given.parts[0].notes);
    let bass = &made.parts[1];
    assert!(!bass.drums && bass.program() == Program::new(38).unwrap() && bass.notes.len() >= 2, "{bass:?}");
    assert!(bass.channel != made.parts[0].channel && made.keys[0].1.to_string() == "E minor");
    ask(&["drums.mid", "--seed", "2", "--key", "Em", "--program", "38", "-o", "b.mid"]).fine();
    assert_eq!(bytes(folder.path(), "a-2.mid"), bytes(folder.path(), "b.mid"));
    // The other way.
    ask(&["bass.mid", "--seed", "1", "-o", "c.mid"]).fine();
    let made = score(folder.path(), "c.mid");
    assert!(made.parts.len() == 2 && made.parts.iter().any(|part| part.drums && !part.notes.is_empty()));
    // What it cannot be.
    let refused = ask(&["drums.mid", "--write", "drums"]).failed(1);
    assert!(refused.contains("drums.mid") && refused.contains("48 strokes"), "{refused}");
    let refused = ask(&["drums.mid", "-m", "bass", "--write", "drums"]).failed(1);
    assert!(refused.contains("the model `bass` writes bass, and not drums"), "{refused}");
    let refused = ask(&["drums.mid", "-m", "hymns"]).failed(1);
    assert!(refused.contains("use one of accompany"), "{refused}");
}

#[test]
fn a_model_that_writes_a_bass_is_evaluated_by_basses_to_drums_that_were_played() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("songs")).unwrap();
    for k in 0..6u8 {
        save(&band(4 + u64::from(k), 28 + k), &folder.path().join(format!("songs/{k}.mid")));
    }
    // A song without drums is not learnt from, and nothing is written to it.
    save(&without(band(5, 30), true), &folder.path().join("songs/bass.mid"));
    let out = cantus(folder.path(), &["evaluate", "bass", "songs", "-n", "8"]).fine();
    assert!(out.contains("8 pieces of bass beside 6 pieces of songs"), "{out}");
    assert!(out.contains("The bass beside what was played to the same parts, in "), "{out}");
    let row = |name: &str| -> Vec<f64> {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().map(|cell| cell.parse().unwrap()).collect()
    };
    // Four basses of two notes a bar each; every kick has one, no other stroke has.
    assert_eq!((row("onsets in two bars")[0], row("an onset where a kick is")[0]), (4.0, 1.0));
    assert_eq!((row("where something else is")[0], row("second bar in the rhythm of the first")[0]), (0.0, 1.0));
    assert!(row("F1 of the rhythm")[0] > 0.0 && row("BLEU-4 of the likest of 4").len() == 1);
    let json = cantus(folder.path(), &["evaluate", "bass", "songs", "-n", "4", "--json"]).fine();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["accompaniment"]["part"], &found["accompaniment"]["versions"]), (&"bass".into(), &4.into()));
}
