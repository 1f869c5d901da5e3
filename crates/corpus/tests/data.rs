//! The defaults on real music: written scores are used, performances are refused. Skipped where `CANTUS_DATA` names no data folder.

use cantus_corpus::{Options, Preflight, survey};
use std::path::PathBuf;

/// The report of a folder of the data, or `None`, said aloud, where there is no data.
fn report(test: &str, folder: &str) -> Option<Preflight> {
    let Some(data) = std::env::var_os("CANTUS_DATA").map(PathBuf::from) else {
        println!("skipped: {test} (CANTUS_DATA names no data folder)");
        return None;
    };
    Some(survey(&data.join(folder), &Options::default(), &mut |_| ()).expect("a folder of the data").report)
}

#[test]
fn scores_are_used() {
    for (folder, files, used) in [("midi/chopin", 41, 41), ("midi/hymns", 219, 218), ("midi/nottingham", 869, 869)] {
        let Some(report) = report("scores_are_used", folder) else { return };
        assert_eq!((report.totals.files, report.totals.used), (files, used), "{report}");
    }
}

#[test]
fn performances_are_refused() {
    for folder in ["midi/jazz_solos_wjazzd", "performance/giantmidi", "performance/vienna4x22"] {
        let Some(report) = report("performances_are_refused", folder) else { return };
        assert_eq!(report.totals.refused, [("off the grid".to_owned(), report.totals.files)], "{report}");
    }
}

#[test]
fn hostile_files_are_lines_of_the_report() {
    let Some(report) = report("hostile_files_are_lines_of_the_report", "hostile") else { return };
    assert!(report.totals.files > 100);
    assert!(!report.verbose().to_string().contains(|c: char| c.is_control() && c != '\n'));
}
