//! What can be wrong with a MIDI file, or with a score that should become one.

use std::fmt;
use thiserror::Error;

/// Why a file was refused. Offsets count bytes from the beginning of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MidiError {
    /// Larger than [`Limits::max_bytes`](super::Limits::max_bytes).
    #[error("the file has {found} bytes, more than the limit of {limit} (raise it with `max-bytes`)")]
    TooLarge {
        /// The file's size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// More notes than [`Limits::max_notes`](super::Limits::max_notes).
    #[error("note {} begins at byte {offset}: the limit is {limit} notes (raise it with `max-notes`)", limit + 1)]
    TooManyNotes {
        /// The limit.
        limit: usize,
        /// Where the first note too many begins.
        offset: usize,
    },
    /// More tracks than [`Limits::max_tracks`](super::Limits::max_tracks).
    #[error("track {} begins at byte {offset}: the limit is {limit} tracks (raise it with `max-tracks`)", limit + 1)]
    TooManyTracks {
        /// The limit.
        limit: usize,
        /// Where the first track too many begins.
        offset: usize,
    },
    /// Longer than [`Limits::max_quarters`](super::Limits::max_quarters).
    #[error("the music lasts {found} quarter notes, more than the limit of {limit} (raise it with `max-quarters`)")]
    TooLong {
        /// The length in quarter notes, rounded up.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// An empty file.
    #[error("the file is empty")]
    Empty,
    /// No MIDI header where one could be.
    #[error("this is not a MIDI file: {}", what_begins(start))]
    NotMidi {
        /// The first bytes of the file, at most 8.
        start: Vec<u8>,
    },
    /// A header that cannot be one.
    #[error(
        "the header at byte {offset} is cut off or wrong: it claims {length} bytes, {available} follow, 6 are needed"
    )]
    Header {
        /// Where the header chunk begins.
        offset: usize,
        /// The length that it claims; 0 where even that is missing.
        length: u32,
        /// How many bytes follow.
        available: usize,
    },
    /// Tracks are promised, none is there.
    #[error("the header promises {declared} tracks, but the file ends without one")]
    NoTracks {
        /// The number in the header.
        declared: u16,
    },
    /// Damage before the first note: nothing could be saved.
    #[error("track {track} is damaged at byte {offset} ({damage}), and no note could be saved")]
    Damaged {
        /// Which track, from 1.
        track: usize,
        /// Where.
        offset: usize,
        /// What is wrong there.
        damage: Damage,
    },
}

/// What makes the rest of a track unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// The track ends within an event.
    #[error("it ends within an event")]
    Truncated,
    /// A variable-length quantity of more than four bytes.
    #[error("a variable-length number has more than 4 bytes")]
    EndlessNumber,
    /// A data byte where no status is in effect.
    #[error("data byte {0:#04x} without a status")]
    NoStatus(u8),
    /// A text, meta or system-exclusive event longer than the track.
    #[error("an event of {0} bytes is longer than what is left")]
    EventTooLong(u32),
    /// Too many events with impossible data: the reader has lost its place.
    #[error("too many events with impossible data bytes")]
    Nonsense,
}

/// Something odd that was read around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which track, from 1; `None` for the file as a whole.
    pub track: Option<usize>,
    /// Where, in bytes from the beginning of the file.
    pub offset: usize,
    /// What.
    pub oddity: Oddity,
}

/// What was odd, and what the reader made of it. No text of the file appears here: it can be printed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Oddity {
    /// Bytes before the header.
    #[error("{0} bytes before the header were skipped")]
    LeadingBytes(usize),
    /// A format other than 0, 1 and 2.
    #[error("unknown format {0} was read as format 1")]
    UnknownFormat(u16),
    /// Format 0 with more than one track.
    #[error("format 0 with several tracks was read as format 1")]
    SeveralTracks,
    /// Zero ticks per quarter or per frame.
    #[error("a division of zero was read as 480 ticks per quarter")]
    ZeroDivision,
    /// Time in frames; tempo events mean nothing.
    #[error("time is in frames per second ({frames}): it was laid on {tempo} us quarters; tempo events are ignored")]
    Frames {
        /// Frames per second as the file says it.
        frames: u8,
        /// The fixed tempo chosen.
        tempo: u32,
    },
    /// The header's number of tracks is wrong.
    #[error("the header promises {declared} tracks, {found} were found")]
    TrackCount {
        /// The number in the header.
        declared: u16,
        /// The number found.
        found: usize,
    },
    /// A chunk that is not a track.
    #[error("unknown chunk `{}` was skipped", .0.escape_ascii())]
    UnknownChunk([u8; 4]),
    /// Bytes between or after chunks.
    #[error("{0} stray bytes were skipped")]
    StrayBytes(usize),
    /// A track that claims more bytes than there are.
    #[error("the track claims {claimed} bytes, {available} are there")]
    TrackCut {
        /// The length that it claims.
        claimed: u32,
        /// What is there.
        available: usize,
    },
    /// A track that goes on past its claimed end.
    #[error("the track goes on past its claimed end")]
    TrackTooShort,
    /// A track without an end.
    #[error("the track has no end-of-track event")]
    NoEnd,
    /// The rest of the track was given up.
    #[error("the rest of the track was given up: {0}")]
    Damaged(Damage),
    /// Running status after a meta or system-exclusive event.
    #[error("running status was carried past a meta or system event")]
    RunningStatus,
    /// A system message that files must not contain.
    #[error("system message {0:#04x} was skipped")]
    SystemMessage(u8),
    /// A channel event with a data byte above 127.
    #[error("event {status:#04x} with data byte {found} was skipped")]
    DataByte {
        /// The event's status.
        status: u8,
        /// The impossible byte.
        found: u8,
    },
    /// Note-offs without a note.
    #[error("{0} note-offs without a note were ignored")]
    StrayNoteOffs(usize),
    /// Notes that nobody ended.
    #[error("{0} notes were never released: they end with the track")]
    Unreleased(usize),
    /// A tempo of zero, or one of the wrong length.
    #[error("an impossible tempo was ignored")]
    Tempo,
    /// A metre that cannot be one.
    #[error("the impossible metre {numerator}/2^{denominator_log2} was ignored")]
    Meter {
        /// Notes to the bar.
        numerator: u8,
        /// The power of two.
        denominator_log2: u8,
    },
    /// A key signature that cannot be one.
    #[error("the impossible key signature {fifths} (mode {mode}) was ignored")]
    Key {
        /// Sharps or flats.
        fifths: i8,
        /// The byte that should be 0 or 1.
        mode: u8,
    },
    /// A Roland message whose check sum is wrong: players ignore it, too.
    #[error("a Roland message with a wrong check sum was ignored")]
    WrongSum,
    /// What a score has no place for.
    #[error("not kept: {0}")]
    NotKept(NotKept),
    /// Parts on channel 10 that look like melodies.
    #[error("{}", melodic_drums(*.0))]
    MelodicDrums(usize),
    /// More controllers and the like than the limit.
    #[error(
        "controllers, bends, pedal and program changes, syllables and markers beyond {0} were dropped (raise the limit with `max-controls`)"
    )]
    Controls(usize),
    /// More remarks than the limit.
    #[error("remarks beyond {0} bytes were dropped (raise the limit with `max-remark-bytes`)")]
    Remarks(usize),
}

fn melodic_drums(parts: usize) -> String {
    let said = "as nothing in the file says otherwise; what has pitches belongs on another channel";
    if parts == 1 {
        format!("a part on channel 10 looks like a melody: it was read as drums, {said}")
    } else {
        format!("{parts} parts on channel 10 look like melodies: they were read as drums, {said}")
    }
}

/// What a file is that begins so, in words.
fn what_begins(start: &[u8]) -> String {
    match start {
        [b'P', b'K', 3, 4, ..] => "it is a zip archive; unpack it, and name the folder or the files".to_owned(),
        _ => format!("no `MThd` header (it begins with `{}`)", start.escape_ascii()),
    }
}

/// How much of what a score has no place for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotKept {
    /// Pressures on single keys.
    pub key_pressures: usize,
    /// System-exclusive messages that say nothing of drums.
    pub messages: usize,
    /// Texts within the piece, and copyright notices beyond the first.
    pub texts: usize,
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (count, one, many) in [
            (self.key_pressures, "pressure on a single key", "pressures on single keys"),
            (self.messages, "system-exclusive message", "system-exclusive messages"),
            (self.texts, "text", "texts"),
        ] {
            if count > 0 {
                write!(f, "{between}{count} {}", if count == 1 { one } else { many })?;
                between = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.track {
            // Of the whole file.
            None if matches!(self.oddity, Oddity::NotKept(_) | Oddity::Controls(_) | Oddity::MelodicDrums(_)) => {
                self.oddity.fmt(f)
            }
            Some(track) => write!(f, "track {track}, byte {}: {}", self.offset, self.oddity),
            None => write!(f, "byte {}: {}", self.offset, self.oddity),
        }
    }
}

/// Why a score cannot become a MIDI file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The file format has 15 bits for the division.
    #[error("{found} ticks per quarter: a MIDI file holds at most 32767; rescale the score first")]
    Resolution {
        /// The score's ticks per quarter.
        found: u32,
    },
    /// Channels go from 0 to 15.
    #[error("part {part} is on channel {found}: MIDI has channels 0-15")]
    Channel {
        /// Which part, from 1.
        part: usize,
        /// Its channel.
        found: u8,
    },
    /// All ports are full.
    #[error(
        "{found} parts find no channel: 256 ports hold 256 different drum kits and 3840 other instruments, each with its own programs, \
         pedal and controllers"
    )]
    Channels {
        /// How many parts find none.
        found: usize,
    },
    /// One track a part and one for the tempo, counted in 16 bits.
    #[error("{found} parts: a MIDI file holds at most 65534")]
    TooManyParts {
        /// How many parts there are.
        found: usize,
    },
    /// A name or a remark of 256 MiB.
    #[error("a text of {found} bytes: a MIDI event holds at most 268435455")]
    TextTooLong {
        /// Its length.
        found: usize,
    },
    /// A track of 4 GiB, or a silence that would need one.
    #[error("track {track} would need {found} bytes: a MIDI track holds at most 4294967295")]
    TrackTooLong {
        /// Which track, from 1.
        track: usize,
        /// How many bytes it would need, at least.
        found: u64,
    },
}
