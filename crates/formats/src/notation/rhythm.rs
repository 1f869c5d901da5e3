//! Lengths as note values: ties over bar lines and beats, dots, and tuplets.

use super::voices::Chord;
use super::{Event, Head, QUARTER, SheetBar, gcd};
use cantus_score::Meter;

/// A note value: a whole note halved so many times, with dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// -1 for a breve, 0 for a whole note, 2 for a quarter, ... 10 for a 1024th.
    pub halvings: i8,
    /// 0 or 1.
    pub dots: u8,
}

/// `actual` notes in the time of `normal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuplet {
    pub actual: u64,
    pub normal: u64,
    /// Whether it begins and whether it ends with this note or rest.
    pub begins: bool,
    pub ends: bool,
}

/// The time that is divided by a tuplet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    length: u64,
    actual: u64,
    normal: u64,
}

impl Span {
    fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// Times that are halves of halves of a quarter are multiples of this.
const DYADIC: u64 = QUARTER >> 5;
/// Written values are counted in this many parts of a tick, so that 1024ths inside tuplets are whole.
const FINE: u64 = 64;

/// A whole rest stands for a whole bar, however long: within a bar, rests are shorter.
const LONGEST_REST: u64 = 2 * QUARTER;

/// A voice bar by bar. Gaps are rests; a bar without notes is one rest where `fills` says so, and nothing otherwise.
pub fn write_down(chords: &[Chord], bars: &[SheetBar], fills: bool) -> Vec<Vec<Event>> {
    let mut written = Vec::with_capacity(bars.len());
    let mut first = 0;
    for bar in bars {
        while chords.get(first).is_some_and(|chord| chord.end <= bar.start) {
            first += 1;
        }
        let inside: Vec<&Chord> = chords[first..].iter().take_while(|chord| chord.onset < bar.end()).collect();
        if inside.is_empty() {
            let rest = Event { onset: 0, duration: bar.length, heads: Vec::new(), value: None, tuplet: None };
            written.push(if fills { vec![rest] } else { Vec::new() });
        } else {
            written.push(write_bar(&inside, bar));
        }
    }
    written
}

/// A stretch of a bar with the same notes, or with none.
struct Stretch {
    start: u64,
    end: u64,
    heads: Vec<Head>,
}

fn write_bar(chords: &[&Chord], bar: &SheetBar) -> Vec<Event> {
    let mut stretches = Vec::new();
    let mut at = 0;
    let rest = |start, end| Stretch { start, end, heads: Vec::new() };
    for chord in chords {
        let start = chord.onset.max(bar.start) - bar.start;
        let end = chord.end.min(bar.end()) - bar.start;
        if start > at {
            stretches.push(rest(at, start));
        }
        let (before, after) = (chord.onset < bar.start, chord.end > bar.end());
        let cut = |head: &Head| Head { tied_from: head.tied_from || before, tied_to: head.tied_to || after, ..*head };
        stretches.push(Stretch { start, end, heads: chord.heads.iter().map(cut).collect() });
        at = end;
    }
    if at < bar.length {
        stretches.push(rest(at, bar.length));
    }
    let boundaries: Vec<u64> = stretches.iter().map(|stretch| stretch.start).collect();
    let spans = tuplets(bar.meter, bar.length, &boundaries);
    let mut events = Vec::new();
    for stretch in &stretches {
        write_stretch(stretch, bar.meter, bar.length, &spans, &mut events);
    }
    events
}

/// Cuts a stretch at the ends of tuplets and into note values, tied together.
fn write_stretch(stretch: &Stretch, meter: Meter, length: u64, spans: &[Span], events: &mut Vec<Event>) {
    let first = events.len();
    let mut at = stretch.start;
    while at < stretch.end {
        let is_rest = stretch.heads.is_empty();
        if let Some(span) = spans.iter().find(|span| (span.start..span.end()).contains(&at)) {
            let end = stretch.end.min(span.end());
            let written = |time: u64| (time - span.start) * FINE * span.actual / span.normal;
            let begins = at == span.start;
            let from = events.len();
            for (value, start, lasting) in
                values(written(at), written(end), &|_, plain, _| !is_rest || plain <= LONGEST_REST)
            {
                let back = |time: u64| span.start + time * span.normal / span.actual / FINE;
                let onset = back(start);
                let tuplet = Tuplet { actual: span.actual, normal: span.normal, begins: false, ends: false };
                events.push(Event {
                    onset,
                    duration: back(start + lasting) - onset,
                    heads: stretch.heads.clone(),
                    value: Some(value),
                    tuplet: Some(tuplet),
                });
            }
            if let Some(Tuplet { begins: mark, .. }) = events.get_mut(from).and_then(|event| event.tuplet.as_mut()) {
                *mark = begins;
            }
            // A bar may end before its last tuplet does.
            if (end == span.end() || end == length)
                && let Some(Tuplet { ends, .. }) = events.last_mut().and_then(|event| event.tuplet.as_mut())
            {
                *ends = true;
            }
            at = end;
        } else {
            let next = spans.iter().map(|span| span.start).find(|start| *start > at).unwrap_or(u64::MAX);
            let end = stretch.end.min(next);
            let beats = Beats::of(meter);
            for (value, start, lasting) in values(at * FINE, end * FINE, &|start, base, dots| {
                beats.allow(start / FINE, start % FINE != 0, base, dots, is_rest)
            }) {
                events.push(Event {
                    onset: start / FINE,
                    duration: (start + lasting) / FINE - start / FINE,
                    heads: stretch.heads.clone(),
                    value: Some(value),
                    tuplet: None,
                });
            }
            at = end;
        }
    }
    let last = events.len().saturating_sub(1);
    for (k, event) in events.iter_mut().enumerate().skip(first) {
        for head in &mut event.heads {
            head.tied_from |= k > first;
            head.tied_to |= k < last;
        }
    }
}

/// The values from `start` to `end` (in fine ticks), each as long as it may be: (value, start, length).
///
/// A value may stand where it begins at a multiple of itself (a dotted one of its plain value), so that beats stay visible, and where
/// `allow` (start, length of the plain value in ticks, dots) has nothing against it, or asks for it.
fn values(start: u64, end: u64, allow: &dyn Fn(u64, u64, u8) -> bool) -> Vec<(Value, u64, u64)> {
    let mut found = Vec::new();
    let mut at = start;
    'next: while at < end {
        for halvings in -1..=10i8 {
            let plain = (8 * QUARTER * FINE) >> (halvings + 1);
            for dots in [1, 0] {
                let length = if dots == 1 { plain / 2 * 3 } else { plain };
                let is_plain_place = at.is_multiple_of(plain) || plain <= DYADIC * FINE;
                if length <= end - at
                    && allow(at, plain / FINE, dots)
                    && (is_plain_place || at.is_multiple_of(plain / 2))
                {
                    found.push((Value { halvings, dots }, at, length));
                    at += length;
                    continue 'next;
                }
            }
        }
        // Finer than any value: the shortest one stands for it.
        found.push((Value { halvings: 10, dots: 0 }, at, end - at));
        at = end;
    }
    found
}

/// How the beats of a metre restrict where a value may stand.
struct Beats {
    /// The length of a dotted beat in compound metres.
    compound: Option<u64>,
    /// The middle of the bar, which no short value may hide.
    middle: Option<u64>,
    whole: u64,
}

impl Beats {
    fn of(meter: Meter) -> Beats {
        let unit = 4 * QUARTER / u64::from(meter.denominator());
        let whole = unit * u64::from(meter.numerator());
        let has_middle = !meter.is_compound() && meter.numerator().is_multiple_of(2);
        Beats { compound: meter.is_compound().then_some(3 * unit), middle: has_middle.then_some(whole / 2), whole }
    }

    /// Whether a value whose undotted length is `plain` may begin at `start`. `is_between` says that the place is no whole tick.
    fn allow(&self, start: u64, is_between: bool, plain: u64, dots: u8, is_rest: bool) -> bool {
        let length = if dots == 1 { plain / 2 * 3 } else { plain };
        let end = start + length;
        if is_rest && plain > LONGEST_REST {
            return false;
        }
        // It would end between places of the grid, and nothing could go on from there.
        if dots == 1 && plain < 2 * DYADIC {
            return false;
        }
        if let Some(beat) = self.compound {
            let inside = start % beat;
            if inside + length > beat {
                // Over a beat only in whole beats: a dotted half note, two of three dotted quarters.
                return inside == 0 && length.is_multiple_of(beat);
            }
            let unit = beat / 3;
            // A third of the beat, or two of them, may be moved by half of itself, and need no tie for that.
            let is_moved = !is_rest && inside.is_multiple_of(plain / 2) && (plain == unit || plain == 2 * unit);
            return match dots {
                1 => {
                    inside.is_multiple_of(plain) && (!is_rest || length == beat)
                        || (inside + length).is_multiple_of(beat)
                        || !is_rest && (inside + length).is_multiple_of(2 * plain)
                        || is_moved
                }
                _ => inside.is_multiple_of(plain) || is_moved,
            };
        }
        if is_between {
            return dots == 0;
        }
        let on_place = start.is_multiple_of(plain);
        if is_rest {
            return on_place && dots == 0;
        }
        if length < 2 * QUARTER
            && let Some(middle) = self.middle.filter(|_| self.whole >= 4 * QUARTER)
            && start % self.whole < middle
            && start % self.whole + length > middle
        {
            return false;
        }
        match dots {
            1 => on_place || end.is_multiple_of(2 * plain),
            // A syncopation over one beat reads well without a tie.
            _ => on_place || start.is_multiple_of(plain / 2) && plain >= QUARTER / 2,
        }
    }
}

/// Where the boundaries of a voice's notes ask for tuplets, in order.
fn tuplets(meter: Meter, length: u64, boundaries: &[u64]) -> Vec<Span> {
    if boundaries.iter().all(|at| at.is_multiple_of(DYADIC)) {
        return Vec::new();
    }
    let unit = 4 * QUARTER / u64::from(meter.denominator());
    let whole = unit * u64::from(meter.numerator());
    // A bar of two, four or eight beats is one tree of halves; others are a row of beats.
    let size = if meter.numerator().is_power_of_two() && whole <= 4 * QUARTER { whole } else { unit };
    let mut spans = Vec::new();
    let mut start = 0;
    while start < length {
        // Two beats of a row may have a tuplet in common, as three quarters in the time of two.
        let is_pair = size == unit && start + 2 * size <= length;
        let pair = is_pair && Inside::of(start, 2 * size, boundaries).tuplet().is_some();
        let size = if pair { 2 * size } else { size };
        divide(start, size, boundaries, &mut spans);
        start += size;
    }
    spans
}

/// The boundaries within a span, counted from its beginning.
struct Inside {
    length: u64,
    times: Vec<u64>,
}

impl Inside {
    fn of(start: u64, length: u64, boundaries: &[u64]) -> Inside {
        let times = boundaries.iter().map(|at| at.saturating_sub(start)).filter(|at| (1..length).contains(at));
        Inside { length, times: times.collect() }
    }

    fn is_dyadic(&self) -> bool {
        self.times.iter().all(|at| at.is_multiple_of(DYADIC))
    }

    /// Whether something begins in the middle.
    fn is_split(&self) -> bool {
        self.times.iter().any(|at| 2 * at == self.length)
    }

    /// The simple tuplet that explains the boundaries where the span is not better halved.
    fn tuplet(&self) -> Option<u64> {
        if self.is_dyadic() || self.is_split() {
            return None;
        }
        // Over a beat, a tuplet is believed where its notes are plain ones; within a beat they may be divided twice.
        let depth = if self.length > QUARTER { 2 } else { 4 };
        let fits = |actual: &u64| self.times.iter().all(|at| (at * actual * depth).is_multiple_of(self.length));
        [3, 5, 7, 9].into_iter().find(fits)
    }

    /// Notes of equal length that reach every boundary.
    fn any_tuplet(&self) -> u64 {
        let odd = |at: &u64| {
            let denominator = self.length / gcd(self.length, *at);
            denominator >> denominator.trailing_zeros()
        };
        self.times.iter().map(odd).fold(1, |all, one| all / gcd(all, one) * one)
    }
}

/// The largest tuplet that explains the boundaries within a span, or those of its halves where a note begins in its middle.
fn divide(start: u64, length: u64, boundaries: &[u64], spans: &mut Vec<Span>) {
    let inside = Inside::of(start, length, boundaries);
    if inside.is_dyadic() {
        return;
    }
    let simple = inside.tuplet();
    if simple.is_none() && length.is_multiple_of(2 * DYADIC) {
        let half = length / 2;
        divide(start, half, boundaries, spans);
        divide(start + half, half, boundaries, spans);
        return;
    }
    let actual = simple.unwrap_or_else(|| inside.any_tuplet());
    spans.push(Span { start, length, actual, normal: 1 << actual.ilog2() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::nominal;
    use cantus_score::{Pitch, Velocity};

    /// Writes one voice of a bar: "4 8. 16" are note values, `r` a rest, `~` a tie to the next, `3:` a triplet.
    fn written(meter: &str, spans: &[(f64, f64)]) -> String {
        let meter: Meter = meter.parse().unwrap();
        let length = nominal(meter);
        let bar = SheetBar { start: 0, length, meter, meter_changes: false };
        let head = Head { pitch: Pitch::C4, velocity: Velocity::DEFAULT, tied_from: false, tied_to: false };
        let ticks = |quarters: f64| (quarters * QUARTER as f64).round() as u64;
        let chord = |&(from, to): &(f64, f64)| Chord { onset: ticks(from), end: ticks(to), heads: vec![head] };
        let chords: Vec<Chord> = spans.iter().map(chord).collect();
        let mut shown = Vec::new();
        let mut at = 0;
        for event in write_down(&chords, &[bar], true).remove(0) {
            assert_eq!(event.onset, at);
            at += event.duration;
            let value = match event.value {
                Some(Value { halvings: -1, dots }) => format!("breve{}", ".".repeat(usize::from(dots))),
                Some(Value { halvings, dots }) => format!("{}{}", 1 << halvings, ".".repeat(usize::from(dots))),
                None => "bar".to_owned(),
            };
            let rest = if event.heads.is_empty() { "r" } else { "" };
            let tie = if event.heads.iter().any(|head| head.tied_to) { "~" } else { "" };
            let tuplet = event.tuplet.map_or(String::new(), |tuplet| {
                format!(
                    "{}{}{}",
                    if tuplet.begins { "(" } else { "" },
                    tuplet.actual,
                    if tuplet.ends { ")" } else { "" }
                )
            });
            shown.push(format!("{tuplet}{rest}{value}{tie}"));
        }
        assert_eq!(at, length);
        shown.join(" ")
    }

    #[test]
    fn plain_values_and_ties() {
        assert_eq!(written("4/4", &[]), "rbar");
        assert_eq!(written("4/4", &[(0.0, 4.0)]), "1");
        assert_eq!(written("4/4", &[(0.0, 3.0)]), "2. r4");
        assert_eq!(written("4/4", &[(0.0, 1.5), (1.5, 2.0)]), "4. 8 r2");
        assert_eq!(written("4/4", &[(0.0, 2.5)]), "2~ 8 r8 r4");
        assert_eq!(written("4/4", &[(1.0, 3.0)]), "r4 2 r4");
        assert_eq!(written("4/4", &[(1.5, 2.5)]), "r4 r8 8~ 8 r8 r4");
        assert_eq!(written("4/4", &[(0.0, 0.5), (0.5, 1.5), (1.5, 2.0)]), "8 4 8 r2");
        assert_eq!(written("4/4", &[(0.25, 1.25)]), "r16 8.~ 16 r16 r8 r2");
        assert_eq!(written("3/4", &[(0.0, 3.0)]), "2.");
        assert_eq!(written("3/4", &[(0.0, 1.0)]), "4 r4 r4");
        assert_eq!(written("6/4", &[(0.0, 1.0)]), "4 r4 r2 r2");
        assert_eq!(written("3/1", &[(0.0, 12.0)]), "breve.");
        assert_eq!(written("4/1", &[(0.0, 16.0)]), "breve.~ 1");
        assert_eq!(written("2/2", &[(0.0, 1.5), (1.5, 2.5), (2.5, 4.0)]), "4. 8~ 8 4.");
        assert_eq!(written("2/4", &[(0.0, 0.5), (0.5, 1.5), (1.5, 2.0)]), "8 4 8");
        assert_eq!(written("4/4", &[(0.0, 0.25), (0.25, 0.75), (0.75, 1.0), (1.0, 3.0)]), "16 8 16 2 r4");
    }

    #[test]
    fn compound_beats_stay_visible() {
        assert_eq!(written("6/8", &[(0.0, 3.0)]), "2.");
        assert_eq!(written("6/8", &[(0.0, 1.0), (1.0, 1.5), (1.5, 3.0)]), "4 8 4.");
        assert_eq!(written("6/8", &[(1.0, 2.0)]), "r4 8~ 8 r8 r8");
        assert_eq!(written("9/8", &[(0.0, 4.5)]), "2.~ 4.");
        assert_eq!(written("6/8", &[(0.0, 0.75), (0.75, 1.5)]), "8. 8. r4.");
        assert_eq!(written("12/8", &[(0.0, 0.5)]), "8 r8 r8 r4. r2.");
        // Scotch snaps and syncopations within a beat.
        assert_eq!(written("6/8", &[(0.0, 0.25), (0.25, 1.0), (1.0, 1.5), (1.5, 3.0)]), "16 8. 8 4.");
        assert_eq!(written("6/8", &[(1.5, 1.75), (1.75, 2.25), (2.25, 3.0)]), "r4. 16 8 8.");
        assert_eq!(written("6/8", &[(0.0, 0.5), (0.5, 1.5), (1.5, 2.25), (2.25, 2.5), (2.5, 3.0)]), "8 4 8. 16 8");
        assert_eq!(written("6/8", &[(0.0, 0.25), (0.25, 1.25), (1.25, 1.5)]), "16 8.~ 16 16 r4.");
        assert_eq!(written("6/8", &[(0.0, 0.125), (0.125, 0.5), (0.5, 1.5)]), "32 16. 4 r4.");
        assert_eq!(written("3/8", &[(0.0, 0.25), (0.25, 1.0), (1.0, 1.5)]), "16 8. 8");
        assert_eq!(written("3/8", &[(0.0, 1.5)]), "4.");
    }

    /// Every stretch of 128ths in a beat and a half is written with values that are as long as they say.
    #[test]
    fn values_last_as_long_as_they_say() {
        let head = Head { pitch: Pitch::C4, velocity: Velocity::DEFAULT, tied_from: false, tied_to: false };
        for meter in ["4/4", "3/4", "6/8", "9/8", "5/8", "2/2"] {
            let meter: Meter = meter.parse().unwrap();
            let bar = SheetBar { start: 0, length: nominal(meter), meter, meter_changes: false };
            for (from, to) in (0..48).flat_map(|from| (from + 1..=48).map(move |to| (from * DYADIC, to * DYADIC))) {
                let chord = Chord { onset: from, end: to, heads: vec![head] };
                for event in write_down(&[chord], &[bar], true).remove(0) {
                    let Some(Value { halvings, dots }) = event.value else { continue };
                    let plain = (8 * QUARTER) >> (halvings + 1);
                    let said = if dots == 1 { plain / 2 * 3 } else { plain };
                    assert_eq!((event.duration, event.tuplet), (said, None), "{meter}: {from}-{to}");
                }
            }
        }
    }

    #[test]
    fn triplets_where_the_onsets_need_them() {
        let third = 1.0 / 3.0;
        assert_eq!(written("4/4", &[(0.0, third), (third, 2.0 * third), (2.0 * third, 1.0)]), "(38 38 3)8 r4 r2");
        assert_eq!(written("2/4", &[(0.0, 2.0 * third), (2.0 * third, 1.0)]), "(34 3)8 r4");
        // Quarters, three in the time of two.
        assert_eq!(
            written("4/4", &[(0.0, 2.0 * third), (2.0 * third, 4.0 * third), (4.0 * third, 2.0), (2.0, 4.0)]),
            "(34 34 3)4 2"
        );
        assert_eq!(
            written("3/4", &[(0.0, 2.0 * third), (2.0 * third, 4.0 * third), (4.0 * third, 2.0), (2.0, 3.0)]),
            "(34 34 3)4 4"
        );
        // Three sixteenths in half a beat.
        let sixth = third / 2.0;
        assert_eq!(
            written(
                "2/4",
                &[(0.0, 0.5), (0.5, 0.5 + sixth), (0.5 + sixth, 0.5 + 2.0 * sixth), (0.5 + 2.0 * sixth, 1.0)]
            ),
            "8 (316 316 3)16 r4"
        );
        // A note held into a triplet is tied.
        assert_eq!(written("3/4", &[(0.0, 1.0), (1.0, 1.0 + third), (1.0 + third, 2.0)]), "4 (38 3)4 r4");
        // Two of three quarters in the time of two.
        assert_eq!(written("2/4", &[(0.0, 1.0 + third), (1.0 + third, 2.0)]), "(32 3)4");
        assert_eq!(written("4/4", &[(0.0, 0.2), (0.2, 0.4), (0.4, 1.0)]), "(516 516 5)8. r4 r2");
    }
}
