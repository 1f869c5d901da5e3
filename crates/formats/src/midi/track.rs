//! The events of one track.

use super::reader::{Reader, is_chunk_id};
use super::{Damage, MidiError, Oddity, controller, meta};
use crate::text;
use cantus_score::{Key, Meter, Mode, Note, Part, PedalSpan, Pitch, Program, Tempo, Ticks, TicksPerQuarter, Velocity};
use std::ops::Range;

/// How long a tick is.
#[derive(Clone, Copy)]
pub struct Division {
    pub per_quarter: TicksPerQuarter,
    /// Set where ticks are absolute time: then tempo events mean nothing.
    pub fixed_tempo: Option<Tempo>,
}

/// Where and why reading of a track stopped.
#[derive(Clone, Copy)]
pub enum Stop {
    /// After the end-of-track event.
    End(usize),
    /// After the last byte, without an end-of-track event.
    NoEnd(usize),
    /// At an event that cannot be read.
    Damaged(usize, Damage),
}

impl Stop {
    /// Where the rest of the file begins.
    pub fn offset(self) -> usize {
        match self {
            Stop::End(at) | Stop::NoEnd(at) | Stop::Damaged(at, _) => at,
        }
    }
}

/// After so many events with impossible data bytes the reader has lost its place.
const MAX_NONSENSE: usize = 64;

/// A pedal that is up.
const UP: u64 = u64::MAX;

/// A track being read.
pub struct Track<'r, 'a> {
    reader: &'r mut Reader<'a>,
    number: usize,
    division: Division,
    /// When the track begins; only sequences of format 2 begin later than 0.
    begin: u64,
    now: u64,
    running: u8,
    /// Whether a meta or system event has come since `running` was set.
    interrupted: bool,
    warned_running: bool,
    /// Per channel, when the pedal went down.
    pedal: [u64; 16],
    /// How many notes the track's first part should have room for.
    expected_notes: usize,
    open: usize,
    stray: usize,
    nonsense: usize,
    /// Where the end of the events read is, for warnings.
    offset: usize,
    /// Where the track's name stands in the file.
    pub name: Option<Range<usize>>,
}

impl<'r, 'a> Track<'r, 'a> {
    pub fn new(
        reader: &'r mut Reader<'a>,
        number: usize,
        division: Division,
        begin: u64,
        expected_notes: usize,
    ) -> Track<'r, 'a> {
        Track {
            reader,
            number,
            division,
            begin,
            now: begin,
            running: 0,
            interrupted: false,
            warned_running: false,
            pedal: [UP; 16],
            expected_notes,
            open: 0,
            stray: 0,
            nonsense: 0,
            offset: 0,
            name: None,
        }
    }

    /// Reads the events from `start` to `stop`, or beyond where that is plainly not the track's end; never beyond `end`.
    pub fn read(&mut self, start: usize, stop: usize, end: usize) -> Result<Stop, MidiError> {
        let mut stopped = self.events(start, stop)?;
        let truncated = match stopped {
            Stop::Damaged(at, Damage::Truncated | Damage::EventTooLong(_)) | Stop::NoEnd(at) => Some(at),
            _ => None,
        };
        if let Some(at) = truncated {
            let next = &self.reader.bytes[stop..end];
            if next.len() >= 4 && !is_chunk_id(&next[..4]) {
                self.warn(stop, Oddity::TrackTooShort);
                let limit = next.windows(4).position(|window| window == b"MTrk").map_or(end, |k| stop + k);
                stopped = self.events(at, limit)?;
            }
        }
        self.offset = stopped.offset();
        match stopped {
            Stop::End(_) => {}
            Stop::NoEnd(at) => self.warn(at, Oddity::NoEnd),
            Stop::Damaged(at, damage) => self.warn(at, Oddity::Damaged(damage)),
        }
        Ok(stopped)
    }

    /// Ends what is still open; the time of the track's end.
    pub fn finish(&mut self) -> Result<u64, MidiError> {
        if self.stray > 0 {
            self.warn(self.offset, Oddity::StrayNoteOffs(self.stray));
        }
        if self.open > 0 {
            self.warn(self.offset, Oddity::Unreleased(self.open));
            self.release_all();
        }
        for channel in 0..16 {
            self.pedal_up(channel);
        }
        Ok(self.now)
    }

    fn warn(&mut self, offset: usize, oddity: Oddity) {
        self.reader.warn(Some(self.number), offset, oddity);
    }

    fn events(&mut self, start: usize, stop: usize) -> Result<Stop, MidiError> {
        let bytes = self.reader.bytes;
        let data = &bytes[..stop];
        let mut at = start;
        while at < stop {
            let event = at;
            let truncated = Stop::Damaged(event, Damage::Truncated);
            let delta = match number(data, &mut at) {
                Ok(delta) => delta,
                Err(damage) => return Ok(Stop::Damaged(event, damage)),
            };
            let Some(&byte) = data.get(at) else { return Ok(truncated) };
            let mut status = byte;
            if byte >= 0x80 {
                at += 1;
            } else {
                status = self.running;
                if status == 0 {
                    return Ok(Stop::Damaged(event, Damage::NoStatus(byte)));
                }
                if self.interrupted && !self.warned_running {
                    self.warned_running = true;
                    self.warn(at, Oddity::RunningStatus);
                }
            }
            if status < 0xF0 {
                self.running = status;
                self.interrupted = false;
                let channel = usize::from(status & 0x0F);
                // Programs and channel pressure have one data byte, the others two.
                if status & 0xE0 == 0xC0 {
                    let Some(&value) = data.get(at) else { return Ok(truncated) };
                    at += 1;
                    self.now += delta;
                    if value >= 0x80 {
                        if self.nonsense(at - 1, status, value) {
                            return Ok(Stop::Damaged(event, Damage::Nonsense));
                        }
                    } else if status & 0xF0 == 0xC0 {
                        self.program(channel, value);
                    }
                    continue;
                }
                let Some(&[a, b]) = data.get(at..at + 2) else { return Ok(truncated) };
                at += 2;
                self.now += delta;
                if (a | b) >= 0x80 {
                    let found = if a >= 0x80 { a } else { b };
                    if self.nonsense(at - 2, status, found) {
                        return Ok(Stop::Damaged(event, Damage::Nonsense));
                    }
                    continue;
                }
                match status & 0xF0 {
                    0x90 if b > 0 => self.note_on(channel, a, b, event)?,
                    0x80 | 0x90 => self.note_off(channel, a),
                    0xB0 if a == controller::SUSTAIN && b >= 64 => self.pedal_down(channel),
                    0xB0 if a == controller::SUSTAIN || a == controller::RESET_ALL => self.pedal_up(channel),
                    _ => {}
                }
                continue;
            }
            self.interrupted = true;
            match status {
                0xFF => {
                    let Some(&kind) = data.get(at) else { return Ok(truncated) };
                    at += 1;
                    let body = match block(data, &mut at) {
                        Ok(body) => body,
                        Err(damage) => return Ok(Stop::Damaged(event, damage)),
                    };
                    self.now += delta;
                    if kind == meta::END_OF_TRACK {
                        return Ok(Stop::End(at));
                    }
                    self.meta(kind, body);
                }
                0xF0 | 0xF7 => {
                    if let Err(damage) = block(data, &mut at) {
                        return Ok(Stop::Damaged(event, damage));
                    }
                    self.now += delta;
                }
                _ => {
                    // System common and real-time messages have no place in a file. Real-time ones leave running status alone.
                    let length = match status {
                        0xF1 | 0xF3 => 1,
                        0xF2 => 2,
                        _ => 0,
                    };
                    if stop - at < length {
                        return Ok(truncated);
                    }
                    self.warn(at - 1, Oddity::SystemMessage(status));
                    at += length;
                    self.now += delta;
                }
            }
        }
        Ok(Stop::NoEnd(at))
    }

    /// Counts an event with an impossible data byte; whether there have been too many.
    #[cold]
    fn nonsense(&mut self, offset: usize, status: u8, found: u8) -> bool {
        self.warn(offset, Oddity::DataByte { status, found });
        self.nonsense += 1;
        self.nonsense > MAX_NONSENSE
    }

    /// The part of a channel; made where there is none yet.
    fn part(&mut self, channel: usize) -> &mut Part {
        if self.reader.lanes[channel] == 0 {
            self.reader.parts.push(Part {
                channel: channel as u8,
                drums: channel == usize::from(Part::DRUM_CHANNEL),
                notes: Vec::with_capacity(std::mem::take(&mut self.expected_notes).min(self.reader.limits.max_notes)),
                ..Part::default()
            });
            self.reader.lanes[channel] = self.reader.parts.len() as u32;
        }
        &mut self.reader.parts[self.reader.lanes[channel] as usize - 1]
    }

    #[inline]
    fn note_on(&mut self, channel: usize, pitch: u8, velocity: u8, offset: usize) -> Result<(), MidiError> {
        let limit = self.reader.limits.max_notes;
        if self.reader.note_count >= limit {
            return Err(MidiError::TooManyNotes { limit, offset });
        }
        let (Ok(pitch), Ok(velocity)) = (Pitch::try_from(pitch), Velocity::try_from(velocity)) else {
            return Ok(());
        };
        self.reader.note_count += 1;
        self.open += 1;
        let onset = Ticks(self.now);
        let notes = &mut self.part(channel).notes;
        notes.push(Note { onset, pitch, duration: Ticks::ZERO, velocity });
        let index = notes.len() as u32;
        let key = channel << 7 | usize::from(pitch.get());
        if self.reader.first[key] == 0 {
            self.reader.first[key] = index;
        } else {
            let previous = self.reader.last[key] as usize - 1;
            self.part(channel).notes[previous].duration = Ticks(u64::from(index));
        }
        self.reader.last[key] = index;
        Ok(())
    }

    #[inline]
    fn note_off(&mut self, channel: usize, pitch: u8) {
        let key = channel << 7 | usize::from(pitch);
        if self.reader.first[key] == 0 {
            self.stray += 1;
        } else {
            self.release(key);
        }
    }

    /// Ends the oldest note of a queue that is not empty.
    #[inline]
    fn release(&mut self, key: usize) {
        let lane = self.reader.lanes[key >> 7] as usize - 1;
        let note = &mut self.reader.parts[lane].notes[self.reader.first[key] as usize - 1];
        self.reader.first[key] = note.duration.0 as u32;
        note.duration = Ticks(self.now - note.onset.0);
        self.open -= 1;
    }

    fn release_all(&mut self) {
        for key in 0..self.reader.first.len() {
            while self.reader.first[key] != 0 {
                self.release(key);
            }
        }
    }

    fn program(&mut self, channel: usize, number: u8) {
        let now = Ticks(self.now);
        let Some(program) = Program::new(number) else { return };
        let programs = &mut self.part(channel).programs;
        match programs.last_mut() {
            Some(last) if last.0 == now => last.1 = program,
            _ => programs.push((now, program)),
        }
    }

    fn pedal_down(&mut self, channel: usize) {
        if self.pedal[channel] == UP {
            self.pedal[channel] = self.now;
        }
    }

    fn pedal_up(&mut self, channel: usize) {
        let down = std::mem::replace(&mut self.pedal[channel], UP);
        if down < self.now {
            let span = PedalSpan { down: Ticks(down), up: Ticks(self.now) };
            self.part(channel).pedal.push(span);
        }
    }

    fn meta(&mut self, kind: u8, body: Range<usize>) {
        let offset = body.start;
        let bytes = &self.reader.bytes[body.clone()];
        let now = Ticks(self.now);
        match kind {
            meta::TEXT => self.remark(body),
            meta::TRACK_NAME => {
                self.name.get_or_insert(body);
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

    /// Keeps a text at the beginning of the track. Later ones are lyrics and directions, which a score has no place for.
    fn remark(&mut self, body: Range<usize>) {
        if body.is_empty() || self.now != self.begin {
            return;
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
}

/// A variable-length quantity; moves `at` past it.
#[inline]
fn number(data: &[u8], at: &mut usize) -> Result<u64, Damage> {
    let mut value = 0;
    for _ in 0..4 {
        let &byte = data.get(*at).ok_or(Damage::Truncated)?;
        *at += 1;
        value = value << 7 | u64::from(byte & 0x7F);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Damage::EndlessNumber)
}

/// A length and so many bytes; moves `at` past them.
fn block(data: &[u8], at: &mut usize) -> Result<Range<usize>, Damage> {
    let length = number(data, at)?;
    let left = (data.len() - *at) as u64;
    if length > left {
        return Err(Damage::EventTooLong(length as u32));
    }
    let start = *at;
    *at += length as usize;
    Ok(start..*at)
}
