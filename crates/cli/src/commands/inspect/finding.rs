//! `cantus inspect FOLDER --find THEME`: the bars of a folder that are most like a theme.

use super::Arguments;
use crate::files;
use crate::reading::music;
use crate::terminal::{columns, note, printable, say};
use cantus_corpus::{Options, Piece};
use cantus_formats::Limits;
use cantus_score::{Reading, Score, counted};
use cantus_workshop::find;
use miette::{IntoDiagnostic, Result, miette};
use std::path::Path;

/// Bars that are told.
const MOST_FOUND: usize = 10;

pub fn theme(arguments: &Arguments, path: &Path) -> Result<()> {
    let (theme, _) = files::read_music(path, &arguments.reading.limits.over(Limits::default()))?;
    let mut warnings = theme.warnings;
    let usual = Options { reading: Some(Reading::Parts), ..Options::lenient() };
    let corpus = music(&arguments.what, &arguments.reading.over(usual)?, &mut warnings)?;
    warnings.iter().for_each(note);
    let read = |piece: &Piece| Ok((piece.path.clone(), piece.score().into_diagnostic()?));
    let pieces: Vec<(String, Score)> = corpus.pieces.iter().map(read).collect::<Result<_>>()?;
    let theme = theme.score.sounding();
    let found = find(&theme, &pieces, MOST_FOUND);
    if found.is_empty() {
        let problem = if theme.pitched_notes().next().is_none() { "it has no melody" } else { "no piece is as long" };
        return Err(miette!("nothing like `{}` can be looked for: {problem}", path.display()));
    }
    if arguments.json {
        return say(serde_json::json!({ "theme": path, "pieces": pieces.len(), "found": found }));
    }
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let head = ["", "file", "bars", "notes alike", "moved by", "counts alike"].map(str::to_owned).to_vec();
    let rows = found.iter().enumerate().map(|(k, found)| {
        let (first, last) = found.bars;
        let bars = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let moved = if found.semitones == 0 { String::new() } else { format!("{:+}", found.semitones) };
        vec![(k + 1).to_string(), printable(&found.file), bars, percent(found.notes), moved, percent(found.counts)]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    say(format!("Of {} most like {}:\n", counted(pieces.len(), "piece"), printable(&path.display().to_string())))?;
    say(columns(&rows).trim_end())?;
    say(
        "\nNotes alike: those at the same place with the same pitch, in the best transposition (semitones). Counts: pitches, intervals, places, lengths.",
    )
}
