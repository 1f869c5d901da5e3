//! Malformed and odd files: what is read of them, and what is refused.
//!
//! The table below makes its own bytes. Where `CANTUS_DATA` names the folder of real data, everything that its
//! `hostile/EXPECT.json` says is checked too.

mod common;

use cantus_formats::midi::{Damage, Limits, MidiError, NotKept, Oddity, Reading, read};
use cantus_score::{Key, Meter, Mode, PedalSpan, Program, Tempo, Ticks};
use common::note;
use std::path::Path;

/// What is expected of a file.
enum Expect {
    /// So many notes, and no warning.
    Notes(usize),
    /// So many notes, and these warnings.
    Odd(usize, Vec<Oddity>),
    /// This error.
    Error(MidiError),
}
use Expect::{Error, Notes, Odd};

fn header(format: u16, tracks: u16, division: u16) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06".to_vec();
    for word in [format, tracks, division] {
        bytes.extend(word.to_be_bytes());
    }
    bytes
}

fn chunk(id: &[u8; 4], length: u32, data: &[u8]) -> Vec<u8> {
    [id, length.to_be_bytes().as_slice(), data].concat()
}

fn track(events: &[u8]) -> Vec<u8> {
    chunk(b"MTrk", events.len() as u32, events)
}

/// A file of format 0, 480 ticks to the quarter, with one track.
fn file(events: &[u8]) -> Vec<u8> {
    [header(0, 1, 480), track(events)].concat()
}

const END: &[u8] = &[0, 0xFF, 0x2F, 0];
/// One quarter of middle C.
const C: &[u8] = &[0, 0x90, 60, 80, 0x83, 0x60, 0x80, 60, 64];
/// One quarter of the D above.
const D: &[u8] = &[0, 0x90, 62, 80, 0x83, 0x60, 0x80, 62, 64];

fn events(pieces: &[&[u8]]) -> Vec<u8> {
    [&pieces.concat(), END].concat()
}

fn meta(kind: u8, data: &[u8]) -> Vec<u8> {
    [&[0, 0xFF, kind, data.len() as u8], data].concat()
}

fn damaged(offset: usize, damage: Damage) -> Expect {
    Error(MidiError::Damaged { track: 1, offset, damage })
}

#[rustfmt::skip]
fn cases() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let c = events(&[C]);
    let cd = events(&[C, D]);
    let one = || [header(1, 1, 480), track(&c)].concat();
    vec![
        // The header.
        ("an empty file", vec![], Error(MidiError::Empty)),
        ("text", b"Dear sir".to_vec(), Error(MidiError::NotMidi { start: b"Dear sir".to_vec() })),
        ("zeros", vec![0; 4096], Error(MidiError::NotMidi { start: vec![0; 8] })),
        ("four bytes", b"MThd".to_vec(), Error(MidiError::Header { offset: 0, length: 0, available: 0 })),
        ("a header cut off", header(0, 1, 480)[..10].to_vec(), Error(MidiError::Header { offset: 0, length: 6, available: 2 })),
        ("a header of 5 bytes", [b"MThd\0\0\0\x05\0\0\0\x01\x01", track(&c).as_slice()].concat(), Error(MidiError::Header { offset: 0, length: 5, available: 26 })),
        ("a header of 4 GiB", b"MThd\xFF\xFF\xFF\xFF\0\0\0\x01\x01\xE0".to_vec(), Error(MidiError::Header { offset: 0, length: u32::MAX, available: 6 })),
        ("a header of 8 bytes", [b"MThd\0\0\0\x08\0\0\0\x01\x01\xE0\0\0", track(&c).as_slice()].concat(), Notes(1)),
        ("no tracks, none promised", header(1, 0, 480), Notes(0)),
        ("no tracks, one promised", header(1, 1, 480), Error(MidiError::NoTracks { declared: 1 })),
        ("more tracks promised", [header(1, 9, 480), track(&c)].concat(), Odd(1, vec![Oddity::TrackCount { declared: 9, found: 1 }])),
        ("fewer tracks promised", [header(1, 1, 480), track(&c), track(&c)].concat(), Odd(2, vec![Oddity::TrackCount { declared: 1, found: 2 }])),
        ("format 7", [header(7, 1, 480), track(&c)].concat(), Odd(1, vec![Oddity::UnknownFormat(7)])),
        ("format 0, two tracks", [header(0, 2, 480), track(&c), track(&c)].concat(), Odd(2, vec![Oddity::SeveralTracks])),
        ("format 2", [header(2, 2, 480), track(&c), track(&c)].concat(), Notes(2)),
        ("one tick a quarter", [header(0, 1, 1), track(&c)].concat(), Notes(1)),
        ("no ticks a quarter", [header(0, 1, 0), track(&c)].concat(), Odd(1, vec![Oddity::ZeroDivision])),
        ("no ticks a frame", [header(0, 1, 0xE700), track(&c)].concat(), Odd(1, vec![Oddity::ZeroDivision])),
        ("frames", [header(0, 1, 0xE728), track(&c)].concat(), Odd(1, vec![Oddity::Frames { frames: 25, tempo: 500_000 }])),
        ("an odd number of ticks a second", [header(0, 1, 0xE729), track(&c)].concat(), Odd(1, vec![Oddity::Frames { frames: 25, tempo: 1_000_000 }])),
        ("absurd frames", [header(0, 1, 0x80FF), track(&c)].concat(), Odd(1, vec![Oddity::Frames { frames: 128, tempo: 500_000 }])),
        // Around the chunks.
        ("bytes before the header", [vec![0; 128], one()].concat(), Odd(1, vec![Oddity::LeadingBytes(128)])),
        ("a RIFF wrapper", [b"RIFF\0\0\0\0RMIDjunk\x01\0\0\0..data\xFF\xFF\0\0", one().as_slice()].concat(), Notes(1)),
        ("a RIFF wrapper of nothing", b"RIFF\0\0\0\0RMID".to_vec(), Error(MidiError::NotMidi { start: b"RIFF\0\0\0\0".to_vec() })),
        ("a RIFF wrapper with a lie", [b"RIFF\0\0\0\0RMIDjunk\xFF\xFF\xFF\xFFdata....", one().as_slice()].concat(), Odd(1, vec![Oddity::LeadingBytes(28)])),
        ("an unknown chunk", [header(1, 2, 480), track(&c), chunk(b"XFIH", 3, b"abc"), track(&c)].concat(), Odd(2, vec![Oddity::UnknownChunk(*b"XFIH")])),
        ("bytes after the last chunk", [one(), vec![7; 64]].concat(), Odd(1, vec![Oddity::StrayBytes(64)])),
        ("bytes between tracks", [header(1, 2, 480), track(&c), vec![7; 9], track(&c)].concat(), Odd(2, vec![Oddity::StrayBytes(9)])),
        ("a track of 4 GiB", [header(0, 1, 480), chunk(b"MTrk", u32::MAX, &c)].concat(), Odd(1, vec![Oddity::TrackCut { claimed: u32::MAX, available: 13 }])),
        ("a track too long, then another", [header(1, 2, 480), chunk(b"MTrk", 99, &c), track(&c)].concat(), Odd(2, vec![Oddity::TrackCut { claimed: 99, available: 34 }])),
        ("a track cut at nothing", [header(0, 1, 480), track(C)].concat(), Odd(1, vec![Oddity::NoEnd])),
        ("a track cut in an event", [header(0, 1, 480), track(&cd[..cd.len() - 6])].concat(), Odd(2, vec![Oddity::Damaged(Damage::Truncated), Oddity::Unreleased(1)])),
        ("a track's length too short", [header(0, 1, 480), chunk(b"MTrk", 11, &cd)].concat(), Odd(2, vec![Oddity::TrackTooShort])),
        ("a track's length too short, then another", [header(1, 2, 480), chunk(b"MTrk", 11, &cd), track(&c)].concat(), Odd(3, vec![Oddity::TrackTooShort])),
        // Events.
        ("events after the end", file(&[&c, D].concat()), Notes(1)),
        ("two ends", file(&[&c, END].concat()), Notes(1)),
        ("meta events only", file(&events(&[&meta(0x51, &[7, 0xA1, 0x20])])), Notes(0)),
        ("running status", file(&events(&[&[0, 0x90, 60, 80, 10, 60, 0, 0, 62, 80, 10, 62, 0]])), Notes(2)),
        ("running status past sysex", file(&events(&[&[0, 0x90, 60, 80, 0, 0xF0, 1, 0xF7, 10, 60, 0]])), Odd(1, vec![Oddity::RunningStatus])),
        ("no status", file(&events(&[&[0, 60, 80]])), damaged(22, Damage::NoStatus(60))),
        ("running status from another track", [header(1, 2, 480), track(&c), track(&events(&[&[0, 62, 80]]))].concat(), Odd(1, vec![Oddity::Damaged(Damage::NoStatus(62))])),
        ("an escape", file(&events(&[&[0, 0xF7, 2, 0xFA, 0xFF], C])), Odd(1, vec![Oddity::NotKept(NotKept { messages: 1, ..NotKept::default() })])),
        ("unknown meta events", file(&events(&[&meta(0x7E, &[1, 2]), &meta(0x60, &[]), C])), Notes(1)),
        ("a system message", file(&events(&[&[0, 0xF8], C, &[0, 0xF2, 1, 2], D])), Odd(2, vec![Oddity::SystemMessage(0xF8), Oddity::SystemMessage(0xF2)])),
        ("a meta event past the end", file(&events(&[C, &[0, 0xFF, 1, 0x84, 0]])), Odd(1, vec![Oddity::Damaged(Damage::EventTooLong(512))])),
        ("a number without an end", file(&[0xFF; 400]), damaged(22, Damage::EndlessNumber)),
        ("a padded number", file(&events(&[&[0x80, 0x80, 0x80, 0], &C[1..]])), Notes(1)),
        ("a number cut off", file(&[0, 0x90, 60, 80, 0x81]), Odd(1, vec![Oddity::Damaged(Damage::Truncated), Oddity::Unreleased(1)])),
        ("the longest delta", file(&events(&[&[0, 0x90, 60, 80, 0xFF, 0xFF, 0xFF, 0x7F, 0x80, 60, 0]])), Notes(1)),
        ("a controller of 200", file(&events(&[&[0, 0xB0, 7, 200], C])), Odd(1, vec![Oddity::DataByte { status: 0xB0, found: 200 }])),
        ("a pitch of 200", file(&events(&[&[0, 0x90, 200, 80], C])), Odd(1, vec![Oddity::DataByte { status: 0x90, found: 200 }])),
        ("stray note-offs", file(&events(&[&[0, 0x80, 60, 0, 0, 0x90, 61, 0], C])), Odd(1, vec![Oddity::StrayNoteOffs(2)])),
        ("off and on at one tick", file(&events(&[&[0, 0x90, 60, 80, 10, 0x80, 60, 0, 0, 0x90, 60, 80, 10, 0x80, 60, 0]])), Notes(2)),
        ("a note never released", file(&events(&[C, &[0, 0x90, 62, 80]])), Odd(2, vec![Oddity::Unreleased(1)])),
        ("tempo 0", file(&events(&[&meta(0x51, &[0, 0, 0]), C])), Odd(1, vec![Oddity::Tempo])),
        ("a tempo of two bytes", file(&events(&[&meta(0x51, &[1, 1]), C])), Odd(1, vec![Oddity::Tempo])),
        ("99 sharps", file(&events(&[&meta(0x59, &[99, 5]), C])), Odd(1, vec![Oddity::Key { fifths: 99, mode: 5 }])),
        ("4/2^200", file(&events(&[&meta(0x58, &[4, 200, 24, 8]), C])), Odd(1, vec![Oddity::Meter { numerator: 4, denominator_log2: 200 }])),
    ]
}

#[test]
fn every_illness_is_treated_as_the_table_says() {
    for (name, bytes, expect) in cases() {
        let result = read(&bytes, &Limits::default());
        let (notes, oddities) = match expect {
            Notes(notes) => (notes, vec![]),
            Odd(notes, oddities) => (notes, oddities),
            Error(error) => {
                assert_eq!(result.err(), Some(error), "{name}");
                continue;
            }
        };
        let reading = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reading.score.note_count(), notes, "{name}");
        let found: Vec<_> = reading.warnings.iter().map(|warning| warning.oddity).collect();
        assert_eq!(found, oddities, "{name}");
    }
}

#[test]
fn every_prefix_and_every_single_wrong_byte_is_survived() {
    for (_, bytes, _) in cases().into_iter().filter(|(_, bytes, _)| bytes.len() < 600) {
        for length in 0..bytes.len() {
            let _ = read(&bytes[..length], &Limits::default());
        }
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for byte in [0, 0x7F, 0x80, 0x90, 0xFF] {
                changed[at] = byte;
                let _ = read(&changed, &Limits::default());
            }
            changed[at] = bytes[at];
        }
    }
}

fn parsed(bytes: &[u8]) -> Reading {
    read(bytes, &Limits::default()).expect("a file that can be read")
}

#[test]
fn overlapping_unisons_end_first_in_first_out() {
    let score = parsed(&file(&events(&[&[0, 0x90, 60, 1, 4, 60, 2, 4, 60, 0, 4, 60, 0]]))).score;
    assert_eq!(score.parts[0].notes, [note(0, 60, 8, 1), note(4, 60, 8, 2)]);
}

#[test]
fn channels_of_one_track_are_parts_with_their_programs_and_pedals() {
    let bytes = events(&[
        &[0, 0xC3, 40, 0, 0xB3, 64, 127],
        &[0, 0x93, 60, 80, 0, 0x90, 48, 80],
        &[8, 0xB3, 64, 0, 0, 0xB3, 64, 90, 0, 0xC3, 41, 0, 0xC3, 42],
        &[8, 0x83, 60, 0, 0, 0x80, 48, 0],
    ]);
    let score = parsed(&[header(1, 1, 480), track(&[&meta(3, b"Violin"), bytes.as_slice()].concat())].concat()).score;
    let channels: Vec<_> = score.parts.iter().map(|part| (part.channel, part.name.as_deref())).collect();
    assert_eq!(channels, [(0, Some("Violin")), (3, Some("Violin"))]);
    let program = |number| Program::new(number).expect("a program");
    assert_eq!(score.parts[1].programs, [(Ticks(0), program(40)), (Ticks(8), program(42))]);
    let span = |down, up| PedalSpan { down: Ticks(down), up: Ticks(up) };
    assert_eq!(score.parts[1].pedal, [span(0, 8), span(8, 16)]);
}

#[test]
fn pedal_and_program_of_a_track_without_notes_go_to_all_parts_of_their_channel() {
    let control = events(&[&[0, 0xC0, 7, 0, 0xB0, 64, 127, 9, 0xB0, 64, 0]]);
    let score =
        parsed(&[header(1, 3, 480), track(&control), track(&events(&[C])), track(&events(&[D]))].concat()).score;
    assert_eq!(score.parts.len(), 2);
    for part in &score.parts {
        assert_eq!(part.pedal, [PedalSpan { down: Ticks(0), up: Ticks(9) }]);
        assert_eq!(part.program().get(), 7);
    }
}

#[test]
fn titles_remarks_tempo_metre_and_key_are_read() {
    let conductor = events(&[
        &meta(3, b"F\xFCr Elise"),
        &meta(1, b"by \x1b[31m hand"),
        &meta(0x51, &[7, 0xA1, 0x20]),
        &meta(0x51, &[0xF, 0x42, 0x40]),
        &meta(0x58, &[3, 3, 24, 8]),
        &meta(0x59, &[0xFD, 1]),
        &[9, 0xFF, 1, 3, b'l', b'a', b'!'],
    ]);
    let reading = parsed(&[header(1, 2, 480), track(&conductor), track(&events(&[C]))].concat());
    let score = reading.score;
    assert_eq!(score.title.as_deref(), Some("Für Elise"));
    assert_eq!(score.remarks, ["by \u{1b}[31m hand"]);
    assert_eq!(score.tempos, [(Ticks(0), Tempo::from_micros_per_quarter(1_000_000).expect("a tempo"))]);
    assert_eq!(score.meters, [(Ticks(0), "3/8".parse::<Meter>().expect("a metre"))]);
    assert_eq!(score.keys, [(Ticks(0), Key::new(-3, Mode::Minor).expect("a key"))]);
    let warnings: Vec<_> = reading.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["not kept: 1 text"]);
}

#[test]
fn sequences_of_format_2_follow_one_another_and_share_no_tempo() {
    let slow = events(&[&meta(0x51, &[0xF, 0x42, 0x40]), C]);
    let score = parsed(&[header(2, 2, 480), track(&slow), track(&events(&[D]))].concat()).score;
    assert_eq!(score.parts.len(), 1);
    assert_eq!(score.parts[0].notes, [note(0, 60, 480, 80), note(480, 62, 480, 80)]);
    assert_eq!(score.tempos.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [0, 480]);
    assert_eq!(score.tempos[1].1, Tempo::DEFAULT);
}

#[test]
fn frames_are_absolute_time() {
    // 25 frames of 40 ticks: 250 ticks are a quarter of a second, whatever the tempo event says.
    let bytes = events(&[&meta(0x51, &[0xF, 0x42, 0x40]), &[0, 0x90, 60, 80, 0x81, 0x7A, 0x80, 60, 0]]);
    let score = parsed(&[header(0, 1, 0xE728), track(&bytes)].concat()).score;
    assert_eq!(score.tempo_map().seconds(Ticks(250)), 0.25);
    // 29 frames a second are television's 30 / 1.001.
    let score = parsed(&[header(0, 1, 0xE350), track(&bytes)].concat()).score;
    assert!((score.tempo_map().seconds(Ticks(30 * 80)) - 1.001).abs() < 1e-9);
}

#[test]
fn limits_are_errors_by_name() {
    let two_tracks = [header(1, 2, 480), track(&events(&[C])), track(&events(&[D]))].concat();
    let refused = |limits| read(&two_tracks, &limits).expect_err("refused");
    let default = Limits::default();
    let error = refused(Limits { max_bytes: 20, ..default });
    assert_eq!(error, MidiError::TooLarge { found: two_tracks.len(), limit: 20 });
    assert!(error.to_string().contains("max-bytes"), "{error}");
    let error = refused(Limits { max_notes: 1, ..default });
    assert_eq!(error, MidiError::TooManyNotes { limit: 1, offset: 14 + 8 + 13 + 8 });
    assert!(error.to_string().contains("max-notes"), "{error}");
    let error = refused(Limits { max_tracks: 1, ..default });
    assert_eq!(error, MidiError::TooManyTracks { limit: 1, offset: 14 + 8 + 13 });
    assert!(error.to_string().contains("max-tracks"), "{error}");
    let error = refused(Limits { max_quarters: 0, ..default });
    assert_eq!(error, MidiError::TooLong { found: 1, limit: 0 });
    assert!(error.to_string().contains("max-quarters"), "{error}");
}

#[test]
fn warnings_are_bounded_and_counted() {
    let bytes = file(&events(&[&meta(0x51, &[0, 0, 0]).repeat(7), C]));
    let reading = read(&bytes, &Limits { max_warnings: 3, ..Limits::default() }).expect("read");
    assert_eq!((reading.warnings.len(), reading.warnings_dropped), (3, 4));
}

#[test]
fn messages_never_carry_control_characters() {
    let chunk_name = [header(1, 1, 480), chunk(b"a~' ", 0, b""), track(&events(&[C]))].concat();
    let mut messages: Vec<_> = parsed(&chunk_name).warnings.iter().map(ToString::to_string).collect();
    messages.push(read(b"\x1b[31mMThx", &Limits::default()).expect_err("no MIDI").to_string());
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn the_hostile_collection_is_read_as_expected() {
    let Some(data) = common::data("the_hostile_collection_is_read_as_expected") else { return };
    let folder = data.join("hostile");
    let text = std::fs::read_to_string(folder.join("EXPECT.json")).expect("EXPECT.json");
    let expected: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    assert!(!expected.is_empty());
    for (name, expectation) in &expected {
        let bytes = std::fs::read(folder.join("generated").join(name)).expect("a file of the collection");
        let result = read(&bytes, &Limits::default());
        let notes = result.as_ref().map(|reading| reading.score.note_count() as u64);
        let wanted = expectation["notes"].as_u64();
        match expectation["expect"].as_str() {
            Some("parse") => assert_eq!(notes, Ok(wanted.expect("a number of notes")), "{name}"),
            Some("reject") => assert!(result.is_err(), "{name}: {notes:?}"),
            // Whoever reads it must read all of it.
            Some("either") => {
                assert!(result.is_err() || wanted.is_none() || notes == Ok(wanted.unwrap_or(0)), "{name}: {notes:?}")
            }
            other => panic!("{name}: unknown expectation {other:?}"),
        }
    }
    read_all(&folder.join("corpora"));
}

/// Reads everything below a folder: none may panic.
fn read_all(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path);
        } else {
            let _ = read(&std::fs::read(&path).expect("a file"), &Limits::default());
        }
    }
}
