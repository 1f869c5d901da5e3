//! What is decided measure by measure: which accidentals stand before notes, and which notes a beam joins.

use crate::notation::{Event, Spelling, Staff, Step};
use cantus_score::{Key, Meter};
use std::collections::HashMap;

/// For each voice, event and head of bar `k` whether its accidental is shown: where it differs from what the key, or the note before it
/// on the same line of the staff, says. A note tied over the bar line needs none; a new key, `key` at an onset within the bar, ends what
/// accidentals said.
pub fn shown_accidentals(staff: &Staff, k: usize, key: impl Fn(u64) -> Key) -> Vec<Vec<Vec<bool>>> {
    let mut shown: Vec<Vec<Vec<bool>>> = staff
        .voices
        .iter()
        .map(|voice| voice[k].iter().map(|event| vec![false; event.heads.len()]).collect())
        .collect();
    let mut places: Vec<(u64, usize, usize, usize)> = Vec::new();
    for (v, voice) in staff.voices.iter().enumerate() {
        for (e, event) in voice[k].iter().enumerate() {
            places.extend((0..event.heads.len()).map(|h| (event.onset, v, e, h)));
        }
    }
    places.sort_unstable();
    let mut current: HashMap<(Step, i32), i32> = HashMap::new();
    let mut in_force = key(0);
    for (onset, v, e, h) in places {
        let key = key(onset);
        if std::mem::replace(&mut in_force, key) != key {
            current.clear();
        }
        let head = staff.voices[v][k][e].heads[h];
        let spelling = Spelling::of(head.pitch, key);
        let line = (spelling.step, spelling.octave);
        let before = current.get(&line).copied().unwrap_or_else(|| spelling.step.altered_by(key.fifths()));
        if !head.tied_from && before != spelling.alter {
            shown[v][e][h] = true;
            current.insert(line, spelling.alter);
        }
    }
    shown
}

/// For each event the beams of its stem, the outermost first.
///
/// Beams join eighths and shorter notes within a beat; a rest ends them.
pub fn beams(events: &[Event], meter: Meter) -> Vec<Vec<&'static str>> {
    let mut marks: Vec<Vec<&'static str>> = vec![Vec::new(); events.len()];
    let beat = crate::notation::beat(meter);
    let levels = |event: &Event| match event.value {
        Some(value) if !event.heads.is_empty() => usize::try_from(value.halvings - 2).unwrap_or(0),
        _ => 0,
    };
    let mut start = 0;
    while start < events.len() {
        let group = events[start].onset / beat;
        let rest = &events[start..];
        let length = rest.iter().take_while(|event| levels(event) > 0 && event.onset / beat == group).count();
        if length >= 2 {
            let run = &rest[..length];
            for (k, event) in run.iter().enumerate() {
                for level in 1..=levels(event) {
                    let reaches = |event: Option<&Event>| event.is_some_and(|event| levels(event) >= level);
                    let before = reaches(k.checked_sub(1).and_then(|k| run.get(k)));
                    let after = reaches(run.get(k + 1));
                    marks[start + k].push(match (before, after) {
                        (false, true) => "begin",
                        (true, true) => "continue",
                        (true, false) => "end",
                        (false, false) if k == 0 => "forward hook",
                        (false, false) => "backward hook",
                    });
                }
            }
        }
        start += length.max(1);
    }
    marks
}
