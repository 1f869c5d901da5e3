//! Composing around what is given: a voice that is harmonised, cells of a piece that are kept.

use super::{ALL, Choir, Given, touch};
use crate::{Cell, ComposeError, Composition};
use cantus_encoding::voices::{self, VOICES};
use cantus_score::{
    Lyric, Meter, Note, Outer, Part, Pitch, Score, Ticks, TicksPerQuarter, merge_parts, outer_line, quantize,
};
use std::collections::BTreeSet;

/// A piece of which some is given, as chords and as notes.
#[derive(Debug)]
pub struct Arrangement<'a> {
    choir: &'a Choir,
    asked: &'a crate::Given,
    given: Vec<Given>,
    /// The notes of each voice that are given, as they were written.
    lines: [Vec<Note>; VOICES],
    /// Octaves that the model reads it higher by.
    octaves: i32,
}

impl<'a> Arrangement<'a> {
    /// What is asked for, as a model of this choir reads it.
    ///
    /// # Errors
    /// [`ComposeError`]: a voice that is none of a choir's; nothing, or everything, is given.
    pub fn of(choir: &'a Choir, asked: &'a crate::Given) -> Result<Arrangement<'a>, ComposeError> {
        let voice = asked.named().filter_map(|cell| cell.voice).find(|voice| *voice >= VOICES);
        if let Some(voice) = voice {
            return Err(ComposeError::Voice { voice: voice + 1, voices: VOICES });
        }
        let arrangement = Arrangement::read(choir, asked);
        if arrangement.given.iter().all(|given| given.voices == ALL) {
            return Err(ComposeError::EverythingGiven);
        }
        if arrangement.given.iter().all(|given| given.voices == 0) {
            return Err(ComposeError::NothingGiven);
        }
        Ok(arrangement)
    }

    /// The piece of which some is given.
    pub fn source(&self) -> &'a Score {
        self.asked.score()
    }

    /// What is given of each step.
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// The notes of each voice that are given, as they were written.
    pub fn lines(&self) -> &[Vec<Note>; VOICES] {
        &self.lines
    }

    /// The step at, or after, which a note of the piece begins.
    pub fn step(&self, at: Ticks) -> usize {
        at.rescale(self.source().ticks_per_quarter, self.choir.grid()).0 as usize
    }

    /// The first step of each bar.
    pub fn bar_starts(&self) -> Vec<usize> {
        self.source().bars().map(|bar| self.step(bar.start)).collect()
    }

    /// The piece, of which `sung` are the parts of the four voices without what is given, on the choir's grid.
    pub fn finish(&self, sung: Score) -> Composition {
        let source = self.source();
        let (grid, from) = (sung.ticks_per_quarter, source.ticks_per_quarter);
        let fine = from.common(grid);
        let mut score = Score { parts: sung.rescaled(fine).parts, ..source.rescaled(fine) };
        touch(&mut score);
        for (part, line) in score.parts.iter_mut().zip(&self.lines) {
            for note in &mut part.notes {
                note.pitch = on_piano(note.pitch.transposed(-12 * self.octaves).unwrap_or(note.pitch));
            }
            part.notes.extend(line.iter().map(|note| rescaled(note, from, fine)));
            part.notes.sort_unstable();
            part.fermatas.extend(fermatas_of(line, source).map(|at| at.rescale(from, fine)));
            part.fermatas.sort_unstable();
            part.fermatas.dedup();
            part.lyrics = words_of(line, source);
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = lyric.at.rescale(from, fine));
        }
        let strange = self.choir.strange(source, "piece").filter(|_| self.octaves == 0);
        let remarks = strange.or_else(|| self.beyond()).into_iter().chain(self.other_meter()).collect();
        Composition::new(score, remarks)
    }

    /// Says that the model's music has another metre.
    fn other_meter(&self) -> Option<String> {
        let source = self.source();
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

    fn read(choir: &'a Choir, asked: &'a crate::Given) -> Arrangement<'a> {
        let (source, grid) = (asked.score(), choir.grid());
        let end = source.bars().last().map_or(Ticks::ZERO, |bar| bar.end()).rescale(source.ticks_per_quarter, grid).0;
        let end = end.min(voices::MOST_STEPS) as usize;
        let nothing = vec![Given::default(); end];
        let mut read = Arrangement { choir, asked, given: nothing, lines: Default::default(), octaves: 0 };
        let pitched: Vec<&Part> = source.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        let in_parts = pitched.len() == VOICES;
        match asked.cells() {
            // A line that is harmonised: the only one, or the outermost.
            [Cell { voice: Some(voice), bars: None }] if !in_parts => read.line(*voice, &pitched),
            _ => read.cells(&pitched),
        }
        read
    }

    /// Pitched parts on the grid.
    fn on_grid(&self, parts: Vec<Part>) -> Score {
        let mut score = quantize(&Score { parts, ..self.source().clone() }, self.choir.grid(), 0.5).0;
        for note in score.parts.iter_mut().flat_map(|part| &mut part.notes) {
            note.pitch = note.pitch.transposed(12 * self.octaves).unwrap_or(note.pitch);
        }
        score
    }

    /// A line is given throughout.
    fn line(&mut self, voice: usize, pitched: &[&Part]) {
        let outer = if voice + 1 == VOICES { Outer::Lowest } else { Outer::Highest };
        let notes = merge_parts(pitched.iter().copied()).notes;
        let notes = outer_line(&notes, outer, self.source().ticks_per_quarter, self.choir.grid());
        self.octaves = self.choir.octaves(voice, &notes);
        let (quantized, end) = (self.on_grid(vec![Part { notes: notes.clone(), ..Part::default() }]), self.given.len());
        for note in quantized.notes() {
            let (from, to) = (note.onset.0 as usize, note.end().0 as usize);
            let steps = from.min(end)..to.clamp(from.min(end), end);
            self.given[steps].iter_mut().for_each(|given| given.chord = given.chord.with(voice, Some(note.pitch)));
        }
        self.given.iter_mut().for_each(|given| given.voices = 1 << voice);
        end_with(&mut self.given);
        self.lines[voice] = notes;
    }

    /// Cells are given.
    fn cells(&mut self, pitched: &[&Part]) {
        let (source, asked, end) = (self.source(), self.asked, self.given.len());
        let chords = voices::read(&self.on_grid(pitched.iter().map(|part| (*part).clone()).collect()));
        // Until when which voices are given, bar by bar.
        let of_bar =
            |bar: usize| (0..VOICES).filter(|voice| asked.has(*voice, bar)).fold(0u8, |all, voice| all | 1 << voice);
        let bars: Vec<(Ticks, Ticks, u8)> =
            source.numbered_bars().map(|(number, bar)| (bar.start, bar.end(), of_bar(number))).collect();
        let mut left = bars.iter().peekable();
        for step in 0..end {
            let at = Ticks(step as u64).rescale(self.choir.grid(), source.ticks_per_quarter);
            while left.next_if(|(_, end, _)| *end <= at).is_some() {}
            self.given[step] = Given {
                voices: left.peek().map_or(0, |(_, _, voices)| *voices),
                chord: chords.get(step).copied().unwrap_or_default(),
            };
        }
        // Whose the notes are: as the chords say at their onsets.
        let in_parts = pitched.len() == VOICES;
        let mut sorted: Vec<Vec<&Note>> = pitched.iter().map(|part| part.notes.iter().collect()).collect();
        if in_parts {
            sorted.sort_by_key(|notes| {
                let sum: u64 = notes.iter().map(|note| u64::from(note.pitch.get())).sum();
                std::cmp::Reverse(sum * 1000 / notes.len().max(1) as u64)
            });
        }
        for (part, notes) in sorted.iter().enumerate() {
            for note in notes {
                let step = self.step(note.onset).min(end.saturating_sub(1));
                let chord = chords.get(step).copied().unwrap_or_default();
                let sings = |voice: &usize| chord.pitch(*voice) == Some(note.pitch);
                let voice = if in_parts { part } else { (0..VOICES).find(sings).unwrap_or(VOICES - 1) };
                // What of it is given: from its own beginning on, or from that of the first bar that is and that it reaches into.
                let is_given = |(_, end, voices): &&(Ticks, Ticks, u8)| voices >> voice & 1 == 1 && *end > note.onset;
                let Some((start, _, _)) = bars.iter().find(is_given).filter(|(start, _, _)| *start < note.end()) else {
                    continue;
                };
                let onset = note.onset.max(*start);
                let note = Note { onset, duration: note.end() - onset, ..**note };
                self.lines[voice].push(note);
                // A note that is given is not cut off where nothing is given any more.
                let steps = self.step(onset).min(end)..self.step(note.end()).min(end);
                let pitch = chords.get(steps.start).and_then(|chord| chord.pitch(voice));
                let tail = self.given[steps].iter_mut().take_while(|given| given.chord.pitch(voice) == pitch);
                tail.for_each(|given| given.voices |= 1 << voice);
            }
        }
        if asked.again().is_empty() && asked.cells().iter().all(|cell| cell.bars.is_none()) {
            end_with(&mut self.given);
        }
    }

    /// Says by how many octaves a line lies beyond its voice, and which voice it would suit.
    fn beyond(&self) -> Option<String> {
        let voice = self.asked.voices().next()?;
        let (name, line) = (voices::NAMES.get(voice)?.to_lowercase(), self.lines.get(voice)?);
        let (many, side) = match self.octaves {
            0 => return None,
            1.. => (self.octaves, "below"),
            _ => (-self.octaves, "above"),
        };
        let plural = if many == 1 { "" } else { "s" };
        let fitting = (0..VOICES).filter(|other| *other != voice && 2 * self.choir.known(*other, line, 0) > line.len());
        let fitting: Vec<String> =
            fitting.map(|other| format!("--voice {}", voices::NAMES[other].to_lowercase())).collect();
        let advice = match &fitting[..] {
            [] => String::new(),
            some => format!("; {} would suit it", some.join(" or ")),
        };
        Some(format!(
            "the line lies {many} octave{plural} {side} what the model knows of a {name}: all voices are composed {many} octave{plural} {}{advice}",
            if self.octaves > 0 { "lower" } else { "higher" },
        ))
    }
}

impl Choir {
    /// By how many octaves a line must be moved so that most of it lies where the corpus has the voice.
    fn octaves(&self, voice: usize, notes: &[Note]) -> i32 {
        (-5..=5).max_by_key(|octaves| (self.known(voice, notes, *octaves), -octaves.abs())).unwrap_or(0)
    }

    /// How many notes lie, so many octaves higher, where the corpus has the voice.
    fn known(&self, voice: usize, notes: &[Note], octaves: i32) -> usize {
        let allowed = self.allowed();
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

/// The fermatas over a line that is given.
fn fermatas_of<'a>(line: &'a [Note], source: &'a Score) -> impl Iterator<Item = Ticks> + 'a {
    let all = source.parts.iter().flat_map(|part| &part.fermatas).copied();
    all.filter(|at| line.iter().any(|note| note.onset == *at))
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
