//! A place in a stream of notes and steps, and what the network is told of it.

use super::Stream;
use cantus_encoding::TokenId;
use cantus_encoding::note_stream::{Cursor, Token, WORDS};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_model::tokens::Place;
use cantus_score::{Score, Ticks, TicksPerQuarter};
use serde::{Deserialize, Serialize};

/// Parts of a step in which bars are counted: bars of every metre are a whole number of them.
const FINE: u32 = 16;
/// Steps of a bar that are told from one another, and lengths of bars.
const PLACES: usize = 97;
/// Steps since the beginning are told by what is left when this divides them.
const PERIOD: usize = 48;
/// Notes that are counted.
const COUNTED: usize = 9;
/// Ages of a note that sounds: each for itself, then 17-24, 25-32, 33-48, and more.
const AGES: usize = 20;
/// No age is told from this one on.
const OLDEST: u8 = 49;

/// How many values each thing has that is told: the place in the bar, the length of the bar, the place in the piece, how many notes are said; the key
/// that may be held next, for how long it has been sounding, how many may be held after it, and how many have not been.
pub(super) const SIZES: [usize; 8] = [PLACES, PLACES, PERIOD, COUNTED, Keys::COUNT + 1, AGES + 1, COUNTED, COUNTED];
/// What is said of the step, what sounded in the step before and what of it was struck, what sounded before that.
pub(super) const MARKS: usize = 4 * Keys::COUNT;

/// In which bars a piece stands, in parts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clock {
    /// The length of a bar.
    pub bar: u32,
    /// What is over of it when the piece begins.
    pub over: u32,
}

impl Clock {
    /// Those in which a piece begins, whose ticks are steps; later metres are not told.
    pub fn of(piece: &Score) -> Clock {
        let fine =
            TicksPerQuarter::new(piece.ticks_per_quarter.get().saturating_mul(FINE)).unwrap_or(piece.ticks_per_quarter);
        let upbeat = piece.upbeat();
        let meter = upbeat.map_or_else(
            || piece.meters.first().map_or_else(Default::default, |(_, meter)| *meter),
            |(_, meter)| meter,
        );
        let bar = u32::try_from(meter.bar(fine).0).unwrap_or(u32::MAX).clamp(1, u32::MAX / 2);
        let before = upbeat.map_or(0, |(length, _)| u32::try_from(length.0).unwrap_or(u32::MAX).saturating_mul(FINE));
        Clock { bar, over: (bar - before.min(bar)) % bar }
    }

    /// The same bars, of which one begins at a step.
    pub fn beginning_at(self, step: usize) -> Clock {
        let by = (step as u64 * u64::from(FINE) % u64::from(self.bar)) as u32;
        Clock { over: (self.bar - by) % self.bar, ..self }
    }

    pub fn is_sound(&self) -> bool {
        (1..=u32::MAX / 2).contains(&self.bar) && self.over < self.bar
    }

    /// The step of the bar at a step of the piece.
    fn place(self, step: usize) -> usize {
        let at = u64::from(self.over) + step as u64 * u64::from(FINE);
        (at % u64::from(self.bar)) as usize / FINE as usize
    }
}

/// A place in a piece.
#[derive(Clone)]
pub(super) struct Spot<'g> {
    grammar: &'g Stream,
    pub cursor: Cursor,
    pub clock: Clock,
    /// For how many steps each key has been sounding at the end of the step before; 0 where it does not.
    ages: [u8; Keys::COUNT],
}

impl<'g> Spot<'g> {
    pub fn new(grammar: &'g Stream) -> Spot<'g> {
        Spot { grammar, cursor: Cursor::default(), clock: grammar.usual_clock(), ages: [0; Keys::COUNT] }
    }

    fn age(&mut self, frame: Frame) {
        for (k, age) in self.ages.iter_mut().enumerate() {
            let is = |keys: Keys| keys.bits() >> k & 1 == 1;
            *age = match (is(frame.struck), is(frame.held)) {
                (true, _) => 1,
                (false, true) => OLDEST.min(*age + 1),
                (false, false) => 0,
            };
        }
    }

    fn class(age: u8) -> u32 {
        match age {
            0..=16 => age.into(),
            17..=24 => 17,
            25..=32 => 18,
            33..=48 => 19,
            _ => 20,
        }
    }
}

impl Place for Spot<'_> {
    fn read(&mut self, token: TokenId) {
        if token.index() >= WORDS {
            (self.cursor, self.ages) = (Cursor::default(), [0; Keys::COUNT]);
            self.clock = self.grammar.clock_of(token).unwrap_or(self.clock);
            return;
        }
        let Some(token) = Token::of(token) else { return };
        if token == Token::Step {
            self.age(self.cursor.frame());
        }
        self.cursor.advance(token);
    }

    fn at(&self, last: TokenId) -> (Ticks, TicksPerQuarter) {
        let is_over = Token::of(last) == Some(Token::Step);
        let step = self.cursor.steps().saturating_sub(usize::from(is_over));
        (Ticks(step as u64), self.grammar.roll.grid())
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        let (cursor, counted) = (&self.cursor, |count: usize| count.min(COUNTED - 1) as u32);
        let (holdable, below) = (cursor.holdable(), cursor.below());
        let next = (holdable & below).iter().next_back();
        let passed = holdable - below - cursor.frame().held;
        known.extend([
            self.clock.place(cursor.steps()).min(PLACES - 1) as u32,
            (self.clock.bar / FINE).min(PLACES as u32 - 1),
            (cursor.steps() % PERIOD) as u32,
            counted(cursor.frame().sounding().len()),
            next.map_or(Keys::COUNT, |key| key.index()) as u32,
            next.map_or(0, |key| Spot::class(self.ages[key.index()])),
            counted((holdable & below).len()),
            counted(passed.len()),
        ]);
    }

    fn marks(&self, row: &mut [f32]) {
        let [last, before] = self.cursor.before();
        let sets = [self.cursor.frame().sounding(), last.sounding(), last.struck, before.sounding()];
        row.chunks_exact_mut(Keys::COUNT).zip(sets).for_each(|(row, keys)| keys.write(row));
    }

    /// Where only what sounds is known, a key that may be held is not struck.
    fn forbid(&self, logits: &mut [f32]) {
        let (below, holdable) = (self.cursor.below(), self.cursor.holdable());
        let strikable = if self.grammar.knows_strokes() { below } else { below - holdable };
        let holdable = below & holdable;
        for (id, logit) in (0..).zip(logits) {
            let may = match Token::of(TokenId(id)) {
                Some(Token::Step) => true,
                Some(Token::Strike(key)) => strikable.contains(key),
                Some(Token::Hold(key)) => holdable.contains(key),
                Some(Token::Start) | None => false,
            };
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}
