//! What to do about a folder of which too little can be used. Advice names the option that helps, or says nothing.

use crate::beats::Beats;
use crate::text::{grouped, printable};
use crate::{Preflight, Reason};
use cantus_formats::Format;

/// What happened and what to do, for a report without two usable pieces.
pub(crate) fn unusable(report: &Preflight) -> String {
    let (folder, totals) = (printable(&report.folder), &report.totals);
    if totals.files == 0 {
        let endings = Format::extensions_read().collect::<Vec<_>>().join(", .");
        return format!("`{folder}` holds no music files: name a folder with files that end in .{endings}");
    }
    let found = match (totals.used, totals.files) {
        (0, 1) => format!("the only file in `{folder}` cannot be used"),
        (0, files) => format!("none of the {} files in `{folder}` can be used", grouped(files as u64)),
        (_, 1) => format!(
            "`{folder}` holds one piece, which is too short to learn from one part of it and validate on the other"
        ),
        (_, files) => format!(
            "only 1 of the {} files in `{folder}` can be used, and it is too short to learn from one part of it and validate on the other",
            grouped(files as u64)
        ),
    };
    match advice(report) {
        Some(advice) => format!("{found}: {advice}"),
        None => found,
    }
}

/// What helps against the most frequent reason that anything helps against.
fn advice(report: &Preflight) -> Option<String> {
    report.totals.refused.iter().find_map(|(heading, _)| {
        let reasons: Vec<&Reason> =
            report.refused().map(|(_, reason)| reason).filter(|reason| reason.heading() == heading).collect();
        against(&reasons)
    })
}

/// What helps against reasons that are all of one kind.
fn against(reasons: &[&Reason]) -> Option<String> {
    match reasons.first()? {
        Reason::NoNotes { drums: 1.., .. } => Some(
            "they hold drums and nothing with a pitch; `--reading parts` reads drums, with a composer that writes them".to_owned(),
        ),
        Reason::NoNotes { .. } => Some("choose files in which notes are written out".to_owned()),
        Reason::OffGrid { .. } => Some(
            "most look like recorded performances, which no grid holds; `--reading performed` reads them as they were played, with a \
             composer that writes so"
                .to_owned(),
        ),
        Reason::TooShort { .. } => {
            let least = reasons.iter().filter_map(|reason| match reason {
                Reason::TooShort { notes, bars, .. } if *notes > 0 => Some((*bars, *notes)),
                _ => None,
            });
            let (bars, notes) = least.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))?;
            Some(format!("`--min-bars {bars} --min-notes {notes}` reads what is too short now"))
        }
        Reason::Meter { .. } => Some("`--meters any` reads all metres".to_owned()),
        Reason::TooManyParts { .. } => {
            let most = reasons.iter().filter_map(|reason| match reason {
                Reason::TooManyParts { found, .. } => Some(*found),
                _ => None,
            });
            Some(format!("`--max-note-tracks {}` reads them all", most.max()?))
        }
        Reason::NoSuchPart { .. } => Some("`--parts all` reads all parts".to_owned()),
        Reason::NoBand { .. } => {
            Some("who writes a bass to drums, or drums to a bass, learns from songs that have both; another composer reads these".to_owned())
        }
        Reason::BeyondPiano { .. } => Some("they are read without `--piano-only`".to_owned()),
        Reason::TooLarge { .. } => {
            let most = reasons.iter().filter_map(|reason| match reason {
                Reason::TooLarge { bytes, .. } => Some(*bytes),
                _ => None,
            });
            Some(format!("`--max-bytes {}` reads them all", most.max()?))
        }
        Reason::DuplicateOf { .. } => Some("the others are the same music again; a second piece is needed".to_owned()),
        Reason::Unreadable { .. } => None,
    }
}

/// What to say of onsets that were moved to fit the grid.
pub(crate) fn moved(percent: f64, report: &Preflight, beats: &Beats) -> String {
    let steps = report.options.steps();
    let finer = match beats.better_than(steps) {
        Some(grid) => format!("; `--grid {grid}` holds nearly all of them"),
        None => String::new(),
    };
    format!("{percent:.0}% of the onsets were moved to fit {} steps a quarter note{finer}", steps.get())
}
