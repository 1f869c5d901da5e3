//! Documents to scores.

use super::document::{Document, Element, Start};
use super::jumps::{Jumps, settle};
use super::listed::{Listed, one_line};
use super::part::{Counts, PartReader, RawMeasure, RawPart};
use super::playing::{Placed, Played, give_channels, play};
use super::ticks::ticks_per_quarter;
use super::{MusicXmlError, Oddity, Warning, archive};
use crate::Limits;
use crate::midi::last_wins;
use crate::notation::{join_split_bars, meters_of, printed_numbers};
use crate::repeats::{Marks, Order, play_order, repeats};
use crate::text::decode_document;
use cantus_score::{Key, Meter, Part, Score, Tempo, Ticks, TicksPerQuarter};
use std::collections::HashMap;

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

struct Reader<'a> {
    limits: &'a Limits,
    per_quarter: TicksPerQuarter,
    title: Option<String>,
    composer: Option<String>,
    rights: Option<String>,
    remarks: Vec<String>,
    listed: HashMap<String, Listed>,
    parts: Vec<RawPart>,
    /// Signs that are not kept, in all parts.
    signs: Counts,
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
            composer: None,
            rights: None,
            remarks: Vec::new(),
            listed: HashMap::new(),
            parts: Vec::new(),
            signs: Counts::default(),
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
                let of_kind =
                    |kind: &str| identification.all("creator").find(|creator| creator.attribute("type") == Some(kind));
                self.composer = of_kind("composer").and_then(|creator| one_line(&creator.text));
                self.rights = identification.text_of("rights").and_then(one_line);
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
        let mut part =
            PartReader::new(listed.unwrap_or_else(Listed::unknown), self.per_quarter, self.note_count, self.limits);
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
        self.signs.slurs += counts.slurs;
        self.signs.fermatas += counts.fermatas;
        self.signs.ornaments += counts.ornaments;
        self.signs.articulations += counts.articulations;
        for (count, oddity) in [
            (counts.cue, Oddity::Cue(counts.cue)),
            (counts.pitch, Oddity::Pitch(counts.pitch)),
            (counts.duration, Oddity::Duration(counts.duration)),
            (counts.microtone, Oddity::Microtone(counts.microtone)),
            (counts.drum_place, Oddity::DrumPlace(counts.drum_place)),
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
            Order::straight(measures.len())
        });
        if let Some(measure) = order.astray.first() {
            self.warn(None, Some(measure + 1), Oddity::Jump);
        }
        let mut score = Score::new(self.per_quarter);
        score.title = self.title.take();
        score.composer = self.composer.take();
        score.rights = self.rights.take();
        score.remarks = std::mem::take(&mut self.remarks);
        let placed = self.layout(&measures, &order, &mut score)?;
        let mut channels = (0..16u8).filter(|channel| *channel != Part::DRUM_CHANNEL).cycle();
        let parts = std::mem::take(&mut self.parts);
        let mut count = 0;
        for (k, raw) in parts.iter().enumerate() {
            let played = play(raw, &placed, self.limits.max_notes - count)
                .ok_or(MusicXmlError::TooManyNotes { limit: self.limits.max_notes })?;
            let Played { mut parts, loose, kept: (slurs, fermatas) } = played;
            self.signs.slurs = self.signs.slurs.saturating_sub(slurs);
            self.signs.fermatas = self.signs.fermatas.saturating_sub(fermatas);
            count += parts.iter().map(|part| part.notes.len()).sum::<usize>();
            if loose > 0 {
                self.warn(Some(k + 1), None, Oddity::LooseTie(loose));
            }
            give_channels(&mut parts, &mut channels);
            score.parts.extend(parts);
        }
        if score.parts.len() > self.limits.max_tracks {
            return Err(MusicXmlError::TooManyParts { limit: self.limits.max_tracks });
        }
        if score.parts.is_empty() {
            self.warn(None, None, Oddity::NoNotes(score.chords.len()));
        }
        let Counts { slurs, fermatas, ornaments, articulations, .. } = self.signs;
        if slurs + fermatas + ornaments + articulations > 0 {
            self.warn(None, None, Oddity::Signs { slurs, fermatas, ornaments, articulations });
        }
        Ok(Reading { score, warnings: self.warnings, warnings_dropped: self.warnings_dropped })
    }

    /// What the parts together say about each measure, in all of which notes are swung as it asks. The first part that says something is
    /// believed.
    fn measures(&mut self) -> Vec<Measure> {
        let count = self.parts.iter().map(|part| part.measures.len()).max().unwrap_or(0);
        let mut measures = Vec::with_capacity(count);
        let (mut meter, mut key, mut tempo, mut swing) = (Meter::COMMON, None, None, None);
        let mut overfull = None;
        let mut marks = Vec::with_capacity(count);
        for k in 0..count {
            let of_parts = || self.parts.iter().filter_map(|part| part.measures.get(k));
            let meters = of_parts().map(|measure| &measure.meters).find(|meters| !meters.is_empty());
            let meters: &[(u64, Meter)] = meters.map_or(&[], |meters| meters);
            let keys = of_parts().map(|measure| &measure.keys).find(|keys| !keys.is_empty());
            let keys: &[(u64, Key)] = keys.map_or(&[], |keys| keys);
            meter = meters.iter().rfind(|(at, _)| *at == 0).map_or(meter, |(_, meter)| *meter);
            let length = match of_parts().map(|measure| measure.length).max() {
                Some(0) | None => meter.bar(self.per_quarter).0,
                Some(length) => length,
            };
            // A metre may change within a measure: each piece of it is a bar.
            let mut bars = vec![(0, meter)];
            bars.extend(meters.iter().filter(|(at, _)| (1..length).contains(at)));
            bars.sort_by_key(|(at, _)| *at);
            let ends = bars.iter().skip(1).map(|(at, _)| *at).chain([length]);
            let is_overfull = bars.iter().zip(ends).any(|((at, meter), end)| end - at > meter.bar(self.per_quarter).0);
            if is_overfull {
                overfull.get_or_insert(k + 1);
            }
            let nominal = meter.bar(self.per_quarter).0;
            meter = meters.last().map_or(meter, |(_, meter)| *meter);
            let key_before = keys.iter().rfind(|(at, _)| *at == 0).map(|(_, key)| *key).or(key);
            key = keys.last().map(|(_, key)| *key).or(key);
            let keys = keys.iter().filter(|(at, _)| (1..length).contains(at)).copied().collect();
            let within = |at: u64| Ticks(at.min(length.saturating_sub(1)));
            let mut tempos: Vec<(Ticks, Tempo)> =
                of_parts().flat_map(|measure| &measure.tempos).map(|(at, tempo)| (within(*at), *tempo)).collect();
            last_wins(&mut tempos);
            let texts = |of: fn(&RawMeasure) -> &Vec<(u64, String)>| -> Vec<(Ticks, String)> {
                let texts = of_parts().map(of).find(|texts| !texts.is_empty());
                texts.into_iter().flatten().map(|(at, text)| (within(*at), text.clone())).collect()
            };
            let (chords, markers) = (texts(|measure| &measure.chords), texts(|measure| &measure.markers));
            let marked = of_parts().map(|measure| &measure.repeats).find(|marks| **marks != Marks::default());
            let jumps = of_parts().map(|measure| &measure.jumps).find(|jumps| **jumps != Jumps::default());
            marks.push((marked.cloned().unwrap_or_default(), jumps.cloned().unwrap_or_default()));
            let mut swings = vec![(0, swing)];
            swings.extend(of_parts().flat_map(|measure| &measure.swings));
            swings.sort_by_key(|(at, _)| *at);
            swing = swings.last().and_then(|(_, swing)| *swing);
            let tempo_before = tempo;
            tempo = tempos.last().map(|(_, tempo)| *tempo).or(tempo);
            if swings.iter().any(|(_, swing)| swing.is_some()) {
                // An upbeat is the end of a bar.
                let phase = if k == 0 && length < nominal { nominal - length } else { 0 };
                for part in &mut self.parts {
                    if let Some(measure) = part.measures.get_mut(k) {
                        super::swing::swing(measure, &swings, phase);
                    }
                }
            }
            let marks = Marks::default();
            measures.push(Measure { bars, length, key_before, keys, tempos, tempo_before, chords, markers, marks });
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

    /// Lays the measures in the order of playing along time, with metres, keys, tempos and texts; gives where each begins.
    fn layout(&self, measures: &[Measure], order: &Order, score: &mut Score) -> Result<Vec<Placed>, MusicXmlError> {
        let most = self.limits.max_quarters.saturating_mul(u64::from(self.per_quarter.get()));
        let mut placed = Vec::with_capacity(order.bars.len());
        let mut spans = Vec::with_capacity(order.bars.len());
        let mut times = vec![0u32; measures.len()];
        let (mut start, mut before) = (0u64, None);
        let (mut key, mut tempo) = (None, None);
        for (place, (&k, &pass)) in order.bars.iter().zip(&order.passes).enumerate() {
            let measure = &measures[k];
            times[k] = times[k].saturating_add(1);
            placed.push(Placed { measure: k, start, time: times[k], pass });
            let jumps = order.bars.get(place + 1).is_some_and(|next| *next != k + 1);
            let opens = measures.get(k + 1).is_some_and(|next| next.marks.forward);
            spans.extend(measure.spans(start, jumps || opens));
            let at = |offset: Ticks| Ticks(start) + offset;
            let changes = measure.keys.iter().map(|(offset, key)| (at(Ticks(*offset)), Some(*key)));
            for (at, change) in std::iter::once((Ticks(start), measure.key_before)).chain(changes) {
                if change != key {
                    score.keys.extend(change.map(|key| (at, key)));
                    key = change;
                }
            }
            let has_jumped = before.is_some_and(|before| before + 1 != k);
            if has_jumped && measure.tempo_before != tempo {
                score.tempos.push((Ticks(start), measure.tempo_before.unwrap_or(Tempo::DEFAULT)));
            }
            tempo = measure.tempos.last().map(|(_, tempo)| *tempo).or(if has_jumped {
                measure.tempo_before
            } else {
                tempo
            });
            score.tempos.extend(measure.tempos.iter().map(|(offset, tempo)| (at(*offset), *tempo)));
            score.chords.extend(measure.chords.iter().map(|(offset, text)| (at(*offset), text.clone())));
            score.markers.extend(measure.markers.iter().map(|(offset, text)| (at(*offset), text.clone())));
            start = start.saturating_add(measure.length);
            if start > most {
                return Err(MusicXmlError::TooLong { limit: self.limits.max_quarters });
            }
            before = Some(k);
        }
        last_wins(&mut score.tempos);
        score.chords.sort_by_key(|(at, _)| *at);
        score.markers.sort_by_key(|(at, _)| *at);
        score.meters = meters_of(join_split_bars(&spans, self.per_quarter).into_iter(), self.per_quarter);
        if !order.is_straight() {
            // A tempo named again, time after time, is no change.
            score.tempos.dedup_by_key(|(_, tempo)| *tempo);
            let at = |place: usize| Ticks(placed.get(place).map_or(start, |placed| placed.start));
            score.repeats = repeats(order, at);
            let numbers = self.printed(measures);
            let played = order.bars.iter().flat_map(|k| &numbers[*k]);
            score.printed = spans.iter().map(|(start, ..)| *start).zip(played.copied()).collect();
        }
        Ok(placed)
    }

    /// The numbers of the bars of each measure as they are printed.
    fn printed(&self, measures: &[Measure]) -> Vec<Vec<usize>> {
        let mut spans = Vec::with_capacity(measures.len());
        let mut start = 0u64;
        for (k, measure) in measures.iter().enumerate() {
            let opens = measures.get(k + 1).is_some_and(|next| next.marks.forward);
            spans.extend(measure.spans(start, opens));
            start = start.saturating_add(measure.length);
        }
        let mut numbers = printed_numbers(&spans, self.per_quarter).into_iter();
        measures.iter().map(|measure| numbers.by_ref().take(measure.bars.len()).collect()).collect()
    }
}

/// A measure as all parts have it in common. Times are in ticks from its beginning.
struct Measure {
    /// Where each metre begins in it: one, but where it changes within.
    bars: Vec<(u64, Meter)>,
    length: u64,
    /// The key that it begins with, if any is named, and changes within.
    key_before: Option<Key>,
    keys: Vec<(u64, Key)>,
    tempos: Vec<(Ticks, Tempo)>,
    /// The tempo in force where it begins, if any is named before.
    tempo_before: Option<Tempo>,
    chords: Vec<(Ticks, String)>,
    markers: Vec<(Ticks, String)>,
    marks: Marks,
}

impl Measure {
    /// Its bars, where it begins at `start`: see [`join_split_bars`]. `opens` says whether a sign of repetition follows.
    fn spans(&self, start: u64, opens: bool) -> impl Iterator<Item = (Ticks, Ticks, Meter, bool)> {
        let is_open = opens || self.marks.backward.is_some() || self.marks.ending_stops;
        let ends = self.bars.iter().skip(1).map(|(at, _)| *at).chain([self.length]);
        self.bars.iter().zip(ends).map(move |(&(from, meter), end)| {
            (Ticks(start.saturating_add(from)), Ticks(end - from), meter, is_open && end == self.length)
        })
    }
}
