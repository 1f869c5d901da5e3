//! The defaults on real music: merged, written scores are used and performances refused; read as suits the folder, all of it is used. Skipped where `CANTUS_DATA` names no data folder.

use cantus_corpus::{Music, Options, Preflight, Split, survey};
use cantus_score::Reading;
use std::collections::HashMap;
use std::path::PathBuf;

/// The report of a folder of the data, or `None`, said aloud, where there is no data.
fn report(test: &str, folder: &str) -> Option<Preflight> {
    report_with(test, folder, &Options::default())
}

fn report_with(test: &str, folder: &str, options: &Options) -> Option<Preflight> {
    let Some(data) = std::env::var_os("CANTUS_DATA").map(PathBuf::from) else {
        println!("skipped: {test} (CANTUS_DATA names no data folder)");
        return None;
    };
    Some(survey(&data.join(folder), options, &mut |_| ()).expect("a folder of the data").report)
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

/// Whatever a folder holds is used, read as suits it.
#[test]
fn a_folder_is_read_as_suits_it() {
    for (folder, music, reading, least) in [
        ("midi/chopin", Music::Keyboard, Reading::Parts, 41),
        ("midi/hymns", Music::Voices, Reading::Parts, 218),
        ("midi/jazz_solos_wjazzd", Music::Performances, Reading::Performed, 380),
        ("performance/giantmidi", Music::Performances, Reading::Performed, 44),
        ("performance/asap-nc", Music::Performances, Reading::Performed, 540),
        ("multitrack/groove", Music::Drums, Reading::Parts, 930),
        ("multitrack/freedoom", Music::Band, Reading::Parts, 92),
        ("abc/oneills", Music::Tunes, Reading::Parts, 219),
    ] {
        let Some(report) = report_with("a_folder_is_read_as_suits_it", folder, &Options::open()) else { return };
        assert_eq!((report.music(), report.options.reading), (Some(music), Some(reading)), "{report}");
        assert!(report.totals.used >= least, "{report}");
    }
}

/// The folders of these are compositions, of which up to eight players and a score are there; names are no part of what decides.
#[test]
fn performances_of_one_composition_stand_on_one_side() {
    let test = "performances_of_one_composition_stand_on_one_side";
    let Some(report) = report_with(test, "performance/asap-nc", &Options::open()) else { return };
    let mut compositions: HashMap<&str, Vec<Split>> = HashMap::new();
    for (file, usage) in report.used() {
        let (folder, _) = file.path.split_once('/').expect("every file lies in a folder");
        compositions.entry(folder).or_default().push(usage.split);
    }
    let several: Vec<&Vec<Split>> = compositions.values().filter(|splits| splits.len() > 1).collect();
    let divided = several.iter().filter(|splits| splits.iter().any(|split| *split != splits[0])).count();
    assert!(several.len() > 150 && divided <= 3, "{divided} of {}", several.len());
    let share = report.totals.valid as f64 / report.totals.used as f64;
    assert!((0.05..0.2).contains(&share), "{share}");
}

#[test]
fn hostile_files_are_lines_of_the_report() {
    let Some(report) = report("hostile_files_are_lines_of_the_report", "hostile") else { return };
    assert!(report.totals.files > 100);
    assert!(!report.verbose().to_string().contains(|c: char| c.is_control() && c != '\n'));
}
