//! A corpus of scores and tunes, not only of MIDI files.

mod fixture;

use cantus_corpus::{Options, Reason, Verdict, survey};
use cantus_formats::{abc, musicxml};
use fixture::{piece, save};
use std::fs;

#[test]
fn every_format_is_read_and_a_book_has_a_piece_for_each_tune() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let pieces: Vec<_> = (1..=5).map(|seed| piece(seed, 40, 55)).collect();
    save(&pieces[0], &at("a.mid"));
    fs::write(at("b.musicxml"), musicxml::write(&pieces[1]).expect("MusicXML")).expect("written");
    fs::write(at("c.mxl"), musicxml::write_compressed(&pieces[2]).expect("MXL")).expect("written");
    let tune = |k: usize, number: u32| {
        let text = String::from_utf8(abc::write(&pieces[k]).expect("ABC")).expect("text");
        text.replacen("X:1\n", &format!("X:{number}\n"), 1)
    };
    let book = format!("{}\n{}\nX:13\nT:nothing\nK:C\n\n{}", tune(3, 11), tune(4, 12), tune(0, 14));
    fs::write(at("d.abc"), book).expect("written");
    fs::write(at("e.xml"), "<html/>").expect("written");
    let options = Options { min_bars: Some(1), ..Options::default() };
    let corpus = survey(folder.path(), &options, &mut |_| ()).expect("a corpus");
    let verdicts: Vec<(String, String)> = corpus
        .report
        .files
        .iter()
        .map(|file| {
            let verdict = match &file.verdict {
                Verdict::Used(_) => "used".to_owned(),
                Verdict::Refused(Reason::DuplicateOf { original, .. }) => format!("duplicate of {original}"),
                Verdict::Refused(reason) => reason.to_string(),
            };
            (file.path.clone(), verdict)
        })
        .collect();
    let shown: Vec<String> = verdicts.iter().map(|(path, verdict)| format!("{path}: {verdict}")).collect();
    let used = |name: &str| format!("{name}: used");
    assert_eq!(shown[..5], [used("a.mid"), used("b.musicxml"), used("c.mxl"), used("d.abc#11"), used("d.abc#12")]);
    assert!(shown[5].starts_with("d.abc#13: unreadable: line ") && shown[5].contains("column 1"), "{}", shown[5]);
    assert_eq!(shown[6], "d.abc#14: duplicate of a.mid");
    assert_eq!(shown[7], "e.xml: unreadable: this is no MusicXML: its root is `html`, not `score-partwise`");
    assert_eq!(corpus.pieces.len(), 5);
}
