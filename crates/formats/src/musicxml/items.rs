//! What stands between the notes of a part: tempos, names of places, chord symbols, pedals, changes of program; and words at notes.

use super::harmony;
use super::writer::{Context, escaped, line};
use crate::notation::{Event, QUARTER, Sheet, changes_under_notes};
use cantus_score::{Meter, Part, Program, Score, Tempo, Ticks};
use std::collections::HashMap;

/// One of them.
#[derive(Clone, Debug)]
pub enum Item {
    /// A change of tempo, and whether a reader wants to see it.
    Tempo(Tempo, bool),
    Marker(String),
    Chord(String),
    /// The pedal's type of change.
    Pedal(&'static str),
    Program(Program),
}

/// Those of a part, in order of time. The first part leads: what concerns all stands in it.
pub fn items(score: &Score, part: usize, sheet: &Sheet) -> Vec<(u64, Item)> {
    let at = |ticks: Ticks| ticks.0 * sheet.unit;
    let mut items: Vec<(u64, Item)> = Vec::new();
    if part == 0 {
        let mut mark = Mark::default();
        for (k, &change) in sheet.tempos.iter().enumerate() {
            let until = sheet.tempos.get(k + 1).map_or(u64::MAX, |(at, _)| *at);
            items.push((change.0, Item::Tempo(change.1, mark.is_due(change, until))));
        }
        items.extend(score.markers.iter().map(|(time, text)| (at(*time), Item::Marker(text.clone()))));
        items.extend(score.chords.iter().map(|(time, text)| (at(*time), Item::Chord(text.clone()))));
    }
    if let Some(part) = score.parts.get(part) {
        for (k, span) in part.pedal.iter().enumerate() {
            let before = k.checked_sub(1).map(|k| part.pedal[k].up);
            let kind = if before == Some(span.down) { "change" } else { "start" };
            items.push((at(span.down), Item::Pedal(kind)));
            if part.pedal.get(k + 1).is_none_or(|next| next.down != span.up) {
                items.push((at(span.up), Item::Pedal("stop")));
            }
        }
        if changes_under_notes(&part.programs, &part.notes) {
            let changes = part.programs.iter().skip(1);
            items.extend(changes.map(|(time, program)| (at(*time), Item::Program(*program))));
        }
    }
    items.sort_by_key(|(at, item)| (*at, !item.ends()));
    items.retain(|(at, item)| match item {
        item if item.ends() => sheet.folding.is_on_paper(at.saturating_sub(1)),
        _ => sheet.folding.is_on_paper(*at),
    });
    items
}

impl Item {
    /// Whether it ends what is before it.
    pub fn ends(&self) -> bool {
        matches!(self, Item::Pedal("stop"))
    }

    /// Writes it, so many divisions after what comes next begins.
    pub fn write(&self, offset: u64, meter: Meter, context: &Context, out: &mut String) {
        let shift = if offset > 0 { format!("<offset>{offset}</offset>") } else { String::new() };
        // That of a direction is for the eye, unless it says otherwise.
        let heard = shift.replace("<offset>", "<offset sound=\"yes\">");
        match self {
            Item::Tempo(tempo, is_marked) => tempo_change(*tempo, is_marked.then_some(meter), &shift, &heard, out),
            Item::Marker(text) => {
                let sign = format!("<direction-type><rehearsal>{}</rehearsal></direction-type>", escaped(text));
                line(out, 3, &format!("<direction placement=\"above\">{sign}{heard}</direction>"));
            }
            Item::Chord(symbol) => {
                line(out, 3, &format!("<harmony>{}{shift}</harmony>", harmony::write(symbol, escaped)));
            }
            Item::Pedal(kind) => {
                let sign = format!("<direction-type><pedal type=\"{kind}\" line=\"yes\"/></direction-type>");
                let staff =
                    if context.staves > 1 { format!("<staff>{}</staff>", context.staves) } else { String::new() };
                line(out, 3, &format!("<direction placement=\"below\">{sign}{heard}{staff}</direction>"));
            }
            Item::Program(program) => {
                let midi = format!("<midi-program>{}</midi-program>", program.get() + 1);
                let id = instrument_id(context.number, 0);
                line(out, 3, &format!("<sound><midi-instrument id=\"{id}\">{midi}</midi-instrument>{shift}</sound>"));
            }
        }
    }
}

/// The id of an instrument of part `number`, which counts from 1.
pub fn instrument_id(number: usize, instrument: usize) -> String {
    format!("P{number}-I{}", instrument + 1)
}

/// Which tempo changes a reader wants to see: the first, and those that last.
#[derive(Default)]
struct Mark {
    shown: Option<Tempo>,
}

impl Mark {
    fn is_due(&mut self, (at, tempo): (u64, Tempo), until: u64) -> bool {
        /// Shorter than four bars of 4/4 it is rubato.
        const LASTING: u64 = 16 * QUARTER;
        let is_new = self.shown.is_none_or(|shown| per_minute(shown) != per_minute(tempo));
        let is_due = is_new && (at == 0 || until - at >= LASTING);
        if is_due {
            self.shown = Some(tempo);
        }
        is_due
    }
}

/// What a metronome's scale would say.
fn per_minute(tempo: Tempo) -> u64 {
    tempo.quarters_per_minute().round().max(1.0) as u64
}

/// A change of tempo; with a metronome mark where a metre is given.
fn tempo_change(tempo: Tempo, mark: Option<Meter>, shift: &str, heard: &str, out: &mut String) {
    let sound = tempo.beats_per_minute(1.0);
    let Some(meter) = mark else {
        let inside = if shift.is_empty() { "/>".to_owned() } else { format!(">{shift}</sound>") };
        line(out, 3, &format!("<sound tempo=\"{sound}\"{inside}"));
        return;
    };
    let (unit, quarters) = match (meter.is_compound(), meter.denominator()) {
        (true, 8) => ("<beat-unit>quarter</beat-unit><beat-unit-dot/>", 1.5),
        (true, 16) => ("<beat-unit>eighth</beat-unit><beat-unit-dot/>", 0.75),
        (false, 2) => ("<beat-unit>half</beat-unit>", 2.0),
        _ => ("<beat-unit>quarter</beat-unit>", 1.0),
    };
    let beats = (tempo.quarters_per_minute() / quarters).round().max(1.0);
    let metronome = format!("{unit}<per-minute>{beats}</per-minute>");
    line(out, 3, "<direction placement=\"above\">");
    line(out, 4, &format!("<direction-type><metronome>{metronome}</metronome></direction-type>"));
    if !heard.is_empty() {
        line(out, 4, heard);
    }
    line(out, 4, &format!("<sound tempo=\"{sound}\"/>"));
    line(out, 3, "</direction>");
}

/// The words of a part that are not written yet, by their times in divisions.
pub struct Words {
    waiting: HashMap<u64, String>,
}

impl Words {
    pub fn of(part: &Part) -> Words {
        let mut goes_on: HashMap<u8, bool> = HashMap::new();
        let mut waiting: HashMap<u64, String> = HashMap::new();
        for lyric in &part.lyrics {
            let came_on = goes_on.insert(lyric.verse, lyric.goes_on).unwrap_or(false);
            let syllabic = match (came_on, lyric.goes_on) {
                (false, false) => "single",
                (false, true) => "begin",
                (true, true) => "middle",
                (true, false) => "end",
            };
            let (verse, text) = (lyric.verse, escaped(&lyric.text));
            let element =
                format!("<lyric number=\"{verse}\"><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>");
            waiting.entry(lyric.at.0).or_default().push_str(&element);
        }
        Words { waiting }
    }

    /// Those of an event that begins at `at`, once: nothing is sung at a rest, or at a note that goes on.
    pub fn at(&mut self, at: u64, event: &Event) -> String {
        if self.waiting.is_empty() || event.heads.iter().all(|head| head.tied_from) {
            return String::new();
        }
        self.waiting.remove(&at).unwrap_or_default()
    }
}
