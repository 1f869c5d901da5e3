//! Writing then reading gives the same score; reading anything at all never panics and never breaks a limit.

mod common;

use cantus_formats::midi::{Limits, Oddity, Warning, WriteError, canonicalize, read, write};
use cantus_score::{Part, Score, Tempo, Ticks, TicksPerQuarter};
use common::{any_score_at_all, note};
use proptest::prelude::*;

/// No bound on the length: generated scores have silences of any size.
fn limits() -> Limits {
    Limits { max_quarters: u64::MAX, ..Limits::default() }
}

/// Drums at random may look like anything.
fn is_of_music(warning: &Warning) -> bool {
    matches!(warning.oddity, Oddity::MelodicDrums(_))
}

/// What must hold of any bytes: if they are read, the limits hold and writing keeps everything.
fn check_any_bytes(bytes: &[u8], limits: &Limits) {
    let Ok(reading) = read(bytes, limits) else { return };
    let score = reading.score;
    assert!(score.note_count() <= limits.max_notes);
    assert!(reading.warnings.len() <= limits.max_warnings);
    assert!(score.remarks.iter().map(String::len).sum::<usize>() <= limits.max_remark_bytes);
    let count = |part: &Part| part.programs.len() + part.controls.len() + part.pedal.len();
    assert!(score.parts.iter().map(count).sum::<usize>() <= 2 * limits.max_controls);
    let canonical = canonicalize(&score);
    let moved = |part: &Part| Part { port: 0, channel: 0, ..part.clone() };
    assert!(
        score.parts.iter().map(moved).eq(canonical.parts.iter().map(moved)),
        "what is read is canonical but for channels"
    );
    assert_eq!(Score { parts: vec![], ..canonical.clone() }, Score { parts: vec![], ..score.clone() });
    let written = write(&score).expect("what is read can be written");
    let again = read(&written, limits).expect("what is written can be read");
    assert_eq!(again.score, canonical);
    assert!(again.warnings.iter().all(is_of_music), "{:?}", again.warnings);
    assert_eq!(write(&again.score).expect("again"), written);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_score_survives_writing_and_reading(score in any_score_at_all()) {
        let bytes = write(&score).expect("every generated score can be written");
        let reading = read(&bytes, &limits()).expect("what is written can be read");
        let canonical = canonicalize(&score);
        prop_assert_eq!(&reading.score, &canonical);
        prop_assert!(reading.warnings.iter().all(is_of_music), "{:?}", reading.warnings);
        prop_assert_eq!(canonicalize(&canonical), canonical.clone());
        prop_assert_eq!(write(&canonical).expect("again"), bytes);
    }

    #[test]
    fn midly_reads_the_same_notes(score in any_score_at_all()) {
        let bytes = write(&score).expect("every generated score can be written");
        let smf = midly::Smf::parse(&bytes).expect("midly reads what we write");
        let expected = canonicalize(&score);
        prop_assert_eq!(smf.tracks.len(), expected.parts.len() + 1);
        for (track, part) in smf.tracks[1..].iter().zip(&expected.parts) {
            let mut now = 0;
            let (mut onsets, mut ends) = (Vec::new(), Vec::new());
            for event in track {
                now += u64::from(event.delta.as_int());
                if let midly::TrackEventKind::Midi { channel, message } = event.kind {
                    prop_assert_eq!(channel.as_int(), part.channel);
                    match message {
                        midly::MidiMessage::NoteOn { key, vel } if vel > 0 => onsets.push((now, key.as_int())),
                        midly::MidiMessage::NoteOn { key, .. } => ends.push((now, key.as_int())),
                        _ => {}
                    }
                }
            }
            let mut expected_onsets: Vec<_> = part.notes.iter().map(|n| (n.onset.0, n.pitch.get())).collect();
            let mut expected_ends: Vec<_> = part.notes.iter().map(|n| (n.end().0, n.pitch.get())).collect();
            for times in [&mut onsets, &mut ends, &mut expected_onsets, &mut expected_ends] {
                times.sort_unstable();
            }
            prop_assert_eq!(onsets, expected_onsets);
            prop_assert_eq!(ends, expected_ends);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check_any_bytes(&bytes, &limits());
    }

    #[test]
    fn arbitrary_events_never_panic(format in 0u16..4, division in any::<u16>(), tracks in prop::collection::vec(
        prop::collection::vec(prop_oneof![6 => 0u8..128, 2 => 0x80u8..=0x9f, 1 => any::<u8>(), 1 => Just(0xFF)], 0..300), 0..4)) {
        let mut bytes = b"MThd\0\0\0\x06".to_vec();
        for word in [format, tracks.len() as u16, division] {
            bytes.extend(word.to_be_bytes());
        }
        for track in tracks {
            bytes.extend(b"MTrk");
            bytes.extend((track.len() as u32).to_be_bytes());
            bytes.extend(track);
        }
        check_any_bytes(&bytes, &limits());
        // Small limits must hold too.
        check_any_bytes(&bytes, &Limits { max_notes: 3, max_controls: 4, max_warnings: 2, max_remark_bytes: 5, max_quarters: 9, ..limits() });
    }

    #[test]
    fn damaged_files_never_panic(
        score in any_score_at_all(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = write(&score).expect("every generated score can be written");
        for (place, byte, kind) in edits {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(14)),
            }
        }
        check_any_bytes(&bytes, &limits());
    }
}

fn one_part(notes: Vec<cantus_score::Note>) -> Score {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    score.parts.push(Part { notes, ..Part::default() });
    score
}

#[test]
fn a_small_score_has_exactly_these_bytes() {
    let mut score = one_part(vec![note(0, 60, 480, 80), note(480, 60, 480, 80)]);
    score.title = Some("A".to_owned());
    score.tempos.push((Ticks::ZERO, Tempo::DEFAULT));
    let expected = [
        b"MThd\0\0\0\x06\0\x01\0\x02\x01\xE0".as_slice(),
        b"MTrk\0\0\0\x10\0\xFF\x03\x01A\0\xFF\x51\x03\x07\xA1\x20\0\xFF\x2F\0",
        b"MTrk\0\0\0\x13\0\x90\x3C\x50\x83\x60\x3C\0\0\x3C\x50\x83\x60\x3C\0\0\xFF\x2F\0",
    ];
    assert_eq!(write(&score).expect("written"), expected.concat());
}

#[test]
fn long_silences_are_bridged() {
    let onset = 3 * ((1 << 28) - 1) + 5;
    let score = one_part(vec![note(onset, 60, 1, 80)]);
    let bytes = write(&score).expect("written");
    assert_eq!(read(&bytes, &limits()).expect("read").score, score);
}

#[test]
fn what_the_format_cannot_hold_is_an_error() {
    let mut fine = one_part(vec![note(0, 60, 1, 80)]);
    fine.ticks_per_quarter = TicksPerQuarter::new(32768).expect("not zero");
    assert_eq!(write(&fine), Err(WriteError::Resolution { found: 32768 }));

    let mut channel = one_part(vec![note(0, 60, 1, 80)]);
    channel.parts[0].channel = 16;
    assert_eq!(write(&channel), Err(WriteError::Channel { part: 1, found: 16 }));

    let endless = one_part(vec![note(u64::MAX / 2, 60, 1, 80)]);
    assert!(matches!(write(&endless), Err(WriteError::TrackTooLong { track: 2, .. })));

    let many = Score {
        parts: vec![one_part(vec![note(0, 60, 1, 80)]).parts.remove(0); 65535],
        ..fine.rescaled(TicksPerQuarter::DEFAULT)
    };
    assert_eq!(write(&many), Err(WriteError::TooManyParts { found: 65535 }));
}

#[test]
fn a_tempo_of_more_than_24_bits_is_cut() {
    let mut score = one_part(vec![note(0, 60, 1, 80)]);
    score.tempos.push((Ticks::ZERO, Tempo::from_micros_per_quarter(u32::MAX).expect("not zero")));
    let reading = read(&write(&score).expect("written"), &Limits::default()).expect("read");
    assert_eq!(reading.score.tempos[0].1.micros_per_quarter(), (1 << 24) - 1);
}

#[test]
fn remarks_beyond_the_limit_are_dropped_with_one_warning() {
    let mut score = one_part(vec![note(0, 60, 1, 80)]);
    score.remarks = vec!["a".repeat(10), "b".repeat(10), "c".to_owned()];
    let limits = Limits { max_remark_bytes: 15, ..Limits::default() };
    let reading = read(&write(&score).expect("written"), &limits).expect("read");
    assert_eq!(reading.score.remarks, ["aaaaaaaaaa"]);
    let oddities: Vec<_> = reading.warnings.iter().map(|warning| warning.oddity).collect();
    assert_eq!(oddities, [Oddity::Remarks(15)]);
}
