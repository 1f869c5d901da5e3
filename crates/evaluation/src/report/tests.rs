use super::*;
use crate::originality::tests::{random_piece, transformed};

fn report() -> Report {
    let scores: Vec<Score> = (0..12).map(random_piece).collect();
    let names: Vec<String> = (0..12).map(|k| format!("<{k}>.mid")).collect();
    let pieces: Vec<Piece<'_>> =
        names.iter().zip(&scores).map(|(name, score)| Piece { name, score, written: score }).collect();
    let own: Vec<Score> = vec![random_piece(90), transformed(&scores[3], 4, 2), random_piece(91)];
    let set: Vec<Piece<'_>> =
        ["one", "two", "three"].iter().zip(&own).map(|(name, score)| Piece { name, score, written: score }).collect();
    let corpus = Corpus { name: "a corpus", learnt: &pieces[..10], kept: &pieces[10..] };
    Report::new("a set", &set, corpus)
}

#[test]
fn a_copy_is_named_first_and_alone() {
    let report = report();
    assert_eq!((report.indexed, report.pieces.len(), report.corpus_summary.pieces), (10, 3, 12));
    assert_eq!(report.most_copied()[0], 1);
    assert_eq!(report.pieces.iter().map(|piece| piece.is_copied).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(report.held_out.melody[1].pieces, 12);
    let passage = report.pieces[1].originality.longest.as_ref().unwrap();
    assert_eq!(
        passage.to_string(),
        format!(
            "{} chords from bar 1 on (12 bars): bar 1 of <3>.mid, 4 semitones higher, 2 times as fast",
            passage.onsets
        )
    );
}

#[test]
fn the_text_has_every_section() {
    let mut report = report();
    report.likelihood.push(LikelihoodLine {
        pieces: "kept pieces".to_owned(),
        count: 2,
        of: 5,
        unit: "frame".to_owned(),
        kind: "exact".to_owned(),
        nats_per_token: 1.25,
        nats_per_quarter: 6.5,
        nats_per_quarter_of_notes: Some(6.25),
        nats_per_token_by_piece: 1.5,
        accuracy: 0.5,
        adjusted: 1,
        protocol: "all frames".to_owned(),
        estimate: None,
        given_rhythm: Some(GivenRhythm { nats_per_note: 1.75, nats_per_quarter: 4.5 }),
        ranks: None,
        by_piece: Vec::new(),
    });
    let text = report.full();
    for words in [
        "kept pieces (2 of 5; 1 of them",
        "1.250 nats per frame",
        "exact; all frames",
        "pitches where the rhythm is given: 1.750 nats a note, 4.500 per quarter note",
        "a corpus (12)",
        "a set (3)",
        "mean overlap",
        "two: ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let brief = report.brief();
    for text in [&text, &brief] {
        assert!(text.starts_with("In short\n- "), "the verdict comes first: {text}");
        assert!(!text.contains("per token"), "{text}");
    }
    assert!(brief.lines().count() <= 32, "{brief}");
    for words in [
        "1.250 nats per frame",
        "Originality: of the melodies",
        "two: ",
        "Furthest from the corpus, of ",
        "all statistics",
    ] {
        assert!(brief.contains(words), "{words}: {brief}");
    }
}

#[test]
fn several_sets_stand_in_one_table() {
    let line = |unit: &str, kind: &str| LikelihoodLine {
        pieces: "kept pieces".to_owned(),
        count: 100,
        of: 218,
        kind: kind.to_owned(),
        unit: unit.to_owned(),
        nats_per_token: 1.25,
        nats_per_quarter: 6.5,
        nats_per_quarter_of_notes: Some(6.25),
        nats_per_token_by_piece: 1.5,
        accuracy: 0.5,
        adjusted: 0,
        protocol: format!("all {unit}s"),
        estimate: None,
        given_rhythm: None,
        ranks: None,
        by_piece: Vec::new(),
    };
    let mut reports = [report(), report(), report()];
    reports[1].set = "another".to_owned();
    reports[2].set = "no model".to_owned();
    reports[0].likelihood.push(line("token", "exact"));
    reports[1].likelihood.push(line("frame", "surrogate"));
    let text = table(&reports);
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows[0], ["told from real", "overlap", "copies", "nats per quarter of the notes", "in its own unit"]);
    assert_eq!(rows[1][0], "a set");
    assert_eq!(rows[1][3..], ["1 of 3", "6.250 (exact)", "1.250 per token"]);
    assert_eq!(rows[2][3..], ["1 of 3", "6.250 (surrogate)", "1.250 per frame"]);
    assert_eq!(rows[3][3..], ["1 of 3", "-", "-"]);
    assert!(
        text.contains("count different things")
            && text.contains("another: 100 of 218 pieces, per frame, surrogate; all frames"),
        "{text}"
    );
    // What is given to each thing by itself has a column of its own.
    reports[2].likelihood =
        vec![LikelihoodLine { nats_per_quarter_of_notes: None, ..line("site", "pseudo-likelihood") }];
    let text = table(&reports);
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows[0][4..], ["in its own unit", "pseudo-likelihood"]);
    assert_eq!(rows[2][4..], ["6.250 (surrogate)", "1.250 per frame", "-"]);
    assert_eq!(rows[3][3..], ["1 of 3", "-", "-", "1.250 per site"]);
    // So has the right one of a few, and is told in its own words.
    let ranks = Some(Ranks { mean: 2.5, new: 0.25, right_of_new: 0.4, mean_of_new: 5.75 });
    let ranking =
        LikelihoodLine { ranks, nats_per_quarter_of_notes: None, ..line("section", "ranking among candidates") };
    let words = ranking.words();
    assert!(
        words.contains("mean rank 2.50")
            && words.contains("of the 25% that the piece has not had before 40.0% right, mean rank 5.75"),
        "{words}"
    );
    assert!(!words.contains("quarter"), "{words}");
    reports[2].likelihood = vec![ranking];
    let text = table(&reports);
    assert!(text.lines().next().unwrap().trim().ends_with("ranking among candidates"), "{text}");
    let cells = text.lines().nth(3).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    assert_eq!(cells.collect::<Vec<&str>>()[3..], ["1 of 3", "-", "-", "1.250 per section"]);
    reports[2].likelihood.clear();
    reports[1].likelihood = vec![line("token", "exact")];
    assert!(!table(&reports).contains("do not compare"), "{}", table(&reports));
}

#[test]
fn the_page_stands_alone_and_escapes_what_it_is_given() {
    let report = report();
    let picture = Picture { caption: "look & see".to_owned(), svg: "<svg></svg>".to_owned() };
    let page = report.page("a <title>", &[picture]);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h1>a &lt;title&gt;</h1>") && page.contains("look &amp; see"));
    assert!(page.contains("&lt;3&gt;.mid") && !page.contains("<3>.mid"));
    for outside in ["src=", "href=", "url(", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside} is loaded from elsewhere");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(page.matches("<tr").count(), page.matches("</tr>").count());
    assert!(!page.contains("NaN"));
}

#[test]
fn nothing_beside_nothing_is_a_report() {
    let report = Report::new("nothing", &[], Corpus { name: "nothing", learnt: &[], kept: &[] });
    assert_eq!(report.typical(), (None, None));
    assert!(report.full().contains("In short") && report.brief().contains("In short"));
    assert!(report.page("", &[]).contains("</html>"));
}
