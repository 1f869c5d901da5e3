//! Measures in the order of playing: ties joined, pedals pressed, instruments divided into parts.

use super::directions::Pedal;
use super::part::{RawMeasure, RawNote, RawPart};
use super::signs::Signs;
use cantus_score::{Control, Lyric, Note, Part, PedalSpan, Pitch, Program, Slur, Ticks, names_drums};

/// A measure that is played.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    pub measure: usize,
    pub start: u64,
    /// How often it has been played by now, this time counted, and the how manieth time through its repeat it is.
    pub time: u32,
    pub pass: u32,
}

impl Placed {
    fn plays(&self, note: &RawNote) -> bool {
        let named = |time: u32| time < 64 && note.times >> time & 1 == 1;
        // After a jump a repeat is played for its last time.
        note.times == 0 || named(self.time) || self.time > self.pass && self.pass > 1 && named(self.pass)
    }
}

/// A note as it sounds, and what plays it.
#[derive(Clone, Copy, Debug)]
struct Sounding {
    note: Note,
    voice: u32,
    instrument: u16,
    program: Option<Program>,
    is_drum: bool,
}

/// A note that waits for the rest of itself.
struct Open {
    note: usize,
    voice: u32,
}

/// The parts that a part of the document sounds as.
pub struct Played {
    pub parts: Vec<Part>,
    /// Ties that lead nowhere.
    pub loose: usize,
    /// How many slurs and fermatas of the document are kept.
    pub kept: (usize, usize),
}

/// Plays a part; `None` where it has more than `limit` notes.
pub fn play(raw: &RawPart, order: &[Placed], limit: usize) -> Option<Played> {
    let mut signs = Signs::default();
    let (mut sounding, loose) = notes(&raw.measures, order, limit, &mut signs)?;
    let is_drum_part = raw.has_drum_clef || raw.listed.name.as_deref().is_some_and(names_drums);
    for sounding in sounding.iter_mut().filter(|_| is_drum_part) {
        // Pitches on the channel of drums are a kit where the part calls itself one.
        let channel = raw.listed.instruments.get(usize::from(sounding.instrument)).and_then(|found| found.channel);
        sounding.is_drum |= channel == Some(Part::DRUM_CHANNEL);
    }
    let (pedal, controls) = pedals(&raw.measures, order);
    let lyrics = lyrics(&raw.measures, order);
    let (drums, pitched): (Vec<_>, Vec<_>) = sounding.into_iter().partition(|sounding| sounding.is_drum);
    let mut parts = Vec::new();
    let mut add = |notes: Vec<Sounding>, name: Option<String>| {
        let Some(first) = notes.iter().min_by_key(|sounding| sounding.note.onset) else { return };
        let instrument = raw.listed.instruments.get(usize::from(first.instrument));
        parts.push(Part {
            name,
            port: instrument.and_then(|instrument| instrument.port).unwrap_or(0),
            // Where none is said, the reader gives one.
            channel: instrument.and_then(|instrument| instrument.channel).unwrap_or(u8::MAX),
            drums: first.is_drum,
            programs: programs(&notes),
            notes: notes.into_iter().map(|sounding| sounding.note).collect(),
            pedal: pedal.clone(),
            controls: controls.clone(),
            lyrics: lyrics.clone(),
            ..Part::default()
        });
    };
    let name = || raw.listed.name.clone();
    if sound_together(&pitched) {
        for (k, instrument) in (0u16..).zip(&raw.listed.instruments) {
            let own = pitched.iter().filter(|sounding| sounding.instrument == k).copied().collect();
            add(own, instrument.name.clone().or_else(name));
        }
    } else {
        add(pitched, name());
    }
    add(drums, name());
    // Words are sung once.
    parts.iter_mut().skip(1).for_each(|part| part.lyrics.clear());
    let kept = signs.kept();
    divide(signs, &mut parts);
    Some(Played { parts, loose, kept })
}

/// Gives slurs and fermatas to the parts that have their notes; the first has those over rests.
fn divide(signs: Signs, parts: &mut [Part]) {
    let Signs { slurs, fermatas, .. } = signs;
    if let [only] = parts {
        (only.slurs, only.fermatas) = (slurs, fermatas);
        return;
    }
    let has = |part: &Part, at: Ticks, pitch: Option<Pitch>| {
        let from = part.notes.partition_point(|note| note.onset < at);
        let mut together = part.notes[from..].iter().take_while(|note| note.onset == at);
        together.any(|note| pitch.is_none_or(|pitch| note.pitch == pitch))
    };
    let mut resting = fermatas;
    for part in parts.iter_mut() {
        let is_own = |slur: &&Slur| [slur.from, slur.to].iter().all(|(at, pitch)| has(part, *at, Some(*pitch)));
        part.slurs = slurs.iter().filter(is_own).copied().collect();
        part.fermatas = resting.extract_if(.., |at| has(part, *at, None)).collect();
    }
    if let Some(first) = parts.first_mut() {
        first.fermatas.extend(resting);
        first.fermatas.sort_unstable();
    }
}

/// The notes in the order of playing, ties joined, and how many ties led nowhere; `None` where there are more than `limit`.
fn notes(measures: &[RawMeasure], order: &[Placed], limit: usize, signs: &mut Signs) -> Option<(Vec<Sounding>, usize)> {
    let mut notes: Vec<Sounding> = Vec::new();
    let mut open: [Vec<Open>; 128] = std::array::from_fn(|_| Vec::new());
    let mut loose = 0;
    let has_leads = measures.iter().flat_map(|measure| &measure.notes).any(|note| note.lead > 0);
    for placed in order {
        let Some(measure) = measures.get(placed.measure) else { continue };
        signs.begin(placed.measure);
        signs.beside(placed.start, &measure.fermatas);
        for raw in &measure.notes {
            if !placed.plays(raw) {
                continue;
            }
            let onset = Ticks(placed.start.saturating_add(raw.onset).saturating_sub(raw.lead));
            if has_leads && raw.lead > 0 {
                make_room(&mut notes, raw.voice, onset);
            }
            let waiting = &mut open[usize::from(raw.pitch.get())];
            let held = if raw.tied_from { find_open(waiting, &notes, onset, raw) } else { None };
            loose += usize::from(raw.tied_from && held.is_none());
            let note = match held {
                Some(place) => {
                    let note = waiting.remove(place).note;
                    notes[note].note.duration += Ticks(raw.duration);
                    note
                }
                None => {
                    if notes.len() == limit {
                        return None;
                    }
                    let RawNote { pitch, velocity, voice, instrument, program, is_drum, .. } = *raw;
                    let note = Note { onset, pitch, duration: Ticks(raw.duration), velocity };
                    notes.push(Sounding { note, voice, instrument, program, is_drum });
                    notes.len() - 1
                }
            };
            let sounding = notes[note].note;
            signs.note((raw.signs, &measure.signs), (onset, raw.voice), (sounding.onset, sounding.pitch));
            // What ended before can no longer be tied to anything.
            let before = waiting.len();
            waiting.retain(|open| notes[open.note].note.end() >= onset);
            loose += before - waiting.len();
            if raw.tied_to {
                waiting.push(Open { note, voice: raw.voice });
            }
        }
    }
    loose += open.iter().map(Vec::len).sum::<usize>();
    signs.finish();
    notes.sort_unstable_by_key(|sounding| (sounding.note, sounding.instrument, sounding.is_drum));
    Some((notes, loose))
}

/// Ends the last notes of a voice where a grace note begins before the beat.
fn make_room(notes: &mut [Sounding], voice: u32, at: Ticks) {
    // A chord has ten notes or so, and a piano some voices.
    let last = notes.iter_mut().rev().take(64).filter(|sounding| sounding.voice == voice);
    for sounding in last.filter(|sounding| sounding.note.onset < at && sounding.note.end() > at) {
        sounding.note.duration = at - sounding.note.onset;
    }
}

/// Which of the waiting notes goes on at `onset`: one of the same voice, or else any.
fn find_open(waiting: &[Open], notes: &[Sounding], onset: Ticks, raw: &RawNote) -> Option<usize> {
    let ends_here = |open: &Open| notes[open.note].note.end() == onset;
    waiting
        .iter()
        .position(|open| ends_here(open) && open.voice == raw.voice)
        .or_else(|| waiting.iter().position(ends_here))
}

/// Whether instruments with different programs sound at the same time.
fn sound_together(notes: &[Sounding]) -> bool {
    let Some(first) = notes.first() else { return false };
    if notes.iter().all(|sounding| sounding.instrument == first.instrument) {
        return false;
    }
    let mut last: Vec<(u16, Option<Program>, Ticks)> = Vec::new();
    for Sounding { note, instrument, program, .. } in notes {
        if last.iter().any(|(other, with, end)| other != instrument && with != program && *end > note.onset) {
            return true;
        }
        match last.iter_mut().find(|(known, ..)| known == instrument) {
            Some(known) => *known = (*instrument, *program, known.2.max(note.end())),
            None => last.push((*instrument, *program, note.end())),
        }
    }
    false
}

/// The programs of notes in order of time: the first from the beginning on, others from the first note on that has them.
fn programs(notes: &[Sounding]) -> Vec<(Ticks, Program)> {
    let mut programs: Vec<(Ticks, Program)> = Vec::new();
    for (sounding, program) in notes.iter().filter_map(|sounding| Some((sounding, sounding.program?))) {
        match programs.last_mut() {
            None => programs.push((Ticks::ZERO, program)),
            Some((_, last)) if *last == program => {}
            Some((at, last)) if *at == sounding.note.onset => *last = program,
            Some(_) => programs.push((sounding.note.onset, program)),
        }
    }
    programs
}

/// The spans of the damper pedal, and the other pedals as controllers.
fn pedals(measures: &[RawMeasure], order: &[Placed]) -> (Vec<PedalSpan>, Vec<(Ticks, Control)>) {
    let mut events: Vec<(Ticks, Pedal)> = Vec::new();
    for placed in order {
        let pedal = measures.get(placed.measure).map_or(&[][..], |measure| &measure.pedal);
        events.extend(pedal.iter().map(|(at, pedal)| (Ticks(placed.start.saturating_add(*at)), *pedal)));
    }
    events.sort_by_key(|(at, _)| *at);
    let mut spans: Vec<PedalSpan> = Vec::new();
    let mut controls = Vec::new();
    let mut down = None;
    let mut sostenuto = false;
    for (at, pedal) in events {
        match pedal {
            Pedal::Down => down = down.or(Some(at)),
            // The end of the line of a sostenuto pedal looks like that of any.
            Pedal::Up if down.is_none() && sostenuto => {
                sostenuto = false;
                controls.push((at, Control::Controller { number: 66, value: 0 }));
            }
            Pedal::Up | Pedal::Change => {
                spans.extend(down.map(|down| PedalSpan { down, up: at }).filter(|span| span.down < span.up));
                down = (pedal == Pedal::Change).then_some(at);
            }
            Pedal::Other(number, is_down) => {
                sostenuto = if number == 66 { is_down } else { sostenuto };
                controls.push((at, Control::Controller { number, value: if is_down { 127 } else { 0 } }));
            }
        }
    }
    let end = order.last().and_then(|placed| Some(placed.start + measures.get(placed.measure)?.length));
    spans
        .extend(down.zip(end).map(|(down, end)| PedalSpan { down, up: Ticks(end) }).filter(|span| span.down < span.up));
    (spans, controls)
}

fn lyrics(measures: &[RawMeasure], order: &[Placed]) -> Vec<Lyric> {
    let mut lyrics: Vec<Lyric> = Vec::new();
    for placed in order {
        for (at, lyric) in measures.get(placed.measure).map_or(&[][..], |measure| &measure.lyrics) {
            lyrics.push(Lyric { at: Ticks(placed.start.saturating_add(*at)), ..lyric.clone() });
        }
    }
    lyrics.sort_by_key(|lyric| (lyric.at, lyric.verse));
    lyrics
}

/// Gives drums their channel, and parts without a channel one of their own, as far as there are.
pub fn give_channels(parts: &mut [Part], free: &mut impl Iterator<Item = u8>) {
    for part in parts {
        if part.drums {
            part.channel = Part::DRUM_CHANNEL;
        } else if part.channel > 15 || part.channel == Part::DRUM_CHANNEL {
            part.channel = free.next().unwrap_or(0);
        }
    }
}
