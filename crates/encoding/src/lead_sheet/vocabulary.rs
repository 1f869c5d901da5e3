//! The tokens of lead sheets.

use super::sheet::apart;
use super::{GRID, LeadSheet, Tone, beats};
use crate::note_chord::BarKind;
use crate::{TokenId, VocabularyError};
use cantus_score::{Chord, Meter, Pitch, Quality, Score, quantize};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// Which row comes first: the other one is written by whoever knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Chords, then the melody that goes with them.
    ChordsFirst,
    /// A melody, then the chords that go with it.
    MelodyFirst,
}

/// What a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The piece begins.
    Start(Order),
    /// It has such a bar.
    Bar(BarKind),
    /// The chord of the next beat; `None` where none is played.
    Chord(Option<Chord>),
    /// The melody rests.
    Rest,
    /// The melody has this note.
    Pitch(Pitch),
    /// How many steps the rest or the note lasts.
    Length(u16),
}

/// The tokens that a corpus needs, numbered without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    bars: Vec<BarKind>,
    qualities: Vec<Quality>,
    /// Steps, in order; 1 is always there, so that any time can be filled.
    lengths: Vec<u16>,
    low: Pitch,
    high: Pitch,
    /// The range of the corpus itself, before transposition widened it.
    heard: (Pitch, Pitch),
    /// Where the octave of the chords' roots begins.
    register: Pitch,
}

/// A vocabulary as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    bars: Vec<(String, u16)>,
    /// As they stand after a root.
    chords: Vec<String>,
    lengths: Vec<u16>,
    pitches: (u8, u8),
    heard: (u8, u8),
    register: u8,
}

/// Longer bars are unknown, longer notes are cut: steps of four bars of 4/4.
const LONGEST: u16 = 16 * GRID.get() as u16;
/// Of all lengths so many, the most frequent ones.
const MOST_LENGTHS: usize = 64;
/// The register where the corpus has no chords: the roots of block chords under a tune.
const REGISTER: u8 = 43;

impl Vocabulary {
    /// The vocabulary of `scores`, wide enough for each melody to be moved by up to `transposition` semitones within the piano's range.
    ///
    /// # Errors
    /// [`VocabularyError::Empty`] without a melody.
    pub fn build(
        scores: impl IntoIterator<Item = impl Borrow<Score>>,
        transposition: u8,
    ) -> Result<Vocabulary, VocabularyError> {
        let (mut bars, mut qualities) = (BTreeSet::new(), BTreeSet::new());
        let mut lengths: BTreeMap<u16, u64> = BTreeMap::new();
        let mut range: Option<(Pitch, Pitch)> = None;
        let mut basses = [0u64; 128];
        for score in scores {
            let score = score.borrow();
            let sheet = LeadSheet::of(score);
            bars.extend(sheet.bars.iter().filter(|kind| kind.steps <= LONGEST));
            qualities.extend(sheet.chords.iter().flatten().map(|chord| chord.quality()));
            let mut now = 0;
            for Tone { onset, pitch, length } in &sheet.melody {
                for steps in [onset - now, *length].into_iter().filter(|steps| *steps > 0) {
                    *lengths.entry(steps.min(LONGEST.into()) as u16).or_default() += 1;
                }
                now = onset + length;
                range = Some(range.map_or((*pitch, *pitch), |(low, high)| (low.min(*pitch), high.max(*pitch))));
            }
            let (_, others) = apart(&quantize(score, GRID, 0.5).0);
            others.chunk_by(|a, b| a.onset == b.onset).for_each(|chord| basses[usize::from(chord[0].pitch.get())] += 1);
        }
        let Some((low, high)) = range else { return Err(VocabularyError::Empty { what: "melody" }) };
        if bars.is_empty() {
            bars.insert(BarKind { steps: Meter::COMMON.bar(GRID).0 as u16, meter: Meter::COMMON });
        }
        let mut frequent: Vec<(u64, u16)> = lengths.iter().map(|(length, count)| (*count, *length)).collect();
        frequent.sort_unstable_by_key(|(count, length)| (std::cmp::Reverse(*count), *length));
        let lengths: BTreeSet<u16> = frequent.iter().take(MOST_LENGTHS).map(|(_, length)| *length).chain([1]).collect();
        let by = i32::from(transposition);
        let widened = |pitch: Pitch, by: i32, limit: Pitch| {
            let moved = pitch.transposed(by).unwrap_or(limit);
            // A corpus may leave the piano's range; transposition does not.
            if by < 0 { moved.max(limit).min(pitch) } else { moved.min(limit).max(pitch) }
        };
        Ok(Vocabulary {
            bars: bars.into_iter().collect(),
            qualities: qualities.into_iter().collect(),
            lengths: lengths.into_iter().collect(),
            low: widened(low, -by, Pitch::PIANO.0),
            high: widened(high, by, Pitch::PIANO.1),
            heard: (low, high),
            register: register(&basses),
        })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.length_base() as usize + self.lengths.len()
    }

    /// Never: there is always a start.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Kinds of bars, in order.
    pub fn bars(&self) -> &[BarKind] {
        &self.bars
    }

    /// What chords are over their roots, in order.
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// Lengths of notes and rests in steps, in order.
    pub fn known_lengths(&self) -> &[u16] {
        &self.lengths
    }

    /// The lowest and the highest pitch.
    pub fn pitch_range(&self) -> (Pitch, Pitch) {
        (self.low, self.high)
    }

    /// The lowest and the highest pitch of the corpus, where nothing is transposed.
    pub fn heard_range(&self) -> (Pitch, Pitch) {
        self.heard
    }

    /// The metre of the longest of the corpus's kinds of bars; 4/4 where it is among them.
    pub fn usual_meter(&self) -> Meter {
        let is_common = |kind: &&BarKind| kind.meter == Meter::COMMON;
        let usual = self.bars.iter().find(is_common).or(self.bars.iter().max_by_key(|kind| kind.steps));
        usual.map_or(Meter::COMMON, |kind| kind.meter)
    }

    /// Whether these kinds of bars are all known.
    pub fn knows_bars(&self, bars: &[BarKind]) -> bool {
        bars.iter().all(|kind| self.bars[self.bar_index(*kind)] == *kind)
    }

    /// What it holds, for people: the melody's range, chords, metres.
    pub fn describe(&self) -> [(&'static str, String); 3] {
        let (low, high) = self.heard;
        let chords: Vec<String> = self.qualities.iter().map(|quality| format!("C{}", quality.suffix())).collect();
        let meters: BTreeSet<String> = self.bars.iter().map(|kind| kind.meter.to_string()).collect();
        [
            ("melody", format!("{low} to {high}")),
            ("chords", chords.join(" ")),
            ("metres", meters.into_iter().collect::<Vec<String>>().join(" ")),
        ]
    }

    /// Where the octave of the chords' roots begins.
    pub fn register(&self) -> Pitch {
        self.register
    }

    const BARS: u32 = 2;

    fn chord_base(&self) -> u32 {
        Vocabulary::BARS + self.bars.len() as u32
    }

    fn rest(&self) -> u32 {
        self.chord_base() + 1 + 12 * self.qualities.len() as u32
    }

    fn length_base(&self) -> u32 {
        self.rest() + 2 + u32::from(self.high.get() - self.low.get())
    }

    /// The number of a token: of what is unknown that of the nearest known.
    pub fn id(&self, token: Token) -> TokenId {
        TokenId(match token {
            Token::Start(order) => order as u32,
            Token::Bar(kind) => Vocabulary::BARS + self.bar_index(kind) as u32,
            Token::Chord(chord) => {
                let known = chord.and_then(|chord| Some((self.nearest_quality(chord.quality())?, chord.root())));
                let place = known.map_or(0, |(quality, root)| 1 + 12 * quality as u32 + u32::from(root));
                self.chord_base() + place
            }
            Token::Rest => self.rest(),
            Token::Pitch(pitch) => self.rest() + 1 + u32::from(pitch.clamp(self.low, self.high).get() - self.low.get()),
            Token::Length(steps) => {
                let place = self.lengths.partition_point(|length| *length <= steps).saturating_sub(1);
                self.length_base() + place as u32
            }
        })
    }

    /// What a number means.
    pub fn token(&self, id: TokenId) -> Option<Token> {
        let within = |base: u32| id.0.checked_sub(base);
        Some(if let Some(place) = within(self.length_base()) {
            Token::Length(*self.lengths.get(place as usize)?)
        } else if let Some(place) = within(self.rest()) {
            match place {
                0 => Token::Rest,
                place => Token::Pitch(self.low.transposed(place as i32 - 1)?),
            }
        } else if let Some(place) = within(self.chord_base()) {
            let of = |place: u32| Chord::new((place % 12) as u8, self.qualities[place as usize / 12]);
            Token::Chord(place.checked_sub(1).map(of))
        } else if let Some(place) = within(Vocabulary::BARS) {
            Token::Bar(self.bars[place as usize])
        } else {
            Token::Start(if id.0 == 0 { Order::ChordsFirst } else { Order::MelodyFirst })
        })
    }

    /// The token of `other` that says what `token` says; `None` where there is none.
    pub fn in_words_of(&self, other: &Vocabulary, token: TokenId) -> Option<TokenId> {
        let said = self.token(token)?;
        let there = other.id(said);
        (other.token(there) == Some(said)).then_some(there)
    }

    /// The number of the nearest known kind of bar among the kinds: of the same length first.
    pub fn bar_index(&self, kind: BarKind) -> usize {
        let far = |known: &BarKind| (known.steps.abs_diff(kind.steps), known.meter != kind.meter);
        (0..self.bars.len()).min_by_key(|k| far(&self.bars[*k])).unwrap_or(0)
    }

    /// Of the known qualities the one that has most in common with another, by its place; `None` where no piece had a chord.
    fn nearest_quality(&self, quality: Quality) -> Option<usize> {
        let common = |known: Quality| {
            let shared = known.classes().iter().filter(|class| quality.classes().contains(class)).count();
            2 * shared as i32 - known.classes().len() as i32
        };
        // The first of equals is the most usual one.
        (0..self.qualities.len()).rev().max_by_key(|k| common(self.qualities[*k]))
    }

    /// The known chord that is nearest to another.
    pub fn nearest_chord(&self, chord: Chord) -> Option<Chord> {
        self.nearest_quality(chord.quality()).map(|k| Chord::new(chord.root(), self.qualities[k]))
    }

    /// Known lengths, the longest first, that fill so many steps.
    pub fn lengths(&self, mut steps: u32) -> impl Iterator<Item = u16> {
        std::iter::from_fn(move || {
            let place = self.lengths.partition_point(|length| u32::from(*length) <= steps).checked_sub(1)?;
            steps -= u32::from(self.lengths[place]);
            Some(self.lengths[place])
        })
    }

    /// The sheet as the vocabulary says it, and whether that is another: bars, chords, lengths and pitches are the nearest known.
    pub fn canonical(&self, sheet: &LeadSheet) -> (LeadSheet, bool) {
        let bars: Vec<BarKind> = sheet.bars.iter().map(|kind| self.bars[self.bar_index(*kind)]).collect();
        let mut fitted = LeadSheet { bars, ..sheet.clone() };
        if fitted.bars != sheet.bars {
            let end = fitted.end();
            fitted.chords.resize(beats(&fitted.bars).len(), sheet.chords.last().copied().flatten());
            fitted.melody.retain(|tone| tone.onset < end);
            fitted.melody.iter_mut().for_each(|tone| tone.length = tone.length.min(end - tone.onset));
        }
        self.say(&mut fitted);
        let is_adjusted = fitted != *sheet;
        (fitted, is_adjusted)
    }

    /// Makes chords, lengths and pitches the nearest known; bars stay. Whether that changed any.
    pub fn say(&self, sheet: &mut LeadSheet) -> bool {
        let before = sheet.clone();
        sheet.chords.iter_mut().for_each(|chord| *chord = chord.and_then(|chord| self.nearest_chord(chord)));
        for tone in &mut sheet.melody {
            tone.pitch = self.in_range(tone.pitch);
            tone.length = self.lengths(tone.length).next().map_or(1, u32::from);
        }
        *sheet != before
    }

    /// The nearest pitch that is known, octaves away where that is possible.
    fn in_range(&self, pitch: Pitch) -> Pitch {
        let range = self.low..=self.high;
        let octaves = (-10..=10).filter_map(|octave: i32| pitch.transposed(12 * octave));
        let inside =
            || octaves.filter(|moved| range.contains(moved)).min_by_key(|moved| moved.get().abs_diff(pitch.get()));
        if range.contains(&pitch) { pitch } else { inside().unwrap_or(pitch.clamp(self.low, self.high)) }
    }

    /// A token moved by so many semitones.
    pub fn moved(&self, id: TokenId, semitones: i32) -> TokenId {
        match self.token(id) {
            Some(Token::Chord(Some(chord))) => self.id(Token::Chord(Some(chord.transposed(semitones)))),
            // Pitches are numbered in order.
            Some(Token::Pitch(_)) => TokenId(id.0.saturating_add_signed(semitones)),
            _ => id,
        }
    }
}

/// Where the octave begins that holds most of the lowest notes of chords.
fn register(basses: &[u64; 128]) -> Pitch {
    let held = |low: &u8| basses[usize::from(*low)..].iter().take(12).sum::<u64>();
    // Of equals the lowest: the octave begins with a note that is there.
    let best = (0..=108u8).rev().max_by_key(held).filter(|low| held(low) > 0);
    let first = best.map(|low| (low..low + 12).find(|pitch| basses[usize::from(*pitch)] > 0).unwrap_or(low));
    first.and_then(|low| Pitch::try_from(low.min(96)).ok()).unwrap_or(Pitch::try_from(REGISTER).unwrap_or(Pitch::C4))
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Stored {
        Stored {
            bars: vocabulary.bars.iter().map(|kind| (kind.meter.to_string(), kind.steps)).collect(),
            chords: vocabulary.qualities.iter().map(|quality| quality.suffix().to_owned()).collect(),
            lengths: vocabulary.lengths,
            pitches: (vocabulary.low.get(), vocabulary.high.get()),
            heard: (vocabulary.heard.0.get(), vocabulary.heard.1.get()),
            register: vocabulary.register.get(),
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
        let pitch = |number: u8| Pitch::try_from(number).map_err(|_| damaged("pitches", &number));
        let bar = |(meter, steps): &(String, u16)| match meter.parse() {
            Ok(meter) if (1..=LONGEST).contains(steps) => Ok(BarKind { steps: *steps, meter }),
            _ => Err(damaged("bars", &(meter, steps))),
        };
        let quality = |suffix: &String| {
            Quality::all().find(|quality| quality.suffix() == suffix).ok_or_else(|| damaged("chords", suffix))
        };
        let bars: Vec<BarKind> = stored.bars.iter().map(bar).collect::<Result<_, _>>()?;
        let qualities: Vec<Quality> = stored.chords.iter().map(quality).collect::<Result<_, _>>()?;
        let (low, high) = (pitch(stored.pitches.0)?, pitch(stored.pitches.1)?);
        let heard = (pitch(stored.heard.0)?, pitch(stored.heard.1)?);
        if bars.is_empty() {
            return Err(VocabularyError::Empty { what: "bars" });
        }
        if !bars.is_sorted_by(|a, b| a < b) {
            return Err(damaged("bars", &stored.bars));
        }
        if !qualities.is_sorted_by(|a, b| a < b) {
            return Err(damaged("chords", &stored.chords));
        }
        let lengths = stored.lengths;
        if lengths.first() != Some(&1) || !lengths.is_sorted_by(|a, b| a < b) || lengths.last() > Some(&LONGEST) {
            return Err(damaged("lengths", &lengths));
        }
        if low > heard.0 || heard.0 > heard.1 || heard.1 > high {
            return Err(damaged("pitches", &(stored.pitches, stored.heard)));
        }
        if stored.register > 96 {
            return Err(damaged("register", &stored.register));
        }
        Ok(Vocabulary { bars, qualities, lengths, low, high, heard, register: pitch(stored.register)? })
    }
}
