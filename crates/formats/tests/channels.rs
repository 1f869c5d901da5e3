//! What belongs to a channel and not to a note: drums, ports, programs, pedal, controllers, and notes that another track ends.

mod common;

use cantus_formats::midi::{Limits, NotKept, Oddity, Reading, canonicalize, read, write};
use cantus_score::{Control, Lyric, Part, PedalSpan, Program, Score, Ticks, TicksPerQuarter};
use common::note;

/// A file of format 1 with 480 ticks to the quarter; each track ends a quarter after its last event.
fn file(tracks: &[&[&[u8]]]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06\0\x01".to_vec();
    bytes.extend((tracks.len() as u16).to_be_bytes());
    bytes.extend(480_u16.to_be_bytes());
    for events in tracks {
        let events = [&events.concat(), [0, 0xFF, 0x2F, 0].as_slice()].concat();
        bytes.extend(b"MTrk");
        bytes.extend((events.len() as u32).to_be_bytes());
        bytes.extend(events);
    }
    bytes
}

/// A file of format 0.
fn single(events: &[&[u8]]) -> Vec<u8> {
    let mut bytes = file(&[events]);
    bytes[9] = 0;
    bytes
}

fn reading(bytes: &[u8]) -> Reading {
    let reading = read(bytes, &Limits::default()).expect("a file that can be read");
    let again = read(&write(&reading.score).expect("written"), &Limits::default()).expect("read again");
    assert_eq!(again.score, canonicalize(&reading.score));
    reading
}

fn parts(bytes: &[u8]) -> Vec<Part> {
    let reading = reading(bytes);
    assert_eq!(reading.warnings, []);
    reading.score.parts
}

/// A quarter of a key on a channel.
fn stroke(channel: u8, key: u8) -> [u8; 9] {
    [0, 0x90 | channel, key, 80, 0x83, 0x60, 0x80 | channel, key, 64]
}

fn name(text: &str) -> Vec<u8> {
    [&[0, 0xFF, 3, text.len() as u8], text.as_bytes()].concat()
}

fn kinds(parts: &[Part]) -> Vec<(u8, bool)> {
    parts.iter().map(|part| (part.channel, part.drums)).collect()
}

const WAIT: &[u8] = &[0x83, 0x60, 0xFF, 1, 0];
const GS_RESET: &[u8] = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x00\x7F\x00\x41\xF7";
const XG_ON: &[u8] = b"\0\xF0\x08\x43\x10\x4C\x00\x00\x7E\x00\xF7";
const GM_ON: &[u8] = b"\0\xF0\x05\x7E\x7F\x09\x01\xF7";
/// "Use for rhythm part" for channel 11, the tenth of our count.
const RHYTHM_11: &[u8] = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x1A\x15\x02\x0F\xF7";

#[test]
fn messages_and_banks_of_any_track_make_drums() {
    let (tune, kit) = (stroke(0, 60), stroke(10, 36));
    let expected = [(0, false), (10, true)];
    assert_eq!(kinds(&parts(&file(&[&[GS_RESET, RHYTHM_11], &[&tune], &[&kit]]))), expected);
    for bank in [127, 126, 120] {
        let select = [0, 0xBA, 0, bank, 0, 0xBA, 32, 0, 0, 0xCA, 0];
        assert_eq!(kinds(&parts(&file(&[&[XG_ON], &[&tune], &[&select, &kit]]))), expected, "bank {bank}");
        assert_eq!(kinds(&parts(&file(&[&[&select], &[&tune], &[&kit]]))), expected, "bank {bank} alone");
        // Roland's bank 127 is another set of melodies.
        let roland = parts(&file(&[&[GS_RESET, &select], &[&tune], &[&kit]]));
        assert_eq!(kinds(&roland), [(0, false), (10, false)], "bank {bank}");
    }
    // Yamaha's part mode.
    let mode = b"\0\xF0\x08\x43\x10\x4C\x08\x0A\x07\x02\xF7";
    assert_eq!(kinds(&parts(&file(&[&[XG_ON, mode], &[&tune], &[&kit]]))), expected);
}

#[test]
fn the_tenth_channel_can_be_made_melodic() {
    let kit = stroke(9, 36);
    assert_eq!(kinds(&parts(&file(&[&[&kit]]))), [(9, true)]);
    let off = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x10\x15\x00\x1B\xF7";
    let melodic = file(&[&[GS_RESET, off], &[&kit]]);
    assert_eq!(kinds(&parts(&melodic)), [(9, false)]);
    assert_eq!(kinds(&parts(&file(&[&[&[0, 0xB9, 0, 121], &kit]]))), [(9, false)]);
    // Written, it leaves the channel that other readers take for drums.
    assert_eq!(kinds(&canonicalize(&reading(&melodic).score).parts), [(0, false)]);
    // A reset takes the message back.
    assert_eq!(kinds(&parts(&file(&[&[GS_RESET, off, WAIT, GM_ON], &[WAIT, &kit]]))), [(9, true)]);
}

#[test]
fn a_channel_that_changes_becomes_two_parts() {
    let off = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x1A\x15\x00\x11\xF7";
    let program = [0, 0xCA, 33];
    let bytes = file(&[
        &[RHYTHM_11, WAIT, off],
        &[&stroke(10, 36), &program, &stroke(10, 60), &stroke(10, 62)],
        &[&stroke(9, 40)],
    ]);
    let parts = parts(&bytes);
    assert_eq!(kinds(&parts), [(10, true), (10, false), (9, true)]);
    assert_eq!(parts[0].notes, [note(0, 36, 480, 80)]);
    assert_eq!(parts[1].notes, [note(480, 60, 480, 80), note(960, 62, 480, 80)]);
    assert_eq!((parts[0].programs.len(), parts[1].program().get()), (0, 33));
    // Both kits have the same program, and so one channel.
    let written = canonicalize(&reading(&bytes).score).parts;
    assert_eq!(kinds(&written), [(9, true), (10, false), (9, true)]);
}

#[test]
fn a_message_with_a_wrong_sum_is_void() {
    let mut wrong = RHYTHM_11.to_vec();
    wrong[11] ^= 1;
    let reading = reading(&file(&[&[&wrong], &[&stroke(10, 36)]]));
    assert_eq!(kinds(&reading.score.parts), [(10, false)]);
    assert_eq!(reading.warnings.iter().map(|w| w.oddity).collect::<Vec<_>>(), [Oddity::WrongSum]);
}

#[test]
fn a_name_says_drums_where_nothing_else_does() {
    let loops = [name("Drums"), stroke(0, 36).to_vec()].concat();
    assert_eq!(kinds(&parts(&file(&[&[&loops]]))), [(0, true)]);
    assert_eq!(kinds(&parts(&single(&[&loops]))), [(0, true)]);
    // An instrument's name, and a name for one channel of a track.
    assert_eq!(kinds(&parts(&file(&[&[b"\0\xFF\x04\x04Perc", &stroke(2, 36)]]))), [(2, true)]);
    let prefixed = single(&[b"\0\xFF\x20\x01\x02", &name("Drum Kit"), &stroke(2, 36), &name("Drums"), &stroke(1, 60)]);
    let prefixed = parts(&prefixed);
    assert_eq!(kinds(&prefixed), [(1, false), (2, true)]);
    assert_eq!((prefixed[0].name.as_deref(), prefixed[1].name.as_deref()), (None, Some("Drum Kit")));
    // A program of an instrument, and a message, say otherwise.
    let steel = [name("Drums"), vec![0, 0xC0, 114], stroke(0, 60).to_vec()].concat();
    assert_eq!(kinds(&parts(&file(&[&[&steel]]))), [(0, false)]);
    let melodic = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x11\x15\x00\x1A\xF7";
    assert_eq!(kinds(&parts(&file(&[&[melodic, &loops]]))), [(0, false)]);
    assert_eq!(kinds(&parts(&file(&[&[&name("Little Drummer Boy"), &stroke(0, 60)]]))), [(0, false)]);
}

#[test]
fn two_kits_at_once_keep_their_programs_on_two_ports() {
    let kit = |channel: u8, program: u8| {
        let programs = vec![(Ticks::ZERO, Program::new(program).expect("a program"))];
        Part { channel, drums: true, programs, notes: vec![note(0, 36, 240, 80)], ..Part::default() }
    };
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    score.parts = vec![kit(9, 0), kit(10, 25), kit(11, 0)];
    let written = reading(&write(&score).expect("written")).score.parts;
    let places: Vec<_> = written.iter().map(|part| (part.port, part.channel, part.program().get())).collect();
    assert_eq!(places, [(0, 9, 0), (1, 9, 25), (0, 9, 0)]);
}

#[test]
fn ports_and_devices_are_other_channels() {
    let flute = [&[0, 0xC0, 73], stroke(0, 72).as_slice()].concat();
    let tuba = [&[0, 0xC0, 58], stroke(0, 36).as_slice()].concat();
    let places = |bytes: &[u8]| {
        let parts = parts(bytes);
        parts.iter().map(|part| (part.port, part.channel, part.program().get())).collect::<Vec<_>>()
    };
    let expected = [(0, 0, 73), (1, 0, 58)];
    let port = |number: u8| vec![0, 0xFF, 0x21, 1, number];
    assert_eq!(places(&file(&[&[&port(0), &flute], &[&port(1), &tuba]])), expected);
    assert_eq!(places(&file(&[&[&flute], &[b"\0\xFF\x09\x03Two", &tuba]])), expected);
    assert_eq!(places(&file(&[&[b"\0\xFF\x09\x03One", &flute], &[b"\0\xFF\x09\x03Two", &tuba]])), expected);
    // One device for all notes: what the set-up track says is meant for it.
    let set_up: &[&[u8]] = &[&[0, 0xC0, 73]];
    assert_eq!(places(&file(&[set_up, &[b"\0\xFF\x09\x03One", &stroke(0, 72)]])), [(0, 0, 73)]);
    // Within a track, too: there and back again.
    let travelling = file(&[&[&flute, &port(1), &tuba, &port(0), &stroke(0, 74)]]);
    assert_eq!(places(&travelling), expected);
    assert_eq!(parts(&travelling)[0].notes, [note(0, 72, 480, 80), note(960, 74, 480, 80)]);
}

#[test]
fn more_than_fifteen_instruments_are_written_on_ports() {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    for program in 0..40 {
        let programs = vec![(Ticks::ZERO, Program::new(program).expect("a program"))];
        score.parts.push(Part { programs, notes: vec![note(0, 60, 480, 80)], ..Part::default() });
    }
    let bytes = write(&score).expect("written");
    let read = reading(&bytes).score.parts;
    let mut places: Vec<_> = read.iter().map(|part| (part.port, part.channel)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!((read.len(), places.len()), (40, 40));
    assert!(read.iter().zip(0..).all(|(part, program)| part.program().get() == program && part.channel != 9));
    assert!(bytes.windows(4).any(|event| event == [0xFF, 0x21, 1, 2]));
}

#[test]
fn a_channels_program_pedal_and_controllers_belong_to_all_its_parts() {
    let set_up: &[u8] = &[0, 0xC2, 40, 0, 0xB2, 7, 90, 0, 0xB2, 64, 127, 0x83, 0x60, 0xB2, 64, 0, 0, 0xE2, 0, 0x50];
    let read = parts(&file(&[&[set_up], &[&stroke(2, 60)], &[&stroke(2, 64)], &[&stroke(3, 67)]]));
    for part in &read[..2] {
        assert_eq!(part.programs, [(Ticks(0), Program::new(40).expect("a program"))]);
        assert_eq!(part.pedal, [PedalSpan { down: Ticks(0), up: Ticks(480) }]);
        let volume = Control::Controller { number: 7, value: 90 };
        assert_eq!(part.controls, [(Ticks(0), volume), (Ticks(480), Control::Bend(2048))]);
    }
    assert_eq!((read[2].programs.len(), read[2].pedal.len(), read[2].controls.len()), (0, 0, 0));
    // Written once, and heard by both.
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    score.parts = read;
    let bytes = write(&score).expect("written");
    assert_eq!(bytes.windows(2).filter(|event| event == &[0xC2, 40]).count(), 1);
}

#[test]
fn notes_end_in_other_tracks_and_by_all_notes_off() {
    // Struck in one track, released in another; the second note has its own end.
    let struck: &[u8] = &[0, 0x90, 60, 80, 0x87, 0x40, 0x90, 62, 80, 0x87, 0x40, 0x80, 62, 0];
    let released: &[u8] = &[0x83, 0x60, 0x80, 60, 0];
    assert_eq!(parts(&file(&[&[struck], &[released]]))[0].notes, [note(0, 60, 480, 80), note(960, 62, 960, 80)]);
    for silence in [120, 123, 124, 126] {
        let bytes = single(&[&[0, 0x90, 60, 80, 0x83, 0x60, 0xB0, silence, 0, 0x83, 0x60, 0x80, 60, 0]]);
        assert_eq!(parts(&bytes)[0].notes, [note(0, 60, 480, 80)], "controller {silence}");
        let bytes = file(&[&[&[0x83, 0x60, 0xB0, silence, 0]], &[&[0, 0x90, 60, 80, 0x87, 0x40, 0x80, 60, 0]]]);
        assert_eq!(parts(&bytes)[0].notes, [note(0, 60, 480, 80)], "controller {silence} in another track");
    }
}

#[test]
fn everything_beside_the_notes_is_kept_or_said() {
    let bytes = file(&[
        &[b"\0\xFF\x02\x04(c) ", b"\0\xFF\x58\x04\x06\x03\x24\x08", b"\x83\x60\xFF\x06\x05Verse"],
        &[
            &[0, 0xB0, 101, 0, 0, 0xB0, 100, 0, 0, 0xB0, 6, 12, 0, 0xE0, 0x7F, 0x7F, 0, 0xD0, 9, 0, 0xA0, 60, 5],
            b"\0\xFF\x05\x03Hap",
            &stroke(0, 60),
            b"\0\xFF\x05\x03py ",
            &stroke(0, 62),
            b"\0\xFF\x01\x04loud\0\xF0\x04\x7F\x7F\x04\xF7",
        ],
    ]);
    let Reading { score, warnings, .. } = reading(&bytes);
    let oddities: Vec<_> = warnings.iter().map(|warning| warning.oddity).collect();
    assert_eq!(oddities, [Oddity::NotKept(NotKept { key_pressures: 1, messages: 1, texts: 1 })]);
    let expected = "not kept: 1 pressure on a single key, 1 system-exclusive message, 1 text";
    assert_eq!(warnings[0].to_string(), expected);
    assert_eq!(score.rights.as_deref(), Some("(c) "));
    assert_eq!(score.markers, [(Ticks(480), "Verse".to_owned())]);
    let controller = |number, value| Control::Controller { number, value };
    let controls: Vec<_> = score.parts[0].controls.iter().map(|(_, control)| *control).collect();
    let range = [controller(101, 0), controller(100, 0), controller(6, 12)];
    assert_eq!(controls, [range.as_slice(), &[Control::Bend(8191), Control::Pressure(9)]].concat());
    let lyric = |at, text: &str, goes_on| Lyric { at: Ticks(at), verse: 1, text: text.to_owned(), goes_on };
    assert_eq!(score.parts[0].lyrics, [lyric(0, "Hap", true), lyric(480, "py", false)]);
    // A metronome's click in compound time is the dotted quarter.
    let written = write(&score).expect("written");
    assert!(written.windows(7).any(|event| event == b"\xFF\x58\x04\x06\x03\x24\x08"));
}

#[test]
fn karaoke_words_go_to_the_part_that_sings_them() {
    let words: &[u8] = b"\0\xFF\x01\x15@KMIDI KARAOKE FILE \0\x83\x60\xFF\x01\x04\\Hap\x83\x60\xFF\x01\x02py";
    let band = [WAIT, &stroke(1, 40)].concat();
    let voice = [WAIT, &stroke(0, 60), &stroke(0, 62)].concat();
    let parts = parts(&file(&[&[&band], &[words], &[&voice]]));
    assert_eq!(parts[0].lyrics, []);
    let sung: Vec<_> = parts[1].lyrics.iter().map(|lyric| (lyric.at.0, lyric.text.as_str(), lyric.goes_on)).collect();
    assert_eq!(sung, [(480, "Hap", true), (960, "py", false)]);
    // The first word may come with the first note.
    let at_once: &[u8] = b"\0\xFF\x01\x15@KMIDI KARAOKE FILE \0\0\xFF\x01\x04\\Hap\x83\x60\xFF\x01\x02py";
    let score = read(&file(&[&[at_once], &[&stroke(0, 60), WAIT, &stroke(0, 62)]]), &Limits::default()).unwrap().score;
    let sung: Vec<_> = score.parts[0].lyrics.iter().map(|lyric| (lyric.at.0, lyric.text.as_str())).collect();
    assert_eq!((sung, score.remarks.len()), (vec![(0, "Hap"), (480, "py")], 1));
}

#[test]
fn controllers_beyond_the_limit_are_dropped_with_a_warning() {
    let many: Vec<u8> = (0..50).flat_map(|value| [1, 0xB0, 7, value]).collect();
    let bytes = file(&[&[&many], &[&stroke(0, 60)], &[&stroke(0, 64)], &[&stroke(0, 67)]]);
    let limits = Limits { max_controls: 100, ..Limits::default() };
    let reading = read(&bytes, &limits).expect("read");
    let counts: Vec<_> = reading.score.parts.iter().map(|part| part.controls.len()).collect();
    assert_eq!(counts, [50, 50, 0]);
    let warnings: Vec<_> = reading.warnings.iter().map(|warning| warning.oddity).collect();
    assert_eq!(warnings, [Oddity::Controls(100)]);
    assert!(reading.warnings[0].to_string().contains("max-controls"));
    let reading = read(&bytes, &Limits { max_controls: 20, ..limits }).expect("read");
    assert_eq!(reading.score.parts[0].controls.len(), 20);
}

#[test]
fn what_looks_like_a_tune_on_the_tenth_channel_is_warned_of() {
    let warned = |bytes: &[u8]| {
        let warnings = reading(bytes).warnings;
        warnings.iter().filter(|warning| matches!(warning.oddity, Oddity::MelodicDrums(1))).count()
    };
    let tune: Vec<u8> = (0..24).flat_map(|k| stroke(9, 60 + (k * 5) % 12)).collect();
    let kit: Vec<u8> = (0..24).flat_map(|k| stroke(9, [36, 38, 42][k % 3])).collect();
    let off = b"\0\xF0\x0A\x41\x10\x42\x12\x40\x10\x15\x00\x1B\xF7";
    let named = b"\0\xFF\x03\x05Drums";
    assert_eq!(warned(&file(&[&[&tune]])), 1);
    assert_eq!(warned(&file(&[&[&kit]])), 0);
    // The file says what it is.
    assert_eq!(warned(&file(&[&[GS_RESET, off, &tune]])), 0);
    assert_eq!(warned(&file(&[&[&[0, 0xB9, 0, 120], &tune]])), 0);
    assert_eq!(warned(&file(&[&[named, &tune]])), 0);
}
