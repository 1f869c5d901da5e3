//! The system-exclusive messages that say what is a drum.
//!
//! - General MIDI System On, `7E dd 09 01` (level 2: `03`; off: `02`).
//! - Roland GS, a data set (DT1) `41 dd 42 12 aa aa aa data... sum`: address `40 00 7F` (on the SC-88 `00 00 7F`, too) resets;
//!   `40 1x 15` is "use for rhythm part", 0 off, 1 and 2 a drum map. Block x is channel 10 for 0, channels 1-9 for 1-9, channels
//!   11-16 for A-F. A sum that does not make address and data a multiple of 128 makes the message void.
//! - Yamaha XG, a parameter change `43 1d 4C aa aa aa data...`: address `00 00 7E` (or `7F`) resets; `08 pp 07` is the part
//!   mode of part pp, 0 for normal, above for drums.
//!
//! (Roland SC-55mkII owner's manual, MIDI implementation, section 4; Yamaha MU128 list book, MIDI data format, table 1-8.)

/// Which maker's rules the bank numbers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Nothing was said, or General MIDI.
    General,
    /// Roland's: banks say nothing about drums; 127 has the sounds of the MT-32.
    Gs,
    /// Yamaha's: the bank says what a channel is.
    Xg,
}

/// What a message means to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Everything as after switching on.
    Reset(Rules),
    /// This channel is for drums, or for pitches.
    Rhythm { channel: u8, drums: bool },
    /// Something else, which a score has no place for.
    Other,
    /// A Roland message with a wrong sum.
    WrongSum,
}

/// The meaning of a message: the bytes between `F0` and `F7`.
pub(super) fn parse(body: &[u8]) -> Message {
    match body {
        [0x7E, _, 0x09, 1..=3] => Message::Reset(Rules::General),
        [0x41, _, 0x42, 0x12, addressed @ ..] => roland(addressed),
        [0x43, 0x10..=0x1F, 0x4C, high, middle, low, data @ ..] => yamaha([*high, *middle, *low], data),
        _ => Message::Other,
    }
}

fn roland(addressed: &[u8]) -> Message {
    let [high, middle, low, data @ .., _] = addressed else { return Message::Other };
    if sum(addressed) != 0 {
        return Message::WrongSum;
    }
    match (high, middle, low) {
        (0x40 | 0x00, 0x00, 0x7F) => Message::Reset(Rules::Gs),
        // Data may begin at an earlier address of the part.
        (0x40, 0x10..=0x1F, 0..=0x15) => match data.get(0x15 - usize::from(*low)) {
            Some(map) => Message::Rhythm { channel: channel_of(middle & 0x0F), drums: *map != 0 },
            None => Message::Other,
        },
        _ => Message::Other,
    }
}

fn yamaha(address: [u8; 3], data: &[u8]) -> Message {
    match address {
        [0, 0, 0x7E | 0x7F] => Message::Reset(Rules::Xg),
        [8, part @ 0..=15, low @ 0..=7] => match data.get(7 - usize::from(low)) {
            Some(mode) => Message::Rhythm { channel: part, drums: *mode != 0 },
            None => Message::Other,
        },
        _ => Message::Other,
    }
}

/// Roland numbers its parts with the tenth first.
fn channel_of(block: u8) -> u8 {
    match block {
        0 => 9,
        1..=9 => block - 1,
        _ => block,
    }
}

fn block_of(channel: u8) -> u8 {
    match channel {
        9 => 0,
        0..=8 => channel + 1,
        _ => channel,
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) & 0x7F
}

/// An event, from `F0` and its length to `F7`: this channel is for pitches, whatever its name says.
pub(super) fn no_rhythm(channel: u8) -> [u8; 12] {
    let address = [0x40, 0x10 | block_of(channel & 15), 0x15];
    let check = (0x80 - sum(&address)) & 0x7F;
    [0xF0, 10, 0x41, 0x10, 0x42, 0x12, address[0], address[1], address[2], 0, check, 0xF7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_set_the_rules() {
        assert_eq!(parse(b"\x7E\x7F\x09\x01"), Message::Reset(Rules::General));
        assert_eq!(parse(b"\x41\x10\x42\x12\x40\x00\x7F\x00\x41"), Message::Reset(Rules::Gs));
        assert_eq!(parse(b"\x43\x10\x4C\x00\x00\x7E\x00"), Message::Reset(Rules::Xg));
        assert_eq!(parse(b"\x7F\x7F\x04\x01\x00\x7F"), Message::Other);
        assert_eq!(parse(b""), Message::Other);
    }

    #[test]
    fn blocks_are_channels_with_the_tenth_first() {
        let rhythm = |channel, drums| Message::Rhythm { channel, drums };
        assert_eq!(parse(b"\x41\x10\x42\x12\x40\x1A\x15\x02\x0F"), rhythm(10, true));
        assert_eq!(parse(b"\x41\x10\x42\x12\x40\x10\x15\x00\x1B"), rhythm(9, false));
        assert_eq!(parse(b"\x41\x00\x42\x12\x40\x19\x15\x01\x11"), rhythm(8, true));
        // Monophony, assign mode, then the map.
        assert_eq!(parse(b"\x41\x10\x42\x12\x40\x11\x13\x01\x01\x01\x19"), rhythm(0, true));
        assert_eq!(parse(b"\x41\x10\x42\x12\x40\x1A\x15\x02\x10"), Message::WrongSum);
        assert_eq!(parse(b"\x43\x10\x4C\x08\x0B\x07\x02"), rhythm(11, true));
        assert_eq!(parse(b"\x43\x10\x4C\x08\x09\x07\x00"), rhythm(9, false));
    }

    #[test]
    fn what_is_written_is_understood() {
        for channel in 0..16 {
            let [0xF0, 10, body @ .., 0xF7] = &no_rhythm(channel) else { panic!("an event") };
            assert_eq!(parse(body), Message::Rhythm { channel, drums: false });
        }
    }
}
