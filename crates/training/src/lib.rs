//! The training loop: batches, checkpoints, resume, curves; knows traits, no model.
