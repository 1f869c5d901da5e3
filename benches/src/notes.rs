//! A training step of the composer `notes`, by our trainer's own code, beside the same network in PyTorch.

use crate::Common;
use crate::clock::Contender;
use crate::report::Report;
use cantus_composers::registry;
use cantus_corpus::Options;
use cantus_model::StepAt;
use std::io::{Error, Result};
use std::path::Path;

/// Steps in a turn.
const STEPS: usize = 10;

/// Steps of full batches. Ours reads them from the pieces within the step; the peer's are ready before it begins.
pub fn run(common: &Common, data: &Path) -> Result<Report> {
    let threads = common.threads.to_string();
    let mut peers = Vec::new();
    for (name, precision) in [("PyTorch, 32 bits", "single"), ("PyTorch, 16 bits", "half")] {
        peers.extend(common.peer(name, "notes_torch.py", &["time", precision, &threads])?);
    }
    // As `cantus train` reads a folder.
    let corpus = cantus_corpus::read(data, &Options::open(), &mut |_| ()).map_err(Error::other)?;
    let set = cantus_training::training_set(&corpus);
    let spec = registry::find("notes").ok_or_else(|| Error::other("there is no composer notes"))?;
    let settings = spec.settings("default").ok_or_else(|| Error::other("notes has no configuration default"))?;
    let mut trainer = spec.creates().and_then(|create| create(&settings, &set, 1)).map_err(Error::other)?;
    let (rate, steps, parameters) = (trainer.regime().learning_rate, trainer.steps(0), trainer.parameters());
    let mut step = |step: u64| {
        let report = trainer.step(StepAt { epoch: 0, step }, rate);
        assert!(report.finite);
        report.batch.tokens
    };
    let notes: Vec<f64> = (0..steps).map(&mut step).collect();
    let most = notes.iter().copied().fold(0.0, f64::max);
    let full: Vec<u64> = (0..).zip(&notes).filter(|(_, notes)| **notes == most).map(|(step, _)| step).collect();
    let remarks = vec![format!("{} of {steps} steps have {most} notes; {parameters} parameters", full.len())];
    let mut turns = full.iter().cycle().copied();
    let work = || turns.by_ref().take(STEPS).for_each(|at| assert_eq!(step(at), most));
    let mut contenders = vec![Contender::timed("ours", STEPS, work).alone_in(std::process::id())];
    contenders.extend(peers);
    Ok(common.race("notes-step", "milliseconds a training step, 8 x 96 notes", contenders, remarks))
}
