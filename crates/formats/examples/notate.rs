//! Writes music files as MusicXML into a folder, each with the list of its notes, so that another program can be asked whether it
//! reads the same ones.
//!
//! `cargo run --release -p cantus-formats --example notate -- OUT FILE...`
//!
//! A line of a list: onset and duration in ticks, pitch; the first line has the ticks per quarter.

use cantus_formats::{Format, Limits, musicxml, read};
use cantus_score::Score;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("name a folder and music files")?;
    std::fs::create_dir_all(&out)?;
    let (mut files, mut notes, mut exact, mut same) = (0, 0, 0, 0);
    for path in arguments {
        for (number, score) in pieces(&path) {
            let canonical = musicxml::canonicalize(&score)?;
            let bytes = musicxml::write(&score)?;
            let again = musicxml::read(&bytes, &Limits::default())?;
            files += 1;
            notes += canonical.note_count();
            same += usize::from(again.score == canonical && again.warnings.is_empty());
            exact += usize::from(moved(&score, &canonical) == 0);
            if again.score != canonical {
                println!("{}: reads back differently", path.display());
            }
            let stem = path.with_extension("");
            let name: Vec<_> = stem.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
            let name = name.into_iter().rev().collect::<Vec<_>>().join("-").replace('/', "");
            let name = number.map_or(name.clone(), |number| format!("{name}-{number}"));
            write_pair(&out.join(name), &bytes, &canonical)?;
        }
    }
    println!("{files} files, {notes} notes; {same} read back the same; {exact} lie on the grid as they are");
    Ok(())
}

/// The pieces of a file that can be read; of several each has its number.
fn pieces(path: &Path) -> Vec<(Option<u32>, Score)> {
    let read = Format::to_read(path).map_err(|error| error.to_string()).and_then(|format| {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        read(format, &bytes, &Limits::default()).map_err(|error| error.to_string())
    });
    let pieces = read.unwrap_or_else(|error| {
        println!("{}: {error}", path.display());
        Vec::new()
    });
    pieces.into_iter().filter_map(|piece| Some((piece.number, piece.reading.ok()?.score))).collect()
}

/// How many notes have another place on paper than in the file.
fn moved(score: &Score, canonical: &Score) -> usize {
    let (from, to) = (u64::from(score.ticks_per_quarter.get()), u64::from(canonical.ticks_per_quarter.get()));
    let times = |score: &Score, by: u64| {
        let mut all: Vec<_> = score.notes().map(|n| (n.onset.0 * by, n.end().0 * by, n.pitch)).collect();
        all.sort_unstable();
        all
    };
    let (a, b) = (times(score, to), times(canonical, from));
    a.iter().filter(|note| b.binary_search(note).is_err()).count()
}

fn write_pair(to: &Path, bytes: &[u8], score: &Score) -> Result<(), Box<dyn Error>> {
    std::fs::write(to.with_extension("musicxml"), bytes)?;
    let mut list = format!("{}\n", score.ticks_per_quarter.get());
    let mut notes: Vec<_> = score.notes().collect();
    notes.sort_unstable();
    for note in notes {
        writeln!(list, "{} {} {}", note.onset.0, note.duration.0, note.pitch.get())?;
    }
    std::fs::write(to.with_extension("notes"), list)?;
    Ok(())
}
