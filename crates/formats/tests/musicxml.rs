//! Scores become MusicXML and come back; documents of others are read; hostile ones do no harm.

mod common;

use cantus_formats::musicxml::{MusicXmlError, canonicalize, read, write, write_compressed};
use cantus_formats::Limits;
use cantus_score::{Key, Mode, Part, Program, Score, Tempo, Ticks, TicksPerQuarter};
use common::{any_score, grid_score, note};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_score_on_a_grid_survives_note_for_note(score in grid_score()) {
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
    fn any_score_is_written_or_refused(score in any_score()) {
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
}
