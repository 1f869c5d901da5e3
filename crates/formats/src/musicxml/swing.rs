//! Swing: notes of one length that share their time unevenly.
//!
//! MusicXML 4.0, "The swing element". Grace notes and notes without a type are not moved. Where a voice divides a beat otherwise, in
//! halves of these notes or in triplets, it is played as it stands, as notation programs do.

use super::part::{RawMeasure, RawNote, Swing};
use std::collections::HashSet;

/// Swings the notes of one measure of a part; `swings` in order of time, the first at its beginning. `phase` is how far into a bar it
/// begins.
pub fn swing(measure: &mut RawMeasure, swings: &[(u64, Option<Swing>)], phase: u64) {
    for (k, (from, swing)) in swings.iter().enumerate() {
        let until = swings.get(k + 1).map_or(u64::MAX, |(at, _)| *at);
        if let Some(swing) = swing.filter(|swing| swing.unit > 0) {
            let notes = measure.notes.iter_mut().filter(|note| (*from..until).contains(&note.onset));
            let mut notes: Vec<&mut RawNote> = notes.collect();
            swing_notes(&mut notes, swing, phase);
        }
    }
}

fn swing_notes(notes: &mut [&mut RawNote], swing: Swing, phase: u64) {
    let pair = 2 * swing.unit;
    let ends = |note: &RawNote| [note.onset, note.onset + note.duration].map(|at| at.saturating_add(phase));
    // Of each voice, the pairs that are divided otherwise.
    let mut others: HashSet<(u32, u64)> = HashSet::new();
    for note in notes.iter().filter(|note| note.lead == 0) {
        let odd = ends(note).into_iter().filter(|at| at % swing.unit != 0);
        others.extend(odd.map(|at| (note.voice, at / pair)));
    }
    // As 128 bits: a ratio may be as large as it likes.
    let middle = u128::from(pair) * u128::from(swing.first) / u128::from(swing.first + swing.second);
    let middle = u64::try_from(middle).unwrap_or(swing.unit);
    for note in notes.iter_mut().filter(|note| note.is_swung) {
        let moved = |at: u64| {
            let is_middle = at % pair == swing.unit && !others.contains(&(note.voice, at / pair));
            if is_middle { at - swing.unit + middle } else { at }
        };
        let [onset, end] = ends(note).map(moved);
        (note.onset, note.duration) = (onset.saturating_sub(phase), end.saturating_sub(onset));
    }
}
