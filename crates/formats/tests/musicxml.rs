//! Scores become MusicXML and come back; documents of others are read; hostile ones do no harm.

mod common;

use cantus_formats::Limits;
use cantus_formats::musicxml::{
    MusicXmlError, Oddity, Reading, WriteError, canonicalize, read, write, write_compressed,
};
use cantus_score::{Key, Lyric, Mode, Part, PedalSpan, Program, Score, Tempo, Ticks, TicksPerQuarter};
use common::{any_score, grid_score, note, with_words_and_signs};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_score_on_a_grid_survives_note_for_note(score in with_words_and_signs(grid_score().boxed())) {
        let canonical = canonicalize(&score).expect("it can be written");
        let times = |score: &Score| -> Vec<Vec<(u64, u64, u8, u8)>> {
            let ticks = u64::from(score.ticks_per_quarter.get());
            let note = |n: &cantus_score::Note| {
                (n.onset.0 * 3360 / ticks, n.duration.0 * 3360 / ticks, n.pitch.get(), n.velocity.get())
            };
            let mut parts: Vec<Vec<_>> = score.parts.iter().map(|part| part.notes.iter().map(note).collect()).collect();
            parts.iter_mut().for_each(|notes| notes.sort_unstable());
            parts.retain(|notes| !notes.is_empty());
            parts
        };
        prop_assert_eq!(times(&canonical), times(&score));
        let bytes = write(&score).expect("written");
        let reading = read(&bytes, &Limits::default()).expect("what is written can be read");
        prop_assert_eq!(reading.warnings, vec![]);
        prop_assert_eq!(&reading.score, &canonical);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        prop_assert_eq!(text(&write(&canonical).expect("again")), text(&bytes));
        let packed = write_compressed(&score).expect("packed");
        prop_assert_eq!(read(&packed, &Limits::default()).expect("unpacked").score, canonical);
        prop_assert_eq!(write_compressed(&score).expect("again"), packed);
    }

    #[test]
    fn any_score_is_written_or_refused(score in with_words_and_signs(any_score().boxed())) {
        // Silences of a thousand bars are tested with the limits.
        let end = u64::from(score.ticks_per_quarter.get()) * 200;
        let score = score.before(Ticks(end));
        let Ok(canonical) = canonicalize(&score) else { return Ok(()) };
        let bytes = write(&score).expect("as the canonical form");
        let limits = Limits { max_quarters: u64::MAX, ..Limits::default() };
        let reading = read(&bytes, &limits).expect("what is written can be read");
        prop_assert_eq!(reading.score.note_count(), score.note_count());
        prop_assert_eq!(reading.score, canonical);
    }

    #[test]
    fn damaged_documents_never_panic(
        score in with_words_and_signs(grid_score().boxed()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
        is_packed in any::<bool>(),
    ) {
        let mut bytes = if is_packed { write_compressed(&score) } else { write(&score) }.expect("written");
        for (place, byte, kind) in edits {
            // A removal after a truncation may have left nothing to damage.
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        check_any_bytes(&bytes);
    }

    #[test]
    fn arbitrary_elements_never_panic(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..120)) {
        check_any_bytes(document(&words.concat()).as_bytes());
    }
}

/// Pieces of a measure, in no sensible order.
const WORDS: [&str; 49] = [
    "<note>",
    "</note>",
    "<chord/>",
    "<rest/>",
    "<grace/>",
    "<cue/>",
    "<pitch><step>C</step><octave>4</octave></pitch>",
    "<pitch><step>H</step><octave>99999999999</octave></pitch>",
    "<duration>1</duration>",
    "<duration>-3</duration>",
    "<duration>18446744073709551615</duration>",
    "<duration>1e300</duration>",
    "<duration>0.3</duration>",
    "<tie type=\"start\"/>",
    "<tie type=\"stop\"/>",
    "<backup><duration>2</duration></backup>",
    "<backup><duration>99999999</duration></backup>",
    "<forward><duration>3</duration></forward>",
    "<forward><duration>9999999999999</duration></forward>",
    "<attributes><divisions>0</divisions></attributes>",
    "<attributes><divisions>7</divisions></attributes>",
    "<attributes><divisions>4294967291</divisions></attributes>",
    "<attributes><time><beats>0</beats><beat-type>4</beat-type></time></attributes>",
    "<attributes><time><beats>3+255</beats><beat-type>8</beat-type></time></attributes>",
    "<attributes><key><fifths>99</fifths></key></attributes>",
    "<grace slash=\"yes\"/>",
    "<voice>2</voice>",
    "<notations><ornaments><tremolo>3</tremolo></ornaments><slur type=\"start\"/></notations>",
    "<notations><ornaments><tremolo type=\"start\">8</tremolo></ornaments></notations>",
    "<notations><ornaments><tremolo type=\"stop\">1</tremolo></ornaments></notations>",
    "<unpitched/>",
    "<lyric number=\"9\"><text>la</text></lyric>",
    "<sound dacapo=\"yes\"/>",
    "<sound dalsegno=\"s\" segno=\"s\" tocoda=\"c\" coda=\"c\" fine=\"yes\" time-only=\"1,2\"/>",
    "<sound damper-pedal=\"yes\" pizzicato=\"yes\"/>",
    "<sound><swing><first>999</first><second>1</second></swing></sound>",
    "<direction><direction-type><pedal type=\"change\"/><dynamics><sfz/></dynamics><coda/></direction-type><offset sound=\"yes\">-99</offset></direction>",
    "<harmony><root><root-step>C</root-step></root><kind text=\"&quot;7\">x</kind><offset>-1</offset></harmony>",
    "<attributes><measure-style><measure-repeat type=\"start\">1</measure-repeat></measure-style></attributes>",
    "<attributes><time><beats>1</beats><beat-type>8</beat-type></time><divisions>1.5</divisions></attributes>",
    "<attributes><transpose><chromatic>-2147483648</chromatic></transpose></attributes>",
    "<sound tempo=\"0\"/>",
    "<sound tempo=\"NaN\" dynamics=\"inf\"/>",
    "<barline><repeat direction=\"forward\"/></barline>",
    "<barline><repeat direction=\"backward\" times=\"4294967295\"/></barline>",
    "<barline><ending number=\"1,2,99\" type=\"start\"/></barline>",
    "</measure><measure>",
    "</part><part id=\"Q\"><measure>",
    "&nothing;",
];

/// What must hold of any bytes: if they are read, limits hold, and what was read can be written and read again.
fn check_any_bytes(bytes: &[u8]) {
    let limits = Limits { max_notes: 2000, max_quarters: 3000, max_warnings: 5, max_tracks: 9, ..Limits::default() };
    let Ok(Reading { score, warnings, .. }) = read(bytes, &limits) else { return };
    assert!(score.note_count() <= limits.max_notes && warnings.len() <= limits.max_warnings);
    assert!(score.parts.len() <= limits.max_tracks);
    assert!(warnings.iter().all(|warning| !warning.to_string().contains(char::is_control)));
    let canonical = canonicalize(&score).expect("what is read can be written");
    let again = read(&write(&score).expect("written"), &Limits::default()).expect("what is written can be read");
    assert_eq!(again.score, canonical);
}

/// A document with one part and what stands in its measures; the first measure begins before, and the last one ends after it.
fn document(measures: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><score-partwise><part-list><score-part id=\"P\"><part-name>Flute</part-name></score-part>\
         </part-list><part id=\"P\"><measure number=\"1\">{measures}</measure></part></score-partwise>"
    )
}

fn notes(text: &str) -> (Vec<(u64, u64, u8)>, Vec<Oddity>) {
    let reading = read(document(text).as_bytes(), &Limits::default()).expect("a document");
    let notes = reading.score.notes().map(|note| (note.onset.0, note.duration.0, note.pitch.get()));
    (notes.collect(), reading.warnings.iter().map(|warning| warning.oddity).collect())
}

/// A note of so many divisions, with more elements behind its duration.
fn xml(step: char, duration: u64, more: &str) -> String {
    format!("<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration>{more}</note>")
}

#[test]
fn a_small_score_is_written_like_this() {
    let mut score = Score::new(TicksPerQuarter::new(2).expect("not zero"));
    score.title = Some("A < B".to_owned());
    score.tempos.push((Ticks::ZERO, Tempo::DEFAULT));
    score.meters = vec![(Ticks(0), "3/4".parse().expect("a metre"))];
    score.keys = vec![(Ticks(0), Key::new(1, Mode::Major).expect("a key"))];
    score.parts.push(Part { notes: vec![note(0, 66, 5, 80), note(5, 60, 3, 90)], ..Part::default() });
    let text = String::from_utf8(write(&score).expect("written")).expect("text");
    let measures: Vec<&str> = text.split("<part id=\"P1\">").nth(1).expect("a part").lines().map(str::trim).collect();
    let expected = [
        "",
        "<measure number=\"1\">",
        "<attributes>",
        "<divisions>2</divisions>",
        "<key><fifths>1</fifths><mode>major</mode></key>",
        "<time><beats>3</beats><beat-type>4</beat-type></time>",
        "<clef><sign>G</sign><line>2</line></clef>",
        "</attributes>",
        "<direction placement=\"above\">",
        "<direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>120</per-minute></metronome></direction-type>",
        "<sound tempo=\"120\"/>",
        "</direction>",
        "<note><pitch><step>F</step><alter>1</alter><octave>4</octave></pitch><duration>4</duration><tie type=\"start\"/><voice>1</voice><type>half</type><notations><tied type=\"start\"/></notations></note>",
        "<note><pitch><step>F</step><alter>1</alter><octave>4</octave></pitch><duration>1</duration><tie type=\"stop\"/><voice>1</voice><type>eighth</type><beam number=\"1\">begin</beam><notations><tied type=\"stop\"/></notations></note>",
        "<note dynamics=\"100.00\"><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration><tie type=\"start\"/><voice>1</voice><type>eighth</type><beam number=\"1\">end</beam><notations><tied type=\"start\"/></notations></note>",
        "</measure>",
        "<measure number=\"2\">",
        "<note dynamics=\"100.00\"><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration><tie type=\"stop\"/><voice>1</voice><type>quarter</type><notations><tied type=\"stop\"/></notations></note>",
        "<note><rest/><duration>2</duration><voice>1</voice><type>quarter</type></note>",
        "<note><rest/><duration>2</duration><voice>1</voice><type>quarter</type></note>",
        "<barline location=\"right\"><bar-style>light-heavy</bar-style></barline>",
        "</measure>",
        "</part>",
        "</score-partwise>",
    ];
    assert_eq!(measures, expected);
    assert!(text.contains("<work-title>A &lt; B</work-title>"));
}

#[test]
fn voices_chords_ties_and_divisions_are_put_together() {
    let text = [
        "<attributes><divisions>2</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>",
        &xml('C', 4, "<tie type=\"start\"/><voice>1</voice>"),
        "<backup><duration>4</duration></backup>",
        &xml('E', 2, "<voice>2</voice>"),
        &xml('G', 2, "<chord/><voice>2</voice>").replace("<note><pitch>", "<note><chord/><pitch>"),
        "<forward><duration>1</duration></forward>",
        &xml('F', 1, "<voice>2</voice>"),
        "</measure><measure><attributes><divisions>3</divisions></attributes>",
        &xml('C', 1, "<tie type=\"stop\"/><voice>1</voice>"),
        &xml('D', 1, ""),
        &xml('E', 4, ""),
    ];
    // Six ticks to the quarter: the least common multiple.
    let (found, oddities) = notes(&text.concat());
    assert_eq!(found, [(0, 14, 60), (0, 6, 64), (0, 6, 67), (9, 3, 65), (14, 2, 62), (16, 8, 64)]);
    assert_eq!(oddities, []);
}

#[test]
fn repeats_and_endings_are_played() {
    let bar = |step, before: &str, after: &str| format!("{before}{}{after}</measure><measure>", xml(step, 4, ""));
    let text = [
        bar('C', "", ""),
        bar('D', "<barline><repeat direction=\"forward\"/></barline>", ""),
        bar(
            'E',
            "<barline><ending number=\"1\" type=\"start\"/></barline>",
            "<barline><ending number=\"1\" type=\"stop\"/><repeat direction=\"backward\"/></barline>",
        ),
        bar(
            'F',
            "<barline><ending number=\"2\" type=\"start\"/></barline>",
            "<barline><ending number=\"2\" type=\"stop\"/></barline>",
        ),
        bar('G', "", ""),
    ];
    let (found, _) = notes(&text.concat());
    let pitches: Vec<u8> = found.iter().map(|(_, _, pitch)| *pitch).collect();
    assert_eq!(pitches, [60, 62, 64, 62, 65, 67]);
}

#[test]
fn what_the_reader_leaves_out_it_names() {
    let text = [
        "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>",
        &xml('D', 1, ""),
        &xml('E', 1, "<cue/>"),
        "<note><pitch><step>C</step><octave>99</octave></pitch><duration>1</duration></note>",
        "<note><pitch><step>C</step><octave>4</octave></pitch></note>",
        &xml('F', 1, "<tie type=\"start\"/>"),
        "<sound dalsegno=\"x\"/>&nothing;",
    ];
    let (found, oddities) = notes(&text.concat());
    assert_eq!(found, [(0, 1, 60), (3, 1, 63)]);
    let expected =
        [Oddity::Cue(1), Oddity::Pitch(1), Oddity::Duration(1), Oddity::Entity(1), Oddity::Jump, Oddity::LooseTie(1)];
    assert_eq!(oddities, expected);
}

#[test]
fn instruments_ports_pedal_words_and_signs_are_written_like_this() {
    let mut score = Score::new(TicksPerQuarter::new(1).expect("not zero"));
    (score.composer, score.rights) = (Some("A. B.".to_owned()), Some("Public domain".to_owned()));
    score.chords = vec![(Ticks(0), "Am7/G".to_owned()), (Ticks(3), "N.C.".to_owned())];
    score.markers = vec![(Ticks(4), "Trio".to_owned())];
    let program = |number| Program::new(number).expect("a program");
    let lyric = |at, text: &str, goes_on| Lyric { at: Ticks(at), verse: 1, text: text.to_owned(), goes_on };
    score.parts.push(Part {
        port: 1,
        channel: 4,
        programs: vec![(Ticks(0), program(73)), (Ticks(4), program(40))],
        notes: vec![note(0, 60, 2, 80), note(2, 60, 2, 80), note(4, 60, 4, 80)],
        pedal: vec![PedalSpan { down: Ticks(0), up: Ticks(3) }, PedalSpan { down: Ticks(3), up: Ticks(8) }],
        lyrics: vec![lyric(0, "A", true), lyric(2, "men", false)],
        ..Part::default()
    });
    score.parts.push(Part { notes: vec![note(0, 36, 8, 80)], ..Part::of_drums() });
    let bytes = write(&score).expect("written");
    let text = String::from_utf8_lossy(&bytes);
    for element in [
        "<creator type=\"composer\">A. B.</creator>",
        "<rights>Public domain</rights>",
        "<midi-device id=\"P1-I1\" port=\"2\"/>",
        "<midi-instrument id=\"P1-I1\"><midi-channel>5</midi-channel><midi-program>74</midi-program></midi-instrument>",
        "<midi-instrument id=\"P1-I2\"><midi-program>41</midi-program></midi-instrument>",
        "<instrument id=\"P1-I2\"/>",
        "<root><root-step>A</root-step></root><kind text=\"m7\">minor-seventh</kind><bass><bass-step>G</bass-step></bass>",
        "<kind text=\"N.C.\">none</kind><offset>1</offset>",
        "<rehearsal>Trio</rehearsal>",
        "<pedal type=\"start\" line=\"yes\"/>",
        "<pedal type=\"change\" line=\"yes\"/></direction-type><offset sound=\"yes\">1</offset>",
        "<pedal type=\"stop\" line=\"yes\"/>",
        "<lyric number=\"1\"><syllabic>begin</syllabic><text>A</text></lyric>",
        "<lyric number=\"1\"><syllabic>end</syllabic><text>men</text></lyric>",
        "<unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched>",
        "<midi-channel>10</midi-channel><midi-unpitched>37</midi-unpitched>",
    ] {
        assert!(text.contains(element), "{element} in {text}");
    }
    let mut expected = score;
    expected.meters = vec![(Ticks(0), "4/4".parse().expect("a metre"))];
    let mut again = read(&bytes, &Limits::default()).expect("read").score;
    again.keys.clear();
    assert_eq!(again, expected);
}

#[test]
fn an_upbeat_is_a_short_first_measure_both_ways() {
    let mut score = Score::new(TicksPerQuarter::new(4).expect("not zero"));
    let meter = "3/4".parse().expect("a metre");
    score.meters = vec![(Ticks(0), meter), (Ticks(4), meter)];
    score
        .parts
        .push(Part { notes: vec![note(0, 60, 4, 80), note(4, 62, 12, 80), note(16, 64, 12, 80)], ..Part::default() });
    let bytes = write(&score).expect("written");
    // As sequencers write an upbeat: a metre of its own.
    score.meters[0].1 = "1/4".parse().expect("a metre");
    assert_eq!(write(&score).expect("written"), bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("<measure number=\"0\" implicit=\"yes\">") && text.contains("<measure number=\"1\">"));
    let again = read(&bytes, &Limits::default()).expect("read").score;
    assert_eq!(
        again.meters.iter().map(|(at, _)| at.0).collect::<Vec<_>>(),
        [0, u64::from(again.ticks_per_quarter.get())]
    );
}

#[test]
fn what_was_played_is_one_voice_of_plain_values() {
    let written = |ticks: u32, notes: Vec<(u64, u64)>| {
        let mut score = Score::new(TicksPerQuarter::new(ticks).expect("not zero"));
        let notes =
            notes.iter().enumerate().map(|(k, (onset, duration))| note(*onset, 60 + k as u8 % 8, *duration, 80));
        score.parts.push(Part { notes: notes.collect(), ..Part::default() });
        String::from_utf8(write(&score).expect("written")).expect("text")
    };
    // Quarters that overlap by a 24th, and eighths with a human touch on 24 ticks.
    let overlapping = written(480, (0..16).map(|k| (480 * k, 500)).collect());
    let touch = [0i64, 0, -1, 0, 1, -1, 0, 1];
    let late = |k: usize| (12 * k as i64 + touch[k % 8]) as u64;
    let played = written(24, (0..32).map(|k| (late(k), 11 + k as u64 % 3)).collect());
    for (text, kind, count) in [(overlapping, "quarter", 16), (played, "eighth", 32)] {
        let found = |what: &str| text.matches(what).count();
        let (kinds, notes) = (found(&format!("<type>{kind}</type>")), found("<note"));
        assert_eq!((kinds, notes, found("<voice>2"), found("<measure")), (count, count, 0, 4), "{text}");
    }
}

#[test]
fn hostile_files_are_refused_by_name() {
    let limits = Limits { max_bytes: 100_000, max_notes: 3, max_quarters: 50, max_tracks: 2, ..Limits::default() };
    let error = |bytes: &[u8]| read(bytes, &limits).expect_err("refused");
    assert_eq!(error(b""), MusicXmlError::Empty);
    assert_eq!(error(&vec![b' '; 100_001]), MusicXmlError::TooLarge { found: 100_001, limit: 100_000 });
    assert_eq!(error(b"<score-timewise/>"), MusicXmlError::Timewise);
    assert_eq!(error(b"<svg/>"), MusicXmlError::OtherRoot { root: "svg".to_owned() });
    assert_eq!(error(b"Dear sir"), MusicXmlError::OtherRoot { root: String::new() });
    assert!(matches!(error(b"<score-partwise>\n<part id='P'"), MusicXmlError::Malformed { line: 2, .. }));
    assert!(matches!(error(b"<score-partwise><part><measure>"), MusicXmlError::Malformed { .. }));
    let deep = document(&format!("{}{}", "<a>".repeat(100), "</a>".repeat(100)));
    assert!(matches!(error(deep.as_bytes()), MusicXmlError::TooDeep { limit: 64, .. }));
    let four: String = (0..4).map(|_| xml('C', 1, "")).collect();
    assert_eq!(error(document(&four).as_bytes()), MusicXmlError::TooManyNotes { limit: 3 });
    assert_eq!(error(document(&xml('C', 51, "")).as_bytes()), MusicXmlError::TooLong { limit: 50 });
    let parts = document("</measure></part><part id='P'/><part id='P'><measure>");
    assert_eq!(error(parts.as_bytes()), MusicXmlError::TooManyParts { limit: 2 });
    // Three notes, repeated until there are four.
    let repeated =
        document(&(xml('C', 1, "") + &xml('C', 1, "") + "<barline><repeat direction=\"backward\"/></barline>"));
    assert_eq!(error(repeated.as_bytes()), MusicXmlError::TooManyNotes { limit: 3 });
}

#[test]
fn entities_are_not_expanded_and_archives_do_not_balloon() {
    let laughs = format!(
        "<!DOCTYPE score-partwise [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\"><!ENTITY c SYSTEM \"file:///etc/passwd\">]>{}",
        document(&format!("{}&b;&c;", xml('C', 1, "")))
    );
    let reading = read(laughs.as_bytes(), &Limits::default()).expect("read");
    assert_eq!(reading.warnings.iter().map(|warning| warning.oddity).collect::<Vec<_>>(), [Oddity::Entity(2)]);

    // Ten million spaces pack into ten kilobytes.
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    score.parts.push(Part { notes: vec![note(0, 60, 480, 80)], ..Part::default() });
    let plain = write(&score).expect("written");
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    bomb.start_file("score.xml", zip::write::SimpleFileOptions::default()).expect("an entry");
    std::io::Write::write_all(&mut bomb, &[plain, vec![b' '; 10_000_000]].concat()).expect("packed");
    let bomb = bomb.finish().expect("an archive").into_inner();
    assert!(bomb.len() < 50_000);
    let limits = Limits { max_bytes: 100_000, ..Limits::default() };
    assert_eq!(read(&bomb, &limits), Err(MusicXmlError::TooLarge { found: 100_001, limit: 100_000 }));
    assert!(read(&bomb, &Limits::default()).is_ok());
    assert!(matches!(read(b"PK\x03\x04 and nothing more", &limits), Err(MusicXmlError::Archive { .. })));
}

#[test]
fn what_the_format_cannot_hold_is_an_error() {
    let with = |part: Part| Score { parts: vec![part], ..Score::new(TicksPerQuarter::DEFAULT) };
    let channel = with(Part { channel: 16, notes: vec![note(0, 60, 1, 80)], ..Part::default() });
    assert_eq!(write(&channel), Err(WriteError::Channel { part: 1, found: 16 }));
    let endless = with(Part { notes: vec![note(u64::MAX / 2, 60, 1, 80)], ..Part::default() });
    assert_eq!(write(&endless), Err(WriteError::TooManyBars { limit: 200_000 }));
}

#[test]
fn texts_in_utf16_and_latin1_are_understood() {
    let text = document(&xml('C', 1, "")).replace("Flute", "Flöte");
    let utf16: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for bytes in [text.into_bytes(), utf16, latin1] {
        let score = read(&bytes, &Limits::default()).expect("read").score;
        assert_eq!(score.parts[0].name.as_deref(), Some("Flöte"));
    }
}

#[test]
fn a_key_changes_where_it_stands_within_a_bar() {
    let mut score = Score::new(TicksPerQuarter::new(2).expect("not zero"));
    let key = |fifths| Key::new(fifths, Mode::Major).expect("a key");
    // The first change comes with a note, the second under one that sounds on.
    let notes = vec![note(0, 66, 4, 80), note(4, 66, 4, 80), note(8, 61, 8, 80)];
    score.parts.push(Part { notes, ..Part::default() });
    score.keys = vec![(Ticks(0), key(0)), (Ticks(4), key(2)), (Ticks(10), key(-3))];
    let bytes = write(&score).expect("written");
    let text = String::from_utf8(bytes.clone()).expect("text");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text}"));
    let second = at("<attributes><key><fifths>2</fifths><mode>major</mode></key></attributes>");
    assert!(
        lines[second - 1].contains("<type>half</type>") && lines[second + 1].contains("<type>half</type>"),
        "{text}"
    );
    let third = at("<attributes><key><fifths>-3</fifths>");
    assert!(lines[third - 2].contains("<duration>4</duration>"), "after the note of four divisions: {text}");
    assert_eq!(lines[third - 1], "<backup><duration>3</duration></backup>");
    assert_eq!(lines[third + 1], "<forward><duration>3</duration></forward>");
    let again = read(&bytes, &Limits::default()).expect("read").score;
    let keys = |score: &Score| -> Vec<(u64, Key)> {
        score.keys.iter().map(|(at, key)| (at.0 * 2 / u64::from(score.ticks_per_quarter.get()), *key)).collect()
    };
    assert_eq!(keys(&again), keys(&score));
    assert_eq!(again, canonicalize(&score).expect("canonical"));
}
