//! Repairing: what is suspect is put where it is not.
//!
//! A tone that is likely wrong is tried at other pitches within an octave, at other steps, and left out; what makes it and its neighbours likeliest stays, and
//! so on, the most suspect tone first, until nothing is suspect any more that could be bettered. Then tones that miss one beside them are given one, where there
//! is one that fits.

use super::network::{Question, softplus};
use super::sheet::{STEPS, Sheet, Tone, step};
use super::verdict::{Ear, prior_shift, share};
use cantus_score::{Note, Part, Pitch, Score, Ticks};
use std::ops::ControlFlow;

/// Tones with lower log-odds of being wrong are left as they are.
const SUSPECT: f32 = 0.0;
/// Tones with lower log-odds of missing another miss none.
const MISSES: f32 = -0.5;
/// Nats that must be won by a change.
const LEAST: f32 = 2.5;
/// What a change costs beside: the further from what is written, the less it is believed.
const LEFT_OUT: f32 = 2.0;
const MOVED: f32 = 1.0;
const PUT_IN: f32 = 0.0;
/// What it counts that a note is missing, beside one that is wrong.
const MISSING: f32 = 0.5;
/// Semitones, and steps, that a tone may be moved by.
const PITCHES: i32 = 12;
const TIMES: i32 = 12;
/// Steps on each side in which a change is heard.
const NEAR: i32 = 8;

/// What was changed, in the score's own ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The part, from 0.
    pub part: usize,
    /// What stood there; nothing where a note was put in.
    pub was: Option<Note>,
    /// What stands there now; nothing where it was left out.
    pub is: Option<Note>,
}

/// A piece that was repaired.
#[derive(Clone, Debug, PartialEq)]
pub struct Mended {
    /// The piece.
    pub score: Score,
    /// What is not as it was, in order of time.
    pub changes: Vec<Change>,
}

/// A tone that was moved, left out or put in.
pub(super) type Edit = (Option<Tone>, Option<Tone>);

/// Repairs a sheet; `None` where it was stopped.
pub(super) fn mend_sheet(
    ear: &Ear,
    sheet: &Sheet,
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Option<Vec<Edit>> {
    let mut sheet = sheet.clone();
    let mut edits: Vec<Edit> = Vec::new();
    // Where little is broken, more is asked for before a tone is believed to be.
    let broken = share(heard(ear, &sheet, Question::Wrong, 0, sheet.steps()).into_iter().map(|(_, odds)| odds));
    let shift = prior_shift(broken);
    for question in [Question::Wrong, Question::Missing] {
        let least = if question == Question::Wrong { SUSPECT } else { MISSES } - shift;
        let mut odds = heard(ear, &sheet, question, 0, sheet.steps());
        // Each tone is looked at once.
        let mut settled: Vec<Tone> = Vec::new();
        let most = sheet.tones.len();
        let all = odds.iter().filter(|(_, odds)| *odds > least).count().max(1);
        for _ in 0..most {
            let suspect = odds.iter().filter(|(tone, odds)| *odds > least && !settled.contains(tone));
            let Some((tone, _)) = suspect.max_by(|a, b| a.1.total_cmp(&b.1)).copied() else { break };
            let done = (settled.len() as f64 / all as f64).min(1.0) * 0.5;
            if progress(if question == Question::Wrong { done } else { 0.5 + done }).is_break() {
                return None;
            }
            settled.push(tone);
            let found =
                if question == Question::Wrong { better(ear, &sheet, tone) } else { fitting(ear, &sheet, tone) };
            let found = found.filter(|(gain, _)| *gain + shift > LEAST).map(|(_, edit)| edit);
            let Some((old, new)) = found else { continue };
            sheet = replaced(&sheet, old, new);
            settled.extend(new);
            edits.push((old, new));
            // What is around is heard anew.
            let (from, to) = span(old, new, 2 * NEAR);
            odds.retain(|(tone, _)| tone.at < from || tone.at >= to);
            odds.extend(heard(ear, &sheet, question, from, to));
        }
    }
    Some(edits)
}

/// The steps around a change.
fn span(old: Option<Tone>, new: Option<Tone>, near: i32) -> (i32, i32) {
    let tones = || old.into_iter().chain(new);
    (tones().map(|tone| tone.at).min().unwrap_or(0) - near, tones().map(Tone::end).max().unwrap_or(0) + near)
}

fn replaced(sheet: &Sheet, old: Option<Tone>, new: Option<Tone>) -> Sheet {
    let kept = sheet.tones.iter().copied().filter(|kept| Some(*kept) != old);
    sheet.with(kept.chain(new).collect())
}

fn heard(ear: &Ear, sheet: &Sheet, question: Question, from: i32, to: i32) -> Vec<(Tone, f32)> {
    let of = |tone: &Tone| (*tone, ear.hear(sheet, *tone, None)[question as usize]);
    sheet.between(from, to).iter().map(of).collect()
}

/// What it costs to believe in all tones of these steps but one.
fn cost(ear: &Ear, sheet: &Sheet, (from, to): (i32, i32), but: Option<Tone>) -> f32 {
    let of = |tone: &Tone| {
        let odds = ear.hear(sheet, *tone, None);
        softplus(odds[Question::Wrong as usize]) + MISSING * softplus(odds[Question::Missing as usize])
    };
    sheet.between(from, to).iter().filter(|tone| Some(**tone) != but).map(of).sum()
}

/// The best of some changes, and the nats that it wins. Only the likeliest few by their own odds are heard with all that is around them.
fn best(ear: &Ear, sheet: &Sheet, old: Option<Tone>, tried: Vec<(Option<Tone>, f32)>) -> Option<(f32, Edit)> {
    // Log-odds are those of a density beside that of faults: what a tone has less than another is by how much it is likelier in its place.
    let own = |new: &Option<Tone>| new.map_or(0.0, |new| ear.hear(sheet, new, old)[Question::Wrong as usize]);
    let stays = old.map_or(0.0, |old| ear.hear(sheet, old, None)[Question::Wrong as usize]);
    let mut tried: Vec<(f32, Option<Tone>, f32)> =
        tried.into_iter().map(|(new, price)| (own(&new) + price, new, price)).collect();
    let gone = tried.iter().position(|(_, new, _)| new.is_none()).map(|at| tried.swap_remove(at));
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    tried.truncate(5);
    let mut best: Option<(f32, Edit)> = None;
    for (priced, new, price) in tried.into_iter().chain(gone) {
        let steps = span(old, new, NEAR);
        // One more tone is not likelier for being likely itself.
        let own = if old.is_some() { priced } else { softplus(priced - price) + price };
        let gain = cost(ear, sheet, steps, old) - cost(ear, &replaced(sheet, old, new), steps, new) + stays - own;
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, (old, new)));
        }
    }
    best
}

/// What is likelier in the place of a tone.
fn better(ear: &Ear, sheet: &Sheet, tone: Tone) -> Option<(f32, Edit)> {
    let unit = super::breaking::unit(sheet);
    let free = |other: &Tone| {
        let own = if other.at >= tone.at && other.at < tone.end() { tone.bit() } else { 0 };
        other.at >= 0 && other.end() <= sheet.steps() && sheet.sounding(other.at) & !own & other.bit() == 0
    };
    let pitches = (-PITCHES..=PITCHES).filter(|by| *by != 0).filter_map(|by| Some((pitched(tone, by)?, 0.0)));
    let times = (-TIMES..=TIMES).filter(|by| *by != 0 && by % unit == 0);
    let times = times.map(|by| (Tone { at: tone.at + by, ..tone }, MOVED));
    let tried = pitches.chain(times).filter(|(other, _)| free(other)).map(|(other, price)| (Some(other), price));
    best(ear, sheet, Some(tone), tried.chain([(None, LEFT_OUT)]).collect())
}

fn pitched(tone: Tone, by: i32) -> Option<Tone> {
    let pitch = u8::try_from(i32::from(tone.pitch) + by).ok().filter(|pitch| *pitch < 128)?;
    Some(Tone { pitch, ..tone })
}

/// What a tone may miss: one that is struck with it, or after it.
fn fitting(ear: &Ear, sheet: &Sheet, tone: Tone) -> Option<(f32, Edit)> {
    let after = Tone { at: tone.end(), ..tone };
    let around =
        [tone, after].into_iter().flat_map(|like| (-2 * PITCHES..=2 * PITCHES).filter_map(move |by| pitched(like, by)));
    let free = |other: &Tone| other.end() <= sheet.steps() && sheet.sounding(other.at) & other.bit() == 0;
    best(ear, sheet, None, around.filter(free).map(|other| (Some(other), PUT_IN)).collect())
}

/// Repairs a score; `None` where it was stopped.
pub(super) fn mend(
    ear: &Ear,
    score: &Score,
    sheet: &Sheet,
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Option<Mended> {
    let mut mended = score.clone();
    let mut changes: Vec<Change> = Vec::new();
    for (old, new) in mend_sheet(ear, sheet, progress)? {
        let Some(old) = old else {
            changes.extend(new.and_then(|new| put_in(score, &mut mended, new)));
            continue;
        };
        for (k, part) in mended.parts.iter_mut().enumerate().filter(|(_, part)| !part.drums) {
            let is_meant = |note: &Note| step(score, note.onset) as i32 == old.at && note.pitch.get() == old.pitch;
            let meant: Vec<Note> = part.notes.iter().copied().filter(is_meant).collect();
            part.notes.retain(|note| !is_meant(note));
            for was in meant {
                let is = new.and_then(|new| moved(score, was, old, new));
                part.notes.extend(is);
                changes.push(Change { part: k, was: Some(was), is });
            }
            part.notes.sort_unstable();
        }
    }
    let mut changes = joined(changes);
    changes.sort_by_key(|change| (change.was.or(change.is), change.part));
    Some(Mended { score: mended, changes })
}

/// A note moved as its tone was.
fn moved(score: &Score, was: Note, old: Tone, new: Tone) -> Option<Note> {
    let by = ticks(score, new.at.abs_diff(old.at));
    let onset = if new.at < old.at { was.onset.saturating_sub(by) } else { was.onset + by };
    Some(Note { onset, pitch: Pitch::try_from(new.pitch).ok()?, ..was })
}

fn ticks(score: &Score, steps: u32) -> Ticks {
    Ticks(steps.into()).rescale(STEPS, score.ticks_per_quarter)
}

/// Puts a note into the part that is silent there and lies nearest, or else into the one that lies nearest.
fn put_in(score: &Score, mended: &mut Score, tone: Tone) -> Option<Change> {
    let (onset, duration) = (ticks(score, tone.at.unsigned_abs()), ticks(score, tone.length.unsigned_abs()));
    let distance = |part: &Part| {
        let sum: u64 = part.notes.iter().map(|note| u64::from(note.pitch.get())).sum();
        let mean = sum as f64 / part.notes.len() as f64;
        let is_busy = part.notes.iter().any(|note| note.onset < onset + duration && onset < note.end());
        (is_busy, ((mean - f64::from(tone.pitch)).abs() * 1000.0) as u64)
    };
    let parts = mended.parts.iter_mut().enumerate().filter(|(_, part)| !part.drums && !part.notes.is_empty());
    let (k, part) = parts.min_by_key(|(_, part)| distance(part))?;
    let near = part.notes.iter().min_by_key(|note| note.onset.0.abs_diff(onset.0))?;
    let note = Note { onset, pitch: Pitch::try_from(tone.pitch).ok()?, duration, velocity: near.velocity };
    part.notes.push(note);
    part.notes.sort_unstable();
    Some(Change { part: k, was: None, is: Some(note) })
}

/// A note that was changed twice was changed once.
fn joined(changes: Vec<Change>) -> Vec<Change> {
    let mut kept: Vec<Change> = Vec::new();
    for change in changes {
        let same =
            |earlier: &&mut Change| earlier.part == change.part && earlier.is.is_some() && earlier.is == change.was;
        match kept.iter_mut().find(same) {
            Some(earlier) => earlier.is = change.is,
            None => kept.push(change),
        }
    }
    kept.retain(|change| change.is != change.was);
    kept
}
