//! Tunes are read with their repeats and oddities; scores become tunes and come back; hostile ones do no harm.

mod common;

use cantus_formats::Limits;
use cantus_formats::abc::{AbcError, Oddity, canonicalize, read, write};
use cantus_score::Score;
use common::grid_score;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_score_on_a_grid_survives_note_for_note(score in grid_score()) {
        let canonical = canonicalize(&score).expect("it can be written");
        let times = |score: &Score| -> Vec<(u64, u64, u8)> {
            let ticks = u64::from(score.ticks_per_quarter.get());
            let mut notes: Vec<_> =
                score.notes().map(|n| (n.onset.0 * 3360 / ticks, n.duration.0 * 3360 / ticks, n.pitch.get())).collect();
            notes.sort_unstable();
            notes
        };
        prop_assert_eq!(times(&canonical), times(&score));
        let bytes = write(&score).expect("written");
        let text = String::from_utf8(bytes.clone()).expect("text");
        let book = read(&bytes, &Limits::default()).expect("what is written can be read");
        prop_assert_eq!(book.tunes.len(), 1);
        let reading = book.tunes[0].reading.clone().expect("a tune");
        prop_assert_eq!(reading.warnings, vec![], "{}", text);
        prop_assert_eq!(reading.score, canonical, "{}", text);
        prop_assert_eq!(write(&score).expect("again"), bytes);
    }
}
