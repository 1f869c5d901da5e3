//! The project's own tasks: `cargo xtask help`.
//!
//! Plain Rust without dependencies, so that it builds in a second or two on a machine that has nothing but Rust.

mod fuzz;
mod manifest;
mod source;
mod suite;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Tasks of the Cantus project

  cargo xtask test                  install what the checks need, then run all of them
  cargo xtask test --only STEP      one of them: tools, fmt, tidy, clippy, tests, docs
  cargo xtask tidy                  check the invariants that ARCHITECTURE.md states
  cargo xtask fuzz [SECONDS]        fuzz the MIDI reader (600 seconds unless told otherwise)
  cargo xtask help                  this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let done = match arguments[..] {
        ["test"] => return suite::run(&root, None),
        ["test", "--only", step] => return suite::run(&root, Some(step)),
        ["tidy"] => tidy::run(&root),
        ["fuzz"] => fuzz::run(&root, 600),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(&root, seconds),
            Err(_) => return usage(&format!("{seconds} is not a number of seconds")),
        },
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(&format!("unknown task: {}", arguments.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\n{problem}");
            ExitCode::FAILURE
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{HELP}");
    ExitCode::from(2)
}

/// The root of the repository: the folder above this package, wherever cargo was called from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
