//! `cargo xtask test`: everything that must hold, from a machine that has only Rust.
//!
//! The steps go from cheap to dear. The dependencies are compiled twice and no oftener: once to be checked (clippy and
//! docs share that), once to be run (all tests share that).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::source::find_word;

/// One step: its name for `--only`, what it is for, and how it runs.
struct Step {
    name: &'static str,
    purpose: &'static str,
    run: fn(&Path, &mut Count) -> Result<(), String>,
}

const STEPS: [Step; 7] = [
    Step { name: "tools", purpose: "what the other steps need", run: tools },
    Step {
        name: "fmt",
        purpose: "the format of the code",
        run: |root, _| cargo(root, &["fmt", "--all", "--check"], &[]),
    },
    Step { name: "tidy", purpose: "the invariants of ARCHITECTURE.md", run: |root, _| crate::tidy::run(root) },
    Step { name: "page", purpose: "the types of the studio's page", run: page },
    Step {
        name: "clippy",
        purpose: "lints, as errors",
        run: |root, _| {
            let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            cargo(root, &arguments, &[])
        },
    },
    Step { name: "tests", purpose: "unit, property, conformance and end-to-end tests", run: tests },
    Step {
        name: "docs",
        purpose: "the documentation, warnings as errors",
        run: |root, _| {
            cargo(root, &["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])
        },
    },
];

/// What the tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    /// What tests said that were skipped, for want of the optional data for instance.
    skipped: Vec<String>,
    /// Whether any test program was run at all.
    ran: bool,
}

/// Runs all steps, or one of them, and stops at the first that fails. The last line is `N passed, N failed`.
pub fn run(root: &Path, only: Option<&str>) -> ExitCode {
    let steps: Vec<&Step> = STEPS.iter().filter(|step| only.is_none_or(|only| only == step.name)).collect();
    if steps.is_empty() {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        eprintln!("there is no step {}: choose from {}", only.unwrap_or_default(), names.join(", "));
        return ExitCode::from(2);
    }
    let mut count = Count::default();
    let mut problem = None;
    let beginning = Instant::now();
    for (number, step) in steps.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", number + 1, steps.len(), step.name, step.purpose);
        let start = Instant::now();
        let done = (step.run)(root, &mut count);
        println!("      {} {} in {:.1} s", step.name, if done.is_ok() { "done" } else { "failed" }, seconds(start));
        if let Err(what) = done {
            problem = Some(format!("{what}\nthis step alone: cargo xtask test --only {}", step.name));
            break;
        }
    }
    println!();
    for skipped in &count.skipped {
        println!("{skipped}");
    }
    println!("{:.0} s in all", seconds(beginning));
    if let Some(problem) = &problem {
        println!("{problem}");
    }
    if count.ran {
        println!("{} passed, {} failed", count.passed, count.failed);
    }
    if problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// Adds the parts of the toolchain that a minimal installation lacks.
fn tools(root: &Path, _: &mut Count) -> Result<(), String> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let works = || {
            let mut version = Command::new("cargo");
            version.current_dir(root).args([subcommand, "--version"]);
            version.output().is_ok_and(|output| output.status.success())
        };
        if works() {
            continue;
        }
        println!("adding {component}");
        let mut rustup = Command::new("rustup");
        let added = rustup.current_dir(root).args(["component", "add", component]).stdin(Stdio::null()).status();
        if !(added.is_ok_and(|status| status.success()) && works()) {
            return Err(format!(
                "{component} is missing and `rustup component add {component}` did not help: look at the network, or \
                 install it where your Rust came from"
            ));
        }
    }
    browser();
    Ok(())
}

/// Names under which the tests of the studio's page look for a browser.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Adds Chromium where that needs no person: on Debian and its kin, as root. Without one those tests say that they were skipped, which is
/// no failure: whoever works on something else need not install a browser.
fn browser() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if std::env::var_os("CANTUS_CHROMIUM").is_some() || BROWSERS.into_iter().any(has) {
        return;
    }
    let runs = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // A network that hangs must not hold up everything else.
    let get = |arguments: &[&str]| runs("timeout", &[&["300", "apt-get", "-qq"], arguments].concat());
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root && has("apt-get") && has("timeout") {
        println!("adding chromium, for the tests of the studio's page");
        let install = ["install", "-y", "--no-install-recommends", "chromium"];
        if get(&install) || (get(&["update"]) && get(&install)) {
            return;
        }
    }
    println!(
        "there is no Chromium: the tests of the studio's page will be skipped; install it (Debian: apt-get install chromium), or name \
         one in CANTUS_CHROMIUM"
    );
}

/// The compiler that looks at the page's scripts, which are plain JavaScript with types in their comments.
const TYPESCRIPT: &str = "typescript@5.9.3";

/// Where there is no Node.js, or nothing to be had from its registry, this is said, and is no failure.
fn page(root: &Path, count: &mut Count) -> Result<(), String> {
    let tsc = |arguments: &[&str]| {
        let mut command = Command::new("timeout");
        command.current_dir(root).args(["300", "npx", "--yes", "--package", TYPESCRIPT, "tsc"]).args(arguments);
        // A registry that does not answer at once is not waited for.
        command.env("npm_config_fetch_retries", "0").env("npm_config_fetch_timeout", "30000").stdin(Stdio::null());
        command
    };
    if !tsc(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        count.skipped.push("skipped the types of the page: `npx` and TypeScript are not to be had here".to_owned());
        return Ok(());
    }
    match tsc(&["--project", "crates/studio/jsconfig.json"]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the page's scripts contradict their types: see above".to_owned()),
    }
}

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`cargo {}` failed: see above", arguments.join(" "))),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}

fn tests(root: &Path, count: &mut Count) -> Result<(), String> {
    // `--show-output` for the sake of tests that say that they were skipped; the rest of it is not passed on.
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"];
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = cargo.spawn().map_err(|error| format!("cargo could not be started: {error}"))?;
    if let Some(output) = child.stdout.take() {
        follow(BufReader::new(output), &mut std::io::stdout(), count)
            .map_err(|error| format!("the output of the tests could not be passed on: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("cargo got lost: {error}"))?;
    match (status.success(), count.failed) {
        (true, 0) => Ok(()),
        (false, 0) => {
            // A test program that died printed no result of its own, but it did not pass.
            count.failed = 1;
            Err("the tests could not be built, or a test program died: see above".into())
        }
        (_, failed) => Err(format!("{failed} failed: see above")),
    }
}

/// Passes on what the tests print, as it comes, and counts. What passing tests printed is left out.
fn follow(mut output: impl BufRead, to: &mut impl Write, count: &mut Count) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut in_successes = false;
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let trimmed = text.trim();
        match trimmed {
            "successes:" => in_successes = true,
            "failures:" => in_successes = false,
            _ => {}
        }
        if let Some((passed, failed)) = test_result(trimmed) {
            in_successes = false;
            count.ran = true;
            count.passed += passed;
            count.failed += failed;
        }
        if !in_successes {
            to.write_all(&line)?;
            to.flush()?;
        } else if !find_word(trimmed, "skipped").is_empty() {
            count.skipped.push(trimmed.to_owned());
        }
        line.clear();
    }
    Ok(())
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`: passed and failed.
fn test_result(line: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix("test result: ")?;
    let figure = |what: &str| {
        let part = rest.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(what))?;
        part.trim().parse().ok()
    };
    Some((figure("passed")?, figure("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 3 tests
test a ... ok
test b ... ok
test c ... FAILED

successes:

---- a stdout ----
noise
skipped a: CANTUS_DATA is not set


successes:
    a
    b

failures:

---- c stdout ----
assertion failed

failures:
    c

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 1 test
test d ... ok

successes:

successes:
    d

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn test_results_are_summed_and_failures_passed_on() {
        let mut count = Count::default();
        let mut shown = Vec::new();
        follow(OUTPUT.as_bytes(), &mut shown, &mut count).unwrap();
        let skipped = vec!["skipped a: CANTUS_DATA is not set".to_owned()];
        assert_eq!(count, Count { passed: 3, failed: 1, skipped, ran: true });
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("assertion failed") && shown.contains("test d ... ok"));
        assert!(!shown.contains("noise"));
    }
}
