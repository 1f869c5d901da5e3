//! The project's own tasks: `cargo xtask help`.
//!
//! Plain Rust without dependencies, so that it builds in a second or two on a machine that has nothing but Rust.

mod fuzz;
mod manifest;
mod source;
mod suite;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Tasks of the Cantus project

  cargo xtask test                  install what the checks need, then run all of them
  cargo xtask test --only STEP      one of them: tools, fmt, tidy, clippy, tests, docs
  cargo xtask tidy                  check the invariants that ARCHITECTURE.md states
  cargo xtask fuzz [SECONDS]        fuzz the readers of files (600 seconds each unless told otherwise)
  cargo xtask bench ...             time Cantus beside its peers: `cargo xtask bench help`
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
        ["bench", ..] => bench(&root, &arguments[1..]),
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

/// Builds the benchmarks, and the program that some of them time, and hands the arguments over.
fn bench(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let cargo = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO")).args(arguments).current_dir(root).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the benchmark ended with {status}")),
            Err(error) => Err(format!("cargo cannot be started: {error}")),
        }
    };
    cargo(&["build", "--release", "-p", "cantus-cli"])?;
    cargo(&[&["run", "--release", "-q", "-p", "cantus-benches", "--"], arguments].concat())
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
