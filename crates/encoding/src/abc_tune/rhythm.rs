//! Rhythm as it is written: the unit of a tune, and three in the time of two.

use super::ATOM;
use super::tune::{Bar, Tune};

/// How long the time of a tuplet may be, in steps.
pub(super) const SPANS: [u32; 4] = [6, 12, 24, 48];

/// The steps that notes within a tuplet are multiples of.
pub(super) fn within(span: u32) -> u32 {
    if span > SPANS[0] { span / 6 } else { span / 3 }
}

/// The unit of a tune: of a sixteenth, an eighth and a quarter the length of most notes.
pub(super) fn unit(tune: &Tune) -> u32 {
    let count = |unit: u32| {
        let events = tune.bars.iter().flat_map(|bar| &bar.events);
        events.filter(|event| event.pitch.is_some() && event.steps == unit).count()
    };
    // Of equals the eighth.
    [6, 24, 12].into_iter().max_by_key(|unit| count(*unit)).unwrap_or(12)
}

/// The shortest tuplet that begins at a time and has places for what follows, of those that may be: its span, and the lengths within. One
/// that nothing sounds over at its end comes first.
pub(super) fn triplet(
    ends: &[u32],
    at: u32,
    steps: u32,
    may_be: &dyn Fn(u32, &[u32]) -> bool,
) -> Option<(u32, Vec<u32>)> {
    let lengths = |span: u32, is_exact: bool| {
        let mut lengths = Vec::new();
        let mut from = at;
        for end in ends {
            let to = (*end).min(at + span);
            if to <= from || !(to - at).is_multiple_of(within(span)) || is_exact && to < *end {
                return None;
            }
            lengths.push(to - from);
            from = to;
            if from == at + span {
                break;
            }
        }
        let is_whole = from == at + span && lengths.len() > 1 && lengths.iter().all(|length| 3 * length <= 2 * span);
        (is_whole && may_be(span, &lengths)).then_some((span, lengths))
    };
    let spans = || SPANS.into_iter().filter(|span| at + span <= steps);
    spans().find_map(|span| lengths(span, true)).or_else(|| spans().find_map(|span| lengths(span, false)))
}

/// The tuplets of a bar, whatever a vocabulary knows: spans, and the lengths within.
pub(super) fn triplets(bar: &Bar) -> Vec<(u32, Vec<u32>)> {
    let (mut found, mut ends, mut end) = (Vec::new(), Vec::with_capacity(bar.events.len()), 0);
    for event in &bar.events {
        end += event.steps;
        ends.push(end);
    }
    let (mut k, mut at) = (0, 0);
    while k < ends.len() {
        let inside =
            (!ends[k].is_multiple_of(ATOM)).then(|| triplet(&ends[k..], at, bar.steps, &|_, _| true)).flatten();
        match inside {
            Some((span, lengths)) => {
                at += span;
                found.push((span, lengths));
                while ends.get(k).is_some_and(|end| *end <= at) {
                    k += 1;
                }
            }
            None => {
                at = (ends[k] + ATOM / 2) / ATOM * ATOM;
                k += 1;
            }
        }
    }
    found
}
