//! Standard MIDI files: bytes to scores and back.
//!
//! Reading is lenient: whatever can be understood is read, the rest is named in [`Reading::warnings`]. A file is refused
//! ([`MidiError`]) where it is not MIDI, where it breaks a limit, or where damage leaves no note at all. No length, count
//! or time in the file is trusted: memory stays proportional to the bytes that are really there.
//!
//! Writing is exact: `read(write(score)) == canonicalize(score)`, and equal scores give equal bytes.
//!
//! The event parser is our own and not midly's: midly drops a whole track at the first odd byte, knows no offsets, and forgets
//! running status after system-exclusive events. It serves as an independent oracle in the tests.

mod canonical;
mod drums;
mod error;
mod event;
mod parts;
mod reader;
mod stream;
mod sysex;
mod track;
mod words;
mod writer;

pub use crate::Limits;
pub use canonical::canonicalize;
pub(crate) use canonical::{clamp, last_wins};
pub use error::{Damage, MidiError, NotKept, Oddity, Warning, WriteError};
pub use reader::{Reading, read};
pub use writer::write;

/// The largest variable-length quantity: 28 bits.
const MAX_DELTA: u64 = (1 << 28) - 1;
/// The largest tempo: 24 bits of microseconds.
const MAX_TEMPO: u32 = (1 << 24) - 1;

/// Meta events that mean something to a score.
mod meta {
    pub const TEXT: u8 = 0x01;
    pub const COPYRIGHT: u8 = 0x02;
    pub const TRACK_NAME: u8 = 0x03;
    pub const INSTRUMENT_NAME: u8 = 0x04;
    pub const LYRIC: u8 = 0x05;
    pub const MARKER: u8 = 0x06;
    pub const CUE_POINT: u8 = 0x07;
    pub const DEVICE_NAME: u8 = 0x09;
    pub const CHANNEL_PREFIX: u8 = 0x20;
    pub const PORT: u8 = 0x21;
    pub const END_OF_TRACK: u8 = 0x2F;
    pub const TEMPO: u8 = 0x51;
    pub const METER: u8 = 0x58;
    pub const KEY: u8 = 0x59;
}

/// Controllers that are not kept as they are.
mod controller {
    pub const BANK: u8 = 0;
    pub const SUSTAIN: u8 = 64;
    pub const ALL_SOUND_OFF: u8 = 120;
    pub const RESET_ALL: u8 = 121;
    /// Whether a player handles its keyboard itself: nothing to a file.
    pub const LOCAL: u8 = 122;
    pub const ALL_NOTES_OFF: u8 = 123;
    /// From here on the numbers are modes, no controllers; those from 123 all end the notes (MIDI 1.0, channel mode messages).
    pub const MODES: u8 = 120;
}
