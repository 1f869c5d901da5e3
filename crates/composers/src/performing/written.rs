//! What a player sees of a piece: its chords in order of time, the notes of each, how long they are to sound.
//!
//! The same is read of a score, and, where there is none, made of a performance ([`super::lesson`]): so it holds nothing that only one of
//! the two has, but for [`Place`], which is absent where nobody knows bars.

use cantus_score::{Score, Ticks};
use std::ops::Range;

/// Notes that begin within this part of a quarter note are one chord.
const TOGETHER: u64 = 32;

/// A piece as a player sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// In order of time.
    pub(super) chords: Vec<Chord>,
    /// Chord by chord, each from the highest to the lowest.
    pub(super) notes: Vec<WrittenNote>,
}

/// Notes that begin together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chord {
    /// When, in the score's ticks; of a performance without a score, in milliseconds.
    pub tick: Ticks,
    /// When, in seconds at the tempo that is written.
    pub at: f64,
    /// Its notes.
    pub notes: Range<usize>,
    /// Where in its bar, where that is known.
    pub place: Option<Place>,
}

/// A place in a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// The share of the bar that is over, 0-1.
    pub passed: f32,
    /// Whether a beat falls here.
    pub is_beat: bool,
}

/// A note as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenNote {
    /// Its MIDI number.
    pub pitch: u8,
    /// How long, in seconds at the tempo that is written.
    pub length: f64,
    /// How loud the score has it, 1-127, where that is known.
    pub loudness: Option<u8>,
    /// Which part's, and which of its notes.
    pub origin: (usize, usize),
}

impl Written {
    /// The notes of all parts but drums, with times by `seconds`.
    pub(super) fn of_score(score: &Score, seconds: impl Fn(Ticks) -> f64) -> Written {
        let mut found: Vec<(Ticks, u8, (usize, usize))> = Vec::new();
        for (part, of) in score.parts.iter().enumerate().filter(|(_, part)| !part.drums) {
            let notes = of.notes.iter().enumerate();
            found.extend(notes.map(|(k, note)| (note.onset, note.pitch.get(), (part, k))));
        }
        found.sort_unstable();
        let near = (u64::from(score.ticks_per_quarter.get()) / TOGETHER).max(1);
        let mut places = Places::of(score);
        let mut written = Written::default();
        let mut rest = &found[..];
        while let Some(&(tick, ..)) = rest.first() {
            let (chord, later) = rest.split_at(rest.partition_point(|(onset, ..)| (*onset - tick).0 < near));
            let mut chord = chord.to_vec();
            chord.sort_by_key(|(onset, pitch, origin)| (std::cmp::Reverse(*pitch), *onset, *origin));
            let from = written.notes.len();
            for (_, pitch, origin) in chord {
                let note = &score.parts[origin.0].notes[origin.1];
                let length = seconds(note.end()) - seconds(note.onset);
                written.notes.push(WrittenNote { pitch, length, loudness: Some(note.velocity.get()), origin });
            }
            let (at, notes, place) = (seconds(tick), from..written.notes.len(), places.at(tick));
            written.chords.push(Chord { tick, at, notes, place });
            rest = later;
        }
        written
    }

    /// How many notes it has.
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The seconds from each chord to the next.
    pub(super) fn gap(&self, chord: usize) -> Option<f64> {
        Some(self.chords.get(chord + 1)?.at - self.chords[chord].at)
    }
}

/// Walks through the bars of a score.
struct Places<'a> {
    score: &'a Score,
    bars: std::iter::Peekable<cantus_score::Bars<'a>>,
    bar: Option<cantus_score::Bar>,
}

impl<'a> Places<'a> {
    fn of(score: &'a Score) -> Places<'a> {
        Places { score, bars: score.bars().peekable(), bar: None }
    }

    /// Ticks are asked for in order.
    fn at(&mut self, tick: Ticks) -> Option<Place> {
        while let Some(bar) = self.bars.next_if(|bar| bar.start <= tick) {
            self.bar = Some(bar);
        }
        let bar = self.bar.as_ref()?;
        let whole = bar.meter.bar(self.score.ticks_per_quarter).0.max(1);
        // An upbeat ends with its bar.
        let short = whole.saturating_sub((bar.end() - bar.start).0);
        let passed = (tick - bar.start).0 + short;
        let beat = bar.meter.beat(self.score.ticks_per_quarter).0;
        Some(Place {
            passed: (passed as f64 / whole as f64).min(1.0) as f32,
            is_beat: passed.is_multiple_of(beat.max(1)),
        })
    }
}

/// Seconds that `ticks` take at the tempo of about nine seconds around each: what a tempo mark would say of a performance. `ticks` and `seconds`
/// are those of its chords, both rising. The result rises, too, and has one number for each.
pub(super) fn levelled(ticks: &[f64], seconds: &[f64]) -> Vec<f64> {
    let mut level = Vec::with_capacity(ticks.len());
    let (mut low, mut high, mut now) = (0, 0, 0.0);
    for k in 0..ticks.len() {
        level.push(now);
        let Some(next) = ticks.get(k + 1) else { break };
        while seconds[k] - seconds[low] > AROUND {
            low += 1;
        }
        while high + 1 < ticks.len() && (high <= k || seconds[high] - seconds[k] < AROUND) {
            high += 1;
        }
        now += (next - ticks[k]) * (seconds[high] - seconds[low]) / (ticks[high] - ticks[low]);
    }
    level
}

/// Seconds before and after a chord in which its tempo is measured: what is slower than this is the piece's, not a deviation from it.
pub(super) const AROUND: f64 = 9.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_tempo_is_its_own_level_and_a_slow_change_is_followed() {
        let ticks: Vec<f64> = (0..400).map(f64::from).collect();
        let steady: Vec<f64> = ticks.iter().map(|tick| 3.0 + 0.4 * tick).collect();
        let level = levelled(&ticks, &steady);
        assert!(level.iter().zip(&ticks).all(|(level, tick)| (level - 0.4 * tick).abs() < 1e-9));
        // One late chord hardly moves it; a second tempo is taken up.
        let mut late = steady.clone();
        late[200] += 0.2;
        assert!(levelled(&ticks, &late).iter().zip(&level).all(|(a, b)| (a - b).abs() < 0.02));
        let two: Vec<f64> = ticks.iter().map(|tick| 0.4 * tick + 0.4 * (tick - 200.0).max(0.0)).collect();
        let found = levelled(&ticks, &two);
        let gap = |k: usize| found[k + 1] - found[k];
        assert!((gap(20) - 0.4).abs() < 1e-9 && (gap(380) - 0.8).abs() < 1e-9 && found.is_sorted());
        assert_eq!((levelled(&[], &[]), levelled(&[5.0], &[1.0])), (vec![], vec![0.0]));
    }
}
