//! `cantus render` between all formats, and other commands on files that are not MIDI.

use crate::common::{bytes, cantus, fill, folder, names, piece, save, score};
use cantus_formats::{Format, Limits, read};
use cantus_score::Score;
use std::path::Path;

/// The notes of a file as (onset and end in 480ths of a quarter, pitch), whatever its format and its parts.
fn notes(folder: &Path, name: &str) -> Vec<(u64, u64, u8)> {
    let format = Format::to_read(Path::new(name)).expect("a format that can be read");
    let mut pieces = read(format, &bytes(folder, name), &Limits::default()).expect("a music file");
    let score: Score = pieces.remove(0).reading.expect("a piece").score;
    let ticks = u64::from(score.ticks_per_quarter.get());
    let at = |time: u64| time * 480 / ticks;
    let mut notes: Vec<_> = score.notes().map(|n| (at(n.onset.0), at(n.end().0), n.pitch.get())).collect();
    notes.sort_unstable();
    notes
}

#[test]
fn every_format_becomes_every_other() {
    let folder = folder();
    save(&piece(5), &folder.path().join("x.mid"));
    let expected = notes(folder.path(), "x.mid");
    assert!(!expected.is_empty());
    let kinds = ["mid", "musicxml", "mxl", "abc"];
    for from in kinds {
        if from != "mid" {
            cantus(folder.path(), &["render", "x.mid", "-o", &format!("x.{from}")]).fine();
        }
        let outputs: Vec<String> = kinds.iter().chain(&["xml"]).map(|to| format!("from-{from}.{to}")).collect();
        let mut arguments = vec!["render".to_owned(), format!("x.{from}")];
        arguments.extend(outputs.iter().flat_map(|output| ["-o".to_owned(), output.clone()]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(cantus(folder.path(), &arguments).fine(), outputs.join("\n") + "\n");
        for output in &outputs {
            assert_eq!(notes(folder.path(), output), expected, "{output}");
        }
    }
    cantus(folder.path(), &["render", "x.mxl", "-o", "x.flac", "-o", "x.wav", "-o", "x.svg"]).fine();
    assert!(bytes(folder.path(), "x.flac").starts_with(b"fLaC"));
    assert!(bytes(folder.path(), "x.flac").len() < bytes(folder.path(), "x.wav").len());
    assert!(bytes(folder.path(), "x.svg").starts_with(b"<"));
}

#[test]
fn of_a_book_each_tune_becomes_a_file() {
    let folder = folder();
    let book = "X:4\nT:One\nL:1/4\nK:C\nCDEF|\n\nX:7\nT:Silent\nK:C\n\nX:9\nT:Two\nL:1/4\nK:G\nGABc|\n";
    std::fs::write(folder.path().join("book.abc"), book).expect("a writable folder");
    let ran = cantus(folder.path(), &["render", "book.abc", "-o", "tune.mid"]);
    assert!(ran.err.contains("book.abc: line 7, column 1: the tune has no notes"), "{}", ran.err);
    assert_eq!(ran.fine(), "tune-1.mid\ntune-2.mid\n");
    assert_eq!(names(folder.path()), ["book.abc", "tune-1.mid", "tune-2.mid"]);
    let pitches = |name: &str| notes(folder.path(), name).iter().map(|(_, _, pitch)| *pitch).collect::<Vec<_>>();
    assert_eq!(pitches("tune-2.mid"), [67, 69, 71, 72]);
    // A prompt is one piece.
    let message = cantus(folder.path(), &["compose", "--prompt", "book.abc"]).failed(1);
    assert!(message.contains("holds 2 tunes"), "{message}");
    let report = cantus(folder.path(), &["inspect", "book.abc", "--verbose"]).fine();
    assert!(report.contains("book.abc#4") && report.contains("book.abc#9"), "{report}");
}

#[test]
fn a_composition_is_written_again_from_any_format() {
    let folder = folder();
    cantus(folder.path(), &["compose", "--seed", "3", "--bars", "4", "-o", "a.mid", "-o", "a.musicxml", "-o", "a.abc"])
        .fine();
    assert_eq!(notes(folder.path(), "a.musicxml"), notes(folder.path(), "a.mid"));
    for like in ["a.musicxml", "a.abc"] {
        cantus(folder.path(), &["compose", "--like", like, "-o", "b.mid", "-o", "b.musicxml"]).fine();
        assert_eq!(bytes(folder.path(), "b.mid"), bytes(folder.path(), "a.mid"));
        assert_eq!(bytes(folder.path(), "b.musicxml"), bytes(folder.path(), "a.musicxml"));
    }
    let about = cantus(folder.path(), &["inspect", "a.musicxml"]).fine();
    assert!(about.contains("composed by") && about.contains("seed 3"), "{about}");
}

#[test]
fn a_folder_of_scores_and_tunes_is_a_corpus() {
    let folder = folder();
    fill(&folder.path().join("music"), 3);
    cantus(folder.path(), &["render", "music/00.mid", "-o", "music/copy.mxl"]).fine();
    cantus(folder.path(), &["render", "music/01.mid", "-o", "music/other.musicxml", "-o", "music/tune.abc"]).fine();
    std::fs::remove_file(folder.path().join("music/01.mid")).expect("it is there");
    std::fs::write(folder.path().join("music/bad.xml"), "<score-timewise/>").expect("a writable folder");
    let report = cantus(folder.path(), &["inspect", "music", "--verbose"]).fine();
    assert!(report.contains("duplicate of 00.mid") && report.contains("duplicate of other.musicxml"), "{report}");
    assert!(report.contains("score-timewise"), "{report}");
}

#[test]
fn chords_are_found_and_written_over_the_music() {
    let folder = folder();
    std::fs::write(
        folder.path().join("tune.abc"),
        "X:1\nM:4/4\nL:1/4\nK:C\n[C4E4G4]|[F,4A,4C4]|[G,4B,4D4F4]|[C4E4G4]|\n",
    )
    .unwrap();
    cantus(folder.path(), &["render", "tune.abc", "--chords", "-o", "sheet.musicxml"]).fine();
    let found = score(folder.path(), "sheet.musicxml").chords;
    assert_eq!(found.iter().map(|(_, symbol)| &symbol[..]).collect::<Vec<_>>(), ["C", "F", "G7", "C"]);
    cantus(folder.path(), &["render", "tune.abc", "-o", "plain.musicxml"]).fine();
    assert!(score(folder.path(), "plain.musicxml").chords.is_empty());
}

#[test]
fn a_choir_sings_the_words_of_a_file() {
    let folder = folder();
    let hymn = |words: &str| format!("X:1\nT:Hymn\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\nV:1 name=\"Soprano\"\nCDEF|\n{words}");
    for (name, words) in [("with.abc", "w: Sanc- tus De- us|\n"), ("without.abc", "")] {
        std::fs::write(folder.path().join(name), hymn(words)).expect("a writable folder");
    }
    cantus(folder.path(), &["render", "with.abc", "-o", "words.musicxml", "-o", "words.mid"]).fine();
    for (from, to) in [("with.abc", "a"), ("words.musicxml", "b"), ("words.mid", "c"), ("without.abc", "ah")] {
        let outputs = [format!("{to}.wav"), format!("{to}.flac")];
        cantus(folder.path(), &["render", from, "--sound", "choir", "-o", &outputs[0], "-o", &outputs[1]]).fine();
    }
    cantus(folder.path(), &["render", "with.abc", "--sound", "built-in", "-o", "piano.wav"]).fine();
    cantus(folder.path(), &["render", "with.abc", "-o", "usual.wav"]).fine();
    let [a, b, c, ah, piano, usual] =
        ["a.wav", "b.wav", "c.wav", "ah.wav", "piano.wav", "usual.wav"].map(|name| bytes(folder.path(), name));
    // Words come through every format.
    assert!(a == b && a == c);
    assert!(a != ah && a != piano && usual == piano);
    assert!(bytes(folder.path(), "a.flac").starts_with(b"fLaC"));
}
