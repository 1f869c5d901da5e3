//! What can be wrong with a MusicXML file, or with a score that should become one.

use cantus_score::counted;
use std::fmt;
use thiserror::Error;

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MusicXmlError {
    /// Larger than [`Limits::max_bytes`](crate::Limits::max_bytes), packed or unpacked.
    #[error("the file has {found} bytes or more, the limit is {limit} (raise it with `max-bytes`)")]
    TooLarge {
        /// The size, as far as it was read.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// More notes than [`Limits::max_notes`](crate::Limits::max_notes), repeats played.
    #[error("there are more than {limit} notes (raise the limit with `max-notes`)")]
    TooManyNotes {
        /// The limit.
        limit: usize,
    },
    /// More parts than [`Limits::max_tracks`](crate::Limits::max_tracks).
    #[error("there are more than {limit} parts (raise the limit with `max-tracks`)")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// Longer than [`Limits::max_quarters`](crate::Limits::max_quarters), repeats played.
    #[error("the music lasts more than {limit} quarter notes (raise the limit with `max-quarters`)")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// An empty file.
    #[error("the file is empty")]
    Empty,
    /// XML that is none.
    #[error("line {line}, column {column}: this is not well-formed XML: {reason}")]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1, in bytes.
        column: usize,
        /// What the parser says, control characters escaped.
        reason: String,
    },
    /// Elements within elements without an end.
    #[error("line {line}, column {column}: elements stand more than {limit} deep")]
    TooDeep {
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1, in bytes.
        column: usize,
        /// How deep they may stand.
        limit: usize,
    },
    /// A measure of more elements than any music has.
    #[error("line {line}, column {column}: a measure has more than {limit} elements")]
    TooManyElements {
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1, in bytes.
        column: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Measures that hold parts, and not parts that hold measures.
    #[error("this is a `score-timewise` document: save it as `score-partwise`, as nearly every program does")]
    Timewise,
    /// XML of another kind.
    #[error("this is no MusicXML: its root is `{root}`, not `score-partwise`")]
    OtherRoot {
        /// The root element's name, control characters escaped.
        root: String,
    },
    /// An archive that cannot be unpacked.
    #[error("this is no compressed MusicXML file: {reason}")]
    Archive {
        /// Why not.
        reason: String,
    },
}

/// Something odd that was read around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which part, from 1; `None` for the file as a whole.
    pub part: Option<usize>,
    /// Which measure of the file, from 1.
    pub measure: Option<usize>,
    /// What.
    pub oddity: Oddity,
}

/// What was odd, and what the reader made of it. No text of the file appears here: it can be printed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Oddity {
    /// Cue notes belong to others.
    #[error("left out: {}", counted(*.0, "cue note"))]
    Cue(usize),
    /// A pitch that MIDI does not have.
    #[error("left out: {} without a usable pitch", counted(*.0, "note"))]
    Pitch(usize),
    /// A duration that is no number, or below zero.
    #[error("left out: {} without a usable duration", counted(*.0, "note"))]
    Duration(usize),
    /// Quarter tones.
    #[error("rounded to semitones: {}", counted(*.0, "microtone"))]
    Microtone(usize),
    /// A tie that leads to no note, or comes from none.
    #[error("leading nowhere: {}", counted(*.0, "tie"))]
    LooseTie(usize),
    /// `backup` to before the measure.
    #[error("a backup reaches before the measure: it was cut")]
    Backup,
    /// A time signature that cannot be one.
    #[error("an impossible or free time signature was ignored")]
    Meter,
    /// A key that is not one of fifths.
    #[error("a key signature that no major or minor key has was ignored")]
    Key,
    /// A tempo that cannot be one.
    #[error("an impossible tempo was ignored")]
    Tempo,
    /// Divisions that do not fit into MIDI's ticks.
    #[error("divisions are so fine that times were rounded")]
    Rounded,
    /// A measure that one part fills with more than its time.
    #[error("a measure is longer than its time signature")]
    Overfull,
    /// Repeats that cannot be followed.
    #[error("repeats that contradict one another were played once")]
    Repeats,
    /// Dal segno without a segno, a way to a coda that is nowhere.
    #[error("a jump to a segno or coda that is nowhere was not followed")]
    Jump,
    /// A sign for the measure before, where there is none.
    #[error("a measure-repeat sign has no measure before it to repeat: the measure is silent")]
    MeasureRepeat,
    /// Drums whose instrument is not said.
    #[error("no drum is named for {}: places on the usual drum staff were taken", counted(*.0, "note"))]
    DrumPlace(usize),
    /// A chord symbol without a root.
    #[error("chord symbols without a root (figures, functions) were left out")]
    Harmony,
    /// Signs that are not played, and not kept.
    #[error(
        "signs are neither played nor kept: {}",
        those_there_are(&[(*slurs, "slur"), (*fermatas, "fermata"), (*ornaments, "ornament"), (*articulations, "articulation")])
    )]
    Signs {
        /// Slurs.
        slurs: usize,
        /// Fermatas.
        fermatas: usize,
        /// Trills, turns, mordents, arpeggios, glissandos.
        ornaments: usize,
        /// Staccato, accents and their like.
        articulations: usize,
    },
    /// Nothing that sounds.
    #[error("there is no note in it, and {}", counted(*.0, "chord symbol"))]
    NoNotes(usize),
    /// A part without an entry in the list of parts.
    #[error("the part is not in the list of parts")]
    UnknownPart,
    /// An entity that only a DTD could explain.
    #[error("{0} entities were not expanded")]
    Entity(usize),
    /// More remarks than the limit.
    #[error("remarks beyond {0} bytes were dropped (raise the limit with `max-remark-bytes`)")]
    Remarks(usize),
}

/// `3 slurs, 1 fermata`: those that there are.
fn those_there_are(counts: &[(usize, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, name)| counted(*count, name)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.part, self.measure) {
            (Some(part), Some(measure)) => write!(f, "part {part}, measure {measure}: {}", self.oddity),
            (Some(part), None) => write!(f, "part {part}: {}", self.oddity),
            (None, Some(measure)) => write!(f, "measure {measure}: {}", self.oddity),
            (None, None) => write!(f, "{}", self.oddity),
        }
    }
}

/// Why a score cannot become a MusicXML file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// Channels go from 0 to 15.
    #[error("part {part} is on channel {found}: MusicXML has channels 0-15")]
    Channel {
        /// Which part, from 1.
        part: usize,
        /// Its channel.
        found: u8,
    },
    /// More parts with programs or pedals of their own than there are channels.
    #[error("part {part} finds no MIDI channel: 256 ports have 3840 for pitches and 256 for drums")]
    NoChannel {
        /// Which part of those with notes, from 1.
        part: usize,
    },
    /// More bars than can be written down.
    #[error("the piece has more than {limit} bars: that is no piece to be written down")]
    TooManyBars {
        /// How many there may be.
        limit: usize,
    },
}
