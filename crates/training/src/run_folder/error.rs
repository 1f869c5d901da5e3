//! Why a run folder cannot be used.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What can go wrong in a run folder: where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFolderError {
    /// There is no such folder.
    #[error("there is no run folder {}: look at the spelling, or start a new training", path.display())]
    NotFound {
        /// The folder.
        path: PathBuf,
    },
    /// The folder exists, but no training wrote it.
    #[error("{} is not a run folder: it has no run.json. Name the folder that `train` printed", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A new training was to start where one already is.
    #[error("{} already holds a training: resume it, or choose another name", path.display())]
    AlreadyARun {
        /// The folder.
        path: PathBuf,
    },
    /// A new training was to start in a folder that holds something else.
    #[error("{} holds other files ({found}, for one): choose a new or an empty folder", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// One of the files found there.
        found: String,
    },
    /// Another training is writing in this folder now.
    #[error("another training{} is writing in {}: wait for it, stop it, or choose another folder", process.map(|id| format!(" (process {id})")).unwrap_or_default(), path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
        /// The process that holds the lock, where it can be told.
        process: Option<u32>,
    },
    /// The disk is full, or a quota is used up.
    #[error("the disk is full: {} could not be written. Nothing written before is lost: free some space, then resume", path.display())]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The operating system refused.
    #[error("could not {action} {}: look whether it exists, and at its permissions", path.display())]
    Io {
        /// What was attempted: "write", "read", "create", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file of JSON does not hold what it should.
    #[error("{} cannot be understood: it was changed by hand, or written by another version", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The place and the reason.
        source: serde_json::Error,
    },
    /// A line in the middle of the figures is damaged (a torn *last* line is dropped without a word).
    #[error("line {line} of {} is damaged: delete that line, then resume", path.display())]
    DamagedMetrics {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A line of figures names no step, so that resuming could not tell whether to keep it.
    #[error(
        "a line for metrics.jsonl must be a JSON object with a whole number `step`; this is a defect of the program: please report it"
    )]
    MetricsWithoutStep,
}

impl RunFolderError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Io { action, path, source },
        }
    }
}
