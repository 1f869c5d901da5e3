//! A place in a lead sheet, and what the network is told of it: the clock, what the other row has here and next, and what stood at those
//! earlier places of the same row that resemble this one most.

use super::likeness::{Candidate, Likeness};
use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::{Beat, Cursor, Expected, GRID, Order, Token, Vocabulary};
use cantus_encoding::note_chord::BarKind;
use cantus_model::tokens;
use cantus_score::{Chord, Ticks, TicksPerQuarter};

/// Steps of a bar that are told from one another.
const STEPS: usize = 192;
/// Bars left are told exactly up to 16, then in eights.
const LEFT: usize = 20;
/// Bars are counted in groups of so many, groups up to so many.
const PHRASE: usize = 8;
const PHRASES: usize = 6;
/// Beats to the next chord.
const UNTIL: usize = 9;
/// What is expected, in either order.
const EXPECTED: usize = 10;
/// Pitch classes of the melody that a chord is told: of its own beat and of the next.
const HEARD: [usize; 2] = [4, 2];
/// Bars ago at which is looked.
const LAGS: [usize; 3] = [1, 2, 4];

/// What kind of thing is told.
#[derive(Clone, Copy)]
enum Told {
    /// One of so many values.
    Value(usize),
    /// A kind of bar.
    Bar,
    /// A token, or none.
    Token,
}

/// The things that are told, in order.
fn told() -> Vec<Told> {
    use Told::{Bar, Token, Value};
    let mut told = vec![Value(EXPECTED), Value(STEPS + 1), Bar, Value(LEFT), Value(PHRASE), Value(PHRASES)];
    // The chord here, the next, the one after this one, how long it holds, what the last pitch is in it.
    told.extend([Token, Token, Token, Value(UNTIL), Value(14)]);
    // Earlier tokens of the row.
    told.extend([Token, Token]);
    // Classes of the melody, and whether the first begins with the beat.
    told.extend([Value(13); HEARD[0] + HEARD[1]]);
    told.push(Value(3));
    // Candidates: token, likeness behind, likeness ahead.
    told.extend([Token, Value(Likeness::BEHIND), Value(Likeness::AHEAD)].repeat(2));
    told.extend([Token, Value(Likeness::BEHIND)]);
    told.extend([Token; LAGS.len()]);
    told
}

/// How many values each of them has.
pub(super) fn sizes(vocabulary: &Vocabulary) -> Vec<usize> {
    let size = |told: Told| match told {
        Told::Value(size) => size,
        Told::Bar => vocabulary.bars().len(),
        Told::Token => vocabulary.len() + 1,
    };
    told().into_iter().map(size).collect()
}

/// What a value of one of them is in the words of another vocabulary; `None` where that has none for it.
pub(super) fn value_of(vocabulary: &Vocabulary, other: &Vocabulary, context: usize, value: u32) -> Option<u32> {
    match told().get(context)? {
        Told::Value(_) => Some(value),
        Told::Bar => {
            let kind = vocabulary.bars().get(value as usize)?;
            Some(other.bars().iter().position(|known| known == kind)? as u32)
        }
        Told::Token if value as usize == vocabulary.len() => Some(other.len() as u32),
        Told::Token => vocabulary.in_words_of(other, TokenId(value)).map(|token| token.0),
    }
}

/// A place in a lead sheet.
#[derive(Clone)]
pub(super) struct Spot<'v> {
    vocabulary: &'v Vocabulary,
    pub cursor: Cursor<'v>,
    likeness: Likeness,
    /// The bar's number, where it begins, and the beat's number, of what comes next.
    bar: usize,
    bar_start: u32,
    beat: usize,
}

impl<'v> Spot<'v> {
    pub(super) fn new(vocabulary: &'v Vocabulary) -> Spot<'v> {
        Spot::on(vocabulary, Cursor::new(vocabulary))
    }

    /// In a piece of these bars.
    pub(super) fn within(vocabulary: &'v Vocabulary, bars: Vec<BarKind>) -> Spot<'v> {
        Spot::on(vocabulary, Cursor::within(vocabulary, bars))
    }

    fn on(vocabulary: &'v Vocabulary, cursor: Cursor<'v>) -> Spot<'v> {
        Spot { vocabulary, cursor, likeness: Likeness::default(), bar: 0, bar_start: 0, beat: 0 }
    }

    /// Whether chords are what comes next.
    fn writes_chords(&self) -> bool {
        self.cursor.expected() == Expected::Chord
    }

    /// When what comes next begins.
    fn now(&self) -> u32 {
        match self.cursor.expected() {
            Expected::Chord => self.cursor.beats().get(self.cursor.chords().len()).map_or(0, |beat| beat.at),
            _ => self.cursor.now(),
        }
    }

    /// Moves bar and beat on to what comes next, in the second row from the beginning.
    fn follow(&mut self) {
        let now = self.now();
        let (bars, beats) = (self.cursor.bars(), self.cursor.beats());
        let is_past =
            self.beat.checked_sub(1).and_then(|last| beats.get(last)).is_some_and(|beat| beat.at + beat.length > now);
        if now < self.bar_start || is_past {
            (self.bar, self.bar_start, self.beat) = (0, 0, 0);
        }
        while let Some(kind) = bars.get(self.bar).filter(|kind| self.bar_start + u32::from(kind.steps) <= now) {
            self.bar_start += u32::from(kind.steps);
            self.bar += 1;
        }
        while beats.get(self.beat).is_some_and(|beat| beat.at + beat.length <= now) {
            self.beat += 1;
        }
    }

    fn chord_id(&self, chord: Option<Option<Chord>>) -> u32 {
        chord.map_or(self.vocabulary.len() as u32, |chord| self.vocabulary.id(Token::Chord(chord)).0)
    }

    fn id(&self, token: Option<Token>) -> u32 {
        token.map_or(self.vocabulary.len() as u32, |token| self.vocabulary.id(token).0)
    }

    /// The token of a note or a rest.
    fn sound(pitch: Option<cantus_score::Pitch>) -> Token {
        pitch.map_or(Token::Rest, Token::Pitch)
    }

    fn tell_clock(&self, known: &mut Vec<u32>) {
        let expected = match self.cursor.expected() {
            Expected::Start | Expected::Nothing => 0,
            Expected::Bar => 1,
            Expected::Chord => 2,
            Expected::Pitch => 3,
            Expected::Length(_) => 4,
        };
        let second_order = usize::from(self.cursor.order() == Some(Order::MelodyFirst));
        let laid = !self.cursor.beats().is_empty();
        let here = if laid { self.cursor.bars().get(self.bar) } else { self.cursor.bars().last() };
        let left = if laid { self.cursor.bars().len().saturating_sub(self.bar + 1) } else { LEFT * PHRASE };
        let left = if left < 16 { left } else { (14 + left / 8).min(LEFT - 1) };
        let count = if laid { self.bar } else { self.cursor.bars().len() };
        // An upbeat is no bar of a phrase.
        let bars = self.cursor.bars();
        let has_upbeat = matches!(bars, [first, second, ..] if first.steps < second.steps);
        let number = (count + PHRASE - usize::from(has_upbeat)) % (PHRASE * 64);
        let within = if laid { (self.now() - self.bar_start) as usize + 1 } else { 0 };
        known.extend(
            [
                2 * expected + second_order,
                within.min(STEPS),
                here.map_or(0, |kind| self.vocabulary.bar_index(*kind)),
                left,
                number % PHRASE,
                (number / PHRASE).min(PHRASES - 1),
            ]
            .map(|value| value as u32),
        );
    }

    /// What the chords are, where they come first; what they were, where they are written.
    fn tell_chords(&self, known: &mut Vec<u32>) {
        let chords = self.cursor.chords();
        if self.writes_chords() {
            // How long the last one has held, and the one before it.
            let last = chords.last();
            let held = chords.iter().rev().take_while(|chord| Some(*chord) == last).count();
            let before = chords.len().checked_sub(held + 1).map(|k| chords[k]);
            known.extend([
                self.chord_id(None),
                self.chord_id(None),
                self.chord_id(before),
                held.min(UNTIL - 1) as u32,
                0,
            ]);
            return;
        }
        let here = chords.get(self.beat).copied();
        let held = chords.get(self.beat..).unwrap_or_default().iter().take_while(|chord| Some(**chord) == here).count();
        let relation = match (self.cursor.events().last(), self.cursor.expected(), here) {
            (_, Expected::Length(Some(pitch)), Some(Some(chord))) => {
                2 + u32::from((pitch.class() + 12 - chord.root()) % 12)
            }
            (Some((_, Some(pitch), _)), Expected::Pitch, Some(Some(chord))) => {
                2 + u32::from((pitch.class() + 12 - chord.root()) % 12)
            }
            _ => 1,
        };
        known.extend([
            self.chord_id(here),
            self.chord_id(chords.get(self.beat + 1).copied()),
            self.chord_id(chords.get(self.beat + held).copied()),
            held.min(UNTIL - 1) as u32,
            relation,
        ]);
    }

    /// The notes before the last token.
    fn tell_row(&self, known: &mut Vec<u32>) {
        let events = self.cursor.events();
        let back = |k: usize| events.len().checked_sub(k).map(|k| events[k]);
        let ids = match self.cursor.expected() {
            Expected::Pitch => [back(1), back(2)].map(|event| self.id(event.map(|(_, pitch, _)| Spot::sound(pitch)))),
            Expected::Length(_) => [
                self.id(back(1).map(|(_, _, length)| Token::Length(length.try_into().unwrap_or(u16::MAX)))),
                self.id(back(1).map(|(_, pitch, _)| Spot::sound(pitch))),
            ],
            _ => [self.id(None); 2],
        };
        known.extend(ids);
    }

    /// What the melody has in a chord's beat and in the next one: pitch classes in order of time.
    fn tell_melody(&self, known: &mut Vec<u32>) {
        let is_given = self.writes_chords() && self.cursor.order() == Some(Order::MelodyFirst);
        let events = self.cursor.events();
        let mut begins = 0;
        for (ahead, most) in HEARD.into_iter().enumerate() {
            let mut classes: Vec<u32> = Vec::with_capacity(most);
            if let Some(Beat { at, length, .. }) = self.cursor.beats().get(self.beat + ahead).filter(|_| is_given) {
                let first = events.partition_point(|(onset, _, length)| onset + length <= *at);
                for (onset, pitch, _) in events[first..].iter().take_while(|(onset, ..)| *onset < at + length) {
                    if ahead == 0 && classes.is_empty() {
                        begins = 1 + u32::from(onset == at);
                    }
                    let class = pitch.map(|pitch| u32::from(pitch.class()));
                    if let Some(class) = class.filter(|class| classes.len() < most && !classes.contains(class)) {
                        classes.push(class);
                    }
                }
            }
            classes.resize(most, 12);
            known.extend(classes);
        }
        known.push(begins);
    }

    /// What stood at earlier places that resemble this one, and so many bars ago.
    fn tell_past(&self, known: &mut Vec<u32>) {
        let none = Candidate { token: None, behind: 0, ahead: 0 };
        let candidates = self.likeness.candidates(&self.cursor, self.beat, self.now() - self.bar_start);
        for k in 0..2 {
            let Candidate { token, behind, ahead } = candidates.get(k).copied().unwrap_or(none);
            known.extend([self.id(token), behind, ahead]);
        }
        let (token, behind) = self.likeness.moved(&self.cursor);
        known.extend([self.id(token), behind]);
        for lag in LAGS {
            known.push(self.id(self.likeness.ago(&self.cursor, lag, self.bar, self.now() - self.bar_start)));
        }
    }
}

impl tokens::Place for Spot<'_> {
    fn read(&mut self, token: TokenId) {
        let Some(token) = self.vocabulary.token(token) else { return };
        self.cursor.advance(token);
        self.follow();
        self.likeness.note(&self.cursor, token, self.bar_start);
    }

    fn at(&self, last: TokenId) -> (Ticks, TicksPerQuarter) {
        let at = match self.vocabulary.token(last) {
            Some(Token::Bar(kind)) => {
                let end: u32 = self.cursor.bars().iter().map(|kind| u32::from(kind.steps)).sum();
                end.saturating_sub(kind.steps.into())
            }
            Some(Token::Chord(_)) => {
                let last = self.cursor.chords().len().saturating_sub(1);
                self.cursor.beats().get(last).map_or(0, |beat| beat.at)
            }
            Some(Token::Length(_)) => self.cursor.events().last().map_or(0, |(onset, ..)| *onset),
            _ => self.cursor.now(),
        };
        (Ticks(at.into()), GRID)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        self.tell_clock(known);
        self.tell_chords(known);
        self.tell_row(known);
        self.tell_melody(known);
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
