//! Piano rolls: what is in the picture, and where.

mod common;

use cantus_formats::svg::{Colours, Roll, SvgError, piano_roll};
use cantus_score::{Meter, Part, Score, Ticks, TicksPerQuarter};
use common::note;

/// Four quarters C4, D4, E4, F4, so many times over.
fn scale(bars: u64) -> Score {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let notes = (0..bars * 4).map(|k| note(k * 480, 60 + (k % 4) as u8, 480, 80)).collect();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

/// The colour of velocity 80, as the picture writes it.
fn velocity_80() -> &'static str {
    "fill=\"#904163\""
}

#[test]
fn every_note_is_a_rectangle_and_rows_wrap() {
    let roll = Roll::default();
    let one_row = piano_roll(&scale(16), &roll).expect("a picture");
    let two_rows = piano_roll(&scale(17), &roll).expect("a picture");
    assert_eq!(count(&one_row, velocity_80()), 64);
    assert_eq!(count(&two_rows, velocity_80()), 68);
    let height = |svg: &str| {
        let rest = svg.split("height=\"").nth(1).expect("a height");
        rest.split('"').next().and_then(|number| number.parse::<u32>().ok()).expect("a number")
    };
    assert!(height(&two_rows) > height(&one_row));
    assert_eq!(count(&one_row, "\nC4\n"), 1);
    assert_eq!(count(&two_rows, "\nC4\n"), 2);
    assert_eq!(count(&two_rows, "\n17\n"), 1);
    assert_eq!(one_row, piano_roll(&scale(16), &roll).expect("again"));
}

#[test]
fn a_note_over_the_end_of_a_row_goes_on_in_the_next() {
    let mut score = scale(1);
    score.parts[0].notes = vec![note(0, 60, 4 * 1920, 80)];
    let svg = piano_roll(&score, &Roll { bars_per_row: 1, ..Roll::default() }).expect("a picture");
    assert_eq!(count(&svg, velocity_80()), 4);
}

#[test]
fn drums_are_strokes_however_long_they_are_written() {
    let mut score = scale(1);
    score.parts[0].notes = vec![note(0, 36, 4 * 1920, 80), note(960, 38, 10, 80)];
    let roll = Roll { bars_per_row: 1, ..Roll::default() };
    let widths = |score: &Score| -> Vec<u32> {
        let svg = piano_roll(score, &roll).expect("a picture");
        let notes = svg.lines().filter(|line| line.contains(velocity_80()));
        let width = |line: &str| line.split("width=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        notes.map(|line| width(line).expect("a width")).collect()
    };
    assert!(widths(&score).len() > 2);
    score.parts[0].drums = true;
    assert_eq!(widths(&score), [3, 3]);
}

#[test]
fn a_metre_that_comes_a_tick_late_makes_no_bar_of_its_own() {
    let mut score = scale(3);
    score.meters.push((Ticks(1), Meter::COMMON));
    let svg = piano_roll(&score, &Roll::default()).expect("a picture");
    assert!(svg.contains(", 3 bars") && !svg.contains("\n4\n"), "{svg}");
    assert_eq!(count(&svg, velocity_80()), 12);
}

#[test]
fn titles_are_escaped_and_parts_named() {
    let mut score = scale(2);
    score.title = Some("<Für> & \u{1b}[31m".to_owned());
    score.parts.push(Part { name: Some("Bass".to_owned()), notes: vec![note(0, 40, 480, 80)], ..Part::default() });
    let svg = piano_roll(&score, &Roll::default()).expect("a picture");
    assert!(svg.contains("&lt;Für&gt; &amp; ·[31m"));
    assert!(svg.contains("\nBass\n") && svg.contains("\npart 1\n"));
    assert!(!svg.contains('\u{1b}'));
    let loudness = Roll { colours: Colours::Velocity, ..Roll::default() };
    assert!(!piano_roll(&score, &loudness).expect("a picture").contains("\nBass\n"));
}

#[test]
fn the_end_of_the_prompt_is_marked_once() {
    for bars in [3, 16, 20] {
        let roll = Roll { prompt_end: Some(Ticks(bars * 1920)), ..Roll::default() };
        let svg = piano_roll(&scale(32), &roll).expect("a picture");
        assert_eq!(count(&svg, "end of the prompt"), 1, "{bars} bars");
    }
}

#[test]
fn what_cannot_be_drawn_is_an_error_and_what_is_long_is_cut() {
    let empty = Score::new(TicksPerQuarter::DEFAULT);
    assert_eq!(piano_roll(&empty, &Roll::default()), Err(SvgError::NoNotes));
    let result = piano_roll(&scale(2), &Roll { max_notes: 7, ..Roll::default() });
    assert_eq!(result, Err(SvgError::TooManyNotes { found: 8, limit: 7 }));
    let result = piano_roll(&scale(2), &Roll { width: 10, ..Roll::default() });
    assert_eq!(result, Err(SvgError::NoRoom { width: 10, bars_per_row: 16 }));
    // The longest note that one event can hold, in bars of a 128th: the picture stays small.
    let mut long = scale(1);
    long.meters.push((Ticks::ZERO, Meter::new(1, 7).expect("a metre")));
    long.parts[0].notes = vec![note(0, 60, (1 << 28) - 1, 80)];
    let svg = piano_roll(&long, &Roll::default()).expect("a picture");
    assert!(svg.contains("the first 256 bars") && svg.len() < 200_000);
    // And a note of no length is still seen.
    long.parts[0].notes = vec![note(0, 60, 0, 80)];
    assert_eq!(count(&piano_roll(&long, &Roll::default()).expect("a picture"), velocity_80()), 1);
}
