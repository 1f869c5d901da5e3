//! A lead sheet, out of a score and as one.

use super::GRID;
use crate::note_chord::BarKind;
use cantus_score::{
    Bar, Bars, Chord, Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity, melody_line, quantize,
};
use std::collections::BTreeSet;

/// A note of the melody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// When it begins, in steps.
    pub onset: u32,
    /// Its pitch.
    pub pitch: Pitch,
    /// Its length in steps.
    pub length: u32,
}

impl Tone {
    /// When it ends.
    pub fn end(&self) -> u32 {
        self.onset + self.length
    }
}

/// A beat, which has a chord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When it begins, in steps.
    pub at: u32,
    /// Its length; the last one of a bar may be shorter.
    pub length: u32,
    /// Its bar, from 0.
    pub bar: usize,
    /// Which beat of the bar it is, from 0.
    pub number: usize,
}

/// A melody and the chords to it. Times are in steps of the [`GRID`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadSheet {
    /// The bars.
    pub bars: Vec<BarKind>,
    /// A chord for each of the [`beats`]; `None` where none is played.
    pub chords: Vec<Option<Chord>>,
    /// The melody, in order of time, one note at a time, within the bars.
    pub melody: Vec<Tone>,
}

/// The beats of bars, as one counts them: dotted notes in compound metres, else no less than a quarter.
pub fn beats(bars: &[BarKind]) -> Vec<Beat> {
    let (mut beats, mut start) = (Vec::new(), 0);
    for (bar, kind) in bars.iter().enumerate() {
        let (steps, beat) = (u32::from(kind.steps), kind.meter.beat(GRID).0.max(1) as u32);
        beats.extend((0..steps.div_ceil(beat)).map(|number| Beat {
            at: start + number * beat,
            length: beat.min(steps - number * beat),
            bar,
            number: number as usize,
        }));
        start += steps;
    }
    beats
}

impl LeadSheet {
    /// That of a score: its melody ([`melody_line`]), and its chord symbols; where it has none, the chords
    /// that the other notes are nearest to.
    pub fn of(score: &Score) -> LeadSheet {
        LeadSheet::until(score, score.end())
    }

    /// The same of the bars that cover a time in the score's ticks.
    pub fn until(score: &Score, end: Ticks) -> LeadSheet {
        let coarse = quantize(score, GRID, 0.5).0;
        let end = end.rescale(score.ticks_per_quarter, GRID);
        let bars: Vec<BarKind> = Bars::new(&coarse.meters, GRID, end).map(|bar| BarKind::of(&bar, GRID)).collect();
        let beats = beats(&bars);
        let last = beats.last().map_or(0, |beat| u64::from(beat.at + beat.length));
        let (line, others) = apart(&coarse);
        let chords = if score.chords.is_empty() { heard(&others, &beats) } else { named(&coarse.chords, &beats) };
        let tone = |note: &Note| Tone {
            onset: note.onset.0 as u32,
            pitch: note.pitch,
            length: (note.end().0.min(last) - note.onset.0).max(1) as u32,
        };
        let melody = line.iter().filter(|note| note.onset.0 < last).map(tone).collect();
        LeadSheet { bars, chords, melody }
    }

    /// The same up to a time in the score's ticks, with a last bar that is cut short there, and a chord or none for each beat.
    pub fn cut(score: &Score, end: Ticks) -> LeadSheet {
        let mut sheet = LeadSheet::until(score, end);
        let on_grid = |at: Ticks| at.rescale(score.ticks_per_quarter, GRID);
        let end = on_grid(end);
        let changes: Vec<(Ticks, Meter)> = score.meters.iter().map(|(at, meter)| (on_grid(*at), *meter)).collect();
        let until = |bar: Bar| {
            let length = if bar.end() > end { end - bar.start } else { bar.length };
            BarKind::of(&Bar { length: length.max(Ticks(1)), ..bar }, GRID)
        };
        sheet.bars = Bars::new(&changes, GRID, end).map(until).collect();
        let steps = sheet.end();
        sheet.chords.resize(beats(&sheet.bars).len(), None);
        sheet.melody.retain(|tone| tone.onset < steps);
        sheet.melody.iter_mut().for_each(|tone| tone.length = tone.length.min(steps - tone.onset).max(1));
        sheet
    }

    /// Moved by semitones; what would leave the range of pitches stays.
    pub fn moved(mut self, semitones: i32) -> LeadSheet {
        self.move_chords(semitones);
        self.melody.iter_mut().for_each(|tone| tone.pitch = tone.pitch.transposed(semitones).unwrap_or(tone.pitch));
        self
    }

    fn move_chords(&mut self, semitones: i32) {
        self.chords.iter_mut().flatten().for_each(|chord| *chord = chord.transposed(semitones));
    }

    /// Moves the chords as far as those of its score were, by the first symbol.
    pub fn follow(&mut self, moved: &Score) {
        let before = self.chords.iter().flatten().next();
        let after = moved.chords.iter().find_map(|(_, symbol)| Chord::named(symbol));
        let by = before.zip(after).map_or(0, |(before, after)| i32::from(after.root()) - i32::from(before.root()));
        self.move_chords(by);
    }

    /// When the last bar ends, in steps.
    pub fn end(&self) -> u32 {
        self.bars.iter().map(|kind| u32::from(kind.steps)).sum()
    }

    /// As a score: the melody, the chords' symbols, and a part that plays the chords, if there are any, their roots in the octave from
    /// `register` on.
    pub fn score(&self, register: Pitch) -> Score {
        let mut score = Score::new(GRID);
        let (mut start, mut meter): (u64, Option<Meter>) = (0, None);
        for kind in &self.bars {
            if meter != Some(kind.meter) {
                meter = Some(kind.meter);
                score.meters.push((Ticks(start), kind.meter));
            }
            start += u64::from(kind.steps);
        }
        let note = |tone: &Tone| Note {
            onset: Ticks(tone.onset.into()),
            pitch: tone.pitch,
            duration: Ticks(tone.length.into()),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: self.melody.iter().map(note).collect(), ..Part::default() });
        score.chords = self.symbols(0, false);
        score.parts.extend(self.accompaniment(register));
        score
    }

    /// The chords' symbols from a time on, in steps, where they change; roots with sharps or with flats.
    pub fn symbols(&self, from: u32, flats: bool) -> Vec<(Ticks, String)> {
        let mut last = None;
        let beats = beats(&self.bars);
        let later = beats.iter().zip(&self.chords).filter(|(beat, _)| beat.at >= from);
        let symbol = |(beat, chord): (&Beat, &Option<Chord>)| {
            let changes = last != *chord;
            last = *chord;
            let symbol = || chord.map_or_else(|| Chord::NONE.to_owned(), |chord| chord.symbol(flats));
            changes.then(|| (Ticks(beat.at.into()), symbol()))
        };
        later.filter_map(symbol).collect()
    }

    /// All of them in other ticks.
    pub fn symbols_in(&self, fine: TicksPerQuarter, flats: bool) -> Vec<(Ticks, String)> {
        self.symbols(0, flats).into_iter().map(|(at, symbol)| (at.rescale(GRID, fine), symbol)).collect()
    }

    /// A part that plays the chords: each until the next, struck again in each bar; its root from `register` on, the other tones above it, and an
    /// octave higher where they would lie too low to be heard apart and the melody is higher still. `None` where there are none.
    pub fn accompaniment(&self, register: Pitch) -> Option<Part> {
        let (beats, mut notes) = (beats(&self.bars), Vec::new());
        let sounding: Vec<(&Beat, Option<Chord>)> = beats.iter().zip(self.chords.iter().copied()).collect();
        for held in sounding.chunk_by(|a, b| a.1 == b.1 && a.0.bar == b.0.bar) {
            let (Some((first, Some(chord))), Some((last, _))) = (held.first(), held.last()) else { continue };
            let root = i32::from((chord.root() + 12 - register.class()) % 12);
            let end = last.at + last.length;
            let melody = self.melody.iter().filter(|tone| tone.onset < end && first.at < tone.end());
            let lowest = melody.map(|tone| tone.pitch).min();
            let tone = |class: &u8| {
                let close = register.transposed(root + i32::from(*class))?;
                let higher = close.transposed(12).filter(|_| *class > 0 && close.get() < CLEAR);
                higher.filter(|higher| lowest.is_none_or(|lowest| *higher < lowest)).or(Some(close))
            };
            let pitches = chord.quality().classes().iter().map(tone);
            notes.extend(pitches.flatten().map(|pitch| Note {
                onset: Ticks(first.at.into()),
                pitch,
                duration: Ticks((end - first.at).into()),
                velocity: Velocity::try_from(SOFT).unwrap_or(Velocity::DEFAULT),
            }));
        }
        notes.sort_unstable();
        (!notes.is_empty()).then(|| Part { channel: 1, name: Some("Chords".to_owned()), notes, ..Part::default() })
    }
}

/// A whole bar of a metre.
pub fn bar(meter: Meter) -> BarKind {
    BarKind { steps: u16::try_from(meter.bar(GRID).0).unwrap_or(u16::MAX), meter }
}

/// Whether a part plays chords: three notes or more in half of its onsets at least.
pub fn plays_chords(part: &Part) -> bool {
    let mut onsets = (0, 0);
    for chord in part.notes.chunk_by(|a, b| a.onset == b.onset) {
        onsets = (onsets.0 + 1, onsets.1 + usize::from(chord.len() > 2));
    }
    onsets.0 > 0 && 2 * onsets.1 >= onsets.0
}

/// Tones closer to one another than a fifth are a rumble below E3 (52): what arrangers call low interval limits.
const CLEAR: u8 = 52;
/// How loud an accompaniment is.
const SOFT: u8 = 56;

/// The melody of a score on a grid, and all other notes with a pitch.
pub(super) fn apart(score: &Score) -> (Vec<Note>, Vec<Note>) {
    let line = melody_line(score);
    let in_line: BTreeSet<(Ticks, Pitch)> = line.iter().map(|note| (note.onset, note.pitch)).collect();
    let all = score.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes);
    let mut others: Vec<Note> = all.filter(|note| !in_line.contains(&(note.onset, note.pitch))).copied().collect();
    others.sort_unstable();
    (line, others)
}

/// The chord of each beat, as notes sound during it.
fn heard(notes: &[Note], beats: &[Beat]) -> Vec<Option<Chord>> {
    let mut sounding = vec![([0; 12], None::<Pitch>); beats.len()];
    for note in notes {
        let (from, to) = (note.onset.0, note.end().0);
        let first = beats.partition_point(|beat| u64::from(beat.at + beat.length) <= from);
        for (beat, (classes, lowest)) in beats.iter().zip(&mut sounding).skip(first) {
            let (begin, end) = (u64::from(beat.at), u64::from(beat.at + beat.length));
            if begin >= to {
                break;
            }
            classes[usize::from(note.pitch.class())] += to.min(end) - from.max(begin);
            *lowest = Some(lowest.map_or(note.pitch, |lowest| lowest.min(note.pitch)));
        }
    }
    sounding.iter().map(|(classes, lowest)| Chord::nearest(classes, lowest.map(Pitch::class))).collect()
}

/// The chord that symbols name for each beat: one that comes within the first half of a beat holds for it.
fn named(symbols: &[(Ticks, String)], beats: &[Beat]) -> Vec<Option<Chord>> {
    let chord = |beat: &Beat| {
        let half = u64::from(beat.at + beat.length / 2);
        let held = symbols.partition_point(|(at, _)| at.0 <= half).checked_sub(1)?;
        Chord::named(&symbols[held].1)
    };
    beats.iter().map(chord).collect()
}
