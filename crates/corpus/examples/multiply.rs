//! A large folder out of a small one, for measuring: every piece again and again, transposed, with some bars stretched to twice or three
//! times their length, so that no two are duplicates.
//!
//! `cargo run --release -p cantus-corpus --example multiply -- FROM TO COUNT`; 1,000 files to a folder.

use cantus_corpus::{Options, survey};
use cantus_formats::midi;
use cantus_score::{Score, Ticks};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, count] = &arguments[..] else {
        eprintln!("write: multiply FROM TO COUNT");
        return ExitCode::FAILURE;
    };
    match count
        .parse()
        .map_err(|error| format!("{count} is no number: {error}"))
        .and_then(|count| multiply(from, to, count))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn multiply(from: &str, to: &str, count: usize) -> Result<(), String> {
    let corpus = survey(Path::new(from), &Options::default(), &mut |_| ()).map_err(|error| error.to_string())?;
    let pieces: Result<Vec<Score>, _> = corpus.pieces.iter().map(|piece| piece.score()).collect();
    let pieces = pieces.map_err(|error| error.to_string())?;
    if pieces.is_empty() {
        return Err(format!("there is no music in {from}"));
    }
    let mut random = 1;
    for number in 0..count {
        let score = changed(&pieces[number % pieces.len()], &mut random);
        let bytes = midi::write(&score).map_err(|error| error.to_string())?;
        let folder = Path::new(to).join(format!("{:04}", number / 1000));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join(format!("{number:07}.mid")), bytes))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The piece in another key, a bar in five stretched.
fn changed(piece: &Score, random: &mut u64) -> Score {
    let mut draw = |below: u64| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % below
    };
    let mut score = piece.transposed(draw(12) as i32 - 6).unwrap_or_else(|| piece.clone());
    // Where each bar begins, and how many times as long it is.
    let mut bars: Vec<(u64, u64, u64)> = Vec::new();
    let mut at = 0;
    for bar in piece.bars() {
        let times = if draw(5) == 0 { 2 + draw(2) } else { 1 };
        bars.push((bar.start.0, at, times));
        at += (bar.end() - bar.start).0 * times;
    }
    let moved = |time: Ticks| {
        let bar = bars.partition_point(|(start, ..)| *start <= time.0).saturating_sub(1);
        bars.get(bar).map_or(time, |(start, at, times)| Ticks(at + (time.0 - start) * times))
    };
    score.meters.iter_mut().for_each(|(time, _)| *time = moved(*time));
    score.tempos.iter_mut().for_each(|(time, _)| *time = moved(*time));
    score.keys.clear();
    for note in score.parts.iter_mut().flat_map(|part| &mut part.notes) {
        let end = moved(note.end());
        note.onset = moved(note.onset);
        note.duration = end - note.onset;
    }
    score
}
