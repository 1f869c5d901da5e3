//! Directions and sounds: tempo, dynamics, pedal, swing, programs.

use super::Oddity;
use super::document::Element;
use super::jumps::Jumps;
use super::listed::{from_one, one_line};
use super::loudness::{self, Mark, percent};
// tidy: allow(circle): a part is read by one reader, whose kinds of elements have a file each
use super::part::{PartReader, Swing};
use super::{harmony, ticks::Decimal};
use cantus_score::{Program, Tempo};

/// What happens to a pedal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pedal {
    Down,
    Up,
    /// Up, and down again.
    Change,
    /// The sostenuto and the soft pedal, by MIDI's controllers (66 and 67): down or up.
    Other(u8, bool),
}

/// MIDI's controllers of the pedals beside the damper.
const SOSTENUTO: u8 = 66;
const SOFT: u8 = 67;
const PIZZICATO: Program = Program::new(45).unwrap();

impl PartReader<'_> {
    pub(super) fn direction(&mut self, element: &Element) {
        let sound = element.child("sound");
        let offset = self.sound_offset(sound.unwrap_or(element), Some(element));
        let staff: Option<u8> = element.number("staff");
        let kinds: Vec<&Element> = element.all("direction-type").collect();
        let signs = || kinds.iter().flat_map(|kind| &kind.children);
        let sign = signs().filter(|sign| sign.name == "dynamics").filter_map(loudness::of_signs).next_back();
        let told = sound.and_then(|sound| sound.attribute("dynamics")).and_then(percent);
        // The number says how loud, the sign how long.
        let mark = match (sign, told) {
            (Some((attack, then)), Some(told)) if then == Some(attack) => Some((told, Some(told))),
            (Some((_, then)), Some(told)) => Some((told, then)),
            (None, Some(told)) => Some((told, Some(told))),
            (sign, None) => sign,
        };
        let at = self.cursor.saturating_add_signed(offset);
        if let Some((attack, then)) = mark {
            self.measure.marks.push(Mark { at, staff, attack, then });
        }
        let pedals = signs().filter(|sign| sign.name == "pedal").filter_map(|sign| sign.attribute("type"));
        let pedals: Vec<&str> = pedals.collect();
        if let Some(sound) = sound {
            self.sound_beside_dynamics(sound, offset, pedals.contains(&"change"));
        }
        if sound.is_none_or(|sound| sound.attribute("damper-pedal").is_none()) {
            for pedal in pedals {
                let pedal = match pedal {
                    "start" => Pedal::Down,
                    "stop" => Pedal::Up,
                    "change" => Pedal::Change,
                    "sostenuto" => Pedal::Other(SOSTENUTO, true),
                    // The others only tell how a line is drawn.
                    _ => continue,
                };
                self.measure.pedal.push((at, pedal));
            }
        }
        for text in signs().filter(|sign| sign.name == "rehearsal").filter_map(|sign| one_line(&sign.text)) {
            self.measure.markers.push((at, text));
        }
        self.jumps(sound.unwrap_or(element), &kinds);
        if sound.is_none_or(|sound| sound.attribute("tempo").is_none()) {
            for metronome in signs().filter(|sign| sign.name == "metronome") {
                if let Some(quarters) = metronome_quarters(metronome) {
                    self.tempo(quarters, offset);
                }
            }
        }
    }

    /// How far from the cursor a `sound` acts, in ticks: where its own offset says; that of the direction around it is for the eye, unless
    /// it says otherwise (MusicXML 4.0, "The offset element").
    pub(super) fn sound_offset(&mut self, sound: &Element, direction: Option<&Element>) -> i64 {
        let own = sound.child("offset").filter(|_| sound.name == "sound");
        let around = || direction?.child("offset").filter(|offset| offset.attribute("sound") == Some("yes"));
        match own.or_else(around) {
            Some(offset) => self.offset(&offset.text),
            None => 0,
        }
    }

    /// Signed divisions in ticks.
    fn offset(&mut self, text: &str) -> i64 {
        let (sign, size) = text.strip_prefix('-').map_or((1, text), |size| (-1, size));
        let ticks = Decimal::read(size).map_or(0, |size| self.ticks(size));
        i64::try_from(ticks).unwrap_or(i64::MAX).saturating_mul(sign)
    }

    /// A `sound` that stands alone.
    pub(super) fn sound(&mut self, element: &Element, offset: i64) {
        if let Some(velocity) = element.attribute("dynamics").and_then(percent) {
            let at = self.cursor.saturating_add_signed(offset);
            self.measure.marks.push(Mark { at, staff: None, attack: velocity, then: Some(velocity) });
        }
        self.sound_beside_dynamics(element, offset, false);
    }

    fn sound_beside_dynamics(&mut self, element: &Element, offset: i64, is_change: bool) {
        let at = self.cursor.saturating_add_signed(offset);
        if let Some(text) = element.attribute("tempo") {
            match text.trim().parse::<f64>() {
                Ok(quarters) => self.tempo(quarters, offset),
                Err(_) => self.warn(Oddity::Tempo),
            }
        }
        let pressed = |name: &str| element.attribute(name).and_then(is_pressed);
        if let Some(down) = pressed("damper-pedal") {
            let pedal = if down { Pedal::Down } else { Pedal::Up };
            self.measure.pedal.push((at, if is_change && down { Pedal::Change } else { pedal }));
        }
        for (name, number) in [("sostenuto-pedal", SOSTENUTO), ("soft-pedal", SOFT)] {
            self.measure.pedal.extend(pressed(name).map(|down| (at, Pedal::Other(number, down))));
        }
        self.programs(element, at);
        if let Some(swing) = element.child("swing") {
            let swing = read_swing(swing, self.per_quarter);
            self.measure.swings.push((at, swing));
        }
    }

    /// The programs that instruments have from here on.
    fn programs(&mut self, sound: &Element, at: u64) {
        for midi in sound.all("midi-instrument") {
            let program = from_one(midi.text_of("midi-program"), 128).and_then(Program::new);
            let instrument = midi.attribute("id").and_then(|id| self.instrument_of(id));
            if let (Some(program), Some(instrument)) = (program, instrument) {
                self.changes.push((at, instrument, program));
            }
        }
        // Of strings that are plucked and bowed without another program being named, the usual ones.
        let is_plucked = sound.attribute("pizzicato").filter(|_| sound.child("midi-instrument").is_none());
        if let Some(is_plucked) = is_plucked {
            for (k, instrument) in (0u16..).zip(&self.part.listed.instruments) {
                let Some(bowed) = instrument.program.filter(|program| (40..=51).contains(&program.get())) else {
                    continue;
                };
                self.changes.push((at, k, if is_plucked == "yes" { PIZZICATO } else { bowed }));
            }
        }
    }

    /// What a `sound`, or else the signs and words beside it, say about the order of playing.
    pub(super) fn jumps(&mut self, sound: &Element, kinds: &[&Element]) {
        let mut jumps = Jumps::default();
        if !jumps.sound(sound) {
            kinds.iter().for_each(|kind| jumps.direction_type(kind));
        }
        if jumps != Jumps::default() {
            self.met.push((self.cursor, jumps));
        }
    }

    fn tempo(&mut self, quarters_per_minute: f64, offset: i64) {
        match Tempo::from_quarters_per_minute(quarters_per_minute) {
            Some(tempo) => self.measure.tempos.push((self.cursor.saturating_add_signed(offset), tempo)),
            None => self.warn(Oddity::Tempo),
        }
    }

    /// A chord symbol. Its offset is where it stands.
    pub(super) fn harmony(&mut self, element: &Element) {
        let offset = element.text_of("offset").map_or(0, |text| self.offset(text));
        let at = self.cursor.saturating_add_signed(offset);
        match harmony::read(element, self.transposition) {
            Some(symbol) => self.measure.chords.push((at, symbol)),
            None => self.warn(Oddity::Harmony),
        }
    }
}

/// `yes`, `no`, or how far in hundredths: half is down.
fn is_pressed(text: &str) -> Option<bool> {
    match text.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        number => number.parse().ok().map(|depth: f64| depth >= 50.0),
    }
}

/// How two notes share their time; `None` for evenly.
fn read_swing(swing: &Element, quarter: u64) -> Option<Swing> {
    let number = |name: &str| swing.number::<u64>(name).filter(|number| (1..=1000).contains(number));
    let unit = if swing.text_of("swing-type") == Some("16th") { quarter / 4 } else { quarter / 2 };
    Some(Swing { first: number("first")?, second: number("second")?, unit })
}

/// Quarters per minute of a metronome mark.
fn metronome_quarters(metronome: &Element) -> Option<f64> {
    const UNITS: [(&str, f64); 8] = [
        ("breve", 8.0),
        ("whole", 4.0),
        ("half", 2.0),
        ("quarter", 1.0),
        ("eighth", 0.5),
        ("16th", 0.25),
        ("32nd", 0.125),
        ("64th", 0.0625),
    ];
    let unit = metronome.text_of("beat-unit")?;
    let (_, mut quarters) = *UNITS.iter().find(|(name, _)| *name == unit)?;
    if metronome.child("beat-unit-dot").is_some() {
        quarters *= 1.5;
    }
    // "c. 120" is a number, too, and of "100-108" the first is meant.
    let text = metronome.text_of("per-minute")?;
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    Some(text[..end].trim_end_matches('.').parse::<f64>().ok()? * quarters)
}
