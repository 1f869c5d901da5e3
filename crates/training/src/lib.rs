//! The training loop: batches, checkpoints, resume, curves; knows traits, no model.

pub mod curves;
pub mod run_folder;
