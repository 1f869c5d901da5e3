//! What the sources may say.

use std::collections::BTreeSet;

use super::{File, Violation};
use crate::source::{Source, find_word, line_of};

const LONGEST_FILE: usize = 800;

/// The crates that touch no files, no clock, no environment and no chance but the seed's.
const PURE: [&str; 5] = ["score", "encoding", "nn", "model", "composers"];

/// What a pure crate may not say: rule, words, advice.
const IMPURE: [(&str, &[&str], &str); 5] = [
    ("files", &["std::fs", "File::open", "File::create"], "take and give bytes; corpus, training and cli touch files"),
    ("clock", &["std::time", "Instant", "SystemTime"], "take the time as a value from whoever has a clock"),
    ("environment", &["std::env", "std::process", "std::net"], "take a parameter; the environment is read in cli"),
    (
        "randomness",
        &["thread_rng", "rand::rng", "rand::random", "OsRng", "SysRng", "getrandom", "from_os_rng", "from_entropy"],
        "draw from the generator that the caller seeds, or the same seed no longer gives the same bytes",
    ),
    (
        "randomness",
        &["::random(", "::random_like(", "Device::seed", ".random_like("],
        "burn draws these from one generator for the whole process: draw from the caller's, then make a tensor of it",
    ),
];

/// Modules of std that a pure crate may not name inside `use std::{...}` either.
const IMPURE_MODULES: [(&str, &str); 5] =
    [("fs", "files"), ("time", "clock"), ("env", "environment"), ("process", "environment"), ("net", "environment")];

/// The crates that reach composers through the registry only.
const NAMELESS: [&str; 4] = ["training", "evaluation", "cli", "studio"];
/// Composers whose names are words of music as well: such a word names no composer, wherever it stands.
const WORDS: [&str; 3] = ["notes", "patterns", "texture"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut composers = composers(files);
    composers.ids.retain(|id| !WORDS.contains(&id.as_str()));
    let test_files = test_files(files);
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let source = Source::new(&file.text);
        let mut report = |at: usize, rule: &'static str, advice: String| {
            violations.push(Violation { path: file.path.clone(), line: line_of(&source.code, at), rule, advice });
        };
        everywhere(file, &source, &mut report);
        if is_beside_the_program(&file.path) || test_files.contains(&file.path) {
            continue;
        }
        let Some(name) = file.crate_name() else { continue };
        if !matches!(name, "cli" | "studio") {
            library(&source, &mut report);
        }
        if PURE.contains(&name) {
            pure(name, &source, &mut report);
        }
        if name == "composers" {
            apart(file, &source, &composers.modules, &mut report);
        }
        if NAMELESS.contains(&name) {
            nameless(&source, &composers.ids, &mut report);
            for literal in &source.strings {
                for id in composers.ids.iter().filter(|id| !find_word(&literal.text, id).is_empty()) {
                    let advice = format!("names the composer {id}: ask the registry");
                    violations.push(Violation {
                        path: file.path.clone(),
                        line: literal.line,
                        rule: "registry",
                        advice,
                    });
                }
            }
        }
    }
    violations
}

type Report<'a> = &'a mut dyn FnMut(usize, &'static str, String);

/// Rules for every Rust file, tests included.
fn everywhere(file: &File, source: &Source, report: Report) {
    for word in ["todo!", "unimplemented!", "dbg!"] {
        for at in find_word(&source.code, word) {
            report(
                at,
                "unfinished",
                format!("{word} is left: finish it, or return an error that says what is missing"),
            );
        }
    }
    for at in find_word(&source.code, "#[ignore") {
        report(at, "unfinished", "an ignored test tests nothing: mend it, or delete it".into());
    }
    let lines = file.text.lines().count();
    if lines > LONGEST_FILE {
        let end = source.code.len();
        report(
            end,
            "length",
            format!("{lines} lines, more than {LONGEST_FILE}: look for a seam and make two files of it"),
        );
    }
}

fn library(source: &Source, report: Report) {
    for word in ["println!", "print!", "eprintln!", "eprint!"] {
        for at in find_word(&source.program, word) {
            report(at, "printing", format!("a library prints nothing ({word}): return it, or report progress"));
        }
    }
}

fn pure(name: &str, source: &Source, report: Report) {
    for (rule, words, advice) in IMPURE {
        for word in words {
            for at in find_word(&source.program, word) {
                report(at, rule, format!("{word} in {name}: {advice}"));
            }
        }
    }
    for (at, path) in grouped(&source.program, "std::") {
        if let Some((module, rule)) = IMPURE_MODULES.iter().find(|(module, _)| *module == path) {
            report(at, rule, format!("std::{module} in {name}: whoever calls it has files, clock and environment"));
        }
    }
}

/// Composers never import one another.
fn apart(file: &File, source: &Source, modules: &BTreeSet<String>, report: Report) {
    let Some(own) = module_of(&file.path) else { return };
    let mut named = Vec::new();
    // `super` leads to the other composers only from the top file of one.
    let at_the_top = file.path.matches('/').count() == 3;
    for prefix in ["crate::", "super::"].into_iter().filter(|prefix| *prefix == "crate::" || at_the_top) {
        named.extend(find_word(&source.program, prefix).into_iter().map(|at| (at, word_at(&source.program, at + 7))));
        named.extend(grouped(&source.program, prefix));
    }
    for (at, other) in named {
        if other != own && modules.contains(other) {
            let advice = format!("{own} uses {other}: move what both need down to nn, encoding or model");
            report(at, "composers-apart", advice);
        }
    }
}

fn nameless(source: &Source, ids: &BTreeSet<String>, report: Report) {
    for id in ids {
        for at in find_word(&source.program, id) {
            report(at, "registry", format!("names the composer {id}: ask the registry"));
        }
    }
}

struct Composers {
    modules: BTreeSet<String>,
    ids: BTreeSet<String>,
}

/// The composers there are: the modules of the crate, and what their specifications call them.
fn composers(files: &[File]) -> Composers {
    let mut modules = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for file in files {
        let Some(module) = module_of(&file.path) else { continue };
        modules.insert(module.to_owned());
        ids.insert(module.to_owned());
        let source = Source::new(&file.text);
        for at in find_word(&source.program, "id:") {
            let line = line_of(&source.program, at);
            let id = source.strings.iter().find(|literal| literal.line == line);
            ids.extend(id.map(|id| id.text.clone()).filter(|id| !id.is_empty() && !id.contains(['{', ' '])));
        }
    }
    Composers { modules, ids }
}

/// `lstm` for `crates/composers/src/lstm.rs` and for everything in `crates/composers/src/lstm/`.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("crates/composers/src/")?;
    let first = inside.split('/').next()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    // Performers stand beside the composers, behind a door of their own.
    (!matches!(module, "lib" | "registry" | "performing")).then_some(module)
}

/// The first words inside every `prefix{a, b::c, d}`, with their places.
fn grouped<'a>(code: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for at in find_word(code, &format!("{prefix}{{")) {
        let mut depth = 0;
        let mut expecting = false;
        for (offset, character) in code[at..].char_indices() {
            match character {
                '{' => (depth, expecting) = (depth + 1, depth == 0),
                '}' => depth -= 1,
                ',' if depth == 1 => expecting = true,
                c if expecting && !c.is_whitespace() => {
                    found.push((at + offset, word_at(code, at + offset)));
                    expecting = false;
                }
                _ => {}
            }
            if character == '}' && depth == 0 {
                break;
            }
        }
    }
    found
}

fn word_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())]
}

/// Tests, examples and benchmarks may do what the program may not.
fn is_beside_the_program(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "examples" | "benches"))
}

/// The files of modules that are declared with `#[cfg(test)] mod name;`.
fn test_files(files: &[File]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let source = Source::new(&file.text);
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let folder = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
        };
        for (at, attribute) in source.code.match_indices("#[cfg(test)]") {
            let rest = source.code[at + attribute.len()..].trim_start();
            let rest = rest.strip_prefix("pub(crate) ").unwrap_or(rest);
            if let Some(module) = rest.strip_prefix("mod ") {
                found.insert(format!("{folder}/{}.rs", word_at(module, 0)));
            }
        }
    }
    found
}
