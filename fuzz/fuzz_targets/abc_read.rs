//! Any bytes into the ABC reader: no panic, no limit broken, and what is read can be written and read again.
//!
//! Run as `midi_read`; tunes of any collection are seeds.
#![no_main]

use cantus_formats::Limits;
use cantus_formats::abc::{canonicalize, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Small, so that the limits themselves are met.
    let limits = Limits { max_bytes: 1 << 20, max_notes: 500, max_tracks: 8, max_quarters: 2000, max_warnings: 5, ..Limits::default() };
    let Ok(book) = read(bytes, &limits) else { return };
    for reading in book.tunes.into_iter().filter_map(|tune| tune.reading.ok()) {
        let score = reading.score;
        assert!(score.note_count() <= limits.max_notes && score.parts.len() <= limits.max_tracks);
        assert!(reading.warnings.len() <= limits.max_warnings);
        for warning in &reading.warnings {
            assert!(!warning.to_string().contains(char::is_control));
        }
        let canonical = canonicalize(&score).expect("what is read can be written");
        let written = write(&score).expect("what is read can be written");
        let again = read(&written, &Limits::default()).expect("what is written can be read");
        assert_eq!(again.tunes[0].reading.as_ref().map(|reading| &reading.score), Ok(&canonical));
    }
});
