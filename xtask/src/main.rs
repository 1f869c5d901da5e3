//! The project's own tasks: `cargo xtask help`.
//!
//! Plain Rust without dependencies, so that it builds in a second or two on a machine that has nothing but Rust.

mod fuzz;
mod manifest;
mod source;
mod suite;
mod tidy;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Tasks of the Cantus project

  cargo xtask test                  install what the checks need, then run all of them
  cargo xtask test --only STEP      one of them: tools, fmt, tidy, clippy, tests, docs
  cargo xtask tidy                  check the invariants that ARCHITECTURE.md states
  cargo xtask fuzz [SECONDS]        fuzz the readers of files (600 seconds each unless told otherwise)
  cargo xtask bench ...             time Cantus beside its peers: `cargo xtask bench help`
  cargo xtask wheel                 build the program as a Python wheel, install it in a new environment, and try it there
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
        ["wheel"] => wheel::run(&root),
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
    // Both in one build: each by itself would have dependencies with features of its own, and they would be built twice.
    call(Command::new(env!("CARGO")).current_dir(root).args([
        "build",
        "--release",
        "-p",
        "cantus-cli",
        "-p",
        "cantus-benches",
    ]))?;
    // Beside the folder in which this program itself was built, wherever cargo was told to build.
    let here = std::env::current_exe().map_err(|error| format!("where this program is cannot be told: {error}"))?;
    let built = here.ancestors().nth(2).unwrap_or(root).join("release/cantus-benches");
    call(Command::new(built).current_dir(root).args(arguments))
}

/// Runs a command to its end.
fn call(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ended with {status}: see above", command.get_program().display())),
        Err(error) => Err(format!("{} cannot be started: {error}", command.get_program().display())),
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
