//! `cargo xtask fuzz`: random bytes against the readers of files.

use std::path::Path;
use std::process::Command;

/// The programs in `fuzz/fuzz_targets`.
const TARGETS: [&str; 3] = ["midi_read", "musicxml_read", "abc_read"];

/// Fuzzes each reader for so many seconds. An input that makes one fail is left in `fuzz/artifacts`.
pub fn run(root: &Path, seconds: u64) -> Result<(), String> {
    if !root.join("fuzz/Cargo.toml").is_file() {
        return Err("there is no fuzz/Cargo.toml: run this in a full checkout".into());
    }
    let present =
        Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success());
    if !present {
        println!("installing cargo-fuzz");
        let mut install = Command::new("cargo");
        install.args(["install", "cargo-fuzz", "--locked"]);
        if !succeeds(&mut install) {
            return Err("cargo-fuzz could not be installed: look at the network, then run this again".into());
        }
    }
    for target in TARGETS {
        let mut fuzz = Command::new("cargo");
        fuzz.current_dir(root)
            // The coverage instrumentation is behind an unstable compiler flag; this lets the stable compiler take it.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", target, "--", &format!("-max_total_time={seconds}")])
            // A reader that balloons or hangs is as wrong as one that panics.
            .args(["-rss_limit_mb=2048", "-timeout=10"]);
        if !succeeds(&mut fuzz) {
            return Err(format!(
                "the fuzzer found something, or did not start: see above, and fuzz/artifacts/{target}"
            ));
        }
        println!("{target}: {seconds} seconds without a finding");
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
