//! ABC as people write it: clefs and keys, directives, grace notes, jumps, words, and text that is not quite ABC.

use cantus_formats::Limits;
use cantus_formats::abc::{Oddity, Reading, read};
use cantus_score::{Score, Ticks};

/// The first tune of a book.
fn reading(text: &str) -> Reading {
    read(text.as_bytes(), &Limits::default()).expect("a book").tunes.remove(0).reading.expect("a tune")
}

fn score(text: &str) -> Score {
    reading(text).score
}

/// Its oddities.
fn odd(text: &str) -> Vec<Oddity> {
    reading(text).warnings.into_iter().map(|warning| warning.oddity).collect()
}

/// The pitches of each part.
fn pitches(text: &str) -> Vec<Vec<u8>> {
    let score = score(text);
    score.parts.iter().map(|part| part.notes.iter().map(|note| note.pitch.get()).collect()).collect()
}

/// Onset, duration and pitch of the notes of the first part, with a 32nd as 1.
fn short(text: &str) -> Vec<(u64, u64, u8)> {
    let score = score(text);
    let unit = u64::from(score.ticks_per_quarter.get()) / 8;
    let exact = |time: Ticks| {
        assert!(time.0.is_multiple_of(unit), "{time}");
        time.0 / unit
    };
    score.parts[0].notes.iter().map(|note| (exact(note.onset), exact(note.duration), note.pitch.get())).collect()
}

/// A tune in C, 4/4, with a quarter as the unit.
fn tune(body: &str) -> String {
    format!("X:1\nM:4/4\nL:1/4\nK:C\n{body}\n")
}

/// Places in quarters.
fn quarters(score: &Score, at: Ticks) -> f64 {
    at.quarters(score.ticks_per_quarter)
}

#[test]
fn a_clef_within_the_music_leaves_the_key() {
    let text = "X:1\nM:2/4\nL:1/4\nK:D\nV:1 treble\nV:2 bass\n[V:1] F C|[K:bass] F, C,|[K:clef=treble] F C|\n\
                [V:2] D,2|[K:alto]\nF C|[K:A clef=bass] G, F,|\n";
    assert_eq!(pitches(text), [vec![66, 61, 54, 49, 66, 61], vec![50, 66, 61, 56, 54]]);
    let score = score(text);
    let keys: Vec<_> = score.keys.iter().map(|(at, key)| (quarters(&score, *at), key.fifths())).collect();
    assert_eq!(keys, [(0.0, 2), (4.0, 3)]);
    // On a line of its own, with an octave, and back.
    assert_eq!(pitches("X:1\nL:1/4\nK:G\nF\nK:treble-8\nF\nK:treble\nF\nK:none\nF\n"), [[66, 54, 66, 65]]);
    assert_eq!(pitches("X:1\nL:1/4\nK:G transpose=2\nF\nK:bass\nF\nK:octave=-1 transpose=0\nF\n"), [[68, 68, 54]]);
}

#[test]
fn keys_have_the_accidentals_that_are_named() {
    let scale = |key: &str| pitches(&format!("X:1\nL:1/4\nK:{key}\nDEFGABcd\n")).remove(0);
    assert_eq!(scale("D =c"), [62, 64, 66, 67, 69, 71, 72, 74]);
    assert_eq!(scale("D exp _b ^f"), [62, 64, 66, 67, 69, 70, 72, 74]);
    assert_eq!(scale("Dphr ^f"), [62, 63, 66, 67, 69, 70, 72, 74]);
    assert_eq!(scale("Bb =e"), [62, 64, 65, 67, 69, 70, 72, 74]);
    assert_eq!(scale("Bb ^f"), [62, 63, 66, 67, 69, 70, 72, 74]);
}

#[test]
fn directives_choose_instruments_and_transpose() {
    let spaced = score(&tune("[I:MIDI = program 32][I:MIDI= transpose -12]C4"));
    assert_eq!((spaced.parts[0].program().get(), spaced.parts[0].notes[0].pitch.get()), (32, 48));
    let text = "X:1\nM:4/4\nL:1/4\nK:C\nV:1\n%%MIDI program 1 73\n%%MIDI transpose -2\nDEFG|\nV:2\n%%MIDI program 56\n\
                [I:MIDI transpose 12]CDEF|\nV:3\n%%MIDI channel 10\n%%MIDI drummap C 36\nC ^F C C|\nV:4\n[I:MIDI=program 32]C4|\n";
    assert_eq!(pitches(text), [vec![60, 62, 63, 65], vec![72, 74, 76, 77], vec![36, 66, 36, 36], vec![60]]);
    assert_eq!(odd(text), []);
    let score = score(text);
    let about: Vec<_> = score.parts.iter().map(|part| (part.program().get(), part.channel, part.drums)).collect();
    assert_eq!(about, [(73, 0, false), (56, 1, false), (0, 9, true), (32, 2, false)]);
    // In the header for all voices; later in the voice for what follows.
    let text = "X:1\nL:1/4\n%%MIDI program 40\n%%MIDI transpose -2\nK:C\nV:1\nC[I:MIDI program 41]C\nV:2\nC\n";
    assert_eq!(pitches(text), [vec![58, 58], vec![58]]);
    let score = self::score(text);
    let programs =
        |k: usize| score.parts[k].programs.iter().map(|(at, program)| (quarters(&score, *at), program.get()));
    assert_eq!(programs(0).collect::<Vec<_>>(), [(0.0, 40), (1.0, 41)]);
    assert_eq!(programs(1).collect::<Vec<_>>(), [(0.0, 40)]);
}

#[test]
fn accidentals_hold_as_far_as_a_directive_says() {
    let with = |how: &str| pitches(&format!("X:1\nL:1/4\n{how}\nK:C\n^c c C c|c\n")).remove(0);
    assert_eq!(with("%%propagate-accidentals not"), [73, 72, 60, 72, 72]);
    assert_eq!(with("I:propagate-accidentals octave"), [73, 73, 60, 73, 72]);
    assert_eq!(with("%%propagate-accidentals pitch"), [73, 73, 61, 73, 72]);
    assert_eq!(with("%%MIDI nobarlines"), [73, 72, 60, 72, 72]);
    // The standard names no other way.
    assert_eq!(odd("X:1\nK:C\n%%propagate-accidentals maybe\nC\n").len(), 1);
}

#[test]
fn drums_are_said_by_channel_clef_kit_or_name() {
    let drums = |voice: &str| {
        let score = score(&format!("X:1\nL:1/4\nK:C\nV:1 {voice}\nC|\n"));
        (score.parts[0].drums, score.parts[0].channel == 9)
    };
    for voice in [
        "\n%%MIDI channel 10",
        "clef=perc",
        "perc",
        "\n%%MIDI drummap C 38",
        "\nI:percmap C C 38 normal",
        "name=\"Drums\"",
    ] {
        assert_eq!(drums(voice), (true, true), "{voice}");
    }
    for voice in ["", "bass", "name=\"Drums\"\n%%MIDI program 13", "perc\n%%MIDI channel 2", "name=\"Oboe\""] {
        assert_eq!(drums(voice), (false, false), "{voice}");
    }
    assert_eq!(pitches("X:1\nL:1/4\nK:C\nV:1 perc\n%%percmap D E 42 x\nD E\n"), [[42, 64]]);
    // A kit that is said elsewhere is another voice's.
    let two = |flute: &str| {
        let score = score(&format!("X:1\nL:1/4\nV:D perc\nV:F {flute}\n%%MIDI drummap C 36\nK:C\nV:D\nC\nV:F\nC\n"));
        let parts = score.parts.iter();
        parts.map(|part| (part.drums, part.notes[0].pitch.get())).collect::<Vec<_>>()
    };
    for flute in ["name=\"Flute\"", "treble", "treble+8 octave=-1"] {
        assert_eq!(two(flute), [(true, 36), (false, 60)], "{flute}");
    }
    assert!(!score(&tune("C[I:MIDI drummap C 36]D")).parts[0].drums);
}

#[test]
fn a_voice_stays_drums_or_stays_pitches() {
    let late = tune("CD|[K:perc]EF|");
    assert_eq!((pitches(&late), odd(&late)), (vec![vec![60, 62, 64, 65]], vec![Oddity::DrumsWithin]));
    assert!(!score(&late).parts[0].drums);
    let kit = "X:1\nL:1/4\nV:1 clef=perc\nK:C\nCD|[V:1 treble]EF|\n";
    assert!(score(kit).parts[0].drums);
    assert_eq!(odd(kit), [Oddity::DrumsWithin]);
    // Said before the first note, or said again, it is no change.
    let before = tune("[K:perc]CD|[K:clef=perc]EF|");
    assert!(score(&before).parts[0].drums);
    assert_eq!(odd(&before), []);
}

#[test]
fn what_is_not_obeyed_is_named_once() {
    let shown = |text: &str| reading(text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = "X:1\n%%MIDI drum dd 36 38\n%%MIDI beat 90 80 70 1\n%%scale 0.7\nI:abc-charset utf-8\nK:C\n\
                C!8va(!C!trill!C!p!C|\n%%MIDI drum d 36\n%%MIDI ratio 3 1\n!8va(!C\n";
    assert_eq!(
        shown(text),
        [
            "line 2, column 1: `%%MIDI drum` is not obeyed (2 times in this tune)",
            "line 7, column 2: the decoration `8va(` is not obeyed (2 times in this tune)",
            "line 9, column 1: `%%MIDI ratio` is not obeyed",
        ]
    );
}

#[test]
fn grace_notes_take_their_time_from_the_note_or_from_what_comes_before() {
    // Half of the note, shared.
    assert_eq!(short(&tune("{d}c2 {ef}g2|")), [(0, 8, 74), (8, 8, 72), (16, 4, 76), (20, 4, 77), (24, 8, 79)]);
    // With a stroke, a 32nd each, at the expense of what sounds before; at the beginning, of the note.
    assert_eq!(short(&tune("{/d}c2 {/ef}g2|")), [(0, 1, 74), (1, 13, 72), (14, 1, 76), (15, 1, 77), (16, 16, 79)]);
    // Chords at once, lengths in proportion, several groups one after another; accidentals hold for the bar.
    assert_eq!(short(&tune("{^c2[eg]}{a}c2|")), [(0, 4, 73), (4, 2, 76), (4, 2, 79), (6, 2, 81), (8, 8, 73)]);
}

#[test]
fn grace_notes_leave_rhythms_as_they_are() {
    let main = |text: &str| {
        let score = score(&tune(text));
        let last = score.parts[0].notes.iter().map(|note| note.end()).max().expect("notes");
        quarters(&score, last)
    };
    // Between the notes of a broken rhythm and within a tuplet; before a rest and before a bar line.
    assert_eq!(main("L:1/8\nA>{g}B c<{de}d {G}(3F4D4E4|"), 8.0 / 2.0 + 2.0);
    assert_eq!(short(&tune("c{d}z c|")), [(0, 7, 72), (7, 1, 74), (16, 8, 72)]);
    assert_eq!(short(&tune("c2{d}|c2|")), [(0, 15, 72), (15, 1, 74), (16, 16, 72)]);
    assert_eq!(short(&tune("A>{g}B|")), [(0, 12, 69), (12, 2, 79), (14, 2, 71)]);
    // Repeated, they take from what is played before.
    assert_eq!(short(&tune("|:{/d}c:|")), [(0, 1, 74), (1, 6, 72), (7, 1, 74), (8, 8, 72)]);
    // Both are counted.
    assert_eq!(score(&tune("{d}c {de}c")).note_count(), 5);
    assert_eq!(odd(&tune("{d}c {d")), [Oddity::Unclosed('{')]);
}

#[test]
fn repeats_are_found_in_bar_lines_of_any_shape() {
    assert_eq!(pitches(&tune("|:C4[:|]D4|")), [[60, 60, 62]]);
    let order = |body: &str| pitches(&tune(body)).remove(0);
    for line in ["[|]:|", "|]:|", "||:|", "]:|", ":|]", ":|"] {
        assert_eq!(order(&format!("|:C D{line}|E|")), [60, 62, 60, 62, 64], "{line}");
    }
    assert_eq!(order("C|:|D:|"), [60, 62, 62]);
    // Back to the double bar line that came last, where no beginning is written; one that is not seen is none.
    for line in ["||", "|]", "[|", "||\n"] {
        assert_eq!(order(&format!("C|D{line}E|F:|")), [60, 62, 64, 65, 64, 65], "{line}");
    }
    assert_eq!(order("C:|D||E|1F:|2G||"), [60, 60, 62, 64, 65, 64, 67]);
    assert_eq!(order("C|D||[1E:|[2F||"), [60, 62, 64, 60, 62, 65]);
    assert_eq!(order("|:C||D:|"), [60, 62, 60, 62]);
    assert_eq!(order("C[|]D:|"), [60, 62, 60, 62]);
    assert_eq!(order("C4 \"^D.C.\"||D4:|E4|"), [60, 60, 62, 62, 64]);
    // The number of an ending at the beginning of the next line, or after a blank.
    assert_eq!(order("|:C|\\\n1 D:|\\\n2 E||F"), [60, 62, 60, 64, 65]);
    assert_eq!(order("|:C| 1 D:| 2 E||F"), [60, 62, 60, 64, 65]);
    assert_eq!(order("|:C|[1\"D\"D:|[2\"E\"E||F"), [60, 62, 60, 64, 65]);
}

#[test]
fn jumps_are_followed() {
    let order = |body: &str| pitches(&tune(body)).remove(0);
    assert_eq!(order("C4|D4!fine!|E4!D.C.alfine!|]"), [60, 62, 64, 60, 62]);
    assert_eq!(order("C4|!fine! D4|E4 !D.C.!|"), [60, 62, 64, 60, 62]);
    assert_eq!(order("C4|!segno!D4|E4!tocoda!|F4!D.S.alcoda!|!coda!G4|"), [60, 62, 64, 65, 62, 64, 67]);
    assert_eq!(order("C4|D4|!dacapo!|"), [60, 62, 60, 62]);
    // Of two signs of a coda the first is the way to the second, from where it stands.
    assert_eq!(order("C4|!segno!D4|!coda!E4|F4!D.S.alcoda!||!coda!G4|]"), [60, 62, 64, 65, 62, 67]);
    // As words, and as the letters of the standard.
    assert_eq!(order("C4|D4\"^Fine\"|E4\"_D.C.\"|"), [60, 62, 64, 60, 62]);
    assert_eq!(order("C4|SD4|E4\"D.S.\"|"), [60, 62, 64, 62, 64]);
    assert_eq!(order("U: t = !D.C.!\nC4|D4t|"), [60, 62, 60, 62]);
    // Chords and other words are no jumps.
    assert_eq!(order("\"D7/c\"C4|\"D\"D4|\"^fine day\"E4|"), [60, 62, 64]);
    assert_eq!(odd(&tune("C4|D4!D.S.!|")), [Oddity::Jump]);
}

#[test]
fn texts_are_kept() {
    let text = "X:1\nT:A tune\nT:Another name\nC:Jane Doe\nC:John Roe\nZ:abc-copyright (c) 2024 J. Doe\nN:100\\% mine\nW:A verse.\nK:C\n\
                C2D2|\nw:one two\n";
    let score = score(text);
    assert_eq!(score.title.as_deref(), Some("A tune"));
    assert_eq!(score.composer.as_deref(), Some("Jane Doe; John Roe"));
    assert_eq!(score.rights.as_deref(), Some("(c) 2024 J. Doe"));
    assert_eq!(score.remarks, ["Another name", "100% mine", "A verse."]);
    let score = self::score("X:1\nT:One\n+:and more\nC:copyright: public domain\nK:C\nC\n");
    assert_eq!(
        (score.title.as_deref(), score.rights.as_deref()),
        (Some("One and more"), Some("copyright: public domain"))
    );
}

#[test]
fn words_are_sung_on_their_notes_and_repeated_with_them() {
    let text = tune("|:C D z E-|E F G2:|\nw:Al-le-lu-*ia now\nw:2.~A men | x\n+: y");
    let score = score(&text);
    let sung: Vec<_> = score.parts[0]
        .lyrics
        .iter()
        .map(|lyric| (quarters(&score, lyric.at), lyric.verse, lyric.text.as_str(), lyric.goes_on))
        .collect();
    let once = [
        (0.0, 1, "Al", true),
        (0.0, 2, "2. A", false),
        (1.0, 1, "le", true),
        (1.0, 2, "men", false),
        (3.0, 1, "lu", true),
        (4.0, 2, "x", false),
        (5.0, 1, "ia", false),
        (5.0, 2, "y", false),
        (6.0, 1, "now", false),
    ];
    assert_eq!(sung[..9], once);
    assert_eq!(sung[9..], once.map(|(at, verse, text, goes_on)| (at + 8.0, verse, text, goes_on)));
}

#[test]
fn chord_symbols_and_parts_stand_where_they_are_written() {
    let score = score(&tune("P:A\n|:\"Am7\"C2 \"^slow\"D > \"D/F#\"E|\"4\"F4:|\nP:Trio\n\"N.C.\"G4|"));
    let chords: Vec<_> = score.chords.iter().map(|(at, chord)| (quarters(&score, *at), chord.as_str())).collect();
    assert_eq!(chords, [(0.0, "Am7"), (3.5, "D/F#"), (8.0, "Am7"), (11.5, "D/F#"), (16.0, "N.C.")]);
    let markers: Vec<_> = score.markers.iter().map(|(at, name)| (quarters(&score, *at), name.as_str())).collect();
    assert_eq!(markers, [(0.0, "A"), (8.0, "A"), (16.0, "Trio")]);
}

#[test]
fn lines_end_as_any_program_ends_them() {
    for end in ["\r", "\r\n", "\n", "\u{2028}", "\r\r\n", "\u{c}"] {
        let text = ["X:1", "M:4/4", "L:1/4", "K:G", "GABc|d2B2|", "X:2", "K:D", "def|"].join(end);
        let book = read(text.as_bytes(), &Limits::default()).expect("a book");
        let notes: Vec<_> =
            book.tunes.iter().map(|tune| tune.reading.as_ref().expect("a tune").score.note_count()).collect();
        assert_eq!(notes, [6, 3], "{end:?}");
    }
}

#[test]
fn tunes_without_numbers_end_at_blank_lines() {
    // A tune with a number has its key somewhere.
    let gap = "X:1\n\nT:Gap\nL:1/4\n\nK:D\nFC|\n\nnotes|\n";
    assert_eq!((pitches(gap), odd(gap)), (vec![vec![66, 61]], vec![Oddity::BlankInHeader]));
    assert_eq!(score(gap).title.as_deref(), Some("Gap"));
    let book = |text: &str| read(text.as_bytes(), &Limits::default());
    let found = book("M:4/4\nL:1/8\nK:Cdor\nc2BG|\n\n\nSome words.\n\nT:Two\nM:6/8\nK:D\nd2d dcB|\n").expect("a book");
    let about: Vec<_> = found.tunes.iter().map(|tune| (tune.number, tune.line)).collect();
    assert_eq!(about, [(1, 1), (2, 9)]);
    let first = found.tunes[0].reading.as_ref().expect("a tune");
    assert_eq!(first.score.parts[0].notes.iter().map(|note| note.pitch.get()).collect::<Vec<_>>(), [72, 70, 67]);
    assert_eq!(first.warnings[0].oddity, Oddity::NoNumber);
    let endings = book("M: 4/4\nL: 1/4\n|:CD|1GA:|2cB||F:|\n").expect("a book");
    let score = &endings.tunes[0].reading.as_ref().expect("a tune").score;
    let heard: Vec<_> = score.parts[0].notes.iter().map(|note| note.pitch.get()).collect();
    assert_eq!(heard, [60, 62, 67, 69, 60, 62, 72, 71, 65, 65]);
    assert!(book("Dear sir\n\nK is a letter: so is M:\n").is_err());
}

#[test]
fn what_is_no_music_changes_none() {
    // A length behind a tie, a web page's marks, a broken rhythm without a second note.
    assert_eq!(short(&tune("[CE]-3 |[CE]3|")), [(0, 48, 60), (0, 48, 64)]);
    assert_eq!(odd(&tune("C-3|C3|")), [Oddity::TieBeforeLength]);
    assert_eq!(short(&tune("CDEF|G4\n</html>")).last(), Some(&(32, 32, 67)));
    assert_eq!(odd(&tune("CDEF|G4\n</html>")), [Oddity::Markup]);
    assert_eq!(short(&tune("C<br>D")), [(0, 8, 60), (8, 8, 62)]);
    assert_eq!(short(&tune("C>|D")), [(0, 8, 60), (8, 8, 62)]);
    assert_eq!(odd(&tune("C>|D")), [Oddity::BrokenRhythm]);
    // Music that looks like marks.
    assert_eq!(short(&tune("A<b>c")).len(), 3);
}

#[test]
fn tempos_are_written_in_the_beat_of_the_metre() {
    for (metre, tempo) in [("6/8", "3/8=116"), ("2/2", "1/2=76"), ("3/4", "1/4=132"), ("12/16", "3/16=60")] {
        let text = format!("X:1\nM:{metre}\nL:1/8\nQ:{tempo}\nK:C\nCDEF\n");
        let written = cantus_formats::abc::write(&score(&text)).unwrap();
        assert!(String::from_utf8(written).unwrap().contains(&format!("[Q:{tempo}]")), "{metre}");
        let written = cantus_formats::musicxml::write(&score(&text)).unwrap();
        let beats = tempo.split('=').nth(1).unwrap();
        let mark = format!("<per-minute>{beats}</per-minute>");
        assert!(String::from_utf8(written).unwrap().contains(&mark), "{metre}");
    }
}

#[test]
fn tuplets_of_many_notes_are_read_as_the_writer_writes_them() {
    // A 17th of a quarter over another voice's 24ths: no simpler tuplet names its place.
    let score = score(&tune("(105:64:6f3/64-f/128-f/512z/32z3/256z3/1024 f"));
    let notes: Vec<(f64, f64)> =
        score.notes().map(|note| (quarters(&score, note.onset), quarters(&score, note.duration))).collect();
    assert!((notes[0].1 - 29.0 / 512.0 * 64.0 / 105.0).abs() < 1e-4, "{notes:?}");
    assert!((notes[1].0 - 0.0625).abs() < 1e-3, "{notes:?}");
    let impossible = odd(&tune("(1001:64:6f f"));
    assert_eq!(impossible, [Oddity::Tuplet]);
}
