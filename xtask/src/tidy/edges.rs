//! Which crate may know which, and what every manifest must say.

use super::{File, Violation};
use crate::manifest::{self, Entry};

/// Who may depend on whom. Music crates and number crates first meet in `model`; what is not here is forbidden.
/// Dependencies for tests only are free: a test may bring together what the program keeps apart.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("score", &[]),
    ("formats", &["score"]),
    ("corpus", &["score", "formats"]),
    ("encoding", &["score"]),
    ("nn", &[]),
    ("model", &["score", "encoding", "nn"]),
    ("composers", &["score", "encoding", "nn", "model", "evaluation"]),
    ("training", &["score", "model", "corpus", "evaluation"]),
    ("evaluation", &["score"]),
    ("workshop", &["score", "formats", "corpus", "encoding", "model", "composers", "training", "evaluation"]),
    ("studio", EVERYTHING),
    ("cli", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "score",
    "formats",
    "corpus",
    "encoding",
    "nn",
    "model",
    "composers",
    "training",
    "evaluation",
    "workshop",
    "studio",
];

/// Where burn may stand: the crates of music know no tensors.
const WITHOUT_TENSORS: [&str; 4] = ["score", "formats", "corpus", "encoding"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| is_manifest_of_a_crate(file)) {
        let entries = manifest::entries(&file.text);
        let mut report = |line: usize, rule: &'static str, advice: String| {
            violations.push(Violation { path: file.path.clone(), line, rule, advice });
        };
        if !entries.iter().any(|entry| entry.table == "package" && entry.key == "description") {
            report(1, "description", "the crate has no description: add one line under [package]".into());
        }
        let program = entries.iter().filter(|entry| is_program_dependency(entry));
        if file.path.starts_with("xtask/") {
            for entry in program {
                let advice = format!("xtask uses {}: it must build in seconds from plain Rust", entry.key);
                report(entry.line, "edges", advice);
            }
            continue;
        }
        let name = file.crate_name().unwrap_or_default();
        let Some((_, allowed)) = MAY_USE.iter().find(|(user, _)| *user == name) else {
            report(1, "edges", format!("the crate {name} is not in the table of xtask/src/tidy/edges.rs: add it"));
            continue;
        };
        for entry in program {
            match entry.key.strip_prefix("cantus-") {
                Some(used) if !allowed.contains(&used) => {
                    let advice = format!("{name} may not depend on {used}: see the code map in ARCHITECTURE.md");
                    report(entry.line, "edges", advice);
                }
                None if name == "score" => {
                    let advice = format!("score depends on nothing, and so not on {}", entry.key);
                    report(entry.line, "edges", advice);
                }
                None if WITHOUT_TENSORS.contains(&name) && entry.key.starts_with("burn") => {
                    report(entry.line, "edges", format!("{name} is a crate of music: tensors begin in model"));
                }
                _ => {}
            }
        }
    }
    violations
}

/// Every crate of the workspace.
pub fn is_manifest_of_a_crate(file: &File) -> bool {
    let crates = file.path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/Cargo.toml"));
    crates.is_some_and(|name| !name.contains('/')) || file.path == "xtask/Cargo.toml"
}

/// What the program itself is built with, as against its tests.
fn is_program_dependency(entry: &Entry) -> bool {
    entry.table.ends_with("dependencies") && !entry.table.ends_with("dev-dependencies")
}
