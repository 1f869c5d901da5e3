//! What comes again in a piece: found in those of the corpus, quarter by quarter, and kept to while one is written.

use super::past::Past;
use super::texture::Textures;
use cantus_encoding::note_events::{Clock, Event};
use cantus_model::{Controls, Rng};
use cantus_nn::random::{below, mix};
use cantus_score::Bar;
use serde::{Deserialize, Serialize};

/// Forms that a model remembers at most, and bars of each.
const MOST_FORMS: usize = 200;
const MOST_BARS: usize = 96;
/// So many forms are enough to draw one from.
const ENOUGH_FORMS: usize = 8;
/// Quarters of a bar that are told apart in a form.
const MOST_QUARTERS: usize = 16;

/// What comes again in the pieces of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Plans(Vec<Plan>);

/// What comes again in a piece, and how busy it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    /// Steps of a bar; 0 where time has none.
    bar: u32,
    /// For each bar the earlier one that it repeats, and, as bits, which of its quarters; none of them where it repeats none.
    bars: Vec<(u16, u16)>,
    /// How busy it is.
    textures: Textures,
}

impl Plans {
    /// Those of pieces that say how busy they are.
    pub fn of(pieces: &[&Past], clock: Clock) -> Plans {
        let spread = pieces.len().min(MOST_FORMS);
        let chosen = (0..spread).map(|k| pieces[k * pieces.len() / spread]);
        Plans(chosen.filter_map(|piece| Plan::of(piece, clock)).collect())
    }

    /// Whether nothing comes before it was there.
    pub fn is_sound(&self) -> bool {
        let earlier = |plan: &Plan| {
            plan.bars.iter().enumerate().all(|(bar, (from, quarters))| *quarters == 0 || usize::from(*from) < bar)
        };
        self.0.iter().all(|plan| earlier(plan) && plan.textures.is_sound())
    }

    /// What comes again in a piece of these bars, as in some piece of the corpus whose bars are as long.
    pub fn draw(&self, bars: &[Bar], beat: u32, rng: &mut Rng) -> Form {
        let chance = below(rng, 1 << 30);
        let alike = self.alike(bars);
        // One of a piece that is about as long, or longer, or any.
        let of_length = |most: usize| -> Vec<&Plan> {
            alike.iter().filter(|plan| (bars.len()..=most).contains(&plan.bars.len())).copied().collect()
        };
        let near = of_length(bars.len() * 3 / 2);
        let long = if near.len() >= ENOUGH_FORMS { near } else { of_length(usize::MAX) };
        let plans = if long.is_empty() { &alike } else { &long };
        let Some(plan) = plans.get((chance * plans.len()) >> 30) else { return Form::default() };
        let recall = |number: usize| plan.bars.get(number).filter(|(_, quarters)| *quarters > 0).copied();
        // How it ends is the piece's own.
        let last = bars.len().saturating_sub(1);
        Form::new(bars, beat, |bar, quarter| {
            let (from, quarters) = recall(bar).filter(|_| bar < last)?;
            (quarters >> quarter & 1 == 1).then_some(from.into())
        })
    }

    /// How busy a piece of these bars is, as some piece of the corpus whose bars are as long, however long that is. Where a density or a
    /// polyphony is asked for, one of those about so busy and so full, from 0, the calmest and barest, to 1, the busiest and fullest.
    pub fn draw_textures(&self, bars: &[Bar], clock: Clock, asked: &Controls, rng: &mut Rng) -> Textures {
        let mut plans = self.alike(bars);
        let busy = asked.density.map(|place| self.value(place, Textures::busy));
        let full = asked.polyphony.map(|place| self.value(place, Textures::full));
        // What is asked for stands among all pieces; those whose bars are as long may have none of it, and are moved there.
        let off = |plan: &&Plan| {
            let by = |wanted: Option<f64>, is: f64| wanted.map_or(0.0, |wanted| (wanted - is).abs());
            by(busy, plan.textures.busy()) + by(full, plan.textures.full())
        };
        if busy.or(full).is_some() {
            plans.sort_by(|a, b| off(a).total_cmp(&off(b)));
            plans.truncate((plans.len() / 10).max(3));
        }
        let drawn = plans.get(below(rng, plans.len().max(1))).map(|plan| plan.textures.clone()).unwrap_or_default();
        if busy.or(full).is_none() {
            return drawn;
        }
        let end = bars.last().map_or(0, |bar| bar.end().0.min(u64::from(u32::MAX / 2)) as u32);
        drawn.covering(end, clock).moved(busy, full)
    }

    /// The value that a measure of textures has at a place among all pieces, from 0, the least, to 1, the most.
    fn value(&self, place: f64, measure: fn(&Textures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(|plan| measure(&plan.textures)).collect();
        values.sort_by(f64::total_cmp);
        let at = place * values.len().saturating_sub(1) as f64;
        let value = |k: f64| values.get(k as usize).copied().unwrap_or(0.0);
        value(at.floor()) + at.fract() * (value(at.ceil()) - value(at.floor()))
    }

    /// Those whose bars are as long.
    fn alike(&self, bars: &[Bar]) -> Vec<&Plan> {
        let length = bars.first().map_or(0, |bar| bar.length.0);
        self.0.iter().filter(|plan| plan.bar == 0 || u64::from(plan.bar) == length).collect()
    }
}

impl Plan {
    fn of(piece: &Past, clock: Clock) -> Option<Plan> {
        let bars = piece.bars();
        let textures = piece.textures().clone();
        let beat = match clock {
            Clock::Beats(steps) => u32::from(steps),
            // What is played as it comes never comes again to the hundredth.
            Clock::Seconds => return Some(Plan { bar: 0, bars: Vec::new(), textures }),
        };
        let upbeat = usize::from(bars.len() > 1 && bars[0].length < bars[1].length);
        let bars = bars.get(upbeat..)?;
        let bars = &bars[..bars.len().min(MOST_BARS)];
        let length = bars.first()?.length;
        let quarters: Vec<Vec<u64>> = bars
            .iter()
            .map(|bar| quarters_of(bar, beat).map(|(from, to)| content(piece, from, to)).collect())
            .collect();
        let mut lag = 0;
        let recall = |(number, own): (usize, &Vec<u64>)| {
            // Of equals the one that goes on with what the bar before repeats, then the first one.
            let alike = |from: usize| {
                let (mut bits, mut sounding) = (0u16, 0);
                for (quarter, (there, here)) in quarters[from].iter().zip(own).enumerate() {
                    // Where nothing begins, what began before may be held: it comes again where that does.
                    let held = *here == SILENT && (quarter == 0 || bits >> (quarter - 1) & 1 == 0);
                    if there == here && !held {
                        bits |= 1 << quarter;
                        sounding += usize::from(*here != SILENT);
                    }
                }
                (sounding, bits)
            };
            let fits = |from: &usize| bars[*from].length == bars[number].length;
            let best = (0..number)
                .filter(fits)
                .map(|from| (from, alike(from)))
                .max_by_key(|(from, (sounding, _))| (*sounding, number - from == lag, usize::MAX - from));
            let struck = own.iter().filter(|content| **content != SILENT).count();
            match best {
                Some((from, (sounding, bits))) if sounding > 0 && 2 * sounding >= struck => {
                    lag = number - from;
                    (from as u16, bits)
                }
                _ => (0, 0),
            }
        };
        let found = quarters.iter().enumerate().map(recall).collect();
        Some(Plan { bar: u32::try_from(length.0).ok()?, bars: found, textures })
    }
}

/// The content of a stretch in which nothing begins.
pub(super) const SILENT: u64 = 0;

/// The quarters of a bar: when they begin and end. Of a long one the last is what is left.
fn quarters_of(bar: &Bar, beat: u32) -> impl Iterator<Item = (u32, u32)> {
    let (start, end) = (bar.start.0 as u32, bar.end().0.min(u32::MAX.into()) as u32);
    let count = (end - start).div_ceil(beat.max(1)).clamp(1, MOST_QUARTERS as u32);
    (0..count).map(move |k| (start + k * beat, if k + 1 == count { end } else { start + (k + 1) * beat }))
}

/// What begins from one time to another, as a number.
pub(super) fn content(piece: &Past, from: u32, to: u32) -> u64 {
    let notes = piece.notes();
    let first = notes.partition_point(|note| note.onset < from);
    let inside = notes[first..].iter().take_while(|note| note.onset < to);
    inside.fold(SILENT, |all, note| {
        mix(all ^ u64::from(note.onset - from) << 32 ^ u64::from(note.instrument) << 8 ^ u64::from(note.pitch))
    })
}

/// What comes again in a piece that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Stretches one after another: begin, end, and when what it repeats began.
    stretches: Vec<(u32, u32, Option<u32>)>,
}

/// What the next note is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// That one, again.
    Again(Event),
    /// Any, from a time on.
    Free(u32),
}

impl Form {
    /// For each quarter of each bar the earlier bar whose quarter it is to repeat.
    pub fn new(bars: &[Bar], beat: u32, recall: impl Fn(usize, usize) -> Option<usize>) -> Form {
        let mut form = Form::default();
        for (number, bar) in bars.iter().enumerate() {
            for (quarter, (from, to)) in quarters_of(bar, beat).enumerate() {
                let earlier = recall(number, quarter).and_then(|earlier| bars.get(earlier));
                let source = earlier.and_then(|earlier| quarters_of(earlier, beat).nth(quarter));
                let source = source.filter(|(begins, ends)| ends - begins == to - from && *ends <= from);
                form.stretches.push((from, to, source.map(|(begins, _)| begins)));
            }
        }
        form
    }

    /// The same, where only such stretches come again: when one begins and ends, and when what it repeats began.
    #[must_use]
    pub fn where_alike(mut self, alike: impl Fn(u32, u32, u32) -> bool) -> Form {
        for (from, to, source) in &mut self.stretches {
            *source = source.filter(|source| alike(*from, *to, *source));
        }
        self
    }

    /// Whether something comes again at or after a time.
    pub fn goes_on(&self, time: u32) -> bool {
        self.stretches.iter().any(|(_, to, source)| *to > time && source.is_some())
    }

    /// When the stretches began that come again without a gap up to a time at which something does.
    pub fn begins_again(&self, time: u32) -> u32 {
        let at = self.stretches.partition_point(|(_, to, _)| *to <= time);
        let again = self.stretches[..(at + 1).min(self.stretches.len())].iter().rev();
        again.take_while(|(_, _, source)| source.is_some()).map(|(from, _, _)| *from).last().unwrap_or(time)
    }

    /// What comes at or after `time`, when of the notes there `passed` have been already.
    pub fn next(&self, piece: &Past, time: u32, passed: usize) -> Next {
        let first = self.stretches.partition_point(|(_, to, _)| *to <= time);
        for (from, to, source) in &self.stretches[first..] {
            let Some(source) = source else { return Next::Free(time.max(*from)) };
            let (begin, passed) = if time > *from {
                (source + (time - from), passed)
            } else {
                (*source, if time == *from { passed } else { 0 })
            };
            let notes = piece.notes();
            let at = notes.partition_point(|note| note.onset < begin);
            let struck = notes[at..].iter().take_while(|note| note.onset == begin).count();
            if let Some(note) = notes.get(at + passed.min(struck)).filter(|note| note.onset < source + (to - from)) {
                return Next::Again(Event { onset: from + (note.onset - source), ..*note });
            }
        }
        Next::Free(self.stretches.last().map_or(time, |(_, to, _)| time.max(*to)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use cantus_score::{Meter, Ticks};

    pub fn bars(count: u64) -> Vec<Bar> {
        (0..count).map(|k| Bar { start: Ticks(16 * k), length: Ticks(16), meter: Meter::COMMON }).collect()
    }

    fn note(onset: u32, pitch: u8) -> Event {
        Event { onset, instrument: 0, pitch, length: 4, level: 0 }
    }

    /// Bars of four quarters; a letter names a bar, and what stands after it how much higher its last quarter is.
    pub fn piece(named: &[(u8, u8)]) -> Past {
        let of_bar = |(bar, (name, above)): (usize, &(u8, u8))| -> Vec<Event> {
            let high = |quarter: u32| if quarter == 3 { *above } else { 0 };
            (0..4).map(|quarter| note(16 * bar as u32 + 4 * quarter, name + quarter as u8 + high(quarter))).collect()
        };
        let notes: Vec<Event> = named.iter().enumerate().flat_map(of_bar).collect();
        Past::of(&notes, bars(named.len() as u64), Clock::Beats(4), |_| false)
    }

    #[test]
    fn what_comes_again_in_a_piece_is_found_quarter_by_quarter() {
        let plan = Plan::of(&piece(&[(60, 0), (50, 0), (60, 7), (70, 0), (60, 0), (50, 0)]), Clock::Beats(4)).unwrap();
        assert_eq!(plan.bar, 16);
        assert_eq!(plan.bars, [(0, 0), (0, 0), (0, 0b0111), (0, 0), (0, 0b1111), (1, 0b1111)]);
        assert!(Plans(vec![plan.clone()]).is_sound());
        let before_it_was_there = Plan { bars: vec![(0, 1)], ..plan };
        assert!(!Plans(vec![before_it_was_there]).is_sound());
        // Of equals the one that goes on.
        let plan = Plan::of(&piece(&[(60, 0), (50, 0), (60, 0), (50, 0), (60, 0), (50, 0)]), Clock::Beats(4)).unwrap();
        assert_eq!(plan.bars.iter().map(|(from, _)| *from).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn the_density_that_is_asked_for_chooses_among_the_pieces() {
        // Pieces of a note a beat, two, three ... for four bars.
        let piece = |notes: u32| -> Past {
            let of_beat = |beat: u32| (0..notes).map(move |k| note(16 * beat + k, 60));
            let notes: Vec<Event> = (0..16).flat_map(of_beat).collect();
            let bars = bars(4).into_iter().map(|bar| Bar { start: Ticks(4 * bar.start.0), length: Ticks(64), ..bar });
            let textures = Textures::of(&notes, 256, Clock::Beats(16), |_| false);
            Past::of(&notes, bars.collect(), Clock::Beats(16), |_| false).with_textures(textures)
        };
        let pieces: Vec<Past> = [8, 1, 5, 3, 12].map(piece).into();
        let plans = Plans::of(&pieces.iter().collect::<Vec<_>>(), Clock::Beats(16));
        let drawn = |density: Option<f64>| -> Vec<f64> {
            let asked = Controls { density, ..Controls::default() };
            let draw = |seed| {
                plans.draw_textures(pieces[0].bars(), Clock::Beats(16), &asked, &mut cantus_model::seeded(seed)).busy()
            };
            (0..40).map(draw).collect()
        };
        let mean = |density: Option<f64>| drawn(density).iter().sum::<f64>() / 40.0;
        let busiest = |density: f64| drawn(Some(density)).into_iter().fold(0.0, f64::max);
        assert!(mean(Some(0.0)) + 1.0 < mean(Some(1.0)), "{} {}", mean(Some(0.0)), mean(Some(1.0)));
        assert!(busiest(0.0) < busiest(0.5) && busiest(0.5) < busiest(1.0));
        assert!((mean(Some(0.0))..mean(Some(1.0))).contains(&mean(None)));
        // What is drawn has the value that is asked for, whatever pieces there are whose bars are as long.
        let value = plans.value(0.3, Textures::busy);
        assert!(drawn(Some(0.3)).iter().all(|busy| (busy - value).abs() <= 0.5), "{value} {:?}", drawn(Some(0.3)));
        assert_eq!([0.0, 1.0].map(|place| plans.value(place, Textures::busy)), [6.0, 13.0]);
    }

    #[test]
    fn a_form_gives_what_comes_again_note_by_note_and_leaves_the_rest_free() {
        // The third bar is the first, but for its last quarter; the fourth is the first as well.
        let form = Form::new(&bars(5), 4, |bar, quarter| (bar == 2 && quarter < 3 || bar == 3).then_some(0));
        let mut past = piece(&[(60, 0), (50, 0)]);
        let mut written = past.notes().to_vec();
        written.push(note(16, 40));
        written.sort_by_key(Event::order);
        past = Past::of(&written, bars(5), Clock::Beats(4), |_| false);
        assert_eq!(form.next(&past, 28, 1), Next::Free(28));
        assert_eq!(form.next(&past, 32, 0), Next::Again(note(32, 60)), "after the second bar");
        assert_eq!(form.next(&past, 32, 1), Next::Again(note(36, 61)));
        assert_eq!(form.next(&past, 40, 1), Next::Free(44));
        assert_eq!(form.next(&past, 44, 0), Next::Free(44));
        assert_eq!(form.next(&past, 20, 1), Next::Free(20));
        assert_eq!(form.begins_again(40), 32);
        assert_eq!(form.begins_again(20), 20);
        assert!(form.goes_on(50) && !form.goes_on(64));
        // A stretch that is not written yet, or longer than what it would repeat, is free.
        let odd = Form::new(&bars(2), 4, |bar, _| (bar == 0).then_some(1));
        assert_eq!(odd, Form::new(&bars(2), 4, |_, _| None));
    }
}
