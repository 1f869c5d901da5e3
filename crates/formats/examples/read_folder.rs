//! Reads every MIDI file below the folders named and prints how fast, and what was odd.
//!
//! `cargo run --release -p cantus-formats --example read_folder -- FOLDER...`

use cantus_formats::midi::{Limits, read};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|e| ["mid", "midi", "kar", "rmi"].iter().any(|x| e.eq_ignore_ascii_case(x)))
        {
            files.push(path);
        }
    }
}

fn main() {
    let mut files = Vec::new();
    for folder in std::env::args().skip(1) {
        collect(Path::new(&folder), &mut files);
    }
    let limits = Limits::default();
    for round in 0..7 {
        let start = Instant::now();
        let (mut notes, mut bytes, mut warnings, mut refused) = (0, 0, 0, 0);
        for path in &files {
            let Ok(file) = std::fs::read(path) else { continue };
            bytes += file.len();
            match read(&file, &limits) {
                Ok(reading) => {
                    notes += reading.score.note_count();
                    warnings += reading.warnings.len();
                    for warning in reading.warnings.iter().filter(|_| round == 0 && std::env::var_os("SHOW").is_some())
                    {
                        println!("{}: {warning}", path.display());
                    }
                }
                Err(error) => {
                    refused += 1;
                    if round == 0 {
                        println!("{}: {error}", path.display());
                    }
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{} files, {bytes} bytes, {notes} notes, {warnings} warnings, {refused} refused: {:.1} ms, {:.0} files/s",
            files.len(),
            seconds * 1e3,
            files.len() as f64 / seconds
        );
    }
}
