//! How long an index takes, and a piece: `cargo run --release -p cantus-evaluation --example originality -- FOLDER...`.

use cantus_corpus::{CorpusError, Options, survey};
use cantus_evaluation::originality::{Digest, HeldOut, Index, Originality};
use cantus_score::Score;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut pieces: Vec<(String, Score)> = Vec::new();
    for folder in std::env::args().skip(1) {
        let found = survey(Path::new(&folder), &Options::default(), &mut |_| ()).and_then(|corpus| {
            let all = corpus.pieces.iter().map(|piece| Ok((piece.path.clone(), piece.score()?)));
            all.collect::<Result<Vec<(String, Score)>, CorpusError>>()
        });
        match found {
            Ok(found) => pieces.extend(found),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let notes: usize = pieces.iter().map(|(_, score)| score.note_count()).sum();
    let start = Instant::now();
    let index = Index::new(pieces.iter().map(|(name, score)| (name.as_str(), score)));
    println!("{} pieces, {notes} notes: indexed in {:.3} s", pieces.len(), start.elapsed().as_secs_f64());
    let mut slowest: (f64, &str) = (0.0, "");
    let mut found: Vec<Originality> = Vec::new();
    let start = Instant::now();
    for (k, (name, score)) in pieces.iter().enumerate() {
        let one = Instant::now();
        found.push(index.check_left_out(score, k));
        let seconds = one.elapsed().as_secs_f64();
        slowest = if seconds > slowest.0 { (seconds, name) } else { slowest };
    }
    let each = start.elapsed().as_secs_f64() / pieces.len().max(1) as f64;
    println!("a piece checked in {:.3} ms, the slowest ({}) in {:.1} ms", 1e3 * each, slowest.1, 1e3 * slowest.0);
    let held_out = HeldOut::of(&found);
    println!("8-note n-grams of the melody: {:?}", held_out.melody[1]);
    println!("longest passages: {:?}", held_out.longest);
    let start = Instant::now();
    let digest = Digest::new(&index, held_out, Digest::MOST_BYTES);
    let made = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let run = pieces.iter().map(|(_, score)| digest.check(score).longest).max().unwrap_or(0);
    let each = start.elapsed().as_secs_f64() / pieces.len().max(1) as f64;
    let bytes = digest.to_json().to_string().len();
    println!("digest of {bytes} bytes of JSON made in {made:.3} s, a piece in {:.3} ms, longest run {run}", 1e3 * each);
    ExitCode::SUCCESS
}
