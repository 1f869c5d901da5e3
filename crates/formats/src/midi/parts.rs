//! The parts of a score out of what all tracks said.

use super::canonical::{first_in_first_out, keeps};
use super::drums::{self, Kind, Sayings};
use super::reader::{Lane, Reader};
use super::stream::Share;
use super::track::{TrackEnd, Unreleased};
use super::{Oddity, words};
use crate::text;
use cantus_score::{Note, Part, Program, Ticks};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// When many tracks may be sung to a text, so many are looked at, and so many of its syllables.
const LOOKED_AT: usize = 64;

impl Reader<'_> {
    /// Ends the notes, and gives every part its name, kind, programs, pedal, controllers and words.
    pub(super) fn parts(&mut self, is_one_stream: bool, title: Option<&str>) -> Vec<Part> {
        self.one_port_for_all();
        let sayings = Sayings::new(std::mem::take(&mut self.sayings));
        for port in 0..self.ports.len() {
            let resets = sayings.resets(port as u32);
            self.streams[port << 4..(port + 1) << 4].iter_mut().for_each(|stream| stream.reset(&resets));
        }
        self.end_notes(is_one_stream);
        let mut lanes = std::mem::take(&mut self.lanes);
        lanes.retain(|lane| !lane.part.notes.is_empty());
        lanes.sort_by_key(|lane| (if is_one_stream { lane.track } else { 0 }, lane.port, lane.part.channel));
        lanes.iter_mut().for_each(|lane| sort_chords(&mut lane.part.notes));
        if let ([lane], Some(title)) = (lanes.as_mut_slice(), title) {
            // The only part of a piece is called as the piece is.
            lane.names_drums |= lane.part.name.is_none() && cantus_score::names_drums(title);
        }
        self.hand_out_words(&mut lanes);
        self.number_ports(&lanes);
        self.hand_out_settings(lanes, &sayings)
    }

    /// Where all notes are on one port that is named, what was said without a port is meant for it.
    fn one_port_for_all(&mut self) {
        let mut used = self.lanes.iter().filter(|lane| !lane.part.notes.is_empty()).map(|lane| lane.port);
        let Some(port) = used.next().filter(|port| *port > 0) else { return };
        if used.any(|other| other != port) {
            return;
        }
        let start = (port as usize) << 4;
        for channel in 0..16 {
            let stray = std::mem::take(&mut self.streams[channel]);
            self.streams[start + channel].take_in(stray);
        }
        self.sayings.iter_mut().filter(|saying| saying.port == 0).for_each(|saying| saying.port = port);
    }

    /// Ends what no track of its own has ended: by another track's note-off, by silence, or else with its track.
    fn end_notes(&mut self, is_one_stream: bool) {
        let mut unreleased = std::mem::take(&mut self.unreleased);
        if is_one_stream && !self.strays.is_empty() {
            self.release_across_tracks(&mut unreleased);
        }
        let mut odd_lanes = BTreeSet::new();
        for note in &unreleased {
            let silences = self.streams[(note.key >> 7) as usize].silences();
            let silence = silences.get(silences.partition_point(|at| *at <= note.onset)).copied();
            let end = silence.filter(|at| *at <= note.end);
            self.ends[note.track as usize - 1].unreleased += usize::from(end.is_none());
            let sounding = &mut self.lanes[note.lane as usize].part.notes[note.note as usize];
            sounding.duration = Ticks(end.unwrap_or(note.end) - note.onset);
            odd_lanes.insert(note.lane);
        }
        // A track that goes to another port and comes back may strike a key again that still sounds.
        for lane in odd_lanes {
            let notes = &mut self.lanes[lane as usize].part.notes;
            *notes = first_in_first_out(notes);
        }
        for lane in &mut self.lanes {
            let silences = self.streams[lane.stream()].silences();
            if silences.is_empty() {
                continue;
            }
            for note in &mut lane.part.notes {
                if let Some(&at) = silences.get(silences.partition_point(|at| *at <= note.onset.0)) {
                    note.duration = note.duration.min(Ticks(at) - note.onset);
                }
            }
        }
        for (index, TrackEnd { offset, stray, unreleased }) in std::mem::take(&mut self.ends).into_iter().enumerate() {
            if stray > 0 {
                self.warn(Some(index + 1), offset, Oddity::StrayNoteOffs(stray));
            }
            if unreleased > 0 {
                self.warn(Some(index + 1), offset, Oddity::Unreleased(unreleased));
            }
        }
    }

    /// Note-offs end the oldest note of their pitch on their channel, whichever track it stands in.
    fn release_across_tracks(&mut self, unreleased: &mut Vec<Unreleased>) {
        unreleased.sort_by_key(|note| (note.key, note.onset));
        self.strays.sort_by_key(|stray| (stray.key, stray.at));
        let mut strays = self.strays.iter().peekable();
        unreleased.retain(|note| {
            while strays.next_if(|stray| (stray.key, stray.at) <= (note.key, note.onset)).is_some() {}
            let Some(stray) = strays.next_if(|stray| stray.key == note.key) else { return true };
            let sounding = &mut self.lanes[note.lane as usize].part.notes[note.note as usize];
            sounding.duration = Ticks(stray.at - note.onset);
            self.ends[stray.track as usize - 1].stray -= 1;
            false
        });
    }

    /// Words go to the part that sings them: of a track's parts the one whose notes begin with the syllables.
    fn hand_out_words(&mut self, lanes: &mut [Lane]) {
        let words = std::mem::take(&mut self.words);
        let is_karaoke = self.remarks.iter().any(|remark| remark.starts_with("@K"));
        for (track, texts) in words {
            let bytes = self.bytes;
            let has_lyrics = texts.iter().any(|text| text.is_lyric);
            let mut syllables: Vec<(Ticks, Cow<str>, Option<u8>)> = Vec::new();
            let mut others = 0;
            let is_sung =
                is_karaoke || texts.iter().any(|text| matches!(bytes[text.range.clone()].first(), Some(b'\\' | b'/')));
            for text in &texts {
                if text.is_lyric || !has_lyrics && is_sung && bytes[text.range.start] != b'@' {
                    syllables.push((Ticks(text.at), text::decode(&bytes[text.range.clone()]), text.channel));
                } else {
                    others += 1;
                }
            }
            self.not_kept.texts += others;
            syllables.sort_by_key(|(at, _, channel)| (*channel, *at));
            for sung in syllables.chunk_by(|a, b| a.2 == b.2) {
                let lyrics = words::syllables(sung.iter().map(|(at, text, _)| (*at, &**text)));
                let Some(singer) = singer(lanes, track, sung[0].2, &lyrics) else { continue };
                singer.part.lyrics.extend(lyrics);
                singer.part.lyrics.sort_by_key(|lyric| lyric.at);
            }
        }
    }

    /// Ports have the number that the file says; a device, which has none, gets the next that is free.
    fn number_ports(&mut self, lanes: &[Lane]) {
        if self.ports.len() == 1 {
            return;
        }
        let mut is_used = vec![false; self.ports.len()];
        lanes.iter().for_each(|lane| is_used[lane.port as usize] = true);
        let mut is_taken = [false; 256];
        for (port, _) in self.ports.iter().zip(&is_used).filter(|(port, is_used)| **is_used && port.device.is_none()) {
            is_taken[usize::from(port.number)] = true;
        }
        for (port, _) in self.ports.iter_mut().zip(is_used).filter(|(port, is_used)| *is_used && port.device.is_some())
        {
            let wanted = usize::from(port.number);
            let free = std::iter::once(wanted).chain(0..256).find(|number| !is_taken[*number]).unwrap_or(wanted);
            is_taken[free] = true;
            port.number = free as u8;
        }
    }

    fn hand_out_settings(&mut self, lanes: Vec<Lane>, sayings: &Sayings) -> Vec<Part> {
        let mut kinds: BTreeMap<usize, Cow<[Kind]>> = BTreeMap::new();
        let mut left = self.limits.max_controls;
        let mut melodic = 0;
        lanes.iter().for_each(|lane| self.streams[lane.stream()].parts_left += 1);
        let mut parts = Vec::with_capacity(lanes.len());
        for mut lane in lanes {
            let index = lane.stream();
            let stream = &mut self.streams[index];
            stream.parts_left -= 1;
            let share = match stream.len() {
                0 => Share::default(),
                cost if cost > left => {
                    self.too_many_controls();
                    Share::default()
                }
                cost => {
                    left -= cost;
                    let whole = if stream.parts_left > 0 { stream.clone() } else { std::mem::take(stream) };
                    whole.into_share(lane.track)
                }
            };
            let (port, channel) = (lane.port, lane.part.channel);
            let looks_melodic = channel == Part::DRUM_CHANNEL && !lane.names_drums && drums::looks_melodic(&lane.part);
            lane.part.port = self.ports[port as usize].number;
            let own = sayings.is_empty().then(|| sayings.kinds(port, channel));
            let kinds =
                own.as_ref().unwrap_or_else(|| kinds.entry(index).or_insert_with(|| sayings.kinds(port, channel)));
            melodic += usize::from(looks_melodic && kinds.iter().all(|kind| kind.drums && !kind.is_said));
            split(lane, share, kinds, &mut parts);
        }
        if melodic > 0 {
            self.warn(None, 0, Oddity::MelodicDrums(melodic));
        }
        parts
    }
}

/// Sorts notes that come by onset: only those of one tick are out of order, and most files have few such.
fn sort_chords(mut notes: &mut [Note]) {
    while let Some(k) = notes.windows(2).position(|pair| pair[0] > pair[1]) {
        let onset = notes[k].onset;
        let start = notes[..k].iter().rposition(|note| note.onset != onset).map_or(0, |before| before + 1);
        let end = notes[k..].iter().position(|note| note.onset != onset).map_or(notes.len(), |after| k + after);
        notes[start..end].sort_unstable();
        notes = &mut notes[end..];
    }
}

/// The part that sings: of the track and the channel, if there is one, and else of all.
fn singer<'l>(
    lanes: &'l mut [Lane],
    track: u32,
    channel: Option<u8>,
    lyrics: &[cantus_score::Lyric],
) -> Option<&'l mut Lane> {
    let of_channel = |lane: &Lane| channel.is_none_or(|channel| lane.part.channel == channel);
    let choices: [&dyn Fn(&Lane) -> bool; 3] =
        [&|lane| lane.track == track && of_channel(lane), &|lane| lane.track == track, &|lane| of_channel(lane)];
    let choice = choices.into_iter().find(|choice| lanes.iter().any(choice));
    let sung = |lane: &Lane| {
        let begins = |at: Ticks| lane.part.notes.binary_search_by_key(&at, |note| note.onset).is_ok();
        lyrics.iter().take(LOOKED_AT).filter(|lyric| begins(lyric.at)).count()
    };
    let among = lanes.iter_mut().filter(|lane| choice.is_none_or(|choice| choice(lane))).take(LOOKED_AT);
    // Of equals the first.
    among.min_by_key(|lane| Reverse(sung(lane)))
}

/// A part, or two where a channel changes between drums and pitches while it plays.
fn split(mut lane: Lane, share: Share, kinds: &[Kind], parts: &mut Vec<Part>) {
    let only_pianos = share.programs.iter().all(|(_, program)| *program == Program::PIANO);
    let by_name = lane.names_drums && only_pianos;
    let is_drums = |kind: &Kind| kind.drums || by_name && !kind.is_said;
    if let [kind] = kinds {
        let drums = is_drums(kind);
        let Share { programs, mut controls, pedal } = share;
        controls.retain(|(_, control)| keeps(drums, control));
        parts.push(Part { drums, programs, controls, pedal, ..lane.part });
        return;
    }
    let at = |ticks: Ticks| &kinds[kinds.partition_point(|kind| kind.from <= ticks.0) - 1];
    let notes = std::mem::take(&mut lane.part.notes);
    let first = notes.first().is_some_and(|note| is_drums(at(note.onset)));
    let (same, other): (Vec<Note>, Vec<Note>) = notes.into_iter().partition(|note| is_drums(at(note.onset)) == first);
    let is_split = !other.is_empty();
    let words = std::mem::take(&mut lane.part.lyrics);
    for (drums, notes) in [(first, same), (!first, other)] {
        if notes.is_empty() {
            continue;
        }
        let mut part = Part { drums, notes, pedal: share.pedal.clone(), ..lane.part.clone() };
        part.programs = share.programs.clone();
        part.programs.retain(|(ticks, _)| !is_split || is_drums(at(*ticks)) == drums);
        part.controls = share.controls.iter().copied().filter(|(_, control)| keeps(drums, control)).collect();
        if !is_split || !drums {
            part.lyrics.clone_from(&words);
        }
        parts.push(part);
    }
}
