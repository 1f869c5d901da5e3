//! What is repeated on paper is played out by the readers, and written as a repeat again where it is the same.

mod common;

use cantus_formats::{Limits, abc, midi, musicxml};
use cantus_score::{Key, Lyric, Mode, Note, Part, Pass, PedalSpan, Repeat, Score, Slur, Tempo, Ticks, TicksPerQuarter};
use common::note;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A stretch of music that is written once: its length, notes, and what stands beside them. All times are from its beginning.
#[derive(Clone, Debug)]
struct Stretch {
    length: u64,
    parts: Vec<Vec<Note>>,
    chords: Vec<u64>,
    lyrics: Vec<u64>,
    fermatas: Vec<u64>,
    slurs: Vec<(usize, usize)>,
    pedal: Vec<(u64, u64)>,
    tempos: Vec<(u64, u64)>,
    keys: Vec<(u64, i8)>,
}

prop_compose! {
    fn stretch(length: u64, parts: usize)(
        notes in vec(vec((0..length, 55u8..75, 1u64..9), 0..12), parts),
        chords in vec(0..length, 0..2),
        lyrics in vec(0usize..12, 0..3),
        fermatas in vec(0usize..12, 0..2),
        slurs in vec((0usize..12, 0usize..12), 0..3),
        pedal in vec((0..length, 1u64..6), 0..2),
        tempos in prop_oneof![4 => Just(Vec::new()), 1 => vec((0..length, select(vec![60u64, 120, 150])), 0..2)],
        keys in prop_oneof![4 => Just(Vec::new()), 1 => vec((0..length, -2i8..3), 0..2)],
    ) -> Stretch {
        let of_part = |notes: Vec<(u64, u8, u64)>| {
            let mut notes: Vec<Note> = notes.into_iter().map(|(at, pitch, long)| note(at, pitch, long.min(length - at), 80)).collect();
            notes.sort_unstable();
            notes
        };
        let parts: Vec<Vec<Note>> = notes.into_iter().map(of_part).collect();
        let onset = |k: usize| parts[0].get(k).map(|note| note.onset.0);
        let mut pedal: Vec<(u64, u64)> = pedal.into_iter().map(|(down, long)| (down, (down + long).min(length))).collect();
        pedal.sort_unstable();
        pedal.truncate(1);
        Stretch {
            length,
            chords,
            lyrics: lyrics.into_iter().filter_map(onset).collect(),
            fermatas: fermatas.into_iter().filter_map(onset).collect(),
            slurs: slurs.into_iter().filter(|(a, b)| a.max(b) < &parts[0].len()).collect(),
            pedal,
            tempos,
            keys,
            parts,
        }
    }
}

/// A section: what is played every time, and the endings in the order of playing, by their numbers; none where it has none.
#[derive(Clone, Debug)]
struct Section {
    body: Stretch,
    endings: Vec<Stretch>,
    order: Vec<usize>,
}

/// Sections of whole bars, but for the upbeat with which each of them begins.
fn section(bar: u64, parts: usize) -> impl Strategy<Value = Section> {
    let shape = (
        1u64..3,
        0..bar,
        select(vec![vec![], vec![0], vec![0, 0], vec![0, 1], vec![0, 1, 0, 1], vec![0, 0, 1], vec![0, 1, 2]]),
    );
    shape
        .prop_flat_map(move |(bars, extra, order)| {
            let count = order.iter().max().map_or(0, |last| last + 1);
            let has_endings = count > 1;
            let length = bars * bar + if has_endings { extra } else { 0 };
            let ending = move || {
                (1u64..3).prop_flat_map(move |bars| stretch(bars * bar - if has_endings { extra } else { 0 }, parts))
            };
            (stretch(length, parts), vec(ending(), count), Just(order))
        })
        .prop_map(|(body, endings, order)| Section { body, endings, order })
}

/// The sections played out.
fn played(steps: u32, meter: &str, upbeat: u64, sections: &[Section]) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(steps).expect("not zero"));
    let meter = meter.parse().expect("a metre");
    score.meters = vec![(Ticks(0), meter)];
    score.meters.extend((upbeat > 0).then_some((Ticks(upbeat), meter)));
    score.keys.push((Ticks(0), Key::new(0, Mode::Major).expect("a key")));
    score.parts = vec![Part::default(); sections[0].body.parts.len()];
    let mut now = 0;
    let mut play = |score: &mut Score, stretch: &Stretch| {
        let at = |time: u64| Ticks(now + time);
        for (part, notes) in score.parts.iter_mut().zip(&stretch.parts) {
            part.notes.extend(notes.iter().map(|note| Note { onset: at(note.onset.0), ..*note }));
        }
        let part = &mut score.parts[0];
        let lyric = |time: &u64| Lyric { at: at(*time), verse: 1, text: "la".to_owned(), goes_on: false };
        part.lyrics.extend(stretch.lyrics.iter().map(lyric));
        part.fermatas.extend(stretch.fermatas.iter().map(|time| at(*time)));
        part.pedal.extend(stretch.pedal.iter().map(|(down, up)| PedalSpan { down: at(*down), up: at(*up) }));
        let end = |k: usize| (at(stretch.parts[0][k].onset.0), stretch.parts[0][k].pitch);
        part.slurs.extend(stretch.slurs.iter().map(|(from, to)| Slur { from: end(*from), to: end(*to) }));
        score.chords.extend(stretch.chords.iter().map(|time| (at(*time), "Am".to_owned())));
        let tempo = |quarters: u64| Tempo::from_quarters_per_minute(quarters as f64).expect("a tempo");
        score.tempos.extend(stretch.tempos.iter().map(|(time, quarters)| (at(*time), tempo(*quarters))));
        let key = |fifths: i8| Key::new(fifths, Mode::Major).expect("a key");
        score.keys.extend(stretch.keys.iter().map(|(time, fifths)| (at(*time), key(*fifths))));
        now += stretch.length;
        (Ticks(now - stretch.length), Ticks(now))
    };
    for Section { body, endings, order } in sections {
        if order.is_empty() {
            play(&mut score, body);
            continue;
        }
        let mut repeat = Repeat { passes: Vec::new(), end: Ticks(0) };
        for k in order {
            let (start, ending) = play(&mut score, body);
            repeat.end = play(&mut score, &endings[*k]).1;
            repeat.passes.push(Pass { start, ending });
        }
        score.repeats.extend((order.len() > 1).then_some(repeat));
    }
    for part in &mut score.parts {
        part.notes.sort_unstable();
        part.slurs.retain(|slur| slur.from.0 < slur.to.0);
        part.slurs.sort_unstable();
        part.lyrics.sort();
        part.fermatas.sort_unstable();
        part.fermatas.dedup();
        part.pedal.sort_unstable();
    }
    score.chords.sort();
    score.tempos.sort_by_key(|(at, _)| *at);
    score.keys.sort_by_key(|(at, _)| *at);
    score
}

prop_compose! {
    /// Music with repeats.
    fn repeated()(steps in select(vec![1u32, 2, 4, 6]), (beats, meter) in select(vec![(4u64, "4/4"), (3, "3/4"), (2, "2/4")]), count in 1usize..3)(
        upbeat in prop_oneof![1 => Just(0u64), 1 => 1..beats],
        sections in vec(section(beats * u64::from(steps), count), 1..4),
        (steps, meter) in Just((steps, meter)),
    ) -> Score {
        played(steps, meter, upbeat * u64::from(steps), &sections)
    }
}

/// The same music without a word about repeats, and on one grid.
fn unfolded(score: &Score) -> Score {
    let mut plain = Score {
        repeats: Vec::new(),
        printed: Vec::new(),
        ..score.rescaled(TicksPerQuarter::new(10_080).expect("not zero"))
    };
    plain.tempos.dedup_by_key(|(_, tempo)| *tempo);
    plain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_folded_is_read_as_it_was_played(score in repeated()) {
        prop_assume!(score.note_count() > 0);
        let plain = Score { repeats: Vec::new(), ..score.clone() };
        let canonical = musicxml::canonicalize(&score).expect("it can be written");
        prop_assert_eq!(unfolded(&canonical), unfolded(&musicxml::canonicalize(&plain).expect("it can be written")));
        let bytes = musicxml::write(&score).expect("written");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let reading = musicxml::read(&bytes, &Limits::default()).expect("what is written can be read");
        prop_assert_eq!(&reading.score, &canonical, "{}", text);
        prop_assert_eq!(reading.warnings, vec![], "{}", text);
        prop_assert_eq!(String::from_utf8(musicxml::write(&canonical).expect("again")).expect("text"), text);

        let canonical = abc::canonicalize(&score).expect("it can be written");
        // Tempos, keys and chord symbols stand at notes and rests: bar lines of repeats divide rests.
        let alike =
            |score: &Score| Score { tempos: Vec::new(), keys: Vec::new(), chords: Vec::new(), ..unfolded(score) };
        prop_assert_eq!(alike(&canonical), alike(&abc::canonicalize(&plain).expect("it can be written")));
        {
            let text = String::from_utf8(abc::write(&score).expect("written")).expect("text");
            let reading = abc::read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune");
            prop_assert_eq!(&reading.score, &canonical, "{}", text);
            prop_assert_eq!(reading.warnings, vec![], "{}", text);
        }
        prop_assert!(midi::canonicalize(&score).repeats.is_empty());
    }
}

/// The only tune of a book.
fn tune(text: &str) -> Score {
    let reading =
        abc::read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune");
    assert_eq!(reading.warnings, vec![], "{text}");
    reading.score
}

/// The lines of music of a tune as it is written.
fn body(score: &Score) -> String {
    let text = String::from_utf8(abc::write(score).expect("written")).expect("text");
    let is_music = |line: &&str| {
        !line.starts_with('%') && !line.get(1..2).is_some_and(|sign| sign == ":" && !line.starts_with('|'))
    };
    text.lines().filter(is_music).collect::<Vec<_>>().join(" ")
}

#[test]
fn tunes_with_repeats_come_back_as_they_are_printed() {
    for music in [
        "|: C8 | D8 :|: E8 | F8 :|",
        // With an upbeat, which is in the last bar the second time.
        "|: G2 | c4 d4 | e2 d2 c2 :|: G2 | A4 B4 | c6 :|",
        "|: C8 | D8 | [1 E8 :| [2 F8 |]",
        "|: C8 | [1 D8 | E8 :| [2 F8 | G8 || A8 |]",
        // A bar that an ending cuts in two.
        "|: C8 | [1 D8 :| [2 E6 || F2 | G8 |: A8 :|",
        "|: C8 | [1,2 D8 :| [3 E8 |: F8 :|",
        "|: C8 | [1,3 D8 :| [2,4 E8 :| F8 |]",
        "|: C8 ::| D8 |]",
        "|: (C4 D4) :| !fermata!E8 |]",
        "|: \"Am\"C8 | [K:G]F8 :|[K:C] F8 |]",
    ] {
        let score = tune(&format!("X:1\nM:4/4\nL:1/8\nK:C\n{music}\n"));
        assert!(!score.repeats.is_empty(), "{music}");
        let again = body(&score);
        let spaceless = |text: &str| text.replace(' ', "").replace("K:G]^F", "K:G]F").replace("[K:C]=F", "[K:C]F");
        assert_eq!(spaceless(&again), spaceless(music));
        // Through MusicXML, note for note and repeat for repeat.
        let xml = musicxml::read(&musicxml::write(&score).expect("written"), &Limits::default()).expect("read");
        assert_eq!(xml.warnings, vec![]);
        let fine = |score: &Score| score.rescaled(TicksPerQuarter::new(480).expect("not zero"));
        assert_eq!(fine(&xml.score).repeats, fine(&score).repeats, "{music}");
        assert_eq!(fine(&xml.score).printed, fine(&score).printed, "{music}");
        assert_eq!(fine(&xml.score).parts[0].notes, fine(&score).parts[0].notes);
        assert_eq!(body(&xml.score), again);
    }
}

#[test]
fn what_is_not_the_same_again_is_written_out() {
    let score = tune("X:1\nM:4/4\nL:1/8\nK:C\n|: C4 D4 | E8 :| F8 |]\n");
    let written = |change: &dyn Fn(&mut Score)| {
        let mut score = score.clone();
        change(&mut score);
        (body(&score), String::from_utf8(musicxml::write(&score).expect("written")).expect("text").contains("<repeat"))
    };
    assert_eq!(written(&|_| ()), ("|:C4 D4 | E8 :| F8 |]".to_owned(), true));
    let out = ("C4 D4 | E8 | C4 D4 | E8 | F8 |]".to_owned(), false);
    let last = |score: &Score| score.parts[0].notes[4];
    // Another note, a note that is held over, a metre that does not fit.
    let other = written(&|score| score.parts[0].notes[4].pitch = score.parts[0].notes[3].pitch);
    assert_eq!(other, ("C4 D4 | E8 | C4 C4 | E8 | F8 |]".to_owned(), false));
    assert!(!written(&|score| score.parts[0].notes[2].duration = Ticks(3 * last(score).duration.0)).1);
    // Words and signs that stand there once.
    let slur = |score: &mut Score| {
        let notes = &score.parts[0].notes;
        score.parts[0].slurs =
            vec![Slur { from: (notes[2].onset, notes[2].pitch), to: (notes[3].onset, notes[3].pitch) }];
    };
    assert!(!written(&slur).1);
    assert!(!written(&|score| score.chords = vec![(last(score).onset, "G".to_owned())]).1);
    assert!(
        !written(
            &|score| score.tempos = vec![(last(score).onset, Tempo::from_quarters_per_minute(60.0).expect("a tempo"))]
        )
        .1
    );
    // Repeats that are none.
    assert_eq!(written(&|score| score.repeats[0].end = Ticks(u64::MAX)), out);
    assert_eq!(written(&|score| score.repeats[0].passes.truncate(1)), out);
    assert_eq!(written(&|score| score.repeats[0].passes.reverse()), out);
    // Loudness is nothing that a tune has.
    let louder = written(&|score| score.parts[0].notes[0].velocity = 100u8.try_into().expect("a velocity"));
    assert_eq!(louder, ("|:C4 D4 | E8 :| F8 |]".to_owned(), false));
}

#[test]
fn a_document_with_endings_comes_back() {
    let note =
        |step: char| format!("<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>4</duration></note>");
    let line = |place: &str, inside: &str| format!("<barline location=\"{place}\">{inside}</barline>");
    let (start, stop) = (
        |n: u8| format!("<ending number=\"{n}\" type=\"start\"/>"),
        |n: u8| format!("<ending number=\"{n}\" type=\"stop\"/>"),
    );
    let backward = "<repeat direction=\"backward\"/>";
    let measures = [
        format!("<attributes><divisions>1</divisions></attributes><sound tempo=\"90\"/>{}", note('C')),
        note('D'),
        line("left", &start(1)) + &note('E') + &line("right", &(stop(1) + backward)),
        line("left", &start(2)) + &note('F') + &line("right", &stop(2)),
        note('G'),
    ];
    let measures: String = measures.iter().map(|measure| format!("<measure>{measure}</measure>")).collect();
    let text = format!(
        "<score-partwise><part-list><score-part id=\"P1\"/></part-list><part id=\"P1\">{measures}</part></score-partwise>"
    );
    let score = musicxml::read(text.as_bytes(), &Limits::default()).expect("read").score;
    let letters: Vec<u8> = score.notes().map(|note| note.pitch.get()).collect();
    assert_eq!(letters, [60, 62, 64, 60, 62, 65, 67]);
    let pass = |start, ending| Pass { start: Ticks(start), ending: Ticks(ending) };
    assert_eq!(score.repeats, [Repeat { passes: vec![pass(0, 8), pass(12, 20)], end: Ticks(24) }]);
    assert_eq!(score.printed.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2, 3, 1, 2, 4, 5]);
    // The tempo is said once.
    assert_eq!(score.tempos.len(), 1);
    let written = musicxml::write(&score).expect("written");
    let text = String::from_utf8_lossy(&written);
    let count = |what: &str| text.matches(what).count();
    assert_eq!(
        (count("<measure "), count("direction=\"forward\""), count("direction=\"backward\"")),
        (5, 1, 1),
        "{text}"
    );
    assert!(text.contains("<ending number=\"2\" type=\"discontinue\"/>"), "{text}");
    let again = musicxml::read(&written, &Limits::default()).expect("read").score;
    assert_eq!(
        (&again.repeats, &again.printed, &again.parts[0].notes),
        (&score.repeats, &score.printed, &score.parts[0].notes)
    );
}
