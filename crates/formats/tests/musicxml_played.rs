//! What documents say about playing is heard: jumps, dynamics, pedal, ornaments, instruments.

use cantus_formats::Limits;
use cantus_formats::musicxml::{Oddity, Reading, read};
use cantus_score::{Note, Part, Slur, Ticks};

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

#[test]
fn bars_that_are_played_again_have_the_numbers_that_are_printed() {
    let numbers = |measures: &str| -> Vec<usize> {
        read_with(FLUTE, measures).score.numbered_bars().map(|(number, _)| number).collect()
    };
    let back = "<barline><repeat direction=\"backward\"/></barline>";
    assert_eq!(numbers(&bars(&[('C', "", ""), ('D', "", ""), ('E', "", "")])), [1, 2, 3]);
    assert_eq!(numbers(&bars(&[('C', "", ""), ('D', "", back), ('E', "", "")])), [1, 2, 1, 2, 3]);
    assert_eq!(numbers(&bars(&[('C', "", ""), ('D', "", "<sound dacapo=\"yes\"/>")])), [1, 2, 1, 2]);
    // An upbeat of a quarter that the last bar lacks: together they are a bar, played as one.
    let upbeat = [xml('C', 1, ""), xml('D', 4, ""), xml('E', 3, "") + back].join("|");
    assert_eq!(numbers(&upbeat), [0, 1, 2, 1, 2]);
}

/// Onset, pitch, duration in quarters, and velocity of every note, part by part.
fn heard(list: &str, measures: &str) -> Vec<Vec<(f64, u8, f64, u8)>> {
    let score = read_with(list, measures).score;
    let quarters = |ticks: Ticks| ticks.quarters(score.ticks_per_quarter);
    let of_part = |part: &Part| {
        let note = |note: &Note| (quarters(note.onset), note.pitch.get(), quarters(note.duration), note.velocity.get());
        part.notes.iter().map(note).collect()
    };
    score.parts.iter().map(of_part).collect()
}

/// Pitch and velocity of every note of a flute.
fn loud(measures: &str) -> Vec<(u8, u8)> {
    heard(FLUTE, measures).concat().into_iter().map(|(_, pitch, _, velocity)| (pitch, velocity)).collect()
}

/// Onset, pitch and duration of every note of a flute, in quarters.
fn times(measures: &str) -> Vec<(f64, u8, f64)> {
    heard(FLUTE, measures).concat().into_iter().map(|(onset, pitch, duration, _)| (onset, pitch, duration)).collect()
}

fn dynamics(sign: &str, staff: &str) -> String {
    format!("<direction><direction-type><dynamics><{sign}/></dynamics></direction-type>{staff}</direction>")
}

const BACK: &str = "<backup><duration>4</duration></backup>";

#[test]
fn dynamics_hold_by_time_and_staff() {
    // The second voice hears the marks between the notes of the first.
    let two = [
        &dynamics("p", ""),
        &xml('C', 2, "<voice>1</voice>"),
        &dynamics("f", ""),
        &xml('D', 2, "<voice>1</voice>"),
        BACK,
        &xml('E', 2, "<voice>2</voice>"),
        &xml('F', 2, "<voice>2</voice>"),
    ];
    assert_eq!(loud(&two.concat()), [(60, 49), (64, 49), (62, 96), (65, 96)]);
    // What sound says comes before the sign's usual velocity: hundredths of 90.
    let told = dynamics("p", "<sound dynamics=\"54\"/>").replace("<p/>", "<pp/>") + &xml('C', 4, "");
    assert_eq!(loud(&told), [(60, 49)]);
    // Each hand has its own, also in the next bar.
    let (right, left) = ("<staff>1</staff>", "<staff>2</staff>");
    let hands = [
        &dynamics("f", right),
        &xml('C', 4, right),
        BACK,
        &dynamics("p", left),
        &xml('D', 4, left),
        "|",
        &xml('E', 4, right),
        BACK,
        &xml('F', 4, left),
    ];
    assert_eq!(loud(&hands.concat()), [(60, 96), (62, 49), (64, 96), (65, 49)]);
    // A hand without marks goes by those of the other; marks without a staff are for both.
    let one = [&dynamics("f", right), &xml('C', 4, right), BACK, &xml('D', 4, left)];
    assert_eq!(loud(&one.concat()), [(60, 96), (62, 96)]);
    let both = [&dynamics("pp", ""), &xml('C', 4, right), BACK, &xml('D', 4, left)];
    assert_eq!(loud(&both.concat()), [(60, 33), (62, 33)]);
}

#[test]
fn dynamics_at_notes_and_accents_are_heard() {
    let at = |step, sign| xml(step, 1, &format!("<notations><dynamics><{sign}/></dynamics></notations>"));
    let text =
        [at('C', "p"), at('D', "sfz"), xml('E', 1, ""), at('F', "fp"), xml('G', 1, ""), at('A', "ff"), xml('B', 1, "")];
    let expected = [(60, 49), (62, 112), (64, 49), (65, 96), (67, 49), (69, 112), (71, 112)];
    assert_eq!(loud(&text.concat()), expected);
}

#[test]
fn pedals_are_pressed() {
    let pedal =
        |kind: &str| format!("<direction><direction-type><pedal type=\"{kind}\"/></direction-type></direction>");
    let spans = |measures: &str| -> Vec<(u64, u64)> {
        let score = read_with(FLUTE, measures).score;
        score.parts[0].pedal.iter().map(|span| (span.down.0, span.up.0)).collect()
    };
    let text =
        [&pedal("start"), &xml('C', 4, ""), "|", &xml('D', 2, ""), &pedal("change"), &xml('E', 2, ""), &pedal("stop")];
    assert_eq!(spans(&text.concat()), [(0, 6), (6, 8)]);
    let text = ["<sound damper-pedal=\"yes\"/>", &xml('C', 4, ""), "<sound damper-pedal=\"no\"/>", &xml('D', 4, "")];
    assert_eq!(spans(&text.concat()), [(0, 4)]);
    let text = ["<sound damper-pedal=\"70\"/>", &xml('C', 4, ""), "<sound damper-pedal=\"20\"/>", &xml('D', 4, "")];
    assert_eq!(spans(&text.concat()), [(0, 4)]);
    // The sostenuto pedal is another; a pedal that nobody releases stays down; a repeat presses it twice.
    let text = [&*pedal("sostenuto"), &xml('C', 4, ""), &pedal("stop"), &pedal("start"), &xml('D', 4, "")];
    assert_eq!(spans(&text.concat()), [(4, 8)]);
    let repeated = [
        &pedal("start"),
        &xml('C', 2, ""),
        &pedal("stop"),
        &xml('C', 2, ""),
        "<barline><repeat direction=\"backward\"/></barline>",
    ];
    assert_eq!(spans(&repeated.concat()), [(0, 2), (4, 6)]);
}

fn grace(step: char, attribute: &str, more: &str) -> String {
    format!("<note><grace{attribute}/>{more}<pitch><step>{step}</step><octave>5</octave></pitch></note>")
}

#[test]
fn grace_notes_sound() {
    let slash = " slash=\"yes\"";
    // A slashed one just before the beat, at the cost of the note before; at the beginning there is none.
    let text = xml('C', 1, "") + &grace('D', slash, "") + &xml('E', 1, "");
    assert_eq!(times(&text), [(0.0, 60, 0.875), (0.875, 74, 0.125), (1.0, 64, 1.0)]);
    let text = grace('D', slash, "") + &xml('E', 1, "");
    assert_eq!(times(&text), [(0.0, 74, 0.125), (0.125, 64, 0.875)]);
    // An unslashed one takes half of its note, or several together; a chord waits as a whole.
    let text = grace('D', "", "") + &xml('E', 2, "") + &xml('G', 2, "").replace("<pitch>", "<chord/><pitch>");
    assert_eq!(times(&text), [(0.0, 74, 1.0), (1.0, 64, 1.0), (1.0, 67, 1.0)]);
    let text = grace('D', "", "") + &grace('F', "", "<chord/>") + &grace('E', "", "") + &xml('D', 2, "");
    assert_eq!(times(&text), [(0.0, 74, 0.5), (0.0, 77, 0.5), (0.5, 76, 0.5), (1.0, 62, 1.0)]);
    // Over the bar line, and at the end of a bar.
    let text = xml('C', 4, "") + "|" + &grace('D', slash, "") + &xml('E', 4, "");
    assert_eq!(times(&text), [(0.0, 60, 3.875), (3.875, 74, 0.125), (4.0, 64, 4.0)]);
    let text = xml('C', 4, "") + &grace('D', "", "") + &grace('E', "", "");
    assert_eq!(times(&text), [(0.0, 60, 3.75), (3.75, 74, 0.125), (3.875, 76, 0.125)]);
    // Alone, and before a rest.
    assert_eq!(times(&grace('D', "", "")), [(0.0, 74, 0.125)]);
    let text = grace('D', "", "") + "<note><rest/><duration>1</duration></note>";
    assert_eq!(times(&text), [(0.0, 74, 0.5)]);
}

fn tremolo(kind: &str, bars: u8) -> String {
    format!("<notations><ornaments><tremolo type=\"{kind}\">{bars}</tremolo></ornaments></notations>")
}

#[test]
fn tremolos_are_played_stroke_by_stroke() {
    let single = xml('C', 1, &format!("<type>quarter</type>{}", tremolo("single", 1)));
    assert_eq!(times(&single), [(0.0, 60, 0.5), (0.5, 60, 0.5)]);
    // A flag counts as a bar.
    let flagged = xml('C', 1, &format!("<type>eighth</type>{}", tremolo("single", 1)));
    assert_eq!(times(&flagged).len(), 4);
    let chord = single.clone() + &xml('E', 1, "<type>quarter</type>").replace("<pitch>", "<chord/><pitch>");
    assert_eq!(times(&chord), [(0.0, 60, 0.5), (0.0, 64, 0.5), (0.5, 60, 0.5), (0.5, 64, 0.5)]);
    let two = xml('C', 1, &format!("<type>half</type>{}", tremolo("start", 1)))
        + &xml('E', 1, &format!("<type>half</type>{}", tremolo("stop", 1)));
    assert_eq!(times(&two), [(0.0, 60, 0.5), (0.5, 64, 0.5), (1.0, 60, 0.5), (1.5, 64, 0.5)]);
    // One that never stops, and one as fast as one can, are notes.
    assert_eq!(times(&xml('C', 1, &tremolo("start", 1))).len(), 1);
    assert_eq!(times(&xml('C', 1, &tremolo("unmeasured", 0))).len(), 1);
}

#[test]
fn swing_is_played() {
    let swing = |inside: &str| format!("<sound><swing>{inside}</swing></sound>");
    let note = |duration| xml('C', duration, "<type>eighth</type>");
    let onsets = |text: &str| -> Vec<u64> {
        let text = format!("<attributes><divisions>4</divisions></attributes>{text}");
        times(&text).into_iter().map(|(onset, ..)| (onset * 60.0).round() as u64).collect()
    };
    let four = note(2).repeat(4);
    let two_to_one = swing("<first>2</first><second>1</second><swing-type>eighth</swing-type>");
    assert_eq!(onsets(&(two_to_one.clone() + &four)), [0, 40, 60, 100]);
    assert_eq!(onsets(&(swing("<first>3</first><second>2</second>") + &four)), [0, 36, 60, 96]);
    assert_eq!(
        onsets(&(two_to_one.clone() + &four + "|" + &swing("<straight/>") + &four)),
        [0, 40, 60, 100, 120, 150, 180, 210]
    );
    let sixteenths = swing("<first>2</first><second>1</second><swing-type>16th</swing-type>");
    assert_eq!(onsets(&(sixteenths + &note(1).repeat(4))), [0, 20, 30, 50]);
    // Sixteenths within swung eighths stay even, and so do notes without a type.
    assert_eq!(onsets(&(two_to_one.clone() + &note(1).repeat(4) + &note(2).repeat(2))), [0, 15, 30, 45, 60, 100]);
    assert_eq!(onsets(&(two_to_one.clone() + &xml('C', 2, "").repeat(2))), [0, 30]);
    // An upbeat of an eighth is the end of a beat.
    assert_eq!(onsets(&(two_to_one + &note(2) + "|" + &note(2).repeat(8)))[..4], [10, 30, 70, 90]);
}

#[test]
fn offsets_move_what_sounds_only_where_they_say_so() {
    let tempos = |text: &str| -> Vec<(u64, u64)> {
        let score = read_with(FLUTE, &(text.to_owned() + &xml('C', 4, ""))).score;
        score.tempos.iter().map(|(at, tempo)| (at.0, tempo.quarters_per_minute().round() as u64)).collect()
    };
    let direction = |offset: &str, inside: &str| {
        let words = "<direction-type><words>faster</words></direction-type>";
        format!("<direction>{words}{offset}<sound tempo=\"90\">{inside}</sound></direction>")
    };
    assert_eq!(tempos(&direction("<offset>2</offset>", "")), [(0, 90)]);
    assert_eq!(tempos(&direction("<offset sound=\"yes\">2</offset>", "")), [(2, 90)]);
    // That of the sound itself comes first.
    assert_eq!(tempos(&direction("<offset sound=\"yes\">2</offset>", "<offset>3</offset>")), [(3, 90)]);
    assert_eq!(tempos("<sound tempo=\"90\"><offset>1</offset></sound>"), [(1, 90)]);
    let metronome = |text: &str| {
        format!(
            "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>{text}</per-minute></metronome></direction-type></direction>"
        )
    };
    assert_eq!(tempos(&metronome("100-108")), [(0, 100)]);
    assert_eq!(tempos(&metronome("c. 72")), [(0, 72)]);
}

#[test]
fn several_time_signatures_are_one() {
    let meter = |inside: &str| {
        let time = format!("<attributes><time>{inside}</time></attributes>");
        let meters = read_with(FLUTE, &(time + &xml('C', 4, ""))).score.meters;
        meters.first().map(|(_, meter)| meter.to_string())
    };
    let two_four = "<beats>2</beats><beat-type>4</beat-type>";
    let sum = |more: &str| meter(&format!("{two_four}{more}"));
    assert_eq!(sum("<beats>3+2</beats><beat-type>8</beat-type>").as_deref(), Some("9/8"));
    assert_eq!(sum("<beats>3</beats><beat-type>4</beat-type>").as_deref(), Some("5/4"));
    // What cannot be is ignored.
    assert_eq!(sum("<beats>1</beats><beat-type>0</beat-type>").as_deref(), Some("4/4"));
}

#[test]
fn keys_and_metres_change_within_a_bar() {
    let key = "<attributes><key><fifths>3</fifths></key></attributes>";
    let time = "<attributes><time><beats>2</beats><beat-type>4</beat-type></time></attributes>";
    let text = [
        "<attributes><key><fifths>0</fifths></key></attributes>",
        &xml('C', 2, ""),
        key,
        time,
        &xml('D', 2, ""),
        "|",
        &xml('E', 2, ""),
    ];
    let reading = read_with(FLUTE, &text.concat());
    let keys: Vec<(u64, i8)> = reading.score.keys.iter().map(|(at, key)| (at.0, key.fifths())).collect();
    let meters: Vec<(u64, String)> = reading.score.meters.iter().map(|(at, meter)| (at.0, meter.to_string())).collect();
    assert_eq!(keys, [(0, 0), (2, 3)]);
    assert_eq!(meters, [(0, "4/4".to_owned()), (2, "2/4".to_owned())]);
    assert_eq!(oddities(&reading), []);
}

#[test]
fn measures_that_are_signs_sound() {
    let start = |count: u8, more: &str| {
        format!(
            "<attributes><measure-style><measure-repeat type=\"start\"{more}>{count}</measure-repeat></measure-style></attributes>"
        )
    };
    let stop = "<attributes><measure-style><measure-repeat type=\"stop\"/></measure-style></attributes>";
    let rest = "<note><rest/><duration>4</duration></note>";
    let text = [&xml('C', 4, ""), "|", &start(1, ""), rest, "|", rest, "|", stop, &xml('G', 4, "")];
    assert_eq!(letters(&text.concat()), ("CCCG".to_owned(), vec![]));
    let text =
        [&xml('C', 4, ""), "|", &xml('D', 4, ""), "|", &start(2, " slashes=\"2\""), "|", "|", stop, &xml('G', 4, "")];
    assert_eq!(letters(&text.concat()), ("CDCDG".to_owned(), vec![]));
    // To the end of the part; what stands in the measure as well is not played twice.
    let text = [&xml('C', 4, ""), "|", &start(1, ""), &xml('C', 4, ""), "|", rest];
    assert_eq!(letters(&text.concat()), ("CCC".to_owned(), vec![]));
    let text = [&start(1, ""), rest, "|", stop, &xml('C', 4, "")];
    assert_eq!(letters(&text.concat()).1, [Oddity::MeasureRepeat]);
}

#[test]
fn decimal_durations_and_divisions_are_exact() {
    let note = |duration: &str| xml('C', 1, "").replace(">1<", &format!(">{duration}<"));
    let text = ["0.25", "0.25", "0.5", "1.5"].map(note).concat();
    assert_eq!(times(&text), [(0.0, 60, 0.25), (0.25, 60, 0.25), (0.5, 60, 0.5), (1.0, 60, 1.5)]);
    let text = format!("<attributes><divisions>2.5</divisions></attributes>{}", note("5"));
    assert_eq!(times(&text), [(0.0, 60, 2.0)]);
}

#[test]
fn notes_for_one_time_are_played_then() {
    let text = [
        &xml('C', 2, ""),
        &xml('D', 2, "").replace("<note>", "<note time-only=\"1\">"),
        BACK,
        "<forward><duration>2</duration></forward>",
        &xml('E', 2, "").replace("<note>", "<note time-only=\"2\">"),
        "<barline><repeat direction=\"backward\"/></barline>|",
        &xml('F', 4, ""),
        "<sound dacapo=\"yes\"/>",
    ];
    // After the jump the repeat is played for its last time.
    assert_eq!(letters(&text.concat()).0, "CDCEFCEF");
}

/// A part with two instruments: a flute and a violin.
const DOUBLING: &str = "<score-part id=\"P\"><part-name>Reeds</part-name>\
    <score-instrument id=\"A\"><instrument-name>Flute</instrument-name></score-instrument>\
    <score-instrument id=\"B\"><instrument-name>Violin</instrument-name></score-instrument>\
    <midi-instrument id=\"A\"><midi-channel>1</midi-channel><midi-program>74</midi-program></midi-instrument>\
    <midi-device id=\"B\" port=\"2\"/>\
    <midi-instrument id=\"B\"><midi-channel>2</midi-channel><midi-program>41</midi-program></midi-instrument></score-part>";

#[test]
fn instruments_change_within_a_part() {
    let (flute, violin) = ("<instrument id=\"A\"/>", "<instrument id=\"B\"/>");
    let programs =
        |part: &Part| -> Vec<(u64, u8)> { part.programs.iter().map(|(at, program)| (at.0, program.get())).collect() };
    let score =
        read_with(DOUBLING, &(xml('C', 4, flute) + "|" + &xml('D', 4, violin) + "|" + &xml('E', 4, flute))).score;
    assert_eq!(score.parts.len(), 1);
    assert_eq!(programs(&score.parts[0]), [(0, 73), (4, 40), (8, 73)]);
    // Two at once are two parts.
    let score = read_with(DOUBLING, &(xml('C', 4, flute) + BACK + &xml('D', 4, violin))).score;
    let parts: Vec<_> =
        score.parts.iter().map(|part| (part.name.as_deref(), part.port, part.channel, programs(part))).collect();
    assert_eq!(parts, [(Some("Flute"), 0, 0, vec![(0, 73)]), (Some("Violin"), 1, 1, vec![(0, 40)])]);
    // Said by a sound: with a program, or by the word for plucked strings.
    let change = "<sound><midi-instrument id=\"A\"><midi-program>76</midi-program></midi-instrument></sound>";
    let score = read_with(DOUBLING, &(xml('C', 4, "") + "|" + change + &xml('D', 4, ""))).score;
    assert_eq!(programs(&score.parts[0]), [(0, 73), (4, 75)]);
    let plucked = [
        &xml('C', 4, violin),
        "|<sound pizzicato=\"yes\"/>",
        &xml('D', 4, violin),
        "|<sound pizzicato=\"no\"/>",
        &xml('E', 4, violin),
    ];
    assert_eq!(programs(&read_with(DOUBLING, &plucked.concat()).score.parts[0]), [(0, 40), (4, 45), (8, 40)]);
}

fn drum(step: char, octave: u8, more: &str) -> String {
    let place = format!("<display-step>{step}</display-step><display-octave>{octave}</display-octave>");
    format!("<note><unpitched>{place}</unpitched><duration>1</duration>{more}</note>")
}

#[test]
fn drums_are_what_is_unpitched() {
    let kit = |channel: u8| {
        let drum = |key: u8| {
            format!(
                "<midi-instrument id=\"D{key}\"><midi-channel>{channel}</midi-channel><midi-unpitched>{}</midi-unpitched></midi-instrument>",
                key + 1
            )
        };
        format!("<score-part id=\"P\"><part-name>Kit</part-name>{}{}</score-part>", drum(36), drum(38))
    };
    let keys = |reading: &Reading| -> Vec<u8> { reading.score.notes().map(|note| note.pitch.get()).collect() };
    let named = drum('B', 4, "<instrument id=\"D36\"/>") + &drum('B', 4, "<instrument id=\"D38\"/>");
    for channel in [3, 10] {
        let reading = read_with(&kit(channel), &named);
        assert_eq!(keys(&reading), [36, 38]);
        assert!(reading.score.parts[0].drums && reading.score.parts[0].channel == Part::DRUM_CHANNEL);
        assert_eq!(oddities(&reading), []);
    }
    // The only instrument of a part need not be named.
    let one = "<score-part id=\"P\"><part-name>Snare</part-name><midi-instrument id=\"S\"><midi-unpitched>39</midi-unpitched></midi-instrument></score-part>";
    let reading = read_with(one, &(drum('C', 5, "") + "<note><unpitched/><duration>1</duration></note>"));
    assert_eq!((keys(&reading), oddities(&reading)), (vec![38, 38], vec![]));
    // Without a key the instrument's name speaks, or the part's.
    let names = "<score-part id=\"P\"><part-name>Kit</part-name>\
                 <score-instrument id=\"a\"><instrument-name>Bass Drum</instrument-name></score-instrument>\
                 <score-instrument id=\"b\"><instrument-name>Open Hi-Hat</instrument-name></score-instrument></score-part>";
    let text = drum('F', 4, "<instrument id=\"a\"/>") + &drum('G', 5, "<instrument id=\"b\"/>");
    let reading = read_with(names, &text);
    assert_eq!((keys(&reading), oddities(&reading)), (vec![36, 46], vec![]));
    let triangle = "<score-part id=\"P\"><part-name>Triangle</part-name></score-part>";
    let reading = read_with(triangle, &drum('E', 4, ""));
    assert_eq!((keys(&reading), oddities(&reading)), (vec![81], vec![]));
    assert_eq!(keys(&read_with(triangle, &xml('C', 1, ""))), [60]);
    // Where none is named, the usual drum staff.
    let text = drum('F', 4, "")
        + &drum('C', 5, "")
        + &drum('G', 5, "<notehead>x</notehead>")
        + "|"
        + &drum('G', 5, "")
        + &drum('A', 5, "<notehead>x</notehead>");
    let reading = read_with(FLUTE, &text);
    assert_eq!((keys(&reading), oddities(&reading)), (vec![36, 38, 42, 42, 49], vec![Oddity::DrumPlace(5)]));
    // Pitches and drums in one part are two.
    let score = read_with(FLUTE, &(drum('F', 4, "") + &xml('C', 1, ""))).score;
    let found: Vec<(bool, u8)> = score.parts.iter().map(|part| (part.drums, part.notes[0].pitch.get())).collect();
    assert_eq!(found, [(false, 60), (true, 36)]);
}

#[test]
fn pitches_on_the_channel_of_drums_are_a_kit_only_where_the_part_says_so() {
    let on_ten = |name: &str| {
        format!(
            "<score-part id=\"P\"><part-name>{name}</part-name><midi-instrument id=\"I\"><midi-channel>10</midi-channel></midi-instrument></score-part>"
        )
    };
    let clef = "<attributes><clef><sign>percussion</sign></clef></attributes>";
    for (name, clef, drums) in [("Viola", "", false), ("Drumset", "", true), ("Part 9", clef, true)] {
        let part = &read_with(&on_ten(name), &format!("{clef}{}", xml('C', 4, ""))).score.parts[0];
        assert_eq!((part.drums, part.channel == Part::DRUM_CHANNEL), (drums, drums), "{name}");
    }
}

#[test]
fn words_and_chord_symbols_are_read() {
    let lyric = |syllabic: &str, text: &str| {
        format!("<lyric number=\"1\"><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>")
    };
    let chord = |root: &str, kind: &str, more: &str| {
        format!("<harmony><root><root-step>{root}</root-step></root><kind>{kind}</kind>{more}</harmony>")
    };
    let text = [
        &chord("A", "minor-seventh", ""),
        &xml('C', 2, &(lyric("begin", "A") + "<lyric number=\"part1verse2\"><text>God</text></lyric>")),
        &chord("G", "dominant", "<bass><bass-step>B</bass-step></bass><offset>1</offset>"),
        &xml('D', 2, &lyric("end", "men")),
        "<direction><direction-type><rehearsal>Trio</rehearsal></direction-type></direction>|",
        &xml('E', 4, ""),
    ];
    let score = read_with(FLUTE, &text.concat()).score;
    let lyrics: Vec<_> =
        score.parts[0].lyrics.iter().map(|lyric| (lyric.at.0, lyric.verse, &*lyric.text, lyric.goes_on)).collect();
    assert_eq!(lyrics, [(0, 1, "A", true), (0, 2, "God", false), (2, 1, "men", false)]);
    let chords: Vec<_> = score.chords.iter().map(|(at, text)| (at.0, &**text)).collect();
    assert_eq!(chords, [(0, "Am7"), (3, "G7/B")]);
    let empty = read_with(FLUTE, &(chord("C", "major", "") + "<note><rest/><duration>4</duration></note>"));
    assert_eq!(oddities(&empty), [Oddity::NoNotes(1)]);
    assert!(empty.warnings[0].to_string().contains("no note in it, and 1 chord symbol"));
}

/// Onset and pitch of a slur's first and last note.
type Ends = (u64, u8, u64, u8);

/// Slurs, and fermatas.
fn slurs_and_fermatas(part: &Part) -> (Vec<Ends>, Vec<u64>) {
    let slur = |Slur { from, to }: &Slur| (from.0.0, from.1.get(), to.0.0, to.1.get());
    (part.slurs.iter().map(slur).collect(), part.fermatas.iter().map(|at| at.0).collect())
}

#[test]
fn slurs_and_fermatas_are_read_from_note_to_note() {
    let slur = |kind: &str, number: u8| format!("<slur type=\"{kind}\" number=\"{number}\"/>");
    let noted = |step, duration, inside: &str| xml(step, duration, &format!("<notations>{inside}</notations>"));
    let (start, stop) = (slur("start", 1), slur("stop", 1));
    // One within another; one that ends where the next begins; the last note is tied, and held.
    let text = [
        noted('C', 1, &(start.clone() + &slur("start", 2))),
        noted('D', 1, &slur("stop", 2)),
        noted('E', 1, &(start.clone() + &stop)),
        noted('F', 1, "<tied type=\"start\"/>"),
        "|".to_owned(),
        noted('F', 2, &format!("<tied type=\"stop\"/>{stop}<fermata/>")),
        "<note><rest/><duration>2</duration><notations><fermata/></notations></note>".to_owned(),
    ];
    let reading = read_with(FLUTE, &text.concat());
    assert_eq!(oddities(&reading), []);
    let expected = (vec![(0, 60, 1, 62), (0, 60, 2, 64), (2, 64, 3, 65)], vec![3, 6]);
    assert_eq!(slurs_and_fermatas(&reading.score.parts[0]), expected);
    // Two voices that count for themselves, and a slur from a grace note, which sounds before the beat, to its own.
    let voice = |text: String, voice: u8| text.replace("<notations>", &format!("<voice>{voice}</voice><notations>"));
    let grace = format!(
        "<note><grace/><pitch><step>B</step><octave>3</octave></pitch><voice>2</voice><notations>{start}</notations></note>"
    );
    let text = [
        voice(noted('E', 4, &start), 1),
        voice(noted('G', 4, &stop), 1),
        "<backup><duration>8</duration></backup><forward><duration>4</duration></forward>".to_owned(),
        grace,
        voice(noted('C', 2, &stop), 2),
        voice(noted('C', 2, "<fermata/>"), 2),
    ];
    let (slurs, fermatas) = slurs_and_fermatas(&read_with(FLUTE, &text.concat()).score.parts[0]);
    assert_eq!(
        slurs.iter().map(|(_, from, to, pitch)| (*from, *to, *pitch)).collect::<Vec<_>>(),
        [(64, 1920, 67), (59, 2400, 60)]
    );
    assert_eq!(fermatas, [2880]);
    // Repeats are played with all their signs; over a jump back no slur is held.
    let bar = |from: &str, to: &str, after: &str| noted('C', 2, from) + &noted('D', 2, to) + after;
    let backward = "<barline location=\"right\"><fermata/><repeat direction=\"backward\"/></barline>";
    let text = [bar(&start, &stop, ""), bar("", &start, backward), bar("", &stop, "")].join("|");
    let reading = read_with(FLUTE, &text);
    let expected = (vec![(0, 60, 2, 62), (8, 60, 10, 62), (14, 62, 18, 62)], vec![6, 14]);
    assert_eq!((slurs_and_fermatas(&reading.score.parts[0]), oddities(&reading)), (expected, vec![]));
}

#[test]
fn signs_that_are_not_kept_are_counted_once() {
    let marks = "<notations><slur type=\"start\"/><fermata/><articulations><staccato/></articulations></notations>";
    let reading = read_with(FLUTE, &(xml('C', 2, marks) + &xml('D', 2, marks)));
    assert_eq!(oddities(&reading), [Oddity::Signs { slurs: 2, fermatas: 0, ornaments: 0, articulations: 2 }]);
    assert_eq!(reading.score.parts[0].fermatas, [Ticks(0), Ticks(2)]);
    assert_eq!(reading.warnings[0].to_string(), "signs are neither played nor kept: 2 slurs, 2 articulations");
}
