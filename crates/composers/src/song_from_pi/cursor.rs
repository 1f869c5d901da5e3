//! A place in a song, token by token: what is there already, and what may follow.

use super::song::{Song, Step, steps};
use super::words::{Layer, Token, Words};
use cantus_encoding::lead_sheet::{Beat, LeadSheet, Tone, beats};
use cantus_encoding::note_chord::BarKind;
use cantus_score::{Chord, Pitch};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Start,
    /// A bar, or the first layer once there is one.
    Bar,
    /// A note or a rest of the melody's rhythm.
    Rhythm,
    Pitch,
    Chord,
    Strokes,
    /// The next layer, or the end.
    Layer,
    /// All is said.
    Nothing,
}

/// A note or a rest of the melody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// When it begins, in steps of the grid.
    pub onset: u32,
    pub length: u32,
    pub sounds: bool,
}

impl Event {
    pub(super) fn token(self) -> Token {
        let steps = u16::try_from(self.length).unwrap_or(u16::MAX);
        if self.sounds { Token::Sound(steps) } else { Token::Rest(steps) }
    }
}

/// A place in a song that is being read or written.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'v> {
    words: &'v Words,
    /// See [`Token::Start`]; `None` before it.
    told: Option<bool>,
    /// The bars that a piece has, where they are known before they are said: the nearest known ones are said.
    given: Option<Vec<BarKind>>,
    pub bars: Vec<BarKind>,
    /// Known once a layer has begun, like all that follows from the bars.
    pub beats: Vec<Beat>,
    pub steps: Vec<Step>,
    pub end: u32,
    /// The layer that is being said, and those that are said.
    pub layer: Option<Layer>,
    pub begun: Vec<Layer>,
    pub events: Vec<Event>,
    /// Which of the events are notes.
    pub notes: Vec<usize>,
    pub pitches: Vec<Pitch>,
    pub chords: Vec<Option<Chord>>,
    pub drums: Vec<u16>,
    is_over: bool,
}

impl<'v> Cursor<'v> {
    /// Before the first token; in a piece of these bars, where they are known.
    pub(super) fn new(words: &'v Words, given: Option<Vec<BarKind>>) -> Cursor<'v> {
        Cursor {
            words,
            told: None,
            given,
            bars: Vec::new(),
            beats: Vec::new(),
            steps: Vec::new(),
            end: 0,
            layer: None,
            begun: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
            pitches: Vec::new(),
            chords: Vec::new(),
            drums: Vec::new(),
            is_over: false,
        }
    }

    /// Up to where the rhythm is said, in steps.
    pub(super) fn now(&self) -> u32 {
        self.events.last().map_or(0, |event| event.onset + event.length)
    }

    /// The note whose pitch comes next.
    pub(super) fn note(&self) -> Option<&Event> {
        self.notes.get(self.pitches.len()).map(|event| &self.events[*event])
    }

    /// Whether what is said of a lower layer is told to the one that is being said.
    pub(super) fn hears(&self, below: Layer) -> bool {
        self.told == Some(true) && self.layer.is_some_and(|layer| below < layer) && self.begun.contains(&below)
    }

    /// What comes next.
    pub(super) fn expected(&self) -> Expected {
        if self.told.is_none() {
            return Expected::Start;
        }
        if self.is_over {
            return Expected::Nothing;
        }
        match self.layer {
            None => Expected::Bar,
            Some(Layer::Melody) if self.now() < self.end => Expected::Rhythm,
            Some(Layer::Melody) if self.pitches.len() < self.notes.len() => Expected::Pitch,
            Some(Layer::Chords) if self.chords.len() < self.beats.len() => Expected::Chord,
            Some(Layer::Drums) if self.drums.len() < self.steps.len() => Expected::Strokes,
            Some(_) => Expected::Layer,
        }
    }

    /// Whether a token may come next.
    pub(super) fn permits(&self, token: Token) -> bool {
        match (self.expected(), token) {
            (Expected::Start, Token::Start(_))
            | (Expected::Bar, Token::Bar(_))
            | (Expected::Pitch, Token::Pitch(_))
            | (Expected::Chord, Token::Chord(_))
            | (Expected::Strokes, Token::Strokes(_))
            | (Expected::Layer, Token::End) => true,
            (Expected::Bar, Token::Layer(layer)) => !self.bars.is_empty() && self.words.has(layer),
            (Expected::Layer, Token::Layer(layer)) => self.layer < Some(layer) && self.words.has(layer),
            (Expected::Rhythm, Token::Sound(steps)) => self.now() + u32::from(steps) <= self.end,
            (Expected::Rhythm, Token::Rest(steps)) => self.may_rest(steps),
            _ => false,
        }
    }

    /// Whether a rest may last so long: one that goes on with others is said as [`super::song::rhythm`] says all of it, the longest lengths
    /// first, so that there is one way to say it.
    fn may_rest(&self, steps: u16) -> bool {
        let lengths = self.words.sheet.known_lengths();
        let mut sum = u32::from(steps);
        let mut rests = self.events.iter().rev().map_while(|event| (!event.sounds).then_some(event.length));
        let is_next = |rest: u32| {
            sum += rest;
            let longer = lengths.get(lengths.partition_point(|length| u32::from(*length) <= rest));
            longer.is_none_or(|longer| u32::from(*longer) > sum)
        };
        self.now() + u32::from(steps) <= self.end && rests.all(is_next)
    }

    /// Takes the next token, one that is permitted.
    pub(super) fn advance(&mut self, token: Token) {
        let onset = self.now();
        match token {
            Token::Start(told) => self.told = Some(told),
            Token::Bar(kind) => {
                let given = self.given.as_ref().and_then(|given| given.get(self.bars.len()));
                self.bars.push(given.copied().unwrap_or(kind));
            }
            Token::Layer(layer) => {
                if self.layer.is_none() {
                    (self.beats, self.steps) = (beats(&self.bars), steps(&self.bars));
                    self.end = self.bars.iter().map(|kind| u32::from(kind.steps)).sum();
                }
                self.layer = Some(layer);
                self.begun.push(layer);
            }
            Token::End => self.is_over = true,
            Token::Sound(length) => {
                self.notes.push(self.events.len());
                self.events.push(Event { onset, length: length.into(), sounds: true });
            }
            Token::Rest(length) => self.events.push(Event { onset, length: length.into(), sounds: false }),
            Token::Pitch(pitch) => self.pitches.push(pitch),
            Token::Chord(chord) => self.chords.push(chord),
            Token::Strokes(set) => self.drums.push(set),
        }
    }

    /// What is said so far: beats of which nothing is said have no chord, notes without a pitch are none.
    pub(super) fn song(&self) -> Song {
        let tone = |(event, pitch): (&usize, &Pitch)| {
            let Event { onset, length, .. } = self.events[*event];
            Tone { onset, pitch: *pitch, length }
        };
        let melody = self.notes.iter().zip(&self.pitches).map(tone).collect();
        let sheet = LeadSheet { bars: self.bars.clone(), chords: self.chords.clone(), melody };
        let mut song = Song { sheet, drums: self.drums.clone(), is_exact: true };
        song.complete();
        song
    }
}
