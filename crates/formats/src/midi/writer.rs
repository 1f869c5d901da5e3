//! Scores to bytes.

use super::{MAX_DELTA, WriteError, canonicalize, controller, meta, sysex, words};
use crate::channels::{Seat, seats};
use cantus_score::{Control, Meter, Mode, Part, Program, Score, names_drums};
use std::collections::HashSet;

/// `score` as a MIDI file of format 1: a first track with title, remarks, tempo, metre and key, then a track a part.
///
/// Where there is more than one port, each part's track names its own (`FF 21`). A part of pitches whose name says drums has a message (Roland GS) that it is none.
///
/// Equal scores give equal bytes. A silence too long for one event is bridged with empty text events. What a file cannot say
/// is brought into the form of [`canonicalize`] first.
///
/// # Errors
/// Where the format has no room: see [`WriteError`].
pub fn write(score: &Score) -> Result<Vec<u8>, WriteError> {
    let score = canonicalize(score);
    let division = score.ticks_per_quarter.get();
    let division =
        u16::try_from(division).ok().filter(|d| *d < 1 << 15).ok_or(WriteError::Resolution { found: division })?;
    let tracks =
        u16::try_from(score.parts.len() + 1).map_err(|_| WriteError::TooManyParts { found: score.parts.len() })?;
    for (index, part) in score.parts.iter().enumerate() {
        if part.channel > 15 {
            return Err(WriteError::Channel { part: index + 1, found: part.channel });
        }
    }
    let homeless = seats(&score.parts).iter().filter(|seat| seat.is_none()).count();
    if homeless > 0 {
        return Err(WriteError::Channels { found: homeless });
    }
    let has_ports = score.parts.iter().any(|part| part.port > 0);
    let mut spoken = HashSet::new();
    let mut bytes = Vec::with_capacity(64 + score.note_count() * 8);
    bytes.extend_from_slice(b"MThd\0\0\0\x06\0\x01");
    bytes.extend_from_slice(&tracks.to_be_bytes());
    bytes.extend_from_slice(&division.to_be_bytes());
    write_conductor(&score, &mut bytes)?;
    for (index, part) in score.parts.iter().enumerate() {
        // Parts on one channel have the same programs, pedal and controllers: the first of them says it.
        let speaks = spoken.insert(Seat { port: part.port, channel: part.channel });
        write_part(part, has_ports, speaks, index + 2, &mut bytes)?;
    }
    Ok(bytes)
}

/// An event of up to eight bytes, or the beginning of a text. The derived order (time, then rank, then sequence) is the order in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u64,
    rank: u8,
    sequence: u32,
    length: u8,
    bytes: [u8; 8],
}

impl Event {
    fn new(at: u64, rank: u8, sequence: usize, data: &[u8]) -> Event {
        let mut bytes = [0; 8];
        bytes[..data.len()].copy_from_slice(data);
        Event { at, rank, sequence: sequence as u32, length: data.len() as u8, bytes }
    }

    /// A text: which, says `sequence`.
    fn text(at: u64, rank: u8, sequence: usize, kind: u8) -> Event {
        Event::new(at, rank, sequence, &[0xFF, kind])
    }
}

fn write_conductor(score: &Score, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let mut track = Track::begin(out, 1);
    if let Some(title) = &score.title {
        track.text(meta::TRACK_NAME, title)?;
    }
    if let Some(rights) = &score.rights {
        track.text(meta::COPYRIGHT, rights)?;
    }
    for remark in &score.remarks {
        track.text(meta::TEXT, remark)?;
    }
    let mut events = Vec::with_capacity(score.tempos.len() + score.meters.len() + score.keys.len());
    for (k, (at, tempo)) in score.tempos.iter().enumerate() {
        let [_, a, b, c] = tempo.micros_per_quarter().to_be_bytes();
        events.push(Event::new(at.0, 0, k, &[0xFF, meta::TEMPO, 3, a, b, c]));
    }
    for (k, (at, meter)) in score.meters.iter().enumerate() {
        // Eight 32nds to the quarter: what everyone writes.
        let data = [0xFF, meta::METER, 4, meter.numerator(), meter.denominator_log2(), clocks_to_a_click(*meter), 8];
        events.push(Event::new(at.0, 1, k, &data));
    }
    for (k, (at, key)) in score.keys.iter().enumerate() {
        let mode = match key.mode() {
            Mode::Major => 0,
            Mode::Minor => 1,
        };
        events.push(Event::new(at.0, 2, k, &[0xFF, meta::KEY, 2, key.fifths().cast_unsigned(), mode]));
    }
    let markers: Vec<&str> = score.markers.iter().map(|(_, marker)| marker.as_str()).collect();
    events.extend(score.markers.iter().enumerate().map(|(k, (at, _))| Event::text(at.0, 3, k, meta::MARKER)));
    track.events(&mut events, &markers)?;
    track.finish()
}

/// How many of 24 clocks to the quarter a metronome's click has: a quarter, and in compound metres (6/8, 9/8, 12/8) the dotted beat.
fn clocks_to_a_click(meter: Meter) -> u8 {
    let (numerator, denominator) = (meter.numerator(), 1_u32 << meter.denominator_log2());
    let is_compound = numerator > 3 && numerator.is_multiple_of(3);
    let dotted = Some(3 * 96 / denominator).filter(|clocks| is_compound && clocks * denominator == 3 * 96);
    dotted.and_then(|clocks| u8::try_from(clocks).ok()).unwrap_or(24)
}

/// The track of a part, with what belongs to its channel if it `speaks` for it.
fn write_part(part: &Part, has_ports: bool, speaks: bool, number: usize, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let mut track = Track::begin(out, number);
    if has_ports {
        track.bytes(&[0xFF, meta::PORT, 1, part.port]);
    }
    if let Some(name) = &part.name {
        track.text(meta::TRACK_NAME, name)?;
        let only_pianos = part.programs.iter().all(|(_, program)| *program == Program::PIANO);
        if !part.drums && only_pianos && names_drums(name) {
            track.bytes(&sysex::no_rhythm(part.channel));
        }
    }
    let channel = part.channel;
    let (note_on, control, program_change) = (0x90 | channel, 0xB0 | channel, 0xC0 | channel);
    let room = part.notes.len() * 2 + part.pedal.len() * 2 + part.programs.len() + part.controls.len();
    let mut events = Vec::with_capacity(room + part.lyrics.len());
    for (k, note) in part.notes.iter().enumerate() {
        let pitch = note.pitch.get();
        events.push(Event::new(note.onset.0, 6, k, &[note_on, pitch, note.velocity.get()]));
        // What ended now must end before what begins now; a note of no length must begin before it ends.
        let rank = if note.end() > note.onset { 0 } else { 7 };
        events.push(Event::new(note.end().0, rank, k, &[note_on, pitch, 0]));
    }
    if speaks {
        for (k, span) in part.pedal.iter().enumerate() {
            events.push(Event::new(span.up.0, 1, k, &[control, controller::SUSTAIN, 0]));
            events.push(Event::new(span.down.0, 4, k, &[control, controller::SUSTAIN, 127]));
        }
        // A bank comes before its program.
        for (k, (at, change)) in part.controls.iter().enumerate() {
            events.push(match *change {
                Control::Controller { number, value } => Event::new(at.0, 2, k, &[control, number, value]),
                Control::Bend(bend) => {
                    let bend = bend.wrapping_add(0x2000).cast_unsigned();
                    Event::new(at.0, 2, k, &[0xE0 | channel, (bend & 0x7F) as u8, (bend >> 7) as u8])
                }
                Control::Pressure(pressure) => Event::new(at.0, 2, k, &[0xD0 | channel, pressure]),
            });
        }
        for (k, (at, program)) in part.programs.iter().enumerate() {
            events.push(Event::new(at.0, 3, k, &[program_change, program.get()]));
        }
    }
    let words = words::texts(&part.lyrics);
    events.extend(words.iter().enumerate().map(|(k, (at, _))| Event::text(at.0, 5, k, meta::LYRIC)));
    let words: Vec<&str> = words.iter().map(|(_, text)| text.as_str()).collect();
    track.events(&mut events, &words)?;
    track.finish()
}

/// A track under construction at the end of a file.
struct Track<'a> {
    out: &'a mut Vec<u8>,
    number: usize,
    /// Where its first event begins.
    start: usize,
    now: u64,
    running: u8,
}

impl<'a> Track<'a> {
    fn begin(out: &'a mut Vec<u8>, number: usize) -> Track<'a> {
        out.extend_from_slice(b"MTrk\0\0\0\0");
        let start = out.len();
        Track { out, number, start, now: 0, running: 0 }
    }

    /// A whole event at the current time.
    fn bytes(&mut self, event: &[u8]) {
        self.out.push(0);
        self.out.extend_from_slice(event);
        self.running = 0;
    }

    /// A meta text at the current time.
    fn text(&mut self, kind: u8, text: &str) -> Result<(), WriteError> {
        self.bytes(&[0xFF, kind]);
        self.push_text(text)
    }

    fn push_text(&mut self, text: &str) -> Result<(), WriteError> {
        let length = text.len() as u64;
        if length > MAX_DELTA {
            return Err(WriteError::TextTooLong { found: text.len() });
        }
        push_number(self.out, length);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Writes events in their order; those that are texts stand in `texts`.
    fn events(&mut self, events: &mut [Event], texts: &[&str]) -> Result<(), WriteError> {
        events.sort_unstable();
        for event in events {
            self.wait_until(event.at)?;
            let status = event.bytes[0];
            let skipped = usize::from(status == self.running);
            self.out.extend_from_slice(&event.bytes[skipped..usize::from(event.length)]);
            self.running = if status < 0xF0 { status } else { 0 };
            if matches!(event.bytes[..usize::from(event.length)], [0xFF, _]) {
                self.push_text(texts[event.sequence as usize])?;
            }
        }
        Ok(())
    }

    /// Writes the delta time, with empty texts where it is too long for one event.
    fn wait_until(&mut self, at: u64) -> Result<(), WriteError> {
        let mut delta = at - self.now;
        let bridges = delta.saturating_sub(1) / MAX_DELTA;
        // 16 MiB of silence is more than any real score has, and far from exhausting memory.
        if bridges > 1 << 21 {
            return Err(WriteError::TrackTooLong { track: self.number, found: bridges.saturating_mul(7) });
        }
        while delta > MAX_DELTA {
            push_number(self.out, MAX_DELTA);
            self.out.extend_from_slice(&[0xFF, meta::TEXT, 0]);
            self.running = 0;
            delta -= MAX_DELTA;
        }
        push_number(self.out, delta);
        self.now = at;
        Ok(())
    }

    fn finish(self) -> Result<(), WriteError> {
        self.out.extend_from_slice(&[0, 0xFF, meta::END_OF_TRACK, 0]);
        let length = self.out.len() - self.start;
        let length =
            u32::try_from(length).map_err(|_| WriteError::TrackTooLong { track: self.number, found: length as u64 })?;
        self.out[self.start - 4..self.start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// A variable-length quantity; `number` must not exceed [`MAX_DELTA`].
fn push_number(out: &mut Vec<u8>, number: u64) {
    for shift in [21, 14, 7] {
        if number >> shift != 0 {
            out.push((number >> shift & 0x7F) as u8 | 0x80);
        }
    }
    out.push((number & 0x7F) as u8);
}
