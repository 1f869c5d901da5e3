//! What a variation may have more of, or less.

use cantus_encoding::melody_steps::MelodySteps;
use cantus_score::{Meter, Note, TicksPerQuarter};
use serde::Serialize;

/// Intervals of so many semitones and more are leaps.
const LEAP: i32 = 5;

/// Something that a melody has more or less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Notes.
    Notes,
    /// Leaps: of all intervals those of a fourth and more.
    Leaps,
    /// Syncopation: of all notes those that begin off the beat and are held over the next one.
    Syncopation,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Aspect; 3] = [Aspect::Notes, Aspect::Leaps, Aspect::Syncopation];

    /// What it is called where it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Aspect::Notes => "notes",
            Aspect::Leaps => "leaps",
            Aspect::Syncopation => "syncopation",
        }
    }

    /// How much of it a step of a variation is, as they usually differ: what different aspects are compared by.
    pub const fn usual(self) -> f64 {
        match self {
            Aspect::Notes => 0.012,
            Aspect::Leaps => 0.05,
            Aspect::Syncopation => 0.02,
        }
    }

    /// How much of it a melody has, between these steps: notes a step, or a share of the intervals or notes.
    pub fn of(self, melody: &MelodySteps, steps: &std::ops::Range<usize>) -> f64 {
        let within = |note: &Note| (steps.start..steps.end).contains(&(note.onset.0 as usize));
        let notes: Vec<Note> = melody.notes().into_iter().filter(within).collect();
        let share = |some: usize, all: usize| if all == 0 { 0.0 } else { some as f64 / all as f64 };
        match self {
            Aspect::Notes => share(notes.len(), steps.len()),
            Aspect::Leaps => {
                let interval = |pair: &[Note]| (i32::from(pair[1].pitch.get()) - i32::from(pair[0].pitch.get())).abs();
                let leaps = notes.windows(2).filter(|pair| interval(pair) >= LEAP).count();
                share(leaps, notes.len().saturating_sub(1))
            }
            Aspect::Syncopation => {
                let mut start = 0;
                let mut bars = melody.bars.iter().map(|bar| {
                    start += u64::from(bar.steps);
                    (start - u64::from(bar.steps), start, bar.meter)
                });
                let mut bar = bars.next();
                let mut count = 0;
                for note in &notes {
                    while bar.is_some_and(|(_, end, _)| end <= note.onset.0) {
                        bar = bars.next();
                    }
                    let Some((begin, _, meter)) = bar else { break };
                    count += usize::from(is_syncopated(note, begin, meter, melody.grid));
                }
                share(count, notes.len())
            }
        }
    }
}

/// Whether a note begins off the beat and is held over the next one.
fn is_syncopated(note: &Note, bar: u64, meter: Meter, grid: TicksPerQuarter) -> bool {
    let beat = meter.beat(grid).0.max(1);
    let within = (note.onset.0 - bar) % beat;
    within > 0 && note.end().0 > note.onset.0 - within + beat
}

impl std::str::FromStr for Aspect {
    type Err = String;

    fn from_str(name: &str) -> Result<Aspect, String> {
        let found = Aspect::ALL.into_iter().find(|aspect| aspect.name() == name.trim());
        let known = || Aspect::ALL.map(Aspect::name).join(", ");
        found.ok_or_else(|| {
            format!("nothing is called `{name}` that a variation could have more or less of: choose {}", known())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::melody_steps::{HOLD, SILENCE};
    use cantus_encoding::note_chord::BarKind;

    #[test]
    fn aspects_are_counted() {
        let grid = TicksPerQuarter::new(4).unwrap();
        let bar = BarKind { steps: 16, meter: Meter::COMMON };
        let mut steps = vec![HOLD; 32];
        // A quarter, an eighth, a quarter over the beat, a leap; then silence, and a note in the next bar.
        for (at, outcome) in [(0, 40), (4, 42), (6, 44), (10, 50), (12, SILENCE), (16, 51)] {
            steps[at] = outcome;
        }
        let melody = MelodySteps { grid, bars: vec![bar; 2], upbeat: false, steps };
        let of = |aspect: Aspect, steps| aspect.of(&melody, &steps);
        assert_eq!(of(Aspect::Notes, 0..32), 5.0 / 32.0);
        assert_eq!(of(Aspect::Notes, 16..32), 1.0 / 16.0);
        assert_eq!(of(Aspect::Leaps, 0..32), 0.25);
        assert_eq!(of(Aspect::Syncopation, 0..32), 0.2);
        assert_eq!(of(Aspect::Syncopation, 16..16), 0.0);
        assert_eq!("leaps".parse(), Ok(Aspect::Leaps));
        assert!("length".parse::<Aspect>().unwrap_err().contains("notes, leaps, syncopation"));
    }
}
