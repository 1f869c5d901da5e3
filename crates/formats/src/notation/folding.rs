//! Repeats on paper: of what is played several times, what is written, and the signs around it.

use super::{RESOLUTION, SheetBar, join_split_bars, meters_of, printed_numbers};
use crate::repeats::{self, Marks, Order, play_order};
use cantus_score::{Meter, Note, Pitch, Repeat, Ticks, TicksPerQuarter, Velocity};

/// Which bars stand on paper. Times are in [`QUARTER`](super::QUARTER)ths of the music as it is played.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Folding {
    /// For each bar the one that is written in its place: itself, but in later times through a repeat. Empty where all are written.
    written: Vec<usize>,
    /// For each bar how many are written before it.
    rank: Vec<usize>,
    /// For each bar that is written whether another one comes after it than on paper, any time that it is played.
    breaks: Vec<bool>,
    /// Where each bar begins, and where the last one ends.
    times: Vec<u64>,
    /// For each bar the signs of repetition that it has.
    marks: Vec<Marks>,
    /// What a reader finds to be repeated.
    pub repeats: Vec<Repeat>,
}

/// Whether a sign of repetition ends a bar, as a reader sees it: its signs, those of the next one on paper, and whether playing goes on
/// elsewhere.
pub(crate) type IsOpen = fn(&Marks, Option<&Marks>, bool) -> bool;

/// A note as two times through are compared: part, onset within the bar, duration, pitch, velocity.
type Sound = (usize, u64, u64, Pitch, Option<Velocity>);

/// What is repeated of a piece, as far as its bars say so.
struct Found {
    /// The first bars of each time through, and of its ending.
    passes: Vec<(usize, usize)>,
    end: usize,
}

impl Found {
    /// The bars of the ending of a time through.
    fn ending(&self, pass: usize) -> std::ops::Range<usize> {
        self.passes[pass].1..self.passes.get(pass + 1).map_or(self.end, |(start, _)| *start)
    }
}

/// Bars, cut where repeats begin and end, and their endings. The last of them ends with the last repeat, where all is over at `end`.
fn cut(bars: &[SheetBar], repeats: &[Repeat], end: u64) -> Vec<SheetBar> {
    let mut times: Vec<u64> = repeats.iter().flat_map(Repeat::times).map(|at| at.0).collect();
    times.sort_unstable();
    times.dedup();
    let last = times.last().copied().unwrap_or(0);
    let mut cut = Vec::with_capacity(bars.len() + times.len());
    for bar in bars {
        let inside = &times[times.partition_point(|at| *at <= bar.start)..times.partition_point(|at| *at < bar.end())];
        let mut start = bar.start;
        for at in inside.iter().copied().chain([bar.end()]) {
            cut.push(SheetBar { start, length: at - start, ..*bar });
            start = at;
        }
    }
    if cut.last().is_some_and(|bar| bar.start == last && last >= end) {
        cut.pop();
    }
    cut
}

impl Folding {
    /// Bars, and which of them stand on paper: what of `repeats` can be written as such, where all times through are the same, note for note;
    /// with their loudness, where that is written. All is over at `end`. `None` where nothing can.
    pub fn of(
        repeats: Vec<Repeat>,
        bars: &[SheetBar],
        (parts, end): (&[Vec<Note>], u64),
        loudness: bool,
    ) -> Option<(Vec<SheetBar>, Folding)> {
        let mut repeats = repeats;
        while !repeats.is_empty() {
            let bars = cut(bars, &repeats, end);
            let mut is_kept = Vec::with_capacity(repeats.len());
            let folding = Folding::of_cut(&repeats, &bars, parts, loudness, &mut is_kept);
            if !is_kept.contains(&false) {
                return folding.map(|folding| (bars, folding));
            }
            // Elsewhere no bar is cut.
            let mut is_kept = is_kept.into_iter();
            repeats.retain(|_| is_kept.next() == Some(true));
        }
        None
    }

    /// The same for bars that are cut. Says of each repeat whether it is written as one.
    fn of_cut(
        repeats: &[Repeat],
        bars: &[SheetBar],
        parts: &[Vec<Note>],
        loudness: bool,
        is_kept: &mut Vec<bool>,
    ) -> Option<Folding> {
        let sounds = sounds(bars, parts, loudness);
        let same = |a: usize, b: usize| {
            (bars[a].length, bars[a].meter) == (bars[b].length, bars[b].meter) && sounds[a] == sounds[b]
        };
        let all_same = |a: std::ops::Range<usize>, b: std::ops::Range<usize>| {
            a.len() == b.len() && a.zip(b).all(|(a, b)| same(a, b))
        };
        let mut written: Vec<usize> = (0..bars.len()).collect();
        let mut marks = vec![Marks::default(); bars.len()];
        let mut free = 0;
        for repeat in repeats {
            is_kept.push(false);
            let is_sound = |found: &Found| found.passes[0].0 >= free && !is_crossed(found, bars, parts);
            let Some(found) = found(repeat, bars).filter(is_sound) else { continue };
            let count = found.passes.len();
            let (first, body) = (found.passes[0].0, found.passes[0].1 - found.passes[0].0);
            let is_alike = |(start, ending): &(usize, usize)| {
                ending - start == body && all_same(*start..*ending, first..first + body)
            };
            if !found.passes.iter().all(is_alike) {
                continue;
            }
            // For each time through the first one that has the same ending.
            let like: Vec<usize> =
                (0..count).map(|k| (0..k).find(|j| all_same(found.ending(*j), found.ending(k))).unwrap_or(k)).collect();
            let is_empty = |pass: usize| found.ending(pass).is_empty();
            let has_endings = like.iter().any(|pass| *pass > 0);
            // Only the last time may go without an ending where others have one.
            let is_nothing = body == 0 && (has_endings || is_empty(0));
            if is_nothing || has_endings && (0..count - 1).any(is_empty) {
                continue;
            }
            is_kept.pop();
            is_kept.push(true);
            free = found.end;
            marks[first].forward = true;
            for (k, pass) in like.iter().enumerate() {
                let (from, to) = (found.passes[k].0, found.passes[*pass].1);
                (0..body).for_each(|bar| written[from + bar] = first + bar);
                found.ending(k).zip(to..).for_each(|(bar, of)| written[bar] = of);
                if *pass == k && has_endings && !is_empty(k) {
                    let ending = found.ending(k);
                    let passes: Vec<u32> = (k..count).filter(|j| like[*j] == k).map(|j| j as u32 + 1).collect();
                    let last = &mut marks[ending.end - 1];
                    last.ending_stops = true;
                    last.backward =
                        (passes != [count as u32]).then_some(if is_empty(count - 1) { count as u32 } else { 2 });
                    marks[ending.start].ending = passes;
                }
            }
            if !has_endings {
                marks[found.ending(0).end - 1].backward = Some(count as u32);
            }
        }
        let order = order(&written, &marks).filter(|order| !order.is_straight())?;
        let times: Vec<u64> = bars.iter().map(|bar| bar.start).chain(bars.last().map(SheetBar::end)).collect();
        let repeats = repeats::repeats(&order, |place| Ticks(times[place]));
        let rank = ranks(&written);
        let mut breaks = vec![false; written.len()];
        written.windows(2).for_each(|pair| breaks[pair[0]] |= pair[1] != pair[0] + 1);
        Some(Folding { written, rank, breaks, times, marks, repeats })
    }

    /// Whether all bars are written as they are played.
    pub fn is_plain(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether a bar stands on paper.
    pub fn is_written(&self, bar: usize) -> bool {
        self.written.get(bar).is_none_or(|of| *of == bar)
    }

    /// The signs of repetition of a bar.
    pub fn marks(&self, bar: usize) -> &Marks {
        const NONE: &Marks = &Marks {
            forward: false,
            backward: None,
            after_jump: false,
            ending: Vec::new(),
            ending_stops: false,
            segnos: Vec::new(),
            codas: Vec::new(),
            leaps: Vec::new(),
        };
        self.marks.get(bar).unwrap_or(NONE)
    }

    /// Which bar a time falls into.
    fn bar(&self, time: u64) -> usize {
        self.times.partition_point(|start| *start <= time).saturating_sub(1).min(self.written.len().saturating_sub(1))
    }

    /// Whether what stands at a time stands on paper.
    pub fn is_on_paper(&self, time: u64) -> bool {
        self.is_plain() || self.is_written(self.bar(time))
    }

    /// Whether playing goes on elsewhere than on paper after a bar, any time that it is played.
    pub fn breaks_after(&self, bar: usize) -> bool {
        self.written.get(bar).is_some_and(|of| self.breaks[*of])
    }

    /// Whether a bar begins at a time that comes after another one on paper than in playing.
    pub fn breaks_before(&self, time: u64) -> bool {
        self.times.binary_search(&time).is_ok_and(|bar| bar > 0 && self.breaks_after(bar - 1))
    }

    /// What has to be said on paper of changes, so that what holds anywhere is what holds there when it is played; `unnamed` holds before
    /// the first.
    pub fn changes<T: Copy + PartialEq>(&self, changes: &[(u64, T)], unnamed: T) -> Vec<(u64, T)> {
        if self.is_plain() {
            return changes.to_vec();
        }
        let mut said: Vec<(u64, T)> = Vec::with_capacity(changes.len());
        for bar in (0..self.written.len()).filter(|bar| self.is_written(*bar)) {
            let (start, end) = (self.times[bar], self.times[bar + 1]);
            let first = changes.partition_point(|(at, _)| *at < start);
            let within = changes[first..].iter().take_while(|(at, _)| *at < end);
            if bar > 0 && !self.is_written(bar - 1) && changes.get(first).is_none_or(|(at, _)| *at > start) {
                let held = first.checked_sub(1).map_or(unnamed, |before| changes[before].1);
                if held != said.last().map_or(unnamed, |(_, last)| *last) {
                    said.push((start, held));
                }
            }
            said.extend(within);
        }
        said
    }

    /// Whether in every time through the same holds and changes.
    pub fn agrees_in_changes<T: Copy + PartialEq>(&self, changes: &[(u64, T)], unnamed: T) -> bool {
        // What is named later, and held before, may come to stand elsewhere.
        if changes.first().is_some_and(|(at, first)| *at > 0 && *first == unnamed) {
            return false;
        }
        let held = |at: u64| match changes.partition_point(|(change, _)| *change <= at) {
            0 => unnamed,
            after => changes[after - 1].1,
        };
        let starts = self.times.iter().take(self.written.len()).map(|start| (*start, held(*start)));
        let before = std::iter::once(unnamed).chain(changes.iter().map(|(_, value)| *value));
        let real = changes.iter().zip(before).filter(|((_, value), before)| value != before).map(|(change, _)| *change);
        let within = real.filter(|(at, _)| self.times.binary_search(at).is_err());
        let mut all: Vec<(u64, T)> = starts.chain(within).collect();
        all.sort_by_key(|(at, _)| *at);
        self.agrees(all)
    }

    /// Whether in every time through the same things stand at the same places; they come in order of time.
    pub fn agrees<T: PartialEq>(&self, things: impl IntoIterator<Item = (u64, T)>) -> bool {
        let mut bars: Vec<Vec<(u64, T)>> = self.written.iter().map(|_| Vec::new()).collect();
        for (at, thing) in things {
            let bar = self.bar(at);
            if let Some(of_bar) = bars.get_mut(bar) {
                of_bar.push((at.saturating_sub(self.times[bar]), thing));
            }
        }
        self.written.iter().enumerate().all(|(bar, of)| bars[bar] == bars[*of])
    }

    /// Whether in every time through the same things reach from a place to another, and on paper from a bar to one that follows it as in
    /// playing; they come in the order of their beginnings.
    pub fn agrees_in_spans<T: PartialEq>(&self, spans: impl IntoIterator<Item = (u64, u64, T)>) -> bool {
        let mut is_whole = true;
        let spans = spans.into_iter().map(|(from, to, thing)| {
            let (first, last) = (self.bar(from), self.bar(to));
            let rank = |bar: usize| self.written.get(bar).map_or(0, |of| self.rank[*of]);
            is_whole &= first <= last && (first..=last).all(|bar| rank(bar) == rank(first) + bar - first);
            (from, (last.saturating_sub(first), to.saturating_sub(self.times[last]), thing))
        });
        let spans: Vec<_> = spans.collect();
        is_whole && self.agrees(spans)
    }

    /// Whether a reader counts the same bars: `meters` are the changes of metre as they are played.
    pub fn agrees_in_meters(&self, bars: &[SheetBar], meters: &[(Ticks, Meter)], is_open: IsOpen) -> bool {
        let Some(spans) = self.spans(bars, is_open) else { return false };
        meters_of(join_split_bars(&spans, PER_QUARTER).into_iter(), PER_QUARTER) == meters
    }

    /// The bars in the order of playing.
    fn spans(&self, bars: &[SheetBar], is_open: IsOpen) -> Option<Vec<(Ticks, Ticks, Meter, bool)>> {
        let kept: Vec<usize> = (0..bars.len()).filter(|bar| self.is_written(*bar)).collect();
        let span = |(k, bar): (usize, &SheetBar)| {
            let of = *self.written.get(k)?;
            let rank = self.rank[of];
            let jumps = self.written.get(k + 1).is_some_and(|next| self.rank[*next] != rank + 1);
            let next = kept.get(rank + 1).map(|next| &self.marks[*next]);
            Some((Ticks(bar.start), Ticks(bar.length), bars[of].meter, is_open(&self.marks[of], next, jumps)))
        };
        bars.iter().enumerate().map(span).collect()
    }

    /// When each bar begins, with its number as a reader counts those on paper; nothing where all bars are written.
    pub fn numbers(&self, bars: &[SheetBar], is_open: IsOpen) -> Vec<(u64, usize)> {
        let kept: Vec<usize> = (0..self.written.len()).filter(|bar| self.is_written(*bar)).collect();
        let mut spans = Vec::with_capacity(kept.len());
        let mut start = 0;
        for (rank, &bar) in kept.iter().enumerate() {
            let next = kept.get(rank + 1).map(|next| &self.marks[*next]);
            let is_open = is_open(&self.marks[bar], next, false);
            spans.push((Ticks(start), Ticks(bars[bar].length), bars[bar].meter, is_open));
            start += bars[bar].length;
        }
        let numbers = printed_numbers(&spans, PER_QUARTER);
        self.written.iter().zip(&self.times).map(|(of, start)| (*start, numbers[self.rank[*of]])).collect()
    }
}

const PER_QUARTER: TicksPerQuarter = TicksPerQuarter::new(RESOLUTION).unwrap();

/// For each bar the notes that begin in it.
fn sounds(bars: &[SheetBar], parts: &[Vec<Note>], loudness: bool) -> Vec<Vec<Sound>> {
    let mut sounds: Vec<Vec<Sound>> = vec![Vec::new(); bars.len()];
    for (part, notes) in parts.iter().enumerate() {
        for note in notes {
            let bar = bars.partition_point(|bar| bar.start <= note.onset.0).saturating_sub(1);
            let velocity = loudness.then_some(note.velocity);
            if let Some(of_bar) = sounds.get_mut(bar) {
                of_bar.push((part, note.onset.0 - bars[bar].start, note.duration.0, note.pitch, velocity));
            }
        }
    }
    sounds.iter_mut().for_each(|sounds| sounds.sort_unstable());
    sounds
}

/// The bars of a repeat, where it begins and ends with bars.
fn found(repeat: &Repeat, bars: &[SheetBar]) -> Option<Found> {
    let end = bars.last()?.end();
    let bar = |at: Ticks| match bars.binary_search_by_key(&at.0, |bar| bar.start) {
        Ok(bar) => Some(bar),
        Err(_) => (at.0 == end).then_some(bars.len()),
    };
    let passes = repeat.passes.iter().map(|pass| Some((bar(pass.start)?, bar(pass.ending)?)));
    let found = Found { passes: passes.collect::<Option<_>>()?, end: bar(repeat.end)? };
    let ends = found.passes.iter().skip(1).map(|(start, _)| *start).chain([found.end]);
    let in_order =
        found.passes.iter().zip(ends).all(|((start, ending), end)| start <= ending && *ending <= end && *start < end);
    (found.passes.len() > 1 && in_order).then_some(found)
}

/// Whether a note sounds on where a time through or an ending begins or ends.
fn is_crossed(found: &Found, bars: &[SheetBar], parts: &[Vec<Note>]) -> bool {
    let places = found.passes.iter().flat_map(|(start, ending)| [*start, *ending]).chain([found.end]);
    let times: Vec<u64> = places.filter_map(|bar| bars.get(bar)).map(|bar| bar.start).collect();
    parts.iter().flatten().any(|note| {
        let next = times.get(times.partition_point(|at| *at <= note.onset.0));
        next.is_some_and(|at| *at < note.end().0)
    })
}

/// The order in which a reader plays what is written; `None` where that is not as it should be.
fn order(written: &[usize], marks: &[Marks]) -> Option<Order> {
    let kept = || written.iter().enumerate().filter(|(bar, of)| bar == *of).map(|(bar, _)| bar);
    let on_paper: Vec<Marks> = kept().map(|bar| marks[bar].clone()).collect();
    let rank = ranks(written);
    let order = play_order(&on_paper, written.len())?;
    order.bars.iter().copied().eq(written.iter().map(|of| rank[*of])).then_some(order)
}

/// For each bar how many are written before it.
fn ranks(written: &[usize]) -> Vec<usize> {
    let mut before = 0;
    let rank = |(bar, of): (usize, &usize)| {
        let rank = before;
        before += usize::from(bar == *of);
        rank
    };
    written.iter().enumerate().map(rank).collect()
}
