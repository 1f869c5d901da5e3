//! The tokens that a corpus needs.

use crate::{TokenId, VocabularyError};
use cantus_score::{Bar, Meter, Pitch, Score, Tempo, Ticks, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// The longest bar, in quarter notes: four 4/4 bars.
const MAX_BAR_QUARTERS: u32 = 16;
/// The longest duration that a vocabulary offers, in quarter notes.
const LONGEST_DURATION: u32 = 16;
/// The longest bar of older models, in steps, whatever their grid.
const OLDER_BAR_STEPS: u16 = 64;
/// The most steps to a quarter: what is finer than a sequencer's ticks is damage.
const FINEST_GRID: u32 = 960;
/// Tempo classes are this far apart: a factor that listeners just tell apart from a performer's freedom.
const TEMPO_RATIO: f64 = 1.15;
/// The slowest class, quarters per minute.
const SLOWEST: f64 = 30.0;
/// How many classes there are: up to 30 * 1.15^16, 280 quarters per minute.
const TEMPO_CLASSES: u8 = 17;

/// A bar's metre and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarKind {
    /// Its length in steps.
    pub steps: u16,
    /// Its metre; where a change of metre cuts a bar short, the metre of what is left.
    pub meter: Meter,
}

impl BarKind {
    /// The kind of `bar` in a score of `steps` ticks to the quarter.
    pub fn of(bar: &Bar, steps: TicksPerQuarter) -> BarKind {
        let length = u16::try_from(bar.length.0).unwrap_or(u16::MAX).max(1);
        let meter = if bar.meter.bar(steps) == bar.length { bar.meter } else { meter_of_length(length, steps) };
        BarKind { steps: length, meter }
    }
}

/// A metre for a bar of an odd length: in quarters, else in eighths, sixteenths ... as far as needed.
fn meter_of_length(length: u16, steps: TicksPerQuarter) -> Meter {
    (2..=7)
        .find_map(|log2| {
            let count = (u32::from(length) << log2) / (4 * steps.get());
            let meter = Meter::new(u8::try_from(count).ok()?, log2)?;
            (meter.bar(steps) == Ticks(u64::from(length))).then_some(meter)
        })
        .unwrap_or_default()
}

/// What a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// The piece begins.
    Start,
    /// The piece is over.
    End,
    /// A bar begins.
    Bar,
    /// The tempo class of the piece.
    Tempo(u8),
    /// The metre of the bars that follow.
    Meter(BarKind),
    /// A chord begins at this step of the bar.
    Position(u16),
    /// The notes that follow last so many steps.
    Duration(u16),
    /// A note.
    Pitch(Pitch),
}

/// The tokens that a corpus needs, numbered without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    steps_per_quarter: TicksPerQuarter,
    bars: Vec<BarKind>,
    durations: Vec<u16>,
    positions: u16,
    low: Pitch,
    high: Pitch,
    /// The range of the corpus itself, before transposition widened it.
    heard: (Pitch, Pitch),
}

/// A vocabulary as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    steps_per_quarter: u32,
    meters: Vec<(String, u16)>,
    durations: Vec<u16>,
    pitches: (u8, u8),
    heard: (u8, u8),
}

impl Vocabulary {
    /// Number of tokens before the tempo classes.
    const FIXED: u32 = 3;

    /// The vocabulary of `scores` (all on one grid), wide enough for each to be transposed by up to `transposition` semitones
    /// within the piano's range. Bars longer than four 4/4 bars do not enter.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`] without a note; [`VocabularyError::Damaged`] where the grid is finer than any sequencer's.
    pub fn build(
        scores: impl IntoIterator<Item = impl Borrow<Score>>,
        transposition: u8,
    ) -> Result<Vocabulary, VocabularyError> {
        let mut bars = BTreeSet::new();
        let mut durations = BTreeSet::new();
        let mut range: Option<(Pitch, Pitch)> = None;
        let mut grid = None;
        for score in scores {
            let score = score.borrow();
            grid = Some(score.ticks_per_quarter);
            for bar in score.bars() {
                let kind = BarKind::of(&bar, score.ticks_per_quarter);
                if kind.steps <= in_steps(MAX_BAR_QUARTERS, score.ticks_per_quarter) {
                    bars.insert(kind);
                }
            }
            durations.extend(score.notes().map(|note| note.duration.0));
            if let Some((low, high)) = score.pitch_range() {
                range = Some(range.map_or((low, high), |(l, h)| (l.min(low), h.max(high))));
            }
        }
        let (Some(steps_per_quarter), Some((low, high))) = (grid, range) else {
            return Err(VocabularyError::Empty { what: "notes" });
        };
        if steps_per_quarter.get() > FINEST_GRID {
            let found = format!("{} steps a quarter, more than {FINEST_GRID}", steps_per_quarter.get());
            return Err(VocabularyError::Damaged { what: "steps per quarter", found });
        }
        if bars.is_empty() {
            bars.insert(BarKind {
                steps: Meter::COMMON.bar(steps_per_quarter).0.min(u64::from(u16::MAX)) as u16,
                meter: Meter::COMMON,
            });
        }
        let widened = |pitch: Pitch, by: i32, limit: Pitch| {
            let moved = pitch.transposed(by).unwrap_or(limit);
            // A corpus may leave the piano's range; transposition does not.
            if by < 0 { moved.max(limit).min(pitch) } else { moved.min(limit).max(pitch) }
        };
        let by = i32::from(transposition);
        let longest = u64::from(in_steps(LONGEST_DURATION, steps_per_quarter));
        let durations: BTreeSet<u16> =
            durations.into_iter().map(|steps| thinned(steps.clamp(1, longest) as u16, steps_per_quarter)).collect();
        let vocabulary = Vocabulary {
            steps_per_quarter,
            positions: bars.iter().map(|kind| kind.steps).max().unwrap_or(1),
            bars: bars.into_iter().collect(),
            durations: durations.into_iter().collect(),
            low: widened(low, -by, Pitch::PIANO.0),
            high: widened(high, by, Pitch::PIANO.1),
            heard: (low, high),
        };
        Ok(vocabulary)
    }

    /// The grid: steps to the quarter.
    pub fn steps_per_quarter(&self) -> TicksPerQuarter {
        self.steps_per_quarter
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.pitch_base() as usize + usize::from(self.high.get() - self.low.get()) + 1
    }

    /// Never: there is always a start, an end and a pitch.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Kinds of bars, in order.
    pub fn bars(&self) -> &[BarKind] {
        &self.bars
    }

    /// Durations in steps, in order.
    pub fn durations(&self) -> &[u16] {
        &self.durations
    }

    /// One more than the last step within a bar.
    pub fn positions(&self) -> u16 {
        self.positions
    }

    /// The lowest and the highest pitch.
    pub fn pitch_range(&self) -> (Pitch, Pitch) {
        (self.low, self.high)
    }

    /// The lowest and the highest pitch of the corpus, where nothing is transposed.
    pub fn heard_range(&self) -> (Pitch, Pitch) {
        self.heard
    }

    fn meter_base(&self) -> u32 {
        Vocabulary::FIXED + u32::from(TEMPO_CLASSES)
    }

    fn position_base(&self) -> u32 {
        self.meter_base() + self.bars.len() as u32
    }

    fn duration_base(&self) -> u32 {
        self.position_base() + u32::from(self.positions)
    }

    fn pitch_base(&self) -> u32 {
        self.duration_base() + self.durations.len() as u32
    }

    /// The number of a token of this vocabulary. One that it does not hold gets the number of a neighbour; ask the `nearest_*`
    /// functions first.
    pub fn id(&self, token: Token) -> TokenId {
        let index = |place: Result<usize, usize>, count: usize| place.unwrap_or_else(|at| at.min(count - 1)) as u32;
        TokenId(match token {
            Token::Start => 0,
            Token::End => 1,
            Token::Bar => 2,
            Token::Tempo(class) => Vocabulary::FIXED + u32::from(class.min(TEMPO_CLASSES - 1)),
            Token::Meter(kind) => self.meter_base() + index(self.bars.binary_search(&kind), self.bars.len()),
            Token::Position(step) => self.position_base() + u32::from(step.min(self.positions - 1)),
            Token::Duration(steps) => {
                self.duration_base() + index(self.durations.binary_search(&steps), self.durations.len())
            }
            Token::Pitch(pitch) => {
                self.pitch_base() + u32::from(pitch.clamp(self.low, self.high).get() - self.low.get())
            }
        })
    }

    /// What a number means, or `None` for a number that no token has.
    pub fn token(&self, id: TokenId) -> Option<Token> {
        let within = |base: u32| (id.0 - base) as usize;
        Some(match id.0 {
            0 => Token::Start,
            1 => Token::End,
            2 => Token::Bar,
            n if n < self.meter_base() => Token::Tempo((n - Vocabulary::FIXED) as u8),
            n if n < self.position_base() => Token::Meter(self.bars[within(self.meter_base())]),
            n if n < self.duration_base() => Token::Position((n - self.position_base()) as u16),
            n if n < self.pitch_base() => Token::Duration(self.durations[within(self.duration_base())]),
            n => {
                let pitch = Pitch::try_from(i64::from(self.low.get()) + i64::from(n - self.pitch_base())).ok()?;
                Token::Pitch(Some(pitch).filter(|pitch| *pitch <= self.high)?)
            }
        })
    }

    /// The token of `other` that says what `token` says, on whatever grid; `None` where there is none.
    pub fn in_words_of(&self, other: &Vocabulary, token: Token) -> Option<Token> {
        let steps = |steps: u16| {
            let fine = u32::from(steps) * other.steps_per_quarter.get();
            let own = self.steps_per_quarter.get();
            u16::try_from(fine / own).ok().filter(|_| fine.is_multiple_of(own))
        };
        let said = match token {
            Token::Meter(kind) => Token::Meter(BarKind { steps: steps(kind.steps)?, ..kind }),
            Token::Position(step) => Token::Position(steps(step)?),
            Token::Duration(length) => Token::Duration(steps(length)?),
            same => same,
        };
        (other.token(other.id(said)) == Some(said)).then_some(said)
    }

    /// The index of a kind of bar among [`Vocabulary::bars`].
    pub fn bar_index(&self, kind: BarKind) -> usize {
        self.bars.binary_search(&kind).unwrap_or_else(|at| at.min(self.bars.len() - 1))
    }

    /// The kind of bar nearest in length, then in metre.
    pub fn nearest_bar(&self, kind: BarKind) -> BarKind {
        let distance =
            |known: &BarKind| (known.steps.abs_diff(kind.steps), known.meter != kind.meter, known.meter.denominator());
        self.bars.iter().copied().min_by_key(distance).unwrap_or(kind)
    }

    /// The duration nearest to `duration`; the shorter of two that are equally near.
    pub fn nearest_duration(&self, duration: Ticks) -> u16 {
        let distance = |known: &u16| u64::from(*known).abs_diff(duration.0);
        self.durations.iter().copied().min_by_key(distance).unwrap_or(1)
    }

    /// `pitch`, or the pitch of the same class nearest to it within range; the nearest end of a range under an octave.
    pub fn nearest_pitch(&self, pitch: Pitch) -> Pitch {
        let (low, high) = (i32::from(self.low.get()), i32::from(self.high.get()));
        let mut number = i32::from(pitch.get());
        while number < low {
            number += 12;
        }
        while number > high {
            number -= 12;
        }
        Pitch::try_from(i64::from(number.clamp(low, high))).unwrap_or(self.low)
    }

    /// The tempo class of a score's prevailing tempo.
    pub fn nearest_tempo(&self, score: &Score) -> u8 {
        self.nearest_class(score.prevailing_tempo())
    }

    /// The class nearest to a tempo.
    pub fn nearest_class(&self, tempo: Tempo) -> u8 {
        let quarters = tempo.quarters_per_minute();
        ((quarters / SLOWEST).ln() / TEMPO_RATIO.ln()).round().clamp(0.0, f64::from(TEMPO_CLASSES - 1)) as u8
    }

    /// The tempo of a class.
    pub fn tempo(&self, class: u8) -> Tempo {
        let quarters = SLOWEST * TEMPO_RATIO.powi(i32::from(class.min(TEMPO_CLASSES - 1)));
        Tempo::from_quarters_per_minute(quarters.round()).unwrap_or(Tempo::DEFAULT)
    }
}

/// So many quarter notes in steps.
fn in_steps(quarters: u32, steps_per_quarter: TicksPerQuarter) -> u16 {
    u16::try_from(quarters * steps_per_quarter.get()).unwrap_or(u16::MAX)
}

/// Long durations on a coarser grid: exact steps up to four quarter notes, then halves of a quarter up to six, quarters up to eight,
/// and half notes beyond.
fn thinned(steps: u16, steps_per_quarter: TicksPerQuarter) -> u16 {
    let quarter = u32::from(in_steps(1, steps_per_quarter));
    let grain = match u32::from(steps) {
        steps if steps <= 4 * quarter => 1,
        steps if steps <= 6 * quarter => quarter / 2,
        steps if steps <= 8 * quarter => quarter,
        _ => 2 * quarter,
    };
    let grain = grain.max(1);
    u16::try_from((u32::from(steps) + grain / 2) / grain * grain).unwrap_or(u16::MAX)
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Stored {
        Stored {
            steps_per_quarter: vocabulary.steps_per_quarter.get(),
            meters: vocabulary.bars.iter().map(|kind| (kind.meter.to_string(), kind.steps)).collect(),
            durations: vocabulary.durations,
            pitches: (vocabulary.low.get(), vocabulary.high.get()),
            heard: (vocabulary.heard.0.get(), vocabulary.heard.1.get()),
        }
    }
}

impl TryFrom<Stored> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(stored: Stored) -> Result<Vocabulary, VocabularyError> {
        let damaged =
            |what, found: &dyn std::fmt::Debug| VocabularyError::Damaged { what, found: format!("{found:?}") };
        let steps_per_quarter = TicksPerQuarter::new(stored.steps_per_quarter)
            .filter(|steps| steps.get() <= FINEST_GRID)
            .ok_or_else(|| damaged("steps per quarter", &stored.steps_per_quarter))?;
        let mut bars = Vec::with_capacity(stored.meters.len());
        for (meter, steps) in &stored.meters {
            let meter: Meter = meter.parse().map_err(|_| damaged("metres", meter))?;
            if *steps == 0 || *steps > in_steps(MAX_BAR_QUARTERS, steps_per_quarter).max(OLDER_BAR_STEPS) {
                return Err(damaged("bar lengths", steps));
            }
            bars.push(BarKind { steps: *steps, meter });
        }
        if bars.is_empty() {
            return Err(VocabularyError::Empty { what: "metres" });
        }
        if !bars.is_sorted_by(|a, b| a < b) {
            return Err(damaged("metres", &stored.meters));
        }
        if stored.durations.is_empty() {
            return Err(VocabularyError::Empty { what: "durations" });
        }
        if stored.durations[0] == 0 || !stored.durations.is_sorted_by(|a, b| a < b) {
            return Err(damaged("durations", &stored.durations));
        }
        let pitch = |number: u8| Pitch::try_from(number).map_err(|_| damaged("pitches", &stored.pitches));
        let (low, high) = (pitch(stored.pitches.0)?, pitch(stored.pitches.1)?);
        let heard = (pitch(stored.heard.0)?, pitch(stored.heard.1)?);
        if !(low <= heard.0 && heard.0 <= heard.1 && heard.1 <= high) {
            return Err(damaged("pitches", &(stored.pitches, stored.heard)));
        }
        let positions = bars.iter().map(|kind| kind.steps).max().unwrap_or(1);
        Ok(Vocabulary { steps_per_quarter, bars, durations: stored.durations, positions, low, high, heard })
    }
}
