//! What is suspect, where it stands, and how it is shown.

use super::{Outcome, trimmed};
use cantus_formats::svg::Roll;
use cantus_score::{Note, Pitch, Score, Ticks};
use cantus_workshop::{Change, Proof};
use std::path::PathBuf;

/// A note is suspect from one chance in four on: a person can look, and what is sound has next to none.
const SUSPECT: f64 = 0.25;
/// So a bar stands in a false place.
const JOINED: f64 = 0.5;
/// Suspect notes of a bar that are named.
const NAMED: usize = 4;

/// A note that may well be wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub part: usize,
    pub written: Note,
    pub bar: usize,
    pub beat: f64,
    pub wrong: f64,
}

/// The number of the bar of a moment, and its beat there, from 1, in the metre's own notes.
pub(super) fn place(score: &Score, at: Ticks) -> (usize, f64) {
    let within = score.numbered_bars().take_while(|(_, bar)| bar.start <= at).last();
    within.map_or((1, 1.0), |(number, bar)| {
        let beat = 4.0 / f64::from(bar.meter.denominator());
        (number, 1.0 + (at - bar.start).quarters(score.ticks_per_quarter) / beat)
    })
}

/// The notes that may well be wrong, in order of time.
pub(super) fn suspects(score: &Score, proof: &Proof) -> Vec<Suspect> {
    let mut found: Vec<Suspect> = proof
        .notes
        .iter()
        .filter(|doubt| doubt.wrong >= SUSPECT)
        .map(|doubt| {
            let written = score.parts[doubt.part].notes[doubt.note];
            let (bar, beat) = place(score, written.onset);
            Suspect { part: doubt.part, written, bar, beat, wrong: doubt.wrong }
        })
        .collect();
    found.sort_by_key(|suspect| (suspect.written, suspect.part));
    found
}

/// A heading, and a row for each bar that has something to be said of, or for all.
pub(super) fn rows(score: &Score, proof: &Proof, suspects: &[Suspect], all: bool) -> Vec<Vec<String>> {
    let mut rows = vec![["bar", "notes", "wrong", "which"].map(str::to_owned).to_vec()];
    for bar in &proof.bars {
        let mut within: Vec<&Suspect> = suspects
            .iter()
            .filter(|suspect| bar.start <= suspect.written.onset && suspect.written.onset < bar.end)
            .collect();
        let is_torn = bar.notes > 0 && bar.joined < JOINED;
        if !all && within.is_empty() && !is_torn {
            continue;
        }
        within.sort_by(|a, b| b.wrong.total_cmp(&a.wrong));
        let more = within.len().saturating_sub(NAMED);
        let mut named: Vec<String> = within
            .into_iter()
            .take(NAMED)
            .map(|suspect| {
                let part = score
                    .parts
                    .get(suspect.part)
                    .and_then(|part| part.name.as_deref())
                    .filter(|_| score.parts.len() > 1);
                let part = part.map_or_else(String::new, |name| format!(" in {}", crate::terminal::printable(name)));
                format!(
                    "{} on beat {}{part} ({:.0}%)",
                    suspect.written.pitch,
                    trimmed(suspect.beat),
                    100.0 * suspect.wrong
                )
            })
            .collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        if is_torn {
            named.push("it does not go on from what is beside it".to_owned());
        }
        rows.push(vec![bar.number.to_string(), bar.notes.to_string(), format!("{:.1}", bar.wrong), named.join(", ")]);
    }
    rows
}

/// The piece with a mark at each suspect note, and how it is drawn.
pub(super) fn mark(score: &Score, suspects: &[Suspect], proof: Option<&Proof>) -> (Score, Roll) {
    let mut marked = score.clone();
    for suspect in suspects {
        marked.markers.push((suspect.written.onset, format!("{}?", suspect.written.pitch)));
    }
    marked.markers.sort_by_key(|(at, _)| *at);
    let mut notes: Vec<(Ticks, Pitch)> =
        suspects.iter().map(|suspect| (suspect.written.onset, suspect.written.pitch)).collect();
    notes.sort_unstable();
    let title = proof.map(|proof| {
        let title = score.title.as_deref().unwrap_or("Untitled");
        format!("{title}: {:.1}% of the notes are likely wrong", 100.0 * proof.broken)
    });
    (marked, Roll { marked: notes, title, ..Roll::default() })
}

/// How a mended piece is drawn: what was changed is framed.
pub(super) fn changed(changes: &[Change]) -> Roll {
    let mut marked: Vec<(Ticks, Pitch)> =
        changes.iter().filter_map(|change| change.is).map(|is| (is.onset, is.pitch)).collect();
    marked.sort_unstable();
    Roll { marked, ..Roll::default() }
}

/// All of it for programs.
pub(super) fn json(
    name: &str,
    score: &Score,
    outcome: &Outcome,
    (written, warnings, lost): (&[PathBuf], &[String], &[String]),
) -> serde_json::Value {
    let Some(proof) = &outcome.proof else {
        return serde_json::json!({"file": name, "music": false, "sound": 0.0, "why": outcome.silent, "warnings": warnings});
    };
    let bars: Vec<serde_json::Value> = proof
        .bars
        .iter()
        .map(|bar| serde_json::json!({"bar": bar.number, "notes": bar.notes, "wrong": bar.wrong, "joined": bar.joined, "doubt": bar.doubt}))
        .collect();
    let suspects: Vec<serde_json::Value> = outcome
        .suspects
        .iter()
        .map(|suspect| {
            let Suspect { part, written, bar, beat, wrong } = suspect;
            serde_json::json!({"bar": bar, "beat": beat, "part": part + 1, "pitch": written.pitch.to_string(), "wrong": wrong})
        })
        .collect();
    let said = [warnings, lost].concat();
    let of = |note: &Note| {
        let (bar, beat) = place(score, note.onset);
        serde_json::json!({"bar": bar, "beat": beat, "pitch": note.pitch.to_string()})
    };
    let changes = outcome.mended.as_ref().map(|mended| {
        let change = |change: &Change| serde_json::json!({"part": change.part + 1, "was": change.was.as_ref().map(of), "now": change.is.as_ref().map(of)});
        mended.changes.iter().map(change).collect::<Vec<serde_json::Value>>()
    });
    serde_json::json!({
        "file": name, "music": proof.is_music(), "sound": proof.sound, "broken": proof.broken, "order": proof.order, "notes": proof.notes.len(),
        "bars": bars, "suspects": suspects, "changes": changes, "files": written,
        "remarks": proof.remarks, "warnings": said,
    })
}
