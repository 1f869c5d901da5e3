//! `cargo xtask wheel`: the program as a Python wheel, for machines without a compiler.

use crate::call;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the wheel ends up, and what it is built and tried with.
const FOLDER: &str = "target/wheels";
/// What builds it, from the Python package index.
const MATURIN: &str = "maturin==1.16.0";

/// Builds the wheel, installs it in a new environment, and has it compose there.
pub fn run(root: &Path) -> Result<(), String> {
    let folder = root.join(FOLDER);
    let tools = environment(&folder.join("tools"))?;
    call(Command::new(tools.join("python")).args(["-m", "pip", "install", "--quiet", MATURIN]))?;
    for old in wheels(&folder)? {
        std::fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
    }
    // As `cargo build --release` does it, so that what is built already is not built again.
    let mut build = Command::new(tools.join("maturin"));
    build.current_dir(root).args(["build", "--release", "--manifest-path", "crates/cli/Cargo.toml", "--out", FOLDER]);
    call(&mut build)?;
    let [wheel] = &wheels(&folder)?[..] else { return Err(format!("not one wheel in {FOLDER}")) };
    let clean = folder.join("clean");
    if clean.exists() {
        std::fs::remove_dir_all(&clean).map_err(|error| format!("{}: {error}", clean.display()))?;
    }
    let programs = environment(&clean)?;
    call(Command::new(programs.join("python")).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(wheel))?;
    let piece = clean.join("piece.mid");
    call(Command::new(programs.join("cantus")).args(["compose", "--bars", "4", "-o"]).arg(&piece).env_clear())?;
    let size = std::fs::metadata(wheel).map_or(0, |data| data.len());
    println!("{}: {size} bytes; installed and tried: `pip install` takes it anywhere alike", wheel.display());
    Ok(())
}

/// A Python environment in `folder`, made where there is none; where its programs are.
fn environment(folder: &Path) -> Result<PathBuf, String> {
    let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    if !programs.exists() {
        let python = if cfg!(windows) { "python" } else { "python3" };
        call(Command::new(python).args(["-m", "venv"]).arg(folder))?;
    }
    Ok(programs)
}

fn wheels(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl")).collect())
}
