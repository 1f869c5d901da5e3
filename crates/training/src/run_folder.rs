//! The run folder: everything that a training writes, so that a kill at any moment leaves only files that can be read.
//!
//! ```text
//! run.json            what is trained on what, with every setting
//! music.json          the files that it is trained on, with a hash of each
//! base.safetensors    the model that it goes on from, where it does
//! metrics.jsonl       one line per evaluation, only ever appended to
//! checkpoints/        step-000000001200.safetensors, ... (the newest three)
//! samples/            a composition for each checkpoint
//! best.safetensors    the model of the best evaluation so far
//! curves.svg          the figures of metrics.jsonl, drawn
//! lock                held while a training writes here
//! ```
//!
//! Two rules make resuming exact. A file is written under another name, synced, then renamed: under its own name it is
//! old or new, never half. And a line of figures is on disk *before* the checkpoint of the same step: cutting the lines
//! after the checkpoint's step therefore leaves the file as it was when the checkpoint was written.
//!
//! [`RunFiles`] knows where things are and reads them, also while a training is running; [`RunFolder`] holds the lock
//! and is the only one that writes.

mod error;

pub use error::RunFolderError;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many checkpoints stay. One would do if disks never lied; a second survives an unreadable newest one, and the
/// third is there for whoever wants to go back a little.
pub const KEPT_CHECKPOINTS: usize = 3;

const PARTIAL: &str = ".partial";

/// A saved state of a training.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    /// Training steps done when it was written.
    pub step: u64,
    /// Where it lies.
    pub path: PathBuf,
}

/// Where the files of a run are, and how to read them. Takes no lock: a run may be inspected while it trains.
#[derive(Debug, Clone)]
pub struct RunFiles {
    root: PathBuf,
}

impl RunFiles {
    /// The run in the folder `path`.
    ///
    /// # Errors
    /// [`RunFolderError::NotFound`], [`RunFolderError::NotARun`].
    pub fn at(path: impl AsRef<Path>) -> Result<Self, RunFolderError> {
        let files = Self { root: path.as_ref().to_owned() };
        match (files.root.is_dir(), files.description_path().is_file()) {
            (true, true) => Ok(files),
            (true, false) => Err(RunFolderError::NotARun { path: files.root }),
            (false, _) => Err(RunFolderError::NotFound { path: files.root }),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// `run.json`.
    pub fn description_path(&self) -> PathBuf {
        self.root.join("run.json")
    }

    fn base_path(&self) -> PathBuf {
        self.root.join("base.safetensors")
    }

    /// `base.safetensors`.
    ///
    /// # Errors
    /// [`RunFolderError::Io`].
    pub fn base(&self) -> Result<Vec<u8>, RunFolderError> {
        let path = self.base_path();
        fs::read(&path).map_err(|e| RunFolderError::io("read", &path, e))
    }

    fn music_path(&self) -> PathBuf {
        self.root.join("music.json")
    }

    /// What `music.json` says; `None` where there is none: runs of earlier versions have none.
    pub fn music<D: DeserializeOwned>(&self) -> Option<D> {
        serde_json::from_slice(&fs::read(self.music_path()).ok()?).ok()
    }

    /// `metrics.jsonl`.
    pub fn metrics_path(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    /// `best.safetensors`; there is none before the first evaluation.
    pub fn best_path(&self) -> PathBuf {
        self.root.join("best.safetensors")
    }

    /// `curves.svg`.
    pub fn curves_path(&self) -> PathBuf {
        self.root.join("curves.svg")
    }

    /// The folder of the compositions.
    pub fn samples_path(&self) -> PathBuf {
        self.root.join("samples")
    }

    fn checkpoints_path(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    fn checkpoint_path(&self, step: u64) -> PathBuf {
        // Twelve digits: a listing by name is a listing by step for the first 10^12 of them.
        self.checkpoints_path().join(format!("step-{step:012}.safetensors"))
    }

    /// What `run.json` says.
    ///
    /// # Errors
    /// [`RunFolderError::Io`], [`RunFolderError::Json`].
    pub fn description<D: DeserializeOwned>(&self) -> Result<D, RunFolderError> {
        let path = self.description_path();
        let bytes = fs::read(&path).map_err(|e| RunFolderError::io("read", &path, e))?;
        serde_json::from_slice(&bytes).map_err(|source| RunFolderError::Json { path, source })
    }

    /// All lines of `metrics.jsonl`, oldest first, without a line that is being written at this moment.
    ///
    /// # Errors
    /// [`RunFolderError::Io`], [`RunFolderError::Json`], [`RunFolderError::DamagedMetrics`].
    pub fn metrics<T: DeserializeOwned>(&self) -> Result<Vec<T>, RunFolderError> {
        let path = self.metrics_path();
        let bytes = read_or_empty(&path)?;
        let lines = whole_lines(&bytes, &path)?.0;
        lines
            .into_iter()
            .map(|(_, line)| {
                serde_json::from_slice(line).map_err(|source| RunFolderError::Json { path: path.clone(), source })
            })
            .collect()
    }

    /// The checkpoints, oldest first, unread.
    ///
    /// # Errors
    /// [`RunFolderError::Io`] where the folder cannot be listed.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, RunFolderError> {
        let folder = self.checkpoints_path();
        let listing = match fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(RunFolderError::io("list", &folder, e)),
        };
        let mut found = Vec::new();
        for entry in listing {
            let path = entry.map_err(|e| RunFolderError::io("list", &folder, e))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let digits = name.strip_prefix("step-").and_then(|name| name.strip_suffix(".safetensors"));
            if let Some(step) = digits.and_then(|digits| digits.parse().ok()) {
                found.push(Checkpoint { step, path });
            }
        }
        found.sort();
        Ok(found)
    }

    /// The newest checkpoint that `valid` accepts: the caller knows how to read one, this folder does not.
    ///
    /// # Errors
    /// [`RunFolderError::Io`] where the folder cannot be listed.
    pub fn latest_checkpoint(
        &self,
        mut valid: impl FnMut(&Checkpoint) -> bool,
    ) -> Result<Option<Checkpoint>, RunFolderError> {
        Ok(self.checkpoints()?.into_iter().rev().find(|checkpoint| valid(checkpoint)))
    }
}

/// A run folder that this process writes in. The lock is held until it is dropped, or the process dies however it may.
#[derive(Debug)]
pub struct RunFolder {
    files: RunFiles,
    metrics: File,
    // The operating system lets go of the lock when the file is closed: a lock can never be left behind by a dead
    // process, and no process number has to be guessed at. The field is there to be dropped.
    _lock: File,
}

impl Deref for RunFolder {
    type Target = RunFiles;

    fn deref(&self) -> &RunFiles {
        &self.files
    }
}

impl RunFolder {
    /// Makes a new run in `path` (created with its parents, or empty) and writes `run.json`.
    ///
    /// # Errors
    /// [`RunFolderError::AlreadyARun`], [`RunFolderError::NotEmpty`], [`RunFolderError::Busy`], or what the operating
    /// system says.
    pub fn create<D: Serialize>(path: impl AsRef<Path>, description: &D) -> Result<Self, RunFolderError> {
        let files = RunFiles { root: path.as_ref().to_owned() };
        let root = &files.root;
        fs::create_dir_all(root).map_err(|e| RunFolderError::io("create", root, e))?;
        if files.description_path().exists() {
            return Err(RunFolderError::AlreadyARun { path: files.root });
        }
        if let Some(found) = first_stranger(root)? {
            return Err(RunFolderError::NotEmpty { path: files.root, found });
        }
        let lock = take_lock(root)?;
        // Looked at again, now that nobody else can write: two may have passed the first look together.
        if files.description_path().exists() {
            return Err(RunFolderError::AlreadyARun { path: files.root });
        }
        for folder in [files.checkpoints_path(), files.samples_path()] {
            fs::create_dir_all(&folder).map_err(|e| RunFolderError::io("create", &folder, e))?;
        }
        let metrics = open_metrics(&files.metrics_path())?;
        let folder = Self { files, metrics, _lock: lock };
        // Last: a kill before this line leaves a folder that `create` accepts again.
        folder.write_description(description)?;
        Ok(folder)
    }

    /// Opens the run in `path` to go on with it: takes the lock, and clears away what a kill left half written.
    ///
    /// # Errors
    /// [`RunFolderError::NotFound`], [`RunFolderError::NotARun`], [`RunFolderError::Busy`],
    /// [`RunFolderError::DamagedMetrics`], or what the operating system says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RunFolderError> {
        let files = RunFiles::at(path)?;
        let lock = take_lock(&files.root)?;
        for folder in [files.root.clone(), files.checkpoints_path(), files.samples_path()] {
            fs::create_dir_all(&folder).map_err(|e| RunFolderError::io("create", &folder, e))?;
            remove_partial_files(&folder)?;
        }
        let path = files.metrics_path();
        let bytes = read_or_empty(&path)?;
        let whole = whole_lines(&bytes, &path)?.1;
        let metrics = open_metrics(&path)?;
        if whole < bytes.len() {
            metrics
                .set_len(whole as u64)
                .and_then(|()| metrics.sync_all())
                .map_err(|e| RunFolderError::io("shorten", &path, e))?;
        }
        Ok(Self { files, metrics, _lock: lock })
    }

    /// Where the files are, without the right to write: for whoever outlives the training.
    pub fn files(&self) -> &RunFiles {
        &self.files
    }

    /// Writes `music.json`: the files that the run is trained on.
    ///
    /// # Errors
    /// As [`RunFolder::write_description`].
    pub fn write_music<D: Serialize>(&self, music: &D) -> Result<(), RunFolderError> {
        let path = self.music_path();
        let json = serde_json::to_vec(music).map_err(|source| RunFolderError::Json { path: path.clone(), source })?;
        write_atomically(&path, |file| file.write_all(&json))
    }

    /// Writes `base.safetensors`: the model that the run goes on from.
    ///
    /// # Errors
    /// As [`RunFolder::write_description`].
    pub fn write_base(&self, bytes: &[u8]) -> Result<(), RunFolderError> {
        write_atomically(&self.base_path(), |file| file.write_all(bytes))
    }

    /// Writes `run.json` anew.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`], [`RunFolderError::Json`].
    pub fn write_description<D: Serialize>(&self, description: &D) -> Result<(), RunFolderError> {
        let path = self.description_path();
        let mut text = serde_json::to_vec_pretty(description)
            .map_err(|source| RunFolderError::Json { path: path.clone(), source })?;
        text.push(b'\n');
        write_atomically(&path, |file| file.write_all(&text))
    }

    /// Appends one line to `metrics.jsonl` and waits until it is on disk. `line` becomes a JSON object and must have a
    /// whole number `step`. Call it *before* [`write_checkpoint`](Self::write_checkpoint) of the same step.
    ///
    /// # Errors
    /// [`RunFolderError::MetricsWithoutStep`], [`RunFolderError::DiskFull`], [`RunFolderError::Io`]. After an error the
    /// file ends where it ended before.
    pub fn append_metrics<T: Serialize>(&mut self, line: &T) -> Result<(), RunFolderError> {
        let path = self.metrics_path();
        let mut text =
            serde_json::to_vec(line).map_err(|source| RunFolderError::Json { path: path.clone(), source })?;
        step_of(&text).ok_or(RunFolderError::MetricsWithoutStep)?;
        text.push(b'\n');
        let length = self.metrics.seek(SeekFrom::End(0)).map_err(|e| RunFolderError::io("write", &path, e))?;
        self.metrics.write_all(&text).and_then(|()| self.metrics.sync_data()).map_err(|e| {
            // What got through of the line must not be glued to the next one. Should this fail too, `open` mends it.
            let _ = self.metrics.set_len(length);
            RunFolderError::io("write", &path, e)
        })
    }

    /// Forgets everything after `step`: lines of figures, and checkpoints (unreadable ones, when the newest could not be
    /// used). Called on resuming from the checkpoint of `step`, after which the folder reads as if never stopped.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`], [`RunFolderError::DamagedMetrics`].
    pub fn rewind_to(&mut self, step: u64) -> Result<(), RunFolderError> {
        let path = self.metrics_path();
        let bytes = read_or_empty(&path)?;
        let (lines, _) = whole_lines(&bytes, &path)?;
        let kept = lines.iter().filter(|(line_step, _)| *line_step <= step);
        write_atomically(&path, |file| {
            for (_, line) in kept {
                file.write_all(line)?;
                file.write_all(b"\n")?;
            }
            Ok(())
        })?;
        self.metrics = open_metrics(&path)?;
        for checkpoint in self.checkpoints()?.iter().filter(|checkpoint| checkpoint.step > step) {
            remove(&checkpoint.path)?;
        }
        Ok(())
    }

    /// Writes the checkpoint of `step`, then deletes all but the newest [`KEPT_CHECKPOINTS`].
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`]; the older checkpoints are then all still there.
    pub fn write_checkpoint(&self, step: u64, bytes: &[u8]) -> Result<Checkpoint, RunFolderError> {
        let path = self.checkpoint_path(step);
        write_atomically(&path, |file| file.write_all(bytes))?;
        let all = self.checkpoints()?;
        for old in &all[..all.len().saturating_sub(KEPT_CHECKPOINTS)] {
            remove(&old.path)?;
        }
        Ok(Checkpoint { step, path })
    }

    /// Writes `best.safetensors`.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`]; the former best is then still there.
    pub fn write_best(&self, bytes: &[u8]) -> Result<(), RunFolderError> {
        write_atomically(&self.best_path(), |file| file.write_all(bytes))
    }

    /// Writes `curves.svg`, as [`render`](crate::curves::render) draws it.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`].
    pub fn write_curves(&self, svg: &str) -> Result<(), RunFolderError> {
        write_atomically(&self.curves_path(), |file| file.write_all(svg.as_bytes()))
    }

    /// Writes `<name>.svg`.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`].
    pub fn write_chart(&self, name: &str, svg: &str) -> Result<(), RunFolderError> {
        write_atomically(&self.path().join(format!("{name}.svg")), |file| file.write_all(svg.as_bytes()))
    }

    /// Writes `samples/<name>` and says where it lies.
    ///
    /// # Errors
    /// [`RunFolderError::DiskFull`], [`RunFolderError::Io`].
    pub fn write_sample(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, RunFolderError> {
        let path = self.samples_path().join(name);
        write_atomically(&path, |file| file.write_all(bytes))?;
        Ok(path)
    }
}

/// Writes a file so that under its name there is always the old content or the new, whole: written beside it under
/// another name, synced, renamed, and the folder synced, so that the rename itself outlives a power cut.
///
/// # Errors
/// [`RunFolderError::DiskFull`], [`RunFolderError::Io`]; the old file is then untouched and nothing else is left.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), RunFolderError> {
    let partial = partial_name(path);
    let written = write_and_sync(&partial, write).and_then(|()| fs::rename(&partial, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&partial);
        RunFolderError::io("write", path, e)
    })?;
    sync_folder_of(path).map_err(|e| RunFolderError::io("write", path, e))
}

fn write_and_sync(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write(&mut file)?;
    file.into_inner().map_err(|e| e.into_error())?.sync_all()
}

/// A name in the same folder (a rename across file systems is a copy), that no other writer of this machine uses now.
fn partial_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}{PARTIAL}", std::process::id()))
}

#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

// Elsewhere a folder cannot be opened as a file, and its entries are journalled by the file system.
#[cfg(not(unix))]
fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn take_lock(root: &Path) -> Result<File, RunFolderError> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| RunFolderError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Only for the message; where a locked file cannot be read either, it goes without.
            let mut text = String::new();
            let _ = (&file).take(32).read_to_string(&mut text);
            return Err(RunFolderError::Busy { path: root.to_owned(), process: text.trim().parse().ok() });
        }
        // Some network file systems have no locks: training there is better than not training.
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(e)) => return Err(RunFolderError::io("lock", &path, e)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|e| RunFolderError::io("write", &path, e))?;
    Ok(file)
}

fn open_metrics(path: &Path) -> Result<File, RunFolderError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| RunFolderError::io("open", path, e))
}

fn read_or_empty(path: &Path) -> Result<Vec<u8>, RunFolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(RunFolderError::io("read", path, e)),
    }
}

/// A line of figures without its line break, and its step.
type Line<'a> = (u64, &'a [u8]);

/// The lines that are whole, each with its step, and how many bytes they take. After a kill, what follows the last line
/// break is torn; after a power cut, whole lines at the end may have turned to zeros. Both are no longer counted; the
/// same in the middle of the file is somebody's doing, and an error.
fn whole_lines<'a>(bytes: &'a [u8], path: &Path) -> Result<(Vec<Line<'a>>, usize), RunFolderError> {
    let mut lines = Vec::new();
    let mut length = 0;
    let mut damaged = None;
    let mut position = 0;
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        position += line.len();
        let whole = line.strip_suffix(b"\n").and_then(|line| Some((step_of(line)?, line)));
        match (whole, damaged) {
            (Some(_), Some(line)) => return Err(RunFolderError::DamagedMetrics { path: path.to_owned(), line }),
            (Some(entry), None) => {
                lines.push(entry);
                length = position;
            }
            (None, None) => damaged = Some(number + 1),
            (None, Some(_)) => {}
        }
    }
    Ok((lines, length))
}

fn step_of(line: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Step {
        step: u64,
    }
    serde_json::from_slice::<Step>(line).ok().map(|line| line.step)
}

/// The first file in a folder that no training puts there.
fn first_stranger(root: &Path) -> Result<Option<String>, RunFolderError> {
    const OURS: [&str; 8] =
        ["run.json", "music.json", "metrics.jsonl", "checkpoints", "samples", "best.safetensors", "curves.svg", "lock"];
    for entry in fs::read_dir(root).map_err(|e| RunFolderError::io("list", root, e))? {
        let entry = entry.map_err(|e| RunFolderError::io("list", root, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) && !name.ends_with(PARTIAL) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn remove_partial_files(folder: &Path) -> Result<(), RunFolderError> {
    for entry in fs::read_dir(folder).map_err(|e| RunFolderError::io("list", folder, e))? {
        let entry = entry.map_err(|e| RunFolderError::io("list", folder, e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(PARTIAL) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), RunFolderError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(RunFolderError::io("delete", path, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
