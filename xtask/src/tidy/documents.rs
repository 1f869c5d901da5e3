//! What the documents must say, and what no file may.

use super::{File, Violation, edges};
use crate::manifest;

/// What a reader expects at the top of a repository.
const DOCUMENTS: [&str; 7] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// The two commands that a fresh machine needs.
const COMMANDS: [&str; 2] = ["cargo run --release -- compose", "cargo xtask test"];

/// Where somebody's machine shows. Written in two halves, so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("C:\\Us", "ers\\"),
];

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |path: &str, line: usize, rule: &'static str, advice: String| {
        violations.push(Violation { path: path.to_owned(), line, rule, advice });
    };
    let find = |path: &str| files.iter().find(|file| file.path == path);

    for document in DOCUMENTS.into_iter().filter(|document| find(document).is_none()) {
        report(document, 1, "documents", "is missing: write it".into());
    }
    if let Some(readme) = find("README.md") {
        for command in COMMANDS.into_iter().filter(|command| !readme.text.contains(command)) {
            report("README.md", 1, "documents", format!("must show the command `{command}`"));
        }
    }

    let explained = find("ARCHITECTURE.md").map(explained).unwrap_or_default();
    for file in files.iter().filter(|file| file.path == "Cargo.toml" || edges::is_manifest_of_a_crate(file)) {
        for entry in manifest::entries(&file.text) {
            let is_ours = entry.key.starts_with("cantus-");
            let is_dependency = entry.table.ends_with("dependencies") && !entry.value.starts_with("true");
            if is_dependency && !is_ours && !explained.contains(&entry.key.as_str()) {
                let advice =
                    format!("{} is not in the table of dependencies in ARCHITECTURE.md: say why it is here", entry.key);
                report(&file.path, entry.line, "dependencies", advice);
            }
        }
    }

    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for path in MACHINE_PATHS.into_iter().filter(|path| names_path(line, path)) {
                let advice = format!("names a folder of one machine ({path}...): use a relative path or an option");
                report(&file.path, number + 1, "machine-path", advice);
            }
        }
    }

    for file in files.iter().filter(|file| file.path.starts_with("recipes/") && file.path.ends_with(".toml")) {
        let entries = manifest::entries(&file.text);
        for wanted in ["data", "seed"] {
            let key = entries.iter().any(|entry| entry.key == wanted || entry.table == wanted);
            if !key {
                report(&file.path, 1, "recipes", format!("says no `{wanted}`: nobody could repeat it"));
            }
        }
    }
    violations
}

/// The names in the first column of the tables: `| `name` | why |`.
fn explained(architecture: &File) -> Vec<&str> {
    let cells = architecture.text.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// Whether a path begins here, as against the middle of a longer one or of an address.
fn names_path(line: &str, path: &str) -> bool {
    let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$)*".contains(c));
    line.match_indices(path).any(|(at, _)| begins(at))
}
