//! What the events of a track mean, beside notes.

use super::drums::{Saying, What};
use super::sysex::{self, Message};
use super::track::{Text, Track};
use super::{Oddity, controller, meta};
use crate::text;
use cantus_score::{Control, Key, Meter, Mode, Program, Tempo, Ticks};
use std::ops::Range;

/// Longer system-exclusive messages mean nothing to a score: of what comes in packets, so much is looked at.
const LONGEST_MESSAGE: usize = 64;

impl Track<'_, '_> {
    /// The stream of a channel, and the track's number; `None` where the limit is reached.
    #[inline]
    fn stream(&mut self, channel: usize) -> Option<(&mut super::stream::Stream, u32)> {
        if self.reader.controls_left == 0 {
            self.reader.too_many_controls();
            return None;
        }
        self.reader.controls_left -= 1;
        Some((&mut self.reader.streams[self.port << 4 | channel], self.number as u32))
    }

    pub(super) fn program(&mut self, channel: usize, number: u8) {
        let now = self.now;
        if let (Some(program), Some((stream, track))) = (Program::new(number), self.stream(channel)) {
            stream.program(now, track, program);
        }
    }

    fn control(&mut self, channel: usize, control: Control) {
        let now = self.now;
        if let Some((stream, track)) = self.stream(channel) {
            stream.control(now, track, control);
        }
    }

    pub(super) fn pressure(&mut self, channel: usize, value: u8) {
        self.control(channel, Control::Pressure(value));
    }

    pub(super) fn bend(&mut self, channel: usize, low: u8, high: u8) {
        self.control(channel, Control::Bend((i16::from(high) << 7 | i16::from(low)) - 0x2000));
    }

    pub(super) fn controller(&mut self, channel: usize, number: u8, value: u8) {
        match number {
            controller::SUSTAIN => self.pedal(channel, value >= 64),
            controller::LOCAL => {}
            controller::RESET_ALL => {
                self.pedal(channel, false);
                let now = self.now;
                if let Some((stream, track)) = self.stream(channel) {
                    stream.reset_controllers(now, track);
                }
            }
            controller::ALL_SOUND_OFF | controller::ALL_NOTES_OFF.. => {
                self.silence(channel);
                let now = self.now;
                if let Some((stream, _)) = self.stream(channel) {
                    stream.silence(now);
                }
            }
            _ => {
                if number == controller::BANK {
                    self.say(What::Bank { channel: channel as u8, bank: value });
                }
                self.control(channel, Control::Controller { number, value });
            }
        }
    }

    /// Only changes are events: a pedal that is measured sends many values.
    fn pedal(&mut self, channel: usize, down: bool) {
        if self.pedal[channel].replace(down) != Some(down) {
            let now = self.now;
            if let Some((stream, track)) = self.stream(channel) {
                stream.pedal(now, track, down);
            }
        }
    }

    pub(super) fn lift_pedal(&mut self, channel: usize) {
        if self.pedal[channel] == Some(true) {
            self.pedal(channel, false);
        }
    }

    fn say(&mut self, what: What) {
        if self.reader.sayings.len() < self.reader.limits.max_controls {
            self.reader.sayings.push(Saying { at: self.now, port: self.port as u32, what });
        }
    }

    /// A message in one event, or (`F7`) a further packet of one.
    pub(super) fn system_exclusive(&mut self, status: u8, body: Range<usize>) {
        let offset = body.start;
        let bytes = &self.reader.bytes[body];
        if status == 0xF0 {
            self.packets.clear();
        } else if self.packets.is_empty() {
            // Any bytes at all, for a player to send as they are.
            self.reader.not_kept.messages += usize::from(!bytes.is_empty());
            return;
        }
        let (packet, is_whole) = match bytes {
            [packet @ .., 0xF7] => (packet, true),
            _ => (bytes, false),
        };
        let message = if self.packets.is_empty() {
            sysex::parse(packet)
        } else {
            self.packets.extend_from_slice(&packet[..packet.len().min(LONGEST_MESSAGE)]);
            sysex::parse(&self.packets)
        };
        if self.packets.len() > LONGEST_MESSAGE {
            self.packets.truncate(LONGEST_MESSAGE);
        }
        match message {
            Message::Reset(rules) => self.say(What::Reset(rules)),
            Message::Rhythm { channel, drums } => self.say(What::Rhythm { channel, drums }),
            Message::WrongSum if is_whole => self.warn(offset, Oddity::WrongSum),
            _ if !is_whole && self.packets.is_empty() => {
                self.packets.extend_from_slice(&packet[..packet.len().min(LONGEST_MESSAGE)]);
                return;
            }
            _ => self.reader.not_kept.messages += usize::from(is_whole && !packet.is_empty()),
        }
        if is_whole {
            self.packets.clear();
        }
    }

    pub(super) fn meta(&mut self, kind: u8, body: Range<usize>) {
        let offset = body.start;
        let bytes = &self.reader.bytes[body.clone()];
        let now = Ticks(self.now);
        match kind {
            meta::TEXT => self.text(body),
            meta::COPYRIGHT => self.rights(body),
            meta::TRACK_NAME => match self.prefix {
                Some(channel) => self.names.push((channel, body)),
                None => {
                    self.name.get_or_insert(body);
                }
            },
            meta::INSTRUMENT_NAME => match self.prefix {
                Some(channel) => self.names.push((channel, body)),
                None => {
                    self.instrument.get_or_insert(body);
                }
            },
            meta::LYRIC => self.may_be_sung(body, true),
            meta::MARKER | meta::CUE_POINT if !body.is_empty() => {
                if self.reader.controls_left == 0 {
                    return self.reader.too_many_controls();
                }
                self.reader.controls_left -= 1;
                let marker = text::decode(bytes).into_owned();
                self.reader.markers.push((now, marker));
            }
            meta::CHANNEL_PREFIX => self.prefix = bytes.first().copied().filter(|channel| *channel < 16),
            meta::PORT => {
                if let Some(&number) = bytes.first() {
                    let device = self.reader.ports[self.port].device.clone();
                    self.go_to_port(number, device);
                }
            }
            meta::DEVICE_NAME => {
                let number = self.reader.ports[self.port].number;
                let device = (!body.is_empty()).then_some(body);
                self.go_to_port(number, device);
            }
            meta::TEMPO if self.division.fixed_tempo.is_some() => {}
            meta::TEMPO => {
                let tempo = bytes
                    .first_chunk::<3>()
                    .and_then(|&[a, b, c]| Tempo::from_micros_per_quarter(u32::from_be_bytes([0, a, b, c])));
                match tempo {
                    Some(tempo) => self.reader.tempos.push((now, tempo)),
                    None => self.warn(offset, Oddity::Tempo),
                }
            }
            meta::METER => {
                let (numerator, denominator_log2) = bytes.first_chunk::<2>().map_or((0, 0), |&[n, d]| (n, d));
                match Meter::new(numerator, denominator_log2) {
                    Some(meter) => self.reader.meters.push((now, meter)),
                    None => self.warn(offset, Oddity::Meter { numerator, denominator_log2 }),
                }
            }
            meta::KEY => {
                let (fifths, mode) =
                    bytes.first_chunk::<2>().map_or((0, u8::MAX), |&[fifths, mode]| (fifths.cast_signed(), mode));
                let key = match mode {
                    0 => Key::new(fifths, Mode::Major),
                    1 => Key::new(fifths, Mode::Minor),
                    _ => None,
                };
                match key {
                    Some(key) => self.reader.keys.push((now, key)),
                    None => self.warn(offset, Oddity::Key { fifths, mode }),
                }
            }
            _ => {}
        }
    }

    /// From here on the track's channels are those of another port.
    fn go_to_port(&mut self, number: u8, device: Option<Range<usize>>) {
        let port = self.reader.port(number, device);
        if port == self.port {
            return;
        }
        self.leave_open();
        self.reader.change_lanes(self.port, port);
        self.port = port;
        self.pedal = [None; 16];
    }

    /// Keeps a text at the beginning of the track. Later ones are sung (karaoke files), or directions, which a score has no place for.
    fn text(&mut self, body: Range<usize>) {
        if body.is_empty() {
            return;
        }
        // In a karaoke file (`@KMIDI KARAOKE FILE`), a line or a verse that begins with the music.
        let is_karaoke = || self.reader.remarks.iter().any(|remark| remark.starts_with("@K"));
        let begins_line = matches!(self.reader.bytes[body.start], b'\\' | b'/');
        if self.now != self.begin || begins_line && is_karaoke() {
            return self.may_be_sung(body, false);
        }
        let (offset, limit) = (body.start, self.reader.limits.max_remark_bytes);
        // Decoded length: Latin-1 can grow to twice its bytes.
        let before = self.reader.remark_bytes;
        if before > limit {
            return;
        }
        let remark = (body.len() <= limit).then(|| text::decode(&self.reader.bytes[body]).into_owned());
        match remark {
            Some(remark) if remark.len() <= limit - before => {
                self.reader.remark_bytes += remark.len();
                self.reader.remarks.push(remark);
            }
            _ => {
                // From here on none is kept: a gap would be worse than an end.
                self.reader.remark_bytes = limit.saturating_add(1);
                self.warn(offset, Oddity::Remarks(limit));
            }
        }
    }

    fn may_be_sung(&mut self, range: Range<usize>, is_lyric: bool) {
        if self.reader.controls_left == 0 {
            return self.reader.too_many_controls();
        }
        self.reader.controls_left -= 1;
        self.texts.push(Text { at: self.now, range, channel: self.prefix, is_lyric });
    }

    fn rights(&mut self, body: Range<usize>) {
        let rights = text::decode(&self.reader.bytes[body]);
        match &self.reader.rights {
            _ if rights.is_empty() => {}
            None => self.reader.rights = Some(rights.into_owned()),
            Some(known) => self.reader.not_kept.texts += usize::from(*known != rights),
        }
    }
}
