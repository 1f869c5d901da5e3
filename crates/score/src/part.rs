//! A part: the notes of one instrument.

use crate::{Note, Pitch, Ticks};

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

/// What a player does to an instrument beside striking notes and pressing the sustain pedal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// A MIDI controller and its value, both 0-127: 7 is the volume, 10 the place between left and right, 11 the expression.
    /// Never 64: the sustain pedal stands in [`Part::pedal`].
    Controller {
        /// Which.
        number: u8,
        /// How far.
        value: u8,
    },
    /// Pitch bend, -8192 to 8191: two semitones down or up, unless controllers have set another range.
    Bend(i16),
    /// Pressure on the keys of the whole channel, 0-127.
    Pressure(u8),
}

impl Control {
    /// The controllers of volume, place and expression.
    pub const VOLUME: u8 = 7;
    /// Left and right.
    pub const PAN: u8 = 10;
    /// Expression: volume within a phrase.
    pub const EXPRESSION: u8 = 11;
}

/// A syllable that is sung.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lyric {
    /// When it is sung: the onset of its note.
    pub at: Ticks,
    /// Which verse it belongs to, from 1.
    pub verse: u8,
    /// What is sung, without the hyphen that joins it to the next syllable.
    pub text: String,
    /// Whether its word goes on in the next syllable.
    pub goes_on: bool,
}

/// A slur: a curve from one note of a part to a later one, over what is played or sung in one breath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slur {
    /// The first note: its onset and its pitch.
    pub from: (Ticks, Pitch),
    /// The last note, which begins later.
    pub to: (Ticks, Pitch),
}

/// The notes of one instrument, with what belongs to it alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// The track's or the instrument's name.
    pub name: Option<String>,
    /// MIDI port, 0 where there is one only: channels of different ports are different channels.
    pub port: u8,
    /// MIDI channel 0-15. It says nothing about drums: see [`Part::drums`].
    pub channel: u8,
    /// Whether its pitches are drums of a kit (General MIDI's percussion keys) and not pitches. Readers decide it by what the file
    /// says.
    pub drums: bool,
    /// Programs in order of time; empty where the file names none (a piano, then).
    pub programs: Vec<(Ticks, Program)>,
    /// Notes, sorted.
    pub notes: Vec<Note>,
    /// Sustain pedal, sorted, not overlapping.
    pub pedal: Vec<PedalSpan>,
    /// Controllers, bends and pressure in order of time; within one tick in the order of the file, which parameters depend on.
    pub controls: Vec<(Ticks, Control)>,
    /// What is sung, in order of time, then of verse.
    pub lyrics: Vec<Lyric>,
    /// Slurs, sorted.
    pub slurs: Vec<Slur>,
    /// Fermatas: the onsets of the notes, or of the rests, that they stand over; sorted, each once. How long they hold is not said.
    pub fermatas: Vec<Ticks>,
}

impl Part {
    /// The channel that General MIDI reserves for percussion, where nothing else is said.
    pub const DRUM_CHANNEL: u8 = 9;

    /// A part for drums, on their usual channel.
    pub fn of_drums() -> Part {
        Part { drums: true, channel: Part::DRUM_CHANNEL, ..Part::default() }
    }

    /// The program that it begins with.
    pub fn program(&self) -> Program {
        self.programs.first().map_or(Program::PIANO, |(_, program)| *program)
    }

    /// Whether it plays one note at a time: at most one onset in ten is a chord.
    pub fn is_one_line(&self) -> bool {
        let chords = self.notes.chunk_by(|a, b| a.onset == b.onset);
        let (onsets, several) =
            chords.fold((0, 0), |(all, several), chord| (all + 1, several + usize::from(chord.len() > 1)));
        several * 10 <= onsets
    }

    /// What a person calls it: its name, or what plays it.
    pub fn title(&self) -> &str {
        match self.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => name,
            None if self.drums => "drums",
            None => self.program().name(),
        }
    }

    /// The mean of its pitches; 0 without a note.
    pub fn mean_pitch(&self) -> f64 {
        let sum: f64 = self.notes.iter().map(|note| f64::from(note.pitch.get())).sum();
        sum / self.notes.len().max(1) as f64
    }

    /// When its last note ends or its pedal is last released.
    pub fn end(&self) -> Ticks {
        let notes = self.notes.iter().map(Note::end).max();
        let pedal = self.pedal.last().map(|span| span.up);
        notes.max(pedal).unwrap_or_default()
    }
}
