//! Reading a folder of MIDI files into scores.

use crate::Common;
use crate::clock::Contender;
use crate::report::Report;
use cantus_formats::midi::{Limits, read};
use rayon::prelude::*;
use std::io::Result;
use std::path::{Path, PathBuf};

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mid")) {
            files.push(path);
        }
    }
    Ok(())
}

/// Notes of one file.
fn notes(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap_or_default();
    read(&bytes, &Limits::default()).map_or(0, |reading| reading.score.note_count())
}

/// One thread and all of them, beside symusic and mido.
pub fn run(common: &Common, data: &Path) -> Result<Report> {
    let mut files = Vec::new();
    collect(data, &mut files)?;
    files.sort();
    let total: usize = files.iter().map(|path| notes(path)).sum();
    let remarks = vec![format!("{} files, {total} notes; files a second: 1000 over the milliseconds", files.len())];
    let n = files.len().max(1);
    let mut contenders = vec![
        Contender::timed("ours, one thread", n, || assert_eq!(files.iter().map(|p| notes(p)).sum::<usize>(), total)),
        Contender::timed(&format!("ours, {} threads", common.threads), n, || {
            assert_eq!(files.par_iter().map(|p| notes(p)).sum::<usize>(), total);
        }),
    ];
    let folder = data.to_string_lossy();
    contenders.extend(common.peer("symusic", "midi_peer.py", &["symusic", &folder])?);
    contenders.extend(common.peer("mido", "midi_peer.py", &["mido", &folder])?);
    Ok(common.race("reading", "milliseconds a file, page cache warm", contenders, remarks))
}
