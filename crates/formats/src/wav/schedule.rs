//! When which key is struck and released, in samples.

use super::curves::Curves;
use super::kit;
use cantus_score::{Part, PedalSpan, Score, Ticks};
use std::collections::HashMap;
use std::rc::Rc;

/// A moment that does not come.
pub const NEVER: u64 = u64::MAX;

/// One stroke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The sample at which it begins.
    pub start: u64,
    /// The sample at which the damper falls; [`NEVER`] for a drum that rings out.
    pub release: u64,
    pub pitch: u8,
    pub velocity: u8,
    /// The General MIDI program that plays it; 0 for drums.
    pub program: u8,
    pub is_drum: bool,
    /// Which of [`Schedule::curves`] shapes it; `None` where nothing does.
    pub curves: Option<u32>,
}

/// The strokes of a score, in order of time.
#[derive(Debug)]
pub struct Schedule {
    pub strikes: Vec<Strike>,
    /// Volume, place and bends of the parts that have any.
    pub curves: Vec<Rc<Curves>>,
    /// The score's end; the last notes may ring beyond it.
    pub end: u64,
}

impl Schedule {
    /// Those of the parts that are `played`.
    pub fn new(score: &Score, sample_rate: u32, played: impl Fn(&Part) -> bool) -> Schedule {
        let tempo = score.tempo_map();
        let sample = |at: Ticks| (tempo.seconds(at) * f64::from(sample_rate)).round() as u64;
        let mut strikes = Vec::with_capacity(score.note_count());
        // Parts that are played alike are one instrument.
        let (mut curves, mut known) = (Vec::new(), HashMap::new());
        for part in score.parts.iter().filter(|part| played(part)) {
            let shape = Curves::of(part, sample).map(|shape| {
                *known.entry(part.controls.as_slice()).or_insert_with(|| {
                    curves.push(Rc::new(shape));
                    curves.len() as u32 - 1
                })
            });
            for note in &part.notes {
                strikes.push(Strike {
                    start: sample(note.onset),
                    release: if part.drums { NEVER } else { sample(released(note.end(), &part.pedal)) },
                    pitch: note.pitch.get(),
                    velocity: note.velocity.get(),
                    program: program(part, note.onset),
                    is_drum: part.drums,
                    curves: shape,
                });
            }
        }
        let mut strikes = one_string_a_key(strikes);
        choke(&mut strikes);
        Schedule { strikes, curves, end: sample(score.end()) }
    }
}

/// The program that a part has from `onset` on; a piano where it has none yet.
fn program(part: &Part, onset: Ticks) -> u8 {
    let begun = part.programs.partition_point(|(from, _)| *from <= onset);
    match begun.checked_sub(1) {
        Some(last) if !part.drums => part.programs[last].1.get(),
        _ => 0,
    }
}

/// Ends a drum where its player strikes one that cannot sound beside it.
fn choke(strikes: &mut [Strike]) {
    let mut sounding: HashMap<(u8, Option<u32>), usize> = HashMap::new();
    for index in 0..strikes.len() {
        let Strike { start, pitch, curves, is_drum: true, .. } = strikes[index] else { continue };
        let Some(class) = kit::exclusive(pitch) else { continue };
        if let Some(before) = sounding.insert((class, curves), index) {
            strikes[before].release = start;
        }
    }
}

/// When the damper falls on a key that is let go at `end`.
fn released(end: Ticks, pedal: &[PedalSpan]) -> Ticks {
    let before = pedal.partition_point(|span| span.down <= end);
    match pedal[..before].last() {
        Some(span) if end < span.up => span.up,
        _ => end,
    }
}

/// A key has one hammer: strokes at one moment are one (the loudest), and a new stroke ends the sound of the one before. A drum
/// that is struck again rings on.
fn one_string_a_key(mut strikes: Vec<Strike>) -> Vec<Strike> {
    let key = |strike: &Strike| (strike.is_drum, strike.curves, strike.program, strike.pitch);
    strikes.sort_unstable_by_key(|strike| (key(strike), strike.start, strike.release, strike.velocity));
    let mut kept: Vec<Strike> = Vec::with_capacity(strikes.len());
    for strike in strikes {
        if let Some(last) = kept.last_mut().filter(|last| key(last) == key(&strike)) {
            if last.start == strike.start {
                last.velocity = last.velocity.max(strike.velocity);
                last.release = strike.release;
                continue;
            }
            if !strike.is_drum {
                last.release = last.release.min(strike.start);
            }
        }
        kept.push(strike);
    }
    kept.sort_unstable_by_key(|strike| (strike.start, strike.is_drum, strike.pitch, strike.curves, strike.program));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pedal_holds_what_is_let_go_while_it_is_down() {
        let pedal = [PedalSpan { down: Ticks(10), up: Ticks(20) }, PedalSpan { down: Ticks(20), up: Ticks(30) }];
        let ends: Vec<_> = [5, 10, 19, 20, 29, 30].map(|end| released(Ticks(end), &pedal).0).to_vec();
        assert_eq!(ends, [5, 20, 20, 30, 30, 30]);
    }

    #[test]
    fn a_new_stroke_ends_the_one_before() {
        let strike = |start, release, velocity| Strike {
            start,
            release,
            pitch: 60,
            velocity,
            program: 0,
            is_drum: false,
            curves: None,
        };
        let strikes = one_string_a_key(vec![strike(5, 9, 3), strike(0, 8, 1), strike(0, 4, 2)]);
        assert_eq!(strikes, [strike(0, 5, 2), strike(5, 9, 3)]);
    }
}
