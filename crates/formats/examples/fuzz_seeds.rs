//! Writes 200 valid MIDI files, always the same, into a folder: seeds for the fuzzer.
//!
//! `cargo run --release -p cantus-formats --example fuzz_seeds -- FOLDER`

#[path = "../tests/common/mod.rs"]
mod common;

use cantus_formats::midi::write;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    std::fs::create_dir_all(&folder)?;
    let mut runner = TestRunner::deterministic();
    for k in 0..200 {
        let score = common::any_score().new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        std::fs::write(folder.join(format!("generated-{k:03}.mid")), write(&score)?)?;
    }
    Ok(())
}
