//! For every rule a planted violation is found, at its line, and its innocent neighbour is not.

use super::*;

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into() }
}

/// A repository without a fault, to plant one in.
fn sound() -> Vec<File> {
    let manifest = "[package]\nname = \"x\"\ndescription = \"x\"\n[dependencies]\ncantus-score.workspace = true\n";
    let mut files: Vec<File> = ["CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "LICENSE-MIT", "LICENSE-APACHE"]
        .iter()
        .map(|path| file(path, "text\n"))
        .collect();
    files.push(file("README.md", "cargo run --release -- compose\ncargo xtask test\n"));
    files.push(file("ARCHITECTURE.md", "| Crate | Why |\n|---|---|\n| `serde`, `toml` | to read |\n"));
    files.push(file("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\ntoml = \"1\"\n"));
    for name in ["formats", "nn", "composers", "cli"] {
        let text = if name == "nn" { "[package]\ndescription = \"x\"\n" } else { manifest };
        files.push(file(&format!("crates/{name}/Cargo.toml"), text));
    }
    files.push(file("crates/composers/src/lstm.rs", "const SPEC: Spec = Spec { id: \"long-memory\" };\n"));
    files.push(file("crates/composers/src/rbm.rs", "use crate::registry::Spec;\n"));
    files
}

/// What is reported once `planted` is there as well.
#[track_caller]
fn check_planted(path: &str, text: &str, expected: &[(usize, &str)]) {
    let mut files = sound();
    files.retain(|file| file.path != path);
    files.push(file(path, text));
    let violations = check(&files);
    let found: Vec<_> = violations.iter().map(|violation| (violation.line, violation.rule)).collect();
    assert_eq!(found, expected, "{violations:#?}");
    assert!(violations.iter().all(|violation| violation.path == path), "{violations:#?}");
}

#[test]
fn a_sound_repository_has_no_violation() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn circles_between_files() {
    let path = |name: &str| format!("crates/formats/src/{name}.rs");
    let found = |planted: &[(&str, &str)]| -> Vec<(String, usize)> {
        let mut files = sound();
        files.extend(planted.iter().map(|(name, text)| file(&path(name), text)));
        let violations = check(&files);
        assert!(violations.iter().all(|violation| violation.rule == "circle"), "{violations:#?}");
        violations.into_iter().map(|violation| (violation.path, violation.line)).collect()
    };
    let (a, b) = ("use super::b::{Thing, other};\n", "// A line.\nfn f() { crate::a::g() }\n");
    assert_eq!(found(&[("a", a), ("b", b)]), [(path("a"), 1), (path("b"), 2)]);
    assert_eq!(found(&[("a", a), ("b", "fn f() {}\n")]), []);
    // Over a third file, and out of braces.
    let three = [("a", a), ("b", "use crate::{c::{X, Y}, other};\n"), ("c", "fn f() { super::a::g() }\n")];
    assert_eq!(found(&three).len(), 3);
    // Comments, strings and tests do not count, nor do a module and its children. What a parent names again does.
    assert_eq!(found(&[("a", a), ("b", "// super::a::g\nconst B: &str = \"super::a::g\";\n")]), []);
    assert_eq!(found(&[("a", a), ("b", "#[cfg(test)]\nmod tests {\n    use super::super::a::g;\n}\n")]), []);
    assert_eq!(found(&[("a", "mod b;\nuse b::f;\n"), ("a/b", "use super::Thing;\n")]), []);
    let again = [("lib", "pub use a::g;\n"), ("a", a), ("b", "use crate::g;\n")];
    assert_eq!(found(&again), [(path("a"), 1), (path("b"), 1)]);
    // One excuse opens a circle.
    let excused = "use super::a::g; // tidy: allow(circle): they are one reader\n";
    assert_eq!(found(&[("a", a), ("b", excused)]), []);
}

#[test]
fn forbidden_edges() {
    let head = "[package]\ndescription = \"x\"\n";
    let depends = |table: &str, on: &str| format!("{head}[{table}]\n{on}.workspace = true\n");
    check_planted("crates/formats/Cargo.toml", &depends("dependencies", "cantus-nn"), &[(4, "edges")]);
    check_planted("crates/formats/Cargo.toml", &depends("build-dependencies", "cantus-nn"), &[(4, "edges")]);
    check_planted("crates/formats/Cargo.toml", &depends("dev-dependencies", "cantus-nn"), &[]);
    check_planted("crates/formats/Cargo.toml", &depends("dependencies", "burn"), &[(4, "edges")]);
    check_planted("crates/score/Cargo.toml", &depends("dependencies", "serde"), &[(4, "edges")]);
    check_planted("crates/training/Cargo.toml", &depends("dependencies", "cantus-composers"), &[(4, "edges")]);
    check_planted("crates/composers/Cargo.toml", &depends("dependencies", "cantus-nn"), &[]);
    check_planted("crates/new/Cargo.toml", head, &[(1, "edges")]);
    check_planted("xtask/Cargo.toml", &depends("dependencies", "serde"), &[(4, "edges")]);
    check_planted("crates/formats/Cargo.toml", "[package]\nname = \"x\"\n", &[(1, "description")]);
}

#[test]
fn impure_words_in_pure_crates() {
    let path = "crates/model/src/file.rs";
    check_planted(path, "//! x\nuse std::fs;\n", &[(2, "files")]);
    check_planted(path, "use std::{\n    collections::{BTreeMap, fs},\n    time::Duration,\n};\n", &[(3, "clock")]);
    check_planted(path, "fn a() { Instant::now() }\n", &[(1, "clock")]);
    check_planted(path, "fn a() { std::env::var(\"X\") }\n", &[(1, "environment")]);
    check_planted(path, "fn a() { rand::rng() }\n", &[(1, "randomness")]);
    check_planted(path, "fn a() { Tensor::<2>::random([1], d, &e) }\n", &[(1, "randomness")]);
    check_planted(path, "// std::fs\nconst A: &str = \"std::fs\";\n", &[]);
    check_planted(path, "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    check_planted("crates/model/tests/file.rs", "use std::fs;\n", &[]);
    check_planted("crates/formats/src/file.rs", "use std::fs;\n", &[]);
}

#[test]
fn modules_for_tests_in_files_of_their_own() {
    let mut files = sound();
    files.push(file("crates/nn/src/lib.rs", "#[cfg(test)]\nmod oracle;\nmod clock;\n"));
    files.push(file("crates/nn/src/oracle.rs", "use std::time::Instant;\n"));
    assert_eq!(check(&files), []);
    files.push(file("crates/nn/src/clock.rs", "use std::time;\n"));
    assert_eq!(check(&files).len(), 1);
}

#[test]
fn composers_that_import_one_another() {
    let path = "crates/composers/src/rbm.rs";
    check_planted(path, "use crate::lstm::Lstm;\n", &[(1, "composers-apart")]);
    check_planted(path, "use super::lstm;\n", &[(1, "composers-apart")]);
    check_planted(path, "use crate::{\n    registry,\n    lstm::Lstm,\n};\n", &[(3, "composers-apart")]);
    check_planted(path, "use crate::registry::Spec;\nuse crate::rbm::gibbs;\n", &[]);
    check_planted("crates/composers/src/rbm/gibbs.rs", "use super::lstm;\n", &[]);
    check_planted("crates/composers/src/rbm/gibbs.rs", "use crate::lstm;\n", &[(1, "composers-apart")]);
    check_planted("crates/composers/src/registry.rs", "use crate::lstm;\n", &[]);
}

#[test]
fn composers_named_outside_the_registry() {
    let path = "crates/cli/src/main.rs";
    check_planted(path, "fn a() {\n    composers::lstm::new()\n}\n", &[(2, "registry")]);
    check_planted(path, "const A: &str = \"lstm\";\n", &[(1, "registry")]);
    check_planted(path, "const A: &str = \"try -c long-memory\";\n", &[(1, "registry")]);
    check_planted(path, "/// Such as lstm.\nfn my_lstms() {}\n", &[]);
    check_planted("crates/cli/tests/train.rs", "const A: &str = \"lstm\";\n", &[]);
}

#[test]
fn unfinished_and_printing_and_long() {
    let path = "crates/formats/src/midi.rs";
    check_planted(path, "fn a() {\n    todo!(\"later\")\n}\n", &[(2, "unfinished")]);
    check_planted(path, "fn a() { unimplemented!() }\n", &[(1, "unfinished")]);
    check_planted("crates/formats/tests/midi.rs", "fn a() { dbg!(1); }\n", &[(1, "unfinished")]);
    check_planted("crates/formats/tests/midi.rs", "#[ignore = \"slow\"]\nfn a() {}\n", &[(1, "unfinished")]);
    check_planted(path, "fn a() { println!(\"a\"); }\n", &[(1, "printing")]);
    check_planted(path, "/// `println!`\nfn a() { writeln!(f) }\n", &[]);
    check_planted("crates/cli/src/main.rs", "fn a() { println!(\"a\"); }\n", &[]);
    check_planted(path, &"\n".repeat(801), &[(802, "length")]);
    check_planted(path, &"\n".repeat(800), &[]);
}

#[test]
fn an_excuse_needs_its_reason_and_its_rule() {
    let path = "crates/formats/src/midi.rs";
    let planted = |comment: &str| format!("{comment}\nfn a() {{ println!(\"a\"); }}\n");
    check_planted(path, &planted("// tidy: allow(printing): the one place that may"), &[]);
    check_planted(path, &planted("// tidy: allow(printing):"), &[(2, "printing")]);
    check_planted(path, &planted("// tidy: allow(files): reason"), &[(2, "printing")]);
    check_planted(path, &planted("// tidy: allow(printing): too far away\n"), &[(3, "printing")]);
}

#[test]
fn documents_and_dependencies() {
    let mut files = sound();
    files.retain(|file| file.path != "CHANGELOG.md");
    assert_eq!(check(&files)[0].path, "CHANGELOG.md");
    check_planted("README.md", "cargo xtask test\n", &[(1, "documents")]);
    check_planted("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nrand = \"1\"\n", &[(3, "dependencies")]);
    let direct = "[package]\ndescription = \"x\"\n[dev-dependencies]\nrand = \"1\"\n";
    check_planted("crates/formats/Cargo.toml", direct, &[(4, "dependencies")]);
}

#[test]
fn paths_of_one_machine() {
    let here = |text: &str| text.replace('%', "/");
    check_planted("recipes/notes.md", &here("one\nsee %home%me%midi\n"), &[(2, "machine-path")]);
    check_planted("LOG.md", &here("`%root%x`, (%work%y)\n"), &[(1, "machine-path"), (1, "machine-path")]);
    check_planted("LOG.md", &here("https:%%example.org%home%page and our%work%place and $HOME%work%x\n"), &[]);
}

#[test]
fn recipes_that_cannot_be_repeated() {
    check_planted("recipes/a.toml", "data = \"hymns\"\n", &[(1, "recipes")]);
    check_planted("recipes/a.toml", "seed = 7\n", &[(1, "recipes")]);
    check_planted("recipes/a.toml", "[data]\nfolder = \"hymns\"\n[training]\nseed = 7\n", &[]);
}
