//! Documents to scores.

use super::document::{Document, Element, Start};
use super::jumps::{Jumps, settle};
use super::part::{Listed, PartReader, RawMeasure, RawNote, RawPart, one_line};
use super::{MusicXmlError, Oddity, Warning, archive};
use crate::Limits;
use crate::midi::last_wins;
use crate::notation::{gcd, join_split_bars, meters_of};
use crate::repeats::{Marks, Order, play_order};
use crate::text::decode_document;
use cantus_score::{Key, Meter, Note, Part, Pitch, Program, Score, Tempo, Ticks, TicksPerQuarter};
use std::collections::HashMap;

/// The largest number of ticks to the quarter that a MIDI file holds.
const MOST_TICKS: u64 = 32_767;
/// Where divisions have no common multiple under that.
const FALLBACK_TICKS: TicksPerQuarter = TicksPerQuarter::new(10_080).unwrap();
/// More measures, repeats played, than any piece has.
const MOST_MEASURES: usize = 200_000;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The music, repeats played.
    pub score: Score,
    /// What was odd, at most [`Limits::max_warnings`].
    pub warnings: Vec<Warning>,
    /// How many more warnings there were.
    pub warnings_dropped: usize,
}

/// Reads a `score-partwise` document, plain or compressed.
///
/// Every part with notes becomes a part; its staves and voices are one. Ties are joined, repeats with their endings are played,
/// transposing instruments sound. Ticks are the least common multiple of the document's divisions.
///
/// # Errors
/// See [`MusicXmlError`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Reading, MusicXmlError> {
    if bytes.len() > limits.max_bytes {
        return Err(MusicXmlError::TooLarge { found: bytes.len(), limit: limits.max_bytes });
    }
    if bytes.is_empty() {
        return Err(MusicXmlError::Empty);
    }
    if archive::is_archive(bytes) {
        return read_document(&decode_document(&archive::unpack(bytes, limits.max_bytes)?), limits);
    }
    read_document(&decode_document(bytes), limits)
}

fn read_document(text: &str, limits: &Limits) -> Result<Reading, MusicXmlError> {
    let mut document = Document::new(text);
    let root = document.next_child()?.map(|start| start.element.name).unwrap_or_default();
    match root.as_str() {
        "score-partwise" => {}
        "score-timewise" => return Err(MusicXmlError::Timewise),
        _ => return Err(MusicXmlError::OtherRoot { root: root.escape_debug().to_string() }),
    }
    let per_quarter = ticks_per_quarter(text)?;
    let mut reader = Reader::new(limits, per_quarter);
    while let Some(start) = document.next_child()? {
        reader.child(&mut document, start)?;
    }
    if document.entities > 0 {
        reader.warn(None, None, Oddity::Entity(document.entities));
    }
    reader.assemble()
}

/// Ticks in which every duration of the document is whole, as far as MIDI can count them.
fn ticks_per_quarter(text: &str) -> Result<TicksPerQuarter, MusicXmlError> {
    let mut document = Document::new(text);
    let mut ticks = 1;
    document.each_text("divisions", &mut |divisions| {
        if let Some(divisions) = divisions.parse::<u64>().ok().filter(|found| (1..=MOST_TICKS).contains(found)) {
            ticks = (ticks / gcd(ticks, divisions)).saturating_mul(divisions).min(MOST_TICKS + 1);
        } else {
            ticks = MOST_TICKS + 1;
        }
    })?;
    let fitting = u32::try_from(ticks).ok().filter(|_| ticks <= MOST_TICKS).and_then(TicksPerQuarter::new);
    Ok(fitting.unwrap_or(FALLBACK_TICKS))
}

struct Reader<'a> {
    limits: &'a Limits,
    per_quarter: TicksPerQuarter,
    title: Option<String>,
    remarks: Vec<String>,
    listed: HashMap<String, Listed>,
    parts: Vec<RawPart>,
    note_count: usize,
    warnings: Vec<Warning>,
    warnings_dropped: usize,
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits, per_quarter: TicksPerQuarter) -> Reader<'a> {
        Reader {
            limits,
            per_quarter,
            title: None,
            remarks: Vec::new(),
            listed: HashMap::new(),
            parts: Vec::new(),
            note_count: 0,
            warnings: Vec::new(),
            warnings_dropped: 0,
        }
    }

    fn warn(&mut self, part: Option<usize>, measure: Option<usize>, oddity: Oddity) {
        if self.warnings.len() < self.limits.max_warnings {
            self.warnings.push(Warning { part, measure, oddity });
        } else {
            self.warnings_dropped += 1;
        }
    }

    /// A child of the root.
    fn child(&mut self, document: &mut Document, start: Start) -> Result<(), MusicXmlError> {
        match start.element.name.as_str() {
            "work" => {
                let work = document.element(start)?;
                self.title = work.text_of("work-title").and_then(one_line).or(self.title.take());
            }
            "movement-title" => {
                let title = one_line(&document.element(start)?.text);
                self.title = self.title.take().or(title);
            }
            "identification" => {
                let identification = document.element(start)?;
                self.remarks(&identification);
            }
            "part-list" => {
                let list = document.element(start)?;
                for part in list.all("score-part") {
                    if let Some(id) = part.attribute("id") {
                        self.listed.insert(id.to_owned(), Listed::read(part));
                    }
                }
            }
            "part" => self.part(document, &start)?,
            _ => document.skip(&start)?,
        }
        Ok(())
    }

    fn remarks(&mut self, identification: &Element) {
        let fields = identification.all("miscellaneous").flat_map(|all| all.all("miscellaneous-field"));
        let remarks = fields.filter(|field| field.attribute("name") == Some("remark"));
        let mut left = self.limits.max_remark_bytes;
        let mut has_dropped = false;
        for remark in remarks.filter_map(|field| one_line(&field.text)) {
            match left.checked_sub(remark.len()) {
                Some(rest) => {
                    left = rest;
                    self.remarks.push(remark);
                }
                None => has_dropped = true,
            }
        }
        if has_dropped {
            self.warn(None, None, Oddity::Remarks(self.limits.max_remark_bytes));
        }
    }

    fn part(&mut self, document: &mut Document, start: &Start) -> Result<(), MusicXmlError> {
        if self.parts.len() == self.limits.max_tracks {
            return Err(MusicXmlError::TooManyParts { limit: self.limits.max_tracks });
        }
        let number = self.parts.len() + 1;
        let listed = start.element.attribute("id").and_then(|id| self.listed.get(id)).cloned();
        if listed.is_none() {
            self.warn(Some(number), None, Oddity::UnknownPart);
        }
        let mut part = PartReader::new(listed.unwrap_or_default(), self.per_quarter, self.note_count, self.limits);
        while !start.is_empty() {
            let Some(child) = document.next_child()? else { break };
            if child.element.name == "measure" {
                part.measure(&document.element(child)?)?;
            } else {
                document.skip(&child)?;
            }
            if part.part.measures.len() > MOST_MEASURES {
                return Err(MusicXmlError::TooLong { limit: self.limits.max_quarters });
            }
        }
        let (part, counts, oddities, note_count) = part.finish();
        self.note_count = note_count;
        for (measure, oddity) in oddities {
            self.warn(Some(number), Some(measure), oddity);
        }
        for (count, oddity) in [
            (counts.grace, Oddity::Grace(counts.grace)),
            (counts.cue, Oddity::Cue(counts.cue)),
            (counts.pitch, Oddity::Pitch(counts.pitch)),
            (counts.duration, Oddity::Duration(counts.duration)),
            (counts.microtone, Oddity::Microtone(counts.microtone)),
        ] {
            if count > 0 {
                self.warn(Some(number), None, oddity);
            }
        }
        self.parts.push(part);
        Ok(())
    }

    fn assemble(mut self) -> Result<Reading, MusicXmlError> {
        let measures = self.measures();
        let marks: Vec<Marks> = measures.iter().map(|measure| measure.marks.clone()).collect();
        let order = play_order(&marks, MOST_MEASURES).unwrap_or_else(|| {
            self.warn(None, None, Oddity::Repeats);
            Order { bars: (0..measures.len()).collect(), passes: vec![1; measures.len()], astray: Vec::new() }
        });
        if let Some(measure) = order.astray.first() {
            self.warn(None, Some(measure + 1), Oddity::Jump);
        }
        let order = order.bars;
        let mut score = Score::new(self.per_quarter);
        score.title = self.title.take();
        score.remarks = std::mem::take(&mut self.remarks);
        let starts = self.layout(&measures, &order, &mut score)?;
        let mut channels = (0..16u8).filter(|channel| *channel != Part::DRUM_CHANNEL).cycle();
        let parts = std::mem::take(&mut self.parts);
        let mut count = 0;
        for (k, raw) in parts.into_iter().enumerate() {
            let RawPart { listed, measures, is_unpitched } = raw;
            let (notes, loose) = play(&measures, &starts, self.limits.max_notes - count)
                .ok_or(MusicXmlError::TooManyNotes { limit: self.limits.max_notes })?;
            count += notes.len();
            if loose > 0 {
                self.warn(Some(k + 1), None, Oddity::LooseTie(loose));
            }
            if notes.is_empty() {
                continue;
            }
            let free = if is_unpitched { Part::DRUM_CHANNEL } else { channels.next().unwrap_or(0) };
            let channel = listed.channel.unwrap_or(free);
            let program = listed.program.and_then(Program::new).map(|program| (Ticks::ZERO, program));
            score.parts.push(Part {
                name: listed.name,
                channel,
                drums: channel == Part::DRUM_CHANNEL,
                programs: program.into_iter().collect(),
                notes,
                ..Part::default()
            });
        }
        Ok(Reading { score, warnings: self.warnings, warnings_dropped: self.warnings_dropped })
    }

    /// What the parts together say about each measure. The first part that says something is believed.
    fn measures(&mut self) -> Vec<Measure> {
        let count = self.parts.iter().map(|part| part.measures.len()).max().unwrap_or(0);
        let mut measures = Vec::with_capacity(count);
        let (mut meter, mut key, mut tempo) = (Meter::COMMON, None, None);
        let mut overfull = None;
        let mut marks = Vec::with_capacity(count);
        for k in 0..count {
            let of_parts = || self.parts.iter().filter_map(|part| part.measures.get(k));
            meter = of_parts().find_map(|measure| measure.meter).unwrap_or(meter);
            key = of_parts().find_map(|measure| measure.key).or(key);
            let nominal = meter.bar(self.per_quarter).0;
            let length = match of_parts().map(|measure| measure.length).max() {
                Some(0) | None => nominal,
                Some(length) => length,
            };
            if length > nominal {
                overfull.get_or_insert(k + 1);
            }
            let mut tempos: Vec<(Ticks, Tempo)> = of_parts()
                .flat_map(|measure| &measure.tempos)
                .map(|(at, tempo)| (Ticks((*at).min(length.saturating_sub(1))), *tempo))
                .collect();
            last_wins(&mut tempos);
            let marked = of_parts().map(|measure| &measure.marks).find(|marks| **marks != Marks::default());
            let jumps = of_parts().map(|measure| &measure.jumps).find(|jumps| **jumps != Jumps::default());
            marks.push((marked.cloned().unwrap_or_default(), jumps.cloned().unwrap_or_default()));
            let before = tempo;
            tempo = tempos.last().map(|(_, tempo)| *tempo).or(tempo);
            measures.push(Measure { meter, key, length, tempos, tempo_before: before, marks: Marks::default() });
        }
        settle(&mut marks);
        for (measure, (marks, _)) in measures.iter_mut().zip(marks) {
            measure.marks = marks;
        }
        if let Some(measure) = overfull {
            self.warn(None, Some(measure), Oddity::Overfull);
        }
        measures
    }

    /// Lays the measures in the order of playing along time, with metres, keys and tempos; gives where each begins.
    fn layout(
        &self,
        measures: &[Measure],
        order: &[usize],
        score: &mut Score,
    ) -> Result<Vec<(usize, u64)>, MusicXmlError> {
        let most = self.limits.max_quarters.saturating_mul(u64::from(self.per_quarter.get()));
        let mut starts = Vec::with_capacity(order.len());
        let mut spans = Vec::with_capacity(order.len());
        let (mut at, mut before) = (0u64, None);
        let (mut key, mut tempo) = (None, None);
        for (place, &k) in order.iter().enumerate() {
            let measure = &measures[k];
            starts.push((k, at));
            let jumps = order.get(place + 1).is_some_and(|next| *next != k + 1);
            let opens = measures.get(k + 1).is_some_and(|next| next.marks.forward);
            let is_open = jumps || opens || measure.marks.backward.is_some();
            spans.push((Ticks(at), Ticks(measure.length), measure.meter, is_open));
            if measure.key != key {
                score.keys.extend(measure.key.map(|key| (Ticks(at), key)));
                key = measure.key;
            }
            let has_jumped = before.is_some_and(|before| before + 1 != k);
            if has_jumped && measure.tempo_before != tempo {
                score.tempos.push((Ticks(at), measure.tempo_before.unwrap_or(Tempo::DEFAULT)));
            }
            tempo = measure.tempos.last().map(|(_, tempo)| *tempo).or(if has_jumped {
                measure.tempo_before
            } else {
                tempo
            });
            score.tempos.extend(measure.tempos.iter().map(|(offset, tempo)| (Ticks(at) + *offset, *tempo)));
            at = at.saturating_add(measure.length);
            if at > most {
                return Err(MusicXmlError::TooLong { limit: self.limits.max_quarters });
            }
            before = Some(k);
        }
        last_wins(&mut score.tempos);
        score.meters = meters_of(join_split_bars(&spans, self.per_quarter).into_iter(), self.per_quarter);
        Ok(starts)
    }
}

/// A measure as all parts have it in common.
struct Measure {
    meter: Meter,
    key: Option<Key>,
    length: u64,
    tempos: Vec<(Ticks, Tempo)>,
    /// The tempo in force where it begins, if any is named before.
    tempo_before: Option<Tempo>,
    marks: Marks,
}

/// A note that waits for the rest of itself.
struct Open {
    note: usize,
    voice: u32,
}

/// The notes of a part in the order of playing, ties joined, and how many ties led nowhere; `None` where there are more than `limit`.
fn play(measures: &[RawMeasure], starts: &[(usize, u64)], limit: usize) -> Option<(Vec<Note>, usize)> {
    let mut notes: Vec<Note> = Vec::new();
    let mut open: [Vec<Open>; 128] = std::array::from_fn(|_| Vec::new());
    let mut loose = 0;
    for (k, start) in starts {
        for raw in measures.get(*k).map_or(&[][..], |measure| &measure.notes) {
            let onset = Ticks(start.saturating_add(raw.onset));
            let waiting = &mut open[usize::from(raw.pitch.get())];
            let held = if raw.tied_from { find_open(waiting, &notes, onset, raw) } else { None };
            loose += usize::from(raw.tied_from && held.is_none());
            let note = match held {
                Some(place) => {
                    let note = waiting.remove(place).note;
                    notes[note].duration += Ticks(raw.duration);
                    note
                }
                None => {
                    if notes.len() == limit {
                        return None;
                    }
                    let (pitch, velocity): (Pitch, _) = (raw.pitch, raw.velocity);
                    notes.push(Note { onset, pitch, duration: Ticks(raw.duration), velocity });
                    notes.len() - 1
                }
            };
            // What ended before can no longer be tied to anything.
            let before = waiting.len();
            waiting.retain(|open| notes[open.note].end() >= onset);
            loose += before - waiting.len();
            if raw.tied_to {
                waiting.push(Open { note, voice: raw.voice });
            }
        }
    }
    loose += open.iter().map(Vec::len).sum::<usize>();
    notes.sort_unstable();
    Some((notes, loose))
}

/// Which of the waiting notes goes on at `onset`: one of the same voice, or else any.
fn find_open(waiting: &[Open], notes: &[Note], onset: Ticks, raw: &RawNote) -> Option<usize> {
    let ends_here = |open: &Open| notes[open.note].end() == onset;
    waiting
        .iter()
        .position(|open| ends_here(open) && open.voice == raw.voice)
        .or_else(|| waiting.iter().position(ends_here))
}
