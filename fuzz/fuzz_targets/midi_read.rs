//! Any bytes into the MIDI reader: no panic, no limit broken, and what is read survives writing and reading again.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo run --release -p cantus-formats --example fuzz_seeds -- fuzz/corpus/midi_read
//! cp "$CANTUS_DATA"/hostile/generated/* fuzz/corpus/midi_read/          # where there is such a folder
//! RUSTC_BOOTSTRAP=1 cargo fuzz run midi_read -- -max_total_time=600 -max_len=4096 -timeout=10 -rss_limit_mb=2048
//! ```
//! `RUSTC_BOOTSTRAP=1` lets a stable compiler switch the sanitizer on; with a nightly one it is not needed. Run it from the
//! root of the repository.
#![no_main]

use cantus_formats::midi::{Limits, Oddity, Warning, canonicalize, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Small, so that the limits themselves are met.
    let small = Limits {
        max_notes: 50,
        max_tracks: 8,
        max_quarters: 10_000,
        max_remark_bytes: 40,
        max_warnings: 5,
        ..Limits::default()
    };
    for limits in [Limits::default(), small] {
        let Ok(reading) = read(bytes, &limits) else { continue };
        let score = reading.score;
        assert!(score.note_count() <= limits.max_notes);
        assert!(reading.warnings.len() <= limits.max_warnings);
        assert!(score.remarks.iter().map(String::len).sum::<usize>() <= limits.max_remark_bytes);
        assert!(score.end().0.div_ceil(u64::from(score.ticks_per_quarter.get())) <= limits.max_quarters);
        for warning in &reading.warnings {
            assert!(!warning.to_string().contains(char::is_control));
        }
        // What is read keeps the file's channels; what is written seats drums and pitches where they belong.
        let canonical = canonicalize(&score);
        assert_eq!(canonicalize(&canonical), canonical);
        let written = write(&score).expect("what is read can be written");
        // One track more than parts: the limit on tracks may refuse what it let in before.
        let again = read(&written, &Limits { max_tracks: usize::MAX, ..limits }).expect("what is written can be read");
        assert_eq!(again.score, canonical);
        // Drums at random may look like anything.
        let odd = |warning: &Warning| !matches!(warning.oddity, Oddity::MelodicDrums(_));
        assert!(!again.warnings.iter().any(odd));
        assert_eq!(write(&again.score).expect("again"), written);
    }
});
