//! Four voices under a soprano, by the rules of voice leading: the best way through all chords.
//!
//! Forbidden: parallel unisons, fifths and octaves between any two voices that move, voices that cross, upper voices further apart than an octave. What
//! else is avoided costs: leaps, doubled leading notes, chords without a fifth, outer voices that leap into a fifth or an octave together.

use super::plan::Bar;
use super::scale::{Harmony, Scale};
use super::{Dice, Tone};

/// Voices, from the highest.
pub(super) const VOICES: usize = 4;
/// The lowest and the highest MIDI pitch of soprano, alto, tenor and bass.
pub(super) const RANGES: [(i32, i32); VOICES] = [(60, 79), (55, 72), (48, 67), (40, 60)];
/// What is forbidden costs so much: only where there is no other way is it taken.
const FORBIDDEN: f32 = 1000.0;
/// That the soprano is another note of the chord than the melody, a semitone away.
const ALTERED: f32 = 6.0;

/// A chord of all voices, from the soprano down.
pub(super) type Chord4 = [i32; VOICES];

/// When the voices sing a chord together.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// From the beginning of the piece, in ticks.
    pub onset: u64,
    pub length: u64,
    pub harmony: Harmony,
    /// What the soprano is to sing.
    pub soprano: i32,
    /// Whether a phrase ends with it.
    pub ends: bool,
}

/// The events of bars whose melody is known.
pub(super) fn events(bars: &[Bar], melody: &[Vec<Tone>], whole: u64) -> Vec<Event> {
    let event = |(number, (bar, tones)): (usize, (&Bar, &Vec<Tone>))| {
        let start = number as u64 * whole;
        let count = tones.len();
        let one = |(k, tone): (usize, &Tone)| Event {
            onset: start + tone.onset,
            length: tone.length,
            harmony: bar.harmony(tone.onset).clone(),
            soprano: tone.pitch,
            ends: bar.ends && k + 1 == count,
        };
        tones.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    bars.iter().zip(melody).enumerate().flat_map(event).collect()
}

/// The voices of all events: the way that costs least.
pub(super) fn lead(events: &[Event], scale: Scale) -> Vec<Chord4> {
    let (ways, cost) = best(events, scale, false);
    // Rather another note of the chord in the soprano than what is forbidden.
    if cost < FORBIDDEN { ways } else { best(events, scale, true).0 }
}

fn best(events: &[Event], scale: Scale, is_free: bool) -> (Vec<Chord4>, f32) {
    let mut all: Vec<(Vec<Chord4>, Vec<f32>, Vec<usize>)> = Vec::with_capacity(events.len());
    for (number, event) in events.iter().enumerate() {
        let is_outer = number == 0 || event.ends;
        let chords = voicings(event, is_free);
        let own: Vec<f32> = chords.iter().map(|chord| alone(chord, event, scale, is_outer)).collect();
        let (costs, from) = match all.last() {
            None => (own, vec![0; chords.len()]),
            Some((before, costs, _)) => {
                let to = |(chord, own): (&Chord4, f32)| {
                    let through = before.iter().zip(costs).map(|(last, cost)| cost + moving(last, chord));
                    let first = (f32::INFINITY, 0);
                    let (cost, k) =
                        through.enumerate().fold(first, |best, (k, cost)| if cost < best.0 { (cost, k) } else { best });
                    (cost + own, k)
                };
                chords.iter().zip(own).map(to).unzip()
            }
        };
        all.push((chords, costs, from));
    }
    let Some((_, costs, _)) = all.last() else { return (Vec::new(), 0.0) };
    let mut at = (0..costs.len()).fold(0, |best, k| if costs[k] < costs[best] { k } else { best });
    let cost = costs[at];
    let mut ways: Vec<Chord4> = all
        .iter()
        .rev()
        .map(|(chords, _, from)| {
            let chord = chords[at];
            at = from[at];
            chord
        })
        .collect();
    ways.reverse();
    (ways, cost)
}

/// All ways to sing a chord under a soprano.
fn voicings(event: &Event, is_free: bool) -> Vec<Chord4> {
    let chord = event.harmony.chord;
    let of_chord = |(low, high): (i32, i32)| {
        (low..=high).filter(|pitch| chord.has(pitch.rem_euclid(12) as u8)).collect::<Vec<_>>()
    };
    let sopranos = if is_free { of_chord(RANGES[0]) } else { vec![event.soprano] };
    let [_, altos, tenors, basses] = RANGES.map(of_chord);
    let mut found = Vec::new();
    for soprano in sopranos.iter().filter(|soprano| (*soprano - event.soprano).abs() <= 7) {
        for alto in altos.iter().filter(|alto| *alto <= soprano && soprano - *alto <= 12) {
            for tenor in tenors.iter().filter(|tenor| *tenor <= alto && alto - *tenor <= 12) {
                let under = basses.iter().filter(|bass| *bass < tenor && tenor - *bass <= 19);
                found.extend(under.map(|bass| [*soprano, *alto, *tenor, *bass]));
            }
        }
    }
    // A soprano of no chord, or out of all ranges: as near as there is something.
    if found.is_empty() {
        vec![[event.soprano, event.soprano - 5, event.soprano - 9, event.soprano - 17]]
    } else {
        found
    }
}

/// What a chord costs by itself.
fn alone(chord: &Chord4, event: &Event, scale: Scale, is_outer: bool) -> f32 {
    let root = i32::from(event.harmony.chord.root());
    let over: [i32; VOICES] = chord.map(|pitch| (pitch - root).rem_euclid(12));
    let classes = event.harmony.chord.quality().classes();
    let has = |class: u8| over.contains(&i32::from(class));
    let third = classes[1];
    let bass = match over[3] {
        0 => 0.0,
        _ if is_outer => 8.0,
        over if over == i32::from(third) => 1.0,
        _ => 4.0,
    };
    let missing: f32 = classes
        .iter()
        .map(|class| match *class {
            class if has(class) => 0.0,
            7 => 1.0,
            _ => 8.0,
        })
        .sum();
    let leading = (i32::from(scale.tonic) + 11).rem_euclid(12);
    let doubled = chord.iter().filter(|pitch| pitch.rem_euclid(12) == leading).count() > 1;
    let thirds = over.iter().filter(|over| **over == i32::from(third)).count() > 1;
    let unison = chord[0] == chord[1] || chord[1] == chord[2];
    let altered = ALTERED * (chord[0] - event.soprano).abs() as f32;
    bass + missing
        + altered
        + if doubled { 6.0 } else { 0.0 }
        + if thirds { 1.0 } else { 0.0 }
        + if unison { 2.5 } else { 0.0 }
}

/// What it costs to go from a chord to the next.
fn moving(from: &Chord4, to: &Chord4) -> f32 {
    let mut cost = 0.0;
    for voice in 1..VOICES {
        let by = (to[voice] - from[voice]).abs() as f32;
        // A bass leaps, inner voices do not.
        cost += if voice == 3 { 0.08 * by } else { 0.25 * by + if by > 5.0 { 2.0 } else { 0.0 } };
    }
    for high in 0..VOICES {
        for low in high + 1..VOICES {
            if is_parallel((from[high], from[low]), (to[high], to[low])) {
                cost += FORBIDDEN;
            }
        }
        if high + 1 < VOICES && (to[high + 1] > from[high] || to[high] < from[high + 1]) {
            // Nor does a voice go beyond where its neighbour was.
            cost += 1.0;
        }
    }
    let (up, down) = (to[0] - from[0], to[3] - from[3]);
    let hidden = up * down > 0 && up.abs() > 2 && matches!((to[0] - to[3]).rem_euclid(12), 0 | 7);
    cost + if hidden { 1.5 } else { 0.0 }
}

/// Whether two voices that move make the same unison, octave or fifth twice.
pub(super) fn is_parallel(from: (i32, i32), to: (i32, i32)) -> bool {
    // Whichever is the higher.
    let (before, after) = ((from.0 - from.1).abs() % 12, (to.0 - to.1).abs() % 12);
    from.0 != to.0 && from.1 != to.1 && before == after && matches!(after, 0 | 7)
}

/// A voice's notes: when, how long, which.
pub(super) type Line = Vec<(u64, u64, i32)>;

/// The voices as lines, with passing notes where a voice goes by a third and nothing forbidden comes of it.
pub(super) fn lines(
    events: &[Event],
    chords: &[Chord4],
    scale: Scale,
    density: f32,
    dice: &mut Dice<'_>,
) -> [Line; VOICES] {
    let mut lines: [Line; VOICES] = Default::default();
    // Beside the present chord what sounds in its second half.
    for (k, (event, chord)) in events.iter().zip(chords).enumerate() {
        let next = chords.get(k + 1).filter(|_| !event.ends);
        let mut second = *chord;
        for voice in [0, 3, 1, 2] {
            let Some(next) = next else { continue };
            let is_wanted = dice.chance(density * if voice == 0 || voice == 3 { 0.6 } else { 0.35 });
            let passing = passing(scale, &event.harmony, (chord[voice], next[voice]));
            let has_room = event.length.is_multiple_of(2) && event.length >= 48;
            let Some(passing) = passing.filter(|_| is_wanted && has_room) else { continue };
            let mut tried = second;
            tried[voice] = passing;
            let pairs = |from: &Chord4, to: &Chord4| {
                (0..VOICES)
                    .any(|other| other != voice && is_parallel((from[voice], from[other]), (to[voice], to[other])))
            };
            // Two voices that pass together make a chord of their own.
            let clashes = (0..VOICES).any(|other| other != voice && (passing - tried[other]).abs() <= 2);
            let crosses = tried.windows(2).any(|pair| pair[0] < pair[1]);
            if !pairs(chord, &tried) && !pairs(&tried, next) && !clashes && !crosses {
                second = tried;
            }
        }
        for (voice, line) in lines.iter_mut().enumerate() {
            let length = if second[voice] == chord[voice] { event.length } else { event.length / 2 };
            line.push((event.onset, length, chord[voice]));
            if length < event.length {
                line.push((event.onset + length, event.length - length, second[voice]));
            }
        }
    }
    lines
}

/// The note between two that are a third apart.
fn passing(scale: Scale, harmony: &Harmony, (from, to): (i32, i32)) -> Option<i32> {
    let (low, high) = (from.min(to), from.max(to));
    let classes: Vec<i32> = harmony.scale.iter().map(|step| (i32::from(scale.tonic) + step).rem_euclid(12)).collect();
    let between: Vec<i32> = (low + 1..high).filter(|pitch| classes.contains(&pitch.rem_euclid(12))).collect();
    match (high - low, &between[..]) {
        (3 | 4, [one]) => Some(*one),
        _ => None,
    }
}
