//! Which files a folder holds, and their bytes.

use cantus_formats::Format;
use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What was found under a folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Music files, in order.
    pub music: Vec<PathBuf>,
    /// Folders that could not be listed, and why.
    pub closed: Vec<(PathBuf, io::Error)>,
    /// How many other files there are; hidden ones are not counted.
    pub ignored: usize,
}

/// Everything under `folder`, sorted folder by folder. A folder that links lead to twice is visited once.
///
/// # Errors
/// Only where `folder` itself cannot be listed.
pub(crate) fn find(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut visited = HashSet::new();
    let mut waiting = VecDeque::from([(folder.to_path_buf(), true)]);
    // Breadth first over folders, so that depth costs no stack; the files are put in order at the end.
    while let Some((place, is_root)) = waiting.pop_front() {
        let listed = fs::canonicalize(&place).and_then(|real| match visited.insert(real) {
            true => fs::read_dir(&place)?.collect::<io::Result<Vec<_>>>(),
            false => Ok(Vec::new()),
        });
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) if is_root => return Err(error),
            Err(error) => {
                found.closed.push((place, error));
                continue;
            }
        };
        entries.sort_by_key(|entry| entry.file_name());
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            // Follows links; a broken one is kept if its name promises music, so that it is reported.
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => waiting.push_back((path, false)),
                _ if is_music(&path) => found.music.push(path),
                _ => found.ignored += 1,
            }
        }
    }
    found.music.sort();
    found.closed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// The music files under a folder, in order.
///
/// # Errors
/// Where the folder itself cannot be listed.
pub fn music_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(find(folder)?.music)
}

/// Whether a file's name says that it holds music.
fn is_music(path: &Path) -> bool {
    Format::to_read(path).is_ok()
}

/// Why a file's bytes are not there.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The system refused.
    Io(io::Error),
    /// A pipe, a device, a folder: reading might never end.
    NotAFile,
    /// It has more bytes than allowed.
    TooLarge(u64),
}

/// The bytes of `path`, unless there are more than `limit`.
pub(crate) fn load(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let meta = fs::metadata(path).map_err(LoadError::Io)?;
    if !meta.is_file() {
        return Err(LoadError::NotAFile);
    }
    if meta.len() > limit {
        return Err(LoadError::TooLarge(meta.len()));
    }
    let mut bytes = Vec::new();
    // The file may grow between the look and the reading.
    let read = File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Ok(count) if count as u64 > limit => Err(LoadError::TooLarge(count as u64)),
        Ok(_) => Ok(bytes),
        Err(error) => Err(LoadError::Io(error)),
    }
}
