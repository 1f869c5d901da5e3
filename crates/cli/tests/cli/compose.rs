//! `cantus compose`.

use crate::common::{RANGE, TINY, bytes, cantus, fill, folder, model, names, piece, save, score};
use cantus_score::{Note, Pitch, Score, Tempo, Ticks};
use std::path::Path;

/// Composes with the model that the tests train.
fn compose(folder: &Path, arguments: &[&str]) -> crate::common::Ran {
    cantus(folder, &[&["compose", "-m", &model()], arguments].concat())
}

/// Onsets, pitches, durations and velocities before `end`, in quarter notes.
fn notes_before(score: &Score, end: f64) -> Vec<(f64, u8, f64, u8)> {
    let quarters = |ticks: Ticks| ticks.quarters(score.ticks_per_quarter);
    let mut notes: Vec<Note> = score.notes().copied().filter(|note| quarters(note.onset) < end).collect();
    notes.sort_unstable();
    let plain = |note: &Note| (quarters(note.onset), note.pitch.get(), quarters(note.duration), note.velocity.get());
    notes.iter().map(plain).collect()
}

#[test]
fn the_built_in_model_needs_no_arguments() {
    let folder = folder();
    let out = cantus(folder.path(), &["compose"]).fine();
    assert_eq!(names(folder.path()), ["composition.mid"]);
    assert!(out.contains("composition.mid: 16 bars in "), "{out}");
    assert!(out.contains("Hear it: ") && out.contains("cantus render composition.mid -o composition.wav"), "{out}");
    let composed = score(folder.path(), "composition.mid");
    assert_eq!(composed.bars().count(), 16);
    let seed: String = out.split("seed ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    // The seed that was drawn is told, and gives the piece again; so does the piece itself.
    cantus(folder.path(), &["compose", "--seed", &seed, "-o", "again.mid"]).fine();
    cantus(folder.path(), &["compose", "--like", "composition.mid", "-o", "like.mid"]).fine();
    let first = bytes(folder.path(), "composition.mid");
    assert!(first == bytes(folder.path(), "again.mid") && first == bytes(folder.path(), "like.mid"));
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = folder();
    for (seed, name) in [("7", "a.mid"), ("7", "b.mid"), ("8", "c.mid")] {
        compose(folder.path(), &["--seed", seed, "-o", name, "-o", &name.replace("mid", "wav")]).fine();
    }
    for kind in ["mid", "wav"] {
        let [a, b, c] = ["a", "b", "c"].map(|name| bytes(folder.path(), &format!("{name}.{kind}")));
        assert!(a == b, "{kind}: one seed, two pieces");
        assert!(a != c, "{kind}: two seeds, one piece");
    }
}

#[test]
fn pieces_have_the_length_and_the_range_asked_for() {
    let folder = folder();
    for bars in [1, 2, 5, 40] {
        for seed in 0..5 {
            let (length, seed) = (bars.to_string(), seed.to_string());
            compose(folder.path(), &["--bars", &length, "--seed", &seed, "-o", "x.mid"]).fine();
            let piece = score(folder.path(), "x.mid");
            let last = piece.bars().last().unwrap();
            assert_eq!(piece.bars().count(), bars);
            assert!(piece.notes().any(|note| note.onset >= last.start), "the last bar is empty");
            let (low, high) = piece.pitch_range().unwrap();
            assert!(RANGE.0 <= low.get() && high.get() <= RANGE.1, "{low} to {high}");
        }
    }
}

#[test]
fn several_pieces_are_numbered_and_their_seeds_count_up() {
    let folder = folder();
    compose(folder.path(), &["-n", "3", "--seed", "5", "--bars", "4", "-o", "x.mid", "-o", "x.svg"]).fine();
    assert_eq!(names(folder.path()), ["x-1.mid", "x-1.svg", "x-2.mid", "x-2.svg", "x-3.mid", "x-3.svg"]);
    compose(folder.path(), &["--seed", "7", "--bars", "4", "-o", "seven.mid"]).fine();
    assert!(bytes(folder.path(), "x-3.mid") == bytes(folder.path(), "seven.mid"));
    assert!(bytes(folder.path(), "x-1.mid") != bytes(folder.path(), "x-2.mid"));
    compose(folder.path(), &["-n", "10", "--bars", "1", "-o", "y.mid"]).fine();
    let of_ten: Vec<String> = names(folder.path()).into_iter().filter(|name| name.starts_with('y')).collect();
    assert!(of_ten.first().is_some_and(|name| name == "y-01.mid") && of_ten.len() == 10, "{of_ten:?}");
}

#[test]
fn the_extension_names_the_format_whatever_its_case() {
    let folder = folder();
    let out = compose(folder.path(), &["--bars", "2", "-o", "a.mid", "-o", "b.WAV", "-o", "c.Svg"]).fine();
    assert!(bytes(folder.path(), "a.mid").starts_with(b"MThd"));
    assert!(bytes(folder.path(), "b.WAV").starts_with(b"RIFF"));
    assert!(String::from_utf8(bytes(folder.path(), "c.Svg")).unwrap().trim_end().ends_with("</svg>"));
    assert!(out.contains("a.mid, b.WAV, c.Svg: 2 bars") && out.contains("open b.WAV"), "{out}");
    let silent = compose(folder.path(), &["--bars", "2", "-o", "d.svg"]).fine();
    assert!(silent.starts_with("d.svg: 2 bars") && !silent.contains("Hear it"), "a picture is not heard: {silent}");
}

#[test]
fn an_unknown_extension_is_wrong_usage_and_nothing_is_written() {
    let folder = folder();
    for name in ["x.mp3", "x", "mid"] {
        let message = compose(folder.path(), &["-o", "fine.mid", "-o", name]).failed(2);
        assert!(message.contains(name) && message.contains(".mid") && message.contains(".wav"), "{message}");
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = folder();
    let message = compose(folder.path(), &["--bars", "1", "-o", "nowhere/x.mid"]).failed(1);
    assert!(message.contains("`nowhere` does not exist") && message.contains("create it"), "{message}");
    std::fs::create_dir(folder.path().join("x.mid")).unwrap();
    let message = compose(folder.path(), &["--bars", "1", "-o", "x.mid"]).failed(1);
    assert!(message.contains("`x.mid` is a folder"), "{message}");
    assert_eq!(names(folder.path()), ["x.mid"]);
}

#[test]
fn greedy_composing_is_the_same_for_every_seed() {
    let folder = folder();
    for (seed, name) in [("1", "a.mid"), ("2", "b.mid")] {
        compose(folder.path(), &["--temperature", "0", "--bars", "6", "--seed", seed, "-o", name]).fine();
    }
    let [a, b] = ["a.mid", "b.mid"].map(|name| notes_before(&score(folder.path(), name), f64::MAX));
    assert_eq!(a, b);
}

#[test]
fn settings_change_the_music() {
    let folder = folder();
    let variants: [&[&str]; 4] = [&[], &["--temperature", "1.4"], &["--top-k", "1"], &["--top-p", "0.2"]];
    let pieces = variants.map(|variant| {
        compose(folder.path(), &[&["--seed", "3", "--bars", "8", "-o", "x.mid"], variant].concat()).fine();
        notes_before(&score(folder.path(), "x.mid"), f64::MAX)
    });
    for k in 1..pieces.len() {
        assert!(pieces[0] != pieces[k], "{:?} changes nothing", variants[k]);
    }
}

#[test]
fn settings_that_make_no_sense_are_wrong_usage() {
    let folder = folder();
    let cases = [
        ("--temperature", "-1", "temperature of -1"),
        ("--temperature", "NaN", "temperature of NaN"),
        ("--temperature", "inf", "temperature of inf"),
        ("--temperature", "warm", "warm"),
        ("--top-p", "0", "top-p of 0"),
        ("--top-p", "1.5", "top-p of 1.5"),
        ("--top-p", "-0.5", "top-p of -0.5"),
        ("--top-k", "x", "--top-k"),
        ("--bars", "0", "0 bars"),
        ("--bars", "1000000", "1000000 bars"),
        ("-n", "0", "0"),
        ("--prompt-bars", "2", "--prompt"),
        ("--wrong", "2", "--wrong"),
    ];
    for (option, value, said) in cases {
        let message = compose(folder.path(), &[option, value]).failed(2);
        assert!(message.contains(said), "{option} {value}: {message}");
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn json_is_json() {
    let folder = folder();
    let arguments = ["--json", "--seed", "5", "-n", "2", "--bars", "3", "-o", "x.mid", "-o", "x.svg"];
    let out = compose(folder.path(), &arguments).fine();
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["files"], serde_json::json!(["x-2.mid", "x-2.svg"]));
    assert_eq!((&lines[1]["origin"]["seed"], &lines[1]["origin"]["bars"]), (&6.into(), &3.into()));
    let notes = score(folder.path(), "x-2.mid").note_count();
    assert_eq!(lines[1]["notes"], notes);
    assert!(lines[1]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn a_prompt_is_kept_note_for_note_in_key_and_tempo() {
    let folder = folder();
    // A tempo, a velocity, ticks and an offset that the model has never seen.
    let mut prompt = piece(99);
    prompt.tempos = vec![(Ticks::ZERO, Tempo::from_quarters_per_minute(71.0).unwrap())];
    for (k, note) in prompt.parts[0].notes.iter_mut().enumerate() {
        note.velocity = (40 + (k % 60) as u8).try_into().unwrap();
        note.onset.0 += (k % 3) as u64 * 7;
    }
    prompt.parts[0].notes.sort_unstable();
    save(&prompt, &folder.path().join("in.mid"));
    for (options, bars, kept) in
        [(&["--bars", "12"][..], 12, 4), (&["--bars", "12", "--prompt-bars", "6"], 12, 6), (&["--bars", "3"], 3, 1)]
    {
        let arguments = [&["--prompt", "in.mid", "--seed", "4", "-o", "out.mid"], options].concat();
        compose(folder.path(), &arguments).fine();
        let [given, made] = ["in.mid", "out.mid"].map(|name| score(folder.path(), name));
        let end = 4.0 * f64::from(kept);
        // Notes that sound on over the end of what is kept are cut there; here none does by more than the offset.
        let cut = |mut notes: Vec<(f64, u8, f64, u8)>| {
            notes.iter_mut().for_each(|note| note.2 = note.2.min(end - note.0));
            notes
        };
        assert_eq!(cut(notes_before(&made, end)), cut(notes_before(&given, end)), "{options:?}");
        assert!(made.note_count() > notes_before(&made, end).len(), "{options:?}: nothing follows");
        assert_eq!((made.bars().count(), &made.keys), (bars, &given.keys));
        assert_eq!(made.tempos, given.tempos);
    }
}

#[test]
fn a_prompt_that_the_model_does_not_know_is_mapped_and_said() {
    let folder = folder();
    let mut prompt = piece(99);
    for note in &mut prompt.parts[0].notes {
        note.pitch = Pitch::try_from(note.pitch.get() + 40).unwrap();
    }
    save(&prompt, &folder.path().join("high.mid"));
    let ran = compose(folder.path(), &["--prompt", "high.mid", "--bars", "8", "--seed", "1", "-o", "x.mid"]);
    assert!(ran.err.contains("does not know all that the prompt holds"), "{}", ran.err);
    ran.fine();
    assert_eq!(
        notes_before(&score(folder.path(), "x.mid"), 16.0),
        notes_before(&score(folder.path(), "high.mid"), 16.0)
    );
}

#[test]
fn prompts_that_leave_nothing_to_do_are_refused() {
    let folder = folder();
    save(&piece(1), &folder.path().join("in.mid"));
    let message = compose(folder.path(), &["--prompt", "in.mid", "--prompt-bars", "4", "--bars", "4"]).failed(1);
    assert!(message.contains("nothing is left to compose"), "{message}");
    let mut late = piece(1);
    late.parts[0].notes.retain(|note| note.onset.0 >= 4 * 4 * 480);
    save(&late, &folder.path().join("late.mid"));
    // Silence before the first note is no part of a prompt.
    let options = ["--prompt", "late.mid", "--prompt-bars", "2", "--bars", "4", "-o", "late-continued.mid"];
    compose(folder.path(), &options).fine();
    assert!(score(folder.path(), "late-continued.mid").notes().any(|note| note.onset.0 < 4 * 480), "it begins at once");
    std::fs::write(folder.path().join("text.mid"), "no music").unwrap();
    let message = compose(folder.path(), &["--prompt", "text.mid"]).failed(1);
    assert!(message.contains("`text.mid`") && message.contains("not a MIDI file"), "{message}");
    let message = compose(folder.path(), &["--prompt", "missing.mid"]).failed(1);
    assert!(message.contains("there is no file `missing.mid`"), "{message}");
    assert_eq!(names(folder.path()), ["in.mid", "late-continued.mid", "late.mid", "text.mid"]);
}

#[test]
fn like_writes_the_same_bytes_again() {
    let folder = folder();
    save(&piece(5), &folder.path().join("in.mid"));
    let cases: [&[&str]; 3] = [
        &[],
        &["--bars", "7", "--temperature", "1.2", "--top-p", "0.9", "--top-k", "12", "--seed", "18446744073709551615"],
        &["--prompt", "in.mid", "--prompt-bars", "3", "--bars", "9"],
    ];
    for options in cases {
        compose(folder.path(), &[options, &["-o", "a.mid"]].concat()).fine();
        let prompt: &[&str] = if options.contains(&"--prompt") { &["--prompt", "in.mid"] } else { &[] };
        compose(folder.path(), &[prompt, &["--like", "a.mid", "-o", "b.mid"]].concat()).fine();
        assert!(bytes(folder.path(), "a.mid") == bytes(folder.path(), "b.mid"), "{options:?}");
    }
    // The last one was made with a prompt.
    let message = compose(folder.path(), &["--like", "a.mid", "-o", "c.mid"]).failed(1);
    assert!(message.contains("--prompt"), "{message}");
    save(&piece(6), &folder.path().join("other.mid"));
    let message = compose(folder.path(), &["--like", "a.mid", "--prompt", "other.mid", "-o", "c.mid"]).failed(1);
    assert!(message.contains("--prompt"), "{message}");
    assert!(!names(folder.path()).contains(&"c.mid".to_owned()));
}

#[test]
fn like_refuses_another_model_other_settings_and_other_music() {
    let folder = folder();
    compose(folder.path(), &["--bars", "2", "-o", "a.mid"]).fine();
    fill(&folder.path().join("music"), 4);
    cantus(folder.path(), &crate::common::training("other", "1")).fine();
    let message = cantus(folder.path(), &["compose", "-m", "other", "--like", "a.mid"]).failed(1);
    assert!(message.contains("name the right one with --model"), "{message}");
    let message = compose(folder.path(), &["--like", "a.mid", "--seed", "4"]).failed(2);
    assert!(message.contains("--seed"), "{message}");
    save(&piece(1), &folder.path().join("by-hand.mid"));
    let message = compose(folder.path(), &["--like", "by-hand.mid"]).failed(1);
    assert!(message.contains("does not say how it was composed"), "{message}");
    assert!(!names(folder.path()).contains(&"composition.mid".to_owned()));
}

#[test]
fn what_is_told_as_json_stands_in_the_file() {
    let folder = folder();
    save(&piece(3), &folder.path().join("in.mid"));
    let arguments =
        ["compose", "-m", &model(), "--seed", "11", "--bars", "6", "--prompt", "in.mid", "-o", "x.mid", "--json"];
    let told: serde_json::Value = serde_json::from_str(&cantus(folder.path(), &arguments).fine()).unwrap();
    let found = cantus(folder.path(), &["inspect", "x.mid", "--json"]).fine();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(told["origin"]["prompt"]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(told["origin"], found["origin"]);
}

#[test]
fn bars_of_a_piece_are_written_anew_and_the_rest_stays() {
    let place = folder();
    let root = place.path();
    let source = piece(5);
    save(&source, &root.join("mine.mid"));
    let arguments = ["compose", "--in", "mine.mid", "--again", "3-4", "--seed", "7", "-o", "again.mid", "--json"];
    let said = cantus(root, &arguments).fine();
    let line: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(line["origin"]["arrangement"]["again"], serde_json::json!([{"bars": [3, 4]}]));
    let found = score(root, "again.mid");
    let by_bars = |score: &Score, is_within: bool| -> Vec<(u64, u64, u8)> {
        let quarter = u64::from(score.ticks_per_quarter.get());
        let notes =
            score.notes().map(|note| (480 * note.onset.0 / quarter, 480 * note.duration.0 / quarter, note.pitch.get()));
        notes.filter(|(onset, ..)| (2..4).contains(&(onset / 1920)) == is_within).collect()
    };
    assert_eq!(by_bars(&found, false), by_bars(&source, false));
    assert_ne!(by_bars(&found, true), by_bars(&source, true));
    assert!(!by_bars(&found, true).is_empty());
    // The same again, in the words that inspect gives, and by the piece itself.
    let told = cantus(root, &["inspect", "again.mid"]).fine();
    assert!(told.contains("compose --in GIVEN --again 3-4") && told.contains("all but 3-4"), "{told}");
    cantus(root, &["compose", "--like", "again.mid", "--in", "mine.mid", "-o", "twin.mid"]).fine();
    assert_eq!(bytes(root, "twin.mid"), bytes(root, "again.mid"));
    // The melody alone, or what goes with it.
    cantus(root, &["compose", "--in", "mine.mid", "--again", "accompaniment:1-8", "-o", "other.mid"]).fine();
    let top = |score: &Score, onset: u64| score.notes().filter(|n| n.onset.0 == onset).map(|n| n.pitch.get()).max();
    let other = score(root, "other.mid");
    let onsets: Vec<u64> = source.notes().map(|note| note.onset.0).collect();
    assert!(onsets.iter().all(|onset| top(&other, *onset) == top(&source, *onset)));

    let failed = |more: &[&str], code: i32| cantus(root, &[&["compose", "-o", "no.mid"], more].concat()).failed(code);
    assert!(failed(&["--in", "mine.mid"], 2).contains("say with --again"));
    let beyond = failed(&["--in", "mine.mid", "--again", "7-9"], 2);
    assert!(beyond.contains("bars 7-9 cannot be composed anew: the piece has bars 1-8"), "{beyond}");
    let nobody = failed(&["--in", "mine.mid", "--again", "flute:1"], 2);
    assert!(nobody.contains("`flute` is no part of the piece: there are melody, accompaniment"), "{nobody}");
    let model = crate::common::model();
    let unable = failed(&["--in", "mine.mid", "--again", "1", "-m", &model], 1);
    assert!(unable.contains("cannot work around what is given; use one of notes"), "{unable}");
    assert!(failed(&["--in", "mine.mid", "--again", "1", "--bars", "9"], 2).contains("--bars"));
    assert!(!root.join("no.mid").exists());
}

#[test]
fn of_several_pieces_the_best_are_written_and_say_why() {
    let folder = folder();
    let many = ["compose", "-n", "12", "--best", "2", "--seed", "5", "-o", "best.mid"];
    let out = cantus(folder.path(), &many).fine();
    assert_eq!(names(folder.path()), ["best-1.mid", "best-2.mid"]);
    assert_eq!(out.matches("of 12 pieces: ").count(), 2, "{out}");
    assert!(out.contains("by the listener, ") && out.contains("by the critic; no copy"), "{out}");
    // Each is what its own seed gives.
    let seed: String = out.split("seed ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    assert!((5..17).contains(&seed.parse::<u32>().unwrap()), "{seed}");
    cantus(folder.path(), &["compose", "--seed", &seed, "-o", "own.mid"]).fine();
    assert!(bytes(folder.path(), "best-1.mid") == bytes(folder.path(), "own.mid"));
    let json = cantus(folder.path(), &[&many[..], &["--json"]].concat()).fine();
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((first["origin"]["seed"].as_u64(), first["standing"]["of"].as_u64()), (seed.parse().ok(), Some(12)));
    let refused = cantus(folder.path(), &["compose", "-n", "2", "--best", "3"]).failed(2);
    assert!(refused.contains("--best 3"), "{refused}");
}

#[test]
fn a_piece_is_written_to_chords_between_the_keys_that_are_asked_for() {
    let folder = folder();
    let asked = [
        "compose",
        "--chords",
        "C F | G7 | Am | C",
        "--register",
        "C3-C6",
        "--bars",
        "8",
        "--seed",
        "3",
        "-o",
        "piece.musicxml",
    ];
    cantus(folder.path(), &asked).fine();
    let piece = score(folder.path(), "piece.musicxml");
    let symbols: Vec<&str> = piece.chords.iter().map(|(_, symbol)| &symbol[..]).collect();
    assert_eq!(symbols[..5], ["C", "F", "G7", "Am", "C"]);
    let (low, high) = piece.pitch_range().unwrap();
    assert!(low >= "C3".parse().unwrap() && high <= "C6".parse().unwrap(), "{low}-{high}");
    cantus(folder.path(), &["compose", "--like", "piece.musicxml", "-o", "again.musicxml"]).fine();
    assert!(bytes(folder.path(), "piece.musicxml") == bytes(folder.path(), "again.musicxml"));
    // Whose register is asked for plays, where the corpus has such a band; else it is said.
    let register = "bass: E1-G2, celesta: C3-C6";
    let band = ["compose", "-m", "band", "--bars", "4", "--register", register, "--seed", "2", "-o", "band.mid"];
    let run = cantus(folder.path(), &band);
    assert!(run.code == Some(0) && run.err.contains("no celesta plays in this piece"), "{}", run.err);
    let band = ["compose", "-m", "band", "--bars", "4", "--register", "bass: E1-G2", "--seed", "2", "-o", "band.mid"];
    let out = cantus(folder.path(), &band);
    assert!(!out.err.contains("plays in this piece"), "{}", out.err);
    let written = score(folder.path(), "band.mid");
    assert!(written.parts.iter().any(|part| (32..40).contains(&part.program().get())), "{written:?}");
    let refused = cantus(folder.path(), &["compose", "--style", "chopin"]).failed(1);
    assert!(refused.contains("this model cannot be asked for a style"), "{refused}");
    let refused = cantus(folder.path(), &["compose", "--register", "C6-C3"]).failed(2);
    assert!(refused.contains("C6-C3"), "{refused}");
}

#[test]
fn the_chords_of_a_file_are_written_to() {
    let folder = folder();
    let sheet = "X:1\nM:4/4\nL:1/4\nK:C\n\"C\"CE\"F\"FA|\"G7\"GFDB,|\"Am\"ACEA|\"C\"c4|\n";
    std::fs::write(folder.path().join("sheet.abc"), sheet).expect("a writable folder");
    let with = |chords: &str, to: &str| {
        cantus(folder.path(), &["compose", "-m", "patterns", "--chords", chords, "--seed", "3", "-o", to]).fine();
        bytes(folder.path(), to)
    };
    // The settings stand in the piece, so it needs the file no more.
    assert!(with("sheet.abc", "a.musicxml") == with("C F | G7 | Am | C", "b.musicxml"));
    cantus(folder.path(), &["compose", "-m", "drums", "--bars", "2", "-o", "drums.mid"]).fine();
    let refused = cantus(folder.path(), &["compose", "--chords", "drums.mid"]).failed(1);
    assert!(refused.contains("neither chord symbols nor pitches"), "{refused}");
}

/// When the notes of a piece begin and end, in the ticks of another.
fn times(score: &Score, of: &Score) -> Vec<(Ticks, Ticks)> {
    let fine = score.rescaled(score.ticks_per_quarter.common(of.ticks_per_quarter));
    let mut times: Vec<(Ticks, Ticks)> = fine.notes().map(|note| (note.onset, note.end())).collect();
    times.sort_unstable();
    times
}

#[test]
fn the_rhythm_of_a_piece_is_kept_and_its_pitches_are_new() {
    let folder = folder();
    fill(&folder.path().join("music"), 12);
    let training = ["train", "music", "-o", "run", "-c", "note_or_step", "--epochs", "1"];
    cantus(folder.path(), &[&training[..], &TINY].concat()).fine();
    // Triplets, which the model's grid does not have, and an upbeat.
    let tune = "X:1\nM:3/4\nL:1/4\nQ:1/4=90\nK:C\nG|(3cde G|[ce]2 d|(3edc [Gc]|c2|]\n";
    std::fs::write(folder.path().join("tune.abc"), tune).expect("a writable folder");
    let asked = ["compose", "-m", "run", "--rhythm-of", "tune.abc", "--seed", "3", "-o", "piece.mid"];
    let said = cantus(folder.path(), &asked).fine();
    assert!(said.contains("an upbeat and 4 bars in 3/4") && said.contains("at 90 quarters"), "{said}");
    let (given, piece) = (score(folder.path(), "tune.abc"), score(folder.path(), "piece.mid"));
    assert_eq!(times(&piece, &given), times(&given, &piece));
    assert_ne!(
        piece.notes().map(|note| note.pitch).collect::<Vec<_>>(),
        given.notes().map(|note| note.pitch).collect::<Vec<_>>()
    );
    // It needs the file no more.
    std::fs::remove_file(folder.path().join("tune.abc")).expect("a file that is there");
    cantus(folder.path(), &["compose", "--like", "piece.mid", "-o", "again.mid"]).fine();
    assert!(bytes(folder.path(), "piece.mid") == bytes(folder.path(), "again.mid"));
    assert!(cantus(folder.path(), &["inspect", "piece.mid"]).fine().contains(", rhythm 3;"));
    let evaluated = cantus(folder.path(), &["evaluate", "run", "music", "-n", "2", "--bars", "4"]).fine();
    assert!(evaluated.contains("pitches where the rhythm is given: "), "{evaluated}");
    let refused = cantus(folder.path(), &["compose", "--rhythm-of", "piece.mid"]).failed(1);
    assert!(refused.contains("use one of note_or_step"), "{refused}");
    cantus(folder.path(), &["compose", "-m", "drums", "--bars", "2", "-o", "drums.mid"]).fine();
    let refused = cantus(folder.path(), &["compose", "-m", "run", "--rhythm-of", "drums.mid"]).failed(1);
    assert!(refused.contains("no note with a pitch"), "{refused}");
}

#[test]
fn who_composes_by_rules_needs_no_model_and_learns_nothing() {
    let folder = folder();
    let asked =
        ["compose", "-m", "patterns:lesson", "--meter", "7/8", "--key", "F#", "--style", "voices", "--bars", "12"];
    cantus(folder.path(), &[&asked[..], &["--seed", "5", "-o", "piece.musicxml"]].concat()).fine();
    let piece = score(folder.path(), "piece.musicxml");
    assert_eq!((piece.parts.len(), piece.bar_count(), piece.meters[0].1.to_string()), (4, 12, "7/8".to_owned()));
    assert_eq!(piece.parts[0].lyrics.len(), 12);
    cantus(folder.path(), &["compose", "--like", "piece.musicxml", "-o", "again.musicxml"]).fine();
    assert!(bytes(folder.path(), "piece.musicxml") == bytes(folder.path(), "again.musicxml"));
    let refused = cantus(folder.path(), &["train", ".", "-c", "patterns"]).failed(1);
    assert!(refused.contains("learns nothing") && refused.contains("compose -m patterns"), "{refused}");
    let unknown = cantus(folder.path(), &["compose", "-m", "patterns:blues"]).failed(1);
    assert!(unknown.contains("no configuration `blues`") && unknown.contains("dorian"), "{unknown}");
}
