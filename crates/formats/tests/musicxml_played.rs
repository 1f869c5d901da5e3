//! What documents say about playing is heard: jumps, dynamics, pedal, ornaments, instruments.

use cantus_formats::Limits;
use cantus_formats::musicxml::{Oddity, Reading, read};

/// What is in the list of parts by default.
const FLUTE: &str = "<score-part id=\"P\"><part-name>Flute</part-name></score-part>";

/// A document with these parts in its list, and with what stands in part `P`; measures are divided by `|`.
fn read_with(list: &str, measures: &str) -> Reading {
    let measures: String = measures.split('|').map(|text| format!("<measure>{text}</measure>")).collect();
    let text =
        format!("<score-partwise><part-list>{list}</part-list><part id=\"P\">{measures}</part></score-partwise>");
    read(text.as_bytes(), &Limits::default()).expect("a document")
}

fn oddities(reading: &Reading) -> Vec<Oddity> {
    reading.warnings.iter().map(|warning| warning.oddity).collect()
}

/// A note of so many divisions, with more elements behind its duration.
fn xml(step: char, duration: u64, more: &str) -> String {
    format!("<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration>{more}</note>")
}

/// The letters of the notes in the order of playing.
fn letters(measures: &str) -> (String, Vec<Oddity>) {
    let reading = read_with(FLUTE, measures);
    let name = |pitch: u8| char::from(b"C-D-EF-G-A-B"[usize::from(pitch % 12)]);
    (reading.score.notes().map(|note| name(note.pitch.get())).collect(), oddities(&reading))
}

/// One measure for each letter, with what stands before and after it.
fn bars(bars: &[(char, &str, &str)]) -> String {
    let bars: Vec<String> =
        bars.iter().map(|(step, before, after)| format!("{before}{}{after}", xml(*step, 4, ""))).collect();
    bars.join("|")
}

fn words(text: &str) -> String {
    format!("<direction><direction-type><words>{text}</words></direction-type></direction>")
}

fn sign(name: &str) -> String {
    format!("<direction><direction-type><{name}/></direction-type></direction>")
}

#[test]
fn jumps_are_played() {
    let fine = bars(&[('C', "", "<sound fine=\"yes\"/>"), ('D', "", ""), ('E', "", "<sound dacapo=\"yes\"/>")]);
    assert_eq!(letters(&fine), ("CDEC".to_owned(), vec![]));
    let coda = bars(&[
        ('C', "", ""),
        (
            'D',
            "<sound segno=\"2\"/>",
            "<direction><direction-type><words>To Coda</words></direction-type><sound tocoda=\"c\"/></direction>",
        ),
        ('E', "", "<sound dalsegno=\"2\"/>"),
        ('F', "<sound coda=\"c\"/>", ""),
    ]);
    assert_eq!(letters(&coda), ("CDEDF".to_owned(), vec![]));
    // Signs and words alone, as many programs write them.
    let seen = bars(&[
        ('C', "", ""),
        ('D', &sign("segno"), &sign("coda")),
        ('E', "", &words("D.S. al Coda")),
        ('F', &sign("coda"), ""),
    ]);
    assert_eq!(letters(&seen), ("CDEDF".to_owned(), vec![]));
    // Signs at bar lines: the right one belongs to the next measure.
    let lines = bars(&[
        ('C', "", "<barline location=\"right\" segno=\"s\"><segno/></barline>"),
        ('D', "", "<sound tocoda=\"c\"/>"),
        ('E', "", "<sound dalsegno=\"s\"/>"),
        ('F', "<barline location=\"left\" coda=\"c\"><coda/></barline>", ""),
    ]);
    assert_eq!(letters(&lines), ("CDEDF".to_owned(), vec![]));
    let nowhere = bars(&[('C', "", ""), ('D', "", "<sound dalsegno=\"s\"/>")]);
    assert_eq!(letters(&nowhere), ("CD".to_owned(), vec![Oddity::Jump]));
}

#[test]
fn repeats_after_a_jump_are_taken_where_the_file_says_so() {
    let repeated = |more: &str| {
        letters(&bars(&[
            ('C', "", &format!("<barline><repeat direction=\"backward\"{more}/></barline>")),
            ('D', "", "<sound dacapo=\"yes\"/>"),
        ]))
        .0
    };
    assert_eq!(repeated(""), "CCDCD");
    assert_eq!(repeated(" after-jump=\"yes\""), "CCDCCD");
    // A jump for the second time only.
    let timed = bars(&[
        ('C', "", ""),
        ('D', "", "<sound tocoda=\"x\" time-only=\"2\"/>"),
        ('E', "", "<barline><repeat direction=\"backward\"/></barline>"),
        ('F', "<sound coda=\"x\"/>", ""),
    ]);
    assert_eq!(letters(&timed).0, "CDECDF");
}
