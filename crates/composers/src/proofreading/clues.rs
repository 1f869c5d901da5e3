//! What a proofreader is told of a tone: all that is around it, relative to it.
//!
//! Pitches count from the tone's own, steps from its own stroke, so that what is heard of a piece is heard of it in every key and wherever it begins. The
//! tone itself is not told but by its length: what is asked is whether it fits. So the same clues serve for a tone that is not there.

use super::sheet::{Sheet, Tone};

/// Steps on each side that are told.
const REACH: i32 = 32;
/// Semitones on each side.
const SPAN: i32 = 36;
const PITCHES: usize = 2 * SPAN as usize + 1;
/// The moments that are told apart: each step near the tone, pairs and fours of steps further away.
const MOMENTS: usize = 33;
/// Intervals of lines: an octave on each side, more, and none.
const LEAPS: usize = 27;
/// Places of a tone among those that sound with it.
const ROLES: usize = 4;
const LENGTHS: usize = 8;
const STRENGTHS: usize = 5;
const GAPS: usize = 7;
/// What may be at a place that is like the tone's.
const ECHOES: usize = 6;
/// How like it is.
const LIKENESS: usize = 5;
/// Bars earlier and later that are looked at on purpose.
const LAGS: [i32; 6] = [-4, -2, -1, 1, 2, 4];
/// Bars on each side among which the one that is most like the tone's is looked for.
const FURTHEST: i32 = 32;
/// Steps on each side by which bars are compared.
const COMPARED: i32 = 8;

/// Clues of one kind, one after another.
#[derive(Clone, Copy)]
struct Kind {
    first: usize,
    count: usize,
}

impl Kind {
    const fn after(before: Kind, count: usize) -> Kind {
        Kind { first: before.first + before.count, count }
    }
}

const SOUNDING: Kind = Kind { first: 0, count: MOMENTS * PITCHES };
const STRUCK: Kind = Kind::after(SOUNDING, MOMENTS * PITCHES);
const CHORD: Kind = Kind::after(STRUCK, 1 << 11);
const LINE: Kind = Kind::after(CHORD, LEAPS * LEAPS);
const COMING: Kind = Kind::after(LINE, ROLES * LEAPS);
const GOING: Kind = Kind::after(COMING, ROLES * LEAPS);
const PLACE: Kind = Kind::after(GOING, STRENGTHS * LENGTHS);
const WHEN: Kind = Kind::after(PLACE, 24);
const RHYTHM: Kind = Kind::after(WHEN, 2 * GAPS * GAPS);
const FULLNESS: Kind = Kind::after(RHYTHM, 9);
const TOGETHER: Kind = Kind::after(FULLNESS, 9);
const REGISTER: Kind = Kind::after(TOGETHER, 25);
const NEAR_KEY: Kind = Kind::after(REGISTER, 12);
const WIDE_KEY: Kind = Kind::after(NEAR_KEY, 12);
const OWN_CLASS: Kind = Kind::after(WIDE_KEY, 2 * 8);
const ECHO: Kind = Kind::after(OWN_CLASS, LAGS.len() * LIKENESS * ECHOES);
const BEST_ECHO: Kind = Kind::after(ECHO, LIKENESS * ECHOES);
const CLASH: Kind = Kind::after(BEST_ECHO, 4);

/// All clues that there are.
pub(super) const CLUES: usize = CLASH.first + CLASH.count;

/// Which clues there are, and how strong: mostly 1.
pub(super) type Clues = Vec<(u32, f32)>;

/// A sheet without one or two of its tones.
struct Around<'a> {
    sheet: &'a Sheet,
    tone: Tone,
    without: Option<Tone>,
}

impl Around<'_> {
    fn sounding(&self, step: i32) -> u128 {
        self.hide(self.sheet.sounding(step), |tone| tone.at <= step && step < tone.end())
    }

    fn struck(&self, step: i32) -> u128 {
        self.hide(self.sheet.struck(step), |tone| tone.at == step)
    }

    fn hide(&self, mut pitches: u128, is_here: impl Fn(Tone) -> bool) -> u128 {
        for tone in [Some(self.tone), self.without].into_iter().flatten() {
            if is_here(tone) {
                pitches &= !tone.bit();
            }
        }
        pitches
    }
}

/// Tells all of a tone that is in a sheet, or of one that could be, where `without` is not.
pub(super) fn clues_of(sheet: &Sheet, tone: Tone, without: Option<Tone>, clues: &mut Clues) {
    clues.clear();
    let around = Around { sheet, tone, without };
    let mut tell =
        |kind: Kind, at: usize, strength: f32| clues.push(((kind.first + at.min(kind.count - 1)) as u32, strength));
    let own = i32::from(tone.pitch);
    // What sounds and what is struck, moment by moment.
    for moment in 0..MOMENTS {
        let (from, to) = steps_of(moment as i32 - 16);
        let (mut sounding, mut struck) = (0, 0);
        for step in from..=to {
            sounding |= around.sounding(tone.at + step);
            struck |= around.struck(tone.at + step);
        }
        for (kind, pitches) in [(SOUNDING, sounding), (STRUCK, struck)] {
            each(relative(pitches, own), |pitch| tell(kind, moment * PITCHES + pitch, 1.0));
        }
    }
    // The chord that it is struck in, by classes from its own.
    let with = around.sounding(tone.at);
    tell(CHORD, classes(with, own) >> 1, 1.0);
    let (above, below) = (with >> tone.pitch >> 1 != 0, with & (tone.bit() - 1) != 0);
    let role = usize::from(above) + 2 * usize::from(below);
    let lead = |pitches: u128| match role {
        1 => lowest(pitches),
        2 => highest(pitches),
        _ => nearest(pitches, own),
    };
    let [before, after] =
        [tone.at - 1, tone.end()].map(|step| lead(around.sounding(step)).map_or(LEAPS - 1, |pitch| leap(pitch - own)));
    tell(LINE, before * LEAPS + after, 1.0);
    tell(COMING, role * LEAPS + before, 1.0);
    tell(GOING, role * LEAPS + after, 1.0);
    // Where in the bar, and how long.
    let bar = sheet.bar(tone.at);
    let (start, width) = sheet.bar_at(bar);
    let place = tone.at - start;
    let strength = match place {
        0 => 0,
        _ if place % 4 == 0 && 2 * place == width => 1,
        _ if place % 4 == 0 => 2,
        _ if place % 2 == 0 => 3,
        _ => 4,
    };
    tell(PLACE, strength * LENGTHS + length_class(tone.length), 1.0);
    tell(WHEN, place as usize, 1.0);
    // What else is struck, and when.
    let together = around.struck(tone.at);
    let gap = |sign: i32| {
        (1..GAPS as i32)
            .find(|step| around.struck(tone.at + sign * step) != 0)
            .map_or(GAPS - 1, |step| step as usize - 1)
    };
    tell(RHYTHM, (usize::from(together == 0) * GAPS + gap(-1)) * GAPS + gap(1), 1.0);
    tell(FULLNESS, with.count_ones() as usize, 1.0);
    tell(TOGETHER, together.count_ones() as usize, 1.0);
    // Its pitch among those around, and its class in the key.
    let (mut sum, mut count) = (0, 0);
    let (mut near, mut wide) = ([0.0f32; 12], [0.0f32; 12]);
    for step in -64..=64 {
        let struck = around.struck(tone.at + step);
        each(struck, |pitch| {
            let class = (pitch as i32 - own).rem_euclid(12) as usize;
            wide[class] += 1.0;
            if (-12..=16).contains(&step) {
                near[class] += 1.0;
                sum += pitch as i32;
                count += 1;
            }
        });
    }
    if count > 0 {
        let from_middle = (f64::from(own) - f64::from(sum) / f64::from(count)) / 3.0;
        tell(REGISTER, (from_middle.round() + 12.0).clamp(0.0, 24.0) as usize, 1.0);
    }
    for (kind, counts) in [(NEAR_KEY, near), (WIDE_KEY, wide)] {
        let all: f32 = counts.iter().sum();
        if all == 0.0 {
            continue;
        }
        for (class, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            tell(kind, class, 4.0 * count / all);
        }
        let share = 12.0 * counts[0] / all;
        let rank = [0.001, 0.15, 0.4, 0.8, 1.2, 2.0, 3.0].iter().filter(|least| share >= **least).count();
        tell(OWN_CLASS, rank + if kind.first == NEAR_KEY.first { 0 } else { 8 }, 1.0);
    }
    // What stands where bars are like its own.
    let echo = |other: i32| {
        let (struck, sounding) = (around.struck(other), around.sounding(other));
        match () {
            () if struck & tone.bit() != 0 => 0,
            () if sounding & tone.bit() != 0 => 1,
            () if classes(struck, own) & 1 != 0 => 2,
            () if struck != 0 => 3,
            () if sounding != 0 => 4,
            () => 5,
        }
    };
    let mut best = (0.0, None);
    for lag in -FURTHEST..=FURTHEST {
        let Some(other) = elsewhere(sheet, bar, place, lag) else { continue };
        let likeness = likeness(&around, other);
        if let Some(k) = LAGS.iter().position(|told| *told == lag) {
            tell(ECHO, (k * LIKENESS + like(likeness)) * ECHOES + echo(other), 1.0);
        }
        if likeness > best.0 {
            best = (likeness, Some(other));
        }
    }
    if let (likeness, Some(other)) = best {
        tell(BEST_ECHO, like(likeness) * ECHOES + echo(other), 1.0);
    }
    // A key that is down already, or struck again while it is held.
    let inside = (1..tone.length).any(|step| around.struck(tone.at + step) & tone.bit() != 0);
    for (k, is_so) in [with & tone.bit() != 0, inside, around.struck(tone.end()) != 0, around.sounding(tone.end()) == 0]
        .into_iter()
        .enumerate()
    {
        if is_so {
            tell(CLASH, k, 1.0);
        }
    }
}

/// The steps of a moment, -16 to 16.
fn steps_of(moment: i32) -> (i32, i32) {
    let (from, to) = match moment.abs() {
        near @ 0..=8 => (near, near),
        middle @ 9..=12 => (2 * middle - 9, 2 * middle - 8),
        far => (4 * far - 35, 4 * far - 32),
    };
    debug_assert!(to <= REACH);
    if moment < 0 { (-to, -from) } else { (from, to) }
}

/// Pitches within the span of one's own, the lowest first.
fn relative(pitches: u128, own: i32) -> u128 {
    let moved = if own >= SPAN { pitches >> (own - SPAN) } else { pitches << (SPAN - own) };
    moved & ((1 << PITCHES) - 1)
}

fn each(mut bits: u128, mut tell: impl FnMut(usize)) {
    while bits != 0 {
        tell(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// The classes of pitches, counted from one's own, as bits.
fn classes(pitches: u128, own: i32) -> usize {
    let mut found = 0;
    each(pitches, |pitch| found |= 1 << (pitch as i32 - own).rem_euclid(12));
    found
}

fn lowest(pitches: u128) -> Option<i32> {
    (pitches != 0).then(|| pitches.trailing_zeros() as i32)
}

fn highest(pitches: u128) -> Option<i32> {
    (pitches != 0).then(|| 127 - pitches.leading_zeros() as i32)
}

fn nearest(pitches: u128, own: i32) -> Option<i32> {
    let (mut best, mut found) = (i32::MAX, None);
    each(pitches, |pitch| {
        let pitch = pitch as i32;
        if (pitch - own).abs() < best {
            (best, found) = ((pitch - own).abs(), Some(pitch));
        }
    });
    found
}

fn leap(interval: i32) -> usize {
    (interval.clamp(-12, 12) + 12) as usize + usize::from(interval > 12)
}

fn length_class(length: i32) -> usize {
    match length {
        1 => 0,
        2 => 1,
        3 => 2,
        4 => 3,
        5..=7 => 4,
        8 => 5,
        9..=15 => 6,
        _ => 7,
    }
}

/// The step at the same place of a bar so many bars away; none where that bar is too short.
fn elsewhere(sheet: &Sheet, bar: usize, place: i32, lag: i32) -> Option<i32> {
    if lag == 0 {
        return None;
    }
    let other = usize::try_from(bar as i32 + lag).ok().filter(|other| *other < sheet.bar_count())?;
    let (start, width) = sheet.bar_at(other);
    (place < width).then_some(start + place)
}

/// The share of strokes around two moments that they have in common, 0-1; strokes of the tone itself do not count.
fn likeness(around: &Around<'_>, other: i32) -> f32 {
    let (mut common, mut all) = (0, 0);
    for step in -COMPARED..=COMPARED {
        let (here, there) = (around.struck(around.tone.at + step), around.struck(other + step));
        let there = if step == 0 { there & !around.tone.bit() } else { there };
        common += (here & there).count_ones();
        all += (here | there).count_ones();
    }
    if all == 0 { 0.0 } else { common as f32 / all as f32 }
}

fn like(likeness: f32) -> usize {
    [0.2, 0.4, 0.6, 0.8].iter().filter(|least| likeness >= **least).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::{Rng, below, seeded};

    fn sheet(rng: &mut Rng, bars: i32) -> Vec<Tone> {
        let tone = |rng: &mut Rng| Tone {
            at: below(rng, (16 * bars) as usize) as i32,
            pitch: 40 + below(rng, 40) as u8,
            length: 1 + below(rng, 8) as i32,
        };
        (0..120).map(|_| tone(rng)).collect()
    }

    fn lines(bars: i32) -> Vec<i32> {
        (0..=bars).map(|bar| 16 * bar).collect()
    }

    fn told(sheet: &Sheet, tone: Tone) -> Clues {
        let mut clues = Vec::new();
        clues_of(sheet, tone, None, &mut clues);
        clues
    }

    #[test]
    fn moments_cover_all_steps_once() {
        let mut next = -REACH;
        for moment in 0..MOMENTS as i32 {
            let (from, to) = steps_of(moment - 16);
            assert_eq!(from, next);
            next = to + 1;
        }
        assert_eq!(next, REACH + 1);
    }

    #[test]
    fn all_keys_and_all_beginnings_are_one() {
        let rng = &mut seeded(1);
        let tones = sheet(rng, 8);
        let here = Sheet::new(tones.clone(), lines(8));
        let moved = |by: i32, up: u8| -> Vec<Tone> {
            tones.iter().map(|tone| Tone { at: tone.at + by, pitch: tone.pitch + up, ..*tone }).collect()
        };
        let there = Sheet::new(moved(48, 5), lines(11));
        for (tone, other) in here.tones.iter().zip(&there.tones) {
            let (mut a, mut b) = (told(&here, *tone), told(&there, *other));
            // Silent bars are bars, too: what stands in those that are like its own may be another thing.
            let is_echo =
                |clue: &(u32, f32)| (ECHO.first..BEST_ECHO.first + BEST_ECHO.count).contains(&(clue.0 as usize));
            a.retain(|clue| !is_echo(clue));
            b.retain(|clue| !is_echo(clue));
            assert_eq!(a, b);
        }
        let higher = Sheet::new(moved(0, 7), lines(8));
        for (tone, other) in here.tones.iter().zip(&higher.tones) {
            assert_eq!(told(&here, *tone), told(&higher, *other));
        }
    }

    #[test]
    fn a_tone_that_could_be_is_told_as_if_it_were() {
        let rng = &mut seeded(2);
        let sheet = Sheet::new(sheet(rng, 4), lines(4));
        for k in 0..sheet.tones.len() {
            let tone = sheet.tones[k];
            let other = Tone { pitch: tone.pitch + 13, ..tone };
            // Where it would meet one of its own pitch, one of the two would be hidden.
            if sheet.tones.iter().any(|met| met.pitch == other.pitch && met.at < other.end() && other.at < met.end())
                || sheet
                    .tones
                    .iter()
                    .any(|met| *met != tone && met.pitch == tone.pitch && met.at < tone.end() && tone.at < met.end())
            {
                continue;
            }
            let rest = sheet.tones.iter().copied().filter(|kept| *kept != tone);
            let then = sheet.with(rest.chain([other]).collect());
            let mut clues = Vec::new();
            clues_of(&sheet, other, Some(tone), &mut clues);
            assert_eq!(clues, told(&then, other));
            assert!(clues.iter().all(|(clue, strength)| (*clue as usize) < CLUES && strength.is_finite()));
        }
    }
}
