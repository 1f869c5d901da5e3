//! What the network is told of each note: of the score around it, and of what has been played before.

use super::touch::{Choices, Decision, LENGTH, SPREAD, TIMING, velocity_middle};
use super::written::Written;
use std::collections::VecDeque;

/// Numbers that are told of a note in its score.
pub(super) const SCORE: usize = 52;
/// Numbers that are told of what was played before a note.
pub(super) const PAST: usize = 20;

/// Seconds on each side in which chords are counted.
const NEAR: f64 = 1.0;
/// A rest is heard as one from so many seconds on.
const REST: f64 = 0.1;
/// Shares of running averages that stay from note to note.
const SLOW: f64 = 0.95;
const QUICK: f64 = 0.7;
/// Seconds of a running tempo.
const RUNNING: f64 = 2.0;
/// Notes that are looked back to for one of about the same pitch.
const RECENT: usize = 24;

/// Puts numbers one after another.
struct Row<'a> {
    x: &'a mut [f32],
    at: usize,
}

impl Row<'_> {
    fn push(&mut self, number: f64) {
        self.x[self.at] = number as f32;
        self.at += 1;
    }

    fn flag(&mut self, flag: bool) {
        self.push(f64::from(u8::from(flag)));
    }

    fn one_of(&mut self, k: usize, of: usize) {
        (0..of).for_each(|at| self.flag(at == k.min(of - 1)));
    }
}

/// How long, between 10 ms and 10 s: -2.3 to 2.3.
fn length(seconds: f64) -> f64 {
    seconds.clamp(0.01, 10.0).log10() * 1.15
}

/// How many semitones, two octaves at most: -2 to 2.
fn interval(from: u8, to: u8) -> f64 {
    ((f64::from(to) - f64::from(from)) / 12.0).clamp(-2.0, 2.0)
}

/// Of each note of a piece what its score tells: `[notes, SCORE]`. What only a score has is told where it is wanted and there.
pub(super) fn of_score(written: &Written, with_score: bool) -> Vec<f32> {
    let mut all = vec![0.0; written.len() * SCORE];
    let Written { chords, notes } = written;
    let top = |chord: usize| notes[chords[chord].notes.start].pitch;
    let bottom = |chord: usize| notes[chords[chord].notes.end - 1].pitch;
    let (first, last) = (chords.first().map_or(0.0, |chord| chord.at), chords.last().map_or(0.0, |chord| chord.at));
    let mut struck = [f64::NEG_INFINITY; 128];
    // (end, pitch) of what may still sound.
    let mut sounding: Vec<(f64, u8)> = Vec::new();
    let (mut low, mut high, mut sounds_until) = (0, 0, f64::NEG_INFINITY);
    let (mut mean_pitch, mut mean_loudness) = (64.0, None::<f64>);
    for (c, chord) in chords.iter().enumerate() {
        while chord.at - chords[low].at > NEAR {
            low += 1;
        }
        while chords.get(high).is_some_and(|later| later.at - chord.at <= NEAR) {
            high += 1;
        }
        sounding.retain(|(end, _)| *end > chord.at + 0.02);
        let gap = |from: Option<usize>| from.and_then(|from| written.gap(from));
        let (before, after) = (gap(c.checked_sub(1)), gap(Some(c)));
        let rest = chord.at - sounds_until;
        let ends = chord.notes.clone().map(|n| chord.at + notes[n].length).fold(sounds_until, f64::max);
        let rest_after = after.map_or(1.0, |after| chord.at + after - ends);
        let size = chord.notes.len();
        let held_above = sounding.iter().map(|(_, pitch)| *pitch).max();
        let held_below = sounding.iter().map(|(_, pitch)| *pitch).min();
        for (k, n) in chord.notes.clone().enumerate() {
            let note = &notes[n];
            let mut row = Row { x: &mut all[n * SCORE..][..SCORE], at: 0 };
            let pitch = f64::from(note.pitch);
            row.push((pitch - 64.0) / 24.0);
            row.push(((pitch - 64.0) / 24.0).powi(2));
            row.flag([1, 3, 6, 8, 10].contains(&(note.pitch % 12)));
            row.push((pitch - mean_pitch) / 12.0);
            // Time around the chord.
            row.push(before.map_or(0.0, length));
            row.flag(before.is_none());
            row.push(after.map_or(0.0, length));
            row.flag(after.is_none());
            row.push(gap(c.checked_sub(2)).map_or(0.0, length));
            row.push(gap(Some(c + 1).filter(|next| *next < chords.len())).map_or(0.0, length));
            row.push(before.zip(after).map_or(0.0, |(a, b)| (length(a) - length(b)).abs()));
            row.push(((high - low) as f64 / 10.0).min(3.0));
            row.flag(rest > REST);
            row.flag(rest_after > REST);
            row.push((-(chord.at - first) / 4.0).exp());
            row.push((-(last - chord.at) / 4.0).exp());
            row.push((-(last - chord.at)).exp());
            // Its place in the chord.
            row.one_of(size - 1, 5);
            row.flag(k == 0);
            row.flag(k + 1 == size);
            row.push(interval(note.pitch, top(c)));
            row.push(interval(bottom(c), note.pitch));
            row.flag(k == 0 && held_above.is_none_or(|above| above <= note.pitch));
            row.flag(k + 1 == size && held_below.is_none_or(|below| below >= note.pitch));
            row.push((sounding.len() as f64 / 4.0).min(3.0));
            // Lines.
            for other in [c.checked_sub(1), Some(c + 1).filter(|next| *next < chords.len())] {
                let Some(other) = other else {
                    (0..6).for_each(|_| row.push(0.0));
                    continue;
                };
                let near = chords[other].notes.clone().map(|n| notes[n].pitch);
                let nearest = near.min_by_key(|other| other.abs_diff(note.pitch)).unwrap_or(note.pitch);
                row.push(interval(note.pitch, nearest));
                row.push(interval(note.pitch, nearest).abs());
                row.flag(nearest == note.pitch);
                row.push(interval(note.pitch, top(other)));
                row.push(interval(note.pitch, bottom(other)));
                row.push((chords[other].notes.len() as f64 - 1.0) / 4.0);
            }
            row.push((chord.at - struck[usize::from(note.pitch & 127)]).clamp(0.0, 8.0) / 4.0);
            // How long it is to sound.
            row.push(length(note.length));
            row.push((note.length.max(0.01) / after.unwrap_or(note.length).max(0.01)).ln().clamp(-3.0, 3.0));
            if with_score {
                if let Some(place) = chord.place {
                    let turn = f64::from(place.passed) * std::f64::consts::TAU;
                    row.flag(true);
                    row.flag(place.passed == 0.0);
                    row.flag(place.is_beat);
                    row.push(turn.cos());
                    row.push(turn.sin());
                    row.push((2.0 * turn).cos());
                } else {
                    (0..6).for_each(|_| row.push(0.0));
                }
                if let Some(loudness) = note.loudness.map(f64::from) {
                    row.push((loudness - 80.0) / 32.0);
                    row.push((loudness - mean_loudness.unwrap_or(loudness)) / 32.0);
                }
            }
        }
        for n in chord.notes.clone() {
            let note = &notes[n];
            struck[usize::from(note.pitch & 127)] = chord.at;
            mean_pitch += (1.0 - SLOW) * (f64::from(note.pitch) - mean_pitch);
            if let Some(loudness) = note.loudness.map(f64::from) {
                let mean = mean_loudness.get_or_insert(loudness);
                *mean += (1.0 - SLOW) * (loudness - *mean);
            }
            sounding.push((chord.at + note.length, note.pitch));
        }
        // What sounds longest is kept; a hostile score may hold everything.
        if sounding.len() > 64 {
            sounding.drain(..sounding.len() - 64);
        }
        sounds_until = ends;
    }
    all
}

/// What has been played so far.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The running tempo: the logarithm of how much slower than written it is.
    level: f64,
    timing: [f64; 2],
    /// The velocity of the last note, of the last chord on average and at its top, and running averages of all: -1 to 1.
    last: f64,
    chord: (f64, f64),
    here: (f64, f64, usize),
    slow: f64,
    quick: f64,
    recent: VecDeque<(u8, f64)>,
    spread: f64,
    spread_top: f64,
    length: f64,
    slow_length: f64,
    pedal: bool,
    pedalling: f64,
    told: usize,
}

impl Default for Past {
    fn default() -> Past {
        Past {
            level: 0.0,
            timing: [0.0; 2],
            last: 0.0,
            chord: (0.0, 0.0),
            here: (0.0, 0.0, 0),
            slow: 0.0,
            quick: 0.0,
            recent: VecDeque::new(),
            spread: 0.0,
            spread_top: 0.0,
            length: 0.0,
            slow_length: 0.0,
            pedal: false,
            pedalling: 0.0,
            told: 0,
        }
    }
}

/// A velocity as a network sees it.
pub(super) fn seen_velocity(class: u8) -> f64 {
    (velocity_middle(class) - 64.0) / 32.0
}

/// A timing as a network sees it.
pub(super) fn seen_timing(class: u8) -> f64 {
    5.0 * TIMING.middle(class)
}

impl Past {
    /// The running tempo.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Whether the pedal is down.
    pub(super) fn pedal(&self) -> bool {
        self.pedal
    }

    /// A new chord begins.
    pub(super) fn begin_chord(&mut self) {
        if self.here.2 > 0 {
            self.chord = (self.here.0 / self.here.2 as f64, self.here.1);
        }
        self.here = (0.0, 0.0, 0);
        (self.spread, self.spread_top) = (0.0, 0.0);
    }

    /// What is told before a note of this pitch, in a chord of which `before` notes have been played: into `x`, `[PAST]`.
    pub(super) fn write(&self, pitch: u8, before: usize, x: &mut [f32]) {
        let mut row = Row { x, at: 0 };
        let nearest = self.recent.iter().rev().min_by_key(|(other, _)| other.abs_diff(pitch));
        row.flag(before == 0);
        row.push(5.0 * self.level);
        row.push(5.0 * self.timing[0]);
        row.push(5.0 * self.timing[1]);
        row.flag(self.told == 0);
        row.push(self.last);
        row.push(self.chord.0);
        row.push(self.chord.1);
        row.push(if before > 0 { self.here.1 } else { 0.0 });
        row.push(self.slow);
        row.push(self.quick);
        row.push(nearest.map_or(self.slow, |(_, velocity)| *velocity));
        row.push(nearest.map_or(2.0, |(other, _)| interval(pitch, *other).abs()));
        row.push(40.0 * self.spread);
        row.push(40.0 * self.spread_top);
        row.push(self.length);
        row.push(self.slow_length);
        row.flag(self.pedal);
        row.push(self.pedalling);
        row.push((before as f64 / 4.0).min(2.0));
    }

    /// A note of this pitch has been played; `gap` are the seconds before its chord, as they are written.
    pub(super) fn read(&mut self, pitch: u8, gap: f64, choices: &Choices) {
        let of = |decision: Decision| choices[decision as usize];
        if let Some(class) = of(Decision::Timing) {
            let timing = TIMING.middle(class);
            self.level += timing * (1.0 - (-gap / RUNNING).exp());
            self.level = self.level.clamp(-1.5, 1.5);
            self.timing = [timing, self.timing[0]];
        }
        if let Some(class) = of(Decision::Pedal) {
            self.pedal ^= class == 1;
            self.pedalling = QUICK * self.pedalling + (1.0 - QUICK) * f64::from(class);
        }
        if let Some(class) = of(Decision::Velocity) {
            let velocity = seen_velocity(class);
            if self.told == 0 {
                (self.slow, self.quick) = (velocity, velocity);
            }
            self.told += 1;
            self.last = velocity;
            self.here =
                (self.here.0 + velocity, if self.here.2 == 0 { velocity } else { self.here.1 }, self.here.2 + 1);
            self.slow = SLOW * self.slow + (1.0 - SLOW) * velocity;
            self.quick = QUICK * self.quick + (1.0 - QUICK) * velocity;
            self.recent.push_back((pitch, velocity));
            if self.recent.len() > RECENT {
                self.recent.pop_front();
            }
        }
        if let Some(class) = of(Decision::Spread) {
            let spread = SPREAD.middle(class);
            if self.here.2 <= 1 {
                self.spread_top = spread;
            }
            self.spread = spread;
        }
        if let Some(class) = of(Decision::Length) {
            self.length = LENGTH.middle(class);
            self.slow_length = QUICK * self.slow_length + (1.0 - QUICK) * self.length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::touch::KINDS;
    use super::super::written::{Chord, Place, WrittenNote};
    use super::*;
    use cantus_score::Ticks;

    /// Chords of one to five notes, bars and loudness known.
    fn written() -> Written {
        let mut written = Written::default();
        for c in 0..60u8 {
            let from = written.notes.len();
            for k in 0..=c % 5 {
                written.notes.push(WrittenNote {
                    pitch: 90 - 9 * k - c / 2 % 7,
                    length: 0.2 + 0.3 * f64::from(k),
                    loudness: Some(40 + c),
                    origin: (0, written.notes.len()),
                });
            }
            let at = 0.3 * f64::from(c) + if c % 4 == 0 { 0.05 } else { 0.0 };
            let place = Some(Place { passed: f32::from(c % 8) / 8.0, is_beat: c % 2 == 0 });
            written.chords.push(Chord { tick: Ticks(at as u64), at, notes: from..written.notes.len(), place });
        }
        written
    }

    #[test]
    fn what_is_told_is_finite_and_bounded_and_nothing_is_left_over() {
        let written = written();
        let told = of_score(&written, true);
        assert_eq!(told.len(), written.len() * SCORE);
        assert!(told.iter().all(|x| x.is_finite() && x.abs() <= 6.0));
        // The row is full to its end: bars begin eight numbers before it, and loudness is the last.
        let tells = |k: usize| told.chunks(SCORE).any(|row| row[k] != 0.0);
        assert!((SCORE - 8..SCORE).all(tells));
        // Where only performances are known, bars and loudness are not told.
        assert!(of_score(&written, false).chunks(SCORE).all(|row| row[SCORE - 8..].iter().all(|x| *x == 0.0)));
    }

    #[test]
    fn the_past_is_told_finite_and_bounded() {
        let mut past = Past::default();
        let mut row = [f32::NAN; PAST];
        for class in [0, 12, 24, 1, 24] {
            past.begin_chord();
            for k in 0..2 {
                past.write(60 + k, usize::from(k), &mut row);
                assert!(row.iter().all(|x| x.is_finite() && x.abs() < 20.0), "{row:?}");
                let mut choices: Choices = [Some(class); KINDS];
                choices[Decision::Pedal as usize] = Some(class % 3);
                past.read(60 + k, 0.5, &choices);
            }
        }
    }
}
