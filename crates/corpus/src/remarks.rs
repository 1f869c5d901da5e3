//! What a person should know of a folder before training on it.

use crate::advice;
use crate::beats::Beats;
use crate::text::{grouped, printable};
use crate::{Preflight, Split};
use std::collections::BTreeSet;

/// What happened when the sides were assigned.
#[derive(Debug, Default)]
pub(crate) struct Assigned {
    /// Which side was empty, and the piece that was moved to it.
    pub moved: Option<(Split, String)>,
    /// How many pieces are not alone, and of how many compositions they are.
    pub kin: (usize, usize),
}

/// What a person should know.
pub(crate) fn remarks(report: &Preflight, assigned: Assigned, beats: &Beats) -> Vec<String> {
    let mut remarks = Vec::new();
    let totals = &report.totals;
    if let Some((side, path)) = assigned.moved {
        let purpose = if side == Split::Valid { "validation" } else { "training" };
        remarks.push(format!("no piece fell to {purpose}: {} was chosen for it", printable(&path)));
    }
    if let (pieces @ 1.., compositions) = assigned.kin {
        let [pieces, compositions] = [pieces, compositions].map(|count| grouped(count as u64));
        remarks.push(format!(
            "{pieces} pieces are versions of {compositions} compositions: all of one are learnt from, or all validate"
        ));
    }
    let longest = report.used().max_by(|a, b| a.1.quarters.total_cmp(&b.1.quarters));
    if let Some((file, usage)) = longest.filter(|(_, usage)| totals.used > 1 && usage.quarters > totals.quarters / 2.0)
    {
        let share = 100.0 * usage.quarters / totals.quarters;
        let path = printable(&file.path);
        remarks.push(format!("{path} alone is {share:.0}% of the music: a composer will learn it by heart"));
    }
    if (2..20).contains(&totals.used) {
        let (used, valid) = (totals.used, totals.valid);
        remarks.push(format!("{used} pieces are few, and validation figures rest on {valid} of them: expect copying"));
    }
    let meters = |side: Split| -> BTreeSet<&str> {
        let of_side = report.used().filter(|(_, usage)| usage.split == side);
        of_side.flat_map(|(_, usage)| usage.meters.iter().map(String::as_str)).collect()
    };
    let (train, valid) = (meters(Split::Train), meters(Split::Valid));
    if totals.used > 1 && train.is_disjoint(&valid) {
        let list = |meters: BTreeSet<&str>| meters.into_iter().collect::<Vec<&str>>().join(", ");
        let (train, valid) = (list(train), list(valid));
        remarks
            .push(format!("pieces to train on are in {train}, those to validate in {valid}: figures will say little"));
    }
    let read: usize = report.used().map(|(_, usage)| usage.quantization.notes_read).sum();
    let moved: f64 =
        report.used().map(|(_, usage)| usage.quantization.moved * usage.quantization.notes_read as f64).sum();
    let share = |count: f64| 100.0 * count / read.max(1) as f64;
    if share(moved) > 10.0 {
        remarks.push(advice::moved(share(moved), report, beats));
    }
    let drums: Vec<usize> = report.used().map(|(_, usage)| usage.drums).filter(|drums| *drums > 0).collect();
    if !drums.is_empty() {
        let (strokes, files) = (grouped(drums.iter().sum::<usize>() as u64), grouped(drums.len() as u64));
        let s = if drums.len() == 1 { "" } else { "s" };
        remarks.push(format!("{strokes} drum strokes in {files} file{s} are left out: all is read as one instrument (`--reading parts` keeps them apart)"));
    }
    if totals.merged > 0 {
        let (merged, percent) = (grouped(totals.merged), share(totals.merged as f64));
        remarks
            .push(format!("{merged} notes ({percent:.1}%) fell on another of the same step and pitch and were merged"));
    }
    remarks
}
