//! The preflight report of a folder: `cargo run -p cantus-corpus --example preflight -- FOLDER [--verbose] [--json-options JSON]`.
//!
//! One line a folder with `--table FOLDER...`, to compare many.

use cantus_corpus::{Options, survey};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut options = Options::default();
    let (mut verbose, mut table, mut folders) = (false, false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--verbose" => verbose = true,
            "--table" => table = true,
            "--json-options" => match serde_json::from_str(&arguments.next().unwrap_or_default()) {
                Ok(given) => options = given,
                Err(error) => {
                    eprintln!("these are no options: {error}");
                    return ExitCode::from(2);
                }
            },
            _ => folders.push(argument),
        }
    }
    let mut code = ExitCode::SUCCESS;
    for folder in &folders {
        let report = match survey(Path::new(folder), &options, &mut |_| ()) {
            Ok(corpus) => corpus.report,
            Err(error) => {
                eprintln!("{error}");
                code = ExitCode::FAILURE;
                continue;
            }
        };
        if table {
            let (totals, name) = (&report.totals, folder.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default());
            let refused: Vec<String> = totals.refused.iter().map(|(why, count)| format!("{count} {why}")).collect();
            let (files, used, notes, merged) = (totals.files, totals.used, totals.notes, totals.merged);
            println!("{name:22} {files:5} {used:5} {notes:8} {merged:7}  {}", refused.join(", "));
        } else if verbose {
            println!("{}", report.verbose());
        } else {
            println!("{report}");
        }
    }
    code
}
