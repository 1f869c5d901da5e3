//! The tokens of tunes.

use super::rhythm;
use super::tune::whole;
use super::{ATOM, GRID, Tune, home};
use crate::{TokenId, VocabularyError};
use cantus_score::{Chord, Key, Meter, Mode, Pitch, Quality, Score};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// What a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The tune begins.
    Start,
    /// It is over.
    End,
    /// A bar line.
    Bar,
    /// A repeat begins.
    Open,
    /// A repeat, or its first ending, is over.
    Close,
    /// A first ending begins.
    First,
    /// A second ending is over, and what follows is not repeated.
    Double,
    /// The note goes on.
    Tie,
    /// A rest.
    Rest,
    /// The metre of the bar and of those that follow.
    Meter(Meter),
    /// The same of the key.
    Key(Key),
    /// How many steps a note lasts whose length is not said.
    Unit(u32),
    /// The bar has so many steps only.
    Partial(u32),
    /// A chord, its root counted from the [`home`] of the key; `None` where none is played.
    Chord(Option<Chord>),
    /// Three notes in the time of two: how long together, in eighths of the unit.
    Tuplet(u32),
    /// A note, in semitones over the [`home`] of the key.
    Note(i8),
    /// How long the note or the rest looks, in eighths of the unit.
    Length(u32),
}

/// The tokens that a corpus needs, numbered without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    meters: Vec<Meter>,
    keys: Vec<Key>,
    units: Vec<u32>,
    partials: Vec<u32>,
    qualities: Vec<Quality>,
    tuplets: Vec<u32>,
    /// Semitones over the [`home`] of a key.
    low: i8,
    high: i8,
    lengths: Vec<u32>,
    /// The lowest and the highest pitch of the corpus.
    heard: (Pitch, Pitch),
}

/// A vocabulary as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    meters: Vec<String>,
    /// Sharps (or flats, negative), whether it is minor.
    keys: Vec<(i8, bool)>,
    units: Vec<u32>,
    partials: Vec<u32>,
    /// As they stand after a root.
    chords: Vec<String>,
    tuplets: Vec<u32>,
    pitches: (i8, i8),
    lengths: Vec<u32>,
    heard: (u8, u8),
}

/// Longer bars are unknown, and longer notes are tied: steps of four bars of 4/4.
const LONGEST: u32 = 16 * GRID.get();
/// Of all lengths so many, the most frequent ones.
const MOST_LENGTHS: usize = 48;
/// Of all lengths of short bars so many.
const MOST_PARTIALS: usize = 32;
/// Units that there may be: a sixteenth, an eighth, a quarter.
const UNITS: [u32; 3] = [6, 12, 24];
/// Tokens without a value.
const SIGNS: [Token; 9] = [
    Token::Start,
    Token::End,
    Token::Bar,
    Token::Open,
    Token::Close,
    Token::First,
    Token::Double,
    Token::Tie,
    Token::Rest,
];

fn most_frequent(counts: BTreeMap<u32, u64>, most: usize) -> BTreeSet<u32> {
    let mut frequent: Vec<(u64, u32)> = counts.into_iter().map(|(value, count)| (count, value)).collect();
    frequent.sort_unstable_by_key(|(count, value)| (std::cmp::Reverse(*count), *value));
    frequent.into_iter().take(most).map(|(_, value)| value).collect()
}

impl Vocabulary {
    /// The vocabulary of `scores`, with the keys that they come into when they are moved by up to `transposition` semitones.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`] without a melody.
    pub fn build(
        scores: impl IntoIterator<Item = impl Borrow<Score>>,
        transposition: u8,
    ) -> Result<Vocabulary, VocabularyError> {
        let (mut meters, mut keys, mut units) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut qualities, mut tuplets) = (BTreeSet::new(), BTreeSet::new());
        let (mut lengths, mut partials): (BTreeMap<u32, u64>, BTreeMap<u32, u64>) = Default::default();
        let mut range: Option<(i32, i32)> = None;
        let mut heard: Option<(Pitch, Pitch)> = None;
        let by = i32::from(transposition);
        for score in scores {
            let tune = Tune::of(score.borrow());
            if !tune.has_notes() {
                continue;
            }
            let unit = rhythm::unit(&tune);
            units.insert(unit);
            for bar in &tune.bars {
                if whole(bar.meter) <= LONGEST {
                    meters.insert(bar.meter);
                }
                keys.extend((-by.min(5)..=by.min(6)).map(|by| bar.key.transposed(by)));
                let steps = bar.steps.div_ceil(ATOM) * ATOM;
                if steps < whole(bar.meter) && steps <= LONGEST {
                    *partials.entry(steps).or_default() += 1;
                }
                let mut at = 0;
                for event in &bar.events {
                    qualities.extend(event.chord.flatten().map(Chord::quality));
                    if let Some(pitch) = event.pitch {
                        let over = i32::from(pitch.get()) - home(bar.key);
                        range = Some(range.map_or((over, over), |(low, high)| (low.min(over), high.max(over))));
                        heard = Some(heard.map_or((pitch, pitch), |(low, high)| (low.min(pitch), high.max(pitch))));
                    }
                    let end = at + event.steps;
                    if at.is_multiple_of(ATOM) && end.is_multiple_of(ATOM) {
                        *lengths.entry(8 * event.steps.min(LONGEST) / unit).or_default() += 1;
                    }
                    at = end;
                }
                for (span, within) in rhythm::triplets(bar) {
                    tuplets.insert(8 * span / unit);
                    for steps in within.into_iter().filter(|steps| (12 * steps).is_multiple_of(unit)) {
                        *lengths.entry(12 * steps / unit).or_default() += 1;
                    }
                }
            }
        }
        let (Some((low, high)), Some(heard)) = (range, heard) else {
            return Err(VocabularyError::Empty { what: "melody" });
        };
        if meters.is_empty() {
            meters.insert(Meter::COMMON);
        }
        // A 32nd fills any bar, whatever the unit.
        let mut lengths = most_frequent(lengths, MOST_LENGTHS);
        lengths.extend(units.iter().map(|unit| 8 * ATOM / unit));
        lengths.retain(|length| *length > 0);
        let byte = |semitones: i32| semitones.clamp(i8::MIN.into(), i8::MAX.into()) as i8;
        Ok(Vocabulary {
            meters: meters.into_iter().collect(),
            keys: keys.into_iter().collect(),
            units: units.into_iter().collect(),
            partials: most_frequent(partials, MOST_PARTIALS).into_iter().collect(),
            qualities: qualities.into_iter().collect(),
            tuplets: tuplets.into_iter().collect(),
            low: byte(low),
            high: byte(high),
            lengths: lengths.into_iter().collect(),
            heard,
        })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.bases()[8] as usize
    }

    /// Never: there is always a start.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Metres, in order.
    pub fn meters(&self) -> &[Meter] {
        &self.meters
    }

    /// Keys, in order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What chords are over their roots, in order.
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// Lengths of short bars in steps, in order.
    pub fn partials(&self) -> &[u32] {
        &self.partials
    }

    /// Units in steps, in order.
    pub fn units(&self) -> &[u32] {
        &self.units
    }

    /// Lengths that can be said, in eighths of the unit, in order.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// The lowest and the highest pitch of the corpus.
    pub fn heard_range(&self) -> (Pitch, Pitch) {
        self.heard
    }

    /// Where each kind of tokens begins after the signs: metres, keys, units, short bars, chords, tuplets, notes, lengths, the end.
    fn bases(&self) -> [u32; 9] {
        let notes = (i32::from(self.high) - i32::from(self.low) + 1) as usize;
        let counts = [
            SIGNS.len(),
            self.meters.len(),
            self.keys.len(),
            self.units.len(),
            self.partials.len(),
            1 + 12 * self.qualities.len(),
            self.tuplets.len(),
            notes,
            self.lengths.len(),
        ];
        let mut sum = 0;
        counts.map(|count| {
            sum += count as u32;
            sum
        })
    }

    /// The number of a token: of what is unknown that of the nearest known.
    pub fn id(&self, token: Token) -> TokenId {
        let bases = self.bases();
        let near = |values: &[u32], value: u32| {
            let far = |k: &usize| values[*k].abs_diff(value);
            (0..values.len()).min_by_key(far).unwrap_or(0) as u32
        };
        TokenId(match token {
            Token::Meter(meter) => {
                let meter = self.nearest_meter(meter);
                bases[0] + self.meters.iter().position(|known| *known == meter).unwrap_or(0) as u32
            }
            Token::Key(key) => {
                let key = self.nearest_key(key);
                bases[1] + self.keys.iter().position(|known| *known == key).unwrap_or(0) as u32
            }
            Token::Unit(unit) => bases[2] + near(&self.units, unit),
            Token::Partial(steps) if self.partials.is_empty() => {
                // Nothing is short that the corpus has: it is heard as a bar.
                debug_assert!(steps > 0);
                2
            }
            Token::Partial(steps) => bases[3] + near(&self.partials, steps),
            Token::Chord(chord) => {
                let known = chord.and_then(|chord| Some((self.nearest_quality(chord.quality())?, chord.root())));
                bases[4] + known.map_or(0, |(quality, root)| 1 + 12 * quality as u32 + u32::from(root))
            }
            Token::Tuplet(span) if self.tuplets.is_empty() => {
                debug_assert!(span > 0);
                2
            }
            Token::Tuplet(span) => bases[5] + near(&self.tuplets, span),
            Token::Note(over) => bases[6] + (i32::from(over.clamp(self.low, self.high)) - i32::from(self.low)) as u32,
            Token::Length(length) => bases[7] + near(&self.lengths, length),
            sign => SIGNS.iter().position(|known| *known == sign).unwrap_or(0) as u32,
        })
    }

    /// What a number means.
    pub fn token(&self, id: TokenId) -> Option<Token> {
        let bases = self.bases();
        let kind = bases.iter().position(|base| id.0 < *base)?;
        let place = (id.0 - if kind == 0 { 0 } else { bases[kind - 1] }) as usize;
        Some(match kind {
            0 => SIGNS[place],
            1 => Token::Meter(self.meters[place]),
            2 => Token::Key(self.keys[place]),
            3 => Token::Unit(self.units[place]),
            4 => Token::Partial(self.partials[place]),
            5 => Token::Chord(place.checked_sub(1).map(|at| Chord::new((at % 12) as u8, self.qualities[at / 12]))),
            6 => Token::Tuplet(self.tuplets[place]),
            7 => Token::Note((i32::from(self.low) + place as i32) as i8),
            _ => Token::Length(self.lengths[place]),
        })
    }

    /// The token of `other` that says what `token` says; `None` where there is none.
    pub fn in_words_of(&self, other: &Vocabulary, token: TokenId) -> Option<TokenId> {
        let said = self.token(token)?;
        let there = other.id(said);
        (other.token(there) == Some(said)).then_some(there)
    }

    /// A token of a tune that is moved by so many semitones: the key is another, and all is counted from its home.
    pub fn moved(&self, id: TokenId, semitones: i32) -> TokenId {
        match self.token(id) {
            Some(Token::Key(key)) => self.id(Token::Key(key.transposed(semitones))),
            _ => id,
        }
    }

    /// The known metre whose bar is as long as that of another, or nearest to it.
    pub fn nearest_meter(&self, meter: Meter) -> Meter {
        let far = |known: &&Meter| (whole(**known).abs_diff(whole(meter)), **known != meter);
        self.meters.iter().min_by_key(far).copied().unwrap_or(Meter::COMMON)
    }

    /// The known key with the nearest home, of the same mode where there is one.
    pub fn nearest_key(&self, key: Key) -> Key {
        let far = |known: &&Key| (known.mode() != key.mode(), home(**known).abs_diff(home(key)));
        self.keys.iter().min_by_key(far).copied().unwrap_or(key)
    }

    /// The known unit that is nearest.
    pub(super) fn nearest_unit(&self, unit: u32) -> u32 {
        self.units.iter().copied().min_by_key(|known| known.abs_diff(unit)).unwrap_or(12)
    }

    /// The length of a short bar that is known and nearest; a very long one where none is.
    pub(super) fn nearest_partial(&self, steps: u32) -> u32 {
        self.partials.iter().copied().min_by_key(|known| known.abs_diff(steps)).unwrap_or(u32::MAX)
    }

    /// The known pitch that a pitch becomes in a key with this home, moved there by `over` semitones, octaves away where it has to be.
    pub(super) fn nearest_pitch(&self, pitch: Pitch, home: i32, over: i32) -> Pitch {
        let wanted = i32::from(pitch.get()) + over;
        let (low, high) = (home + i32::from(self.low), home + i32::from(self.high));
        let octaves = (-10..=10).map(|octave| wanted + 12 * octave).filter(|moved| (low..=high).contains(moved));
        let nearest = octaves.min_by_key(|moved| moved.abs_diff(wanted)).unwrap_or(wanted.clamp(low, high));
        u8::try_from(nearest).ok().and_then(|nearest| Pitch::try_from(nearest).ok()).unwrap_or(pitch)
    }

    /// Of the known qualities the one that has most in common with another, by its place; `None` where no tune had a chord.
    fn nearest_quality(&self, quality: Quality) -> Option<usize> {
        let common = |known: Quality| {
            let shared = known.classes().iter().filter(|class| quality.classes().contains(class)).count();
            2 * shared as i32 - known.classes().len() as i32
        };
        // The first of equals is the most usual one.
        (0..self.qualities.len()).rev().max_by_key(|k| common(self.qualities[*k]))
    }

    pub(super) fn nearest_chord(&self, chord: Option<Chord>) -> Option<Chord> {
        let chord = chord?;
        self.nearest_quality(chord.quality()).map(|k| Chord::new(chord.root(), self.qualities[k]))
    }

    pub(super) fn knows(&self, chord: Option<Chord>) -> bool {
        self.nearest_chord(chord) == chord
    }

    /// Whether a tuplet of so many steps can be said.
    pub(super) fn has_tuplet(&self, span: u32, unit: u32) -> bool {
        (8 * span).is_multiple_of(unit) && self.tuplets.binary_search(&(8 * span / unit)).is_ok()
    }

    /// Whether a length, in steps as it sounds, can be said in a tuplet of so many steps.
    pub(super) fn says_in_tuplet(&self, steps: u32, span: u32, unit: u32) -> bool {
        let looks = 12 * steps;
        let is_known = || looks.is_multiple_of(unit) && self.lengths.binary_search(&(looks / unit)).is_ok();
        3 * steps <= 2 * span && (3 * steps == span || is_known())
    }

    /// Whether a length beside tuplets can be said.
    fn says(&self, steps: u32, unit: u32) -> bool {
        steps == unit || (8 * steps).is_multiple_of(unit) && self.lengths.binary_search(&(8 * steps / unit)).is_ok()
    }

    /// The longest length that can be said within so many steps, a multiple of [`ATOM`].
    pub(super) fn longest_within(&self, steps: u32, unit: u32) -> u32 {
        let mut multiples = (1..=steps.min(LONGEST) / ATOM).rev().map(|k| k * ATOM);
        multiples.find(|steps| self.says(*steps, unit)).unwrap_or(steps)
    }
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Stored {
        Stored {
            meters: vocabulary.meters.iter().map(Meter::to_string).collect(),
            keys: vocabulary.keys.iter().map(|key| (key.fifths(), key.mode() == Mode::Minor)).collect(),
            units: vocabulary.units,
            partials: vocabulary.partials,
            chords: vocabulary.qualities.iter().map(|quality| quality.suffix().to_owned()).collect(),
            tuplets: vocabulary.tuplets,
            pitches: (vocabulary.low, vocabulary.high),
            lengths: vocabulary.lengths,
            heard: (vocabulary.heard.0.get(), vocabulary.heard.1.get()),
        }
    }
}

impl TryFrom<Stored> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(stored: Stored) -> Result<Vocabulary, VocabularyError> {
        let damaged = |what: &'static str, found: &dyn std::fmt::Debug| VocabularyError::Damaged {
            what,
            found: format!("{found:?}"),
        };
        let in_order = |what: &'static str, values: &[u32], is_right: &dyn Fn(u32) -> bool| {
            let is_fine = values.is_sorted_by(|a, b| a < b) && values.iter().all(|value| is_right(*value));
            if is_fine { Ok(()) } else { Err(damaged(what, &values)) }
        };
        let meter = |text: &String| match text.parse::<Meter>() {
            Ok(meter) if whole(meter) <= LONGEST => Ok(meter),
            _ => Err(damaged("meters", text)),
        };
        let key = |(fifths, is_minor): &(i8, bool)| {
            let mode = if *is_minor { Mode::Minor } else { Mode::Major };
            Key::new(*fifths, mode).filter(|key| key.transposed(0) == *key).ok_or_else(|| damaged("keys", fifths))
        };
        let quality = |suffix: &String| {
            Quality::all().find(|quality| quality.suffix() == suffix).ok_or_else(|| damaged("chords", suffix))
        };
        let pitch = |number: u8| Pitch::try_from(number).map_err(|_| damaged("heard pitches", &number));
        let meters: Vec<Meter> = stored.meters.iter().map(meter).collect::<Result<_, _>>()?;
        let keys: Vec<Key> = stored.keys.iter().map(key).collect::<Result<_, _>>()?;
        let qualities: Vec<Quality> = stored.chords.iter().map(quality).collect::<Result<_, _>>()?;
        let heard = (pitch(stored.heard.0)?, pitch(stored.heard.1)?);
        for (is_empty, what) in
            [(meters.is_empty(), "meters"), (keys.is_empty(), "keys"), (stored.units.is_empty(), "units")]
        {
            if is_empty {
                return Err(VocabularyError::Empty { what });
            }
        }
        if !meters.is_sorted_by(|a, b| a < b) {
            return Err(damaged("meters", &stored.meters));
        }
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(damaged("keys", &stored.keys));
        }
        if !qualities.is_sorted_by(|a, b| a < b) {
            return Err(damaged("chords", &stored.chords));
        }
        in_order("units", &stored.units, &|unit| UNITS.contains(&unit))?;
        in_order("short bars", &stored.partials, &|steps| {
            (ATOM..=LONGEST).contains(&steps) && steps.is_multiple_of(ATOM)
        })?;
        in_order("lengths", &stored.lengths, &|length| (1..=8 * LONGEST).contains(&length))?;
        in_order("tuplets", &stored.tuplets, &|span| (1..=8 * LONGEST).contains(&span))?;
        if stored.units.iter().any(|unit| !stored.lengths.contains(&(8 * ATOM / unit))) {
            return Err(damaged("lengths", &stored.lengths));
        }
        let (low, high) = stored.pitches;
        if low > high || low < -66 || high > 72 {
            return Err(damaged("pitches", &stored.pitches));
        }
        if heard.0 > heard.1 {
            return Err(damaged("heard pitches", &stored.heard));
        }
        Ok(Vocabulary {
            meters,
            keys,
            units: stored.units,
            partials: stored.partials,
            qualities,
            tuplets: stored.tuplets,
            low,
            high,
            lengths: stored.lengths,
            heard,
        })
    }
}
