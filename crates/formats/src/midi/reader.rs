//! Bytes to scores: the chunks of a file, and what is put together from its tracks.

use super::canonical::{in_order, last_wins};
use super::drums::Saying;
use super::stream::Stream;
use super::track::{Division, Stop, Stray, Text, Track, TrackEnd, Unreleased};
use super::{Damage, Limits, MidiError, NotKept, Oddity, Warning};
use cantus_score::{Key, Meter, Part, Score, Tempo, Ticks, TicksPerQuarter, names_drums};
use std::ops::Range;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The music.
    pub score: Score,
    /// What was odd, in the order in which it was met; at most [`Limits::max_warnings`].
    pub warnings: Vec<Warning>,
    /// How many more warnings there were.
    pub warnings_dropped: usize,
}

/// Reads a MIDI file of format 0, 1 or 2, bare or in a RIFF wrapper.
///
/// Every track and channel (of a port, or of a device) that has notes becomes a part, in the order of the file. In format 2 the
/// sequences follow one another, and a channel is one part throughout. Programs, pedal, controllers and bends act on their channel: all parts that play there get them, whichever
/// track they stand in; where two tracks speak at one tick, each part believes its own.
///
/// What is a drum is said by messages and banks from their tick on (`sysex.rs`, `drums.rs`); otherwise by channel 9, and where
/// nothing but a piano is named by a track's name ([`names_drums`]). A channel that is both becomes two parts.
///
/// # Errors
/// See [`MidiError`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Reading, MidiError> {
    if bytes.len() > limits.max_bytes {
        return Err(MidiError::TooLarge { found: bytes.len(), limit: limits.max_bytes });
    }
    let start = find_header(bytes)?;
    let mut reader = Reader::new(bytes, limits);
    if start.skipped > 0 {
        reader.warn(None, 0, Oddity::LeadingBytes(start.skipped));
    }
    reader.file(start.header, start.end)
}

/// Where the MIDI file begins and ends within the bytes.
struct Start {
    header: usize,
    end: usize,
    skipped: usize,
}

fn find_header(bytes: &[u8]) -> Result<Start, MidiError> {
    /// How much junk (a MacBinary header, a stray chunk) may stand before the header.
    const MAX_JUNK: usize = 64 << 10;
    if bytes.is_empty() {
        return Err(MidiError::Empty);
    }
    if let Some((header, end)) = riff_data(bytes) {
        return Ok(Start { header, end, skipped: 0 });
    }
    let junk = &bytes[..bytes.len().min(MAX_JUNK)];
    match junk.windows(4).position(|window| window == b"MThd") {
        Some(header) => Ok(Start { header, end: bytes.len(), skipped: header }),
        None => Err(MidiError::NotMidi { start: bytes[..bytes.len().min(8)].to_vec() }),
    }
}

/// The `data` chunk of a RIFF file of type RMID, as far as it is there.
fn riff_data(bytes: &[u8]) -> Option<(usize, usize)> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"RMID" {
        return None;
    }
    let mut at = 12;
    loop {
        let id = bytes.get(at..at + 4)?;
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        let start = at + 8;
        if id == b"data" && bytes[start..].starts_with(b"MThd") {
            return Some((start, start.saturating_add(length).min(bytes.len())));
        }
        // Chunks are padded to even lengths.
        at = start.checked_add(length)?.checked_add(length & 1)?;
    }
}

/// Everything that is shared by the tracks of a file while it is read.
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub limits: &'a Limits,
    pub tempos: Vec<(Ticks, Tempo)>,
    pub meters: Vec<(Ticks, Meter)>,
    pub keys: Vec<(Ticks, Key)>,
    pub remarks: Vec<String>,
    pub remark_bytes: usize,
    pub markers: Vec<(Ticks, String)>,
    pub rights: Option<String>,
    pub lanes: Vec<Lane>,
    pub note_count: usize,
    /// Per channel of the port the index + 1 of the lane that its notes go to; 0 = none yet.
    pub lane_of: [u32; 16],
    /// The same of the other ports that the track has been to.
    lane_elsewhere: Vec<(usize, [u32; 16])>,
    /// Per channel and pitch. Most files need a few channels only: there is room for those up to the highest that has a lane.
    pub queues: Vec<Queue>,
    /// The ports, in the order in which they were met; the first is that of tracks which say nothing.
    pub ports: Vec<Port>,
    /// Sixteen channels a port.
    pub streams: Vec<Stream>,
    pub sayings: Vec<Saying>,
    /// How many more controllers and the like are kept.
    pub controls_left: usize,
    /// Per track, what may be sung.
    pub words: Vec<(u32, Vec<Text>)>,
    pub unreleased: Vec<Unreleased>,
    pub strays: Vec<Stray>,
    pub ends: Vec<TrackEnd>,
    pub not_kept: NotKept,
    warned_of_controls: bool,
    warnings: Vec<Warning>,
    warnings_dropped: usize,
    damage: Option<(usize, usize, Damage)>,
}

/// The notes of a pitch that sound: the index + 1 of the first and of the last in their part. While a note sounds, its duration
/// holds the index + 1 of the next one. Where `first` is 0, none sounds.
#[derive(Clone, Copy, Default)]
pub(super) struct Queue {
    pub first: u32,
    pub last: u32,
}

/// The notes of one track on one channel of one port.
pub(super) struct Lane {
    /// Without all that belongs to the channel, until all tracks have been read.
    pub part: Part,
    /// From 1.
    pub track: u32,
    /// By the reader's own count.
    pub port: u32,
    /// Whether the name of its track or of its instrument says drums.
    pub names_drums: bool,
}

impl Lane {
    /// Which stream it plays in.
    pub fn stream(&self) -> usize {
        (self.port as usize) << 4 | usize::from(self.part.channel)
    }
}

/// Where a track's channels are.
pub(super) struct Port {
    /// What the file says, or 0.
    pub number: u8,
    /// The name of a device, as it stands in the file.
    pub device: Option<Range<usize>>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits) -> Reader<'a> {
        Reader {
            bytes,
            limits,
            tempos: Vec::new(),
            meters: Vec::new(),
            keys: Vec::new(),
            remarks: Vec::new(),
            remark_bytes: 0,
            markers: Vec::new(),
            rights: None,
            lanes: Vec::new(),
            note_count: 0,
            lane_of: [0; 16],
            lane_elsewhere: Vec::new(),
            queues: Vec::with_capacity(16 << 7),
            ports: vec![Port { number: 0, device: None }],
            streams: (0..16).map(|_| Stream::default()).collect(),
            sayings: Vec::new(),
            controls_left: limits.max_controls,
            words: Vec::new(),
            unreleased: Vec::new(),
            strays: Vec::new(),
            ends: Vec::new(),
            not_kept: NotKept::default(),
            warned_of_controls: false,
            warnings: Vec::new(),
            warnings_dropped: 0,
            damage: None,
        }
    }

    #[cold]
    pub fn warn(&mut self, track: Option<usize>, offset: usize, oddity: Oddity) {
        if self.warnings.len() < self.limits.max_warnings {
            self.warnings.push(Warning { track, offset, oddity });
        } else {
            self.warnings_dropped += 1;
        }
    }

    /// Says once that controllers and the like are too many.
    #[cold]
    pub fn too_many_controls(&mut self) {
        if !std::mem::replace(&mut self.warned_of_controls, true) {
            self.warn(None, 0, Oddity::Controls(self.limits.max_controls));
        }
    }

    /// Room for the open notes of a channel.
    pub fn make_room_for_open_notes(&mut self, channel: usize) {
        let needed = (channel + 1) << 7;
        if self.queues.len() < needed {
            self.queues.resize(needed, Queue::default());
        }
    }

    /// Which port that is, by the reader's own count.
    pub fn port(&mut self, number: u8, device: Option<Range<usize>>) -> usize {
        /// A file with more devices has them share the last.
        const MOST: usize = 256;
        let name = |device: &Option<Range<usize>>| device.clone().map(|range| &self.bytes[range]);
        let wanted = name(&device);
        let known = self.ports.iter().position(|port| port.number == number && name(&port.device) == wanted);
        known.unwrap_or_else(|| {
            if self.ports.len() < MOST {
                self.ports.push(Port { number, device });
                self.streams.extend((0..16).map(|_| Stream::default()));
            }
            self.ports.len() - 1
        })
    }

    /// A track goes from one port to another.
    pub fn change_lanes(&mut self, from: usize, to: usize) {
        self.lane_elsewhere.push((from, self.lane_of));
        let known = self.lane_elsewhere.iter().position(|(port, _)| *port == to);
        self.lane_of = known.map_or([0; 16], |index| self.lane_elsewhere.swap_remove(index).1);
    }

    fn file(mut self, header: usize, end: usize) -> Result<Reading, MidiError> {
        let bytes = self.bytes;
        let Header { format, declared, division, body } = self.header(header, end)?;
        let sequences = format == 2;
        // Of a number that nobody has checked, no more than is usual.
        let usual = usize::from(declared).min(32);
        self.lanes.reserve(usual);
        self.ends.reserve(usual);
        let mut title = None;
        let mut found = 0;
        let mut at = body;
        let (mut begin, mut last) = (0, 0);
        while at < end {
            let Some(chunk) = self.next_chunk(at, end) else { break };
            let Chunk::Track { start, stop, claimed } = chunk else {
                let Chunk::Other { next } = chunk else { break };
                at = next;
                continue;
            };
            found += 1;
            if found > self.limits.max_tracks {
                return Err(MidiError::TooManyTracks { limit: self.limits.max_tracks, offset: start - 8 });
            }
            if sequences && found > 1 && begin > 0 {
                self.forget_tempo_and_metre(begin);
            }
            if !sequences {
                self.lane_of = [0; 16];
                self.lane_elsewhere.clear();
            }
            let first_lane = self.lanes.len();
            // Chunks with true lengths do not overlap, so that these guesses add up to a few times the file's size.
            let expected_notes = claimed.map_or(0, |bytes| bytes / 8);
            let mut track = Track::new(&mut self, found, division, begin, expected_notes);
            let stopped = track.read(start, stop, end)?;
            let ended = track.finish(sequences);
            let Track { name, instrument, names, texts, .. } = track;
            if let Stop::Damaged(offset, damage) = stopped {
                self.damage.get_or_insert((found, offset, damage));
            }
            if !texts.is_empty() {
                self.words.push((found as u32, texts));
            }
            let text = |range: Range<usize>| crate::text::decode(&bytes[range]).into_owned();
            let name = name.map(text).filter(|name| !name.is_empty());
            let instrument = instrument.map(text).filter(|name| !name.is_empty());
            if found == 1 {
                title.clone_from(&name);
            }
            // In format 0 and 2 the name is the sequence's, in format 1 the track's (and, in the first, the piece's).
            let tracks_own = if format == 1 { name.as_ref().or(instrument.as_ref()) } else { None };
            let says = |name: Option<&String>| name.is_some_and(|name| names_drums(name));
            let says_drums = says(tracks_own) || says(instrument.as_ref());
            for lane in &mut self.lanes[if sequences { 0 } else { first_lane }..] {
                let channels_own = names.iter().find(|(channel, _)| *channel == lane.part.channel);
                let channels_own = channels_own.map(|(_, range)| text(range.clone())).filter(|name| !name.is_empty());
                if let Some(name) = channels_own.as_ref().or(tracks_own) {
                    lane.part.name = Some(name.clone());
                }
                lane.names_drums |= says_drums || says(channels_own.as_ref());
                let stream = &mut self.streams[lane.stream()];
                stream.end = stream.end.max(ended);
            }
            last = last.max(ended);
            if sequences {
                begin = ended;
            }
            at = match stopped {
                // A chunk that is longer than the file, or shorter than its track: its length says nothing about the next.
                _ if claimed.is_none() => stopped.offset(),
                _ if stopped.offset() > stop => stopped.offset(),
                _ => stop,
            };
        }
        if usize::from(declared) != found {
            if found == 0 {
                return Err(MidiError::NoTracks { declared });
            }
            self.warn(None, header, Oddity::TrackCount { declared, found });
        }
        if format == 0 && found > 1 {
            self.warn(None, header, Oddity::SeveralTracks);
        }
        self.assemble(division, title, format, last)
    }

    fn header(&mut self, at: usize, end: usize) -> Result<Header, MidiError> {
        let available = end.saturating_sub(at + 8);
        let length = self.bytes[at..end].get(4..8).map_or(0, be_u32);
        let error = MidiError::Header { offset: at, length, available };
        let length = length as usize;
        if length < 6 || length > available {
            return Err(error);
        }
        let word = |k: usize| u16::from_be_bytes([self.bytes[at + k], self.bytes[at + k + 1]]);
        let (format, declared, division) = (word(8), word(10), word(12));
        let body = at + 8 + length;
        if format > 2 {
            self.warn(None, at + 8, Oddity::UnknownFormat(format));
        }
        let format = if format > 2 { 1 } else { format };
        Ok(Header { format, declared, division: self.division(division, at + 12), body })
    }

    /// How long a tick is. In frames, ticks are absolute time: quarters of half a second (or of one, where a second has an odd
    /// number of ticks) make them exact.
    fn division(&mut self, division: u16, offset: usize) -> Division {
        let [high, low] = division.to_be_bytes();
        let frames = high.cast_signed().unsigned_abs();
        if high < 0x80 {
            if let Some(per_quarter) = TicksPerQuarter::new(u32::from(division)) {
                return Division { per_quarter, fixed_tempo: None };
            }
        } else if low != 0 {
            // 29 stands for the 30 frames in 1.001 seconds of television.
            let (frames_per_second, second) = if frames == 29 { (30, 1_001_000) } else { (frames, 1_000_000) };
            let ticks = u32::from(frames_per_second) * u32::from(low);
            let halves = if ticks.is_multiple_of(2) { 2 } else { 1 };
            let tempo = second / halves;
            if let (Some(per_quarter), Some(fixed)) =
                (TicksPerQuarter::new(ticks / halves), Tempo::from_micros_per_quarter(tempo))
            {
                self.warn(None, offset, Oddity::Frames { frames, tempo });
                self.tempos.push((Ticks::ZERO, fixed));
                return Division { per_quarter, fixed_tempo: Some(fixed) };
            }
        }
        self.warn(None, offset, Oddity::ZeroDivision);
        Division { per_quarter: TicksPerQuarter::DEFAULT, fixed_tempo: None }
    }

    /// What stands at `at`; `None` where nothing more is to be found.
    fn next_chunk(&mut self, at: usize, end: usize) -> Option<Chunk> {
        let rest = &self.bytes[at..end];
        if rest.len() < 8 {
            self.warn(None, at, Oddity::StrayBytes(rest.len()));
            return None;
        }
        let id: [u8; 4] = rest[..4].try_into().ok()?;
        let length = be_u32(&rest[4..8]);
        let start = at + 8;
        let available = end - start;
        let fits = usize::try_from(length).ok().filter(|length| *length <= available);
        if &id == b"MTrk" {
            if fits.is_none() {
                self.warn(None, at, Oddity::TrackCut { claimed: length, available });
            }
            return Some(Chunk::Track { start, stop: start + fits.unwrap_or(available), claimed: fits });
        }
        if let Some(length) = fits.filter(|_| is_chunk_id(&id)) {
            self.warn(None, at, Oddity::UnknownChunk(id));
            return Some(Chunk::Other { next: start + length });
        }
        let next = rest.windows(4).position(|window| window == b"MTrk");
        self.warn(None, at, Oddity::StrayBytes(next.unwrap_or(rest.len())));
        next.map(|distance| Chunk::Other { next: at + distance })
    }

    /// The sequences of format 2 know nothing of one another: each begins at 120 quarters per minute, in 4/4.
    fn forget_tempo_and_metre(&mut self, at: u64) {
        if !self.tempos.is_empty() {
            self.tempos.push((Ticks(at), Tempo::DEFAULT));
        }
        if !self.meters.is_empty() {
            self.meters.push((Ticks(at), Meter::COMMON));
        }
    }

    /// Puts the score together; `last` is when the last track ends.
    fn assemble(
        mut self,
        division: Division,
        title: Option<String>,
        format: u16,
        last: u64,
    ) -> Result<Reading, MidiError> {
        if let (Some((track, offset, damage)), 0) = (self.damage, self.note_count) {
            return Err(MidiError::Damaged { track, offset, damage });
        }
        let parts = self.parts(format != 2, title.as_deref().filter(|_| format == 0));
        if self.not_kept != NotKept::default() {
            self.warn(None, 0, Oddity::NotKept(self.not_kept));
        }
        last_wins(&mut self.tempos);
        last_wins(&mut self.meters);
        last_wins(&mut self.keys);
        in_order(&mut self.markers);
        let score = Score {
            title,
            rights: self.rights,
            remarks: self.remarks,
            tempos: self.tempos,
            meters: self.meters,
            keys: self.keys,
            markers: self.markers,
            parts,
            ..Score::new(division.per_quarter)
        };
        let quarters = |ticks: u64| ticks.div_ceil(u64::from(division.per_quarter.get()));
        // No note ends after all tracks have: where they are not too long, no note need be looked at.
        let found = if quarters(last) > self.limits.max_quarters { quarters(score.end().0) } else { 0 };
        if found > self.limits.max_quarters {
            return Err(MidiError::TooLong { found, limit: self.limits.max_quarters });
        }
        Ok(Reading { score, warnings: self.warnings, warnings_dropped: self.warnings_dropped })
    }
}

struct Header {
    format: u16,
    declared: u16,
    division: Division,
    /// Where the first chunk after the header begins.
    body: usize,
}

enum Chunk {
    /// A track's events from `start` to `stop`; `claimed` is its length where that can be true.
    Track { start: usize, stop: usize, claimed: Option<usize> },
    /// Something to be skipped.
    Other { next: usize },
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// Whether a chunk may be called so: four printable characters.
pub(super) fn is_chunk_id(id: &[u8]) -> bool {
    id.len() == 4 && id.iter().all(|byte| matches!(byte, 0x20..=0x7E))
}
