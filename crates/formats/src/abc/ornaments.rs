//! Grace notes get their time, once it is known what comes before and after them.

use super::TICKS;
use super::tune::Grace;
use crate::grace::grace_time;
use crate::repeats::Stretch;
use cantus_score::{Note, Pitch, Ticks, Velocity};
use std::collections::HashMap;

/// Adds the grace notes of a voice to its `notes`, which are played along `stretches` and sorted. Gives where those have come to that
/// begin later now.
pub fn ornament(
    notes: Vec<Note>,
    graces: &[Grace],
    stretches: &[Stretch],
) -> (Vec<Note>, HashMap<(Ticks, Pitch), Ticks>) {
    let mut moved = HashMap::new();
    if graces.is_empty() {
        return (notes, moved);
    }
    let mut ends: HashMap<u64, Vec<usize>> = HashMap::new();
    for (k, note) in notes.iter().enumerate() {
        ends.entry(note.end().0).or_default().push(k);
    }
    let mut times: Vec<u64> = ends.keys().copied().collect();
    times.sort_unstable();
    let mut changed = notes.clone();
    let mut now = 0;
    for &(from, to) in stretches {
        // Those without a chord end what comes before them: they may stand at the end of a stretch.
        let is_inside = |grace: &&Grace| match grace.length {
            0 => from < grace.at,
            _ => grace.at < to,
        };
        let first = graces.partition_point(|grace| grace.at < from);
        for grace in graces[first..].iter().take_while(|grace| grace.at <= to).filter(is_inside) {
            let at = now + grace.at - from;
            let before = ends.get(&at).map_or(&[][..], Vec::as_slice);
            let rested = || at - times[..times.partition_point(|end| *end < at)].last().unwrap_or(&0);
            let room = before.iter().map(|k| notes[*k].duration.0).min().unwrap_or_else(rested);
            let time = grace_time(grace.slashed, grace.heads.len() as u64, grace.length, room, TICKS);
            for k in before {
                changed[*k].duration = Ticks(changed[*k].duration.0.saturating_sub(time.before).max(1));
            }
            let begin = notes.partition_point(|note| note.onset.0 < at);
            let together = notes[begin..].iter().take_while(|note| note.onset.0 == at).count();
            for note in &mut changed[begin..begin + together] {
                if grace.of.contains(&note.pitch) && note.duration.0 > time.of_note {
                    let from = note.onset;
                    note.onset += Ticks(time.of_note);
                    moved.insert((from, note.pitch), note.onset);
                    note.duration = note.duration - Ticks(time.of_note);
                }
            }
            strike(grace, at - time.before, time.before + time.of_note, &mut changed);
        }
        now += to - from;
    }
    changed.sort_unstable();
    (changed, moved)
}

/// The grace notes one after another in the time from `at`, each with its share of it.
fn strike(grace: &Grace, at: u64, time: u64, notes: &mut Vec<Note>) {
    let all: u128 = grace.heads.iter().map(|(_, share)| u128::from(*share)).sum();
    let place = |shares: u128| at + (u128::from(time) * shares / all.max(1)) as u64;
    let mut shares = 0;
    for (pitches, share) in &grace.heads {
        let onset = place(shares);
        shares += u128::from(*share);
        let duration = Ticks(place(shares) - onset);
        if duration > Ticks::ZERO {
            let note = |pitch| Note { onset: Ticks(onset), pitch, duration, velocity: Velocity::DEFAULT };
            notes.extend(pitches.iter().copied().map(note));
        }
    }
}
