//! Composing around what is given: a voice that is harmonised, bars that are kept.

use super::closing::Closing;
use super::{ChoraleComposer, Task, touch};
use crate::chorale::given::{ALL, Given};
use cantus_encoding::voices::{self, Chord, VOICES};
use cantus_model::{Cell, ComposeError, Composition, Progress, Rng, Sampling};
use cantus_score::{
    Lyric, Meter, Note, Outer, Part, Pitch, Score, Ticks, TicksPerQuarter, find_key, merge_parts, outer_line, quantize,
};
use std::collections::BTreeSet;

/// What is given of a piece, as chords and as notes.
struct Read {
    given: Vec<Given>,
    /// The notes of each voice that are given, as they were written.
    lines: [Vec<Note>; VOICES],
    /// Octaves that the model reads it higher by.
    octaves: i32,
}

impl ChoraleComposer {
    /// The piece with what is missing composed.
    pub(super) fn arranged(
        &self,
        asked: &cantus_model::Given,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let voice = asked.cells().iter().filter_map(|cell| cell.voice).find(|voice| *voice >= VOICES);
        if let Some(voice) = voice {
            return Err(ComposeError::Voice { voice: voice + 1, voices: VOICES });
        }
        let grid = self.choir.grid();
        let Read { given, lines, octaves } = self.read(asked)?;
        if given.iter().all(|given| given.voices == ALL) {
            return Err(ComposeError::EverythingGiven);
        }
        let (source, from) = (asked.score(), asked.score().ticks_per_quarter);
        let closing = self.closing_of(source, &given, &lines);
        let seen = closing.as_ref().map_or_else(|| given.clone(), |closing| closing.seen_ahead(&given));
        let task = Task { given: &seen, recalls: &[], opening: None, closing, sampling };
        let chords = self.sing(&task, rng, progress)?;
        let fine = from.common(grid);
        let starts: Vec<usize> = source.bars().map(|bar| bar.start.rescale(from, grid).0 as usize).collect();
        // What was composed, without what is given: that is added as it was written.
        let composed = |(chord, given): (&Chord, &Given)| {
            (0..VOICES).filter(|voice| given.knows(*voice)).fold(*chord, |chord, voice| chord.with(voice, None))
        };
        let composed: Vec<Chord> = chords.iter().zip(&given).map(composed).collect();
        let sung = voices::write(&composed, grid, |step| starts.binary_search(&step).is_ok()).rescaled(fine);
        let mut score = Score { parts: sung.parts, ..source.rescaled(fine) };
        touch(&mut score);
        for (part, line) in score.parts.iter_mut().zip(&lines) {
            for note in &mut part.notes {
                note.pitch = on_piano(note.pitch.transposed(-12 * octaves).unwrap_or(note.pitch));
            }
            part.notes.extend(line.iter().map(|note| rescaled(note, from, fine)));
            part.notes.sort_unstable();
            part.lyrics = words_of(line, source);
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = lyric.at.rescale(from, fine));
        }
        let strange = self.strange(source, "piece").filter(|_| octaves == 0);
        let beyond = || self.beyond(asked, &lines, octaves);
        let remarks = strange.or_else(beyond).into_iter().chain(self.other_meter(source)).collect();
        Ok(Composition { score, remarks })
    }

    /// The last chord, see [`Closing::of`]: from the last note that is given on, but in the last bar; where none is given there, the last
    /// quarter note.
    fn closing_of(&self, source: &Score, given: &[Given], lines: &[Vec<Note>; VOICES]) -> Option<Closing> {
        let (ticks, grid) = (source.ticks_per_quarter, self.choir.grid());
        let step = |at: Ticks| at.rescale(ticks, grid).0 as usize;
        // A last note that is held a little too long begins no bar.
        let last_bar = source.bars().map(|bar| step(bar.start)).take_while(|start| *start < given.len()).last()?;
        let last_note = step(lines.iter().flatten().map(|note| note.onset).max().unwrap_or_default());
        let last_quarter = given.len().saturating_sub(grid.get() as usize);
        let from = if given.last()?.voices == 0 { last_quarter } else { last_note.max(last_bar) };
        let keys = source.keys.last().map(|(_, key)| *key).into_iter().chain(find_key(source.pitched_notes()));
        Closing::of(given, from.max(last_bar), keys, self.choir.allowed())
    }

    /// Says that the model's music has another metre.
    fn other_meter(&self, source: &Score) -> Option<String> {
        let mut bars: Vec<(Meter, usize)> = Vec::new();
        for bar in source.bars().skip(1 - source.first_bar()) {
            match bars.iter_mut().find(|(meter, _)| *meter == bar.meter) {
                Some((_, count)) => *count += 1,
                None => bars.push((bar.meter, 1)),
            }
        }
        let usual = bars.into_iter().max_by_key(|(_, count)| *count)?.0;
        let known: Meter = self.choir.meter.parse().ok()?;
        let is_compound = |meter: Meter| meter.numerator() > 3 && meter.numerator().is_multiple_of(3);
        let is_alike = usual.bar(TicksPerQuarter::DEFAULT) == known.bar(TicksPerQuarter::DEFAULT)
            && is_compound(usual) == is_compound(known);
        (!is_alike).then(|| {
            format!(
                "the model's music is in {known}, this piece in {usual}: its accents may lie elsewhere; a model of music in {usual} would suit it better"
            )
        })
    }

    /// What of the piece is given.
    fn read(&self, asked: &cantus_model::Given) -> Result<Read, ComposeError> {
        let (source, grid) = (asked.score(), self.choir.grid());
        let pitched: Vec<&Part> = source.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        let in_parts = pitched.len() == VOICES;
        // A line that is harmonised: the only one, or the outermost.
        let line = match asked.cells() {
            [Cell { voice: Some(voice), bars: None }] if !in_parts => {
                let voice = *voice;
                let outer = if voice + 1 == VOICES { Outer::Lowest } else { Outer::Highest };
                let notes = merge_parts(pitched.iter().copied()).notes;
                Some((voice, outer_line(&notes, outer, source.ticks_per_quarter, grid)))
            }
            _ => None,
        };
        let octaves = line.as_ref().map_or(0, |(voice, notes)| self.octaves(*voice, notes));
        let on_grid = |parts: Vec<Part>| {
            let mut score = quantize(&Score { parts, ..source.clone() }, grid, 0.5).0;
            for note in score.parts.iter_mut().flat_map(|part| &mut part.notes) {
                note.pitch = note.pitch.transposed(12 * octaves).unwrap_or(note.pitch);
            }
            score
        };
        let end = source.bars().last().map_or(Ticks::ZERO, |bar| bar.end()).rescale(source.ticks_per_quarter, grid).0;
        let end = end.min(voices::MOST_STEPS) as usize;
        let mut given = vec![Given::default(); end];
        let mut lines: [Vec<Note>; VOICES] = Default::default();
        if let Some((voice, notes)) = line {
            let quantized = on_grid(vec![Part { notes: notes.clone(), ..Part::default() }]);
            for note in quantized.notes() {
                let (from, to) = (note.onset.0 as usize, note.end().0 as usize);
                let steps = from.min(end)..to.clamp(from.min(end), end);
                given[steps].iter_mut().for_each(|given| given.chord = given.chord.with(voice, Some(note.pitch)));
            }
            given.iter_mut().for_each(|given| given.voices = 1 << voice);
            end_with(&mut given);
            lines[voice] = notes;
            return Ok(Read { given, lines, octaves });
        }
        let chords = voices::read(&on_grid(pitched.iter().map(|part| (*part).clone()).collect()));
        // Until when which voices are given, bar by bar.
        let of_bar =
            |bar: usize| (0..VOICES).filter(|voice| asked.has(*voice, bar)).fold(0u8, |all, voice| all | 1 << voice);
        let bars = source.numbered_bars().map(|(number, bar)| (bar.end(), of_bar(number)));
        let mut bars = bars.peekable();
        for (step, given) in given.iter_mut().enumerate() {
            let at = Ticks(step as u64).rescale(grid, source.ticks_per_quarter);
            while bars.next_if(|(end, _)| *end <= at).is_some() {}
            *given = Given {
                voices: bars.peek().map_or(0, |(_, voices)| *voices),
                chord: chords.get(step).copied().unwrap_or_default(),
            };
        }
        // Whose the notes are: as the chords say at their onsets.
        let quantized_step = |note: &Note| note.onset.rescale(source.ticks_per_quarter, grid).0 as usize;
        let mut sorted: Vec<Vec<&Note>> = pitched.iter().map(|part| part.notes.iter().collect()).collect();
        if in_parts {
            sorted.sort_by_key(|notes| {
                let sum: u64 = notes.iter().map(|note| u64::from(note.pitch.get())).sum();
                std::cmp::Reverse(sum * 1000 / notes.len().max(1) as u64)
            });
        }
        for (part, notes) in sorted.iter().enumerate() {
            for note in notes {
                let step = quantized_step(note).min(end.saturating_sub(1));
                let chord = chords.get(step).copied().unwrap_or_default();
                let sings = |voice: &usize| chord.pitch(*voice) == Some(note.pitch);
                let voice = if in_parts { part } else { (0..VOICES).find(sings).unwrap_or(VOICES - 1) };
                if given.get(step).is_some_and(|given| given.knows(voice)) {
                    lines[voice].push(**note);
                }
            }
        }
        if asked.cells().iter().all(|cell| cell.bars.is_none()) {
            end_with(&mut given);
        }
        Ok(Read { given, lines, octaves })
    }

    /// Says by how many octaves a line lies beyond its voice, and which voice it would suit.
    fn beyond(&self, asked: &cantus_model::Given, lines: &[Vec<Note>; VOICES], octaves: i32) -> Option<String> {
        let voice = asked.voices().next()?;
        let (name, line) = (voices::NAMES.get(voice)?.to_lowercase(), lines.get(voice)?);
        let (many, side) = match octaves {
            0 => return None,
            1.. => (octaves, "below"),
            _ => (-octaves, "above"),
        };
        let plural = if many == 1 { "" } else { "s" };
        let fitting = (0..VOICES).filter(|other| *other != voice && 2 * self.known(*other, line, 0) > line.len());
        let fitting: Vec<String> =
            fitting.map(|other| format!("--voice {}", voices::NAMES[other].to_lowercase())).collect();
        let advice = match &fitting[..] {
            [] => String::new(),
            some => format!("; {} would suit it", some.join(" or ")),
        };
        Some(format!(
            "the line lies {many} octave{plural} {side} what the model knows of a {name}: all voices are composed {many} octave{plural} {}{advice}",
            if octaves > 0 { "lower" } else { "higher" },
        ))
    }

    /// By how many octaves a line must be moved so that most of it lies where the corpus has the voice.
    fn octaves(&self, voice: usize, notes: &[Note]) -> i32 {
        (-5..=5).max_by_key(|octaves| (self.known(voice, notes, *octaves), -octaves.abs())).unwrap_or(0)
    }

    /// How many notes lie, so many octaves higher, where the corpus has the voice.
    fn known(&self, voice: usize, notes: &[Note], octaves: i32) -> usize {
        let allowed = self.choir.allowed();
        let is_known = |note: &&Note| {
            let pitch = note.pitch.transposed(12 * octaves);
            pitch.and_then(|pitch| voices::item(voice, pitch)).is_some_and(|item| allowed >> item & 1 == 1)
        };
        notes.iter().filter(is_known).count()
    }
}

/// What is sung to a line that is given.
fn words_of(line: &[Note], source: &Score) -> Vec<Lyric> {
    let onsets: BTreeSet<Ticks> = line.iter().map(|note| note.onset).collect();
    let all = source.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.lyrics);
    let mut sung: Vec<Lyric> = all.filter(|lyric| onsets.contains(&lyric.at)).cloned().collect();
    sung.sort_unstable();
    sung.dedup_by_key(|lyric| (lyric.at, lyric.verse));
    sung
}

/// Cuts off the silence after the last note that is given: all voices end together.
fn end_with(given: &mut Vec<Given>) {
    let is_sung = |given: &Given| (0..VOICES).any(|voice| given.knows(voice) && given.chord.pitch(voice).is_some());
    if let Some(last) = given.iter().rposition(is_sung) {
        given.truncate(last + 1);
    }
}

/// A pitch that would lie below a piano's lowest key, octaves higher.
fn on_piano(pitch: Pitch) -> Pitch {
    let (low, _) = Pitch::PIANO;
    let above = (1..=10).filter_map(|octaves| pitch.transposed(12 * octaves)).find(|higher| *higher >= low);
    if pitch < low { above.unwrap_or(low) } else { pitch }
}

fn rescaled(note: &Note, from: TicksPerQuarter, to: TicksPerQuarter) -> Note {
    let (onset, end) = (note.onset.rescale(from, to), note.end().rescale(from, to));
    Note { onset, duration: end - onset, ..*note }
}
