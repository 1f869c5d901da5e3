//! A part beside given parts, which stay as they are.

use super::{Band, on_grid};
use crate::{ComposeError, Joined, Prompt, accentuate};
use cantus_score::{Key, Part, Score, Ticks, TicksPerQuarter, Unpitched, bass_of, counted};
use std::collections::BTreeMap;

/// What a part is written to: the score on a grid, who plays what in it, and what the listener should know. The part that is to be written is
/// not among what is given, even where there is one already.
///
/// # Errors
/// [`ComposeError::NoPart`], where that is missing to which it is to be written.
pub fn given_to(
    writes: Joined,
    score: &Score,
    grid: TicksPerQuarter,
) -> Result<(Score, Band, Vec<String>), ComposeError> {
    let coarse = on_grid(score, grid);
    let mut band = Band::of(&coarse);
    let mut remarks = Vec::new();
    match writes {
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
    Ok((coarse, band, remarks))
}

/// The score with one part more, which was written on a grid, and what the listener should know. `key` is the key that was asked for.
pub fn join(score: &Score, written: Part, grid: TicksPerQuarter, key: Option<Key>) -> (Score, Option<String>) {
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
    let mut remark = None;
    part.channel = match free_channel(&joined) {
        _ if part.drums => Part::DRUM_CHANNEL,
        Some(channel) => channel,
        None => {
            remark = Some("all 16 channels are taken: in a MIDI file the new part is on a second port".to_owned());
            0
        }
    };
    part.name = part.name.map(|name| free_name(&joined, name));
    joined.parts.push(part);
    // Of music without pitches a file's key means nothing.
    let has_key = !score.keys.is_empty() && score.pitched_notes().next().is_some();
    if let Some(key) = key.filter(|_| !has_key) {
        joined.keys = vec![(Ticks::ZERO, key)];
    }
    (joined, remark)
}

/// A piece of drums and a bass, with the bass where the prompt has its own, among as many parts with a pitch.
pub fn in_its_place(mut composed: Score, prompt: &Prompt) -> Score {
    let parts = &prompt.score().parts;
    if let Some(bass) = bass_of(parts) {
        let before = parts[..bass].iter().filter(|part| !part.drums).count();
        let after = parts[bass + 1..].iter().filter(|part| !part.drums).count();
        composed.parts.splice(..0, std::iter::repeat_n(Part::default(), before));
        composed.parts.extend(std::iter::repeat_n(Part::default(), after));
    }
    composed
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
    bass_of(std::slice::from_ref(part)).is_some()
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
