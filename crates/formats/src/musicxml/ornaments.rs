//! Notes that have no time of their own, and notes that are played again and again.

use super::document::Element;
use super::part::RawNote;
use crate::grace::{GraceTime, grace_time};
use std::collections::HashMap;

/// Grace notes that wait for the note that they ornament.
#[derive(Default)]
pub struct Graces {
    /// Chord by chord.
    waiting: Vec<Vec<RawNote>>,
    slashed: bool,
    /// For each voice how long its last note or rest is.
    rooms: Vec<Option<u64>>,
}

impl Graces {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether they belong to another voice.
    pub fn is_of_other(&self, voice: u32) -> bool {
        self.waiting.first().and_then(|chord| chord.first()).is_some_and(|note| note.voice != voice)
    }

    pub fn push(&mut self, note: RawNote, is_chord: bool, slashed: bool) {
        match self.waiting.last_mut().filter(|_| is_chord) {
            Some(chord) => chord.push(note),
            None => {
                self.slashed = slashed || self.slashed && !self.waiting.is_empty();
                self.waiting.push(vec![note]);
            }
        }
    }

    /// The time that those that wait take of a note as long as `duration`, and before it.
    pub fn before(&self, duration: u64, is_first: bool, quarter: u64) -> GraceTime {
        let Some(voice) = self.waiting.first().and_then(|chord| chord.first()).map(|note| note.voice) else {
            return GraceTime { before: 0, of_note: 0 };
        };
        let room = match self.rooms.get(voice as usize).copied().flatten() {
            Some(room) => room,
            None if is_first => 0,
            None => quarter,
        };
        grace_time(self.slashed, self.waiting.len() as u64, duration, room, quarter)
    }

    /// A note or a rest of `voice` has been read.
    pub fn follow(&mut self, voice: u32, duration: u64) {
        let voice = voice as usize;
        if self.rooms.len() <= voice {
            self.rooms.resize(voice + 1, None);
        }
        self.rooms[voice] = Some(duration);
    }

    /// Those that wait, each with its share of the time before `onset` or from it on.
    pub fn take(&mut self, onset: u64, before: u64, of_note: u64) -> Vec<RawNote> {
        let chords = std::mem::take(&mut self.waiting);
        let count = chords.len() as u64;
        let each = (before.max(of_note) / count.max(1)).max(1);
        let placed = |(k, chord): (usize, Vec<RawNote>)| {
            let k = k as u64;
            let (onset, lead) = if before > 0 { (onset, (count - k) * each) } else { (onset + k * each, 0) };
            chord.into_iter().map(move |note| RawNote { onset, lead, duration: each, ..note })
        };
        chords.into_iter().enumerate().flat_map(placed).collect()
    }

    /// Those that wait, as the end of the last note of their voice among `notes`, which is cut.
    pub fn after(&mut self, notes: &mut [RawNote], quarter: u64) -> Vec<RawNote> {
        let count = self.waiting.len() as u64;
        let Some(first) = self.waiting.first().and_then(|chord| chord.first()).copied() else { return Vec::new() };
        let short = count * (quarter / 8).max(1);
        let last = notes.iter().filter(|note| note.voice == first.voice).map(|note| note.onset).max();
        let Some(last) = last else { return self.take(first.onset, 0, short) };
        let of_chord = |note: &&mut RawNote| note.voice == first.voice && note.onset == last;
        let mut taken = short;
        for note in notes.iter_mut().filter(of_chord) {
            taken = taken.min(note.duration / 2);
        }
        let mut end = first.onset;
        for note in notes.iter_mut().filter(of_chord) {
            end = note.onset + note.duration;
            if !note.tied_to {
                note.duration -= taken;
            }
        }
        self.take(end - taken.min(end), 0, taken)
    }
}

/// A tremolo sign at a note.
#[derive(Clone, Copy, Debug)]
pub struct Tremolo {
    voice: u32,
    onset: u64,
    /// How long each stroke is, in ticks.
    stroke: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One note, again and again.
    Single,
    /// Two notes in turn: the first, and the second.
    Start,
    Stop,
}

impl Tremolo {
    /// The sign at a note. Each of its bars, and of the note's flags, halves the strokes, from eighths on (MusicXML 4.0, "The tremolo
    /// element").
    pub fn read(element: &Element, note: &RawNote, quarter: u64) -> Option<Tremolo> {
        let ornaments = element.all("notations").flat_map(|notations| notations.all("ornaments"));
        let sign = ornaments.into_iter().find_map(|ornaments| ornaments.child("tremolo"))?;
        let kind = match sign.attribute("type") {
            None | Some("single") => Kind::Single,
            Some("start") => Kind::Start,
            Some("stop") => Kind::Stop,
            // Unmeasured: as fast as one can.
            Some(_) => return None,
        };
        let bars: u32 = sign.text.parse().ok().filter(|bars| (1..=8).contains(bars))?;
        let flags = match element.text_of("type") {
            Some("eighth") => 1,
            Some("16th") => 2,
            Some("32nd") => 3,
            Some("64th") => 4,
            _ => 0,
        };
        let ratio = element.child("time-modification").filter(|_| kind == Kind::Single);
        let number =
            |name: &str| ratio.and_then(|ratio| ratio.number::<u64>(name)).filter(|number| (1..100).contains(number));
        let (normal, actual) = (number("normal-notes").unwrap_or(1), number("actual-notes").unwrap_or(1));
        let stroke = quarter.saturating_mul(normal) / (actual << (bars + flags));
        Some(Tremolo { voice: note.voice, onset: note.onset, stroke: stroke.max(1), kind })
    }
}

/// Plays tremolos out and gives how many notes there are more; where that is over `room`, more than there can be.
pub fn play_tremolos(notes: &mut Vec<RawNote>, signs: &[Tremolo], room: usize) -> usize {
    if signs.is_empty() {
        return 0;
    }
    // The other notes of a chord have no sign of their own, or the same one again.
    let mut chords: HashMap<(u32, u64), Vec<RawNote>> =
        signs.iter().map(|sign| ((sign.voice, sign.onset), Vec::new())).collect();
    let before = notes.len();
    notes.retain(|note| match chords.get_mut(&(note.voice, note.onset)).filter(|_| note.lead == 0) {
        Some(chord) => {
            chord.push(*note);
            false
        }
        None => true,
    });
    let mut first: HashMap<u32, (Tremolo, Vec<RawNote>)> = HashMap::new();
    for sign in signs {
        let Some(chord) = chords.remove(&(sign.voice, sign.onset)) else { continue };
        let (stroke, turns) = match (sign.kind, first.remove(&sign.voice)) {
            (Kind::Start, unfinished) => {
                notes.extend(unfinished.into_iter().flat_map(|(_, chord)| chord));
                first.insert(sign.voice, (*sign, chord));
                continue;
            }
            (Kind::Stop, Some((start, other))) => (start.stroke, vec![other, chord]),
            (_, unfinished) => {
                notes.extend(unfinished.into_iter().flat_map(|(_, chord)| chord));
                (sign.stroke, vec![chord])
            }
        };
        if !play_in_turn(notes, &turns, stroke, before.saturating_add(room)) {
            return usize::MAX;
        }
    }
    notes.extend(first.into_values().flat_map(|(_, chord)| chord));
    notes.len().saturating_sub(before)
}

/// Chords in turn, stroke by stroke; whether there are no more than `most` notes then.
fn play_in_turn(notes: &mut Vec<RawNote>, turns: &[Vec<RawNote>], stroke: u64, most: usize) -> bool {
    let all = || turns.iter().flatten();
    let (Some(start), Some(end)) =
        (all().map(|note| note.onset).min(), all().map(|note| note.onset + note.duration).max())
    else {
        return true;
    };
    let count = ((end - start) / stroke).max(turns.len() as u64);
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(all().count());
    if notes.len().saturating_add(more) > most.saturating_add(all().count()) {
        return false;
    }
    for k in 0..count {
        let onset = start + k * stroke;
        let until = if k + 1 == count { end.max(onset) } else { onset + stroke };
        for note in &turns[(k % turns.len() as u64) as usize] {
            let signs = if k < turns.len() as u64 { note.signs } else { 0 };
            let plain = RawNote { tied_from: false, tied_to: false, is_swung: false, signs, ..*note };
            notes.push(RawNote { onset, duration: until - onset, ..plain });
        }
    }
    true
}
