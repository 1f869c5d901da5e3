//! Every reason for which a file is refused, and what is said of hopeless folders.

mod fixture;

use cantus_corpus::{CorpusError, Options, Parts, Preflight, Reason, Split, Verdict, read, survey};
use cantus_score::{Meter, Part, Program, Ticks};
use fixture::{note, piece, save, score};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn report(place: &Path, options: &Options) -> Preflight {
    survey(place, options, &mut |_| ()).expect("a folder that can be read").report
}

/// The one reason in a folder with one file.
fn reason(place: &Path, options: &Options) -> Reason {
    match &report(place, options).files[..] {
        [file] => match &file.verdict {
            Verdict::Refused(reason) => reason.clone(),
            used => panic!("{used:?}"),
        },
        files => panic!("{files:?}"),
    }
}

#[test]
fn twenty_nine_files_make_a_corpus() {
    let place = folder();
    for k in 0..29 {
        save(&piece(k, 64, 50), &place.path().join(format!("book {}/{k}.MID", k % 3)));
    }
    fs::write(place.path().join("notes.txt"), "no music").unwrap();
    fs::write(place.path().join(".hidden.mid"), "no music").unwrap();
    let mut told = Vec::new();
    let corpus =
        read(place.path(), &Options::default(), &mut |progress| told.push((progress.done, progress.path.to_owned())))
            .unwrap();
    assert_eq!(corpus.pieces.len(), 29);
    assert_eq!((corpus.report.totals.used, corpus.report.totals.ignored), (29, 1));
    assert!(corpus.pieces_of(Split::Valid).count() > 0 && corpus.pieces_of(Split::Train).count() > 20);
    // Once of the files, once of the pieces.
    assert_eq!(told.len(), 60);
    for told in told.chunks(30) {
        assert_eq!((told[0].0, told[0].1.as_str(), told[29].0), (0, "book 0/0.MID", 29));
    }
    let sorted: Vec<_> = corpus.report.files.iter().map(|file| &file.path).collect();
    assert!(sorted.is_sorted());
    assert!(
        corpus.pieces.iter().all(|piece| piece.score().unwrap().parts.len() == 1 && piece.score().unwrap().ticks_per_quarter.get() == 4)
    );
}

#[test]
fn a_single_file_can_be_looked_at() {
    let place = folder();
    let file = place.path().join("one.mid");
    save(&piece(1, 64, 50), &file);
    assert_eq!(report(&file, &Options::default()).files[0].path, "one.mid");
}

#[test]
fn bytes_that_are_no_music() {
    let place = folder();
    fs::write(place.path().join("x.mid"), b"RIFF\x1b[2J").unwrap();
    let refused = reason(place.path(), &Options::default());
    assert!(matches!(refused, Reason::Unreadable { .. }), "{refused:?}");
    assert!(!refused.to_string().contains('\x1b'));
}

#[test]
fn files_over_the_limit_are_not_read() {
    let place = folder();
    fs::write(place.path().join("x.mid"), [0; 1001]).unwrap();
    let mut options = Options::default();
    options.limits.max_bytes = 1000;
    assert_eq!(reason(place.path(), &options), Reason::TooLarge { bytes: 1001, limit: 1000 });
}

#[test]
fn nothing_with_a_pitch() {
    let place = folder();
    let drums = Part { notes: vec![note(0, 36, 120), note(480, 38, 120)], ..Part::of_drums() };
    save(&score(vec![drums]), &place.path().join("x.mid"));
    assert_eq!(reason(place.path(), &Options::default()), Reason::NoNotes { drums: 2, chords: 0 });
}

#[test]
fn metres_outside_the_set() {
    let place = folder();
    let mut waltz = piece(1, 64, 50);
    waltz.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap()), (Ticks(1440), Meter::COMMON)];
    save(&waltz, &place.path().join("x.mid"));
    let only = |meters: &str| Options { meters: meters.parse().unwrap(), ..Options::default() };
    assert_eq!(reason(place.path(), &only("3/4")), Reason::Meter { found: vec!["4/4".into()] });
    assert_eq!(report(place.path(), &only("3/4,4/4")).totals.used, 1);
}

#[test]
fn performances_are_off_the_grid() {
    let place = folder();
    let notes = (0..200).map(|k| note((k as f64 * 296.656) as u64, 60, 100)).collect();
    save(&score(vec![Part { notes, ..Part::default() }]), &place.path().join("x.mid"));
    let refused = reason(place.path(), &Options::default());
    assert!(matches!(refused, Reason::OffGrid { share, .. } if share > 0.3), "{refused:?}");
    let any = Options { max_off_grid: 1.0, ..Options::default() };
    assert_eq!(report(place.path(), &any).totals.used, 1);
}

#[test]
fn scraps_are_too_short() {
    let place = folder();
    save(&piece(1, 10, 50), &place.path().join("x.mid"));
    assert!(matches!(
        reason(place.path(), &Options::default().settled()),
        Reason::TooShort { notes: 10, min_notes: 16, .. }
    ));
    let more = Options { min_notes: Some(17), ..Options::default() };
    assert!(matches!(reason(place.path(), &more), Reason::TooShort { notes: 10, min_notes: 17, min_bars: 1, .. }));
    assert_eq!(report(place.path(), &Options { min_notes: Some(10), ..Options::default() }).totals.used, 1);
}

#[test]
fn orchestras_and_missing_instruments() {
    let place = folder();
    let mut band = piece(1, 64, 50);
    band.parts[0].programs = vec![(Ticks::ZERO, Program::new(73).unwrap())];
    band.parts.push(Part { channel: 1, ..band.parts[0].clone() });
    save(&band, &place.path().join("x.mid"));
    let few = Options { max_note_tracks: Some(1), ..Options::default() };
    assert_eq!(reason(place.path(), &few), Reason::TooManyParts { found: 2, allowed: 1 });
    let piano = Options { parts: Parts::Piano, ..Options::default() };
    assert_eq!(reason(place.path(), &piano), Reason::NoSuchPart { wanted: Parts::Piano });
}

#[test]
fn copies_are_named_with_their_interval() {
    let place = folder();
    let original = piece(1, 64, 50);
    save(&original, &place.path().join("a.mid"));
    save(&original, &place.path().join("b.mid"));
    save(&original.transposed(-3).unwrap(), &place.path().join("c.mid"));
    let report = report(place.path(), &Options::default());
    let reasons: Vec<_> = report.refused().map(|(_, reason)| reason.clone()).collect();
    let copy = |transposed| Reason::DuplicateOf { original: "a.mid".into(), transposed };
    assert_eq!(reasons, [copy(0), copy(-3)]);
    assert!(report.to_string().contains("c.mid  duplicate of a.mid, 3 semitones lower"), "{report}");
}

#[test]
fn a_melody_leaves_the_accompaniment_and_says_so() {
    let place = folder();
    let tune = piece(1, 64, 70);
    let chords = (0..40).flat_map(|k| [note(k * 480, 48, 480), note(k * 480, 52, 480)]).collect();
    let both = score(vec![Part { channel: 1, notes: chords, ..Part::default() }, tune.parts[0].clone()]);
    save(&both, &place.path().join("x.mid"));
    let options = Options { parts: Parts::Melody, ..Options::default() };
    let corpus = survey(place.path(), &options, &mut |_| ()).unwrap();
    let melody = |score: &cantus_score::Score| score.notes().map(|note| note.pitch).collect::<Vec<_>>();
    assert_eq!(melody(&corpus.pieces[0].score().unwrap()), melody(&tune));
}

#[test]
fn hopeless_folders_end_with_the_report() {
    let place = folder();
    fs::write(place.path().join("readme.txt"), "no music").unwrap();
    match read(place.path(), &Options::default(), &mut |_| ()) {
        Err(error @ CorpusError::Unusable { .. }) => {
            assert!(error.to_string().contains("holds no music files"), "{error}")
        }
        other => panic!("{other:?}"),
    }
    save(&piece(1, 4, 50), &place.path().join("a.mid"));
    save(&piece(2, 4, 50), &place.path().join("b.mid"));
    let options = Options::default().settled();
    match read(place.path(), &options, &mut |_| ()) {
        Err(CorpusError::Unusable { report }) => {
            assert_eq!(report.totals.refused, [("too short".to_owned(), 2)]);
            assert!(report.to_string().contains("Refused:\n  a.mid  too short: 4 of at least 16 notes"), "{report}");
        }
        other => panic!("{other:?}"),
    }
    save(&piece(3, 30, 50), &place.path().join("c.mid"));
    let error = read(place.path(), &options, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("only 1 of the 3 files"), "{error}");
    assert!(error.ends_with("`--min-bars 1 --min-notes 4` reads what is too short now"), "{error}");
}

#[test]
fn places_that_are_no_folders() {
    let place = folder();
    let missing = read(&place.path().join("nowhere"), &Options::default(), &mut |_| ());
    assert!(matches!(missing, Err(CorpusError::NotFound { .. })));
    let options = Options { valid_share: 2.0, ..Options::default() };
    let error = read(place.path(), &options, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the validation share is 2, but it has to lie between 0 and 1");
}

#[test]
fn one_piece_that_is_most_of_the_music_is_remarked() {
    let place = folder();
    save(&piece(1, 2000, 50), &place.path().join("long\x1b.mid"));
    save(&piece(2, 64, 50), &place.path().join("short.mid"));
    let report = report(place.path(), &Options::default());
    let remark = report.remarks.iter().find(|remark| remark.contains("of the music")).expect("a remark");
    assert!(remark.starts_with("long\\u{1b}.mid alone is 9"), "{remark}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["files"][0]["verdict"], "used");
    assert_eq!(json["totals"]["used"], 2);
}

#[test]
fn sides_without_a_common_metre_are_remarked() {
    let place = folder();
    let mut waltz = piece(1, 64, 50);
    waltz.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap())];
    save(&waltz, &place.path().join("waltz.mid"));
    save(&piece(2, 64, 50), &place.path().join("march.mid"));
    let said = |place: &TempDir| {
        let report = report(place.path(), &Options::default());
        report.remarks.into_iter().find(|remark| remark.contains("figures will say little"))
    };
    let remark = said(&place).expect("a remark");
    assert!(remark.contains("3/4") && remark.contains("4/4"), "{remark}");
    let alike = folder();
    save(&piece(1, 64, 50), &alike.path().join("a.mid"));
    save(&piece(2, 64, 50), &alike.path().join("b.mid"));
    assert_eq!(said(&alike), None);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_that_turn_in_circles_are_walked_once() {
        let place = folder();
        save(&piece(1, 64, 50), &place.path().join("deep/a.mid"));
        save(&piece(2, 64, 50), &place.path().join("deep/b.mid"));
        symlink(place.path(), place.path().join("deep/again")).unwrap();
        symlink(place.path().join("nowhere"), place.path().join("broken.mid")).unwrap();
        let report = report(place.path(), &Options::default());
        assert_eq!(report.totals.used, 2);
        assert_eq!(report.totals.refused, [("unreadable".to_owned(), 1)]);
    }

    #[test]
    fn what_is_closed_or_no_file_is_a_line_of_the_report() {
        let place = folder();
        save(&piece(1, 64, 50), &place.path().join("shut/a.mid"));
        save(&piece(2, 64, 50), &place.path().join("shut.mid"));
        fs::create_dir(place.path().join("folder.mid")).unwrap();
        // A socket has no end that could be read to.
        let _socket = std::os::unix::net::UnixListener::bind(place.path().join("pipe.mid")).unwrap();
        let close =
            |name: &str| fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(0o000)).unwrap();
        close("shut");
        close("shut.mid");
        let report = report(place.path(), &Options::default());
        fs::set_permissions(place.path().join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
        // Root reads what is closed; everyone else gets lines for it. Nobody reads a socket.
        assert!(report.refused().any(|(file, _)| file.path == "pipe.mid"), "{report}");
        assert_eq!(report.totals.files, 3, "{report}");
    }
}
