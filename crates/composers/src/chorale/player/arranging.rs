//! Composing around what is given: a voice that is harmonised, bars that are kept.

use super::{ChoraleComposer, Task, touch};
use crate::chorale::given::{ALL, Given};
use cantus_encoding::voices::{self, Chord, VOICES};
use cantus_model::{Arrangement, ComposeError, Composition, Progress, Rng};
use cantus_score::{Note, Outer, Part, Pitch, Score, Ticks, TicksPerQuarter, merge_parts, outer_line, quantize};

/// What is given of a piece, as chords and as notes.
struct Read {
    given: Vec<Given>,
    /// The notes of each voice that are given, as they were written.
    lines: [Vec<Note>; VOICES],
    /// Octaves that the model reads it higher by.
    octaves: i32,
}

impl ChoraleComposer {
    /// The piece with what is missing composed, see [`cantus_model::Composer::arrange`].
    pub(super) fn arranged(
        &self,
        arrangement: &Arrangement,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        arrangement.check(VOICES)?;
        let grid = self.choir.grid();
        let Read { given, lines, octaves } = self.read(arrangement)?;
        if given.iter().all(|given| given.voices == ALL) {
            return Err(ComposeError::EverythingGiven);
        }
        let chords = self.sing(
            &Task { given: &given, recalls: &[], opening: None, sampling: &arrangement.sampling },
            rng,
            progress,
        )?;
        let (source, from) = (&arrangement.score, arrangement.score.ticks_per_quarter);
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
        }
        let strange = self.strange(source, "piece").filter(|_| octaves == 0);
        let remarks = strange.or_else(|| self.beyond(arrangement, &lines, octaves)).into_iter().collect();
        Ok(Composition { score, remarks })
    }

    /// What of the piece is given.
    fn read(&self, arrangement: &Arrangement) -> Result<Read, ComposeError> {
        let (source, grid) = (&arrangement.score, self.choir.grid());
        let pitched: Vec<&Part> = source.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        let in_parts = pitched.len() == VOICES;
        // A line that is harmonised: the only one, or the outermost.
        let line = match arrangement.voices[..] {
            [voice] if arrangement.bars.is_empty() && !in_parts => {
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
            lines[voice] = notes;
            return Ok(Read { given, lines, octaves });
        }
        let chords = voices::read(&on_grid(pitched.iter().map(|part| (*part).clone()).collect()));
        let throughout = arrangement.voices.iter().fold(0u8, |all, voice| all | 1 << voice);
        let kept: Vec<(u64, u64)> = (source.bars().enumerate())
            .filter(|(bar, _)| arrangement.bars.iter().any(|range| range.contains(&(bar + source.first_bar()))))
            .map(|(_, bar)| (bar.start.0, bar.end().0))
            .collect();
        let is_kept = |at: Ticks| kept.iter().any(|(from, to)| (*from..*to).contains(&at.0));
        for (step, given) in given.iter_mut().enumerate() {
            let at = Ticks(step as u64).rescale(grid, source.ticks_per_quarter);
            *given = Given {
                voices: if is_kept(at) { ALL } else { throughout },
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
        Ok(Read { given, lines, octaves })
    }

    /// Says by how many octaves a line lies beyond its voice, and which voice it would suit.
    fn beyond(&self, arrangement: &Arrangement, lines: &[Vec<Note>; VOICES], octaves: i32) -> Option<String> {
        let voice = *arrangement.voices.first()?;
        let (name, line) = (voices::NAMES.get(voice)?.to_lowercase(), lines.get(voice)?);
        let (many, side) = match octaves {
            0 => return None,
            1.. => (octaves, "below"),
            _ => (-octaves, "above"),
        };
        let plural = if many == 1 { "" } else { "s" };
        let fitting = (0..VOICES).filter(|other| *other != voice && self.octaves(*other, line) == 0);
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
        let allowed = self.choir.allowed();
        let fits = |octaves: &i32| {
            let known = |note: &&Note| {
                let pitch = note.pitch.transposed(12 * octaves);
                pitch.and_then(|pitch| voices::item(voice, pitch)).is_some_and(|item| allowed >> item & 1 == 1)
            };
            (notes.iter().filter(known).count(), -octaves.abs())
        };
        (-5..=5).max_by_key(fits).unwrap_or(0)
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
