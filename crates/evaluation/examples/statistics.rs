//! The statistics of folders, side by side: `cargo run -p cantus-evaluation --example statistics -- FOLDER...`.

use cantus_corpus::{CorpusError, Options, survey};
use cantus_evaluation::{Statistics, Summary, side_by_side};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut columns: Vec<(String, Summary)> = Vec::new();
    for folder in std::env::args().skip(1) {
        let pieces = survey(Path::new(&folder), &Options::default(), &mut |_| ()).and_then(|corpus| {
            let of_all = corpus.pieces.iter().map(|piece| Ok(Statistics::of(&piece.score()?)));
            of_all.collect::<Result<Vec<Statistics>, CorpusError>>()
        });
        match pieces {
            Ok(pieces) => {
                let name = folder.rsplit('/').find(|name| !name.is_empty()).unwrap_or(&folder).to_owned();
                columns.push((name, Summary::of(&pieces)));
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let columns: Vec<(&str, &Summary)> = columns.iter().map(|(name, summary)| (name.as_str(), summary)).collect();
    print!("{}", side_by_side(&columns));
    ExitCode::SUCCESS
}
