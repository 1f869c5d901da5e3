//! The library: the tunes that were learnt from, in the key without accidentals, and their bars as units. It is the model: what is composed is
//! made of it, and every unit says from which file and bar it is.

use cantus_encoding::bar_bags::Bag;
use cantus_encoding::melody_steps::{HOLD, MelodySteps, OUTCOMES, SILENCE, sounding};
use cantus_encoding::note_chord::BarKind;
use cantus_model::{Pieces, home};
use cantus_score::{Score, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// The longest bar that is kept, in steps.
const MOST_STEPS: u16 = 4096;
/// What the first letter of an event stands for: nothing new.
const FIRST_LETTER: u8 = b'#';
/// Steps of one event at most.
const LONGEST: usize = 90;

/// A tune of the corpus.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tune {
    /// Its file.
    pub name: String,
    /// The numbers of its bars as printed.
    pub numbers: Vec<u32>,
    pub melody: MelodySteps,
    /// Its length in quarter notes.
    pub quarters: f64,
}

impl Tune {
    /// The melody of a piece.
    pub(super) fn of(name: &str, piece: &Score, grid: TicksPerQuarter) -> Tune {
        let melody = MelodySteps::of(&home(piece).0, grid);
        let mut numbers: Vec<u32> =
            piece.numbered_bars().take(melody.bars.len()).map(|(number, _)| number as u32).collect();
        while numbers.len() < melody.bars.len() {
            numbers.push(numbers.last().map_or(1, |number| number + 1));
        }
        Tune { name: name.to_owned(), numbers, melody, quarters: piece.end().quarters(piece.ticks_per_quarter) }
    }

    /// The bars of its units: whole ones, after the upbeat; what is left at the end is none.
    pub(super) fn units(&self, bars: usize) -> Vec<Range<usize>> {
        let first = usize::from(self.melody.upbeat);
        let count = (self.melody.bars.len() - first) / bars;
        (0..count).map(|unit| first + unit * bars..first + (unit + 1) * bars).collect()
    }

    /// The steps of some of its bars.
    pub(super) fn steps(&self, bars: &Range<usize>) -> Range<usize> {
        cantus_encoding::melody_steps::steps_of(&self.melody.bars, bars)
    }

    /// Where a bar stands: the file, and the bar's number there.
    pub(super) fn source(&self, bar: usize) -> String {
        format!("{}:{}", self.name, self.numbers[bar])
    }
}

/// What is known of some bars of a melody, wherever they stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    pub bars: Vec<BarKind>,
    pub steps: Vec<u8>,
    pub bag: Bag,
    pub join: Join,
}

/// What of a unit meets its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join {
    /// The first and the last pitch, as outcomes; 0 where there is none.
    pub first: u8,
    pub last: u8,
    /// How it begins: how many steps pass before its first note, as a class, and whether something sounds on into it.
    pub begins: u8,
    /// How it ends: how long the last note began before the end, as a class, and whether it still sounds.
    pub ends: u8,
}

/// Ways to begin, and to end.
pub(super) const WAYS: usize = 16;

impl Unit {
    /// Of some bars of a melody, given what sounds before them (0 for silence).
    pub(super) fn new(bars: &[BarKind], steps: &[u8], sounds: bool, grid: TicksPerQuarter) -> Unit {
        let is_note = |outcome: &u8| *outcome > SILENCE;
        let first = steps.iter().position(is_note);
        let last = steps.iter().rposition(is_note);
        let rings = last.is_some_and(|last| !steps[last..].contains(&SILENCE));
        let class = |passed: usize| (passed * 4 / grid.get() as usize + 1).ilog2().min(WAYS as u32 / 2 - 1) as u8;
        let is_tied = sounds && steps.first() == Some(&HOLD);
        let outcome = |at: Option<usize>| at.map_or(0, |at| steps[at]);
        Unit {
            bag: Bag::of(steps, bars.len(), grid),
            join: Join {
                first: outcome(first),
                last: outcome(last),
                begins: 2 * class(first.unwrap_or(steps.len())) + u8::from(is_tied),
                ends: 2 * class(steps.len() - last.unwrap_or(0)) + u8::from(rings),
            },
            bars: bars.to_vec(),
            steps: steps.to_vec(),
        }
    }

    /// Whether a note begins in a bar of it.
    pub(super) fn begins_in(&self, bar: usize) -> bool {
        let steps = cantus_encoding::melody_steps::steps_of(&self.bars, &(bar..bar + 1));
        self.steps[steps].iter().any(|outcome| *outcome > SILENCE)
    }
}

/// The units of a melody in which a note begins, with the bars that they are.
pub(super) fn units_of(tune: &Tune, bars: usize) -> Vec<(Range<usize>, Unit)> {
    let sounding = sounding(&tune.melody.steps);
    let unit = |of: Range<usize>| {
        let steps = tune.steps(&of);
        let sounds = sounding[steps.start] != 0;
        let unit = Unit::new(&tune.melody.bars[of.clone()], &tune.melody.steps[steps], sounds, tune.melody.grid);
        (of, unit)
    };
    tune.units(bars).into_iter().map(unit).filter(|(_, unit)| unit.join.first != 0).collect()
}

/// All tunes, and their units: each once, as it stands first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Library {
    pub tunes: Vec<Tune>,
    pub units: Vec<Unit>,
    /// The tune and the first bar of each unit.
    pub places: Vec<(usize, usize)>,
    /// The units of each tune, in their order.
    pub of_tunes: Vec<Vec<u32>>,
    /// Which unit follows which in a tune.
    pub follows: HashSet<(u32, u32)>,
    /// The units that have the same bars.
    pub of_shape: BTreeMap<Vec<BarKind>, Vec<u32>>,
}

impl Library {
    pub(super) fn new(tunes: Vec<Tune>, bars: usize) -> Library {
        let mut library = Library {
            units: Vec::new(),
            places: Vec::new(),
            of_tunes: Vec::with_capacity(tunes.len()),
            follows: HashSet::new(),
            of_shape: BTreeMap::new(),
            tunes,
        };
        let mut known: HashMap<(Vec<BarKind>, Vec<u8>), u32> = HashMap::new();
        for (number, tune) in library.tunes.iter().enumerate() {
            let mut own = Vec::new();
            for (of, unit) in units_of(tune, bars) {
                let next = library.units.len() as u32;
                let id = *known.entry((unit.bars.clone(), unit.steps.clone())).or_insert(next);
                if id == next {
                    library.of_shape.entry(unit.bars.clone()).or_default().push(id);
                    library.places.push((number, of.start));
                    library.units.push(unit);
                }
                own.push(id);
            }
            library.follows.extend(own.windows(2).map(|pair| (pair[0], pair[1])));
            library.of_tunes.push(own);
        }
        library
    }

    /// The tunes of pieces.
    pub(super) fn of(pieces: &Pieces, grid: TicksPerQuarter, bars: usize) -> Library {
        let name = |number: usize| pieces.name(number).map_or_else(|| format!("piece {}", number + 1), str::to_owned);
        let tunes = pieces.iter().enumerate().map(|(number, piece)| Tune::of(&name(number), &piece, grid)).collect();
        Library::new(tunes, bars)
    }

    /// The units of the same bars.
    pub(super) fn alike(&self, bars: &[BarKind]) -> &[u32] {
        self.of_shape.get(bars).map_or(&[], Vec::as_slice)
    }

    /// How many transitions from one unit to the next there are.
    pub(super) fn transitions(&self) -> usize {
        self.of_tunes.iter().map(|units| units.len().saturating_sub(1)).sum()
    }
}

/// A tune as it stands in a model file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    name: String,
    /// The bars' numbers: the first of a run, and how many follow one another.
    numbers: Vec<(u32, u16)>,
    /// Metre and steps of bars, and how many of them.
    bars: Vec<(String, u16, u16)>,
    upbeat: bool,
    /// Two letters an event: what happens, and for how many steps.
    steps: String,
}

impl From<&Tune> for Stored {
    fn from(tune: &Tune) -> Stored {
        let mut numbers: Vec<(u32, u16)> = Vec::new();
        for number in &tune.numbers {
            match numbers.last_mut().filter(|(first, count)| first + u32::from(*count) == *number && *count < u16::MAX)
            {
                Some((_, count)) => *count += 1,
                None => numbers.push((*number, 1)),
            }
        }
        let mut bars: Vec<(String, u16, u16)> = Vec::new();
        for bar in &tune.melody.bars {
            let meter = bar.meter.to_string();
            match bars.last_mut().filter(|known| (&known.0, known.1) == (&meter, bar.steps) && known.2 < u16::MAX) {
                Some((_, _, count)) => *count += 1,
                None => bars.push((meter, bar.steps, 1)),
            }
        }
        let mut events: Vec<(u8, usize)> = Vec::new();
        for outcome in &tune.melody.steps {
            match events.last_mut().filter(|(_, steps)| *outcome == HOLD && *steps < LONGEST) {
                Some((_, steps)) => *steps += 1,
                None => events.push((*outcome, 1)),
            }
        }
        let letter = |number: u8| char::from(FIRST_LETTER + number);
        let steps = events.into_iter().flat_map(|(outcome, steps)| [letter(outcome), letter(steps as u8 - 1)]);
        Stored { name: tune.name.clone(), numbers, bars, upbeat: tune.melody.upbeat, steps: steps.collect() }
    }
}

impl Stored {
    /// The tune that it was made of.
    ///
    /// # Errors
    /// What is damaged.
    pub(super) fn tune(&self, grid: TicksPerQuarter) -> Result<Tune, String> {
        let damaged = |what: &str| format!("the tune `{}` of the library has damaged {what}", self.name);
        let mut bars = Vec::new();
        for (meter, steps, count) in &self.bars {
            let meter = meter.parse().map_err(|_| damaged("metres"))?;
            if *steps == 0 || *steps > MOST_STEPS {
                return Err(damaged("bars"));
            }
            bars.extend(std::iter::repeat_n(BarKind { steps: *steps, meter }, usize::from(*count)));
        }
        let run = |(first, count): &(u32, u16)| (0..u32::from(*count)).map(|k| first.saturating_add(k)).collect();
        let numbers: Vec<u32> = self.numbers.iter().flat_map(|of| -> Vec<u32> { run(of) }).collect();
        let letters = self.steps.as_bytes();
        let mut steps = Vec::new();
        for pair in letters.chunks(2) {
            let number = |at: usize| pair.get(at).and_then(|letter| letter.checked_sub(FIRST_LETTER));
            let outcome = number(0).filter(|outcome| usize::from(*outcome) < OUTCOMES);
            let (Some(outcome), Some(more)) = (outcome, number(1)) else { return Err(damaged("steps")) };
            steps.push(outcome);
            steps.extend(std::iter::repeat_n(HOLD, usize::from(more)));
        }
        let whole: usize = bars.iter().map(|bar| usize::from(bar.steps)).sum();
        if numbers.len() != bars.len() || steps.len() != whole || self.upbeat && bars.len() < 2 {
            return Err(damaged("bars"));
        }
        let melody = MelodySteps { grid, bars, upbeat: self.upbeat, steps };
        let quarters = whole as f64 / f64::from(grid.get());
        Ok(Tune { name: self.name.clone(), numbers, melody, quarters })
    }
}
