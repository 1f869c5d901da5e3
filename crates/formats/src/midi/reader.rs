//! Bytes to scores: the chunks of a file, and what is put together from its tracks.

use super::canonical::{join, last_wins};
use super::track::{Division, Stop, Track};
use super::{Damage, Limits, MidiError, Oddity, Warning};
use cantus_score::{Key, Meter, Part, Score, Tempo, Ticks, TicksPerQuarter};

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
/// Every pair of track and channel that has notes becomes a part, in the order of the file. In format 2 the sequences follow one another, and
/// a channel is one part throughout. Pedal and programs of a channel that stand in a track without notes go to the first part on
/// that channel.
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
    pub parts: Vec<Part>,
    pub note_count: usize,
    /// Per channel the index + 1 of the part that its notes go to; 0 = none yet.
    pub lanes: [u32; 16],
    /// Per channel and pitch the index + 1 of the first and the last open note of its part. While a note is open, its duration
    /// holds the index + 1 of the next one. A queue is empty where `first` is 0.
    pub first: Vec<u32>,
    pub last: Vec<u32>,
    warnings: Vec<Warning>,
    warnings_dropped: usize,
    damage: Option<(usize, usize, Damage)>,
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
            parts: Vec::new(),
            note_count: 0,
            lanes: [0; 16],
            first: vec![0; 16 * 128],
            last: vec![0; 16 * 128],
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

    fn file(mut self, header: usize, end: usize) -> Result<Reading, MidiError> {
        let Header { format, declared, division, body } = self.header(header, end)?;
        let sequences = format == 2;
        let mut title = None;
        let mut found = 0;
        let mut at = body;
        let mut begin = 0;
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
                self.lanes = [0; 16];
            }
            let (first_part, notes_before) = (self.parts.len(), self.note_count);
            // Chunks with true lengths do not overlap, so that these guesses add up to a few times the file's size.
            let expected_notes = claimed.map_or(0, |bytes| bytes / 8);
            let mut track = Track::new(&mut self, found, division, begin, expected_notes);
            let stopped = track.read(start, stop, end)?;
            let (ended, name) = (track.finish()?, track.name);
            if let Stop::Damaged(offset, damage) = stopped {
                self.damage.get_or_insert((found, offset, damage));
            }
            let name =
                name.map(|range| crate::text::decode(&self.bytes[range]).into_owned()).filter(|name| !name.is_empty());
            if !sequences {
                self.parts[first_part..].sort_by_key(|part| part.channel);
            }
            if found == 1 {
                title.clone_from(&name);
            }
            // In format 0 and 2 the name is the sequence's, in format 1 the track's (and, in the first, the piece's).
            if format == 1 && self.note_count > notes_before {
                for part in &mut self.parts[first_part..] {
                    part.name.clone_from(&name);
                }
            }
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
        if sequences {
            self.parts.sort_by_key(|part| part.channel);
        }
        self.assemble(division, title)
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

    fn assemble(mut self, division: Division, title: Option<String>) -> Result<Reading, MidiError> {
        if let (Some((track, offset, damage)), 0) = (self.damage, self.note_count) {
            return Err(MidiError::Damaged { track, offset, damage });
        }
        self.adopt_orphans();
        for part in &mut self.parts {
            // Notes come by onset: only those of one tick are out of order.
            for chord in part.notes.chunk_by_mut(|a, b| a.onset == b.onset) {
                if chord.len() > 1 {
                    chord.sort_unstable();
                }
            }
        }
        last_wins(&mut self.tempos);
        last_wins(&mut self.meters);
        last_wins(&mut self.keys);
        let score = Score {
            title,
            remarks: self.remarks,
            tempos: self.tempos,
            meters: self.meters,
            keys: self.keys,
            parts: self.parts,
            ..Score::new(division.per_quarter)
        };
        let found = score.end().0.div_ceil(u64::from(division.per_quarter.get()));
        if found > self.limits.max_quarters {
            return Err(MidiError::TooLong { found, limit: self.limits.max_quarters });
        }
        Ok(Reading { score, warnings: self.warnings, warnings_dropped: self.warnings_dropped })
    }

    /// Drops the parts without notes; their pedal and programs go to the first part on their channel.
    fn adopt_orphans(&mut self) {
        if self.parts.iter().all(|part| !part.notes.is_empty()) {
            return;
        }
        let (mut parts, orphans): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parts).into_iter().partition(|part| !part.notes.is_empty());
        let mut adopters = [None; 16];
        for (index, part) in parts.iter().enumerate() {
            adopters[usize::from(part.channel)].get_or_insert((index, part.programs.is_empty()));
        }
        let mut pedalled = [false; 16];
        for orphan in orphans {
            let channel = usize::from(orphan.channel);
            let Some((index, without_programs)) = adopters[channel] else { continue };
            let part = &mut parts[index];
            pedalled[channel] |= !orphan.pedal.is_empty();
            part.pedal.extend(orphan.pedal);
            if without_programs {
                part.programs.extend(orphan.programs);
            }
        }
        for (index, without_programs) in adopters.into_iter().flatten() {
            let part = &mut parts[index];
            if pedalled[usize::from(part.channel)] {
                part.pedal = join(std::mem::take(&mut part.pedal));
            }
            if without_programs {
                last_wins(&mut part.programs);
            }
        }
        self.parts = parts;
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
