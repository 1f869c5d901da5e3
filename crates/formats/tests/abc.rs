//! Tunes are read with their repeats and oddities; scores become tunes and come back; hostile ones do no harm.

mod common;

use cantus_formats::Limits;
use cantus_formats::abc::{AbcError, Oddity, Reading, canonicalize, read, write};
use cantus_formats::musicxml;
use cantus_score::{Key, Lyric, Mode, Part, Program, Score, Slur, Ticks, TicksPerQuarter};
use common::{any_score, data, grid_score, mark, note};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

prop_compose! {
    /// Written music with words, chord symbols, markers, and changes of programs.
    fn worded_score()(
        score in grid_score(),
        (composer, rights) in (option::of("[A-Za-z(©|:][a-zA-Z .%\\\\)|]{0,12}"), option::of("[A-Za-z(][a-z .%)]{0,12}")),
        chords in vec((0u64..70, select(vec!["C", "Am7", "F#/A#", "N.C.", "Fine", "Bb7(b9)"])), 0..6),
        markers in vec((0u64..70, "[A-Za-z%\\[\\] ]{0,8}"), 0..4),
        sung in vec((any::<Index>(), 0u8..4, "[a-zé%~_|*\\- \\\\]{0,5}", any::<bool>()), 0..12),
        programs in vec((0u64..70, 0u8..128), 0..3),
        (slurs, fermatas) in (vec(any::<(Index, Index)>(), 0..24), vec(0u64..80, 0..6)),
    ) -> Score {
        let mut score = Score { composer, rights, ..score };
        score.chords = chords.into_iter().map(|(at, chord)| (Ticks(at), chord.to_owned())).collect();
        score.markers = markers.into_iter().map(|(at, name)| (Ticks(at), name)).collect();
        score.chords.sort();
        score.markers.sort();
        let part = &mut score.parts[0];
        let lyric = |(note, verse, text, goes_on): (Index, u8, String, bool)| {
            Lyric { at: note.get(&part.notes).onset, verse, text, goes_on }
        };
        part.lyrics = sung.into_iter().map(lyric).collect();
        part.lyrics.sort();
        mark(part, &slurs, &fermatas);
        part.programs.extend(programs.into_iter().map(|(at, number)| (Ticks(at), Program::new(number).expect("a program"))));
        part.programs.sort();
        score
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_score_on_a_grid_survives_note_for_note(score in grid_score()) {
        let canonical = canonicalize(&score).expect("it can be written");
        let times = |score: &Score| -> Vec<(u64, u64, u8)> {
            let ticks = u64::from(score.ticks_per_quarter.get());
            let mut notes: Vec<_> =
                score.notes().map(|n| (n.onset.0 * 3360 / ticks, n.duration.0 * 3360 / ticks, n.pitch.get())).collect();
            notes.sort_unstable();
            notes
        };
        prop_assert_eq!(times(&canonical), times(&score));
        let bytes = write(&score).expect("written");
        let text = String::from_utf8(bytes.clone()).expect("text");
        let book = read(&bytes, &Limits::default()).expect("what is written can be read");
        prop_assert_eq!(book.tunes.len(), 1);
        let reading = book.tunes[0].reading.clone().expect("a tune");
        prop_assert_eq!(reading.warnings, vec![], "{}", text);
        prop_assert_eq!(reading.score, canonical, "{}", text);
        prop_assert_eq!(write(&score).expect("again"), bytes);
    }

    #[test]
    fn words_and_signs_survive(score in worded_score()) {
        let canonical = canonicalize(&score).expect("it can be written");
        let bytes = write(&score).expect("written");
        let text = String::from_utf8(bytes.clone()).expect("text");
        let reading = read(&bytes, &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune");
        prop_assert_eq!(&reading.score, &canonical, "{}", text);
        prop_assert_eq!(reading.warnings, vec![], "{}", text);
        prop_assert_eq!(write(&score).expect("again"), bytes);
    }

    #[test]
    fn any_score_is_written_and_read(score in any_score()) {
        let end = u64::from(score.ticks_per_quarter.get()) * 100;
        let score = score.before(Ticks(end));
        let canonical = canonicalize(&score).expect("it can be written");
        prop_assert_eq!(canonical.note_count(), score.note_count());
        let book = read(&write(&score).expect("written"), &Limits::default()).expect("what is written can be read");
        match &book.tunes[0].reading {
            Ok(reading) => prop_assert_eq!(&reading.score, &canonical),
            Err(error) => prop_assert_eq!((error, score.note_count()), (&AbcError::NoNotes { line: 1 }, 0)),
        }
    }

    #[test]
    fn arbitrary_signs_never_panic(body in "([A-Ga-gzxZy0-9/|:\\[\\]()'\",><&^_= !+{}%.~OS*\r-]|\n(K|M|L|Q|V|P|w|T|C|N|U|m|\\+):|\n%%MIDI (program|channel|transpose|drummap) |!(D\\.[CS]\\.|fine|coda|segno|trill)!|\"(Am|Fine)\"|\\[K:bass\\]){0,200}") {
        check_any_text(&format!("X:1\nM:3/4\nP:A2(AB)9\nK:Eb\n{body}"));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_any_text(&format!("X:1\nK:C\nCDE|\n{}", String::from_utf8_lossy(&bytes)));
        let _ = read(&bytes, &Limits::default());
    }
}

/// What must hold of any text: if it is read, limits hold, and what was read can be written and read again.
fn check_any_text(text: &str) {
    let limits = Limits { max_notes: 500, max_quarters: 2000, max_warnings: 5, max_tracks: 4, ..Limits::default() };
    let Ok(book) = read(text.as_bytes(), &limits) else { return };
    for tune in book.tunes {
        let Ok(Reading { score, warnings, .. }) = tune.reading else { continue };
        assert!(score.note_count() <= limits.max_notes && warnings.len() <= limits.max_warnings);
        assert!(score.parts.len() <= limits.max_tracks);
        assert!(warnings.iter().all(|warning| !warning.to_string().contains(char::is_control)));
        let canonical = canonicalize(&score).expect("what is read can be written");
        let again = read(&write(&score).expect("written"), &Limits::default()).expect("what is written can be read");
        assert_eq!(again.tunes[0].reading.as_ref().map(|reading| &reading.score), Ok(&canonical), "{text}");
    }
}

/// Onset, duration and pitch, with an eighth as 1.
type Eighths = Vec<(u64, u64, u8)>;

/// A tune's notes, and what was odd: line, column and oddity.
fn tune(text: &str) -> (Eighths, Vec<(usize, usize, Oddity)>) {
    let book = read(text.as_bytes(), &Limits::default()).expect("a book");
    let reading = book.tunes[0].reading.as_ref().expect("a tune");
    let eighth = u64::from(reading.score.ticks_per_quarter.get()) / 2;
    let notes = reading.score.notes().map(|note| {
        assert!(note.onset.0.is_multiple_of(eighth) && note.duration.0.is_multiple_of(eighth), "{note:?}");
        (note.onset.0 / eighth, note.duration.0 / eighth, note.pitch.get())
    });
    (notes.collect(), reading.warnings.iter().map(|w| (w.line, w.column, w.oddity)).collect())
}

/// The notes of a body in C major, 4/4, in eighths.
fn body(text: &str) -> Eighths {
    let (notes, odd) = tune(&format!("X:1\nM:4/4\nL:1/8\nK:C\n{text}\n"));
    assert_eq!(odd, []);
    notes
}

/// The pitches alone, as the letters and marks of ABC would have them.
fn pitches(text: &str) -> Vec<u8> {
    let mut notes = body(text);
    notes.sort_unstable();
    notes.into_iter().map(|(_, _, pitch)| pitch).collect()
}

/// Onset and pitch of a slur's first and last note.
type Ends = (u64, u8, u64, u8);

/// The slurs and fermatas of a body in C major, 4/4, in eighths: onsets and pitches of their ends, and what was odd.
fn slurs_and_fermatas(text: &str) -> (Vec<Ends>, Vec<u64>, Vec<Oddity>) {
    let text = format!("X:1\nM:4/4\nL:1/8\nK:C\n{text}\n");
    let reading = read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune");
    let part = &reading.score.parts[0];
    let at = |at: Ticks| at.0 * 2 / u64::from(reading.score.ticks_per_quarter.get());
    let slurs = part.slurs.iter().map(|slur| (at(slur.from.0), slur.from.1.get(), at(slur.to.0), slur.to.1.get()));
    let fermatas = part.fermatas.iter().map(|time| at(*time)).collect();
    (slurs.collect(), fermatas, reading.warnings.iter().map(|warning| warning.oddity).collect())
}

#[test]
fn slurs_and_fermatas_are_read() {
    let slurs = |text: &str| slurs_and_fermatas(text).0;
    assert_eq!(slurs("(CDE)F GABc"), [(0, 60, 2, 64)]);
    assert_eq!(slurs("(C(DE)F) G(A(B)c)"), [(0, 60, 3, 65), (1, 62, 2, 64), (5, 69, 6, 71), (6, 71, 7, 72)]);
    // Of a chord the highest note; a tied note is one; tuplets are no slurs.
    assert_eq!(slurs("([CE]4 [DF]4-|[DF]4) (c2d2)"), [(0, 64, 4, 65), (12, 72, 14, 74)]);
    assert_eq!(slurs("((3c2d2e2) f4"), [(0, 72, 2, 76)]);
    assert_eq!(slurs_and_fermatas("HC2 !fermata!z2 E2 !invertedfermata!F2|GABc H|]").1, [0, 2, 6, 11]);
    // A grace note takes from the beginning of its note, and what begins there begins later.
    let (slurs, fermatas, odd) = slurs_and_fermatas("(HC2 {d}E2) z4|");
    assert_eq!((slurs, fermatas, odd), (vec![(0, 60, 3, 64)], vec![0], vec![]));
    for text in ["(C) D", "CD) E", "(CDE"] {
        let (slurs, _, odd) = slurs_and_fermatas(text);
        assert_eq!((slurs, odd.contains(&Oddity::LooseSlur)), (vec![], true), "{text}");
    }
    // In every pass of a repeat.
    assert_eq!(slurs_and_fermatas("|:(C4 HD4):|E8|]"), (vec![(0, 60, 4, 62), (8, 60, 12, 62)], vec![4, 12], vec![]));
}

#[test]
fn slurs_and_fermatas_survive_from_musicxml_to_abc_and_back() {
    let notes: Vec<_> =
        [60u8, 62, 64, 65, 67, 69, 71, 72].iter().zip(0..).map(|(pitch, k)| note(k, *pitch, 1, 80)).collect();
    let end = |k: usize| (notes[k].onset, notes[k].pitch);
    let slur = |from, to| Slur { from: end(from), to: end(to) };
    let slurs = vec![slur(0, 3), slur(1, 2), slur(3, 5), slur(5, 7)];
    let fermatas = vec![Ticks(3), Ticks(7)];
    let mut score = Score::new(TicksPerQuarter::new(1).expect("not zero"));
    score.parts.push(Part {
        notes: notes.clone(),
        slurs: slurs.clone(),
        fermatas: fermatas.clone(),
        ..Part::default()
    });
    let xml = musicxml::read(&musicxml::write(&score).expect("written"), &Limits::default()).expect("read");
    assert_eq!(xml.warnings, vec![]);
    let text = String::from_utf8(write(&xml.score).expect("written")).expect("text");
    assert!(text.contains("(C2 (D2 E2) (!fermata!F2) | G2 (A2) B2 !fermata!c2) |]"), "{text}");
    let tune = read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune");
    let again =
        musicxml::read(&musicxml::write(&tune.score).expect("written"), &Limits::default()).expect("read").score;
    let again = again.rescaled(score.ticks_per_quarter);
    assert_eq!((&again.parts[0].slurs, &again.parts[0].fermatas), (&slurs, &fermatas));
}

#[test]
fn notes_lengths_and_octaves() {
    assert_eq!(body("C2 D4 z E,"), [(0, 2, 60), (2, 4, 62), (7, 1, 52)]);
    assert_eq!(
        body("c'' B,,2 | [CEG]4 c8/2"),
        [(0, 1, 96), (1, 2, 47), (3, 4, 60), (3, 4, 64), (3, 4, 67), (7, 4, 72)]
    );
    // Each dotted note with what is left: in quarters here, so that the parts are eighths.
    assert_eq!(body("C2>D2 E2<F2 G4>>A4"), [(0, 3, 60), (3, 1, 62), (4, 1, 64), (5, 3, 65), (8, 7, 67), (15, 1, 69)]);
    // Three in the time of two; three in the time of four, but five notes of them.
    assert_eq!(body("(3C3D3E3 F2"), [(0, 2, 60), (2, 2, 62), (4, 2, 64), (6, 2, 65)]);
    assert_eq!(body("(3:4:4C3D3E3F3 G"), [(0, 4, 60), (4, 4, 62), (8, 4, 64), (12, 4, 65), (16, 1, 67)]);
    // Chords of old, bars of rest, texts, ornaments, slurs, voices laid over one another.
    assert_eq!(body("+CE+2 Z2 C"), [(0, 2, 60), (0, 2, 64), (18, 1, 60)]);
    assert_eq!(
        body("\"Am\"C !trill!D ~(E .F) vG2 yA"),
        [(0, 1, 60), (1, 1, 62), (2, 1, 64), (3, 1, 65), (4, 2, 67), (6, 1, 69)]
    );
    assert_eq!(body("c4 B4 & C8 | D"), [(0, 8, 60), (0, 4, 72), (4, 4, 71), (8, 1, 62)]);
}

#[test]
fn macros_are_played_as_what_they_stand_for() {
    let (notes, oddities) = tune("X:1\nL:1/8\nm: ~G2 = AG\nK:C\n~G2 C | z ~G2\n");
    assert_eq!((notes, oddities), (vec![(0, 1, 69), (1, 1, 67), (2, 1, 60), (4, 1, 69), (5, 1, 67)], Vec::new()));
}

#[test]
fn accidentals_hold_until_the_bar_ends_in_all_octaves() {
    assert_eq!(pitches("^F F f _B b | F B"), [66, 66, 78, 70, 82, 65, 71]);
    assert_eq!(pitches("^^C __D ^=E"), [62, 60, 65]);
    let (notes, _) = tune("X:1\nL:1/8\nK:Eb\nA=AA|A [K:D] F C\n");
    assert_eq!(notes.iter().map(|(_, _, pitch)| *pitch).collect::<Vec<_>>(), [68, 69, 69, 68, 66, 61]);
}

#[test]
fn ties_join_notes_and_carry_accidentals_over_the_bar_line() {
    assert_eq!(body("C4-C4-|C2 D2"), [(0, 10, 60), (10, 2, 62)]);
    assert_eq!(body("^F4-|F2 F2"), [(0, 6, 66), (6, 2, 65)]);
    assert_eq!(body("[C-E]4 [CG]4"), [(0, 8, 60), (0, 4, 64), (4, 4, 67)]);
    let (_, odd) = tune("X:1\nL:1/8\nK:C\nC-D|\n");
    assert_eq!(odd, [(4, 3, Oddity::LooseTie)]);
}

#[test]
fn repeats_endings_and_parts_are_played() {
    assert_eq!(pitches("CD:|E"), [60, 62, 60, 62, 64]);
    assert_eq!(pitches("C|:D::E:|F"), [60, 62, 62, 64, 64, 65]);
    assert_eq!(pitches("|:C|1D:|2E||F"), [60, 62, 60, 64, 65]);
    assert_eq!(pitches("|:C|[1D:|[2E|]F"), [60, 62, 60, 64, 65]);
    assert_eq!(pitches("|:C [1,3 D:|[2 E:|F"), [60, 62, 60, 64, 60, 62, 65]);
    assert_eq!(pitches("|:C [\"1-2\" D:|[\"3\" E|]"), [60, 62, 60, 62, 60, 64]);
    let parts = |order: &str| {
        let (notes, _) = tune(&format!("X:1\nP:{order}\nL:1/8\nK:C\nP:A\nC|\nP:B\n|:D:|\n"));
        notes.into_iter().map(|(_, _, pitch)| pitch).collect::<Vec<_>>()
    };
    assert_eq!(parts("ABA"), [60, 62, 62, 60]);
    assert_eq!(parts("(AB)2A2"), [60, 62, 62, 60, 62, 62, 60, 60]);
    // A part begins where it is written, within a bar too; a jump and other words are no parts.
    let parts = |order: &str, body: &str| {
        let (notes, odd) = tune(&format!("X:1\nP:{order}\nL:1/8\nK:C\n{body}\n"));
        assert_eq!(odd, []);
        notes.into_iter().map(|(_, _, pitch)| pitch).collect::<Vec<_>>()
    };
    assert_eq!(parts("AAB", "C\\\nP:A\nD|E|\nP:B\nF|"), [60, 62, 64, 62, 64, 65]);
    assert_eq!(parts("ABA", "P:A\nC|\nP:B\nD|\\\nP:dc\nE|"), [60, 62, 64, 60]);
    assert_eq!(parts("ABAD", "P:A\nC|\nP:B\nD|\\\nP:D.S.\nE|\nP:D\nF|"), [60, 62, 64, 60, 65]);
    assert_eq!(parts("A", "P:A\nC|\nP:B\nD|"), [60]);
    assert_eq!(parts("VCV", "P:Verse\nC|\nP:Chorus\nD|"), [60, 62, 60]);
    // An ending for a seventh pass that never comes is all there is.
    let (notes, odd) = tune("X:1\nL:1/8\nK:C\n[7C|D\n");
    assert_eq!(notes, [(0, 1, 60), (1, 1, 62)]);
    assert_eq!(odd.into_iter().map(|(_, _, oddity)| oddity).collect::<Vec<_>>(), [Oddity::Repeats]);
}

#[test]
fn an_upbeat_and_a_bar_that_a_repeat_splits_keep_the_metre() {
    let text = "X:1\nM:3/4\nL:1/4\nK:C\nC|DEF|GA:|:B|cde|fg:|\n";
    let score =
        read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune").score;
    // After the upbeat every bar is whole, through both repeats.
    let at: Vec<u64> = score.meters.iter().map(|(at, _)| at.0 / 480).collect();
    assert_eq!(at, [0, 1]);
    // On paper there are an upbeat and four bars; the last bar before the end is only two beats long.
    let numbers: Vec<usize> = score.numbered_bars().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2, 1, 2, 3, 4, 3, 4]);
}

#[test]
fn bars_that_are_played_again_have_the_numbers_that_are_printed() {
    let numbers = |body: &str| -> Vec<usize> {
        let text = format!("X:1\nM:2/4\nL:1/4\nK:C\n{body}\n");
        let book = read(text.as_bytes(), &Limits::default()).expect("a book");
        let score = book.tunes[0].reading.clone().expect("a tune").score;
        score.numbered_bars().map(|(number, _)| number).collect()
    };
    assert_eq!(numbers("CD|EF|GA|Bc|]"), [1, 2, 3, 4]);
    assert_eq!(numbers("|:CD|EF:|GA|Bc|]"), [1, 2, 1, 2, 3, 4]);
    assert_eq!(numbers("|:CD|1EF:|2GA|Bc|]"), [1, 2, 1, 3, 4]);
    assert_eq!(numbers("CD|EF!fine!|GA|Bc!D.C.!|]"), [1, 2, 3, 4, 1, 2]);
}

#[test]
fn voices_are_parts_and_a_book_has_many_tunes() {
    let text = "% a book\nM:6/8\n\nX:3\nT:One\nT:also called\nN:a remark\nQ:3/8=60\nK:D\nV:1 name=\"Flute\"\nV:2 clef=bass octave=-1\n\
                [V:1] DFA|\n[V:2] D3|\nw:words are passed over\n\nX:4\nT:Two\nK:none\nF3|\n\nX:5\nT:None\nK:C\n";
    let book = read(text.as_bytes(), &Limits::default()).expect("a book");
    let about: Vec<_> = book.tunes.iter().map(|tune| (tune.number, tune.line)).collect();
    assert_eq!(about, [(3, 4), (4, 16), (5, 21)]);
    let one = &book.tunes[0].reading.as_ref().expect("a tune").score;
    assert_eq!(
        (one.title.as_deref(), &one.remarks[..]),
        (Some("One"), &["also called".to_owned(), "a remark".to_owned()][..])
    );
    let parts: Vec<_> =
        one.parts.iter().map(|part| (part.name.as_deref(), part.notes[0].pitch.get(), part.notes.len())).collect();
    assert_eq!(parts, [(Some("Flute"), 62, 3), (None, 50, 1)]);
    assert_eq!(one.tempos[0].1.quarters_per_minute().round(), 90.0);
    assert_eq!(one.meters[0].1.to_string(), "6/8");
    assert_eq!(book.tunes[2].reading, Err(AbcError::NoNotes { line: 21 }));
}

#[test]
fn oddities_are_named_with_line_and_column() {
    let (notes, odd) = tune("X:1\nM:4/5\nK:H\nC$ #D @\n(0E [CE\nF0 \"open\n");
    assert_eq!(notes.len(), 4);
    let expected = [
        (2, 1, Oddity::Meter),
        (3, 1, Oddity::Key),
        (4, 4, Oddity::Character('#')),
        (4, 7, Oddity::Character('@')),
        (5, 1, Oddity::Tuplet),
        (5, 5, Oddity::Unclosed('[')),
        (6, 1, Oddity::NoteLength),
        (6, 4, Oddity::Unclosed('"')),
    ];
    assert_eq!(odd, expected);
}

#[test]
fn hostile_books_are_refused_by_name() {
    let limits = Limits { max_bytes: 5000, max_notes: 10, max_quarters: 100, max_tracks: 2, ..Limits::default() };
    let book = |bytes: &[u8]| read(bytes, &limits).expect_err("refused");
    assert_eq!(book(b" \n"), AbcError::Empty);
    assert_eq!(book(b"Dear sir"), AbcError::NoTune);
    assert_eq!(book(&[b'x'; 5001]), AbcError::TooLarge { found: 5001, limit: 5000 });
    let tune = |body: &str| {
        let book = read(format!("X:1\nL:1/4\nK:C\n{body}").as_bytes(), &limits).expect("a book");
        book.tunes[0].reading.clone().expect_err("refused")
    };
    assert_eq!(tune("C/C/C/C/|C/C/C/C/|CCC"), AbcError::TooManyNotes { line: 4, column: 21, limit: 10 });
    assert_eq!(tune("CDE:|FGA:|"), AbcError::TooManyNotes { line: 1, column: 1, limit: 10 });
    assert_eq!(tune("C200"), AbcError::TooLong { line: 4, column: 1, limit: 100 });
    assert_eq!(tune("Z99999999999999999999"), AbcError::TooLong { line: 4, column: 1, limit: 100 });
    assert_eq!(tune("C90:|"), AbcError::TooLong { line: 1, column: 1, limit: 100 });
    assert_eq!(tune("V:1\nC\nV:2\nC\nV:3\nC"), AbcError::TooManyVoices { line: 8, column: 1, limit: 2 });
}

#[test]
fn an_upbeat_has_the_metre_that_it_leads_to() {
    let mut score = Score::new(TicksPerQuarter::new(4).expect("not zero"));
    // As sequencers write it: a bar of 1/8, then 6/8.
    score.meters = [(0, "1/8"), (2, "6/8")].map(|(at, meter)| (Ticks(at), meter.parse().expect("a metre"))).to_vec();
    let notes = (0..13).map(|k| note(2 * k, 67, 2, 80)).collect();
    score.parts.push(Part { notes, ..Part::default() });
    let text = String::from_utf8(write(&score).expect("written")).expect("text");
    assert!(text.contains("M:6/8\n") && !text.contains("[M:"), "{text}");
    assert!(text.contains("G | GGG GGG | GGG GGG |]"), "{text}");
}

#[test]
fn what_was_played_is_one_voice_of_plain_values() {
    let mut score = Score::new(TicksPerQuarter::new(48).expect("not zero"));
    let touch = [0i64, 1, -2, 0, 2, -1, 1, -1];
    let onset = |k: usize| (24 * k as i64 + touch[k % 8]) as u64;
    let notes = (0..32).map(|k| note(onset(k), 60, 20 + k as u64 % 8, 80)).collect();
    score.parts.push(Part { notes, ..Part::default() });
    let text = String::from_utf8(write(&score).expect("written")).expect("text");
    let bars = ["CC CC CC CC"; 4].join(" | ");
    assert!(text.ends_with(&format!("{bars} |]\n")), "{text}");
}

#[test]
fn a_small_score_is_written_like_this() {
    let (text, again) = {
        let tune = "X:1\nT:Small\nM:3/4\nL:1/8\nK:F\n[Q:1/4=100]C|(3F2A2B2 ^F2-|F4 [CE]2|]\n";
        let score =
            read(tune.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune").score;
        (String::from_utf8(write(&score).expect("written")).expect("text"), score.note_count())
    };
    let expected = "X:1\nT: Small\nM:3/4\nL:1/8\nK:F\nV:1\n%%MIDI channel 1\n\
                    [Q:1/4=100]C | (3:2:3F2A2B2 ^F2- | ^F4 [CE]2 |]\n";
    assert_eq!((text.as_str(), again), (expected, 7));
}

#[test]
fn a_song_is_written_like_this() {
    let tune = "X:1\nT:Song\nC:Ann\nZ:abc-copyright Bob\nM:6/8\nL:1/8\nQ:3/8=116\nK:G\nV:1 name=\"Voice\"\n%%MIDI program 52\n\
                P:A\n\"G\"GAB \"D7\"c3|\"Em\"B6-|B3 [I:MIDI program 53]G3|\nw:Glo-ri-a too** my\nw:* * x\nV:2 perc\nC3 C3|C3 C3|C6|\n";
    let reading = |text: &str| {
        read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune").score
    };
    let mut score = reading(tune);
    // A chord while a note is held.
    score.chords.push((Ticks(score.chords[2].0.0 + 720), "C/E".to_owned()));
    let text = String::from_utf8(write(&score).expect("written")).expect("text");
    let expected = "X:1\nT: Song\nC: Ann\nZ:abc-copyright Bob\nM:6/8\nL:1/8\nK:G\nV:1 name=\"Voice\"\n%%MIDI channel 1\n\
                    %%MIDI program 52\n[Q:3/8=116][P:A]\"G\"GAB \"D7\"c3 | \"Em\"B6- & x3\"C/E\"x3 | B3 [I:MIDI program 53]G3 |]\n\
                    w:Glo- ri- a too * * my\nw:* * x\nV:2 clef=perc\n%%MIDI channel 10\nC3 C3 | C3 C3 | C6 |]\n";
    assert_eq!(text, expected);
    assert_eq!(reading(&text), score);
}

#[test]
fn parts_with_different_programs_have_different_channels() {
    let mut score = Score::new(cantus_score::TicksPerQuarter::DEFAULT);
    let notes = vec![common::note(0, 60, 480, 80)];
    for (program, pitch) in [(73, 60), (58, 60), (73, 64)] {
        let programs = vec![(Ticks::ZERO, Program::new(program).expect("a program"))];
        score.parts.push(Part { programs, notes: vec![common::note(0, pitch, 480, 80)], ..Part::default() });
    }
    score.parts.push(Part { channel: 9, notes: notes.clone(), ..Part::default() });
    score.parts.push(Part { notes, channel: 3, name: Some("Drums".to_owned()), drums: true, ..Part::default() });
    let book = read(&write(&score).expect("written"), &Limits::default()).expect("a book");
    let again = &book.tunes[0].reading.as_ref().expect("a tune").score;
    let seats: Vec<_> = again.parts.iter().map(|part| (part.channel, part.program().get(), part.drums)).collect();
    assert_eq!(seats, [(0, 73, false), (1, 58, false), (0, 73, false), (2, 0, false), (9, 0, true)]);
}

#[test]
fn the_collections_parse() {
    let Some(folder) = data("the_collections_parse") else { return };
    let (mut tunes, mut failures) = (0, Vec::new());
    let mut waiting = vec![folder.join("abc")];
    while let Some(place) = waiting.pop() {
        for entry in std::fs::read_dir(&place).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "abc") {
                let book = read(&std::fs::read(&entry).expect("a file"), &Limits::default()).expect("a book");
                for tune in book.tunes {
                    tunes += 1;
                    failures.extend(tune.reading.err().map(|error| format!("{}: {error}", entry.display())));
                }
            }
        }
    }
    assert!(tunes > 0);
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_key_changes_where_it_stands_within_a_bar() {
    let mut score = Score::new(TicksPerQuarter::new(2).expect("not zero"));
    let key = |fifths| Key::new(fifths, Mode::Major).expect("a key");
    // F sharp before the change, within the bar: afterwards the new key has one.
    let notes =
        vec![note(0, 66, 2, 80), note(2, 65, 2, 80), note(4, 66, 2, 80), note(6, 73, 2, 80), note(8, 61, 8, 80)];
    score.parts.push(Part { notes, ..Part::default() });
    // The second voice holds a note over the change.
    score.parts.push(Part { notes: vec![note(0, 48, 6, 80), note(6, 49, 2, 80)], ..Part::default() });
    score.keys = vec![(Ticks(0), key(0)), (Ticks(4), key(2)), (Ticks(8), key(-3))];
    let bytes = write(&score).expect("written");
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert!(text.contains("^F2 =F2 [K:D]^F2 c2 | [K:Eb]_D8"), "{text}");
    assert!(text.contains("C,6 [K:D]C,2 | [K:Eb]x8"), "{text}");
    let again = read(&bytes, &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune").score;
    let quarters = |score: &Score| -> Vec<(u64, Key)> {
        score.keys.iter().map(|(at, key)| (at.0 * 2 / u64::from(score.ticks_per_quarter.get()), *key)).collect()
    };
    assert_eq!(quarters(&again), score.keys.iter().map(|(at, key)| (at.0, *key)).collect::<Vec<_>>());
    assert_eq!(again, canonicalize(&score).expect("canonical"));
}
