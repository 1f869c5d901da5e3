//! What is chosen where nobody asked for anything, what is said of it, and which option helps.

mod fixture;

use cantus_corpus::{
    Corpus, CorpusError, FileReport, Options, Preflight, Reason, Split, Verdict, Warning, read, survey,
};
use cantus_score::{Meter, Part, Score, Ticks, TicksPerQuarter};
use fixture::{note, piece, save, score};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use tempfile::TempDir;

fn folder(pieces: impl IntoIterator<Item = Score>) -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    for (k, piece) in pieces.into_iter().enumerate() {
        save(&piece, &place.path().join(format!("{k:02}.mid")));
    }
    place
}

fn corpus(place: &Path, options: &Options) -> Corpus {
    read(place, options, &mut |_| ()).expect("a corpus")
}

fn refusal(place: &Path, options: &Options) -> String {
    match read(place, options, &mut |_| ()) {
        Err(error @ CorpusError::Unusable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn grid(steps: u32) -> Options {
    Options { grid: TicksPerQuarter::new(steps), ..Options::default() }
}

/// Eighths, swung or straight, of `seed`'s pitches.
fn eighths(seed: u64, off_beat: u64) -> Score {
    let mut piece = piece(seed, 64, 50);
    for (k, note) in piece.parts[0].notes.iter_mut().enumerate() {
        note.onset = Ticks(480 * (k as u64 / 2) + off_beat * (k as u64 % 2));
    }
    piece
}

/// Onsets of the first pieces as a share of a quarter note.
fn phases(corpus: &Corpus) -> HashSet<String> {
    let phase = |piece: &cantus_corpus::Piece| {
        let steps = u64::from(piece.score().unwrap().ticks_per_quarter.get());
        piece.score().unwrap().notes().map(move |note| format!("{}/{steps}", note.onset.0 % steps)).collect::<Vec<_>>()
    };
    corpus.pieces.iter().flat_map(phase).collect()
}

#[test]
fn swing_is_read_on_a_grid_that_holds_it() {
    let place = folder((0..4).map(|seed| eighths(seed, 320)));
    let swung = corpus(place.path(), &Options::default());
    assert_eq!(phases(&swung), HashSet::from(["0/12".to_owned(), "8/12".to_owned()]));
    assert_eq!(swung.report.options.steps().get(), 12);
    let remark = &swung.report.remarks[0];
    assert!(remark.contains("12 steps a quarter note instead of 4 (`--grid 4`"), "{remark}");
    // Who reads it so again, reads the same; who asks for another grid is told which would hold it.
    let again = corpus(place.path(), &swung.report.options);
    assert_eq!((again.pieces, again.report.options), (swung.pieces, swung.report.options));
    let asked = corpus(place.path(), &grid(4));
    assert_eq!(asked.report.options.steps().get(), 4);
    let remarks = asked.report.remarks.join("\n");
    assert!(
        remarks.contains("50% of the onsets were moved to fit 4 steps a quarter note; `--grid 12` holds"),
        "{remarks}"
    );
}

#[test]
fn straight_music_stays_on_sixteenths() {
    let place = folder((0..4).map(|seed| eighths(seed, 240)));
    let straight = corpus(place.path(), &Options::default());
    assert_eq!(straight.report.options, Options::default().settled());
    assert_eq!(straight.pieces, corpus(place.path(), &grid(4)).pieces);
}

#[test]
fn a_folder_of_clips_is_learnt_from_and_it_is_said() {
    let place = folder((0..6).map(|seed| piece(seed, if seed < 3 { 12 } else { 64 }, 50)));
    let clips = corpus(place.path(), &Options::default());
    assert_eq!(clips.pieces.len(), 6);
    assert_eq!((clips.report.options.least_bars(), clips.report.options.least_notes()), (1, 4));
    let remark = &clips.report.remarks[0];
    assert!(
        remark.starts_with("3 of 6 pieces are clips") && remark.contains("`--min-bars`, `--min-notes`"),
        "{remark}"
    );
    // What is asked for stands.
    let asked = corpus(place.path(), &Options { min_bars: Some(4), min_notes: Some(16), ..Options::default() });
    assert_eq!(asked.pieces.len(), 3);
    // A few scraps among pieces are no folder of clips.
    save(&piece(20, 64, 50), &place.path().join("long 1.mid"));
    for seed in 21..26 {
        save(&piece(seed, 64, 50), &place.path().join(format!("{seed}.mid")));
    }
    let mixed = corpus(place.path(), &Options::default());
    assert_eq!((mixed.pieces.len(), mixed.report.totals.refused), (9, vec![("too short".to_owned(), 3)]));
}

#[test]
fn a_piece_that_is_alone_is_divided_at_a_bar_line() {
    let mut long = piece(1, 400, 50);
    long.meters = vec![(Ticks(0), "3/4".parse().unwrap())];
    let place = folder([long]);
    let alone = corpus(place.path(), &Options::default());
    let totals = &alone.report.totals;
    assert_eq!((totals.used, totals.train, totals.valid), (1, 1, 1));
    let of = |split| alone.pieces_of(split).next().expect("a piece");
    let (learnt, kept) = (of(Split::Train), of(Split::Valid));
    assert_eq!(learnt.score().unwrap().note_count() + kept.score().unwrap().note_count(), 400);
    let whole = survey(place.path(), &Options::default(), &mut |_| ()).unwrap().pieces[0].quarters;
    assert!((whole - learnt.quarters - kept.quarters).abs() < 3.0, "they meet at a bar line");
    assert!(learnt.quarters > 6.0 * kept.quarters, "{} {}", learnt.quarters, kept.quarters);
    assert_eq!(kept.score().unwrap().meters, [(Ticks(0), "3/4".parse::<Meter>().unwrap())]);
    assert_eq!(learnt.score().unwrap().bars().last().map(|bar| bar.end().0 % 12), Some(0));
    assert!(alone.report.remarks[0].contains("is alone: its last"), "{:?}", alone.report.remarks);
    let short = folder([piece(1, 64, 50)]);
    assert!(
        refusal(short.path(), &Options { min_bars: Some(1), ..Options::default() })
            .contains("holds one piece, which is too short")
    );
}

#[test]
fn drums_are_said_to_be_left_out() {
    let drums = |seed: u64| Part {
        notes: (0..40).map(|k| note(k * 240, 36 + (seed + k) as u8 % 4, 60)).collect(),
        ..Part::of_drums()
    };
    let place = folder((0..3).map(|seed| score(vec![drums(seed)])));
    let said = refusal(place.path(), &Options::default());
    assert!(said.starts_with("none of the 3 files") && said.contains("`--reading parts` reads drums"), "{said}");
    let report = survey(place.path(), &Options::default(), &mut |_| ()).unwrap().report;
    assert_eq!(report.totals.refused, [("only drums".to_owned(), 3)]);
    assert!(report.to_string().contains("00.mid  it holds only drums (40 strokes)"), "{report}");
    let with_tune = |seed: u64| {
        let mut both = piece(seed, 64, 50);
        both.parts.push(drums(seed));
        both
    };
    let place = folder((0..3).map(with_tune));
    let used = corpus(place.path(), &Options::default());
    assert_eq!(used.report.totals.notes, 3 * 64);
    let remarks = used.report.remarks.join("\n");
    assert!(remarks.contains("120 drum strokes in 3 files are left out"), "{remarks}");
}

#[test]
fn advice_names_the_option_that_helps() {
    let waltz = |seed| Score { meters: vec![(Ticks(0), "3/4".parse().unwrap())], ..piece(seed, 64, 50) };
    let place = folder((0..2).map(waltz));
    let only = |meters: &str| Options { meters: meters.parse().unwrap(), ..Options::default() };
    assert!(refusal(place.path(), &only("4/4")).ends_with("`--meters any` reads all metres"));
    let two_parts = |seed| score(vec![piece(seed, 64, 50).parts.remove(0), piece(seed + 50, 64, 70).parts.remove(0)]);
    let place = folder((0..2).map(two_parts));
    let few = Options { max_note_tracks: Some(1), ..Options::default() };
    assert!(refusal(place.path(), &few).ends_with("`--max-note-tracks 2` reads them all"));
    let played = |seed| {
        let notes = (0..200).map(|k| note((k as f64 * 296.656) as u64, 50 + (k * seed % 13) as u8, 100)).collect();
        score(vec![Part { notes, ..Part::default() }])
    };
    let place = folder([3, 5].map(played));
    let said = refusal(place.path(), &Options::default());
    assert!(
        said.contains("`--reading performed` reads them as they were played") && !said.contains("--grid "),
        "{said}"
    );
    let any = Options { max_off_grid: 1.0, ..Options::default() };
    assert_eq!(corpus(place.path(), &any).pieces.len(), 2);
    let place = folder([piece(1, 64, 50), piece(1, 64, 50)]);
    let said = refusal(place.path(), &Options::default());
    assert!(said.contains("only 1 of the 2 files") && said.ends_with("a second piece is needed"), "{said}");
}

#[test]
fn silence_before_the_music_is_left_out_and_said() {
    let late = |seed| {
        let mut late = piece(seed, 64, 50);
        late.parts[0].notes.iter_mut().for_each(|note| note.onset.0 += 841 * 4 * 480);
        late
    };
    let place = folder((0..2).map(late));
    let trimmed = corpus(place.path(), &Options::default());
    assert!(trimmed.report.totals.quarters < 200.0, "{}", trimmed.report.totals.quarters);
    let [warning] = &trimmed.report.warnings[..] else { panic!("{:?}", trimmed.report.warnings) };
    assert_eq!(
        warning.to_string(),
        "2 files, the first 00.mid: 841 bars of silence before the first note were left out"
    );
    assert!(trimmed.report.to_string().contains("Warnings of the readers:\n  2 files"), "{}", trimmed.report);
    assert!(trimmed.report.verbose().to_string().contains("\n  01.mid: 841 bars of silence"));
}

#[test]
fn the_readers_warnings_are_told_by_kind_also_of_refused_files() {
    let place = folder((0..2).map(|seed| piece(seed, 64, 50)));
    std::fs::write(place.path().join("a.abc"), "X:1\nK:C\nCD£E|\n").unwrap();
    let report = corpus(place.path(), &Options::default()).report;
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert_eq!(warning.files, ["a.abc"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["warnings"][0]["files"][0], "a.abc");
    assert_eq!(json["files"][2]["warnings"][0], warning.text.as_str());
}

/// JSON in which no object says a key twice.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Strict, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Strict;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON without a key that stands twice")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Strict, A::Error> {
                while list.next_element::<Strict>()?.is_some() {}
                Ok(Strict)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Strict, A::Error> {
                let mut keys = HashSet::new();
                while let Some(key) = object.next_key::<String>()? {
                    object.next_value::<Strict>()?;
                    if let Some(twice) = keys.replace(key) {
                        return Err(A::Error::custom(format!("the key `{twice}` stands twice")));
                    }
                }
                Ok(Strict)
            }
        }
        from.deserialize_any(Any)
    }
}

#[test]
fn no_key_stands_twice_in_a_report() {
    assert!(serde_json::from_str::<Strict>(r#"{"a":[{"b":1,"b":2}]}"#).is_err());
    let place = folder([piece(1, 64, 50), piece(1, 64, 50), piece(2, 64, 50)]);
    let report = corpus(place.path(), &Options::default()).report;
    let text = serde_json::to_string(&report).unwrap();
    serde_json::from_str::<Strict>(&text).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["files"][1]["path"], &json["files"][1]["original"]), (&"01.mid".into(), &"00.mid".into()));
    // Every other reason, too: whatever its fields are called, none is called like what stands around it.
    let reasons = [
        Reason::Unreadable { message: String::new() },
        Reason::TooLarge { bytes: 2, limit: 1 },
        Reason::NoNotes { drums: 1, chords: 1 },
        Reason::NoSuchPart { wanted: cantus_corpus::Parts::Piano },
        Reason::TooManyParts { found: 2, allowed: 1 },
        Reason::BeyondPiano { notes: 1 },
        Reason::Meter { found: vec!["5/4".to_owned()] },
        Reason::OffGrid { share: 0.5, allowed: 0.2 },
        Reason::TooShort { notes: 1, bars: 1, min_notes: 2, min_bars: 2 },
        Reason::DuplicateOf { original: "a".to_owned(), transposed: 1 },
    ];
    let files = reasons.map(|reason| FileReport {
        path: "x".to_owned(),
        warnings: Vec::new(),
        verdict: Verdict::Refused(reason),
    });
    let warnings = vec![Warning { text: "odd".to_owned(), files: vec!["x".to_owned()] }];
    let all = Preflight { files: files.into(), warnings, ..Preflight::default() };
    serde_json::from_str::<Strict>(&serde_json::to_string(&all).unwrap()).unwrap();
}
