//! A place in a tune, and what the network is told of it: where it stands in bar, section and tune, and what stood at earlier places that
//! resemble it.

use super::past::Past;
use cantus_encoding::TokenId;
use cantus_encoding::abc_tune::{Cursor, GRID, Kind, Token, Vocabulary, home};
use cantus_model::tokens;
use cantus_score::{Chord, Ticks, TicksPerQuarter};

/// Steps of a bar that are told from one another, and steps that are left of it, in 32nds.
const STEPS: usize = 193;
const LEFT: usize = 65;
/// Bars of a section, and bars that are left, that are told from one another.
const BARS: usize = 34;
/// Sections that are told from one another.
const SECTIONS: usize = 4;
/// What is expected.
const EXPECTED: usize = 10;
/// Bars ago at which is looked.
const LAGS: [usize; 4] = [1, 2, 4, 8];

/// What kind of thing is told.
#[derive(Clone, Copy)]
enum Told {
    /// One of so many values.
    Value(usize),
    Meter,
    Key,
    /// A token, or none.
    Token,
}

/// The things that are told, in order.
fn told() -> Vec<Told> {
    use Told::{Key, Meter, Token, Value};
    let mut told = vec![Value(EXPECTED), Value(STEPS), Value(LEFT), Meter, Key, Value(4)];
    // Kind and number of the section, bars within, bars left from its beginning, bars left if it ends with this bar.
    told.extend([Value(5 * SECTIONS), Value(BARS), Value(BARS), Value(BARS)]);
    // The chord, the last two notes, the last one over the chord, the last length, the tuplet.
    told.extend([Token, Token, Token, Value(14), Token, Value(8)]);
    // What stood at the likest places, and how alike they are.
    told.extend([Token, Value(Past::CLASSES), Token, Value(Past::CLASSES)]);
    // What stood so many bars ago, and in this bar of the section before.
    told.extend([Token; LAGS.len() + 1]);
    told
}

/// How many values each of them has.
pub(super) fn sizes(vocabulary: &Vocabulary) -> Vec<usize> {
    let size = |told: Told| match told {
        Told::Value(size) => size,
        Told::Meter => vocabulary.meters().len(),
        Told::Key => vocabulary.keys().len(),
        Told::Token => vocabulary.len() + 1,
    };
    told().into_iter().map(size).collect()
}

/// What a value of one of them is in the words of another vocabulary; `None` where that has none for it.
pub(super) fn value_of(vocabulary: &Vocabulary, other: &Vocabulary, context: usize, value: u32) -> Option<u32> {
    let place = |found: Option<usize>| found.map(|place| place as u32);
    match told().get(context)? {
        Told::Value(_) => Some(value),
        Told::Meter => {
            let meter = vocabulary.meters().get(value as usize)?;
            place(other.meters().iter().position(|known| known == meter))
        }
        Told::Key => {
            let key = vocabulary.keys().get(value as usize)?;
            place(other.keys().iter().position(|known| known == key))
        }
        Told::Token if value as usize == vocabulary.len() => Some(other.len() as u32),
        Told::Token => vocabulary.in_words_of(other, TokenId(value)).map(|token| token.0),
    }
}

/// How long all of it is that tokens say, in steps, as it is played.
pub(super) fn length(vocabulary: &Vocabulary, tokens: &[TokenId]) -> u32 {
    let mut cursor = Cursor::new(vocabulary);
    tokens.iter().filter_map(|id| vocabulary.token(*id)).for_each(|token| cursor.advance(token));
    cursor.end()
}

/// A place in a tune.
#[derive(Clone)]
pub(super) struct Spot<'v> {
    vocabulary: &'v Vocabulary,
    pub cursor: Cursor<'v>,
    past: Past,
    /// How long all of it is to be, in steps, as it is played.
    total: u32,
    /// The last two notes, and the last length that was said since the last note.
    notes: [Option<TokenId>; 2],
    length: Option<TokenId>,
    /// The first bars of the sections so far.
    sections: Vec<usize>,
}

impl<'v> Spot<'v> {
    pub(super) fn new(vocabulary: &'v Vocabulary, cursor: Cursor<'v>, total: u32) -> Spot<'v> {
        let past = Past::default();
        Spot { vocabulary, cursor, past, total, notes: [None; 2], length: None, sections: Vec::new() }
    }

    /// The same place in a tune of another length.
    pub(super) fn lasting(self, total: u32) -> Spot<'v> {
        Spot { total, ..self }
    }

    /// Where in the bar the next token stands; places with different numbers are different.
    fn place(&self) -> u32 {
        let now = self.cursor.now();
        4 * now.at + 2 * u32::from(now.said.is_some()) + u32::from(now.is_fresh())
    }

    fn id(&self, token: Option<TokenId>) -> u32 {
        token.map_or(self.vocabulary.len() as u32, |token| token.0)
    }

    /// A number of bars, of steps; more are told in eights.
    fn bars(&self, steps: i64) -> u32 {
        let whole = self.cursor.now().meter.bar(GRID).0.max(1) as i64;
        match (steps + whole - 1).div_euclid(whole) {
            bars if bars < 0 => 0,
            bars if bars <= 24 => 1 + bars as u32,
            bars => (22 + bars / 8).min(BARS as i64 - 1) as u32,
        }
    }

    fn tell_clock(&self, known: &mut Vec<u32>) {
        let now = self.cursor.now();
        let expected = match now.header() {
            Some(place) => place,
            None if now.is_between() => 4,
            None if now.is_fresh() => 5,
            None if now.said.is_some() => 6,
            None if now.left() == 0 => 7,
            None if now.goes_on.is_some() => 8,
            None => 9,
        };
        let place = |found: Option<usize>| found.unwrap_or(0) as u32;
        known.extend([
            expected as u32,
            now.at.min(STEPS as u32 - 1),
            (now.left() / 3).min(LEFT as u32 - 1),
            place(self.vocabulary.meters().iter().position(|meter| *meter == now.meter)),
            place(self.vocabulary.keys().iter().position(|key| *key == now.key)),
            place(self.vocabulary.units().iter().position(|unit| *unit == now.unit)).min(3),
        ]);
        let section = &now.section;
        let kind = match section.kind {
            Kind::Plain => 0,
            Kind::Repeated => 1,
            Kind::First => 2,
            Kind::Second => 3,
        };
        let total = i64::from(self.total);
        known.extend([
            (kind * SECTIONS + section.number.min(SECTIONS - 1)) as u32,
            section.bars.min(BARS - 1) as u32,
            self.bars(total - i64::from(section.from)),
            self.bars(total - i64::from(self.cursor.end())),
        ]);
    }

    fn tell_row(&self, known: &mut Vec<u32>) {
        let now = self.cursor.now();
        let relative = |chord: Option<Chord>| chord.map(|chord| chord.transposed(-home(now.key)));
        let chord = now.chord.map(|chord| self.vocabulary.id(Token::Chord(relative(chord))));
        let over = match (now.chord, self.notes[0].and_then(|note| self.vocabulary.token(note))) {
            (Some(Some(chord)), Some(Token::Note(over))) => {
                let class = (home(now.key) + i32::from(over) - i32::from(chord.root())).rem_euclid(12);
                1 + class as u32
            }
            (Some(None), _) => 13,
            _ => 0,
        };
        known.extend([self.id(chord), self.id(self.notes[0]), self.id(self.notes[1]), over, self.id(self.length)]);
        known.push(now.tuplet.map_or(0, |(span, left)| 1 + (6 * left / span).min(6)));
    }

    fn tell_past(&self, known: &mut Vec<u32>) {
        let place = self.place();
        for found in self.past.likest(place) {
            known.extend([self.id(found.map(|(token, _)| token)), found.map_or(0, |(_, class)| class)]);
        }
        let bar = self.cursor.bars().len().checked_sub(1);
        for lag in LAGS {
            known.push(self.id(self.past.in_bar(bar.and_then(|bar| bar.checked_sub(lag)), place)));
        }
        // An ending goes on counting where the body ended.
        let here = self.sections.last().zip(bar).map(|(first, bar)| bar - first.min(&bar));
        let before = self.sections.len().checked_sub(2).map(|k| (self.sections[k], self.sections[k + 1]));
        let same = before.zip(here).map(|((from, to), here)| (from + here, to)).filter(|(bar, to)| bar < to);
        known.push(self.id(self.past.in_bar(same.map(|(bar, _)| bar), place)));
    }
}

impl tokens::Place for Spot<'_> {
    fn read(&mut self, token: TokenId) {
        let Some(said) = self.vocabulary.token(token) else { return };
        self.past.note(token, self.place());
        let bars = self.cursor.bars().len();
        self.cursor.advance(said);
        if self.cursor.bars().len() > bars {
            self.past.begin_bar();
        }
        let section = &self.cursor.now().section;
        if self.sections.len() <= section.number && !self.cursor.bars().is_empty() {
            self.sections.push(section.first);
        }
        match said {
            Token::Note(_) => {
                self.notes = [Some(token), self.notes[0]];
                self.length = None;
            }
            Token::Rest => self.length = None,
            Token::Length(_) => self.length = Some(token),
            _ => {}
        }
    }

    fn at(&self, _last: TokenId) -> (Ticks, TicksPerQuarter) {
        let now = self.cursor.now();
        let within = now.at.min(now.steps.saturating_sub(1));
        let at = if self.cursor.bars().is_empty() || now.is_over() { 0 } else { self.cursor.bar_start() + within };
        (Ticks(at.into()), GRID)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        self.tell_clock(known);
        self.tell_row(known);
        self.tell_past(known);
    }

    fn forbid(&self, logits: &mut [f32]) {
        for (number, logit) in (0..).zip(logits) {
            if !self.vocabulary.token(TokenId(number)).is_some_and(|token| self.cursor.permits(token)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}
