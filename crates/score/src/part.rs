//! A part: the notes of one instrument.

use crate::{Note, Ticks};

/// A General MIDI program, 0-127; 0 is the acoustic grand piano.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program(u8);

impl Program {
    /// The acoustic grand piano.
    pub const PIANO: Program = Program(0);

    /// `None` above 127.
    pub const fn new(number: u8) -> Option<Program> {
        if number <= 127 { Some(Program(number)) } else { None }
    }

    /// The MIDI program number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether it is one of General MIDI's eight pianos.
    pub const fn is_piano(self) -> bool {
        self.0 < 8
    }
}

/// A span of time during which the sustain pedal is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PedalSpan {
    /// When it is pressed.
    pub down: Ticks,
    /// When it is released.
    pub up: Ticks,
}

/// The notes of one instrument, with what belongs to it alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// The track's or the instrument's name.
    pub name: Option<String>,
    /// MIDI channel 0-15; 9 is the drums.
    pub channel: u8,
    /// Programs in order of time; empty where the file names none (a piano, then).
    pub programs: Vec<(Ticks, Program)>,
    /// Notes, sorted.
    pub notes: Vec<Note>,
    /// Sustain pedal, sorted, not overlapping.
    pub pedal: Vec<PedalSpan>,
}

impl Part {
    /// The channel that General MIDI reserves for percussion.
    pub const DRUM_CHANNEL: u8 = 9;

    /// Whether its notes are drum strokes and not pitches.
    pub fn is_drums(&self) -> bool {
        self.channel == Part::DRUM_CHANNEL
    }

    /// The program that it begins with.
    pub fn program(&self) -> Program {
        self.programs.first().map_or(Program::PIANO, |(_, program)| *program)
    }

    /// When its last note ends or its pedal is last released.
    pub fn end(&self) -> Ticks {
        let notes = self.notes.iter().map(Note::end).max();
        let pedal = self.pedal.last().map(|span| span.up);
        notes.max(pedal).unwrap_or_default()
    }
}
