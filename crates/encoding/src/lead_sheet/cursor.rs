//! A place in a lead sheet, token by token: what is there already, and what may follow.

use super::{Beat, LeadSheet, Order, Token, Tone, Vocabulary, beats};
use crate::note_chord::BarKind;
use cantus_score::{Chord, Pitch};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A start.
    Start,
    /// A bar, or the first row once there is one.
    Bar,
    /// The chord of a beat.
    Chord,
    /// A note or a rest of the melody.
    Pitch,
    /// How long it lasts: `None` is a rest.
    Length(Option<Pitch>),
    /// Nothing: all is said.
    Nothing,
}

/// A note or a rest: when it begins, its pitch, its length in steps.
type Event = (u32, Option<Pitch>, u32);

/// A place in a piece that is being read or written.
#[derive(Clone, Debug)]
pub struct Cursor<'v> {
    vocabulary: &'v Vocabulary,
    order: Option<Order>,
    /// The bars that a piece has, where they are known before they are said: the nearest known ones are said.
    given: Option<Vec<BarKind>>,
    bars: Vec<BarKind>,
    /// Known once a row has begun.
    beats: Vec<Beat>,
    end: u32,
    chords: Vec<Option<Chord>>,
    events: Vec<Event>,
    /// What was said to sound, before its length is.
    pending: Option<Option<Pitch>>,
    now: u32,
}

impl<'v> Cursor<'v> {
    /// Before the first token.
    pub fn new(vocabulary: &'v Vocabulary) -> Cursor<'v> {
        Cursor {
            vocabulary,
            order: None,
            given: None,
            bars: Vec::new(),
            beats: Vec::new(),
            end: 0,
            chords: Vec::new(),
            events: Vec::new(),
            pending: None,
            now: 0,
        }
    }

    /// The same for a piece of these bars.
    pub fn within(vocabulary: &'v Vocabulary, bars: Vec<BarKind>) -> Cursor<'v> {
        Cursor { given: Some(bars), ..Cursor::new(vocabulary) }
    }

    /// Which row comes first; `None` before the start.
    pub fn order(&self) -> Option<Order> {
        self.order
    }

    /// The bars so far.
    pub fn bars(&self) -> &[BarKind] {
        &self.bars
    }

    /// The beats; none before a row has begun.
    pub fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// The chords so far, a beat each.
    pub fn chords(&self) -> &[Option<Chord>] {
        &self.chords
    }

    /// Notes and rests so far: when each begins, its pitch, its length.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Up to where the melody is said, in steps.
    pub fn now(&self) -> u32 {
        self.now
    }

    /// When the last bar ends, in steps; 0 before a row has begun.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What comes next.
    pub fn expected(&self) -> Expected {
        let Some(order) = self.order else { return Expected::Start };
        if self.beats.is_empty() {
            return Expected::Bar;
        }
        let chord = (self.chords.len() < self.beats.len()).then_some(Expected::Chord);
        let melody = match self.pending {
            Some(pitch) => Some(Expected::Length(pitch)),
            None => (self.now < self.end).then_some(Expected::Pitch),
        };
        match order {
            Order::ChordsFirst => chord.or(melody),
            Order::MelodyFirst => melody.or(chord),
        }
        .unwrap_or(Expected::Nothing)
    }

    /// Whether a token may come next.
    pub fn permits(&self, token: Token) -> bool {
        match (self.expected(), token) {
            (Expected::Start, Token::Start(_)) | (Expected::Bar, Token::Bar(_)) => true,
            (Expected::Bar, Token::Chord(_)) => self.order == Some(Order::ChordsFirst) && !self.bars.is_empty(),
            (Expected::Bar, Token::Rest | Token::Pitch(_)) => {
                self.order == Some(Order::MelodyFirst) && !self.bars.is_empty()
            }
            (Expected::Chord, Token::Chord(_)) | (Expected::Pitch, Token::Pitch(_)) => true,
            (Expected::Pitch, Token::Rest) => {
                self.vocabulary.known_lengths().iter().any(|length| self.may_rest(*length))
            }
            (Expected::Length(Some(_)), Token::Length(steps)) => self.now + u32::from(steps) <= self.end,
            (Expected::Length(None), Token::Length(steps)) => self.may_rest(steps),
            _ => false,
        }
    }

    /// Whether a rest may last so long: one that goes on with others is said as whoever says all of it, the longest lengths first.
    fn may_rest(&self, steps: u16) -> bool {
        let lengths = self.vocabulary.known_lengths();
        let mut sum = u32::from(steps);
        let mut rests = self.events.iter().rev().map_while(|(_, pitch, length)| pitch.is_none().then_some(*length));
        let is_next = |rest: u32| {
            sum += rest;
            let longer = lengths.get(lengths.partition_point(|length| u32::from(*length) <= rest));
            longer.is_none_or(|longer| u32::from(*longer) > sum)
        };
        self.now + u32::from(steps) <= self.end && rests.all(is_next)
    }

    /// Takes the next token, one that is permitted.
    pub fn advance(&mut self, token: Token) {
        if self.beats.is_empty() && matches!(token, Token::Chord(_) | Token::Rest | Token::Pitch(_)) {
            self.beats = beats(&self.bars);
            self.end = self.bars.iter().map(|kind| u32::from(kind.steps)).sum();
        }
        match token {
            Token::Start(order) => self.order = Some(order),
            Token::Bar(kind) => {
                let given = self.given.as_ref().and_then(|given| given.get(self.bars.len()));
                self.bars.push(given.copied().unwrap_or(kind));
            }
            Token::Chord(chord) => self.chords.push(chord),
            Token::Rest => self.pending = Some(None),
            Token::Pitch(pitch) => self.pending = Some(Some(pitch)),
            Token::Length(steps) => {
                let pitch = self.pending.take().flatten();
                self.events.push((self.now, pitch, steps.into()));
                self.now += u32::from(steps);
            }
        }
    }

    /// What is said so far as a lead sheet: beats of which nothing is said have no chord.
    pub fn sheet(&self) -> LeadSheet {
        let mut chords = self.chords.clone();
        chords.resize(beats(&self.bars).len(), None);
        let tone = |(onset, pitch, length): &Event| pitch.map(|pitch| Tone { onset: *onset, pitch, length: *length });
        LeadSheet { bars: self.bars.clone(), chords, melody: self.events.iter().filter_map(tone).collect() }
    }
}
