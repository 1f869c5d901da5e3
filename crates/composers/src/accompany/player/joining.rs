//! A part to given parts, which stay as they are.

use super::{
    Accompanist, Band, ComposeError, Composition, Joined, Known, Part, Progress, Rng, Sampling, Score, Task, Ticks,
    TicksPerQuarter, accentuate, lowest, on_grid, spots,
};
use crate::accompany::piece::{bar_starts, given, tonic};
use crate::accompany::step::sounds;
use cantus_model::Controls;
use cantus_score::{Unpitched, counted};
use std::collections::BTreeMap;

/// A part that dries up is written again, so many times in all.
const TRIES: usize = 8;
/// It does, where it has fewer onsets than this share of what the corpus has to as much.
const ENOUGH: f64 = 0.5;

impl Accompanist {
    /// The score with one part more.
    pub(super) fn joined(
        &self,
        score: &Score,
        controls: &Controls,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let (grid, rest) = (self.section.grid(), self.settings.own.rest);
        let coarse = on_grid(score, grid);
        let mut band = Band::of(&coarse);
        let mut remarks = Vec::new();
        match self.writes() {
            Joined::Bass => {
                if band.drums.is_empty() {
                    return Err(ComposeError::NoPart { wanted: "drums", written: "a bass", found: held(score) });
                }
                if let Some(part) = band.bass_part.filter(|part| is_surely_a_bass(&score.parts[*part])) {
                    let name = score.parts[part].name.clone().unwrap_or_else(|| format!("part {}", part + 1));
                    remarks.push(format!("there is a bass already ({name}): the new one is written beside it"));
                }
                // Whatever has a pitch says the harmony.
                let mut pitched: Vec<_> = coarse.pitched_notes().copied().collect();
                pitched.sort_unstable();
                (band.others, band.bass) = (pitched, Vec::new());
            }
            Joined::Drums => {
                if band.bass.is_empty() {
                    return Err(ComposeError::NoPart { wanted: "pitches", written: "drums", found: held(score) });
                }
                if !band.drums.is_empty() {
                    remarks.push("there are drums already: the new ones are written beside them".to_owned());
                }
            }
        }
        let (starts, steps) = bar_starts(&coarse);
        let asked = controls.key.map(|key| key.tonic());
        let tonic = asked.or_else(|| tonic(&coarse, &band));
        let low = match self.writes() {
            Joined::Bass => self.register(tonic, rng),
            Joined::Drums => lowest(&band.bass),
        };
        let program = self.program(controls.program, rng);
        let known = Known {
            part: true,
            others: !band.others.is_empty(),
            family: program.map(|program| program.get() / 8),
            tempo: coarse.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute()),
            tonic,
        };
        let (spots, given) = (spots(&starts, steps), given(&band, low, steps, rest));
        let task = Task { spots: &spots, given: &given, known, lowest: low, heard: Vec::new(), sampling };
        let frames = self.lively(&task, rng, progress)?;
        let written = Self::part(self.writes(), &frames, low, program);
        if written.notes.is_empty() {
            remarks.push(format!("the model wrote no note of {}: try another seed", self.writes().name()));
        }
        let mut joined = score.rescaled(score.ticks_per_quarter.common(grid));
        let mut placed = placed(written, score, grid, joined.ticks_per_quarter);
        // It ends with the others, at the next beat.
        let beat = u64::from(joined.ticks_per_quarter.get());
        let end = Ticks(joined.end().0.div_ceil(beat) * beat);
        placed.notes.retain(|note| note.onset < end);
        placed.notes.iter_mut().for_each(|note| note.duration = note.duration.min(Ticks(end.0 - note.onset.0)));
        // As a player would touch it: loudness follows the metre.
        let mut alone = Score { parts: vec![placed], ..joined.clone() };
        accentuate(&mut alone, Ticks::ZERO);
        let mut part = alone.parts.remove(0);
        part.channel = match free_channel(&joined) {
            _ if part.drums => Part::DRUM_CHANNEL,
            Some(channel) => channel,
            None => {
                remarks.push("all 16 channels are taken: in a MIDI file the new part is on a second port".to_owned());
                0
            }
        };
        part.name = part.name.map(|name| free_name(&joined, name));
        joined.parts.push(part);
        if let (Some(key), true) = (controls.key, joined.keys.is_empty()) {
            joined.keys.push((Ticks::ZERO, key));
        }
        Ok(Composition { score: joined, remarks })
    }
}

impl Accompanist {
    /// The frames of a task: written again where one dries up. A player who was asked for a bass plays.
    fn lively(&self, task: &Task<'_>, rng: &mut Rng, progress: Progress<'_>) -> Result<Vec<u128>, ComposeError> {
        let (enough, listened) = (ENOUGH * self.expected(task), self.listened(task));
        let (mut most, mut best) = (0, Vec::new());
        for _ in 0..TRIES {
            let frames = self.write(task, &listened, rng, progress)?;
            let onsets = frames.iter().filter(|frame| sounds(**frame)).count();
            if onsets > most {
                (most, best) = (onsets, frames);
            }
            if most > 0 && most as f64 >= enough {
                break;
            }
        }
        Ok(best)
    }
}

/// What a piece holds, in words.
fn held(score: &Score) -> String {
    match Unpitched::of(score) {
        Some(unpitched) => unpitched.to_string(),
        None => format!("{} with a pitch", counted(score.pitched_notes().count(), "note")),
    }
}

/// Whether a part is a bass by its instrument or its name, not only the lowest.
fn is_surely_a_bass(part: &Part) -> bool {
    cantus_score::bass_of(std::slice::from_ref(part)).is_some()
}

/// A part on the grid, in fine ticks: what begins with a stroke or a note of the given parts begins just then, however it was played.
fn placed(part: Part, given: &Score, grid: TicksPerQuarter, fine: TicksPerQuarter) -> Part {
    let from = given.ticks_per_quarter;
    let mut played: BTreeMap<u64, u64> = BTreeMap::new();
    let has_drums = given.parts.iter().any(|part| part.drums && !part.notes.is_empty());
    for note in given.parts.iter().filter(|part| part.drums || !has_drums).flat_map(|part| &part.notes) {
        let at = note.onset.rescale(from, fine).0;
        let first = played.entry(note.onset.rescale(from, grid).0).or_insert(at);
        *first = at.min(*first);
    }
    let at = |step: Ticks| played.get(&step.0).map_or_else(|| step.rescale(grid, fine), |at| Ticks(*at));
    let mut notes = part.notes;
    for note in &mut notes {
        let (onset, end) = (at(note.onset), at(note.end()));
        note.duration = Ticks(end.0.saturating_sub(onset.0).max(1));
        note.onset = onset;
    }
    notes.sort_unstable();
    Part { notes, ..part }
}

/// A name that no part has: `Bass`, `Bass 2` ..
fn free_name(score: &Score, name: String) -> String {
    let is_free = |name: &String| score.parts.iter().all(|part| part.name.as_ref() != Some(name));
    let numbered = (2..).map(|k| format!("{name} {k}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}

/// The first channel that no part has, but for that of drums.
fn free_channel(score: &Score) -> Option<u8> {
    let is_free =
        |channel: &u8| *channel != Part::DRUM_CHANNEL && score.parts.iter().all(|part| part.channel != *channel);
    (0..16).find(is_free)
}
