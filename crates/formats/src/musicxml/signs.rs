//! Slurs and fermatas: which notes they stand at, and from which note to which a slur reaches.

use super::document::Element;
use crate::notation::MOST_SLURS;
use cantus_score::{Pitch, Slur, Ticks};
use std::collections::HashSet;

/// No more slurs than this wait for their ends at a time; of more the oldest are not kept.
const MOST_OPEN: usize = 64;

/// What stands at a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoteSigns {
    pub fermata: bool,
    ends: Vec<SlurEnd>,
}

/// One end of a slur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SlurEnd {
    number: u8,
    begins: bool,
}

impl NoteSigns {
    pub fn read(note: &Element) -> NoteSigns {
        let mut signs = NoteSigns::default();
        for sign in note.all("notations").flat_map(|notations| &notations.children) {
            match (sign.name.as_str(), sign.attribute("type")) {
                ("fermata", _) => signs.fermata = true,
                ("slur", Some(kind @ ("start" | "stop"))) if signs.ends.len() < MOST_SLURS => {
                    let number = sign.attribute("number").and_then(|number| number.parse().ok()).unwrap_or(1);
                    signs.ends.push(SlurEnd { number, begins: kind == "start" });
                }
                _ => {}
            }
        }
        signs
    }

    pub fn is_empty(&self) -> bool {
        *self == NoteSigns::default()
    }
}

/// An end of a slur in the order of playing.
struct Met {
    at: Ticks,
    end: SlurEnd,
    voice: u32,
    /// The note as it sounds, ties joined.
    note: (Ticks, Pitch),
    /// Where it stands in the document: measure, note, which of the note's.
    place: (usize, u32, usize),
}

/// The slurs and fermatas of a part, in the order of playing.
#[derive(Default)]
pub struct Signs {
    pub slurs: Vec<Slur>,
    pub fermatas: Vec<Ticks>,
    open: Vec<Met>,
    /// Ends in the measure that is being played.
    met: Vec<Met>,
    last: Option<usize>,
    /// Beginnings of slurs that found their ends, and fermatas: by their places in the document, however often they are played.
    kept_slurs: HashSet<(usize, u32, usize)>,
    kept_fermatas: HashSet<(usize, u32)>,
}

impl Signs {
    /// Another measure is played. A slur does not go on where playing goes back.
    pub fn begin(&mut self, measure: usize) {
        self.join();
        if self.last.is_some_and(|last| measure <= last) {
            self.open.clear();
        }
        self.last = Some(measure);
    }

    /// A note of this measure with the sign of this number among `signs`, from 1, is played at a time by a voice; with those that it is tied
    /// to it sounds as `note`.
    pub fn note(&mut self, (number, signs): (u32, &[NoteSigns]), (at, voice): (Ticks, u32), note: (Ticks, Pitch)) {
        let Some(found) = number.checked_sub(1).and_then(|k| signs.get(k as usize)) else { return };
        let measure = self.last.unwrap_or_default();
        if found.fermata {
            self.fermatas.push(note.0);
            self.kept_fermatas.insert((measure, number));
        }
        for (k, end) in found.ends.iter().enumerate() {
            self.met.push(Met { at, end: *end, voice, note, place: (measure, number, k) });
        }
    }

    /// Fermatas over rests of this measure, which begins at `start`, and over its bar line.
    pub fn beside(&mut self, start: u64, fermatas: &[u64]) {
        for (k, at) in fermatas.iter().enumerate() {
            self.fermatas.push(Ticks(start.saturating_add(*at)));
            // Notes count from 1.
            self.kept_fermatas.insert((self.last.unwrap_or_default(), u32::MAX - k as u32));
        }
    }

    /// Gives slurs their ends, in the order of time; at one moment some end before others begin.
    fn join(&mut self) {
        self.met.sort_by_key(|met| (met.at, met.end.begins));
        for met in self.met.drain(..) {
            if met.end.begins {
                if self.open.len() == MOST_OPEN {
                    self.open.remove(0);
                }
                self.open.push(met);
                continue;
            }
            // Voices may count for themselves, and a slur may lead into another voice.
            let same = |open: &Met| open.end.number == met.end.number;
            let own = self.open.iter().rposition(|open| same(open) && open.voice == met.voice);
            let Some(from) = own.or_else(|| self.open.iter().rposition(same)) else { continue };
            let from = self.open.remove(from);
            if from.note.0 < met.note.0 {
                self.slurs.push(Slur { from: from.note, to: met.note });
                self.kept_slurs.insert(from.place);
            }
        }
    }

    /// All has been played.
    pub fn finish(&mut self) {
        self.join();
        self.slurs.sort_unstable();
        self.slurs.dedup();
        self.fermatas.sort_unstable();
        self.fermatas.dedup();
    }

    /// How many slurs and fermatas of the document are kept.
    pub fn kept(&self) -> (usize, usize) {
        (self.kept_slurs.len(), self.kept_fermatas.len())
    }
}
