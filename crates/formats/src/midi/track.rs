//! The events of one track, and its notes. What the other events mean stands in `event.rs`.

// tidy: allow(circle): a track is read into what the reader has gathered, and the reader asks for it
use super::reader::{Lane, Queue, Reader, is_chunk_id};
use super::{Damage, MidiError, Oddity, meta};
use cantus_score::{Note, Part, Pitch, Tempo, Ticks, TicksPerQuarter, Velocity};
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

/// A note that its own track does not end.
#[derive(Clone, Copy)]
pub struct Unreleased {
    /// The port, by the reader's own count, then channel and pitch, seven bits each.
    pub key: u32,
    pub onset: u64,
    /// Which lane, and which of its notes.
    pub lane: u32,
    pub note: u32,
    /// When its track ends, and which it is.
    pub end: u64,
    pub track: u32,
}

/// The end of a note that its own track does not begin.
#[derive(Clone, Copy)]
pub struct Stray {
    /// As [`Unreleased::key`].
    pub key: u32,
    pub at: u64,
    pub track: u32,
}

/// What is said of a track once all have been read.
pub struct TrackEnd {
    /// Where its events end.
    pub offset: usize,
    /// Ends of notes that it does not begin.
    pub stray: usize,
    /// Notes that nobody ended.
    pub unreleased: usize,
}

/// A text that may be sung.
pub struct Text {
    pub at: u64,
    /// Where it stands in the file.
    pub range: Range<usize>,
    /// The channel that a prefix named.
    pub channel: Option<u8>,
    /// Whether it is a lyric event; otherwise it is a text.
    pub is_lyric: bool,
}

/// A track being read.
pub struct Track<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) number: usize,
    pub(super) division: Division,
    /// When the track begins; only sequences of format 2 begin later than 0.
    pub(super) begin: u64,
    pub(super) now: u64,
    running: u8,
    /// Whether a meta or system event has come since `running` was set.
    pub(super) interrupted: bool,
    warned_running: bool,
    /// Which port, by the reader's own count, and where its channels begin among the streams.
    pub(super) port: usize,
    /// Per channel, what the track last said of the pedal.
    pub(super) pedal: [Option<bool>; 16],
    /// The channel that the texts after it are for, until a channel event.
    pub(super) prefix: Option<u8>,
    /// The beginning of a system-exclusive message that goes on.
    pub(super) packets: Vec<u8>,
    /// How many notes the track's first part should have room for.
    expected_notes: usize,
    /// How many notes of each channel sound.
    open: [u32; 16],
    /// How many notes were ended by "all notes off": their own ends are no strays.
    silenced: usize,
    stray: usize,
    nonsense: usize,
    /// Where the end of the events read is, for warnings.
    offset: usize,
    /// Where the track's name stands in the file.
    pub name: Option<Range<usize>>,
    /// Where its instrument's name stands.
    pub instrument: Option<Range<usize>>,
    /// Names for single channels.
    pub names: Vec<(u8, Range<usize>)>,
    /// What may be sung.
    pub texts: Vec<Text>,
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
            port: 0,
            pedal: [None; 16],
            prefix: None,
            packets: Vec::new(),
            expected_notes,
            open: [0; 16],
            silenced: 0,
            stray: 0,
            nonsense: 0,
            offset: 0,
            name: None,
            instrument: None,
            names: Vec::new(),
            texts: Vec::new(),
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

    /// Leaves what is still open to the other tracks; the time of the track's end.
    pub fn finish(&mut self, is_sequence: bool) -> u64 {
        self.leave_open();
        if is_sequence {
            // The next sequence knows nothing of this one's pedal.
            (0..16).for_each(|channel| self.lift_pedal(channel));
        }
        let (number, now) = (self.number as u32, self.now);
        for unreleased in self.reader.unreleased.iter_mut().rev().take_while(|note| note.track == number) {
            unreleased.end = now;
        }
        self.reader.ends.push(TrackEnd { offset: self.offset, stray: self.stray, unreleased: 0 });
        now
    }

    pub(super) fn warn(&mut self, offset: usize, oddity: Oddity) {
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
                    } else {
                        self.pressure(channel, value);
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
                    0xB0 => self.controller(channel, a, b),
                    0xE0 => self.bend(channel, a, b),
                    _ => self.reader.not_kept.key_pressures += 1,
                }
                continue;
            }
            if !self.interrupted {
                self.prefix = None;
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
                    let body = match block(data, &mut at) {
                        Ok(body) => body,
                        Err(damage) => return Ok(Stop::Damaged(event, damage)),
                    };
                    self.now += delta;
                    self.system_exclusive(status, body);
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
    #[inline]
    fn part(&mut self, channel: usize) -> &mut Part {
        if self.reader.lane_of[channel] == 0 {
            self.make_part(channel);
        }
        &mut self.reader.lanes[self.reader.lane_of[channel] as usize - 1].part
    }

    #[cold]
    fn make_part(&mut self, channel: usize) {
        let notes = Vec::with_capacity(std::mem::take(&mut self.expected_notes).min(self.reader.limits.max_notes));
        let part = Part { channel: channel as u8, notes, ..Part::default() };
        self.reader.lanes.push(Lane { part, track: self.number as u32, port: self.port as u32, names_drums: false });
        self.reader.lane_of[channel] = self.reader.lanes.len() as u32;
        self.reader.make_room_for_open_notes(channel);
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
        self.open[channel] += 1;
        let onset = Ticks(self.now);
        let notes = &mut self.part(channel).notes;
        notes.push(Note { onset, pitch, duration: Ticks::ZERO, velocity });
        let index = notes.len() as u32;
        let key = channel << 7 | usize::from(pitch.get());
        let queue = &mut self.reader.queues[key];
        let last = std::mem::replace(&mut queue.last, index);
        if queue.first == 0 {
            queue.first = index;
        } else {
            self.part(channel).notes[last as usize - 1].duration = Ticks(u64::from(index));
        }
        Ok(())
    }

    #[inline]
    fn note_off(&mut self, channel: usize, pitch: u8) {
        let key = channel << 7 | usize::from(pitch);
        match self.reader.queues.get(key) {
            Some(Queue { first: 1.., .. }) => self.release(key),
            _ => self.stray_note_off(key),
        }
    }

    #[cold]
    fn stray_note_off(&mut self, key: usize) {
        if self.silenced > 0 {
            self.silenced -= 1;
            return;
        }
        self.stray += 1;
        if self.reader.strays.len() < self.reader.limits.max_notes {
            let key = (self.port << 11 | key) as u32;
            self.reader.strays.push(Stray { key, at: self.now, track: self.number as u32 });
        }
    }

    /// Ends the oldest note of a queue that is not empty.
    #[inline]
    fn release(&mut self, key: usize) {
        let lane = self.reader.lane_of[key >> 7] as usize - 1;
        let note = &mut self.reader.lanes[lane].part.notes[self.reader.queues[key].first as usize - 1];
        self.reader.queues[key].first = note.duration.0 as u32;
        note.duration = Ticks(self.now - note.onset.0);
        self.open[key >> 7] -= 1;
    }

    /// Ends the notes of a channel: "all notes off".
    pub(super) fn silence(&mut self, channel: usize) {
        if self.open[channel] > 0 {
            self.silenced += self.open[channel] as usize;
            for key in channel << 7..(channel + 1) << 7 {
                while self.reader.queues[key].first != 0 {
                    self.release(key);
                }
            }
        }
    }

    /// Notes that sound on when the track ends, or goes to another port.
    pub(super) fn leave_open(&mut self) {
        for channel in (0..16).filter(|channel| std::mem::take(&mut self.open[*channel]) > 0) {
            let lane = self.reader.lane_of[channel] - 1;
            let notes = &mut self.reader.lanes[lane as usize].part.notes;
            for key in channel << 7..(channel + 1) << 7 {
                while let Some(note) = self.reader.queues[key].first.checked_sub(1) {
                    let sounding = &mut notes[note as usize];
                    self.reader.queues[key].first = std::mem::take(&mut sounding.duration).0 as u32;
                    self.reader.unreleased.push(Unreleased {
                        key: (self.port << 11 | key) as u32,
                        onset: sounding.onset.0,
                        lane,
                        note,
                        end: self.now,
                        track: self.number as u32,
                    });
                }
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
