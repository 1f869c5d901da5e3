//! Files that use one another in a circle: none of them can be read, or moved, without the others.
//!
//! A file counts as used where its path is written (`super::reader::Line`, `crate::structure::lag`), and where what it has is named as its
//! parent's (`pub use`). A module and its children may know one another: they are one subject.

use super::{File, Violation};
use crate::source::{Source, find_word, line_of};
use std::collections::{BTreeMap, BTreeSet};

/// A module of a crate, from its root: empty for the root itself.
type Module = Vec<String>;

/// Whom a module uses, and in which line of its file first.
type Edges = BTreeMap<Module, BTreeMap<Module, usize>>;

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, &File>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        if let Some((name, module)) = module_of(&file.path) {
            crates.entry(name).or_default().insert(module, file);
        }
    }
    crates.values().flat_map(|modules| circles(files, modules)).collect()
}

/// The crate of a file of a program, and its module.
fn module_of(path: &str) -> Option<(&str, Module)> {
    let (name, inside) = path.strip_prefix("crates/")?.split_once("/src/")?;
    let mut parts: Module = inside.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    match parts.last().map(String::as_str) {
        Some("lib" | "main") if parts.len() == 1 => parts.clear(),
        Some("mod") => drop(parts.pop()),
        Some("tests") => return None,
        _ => {}
    }
    Some((name, parts))
}

fn circles(files: &[File], modules: &BTreeMap<Module, &File>) -> Vec<Violation> {
    let mut edges = Edges::new();
    let named_again = named_again(modules);
    for (module, file) in modules {
        for (used, line) in used(module, &Source::new(&file.text).program, modules, &named_again) {
            let violation = Violation { path: file.path.clone(), line, rule: "circle", advice: String::new() };
            // What is excused closes no circle.
            if !super::is_excused(files, &violation) {
                edges.entry(module.clone()).or_default().entry(used).or_insert(line);
            }
        }
    }
    let mut violations = Vec::new();
    for (module, others) in &edges {
        for (used, line) in others.iter().filter(|(used, _)| reaches(&edges, used, module)) {
            let advice = format!(
                "uses {}, which uses it in turn: move what both need to a file of its own, or below",
                used.join("::")
            );
            violations.push(Violation { path: modules[module].path.clone(), line: *line, rule: "circle", advice });
        }
    }
    violations
}

/// Whether one module uses another, through others, too.
fn reaches(edges: &Edges, from: &Module, to: &Module) -> bool {
    let (mut waiting, mut seen) = (vec![from], BTreeSet::new());
    while let Some(module) = waiting.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            waiting.extend(edges.get(module).into_iter().flat_map(BTreeMap::keys));
        }
    }
    false
}

/// What modules name again that is another's (`pub use`): by module and name, whose it is.
fn named_again(modules: &BTreeMap<Module, &File>) -> BTreeMap<(Module, String), Module> {
    let mut all = BTreeMap::new();
    for (module, file) in modules {
        let program = Source::new(&file.text).program;
        let uses = find_word(&program, "use").into_iter().filter(|at| {
            let before = program[..*at].trim_end();
            before.ends_with("pub") || before.ends_with("pub(crate)") || before.ends_with("pub(super)")
        });
        for at in uses {
            for mut path in paths(&program[at + "use".len()..]) {
                let (mut of, mut names) = (module.clone(), path.drain(..).peekable());
                while let Some(name) =
                    names.next_if(|name| modules.contains_key(&[&of[..], std::slice::from_ref(name)].concat()))
                {
                    of.push(name);
                }
                if let (Some(name), true) = (names.next(), of != *module) {
                    all.insert((module.clone(), name), of);
                }
            }
        }
    }
    all
}

/// The modules that a program uses, but those that it is in, or that are in it.
fn used(
    module: &Module,
    program: &str,
    modules: &BTreeMap<Module, &File>,
    named_again: &BTreeMap<(Module, String), Module>,
) -> Vec<(Module, usize)> {
    let mut used = Vec::new();
    let starts = ["crate::", "super::"].iter().flat_map(|start| {
        let begins = |at: &usize| !program[..*at].ends_with("::");
        find_word(program, start.trim_end_matches(':')).into_iter().filter(begins).map(move |at| (at, *start))
    });
    for (at, start) in starts.filter(|(at, start)| program[*at..].starts_with(start)) {
        let mut base = if start == "crate::" { Module::new() } else { parent(module) };
        let mut rest = &program[at + start.len()..];
        while let Some(higher) = rest.strip_prefix("super::") {
            (base, rest) = (parent(&base), higher);
        }
        for path in paths(rest) {
            let mut found = base.clone();
            for name in path {
                found.push(name);
                if !modules.contains_key(&found) {
                    let name = found.pop().unwrap_or_default();
                    found = named_again.get(&(found.clone(), name)).cloned().unwrap_or(found);
                    break;
                }
            }
            let is_related = found.starts_with(module) || module.starts_with(&found);
            if !is_related && modules.contains_key(&found) {
                used.push((found, line_of(program, at)));
            }
        }
    }
    used
}

fn parent(module: &Module) -> Module {
    module[..module.len().saturating_sub(1)].to_vec()
}

/// The paths that a text begins with: `a::b`, or all of `{a::{b, c}, d}`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        return in_braces(inside).into_iter().flat_map(paths).collect();
    }
    if name.is_empty() {
        return vec![Vec::new()];
    }
    match text[name.len()..].strip_prefix("::") {
        None => vec![vec![name]],
        Some(rest) => paths(rest).into_iter().map(|path| [vec![name.clone()], path].concat()).collect(),
    }
}

/// What stands between commas, up to the brace that closes.
fn in_braces(text: &str) -> Vec<&str> {
    let (mut depth, mut begin) = (0, 0);
    let mut parts = Vec::new();
    for (at, sign) in text.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&text[begin..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}
