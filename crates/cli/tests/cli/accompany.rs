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
    // What a drum loop says of its key means nothing.
    let mut keyed = without(band(4, 28), false);
    keyed.keys.push((Ticks::ZERO, "C".parse().unwrap()));
    save(&keyed, &folder.path().join("keyed.mid"));
    ask(&["keyed.mid", "--seed", "1", "--key", "Em", "-o", "k.mid"]).fine();
    assert_eq!(score(folder.path(), "k.mid").keys[0].1.to_string(), "E minor");
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

/// A tune over block chords, with drums; each number has its own.
fn whole_song(number: usize) -> Score {
    let mut score = band(8, 28);
    let (mut melody, mut chords) = (Part::default(), Part { channel: 1, ..Part::default() });
    for bar in 0..8 {
        let (at, root) = (384 * bar as u64, 48 + [0, 5, 7, 0, 9, 5, 2, 7][bar * (number + 1) % 8]);
        let third = if [50, 57].contains(&root) { 3 } else { 4 };
        chords.notes.extend([0, third, 7].map(|above| note(at, root + above, 384)));
        let tones = [12, 12 + third, 19, 12 + third];
        melody.notes.extend((0..4).map(|beat| note(at + 96 * beat, root + tones[(beat as usize + number) % 4], 96)));
    }
    score.parts = vec![melody, chords, score.parts.swap_remove(0)];
    score
}

#[test]
fn a_model_of_songs_writes_what_is_missing_or_what_is_asked_for() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("songs")).unwrap();
    for number in 0..6 {
        save(&whole_song(number), &folder.path().join(format!("songs/{number}.mid")));
    }
    let run = |arguments: &[&str]| cantus(folder.path(), arguments);
    run(&["train", "songs", "-c", "song_from_pi", "--size", "small", "--epochs", "20", "-o", "run"]).fine();
    let mut melody = whole_song(3);
    melody.parts.truncate(1);
    save(&melody, &folder.path().join("melody.mid"));
    let given = score(folder.path(), "melody.mid");
    let ask = |more: &[&str]| run(&[&["accompany", "melody.mid", "-m", "run", "--seed", "1"], more].concat());
    for (write, parts) in [(None, 3), (Some("chords,drums"), 3), (Some("chords"), 2), (Some("drums"), 2)] {
        let write = write.map_or_else(Vec::new, |write| vec!["--write", write]);
        ask(&[&["-o", "a.mid"], &write[..]].concat()).fine();
        let made = score(folder.path(), "a.mid");
        assert_eq!(made.parts[0].notes, given.rescaled(made.ticks_per_quarter).parts[0].notes);
        assert_eq!(made.parts.len(), parts, "{write:?}");
        let drums = made.parts.iter().any(|part| part.drums && part.channel == Part::DRUM_CHANNEL);
        assert_eq!(drums, write.last() != Some(&"chords"));
    }
    let refused = ask(&["--write", "bass"]).failed(1);
    assert!(refused.contains("does not write for `bass`; it writes for: chords, drums"), "{refused}");
    // So does the built-in model, but no bass with it.
    run(&["accompany", "melody.mid", "--write", "chords,drums", "--seed", "1", "-o", "c.mid"]).fine();
    let made = score(folder.path(), "c.mid");
    assert_eq!(made.parts[0].notes, given.rescaled(made.ticks_per_quarter).parts[0].notes);
    assert_eq!(made.parts.len(), 3, "{made:?}");
    let refused = run(&["accompany", "melody.mid", "--write", "chords,bass"]).failed(2);
    assert!(refused.contains("one after the other"), "{refused}");
    let refused = run(&["accompany", "melody.mid", "-m", "beat", "--write", "chords,drums"]).failed(1);
    assert!(refused.contains("the model `beat` writes drums, and not chords,drums"), "{refused}");
    // With nothing given all layers are written, or those that are asked for.
    for (write, parts) in [(&[][..], 3), (&["--write", "drums"], 2)] {
        run(&[&["compose", "-m", "run", "--bars", "4", "--seed", "1", "-o", "b.mid"], write].concat()).fine();
        assert_eq!(score(folder.path(), "b.mid").parts.len(), parts);
    }
}
