//! MusPy's own definitions, where [`crate::Statistics`] departs from them: for comparing with published figures.
//!
//! Source: `muspy.metrics` of MusPy 0.5.0. Compared on 100 files: `tests/muspy.rs`.
//!
//! Why ours differ. MusPy's beats and bars are closed spans: a note that ends with a bar also fills the next one, and a piece of n
//! bars has n + 1. Its bars have one length throughout, whatever the metre changes to. Where the pieces of two sets have rests at
//! their bar lines, or end on one, its figures say more about that habit than about silence; for constant metre and one habit the
//! order of two corpora is the same.

use cantus_score::{Note, Ticks};
use std::collections::BTreeSet;

/// `1 - #(spans of `span` ticks touched by a note, its end included) / #(spans)`, the number of spans being `length div span + 1`:
/// `empty_beat_rate` where `span` is a quarter, `empty_measure_rate` where it is a bar. All notes count, drums included.
///
/// `None` for a piece of no length, or where `span` is 0.
pub fn empty_rate(notes: &[Note], span: Ticks) -> Option<f64> {
    let length = notes.iter().map(|note| note.end().0).max().filter(|length| *length > 0)?;
    let spans = length.checked_div(span.0)? + 1;
    let mut touched: Vec<(u64, u64)> =
        notes.iter().map(|note| (note.onset.0 / span.0, note.end().0 / span.0 + 1)).collect();
    touched.sort_unstable();
    let (mut sounding, mut until) = (0, 0);
    for (from, to) in touched {
        sounding += to.saturating_sub(from.max(until));
        until = until.max(to);
    }
    Some(1.0 - sounding as f64 / spans as f64)
}

/// `1 - #(steps at which just one of two neighbouring bars has an onset) / (steps to the bar * (bars - 1))`, with bars of `bar`
/// ticks throughout, of which there are `length div bar + 1`. All notes count, drums included.
///
/// `None` where there are fewer than two bars, or `bar` is 0.
pub fn groove_consistency(notes: &[Note], bar: Ticks) -> Option<f64> {
    let length = notes.iter().map(|note| note.end().0).max()?;
    let pairs = length.checked_div(bar.0).filter(|pairs| *pairs > 0)?;
    let onsets: BTreeSet<u64> = notes.iter().map(|note| note.onset.0).collect();
    // An onset differs from the bar before and from the bar after unless these have it, too; the first and the last bar lack one.
    let differing: usize = onsets
        .iter()
        .map(|onset| {
            let before = *onset >= bar.0 && !onsets.contains(&(onset - bar.0));
            let after = onset / bar.0 < pairs && !onsets.contains(&(onset + bar.0));
            usize::from(before) + usize::from(after)
        })
        .sum();
    Some(1.0 - differing as f64 / (bar.0 * pairs) as f64)
}
