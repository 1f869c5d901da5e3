//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md, checked on manifests, sources and documents.
//!
//! A rule that must be broken in one place is excused there, in a comment on the line or the line before it, with the
//! reason: `// tidy: allow(clock): the reason`.

mod circles;
mod documents;
mod edges;
mod sources;

use std::fmt;
use std::path::Path;
use std::process::Command;

/// A file of the repository.
#[derive(Debug)]
pub struct File {
    /// From the root, with `/` between the parts.
    pub path: String,
    /// Its text; files that are not text are not looked at.
    pub text: String,
}

impl File {
    /// The crate that it belongs to: `score` for `crates/score/src/lib.rs`.
    fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The file, from the root.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// The name of the rule.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.path, self.line, self.rule, self.advice)
    }
}

/// Checks the repository and prints every violation.
pub fn run(root: &Path) -> Result<(), String> {
    let files = files(root)?;
    let violations = check(&files);
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => {
            println!("{} files are tidy", files.len());
            Ok(())
        }
        1 => Err("1 violation: see above".into()),
        many => Err(format!("{many} violations: see above")),
    }
}

/// All rules on all files.
fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    violations.extend(circles::check(files));
    violations.extend(edges::check(files));
    violations.extend(sources::check(files));
    violations.extend(documents::check(files));
    violations.retain(|violation| !is_excused(files, violation));
    violations.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    violations.dedup();
    violations
}

fn is_excused(files: &[File], violation: &Violation) -> bool {
    let excuse = format!("tidy: allow({}):", violation.rule);
    let Some(file) = files.iter().find(|file| file.path == violation.path) else { return false };
    let before = violation.line.saturating_sub(2);
    file.text.lines().skip(before).take(violation.line - before).any(|line| {
        // The reason is what makes it an excuse.
        line.split_once(&excuse).is_some_and(|(_, reason)| !reason.trim().is_empty())
    })
}

/// The files that git knows or would add, so that a new file is checked before it is committed.
fn files(root: &Path) -> Result<Vec<File>, String> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().map_err(|error| format!("git could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let mut paths: Vec<&str> = output.stdout.split(|&byte| byte == 0).filter_map(|p| str::from_utf8(p).ok()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        let bytes = std::fs::read(root.join(path)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        (!path.is_empty() && !text.contains('\0')).then(|| File { path: path.to_owned(), text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests;
