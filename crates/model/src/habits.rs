//! What the pieces of a corpus have that a network says once a piece, or seldom, and so learns last: tempo, metre, key, which bars follow
//! which. Counted, and drawn from: a composition has nothing that no piece of the corpus has, however short the training was.

use crate::keys::Transposition;
use crate::{ComposeError, Request, Rng, TrainingSet};
use cantus_encoding::note_chord::BarKind;
use cantus_nn::random::below;
use cantus_score::{Key, Meter, Mode, Score, Tempo, Ticks, find_key_in, key_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the pieces to learn from have, each with how many have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Habits {
    tempos: BTreeMap<Tempo, u32>,
    openings: BTreeMap<Opening, u32>,
    keys: BTreeMap<Key, u32>,
    /// How often a bar of the second kind follows one of the first.
    follows: BTreeMap<(BarKind, BarKind), u32>,
}

/// How a piece begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opening {
    /// The metre that holds longest.
    pub meter: Meter,
    /// The bar before the first whole one.
    pub pickup: Option<BarKind>,
}

/// What a composition is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intent<'h> {
    habits: Option<&'h Habits>,
    /// Its tempo; `None` where no piece names one.
    pub tempo: Option<Tempo>,
    /// How it begins; `None` where nothing is known.
    pub opening: Option<Opening>,
    /// Its key; `None` where nothing is known.
    pub key: Option<Key>,
}

impl Habits {
    /// What the training pieces of a corpus have.
    pub fn of(set: &TrainingSet) -> Habits {
        let mut habits = Habits::default();
        let names_tempo = set.train.iter().any(|piece| !piece.tempos.is_empty());
        for piece in set.train.iter().filter(|piece| piece.note_count() > 0) {
            if names_tempo {
                *habits.tempos.entry(piece.prevailing_tempo()).or_default() += 1;
            }
            if let Some(key) = key_of(&piece) {
                *habits.keys.entry(key).or_default() += 1;
            }
            let bars: Vec<BarKind> = piece.bars().map(|bar| BarKind::of(&bar, piece.ticks_per_quarter)).collect();
            if let Some(opening) = opening(&bars) {
                *habits.openings.entry(opening).or_default() += 1;
            }
            for pair in bars.windows(2) {
                *habits.follows.entry((pair[0], pair[1])).or_default() += 1;
            }
        }
        habits
    }

    /// What a composition that begins with nothing is to have. Takes a number from `rng` for each of tempo, opening and key.
    pub fn intent(&self, rng: &mut Rng) -> Intent<'_> {
        let [tempo, opening, key] = [(); 3].map(|()| below(rng, CHANCES));
        let (tempo, opening) = (drawn(&self.tempos, tempo), drawn(&self.openings, opening));
        Intent { habits: Some(self), tempo, opening, key: drawn(&self.keys, key) }
    }

    /// The metres that the corpus has, in words.
    fn meters(&self) -> String {
        let meters: BTreeSet<String> = self.openings.keys().map(|opening| opening.meter.to_string()).collect();
        meters.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Which kinds of bars follow one another in the corpus, and how often.
    pub fn follows(&self) -> impl Iterator<Item = (BarKind, BarKind, u32)> {
        self.follows.iter().map(|((bar, next), count)| (*bar, *next, *count))
    }
}

impl<'h> Intent<'h> {
    /// What is asked for by a request, and drawn where it leaves that open; nothing, and nothing is taken from `rng`, where a prompt says it
    /// all. Where no habits are known, as of benchmarks, which are chords on a grid, nothing is drawn: a key that is asked for still is.
    ///
    /// # Errors
    /// [`ComposeError::Meter`], where a metre is asked for that the corpus never has; without habits that is any but the common one.
    pub fn of(habits: Option<&'h Habits>, request: &Request, rng: &mut Rng) -> Result<Intent<'h>, ComposeError> {
        if request.prompt().is_some() {
            return Ok(Intent::default());
        }
        let Some(habits) = habits.filter(|habits| **habits != Habits::default()) else {
            return match request.controls.meter {
                Some(meter) if meter != Meter::COMMON => {
                    Err(ComposeError::Meter { meter, known: Meter::COMMON.to_string() })
                }
                _ => Ok(Intent { key: request.controls.key, ..Intent::default() }),
            };
        };
        let mut intent = habits.intent(rng);
        intent.key = request.controls.key.or(intent.key);
        if let Some(meter) = request.controls.meter.filter(|meter| intent.meter() != Some(*meter)) {
            // As most pieces in it begin.
            let openings = habits.openings.iter().filter(|(opening, _)| opening.meter == meter);
            let found = openings.max_by_key(|(_, count)| **count).map(|(opening, _)| *opening);
            intent.opening = Some(found.ok_or_else(|| ComposeError::Meter { meter, known: habits.meters() })?);
        }
        Ok(intent)
    }

    /// Whether it is known what the corpus has.
    pub fn is_known(&self) -> bool {
        self.habits.is_some()
    }

    /// Its metre; `None` where nothing is known.
    pub fn meter(&self) -> Option<Meter> {
        self.opening.map(|opening| opening.meter)
    }

    /// Gives a finished composition its tempo, and moves it to its key: from the one of the same mode that its notes are nearest to, so
    /// that keys are as frequent as in the corpus whatever the network prefers. `range` are the lowest and the highest MIDI pitch that
    /// the corpus has.
    pub fn finish(&self, score: &mut Score, range: (u8, u8)) {
        if let Some(tempo) = self.tempo {
            score.tempos = vec![(Ticks::ZERO, tempo)];
        }
        let Some(key) = self.key else { return };
        let Some(found) = find_key_in(key.mode(), score.pitched_notes()) else { return };
        if let Some(moved) = Transposition::between(found, key).of(score, range) {
            *score = moved;
            score.keys = vec![(Ticks::ZERO, key)];
        }
    }
}

/// So many chances each draw has: more than any corpus has pieces.
const CHANCES: usize = 1 << 30;

/// One of counted things, each as likely as it is frequent.
fn drawn<T: Copy>(counts: &BTreeMap<T, u32>, chance: usize) -> Option<T> {
    let all: u64 = counts.values().map(|count| u64::from(*count)).sum();
    let mut left = (u128::from(all) * chance as u128 / CHANCES as u128) as u64;
    let found = counts.iter().find(|(_, count)| {
        let is_here = left < u64::from(**count);
        left = left.saturating_sub(u64::from(**count));
        is_here
    });
    found.map(|(thing, _)| *thing)
}

/// How a piece of these bars begins. A pick-up is a first bar that is shorter than the second, and shorter than the metre's.
fn opening(bars: &[BarKind]) -> Option<Opening> {
    let mut lengths: BTreeMap<Meter, u64> = BTreeMap::new();
    for bar in bars {
        *lengths.entry(bar.meter).or_default() += u64::from(bar.steps);
    }
    let (meter, _) = lengths.iter().max_by_key(|(_, length)| **length)?;
    let whole = bars.iter().filter(|bar| bar.meter == *meter).map(|bar| bar.steps).max()?;
    let pickup = match bars {
        [first, second, ..] if first.steps < second.steps && first.steps < whole => Some(*first),
        _ => None,
    };
    Some(Opening { meter: *meter, pickup })
}

/// Habits as they stand in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// Microseconds a quarter note.
    tempos: Vec<(u32, u32)>,
    /// Metre, pick-up.
    openings: Vec<(String, Option<StoredBar>, u32)>,
    /// Sharps (or flats, negative), whether it is minor.
    keys: Vec<(i8, bool, u32)>,
    bars: Vec<(StoredBar, StoredBar, u32)>,
}

/// Metre and steps.
type StoredBar = (String, u16);

impl From<Habits> for Stored {
    fn from(habits: Habits) -> Stored {
        let bar = |kind: BarKind| (kind.meter.to_string(), kind.steps);
        let openings = habits.openings.into_iter();
        Stored {
            tempos: habits.tempos.into_iter().map(|(tempo, count)| (tempo.micros_per_quarter(), count)).collect(),
            openings: openings
                .map(|(opening, count)| (opening.meter.to_string(), opening.pickup.map(bar), count))
                .collect(),
            keys: habits
                .keys
                .into_iter()
                .map(|(key, count)| (key.fifths(), key.mode() == Mode::Minor, count))
                .collect(),
            bars: habits.follows.into_iter().map(|((one, next), count)| (bar(one), bar(next), count)).collect(),
        }
    }
}

impl TryFrom<Stored> for Habits {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Habits, String> {
        let damaged = |what: &dyn std::fmt::Debug| format!("the corpus's habits are damaged at {what:?}");
        let meter = |text: &str| text.parse::<Meter>().map_err(|_| damaged(&text));
        let bar = |(text, steps): &StoredBar| Ok::<_, String>(BarKind { steps: (*steps).max(1), meter: meter(text)? });
        let mut habits = Habits::default();
        for (micros, count) in &stored.tempos {
            habits.tempos.insert(Tempo::from_micros_per_quarter(*micros).ok_or_else(|| damaged(micros))?, *count);
        }
        for (text, pickup, count) in &stored.openings {
            let opening = Opening { meter: meter(text)?, pickup: pickup.as_ref().map(bar).transpose()? };
            habits.openings.insert(opening, *count);
        }
        for (fifths, is_minor, count) in &stored.keys {
            let mode = if *is_minor { Mode::Minor } else { Mode::Major };
            habits.keys.insert(Key::new(*fifths, mode).ok_or_else(|| damaged(fifths))?, *count);
        }
        for (one, next, count) in &stored.bars {
            habits.follows.insert((bar(one)?, bar(next)?), *count);
        }
        Ok(habits)
    }
}

#[cfg(test)]
mod tests;
